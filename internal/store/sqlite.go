package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"chatnode/internal/chat"
	"chatnode/internal/disk"
)

// Files of a store's folder.
const (
	fileName = "chatnode.db"
	lockName = "lock"
)

const (
	// readers is how many connections answer questions of sessions at one time.
	readers = 4
	// busyTimeout is how long SQLite waits, in milliseconds, for another process that holds a lock, such as a backup.
	busyTimeout = 5000
	// chunk is how many rows one statement inserts.
	chunk = 16
)

// Bounds of what a row's id can name: see rowID.
const (
	seqBits = 36
	maxSeq  = 1<<seqBits - 1
	maxRoom = 1<<(63-seqBits) - 1
	// maxLamport is the highest that an entry can have.
	maxLamport = 1<<63 - 1
)

var (
	// ErrInUse says that another process has the store open.
	ErrInUse = errors.New("is in use by another chatnode")
	// ErrDamaged says that what the store holds can't be true.
	ErrDamaged = errors.New("the store is damaged: chatnode check says where")
)

// Options are what a SQLite store can be opened with. The zero Options keep everything.
type Options struct {
	// Keep is how much is kept of each room that has no Keep of its own, and Total of all of them together, in bytes of records; 0: no bound.
	Keep  Keep
	Total int64
	// Now is the clock by which rows age. Nil: time.Now.
	Now func() time.Time
	// Log receives a line for what the store does by itself. Nil: nothing is logged.
	Log *slog.Logger
	// Moment is called at moments that a test may want to die in: see the constants. Nil outside tests.
	Moment func(string)
}

// Moments of Options.Moment.
const (
	InCheckpoint = "in checkpoint" // the log is being copied into the database
	InIndex      = "in index"      // rows are being indexed and not committed
	Indexed      = "indexed"       // the index is what it was found to be, or has all rows that it has been told of
	InRetention  = "in retention"  // rows are being deleted and not committed
	Erased       = "erased"        // of what was taken away, a part of the store has nothing left
)

// SQLite is a store in a folder of its own. One goroutine appends, any may read; a goroutine of the store's own copies its write-ahead log into the
// database and lets old rows go, another keeps the search index, a third one erases what redactions leave. An error of Append, or of the first or the
// third of those, is final: every later Append returns it.
type SQLite struct {
	// Static after construction.
	dir    string
	opt    Options
	opened Opened
	lock   *disk.Lock
	db     *sql.DB // read-only, for questions
	pair   *sql.Stmt
	keeper *sql.DB // for checkpoints
	index  *index
	eras   []uint64
	cancel context.CancelFunc // ends the store's own goroutines
	own    sync.WaitGroup
	work   chan struct{} // capacity 1: the log has grown
	erase  chan struct{} // capacity 1: texts were taken away
	rows   atomic.Uint64 // committed since it was opened

	// closing is done once; closeErr is what came of it.
	closing  sync.Once
	closeErr error

	// asking is held for reading while a question is answered: Close waits for the answer. It is taken before the others.
	asking sync.RWMutex

	// retaining promises that one round of letting rows go is under way at a time. It is taken before the others.
	retaining sync.Mutex

	// writing promises that one batch at a time is on its way to the disk, and guards what follows.
	writing sync.Mutex
	writer  *writer
	logged  int64 // about how many bytes the write-ahead log has grown by since the last checkpoint
	grown   int64 // bytes of records since rows were last let go

	// mu promises that what follows is as the last commit left it.
	mu     sync.RWMutex
	rooms  map[uint64]*ends
	logs   map[uint64]*Log     // what they point to does not change
	moved  map[uint64]struct{} // rooms whose ends are others than when the index last looked
	failed error
	closed bool
}

// ends are the two ends of a room's log, and what decides where the first of them is.
type ends struct {
	RoomState
	base   chat.Hash // the rolling hash before Low
	size   int64     // bytes of its records; until measured, of those above opened
	opened uint64    // Head when the store was opened
}

// Opened tells how a store was found.
type Opened struct {
	File     string
	New      bool   // it was made
	Restored bool   // it is a backup that was put in place: it has a new epoch
	From     int    // the version of the schema that it was brought up from; 0: it was of the present one, or is new
	Copy     string // where a copy as it was before that stands
}

