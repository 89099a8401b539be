package client

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

func idOfPerson(n int) identity.ID { return identity.ID{0xee, byte(n >> 8), byte(n)} }

func person(n int, name string) wire.Person {
	id := idOfPerson(n)
	return wire.Person{ID: id[:], Name: name}
}

// TestSlowConsumer: a consumer that takes no events, because it waits for an answer, gets the answer; the chat stream is held back, and
// the link is lost and made again under way.
func TestSlowConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Rooms = []string{"lobby"} })
		defer r.end()
		log := &row{number: 3}
		p := r.accept(nil)
		onChat[*wire.Join](p)
		p.say(log.open("lobby"))
		for range 2000 {
			p.say(log.next("x"))
		}
		synctest.Wait()
		p.chatDown.mu.Lock()
		left := len(p.chatDown.buf)
		p.chatDown.mu.Unlock()
		if left < 50_000 {
			t.Errorf("only %d bytes were held back", left)
		}

		answered := make(chan identity.ID)
		go func() {
			id, err := r.Author(t.Context(), 9)
			if err != nil {
				t.Errorf("Author: %v", err)
			}
			answered <- id
		}()
		if q := onControl[*wire.Authors](p); len(q.From) != 1 || q.From[0] != 9 {
			t.Errorf("asked for %v, want 9", q.From)
		}
		p.Close() // lost before the answer; the next link is asked again
		p = r.accept(nil)
		who := idOfPerson(1)
		onControl[*wire.Authors](p)
		p.tell(&wire.AuthorsAre{Authors: []wire.Author{{From: 9, ID: who[:]}}})
		if id := <-answered; id != who {
			t.Errorf("Author is %v, want %v", id, who)
		}
		if id, err := r.Author(t.Context(), 9); err != nil || id != who {
			t.Errorf("Author from memory is %v, %v", id, err)
		}
		// Nothing was lost: the first link's messages come as far as they were read, and the second goes on from there.
		event[LinkUp](r)
		event[Opened](r)
		for seq := uint64(1); ; seq++ {
			switch e := event[Event](r).(type) {
			case Message:
				if e.Seq != seq {
					t.Fatalf("got seq %d, want %d", e.Seq, seq)
				}
				continue
			case LinkDown:
			}
			event[LinkUp](r)
			if j := onChat[*wire.Join](p); j.Cursor.Seq != seq-1 {
				t.Errorf("resumed from %d, want %d", j.Cursor.Seq, seq-1)
			}
			return
		}
	})
}

// TestNobodyListens: whatever happens while events are not taken at all, few of them are kept.
func TestNobodyListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Rooms, c.Watch = []string{"lobby"}, true })
		defer r.end()
		log := &row{number: 3}
		for i := range 50 {
			p := r.accept(nil)
			if i == 0 {
				p.say(log.open("lobby"))
				for range 500 {
					p.say(log.next("x"))
				}
			}
			for range 500 {
				p.tell(&wire.Notice{Text: "again"})
			}
			synctest.Wait()
			p.Close()
		}
		r.refuse <- errDial
		r.refuse <- errDial
		elapse(time.Minute)
		r.feed.mu.Lock()
		defer r.feed.mu.Unlock()
		if n := len(r.feed.queue); n > maxQueued+2 {
			t.Errorf("%d events are queued", n)
		}
		if n := len(r.feed.notices); n > maxNotices {
			t.Errorf("%d notices are kept", n)
		}
		if e, ok := r.feed.queue[len(r.feed.queue)-1].(LinkDown); !ok {
			t.Errorf("the last event is %#v, want the last LinkDown", e)
		}
	})
}

func TestQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		type answer struct {
			value any
			err   error
		}
		ask := func(f func() (any, error)) chan answer {
			ch := make(chan answer, 1)
			go func() { v, err := f(); ch <- answer{v, err} }()
			synctest.Wait()
			return ch
		}
		names := ask(func() (any, error) {
			list, total, err := r.Names(t.Context(), "lobby")
			return fmt.Sprint(len(list), " of ", total), err
		})
		whois := ask(func() (any, error) { i, err := r.Whois(t.Context(), "bob"); return i, err })
		list := ask(func() (any, error) { l, err := r.List(t.Context()); return l, err })
		ctx, cancel := context.WithCancel(t.Context())
		gone := ask(func() (any, error) { l, err := r.List(ctx); return l, err })
		cancel()
		if a := <-gone; !errors.Is(a.err, context.Canceled) {
			t.Errorf("a question whose caller has gone: %v", a.err)
		}

		p := r.accept(nil)
		if q := onControl[*wire.Names](p); q.Room != "lobby" || q.After != "" {
			t.Errorf("asked %+v", q)
		}
		p.tell(&wire.NamesAre{People: []wire.Person{person(1, "ann"), person(2, "bob")}, Total: 3, More: true})
		onControl[*wire.Whois](p)
		p.tell(&wire.Failed{Code: chat.NoSuchUser})
		onControl[*wire.List](p)
		p.tell(&wire.ListIs{Rooms: []wire.RoomInfo{{Name: "lobby", Members: 3, Head: 9, Topic: "t"}}})
		if q := onControl[*wire.Names](p); q.After != "bob" {
			t.Errorf("asked for the page after %q, want bob", q.After)
		}
		p.tell(&wire.NamesAre{People: []wire.Person{person(3, "cyd")}, Total: 3})
		if a := <-names; a.err != nil || a.value != "3 of 3" {
			t.Errorf("Names: %+v", a)
		}
		var refused *RefusedError
		if a := <-whois; !errors.As(a.err, &refused) || refused.Code != chat.NoSuchUser {
			t.Errorf("Whois: %+v", a)
		}
		if diff := cmp.Diff(any([]RoomInfo{{Name: "lobby", Members: 3, Head: 9, Topic: "t"}}), (<-list).value); diff != "" {
			t.Errorf("list mismatch (-want +got):\n%s", diff)
		}

		whois = ask(func() (any, error) { i, err := r.Whois(t.Context(), "bob"); return i, err })
		onControl[*wire.Whois](p)
		p.tell(&wire.WhoisIs{Person: person(2, "bob"), Sessions: 1 << 63, Rooms: []string{"lobby"}, Since: 1000})
		want := Info{Person: Person{ID: idOfPerson(2), Name: "bob"}, Sessions: 1<<31 - 1, Rooms: []string{"lobby"}, Since: time.UnixMilli(1000)}
		if diff := cmp.Diff(any(want), (<-whois).value); diff != "" {
			t.Errorf("info mismatch (-want +got):\n%s", diff)
		}
	})
}

// TestAuthors: many callers, one question; what is known is not asked; another store knows nothing of it.
func TestAuthors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		results := make(chan error, 400)
		ask := func(from uint64) {
			go func() {
				id, err := r.Author(t.Context(), from)
				if err == nil && id != idOfPerson(int(from)) {
					err = fmt.Errorf("%d is %v", from, id)
				}
				results <- err
			}()
		}
		for from := range uint64(300) {
			ask(from + 10)
		}
		ask(10)
		synctest.Wait()
		p := r.accept(nil)
		asked := 0
		for _, want := range []int{maxAuthors, 300 - maxAuthors} {
			q := onControl[*wire.Authors](p)
			if len(q.From) != want {
				t.Errorf("asked for %d, want %d", len(q.From), want)
			}
			asked += len(q.From)
			var are wire.AuthorsAre
			for _, from := range q.From {
				if id := idOfPerson(int(from)); from != 11 {
					are.Authors = append(are.Authors, wire.Author{From: from, ID: id[:]})
				}
			}
			p.tell(&are)
		}
		unknown := 0
		for range 301 {
			var refused *RefusedError
			if err := <-results; errors.As(err, &refused) && refused.Code == chat.NoSuchUser {
				unknown++
			} else if err != nil {
				t.Error(err)
			}
		}
		if unknown != 1 {
			t.Errorf("%d are unknown, want 1", unknown)
		}
		if id, err := r.Author(t.Context(), 5); err != nil || id != testKey().ID() {
			t.Errorf("the client's own number is %v, %v", id, err)
		}
		if id, err := r.Author(t.Context(), 200); err != nil || id != idOfPerson(200) {
			t.Errorf("a known number is %v, %v", id, err)
		}
		p.Close()
		ask(999)
		r.accept(func(w *wire.Welcome) { w.Epoch++ })
		var refused *RefusedError
		if err := <-results; !errors.As(err, &refused) {
			t.Errorf("a number of another store is %v", err)
		}
		p = r.accept(func(w *wire.Welcome) { w.Epoch++ })
		ask(200)
		if q := onControl[*wire.Authors](p); len(q.From) != 1 {
			t.Errorf("asked for %v", q.From)
		}
		id := idOfPerson(200)
		p.tell(&wire.AuthorsAre{Authors: []wire.Author{{From: 200, ID: id[:]}}})
		if err := <-results; err != nil {
			t.Error(err)
		}
	})
}

