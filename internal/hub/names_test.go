package hub

import (
	"errors"
	"fmt"
	"strings"
	"testing"
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

// TestNameIsHeldAfterABreak keeps a name for its key for a minute, and not after a goodbye.
func TestNameIsHeldAfterABreak(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		carol := w.asking("carol", "carol")
		carol.leave(false)
		time.Sleep(nameHold - time.Second)
		other := w.asking("other", "carol")
		wantName(t, other, suffixed("carol", "other"))
		carol.attach()
		wantName(t, carol, "carol")
		carol.leave(false)
		time.Sleep(nameHold)
		third := w.asking("third", "carol")
		wantName(t, third, "carol")
		carol.attach() // a resume, and the name is gone
		wantName(t, carol, suffixed("carol", "carol"))
		third.leave(true)
		fourth := w.asking("fourth", "carol")
		wantName(t, fourth, "carol")
	})
}

// TestGoodbyeOfOneSessionKeepsTheName says goodbye with one session of a key while another stays, and then breaks that.
func TestGoodbyeOfOneSessionKeepsTheName(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		carol := w.asking("carol", "carol")
		laptop := carol.another("laptop")
		carol.leave(true)
		wantName(t, w.asking("other", "carol"), suffixed("carol", "other"))
		laptop.leave(false)
		wantName(t, w.asking("third", "carol"), suffixed("carol", "third"))
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
		time.Sleep(nameHold)
		w.asking("other", "mallory")
		mallory.asked = "\x1b[31madmin"
		var refusal *Refusal
		if err := mallory.tryAttach(mallory.guest()); !errors.As(err, &refusal) || refusal.Code != chat.BadName {
			t.Errorf("Attach = %v, want %v", err, chat.BadName)
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

// TestClaimsInTheStore renames, takes over and forgets: the store never has two keys claim names that fold alike.
func TestClaimsInTheStore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		carol := w.asking("carol", "Carol")
		carol.do(&wire.Nick{Name: "CAROL"}, &wire.Nick{Name: "Carol"})
		carol.leave(false)
		time.Sleep(nameHold)
		w.asking("other", "carol")
		state, err := w.store.Load()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range state.People {
			if n.Name == "" {
				continue
			}
			got = append(got, n.Name)
			if n.Key != keyOf("other") {
				t.Errorf("%s belongs to another key", n.Name)
			}
		}
		if diff := cmp.Diff([]string{"carol"}, got); diff != "" {
			t.Errorf("claims (-want +got):\n%s", diff)
		}
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
