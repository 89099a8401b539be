package mesh

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// mesh makes n nodes that link each with each.
func (w *world) full(n int) {
	for i := range n {
		var connect []int
		for j := range i {
			connect = append(connect, j)
		}
		w.add(nil, connect...)
	}
	w.start(w.nodes...)
	w.settle(10 * time.Second)
}

// In a full mesh everybody soon gets what one says from that one, and from nobody else; when its links but one go, the others pass it on.
func TestLazyLinks(t *testing.T) {
	run2(t, func(w *world) {
		w.full(5)
		for i := range 40 {
			w.nodes[0].say("lobby", fmt.Sprint(i))
			w.settle(100 * time.Millisecond)
		}
		before := w.stats()
		for i := range 20 {
			w.nodes[0].say("lobby", fmt.Sprint("more ", i))
			w.settle(100 * time.Millisecond)
		}
		s := w.stats()
		if taken, got := s.Taken-before.Taken, s.FramesReceived-before.FramesReceived; taken != 80 || got != 80 {
			t.Errorf("%d entries took %d records", taken, got)
		}
		w.mu.Lock()
		for e, n := range w.ends {
			if slices.Contains(n[:], 0) && !slices.Contains(n[:], 1) {
				e.Close()
				delete(w.ends, e)
			}
		}
		w.mu.Unlock()
		for _, n := range w.nodes {
			n.mesh.mu.Lock()
			n.mesh.targets = nil // nobody links again
			n.mesh.mu.Unlock()
		}
		w.settle(10 * time.Millisecond)
		for i := range 20 {
			w.nodes[0].say("lobby", fmt.Sprint("by way of one ", i))
			w.settle(100 * time.Millisecond)
		}
		w.until(time.Second)
		before = w.stats()
		for i := range 20 {
			w.nodes[0].say("lobby", fmt.Sprint("and on ", i))
			w.settle(100 * time.Millisecond)
		}
		w.until(time.Second)
		s = w.stats()
		if got, taken := s.FramesReceived-before.FramesReceived, s.Taken-before.Taken; float64(got) > 1.3*float64(taken) {
			t.Errorf("%d entries took %d records after the links had gone", taken, got)
		}
	})
}

