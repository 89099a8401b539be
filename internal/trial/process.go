package trial

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// keptSaid is how much of what a process says is kept, in bytes.
const keptSaid = 256 << 10

// process is a chatnode in a process of its own.
type process struct {
	cmd       *exec.Cmd
	in        io.WriteCloser
	listening chan struct{} // closed when it says where it listens
	ended     chan struct{} // closed when it has been waited for

	// mu promises that said is what it wrote so far, on standard error, and on standard output where that is no JSON; objects are what is.
	mu      sync.Mutex
	said    strings.Builder
	objects []map[string]any
	grown   chan struct{} // closed, and made anew, with each of either
}

// start runs this test's own binary as chatnode under orders, with folders of its own below home.
func start(home string, orders Orders, args ...string) (*process, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(binary, args...), listening: make(chan struct{}), ended: make(chan struct{}), grown: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), orders.Environment(), "HOME="+home, "GORACE=atexit_sleep_ms=0") // no process waits at its end for more races
	for _, variable := range []string{"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"} {
		p.cmd.Env = append(p.cmd.Env, variable+"="+filepath.Join(home, variable))
	}
	p.cmd.Stderr = (*speech)(p)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	endWithParent(p.cmd)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process, which the trial ends
		p.read(out)
		_ = p.cmd.Wait() // how it ended is in cmd.ProcessState
		p.in.Close()
		close(p.ended)
	}()
	return p, nil
}

// read takes in what the process prints.
func (p *process) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for heard := false; lines.Scan(); {
		var o map[string]any
		if json.Unmarshal(lines.Bytes(), &o) != nil {
			_, _ = (*speech)(p).Write(append(lines.Bytes(), '\n'))
			continue
		}
		if o["type"] == "listening" && !heard {
			heard = true
			close(p.listening)
		}
		p.mu.Lock()
		p.objects = append(p.objects, o)
		close(p.grown)
		p.grown = make(chan struct{})
		p.mu.Unlock()
	}
}

// speech keeps what a process writes to standard error.
type speech process

func (s *speech) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said.Write(text[:min(len(text), max(0, keptSaid-s.said.Len()))])
	close(s.grown)
	s.grown = make(chan struct{})
	return len(text), nil
}

// Said returns what the process said so far.
func (p *process) Said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.TrimSpace(p.said.String())
}

// Code returns the exit code of a process that has ended, -1 after a death by a signal.
func (p *process) Code() int { return p.cmd.ProcessState.ExitCode() }

// Interrupt asks the process to end.
func (p *process) Interrupt() { _ = p.cmd.Process.Signal(os.Interrupt) } // if it has ended, that is what is asked for

// Kill ends the process with SIGKILL, and returns when it has ended.
func (p *process) Kill() {
	_ = p.cmd.Process.Kill() // if it has ended, that is what is asked for
	<-p.ended
}
