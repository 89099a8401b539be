package hub

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// court is what a moderated room should be, as plainly as docs/protocol.md says it.
type court struct {
	owner     string
	moderator map[string]bool
	banned    map[string]int64 // until; 0: without an end
	muted     map[string]int64
	barred    map[bar]int64
	spoke     map[string]int64
	readonly  bool
	archived  bool
	slow      int64 // milliseconds
	welcome   string
	pins      []string
	rows      []string
	in        map[*citizen]bool
	private   bool
	open      int            // the first row that everybody reads while it is not private
	members   map[string]int // the first row that each reads
}

type bar struct{ network, banned string }

// citizen is a device of somebody.
type citizen struct {
	*client
	label, who string
	network    string
	admin      bool
}

// town is the model and the hub that it is compared with.
type town struct {
	*world
	t        *testing.T
	rng      *rand.Rand
	citizens []*citizen
	keys     map[string]identity.ID
	courts   map[string]*court
	wants    map[*citizen][]string // answers that are expected
	denied   map[*citizen][]string
	with     map[string][]identity.ID // whom the acts private took in, by room and row
	open     bool
}

var townsfolk = []citizen{
	{label: "boss", who: "boss", network: "192.0.2.1", admin: true}, {label: "owner", who: "owner", network: "192.0.2.2"}, {label: "mo", who: "mo", network: "192.0.2.3"},
	{label: "mophone", who: "mo", network: "2001:db8::1"}, {label: "mia", who: "mia", network: "192.0.2.1"}, {label: "ann", who: "ann", network: "192.0.2.4"},
	{label: "annphone", who: "ann", network: "2001:db8::2"}, {label: "bea", who: "bea", network: "192.0.2.4"}, {label: "cy", who: "cy", network: "127.0.0.1"},
}

// TestActsModel lets random people do random things to each other, in bursts that one batch takes and over restarts, and compares every answer, every row,
// who is where and what they are told with a plain model.
func TestActsModel(t *testing.T) {
	seeds, steps := []uint64{*seedFlag}, 150
	if *seedFlag == 0 {
		seeds = []uint64{rand.Uint64(), rand.Uint64(), rand.Uint64(), rand.Uint64()}
	}
	if raceEnabled {
		steps = 60
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Logf("go test ./internal/hub -run TestActsModel -hub.seed %d", seed)
			bubble(t, func(t *testing.T) { actsModel(t, rand.New(rand.NewPCG(seed, 0)), steps) })
		})
	}
}

func actsModel(t *testing.T, rng *rand.Rand, steps int) {
	x := &town{t: t, rng: rng, keys: map[string]identity.ID{}, courts: map[string]*court{}, with: map[string][]identity.ID{}, open: rng.IntN(3) > 0}
	private := effects[chat.Private]
	defer func() { effects[chat.Private] = private }()
	effects[chat.Private] = func(a *acting) chat.Code {
		code := private(a)
		x.with[fmt.Sprint(a.room.Name, a.room.head+1)] = a.with
		return code
	}
	x.world = newWorld(t)
	x.settlers()
	for step := range steps {
		burst := 1 + rng.IntN(15)
		release := func() {}
		if rng.IntN(2) == 0 { // one batch for all of it but the first row
			release = x.store.block()
		}
		for range burst {
			x.step()
		}
		release()
		x.settle()
		x.compare()
		if t.Failed() {
			t.Fatalf("at step %d", step)
		}
		switch rng.IntN(20) {
		case 0:
			x.restart()
		case 1, 2, 3, 4:
			x.skip(time.Duration(2+rng.IntN(40)) * time.Second)
		}
	}
}

