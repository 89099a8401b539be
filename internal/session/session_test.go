package session

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/hub"
	"chatnode/internal/identity"
	"chatnode/internal/seal"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// Whoever can't be let in is told why, and the handshake ends when they close.
func TestHandshakeRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*wire.Hello)
		want   chat.Code
	}{
		"version":      {func(h *wire.Hello) { h.Version++ }, chat.BadVersion},
		"no origin":    {func(h *wire.Hello) { h.Origin = nil }, chat.BadOrigin},
		"long origin":  {func(h *wire.Hello) { h.Origin = make([]byte, 17) }, chat.BadOrigin},
		"proof":        {func(h *wire.Hello) { h.Proof[0]++ }, chat.BadProof},
		"no proof":     {func(h *wire.Hello) { h.Proof = nil }, chat.BadProof},
		"other origin": {func(h *wire.Hello) { h.Origin[0]++ }, chat.BadProof},
		"no key":       {func(h *wire.Hello) { h.Key = nil }, chat.BadProof},
		"low key":      {func(h *wire.Hello) { h.Key, h.Proof = make([]byte, 32), make([]byte, 64) }, chat.BadProof},
		"name":         {func(h *wire.Hello) { h.Name = "car\x1bol" }, chat.BadName},
		"reserved":     {func(h *wire.Hello) { h.Name = "Server" }, chat.BadName},
	} {
		t.Run(name, func(t *testing.T) {
			g := arrive(t, newHost(t))
			g.hello("carol", test.change)
			if bye := expect[*wire.Bye](g, g.fromControl); bye.Code != test.want {
				t.Errorf("the goodbye says %v, want %v", bye.Code, test.want)
			}
			g.link.Close()
			var refusal *hub.Refusal
			if err := <-g.ended; !errors.As(err, &refusal) || refusal.Code != test.want {
				t.Errorf("the handshake ends with %v, want a refusal for %v", err, test.want)
			}
		})
	}
}

// What is no hello is malformed.
func TestHandshakeWithoutHello(t *testing.T) {
	for name, bytes := range map[string][]byte{
		"another record": wire.Must(nil, &wire.List{}),
		"garbage":        {0, 0, 0, 3, 'a', 'b', 'c'},
		"giant":          {0xff, 0xff, 0xff, 0xff},
		"empty":          {0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			g := arrive(t, newHost(t))
			expect[*wire.Challenge](g, g.fromControl)
			if _, err := g.control.Write(bytes); err != nil {
				t.Fatal(err)
			}
			if bye := expect[*wire.Bye](g, g.fromControl); bye.Code != chat.Malformed {
				t.Errorf("the goodbye says %v, want malformed", bye.Code)
			}
			g.link.Close()
			<-g.ended
		})
	}
}

// A card that the key itself has not signed is passed on to nobody, and its client not let in.
func TestCards(t *testing.T) {
	if wire.CardLen != seal.CardLen || store.SealLen != seal.CardLen {
		t.Errorf("a card has %d bytes, on the wire %d, in the store %d", seal.CardLen, wire.CardLen, store.SealLen)
	}
	eve, err := identity.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		spoil func(card []byte) []byte
		good  bool
	}{
		"its own":        {func(card []byte) []byte { return card }, true},
		"none":           {func([]byte) []byte { return nil }, true},
		"another's":      {func([]byte) []byte { return seal.NewSelf(eve).Card() }, false},
		"a byte changed": {func(card []byte) []byte { card[40] ^= 1; return card }, false},
		"half":           {func(card []byte) []byte { return card[:64] }, false},
		"twice":          {func(card []byte) []byte { return append(card, card...) }, false},
		"huge":           {func([]byte) []byte { return make([]byte, 60<<10) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := arrive(t, newHost(t))
			g.hello("carol", func(h *wire.Hello) { h.Card = test.spoil(seal.NewSelf(g.key).Card()) })
			if test.good {
				expect[*wire.Welcome](g, g.fromControl)
			} else if bye := expect[*wire.Bye](g, g.fromControl); bye.Code != chat.BadProof {
				t.Errorf("the goodbye says %v, want bad_proof", bye.Code)
			}
			g.link.Close()
			<-g.ended
		})
	}
}

