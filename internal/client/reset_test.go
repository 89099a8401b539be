package client

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

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
