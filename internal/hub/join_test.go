package hub

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// smallStore gives a hub a store that keeps few rows, and no memory for segments beside it.
func smallStore(bytes int64) func(*Config) {
	return func(c *Config) {
		c.Store, c.Memory = &slowStore{Memory: store.NewMemory(bytes)}, 1
	}
}

// fill publishes n rows, each named by its number from first on, of size bytes.
func (c *client) fill(room string, first, n, size int) {
	c.t.Helper()
	for i := range n {
		c.submit(c.pub(room, fmt.Sprintf("%d %s", first+i, strings.Repeat("x", size))))
		if i%16 == 15 {
			c.w.settle()
		}
	}
	c.w.settle()
}

// hashAt returns the rolling hash after a row as a client that has seen all rows counts it.
func (v *view) hashAt(seq uint64) (h chat.Hash) {
	for _, r := range v.rows[:seq] {
		h = h.Next(r.ID)
	}
	return h
}

func TestOpen(t *testing.T) {
	tests := map[string]struct {
		tail   uint64
		cursor func(good wire.Cursor) *wire.Cursor // good is that of row 6
		want   wire.Open
	}{
		"new":                {want: wire.Open{From: 11}},
		"tail":               {tail: 3, want: wire.Open{From: 8}},
		"tail beyond all":    {tail: 99, want: wire.Open{From: 1}},
		"cursor":             {tail: 3, cursor: func(c wire.Cursor) *wire.Cursor { return &c }, want: wire.Open{From: 7}},
		"cursor at 0":        {cursor: func(c wire.Cursor) *wire.Cursor { return &wire.Cursor{Epoch: c.Epoch} }, want: wire.Open{From: 1}},
		"cursor of an epoch": {tail: 3, cursor: func(c wire.Cursor) *wire.Cursor { c.Epoch++; return &c }, want: wire.Open{Status: wire.StatusReset, Why: wire.WhyEpoch, From: 8}},
		"cursor ahead":       {tail: 3, cursor: func(c wire.Cursor) *wire.Cursor { c.Seq = 11; return &c }, want: wire.Open{Status: wire.StatusReset, Why: wire.WhyAhead, From: 8}},
		"cursor of a hash":   {tail: 3, cursor: func(c wire.Cursor) *wire.Cursor { c.Hash[0]++; return &c }, want: wire.Open{Status: wire.StatusReset, Why: wire.WhyHash, From: 8}},
		"cursor 0, hash":     {cursor: func(c wire.Cursor) *wire.Cursor { c.Seq = 0; return &c }, want: wire.Open{Status: wire.StatusReset, Why: wire.WhyHash, From: 11}},
		"epoch before ahead": {cursor: func(c wire.Cursor) *wire.Cursor { c.Epoch++; c.Seq = 99; return &c }, want: wire.Open{Status: wire.StatusReset, Why: wire.WhyEpoch, From: 11}},
	}
	for name, tt := range tests {
		for _, memory := range []int64{1, 8 << 20} {
			t.Run(fmt.Sprint(name, ", memory ", memory), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w := newWorld(t, func(c *Config) { c.Memory = memory })
					alice := w.attach("alice", "lobby")
					alice.fill("lobby", 1, 10, 10)
					topic := alice.pub("lobby", "ten")
					topic.Kind = chat.Topic
					all := alice.view("lobby")
					bob := w.attach("bob")
					join := &wire.Join{Room: "lobby", Tail: tt.tail}
					if tt.cursor != nil {
						join.Cursor = tt.cursor(wire.Cursor{Epoch: w.hub.Epoch(), Seq: 6, Hash: all.hashAt(6)})
					}
					bob.do(join)
					want := tt.want
					want.Type, want.Room, want.Name, want.Head, want.Low, want.Hash = wire.TypeOpen, all.room, "lobby", 10, 1, all.hashAt(want.From-1)
					got := bob.view("lobby")
					if diff := cmp.Diff(&want, got.opens[0], cmpopts.IgnoreUnexported(wire.Open{}), cmpopts.EquateEmpty()); diff != "" {
						t.Errorf("Open (-want +got):\n%s", diff)
					}
					alice.do(topic)
					if len(got.opens) != 1 || got.next != 12 || got.hash != all.hash {
						t.Errorf("after %d Opens, bob is before row %d with hash %x; want 1, 12, %x", len(got.opens), got.next, got.hash, all.hash)
					}
					if topic := w.attach("carol", "lobby").view("lobby").opens[0].Topic; topic != "ten" {
						t.Errorf("topic = %q", topic)
					}
				})
			})
		}
	}
}

