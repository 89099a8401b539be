package hub

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// brief writes answers shortly: "ack 1=3" for publish 1 kept as row 3, "refused 2 empty", "nack 3 hole".
func brief(answers []wire.Record) (out []string) {
	for _, r := range answers {
		switch r := r.(type) {
		case *wire.Ack:
			out = append(out, fmt.Sprintf("ack %d=%d", r.CSeq, r.Seq))
		case *wire.Refused:
			out = append(out, fmt.Sprintf("refused %d %v", r.CSeq, r.Code))
		case *wire.Nack:
			out = append(out, fmt.Sprintf("nack %d %v", r.Expected, r.Code))
		}
	}
	return out
}

func wantAnswers(t *testing.T, c *client, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, brief(c.answers)); diff != "" {
		t.Errorf("answers to %s (-want +got):\n%s", c.asked, diff)
	}
	c.answers = nil
}

func wantTexts(t *testing.T, c *client, room string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, c.texts(room)); diff != "" {
		t.Errorf("what %s saw in %s (-want +got):\n%s", c.asked, room, diff)
	}
}

func pub(cseq uint64, text string) *wire.Pub {
	return &wire.Pub{CSeq: cseq, Room: "lobby", Kind: chat.Text, Body: []byte(text)}
}

func TestPublishExactlyOnce(t *testing.T) {
	tests := map[string]struct {
		pubs []*wire.Pub
		want []string
		rows []string
	}{
		"in turn":                   {[]*wire.Pub{pub(1, "a"), pub(2, "b")}, []string{"ack 1=1", "ack 2=2"}, []string{"a", "b"}},
		"again in one batch":        {[]*wire.Pub{pub(1, "a"), pub(1, "a")}, []string{"ack 1=1", "ack 1=1"}, []string{"a"}},
		"again with another text":   {[]*wire.Pub{pub(1, "a"), pub(1, "x")}, []string{"ack 1=1", "ack 1=1"}, []string{"a"}},
		"again and refused":         {[]*wire.Pub{pub(1, ""), pub(1, "")}, []string{"refused 1 empty", "refused 1 empty"}, nil},
		"a refusal uses it up":      {[]*wire.Pub{pub(1, ""), pub(2, "b")}, []string{"refused 1 empty", "ack 2=1"}, []string{"b"}},
		"number 0 is no publish":    {[]*wire.Pub{pub(0, "z"), pub(1, "a")}, []string{"ack 1=1"}, []string{"a"}},
		"a hole":                    {[]*wire.Pub{pub(1, "a"), pub(3, "c"), pub(4, "d"), pub(5, "e")}, []string{"ack 1=1", "nack 2 hole"}, []string{"a"}},
		"a hole that is filled":     {[]*wire.Pub{pub(2, "b"), pub(3, "c"), pub(1, "a"), pub(2, "b"), pub(3, "c")}, []string{"nack 1 hole", "ack 1=1", "ack 2=2", "ack 3=3"}, []string{"a", "b", "c"}},
		"a hole, filled, and again": {[]*wire.Pub{pub(2, "b"), pub(1, "a"), pub(3, "c"), pub(2, "b"), pub(4, "d")}, []string{"nack 1 hole", "ack 1=1", "nack 2 hole", "ack 2=2", "nack 3 hole"}, []string{"a", "b"}},
		"a hole and an old one":     {[]*wire.Pub{pub(1, "a"), pub(3, "c"), pub(1, "a"), pub(3, "c")}, []string{"ack 1=1", "nack 2 hole", "ack 1=1"}, []string{"a"}},
		"a draft called back":       {[]*wire.Pub{pub(1, "a"), {CSeq: 2, Room: "lobby", Kind: chat.Skip}, pub(3, "c")}, []string{"ack 1=1", "ack 2=0", "ack 3=2"}, []string{"a", "c"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				alice, bob := w.attach("alice"), w.attach("bob", "lobby")
				for _, p := range tt.pubs {
					alice.submit(p)
				}
				w.settle()
				wantAnswers(t, alice, tt.want...)
				wantTexts(t, bob, "lobby", tt.rows...)
			})
		})
		t.Run(name+", one by one", func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				alice, bob := w.attach("alice"), w.attach("bob", "lobby")
				for _, p := range tt.pubs {
					alice.do(p)
				}
				wantAnswers(t, alice, tt.want...)
				wantTexts(t, bob, "lobby", tt.rows...)
			})
		})
	}
}

