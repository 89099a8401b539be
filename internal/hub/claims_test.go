package hub

import (
	"bytes"
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// forge returns the first of a node's entries in the lobby as entry seq of another node's log, once more changed.
func forge(t *testing.T, of, by *world, seq uint64, change func(e *wire.Entry, s *wire.Signed)) (wire.Log, wire.Signed) {
	t.Helper()
	head := headOfNode(t, of, of)
	log := wire.Log{Node: by.hub.cfg.Key.Public(), Nonce: 66, Room: head.Log.Room}
	return log, resigned(t, log, entriesOf(t, of, head)[0], by.hub.cfg.Key, lie{change: func(e *wire.Entry, s *wire.Signed) {
		e.Seq, e.Lamport, e.Opts.Owner, e.Opts.Made, e.Origin = seq, seq, nil, 0, bytes.Repeat([]byte{byte(seq)}, 16)
		if seq > 1 {
			e.Prev = bytes.Repeat([]byte{9}, 32)
		}
		if change != nil {
			change(e, s)
		}
	}})
}

// TestClaimedPlace: whoever begins in the middle of a log can't put itself at the end of the order for ever, where all that follows would have one place.
func TestClaimedPlace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		peers := newPeers(t, 2)
		alice, mallory := peers[0].attach("alice", "lobby"), peers[1]
		alice.say("lobby", "one")
		for _, c := range []struct {
			lamport uint64
			later   bool
		}{{wire.MaxCount, true}, {1 << 52, true}, {1 << 42, true}, {1 << 40, false}} {
			log, s := forge(t, peers[0], mallory, 5, func(e *wire.Entry, _ *wire.Signed) { e.Lamport = c.lamport })
			source := mallory.source(false)
			source.Low = 5
			got, err := peers[0].hub.Offer(source, log, 5, []wire.Signed{s})
			if err != nil || got.Fault != "" || got.Later != c.later || (got.Head == 5) == c.later {
				t.Errorf("lamport %d: %+v, %v", c.lamport, got, err)
			}
		}
		alice.say("lobby", "two")
		head := headOfNode(t, peers[0], peers[0])
		e, err := wire.DecodeEntry(entriesOf(t, peers[0], head)[1].Entry)
		if err != nil || e.Lamport != 1<<40+1 || e.Kind != chat.Text {
			t.Errorf("what follows it: %+v, %v", e, err)
		}
	})
}

// TestForksOfMadeUpLogs: proofs that anybody can make of logs that are not here leave nothing behind, and those of one log are told of once.
func TestForksOfMadeUpLogs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		peers := newPeers(t, 2)
		alice, mallory := peers[0].attach("alice", "lobby"), peers[1]
		alice.say("lobby", "one")
		proof := func(seq uint64) *wire.Fork {
			log, a := forge(t, peers[0], mallory, seq, nil)
			_, b := forge(t, peers[0], mallory, seq, func(e *wire.Entry, _ *wire.Signed) { e.CSeq += 100 })
			f := &wire.Fork{Log: log, A: wire.Signed{Entry: a.Entry, Sig: a.Sig}, B: wire.Signed{Entry: b.Entry, Sig: b.Sig}}
			if _, _, err := f.Entries(); err != nil {
				f.A, f.B = f.B, f.A
			}
			return f
		}
		before := len(must(peers[0].store.Load()).Logs)
		if isNew, err := peers[0].hub.Prove(proof(9)); err != nil || isNew {
			t.Errorf("a fork of a log that is not here: %v, %v", isNew, err)
		}
		if got := len(must(peers[0].store.Load()).Logs); got != before || len(peers[0].hub.Forks()) != 0 {
			t.Errorf("there are %d logs in place of %d, and forks", got, before)
		}
		log, s := forge(t, peers[0], mallory, 1, nil)
		if got, err := peers[0].hub.Offer(mallory.source(false), log, 1, []wire.Signed{s}); err != nil || got.Head != 1 {
			t.Fatalf("the log itself: %+v, %v", got, err)
		}
		for seq := uint64(9); seq > 4; seq-- {
			if isNew, err := peers[0].hub.Prove(proof(seq)); err != nil || !isNew {
				t.Errorf("a fork at %d: %v, %v", seq, isNew, err)
			}
		}
		peers[0].settle()
		told := 0
		for _, r := range alice.control {
			if _, ok := r.(*wire.Notice); ok {
				told++
			}
		}
		if told != 1 {
			t.Errorf("alice is told %d times", told)
		}
	})
}

