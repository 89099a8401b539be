package client

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

func wantMoved(t *testing.T, j *wire.Join, heads []wire.Grown, ids []chat.ID) {
	t.Helper()
	if j.Cursor != nil || j.Moved == nil {
		t.Fatalf("the join is %+v, want of what was seen elsewhere", j)
	}
	if diff := cmp.Diff(&wire.Moved{Heads: heads, IDs: ids}, j.Moved, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("what was seen (-want +got):\n%s", diff)
	}
}

// TestGoesOnAtAnotherNode is the whole of it: nothing that was shown comes again, whenever that node gets it, what is new comes once, and what was not answered
// is offered under a new origin as what it was.
func TestGoesOnAtAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Rooms = []string{"lobby"} })
		defer r.end()
		p, first := r.at(siteA, 0)
		log := &row{number: 3}
		onChat[*wire.Join](p)
		p.say(log.open("lobby"))
		p.say(log.all("one", "two", "three", "four")...)
		p.say(&wire.Mark{Room: 3, Seq: 2, Heads: []wire.Grown{logs(2, 7), logs(1, 2)}})
		if up := event[LinkUp](r); up.Moved || up.Resumed {
			t.Errorf("the first link is %+v", up)
		}
		r.opens(wire.StatusOK)
		r.shows("one", "two", "three", "four")
		r.send("lobby", "a")
		r.send("lobby", "b")
		r.send("lobby", "c")
		for range 3 {
			onChat[*wire.Pub](p)
		}
		p.say(&wire.Ack{CSeq: 1, Seq: 5, ID: textID("a")})
		event[Ack](r)
		p.Close()
		event[LinkDown](r)

		before := time.Now()
		p, found, again := r.movesTo(siteB)
		if waited := time.Since(before); waited > time.Second || !bytes.Equal(found.Origin, first.Origin) {
			t.Errorf("the other node is found after %v, with origin %x", waited, found.Origin)
		}
		if bytes.Equal(again.Origin, first.Origin) || again.FirstUnacked != 1 {
			t.Errorf("the hello is %+v, want a new origin", again)
		}
		if up := event[LinkUp](r); !up.Moved || !up.Resumed || up.Title != "node b" || up.Epoch != siteB.epoch {
			t.Errorf("the link is %+v", up)
		}
		wantMoved(t, onChat[*wire.Join](p), []wire.Grown{logs(1, 2), logs(2, 7)}, ids("three", "four"))
		for i, text := range []string{"b", "c"} {
			pub := onChat[*wire.Pub](p)
			want := &wire.As{Origin: originName(first.Origin), CSeq: uint64(i + 2)}
			if diff := cmp.Diff(want, pub.Opts.As); diff != "" || string(pub.Body) != text || pub.CSeq != uint64(i+1) {
				t.Errorf("publish %d is %q, as (-want +got):\n%s", pub.CSeq, pub.Body, diff)
			}
		}
		log = &row{number: 9}
		log.all("two", "one")
		p.say(log.moved("lobby", [2]uint64{4, 5}))
		p.say(log.all("five", "old", "three", "a", "four", "six")...)
		if o := r.opens(wire.StatusMoved); o.From != 3 || o.Cursor.Seq != 2 || o.Cursor.Epoch != siteB.epoch {
			t.Errorf("opened %+v", o)
		}
		if e := event[WentOn](r); e != (WentOn{From: "node a", To: "node b"}) {
			t.Errorf("went on: %+v", e)
		}
		r.shows("five", "a", "six")
		if s, _ := r.Room("lobby"); s.Cursor.Seq != 8 || s.Cursor.Hash != log.hash {
			t.Errorf("the cursor is %+v, want the hash of all rows", s.Cursor)
		}
		// One that was kept before its node died is a row already; what comes twice is dropped.
		p.say(&wire.Ack{CSeq: 1, Seq: 6, ID: textID("a")})
		if ack := event[Ack](r); ack.N != 2 || !ack.Shown {
			t.Errorf("the ack is %+v, want of message 2, which was shown", ack)
		}
		p.say(log.all("two", "c")...) // the mark covers "two", which the client has still
		r.shows("c")
		p.say(&wire.Ack{CSeq: 2, Seq: 10, ID: textID("c")})
		event[Ack](r)
		r.none()
		if r.Pending() != 0 {
			t.Errorf("%d are pending", r.Pending())
		}
	})
}

