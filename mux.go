package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"chatnode/internal/frame"
	"chatnode/internal/identity"

	"github.com/hashicorp/yamux"
)

const (
	// How many streams a link has: yamux numbers those of the dialer with odd
	// ids from 1, control before chat before peer.
	linkStreams = 2
	peerStreams = 3

	// When a link is taken for dead. The answer to a ping counts as a sign of
	// life, so a healthy but quiet peer never reaches silentLimit.
	pingAfter   = 30 * time.Second
	silentLimit = 45 * time.Second
	stallLimit  = 30 * time.Second

	muxAcceptBacklog = 4
	muxWindow        = 256 << 10
	muxTimeout       = 10 * time.Second
)

var (
	errSilent  = fmt.Errorf("nothing heard for %v", silentLimit)
	errStalled = fmt.Errorf("a write has not ended for %v", stallLimit)
)

// Link is one connection: one yamux session that carries a control stream
// and a chat stream and, between two nodes, a peer stream, beside which the other
// two stay silent. yamux opens the streams and reads them; all are written around
// it, by frame.
//
// However a link dies, it dies in its frame.Conn: the socket is closed
// there, yamux's reader sees that and ends the session, and Done is closed.
type Link struct {
	// Static after construction.
	conn    *frame.Conn
	session *yamux.Session
	streams [peerStreams]frame.Stream // in the order of their ids
	log     quietLog
	node    identity.ID

	// Owned by the ticker that calls tend.
	pinged time.Time // the LastRead that a ping was sent for

	// probing holds the one token that a probe needs, so its capacity is 1.
	// Close takes the token for good. Never closed.
	probing chan struct{}
	closing sync.Once
}

// openLink is the dialer's side. It owns conn, also when it fails. The end
// of ctx ends the attempt at once, whatever the peer does; it has no effect
// on a link that has been returned.
func openLink(ctx context.Context, conn net.Conn) (*Link, error) {
	l, err := newLink(ctx, conn, frame.Policy{}, linkStreams, yamux.Client, (*yamux.Session).OpenStream)
	if err != nil {
		return nil, fmt.Errorf("open link: %w", err)
	}
	return l, nil
}

// acceptLink is the node's side: what openLink is for the dialer, and the
// peer is held to the node's policy from the first byte.
func acceptLink(ctx context.Context, conn net.Conn) (*Link, error) {
	policy := frame.NodePolicy()
	// A stream that nobody accepts could still be sent a window's worth of
	// bytes to keep, so a peer may open no more than a link has.
	policy.MaxStreams = linkStreams
	l, err := newLink(ctx, conn, policy, linkStreams, yamux.Server, (*yamux.Session).AcceptStream)
	if err != nil {
		return nil, fmt.Errorf("accept link: %w", err)
	}
	return l, nil
}

// openPeerLink is openLink from a node to another. Neither trusts the other,
// so the one that was dialled is held to a policy too.
func openPeerLink(ctx context.Context, conn net.Conn) (*Link, error) {
	policy := frame.PeerPolicy()
	policy.NoStreams = true
	l, err := newLink(ctx, conn, policy, peerStreams, yamux.Client, (*yamux.Session).OpenStream)
	if err != nil {
		return nil, fmt.Errorf("open peer link: %w", err)
	}
	return l, nil
}

// acceptPeerLink is acceptLink for a node that was dialled by another.
func acceptPeerLink(ctx context.Context, conn net.Conn) (*Link, error) {
	policy := frame.PeerPolicy()
	policy.MaxStreams = peerStreams
	l, err := newLink(ctx, conn, policy, peerStreams, yamux.Server, (*yamux.Session).AcceptStream)
	if err != nil {
		return nil, fmt.Errorf("accept peer link: %w", err)
	}
	return l, nil
}

type (
	startSession func(io.ReadWriteCloser, *yamux.Config) (*yamux.Session, error)
	nextStream   func(*yamux.Session) (*yamux.Stream, error)
)

func newLink(ctx context.Context, conn net.Conn, policy frame.Policy, streams int, start startSession, next nextStream) (*Link, error) {
	l := &Link{conn: frame.NewConn(conn, policy), probing: make(chan struct{}, 1)}
	session, err := start(l.conn, l.muxConfig())
	if err != nil {
		_ = l.conn.Close()
		return nil, err
	}
	l.session = session
	// The deadlines of yamux's streams do not bind a peer that stops inside a
	// frame; the socket's end does.
	stop := context.AfterFunc(ctx, func() { _ = l.conn.Abort(context.Cause(ctx)) })
	err = l.join(streams, next)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		return l, nil
	}
	if cause := l.conn.Err(); cause != nil && !errors.Is(cause, net.ErrClosed) {
		err = cause // yamux says only that the session has ended
	}
	_ = l.Close()
	return nil, err
}

// join gets the streams, in their order.
func (l *Link) join(streams int, next nextStream) (err error) {
	for i := range streams {
		if l.streams[i], err = l.stream(next, uint32(2*i+1)); err != nil {
			return fmt.Errorf("%s stream: %w", [...]string{"control", "chat", "peer"}[i], err)
		}
	}
	return nil
}

