package trial

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"chatnode/internal/chat"
	"chatnode/internal/oracle"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// readLog returns what the store in dir, which no node has open, holds, as the oracle knows it. It returns an error for one that SQLite
// finds damaged, or whose rows do not add up to its rolling hashes.
func readLog(dir string) (log oracle.Log, err error) {
	s, err := store.Open(dir, store.Options{})
	if err != nil {
		return log, err
	}
	defer func() {
		err = errors.Join(err, s.Close())
		if err == nil {
			err = intact(dir)
		}
	}()
	state, err := s.Load()
	if err != nil {
		return log, err
	}
	log = oracle.Log{Epoch: state.Epoch, Rooms: map[string][]oracle.Row{}, Low: map[string]uint64{}}
	for i := range state.Rooms {
		r := &state.Rooms[i]
		log.Low[r.Name] = r.Low
		if log.Rooms[r.Name], err = readRoom(s, r); err != nil {
			return log, fmt.Errorf("room %s: %w", r.Name, err)
		}
	}
	return log, nil
}

// readRoom reads the rows of one room.
func readRoom(s *store.SQLite, r *store.RoomState) (rows []oracle.Row, err error) {
	hash, err := s.HashAt(r.Num, r.Low-1)
	if err != nil {
		return nil, err
	}
	for next := r.Low; next <= r.Head; {
		var records []byte
		if records, next, err = s.Page(r.Num, next, r.Head, 1<<20); err != nil {
			return nil, err
		}
		for len(records) > 0 {
			length := wire.HeaderLen + int(binary.BigEndian.Uint32(records))
			record, err := wire.Decode(records[wire.HeaderLen:length])
			if err != nil {
				return nil, err
			}
			event, ok := record.(*wire.Event)
			if !ok {
				return nil, fmt.Errorf("a %T is kept", record)
			}
			rows = append(rows, rowOf(event.Seq, string(event.Body), event.ID, event.From, event.CSeq))
			hash = hash.Next(event.ID)
			records = records[length:]
		}
	}
	if hash != r.Hash {
		return nil, fmt.Errorf("its rows add up to the hash %x, and it has %x", hash, r.Hash)
	}
	return rows, nil
}

// rowOf is a row as the oracle is told of it. Long texts stand there by their beginning and their hash.
func rowOf(seq uint64, text string, id chat.ID, from, cseq uint64) oracle.Row {
	return oracle.Row{Seq: seq, Text: brief(text), ID: id, Author: fmt.Sprint(from), CSeq: cseq}
}

// intact asks SQLite whether a database is.
func intact(dir string) error {
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(dir, "chatnode.db"))+"?mode=ro")
	if err != nil {
		return err
	}
	defer db.Close()
	var said string
	if err := db.QueryRowContext(context.Background(), "PRAGMA integrity_check").Scan(&said); err != nil {
		return fmt.Errorf("integrity_check: %w", err)
	}
	if !strings.EqualFold(said, "ok") {
		return fmt.Errorf("integrity_check: %s", said)
	}
	return nil
}
