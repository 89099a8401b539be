package client

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/seal"
	"chatnode/internal/wire"
)

// someone is a person at the other end of a conversation, who seals and opens by themselves.
type someone struct {
	*seal.Self
	key  *identity.Key
	id   identity.ID
	peer *seal.Peer
	name string
	cseq uint64
}

func newSomeone(t *testing.T, name string, seed byte) *someone {
	t.Helper()
	key, err := identity.NewKey(bytes.NewReader(bytes.Repeat([]byte{seed}, 64)))
	if err != nil {
		t.Fatal(err)
	}
	s := &someone{Self: seal.NewSelf(key), key: key, id: key.ID(), name: name}
	if s.peer, err = seal.ReadCard(s.Card()); err != nil {
		t.Fatal(err)
	}
	return s
}

// open opens a conversation with somebody.
func (r *row) openWith(s *someone) *wire.Open {
	o := r.open("@" + s.name)
	o.Peer, o.Card = s.id[:], s.Card()
	return o
}

// says returns the row in which somebody says something sealed to another.
func (r *row) says(s *someone, to *seal.Peer, text string) *wire.Event {
	s.cseq++
	e := r.next(text)
	e.From, e.CSeq, e.Name, e.Kind = 9, s.cseq, s.name, chat.Sealed
	e.Body = s.Seal(to, seal.Mark{Origin: seal.OriginOf([16]byte{9}), CSeq: s.cseq}, seal.Text{Kind: chat.Text, Body: text})
	return e
}

// carolsCard is what others seal to the client of a rig with.
func carolsCard(t *testing.T) *seal.Peer {
	t.Helper()
	p, err := seal.ReadCard(seal.NewSelf(testKey()).Card())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wantSealed fails unless somebody can read a publish, which must say text and must be for them alone.
func wantSealed(t *testing.T, p *wire.Pub, to *someone, text string) {
	t.Helper()
	if p.Kind != chat.Sealed || p.Room != "@"+to.id.String() || bytes.Contains(p.Body, []byte(text)) {
		t.Fatalf("a publish of kind %v to %s with %d bytes", p.Kind, p.Room, len(p.Body))
	}
	got, err := to.Open(testKey().ID(), p.CSeq, chat.ID(append(p.Opts.Re, make([]byte, 8-len(p.Opts.Re))...)), p.Body)
	if err != nil || got.Body != text || got.Author != testKey().ID() {
		t.Fatalf("%s reads %q, %v", to.name, got.Body, err)
	}
}

// TestSeals: what is for a person leaves the client sealed, to the key that the node was asked for, and is sealed anew when it is sent anew.
func TestSeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		bob := newSomeone(t, "bob", 0x20)
		p := <-r.links
		if h := p.welcome(nil); !bytes.Equal(h.Card, seal.NewSelf(testKey()).Card()) {
			t.Errorf("the hello has the card %x", h.Card)
		}
		event[LinkUp](r)
		r.send("@Bob", "psst")
		r.send("lobby", "behind it")
		if q := onControl[*wire.Whois](p); q.Who != "Bob" {
			t.Fatalf("asked for %q", q.Who)
		}
		p.tell(&wire.WhoisIs{Person: wire.Person{ID: bob.id[:], Name: "bob"}, Card: bob.Card()})
		first := onChat[*wire.Pub](p)
		wantSealed(t, first, bob, "psst")
		if next := onChat[*wire.Pub](p); next.Kind != chat.Text || next.Room != "lobby" || next.CSeq != 2 {
			t.Errorf("then came %+v", next)
		}
		p.say(&wire.Nack{Expected: 1})
		again := onChat[*wire.Pub](p)
		wantSealed(t, again, bob, "psst")
		if bytes.Equal(first.Body, again.Body) {
			t.Error("two publishes have one content key")
		}
		onChat[*wire.Pub](p)
		p.say(&wire.Ack{CSeq: 1, Seq: 1, ID: chat.ID{1}}, &wire.Ack{CSeq: 2, Seq: 1, ID: chat.ID{2}})
		if a := event[Ack](r); a.Text != "psst" || a.Kind != chat.Text || !a.Sealed || a.Room != "@Bob" {
			t.Errorf("acknowledged as %+v", a)
		}
		if a := event[Ack](r); a.Sealed {
			t.Errorf("a text of a room is said to be sealed: %+v", a)
		}
		if n, err := r.Send(r.ctx, Draft{Room: "@bob", Kind: chat.Action, Text: "waves", Re: chat.ID{7}}); err != nil {
			t.Fatal(n, err)
		}
		wantSealed(t, onChat[*wire.Pub](p), bob, "waves") // who bob is was asked on this link
	})
}