func TestPublishIsRefused(t *testing.T) {
	long := strings.Repeat("x", chat.MaxText+1)
	tests := map[string]struct {
		pub  wire.Pub
		want chat.Code
	}{
		"too long":             {wire.Pub{Room: "lobby", Kind: chat.Text, Body: []byte(long)}, chat.TooLong},
		"too many lines":       {wire.Pub{Room: "lobby", Kind: chat.Text, Body: []byte("x" + strings.Repeat("\n", chat.MaxLines))}, chat.TooLong},
		"topic too long":       {wire.Pub{Room: "lobby", Kind: chat.Topic, Body: []byte(long[:chat.MaxTopic+1])}, chat.TooLong},
		"not UTF-8":            {wire.Pub{Room: "lobby", Kind: chat.Text, Body: []byte{0xff}}, chat.BadText},
		"empty":                {wire.Pub{Room: "lobby", Kind: chat.Text}, chat.Empty},
		"blank action":         {wire.Pub{Room: "lobby", Kind: chat.Action, Body: []byte(" \n")}, chat.Empty},
		"empty once cleaned":   {wire.Pub{Room: "lobby", Kind: chat.Text, Body: []byte("\x1b\u202e")}, chat.Empty},
		"kind 0":               {wire.Pub{Room: "lobby", Body: []byte("x")}, chat.BadKind},
		"kind to come":         {wire.Pub{Room: "lobby", Kind: 77, Body: []byte("x")}, chat.BadKind},
		"no room":              {wire.Pub{Kind: chat.Text, Body: []byte("x")}, chat.BadRoom},
		"room in capitals":     {wire.Pub{Room: "Lobby", Kind: chat.Text, Body: []byte("x")}, chat.BadRoom},
		"nobody of that name":  {wire.Pub{Room: "@nobody", Kind: chat.Text, Body: []byte("x")}, chat.NoSuchUser},
		"nobody at all":        {wire.Pub{Room: "@", Kind: chat.Text, Body: []byte("x")}, chat.NoSuchUser},
		"a key never seen":     {wire.Pub{Room: "@" + keyOf("nobody").String(), Kind: chat.Text, Body: []byte("x")}, chat.NoSuchUser},
		"answers half a thing": {wire.Pub{Room: "lobby", Kind: chat.Text, Body: []byte("x"), Opts: wire.Opts{Re: []byte{1}}}, chat.Malformed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				alice := w.attach("alice")
				tt.pub.CSeq = 1
				alice.do(&tt.pub)
				wantAnswers(t, alice, fmt.Sprint("refused 1 ", tt.want))
				if len(w.hub.rooms) != 0 {
					t.Errorf("rooms were made for what was refused: %v", w.hub.rooms)
				}
				alice.leave(false)
				alice.attach()
				if got := alice.welcome.Outcomes; len(got) != 1 || got[0].Code != tt.want {
					t.Errorf("outcomes in the welcome = %v, want the refusal", got)
				}
			})
		})
	}
}

// TestNewRoomsAreLimited makes more rooms than a key may, by publishing and by joining.
func TestNewRoomsAreLimited(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.Rate = 1000 })
		alice := w.attach("alice")
		for i := range roomsBurst {
			alice.do(alice.pub(fmt.Sprint("room", i), fmt.Sprint(i)))
		}
		alice.answers = nil
		alice.do(alice.pub("onemore", "x"), &wire.Join{Room: "another"}, alice.pub("room0", "y"))
		wantAnswers(t, alice, "refused 11 room_rate", "ack 12=2")
		if open := alice.replies[0].(*wire.Open); open.Status != wire.StatusDenied || open.Code != chat.RoomRate || open.Room != 0 {
			t.Errorf("Join was answered with %v, want denied, room_rate", open)
		}
		elapse(roomsEach)
		alice.do(alice.pub("onemore", "z"))
		wantAnswers(t, alice, "ack 13=1")
	})
}

// TestOutcomesOutliveTheConnection loses answers of every sort, and finds them in the welcome.
func TestOutcomesOutliveTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice")
		alice.stuck = true
		alice.do(alice.pub("lobby", "one"), alice.pub("lobby", ""), alice.pub("lobby", "three"))
		alice.leave(false)
		g := alice.guest()
		g.FirstUnacked = 2
		if err := alice.tryAttach(g); err != nil {
			t.Fatal(err)
		}
		row := w.rows("lobby")[1]
		want := []wire.Outcome{{CSeq: 2, Code: chat.Empty}, {CSeq: 3, Seq: 2, ID: row.ID, Time: row.Time}}
		if diff := cmp.Diff(want, alice.welcome.Outcomes); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if alice.welcome.LastCSeq != 3 {
			t.Errorf("last_cseq = %d, want 3", alice.welcome.LastCSeq)
		}
		alice.stuck = false
		alice.do(pub(3, "three"), pub(4, "four"))
		wantAnswers(t, alice, "ack 3=2", "ack 4=3")
	})
}

