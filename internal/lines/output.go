package lines

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"syscall"
)

// output is the two streams that all goroutines of a Run print to. A line goes out in one Write.
type output struct {
	broken chan struct{} // closed by the first failed write of out

	mu  sync.Mutex // holding it promises that no other line is being written
	out io.Writer
	err io.Writer
	bad error // the first failure of out; nothing is written to it afterwards
}

func newOutput(out, err io.Writer) *output {
	return &output{broken: make(chan struct{}), out: out, err: err}
}

// print writes a line that is ready, its newline included, to where what was asked for goes.
func (o *output) print(line []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bad != nil {
		return
	}
	if _, err := o.out.Write(line); err != nil {
		o.bad = err
		close(o.broken)
	}
}

// tell writes a line for a person to where all else goes. Nobody can be told that this failed.
func (o *output) tell(line []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = o.err.Write(line)
}

// works reports whether all that was to be printed has been.
func (o *output) works() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bad == nil
}

// failure returns the first failure of out. A reader who has gone away is none.
func (o *output) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bad == nil || isGone(o.bad) {
		return nil
	}
	return fmt.Errorf("write output: %w", o.bad)
}

// isGone reports whether a write failed because nobody reads any more.
func isGone(err error) bool {
	const errorBrokenPipe, errorNoData = 109, 232 // Windows
	var errno syscall.Errno
	windows := runtime.GOOS == "windows" && errors.As(err, &errno) && (errno == errorBrokenPipe || errno == errorNoData)
	return windows || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}