// TestSealsNothing: without a card that is theirs nothing goes to a person; the user is told why, and what comes behind is sent.
func TestSealsNothing(t *testing.T) {
	bob, eve := newSomeone(t, "bob", 0x20), newSomeone(t, "eve", 0x40)
	for name, test := range map[string]struct {
		answer wire.Record
		want   chat.Code
	}{
		"nobody":           {&wire.Failed{Code: chat.NoSuchUser}, chat.NoSuchUser},
		"no card":          {&wire.WhoisIs{Person: wire.Person{ID: bob.id[:], Name: "bob"}}, chat.NoCard},
		"another's card":   {&wire.WhoisIs{Person: wire.Person{ID: bob.id[:], Name: "bob"}, Card: eve.Card()}, chat.NoCard},
		"half a card":      {&wire.WhoisIs{Person: wire.Person{ID: bob.id[:], Name: "bob"}, Card: bob.Card()[:127]}, chat.NoCard},
		"a key in a card":  {&wire.WhoisIs{Person: wire.Person{ID: bob.id[:], Name: "bob"}, Card: swapped(bob.Card(), eve.Card())}, chat.NoCard},
		"no id":            {&wire.WhoisIs{Person: wire.Person{Name: "bob"}, Card: bob.Card()}, chat.Internal},
		"a refusal for OK": {&wire.Failed{}, chat.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, nil)
				defer r.end()
				p := r.accept(nil)
				event[LinkUp](r)
				r.send("@bob", "psst")
				r.send("lobby", "behind it")
				onControl[*wire.Whois](p)
				p.tell(test.answer)
				if skip := onChat[*wire.Pub](p); skip.Kind != chat.Skip || skip.CSeq != 1 || len(skip.Body) > 0 {
					t.Errorf("sent %+v", skip)
				}
				if next := onChat[*wire.Pub](p); next.Kind != chat.Text || next.CSeq != 2 {
					t.Errorf("then came %+v", next)
				}
				p.say(&wire.Ack{CSeq: 1}, &wire.Ack{CSeq: 2, Seq: 1})
				if got := event[Refused](r); got.Code != test.want || got.Text != "psst" || got.Room != "@bob" {
					t.Errorf("refused as %+v", got)
				}
				event[Ack](r)
			})
		})
	}
}

// swapped is a card of one key with the sealing key of another.
func swapped(card, other []byte) []byte {
	out := bytes.Clone(card)
	copy(out[32:64], other[32:64])
	return out
}

// TestLinkLostWhileAsking: who somebody is, is asked again on the next link.
func TestLinkLostWhileAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		bob := newSomeone(t, "bob", 0x20)
		p := r.accept(nil)
		event[LinkUp](r)
		r.send("@bob", "psst")
		onControl[*wire.Whois](p)
		p.Close()
		event[LinkDown](r)
		p = r.accept(nil)
		event[LinkUp](r)
		onControl[*wire.Whois](p)
		p.tell(&wire.WhoisIs{Person: wire.Person{ID: bob.id[:], Name: "bob"}, Card: bob.Card()})
		wantSealed(t, onChat[*wire.Pub](p), bob, "psst")
		p.Close() // the answer is lost: the same goes to the same key again
		event[LinkDown](r)
		p = r.accept(nil)
		event[LinkUp](r)
		wantSealed(t, onChat[*wire.Pub](p), bob, "psst")
	})
}

