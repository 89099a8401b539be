package store

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"strings"
	"time"

	"chatnode/internal/chat"
)

// searchTime is how long one search may take: terms of a letter or two can stand in every row. Tests, which may share a slow machine with many others, set it.
var searchTime = 2 * time.Second

// Search returns a page of the rows that a query asks for, the newest first. What it finds may be up to a second old; numbers of pages, Found.Next,
// are those of an index that can be made again, after which they lead elsewhere. It returns ErrSlow when it takes longer than searchTime, and ErrClosed after Close; other errors are the disk's.
func (s *SQLite) Search(q *Query) (Found, error) {
	s.asking.RLock()
	defer s.asking.RUnlock()
	if s.isClosed() {
		return Found{}, ErrClosed
	}
	x := s.index
	found := Found{Behind: x.behind()}
	match := matchExpression(q)
	x.reading.RLock()
	defer x.reading.RUnlock()
	db := x.reader()
	if match == "" || db == nil {
		return found, nil
	}
	before := int64(math.MaxInt64)
	if q.Before > 0 && q.Before < math.MaxInt64 {
		before = int64(q.Before)
	}
	page := &searchPage{store: s, query: q, found: found}
	ctx, cancel := context.WithTimeout(context.Background(), x.patience)
	defer cancel()
	err := findWords(ctx, db, match, before, page.add)
	switch {
	case err == nil || errors.Is(err, errPageFull):
		return page.found, nil
	case ctx.Err() != nil:
		return Found{}, ErrSlow
	case page.err != nil:
		return Found{}, page.err
	}
	x.suspect(err)
	return found, nil // the index is being made again: what it can't tell is among what is behind
}

// errPageFull ends a search whose page is full.
var errPageFull = errors.New("the page is full")

// searchPage gathers hits.
type searchPage struct {
	store  *SQLite
	query  *Query
	looked int
	size   int
	found  Found
	err    error // the store's
}

// add puts a row that has the words on the page, if it may be seen and is still there. It returns errPageFull when it does not fit, or
// when enough rows have been looked at.
func (p *searchPage) add(doc, id int64) error {
	if p.looked++; p.looked > maxLooked {
		p.found.Next = uint64(doc) + 1
		return errPageFull
	}
	room, seq := rowAt(id)
	if p.query.Allowed != nil && !p.query.Allowed(room, seq) {
		return nil
	}
	var record []byte
	err := p.store.db.QueryRow("SELECT record FROM message WHERE id = ?", id).Scan(&record)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil // let go of, and not yet forgotten by the index
	case err != nil:
		p.err = p.store.readError(room, seq, err)
		return p.err
	case isForked(record):
		return nil // its log was found to fork, and the index has not unlearned it yet
	case len(p.found.Hits) > 0 && (len(p.found.Hits) >= p.query.Hits || p.size+len(record) > p.query.Bytes):
		p.found.Next = uint64(doc) + 1
		return errPageFull
	}
	p.size += len(record)
	p.found.Hits = append(p.found.Hits, Hit{Room: room, Seq: seq, Record: record})
	return nil
}

// reader returns what to search in, nil while there is nothing.
func (x *index) reader() *sql.DB {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.db
}

// behind returns how many rows are committed and not yet indexed.
func (x *index) behind() (rows uint64) {
	x.store.each(func(e *ends) {
		x.mu.RLock()
		defer x.mu.RUnlock()
		rows += e.Head - min(e.Head, max(x.done[e.Num].seq, e.Low-1))
	})
	return rows
}

// findWords calls f with the index number and the id of each row that matches and has a number below before, the newest first, until it returns an
// error.
func findWords(ctx context.Context, db *sql.DB, match string, before int64, f func(doc, id int64) error) error {
	const query = "SELECT w.rowid, d.row FROM words w CROSS JOIN doc d ON d.doc = w.rowid WHERE words MATCH ? AND w.rowid < ? ORDER BY w.rowid DESC"
	return each(ctx, db, query, func(scan scan) error {
		var doc, id int64
		if err := scan(&doc, &id); err != nil {
			return err
		}
		return f(doc, id)
	}, match, before)
}

// matchExpression returns the query in FTS5's language, empty for one that finds nothing. Nothing of what a person typed can stand outside quotes:
// words hold letters and digits alone.
func matchExpression(q *Query) string {
	if len(q.Words) > chat.MaxQuery || len(q.Name) > chat.MaxQuery {
		return ""
	}
	var parts []string
	for _, term := range chat.QueryTerms(q.Words) {
		parts = append(parts, `body : "`+strings.Join(term, " ")+`" *`)
	}
	if q.Name != "" {
		parts = append(parts, `name : "`+nameToken(q.Name)+`"`)
	}
	if len(parts) > 0 && q.Room != 0 {
		parts = append(parts, `room : "`+roomToken(q.Room)+`"`)
	}
	return strings.Join(parts, " AND ")
}
