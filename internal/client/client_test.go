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

// TestResetOfAll covers the ways in which a welcome shows that the store is another.
func TestResetOfAll(t *testing.T) {
	tests := map[string]struct {
		change func(*wire.Welcome)
		why    string
		again  []string // what is sent under the new origin
		acks   int
	}{
		"epoch":           {func(w *wire.Welcome) { w.Epoch, w.LastCSeq = 78, 0 }, "epoch", []string{"b", "c"}, 0},
		"epoch, restored": {func(w *wire.Welcome) { w.Epoch, w.LastCSeq, w.Outcomes = 78, 2, []wire.Outcome{{CSeq: 2, Seq: 4}} }, "epoch", []string{"c"}, 1},
		"acks forgotten":  {func(w *wire.Welcome) { w.LastCSeq = 0 }, "acks", []string{"b", "c"}, 0},
		"never sent": {func(w *wire.Welcome) {
			w.LastCSeq, w.Outcomes = 9, []wire.Outcome{{CSeq: 2, Seq: 1}, {CSeq: 3, Seq: 2}, {CSeq: 9, Seq: 3}}
		}, "acks", nil, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, func(c *Config) { c.Rooms, c.Tail = []string{"lobby"}, 5 })
				defer r.end()
				log := &row{number: 3}
				p := <-r.links
				first := p.welcome(nil)
				onChat[*wire.Join](p)
				p.say(log.open("lobby"), log.next("x"))
				r.send("lobby", "a")
				p.say(&wire.Ack{CSeq: onChat[*wire.Pub](p).CSeq, Seq: 2})
				event[LinkUp](r)
				event[Opened](r)
				event[Message](r)
				event[Ack](r)
				r.send("lobby", "b")
				r.send("lobby", "c")
				onChat[*wire.Pub](p)
				onChat[*wire.Pub](p)
				p.Close()
				event[LinkDown](r)

				r.accept(test.change)
				for range test.acks {
					event[Ack](r)
				}
				if e := event[Reset](r); e.Room != "" || e.Why != test.why {
					t.Errorf("reset is %+v, want of all for %q", e, test.why)
				}
				before := time.Now()
				p = <-r.links
				if waited := time.Since(before); waited != 0 {
					t.Errorf("waited %v before the new origin's link, want none", waited)
				}
				second := p.welcome(func(w *wire.Welcome) {
					if test.why == WhyEpoch {
						w.Epoch = 78
					}
				})
				if string(first.Origin) == string(second.Origin) || second.FirstUnacked != 1 {
					t.Errorf("the hello after a reset is %+v, want a new origin and the first cseq", second)
				}
				if up := event[LinkUp](r); up.Resumed {
					t.Errorf("the link after a reset counts as resumed")
				}
				if j := onChat[*wire.Join](p); j.Cursor != nil || j.Tail != chat.MaxTail || j.Room != "lobby" {
					t.Errorf("join after a reset is %+v, want as much as can be had and no cursor", j)
				}
				for i, text := range test.again {
					if pub := onChat[*wire.Pub](p); string(pub.Body) != text || pub.CSeq != uint64(i+1) {
						t.Errorf("sent %q as %d, want %q as %d", pub.Body, pub.CSeq, text, i+1)
					}
				}
				p.say(log.open("lobby")) // the tail may have been seen: it is shown behind the reset
				event[Opened](r)
				r.none()
				if n := r.Pending(); n != len(test.again) {
					t.Errorf("%d pending, want %d", n, len(test.again))
				}
			})
		})
	}
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