// TestPins: a name that another key has now gets nothing, in this process or a later one, until the user writes to that key by its id.
func TestPins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		bob, eve := newSomeone(t, "bob", 0x20), newSomeone(t, "bob", 0x40)
		whois := func(p *peer, who string, is *someone) {
			t.Helper()
			if q := onControl[*wire.Whois](p); q.Who != who {
				t.Fatalf("asked for %q", q.Who)
			}
			p.tell(&wire.WhoisIs{Person: wire.Person{ID: is.id[:], Name: "bob"}, Card: is.Card()})
		}
		state := openState(t, dir)
		r := start(t, func(c *Config) { c.State = state })
		p := r.accept(nil)
		event[LinkUp](r)
		r.send("@bob", "to the first")
		whois(p, "bob", bob)
		wantSealed(t, onChat[*wire.Pub](p), bob, "to the first")
		p.say(&wire.Ack{CSeq: 1, Seq: 1})
		event[Ack](r)
		r.end()
		if err := state.Close(); err != nil {
			t.Fatal(err)
		}

		state = openState(t, dir)
		r = start(t, func(c *Config) { c.State = state })
		defer r.end()
		p = r.accept(nil)
		event[LinkUp](r)
		r.send("@BOB", "to whom?")
		r.send("@bob", "and this?")
		whois(p, "BOB", eve)
		for n := range uint64(2) {
			if skip := onChat[*wire.Pub](p); skip.Kind != chat.Skip || len(skip.Body) > 0 {
				t.Fatalf("sent %+v", skip)
			}
			p.say(&wire.Ack{CSeq: 2 + n})
		}
		if e := event[KeyChanged](r); e.Name != "BOB" || e.Was != bob.id || e.Now != eve.id {
			t.Errorf("told %+v", e)
		}
		for range 2 {
			if e := event[Refused](r); e.Code != chat.KeyChanged {
				t.Errorf("refused as %+v", e)
			}
		}
		r.send("@"+eve.id.String(), "I mean you")
		r.send("@bob", "from now on")
		wantSealed(t, onChat[*wire.Pub](p), eve, "I mean you")
		wantSealed(t, onChat[*wire.Pub](p), eve, "from now on")
		p.say(&wire.Ack{CSeq: 4, Seq: 1}, &wire.Ack{CSeq: 5, Seq: 2})
		event[Ack](r)
		event[Ack](r)
	})
}

// TestUnseals: what comes sealed is shown as what it says, by the name of the key that has signed it; anything else is unreadable, and what is behind it
// is shown.
func TestUnseals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Direct = true })
		defer r.end()
		bob, eve, carol := newSomeone(t, "bob", 0x20), newSomeone(t, "eve", 0x40), carolsCard(t)
		self := &someone{Self: seal.NewSelf(testKey()), key: testKey(), id: carol.ID, peer: carol, name: "carol"}
		log := &row{number: 8}
		p := r.accept(nil)
		onChat[*wire.Join](p)
		p.say(log.openWith(bob))
		event[LinkUp](r)
		event[Opened](r)

		p.say(log.says(bob, carol, "hi\x1b[2J"))
		if m := event[Message](r); m.Text != "hi[2J" || m.Kind != chat.Text || !m.Sealed || m.Unreadable || m.Name != "bob" || m.Own {
			t.Errorf("got %+v", m)
		}
		other := log.says(self, bob.peer, "from my other device")
		other.From, other.Name = 11, "bob" // the node says that it is bob's
		p.say(other)
		if m := event[Message](r); m.Text != "from my other device" || m.Name != "carol" {
			t.Errorf("got %+v", m)
		}
		replayed := *log.says(bob, carol, "yes")
		p.say(&replayed)
		event[Message](r)

		for name, change := range map[string]func(e *wire.Event){
			"a byte changed":       func(e *wire.Event) { e.Body[len(e.Body)/2] ^= 1 },
			"another number":       func(e *wire.Event) { e.CSeq++ },
			"an answer to another": func(e *wire.Event) { e.Opts.Re = []byte("12345678") },
			"half of it":           func(e *wire.Event) { e.Body = e.Body[:len(e.Body)/2] },
			"nothing":              func(e *wire.Event) { e.Body = nil },
			"a text":               func(e *wire.Event) { e.Body = []byte(strings.Repeat("psst", 100)) },
			"for somebody else": func(e *wire.Event) {
				e.Body = bob.Seal(eve.peer, seal.Mark{Origin: seal.OriginOf([16]byte{9}), CSeq: e.CSeq}, seal.Text{Kind: chat.Text, Body: "psst"})
			},
			"by somebody else": func(e *wire.Event) {
				e.Body = eve.Seal(carol, seal.Mark{Origin: seal.OriginOf([16]byte{9}), CSeq: e.CSeq}, seal.Text{Kind: chat.Text, Body: "psst"})
			},
			"as this client's":     func(e *wire.Event) { e.From = 5 },
			"as another of carol":  func(e *wire.Event) { e.From = 11 },
			"what was said before": func(e *wire.Event) { e.Body, e.CSeq = replayed.Body, replayed.CSeq },
			"nothing to see": func(e *wire.Event) {
				e.Body = bob.Seal(carol, seal.Mark{Origin: seal.OriginOf([16]byte{9}), CSeq: e.CSeq}, seal.Text{Kind: chat.Text, Body: "\x1b\n"})
			},
			"no UTF-8": func(e *wire.Event) {
				e.Body = bob.Seal(carol, seal.Mark{Origin: seal.OriginOf([16]byte{9}), CSeq: e.CSeq}, seal.Text{Kind: chat.Text, Body: "\xff"})
			},
		} {
			was := r.Stats().Unreadable
			e := log.says(bob, carol, "secret")
			change(e)
			p.say(e)
			if m := event[Message](r); !m.Unreadable || !m.Sealed || m.Text != "" || m.Kind != chat.Sealed || m.Seq != e.Seq {
				t.Errorf("%s: got %+v", name, m)
			}
			if got := r.Stats().Unreadable; got != was+1 {
				t.Errorf("%s: %d were counted, want %d", name, got, was+1)
			}
		}
		p.say(log.says(bob, carol, "still here"))
		if m := event[Message](r); m.Text != "still here" {
			t.Errorf("got %+v", m)
		}
		plain := log.next("not sealed")
		p.say(plain)
		if m := event[Message](r); m.Sealed || m.Text != "not sealed" {
			t.Errorf("got %+v", m)
		}
	})
}

