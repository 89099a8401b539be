package hub

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// presence takes what a client has been told of presence since the last call, and writes it shortly: "lobby 2 all: alice bob",
// "lobby 2 here: bob gone: carol". Who is away has a "-" behind the name.
func (c *client) presence() (out []string) {
	c.t.Helper()
	for _, r := range c.control {
		p, ok := r.(*wire.Presence)
		if !ok {
			continue
		}
		for _, raw := range p.Rooms {
			room, err := wire.DecodeRoomPresence(raw)
			if err != nil {
				c.t.Fatal(err)
			}
			s := fmt.Sprint(room.Room, " ", room.Count)
			if room.Snapshot {
				s += " all:" + people(room.Here, room.Away)
			} else {
				if len(room.Here) > 0 {
					s += " here:" + people(room.Here, room.Away)
				}
				if len(room.Gone) > 0 {
					s += " gone:" + people(room.Gone, nil)
				}
			}
			out = append(out, s)
		}
	}
	c.control = nil
	slices.Sort(out)
	return out
}

func people(all []wire.Person, away []uint64) string {
	var names []string
	for i, p := range all {
		if slices.Contains(away, uint64(i)) {
			p.Name += "-"
		}
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return " " + strings.Join(names, " ")
}

// wantPresence waits for the next tick and compares what a client is told then.
func wantPresence(t *testing.T, c *client, want ...string) {
	t.Helper()
	elapse(presenceEvery)
	c.w.settle()
	if diff := cmp.Diff(want, c.presence()); diff != "" {
		t.Errorf("presence told to %s (-want +got):\n%s", c.asked, diff)
	}
}

func (c *client) watch(rooms ...string) {
	c.t.Helper()
	if err := c.session.Watch(rooms); err != nil {
		c.t.Fatal(err)
	}
	c.w.settle()
}

func TestPresence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice", "lobby", "attic"), w.attach("bob", "lobby")
		elapse(presenceEvery)
		alice.watch("lobby", "attic", "nowhere", "lobby")
		if diff := cmp.Diff([]string{"attic 1 all: alice", "lobby 2 all: alice bob"}, alice.presence()); diff != "" {
			t.Errorf("at once (-want +got):\n%s", diff)
		}
		wantPresence(t, alice)

		carol := w.attach("carol", "lobby", "attic")
		if got := alice.presence(); len(got) > 0 {
			t.Errorf("told before the tick: %v", got)
		}
		wantPresence(t, alice, "attic 2 here: carol", "lobby 3 here: carol")
		wantPresence(t, bob)

		bob.do(&wire.Nick{Name: "robert"})
		carol.do(&wire.Part{Room: "attic"})
		wantPresence(t, alice, "attic 1 gone: carol", "lobby 3 here: robert")

		bob.asked = "robert"
		laptop := bob.another("laptop") // a second session of one key is no second person
		laptop.do(&wire.Join{Room: "lobby"})
		wantPresence(t, alice)
		bob.leave(false)
		wantPresence(t, alice)
		laptop.leave(true)
		wantPresence(t, alice, "lobby 2 gone: robert")

		dave := w.attach("dave", "lobby") // here and gone again between two ticks
		dave.leave(true)
		wantPresence(t, alice, "lobby 2 gone: dave")

		alice.do(&wire.Join{Room: "lobby"}) // joining again keeps watching
		carol.leave(true)
		wantPresence(t, alice, "lobby 1 here: alice gone: carol")

		alice.watch("attic")
		alice.presence()
		w.attach("erin", "lobby", "attic")
		wantPresence(t, alice, "attic 2 here: erin")
		alice.do(&wire.Part{Room: "attic"})
		alice.watch()
		alice.presence()
		w.attach("frank", "attic")
		wantPresence(t, alice)
	})
}

// TestPresenceOfARoomThatWasLeft parts a room that is watched.
func TestPresenceOfARoomThatWasLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice", "lobby")
		alice.watch("lobby")
		elapse(presenceEvery)
		w.settle()
		alice.presence()
		alice.do(&wire.Part{Room: "lobby"})
		w.attach("bob", "lobby")
		wantPresence(t, alice)
		alice.do(&wire.Join{Room: "lobby"})
		wantPresence(t, alice)
		if r := w.hub.rooms["lobby"]; len(r.watchers) != 0 || len(alice.session.watched) != 0 {
			t.Errorf("%d watch the room still", len(r.watchers))
		}
	})
}