// settlers come to the node, and the owner makes the rooms.
func (x *town) settlers() {
	x.citizens, x.wants, x.denied = nil, map[*citizen][]string{}, map[*citizen][]string{}
	x.hub.cfg.InviteOnly = false
	for _, c := range townsfolk {
		c.client = x.signer(c.label)
		if c.who != c.label {
			c.secret = secrets[c.who]
			c.key = c.secret.ID()
		}
		c.client.asked, c.client.admin, c.client.address = c.who, c.admin, netip.MustParseAddr(c.network)
		c.come()
		x.keys[c.who] = c.key
		x.citizens = append(x.citizens, &c)
	}
	x.hub.cfg.InviteOnly = !x.open
	for _, name := range []string{"room1", "room2"} {
		if x.courts[name] == nil {
			x.courts[name] = &court{owner: "owner", moderator: map[string]bool{}, banned: map[string]int64{}, muted: map[string]int64{}, barred: map[bar]int64{}, spoke: map[string]int64{},
				open: 1, members: map[string]int{}}
			owner := x.citizens[1]
			owner.do(owner.pub(name, "first"))
			owner.client.answers = nil
			x.courts[name].rows = []string{"first"}
		}
		x.courts[name].in = map[*citizen]bool{}
	}
}

// restart has a new hub take up what the store has: nobody is anywhere, and only when somebody wrote last is forgotten.
func (x *town) restart() {
	x.world = restarted(x.world)
	for _, c := range x.courts {
		c.spoke = map[string]int64{}
	}
	x.settlers()
}

// step has somebody do something.
func (x *town) step() {
	c := x.citizens[x.rng.IntN(len(x.citizens))]
	if x.rng.IntN(3) == 0 {
		c = x.citizens[x.rng.IntN(3)] // who may do much
	}
	name := []string{"room1", "room2"}[x.rng.IntN(2)]
	room := x.courts[name]
	now := w0(x.world)
	switch p := x.rng.IntN(100); {
	case p < 20:
		c.submit(&wire.Join{Room: name, Tail: 3})
		if room.isOut(c, now) {
			x.denied[c] = append(x.denied[c], "open "+name+" banned")
		} else if room.first(c.who) == 0 {
			x.denied[c] = append(x.denied[c], "open "+name+" not_member")
		} else {
			room.in[c] = true
		}
	case p < 23:
		c.submit(&wire.Part{Room: name})
		if !room.in[c] {
			x.denied[c] = append(x.denied[c], "closed "+name+" not_joined")
		}
		delete(room.in, c)
	case p < 55:
		pub := c.pub(name, fmt.Sprint(c.label, " ", c.cseq))
		x.expect(c, pub, room.say(c, string(pub.Body), now))
		c.submit(pub)
	default:
		act, target := x.randomAct()
		pub := c.act(name, "%s", act.String())
		x.expect(c, pub, x.judge(room, c, act, target, now))
		c.submit(pub)
	}
}

func (x *town) expect(c *citizen, p *wire.Pub, row int) {
	if row > 0 {
		x.wants[c] = append(x.wants[c], fmt.Sprintf("ack %d=%d", p.CSeq, row))
	} else {
		x.wants[c] = append(x.wants[c], fmt.Sprintf("refused %d %v", p.CSeq, chat.Code(-row)))
	}
}

// randomAct makes one, of verbs that matter more often than of others.
func (x *town) randomAct() (act chat.ActOf, target string) {
	verbs := []chat.Verb{chat.Op, chat.Op, chat.Deop, chat.Kick, chat.Kick, chat.Ban, chat.Ban, chat.Unban, chat.Unban, chat.Mute, chat.Mute, chat.Unmute, chat.Slow, chat.ReadOnly,
		chat.Writable, chat.Writable, chat.Pin, chat.Unpin, chat.Welcome, chat.Archive, chat.Unarchive, chat.Unarchive, chat.Private, chat.Private, chat.Invite, chat.Invite, chat.Invite, chat.Open}
	act.Verb = verbs[x.rng.IntN(len(verbs))]
	if act.Verb == chat.Archive && x.rng.IntN(3) > 0 {
		act.Verb = chat.Kick // most of what is worth comparing happens in other rooms
	}
	switch act.Verb {
	case chat.Slow:
		act.For = time.Duration(x.rng.IntN(3)) * 5 * time.Second
	case chat.Pin, chat.Unpin:
		act.Text = fmt.Sprintf("%016x", x.rng.IntN(10))
	case chat.Welcome:
		act.Text = []string{"", "hello", "read the pins"}[x.rng.IntN(3)]
	case chat.Ban, chat.Mute:
		act.For = time.Duration(x.rng.IntN(4)) * 10 * time.Second
		fallthrough
	case chat.Op, chat.Deop, chat.Kick, chat.Unban, chat.Unmute, chat.Invite:
		people := slices.Sorted(maps.Keys(x.keys))
		target = people[x.rng.IntN(len(people))]
		act.Who = x.keys[target].String()
	}
	return act, target
}

