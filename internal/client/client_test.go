package client

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

func TestResumeOK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Rooms, c.Tail = []string{"lobby"}, 20 })
		defer r.end()
		log := &row{number: 3}
		log.next("before the tail")

		p := r.accept(nil)
		if j := onChat[*wire.Join](p); j.Room != "lobby" || j.Tail != 20 || j.Cursor != nil {
			t.Errorf("first join is %+v, want the lobby with a tail of 20 and no cursor", j)
		}
		p.say(log.open("lobby"), log.next("one"))
		if up := event[LinkUp](r); up.Resumed || up.Title != "test" || up.Node != nodeID {
			t.Errorf("first LinkUp is %+v", up)
		}
		if o := event[Opened](r); o.Room != "lobby" || o.From != 2 || o.Head != 1 {
			t.Errorf("Opened is %+v", o)
		}
		m := event[Message](r)
		want := Message{
			Room: "lobby", Seq: 2, ID: idOf(3, 2, "one"), Cursor: chat.Cursor{Epoch: testEpoch, Seq: 2, Hash: log.hash}, Epoch: testEpoch, From: 9,
			Name: "dave", Kind: chat.Text, Time: time.UnixMilli(1000), Text: "one",
		}
		if diff := cmp.Diff(want, m); diff != "" {
			t.Errorf("message mismatch (-want +got):\n%s", diff)
		}

		p.Close()
		if down := event[LinkDown](r); down.RetryIn != time.Second || !errors.Is(down.Err, errLost) {
			t.Errorf("LinkDown is %+v", down)
		}
		p = r.accept(nil)
		j := onChat[*wire.Join](p)
		if diff := cmp.Diff(&wire.Cursor{Epoch: testEpoch, Seq: 2, Hash: log.hash}, j.Cursor); diff != "" {
			t.Errorf("cursor of the second join mismatch (-want +got):\n%s", diff)
		}
		p.say(log.open("lobby"), log.next("two"))
		if up := event[LinkUp](r); !up.Resumed {
			t.Errorf("second LinkUp is not resumed")
		}
		event[Opened](r)
		if m := event[Message](r); m.Seq != 3 || m.Text != "two" {
			t.Errorf("message after the resume is %+v", m)
		}
	})
}

// TestOpens covers what an Open says about a cursor.
func TestOpens(t *testing.T) {
	known := chat.Cursor{Epoch: testEpoch, Seq: 7, Hash: chat.Hash{7}}
	tests := map[string]struct {
		open   wire.Open
		change func(*chat.Cursor)
		want   []Event
	}{
		"ok":               {open: wire.Open{From: 8, Hash: chat.Hash{7}}},
		"seen rows again":  {open: wire.Open{From: 3, Hash: chat.Hash{2}}},
		"gap":              {open: wire.Open{Status: wire.StatusGap, From: 11, Hash: chat.Hash{10}}, want: []Event{Gap{"lobby", 8, 10, chat.Cursor{Epoch: testEpoch, Seq: 10, Hash: chat.Hash{10}}}}},
		"unadmitted gap":   {open: wire.Open{From: 11, Hash: chat.Hash{10}}, want: []Event{Gap{"lobby", 8, 10, chat.Cursor{Epoch: testEpoch, Seq: 10, Hash: chat.Hash{10}}}}},
		"reset epoch":      {open: wire.Open{Status: wire.StatusReset, Why: wire.WhyEpoch, From: 1}, want: []Event{Reset{"lobby", "epoch", chat.Cursor{Epoch: testEpoch}}}},
		"reset ahead":      {open: wire.Open{Status: wire.StatusReset, Why: wire.WhyAhead, From: 5}, want: []Event{Reset{"lobby", "ahead", chat.Cursor{Epoch: testEpoch, Seq: 4}}}},
		"reset hash":       {open: wire.Open{Status: wire.StatusReset, Why: wire.WhyHash, From: 5}, want: []Event{Reset{"lobby", "hash", chat.Cursor{Epoch: testEpoch, Seq: 4}}}},
		"unadmitted hash":  {open: wire.Open{From: 8, Hash: chat.Hash{1}}, want: []Event{Reset{"lobby", "hash", chat.Cursor{Epoch: testEpoch, Seq: 7, Hash: chat.Hash{1}}}}},
		"unadmitted epoch": {open: wire.Open{From: 8, Hash: chat.Hash{7}}, change: func(c *chat.Cursor) { c.Epoch++ }, want: []Event{Reset{"lobby", "epoch", chat.Cursor{Epoch: testEpoch, Seq: 7, Hash: chat.Hash{7}}}}},
		"denied":           {open: wire.Open{Status: wire.StatusDenied, Code: chat.RoomRate}, want: []Event{Denied{"lobby", chat.RoomRate}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				since := known
				if test.change != nil {
					test.change(&since)
				}
				r := start(t, func(c *Config) { c.Rooms, c.Since = []string{"lobby"}, &since })
				defer r.end()
				p := r.accept(nil)
				if j := onChat[*wire.Join](p); j.Cursor == nil || j.Cursor.Seq != 7 {
					t.Fatalf("the join %+v has not the cursor that was given", j)
				}
				test.open.Name, test.open.Room = "lobby", 3
				p.say(&test.open)
				event[LinkUp](r)
				if test.open.Status != wire.StatusDenied {
					event[Opened](r)
				}
				for _, want := range test.want {
					if diff := cmp.Diff(want, event[Event](r)); diff != "" {
						t.Errorf("event mismatch (-want +got):\n%s", diff)
					}
				}
				r.none()
			})
		})
	}
}

func TestDuplicateAndHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Rooms = []string{"lobby"} })
		defer r.end()
		log := &row{number: 3}
		p := r.accept(nil)
		p.say(log.open("lobby"))
		one, two, three := log.next("one"), log.next("two"), log.next("three")
		p.say(one, one, two, one)
		event[LinkUp](r)
		event[Opened](r)
		for _, text := range []string{"one", "two"} {
			if m := event[Message](r); m.Text != text {
				t.Errorf("got %q, want %q", m.Text, text)
			}
		}
		r.none()
		if s := r.Stats(); s.Duplicates != 2 {
			t.Errorf("%d duplicates counted, want 2", s.Duplicates)
		}
		four := log.next("four")
		p.say(four)
		if down := event[LinkDown](r); !errors.Is(down.Err, errHole) {
			t.Errorf("after a hole: %+v", down)
		}
		p = r.accept(nil)
		if j := onChat[*wire.Join](p); j.Cursor.Seq != 2 {
			t.Errorf("resumed from %d, want 2", j.Cursor.Seq)
		}
		p.say(&wire.Open{Room: 3, Name: "lobby", From: 3, Hash: chat.Hash{}.Next(one.ID).Next(two.ID)}, three, four)
		event[LinkUp](r)
		event[Opened](r)
		if m := event[Message](r); m.Text != "three" {
			t.Errorf("got %+v, want three", m)
		}
		event[Message](r)
	})
}

// TestAnswersLost loses an ack and a refusal on the way: the welcome's outcomes tell which is which.
func TestAnswersLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		for _, text := range []string{"a", "b", "c", "d"} {
			r.send("lobby", text)
		}
		p := r.accept(nil)
		for cseq := uint64(1); cseq <= 4; cseq++ {
			if pub := onChat[*wire.Pub](p); pub.CSeq != cseq {
				t.Fatalf("got cseq %d, want %d", pub.CSeq, cseq)
			}
		}
		event[LinkUp](r)
		p.say(&wire.Ack{CSeq: 1, Seq: 10, Time: 5})
		if a := event[Ack](r); a.N != 1 || a.Seq != 10 || a.Ref != "ref a" || a.Text != "a" || a.Room != "lobby" || a.Name != "carol" {
			t.Errorf("ack is %+v", a)
		}
		p.Close()
		event[LinkDown](r)

		p = <-r.links
		h := p.welcome(func(w *wire.Welcome) {
			w.LastCSeq = 3
			w.Outcomes = []wire.Outcome{{CSeq: 2, Code: chat.Denied}, {CSeq: 3, Seq: 11}}
		})
		if h.FirstUnacked != 2 {
			t.Errorf("first unacked is %d, want 2", h.FirstUnacked)
		}
		event[LinkUp](r)
		if e := event[Refused](r); e.N != 2 || e.Code != chat.Denied || e.Text != "b" {
			t.Errorf("refusal is %+v", e)
		}
		if e := event[Ack](r); e.N != 3 || e.Seq != 11 {
			t.Errorf("ack is %+v", e)
		}
		if pub := onChat[*wire.Pub](p); pub.CSeq != 4 || string(pub.Body) != "d" {
			t.Errorf("sent again: %+v, want cseq 4", pub)
		}
		p.say(&wire.Ack{CSeq: 4, Seq: 12}, &wire.Ack{CSeq: 4, Seq: 12}, &wire.Ack{CSeq: 2, Seq: 9})
		event[Ack](r)
		r.none()
		if n := r.Pending(); n != 0 {
			t.Errorf("%d pending, want 0", n)
		}
	})
}

