package hub

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/seal"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// peopleOf is what a node of that title says of who is there.
func peopleOf(title string, people ...wire.Abroad) wire.NodePeople {
	node := keyOf("node " + title)
	return wire.NodePeople{Node: node[:], Title: title, People: people, Count: uint64(len(people))}
}

// guestOf is somebody who is on another node. A "-" behind the name says that they are away.
func guestOf(name string, rooms ...string) wire.Abroad {
	label, away := strings.CutSuffix(name, "-")
	key := keyOf(chat.BaseName(label))
	return wire.Abroad{Key: key[:], Name: label, Away: away, Rooms: rooms}
}

// tell has the hub know who is on other nodes.
func (w *world) tell(nodes ...wire.NodePeople) {
	w.t.Helper()
	w.hub.SetAbroad(nodes)
	w.settle()
}

// inRoom returns who is in a room, as a client is told.
func (c *client) inRoom(room string) string {
	c.t.Helper()
	are := c.ask(&wire.Names{Room: room}).(*wire.NamesAre)
	return fmt.Sprint(are.Total, people(are.People, are.Away))
}

func wantInRoom(t *testing.T, c *client, room, want string) {
	t.Helper()
	if got := c.inRoom(room); got != want {
		t.Errorf("in %s are %q, want %q", room, got, want)
	}
}

// TestAbroad: people of other nodes are shown in the rooms, each key once, wherever it is, and go when their nodes' lists do.
func TestAbroad(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice", "lobby", "attic")
		elapse(presenceEvery)
		alice.watch("lobby", "attic")
		alice.presence()
		w.tell(peopleOf("west", guestOf("bob", "lobby", "attic", "nowhere"), guestOf("carol-", "lobby")), peopleOf("east", guestOf("carol-", "attic")))
		wantPresence(t, alice, "attic 3 here: bob carol-", "lobby 3 here: bob carol-")
		wantInRoom(t, alice, "lobby", "3 alice bob carol-")

		bob := w.attach("bob", "lobby") // is here too, and there
		wantPresence(t, alice)
		wantInRoom(t, alice, "lobby", "3 alice bob carol-")
		if n := alice.ask(&wire.List{}).(*wire.ListIs).Rooms[1]; n.Name != "lobby" || n.Members != 3 {
			t.Errorf("the list says %+v, want 3 members", n)
		}
		w.tell(peopleOf("east", guestOf("carol", "attic")))
		wantPresence(t, alice, "attic 2 here: carol gone: bob", "lobby 2 gone: carol")
		wantInRoom(t, alice, "lobby", "2 alice bob")
		w.tell(peopleOf("east", guestOf("carol", "attic"), guestOf("bob-", "lobby")))
		wantPresence(t, alice) // whoever is here is as they are here
		bob.leave(true)
		wantPresence(t, alice, "lobby 2 here: bob-")
		bob.attach()
		wantPresence(t, alice, "lobby 2 here: bob")
		w.tell()
		wantPresence(t, alice, "attic 1 gone: carol", "lobby 1 gone: bob")
		wantInRoom(t, alice, "lobby", "1 alice")
		if w.hub.accounts[keyOf("carol")] != nil {
			t.Error("somebody who is nowhere any more has an account")
		}
	})
}

