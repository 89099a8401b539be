package hub

import (
	"bytes"
	"fmt"
	"maps"
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

// The people of the tests of dockets: the first owns the room, the second is an admin of a node that is believed, the third is none but is said to be one.
var parties = []string{"owner", "admin", "liar", "mo", "mia", "max", "ann"}

func party(name string) (id identity.ID) {
	copy(id[:], name)
	return id
}

// tale makes acts of several logs, each of which knows some of the others'.
type tale struct {
	rng   *rand.Rand
	acts  []*actEntry
	said  [][2]string // by whom each is, and what it does
	logs  int
	seen  []map[int]bool // by log: which acts it has, as indices
	pasts []map[int]bool
	able  []bool // whether an act's author was ever given a right that it knows of, or has it by birth
}

func newTale(rng *rand.Rand, logs int) *tale {
	x := &tale{rng: rng, logs: logs}
	for range logs {
		x.seen = append(x.seen, map[int]bool{})
	}
	return x
}

// learn has a log see what another one has.
func (x *tale) learn(log, from int) { maps.Copy(x.seen[log], x.seen[from]) }

// add has a log do an act, after all that it has seen.
func (x *tale) add(log int, by string, act string) *actEntry {
	a := &actEntry{by: party(by), admin: by == "admin", claimed: by == "admin" || by == "liar", lamport: 1, seq: 1 + uint64(x.rng.IntN(3))}
	a.log[0] = byte(log) + 1
	for i := range a.id {
		a.id[i] = byte(x.rng.Uint32())
	}
	a.deed = deed(a.id[:16])
	verb, rest, _ := bytes.Cut([]byte(act), []byte(" "))
	a.Verb = chat.Verb(verb)
	switch a.Verb {
	case chat.Pin, chat.Unpin, chat.Welcome:
		a.Text = string(rest)
	case chat.Slow:
		a.For, _ = time.ParseDuration(string(rest))
	case chat.Private:
		for _, who := range bytes.Fields(rest) {
			a.with = append(a.with, party(string(who)))
		}
	default:
		who, length, _ := bytes.Cut(rest, []byte(" "))
		a.Who, a.who = string(who), party(string(who))
		a.For, _ = time.ParseDuration(string(length))
	}
	for i := range x.acts {
		if !x.seen[log][i] {
			continue
		}
		b := x.acts[i]
		a.lamport = max(a.lamport, b.lamport+1)
		if b.log == a.log {
			a.seq = max(a.seq, b.seq+2+uint64(x.rng.IntN(3))) // what is between says something
		} else if x.able[i] && !x.isKnown(log, i) {
			a.deps = append(a.deps, wire.Dep{Log: b.log, Seq: b.seq + uint64(x.rng.IntN(2)), ID: b.id[:16]})
		}
	}
	a.time = int64(a.lamport) * 1000
	a.row = uint64(len(x.acts) + 1)
	x.acts, x.said = append(x.acts, a), append(x.said, [2]string{by, act})
	i := len(x.acts) - 1
	x.seen[log][i] = true
	x.pasts = append(x.pasts, x.past(i))
	x.able = append(x.able, a.admin || by == "owner")
	for j := range x.pasts[i] {
		op := x.acts[j]
		x.able[i] = x.able[i] || op.Verb == chat.Op && op.who == a.by && (op.admin || op.by == party("owner"))
	}
	return a
}

// repeat has a log do an act once more that somebody has signed once.
func (x *tale) repeat(log, i int) {
	x.add(log, x.said[i][0], x.said[i][1]).deed = x.acts[i].deed
}

// isKnown reports whether an act is in the causal past of another one that a log has.
func (x *tale) isKnown(log, i int) bool {
	for j := range x.seen[log] {
		if j != i && x.able[j] && x.pasts[j][i] {
			return true
		}
	}
	return false
}

// past returns which acts are in the causal past of one: those it depends on, of those whose authors could have a right, and what these depend on.
func (x *tale) past(i int) map[int]bool {
	past := map[int]bool{}
	var visit func(a *actEntry)
	visit = func(a *actEntry) {
		for j, b := range x.acts[:i] {
			if past[j] || !x.able[j] {
				continue
			}
			isDep := slices.ContainsFunc(a.deps, func(d wire.Dep) bool { return d.Log == b.log && b.seq <= d.Seq })
			if isDep || b.log == a.log && b.seq < a.seq {
				past[j] = true
				visit(b)
			}
		}
	}
	visit(x.acts[i])
	return past
}

// random makes up to n acts of random people, most of which have the right where they are done. Some are of nodes that do again what was done once.
func (x *tale) random(n int) {
	for len(x.acts) < n {
		log := x.rng.IntN(x.logs)
		if x.rng.IntN(3) == 0 {
			x.learn(log, x.rng.IntN(x.logs))
		}
		if len(x.acts) > 0 && x.rng.IntN(8) == 0 {
			x.repeat(log, x.rng.IntN(len(x.acts)))
			continue
		}
		by := parties[x.rng.IntN(len(parties))]
		if x.rng.IntN(2) == 0 {
			by = parties[x.rng.IntN(2)]
		}
		x.add(log, by, x.randomAct())
	}
}

func (x *tale) randomAct() string {
	verbs := []chat.Verb{chat.Op, chat.Op, chat.Op, chat.Op, chat.Deop, chat.Deop, chat.Kick, chat.Ban, chat.Ban, chat.Mute, chat.Mute, chat.Unban, chat.Unmute, chat.Private, chat.Invite, chat.Open, chat.Archive,
		chat.Unarchive, chat.Unarchive, chat.Pin, chat.Unpin, chat.Welcome, chat.Slow, chat.ReadOnly, chat.Writable}
	verb := verbs[x.rng.IntN(len(verbs))]
	who := parties[x.rng.IntN(len(parties))]
	switch verb {
	case chat.Pin, chat.Unpin:
		return fmt.Sprintf("%s %016x", verb, x.rng.IntN(20))
	case chat.Welcome:
		return fmt.Sprintf("welcome hello %d", x.rng.IntN(5))
	case chat.Slow:
		return fmt.Sprintf("slow %ds", x.rng.IntN(5))
	case chat.Ban, chat.Mute:
		return fmt.Sprintf("%s %s %ds", verb, who, x.rng.IntN(3)*4)
	case chat.Private:
		return fmt.Sprintf("private %s %s", who, parties[x.rng.IntN(len(parties))])
	case chat.ReadOnly, chat.Writable, chat.Open, chat.Archive, chat.Unarchive:
		return string(verb)
	}
	return string(verb) + " " + who
}

// shuffled returns the acts in an order in which they may come: each behind what it depends on.
func (x *tale) shuffled() (order []*actEntry) {
	came := map[int]bool{}
	for len(came) < len(x.acts) {
		i := x.rng.IntN(len(x.acts))
		ready := !came[i]
		for j := range x.pasts[i] {
			ready = ready && came[j]
		}
		if ready {
			came[i] = true
			order = append(order, x.acts[i])
		}
	}
	return order
}

// told is what a docket says, for comparison: the acts that count, the rules and the standings.
type told struct {
	Counts    []string
	Rules     store.Rules
	Standings map[string]string
}

func tellOf(d *docket) told {
	all := told{Rules: d.now.rules, Standings: map[string]string{}}
	for _, f := range d.acts {
		if f.verdict == counts {
			all.Counts = append(all.Counts, name(&f.actEntry))
		}
	}
	for _, s := range d.now.list() {
		all.Standings[fmt.Sprintf("%s %d", bytes.TrimRight(s.Key[:], "\x00"), s.Stance)] = fmt.Sprint(s.Since, s.Until, s.From, string(bytes.TrimRight(s.By[:], "\x00")))
	}
	if len(all.Rules.Pins) == 0 {
		all.Rules.Pins = nil
	}
	return all
}

func name(a *actEntry) string {
	return fmt.Sprintf("%d/%x %s: %s", a.lamport, a.id[:2], bytes.TrimRight(a.by[:], "\x00"), a.ActOf)
}

// filedAs files acts in an order and returns the docket.
func filedAs(order []*actEntry) *docket {
	d := newDocket(party("owner"), false)
	for _, a := range order {
		d.add(*a)
	}
	return d
}

// TestFold holds dockets, whatever order the acts came in, to a model that says the rule word for word with sets and maps.
func TestFold(t *testing.T) {
	seeds, size := []uint64{*seedFlag}, 60
	if *seedFlag == 0 {
		seeds = nil
		for range 400 {
			seeds = append(seeds, rand.Uint64())
		}
	}
	counted, voided, repeated := 0, 0, 0
	for _, seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 1))
		x := newTale(rng, 1+rng.IntN(5))
		x.random(1 + rng.IntN(size))
		want := x.model()
		d := filedAs(x.acts)
		counted += len(want.Counts)
		for _, f := range d.acts {
			switch {
			case f.verdict != isVoid || !f.permitted(d, x):
			case f.again:
				repeated++
			default:
				voided++
			}
		}
		for range 3 {
			if diff := cmp.Diff(want, tellOf(d)); diff != "" {
				t.Fatalf("go test ./internal/hub -run TestFold -hub.seed %d: mismatch (-want +got):\n%s", seed, diff)
			}
			d = filedAs(x.shuffled())
		}
	}
	if len(seeds) > 1 && (counted < 1000 || voided < 100 || repeated < 100) {
		t.Errorf("only %d acts counted, and %d and %d repeated ones that their authors had a right to did not: the test shows little", counted, voided, repeated)
	}
}

