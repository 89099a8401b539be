package hub

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// peerKey returns a node's key that follows from its number.
func peerKey(t testing.TB, n int) *identity.Key {
	t.Helper()
	k, err := identity.NewKey(rand.NewChaCha8([32]byte{2, byte(n)}))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// newPeers starts hubs that share what they have. Each is a node of its own.
func newPeers(t *testing.T, n int, options ...func(*Config)) []*world {
	t.Helper()
	peers := make([]*world, n)
	for i := range peers {
		peers[i] = newPeer(t, i, nil, options...)
	}
	return peers
}

// newPeer starts node n, with a store or, with nil, a new one.
func newPeer(t *testing.T, n int, from *slowStore, options ...func(*Config)) *world {
	t.Helper()
	w := newWorld(t, append([]func(*Config){func(c *Config) {
		c.Key = peerKey(t, n)
		if from != nil {
			c.Store = from
		}
	}}, options...)...)
	if err := w.hub.Share(); err != nil {
		t.Fatal(err)
	}
	return w
}

// node returns the id of the node that a world is.
func (w *world) node() identity.ID { return w.hub.cfg.Key.ID() }

// admit has a hub take another node's word.
func (w *world) admit(other *world) {
	w.t.Helper()
	if err := w.hub.SavePeer(store.Peer{Node: other.node(), Key: [32]byte(other.hub.cfg.Key.Public()), Mode: wire.AdmitIt}); err != nil {
		w.t.Fatal(err)
	}
}

// source returns what a world is to another one.
func (w *world) source(admitted bool) Source { return Source{Node: w.node(), Admitted: admitted} }

// pull has w take from another hub what it lacks, as far as that goes, and reports whether there was anything.
func (w *world) pull(from *world, admitted bool) (moved bool) {
	w.t.Helper()
	for _, d := range from.hub.Digests(admitted) {
		for _, head := range from.hub.Heads(d.Room, admitted) {
			if w.pullLog(from, head, admitted) {
				moved = true
			}
		}
	}
	return moved
}

func (w *world) pullLog(from *world, head wire.Head, admitted bool) (moved bool) {
	w.t.Helper()
	id := head.Log.ID()
	have, _ := w.hub.HeadOf(id, true)
	for have.Seq < head.Seq {
		source := from.source(admitted)
		first := have.Seq + 1
		if first < head.Low {
			first, source.Low = head.Low, head.Low
		}
		list, low, err := from.hub.Entries(id, first, head.Seq, 1<<10, admitted)
		if err != nil || low > first || len(list) == 0 {
			w.t.Fatalf("entries of %x from %d = %d of them, low %d, %v", id, first, len(list), low, err)
		}
		all, err := w.hub.OfferAll(source, []Run{{Log: head.Log, Low: source.Low, Private: head.Private, First: first, List: list}})
		got := all[0]
		if err != nil || got.Fault != "" {
			w.t.Fatalf("offer entry %d of %d: %+v, %v", first, len(list), got, err)
		}
		if got.Head == have.Seq {
			return moved
		}
		have.Seq, moved = got.Head, true
	}
	return moved
}

// exchange has hubs pull from one another until all have what any of them has.
func exchange(peers ...*world) {
	for _, w := range peers {
		w.settle()
	}
	for moved := true; moved; {
		moved = false
		for _, a := range peers {
			for _, b := range peers {
				if a != b && a.pull(b, true) {
					moved = true
				}
			}
		}
	}
	for _, w := range peers {
		w.settle()
	}
}

// causal returns the rows of a room in causal order, by the texts and ids that they have.
func (w *world) causal(room string) (list []string) {
	w.t.Helper()
	num := uint64(0)
	if err := w.hub.call(func() {
		if r := w.hub.shared(room); r != nil {
			num = r.Num
		}
	}); err != nil {
		w.t.Fatal(err)
	}
	entries, err := w.store.Causal(num, 0, wire.EntryID{}, math.MaxInt, false)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		record, _, err := w.store.Memory.Page(num, e.Row, e.Row, 1)
		if err != nil {
			w.t.Fatal(err)
		}
		event := decode(w.t, record)[0].(*wire.Event)
		author := w.hub.authors[event.From]
		list = append(list, fmt.Sprintf("%d %s %s %s %q %x", e.Lamport, hex.EncodeToString(e.ID[:4]), event.ID, author.String()[:8], event.Body, event.Opts.Gone))
	}
	return list
}

