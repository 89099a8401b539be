package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// A clone has all that a store has, and neither sees what happens to the other; a restored one writes under another epoch and other logs.
func TestMemoryClone(t *testing.T) {
	random := uint64(0)
	m := NewSeededMemory(unlimited, func() uint64 { random++; return random })
	a := annalsOf(t, m, 3)
	a.add(2, chat.Act, "readonly", 0, nil)
	a.again(3, "mine 0", 1)
	a.commit()
	before := mustLoad(t, m)
	list := func(m *Memory) []Entry {
		all, err := m.Causal(1, 0, wire.EntryID{}, 100, false)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	all := list(m)
	c, r := m.Clone(), m.Restored()
	for _, copied := range []*Memory{c, r} {
		got := mustLoad(t, copied)
		if copied == r {
			if got.Epoch == before.Epoch || got.Sharing.Nonce == before.Sharing.Nonce || got.Sharing.Space != before.Sharing.Space {
				t.Errorf("restored with epoch %d, %+v", got.Epoch, got.Sharing)
			}
			got.Epoch, got.Sharing = before.Epoch, before.Sharing
		}
		if diff := cmp.Diff(before, got); diff != "" {
			t.Errorf("state mismatch (-want +got):\n%s", diff)
		}
	}
	a.say(1, "later")
	a.say(2, "later too")
	a.batch.Redactions = []Redaction{{1, 1}}
	a.batch.Marked = []Redaction{{1, 2}}
	a.batch.Peers = []Peer{{Node: key(1)}}
	a.commit()
	for _, copied := range []*Memory{c, r} {
		if diff := cmp.Diff(all, list(copied)); diff != "" {
			t.Errorf("causal list mismatch (-want +got):\n%s", diff)
		}
		if state := mustLoad(t, copied); state.Rooms[0].Head != before.Rooms[0].Head || len(state.Peers) > 0 {
			t.Errorf("the copy has gone on: %+v", state)
		}
		if e, err := copied.EntryOf(1, 1); string(e.Body) != "mine 0" || err != nil {
			t.Errorf("the copy's first text: %q, %v", e.Body, err)
		}
		if e, err := copied.EntryAt(3, 4); string(e.Body) != "mine 0" || err != nil {
			t.Errorf("the copy's hidden text: %+v, %v", e, err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if got := mustLoad(t, m.Restored()); got.Rooms[0].Head != before.Rooms[0].Head+2 {
		t.Errorf("restored after it was closed: %+v", got)
	}
}