// permitted reports whether the author of an act had the right to it, so that it is another act that takes it back.
func (f *filed) permitted(d *docket, x *tale) bool {
	s := d.fold(d.base, d.acts, f.follows)
	return d.permits(&s, &f.actEntry, f.who)
}

// TestFoldOf says single rules in few acts. Each line is a log, who does it, and the act; before it "<" and the logs that are learnt from.
func TestFoldOf(t *testing.T) {
	type step struct {
		log   int
		learn []int
		by    string
		act   string
		id    byte // the first of the entry's, 0: as it comes
	}
	for what, tt := range map[string]struct {
		steps []step
		want  []bool // which count
	}{
		"one who was made a moderator acts": {
			[]step{{0, nil, "owner", "op mo", 0}, {1, []int{0}, "mo", "ban ann 0s", 0}},
			[]bool{true, true},
		},
		"nobody acts by a right of the future": {
			[]step{{0, nil, "owner", "op mo", 0}, {1, nil, "mo", "ban ann 0s", 0}},
			[]bool{true, false},
		},
		"nobody acts by a right that they may have heard of too late": {
			[]step{{1, nil, "mo", "ban ann 0s", 0}, {0, []int{1}, "owner", "op mo", 0}},
			[]bool{false, true},
		},
		"a node is not believed that its people are admins": {
			[]step{{0, nil, "liar", "readonly", 0}, {0, nil, "admin", "slow 3s", 0}},
			[]bool{false, true},
		},
		"a deop takes what the moderator does meanwhile": {
			[]step{{0, nil, "owner", "op mo", 0}, {1, []int{0}, "mo", "readonly", 0}, {0, nil, "owner", "deop mo", 0}},
			[]bool{true, false, true},
		},
		"and not what they did before": {
			[]step{{0, nil, "owner", "op mo", 0}, {1, []int{0}, "mo", "readonly", 0}, {0, []int{1}, "owner", "deop mo", 0}},
			[]bool{true, true, true},
		},
		"a deop of the owner takes nothing": {
			[]step{{0, nil, "admin", "op owner", 0}, {0, nil, "admin", "deop owner", 0}, {1, nil, "owner", "readonly", 0}},
			[]bool{true, true, true},
		},
		"a ban and a mute of the owner take everything": {
			[]step{{0, nil, "admin", "mute owner 0s", 0}, {1, nil, "owner", "readonly", 0}, {2, nil, "admin", "ban owner 0s", 0}, {3, nil, "owner", "slow 3s", 0}},
			[]bool{true, false, true, false},
		},
		"a mute that was over takes nothing": { // an act of lamport n is done at n seconds
			[]step{{0, nil, "admin", "mute owner 2s", 0}, {1, nil, "owner", "pin 0000000000000001", 0}, {1, nil, "owner", "pin 0000000000000002", 0}, {1, nil, "owner", "pin 0000000000000003", 0}},
			[]bool{true, false, false, true},
		},
		"nothing takes what an admin does": {
			[]step{{0, nil, "owner", "ban admin 0s", 0}, {1, nil, "admin", "readonly", 0}, {1, []int{0}, "admin", "slow 3s", 0}},
			[]bool{true, true, true},
		},
		"a kick from a private room takes what a moderator does meanwhile": {
			[]step{{0, nil, "owner", "op mo", 0}, {0, nil, "owner", "private mo", 0}, {1, []int{0}, "mo", "readonly", 0}, {0, nil, "owner", "kick mo", 0}},
			[]bool{true, true, false, true},
		},
		"a kick from another room does not": {
			[]step{{0, nil, "owner", "op mo", 0}, {1, []int{0}, "mo", "readonly", 0}, {0, nil, "owner", "kick mo", 0}},
			[]bool{true, true, true},
		},
		"of two moderators who ban each other the lower id counts": {
			[]step{{0, nil, "owner", "op mo", 0}, {1, nil, "owner", "op mia", 0}, {0, nil, "mo", "ban mia 0s", 9}, {1, nil, "mia", "ban mo 0s", 8}},
			[]bool{true, true, false, true},
		},
		"whichever that is": {
			[]step{{0, nil, "owner", "op mo", 0}, {1, nil, "owner", "op mia", 0}, {0, nil, "mo", "ban mia 0s", 8}, {1, nil, "mia", "ban mo 0s", 9}},
			[]bool{true, true, true, false},
		},
		"of three who ban in a ring the lowest id counts, and takes the next": {
			[]step{{0, nil, "owner", "op mo", 0}, {1, nil, "owner", "op mia", 0}, {2, nil, "owner", "op max", 0},
				{0, nil, "mo", "ban mia 0s", 7}, {1, nil, "mia", "ban max 0s", 8}, {2, nil, "max", "ban mo 0s", 9}},
			[]bool{true, true, true, true, false, true},
		},
		"what is void takes nothing": {
			[]step{{0, nil, "owner", "op mo", 0}, {1, nil, "owner", "op mia", 0}, {0, nil, "mo", "ban mia 0s", 0}, {1, nil, "mia", "readonly", 0}, {2, nil, "admin", "ban mo 0s", 0}},
			[]bool{true, true, false, true, true},
		},
		"what is void gives nothing": {
			[]step{{0, nil, "owner", "op mo", 0}, {1, []int{0}, "mo", "readonly", 0}, {2, nil, "admin", "ban owner 0s", 0}},
			[]bool{false, false, true},
		},
		"nobody acts in an archived room, but to end that": {
			[]step{{0, nil, "owner", "archive", 0}, {1, []int{0}, "admin", "readonly", 0}, {1, nil, "admin", "unarchive", 0}, {1, nil, "admin", "writable", 0}},
			[]bool{true, false, true, true},
		},
		"who is no member of a private room does nothing there": {
			[]step{{0, nil, "owner", "private ann", 0}, {1, []int{0}, "admin", "readonly", 0}, {0, nil, "owner", "invite admin", 0}, {1, []int{0}, "admin", "readonly", 0}},
			[]bool{true, false, true, true},
		},
		"moderators leave each other alone": {
			[]step{{0, nil, "owner", "op mo", 0}, {0, nil, "owner", "op mia", 0}, {0, nil, "mo", "kick mia", 0}, {0, nil, "mo", "ban owner 0s", 0}, {0, nil, "mo", "op ann", 0}},
			[]bool{true, true, false, false, false},
		},
	} {
		x := newTale(rand.New(rand.NewPCG(1, 1)), 4)
		for _, s := range tt.steps {
			for _, from := range s.learn {
				x.learn(s.log, from)
			}
			if a := x.add(s.log, s.by, s.act); s.id != 0 {
				a.id[0] = s.id
			}
		}
		for range 5 {
			d := filedAs(x.shuffled())
			for i, a := range x.acts {
				at := slices.IndexFunc(d.acts, func(f *filed) bool { return f.id == a.id })
				if got := at >= 0 && d.acts[at].verdict == counts; got != tt.want[i] {
					t.Errorf("%s: %q of the %s counts: %v, want %v", what, a.ActOf, tt.steps[i].by, got, tt.want[i])
				}
			}
		}
	}
}

