package hub

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// causal asks for the whole causal list of a room, page by page.
func (c *client) causal(room string) (events []*wire.Event, digest []byte) {
	c.t.Helper()
	for q := (wire.Causal{Room: room}); ; {
		is, ok := c.ask(&q).(*wire.CausalIs)
		if !ok {
			c.t.Fatalf("asked for %+v: %+v", q, c.ask(&q))
		}
		events = append(events, eventsOf(c.t, is.Events)...)
		if q.After, digest = is.Next, is.Digest; len(q.After) == 0 {
			if is.Total != uint64(len(events)) {
				c.t.Errorf("there are %d rows, and %d are told", len(events), is.Total)
			}
			return events, digest
		}
	}
}

func eventsOf(t testing.TB, raws []wire.Raw) (events []*wire.Event) {
	t.Helper()
	for _, raw := range raws {
		e, err := wire.DecodeEvent(raw)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// merged writes events as they are the same everywhere: id, when it was written, and text.
func merged(events []*wire.Event) (list []string) {
	for _, e := range events {
		list = append(list, fmt.Sprintf("%v %d %s", e.ID, e.Opts.At, e.Body))
	}
	return list
}

// TestCausal: two nodes that have the same tell the same list, whatever order it came in, and what one author said stands in its order.
func TestCausal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		dice := rand.New(rand.NewPCG(3, 7))
		a, b := shared(t), shared(t)
		bob, carol := a.attach("bob", "lobby"), b.attach("carol", "lobby")
		for i := range 300 {
			switch dice.IntN(5) {
			case 0, 1:
				bob.say("lobby", fmt.Sprint("a", i, strings.Repeat(" x", dice.IntN(800))))
			case 2, 3:
				carol.say("lobby", fmt.Sprint("b", i, strings.Repeat(" x", dice.IntN(800))))
			case 4:
				carry(a, b)
				if dice.IntN(2) == 0 {
					carry(b, a)
				}
				elapse(presenceEvery)
			}
		}
		carry(a, b)
		carry(b, a)
		here, digest := bob.causal("lobby")
		there, other := carol.causal("lobby")
		if diff := cmp.Diff(merged(here), merged(there)); diff != "" || len(here) < 150 || !bytes.Equal(digest, other) || len(digest) != 8 {
			t.Errorf("%d rows, digests %x and %x; the lists differ (-one +other):\n%s", len(here), digest, other, diff)
		}
		if slices.IsSortedFunc(here, func(x, y *wire.Event) int { return int(x.Seq) - int(y.Seq) }) {
			t.Error("the list is in the node's own order: the test is of no use")
		}
		last := map[uint64]uint64{}
		for _, e := range here {
			if e.CSeq <= last[e.From] {
				t.Errorf("%d of %d stands behind %d", e.CSeq, e.From, last[e.From])
			}
			last[e.From] = e.CSeq
		}
		end := eventsOf(t, bob.ask(&wire.Causal{Room: "lobby", Last: true}).(*wire.CausalIs).Events)
		if diff := cmp.Diff(merged(here[len(here)-len(end):]), merged(end)); diff != "" || len(end) < 20 || len(end) == len(here) {
			t.Errorf("the last %d rows (-want +got):\n%s", len(end), diff)
		}
		before := here[len(here)-1].Seq
		bob.say("lobby", "one more")
		if after, more := bob.causal("lobby"); bytes.Equal(more, digest) || after[len(after)-1].Seq <= before {
			t.Error("one row more, and the digest is the same")
		}
	})
}

