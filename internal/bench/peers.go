package bench

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

const (
	// manyPeers are all linked with one another where data frames are counted, and with one where memory is.
	manyPeers = 8
	// linkLimit is how long nodes may take until they are linked, linkEvery how often they are asked.
	linkLimit = 20 * time.Second
	linkEvery = 20 * time.Millisecond
)

// peering are nodes that link to one another, each in a process of its own, on this machine and under TLS.
type peering struct {
	cfg     *config
	program program
	linked  func(i, j int) bool // which of them are to be; the others are told not to
	space   [16]byte
	nodes   []*peerNode
}

// peerNode is one of them. It has no child before it is started.
type peerNode struct {
	key   *identity.Key
	dir   string
	child *child
}

// newPeering makes the stores of count nodes in one space, which know whom they are not to link to. close must be called.
func (cfg *config) newPeering(node program, count int, linked func(i, j int) bool) (p *peering, err error) {
	p = &peering{cfg: cfg, program: node, linked: linked}
	rand.Read(p.space[:]) // never fails
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	for range count {
		n := &peerNode{}
		if n.key, err = identity.NewKey(rand.Reader); err != nil {
			return nil, err
		}
		if n.dir, err = cfg.place.folder(); err != nil {
			return nil, err
		}
		p.nodes = append(p.nodes, n)
	}
	for i := range p.nodes {
		if err := p.found(i); err != nil {
			return nil, fmt.Errorf("make a store: %w", err)
		}
	}
	return p, nil
}

// found makes a node's store.
func (p *peering) found(i int) error {
	n := p.nodes[i]
	s, err := store.Open(n.dir, store.Options{})
	if err != nil {
		return err
	}
	state, err := s.Load()
	if err == nil {
		_, err = s.NodeKey(n.key.Text())
	}
	b := &store.Batch{Sharing: &state.Sharing}
	state.Sharing.Space = p.space
	for j, other := range p.nodes {
		if j != i && !p.linked(i, j) {
			b.Peers = append(b.Peers, store.Peer{Node: other.key.ID(), Key: [32]byte(other.key.Public()), Mode: wire.AdmitDrop})
		}
	}
	if err == nil {
		err = s.Append(b)
	}
	return errors.Join(err, s.Close())
}

// start starts a node, which links to those that it is to and that are there already.
func (p *peering) start(ctx context.Context, i int) (err error) {
	args := []string{"-data", p.nodes[i].dir}
	for j, other := range p.nodes {
		if other.child != nil && p.linked(i, j) {
			args = append(args, "-connect", other.child.address)
		}
	}
	p.nodes[i].child, err = startChild(ctx, fmt.Sprintf("node %d", i), p.program.servingTLS(args...))
	return err
}

// startAll starts all nodes and waits until they are linked.
func (p *peering) startAll(ctx context.Context) error {
	for i := range p.nodes {
		if err := p.start(ctx, i); err != nil {
			return err
		}
	}
	for i := range p.nodes {
		want := 0
		for j := range p.nodes {
			if i != j && p.linked(i, j) {
				want++
			}
		}
		if err := p.awaitLinks(ctx, i, want); err != nil {
			return err
		}
	}
	return nil
}

