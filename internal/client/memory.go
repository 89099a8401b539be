package client

import (
	"cmp"
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
)

// maxRemembered bounds the rooms and conversations that a State knows of; the one that nothing was shown of for longest is forgotten.
const maxRemembered = 1024

// Kinds of records. A record is its kind in one byte and what is named here: numbers as uvarints (encoding/binary), tokens, hashes and
// epochs as their bytes, texts with their length before them. A kind that is not known is a newer chatnode's.
const (
	kindOrigin   = 1  // token, next cseq, highest answered cseq: all sends are those that follow
	kindSend     = 2  // cseq, kind of message, id answered, room, text
	kindAnswered = 3  // cseq
	kindCopied   = 22 // as kindAnswered: see settled
	kindCursor   = 4  // room, epoch, seq, hash
	kindRead     = 5  // room, seq
	kindForget   = 6  // room
	kindEpoch    = 7  // epoch
	kindOwed     = 8  // number of resets to be shown, why
	kindRetired  = 9  // nothing: the origin is given up
	kindNote     = 10 // room, text
	kindRowSend  = 13 // row, and what kindSend has: of an act that is done to a row
	kindIgnore   = 11 // key id, name, 1 for on or 0
	kindPin      = 12 // folded name, key id: whose it was when the user first wrote to it
	kindShown    = 14 // room, epoch, seq, hash, id: what kindCursor has, and the message that was shown there
	kindMark     = 15 // room, seq, number of logs, and of each its name and how much of it
	kindTrail    = 16 // as kindMark, without seq; number of messages, and of each id, seq, 1 for marked or 0: see trail
	kindSeen     = 17 // room, number of ranges, and of each the first and the last row
	kindFirst    = 18 // cseq, origin, cseq: the pair under which a send was first offered to another node
	kindHome     = 19 // space or nothing, key id of the node, title: where kindEpoch is from
	kindNodes    = 20 // number of nodes, and of each key id, number of hosts, hosts
	kindPairs    = 21 // room, number of pairs, and of each origin, cseq: see trail
)

var (
	errNewer   = errors.New("was written by a newer chatnode")
	errNoSense = errors.New("a record that makes no sense")
)

// memory is what the records of a journal add up to.
type memory struct {
	live     bool // there is an origin
	origin   [16]byte
	next     uint64           // cseq of the next send
	highest  uint64           // cseq answered
	sends    map[uint64]Draft // not answered, by cseq
	firsts   map[uint64]pair  // of those that were offered to another node, by cseq
	rooms    map[string]remembered
	shownNow uint64 // counts what was shown
	met      bool
	epoch    uint64                 // of the last log, if met
	home     home                   // whose it is
	nodes    []Node                 // where else the rooms are
	owed     uint64                 // resets of all rooms that the user has not been shown
	why      string                 // the last of them
	ignored  map[identity.ID]string // names as they were then, by key
	pins     pins
}

// remembered is what is known of one room.
type remembered struct {
	known  bool // there is a cursor
	cursor chat.Cursor
	trail  trail
	read   uint64 // seq of the last message that was read
	note   string // the front end's own
	used   uint64 // memory.shownNow when the room last changed
}

func newMemory() memory {
	return memory{next: 1, sends: map[uint64]Draft{}, firsts: map[uint64]pair{}, rooms: map[string]remembered{}, ignored: map[identity.ID]string{}, pins: newPins()}
}

// records returns the fewest records that add up to m.
func (m *memory) records() [][]byte {
	var out [][]byte
	if m.met {
		out = append(out, epochRecord(m.epoch), homeRecord(m.home))
	}
	if len(m.nodes) > 0 {
		out = append(out, nodesRecord(m.nodes))
	}
	if m.owed > 0 {
		out = append(out, owedRecord(m.owed, m.why))
	}
	if m.live {
		out = append(out, originRecord(m.origin, m.next, m.highest))
	}
	for id, name := range m.ignored {
		out = append(out, ignoreRecord(id, name, true))
	}
	for _, name := range m.pins.oldestFirst() {
		out = append(out, pinRecord(name, m.pins.byName[name].id))
	}
	for _, cseq := range slices.Sorted(maps.Keys(m.sends)) {
		d := m.sends[cseq]
		out = append(out, sendRecord(cseq, &d))
		if first := m.firsts[cseq]; first.cseq > 0 {
			out = append(out, firstRecord(cseq, first))
		}
	}
	for _, key := range m.oldestFirst() {
		r := m.rooms[key]
		if r.known {
			out = append(out, cursorRecord(key, r.cursor))
		}
		if !r.trail.isEmpty() {
			out = append(out, trailRecord(key, &r.trail))
		}
		if len(r.trail.pairs) > 0 {
			out = append(out, pairsRecord(key, r.trail.pairs))
		}
		if seen := r.trail.seenFrom(r.cursor.Seq + 1); len(seen) > 0 {
			out = append(out, seenRecord(key, seen))
		}
		if r.read > 0 {
			out = append(out, readRecord(key, r.read))
		}
		if r.note != "" {
			out = append(out, noteRecord(key, r.note))
		}
	}
	return out
}

