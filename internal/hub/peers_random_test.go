package hub

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// TestPeersRandom lets people on three nodes do random things while random ones of them pull from one another, end, are put back to what they were, and
// begin again. Once all have the same entries all have the same rooms, whatever the order in which they came.
func TestPeersRandom(t *testing.T) {
	seeds, steps := []uint64{*seedFlag}, 250
	if *seedFlag == 0 {
		seeds = []uint64{rand.Uint64(), rand.Uint64(), rand.Uint64(), rand.Uint64(), rand.Uint64(), rand.Uint64()}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := &peersRun{t: t, rng: rand.New(rand.NewPCG(seed, 1)), people: make([]*client, 3), said: map[string]bool{}}
				p.nodes = newPeers(t, 3)
				for i := range p.nodes {
					p.nodes[i].admitAll(p.nodes)
					p.come(i)
				}
				for range steps {
					p.step()
				}
				p.finish()
			})
		})
	}
}

func (w *world) admitAll(all []*world) {
	for _, other := range all {
		if other != w {
			w.admit(other)
		}
	}
}

type peersRun struct {
	t       *testing.T
	rng     *rand.Rand
	nodes   []*world
	people  []*client
	came    int
	n       int
	backups [3]*store.Memory
	said    map[string]bool // texts that were kept somewhere where they can't be lost
}

var peersRooms = []string{"lobby", "garden"}

// come has the person of a node come back as a new client of theirs.
func (p *peersRun) come(i int) {
	p.came++
	c := p.nodes[i].signer(fmt.Sprint("person", i))
	c.origin = store.OriginToken{byte(p.came >> 8), byte(p.came)}
	p.people[i] = c.come(append([]string{"@"}, peersRooms...)...)
}

func (p *peersRun) step() {
	i := p.rng.IntN(3)
	w, c, room := p.nodes[i], p.people[i], peersRooms[p.rng.IntN(2)]
	other := secrets[fmt.Sprint("person", (i+1+p.rng.IntN(2))%3)].ID()
	switch n := p.rng.IntN(100); {
	case n < 40:
		p.n++
		c.say(room, fmt.Sprint("text ", p.n))
	case n < 44:
		p.n++
		c.cseq++
		c.do(&wire.Pub{CSeq: c.cseq, Room: room, Kind: chat.Topic, Body: fmt.Append(nil, "topic ", p.n)})
	case n < 56:
		acts := []string{"op %v", "deop %v", "ban %v 0s", "unban %v", "mute %v 0s", "unmute %v", "kick %v", "invite %v", "readonly", "writable", "private", "open", "welcome hi", "slow 0s"}
		text := acts[p.rng.IntN(len(acts))]
		if bytes.Contains([]byte(text), []byte("%v")) {
			text = fmt.Sprintf(text, other)
		}
		c.do(c.act(room, "%s", text))
	case n < 60:
		if v := c.views[room]; v != nil && len(v.rows) > 0 {
			c.do(c.redact(room, v.rows[p.rng.IntN(len(v.rows))]))
		}
	case n < 63:
		c.say("@"+other.String(), "psst")
	case n < 92:
		if from := p.nodes[p.rng.IntN(3)]; from != w {
			w.pull(from, true)
			w.settle()
		}
	case n < 94:
		p.backups[i] = w.store.Clone()
	case n < 98:
		p.restart(i, w.store.Clone())
	case p.backups[i] != nil:
		p.restart(i, p.backups[i].Restored())
	}
	elapse(time.Duration(p.rng.IntN(20)) * time.Second)
	p.rejoin(i)
}

// rejoin has a client ask again for the rooms that it was put out of.
func (p *peersRun) rejoin(i int) {
	for _, room := range peersRooms {
		if in, _ := p.people[i].in(room); !in {
			p.people[i].do(&wire.Join{Room: room, Tail: 10})
		}
	}
}

func (p *peersRun) restart(i int, with *store.Memory) {
	p.nodes[i].end()
	p.nodes[i] = newPeer(p.t, i, &slowStore{Memory: with})
	p.come(i)
}

func (p *peersRun) finish() {
	p.t.Helper()
	exchange(p.nodes...)
	checkEqual(p.t, p.nodes...)
	for i, w := range p.nodes {
		w.checkLogs()
		if faults := len(w.hub.Forks()); faults > 0 {
			p.t.Errorf("node %d has found %d forks where there are none", i, faults)
		}
		for _, name := range peersRooms {
			if diff := cmp.Diff(p.nodes[0].summary(name), w.summary(name)); diff != "" {
				p.t.Errorf("%s of node %d mismatch (-0 +%d):\n%s", name, i, i, diff)
			}
		}
	}
}

// summary returns what a room is, in words that are the same on all nodes.
func (w *world) summary(name string) (all []string) {
	w.t.Helper()
	if err := w.hub.call(func() {
		r := w.hub.rooms[name]
		if r == nil {
			return
		}
		all = append(all, fmt.Sprint("topic ", r.Topic), fmt.Sprint("owner ", r.Owner), fmt.Sprint("rules ", r.Rules.Private, r.Rules.ReadOnly, r.Rules.Welcome))
		for k := range r.standings {
			all = append(all, fmt.Sprint(k.stance, " ", identity.ID(k.key)))
		}
		slices.Sort(all)
	}); err != nil {
		w.t.Fatal(err)
	}
	return all
}
