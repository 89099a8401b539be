package bench

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"chatnode/internal/identity"
)

// caller is somebody who comes, is welcomed and goes, time after time, with one key. One goroutine uses it.
type caller struct {
	address string
	name    string
	key     *identity.Key
	config  *tls.Config   // nil: plain
	limit   time.Duration // of each call; 0: none
}

func newCaller(address, name string, secure bool, limit time.Duration) (*caller, error) {
	key, err := identity.NewKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	c := &caller{address: address, name: name, key: key, limit: limit}
	if secure {
		c.config = identity.ClientTLS(key)
	}
	return c, nil
}

// call comes, is welcomed and goes. The end of ctx ends it.
func (c *caller) call(ctx context.Context) error {
	conn, err := dial(ctx, c.address)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if c.limit > 0 {
		err = conn.SetDeadline(time.Now().Add(c.limit))
	}
	link := conn
	if err == nil {
		link, _, err = c.enter(conn, false)
	}
	link.Close()
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// enter goes through the handshake on conn, and joins the room where that is wanted. It returns the connection as links live on it, or conn
// itself where that does not come about.
func (c *caller) enter(conn net.Conn, joins bool) (_ net.Conn, g *guest, err error) {
	g = &guest{key: c.key, name: c.name}
	if joins {
		g.rooms = []string{roomName}
	}
	rand.Read(g.origin[:]) // never fails
	if c.config != nil {
		if conn, err = secured(conn, c.config); err != nil {
			return conn, g, err
		}
	}
	g.write = func(b []byte) error { _, err := conn.Write(b); return err }
	return conn, g, bringIn(g, conn, g.feed)
}

// handshakes has n callers come and go as fast as they are let, and measures what that costs both ends.
func (v *visit) handshakes(ctx context.Context, n int, fail context.CancelCauseFunc) error {
	callers := make([]*caller, n)
	for i := range callers {
		var err error
		if callers[i], err = newCaller(v.child.address, fmt.Sprintf("caller-%d", i), v.side.secure, v.stall); err != nil {
			return err
		}
	}
	var count atomic.Uint64
	var latency atomic.Pointer[histogram]
	stop := make(chan struct{})
	errs := make([]error, n)
	var calling sync.WaitGroup
	for i, c := range callers {
		calling.Go(func() { // ends with stop, with ctx, or when the node answers no more
			if errs[i] = c.callUntil(ctx, stop, &count, &latency); errs[i] != nil {
				fail(errs[i])
			}
		})
	}
	look := func() reading {
		r := v.child.look()
		r.delivered = count.Load()
		return r
	}
	pause(ctx, v.warm())
	times := &histogram{}
	latency.Store(times)
	began := look()
	pause(ctx, v.duration)
	ended := look()
	latency.Store(nil)
	close(stop)
	calling.Wait()
	v.shaken(began, ended, times)
	return errors.Join(context.Cause(ctx), errors.Join(errs...))
}

// shaken notes what came out of handshakes.
func (v *visit) shaken(began, ended reading, times *histogram) {
	node, client := costs(began, ended)
	v.set(modeHandshake, "handshakes_per_s", rate(ended.delivered-began.delivered, began, ended))
	v.set(modeHandshake, "node_cpu_us_per_handshake", node)
	v.set(modeHandshake, "client_cpu_us_per_handshake", client)
	v.set(modeHandshake, "welcome_p50_ms", milliseconds(times.quantile(0.5)))
	v.set(modeHandshake, "welcome_p99_ms", milliseconds(times.quantile(0.99)))
}

// callUntil calls until stop is closed. It counts calls, and times them while there is something to do that with.
func (c *caller) callUntil(ctx context.Context, stop <-chan struct{}, count *atomic.Uint64, latency *atomic.Pointer[histogram]) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		began := time.Now()
		if err := c.call(ctx); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		count.Add(1)
		if times := latency.Load(); times != nil {
			times.add(time.Since(began))
		}
	}
}
