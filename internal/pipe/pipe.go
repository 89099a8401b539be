// Package pipe is for tests alone: links between nodes in memory, with delay and cuts, that work in fake time.
package pipe

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"chatnode/internal/frame"
	"chatnode/internal/identity"
)

const (
	// window is how many bytes may be on their way before the reader has read them.
	window = 256 << 10
	// silentLimit is how long a link that is cut lasts.
	silentLimit = 45 * time.Second
)

// Way is one direction of a link.
type Way struct {
	// mu promises that the fields agree.
	mu      sync.Mutex
	delay   func() time.Duration
	chunks  []chunk
	last    time.Time // when the last of chunks arrives
	window  int
	cut     bool
	ended   bool // nothing more is written
	closed  bool // nothing more is read
	grown   func()
	written int64
	timer   *time.Timer   // ends the link when it is cut for too long
	change  chan struct{} // capacity 1: a hint to the reader
}

// chunk is what one Write wrote, and when it arrives.
type chunk struct {
	at   time.Time
	data []byte
}

// End is one end of a link. One goroutine may read it and one may write it.
type End struct {
	// Other is the id that the other end has proved to have. It is set before the link is used.
	Other identity.ID

	in, out *Way
	peer    *End
	done    chan struct{}
	once    sync.Once
}

// New returns the two ends of a link. delay is asked for each write how long it is on its way, which never changes the order; nil: no time.
func New(delay func() time.Duration) (a, b *End) {
	if delay == nil {
		delay = func() time.Duration { return 0 }
	}
	newWay := func() *Way {
		return &Way{delay: delay, window: window, grown: func() {}, change: make(chan struct{}, 1)}
	}
	ab, ba := newWay(), newWay()
	a = &End{in: ba, out: ab, done: make(chan struct{})}
	b = &End{in: ab, out: ba, done: make(chan struct{}), peer: a}
	a.peer = b
	return a, b
}

// Peer returns the stream between the nodes.
func (e *End) Peer() frame.Stream { return e }

// Node returns Other.
func (e *End) Node() identity.ID { return e.Other }

// Done is closed when the link has ended.
func (e *End) Done() <-chan struct{} { return e.done }

// Written returns how many bytes were written at this end.
func (e *End) Written() int64 {
	e.out.mu.Lock()
	defer e.out.mu.Unlock()
	return e.out.written
}

// Notify has grown called when the other end has read.
func (e *End) Notify(grown func()) {
	e.out.mu.Lock()
	defer e.out.mu.Unlock()
	e.out.grown = grown
}

// Ping takes as long as a write there and one back, once nothing is cut, or until the link ends.
func (e *End) Ping() (time.Duration, error) {
	took := e.out.delay() + e.in.delay()
	for wait := took; ; wait = max(took, 100*time.Millisecond) {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			if !e.out.isCut() && !e.in.isCut() {
				return took, nil
			}
		case <-e.done:
			timer.Stop()
			return 0, net.ErrClosed
		}
	}
}

// Cut has nothing arrive any more that this end writes, until Heal. What is on its way is kept, as TCP does; a link that is cut for 45 s ends.
func (e *End) Cut() {
	w := e.out
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.cut {
		w.cut = true
		w.timer = time.AfterFunc(silentLimit, func() { e.kill(); e.peer.kill() })
	}
}

// Heal has arrive what was written at this end since Cut.
func (e *End) Heal() {
	w := e.out
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		w.cut = false
		w.timer.Stop()
		w.hint()
		if w.ended {
			time.AfterFunc(w.delay(), e.peer.kill)
		}
	}
}

// Close ends the link at this end at once, and at the other when what was written has arrived.
func (e *End) Close() error {
	w := e.out
	w.mu.Lock()
	first := !w.ended
	w.ended = true
	w.hint()
	cut, wait := w.cut, w.delay()
	w.mu.Unlock()
	e.kill()
	if first && !cut {
		time.AfterFunc(wait, e.peer.kill)
	}
	return nil
}

// kill ends this end.
func (e *End) kill() {
	e.once.Do(func() {
		close(e.done)
		for _, w := range []*Way{e.in, e.out} {
			w.mu.Lock()
			w.ended = true
			w.closed = w.closed || w == e.in
			w.hint()
			grown := w.grown
			w.mu.Unlock()
			grown()
		}
	})
}

// Ready is always true: bytes on their way are here when their time has come.
func (e *End) Ready() bool { return true }

func (e *End) Window() int {
	e.out.mu.Lock()
	defer e.out.mu.Unlock()
	return e.out.window
}

func (e *End) Write(p []byte) (int, error) {
	w := e.out
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.ended:
		return 0, net.ErrClosed
	case len(p) > w.window:
		return 0, frame.ErrWindow
	}
	w.window -= len(p)
	w.written += int64(len(p))
	if at := time.Now().Add(w.delay()); at.After(w.last) {
		w.last = at
	}
	w.chunks = append(w.chunks, chunk{w.last, append([]byte(nil), p...)})
	w.hint()
	return len(p), nil
}

func (e *End) Read(p []byte) (int, error) {
	for {
		n, wait, err := e.in.take(p)
		if n > 0 || err != nil {
			return n, err
		}
		if wait == 0 {
			<-e.in.change
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-e.in.change:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// take returns what has arrived, or how long to wait for what comes next; 0: until change says so.
func (w *Way) take(p []byte) (n int, wait time.Duration, err error) {
	w.mu.Lock()
	var grown func()
	defer func() {
		w.mu.Unlock()
		if grown != nil {
			grown()
		}
	}()
	now := time.Now()
	for n < len(p) && len(w.chunks) > 0 && !w.cut && !w.chunks[0].at.After(now) {
		got := copy(p[n:], w.chunks[0].data)
		n += got
		if w.chunks[0].data = w.chunks[0].data[got:]; len(w.chunks[0].data) == 0 {
			w.chunks = w.chunks[1:]
		}
	}
	switch {
	case n > 0:
		w.window += n
		grown = w.grown
		return n, 0, nil
	case w.cut && !w.closed:
		return 0, 0, nil
	case len(w.chunks) > 0 && !w.cut:
		return 0, w.chunks[0].at.Sub(now), nil
	case w.ended || w.closed:
		return 0, 0, io.EOF
	}
	return 0, 0, nil
}

func (w *Way) hint() {
	select {
	case w.change <- struct{}{}:
	default:
	}
}

func (w *Way) isCut() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cut
}

// ErrRefused is for a dialler that nobody answers.
var ErrRefused = errors.New("nobody answers")
