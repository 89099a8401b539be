package hub

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// redact returns the client's next publish: the act that takes a message's text away.
func (c *client) redact(room string, row *wire.Event) *wire.Pub {
	p := c.act(room, "redact %v", row.ID)
	p.Opts.Row = row.Seq
	return p
}

// last returns the row that the client was shown last.
func (c *client) last(room string) *wire.Event {
	c.t.Helper()
	rows := c.view(room).rows
	return rows[len(rows)-1]
}

// isGone reports whether an event says nothing any more, and its id still fits the row that it was.
func isGone(h *Hub, e *wire.Event) bool {
	header := chat.Header{Epoch: h.epoch, Room: e.Room, Seq: e.Seq, From: e.From, CSeq: e.CSeq, Time: e.Time, Kind: e.Kind, Name: e.Name}
	return len(e.Body) == 0 && len(e.Opts.Gone) == 32 && header.IDOf([32]byte(e.Opts.Gone)) == e.ID
}

// TestRedactByRole: everybody may take their own text away, and who has a role those of people below them; and never twice.
func TestRedactByRole(t *testing.T) {
	roles := map[string]int{"guest": 0, "mod": 1, "owner": 2, "admin": 3}
	for by, rank := range roles {
		for of, other := range map[string]int{"guest": 0, "guest2": 0, "mod": 1, "mod2": 1, "owner": 2, "admin": 3} {
			t.Run(by+" of "+of, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					h := newHouse(t)
					people := map[string]*client{"guest": h.guest, "mod": h.mod, "owner": h.owner, "admin": h.admin, "guest2": h.guest2, "mod2": h.mod2}
					people[of].wants(people[of].pub("room", "a secret"), chat.OK)
					row := h.guest2.last("room")
					want := chat.OK
					if by != of && rank <= other {
						want = chat.NotAllowed
					}
					people[by].wants(people[by].redact("room", row), want)
					got := h.rows("room")[row.Seq-1]
					if isGone(h.hub, got) != (want == chat.OK) || got.ID != row.ID {
						t.Errorf("the row is %q, %+v", got.Body, got.Opts)
					}
					if want == chat.OK {
						if act := h.guest2.last("room"); act.Kind != chat.Act || act.Opts.Row != row.Seq || string(act.Body) != "redact "+row.ID.String() {
							t.Errorf("others are told %q, %+v", act.Body, act.Opts)
						}
						people[by].wants(people[by].redact("room", row), chat.BadAct)
					}
				})
			})
		}
	}
}

