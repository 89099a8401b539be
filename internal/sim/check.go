package sim

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// healLimit is how long all may take to have the same once nothing is broken any more, in the bubble's time: a link that was silent ends after 45 s, and is
// dialled again within a minute.
const healLimit = 4 * time.Minute

// check looks whether the promises hold, of nodes that rest.
func (w *world) check() {
	views := map[*node]*shelf{}
	for _, n := range w.nodes {
		views[n] = w.checkLogs(n)
	}
	for _, n := range w.nodes[1:] {
		w.compare(w.nodes[0], n, views[w.nodes[0]], views[n])
	}
	for _, n := range w.nodes {
		w.checkKept(n, views[n])
		w.checkUnmoved(n, views[n])
	}
}

// place is where an entry is.
type place struct {
	log wire.LogID
	seq uint64
}

// held is an entry as a node holds it.
type held struct {
	store.Entry
	entry *wire.Entry
}

// shelf is all that a node has.
type shelf struct {
	state   store.State
	entries map[place]*held
	forked  map[wire.LogID]uint64
	names   map[uint64]string // of rooms
	rows    map[chat.ID]*wire.Event
	texts   map[string]int  // how often each is shown
	shown   map[string]bool // the rooms that have an entry which no fork hides
	rooms   map[wire.LogID]string
}

// forksIn returns the logs that fork, of rooms of which two nodes show something: of others who has never had a log hears of no proof.
func (s *shelf) forksIn(one, other map[string]bool) map[wire.LogID]uint64 {
	forks := map[wire.LogID]uint64{}
	for id, seq := range s.forked {
		if room := s.rooms[id]; one[room] && other[room] {
			forks[id] = seq
		}
	}
	return forks
}

// checkLogs looks at the logs of one node: each entry is one that its node has signed (P1), the next of its log (P2), in one place (P3), and behind what it
// builds on (P4).
func (w *world) checkLogs(n *node) *shelf {
	state, err := n.memory.Load()
	if err != nil {
		w.t.Fatal(err)
	}
	s := &shelf{state: state, entries: map[place]*held{}, forked: map[wire.LogID]uint64{}, names: map[uint64]string{}, rows: map[chat.ID]*wire.Event{}, texts: map[string]int{}, shown: map[string]bool{}, rooms: map[wire.LogID]string{}}
	for i := range state.Rooms {
		s.names[state.Rooms[i].Num] = state.Rooms[i].LogName()
		w.readRows(n, s, &state.Rooms[i])
	}
	taken := map[[2]uint64]bool{}
	for i := range state.Logs {
		w.readLog(n, s, &state.Logs[i], taken)
	}
	for at, e := range s.entries {
		w.checkOrder(n, s, at, e)
	}
	return s
}

func (w *world) readRows(n *node, s *shelf, r *store.RoomState) {
	for next := r.Low; next <= r.Head; {
		records, after, err := n.memory.Page(r.Num, next, r.Head, 1<<20)
		if err != nil {
			w.t.Fatal(err)
		}
		reader := wire.NewReader(bytes.NewReader(records))
		for range after - next {
			item, err := reader.Next()
			if err != nil {
				w.t.Fatal(err)
			}
			e, err := wire.DecodeEvent(item)
			if err != nil {
				w.t.Fatal(err)
			}
			if e.Opts.Forked {
				continue
			}
			if s.rows[e.ID] != nil {
				w.fail("P3: node %d has the message %v twice", n.n, e.ID)
			}
			s.rows[e.ID] = e
			if e.Kind == chat.Text && len(e.Body) > 0 {
				s.texts[string(e.Body)]++
			}
		}
		next = after
	}
}

