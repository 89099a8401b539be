package client

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// log returns the events 1 to n of a room, one a second from time 1000 s on.
func logOf(number uint64, n int) (events []*wire.Event) {
	r := row{number: number}
	for i := range n {
		e := r.next("text")
		e.Time = int64(1000+i) * 1000
		events = append(events, e)
	}
	return events
}

func raw(events ...*wire.Event) (list []wire.Raw) {
	for _, e := range events {
		list = append(list, wire.Raw(wire.Must(nil, e)[wire.HeaderLen:]))
	}
	return list
}

// asked runs a question in the background; its result comes when the node has answered.
func asked[T any](f func() (T, error)) (value func() (T, error)) {
	type answer struct {
		value T
		err   error
	}
	ch := make(chan answer, 1)
	go func() { v, err := f(); ch <- answer{v, err} }()
	synctest.Wait()
	return func() (T, error) { a := <-ch; return a.value, a.err }
}

// TestHistoryByPages has a node answer with random parts of what was asked for: what comes out is what a slice of the log would be.
func TestHistoryByPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 1))
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		log := logOf(3, 700)
		for range 100 {
			q := HistoryQuery{N: rng.IntN(600)}
			if rng.IntN(2) == 0 {
				q.Before = uint64(rng.IntN(900))
			}
			if rng.IntN(2) == 0 {
				q.Since = time.Unix(int64(900+rng.IntN(1000)), 0)
			}
			list, more, err := r.historyFrom(p, log, q, rng)
			if err != nil {
				t.Fatalf("%+v: %v", q, err)
			}
			want := slices.DeleteFunc(slices.Clone(log), func(e *wire.Event) bool {
				return q.Before > 0 && e.Seq >= q.Before || !q.Since.IsZero() && e.Time < q.Since.UnixMilli()
			})
			rest := len(want) - min(len(want), q.N, chat.MaxTail)
			if want = want[rest:]; more != (rest > 0 && len(want) > 0) || len(list) != len(want) {
				t.Fatalf("%+v: %d messages, more %v; want %d, %v", q, len(list), more, len(want), rest > 0)
			}
			for i, m := range list {
				if m.Seq != want[i].Seq || m.ID != want[i].ID || m.Epoch != testEpoch || m.Room != "lobby" || m.Cursor != (chat.Cursor{}) || m.Name != "dave" {
					t.Fatalf("message %d is %+v", i, m)
				}
			}
		}
	})
}

// historyFrom asks for history and plays the node that has log.
func (r *rig) historyFrom(p *peer, log []*wire.Event, q HistoryQuery, rng *rand.Rand) ([]Message, bool, error) {
	type answer struct {
		list []Message
		more bool
		err  error
	}
	done := make(chan answer, 1)
	go func() { l, m, err := r.History(r.t.Context(), "lobby", q); done <- answer{l, m, err} }()
	for {
		synctest.Wait()
		select {
		case a := <-done:
			return a.list, a.more, a.err
		default:
		}
		ask := onControl[*wire.History](p)
		fit := slices.DeleteFunc(slices.Clone(log), func(e *wire.Event) bool { return ask.Before > 0 && e.Seq >= ask.Before || e.Time < ask.Since })
		n := min(int(ask.N), len(fit))
		n -= rng.IntN(max(n, 1))
		p.tell(&wire.HistoryIs{Events: raw(fit[len(fit)-n:]...), Low: 1, More: n > 0 && n < len(fit)})
	}
}

// TestHistoryOfAConversation carries all that a message has.
func TestHistoryOfAConversation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		event[LinkUp](r)
		list := asked(func() ([]Message, error) {
			l, _, err := r.History(t.Context(), "@bob", HistoryQuery{N: 5})
			return l, err
		})
		onControl[*wire.History](p)
		e := &wire.Event{Room: 9, Seq: 4, From: 5, CSeq: 2, Time: 1500, Name: "carol", Kind: chat.Action, Body: []byte("waves"), ID: chat.ID{4}, Opts: wire.Opts{Re: []byte("12345678")}}
		p.tell(&wire.HistoryIs{Events: raw(e), Low: 4})
		got, err := list()
		want := []Message{{Room: "@bob", To: "bob", Seq: 4, ID: chat.ID{4}, Epoch: testEpoch, From: 5, Name: "carol", Kind: chat.Action, Time: time.UnixMilli(1500), Text: "waves", Re: chat.ID([]byte("12345678")), Own: true}}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("history, %v (-want +got):\n%s", err, diff)
		}
	})
}

