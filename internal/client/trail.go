package client

import (
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// maxTrail bounds the messages of a room that a client knows again on another node.
const maxTrail = wire.MaxMovedIDs

// maxSeen bounds the ranges of rows to come that were shown on another node: those of an Open, and as many that are told later.
const maxSeen = 2 * wire.MaxSeen

// maxLog bounds the entries of a log, as nodes do.
const maxLog = 1<<36 - 1

// trail is what was shown of a room, in words that all nodes of a space understand, whatever order they have it in: all that the last mark covers,
// and the newest messages by their ids. The numbers in it are those of the log that the room's cursor is of.
type trail struct {
	heads []wire.Grown // the last mark, in the order of its logs
	steps []step       // the newest of what was shown, in that order; at most maxTrail
	begun uint64       // what is up to this row of the present log was shown on another node, and is in no mark that is older
	away  int          // steps whose message has not come in the present log
	seen  [][2]uint64  // rows of the present log that were shown on another node, ascending
	pairs []pair       // of the client's own messages, those that more than one node was offered, the newest last; at most wire.MaxMovedPairs
}

// step is a message that was shown.
type step struct {
	id     chat.ID
	seq    uint64 // in the present log; 0: it has not come there
	marked bool   // the last mark covers it
}

// isEmpty reports whether another node can't tell from it what was shown.
func (t *trail) isEmpty() bool { return len(t.heads) == 0 && len(t.steps) == 0 }

// knows reports whether the message of a row was shown before, on another node.
func (t *trail) knows(seq uint64, id chat.ID) bool {
	for len(t.seen) > 0 && t.seen[0][1] < seq {
		t.seen = t.seen[1:]
	}
	return len(t.seen) > 0 && t.seen[0][0] <= seq || t.away > 0 && t.has(id)
}

// has reports whether a message is among the newest that were shown.
func (t *trail) has(id chat.ID) bool { return t.find(id) >= 0 }

func (t *trail) find(id chat.ID) int {
	return slices.IndexFunc(t.steps, func(s step) bool { return s.id == id })
}

// add notes that the row seq, the message id, was shown, here or before. Of too many one goes that a mark covers, as long as there is one.
func (t *trail) add(seq uint64, id chat.ID) {
	if t.away > 0 {
		if i := t.find(id); i >= 0 {
			if t.steps[i].seq == 0 {
				t.away--
			}
			t.steps[i].seq = seq
			return
		}
	}
	if len(t.steps) >= maxTrail {
		t.drop(max(0, slices.IndexFunc(t.steps, func(s step) bool { return s.marked })))
	}
	t.steps = append(t.steps, step{id: id, seq: seq})
}

func (t *trail) drop(i int) {
	if t.steps[i].seq == 0 {
		t.away--
	}
	t.steps = slices.Delete(t.steps, i, i+1)
}

// mark takes in which logs the rows up to seq are of, and how much of each, in place of what was said before, by whichever node: a lie lasts no longer than
// the next node's word. What an earlier node alone has shown is known by its id, so of that too much is at worst shown again, and nothing is passed over. It
// reports false for a mark that can't be, or is of less than the other node's, and has changed nothing then.
func (t *trail) mark(seq uint64, heads []wire.Grown) bool {
	if seq < t.begun || len(heads) > wire.MaxMarkHeads || slices.ContainsFunc(heads, func(g wire.Grown) bool { return g.Seq > maxLog }) {
		return false
	}
	most := map[wire.LogID]uint64{}
	for _, g := range heads {
		most[g.Log] = max(most[g.Log], g.Seq)
	}
	t.heads = make([]wire.Grown, 0, len(most))
	for log, seq := range most {
		t.heads = append(t.heads, wire.Grown{Log: log, Seq: seq})
	}
	slices.SortFunc(t.heads, func(a, b wire.Grown) int { return slices.Compare(a.Log[:], b.Log[:]) })
	for i := range t.steps {
		s := &t.steps[i]
		s.marked = s.seq > 0 && s.seq <= seq
	}
	return true
}

// move goes over to the log of another node, behind its row at, where these rows were shown before: its numbers are others.
func (t *trail) move(at uint64, seen [][2]uint64) {
	for i := range t.steps {
		t.steps[i].seq = 0
	}
	t.away, t.seen, t.begun = len(t.steps), seen, at
}

// copied notes that an own message is kept which an earlier node was offered too, and may have kept as another: that one is not to be shown.
func (t *trail) copied(first pair) {
	if slices.Contains(t.pairs, first) {
		return
	}
	if len(t.pairs) >= wire.MaxMovedPairs {
		t.pairs = t.pairs[1:]
	}
	t.pairs = append(slices.Clip(t.pairs), first)
}

// pass adds rows of the present log that were shown before. It reports false for too many.
func (t *trail) pass(seen [][2]uint64) bool {
	if len(seen) > 0 {
		known := slices.DeleteFunc(slices.Clone(t.seen), func(r [2]uint64) bool { return r[1] >= seen[0][0] })
		t.seen = append(known, seen...)
	}
	return len(t.seen) <= maxSeen
}

// moved tells another node what was shown.
func (t *trail) moved() *wire.Moved {
	m := &wire.Moved{Heads: slices.Clone(t.heads)}
	for _, s := range t.steps {
		if !s.marked {
			m.IDs = append(m.IDs, s.id)
		}
	}
	for _, p := range t.pairs {
		m.Pairs = append(m.Pairs, wire.As{Origin: p.origin[:], CSeq: p.cseq})
	}
	return m
}

// clone returns a copy that changes by itself.
func (t *trail) clone() trail {
	return trail{heads: slices.Clone(t.heads), steps: slices.Clone(t.steps), begun: t.begun, away: t.away, seen: slices.Clone(t.seen), pairs: slices.Clone(t.pairs)}
}

// translate returns where somebody has read to in another log, in which as much is unread as was: of read, when the last shown was row was, and is row now.
func translate(read, was, now uint64) uint64 {
	if unread := was - min(read, was); read > 0 && unread < now {
		return now - unread
	}
	return 0
}