func (w *world) readLog(n *node, s *shelf, l *store.Log, taken map[[2]uint64]bool) {
	log := wire.Log{Node: l.Key[:], Nonce: l.Nonce, Room: s.names[l.Room]}
	id := log.ID()
	s.rooms[id] = log.Room
	if l.Forked > 0 {
		s.forked[id] = l.Forked
	}
	if l.Head > 0 && l.Forked != 1 {
		s.shown[log.Room] = true
	}
	if l.Head == 0 || l.Low > l.Head {
		return
	}
	list, err := n.memory.Entries(l.Num, l.Low, l.Head, 1<<30)
	if err != nil {
		w.fail("P2: node %d, the log of node %s in %s from %d to %d: %v", n.n, w.nameOf(l.Key[:]), log.Room, l.Low, l.Head, err)
		return
	}
	if uint64(len(list)) != l.Head-l.Low+1 {
		w.fail("P2: node %d has %d entries of the log of node %s in %s from %d to %d", n.n, len(list), w.nameOf(l.Key[:]), log.Room, l.Low, l.Head)
	}
	var before *held
	for i := range list {
		e := &held{Entry: list[i]}
		where := fmt.Sprintf("node %d, entry %d of node %s in %s", n.n, e.Seq, w.nameOf(l.Key[:]), log.Room)
		e.entry, err = wire.DecodeEntry(e.Header)
		if err != nil || e.entry.Check() != nil || e.entry.Seq != l.Low+uint64(i) || e.ID != wire.EntryIDOf(id, e.Header) || e.Lamport != e.entry.Lamport {
			w.fail("P1: %s: %v, or it is not what the store says", where, err)
			continue
		}
		if own := bytes.Equal(l.Key[:], n.key.Public()); len(e.Sig) > 0 && !identity.CheckSignature(l.Key[:], wire.EntryDomain, e.ID[:], e.Sig) || len(e.Sig) == 0 && !own {
			w.fail("P1: %s is not signed", where)
		}
		if e.Salt != nil {
			if sum := chat.BodySum((*[16]byte)(e.Salt), e.Body); !bytes.Equal(sum[:], e.entry.Sum) {
				w.fail("P1: %s has another text than it says", where)
			}
		}
		if covers := (identity.SignedAct{Node: identity.IDOf(l.Key[:]), Epoch: e.entry.Epoch, From: e.entry.From, CSeq: e.entry.CSeq, Room: chat.SignedRoom(log.Room), Body: e.Body}); e.Act &&
			!covers.SignedBy(identity.ID(e.entry.Author), e.entry.Opts.Sig) {
			w.fail("P1: %s is an act that its author has not signed", where)
		}
		if before != nil && !bytes.Equal(e.entry.Prev, before.ID[:]) {
			w.fail("P2: %s does not follow the one before it", where)
		}
		if k := [2]uint64{e.Room, e.Row}; !e.Hidden {
			if taken[k] {
				w.fail("P3: %s: row %d is another entry's", where, e.Row)
			}
			taken[k] = true
		}
		before = e
		s.entries[place{id, e.Seq}] = e
	}
}

// checkOrder looks whether what an entry builds on stands before it.
func (w *world) checkOrder(n *node, s *shelf, at place, e *held) {
	lamport := uint64(0)
	if before := s.entries[place{at.log, at.seq - 1}]; before != nil {
		lamport = before.Lamport
		if before.Row > e.Row {
			w.fail("P4: node %d: entry %d of log %x stands before the one before it", n.n, at.seq, at.log[:4])
		}
	} else if at.seq > 1 {
		return // what it builds on is not kept
	}
	for _, d := range e.entry.Deps {
		dep := s.entries[place{d.Log, d.Seq}]
		if dep == nil {
			if !w.trims && s.forked[d.Log] == 0 {
				w.fail("P4: node %d: entry %d of log %x builds on entry %d of log %x, which is not here", n.n, at.seq, at.log[:4], d.Seq, d.Log[:4])
			}
			return
		}
		if !bytes.Equal(dep.ID[:16], d.ID) {
			if s.forked[d.Log] == 0 {
				w.fail("P4: node %d: entry %d of log %x builds on another entry %d of log %x", n.n, at.seq, at.log[:4], d.Seq, d.Log[:4])
			}
			return
		}
		if !w.trims && (dep.Row > e.Row || dep.Row == e.Row && !e.Hidden) { // what nobody had any more, it seemed, may come yet
			w.fail("P4: node %d: row %d stands before row %d, on which it builds", n.n, e.Row, dep.Row)
		}
		lamport = max(lamport, dep.Lamport)
	}
	if t := e.entry.Opts.Target; t != nil {
		if target := s.entries[place{t.Log, t.Seq}]; target != nil {
			lamport = max(lamport, target.Lamport)
		}
	}
	if e.Lamport != lamport+1 {
		w.fail("P1: node %d: entry %d of log %x has lamport %d, want %d", n.n, at.seq, at.log[:4], e.Lamport, lamport+1)
	}
}

