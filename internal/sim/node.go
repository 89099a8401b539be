package sim

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"chatnode/internal/faults"
	"chatnode/internal/hub"
	"chatnode/internal/identity"
	"chatnode/internal/mesh"
	"chatnode/internal/pipe"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

var errCrashed = errors.New("the power is gone")

// node is one node: its store, which outlives its crashes, and, while it is up, its hub and its mesh.
type node struct {
	// Static after construction.
	w       *world
	n       int
	key     *identity.Key
	address string

	// Owned by the test's goroutine.
	memory  *store.Memory
	targets []mesh.Target
	peers   []identity.ID
	hidden  bool  // it does not say where it is reached
	life    *life // nil while it is down
	people  []*person
	lost    bool   // rows that it has acknowledged may be gone: an old copy of its store was put back
	raw     bool   // as it was, without its store being told
	nonce   uint64 // of the logs that it began with
	past    mesh.Stats
}

// life is a node from its start to its crash.
type life struct {
	// Static after construction.
	hub   *hub.Hub
	mesh  *mesh.Mesh
	host  *host
	ctx   context.Context
	stop  context.CancelFunc
	group sync.WaitGroup // of Run, of both

	dead atomic.Int32 // see crash

	// mu promises that no link begins once over is set.
	mu    sync.Mutex
	links sync.WaitGroup
	over  bool
}

// What becomes of the batch that is being written when a node crashes.
const (
	alive = iota
	crashesBefore
	crashesBehind
)

// keyOf returns a key that follows from a label.
func keyOf(label string) *identity.Key {
	seed := make([]byte, 32)
	copy(seed, label)
	key, err := identity.NewKey(bytes.NewReader(seed))
	if err != nil {
		panic(err)
	}
	return key
}

// newNode returns a node that is not up.
func (w *world) newNode(limit int64) *node {
	n := &node{w: w, n: len(w.nodes), key: keyOf(fmt.Sprint("node ", len(w.nodes)))}
	n.address = fmt.Sprintf("10.0.%d.%d:8080", n.n/250, 1+n.n%250)
	n.memory = store.NewSeededMemory(limit, rand.New(rand.NewPCG(w.seed, uint64(n.n))).Uint64)
	w.nodes = append(w.nodes, n)
	return n
}

// knows has a node admit others from its first start on.
func (n *node) knows(others ...*node) {
	for _, o := range others {
		n.peers = append(n.peers, o.key.ID())
	}
}

// connects has a node dial another one whenever it is up.
func (n *node) connects(to *node) {
	n.targets = append(n.targets, mesh.Target{Address: to.address, Node: to.key.ID()})
}

