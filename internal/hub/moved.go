package hub

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// Bounds of looking for what a client that was on another node has not seen: so many rows in all, and as many of a log that are not here yet, so many at a time, and so many whose ids are read, of so
// many bytes at a time. A client that has missed more begins anew; ids of rows further on it finds itself.
const (
	maxMissed   = 200_000
	missedStep  = 4096
	lookStep    = 2 * wire.MaxSeen // of what comes later: even if it has seen every other one, that can be told in one answer
	maxNamed    = 16_384
	missedBytes = 256 << 10
)

// elsewhere is what a client has seen of a room on another node. Its maker owns it, then Run, then its session's writer.
type elsewhere struct {
	heads   map[wire.LogID]uint64 // how much of each log
	owed    map[wire.LogID]uint64 // those of which that is more than there was here, when the rows were looked at that have been
	ids     map[chat.ID]bool      // and what else, as far as it has not been met
	pairs   []wire.As             // and of what else it was shown a copy
	copies  map[uint64]bool       // the rows that are of those pairs here
	named   int                   // rows whose ids have been read
	tooMuch bool                  // more than a client may say

	logs  []loggedBy // of the room, when the subscription began
	names map[uint64]wire.LogID
	known bool // each row of the room has an entry, so that it can be compared
}

// loggedBy is a log of a room.
type loggedBy struct {
	id   wire.LogID
	num  uint64
	head uint64
}

// movedSize is what a client's place on another node counts for, in bytes.
func movedSize(m *wire.Moved) int {
	if m == nil {
		return 0
	}
	const each = 48 // of a head or an id, as maps have them
	return each * (len(m.Heads) + len(m.IDs) + len(m.Pairs))
}

// newElsewhere takes up what a client says that it has seen. Who says two things of a log is believed the lesser.
func newElsewhere(m *wire.Moved) *elsewhere {
	if len(m.Heads) > wire.MaxMarkHeads || len(m.IDs) > wire.MaxMovedIDs || len(m.Pairs) > wire.MaxMovedPairs {
		return &elsewhere{tooMuch: true}
	}
	e := &elsewhere{heads: make(map[wire.LogID]uint64, len(m.Heads)), ids: make(map[chat.ID]bool, len(m.IDs)), pairs: m.Pairs}
	for _, g := range m.Heads {
		if seen, twice := e.heads[g.Log]; !twice || g.Seq < seen {
			e.heads[g.Log] = g.Seq
		}
	}
	for _, id := range m.IDs {
		e.ids[id] = true
	}
	return e
}

// enters takes notice of the room as it is where somebody's subscription begins. It is the sequencer's to call.
func (e *elsewhere) enters(h *Hub, r *room, who identity.ID) {
	e.known = h.sharing.Shared && r.entered == r.head && !e.tooMuch
	e.meet(r)
	e.owed = make(map[wire.LogID]uint64)
	for id, seq := range e.heads {
		head := uint64(0)
		if l := h.ledgers[id]; l != nil {
			head = l.head
		}
		switch {
		case seq > head+maxMissed: // no node is so far ahead: whoever told the client of it would have it miss all that is to come
			e.heads[id] = head
		case seq > head:
			e.owed[id] = seq
		}
	}
	e.copies = make(map[uint64]bool)
	for i := range e.pairs {
		if p := &e.pairs[i]; isPair(p) {
			if row, taken, _ := h.pairTaken(r, who, [16]byte(p.Origin), p.CSeq); taken { // its error ends the hub
				e.copies[row] = true
			}
		}
	}
}

// meet takes notice of the room's logs. It is the sequencer's to call.
func (e *elsewhere) meet(r *room) {
	e.logs, e.names = make([]loggedBy, 0, len(r.logs)), make(map[uint64]wire.LogID, len(r.logs))
	for _, l := range r.logs {
		e.logs = append(e.logs, loggedBy{l.id, l.num, l.head})
		e.names[l.num] = l.id
	}
}