// compare looks whether two nodes have the same: entries, lists in causal order, and rooms (P5).
func (w *world) compare(a, b *node, one, other *shelf) {
	if diff := gocmp.Diff(one.forksIn(one.shown, other.shown), other.forksIn(one.shown, other.shown)); diff != "" {
		w.fail("P5: nodes %d and %d know of other forks:\n%s", a.n, b.n, diff)
	}
	rooms := map[string]*store.RoomState{}
	for i := range one.state.Rooms {
		rooms[one.state.Rooms[i].LogName()] = &one.state.Rooms[i]
	}
	for i := range other.state.Rooms {
		theirs := &other.state.Rooms[i]
		ours := rooms[theirs.LogName()]
		if ours == nil {
			if other.shown[theirs.LogName()] && !w.guests() {
				w.fail("P5: node %d has no room %s, as node %d", a.n, theirs.LogName(), b.n)
			}
			continue
		}
		if !w.trims && (!w.guests() || !theirs.Direct()) {
			if diff := gocmp.Diff(w.causal(a, one, ours.Num), w.causal(b, other, theirs.Num)); diff != "" {
				w.fail("P5: nodes %d and %d list %s otherwise:\n%s", a.n, b.n, theirs.LogName(), diff)
			}
		}
		if !w.guests() {
			if diff := gocmp.Diff(rulesOf(one, ours, w.trims), rulesOf(other, theirs, w.trims)); diff != "" {
				w.fail("P5: the room %s of nodes %d and %d:\n%s\nof the acts\n%s", theirs.LogName(), a.n, b.n, diff, w.acts(one, ours.Num))
			}
		}
	}
}

