package client

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// saysAway has the client say that it is away or back; what came of it is known when the node has answered.
func (r *rig) saysAway(text string, away bool) (done func() error) {
	got := asked(func() (struct{}, error) { return struct{}{}, r.Away(r.ctx, text, away) })
	return func() error { _, err := got(); return err }
}

// takesAway has the node take what the client says, which must be this.
func (p *peer) takesAway(when, text string, away bool) {
	p.t.Helper()
	ask := onControl[*wire.Away](p)
	if ask.Text != text || ask.Away != away {
		p.t.Errorf("%s: the node is told %+v, want %q, %v", when, ask, text, away)
	}
	p.tell(&wire.AwayIs{Away: away, Text: text, Since: 1})
	synctest.Wait()
}

func wantNoError(t *testing.T, when string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", when, err)
	}
}

// TestAwayIsSaidAgain: on every link, ahead of what waits, for as long as the user is away and the node has taken it.
func TestAwayIsSaidAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		early := r.saysAway("lunch", true) // there is no link yet
		p := r.accept(nil)
		p.takesAway("at first", "lunch", true)
		wantNoError(t, "at first", early())
		p.cut(func() int { return 0 })
		p = r.accept(nil)
		p.takesAway("on the second link", "lunch", true)
		p.unheard("on the second link")
		p.cut(func() int { return 0 })
		p = r.accept(nil)
		onControl[*wire.Away](p) // and no answer comes
		list := asked(func() ([]RoomInfo, error) { return r.List(r.ctx) })
		p.cut(func() int { return 0 })
		p = r.accept(nil)
		p.takesAway("once more, and once", "lunch", true)
		onControl[*wire.List](p)
		p.tell(&wire.ListIs{})
		_, err := list()
		wantNoError(t, "a question behind it", err)

		other := r.saysAway("a meeting", true)
		onControl[*wire.Away](p)
		p.cut(func() int { return 0 }) // perhaps the node has taken that
		p = r.accept(nil)
		p.takesAway("what was true before", "lunch", true)
		p.takesAway("what was said last", "a meeting", true)
		wantNoError(t, "said on two links", other())

		refused := r.saysAway("too often", true)
		onControl[*wire.Away](p)
		p.tell(&wire.Failed{Code: chat.TooFast, RetryAfterMS: 7000})
		var refusal *RefusedError
		if err := refused(); !errors.As(err, &refusal) || refusal.Code != chat.TooFast || refusal.RetryAfter != 7*time.Second {
			t.Errorf("too fast: %v", err)
		}
		p.cut(func() int { return 0 })
		p = r.accept(nil)
		p.takesAway("what was refused did not count", "a meeting", true)

		back := r.saysAway("not a word", false)
		p.takesAway("back", "", false)
		wantNoError(t, "back", back())
		p.cut(func() int { return 0 })
		p = r.accept(nil)
		p.unheard("who is back says nothing")
	})
}

