package frame

import (
	"errors"
	"io"
	"net"
	"slices"
	"sync"
)

const (
	flagACK = 1 << 1
	flagFIN = 1 << 2

	// Sizes of what a connection is read into: small while little comes, so
	// that an idle one costs little; larger while much does.
	minReceive = 512
	maxReceive = 32 << 10

	// maxPongs is how many pings may wait for their answers. A peer that
	// takes none gets no further, even if it asks slowly.
	maxPongs = 16
)

var (
	errReset = errors.New("frame: the peer has reset the stream")

	errWindow   = &PolicyError{"more than the window of a stream"}
	errFinished = &PolicyError{"more on a stream that the peer has ended"}
	errPongs    = &PolicyError{"takes no answers to its pings"}
)

// half is the accepting half of the mux, of a connection that has no yamux
// above it: yamux keeps two goroutines and 12 KiB for each session, most of
// them for what only a dialer does, and a node has thousands of clients that
// are quiet. The policy has been kept by all that comes here.
type half struct {
	// Static after construction.
	conn   *Conn
	opened chan *inbox   // capacity maxStreams: a stream is opened once. Closed when the connection has ended
	done   chan struct{} // closed after that

	// Owned by the goroutine that receives.
	boxes [maxStreams]*inbox // of the streams that the peer has opened and has not reset
	into  *inbox             // of the body that is arriving; nil: it is dropped

	// mu promises that one goroutine answers pings while pings has any.
	mu      sync.Mutex
	pings   []uint32
	ponging sync.WaitGroup
}

// Accept wraps a connection that a peer has dialled, which it owns from now
// on, like NewConn; but nothing else stands on it: Receive, which the caller
// starts, is what yamux would be. The policy must say how many streams the
// peer may open.
func Accept(c net.Conn, policy Policy) *Conn {
	if policy.MaxStreams == 0 {
		panic("frame: a peer with any number of streams")
	}
	conn := NewConn(c, policy)
	conn.half = &half{conn: conn, opened: make(chan *inbox, maxStreams), done: make(chan struct{})}
	conn.in.half = conn.half
	return conn
}

// Receive takes in what the peer of an accepted connection sends until that
// has ended; Err says why. It is called once, and never waits for a reader
// or for the wire.
func (c *Conn) Receive() {
	buf := make([]byte, minReceive)
	for {
		n, err := c.Read(buf)
		switch {
		case err != nil:
			c.half.end()
			return
		case n == len(buf) && n < maxReceive:
			buf = make([]byte, 2*n)
		case n < len(buf)/4 && len(buf) > minReceive:
			buf = make([]byte, len(buf)/2)
		}
	}
}

// AcceptStream returns the next stream that the peer of an accepted
// connection opens, and its id. When the connection has ended it returns why.
func (c *Conn) AcceptStream() (Stream, uint32, error) {
	box, ok := <-c.half.opened
	if !ok {
		return nil, 0, c.Err()
	}
	s := c.Stream(box.id, box)
	return s, box.id, c.writeHead(typeWindow, flagACK, box.id, 0)
}

// Done is closed when an accepted connection has ended and Receive has
// nothing more to do.
func (c *Conn) Done() <-chan struct{} { return c.half.done }

// end tells everybody who waits for the peer that nothing more comes.
func (h *half) end() {
	for _, box := range h.boxes {
		if box != nil {
			box.end(io.EOF)
		}
	}
	close(h.opened)
	h.ponging.Wait() // the connection has ended, so there is nothing to wait for
	close(h.done)
	if f := h.conn.notify.Load(); f != nil {
		(*f)()
	}
}

// header takes a header that has passed the policy.
func (h *half) header(head *header) error {
	h.into = nil
	switch head.kind() {
	case typePing:
		if head.flags()&flagSYN != 0 {
			return h.ask(head.length())
		}
		return nil
	case typeGoAway:
		if head.length() != 0 {
			return io.EOF // something was wrong for it, and it leaves
		}
		return nil
	}
	if head.id()%2 == 0 || head.id() > 2*maxStreams {
		return nil
	}
	box := &h.boxes[head.id()/2]
	if head.flags()&flagSYN != 0 {
		*box = newInbox(h.conn, head.id())
		h.opened <- *box // has room
	}
	if *box == nil {
		return nil
	}
	if head.flags()&flagRST != 0 {
		(*box).end(errReset)
		*box = nil
		return nil
	}
	h.into = *box
	return h.into.announce(head.body(), head.flags()&flagFIN != 0)
}