// TestHistoryOfAHostileNode gets an error for every answer that can't be true, and the link stays.
func TestHistoryOfAHostileNode(t *testing.T) {
	log := logOf(3, 20)
	other := logOf(4, 20)
	for name, pages := range map[string][]*wire.HistoryIs{
		"too many":          {{Events: raw(log[4:10]...), Low: 1}},
		"not before":        {{Events: raw(log[11:13]...), Low: 1}},
		"unordered":         {{Events: raw(log[5], log[4]), Low: 1}},
		"a hole":            {{Events: raw(log[4], log[6]), Low: 1}},
		"twice":             {{Events: raw(log[4], log[4]), Low: 1}},
		"two rooms":         {{Events: raw(log[4], other[5]), Low: 1}},
		"two rooms in two":  {{Events: raw(log[8:10]...), Low: 1, More: true}, {Events: raw(other[7]), Low: 1}},
		"a hole in between": {{Events: raw(log[8:10]...), Low: 1, More: true}, {Events: raw(log[6]), Low: 1}},
		"the same again":    {{Events: raw(log[8:10]...), Low: 1, More: true}, {Events: raw(log[8:10]...), Low: 1, More: true}},
		"nothing and more":  {{Low: 1, More: true}},
		"below low":         {{Events: raw(log[8:10]...), Low: 10}},
		"too old":           {{Events: raw(log[0]), Low: 1}},
		"row 0":             {{Events: raw(&wire.Event{Room: 3, Time: 1 << 40}), Low: 0}},
		"no event":          {{Events: []wire.Raw{{0xf6}}, Low: 1}},
		"an answer inside":  {{Events: []wire.Raw{wire.Must(nil, &wire.HistoryIs{})[wire.HeaderLen:]}, Low: 1}},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, nil)
			defer r.end()
			p := r.accept(nil)
			list := asked(func() ([]Message, error) {
				l, _, err := r.History(t.Context(), "lobby", HistoryQuery{Before: 11, Since: time.Unix(1001, 0), N: 5})
				return l, err
			})
			for _, page := range pages {
				onControl[*wire.History](p)
				p.tell(page)
			}
			if got, err := list(); len(got) > 0 || !errors.Is(err, errPage) && !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("%s: %d messages, %v", name, len(got), err)
			}
			ok := asked(func() (Keep, error) { return r.Keep(t.Context(), "lobby") })
			onControl[*wire.Keep](p)
			p.tell(&wire.KeepIs{Set: true, AgeMS: math.MaxUint64, Size: math.MaxUint64})
			if k, err := ok(); err != nil || k.Age <= 0 || k.Size != math.MaxInt64 {
				t.Errorf("%s: then %+v, %v", name, k, err)
			}
		})
	}
}

// TestHistoryOfAnotherStore does not join the pages of two logs.
func TestHistoryOfAnotherStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		log := logOf(3, 20)
		list := asked(func() ([]Message, error) {
			l, _, err := r.History(t.Context(), "lobby", HistoryQuery{N: 20})
			return l, err
		})
		onControl[*wire.History](p)
		p.tell(&wire.HistoryIs{Events: raw(log[10:]...), Low: 1, More: true})
		onControl[*wire.History](p)
		p.Close()
		other := func(w *wire.Welcome) { w.Epoch++ }
		r.accept(other) // which is left at once for a link with another origin
		p = r.accept(other)
		onControl[*wire.History](p)
		p.tell(&wire.HistoryIs{Events: raw(log[:10]...), Low: 1})
		if got, err := list(); len(got) > 0 || !errors.Is(err, errRenew) {
			t.Errorf("%d messages, %v; want none of two logs", len(got), err)
		}
	})
}

func TestSearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		lobby, bob := logOf(3, 9), logOf(7, 9)
		search := func(q SearchQuery) func() (Found, error) {
			return asked(func() (Found, error) { return r.Search(t.Context(), q) })
		}
		found := search(SearchQuery{Words: "text", From: "dave", Before: 99, N: 4})
		if q := onControl[*wire.Search](p); q.Words != "text" || q.From != "dave" || q.Room != "" || q.Before != 99 || q.N != 4 {
			t.Errorf("asked %+v", q)
		}
		p.tell(&wire.SearchIs{Rooms: []wire.RoomName{{Room: 3, Name: "lobby"}, {Room: 7, Name: "@bob"}}, Events: raw(lobby[8], bob[4], lobby[2]), Next: 50, Behind: 7})
		if q := onControl[*wire.Search](p); q.Before != 50 || q.N != 1 {
			t.Errorf("asked on with %+v", q)
		}
		p.tell(&wire.SearchIs{Next: 40}) // a page in which nothing was found
		onControl[*wire.Search](p)
		p.tell(&wire.SearchIs{Rooms: []wire.RoomName{{Room: 7, Name: "@bob"}}, Events: raw(bob[1]), Next: 30, Behind: 3})
		got, err := found()
		var hits []string
		for _, m := range got.Hits {
			hits = append(hits, m.Room+" "+m.To+" "+m.ID.String())
		}
		want := []string{"lobby  " + lobby[8].ID.String(), "@bob bob " + bob[4].ID.String(), "lobby  " + lobby[2].ID.String(), "@bob bob " + bob[1].ID.String()}
		if diff := cmp.Diff(want, hits); diff != "" || err != nil || got.Next != 30 || got.Behind != 3 {
			t.Errorf("next %d, behind %d, %v (-want +got):\n%s", got.Next, got.Behind, err, diff)
		}

		// A node that looks for ever is left alone after a while, and can be asked on.
		found = search(SearchQuery{Words: "text", N: 4})
		for n := range maxPages {
			onControl[*wire.Search](p)
			p.tell(&wire.SearchIs{Next: uint64(1000 - n)})
		}
		if got, err := found(); err != nil || len(got.Hits) > 0 || got.Next != 1000-maxPages+1 {
			t.Errorf("found %+v, %v", got, err)
		}

		for name, c := range map[string]struct {
			room string
			is   wire.SearchIs
		}{
			"a room without a name": {"", wire.SearchIs{Events: raw(lobby[3])}},
			"a room that can't be":  {"", wire.SearchIs{Rooms: []wire.RoomName{{Room: 3, Name: "\x1b[2J"}}, Events: raw(lobby[3])}},
			"another room":          {"ops", wire.SearchIs{Rooms: []wire.RoomName{{Room: 3, Name: "lobby"}}, Events: raw(lobby[3])}},
			"too many":              {"", wire.SearchIs{Rooms: []wire.RoomName{{Room: 3, Name: "lobby"}}, Events: raw(lobby[8], lobby[7], lobby[6])}},
			"twice":                 {"", wire.SearchIs{Rooms: []wire.RoomName{{Room: 3, Name: "lobby"}}, Events: raw(lobby[8], lobby[8])}},
			"the oldest first":      {"", wire.SearchIs{Rooms: []wire.RoomName{{Room: 3, Name: "lobby"}}, Events: raw(lobby[7], lobby[8])}},
			"no event":              {"", wire.SearchIs{Events: []wire.Raw{{0x80}}}},
		} {
			found = search(SearchQuery{Words: "text", Room: c.room, N: 2})
			onControl[*wire.Search](p)
			p.tell(&c.is)
			if got, err := found(); len(got.Hits) > 0 || !errors.Is(err, errPage) && !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("%s: %d hits, %v", name, len(got.Hits), err)
			}
		}
	})
}