// TestFarewells covers the node's reasons to end a link: which end Run, and when the others are tried again.
func TestFarewells(t *testing.T) {
	tests := map[string]struct {
		bye   wire.Bye
		late  bool // said after the welcome, not in its place
		final bool
		retry time.Duration
	}{
		"replaced":        {bye: wire.Bye{Code: chat.Replaced, RetryAfterMS: 5}, late: true, final: true},
		"bad version":     {bye: wire.Bye{Code: chat.BadVersion}, final: true},
		"bad proof":       {bye: wire.Bye{Code: chat.BadProof, RetryAfterMS: 1}, final: true},
		"denied":          {bye: wire.Bye{Code: chat.Denied}, final: true},
		"bad name":        {bye: wire.Bye{Code: chat.BadName}, final: true},
		"malformed":       {bye: wire.Bye{Code: chat.Malformed}, late: true, final: true},
		"unknown":         {bye: wire.Bye{Code: 999}, final: true},
		"unknown, later":  {bye: wire.Bye{Code: 999, RetryAfterMS: 2000}, retry: 2 * time.Second},
		"full at first":   {bye: wire.Bye{Code: chat.Full, RetryAfterMS: 5000}, final: true},
		"full after that": {bye: wire.Bye{Code: chat.Full, RetryAfterMS: 5000}, late: true, retry: 5 * time.Second},
		"stopping":        {bye: wire.Bye{Code: chat.Stopping, RetryAfterMS: 1300, Text: "back soon"}, late: true, retry: 1300 * time.Millisecond},
		"timeout":         {bye: wire.Bye{Code: chat.Timeout}, late: true, retry: time.Second},
		"a year":          {bye: wire.Bye{Code: chat.Stopping, RetryAfterMS: 1 << 62}, late: true, retry: maxRetry},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, nil)
				p := <-r.links
				if test.late {
					p.welcome(nil)
					event[LinkUp](r)
				} else {
					p.greet()
				}
				p.tell(&test.bye)
				if test.final {
					var refused *RefusedError
					if err := <-r.ran; !errors.As(err, &refused) || refused.Code != test.bye.Code {
						t.Errorf("Run returned %v, want a refusal with %v", err, test.bye.Code)
					}
					if e, open := <-r.Events(); open {
						t.Errorf("got event %#v, want the end", e)
					}
					return
				}
				before := time.Now()
				if e := event[LinkDown](r); e.RetryIn != test.retry || e.Code != test.bye.Code || e.Text != test.bye.Text {
					t.Errorf("LinkDown is %+v, want code %v and retry in %v", e, test.bye.Code, test.retry)
				}
				if told := time.Since(before); told != 0 {
					t.Errorf("told after %v, want at once", told)
				}
				<-r.links
				if waited := time.Since(before); waited != test.retry {
					t.Errorf("dialled after %v, want %v", waited, test.retry)
				}
				r.end()
			})
		})
	}
}

// TestLastWords: the reason is read even when the connection is gone by then.
func TestLastWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		p := r.accept(nil)
		event[LinkUp](r)
		p.die()
		time.Sleep(lastWords / 2)
		p.tell(&wire.Bye{Code: chat.Replaced})
		var refused *RefusedError
		if err := <-r.ran; !errors.As(err, &refused) || refused.Code != chat.Replaced {
			t.Errorf("Run returned %v, want replaced", err)
		}
	})
}

func TestBadOrigin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		origins := map[string]bool{}
		before := time.Now()
		for i := range 3 {
			p := <-r.links
			origins[string(p.greet().Origin)] = true
			p.tell(&wire.Bye{Code: chat.BadOrigin})
			if i > 0 {
				event[LinkDown](r)
			}
		}
		<-r.links
		if waited := time.Since(before); len(origins) != 3 || waited != 2*time.Second {
			t.Errorf("%d origins in %v, want 3 in 2s: the first change is free", len(origins), waited)
		}
	})
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts []int
		r := start(t, func(c *Config) {
			c.Backoff = func(n int) time.Duration { attempts = append(attempts, n); return time.Duration(n+1) * time.Second }
		})
		defer r.end()
		for range 3 {
			r.refuse <- errDial
		}
		for i := range 3 {
			if e := event[LinkDown](r); !errors.Is(e.Err, errDial) || e.RetryIn != time.Duration(i+1)*time.Second {
				t.Errorf("LinkDown is %+v", e)
			}
		}
		p := r.accept(nil)
		event[LinkUp](r)
		time.Sleep(healthy - time.Second)
		p.Close()
		event[LinkDown](r) // too early to count as healthy
		p = r.accept(nil)
		event[LinkUp](r)
		time.Sleep(healthy)
		p.Close()
		event[LinkDown](r)
		<-r.links // a handshake that never ends
		before := time.Now()
		if e := event[LinkDown](r); !errors.Is(e.Err, errHandshake) || time.Since(before) != handshakeTime {
			t.Errorf("LinkDown after %v is %+v", time.Since(before), e)
		}
		if diff := cmp.Diff([]int{0, 1, 2, 3, 0, 1}, attempts); diff != "" {
			t.Errorf("attempts mismatch (-want +got):\n%s", diff)
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

// TestResetKeepsWhatWasNotSent: a node that claims numbers which were never written is not believed about them.
func TestResetKeepsWhatWasNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		for _, text := range []string{"a", "b", "c"} {
			r.send("lobby", text)
		}
		p := r.accept(func(w *wire.Welcome) { w.Limits.InFlight = 1 })
		event[LinkUp](r)
		onChat[*wire.Pub](p)
		p.Close()
		event[LinkDown](r)
		r.accept(func(w *wire.Welcome) {
			w.LastCSeq, w.Outcomes = 3, []wire.Outcome{{CSeq: 1, Seq: 1}, {CSeq: 2, Seq: 2}, {CSeq: 3, Seq: 3}}
		})
		if a := event[Ack](r); a.N != 1 {
			t.Errorf("ack is %+v", a)
		}
		if e := event[Reset](r); e.Why != WhyAcks {
			t.Errorf("reset is %+v", e)
		}
		p = r.accept(nil)
		event[LinkUp](r)
		for cseq, text := range []string{"b", "c"} {
			if pub := onChat[*wire.Pub](p); string(pub.Body) != text || pub.CSeq != uint64(cseq+1) {
				t.Errorf("sent %q as %d", pub.Body, pub.CSeq)
			}
		}
	})
}

