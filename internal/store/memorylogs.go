package store

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"sort"

	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// entryOverhead is about what an entry costs beside its header, signature and text, in bytes.
const entryOverhead = 256

// memoryLogs is what a Memory keeps of logs. It is guarded by the Memory's mu.
type memoryLogs struct {
	logs   map[uint64]*memoryLog
	order  map[uint64]*causal // by room
	acts   []Entry            // whose rows were let go of
	same   map[Redaction][]Place
	pairs  map[pairKey]Pair
	abroad map[uint64]Abroad // by Num
	peers  map[identity.ID]Peer
	forks  map[uint64][]byte
}

type memoryLog struct {
	Log
	entries []Entry // whose rows are kept, in the order of their seq; of those from Low on none is missing
}

// causal is a room's entries in causal order, as soon as somebody asks: late ones are only put behind the others when they come.
type causal struct {
	list   []causalPlace
	sorted bool
}

type causalPlace struct {
	lamport uint64
	id      wire.EntryID
	log     uint64
	seq     uint64
}

func (p *causalPlace) compare(lamport uint64, id *wire.EntryID) int {
	return cmp.Or(cmp.Compare(p.lamport, lamport), bytes.Compare(p.id[:], id[:]))
}

// pairKey is what a store has one Pair of.
type pairKey struct {
	origin [16]byte
	cseq   uint64
}

func newMemoryLogs() memoryLogs {
	return memoryLogs{
		logs: map[uint64]*memoryLog{}, order: map[uint64]*causal{}, same: map[Redaction][]Place{}, pairs: map[pairKey]Pair{},
		abroad: map[uint64]Abroad{}, peers: map[identity.ID]Peer{}, forks: map[uint64][]byte{},
	}
}

// loadLogsLocked adds to a state what there is of logs.
func (m *Memory) loadLogsLocked(s *State) {
	for _, num := range slices.Sorted(maps.Keys(m.logs)) {
		l := m.logs[num]
		s.Logs = append(s.Logs, l.Log)
		for i := range l.entries {
			if l.entries[i].Act {
				s.Acts = append(s.Acts, m.wholeLocked(&l.entries[i]))
			}
		}
	}
	s.Acts = append(s.Acts, m.acts...)
	slices.SortFunc(s.Acts, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Room, b.Room), cmp.Compare(a.Lamport, b.Lamport), bytes.Compare(a.ID[:], b.ID[:]))
	})
	for _, num := range slices.Sorted(maps.Keys(m.abroad)) {
		s.Abroad = append(s.Abroad, m.abroad[num])
	}
	s.Peers = slices.SortedFunc(maps.Values(m.peers), func(a, b Peer) int { return bytes.Compare(a.Node[:], b.Node[:]) })
	for i := range s.Peers {
		s.Peers[i].Hosts = slices.Clone(s.Peers[i].Hosts)
	}
	for _, log := range slices.Sorted(maps.Keys(m.forks)) {
		s.Forks = append(s.Forks, ForkProof{log, bytes.Clone(m.forks[log])})
	}
}

// setLogsLocked makes true what the batch says of logs and peers.
func (m *Memory) setLogsLocked(b *Batch, logs map[uint64]*Log) {
	if b.Sharing != nil {
		m.state.Sharing = *b.Sharing
	}
	for num, changed := range logs {
		if l := m.logs[num]; l != nil {
			l.Log = *changed
		} else {
			m.logs[num] = &memoryLog{Log: *changed}
		}
	}
	for i := range b.Entries {
		m.addEntryLocked(b.Entries[i])
	}
	for _, a := range b.Abroad {
		m.abroad[a.Num] = a
	}
	for _, p := range b.Pairs {
		m.pairs[pairKey{p.Origin, p.CSeq}] = p
	}
	for _, p := range b.Peers {
		if p.Gone {
			delete(m.peers, p.Node)
		} else {
			m.peers[p.Node] = p
		}
	}
	for _, f := range b.Forks {
		m.forks[f.Log] = f.Proof
	}
}