// TestReplayedAct: what somebody has signed on one node is not done again by another one, which they have never been on.
func TestReplayedAct(t *testing.T) {
	bubble(t, func(t *testing.T) {
		peers := newPeers(t, 3)
		alice, mallory := peers[0].signer("alice").come("yard"), peers[2]
		alice.say("yard", "one")
		bob := peers[0].signer("bob").come("yard")
		alice.wants(alice.act("yard", "ban %s 0s", bob.key), chat.OK)
		alice.wants(alice.act("yard", "unban %s", bob.key), chat.OK)
		peers[1].pull(peers[0], true)
		head := peers[0].hub.Heads("yard", true)[0]
		all := entriesOf(t, peers[0], head)
		log := wire.Log{Node: mallory.hub.cfg.Key.Public(), Nonce: 66, Room: "yard"}
		s := resigned(t, log, all[1], mallory.hub.cfg.Key, lie{change: func(e *wire.Entry, _ *wire.Signed) {
			e.Seq, e.Prev, e.Lamport, e.Origin = 1, nil, head.Seq+1, bytes.Repeat([]byte{3}, 16)
			e.Deps = []wire.Dep{{Log: head.Log.ID(), Seq: head.Seq, ID: head.ID}}
		}})
		again := newPeer(t, 1, &slowStore{Memory: peers[1].store.Clone()}) // as after a restart
		for i, w := range []*world{peers[0], peers[1], again} {
			got, err := w.hub.Offer(mallory.source(false), log, 1, []wire.Signed{s})
			if err != nil || got.Fault != "" || !got.Refused || got.Head != 0 {
				t.Errorf("node %d: %+v, %v", i, got, err)
			}
			if _, banned := w.hub.rooms["yard"].standings[standingOf{bob.key, store.Banned}]; banned {
				t.Errorf("bob is banned again at %d", i)
			}
		}
	})
}

// TestStolenPair: who gives an entry of its own the pair of somebody else's publish does not have that hidden, nor refused where it is offered once more.
func TestStolenPair(t *testing.T) {
	bubble(t, func(t *testing.T) {
		peers := newPeers(t, 3)
		alice, mallory := peers[0].attach("alice", "lobby"), peers[2]
		alice.say("lobby", "one")
		name := wire.OriginName(alice.origin)
		log, s := forge(t, peers[0], mallory, 1, func(e *wire.Entry, s *wire.Signed) {
			s.Body = []byte("stolen")
			sum := chat.BodySum((*[saltSize]byte)(s.Salt), s.Body)
			e.Origin, e.CSeq, e.Sum = name[:], 1, sum[:]
		})
		for _, w := range peers[1:] {
			if got, err := w.hub.Offer(mallory.source(false), log, 1, []wire.Signed{s}); err != nil || got.Head != 1 {
				t.Fatalf("the forged one: %+v, %v", got, err)
			}
		}
		peers[1].pull(peers[0], true)
		elsewhere := mallory.newClient("alice elsewhere")
		elsewhere.asked, elsewhere.key = "alice", alice.key
		elsewhere.attach()
		elsewhere.submit(&wire.Join{Room: "lobby"})
		p := elsewhere.pub("lobby", "one")
		p.Opts.As = &wire.As{Origin: name[:], CSeq: 1}
		elsewhere.do(p)
		for i, w := range peers[1:] {
			if rows := w.rows("lobby"); len(rows) != 2 || string(rows[0].Body) != "stolen" || string(rows[1].Body) != "one" {
				t.Errorf("node %d shows %d rows", i+1, len(rows))
			}
			w.checkLogs()
		}
	})
}
