package hub

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// TestStop says goodbye to all and takes no more messages, while what is there can still be read and asked.
func TestStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice", "lobby"), w.attach("bob", "lobby")
		alice.say("lobby", "one")
		if err := w.hub.Stop(); err != nil {
			t.Fatal(err)
		}
		hints := map[uint64]bool{}
		for _, c := range []*client{alice, bob} {
			bye := decode(t, c.session.Goodbye())[0].(*wire.Bye)
			if bye.Code != chat.Stopping || bye.RetryAfterMS < 500 || bye.RetryAfterMS > 1500 {
				t.Errorf("bye = %+v", bye)
			}
			hints[bye.RetryAfterMS] = true
		}
		if len(hints) != 2 {
			t.Error("everybody is told to come back at the same moment")
		}
		alice.answers = nil
		alice.do(alice.pub("lobby", "two"), alice.pub("lobby", "three"), pub(1, "one"), pub(2, "two"), &wire.Join{Room: "lobby", Tail: 1})
		wantAnswers(t, alice, "nack 2 stopping", "ack 1=1", "nack 2 stopping")
		wantTexts(t, alice, "lobby", "one", "one")
		if _, ok := bob.ask(&wire.Names{Room: "lobby"}).(*wire.NamesAre); !ok {
			t.Error("a question is not answered while stopping")
		}
		late := w.newClient("late")
		var refusal *Refusal
		if err := late.tryAttach(late.guest()); !errors.As(err, &refusal) || refusal.Code != chat.Stopping || refusal.Retry == 0 {
			t.Errorf("Attach while stopping = %v", err)
		}
		w.checkHistory()
	})
}

// TestEndDrainsTheQueue cancels Run while much is queued behind a slow store: all of it is committed and answered.
func TestEndDrainsTheQueue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		var all []*client
		for i := range 20 {
			all = append(all, w.attach(fmt.Sprint("p", i), "lobby"))
		}
		release := w.store.block()
		for n := range 5 {
			for _, c := range all {
				c.submit(c.pub("lobby", fmt.Sprint(c.asked, " ", n)))
			}
			synctest.Wait()
		}
		asked := background(func() {
			if _, err := all[0].session.Ask(&wire.List{}); err != nil {
				t.Errorf("a question that was queued in time: %v", err)
			}
		})
		synctest.Wait()
		w.cancel()
		synctest.Wait()
		if err := all[0].session.Submit(nil, all[0].pub("lobby", "late")); !errors.Is(err, ErrStopped) {
			t.Errorf("Submit while ending = %v, want ErrStopped", err)
		}
		release()
		<-asked
		w.settle()
		w.end()
		for _, c := range all {
			if len(c.answers) != 5 || len(c.texts("lobby")) != 100 {
				t.Fatalf("%s has %d answers and %d rows, want 5 and 100", c.asked, len(c.answers), len(c.texts("lobby")))
			}
		}
		w.checkHistory()
	})
}

func TestCallsAfterTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice", "lobby"), w.attach("bob")
		bob.stuck = true
		for range chat.MaxInFlight {
			bob.submit(bob.pub("lobby", fmt.Sprint("bob ", bob.cseq)))
		}
		waiting := background(func() {
			if err := bob.session.Submit(nil, bob.pub("lobby", "too many")); !errors.Is(err, ErrStopped) {
				t.Errorf("Submit that waited for room = %v, want ErrStopped", err)
			}
		})
		w.settle()
		w.end()
		<-waiting
		s := alice.session
		late := w.newClient("late")
		_, _, attach := w.hub.Attach(late.guest())
		_, ask := s.Ask(&wire.List{})
		for what, err := range map[string]error{
			"Attach": attach, "Ask": ask, "Detach": s.Detach(false), "Watch": s.Watch(nil), "Stop": w.hub.Stop(),
			"Submit": s.Submit(nil, &wire.Nick{Name: "x"}),
		} {
			if !errors.Is(err, ErrStopped) {
				t.Errorf("%s after the end = %v, want ErrStopped", what, err)
			}
		}
	})
}

// TestQueueIsBounded holds the store up while many sessions publish: no more than maxQueueBytes wait, and a reader that is held up there comes
// free when the hub ends.
func TestQueueIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		var let atomic.Int64
		const each = chat.MaxInFlightB / chat.MaxText
		text := make([]byte, chat.MaxText)
		for i := range text {
			text[i] = 'x'
		}
		for i := range 100 {
			w.attach(fmt.Sprint("p", i))
		}
		release := w.store.block()
		for _, c := range w.clients {
			go func() {
				for n := range each {
					if c.session.Submit(nil, &wire.Pub{CSeq: uint64(n + 1), Room: "lobby", Kind: chat.Text, Body: text}) != nil {
						return
					}
					let.Add(chat.MaxText)
				}
			}()
		}
		synctest.Wait()
		// What was let in is counted by its texts, and the queue by what it holds: that is more for each, by as much as a batch in all.
		if got := let.Load(); got < maxQueueBytes-maxBatchBytes || got > maxQueueBytes+2*maxBatchBytes {
			t.Errorf("%d bytes wait, want %d and a batch less or two more", got, maxQueueBytes)
		}
		go func() {
			<-time.After(time.Second) // of the bubble
			release()
		}()
		w.end()
	})
}

// TestFullNode lets no more sessions in than it may, but a replacement of one that is there.
func TestFullNode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.MaxSessions = 2 })
		alice := w.attach("alice")
		bob := w.attach("bob")
		carol := w.newClient("carol")
		var refusal *Refusal
		if err := carol.tryAttach(carol.guest()); !errors.As(err, &refusal) || refusal.Code != chat.Full || refusal.Retry == 0 {
			t.Errorf("Attach to a full node = %v", err)
		}
		alice.attach()
		bob.leave(true)
		carol.attach()
	})
}

// TestRunEndsWithItsContext starts a hub with a context that has ended.
func TestRunEndsWithItsContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		w.end()
		h, err := New(w.hub.cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := h.Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// TestDelay paces a key and a room, and nobody else.
func TestDelay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.Rate, c.RoomRate = 10, 20 })
		alice, bob := w.attach("alice"), w.attach("bob")
		p := pub(1, "x")
		for i := range 30 {
			if d := alice.session.Delay(p); d != 0 {
				t.Fatalf("message %d of a burst waits %v", i+1, d)
			}
		}
		if d := alice.session.Delay(p); d != 100*time.Millisecond {
			t.Errorf("the message after the burst waits %v, want 100ms", d)
		}
		if d := alice.another("laptop").session.Delay(p); d != 200*time.Millisecond {
			t.Errorf("another session of the key waits %v, want 200ms", d)
		}
		if d := bob.session.Delay(p); d != 0 {
			t.Errorf("another key waits %v", d)
		}
		for range 27 {
			bob.session.Delay(p)
		}
		if d := bob.session.Delay(p); d != 50*time.Millisecond {
			t.Errorf("the message that is too much for the room waits %v, want 50ms", d)
		}
		elapse(10 * time.Second)
		w.settle()
		if n := len(w.hub.rates.rooms); n != 0 {
			t.Errorf("%d limiters are kept for rooms that rest", n)
		}
		if d := alice.session.Delay(p); d != 0 {
			t.Errorf("a message after a pause waits %v", d)
		}
	})
}
