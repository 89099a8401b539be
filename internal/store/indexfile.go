package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// indexSchema: words (https://sqlite.org/fts5.html) keeps no texts, only where each word stands; its tokenizer takes chat.Words apart at the spaces, for
// all that is not ASCII is part of a word to it. Its rows are numbered in the order in which the messages were written, across rooms, so that the
// newest are found first; doc tells which message each is. done is how far each room has been indexed, and from what seq on.
const indexSchema = `
CREATE TABLE done (room INTEGER PRIMARY KEY, low INTEGER NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE TABLE doc (doc INTEGER PRIMARY KEY AUTOINCREMENT, row INTEGER NOT NULL UNIQUE) STRICT;
CREATE VIRTUAL TABLE words USING fts5(room, name, body, content='', contentless_delete=1, tokenize="ascii");
`

// errOtherVersion says that an index was made by another version.
var errOtherVersion = errors.New("the index is of another version")

// indexed is how much of a room is in the index.
type indexed struct {
	low, seq uint64
	hash     chat.Hash
}

// indexFile is the connection that changes the index, with its statements prepared.
type indexFile struct {
	db   *sql.DB
	conn *sql.Conn
	next int64 // the number of the next row

	begin, commit, rollback *sql.Stmt
	doc, words, done        *sql.Stmt
	upTo, unword, undoc     *sql.Stmt
	prepared                []*sql.Stmt // all of them
}

// openIndexFile opens the index at path, or makes it. It returns errOtherVersion for one that is not of the present version.
func openIndexFile(ctx context.Context, path string) (_ *indexFile, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	db := openDB(path, "mode=rw", "_pragma=journal_mode(wal)", "_pragma=synchronous(normal)", "_pragma=secure_delete(1)", "_pragma=cache_size(-8192)",
		fmt.Sprintf("_pragma=journal_size_limit(%d)", maxLog))
	db.SetMaxOpenConns(1)
	f := &indexFile{db: db}
	defer func() {
		if err != nil {
			_ = f.close()
		}
	}()
	if f.conn, err = db.Conn(ctx); err != nil {
		return nil, err
	}
	version := 0
	if err := f.conn.QueryRowContext(ctx, "SELECT user_version FROM pragma_user_version").Scan(&version); err != nil {
		return nil, err
	}
	if version == 0 {
		err := inTransaction(ctx, f.conn, func() error {
			_, err := f.conn.ExecContext(ctx, indexSchema+fmt.Sprintf("PRAGMA user_version = %d", indexVersion))
			return err
		})
		if err != nil {
			return nil, err
		}
	} else if version != indexVersion {
		return nil, errOtherVersion
	}
	return f, f.prepare(ctx)
}

func (f *indexFile) prepare(ctx context.Context) (err error) {
	for stmt, text := range map[**sql.Stmt]string{
		&f.begin: "BEGIN IMMEDIATE", &f.commit: "COMMIT", &f.rollback: "ROLLBACK",
		&f.doc:   "INSERT INTO doc VALUES (?, ?)",
		&f.words: "INSERT INTO words (rowid, room, name, body) VALUES (?, ?, ?, ?)",
		&f.done: "INSERT INTO done VALUES (?, ?, ?, ?) ON CONFLICT (room) DO UPDATE SET (low, seq, hash) = (excluded.low, excluded.seq, " +
			"excluded.hash)",
		&f.upTo:   "SELECT max(row) FROM (SELECT row FROM doc WHERE row BETWEEN ? AND ? ORDER BY row LIMIT ?)",
		&f.unword: "DELETE FROM words WHERE rowid IN (SELECT doc FROM doc WHERE row BETWEEN ? AND ?)",
		&f.undoc:  "DELETE FROM doc WHERE row BETWEEN ? AND ?",
	} {
		if *stmt, err = f.conn.PrepareContext(ctx, text); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
		f.prepared = append(f.prepared, *stmt)
	}
	return nil
}

func (f *indexFile) close() error { return closeConn(f.db, f.conn, f.prepared) }

// load returns what is indexed of each room.
func (f *indexFile) load(ctx context.Context) (map[uint64]indexed, error) {
	if err := f.conn.QueryRowContext(ctx, "SELECT 1 + coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'doc'").Scan(&f.next); err != nil {
		return nil, err
	}
	done := map[uint64]indexed{}
	err := each(ctx, f.conn, "SELECT room, low, seq, hash FROM done", func(scan scan) error {
		var room uint64
		var d indexed
		var hash []byte
		if err := scan(&room, &d.low, &d.seq, &hash); err != nil {
			return err
		}
		if err := fillWhole(d.hash[:], hash); err != nil {
			return err
		}
		done[room] = d
		return nil
	})
	return done, err
}

// do runs f in a transaction, and commits it if f returns nil.
func (f *indexFile) do(change func() error) error {
	if _, err := f.begin.Exec(); err != nil {
		return err
	}
	err := change()
	if err == nil {
		_, err = f.commit.Exec()
	}
	if err != nil {
		_, _ = f.rollback.Exec() // which SQLite has often done by itself
	}
	return err
}

// addRow indexes one row.
func (f *indexFile) addRow(id int64, e *wire.Event) error {
	if _, err := f.doc.Exec(f.next, id); err != nil {
		return err
	}
	room, _ := rowAt(id)
	_, err := f.words.Exec(f.next, roomToken(room), nameToken(e.Name), strings.Join(words(e), " "))
	f.next++
	return err
}

// setDone says how far a room is indexed.
func (f *indexFile) setDone(room uint64, d indexed) error {
	_, err := f.done.Exec(int64(room), int64(d.low), int64(d.seq), d.hash[:])
	return err
}

// forget takes a room's rows from seq first on out, those from low on excepted, indexAtOnce of them at most, and returns the seq behind them.
func (f *indexFile) forget(room, first, low uint64) (behind uint64, err error) {
	behind = low
	var last sql.NullInt64
	if err := f.upTo.QueryRow(rowID(room, first), rowID(room, low-1), indexAtOnce).Scan(&last); err != nil {
		return first, err
	}
	if last.Valid {
		_, seq := rowAt(last.Int64)
		behind = seq + 1
		for _, stmt := range []*sql.Stmt{f.unword, f.undoc} {
			if _, err := stmt.Exec(rowID(room, first), last.Int64); err != nil {
				return first, err
			}
		}
	}
	_, err = f.conn.ExecContext(context.Background(), "UPDATE done SET low = ? WHERE room = ?", int64(behind), int64(room))
	return behind, err
}

// nameToken is a name as one word, whatever stands in it, and roomToken a room. Each begins with a sign that no word of a text has in it.
func nameToken(name string) string { return "·" + hex.EncodeToString([]byte(chat.Fold(name))) }

func roomToken(room uint64) string { return "¶" + strconv.FormatUint(room, 10) }
