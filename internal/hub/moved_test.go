package hub

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// carry gives a hub all entries that another one has and it lacks.
func carry(from, to *world) {
	from.t.Helper()
	from.settle()
	for more := true; more; {
		more = false
		for _, d := range from.hub.Digests(true) {
			for _, head := range from.hub.Heads(d.Room, true) {
				more = carryLog(from, to, &head) || more
			}
		}
	}
	to.settle()
}

// carryLog does so for one log, as far as what its entries depend on is there, and reports whether anything was taken.
func carryLog(from, to *world, head *wire.Head) (any bool) {
	from.t.Helper()
	id := head.Log.ID()
	have, _ := to.hub.HeadOf(id, true)
	for next := have.Seq + 1; next <= head.Seq; {
		list, low, err := from.hub.Entries(id, next, head.Seq, 1<<16, true)
		if err != nil {
			from.t.Fatal(err)
		}
		if low > next {
			next = low
			continue
		}
		took, err := to.hub.Offer(Source{Node: from.hub.cfg.Key.ID(), Admitted: true, Low: head.Low}, head.Log, next, list)
		if err != nil || took.Fault != "" {
			from.t.Fatalf("entries from %d of a log are not taken: %v %+v", next, err, took)
		}
		if took.Head < next {
			return any
		}
		any, next = true, took.Head+1
	}
	return any
}

// mover is somebody who goes from node to node, and is shown each row once: what it is told that it has seen it passes over, and what it knows the id of.
type mover struct {
	*client
	room  string
	shown map[chat.ID]bool
	heads map[wire.LogID]uint64
	ids   map[chat.ID]uint64 // shown and in no mark, with their rows on the node where the client is; 0: it was another one
	seen  [][2]uint64
	from  int // records of order that it has looked at
}

// look looks at what the client was sent since it last did, and fails where a row is told to be another one than it is: new, or seen.
func (m *mover) look() {
	m.t.Helper()
	for _, r := range m.order[m.from:] {
		switch r := r.(type) {
		case *wire.Open:
			m.seen = append(m.seen, r.Seen...)
		case *wire.Event:
			_, named := m.ids[r.ID]
			told := slices.ContainsFunc(m.seen, func(x [2]uint64) bool { return x[0] <= r.Seq && r.Seq <= x[1] })
			if told && !m.shown[r.ID] {
				m.t.Errorf("row %d, %q, is told to be seen, and never was", r.Seq, r.Body)
			}
			if m.shown[r.ID] && !told && !named {
				m.t.Errorf("row %d, %q, is told to be new, and was shown", r.Seq, r.Body)
			}
			m.shown[r.ID], m.ids[r.ID] = true, r.Seq
		case *wire.Mark:
			for _, g := range r.Heads {
				m.heads[g.Log] = max(m.heads[g.Log], g.Seq)
			}
			maps.DeleteFunc(m.ids, func(_ chat.ID, row uint64) bool { return row > 0 && row <= r.Seq })
		}
	}
	m.from = len(m.order)
}

// place returns what the client has seen, for another node.
func (m *mover) place() *wire.Moved {
	m.t.Helper()
	at := &wire.Moved{IDs: slices.Collect(maps.Keys(m.ids))}
	for log, seq := range m.heads {
		at.Heads = append(at.Heads, wire.Grown{Log: log, Seq: seq})
	}
	return at
}

// moves has the client leave its node for another one, where it is to be told what it has not seen.
func (m *mover) moves(to *world) *wire.Open {
	m.t.Helper()
	m.w.settle()
	m.look()
	m.leave(false)
	m.client = to.newClient(fmt.Sprint("alice ", len(to.clients)))
	m.asked = "alice"
	m.attach()
	for id := range m.ids {
		m.ids[id] = 0
	}
	m.from, m.seen = 0, nil
	m.do(&wire.Join{Room: m.room, Moved: m.place()})
	m.look()
	return m.view(m.room).opens[0]
}