func (m *memory) oldestFirst() []string {
	return slices.SortedFunc(maps.Keys(m.rooms), func(a, b string) int { return cmp.Compare(m.rooms[a].used, m.rooms[b].used) })
}

// apply takes a record in. It returns errNewer, or errNoSense, and has changed nothing then.
func (m *memory) apply(record []byte) error {
	change, err := m.decode(record)
	if err == nil {
		change()
	}
	return err
}

// decode returns what a record changes, or an error as apply does.
func (m *memory) decode(record []byte) (change func(), err error) {
	if len(record) == 0 {
		return nil, errNoSense
	}
	f := &fields{left: record[1:]}
	sensible := true
	switch record[0] {
	case kindOrigin:
		token, next, highest := [16]byte(f.bytes(16)), f.number(), f.number()
		sensible = next > highest
		change = func() {
			m.live, m.origin, m.next, m.highest, m.sends, m.firsts = true, token, next, highest, map[uint64]Draft{}, map[uint64]pair{}
		}
	case kindSend, kindRowSend:
		row := uint64(0)
		if record[0] == kindRowSend {
			row = f.number()
		}
		cseq, d := f.number(), f.draft()
		d.Row = row
		_, twice := m.sends[cseq]
		sensible = m.live && cseq > 0 && !twice && check(&d) == chat.OK
		change = func() { m.sends[cseq], m.next = d, max(m.next, cseq+1) }
	case kindAnswered, kindCopied:
		cseq := f.number()
		sensible = m.live && cseq > 0 && cseq < m.next
		change = func() { m.highest = max(m.highest, cseq); m.settle(settled{cseq, record[0] == kindCopied}) }
	case kindCursor:
		key, c := f.text(), f.cursor()
		sensible = checkRoom(key) == chat.OK
		change = func() { m.change(key, func(r *remembered) { r.goTo(c) }) }
	case kindShown, kindMark, kindTrail, kindSeen, kindPairs:
		change, sensible = m.trailing(record[0], f)
	case kindFirst:
		cseq, first := f.number(), pair{origin: [16]byte(f.bytes(16)), cseq: f.number()}
		_, known := m.sends[cseq]
		sensible = known && first.cseq > 0
		change = func() { m.firsts[cseq] = first }
	case kindHome:
		at := home{space: f.text(), node: identity.ID(f.bytes(32)), title: f.text()}
		sensible = (at.space == "" || len(at.space) == spaceLen) && len(at.title) <= maxTitle
		change = func() { m.home = at }
	case kindNodes:
		nodes := f.nodes()
		change = func() { m.nodes = nodes }
	case kindRead:
		key, seq := f.text(), f.number()
		sensible = checkRoom(key) == chat.OK
		change = func() { m.change(key, func(r *remembered) { r.read = max(r.read, seq) }) }
	case kindNote:
		key, note := f.text(), f.text()
		sensible = checkRoom(key) == chat.OK && isNote(note)
		change = func() { m.change(key, func(r *remembered) { r.note = note }) }
	case kindIgnore:
		change, sensible = m.ignoring(f)
	case kindPin:
		name, id := f.text(), identity.ID(f.bytes(32))
		sensible = name != "" && len(name) <= maxWho && !id.IsZero()
		change = func() { m.pins.set(name, id) }
	case kindForget:
		key := f.text()
		change = func() { delete(m.rooms, key) }
	case kindEpoch:
		epoch := f.epoch()
		change = func() { m.met, m.epoch = true, epoch }
	case kindOwed:
		owed, why := f.number(), f.text()
		change = func() { m.owed, m.why = owed, why }
	case kindRetired:
		change = func() { m.live, m.origin, m.next, m.highest = false, [16]byte{}, 1, 0; clear(m.sends); clear(m.firsts) }
	default:
		return nil, errNewer
	}
	if f.bad || len(f.left) > 0 || !sensible {
		return nil, errNoSense
	}
	return change, nil
}

