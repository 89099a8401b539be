package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"chatnode/internal/disk"
)

const (
	// applicationID marks a SQLite file as chatnode's: "chnd" (https://sqlite.org/pragma.html#pragma_application_id).
	applicationID = 0x63686e64
	// oldestSQLite is the first version without the race in which a checkpoint could lose committed rows.
	oldestSQLite = 3_051_003
)

// Keys of the table meta beside last_room and last_from.
const (
	metaNodeKey = "node_key" // the node's private key, as text
	metaCopied  = "copied"   // when this file was written as a backup, milliseconds: it has not been opened since
	metaSpace   = "space"    // Sharing.Space
	metaNonce   = "nonce"    // Sharing.Nonce, 8 bytes
	metaShared  = "shared"   // Sharing.Shared, 0 or 1
)

// Reasons why a file is not opened. Whatever they stand for is left as it is.
var (
	// ErrForeign says that a file is not a store of chatnode's.
	ErrForeign = errors.New("is not a chatnode store")
	// ErrNewer says that a store was written by a later version of chatnode.
	ErrNewer = errors.New("was written by a newer chatnode")
)

// step takes a store from one version of the schema to the next, in a transaction that it shares with the others.
type step func(ctx context.Context, tx *sql.Conn) error

// steps are all of them: steps[n] leads from version n to n+1, and an empty file is version 0. Landed steps never change.
var steps = []step{create, people, moderation, redaction, sharing}

// schema1 is version 1. A message's id is its room's number and its seq (see rowID); its era tells the epoch that its header was hashed with; its
// record is the wire's Event as every reader is sent it. Apart from the record stands what a reader never sees: the salt of the body, and the
// room's rolling hash. A room has that hash, and the time, of the row before its low too.
const schema1 = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE era (num INTEGER PRIMARY KEY, epoch BLOB NOT NULL, began INTEGER NOT NULL) STRICT;
CREATE TABLE room (num INTEGER PRIMARY KEY, name TEXT NOT NULL, topic TEXT NOT NULL, created INTEGER NOT NULL, owner BLOB, peer1 BLOB, peer2 BLOB,
	low INTEGER NOT NULL, base BLOB NOT NULL, base_time INTEGER NOT NULL, keep_set INTEGER NOT NULL, keep_age INTEGER NOT NULL, keep_size INTEGER NOT NULL) STRICT;
