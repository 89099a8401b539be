package hub

import (
	"bytes"
	"slices"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

const (
	// markRows and markEvery are after how many rows of a room, or how long after one, its readers are told again what its rows are for other nodes.
	markRows  = 256
	markEvery = 5 * time.Second
)

// mark is a wire.Mark of a room that its readers can be told once they have its row seq. It is never changed in place.
type mark struct {
	seq    uint64
	record []byte // encoded
}

// remark notes that a room's rows, or its logs, are not those of its mark any more: rows have been published, or logs have grown without one. A store that
// is not shared has no marks, and pays nothing for them.
func (h *Hub) remark(r *room) {
	if !h.sharing.Shared || r.subs == 0 {
		return
	}
	if r.mark == nil || r.head >= r.mark.seq+markRows {
		h.markRoom(r)
		return
	}
	if _, waits := h.marking[r]; !waits {
		h.marking[r] = chat.Millis(h.cfg.Now())
	}
}

// markRooms has those rooms marked whose marks are too old. One that nobody reads any more has none.
func (h *Hub) markRooms(now time.Time) {
	for r, since := range h.marking {
		if r.subs == 0 {
			delete(h.marking, r)
		} else if now.Sub(time.UnixMilli(since)) >= markEvery {
			h.markRoom(r)
		}
	}
}

// markRoom gives a room, all of whose rows are published, the mark of its head, and has its readers told. One whose rows don't all have entries has none,
// nor one that more nodes wrote in than a mark can tell of.
func (h *Hub) markRoom(r *room) {
	heads := h.headsOf(r)
	delete(h.marking, r)
	if heads == nil || len(heads) > wire.MaxMarkHeads {
		return
	}
	r.mark = &mark{seq: r.head, record: wire.Must(nil, &wire.Mark{Room: r.Num, Seq: r.head, Heads: heads})}
	h.woken = r.log.setMark(r.mark, h.woken[:0])
	h.queueWoken()
}

// headsOf returns how much of each of its logs a room has, in the order of their ids; nil while there are rows without entries.
func (h *Hub) headsOf(r *room) []wire.Grown {
	if !h.sharing.Shared || r.entered != r.head {
		return nil
	}
	heads := make([]wire.Grown, 0, len(r.logs))
	for _, l := range r.logs {
		if l.head > 0 {
			heads = append(heads, wire.Grown{Log: l.id, Seq: l.head})
		}
	}
	slices.SortFunc(heads, func(a, b wire.Grown) int { return bytes.Compare(a.Log[:], b.Log[:]) })
	return heads
}

// unmark takes a room's mark back: there is nobody left to be told.
func (h *Hub) unmark(r *room) {
	delete(h.marking, r)
	if r.mark != nil {
		r.mark = nil
		r.log.setMark(nil, nil)
	}
}

// setMark publishes a mark, nil for none, and empties the list of idle subscriptions into out: they are to tell it.
func (l *roomLog) setMark(m *mark, out []*subscription) []*subscription {
	l.mu.Lock()
	l.mark = m
	l.mu.Unlock()
	if m == nil {
		return out
	}
	return l.wake(out)
}

// markedLocked returns the room's mark if a subscription has to tell it now: it has given its writer the row of the mark, and all before it.
func (l *roomLog) markedLocked(s *subscription) *mark {
	if l.mark == nil || l.mark == s.marked || s.next <= l.mark.seq || s.ending != goesOn {
		return nil
	}
	return l.mark
}

// mark puts what the rows are for other nodes behind out, if it fits.
func (s *subscription) mark(out []byte, hard int, m *mark) taken {
	if len(out)+len(m.record) > hard {
		return taken{records: out, again: true, need: len(m.record)}
	}
	s.marked = m
	return taken{records: append(out, m.record...), again: true}
}