// TestNamesAbroad: a name is lent to somebody abroad as long as nobody here wants it, and each name is one person's.
func TestNamesAbroad(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice", "lobby")
		elapse(presenceEvery)
		alice.watch("lobby")
		alice.presence()
		twin := guestOf("other", "lobby")
		twin.Name = "b0b" // which looks like bob
		impostor := guestOf("impostor", "lobby")
		impostor.Name = "alice"
		nodes := []wire.NodePeople{peopleOf("west", guestOf("bob", "lobby"), twin, impostor)}
		w.tell(nodes...)
		got := alice.presence()
		elapse(presenceEvery)
		w.settle()
		got = append(got, alice.presence()...)
		first, second := "bob", "b0b~"+suffixOf(keyOf("other"))
		if a, b := keyOf("other"), keyOf("bob"); bytes.Compare(a[:], b[:]) < 0 {
			first, second = "bob~"+suffixOf(keyOf("bob")), "b0b"
		}
		want := []string{"lobby 4 here:" + sortedNames("alice~"+suffixOf(keyOf("impostor")), first, second)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("presence (-want +got):\n%s", diff)
		}

		bob := w.newClient("newcomer") // of another key, and the name is theirs who comes
		bob.asked = "bob"
		bob.attach()
		if bob.welcome.Name != "bob" {
			t.Errorf("who comes is called %q, want bob", bob.welcome.Name)
		}
		w.settle()
		if is := alice.ask(&wire.Whois{Who: "bob"}).(*wire.WhoisIs); !bytes.Equal(is.Person.ID, bob.key[:]) || is.Via != "" || is.Sessions != 1 || is.Since == 0 {
			t.Errorf("bob is %+v, want the one who came", is)
		}
		for _, label := range []string{"bob", "other"} {
			id := keyOf(label)
			if is := alice.ask(&wire.Whois{Who: id.String()}).(*wire.WhoisIs); !strings.HasSuffix(is.Person.Name, suffixOf(id)) || is.Via != "west ("+keyOf("node west").String()+")" || is.Sessions != 1 || is.Since != 0 {
				t.Errorf("%s is called %q, via %q, with %d sessions since %d", label, is.Person.Name, is.Via, is.Sessions, is.Since)
			}
		}
		wantFailed(t, w.boss().ask(&wire.Release{Name: "alice~" + suffixOf(keyOf("impostor"))}), chat.NoSuchUser)

		comes := w.attach("impostor", "lobby") // who was told to be abroad comes here: the name becomes their own
		w.settle()
		if got := w.stored("impostor"); got.Name != "impostor" || comes.welcome.Name != "impostor" {
			t.Errorf("the store has %+v, and the welcome said %q", got, comes.welcome.Name)
		}
		w.tell()
		elapse(presenceEvery)
		w.settle()
		if got := w.stored("other"); !got.Key.IsZero() {
			t.Errorf("the store knows somebody who never came: %+v", got)
		}
		if is := alice.ask(&wire.Whois{Who: "impostor"}).(*wire.WhoisIs); is.Sessions != 1 {
			t.Errorf("who came is %+v", is)
		}
		wantFailed(t, alice.ask(&wire.Whois{Who: "b0b"}), chat.NoSuchUser)
	})
}

func suffixOf(id identity.ID) string {
	s := id.String()
	return s[len(s)-suffixStep:]
}

func sortedNames(names ...string) string {
	slices.Sort(names)
	return " " + strings.Join(names, " ")
}

// TestHostileAbroad: what other nodes say of people is bounded, lets nobody into a room, and is of no use where it is malformed.
func TestHostileAbroad(t *testing.T) {
	bubble(t, func(t *testing.T) {
		secret, err := identity.NewKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, func(c *Config) { c.Key = secret })
		owner := w.signer("owner").come("den", "pub", "lobby")
		owner.say("den", "psst")
		owner.wants(owner.act("den", "private"), chat.OK)
		owner.say("pub", "hello")
		boss := w.boss()
		boss.do(&wire.Join{Room: chat.Reports})
		boss.say(chat.Reports, "who is here?")
		w.attach("mallory").leave(true)
		owner.wants(owner.act("pub", "ban %v 0s", keyOf("mallory")), chat.OK)

		bob := guestOf("bob", "den", chat.Reports, "pub", "nowhere", "lobby", "lobby", "", strings.Repeat("a", 5000))
		half := guestOf("half", "lobby")
		half.Key = half.Key[:31]
		nameless := guestOf("nameless", "lobby")
		nameless.Name = "\x1b[2J"
		self := secret.ID()
		w.tell(
			peopleOf("west", bob, half, bob, guestOf("mallory", "pub", "lobby"), nameless),
			wire.NodePeople{Node: self[:], People: []wire.Abroad{guestOf("ghost", "lobby")}},
			wire.NodePeople{People: []wire.Abroad{guestOf("nobody's", "lobby")}},
		)
		wantInRoom(t, owner, "den", "1 owner")
		wantInRoom(t, owner, "pub", "2 bob owner")
		wantInRoom(t, boss, chat.Reports, "1 boss")
		wantInRoom(t, owner, "lobby", "4  bob mallory owner")
		if is := owner.ask(&wire.Whois{Who: "bob"}).(*wire.WhoisIs); !slices.Equal(is.Rooms, []string{"lobby", "pub"}) {
			t.Errorf("bob is in %q", is.Rooms)
		}

		var flood []wire.NodePeople
		for n := range 2 * maxNodesAbroad {
			node := peopleOf(fmt.Sprint(n))
			for i := range wire.MaxAbroad + 10 {
				p := guestOf(fmt.Sprintf("p%dx%d", n, i))
				for room := range maxRoomsAbroad + 10 {
					p.Rooms = append(p.Rooms, fmt.Sprint("room", room))
				}
				node.People = append(node.People, p)
			}
			flood = append(flood, node)
		}
		places := 0
		all := w.hub.mergeAbroad(flood)
		for _, a := range all {
			if places += len(a.rooms); len(a.rooms) > maxRoomsAbroad {
				t.Fatalf("somebody is in %d rooms", len(a.rooms))
			}
		}
		if len(all) != maxNodesAbroad*wire.MaxAbroad || places != maxPlaces {
			t.Errorf("%d people in %d places", len(all), places)
		}
		w.tell(flood...)
		w.tell()
		elapse(presenceEvery)
		if len(w.hub.accounts) > 5 || len(w.hub.afar) > 0 {
			t.Errorf("%d accounts are left, %d of people abroad", len(w.hub.accounts), len(w.hub.afar))
		}
		w.end()
		w.hub.SetAbroad(flood) // of no use, and no harm
		w.hub.TellNodes(nil)
	})
}