// On Linux SQLite's locks are to hang on open files: else whatever in this process opens and closes a store's file, to look at it or to copy it, would
// take them all away. Elsewhere, and where a file system knows no such locks, it stays with its own.
func init() { _, _ = sqlite.OFDLocking(true) }

// Open opens the store in dir, which is made when it is not there. Its error is a sentence: it wraps ErrInUse, ErrForeign, ErrNewer,
// fs.ErrPermission or what else stands in the way, and then what the store holds has not been changed.
func Open(dir string, opt Options) (*SQLite, error) {
	return open(dir, opt, steps)
}

func open(dir string, opt Options, steps []step) (_ *SQLite, err error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Moment == nil {
		opt.Moment = func(string) {}
	}
	if dir, err = filepath.Abs(dir); err != nil { // so that no path looks like a URI, nor changes its meaning
		return nil, fmt.Errorf("find the store's folder: %w", err)
	}
	s := &SQLite{dir: dir, opt: opt, rooms: map[uint64]*ends{}, logs: map[uint64]*Log{}, moved: map[uint64]struct{}{}, work: make(chan struct{}, 1), erase: make(chan struct{}, 1)}
	s.opened.File = filepath.Join(dir, fileName)
	defer func() {
		if err != nil {
			_ = s.release() // nothing has been written that could be lost
		}
	}()
	if err := inspect(s.opened.File, len(steps)); err != nil { // before there is a lock beside what is not ours
		return nil, err
	}
	if err := disk.MakeDir(dir); err != nil {
		return nil, fmt.Errorf("make the store's folder: %w", err)
	}
	if s.lock, err = disk.TryLock(filepath.Join(dir, lockName)); errors.Is(err, disk.ErrLocked) {
		return nil, fmt.Errorf("the store in %s %w: stop that one, or choose another folder", dir, ErrInUse)
	} else if err != nil {
		return nil, fmt.Errorf("lock the store: %w", err)
	}
	if err := s.begin(steps); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("load %s: %w", s.opened.File, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.index = newIndex(s)
	s.own.Go(func() { s.tend(ctx) })
	s.own.Go(func() { s.index.run(ctx) })
	s.own.Go(func() { s.keepErasing(ctx) })
	return s, nil
}

// begin opens the file, brings it up to the present schema and prepares what writes and reads it.
func (s *SQLite) begin(steps []step) (err error) {
	path := s.opened.File
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	ctx := context.Background()
	if s.writer, err = openWriter(ctx, path); resultCode(err) == lib.SQLITE_NOTADB {
		return foreign(path)
	} else if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	version, copied, err := bringUp(ctx, s.writer.conn, path, steps)
	if errors.Is(err, ErrForeign) || errors.Is(err, ErrNewer) {
		return err
	} else if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	s.opened.New = version == 0
	if version > 0 && version < len(steps) {
		s.opened.From, s.opened.Copy = version, copied
	}
	if s.opened.Restored, err = s.writer.welcomeCopy(ctx); err == nil {
		err = s.writer.prepare(ctx)
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	if err := disk.SyncDir(s.dir); err != nil { // or the file's name would be lost with the power
		return fmt.Errorf("open %s: %w", path, err)
	}
	s.db = openDB(path, "mode=ro", "_pragma=query_only(1)")
	s.db.SetMaxOpenConns(readers)
	s.db.SetMaxIdleConns(readers)
	s.keeper = openDB(path, "mode=rw", "_pragma=synchronous(full)", fmt.Sprintf("_pragma=busy_timeout(%d)", checkpointPatience.Milliseconds()))
	s.keeper.SetMaxOpenConns(1)
	return nil
}

// openDB returns a pool of connections to the database at path, none of which is made yet. The driver runs the pragmas among the options in an order of
// its own, so there must not be two of one kind: busyTimeout holds where they name no other.
func openDB(path string, options ...string) *sql.DB {
	if !strings.Contains(strings.Join(options, "&"), "busy_timeout") {
		options = append(options, fmt.Sprintf("_pragma=busy_timeout(%d)", busyTimeout))
	}
	db, err := sql.Open("sqlite", fileURI(path)+"?"+strings.Join(options, "&"))
	if err != nil {
		panic("store: " + err.Error()) // only for a driver that is not there
	}
	return db
}

// fileURI is a path as SQLite takes it (https://sqlite.org/uri.html).
func fileURI(path string) string {
	slashed := filepath.ToSlash(path)
	switch {
	case strings.HasPrefix(slashed, "//"):
		slashed = "//" + slashed // a folder of another machine: //host/share/…
	case !strings.HasPrefix(slashed, "/") && filepath.IsAbs(path):
		slashed = "/" + slashed // C:/…
	}
	return "file:" + (&url.URL{Path: slashed}).EscapedPath()
}

// load fills the tables in memory that questions are answered from.
func (s *SQLite) load() (err error) {
	ctx := context.Background()
	if s.eras, err = loadEras(ctx, s.writer.conn); err != nil {
		return err
	}
	if s.pair, err = s.db.PrepareContext(ctx, "SELECT room, row FROM pair WHERE origin = ? AND cseq = ?"); err != nil {
		return err
	}
	if err := loadLogs(ctx, s.writer.conn, func(l Log) { s.logs[l.Num] = &l }); err != nil {
		return err
	}
	return loadRooms(ctx, s.writer.conn, func(e *ends) {
		e.opened = e.Head
		s.rooms[e.Num], s.moved[e.Num] = e, struct{}{}
	})
}

// Opened tells how the store was found.
func (s *SQLite) Opened() Opened { return s.opened }

// Free returns how many bytes can still be written where the store is. Its error is final, as that of Append.
func (s *SQLite) Free() (int64, error) {
	if err := s.failure(); err != nil {
		return 0, err
	}
	return disk.Free(s.dir)
}

// failure returns why nothing can be written any more, nil while it can.
func (s *SQLite) failure() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	return s.failed
}

func (s *SQLite) isClosed() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.closed
}

