package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
)

var (
	// ErrNoStore says that there is no store where one was looked for.
	ErrNoStore = errors.New("there is no chatnode store")
	// ErrOlder says that a store was written by an earlier version of chatnode.
	ErrOlder = errors.New("was written by an older chatnode, and becomes one of this version when a node is started with it")
)

// Fault says what in a store can't be true. It wraps ErrDamaged.
type Fault struct{ What string }

func (f *Fault) Error() string { return f.What }
func (f *Fault) Unwrap() error { return ErrDamaged }

func faultf(format string, args ...any) error { return &Fault{fmt.Sprintf(format, args...)} }

// Archive shows a store as one moment left it. It takes no lock and writes nothing to the store, so that a node may go on with it meanwhile; the
// node's write-ahead log grows for as long as an Archive is open, as what it shows must not be copied over. It is for one goroutine.
type Archive struct {
	// Static after construction.
	file string
	db   *sql.DB
	conn *sql.Conn // in a transaction, which keeps the moment
}

// OpenArchive opens the store in a folder, or the one that a file holds: a backup. Its error is a sentence, which wraps ErrNoStore, ErrForeign,
// ErrNewer, ErrOlder, fs.ErrPermission, a *Fault for a file that only began as a store, or what else stands in the way.
func OpenArchive(ctx context.Context, path string) (*Archive, error) {
	a, err := openArchive(ctx, path, "_pragma=query_only(1)", "_pragma=cache_size(-32768)")
	if err != nil {
		return nil, err
	}
	if err := a.hold(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// openArchive is OpenArchive without the moment: each query shows the store as it is then.
func openArchive(ctx context.Context, path string, options ...string) (_ *Archive, err error) {
	a := &Archive{file: path}
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		a.file = filepath.Join(path, fileName)
		info, err = os.Stat(a.file)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w at %s", ErrNoStore, path)
	case err != nil:
		return nil, fmt.Errorf("open the store: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s %w", a.file, ErrForeign)
	case info.Size() == 0:
		return nil, fmt.Errorf("%w at %s: the file is empty", ErrNoStore, a.file)
	}
	if foreign, err := isForeign(a.file); err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	} else if foreign {
		return nil, fmt.Errorf("%s %w", a.file, ErrForeign)
	}
	a.db = openDB(a.file, append(options, "mode=ro")...)
	if a.conn, err = a.db.Conn(ctx); err == nil {
		err = a.know(ctx)
	}
	if err != nil {
		return nil, errors.Join(a.explain(ctx, err), a.Close())
	}
	return a, nil
}

// know returns an error unless the store is of the present schema.
func (a *Archive) know(ctx context.Context) error {
	if err := checkSQLite(ctx, a.conn); err != nil {
		return err
	}
	var version int
	if err := a.conn.QueryRowContext(ctx, "SELECT user_version FROM pragma_user_version").Scan(&version); err != nil {
		return err
	}
	switch {
	case version > len(steps):
		return fmt.Errorf("%s %w (schema %d, this one knows %d)", a.file, ErrNewer, version, len(steps))
	case version < len(steps):
		return fmt.Errorf("%s %w", a.file, ErrOlder)
	}
	return nil
}

// hold keeps the moment from here on.
func (a *Archive) hold(ctx context.Context) error {
	if _, err := a.conn.ExecContext(ctx, "BEGIN"); err != nil {
		return a.explain(ctx, err)
	}
	var one int // a transaction begins with what it reads first
	return a.explain(ctx, a.conn.QueryRowContext(ctx, "SELECT 1 FROM meta LIMIT 1").Scan(&one))
}

// obstacles are the results of SQLite's that say nothing about what the file holds.
var obstacles = []int{lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN, lib.SQLITE_PERM, lib.SQLITE_READONLY, lib.SQLITE_NOMEM,
	lib.SQLITE_FULL, lib.SQLITE_INTERRUPT}

// explain turns what SQLite says of a file that can't be true into a Fault, and says of everything else which file it was about.
func (a *Archive) explain(ctx context.Context, err error) error {
	var fault *Fault
	var e *sqlite.Error
	switch {
	case err == nil, ctx.Err() != nil, errors.As(err, &fault), errors.Is(err, ErrNewer), errors.Is(err, ErrOlder):
		return err
	case errors.As(err, &e) && e.Code() != lib.SQLITE_IOERR_SHORT_READ && slices.Contains(obstacles, resultCode(err)):
		if resultCode(err) == lib.SQLITE_CANTOPEN { // readers of a write-ahead log share memory through a file beside it
			err = fmt.Errorf("%w; a store can only be read in a folder that can be written: copy its files to one", err)
		}
		return fmt.Errorf("read %s: %w", a.file, err)
	}
	return faultf("the file %s can't be read: %s", a.file, chat.OneLine(err.Error()))
}

// Close ends the Archive.
func (a *Archive) Close() error {
	var err error
	if a.conn != nil {
		err = a.conn.Close()
	}
	return errors.Join(err, a.db.Close())
}

// Epoch returns the epoch in force.
func (a *Archive) Epoch(ctx context.Context) (uint64, error) {
	eras, err := loadEras(ctx, a.conn)
	if err != nil {
		return 0, a.explain(ctx, err)
	}
	return eras[len(eras)-1], nil
}

// Rooms returns the rooms in the order of their numbers.
func (a *Archive) Rooms(ctx context.Context) (rooms []RoomState, err error) {
	err = loadRooms(ctx, a.conn, func(e *ends) { rooms = append(rooms, e.RoomState) })
	return rooms, a.explain(ctx, err)
}

// Authors returns the key behind each number that a row may name.
func (a *Archive) Authors(ctx context.Context) (map[uint64]identity.ID, error) {
	authors := map[uint64]identity.ID{}
	err := each(ctx, a.conn, "SELECT num, key FROM origin", func(scan scan) error {
		var num uint64
		var raw []byte
		if err := scan(&num, &raw); err != nil {
			return err
		}
		var key identity.ID
		if err := fill(key[:], raw); err != nil {
			return faultf("origin %d: its key has %d bytes", num, len(raw))
		}
		authors[num] = key
		return nil
	})
	return authors, a.explain(ctx, err)
}

// Names returns the name that each key goes by.
func (a *Archive) Names(ctx context.Context) (map[identity.ID]string, error) {
	names := map[identity.ID]string{}
	err := each(ctx, a.conn, "SELECT name, key FROM person WHERE name IS NOT NULL", func(scan scan) error {
		var name string
		var raw []byte
		if err := scan(&name, &raw); err != nil {
			return err
		}
		var key identity.ID
		if err := fill(key[:], raw); err != nil {
			return faultf("the name %q: its key has %d bytes", name, len(raw))
		}
		names[key] = name
		return nil
	})
	return names, a.explain(ctx, err)
}

// label is what a fault calls a room: its name, or, of a conversation, its number.
func (r *Room) label() string {
	if r.Direct() {
		return fmt.Sprintf("conversation %d", r.Num)
	}
	return "room " + chat.Shown(r.Name)
}
