package hub

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// forked returns a node whose store was copied, and the copy: both go on writing the same log.
func forked(t *testing.T) (one, other *world) {
	t.Helper()
	one = newPeer(t, 0, nil)
	alice := one.signer("alice").come("lobby")
	alice.say("lobby", "before")
	other = newPeer(t, 0, &slowStore{Memory: one.store.Clone()})
	alice.say("lobby", "one history")
	alice.wants(alice.act("lobby", "readonly"), chat.OK)
	again := other.signer("alice").come("lobby")
	again.say("lobby", "another history")
	again.submit(&wire.Pub{CSeq: again.cseq + 1, Room: "lobby", Kind: chat.Topic, Body: []byte("another topic")})
	other.settle()
	elapse(time.Second) // so that whoever makes the room elsewhere is not the one who owns it
	return one, other
}

// TestFork: a log that says two things at one place is found out wherever both are offered, and hidden from there on, everywhere alike.
func TestFork(t *testing.T) {
	bubble(t, func(t *testing.T) {
		one, other := forked(t)
		a, b, late := newPeer(t, 1, nil), newPeer(t, 2, nil), newPeer(t, 3, nil)
		for _, w := range []*world{a, b, late} {
			w.admit(one)
		}
		bob := a.attach("bob", "lobby")
		bob.say("lobby", "bob is here")
		a.pull(one, true)
		b.pull(other, true)
		if !a.hub.rooms["lobby"].Rules.ReadOnly || b.hub.rooms["lobby"].Topic != "another topic" {
			t.Fatal("the histories have not arrived")
		}
		head := headOfNode(t, b, other)
		list := entriesOf(t, b, head)
		got, err := a.hub.Offer(b.source(true), head.Log, 1, list)
		if err != nil || got.Fork == nil || got.Fault != "" || got.Head != 1 || got.Known != 1 {
			t.Fatalf("Offer = %+v, %v", got, err)
		}
		if again, err := a.hub.Offer(b.source(true), head.Log, 1, list); err != nil || again.Fault != "" || again.Head != 1 {
			t.Errorf("offered again: %+v, %v", again, err)
		}
		forged := *got.Fork
		forged.A.Sig = make([]byte, 64)
		if isNew, err := b.hub.Prove(&forged); err == nil || isNew {
			t.Errorf("a forged proof: %v, %v", isNew, err)
		}
		swapped := *got.Fork
		swapped.A, swapped.B = swapped.B, swapped.A
		if isNew, err := b.hub.Prove(&swapped); err == nil || isNew {
			t.Errorf("a proof out of order: %v, %v", isNew, err)
		}
		for i, want := range []bool{true, false} {
			if isNew, err := b.hub.Prove(got.Fork); err != nil || isNew != want {
				t.Errorf("proof %d: %v, %v", i, isNew, err)
			}
		}
		b.settle()
		exchange(a, b)
		exchange(a, b, late)
		checkEqual(t, a, b, late)
		for i, w := range []*world{a, b, late} {
			r := w.hub.rooms["lobby"]
			if r.Rules.ReadOnly || r.Topic != "" {
				t.Errorf("what is hidden counts at %d: %+v", i, r.Room)
			}
			for _, e := range w.rows("lobby") {
				if text := string(e.Body); e.Opts.Forked == (text == "before" || text == "bob is here") {
					t.Errorf("%d: %q is marked: %v", i, text, e.Opts.Forked)
				}
			}
		}
		if isNew, err := late.hub.Prove(got.Fork); err != nil || !isNew {
			t.Errorf("who has only what stands before: %v, %v", isNew, err)
		}
		for _, w := range []*world{one, other} {
			head := headOfNode(t, w, w)
			if got, err := late.hub.Offer(w.source(true), head.Log, 2, entriesOf(t, w, head)[1:]); err != nil || !got.Refused || got.Head != 1 || len(late.rows("lobby")) != 2 {
				t.Errorf("who knows of the fork is offered what follows: %+v, %v", got, err)
			}
		}
		told := false
		for _, r := range bob.control {
			n, ok := r.(*wire.Notice)
			told = told || ok && strings.Contains(n.Text, one.node().String())
		}
		if !told {
			t.Error("nobody tells bob")
		}
		digests := a.hub.Digests(true)
		a.end()
		a = newPeer(t, 1, a.store)
		if diff := cmp.Diff(digests, a.hub.Digests(true)); diff != "" || len(a.hub.Forks()) != 1 {
			t.Errorf("after a restart there are %d forks, and digests mismatch (-before +after):\n%s", len(a.hub.Forks()), diff)
		}
		if got, err := a.hub.Offer(b.source(true), head.Log, 2, list[1:]); err != nil || got.Head != 1 {
			t.Errorf("after a restart what is hidden is taken: %+v, %v", got, err)
		}
	})
}

// TestForkInBatch: rows that are hidden by what comes in their own batch reach nobody as if they counted.
func TestForkInBatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		one, other := forked(t)
		w := newPeer(t, 1, nil)
		bob := w.attach("bob", "lobby")
		log := headOfNode(t, one, one).Log
		first, second := entriesOf(t, one, headOfNode(t, one, one)), entriesOf(t, other, headOfNode(t, other, other))
		bob.say("lobby", "hold")
		got, err := w.hub.OfferAll(one.source(true), []Run{{Log: log, First: 1, List: first}, {Log: log, First: 1, List: second}})
		if err != nil || got[0].Fork != nil || got[1].Fork == nil {
			t.Fatalf("OfferAll = %+v, %v", got, err)
		}
		w.settle()
		for _, e := range bob.view("lobby").rows {
			if text := string(e.Body); !e.Opts.Forked && text != "before" && text != "hold" {
				t.Errorf("bob is shown %q", text)
			}
		}
		w.checkLogs()
	})
}

