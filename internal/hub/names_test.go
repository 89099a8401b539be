package hub

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// suffixed returns name as a node grants it to the key of a label when another has it.
func suffixed(name, label string) string { return chat.Suffixed(name, keyOf(label).String()) }

// asking returns a client of a key of its own that asks for a name.
func (w *world) asking(label, name string) *client {
	w.t.Helper()
	c := w.newClient(label)
	c.asked = name
	c.attach()
	w.settle()
	return c
}

func wantName(t *testing.T, c *client, want string) {
	t.Helper()
	if c.welcome.Name != want {
		t.Errorf("granted %q, want %q", c.welcome.Name, want)
	}
}

// notices returns the codes of the notices that a client got.
func (c *client) notices() (codes []chat.Code) {
	for _, r := range c.control {
		if n, ok := r.(*wire.Notice); ok {
			codes = append(codes, n.Code)
		}
	}
	return codes
}

func TestNameGranted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		first := w.asking("first", "carol")
		wantName(t, first, "carol")
		second := w.asking("second", "Carol")
		wantName(t, second, suffixed("Carol", "second"))
		again := w.asking("third", suffixed("carol", "first")) // a suffix can't be asked for
		wantName(t, again, suffixed("carol", "third"))
		for _, c := range []*client{first, second, again} {
			want := 1
			if c == first {
				want = 0
			}
			if got := c.notices(); len(got) != want || want == 1 && got[0] != chat.NameTaken {
				t.Errorf("%s got the notices %v", c.welcome.Name, got)
			}
		}
		if got := first.another("first's other").welcome.Name; got != "carol" {
			t.Errorf("another session of the key is %q", got)
		}
		for _, bad := range []string{"", "a b", "admin", "~7q2f", "-x", "\x1b[31m", strings.Repeat("x", 25)} {
			c := w.newClient("bad " + bad)
			c.asked = bad
			var refusal *Refusal
			if err := c.tryAttach(c.guest()); !errors.As(err, &refusal) || refusal.Code != chat.BadName {
				t.Errorf("Attach as %q = %v, want %v", bad, err, chat.BadName)
			}
		}
	})
}

// TestNameBelongsToItsKey: neither a break nor a goodbye frees a name, only so much time.
func TestNameBelongsToItsKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		carol, dave := w.asking("carol", "carol"), w.asking("dave", "dave")
		carol.leave(true)
		dave.leave(false)
		w.skip(nameIdle - time.Hour)
		wantName(t, w.asking("other", "CAROL"), suffixed("CAROL", "other"))
		carol.attach() // for a moment
		carol.leave(true)
		w.skip(2 * time.Hour)
		wantName(t, w.asking("third", "carol"), suffixed("carol", "third"))
		wantName(t, w.asking("fourth", "dave"), "dave")
		dave.attach()
		wantName(t, dave, suffixed("dave", "dave"))
		w.skip(2 * nameIdle)
		wantName(t, w.asking("fifth", "dave"), suffixed("dave", "fifth")) // who stays keeps it
	})
}

// TestIdleNamesAreReleased: nobody has to ask for a name that nobody uses any more.
func TestIdleNamesAreReleased(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		carol, dave := w.asking("carol", "carol"), w.asking("dave", "dave")
		carol.leave(false)
		w.skip(nameIdle - time.Minute)
		if got := dave.ask(&wire.Whois{Who: "carol"}).(*wire.WhoisIs); got.Person.Name != "carol" {
			t.Errorf("a minute before it is %+v", got)
		}
		w.skip(time.Minute + reviewEvery)
		wantFailed(t, dave.ask(&wire.Whois{Who: "carol"}), chat.NoSuchUser)
		if p := w.stored("carol"); p.Name != "" || p.Since == 0 {
			t.Errorf("the store has %+v, want somebody without a name", p)
		}
	})
}

// stored returns what the store knows of the key of a label.
func (w *world) stored(label string) (found store.Person) {
	w.t.Helper()
	state, err := w.store.Load()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range state.People {
		if p.Key == keyOf(label) {
			found = p
		}
	}
	return found
}

// TestSeen: the store learns when somebody comes, when their last session ends, and once a day while they stay.
func TestSeen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		begin := w.now()
		carol := w.asking("carol", "carol")
		laptop := carol.another("laptop")
		want := store.Person{Key: carol.key, Name: "carol", Since: begin.UnixMilli(), Seen: begin.UnixMilli()}
		wantStored := func(what string, seen time.Time) {
			t.Helper()
			w.settle()
			if want.Seen = seen.UnixMilli(); !cmp.Equal(w.stored("carol"), want) {
				t.Errorf("%s: the store has %+v, want %+v", what, w.stored("carol"), want)
			}
		}
		wantStored("here", begin)
		w.skip(time.Hour)
		laptop.leave(true)
		wantStored("the other session ends", begin)
		for range 10 {
			w.skip(day)
			if age := w.now().Sub(time.UnixMilli(w.stored("carol").Seen)); age > day {
				t.Errorf("while she is here, the store's time is %v old", age)
			}
		}
		w.skip(2 * time.Hour)
		carol.leave(false)
		left := w.now()
		wantStored("gone", left)
		w.skip(day)
		wantStored("gone for a day", left)
		carol.attach()
		wantStored("here again", w.now())
	})
}

