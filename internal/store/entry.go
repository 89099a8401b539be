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

// What follows a place in causal order, and what precedes it: the index leads to the lamport, and of one there are at most as many as there are logs.
var (
	causalOrder = withoutTexts + "WHERE e.room = ?1 AND e.hidden = 0 AND e.lamport >= ?2 AND (e.lamport > ?2 OR e.name > ?3) ORDER BY e.lamport, e.name"
	causalBack  = withoutTexts + "WHERE e.room = ?1 AND e.hidden = 0 AND e.lamport <= ?2 AND (e.lamport < ?2 OR e.name < ?3) ORDER BY e.lamport DESC, e.name DESC"
)

// Causal returns the entries of a room that follow (lamport, id) in causal order, n at most, or with back those that precede it, the last one first.
// Hidden entries and those of logs that fork are not among them, nor are their texts. Its error is the disk's.
func (s *SQLite) Causal(room, lamport uint64, id wire.EntryID, n int, back bool) (list []Entry, err error) {
	s.asking.RLock()
	defer s.asking.RUnlock()
	if s.isClosed() {
		return nil, ErrClosed
	}
	query := causalOrder
	if back {
		query = causalBack
	}
	err = loadEntries(context.Background(), s.db, func(e Entry) error {
		if len(list) >= n {
			return errEnough
		}
		if l, _, err := s.logEnds(e.Log); err != nil || l.isForked(e.Seq) {
			return err
		}
		list = append(list, e)
		return nil
	}, query, int64(room), int64(min(lamport, maxLamport)), id[:])
	if err != nil && !errors.Is(err, errEnough) {
		return nil, s.readError(room, 0, err)
	}
	return list, nil
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
