package frame

import (
	"net"
	"sync"
	"syscall"
)

// outlet is where all that a Conn writes leaves.
type outlet struct {
	// Static after construction.
	to  net.Conn
	raw syscall.RawConn // of the TCP socket that to is; nil when it is none

	// Owned by whoever writes.
	vec  [2][]byte
	left net.Buffers
}

// outletOf returns the outlet of c: the TCP connection beneath it, if there is one.
func outletOf(c net.Conn) outlet {
	tcp, ok := beneath(c).(*net.TCPConn)
	if !ok {
		return outlet{to: c}
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return outlet{to: tcp}
	}
	return outlet{to: tcp, raw: raw}
}

// write writes first and then second, which may be empty, and waits while the
// socket is full. Before it waits it calls waits, unless that is nil.
func (o *outlet) write(waits func(), first, second []byte) error {
	o.vec = [2][]byte{first, second}
	o.left = o.vec[:]
	if len(second) == 0 {
		o.left = o.left[:1]
	}
	defer clear(o.vec[:])
	if waits != nil {
		if o.try(); len(o.left) == 0 {
			return nil
		}
		waits()
	}
	if len(o.left) == 1 {
		_, err := o.to.Write(o.left[0])
		return err
	}
	_, err := o.left.WriteTo(o.to)
	return err
}

// try writes what the socket takes at once. What is wrong with the socket the
// next write will say.
func (o *outlet) try() {
	if o.raw == nil {
		return
	}
	a := attempts.Get().(*attempt)
	defer attempts.Put(a)
	a.parts, a.wrote = o.left, 0
	_ = o.raw.Write(a.once)
	a.parts = nil
	for wrote := a.wrote; len(o.left) > 0; o.left = o.left[1:] {
		if wrote < len(o.left[0]) {
			o.left[0] = o.left[0][wrote:]
			return
		}
		wrote -= len(o.left[0])
	}
}

// attempt is a write that does not wait.
type attempt struct {
	parts [][]byte
	wrote int
	once  func(fd uintptr) (done bool) // for RawConn.Write, which would wait for the socket if it was told that there is more
}

var attempts = sync.Pool{New: func() any {
	a := &attempt{}
	a.once = func(fd uintptr) bool {
		a.wrote = max(0, writeNow(fd, a.parts))
		return true
	}
	return a
}}
