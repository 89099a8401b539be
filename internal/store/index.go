package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	lib "modernc.org/sqlite/lib"

	"chatnode/internal/chat"
)

const (
	indexName = "search.db"
	// indexVersion is that of the index's schema and of chat.Words: an index of another one is made anew.
	indexVersion = 1
	// indexAtOnce is how many rows are indexed in one transaction, indexRound how many are put in order at a time.
	indexAtOnce = 256
	indexRound  = 50_000
	// indexPause lets rows gather before they are indexed, so that a busy node does not do it for each.
	indexPause = 100 * time.Millisecond
	// indexRetry is how long an index that has no room on the disk waits.
	indexRetry = 30 * time.Second
)

// indexSchema: words (https://sqlite.org/fts5.html) keeps no texts, only where each word stands. Its rows are numbered in the order in which the
// messages were written, across rooms, so that the newest are found first; doc tells which message each is. done is how far each room has
// been indexed, and from what seq on.
const indexSchema = `
CREATE TABLE done (room INTEGER PRIMARY KEY, low INTEGER NOT NULL, seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE TABLE doc (doc INTEGER PRIMARY KEY AUTOINCREMENT, row INTEGER NOT NULL UNIQUE) STRICT;
CREATE VIRTUAL TABLE words USING fts5(room, name, body, content='', contentless_delete=1, tokenize="unicode61 remove_diacritics 0");
PRAGMA user_version = 1;
`

// index finds rows by their words. It lives in a file of its own, beside the store's, and trails it by a moment: so no commit waits for it. All
// that it holds can be made again, and is when it does not fit the store.
type index struct {
	// Static after construction.
	store *SQLite
	path  string
	work  chan struct{} // capacity 1: rows have come
	bad   chan error    // capacity 1: why the index can't be read

	// Owned by run.
	conn *sql.DB // one connection

	// mu promises that what follows says what the index holds.
	mu   sync.RWMutex
	db   *sql.DB // read-only; nil while the index is being opened
	done map[uint64]indexed
}

// indexed is how much of a room is in the index.
type indexed struct {
	low, seq uint64
	hash     chat.Hash
}

func newIndex(s *SQLite) *index {
	return &index{store: s, path: filepath.Join(s.dir, indexName), work: make(chan struct{}, 1), bad: make(chan error, 1), done: map[uint64]indexed{}}
}

// nudge has the index look for rows soon.
func (x *index) nudge() {
	select {
	case x.work <- struct{}{}:
	default:
	}
}

// run keeps the index up until ctx ends. An index that fails is made again, once; the store does not survive the second time.
func (x *index) run(ctx context.Context) {
	defer x.close()
	err := x.keepUp(ctx)
	if err == nil || ctx.Err() != nil {
		return
	}
	x.store.opt.Log.Warn("the search index is made again", "err", err)
	if err = x.remove(); err == nil {
		err = x.keepUp(ctx)
	}
	if err != nil && ctx.Err() == nil {
		x.store.opt.Log.Error("the store can't go on", "err", x.store.fail(fmt.Errorf("keep the search index %s: %w", x.path, err)))
	}
}