func newMover(w *world, room string) *mover {
	m := &mover{client: w.attach("alice", room), room: room, shown: map[chat.ID]bool{}, heads: map[wire.LogID]uint64{}, ids: map[chat.ID]uint64{}}
	w.settle()
	return m
}

// wantShown wants the client to have been shown all that a node has of the room.
func (m *mover) wantShown(w *world) {
	m.t.Helper()
	m.look()
	for _, e := range w.rows(m.room) {
		if !m.shown[e.ID] {
			m.t.Errorf("row %d, %q, was not shown", e.Seq, e.Body)
		}
	}
}

// TestMovedShowsEachRowOnce: whatever two nodes have of a room when a client goes from one to the other, and whatever comes later, it is shown everything,
// and nothing twice.
func TestMovedShowsEachRowOnce(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				dice := rand.New(rand.NewPCG(seed, 7))
				a, b := shared(t), shared(t)
				bob, carol := a.attach("bob", "lobby"), b.attach("carol", "lobby")
				m := newMover(a, "lobby")
				said := 0
				life := func(steps int) {
					for range steps {
						said++
						switch dice.IntN(8) {
						case 0, 1:
							bob.say("lobby", fmt.Sprint("a", said))
						case 2, 3:
							carol.say("lobby", fmt.Sprint("b", said))
						case 4:
							carry(a, b)
						case 5:
							carry(b, a)
						case 6:
							elapse(markEvery + presenceEvery)
						case 7:
							for i := range dice.IntN(4) {
								bob.say("lobby", fmt.Sprint("a", said, "x", i))
							}
						}
						m.w.settle()
						m.look()
					}
				}
				life(25)
				if dice.IntN(3) > 0 {
					carry(a, b) // else there is less there than the client has seen
				}
				if open := m.moves(b); open.Status != wire.StatusMoved && open.Status != wire.StatusReset {
					t.Fatalf("it is opened by %+v", open)
				} else if open.Status == wire.StatusReset {
					return // the nodes have nothing in common yet
				}
				life(25)
				if open := m.moves(a); open.Status != wire.StatusMoved {
					t.Fatalf("back at home it is opened by %+v", open)
				}
				life(10)
				carry(b, a)
				m.wantShown(a)
			})
		})
	}
}

// TestMoved: the node goes on at the first row that the client has not seen, and says which of those behind it has.
func TestMoved(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := shared(t), shared(t)
		bob, carol := a.attach("bob", "lobby"), b.attach("carol", "lobby")
		m := newMover(a, "lobby")
		bob.say("lobby", "one")
		carry(a, b)
		carol.say("lobby", "two")
		carry(b, a)
		elapse(markEvery + presenceEvery) // marked: one, two
		bob.say("lobby", "three")
		carry(a, b)                     // one two three
		carol.say("lobby", "elsewhere") // which the client does not see
		bob.say("lobby", "four")
		carry(a, b)
		open := m.moves(b)
		want := wire.Open{Type: wire.TypeOpen, Status: wire.StatusMoved, From: 4, Head: 5, Low: 1, Seen: [][2]uint64{{5, 5}}}
		got := *open
		got.Room, got.Name, got.Hash, got.Terms = 0, "", chat.Hash{}, wire.Terms{}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(wire.Open{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("it is opened (-want +got):\n%s", diff)
		}
		if hash := carol.view("lobby").hashAt(3); open.Hash != hash {
			t.Errorf("the hash is %v, want %v", open.Hash, hash)
		}
		carol.say("lobby", "five")
		m.wantShown(b)

		bob.say("lobby", "six") // what the client, back there, has not seen; nothing else is new
		carry(b, a)
		if open := m.moves(a); open.Status != wire.StatusMoved {
			t.Errorf("back at home it is opened by %+v", open)
		}
		m.wantShown(a)
	})
}

