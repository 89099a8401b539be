package sim

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"chatnode/internal/identity"
	"chatnode/internal/pipe"
)

const (
	// silence is how long a link lives on when nothing comes any more.
	silence = 45 * time.Second
	// patience is how long a dial waits for somebody who does not answer.
	patience = 5 * time.Second
)

// errNoAnswer is for whoever dials where a way is cut.
var errNoAnswer = errors.New("no answer")

// network carries links between hosts. Each way between two addresses has a delay of its own, and can be cut: then nothing passes until it is healed, and
// links that this leaves silent end.
type network struct {
	// mu promises that the tables agree.
	mu    sync.Mutex
	rng   *rand.Rand
	hosts map[string]*host
	ways  map[[2]string]*way
	links []*link
}

// host is who answers at an address.
type host struct {
	address string
	id      identity.ID
	accept  func(e *pipe.End, address string) // has the end served, and returns at once
}

// way is one direction between two addresses. Guarded by network.mu.
type way struct {
	delay time.Duration
	cut   bool
}

// link is a connection between two hosts: ends[0] is that of hosts[0].
type link struct {
	hosts [2]*host
	ends  [2]*pipe.End
}

func newNetwork(rng *rand.Rand) *network {
	return &network{rng: rng, hosts: map[string]*host{}, ways: map[[2]string]*way{}}
}

// listen has a host answer.
func (n *network) listen(h *host) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[h.address] = h
}

// wayLocked returns the way from one address to another, which is given a delay when it is first used.
func (n *network) wayLocked(from, to string) *way {
	k := [2]string{from, to}
	if n.ways[k] == nil {
		n.ways[k] = &way{delay: 2*time.Millisecond + time.Duration(n.rng.Int64N(int64(38*time.Millisecond)))}
	}
	return n.ways[k]
}

// dial connects a host with an address.
func (n *network) dial(ctx context.Context, from *host, address string) (*pipe.End, error) {
	n.mu.Lock()
	up, down := n.wayLocked(from.address, address), n.wayLocked(address, from.address)
	cut, wait := up.cut || down.cut, up.delay+down.delay
	n.mu.Unlock()
	if cut {
		wait = patience
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	n.mu.Lock()
	to := n.hosts[address]
	n.mu.Unlock()
	if cut {
		return nil, errNoAnswer
	} else if to == nil {
		return nil, pipe.ErrRefused
	}
	near, far := n.link(from, to)
	to.accept(far, from.address)
	return near, nil
}

// link makes a link between two hosts.
func (n *network) link(from, to *host) (near, far *pipe.End) {
	n.mu.Lock()
	defer n.mu.Unlock()
	up, down := n.wayLocked(from.address, to.address), n.wayLocked(to.address, from.address)
	delay := (up.delay + down.delay) / 2
	near, far = pipe.New(func() time.Duration {
		n.mu.Lock()
		defer n.mu.Unlock()
		return delay + time.Duration(n.rng.Int64N(int64(delay/4)))
	})
	near.Other, far.Other = to.id, from.id
	if up.cut {
		near.Cut()
	}
	if down.cut {
		far.Cut()
	}
	n.links = append(slices.DeleteFunc(n.links, (*link).ended), &link{[2]*host{from, to}, [2]*pipe.End{near, far}})
	return near, far
}

// each calls f for each end of a host at one address, with who is at the other end.
func (n *network) each(f func(e, other *pipe.End, here, there *host)) {
	n.mu.Lock()
	links := slices.Clone(n.links)
	n.mu.Unlock()
	for _, l := range links {
		f(l.ends[0], l.ends[1], l.hosts[0], l.hosts[1])
		f(l.ends[1], l.ends[0], l.hosts[1], l.hosts[0])
	}
}

// cut has nothing pass from one address to another until all is healed.
func (n *network) cut(from, to string) {
	n.mu.Lock()
	n.wayLocked(from, to).cut = true
	n.mu.Unlock()
	n.each(func(e, _ *pipe.End, here, there *host) {
		if here.address == from && there.address == to {
			e.Cut()
		}
	})
}

// heal opens all ways.
func (n *network) heal() {
	n.mu.Lock()
	for _, w := range n.ways {
		w.cut = false
	}
	n.mu.Unlock()
	n.each(func(e, _ *pipe.End, _, _ *host) { e.Heal() })
}

// leave has nobody answer for a host any more, and ends its links: the others are told, unless it goes silently, behind what is on its way to them.
func (n *network) leave(h *host, silently bool) {
	n.mu.Lock()
	if n.hosts[h.address] == h {
		delete(n.hosts, h.address)
	}
	n.mu.Unlock()
	n.each(func(e, other *pipe.End, here, _ *host) {
		if here != h {
			return
		}
		if silently {
			e.Cut()
			time.AfterFunc(silence, func() { other.Close() })
		}
		e.Close()
	})
}

// reset ends all links between two addresses, as a router does that has forgotten them.
func (n *network) reset(a, b string) {
	n.each(func(e, _ *pipe.End, here, there *host) {
		if here.address == a && there.address == b || here.address == b && there.address == a {
			e.Close()
		}
	})
}

func (l *link) ended() bool {
	for _, e := range l.ends {
		select {
		case <-e.Done():
		default:
			return false
		}
	}
	return true
}
