package trial

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// endWithParent has the kernel end the process when this one is killed and can't do it itself (prctl(2), PR_SET_PDEATHSIG).
func endWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// noLimit is no limit to limitFiles.
const noLimit = ^uint64(0)

// limitFiles lets no file of this process grow above so many bytes; what would is cut short, and then fails (setrlimit(2), RLIMIT_FSIZE).
func limitFiles(bytes uint64) error {
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: bytes})
}

// openFiles returns how many descriptors this process has open, beside the one that it takes to look.
func openFiles() int {
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(all) - 1
}

// mostMemory returns the most bytes of memory that this process has had at one time since forgetMemory, which has the kernel forget what was before
// (proc(5), /proc/pid/clear_refs).
func mostMemory() int64 {
	most, _ := memory(os.Getpid())
	return most
}

func forgetMemory() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) } // where it can't, mostMemory counts from the beginning

// memory returns the most bytes of memory that a process has had at one time, and whether that is known.
func memory(pid int) (int64, bool) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmHWM:" {
			kilobytes, err := strconv.ParseInt(fields[1], 10, 64)
			return kilobytes << 10, err == nil
		}
	}
	return 0, false
}

// mount makes a file system of so many bytes in memory at dir, and returns what takes it away.
func mount(dir string, bytes int) (unmount func() error, err error) {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+strconv.Itoa(bytes)); err != nil {
		return nil, os.NewSyscallError("mount", err)
	}
	return func() error { return syscall.Unmount(dir, syscall.MNT_DETACH) }, nil
}
