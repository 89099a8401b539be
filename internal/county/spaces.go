package county

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	exitRefused = 5
	exitChanged = 6
)

// refused starts a node that is not to go on, and returns what it said. It fails unless it ends with that code.
func (c *County) refused(t *testing.T, code int, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), c.Patience)
	defer cancel()
	var said lockedBuffer
	if got := c.Run(ctx, append([]string{"-listen", "127.0.0.1:0", "-keep-free", "0"}, args...), strings.NewReader(""), io.Discard, &said); got != code {
		t.Errorf("it ends with %d, want %d; it said: %s", got, code, said.String())
	}
	return said.String()
}

// Spaces has two nodes that both have a history meet: the second ends and says why, and nothing has changed, also while it is linked with one of its own space. An
// invitation for nodes is good once; by it the two histories become one.
func Spaces(t *testing.T, c *County) {
	u := c.Union(t, "old", "new")
	old, other := u.sites[0], u.sites[1]
	u.Up()
	old.User("alice")
	other.User("bob")
	n := u.Chatter("before", 5, u.sites...)
	u.Await(5, u.sites...)
	for i, s := range u.sites {
		if got := len(s.Users[0].Messages(lobby)); got != 5 {
			t.Fatalf("node %d has %d messages, want 5", i, got)
		}
	}
	spaces := []string{spaceOf(old.Users[0]), spaceOf(other.Users[0])}
	other.Users[0].Interrupt()
	other.Users = nil
	other.Down()
	dir := []string{"-data", other.dir}
	said := c.refused(t, exitRefused, slices.Concat(dir, []string{"-connect", old.Addr})...)
	for _, word := range append(spaces, old.Addr, "/invite node") {
		if !strings.Contains(said, word) {
			t.Errorf("%q is not in what was said: %s", word, said)
		}
	}
	alice := old.Users[0]
	alice.Command("/invite node for 1h")
	link := strings.Replace(alice.ExpectType("invite").Link, "old.invalid:1", old.Addr, 1)
	other.args = []string{"-connect", link}
	other.Up()
	bob := other.User("bob", "-tail", "500")
	bob.WaitFor("both histories", func() bool { return len(bob.Messages(lobby)) >= n })
	if got := spaceOf(bob); got != spaces[0] {
		t.Errorf("the second node is of the space %s, want the first's, %s", got, spaces[0])
	}
	list := bob.Causal(lobby)
	alice.WaitFor("both histories", func() bool { return len(alice.Messages(lobby)) >= n })
	if same := alice.Causal(lobby); same.Total != n || same.Digest != list.Digest || !cmp.Equal(sums(same.Messages), sums(list.Messages)) {
		t.Errorf("the two differ: %d messages, %s, and %d, %s", same.Total, same.Digest, list.Total, list.Digest)
	}
	for _, peer := range []*Program{alice, bob} {
		o := peer.Ask("/peers", "peers", "an admitted peer", func(o Object) bool { return len(o.Peers) == 1 })
		if !o.Peers[0].Admitted {
			t.Errorf("%s says that the other node is not admitted", peer.Name)
		}
	}

	third := t.TempDir()
	begun, addr := c.Node(t, "-data", third)
	carol := c.Join(t, addr, "carol")
	carol.Say(lobby, "mine")
	carol.ExpectText("mine")
	carol.Interrupt()
	begun.Interrupt()
	_, addr = c.Node(t, "-data", third, "-connect", link)
	carol = c.Join(t, addr, "carol", "-tail", "10")
	carol.ExpectText("mine")
	carol.Ask("/peers", "peers", "a refusal", func(o Object) bool {
		return slices.ContainsFunc(o.Peers, func(p Object) bool { return p.State != "linked" && strings.Contains(p.Note, "invitation is not good") })
	})
	if list := carol.Messages(lobby); len(list) != 1 {
		t.Errorf("a used invitation brought %d messages", len(list)-1)
	}
}

func spaceOf(p *Program) string {
	p.Command("/peers")
	return p.ExpectType("peers").Space
}

// Changed has another node answer at an address than before: who has been told to link there ends at the start, and says what to do; who runs already goes on.
func Changed(t *testing.T, c *County) {
	first, addr := c.Node(t)
	dir := t.TempDir()
	second, at := c.Node(t, "-data", dir, "-connect", addr)
	user := c.Join(t, at, "bob")
	linked := func(want string) func(Object) bool {
		return func(o Object) bool { return len(o.Peers) > 0 && o.Peers[0].State == want }
	}
	user.Ask("/peers", "peers", "a link", linked("linked"))
	first.Interrupt()
	c.Node(t, "-listen", addr, "-data", t.TempDir()) // anew: its key is another one
	user.Ask("/peers", "peers", "another node at that address", func(o Object) bool {
		return slices.ContainsFunc(o.Peers, func(p Object) bool { return strings.Contains(p.Note, "another one than before") })
	})
	user.Say(lobby, "still here")
	user.ExpectText("still here")
	if code := second.Interrupt(); code != 0 {
		t.Errorf("a node that ran ends with %d", code)
	}
	said := c.refused(t, exitChanged, "-data", dir, "-connect", addr)
	if !strings.Contains(said, "chatnode trust -data") || !strings.Contains(said, addr) {
		t.Errorf("it does not say what to do: %s", said)
	}
}

