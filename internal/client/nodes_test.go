package client

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// nodesOf records what a client says of other nodes.
func nodesOf(list *[][]Node) func(*Config) {
	return func(c *Config) {
		c.Rooms, c.Nodes = []string{"lobby"}, func(nodes []Node) { *list = append(*list, slices.Clone(nodes)) }
	}
}

func told(sites ...site) *wire.Nodes {
	r := new(wire.Nodes)
	for _, s := range sites {
		r.Nodes = append(r.Nodes, wire.NodeAt{Node: s.id[:], Hosts: []string{fmt.Sprintf("10.0.0.%d:8080", s.id[0])}})
	}
	return r
}

// TestNodesAreTold: whoever dials hears of other nodes, of what can be one of them, whenever that has changed.
func TestNodesAreTold(t *testing.T) {
	var heard [][]Node
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nodesOf(&heard))
		defer r.end()
		p, _ := r.at(siteA, 0)
		event[LinkUp](r)
		strange := told(siteB, siteC)
		strange.Nodes[0].Hosts = []string{"x", "[::1", "HOST:8080", "x:0"}
		strange.Nodes[1].Hosts = []string{":1"}
		p.tell(told(siteB, siteC), told(siteB, siteC), strange, told())
		elapse(time.Second)
		b, c := Node{siteB.id, []string{"10.0.0.11:8080"}}, Node{siteC.id, []string{"10.0.0.12:8080"}}
		if diff := cmp.Diff([][]Node{nil, {b, c}, {{siteB.id, []string{"host:8080"}}, c}}, heard); diff != "" {
			t.Errorf("heard (-want +got):\n%s", diff)
		}
		var others []site
		for i := range wire.MaxAddresses {
			others = append(others, site{id: identity.ID{0xd, byte(i)}})
		}
		p.tell(told(others...))
		elapse(time.Second)
		if last := heard[len(heard)-1]; len(last) != wire.MaxAddresses || last[0].ID != others[0].id || last[31].ID != others[31].id {
			t.Errorf("%d nodes are known", len(last))
		}
		tooMany := told(slices.Repeat([]site{siteB}, wire.MaxAddresses+1)...)
		short, hosts := told(siteB), told(siteB)
		short.Nodes[0].Node, hosts.Nodes[0].Hosts = []byte{1}, make([]string, wire.MaxHosts+1)
		for _, bad := range []*wire.Nodes{tooMany, short, hosts} {
			p.tell(bad)
			if e := event[LinkDown](r); !errors.Is(e.Err, wire.ErrMalformed) {
				t.Errorf("the link ends: %v", e.Err)
			}
			p, _ = r.at(siteA, 0)
			event[LinkUp](r)
		}
	})
}

// TestANamedNodeOfNoUse: where another node has led the client, and which is of another space, or refuses it, is not gone to any more, and changes nothing.
func TestANamedNodeOfNoUse(t *testing.T) {
	for name, meet := range map[string]func(*peer){
		"of another space": func(p *peer) { p.welcome(func(w *wire.Welcome) { siteB.welcome(w); w.Space = make([]byte, spaceLen) }) },
		"of none":          func(p *peer) { p.welcome(func(w *wire.Welcome) { siteB.welcome(w); w.Space = nil }) },
		"it refuses":       func(p *peer) { p.greet(); p.tell(&wire.Bye{Code: chat.NotInvited}) },
	} {
		t.Run(name, func(t *testing.T) {
			var heard [][]Node
			synctest.Test(t, func(t *testing.T) {
				r := start(t, nodesOf(&heard))
				defer r.end()
				p, first := r.at(siteA, 0)
				onChat[*wire.Join](p)
				log := &row{number: 3}
				p.tell(told(siteB, siteC))
				p.say(log.open("lobby"), log.same("one"))
				event[LinkUp](r)
				event[Opened](r)
				r.shows("one")
				p.Close()
				event[LinkDown](r)
				p = <-r.links
				p.node = siteB.id
				meet(p)
				if e := event[LinkDown](r); e.Err == nil {
					t.Error("the link ends without a reason")
				}
				if last := heard[len(heard)-1]; len(last) != 1 || last[0].ID != siteC.id {
					t.Errorf("left to go to: %v", last)
				}
				p, again := r.at(siteA, 0)
				if !bytes.Equal(first.Origin, again.Origin) {
					t.Error("the origin has changed")
				}
				event[LinkUp](r)
				if j := onChat[*wire.Join](p); j.Cursor == nil || j.Cursor.Seq != 1 {
					t.Errorf("the join is %+v", j)
				}
			})
		})
	}
}

// TestStoppingIsNotWaitedFor where there are other nodes.
func TestStoppingIsNotWaitedFor(t *testing.T) {
	var heard [][]Node
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nodesOf(&heard))
		defer r.end()
		for _, nodes := range []*wire.Nodes{told(), told(siteB)} {
			p, _ := r.at(siteA, 0)
			event[LinkUp](r)
			p.tell(nodes, &wire.Bye{Code: chat.Stopping, RetryAfterMS: 60_000})
			if e := event[LinkDown](r); (e.RetryIn == time.Minute) != (len(nodes.Nodes) == 0) {
				t.Errorf("with %d other nodes the next attempt is in %v", len(nodes.Nodes), e.RetryIn)
			}
		}
	})
}

// TestNodesAreRemembered beyond the process, and forgotten with the space.
func TestNodesAreRemembered(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		var heard [][]Node
		synctest.Test(t, func(t *testing.T) {
			s, with := withState(t, dir)
			defer s.Close()
			r := start(t, func(c *Config) { with(c); nodesOf(&heard)(c) })
			defer r.end()
			p, _ := r.at(siteA, 0)
			event[LinkUp](r)
			p.tell(told(siteB))
			elapse(time.Second)
		})
		if first := heard[0]; len(heard) == 1 && (len(first) != 1 || first[0].ID != siteB.id) {
			t.Errorf("the next one begins with %v", first)
		}
	}
	s := openState(t, dir)
	if err := s.renew([16]byte{1}, nil, WhyEpoch, 5, home{space: strings.Repeat("x", spaceLen)}); err != nil || len(s.nodes) != 0 {
		t.Errorf("%d nodes of another space are remembered, %v", len(s.nodes), err)
	}
}