func (m *Memory) addEntryLocked(e Entry) {
	l, room := m.logs[e.Log], m.rooms[e.Room]
	if e.Hidden {
		if e.Same > 0 {
			k := Redaction{e.Room, e.Same}
			m.same[k] = append(m.same[k], Place{e.Same, e.Log, e.Seq})
		}
	} else {
		e.Salt, e.Body = nil, nil // the row has them
		if e.Row >= room.Low {
			room.row(e.Row).entry = Place{e.Row, e.Log, e.Seq}
		}
	}
	if !e.Hidden || e.Same > 0 {
		c := m.order[e.Room]
		if c == nil {
			c = &causal{sorted: true}
			m.order[e.Room] = c
		}
		if n := len(c.list); n > 0 && c.list[n-1].compare(e.Lamport, &e.ID) > 0 {
			c.sorted = false
		}
		c.list = append(c.list, causalPlace{e.Lamport, e.ID, e.Log, e.Seq})
	}
	l.entries = append(l.entries, e)
	m.countLocked(room, &e, 1)
}

// countLocked adds what an entry takes to what its room does, or takes it away.
func (m *Memory) countLocked(room *memoryRoom, e *Entry, sign int64) {
	size := sign * int64(e.size()+entryOverhead)
	room.bytes += size
	m.bytes += size
}

// letGoLocked lets go of the entries of a room's first n rows, and of what was taken among them. Acts stay.
func (m *Memory) letGoLocked(room *memoryRoom, n int) {
	behind := room.Low + uint64(n)
	for _, l := range m.logs {
		if l.Room != room.Num {
			continue
		}
		gone := sort.Search(len(l.entries), func(i int) bool { return l.entries[i].Row >= behind })
		for i := range gone {
			e := &l.entries[i]
			m.countLocked(room, e, -1)
			if e.Act {
				whole := m.wholeLocked(e)
				whole.Hidden = true
				m.acts = append(m.acts, whole)
			}
			l.Low = max(l.Low, e.Seq+1)
		}
		clear(l.entries[:gone])
		l.entries = l.entries[gone:]
	}
	if c := m.order[room.Num]; c != nil {
		c.list = slices.DeleteFunc(c.list, func(p causalPlace) bool { return m.entryLocked(p.log, p.seq) == nil })
	}
	maps.DeleteFunc(m.pairs, func(_ pairKey, p Pair) bool { return p.Room == room.Num && p.Row < behind })
	maps.DeleteFunc(m.same, func(k Redaction, _ []Place) bool { return k.Room == room.Num && k.Seq < behind })
}

// entryLocked returns an entry whose row is kept, nil for any other.
func (m *Memory) entryLocked(log, seq uint64) *Entry {
	l := m.logs[log]
	if l == nil {
		return nil
	}
	i := sort.Search(len(l.entries), func(i int) bool { return l.entries[i].Seq >= seq })
	if i == len(l.entries) || l.entries[i].Seq != seq {
		return nil
	}
	return &l.entries[i]
}

// wholeLocked returns an entry with its text, wherever that is kept.
func (m *Memory) wholeLocked(e *Entry) Entry {
	whole := *e
	if e.Hidden {
		return whole
	}
	room := m.rooms[e.Room]
	if e.Row < room.Low {
		return whole
	}
	row := room.row(e.Row)
	if event, err := event(row.record); err == nil && len(event.Opts.Gone) == 0 {
		whole.Salt, whole.Body = bytes.Clone(row.salt[:]), event.Body
	}
	return whole
}

// Entries returns the entries of a log from seq from to seq to, with their texts, as many as fit into size bytes but at least one. They are not the
// caller's to change. It returns ErrTrimmed when from is below the log's low, ErrNoRow when there is no such entry.
func (m *Memory) Entries(log, from, to uint64, size int) (list []Entry, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.logs[log]
	switch {
	case m.closed:
		return nil, ErrClosed
	case l == nil || from > l.Head || from > to:
		return nil, ErrNoRow
	case from < l.Low:
		return nil, ErrTrimmed
	}
	for seq := from; seq <= min(to, l.Head); seq++ {
		e := m.wholeLocked(m.entryLocked(log, seq))
		if size -= e.size(); size < 0 && len(list) > 0 {
			break
		}
		list = append(list, e)
	}
	return list, nil
}