func originName(token []byte) []byte {
	name := wire.OriginName([16]byte(token))
	return name[:]
}

// TestWhatComesLater: rows that the other node gets only then, which was behind the one before, are told of in the middle; a gap there is of what nobody
// knows whether it was shown.
func TestWhatComesLater(t *testing.T) {
	hostile(t, func(t *testing.T, r *rig, p *peer) {
		p.Close()
		event[LinkDown](r)
		p, _, _ = r.movesTo(siteB)
		event[LinkUp](r)
		onChat[*wire.Join](p)
		log := &row{number: 4, seq: 20}
		gap := log.moved("lobby", [2]uint64{22, 23})
		gap.Status, gap.Low = wire.StatusGap, 21
		p.say(gap)
		p.say(log.all("three")...)
		if o := event[Opened](r); o.Status != wire.StatusMoved || o.Cursor.Seq != 20 {
			t.Errorf("opened: %+v", o)
		}
		if g := event[Gap](r); g.From != 0 || g.To != 20 || g.Cursor.Seq != 20 {
			t.Errorf("the gap is %+v", g)
		}
		event[WentOn](r)
		r.shows("three")
		p.say(log.moved("lobby", [2]uint64{25, 25}))
		p.say(log.all("old", "older", "four", "oldest", "five")...)
		if e := event[Passed](r); !cmp.Equal(e, Passed{"lobby", [][2]uint64{{22, 23}, {25, 25}}}) {
			t.Errorf("passed: %+v", e)
		}
		r.shows("four", "five")
		if s, _ := r.Room("lobby"); s.Cursor.Seq != 26 || s.Cursor.Hash != log.hash {
			t.Errorf("the cursor is %+v", s.Cursor)
		}
	})
}

// TestShownIsKept: what a node has shown and did not come to acknowledge is not offered to the next one, where it would be shown again.
func TestShownIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Rooms = []string{"lobby"} })
		defer r.end()
		p, _ := r.at(siteA, 0)
		a := &row{number: 1}
		onChat[*wire.Join](p)
		p.say(a.open("lobby"))
		event[LinkUp](r)
		event[Opened](r)
		r.send("lobby", "mine")
		r.send("lobby", "mine too")
		onChat[*wire.Pub](p)
		onChat[*wire.Pub](p)
		mine := a.same("mine")
		mine.From, mine.CSeq = 5+siteA.epoch, 1
		p.say(mine)
		r.shows("mine")
		p.Close()
		event[LinkDown](r)

		p, first, _ := r.movesTo(siteB)
		if ack := event[Ack](r); ack.N != 1 || ack.Seq != 1 {
			t.Errorf("acknowledged: %+v", ack)
		}
		event[LinkUp](r)
		if pairs := onChat[*wire.Join](p).Moved.Pairs; len(pairs) > 0 {
			t.Errorf("of what was offered to one node alone it says %+v", pairs)
		}
		if again := onChat[*wire.Pub](p); string(again.Body) != "mine too" {
			t.Errorf("%q is offered again", again.Body)
		}
		b := &row{number: 2}
		p.say(b.moved("lobby"), b.same("mine too"), &wire.Ack{CSeq: 1, Seq: 1, ID: textID("mine too"), Time: 1})
		r.opens(wire.StatusMoved)
		event[WentOn](r)
		r.shows("mine too")
		event[Ack](r)
		p.Close()
		event[LinkDown](r)

		p, _, _ = r.movesTo(siteA) // which may have kept it as well
		event[LinkUp](r)
		want := []wire.As{{Origin: originName(first.Origin), CSeq: 2}}
		if diff := cmp.Diff(want, onChat[*wire.Join](p).Moved.Pairs); diff != "" {
			t.Errorf("what was offered to both (-want +got):\n%s", diff)
		}
	})
}

