package client

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

func TestCommandsAreBounded(t *testing.T) {
	o := newOutbox(10, 1000)
	for i := range maxOps {
		if err := o.do(opNick, "x"); err != nil {
			t.Fatalf("command %d: %v", i, err)
		}
	}
	if err := o.do(opNick, "x"); !errors.Is(err, ErrFull) {
		t.Errorf("one too many: %v, want ErrFull", err)
	}
}

// TestUnwrittenIsNotAnswered: an answer belongs to a command that was written, not to a later one of its kind.
func TestUnwrittenIsNotAnswered(t *testing.T) {
	o := newOutbox(10, 1000)
	if err := o.do(opNick, "x"); err != nil {
		t.Fatal(err)
	}
	all := func(string) bool { return true }
	if o.done(opNick, all) {
		t.Errorf("a nick that was not written is answered")
	}
	o.take(1, 1)
	if !o.done(opNick, all) || len(o.entries) != 0 {
		t.Errorf("a nick that was written is not answered")
	}
}

// TestLongDraft: a draft that is larger than the bounds goes alone.
func TestLongDraft(t *testing.T) {
	o := newOutbox(10, 100)
	long := Draft{Text: string(make([]byte, 500))}
	if o.full(&long) {
		t.Errorf("an empty outbox does not take a long draft")
	}
	o.send(1, long).filed = true
	if !o.full(&Draft{}) {
		t.Errorf("a full outbox takes another")
	}
	if e := o.take(64, 100); e == nil {
		t.Errorf("a long draft never flies")
	}
}

// TestPresenceHasItsTurn: a busy room does not keep presence away for good.
func TestPresenceHasItsTurn(t *testing.T) {
	f := newFeed()
	f.present(func(p *presence) { p.watch([]string{"lobby"}) })
	for range maxQueued {
		f.put(Message{})
	}
	f.present(func(p *presence) { _ = p.merge(&wire.RoomPresence{Room: "lobby", Snapshot: true}) })
	served := 0
	for i := range maxQueued {
		batch, _ := f.next(&served)
		if _, ok := batch[0].(Present); ok {
			if i != sideEvery {
				t.Errorf("presence came behind %d messages, want %d", i, sideEvery)
			}
			return
		}
	}
	t.Errorf("presence never came")
}

func TestPresenceIsBounded(t *testing.T) {
	var p presence
	p.watch([]string{"lobby"})
	for i := range 3 * maxPeople {
		if err := p.merge(&wire.RoomPresence{Room: "lobby", Here: []wire.Person{person(i, fmt.Sprint("p", i))}}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(p.rooms[0].now); n != maxPeople {
		t.Errorf("%d people are kept, want %d", n, maxPeople)
	}
	p.take()
	_ = p.merge(&wire.RoomPresence{Room: "lobby", Snapshot: true, Count: 1, Here: []wire.Person{person(7, "p7")}})
	if e := p.take()[0].(Present); len(e.People) != 1 {
		t.Errorf("%d people behind a snapshot of one", len(e.People))
	}
	if left := p.take(); left != nil {
		t.Errorf("left to tell: %v", left)
	}
}

// TestOddAnswer: an answer of another type than the question's is no answer.
func TestOddAnswer(t *testing.T) {
	questions := map[string]wire.Record{
		"names": &wire.Names{}, "whois": &wire.Whois{}, "list": &wire.List{}, "authors": &wire.Authors{},
	}
	for name, q := range questions {
		a := newAsker()
		a.wanted[1] = []chan result{make(chan result, 1)}
		a.waiting = []*question{{record: q, answer: make(chan result, 1)}}
		a.next()
		odd := wire.Record(&wire.NamesAre{})
		if name == "names" {
			odd = &wire.ListIs{}
		}
		if err := a.settle(odd); !errors.Is(err, errAnswer) {
			t.Errorf("%s: %T was taken: %v", name, odd, err)
		}
	}
}

func TestJitter(t *testing.T) {
	for attempt, want := range map[int]time.Duration{0: firstBackoff, 3: 800 * time.Millisecond, 6: 6400 * time.Millisecond, 7: lastBackoff, 1 << 40: lastBackoff} {
		if got := ceiling(attempt); got != want {
			t.Errorf("attempt %d waits up to %v, want %v", attempt, got, want)
		}
		if d := fullJitter(attempt); d < 0 || d >= want {
			t.Errorf("attempt %d waits %v", attempt, d)
		}
	}
}

func TestRoomsOfOneKey(t *testing.T) {
	s := newRooms()
	id := identity.ID{1}
	first, err := s.bind(&wire.Open{Room: 1, Name: "@bob", From: 1, Peer: id[:]})
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.bind(&wire.Open{Room: 2, Name: "@rob", From: 1, Peer: id[:]})
	if err != nil || again != first || first.name != "@rob" || s.byNumber[1] != nil || s.byNumber[2] != first {
		t.Errorf("a conversation that opens under another name and number is %+v, %v", again, err)
	}
}
