package mesh

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
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
		n := w.alone()
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
		n := w.alone()
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
		n := w.alone()
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
		if isNew := m.noteFork(inOrder(f), false); isNew != (i < maxForks-2) {
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

// Of one log that is proved to fork ever earlier others are told at once, and then once in a while: of the earliest place.
func TestForksArePassedOnSlowly(t *testing.T) {
	run2(t, func(w *world) {
		n := w.alone()
		m, forger := n.mesh, &stranger{t: t, key: keyOf(98)}
		passed := func() (seqs []uint64) {
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, f := range m.forks {
				if f != nil {
					a, _, _ := f.Entries()
					seqs = append(seqs, a.Seq)
				}
			}
			return append(seqs, uint64(len(m.forks)))
		}
		for seq := 8; seq > 0; seq-- {
			m.noteFork(forger.fork("lobby", seq), true)
		}
		w.settle(2 * time.Second)
		if got := passed(); !slices.Equal(got, []uint64{8, 1}) {
			t.Errorf("passed on at once: %v", got)
		}
		w.settle(forkEvery)
		if got := passed(); !slices.Equal(got, []uint64{1, 2}) {
			t.Errorf("passed on later: %v", got)
		}
	})
}

// Who tells of all its rooms again and again has this node look through its own once in a while.
func TestDigestsTooOften(t *testing.T) {
	run2(t, func(w *world) {
		n := w.alone()
		s := w.stranger(n, 99)
		began := time.Now()
		for range 5 {
			s.say(&wire.Digests{Last: true})
		}
		s.say(&wire.Bye{Code: chat.Goodbye})
		<-s.done
		if took := time.Since(began); took < 4*roundEvery || took > 5*roundEvery {
			t.Errorf("five rounds took %v", took)
		}
	})
}

// Names that a guest makes up take no more memory than so many, and its link does not end for it; what is here counts for nothing.
func TestMadeUpLogs(t *testing.T) {
	run2(t, func(w *world) {
		n := w.alone()
		s := w.stranger(n, 99)
		wait[*wire.Digests](s)
		s.say(&wire.Digests{Last: true})
		log, list := s.log("lobby", 1)
		for i := range guestStrange + 500 {
			made := log
			made.Nonce, made.Room = uint64(i), fmt.Sprint("room", i)
			head := headOf(made, list)
			s.say(&wire.Heads{Room: made.Room, Heads: []wire.Head{head}, Ask: true}, &wire.Digests{Rooms: []wire.RoomDigest{{Room: "x" + made.Room, Digest: [8]byte{byte(i)}}}})
		}
		w.settle(time.Minute)
		m := n.mesh
		m.mu.Lock()
		l := m.links[s.key.ID()]
		if l == nil {
			m.mu.Unlock()
			t.Fatal("the link has ended")
		}
		if len(l.flows) != guestStrange || len(m.logs) != guestStrange || len(l.out.tells) > guestStrange {
			t.Errorf("%d flows, %d logs, %d rooms to tell of", len(l.flows), len(m.logs), len(l.out.tells))
		}
		m.mu.Unlock()
		id := n.say("lobby", "hello")
		w.settle(time.Second)
		m.mu.Lock()
		if l.flows[id] == nil {
			t.Error("what is here is not told of any more")
		}
		m.mu.Unlock()
		s.end.Close()
	})
}

// A node that has nothing gets all rooms from a guest that has more than a guest may tell of at a time: in rounds.
func TestManyRoomsOfAGuest(t *testing.T) {
	run2(t, func(w *world) {
		n := w.add(nil)
		guest := w.add(nil, 0)
		n.mesh.most = 20
		for i := range 70 {
			guest.say(fmt.Sprint("room", i), "hello")
		}
		w.start(w.nodes...)
		if took := w.until(5 * digestEvery); took < digestEvery {
			t.Errorf("all came in %v", took)
		}
	})
}