// TestCardsAbroad: what is sealed to somebody abroad is sealed to a card that is their own.
func TestCardsAbroad(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice")
		secret, err := identity.NewKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		id := secret.ID()
		card := seal.NewSelf(secret).Card()
		eve, _ := identity.NewKey(rand.Reader)
		bob := wire.Abroad{Key: id[:], Name: "bob"}
		for name, bad := range map[string][]byte{"another's": seal.NewSelf(eve).Card(), "half": card[:64], "none": nil, "zeros": make([]byte, wire.CardLen)} {
			bob.Card = bad
			w.tell(peopleOf("west", bob))
			if is := alice.ask(&wire.Whois{Who: "bob"}).(*wire.WhoisIs); len(is.Card) != 0 {
				t.Errorf("%s: the card is passed on", name)
			}
		}
		bob.Card = card
		w.tell(peopleOf("west", bob))
		if is := alice.ask(&wire.Whois{Who: "bob"}).(*wire.WhoisIs); !bytes.Equal(is.Card, card) {
			t.Error("whois does not tell the card")
		}
		alice.say("@bob", "hello")
		alice.do(&wire.Join{Room: "@bob"})
		if open := alice.view("@bob").opens[0]; !bytes.Equal(open.Card, card) || !bytes.Equal(open.Peer, id[:]) {
			t.Errorf("the conversation is opened by %+v", open)
		}
		if got := w.stored("bob"); !got.Key.IsZero() {
			t.Errorf("the store knows %+v", got)
		}
		w.tell()
		elapse(presenceEvery)
		if w.hub.accounts[id] == nil {
			t.Error("the other of a conversation has no account any more")
		}
	})
}

// TestPeople: other nodes are told who is here, with the rooms that they may know of.
func TestPeople(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		w.tell(peopleOf("west", guestOf("dave", "lobby")))
		boss := w.boss()
		boss.do(&wire.Join{Room: chat.Reports}, &wire.Join{Room: "lobby"})
		alice := w.signer("alice").come("den", "lobby")
		alice.say("den", "psst")
		alice.do(alice.act("den", "private"))
		alice.say("@boss", "hello")
		alice.away(true, "lunch")
		told := func(admitted bool) (out []string) {
			is := w.hub.People(admitted)
			if is.Count != 2 {
				t.Errorf("there are %d, want 2", is.Count)
			}
			for _, p := range is.People {
				out = append(out, fmt.Sprint(p.Name, " ", p.Away, " ", p.Rooms))
			}
			slices.Sort(out)
			return out
		}
		if diff := cmp.Diff([]string{"alice true [den lobby]", "boss false [lobby reports]"}, told(true)); diff != "" {
			t.Errorf("told to an admitted node (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"alice true [lobby]", "boss false [lobby]"}, told(false)); diff != "" {
			t.Errorf("told to a guest (-want +got):\n%s", diff)
		}
	})
}