// TestResumeKeepsTheName comes back after a nick: the name in the hello does not count, and nobody is told that it was taken.
func TestResumeKeepsTheName(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		carol := w.asking("carol", "carol")
		carol.say("lobby", "hi")
		carol.do(&wire.Nick{Name: "caroline"})
		carol.leave(false)
		carol.attach()
		w.settle()
		wantName(t, carol, "caroline")
		if got := carol.notices(); len(got) != 0 {
			t.Errorf("notices = %v, want none", got)
		}
	})
}

// TestResumeUnderAnUnfitName loses its name to another key and comes back asking for one that can't be.
func TestResumeUnderAnUnfitName(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		mallory := w.asking("mallory", "mallory")
		mallory.say("lobby", "hi")
		mallory.leave(false)
		w.skip(nameIdle)
		w.asking("other", "mallory")
		mallory.asked = "\x1b[31madmin"
		var refusal *Refusal
		if err := mallory.tryAttach(mallory.guest()); !errors.As(err, &refusal) || refusal.Code != chat.BadName {
			t.Errorf("Attach = %v, want %v", err, chat.BadName)
		}
	})
}

// TestAnotherWish: whoever comes anew and asks for another name has that one then, suffixed if need be, and the former is free.
func TestAnotherWish(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		carol := w.asking("carol", "carol")
		w.asking("dave", "dave")
		carol.leave(true)
		carol = w.newClient("carol, anew")
		carol.key, carol.asked = keyOf("carol"), "dave"
		carol.attach()
		wantName(t, carol, suffixed("dave", "carol"))
		wantName(t, w.asking("other", "carol"), "carol")
		if p := w.stored("carol"); p.Name != carol.welcome.Name {
			t.Errorf("the store has %+v", p)
		}
	})
}

func TestNick(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		carol, dave := w.asking("carol", "carol"), w.asking("dave", "dave")
		laptop := carol.another("laptop")
		suggested := suffixed("Dave", "carol")
		carol.do(&wire.Nick{Name: "Carol"}, &wire.Nick{Name: "Dave"}, &wire.Nick{Name: "root"}, &wire.Nick{Name: suffixed("dave", "dave")},
			&wire.Nick{Name: suggested}, &wire.Nick{Name: "caz"})
		var got []string
		for _, r := range carol.replies {
			n := r.(*wire.Named)
			got = append(got, fmt.Sprint(n.Name, " ", n.Code, " ", n.Suggest))
		}
		want := []string{"Carol ok ", "Carol name_taken " + suggested, "Carol bad_name ", "Carol bad_name ", suggested + " ok ", "caz ok "}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
		laptop.submit(&wire.Join{Room: "lobby"})
		laptop.say("lobby", "same key, same name")
		if got := laptop.view("lobby").rows[0].Name; got != "caz" {
			t.Errorf("the other session speaks as %q, want caz", got)
		}
		dave.do(&wire.Nick{Name: "carol"}) // free at once: carol has another
		if n := dave.replies[0].(*wire.Named); n.Code != chat.OK {
			t.Errorf("nick to a name that was given up: %v", n.Code)
		}
	})
}

// TestClaimsInTheStore renames, lets go and takes over: the store never has two keys claim names that look alike.
func TestClaimsInTheStore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		carol := w.asking("carol", "Carol")
		carol.do(&wire.Nick{Name: "CAROL"}, &wire.Nick{Name: "Carol"})
		carol.leave(false)
		w.ahead.Add(int64(nameIdle)) // nobody has looked for idle names since
		w.asking("other", "carol")
		if got := []string{w.stored("carol").Name, w.stored("other").Name}; got[0] != "" || got[1] != "carol" {
			t.Errorf("the names are %q, want the second key to have it", got)
		}
	})
}

// TestRaceForAName: of two keys that ask for a name at once one gets it, in whatever batch they are.
func TestRaceForAName(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		host := w.asking("host", "host")
		release := w.store.block()
		host.submit(host.pub("lobby", "the sequencer waits for this one")) // what comes behind it is one batch
		synctest.Wait()
		racers := []*client{w.newClient("one"), w.newClient("two"), w.newClient("three")}
		var group sync.WaitGroup
		for i, c := range racers {
			c.asked = []string{"carol", "Carol", "CAROL"}[i]
			group.Go(c.attach)
		}
		synctest.Wait()
		release()
		group.Wait()
		w.settle()
		plain := 0
		for i, c := range racers {
			if label := []string{"one", "two", "three"}[i]; c.welcome.Name == c.asked {
				plain++
			} else {
				wantName(t, c, suffixed(c.asked, label))
			}
		}
		if plain != 1 {
			t.Errorf("%d of three have the name, want one", plain)
		}
	})
}

