package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/wire"
)

// unheard fails when the client has written to control something that the test has not read.
func (p *peer) unheard(when string) {
	p.t.Helper()
	synctest.Wait()
	p.controlUp.mu.Lock()
	defer p.controlUp.mu.Unlock()
	if n := len(p.controlUp.buf); n > 0 || p.control.Buffered() {
		p.t.Errorf("%s: the client writes %d bytes to control", when, n)
	}
}

// lastWatch returns the rooms of the last Watch that the client has written.
func (p *peer) lastWatch() (rooms []string) {
	p.t.Helper()
	for synctest.Wait(); len(p.controlUp.buf) > 0 || p.control.Buffered(); {
		rooms = onControl[*wire.Watch](p).Rooms
	}
	return rooms
}

// TestLook: the node is asked for what is on the screen, in its order, when that changes.
func TestLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Watch = true })
		defer r.end()
		p := r.accept(func(w *wire.Welcome) { w.Limits.Watched = 2 })
		event[LinkUp](r)
		watched := func(when string, want ...string) {
			t.Helper()
			if diff := cmp.Diff(want, onControl[*wire.Watch](p).Rooms); diff != "" {
				t.Errorf("%s: rooms watched (-want +got):\n%s", when, diff)
			}
			p.unheard(when)
		}
		for i, name := range []string{"a", "b", "c"} {
			p.say((&row{number: uint64(i + 1)}).open(name))
		}
		p.say(bobs(&row{number: 9}, "bob"))
		if got := p.lastWatch(); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("before anything is said %v are watched", got)
		}
		r.Look([]string{"c", "nowhere", "@bob", "a", "c", "b"})
		watched("said", "c", "a")
		r.Look([]string{"c", "nowhere", "@bob", "a", "c", "b"})
		p.unheard("the same")
		r.Look([]string{"c", "a"})
		p.unheard("the same rooms")
		r.Look([]string{"a"})
		watched("fewer", "a")
		r.Look(nil)
		if got := onControl[*wire.Watch](p).Rooms; len(got) != 0 {
			t.Errorf("nothing is on the screen, and %v are watched", got)
		}
		list := []string{"b", "c"}
		r.Look(list)
		list[0] = "a" // the client has its own
		watched("again", "b", "c")
		p.say(&wire.Closed{Room: 2})
		watched("one is closed", "c")
		p.Close()
		r.Look([]string{"later", "a"})
		p = r.accept(nil)
		if got := onControl[*wire.Watch](p).Rooms; !slices.Equal(got, []string{"a"}) {
			t.Errorf("the next link begins with a watch of %v", got)
		}
		p.say((&row{number: 7}).open("later"))
		watched("behind a reconnect", "later", "a")
	})
}

// TestLookBeginsWithASnapshot: a room that comes to the screen again is told anew.
func TestLookBeginsWithASnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Watch = true })
		defer r.end()
		p := r.accept(nil)
		event[LinkUp](r)
		p.say((&row{number: 1}).open("a"), (&row{number: 2}).open("b"))
		event[Opened](r)
		event[Opened](r)
		here := func(room string) {
			t.Helper()
			p.tell(presenceOf(wire.RoomPresence{Room: room, Count: 1, Snapshot: true, Here: []wire.Person{person(1, "alice")}}))
			if e := event[Present](r); e.Room != room || len(e.People) != 1 {
				t.Errorf("told %+v, want all of %s", e, room)
			}
		}
		r.Look([]string{"a"})
		synctest.Wait()
		here("a")
		p.tell(presenceOf(wire.RoomPresence{Room: "b", Count: 1, Snapshot: true}))
		r.none()
		r.Look([]string{"b"})
		synctest.Wait()
		here("b")
		r.Look([]string{"a", "b"})
		synctest.Wait()
		here("a")
	})
}