// openMoved decides where a subscription begins whose client was on another node: at the first row that it has not seen.
func (s *subscription) openMoved() (*wire.Open, error) {
	e := s.start.moved
	open := &wire.Open{Status: wire.StatusMoved}
	low, err := s.session.hub.cfg.Store.Low(s.room.Num)
	if err != nil {
		return nil, fmt.Errorf("low of room %d: %w", s.room.Num, err)
	}
	low = max(low, s.start.first)
	first, err := s.firstMissed()
	if err != nil {
		return nil, err
	}
	if first < low {
		open.Status, first = wire.StatusGap, low
	}
	if !e.known || !e.sharesAny() || s.start.head+1 > first+maxMissed {
		return s.openAnew()
	}
	open.From = s.start.head + 1
	missed := false
	open.Seen, err = s.seen(first, s.start.head, func(row uint64) {
		if !missed {
			open.From, missed = row, true
		}
	})
	switch {
	case errors.Is(err, store.ErrTrimmed): // meanwhile
		s.start.moved = nil
		return s.gap(first)
	case err != nil:
		return nil, err
	case len(open.Seen) > wire.MaxSeen:
		return s.openAnew()
	}
	for len(open.Seen) > 0 && open.Seen[0][1] < open.From {
		open.Seen = open.Seen[1:]
	}
	if s.looked = s.start.head; len(e.owed) == 0 {
		s.start.moved = nil
	}
	return s.openFrom(open)
}

// openAnew begins as if the client had come from another space: too much of what it has seen, and what not, can't be told apart.
func (s *subscription) openAnew() (*wire.Open, error) {
	s.start.moved = nil
	return s.openTail(&wire.Open{Status: wire.StatusReset, Why: wire.WhyEpoch})
}

// sharesAny reports whether any of the logs is one of which the client knows something, or it has seen nothing of any.
func (e *elsewhere) sharesAny() bool {
	return len(e.heads) == 0 || len(e.logs) == 0 || slices.ContainsFunc(e.logs, func(l loggedBy) bool { return e.heads[l.id] > 0 })
}

// firstMissed returns the first row of which the logs say that the client may not have seen it: rows rise along a log, so one look at each is enough. Of
// what is not kept any more nobody knows: it returns 0.
func (s *subscription) firstMissed() (first uint64, err error) {
	first = s.start.head + 1
	for _, l := range s.start.moved.logs {
		seen := s.start.moved.heads[l.id]
		if seen >= l.head {
			continue
		}
		entry, err := s.session.hub.cfg.Store.EntryAt(l.num, seen+1)
		switch {
		case errors.Is(err, store.ErrTrimmed):
			return 0, nil
		case err != nil:
			return 0, fmt.Errorf("read entry %d of log %d: %w", seen+1, l.num, err)
		case entry.Hidden:
			entry.Row++ // its own log's next row is above that
		}
		first = min(first, entry.Row)
	}
	return first, nil
}

// seen returns the ranges of rows, of those from from to to, that the client has seen, and calls missed for each other one. It stops when these are more
// than can be told.
func (s *subscription) seen(from, to uint64, missed func(row uint64)) (ranges [][2]uint64, err error) {
	e := s.start.moved
	for from <= to && len(ranges) <= wire.MaxSeen {
		last := min(to, from+missedStep-1)
		places, err := s.session.hub.cfg.Store.RowsOf(s.room.Num, from, last)
		if err != nil {
			return nil, fmt.Errorf("rows of room %d from %d: %w", s.room.Num, from, err)
		}
		rows := make([]bool, last-from+1) // those that it has seen
		for _, p := range places {
			id, err := s.logOf(p.Log)
			if err != nil {
				return nil, err
			}
			if p.Row >= from && p.Row <= last && p.Seq <= e.heads[id] {
				rows[p.Row-from] = true
			}
			if p.Seq >= e.owed[id] {
				delete(e.owed, id)
			}
		}
		for row := range e.copies {
			if row >= from && row <= last {
				rows[row-from] = true
			}
		}
		if err := s.seenAsCopies(from, rows, places); err != nil {
			return nil, err
		}
		if err := s.seenByID(from, rows); err != nil {
			return nil, err
		}
		for i, seen := range rows {
			row := from + uint64(i)
			switch n := len(ranges); {
			case !seen:
				missed(row)
			case n > 0 && ranges[n-1][1] == row-1:
				ranges[n-1][1] = row
			default:
				ranges = append(ranges, [2]uint64{row, row})
			}
		}
		from = last + 1
	}
	return ranges, nil
}