// TestMovesAgain: the first pair stays, what a node said in its mark holds until the next one's, so that no lie lasts, and a room that was not taken up elsewhere is gone on with by its cursor.
func TestMovesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Rooms = []string{"lobby", "ops"} })
		defer r.end()
		p, first := r.at(siteA, 0)
		a, ops := &row{number: 1}, &row{number: 2}
		onChat[*wire.Join](p)
		onChat[*wire.Join](p)
		p.say(a.open("lobby"), ops.open("ops"))
		p.say(a.all("one", "two")...)
		p.say(&wire.Mark{Room: 1, Seq: 2, Heads: []wire.Grown{logs(1, 1<<36-1)}})
		p.say(ops.same("in ops"))
		event[LinkUp](r)
		event[Opened](r)
		event[Opened](r)
		r.shows("one", "two", "in ops")
		r.send("lobby", "mine")
		onChat[*wire.Pub](p)
		p.Close()
		event[LinkDown](r)

		p, _, second := r.movesTo(siteB)
		event[LinkUp](r)
		wantMoved(t, onChat[*wire.Join](p), []wire.Grown{logs(1, 1<<36-1)}, nil)
		wantMoved(t, onChat[*wire.Join](p), nil, ids("in ops"))
		b := &row{number: 1}
		p.say(b.moved("lobby"))
		p.say(b.all("three", "one")...) // which the node had not when the room was opened
		p.say(&wire.Mark{Room: 1, Seq: 1, Heads: []wire.Grown{logs(2, 3), logs(1, 1)}})
		event[Opened](r)
		r.shows("three")
		elapse(0) // what came behind it is read, too
		p.Close()
		event[LinkDown](r)

		p, _, _ = r.movesTo(siteC)
		if up := event[LinkUp](r); !up.Moved {
			t.Errorf("the link is %+v", up)
		}
		wantMoved(t, onChat[*wire.Join](p), []wire.Grown{logs(1, 1), logs(2, 3)}, ids("one", "two"))
		wantMoved(t, onChat[*wire.Join](p), nil, ids("in ops"))
		if as := onChat[*wire.Pub](p).Opts.As; !bytes.Equal(as.Origin, originName(first.Origin)) || as.CSeq != 1 {
			t.Errorf("offered as %+v; the second origin is %x", as, second.Origin)
		}
		c := &row{number: 7}
		p.say(c.moved("lobby"))
		event[Opened](r)
		p.Close()
		event[LinkDown](r)

		p, _, _ = r.movesTo(siteA)
		event[LinkUp](r)
		wantMoved(t, onChat[*wire.Join](p), []wire.Grown{logs(1, 1), logs(2, 3)}, ids("one", "two"))
		want := &wire.Cursor{Epoch: siteA.epoch, Seq: 1, Hash: ops.hash}
		if diff := cmp.Diff(want, onChat[*wire.Join](p).Cursor); diff != "" {
			t.Errorf("the cursor of a room that was opened nowhere else (-want +got):\n%s", diff)
		}
		p.say(a.moved("lobby"), ops.open("ops"))
		event[Opened](r)
		if e := event[WentOn](r); e.From != "node a" || e.To != "node a" {
			t.Errorf("went on: %+v, want from where it was told last", e)
		}
	})
}

