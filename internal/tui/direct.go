package tui

import (
	"fmt"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
)

// A conversation is with a key. It is found by the other's name until the node has opened it, and by the key from then on: the name may go on to
// somebody else, and somebody may go by a name under which the node has not opened it.

// isUnmet reports whether a buffer is a conversation that the node has not opened: whose it is, only its name tells.
func (b *buffer) isUnmet() bool { return b.kind == bufDirect && b.peer.IsZero() }

// conversation returns the buffer of the conversation with peer, whose room is called that now. A zero peer is one that is not known any more.
func (m *model) conversation(room string, peer identity.ID) *buffer {
	named := m.find(room)
	if peer.IsZero() {
		return m.open(room)
	}
	i := slices.IndexFunc(m.buffers, func(b *buffer) bool { return b.kind == bufDirect && b.peer == peer })
	if i < 0 && named != nil && named.isUnmet() {
		named.name, named.peer = room, peer
		return named
	}
	if named != nil && named.peer != peer && !named.peer.IsZero() {
		named.name = chat.DirectMark + named.peer.String() // until the node says what they are called now
	}
	if i < 0 {
		b := m.add(bufDirect, room)
		b.peer = peer
		return b
	}
	b := m.buffers[i]
	b.name = room
	if named != nil && named.isUnmet() {
		m.merge(named, b)
	}
	return b
}

// recognize has conversations be b that were begun under another name and in which the message waits that has come in b.
func (m *model) recognize(b *buffer, id chat.ID) {
	for _, other := range slices.Clone(m.buffers) {
		if other != b && other.isUnmet() && slices.ContainsFunc(other.waiting, func(w waiting) bool { return w.seq > 0 && w.id == id }) {
			m.merge(other, b)
		}
	}
}

// isElsewhere has b be the conversation in which a message stands that waits in b, if there is one.
func (m *model) isElsewhere(b *buffer, id chat.ID) {
	if !b.isUnmet() || id.IsZero() {
		return
	}
	for _, other := range m.buffers {
		if other != b && other.kind == bufDirect && other.find(id) != none {
			m.merge(b, other)
			other.settle()
			return
		}
	}
}

// merge ends a conversation that has turned out to be another one. What was refused and what waits in it goes there, and what is typed.
func (m *model) merge(from, into *buffer) {
	for i := from.pane.First(); i < from.pane.End(); i++ {
		if r := from.pane.At(i); r.state == stateRefused {
			into.add(*r)
		}
	}
	into.refused = append(into.refused, from.refused...)
	into.pane.Append(from.takeTail()...)
	into.waiting = append(into.waiting, from.waiting...)
	from.waiting = nil
	if !from.hidden {
		m.unhideFor(into)
	}
	m.say(fmt.Sprintf("%s is %s here", from.label(), into.label()))
	if m.shown == from {
		m.show(into)
	}
	m.input.move(from.place, into.place)
	m.close(from)
}