func (l *Link) stream(next nextStream, id uint32) (frame.Stream, error) {
	s, err := next(l.session)
	if err != nil {
		return nil, err
	}
	if s.StreamID() != id {
		return nil, fmt.Errorf("has id %d, want %d", s.StreamID(), id)
	}
	return l.conn.Stream(id, s), nil
}

func (l *Link) muxConfig() *yamux.Config {
	return &yamux.Config{
		AcceptBacklog:          muxAcceptBacklog,
		EnableKeepAlive:        false, // tend does it for all links with one timer
		KeepAliveInterval:      pingAfter,
		ConnectionWriteTimeout: stallLimit, // else a Read whose grant waits for a slow peer's socket would end the link first
		MaxStreamWindowSize:    muxWindow,
		StreamOpenTimeout:      muxTimeout,
		StreamCloseTimeout:     muxTimeout,
		Logger:                 &l.log,
	}
}

// Control returns the stream of questions, answers and notices. It may have
// one goroutine that reads and one that writes. No Write may be made after
// Close.
func (l *Link) Control() frame.Stream { return l.streams[0] }

// Chat returns the stream of what is ordered, on the same terms as Control.
func (l *Link) Chat() frame.Stream { return l.streams[1] }

// Peer returns the stream between two nodes, on the same terms as Control;
// nil on a client's link.
func (l *Link) Peer() frame.Stream { return l.streams[2] }

// Notify sets what is called when the window of a stream has grown. f
// must not block. A writer looks at Window once after Notify and before it
// waits, and waits for Done too.
func (l *Link) Notify(f func()) { l.conn.Notify(f) }

// Hear sets what is called when a stream has become ready, on the same terms
// as Notify: a reader looks at Ready.
func (l *Link) Hear(f func()) { l.conn.Hear(f) }

// Wait sets what is called, by whoever writes a stream, before that write
// waits for the peer, or may have to.
func (l *Link) Wait(f func()) { l.conn.Wait(f) }

// Done is closed when the link is dead.
func (l *Link) Done() <-chan struct{} { return l.session.CloseChan() }

// AfterEnd has f called once, in a goroutine of its own, when the link is dead. It is called once.
func (l *Link) AfterEnd(f func()) { l.conn.AfterEnd(func() { <-l.Done(); f() }) }

// Err returns why the link is dead, for the log: a *frame.PolicyError, io.EOF
// when the peer left, net.ErrClosed after Close and when yamux itself could not
// go on with what the peer sent, or an error of the socket. It is nil while the
// link lives.
func (l *Link) Err() error { return l.conn.Err() }

// Node returns the id of the node at the other end, which has proved to have
// that key; zero on a node's side of a client's link, and on a link that is
// not encrypted.
func (l *Link) Node() identity.ID { return l.node }

// Ping returns how long the other end takes to answer a ping of yamux. It returns an error when the link ends before, or no answer has
// come when stallLimit is over. A node's policy allows one a second; those of tend, in silences of 30 s, count too.
func (l *Link) Ping() (time.Duration, error) { return l.session.Ping() }

// complaints returns how often yamux found fault with what it received.
func (l *Link) complaints() int64 { return l.log.lines.Load() }

// tend keeps the link small and honest about being alive: it pings a silent
// peer and ends the link with one that stays silent or takes nothing. One ticker
// calls it for all links, every second or so; it never blocks.
func (l *Link) tend(now time.Time) {
	l.conn.Shrink()
	idle := l.conn.IdleFor(now)
	switch {
	case l.conn.WriteStalledFor(now) > stallLimit:
		_ = l.conn.Abort(errStalled)
	case idle >= silentLimit:
		_ = l.conn.Abort(errSilent)
	case idle >= pingAfter:
		l.probe()
	}
}

// probe pings once in a silence. The goroutine is there because the ping may
// have to wait for the wire; the link's end releases it, and Close waits for
// its token.
func (l *Link) probe() {
	last := l.conn.LastRead()
	if last.Equal(l.pinged) {
		return
	}
	select {
	case l.probing <- struct{}{}:
	default:
		return
	}
	l.pinged = last
	go func() {
		defer func() { <-l.probing }()
		_ = l.conn.Ping() // a failure has closed the link, which is all there is to do
	}()
}

// Close ends the link at once, with what the kernel has taken still on its
// way, and returns when yamux's goroutines have ended. It may be called from
// any goroutine and more than once.
//
// The socket goes first, so that yamux's reader finds out and ends the
// session: when the session is closed before its reader has ended, whoever
// waits in a stream's Read spins until it has (yamux v0.1.2, stream.go).
func (l *Link) Close() error {
	l.closing.Do(func() {
		_ = l.conn.Close()
		<-l.session.CloseChan()
		_ = l.session.Close()
		l.probing <- struct{}{}
	})
	return nil
}

// cut begins to end the link of a client, and waits for nothing. Of links to
// nodes the mesh takes leave itself.
func (l *Link) cut() {
	if l.Peer() == nil {
		_ = l.conn.Close()
	}
}

// quietLog is yamux's log: a stranger can make yamux complain for every frame
// it sends, so the lines are counted and nothing is formatted.
type quietLog struct{ lines atomic.Int64 }

func (q *quietLog) Print(...any)          { q.lines.Add(1) }
func (q *quietLog) Printf(string, ...any) { q.lines.Add(1) }
func (q *quietLog) Println(...any)        { q.lines.Add(1) }
