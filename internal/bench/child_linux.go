package bench

import (
	"os/exec"
	"syscall"
)

// endWithParent has the kernel end the child when this process is killed and can't do it itself (prctl(2), PR_SET_PDEATHSIG).
func endWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
