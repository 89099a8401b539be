package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/hashicorp/yamux"
)

// testLink is a session with the two streams of a link, wired as the program
// wires them.
type testLink struct {
	*yamux.Session
	conn          *Conn
	control, chat Stream
	grown         chan struct{} // capacity 1: growth that nobody has looked at yet
}

// acceptTestLink is the node's end. It returns the link also when the peer
// never opened its streams.
func acceptTestLink(raw net.Conn, policy Policy) (*testLink, error) {
	l := &testLink{conn: NewConn(raw, policy)}
	var err error
	if l.Session, err = yamux.Server(l.conn, muxConfig()); err != nil {
		return nil, err
	}
	return l, l.join((*yamux.Session).AcceptStream)
}

// openTestLink is the dialer's end.
func openTestLink(raw net.Conn) (*testLink, error) {
	l := &testLink{conn: NewConn(raw, Policy{})}
	var err error
	if l.Session, err = yamux.Client(l.conn, muxConfig()); err != nil {
		return nil, err
	}
	if err := l.join((*yamux.Session).OpenStream); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func (l *testLink) join(next func(*yamux.Session) (*yamux.Stream, error)) error {
	l.grown = make(chan struct{}, 1)
	l.conn.Notify(func() {
		select {
		case l.grown <- struct{}{}:
		default:
		}
	})
	for _, to := range []*Stream{&l.control, &l.chat} {
		s, err := next(l.Session)
		if err != nil {
			return err
		}
		*to = l.conn.Stream(s.StreamID(), s)
	}
	return nil
}

var errLinkEnded = errors.New("link ended")

// send writes p to the chat stream as its window allows.
func (l *testLink) send(p []byte) error {
	for len(p) > 0 {
		n := min(l.chat.Window(), len(p))
		if n == 0 {
			select {
			case <-l.grown:
				continue
			case <-l.CloseChan():
				return errLinkEnded
			}
		}
		if _, err := l.chat.Write(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// echo sends back what it reads from chat until the link ends.
func (l *testLink) echo() {
	buf := make([]byte, 16<<10)
	for {
		n, err := l.chat.Read(buf)
		if err != nil {
			return
		}
		if l.send(buf[:n]) != nil {
			return
		}
	}
}

// ask sends the number n and wants it back: a round trip.
func (l *testLink) ask(n uint64) error {
	var out, in [8]byte
	binary.BigEndian.PutUint64(out[:], n)
	if err := l.send(out[:]); err != nil {
		return err
	}
	if _, err := io.ReadFull(l.chat, in[:]); err != nil {
		return err
	}
	if in != out {
		return fmt.Errorf("sent %x, got %x back", out, in)
	}
	return nil
}

// testNode serves links on a loopback port and echoes their chat.
type testNode struct {
	addr  string
	ended chan endedLink // capacity: more than a test has links
}

type endedLink struct {
	remote string
	why    error
}

func startTestNode(t *testing.T, policy Policy) *testNode {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &testNode{addr: ln.Addr().String(), ended: make(chan endedLink, 100)}
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		n.accept(ln, policy)
	}()
	t.Cleanup(func() { ln.Close(); <-idle })
	return n
}

// accept returns when the listener is closed and each link has ended, which
// is for the test to bring about.
func (n *testNode) accept(ln net.Listener, policy Policy) {
	served := 0
	gone := make(chan struct{}, 100)
	for {
		raw, err := ln.Accept()
		if err != nil {
			break
		}
		served++
		go func() {
			n.serve(raw, policy)
			gone <- struct{}{}
		}()
	}
	for range served {
		<-gone
	}
}

func (n *testNode) serve(raw net.Conn, policy Policy) {
	l, err := acceptTestLink(raw, policy)
	if err == nil {
		l.echo()
		<-l.CloseChan() // a reset or a FIN of chat alone is for the session to judge
	}
	l.Close()
	n.ended <- endedLink{raw.RemoteAddr().String(), l.conn.Err()}
}