// up starts a node with what its store has.
func (n *node) up() {
	n.w.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	l := &life{ctx: ctx, stop: stop}
	l.host = &host{address: n.address, id: n.key.ID(), accept: l.accept}
	var salt [32]byte
	binary.BigEndian.PutUint64(salt[:], n.w.rng.Uint64())
	log := n.w.log.With("at", n.n)
	var err error
	l.hub, err = hub.New(hub.Config{
		Store: faults.NewStore(closable{n.memory}, faults.Hooks{Before: l.before, After: l.after}),
		Log:   log, Now: time.Now, Rand: rand.NewChaCha8(salt), Memory: 1 << 20, Key: n.key, Title: fmt.Sprint("node ", n.n), Admin: n.w.isAdmin,
	})
	if err != nil {
		n.w.t.Fatalf("node %d does not start: %v", n.n, err)
	}
	l.group.Go(func() {
		if err := l.hub.Run(ctx); err != nil && !errors.Is(err, errCrashed) {
			n.w.fail("the hub of node %d ends: %v", n.n, err)
			l.stop()
		}
	})
	if !l.hub.Kept() {
		if err := l.hub.Adopt(n.w.space); err != nil {
			n.w.t.Fatal(err)
		}
	}
	if n.nonce == 0 {
		n.nonce = l.hub.Sharing().Nonce
	}
	if n.w.shares {
		if err := l.hub.Share(); err != nil {
			n.w.t.Fatal(err)
		}
	}
	known := map[identity.ID]bool{}
	for _, p := range l.hub.SavedPeers() {
		known[p.Node] = true
	}
	for _, id := range n.peers {
		if !known[id] {
			if err := l.hub.SavePeer(store.Peer{Node: id, Mode: wire.AdmitIt}); err != nil {
				n.w.t.Fatal(err)
			}
		}
	}
	hosts := []string{n.address}
	if n.hidden {
		hosts = nil
	}
	l.mesh = mesh.New(mesh.Config{
		Hub: l.hub, Key: n.key, Title: fmt.Sprint("node ", n.n), Hosts: hosts, Connect: n.targets, Log: log,
		Rand: rand.New(rand.NewPCG(n.w.rng.Uint64(), 0)),
		Dial: func(ctx context.Context, address string) (mesh.Link, error) {
			e, err := n.w.net.dial(ctx, l.host, address)
			if err != nil {
				return nil, err
			}
			return e, nil
		},
	})
	n.life = l
	l.group.Go(func() {
		if err := l.mesh.Run(ctx); err != nil {
			n.w.fail("the mesh of node %d ends: %v", n.n, err)
		}
	})
	n.w.net.listen(l.host)
	for _, p := range n.people {
		p.attach()
	}
}

// accept serves a link that somebody has dialled.
func (l *life) accept(e *pipe.End, address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		e.Close()
		return
	}
	l.links.Go(func() { _ = l.mesh.Serve(l.ctx, e, true, address, nil) })
}

// before and after are the store's: of a node that crashes, the batch under way is kept or not, and nobody is told; what comes later never is.
func (l *life) before(uint64) error {
	if l.dead.Load() == crashesBefore {
		return errCrashed
	}
	return nil
}

func (l *life) after(uint64) error {
	if l.dead.CompareAndSwap(crashesBehind, crashesBefore) {
		return errCrashed
	}
	return nil
}

// crash ends a node at once: what is not on its disk is lost, and what was on its way from it may be. Behind has a batch that is being written kept.
func (n *node) crash(behind, torn bool) {
	l := n.life
	how := int32(crashesBefore)
	if behind {
		how = crashesBehind
	}
	l.dead.Store(how)
	for _, p := range n.people {
		p.detach()
	}
	n.w.net.leave(l.host, torn)
	n.ended()
}

// down ends a node as its operator would.
func (n *node) down() {
	for _, p := range n.people {
		p.detach()
	}
	host := n.life.host
	n.ended()
	n.w.net.leave(host, false)
}

func (n *node) ended() {
	l := n.life
	n.past = addStats(n.past, l.mesh.Stats())
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	l.stop()
	l.group.Wait()
	l.links.Wait()
	n.life = nil
}

// stats are what has passed over all lives.
func (n *node) stats() mesh.Stats {
	if n.life == nil {
		return n.past
	}
	return addStats(n.past, n.life.mesh.Stats())
}

// stats are what has passed on all nodes.
func (w *world) stats() (sum mesh.Stats) {
	for _, n := range w.nodes {
		sum = addStats(sum, n.stats())
	}
	return sum
}

// subStats returns what has passed since b.
func subStats(a, b mesh.Stats) mesh.Stats {
	a.FramesReceived -= b.FramesReceived
	a.Received -= b.Received
	a.Taken -= b.Taken
	a.SmallSent -= b.SmallSent
	return a
}

func addStats(a, b mesh.Stats) mesh.Stats {
	a.FramesSent += b.FramesSent
	a.FramesReceived += b.FramesReceived
	a.Sent += b.Sent
	a.Received += b.Received
	a.Taken += b.Taken
	a.Duplicates += b.Duplicates
	a.SmallSent += b.SmallSent
	return a
}

// closable is a Memory that outlives who uses it.
type closable struct{ *store.Memory }

func (closable) Close() error { return nil }