// TestPresenceNotTaken lets a session sleep: instead of a queue of differences it gets one snapshot.
func TestPresenceNotTaken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice", "lobby", "attic")
		alice.watch("lobby", "attic")
		wantPresence(t, alice, "attic 1 all: alice", "attic 1 here: alice", "lobby 1 all: alice", "lobby 1 here: alice")
		alice.stuck = true
		for i := range 100 {
			c := w.attach(fmt.Sprint("p", i), "lobby")
			elapse(presenceEvery)
			c.leave(true)
			elapse(presenceEvery)
		}
		w.attach("bob", "lobby")
		elapse(presenceEvery)
		alice.stuck = false
		wantPresence(t, alice, "attic 1 all: alice", "lobby 2 all: alice bob")
	})
}

// TestPresenceOfACrowd tells only the number of many people, and that seldom.
func TestPresenceOfACrowd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice", "lobby")
		alice.watch("lobby")
		wantPresence(t, alice, "lobby 1 all: alice", "lobby 1 here: alice")
		var all []*client
		for i := range crowd - 1 {
			all = append(all, w.newClient(fmt.Sprint("p", i)))
			all[i].attach()
			all[i].submit(&wire.Join{Room: "lobby"})
		}
		elapse(presenceEvery)
		w.settle()
		if got := alice.presence(); len(got) != 1 || !strings.HasPrefix(got[0], "lobby 500 all: alice p0 p1 ") {
			t.Errorf("presence of a full room = %.80v", got)
		}
		last := w.attach("last", "lobby")
		wantPresence(t, alice, "lobby 501 all: ")
		all[0].leave(true)
		last.leave(true)
		last.attach()
		last.do(&wire.Join{Room: "lobby"})
		more := w.attach("more", "lobby")
		for range countEvery/presenceEvery - 1 {
			wantPresence(t, alice)
		}
		wantPresence(t, alice, "lobby 501 all: ")
		more.leave(true)
		elapse(presenceEvery)
		w.settle()
		if got := alice.presence(); len(got) != 1 || !strings.Contains(got[0], "500 all: alice last p1 ") {
			t.Errorf("presence of a room that is no crowd any more = %.80v", got)
		}
	})
}

// TestPresenceFitsItsRecord has people with the longest names there can be.
func TestPresenceFitsItsRecord(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		var rooms []string
		for i := range chat.MaxWatched {
			rooms = append(rooms, fmt.Sprint("room", i))
		}
		name := strings.Repeat("\U00010400", chat.MaxName-3)
		for i := range 450 {
			c := w.newClient(fmt.Sprint("p", i))
			c.asked = fmt.Sprintf("%s%03d", name, i)
			c.attach()
			for _, room := range rooms {
				c.submit(&wire.Join{Room: room})
			}
			if i%50 == 0 {
				w.settle()
			}
		}
		w.settle()
		alice := w.clients[0]
		alice.watch(append(rooms, "onemore")...)
		if got := alice.presence(); len(got) != len(rooms) {
			t.Errorf("told of %d rooms, want %d", len(got), len(rooms))
		}
	})
}

func TestNoticesAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice")
		alice.stuck = true
		for i := range 3 * maxNotices {
			alice.session.notice(chat.OK, fmt.Sprint(i))
		}
		alice.stuck = false
		w.settle()
		if len(alice.control) != maxNotices {
			t.Fatalf("%d notices, want %d", len(alice.control), maxNotices)
		}
		if got := alice.control[0].(*wire.Notice).Text; got != fmt.Sprint(2*maxNotices) {
			t.Errorf("the first notice is %s, want the newest to be kept", got)
		}
		alice.session.notice(chat.OK, "fits")
		alice.session.notice(chat.OK, "another")
		one := len(wire.Must(nil, &wire.Notice{Text: "another"}))
		if got := decode(t, alice.session.TakeControl(one)); len(got) != 1 {
			t.Errorf("%d records in the room of one", len(got))
		}
	})
}