// A client that breaks the rules gets all that was on its way, then the reason.
func TestMalformedRecordEndsTheSession(t *testing.T) {
	for name, test := range map[string]struct {
		onControl bool
		bytes     []byte
	}{
		"garbage on chat":        {false, []byte{0, 0, 0, 3, 'a', 'b', 'c'}},
		"question on chat":       {false, wire.Must(nil, &wire.List{})},
		"second hello on chat":   {false, wire.Must(nil, &wire.Hello{})},
		"event on chat":          {false, wire.Must(nil, &wire.Event{})},
		"publish on control":     {true, wire.Must(nil, &wire.Pub{CSeq: 1})},
		"giant on control":       {true, []byte{0, 2, 0, 0}},
		"second hello, control":  {true, wire.Must(nil, &wire.Hello{})},
		"answer without request": {true, wire.Must(nil, &wire.NamesAre{})},
	} {
		t.Run(name, func(t *testing.T) {
			g := arrive(t, newHost(t))
			g.enter("carol")
			g.say(g.chat, &wire.Pub{CSeq: 1, Room: "lobby", Kind: chat.Text, Body: []byte("kept")})
			expect[*wire.Ack](g, g.fromChat)
			stream := g.chat
			if test.onControl {
				stream = g.control
			}
			if _, err := stream.Write(test.bytes); err != nil {
				t.Fatal(err)
			}
			if bye := expect[*wire.Bye](g, g.fromControl); bye.Code != chat.Malformed {
				t.Errorf("the goodbye says %v, want malformed", bye.Code)
			}
			g.link.Close()
			if err := <-g.ended; !errors.Is(err, wire.ErrMalformed) && !errors.Is(err, wire.ErrTooLarge) {
				t.Errorf("the session ends with %v, want what was wrong", err)
			}
		})
	}
}

// Types that this node does not know are passed over on both streams.
func TestUnknownTypesArePassedOver(t *testing.T) {
	g := arrive(t, newHost(t))
	g.enter("carol")
	unknown := []byte{0, 0, 0, 4, 0x82, 0x18, 0xc8, 0x01}
	for _, stream := range []end{g.control, g.chat} {
		if _, err := stream.Write(unknown); err != nil {
			t.Fatal(err)
		}
	}
	g.say(g.control, &wire.List{})
	expect[*wire.ListIs](g, g.fromControl)
	g.say(g.chat, &wire.Join{Room: "lobby"})
	expect[*wire.Open](g, g.fromChat)

	// What has come along with one does not wait for what comes behind it.
	pub := wire.Must(nil, &wire.Pub{CSeq: 1, Room: "ops", Kind: chat.Text, Body: []byte("hello")})
	if _, err := g.chat.Write(append(pub, unknown...)); err != nil {
		t.Fatal(err)
	}
	expect[*wire.Ack](g, g.fromChat)
}

