package tui

import (
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/client"
)

// move goes over to another node's log, which goes on with what is on the screen: as much of it is unread as was. The rows have numbers there that nobody has
// told: they get those that they would have if both had everything in the same order, and what is above them is not asked for, as its place is not known.
func (b *buffer) move(e client.Opened, read uint64) {
	at := func(seq uint64) uint64 { // seq is at most last, unless the row is one that waits
		back := b.last - min(seq, b.last)
		return e.From - 1 - min(back, e.From-1)
	}
	b.pick(none) // of a past, which is of the other log
	for _, w := range b.waiting {
		if w.seq > 0 {
			b.stayed = append(b.stayed, w.id)
		}
	}
	b.stayed = b.stayed[max(0, len(b.stayed)-chat.MaxInFlight):]
	b.strand()
	for i := b.pane.First(); i < b.pane.End(); i++ {
		r := b.pane.At(i)
		r.seq, r.astray = at(r.seq), r.kind == rowSaid
		for j := range r.folded {
			r.folded[j].seq, r.folded[j].astray = at(r.folded[j].seq), true
		}
	}
	b.disown()
	if b.style.newAt > 0 {
		b.style.newAt = at(b.style.newAt)
	}
	b.past, b.last, b.low, b.read, b.epoch = nil, e.From-1, 0, read, e.Cursor.Epoch
	b.fromStart, b.severed, b.fetching, b.headed = true, true, false, none
	b.redrawn()
}

// stays reports whether a message stands on the screen already, where it was sent: it was kept on a node that was gone before it told of it.
func (b *buffer) stays(id chat.ID) bool {
	i := slices.Index(b.stayed, id)
	if i < 0 {
		return false
	}
	b.stayed = slices.Delete(b.stayed, i, i+1)
	return true
}

// late counts messages that come late from another node, in a line above the first of them.
func (m *model) late(b *buffer, e *client.Message) {
	if e.Ignored {
		return
	}
	if e.At.IsZero() {
		b.headed = none
		return
	}
	head := b.pane.At(b.headed)
	if head == nil || head.kind != rowMark || head.text != b.late.Text(m.clock) {
		b.late.Clear()
		b.add(row{kind: rowMark, at: e.At})
		b.headed = b.pane.End() - len(b.waiting) - 1
		head = b.pane.At(b.headed)
	}
	b.late.Add(e.At)
	head.text = b.late.Text(m.clock)
	b.pane.Changed(b.headed)
}
