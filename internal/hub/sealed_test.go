package hub

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// bring attaches a client that shows a card.
func (c *client) bring(card []byte) {
	c.t.Helper()
	g := c.guest()
	g.Card = card
	if err := c.tryAttach(g); err != nil {
		c.t.Fatalf("attach %s: %v", c.asked, err)
	}
	c.do(&wire.Join{Room: "@"})
}

// TestCards: what a key has shown to be sealed to with is told to whoever writes to it or asks about it, after a restart too; a client that shows
// none takes nothing away.
func TestCards(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		first, second := bytes.Repeat([]byte{1}, wire.CardLen), bytes.Repeat([]byte{2}, wire.CardLen)
		alice, bob := w.attach("alice", "@"), w.newClient("bob")
		whois := func(want []byte) {
			t.Helper()
			if is, ok := alice.ask(&wire.Whois{Who: "bob"}).(*wire.WhoisIs); !ok || !bytes.Equal(is.Card, want) {
				t.Errorf("bob is %+v, want the card %x", is, want[:min(len(want), 2)])
			}
		}
		bob.bring(first)
		whois(first)
		alice.say("@bob", "hi")
		if open := alice.view("@bob").opens[0]; !bytes.Equal(open.Card, first) {
			t.Errorf("alice's conversation opens with the card %x", open.Card)
		}
		if open := bob.view("@alice").opens[0]; len(open.Card) > 0 {
			t.Errorf("alice has shown no card, and bob is told %x", open.Card)
		}
		older := bob.another("older")
		whois(first)
		newer := w.newClient("bob")
		newer.key, newer.origin[0] = bob.key, 0xff
		newer.bring(second)
		whois(second)
		if got := w.stored("bob").Seal; !bytes.Equal(got, second) {
			t.Errorf("the store has the card %x", got)
		}
		older.leave(true)
		w = restarted(w)
		alice = w.attach("alice", "@")
		whois(second)
	})
}

// TestSealedIsForTwo: what is sealed is taken in conversations alone, in its bounds, as it is; and no search finds words in it.
func TestSealedIsForTwo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice", "lobby", "@"), w.attach("bob", "@")
		sealed := func(room string, n int) *wire.Pub {
			p := alice.pub(room, "")
			p.Kind, p.Body = chat.Sealed, bytes.Repeat([]byte("pump\x1b "), n/6+1)[:n]
			return p
		}
		good := sealed("@bob", chat.MinSealed)
		alice.do(good, sealed("lobby", chat.MinSealed), sealed("@bob", chat.MinSealed-1), sealed("@bob", chat.MaxSealed+1), sealed("@bob", chat.MaxSealed), sealed("@bob", 0))
		wantAnswers(t, alice, "ack 1=1", "refused 2 bad_kind", "refused 3 malformed", "refused 4 too_long", "ack 5=2", "refused 6 malformed")
		if rows := bob.view("@alice").rows; len(rows) != 2 || rows[0].Kind != chat.Sealed || !bytes.Equal(rows[0].Body, good.Body) {
			t.Errorf("bob has %d rows", len(rows))
		}
		alice.say("@bob", "the pump")
		for name, ask := range map[string]struct {
			q    wire.Search
			want []uint64
		}{
			"by words":         {wire.Search{Words: "pump", Room: "@alice", N: 10}, []uint64{3}},
			"by name":          {wire.Search{From: "alice", Room: "@alice", N: 10}, []uint64{3, 2, 1}},
			"by both":          {wire.Search{Words: "pump", From: "alice", N: 10}, []uint64{3}},
			"by nothing in it": {wire.Search{Words: "leak", N: 10}, nil},
		} {
			is, ok := bob.ask(&ask.q).(*wire.SearchIs)
			if !ok {
				t.Fatalf("%s: no answer", name)
			}
			var got []uint64
			for _, raw := range is.Events {
				e, err := wire.DecodeEvent(raw)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, e.Seq)
			}
			if diff := cmp.Diff(ask.want, got); diff != "" {
				t.Errorf("%s mismatch (-want +got):\n%s", name, diff)
			}
		}
	})
}