// TestMovesWithoutAPlace: a room without rows has none that were seen, and a place without a trail is one that another node can't know.
func TestMovesWithoutAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Rooms = []string{"empty", "quiet"} })
		defer r.end()
		p, _ := r.at(siteA, 0)
		onChat[*wire.Join](p)
		onChat[*wire.Join](p)
		quiet := &row{number: 2, seq: 50}
		p.say((&row{number: 1}).open("empty"), quiet.open("quiet"))
		event[LinkUp](r)
		event[Opened](r)
		event[Opened](r)
		p.Close()
		event[LinkDown](r)
		p, _, _ = r.movesTo(siteB)
		event[LinkUp](r)
		event[WentOn](r)
		if j := onChat[*wire.Join](p); j.Cursor != nil || j.Moved != nil || j.Tail != chat.MaxTail {
			t.Errorf("the join of a room without rows is %+v", j)
		}
		if j := onChat[*wire.Join](p); j.Cursor == nil || j.Cursor.Epoch != siteA.epoch || j.Moved != nil {
			t.Errorf("the join of a room of which nothing was shown is %+v", j)
		}
		reset := quiet.open("quiet")
		reset.Status, reset.Why = wire.StatusReset, wire.WhyEpoch
		p.say(reset)
		event[Opened](r)
		if e := event[Reset](r); e.Room != "quiet" || e.Why != WhyEpoch {
			t.Errorf("reset: %+v", e)
		}
	})
}

// TestARoomThatCantBeGoneOnWith begins anew, and is not said to have lost nothing.
func TestARoomThatCantBeGoneOnWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Rooms = []string{"lobby", "ops", "den"} })
		defer r.end()
		p, _ := r.at(siteA, 0)
		event[LinkUp](r)
		for i, name := range []string{"lobby", "ops", "den"} {
			log := &row{number: uint64(i + 1)}
			onChat[*wire.Join](p)
			p.say(log.open(name), log.same("in "+name))
			event[Opened](r)
			r.shows("in " + name)
		}
		p.Close()
		event[LinkDown](r)
		p, _, _ = r.movesTo(siteB)
		event[LinkUp](r)
		reset := (&row{number: 1}).open("lobby")
		reset.Status, reset.Why = wire.StatusReset, wire.WhyEpoch
		p.say(reset, (&row{number: 2}).open("ops"), &wire.Open{Status: wire.StatusDenied, Name: "den", Code: chat.Denied})
		for range 2 { // one that opens as if the log were the same is not believed
			event[Opened](r)
			if e := event[Reset](r); e.Why != WhyEpoch {
				t.Errorf("reset: %+v", e)
			}
		}
		event[Denied](r)
		if e := event[WentOn](r); e.Anew != 3 {
			t.Errorf("went on: %+v, want 3 rooms that begin anew", e)
		}
		p.say(&wire.Event{Room: 1, Seq: 1, ID: textID("in lobby"), Kind: chat.Text, Body: []byte("in lobby")})
		r.shows("in lobby") // what was shown of another log counts for nothing
	})
}

// TestAnotherSpace: a node that the user has named is begun anew with; so is the same node with another log, which was put back to an earlier state.
func TestAnotherSpace(t *testing.T) {
	for name, other := range map[string]site{
		"another":      {siteB.id, siteB.epoch, strings.Repeat("x", spaceLen)},
		"none":         {siteB.id, siteB.epoch, ""},
		"no space":     {siteB.id, siteB.epoch, testSpace + "!"},
		"the same one": {siteA.id, siteA.epoch + 1, testSpace},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, func(c *Config) { c.Rooms = []string{"lobby"} })
				defer r.end()
				p, _ := r.at(siteA, 0)
				onChat[*wire.Join](p)
				log := &row{number: 3}
				p.say(log.open("lobby"), log.same("one"))
				r.send("lobby", "mine")
				onChat[*wire.Pub](p)
				event[LinkUp](r)
				event[Opened](r)
				r.shows("one")
				p.Close()
				event[LinkDown](r)
				p, _, _ = r.movesTo(other)
				if e := event[Reset](r); e.Why != WhyEpoch {
					t.Errorf("reset: %+v", e)
				}
				if up := event[LinkUp](r); up.Moved || up.Resumed {
					t.Errorf("the link is %+v", up)
				}
				if j := onChat[*wire.Join](p); j.Cursor != nil || j.Moved != nil {
					t.Errorf("the join is %+v", j)
				}
				if pub := onChat[*wire.Pub](p); pub.Opts.As != nil {
					t.Errorf("the publish is %+v", pub)
				}
			})
		})
	}
}

