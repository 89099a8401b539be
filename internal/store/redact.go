package store

import (
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// sumLen is the length of what a row's id has of its text: see chat.BodySum.
const sumLen = sha256.Size

// withoutText returns a row's record as it is once its text was taken away, and what stays of that; nil if it has been before.
func withoutText(record []byte, salt *[16]byte) (short, sum []byte, err error) {
	e, err := event(record)
	if err != nil || len(e.Opts.Gone) > 0 {
		return nil, nil, err
	}
	hash := chat.BodySum(salt, e.Body)
	e.Body, e.Opts.Gone = nil, hash[:]
	short, err = wire.Append(nil, e)
	return short, hash[:], err
}

// withMark returns a row's record as it is once its log was found to fork; nil if it has been before.
func withMark(record []byte) ([]byte, error) {
	e, err := event(record)
	if err != nil || e.Opts.Forked {
		return nil, err
	}
	e.Opts.Forked = true
	return wire.Append(nil, e)
}

// shortened is a row whose record has lost so many bytes.
type shortened struct {
	room, seq uint64
	by        int64
}

// redactAll takes texts away, in the transaction. What SQLite frees it overwrites; where else they may stand, it notes.
func (w *writer) redactAll(all []Redaction) error {
	for _, r := range all {
		if r.Room > maxRoom || r.Seq > maxSeq {
			continue
		}
		id := rowID(r.Room, r.Seq)
		if err := w.forgetSame(r, id); err != nil {
			return err
		}
		var salt, record []byte
		err := w.text.QueryRow(id).Scan(&salt, &record)
		if errors.Is(err, sql.ErrNoRows) || err == nil && len(salt) == sumLen {
			continue
		} else if err != nil {
			return err
		}
		if len(salt) != len(Row{}.Salt) {
			return fmt.Errorf("room %d, row %d: %w (a salt of %d bytes)", r.Room, r.Seq, ErrDamaged, len(salt))
		}
		short, sum, err := withoutText(record, (*[16]byte)(salt))
		if err != nil {
			return fmt.Errorf("room %d, row %d: %w (%w)", r.Room, r.Seq, ErrDamaged, err)
		}
		if short == nil {
			continue
		}
		if _, err := w.redact.Exec(id, sum, short); err != nil {
			return err
		}
		w.erasures = true
		for _, part := range parts {
			if _, err := w.erasure.Exec(part, id); err != nil {
				return err
			}
		}
		w.cuts = append(w.cuts, shortened{r.Room, r.Seq, int64(len(record) - len(short))})
	}
	return nil
}

// forgetSame takes away the texts of hidden entries that say the same as a row.
func (w *writer) forgetSame(r Redaction, id int64) error {
	done, err := w.logs.forgetSame.Exec(int64(r.Room), int64(r.Seq))
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); n == 0 || err != nil {
		return err
	}
	w.erasures = true
	_, err = w.erasure.Exec(inStore, id)
	return err
}

// markAll marks rows of logs that fork, in the transaction.
func (w *writer) markAll(all []Redaction) error {
	for _, r := range all {
		if r.Room > maxRoom || r.Seq > maxSeq {
			continue
		}
		id := rowID(r.Room, r.Seq)
		var salt, record []byte
		err := w.text.QueryRow(id).Scan(&salt, &record)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		} else if err != nil {
			return err
		}
		marked, err := withMark(record)
		if err != nil {
			return fmt.Errorf("room %d, row %d: %w (%w)", r.Room, r.Seq, ErrDamaged, err)
		}
		if marked == nil {
			continue
		}
		if _, err := w.redact.Exec(id, salt, marked); err != nil {
			return err
		}
		if _, err := w.erasure.Exec(inIndex, id); err != nil {
			return err
		}
		w.cuts = append(w.cuts, shortened{r.Room, r.Seq, int64(len(record) - len(marked))})
	}
	return nil
}

// redactLocked takes texts away.
func (m *Memory) redactLocked(all []Redaction) {
	for _, r := range all {
		room := m.rooms[r.Room]
		if room == nil || r.Seq < room.Low || r.Seq > room.Head {
			continue
		}
		m.forgetSameLocked(r)
		row := room.row(r.Seq)
		short, _, err := withoutText(row.record, &row.salt)
		if err != nil || short == nil {
			continue
		}
		by := int64(len(row.record) - len(short))
		room.rows.change(row, short)
		row.salt = [16]byte{}
		room.bytes -= by
		m.bytes -= by
	}
}
