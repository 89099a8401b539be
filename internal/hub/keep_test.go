package hub

import (
	"math"
	"slices"
	"testing"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

const day = 24 * time.Hour

func wantKeep(t *testing.T, answer wire.Record, want wire.KeepIs) {
	t.Helper()
	got, ok := answer.(*wire.KeepIs)
	if !ok {
		t.Errorf("answer = %+v, want %+v", answer, want)
		return
	}
	if got.Type = 0; *got != want {
		t.Errorf("kept %+v, want %+v", *got, want)
	}
}

// kept returns what the store has of a room.
func (w *world) kept(name string) (r store.RoomState) {
	w.t.Helper()
	state, err := w.store.Load()
	if err != nil {
		w.t.Fatal(err)
	}
	i := slices.IndexFunc(state.Rooms, func(r store.RoomState) bool { return r.Name == name })
	if i < 0 {
		w.t.Fatalf("the store has no room %q", name)
	}
	return state.Rooms[i]
}

// TestKeep has a room's maker and an admin change how long it is kept, which all others in it are told and nobody else may do.
func TestKeep(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		carol, bob, admin, away := w.attach("carol", "ops"), w.attach("bob", "ops"), w.attach("boss"), w.attach("away")
		admin.leave(true)
		admin = w.newClient("admin")
		admin.asked, admin.admin = "chief", true
		admin.attach()
		laptop := carol.another("laptop")
		laptop.do(&wire.Join{Room: "ops"})
		carol.say("ops", "one")
		if got := w.kept("ops").Owner; got != carol.key {
			t.Fatalf("the room belongs to %v, want who made it", got)
		}
		bounds := &wire.Keep{Room: "ops", Mode: wire.KeepBounds, AgeMS: uint64((90 * day).Milliseconds())}
		wantKeep(t, bob.ask(&wire.Keep{Room: "ops"}), wire.KeepIs{})
		wantFailed(t, bob.ask(bounds), chat.Denied)
		wantFailed(t, bob.ask(&wire.Keep{Room: "ops", Mode: wire.KeepDefault}), chat.Denied)
		wantKeep(t, carol.ask(bounds), wire.KeepIs{Set: true, AgeMS: bounds.AgeMS})
		wantKeep(t, carol.ask(bounds), wire.KeepIs{Set: true, AgeMS: bounds.AgeMS}) // changes nothing, and is not told
		if got := w.kept("ops").Keep; got != (store.Keep{Set: true, Age: 90 * day}) {
			t.Errorf("the store has %+v", got)
		}
		wantKeep(t, admin.ask(&wire.Keep{Room: "ops", Mode: wire.KeepBounds, Size: 1 << 30}), wire.KeepIs{Set: true, Size: 1 << 30})
		wantKeep(t, admin.ask(&wire.Keep{Room: "ops", Mode: wire.KeepBounds}), wire.KeepIs{Set: true})
		wantKeep(t, laptop.ask(&wire.Keep{Room: "ops", Mode: wire.KeepDefault, AgeMS: 5, Size: 5}), wire.KeepIs{})
		w.settle()
		changes := []string{
			"ok carol has it that #ops is kept for 90d", "ok chief has it that #ops is kept up to 1GB", "ok chief has it that #ops is kept for ever",
			"ok carol has it that #ops is kept as long as the node keeps any room",
		}
		for c, want := range map[*client][]string{bob: changes, carol: changes[1:], laptop: changes[:3], admin: nil, away: nil} {
			if got := c.lines(); !slices.Equal(got, want) {
				t.Errorf("%s is told %q, want %q", c.asked, got, want)
			}
		}
		wantKeep(t, carol.ask(&wire.Keep{Room: "ops", Mode: wire.KeepBounds, AgeMS: math.MaxUint64, Size: math.MaxUint64}),
			wire.KeepIs{Set: true, AgeMS: uint64(math.MaxInt64 / time.Millisecond), Size: math.MaxInt64})
		wantFailed(t, carol.ask(&wire.Keep{Room: "ops", Mode: 3}), chat.Unsupported)
		wantFailed(t, carol.ask(&wire.Keep{Room: "attic"}), chat.NoSuchRoom)
		wantFailed(t, carol.ask(&wire.Keep{Room: "@"}), chat.NoSuchUser)
	})
}

// TestKeepOfAConversation may be asked and is nobody's to change, not even an admin's.
func TestKeepOfAConversation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		carol := w.newClient("carol")
		carol.admin = true
		carol.attach()
		w.attach("bob")
		wantKeep(t, carol.ask(&wire.Keep{Room: "@bob"}), wire.KeepIs{})
		wantFailed(t, carol.ask(&wire.Keep{Room: "@bob", Mode: wire.KeepBounds, Size: 1}), chat.Denied)
		carol.say("@bob", "hi")
		wantKeep(t, carol.ask(&wire.Keep{Room: "@bob"}), wire.KeepIs{})
		wantFailed(t, carol.ask(&wire.Keep{Room: "@bob", Mode: wire.KeepBounds, Size: 1}), chat.Denied)
		if state, _ := w.store.Load(); len(state.Rooms) != 1 || !state.Rooms[0].Owner.IsZero() {
			t.Errorf("a conversation belongs to somebody: %+v", state.Rooms)
		}
	})
}

// TestKeepOfANewRoom is written with the first row, and forgotten with a room that nobody said anything in.
func TestKeepOfANewRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		carol := w.attach("carol", "ops", "attic")
		for _, room := range []string{"ops", "attic"} {
			wantKeep(t, carol.ask(&wire.Keep{Room: room, Mode: wire.KeepBounds, Size: 5}), wire.KeepIs{Set: true, Size: 5})
		}
		carol.say("ops", "one")
		carol.do(&wire.Part{Room: "attic"})
		wantFailed(t, carol.ask(&wire.Keep{Room: "attic"}), chat.NoSuchRoom)
		w.end()
		w2 := newWorld(t, func(c *Config) { c.Store = &slowStore{Memory: w.store.Memory} })
		carol2 := w2.attach("carol")
		wantKeep(t, carol2.ask(&wire.Keep{Room: "ops"}), wire.KeepIs{Set: true, Size: 5})
		wantKeep(t, carol2.ask(&wire.Keep{Room: "ops", Mode: wire.KeepDefault}), wire.KeepIs{}) // still hers
	})
}