// Questions are answered in their order, while the chat stream takes nothing.
func TestQuestionsDoNotWaitForChat(t *testing.T) {
	h := newHost(t)
	g := arrive(t, h)
	g.link.chat.out.window, g.link.chat.out.grows = 0, false
	g.enter("carol")
	g.say(g.chat, &wire.Join{Room: "lobby"}, &wire.Pub{CSeq: 1, Room: "lobby", Kind: chat.Text, Body: []byte("hello")})
	for {
		g.say(g.control, &wire.List{})
		if rooms := expect[*wire.ListIs](g, g.fromControl).Rooms; len(rooms) == 1 && rooms[0].Head == 1 {
			break // the publish has been sequenced, and its answer can't go out
		}
	}
	g.say(g.control, &wire.Names{Room: "lobby"}, &wire.Whois{Who: "carol"}, &wire.Whois{Who: "nobody"}, &wire.Authors{From: []uint64{1, 99}})
	if names := expect[*wire.NamesAre](g, g.fromControl); names.Total != 1 {
		t.Errorf("%d people, want carol alone", names.Total)
	}
	expect[*wire.WhoisIs](g, g.fromControl)
	if failed := expect[*wire.Failed](g, g.fromControl); failed.Code != chat.NoSuchUser {
		t.Errorf("whois nobody: %v", failed.Code)
	}
	if authors := expect[*wire.AuthorsAre](g, g.fromControl); len(authors.Authors) != 1 {
		t.Errorf("authors %+v, want the first alone", authors.Authors)
	}
	// A window too small for any record changes nothing; one that is large enough brings it all.
	g.link.chat.out.grant(3)
	g.say(g.control, &wire.List{})
	expect[*wire.ListIs](g, g.fromControl)
	g.link.chat.out.grant(1 << 16)
	got := fmt.Sprintf("%T %T %T", next1(g), next1(g), next1(g))
	for _, want := range []string{"*wire.Open", "*wire.Event", "*wire.Ack"} {
		if !strings.Contains(got, want) {
			t.Errorf("chat brings %s, want a %s", got, want)
		}
	}
}

func next1(g *guest) wire.Record {
	g.t.Helper()
	return expect[wire.Record](g, g.fromChat)
}

// A client that says goodbye has given up its origin: the same one begins anew.
func TestGoodbyeRetiresTheOrigin(t *testing.T) {
	for _, polite := range []bool{true, false} {
		h := newHost(t)
		g := arrive(t, h)
		g.enter("carol")
		g.say(g.chat, &wire.Pub{CSeq: 1, Room: "lobby", Kind: chat.Text, Body: []byte("hello")})
		expect[*wire.Ack](g, g.fromChat)
		if polite {
			g.say(g.control, &wire.Bye{Code: chat.OK})
		} else {
			g.link.Close()
		}
		if err := <-g.ended; err != nil {
			t.Errorf("polite %v: the session ends with %v", polite, err)
		}
		again := arrive(t, h)
		again.key, again.origin = g.key, g.origin
		want := uint64(1)
		if polite {
			want = 0
		}
		if w := again.enter("carol"); w.LastCSeq != want {
			t.Errorf("polite %v: the origin comes back with last cseq %d, want %d", polite, w.LastCSeq, want)
		}
	}
}

// A node that stops says so behind everything that was on its way.
func TestStopSaysGoodbyeLast(t *testing.T) {
	h := newHost(t)
	g := arrive(t, h)
	g.enter("carol")
	g.say(g.chat, &wire.Join{Room: "lobby"})
	expect[*wire.Open](g, g.fromChat)
	for n := range uint64(50) {
		g.say(g.chat, &wire.Pub{CSeq: n + 1, Room: "lobby", Kind: chat.Text, Body: []byte(strings.Repeat("x", 4000))})
	}
	for range 100 {
		next1(g) // an event and an ack for each
	}
	if err := h.Hub.Stop(); err != nil {
		t.Fatal(err)
	}
	if bye := expect[*wire.Bye](g, g.fromControl); bye.Code != chat.Stopping || bye.RetryAfterMS == 0 {
		t.Errorf("the goodbye is %+v, want stopping with a time to come back", bye)
	}
	g.link.Close()
	if err := <-g.ended; err != nil {
		t.Errorf("the session ends with %v", err)
	}
}