// body takes a piece of the current frame's body, behind which left bytes of
// it are still to come.
func (h *half) body(piece []byte, left uint32) {
	if h.into != nil {
		h.into.put(piece, left)
	}
}

// ask has a ping answered, from a goroutine of its own because the wire may
// have no room while this one must not wait.
func (h *half) ask(number uint32) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.pings) >= maxPongs {
		return errPongs
	}
	if h.pings = append(h.pings, number); len(h.pings) == 1 {
		h.ponging.Go(h.pong) // ends when all are answered, or with the connection; end waits for it
	}
	return nil
}

// pong answers pings until there are none.
func (h *half) pong() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.pings) > 0 {
		number := h.pings[0]
		h.mu.Unlock()
		_ = h.conn.writeHead(typePing, flagACK, 0, number) // a failure has closed the connection, and each further one fails at once
		h.mu.Lock()
		h.pings = slices.Delete(h.pings, 0, 1)
	}
	h.pings = nil
}

// inbox is what has arrived on a stream and has not been read. The stream's
// window bounds it: no memory is taken for what is only announced.
type inbox struct {
	// Static after construction.
	conn *Conn
	id   uint32

	// Owned by the goroutine that receives.
	finished bool // the peer has said that nothing follows

	// Owned by the stream's reader.
	owed uint32 // bytes that were read and not granted again

	// mu promises that the fields below agree; more is signalled with each
	// change that a reader waits for.
	mu    sync.Mutex
	more  sync.Cond
	buf   []byte
	off   int    // bytes of buf that were read
	room  uint32 // bytes that the peer may still send
	ended error  // what a reader gets behind the bytes; nil: more may come
}

func newInbox(conn *Conn, id uint32) *inbox {
	b := &inbox{conn: conn, id: id, room: initialWindow}
	b.more.L = &b.mu
	return b
}

// announce takes note of a frame for the stream: of the size of its body,
// and of whether it is the last one.
func (b *inbox) announce(size uint32, last bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.finished && (last || size > 0):
		return errFinished
	case size > b.room:
		return errWindow
	}
	b.room -= size
	b.finished = b.finished || last
	if last && size == 0 {
		b.endLocked(io.EOF)
	}
	return nil
}

// put takes a piece of a body, behind which left bytes are still to come.
func (b *inbox) put(piece []byte, left uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.off > 0 && len(b.buf)+len(piece) > cap(b.buf) {
		b.buf = b.buf[:copy(b.buf, b.buf[b.off:])]
		b.off = 0
	}
	b.buf = append(b.buf, piece...)
	if b.finished && left == 0 {
		b.endLocked(io.EOF)
	}
	b.more.Signal()
}

// end lets nothing follow what has arrived. The first reason counts.
func (b *inbox) end(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endLocked(why)
}

func (b *inbox) endLocked(why error) {
	if b.ended == nil {
		b.ended = why
	}
	b.more.Signal()
}

// Read returns what has arrived, or waits. It lets the peer send more when
// half of the window was read; a failure of that ends the connection, and
// shows in a later Read.
func (b *inbox) Read(p []byte) (int, error) {
	n, err := b.take(p)
	if b.owed += uint32(n); b.owed >= initialWindow/2 {
		owed := b.owed
		b.owed = 0
		b.mu.Lock()
		b.room += owed
		b.mu.Unlock()
		_ = b.conn.writeHead(typeWindow, 0, b.id, owed)
	}
	return n, err
}

func (b *inbox) take(p []byte) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.buf) == 0 && b.ended == nil {
		b.more.Wait()
	}
	if len(b.buf) == 0 {
		return 0, b.ended
	}
	n = copy(p, b.buf[b.off:])
	if b.off += n; b.off == len(b.buf) {
		b.buf, b.off = nil, 0 // an idle stream holds no memory
	}
	return n, nil
}

// ready reports whether Read returns at once.
func (b *inbox) ready() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.buf) > 0 || b.ended != nil
}