// settled is a send that is answered.
type settled struct {
	cseq   uint64
	copied bool // it is kept, and an earlier node was offered it too and may have kept it as another
}

// settle forgets a send.
func (m *memory) settle(e settled) {
	room, first := m.sends[e.cseq].Room, m.firsts[e.cseq]
	if r, known := m.rooms[room]; known && e.copied && first.cseq > 0 {
		r.trail.copied(first)
		m.rooms[room] = r
	}
	delete(m.sends, e.cseq)
	delete(m.firsts, e.cseq)
}

// notes returns what rooms are remembered for besides their log: a front end's notes on them.
func notes(rooms map[string]remembered) map[string]remembered {
	out := map[string]remembered{}
	for key, r := range rooms {
		if r.note != "" {
			out[key] = remembered{note: r.note, used: r.used}
		}
	}
	return out
}

// change changes what is known of a room.
func (m *memory) change(key string, change func(*remembered)) {
	r, known := m.rooms[key]
	if !known && len(m.rooms) >= maxRemembered {
		delete(m.rooms, m.oldestFirst()[0])
	}
	m.shownNow++
	r.used = m.shownNow
	change(&r)
	m.rooms[key] = r
}

func originRecord(token [16]byte, next, highest uint64) []byte {
	b := append([]byte{kindOrigin}, token[:]...)
	return binary.AppendUvarint(binary.AppendUvarint(b, next), highest)
}

func sendRecord(cseq uint64, d *Draft) []byte {
	b := make([]byte, 0, 32+len(d.Room)+len(d.Text))
	if d.Row > 0 {
		b = binary.AppendUvarint(append(b, kindRowSend), d.Row)
	} else {
		b = append(b, kindSend)
	}
	b = binary.AppendUvarint(b, cseq)
	b = append(append(b, byte(d.Kind)), d.Re[:]...)
	return appendText(appendText(b, d.Room), d.Text)
}

func answeredRecord(e settled) []byte {
	kind := byte(kindAnswered)
	if e.copied {
		kind = kindCopied
	}
	return binary.AppendUvarint([]byte{kind}, e.cseq)
}

func cursorRecord(key string, c chat.Cursor) []byte {
	return appendCursor(appendText([]byte{kindCursor}, key), c)
}

func appendCursor(b []byte, c chat.Cursor) []byte {
	b = binary.AppendUvarint(binary.BigEndian.AppendUint64(b, c.Epoch), c.Seq)
	return append(b, c.Hash[:]...)
}

func readRecord(key string, seq uint64) []byte {
	return binary.AppendUvarint(appendText([]byte{kindRead}, key), seq)
}

func noteRecord(key, note string) []byte { return appendText(appendText([]byte{kindNote}, key), note) }

func pinRecord(name string, id identity.ID) []byte {
	return append(appendText([]byte{kindPin}, name), id[:]...)
}

func forgetRecord(key string) []byte { return appendText([]byte{kindForget}, key) }

func epochRecord(epoch uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{kindEpoch}, epoch)
}

func owedRecord(owed uint64, why string) []byte {
	return appendText(binary.AppendUvarint([]byte{kindOwed}, owed), why)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// fields takes a record apart. Once something is missing, bad is set and all else is zero.
type fields struct {
	left []byte
	bad  bool
}

// bytes returns the next n bytes, or n zeros.
func (f *fields) bytes(n uint64) []byte {
	if n > uint64(len(f.left)) {
		f.bad, f.left = true, nil
		return make([]byte, min(n, 32))
	}
	b := f.left[:n]
	f.left = f.left[n:]
	return b
}

func (f *fields) number() uint64 {
	v, n := binary.Uvarint(f.left)
	if n <= 0 {
		f.bad, f.left = true, nil
		return 0
	}
	f.left = f.left[n:]
	return v
}

func (f *fields) epoch() uint64 { return binary.BigEndian.Uint64(f.bytes(8)) }

func (f *fields) cursor() chat.Cursor {
	return chat.Cursor{Epoch: f.epoch(), Seq: f.number(), Hash: chat.Hash(f.bytes(8))}
}

func (f *fields) text() string { return string(f.bytes(f.number())) }

func (f *fields) draft() Draft {
	d := Draft{Kind: chat.Kind(f.bytes(1)[0]), Re: chat.ID(f.bytes(8))}
	d.Room, d.Text = f.text(), f.text()
	return d
}
