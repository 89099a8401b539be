package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

const (
	// joinMessages are said just before the node is killed, and as many when all are back.
	joinMessages = 64
	// Who has lost the node waits as chatnode's own client does: up to firstWait, then up to twice that, and so on up to lastWait.
	firstWait = 100 * time.Millisecond
	lastWait  = 10 * time.Second
	// returnPatience is how many times stallLimit nobody may come back: some are still waiting.
	returnPatience = 3
)

// regular is a client who comes to the room, and, whenever the node is lost, comes back to where it was by itself. One goroutine has it.
type regular struct {
	of     *regulars
	number int
	key    *identity.Key
	origin [16]byte
	cursor wire.Cursor // of what it was shown last; an epoch of 0: it has never been there
	order  order
	seen   uint64 // times that it has been let in, by the count of regulars.nodes
}

// regulars are all those of one node, and of the one that stands in its place when it was killed.
type regulars struct {
	// Static after construction.
	address string
	secure  bool
	list    []*regular
	fail    context.CancelCauseFunc
	entries chan struct{} // capacity joinsAtOnce: how many come for the first time, at one time. Never closed.
	living  sync.WaitGroup

	// Atomic.
	nodes atomic.Uint64 // that there have been
	here  atomic.Int64  // who has been let in by the node that there is
	tries atomic.Uint64 // connections that were begun
	shown atomic.Uint64 // messages, to all together
}

// newRegulars returns n regulars who have not come yet.
func newRegulars(n int, address string, secure bool, fail context.CancelCauseFunc) (*regulars, error) {
	r := &regulars{address: address, secure: secure, fail: fail, entries: make(chan struct{}, joinsAtOnce)}
	r.nodes.Store(1)
	for i := range n {
		key, err := identity.NewKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		c := &regular{of: r, number: i, key: key, order: order{last: make([]uint64, 1)}}
		rand.Read(c.origin[:]) // never fails
		r.list = append(r.list, c)
	}
	return r, nil
}

// come has all of them come, and stay until ctx ends. end must be called then.
func (r *regulars) come(ctx context.Context) {
	for _, c := range r.list {
		r.living.Go(func() {
			if err := c.live(ctx); err != nil && ctx.Err() == nil {
				r.fail(fmt.Errorf("client %d: %w", c.number, err))
			}
		})
	}
}

// live comes and comes back until ctx ends. It returns an error when it is not let in the first time, or not to where it was, or is shown what it must
// not be; a node that is gone is none.
func (c *regular) live(ctx context.Context) error {
	select {
	case c.of.entries <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	entered := sync.OnceFunc(func() { <-c.of.entries })
	defer entered()
	for attempt := 0; ctx.Err() == nil; attempt++ {
		came, err := c.visit(ctx, entered)
		if first := c.cursor.Epoch == 0; err != nil && first || errors.As(err, new(*faultError)) || errors.Is(err, wire.ErrMalformed) {
			return err
		}
		if came {
			attempt = 0
		}
		pause(ctx, mrand.N(min(firstWait<<min(attempt, 10), lastWait)))
	}
	return nil
}

// visit comes to the node and stays until the link ends. It calls entered when it has been let in; came says whether it was.
func (c *regular) visit(ctx context.Context, entered func()) (came bool, err error) {
	c.of.tries.Add(1)
	conn, err := dial(ctx, c.of.address)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := conn.SetDeadline(time.Now().Add(joinLimit)); err != nil {
		return false, err
	}
	link := conn
	if c.of.secure {
		if link, err = secured(conn, identity.ClientTLS(c.key)); err != nil {
			return false, err
		}
	}
	g := c.guest(link)
	if err := bringIn(g, link, g.feed); err != nil {
		return false, err
	}
	c.cursor.Epoch = g.epoch
	if now := c.of.nodes.Load(); c.seen < now {
		c.seen = now
		c.of.here.Add(1)
	}
	entered()
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return true, err
	}
	buf := make([]byte, 4<<10)
	for {
		n, err := link.Read(buf)
		if n > 0 {
			if err := g.feed(buf[:n]); err != nil {
				return true, err
			}
		}
		if err != nil {
			return true, ended(err)
		}
	}
}

// guest returns the protocol for one link, which begins behind what was shown last.
func (c *regular) guest(link net.Conn) *guest {
	g := &guest{key: c.key, name: fmt.Sprintf("client-%d", c.number), origin: c.origin, rooms: []string{roomName}}
	if c.cursor.Epoch != 0 {
		at := c.cursor
		g.cursor = &at
	}
	g.write = func(b []byte) error { _, err := link.Write(b); return err }
	g.event = func(_ int, seq uint64, rest []byte) error {
		if err := c.order.saw(0, seq); err != nil {
			return err
		}
		id, ok := eventID(rest)
		if !ok {
			return wire.ErrMalformed
		}
		c.cursor.Seq, c.cursor.Hash = seq, c.cursor.Hash.Next(id)
		c.of.shown.Add(1)
		return nil
	}
	return g
}

// inside returns how many are.
func (r *regulars) inside() uint64 { return uint64(r.here.Load()) }

