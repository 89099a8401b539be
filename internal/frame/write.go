package frame

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// smallBody is up to where a copy is cheaper than a second segment in the
	// system call.
	smallBody = 8 << 10

	// largeBody is the largest frame that is joined in memory where the
	// connection cannot gather, as with TLS. What is longer follows in
	// writes of its own.
	largeBody = 64 << 10

	// oneRecord is what TLS sends in one record, though it begins with
	// small ones.
	oneRecord = 1 << 10

	pingTimeout = 10 * time.Second

	// pingMark is what our pings carry. yamux finds no ping of its own under
	// it and drops the answer.
	pingMark = 0x63686174
)

var (
	errNotFrame = errors.New("frame: yamux wrote neither a header nor the body of one")
	errMixed    = errors.New("frame: yamux wrote data to a stream that is written directly")
)

// Buffers that join a header with its body, shared by all connections: one
// is held only while its frame is being written.
var (
	smallBuffers = sync.Pool{New: func() any { return new([headerSize + smallBody]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([headerSize + largeBody]byte) }}
)

// Write takes what yamux sends: a header, then the body if it has one. A
// data header stays here until its body comes, so that other frames may go
// out in between and none is ever cut in two.
func (c *Conn) Write(p []byte) (int, error) {
	if c.stashed {
		c.stashed = false
		if len(p) != int(c.stash.length()) {
			return 0, c.fail(errNotFrame)
		}
		return c.writeData(c.stash.flags(), c.stash.id(), p)
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
	return c.putLocked(nil)
}

// writeData sends p in as few data frames as the peer allows. The flags
// belong to the first of them: a stream opens once.
func (c *Conn) writeData(flags uint16, id uint32, p []byte) (int, error) {
	done := 0
	for done < len(p) {
		body := p[done:min(done+c.maxSend, len(p))]
		if err := c.writeFrame(flags, id, body); err != nil {
			return done, err
		}
		flags = 0
		done += len(body)
	}
	return done, nil
}

func (c *Conn) writeFrame(flags uint16, id uint32, body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.head.encode(typeData, flags, id, uint32(len(body)))
	return c.putLocked(body)
}

// Ping asks the peer for a sign of life, which will show in LastRead. It
// waits for the frame on the wire to end, then at most 10 s for the socket,
// after which the connection is closed like on any failed write.
func (c *Conn) Ping() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.raw.SetWriteDeadline(c.now().Add(pingTimeout)); err != nil {
		return c.fail(fmt.Errorf("write ping: %w", err))
	}
	c.head.encode(typePing, flagSYN, 0, pingMark)
	if err := c.putLocked(nil); err != nil {
		return err
	}
	if err := c.raw.SetWriteDeadline(time.Time{}); err != nil {
		return c.fail(fmt.Errorf("write ping: %w", err))
	}
	return nil
}

// putLocked writes one whole frame: c.head, then body.
func (c *Conn) putLocked(body []byte) error {
	if err := c.Err(); err != nil {
		return err
	}
	c.writing.Store(max(1, int64(c.now().Sub(c.start))))
	err := c.joinLocked(body)
	c.writing.Store(0)
	if err != nil {
		return c.fail(fmt.Errorf("write frame: %w", err))
	}
	return nil
}

// joinLocked gets header and body out in one write, by a copy or by a
// gathering system call.
func (c *Conn) joinLocked(body []byte) error {
	switch {
	case len(body) == 0:
		_, err := c.raw.Write(c.head[:])
		return err
	case len(body) <= smallBody:
		buf := smallBuffers.Get().(*[headerSize + smallBody]byte)
		defer smallBuffers.Put(buf)
		return c.copyLocked(buf[:], body)
	case c.tcp != nil:
		c.vec = [2][]byte{c.head[:], body}
		c.bufs = c.vec[:]
		_, err := c.bufs.WriteTo(c.tcp)
		c.vec = [2][]byte{}
		return err
	default:
		buf := largeBuffers.Get().(*[headerSize + largeBody]byte)
		defer largeBuffers.Put(buf)
		return c.copyLocked(buf[:], body)
	}
}

func (c *Conn) copyLocked(buf, body []byte) error {
	if c.under != nil && len(body) > oneRecord {
		return c.under.together(func() error { return c.writeCopyLocked(buf, body) })
	}
	return c.writeCopyLocked(buf, body)
}

func (c *Conn) writeCopyLocked(buf, body []byte) error {
	n := copy(buf, c.head[:])
	m := copy(buf[n:], body)
	if _, err := c.raw.Write(buf[:n+m]); err != nil || m == len(body) {
		return err
	}
	_, err := c.raw.Write(body[m:])
	return err
}

// fail closes the connection for good and returns why it is closed: what
// part of a frame has left is unknown, so nothing can follow it.
func (c *Conn) fail(err error) error {
	c.Abort(err)
	return c.Err()
}