// TestOpenWhereRowsAreGone joins a room whose first rows are not kept any more.
func TestOpenWhereRowsAreGone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, smallStore(64<<10))
		alice := w.attach("alice", "lobby")
		alice.fill("lobby", 1, 100, 1000)
		all := alice.view("lobby")
		low, _ := w.store.Low(all.room)
		if low < 20 {
			t.Fatalf("low = %d: the store has not trimmed", low)
		}
		cursor := func(seq uint64) *wire.Cursor {
			return &wire.Cursor{Epoch: w.hub.Epoch(), Seq: seq, Hash: all.hashAt(seq)}
		}
		tests := map[string]struct {
			join wire.Join
			want wire.Open
		}{
			"tail":               {wire.Join{Tail: 500}, wire.Open{From: low}},
			"cursor long gone":   {wire.Join{Cursor: cursor(7)}, wire.Open{Status: wire.StatusGap, From: low}},
			"cursor at 0":        {wire.Join{Cursor: cursor(0)}, wire.Open{Status: wire.StatusGap, From: low}},
			"cursor just gone":   {wire.Join{Cursor: cursor(low - 2)}, wire.Open{Status: wire.StatusGap, From: low}},
			"cursor before low":  {wire.Join{Cursor: cursor(low - 1)}, wire.Open{From: low}},
			"cursor at low":      {wire.Join{Cursor: cursor(low)}, wire.Open{From: low + 1}},
			"cursor at the head": {wire.Join{Cursor: cursor(100)}, wire.Open{From: 101}},
			"reset and gone":     {wire.Join{Tail: 500, Cursor: &wire.Cursor{Epoch: 1}}, wire.Open{Status: wire.StatusReset, Why: wire.WhyEpoch, From: low}},
		}
		for name, tt := range tests {
			bob := w.newClient("bob")
			bob.attach()
			tt.join.Room = "lobby"
			bob.do(&tt.join)
			got := bob.view("lobby")
			want := tt.want
			want.Type, want.Room, want.Name, want.Head, want.Low, want.Hash = wire.TypeOpen, all.room, "lobby", 100, low, all.hashAt(want.From-1)
			if diff := cmp.Diff([]*wire.Open{&want}, got.opens, cmpopts.IgnoreUnexported(wire.Open{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: Opens (-want +got):\n%s", name, diff)
			}
			if got.next != 101 || got.hash != all.hash {
				t.Errorf("%s: ends before row %d with hash %x", name, got.next, got.hash)
			}
			bob.leave(true)
		}
	})
}

// TestLiveSubscriptionFallsBehind stops reading until the rows to come are gone: a new Open says so.
func TestLiveSubscriptionFallsBehind(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, smallStore(64<<10))
		alice, bob := w.attach("alice", "lobby"), w.attach("bob", "lobby")
		alice.fill("lobby", 1, 10, 1000)
		bob.stuck = true
		alice.fill("lobby", 11, 200, 1000)
		room := alice.view("lobby")
		low, _ := w.store.Low(room.room)
		bob.stuck = false
		w.settle()
		got := bob.view("lobby")
		if len(got.opens) != 2 {
			t.Fatalf("%d Opens, want 2", len(got.opens))
		}
		want := &wire.Open{Type: wire.TypeOpen, Room: room.room, Name: "lobby", Status: wire.StatusGap, From: low, Low: low, Head: 210, Hash: room.hashAt(low - 1)}
		if diff := cmp.Diff(want, got.opens[1], cmpopts.IgnoreUnexported(wire.Open{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("Open (-want +got):\n%s", diff)
		}
		if got.next != 211 || got.hash != room.hash {
			t.Errorf("bob ends before row %d with hash %x, want 211, %x", got.next, got.hash, room.hash)
		}
		w.checkHistory()
	})
}

