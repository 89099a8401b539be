package store

import (
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sort"
	"sync"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
)

// DefaultMemory is how many bytes of records a Memory keeps unless told otherwise.
const DefaultMemory = 256 << 20

// rowOverhead is what a row costs beside its record, in bytes.
const rowOverhead = 64

// Memory is a store that lives and dies with its process. When its rows pass the limit, the room with the most bytes loses its oldest.
type Memory struct {
	limit  int64
	random func() uint64

	// mu promises that the tables and rows are those of a whole batch.
	mu     sync.Mutex
	closed bool
	state  State // what it has lists of lives in the maps below
	bytes  int64
	rows   uint64 // ever
	rooms  map[uint64]*memoryRoom
	origin map[uint64]Origin
	people map[identity.ID]Person
	invite map[[32]byte]Invite
	stance map[standingKey]Standing
	bars   map[barKey]Bar
	memoryLogs
}

// standingKey and barKey are what a store has one entry of.
type standingKey struct {
	room   uint64
	key    identity.ID
	stance Stance
}

type barKey struct {
	room    uint64
	network netip.Addr
	key     identity.ID
}

type memoryRoom struct {
	RoomState
	base  chat.Hash // the rolling hash before Low
	rows  memoryRows
	bytes int64
}

type memoryRow struct {
	record []byte
	salt   [16]byte
	hash   chat.Hash
	time   int64
	order  uint64 // counts the rows of the store, as they came
	entry  Place  // its entry; Log 0: it has none
	epoch  uint64 // in which it was written
}

// row returns the row seq, which is kept.
func (r *memoryRoom) row(seq uint64) *memoryRow { return r.rows.at(int(seq - r.Low)) }

// NewMemory returns an empty store with a random epoch that keeps at most limit bytes of records and entries.
func NewMemory(limit int64) *Memory { return NewSeededMemory(limit, rand.Uint64) }

// NewSeededMemory is NewMemory with the numbers that it draws by chance drawn from random, so that a run can be repeated.
func NewSeededMemory(limit int64, random func() uint64) *Memory {
	m := &Memory{
		limit:  limit,
		random: random,
		rooms:  map[uint64]*memoryRoom{},
		origin: map[uint64]Origin{},
		people: map[identity.ID]Person{},
		invite: map[[32]byte]Invite{},
		stance: map[standingKey]Standing{},
		bars:   map[barKey]Bar{},

		memoryLogs: newMemoryLogs(),
	}
	m.state.Epoch, m.state.Sharing.Nonce = random(), random()
	binary.BigEndian.PutUint64(m.state.Sharing.Space[:], random())
	binary.BigEndian.PutUint64(m.state.Sharing.Space[8:], random())
	return m
}

// Load returns the state after the last batch.
func (m *Memory) Load() (State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return State{}, ErrClosed
	}
	s := m.state
	for _, num := range slices.Sorted(maps.Keys(m.rooms)) {
		r := m.rooms[num].RoomState
		r.Rules.Pins = slices.Clone(r.Rules.Pins)
		s.Rooms = append(s.Rooms, r)
	}
	for _, num := range slices.Sorted(maps.Keys(m.origin)) {
		o := m.origin[num]
		o.Outcomes = slices.Clone(o.Outcomes)
		s.Origins = append(s.Origins, o)
	}
	s.People = slices.SortedFunc(maps.Values(m.people), func(a, b Person) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	for i := range s.People {
		s.People[i].Seal = bytes.Clone(s.People[i].Seal)
	}
	s.Invites = slices.SortedFunc(maps.Values(m.invite), func(a, b Invite) int { return bytes.Compare(a.Hash[:], b.Hash[:]) })
	s.Standings = slices.SortedFunc(maps.Values(m.stance), func(a, b Standing) int {
		return cmp.Or(cmp.Compare(a.Room, b.Room), bytes.Compare(a.Key[:], b.Key[:]), cmp.Compare(a.Stance, b.Stance))
	})
	s.Bars = slices.SortedFunc(maps.Values(m.bars), func(a, b Bar) int {
		return cmp.Or(cmp.Compare(a.Room, b.Room), bytes.Compare(a.Network.AsSlice(), b.Network.AsSlice()), bytes.Compare(a.Key[:], b.Key[:]))
	})
	m.loadLogsLocked(&s)
	return s, nil
}

