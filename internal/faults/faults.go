// Package faults breaks connections on purpose, for tests: at a given byte, without a word, or half. Only tests import it.
package faults

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// Never is the offset of a cut that does not happen.
const Never = -1

// Pipe returns the two ends of a connection in memory that breaks, in both directions and for both ends, once up bytes have gone from near
// to far or down bytes the other way. What was let through before still arrives.
func Pipe(up, down int64) (near, far net.Conn) {
	a, b := net.Pipe()
	broken := func() { a.Close(); b.Close() }
	near, far = newCut(a, up, broken), newCut(b, down, broken)
	return near, far
}

// cut is an end that breaks its connection after a number of bytes written.
type cut struct {
	net.Conn
	broken func()
	mu     sync.Mutex // one write at a time, so that left is counted in the order of the bytes
	left   int64
	never  bool
	sent   atomic.Int64
}

func newCut(conn net.Conn, after int64, broken func()) *cut {
	return &cut{Conn: conn, broken: broken, left: after, never: after == Never}
}

func (c *cut) Write(p []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.never || int64(len(p)) < c.left {
		n, err = c.Conn.Write(p)
		c.left -= int64(n)
		c.sent.Add(int64(n))
		return n, err
	}
	if c.left > 0 {
		n, err = c.Conn.Write(p[:c.left])
		c.sent.Add(int64(n))
	}
	c.left = 0
	c.broken()
	if err == nil {
		err = io.ErrClosedPipe
	}
	return n, err
}

// Sent returns the number of bytes that an end of Pipe has written.
func Sent(end net.Conn) int64 { return end.(*cut).sent.Load() }

// Proxy is a TCP relay on loopback whose connections can be broken in the ways in which networks break them.
type Proxy struct {
	listener net.Listener
	group    sync.WaitGroup
	cancel   context.CancelFunc

	// mu promises that pairs holds exactly the relays that run, and guards what follows.
	mu     sync.Mutex
	target string
	pairs  map[*pair]struct{}
	closed bool
	mute   bool
}

type pair struct {
	client, server *net.TCPConn
	up, down       gate
}

// NewProxy relays connections to target until Close.
func NewProxy(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Proxy{listener: listener, target: target, pairs: map[*pair]struct{}{}, cancel: cancel}
	p.group.Go(func() { p.accept(ctx) })
	return p, nil
}

// Addr returns the address that clients dial.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

func (p *Proxy) accept(ctx context.Context) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.aim())
		if err != nil {
			client.(*net.TCPConn).SetLinger(0)
			client.Close()
			continue
		}
		relay := &pair{client: client.(*net.TCPConn), server: server.(*net.TCPConn)}
		relay.up.init()
		relay.down.init()
		if !p.add(relay) {
			relay.close()
			return
		}
		p.group.Go(func() {
			relay.run()
			p.drop(relay)
		})
	}
}

func (p *Proxy) aim() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.target
}

// Retarget relays the connections to come to another address.
func (p *Proxy) Retarget(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

func (p *Proxy) add(r *pair) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.pairs[r] = struct{}{}
	if p.mute {
		r.up.set(false)
		r.down.set(false)
	}
	return true
}

func (p *Proxy) drop(r *pair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pairs, r)
}

func (p *Proxy) each(f func(*pair)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for r := range p.pairs {
		f(r)
	}
}

// Reset ends every connection with a TCP reset to both sides.
func (p *Proxy) Reset() {
	p.each(func(r *pair) {
		r.client.SetLinger(0)
		r.server.SetLinger(0)
		r.close()
	})
}

// Hold stops relaying, in the named directions, without a word to either side; those that connect later are held too if both are. Nothing is lost
// until Resume or Reset.
func (p *Proxy) Hold(up, down bool) {
	p.each(func(r *pair) {
		r.up.set(!up)
		r.down.set(!down)
	})
	p.mu.Lock()
	p.mute = up && down
	p.mu.Unlock()
}

// Resume relays again.
func (p *Proxy) Resume() { p.Hold(false, false) }

// Close ends the proxy and its connections, and waits for its goroutines.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	p.listener.Close()
	p.each((*pair).close)
	p.group.Wait()
}

func (r *pair) close() {
	r.client.Close()
	r.server.Close()
	r.up.end()
	r.down.end()
}

// run relays until both directions have ended.
func (r *pair) run() {
	var up sync.WaitGroup
	up.Go(func() { r.copy(r.server, r.client, &r.up) })
	r.copy(r.client, r.server, &r.down)
	up.Wait()
	r.close()
}

// copy relays one direction as its gate allows, and hands an end of stream on as such.
func (r *pair) copy(dst, src *net.TCPConn, g *gate) {
	buf := make([]byte, 16<<10)
	for {
		n, err := src.Read(buf)
		if !g.wait() {
			return
		}
		if n > 0 {
			if _, err := dst.Write(buf[:n]); err != nil {
				r.close()
				return
			}
		}
		if err == io.EOF {
			dst.CloseWrite()
			return
		}
		if err != nil {
			r.close()
			return
		}
	}
}

// gate lets a relay pass while it is open.
type gate struct {
	mu     sync.Mutex
	change sync.Cond
	open   bool
	ended  bool
}

func (g *gate) init() {
	g.change.L = &g.mu
	g.open = true
}

func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = open
	g.change.Broadcast()
}

func (g *gate) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true
	g.change.Broadcast()
}

// wait returns when the gate is open, and false when it has ended.
func (g *gate) wait() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.open && !g.ended {
		g.change.Wait()
	}
	return !g.ended
}
