package hub

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// away says that a client is away or back, which the node must take, and returns the answer.
func (c *client) away(away bool, text string) *wire.AwayIs {
	c.t.Helper()
	answer := c.ask(&wire.Away{Away: away, Text: text})
	is, ok := answer.(*wire.AwayIs)
	if !ok {
		c.t.Fatalf("%s says away %v, %q: %+v", c.asked, away, text, answer)
	}
	return is
}

// awayOf returns what is told of somebody's being away: "lunch 5s" for who has been so for 5 s, "here" for who is not.
func (c *client) awayOf(who string) string {
	c.t.Helper()
	is := c.ask(&wire.Whois{Who: who}).(*wire.WhoisIs)
	if is.AwaySince == 0 && is.Away == "" {
		return "here"
	}
	return fmt.Sprint(is.Away, " ", c.w.now().Sub(time.UnixMilli(is.AwaySince)).Truncate(time.Second))
}

func wantAway(t *testing.T, by *client, who, want string) {
	t.Helper()
	if got := by.awayOf(who); got != want {
		t.Errorf("%s is %q, want %q", who, got, want)
	}
}

// TestAway: it holds for all sessions of a key, is told as a change of name is, in snapshots, lists and whois, and says since when.
func TestAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice", "lobby", "attic"), w.attach("bob", "lobby", "attic")
		elapse(presenceEvery)
		alice.watch("lobby", "attic")
		alice.presence()
		if is := bob.away(true, "lunch"); !is.Away || is.Text != "lunch" || is.Since != chat.Millis(w.now()) {
			t.Errorf("the answer is %+v", is)
		}
		wantPresence(t, alice, "attic 2 here: bob-", "lobby 2 here: bob-")
		elapse(4 * time.Second)
		wantAway(t, alice, "bob", "lunch 5s")
		wantAway(t, alice, "alice", "here")

		bob.away(true, "a long lunch") // others see that they are away still
		wantPresence(t, alice)
		wantAway(t, alice, "bob", "a long lunch 6s")
		bob.do(&wire.Nick{Name: "robert"})
		wantPresence(t, alice, "attic 2 here: robert-", "lobby 2 here: robert-")

		bob.asked = "robert"
		laptop := bob.another("laptop")
		laptop.do(&wire.Join{Room: "lobby"})
		wantPresence(t, alice)
		bob.leave(false) // the key is away, not the session
		wantPresence(t, alice, "attic 1 gone: robert")
		carol := w.attach("carol", "lobby")
		carol.watch("lobby")
		if diff := cmp.Diff([]string{"lobby 3 all: alice carol robert-"}, carol.presence()); diff != "" {
			t.Errorf("a snapshot (-want +got):\n%s", diff)
		}
		names := alice.ask(&wire.Names{Room: "lobby"}).(*wire.NamesAre)
		if got := people(names.People, names.Away); got != " alice carol robert-" {
			t.Errorf("names are%s", got)
		}
		names = alice.ask(&wire.Names{Room: "@robert"}).(*wire.NamesAre)
		if got := people(names.People, names.Away); got != " alice robert-" {
			t.Errorf("names of the conversation are%s", got)
		}
		wantPresence(t, alice, "lobby 3 here: carol")

		if is := laptop.away(false, "not a word"); is.Away || is.Text != "" || is.Since != 0 {
			t.Errorf("the answer to who comes back is %+v", is)
		}
		wantPresence(t, alice, "lobby 3 here: robert")
		wantAway(t, alice, "robert", "here")
		laptop.away(false, "") // twice
		wantPresence(t, alice)
		laptop.away(true, "") // without a word
		laptop.away(false, "")
		wantPresence(t, alice, "lobby 3 here: robert")
	})
}

// TestAwayEndsWithTheLastSession: who comes again is here, unless a connection of the same origin took over.
func TestAwayEndsWithTheLastSession(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice", "lobby"), w.attach("bob", "lobby")
		for _, goodbye := range []bool{true, false} {
			bob.away(true, "lunch")
			bob.leave(goodbye)
			wantAway(t, alice, "bob", "here")
			bob.attach()
			wantAway(t, alice, "bob", "here")
			w.skip(time.Minute)
		}
		bob.away(true, "lunch")
		old := bob.session
		bob.attach() // a newer connection of the same origin
		wantAway(t, alice, "bob", "lunch 0s")
		bob.leave(true)
		for _, q := range []*wire.Away{{Away: true, Text: "a ghost"}, {}} {
			if answer, err := old.Ask(q); err != nil || answer.(*wire.Failed).Code != chat.Replaced {
				t.Errorf("a session that was replaced: %+v, %v", answer, err)
			}
		}
		wantAway(t, alice, "bob", "here")
		alice.watch("lobby")
		alice.presence()
		carol := w.attach("carol", "lobby")
		carol.away(true, "gone")
		carol.leave(true) // and was never seen
		wantPresence(t, alice, "lobby 1 gone: carol")
	})
}