// TestOlderNodesAreAsBefore: where there is no space nothing of what was shown is kept for other nodes.
func TestOlderNodesAreAsBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Rooms = []string{"lobby"} })
		defer r.end()
		p := r.accept(nil)
		onChat[*wire.Join](p)
		log := &row{number: 3}
		p.say(log.open("lobby"), log.same("one"), &wire.Mark{Room: 3, Seq: 1, Heads: []wire.Grown{logs(1, 1)}})
		event[LinkUp](r)
		event[Opened](r)
		r.shows("one")
		elapse(time.Second)
		if !r.rooms.find("lobby").trail.isEmpty() {
			t.Error("there is a trail")
		}
	})
}

// TestMovedActsAndSeals: an act is signed, and a text sealed, for the place that it goes to; the row that an act is done to is none there.
func TestMovedActsAndSeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bob := newSomeone(t, "bob", 2)
		r := start(t, nil)
		defer r.end()
		p, first := r.at(siteA, 0)
		event[LinkUp](r)
		for _, d := range []Draft{
			{Room: "lobby", Kind: chat.Act, Text: "readonly"}, {Room: "@" + bob.id.String(), Kind: chat.Text, Text: "psst"},
			{Room: "lobby", Kind: chat.Act, Text: "redact 0123456789abcdef", Row: 7, Ref: "gone"}, {Room: "lobby", Kind: chat.Text, Text: "last"},
		} {
			if _, err := r.Send(r.ctx, d); err != nil {
				t.Fatal(err)
			}
		}
		onControl[*wire.Whois](p)
		p.tell(&wire.WhoisIs{Person: wire.Person{ID: bob.id[:], Name: "bob"}, Card: bob.Card()})
		if pub := onChat[*wire.Pub](p); !signed(pub, siteA.id, siteA.epoch, 5+siteA.epoch) {
			t.Errorf("%+v is not signed", pub)
		}
		wantSealed(t, onChat[*wire.Pub](p), bob, "psst")
		if pub := onChat[*wire.Pub](p); pub.Opts.Row != 7 {
			t.Errorf("the act on a row is %+v", pub)
		}
		p.Close()
		event[LinkDown](r)
		p, _, _ = r.movesTo(siteB)
		event[LinkUp](r)
		event[WentOn](r)
		act, sealed, skip, last := onChat[*wire.Pub](p), onChat[*wire.Pub](p), onChat[*wire.Pub](p), onChat[*wire.Pub](p)
		if !signed(act, siteB.id, siteB.epoch, 5+siteB.epoch) || act.Opts.As == nil {
			t.Errorf("%+v is not signed for the other node", act)
		}
		wantSealed(t, sealed, bob, "psst")
		if sealed.Opts.As == nil || sealed.Opts.As.CSeq != 2 || !bytes.Equal(sealed.Opts.As.Origin, originName(first.Origin)) {
			t.Errorf("the sealed text is offered as %+v", sealed.Opts.As)
		}
		if skip.Kind != chat.Skip || last.CSeq != 4 || last.Opts.As.CSeq != 4 {
			t.Errorf("then come %+v and %+v, want a skip and the text", skip, last)
		}
		p.say(&wire.Ack{CSeq: 1, Seq: 1}, &wire.Ack{CSeq: 2, Seq: 1}, &wire.Ack{CSeq: 3}, &wire.Ack{CSeq: 4, Seq: 2})
		event[Ack](r)
		event[Ack](r)
		if e := event[Refused](r); e.Ref != "gone" || e.Code != chat.Internal {
			t.Errorf("refused: %+v", e)
		}
		event[Ack](r)
	})
}

