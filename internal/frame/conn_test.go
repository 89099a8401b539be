package frame

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReadDeadline(t *testing.T) {
	clock := time.Unix(1000, 0)
	frame := frameBytes(typeData, 0, 1, 20)
	raw := &scriptConn{chunks: [][]byte{
		frame,      // whole: no deadline
		frame[:1],  // begins: set
		frame[1:9], // goes on: the same deadline
		frame[9:30],
		slices.Concat(frame[30:], frame[:5]), // the next one has begun: set anew
		frame[5:],                            // whole: cleared
		frame,
	}}
	policy := Policy{FrameTimeout: 10 * time.Second, Now: func() time.Time { return clock }}
	c := NewConn(raw, policy)
	buf := make([]byte, 100)
	for range 7 {
		clock = clock.Add(time.Second)
		if _, err := c.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
	want := []time.Time{time.Unix(1012, 0), time.Unix(1015, 0), {}}
	if diff := cmp.Diff(want, raw.deadlines); diff != "" {
		t.Errorf("deadlines mismatch (-want +got):\n%s", diff)
	}
}

func TestUnfinishedFrame(t *testing.T) {
	for name, part := range map[string]int{"header": 7, "body": 15} {
		t.Run(name, func(t *testing.T) {
			near, far := net.Pipe()
			defer far.Close()
			c := NewConn(near, Policy{FrameTimeout: 20 * time.Millisecond})
			go far.Write(frameBytes(typeData, 0, 1, 100)[:part])
			_, err := io.Copy(io.Discard, onlyReader{c})
			var breach *PolicyError
			if !errors.As(err, &breach) || breach != errFrameTimedOut {
				t.Errorf("Read returned %v, want %v", err, errFrameTimedOut)
			}
			if c.Err() != err {
				t.Errorf("Err() = %v, want %v", c.Err(), err)
			}
			if _, err := far.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("the other end reads %v, want EOF", err)
			}
		})
	}
}

type onlyReader struct{ io.Reader }

func TestBreachCloses(t *testing.T) {
	good := frameBytes(typeData, 0, 1, 30)
	raw := &scriptConn{chunks: [][]byte{good, append(slices.Clone(good), 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9), good}}
	c := NewConn(raw, Policy{})
	got, err := io.ReadAll(c)
	if err != error(errBadVersion) {
		t.Errorf("Read returned %v, want %v", err, errBadVersion)
	}
	if !bytes.Equal(got, good) {
		t.Errorf("%d bytes have passed, want the %d before the chunk with the breach", len(got), len(good))
	}
	if raw.closed != 1 {
		t.Errorf("closed %d times, want once", raw.closed)
	}
	if err := c.Ping(); err != error(errBadVersion) {
		t.Errorf("Ping after the breach = %v, want %v", err, errBadVersion)
	}
}

func TestCloseIsIdempotent(t *testing.T) {
	raw := &scriptConn{}
	c := NewConn(raw, Policy{})
	for range 3 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	c.Abort(io.ErrNoProgress)
	if raw.closed != 1 || c.Err() != net.ErrClosed {
		t.Errorf("closed %d times with %v, want once with %v", raw.closed, c.Err(), net.ErrClosed)
	}
}

// overConn looks like TLS: closing it may block, closing what is beneath not.
type overConn struct {
	scriptConn
	under scriptConn
}

func (o *overConn) NetConn() net.Conn { return &o.under }

func TestCloseGoesBeneathTLS(t *testing.T) {
	raw := &overConn{}
	NewConn(raw, Policy{}).Close()
	if raw.closed != 0 || raw.under.closed != 1 {
		t.Errorf("closed %d times above and %d beneath, want 0 and 1", raw.closed, raw.under.closed)
	}
}

// Read and both kinds of Write are stuck in the socket when Close comes.
func TestCloseUnblocks(t *testing.T) {
	near, _ := tcpPair(t)
	near.SetWriteBuffer(4 << 10)
	c := NewConn(near, Policy{MaxSend: 64 << 10})
	s := c.Stream(1, nil)
	c.streams[0].window.Store(maxGranted)

	ended := make(chan error, 3)
	go func() { _, err := c.Read(make([]byte, 1)); ended <- err }()
	go func() {
		for p := make([]byte, 1<<20); ; {
			if _, err := s.Write(p); err != nil {
				ended <- err
				return
			}
		}
	}()
	go func() {
		for ping := frameBytes(typePing, 0, 0, 0); ; {
			if _, err := c.Write(ping); err != nil {
				ended <- err
				return
			}
		}
	}()
	// The socket is full once a single write has lasted a little while.
	full := make(chan struct{})
	go func() {
		for c.WriteStalledFor(time.Now()) < 30*time.Millisecond {
			runtime.Gosched()
		}
		close(full)
	}()
	waitFor(t, "a full socket", full)
	c.Close()
	for range 3 {
		if err := waitFor(t, "Read and Write to return", ended); err == nil {
			t.Error("ended without an error")
		}
	}
	if c.Err() != net.ErrClosed {
		t.Errorf("Err() = %v, want %v", c.Err(), net.ErrClosed)
	}
}

// gateConn blocks in Write until it is opened.
type gateConn struct {
	scriptConn
	entered, open chan struct{}
}

func (g *gateConn) Write(p []byte) (int, error) {
	g.entered <- struct{}{}
	<-g.open
	return g.scriptConn.Write(p)
}

func TestTimes(t *testing.T) {
	start := time.Unix(5000, 0)
	clock := start
	raw := &gateConn{entered: make(chan struct{}), open: make(chan struct{})}
	raw.chunks = [][]byte{frameBytes(typePing, 0, 0, 0)}
	c := NewConn(raw, Policy{Now: func() time.Time { return clock }})
	s := c.Stream(1, nil)

	clock = start.Add(4 * time.Second)
	if got := c.IdleFor(clock); got != 4*time.Second {
		t.Errorf("IdleFor before the first byte = %v, want 4s", got)
	}
	if _, err := c.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if got := c.LastRead(); !got.Equal(clock) {
		t.Errorf("LastRead = %v, want %v", got, clock)
	}
	if got := c.WriteStalledFor(clock); got != 0 {
		t.Errorf("WriteStalledFor without a write = %v, want 0", got)
	}
	done := make(chan error)
	go func() { _, err := s.Write([]byte("x")); done <- err }()
	waitFor(t, "the write to begin", raw.entered)
	if got := c.WriteStalledFor(clock.Add(31 * time.Second)); got != 31*time.Second {
		t.Errorf("WriteStalledFor in a write = %v, want 31s", got)
	}
	close(raw.open)
	if err := waitFor(t, "the write to end", done); err != nil {
		t.Error(err)
	}
	if got := c.WriteStalledFor(clock.Add(31 * time.Second)); got != 0 {
		t.Errorf("WriteStalledFor after a write = %v, want 0", got)
	}
}

// Whatever comes first, the end or AfterEnd, the end is told once.
func TestAfterEnd(t *testing.T) {
	for i := range 200 {
		c, told := NewConn(&scriptConn{}, Policy{}), make(chan struct{}, 10)
		if i%4 == 0 {
			c.Close()
		}
		var both sync.WaitGroup
		both.Go(func() { c.Close(); c.Abort(io.EOF) })
		both.Go(func() { c.AfterEnd(func() { told <- struct{}{} }) })
		both.Wait()
		waitFor(t, "the end", told)
		c.Close()
		if len(told) != 0 {
			t.Fatal("the end was told twice")
		}
	}
	c := NewConn(&scriptConn{}, Policy{})
	c.AfterEnd(func() { t.Error("the end of a connection that lives was told") })
}
