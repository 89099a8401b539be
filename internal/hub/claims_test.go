package hub

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
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

// TestReplayedAct: what somebody has signed on one node is not done again by another one, which they have never been on: not what is signed for a node, and
// not what is signed for none, as it was before there were several.
func TestReplayedAct(t *testing.T) {
	for _, old := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			home := newWorld(t, func(c *Config) {
				if !old {
					c.Key = peerKey(t, 0)
				}
			})
			alice := home.signer("alice").come("yard")
			alice.say("yard", "one")
			bob := home.signer("bob").come("yard")
			alice.wants(alice.act("yard", "ban %s 0s", bob.key), chat.OK)
			alice.wants(alice.act("yard", "unban %s", bob.key), chat.OK)
			alice.say("yard", "two")
			home = newPeer(t, 0, &slowStore{Memory: home.store.Clone()})
			other, mallory := newPeer(t, 1, nil), newPeer(t, 2, nil)
			home.settle()
			other.pull(home, true)
			head := home.hub.Heads("yard", true)[0]
			log := wire.Log{Node: mallory.hub.cfg.Key.Public(), Nonce: 66, Room: "yard"}
			s := again(t, mallory, log, entriesOf(t, home, head)[1], &head)
			restarted := newPeer(t, 1, &slowStore{Memory: other.store.Clone()})
			for i, w := range []*world{home, other, restarted} {
				got, err := w.hub.Offer(mallory.source(false), log, 1, []wire.Signed{s})
				if err != nil || (got.Fault == "") != old || got.Refused != old || got.Head != 0 {
					t.Errorf("signed for none: %v, node %d: %+v, %v", old, i, got, err)
				}
				if _, banned := w.hub.rooms["yard"].standings[standingOf{bob.key, store.Banned}]; banned {
					t.Errorf("signed for none: %v: bob is banned again at %d", old, i)
				}
			}
		})
	}
}

// again returns an entry once more, as the first of a log of w's: behind after, or, without it, before everything.
func again(t *testing.T, w *world, log wire.Log, s wire.Signed, after *wire.Head) wire.Signed {
	t.Helper()
	return resigned(t, log, s, w.hub.cfg.Key, lie{change: func(e *wire.Entry, _ *wire.Signed) {
		e.Seq, e.Prev, e.Lamport, e.Deps, e.Origin = 1, nil, 1, []wire.Dep{}, bytes.Repeat([]byte{3}, 16)
		if after != nil {
			e.Lamport, e.Deps = after.Seq+1, []wire.Dep{{Log: after.Log.ID(), Seq: after.Seq, ID: after.ID}}
		}
	}})
}

// TestActsCountOnce: an act that the very node has taken again into its log, behind what it did or before, counts where it stands first: on every node, in
// whatever order they get it, and after a restart.
func TestActsCountOnce(t *testing.T) {
	for what, c := range map[string]struct {
		entry    int // readonly, writable
		later    bool
		readonly bool // in the end
	}{
		"readonly once more, behind all": {entry: 1, later: true, readonly: false},
		"readonly once more, before all": {entry: 1, later: false, readonly: false},
		"writable once more, behind all": {entry: 2, later: true, readonly: false},
		"writable moved to before all":   {entry: 2, later: false, readonly: true},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				peers := newPeers(t, 3)
				home := peers[0]
				alice := home.signer("alice").come("yard")
				alice.say("yard", "one")
				alice.wants(alice.act("yard", "readonly"), chat.OK)
				alice.wants(alice.act("yard", "writable"), chat.OK)
				head := home.hub.Heads("yard", true)[0]
				log := wire.Log{Node: home.hub.cfg.Key.Public(), Nonce: 66, Room: "yard"}
				after := &head
				if !c.later {
					after = nil
				}
				s := again(t, home, log, entriesOf(t, home, head)[c.entry], after)
				take := func(w *world) {
					t.Helper()
					if got, err := w.hub.Offer(home.source(true), log, 1, []wire.Signed{s}); err != nil || got.Fault != "" || got.Head != 1 {
						t.Fatalf("%+v, %v", got, err)
					}
				}
				for _, w := range peers[1:] {
					w.admit(home)
				}
				if !c.later {
					take(peers[1])
				}
				peers[1].pullLog(home, head, true)
				peers[2].pullLog(home, head, true)
				if c.later {
					take(peers[1])
				}
				take(peers[2])
				take(home)
				restarted := newPeer(t, 2, &slowStore{Memory: peers[2].store.Clone()})
				for i, w := range append(peers, restarted) {
					if r := w.hub.rooms["yard"]; r.Rules.ReadOnly != c.readonly || r.docket.now.rules.ReadOnly != c.readonly {
						t.Errorf("node %d: read-only %v, by its acts %v; want %v", i, r.Rules.ReadOnly, r.docket.now.rules.ReadOnly, c.readonly)
					}
				}
			})
		})
	}
}