// checkEqual fails the test unless all hubs have the same of every room.
func checkEqual(t *testing.T, peers ...*world) {
	t.Helper()
	want := peers[0].hub.Digests(true)
	if len(want) == 0 {
		t.Fatal("there is nothing to compare")
	}
	for i, w := range peers[1:] {
		if diff := cmp.Diff(want, w.hub.Digests(true)); diff != "" {
			t.Errorf("digests of node %d mismatch (-want +got):\n%s", i+1, diff)
		}
		for _, d := range want {
			if diff := cmp.Diff(peers[0].causal(d.Room), w.causal(d.Room)); diff != "" {
				t.Errorf("%s of node %d mismatch (-want +got):\n%s", d.Room, i+1, diff)
			}
		}
	}
}

// checkLogs fails the test unless each entry that a hub has is true, and follows the one before it.
func (w *world) checkLogs() {
	w.t.Helper()
	for _, d := range w.hub.Digests(true) {
		for _, head := range w.hub.Heads(d.Room, true) {
			id := head.Log.ID()
			list, _, err := w.hub.Entries(id, head.Low, head.Seq, 1<<30, true)
			if err != nil || uint64(len(list)) != head.Seq-head.Low+1 {
				w.t.Fatalf("%d entries of %d to %d, %v", len(list), head.Low, head.Seq, err)
			}
			var prev []byte
			for i, s := range list {
				x := check(&head.Log, id, head.Low+uint64(i), s, true)
				if x.fault != "" || prev != nil && !bytes.Equal(x.Prev, prev) {
					w.t.Errorf("entry %d of the log of %x in %s: %s", x.Seq, head.Log.Node[:4], d.Room, x.fault)
				}
				prev = x.id[:]
			}
		}
	}
}

// TestPeersShareRooms: what is said on any of three nodes is on all of them, in one order, and causes come before what they cause.
func TestPeersShareRooms(t *testing.T) {
	bubble(t, func(t *testing.T) {
		peers := newPeers(t, 3)
		people := []*client{peers[0].attach("alice", "lobby"), peers[1].attach("bob", "lobby"), peers[2].attach("carol", "lobby")}
		for i := range 4 {
			for j, c := range people {
				c.say("lobby", fmt.Sprint(c.asked, i))
				if (i+j)%2 == 0 {
					peers[(j+1)%3].pull(peers[j], true)
				}
			}
		}
		people[0].submit(&wire.Pub{CSeq: 5, Room: "lobby", Kind: chat.Topic, Body: []byte("from alice")})
		exchange(peers...)
		people[2].submit(&wire.Pub{CSeq: 5, Room: "lobby", Kind: chat.Topic, Body: []byte("from carol")})
		exchange(peers...)
		checkEqual(t, peers...)
		for i, w := range peers {
			w.checkLogs()
			if texts := people[i].texts("lobby"); len(texts) != 14 {
				t.Errorf("node %d shows %d rows: %q", i, len(texts), texts)
			}
			if topic := w.hub.rooms["lobby"].Topic; topic != "from carol" {
				t.Errorf("the topic of node %d is %q", i, topic)
			}
		}
		checkIDs(t, people...)
	})
}

// checkIDs fails the test unless the same messages have the same ids for all.
func checkIDs(t *testing.T, people ...*client) {
	t.Helper()
	var want []string
	for i, c := range people {
		var ids []string
		for _, e := range c.view("lobby").rows {
			ids = append(ids, e.ID.String()+" "+string(e.Body))
		}
		slices.Sort(ids)
		if i == 0 {
			want = ids
		} else if diff := cmp.Diff(want, ids); diff != "" {
			t.Errorf("ids mismatch (-want +got):\n%s", diff)
		}
	}
}