// TestNamesThatLookAlikeInAStore: names were told apart otherwise when they were given. Who was seen last keeps it; the other has none, for good.
func TestNamesThatLookAlikeInAStore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		kept := store.NewMemory(1 << 20)
		now := time.Now().UnixMilli()
		if err := kept.Append(&store.Batch{People: []store.Person{
			{Key: keyOf("old"), Name: "carol", Since: 1, Seen: now - 2}, {Key: keyOf("new"), Name: "Carol", Since: 2, Seen: now - 1},
			{Key: keyOf("last"), Name: "bob", Since: 5, Seen: now}, {Key: keyOf("first"), Name: "BOB", Since: 4, Seen: now},
		}}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			w := newWorld(t, func(c *Config) { c.Store = &slowStore{Memory: kept} })
			elapse(2 * time.Second)
			for label, want := range map[string]string{"old": "", "new": "Carol", "last": "bob", "first": ""} {
				if got := w.stored(label); got.Name != want || got.Since == 0 {
					t.Errorf("the store has %+v, want the name %q", got, want)
				}
			}
			w.end()
		}
		w := newWorld(t, func(c *Config) { c.Store = &slowStore{Memory: kept} })
		wantName(t, w.asking("old", "carol"), suffixed("carol", "old"))
		wantName(t, w.asking("new", "carol"), "carol")
	})
}

// TestRestart makes a second hub of the store: rooms, topics, origins, names and conversations are as they were.
func TestRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice", "lobby"), w.attach("bob", "lobby", "@alice")
		one, topic := alice.pub("lobby", "one"), alice.pub("lobby", "news")
		topic.Kind = chat.Topic
		alice.do(one, topic, alice.pub("@bob", "psst"), alice.pub("lobby", ""))
		cursor, direct := bob.cursor("lobby"), bob.cursor("@alice")
		gone := bob.another("bob's other")
		gone.say("lobby", "two")
		gone.leave(true)
		w.end()

		w2 := newWorld(t, func(c *Config) { c.Store = &slowStore{Memory: w.store.Memory} })
		alice2, bob2 := w2.newClient("alice"), w2.newClient("bob")
		alice2.attach()
		if got := alice2.welcome; got.LastCSeq != 4 || got.From != alice.welcome.From || len(got.Outcomes) != 4 || got.Outcomes[3].Code != chat.Empty {
			t.Errorf("welcome after a restart = %+v", got)
		}
		bob2.attach()
		bob2.do(&wire.Join{Room: "lobby", Cursor: cursor}, &wire.Join{Room: "@" + alice.key.String(), Cursor: direct}, &wire.Join{Room: "@", Tail: 5})
		wantTexts(t, bob2, "lobby", "two")
		if open := bob2.view("lobby").opens[0]; open.Status != wire.StatusOK || open.Topic != "news" || open.Head != 3 {
			t.Errorf("Open = %+v", open)
		}
		if v := bob2.view("@alice"); len(v.opens) != 1 || v.next != 2 {
			t.Errorf("the conversation has %d Opens and is before row %d", len(v.opens), v.next)
		}
		alice2.cseq = 4
		alice2.do(pub(2, "again"), alice2.pub("lobby", "three"))
		wantAnswers(t, alice2, "ack 2=2", "ack 5=4")
		wantTexts(t, bob2, "lobby", "two", "three")
		if from := w2.attach("carol").welcome.From; from <= gone.welcome.From {
			t.Errorf("the number %d of an origin was given again", from)
		}
	})
}

var _ Store = (*store.Memory)(nil)

// TestNobodyHasALongName: what no name and no id can be is not made into a skeleton, which for a text that fills a record takes a tenth of a second in
// which the node does nothing else.
func TestNobodyHasALongName(t *testing.T) {
	h, err := New(Config{Store: store.NewMemory(1 << 20)})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("\ufdfa", 20_000) // each becomes 18 letters
	if n := testing.AllocsPerRun(1, func() { h.person(long) }); n > 0 {
		t.Errorf("to find nobody takes %v allocations", n)
	}
	a := h.account(keyOf("carol"))
	if spread := strings.Join(strings.Split(a.id.String(), ""), " - "); h.person(spread) != a {
		t.Errorf("nobody is found by %q", spread)
	}
}

// TestClockThatWasBehind: who was here while the node's clock was years behind has been here lately all the same.
func TestClockThatWasBehind(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		carol := w.asking("carol", "carol")
		carol.leave(false)
		w.ahead.Add(-int64(2 * nameIdle))
		carol.attach()
		carol.leave(false)
		w.ahead.Add(int64(2 * nameIdle))
		wantName(t, w.asking("bob", "carol"), suffixed("carol", "bob"))
		w.skip(2 * reviewEvery)
		if got := w.stored("carol").Name; got != "carol" {
			t.Errorf("carol's key has the name %q, want her own", got)
		}
	})
}
