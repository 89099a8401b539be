package mesh

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/pipe"
	"chatnode/internal/wire"
)

// Nodes that anybody can make up are no more than so many, here and in the store, though all of them have lied.
func TestMadeUpNodesAreForgotten(t *testing.T) {
	run2(t, func(w *world) {
		n := w.add(nil)
		w.start(n)
		w.settle(time.Second)
		m := n.mesh
		m.mu.Lock()
		for i := range uint64(2 * maxPeers) {
			var id identity.ID
			binary.BigEndian.PutUint64(id[:], i+1)
			p := m.peerLocked(id)
			p.saved, p.Seen, p.shunned = true, int64(i), m.cfg.Now().Add(shunFor)
			if i == 5 {
				p.Mode = wire.AdmitIt
			}
		}
		known, kept := len(m.peers), m.peers[identity.ID{7: 6}] != nil
		m.mu.Unlock()
		if known != maxPeers || !kept {
			t.Errorf("%d nodes are known, the admitted one among them: %v", known, kept)
		}
		w.settle(2 * time.Second)
		gone := 0
		for _, p := range n.SavedPeers() {
			if p.Gone {
				gone++
			}
		}
		if gone != maxPeers {
			t.Errorf("the store was told of %d that are forgotten", gone)
		}
	})
}

// What a stranger says of nodes that never were here is not kept of them.
func TestForksOfMadeUpNodes(t *testing.T) {
	run2(t, func(w *world) {
		n := w.add(nil)
		w.start(n)
		w.settle(time.Second)
		s := w.stranger(n, 99)
		for i := range uint64(5) {
			forger := &stranger{t: t, key: keyOf(200 + i)}
			log, list := forger.log("lobby", 1)
			s.say(&wire.Heads{Room: "lobby", Heads: []wire.Head{headOf(log, list)}}, &wire.Entries{Log: log.ID(), First: 1, List: list}, forger.fork("lobby", 1))
		}
		w.settle(time.Second)
		if got := len(n.SavedPeers()); got != 1 {
			t.Errorf("%d nodes are kept", got)
		}
		s.end.Close()
	})
}

// However many guests there are, those that the operator has admitted find a place.
func TestGuestsLeaveRoom(t *testing.T) {
	run2(t, func(w *world) {
		n := w.add(nil)
		w.start(n)
		w.settle(time.Second)
		if _, err := n.mesh.Admit(keyOf(99).ID().String(), wire.AdmitIt); err != nil {
			t.Fatal(err)
		}
		var guests []*stranger
		for i := range uint64(maxGuests) {
			guests = append(guests, w.stranger(n, 100+i))
			wait[*wire.Digests](guests[i])
		}
		more := w.stranger(n, 98)
		if bye, ok := more.hear().(*wire.Bye); !ok || bye.Code != chat.Full {
			t.Error("one more guest is let in")
		}
		friend := w.stranger(n, 99)
		wait[*wire.Digests](friend)
		for _, s := range append(guests, friend, more) {
			s.end.Close()
		}
	})
}

// A node that links by invitation alone does not dial whom a guest tells of.
func TestWordIsNoInvitation(t *testing.T) {
	for _, inviteOnly := range []bool{false, true} {
		run2(t, func(w *world) {
			dialed := 0
			n := w.add(func(cfg *Config) {
				cfg.InviteOnly = inviteOnly
				cfg.Dial = func(context.Context, string) (Link, error) { dialed++; return nil, pipe.ErrRefused }
			})
			w.start(n)
			w.settle(time.Second)
			n.mesh.mu.Lock()
			n.mesh.peerLocked(keyOf(99).ID()).Seen = 1 // it was invited once
			n.mesh.mu.Unlock()
			s := w.stranger(n, 99)
			wait[*wire.Digests](s)
			s.say(&wire.Addresses{List: [][]byte{recordOf(50, 5, "10.0.0.50:8080")}})
			w.settle(5 * time.Second)
			if (dialed > 0) == inviteOnly {
				t.Errorf("invite only %v: dialled %d times", inviteOnly, dialed)
			}
			s.end.Close()
		})
	}
}

// fork returns two entries of one place, both signed.
func (s *stranger) fork(room string, seq int) *wire.Fork {
	log, a := s.log(room, seq)
	b := s.sign(log, seq, func(e *wire.Entry) { e.Row = 77 })
	f := &wire.Fork{Log: log, A: bare(a[seq-1]), B: bare(b[seq-1])}
	return inOrder(f)
}

// inOrder puts the two of a proof in their order.
func inOrder(f *wire.Fork) *wire.Fork {
	if _, _, err := f.Entries(); err != nil {
		f.A, f.B = f.B, f.A
	}
	return f
}

// Proofs of ever earlier places of one log, or of logs of which nothing came, take no more memory than one of each, or than so many.
func TestForksAreBounded(t *testing.T) {
	m := New(Config{Key: keyOf(1), Hub: newBook(1, 7)})
	forger := &stranger{t: t, key: keyOf(99)}
	for seq := 8; seq > 0; seq-- {
		if !m.noteFork(forger.fork("lobby", seq), true) {
			t.Errorf("the fork at %d is not news", seq)
		}
	}
	kept := 0
	for _, f := range m.forks {
		if f != nil {
			kept++
		}
	}
	if kept != 1 {
		t.Errorf("%d proofs of one log are kept", kept)
	}
	for i := range maxForks + 5 {
		f := forger.fork("lobby", 1)
		f.Log.Nonce = uint64(100 + i)
		m.replicaLocked(&f.Log) // it has told of the log
		if isNew := m.noteFork(inOrder(f), false); isNew != (i < maxForks-8) {
			t.Fatalf("fork %d of made-up logs: %v", i, isNew)
		}
	}
}

// Two nodes that both name the other's address dial until they are linked, and no more.
func TestBothDial(t *testing.T) {
	run2(t, func(w *world) {
		dials := 0
		count := func(cfg *Config) {
			dial := cfg.Dial
			cfg.Dial = func(ctx context.Context, address string) (Link, error) { dials++; return dial(ctx, address) }
		}
		one := w.add(count, 1)
		w.start(one)
		w.settle(1500 * time.Millisecond)
		w.start(w.add(count, 0))
		w.settle(time.Minute)
		before := dials
		w.settle(time.Minute)
		if dials > before {
			t.Errorf("dialled %d times in a minute of being linked", dials-before)
		}
	})
}
