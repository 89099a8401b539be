package trial

import (
	"testing"
)

const (
	// mostGrowth is how much more memory a node may take while somebody catches up with everything, however much that is: what the others say meanwhile
	// stays in memory, the database has its caches, and the garbage collector its slack.
	mostGrowth = 160 << 20
	// publishers is how many talk meanwhile.
	publishers = 4
)

// FarBehind has a client come back that was away for a great many messages, to a node that has none of them in memory and goes on to get new ones. It
// is shown all of them, in order, and the node's memory does not follow their number.
func FarBehind(t testing.TB, house House) {
	tr := begin(t, house)
	c := tr.gather()
	c.unanswered = manyUnanswered
	for _, name := range []string{"alice", "bob", "carol", "dave", "zoe"} {
		c.add(name)
	}
	talkers, zoe := c.members[:publishers], c.members[publishers]
	node := tr.up(Orders{})
	c.chat(talkers...)
	c.converge()
	left := zoe.last.Seq
	zoe.proxy.Hold(true, true)
	zoe.proxy.Reset()
	c.talk(house.Flags.Far/publishers, talkers...)
	c.talkers.Wait()
	c.converge(talkers...)
	tr.stop(node)

	node = tr.up(Orders{})
	c.chat(talkers...)
	before, known := memory(node.cmd.Process.Pid)
	c.talk(0, talkers...)
	head := talkers[0].last.Seq
	zoe.proxy.Resume()
	c.await("the one who was away to have caught up", func() bool { return zoe.last.Seq >= head })
	c.settle()
	bound := int64(mostGrowth)
	if raced() {
		bound *= raceFactor
	}
	if after, _ := memory(node.cmd.Process.Pid); known {
		tr.history.Measured("bytes of memory of the node, above those it had", after-before, bound)
		tr.note("memory went from %d to %d bytes", before, after)
	}
	tr.note("%d rows were caught up with", head-left)
	if head-left < uint64(house.Flags.Far) {
		t.Errorf("only %d messages were missed", head-left)
	}
	tr.kill(node)
	c.judge()
	c.expectNothingLost()
}
