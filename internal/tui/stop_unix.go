//go:build unix

package tui

import (
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	tea "charm.land/bubbletea/v2"
)

// stop gives the terminal back and stops the process, until somebody has it go on. Bubble Tea's own way waits for that for ever, also where nothing can
// stop, as there is no shell that could have it go on (POSIX: a process group that is orphaned is not stopped by the terminal's signals).
func (m *model) stop() tea.Cmd {
	return tea.Exec(stopper{}, func(error) tea.Msg { return wentOn{} })
}

type stopper struct{}

func (stopper) SetStdin(io.Reader)  {}
func (stopper) SetStdout(io.Writer) {}
func (stopper) SetStderr(io.Writer) {}

// Run stops the process group, as the terminal does for those who leave it Ctrl-Z, and returns when it goes on.
func (stopper) Run() error {
	const notStopped = 200 * time.Millisecond // whoever is stopped does not notice the time
	goesOn := make(chan os.Signal, 1)
	signal.Notify(goesOn, syscall.SIGCONT)
	defer signal.Stop(goesOn)
	if err := syscall.Kill(0, syscall.SIGTSTP); err != nil {
		return err
	}
	select {
	case <-goesOn:
	case <-time.After(notStopped):
	}
	return nil
}