// TestNewKeyWrites: who writes under a name that the user knows another key by is told before what they say.
func TestNewKeyWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Direct = true })
		defer r.end()
		bob, eve, carol := newSomeone(t, "bob", 0x20), newSomeone(t, "bob", 0x40), carolsCard(t)
		first, second := &row{number: 8}, &row{number: 9}
		p := r.accept(nil)
		onChat[*wire.Join](p)
		p.say(first.openWith(bob), first.says(bob, carol, "hi"))
		event[LinkUp](r)
		event[Opened](r)
		r.Shown(event[Message](r)) // whoever was shown under a name has it
		p.say(&wire.Closed{Room: 8, Name: "@bob", Code: chat.Goodbye}, second.openWith(eve), second.says(eve, carol, "it is me"))
		event[ClosedRoom](r)
		if e := event[KeyChanged](r); e.Name != "bob" || e.Was != bob.id || e.Now != eve.id {
			t.Errorf("told %+v", e)
		}
		event[Opened](r)
		r.Shown(event[Message](r))
		r.send("@bob", "who are you?")
		if skip := onChat[*wire.Pub](p); skip.Kind != chat.Skip {
			t.Errorf("sent %+v", skip)
		}
		p.say(&wire.Ack{CSeq: 1})
		if e := event[Refused](r); e.Code != chat.KeyChanged {
			t.Errorf("refused as %+v", e)
		}
	})
}

// TestSealedHistory: pages of the past are opened too, and searched here, as no node can.
func TestSealedHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		bob, carol := newSomeone(t, "bob", 0x20), carolsCard(t)
		p := r.accept(nil)
		event[LinkUp](r)
		log := &row{number: 8}
		var page []wire.Raw
		for _, text := range []string{"the pump leaks", "which one?", "the PUMP in hall 3"} {
			page = append(page, wire.Must(nil, log.says(bob, carol, text))[wire.HeaderLen:])
		}
		bad := log.says(bob, carol, "pump")
		bad.Body[200] ^= 1
		page = append(page, wire.Must(nil, bad)[wire.HeaderLen:])
		answer := func() {
			onControl[*wire.History](p)
			p.tell(&wire.HistoryIs{Events: page, Low: 1})
			onControl[*wire.Whois](p)
			p.tell(&wire.WhoisIs{Person: wire.Person{ID: bob.id[:], Name: "bob"}, Card: bob.Card()})
		}
		type result struct {
			list []Message
			err  error
		}
		got := make(chan result)
		go func() { // ends with the answer
			list, _, err := r.History(r.ctx, "@bob", HistoryQuery{N: 10})
			got <- result{list, err}
		}()
		answer()
		res := <-got
		if res.err != nil || len(res.list) != 4 || res.list[0].Text != "the pump leaks" || res.list[2].Name != "bob" || !res.list[3].Unreadable || res.list[3].Text != "" {
			t.Fatalf("history %+v, %v", res.list, res.err)
		}
		search := func(q SearchQuery) (Found, error) {
			found, errs := make(chan Found, 1), make(chan error, 1)
			go func() { // ends with the answer
				f, err := r.Search(r.ctx, q)
				found <- f
				errs <- err
			}()
			answer()
			return <-found, <-errs
		}
		f, err := search(SearchQuery{Words: "pump", Room: "@bob", N: 10})
		if err != nil || len(f.Hits) != 2 || f.Hits[0].Seq != 3 || f.Hits[1].Seq != 1 || f.Next != 0 {
			t.Errorf("found %+v, %v", f, err)
		}
		if f, err = search(SearchQuery{Words: "pump", Room: "@bob", N: 1}); err != nil || len(f.Hits) != 1 || f.Next != 3 {
			t.Errorf("found %+v, %v", f, err)
		}
		if f, err = search(SearchQuery{From: "Bob", Room: "@bob", N: 50}); err != nil || len(f.Hits) != 4 {
			t.Errorf("found %+v, %v", f, err)
		}
		eve := newSomeone(t, "bob", 0x40)
		r.mu.Lock()
		r.contacts.pins.set("bob", eve.id) // whose name it was
		r.mu.Unlock()
		if f, err = search(SearchQuery{Words: "pump", Room: "@bob", N: 50}); len(f.Hits) != 0 {
			t.Errorf("found %+v under a name that was another's", f)
		} else if refused := (*RefusedError)(nil); !errors.As(err, &refused) || refused.Code != chat.KeyChanged {
			t.Errorf("of a name that was another's: %v", err)
		}
		r.mu.Lock()
		r.contacts.pins.set("bob", bob.id)
		r.mu.Unlock()
		if f, err = search(SearchQuery{Words: "pump", From: "carol", Room: "@bob", N: 50}); err != nil || len(f.Hits) != 0 {
			t.Errorf("found %+v, %v", f, err)
		}
	})
}

