package county

import (
	"fmt"
	"testing"
)

// Line links three nodes in a line, and has everybody talk at once: all of it arrives at both ends. The node in the middle dies; the ends go on, and have
// all of it when it is back.
func Line(t *testing.T, c *County) {
	u := c.Union(t, "west", "middle", "east")
	u.Link(0, 1)
	u.Link(2, 1)
	u.Up()
	west, middle, east := u.sites[0], u.sites[1], u.sites[2]
	west.User("alice")
	west.User("al")
	middle.User("bob")
	east.User("carol")
	west.Linked(1)
	east.Linked(1)
	n := u.Chatter("together", 10, u.sites...)
	u.Agree(n)

	middle.Users[0].Interrupt()
	middle.Users = nil
	middle.Down()
	n += u.Chatter("apart", 10, west, east)
	middle.Up()
	middle.User("barbara", "-tail", "500")
	u.Agree(n)
	if o := east.Users[0].Ask("/whois alice", "whois", "whois", func(Object) bool { return true }); o.Via == "" {
		t.Error("nobody vouches for somebody who is on another node")
	}
	u.Close()
}

// Ring links four nodes in a ring. One cable is cut: all goes the other way around. A second one is: there are two halves, each of which goes on alone; then both are
// mended.
func Ring(t *testing.T, c *County) {
	u := c.Union(t, "north", "east", "south", "west")
	var cables []*Cable
	for i := range u.sites {
		cables = append(cables, u.Link(i, (i+1)%len(u.sites)))
	}
	u.Up()
	for i, s := range u.sites {
		s.User([]string{"alice", "bob", "carol", "dave"}[i])
	}
	for _, s := range u.sites {
		s.Linked(2)
	}
	n := u.Chatter("round", 5, u.sites...)
	u.Agree(n)
	cables[0].Cut() // north to east
	n += u.Chatter("bent", 5, u.sites...)
	u.Agree(n)
	cables[2].Cut() // south to west: north and west are on one side
	for _, s := range u.sites {
		s.Linked(1)
	}
	n += u.Chatter("split", 10, u.sites...)
	u.Await(n-20, u.sites...)
	for _, s := range u.sites {
		if got := len(s.Users[0].Messages(lobby)); got != n-20 {
			t.Errorf("%s has %d messages of one half, want %d", s.name, got, n-20)
		}
	}
	cables[0].Mend()
	cables[2].Mend()
	u.Agree(n)
	u.Close()
}

// Star links four nodes with a fifth. That one is cut off without a word, and another leaf joins by the time it is back, with an empty store.
func Star(t *testing.T, c *County) {
	u := c.Union(t, "hub", "a", "b", "c", "late")
	cables := []*Cable{nil}
	for i := 1; i < len(u.sites); i++ {
		cables = append(cables, u.Link(i, 0))
	}
	for i, s := range u.sites[:4] {
		s.Up()
		if i > 0 {
			u.sites[0].Linked(i) // else it might have a history of its own before
		}
		s.User([]string{"alice", "bob", "carol", "dave"}[i])
	}
	early := u.sites[:4]
	n := u.Chatter("all", 5, early...)
	u.Await(n, early...)
	for _, cable := range cables[1:4] {
		cable.Cut()
	}
	n += u.Chatter("alone", 5, early...)
	late := u.sites[4]
	late.Up()
	for _, cable := range cables[1:4] {
		cable.Mend()
	}
	late.User("erin", "-tail", "500")
	late.Users[0].WaitFor("what was said before", func() bool { return len(late.Users[0].Messages(lobby)) >= n })
	n += u.Chatter("again", 5, u.sites...)
	u.Agree(n)
	u.Close()
}

// Failover has somebody with two addresses talk while the node that they are on goes, again and again, and the other comes back meanwhile: each message is kept and
// shown once, whoever said it, and nobody is told of a reset. What a node took and could not pass on any more is there when it is back.
func Failover(t *testing.T, c *County) {
	u := c.Union(t, "left", "right")
	u.Link(0, 1)
	u.Link(1, 0)
	u.sites[1].Up()
	u.sites[0].Up()
	left, right := u.sites[0], u.sites[1]
	left.User("bob")
	left.Linked(1)
	carol := c.Join(t, left.Addr, "carol", "-connect", right.Addr, "-timeout", "60s")
	said := 0
	say := func(p *Program, n int) (last string) {
		for range n {
			said++
			last = fmt.Sprintf("%s %d", p.Name, said)
			p.Say(lobby, last)
		}
		return last
	}
	for range 3 {
		say(carol, 10)
		say(left.Users[0], 5)
		u.Await(said, left)
		left.Users[0].Interrupt()
		left.Users = nil
		say(carol, 5) // nobody knows who will have them first
		left.Down()
		last := say(carol, 5)
		right.User("bob", "-tail", "500").ExpectText(last)
		left.Up("-listen", left.Addr)
		left, right = right, left
		left.Linked(1)
		u.Await(said, left)
	}
	carol.WaitFor("all of it", func() bool {
		return len(carol.Messages(lobby)) >= said && uint64(len(carol.All(isAck))) == carol.sends.Load()
	})
	met := map[string]int{}
	for _, o := range carol.Messages(lobby) {
		met[o.Text]++
	}
	for text, times := range met {
		if times != 1 {
			t.Errorf("%q was shown %d times", text, times)
		}
	}
	if len(met) != said {
		t.Errorf("%d messages were shown of %d", len(met), said)
	}
	for _, kind := range []string{"reset", "gap", "refused"} {
		if carol.Printed(kind) {
			t.Errorf("carol was told of a %s: %+v", kind, carol.All(func(o Object) bool { return o.Type == kind }))
		}
	}
	carol.Interrupt()
	right.User("dave", "-tail", "500")
	u.Await(said, u.sites...)
	u.Same(said)
	u.Close()
}
