package hub

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// TestShareExistingRows: rows that were there before a store is shared are given entries behind, with the ids that they have, while people write on.
func TestShareExistingRows(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.Key = peerKey(t, 0) })
		alice, bob := w.signer("alice").come("lobby"), w.signer("bob").come("lobby")
		for i := range 2*shareRows + 3 {
			alice.submit(alice.pub("lobby", fmt.Sprint("old", i)))
			if i%20 == 0 {
				w.settle()
			}
		}
		w.settle()
		bob.say("lobby", "a secret")
		bob.wants(bob.redact("lobby", bob.last("lobby")), chat.OK)
		alice.wants(alice.act("lobby", "op %v", bob.key), chat.OK)
		alice.wants(alice.act("lobby", "private"), chat.OK)
		if err := w.hub.Share(); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			alice.submit(alice.pub("lobby", fmt.Sprint("new", i)))
		}
		w.settle()
		if got := len(w.hub.Heads("lobby", true)); got != 1 {
			t.Fatalf("the lobby has %d logs", got)
		}
		w.checkLogs()
		r := w.hub.rooms["lobby"]
		if r.entered != r.head || len(r.said) > 0 || w.hub.froms != nil {
			t.Errorf("%d of %d rows have entries; %d wait", r.entered, r.head, len(r.said))
		}
		other := newPeer(t, 1, nil)
		other.admit(w)
		exchange(w, other)
		checkEqual(t, w, other)
		want, got := w.rows("lobby"), other.rows("lobby")
		for i, e := range got {
			if e.ID != want[i].ID || !bytes.Equal(e.Body, want[i].Body) || !bytes.Equal(e.Opts.Gone, want[i].Opts.Gone) || e.Name != want[i].Name || e.Opts.Row != want[i].Opts.Row {
				t.Fatalf("row %d is %+v there and %+v here", i+1, e, want[i])
			}
		}
		there := other.hub.rooms["lobby"]
		if !there.Rules.Private || !there.has(bob.key, store.Member) || !there.has(bob.key, store.Moderator) || there.Owner != alice.key {
			t.Errorf("the room there is %+v, %+v", there.Room, there.standings)
		}
	})
}

// TestShareWaits: as long as not all rows of a room have entries, none is taken from others.
func TestShareWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		source := newPeer(t, 1, nil)
		source.attach("bob", "lobby").say("lobby", "there")
		head := source.hub.Heads("lobby", true)[0]
		list := entriesOf(t, source, head)
		w := newWorld(t, func(c *Config) { c.Key = peerKey(t, 0) })
		w.attach("alice", "lobby").say("lobby", "here")
		if got, err := w.hub.Offer(source.source(true), head.Log, 1, list); err != nil || got.Head != 0 || !got.Later {
			t.Errorf("before: %+v, %v", got, err)
		}
		if err := w.hub.Share(); err != nil {
			t.Fatal(err)
		}
		w.settle()
		if got, err := w.hub.Offer(source.source(true), head.Log, 1, list); err != nil || got.Head != 1 {
			t.Errorf("after: %+v, %v", got, err)
		}
	})
}

// TestShareGoesOn: a hub that ended while rows were given entries goes on where it was, and those that were published meanwhile say what they said.
func TestShareGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.Key = peerKey(t, 0) })
		alice := w.attach("alice", "lobby", "other")
		for i := range shareRows + 500 {
			alice.submit(alice.pub("lobby", fmt.Sprint(i)))
			if i%20 == 0 {
				w.settle()
			}
		}
		alice.say("other", "x")
		broken := errors.New("the plug was pulled")
		w.failed = broken
		appends := 0
		w.store.set(func() {
			w.store.watch = func(b *store.Batch) {
				if len(b.Entries) > 0 {
					if appends++; appends == 2 {
						w.store.fail = broken
					}
				}
			}
		})
		if err := w.hub.Share(); err != nil && !errors.Is(err, ErrStopped) {
			t.Fatal(err)
		}
		<-w.hub.done
		w.end()
		w.store.set(func() { w.store.watch, w.store.fail = nil, nil })
		again := newPeer(t, 0, w.store)
		again.settle()
		again.checkLogs()
		for name, rows := range map[string]uint64{"lobby": shareRows + 500, "other": 1} {
			if heads := again.hub.Heads(name, true); len(heads) != 1 || heads[0].Seq != rows {
				t.Errorf("%s has %+v, want %d entries", name, heads, rows)
			}
		}
	})
}