// rank is a role as a number.
func (r *court) rank(who string) int {
	switch {
	case who == "boss":
		return 3
	case who == r.owner:
		return 2
	case r.moderator[who]:
		return 1
	}
	return 0
}

// lasts reports whether there is an entry that has not ended.
func lasts[K comparable](m map[K]int64, k K, now int64) bool {
	until, found := m[k]
	return found && (until == 0 || until > now)
}

func network(c *citizen) string {
	if a := netip.MustParseAddr(c.network); a.Is6() {
		return "v6"
	} else if a.IsLoopback() {
		return ""
	}
	return c.network
}

func (r *court) isOut(c *citizen, now int64) bool {
	if r.rank(c.who) == 3 {
		return false
	}
	if lasts(r.banned, c.who, now) {
		return true
	}
	for b := range r.barred {
		if b.network == network(c) && lasts(r.barred, b, now) && r.rank(c.who) == 0 {
			return true
		}
	}
	return false
}

// first returns the first row that somebody reads who is not banned; 0: none.
func (r *court) first(who string) int {
	first, member := r.members[who]
	switch {
	case who == r.owner:
		return 1
	case member && !r.private:
		return min(first, r.open)
	case member || r.private:
		return first
	}
	return r.open
}

// say returns the row that a text becomes, or the code of its refusal, negative.
func (r *court) say(c *citizen, text string, now int64) int {
	rank := r.rank(c.who)
	last, spoke := r.spoke[c.who]
	switch {
	case r.isOut(c, now):
		return -int(chat.Banned)
	case r.first(c.who) == 0:
		return -int(chat.NotMember)
	case r.archived:
		return -int(chat.Archived)
	case rank < 3 && lasts(r.muted, c.who, now):
		return -int(chat.Muted)
	case rank < 1 && r.readonly:
		return -int(chat.OnlyRead)
	case rank < 1 && r.slow > 0 && spoke && last+r.slow > now:
		return -int(chat.TooSoon)
	}
	if r.slow > 0 {
		r.spoke[c.who] = now
	}
	r.rows = append(r.rows, text)
	return len(r.rows)
}

// judge does an act and returns its row, or the code of its refusal, negative.
func (x *town) judge(r *court, c *citizen, act chat.ActOf, target string, now int64) int {
	rank := r.rank(c.who)
	owners := slices.Contains([]chat.Verb{chat.Op, chat.Deop, chat.Archive, chat.Unarchive, chat.Private, chat.Open}, act.Verb)
	switch {
	case r.isOut(c, now):
		return -int(chat.Banned)
	case r.first(c.who) == 0:
		return -int(chat.NotMember)
	case rank < 1 || owners && rank < 2:
		return -int(chat.NotAllowed)
	case r.archived && act.Verb != chat.Unarchive:
		return -int(chat.Archived)
	case target != "" && act.Verb != chat.Invite && r.rank(target) >= rank:
		return -int(chat.NotAllowed)
	case rank < 3 && lasts(r.muted, c.who, now):
		return -int(chat.Muted)
	case act.Verb == chat.Op && r.first(target) == 0:
		return -int(chat.NotMember)
	}
	if !x.effect(r, c, act, target, now) {
		return -int(chat.BadAct)
	}
	r.rows = append(r.rows, act.String())
	return len(r.rows)
}

