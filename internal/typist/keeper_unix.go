//go:build unix

package typist

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// keeperVariable has a test's binary be a keeper.
const keeperVariable = "TYPIST_KEEPER"

func init() {
	if os.Getenv(keeperVariable) != "" {
		os.Unsetenv(keeperVariable)
		keep(os.Args[1:])
		os.Exit(0)
	}
}

// keep is the shell at whose prompt the program was started: it runs it as a job of its own in the foreground of its terminal, until it has ended. It tells
// the program's number, and at last its exit code, on descriptor 3, and on the terminal, behind all that the program drew, that it has stopped; for each
// line on 4 it has it go on. Without somebody above it in its session, the system would not let the program stop.
func keep(args []string) {
	report, orders := os.NewFile(3, "report"), os.NewFile(4, "orders")
	syscall.CloseOnExec(3)
	syscall.CloseOnExec(4)
	path, err := exec.LookPath(args[0])
	var pid int
	if err == nil {
		pid, err = syscall.ForkExec(path, args, &syscall.ProcAttr{
			Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Foreground: true, Ctty: 0},
		})
	}
	if err != nil {
		fmt.Println(err)
		fmt.Fprintln(report, "ended", notFound)
		return
	}
	fmt.Fprintln(report, "pid", pid)
	go func() { // until the process ends
		for lines := bufio.NewScanner(orders); lines.Scan(); {
			_ = syscall.Kill(-pid, syscall.SIGCONT) // if it has ended, that is told below
		}
	}()
	for {
		var status syscall.WaitStatus
		switch _, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil); {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return
		case status.Stopped():
			os.Stdout.WriteString(stopMark)
		case status.Signaled():
			fmt.Fprintln(report, "ended", signalled+int(status.Signal()))
			return
		case status.Exited():
			fmt.Fprintln(report, "ended", status.ExitStatus())
			return
		}
	}
}
