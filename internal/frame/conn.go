// Package frame is the net.Conn that stands between a socket and yamux and
// knows where frames begin and end. It joins a header and its body into one
// write, lets the owner of a stream write ready-made data frames around
// yamux, follows the windows of those streams, and holds the peer to a
// Policy before yamux spends memory or goroutines on it.
//
// It is not a multiplexer: it opens no stream, keeps no received byte and has no
// goroutine that waits.
package frame

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is a connection to hand to yamux. One goroutine of yamux calls Read
// and one calls Write; everything else may be called from any goroutine.
//
// What each write needs stands in front, together: of a thousand connections
// that are written to in turn, none is in a cache.
type Conn struct {
	// Static after construction.
	raw   net.Conn
	out   *outlet    // nil when raw is TLS
	under *Gathering // what raw, which is TLS, writes to, if it was given that, else nil
	start time.Time

	// mu is the wire: whoever holds it may put one whole frame there. It is
	// held across that write, which Close ends at once.
	mu   sync.Mutex
	head header

	// Atomic. Times are nanoseconds since start, which the monotonic clock
	// measures: a change of the wall clock does not make a peer look silent.
	writing  atomic.Int64          // when the socket write in progress began, 0 for none
	cause    atomic.Pointer[error] // why the connection has ended, nil while it lives
	waits    atomic.Pointer[func()]
	notify   atomic.Pointer[func()]
	hear     atomic.Pointer[func()]
	after    atomic.Pointer[func()] // what AfterEnd was given, until it is called
	lastRead atomic.Int64
	warm     atomic.Bool // a stream was read since Shrink
	cooling  atomic.Bool // Shrink is under way

	// Each slot says who owns what in it.
	streams [maxStreams]stream

	// Owned by the goroutine that calls Read.
	in    parser
	news  news   // of what yamux was given by the last Read
	timed uint64 // the frame, as counted by in.begun, that a read deadline is set for; 0 for none

	// Owned by the goroutine that calls Write.
	stash   header // a data header that waits for its body
	stashed bool
}

// NewConn wraps c, which it owns from now on, and sets the options of the
// TCP socket beneath it, if there is one. A c that is not a *tls.Conn and has
// a method NetConn passes on what is written to it as it is.
func NewConn(c net.Conn, policy Policy) *Conn {
	if policy.MaxStreams > maxStreams {
		panic("frame: a connection has at most 4 streams")
	}
	if policy.MaxSend == 0 {
		policy.MaxSend = defaultMaxSend
	}
	if policy.Now == nil {
		policy.Now = time.Now
	}
	conn := &Conn{raw: c, start: policy.Now()}
	for i := range conn.streams {
		s := &conn.streams[i]
		s.conn, s.id = conn, uint32(2*i+1)
		s.window.Store(initialWindow)
	}
	conn.in = newParser(policy, &conn.streams)
	if over, secure := c.(*tls.Conn); !secure {
		out := outletOf(c)
		conn.out = &out
	} else if conn.under, _ = over.NetConn().(*Gathering); conn.under != nil {
		conn.under.hold()
	}
	tuneSocket(beneath(c))
	return conn
}

func (c *Conn) policy() *Policy { return &c.in.policy }

// Stream registers the stream with the given id, one of 1, 3, 5 and 7, once,
// after yamux has opened or accepted it. Reads come from r, which is yamux's
// stream; writes go around yamux, whose own Write must never be used on it.
func (c *Conn) Stream(id uint32, r io.Reader) Stream {
	s := find(&c.streams, id)
	if s == nil || s.registered.Load() {
		panic(fmt.Sprintf("frame: stream %d is not one to register", id))
	}
	s.r = r
	s.registered.Store(true)
	return s
}

// Notify sets what is called whenever the window of a registered stream has
// grown. f runs on the goroutine that reads the connection, so it must be
// cheap and must not block. Growth before Notify is not reported: look at
// Window once after it.
func (c *Conn) Notify(f func()) { c.notify.Store(&f) }

// Hear sets what is called whenever a registered stream has become ready, on
// the same terms. The end of the connection is not reported either: look at
// Ready once after it.
func (c *Conn) Hear(f func()) { c.hear.Store(&f) }

// Wait sets what is called, by whoever writes to a registered stream, before
// that write waits for the peer, or may have to.
func (c *Conn) Wait(f func()) { c.waits.Store(&f) }

// Read returns bytes that have passed the policy. It returns a *PolicyError
// for a breach; that and every other error closes the connection.
func (c *Conn) Read(p []byte) (int, error) {
	c.tell(c.news)
	c.news = news{}
	n, err := c.raw.Read(p)
	if n > 0 {
		if breach := c.inspect(p[:n]); breach != nil {
			return 0, c.fail(breach)
		}
	}
	if err != nil {
		if c.timed != 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			err = errFrameTimedOut
		}
		return n, c.fail(err)
	}
	return n, nil
}

