package hub

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// model is what a hub should be, as plainly as it can be said. Everything is submitted by one goroutine, so that it knows the order too.
type model struct {
	rooms  map[string][]modelRow  // by what the history calls them
	names  map[string]identity.ID // by folded name
	people map[identity.ID]*person
}

type modelRow struct{ name, text string }

type person struct {
	name  string
	here  int  // sessions
	known bool // has ever been here
}

// actor is a client, and what the model expects it to be told.
type actor struct {
	*client
	m        *model
	label    string
	n        int    // texts, over all origins
	last     uint64 // cseq that the hub has answered
	nacked   uint64
	outcomes map[uint64]string
	in       map[string]bool
	directs  bool
	answers  []string // expected
	replies  []string
}

// TestRandomRun lets random sessions do random things and compares what each has seen with a plain model.
func TestRandomRun(t *testing.T) {
	seeds, steps := []uint64{*seedFlag}, 3000
	if *seedFlag == 0 {
		seeds = []uint64{rand.Uint64(), rand.Uint64(), rand.Uint64(), rand.Uint64()}
	}
	if raceEnabled {
		steps = 1000
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Logf("go test ./internal/hub -run TestRandomRun -hub.seed %d", seed)
			bubble(t, func(t *testing.T) { randomRun(t, rand.New(rand.NewPCG(seed, 0)), steps) })
		})
	}
}

func randomRun(t *testing.T, rng *rand.Rand, steps int) {
	w := newWorld(t, func(c *Config) {
		c.Memory = int64(rng.IntN(64 << 10))
		c.Store = &slowStore{Memory: store.NewMemory([]int64{64 << 20, 20 << 10}[rng.IntN(2)])}
	})
	m := &model{rooms: map[string][]modelRow{}, names: map[string]identity.ID{}, people: map[identity.ID]*person{}}
	var all []*actor
	for i := range 8 {
		a := &actor{client: w.newClient(fmt.Sprint("actor", i)), m: m, label: fmt.Sprint("actor", i), outcomes: map[uint64]string{}, in: map[string]bool{}}
		a.key, a.asked, a.stuck = keyOf(fmt.Sprint("key ", i%5)), fmt.Sprint("name", i%3), true
		if m.people[a.key] == nil {
			m.people[a.key] = &person{}
		}
		all = append(all, a)
	}
	for range steps {
		a := all[rng.IntN(len(all))]
		if a.session == nil {
			a.come(rng)
			continue
		}
		if synctest.Wait(); a.session.inFlight() > chat.MaxInFlight/2 {
			a.drain()
		}
		switch p := rng.IntN(100); {
		case p < 2:
			a.come(rng) // replaces its own session
		case p < 5:
			a.quit(rng.IntN(3) == 0)
		case p < 50:
			a.publish(rng, all)
		case p < 60:
			a.enter(rng, all)
		case p < 66:
			a.part(a.somewhere(rng, all))
		case p < 70:
			a.nick(fmt.Sprint("name", rng.IntN(6)))
		case p < 90:
			a.take(1+rng.IntN(2000), 400+rng.IntN(4000))
		default:
			a.drain()
		}
	}
	for _, a := range all {
		a.stuck = false
	}
	w.settle()
	for _, a := range all {
		a.check(t)
	}
	w.checkHistory()
}

// inFlight returns how many records are not answered yet.
func (s *Session) inFlight() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// come attaches, maybe in place of a session that is there, and resumes some of its rooms.
func (a *actor) come(rng *rand.Rand) {
	p := a.m.people[a.key]
	known := a.last > 0 || a.session != nil
	if a.session != nil {
		a.lose()
		p.here--
	}
	want := p.name
	if !known || p.name == "" {
		want = a.m.free(a.asked, a.key)
		a.m.rename(a.key, want)
	}
	a.in, a.directs, a.nacked = map[string]bool{}, false, 0
	p.here++
	p.known = true
	a.attach()
	if got := a.welcome; got.Name != want || got.LastCSeq != a.last {
		a.t.Errorf("%s was welcomed as %q at %d, want %q at %d", a.asked, got.Name, got.LastCSeq, want, a.last)
	}
	for _, o := range a.welcome.Outcomes {
		got := fmt.Sprintf("ack %d=%d", o.CSeq, o.Seq)
		if o.Code != chat.OK {
			got = fmt.Sprintf("refused %d %v", o.CSeq, o.Code)
		}
		if want := a.outcomes[o.CSeq]; got != want {
			a.t.Errorf("an outcome in the welcome is %q, want %q", got, want)
		}
	}
	a.cseq = a.last
	for _, title := range slices.Sorted(maps.Keys(a.views)) {
		if v := a.views[title]; rng.IntN(2) == 0 {
			room := v.title
			if v.told != v.title {
				room = chat.DirectMark + identity.ID(v.opens[0].Peer).String()
			}
			a.join(room, &wire.Join{Room: room, Cursor: a.cursor(title)})
		}
	}
}