// Append makes the batch true. It returns ErrClosed after Close, and ErrOrder, with nothing changed, for rows that leave a hole or whose
// room is not known.
func (m *Memory) Append(b *Batch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	logs, err := m.followsLocked(b)
	if err != nil {
		return err
	}
	for _, r := range b.Rooms {
		room := m.rooms[r.Num]
		if room == nil {
			room = &memoryRoom{RoomState: RoomState{Low: 1}}
			m.rooms[r.Num] = room
		}
		room.Room = r
		m.state.LastRoom = max(m.state.LastRoom, r.Num)
	}
	for i := range b.Rows {
		m.appendLocked(&b.Rows[i])
	}
	for _, o := range b.Origins {
		m.state.LastFrom = max(m.state.LastFrom, o.Num)
		if o.Retired {
			o = Origin{Num: o.Num, Key: o.Key, Last: o.Last, Retired: true}
		}
		if o.Retired && o.Last == 0 {
			delete(m.origin, o.Num)
		} else {
			m.origin[o.Num] = o
		}
	}
	m.setPeopleLocked(b)
	m.setStandingsLocked(b)
	m.setLogsLocked(b, logs)
	m.redactLocked(b.Redactions)
	m.markLocked(b.Marked)
	for m.bytes > m.limit {
		m.trimLocked()
	}
	return nil
}

// setPeopleLocked makes true what the batch says of people and invitations.
func (m *Memory) setPeopleLocked(b *Batch) {
	for _, p := range b.People {
		if p.Gone {
			delete(m.people, p.Key)
		} else {
			m.people[p.Key] = p
		}
	}
	for _, i := range b.Invites {
		if i.Uses == 0 {
			delete(m.invite, i.Hash)
		} else {
			m.invite[i.Hash] = i
		}
	}
}

// setStandingsLocked makes true what the batch says keys and networks are to rooms.
func (m *Memory) setStandingsLocked(b *Batch) {
	for _, s := range b.Standings {
		k := standingKey{s.Room, s.Key, s.Stance}
		if s.Gone {
			delete(m.stance, k)
		} else {
			m.stance[k] = s
		}
	}
	for _, bar := range b.Bars {
		k := barKey{bar.Room, bar.Network, bar.Key}
		if bar.Gone {
			delete(m.bars, k)
		} else {
			m.bars[k] = bar
		}
	}
}

// followsLocked is follows, of what is in the store.
func (m *Memory) followsLocked(b *Batch) (logs map[uint64]*Log, err error) {
	return follows(b, func(room uint64) (head uint64, known bool) {
		if r := m.rooms[room]; r != nil {
			return r.Head, true
		}
		return 0, false
	}, func(num uint64) *Log {
		if l := m.logs[num]; l != nil {
			return &l.Log
		}
		return nil
	})
}

func (m *Memory) appendLocked(row *Row) {
	room := m.rooms[row.Room]
	m.rows++
	room.rows.append(memoryRow{record: row.Record, salt: row.Salt, hash: row.Hash, time: row.Time, order: m.rows, epoch: row.Epoch})
	room.Head, room.Hash, room.Time = row.Seq, row.Hash, row.Time
	size := int64(len(row.Record) + rowOverhead)
	room.bytes += size
	m.bytes += size
}

// trimLocked takes a sixteenth of the limit from the room with the most bytes, so that it is seldom needed.
func (m *Memory) trimLocked() {
	var most *memoryRoom
	for _, room := range m.rooms {
		if most == nil || room.bytes > most.bytes {
			most = room
		}
	}
	var n int
	for freed := int64(0); n < most.rows.len && freed <= m.limit/16; n++ {
		row := most.rows.at(n)
		size := int64(len(row.record) + rowOverhead)
		freed += size
		most.bytes -= size
		m.bytes -= size
		most.base = row.hash
	}
	m.letGoLocked(most, n) // before their rows, which have their texts
	most.rows.drop(n)
	most.Low += uint64(n)
}

// Page returns the records of a room from seq from to seq to, as many whole ones as fit into size bytes but at least one, and the seq
// after the last of them. The bytes are the caller's. It returns ErrTrimmed when from is below the room's low, ErrNoRow when there is no
// such row.
func (m *Memory) Page(room, from, to uint64, size int) (records []byte, next uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rooms[room]
	switch {
	case m.closed:
		return nil, 0, ErrClosed
	case r == nil || from > r.Head || from > to:
		return nil, 0, ErrNoRow
	case from < r.Low:
		return nil, 0, ErrTrimmed
	}
	total := 0
	for next = from; next <= min(to, r.Head); next++ {
		n := len(r.row(next).record)
		if next > from && total+n > size {
			break
		}
		total += n
	}
	records = make([]byte, 0, total)
	for seq := from; seq < next; seq++ {
		records = append(records, r.row(seq).record...)
	}
	return records, next, nil
}