// measureJoin has many clients come to a node with a store, kills it, and has them come back to the one that is started in its place.
func (cfg *config) measureJoin(ctx context.Context, node program, out *figures, p *progress) error {
	if err := cfg.checkFiles(openFiles()); err != nil {
		return err
	}
	total := 0
	for _, n := range cfg.clients {
		total += 2 * n
	}
	p.begin(cfg.runs * total)
	for run := range cfg.runs {
		for _, n := range cfg.clients {
			for _, secure := range []bool{false, true} {
				j := &joining{config: cfg, of: fmt.Sprintf("%d clients", n), n: n, secure: secure, out: out}
				if secure {
					j.of += ", TLS"
				}
				p.step(n, "join: %s, run %d of %d", j.of, run+1, cfg.runs)
				if err := j.measure(ctx, node); err != nil {
					return fmt.Errorf("bench join with %s, run %d: %w", j.of, run+1, err)
				}
			}
		}
	}
	p.clear()
	return out.print(scenarioJoin)
}

// joining is one measurement of that.
type joining struct {
	*config
	of     string
	n      int
	secure bool
	out    *figures

	all *regulars
}

// measure measures, and ends everybody. What went wrong first is the error, with what a node said.
func (j *joining) measure(ctx context.Context, node program) (err error) {
	dir, err := j.place.folder()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if node = node.servingTLS("-data", dir); !j.secure {
		node = node.with("-insecure")
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	first, err := startChild(ctx, "the node", node)
	if err != nil {
		return err
	}
	defer first.stop()
	if j.all, err = newRegulars(j.n, first.address, j.secure, fail); err != nil {
		return err
	}
	defer j.all.living.Wait()
	defer fail(nil)
	if err := j.come(ctx, first, fail); err != nil {
		return first.because(ctx, err)
	}
	tries := j.all.tries.Load()
	first.kill()
	j.all.here.Store(0)
	j.all.nodes.Add(1)
	from := reading{at: time.Now()}
	from.load, from.known = processCPU(0)
	second, err := startChild(ctx, "the node that was started anew", node.with("-listen", first.address))
	if err != nil {
		return err
	}
	defer second.stop()
	if err := j.comeBack(ctx, second, from, tries, fail); err != nil {
		return second.because(ctx, err)
	}
	return context.Cause(ctx)
}

// come has everybody come, and something said that the node has acknowledged when this returns, and has hardly begun to show.
func (j *joining) come(ctx context.Context, node *child, fail context.CancelCauseFunc) error {
	from := node.look()
	j.all.come(ctx)
	if err := node.await(ctx, j.stall, "clients to be let in", j.all.inside, uint64(j.n)); err != nil {
		return err
	}
	to := node.look()
	to.delivered = uint64(j.n)
	server, load := costs(from, to)
	j.out.add(j.of, joinedTime, to.at.Sub(from.at).Seconds())
	j.out.add(j.of, joinEach, milliseconds(to.at.Sub(from.at))/float64(j.n))
	j.out.add(j.of, serverPerJoin, server)
	j.out.add(j.of, loadPerJoin, load)
	return j.speak(ctx, node, 0, fail)
}

// speak has joinMessages said and acknowledged.
func (j *joining) speak(ctx context.Context, node *child, number int, fail context.CancelCauseFunc) error {
	a, err := newAuthor(ctx, node.address, number, j.config, pace{inFlight: joinMessages, secure: j.secure}, fail)
	if err != nil {
		return fmt.Errorf("publisher %d: %w", number, err)
	}
	defer a.close()
	if err := a.send(joinMessages, 0); err != nil {
		return err
	}
	return a.settle()
}

// comeBack waits until everybody is back, and has been shown all that was said, and what is said then. from is from just before the node was
// started, when tries connections had been begun.
func (j *joining) comeBack(ctx context.Context, node *child, from reading, tries uint64, fail context.CancelCauseFunc) error {
	if err := node.await(ctx, returnPatience*j.stall, "clients to come back", j.all.inside, uint64(j.n)); err != nil {
		return err
	}
	to := node.look()
	to.delivered = uint64(j.n)
	server, load := costs(from, to)
	j.out.add(j.of, backTime, to.at.Sub(from.at).Seconds())
	j.out.add(j.of, backEach, milliseconds(to.at.Sub(from.at))/float64(j.n))
	j.out.add(j.of, serverPerReturn, server)
	j.out.add(j.of, loadPerReturn, load)
	j.out.add(j.of, triesEach, float64(j.all.tries.Load()-tries)/float64(j.n))
	if err := j.speak(ctx, node, 1, fail); err != nil {
		return err
	}
	want := uint64(2 * joinMessages * j.n)
	err := node.await(ctx, j.stall, "messages to be shown to all", j.all.shown.Load, want)
	if errors.As(err, new(*stallError)) {
		return &faultError{fmt.Sprintf("%d messages were acknowledged, %d clients were shown %d in all, and no more come: the rest is lost", 2*joinMessages, j.n, j.all.shown.Load())}
	}
	return err
}
