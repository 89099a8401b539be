package trial

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/client"
	"chatnode/internal/oracle"
)

// PeersAreKilled links two nodes, has crowds talk on both, and kills one again and again, in all the ways of ServerIsKilled, and now and then the other; then it is
// the other way round. In the end each crowd's node has kept all that it acknowledged, as its oracle says, both have the same, and neither log has forked.
func PeersAreKilled(t testing.TB, house House) {
	tr := begin(t, house)
	both := []*trial{tr, tr.beside()}
	for i, at := range both {
		at.flags = []string{"-connect", both[1-i].address}
	}
	first, second := both[0].up(Orders{}), both[1].up(Orders{})
	both[1].awaits(second, "a link", func() bool { return strings.Contains(second.Said(), "msg=linked") }) // before anybody has a history
	crowds := []*crowd{both[0].gather("alice", "bob", "carol"), both[1].gather("dave", "erin", "frank")}
	for i, c := range crowds {
		c.overheard(both[1-i].history)
		c.talk(0)
	}
	both[0].kill(first)
	for turn, steady := range []*process{second, nil} {
		victim, other := both[turn], both[1-turn]
		if steady == nil {
			steady = other.up(Orders{})
		}
		for kill := range max(len(ways), house.Flags.Kills/4) {
			victim.liveAndDie(kill)
			if kill%4 == 3 {
				other.kill(steady)
				steady = other.up(Orders{})
			}
		}
		other.kill(steady)
	}
	lives := []*process{both[0].up(Orders{}), both[1].up(Orders{})}
	for _, c := range crowds {
		c.quiet()
	}
	tr.level(crowds)
	for i, c := range crowds {
		c.settle()
		c.kill(lives[i])
		c.judge()
		c.expectNothingLost()
	}
	var merged []map[string]any
	for i, at := range both {
		at.verb("check")
		list := at.verb("export", "-merged").objects
		if i > 0 {
			if diff := cmp.Diff(merged, list); diff != "" || len(list) < house.Flags.Kills/4 {
				t.Errorf("the two keep %d and %d messages, which differ:\n%.2000s", len(merged), len(list), diff)
			}
		}
		merged = list
	}
}

// beside returns another node of the same trial, with a store, an address and a history of its own.
func (tr *trial) beside() *trial {
	tr.Helper()
	other := &trial{
		TB: tr.TB, House: tr.House, ctx: tr.ctx, random: tr.random, began: tr.began, home: tr.home, dir: filepath.Join(tr.home, "other"), history: new(oracle.History),
	}
	other.address = other.freeAddress()
	tr.Cleanup(func() {
		other.endAll()
		if tr.Failed() || testing.Verbose() {
			tr.Log(other.account(0))
		}
	})
	return other
}

// overheard has a history know what the members of a crowd say, and nothing else of them: they are on another node than that whose history it is.
func (c *crowd) overheard(history *oracle.History) {
	for _, m := range c.members {
		m.hearsay = append(m.hearsay, history.Client(m.name))
	}
}

// level waits until two nodes, which are up, have the same of the room.
func (tr *trial) level(crowds []*crowd) {
	tr.Helper()
	page := func(c *crowd) (p client.CausalPage) {
		p, err := c.members[0].Causal(tr.ctx, room, client.CausalQuery{Last: true})
		tr.check(err)
		return p
	}
	for _, c := range crowds {
		c.converge()
	}
	begun := time.Now()
	for time.Since(begun) < tr.Patience {
		one, other := page(crowds[0]), page(crowds[1])
		if string(one.Digest) == string(other.Digest) && one.Total == other.Total {
			tr.note("both have %d messages", one.Total)
			return
		}
	}
	tr.Fatalf("both nodes to have the same: %v", errLate)
}

// verb runs a verb on the store, and returns what has ended. It fails the test unless that ends well.
func (tr *trial) verb(name string, args ...string) *process {
	tr.Helper()
	p := tr.spawn(Orders{}, append([]string{name, "-data", tr.dir}, args...)...)
	if code := tr.over(p); code != 0 {
		tr.Errorf("%s of %s ends with %d; it said: %s", name, tr.dir, code, p.Said())
	}
	return p
}
