package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// located is what Locate returned and told.
type located struct {
	seq      uint64
	progress []int
	asked    int
}

// locate looks for a message and plays the node: answer says what it answers each question.
func (r *rig) locate(p *peer, id chat.ID, before uint64, answer func(*wire.History) wire.Record) (got located, err error) {
	done := make(chan error, 1)
	go func() {
		var err error
		got.seq, err = r.Locate(r.t.Context(), "lobby", id, before, func(n int) { got.progress = append(got.progress, n) })
		done <- err
	}()
	for asked := 0; ; asked++ {
		synctest.Wait()
		select {
		case err := <-done:
			got.asked = asked
			return got, err
		default:
			p.tell(answer(onControl[*wire.History](p)))
		}
	}
}

// pages answers from a log of which rows from low on are kept, at most limit at a time.
func pages(log []*wire.Event, low uint64, limit int) func(*wire.History) wire.Record {
	return func(ask *wire.History) wire.Record {
		end := len(log)
		if ask.Before > 0 {
			end = min(end, int(ask.Before)-1)
		}
		begin := max(end-min(limit, int(ask.N)), int(low)-1)
		if begin >= end {
			return &wire.HistoryIs{Low: low}
		}
		return &wire.HistoryIs{Events: raw(log[begin:end]...), Low: low, More: begin > int(low)-1}
	}
}

// TestLocate finds every message wherever the node's pages end, and none that is not kept, at or behind where the search begins.
func TestLocate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 1))
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		log := logOf(3, 1200)
		for range 60 {
			seq, low, before := uint64(1+rng.IntN(len(log))), uint64(1+rng.IntN(300)), uint64(0)
			if rng.IntN(2) == 0 {
				before = uint64(1 + rng.IntN(len(log)+100))
			}
			limit := 100 + rng.IntN(500)
			got, err := r.locate(p, log[seq-1].ID, before, pages(log, low, limit))
			if kept := seq >= low && (before == 0 || seq < before); kept != (err == nil) || kept && got.seq != seq || !kept && !errors.Is(err, ErrNotFound) {
				t.Fatalf("message %d of those from %d to below %d, by %d: found %d, %v", seq, low, before, limit, got.seq, err)
			}
			if len(got.progress) != got.asked || !slices.IsSorted(got.progress) {
				t.Fatalf("%d questions, and told %v", got.asked, got.progress)
			}
		}
		got, err := r.locate(p, log[0].ID, 0, pages(log, 1, 500))
		if !slices.Equal(got.progress, []int{500, 1000, 1200}) || err != nil {
			t.Errorf("the first message: told %v, %v", got.progress, err)
		}
	})
}

// TestLocateEnds: a log without end is given up, and what can't be there is not looked for.
func TestLocateEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		log := logOf(3, 2000)
		got, err := r.locate(p, chat.ID{0xff}, 0, pages(log, 1, 10)) // a node that dribbles
		if !errors.Is(err, ErrNotFound) || got.asked != maxLocate || got.progress[maxLocate-1] != 10*maxLocate {
			t.Errorf("%d questions, %v", got.asked, err)
		}
		if got, err := r.locate(p, chat.ID{}, 0, pages(log, 1, 10)); !errors.Is(err, ErrNotFound) || got.asked != 0 {
			t.Errorf("no message at all: %d questions, %v", got.asked, err)
		}
		if got, err := r.locate(p, log[0].ID, 1, pages(log, 1, 10)); !errors.Is(err, ErrNotFound) || got.asked != 1 {
			t.Errorf("before the first: %d questions, %v", got.asked, err)
		}
		refuse := func(*wire.History) wire.Record { return &wire.Failed{Code: chat.NoSuchRoom} }
		if _, err := r.locate(p, log[0].ID, 0, refuse); !isRefusal(err, chat.NoSuchRoom) {
			t.Errorf("in a room that there is not: %v", err)
		}
		if _, err := r.Locate(t.Context(), "no room", log[0].ID, 0, nil); !isRefusal(err, chat.BadRoom) {
			t.Errorf("in what can't be a room: %v", err)
		}
	})
}

// TestLocateOfAHostileNode: pages that do not follow each other, or go on for ever at the same place, are found out.
func TestLocateOfAHostileNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		log, other := logOf(3, 20), logOf(4, 20)
		for name, second := range map[string]*wire.HistoryIs{
			"a hole": {Events: raw(log[2:5]...), Low: 1}, "the same again": {Events: raw(log[8:12]...), Low: 1},
			"another room": {Events: raw(other[4:8]...), Low: 1}, "nothing, and more": {Low: 1, More: true},
		} {
			first := true
			_, err := r.locate(p, log[0].ID, 0, func(*wire.History) wire.Record {
				if first {
					first = false
					return &wire.HistoryIs{Events: raw(log[8:12]...), Low: 1, More: true}
				}
				return second
			})
			if !errors.Is(err, errPage) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestLocateIsGivenUp: it ends with its context, in the middle, and without anybody to tell how far it is.
func TestLocateIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		log := logOf(3, 100)
		ctx, cancel := context.WithCancel(t.Context())
		seq := asked(func() (uint64, error) { return r.Locate(ctx, "lobby", log[0].ID, 0, nil) })
		p.tell(pages(log, 1, 10)(onControl[*wire.History](p)))
		onControl[*wire.History](p)
		cancel()
		if _, err := seq(); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
	})
}
