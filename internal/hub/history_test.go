package hub

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// history asks for a page and returns its events.
func (c *client) history(q wire.History) (*wire.HistoryIs, []*wire.Event) {
	c.t.Helper()
	answer, ok := c.ask(&q).(*wire.HistoryIs)
	if !ok {
		c.t.Fatalf("history %+v has no answer", q)
	}
	return answer, events(c.t, answer.Events)
}

func events(t testing.TB, raw []wire.Raw) (all []*wire.Event) {
	t.Helper()
	for _, r := range raw {
		e, err := wire.DecodeEvent(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func seqs(events []*wire.Event) (all []uint64) {
	for _, e := range events {
		all = append(all, e.Seq)
	}
	return all
}

func texts(events []*wire.Event) (all []string) {
	for _, e := range events {
		all = append(all, string(e.Body))
	}
	return all
}

// TestHistory asks for pages of a log of ten rows, one a minute.
func TestHistory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		carol := w.attach("carol")
		begin := time.Now()
		for n := range 10 {
			carol.say("lobby", fmt.Sprint(n+1))
			elapse(time.Minute)
		}
		at := func(row int) int64 { return chat.Millis(begin.Add(time.Duration(row-1) * time.Minute)) }
		tests := map[string]struct {
			q    wire.History
			want []uint64
			more bool
		}{
			"the last three":       {wire.History{N: 3}, []uint64{8, 9, 10}, true},
			"all":                  {wire.History{N: 10}, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, false},
			"more than there are":  {wire.History{N: math.MaxUint64}, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, false},
			"none":                 {wire.History{}, nil, false},
			"before":               {wire.History{Before: 4, N: 2}, []uint64{2, 3}, true},
			"before to the end":    {wire.History{Before: 4, N: 3}, []uint64{1, 2, 3}, false},
			"before the first":     {wire.History{Before: 1, N: 3}, nil, false},
			"before what is none":  {wire.History{Before: math.MaxUint64, N: 1}, []uint64{10}, true},
			"since":                {wire.History{Since: at(8), N: 50}, []uint64{8, 9, 10}, false},
			"since, in between":    {wire.History{Since: at(8) + 1, N: 50}, []uint64{9, 10}, false},
			"since, cut":           {wire.History{Since: at(6), N: 2}, []uint64{9, 10}, true},
			"since, cut at its":    {wire.History{Since: at(9), N: 2}, []uint64{9, 10}, false},
			"since and before":     {wire.History{Since: at(4), Before: 6, N: 50}, []uint64{4, 5}, false},
			"since after before":   {wire.History{Since: at(8), Before: 6, N: 50}, nil, false},
			"since now":            {wire.History{Since: at(11), N: 50}, nil, false},
			"since the year 9999":  {wire.History{Since: 253402300799000, N: 50}, nil, false},
			"since the last of 64": {wire.History{Since: math.MaxInt64, N: 50}, nil, false},
			"since before all":     {wire.History{Since: math.MinInt64, N: 1}, []uint64{10}, true},
		}
		for name, test := range tests {
			test.q.Room = "lobby"
			answer, got := carol.history(test.q)
			if diff := cmp.Diff(test.want, seqs(got)); diff != "" || answer.More != test.more || answer.Low != 1 {
				t.Errorf("%s: more %v, low %d, want %v, 1 (-want +got):\n%s", name, answer.More, answer.Low, test.more, diff)
			}
		}
		wantFailed(t, carol.ask(&wire.History{Room: "attic", N: 1}), chat.NoSuchRoom)
		wantFailed(t, carol.ask(&wire.History{Room: "", N: 1}), chat.NoSuchRoom)
		wantFailed(t, carol.ask(&wire.History{Room: strings.Repeat("x", 60_000), N: 1}), chat.NoSuchRoom)
		wantFailed(t, carol.ask(&wire.History{Room: "@", N: 1}), chat.NoSuchUser)
		wantFailed(t, carol.ask(&wire.History{Room: "@nobody", N: 1}), chat.NoSuchUser)
		carol.do(&wire.Join{Room: "empty"})
		for _, room := range []string{"empty", "@carol"} { // she has said nothing to herself
			if answer, got := carol.history(wire.History{Room: room, N: 5}); len(got) > 0 || answer.More || answer.Low != 1 {
				t.Errorf("%s has the history %v, %+v", room, seqs(got), answer)
			}
		}
		if len(w.hub.directs) > 0 {
			t.Error("a question made a conversation")
		}
	})
}