// TestPeersRestart: a hub that begins again with its store knows what it knew.
func TestPeersRestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		peers := newPeers(t, 2)
		alice, bob := peers[0].attach("alice", "lobby"), peers[1].attach("bob", "lobby")
		alice.say("lobby", "one")
		exchange(peers...)
		bob.say("lobby", "two")
		exchange(peers...)
		before := peers[0].hub.Digests(true)
		w := peers[0]
		w.end()
		again := newPeer(t, 0, w.store)
		if diff := cmp.Diff(before, again.hub.Digests(true)); diff != "" {
			t.Errorf("digests mismatch (-before +after):\n%s", diff)
		}
		alice = again.newClient("alice again")
		alice.asked, alice.key = "alice", keyOf("alice")
		alice.attach()
		alice.submit(&wire.Join{Room: "lobby"})
		alice.say("lobby", "three")
		bob.say("lobby", "four")
		exchange(again, peers[1])
		checkEqual(t, again, peers[1])
		again.checkLogs()
		bobs := map[uint64]bool{}
		for _, e := range again.rows("lobby") {
			if e.Name == "bob" {
				bobs[e.From] = true
			}
		}
		if len(bobs) != 1 {
			t.Errorf("bob's origin has the numbers %v", bobs)
		}
	})
}

// TestPeersRetention: what one node does not keep any more is no gap for others: they take what there is, and what depends on the rest counts.
func TestPeersRetention(t *testing.T) {
	bubble(t, func(t *testing.T) {
		small := &slowStore{Memory: store.NewMemory(40 << 10)}
		w, other := newPeer(t, 0, small), newPeer(t, 1, nil)
		alice, bob := w.attach("alice", "lobby"), other.attach("bob", "lobby")
		for i := range 200 {
			alice.say("lobby", fmt.Sprint("alice", i))
			if i < 150 {
				other.pull(w, true)
				bob.say("lobby", fmt.Sprint("bob", i))
				w.pull(other, true)
			}
		}
		low, _ := w.store.Low(1)
		if low < 100 {
			t.Fatalf("everything is kept from row %d on", low)
		}
		late := newPeer(t, 2, nil)
		for late.pull(w, true) {
		}
		for _, head := range w.hub.Heads("lobby", true) {
			if have, ok := late.hub.HeadOf(head.Log.ID(), true); !ok || have.Seq != head.Seq || head.Low < 2 {
				t.Errorf("there is %+v of %+v", have, head)
			}
		}
		late.checkLogs()
		if diff := cmp.Diff(w.hub.Digests(true), late.hub.Digests(true)); diff != "" {
			t.Errorf("digests mismatch (-there +here):\n%s", diff)
		}
		late.attach("carol", "lobby").say("lobby", "and on")
		if !other.pull(late, true) && len(other.rows("lobby")) < 351 {
			t.Error("who has everything can't take what builds on the end of it")
		}
	})
}

// TestPeersLeap: who has the beginning of a log and finds that the middle is not kept anywhere goes on behind it, when it is told that nobody has it.
func TestPeersLeap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		small := &slowStore{Memory: store.NewMemory(40 << 10)}
		w, other := newPeer(t, 0, small), newPeer(t, 1, nil)
		alice := w.attach("alice", "lobby")
		alice.say("lobby", "first")
		other.pull(w, true)
		for i := range 300 {
			alice.say("lobby", fmt.Sprint("alice", i))
		}
		head := w.hub.Heads("lobby", true)[0]
		list, _, err := w.hub.Entries(head.Log.ID(), head.Low, head.Seq, 1<<20, true)
		if err != nil || head.Low < 3 {
			t.Fatalf("%+v, %v", head, err)
		}
		if got, err := other.hub.Offer(w.source(true), head.Log, head.Low, list); err != nil || got.Head != 1 || got.Fault != "" {
			t.Errorf("a gap: %+v, %v", got, err)
		}
		source := w.source(true)
		source.Low = head.Low
		if got, err := other.hub.Offer(source, head.Log, head.Low, list); err != nil || got.Head != head.Seq {
			t.Errorf("a leap: %+v, %v", got, err)
		}
		if have, _ := other.hub.HeadOf(head.Log.ID(), true); have.Low != head.Low || have.Seq != head.Seq {
			t.Errorf("there is %+v", have)
		}
		other.checkLogs()
		alice.say("lobby", "last")
		if !other.pull(w, true) {
			t.Error("it does not go on")
		}
	})
}

