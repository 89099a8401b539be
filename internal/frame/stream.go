package frame

import (
	"errors"
	"io"
	"sync/atomic"
)

const (
	// maxStreams is how many streams of a connection are followed: those that
	// the dialer opens first, with the ids 1, 3, 5 and 7.
	maxStreams = 4

	// maxWindow bounds what Window reports, and so what one Write may put
	// between another stream's frame and the wire.
	maxWindow = 1 << 20

	// maxGranted is where the sum of grants stops growing. A yamux receiver
	// counts its window in 32 bits, so no honest peer gets there.
	maxGranted = 1<<32 - 1
)

// ErrWindow is what Write returns, having written nothing, when it is given
// more than Window bytes.
var ErrWindow = errors.New("frame: write is larger than the stream's window")

// Stream is one ordered byte stream of a connection, as its one reader and
// its one writer goroutine see it. The two may run at the same time; two
// readers, or two writers, may not.
type Stream interface {
	io.Reader

	// Window returns how many bytes Write takes now without waiting for the
	// peer to grant more, at most 1 MiB. Only Write makes it smaller.
	Window() int

	// Ready reports whether Read has something to return: bytes, or that there
	// are no more. Read may wait a moment for yamux to come to them, and for as
	// long as the frame behind them takes to arrive if that has begun.
	Ready() bool

	// Write sends p, at most Window() bytes, in data frames of at most
	// Policy.MaxSend bytes, each joined with its header in one write. It
	// blocks while the socket is full. Any error but ErrWindow is final: the
	// connection is closed.
	Write(p []byte) (int, error)
}

type stream struct {
	// Static after construction.
	conn *Conn
	id   uint32

	// Set by Conn.Stream before registered, never changed after.
	r io.Reader

	// Owned by the goroutine that reads the connection.
	open bool // the peer has opened it and has not reset it

	// Atomic: the connection's reader adds, the stream's reader and writer subtract.
	unread     atomic.Int64 // bytes of whole frames that yamux was given, less those that were read
	window     atomic.Int64
	ended      atomic.Bool // the peer has ended or reset it
	registered atomic.Bool
}

// find returns the slot of a stream id, nil for an id that is not followed.
// Slots exist from the start because grants may arrive before registration.
func find(streams *[maxStreams]stream, id uint32) *stream {
	if id%2 == 0 || id > 2*maxStreams {
		return nil
	}
	return &streams[id/2]
}

// arrive takes note of a whole frame, and adds to n what whoever uses the
// stream may want to know.
func (s *stream) arrive(h *header, n *news) {
	over, registered := h.flags()&(flagFIN|flagRST) != 0, s.registered.Load()
	if over {
		s.ended.Store(true)
	}
	if h.kind() == typeData {
		s.unread.Add(int64(h.length()))
	} else {
		s.grant(h.length())
		n.grown = n.grown || registered && h.length() > 0
	}
	n.ready = n.ready || registered && (over || h.body() > 0)
}

// grant adds a window update. The sum is kept whole although Window cuts it at
// 1 MiB: a peer with a larger window grants again only after half of that is
// used.
func (s *stream) grant(delta uint32) {
	room := maxGranted - s.window.Load() // the writer can only make it larger
	s.window.Add(min(int64(delta), room))
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.unread.Add(-int64(n))
	if !s.conn.warm.Load() {
		s.conn.warm.Store(true)
	}
	return n, err
}

func (s *stream) Ready() bool {
	return s.unread.Load() > 0 || s.ended.Load() || s.conn.Err() != nil
}

func (s *stream) Window() int { return int(min(s.window.Load(), maxWindow)) }

func (s *stream) Write(p []byte) (int, error) {
	if len(p) > s.Window() {
		return 0, ErrWindow
	}
	s.window.Add(-int64(len(p)))
	return s.conn.writeData(0, s.id, p, s.conn.waiting())
}