// TestNameAfterReset: a node that knows nothing is asked for the name that was taken last, without its suffix.
func TestNameAfterReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := <-r.links
		if h := p.welcome(func(w *wire.Welcome) { w.Name = "carol~7q2f" }); h.Name != "carol" {
			t.Errorf("asked for %q", h.Name)
		}
		if up := event[LinkUp](r); up.Name != "carol~7q2f" || r.Name() != up.Name {
			t.Errorf("LinkUp is %+v, Name %q", up, r.Name())
		}
		for _, nick := range []string{"dora", "taken"} {
			if err := r.Nick(nick); err != nil {
				t.Fatal(err)
			}
			onChat[*wire.Nick](p)
		}
		p.say(&wire.Named{Name: "dora"}, &wire.Named{Name: "dora", Code: chat.NameTaken, Suggest: "taken2"})
		event[Named](r)
		if e := event[Named](r); e.Suggest != "taken2" || e.Code != chat.NameTaken {
			t.Errorf("Named is %+v", e)
		}
		p.Close()
		event[LinkDown](r)
		r.accept(func(w *wire.Welcome) { w.Epoch++ })
		event[Reset](r)
		p = <-r.links
		if h := p.greet(); h.Name != "dora" {
			t.Errorf("asked for %q, want dora", h.Name)
		}
	})
}

// TestStaleNumbers: a room's number holds for the link that bound it.
func TestStaleNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		log := &row{number: 3}
		p := r.accept(nil)
		p.say(log.open("lobby"))
		event[LinkUp](r)
		event[Opened](r)
		p.Close()
		event[LinkDown](r)
		p = r.accept(nil)
		event[LinkUp](r)
		p.say(log.next("x"))
		if e := event[LinkDown](r); errors.Is(e.Err, errLost) {
			t.Errorf("LinkDown is %+v, want a breach", e)
		}
	})
}

// TestHandshakeBreaches: what is wrong before there is a link.
func TestHandshakeBreaches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		for _, record := range []wire.Record{
			&wire.Challenge{Version: wire.Version, Nonce: []byte("short")},
			&wire.Welcome{Version: wire.Version, Node: nodeID[:]},
		} {
			p := <-r.links
			p.tell(record)
			if e := event[LinkDown](r); e.Err == nil || errors.Is(e.Err, errHandshake) {
				t.Errorf("after %T: %+v", record, e)
			}
		}
		r.accept(func(w *wire.Welcome) { w.Node = w.Node[:5] })
		if e := event[LinkDown](r); !errors.Is(e.Err, wire.ErrMalformed) {
			t.Errorf("after a short node id: %+v", e)
		}
		r.accept(func(w *wire.Welcome) { w.Version = 2 })
		var refused *RefusedError
		if err := <-r.ran; !errors.As(err, &refused) || refused.Code != chat.BadVersion {
			t.Errorf("Run returned %v, want bad_version", err)
		}
	})
}

func TestBadRoomInConfig(t *testing.T) {
	c := New(Config{Name: "carol", Key: testKey(), Rooms: []string{"No!"}, Dial: func(context.Context) (Link, error) { return nil, errDial }})
	var refused *RefusedError
	if err := c.Run(t.Context()); !errors.As(err, &refused) || refused.Code != chat.BadRoom {
		t.Errorf("Run returned %v, want bad_room", err)
	}
}
