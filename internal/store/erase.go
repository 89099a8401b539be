package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A text that was taken out of its row can stand in other places: in the write-ahead log, in what SQLite leaves behind where it moves rows from one page
// to another, and in the search index. The table of erasures says which rows' texts may, so that no crash leaves them there: what is to be done is
// done before their entries go.

// part is a file in which texts may be left.
type part int

const (
	inStore part = 1 // and its log
	inIndex part = 2 // and its log
)

var parts = []part{inStore, inIndex}

const (
	// eraseRetry is how long the erasing waits for readers of the write-ahead log, such as a backup, to leave.
	eraseRetry = time.Second
	// eraseRest is how many times as long as it took the erasing rests, so that one redaction after the other does not keep the disk busy: a round erases
	// all that have come.
	eraseRest = 3
	// scrubAtOnce is how many pages are cleaned in one transaction: batches wait that long.
	scrubAtOnce = 64
	// maxScrubbed is the number of a page from which on a page that goes on with a long record could be taken for one with rows: its first byte is
	// the first of the next one's number.
	maxScrubbed = rowPage << 24
	// rowPage is the first byte of a page that holds rows (https://sqlite.org/fileformat.html, 1.6).
	rowPage = 0x0d
)

// nudgeEraser has what redactions left erased soon.
func (s *SQLite) nudgeEraser() {
	select {
	case s.erase <- struct{}{}:
	default:
	}
}

// keepErasing erases what redactions have left in the store's own file, until ctx ends.
func (s *SQLite) keepErasing(ctx context.Context) {
	for {
		began := time.Now()
		done, err := s.eraseOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.opt.Log.Error("the store can't go on", "err", s.fail(fmt.Errorf("erase in %s: %w", s.opened.File, err)))
			return
		}
		wait := eraseRetry
		if done {
			wait = eraseRest * time.Since(began)
			select {
			case <-s.erase:
			case <-ctx.Done():
				return
			}
		}
		if pause(ctx, wait, nil) != nil {
			return
		}
	}
}

// eraseOnce erases what is left in the store's own file, and reports false when somebody reads what is to go.
func (s *SQLite) eraseOnce(ctx context.Context) (done bool, err error) {
	rows, err := s.erasures(ctx, inStore)
	if err != nil || len(rows) == 0 {
		return true, err
	}
	pages, err := leftovers(ctx, s.db)
	if err != nil {
		return false, err
	}
	for some := range slices.Chunk(pages, scrubAtOnce) {
		if err := s.scrub(ctx, some); err != nil {
			return false, err
		}
	}
	if done, err := s.emptyLog(ctx); !done || err != nil {
		return false, err
	}
	return true, s.erased(inStore, rows)
}

// erasures returns the rows whose texts may be left in a part.
func (s *SQLite) erasures(ctx context.Context, p part) (rows []int64, err error) {
	err = each(ctx, s.db, "SELECT id FROM erasure WHERE part = ?", func(scan scan) error {
		var id int64
		err := scan(&id)
		rows = append(rows, id)
		return err
	}, p)
	return rows, err
}

