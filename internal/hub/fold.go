package hub

import (
	"bytes"
	"cmp"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// maxIdle bounds the acts that a docket remembers of those whose authors had no right to them: they count only if the node comes to believe somebody
// else about who owns the room, or who is an admin. The oldest go; a restart brings them back.
const maxIdle = 4096

// maxActs bounds the acts of a room whose authors may have a right to them, in a store that is shared: all of them are kept for good, as late ones are judged by
// them. People here get no further; of other nodes, which may not know yet, twice as many are taken, and then nothing more of the log that has the next.
const maxActs = 1 << 16

// actEntry is an act as all nodes know it: an entry of a log of its room.
type actEntry struct {
	id      wire.EntryID
	log     wire.LogID
	seq     uint64
	lamport uint64
	deps    []wire.Dep
	by      identity.ID
	deed    deed
	claimed bool // its node says that by is an admin
	admin   bool // and this node believes it
	chat.ActOf
	who  identity.ID   // zero: it is done to the room
	with []identity.ID // of private: who was there
	row  uint64        // of this store, that shows it
	time int64         // by its node's clock, milliseconds
}

// deed is the first half of the SHA-256 of an act's signature: the same in every entry that has the act once more, and in no other.
type deed [16]byte

// before reports whether an act comes before another one where the room's state is made of them. Nothing comes before what it depends on.
func (a *actEntry) before(b *actEntry) bool {
	return cmp.Or(cmp.Compare(a.lamport, b.lamport), bytes.Compare(a.id[:], b.id[:])) < 0
}

// until returns when what the act says for how long is over; 0: never.
func (a *actEntry) until() int64 {
	if a.For == 0 {
		return 0
	}
	return a.time + max(1, a.For.Milliseconds())
}

// docket holds the acts of a room, and says what is true of the room by them: the same on all nodes that have the same acts, in whatever order they came.
// Its state is the fold of those that count, in the order of (lamport, id), over what held before the first. An act counts if
//
//   - its author had the right to it by those that count in its causal past, which is what its entry and the acts there depend on, and
//   - none that counts and is concurrent with it has taken that right: a ban, or a mute, that had not ended; where the right is a moderator's, a deop
//     too, and a kick from a private room. What an admin does nothing takes back. Of two that would take each other's, the lower id counts; and
//   - none before it has the same signature: what somebody did once is not done again by whoever puts it into a log once more.
//
// That defines what counts as long as no act has a say, over others, in whether it counts itself. Where it would, the one of the lowest id among those
// whose causal past is settled is taken not to be affected by those that are not settled, until all are.
type docket struct {
	owner  identity.ID // zero: nobody
	public bool        // the room can't be private
	base   state       // what held before the first act

	grounded bool // base is that: see room.ground

	now      state    // what holds by all of them
	acts     []*filed // in their order
	logs     map[wire.LogID]int
	byLog    [][]*filed               // in the order of seq
	ops      map[identity.ID][]*filed // that make moderators, of those who may whatever was done before: by whom they are done to
	strikes  map[identity.ID][]*filed // that take rights: by whom they are done to
	firsts   map[deed]*filed          // of those with one signature
	idle     []actEntry               // whose authors had no right, whatever counts
	slots    map[standingOf]int       // where a state has it
	prefixes []state                  // while it judges: what holds after the first 0, 1, 2, … acts
}

// filed is an act in a docket. Its past and what it takes are settled when it comes, as nothing comes before what it depends on.
type filed struct {
	actEntry
	at     int      // its log
	nth    uint32   // of the acts of its log: 1, 2, …
	past   []uint32 // of each log, how many of its acts are in this one's causal past
	direct []*filed // those in its past that are in no other's there

	again   bool // one before it has the same signature
	verdict verdict
	ready   bool  // its causal past is settled
	bites   bool  // if it counts, it takes rights
	then    state // while it is judged: what held in its causal past
	after   state // and with what it does, if it counts
}

// verdict is what a docket finds of an act.
type verdict uint8

const (
	unsettled verdict = iota
	counts
	isVoid
)

// state is what is true of a room. It is a value: what is made of it leaves it as it was.
type state struct {
	rules     store.Rules
	held      bool // it is private, and not known by which act: see Hub.hold
	standings pages
	standing  int // how many there are
}

// pages hold standings by their slots, and share what they have in common.
type pages []*[slotsEach]*store.Standing

const slotsEach = 32

func (p pages) get(slot int) *store.Standing {
	if slot/slotsEach >= len(p) {
		return nil
	}
	return p[slot/slotsEach][slot%slotsEach]
}

func (p pages) with(slot int, s *store.Standing) pages {
	n := slot / slotsEach
	p = slices.Clone(p)
	for len(p) <= n {
		p = append(p, new([slotsEach]*store.Standing))
	}
	page := *p[n]
	page[slot%slotsEach] = s
	p[n] = &page
	return p
}

// list returns the standings.
func (s *state) list() (all []*store.Standing) {
	for _, page := range s.standings {
		for _, x := range page {
			if x != nil {
				all = append(all, x)
			}
		}
	}
	return all
}

// newDocket returns one without acts.
func newDocket(owner identity.ID, public bool) *docket {
	d := &docket{owner: owner, public: public, slots: map[standingOf]int{}}
	d.clear()
	return d
}

// clear takes all acts out.
func (d *docket) clear() {
	d.now, d.acts, d.byLog, d.idle = d.base, nil, nil, nil
	d.logs, d.ops, d.strikes, d.firsts = map[wire.LogID]int{}, map[identity.ID][]*filed{}, map[identity.ID][]*filed{}, map[deed]*filed{}
}

// all returns the acts that it has, in their order.
func (d *docket) all() []actEntry {
	all := slices.Clone(d.idle)
	for _, f := range d.acts {
		all = append(all, f.actEntry)
	}
	slices.SortFunc(all, func(a, b actEntry) int {
		if a.before(&b) {
			return -1
		}
		return 1
	})
	return all
}

// refile files all acts anew, but those that drop is true of, after it has changed them: by who owns the room, who is an admin or what held before.
func (d *docket) refile(drop func(*actEntry) bool) {
	all := d.all()
	d.clear()
	for i := range all {
		if drop == nil || !drop(&all[i]) {
			d.file(all[i])
		}
	}
	d.judge()
}

// add files an act, and settles which count. It returns nil for one that changes nothing, as its author had no right to it whatever counts.
func (d *docket) add(a actEntry) *filed {
	f := d.file(a)
	if f == nil {
		return nil
	}
	if !d.isLast(f) {
		d.judge()
		return f
	}
	f.ready, f.verdict = true, isVoid
	if !f.again && d.permits(&d.now, &f.actEntry, f.who) {
		f.verdict, d.now = counts, d.apply(d.now, &f.actEntry)
	}
	return f
}

// isLast reports whether an act is the last, and all others are in its past: so it has no say in what they do.
func (d *docket) isLast(f *filed) bool {
	if d.acts[len(d.acts)-1] != f {
		return false
	}
	for _, acts := range d.byLog {
		if last := acts[len(acts)-1]; last != f && !f.follows(last) {
			return false
		}
	}
	return true
}

// file enters an act where it is looked up, if its author may have a right.
func (d *docket) file(a actEntry) *filed {
	f := &filed{actEntry: a}
	f.past, f.direct = d.pastOf(&a)
	if !d.mayHaveRights(f) {
		if len(d.idle) >= maxIdle {
			d.idle = slices.Delete(d.idle, 0, maxIdle/4)
		}
		d.idle = append(d.idle, a)
		return nil
	}
	at, known := d.logs[a.log]
	if known && d.byLog[at][len(d.byLog[at])-1].seq >= a.seq {
		return nil // it is filed
	}
	if !known {
		at = len(d.byLog)
		d.logs[a.log] = at
		d.byLog = append(d.byLog, nil)
	}
	d.byLog[at] = append(d.byLog[at], f)
	f.at, f.nth = at, uint32(len(d.byLog[at]))
	place, _ := slices.BinarySearchFunc(d.acts, f, func(x, f *filed) int {
		if x.before(&f.actEntry) {
			return -1
		}
		return 1
	})
	d.acts = slices.Insert(d.acts, place, f)
	d.notice(f)
	switch a.Verb {
	case chat.Op:
		if a.admin || d.isOwner(a.by) {
			d.ops[a.who] = append(d.ops[a.who], f)
		}
	case chat.Deop, chat.Kick, chat.Ban, chat.Mute:
		d.strikes[a.who] = append(d.strikes[a.who], f)
	}
	return f
}

// notice finds out which of the acts with one signature is the first: f, or one that came before.
func (d *docket) notice(f *filed) {
	first := d.firsts[f.deed]
	if f.again = first != nil && first.before(&f.actEntry); f.again {
		return
	}
	if first != nil {
		first.again = true
	}
	d.firsts[f.deed] = f
}

// pastOf returns the causal past of an act that is not filed: how much of each log, and the last acts there.
func (d *docket) pastOf(a *actEntry) (past []uint32, direct []*filed) {
	past = make([]uint32, len(d.byLog), len(d.byLog)+1)
	last := func(log wire.LogID, seq uint64) {
		at, known := d.logs[log]
		if !known {
			return
		}
		n, _ := slices.BinarySearchFunc(d.byLog[at], seq+1, func(x *filed, seq uint64) int { return cmp.Compare(x.seq, seq) })
		if n == 0 {
			return
		}
		x := d.byLog[at][n-1]
		if !slices.Contains(direct, x) {
			direct = append(direct, x)
		}
		for i, n := range x.past {
			past[i] = max(past[i], n)
		}
	}
	last(a.log, a.seq-1)
	for _, dep := range a.deps {
		last(dep.Log, dep.Seq)
	}
	direct = slices.DeleteFunc(direct, func(x *filed) bool { return past[x.at] >= x.nth })
	for _, x := range direct {
		past[x.at] = x.nth
	}
	return past, direct
}

// follows reports whether x is in the causal past of f.
func (f *filed) follows(x *filed) bool { return x.at < len(f.past) && f.past[x.at] >= x.nth }

// mayHaveRights reports whether the author of an act could have a right, whatever counts. As that hangs on nothing but its past, it stays as it is.
func (d *docket) mayHaveRights(f *filed) bool {
	if f.admin || d.isOwner(f.by) || d.has(&d.base, f.by, store.Moderator) {
		return true
	}
	return slices.ContainsFunc(d.ops[f.by], f.follows)
}

func (d *docket) isOwner(id identity.ID) bool { return d.owner == id && !id.IsZero() }
