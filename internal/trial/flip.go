package trial

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// FlippedBits damages the files of a store behind a kill, a little or a lot, and has the node begin on them. Either it says that it can't, or ends
// when it meets the damage; or it serves, and whoever was told of a row that is not there is told so. It never panics or hangs. What a flip
// changed inside of a text is not for a node to find, but for chatnode check.
func FlippedBits(t testing.TB, house House) {
	tr := begin(t, house)
	whole := filepath.Join(tr.home, "whole")
	c := tr.gather("alice", "bob", "carol")
	for _, end := range []func(*process){tr.stop, tr.kill} { // one part of the rows is in the database, one in its log
		node := tr.up(Orders{})
		c.chat()
		end(node)
	}
	tr.copyStore(tr.dir, whole)
	ends := map[string]int{}
	for range house.Flags.Flips {
		head := c.shown()
		tr.copyStore(whole, tr.dir)
		tr.damage()
		c.forgetResets()
		ends[c.fare(head)]++
	}
	t.Logf("what became of %d damaged stores: %v", house.Flags.Flips, ends)
	if ends[served] == 0 {
		t.Error("no store could be served: either nothing stands any damage, or this shows nothing")
	}
}

// What becomes of a node on a damaged store.
const (
	served  = "served"
	refused = "refused to begin"
	gaveUp  = "ended at the damage"
)

// damage flips a few bits of one of the store's files, or cuts it short.
func (tr *trial) damage() {
	tr.Helper()
	path := filepath.Join(tr.dir, []string{"chatnode.db", "chatnode.db-wal"}[tr.random.IntN(2)])
	data, err := os.ReadFile(path)
	tr.check(err)
	if len(data) == 0 {
		tr.Fatalf("%s is empty: there is nothing to damage", path)
	}
	if tr.random.IntN(4) == 0 {
		data = data[:tr.random.IntN(len(data))]
		tr.note("%s ends at byte %d", filepath.Base(path), len(data))
	} else {
		flips := 1 << tr.random.IntN(8)
		for range flips {
			bit := tr.random.IntN(8 * len(data))
			data[bit/8] ^= 1 << (bit % 8)
		}
		tr.note("%d bits of %s are flipped", flips, filepath.Base(path))
	}
	tr.check(os.WriteFile(path, data, 0o600))
}

// shown returns the last row that everybody has been shown.
func (c *crowd) shown() map[*member]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	head := map[*member]uint64{}
	for _, m := range c.members {
		head[m] = max(m.last.Seq, m.acked)
	}
	return head
}

// fare has the node begin on a damaged store, everybody say a word, and tells what became of it.
func (c *crowd) fare(told map[*member]uint64) string {
	c.Helper()
	node, err := c.rise(Orders{})
	switch {
	case errors.Is(err, errLate):
		c.Fatal(err)
	case err != nil:
		c.endsAlone(node, 1, 3)
		return refused
	}
	before := map[*member]int{}
	c.mu.Lock()
	for _, m := range c.members {
		before[m] = m.answers
	}
	c.mu.Unlock()
	random := c.seeded()
	for _, m := range c.members {
		if m.Pending() == 0 {
			m.say(random)
		}
	}
	lost := ""
	alive := c.awaitOr(node, "everybody to be answered", func() bool {
		for _, m := range c.members {
			if m.answers == before[m] {
				return false
			}
			if m.acked > 0 && m.acked <= told[m] && len(m.resets) == 0 {
				lost = fmt.Sprintf("%s is told that its new message is row %d, and was told of %d rows before, without a reset", m.name, m.acked, told[m])
			}
		}
		return true
	})
	if lost != "" {
		c.Error(lost)
	}
	if !alive {
		c.endsAlone(node, 1, 3)
		return gaveUp
	}
	c.kill(node)
	return served
}