// TestPeersRedact: a text that is taken away on one node is on all of them, by who may alone, and whoever learns of it late never gets it.
func TestPeersRedact(t *testing.T) {
	bubble(t, func(t *testing.T) {
		peers := newPeers(t, 3)
		alice := peers[0].signer("alice").come("lobby")
		elapse(time.Second) // so that she is the one who made it
		bob := peers[1].signer("bob").come("lobby")
		for _, w := range peers[1:] {
			w.admit(peers[0])
		}
		alice.say("lobby", "mine")
		exchange(peers[:2]...)
		bob.say("lobby", "a secret")
		exchange(peers[:2]...)
		row := alice.last("lobby")
		alice.wants(alice.redact("lobby", row), chat.OK) // who made the room
		bob.say("lobby", "unaware")
		exchange(peers[:2]...)
		exchange(peers...)
		checkEqual(t, peers...)
		for i, w := range peers {
			for _, e := range w.rows("lobby") {
				if e.ID == row.ID && (len(e.Body) > 0 || len(e.Opts.Gone) != 32) {
					t.Errorf("node %d still has %q", i, e.Body)
				}
			}
			w.checkLogs()
		}
		mallory := peers[2].signer("mallory").come("lobby")
		forged := mallory.act("lobby", "redact %v", alice.view("lobby").rows[0].ID)
		if err := peers[2].hub.call(func() { // her node does as she says
			h := peers[2].hub
			forged.Opts.Row = 1
			h.row(mallory.session, h.rooms["lobby"], forged, forged.Body, chat.ID{}, &wire.EntryOpts{Sig: forged.Opts.Sig})
			mallory.session.origin.Last = forged.CSeq
		}); err != nil {
			t.Fatal(err)
		}
		exchange(peers...)
		if rows := peers[0].rows("lobby"); string(rows[0].Body) != "mine" || rows[len(rows)-1].Kind != chat.Act {
			t.Errorf("what mallory's node let her do: %q", rows[0].Body)
		}
	})
}

// TestPeersDirect: conversations cross between nodes that trust each other, and open for whom they are, wherever they are.
func TestPeersDirect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		peers := newPeers(t, 2)
		alice, bob := peers[0].attach("alice", "lobby"), peers[1].attach("bob", "lobby")
		bob.submit(&wire.Join{Room: "@"})
		alice.submit(&wire.Join{Room: "@"})
		bob.say("lobby", "hello")
		exchange(peers...)
		alice.say("@bob", "psst")
		sealed := alice.pub("@bob", string(bytes.Repeat([]byte{9}, chat.MinSealed)))
		sealed.Kind = chat.Sealed
		alice.do(sealed)
		exchange(peers...)
		checkEqual(t, peers...)
		if texts := bob.texts("@alice"); len(texts) != 2 || texts[0] != "psst" || texts[1] != string(sealed.Body) {
			t.Errorf("bob is told %q", texts)
		}
		bob.say("@alice", "psst yourself")
		exchange(peers...)
		if texts := alice.texts("@bob"); len(texts) != 3 {
			t.Errorf("alice is told %q", texts)
		}
	})
}