// TestActOfNoNode: a node takes no new act that is signed for none.
func TestActOfNoNode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		alice := newPeer(t, 1, nil).signer("alice").come("yard")
		alice.say("yard", "one")
		p := alice.act("yard", "readonly")
		act := identity.SignedAct{Epoch: alice.w.hub.Epoch(), From: alice.welcome.From, CSeq: p.CSeq, Room: p.Room, Body: p.Body}
		p.Opts.Sig = alice.secret.SignAct(&act)
		alice.wants(p, chat.BadSignature)
		alice.wants(alice.act("yard", "readonly"), chat.OK)
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

// TestGuestsHaveQuotas: a node that is not admitted has so many rooms, logs of a room and people made here and no more, a restart included; what goes on with
// those that are here is taken, and so is all from one that is admitted.
func TestGuestsHaveQuotas(t *testing.T) {
	bubble(t, func(t *testing.T) {
		peers := newPeers(t, 2)
		peers[0].attach("alice", "lobby").say("lobby", "one")
		mallory := peers[1]
		begin := func(w *world, room string, nonce uint64, author int, admitted bool) Offered {
			t.Helper()
			_, s := forge(t, peers[0], mallory, 1, nil)
			log := wire.Log{Node: mallory.hub.cfg.Key.Public(), Nonce: nonce, Room: room}
			s = resigned(t, log, s, mallory.hub.cfg.Key, lie{change: func(e *wire.Entry, _ *wire.Signed) {
				e.Author = bytes.Repeat([]byte{7}, 32)
				binary.BigEndian.PutUint64(e.Author, uint64(author))
				e.Origin = e.Author[:16]
				binary.BigEndian.PutUint64(e.Origin[8:], nonce)
			}})
			got, err := w.hub.Offer(mallory.source(admitted), log, 1, []wire.Signed{s})
			if err != nil || got.Fault != "" {
				t.Fatalf("a log of %s: %+v, %v", room, got, err)
			}
			return got
		}
		for i := range maxGuestRooms {
			begin(peers[0], fmt.Sprint("room", i), 1, 1, false)
		}
		for i := range maxGuestLogs {
			begin(peers[0], "lobby", uint64(i), 1, false)
		}
		again := newPeer(t, 0, &slowStore{Memory: peers[0].store.Clone()})
		for name, w := range map[string]*world{"before": peers[0], "after a restart": again} {
			if got := begin(w, "onemore", 1, 1, false); !got.Refused || w.hub.shared("onemore") != nil {
				t.Errorf("%s: one more room: %+v", name, got)
			}
			if got := begin(w, "lobby", 99, 1, false); !got.Refused || got.Head != 0 {
				t.Errorf("%s: one more log: %+v", name, got)
			}
			if got := begin(w, "room1", 2, 1, false); got.Refused || got.Head != 1 {
				t.Errorf("%s: a log of another room: %+v", name, got)
			}
		}
		must(0, peers[0].hub.call(func() { peers[0].hub.charge(mallory.node(), 0, maxGuestAuthors-1) }))
		if got := begin(peers[0], "room2", 2, 2, false); !got.Refused {
			t.Errorf("one more author: %+v", got)
		}
		if got := begin(peers[0], "onemore", 3, 3, true); got.Refused || got.Head != 1 {
			t.Errorf("of one that is admitted: %+v", got)
		}
	})
}