// TestTopicsAreNotForTwo: a topic can't be sealed, so a conversation has none.
func TestTopicsAreNotForTwo(t *testing.T) {
	c := New(Config{Name: "carol", Key: testKey(), Dial: func(context.Context) (Link, error) { return nil, errDial }})
	defer c.Close()
	_, err := c.Send(t.Context(), Draft{Room: "@bob", Kind: chat.Topic, Text: "plans"})
	if refused := (*RefusedError)(nil); !errors.As(err, &refused) || refused.Code != chat.BadKind {
		t.Errorf("a topic for a conversation: %v", err)
	}
}

// TestPinsAreBounded: the name that was trusted first goes, and a state keeps their order.
func TestPinsAreBounded(t *testing.T) {
	p := newPins()
	for i := range maxPins + 10 {
		p.set(strings.Repeat("x", 1+i%7)+time.Duration(i).String(), identity.ID{1})
	}
	if len(p.byName) != maxPins || len(p.oldestFirst()) != maxPins {
		t.Errorf("%d names are pinned", len(p.byName))
	}
	s, err := OpenState(filepath.Join(t.TempDir(), "journal"), &counter{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, name := range []string{"b", "a", "c", "b"} {
		if err := s.pin(name, identity.ID{2}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.renew([16]byte{3}, nil, WhyEpoch, 5, home{}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.pins.oldestFirst(), ""); got != "acb" {
		t.Errorf("pinned are %q, want acb", got)
	}
}

// TestSearchPassesOverStrangers: one conversation whose name is another key's does not keep a search from the rest of what it found.
func TestSearchPassesOverStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		bob, eve, carol := newSomeone(t, "bob", 0x20), newSomeone(t, "bob", 0x40), carolsCard(t)
		p := r.accept(nil)
		event[LinkUp](r)
		r.mu.Lock()
		r.contacts.pins.set("bob", eve.id) // whose name it was
		r.mu.Unlock()
		search := asked(func() (Found, error) { return r.Search(r.ctx, SearchQuery{From: "bob", N: 2}) })
		onControl[*wire.Search](p)
		sealed, aloud := (&row{number: 8}).says(bob, carol, "psst"), (&row{number: 1}).next("aloud")
		p.tell(&wire.SearchIs{Rooms: []wire.RoomName{{Room: 1, Name: "lobby"}, {Room: 8, Name: "@bob"}}, Events: raw(sealed, aloud)})
		onControl[*wire.Whois](p)
		p.tell(&wire.WhoisIs{Person: wire.Person{ID: bob.id[:], Name: "bob"}, Card: bob.Card()})
		f, err := search()
		if err != nil || len(f.Hits) != 2 || !f.Hits[0].Unreadable || f.Hits[0].Text != "" || f.Hits[1].Text != "aloud" {
			t.Errorf("found %+v, %v", f, err)
		}
	})
}
