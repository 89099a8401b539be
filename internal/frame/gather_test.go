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
	c := NewConn(server, Policy{MaxSend: largeBody})
	defer c.Close()
	if c.under == nil {
		t.Fatal("it does not find what is beneath")
	}
	stream := c.Stream(1, nil)
	for _, size := range []int{1, oneRecord, oneRecord + 1, smallBody, smallBody + 1, 16 << 10, largeBody} {
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
	if _, err := stream.Write(make([]byte, largeBody)); !errors.Is(err, errBroken) || !errors.Is(c.Err(), errBroken) {
		t.Errorf("a write that fails: %v; the connection: %v", err, c.Err())
	}
}

// TestGatherInOrder: what another goroutine has TLS write meanwhile keeps its
// place, and nothing is held back afterwards.
func TestGatherInOrder(t *testing.T) {
	var out written
	g := Gather(&out)
	failed := errors.New("failed")
	err := g.together(func() error {
		for _, s := range []string{"a", "b"} {
			if _, err := io.WriteString(g, s); err != nil {
				t.Error(err)
			}
		}
		wrote := make(chan struct{})
		go func() { defer close(wrote); _, _ = io.WriteString(g, "c") }()
		<-wrote
		if out.Len() > 0 {
			t.Errorf("%q has left already", out.String())
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
	_, _ = io.WriteString(g, "d")
	if out.String() != "abcd" {
		t.Errorf("%q has left", out.String())
	}
	if err := g.together(func() error { return nil }); err != nil || out.Len() != 4 {
		t.Errorf("nothing at all: %v, %q", err, out.String())
	}
}