// TestNodesTold: clients are told of other nodes when they come and when that changes, and nothing that is malformed.
func TestNodesTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		node := keyOf("node")
		told := func(c *client) (hosts []string) {
			w.settle()
			for _, r := range c.control {
				if r, ok := r.(*wire.Nodes); ok {
					hosts = append(hosts, fmt.Sprint(len(r.Nodes), " ", r.Nodes))
				}
			}
			c.control = nil
			return hosts
		}
		want := func(c *client, want ...wire.NodeAt) {
			t.Helper()
			if diff := cmp.Diff([]string{fmt.Sprint(len(want), " ", want)}, told(c)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.asked, diff)
			}
		}
		alice := w.attach("alice")
		w.hub.TellNodes(nil)
		if got := told(alice); got != nil {
			t.Errorf("of no nodes: %v", got)
		}
		good := wire.NodeAt{Node: node[:], Hosts: []string{"10.0.0.7:8080", "[fe80::1]:1"}}
		w.hub.TellNodes([]wire.NodeAt{
			{Node: node[:5], Hosts: good.Hosts}, {Node: node[:], Hosts: append([]string{"nowhere", strings.Repeat("a", 300) + ":1"}, good.Hosts...)}, {Node: node[:]},
		})
		want(alice, good)
		want(w.attach("bob"), good)
		w.hub.TellNodes([]wire.NodeAt{good})
		if got := told(alice); got != nil {
			t.Errorf("told again what was told: %v", got)
		}
		many := slices.Repeat([]wire.NodeAt{{Node: node[:], Hosts: slices.Repeat([]string{strings.Repeat("a", 250) + ":12345"}, 9)}}, 99)
		w.hub.TellNodes(many)
		w.hub.TellNodes([]wire.NodeAt{})
		want(alice)
		if got := told(w.attach("carol")); len(got) != 1 {
			t.Errorf("carol is told %v", got)
		}
		w.hub.TellNodes(many)
		w.settle()
		last := alice.control[len(alice.control)-1].(*wire.Nodes)
		if len(last.Nodes) != wire.MaxAddresses || len(last.Nodes[0].Hosts) != wire.MaxHosts {
			t.Errorf("told of %d nodes, with %d hosts each", len(last.Nodes), len(last.Nodes[0].Hosts))
		}
	})
}

// TestGuestsOfOtherNodesAreNoMembers: who is in a room when it becomes private is its member: of those abroad whom a node that is admitted has there by its own
// word, and nobody whom another one says to be there, whatever it says of whom.
func TestGuestsOfOtherNodesAreNoMembers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newPeer(t, 0, nil)
		alice := w.signer("alice").come("den")
		w.attach("carol", "den")
		w.attach("dave", "lobby")
		admitted, relayed, guest := peopleOf("west", guestOf("bob", "den")), peopleOf("east", guestOf("eve", "den"), guestOf("dave", "den")), peopleOf("south", guestOf("mallory", "den"))
		admitted.Hops, relayed.Hops, guest.Hops = 1, 2, 1
		for _, n := range []wire.NodePeople{admitted, relayed} {
			if err := w.hub.SavePeer(store.Peer{Node: identity.ID(n.Node), Mode: wire.AdmitIt}); err != nil {
				t.Fatal(err)
			}
		}
		w.tell(admitted, relayed, guest)
		if got := alice.inRoom("den"); !strings.HasPrefix(got, "6") {
			t.Fatalf("in the room are %q: the test is of no use", got)
		}
		alice.wants(alice.act("den", "private"), chat.OK)
		for name, want := range map[string]bool{"carol": true, "bob": true, "eve": false, "dave": false, "mallory": false} {
			if got := w.hub.rooms["den"].has(keyOf(name), store.Member); got != want {
				t.Errorf("%s is a member: %v, want %v", name, got, want)
			}
		}
	})
}
