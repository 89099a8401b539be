package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	lib "modernc.org/sqlite/lib"

	"chatnode/internal/disk"
)

// pollEvery is how often a backup looks how large its file has become.
const pollEvery = 100 * time.Millisecond

// Backup writes the store in a folder or file, as one moment has it, to a new file at path to, for its owner's eyes alone, and checks that copy. A
// node may go on with the store meanwhile. The first node that is started with the file as its store gives it an epoch of its own, so that clients
// notice what is missing.
//
// The file appears when it is complete and on the disk; after an error, or when ctx ends, nothing is left of it. The error is a sentence, which wraps
// fs.ErrExist when there is something at to already, a *Fault when the store can't be true, or what OpenArchive returns.
func Backup(ctx context.Context, from, to string, progress Progress) (Tally, error) {
	if err := absent(to); err != nil {
		return Tally{}, err
	}
	a, err := openArchive(ctx, from)
	if err != nil {
		return Tally{}, err
	}
	defer a.Close()
	before, err := a.Rooms(ctx)
	if err != nil {
		return Tally{}, err
	}
	part := to + ".part-" + rand.Text()[:8]
	defer os.Remove(part) // nothing is there any more when all went well
	if err := a.copyTo(ctx, part, progress); err != nil {
		return Tally{}, err
	}
	if err := mark(ctx, part); err != nil {
		return Tally{}, fmt.Errorf("write %s: %w", part, err)
	}
	tally, err := verify(ctx, part, before, progress)
	if err != nil {
		return Tally{}, err
	}
	if err := absent(to); err != nil {
		return Tally{}, err
	}
	if err := os.Rename(part, to); err != nil {
		return Tally{}, fmt.Errorf("put the backup in place: %w", err)
	}
	return tally, disk.SyncDir(filepath.Dir(to))
}

// absent returns an error that wraps fs.ErrExist when there is something at path.
func absent(path string) error {
	_, err := os.Lstat(path)
	switch {
	case err == nil:
		return fmt.Errorf("%s is not written over: %w", path, fs.ErrExist)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

// copyTo writes the store to a new file.
func (a *Archive) copyTo(ctx context.Context, path string, progress Progress) error {
	const size = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
	var total int64
	if err := a.conn.QueryRowContext(ctx, size).Scan(&total); err != nil {
		return a.explain(ctx, err)
	}
	done := make(chan error, 1)
	go func() { done <- copyInto(ctx, a.conn, path) }() // ends with ctx, and is waited for below
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if info, err := os.Stat(path); err == nil {
				progress(Step{Doing: "copying", Done: info.Size(), Total: total, Bytes: true})
			}
		case err := <-done:
			switch {
			case resultCode(err) == lib.SQLITE_FULL:
				return fmt.Errorf("there is no room for the backup in %s: it needs about %d MB", filepath.Dir(path), total>>20+1)
			case resultCode(err) == lib.SQLITE_CORRUPT, resultCode(err) == lib.SQLITE_NOTADB:
				return a.explain(ctx, err)
			case err != nil:
				return fmt.Errorf("write the backup: %w", err)
			}
			return nil
		}
	}
}

// mark says in a copy that it is one, and makes it last.
func mark(ctx context.Context, path string) (err error) {
	db := openDB(path, "mode=rw", "_pragma=journal_mode(off)") // there is nothing to go back to: what fails is removed
	_, err = db.ExecContext(ctx, "INSERT OR REPLACE INTO meta VALUES (?, ?)", metaCopied, time.Now().UnixMilli())
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// verify checks a copy, and that it holds the rows that the rooms had before it was begun.
func verify(ctx context.Context, path string, before []RoomState, progress Progress) (Tally, error) {
	copied, err := OpenArchive(ctx, path)
	if err != nil {
		return Tally{}, err
	}
	defer copied.Close()
	tally, err := copied.Check(ctx, progress)
	if err != nil {
		return Tally{}, err
	}
	rooms, err := copied.Rooms(ctx)
	if err != nil {
		return Tally{}, err
	}
	heads := map[uint64]uint64{}
	for i := range rooms {
		heads[rooms[i].Num] = rooms[i].Head
	}
	for i := range before {
		if r := &before[i]; heads[r.Num] < r.Head {
			return Tally{}, faultf("the copy of %s ends with row %d, and there were %d", r.label(), heads[r.Num], r.Head)
		}
	}
	return tally, nil
}