// effect changes the room, or reports that there is nothing to change.
func (x *town) effect(r *court, c *citizen, act chat.ActOf, target string, now int64) bool {
	until := int64(0)
	if act.For > 0 {
		until = now + act.For.Milliseconds()
	}
	had := r.moderator[target]
	at := slices.Index(r.pins, act.Text)
	readonly, archived, slow, welcome := r.readonly, r.archived, r.slow, r.welcome
	switch act.Verb {
	case chat.Op:
		r.moderator[target] = true
		return !had
	case chat.Deop:
		delete(r.moderator, target)
		x.leave(r, func(o *citizen) bool { return o.who == target && r.isOut(o, now) })
		return had
	case chat.Kick:
		_, member := r.members[target]
		delete(r.members, target)
		if r.private {
			delete(r.moderator, target)
		}
		return x.leave(r, func(o *citizen) bool { return o.who == target }) || member || r.private && had
	case chat.Ban:
		r.banned[target] = until
		for b, ends := range r.barred {
			if b.banned == target && (ends == 0 || ends > now) {
				r.barred[b] = until
			}
		}
		delete(r.moderator, target)
		delete(r.members, target)
		if c.admin && x.open {
			for _, o := range x.citizens {
				if o.who == target && network(o) != "" && network(o) != network(c) {
					r.barred[bar{network(o), target}] = until
				}
			}
		}
		x.leave(r, func(o *citizen) bool { return r.isOut(o, now) || o.who == target })
		return true
	case chat.Unban:
		if !lasts(r.banned, target, now) {
			return false
		}
		delete(r.banned, target)
		maps.DeleteFunc(r.barred, func(b bar, _ int64) bool { return b.banned == target })
		return true
	case chat.Private:
		if r.private {
			return false
		}
		stay := maps.Clone(r.moderator)
		stay[c.who] = true
		for o := range r.in {
			stay[o.who] = true
		}
		delete(stay, r.owner)
		for who := range stay {
			r.members[who] = r.first(who)
		}
		r.private = true
		return true
	case chat.Open:
		was := r.private
		if r.private = false; was {
			r.open = len(r.rows) + 1
		}
		return was
	case chat.Invite:
		if !r.private || r.first(target) > 0 || lasts(r.banned, target, now) {
			return false
		}
		r.members[target] = len(r.rows) + 1
		return true
	case chat.Mute:
		r.muted[target] = until
		return true
	case chat.Unmute:
		if !lasts(r.muted, target, now) {
			return false
		}
		delete(r.muted, target)
		return true
	case chat.Slow:
		if r.slow = act.For.Milliseconds(); r.slow == 0 {
			r.spoke = map[string]int64{}
		}
		return r.slow != slow
	case chat.ReadOnly, chat.Writable:
		r.readonly = act.Verb == chat.ReadOnly
		return r.readonly != readonly
	case chat.Archive, chat.Unarchive:
		r.archived = act.Verb == chat.Archive
		return r.archived != archived
	case chat.Welcome:
		r.welcome = act.Text
		return r.welcome != welcome
	case chat.Pin:
		if at < 0 && len(r.pins) < chat.MaxPins {
			r.pins = append(r.pins, act.Text)
			return true
		}
	case chat.Unpin:
		if at >= 0 {
			r.pins = slices.Delete(r.pins, at, at+1)
			return true
		}
	}
	return false
}

// leave puts devices out of the room, and reports whether there were any.
func (x *town) leave(r *court, out func(*citizen) bool) (any bool) {
	for c := range r.in {
		if out(c) {
			delete(r.in, c)
			any = true
		}
	}
	return any
}

