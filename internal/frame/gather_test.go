package frame

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"
)

// writeCount counts the writes to a connection, and fails them when it is told to.
type writeCount struct {
	net.Conn
	writes atomic.Int64
	broken atomic.Bool
}

// written keeps what is written.
type written struct {
	net.Conn
	bytes.Buffer
}

func (w *written) Read(p []byte) (int, error)  { return w.Buffer.Read(p) }
func (w *written) Write(p []byte) (int, error) { return w.Buffer.Write(p) }

var errBroken = errors.New("broken")

func (c *writeCount) Write(p []byte) (int, error) {
	c.writes.Add(1)
	if c.broken.Load() {
		return 0, errBroken
	}
	return c.Conn.Write(p)
}

// TestGather: under TLS a frame of whatever size leaves in one write, whole and in
// order, and when that fails so does the frame.
func TestGather(t *testing.T) {
	near, far := tcpPair(t)
	counted := &writeCount{Conn: near}
	server, client := secure(t, Gather(counted), far)
	defer client.Close()
	c := NewConn(server, Policy{MaxSend: 64 << 10})
	defer c.Close()
	if c.under == nil {
		t.Fatal("it does not find what is beneath")
	}
	stream := c.Stream(1, nil)
	for _, size := range []int{1, smallBody, smallBody + 1, 16 << 10, 64 << 10} {
		c.streams[0].window.Store(1 << 20)
		body := slices.Repeat([]byte("0123456789abcde\n"), size/16+1)[:size]
		before := counted.writes.Load()
		done := make(chan error, 1)
		go func() { _, err := stream.Write(body); done <- err }()
		got := make([]byte, headerSize+size)
		if _, err := io.ReadFull(client, got); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if head := header(got[:headerSize]); !bytes.Equal(got[headerSize:], body) || head.length() != uint32(size) {
			t.Errorf("a frame of %d bytes arrives as another", size)
		}
		if n := counted.writes.Load() - before; n != 1 {
			t.Errorf("a frame of %d bytes leaves in %d writes", size, n)
		}
	}
	counted.broken.Store(true)
	if _, err := stream.Write(make([]byte, 64<<10)); !errors.Is(err, errBroken) || !errors.Is(c.Err(), errBroken) {
		t.Errorf("a write that fails: %v; the connection: %v", err, c.Err())
	}
}

// TestGatherInOrder: what TLS says of itself while a frame is made or between two
// keeps its place, and leaves with the next one.
func TestGatherInOrder(t *testing.T) {
	var out written
	g := Gather(&out)
	say := func(s string) {
		t.Helper()
		if _, err := io.WriteString(g, s); err != nil {
			t.Error(err)
		}
	}
	left := func(want string) {
		t.Helper()
		if out.String() != want {
			t.Errorf("%q has left, want %q", out.String(), want)
		}
	}
	say("hello ")
	left("hello ")
	g.hold()
	say("a")
	left("hello ")
	frame := func(text string) error {
		return g.together(nil, func() error {
			for _, c := range text {
				say(string(c))
			}
			aside := make(chan struct{})
			go func() { defer close(aside); say("+") }()
			<-aside
			return nil
		})
	}
	if err := frame("bc"); err != nil {
		t.Error(err)
	}
	left("hello abc+")
	say("d")
	say("e")
	if err := frame("f"); err != nil {
		t.Error(err)
	}
	left("hello abc+def+")
	failed := errors.New("failed")
	if err := g.together(nil, func() error { say("x"); return failed }); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
	if err := g.together(nil, func() error { return nil }); err != nil {
		t.Error(err)
	}
	left("hello abc+def+")
}

// TestStrays: a peer that makes TLS say much of itself, while nothing is written,
// ends its own connection, and the goroutine that reads never waits for it.
func TestStrays(t *testing.T) {
	near, _ := tcpPair(t)
	g := Gather(near)
	g.hold()
	answer, said := make([]byte, 32), 0
	for range 1000 {
		n, err := g.Write(answer)
		if said += n; errors.Is(err, errStrays) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if said != maxStray {
		t.Errorf("it kept %d bytes, want %d", said, maxStray)
	}
}
