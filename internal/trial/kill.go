package trial

import (
	"testing"
	"time"

	"chatnode/internal/store"
)

// ways are the ways in which a node is killed in turn. The numbers are bounds of random ones.
var ways = []struct {
	name   string
	orders func(n uint64, linger time.Duration) Orders
}{
	{"at any moment", nil},
	{"ahead of an Append", func(n uint64, _ time.Duration) Orders { return Orders{Before: n} }},
	{"behind an Append, ahead of all acks", func(n uint64, _ time.Duration) Orders { return Orders{After: n} }},
	{"between ack and broadcast", func(n uint64, linger time.Duration) Orders { return Orders{After: n, Linger: linger} }},
	{"in a checkpoint", func(_ uint64, linger time.Duration) Orders {
		return Orders{Moment: store.InCheckpoint, Times: 1, Linger: linger}
	}},
	{"while it indexes", func(n uint64, _ time.Duration) Orders { return Orders{Moment: store.InIndex, Times: 1 + int64(n)%2} }},
}

const (
	// mostAppends bounds how many batches a node commits before it dies.
	mostAppends = 40
	// mostLinger bounds how much later than told it dies: long enough for acks and rows to be on their way.
	mostLinger = 2 * time.Millisecond
	// mostLife bounds the life of a node that dies at any moment.
	mostLife = 150 * time.Millisecond
	// annoyance is how long connections last at most before one of them is tampered with.
	annoyance = 40 * time.Millisecond
)

// ServerIsKilled has clients flood a node through connections that break, kills it again and again, at any moment and at those where something
// is half done, and starts it anew in its place. In the end all agree on one log that keeps all promises.
func ServerIsKilled(t testing.TB, house House) {
	tr := begin(t, house)
	c := tr.gather("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
	c.talk(0)
	stop := c.annoy(annoyance)
	for kill := range house.Flags.Kills {
		tr.liveAndDie(kill)
	}
	stop()
	node := tr.up(Orders{})
	c.settle()
	tr.kill(node)
	log := c.judge()
	c.expectNothingLost()
	if len(log.Rooms[room]) < house.Flags.Kills {
		t.Errorf("%d rows are kept behind %d kills: nobody was talking", len(log.Rooms[room]), house.Flags.Kills)
	}
}

// liveAndDie starts the node and has it killed, in the way that is due.
func (tr *trial) liveAndDie(kill int) {
	tr.Helper()
	way := ways[kill%len(ways)]
	tr.note("kill %d: %s", kill+1, way.name)
	if way.orders == nil {
		node, err := tr.rise(Orders{})
		tr.check(err)
		pause(tr.ctx, time.Duration(tr.random.Int64N(int64(mostLife))))
		tr.kill(node)
		return
	}
	node, _ := tr.rise(way.orders(1+tr.random.Uint64N(mostAppends), time.Duration(tr.random.Int64N(int64(mostLinger))))) // it may die first
	// Under the race detector, a slow machine may not get as far as a copy of the log, which takes megabytes of talk.
	if raced() {
		defer time.AfterFunc(tr.Patience/2, node.Kill).Stop()
	}
	if code := tr.over(node); code != -1 {
		tr.Fatalf("the node ends with %d, and was to be killed %s", code, way.name)
	}
}

// expectNothingLost fails the test if anybody was shown a gap or a reset: no kill is a reason for one.
func (c *crowd) expectNothingLost() {
	c.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		if len(m.resets)+len(m.gaps) > 0 {
			c.Errorf("%s was shown resets %v and gaps %v", m.name, m.resets, m.gaps)
		}
		if len(m.notices) > 0 {
			c.Errorf("%s was told %v", m.name, m.notices)
		}
	}
}

// ServerLetsGo is ServerIsKilled while old rows are being let go of: whoever was away too long is shown a gap.
func ServerLetsGo(t testing.TB, house House) {
	const kills = 4
	tr := begin(t, house)
	c := tr.gather("alice", "bob", "carol")
	c.talk(0)
	for kill := range kills {
		orders := Orders{Moment: store.InRetention, Times: 1 + tr.random.Int64N(3), Linger: time.Duration(kill%2) * mostLinger / 2}
		node, _ := tr.rise(orders, "-keep-size", "64KB") // it may die first
		if code := tr.over(node); code != -1 {
			t.Fatalf("the node ends with %d, and was to be killed while it lets rows go", code)
		}
	}
	node := tr.up(Orders{}, "-keep-size", "64KB")
	c.settle()
	tr.kill(node)
	log := c.judge()
	if log.Low[room] <= 1 {
		t.Error("no row was let go of")
	}
}