// TestPeersNames: a name belongs to whom it belonged first on each node, and others have it with a suffix there.
func TestPeersNames(t *testing.T) {
	bubble(t, func(t *testing.T) {
		peers := newPeers(t, 2)
		one, other := peers[0].attach("sam", "lobby"), peers[1].newClient("sam from elsewhere")
		other.asked = "sam"
		other.attach()
		other.submit(&wire.Join{Room: "lobby"})
		one.say("lobby", "here")
		other.say("lobby", "there")
		exchange(peers...)
		for c, key := range map[*client]identity.ID{one: other.key, other: one.key} {
			if name, want := c.last("lobby").Name, chat.Suffixed("sam", key.String()); name != want {
				t.Errorf("the other one is called %q, want %q", name, want)
			}
		}
		w := peers[0]
		w.end()
		again := newPeer(t, 0, w.store)
		if a := again.hub.accounts[other.key]; a == nil || a.joined || a.name != chat.Suffixed("sam", other.key.String()) {
			t.Errorf("after a restart there is %+v", a)
		}
	})
}

// lie is what a liar changes of an entry that was true.
type lie struct {
	change func(e *wire.Entry, s *wire.Signed)
	keep   bool // the signature is that of the entry as it was
}

// TestOfferedLies: whatever is wrong with an entry, it is not taken, nothing changes, and the fault is named.
func TestOfferedLies(t *testing.T) {
	id16 := bytes.Repeat([]byte{7}, 16)
	lies := map[string]lie{
		"signature":     {func(_ *wire.Entry, s *wire.Signed) { s.Sig[0] ^= 1 }, true},
		"another's":     {func(_ *wire.Entry, s *wire.Signed) { s.Sig = bytes.Repeat([]byte{1}, 64) }, true},
		"changed":       {func(e *wire.Entry, _ *wire.Signed) { e.Name = "mallory" }, true},
		"text":          {func(_ *wire.Entry, s *wire.Signed) { s.Body = []byte("other") }, false},
		"salt":          {func(_ *wire.Entry, s *wire.Signed) { s.Salt[3] ^= 1 }, false},
		"no prev":       {func(e *wire.Entry, _ *wire.Signed) { e.Prev = nil }, false},
		"gap":           {func(e *wire.Entry, _ *wire.Signed) { e.Seq++ }, false},
		"far ahead":     {func(e *wire.Entry, _ *wire.Signed) { e.Lamport += 5 }, false},
		"behind":        {func(e *wire.Entry, _ *wire.Signed) { e.Lamport-- }, false},
		"end of time":   {func(e *wire.Entry, _ *wire.Signed) { e.Lamport = math.MaxUint64 }, false},
		"on itself":     {func(e *wire.Entry, _ *wire.Signed) { e.Deps = []wire.Dep{{Log: lieLog, Seq: e.Seq, ID: id16}} }, false},
		"many deps":     {func(e *wire.Entry, _ *wire.Signed) { e.Deps = make([]wire.Dep, 9) }, false},
		"name":          {func(e *wire.Entry, _ *wire.Signed) { e.Name = "a sentence, is it" }, false},
		"long name":     {func(e *wire.Entry, _ *wire.Signed) { e.Name = strings.Repeat("n", 999) }, false},
		"kind":          {func(e *wire.Entry, _ *wire.Signed) { e.Kind = 77 }, false},
		"skip":          {func(e *wire.Entry, _ *wire.Signed) { e.Kind = chat.Skip }, false},
		"sealed":        {func(e *wire.Entry, _ *wire.Signed) { e.Kind = chat.Sealed }, false},
		"not clean":     {func(e *wire.Entry, s *wire.Signed) { retext(e, s, "a\x1b[31mb") }, false},
		"too long":      {func(e *wire.Entry, s *wire.Signed) { retext(e, s, strings.Repeat("x", chat.MaxText+1)) }, false},
		"empty":         {func(e *wire.Entry, s *wire.Signed) { retext(e, s, "") }, false},
		"act":           {func(e *wire.Entry, s *wire.Signed) { e.Kind = chat.Act; retext(e, s, "readonly") }, false},
		"no act":        {func(e *wire.Entry, s *wire.Signed) { e.Kind = chat.Act; retext(e, s, "explode") }, false},
		"admin's text":  {func(e *wire.Entry, _ *wire.Signed) { e.Opts.Admin = true }, false},
		"author":        {func(e *wire.Entry, _ *wire.Signed) { e.Author = e.Author[:31] }, false},
		"origin":        {func(e *wire.Entry, _ *wire.Signed) { e.Origin = nil }, false},
		"sum":           {func(e *wire.Entry, _ *wire.Signed) { e.Sum[0] ^= 1 }, false},
		"row 0":         {func(e *wire.Entry, _ *wire.Signed) { e.Row = 0 }, false},
		"no topic text": {func(e *wire.Entry, s *wire.Signed) { e.Kind = chat.Topic; s.Salt, s.Body = nil, nil }, false},
	}
	bubble(t, func(t *testing.T) {
		peers := newPeers(t, 2)
		alice := peers[0].attach("alice", "lobby")
		alice.say("lobby", "one")
		peers[1].pull(peers[0], true)
		alice.say("lobby", "two")
		head := peers[0].hub.Heads("lobby", true)[0]
		lieLog = head.Log.ID()
		truth, _, err := peers[0].hub.Entries(lieLog, 2, 2, 1, true)
		if err != nil {
			t.Fatal(err)
		}
		w := peers[1]
		before := fmt.Sprintf("%+v", must(w.store.Load()))
		other := resigned(t, head.Log, truth[0], peers[0].hub.cfg.Key, lie{change: func(e *wire.Entry, _ *wire.Signed) { e.Prev[0] ^= 1 }})
		if got, err := w.hub.Offer(peers[0].source(true), head.Log, 2, []wire.Signed{other}); err != nil || got.Fault != "" || got.Doubt != 1 || got.Head != 1 {
			t.Errorf("an entry that goes on from another one: %+v, %v; want a doubt about entry 1", got, err)
		}
		for name, l := range lies {
			s := resigned(t, head.Log, truth[0], peers[0].hub.cfg.Key, l)
			got, err := w.hub.Offer(peers[0].source(true), head.Log, 2, []wire.Signed{s})
			if err != nil || got.Fault == "" || got.Head != 1 || got.Known != 0 {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
			if after := fmt.Sprintf("%+v", must(w.store.Load())); after != before {
				t.Errorf("%s: the store has changed", name)
			}
		}
		garbage := map[string]wire.Signed{"empty": {}, "noise": {Entry: []byte("noise"), Sig: make([]byte, 64)}, "spelled otherwise": {Entry: append(slices.Clone(truth[0].Entry), 0), Sig: truth[0].Sig}}
		for name, s := range garbage {
			if got, err := w.hub.Offer(peers[0].source(true), head.Log, 2, []wire.Signed{s}); err != nil || got.Fault == "" || got.Head != 1 {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
		for name, log := range map[string]wire.Log{
			"node": {Node: head.Log.Node[:5], Room: "lobby"}, "room": {Node: head.Log.Node, Room: "No Room"}, "nowhere": {Node: head.Log.Node},
			"conversation": {Node: head.Log.Node, Room: "@bob"}, "capital": {Node: head.Log.Node, Room: "Lobby"},
		} {
			if got, err := w.hub.Offer(peers[0].source(true), log, 1, truth); err != nil || got.Fault == "" {
				t.Errorf("log of %s: %+v, %v", name, got, err)
			}
		}
		if got, err := w.hub.Offer(peers[0].source(true), head.Log, 2, truth); err != nil || got.Head != 2 || got.Fault != "" {
			t.Errorf("the truth: %+v, %v", got, err)
		}
		w.checkLogs()
	})
}

// lieLog is the log that TestOfferedLies is about.
var lieLog wire.LogID

// retext gives an entry another text.
func retext(e *wire.Entry, s *wire.Signed, text string) {
	s.Body = []byte(text)
	sum := chat.BodySum((*[16]byte)(s.Salt), s.Body)
	e.Sum = sum[:]
}

// resigned returns an entry with a lie in it, signed by a key.
func resigned(t *testing.T, log wire.Log, s wire.Signed, key *identity.Key, l lie) wire.Signed {
	t.Helper()
	e, err := wire.DecodeEntry(s.Entry)
	if err != nil {
		t.Fatal(err)
	}
	s.Sig, s.Salt = slices.Clone(s.Sig), slices.Clone(s.Salt)
	l.change(e, &s)
	s.Entry = e.Encode()
	if !l.keep {
		id := wire.EntryIDOf(log.ID(), s.Entry)
		s.Sig = key.Sign(wire.EntryDomain, id[:])
	}
	return s
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

// TestOfferedEarlyAndTwice: entries wait for what they depend on, which is named; what is here already changes nothing; and a gap is not filled by itself.
func TestOfferedEarlyAndTwice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		peers := newPeers(t, 3)
		alice, bob := peers[0].attach("alice", "lobby"), peers[1].attach("bob", "lobby")
		alice.say("lobby", "why?")
		peers[1].pull(peers[0], true)
		bob.say("lobby", "because")
		cause, effect := peers[0].hub.Heads("lobby", true)[0], headOfNode(t, peers[1], peers[1])
		w := peers[2]
		answer := entriesOf(t, peers[1], effect)
		got, err := w.hub.Offer(peers[1].source(true), effect.Log, 1, answer)
		if want := (wire.Dep{Log: cause.Log.ID(), Seq: 1, ID: cause.ID}); err != nil || got.Head != 0 || got.Fault != "" || len(got.Missing) != 1 || cmp.Diff(want, got.Missing[0]) != "" {
			t.Fatalf("too early: %+v, %v", got, err)
		}
		alice.say("lobby", "oh")
		all := entriesOf(t, peers[0], peers[0].hub.Heads("lobby", true)[0])
		if got, err := w.hub.Offer(peers[0].source(true), cause.Log, 2, all[1:]); err != nil || got.Head != 0 || got.Fault != "" || len(w.rows("lobby")) != 0 {
			t.Fatalf("behind a gap: %+v, %v", got, err)
		}
		for range 2 {
			if got, err := w.hub.Offer(peers[0].source(true), cause.Log, 1, all); err != nil || got.Head != 2 || got.Fault != "" {
				t.Fatalf("from the first on: %+v, %v", got, err)
			}
		}
		if got, err := w.hub.Offer(peers[0].source(true), cause.Log, 1, all); err != nil || got.Known != 2 {
			t.Fatalf("again: %+v, %v", got, err)
		}
		if got, err := w.hub.Offer(peers[1].source(true), effect.Log, 1, answer); err != nil || got.Head != 1 {
			t.Fatalf("in time: %+v, %v", got, err)
		}
		exchange(peers...)
		checkEqual(t, peers...)
	})
}

// headOfNode returns the head of the log that a node writes in the lobby, as another one has it.
func headOfNode(t *testing.T, at, node *world) wire.Head {
	t.Helper()
	for _, head := range at.hub.Heads("lobby", true) {
		if identity.IDOf(head.Log.Node) == node.node() {
			return head
		}
	}
	t.Fatal("there is no such log")
	return wire.Head{}
}

func entriesOf(t *testing.T, w *world, head wire.Head) []wire.Signed {
	t.Helper()
	list, _, err := w.hub.Entries(head.Log.ID(), head.Low, head.Seq, 1<<20, true)
	if err != nil {
		t.Fatal(err)
	}
	return list
}