// TestRedactOf: what is not there, has no text of its own, or is somewhere else can't be taken away, and nothing changes.
func TestRedactOf(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.owner.wants(h.owner.pub("other", "elsewhere"), chat.OK)
		h.owner.do(&wire.Join{Room: "other", Tail: 1})
		elsewhere := h.owner.last("other")
		h.guest.wants(h.guest.pub("room", "mine"), chat.OK)
		mine := *h.owner.last("room")
		topic := h.owner.pub("room", "a topic")
		topic.Kind = chat.Topic
		h.owner.wants(topic, chat.OK)
		topicRow := h.owner.last("room")
		actRow := h.owner.view("room").rows[1]
		if actRow.Kind != chat.Act {
			t.Fatalf("row 2 is %v", actRow.Kind)
		}
		before := h.rows("room")
		with := func(change func(e *wire.Event)) *wire.Event {
			e := mine
			change(&e)
			return &e
		}
		for name, row := range map[string]*wire.Event{
			"no such row":    with(func(e *wire.Event) { e.Seq = 1000 }),
			"no number":      with(func(e *wire.Event) { e.Seq = 0 }),
			"a huge number":  with(func(e *wire.Event) { e.Seq = 1<<64 - 1 }),
			"another's id":   with(func(e *wire.Event) { e.ID[0]++ }),
			"no id":          with(func(e *wire.Event) { e.ID = chat.ID{} }),
			"another row":    with(func(e *wire.Event) { e.Seq-- }),
			"another room's": elsewhere,
			"a topic":        topicRow,
			"an act":         actRow,
		} {
			if got, _ := h.owner.gets(h.owner.redact("room", row)); got != chat.BadAct {
				t.Errorf("%s: %v, want bad_act", name, got)
			}
		}
		p := h.owner.act("room", "readonly")
		p.Opts.Row = mine.Seq
		h.owner.wants(p, chat.BadAct)
		p = h.owner.redact("room", &mine)
		p.Opts.Sig[70] ^= 1
		h.owner.wants(p, chat.BadSignature)
		h.owner.wants(h.owner.redact("nowhere", &mine), chat.NoSuchRoom)
		h.owner.wants(h.owner.redact("@nobody", &mine), chat.NoSuchUser)
		if after := h.rows("room"); len(after) != len(before) || string(after[mine.Seq-1].Body) != "mine" {
			t.Errorf("%d rows, before %d; the row says %q", len(after), len(before), after[mine.Seq-1].Body)
		}
		// Who is muted does no act; who is banned neither; in an archived room, and a read-only one, what must go can.
		h.owner.wants(h.owner.act("room", "mute %v 0s", h.guest.key), chat.OK)
		h.guest.wants(h.guest.redact("room", &mine), chat.Muted)
		h.owner.wants(h.owner.act("room", "ban %v 0s", h.guest.key), chat.OK)
		h.guest.wants(h.guest.redact("room", &mine), chat.Banned)
		h.owner.wants(h.owner.act("room", "archive"), chat.OK)
		h.mod.wants(h.mod.redact("room", &mine), chat.OK)
		if !isGone(h.hub, h.rows("room")[mine.Seq-1]) {
			t.Error("the row is still there")
		}
	})
}

// TestRedactInConversation: of the two each takes away what is their own, an admin too.
func TestRedactInConversation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		carol, bob := w.signer("carol"), w.signer("bob")
		carol.admin = true
		carol.come("@")
		bob.come("@")
		carol.wants(carol.pub("@bob", "from carol"), chat.OK)
		bob.wants(bob.pub("@carol", "from bob"), chat.OK)
		rows := carol.view("@bob").rows
		carol.wants(carol.redact("@bob", rows[1]), chat.NotAllowed)
		bob.wants(bob.redact("@carol", rows[0]), chat.NotAllowed)
		bob.wants(bob.redact("@carol", rows[1]), chat.OK)
		carol.wants(carol.redact("@bob", rows[0]), chat.OK)
		carol.wants(carol.act("@bob", "readonly"), chat.NotAllowed)
		if act := bob.last("@carol"); act.Kind != chat.Act || act.Opts.Row != 1 {
			t.Errorf("bob is told %+v", act)
		}
		again := bob.another("again")
		again.do(&wire.Join{Room: "@", Tail: 10})
		for i, e := range again.view("@carol").rows {
			if i < 2 && !isGone(w.hub, e) {
				t.Errorf("row %d says %q", i+1, e.Body)
			}
		}
	})
}