// TestFoldIsBounded: no room remembers more of people, or of acts that never count, than it may.
func TestFoldIsBounded(t *testing.T) {
	d := newDocket(party("owner"), false)
	seq := uint64(0)
	do := func(by, verb string, who int, until time.Duration) {
		seq++
		a := actEntry{seq: seq, lamport: seq, by: party(by), time: int64(seq) * 1000, ActOf: chat.ActOf{Verb: chat.Verb(verb), For: until}, who: party(fmt.Sprint("guest", who))}
		a.id[0], a.id[1], a.id[2] = byte(seq), byte(seq>>8), byte(seq>>16)
		a.deed = deed(a.id[:16])
		d.add(a)
	}
	for i := range maxStandings + 10 {
		do("owner", "ban", i, 0)
	}
	if n := len(d.now.list()); n != maxStandings || d.now.standing != n {
		t.Errorf("%d standings, counted as %d", n, d.now.standing)
	}
	do("owner", "unban", 5, 0)
	do("owner", "mute", 7, time.Second)
	do("owner", "mute", 8, 0) // in place of the other, which has ended
	if d.get(&d.now, party("guest8"), store.Muted) == nil || len(d.now.list()) != maxStandings {
		t.Errorf("a standing that has ended makes no room for another: %d of them", len(d.now.list()))
	}
	acts := len(d.acts)
	for i := range 2 * maxIdle {
		do("ann", "ban", i, 0)
	}
	if len(d.acts) != acts || len(d.idle) > maxIdle {
		t.Errorf("%d acts, want %d, and %d idle ones", len(d.acts), acts, len(d.idle))
	}
}