// TestHostileMoves: what no honest node says ends the link or is passed over, and covers nothing that was not shown.
func TestHostileMoves(t *testing.T) {
	for name, r := range map[string]*wire.Mark{
		"another room": {Room: 8, Seq: 1, Heads: []wire.Grown{logs(1, 1)}},
		"to come":      {Room: 3, Seq: 3, Heads: []wire.Grown{logs(1, 1)}},
		"endless":      {Room: 3, Seq: ^uint64(0), Heads: []wire.Grown{logs(1, 1)}},
	} {
		t.Run("a mark of "+name, func(t *testing.T) {
			hostile(t, func(t *testing.T, r2 *rig, p *peer) {
				p.say(r)
				elapse(0) // it is read
				p.Close()
				event[LinkDown](r2)
				p, _, _ = r2.movesTo(siteC)
				event[LinkUp](r2)
				wantMoved(t, onChat[*wire.Join](p), nil, ids("one", "two"))
			})
		})
	}
	wide := make([][2]uint64, wire.MaxSeen+1)
	for i := range wide {
		wide[i] = [2]uint64{uint64(2*i) + 5, uint64(2*i) + 5}
	}
	for name, seen := range map[string][][2]uint64{
		"descending": {{9, 10}, {7, 8}}, "twice": {{5, 6}, {6, 7}}, "backwards": {{9, 8}}, "before": {{2, 3}}, "of nothing": {{0, 0}}, "endless": {{5, ^uint64(0)}}, "too many": wide,
	} {
		t.Run("rows "+name, func(t *testing.T) {
			hostile(t, func(t *testing.T, r *rig, p *peer) {
				p.Close()
				event[LinkDown](r)
				p, _, _ = r.movesTo(siteB)
				event[LinkUp](r)
				p.say((&row{number: 3, seq: 4}).moved("lobby", seen...))
				if e := event[LinkDown](r); !errors.Is(e.Err, wire.ErrMalformed) {
					t.Errorf("the link ends: %v", e.Err)
				}
			})
		})
	}
	t.Run("without end, told little by little", func(t *testing.T) {
		hostile(t, func(t *testing.T, r *rig, p *peer) {
			log := &row{number: 3}
			log.all("one", "two")
			for n := range uint64(4) {
				ranges := make([][2]uint64, wire.MaxSeen)
				for i := range ranges {
					row := 3 + 2*(n*wire.MaxSeen+uint64(i))
					ranges[i] = [2]uint64{row, row}
				}
				p.say(log.moved("lobby", ranges...))
			}
			event[Passed](r)
			event[Passed](r)
			if e := event[LinkDown](r); !errors.Is(e.Err, wire.ErrMalformed) {
				t.Errorf("the link ends: %v", e.Err)
			}
		})
	})
	t.Run("of another place", func(t *testing.T) { // which is an Open like any other, and tells of nothing that was seen
		hostile(t, func(t *testing.T, r *rig, p *peer) {
			log := &row{number: 3}
			log.all("one")
			p.say(log.moved("lobby", [2]uint64{3, 99}))
			log.all("two")
			p.say(log.all("three")...)
			event[Opened](r)
			r.shows("three")
		})
	})
}

// hostile runs a client that was shown two rows of the lobby at the first node.
func hostile(t *testing.T, then func(*testing.T, *rig, *peer)) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Rooms = []string{"lobby"} })
		defer r.end()
		p, _ := r.at(siteA, 0)
		onChat[*wire.Join](p)
		log := &row{number: 3}
		p.say(log.open("lobby"))
		p.say(log.all("one", "two")...)
		event[LinkUp](r)
		event[Opened](r)
		r.shows("one", "two")
		then(t, r, p)
	})
}

