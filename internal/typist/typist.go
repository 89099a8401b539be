// Package typist is for tests alone: somebody who sits at a terminal, types, and reads what stands on the screen. The program runs in a real
// pseudo-terminal as a job, as people run it, so that it can be stopped with Ctrl-Z and come back; what it draws is obeyed by an emulator, which answers it
// too. There are none on Windows: its tests are left out there.
package typist

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"chatnode/internal/screen"
)

// patience is how long a typist waits for what must come. It is no measure of speed.
func patience() time.Duration {
	const wait, raced = 20 * time.Second, 3
	info, _ := debug.ReadBuildInfo()
	if info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		return raced * wait
	}
	return wait
}

// Desk is where a typist sits.
type Desk struct {
	Width, Height int         // of the terminal, in columns and rows; 0: 80 and 24
	Kind          screen.Kind // of the terminal
	Home          string      // where the program's own files belong; "": a new folder
	Env           []string    // further variables; those of the test are not handed on
	Program       string      // a path; "": this test's own binary
}

// Typist is somebody at a terminal with a program. Its methods are for one goroutine, the test's, which they end when what is waited for does not
// come.
type Typist struct {
	testing.TB
	grid   *screen.Grid
	pty    *os.File
	keeper *exec.Cmd     // this binary, as what the program is a job of: see keep
	tell   *os.File      // what the keeper is to do
	over   chan struct{} // closed when the keeper has been waited for and all that the program drew is on the screen

	// mu promises that log is what came from the program so far, and that changed is closed, and made anew, after each change of what follows and of the
	// screen.
	mu      sync.Mutex
	log     []byte
	changed chan struct{}
	pid     int  // of the program, 0 until it is known
	stopped bool // and not told to go on
	ended   bool
	code    int // with which it ended; -1 if that is not known
}

// What a keeper says.
const (
	stopMark  = "\x1b_the program has stopped\x1b\\"
	notFound  = 127 // the exit code where there is no such program
	signalled = 128 // and what is added to the number of a signal that it died by
)

// Start runs a program at a desk. It is ended with the test, which fails if the program told the terminal what that does not know.
func Start(t testing.TB, desk Desk, args ...string) *Typist {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("there is no pseudo-terminal")
	}
	if desk.Width == 0 {
		desk.Width, desk.Height = 80, 24
	}
	if desk.Home == "" {
		desk.Home = t.TempDir()
	}
	y := &Typist{TB: t, grid: screen.NewGrid(desk.Width, desk.Height), over: make(chan struct{}), changed: make(chan struct{}), code: -1}
	said, err := y.start(desk, args)
	if err != nil {
		t.Fatal(err)
	}
	y.grid.Answer(answers{y}, desk.Kind)
	var group sync.WaitGroup
	group.Go(y.draw)
	group.Go(func() { y.listen(said) })
	go func() { // ends with the keeper, which the test ends
		group.Wait()
		_ = y.keeper.Wait() // how the program ended is known from what the keeper said
		close(y.over)
	}()
	t.Cleanup(y.leave)
	return y
}

// start runs the keeper with the program, and returns what it will say.
func (y *Typist) start(desk Desk, args []string) (said *os.File, err error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if desk.Program == "" {
		desk.Program = binary
	}
	said, say, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	hear, tell, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer say.Close()
	defer hear.Close()
	y.tell = tell
	y.keeper = exec.Command(binary, append([]string{desk.Program}, args...)...)
	y.keeper.Dir, y.keeper.Env = desk.Home, append(environment(desk), keeperVariable+"=1")
	y.keeper.ExtraFiles = []*os.File{say, hear}
	y.pty, err = pty.StartWithSize(y.keeper, &pty.Winsize{Rows: uint16(desk.Height), Cols: uint16(desk.Width)})
	return said, err
}