// TestMovedWithACopy: what its author offered to both nodes is one message, also to somebody who was shown the one and comes to the other.
func TestMovedWithACopy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := shared(t), shared(t)
		bob, carol := a.attach("bob", "lobby"), b.attach("carol", "lobby")
		m := newMover(a, "lobby")
		bob.say("lobby", "one")
		elapse(markEvery + presenceEvery)
		carry(a, b)
		bob.say("lobby", "two") // which does not get over in time
		again := b.newClient("bob again")
		again.key, again.asked = bob.key, "bob"
		again.attach()
		name := wire.OriginName([16]byte(bob.origin))
		p := again.pub("lobby", "two")
		p.Opts.As = &wire.As{Origin: name[:], CSeq: 2}
		again.do(p)
		carry(a, b)
		carol.say("lobby", "three")
		m.w.settle()
		m.look()
		if len(m.ids) != 1 {
			t.Fatalf("%d ids are to be named, want that of one copy", len(m.ids))
		}
		if open := m.moves(b); open.Status != wire.StatusMoved || open.From != 3 {
			t.Errorf("it is opened with status %d from %d, want %d from 3", open.Status, open.From, wire.StatusMoved)
		}
		if texts := m.texts("lobby"); !slices.Equal(texts, []string{"three"}) {
			t.Errorf("shown are %q", texts)
		}
	})
}

// TestMovedWithOnesOwnCopy: what somebody offered to one node, which kept it and did not come to say so, and then to another, which showed it, they are not shown
// again on the first, whose own it is there, before either has heard of the other's.
func TestMovedWithOnesOwnCopy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := shared(t), shared(t)
		alice, bob := a.attach("alice", "lobby"), a.attach("bob", "lobby")
		alice.say("lobby", "hello")
		carry(a, b)
		alice.say("lobby", "mine")
		there := b.newClient("alice there")
		there.key, there.asked = alice.key, "alice"
		there.attach()
		there.submit(&wire.Join{Room: "lobby"})
		name := wire.OriginName([16]byte(alice.origin))
		p := there.pub("lobby", "mine")
		p.Opts.As = &wire.As{Origin: name[:], CSeq: 2}
		there.do(p)
		bob.say("lobby", "news")
		var shown []chat.ID
		for _, row := range b.rows("lobby") {
			shown = append(shown, row.ID)
		}
		for label, test := range map[string]struct {
			key  identity.ID
			pair wire.As
			seen [][2]uint64
		}{
			"its own":               {alice.key, wire.As{Origin: name[:], CSeq: 2}, [][2]uint64{{2, 2}}},
			"one that is not there": {alice.key, wire.As{Origin: name[:], CSeq: 3}, nil},
			"half of one":           {alice.key, wire.As{Origin: name[:5], CSeq: 2}, nil},
			"another's":             {keyOf("mallory"), wire.As{Origin: name[:], CSeq: 2}, nil},
		} {
			back := a.newClient(label)
			back.key, back.asked = test.key, "back"
			back.attach()
			back.do(&wire.Join{Room: "lobby", Moved: &wire.Moved{IDs: shown, Pairs: []wire.As{test.pair}}})
			open := back.view("lobby").opens[0]
			want := uint64(2)
			if test.seen != nil {
				want = 3
			}
			if open.Status != wire.StatusMoved || open.From != want {
				t.Errorf("%s: it is opened with status %d from %d, want %d from %d", label, open.Status, open.From, wire.StatusMoved, want)
			}
			back.leave(true)
		}
	})
}