// TestHashGoesOnAcrossPagesAndSegments reads a long log with windows of many sizes.
func TestHashGoesOnAcrossPagesAndSegments(t *testing.T) {
	for _, memory := range []int64{1, 40 << 10, 8 << 20} {
		for _, soft := range []int{1, 700, 4 << 10, 64 << 10} {
			t.Run(fmt.Sprint("memory ", memory, " soft ", soft), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w := newWorld(t, func(c *Config) { c.Memory = memory })
					alice := w.attach("alice", "lobby")
					for i := range 300 {
						alice.fill("lobby", i, 1, i*i%(7<<10))
					}
					bob := w.attach("bob")
					bob.soft, bob.hard = soft, max(soft, 1000)
					bob.do(&wire.Join{Room: "lobby", Cursor: &wire.Cursor{Epoch: w.hub.Epoch()}})
					if !slices.Equal(bob.texts("lobby"), alice.texts("lobby")) || bob.view("lobby").hash != alice.view("lobby").hash {
						t.Errorf("bob has %d rows and alice %d", len(bob.texts("lobby")), len(alice.texts("lobby")))
					}
					w.checkHistory()
				})
			})
		}
	}
}

func TestJoinIsDenied(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice")
		for i := range chat.MaxRooms {
			alice.submit(&wire.Join{Room: fmt.Sprint("room", i)})
			if i%32 == 0 {
				w.settle()
			}
		}
		w.settle()
		if len(alice.views) != chat.MaxRooms {
			t.Fatalf("in %d rooms, want %d", len(alice.views), chat.MaxRooms)
		}
		alice.do(&wire.Join{Room: "onemore"}, &wire.Join{Room: "room3"}, &wire.Join{Room: "a b"}, &wire.Join{Room: ""}, &wire.Join{Room: "@nobody"},
			&wire.Part{Room: "room0"}, &wire.Join{Room: "a b"}, &wire.Join{Room: "onemore"}, &wire.Join{Room: "@alice"})
		var got []string
		for _, r := range alice.replies {
			o := r.(*wire.Open)
			if o.Room != 0 || o.Status != wire.StatusDenied {
				t.Errorf("%+v, want denied and no number", o)
			}
			got = append(got, fmt.Sprint(o.Name, ": ", o.Code))
		}
		want := []string{"onemore: too_many_rooms", "a b: too_many_rooms", ": too_many_rooms", "@nobody: no_such_user", "a b: bad_room"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("denied (-want +got):\n%s", diff)
		}
		if len(alice.view("room3").opens) != 2 || alice.views["onemore"] == nil || alice.views["@alice"] == nil {
			t.Error("a join that is allowed was not answered")
		}
	})
}

// TestJoinAgain subscribes anew: the rows come again from where the second join says.
func TestJoinAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice", "lobby")
		alice.fill("lobby", 1, 5, 1)
		alice.do(&wire.Join{Room: "lobby", Tail: 2})
		alice.say("lobby", "six")
		v := alice.view("lobby")
		if len(v.opens) != 2 || len(v.rows) != 8 || v.rows[5].Seq != 4 {
			t.Errorf("%d Opens, %d rows", len(v.opens), len(v.rows))
		}
		if r := w.hub.rooms["lobby"]; r.subs != 1 || len(r.members) != 1 || alice.session.joined != 1 {
			t.Errorf("the room counts %d subscriptions, the session %d rooms", r.subs, alice.session.joined)
		}
		w.checkHistory()
	})
}