func presenceOf(r wire.RoomPresence) *wire.Presence {
	return &wire.Presence{Rooms: []wire.Raw{wire.EncodeRaw(&r)}}
}

// TestPresence: the rooms on screen are watched, the first Present is whole, and what happens while nobody looks is merged.
func TestPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Rooms, c.Watch = []string{"lobby", "ops"}, true })
		defer r.end()
		lobby, ops := &row{number: 3}, &row{number: 4}
		p := r.accept(nil)
		event[LinkUp](r)
		if w := onControl[*wire.Watch](p); len(w.Rooms) != 0 {
			t.Errorf("watches %v before anything is open", w.Rooms)
		}
		p.say(lobby.open("lobby"), ops.open("ops"))
		event[Opened](r)
		event[Opened](r)
		synctest.Wait()
		var w *wire.Watch
		for p.control.Buffered() || len(p.controlUp.buf) > 0 {
			w = onControl[*wire.Watch](p)
		}
		if diff := cmp.Diff([]string{"lobby", "ops"}, w.Rooms); diff != "" {
			t.Errorf("watch mismatch (-want +got):\n%s", diff)
		}
		p.tell(presenceOf(wire.RoomPresence{Room: "lobby", Count: 2, Snapshot: true, Here: []wire.Person{person(2, "Bob"), person(1, "ann")}}))
		want := Event(Present{Room: "lobby", Count: 2, People: []Person{{ID: idOfPerson(1), Name: "ann"}, {ID: idOfPerson(2), Name: "Bob"}}})
		if diff := cmp.Diff(want, event[Event](r)); diff != "" {
			t.Errorf("snapshot mismatch (-want +got):\n%s", diff)
		}

		r.swamp(p, lobby)
		p.tell(
			presenceOf(wire.RoomPresence{Room: "lobby", Count: 3, Here: []wire.Person{person(3, "cyd")}}),
			presenceOf(wire.RoomPresence{Room: "lobby", Count: 3, Here: []wire.Person{person(3, "Cyd"), person(2, "rob")}}),
			presenceOf(wire.RoomPresence{Room: "lobby", Count: 4, Here: []wire.Person{person(4, "eve")}}),
			presenceOf(wire.RoomPresence{Room: "lobby", Count: 2, Gone: []wire.Person{person(4, "eve"), person(1, "ann")}}),
			presenceOf(wire.RoomPresence{Room: "elsewhere", Count: 1, Snapshot: true}),
		)
		got := r.besidesMessages()
		wantAll := []Event{
			Gone{"lobby", "ann", idOfPerson(1)}, Renamed{"lobby", "Bob", "rob", idOfPerson(2)}, Joined{Room: "lobby", Name: "Cyd", ID: idOfPerson(3)},
		}
		if diff := cmp.Diff(wantAll, got); diff != "" {
			t.Errorf("merged presence mismatch (-want +got):\n%s", diff)
		}
		p.tell(presenceOf(wire.RoomPresence{Room: "ops", Count: 1 << 60, Snapshot: true}))
		if e := event[Present](r); e.Count != 1<<31-1 || len(e.People) != 0 {
			t.Errorf("a count alone is %+v", e)
		}
	})
}

// swamp sends so many messages that the consumer is behind.
func (r *rig) swamp(p *peer, log *row) {
	for range maxQueued + outBuffer + 10 {
		p.say(log.next("x"))
	}
	synctest.Wait()
}

// besidesMessages takes all events that wait and returns those that are no messages.
func (r *rig) besidesMessages() (out []Event) {
	for {
		synctest.Wait()
		select {
		case e := <-r.Events():
			if _, ok := e.(Message); !ok {
				out = append(out, e)
			}
		default:
			return out
		}
	}
}