// fail notes the first error after which nothing is written any more, and returns it.
func (s *SQLite) fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = err
	}
	return s.failed
}

// Close ends the store: it lets questions and batches that have begun come to their end, and every later call returns ErrClosed. It is safe to
// call twice, and at the same time.
func (s *SQLite) Close() error {
	s.closing.Do(func() {
		s.cancel() // first, or they would take it for a failure
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.own.Wait()
		s.asking.Lock()
		defer s.asking.Unlock()
		s.retaining.Lock()
		defer s.retaining.Unlock()
		s.writing.Lock()
		defer s.writing.Unlock()
		s.closeErr = s.release()
	})
	return s.closeErr
}

// release closes what open has opened, in reverse. SQLite copies the whole log into the database as its last connection ends.
func (s *SQLite) release() error {
	var errs []error
	for _, db := range []*sql.DB{s.db, s.keeper} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Unlock())
	}
	return errors.Join(errs...)
}

// Siblings returns the folders beside dir that hold stores, such as those of other ports.
func Siblings(dir string) (found []string) {
	others, err := filepath.Glob(filepath.Join(globQuote(filepath.Dir(dir)), "*", fileName))
	if err != nil {
		return nil // can't be: the pattern is quoted
	}
	for _, other := range others {
		if filepath.Dir(other) != filepath.Clean(dir) {
			found = append(found, filepath.Dir(other))
		}
	}
	slices.Sort(found)
	return found
}

// globQuote has filepath.Glob take a path as it is.
func globQuote(path string) string {
	if filepath.Separator == '\\' {
		return path // there is no quoting; what such a path does not match is not mentioned
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// rowID is the number under which a row is kept: room by room, each in the order of its log.
func rowID(room, seq uint64) int64 { return int64(room<<seqBits | seq) }

// rowAt is what a rowID stands for.
func rowAt(id int64) (room, seq uint64) { return uint64(id) >> seqBits, uint64(id) & maxSeq }

// lastRow is the highest rowID that a room can have.
func lastRow(room uint64) int64 { return rowID(room, maxSeq) }