// environment is that of somebody who has just logged in.
func environment(desk Desk) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + desk.Home, "USER=carol", "SHELL=/bin/sh", "LANG=C.UTF-8", "TZ=UTC",
		"TERM=xterm-256color", "COLORTERM=truecolor", "GORACE=atexit_sleep_ms=0", // no process waits at its end for more races
	}
	for _, variable := range []string{"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"} {
		env = append(env, variable+"="+filepath.Join(desk.Home, variable))
	}
	if covered := os.Getenv("GOCOVERDIR"); covered != "" {
		env = append(env, "GOCOVERDIR="+covered)
	}
	return append(env, desk.Env...)
}

// maxLog bounds what is kept of what the program drew, in bytes.
const maxLog = 16 << 20

// draw shows what the program draws until its end.
func (y *Typist) draw() {
	buf := make([]byte, 64<<10)
	var text []byte // what may be the beginning of a mark is left for later
	for {
		n, err := y.pty.Read(buf)
		text = append(text, buf[:n]...)
		for {
			before, after, found := bytes.Cut(text, []byte(stopMark))
			if !found {
				break
			}
			y.show(before)
			y.change(func() { y.stopped = true })
			text = after
		}
		keep := 0
		if err == nil {
			keep = begun(text, stopMark)
		}
		y.show(text[:len(text)-keep])
		text = bytes.Clone(text[len(text)-keep:])
		if err != nil {
			return // nobody has the terminal open any more
		}
	}
}

// begun returns how many bytes at the end of text are the beginning of mark.
func begun(text []byte, mark string) int {
	for n := min(len(text), len(mark)-1); n > 0; n-- {
		if bytes.HasSuffix(text, []byte(mark[:n])) {
			return n
		}
	}
	return 0
}

func (y *Typist) show(text []byte) {
	if len(text) > 0 {
		_, _ = y.grid.Write(text) // it never fails
		y.change(func() { y.log = append(y.log, text[:min(len(text), maxLog-len(y.log))]...) })
	}
}

// listen takes in what the keeper says until its end.
func (y *Typist) listen(said *os.File) {
	defer said.Close()
	for lines := bufio.NewScanner(said); lines.Scan(); {
		word, number, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.Atoi(number)
		if err != nil {
			continue
		}
		y.change(func() {
			switch word {
			case "pid":
				y.pid = n
			case "ended":
				y.ended, y.code = true, n
			}
		})
	}
}

// change makes a change and lets those know who wait.
func (y *Typist) change(do func()) {
	y.mu.Lock()
	defer y.mu.Unlock()
	do()
	close(y.changed)
	y.changed = make(chan struct{})
}

// leave ends the program if it has not ended by itself, and tells what happened if the test has failed.
func (y *Typist) leave() {
	y.tell.Close()
	y.mu.Lock()
	pid, ended := y.pid, y.ended
	y.mu.Unlock()
	if p, err := os.FindProcess(pid); err == nil && pid > 0 && !ended {
		_ = p.Kill() // if it has ended, that is what is asked for
	}
	_ = y.keeper.Process.Kill() // as above; what it leaves loses its terminal
	<-y.over
	y.pty.Close()
	if unknown := y.grid.Unknown(); len(unknown) > 0 {
		y.Errorf("the terminal was told what it does not know: %q", unknown)
	}
	if y.Failed() {
		const tail = 32 << 10
		y.Logf("the screen:\n%s\nthe last bytes of %d that were drawn:\n%q", y.picture(), len(y.log), y.log[max(0, len(y.log)-tail):])
	}
}

func (y *Typist) gone() bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.ended
}

// answers takes what a terminal says by itself to its program.
type answers struct{ y *Typist }

func (a answers) Write(p []byte) (int, error) { return a.y.pty.Write(p) }

// Grid returns the terminal.
func (y *Typist) Grid() *screen.Grid { return y.grid }

// Screen returns the lines on the screen, without the spaces at their ends.
func (y *Typist) Screen() []string { return y.grid.Lines() }

// picture returns the screen as a failure shows it.
func (y *Typist) picture() string {
	var b strings.Builder
	for _, line := range y.grid.Lines() {
		fmt.Fprintf(&b, "| %s\n", line)
	}
	column, row, visible := y.grid.Cursor()
	fmt.Fprintf(&b, "cursor at column %d of row %d, visible: %v; title %q", column, row, visible, y.grid.Title())
	return b.String()
}

