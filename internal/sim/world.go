package sim

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/mesh"
)

// LogLines is how many lines of the nodes' log a failed run shows.
var LogLines = 100

// world is all of one run. It lives in a bubble.
type world struct {
	t      testing.TB
	seed   uint64
	rng    *rand.Rand // of the test's goroutine
	net    *network
	nodes  []*node
	people []*person
	liars  []*liar
	lying  sync.WaitGroup // of all that liars say
	admins map[identity.ID]bool
	trims  bool     // stores forget old rows
	shares bool     // rows have entries from the first one on, as when a node has been linked: people move only between such
	space  [16]byte // of all nodes
	log    *slog.Logger
	began  time.Time

	mu    sync.Mutex
	lines *tail
	seen  map[string]bool // faults that were told
}

// tail keeps the last lines of a log.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (l *tail) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, strings.TrimSpace(string(b)))
	if len(l.lines) > 4000 {
		l.lines = slices.Clone(l.lines[2000:])
	}
	return len(b), nil
}

func newWorld(t testing.TB, seed uint64) *world {
	w := &world{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), admins: map[identity.ID]bool{}, lines: new(tail), seen: map[string]bool{}, began: time.Now(), space: [16]byte{1}}
	w.net = newNetwork(rand.New(rand.NewPCG(seed, 2)))
	w.log = slog.New(slog.NewTextHandler(w.lines, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.String("t", fmt.Sprint(time.Since(w.began)))
		}
		return a
	}}))
	t.Cleanup(w.end)
	return w
}

// end stops what is up, and says what happened when something went wrong.
func (w *world) end() {
	for _, n := range w.nodes {
		if n.life != nil {
			n.down()
		}
	}
	w.lying.Wait()
	synctest.Wait()
	if w.t.Failed() {
		w.lines.mu.Lock()
		defer w.lines.mu.Unlock()
		last := w.lines.lines[max(0, len(w.lines.lines)-LogLines):]
		w.t.Logf("seed %d; the last lines of the log:\n%s", w.seed, strings.Join(last, "\n"))
	}
}

// fail tells of a broken promise, once.
func (w *world) fail(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.mu.Lock()
	known := w.seen[text] || len(w.seen) >= 12
	w.seen[text] = true
	w.mu.Unlock()
	if !known {
		w.t.Errorf("seed %d, after %v: %s", w.seed, time.Since(w.began), text)
	}
}

// note puts a line into the log.
func (w *world) note(format string, args ...any) { w.log.Info("## " + fmt.Sprintf(format, args...)) }

func (w *world) isAdmin(id identity.ID) bool { return w.admins[id] }

// chance says yes once in n times.
func (w *world) chance(n int) bool { return w.rng.IntN(n) == 0 }

// pick returns one of a list.
func pick[T any](w *world, list []T) T { return list[w.rng.IntN(len(list))] }

