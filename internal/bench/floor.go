package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// The floor is the least that a program can do which has every byte of several senders reach all readers in one order: a log in memory,
// a cursor and a writing goroutine for each reader, plain TCP. What chatnode costs beyond it is the price of being a chat.

const (
	// A connection to the floor begins with one byte that says what it is for. A reader's is sent back once its cursor stands.
	floorReader = 'R'
	floorSender = 'S'

	segmentSize = 64 << 10
)

// floorLog is the shared log: a list of segments that is only ever appended to. A segment lives as long as a cursor is in it or before it.
type floorLog struct {
	// mu is held by whoever appends, and by a reader that goes to sleep.
	mu     sync.Mutex
	last   *floorSegment
	asleep []chan struct{} // of readers that have seen everything; capacity 1 each
}

type floorSegment struct {
	buf  []byte // of full length; what is above filled belongs to the appender
	next atomic.Pointer[floorSegment]

	filled atomic.Int64
}

func newFloorSegment() *floorSegment { return &floorSegment{buf: make([]byte, segmentSize)} }

// append makes whole records the end of the log and wakes those who wait for some.
func (l *floorLog) append(records []byte) {
	l.mu.Lock()
	for len(records) > 0 {
		seg := l.last
		filled := int(seg.filled.Load())
		n := copy(seg.buf[filled:], records)
		seg.filled.Store(int64(filled + n))
		if records = records[n:]; len(records) > 0 {
			l.last = newFloorSegment()
			seg.next.Store(l.last)
		}
	}
	for i, wake := range l.asleep {
		wake <- struct{}{}
		l.asleep[i] = nil
	}
	l.asleep = l.asleep[:0]
	l.mu.Unlock()
}

// cursor is one reader's place in the log.
type cursor struct {
	log  *floorLog
	seg  *floorSegment
	off  int
	wake chan struct{}
}

// follow returns a cursor at the end of the log.
func (l *floorLog) follow() *cursor {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &cursor{log: l, seg: l.last, off: int(l.last.filled.Load()), wake: make(chan struct{}, 1)}
}

// next returns what comes next, at most a segment, and waits for it. It returns nil when done is closed.
func (c *cursor) next(done <-chan struct{}) []byte {
	for {
		if b := c.peek(); b != nil {
			return b
		}
		c.log.mu.Lock()
		if b := c.peek(); b != nil {
			c.log.mu.Unlock()
			return b
		}
		c.log.asleep = append(c.log.asleep, c.wake)
		c.log.mu.Unlock()
		select {
		case <-c.wake:
		case <-done:
			return nil
		}
	}
}

func (c *cursor) peek() []byte {
	for {
		// The order matters: a segment that has a successor is not filled any more.
		next := c.seg.next.Load()
		if filled := int(c.seg.filled.Load()); filled > c.off {
			b := c.seg.buf[c.off:filled]
			c.off = filled
			return b
		}
		if next == nil {
			return nil
		}
		c.seg, c.off = next, 0
	}
}

// serveFloor serves until ctx ends. All records have the same size. It closes listener.
func serveFloor(ctx context.Context, listener net.Listener, size int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	log := &floorLog{last: newFloorSegment()}
	var conns sync.WaitGroup
	defer conns.Wait()
	defer cancel()
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		conns.Go(func() {
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			serveFloorConn(conn, log, size)
		})
	}
}

// serveFloorConn serves one connection until it ends, however that is.
func serveFloorConn(conn net.Conn, log *floorLog, size int) {
	var kind [1]byte
	if _, err := io.ReadFull(conn, kind[:]); err != nil {
		return
	}
	if kind[0] == floorSender {
		relay(conn, log, size)
		return
	}
	at := log.follow()
	if _, err := conn.Write(kind[:]); err != nil {
		return
	}
	gone := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() { // ends with the connection
		for b := at.next(gone); b != nil; b = at.next(gone) {
			if _, err := conn.Write(b); err != nil {
				return
			}
		}
	})
	_, _ = conn.Read(kind[:]) // a reader says nothing more: this is its end
	close(gone)
	conn.Close()
	writer.Wait()
}

// relay appends what a sender writes, whole records at a time: those of several senders must not run into each other.
func relay(conn net.Conn, log *floorLog, size int) {
	buf := make([]byte, max(segmentSize, size))
	have := 0
	for {
		n, err := conn.Read(buf[have:])
		have += n
		whole := have / size * size
		log.append(buf[:whole])
		have = copy(buf, buf[whole:have])
		if err != nil {
			return
		}
	}
}

// mainFloor is the floor as a process of its own.
func mainFloor(ctx context.Context, size int, stdout io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if _, err := fmt.Fprintf(stdout, `{"type":"listening","addr":%q}`+"\n", listener.Addr()); err != nil {
		return errors.Join(err, listener.Close())
	}
	return serveFloor(ctx, listener, size)
}