// tell says what the last Read has brought. By now yamux has sorted that into
// its streams, where whoever is told finds it without having to wait.
func (c *Conn) tell(n news) {
	if f := c.notify.Load(); n.grown && f != nil {
		(*f)()
	}
	if f := c.hear.Load(); n.ready && f != nil {
		(*f)()
	}
}

// inspect puts a received chunk before the parser and keeps the read
// deadline in step with it.
func (c *Conn) inspect(chunk []byte) (err error) {
	now := c.policy().Now()
	since := now.Sub(c.start)
	c.lastRead.Store(int64(since))
	if c.news, err = c.in.feed(chunk, since); err != nil {
		return err
	}
	return c.setFrameDeadline(now)
}

// setFrameDeadline gives a frame that is still incomplete its deadline, once: a peer
// that sends it byte by byte gains nothing by that.
func (c *Conn) setFrameDeadline(now time.Time) error {
	limit := c.in.policy.FrameTimeout
	switch {
	case limit == 0:
		return nil
	case !c.in.midFrame():
		if c.timed == 0 {
			return nil
		}
		c.timed = 0
		return c.raw.SetReadDeadline(time.Time{})
	case c.timed == c.in.begun:
		return nil
	}
	c.timed = c.in.begun
	return c.raw.SetReadDeadline(now.Add(limit))
}

// LastRead returns when the last byte arrived, at first when the connection
// was made.
func (c *Conn) LastRead() time.Time {
	return c.start.Add(time.Duration(c.lastRead.Load()))
}

// IdleFor returns how long before now the last byte arrived.
func (c *Conn) IdleFor(now time.Time) time.Duration { return now.Sub(c.LastRead()) }

// WriteStalledFor returns how long the socket write in progress has been
// running at now, 0 when there is none.
func (c *Conn) WriteStalledFor(now time.Time) time.Duration {
	began := c.writing.Load()
	if began == 0 {
		return 0
	}
	return max(0, now.Sub(c.start)-time.Duration(began))
}

// Shrink gives back what memory yamux holds for bytes that were read. It costs
// next to nothing where none were since the last time, and whoever reads on takes
// that memory again: it is for a ticker, which waits for nobody.
func (c *Conn) Shrink() {
	if !c.warm.Load() || !c.cooling.CompareAndSwap(false, true) {
		return
	}
	c.warm.Store(false)
	// yamux locks a stream while a frame of it arrives, however slowly. It ends with that, or with the connection.
	go func() {
		defer c.cooling.Store(false)
		c.shrink()
	}()
}

func (c *Conn) shrink() {
	for i := range c.streams {
		if s := &c.streams[i]; s.registered.Load() {
			if r, ok := s.r.(interface{ Shrink() }); ok {
				r.Shrink()
			}
		}
	}
}

// Err returns why the connection has ended: a *PolicyError, what was given
// to Abort, the error of the socket, io.EOF when the peer closed it, or
// net.ErrClosed after Close. It is nil while the connection lives.
func (c *Conn) Err() error {
	if cause := c.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}

// Close ends the connection at once: a Read or Write in progress returns.
// Whatever the kernel has taken is still delivered.
func (c *Conn) Close() error { return c.Abort(net.ErrClosed) }

// Abort is Close with a cause for Err. Only the first cause is kept.
//
// It closes the socket itself, under TLS as well: a closing alert could wait
// five seconds for a peer that does not read, and the protocol above says
// goodbye in its own words.
func (c *Conn) Abort(cause error) error {
	if !c.cause.CompareAndSwap(nil, &cause) {
		return nil
	}
	err := beneath(c.raw).Close()
	c.finish()
	return err
}

// AfterEnd has f called in a goroutine of its own when the connection has ended,
// at once if it has already. It is called once. Who would wait for that end in a
// goroutine would pay for the goroutine as long as the connection lives.
func (c *Conn) AfterEnd(f func()) {
	c.after.Store(&f)
	if c.Err() != nil {
		c.finish()
	}
}

func (c *Conn) finish() {
	if f := c.after.Swap(nil); f != nil {
		go (*f)() // ends when f does, which is for the caller of AfterEnd to see to
	}
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.raw.LocalAddr() }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// SetDeadline implements net.Conn. Conn moves the deadlines by itself under
// a FrameTimeout and for Ping; a caller's deadline does not outlive that.
func (c *Conn) SetDeadline(t time.Time) error { return c.raw.SetDeadline(t) }

// SetReadDeadline implements net.Conn; see SetDeadline.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.raw.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn; see SetDeadline.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.raw.SetWriteDeadline(t) }

// beneath returns the connection under TLS and whatever else stands on it, or
// c itself.
func beneath(c net.Conn) net.Conn {
	for {
		over, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c
		}
		c = over.NetConn()
	}
}
