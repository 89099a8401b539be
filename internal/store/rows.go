package store

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"chatnode/internal/chat"
)

// rowOf returns a row as it was appended, from what is kept of it: salt is that, or what stays of a text that was taken away.
func rowOf(room, seq, epoch uint64, salt []byte, hash chat.Hash, record []byte) (Row, error) {
	e, err := event(record)
	if err != nil {
		return Row{}, err
	}
	row := Row{
		Header: chat.Header{Epoch: epoch, Room: room, Seq: seq, From: e.From, CSeq: e.CSeq, Time: e.Time, Kind: e.Kind, Name: e.Name},
		Body:   e.Body, ID: e.ID, Hash: hash, Record: record,
	}
	copy(row.Re[:], e.Opts.Re)
	if len(e.Opts.Gone) == sha256.Size {
		row.Sum = e.Opts.Gone
	} else {
		copy(row.Salt[:], salt)
	}
	return row, nil
}

// Rows returns the rows of a room from seq from to seq to whole, as many as fit into size bytes of records but at least one, with the epoch in which each
// was written. It returns what Page does.
func (m *Memory) Rows(room, from, to uint64, size int) (rows []Row, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rooms[room]
	switch {
	case m.closed:
		return nil, ErrClosed
	case r == nil || from > r.Head || from > to:
		return nil, ErrNoRow
	case from < r.Low:
		return nil, ErrTrimmed
	}
	for seq := from; seq <= min(to, r.Head); seq++ {
		kept := r.row(seq)
		if size -= len(kept.record); size < 0 && len(rows) > 0 {
			break
		}
		row, err := rowOf(room, seq, kept.epoch, kept.salt[:], kept.hash, bytes.Clone(kept.record))
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Rows returns the rows of a room from seq from to seq to whole, as many as fit into size bytes of records but at least one, with the epoch in which each
// was written. It returns what Page does.
func (s *SQLite) Rows(room, from, to uint64, size int) (list []Row, err error) {
	s.asking.RLock()
	defer s.asking.RUnlock()
	e, known, err := s.ends(room)
	switch {
	case err != nil:
		return nil, err
	case !known || from > e.Head || from > to:
		return nil, ErrNoRow
	case from < e.Low:
		return nil, ErrTrimmed
	}
	rows, err := s.db.Query("SELECT id, era, salt, hash, record FROM message WHERE id BETWEEN ? AND ? ORDER BY id", rowID(room, from), rowID(room, min(to, e.Head)))
	if err != nil {
		return nil, s.readError(room, from, err)
	}
	defer rows.Close()
	next := from
	for ; rows.Next() && size >= 0; next++ {
		var id int64
		var era int
		var salt, hash, record []byte
		if err := rows.Scan(&id, &era, &salt, &hash, &record); err != nil {
			return nil, s.readError(room, next, err)
		}
		if id != rowID(room, next) {
			return nil, s.missing(room, next)
		}
		if era < 0 || era >= len(s.eras) || len(hash) != len(chat.Hash{}) {
			return nil, s.readError(room, next, ErrDamaged)
		}
		row, err := rowOf(room, next, s.eras[era], salt, chat.Hash(hash), record)
		if err != nil {
			return nil, fmt.Errorf("room %d, row %d: %w (%w)", room, next, ErrDamaged, err)
		}
		list = append(list, row)
		size -= len(record)
	}
	if err := rows.Err(); err != nil {
		return nil, s.readError(room, next, err)
	}
	if next == from {
		return nil, s.missing(room, from)
	}
	return list, nil
}