// lose compares what the client was told with what it should have been, as far as it has taken it.
func (a *actor) lose() {
	a.t.Helper()
	synctest.Wait()
	a.compare(false)
	a.client.answers, a.client.replies, a.answers, a.replies = nil, nil, nil, nil
}

func (a *actor) compare(all bool) {
	a.t.Helper()
	got, replies := brief(a.client.answers), briefReplies(a.client.replies)
	want, wantReplies := a.answers, a.replies
	if !all {
		want, wantReplies = want[:min(len(got), len(want))], wantReplies[:min(len(replies), len(wantReplies))]
	}
	if !slices.Equal(got, want) {
		a.t.Errorf("%s: answers (-want +got):\n%s", a.asked, cmp.Diff(want, got))
	}
	if !slices.Equal(replies, wantReplies) {
		a.t.Errorf("%s: replies (-want +got):\n%s", a.asked, cmp.Diff(wantReplies, replies))
	}
}

func briefReplies(replies []wire.Record) (out []string) {
	for _, r := range replies {
		switch r := r.(type) {
		case *wire.Named:
			out = append(out, fmt.Sprint("named ", r.Name, " ", r.Code))
		case *wire.Closed:
			out = append(out, fmt.Sprint("closed ", r.Name, " ", r.Code))
		case *wire.Open:
			out = append(out, fmt.Sprint("open ", r.Name, " ", r.Code))
		}
	}
	return out
}

func (a *actor) quit(goodbye bool) {
	a.t.Helper()
	if goodbye {
		synctest.Wait()
		a.drain()
	}
	a.lose()
	a.leave(goodbye)
	a.m.people[a.key].here--
	if goodbye {
		a.n++
		label := fmt.Sprint(a.label, " with origin ", a.n)
		key := keyOf(label)
		a.origin = store.OriginToken(key[:16])
		a.told = a.w.history.Client(label)
		a.views, a.next = map[string]*view{}, map[uint64]uint64{}
		a.last, a.outcomes = 0, map[uint64]string{}
	}
}

// somewhere returns a room's name or a person's key.
func (a *actor) somewhere(rng *rand.Rand, all []*actor) string {
	if rng.IntN(4) == 0 {
		return chat.DirectMark + all[rng.IntN(len(all))].key.String()
	}
	return fmt.Sprint("room", rng.IntN(4))
}

// publish sends the next message, or repeats one, or leaves one out.
func (a *actor) publish(rng *rand.Rand, all []*actor) {
	switch p := rng.IntN(20); {
	case p == 0 && a.last > 0: // again
		cseq := a.last - rng.Uint64N(min(a.last, 20))
		a.submit(&wire.Pub{CSeq: cseq, Room: "room0", Kind: chat.Text, Body: []byte("repeated")})
		a.answers = append(a.answers, a.outcomes[cseq])
		return
	case p == 1: // a hole
		a.submit(&wire.Pub{CSeq: a.last + 2 + rng.Uint64N(3), Room: "room0", Kind: chat.Text, Body: []byte("never kept")})
		if a.nacked != a.last+1 {
			a.nacked = a.last + 1
			a.answers = append(a.answers, fmt.Sprintf("nack %d hole", a.nacked))
		}
		return
	}
	a.n++
	room := a.somewhere(rng, all)
	out := a.pub(room, fmt.Sprintf("%s %d %s", a.label, a.n, strings.Repeat("x", rng.IntN(300))))
	a.last, a.nacked = out.CSeq, 0
	outcome := ""
	switch p := rng.IntN(20); {
	case p == 0:
		out.Kind, outcome = 77, fmt.Sprintf("refused %d bad_kind", out.CSeq)
	case p == 1:
		out.Room, outcome = "No Room", fmt.Sprintf("refused %d bad_room", out.CSeq)
	case p == 2:
		out.Kind, outcome = chat.Skip, fmt.Sprintf("ack %d=0", out.CSeq)
	default:
		if p == 3 {
			out.Kind = chat.Action
		}
		if id := a.target(room); id != (identity.ID{}) && !a.m.people[id].known {
			outcome = fmt.Sprintf("refused %d no_such_user", out.CSeq)
			break
		}
		name := a.historyRoom(room)
		if a.target(room) != (identity.ID{}) {
			for _, x := range all {
				if x.directs && (x.key == a.key || x.key == a.target(room)) {
					x.in[name] = true
				}
			}
		}
		a.m.rooms[name] = append(a.m.rooms[name], modelRow{a.m.people[a.key].name, string(out.Body)})
		outcome = fmt.Sprintf("ack %d=%d", out.CSeq, len(a.m.rooms[name]))
	}
	a.outcomes[out.CSeq] = outcome
	a.answers = append(a.answers, outcome)
	a.submit(out)
}