// TestOnlyTheLastOutcomesAreRemembered repeats a publish whose outcome is forgotten: it is not kept again.
func TestOnlyTheLastOutcomesAreRemembered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice")
		const n = 5*chat.MaxInFlight + 7
		for i := range n {
			alice.do(alice.pub("lobby", fmt.Sprint(i)))
		}
		alice.answers = nil
		alice.do(pub(1, "0"), pub(n-chat.MaxInFlight, "x"), pub(n-chat.MaxInFlight+1, "y"), pub(n, "z"))
		wantAnswers(t, alice, "ack 1=0", fmt.Sprintf("ack %d=0", n-chat.MaxInFlight), fmt.Sprintf("ack %d=%[1]d", n-chat.MaxInFlight+1), fmt.Sprintf("ack %d=%[1]d", n))
		alice.leave(false)
		alice.attach()
		if got := alice.welcome.Outcomes; len(got) != chat.MaxInFlight || got[0].CSeq != n-chat.MaxInFlight+1 {
			t.Errorf("%d outcomes are remembered, the first of %d", len(got), got[0].CSeq)
		}
		if len(w.rows("lobby")) != n {
			t.Errorf("%d rows, want %d", len(w.rows("lobby")), n)
		}
	})
}

// TestInFlightIsBounded submits without end what nobody takes the answers of: whatever it is, the reader is held up.
func TestInFlightIsBounded(t *testing.T) {
	tests := map[string]func(c *client, n int) wire.Record{
		"publishes":    func(c *client, n int) wire.Record { return c.pub("lobby", fmt.Sprint(n)) },
		"repeats":      func(*client, int) wire.Record { return pub(1, "again") },
		"bad nicks":    func(*client, int) wire.Record { return &wire.Nick{Name: "!"} },
		"nicks":        func(_ *client, n int) wire.Record { return &wire.Nick{Name: fmt.Sprint("alice", n)} },
		"joins":        func(*client, int) wire.Record { return &wire.Join{Room: "lobby"} },
		"denied joins": func(*client, int) wire.Record { return &wire.Join{Room: "LOBBY"} },
		"parts":        func(*client, int) wire.Record { return &wire.Part{Room: "lobby"} },
		"joins & parts": func(_ *client, n int) wire.Record {
			return []wire.Record{&wire.Join{Room: "lobby"}, &wire.Part{Room: "lobby"}}[n%2]
		},
	}
	for name, next := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				alice, bob := w.attach("alice"), w.attach("bob", "lobby")
				alice.do(alice.pub("lobby", "first"))
				alice.stuck = true
				const n = 5 * chat.MaxInFlight
				done := 0
				ended := alice.ended
				submitted := background(func() {
					for ; done < n; done++ {
						if alice.session.Submit(ended, next(alice, done)) != nil {
							return
						}
					}
				})
				w.settle()
				if done != chat.MaxInFlight {
					t.Errorf("%d records were let in, want %d", done, chat.MaxInFlight)
				}
				bob.say("lobby", "others go on")
				if got := bob.texts("lobby"); got[len(got)-1] != "others go on" {
					t.Errorf("bob's last row is %q", got[len(got)-1])
				}
				alice.stuck = false
				w.settle()
				<-submitted
				w.settle()
				if s := alice.session; s.open != 0 || s.openBytes != 0 || len(s.ready) > 1 {
					t.Errorf("%d records and %d bytes are in flight in the end, %d subscriptions are ready", s.open, s.openBytes, len(s.ready))
				}
			})
		})
	}
}

// background runs f in a goroutine and returns a channel that is closed when it has ended.
func background(f func()) chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return done
}

// TestInFlightIsBoundedInBytes submits large texts.
func TestInFlightIsBoundedInBytes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice")
		alice.stuck = true
		done := 0
		submitted := background(func() {
			for ; done < 50; done++ {
				if alice.session.Submit(alice.ended, pub(uint64(done+1), strings.Repeat("x", chat.MaxText))) != nil {
					return
				}
			}
		})
		w.settle()
		if want := chat.MaxInFlightB / chat.MaxText; done != want {
			t.Errorf("%d publishes were let in, want %d", done, want)
		}
		alice.stopPump() // Submit returns when its done is closed
		<-submitted
	})
}

func TestOriginOfAnotherKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice")
		mallory := w.newClient("mallory")
		mallory.origin = alice.origin
		var refusal *Refusal
		if err := mallory.tryAttach(mallory.guest()); !errors.As(err, &refusal) || refusal.Code != chat.BadOrigin {
			t.Errorf("Attach = %v, want %v", err, chat.BadOrigin)
		}
		alice.say("lobby", "still here")
		wantAnswers(t, alice, "ack 1=1")
	})
}

