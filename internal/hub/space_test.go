package hub

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

const reserve = 800

// tight returns a world whose store has as much room as free says.
func tight(t *testing.T, free *atomic.Int64) *world {
	w := newWorld(t, func(c *Config) { c.Reserve = reserve })
	w.store.set(func() { w.store.free = func() (int64, error) { return free.Load(), nil } })
	return w
}

// TestNoSpace runs out of room and gets some again: publishes wait, all else goes on, and everybody is told of it once.
func TestNoSpace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var free atomic.Int64
		free.Store(reserve)
		w := tight(t, &free)
		alice, bob := w.attach("alice", "lobby"), w.attach("bob", "lobby")
		alice.say("lobby", "one")
		free.Store(reserve - 1)
		alice.answers = nil
		two, three := alice.pub("lobby", "two"), alice.pub("lobby", "three")
		alice.do(pub(1, "one"), two, three)
		bob.do(bob.pub("lobby", "bob's"))
		alice.do(two)
		nacks := slices.Concat(alice.answers[1:], bob.answers)
		wantAnswers(t, alice, "ack 1=1", "nack 2 no_space", "nack 2 no_space")
		wantAnswers(t, bob, "nack 1 no_space")
		for _, r := range nacks {
			if ms := r.(*wire.Nack).RetryAfterMS; ms < 700 || ms > 2300 {
				t.Errorf("come back after %d ms", ms)
			}
		}
		late := w.attach("late", "lobby")
		late.do(&wire.Nick{Name: "later"}, &wire.Join{Room: "lobby", Tail: 5})
		wantTexts(t, late, "lobby", "one")
		if _, got := bob.search(wire.Search{Words: "one", N: 5}); len(got) != 1 {
			t.Errorf("a search finds %q", got)
		}
		if state, _ := w.store.Load(); len(state.People) != 3 {
			t.Errorf("%d people are kept, want those of all three", len(state.People))
		}
		free.Store(reserve + reserve/8 - 1) // not enough to begin again
		elapse(3 * time.Second)
		alice.do(two)
		wantAnswers(t, alice, "nack 2 no_space")
		free.Store(reserve + reserve/8)
		elapse(presenceEvery) // noticed while nobody publishes
		w.settle()
		alice.answers, bob.answers = nil, nil
		alice.do(two, three)
		bob.do(&wire.Pub{CSeq: 1, Room: "lobby", Kind: chat.Text, Body: []byte("bob's")})
		wantAnswers(t, alice, "ack 2=2", "ack 3=3")
		wantAnswers(t, bob, "ack 1=4")
		for _, c := range []*client{alice, bob, late} {
			if got := c.lines(); !slices.Equal(got, []string{"no_space " + fullText, "ok " + roomyText}) {
				t.Errorf("%s is told %q, want the beginning and the end, once each", c.asked, got)
			}
		}
		w.checkHistory()
	})
}

// TestNoSpaceBeginsOnce goes below the reserve again after it was over.
func TestNoSpaceBeginsOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var free atomic.Int64
		w := tight(t, &free)
		alice := w.attach("alice")
		for range 2 {
			free.Store(0)
			alice.do(pub(1, "x"))
			free.Store(1 << 40)
			elapse(presenceEvery)
			w.settle()
		}
		if got := strings.Join(alice.lines(), "; "); strings.Count(got, fullText) != 2 || strings.Count(got, roomyText) != 2 {
			t.Errorf("told %q", got)
		}
	})
}

// TestNoReserve takes everything, and does not even look.
func TestNoReserve(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		w.store.set(func() {
			w.store.free = func() (int64, error) { t.Error("it looked"); return 0, nil }
		})
		alice := w.attach("alice")
		alice.say("lobby", "one")
		wantAnswers(t, alice, "ack 1=1")
	})
}

// TestFreeFails ends the hub with the store's error, from a publish and from a tick.
func TestFreeFails(t *testing.T) {
	for _, byTick := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			var free atomic.Int64
			w := tight(t, &free)
			w.failed = errors.New("statfs: input/output error")
			alice := w.attach("alice")
			if byTick {
				alice.do(pub(1, "x"))
			}
			w.store.set(func() { w.store.free = func() (int64, error) { return 0, w.failed } })
			if !byTick {
				alice.submit(pub(1, "x"))
			}
			elapse(2 * presenceEvery)
			synctest.Wait()
			if err := w.hub.call(func() {}); !errors.Is(err, ErrStopped) {
				t.Errorf("by tick %v: the hub goes on: %v", byTick, err)
			}
			if len(w.rows("lobby")) > 0 {
				t.Error("a row was written")
			}
		})
	}
}

// lines returns what the node has told the client, each with its code.
func (c *client) lines() (all []string) {
	for _, r := range c.control {
		if n, ok := r.(*wire.Notice); ok {
			all = append(all, n.Code.String()+" "+n.Text)
		}
	}
	return all
}

// TestGoodbyeWaitsForAnswers: what was submitted before a goodbye is answered before it is said, what comes later does not hold it up.
func TestGoodbyeWaitsForAnswers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice")
		alice.stuck = true
		release := w.store.block()
		due := func() bool {
			synctest.Wait()
			_, _, due := alice.session.Waiting()
			return due
		}
		alice.submit(alice.pub("lobby", "one"), &wire.Join{Room: "lobby"})
		if due() {
			t.Error("a goodbye is due that nobody has said")
		}
		alice.session.Bye(chat.Malformed, "")
		alice.submit(alice.pub("lobby", "two"))
		if due() {
			t.Error("the goodbye does not wait for the commit")
		}
		release()
		if due() {
			t.Error("the goodbye does not wait until the answers are taken")
		}
		if alice.drain(); !due() {
			t.Error("the goodbye waits for what came behind it, or for nothing")
		}
		wantAnswers(t, alice, "ack 1=1", "ack 2=2")
	})
}