// TestPeersGuests: a node that is not admitted gets what a guest would read, and gives nothing else.
func TestPeersGuests(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, guest := newPeer(t, 0, nil), newPeer(t, 1, nil)
		alice, bob := w.signer("alice").come("lobby", "cabal", "was"), w.signer("bob").come("lobby")
		alice.say("lobby", "open")
		alice.say("cabal", "hidden")
		alice.wants(alice.act("cabal", "private"), chat.OK)
		alice.say("was", "before")
		alice.wants(alice.act("was", "private"), chat.OK)
		alice.say("was", "inside")
		alice.wants(alice.act("was", "open"), chat.OK)
		alice.say("was", "after")
		alice.say("@bob", "psst")
		bob.say("reports", "help")
		var names []string
		for _, d := range w.hub.Digests(false) {
			names = append(names, d.Room)
		}
		if diff := cmp.Diff([]string{"lobby", "was"}, names); diff != "" {
			t.Errorf("rooms for guests mismatch (-want +got):\n%s", diff)
		}
		if all := w.hub.Digests(true); len(all) != 5 {
			t.Errorf("%d rooms for who is admitted", len(all))
		}
		for _, d := range w.hub.Digests(true) {
			for _, head := range w.hub.Heads(d.Room, true) {
				first := head.Low
				if d.Room == "was" {
					first = 4
				}
				list, low, err := w.hub.Entries(head.Log.ID(), 1, head.Seq, 1<<20, false)
				may := slices.Contains(names, d.Room)
				if got, ok := w.hub.HeadOf(head.Log.ID(), false); ok != may || ok && (got.Low != first || got.Seq != head.Seq) || err != nil || low > 0 != may || (len(list) > 0) != (may && first == 1) {
					t.Errorf("%s for guests: %+v %v, %d entries from %d, %v", d.Room, got, ok, len(list), low, err)
				}
			}
		}
		for guest.pull(w, false) {
		}
		if texts := guest.rows("was"); len(texts) != 2 || string(texts[1].Body) != "after" {
			t.Errorf("a guest has %+v", texts)
		}
		for _, d := range w.hub.Digests(true) {
			head := w.hub.Heads(d.Room, true)[0]
			head.Log.Node = peerKey(t, 1).Public()
			got, err := w.hub.Offer(guest.source(false), head.Log, 1, []wire.Signed{{}})
			if err != nil || got.Refused == slices.Contains(names, d.Room) {
				t.Errorf("from a guest into %s: %+v, %v", d.Room, got, err)
			}
		}
	})
}

// TestPeersFullDisk: without room nothing is taken, and nobody is at fault.
func TestPeersFullDisk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		source, w := newPeer(t, 1, nil), newPeer(t, 0, nil, func(c *Config) { c.Reserve = 100 })
		source.attach("bob", "lobby").say("lobby", "there")
		w.store.set(func() { w.store.free = func() (int64, error) { return 50, nil } })
		head := source.hub.Heads("lobby", true)[0]
		list := entriesOf(t, source, head)
		if got, err := w.hub.Offer(source.source(true), head.Log, 1, list); err != nil || !got.Later || got.Head != 0 || got.Fault != "" {
			t.Errorf("%+v, %v", got, err)
		}
		w.store.set(func() { w.store.free = nil })
		elapse(2 * time.Second)
		if got, err := w.hub.Offer(source.source(true), head.Log, 1, list); err != nil || got.Head != 1 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// TestPeersOnce: what somebody offers to a second node, not knowing that the first one took it, is one message everywhere.
func TestPeersOnce(t *testing.T) {
	for _, order := range [][]int{{0, 1}, {1, 0}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				peers := newPeers(t, 3)
				first, second := peers[0].attach("alice", "lobby"), peers[1].newClient("alice elsewhere")
				first.say("lobby", "once")
				name := wire.OriginName(first.origin)
				second.asked, second.key = "alice", first.key
				second.attach()
				second.submit(&wire.Join{Room: "lobby"})
				p := second.pub("lobby", "once")
				p.Opts.As = &wire.As{Origin: name[:], CSeq: 1}
				second.do(p)
				peers[2].pull(peers[order[0]], true)
				peers[2].pull(peers[order[1]], true)
				exchange(peers...)
				if diff := cmp.Diff(peers[0].hub.Digests(true), peers[1].hub.Digests(true)); diff != "" {
					t.Errorf("digests mismatch (-0 +1):\n%s", diff)
				}
				want := must(peers[0].store.Causal(1, 0, wire.EntryID{}, 9, false))
				for i, w := range peers {
					if rows := w.rows("lobby"); len(rows) != 1 {
						t.Errorf("node %d has %d rows", i, len(rows))
					}
					if list := must(w.store.Causal(1, 0, wire.EntryID{}, 9, false)); len(list) != 1 || list[0].ID != want[0].ID || !bytes.Equal(list[0].Header, want[0].Header) {
						t.Errorf("node %d has another causal list: %d entries", i, len(list))
					}
					w.checkLogs()
				}
				third := peers[2].newClient("alice at last")
				third.asked, third.key = "alice", first.key
				third.attach()
				p = third.pub("lobby", "once")
				p.Opts.As = &wire.As{Origin: name[:], CSeq: 1}
				third.do(p)
				if ack, ok := third.answers[0].(*wire.Ack); !ok || ack.Seq != 1 || ack.ID != peers[2].rows("lobby")[0].ID || len(peers[2].rows("lobby")) != 1 {
					t.Errorf("a third node answers %+v", third.answers[0])
				}
				thief := peers[2].attach("thief")
				p = thief.pub("lobby", "once")
				p.Opts.As = &wire.As{Origin: name[:], CSeq: 1}
				thief.do(p)
				if rows := peers[2].rows("lobby"); len(rows) != 2 {
					t.Errorf("who takes another's pair uses it up: %d rows", len(rows))
				}
			})
		})
	}
}

