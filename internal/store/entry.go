package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"chatnode/internal/wire"
)

const entryColumns = "SELECT e.id, e.lamport, e.name, e.room, e.row, e.hidden, e.same, e.act, e.header, e.sig, e.salt, e.body, "

// Entries with their texts, those of rows from there, or without.
var (
	withTexts    = fmt.Sprintf(entryColumns+"m.salt, m.record FROM entry e LEFT JOIN message m ON m.id = (e.room << %d | e.row) AND e.hidden = 0 ", seqBits)
	withoutTexts = entryColumns + "NULL, NULL FROM entry e "
)

// loadEntries calls found for the entries that a query asks for, which begins with withTexts or withoutTexts.
func loadEntries(ctx context.Context, db querier, found func(Entry) error, query string, args ...any) error {
	return each(ctx, db, query, func(scan scan) error {
		var e Entry
		var id int64
		var name, salt, record []byte
		if err := scan(&id, &e.Lamport, &name, &e.Room, &e.Row, &e.Hidden, &e.Same, &e.Act, &e.Header, &e.Sig, &e.Salt, &e.Body, &salt, &record); err != nil {
			return err
		}
		e.Log, e.Seq = rowAt(id)
		if err := fillWhole(e.ID[:], name); err != nil {
			return fmt.Errorf("log %d, entry %d: %w", e.Log, e.Seq, err)
		}
		if !e.Hidden {
			e.Salt, e.Body = textOf(salt, record)
		}
		return found(e)
	}, args...)
}

// errEnough ends a query that has found what it was for.
var errEnough = errors.New("enough")

// logEnds returns a log as the last commit left it, and whether there is one.
func (s *SQLite) logEnds(num uint64) (Log, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return Log{}, false, ErrClosed
	}
	if l := s.logs[num]; l != nil {
		return *l, true, nil
	}
	return Log{}, false, nil
}

// Entries returns the entries of a log from seq from to seq to, with their texts, as many as fit into size bytes but at least one. They are not the
// caller's to change. It returns ErrTrimmed when from is below the log's low, ErrNoRow when there is no such entry. Other errors are the disk's.
func (s *SQLite) Entries(log, from, to uint64, size int) (list []Entry, err error) {
	s.asking.RLock()
	defer s.asking.RUnlock()
	l, known, err := s.logEnds(log)
	switch {
	case err != nil:
		return nil, err
	case !known || from > l.Head || from > to:
		return nil, ErrNoRow
	case from < l.Low:
		return nil, ErrTrimmed
	}
	next := from
	err = loadEntries(context.Background(), s.db, func(e Entry) error {
		if size -= e.size(); size < 0 && len(list) > 0 || e.Seq != next {
			return errEnough
		}
		next++
		list = append(list, e)
		return nil
	}, withTexts+"WHERE e.id BETWEEN ? AND ? ORDER BY e.id", rowID(log, from), rowID(log, min(to, l.Head)))
	switch {
	case err != nil && !errors.Is(err, errEnough):
		return nil, s.entryError(log, from, err)
	case len(list) > 0:
		return list, nil
	}
	if l, _, err := s.logEnds(log); err != nil || from < l.Low { // it was let go of meanwhile
		return nil, errors.Join(err, ErrTrimmed)
	}
	return nil, s.entryError(log, from, ErrDamaged)
}

// entryError says where reading failed; after Close, that this is why.
func (s *SQLite) entryError(log, seq uint64, err error) error {
	if s.isClosed() {
		return ErrClosed
	}
	return fmt.Errorf("read log %d from entry %d: %w", log, seq, err)
}

// EntryAt returns an entry of a log with its text, as Entries does.
func (s *SQLite) EntryAt(log, seq uint64) (Entry, error) { return first(s.Entries(log, seq, seq, 0)) }

// EntryOf returns the entry of a row, with its text. It returns ErrTrimmed for a row that is not kept any more, ErrNoRow when there is none, or it has no
// entry. Other errors are the disk's.
func (s *SQLite) EntryOf(room, row uint64) (found Entry, err error) {
	s.asking.RLock()
	defer s.asking.RUnlock()
	e, known, err := s.ends(room)
	switch {
	case err != nil:
		return Entry{}, err
	case !known || row > e.Head:
		return Entry{}, ErrNoRow
	case row < e.Low:
		return Entry{}, ErrTrimmed
	}
	err = loadEntries(context.Background(), s.db, func(e Entry) error {
		found = e
		return errEnough
	}, withTexts+"WHERE e.room = ? AND e.row = ? AND e.hidden = 0", int64(room), int64(row))
	switch {
	case errors.Is(err, errEnough):
		return found, nil
	case err != nil:
		return Entry{}, s.readError(room, row, err)
	}
	if e, _, err := s.ends(room); err != nil || row < e.Low { // it was let go of meanwhile
		return Entry{}, errors.Join(err, ErrTrimmed)
	}
	return Entry{}, ErrNoRow
}

// LogLow returns the first entry of a log that is kept, its head+1 when none is, 1 for a log that is not known.
func (s *SQLite) LogLow(log uint64) (uint64, error) {
	l, known, err := s.logEnds(log)
	if err != nil || !known {
		return 1, err
	}
	return l.Low, nil
}