// Guests has a node that nobody admitted link to one with private rooms: it gets what anybody may read, and no more, until an admin admits it; when it is
// dropped it gets nothing any more.
func Guests(t *testing.T, c *County) {
	u := c.Union(t, "home", "guest")
	u.Link(1, 0)
	u.Up()
	home, guest := u.sites[0], u.sites[1]
	alice := home.User("alice")
	bob := guest.User("bob")
	home.Linked(1)
	alice.Command("/join vault")
	alice.Expect("the vault", func(o Object) bool { return o.Type == "opened" && o.Room == "vault" })
	alice.Command("/private on")
	alice.Expect("the act", func(o Object) bool { return o.Type == "message" && o.Kind == "act" })
	alice.Say("vault", "secret")
	alice.ExpectText("secret")
	alice.Say(lobby, "for all")
	bob.ExpectText("for all")
	if strings.Contains(guest.verb("export"), "secret") {
		t.Error("a guest has what was said in a private room")
	}
	if list := roomsOf(bob); slices.Contains(list, "vault") {
		t.Errorf("a guest's users find a private room: %q", list)
	}
	o := alice.Ask("/peers admit guest", "peer", "the guest admitted", func(o Object) bool { return o.Admitted })
	if o.Title != "guest" || o.Node == "" {
		t.Errorf("admitted was %+v", o)
	}
	home.Linked(1)
	bob.Ask("/peers", "peers", "the private room on an admitted node", func(Object) bool { return strings.Contains(guest.verb("export"), "secret") })

	alice.Command("/peers drop guest")
	alice.ExpectType("peer")
	home.Linked(0)
	alice.Say(lobby, "not for it")
	alice.ExpectText("not for it")
	bob.Say(lobby, "anybody?")
	bob.ExpectText("anybody?")
	if len(alice.Messages(lobby)) != 2 || len(bob.Messages(lobby)) != 2 {
		t.Errorf("alice has read %d messages, bob %d, want 2", len(alice.Messages(lobby)), len(bob.Messages(lobby)))
	}
}

func roomsOf(p *Program) (names []string) {
	p.Command("/list")
	for _, raw := range p.ExpectType("list").Rooms {
		var room Object
		if err := json.Unmarshal(raw, &room); err != nil {
			p.t.Fatal(err)
		}
		names = append(names, room.Room)
	}
	return names
}

// Found has nodes find each other by multicast on loopback: one of the space whose address nobody knows any more is found, one of another space is left alone.
func Found(t *testing.T, c *County) {
	multicast(t)
	dir, second := t.TempDir(), t.TempDir()
	first, addr := c.Node(t, "-data", dir)
	other, at := c.Node(t, "-data", second, "-connect", addr)
	user := c.Join(t, at, "bob")
	user.Ask("/peers", "peers", "a link", func(o Object) bool { return len(o.Peers) == 1 && o.Peers[0].State == "linked" })
	user.Say(lobby, "once")
	user.ExpectText("once")
	alice := c.Join(t, addr, "alice", "-tail", "10")
	alice.ExpectText("once")
	user.Interrupt()
	other.Interrupt()
	alice.Interrupt()
	first.Interrupt()

	c.Node(t, "-data", dir, "-discover") // on another port
	c.Node(t, "-discover")               // of another space
	_, at = c.Node(t, "-data", second, "-discover")
	user = c.Join(t, at, "bob")
	user.Ask("/peers", "peers", "a link", func(o Object) bool { return len(o.Peers) == 1 && o.Peers[0].State == "linked" })
	if o := user.Ask("/peers", "peers", "peers", func(Object) bool { return true }); len(o.Peers) != 1 {
		t.Errorf("it knows %d nodes, want the one of its space", len(o.Peers))
	}
}

// multicast skips a test where loopback carries no multicast.
func multicast(t *testing.T) {
	t.Helper()
	all, err := net.Interfaces()
	i := slices.IndexFunc(all, func(i net.Interface) bool { return i.Flags&net.FlagLoopback != 0 && i.Flags&net.FlagUp != 0 })
	if err != nil || i < 0 {
		t.Skip("there is no loopback")
	}
	group := &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353}
	hears, err := net.ListenMulticastUDP("udp4", &all[i], group)
	if err != nil {
		t.Skip("loopback takes part in no group: ", err)
	}
	defer hears.Close()
	says, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, group)
	if err != nil {
		t.Skip("nothing is sent to a group: ", err)
	}
	defer says.Close()
	_ = hears.SetReadDeadline(time.Now().Add(time.Second))
	if _, err := says.Write(make([]byte, 12)); err != nil {
		t.Skip("nothing is sent to a group: ", err)
	}
	if _, err := hears.Read(make([]byte, 64)); err != nil {
		t.Skip("what is sent to a group on loopback is not heard: ", err)
	}
}
