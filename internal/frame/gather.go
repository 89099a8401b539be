package frame

import (
	"net"
	"sync"
)

// Gathering stands under TLS and has the records of one frame leave in one write:
// TLS itself writes each record, of 16 KiB at most, as soon as it is made, and the
// system calls would be half of the work.
type Gathering struct {
	net.Conn

	// mu promises that records leave in the order in which TLS has made them. It
	// is held across a write, which Close ends at once.
	mu   sync.Mutex
	into *[]byte // what is gathered; nil while each record leaves by itself
}

// Gather returns c for TLS to write to. A Conn over that TLS finds it there.
func Gather(c net.Conn) *Gathering { return &Gathering{Conn: c} }

// NetConn returns the connection beneath.
func (g *Gathering) NetConn() net.Conn { return g.Conn }

// Write implements net.Conn.
func (g *Gathering) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.into != nil {
		*g.into = append(*g.into, p...)
		return len(p), nil
	}
	return g.Conn.Write(p)
}

// together calls write, and has all that it writes leave at once. Only one
// goroutine may do so at a time.
func (g *Gathering) together(write func() error) error {
	buf := gathered.Get().(*[]byte)
	defer gathered.Put(buf)
	g.mu.Lock()
	*buf = (*buf)[:0]
	g.into = buf
	g.mu.Unlock()
	err := write()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.into = nil
	if len(*buf) == 0 {
		return err
	}
	if _, flushErr := g.Conn.Write(*buf); err == nil {
		err = flushErr
	}
	return err
}

// gathered are buffers for one large frame and what TLS puts around its records.
var gathered = sync.Pool{New: func() any { b := make([]byte, 0, headerSize+largeBody+1<<10); return &b }}