// TestHistoryByPages compares what paging on gives with the whole log, for random sizes of rows, pages and stores that trim meanwhile.
func TestHistoryByPages(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-hub.seed=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	for range 4 {
		bubble(t, func(t *testing.T) {
			limit := 64 << (10 + rng.IntN(6))
			w := newWorld(t, func(c *Config) { c.Store = &slowStore{Memory: store.NewMemory(int64(limit))} })
			alice, carol := w.attach("alice"), w.attach("carol")
			largest := []int{20, 200, 2000, chat.MaxText}[rng.IntN(4)]
			say := func(rows int) {
				for n := range rows {
					if n%16 == 0 {
						w.settle() // what is in flight is bounded
					}
					alice.submit(alice.pub("lobby", strings.Repeat("x", 1+rng.IntN(largest))))
					if rng.IntN(5) == 0 {
						elapse(time.Duration(rng.IntN(1000)) * time.Millisecond)
					}
				}
				w.settle()
			}
			say(1 + rng.IntN(400))
			all := map[uint64]*wire.Event{}
			for _, e := range w.rows("lobby") {
				all[e.Seq] = e
			}
			begin := w.rows("lobby")
			var since int64
			if rng.IntN(2) == 0 {
				since = begin[rng.IntN(len(begin))].Time
			}
			before, last := uint64(0), begin[len(begin)-1].Seq
			for range 2000 {
				_, pages := w.store.counts()
				answer, got := carol.history(wire.History{Room: "lobby", Before: before, Since: since, N: uint64(1 + rng.IntN(chat.MaxTail))})
				if _, now := w.store.counts(); now-pages > 40 {
					t.Errorf("a page of %d rows took %d reads", len(got), now-pages)
				}
				size := 0
				for _, e := range slices.Backward(got) {
					if e.Seq != last || e.Time < since || e.Seq < answer.Low || !cmp.Equal(all[e.Seq], e) {
						t.Fatalf("row %d of time %d in a page before %d since %d, want row %d", e.Seq, e.Time, before, since, last)
					}
					last--
					size += len(wire.Must(nil, e)) - wire.HeaderLen
				}
				if size > pageBytes && len(got) > 1 {
					t.Errorf("a page of %d bytes", size)
				}
				if len(got) > 0 {
					before = got[0].Seq
				}
				if !answer.More {
					low, _ := w.store.Low(1)
					if e := all[last]; e != nil && e.Seq >= low && e.Time >= since {
						t.Fatalf("paging ended before row %d, which is kept", last)
					}
					return
				}
				if rng.IntN(4) == 0 {
					say(rng.IntN(20))
				}
			}
			t.Error("paging does not end")
		})
	}
}

// TestHistoryTrimmedMeanwhile loses rows between the question and each read: the answer begins at what is left.
func TestHistoryTrimmedMeanwhile(t *testing.T) {
	for _, rows := range []int{30, 100} {
		bubble(t, func(t *testing.T) {
			w := newWorld(t, func(c *Config) { c.Store = &slowStore{Memory: store.NewMemory(64 << 10)} })
			alice := w.attach("alice")
			alice.fill("lobby", 0, 50, 1000)
			lost := false
			w.store.set(func() {
				w.store.paging = func() {
					if !lost {
						lost = true
						alice.fill("lobby", 1000, rows, 1000)
					}
				}
			})
			answer, got := alice.history(wire.History{Room: "lobby", Before: 51, N: 50})
			low, _ := w.store.Low(1)
			var want []uint64
			for seq := low; seq <= 50; seq++ {
				want = append(want, seq)
			}
			if low < 10 || len(want) == 0 != (rows == 100) {
				t.Fatalf("the first row that is kept is %d: that proves nothing", low)
			}
			if !slices.Equal(seqs(got), want) || answer.More || answer.Low != low {
				t.Errorf("rows %v, low %d, more %v; want %v, %d", seqs(got), answer.Low, answer.More, want, low)
			}
		})
	}
}

// TestHistoryReadsNoMoreThanItNeeds pages through a log of the largest rows.
func TestHistoryReadsNoMoreThanItNeeds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice")
		alice.fill("lobby", 0, 200, chat.MaxText-8)
		answered := 0
		for before := uint64(201); before > 1; {
			answer, got := alice.history(wire.History{Room: "lobby", Before: before, N: chat.MaxTail})
			before = got[0].Seq
			for _, raw := range answer.Events {
				answered += len(raw)
			}
		}
		if w.store.bytes > 6*answered {
			t.Errorf("%d bytes were read to answer %d", w.store.bytes, answered)
		}
	})
}