// TestCausalOfALoneNode: where nobody else ever wrote, the room's own order is the causal one.
func TestCausalOfALoneNode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		bob := w.attach("bob", "lobby")
		bob.fill("lobby", 0, 200, 700)
		events, _ := bob.causal("lobby")
		for i, e := range events {
			if e.Seq != uint64(i+1) || e.Opts.At != e.Time {
				t.Fatalf("event %d is row %d, of %d, written at %d", i, e.Seq, e.Time, e.Opts.At)
			}
		}
		end := eventsOf(t, bob.ask(&wire.Causal{Room: "lobby", Last: true}).(*wire.CausalIs).Events)
		if n := len(end); len(events) != 200 || n < 20 || n == 200 || end[n-1].Seq != 200 || end[0].Seq != uint64(201-n) {
			t.Errorf("%d events, and the last are %d to %d", len(events), end[0].Seq, end[n-1].Seq)
		}
	})
}

// TestCausalRights: it is read by whoever reads the room, from where they do, and whatever else is asked for does no harm.
func TestCausalRights(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := shared(t)
		owner, guest := w.signer("owner").come("den", "lobby"), w.signer("guest").come()
		owner.say("den", "psst")
		owner.wants(owner.act("den", "private"), chat.OK)
		wantFailed(t, guest.ask(&wire.Causal{Room: "den"}), chat.NotMember)
		owner.wants(owner.act("den", "invite %v", guest.key), chat.OK)
		owner.say("den", "welcome")
		events, _ := guest.causal("den")
		if got := bodies(events); !slices.Equal(got, []string{"invite " + guest.key.String(), "welcome"}) {
			t.Errorf("a member reads %q", got)
		}
		if n := len(eventsOf(t, guest.ask(&wire.Causal{Room: "den", Last: true}).(*wire.CausalIs).Events)); n != 2 {
			t.Errorf("the last of what a member reads are %d", n)
		}
		owner.say("@guest", "hello")
		if events, _ := guest.causal("@owner"); len(events) != 1 {
			t.Errorf("of the conversation: %q", bodies(events))
		}
		wantFailed(t, guest.ask(&wire.Causal{Room: chat.Reports}), chat.NotMember)
		wantFailed(t, guest.ask(&wire.Causal{Room: "nowhere"}), chat.NoSuchRoom)
		wantFailed(t, guest.ask(&wire.Causal{Room: "@nobody"}), chat.NoSuchUser)
		for _, after := range [][]byte{{1}, make([]byte, 39), make([]byte, 41), bytes.Repeat([]byte{255}, 40)} {
			wantFailed(t, owner.ask(&wire.Causal{Room: "den", After: after}), chat.Malformed)
		}
		if is := owner.ask(&wire.Causal{Room: "den", After: (&causalPlace{lamport: 1 << 62}).encode()}).(*wire.CausalIs); len(is.Events)+len(is.Next) > 0 {
			t.Errorf("behind the end: %+v", is)
		}
		if is := owner.ask(&wire.Causal{Room: "lobby"}).(*wire.CausalIs); len(is.Events) > 0 || is.Total != 0 {
			t.Errorf("of an empty room: %+v", is)
		}
	})
}

func bodies(events []*wire.Event) (texts []string) {
	for _, e := range events {
		texts = append(texts, string(e.Body))
	}
	return texts
}

