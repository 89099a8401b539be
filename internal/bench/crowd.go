package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

const (
	// joinLimit bounds one reader's way in, joinsAtOnce how many are on it.
	joinLimit   = 10 * time.Second
	joinsAtOnce = 16
	// readSize is what one read takes at most, the same for both sides.
	readSize = 64 << 10
)

// errClosed says that a server closed a connection.
var errClosed = errors.New("the server closed the connection")

// phase is what readers do with messages beside checking their order. Nothing is under way when it changes.
type phase struct {
	base    uint64     // messages before it
	credits *credits   // of a closed loop, or nil
	latency *histogram // or nil
}

// crowd is all readers of one server.
type crowd struct {
	start   time.Time // stamps count from here
	readers []*reader
	phase   atomic.Pointer[phase]
	fail    context.CancelCauseFunc

	// Atomic.
	delivered atomic.Uint64
	bytes     atomic.Uint64

	// Static after construction: ends reading, which is counted beside it.
	stop    func()
	reading sync.WaitGroup
}

// reader is one client that listens.
type reader struct {
	// Static after its way in.
	crowd  *crowd
	number int
	conn   net.Conn
	feed   func(chunk []byte) error
	write  func(b []byte) error // set anew by whoever reads

	// Owned by whoever reads the connection.
	order order
	seen  uint64
	phase *phase
	now   uint64

	// Atomic.
	shown atomic.Uint64 // seen, as of the last read
}

// readFunc begins to read all connections of a crowd. The function that it returns makes an end of it.
type readFunc func(*crowd) (stop func(), err error)