// BenchmarkFold measures how long it takes to fold acts anew behind one that comes late: in a line, from two sides of a partition, and as each of eight
// nodes hears of some of the others'.
func BenchmarkFold(b *testing.B) {
	for _, shape := range []string{"line", "partition", "web"} {
		for _, n := range []int{1000, 16000} {
			d := newDocket(party("owner"), false)
			shapeOf(d, shape, n)
			b.Run(fmt.Sprint(shape, "/", n), func(b *testing.B) {
				for range b.N {
					d.judge()
				}
			})
		}
	}
}

func shapeOf(d *docket, shape string, n int) {
	rng := rand.New(rand.NewPCG(1, 1))
	heads := make([]actEntry, 8)
	for i := range n {
		log := 0
		switch shape {
		case "partition":
			log = i % 2
		case "web":
			log = rng.IntN(len(heads))
		}
		a := actEntry{seq: heads[log].seq + 1, lamport: heads[log].lamport + 1, by: party("owner"), time: int64(i)}
		a.log[0] = byte(log + 1)
		if shape == "web" {
			dep := &heads[rng.IntN(len(heads))]
			if dep.seq > 0 {
				a.deps = []wire.Dep{{Log: dep.log, Seq: dep.seq}}
				a.lamport = max(a.lamport, dep.lamport+1)
			}
		}
		a.id[0], a.id[1], a.id[2] = byte(i), byte(i>>8), byte(i>>16)
		a.deed = deed(a.id[:16])
		a.Verb, a.who = []chat.Verb{chat.Op, chat.Ban, chat.Mute, chat.Unban, chat.Deop}[rng.IntN(5)], party(fmt.Sprint("guest", rng.IntN(500)))
		if rng.IntN(2) == 0 && i > 10 {
			a.by = party(fmt.Sprint("guest", rng.IntN(500)))
		}
		d.file(a)
		heads[log] = a
	}
}