// TestHistoryDoesNotStopTheHub asks while the store is slow to read: others publish and read meanwhile.
func TestHistoryDoesNotStopTheHub(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice", "lobby"), w.attach("bob", "lobby")
		alice.say("lobby", "one")
		gate := make(chan struct{})
		w.store.set(func() { w.store.paging = func() { <-gate } })
		asked := background(func() { bob.history(wire.History{Room: "lobby", N: 5}) })
		synctest.Wait()
		alice.say("lobby", "two")
		wantTexts(t, bob, "lobby", "one", "two")
		close(gate)
		<-asked
	})
}

// TestHistoryEndsWhereChatDoes asks while a row is committed and not published.
func TestHistoryEndsWhereChatDoes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice", "lobby")
		alice.say("lobby", "one")
		r := w.hub.rooms["lobby"]
		extra := *alice.pub("lobby", "two")
		var q wire.Record
		if err := w.hub.call(func() {
			h := w.hub
			h.row(alice.session, r, &extra, extra.Body, chat.ID{}, nil)
			if err := h.cfg.Store.Append(&h.batch.Batch); err != nil {
				t.Error(err)
			}
			page, err := h.historyPage(r.Num, 0, func() uint64 { _, head := r.log.now(); return head }(), &wire.History{N: 5})
			if err != nil {
				t.Error(err)
			}
			q = page
			h.batch.Rows = h.batch.Rows[:0]
		}); err != nil {
			t.Fatal(err)
		}
		if got := texts(events(t, q.(*wire.HistoryIs).Events)); !slices.Equal(got, []string{"one"}) {
			t.Errorf("history = %q, want what is published", got)
		}
	})
}

// search asks for hits and returns them as "room: text".
func (c *client) search(q wire.Search) (*wire.SearchIs, []string) {
	c.t.Helper()
	answer, ok := c.ask(&q).(*wire.SearchIs)
	if !ok {
		c.t.Fatalf("search %+v has no answer", q)
	}
	names := map[uint64]string{}
	for _, r := range answer.Rooms {
		names[r.Room] = r.Name
	}
	var got []string
	for _, e := range events(c.t, answer.Events) {
		got = append(got, names[e.Room]+": "+string(e.Body))
	}
	return answer, got
}

func TestSearch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		carol, bob := w.attach("carol"), w.attach("bob", "@")
		carol.say("lobby", "the deploy begins")
		carol.say("ops", "the deploy of node-7 has failed")
		bob.say("ops", "I deploy it again")
		carol.say("@bob", "did you deploy?")
		tests := map[string]struct {
			q    wire.Search
			want []string
		}{
			"everywhere":       {wire.Search{Words: "deploy", N: 10}, []string{"@bob: did you deploy?", "ops: I deploy it again", "ops: the deploy of node-7 has failed", "lobby: the deploy begins"}},
			"beginnings":       {wire.Search{Words: "DEPL node-7", N: 10}, []string{"ops: the deploy of node-7 has failed"}},
			"in a room":        {wire.Search{Words: "deploy", Room: "lobby", N: 10}, []string{"lobby: the deploy begins"}},
			"in conversation":  {wire.Search{Words: "deploy", Room: "@bob", N: 10}, []string{"@bob: did you deploy?"}},
			"by key":           {wire.Search{Words: "deploy", Room: "@" + bob.key.String(), N: 10}, []string{"@bob: did you deploy?"}},
			"from":             {wire.Search{Words: "deploy", From: "Bob", N: 10}, []string{"ops: I deploy it again"}},
			"from, no words":   {wire.Search{From: "bob", N: 10}, []string{"ops: I deploy it again"}},
			"too many":         {wire.Search{Words: "deploy", N: math.MaxUint64}, []string{"@bob: did you deploy?", "ops: I deploy it again", "ops: the deploy of node-7 has failed", "lobby: the deploy begins"}},
			"none asked for":   {wire.Search{Words: "deploy"}, nil},
			"nothing":          {wire.Search{Words: "rollback", N: 10}, nil},
			"not begun":        {wire.Search{Words: "deploy", Room: "@carol", N: 10}, nil},
			"before all there": {wire.Search{Words: "deploy", Before: 1, N: 10}, nil},
			"before what not":  {wire.Search{Words: "begins", Before: math.MaxUint64, N: 10}, []string{"lobby: the deploy begins"}},
		}
		for name, test := range tests {
			answer, got := carol.search(test.q)
			if diff := cmp.Diff(test.want, got); diff != "" || answer.Next != 0 {
				t.Errorf("%s: next %d (-want +got):\n%s", name, answer.Next, diff)
			}
		}
		var paged []string
		for next := uint64(0); ; {
			answer, got := carol.search(wire.Search{Words: "deploy", Before: next, N: 1})
			paged = append(paged, got...)
			if next = answer.Next; next == 0 {
				break
			}
		}
		if diff := cmp.Diff(tests["everywhere"].want, paged); diff != "" {
			t.Errorf("one by one (-want +got):\n%s", diff)
		}
		long := strings.Repeat("x", chat.MaxQuery+1)
		for _, q := range []wire.Search{{N: 1}, {Words: " -- ", N: 1}, {Words: long, N: 1}, {Words: strings.Repeat("x ", 30_000), N: 1}, {Words: "x", From: long, N: 1}} {
			wantFailed(t, carol.ask(&q), chat.BadQuery)
		}
		wantFailed(t, carol.ask(&wire.Search{Words: "x", Room: "attic", N: 1}), chat.NoSuchRoom)
		wantFailed(t, carol.ask(&wire.Search{Words: "x", Room: "@", N: 1}), chat.NoSuchUser)
		wantFailed(t, carol.ask(&wire.Search{Words: "x", Room: "@nobody", N: 1}), chat.NoSuchUser)
		if len(w.hub.directs) != 1 {
			t.Error("a question made a conversation")
		}
	})
}