// EntryAt returns an entry of a log with its text, as Entries does.
func (m *Memory) EntryAt(log, seq uint64) (Entry, error) { return first(m.Entries(log, seq, seq, 0)) }

// first returns the only entry of a list.
func first(list []Entry, err error) (Entry, error) {
	if err != nil {
		return Entry{}, err
	}
	return list[0], nil
}

// EntryOf returns the entry of a row, with its text. It returns ErrTrimmed for a row that is not kept any more, ErrNoRow when there is none, or it has no
// entry.
func (m *Memory) EntryOf(room, row uint64) (Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rooms[room]
	switch {
	case m.closed:
		return Entry{}, ErrClosed
	case r == nil || row > r.Head:
		return Entry{}, ErrNoRow
	case row < r.Low:
		return Entry{}, ErrTrimmed
	}
	place := r.row(row).entry
	if e := m.entryLocked(place.Log, place.Seq); e != nil {
		return m.wholeLocked(e), nil
	}
	return Entry{}, ErrNoRow
}

// LogLow returns the first entry of a log that is kept, its head+1 when none is, 1 for a log that is not known.
func (m *Memory) LogLow(log uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, ErrClosed
	}
	if l := m.logs[log]; l != nil {
		return l.Low, nil
	}
	return 1, nil
}

// LogAt returns the first entry of a log whose Row is row or a later one, Head+1 when there is none, and ErrNoRow for a log that is not known.
func (m *Memory) LogAt(log, row uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.logs[log]
	switch {
	case m.closed:
		return 0, ErrClosed
	case l == nil:
		return 0, ErrNoRow
	}
	i := sort.Search(len(l.entries), func(i int) bool { return l.entries[i].Seq >= l.Low && l.entries[i].Row >= row })
	if i == len(l.entries) {
		return l.Head + 1, nil
	}
	return l.entries[i].Seq, nil
}

// Pair returns what came under a pair, and whether anything did.
func (m *Memory) Pair(origin [16]byte, cseq uint64) (Pair, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return Pair{}, false, ErrClosed
	}
	p, found := m.pairs[pairKey{origin, cseq}]
	return p, found, nil
}

// Causal returns the entries of a room that follow (lamport, id) in causal order, n at most, or with back those that precede it, the last one first. Of those
// that say the same, be it in a row or hidden, the first alone is among them, so that all nodes have the same list whichever they took for their row. Those
// of logs that fork are not, nor are texts.
func (m *Memory) Causal(room, lamport uint64, id wire.EntryID, n int, back bool) (list []Entry, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	c := m.order[room]
	if c == nil {
		return nil, nil
	}
	if !c.sorted {
		slices.SortFunc(c.list, func(a, b causalPlace) int { return a.compare(b.lamport, &b.id) })
		c.sorted = true
	}
	at, met := slices.BinarySearchFunc(c.list, 0, func(p causalPlace, _ int) int { return p.compare(lamport, &id) })
	step := 1
	if back {
		at, step = at-1, -1
	} else if met {
		at++
	}
	for ; at >= 0 && at < len(c.list) && len(list) < n; at += step {
		if p := &c.list[at]; m.isFirstLocked(p) {
			e := *m.entryLocked(p.log, p.seq)
			e.Salt, e.Body = nil, nil
			list = append(list, e)
		}
	}
	return list, nil
}

