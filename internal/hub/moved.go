package hub

import (
	"errors"
	"fmt"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// Bounds of looking for what a client that was on another node has not seen: so many rows in all, so many at a time, of which so many bytes where their
// ids count. A client that has missed more than that begins anew.
const (
	maxMissed   = 200_000
	missedStep  = 4096
	missedBytes = 256 << 10
)

// elsewhere is what a client has seen of a room on another node. A session's writer owns it.
type elsewhere struct {
	heads map[wire.LogID]uint64 // how much of each log
	ids   map[chat.ID]bool      // and what else, as far as it has not been met
	logs  map[uint64]uint64     // heads by the numbers that the logs have here, 0 for one of which it has seen nothing
	known bool                  // each row of the room has an entry, so that it can be compared
}

// movedSize is what a client's place on another node counts for, in bytes.
func movedSize(m *wire.Moved) int {
	if m == nil {
		return 0
	}
	const each = 48 // of a head or an id, as maps have them
	return each * (len(m.Heads) + len(m.IDs))
}

// elsewhere takes up what a client says that it has seen of a room. Who says two things of a log is believed the lesser.
func (h *Hub) elsewhere(r *room, m *wire.Moved) *elsewhere {
	e := &elsewhere{heads: make(map[wire.LogID]uint64, len(m.Heads)), ids: make(map[chat.ID]bool, len(m.IDs)), logs: map[uint64]uint64{}}
	e.known = len(m.Heads) <= wire.MaxMarkHeads && len(m.IDs) <= wire.MaxMovedIDs && (r.head == 0 || h.headsOf(r) != nil)
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

// loggedBy is a log of a room, as far as it is committed.
type loggedBy struct {
	id   wire.LogID
	num  uint64
	head uint64
}

// logsOf returns the logs of a room, for any goroutine.
func (h *Hub) logsOf(r *room) (logs []loggedBy) {
	s := &h.shelf
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, x := range s.rooms[r.LogName()] {
		logs = append(logs, loggedBy{x.id, x.num, x.head})
	}
	return logs
}

// meet takes notice of the logs that the room has now.
func (e *elsewhere) meet(logs []loggedBy) {
	for _, l := range logs {
		e.logs[l.num] = e.heads[l.id]
	}
}

// openMoved decides where a subscription begins whose client was on another node: at the first row that it has not seen.
func (s *subscription) openMoved() (*wire.Open, error) {
	e := s.start.moved
	logs := s.session.hub.logsOf(s.room)
	e.meet(logs)
	open := &wire.Open{Status: wire.StatusMoved}
	low, err := s.session.hub.cfg.Store.Low(s.room.Num)
	if err != nil {
		return nil, fmt.Errorf("low of room %d: %w", s.room.Num, err)
	}
	low = max(low, s.start.first)
	first, err := s.firstMissed(logs)
	if err != nil {
		return nil, err
	}
	if first < low {
		open.Status, first = wire.StatusGap, low
	}
	if !e.known || !e.sharesAny(logs) || s.start.head+1 > first+maxMissed {
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
	s.looked = s.start.head
	if s.room.log.limit(s) == s.looked {
		s.settleDebt(logs)
	}
	return s.openFrom(open)
}

// openAnew begins as if the client had come from another space: too much of what it has seen, and what not, can't be told apart.
func (s *subscription) openAnew() (*wire.Open, error) {
	s.start.moved = nil
	return s.openTail(&wire.Open{Status: wire.StatusReset, Why: wire.WhyEpoch})
}

// sharesAny reports whether any of the logs is one of which the client knows something, or it has seen nothing of any.
func (e *elsewhere) sharesAny(logs []loggedBy) bool {
	for _, l := range logs {
		if e.heads[l.id] > 0 {
			return true
		}
	}
	return len(e.heads) == 0 || len(logs) == 0
}

// owed returns of how many logs there is less here than the client has seen: what comes of these later it is not to be shown again.
func (e *elsewhere) owed(logs []loggedBy) (n int) {
	for _, seq := range e.heads {
		if seq > 0 {
			n++
		}
	}
	for _, l := range logs {
		if seen := e.heads[l.id]; seen > 0 && l.head >= seen {
			n--
		}
	}
	return n
}

// firstMissed returns the first row of which the logs say that the client may not have seen it: rows rise along a log, so one look at each is enough. Of
// what is not kept any more nobody knows: it returns 0.
func (s *subscription) firstMissed(logs []loggedBy) (first uint64, err error) {
	first = s.start.head + 1
	for _, l := range logs {
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
	for from <= to && len(ranges) <= wire.MaxSeen {
		last := min(to, from+missedStep-1)
		places, err := s.session.hub.cfg.Store.RowsOf(s.room.Num, from, last)
		if err != nil {
			return nil, fmt.Errorf("rows of room %d from %d: %w", s.room.Num, from, err)
		}
		rows := make([]bool, last-from+1) // those that it has seen
		for _, p := range places {
			if p.Row >= from && p.Row <= last && p.Seq <= s.start.moved.logs[p.Log] {
				rows[p.Row-from] = true
			}
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

// seenByID marks those of the rows from from on whose ids the client has named. There are few of them, and most are among the first rows that are looked
// at: when all have been met nothing more is read.
func (s *subscription) seenByID(from uint64, rows []bool) error {
	ids := s.start.moved.ids
	for i := 0; i < len(rows) && len(ids) > 0; i++ {
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
			if ids[event.ID] {
				rows[i] = true
				delete(ids, event.ID)
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
	e, logs, limit := s.start.moved, s.session.hub.logsOf(s.room), s.room.log.limit(s)
	from := max(s.looked+1, s.next)
	to := min(limit, from+missedStep-1)
	e.meet(logs)
	e.ids = nil // what it was shown since its mark the client knows itself
	ranges, err := s.seen(from, to, func(uint64) {})
	if err != nil && !errors.Is(err, store.ErrTrimmed) {
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
	if s.looked = to; to == limit {
		s.settleDebt(logs)
	}
	return done, nil
}

// settleDebt ends the looking at rows when there is nothing left to come that the client has seen. logs are those of before the last row that was looked
// at.
func (s *subscription) settleDebt(logs []loggedBy) {
	if s.start.moved.owed(logs) == 0 {
		s.start.moved = nil
	}
}