// TestBreaches: what no node may send ends the link, and the client comes back later.
func TestBreaches(t *testing.T) {
	log := &row{number: 3}
	short := []byte{1, 2}
	tests := map[string]struct {
		chat, control []wire.Record
		raw           []byte
	}{
		"event of no room":     {chat: []wire.Record{&wire.Event{Room: 9, Seq: 1}}},
		"closed of no room":    {chat: []wire.Record{&wire.Closed{Room: 9, Name: "x"}}},
		"ack of nothing":       {chat: []wire.Record{&wire.Ack{CSeq: 7, Seq: 1}}},
		"ack of 0":             {chat: []wire.Record{&wire.Ack{Seq: 1}}},
		"refusal of nothing":   {chat: []wire.Record{&wire.Refused{CSeq: 7, Code: chat.Denied}}},
		"nack of the future":   {chat: []wire.Record{&wire.Nack{Expected: 7}}},
		"nack of 0":            {chat: []wire.Record{&wire.Nack{}}},
		"open from 0":          {chat: []wire.Record{&wire.Open{Room: 3, Name: "lobby"}}},
		"open of a bad name":   {chat: []wire.Record{&wire.Open{Room: 3, Name: "\x1b[2J", From: 1}}},
		"one number for two":   {chat: []wire.Record{log.open("lobby"), log.open("ops")}},
		"peer of a room":       {chat: []wire.Record{&wire.Open{Room: 3, Name: "lobby", From: 1, Peer: nodeID[:]}}},
		"short peer":           {chat: []wire.Record{&wire.Open{Room: 3, Name: "@bob", From: 1, Peer: short}}},
		"a client's record":    {chat: []wire.Record{&wire.Pub{CSeq: 1}}},
		"control's on chat":    {chat: []wire.Record{&wire.Notice{Text: "x"}}},
		"chat's on control":    {control: []wire.Record{&wire.Ack{CSeq: 1}}},
		"answer to nothing":    {control: []wire.Record{&wire.ListIs{}}},
		"failure of nothing":   {control: []wire.Record{&wire.Failed{}}},
		"second challenge":     {control: []wire.Record{&wire.Challenge{Nonce: make([]byte, nonceLen)}}},
		"second welcome":       {control: []wire.Record{&wire.Welcome{Version: wire.Version, Node: nodeID[:]}}},
		"short id in presence": {control: []wire.Record{presenceOf(wire.RoomPresence{Here: []wire.Person{{ID: short}}})}},
		"no presence":          {control: []wire.Record{&wire.Presence{Rooms: []wire.Raw{{0x01}}}}},
		"not a record":         {raw: []byte{0, 0, 0, 2, 0xff, 0xff}},
		"huge record":          {raw: []byte{0xff, 0xff, 0xff, 0xff}},
		"empty record":         {raw: []byte{0, 0, 0, 0}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, nil)
				defer r.end()
				r.send("lobby", "kept in the outbox")
				p := r.accept(nil)
				onChat[*wire.Pub](p)
				event[LinkUp](r)
				p.say(test.chat...)
				p.tell(test.control...)
				if test.raw != nil {
					_, _ = p.chatDown.Write(test.raw)
				}
				for {
					e := event[Event](r)
					if _, ok := e.(Opened); ok {
						continue
					}
					if down, ok := e.(LinkDown); !ok || down.Err == nil || errors.Is(down.Err, errLost) {
						t.Errorf("got %#v, want the link to be given up for a reason", e)
					}
					break
				}
				select {
				case <-p.Done():
				default:
					t.Errorf("the link is still open")
				}
				p = r.accept(nil)
				for {
					record := receive[wire.Record](p, p.chat)
					if _, ok := record.(*wire.Join); ok {
						continue // the room that was opened before the breach
					}
					if pub, ok := record.(*wire.Pub); !ok || pub.CSeq != 1 {
						t.Errorf("after the breach %+v was sent, want cseq 1", record)
					}
					break
				}
			})
		})
	}
}

func TestManyRooms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		event[LinkUp](r)
		for i := range uint64(maxOpen + 1) {
			p.say((&row{number: i + 1}).open(fmt.Sprint("room", i)))
		}
		for range maxOpen {
			event[Opened](r)
		}
		event[LinkDown](r)
	})
}

func TestUnknownRecordsArePassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		unknown := []byte{0, 0, 0, 3, 0x81, 0x18, 0x63} // [99]
		_, _ = p.chatDown.Write(unknown)
		_, _ = p.controlDown.Write(unknown)
		p.tell(&wire.Notice{Code: chat.NameTaken, Text: "hello"})
		event[LinkUp](r)
		if e := event[Notice](r); e.Text != "hello" || e.Code != chat.NameTaken {
			t.Errorf("notice is %+v", e)
		}
	})
}