// Wait waits until all of these stand on the screen, each on one line.
func (y *Typist) Wait(text ...string) {
	y.Helper()
	y.WaitFor(fmt.Sprintf("%q", text), func(lines []string) bool {
		for _, want := range text {
			if !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, want) }) {
				return false
			}
		}
		return true
	})
}

// WaitGone waits until none of these stands on the screen.
func (y *Typist) WaitGone(text ...string) {
	y.Helper()
	y.WaitFor(fmt.Sprintf("no %q", text), func(lines []string) bool {
		for _, unwanted := range text {
			if slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, unwanted) }) {
				return false
			}
		}
		return true
	})
}

// WaitFor waits until the lines of the screen are as wanted. It looks at them after each change, and not at frames that are half drawn.
func (y *Typist) WaitFor(what string, wanted func(lines []string) bool) {
	y.Helper()
	y.await(what+" on the screen", func() bool { return wanted(y.grid.Lines()) })
}

// await waits until something is so, which it looks at after each change. Nothing changes any more when the program has ended.
func (y *Typist) await(what string, so func() bool) {
	y.Helper()
	late := time.NewTimer(patience())
	defer late.Stop()
	for {
		y.mu.Lock()
		changed := y.changed
		y.mu.Unlock()
		select {
		case <-y.over:
			if !so() {
				y.Fatalf("it ended with %d, and there is no %s:\n%s", y.code, what, y.picture())
			}
			return
		default:
		}
		if so() {
			return
		}
		select {
		case <-changed:
		case <-y.over:
		case <-late.C:
			y.Fatalf("no %s in %v:\n%s", what, patience(), y.picture())
		}
	}
}

// write sends bytes to the program as a terminal does. A program that does not read them in time is a failure.
func (y *Typist) write(text string) {
	y.Helper()
	done := make(chan error, 1)
	go func() { // ends with the terminal, at the latest
		_, err := io.WriteString(y.pty, text)
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil && !y.gone() {
			y.Fatalf("it takes no input: %v", err)
		}
	case <-time.After(patience()):
		y.Fatalf("it does not read its input:\n%s", y.picture())
	}
}

// Resize gives the terminal another size, of which the program is told by SIGWINCH.
func (y *Typist) Resize(width, height int) {
	y.Helper()
	y.grid.Resize(width, height)
	if err := pty.Setsize(y.pty, &pty.Winsize{Rows: uint16(height), Cols: uint16(width)}); err != nil {
		y.Fatal(err)
	}
}

// Pid returns the number of the program's process. It waits until that is known.
func (y *Typist) Pid() (pid int) {
	y.Helper()
	y.await("process", func() bool {
		y.mu.Lock()
		defer y.mu.Unlock()
		pid = y.pid
		return pid > 0
	})
	return pid
}

// Signal sends the program a signal.
func (y *Typist) Signal(s os.Signal) {
	y.Helper()
	p, err := os.FindProcess(y.Pid())
	if err == nil {
		err = p.Signal(s)
	}
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		y.Fatal(err)
	}
}

// Kill ends the program with SIGKILL, and returns when it has ended.
func (y *Typist) Kill() {
	y.Helper()
	y.Signal(syscall.SIGKILL)
	y.End()
}

// End waits for the end of the program, and returns its exit code; 128 and a signal's number after a death by one.
func (y *Typist) End() int {
	y.Helper()
	select {
	case <-y.over:
	case <-time.After(patience()):
		y.Fatalf("it does not end:\n%s", y.picture())
	}
	return y.code
}

// Stopped waits until the program has stopped, as Ctrl-Z should have it do.
func (y *Typist) Stopped() {
	y.Helper()
	y.await("stop", func() bool {
		y.mu.Lock()
		defer y.mu.Unlock()
		return y.stopped
	})
}

// Continue has a program go on that has stopped, as fg does.
func (y *Typist) Continue() {
	y.Helper()
	y.Stopped()
	y.mu.Lock()
	y.stopped = false
	y.mu.Unlock()
	if _, err := io.WriteString(y.tell, "go on\n"); err != nil {
		y.Fatal(err)
	}
}
