package frame

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// smallBody is up to where a copy is cheaper than a second segment in the
	// system call.
	smallBody = 8 << 10

	pingTimeout = 10 * time.Second

	// pingMark is what our pings carry. yamux finds no ping of its own under
	// it and drops the answer.
	pingMark = 0x63686174
)

var (
	errNotFrame = errors.New("frame: yamux wrote neither a header nor the body of one")
	errMixed    = errors.New("frame: yamux wrote data to a stream that is written directly")
)

// joined are buffers for a header and its body, or the beginning of it, as much
// as TLS has in one record. One is held only while its frame is being written.
var joined = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// Write takes what yamux sends: a header, then the body if it has one. A
// data header stays here until its body comes, so that other frames may go
// out in between and none is ever cut in two.
func (c *Conn) Write(p []byte) (int, error) {
	if c.stashed {
		c.stashed = false
		if len(p) != int(c.stash.length()) {
			return 0, c.fail(errNotFrame)
		}
		return c.writeData(c.stash.flags(), c.stash.id(), p, nil)
	}
	if len(p) != headerSize {
		return 0, c.fail(errNotFrame)
	}
	h := header(p)
	if h.body() > 0 {
		if s := find(&c.streams, h.id()); s != nil && s.registered.Load() {
			return 0, c.fail(errMixed)
		}
		c.stash, c.stashed = h, true
		return headerSize, c.Err()
	}
	wrote := make(chan error)
	go func() { wrote <- c.writeHead(h) }() // in a goroutine that ends: yamux's, which waits nearly always, keeps the 2 KiB of stack that it began with
	if err := <-wrote; err != nil {
		return 0, err
	}
	return headerSize, nil
}

func (c *Conn) writeHead(h header) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.head = h
	return c.putLocked(nil, nil)
}

// writeData sends p in as few data frames as the peer allows. The flags
// belong to the first of them: a stream opens once. waits is called before it
// waits, unless it is nil.
func (c *Conn) writeData(flags uint16, id uint32, p []byte, waits func()) (int, error) {
	done := 0
	for done < len(p) {
		body := p[done:min(done+c.policy().MaxSend, len(p))]
		if err := c.writeFrame(flags, id, body, waits); err != nil {
			return done, err
		}
		flags = 0
		done += len(body)
	}
	return done, nil
}

func (c *Conn) writeFrame(flags uint16, id uint32, body []byte, waits func()) error {
	if waits == nil {
		c.mu.Lock()
	} else if !c.mu.TryLock() { // another frame is on its way, and may wait for the peer
		waits()
		c.mu.Lock()
	}
	defer c.mu.Unlock()
	c.head.encode(typeData, flags, id, uint32(len(body)))
	return c.putLocked(body, waits)
}

// waiting returns what was given to Wait.
func (c *Conn) waiting() func() {
	if f := c.waits.Load(); f != nil {
		return *f
	}
	return nil
}

// Ping asks the peer for a sign of life, which will show in LastRead. It
// waits for the frame on the wire to end, then at most 10 s for the socket,
// after which the connection is closed like on any failed write.
func (c *Conn) Ping() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.raw.SetWriteDeadline(c.policy().Now().Add(pingTimeout)); err != nil {
		return c.fail(fmt.Errorf("write ping: %w", err))
	}
	c.head.encode(typePing, flagSYN, 0, pingMark)
	if err := c.putLocked(nil, nil); err != nil {
		return err
	}
	if err := c.raw.SetWriteDeadline(time.Time{}); err != nil {
		return c.fail(fmt.Errorf("write ping: %w", err))
	}
	return nil
}

// putLocked writes one whole frame: c.head, then body.
func (c *Conn) putLocked(body []byte, waits func()) error {
	if err := c.Err(); err != nil {
		return err
	}
	c.writing.Store(max(1, int64(c.policy().Now().Sub(c.start))))
	err := c.joinLocked(body, waits)
	c.writing.Store(0)
	if err != nil {
		return c.fail(fmt.Errorf("write frame: %w", err))
	}
	return nil
}

// joinLocked gets header and body out together, by a copy or by a gathering
// system call. TLS, which makes records of whatever one write has, is given
// the beginning of a large body along with the header.
func (c *Conn) joinLocked(body []byte, waits func()) error {
	if len(body) == 0 || len(body) > smallBody && c.out != nil {
		return c.sendLocked(waits, c.head[:], body)
	}
	buf := joined.Get().(*[16 << 10]byte)
	defer joined.Put(buf)
	n := copy(buf[:], c.head[:])
	m := copy(buf[n:], body)
	return c.sendLocked(waits, buf[:n+m], body[m:])
}

// sendLocked writes first and then second, which may be empty.
func (c *Conn) sendLocked(waits func(), first, second []byte) error {
	switch {
	case c.out != nil:
		return c.out.write(waits, first, second)
	case c.under != nil:
		return c.under.together(waits, func() error { return writeBoth(c.raw, first, second) })
	}
	if waits != nil {
		waits()
	}
	return writeBoth(c.raw, first, second)
}

func writeBoth(w io.Writer, first, second []byte) error {
	_, err := w.Write(first)
	if err == nil && len(second) > 0 {
		_, err = w.Write(second)
	}
	return err
}

// fail closes the connection for good and returns why it is closed: what
// part of a frame has left is unknown, so nothing can follow it.
func (c *Conn) fail(err error) error {
	c.Abort(err)
	return c.Err()
}