// TestMovedIsBounded: what a client says that it has seen may be anything; then the room begins anew, or shows a gap, and nobody else notices.
func TestMovedIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := shared(t)
		bob := w.attach("bob", "lobby", "den")
		bob.fill("lobby", 1, 3*markRows, 5)
		elapse(markEvery + presenceEvery)
		marks := bob.view("lobby").marks
		head := marks[len(marks)-1].Heads[0]
		rows := bob.view("lobby").rows
		var many, unknown, odd, repeated []wire.Grown
		for i := range wire.MaxMarkHeads + 1 {
			g := wire.Grown{Log: wire.LogID{1, byte(i), byte(i >> 8)}, Seq: uint64(i)}
			many = append(many, g)
		}
		unknown = many[:wire.MaxMarkHeads]
		odd = append(slices.Clone(many[:100]), wire.Grown{Log: head.Log, Seq: 1 << 60})
		repeated = []wire.Grown{{Log: head.Log, Seq: head.Seq}, {Log: head.Log, Seq: head.Seq - 5}, head}
		var each []chat.ID // of every other row: that is more ranges than can be told
		for i := 0; i < len(rows); i += 2 {
			each = append(each, rows[i].ID)
		}
		for name, test := range map[string]struct {
			room   string
			moved  wire.Moved
			status wire.Status
			from   uint64
			seen   int
		}{
			"nothing at all":         {"lobby", wire.Moved{}, wire.StatusMoved, 1, 0},
			"too many logs":          {"lobby", wire.Moved{Heads: many}, wire.StatusReset, 766, 0},
			"logs that are unknown":  {"lobby", wire.Moved{Heads: unknown}, wire.StatusReset, 766, 0},
			"more than there is":     {"lobby", wire.Moved{Heads: odd}, wire.StatusMoved, 769, 0},
			"one log several times":  {"lobby", wire.Moved{Heads: repeated}, wire.StatusMoved, 764, 0},
			"ids of every other row": {"lobby", wire.Moved{IDs: each}, wire.StatusMoved, 2, 383},
			"ids that are unknown":   {"lobby", wire.Moved{Heads: []wire.Grown{head}, IDs: make([]chat.ID, wire.MaxMovedIDs)}, wire.StatusMoved, 769, 0},
			"too many ids":           {"lobby", wire.Moved{Heads: []wire.Grown{head}, IDs: make([]chat.ID, wire.MaxMovedIDs+1)}, wire.StatusReset, 766, 0},
			"too many pairs":         {"lobby", wire.Moved{Heads: []wire.Grown{head}, Pairs: make([]wire.As, wire.MaxMovedPairs+1)}, wire.StatusReset, 766, 0},
			"an empty room":          {"den", wire.Moved{Heads: unknown}, wire.StatusMoved, 1, 0},
			"of an empty room":       {"den", wire.Moved{}, wire.StatusMoved, 1, 0},
		} {
			c := w.newClient(name)
			c.asked = "mover"
			c.attach()
			c.do(&wire.Join{Room: test.room, Tail: 3, Moved: &test.moved})
			open := c.view(test.room).opens[0]
			if open.Status != test.status || open.From != test.from || len(open.Seen) != test.seen {
				t.Errorf("%s: opened with status %d from %d, %d ranges; want %d, %d, %d", name, open.Status, open.From, len(open.Seen), test.status, test.from, test.seen)
			}
			c.leave(true)
		}
		w.checkHistory()
	})
}

// TestMovedPastWhatCanBe: what a client was told of a log that is far ahead of all that is here hides nothing that comes.
func TestMovedPastWhatCanBe(t *testing.T) {
	for name, test := range map[string]struct {
		ahead uint64
		seen  int
	}{"far": {maxMissed + 1, 0}, "plausible": {1, 1}} {
		bubble(t, func(t *testing.T) {
			w := shared(t)
			alice := w.attach("alice", "lobby")
			alice.say("lobby", "before")
			head := w.hub.Heads("lobby", true)[0]
			m := w.newClient("mover")
			m.attach()
			m.do(&wire.Join{Room: "lobby", Moved: &wire.Moved{Heads: []wire.Grown{{Log: head.Log.ID(), Seq: head.Seq + test.ahead}}}})
			alice.say("lobby", "after")
			w.settle()
			seen := 0
			for _, open := range m.view("lobby").opens {
				seen += len(open.Seen)
			}
			if rows := m.view("lobby").rows; len(rows) != 1 || seen != test.seen {
				t.Errorf("%s: %d rows come, %d ranges of which are said to be known; want 1 and %d", name, len(rows), seen, test.seen)
			}
		})
	}
}