// logOf returns which log has that number here.
func (s *subscription) logOf(num uint64) (wire.LogID, error) {
	e := s.start.moved
	if _, met := e.names[num]; !met { // it has been begun since
		if err := s.session.hub.call(func() { e.meet(s.room) }); err != nil {
			return wire.LogID{}, err
		}
	}
	return e.names[num], nil
}

// seenAsCopies marks those of the rows from from on of which the client has named another entry that says the same: where it was, that one was shown.
func (s *subscription) seenAsCopies(from uint64, rows []bool, places []store.Place) error {
	e := s.start.moved
	for i, p := range places {
		alone := (i == 0 || places[i-1].Row != p.Row) && (i == len(places)-1 || places[i+1].Row != p.Row)
		if alone || rows[p.Row-from] || len(e.ids) == 0 || e.named >= maxNamed {
			continue
		}
		entry, err := s.session.hub.cfg.Store.EntryAt(p.Log, p.Seq)
		if errors.Is(err, store.ErrTrimmed) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read entry %d of log %d: %w", p.Seq, p.Log, err)
		}
		header, err := wire.DecodeEntry(entry.Header)
		if err != nil {
			return fmt.Errorf("entry %d of log %d: %w", p.Seq, p.Log, err)
		}
		row := header.Header()
		e.named++
		if id := row.IDOf([sha256.Size]byte(header.Sum)); e.ids[id] {
			rows[p.Row-from] = true
			delete(e.ids, id)
		}
	}
	return nil
}

// seenByID marks those of the rows from from on whose ids the client has named. There are few of them, and most are among the first rows that are looked
// at: when all have been met nothing more is read.
func (s *subscription) seenByID(from uint64, rows []bool) error {
	e := s.start.moved
	for i := 0; i < len(rows) && len(e.ids) > 0 && e.named < maxNamed; i++ {
		if rows[i] {
			continue
		}
		records, next, err := s.session.hub.cfg.Store.Page(s.room.Num, from+uint64(i), from+uint64(len(rows))-1, missedBytes)
		if err != nil {
			return fmt.Errorf("read room %d from %d: %w", s.room.Num, from+uint64(i), err)
		}
		for ; len(records) > 0; i++ {
			n := recordLen(records)
			event, err := wire.DecodeEvent(records[wire.HeaderLen:n])
			if err != nil {
				return fmt.Errorf("row %d of room %d: %w", from+uint64(i), s.room.Num, err)
			}
			if e.named++; e.ids[event.ID] {
				rows[i] = true
				delete(e.ids, event.ID)
			}
			records = records[n:]
		}
		i = int(next-from) - 1
	}
	return nil
}

// owes reports whether there are rows up to row to that the client may have seen on another node, and that have not been looked at: it is given none of
// them before.
func (s *subscription) owes(to uint64) bool { return s.start.moved != nil && s.looked < to }

// limit returns the last row that may be given now.
func (s *subscription) limit() uint64 {
	to := s.room.log.limit(s)
	if s.start.moved != nil {
		return min(to, s.looked)
	}
	return to
}

// look looks at rows that have come since it last did, and tells the client in another Open which of them it has seen.
func (s *subscription) look(out []byte, hard int) (taken, error) {
	e, from := s.start.moved, max(s.looked+1, s.next)
	to := min(s.room.log.limit(s), from+lookStep-1)
	e.ids = nil // what it was shown since its mark the client knows itself
	ranges, err := s.seen(from, to, func(uint64) {})
	switch {
	case errors.Is(err, ErrStopped):
		return taken{records: out}, nil
	case err != nil && !errors.Is(err, store.ErrTrimmed):
		return taken{}, err
	}
	done := taken{records: out, again: true}
	if len(ranges) > 0 {
		open, err := s.openFrom(&wire.Open{Status: wire.StatusMoved, From: s.next, Seen: ranges})
		if err != nil {
			return taken{}, err
		}
		if done, err = s.lead(out, hard, open); err != nil || done.need > 0 {
			return done, err
		}
	}
	if s.looked = to; len(e.owed) == 0 {
		s.start.moved = nil
	}
	return done, nil
}