// TestSearchFillsNoRecord finds fifty of the largest rows: a page has what fits, and the next goes on.
func TestSearchFillsNoRecord(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice")
		alice.fill("lobby", 0, 60, chat.MaxText-8)
		found := 0
		for next, pages := uint64(0), 1; ; pages++ {
			answer, got := alice.search(wire.Search{From: "alice", Before: next, N: chat.MaxHits})
			found += len(got)
			if next = answer.Next; next == 0 {
				if found != 60 || pages < 60*chat.MaxText/pageBytes {
					t.Errorf("%d hits in %d pages", found, pages)
				}
				return
			}
		}
	})
}

// TestNobodyReadsAnothersConversation has mallory ask for what carol and bob say to each other in every way there is, whatever the store finds.
func TestNobodyReadsAnothersConversation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		carol, bob, mallory := w.attach("carol"), w.attach("bob"), w.attach("mallory")
		carol.say("@bob", "secret")
		mallory.say("@carol", "secret? do tell")
		hit := w.hub.directs[peers(carol.session.account, bob.session.account)]
		w.store.set(func() {
			w.store.unfit = func(*store.Query) store.Hit { // an index that has gone wrong
				records, _, err := w.store.Memory.Page(hit.Num, 1, 1, 1)
				if err != nil {
					t.Error(err)
				}
				return store.Hit{Room: hit.Num, Seq: 1, Record: records}
			}
		})
		ways := []string{"", "@carol", "@bob", "@" + carol.key.String(), "@" + bob.key.String(), "@mallory", "@@bob", "@carol@bob", fmt.Sprint(hit.Num), directName(carol.key, bob.key)}
		for _, room := range ways {
			for _, q := range []wire.Record{
				&wire.History{Room: room, N: 10}, &wire.Search{Words: "secret", Room: room, N: 10}, &wire.Search{From: "carol", Room: room, N: 10},
				&wire.Names{Room: room}, &wire.Keep{Room: room},
			} {
				if strings.Contains(fmt.Sprintf("%q", wire.Must(nil, mallory.ask(q))), `secret"`) || strings.Contains(string(wire.Must(nil, mallory.ask(q))), "Fsecret") {
					t.Errorf("%T of %q tells mallory", q, room)
				}
			}
		}
		if _, got := mallory.search(wire.Search{Words: "secret", N: 10}); !slices.Equal(got, []string{"@carol: secret? do tell"}) {
			t.Errorf("mallory finds %q, want her own conversation alone", got)
		}
		w.store.set(func() { w.store.unfit = nil })
		for _, c := range []*client{carol, bob} {
			if _, got := c.search(wire.Search{Words: "secret", N: 10}); len(got) < 1 || !strings.HasSuffix(got[len(got)-1], ": secret") {
				t.Errorf("%s finds %q, want the secret too", c.asked, got)
			}
		}
		if _, got := bob.history(wire.History{Room: "@carol", N: 10}); !slices.Equal(texts(got), []string{"secret"}) {
			t.Errorf("bob reads %q", texts(got))
		}
	})
}