// Writes shrink for a client that takes them slowly, and grow again.
func TestPace(t *testing.T) {
	w := &writer{size: maxWrite}
	for _, step := range []struct {
		n    int
		took time.Duration
		want int
	}{
		{maxWrite, time.Millisecond, maxWrite},
		{maxWrite, 2 * time.Second, maxWrite / 2},
		{maxWrite / 2, 2 * time.Second, maxWrite / 4},
		{maxWrite / 4, 500 * time.Millisecond, maxWrite / 4},
		{100, time.Microsecond, maxWrite / 4},
		{maxWrite / 4, time.Millisecond, maxWrite / 2},
	} {
		if w.pace(step.n, step.took); w.size != step.want {
			t.Errorf("%d bytes in %v: the next write is %d, want %d", step.n, step.took, w.size, step.want)
		}
	}
	for range 10 {
		w.pace(w.size, time.Minute)
	}
	if w.size != minWrite {
		t.Errorf("the smallest write is %d, want %d", w.size, minWrite)
	}
}

// A client that publishes and then breaks the rules, all in one write, is told what became of the publish first.
func TestMalformedBehindAPublish(t *testing.T) {
	for range 20 {
		g := arrive(t, newHost(t))
		g.enter("carol")
		bytes := wire.Must(nil, &wire.Pub{CSeq: 1, Room: "lobby", Kind: chat.Text, Body: []byte("kept")})
		if _, err := g.chat.Write(append(bytes, 0, 0, 0, 3, 'a', 'b', 'c')); err != nil {
			t.Fatal(err)
		}
		if bye := expect[*wire.Bye](g, g.fromControl); bye.Code != chat.Malformed {
			t.Errorf("the goodbye says %v, want malformed", bye.Code)
		}
		g.link.Close() // nothing is written behind the goodbye
		expect[*wire.Ack](g, g.fromChat)
		<-g.ended
	}
}

