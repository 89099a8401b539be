package store

import (
	"container/heap"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
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
	indexAtOnce = 2048
	// indexRead is how many rows' records are held in memory for that at a time.
	indexRead  = 256
	indexRound = 50_000
	// indexPause lets rows gather before they are indexed, so that a busy node does not do it for each.
	indexPause = 100 * time.Millisecond
	// indexBusy is how many rows are committed in a second where the index gives way to those who commit them: after each piece of work it
	// rests indexRest times as long. The rows that it lets pass by wait until that is over.
	indexBusy = 2000
	indexRest = 7
	// indexRetry is how long an index that has no room on the disk waits, and one that could not be made.
	indexRetry = 30 * time.Second
)

// index finds rows by their words. It lives in a file of its own, beside the store's, and trails it by a moment: so no commit waits for it. All
// that it holds can be made again, and is when it does not fit the store or can't be read: the store goes on without it meanwhile.
type index struct {
	// Static after construction.
	store    *SQLite
	path     string
	patience time.Duration // how long one search may take
	work     chan struct{} // capacity 1: rows have come or gone
	bad      chan error    // capacity 1: why the index can't be read

	// Owned by run.
	file *indexFile
	late map[uint64]struct{} // rooms that may have more than is indexed, or less

	// Owned by run: what SQLite.rows was, and when.
	seen  uint64
	since time.Time

	// reading is held for reading while a search goes on: its file stays open.
	reading sync.RWMutex

	// mu promises that what follows says what the index holds. It may be taken while the store's own mu is held.
	mu   sync.RWMutex
	db   *sql.DB // read-only; nil while the index is being opened
	done map[uint64]indexed
}

func newIndex(s *SQLite) *index {
	return &index{store: s, path: filepath.Join(s.dir, indexName), work: make(chan struct{}, 1), bad: make(chan error, 1), late: map[uint64]struct{}{},
		done: map[uint64]indexed{}, patience: searchTime}
}

// nudge has the index look for rows soon.
func (x *index) nudge() {
	select {
	case x.work <- struct{}{}:
	default:
	}
}

// suspect has the index made again, for it can't be read.
func (x *index) suspect(err error) {
	select {
	case x.bad <- err:
	default:
	}
}

// run keeps the index up until ctx ends. One that fails is made again: at once if it had been of use, else after a while.
func (x *index) run(ctx context.Context) {
	defer x.close()
	for {
		caughtUp, err := x.keepUp(ctx)
		if ctx.Err() != nil {
			return
		}
		x.store.opt.Log.Warn("the search index is made again", "file", x.path, "err", err)
		if err := x.remove(); err != nil {
			x.store.opt.Log.Error("the search index can't be removed", "file", x.path, "err", err)
			caughtUp = false
		}
		if !caughtUp && pause(ctx, indexRetry, nil) != nil {
			return
		}
	}
}