// TestStoreThatCannotBeRead ends the hub, also when it is idle, with the first error; what the contract of a store gives a meaning does not.
func TestStoreThatCannotBeRead(t *testing.T) {
	eio := errors.New("input/output error")
	for what, read := range map[string]func(c *client) error{
		"Page": func(c *client) error { _, err := c.session.Ask(&wire.History{Room: "lobby", N: 5}); return err },
		"Low":  func(c *client) error { _, err := c.session.Ask(&wire.History{Room: "lobby", N: 5}); return err },
		"SeqAt": func(c *client) error {
			_, err := c.session.Ask(&wire.History{Room: "lobby", Since: 1, N: 5})
			return err
		},
		"Search": func(c *client) error { _, err := c.session.Ask(&wire.Search{Words: "one", N: 5}); return err },
		"HashAt": func(c *client) error {
			c.submit(&wire.Join{Room: "lobby", Tail: 1})
			synctest.Wait()
			_, _, err := c.session.TakeChat(nil, 1000, 1000)
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				alice := w.attach("alice")
				alice.say("lobby", "one")
				alice.say("lobby", "two")
				bob := w.attach("bob")
				alice.stuck, bob.stuck = true, true
				w.store.set(func() {
					w.store.broken = func(read string) error {
						if read == what {
							return store.ErrClosed
						}
						return nil
					}
				})
				if err := read(alice); !errors.Is(err, store.ErrClosed) {
					t.Errorf("%s of a closed store: %v", what, err)
				}
				alice.submit(alice.pub("lobby", "three")) // the hub goes on
				synctest.Wait()
				if rows := w.rows("lobby"); len(rows) != 3 {
					t.Fatalf("%d rows, want 3", len(rows))
				}
				w.store.set(func() {
					w.store.broken = func(read string) error {
						if read == what {
							return eio
						}
						return nil
					}
				})
				w.failed = eio
				if err := read(bob); !errors.Is(err, eio) {
					t.Errorf("%s of a broken store: %v", what, err)
				}
				synctest.Wait()
				if err := w.hub.call(func() {}); !errors.Is(err, ErrStopped) {
					t.Errorf("the hub goes on: %v", err)
				}
			})
		})
	}
}

// TestSlowSearch: a search that takes too long costs its asker the answer, and nobody else anything.
func TestSlowSearch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice")
		alice.say("lobby", "one")
		w.store.set(func() { w.store.broken = func(string) error { return store.ErrSlow } })
		wantFailed(t, alice.ask(&wire.Search{Words: "o n e", N: 1}), chat.Timeout)
		w.store.set(func() { w.store.broken = nil })
		if _, got := alice.search(wire.Search{Words: "one", N: 1}); len(got) != 1 {
			t.Errorf("the next search finds %q", got)
		}
	})
}

// TestFirstFaultCounts has two readers fail: Run returns what the first one met, however busy it is.
func TestFirstFaultCounts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		w.failed = errors.New("first")
		alice := w.attach("alice")
		release := w.store.block()
		alice.submit(alice.pub("lobby", "one"))
		synctest.Wait()
		_ = w.hub.fault(w.failed)
		_ = w.hub.fault(errors.New("second"))
		release()
		synctest.Wait()
		if err := w.hub.call(func() {}); !errors.Is(err, ErrStopped) {
			t.Errorf("the hub goes on: %v", err)
		}
	})
}

// A writer says that it waits before what it takes is read from the store, and only then.
func TestWaitForTheStore(t *testing.T) {
	for _, memory := range []int64{8 << 20, 1} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(c *Config) { c.Memory = memory })
			carol := w.attach("carol", "lobby")
			if carol.waits == 0 {
				t.Error("a room was opened without a word")
			}
			carol.waits = 0
			carol.say("lobby", "hello")
			if waited := carol.waits > 0; waited != (memory == 1) {
				t.Errorf("with %d bytes of memory, a writer waited %d times for a row", memory, carol.waits)
			}
		})
	}
}