// compare holds all that came to what should have.
func (x *town) compare() {
	x.t.Helper()
	now := w0(x.world)
	for name, room := range x.courts {
		var rows []string
		for _, e := range x.rows(name) {
			rows = append(rows, string(e.Body))
			act := identity.SignedAct{Node: x.hub.node, Epoch: x.hub.Epoch(), From: e.From, CSeq: e.CSeq, Room: name, Body: e.Body}
			if e.Kind == chat.Act && !act.SignedBy(x.keys[e.Name], e.Opts.Sig) {
				x.t.Errorf("%s: the signature of row %d does not hold", name, e.Seq)
			}
		}
		if !slices.Equal(rows, room.rows) {
			x.t.Errorf("%s: rows mismatch (-want +got):\n%s", name, cmp.Diff(room.rows, rows))
		}
		for _, c := range x.citizens {
			x.compareIn(name, room, c, now)
		}
		if x.rng.IntN(6) == 0 {
			x.compareFold(name, now)
		}
	}
	for _, c := range x.citizens {
		if got := brief(c.answers); !slices.Equal(got, x.wants[c]) {
			x.t.Errorf("%s: answers mismatch (-want +got):\n%s", c.label, cmp.Diff(x.wants[c], got))
		}
		if got := briefReplies(c.replies); !slices.Equal(got, x.denied[c]) {
			x.t.Errorf("%s: replies mismatch (-want +got):\n%s", c.label, cmp.Diff(x.denied[c], got))
		}
		c.answers, c.replies, x.wants[c], x.denied[c] = nil, nil, nil, nil
	}
}

// compareFold holds what acts have made of a room, one after the other, to what they make of it folded.
func (x *town) compareFold(name string, now int64) {
	x.t.Helper()
	d := newDocket(x.keys["owner"], false)
	for _, e := range x.rows(name) {
		if e.Kind != chat.Act {
			continue
		}
		act, err := chat.ParseAct(string(e.Body))
		if err != nil {
			x.t.Fatal(err)
		}
		a := actEntry{seq: e.Seq, lamport: e.Seq, row: e.Seq, by: x.keys[e.Name], admin: e.Name == "boss", ActOf: act, time: e.Time, with: x.with[fmt.Sprint(name, e.Seq)]}
		a.deed = deedOf(e.Opts.Sig)
		if act.Who != "" {
			a.who, _ = identity.ParseID(act.Who)
		}
		if f := d.add(a); f == nil || f.verdict != counts {
			x.t.Errorf("%s: row %d was allowed and does not count", name, e.Seq)
		}
	}
	r := x.hub.rooms[name]
	if !equalRules(&r.Rules, &d.now.rules) {
		x.t.Errorf("%s: rules mismatch (-want +got):\n%s", name, cmp.Diff(r.Rules, d.now.rules))
	}
	want, got := map[standingOf]store.Standing{}, map[standingOf]store.Standing{}
	for k, s := range r.standings {
		if s.Room = 0; holds(s.Until, now) {
			want[k] = s
		}
	}
	for _, s := range d.now.list() {
		if holds(s.Until, now) {
			got[standingOf{s.Key, s.Stance}] = *s
		}
	}
	if diff := cmp.Diff(fmt.Sprint(want), fmt.Sprint(got)); diff != "" {
		x.t.Errorf("%s: standings mismatch (-want +got):\n%s", name, diff)
	}
}