// TestAwayIsGivenUp: who does not wait for the answer has said it nevertheless, if the node has taken it.
func TestAwayIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		p := r.accept(nil)
		event[LinkUp](r)
		ctx, cancel := context.WithCancel(t.Context())
		got := asked(func() (struct{}, error) { return struct{}{}, r.Away(ctx, "lunch", true) })
		ask := onControl[*wire.Away](p)
		cancel()
		if _, err := got(); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
		p.tell(&wire.AwayIs{Away: true, Text: ask.Text, Since: 1})
		synctest.Wait()
		p.cut(func() int { return 0 })
		p = r.accept(nil)
		p.takesAway("the next link", "lunch", true)
		for text, want := range map[string]chat.Code{strings.Repeat("x", chat.MaxTopic+1): chat.TooLong, "\xff": chat.BadText} {
			if err := r.Away(t.Context(), text, true); !isRefusal(err, want) {
				t.Errorf("%.10q: %v, want %v", text, err, want)
			}
		}
		p.unheard("what no node takes")
		r.end()
		if err := r.Away(t.Context(), "", false); !errors.Is(err, ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// TestStirred: who goes away and comes back is told, merged while nobody looks, beside a change of name; who joins may be away already.
func TestStirred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Rooms, c.Watch = []string{"lobby"}, true })
		defer r.end()
		lobby := &row{number: 3}
		p := r.accept(nil)
		event[LinkUp](r)
		p.say(lobby.open("lobby"))
		event[Opened](r)
		synctest.Wait()
		ann, bob, cyd := person(1, "ann"), person(2, "bob"), person(3, "cyd")
		here := func(snapshot bool, away []uint64, people ...wire.Person) {
			p.tell(presenceOf(wire.RoomPresence{Room: "lobby", Count: 3, Snapshot: snapshot, Here: people, Away: away}))
		}
		here(true, []uint64{1, 1, 2, math.MaxUint64}, ann, bob) // two of these places are nobody's
		want := Event(Present{Room: "lobby", Count: 3, People: []Person{{ID: idOfPerson(1), Name: "ann"}, {ID: idOfPerson(2), Name: "bob", Away: true}}})
		if diff := cmp.Diff(want, event[Event](r)); diff != "" {
			t.Errorf("snapshot mismatch (-want +got):\n%s", diff)
		}
		here(false, []uint64{0}, ann)
		if e := event[Stirred](r); e != (Stirred{"lobby", "ann", idOfPerson(1), true}) {
			t.Errorf("told %+v", e)
		}
		here(false, []uint64{0}, ann) // and says something else
		r.none()

		r.swamp(p, lobby)
		here(false, nil, ann, bob)
		here(false, []uint64{0}, ann)                      // back and away again is nothing to tell
		here(false, []uint64{1}, person(2, "robert"), cyd) // back, and under another name
		wantAll := []Event{
			Renamed{"lobby", "bob", "robert", idOfPerson(2)}, Stirred{"lobby", "robert", idOfPerson(2), false},
			Joined{Room: "lobby", Name: "cyd", ID: idOfPerson(3), Away: true},
		}
		if diff := cmp.Diff(wantAll, r.besidesMessages()); diff != "" {
			t.Errorf("merged presence mismatch (-want +got):\n%s", diff)
		}
	})
}

// TestAwayInAnswers: names and whois tell who is away; a node that knows nothing of it says that nobody is.
func TestAwayInAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		event[LinkUp](r)
		names := asked(func() ([]Person, error) { l, _, err := r.Names(r.ctx, "lobby"); return l, err })
		onControl[*wire.Names](p)
		p.tell(&wire.NamesAre{People: []wire.Person{person(1, "ann"), person(2, "bob")}, Total: 2, Away: []uint64{7, 1}})
		got, err := names()
		want := []Person{{ID: idOfPerson(1), Name: "ann"}, {ID: idOfPerson(2), Name: "bob", Away: true}}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v, names (-want +got):\n%s", err, diff)
		}
		for _, test := range []struct {
			is   wire.WhoisIs
			want Info
		}{
			{wire.WhoisIs{Away: "lunch", AwaySince: 5000}, Info{Person: Person{Away: true}, AwayText: "lunch", AwaySince: time.UnixMilli(5000)}},
			{wire.WhoisIs{AwaySince: 5000}, Info{Person: Person{Away: true}, AwaySince: time.UnixMilli(5000)}},
			{wire.WhoisIs{Away: "nonsense"}, Info{}},
		} {
			whois := asked(func() (Info, error) { return r.Whois(r.ctx, "bob") })
			onControl[*wire.Whois](p)
			test.is.Person = person(2, "bob")
			p.tell(&test.is)
			test.want.ID, test.want.Name, test.want.Rooms = idOfPerson(2), "bob", []string{}
			got, err := whois()
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Errorf("%v, whois (-want +got):\n%s", err, diff)
			}
		}
	})
}