// elapse lets time pass.
func elapse(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// plan is what a run is made of.
type plan struct {
	nodes   int
	guests  bool // nobody is admitted
	hidden  bool // nodes say nothing of where they are: the links are those that the plan makes
	degree  int  // links that each node makes, at least
	people  int  // on each node
	steps   int
	faults  bool // of the network, and crashes
	old     bool // stores are put back
	acts    bool
	moves   bool // people go on at other nodes
	liars   bool // others come and lie
	late    int  // nodes that come when half of it is over
	trims   bool // stores are small, and forget old rows
	history int  // rows that some nodes have before their first link
}

// build makes the nodes and the people of a plan.
func (w *world) build(p *plan) {
	w.shares, w.trims = p.moves, p.trims
	for range p.nodes {
		limit := int64(64 << 20)
		if p.trims {
			limit = 16<<10 + w.rng.Int64N(48<<10)
		}
		w.newNode(limit).hidden = p.hidden
	}
	for i, n := range w.nodes {
		if !p.guests {
			n.knows(slices.DeleteFunc(slices.Clone(w.nodes), func(o *node) bool { return o == n })...)
		}
		if i > 0 {
			n.connects(w.nodes[w.rng.IntN(i)]) // one whole
		}
		for range p.degree - 1 {
			if o := pick(w, w.nodes); o != n && !slices.ContainsFunc(n.targets, func(t mesh.Target) bool { return t.Address == o.address }) {
				n.connects(o)
			}
		}
	}
	rooms := []string{"lobby", "annex", "hall"}
	for _, n := range w.nodes {
		for i := range p.people {
			name := fmt.Sprintf("p%dn%d", i, n.n)
			if p.acts && w.chance(6) {
				w.admins[keyOf("person "+name).ID()] = true
			}
			w.newPerson(n, name, rooms...)
		}
	}
}

// run runs a plan to its end, and returns how long it took until all had the same.
func (w *world) run(p *plan) (healed time.Duration) {
	w.build(p)
	late := w.nodes[p.nodes-p.late:]
	for _, n := range w.nodes[:p.nodes-p.late] {
		n.up()
		elapse(time.Duration(w.rng.IntN(200)) * time.Millisecond)
	}
	for range p.history {
		w.talk(p)
	}
	for step := range p.steps {
		if step == p.steps/2 {
			for _, n := range late {
				if n.life == nil {
					n.up()
				}
			}
		}
		w.talk(p)
		if p.faults && w.chance(12) {
			w.breakSomething(p)
		}
		if p.liars && w.chance(8) {
			w.lie()
		}
		elapse(time.Duration(1+w.rng.IntN(400)) * time.Millisecond)
	}
	healed = w.settle()
	if p.liars {
		w.lieInPeace()
		healed = max(healed, w.settle())
	}
	return healed
}

// lie has some liar say something, and nobody waits for what comes of it.
func (w *world) lie() {
	n, other := pick(w, w.nodes), pick(w, w.nodes)
	switch {
	case n.life == nil || other.life == nil:
	case n != other && w.chance(6):
		w.note("a liar tells nodes %d and %d two histories", n.n, other.n)
		w.tellTwo(n, other, w.rng.IntN(3))
	default:
		l := pick(w, lies)
		w.note("a liar tells node %d: %s", n.n, l.name)
		w.newLiar().liesTo(n, l)
	}
}

// lieInPeace tells some lies to nodes of which nothing is broken: those that can be seen have to be (P8).
func (w *world) lieInPeace() {
	var all []*conversation
	for range 4 {
		n, l := pick(w, w.nodes), pick(w, lies)
		w.note("a liar tells node %d in peace: %s", n.n, l.name)
		all = append(all, w.newLiar().liesTo(n, l))
	}
	w.lying.Wait()
	elapse(time.Second)
	for _, c := range all {
		w.checkSeen(c)
	}
}

// talk has somebody say or do something.
func (w *world) talk(p *plan) {
	person := pick(w, w.people)
	if person.node.life == nil || person.pending() >= 32 {
		return
	}
	for range 1 + w.rng.IntN(3) {
		person.saySomething(p)
	}
}

// saySomething says something that nobody else says.
func (p *person) saySomething(plan *plan) {
	w := p.w
	m := &message{room: pick(w, p.rooms), kind: chat.Text}
	p.mu.Lock()
	n := p.cseq + 1
	var rows []*message
	for _, k := range p.kept {
		if k.kind == chat.Text && k.node == p.node {
			rows = append(rows, &message{room: k.room, re: k.id, row: k.seq})
		}
	}
	p.mu.Unlock()
	m.text = fmt.Sprintf("%s %d.%d", p.name, p.origins, n)
	switch {
	case plan.acts && w.chance(4):
		if !p.act(m, rows) {
			return
		}
	case w.chance(12):
		m.kind, m.text = chat.Topic, "topic of "+m.text
	case w.chance(10):
		m.kind = chat.Action
	case len(rows) > 0 && w.chance(5):
		k := pick(w, rows)
		m.room, m.re = k.room, k.re
	case w.chance(15):
		other := pick(w, w.people)
		m.room = chat.DirectMark + other.key.ID().String()
	case w.chance(30):
		m.text += strings.Repeat(" long", 1000)
	}
	p.say(m)
}

// act makes an act of a message, and reports whether there is one to be made.
func (p *person) act(m *message, rows []*message) bool {
	w := p.w
	m.kind = chat.Act
	who := pick(w, w.people).key.ID().String()
	switch w.rng.IntN(20) {
	case 0, 1, 2:
		m.text = "op " + who
	case 3:
		m.text = "deop " + who
	case 4:
		m.text = "kick " + who
	case 5:
		m.text = "ban " + who + " 10d"
	case 6, 7:
		m.text = "unban " + who
	case 8:
		m.text = "mute " + who + " 10d"
	case 9:
		m.text = "unmute " + who
	case 10:
		m.text = "slow 1s"
	case 11:
		m.text = "slow 0s"
	case 12:
		m.text = "readonly"
	case 13:
		m.text = "writable"
	case 14:
		m.text = fmt.Sprintf("welcome of %s %d", p.name, w.rng.IntN(100))
	case 15:
		m.text = pick(w, []string{"archive", "unarchive"})
	case 16:
		m.text = "private"
	case 17, 18:
		m.text = pick(w, []string{"open", "invite " + who})
	default:
		if len(rows) == 0 {
			return false
		}
		k := pick(w, rows)
		m.room = k.room
		m.text = pick(w, []string{"pin ", "redact "}) + k.re.String()
		if strings.HasPrefix(m.text, "redact") {
			m.row = k.row
		}
	}
	return true
}

// breakSomething breaks, or mends, something.
func (w *world) breakSomething(p *plan) {
	n := pick(w, w.nodes)
	switch w.rng.IntN(10) {
	case 0, 1:
		o := pick(w, w.nodes)
		w.note("the way from %d to %d is cut", n.n, o.n)
		w.net.cut(n.address, o.address)
	case 2:
		w.partition()
	case 3, 4:
		w.note("all ways are healed")
		w.net.heal()
	case 5:
		o := pick(w, w.nodes)
		w.note("links between %d and %d are reset", n.n, o.n)
		w.net.reset(n.address, o.address)
	case 6, 7:
		if n.life == nil {
			w.note("node %d comes back", n.n)
			n.up()
			return
		}
		behind, torn := w.chance(2), w.chance(2)
		w.note("node %d crashes: behind %v, torn %v", n.n, behind, torn)
		for range w.rng.IntN(3) {
			w.talk(p)
		}
		n.crash(behind, torn)
		if w.chance(2) {
			n.up()
		}
	case 8:
		if n.life != nil && w.chance(2) {
			w.note("node %d is stopped and started", n.n)
			n.down()
			n.up()
		}
	case 9:
		switch {
		case p.moves && w.chance(2):
			person, to := pick(w, w.people), pick(w, w.nodes)
			if to.life != nil && person.node != to {
				w.note("%s goes from %d to %d", person.name, person.node.n, to.n)
				person.moveTo(to)
			}
		case p.old && n.life != nil:
			w.putBack(p, n)
		}
	}
}

// partition cuts the nodes into two.
func (w *world) partition() {
	var halves [2][]*node
	for _, n := range w.nodes {
		i := w.rng.IntN(2)
		halves[i] = append(halves[i], n)
	}
	w.note("%d nodes are cut off from %d", len(halves[0]), len(halves[1]))
	for _, a := range halves[0] {
		for _, b := range halves[1] {
			w.net.cut(a.address, b.address)
			w.net.cut(b.address, a.address)
		}
	}
}

// putBack puts an old copy of a node's store in its place, after some time: as a backup, or as it was.
func (w *world) putBack(p *plan, n *node) {
	old, raw := n.memory.Clone(), w.chance(2)
	for range 1 + w.rng.IntN(6) {
		w.talk(p)
		elapse(time.Duration(w.rng.IntN(300)) * time.Millisecond)
	}
	w.note("an old store of node %d is put back, as it was: %v", n.n, raw)
	n.crash(w.chance(2), w.chance(2))
	n.memory, n.lost = old, true
	if raw {
		n.raw = true
	} else {
		n.memory = old.Restored()
	}
	for _, person := range w.people {
		person.mu.Lock()
		if person.node == n {
			person.excused = true
			if !raw {
				person.views = map[string]*view{}
			}
		}
		for _, k := range person.kept {
			if k.node == n {
				k.node = nil // it may be gone
			}
		}
		person.mu.Unlock()
	}
	n.up()
}

// settle mends all that is broken, and returns how long it takes until nobody waits for an answer and all nodes have the same.
func (w *world) settle() time.Duration {
	w.note("all is mended")
	w.net.heal()
	for _, n := range w.nodes {
		if n.life == nil {
			n.up()
		}
	}
	began, healLimit := time.Now(), healLimit
	if w.trims {
		healLimit *= 3 // what somebody waits for may turn out to be gone, one thing after another, and is looked for once a minute
	}
	for time.Since(began) < healLimit {
		elapse(time.Second)
		if w.quiet() {
			healed := time.Since(began)
			elapse(5 * time.Second)
			if w.quiet() {
				return healed
			}
		}
	}
	for _, p := range w.people {
		if n := p.pending(); n > 0 {
			w.fail("%s still waits for %d answers of node %d", p.name, n, p.node.n)
		}
	}
	if w.trims {
		w.fail("P11: after %v %s", healLimit, w.lacks())
	} else {
		w.tellDifferences()
	}
	return healLimit
}

// quiet reports whether nobody waits, and all nodes have the same.
func (w *world) quiet() bool {
	for _, p := range w.people {
		if p.pending() > 0 {
			return false
		}
	}
	if w.trims {
		return w.lacks() == ""
	}
	for _, n := range w.nodes[1:] {
		if !slices.Equal(n.life.hub.Digests(!w.guests()), w.nodes[0].life.hub.Digests(!w.guests())) {
			return false
		}
	}
	return true
}

// lacks says what some node could have from another and has not, where stores forget; empty: nothing.
func (w *world) lacks() string {
	admitted := !w.guests()
	for _, n := range w.nodes {
		for _, d := range n.life.hub.Digests(admitted) {
			for _, h := range n.life.hub.Heads(d.Room, admitted) {
				if h.Low > h.Seq {
					continue // all that it had is gone
				}
				for _, o := range w.nodes {
					if theirs, _ := o.life.hub.HeadOf(h.Log.ID(), admitted); theirs.Seq < h.Seq {
						return fmt.Sprintf("node %d has %d to %d of a log of node %s in %s, node %d has it to %d", n.n, h.Low, h.Seq, w.nameOf(h.Log.Node), d.Room, o.n, theirs.Seq)
					}
				}
			}
		}
	}
	return ""
}

func (w *world) guests() bool { return len(w.nodes[0].peers) == 0 }

// tellDifferences says which logs differ.
func (w *world) tellDifferences() {
	admitted := !w.guests()
	first := w.nodes[0].life.hub
	for _, n := range w.nodes[1:] {
		ours, theirs := n.life.hub.Digests(admitted), first.Digests(admitted)
		if len(ours) != len(theirs) {
			w.fail("nodes 0 and %d have %d and %d rooms after %v", n.n, len(theirs), len(ours), healLimit)
		}
		for _, d := range theirs {
			for _, h := range first.Heads(d.Room, admitted) {
				if o, found := n.life.hub.HeadOf(h.Log.ID(), admitted); !found || o.Seq != h.Seq || !bytes.Equal(o.ID, h.ID) {
					w.fail("nodes 0 and %d have entries to %d and %d of a log of node %s in %s after %v", n.n, h.Seq, o.Seq, w.nameOf(h.Log.Node), d.Room, healLimit)
				}
			}
		}
		for _, d := range ours {
			for _, h := range n.life.hub.Heads(d.Room, admitted) {
				if _, found := first.HeadOf(h.Log.ID(), admitted); !found {
					w.fail("node 0 does not know a log of node %s in %s, which node %d has to %d, after %v", w.nameOf(h.Log.Node), d.Room, n.n, h.Seq, healLimit)
				}
			}
		}
	}
}

// nameOf returns the number of the node with a key.
func (w *world) nameOf(key []byte) string {
	for _, n := range w.nodes {
		if bytes.Equal(n.key.Public(), key) {
			return fmt.Sprint(n.n)
		}
	}
	return fmt.Sprintf("%x", key[:4])
}