// TestRedactedIsReadByNobody: who is far behind, resumes, joins, asks for the history or searches gets no text, from memory or from the store.
func TestRedactedIsReadByNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		const text = "the secret is lynx"
		for i := range 50 {
			h.guest.wants(h.guest.pub("room", fmt.Sprintf("before %d %s", i, strings.Repeat("x", 500))), chat.OK)
			h.skip(time.Minute)
		}
		h.guest2.stuck = true
		h.guest.wants(h.guest.pub("room", text), chat.OK)
		row := h.mod.last("room")
		cursor := h.mod2.cursor("room")
		cursor.Seq, cursor.Hash = row.Seq-1, func() (hash chat.Hash) {
			for _, e := range h.mod2.view("room").rows[:row.Seq-1] {
				hash = hash.Next(e.ID)
			}
			return hash
		}()
		h.guest.wants(h.guest.pub("room", "behind it"), chat.OK)
		h.mod.wants(h.mod.redact("room", row), chat.OK)
		h.guest.wants(h.guest.pub("room", "the last"), chat.OK)

		h.guest2.stuck = false
		h.settle()
		late := h.attach("late")
		late.do(&wire.Join{Room: "room", Tail: 10})
		resumed := h.attach("resumed")
		resumed.do(&wire.Join{Room: "room", Cursor: cursor})
		for _, c := range []*client{h.guest2, late, resumed} {
			seen := false
			for _, e := range c.view("room").rows {
				if bytes.Contains(e.Body, []byte("lynx")) {
					t.Errorf("%s reads %q", c.asked, e.Body)
				}
				seen = seen || e.Seq == row.Seq && isGone(h.hub, e)
			}
			if !seen || c.last("room").Seq != h.mod.last("room").Seq {
				t.Errorf("%s has seen what is left of the row: %v; the last row is %d", c.asked, seen, c.last("room").Seq)
			}
		}
		page, err := late.session.history(&wire.History{Room: "room", N: 10})
		if err != nil || bytes.Contains(wire.Must(nil, page), []byte("lynx")) || len(page.(*wire.HistoryIs).Events) != 10 {
			t.Errorf("the history: %+v, %v", page, err)
		}
		found, err := late.session.search(&wire.Search{Words: "lynx", N: 10})
		if err != nil || len(found.(*wire.SearchIs).Events) > 0 {
			t.Errorf("found %+v, %v", found, err)
		}
	})
}

// TestRedactTwiceInOneBatch: the first one counts.
func TestRedactTwiceInOneBatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.guest.wants(h.guest.pub("room", "mine"), chat.OK)
		row := h.mod.last("room")
		release := h.store.block()
		h.owner.submit(h.owner.pub("room", "the batch before"))
		h.settle()
		batches := h.store.batches(func() {
			h.mod.submit(h.mod.redact("room", row))
			h.owner.submit(h.owner.redact("room", row))
			release()
			h.settle()
		})
		redactions := 0
		for _, b := range batches {
			redactions += len(b.Redactions)
		}
		if last, ok := h.owner.answers[len(h.owner.answers)-1].(*wire.Refused); !ok || last.Code != chat.BadAct || redactions != 1 {
			t.Errorf("%d redactions, the second one got %+v", redactions, h.owner.answers[len(h.owner.answers)-1])
		}
	})
}

// TestBudgetOfDroppedSegments: what memory forgets because of a redaction, it has room for again.
func TestBudgetOfDroppedSegments(t *testing.T) {
	b, r := budget{limit: 1 << 20}, newRoom(store.Room{Num: 1})
	record := wire.Must(nil, &wire.Event{Room: 1, Body: make([]byte, 1000)})
	for seq := range uint64(100) {
		b.wrote(r, r.log.append(seq+1, record))
	}
	full := b.used
	b.gave(r)(r.log.drop(50))
	if seg := r.log.find(50); seg != nil || b.used >= full || b.used <= 0 || r.log.find(100) == nil {
		t.Errorf("row 50 is in %+v; %d bytes of %d are used", seg, b.used, full)
	}
	b.gave(r)(r.log.drop(100))
	if b.used != 0 || r.written != nil || b.rooms.Len() != 0 || r.log.find(100) != nil {
		t.Errorf("%d bytes are used by nothing, %v", b.used, r.written)
	}
	b.gave(r)(r.log.drop(100)) // again
	b.wrote(r, r.log.append(101, record))
	if b.used == 0 || b.rooms.Len() != 1 || r.log.find(101) == nil || r.log.find(100) != nil {
		t.Errorf("%d bytes are used, by %d rooms", b.used, b.rooms.Len())
	}
}
