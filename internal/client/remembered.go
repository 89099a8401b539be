package client

import (
	"encoding/binary"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

const (
	spaceLen = 16
	// maxTitle bounds, in bytes, what is remembered of a node's title.
	maxTitle = 256
)

// home is a node as a client knows it again, besides the epoch of its log.
type home struct {
	space string // spaceLen bytes; empty: it has none
	node  identity.ID
	title string
}

// homeOf returns the node that a welcome is from.
func homeOf(w *wire.Welcome) home {
	h := home{node: identity.ID(w.Node), title: w.Title[:min(len(w.Title), maxTitle)]}
	if len(w.Space) == spaceLen {
		h.space = string(w.Space)
	}
	return h
}

// shares reports whether both are of one space: what is kept on one comes to the other.
func (h home) shares(other home) bool { return h.space != "" && h.space == other.space }

// pair is what all nodes of a space know a send by.
type pair struct {
	origin [16]byte // wire.OriginName
	cseq   uint64   // 0: there is no pair
}

// goTo has a room go on behind c. In another log the numbers are others.
func (r *remembered) goTo(c chat.Cursor) {
	if r.known && r.cursor.Epoch != c.Epoch {
		r.trail.move(c.Seq, nil)
		r.read = translate(r.read, r.cursor.Seq, c.Seq)
	}
	r.known, r.cursor = true, c
}

// trailing returns what a record changes that is about a room's trail, and whether it makes sense.
func (m *memory) trailing(kind byte, f *fields) (change func(), sensible bool) {
	key := f.text()
	var to func(*remembered)
	switch sensible = checkRoom(key) == chat.OK; kind {
	case kindShown:
		c, id := f.cursor(), chat.ID(f.bytes(8))
		to = func(r *remembered) { r.goTo(c); r.trail.add(c.Seq, id) }
	case kindMark:
		seq, heads := f.number(), f.heads()
		to = func(r *remembered) { r.trail.mark(seq, heads) }
	case kindTrail:
		t := trail{heads: f.heads()}
		for n := f.count(maxTrail); n > 0 && !f.bad; n-- {
			s := step{id: chat.ID(f.bytes(8)), seq: f.number(), marked: f.bytes(1)[0] == 1}
			if s.seq == 0 {
				t.away++
			}
			t.steps = append(t.steps, s)
		}
		to = func(r *remembered) { r.trail = t.clone() }
	case kindSeen:
		var seen [][2]uint64
		for n := f.count(maxSeen); n > 0 && !f.bad; n-- {
			seen = append(seen, [2]uint64{f.number(), f.number()})
		}
		to = func(r *remembered) { r.trail.seen = seen }
	case kindPairs:
		var pairs []pair
		for n := f.count(wire.MaxMovedPairs); n > 0 && !f.bad; n-- {
			pairs = append(pairs, pair{origin: [16]byte(f.bytes(16)), cseq: f.number()})
		}
		to = func(r *remembered) { r.trail.pairs = pairs }
	}
	return func() { m.change(key, to) }, sensible
}

// seenFrom returns the rows from from on that were shown on another node.
func (t *trail) seenFrom(from uint64) [][2]uint64 {
	return slices.DeleteFunc(slices.Clone(t.seen), func(r [2]uint64) bool { return r[1] < from })
}

func shownRecord(key string, c chat.Cursor, id chat.ID) []byte {
	return append(appendCursor(appendText([]byte{kindShown}, key), c), id[:]...)
}

func markRecord(key string, seq uint64, heads []wire.Grown) []byte {
	return appendHeads(binary.AppendUvarint(appendText([]byte{kindMark}, key), seq), heads)
}

func trailRecord(key string, t *trail) []byte {
	b := appendHeads(appendText([]byte{kindTrail}, key), t.heads)
	b = binary.AppendUvarint(b, uint64(len(t.steps)))
	for _, s := range t.steps {
		b = binary.AppendUvarint(append(b, s.id[:]...), s.seq)
		if s.marked {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	return b
}

func seenRecord(key string, seen [][2]uint64) []byte {
	b := binary.AppendUvarint(appendText([]byte{kindSeen}, key), uint64(len(seen)))
	for _, r := range seen {
		b = binary.AppendUvarint(binary.AppendUvarint(b, r[0]), r[1])
	}
	return b
}

func pairsRecord(key string, pairs []pair) []byte {
	b := binary.AppendUvarint(appendText([]byte{kindPairs}, key), uint64(len(pairs)))
	for _, p := range pairs {
		b = binary.AppendUvarint(append(b, p.origin[:]...), p.cseq)
	}
	return b
}

func firstRecord(cseq uint64, first pair) []byte {
	b := binary.AppendUvarint([]byte{kindFirst}, cseq)
	return binary.AppendUvarint(append(b, first.origin[:]...), first.cseq)
}

func homeRecord(h home) []byte {
	b := appendText([]byte{kindHome}, h.space)
	return appendText(append(b, h.node[:]...), h.title)
}

func nodesRecord(nodes []Node) []byte {
	b := binary.AppendUvarint([]byte{kindNodes}, uint64(len(nodes)))
	for _, n := range nodes {
		b = binary.AppendUvarint(append(b, n.ID[:]...), uint64(len(n.Hosts)))
		for _, host := range n.Hosts {
			b = appendText(b, host)
		}
	}
	return b
}

func appendHeads(b []byte, heads []wire.Grown) []byte {
	b = binary.AppendUvarint(b, uint64(len(heads)))
	for _, g := range heads {
		b = binary.AppendUvarint(append(b, g.Log[:]...), g.Seq)
	}
	return b
}

// count returns how many of something follow, at most most.
func (f *fields) count(most uint64) uint64 {
	n := f.number()
	if n > most {
		f.bad = true
		return 0
	}
	return n
}

func (f *fields) heads() []wire.Grown {
	var heads []wire.Grown
	for n := f.count(wire.MaxMarkHeads); n > 0 && !f.bad; n-- {
		heads = append(heads, wire.Grown{Log: wire.LogID(f.bytes(16)), Seq: f.number()})
	}
	return heads
}

func (f *fields) nodes() (nodes []Node) {
	for n := f.count(wire.MaxAddresses); n > 0 && !f.bad; n-- {
		node := Node{ID: identity.ID(f.bytes(32))}
		for hosts := f.count(wire.MaxHosts); hosts > 0 && !f.bad; hosts-- {
			node.Hosts = append(node.Hosts, f.text())
		}
		nodes = append(nodes, node)
	}
	return nodes
}