// pause waits for a time, or returns the error that ends the wait before.
func pause(ctx context.Context, d time.Duration, bad <-chan error) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case err := <-bad:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// keepUp indexes what is there and what comes, until ctx ends or the index fails. It reports whether it has ever had all rows.
func (x *index) keepUp(ctx context.Context) (caughtUp bool, err error) {
	if err := x.open(ctx); err != nil {
		return false, err
	}
	for {
		x.store.opt.Moment(Indexed)
		behind, err := x.round(ctx)
		wait := indexPause
		switch code := resultCode(err); {
		case code == lib.SQLITE_FULL || code == lib.SQLITE_BUSY:
			behind, wait = true, indexRetry
		case err != nil:
			return caughtUp, err
		}
		if !behind {
			caughtUp = true
			x.store.opt.Moment(Indexed)
			select {
			case <-x.work:
			case err := <-x.bad:
				return caughtUp, err
			case <-ctx.Done():
				return caughtUp, nil
			}
		}
		if err := pause(ctx, wait, x.bad); err != nil {
			return caughtUp, err
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
		x.store.opt.Log.Warn("the search index is made again", "file", x.path, "err", err)
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
	select {
	case <-x.bad: // of the file before
	default:
	}
	if x.file, err = openIndexFile(ctx, x.path); errors.Is(err, errOtherVersion) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	done, err := x.file.load(ctx)
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
	db.SetMaxIdleConns(readers)
	x.store.each(func(e *ends) { x.late[e.Num] = struct{}{} })
	x.mu.Lock()
	defer x.mu.Unlock()
	x.db, x.done = db, done
	return true, nil
}

// remove deletes the index.
func (x *index) remove() error {
	x.close()
	x.mu.Lock()
	x.done = map[uint64]indexed{}
	x.mu.Unlock()
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(x.path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// close closes the index's file, when nobody searches it. What was in it can be read again.
func (x *index) close() {
	x.mu.Lock()
	db := x.db
	x.db = nil
	x.mu.Unlock()
	x.reading.Lock()
	defer x.reading.Unlock()
	if db != nil {
		_ = db.Close() // it only reads
	}
	if x.file != nil {
		_ = x.file.close() // what is lost in it is indexed again
		x.file = nil
	}
}

// round indexes the rows that have come, and forgets those that the store has let go of. It reports whether more wait.
func (x *index) round(ctx context.Context) (behind bool, err error) {
	if err := x.erase(ctx); err != nil {
		return false, err
	}
	x.store.takeMoved(x.late)
	var all lanes
	for room := range x.late {
		e, _, err := x.store.ends(room)
		if err != nil {
			return false, err
		}
		d := x.at(room)
		if d.seq > 0 && d.low < e.Low {
			if d, err = x.forget(ctx, room, d, e.Low); err != nil {
				return false, err
			}
		}
		if from := max(d.seq+1, e.Low); from <= e.Head {
			all = append(all, &lane{room: room, next: from, head: e.Head})
		} else {
			delete(x.late, room)
		}
	}
	rows, behind, err := x.oldest(ctx, all)
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

// note takes up how much is indexed now.
func (x *index) note(done map[uint64]indexed) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for room, d := range done {
		x.done[room] = d
	}
}

// stale is a row that is to be indexed.
type stale struct{ id, time int64 }

// lane is what of a room is to be indexed.
type lane struct {
	room, next, head uint64 // next: the first row that is not among rows yet
	rows             []stale
}

// lanes is a heap (container/heap) of those whose next row is the oldest first.
type lanes []*lane

func (l lanes) Len() int { return len(l) }
func (l lanes) Less(i, j int) bool {
	a, b := l[i].rows[0], l[j].rows[0]
	return a.time < b.time || a.time == b.time && a.id < b.id
}
func (l lanes) Swap(i, j int) { l[i], l[j] = l[j], l[i] }
func (l *lanes) Push(x any)   { *l = append(*l, x.(*lane)) }
func (l *lanes) Pop() (x any) {
	last := len(*l) - 1
	x, *l = (*l)[last], (*l)[:last]
	return x
}

// oldest returns rows that are to be indexed in the order in which they were written, whatever their rooms, indexRound of them at most, and
// whether there are more.
func (x *index) oldest(ctx context.Context, all lanes) (rows []stale, more bool, err error) {
	share := min(1024, max(16, indexRound/max(1, len(all)))) // of each room, at a time: so they fit into memory, however many they are
	filled := all[:0]
	for _, l := range all {
		if err := x.fill(ctx, l, share); err != nil {
			return nil, false, err
		}
		if len(l.rows) > 0 {
			filled = append(filled, l)
		}
	}
	heap.Init(&filled)
	for len(filled) > 0 && len(rows) < indexRound {
		l := filled[0]
		rows = append(rows, l.rows[0])
		if l.rows = l.rows[1:]; len(l.rows) == 0 {
			if err := x.fill(ctx, l, share); err != nil {
				return nil, false, err
			}
		}
		if len(l.rows) > 0 {
			heap.Fix(&filled, 0)
		} else {
			heap.Pop(&filled)
		}
	}
	return rows, len(filled) > 0, nil
}

// fill looks up a lane's next rows, count of them at most.
func (x *index) fill(ctx context.Context, l *lane, count int) error {
	l.rows = l.rows[:0]
	if l.next > l.head {
		return nil
	}
	err := each(ctx, x.store.db, "SELECT id, time FROM message WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?", func(scan scan) error {
		var r stale
		err := scan(&r.id, &r.time)
		l.rows = append(l.rows, r)
		return err
	}, rowID(l.room, l.next), rowID(l.room, l.head), count)
	if n := len(l.rows); n > 0 {
		_, last := rowAt(l.rows[n-1].id)
		l.next = last + 1
	}
	return err
}

// add indexes rows, all of them or none.
func (x *index) add(ctx context.Context, rows []stale) error {
	done := map[uint64]indexed{}
	next := x.file.next
	err := x.file.do(func() error {
		for chunk := range slices.Chunk(rows, indexRead) {
			began := time.Now()
			if err := x.addChunk(ctx, chunk, done); err != nil {
				return err
			}
			if err := x.giveWay(ctx, time.Since(began)); err != nil {
				return err
			}
		}
		for room, d := range done {
			if err := x.file.setDone(room, d); err != nil {
				return err
			}
		}
		x.store.opt.Moment(InIndex)
		return nil
	})
	if err != nil {
		x.file.next = next
		return err
	}
	x.note(done)
	return nil
}

// giveWay rests after work that took so long, if rows are being committed faster than indexBusy.
func (x *index) giveWay(ctx context.Context, took time.Duration) error {
	rows, now := x.store.rows.Load(), time.Now()
	rate := float64(rows-x.seen) / now.Sub(x.since).Seconds()
	x.seen, x.since = rows, now
	if rate < indexBusy {
		return nil
	}
	return pause(ctx, indexRest*took, nil)
}

// text is what is indexed of a row.
type text struct {
	record []byte
	hash   chat.Hash
}

// addChunk indexes a few rows, and notes in done how far it came. Of those that were let go of meanwhile there is nothing to index.
func (x *index) addChunk(ctx context.Context, rows []stale, done map[uint64]indexed) error {
	texts, err := x.read(ctx, rows)
	if err != nil {
		return err
	}
	for _, r := range rows {
		text, kept := texts[r.id]
		if !kept {
			continue
		}
		room, seq := rowAt(r.id)
		d, met := done[room]
		if !met {
			if d = x.at(room); d.seq == 0 {
				d.low = seq
			}
		}
		d.seq, d.hash = seq, text.hash
		done[room] = d
		e, err := event(text.record)
		if err != nil || e.Opts.Forked { // no words to find it by; what damaged it is not the index's to judge
			continue
		}
		if err := x.file.addRow(r.id, e); err != nil {
			return err
		}
	}
	return nil
}

// read returns the texts of rows by their ids, with one question for each room: what is to be indexed of a room stands together.
func (x *index) read(ctx context.Context, rows []stale) (map[int64]text, error) {
	type span struct{ first, last int64 }
	spans := map[uint64]span{}
	for _, r := range rows {
		room, _ := rowAt(r.id)
		s, met := spans[room]
		if !met {
			s.first = r.id
		}
		s.last = r.id
		spans[room] = s
	}
	texts := make(map[int64]text, len(rows))
	for _, s := range spans {
		err := each(ctx, x.store.db, "SELECT id, record, hash FROM message WHERE id BETWEEN ? AND ?", func(scan scan) error {
			var id int64
			var t text
			var hash []byte
			if err := scan(&id, &t.record, &hash); err != nil {
				return err
			}
			err := fillWhole(t.hash[:], hash)
			texts[id] = t
			return err
		}, s.first, s.last)
		if err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// forget takes rows of a room below low, which the store has let go of, out of the index, and returns what is indexed then.
func (x *index) forget(ctx context.Context, room uint64, d indexed, low uint64) (indexed, error) {
	for d.low < low {
		if ctx.Err() != nil {
			return d, ctx.Err()
		}
		err := x.file.do(func() (err error) {
			d.low, err = x.file.forget(room, d.low, low)
			return err
		})
		if err != nil {
			return d, err
		}
		x.note(map[uint64]indexed{room: d})
	}
	return d, nil
}