// compareIn holds what a device knows of a room to the model.
func (x *town) compareIn(name string, room *court, c *citizen, now int64) {
	x.t.Helper()
	if in, _ := c.in(name); in != room.in[c] {
		x.t.Errorf("%s is in %s: %v, want %v", c.label, name, in, room.in[c])
	}
	if x.rng.IntN(6) == 0 { // it takes long
		x.compareQuestions(name, room, c, now)
	}
	if !room.in[c] {
		return
	}
	got := c.view(name).terms
	want := wire.Terms{Role: chat.Role(room.rank(c.who)), ReadOnly: room.readonly, Archived: room.archived, Private: room.private, SlowMS: uint64(room.slow), Welcome: room.welcome}
	for _, p := range room.pins {
		id, err := chat.ParseID(p)
		if err != nil {
			x.t.Fatal(err)
		}
		want.Pins = append(want.Pins, id)
	}
	if want.Muted = lasts(room.muted, c.who, now); want.Muted {
		want.Until = room.muted[c.who]
	}
	if got.Muted && got.Until != 0 && got.Until <= now { // which the client knows by itself
		got.Muted, got.Until = false, 0
	}
	if diff := cmp.Diff(want, got); diff != "" {
		x.t.Errorf("%s is told of %s (-want +got):\n%s", c.label, name, diff)
	}
}

// compareQuestions holds what a device is answered about a room to the model: all that it may read, and nothing else.
func (x *town) compareQuestions(name string, room *court, c *citizen, now int64) {
	x.t.Helper()
	first := room.first(c.who)
	kept := room.isOut(c, now) || first == 0
	answers := map[string]wire.Record{}
	for what, q := range map[string]wire.Record{
		"history": &wire.History{Room: name, N: chat.MaxTail}, "names": &wire.Names{Room: name}, "keep": &wire.Keep{Room: name}, "search": &wire.Search{Room: name, Words: "first", N: 5},
	} {
		answers[what] = c.ask(q)
		if _, failed := answers[what].(*wire.Failed); failed != kept {
			x.t.Errorf("%s asks for the %s of %s and gets %+v; kept out %v", c.label, what, name, answers[what], kept)
		}
	}
	list, ok := c.ask(&wire.List{}).(*wire.ListIs)
	if listed := ok && slices.ContainsFunc(list.Rooms, func(r wire.RoomInfo) bool { return r.Name == name }); listed != (first > 0) {
		x.t.Errorf("%s sees that there is %s: %v, want %v", c.label, name, listed, first > 0)
	}
	var hits, told int
	if found, ok := c.ask(&wire.Search{From: "owner", N: chat.MaxHits}).(*wire.SearchIs); ok {
		for _, raw := range found.Events {
			e := decodeEvent(x.t, raw)
			if told++; x.titles()[e.Room] == name {
				hits++
				if kept || e.Seq < uint64(first) {
					x.t.Errorf("%s searches and finds row %d of %s, which it reads from %d on; kept out %v", c.label, e.Seq, name, first, kept)
				}
			}
		}
	}
	visible := 0
	for _, e := range x.rows(name) {
		if !kept && e.Name == "owner" && e.Seq >= uint64(first) {
			visible++
		}
	}
	if told < chat.MaxHits && hits != visible {
		x.t.Errorf("%s finds %d rows of %s, want %d", c.label, hits, name, visible)
	}
	is, ok := answers["history"].(*wire.HistoryIs)
	if !ok || kept {
		return
	}
	var got []string
	for _, raw := range is.Events {
		got = append(got, string(decodeEvent(x.t, raw).Body))
	}
	want := room.rows[first-1:]
	if n := len(want) - len(got); n < 0 || n > 0 && !is.More || !slices.Equal(got, want[n:]) || is.Low != uint64(first) {
		x.t.Errorf("%s reads %s from %d, want from %d (-want +got):\n%s", c.label, name, is.Low, first, cmp.Diff(want, got))
	}
}

// titles returns the rooms' names by number.
func (x *town) titles() map[uint64]string {
	titles := map[uint64]string{}
	state, err := x.store.Load()
	if err != nil {
		x.t.Fatal(err)
	}
	for _, r := range state.Rooms {
		titles[r.Num] = r.Name
	}
	return titles
}

func decodeEvent(t testing.TB, raw wire.Raw) *wire.Event {
	t.Helper()
	r, err := wire.Decode(raw)
	e, ok := r.(*wire.Event)
	if err != nil || !ok {
		t.Fatalf("%+v, %v is no event", r, err)
	}
	return e
}