// target returns the key that a direct conversation is with; zero for a room.
func (a *actor) target(room string) identity.ID {
	id, _ := identity.ParseID(strings.TrimPrefix(room, chat.DirectMark))
	return id
}

// enter joins a room, a conversation, or all of them.
func (a *actor) enter(rng *rand.Rand, all []*actor) {
	if rng.IntN(5) == 0 {
		a.directs = true
		for _, x := range all {
			if name := directName(a.key, x.key); len(a.m.rooms[name]) > 0 && !a.in[name] {
				a.in[name] = true
			}
		}
		a.submit(&wire.Join{Room: chat.DirectMark, Tail: rng.Uint64N(5)})
		return
	}
	room := a.somewhere(rng, all)
	a.join(room, &wire.Join{Room: room, Tail: rng.Uint64N(9)})
}

func (a *actor) join(room string, j *wire.Join) {
	if id := a.target(room); id != (identity.ID{}) && !a.m.people[id].known {
		a.replies = append(a.replies, fmt.Sprint("open ", room, " no_such_user"))
	} else {
		a.in[a.historyRoom(room)] = true
	}
	a.submit(j)
}

func (a *actor) part(room string) {
	if name := a.historyRoom(room); a.in[name] {
		delete(a.in, name)
	} else {
		a.replies = append(a.replies, fmt.Sprint("closed ", room, " not_joined"))
	}
	a.submit(&wire.Part{Room: room})
}

func (a *actor) nick(name string) {
	synctest.Wait()
	elapse(nicksEach) // or it would be too fast
	current := a.m.people[a.key].name
	if a.m.free(name, a.key) == name {
		a.m.rename(a.key, name)
		a.replies = append(a.replies, fmt.Sprint("named ", name, " ok"))
	} else {
		a.replies = append(a.replies, fmt.Sprint("named ", current, " name_taken"))
	}
	a.submit(&wire.Nick{Name: name})
}

func (m *model) free(name string, id identity.ID) string {
	owner, claimed := m.names[name]
	if claimed && owner != id {
		return chat.Suffixed(name, id.String())
	}
	return name
}

func (m *model) rename(id identity.ID, name string) {
	delete(m.names, m.people[id].name)
	m.names[name] = id
	m.people[id].name = name
}

// check compares what an actor ended up with with the model.
func (a *actor) check(t *testing.T) {
	t.Helper()
	for _, v := range a.views {
		for _, r := range v.rows {
			if want := a.m.rooms[v.told][r.Seq-1]; want != (modelRow{r.Name, string(r.Body)}) {
				t.Fatalf("row %d of %s is %s %q, want %+v", r.Seq, v.told, r.Name, r.Body, want)
			}
		}
	}
	if a.session == nil {
		return
	}
	a.compare(true)
	open := map[string]bool{}
	for _, v := range a.open {
		open[v.told] = true
		if want := uint64(len(a.m.rooms[v.told]) + 1); v.next != want {
			t.Errorf("%s is before row %d of %s, want %d", a.asked, v.next, v.told, want)
		}
	}
	if diff := cmp.Diff(a.in, open); diff != "" {
		t.Errorf("%s is in (-want +got):\n%s", a.asked, diff)
	}
	if got := a.ask(&wire.Whois{Who: a.key.String()}).(*wire.WhoisIs); got.Person.Name != a.m.people[a.key].name {
		t.Errorf("%s is called %q, want %q", a.asked, got.Person.Name, a.m.people[a.key].name)
	}
}
