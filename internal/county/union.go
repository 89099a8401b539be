package county

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/faults"
	"chatnode/internal/oracle"
)

// lobby is where all users of a union are.
const lobby = "lobby"

// Union is some nodes that share their rooms, and their users. Its nodes tell nobody where they are, so that they are linked as the test says and no
// other way.
type Union struct {
	*testing.T
	county *County
	sites  []*Site
}

// Site is one node of a union, through all its lives.
type Site struct {
	*Program // its present life; nil: it is down
	Addr     string
	Users    []*Program

	name    string
	dir     string
	args    []string
	history *oracle.History // of its own log
	cables  []*Cable        // that lead to it
	union   *Union
}

// Cable is the only way from one node to another.
type Cable struct{ *faults.Proxy }

// Cut ends what is on the cable, and swallows what is put on it until Mend.
func (c *Cable) Cut() {
	c.Hold(true, true)
	c.Reset()
}

// Mend undoes Cut.
func (c *Cable) Mend() { c.Resume() }

// Union returns nodes of these names, which are down yet.
func (c *County) Union(t *testing.T, names ...string) *Union {
	u := &Union{T: t, county: c}
	for _, name := range names {
		u.sites = append(u.sites, &Site{name: name, dir: t.TempDir(), history: new(oracle.History), union: u})
	}
	return u
}

// Link lays a cable from one node to another: from dials, as long as it lives. It is called before from is up.
func (u *Union) Link(from, to int) *Cable {
	u.Helper()
	proxy, err := faults.NewProxy("127.0.0.1:1") // nobody, until it is up
	if err != nil {
		u.Fatal(err)
	}
	u.Cleanup(proxy.Close)
	cable := &Cable{proxy}
	u.sites[to].cables = append(u.sites[to].cables, cable)
	u.sites[from].args = append(u.sites[from].args, "-connect", proxy.Addr())
	return cable
}

// Up starts all nodes, with these flags beside their own.
func (u *Union) Up(args ...string) {
	u.Helper()
	for _, s := range u.sites {
		s.Up(args...)
	}
}

// Up starts a node, or starts it anew with what it has kept.
func (s *Site) Up(args ...string) {
	s.union.Helper()
	args = slices.Concat([]string{"-data", s.dir, "-title", s.name, "-public", s.name + ".invalid:1", "-keep-free", "0"}, s.args, args)
	s.Program, s.Addr = s.union.county.Node(s.union.T, args...)
	for _, cable := range s.cables {
		cable.Retarget(s.Addr)
	}
}

// Down stops a node.
func (s *Site) Down() {
	s.union.Helper()
	if code := s.Interrupt(); code != 0 {
		s.union.Errorf("%s ends with %d", s.name, code)
	}
	s.Program = nil
}

// User has somebody come to the node and stay. What they say is told to the oracles of all nodes.
func (s *Site) User(name string, args ...string) *Program {
	s.union.Helper()
	p := s.union.county.JoinStory(s.union.T, s.history, s.Addr, name, args...)
	for _, other := range s.union.sites {
		if other != s {
			p.also = append(p.also, other.history.Client(name))
		}
	}
	s.Users = append(s.Users, p)
	return p
}

// Chatter has each user of some nodes say n things, all at once, and waits until they are kept. It returns how many things that are.
func (u *Union) Chatter(what string, n int, sites ...*Site) int {
	u.Helper()
	said := 0
	for _, s := range sites {
		for _, p := range s.Users {
			for i := range n {
				p.Say(lobby, fmt.Sprintf("%s %s %d", what, p.Name, i))
				said++
			}
		}
	}
	for _, s := range sites {
		for _, p := range s.Users {
			p.WaitFor("acks", func() bool { return uint64(len(p.All(isAck))) == p.sends.Load() })
		}
	}
	return said
}

func isAck(o Object) bool { return o.Type == "ack" }

// Await waits until all users of some nodes have read so many messages.
func (u *Union) Await(n int, sites ...*Site) {
	u.Helper()
	for _, s := range sites {
		for _, p := range s.Users {
			p.WaitFor(fmt.Sprintf("%d messages", n), func() bool { return len(p.Messages(lobby)) >= n })
		}
	}
}

// Agree waits until all users of all nodes have read so many messages, and fails unless what each node's users lived through is true of its log, and all
// nodes list the same in the same causal order.
func (u *Union) Agree(n int) {
	u.Helper()
	u.Await(n, u.sites...)
	for _, s := range u.sites {
		Agree(u.T, s.history, lobby, n, s.Users...)
	}
	u.Same(n)
}

// Same fails unless all nodes list so many messages, and the same in the same causal order.
func (u *Union) Same(n int) {
	u.Helper()
	var first Object
	for i, s := range u.sites {
		list := s.Users[0].Causal(lobby)
		if i == 0 {
			first = list
		}
		if list.Total != n || list.Digest != first.Digest || list.Digest == "" {
			u.Errorf("%s lists %d messages with the digest %q, want %d and %q", s.name, list.Total, list.Digest, n, first.Digest)
		}
		if diff := cmp.Diff(sums(first.Messages), sums(list.Messages)); diff != "" {
			u.Errorf("causal lists differ (-%s +%s):\n%.2000s", u.sites[0].name, s.name, diff)
		}
	}
}

// verb runs a verb on what a node keeps, and returns what it printed.
func (s *Site) verb(name string, args ...string) string {
	s.union.Helper()
	var out, said lockedBuffer
	if code := s.union.county.Run(s.union.Context(), slices.Concat([]string{name, "-data", s.dir}, args), strings.NewReader(""), &out, &said); code != 0 {
		s.union.Errorf("%s of %s ends with %d: %s", name, s.name, code, said.String())
	}
	return out.String()
}

// Close stops all nodes, and fails unless what each keeps is sound, and all keep the same.
func (u *Union) Close() {
	u.Helper()
	for _, s := range u.sites {
		for _, p := range s.Users {
			p.Interrupt()
		}
		s.Down()
	}
	first := u.sites[0].verb("export", "-merged")
	for _, s := range u.sites {
		s.verb("check")
		if diff := cmp.Diff(first, s.verb("export", "-merged")); diff != "" || first == "" {
			u.Errorf("what %s and %s keep differs:\n%.2000s", u.sites[0].name, s.name, diff)
		}
	}
}

// Causal asks for the end of a room in causal order.
func (p *Program) Causal(room string) Object {
	p.t.Helper()
	p.Command("/history causal " + room)
	return p.ExpectType("causal")
}

// sums returns what is the same of messages on all nodes.
func sums(list []Object) (all []string) {
	for _, o := range list {
		all = append(all, fmt.Sprintf("%s %s %s: %s", o.ID, o.Author, o.Name, o.Text))
	}
	return all
}

// Linked waits until a node is linked with so many others, by the word of one of its users.
func (s *Site) Linked(n int) {
	s.union.Helper()
	p := s.Users[0]
	p.Ask("/peers", "peers", fmt.Sprintf("%d links", n), func(o Object) bool {
		linked := 0
		for _, peer := range o.Peers {
			if peer.State == "linked" {
				linked++
			}
		}
		return linked == n
	})
}
