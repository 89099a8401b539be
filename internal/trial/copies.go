package trial

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"chatnode/internal/client"
	"chatnode/internal/oracle"
	"chatnode/internal/wire"
)

// copyStore copies the files of a store that no node has open.
func (tr *trial) copyStore(from, to string) {
	tr.Helper()
	tr.check(os.RemoveAll(to))
	tr.check(os.CopyFS(to, os.DirFS(from)))
	tr.note("copied %s to %s", filepath.Base(from), filepath.Base(to))
}

// heads returns how far each room goes in the store in dir, which stays as it is.
func (tr *trial) heads(dir string) map[string]uint64 {
	tr.Helper()
	scratch := filepath.Join(tr.home, "scratch")
	tr.copyStore(dir, scratch)
	log, err := readLog(scratch)
	tr.check(err)
	heads := map[string]uint64{}
	for name, rows := range log.Rooms {
		heads[name] = log.Low[name] - 1 + uint64(len(rows))
	}
	return heads
}

// OlderCopy puts an older copy of a node's store in its place, made after it had stopped or was killed. Everybody has seen or sent more than it
// holds, and everybody is told why: who has acks that it does not know, who has seen more than there is, and who comes back late, when the
// log has grown beyond that but says something else there.
func OlderCopy(t testing.TB, house House) {
	tr := begin(t, house)
	old := filepath.Join(tr.home, "old")
	c := tr.gather("alice", "bob", "carol", "dave")
	alice, bob, early, late := c.members[0], c.members[1], c.members[2], c.members[3]
	for _, end := range []func(*process){tr.stop, tr.kill} {
		node := tr.up(Orders{})
		c.chat(alice, bob)
		end(node)
		tr.copyStore(tr.dir, old)
		node = tr.up(Orders{})
		c.chat(alice, bob)
		c.converge()
		late.proxy.Hold(true, true)
		end(node)
		tr.history.RolledBackTo(tr.heads(old))
		c.forgetResets()
		tr.copyStore(old, tr.dir)
		node = tr.up(Orders{})
		c.await("those who are early to be told", func() bool { return wasReset(alice, bob, early) })
		c.chat(alice, bob)
		c.chat(alice, bob)
		late.proxy.Resume()
		late.proxy.Reset() // what was held is of the node that is gone
		c.await("the one who is late to be told", func() bool { return wasReset(late) })
		c.converge()
		c.expectResets(map[string][]*member{client.WhyAcks: {alice, bob}, wire.WhyAhead.String(): {early}, wire.WhyHash.String(): {late}})
		tr.kill(node)
	}
	node := tr.up(Orders{})
	c.settle()
	tr.kill(node)
	c.judge()
}

// forgetResets has wasReset and expectResets count from here.
func (c *crowd) forgetResets() {
	c.changed(func() {
		for _, m := range c.members {
			m.resets = nil
		}
	})
}

// wasReset reports whether all of them were told a reset. crowd.mu is held.
func wasReset(members ...*member) bool {
	return !slices.ContainsFunc(members, func(m *member) bool { return len(m.resets) == 0 })
}

// expectResets fails the test unless members were told exactly one reset each, for its reason.
func (c *crowd) expectResets(want map[string][]*member) {
	c.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for why, members := range want {
		for _, m := range members {
			if len(m.resets) != 1 || m.resets[0].Why != why {
				c.Errorf("%s was told resets %v, want one: %s", m.name, m.resets, why)
			}
		}
	}
}

// TwoNodesOnCopies has two nodes run on copies of one store: they have one epoch, and two logs. Whoever goes from one to the other is told, and no
// number of the second log is taken for what it means in the first.
func TwoNodesOnCopies(t testing.TB, house House) {
	tr := begin(t, house)
	firstDir, other := tr.dir, filepath.Join(tr.home, "other")
	first := new(oracle.History) // of the first node alone
	c := tr.gather()
	c.heard = append(c.heard, first)
	alice, bob := c.add("alice"), c.add("bob") // bob only reads
	node := tr.up(Orders{})
	c.chat(alice)
	c.converge()
	tr.stop(node)
	tr.copyStore(tr.dir, other)
	tr.history.RolledBackTo(tr.heads(other)) // for those who go on with the first, when they come to the second
	node = tr.up(Orders{})

	tr.dir, tr.address = other, tr.freeAddress()
	twin := tr.up(Orders{})
	c.heard = c.heard[:1]
	carol, dave := c.add("carol"), c.add("dave")
	c.chat(alice)
	c.converge(alice, bob)
	c.chat(carol, dave)
	tr.kill(node)
	tr.judgeBy(firstDir, first)
	tr.note("alice and bob go to the other node")
	alice.proxy.Retarget(tr.address)
	bob.proxy.Retarget(tr.address)
	c.await("those who moved to be told", func() bool { return wasReset(alice, bob) })
	c.chat()
	c.settle()
	c.expectResets(map[string][]*member{client.WhyAcks: {alice}, wire.WhyHash.String(): {bob}})
	if len(carol.resets)+len(dave.resets) > 0 {
		t.Errorf("those who stayed were told of resets %v, %v", carol.resets, dave.resets)
	}
	tr.kill(twin)
	c.judge()
}

// StoreIsDeleted has a node begin anew in an empty folder: everybody is told that it is another.
func StoreIsDeleted(t testing.TB, house House) {
	tr := begin(t, house)
	c := tr.gather("alice", "bob", "carol")
	node := tr.up(Orders{})
	c.chat()
	tr.stop(node)
	tr.check(os.RemoveAll(tr.dir))
	if _, err := os.Stat(tr.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s is still there: %v", tr.dir, err)
	}
	node = tr.up(Orders{})
	c.await("all to be told", func() bool { return wasReset(c.members...) })
	c.chat()
	c.settle()
	c.expectResets(map[string][]*member{client.WhyEpoch: c.members})
	tr.kill(node)
	c.judge()
}