// awaitLinks waits until a node has so many links.
func (p *peering) awaitLinks(ctx context.Context, i, want int) error {
	n := p.nodes[i]
	deadline := time.Now().Add(linkLimit)
	for {
		links, err := countLinks(ctx, n.child.address)
		switch {
		case err != nil:
			return n.child.explain(fmt.Errorf("ask node %d for its links: %w", i, err))
		case links >= want:
			return nil
		case time.Now().After(deadline):
			return n.child.explain(&stallError{fmt.Sprintf("node %d to have %d links", i, want)})
		}
		if pause(ctx, linkEvery); ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// countLinks asks a node how many links it has.
func countLinks(ctx context.Context, address string) (links int, err error) {
	g, err := newGuest("watcher", rand.Reader)
	if err != nil {
		return 0, err
	}
	conn, err := dial(ctx, address)
	if err != nil {
		return 0, err
	}
	defer func() { conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(joinLimit)); err != nil {
		return 0, err
	}
	if conn, err = secured(conn, identity.ClientTLS(g.key)); err != nil {
		return 0, err
	}
	g.write = func(b []byte) error { _, err := conn.Write(b); return err }
	if err := bringIn(g, conn, g.feed); err != nil {
		return 0, err
	}
	answer, err := g.ask(conn, &wire.Peers{})
	if err != nil {
		return 0, err
	}
	told, ok := answer.(*wire.PeersAre)
	if !ok {
		return 0, fmt.Errorf("it does not say, but answers %T", answer)
	}
	for i := range told.Peers {
		if told.Peers[i].State == "linked" {
			links++
		}
	}
	return links, nil
}

// stop ends all nodes.
func (p *peering) stop() {
	for _, n := range p.nodes {
		if n.child != nil {
			n.child.cancel() // all of them first: each has others to say goodbye to
		}
	}
	for _, n := range p.nodes {
		if n.child != nil {
			n.child.stop()
		}
	}
}

// close ends all nodes, and removes their stores.
func (p *peering) close() {
	p.stop()
	for _, n := range p.nodes {
		_ = os.RemoveAll(n.dir) // and if it fails, all of the place goes in the end
	}
}

// listen has one client listen at a node: past says that it reads the room from its first message on.
func (p *peering) listen(ctx context.Context, i int, past bool, fail context.CancelCauseFunc) (*visit, error) {
	side := &side{name: "peers", read: readEach, join: func(r *reader) error { return joinNode(r, entry{past: past, secure: true}) }}
	v := &visit{config: p.cfg, side: side, child: p.nodes[i].child, values: make(values, len(measures))}
	var err error
	v.crowd, err = newCrowd(ctx, side, v.child.address, 1, fail)
	return v, err
}

// speak has a client that publishes at a node.
func (p *peering) speak(ctx context.Context, i, number int, fail context.CancelCauseFunc) (publisher, error) {
	return newAuthor(ctx, p.nodes[i].child.address, number, p.cfg, pace{inFlight: chat.MaxInFlight, secure: true}, fail)
}

// everywhere has one client listen at each node, all by one clock.
func (p *peering) everywhere(ctx context.Context, fail context.CancelCauseFunc) (all []*visit, err error) {
	for i := range p.nodes {
		v, err := p.listen(ctx, i, false, fail)
		if err != nil {
			closeAll(all)
			return nil, err
		}
		if all = append(all, v); i > 0 {
			v.crowd.start = all[0].crowd.start
		}
	}
	return all, nil
}

func closeAll(all []*visit) {
	for _, v := range all {
		v.crowd.close()
	}
}

// allLinked, inALine and aStar are shapes of a peering.
func allLinked(int, int) bool { return true }
func inALine(i, j int) bool   { return i-j == 1 || j-i == 1 }
func aStar(i, j int) bool     { return i == 0 || j == 0 }

// writeShared writes a past into a node's store, as the node would have left it while it shared it.
func (p *peering) writeShared(ctx context.Context, i, count int, pr *progress) (err error) {
	n := p.nodes[i]
	opened, err := store.Open(n.dir, store.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	s, err := newScribe(opened)
	if err != nil {
		return err
	}
	if err := s.share(n.key); err != nil {
		return err
	}
	return s.writeAll(ctx, count, p.cfg.payload, pr)
}

// setOf returns a hash over all that two nodes can have in common, in their common order.
func setOf(ctx context.Context, dir string) (sum [sha256.Size]byte, count int, err error) {
	a, err := store.OpenArchive(ctx, dir)
	if err != nil {
		return sum, 0, err
	}
	defer a.Close()
	rooms, err := a.Rooms(ctx)
	if err != nil {
		return sum, 0, err
	}
	rooms = slices.DeleteFunc(rooms, func(r store.RoomState) bool { return r.Name != roomName })
	h := sha256.New()
	err = a.Merged(ctx, rooms, 0, func(store.Step) {}, func(m store.Merged) error {
		count++
		h.Write(m.ID[:])
		h.Write(m.Body)
		return nil
	})
	h.Sum(sum[:0])
	return sum, count, err
}