// TestSmallWindow: records go out in pieces as the node grants them, and the writer waits for no stream at the expense of the other.
func TestSmallWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		for range 40 {
			r.send("lobby", "a text that is much longer than the window would be if it were to hold all of these at one time")
		}
		p := <-r.links
		for _, h := range []*half{p.controlUp, p.chatUp} {
			h.mu.Lock()
			h.window = 300
			h.mu.Unlock()
		}
		p.welcome(nil)
		synctest.Wait()
		go func() { _, _ = r.Author(t.Context(), 99) }()
		onControl[*wire.Authors](p) // although chat is stuck
		for cseq := uint64(1); cseq <= 40; cseq++ {
			if pub := onChat[*wire.Pub](p); pub.CSeq != cseq {
				t.Errorf("got cseq %d, want %d", pub.CSeq, cseq)
			}
		}
	})
}

// TestQuestionsFollowWhatWasTyped: a question is asked when all that was done before it is answered, and does not wait for what comes later.
func TestQuestionsFollowWhatWasTyped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		event[LinkUp](r)
		r.send("lobby", "before")
		if err := r.Nick("caro"); err != nil {
			t.Fatal(err)
		}
		asked := make(chan error, 1)
		go func() {
			_, err := r.List(t.Context())
			asked <- err
		}()
		synctest.Wait()
		r.send("lobby", "behind")
		onChat[*wire.Pub](p)
		onChat[*wire.Nick](p)
		p.say(&wire.Ack{CSeq: 1, Seq: 1})
		synctest.Wait()
		if n := len(p.controlUp.buf); n > 0 {
			t.Errorf("%d bytes on control before the nick is answered", n)
		}
		p.say(&wire.Named{Name: "caro"})
		onControl[*wire.List](p)
		p.tell(&wire.ListIs{})
		if err := <-asked; err != nil {
			t.Errorf("list: %v", err)
		}
	})
}

// TestDirect: a conversation opens unasked, is shown by the other's name and resumed by the other's key.
func TestDirect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Direct = true })
		defer r.end()
		bob := idOfPerson(2)
		log := &row{number: 8}
		p := r.accept(nil)
		if j := onChat[*wire.Join](p); j.Room != "@" {
			t.Errorf("joined %q, want @", j.Room)
		}
		open := log.open("@bob")
		open.Peer = bob[:]
		e := log.next("psst")
		e.From = 5
		p.say(open, e)
		event[LinkUp](r)
		if o := event[Opened](r); !o.Direct || o.Room != "@bob" {
			t.Errorf("Opened is %+v", o)
		}
		if m := event[Message](r); m.Room != "@bob" || m.To != "bob" || !m.Own {
			t.Errorf("message is %+v", m)
		}
		if s, ok := r.Room("@bob"); !ok || s.Peer.ID != bob || s.Cursor.Seq != 1 {
			t.Errorf("room is %+v, %v", s, ok)
		}
		p.Close()
		event[LinkDown](r)
		p = r.accept(nil)
		if j := onChat[*wire.Join](p); j.Room != "@"+bob.String() || j.Cursor == nil {
			t.Errorf("resumed with %+v", j)
		}
		if j := onChat[*wire.Join](p); j.Room != "@" {
			t.Errorf("then joined %q, want @", j.Room)
		}
		if err := r.Part("@bob"); err != nil {
			t.Fatal(err)
		}
		if part := onChat[*wire.Part](p); part.Room != "@"+bob.String() {
			t.Errorf("parted %q", part.Room)
		}
		p.say(open, &wire.Closed{Room: 8, Name: "@bob"})
		event[LinkUp](r)
		event[Opened](r)
		event[Left](r)
	})
}

// TestClosed: rooms that the node closes, and parts of rooms that are not open.
func TestClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		p.say((&row{number: 3}).open("lobby"), &wire.Closed{Room: 3, Name: "lobby", Code: chat.Denied})
		event[LinkUp](r)
		event[Opened](r)
		if e := event[ClosedRoom](r); e.Code != chat.Denied || e.Room != "lobby" {
			t.Errorf("ClosedRoom is %+v", e)
		}
		if err := r.Part("ops"); err != nil {
			t.Fatal(err)
		}
		onChat[*wire.Part](p)
		p.say(&wire.Closed{Name: "ops", Code: chat.NotJoined})
		if e := event[Left](r); e.Code != chat.NotJoined || e.Room != "ops" {
			t.Errorf("Left is %+v", e)
		}
		if n := len(r.outbox.entries); n != 0 {
			t.Errorf("%d entries are left", n)
		}
	})
}