// TestPeersOwner: of several who say that they own a room, whose claim is the oldest does, if those who vouch for it are trusted.
func TestPeersOwner(t *testing.T) {
	bubble(t, func(t *testing.T) {
		peers := newPeers(t, 3)
		owner := func(i int) identity.ID { return peers[i].hub.rooms["lobby"].Owner }
		alice := peers[0].attach("alice", "lobby")
		alice.say("lobby", "first")
		elapse(time.Minute)
		bob := peers[1].attach("bob", "lobby")
		bob.say("lobby", "second")
		peers[2].pull(peers[1], true) // has no such room, and takes the word of whom it does not trust
		if owner(2) != bob.key {
			t.Errorf("a new room is %v's", owner(2))
		}
		peers[1].pull(peers[0], true)
		if owner(1) != bob.key {
			t.Errorf("the word of a guest counts: the room is %v's", owner(1))
		}
		peers[2].admit(peers[0])
		peers[2].pull(peers[0], true)
		peers[0].admit(peers[1])
		peers[0].pull(peers[1], true)
		if owner(2) != alice.key || owner(0) != alice.key {
			t.Errorf("the oldest claim: %v and %v", owner(2), owner(0))
		}
	})
}

// TestShareActsOfFormerAdmins: what an admin did before the store was shared is so on other nodes too, though nobody is an admin here now; and what others
// did is theirs.
func TestShareActsOfFormerAdmins(t *testing.T) {
	bubble(t, func(t *testing.T) {
		admin := false
		w := newWorld(t, func(c *Config) { c.Key = peerKey(t, 0) })
		alice, boss := w.signer("alice").come("lobby"), w.signer("former")
		boss.admin = true
		boss.come("lobby")
		bob, carol := w.signer("bob").come("lobby"), w.signer("carol").come("lobby")
		boss.wants(boss.act("lobby", "ban %v 0s", bob.key), chat.OK)
		boss.wants(boss.act("lobby", "op %v", carol.key), chat.OK)
		alice.wants(alice.act("lobby", "welcome hello"), chat.OK)
		w.end()
		w = newPeer(t, 0, w.store, func(c *Config) { c.Admin = func(identity.ID) bool { return admin } })
		other, guest := newPeer(t, 1, nil), newPeer(t, 2, nil)
		other.admit(w)
		exchange(w, other, guest)
		want := w.summary("lobby")
		if diff := cmp.Diff(want, other.summary("lobby")); diff != "" || !slices.Contains(want, fmt.Sprint(store.Banned, " ", bob.key)) {
			t.Errorf("the room there (-here +there):\n%s", diff)
		}
		if got := guest.summary("lobby"); slices.Contains(got, fmt.Sprint(store.Banned, " ", bob.key)) {
			t.Errorf("where the node is not admitted its word on admins counts: %q", got)
		}
		claims := 0
		for _, s := range entriesOf(t, w, w.hub.Heads("lobby", true)[0]) {
			if e, err := wire.DecodeEntry(s.Entry); err != nil || e.Opts.Admin {
				claims++
			}
		}
		if claims != 2 {
			t.Errorf("%d acts are told to be an admin's, want the two", claims)
		}
	})
}

