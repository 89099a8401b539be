package hub

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// TestDirectToSomeoneAway writes to a person who has left: they find it when they come back.
func TestDirectToSomeoneAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice", "@"), w.attach("bob", "@")
		bob.leave(true)
		alice.do(alice.pub("@bob", "one"), alice.pub("@"+bob.key.String(), "two"), alice.pub("@BOB", "three"))
		wantAnswers(t, alice, "ack 1=1", "ack 2=2", "ack 3=3")
		wantTexts(t, alice, "@bob", "one", "two", "three")
		bob.attach()
		bob.do(&wire.Join{Room: "@", Tail: 2})
		wantTexts(t, bob, "@alice", "two", "three")
		if open := bob.view("@alice").opens[0]; string(open.Peer) != string(alice.key[:]) || open.From != 2 || open.Head != 3 {
			t.Errorf("Open = %+v", open)
		}
		w.checkHistory()
	})
}

// TestDirectOpensUnasked begins a conversation: every session of both that asked for its conversations has it opened, and no other.
func TestDirectOpensUnasked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice", "@"), w.attach("bob", "@")
		laptop, pipe := alice.another("laptop"), bob.another("pipe")
		laptop.do(&wire.Join{Room: "@"})
		stranger := w.attach("stranger", "@")
		alice.do(alice.pub("@bob", "one"), alice.pub("@bob", "two"))
		for _, c := range []*client{alice, laptop} {
			wantTexts(t, c, "@bob", "one", "two")
		}
		wantTexts(t, bob, "@alice", "one", "two")
		if len(pipe.views)+len(stranger.views) != 0 {
			t.Errorf("a session that did not ask for it has a conversation open: %v %v", pipe.views, stranger.views)
		}
		laptop.submit(&wire.Pub{CSeq: 1, Room: "@bob", Kind: chat.Text, Body: []byte("three")})
		laptop.told.Invoke(1, laptop.historyRoom("@bob"), "three")
		w.settle()
		wantTexts(t, bob, "@alice", "one", "two", "three")
		pipe.do(&wire.Join{Room: "@", Tail: 1})
		wantTexts(t, pipe, "@alice", "three")
		w.checkHistory()
	})
}

// TestDirectOpensAgain leaves a conversation: the next message in it opens it again, from there.
func TestDirectOpensAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice", "@"), w.attach("bob", "@")
		alice.do(alice.pub("@bob", "one"))
		bob.do(&wire.Part{Room: "@alice"})
		wantTexts(t, bob, "@alice", "one")
		alice.do(alice.pub("@bob", "two"))
		wantTexts(t, bob, "@alice", "one", "two")
		if opens := bob.view("@alice").opens; opens[len(opens)-1].From != 2 {
			t.Errorf("it opens again from %d, want 2", opens[len(opens)-1].From)
		}
		w.checkHistory()
	})
}

func TestDirectToOneself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice", "@")
		laptop := alice.another("laptop")
		laptop.do(&wire.Join{Room: "@"})
		alice.say("@alice", "note")
		wantTexts(t, alice, "@alice", "note")
		wantTexts(t, laptop, "@alice", "note")
		answer, _ := alice.session.Ask(&wire.Names{Room: "@alice"})
		if got := answer.(*wire.NamesAre); len(got.People) != 1 || got.Total != 1 {
			t.Errorf("names = %v", got)
		}
	})
}

// TestDirectFollowsTheKey renames a person amid a conversation: it goes on, under the new name, and not for whoever takes the old one.
func TestDirectFollowsTheKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice", "@"), w.attach("bob", "@")
		alice.say("@bob", "one")
		bob.do(&wire.Nick{Name: "robert"})
		other := w.newClient("other")
		other.asked = "bob"
		other.attach()
		other.do(&wire.Join{Room: "@"})
		alice.say("@"+bob.key.String(), "two")
		wantTexts(t, bob, "@alice", "one", "two")
		alice.submit(&wire.Pub{CSeq: 3, Room: "@bob", Kind: chat.Text, Body: []byte("to the new bob")})
		w.settle()
		wantTexts(t, other, "@alice", "to the new bob")
		wantTexts(t, bob, "@alice", "one", "two")
		alice.leave(false)
		alice.attach()
		alice.views = map[string]*view{}
		alice.do(&wire.Join{Room: "@", Tail: 9})
		wantTexts(t, alice, "@robert", "one", "two")
		wantTexts(t, alice, "@bob", "to the new bob")
	})
}

// TestDirectWithSomeoneNameless loses a name to another key: the conversation is called by the key then.
func TestDirectWithSomeoneNameless(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice"), w.attach("bob")
		alice.say("@bob", "one")
		bob.leave(true)
		w.skip(nameIdle)
		other := w.newClient("other")
		other.asked = "bob"
		other.attach()
		alice.do(&wire.Join{Room: "@", Tail: 9})
		wantTexts(t, alice, "@"+bob.key.String(), "one")
	})
}

// TestOnlyTheNewestConversationsOpen has more of them than a session opens at once.
func TestOnlyTheNewestConversationsOpen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice")
		const people = chat.MaxDirect + 6
		for i := range people {
			c := w.attach(fmt.Sprint("p", i))
			elapse(time.Second)
			c.say("@alice", fmt.Sprint("from ", i))
		}
		alice.do(&wire.Join{Room: "@", Tail: 9}, &wire.Join{Room: "@", Tail: 9})
		var want, got []string
		for i := range people {
			if i >= people-chat.MaxDirect {
				want = append(want, fmt.Sprint("from ", i))
			}
			got = append(got, alice.texts(fmt.Sprint("@p", i))...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("conversations (-want +got):\n%s", diff)
		}
	})
}

// TestDirectJoinedByHand joins, parts and resumes one conversation.
func TestDirectJoinedByHand(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice"), w.attach("bob")
		alice.do(&wire.Join{Room: "@bob"})
		bob.say("@alice", "one")
		wantTexts(t, alice, "@bob", "one")
		cursor := alice.cursor("@bob")
		alice.do(&wire.Part{Room: "@bob"})
		bob.say("@alice", "two")
		wantTexts(t, alice, "@bob", "one")
		alice.do(&wire.Join{Room: "@" + bob.key.String(), Cursor: cursor})
		wantTexts(t, alice, "@bob", "one", "two")
		w.checkHistory()
	})
}