// TestMovesAcrossProcesses: what was shown, and what was not answered, moves as well when the client that goes to the other node is the next one, and when one
// ends in the middle of what another node had shown.
func TestMovesAcrossProcesses(t *testing.T) {
	dir := t.TempDir()
	life := func(then func(*testing.T, *rig)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			s, with := withState(t, dir, "lobby")
			r := start(t, func(c *Config) {
				with(c)
				c.Rand = &counter{n: byte(counters.Add(7))} // not those of the State
			})
			then(t, r)
			r.end()
			wantSame(t, s, reopened(t, s, dir))
		})
	}
	var first *wire.Hello
	life(func(t *testing.T, r *rig) {
		var p *peer
		p, first = r.at(siteA, 0)
		onChat[*wire.Join](p)
		log := &row{number: 3}
		p.say(log.open("lobby"), log.same("one"), log.same("two"))
		p.say(&wire.Mark{Room: 3, Seq: 1, Heads: []wire.Grown{logs(1, 5)}})
		p.say(log.all("three", "four")...)
		r.Shown(event[LinkUp](r))
		r.opens(wire.StatusOK)
		r.shows("one", "two", "three")
		event[Message](r) // and not shown
		r.send("lobby", "mine")
		onChat[*wire.Pub](p)
	})
	b := &row{number: 9}
	life(func(t *testing.T, r *rig) {
		p, _, second := r.movesTo(siteB)
		if bytes.Equal(second.Origin, first.Origin) {
			t.Error("the origin is the first one still")
		}
		if up := event[LinkUp](r); !up.Moved || !up.Resumed {
			t.Errorf("the link is %+v", up)
		}
		wantMoved(t, onChat[*wire.Join](p), []wire.Grown{logs(1, 5)}, ids("two", "three"))
		wantAs(t, onChat[*wire.Pub](p), first)
		b.all("three", "one")
		p.say(b.moved("lobby", [2]uint64{5, 5}))
		p.say(b.same("four"))
		r.opens(wire.StatusMoved)
		if e := event[WentOn](r); e.From != "node a" {
			t.Errorf("went on: %+v", e)
		}
		r.shows("four")
		p.say(b.moved("lobby", [2]uint64{6, 6}))
		r.Shown(event[Passed](r))
	})
	life(func(t *testing.T, r *rig) {
		p, _ := r.at(siteB, 0)
		if up := event[LinkUp](r); up.Moved || !up.Resumed {
			t.Errorf("the link is %+v", up)
		}
		if j := onChat[*wire.Join](p); j.Cursor == nil || *j.Cursor != (wire.Cursor{Epoch: siteB.epoch, Seq: 3, Hash: b.hash}) {
			t.Errorf("the join is %+v", j)
		}
		wantAs(t, onChat[*wire.Pub](p), first)
		p.say(b.open("lobby"))
		p.say(b.all("two", "shown long ago", "and this", "five")...)
		r.opens(wire.StatusOK)
		r.shows("five")
		p.say(&wire.Ack{CSeq: 1, Seq: 4, ID: textID("two")})
		event[Ack](r)
		r.none()
	})
	life(func(t *testing.T, r *rig) {
		p, _, _ := r.movesTo(siteA)
		event[LinkUp](r)
		if diff := cmp.Diff([]wire.As{{Origin: originName(first.Origin), CSeq: 1}}, onChat[*wire.Join](p).Moved.Pairs); diff != "" {
			t.Errorf("what was offered to both (-want +got):\n%s", diff)
		}
		a := &row{number: 4}
		p.say(a.moved("lobby"), a.same("six"))
		r.opens(wire.StatusMoved)
		event[WentOn](r)
		r.shows("six")
	})
}

// reopened closes a state and opens its file again.
func reopened(t *testing.T, s *State, dir string) *State {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	again := openState(t, dir)
	t.Cleanup(func() { _ = again.Close() })
	return again
}

func wantAs(t *testing.T, p *wire.Pub, first *wire.Hello) {
	t.Helper()
	if diff := cmp.Diff(&wire.As{Origin: originName(first.Origin), CSeq: 1}, p.Opts.As); diff != "" {
		t.Errorf("offered as (-want +got):\n%s", diff)
	}
}