// keepUp indexes what is there and what comes.
func (x *index) keepUp(ctx context.Context) error {
	if err := x.open(ctx); err != nil {
		return err
	}
	for {
		behind, err := x.round(ctx)
		wait := indexPause
		switch {
		case resultCode(err) == lib.SQLITE_FULL:
			behind, wait = true, indexRetry
		case err != nil:
			return err
		}
		if !behind {
			select {
			case <-x.work:
			case err := <-x.bad:
				return err
			case <-ctx.Done():
				return nil
			}
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

// open opens the index, or a new one where the old does not fit the store.
func (x *index) open(ctx context.Context) error {
	fits, err := x.openFile(ctx)
	if err == nil && fits {
		return nil
	}
	if err != nil {
		x.store.opt.Log.Warn("the search index is made again", "err", err)
	}
	if err := x.remove(); err != nil {
		return err
	}
	if fits, err = x.openFile(ctx); err == nil && !fits {
		err = errors.New("a new index does not fit")
	}
	return err
}

// openFile opens the file and reports whether what it has indexed are rows of this store.
func (x *index) openFile(ctx context.Context) (fits bool, err error) {
	file, err := os.OpenFile(x.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false, err
	}
	if err := file.Close(); err != nil {
		return false, err
	}
	x.conn = openDB(x.path, "mode=rw", "_pragma=journal_mode(wal)", "_pragma=synchronous(normal)", "_pragma=secure_delete(1)", "_txlock=immediate")
	x.conn.SetMaxOpenConns(1)
	version := 0
	if err := x.conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return false, err
	}
	if version == 0 {
		if _, err := x.conn.ExecContext(ctx, "BEGIN;"+indexSchema+"COMMIT"); err != nil {
			return false, err
		}
	} else if version != indexVersion {
		return false, nil
	}
	done, err := x.load(ctx)
	if err != nil {
		return false, err
	}
	for room, d := range done {
		hash, err := x.store.HashAt(room, d.seq)
		if err == nil && hash != d.hash || errors.Is(err, ErrNoRow) {
			return false, nil // another store's, or one of a later time
		}
	}
	db := openDB(x.path, "mode=ro", "_pragma=query_only(1)")
	db.SetMaxOpenConns(readers)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.db, x.done = db, done
	return true, nil
}

func (x *index) load(ctx context.Context) (map[uint64]indexed, error) {
	done := map[uint64]indexed{}
	err := each(ctx, x.conn, "SELECT room, low, seq, hash FROM done", func(scan scan) error {
		var room uint64
		var d indexed
		var hash []byte
		if err := scan(&room, &d.low, &d.seq, &hash); err != nil {
			return err
		}
		if err := fill(d.hash[:], hash); err != nil {
			return err
		}
		done[room] = d
		return nil
	})
	return done, err
}

// remove deletes the index.
func (x *index) remove() error {
	x.close()
	x.mu.Lock()
	x.done = map[uint64]indexed{}
	x.mu.Unlock()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(x.path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// close closes the index's file. What was in it can be read again.
func (x *index) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.db != nil {
		_ = x.db.Close() // it only reads
		x.db = nil
	}
	if x.conn != nil {
		_ = x.conn.Close() // what is lost in it is indexed again
		x.conn = nil
	}
}

// stale is a row that is to be indexed.
type stale struct{ id, time int64 }

// round indexes the oldest of the rows that wait, and forgets those that the store has let go of. It reports whether more wait.
func (x *index) round(ctx context.Context) (behind bool, err error) {
	var lagging []ends
	for _, e := range x.store.all() {
		d := x.at(e.Num)
		if d.low < e.Low && d.seq > 0 {
			if err := x.forget(ctx, &e, d); err != nil {
				return false, err
			}
		}
		if max(d.seq, e.Low-1) < e.Head {
			lagging = append(lagging, e)
		}
	}
	rows, behind, err := x.oldest(ctx, lagging)
	if err != nil {
		return false, err
	}
	for len(rows) > 0 && err == nil {
		n := min(len(rows), indexAtOnce)
		err = x.add(ctx, rows[:n])
		rows = rows[n:]
	}
	return behind, err
}

// at returns how much of a room is indexed.
func (x *index) at(room uint64) indexed {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.done[room]
}

// oldest returns rows that are to be indexed in the order in which they were written, whatever their rooms, and whether there are more. Of each
// room it looks at a share of indexRound, so it can't go further than the last row that it has seen of every room that has more.
func (x *index) oldest(ctx context.Context, rooms []ends) (rows []stale, more bool, err error) {
	share := max(16, indexRound/max(1, len(rooms)))
	var edge *stale
	for i := range rooms {
		e := &rooms[i]
		from, seen := max(x.at(e.Num).seq+1, e.Low), 0
		err := each(ctx, x.store.db, "SELECT id, time FROM message WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?", func(scan scan) error {
			var r stale
			seen++
			err := scan(&r.id, &r.time)
			rows = append(rows, r)
			return err
		}, rowID(e.Num, from), rowID(e.Num, e.Head), share)
		if err != nil {
			return nil, false, err
		}
		if last := len(rows) - 1; seen == share && (edge == nil || rows[last].compare(*edge) < 0) {
			edge = &stale{rows[last].id, rows[last].time}
		}
	}
	slices.SortFunc(rows, stale.compare)
	if edge == nil {
		return rows, false, nil
	}
	n, _ := slices.BinarySearchFunc(rows, *edge, stale.compare)
	return rows[:n+1], true, nil
}

func (r stale) compare(other stale) int {
	return cmp.Or(cmp.Compare(r.time, other.time), cmp.Compare(r.id, other.id))
}

// add indexes rows, all of them or none.
func (x *index) add(ctx context.Context, rows []stale) error {
	tx, err := x.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	done := map[uint64]indexed{}
	for _, r := range rows {
		room, seq := rowAt(r.id)
		d, met := done[room]
		if !met {
			if d = x.at(room); d.seq == 0 {
				d.low = seq
			}
		}
		d.seq = seq
		if err := x.addRow(ctx, tx, r.id, d.hash[:]); err != nil && !errors.Is(err, sql.ErrNoRows) { // let go of meanwhile
			return err
		}
		done[room] = d
	}
	for room, d := range done {
		_, err := tx.ExecContext(ctx, "INSERT INTO done VALUES (?1, ?2, ?3, ?4) ON CONFLICT (room) DO UPDATE SET (seq, hash) = (?3, ?4)", room, d.low, d.seq, d.hash[:])
		if err != nil {
			return err
		}
	}
	x.store.opt.Moment(InIndex)
	if err := tx.Commit(); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for room, d := range done {
		x.done[room] = d
	}
	return nil
}

// addRow indexes one row and puts the rolling hash after it into hash.
func (x *index) addRow(ctx context.Context, tx *sql.Tx, id int64, hash []byte) error {
	var record, after []byte
	if err := x.store.db.QueryRowContext(ctx, "SELECT record, hash FROM message WHERE id = ?", id).Scan(&record, &after); err != nil {
		return err
	}
	if err := fill(hash, after); err != nil {
		return err
	}
	e, err := event(record)
	if err != nil { // no words to find it by; what damaged it is not the index's to judge
		return nil
	}
	result, err := tx.ExecContext(ctx, "INSERT INTO doc (row) VALUES (?)", id)
	if err != nil {
		return err
	}
	doc, err := result.LastInsertId()
	if err != nil {
		return err
	}
	room, _ := rowAt(id)
	_, err = tx.ExecContext(ctx, "INSERT INTO words (rowid, room, name, body) VALUES (?, ?, ?, ?)", doc, strconv.FormatUint(room, 10), nameToken(e.Name),
		strings.Join(chat.Words(string(e.Body)), " "))
	return err
}

// nameToken is a name as one word, whatever stands in it.
func nameToken(name string) string { return "x" + hex.EncodeToString([]byte(chat.Fold(name))) }

// forget takes rows that the store has let go of out of the index.
func (x *index) forget(ctx context.Context, e *ends, d indexed) error {
	tx, err := x.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	first, last := rowID(e.Num, d.low), rowID(e.Num, e.Low-1)
	if _, err := tx.ExecContext(ctx, "DELETE FROM words WHERE rowid IN (SELECT doc FROM doc WHERE row BETWEEN ? AND ?)", first, last); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM doc WHERE row BETWEEN ? AND ?", first, last); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE done SET low = ? WHERE room = ?", int64(e.Low), int64(e.Num)); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	d.low = e.Low
	x.done[e.Num] = d
	return nil
}