// TestForgottenOutcome: what the node can't tell is asked again, and not taken for kept.
func TestForgottenOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		r.send("lobby", "a")
		p := r.accept(nil)
		onChat[*wire.Pub](p)
		p.Close()
		event[LinkUp](r)
		event[LinkDown](r)
		p = r.accept(func(w *wire.Welcome) { w.LastCSeq = 1 })
		event[LinkUp](r)
		if pub := onChat[*wire.Pub](p); pub.CSeq != 1 {
			t.Errorf("sent %+v, want cseq 1 again", pub)
		}
		p.say(&wire.Ack{CSeq: 1})
		if e := event[Refused](r); e.Code != chat.Internal {
			t.Errorf("got %+v, want a refusal with code internal", e)
		}
	})
}

func TestNackGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		event[LinkUp](r)
		r.send("lobby", "a")
		r.send("lobby", "b")
		if err := r.Nick("caroline"); err != nil {
			t.Fatal(err)
		}
		r.send("lobby", "c")
		onChat[*wire.Pub](p)
		onChat[*wire.Pub](p)
		onChat[*wire.Nick](p)
		onChat[*wire.Pub](p)
		p.say(&wire.Ack{CSeq: 1, Seq: 1}, &wire.Nack{Expected: 2, Code: chat.NoSpace, RetryAfterMS: 3000})
		event[Ack](r)
		before := time.Now()
		for cseq := uint64(2); cseq <= 3; cseq++ {
			if pub := onChat[*wire.Pub](p); pub.CSeq != cseq {
				t.Errorf("got cseq %d, want %d", pub.CSeq, cseq)
			}
		}
		if waited := time.Since(before); waited != 3*time.Second {
			t.Errorf("went back after %v, want 3s", waited)
		}
		// A node that goes on like that is not asked at full speed.
		for i, want := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
			p.say(&wire.Nack{Expected: 2, Code: chat.Hole})
			before = time.Now()
			onChat[*wire.Pub](p)
			onChat[*wire.Pub](p)
			if waited := time.Since(before); waited != want {
				t.Errorf("nack %d: went back after %v, want %v", i, waited, want)
			}
		}
		p.say(&wire.Named{Name: "caroline"}, &wire.Ack{CSeq: 2, Seq: 2}, &wire.Refused{CSeq: 3, Code: chat.RoomRate, RetryAfterMS: 5000})
		if e := event[Named](r); e.Name != "caroline" {
			t.Errorf("Named is %+v", e)
		}
		event[Ack](r)
		if e := event[Refused](r); e.N != 3 || e.Code != chat.RoomRate || e.RetryAfter != 5*time.Second {
			t.Errorf("refusal is %+v", e)
		}
		if r.Name() != "caroline" {
			t.Errorf("Name is %q", r.Name())
		}
	})
}

func TestOutboxBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.MaxPending = 2 })
		defer r.end()
		r.send("lobby", "a")
		r.send("lobby", "b")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := r.Send(ctx, Draft{Room: "lobby", Kind: chat.Text, Text: "c"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Send into a full outbox returned %v", err)
		}
		sent := make(chan uint64)
		go func() { sent <- r.send("lobby", "d") }()
		synctest.Wait()
		p := r.accept(nil)
		event[LinkUp](r)
		onChat[*wire.Pub](p)
		select {
		case <-sent:
			t.Errorf("Send did not wait for an answer")
		default:
		}
		p.say(&wire.Ack{CSeq: 1, Seq: 1})
		event[Ack](r)
		if n := <-sent; n != 3 {
			t.Errorf("the third send is number %d", n)
		}
	})
}

func TestInFlightBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		for range 10 {
			r.send("lobby", "x")
		}
		p := r.accept(func(w *wire.Welcome) { w.Limits.InFlight = 3 })
		event[LinkUp](r)
		synctest.Wait()
		for acked := uint64(0); acked < 10; acked++ {
			flying := 0
			for ; p.chatUp.Window() < testWindow || p.chat.Buffered(); flying++ {
				onChat[*wire.Pub](p)
			}
			if want := min(3, int(10-acked)); acked == 0 && flying != want || acked > 0 && flying > 1 {
				t.Errorf("after %d acks %d were written, want a window of 3", acked, flying)
			}
			p.say(&wire.Ack{CSeq: acked + 1, Seq: acked + 1})
			event[Ack](r)
			synctest.Wait()
		}
	})
}

func TestRefusedHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		for _, test := range []struct {
			draft Draft
			want  chat.Code
		}{
			{Draft{Room: "lobby", Kind: chat.Text, Text: " "}, chat.Empty},
			{Draft{Room: "lobby", Kind: chat.Text, Text: "\xff"}, chat.BadText},
			{Draft{Room: "lobby", Kind: chat.Text, Text: string(make([]byte, chat.MaxText+1))}, chat.TooLong},
			{Draft{Room: "Lobby!", Kind: chat.Text, Text: "x"}, chat.BadRoom},
			{Draft{Room: "@", Kind: chat.Text, Text: "x"}, chat.BadRoom},
			{Draft{Room: "@\xff", Kind: chat.Text, Text: "x"}, chat.NoSuchUser},
			{Draft{Room: "lobby", Kind: 99, Text: "x"}, chat.BadKind},
		} {
			var refused *RefusedError
			if _, err := r.Send(t.Context(), test.draft); !errors.As(err, &refused) || refused.Code != test.want {
				t.Errorf("Send(%.40q) returned %v, want %v", test.draft.Text, err, test.want)
			}
		}
		if err := r.Nick("server"); err == nil {
			t.Errorf("a reserved name was taken")
		}
		r.send("lobby", "fine")
		p := r.accept(nil)
		if pub := onChat[*wire.Pub](p); pub.CSeq != 1 {
			t.Errorf("refused drafts used numbers up: the first sent is %d", pub.CSeq)
		}
	})
}

// TestOrder: what was typed is written in that order, before the first link and again after a loss.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Rooms, c.Direct = []string{"lobby", "ops"}, true })
		defer r.end()
		r.send("lobby", "a")
		for _, err := range []error{r.Nick("caroline"), r.Join("garden"), r.Part("ops")} {
			if err != nil {
				t.Fatal(err)
			}
		}
		r.send("garden", "b")
		log := &row{number: 3}
		written := func(p *peer, want ...string) {
			t.Helper()
			for _, w := range want {
				var got string
				switch rec := receive[wire.Record](p, p.chat).(type) {
				case *wire.Join:
					got = "join " + rec.Room
				case *wire.Part:
					got = "part " + rec.Room
				case *wire.Nick:
					got = "nick " + rec.Name
				case *wire.Pub:
					got = "pub " + string(rec.Body)
				}
				if got != w {
					t.Errorf("written: %q, want %q", got, w)
				}
			}
		}
		p := r.accept(nil)
		written(p, "join lobby", "join ops", "join @", "pub a", "nick caroline", "join garden", "part ops", "pub b")
		p.say(log.open("lobby"))
		event[LinkUp](r)
		event[Opened](r)
		p.Close()
		event[LinkDown](r)
		p = r.accept(nil)
		written(p, "join lobby", "join @", "join ops", "pub a", "nick caroline", "join garden", "part ops", "pub b")
		ops, garden := &row{number: 4}, &row{number: 5}
		p.say(log.open("lobby"), ops.open("ops"), &wire.Named{Name: "caroline"}, garden.open("garden"), &wire.Closed{Room: 4, Name: "ops"})
		event[LinkUp](r)
		event[Opened](r)
		event[Opened](r)
		event[Named](r)
		event[Opened](r)
		if e := event[Left](r); e.Room != "ops" || e.Code != chat.OK {
			t.Errorf("Left is %+v", e)
		}
		if diff := cmp.Diff([]string{"lobby", "garden"}, r.Rooms()); diff != "" {
			t.Errorf("rooms mismatch (-want +got):\n%s", diff)
		}
		p.Close()
		event[LinkDown](r)
		p = r.accept(nil)
		written(p, "join lobby", "join garden", "join @", "pub a", "pub b")
	})
}

func TestBadRoomInConfig(t *testing.T) {
	c := New(Config{Name: "carol", Key: testKey(), Rooms: []string{"No!"}, Dial: func(context.Context) (Link, error) { return nil, errDial }})
	var refused *RefusedError
	if err := c.Run(t.Context()); !errors.As(err, &refused) || refused.Code != chat.BadRoom {
		t.Errorf("Run returned %v, want bad_room", err)
	}
}