// TestOfferedToTwoNodes: what a client offers again to another node is one message, whichever way it gets there first.
func TestOfferedToTwoNodes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := shared(t), shared(t)
		alice := a.attach("alice", "lobby")
		carol := b.attach("carol", "lobby")
		carol.say("lobby", "hello")
		carry(b, a)
		alice.say("lobby", "one")
		carry(a, b)
		alice.say("lobby", "two") // does not get over any more
		name := wire.OriginName([16]byte(alice.origin))
		moved := b.newClient("moved")
		moved.key, moved.asked = alice.key, "alice"
		moved.attach()
		again := func(text string, cseq uint64) *wire.Pub {
			p := moved.pub("lobby", text)
			p.Opts.As = &wire.As{Origin: name[:], CSeq: cseq}
			return p
		}
		moved.do(again("one", 1), again("two", 2), again("three", 3), again("two", 2))
		one, two, three := carol.view("lobby").rows[1], carol.view("lobby").rows[2], carol.view("lobby").rows[3]
		var got []string
		for _, r := range moved.answers {
			ack := r.(*wire.Ack)
			got = append(got, fmt.Sprint(ack.CSeq, "=", ack.Seq, " ", ack.ID))
		}
		want := []string{fmt.Sprint("1=2 ", one.ID), fmt.Sprint("2=3 ", two.ID), fmt.Sprint("3=4 ", three.ID), fmt.Sprint("4=3 ", two.ID)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
		thief := b.attach("thief", "lobby") // the pair is the key's, not whose who knows it
		p := thief.pub("lobby", "mine")
		p.Opts.As = &wire.As{Origin: name[:], CSeq: 3}
		thief.do(p)
		carry(a, b)
		carry(b, a)
		wantTexts(t, carol, "lobby", "hello", "one", "two", "three", "mine")
		if diff := cmp.Diff([]string{"hello", "one", "two", "three", "mine"}, bodies(a.rows("lobby"))); diff != "" {
			t.Errorf("the other node has (-want +got):\n%s", diff)
		}
		for name, as := range map[string]*wire.As{
			"no number": {Origin: name[:]}, "a number beyond all": {Origin: name[:], CSeq: 1 << 60}, "half a name": {Origin: name[:8], CSeq: 1}, "nothing": {},
		} {
			p := moved.pub("lobby", "bad "+name)
			p.Opts.As = as
			if code, _ := moved.gets(p); code != chat.Malformed {
				t.Errorf("%s: %v", name, code)
			}
		}
	})
}

// TestVia: of somebody who only ever wrote elsewhere whois tells the node that says so, also after a restart.
func TestVia(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := shared(t), shared(t)
		bob := a.attach("bob", "lobby")
		carol := b.attach("carol", "lobby")
		bob.say("lobby", "hello")
		carry(a, b)
		node := a.hub.cfg.Key.ID()
		via := func(c *client) string { return c.ask(&wire.Whois{Who: "bob"}).(*wire.WhoisIs).Via }
		if got := via(carol); got != node.String() {
			t.Errorf("bob is told to be of %q, want %v", got, node)
		}
		if err := b.hub.SavePeer(store.Peer{Node: node, Key: [32]byte(a.hub.cfg.Key.Public()), Title: "west"}); err != nil {
			t.Fatal(err)
		}
		if got := via(carol); got != "west ("+node.String()+")" {
			t.Errorf("bob is told to be of %q", got)
		}
		if is := carol.ask(&wire.Whois{Who: "carol"}).(*wire.WhoisIs); is.Via != "" {
			t.Errorf("carol is told to be of %q", is.Via)
		}
		key := b.hub.cfg.Key
		b = restarted(b, func(c *Config) { c.Key = key })
		carol = b.attach("carol")
		if got := via(carol); got != "west ("+node.String()+")" {
			t.Errorf("after a restart bob is told to be of %q", got)
		}
		here := b.attach("bob")
		if got := via(carol); got != "" || here.welcome.Name != "bob" {
			t.Errorf("bob is here, called %q, and told to be of %q", here.welcome.Name, got)
		}
	})
}

// TestNodeInvites: only admins invite nodes, and such an invitation is of no use to people, nor one for people to a node.
func TestNodeInvites(t *testing.T) {
	for name, options := range map[string][]func(*Config){"open": nil, "invite only": {closed}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, options...)
				boss := w.boss()
				ask := &wire.Invite{Node: true, Uses: 1, ForMS: 60_000}
				forNode := boss.ask(ask).(*wire.InviteIs)
				forBob := boss.ask(&wire.Invite{Uses: 1, ForMS: 60_000}).(*wire.InviteIs)
				wantFailed(t, boss.ask(&wire.Invite{Node: true, Room: "lobby", Uses: 1, ForMS: 60_000}), chat.BadRoom)
				wantRefused(t, w.invited("bob", forNode.Token), chat.BadInvite)
				bob := w.invited("bob2", forBob.Token)
				if w.hub.NodeInvite(forBob.Token) {
					t.Error("a node comes in by an invitation for people")
				}
				bob.attach()
				wantFailed(t, bob.ask(ask), chat.Denied)
				if !w.hub.NodeInvite(forNode.Token) || w.hub.NodeInvite(forNode.Token) {
					t.Error("an invitation for one node is good for none, or for two")
				}
			})
		})
	}
}