// TestPeersLateToAPrivateRoom: on a node that joins when the act which made a room private is not kept any more, nobody reads the room who is not known to be
// its member, also not whoever made one of that name there, and also not after a restart. A guest's word closes no room, and its private one is not taken.
func TestPeersLateToAPrivateRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		small := &slowStore{Memory: store.NewMemory(40 << 10)}
		w, late, guest := newPeer(t, 0, small), newPeer(t, 1, nil), newPeer(t, 2, nil)
		late.admit(w)
		alice, boss := w.signer("alice").come("den"), w.signer("boss")
		boss.admin = true
		boss.come("den")
		carol := late.signer("carol").come("den")
		carol.say("den", "mine")
		alice.wants(alice.act("den", "private"), chat.OK)
		for i := range 300 {
			alice.say("den", fmt.Sprint("secret ", i))
		}
		head := w.hub.Heads("den", true)[0]
		if head.Low < 3 || !head.Private {
			t.Fatalf("the test is of no use: %+v", head)
		}
		late.pull(w, true)
		late.settle()
		if is, _ := carol.in("den"); is {
			t.Error("who made a room of that name is in the private one")
		}
		late.wantNoMembers("den", carol, late.attach("dave"))
		late.end()
		late = newPeer(t, 1, late.store)
		late.wantNoMembers("den", late.signer("carol").come(), late.attach("dave"))

		bob := late.signer("bob").come()
		w.signer("bob").come()
		boss.wants(boss.act("den", "invite %v", bob.key), chat.OK)
		alice.say("den", "welcome")
		late.pull(w, true)
		bob.do(&wire.Join{Room: "den", Tail: 10})
		wantTexts(t, bob, "den", "invite "+bob.key.String(), "welcome")

		run := Run{Log: head.Log, Low: head.Low, Private: true, First: head.Low, List: entriesOf(t, w, head)}
		if got, err := guest.hub.OfferAll(w.source(false), []Run{run}); err != nil || !got[0].Refused || got[0].Head != 0 {
			t.Errorf("from a guest: %+v, %v", got, err)
		}
	})
}

// wantNoMembers wants people to be kept out of a room that is private.
func (w *world) wantNoMembers(room string, people ...*client) {
	w.t.Helper()
	for _, c := range people {
		wantFailed(w.t, c.ask(&wire.Causal{Room: room}), chat.NotMember)
		wantFailed(w.t, c.ask(&wire.History{Room: room}), chat.NotMember)
	}
	if _, open := w.hub.HeadOf(w.hub.Heads(room, true)[0].Log.ID(), false); open {
		w.t.Errorf("guests are told of %s", room)
	}
}

// TestActsOfARoomAreBounded: people of the node can't do more to a room than it can remember, and what other nodes say that they did is taken up to twice that.
func TestActsOfARoomAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, other := newPeer(t, 0, nil), newPeer(t, 1, nil)
		alice := w.signer("alice").come("lobby")
		alice.wants(alice.act("lobby", "welcome one"), chat.OK)
		other.pull(w, true)
		pretend := func(w *world, n int) (undo func()) {
			d := w.hub.rooms["lobby"].docket
			was := d.acts
			d.acts = slices.Repeat(was, n)
			return func() { d.acts = was }
		}
		undo := pretend(w, maxActs)
		alice.wants(alice.act("lobby", "welcome two"), chat.TooMany)
		alice.say("lobby", "still here")
		alice.wants(alice.redact("lobby", alice.last("lobby")), chat.OK) // which nothing is judged by
		undo()
		alice.wants(alice.act("lobby", "welcome two"), chat.OK)

		head := w.hub.Heads("lobby", true)[0]
		undo = pretend(other, 2*maxActs)
		if got, err := other.hub.Offer(w.source(true), head.Log, 1, entriesOf(t, w, head)); err != nil || !got.Refused || got.Head != 2 || got.Fault != "" {
			t.Errorf("beyond the bound: %+v, %v", got, err)
		}
		undo()
		exchange(w, other)
		if welcome := other.hub.rooms["lobby"].Rules.Welcome; welcome != "two" {
			t.Errorf("the welcome is %q", welcome)
		}
	})
}