// newCrowd connects n readers and reads them. What goes wrong with any of them later goes to fail.
func newCrowd(ctx context.Context, s *side, address string, n int, fail context.CancelCauseFunc) (*crowd, error) {
	c := &crowd{start: time.Now(), fail: fail, readers: make([]*reader, n)}
	c.phase.Store(&phase{})
	var group sync.WaitGroup
	var next atomic.Int64
	errs := make([]error, joinsAtOnce)
	for i := range errs {
		group.Go(func() {
			for errs[i] == nil {
				number := int(next.Add(1)) - 1
				if number >= n {
					return
				}
				c.readers[number], errs[i] = c.join(ctx, s, address, number)
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		c.closeAll()
		return nil, err
	}
	var err error
	if c.stop, err = s.read(c); err != nil {
		c.closeAll()
		return nil, err
	}
	return c, nil
}

func (c *crowd) join(ctx context.Context, s *side, address string, number int) (*reader, error) {
	var conn net.Conn
	var err error
	if s.dial != nil {
		conn, err = s.dial(ctx, number)
	} else {
		conn, err = dial(ctx, address)
	}
	if err != nil {
		return nil, fmt.Errorf("client %d: %w", number, err)
	}
	r := &reader{crowd: c, number: number, conn: conn}
	r.write = r.writeAll
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	err = conn.SetDeadline(time.Now().Add(joinLimit))
	if err == nil {
		err = s.join(r)
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("client %d: join: %w", number, err)
	}
	return r, nil
}

func dial(ctx context.Context, address string) (net.Conn, error) {
	return (&net.Dialer{Timeout: joinLimit}).DialContext(ctx, "tcp", address)
}

// writeAll is write while the connection blocks.
func (r *reader) writeAll(b []byte) error {
	_, err := r.conn.Write(b)
	return err
}

// entry is how a reader comes in.
type entry struct {
	past    bool     // before the room's first message, however long ago that was
	secure  bool     // under TLS
	rooms   []string // nil: the one
	speaker *speaker // who it is; nil: it listens
	pass    *pass    // nil: it is let in without
}

// joinNode goes through chatnode's handshake and joins the room.
func joinNode(r *reader, how entry) error {
	g, err := newGuest(fmt.Sprintf("client-%d", r.number), rand.Reader)
	if err != nil {
		return err
	}
	if how.pass != nil {
		g.name, g.key, g.token = how.pass.name, how.pass.key, how.pass.token
	}
	if g.rooms = how.rooms; g.rooms == nil {
		g.rooms = []string{roomName}
	}
	if how.past {
		g.cursor = &wire.Cursor{}
	}
	r.order.last = make([]uint64, len(g.rooms))
	g.write = func(b []byte) error { return r.write(b) }
	g.event = func(source int, seq uint64, rest []byte) error {
		if r.phase.latency != nil {
			r.time(eventText(rest))
		}
		return r.saw(source, seq)
	}
	r.feed = g.feed
	if how.speaker != nil {
		how.speaker.listen(r, g)
	}
	if how.secure {
		if r.conn, err = secured(r.conn, identity.ClientTLS(g.key)); err != nil {
			return err
		}
	}
	return bringIn(g, r.conn, r.take)
}

// bringIn feeds a guest until it is ready.
func bringIn(g *guest, conn net.Conn, feed func([]byte) error) error {
	if err := g.begin(); err != nil {
		return err
	}
	buf := make([]byte, 4<<10)
	for !g.ready {
		n, err := conn.Read(buf)
		if n > 0 {
			if err := feed(buf[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return ended(err)
		}
	}
	return nil
}

// take is what every read goes through, on both sides.
func (r *reader) take(chunk []byte) error {
	c := r.crowd
	r.phase = c.phase.Load()
	if r.phase.latency != nil {
		r.now = c.stamp()
	}
	before := r.seen
	err := r.feed(chunk)
	c.bytes.Add(uint64(len(chunk)))
	if r.seen > before {
		c.delivered.Add(r.seen - before)
		r.shown.Store(r.seen)
	}
	if err != nil {
		return fmt.Errorf("client %d: %w", r.number, err)
	}
	return nil
}

// saw counts a message that has arrived.
func (r *reader) saw(source int, n uint64) error {
	if err := r.order.saw(source, n); err != nil {
		return err
	}
	r.seen++
	if p := r.phase; p.credits != nil && (r.seen-p.base)%creditSize == 0 {
		p.credits.pass((r.seen - p.base) / creditSize)
	}
	return nil
}

// time notes how long a text was on its way.
func (r *reader) time(text []byte) {
	if sent, ok := stampOf(text); ok {
		r.phase.latency.add(time.Duration(r.now - sent))
	}
}

// stamp is the time now, in nanoseconds, for a text or against one.
func (c *crowd) stamp() uint64 { return uint64(time.Since(c.start)) }

// laggard returns the reader that has seen least.
func (c *crowd) laggard() *reader {
	least := c.readers[0]
	for _, r := range c.readers {
		if r.shown.Load() < least.shown.Load() {
			least = r
		}
	}
	return least
}

// close ends all connections and returns when nobody reads any more.
func (c *crowd) close() {
	c.stop()
	c.reading.Wait()
	c.closeAll()
}

func (c *crowd) closeAll() {
	for _, r := range c.readers {
		if r != nil {
			r.conn.Close()
		}
	}
}

// readEach reads every connection in a goroutine of its own. It is how reading is done where there is no epoll, and under TLS.
func readEach(c *crowd) (stop func(), err error) {
	var closing atomic.Bool
	for _, r := range c.readers {
		c.reading.Go(func() {
			buf := make([]byte, readSize)
			for {
				n, err := r.conn.Read(buf)
				if n > 0 {
					if err := r.take(buf[:n]); err != nil {
						c.fail(err)
						return
					}
				}
				if err != nil {
					if !closing.Load() {
						c.fail(fmt.Errorf("client %d: %w", r.number, ended(err)))
					}
					return
				}
			}
		})
	}
	return func() {
		closing.Store(true)
		c.closeAll()
	}, nil
}

// ended makes the end of a connection a sentence.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return errClosed
	}
	return err
}