// Pair returns what came under a pair, and whether anything did. Its error is the disk's.
func (s *SQLite) Pair(origin [16]byte, cseq uint64) (p Pair, found bool, err error) {
	s.asking.RLock()
	defer s.asking.RUnlock()
	if s.isClosed() {
		return Pair{}, false, ErrClosed
	}
	p = Pair{Origin: origin, CSeq: cseq}
	switch err := s.pair.QueryRow(origin[:], int64(cseq)).Scan(&p.Room, &p.Row); {
	case errors.Is(err, sql.ErrNoRows):
		return Pair{}, false, nil
	case err != nil:
		return Pair{}, false, fmt.Errorf("look a pair up: %w", err)
	}
	return p, true, nil
}

// Parts of the queries for entries in causal order. Of those that say the same, a row's and hidden ones, the first counts of those whose logs don't fork there.
// The index leads to a lamport, and of one there are at most as many entries as there are logs.
var (
	causalOrder = "e.lamport >= ?2 AND (e.lamport > ?2 OR e.name > ?3) ORDER BY e.lamport, e.name LIMIT ?5"
	causalBack  = "e.lamport <= ?2 AND (e.lamport < ?2 OR e.name < ?3) ORDER BY e.lamport DESC, e.name DESC LIMIT ?5"
	causalFirst = fmt.Sprintf(`
		WHERE e.room = ?1 AND (e.hidden = 0 OR e.same >= ?4)
		AND NOT EXISTS (SELECT 1 FROM log l WHERE l.num = e.id >> %[1]d AND l.forked > 0 AND l.forked <= e.id & %[2]d)
		AND NOT EXISTS (SELECT 1 FROM entry o JOIN log l ON l.num = o.id >> %[1]d
			WHERE o.room = e.room AND o.same > 0 AND o.same = iif(e.hidden, e.same, e.row)
			AND (o.lamport, o.name) < (e.lamport, e.name) AND (l.forked = 0 OR l.forked > o.id & %[2]d))
		AND NOT EXISTS (SELECT 1 FROM entry o INDEXED BY entry_row JOIN log l ON l.num = o.id >> %[1]d
			WHERE e.hidden = 1 AND o.room = e.room AND o.row = e.same AND o.hidden = 0
			AND (o.lamport, o.name) < (e.lamport, e.name) AND (l.forked = 0 OR l.forked > o.id & %[2]d))
		AND `, seqBits, maxSeq)
)

// Causal returns the entries of a room that follow (lamport, id) in causal order, n at most, or with back those that precede it, the last one first. Of those
// that say the same, be it in a row or hidden, the first alone is among them, so that all nodes have the same list whichever they took for their row. Those
// of logs that fork are not, nor are texts. Its error is the disk's.
func (s *SQLite) Causal(room, lamport uint64, id wire.EntryID, n int, back bool) (list []Entry, err error) {
	s.asking.RLock()
	defer s.asking.RUnlock()
	e, known, err := s.ends(room)
	if err != nil || !known {
		return nil, err
	}
	query := withoutTexts + causalFirst + causalOrder
	if back {
		query = withoutTexts + causalFirst + causalBack
	}
	err = loadEntries(context.Background(), s.db, func(e Entry) error {
		e.Salt, e.Body = nil, nil
		list = append(list, e)
		return nil
	}, query, int64(room), int64(min(lamport, maxLamport)), id[:], int64(e.Low), n)
	if err != nil {
		return nil, s.readError(room, 0, err)
	}
	return list, nil
}

// LogAt returns the first entry of a log whose Row is row or a later one, Head+1 when there is none, and ErrNoRow for a log that is not known. Other errors
// are the disk's.
func (s *SQLite) LogAt(log, row uint64) (uint64, error) {
	s.asking.RLock()
	defer s.asking.RUnlock()
	l, known, err := s.logEnds(log)
	switch {
	case err != nil:
		return 0, err
	case !known:
		return 0, ErrNoRow
	}
	low, high := l.Low, l.Head+1 // the answer is one of them or between: a log's rows never decrease
	for low < high {
		middle := low + (high-low)/2
		var at uint64
		err := s.db.QueryRow("SELECT row FROM entry WHERE id = ?", rowID(log, middle)).Scan(&at)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			low = middle + 1 // it was let go of meanwhile
		case err != nil:
			return 0, s.entryError(log, middle, err)
		case at < row:
			low = middle + 1
		default:
			high = middle
		}
	}
	return low, nil
}

// RowsOf returns where the rows from seq from to seq to of a room stand in logs, in their order: those that have an entry, and again for each hidden one
// that says the same. Rows that are not kept are passed over. Its error is the disk's.
func (s *SQLite) RowsOf(room, from, to uint64) (places []Place, err error) {
	s.asking.RLock()
	defer s.asking.RUnlock()
	e, known, err := s.ends(room)
	if err != nil || !known || from > e.Head {
		return nil, err
	}
	err = each(context.Background(), s.db, "SELECT row, id FROM entry WHERE room = ?1 AND row BETWEEN ?2 AND ?3 AND hidden = 0 UNION ALL "+
		"SELECT same, id FROM entry WHERE room = ?1 AND same BETWEEN ?2 AND ?3 AND same > 0", func(scan scan) error {
		var p Place
		var id int64
		err := scan(&p.Row, &id)
		p.Log, p.Seq = rowAt(id)
		places = append(places, p)
		return err
	}, int64(room), int64(max(from, e.Low)), int64(min(to, e.Head)))
	if err != nil {
		return nil, s.readError(room, from, err)
	}
	slices.SortFunc(places, comparePlaces)
	return places, nil
}
