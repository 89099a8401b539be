package frame

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
)

// waitingConn is a Conn whose socket takes little.
type waitingConn struct {
	*Conn
	streams [2]Stream // with unlimited windows
	far     net.Conn
	waits   chan struct{} // one for each time that a write says that it waits; has room for many
}

func newWaitingConn(t *testing.T, overTLS bool) *waitingConn {
	t.Helper()
	near, peer := tcpPair(t)
	if err := near.SetWriteBuffer(16 << 10); err != nil {
		t.Fatal(err)
	}
	if err := peer.SetReadBuffer(16 << 10); err != nil {
		t.Fatal(err)
	}
	w := &waitingConn{far: peer, waits: make(chan struct{}, 1000)}
	var raw net.Conn = near
	if overTLS {
		raw, w.far = secure(t, Gather(near), peer)
	}
	w.Conn = NewConn(raw, Policy{MaxSend: 1 << 20})
	t.Cleanup(func() { w.Close() })
	for i := range w.streams {
		w.Conn.streams[i].window.Store(maxGranted)
		w.streams[i] = w.Stream(uint32(2*i+1), nil)
	}
	w.Wait(func() { w.waits <- struct{}{} })
	return w
}

// write writes to a stream in a goroutine.
func (w *waitingConn) write(stream int, body []byte) (done chan error) {
	done = make(chan error, 1)
	go func() { _, err := w.streams[stream].Write(body); done <- err }()
	return done
}

// wants reads a frame that has body in it.
func (w *waitingConn) wants(t *testing.T, id uint32, body []byte) {
	t.Helper()
	want := wire(typeData, 0, id, body)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(w.far, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes on stream %d arrive as others", len(body), id)
	}
}

func eachTransport(t *testing.T, test func(t *testing.T, overTLS bool)) {
	t.Run("plain", func(t *testing.T) { test(t, false) })
	t.Run("tls", func(t *testing.T) { test(t, true) })
}

// TestWait: a write that the socket takes at once says nothing, one that waits for the peer says so before; whatever was taken before that, every byte
// arrives, in order.
func TestWait(t *testing.T) {
	eachTransport(t, func(t *testing.T, overTLS bool) {
		w := newWaitingConn(t, overTLS)
		for _, size := range []int{1, 100, smallBody, smallBody + 1, 64 << 10} {
			body := pattern(size)
			done := w.write(0, body)
			w.wants(t, 1, body)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if size <= 100 && len(w.waits) > 0 {
				t.Errorf("a frame of %d bytes waits", size)
			}
		}
		for len(w.waits) > 0 {
			<-w.waits
		}
		body := pattern(1 << 20)
		done := w.write(0, body)
		waitFor(t, "a write that waits", w.waits)
		w.wants(t, 1, body)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

// TestWaitBehindAnother: who waits for a frame that another has begun says so too.
func TestWaitBehindAnother(t *testing.T) {
	eachTransport(t, func(t *testing.T, overTLS bool) {
		w := newWaitingConn(t, overTLS)
		large, small := pattern(1<<20), []byte("hello")
		first := w.write(0, large)
		waitFor(t, "a frame that waits", w.waits)
		second := w.write(1, small)
		waitFor(t, "one that waits for its turn", w.waits)
		w.wants(t, 1, large)
		w.wants(t, 3, small)
		if err := errors.Join(<-first, <-second); err != nil {
			t.Error(err)
		}
	})
}

// TestWaitWithoutSocket: where nobody can say what would be taken at once, every write to a stream may wait; what yamux writes is no concern of theirs.
func TestWaitWithoutSocket(t *testing.T) {
	raw := &scriptConn{}
	c := NewConn(raw, Policy{})
	waits := 0
	c.Wait(func() { waits++ })
	if _, err := c.Stream(1, nil).Write([]byte("hello")); err != nil || waits != 1 {
		t.Errorf("%v, %d waits, want 1", err, waits)
	}
	if _, err := c.Write(frameBytes(typeWindow, 0, 1, 9)); err != nil || waits != 1 {
		t.Errorf("a grant: %v, %d waits, want 1", err, waits)
	}
	if err := c.Ping(); err != nil || waits != 1 {
		t.Errorf("a ping: %v, %d waits, want 1", err, waits)
	}
}
