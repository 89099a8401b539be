package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	startLimit = 10 * time.Second
	// killAfter is how long a child that was asked to end may take to.
	killAfter = 5 * time.Second
	keptLog   = 4 << 10
	// explainWait is how long a server that has broken its connections may take to say why.
	explainWait = 200 * time.Millisecond
)

// program is how a server is started.
type program struct {
	path string
	args []string
	env  []string // beside this process's own
}

// child is a server in a process of its own.
type child struct {
	name    string
	address string
	cmd     *exec.Cmd
	cancel  context.CancelFunc
	ended   chan struct{} // closed when the process has been waited for
	log     *tail
	began   time.Time     // just before it was started
	listens time.Duration // from then until it said where it listens
}

// startChild starts a server and waits for the line that says where it listens. The end of ctx ends it. stop must be called.
func startChild(ctx context.Context, name string, p program) (*child, error) {
	ctx, cancel := context.WithCancel(ctx)
	c := &child{name: name, cancel: cancel, ended: make(chan struct{}), log: &tail{}}
	out := &firstLine{line: make(chan string, 1)}
	c.cmd = exec.CommandContext(ctx, p.path, p.args...)
	c.cmd.Env = append(plainEnvironment(), p.env...)
	c.cmd.Stdout, c.cmd.Stderr = out, c.log
	c.cmd.WaitDelay = killAfter
	c.cmd.Cancel = func() error {
		if c.cmd.Process.Signal(os.Interrupt) != nil { // Windows has no such signal
			return c.cmd.Process.Kill()
		}
		return nil
	}
	endWithParent(c.cmd)
	c.began = time.Now()
	if err := c.cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { // ends with the process, which stop ends
		_ = c.cmd.Wait() // how it ended is of interest only if it did so too early, and then its log says more
		close(c.ended)
	}()
	timer := time.NewTimer(startLimit)
	defer timer.Stop()
	var err error
	select {
	case line := <-out.line:
		c.listens = time.Since(c.began)
		c.address, err = addressIn(line)
	case <-c.ended:
		err = errors.New("it ended at once")
	case <-timer.C:
		err = fmt.Errorf("it did not say where it listens within %v", startLimit)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		c.stop()
		return nil, c.explain(fmt.Errorf("start %s: %w", name, err))
	}
	return c, nil
}

// plainEnvironment is this process's environment without chatnode's own variables, and with the one that says to take no settings file: those are for the
// user's nodes and not for those that are measured.
func plainEnvironment() []string {
	return append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "CHATNODE_") }), "CHATNODE_CONFIG=")
}

// stop asks the process to end, kills it if it does not, and returns when it has.
func (c *child) stop() {
	c.cancel()
	<-c.ended
}

// kill ends the process at once, as kill -9 does, and returns when it has ended. stop must be called nevertheless.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // which fails for one that has ended
	<-c.ended
}

// because returns why a measurement ended: what went wrong first, with what the server said.
func (c *child) because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return c.explain(err)
}

// await waits until count has come to what is wanted, which has to go on coming. It returns a *stallError when it does not for so long, and another error
// when the node ends before.
func (c *child) await(ctx context.Context, limit time.Duration, what string, count func() uint64, want uint64) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	last, since := count(), time.Now()
	for last < want {
		select {
		case <-ticker.C:
		case <-c.ended:
			return fmt.Errorf("%s ended by itself", c.name)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if n := count(); n != last {
			last, since = n, time.Now()
		} else if time.Since(since) > limit {
			return &stallError{fmt.Sprintf("%s (%d of %d)", what, last, want)}
		}
	}
	return nil
}

// explain adds to err what the server said last, if it has ended or is about to.
func (c *child) explain(err error) error {
	select {
	case <-time.After(explainWait):
	case <-c.ended:
		if said := c.log.String(); said != "" {
			return fmt.Errorf("%w; %s said: %s", err, c.name, said)
		}
	}
	return err
}

func addressIn(line string) (string, error) {
	var said struct{ Type, Addr string }
	if err := json.Unmarshal([]byte(line), &said); err != nil || said.Type != "listening" || said.Addr == "" {
		return "", fmt.Errorf("it said %q, not where it listens", line)
	}
	return said.Addr, nil
}

// firstLine hands the first line on and drops the rest.
type firstLine struct {
	line chan string // capacity 1
	text []byte
	done bool
}

func (f *firstLine) Write(p []byte) (int, error) {
	if f.done {
		return len(p), nil
	}
	f.text = append(f.text, p...)
	if line, _, whole := bytes.Cut(f.text, []byte{'\n'}); whole || len(f.text) > keptLog {
		f.line <- string(line)
		f.done, f.text = true, nil
	}
	return len(p), nil
}

// tail keeps the last lines that were written.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-keptLog):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