// TestAskedHere: what no node would answer is not asked.
func TestAskedHere(t *testing.T) {
	c := New(Config{Name: "carol", Key: testKey(), Dial: func(context.Context) (Link, error) { return nil, errDial }})
	defer c.Close()
	ctx := t.Context()
	long := strings.Repeat("x", chat.MaxQuery+1)
	for name, f := range map[string]func() error{
		"no room":      func() error { _, _, err := c.History(ctx, "", HistoryQuery{N: 1}); return err },
		"bad room":     func() error { _, _, err := c.History(ctx, "A B", HistoryQuery{N: 1}); return err },
		"all directs":  func() error { _, _, err := c.History(ctx, "@", HistoryQuery{N: 1}); return err },
		"no words":     func() error { _, err := c.Search(ctx, SearchQuery{Words: "- !", N: 1}); return err },
		"many words":   func() error { _, err := c.Search(ctx, SearchQuery{Words: long, N: 1}); return err },
		"long name":    func() error { _, err := c.Search(ctx, SearchQuery{Words: "x", From: long, N: 1}); return err },
		"search in":    func() error { _, err := c.Search(ctx, SearchQuery{Words: "x", Room: "A B", N: 1}); return err },
		"keep":         func() error { _, err := c.Keep(ctx, "@"); return err },
		"not UTF-8":    func() error { _, _, err := c.History(ctx, "@\xff", HistoryQuery{N: 1}); return err },
		"set bad keep": func() error { _, err := c.SetKeep(ctx, "a/b", Keep{}); return err },
	} {
		var refused *RefusedError
		if err := f(); !errors.As(err, &refused) {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
}

// TestReadingGoesOnWithoutRoom: what a full node has sent back does not hold questions up, and is sent until it is taken, once.
func TestReadingGoesOnWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		event[LinkUp](r)
		r.send("lobby", "a")
		list := asked(func() ([]Message, error) {
			l, _, err := r.History(t.Context(), "lobby", HistoryQuery{N: 1})
			return l, err
		})
		p.tell(&wire.Notice{Code: chat.NoSpace, Text: "no room"})
		if n := event[Notice](r); n.Code != chat.NoSpace {
			t.Errorf("told %+v", n)
		}
		for range 30 { // 8 minutes of it
			if pub := onChat[*wire.Pub](p); pub.CSeq != 1 {
				t.Fatalf("got cseq %d, want 1 again", pub.CSeq)
			}
			p.say(&wire.Nack{Expected: 1, Code: chat.NoSpace, RetryAfterMS: 1500})
			synctest.Wait()
		}
		onControl[*wire.History](p)
		p.tell(&wire.HistoryIs{Low: 1})
		if _, err := list(); err != nil {
			t.Errorf("history: %v", err)
		}
		onChat[*wire.Pub](p)
		p.say(&wire.Ack{CSeq: 1, Seq: 1})
		if a := event[Ack](r); a.N != 1 {
			t.Errorf("answered %+v", a)
		}
		// With room again questions wait for what was sent before them.
		r.send("lobby", "b")
		onChat[*wire.Pub](p)
		list = asked(func() ([]Message, error) {
			l, _, err := r.History(t.Context(), "lobby", HistoryQuery{N: 1})
			return l, err
		})
		if n := len(p.controlUp.buf); n > 0 {
			t.Errorf("%d bytes on control before the send is answered", n)
		}
		p.say(&wire.Ack{CSeq: 2, Seq: 2})
		onControl[*wire.History](p)
		p.tell(&wire.Failed{Code: chat.NoSuchRoom})
		var refused *RefusedError
		if _, err := list(); !errors.As(err, &refused) || refused.Text != "lobby" {
			t.Errorf("history of what is not there: %v", err)
		}
	})
}

func TestSetKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		for _, c := range []struct {
			set  Keep
			want wire.Keep
		}{
			{Keep{}, wire.Keep{Mode: wire.KeepDefault}},
			{Keep{Set: true}, wire.Keep{Mode: wire.KeepBounds}},
			{Keep{Set: true, Age: time.Hour, Size: 5}, wire.Keep{Mode: wire.KeepBounds, AgeMS: 3_600_000, Size: 5}},
			{Keep{Set: true, Age: -1, Size: -1}, wire.Keep{Mode: wire.KeepBounds}},
		} {
			kept := asked(func() (Keep, error) { return r.SetKeep(t.Context(), "ops", c.set) })
			q := *onControl[*wire.Keep](p)
			if q.Type, c.want.Room = 0, "ops"; q != c.want {
				t.Errorf("asked %+v, want %+v", q, c.want)
			}
			p.tell(&wire.KeepIs{Set: c.set.Set, AgeMS: q.AgeMS, Size: q.Size})
			if k, err := kept(); err != nil || k.Set != c.set.Set || k.Age != max(c.set.Age, 0) {
				t.Errorf("%+v: %+v, %v", c.set, k, err)
			}
		}
	})
}

// TestManyAuthors asks for many keys as one question.
func TestManyAuthors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		event[LinkUp](r)
		known := asked(func() (int, error) { return len(r.Authors(t.Context(), []uint64{5, 8, 9, 8, 5, 10})), nil })
		q := onControl[*wire.Authors](p)
		id := idOfPerson(1)
		p.tell(&wire.AuthorsAre{Authors: []wire.Author{{From: 9, ID: id[:]}}})
		if n, _ := known(); n != 2 || !slices.Equal(q.From, []uint64{8, 9, 10}) {
			t.Errorf("%d known of %v, want the client's own and one more", n, q.From)
		}
	})
}