// HashAt returns a room's rolling hash after seq, which is zero for seq 0, always. It returns ErrTrimmed when that is not known any more, ErrNoRow
// when there is no such row. The hash before the room's low is kept.
func (m *Memory) HashAt(room, seq uint64) (chat.Hash, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rooms[room]
	switch {
	case m.closed:
		return chat.Hash{}, ErrClosed
	case r == nil || seq > r.Head:
		return chat.Hash{}, ErrNoRow
	case seq == 0:
		return chat.Hash{}, nil
	case seq+1 == r.Low:
		return r.base, nil
	case seq < r.Low:
		return chat.Hash{}, ErrTrimmed
	}
	return r.row(seq).hash, nil
}

// Low returns the first seq of a room that is kept, Head+1 when none is, 1 for a room that is not known.
func (m *Memory) Low(room uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, ErrClosed
	}
	if r := m.rooms[room]; r != nil {
		return r.Low, nil
	}
	return 1, nil
}

// SeqAt returns the first seq of a room whose row was written at time (milliseconds since the Unix epoch) or later, Head+1 when there is none, and
// ErrNoRow for a room that is not known.
func (m *Memory) SeqAt(room uint64, time int64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rooms[room]
	switch {
	case m.closed:
		return 0, ErrClosed
	case r == nil:
		return 0, ErrNoRow
	}
	i := sort.Search(r.rows.len, func(i int) bool { return r.rows.at(i).time >= time })
	return r.Low + uint64(i), nil
}

// maxLooked is how many rows one Search looks at.
const maxLooked = 20_000

// Search returns a page of the rows that a query asks for, the newest first. Query.Before is a number of this store's own.
func (m *Memory) Search(q *Query) (Found, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return Found{}, ErrClosed
	}
	var found Found
	if len(q.Words) > chat.MaxQuery || len(q.Name) > chat.MaxQuery {
		return found, nil
	}
	match := newMatcher(q)
	looked, size := 0, 0
	for next := range m.newestLocked(q) {
		row := next.row()
		if looked == maxLooked || len(found.Hits) > 0 && (len(found.Hits) >= q.Hits || size+len(row.record) > q.Bytes) {
			found.Next = row.order + 1
			break
		}
		looked++
		seq := next.seq()
		if (q.Allowed == nil || q.Allowed(next.room.Num, seq)) && match.row(row.record) {
			size += len(row.record)
			found.Hits = append(found.Hits, Hit{Room: next.room.Num, Seq: seq, Record: bytes.Clone(row.record)})
		}
	}
	return found, nil
}

// tape is a room's rows as a search goes over them, from the last to the first.
type tape struct {
	room *memoryRoom
	left int
}

// row returns the row that comes next.
func (t *tape) row() *memoryRow { return t.room.rows.at(t.left - 1) }

// seq returns that row's.
func (t *tape) seq() uint64 { return t.room.Low + uint64(t.left) - 1 }

// tapes is a heap (container/heap) of those whose next row is the newest first.
type tapes []*tape

func (t tapes) Len() int           { return len(t) }
func (t tapes) Less(i, j int) bool { return t[i].row().order > t[j].row().order }
func (t tapes) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *tapes) Push(x any)        { *t = append(*t, x.(*tape)) }
func (t *tapes) Pop() (x any) {
	last := len(*t) - 1
	x, *t = (*t)[last], (*t)[:last]
	return x
}

// newestLocked goes over the rows that q may see, from the newest on.
func (m *Memory) newestLocked(q *Query) iter.Seq[*tape] {
	var all tapes
	for num, r := range m.rooms {
		if (q.Room == 0 || q.Room == num) && (q.Allowed == nil || q.Allowed(num, r.Head)) {
			before := r.rows.len
			if q.Before != 0 {
				before = sort.Search(before, func(i int) bool { return r.rows.at(i).order >= q.Before })
			}
			if before > 0 {
				all = append(all, &tape{r, before})
			}
		}
	}
	heap.Init(&all)
	return func(yield func(*tape) bool) {
		for len(all) > 0 && yield(all[0]) {
			if all[0].left--; all[0].left > 0 {
				heap.Fix(&all, 0)
			} else {
				heap.Pop(&all)
			}
		}
	}
}

// Free returns how much can still be written: without end, as the oldest makes room.
func (m *Memory) Free() (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, ErrClosed
	}
	return math.MaxInt64, nil
}

// Close ends the store: every later call returns ErrClosed. It is safe to call twice.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}