// A goodbye does not wait for what the client takes no bytes of.
func TestGoodbyeWithoutWindow(t *testing.T) {
	g := arrive(t, newHost(t))
	g.link.chat.out.window, g.link.chat.out.grows = 0, false
	g.enter("carol")
	g.say(g.chat, &wire.Join{Room: "lobby"}, &wire.Pub{CSeq: 1, Room: "lobby", Kind: chat.Text, Body: []byte("hello")})
	if _, err := g.control.Write([]byte{0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if bye := expect[*wire.Bye](g, g.fromControl); bye.Code != chat.Malformed {
		t.Errorf("the goodbye says %v, want malformed", bye.Code)
	}
	g.link.Close()
	<-g.ended
}

// A question of a type that this node does not know is answered: whoever asked waits. An answer is no question, and neither is a type far away.
func TestUnknownQuestions(t *testing.T) {
	g := arrive(t, newHost(t))
	g.enter("carol")
	for _, kind := range []byte{62, 100, 126} {
		if _, err := g.control.Write([]byte{0, 0, 0, 4, 0x82, 0x18, kind, 0x01}); err != nil {
			t.Fatal(err)
		}
		if failed := expect[*wire.Failed](g, g.fromControl); failed.Code != chat.Unsupported {
			t.Errorf("type %d: %v, want unsupported", kind, failed.Code)
		}
	}
	for _, kind := range []byte{63, 160, 200} {
		if _, err := g.control.Write([]byte{0, 0, 0, 4, 0x82, 0x18, kind, 0x01}); err != nil {
			t.Fatal(err)
		}
	}
	g.say(g.control, &wire.List{})
	expect[*wire.ListIs](g, g.fromControl)
}

// Whoever is away says so on control, and an answer that only a node gives is a breach there.
func TestAwayIsAsked(t *testing.T) {
	g := arrive(t, newHost(t))
	g.enter("carol")
	g.say(g.control, &wire.Away{Away: true, Text: "lunch"}, &wire.Whois{Who: "carol"}, &wire.Away{}, &wire.Whois{Who: "carol"})
	if is := expect[*wire.AwayIs](g, g.fromControl); !is.Away || is.Text != "lunch" || is.Since == 0 {
		t.Errorf("gone away: %+v", is)
	}
	if is := expect[*wire.WhoisIs](g, g.fromControl); is.Away != "lunch" || is.AwaySince == 0 {
		t.Errorf("whois of who is away: %+v", is)
	}
	if is := expect[*wire.AwayIs](g, g.fromControl); is.Away || is.Text != "" || is.Since != 0 {
		t.Errorf("come back: %+v", is)
	}
	if is := expect[*wire.WhoisIs](g, g.fromControl); is.Away != "" || is.AwaySince != 0 {
		t.Errorf("whois of who is back: %+v", is)
	}
	g.say(g.control, &wire.AwayIs{Away: true})
	if bye := expect[*wire.Bye](g, g.fromControl); bye.Code != chat.Malformed {
		t.Errorf("the goodbye says %v, want malformed", bye.Code)
	}
	g.link.Close()
	<-g.ended
}

// Questions for the log are answered in their order, however many come at once.
func TestThousandQuestionsAtOnce(t *testing.T) {
	h := newHost(t)
	g := arrive(t, h)
	g.enter("carol")
	for n := range uint64(40) {
		g.say(g.chat, &wire.Pub{CSeq: n + 1, Room: "lobby", Kind: chat.Text, Body: []byte("word " + strings.Repeat("x", 2000))})
		expect[*wire.Ack](g, g.fromChat)
	}
	g.say(g.control,
		&wire.History{Room: "lobby", N: 1 << 63}, &wire.Search{Words: "word", N: 1 << 63}, &wire.Keep{Room: "lobby", Mode: 255},
		&wire.History{Room: strings.Repeat("@", 60_000), N: 1}, &wire.Search{Words: strings.Repeat("x ", 30_000), N: 1}, &wire.Search{Words: "word", Room: "\x00", N: 1})
	if page := expect[*wire.HistoryIs](g, g.fromControl); len(page.Events) == 0 || len(page.Events) >= 40 || !page.More {
		t.Errorf("a page of %d rows, more %v", len(page.Events), page.More)
	}
	if found := expect[*wire.SearchIs](g, g.fromControl); len(found.Events) == 0 || len(found.Events) >= 40 || found.Next == 0 {
		t.Errorf("%d hits, next %d", len(found.Events), found.Next)
	}
	for _, want := range []chat.Code{chat.Unsupported, chat.NoSuchUser, chat.BadQuery, chat.NoSuchRoom} {
		if failed := expect[*wire.Failed](g, g.fromControl); failed.Code != want {
			t.Errorf("failed with %v, want %v", failed.Code, want)
		}
	}
	// The burst that is left is 200 less those above; beyond it the client is read more slowly, and nothing is lost.
	var all []byte
	for n := range uint64(1000) {
		all = wire.Must(all, &wire.History{Room: "lobby", Before: n + 1, N: 1})
	}
	if _, err := g.control.Write(all); err != nil {
		t.Fatal(err)
	}
	for n := range uint64(30) {
		page := expect[*wire.HistoryIs](g, g.fromControl)
		if want := min(n, 1); uint64(len(page.Events)) != want {
			t.Fatalf("before %d: %d rows, want %d", n+1, len(page.Events), want)
		}
	}
	// Others are served meanwhile.
	other := arrive(t, h)
	other.enter("bob")
	other.say(other.control, &wire.List{})
	expect[*wire.ListIs](other, other.fromControl)
}

func TestCost(t *testing.T) {
	for record, want := range map[wire.Record]int{&wire.List{}: 1, &wire.Keep{}: 1, &wire.History{}: diskQuestion, &wire.Search{}: diskQuestion} {
		if got := cost(record); got != want {
			t.Errorf("%T costs %d, want %d", record, got, want)
		}
	}
}

// A client that asks much at once and goes leaves nothing behind that waits for it.
func TestGoneAmidQuestions(t *testing.T) {
	h := newHost(t)
	var all []byte
	for range 100 {
		all = wire.Must(all, &wire.List{})
	}
	for i := range 50 {
		g := arrive(t, h)
		g.enter(fmt.Sprint("carol", i))
		if _, err := g.control.Write(all); err != nil {
			t.Fatal(err)
		}
		expect[*wire.ListIs](g, g.fromControl)
		g.link.Close()
		<-g.ended
	}
}