// TestPart ends after the rows before it, whatever follows in the same batch and however early the session's writer comes.
func TestPart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.newClient("alice")
		alice.soft = 1
		g := alice.guest()
		eager := false
		g.Wake = func() {
			if eager {
				alice.drain() // on the sequencer's own goroutine: as early as can be
			}
		}
		if err := alice.tryAttach(g); err != nil {
			t.Fatal(err)
		}
		alice.do(&wire.Join{Room: "lobby"})
		eager = true
		alice.submit(alice.pub("lobby", "one"), alice.pub("lobby", "two"), &wire.Part{Room: "lobby"}, alice.pub("lobby", "three"), &wire.Part{Room: "lobby"}, &wire.Part{Room: "@bob"})
		w.settle()
		eager = false
		wantTexts(t, alice, "lobby", "one", "two")
		if alice.view("lobby").closed != 1 || len(alice.open) != 0 {
			t.Errorf("closed %d times, want once", alice.view("lobby").closed)
		}
		var got []string
		for _, r := range alice.replies {
			c := r.(*wire.Closed)
			got = append(got, fmt.Sprint(c.Room, c.Name, " ", c.Code))
		}
		if diff := cmp.Diff([]string{"0lobby not_joined", "0@bob not_joined"}, got); diff != "" {
			t.Errorf("other Closed (-want +got):\n%s", diff)
		}
		alice.do(&wire.Join{Room: "lobby", Tail: 9})
		wantTexts(t, alice, "lobby", "one", "two", "one", "two", "three")
	})
}

// TestPartBeforeAnythingIsTaken joins, parts and joins while nothing is read: every step is answered in its order.
func TestPartBeforeAnythingIsTaken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice"), w.attach("bob", "lobby")
		bob.fill("lobby", 1, 3, 1)
		alice.stuck = true
		alice.submit(&wire.Join{Room: "lobby", Tail: 1}, &wire.Part{Room: "lobby"})
		w.settle()
		bob.say("lobby", "between")
		alice.submit(&wire.Join{Room: "lobby", Tail: 1}, &wire.Join{Room: "lobby", Tail: 2})
		bob.say("lobby", "after")
		alice.stuck = false
		w.settle()
		var got []string
		for _, r := range alice.order {
			switch r := r.(type) {
			case *wire.Open:
				got = append(got, fmt.Sprint("open ", r.From))
			case *wire.Event:
				got = append(got, fmt.Sprint("row ", r.Seq))
			case *wire.Closed:
				got = append(got, "closed")
			}
		}
		want := []string{"open 3", "row 3", "closed", "open 4", "open 3", "row 3", "row 4", "row 5"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
	})
}

// TestRoomVanishes leaves a room without rows: it is as if it had never been.
func TestRoomVanishes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice", "empty", "used"), w.attach("bob", "empty")
		alice.say("used", "kept")
		num := alice.view("empty").room
		alice.do(&wire.Part{Room: "empty"}, &wire.Part{Room: "used"})
		if w.hub.rooms["empty"] == nil {
			t.Error("a room vanished with somebody in it")
		}
		bob.leave(false)
		w.settle()
		if w.hub.rooms["empty"] != nil || w.hub.rooms["used"] == nil {
			t.Errorf("rooms left: %v, want only the used one", w.hub.rooms)
		}
		alice.do(&wire.Join{Room: "empty"})
		if alice.view("empty").room == num {
			t.Error("the number of a room that vanished was given again")
		}
		// Conversations too.
		bob.attach()
		alice.do(&wire.Join{Room: "@bob"}, &wire.Part{Room: "@bob"}, &wire.Part{Room: "@alice"})
		if len(w.hub.directs) != 0 || len(alice.session.account.directs) != 0 || len(bob.session.account.directs) != 0 {
			t.Errorf("%d conversations without a row are left", len(w.hub.directs))
		}
	})
}

// TestRecordsFitTheWindow joins and parts with every window from nothing to all: no write is larger than it may be.
func TestRecordsFitTheWindow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice"), w.attach("bob")
		bob.say("lobby", "one")
		alice.stuck = true
		for hard := range 300 {
			alice.submit(&wire.Join{Room: "lobby", Tail: 1}, &wire.Part{Room: "lobby"})
			w.settle()
			for alice.take(hard, hard) {
			}
		}
		if v := alice.view("lobby"); len(v.opens) != 300 || v.count != 300 || v.closed != 300 {
			t.Errorf("%d Opens, %d rows, %d Closed, want 300 of each", len(v.opens), v.count, v.closed)
		}
	})
}
