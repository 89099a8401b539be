package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
)

// testModel compares a store with a plain model of it over a random run.
func testModel(t *testing.T, e engine) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	m := newModel(mustLoad(t, e))
	for range unhurried(400) {
		b := m.batch(rng)
		if err := e.Append(b); err != nil {
			t.Fatal(err)
		}
		m.compare(t, e, rng)
		if t.Failed() {
			return
		}
	}
}

type model struct {
	fresh              State
	lastRoom, lastFrom uint64
	rooms              map[uint64]*modelRoom
	origins            map[uint64]Origin
	people             map[identity.ID]Person
	invites            map[[32]byte]Invite
	standings          map[standingKey]Standing
	bars               map[barKey]Bar
	writer             *scribe
}

func newModel(fresh State) *model {
	return &model{
		fresh: fresh, rooms: map[uint64]*modelRoom{}, origins: map[uint64]Origin{}, people: map[identity.ID]Person{}, invites: map[[32]byte]Invite{},
		standings: map[standingKey]Standing{}, bars: map[barKey]Bar{}, writer: newScribe(),
	}
}

type modelRoom struct {
	Room
	low  uint64
	rows []Row
}

// batch makes a random batch that could be a sequencer's, and makes it true in the model.
func (m *model) batch(rng *rand.Rand) *Batch {
	b := &Batch{}
	if len(m.rooms) < 2 || rng.IntN(20) == 0 {
		m.lastRoom++
		m.rooms[m.lastRoom] = &modelRoom{Room: Room{Num: m.lastRoom, Name: fmt.Sprint("room", m.lastRoom)}, low: 1}
		b.Rooms = append(b.Rooms, m.rooms[m.lastRoom].Room)
	}
	for range rng.IntN(8) {
		num := 1 + rng.Uint64N(m.lastRoom)
		room := m.rooms[num]
		switch {
		case room == nil:
		case rng.IntN(10) == 0:
			room.Topic = fmt.Sprint("topic ", rng.IntN(100))
			room.Rules = randomRules(rng)
			b.Rooms = append(b.Rooms, room.Room)
		default:
			row := m.writer.row(num, rng.IntN(300))
			room.rows = append(room.rows, row)
			b.Rows = append(b.Rows, row)
		}
	}
	if rng.IntN(3) == 0 {
		b.Origins = append(b.Origins, m.origin(rng))
	}
	if rng.IntN(3) == 0 {
		b.People = append(b.People, m.persons(rng)...)
	}
	if rng.IntN(3) == 0 {
		i := Invite{Hash: [32]byte{byte(rng.IntN(5))}, Uses: rng.IntN(3), Expires: rng.Int64N(1000), Inviter: key(1)}
		b.Invites = append(b.Invites, i)
		if m.invites[i.Hash] = i; i.Uses == 0 {
			delete(m.invites, i.Hash)
		}
	}
	if rng.IntN(3) == 0 {
		m.moderate(rng, b)
	}
	return b
}

// randomRules returns some that a room can have.
func randomRules(rng *rand.Rand) Rules {
	r := Rules{ReadOnly: rng.IntN(2) == 0, Archived: rng.IntN(2) == 0, Private: rng.IntN(2) == 0, Slow: time.Duration(rng.IntN(3)) * time.Second}
	r.Open = rng.Uint64N(3)
	r.Welcome = []string{"", "willkommen ☕"}[rng.IntN(2)]
	for range rng.IntN(3) {
		r.Pins = append(r.Pins, chat.ID{byte(rng.IntN(256))})
	}
	return r
}