CREATE TABLE origin (num INTEGER PRIMARY KEY, token BLOB, key BLOB NOT NULL, last INTEGER NOT NULL, outcomes BLOB) STRICT;
CREATE TABLE name (name TEXT PRIMARY KEY, key BLOB NOT NULL, seen INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE message (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, era INTEGER NOT NULL, salt BLOB NOT NULL, hash BLOB NOT NULL,
	record BLOB NOT NULL) STRICT;
INSERT INTO meta VALUES ('last_room', 0), ('last_from', 0);
`

// create makes version 1 of an empty file, with an epoch of its own.
func create(ctx context.Context, tx *sql.Conn) error {
	if _, err := tx.ExecContext(ctx, schema1+fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
		return err
	}
	return newEra(ctx, tx, 0)
}

// schema2 is version 2: whoever has joined, named or not, and invitations.
const schema2 = `
CREATE TABLE person (key BLOB PRIMARY KEY, name TEXT UNIQUE, since INTEGER NOT NULL, seen INTEGER NOT NULL, inviter BLOB) STRICT, WITHOUT ROWID;
CREATE TABLE invite (hash BLOB PRIMARY KEY, room TEXT NOT NULL, uses INTEGER NOT NULL, expires INTEGER NOT NULL, made INTEGER NOT NULL,
	inviter BLOB NOT NULL) STRICT, WITHOUT ROWID;
`

// people makes version 2 of a store: who had a name, or has ever written something, has joined. Version 1 noted when a name was given and not when its
// owner was last here: nobody is to lose a name for that, so they count as here now. Of whoever has no name neither is known.
func people(ctx context.Context, tx *sql.Conn) error {
	if _, err := tx.ExecContext(ctx, schema2); err != nil {
		return err
	}
	const named = "INSERT INTO person SELECT key, name, seen, max(seen, ?), NULL FROM name WHERE true ORDER BY seen DESC ON CONFLICT DO NOTHING"
	if _, err := tx.ExecContext(ctx, named, time.Now().UnixMilli()); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO person SELECT DISTINCT key, NULL, 0, 0, NULL FROM origin WHERE last > 0 ON CONFLICT DO NOTHING; DROP TABLE name")
	return err
}

// schema3 is version 3: what moderators have set and done, and the keys that messages are sealed with. Of a room's flags each bit is a rule (see
// flagsOf), its pins are ids of messages, one behind the other, and everybody reads from row open on; a member does from row start. A network has 4 or 16 bytes.
const schema3 = `
ALTER TABLE room ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;
ALTER TABLE room ADD COLUMN slow INTEGER NOT NULL DEFAULT 0;
ALTER TABLE room ADD COLUMN welcome TEXT NOT NULL DEFAULT '';
ALTER TABLE room ADD COLUMN pins BLOB;
ALTER TABLE room ADD COLUMN open INTEGER NOT NULL DEFAULT 0;
ALTER TABLE person ADD COLUMN seal BLOB;
CREATE TABLE standing (room INTEGER NOT NULL, key BLOB NOT NULL, stance INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL, by BLOB NOT NULL,
	text TEXT NOT NULL, start INTEGER NOT NULL, PRIMARY KEY (room, key, stance)) STRICT, WITHOUT ROWID;
CREATE TABLE bar (room INTEGER NOT NULL, network BLOB NOT NULL, key BLOB NOT NULL, until INTEGER NOT NULL,
	PRIMARY KEY (room, network, key)) STRICT, WITHOUT ROWID;
`

// moderation makes version 3 of a store, in which nobody has set or done anything yet.
func moderation(ctx context.Context, tx *sql.Conn) error {
	_, err := tx.ExecContext(ctx, schema3)
	return err
}

// schema4 is version 4: of which rows' texts something may be left, and where: see part.
const schema4 = "CREATE TABLE erasure (part INTEGER NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (part, id)) STRICT, WITHOUT ROWID"

// redaction makes version 4 of a store. From then on a row whose text was taken away has, in place of its salt, what its id has of both, which is longer.
func redaction(ctx context.Context, tx *sql.Conn) error {
	_, err := tx.ExecContext(ctx, schema4)
	return err
}

// schema5 is version 5: logs that nodes share. An entry's id is its log's number and its seq, as that of a message is its room's and its row's; whatever has no
// row has its text with it. Numbers of 64 bits, such as an epoch, stand as signed ones.
const schema5 = `
CREATE TABLE log (num INTEGER PRIMARY KEY, key BLOB NOT NULL, nonce INTEGER NOT NULL, room INTEGER NOT NULL, low INTEGER NOT NULL, head INTEGER NOT NULL,
	head_id BLOB NOT NULL, lamport INTEGER NOT NULL, forked INTEGER NOT NULL, UNIQUE (room, key, nonce)) STRICT;
CREATE TABLE entry (id INTEGER PRIMARY KEY, lamport INTEGER NOT NULL, name BLOB NOT NULL, room INTEGER NOT NULL, row INTEGER NOT NULL,
	hidden INTEGER NOT NULL, same INTEGER NOT NULL, act INTEGER NOT NULL, header BLOB NOT NULL, sig BLOB, salt BLOB, body BLOB) STRICT;
CREATE INDEX entry_causal ON entry (room, lamport);
CREATE INDEX entry_row ON entry (room, row, hidden);
CREATE INDEX entry_same ON entry (room, same) WHERE same > 0;
CREATE INDEX entry_act ON entry (room, lamport) WHERE act = 1;
CREATE TABLE pair (origin BLOB NOT NULL, cseq INTEGER NOT NULL, room INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (origin, cseq)) STRICT, WITHOUT ROWID;
CREATE INDEX pair_row ON pair (room, row);
CREATE TABLE abroad (num INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, there INTEGER NOT NULL, name BLOB NOT NULL, via BLOB NOT NULL) STRICT;
CREATE TABLE peer (node BLOB PRIMARY KEY, key BLOB, mode INTEGER NOT NULL, title TEXT NOT NULL, hosts BLOB, expires INTEGER NOT NULL, seen INTEGER NOT NULL,
	fault TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE fork (log INTEGER PRIMARY KEY, proof BLOB NOT NULL) STRICT;
ALTER TABLE person ADD COLUMN remote INTEGER NOT NULL DEFAULT 0;
ALTER TABLE invite ADD COLUMN node INTEGER NOT NULL DEFAULT 0;
`

// sharing makes version 5 of a store: it is in a space of its own, and has not shared anything yet.
func sharing(ctx context.Context, tx *sql.Conn) error {
	if _, err := tx.ExecContext(ctx, schema5); err != nil {
		return err
	}
	var space [16]byte
	rand.Read(space[:]) // never fails
	if _, err := tx.ExecContext(ctx, "INSERT INTO meta VALUES (?, ?), (?, 0)", metaSpace, space[:], metaShared); err != nil {
		return err
	}
	return newNonce(ctx, tx)
}

// newNonce has the store begin new logs.
func newNonce(ctx context.Context, tx *sql.Conn) error {
	var nonce [8]byte
	rand.Read(nonce[:]) // never fails
	_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO meta VALUES (?, ?)", metaNonce, nonce[:])
	return err
}

// newEra begins era num, whose epoch is random.
func newEra(ctx context.Context, tx *sql.Conn, num int) error {
	var epoch [8]byte
	rand.Read(epoch[:]) // never fails
	_, err := tx.ExecContext(ctx, "INSERT INTO era VALUES (?, ?, ?)", num, epoch[:], time.Now().UnixMilli())
	return err
}

// loadEras returns the epochs of all eras; the last one is in force.
func loadEras(ctx context.Context, db querier) (eras []uint64, err error) {
	err = each(ctx, db, "SELECT num, epoch FROM era ORDER BY num", func(scan scan) error {
		var num int
		var epoch []byte
		if err := scan(&num, &epoch); err != nil {
			return err
		}
		if num != len(eras) || len(epoch) != 8 {
			return fmt.Errorf("era %d stands as number %d, with an epoch of %d bytes", num, len(eras), len(epoch))
		}
		eras = append(eras, binary.BigEndian.Uint64(epoch))
		return nil
	})
	if err == nil && len(eras) == 0 {
		err = errors.New("there is no epoch")
	}
	return eras, err
}

// inspect returns ErrForeign when the file at path is something else than a store or an empty file, ErrNewer when its schema is above known. It
// only reads: opening a database can change it.
func inspect(path string, known int) error {
	switch version, isStore, err := readHeader(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("open the store: %w", err)
	case !isStore:
		return foreign(path)
	case version > known:
		return newer(path, version, known)
	}
	return nil
}

// isForeign reports whether the file at path is something else than a store or an empty file.
func isForeign(path string) (bool, error) {
	_, isStore, err := readHeader(path)
	return !isStore, err
}

// readHeader reports whether the file at path is a store or an empty file, and the version of its schema. The mark and the version of a store stand in
// the header of its file from its first transaction on (https://sqlite.org/fileformat.html, 1.3).
func readHeader(path string) (version int, isStore bool, err error) {
	const magic, versionAt, markAt, headerLen = "SQLite format 3\x00", 60, 68, 100
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() { // a pipe can't be opened without waiting
		return 0, false, err
	}
	file, err := os.Open(path)
	if err != nil {
		return 0, false, err
	}
	defer file.Close()
	var header [headerLen]byte
	switch _, err := io.ReadFull(file, header[:]); {
	case errors.Is(err, io.EOF):
		return 0, true, nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return 0, false, nil
	case err != nil:
		return 0, false, err
	case header == [headerLen]byte{}:
		return 0, true, nil // perhaps the power went in its first transaction, and its journal undoes that; SQLite finds out
	}
	isStore = string(header[:len(magic)]) == magic && binary.BigEndian.Uint32(header[markAt:]) == applicationID
	return int(int32(binary.BigEndian.Uint32(header[versionAt:]))), isStore, nil
}

func foreign(path string) error {
	return fmt.Errorf("%s %w: move it away, or choose another folder", path, ErrForeign)
}

func newer(path string, version, known int) error {
	return fmt.Errorf("%s %w: its schema is %d, and this chatnode knows %d", path, ErrNewer, version, known)
}

// bringUp makes the open database at path one of the present schema, and says from what version it came. A store of an earlier one is copied
// beside itself first, to backup. Its error may wrap ErrForeign and ErrNewer, and then nothing has been changed.
func bringUp(ctx context.Context, tx *sql.Conn, path string, steps []step) (version int, backup string, err error) {
	if err := checkSQLite(ctx, tx); err != nil {
		return 0, "", err
	}
	err = tx.QueryRowContext(ctx, "SELECT user_version FROM pragma_user_version").Scan(&version)
	switch {
	case resultCode(err) == lib.SQLITE_NOTADB:
		return 0, "", foreign(path)
	case err != nil:
		return 0, "", err
	case version > len(steps):
		return version, "", newer(path, version, len(steps))
	case version == len(steps):
		return version, "", nil
	case version > 0:
		if backup, err = copyBeside(ctx, tx, path, version); err != nil {
			return version, "", fmt.Errorf("copy the store before its schema changes: %w", err)
		}
	}
	err = inTransaction(ctx, tx, func() error {
		for _, step := range steps[version:] {
			if err := step(ctx, tx); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(steps)))
		return err
	})
	if err != nil {
		if backup != "" {
			_ = os.Remove(backup) // of what has not changed
		}
		return version, "", fmt.Errorf("bring the store from schema %d to %d: %w", version, len(steps), err)
	}
	return version, backup, nil
}

// copyBeside copies the open database at path, of an earlier schema, beside itself and returns where the copy is. What has its name then is whole: a
// copy that was cut short is made again, and one that is there already, because a crash came after it, stays and the new one takes a number.
func copyBeside(ctx context.Context, tx *sql.Conn, path string, version int) (backup string, err error) {
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := copyInto(ctx, tx, part); err != nil {
		return "", err
	}
	backup = fmt.Sprintf("%s.schema%d", path, version)
	for n := 2; ; n++ {
		if _, err := os.Lstat(backup); errors.Is(err, fs.ErrNotExist) {
			break // the store's lock keeps others from taking it
		} else if err != nil {
			return "", err
		}
		backup = fmt.Sprintf("%s.schema%d.%d", path, version, n)
	}
	if err := os.Rename(part, backup); err != nil {
		return "", err
	}
	return backup, disk.SyncDir(filepath.Dir(path))
}

// checkSQLite returns an error for a library that is known to lose rows.
func checkSQLite(ctx context.Context, tx *sql.Conn) error {
	var version string
	if err := tx.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return err
	}
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err != nil || major*1_000_000+minor*1_000+patch < oldestSQLite {
		return fmt.Errorf("SQLite %s is too old: it can lose committed rows", version)
	}
	return nil
}

// copyInto writes a consistent copy of the open database to a new file at path, for its owner's eyes alone, and syncs it. A file that is
// there already is an error.
func copyInto(ctx context.Context, tx *sql.Conn, path string) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, file.Close())
		if err != nil {
			_ = os.Remove(path)
		}
	}()
	if _, err := tx.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
		return err
	}
	return file.Sync()
}

// inTransaction runs f in a transaction of tx, for writing, and commits it if f returns nil.
func inTransaction(ctx context.Context, tx *sql.Conn, f func() error) error {
	if _, err := tx.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := f()
	if err == nil {
		_, err = tx.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		_, _ = tx.ExecContext(ctx, "ROLLBACK") // which SQLite has often done by itself
	}
	return err
}

// querier is a connection or a pool of them.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// scan takes one row apart, as sql.Rows.Scan does.
type scan func(dest ...any) error

// each calls f for each row that a query returns.
func each(ctx context.Context, db querier, query string, f func(scan) error, args ...any) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// resultCode returns SQLite's primary result code behind an error, 0 when there is none.
func resultCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}