// TestForkOfOwn: a node that learns that its key has signed another history goes on under another log, and so does one that was put back to an earlier
// state: what it said then comes back to it as that of another.
func TestForkOfOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		one, other := forked(t)
		head := headOfNode(t, other, other)
		nonce := one.hub.Sharing().Nonce
		got, err := one.hub.Offer(other.source(true), head.Log, 1, entriesOf(t, other, head))
		if err != nil || got.Fork == nil || got.Mine || one.hub.Sharing().Nonce == nonce {
			t.Fatalf("Offer = %+v, %v; the nonce is %d and was %d", got, err, one.hub.Sharing().Nonce, nonce)
		}
		bob := one.attach("bob", "lobby")
		if one.hub.rooms["lobby"].Rules.ReadOnly {
			t.Error("what is hidden counts")
		}
		bob.say("lobby", "on we go")
		third := newPeer(t, 5, nil)
		third.pull(one, true)
		checkEqual(t, one, third)
		third.checkLogs()
	})
	bubble(t, func(t *testing.T) {
		w, peer := newPeer(t, 0, nil), newPeer(t, 1, nil)
		alice := w.attach("alice", "lobby")
		alice.say("lobby", "kept")
		backup := w.store.Clone()
		alice.say("lobby", "lost")
		peer.pull(w, true)
		w.end()
		w = newPeer(t, 0, &slowStore{Memory: backup}) // put back by somebody who did not say so
		head := headOfNode(t, peer, w)
		list := entriesOf(t, peer, head)
		got, err := w.hub.Offer(peer.source(true), head.Log, 1, list)
		if err != nil || !got.Mine || got.Fork != nil || got.Head != 1 || got.Known != 1 {
			t.Fatalf("Offer = %+v, %v", got, err)
		}
		if err := w.hub.RenewLogs(); err != nil {
			t.Fatal(err)
		}
		w.attach("bob", "lobby").say("lobby", "new")
		exchange(w, peer)
		checkEqual(t, w, peer)
		if rows := w.rows("lobby"); len(rows) != 3 {
			t.Errorf("there are %d rows", len(rows))
		}
		w.checkLogs()
	})
}

// TestAdopt: a store without rows becomes part of another space, and one with rows only as its operator says.
func TestAdopt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newPeer(t, 0, nil)
		space := [16]byte{1, 2, 3}
		if w.hub.Kept() || w.hub.Adopt(space) != nil || w.hub.Sharing().Space != space {
			t.Errorf("an empty store: kept %v, %+v", w.hub.Kept(), w.hub.Sharing())
		}
		w.attach("alice", "lobby").say("lobby", "x")
		if err := w.hub.Adopt([16]byte{4}); err != ErrKept || w.hub.Adopt(space) != nil || !w.hub.Kept() || w.hub.Sharing().Space != space {
			t.Errorf("a store with rows: %v, %+v", err, w.hub.Sharing())
		}
		if err := w.hub.JoinSpace([16]byte{4}); err != nil || w.hub.Sharing().Space != [16]byte{4} {
			t.Errorf("by its operator's will: %v, %+v", err, w.hub.Sharing())
		}
		if state := must(w.store.Load()); state.Sharing.Space != [16]byte{4} || !state.Sharing.Shared {
			t.Errorf("the store has %+v", state.Sharing)
		}
		if w := newWorld(t); w.hub.Share() != ErrNoKey {
			t.Error("a hub without a key shares its store")
		}
	})
}

// TestAdoptTellsWhoIsHere: whoever was welcomed to another space is to come back at once, which nobody is who was not.
func TestAdoptTellsWhoIsHere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newPeer(t, 0, nil)
		alice := w.attach("alice", "lobby")
		if err := w.hub.Adopt(w.hub.Sharing().Space); err != nil || alice.session.Goodbye() != nil {
			t.Errorf("the same space: %v, bye %x", err, alice.session.Goodbye())
		}
		if err := w.hub.Adopt([16]byte{1, 2, 3}); err != nil {
			t.Fatal(err)
		}
		bye := decode(t, alice.session.Goodbye())[0].(*wire.Bye)
		if bye.Code != chat.Stopping || bye.RetryAfterMS == 0 || bye.RetryAfterMS > 1500 || bye.Text == "" {
			t.Errorf("another space: %+v", bye)
		}
		alice.leave(false)
		again := w.attach("alice", "lobby") // by the same origin
		again.say("lobby", "x")
		if again.session.Goodbye() != nil || again.welcome.LastCSeq != 0 {
			t.Errorf("who comes after that is told %x, %+v", again.session.Goodbye(), again.welcome)
		}
	})
}

// TestSavedPeers: what is kept of other nodes outlives the hub, and one that is forgotten does not.
func TestSavedPeers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, x, y := newPeer(t, 0, nil), newPeer(t, 1, nil), newPeer(t, 2, nil)
		w.admit(x)
		w.admit(y)
		if err := w.hub.SavePeer(store.Peer{Node: y.node(), Gone: true}); err != nil {
			t.Fatal(err)
		}
		w.end()
		w = newPeer(t, 0, w.store)
		if got := w.hub.SavedPeers(); len(got) != 1 || got[0].Node != x.node() || got[0].Mode != wire.AdmitIt {
			t.Errorf("SavedPeers = %+v", got)
		}
		token := []byte("0123456789abcdef")
		if w.hub.NodeInvite(token) {
			t.Error("a token of nothing is good")
		}
	})
}