// moderate adds standings and bars to a batch, or takes them away.
func (m *model) moderate(rng *rand.Rand, b *Batch) {
	for range rng.IntN(4) {
		s := Standing{Room: 1 + rng.Uint64N(m.lastRoom), Key: key(byte(1 + rng.IntN(3))), Stance: Stance(1 + rng.IntN(4)), Gone: rng.IntN(3) == 0}
		if !s.Gone {
			if s.Stance == Member {
				s.From = 1 + rng.Uint64N(9)
			}
			s.Since, s.Until, s.By, s.Text = rng.Int64N(1000), rng.Int64N(1000), key(byte(1+rng.IntN(3))), fmt.Sprint("reason ", rng.IntN(9))
		}
		b.Standings = append(b.Standings, s)
		if m.standings[standingKey{s.Room, s.Key, s.Stance}] = s; s.Gone {
			delete(m.standings, standingKey{s.Room, s.Key, s.Stance})
		}
		bar := Bar{Room: s.Room, Network: networks[rng.IntN(len(networks))], Key: s.Key, Until: s.Until, Gone: s.Gone}
		b.Bars = append(b.Bars, bar)
		if m.bars[barKey{bar.Room, bar.Network, bar.Key}] = bar; bar.Gone {
			delete(m.bars, barKey{bar.Room, bar.Network, bar.Key})
		}
	}
}

// networks are in the order that a store lists them in.
var networks = []netip.Addr{netip.MustParseAddr("2.0.0.1"), netip.MustParseAddr("2001:db8::"), netip.MustParseAddr("64.0.0.1")}

// addModeration lists the model's standings and bars as a store does.
func (m *model) addModeration(s *State) {
	for room := range m.lastRoom + 1 {
		for k := range byte(4) {
			for stance := range Stance(5) {
				if standing, ok := m.standings[standingKey{room, key(k), stance}]; ok {
					s.Standings = append(s.Standings, standing)
				}
			}
		}
		for _, network := range networks {
			for k := range byte(4) {
				if bar, ok := m.bars[barKey{room, network, key(k)}]; ok {
					s.Bars = append(s.Bars, bar)
				}
			}
		}
	}
}

// persons changes or forgets somebody. A name that another has is taken from them first.
func (m *model) persons(rng *rand.Rand) (changes []Person) {
	p := Person{Key: key(byte(rng.IntN(5))), Since: rng.Int64N(1000), Seen: rng.Int64N(1000), Gone: rng.IntN(5) == 0}
	if rng.IntN(2) == 0 {
		p.Name = fmt.Sprint("name", rng.IntN(3))
	}
	if rng.IntN(2) == 0 {
		p.Inviter = key(9)
		p.Seal = bytes.Repeat([]byte{byte(rng.IntN(256))}, SealLen)
	}
	for _, other := range m.people {
		if other.Name == p.Name && other.Name != "" && other.Key != p.Key {
			other.Name = ""
			changes = append(changes, other)
		}
	}
	changes = append(changes, p)
	for _, c := range changes {
		if m.people[c.Key] = c; c.Gone {
			delete(m.people, c.Key)
		}
	}
	return changes
}

// origin makes a new origin or goes on with one, and returns it as a batch holds it.
func (m *model) origin(rng *rand.Rand) Origin {
	num := 1 + rng.Uint64N(m.lastFrom+1)
	o, known := m.origins[num]
	if !known || o.Retired {
		m.lastFrom++
		o = Origin{Num: m.lastFrom, Token: OriginToken{byte(m.lastFrom)}, Key: key(byte(rng.IntN(3) + 1))}
	}
	switch rng.IntN(4) {
	case 0:
		o.Retired = true
		if m.origins[o.Num] = (Origin{Num: o.Num, Key: o.Key, Last: o.Last, Retired: true}); o.Last == 0 {
			delete(m.origins, o.Num)
		}
	default:
		o.Last++
		o.Outcomes = append(slices.Clone(o.Outcomes), Outcome{CSeq: o.Last, Seq: o.Last, Time: rng.Int64N(100)})
		o.Outcomes = o.Outcomes[max(0, len(o.Outcomes)-chat.MaxInFlight):]
		m.origins[o.Num] = o
	}
	o.Outcomes = slices.Clone(o.Outcomes)
	return o
}

