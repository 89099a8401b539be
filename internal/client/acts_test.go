package client

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// signed reports whether an act is signed for the place it goes to.
func signed(p *wire.Pub, node identity.ID, epoch, from uint64) bool {
	act := identity.SignedAct{Node: node, Epoch: epoch, From: from, CSeq: p.CSeq, Room: chat.SignedRoom(p.Room), Body: p.Body}
	return act.SignedBy(testKey().ID(), p.Opts.Sig)
}

// TestActsAreSigned for the origin and the number that they go out under: again after a lost link, and anew when the node has become another.
func TestActsAreSigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		if _, err := r.Send(r.ctx, Draft{Room: "lobby", Kind: chat.Act, Text: "readonly", Ref: "a"}); err != nil {
			t.Fatal(err)
		}
		p := r.accept(func(w *wire.Welcome) { w.From = 5 })
		event[LinkUp](r)
		first := onChat[*wire.Pub](p)
		if first.Kind != chat.Act || string(first.Body) != "readonly" || !signed(first, nodeID, testEpoch, 5) {
			t.Errorf("%+v is not signed", first)
		}
		p.cut(func() int { return 0 })
		event[LinkDown](r)
		p = r.accept(func(w *wire.Welcome) { w.From = 5 })
		event[LinkUp](r)
		if again := onChat[*wire.Pub](p); !cmp.Equal(first, again) {
			t.Errorf("the same act goes out as %+v, before as %+v", again, first)
		}
		r.send("lobby", "hello")
		if text := onChat[*wire.Pub](p); text.Opts.Sig != nil {
			t.Error("a text is signed")
		}
		p.cut(func() int { return 0 })
		event[LinkDown](r)
		other := identity.ID{7}
		r.accept(func(w *wire.Welcome) { w.Node, w.Epoch = other[:], testEpoch+1 })
		event[Reset](r)
		p = r.accept(func(w *wire.Welcome) { w.Node, w.Epoch, w.From = other[:], testEpoch+1, 9 })
		event[LinkUp](r)
		if anew := onChat[*wire.Pub](p); !signed(anew, other, testEpoch+1, 9) {
			t.Errorf("for another node %+v is not signed", anew)
		}
	})
}

// TestActsRefusedHere: what no node would take is not sent.
func TestActsRefusedHere(t *testing.T) {
	c := New(Config{Name: "carol", Key: testKey(), Dial: (&rig{}).dial})
	for _, text := range []string{"", "nap", "slow", "kick", "readonly ", "welcome a\nb", strings.Repeat("x", 1<<20)} {
		var refused *RefusedError
		if _, err := c.Send(t.Context(), Draft{Room: "lobby", Kind: chat.Act, Text: text}); !errors.As(err, &refused) || refused.Code != chat.BadAct {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if _, err := c.Send(t.Context(), Draft{Room: "lobby", Kind: chat.Act, Text: "readonly", Re: chat.ID{1}}); err == nil {
		t.Error("an act that answers something is sent")
	}
}

// TestTerms: a room's terms are there when it opens and when they change, and end with the room.
func TestTerms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) { c.Rooms = []string{"lobby"} })
		defer r.end()
		p := r.accept(nil)
		event[LinkUp](r)
		onChat[*wire.Join](p)
		lobby := &row{number: 1}
		open := lobby.open("lobby")
		open.Terms = wire.Terms{Role: chat.RoleModerator, ReadOnly: true, SlowMS: 30_000, Welcome: "hi", Pins: []chat.ID{{1}}, Muted: true, Until: 90_000}
		p.say(open)
		want := Terms{Role: chat.RoleModerator, Muted: true, Until: time.UnixMilli(90_000), Rules: Rules{ReadOnly: true, Slow: 30 * time.Second, Welcome: "hi", Pins: []chat.ID{{1}}}}
		if diff := cmp.Diff(want, event[Opened](r).Terms); diff != "" {
			t.Errorf("terms (-want +got):\n%s", diff)
		}
		p.say(&wire.TermsAre{Room: 1, Terms: wire.Terms{Muted: true, Archived: true, SlowMS: 1 << 63, Pins: make([]chat.ID, 100)}})
		want = Terms{Muted: true, Rules: Rules{Archived: true, Slow: chat.MaxSlow, Pins: make([]chat.ID, chat.MaxPins)}}
		if diff := cmp.Diff(Standing{Room: "lobby", Terms: want}, event[Standing](r)); diff != "" {
			t.Errorf("standing (-want +got):\n%s", diff)
		}
		if state, _ := r.Room("lobby"); !cmp.Equal(state.Terms, want) {
			t.Errorf("state %+v", state.Terms)
		}
		kick := lobby.next("kick " + testKey().ID().String())
		kick.Kind = chat.Act
		if err := r.Part("lobby"); err != nil { // crosses the end of the room
			t.Fatal(err)
		}
		onChat[*wire.Part](p)
		p.say(kick, &wire.Closed{Room: 1, Name: "lobby", Code: chat.Kicked}, &wire.Closed{Name: "lobby", Code: chat.NotJoined})
		if m := event[Message](r); m.Kind != chat.Act {
			t.Errorf("message %+v", m)
		}
		if closed := event[ClosedRoom](r); closed.Code != chat.Kicked {
			t.Errorf("closed %+v", closed)
		}
		if left := event[Left](r); left.Code != chat.NotJoined {
			t.Errorf("left %+v", left)
		}
		p.say(&wire.TermsAre{Room: 1}) // of a room that is not open
		event[LinkDown](r)
	})
}

// TestBanned asks page by page, and goes on for as long as the node has something new.
func TestBanned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		id := func(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }
		ban := func(n byte, until int64) wire.Ban {
			return wire.Ban{Who: wire.Person{ID: id(n), Name: "bob"}, By: wire.Person{ID: id(9)}, Since: 5, Until: until, Text: "spam"}
		}
		got := asked(func() ([]Ban, error) { return r.Banned(r.ctx, "lobby") })
		if ask := onControl[*wire.Banned](p); ask.Room != "lobby" || len(ask.After) > 0 {
			t.Errorf("the node is asked %+v", ask)
		}
		p.tell(&wire.BannedAre{Bans: []wire.Ban{ban(1, 0), ban(2, 90_000)}, More: true})
		if ask := onControl[*wire.Banned](p); !bytes.Equal(ask.After, id(2)) {
			t.Errorf("the node is asked for what follows %x", ask.After)
		}
		p.tell(&wire.BannedAre{Bans: []wire.Ban{ban(2, 90_000)}, More: true}) // nothing new: it would never end
		bans, err := got()
		if err != nil || len(bans) != 3 || !bans[0].Until.IsZero() || !bans[1].Until.Equal(time.UnixMilli(90_000)) || bans[0].Who.Name != "bob" || bans[0].By.ID != identity.ID(id(9)) ||
			bans[0].Text != "spam" {
			t.Errorf("bans %+v, %v", bans, err)
		}
		got = asked(func() ([]Ban, error) { return r.Banned(r.ctx, "lobby") })
		onControl[*wire.Banned](p)
		p.tell(&wire.BannedAre{Bans: []wire.Ban{{Who: wire.Person{ID: []byte{1}}}}})
		if _, err := got(); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("a short key: %v", err)
		}
	})
}
