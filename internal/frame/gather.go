package frame

import (
	"errors"
	"net"
	"sync"
)

// maxStray is how much TLS may have to say of itself between two frames: an
// answer to a new key of the peer has some 30 bytes.
const maxStray = 4 << 10

var errStrays = errors.New("frame: the peer makes TLS say more of itself than of us")

// Gathering stands under TLS and has the records of one frame leave in one write:
// TLS itself writes each record, of 16 KiB at most, as soon as it is made, and the
// system calls would be half of the work. So it is the frame's writer alone who
// ever waits for the socket: what TLS says of itself leaves with the next frame.
type Gathering struct {
	net.Conn

	// Set by hold, once.
	out outlet

	// mu promises that records leave in the order in which TLS has made them.
	// After the handshake it is never held while anything waits.
	mu    sync.Mutex
	holds bool
	into  *[]byte // what is gathered for the frame that is being written; nil between two
	stray []byte  // what TLS has said between two
}

// Gather returns c for TLS to write to, which it does as if it was c until a
// Conn over that TLS finds it there.
func Gather(c net.Conn) *Gathering { return &Gathering{Conn: c} }

// NetConn returns the connection beneath.
func (g *Gathering) NetConn() net.Conn { return g.Conn }

// hold ends the time in which TLS writes by itself.
func (g *Gathering) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.out, g.holds = outletOf(g.Conn), true
}

// Write implements net.Conn.
func (g *Gathering) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !g.holds:
		return g.Conn.Write(p) // the handshake, of which there is one goroutine
	case g.into != nil:
		*g.into = append(*g.into, p...)
	case len(g.stray)+len(p) > maxStray:
		return 0, errStrays
	default:
		g.stray = append(g.stray, p...)
	}
	return len(p), nil
}

// together calls write, and has all that it writes leave at once, as outlet.write
// does. Only one goroutine may do so at a time.
func (g *Gathering) together(waits func(), write func() error) error {
	buf := gathered.Get().(*[]byte)
	defer gathered.Put(buf)
	g.mu.Lock()
	*buf = append((*buf)[:0], g.stray...)
	g.into, g.stray = buf, nil
	g.mu.Unlock()
	err := write()
	g.mu.Lock()
	g.into = nil
	g.mu.Unlock()
	if err != nil || len(*buf) == 0 {
		return err
	}
	return g.out.write(waits, *buf, nil)
}

// gathered are buffers for what TLS makes of one frame.
var gathered = sync.Pool{New: func() any { return new([]byte) }}