// TestCausalOfCopies: of what a client offered to two nodes the copy that stands first is told, as itself, on whichever node that has no row; and what
// was taken away of it, or is hidden because a log forks, nobody is told.
func TestCausalOfCopies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		peers := newPeers(t, 2)
		a, b := peers[0], peers[1]
		a.admitAll(peers)
		b.admitAll(peers)
		alice := a.signer("alice").come("lobby")
		carol := b.attach("carol", "lobby")
		moved := b.signer("alice")
		moved.origin[0]++
		moved.come("lobby")
		name := wire.OriginName([16]byte(alice.origin))
		carol.say("lobby", "before")
		alice.say("lobby", "before")
		alice.say("lobby", "before")
		alice.say("lobby", "before")
		other := newPeer(t, 1, &slowStore{Memory: b.store.Clone()}) // that is put back to now, and says something else
		for i := range 6 {
			alice.say("lobby", fmt.Sprint("said ", i))
			p := moved.pub("lobby", fmt.Sprint("said ", i))
			p.Opts.As = &wire.As{Origin: name[:], CSeq: uint64(i + 4)}
			moved.do(p)
			if i%2 == 0 {
				carol.say("lobby", fmt.Sprint("between ", i))
			}
		}
		exchange(peers...)
		same := func(what string, rows int) []*wire.Event {
			here := eventsOf(t, alice.ask(&wire.Causal{Room: "lobby"}).(*wire.CausalIs).Events)
			there := eventsOf(t, carol.ask(&wire.Causal{Room: "lobby"}).(*wire.CausalIs).Events)
			if diff := cmp.Diff(merged(here), merged(there)); diff != "" || len(here) != rows {
				t.Errorf("%s, %d instead of %d (-here +there):\n%s", what, len(here), rows, diff)
			}
			if got := map[uint64]bool{}; slices.ContainsFunc(here, func(e *wire.Event) bool { again := got[e.Seq]; got[e.Seq] = true; return again }) {
				t.Errorf("%s, a row is told twice: %q", what, bodies(here))
			}
			return here
		}
		if list := same("as they came", 13); !slices.ContainsFunc(list, func(e *wire.Event) bool {
			return !slices.ContainsFunc(a.rows("lobby"), func(row *wire.Event) bool { return row.ID == e.ID })
		}) {
			t.Errorf("no copy stands first, and the test is of no use: %q", bodies(list))
		}
		for _, e := range a.rows("lobby")[3:6] {
			alice.wants(alice.redact("lobby", e), chat.OK)
		}
		exchange(peers...)
		for _, e := range same("some of it taken away", 16) {
			if text := string(e.Body); text == "said 0" || text == "said 1" || text == "said 2" {
				t.Errorf("what was taken away is told: %q", text)
			}
		}
		other.attach("dave", "lobby").say("lobby", "another history")
		head := headOfNode(t, b, b)
		got, err := a.hub.Offer(other.source(true), head.Log, 2, entriesOf(t, other, head)[1:])
		if err != nil || got.Fork == nil {
			t.Fatalf("Offer = %+v, %v", got, err)
		}
		if isNew, err := b.hub.Prove(got.Fork); err != nil || !isNew {
			t.Fatalf("Prove = %v, %v", isNew, err)
		}
		for _, w := range peers {
			w.settle()
		}
		for _, e := range same("the log of one hidden", 13) {
			if strings.HasPrefix(string(e.Body), "there") || strings.HasPrefix(string(e.Body), "between") || e.Opts.Forked {
				t.Errorf("what is hidden is told: %q, %v", e.Body, e.Opts.Forked)
			}
		}
	})
}
