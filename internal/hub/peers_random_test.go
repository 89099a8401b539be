package hub

import (
	"bytes"
	"encoding/binary"
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
//
// With an even seed the rooms are contested: each node has made them, and it becomes known later who owns them. What somebody takes away on the way is gone where
// that was right then, so nobody takes away what is not theirs. In two of four seeds nodes are forgetful: they are put back to backups. What was taken away
// meanwhile they have again, so nobody takes anything away.
func TestPeersRandom(t *testing.T) {
	seeds, steps := []uint64{*seedFlag}, 250
	if *seedFlag == 0 {
		seeds = []uint64{rand.Uint64(), rand.Uint64(), rand.Uint64(), rand.Uint64(), rand.Uint64(), rand.Uint64()}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := &peersRun{
					t: t, seed: seed, contested: seed%2 == 0, forgetful: seed%4 < 2, rng: rand.New(rand.NewPCG(seed, 1)), nodes: make([]*world, 3), people: make([]*client, 3),
				}
				for i := range p.nodes {
					p.start(i, store.NewSeededMemory(64<<20, p.rng.Uint64))
				}
				p.begin()
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
	t         *testing.T
	seed      uint64
	contested bool
	forgetful bool
	rng       *rand.Rand
	nodes     []*world
	people    []*client
	came      int
	n         int
	backups   [3]*store.Memory
}

var peersRooms = []string{"lobby", "garden"}

// secret returns a key that follows from the seed.
func (p *peersRun) secret(what byte, i int) *identity.Key {
	p.t.Helper()
	seed := [32]byte{what, byte(i)}
	binary.BigEndian.PutUint64(seed[2:], p.seed)
	key, err := identity.NewKey(rand.NewChaCha8(seed))
	if err != nil {
		p.t.Fatal(err)
	}
	return key
}

// start starts a node.
func (p *peersRun) start(i int, with *store.Memory) {
	p.came++
	random := rand.NewChaCha8([32]byte{4, byte(i), byte(p.came >> 8), byte(p.came)}) // no two that begin draw the same
	p.nodes[i] = newPeer(p.t, i, &slowStore{Memory: with}, func(c *Config) { c.Key, c.Rand = p.secret(2, i), random })
}

// begin has the nodes know of each other, and their people come.
func (p *peersRun) begin() {
	for i := range p.nodes {
		p.nodes[i].admitAll(p.nodes)
		p.come(i)
		if i == 0 && !p.contested {
			for _, room := range peersRooms {
				p.people[0].say(room, "made")
			}
			elapse(time.Second)
			for _, other := range p.nodes[1:] {
				other.admitAll(p.nodes)
				other.pull(p.nodes[0], true)
				other.settle()
			}
		}
	}
}

// label is what the test calls the person of a node, who has a key that follows from the seed too.
func (p *peersRun) label(i int) string {
	label := fmt.Sprint("person", i, " of ", p.seed)
	if secrets[label] == nil {
		secrets[label] = p.secret(5, i)
	}
	return label
}

// come has the person of a node come back as a new client of theirs.
func (p *peersRun) come(i int) {
	p.came++
	c := p.nodes[i].signer(p.label(i))
	c.asked = fmt.Sprint("person", i)
	c.origin = store.OriginToken{byte(p.came >> 8), byte(p.came)}
	p.people[i] = c.come(append([]string{"@"}, peersRooms...)...)
}

func (p *peersRun) step() {
	i := p.rng.IntN(3)
	w, c, room := p.nodes[i], p.people[i], peersRooms[p.rng.IntN(2)]
	other := secrets[p.label((i+1+p.rng.IntN(2))%3)].ID()
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
		p.redact(c, room)
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
	case p.forgetful && p.backups[i] != nil:
		p.restart(i, p.backups[i].Restored())
	}
	elapse(time.Duration(p.rng.IntN(20)) * time.Second)
	p.rejoin(i)
}

// redact has a client take away the text of a row that it was shown.
func (p *peersRun) redact(c *client, room string) {
	v := c.views[room]
	if p.forgetful || v == nil || len(v.rows) == 0 {
		return
	}
	if e := v.rows[p.rng.IntN(len(v.rows))]; !p.contested || e.From == c.welcome.From {
		c.do(c.redact(room, e))
	}
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
	p.start(i, with)
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