// acts lists a room's acts in their order, for whoever has to find out why two nodes make something else of them.
func (w *world) acts(s *shelf, room uint64) string {
	var lines []string
	for at, e := range s.entries {
		if e.Room == room && e.Act {
			deps := ""
			for _, d := range e.entry.Deps {
				deps += fmt.Sprintf(" %x:%d", d.Log[:3], d.Seq)
			}
			lines = append(lines, fmt.Sprintf("%5d %x %x:%d by %v, admin %v, forked %v: %s;%s", e.Lamport, e.ID[:3], at.log[:3], at.seq, identity.ID(e.entry.Author), e.entry.Opts.Admin,
				s.forked[at.log] > 0 && s.forked[at.log] <= at.seq, e.Body, deps))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// causal returns the list of a room's entries, in the words of all nodes.
func (w *world) causal(n *node, s *shelf, room uint64) (list []string) {
	var lamport uint64
	var id wire.EntryID
	for {
		page, err := n.memory.Causal(room, lamport, id, 500, false)
		if err != nil {
			w.t.Fatal(err)
		}
		for i := range page {
			if e := &page[i]; cmp.Or(cmp.Compare(lamport, e.Lamport), bytes.Compare(id[:], e.ID[:])) >= 0 {
				w.fail("P5: node %d: the causal list of %s is out of order", n.n, s.names[room])
			}
			lamport, id = page[i].Lamport, page[i].ID
			list = append(list, fmt.Sprintf("%d %x", lamport, id[:6]))
		}
		if len(page) == 0 {
			return list
		}
	}
}

// roomView is what a room is, in the words of all nodes.
type roomView struct {
	Owner     string
	Topic     string
	ReadOnly  bool
	Archived  bool
	Private   bool
	Slow      time.Duration
	Welcome   string
	Pins      []string
	Standings []string
}

func rulesOf(s *shelf, r *store.RoomState, trims bool) roomView {
	v := roomView{ReadOnly: r.Rules.ReadOnly, Archived: r.Rules.Archived, Private: r.Rules.Private, Slow: r.Rules.Slow, Welcome: r.Rules.Welcome}
	if !trims {
		v.Owner, v.Topic = r.Owner.String(), r.Topic // else who came late may never have heard of that
	}
	for _, id := range r.Rules.Pins {
		v.Pins = append(v.Pins, id.String())
	}
	for _, st := range s.state.Standings {
		if st.Room == r.Num {
			v.Standings = append(v.Standings, fmt.Sprintf("%v is %d by %v: %q", st.Key, st.Stance, st.By, st.Text))
		}
	}
	slices.Sort(v.Standings)
	return v
}

// checkKept looks whether all that was acknowledged is there, on every node (P6), once (P3), and whether no honest node's log forks (P7).
func (w *world) checkKept(n *node, s *shelf) {
	for _, p := range w.people {
		for _, k := range p.kept {
			if k.node == nil || k.seq == 0 || k.kind == chat.Skip || w.trims || k.as != nil {
				continue
			}
			if k.node.raw {
				continue // what it wrote before it learned that its logs went on without it is hidden with the fork
			}
			if w.guests() && k.node != n {
				continue
			}
			if e := s.rows[k.id]; e == nil {
				if !w.hidden(s, k.id) {
					w.fail("P6: node %d has no %v of %s in %s, which node %d has acknowledged", n.n, k.id, p.name, k.room, k.node.n)
				}
			} else if string(e.Body) != k.text && len(e.Opts.Gone) == 0 && k.kind != chat.Topic {
				w.fail("P6: node %d has another text of %v", n.n, k.id)
			}
		}
	}
	for text, count := range s.texts {
		if count > 1 {
			w.fail("P3: node %d shows %q %d times:%s", n.n, text, count, w.saying(s, text))
		}
	}
	for log, seq := range s.forked {
		if !w.mayFork(log, s) {
			w.fail("P7: node %d knows that log %x forks at %d", n.n, log[:4], seq)
		}
	}
}

// saying returns the entries that say a text.
func (w *world) saying(s *shelf, text string) (all string) {
	for at, e := range s.entries {
		if string(e.Body) != text {
			continue
		}
		all += fmt.Sprintf(" [entry %d of log %x, row %d, hidden %v, origin %x.%d", at.seq, at.log[:4], e.Row, e.Hidden, e.entry.Origin[:4], e.entry.CSeq)
		if as := e.entry.Opts.As; as != nil {
			all += fmt.Sprintf(", as %x.%d", as.Origin[:4], as.CSeq)
		}
		all += "]"
	}
	return all
}

// hidden reports whether a node has an entry of a message that has no row there.
func (w *world) hidden(s *shelf, id chat.ID) bool {
	for at, e := range s.entries {
		if h := e.entry.Header(); h.IDOf([32]byte(e.entry.Sum)) == id {
			return e.Hidden || s.forked[at.log] > 0 && s.forked[at.log] <= at.seq
		}
	}
	return false
}

// mayFork reports whether a log is one of a node of which an old store was put back as it was, or of a liar.
func (w *world) mayFork(log wire.LogID, s *shelf) bool {
	for i := range s.state.Logs {
		l := &s.state.Logs[i]
		if (&wire.Log{Node: l.Key[:], Nonce: l.Nonce, Room: s.names[l.Room]}).ID() != log {
			continue
		}
		i := slices.IndexFunc(w.nodes, func(n *node) bool { return bytes.Equal(n.key.Public(), l.Key[:]) })
		return i < 0 || w.nodes[i].raw
	}
	return true
}