// TestReplacedSession attaches an origin again: what the older session had queued is dropped, and it is told goodbye.
func TestReplacedSession(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice", "lobby"), w.attach("bob", "lobby")
		alice.say("lobby", "one")
		old := alice.session
		release := w.store.block()
		bob.submit(bob.pub("lobby", "a batch that takes long"))
		synctest.Wait()
		attached := background(func() { alice.attach() }) // queued before what the old session is about to submit
		synctest.Wait()
		if err := old.Submit(alice.ended, pub(2, "from the old one")); err != nil {
			t.Fatal(err)
		}
		release()
		<-attached
		alice.submit(&wire.Join{Room: "lobby", Cursor: alice.cursor("lobby")}, pub(2, "from the new one"))
		w.settle()
		wantTexts(t, bob, "lobby", "one", "a batch that takes long", "from the new one")
		wantTexts(t, alice, "lobby", "one", "a batch that takes long", "from the new one")
		bye := decode(t, old.Goodbye())
		if len(bye) != 1 || bye[0].(*wire.Bye).Code != chat.Replaced {
			t.Errorf("the old session's goodbye is %v, want %v", bye, chat.Replaced)
		}
		if alice.session.Goodbye() != nil {
			t.Error("the new session is told goodbye")
		}
		if err := old.Detach(true); err != nil {
			t.Error(err)
		}
		alice.do(pub(3, "unhurt"))
		wantTexts(t, alice, "lobby", "one", "a batch that takes long", "from the new one", "unhurt")
	})
}

func TestGoodbyeRetiresTheOrigin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice")
		alice.say("lobby", "one")
		from := alice.welcome.From
		alice.leave(true)
		alice.attach()
		if got := alice.welcome; got.LastCSeq != 0 || got.From == from || len(got.Outcomes) != 0 {
			t.Errorf("welcome after a goodbye = %+v, want a new origin", got)
		}
		answer, err := alice.session.Ask(&wire.Authors{From: []uint64{from, alice.welcome.From, 99}})
		if err != nil {
			t.Fatal(err)
		}
		key := alice.key[:]
		want := &wire.AuthorsAre{Authors: []wire.Author{{From: from, ID: key}, {From: alice.welcome.From, ID: key}}}
		if diff := cmp.Diff(want.Authors, answer.(*wire.AuthorsAre).Authors, cmp.Comparer(func(a, b wire.Author) bool { return a.From == b.From && string(a.ID) == string(b.ID) })); diff != "" {
			t.Errorf("authors (-want +got):\n%s", diff)
		}
	})
}

// TestReturnAfterABreak comes back with the same origin and goes on counting.
func TestReturnAfterABreak(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice", "lobby"), w.attach("bob", "lobby")
		alice.say("lobby", "one")
		from := alice.welcome.From
		alice.leave(false)
		bob.say("lobby", "meanwhile")
		elapse(time.Hour)
		alice.attach()
		if alice.welcome.From != from || alice.welcome.LastCSeq != 1 {
			t.Errorf("welcome = %+v, want origin %d at 1", alice.welcome, from)
		}
		alice.submit(&wire.Join{Room: "lobby", Cursor: alice.cursor("lobby")})
		alice.say("lobby", "two")
		wantTexts(t, alice, "lobby", "one", "meanwhile", "two")
		w.checkHistory()
	})
}

// TestReplacedByTheLaterConnection attaches an origin whose hello comes late, over a connection that its client has given up: the session stays that
// came over a later one.
func TestReplacedByTheLaterConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		alice := newWorld(t).attach("alice", "lobby")
		g, began := alice.guest(), time.Now()
		attach := func(after time.Duration) error {
			g.Came = began.Add(after)
			return alice.tryAttach(g)
		}
		if err := attach(2 * time.Second); err != nil {
			t.Fatal(err)
		}
		second := alice.session
		var refusal *Refusal
		if err := attach(time.Second); !errors.As(err, &refusal) || refusal.Code != chat.Replaced {
			t.Errorf("the earlier connection gets %v, want %v", err, chat.Replaced)
		}
		if second.Goodbye() != nil {
			t.Error("the later connection's session is told goodbye")
		}
		if err := attach(2 * time.Second); err != nil || second.Goodbye() == nil {
			t.Errorf("one that came at the same time does not take its place: %v", err)
		}
	})
}

// TestReplacedBeforeTheFirstPublish replaces a session that has published nothing yet: its origin must not be forgotten with it.
func TestReplacedBeforeTheFirstPublish(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice")
		from := alice.welcome.From
		alice.attach()
		alice.say("lobby", "one")
		alice.leave(false)
		alice.attach()
		if got := alice.welcome; got.LastCSeq != 1 || got.From != from {
			t.Errorf("welcome = %+v, want origin %d at 1", got, from)
		}
		alice.do(pub(1, "one"))
		if n := len(w.rows("lobby")); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
		alice.leave(true)
		w.attach("bob").leave(false) // never publishes, and leaves nothing behind
		if n := len(w.hub.origins); n != 0 {
			t.Errorf("%d origins are remembered", n)
		}
	})
}