// A link that goes silent without ending loses what was to come by it no longer than a graft takes.
func TestSilentLink(t *testing.T) {
	run2(t, func(w *world) {
		w.full(4)
		for i := range 20 {
			w.nodes[0].say("lobby", fmt.Sprint(i))
			w.settle(100 * time.Millisecond)
		}
		w.mu.Lock()
		for e, n := range w.ends {
			if slices.Contains(n[:], 0) && slices.Contains(n[:], 1) {
				e.Cut() // whichever way it is: nothing of one of them arrives
			}
		}
		w.mu.Unlock()
		w.nodes[0].say("lobby", "to one that hears nothing")
		w.nodes[1].say("lobby", "from one that is not heard")
		took := w.until(5 * time.Second)
		if took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// Who is asked and goes, or never answers, is replaced by another.
func TestLostProviders(t *testing.T) {
	run2(t, func(w *world) {
		w.delay = 20 * time.Millisecond
		w.full(4)
		w.part(map[int]int{3: 1})
		for i := range 2000 {
			w.nodes[0].say(fmt.Sprint("room-", i%4), fmt.Sprint(i))
			if i%10 == 0 {
				w.settle(10 * time.Millisecond)
			}
		}
		w.until2(5*time.Second, w.nodes[:3])
		w.part(nil)
		for !w.nodes[3].Kept() {
			w.settle(10 * time.Millisecond)
		}
		w.stop(w.nodes[0]) // in the middle of it
		w.mu.Lock()
		for e, n := range w.ends {
			if slices.Contains(n[:], 1) && slices.Contains(n[:], 3) {
				e.Cut()
			}
		}
		w.mu.Unlock()
		w.until(time.Minute)
		if n := len(w.nodes[3].order); n != 2000 {
			t.Errorf("%d entries", n)
		}
	})
}

// until2 waits until some nodes have the same.
func (w *world) until2(limit time.Duration, nodes []*node) {
	w.t.Helper()
	for began := time.Now(); time.Since(began) < limit; w.settle(50 * time.Millisecond) {
		if !slices.ContainsFunc(nodes, func(n *node) bool { return n.digest() != nodes[0].digest() }) {
			return
		}
	}
	w.converged(nodes...)
}

// What is not kept any more is no gap: who lacks it takes what there is, and first from whom has most.
func TestRetention(t *testing.T) {
	for name, c := range map[string]struct {
		lows []uint64 // of node 0 and 1
		want uint64   // that node 2 begins with
	}{"one has all": {[]uint64{300, 1}, 1}, "one has more": {[]uint64{300, 200}, 200}, "the same": {[]uint64{250, 250}, 250}} {
		t.Run(name, func(t *testing.T) {
			run2(t, func(w *world) {
				a, b, late := w.add(nil), w.add(nil, 0), w.add(nil, 0, 1)
				w.start(a, b)
				w.settle(2 * time.Second)
				var id wire.LogID
				for i := range 400 {
					id = a.say("lobby", fmt.Sprint(i))
					w.settle(time.Millisecond)
				}
				w.until2(2*time.Second, []*node{a, b})
				for i, n := range []*node{a, b} {
					if c.lows[i] > 1 {
						n.trim(id, c.lows[i])
					}
				}
				w.delay = 0 // both links begin at once
				w.start(late)
				w.settle(10 * time.Second)
				head, _ := late.HeadOf(id, true)
				if head.Low != c.want || head.Seq != 400 {
					t.Errorf("it has %d to %d, want %d to 400", head.Low, head.Seq, c.want)
				}
			})
		})
	}
}

// Who takes a log up above its beginning learns that its room is private, whatever has become of the act that made it so.
func TestRetentionOfAPrivateRoom(t *testing.T) {
	run2(t, func(w *world) {
		a, late := w.add(nil), w.add(nil, 0)
		a.private["cellar"] = true
		a.peers[late.key.ID()] = store.Peer{Node: late.key.ID(), Key: [32]byte(late.key.Public()), Mode: wire.AdmitIt}
		w.prepare(a, nil)
		for i := range 100 {
			a.trim(a.say("cellar", fmt.Sprint(i)), max(1, uint64(i)/2))
			a.trim(a.say("lobby", fmt.Sprint(i)), max(1, uint64(i)/2))
		}
		w.start(a, late)
		w.settle(10 * time.Second)
		if held := slices.Compact(late.held); len(late.order) == 0 || !slices.Equal(held, []string{"cellar"}) {
			t.Errorf("of %d entries it is told that %q are private", len(late.order), held)
		}
	})
}

// A store that was put back to an earlier state begins new logs, and gets back what it had said.
func TestRestoredBackup(t *testing.T) {
	run2(t, func(w *world) {
		a, b := w.add(nil), w.add(nil, 0)
		w.start(a, b)
		w.settle(2 * time.Second)
		for i := range 10 {
			a.say("lobby", fmt.Sprint(i))
		}
		w.until(2 * time.Second)
		w.stop(a)
		p := a.logs[(&wire.Log{Node: a.key.Public(), Nonce: a.sharing.Nonce, Room: "lobby"}).ID()]
		p.list, p.ids, p.lamport, a.order = p.list[:4], p.ids[:4], 4, a.order[:4]
		w.prepare(a, nil, 1)
		w.start(a)
		w.settle(5 * time.Second)
		if a.renewed != 1 {
			t.Fatalf("new logs were begun %d times", a.renewed)
		}
		a.say("lobby", "after the restore")
		w.until(2 * time.Second)
		if len(a.order) != 11 {
			t.Errorf("%d entries, want 11", len(a.order))
		}
	})
}

// A node that says two things at one place is found out, everybody is told, and the same of it is hidden everywhere.
func TestForkIsToldToAll(t *testing.T) {
	run2(t, func(w *world) {
		for i := range 4 {
			var connect []int
			if i > 0 {
				connect = []int{i - 1}
			}
			w.add(nil, connect...)
		}
		w.start(w.nodes...)
		w.settle(5 * time.Second)
		log := wire.Log{Node: keyOf(99).Public(), Nonce: 9, Room: "lobby"}
		for i, at := range []int{0, 3} {
			s := w.stranger(w.nodes[at], 99)
			wait[*wire.Digests](s)
			list := s.sign(log, 6, func(e *wire.Entry) {
				if e.Seq == 4 {
					e.Time = int64(i)
				}
			})
			s.say(&wire.Heads{Room: "lobby", Heads: []wire.Head{headOf(log, list)}}, &wire.Entries{Log: log.ID(), First: 1, List: list})
			defer s.end.Close()
		}
		w.settle(5 * time.Second)
		w.converged()
		for _, n := range w.nodes {
			if head, _ := n.HeadOf(log.ID(), true); head.Seq != 3 {
				t.Errorf("node %d has entries up to %d, want 3", n.n, head.Seq)
			}
			if len(n.forks) != 1 {
				t.Errorf("node %d has %d proofs", n.n, len(n.forks))
			}
		}
		late := w.add(nil, 1)
		w.start(late)
		w.settle(5 * time.Second)
		if head, _ := late.HeadOf(log.ID(), true); head.Seq != 3 || len(late.forks) != 1 {
			t.Errorf("a node that comes later has entries up to %d", head.Seq)
		}
		before := w.stats()
		w.settle(30 * time.Second)
		if s := w.stats(); s.Received != before.Received {
			t.Errorf("%d entries are still asked for in vain", s.Received-before.Received)
		}
	})
}

// A disk that is full takes nothing, and gets what it has missed when there is room.
func TestFullDisk(t *testing.T) {
	run2(t, func(w *world) {
		w.full(2)
		w.nodes[1].full = true
		w.nodes[0].say("lobby", "hello")
		w.settle(20 * time.Second)
		if n := w.nodes[1]; len(n.order) != 0 || n.offers > 20 {
			t.Errorf("%d entries, %d offers", len(n.order), n.offers)
		}
		w.nodes[1].full = false
		w.until(10 * time.Second)
	})
}

// Nodes that are all empty agree on a space, whoever dials whom.
func TestEmptyNodesAgree(t *testing.T) {
	run2(t, func(w *world) {
		for i := range 5 {
			w.add(nil, (i+1)%5)
			w.nodes[i].sharing.Space = [16]byte{byte(10 + (i*3)%5)}
		}
		w.start(w.nodes...)
		w.settle(time.Minute)
		for _, n := range w.nodes {
			if n.sharing.Space[0] != 10 {
				t.Errorf("node %d is of space %d", n.n, n.sharing.Space[0])
			}
		}
		w.nodes[2].say("lobby", "hello")
		w.until(5 * time.Second)
	})
}

// Rooms that become readable are told of within a minute or so.
func TestRoomOpens(t *testing.T) {
	run2(t, func(w *world) {
		w.full(2)
		w.nodes[0].private["cellar"] = true
		w.nodes[0].say("cellar", "hello")
		w.settle(5 * time.Second)
		if len(w.nodes[1].order) != 0 {
			t.Fatal("a private room was told of")
		}
		w.nodes[0].mu.Lock()
		delete(w.nodes[0].private, "cellar")
		w.nodes[0].mu.Unlock()
		w.until(2 * digestEvery)
	})
}

// Who is where is known on all nodes that have admitted who tells of it, and forgotten when a node has gone.
func TestPeople(t *testing.T) {
	run2(t, func(w *world) {
		for i := range 4 {
			var connect []int
			if i > 0 {
				connect = []int{i - 1}
			}
			w.add(nil, connect...)
			key := keyOf(uint64(100 + i)).ID()
			w.nodes[i].people = wire.NodePeople{Count: 1, People: []wire.Abroad{{Key: key[:], Name: "carol", Rooms: []string{"lobby", "cellar"}}}}
		}
		w.nodes[3].say("lobby", "x")
		w.start(w.nodes...)
		w.settle(10 * time.Second)
		for _, n := range w.nodes {
			if got, want := n.others(), min(n.n+1, 3); len(got) != want { // each has admitted the one before, and not the one behind
				t.Errorf("node %d knows of %d others; want %d", n.n, len(got), want)
			}
			for _, other := range n.others() {
				far := n.n > 1 && identity.ID(other.Node) == w.nodes[n.n-2].key.ID() // by way of one that has not admitted it
				if far && slices.Contains(other.People[0].Rooms, "cellar") {
					t.Errorf("node %d is told who is in a room that it can't read", n.n)
				}
			}
		}
		first := w.nodes[0].key.ID()
		w.nodes[0].mu.Lock()
		w.nodes[0].people.People = nil
		w.nodes[0].mu.Unlock()
		w.settle(3 * time.Second)
		find := func(n *node) *wire.NodePeople {
			for _, other := range n.others() {
				if identity.ID(other.Node) == first {
					return &other
				}
			}
			return nil
		}
		if p := find(w.nodes[3]); p == nil || len(p.People) != 0 || p.Hops != 3 || p.Title != "node 0" {
			t.Errorf("the last node knows %+v", p)
		}
		w.settle(5 * time.Minute)
		if find(w.nodes[3]) == nil {
			t.Error("a node that is there was forgotten")
		}
		w.stop(w.nodes[0])
		w.settle(2 * peopleLife)
		if p := find(w.nodes[3]); p != nil {
			t.Errorf("a node that has gone is still told of: %+v", p)
		}
	})
}

// Of a node that is linked only its own word about its people counts.
func TestPeopleOfAnother(t *testing.T) {
	run2(t, func(w *world) {
		w.full(2)
		s := w.stranger(w.nodes[0], 99)
		wait[*wire.Digests](s)
		linked, self, far := w.nodes[1].key.ID(), w.nodes[0].key.ID(), keyOf(50).ID()
		s.say(&wire.PeerPeople{Nodes: []wire.NodePeople{{Node: linked[:], Version: 1 << 41, Count: 9}, {Node: self[:], Version: 1 << 41}, {Node: far[:], Version: 1 << 52}}})
		s.say(&wire.PeerPeople{Nodes: []wire.NodePeople{{Node: far[:], Version: 5, Hops: wire.MaxHops}}})
		w.settle(3 * time.Second)
		for _, n := range w.nodes[0].others() {
			if n.Count == 9 || identity.ID(n.Node) != linked || n.Hops != 1 {
				t.Errorf("it believes %+v", n)
			}
		}
		s.say(&wire.PeerPeople{Nodes: []wire.NodePeople{{Node: far[:], Version: 5}}}) // as if it were its own word
		w.settle(3 * time.Second)
		for _, n := range w.nodes[0].others() {
			if identity.ID(n.Node) == far {
				t.Errorf("what a guest says of another node is believed: %+v", n)
			}
		}
		s.end.Close()
		if _, err := w.nodes[0].mesh.Admit(keyOf(98).ID().String(), wire.AdmitIt); err != nil {
			t.Fatal(err)
		}
		s = w.stranger(w.nodes[0], 98)
		wait[*wire.Digests](s)
		s.say(&wire.PeerPeople{Nodes: []wire.NodePeople{{Node: far[:], Version: 5}}}) // as if it were its own word
		w.settle(3 * time.Second)
		told := false
		for _, n := range w.nodes[0].others() {
			told = told || identity.ID(n.Node) == far && n.Hops == 2
		}
		if !told {
			t.Errorf("an admitted node's word of another one is no longer passed on as that: %+v", w.nodes[0].others())
		}
		s.end.Close()
	})
}

// However often a node tells who is there, it is taken in and passed on once a second: what came last.
func TestPeopleTooOften(t *testing.T) {
	run2(t, func(w *world) {
		w.full(2)
		s := w.stranger(w.nodes[0], 99)
		wait[*wire.Digests](s)
		w.settle(time.Second)
		id := s.key.ID()
		count := func(n *node) uint64 {
			for _, other := range n.others() {
				if identity.ID(other.Node) == id {
					return other.Count
				}
			}
			return 0
		}
		before := w.nodes[0].mesh.Stats().SmallSent
		for i := range uint64(500) {
			s.say(&wire.PeerPeople{Nodes: []wire.NodePeople{{Node: id[:], Version: i + 1, Count: i + 1}}})
		}
		w.settle(500 * time.Millisecond)
		if got := count(w.nodes[0]); got > 1 {
			t.Errorf("word %d is taken at once", got)
		}
		w.settle(3 * time.Second)
		for _, n := range w.nodes {
			if got := count(n); n.n == 0 && got != 500 {
				t.Errorf("node %d knows of %d people", n.n, got)
			}
		}
		if sent := w.nodes[0].mesh.Stats().SmallSent - before; sent > 30 {
			t.Errorf("%d records were said for it", sent)
		}
		s.end.Close()
	})
}