// erased notes that nothing of rows' texts is left in a part.
func (s *SQLite) erased(p part, rows []int64) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.failure(); err != nil {
		return err
	}
	err := s.writer.do(func() error {
		for _, id := range rows {
			if _, err := s.writer.erased.Exec(p, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return s.fail(fmt.Errorf("write to %s: %w", s.opened.File, err))
	}
	s.opt.Moment(Erased)
	return nil
}

// scrub cleans pages of the store's own file.
func (s *SQLite) scrub(ctx context.Context, pages []int64) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.failure(); err != nil {
		return err
	}
	s.logged += int64(len(pages)+1) * pageSize
	return s.writer.do(func() error { return scrub(ctx, s.writer.conn, pages) })
}

// emptyLog copies the write-ahead log into the database and empties its file, and reports false when somebody reads it.
func (s *SQLite) emptyLog(ctx context.Context) (done bool, err error) {
	if _, err := s.keeper.ExecContext(ctx, "PRAGMA wal_checkpoint(passive)"); err != nil { // most of it while batches go on
		return false, err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.failure(); err != nil {
		return false, err
	}
	if done, err = truncateLog(ctx, s.keeper); done {
		s.logged = 0
	}
	return done, err
}

// rowQuerier is a connection or a pool of them.
type rowQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// truncateLog copies a database's write-ahead log into it and empties the log's file, and reports false when somebody reads it.
func truncateLog(ctx context.Context, db rowQuerier) (done bool, err error) {
	var busy, logged, copied int
	err = db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(truncate)").Scan(&busy, &logged, &copied)
	return busy == 0 && err == nil, err
}

// errTooLarge says that a database has more pages than can be told apart.
var errTooLarge = errors.New("the database is too large to be cleaned")

// leftovers returns the numbers of a database's pages that have something where no row is: when SQLite divides the rows of a full page between several,
// it leaves copies of those that it moves, which its secure_delete does not overwrite.
func leftovers(ctx context.Context, db querier) (pages []int64, err error) {
	err = each(ctx, db, "SELECT pgno, data FROM sqlite_dbpage", func(scan scan) error {
		var number int64
		var page sql.RawBytes
		if err := scan(&number, &page); err != nil {
			return err
		}
		if number >= maxScrubbed {
			return errTooLarge
		}
		if isDirty(unused(page)) {
			pages = append(pages, number)
		}
		return nil
	})
	return pages, err
}

// unused returns the part of a page in which no row is: between the list of its rows and the first of them. Pages of other kinds, and the first of the
// database, which has a header of its own, have none.
func unused(page []byte) []byte {
	const header, rowsAt, startAt = 8, 3, 5
	if len(page) < header || page[0] != rowPage {
		return nil
	}
	from := header + 2*int(binary.BigEndian.Uint16(page[rowsAt:]))
	to := int(binary.BigEndian.Uint16(page[startAt:]))
	if to == 0 {
		to = 1 << 16
	}
	if from > to || to > len(page) {
		return nil // damaged; chatnode check says so
	}
	return page[from:to]
}

func isDirty(b []byte) bool {
	return slices.ContainsFunc(b, func(c byte) bool { return c != 0 })
}

// scrub overwrites what pages have where no row is, in the transaction that is under way.
func scrub(ctx context.Context, conn *sql.Conn, pages []int64) error {
	for _, number := range pages {
		var page []byte
		if err := conn.QueryRowContext(ctx, "SELECT data FROM sqlite_dbpage WHERE pgno = ?", number).Scan(&page); err != nil {
			return err
		}
		rest := unused(page)
		if !isDirty(rest) {
			continue
		}
		clear(rest)
		if _, err := conn.ExecContext(ctx, "UPDATE sqlite_dbpage SET data = ? WHERE pgno = ?", page, number); err != nil {
			return err
		}
	}
	return nil
}

// erase erases what redactions have left in the index.
func (x *index) erase(ctx context.Context) error {
	rows, err := x.store.erasures(ctx, inIndex)
	if err != nil || len(rows) == 0 {
		return err
	}
	if err := x.file.do(func() error { return x.unlearn(ctx, rows) }); err != nil {
		return err
	}
	pages, err := leftovers(ctx, x.file.conn)
	if err != nil {
		return err
	}
	if err := x.file.do(func() error { return scrub(ctx, x.file.conn, pages) }); err != nil {
		return err
	}
	for {
		done, err := truncateLog(ctx, x.file.conn)
		if err != nil {
			return err
		}
		if done {
			return x.store.erased(inIndex, rows)
		}
		if err := pause(ctx, indexPause, nil); err != nil { // searches end soon
			return err
		}
	}
}

// unlearn has rows be found by what is left of them, under the numbers that they have, and writes the index anew without their words: a row that is taken
// out of it is only marked there.
func (x *index) unlearn(ctx context.Context, rows []int64) error {
	for _, id := range rows {
		var number int64
		err := x.file.numberOf.QueryRowContext(ctx, id).Scan(&number)
		if errors.Is(err, sql.ErrNoRows) {
			continue // not indexed yet: it will be as it is now
		} else if err != nil {
			return err
		}
		if _, err := x.file.unword.ExecContext(ctx, id, id); err != nil {
			return err
		}
		texts, err := x.read(ctx, []stale{{id: id}})
		if err != nil {
			return err
		}
		if e, err := event(texts[id].record); err == nil && !e.Opts.Forked { // else it was let go of, or is not to be found
			if err := x.file.addWords(number, id, e); err != nil {
				return err
			}
		}
	}
	_, err := x.file.optimize.ExecContext(ctx)
	return err
}