// TestLookIsBounded: a front end that knows no bounds fills nothing; many at once do not race.
func TestLookIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Watch = true })
		defer r.end()
		p := r.accept(nil)
		event[LinkUp](r)
		p.say((&row{number: 1}).open("a"))
		event[Opened](r)
		many := make([]string, 10*maxOpen)
		for i := range many {
			many[i] = fmt.Sprint("room", i)
		}
		r.Look(many)
		r.mu.Lock()
		if len(r.look) > maxOpen {
			t.Errorf("%d rooms are remembered", len(r.look))
		}
		r.mu.Unlock()
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for range 100 {
					r.Look(many[:rand.IntN(3)+i])
					r.Look([]string{"a"})
				}
			})
		}
		all.Wait()
		r.Look([]string{"a"})
		if got := p.lastWatch(); !slices.Equal(got, []string{"a"}) {
			t.Errorf("at last %v are watched", got)
		}
		r.Close()
		r.Look([]string{"b"}) // after the end it is of no use, and does no harm
	})
}

// TestLag: one ping serves all who ask meanwhile and for a while after, and what it says is the link's own.
func TestLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		if _, err := r.Lag(t.Context()); !errors.Is(err, ErrNoLink) {
			t.Errorf("before the first link: %v", err)
		}
		p := r.accept(nil)
		event[LinkUp](r)
		first := asked(func() (time.Duration, error) { return r.Lag(t.Context()) })
		second := asked(func() (time.Duration, error) { return r.Lag(t.Context()) })
		impatient, cancel := context.WithCancel(t.Context())
		third := asked(func() (time.Duration, error) { return r.Lag(impatient) })
		cancel()
		if _, err := third(); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that gave up: %v", err)
		}
		p.pings <- 30 * time.Millisecond // and there is no second one that takes what comes
		for _, lag := range []func() (time.Duration, error){first, second} {
			if got, err := lag(); got != 30*time.Millisecond || err != nil {
				t.Errorf("the lag is %v, %v", got, err)
			}
		}
		elapse(lagEvery - 1)
		if got, err := r.Lag(t.Context()); got != 30*time.Millisecond || err != nil {
			t.Errorf("a moment later the lag is %v, %v", got, err)
		}
		elapse(1)
		later := asked(func() (time.Duration, error) { return r.Lag(t.Context()) })
		p.pings <- 40 * time.Millisecond
		if got, err := later(); got != 40*time.Millisecond || err != nil {
			t.Errorf("later the lag is %v, %v", got, err)
		}
	})
}

// TestLagEndsWithTheLink: nobody waits for a ping of a link that is gone, and the next link is asked anew.
func TestLagEndsWithTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		p := r.accept(nil)
		event[LinkUp](r)
		cut := asked(func() (time.Duration, error) { return r.Lag(t.Context()) })
		p.Close()
		if _, err := cut(); !errors.Is(err, ErrNoLink) {
			t.Errorf("cut off: %v", err)
		}
		event[LinkDown](r)
		if _, err := r.Lag(t.Context()); !errors.Is(err, ErrNoLink) {
			t.Errorf("between two links: %v", err)
		}
		p = r.accept(nil)
		event[LinkUp](r)
		next := asked(func() (time.Duration, error) { return r.Lag(t.Context()) })
		p.pings <- time.Second
		if got, err := next(); got != time.Second || err != nil {
			t.Errorf("on the next link: %v, %v", got, err)
		}
		elapse(lagEvery)
		hanging := asked(func() (time.Duration, error) { return r.Lag(t.Context()) })
		r.end()
		if _, err := hanging(); !errors.Is(err, ErrNoLink) {
			t.Errorf("at the end: %v", err)
		}
		if _, err := r.Lag(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestLagOfALinkThatDies: the ping says so before the client notices.
func TestLagOfALinkThatDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		event[LinkUp](r)
		lag := asked(func() (time.Duration, error) { return r.Lag(t.Context()) })
		p.die() // its streams can still be read
		if _, err := lag(); !errors.Is(err, ErrNoLink) || !errors.Is(err, io.EOF) {
			t.Errorf("the lag of a dead link: %v", err)
		}
	})
}