// TestMovedToATrimmedRoom: rows that the client has not seen and that are not kept any more are a gap.
func TestMovedToATrimmedRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := shared(t)
		b := shared(t, func(c *Config) { c.Store, c.Memory = &slowStore{Memory: store.NewMemory(40_000)}, 1 })
		bob := a.attach("bob", "lobby")
		m := newMover(a, "lobby")
		bob.say("lobby", "one")
		elapse(markEvery + presenceEvery)
		a.settle()
		m.look()
		place := m.place()
		b.attach("carol", "lobby")
		bob.fill("lobby", 1, 300, 100)
		carry(a, b)
		c := b.newClient("moved")
		c.attach()
		c.do(&wire.Join{Room: "lobby", Moved: place})
		open := c.view("lobby").opens[0]
		if low, _ := b.store.Low(1); open.Status != wire.StatusGap || open.From != low || low < 10 {
			t.Errorf("opened with status %d from %d, and %d is the first row", open.Status, open.From, low)
		}
	})
}

// TestMovedIntoAPrivateRoom: a place elsewhere lets nobody in, and shows nobody what was before.
func TestMovedIntoAPrivateRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := shared(t)
		owner := w.signer("owner").come("den")
		guest := w.signer("guest").come()
		owner.say("den", "psst")
		owner.wants(owner.act("den", "private"), chat.OK)
		guest.do(&wire.Join{Room: "den", Moved: &wire.Moved{}})
		if open := guest.replies[0].(*wire.Open); open.Code != chat.NotMember {
			t.Errorf("a stranger is answered %+v", open)
		}
		owner.wants(owner.act("den", "invite %v", guest.key), chat.OK)
		owner.say("den", "welcome")
		guest.do(&wire.Join{Room: "den", Moved: &wire.Moved{}})
		if v := guest.view("den"); v.opens[0].Status != wire.StatusGap || v.opens[0].From != 3 {
			t.Errorf("a member is answered %+v", v.opens[0])
		}
		wantTexts(t, guest, "den", "invite "+guest.key.String(), "welcome")
	})
}

// TestMovedIsToldInPieces: of what comes to the node later, and the client has seen every other row of, it is told as much at a time as a record may say.
func TestMovedIsToldInPieces(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const each = 2*wire.MaxSeen + 100
		a, b, c := shared(t), shared(t), shared(t)
		a.attach("alice", "lobby").fill("lobby", 1, each, 5)
		c.attach("carol", "lobby").fill("lobby", 1, each, 5)
		seen, missed := a.hub.Heads("lobby", true)[0], c.hub.Heads("lobby", true)[0]
		m := b.newClient("mover")
		m.attach()
		m.do(&wire.Join{Room: "lobby", Moved: &wire.Moved{Heads: []wire.Grown{{Log: seen.Log.ID(), Seq: seen.Seq}}}})
		ours, theirs := entriesOf(t, a, seen), entriesOf(t, c, missed)
		var runs []Run
		for i := range ours {
			runs = append(runs, Run{Log: seen.Log, First: uint64(i + 1), List: ours[i : i+1]}, Run{Log: missed.Log, First: uint64(i + 1), List: theirs[i : i+1]})
		}
		if got, err := b.hub.OfferAll(a.source(true), runs); err != nil || got[len(got)-1].Head != each {
			t.Fatalf("OfferAll = %+v, %v", got[len(got)-1], err)
		}
		b.settle()
		told, opens := map[uint64]bool{}, m.view("lobby").opens
		for _, open := range opens {
			if len(open.Seen) > wire.MaxSeen {
				t.Errorf("%d ranges in one record", len(open.Seen))
			}
			for _, r := range open.Seen {
				for row := r[0]; row <= r[1]; row++ {
					told[row] = true
				}
			}
		}
		for _, e := range m.view("lobby").rows {
			if mine := e.Seq%2 == 1; told[e.Seq] != mine {
				t.Fatalf("row %d: told to be seen %v, want %v", e.Seq, told[e.Seq], mine)
			}
		}
		if rows := len(m.view("lobby").rows); rows != 2*each || len(opens) < 4 {
			t.Errorf("%d rows, %d opens", rows, len(opens))
		}
	})
}