// TestAwayText: it is as clean and as short as a topic; what is not taken changes nothing.
func TestAwayText(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice"), w.attach("bob")
		limit := strings.Repeat("é", chat.MaxTopic/2)
		for text, want := range map[string]string{
			"lunch": "lunch", "": "", "two\nlines\tand more": "two lines and more", "\x1b]0;title\x07bell\u202e": "]0;titlebell", limit: limit,
		} {
			w.skip(awaysEach)
			if got := bob.away(true, text).Text; got != want {
				t.Errorf("%q is told as %q, want %q", text, got, want)
			}
			bob.away(false, text)
		}
		w.skip(awaysBurst * awaysEach)
		bob.away(true, "lunch")
		for _, text := range []string{limit + "x", strings.Repeat("x", wire.MaxRecord-100), strings.Repeat("\n", chat.MaxLines)} {
			wantFailed(t, bob.ask(&wire.Away{Away: true, Text: text}), chat.TooLong)
		}
		wantFailed(t, bob.ask(&wire.Away{Away: true, Text: "\xff"}), chat.BadText)
		wantAway(t, alice, "bob", "lunch 0s")
		if is := bob.away(false, strings.Repeat("x", 5000)); is.Away { // what is said on coming back counts for nothing
			t.Errorf("told %+v", is)
		}
	})
}

// TestAwayIsLimited: as often as a name can be changed. To come back is always possible, and to say the same again costs nothing.
func TestAwayIsLimited(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice"), w.attach("bob")
		for i := range awaysBurst {
			bob.away(true, fmt.Sprint("lunch ", i))
			for range 100 {
				bob.away(true, fmt.Sprint("lunch ", i))
			}
		}
		other := bob.another("laptop") // the limit is the key's
		failed, ok := other.ask(&wire.Away{Away: true, Text: "another"}).(*wire.Failed)
		if !ok || failed.Code != chat.TooFast || failed.RetryAfterMS == 0 || failed.RetryAfterMS > uint64(awaysEach.Milliseconds()) {
			t.Errorf("one more: %+v", failed)
		}
		wantAway(t, alice, "bob", "lunch 4 0s")
		bob.away(false, "")
		wantFailed(t, bob.ask(&wire.Away{Away: true}), chat.TooFast)
		wantAway(t, alice, "bob", "here")
		w.skip(time.Duration(failed.RetryAfterMS) * time.Millisecond)
		bob.away(true, "")
		alice.away(true, "") // everybody has their own
	})
}

// onlooker is a client that keeps account of who is in the one room that it watches.
type onlooker struct {
	*client
	here map[string]string // by key id; who is away has a "-" behind the name
}

// follow takes what has been told by the next tick, and returns who is there by that.
func (o *onlooker) follow() []string {
	o.t.Helper()
	elapse(presenceEvery)
	o.w.settle()
	for _, r := range o.control {
		p, ok := r.(*wire.Presence)
		if !ok {
			continue
		}
		room, err := wire.DecodeRoomPresence(p.Rooms[0])
		if err != nil {
			o.t.Fatal(err)
		}
		if room.Snapshot {
			clear(o.here)
		}
		for i, who := range room.Here {
			o.here[string(who.ID)] = who.Name
			if slices.Contains(room.Away, uint64(i)) {
				o.here[string(who.ID)] += "-"
			}
		}
		for _, who := range room.Gone {
			delete(o.here, string(who.ID))
		}
	}
	o.control = nil
	return slices.Sorted(maps.Values(o.here))
}

// TestAwayOfARandomRun has keys with several sessions come, go, be away and rename, and compares what is told with a plain model.
func TestAwayOfARandomRun(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("go test ./internal/hub -run TestAwayOfARandomRun -hub.seed %d", seed)
	bubble(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t)
		watcher := &onlooker{client: w.attach("watcher", "lobby"), here: map[string]string{}}
		watcher.watch("lobby")
		sessions, away := map[string][]*client{}, map[string]bool{}
		for i := range 400 {
			label := []string{"alice", "bob", "carol"}[rng.IntN(3)]
			switch here := sessions[label]; {
			case len(here) == 0 || rng.IntN(4) == 0 && len(here) < 4:
				c := w.newClient(fmt.Sprint(label, i))
				c.key, c.asked = keyOf(label), label
				c.attach()
				c.do(&wire.Join{Room: "lobby"})
				sessions[label] = append(here, c)
			case rng.IntN(3) == 0:
				here[0].leave(rng.IntN(2) == 0)
				sessions[label] = here[1:]
				away[label] = away[label] && len(here) > 1
			default:
				w.skip(awaysEach)
				away[label] = rng.IntN(2) == 0
				here[rng.IntN(len(here))].away(away[label], fmt.Sprint(i))
			}
			if rng.IntN(3) > 0 {
				continue // and let the tick find more than one change
			}
			want := []string{"watcher"}
			for label, here := range sessions {
				if name := label; len(here) > 0 {
					if away[label] {
						name += "-"
					}
					want = append(want, name)
				}
			}
			slices.Sort(want)
			names := watcher.ask(&wire.Names{Room: "lobby"}).(*wire.NamesAre)
			if got := people(names.People, names.Away); got != " "+strings.Join(want, " ") {
				t.Fatalf("step %d: names are%s, want %v", i, got, want)
			}
			if got := watcher.follow(); !slices.Equal(got, want) {
				t.Fatalf("step %d: presence says %v, want %v", i, got, want)
			}
		}
	})
}
