package frame

import (
	"net"
	"sync"
	"syscall"
)

// outlet is where all that a Conn writes leaves. One goroutine at a time uses it.
type outlet struct {
	// Static after construction.
	to  net.Conn
	raw syscall.RawConn // of the TCP socket that to is; nil when it is none
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
	w := writes.Get().(*write)
	defer writes.Put(w)
	w.vec = [2][]byte{first, second}
	defer clear(w.vec[:])
	w.left = w.vec[:]
	if len(second) == 0 {
		w.left = w.left[:1]
	}
	if waits != nil {
		if w.try(o.raw); len(w.left) == 0 {
			return nil
		}
		waits()
	}
	if len(w.left) == 1 {
		_, err := o.to.Write(w.left[0])
		return err
	}
	_, err := w.left.WriteTo(o.to)
	return err
}

// write is one on its way.
type write struct {
	vec  [2][]byte
	left net.Buffers // of vec
	n    int
	once func(fd uintptr) (done bool) // for RawConn.Write, which would wait for the socket if it was told that there is more
}

var writes = sync.Pool{New: func() any {
	w := &write{}
	w.once = func(fd uintptr) bool {
		w.n = max(0, writeNow(fd, w.left))
		return true
	}
	return w
}}

// try writes what the socket takes at once. What is wrong with the socket the
// next write will say.
func (w *write) try(raw syscall.RawConn) {
	if raw == nil {
		return
	}
	w.n = 0
	_ = raw.Write(w.once)
	for n := w.n; len(w.left) > 0; w.left = w.left[1:] {
		if n < len(w.left[0]) {
			w.left[0] = w.left[0][n:]
			return
		}
		n -= len(w.left[0])
	}
}