// compare holds the whole state, and a random page and hash of each room, to the model.
func (m *model) compare(t *testing.T, e engine, rng *rand.Rand) {
	t.Helper()
	want := State{Epoch: m.fresh.Epoch, Sharing: m.fresh.Sharing, LastRoom: m.lastRoom, LastFrom: m.lastFrom}
	for num := range m.lastRoom + 1 {
		if room := m.rooms[num]; room != nil {
			m.compareRoom(t, e, room, rng)
			state := RoomState{Room: room.Room, Low: room.low, Head: uint64(len(room.rows))}
			if state.Head > 0 {
				last := room.rows[state.Head-1]
				state.Hash, state.Time = last.Hash, last.Time
			}
			want.Rooms = append(want.Rooms, state)
		}
	}
	for num := range m.lastFrom + 1 {
		if o, ok := m.origins[num]; ok {
			want.Origins = append(want.Origins, o)
		}
	}
	for i := range byte(5) {
		if p, ok := m.people[key(i)]; ok {
			want.People = append(want.People, p)
		}
		if invite, ok := m.invites[[32]byte{i}]; ok {
			want.Invites = append(want.Invites, invite)
		}
	}
	m.addModeration(&want)
	// cmp takes 60 ms for a state like this: it is asked only what differs.
	got := mustLoad(t, e)
	same := reflect.DeepEqual(want.Rooms, got.Rooms) && reflect.DeepEqual(want.People, got.People) && slices.Equal(want.Invites, got.Invites) &&
		slices.Equal(want.Standings, got.Standings) && slices.Equal(want.Bars, got.Bars) && slices.EqualFunc(want.Origins, got.Origins, func(a, b Origin) bool {
		sameOutcomes := slices.Equal(a.Outcomes, b.Outcomes)
		a.Outcomes, b.Outcomes = nil, nil
		return sameOutcomes && reflect.DeepEqual(a, b)
	})
	if !same || want.Epoch != got.Epoch || want.Sharing != got.Sharing || want.LastRoom != got.LastRoom || want.LastFrom != got.LastFrom {
		t.Errorf("state mismatch (-want +got):\n%s", cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})))
	}
}

func (m *model) compareRoom(t *testing.T, e engine, room *modelRoom, rng *rand.Rand) {
	t.Helper()
	head := uint64(len(room.rows))
	low, err := e.Low(room.Num)
	if err != nil || low < room.low || low > head+1 {
		t.Errorf("room %d: low %d, %v; it was %d, head %d", room.Num, low, err, room.low, head)
		return
	}
	room.low = low
	from, size := rng.Uint64N(head+3), rng.IntN(2000)
	to := from + rng.Uint64N(20)
	var page []byte
	var next uint64
	var wantErr error
	switch {
	case from > head:
		wantErr = ErrNoRow
	case from < low:
		wantErr = ErrTrimmed
	default:
		for next = from; next <= min(to, head) && (next == from || len(page)+len(room.rows[next-1].Record) <= size); next++ {
			page = append(page, room.rows[next-1].Record...)
		}
	}
	if got, gotNext, err := e.Page(room.Num, from, to, size); !bytes.Equal(got, page) || gotNext != next || !errors.Is(err, wantErr) {
		t.Errorf("page of room %d from %d to %d, low %d, head %d: %q, %d, %v; want %q, %d, %v", room.Num, from, to, low, head, got, gotNext, err, page, next, wantErr)
	}
	var hash chat.Hash
	switch wantErr = nil; {
	case from > head:
		wantErr = ErrNoRow
	case from > 0 && from+1 < low:
		wantErr = ErrTrimmed
	case from > 0:
		hash = room.rows[from-1].Hash
	}
	if got, err := e.HashAt(room.Num, from); got != hash || !errors.Is(err, wantErr) {
		t.Errorf("hash of room %d at %d, low %d: %x, %v; want %x, %v", room.Num, from, low, got, err, hash, wantErr)
	}
}
