package mesh

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"chatnode/internal/pipe"
)

var verbose = flag.Bool("mesh.log", false, "print what the meshes log")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is some nodes, and the links between them, in a bubble of fake time.
type world struct {
	t     *testing.T
	rand  *rand.Rand
	delay time.Duration
	nodes []*node
	group sync.WaitGroup

	mu    sync.Mutex
	parts map[int]int // which part of the network a node is in
	ends  map[*pipe.End][2]int
}

// node is one of them. It has the address that addressOf returns.
type node struct {
	*book
	mesh   *Mesh
	n      int
	cancel context.CancelFunc
	done   chan struct{}
	err    error
	ctx    context.Context
}

func addressOf(n int) string { return fmt.Sprintf("10.0.0.%d:8080", n+1) }

// run tests in a bubble, and stops all nodes at its end.
func run2(t *testing.T, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, rand: rand.New(rand.NewPCG(1, 2)), delay: 2 * time.Millisecond, parts: map[int]int{}, ends: map[*pipe.End][2]int{}}
		f(w)
		for _, n := range w.nodes {
			w.stop(n)
		}
		w.group.Wait()
		for _, n := range w.nodes {
			n.check(t)
		}
	})
}

// add makes a node that dials others, and does not start it.
func (w *world) add(change func(*Config), connect ...int) *node {
	n := &node{n: len(w.nodes), book: newBook(uint64(len(w.nodes)), 7)}
	w.mu.Lock()
	w.nodes = append(w.nodes, n)
	w.mu.Unlock()
	w.prepare(n, change, connect...)
	return n
}

func (w *world) prepare(n *node, change func(*Config), connect ...int) {
	cfg := Config{
		Hub: n.book, Key: n.key, Title: fmt.Sprint("node ", n.n), Log: slog.New(slog.DiscardHandler), Rand: rand.New(rand.NewPCG(3, uint64(n.n))),
		Dial: func(ctx context.Context, address string) (Link, error) { return w.dial(n, address) },
	}
	if *verbose {
		cfg.Log = slog.New(slog.NewTextHandler(w.t.Output(), nil)).With("at", n.n)
	}
	for _, other := range connect {
		cfg.Connect = append(cfg.Connect, Target{Address: addressOf(other)})
	}
	if change != nil {
		change(&cfg)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	n.mesh = New(cfg)
}

func (w *world) start(nodes ...*node) {
	for _, n := range nodes {
		ctx, cancel := context.WithCancel(w.t.Context())
		done, mesh := make(chan struct{}), n.mesh
		w.mu.Lock()
		n.ctx, n.cancel, n.done = ctx, cancel, done
		w.mu.Unlock()
		w.group.Go(func() {
			defer close(done)
			n.err = mesh.Run(ctx)
		})
	}
}

func (w *world) stop(n *node) {
	w.mu.Lock()
	cancel := n.cancel
	n.cancel = nil
	w.mu.Unlock()
	if cancel != nil {
		cancel()
		<-n.done
	}
}

func (w *world) dial(from *node, address string) (Link, error) {
	w.mu.Lock()
	nodes := slices.Clone(w.nodes)
	w.mu.Unlock()
	for _, to := range nodes {
		if addressOf(to.n) == address {
			w.mu.Lock()
			there := w.parts[from.n] == w.parts[to.n] && to.cancel != nil
			ctx, mesh := to.ctx, to.mesh
			w.mu.Unlock()
			if !there {
				return nil, pipe.ErrRefused
			}
			a, b := w.link(from, to)
			w.group.Go(func() { _ = mesh.Serve(ctx, b, true, addressOf(from.n), nil) })
			return a, nil
		}
	}
	return nil, pipe.ErrRefused
}

// link makes a link that nobody serves yet.
func (w *world) link(from, to *node) (a, b *pipe.End) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delay := w.delay
	spread := rand.New(rand.NewPCG(w.rand.Uint64(), 0))
	var mu sync.Mutex
	a, b = pipe.New(func() time.Duration {
		if delay == 0 {
			return 0
		}
		mu.Lock()
		defer mu.Unlock()
		return delay/2 + time.Duration(spread.Int64N(int64(delay)))
	})
	a.Other, b.Other = to.key.ID(), from.key.ID()
	w.ends[a] = [2]int{from.n, to.n}
	return a, b
}

// part divides the network: nodes of different parts lose their links, and get no others. Those that are not named are in part 0.
func (w *world) part(parts map[int]int) {
	w.mu.Lock()
	w.parts = parts
	var apart []*pipe.End
	for e, n := range w.ends {
		if parts[n[0]] != parts[n[1]] {
			apart = append(apart, e)
			delete(w.ends, e)
		}
	}
	w.mu.Unlock()
	for _, e := range apart {
		e.Close()
	}
}

// alone returns a node that runs, and has not met anybody.
func (w *world) alone() *node {
	n := w.add(nil)
	w.start(n)
	w.settle(time.Second)
	return n
}

// settle lets d pass.
func (w *world) settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// converged fails the test unless all nodes have the same.
func (w *world) converged(nodes ...*node) {
	w.t.Helper()
	if len(nodes) == 0 {
		nodes = w.nodes
	}
	for _, n := range nodes[1:] {
		if n.digest() != nodes[0].digest() {
			w.t.Fatalf("node %d has %d entries, node %d has %d: not the same", n.n, len(n.order), nodes[0].n, len(nodes[0].order))
		}
	}
}

// until waits until all nodes have the same, for limit at most, and returns how long that took.
func (w *world) until(limit time.Duration) time.Duration {
	w.t.Helper()
	began := time.Now()
	for time.Since(began) < limit {
		if !slices.ContainsFunc(w.nodes, func(n *node) bool { return n.digest() != w.nodes[0].digest() }) {
			return time.Since(began)
		}
		w.settle(50 * time.Millisecond)
	}
	w.converged()
	return limit
}

// linked returns the links of a node, by the numbers of the others.
func (w *world) linked(n *node) (list []int) {
	for _, p := range n.mesh.Peers() {
		if p.State == "linked" {
			for _, other := range w.nodes {
				if id := other.key.ID(); string(id[:]) == string(p.Node) {
					list = append(list, other.n)
				}
			}
		}
	}
	slices.Sort(list)
	return list
}

// stats sums up what all nodes count.
func (w *world) stats() (sum Stats) {
	for _, n := range w.nodes {
		s := n.mesh.Stats()
		sum.FramesSent += s.FramesSent
		sum.FramesReceived += s.FramesReceived
		sum.Sent += s.Sent
		sum.Received += s.Received
		sum.Taken += s.Taken
		sum.Duplicates += s.Duplicates
		sum.SmallSent += s.SmallSent
	}
	return sum
}