// isFirstLocked reports whether an entry is the first of those that say the same, and of a row that is kept. Those of logs that fork don't count.
func (m *Memory) isFirstLocked(p *causalPlace) bool {
	e := m.entryLocked(p.log, p.seq)
	row := e.Row
	if e.Hidden {
		row = e.Same
	}
	room := m.rooms[e.Room]
	if m.logs[p.log].isForked(p.seq) || row < room.Low {
		return false
	}
	for _, place := range append([]Place{room.row(row).entry}, m.same[Redaction{e.Room, row}]...) {
		other := m.entryLocked(place.Log, place.Seq)
		if other != nil && !m.logs[place.Log].isForked(place.Seq) && p.compare(other.Lamport, &other.ID) > 0 {
			return false
		}
	}
	return true
}

// RowsOf returns where the rows from seq from to seq to of a room stand in logs, in their order: those that have an entry, and again for each hidden one
// that says the same. Rows that are not kept are passed over.
func (m *Memory) RowsOf(room, from, to uint64) (places []Place, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	r := m.rooms[room]
	if r == nil {
		return nil, nil
	}
	for seq := max(from, r.Low); seq <= min(to, r.Head); seq++ {
		first := len(places)
		if place := r.row(seq).entry; place.Log != 0 {
			places = append(places, place)
		}
		places = append(places, m.same[Redaction{room, seq}]...)
		slices.SortFunc(places[first:], comparePlaces)
	}
	return places, nil
}

func comparePlaces(a, b Place) int {
	return cmp.Or(cmp.Compare(a.Row, b.Row), cmp.Compare(a.Log, b.Log), cmp.Compare(a.Seq, b.Seq))
}

// forgetSameLocked takes away the texts of hidden entries that say the same as a row.
func (m *Memory) forgetSameLocked(r Redaction) {
	for _, place := range m.same[r] {
		if e := m.entryLocked(place.Log, place.Seq); e != nil {
			m.countLocked(m.rooms[r.Room], e, -1)
			e.Salt, e.Body = nil, nil
			m.countLocked(m.rooms[r.Room], e, 1)
		}
	}
}

// markLocked marks rows of logs that fork.
func (m *Memory) markLocked(all []Redaction) {
	for _, r := range all {
		room := m.rooms[r.Room]
		if room == nil || r.Seq < room.Low || r.Seq > room.Head {
			continue
		}
		row := room.row(r.Seq)
		if marked, err := withMark(row.record); err == nil && marked != nil {
			by := int64(len(marked) - len(row.record))
			room.rows.change(row, marked)
			room.bytes += by
			m.bytes += by
		}
	}
}

// Clone returns a store that has what this one has, as a copy of its files would, were it on a disk: from then on each goes its own way.
func (m *Memory) Clone() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &Memory{limit: m.limit, random: m.random, closed: m.closed, state: m.state, bytes: m.bytes, rows: m.rows, rooms: map[uint64]*memoryRoom{}}
	for num, r := range m.rooms {
		own := *r
		own.rows = r.rows.clone()
		c.rooms[num] = &own
	}
	c.origin, c.people, c.invite = maps.Clone(m.origin), maps.Clone(m.people), maps.Clone(m.invite)
	c.stance, c.bars = maps.Clone(m.stance), maps.Clone(m.bars)
	c.memoryLogs = memoryLogs{
		logs: map[uint64]*memoryLog{}, order: map[uint64]*causal{}, acts: slices.Clone(m.acts), same: map[Redaction][]Place{},
		pairs: maps.Clone(m.pairs), abroad: maps.Clone(m.abroad), peers: maps.Clone(m.peers), forks: maps.Clone(m.forks),
	}
	for num, l := range m.logs {
		c.logs[num] = &memoryLog{l.Log, slices.Clone(l.entries)}
	}
	for num, o := range m.order {
		c.order[num] = &causal{slices.Clone(o.list), o.sorted}
	}
	for k, places := range m.same {
		c.same[k] = slices.Clone(places)
	}
	return c
}

// Restored returns a Clone as a backup would be that was put in place: with an epoch and logs of its own.
func (m *Memory) Restored() *Memory {
	c := m.Clone()
	c.closed = false
	c.state.Epoch, c.state.Sharing.Nonce = c.random(), c.random()
	return c
}
