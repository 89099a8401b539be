package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"chatnode/internal/identity"
)

// writer is the one connection that changes a store, with its statements prepared.
type writer struct {
	db   *sql.DB
	conn *sql.Conn

	begin, commit, rollback  *sql.Stmt
	row, rows                *sql.Stmt // one row, chunk rows
	room, low, trim          *sql.Stmt
	origin, forgetOrigin     *sql.Stmt
	person, forgetPerson     *sql.Stmt
	invite, forgetInvite     *sql.Stmt
	standing, forgetStanding *sql.Stmt
	bar, forgetBar           *sql.Stmt
	last                     *sql.Stmt
	text, redact             *sql.Stmt
	erasure, erased          *sql.Stmt
	logs                     logWriter

	prepared []*sql.Stmt // all of them

	args []any // scratch
	out  []byte
	cuts []shortened // by the last batch

	erasures bool // the last batch has left something to be erased in the store's own file
}

// openWriter opens the database at path for writing. An empty one is as good as any.
func openWriter(ctx context.Context, path string) (*writer, error) {
	db := openDB(path, "mode=rw", "_pragma=synchronous(full)", "_pragma=secure_delete(1)", "_pragma=wal_autocheckpoint(0)", "_pragma=cache_size(-16384)",
		fmt.Sprintf("_pragma=journal_size_limit(%d)", maxLog))
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &writer{db: db, conn: conn}, nil
}

// prepare readies the connection to a store of the present schema for batches.
func (w *writer) prepare(ctx context.Context) (err error) {
	var mode string
	if err := w.conn.QueryRowContext(ctx, "PRAGMA journal_mode=wal").Scan(&mode); err != nil {
		return err
	} else if mode != "wal" {
		return fmt.Errorf("its file system can't hold a write-ahead log (SQLite chose %q)", mode)
	}
	const oneRow = "(?,?,?,?,?,?)"
	for stmt, text := range map[**sql.Stmt]string{
		&w.begin: "BEGIN IMMEDIATE", &w.commit: "COMMIT", &w.rollback: "ROLLBACK",
		&w.row:  "INSERT INTO message VALUES " + oneRow,
		&w.rows: "INSERT INTO message VALUES " + strings.Repeat(oneRow+",", chunk-1) + oneRow,
		&w.room: "INSERT INTO room VALUES (?,?,?,?,?,?,?,1,zeroblob(8),0,?,?,?,?,?,?,?,?) ON CONFLICT (num) DO UPDATE SET (name, topic, created, owner, peer1, " +
			"peer2, keep_set, keep_age, keep_size, flags, slow, welcome, pins, open) = (excluded.name, excluded.topic, excluded.created, excluded.owner, " +
			"excluded.peer1, excluded.peer2, excluded.keep_set, excluded.keep_age, excluded.keep_size, excluded.flags, excluded.slow, excluded.welcome, " +
			"excluded.pins, excluded.open)",
		&w.low:  "UPDATE room SET low = ?2, base = ?3, base_time = ?4 WHERE num = ?1",
		&w.trim: "DELETE FROM message WHERE id BETWEEN ? AND ?",
		&w.origin: "INSERT INTO origin VALUES (?,?,?,?,?) ON CONFLICT (num) DO UPDATE SET (token, key, last, outcomes) = " +
			"(excluded.token, excluded.key, excluded.last, excluded.outcomes)",
		&w.forgetOrigin: "DELETE FROM origin WHERE num = ?",
		&w.person: "INSERT INTO person VALUES (?,?,?,?,?,?,?) ON CONFLICT (key) DO UPDATE SET (name, since, seen, inviter, seal, remote) = " +
			"(excluded.name, excluded.since, excluded.seen, excluded.inviter, excluded.seal, excluded.remote)",
		&w.forgetPerson: "DELETE FROM person WHERE key = ?",
		&w.invite: "INSERT INTO invite VALUES (?,?,?,?,?,?,?) ON CONFLICT (hash) DO UPDATE SET (room, uses, expires, made, inviter, node) = " +
			"(excluded.room, excluded.uses, excluded.expires, excluded.made, excluded.inviter, excluded.node)",
		&w.forgetInvite: "DELETE FROM invite WHERE hash = ?",
		&w.standing: "INSERT INTO standing VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (room, key, stance) DO UPDATE SET (since, until, by, text, start) = " +
			"(excluded.since, excluded.until, excluded.by, excluded.text, excluded.start)",
		&w.forgetStanding: "DELETE FROM standing WHERE (room, key, stance) = (?,?,?)",
		&w.bar:            "INSERT INTO bar VALUES (?,?,?,?) ON CONFLICT (room, network, key) DO UPDATE SET until = excluded.until",
		&w.forgetBar:      "DELETE FROM bar WHERE (room, network, key) = (?,?,?)",
		&w.last:           "UPDATE meta SET value = ?2 WHERE key = ?1 AND value < ?2",
		&w.text:           "SELECT salt, record FROM message WHERE id = ?",
		&w.redact:         "UPDATE message SET salt = ?2, record = ?3 WHERE id = ?1",
		&w.erasure:        "INSERT INTO erasure VALUES (?, ?) ON CONFLICT DO NOTHING",
		&w.erased:         "DELETE FROM erasure WHERE part = ? AND id = ?",
	} {
		if err := w.ready(ctx, stmt, text); err != nil {
			return err
		}
	}
	return w.prepareLogs(ctx)
}

// ready prepares a statement.
func (w *writer) ready(ctx context.Context, stmt **sql.Stmt, text string) (err error) {
	if *stmt, err = w.conn.PrepareContext(ctx, text); err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	w.prepared = append(w.prepared, *stmt)
	return nil
}

func (w *writer) close() error { return closeConn(w.db, w.conn, w.prepared) }

// closeConn closes a pool of one connection and the statements that were prepared on it: SQLite keeps a connection open until its last statement is
// closed, and package sql does not count those of a sql.Conn.
func closeConn(db *sql.DB, conn *sql.Conn, prepared []*sql.Stmt) error {
	var errs []error
	for _, stmt := range prepared {
		errs = append(errs, stmt.Close())
	}
	if conn != nil {
		errs = append(errs, conn.Close())
	}
	return errors.Join(append(errs, db.Close())...)
}

// do runs f in a transaction, and commits it if f returns nil.
func (w *writer) do(f func() error) error {
	if _, err := w.begin.Exec(); err != nil {
		return err
	}
	err := f()
	if err == nil {
		_, err = w.commit.Exec()
	}
	if err != nil {
		_, _ = w.rollback.Exec() // which SQLite has often done by itself
	}
	return err
}

// Append makes the batch true: when it returns nil, the disk has it. It returns ErrClosed after Close, and ErrOrder, with nothing changed, for rows
// that leave a hole or whose room is not known. Any other error is final: what the disk has of the batch is not known until the store is
// opened again.
func (s *SQLite) Append(b *Batch) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.failure(); err != nil {
		return err
	}
	logs, err := s.follows(b)
	if err != nil {
		return err
	}
	if err := s.writer.do(func() error { return s.writer.write(b, len(s.eras)-1, logs) }); err != nil {
		return s.fail(fmt.Errorf("write to %s: %w", s.opened.File, err))
	}
	s.committed(b, logs)
	return nil
}

// follows is the function of that name, of what is in the store.
func (s *SQLite) follows(b *Batch) (logs map[uint64]*Log, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return follows(b, func(room uint64) (head uint64, known bool) {
		if r := s.rooms[room]; r != nil {
			return r.Head, true
		}
		return 0, false
	}, func(num uint64) *Log { return s.logs[num] })
}

// write puts the batch into the transaction.
func (w *writer) write(b *Batch, era int, logs map[uint64]*Log) error {
	var lastRoom, lastFrom uint64
	for i := range b.Rooms {
		if err := w.writeRoom(&b.Rooms[i]); err != nil {
			return err
		}
		lastRoom = max(lastRoom, b.Rooms[i].Num)
	}
	if err := w.writeRows(b.Rows, era); err != nil {
		return err
	}
	for i := range b.Origins {
		if err := w.writeOrigin(&b.Origins[i]); err != nil {
			return err
		}
		lastFrom = max(lastFrom, b.Origins[i].Num)
	}
	for i := range b.People {
		if err := w.writePerson(&b.People[i]); err != nil {
			return err
		}
	}
	for i := range b.Invites {
		if err := w.writeInvite(&b.Invites[i]); err != nil {
			return err
		}
	}
	for i := range b.Standings {
		if err := w.writeStanding(&b.Standings[i]); err != nil {
			return err
		}
	}
	for i := range b.Bars {
		if err := w.writeBar(&b.Bars[i]); err != nil {
			return err
		}
	}
	if err := w.writeLogs(b, logs); err != nil {
		return err
	}
	w.cuts, w.erasures = w.cuts[:0], false
	if err := errors.Join(w.redactAll(b.Redactions), w.markAll(b.Marked)); err != nil {
		return err
	}
	for key, last := range map[string]uint64{"last_room": lastRoom, "last_from": lastFrom} {
		if last > 0 {
			if _, err := w.last.Exec(key, int64(last)); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeRows inserts rows.
func (w *writer) writeRows(rows []Row, era int) error {
	return w.insert(len(rows), w.row, w.rows, func(i int) {
		r := &rows[i]
		salt := r.Salt[:]
		if r.Sum != nil {
			salt = r.Sum
		}
		w.args = append(w.args, rowID(r.Room, r.Seq), r.Time, era, salt, r.Hash[:], r.Record)
	})
}

// insert inserts count rows of a table, chunk of them at a time; add adds what one consists of to args.
func (w *writer) insert(count int, one, many *sql.Stmt, add func(i int)) error {
	for done := 0; done < count; {
		n, stmt := 1, one
		if count-done >= chunk {
			n, stmt = chunk, many
		}
		w.args = w.args[:0]
		for i := range n {
			add(done + i)
		}
		if _, err := stmt.Exec(w.args...); err != nil {
			return err
		}
		done += n
	}
	clear(w.args[:cap(w.args)]) // the records are not ours to keep
	return nil
}

func (w *writer) writeRoom(r *Room) error {
	_, err := w.room.Exec(int64(r.Num), r.Name, r.Topic, r.Created, idOrNull(r.Owner), idOrNull(r.Peers[0]), idOrNull(r.Peers[1]),
		r.Keep.Set, int64(r.Keep.Age), r.Keep.Size, flagsOf(&r.Rules), int64(r.Rules.Slow), r.Rules.Welcome, pinsOf(r.Rules.Pins), int64(r.Rules.Open))
	return err
}

func (w *writer) writeOrigin(o *Origin) (err error) {
	switch {
	case o.Retired && o.Last == 0:
		_, err = w.forgetOrigin.Exec(int64(o.Num))
	case o.Retired:
		_, err = w.origin.Exec(int64(o.Num), nil, o.Key[:], int64(o.Last), nil)
	default:
		w.out = appendOutcomes(w.out[:0], o.Outcomes)
		_, err = w.origin.Exec(int64(o.Num), o.Token[:], o.Key[:], int64(o.Last), w.out)
	}
	return err
}

func (w *writer) writePerson(p *Person) (err error) {
	if p.Gone {
		_, err = w.forgetPerson.Exec(p.Key[:])
	} else {
		_, err = w.person.Exec(p.Key[:], sql.NullString{String: p.Name, Valid: p.Name != ""}, p.Since, p.Seen, idOrNull(p.Inviter), p.Seal, p.Remote)
	}
	return err
}

func (w *writer) writeInvite(i *Invite) (err error) {
	if i.Uses == 0 {
		_, err = w.forgetInvite.Exec(i.Hash[:])
	} else {
		_, err = w.invite.Exec(i.Hash[:], i.Room, i.Uses, i.Expires, i.Made, i.Inviter[:], i.Node)
	}
	return err
}

// committed notes in memory what the disk now has, and has the store tended when it has grown.
func (s *SQLite) committed(b *Batch, logs map[uint64]*Log) {
	s.mu.Lock()
	for _, r := range b.Rooms {
		if s.rooms[r.Num] == nil {
			s.rooms[r.Num] = &ends{RoomState: RoomState{Low: 1}}
		}
		s.rooms[r.Num].Room = r
	}
	pages := 2 + b.entries() // about: each is in a page of its own, which is written whole
	size := int64(0)
	for i := range b.Rows {
		row := &b.Rows[i]
		if i == 0 || row.Room != b.Rows[i-1].Room {
			s.moved[row.Room] = struct{}{}
			pages++
		}
		room := s.rooms[row.Room]
		room.Head, room.Hash, room.Time = row.Seq, row.Hash, row.Time
		room.size += int64(len(row.Record))
		size += int64(len(row.Record))
	}
	for num, l := range logs {
		s.logs[num] = l
	}
	for i := range b.Entries {
		size += int64(b.Entries[i].size())
	}
	for _, c := range s.writer.cuts {
		if room := s.rooms[c.room]; c.seq > room.opened {
			room.size -= c.by
		}
	}
	s.mu.Unlock()
	s.rows.Add(uint64(len(b.Rows)))
	s.logged += int64(pages*pageSize) + size
	s.grown += size
	if s.logged >= checkpointAt || s.opt.Total > 0 && s.grown >= s.opt.Total/trimShare {
		s.nudge()
	}
	if len(b.Rows)+len(b.Redactions)+len(b.Marked) > 0 {
		s.index.nudge()
	}
	if s.writer.erasures {
		s.nudgeEraser()
	}
}

// idOrNull is an id as SQLite is given it.
func idOrNull(id identity.ID) any {
	if id.IsZero() {
		return nil
	}
	return id[:]
}

// welcomeCopy gives a backup that was put in place an epoch of its own, so that clients notice, and logs of its own, so that none of its node's ever says two
// things at one place, and reports whether it was one.
func (w *writer) welcomeCopy(ctx context.Context) (restored bool, err error) {
	var era int
	err = w.conn.QueryRowContext(ctx, "SELECT max(num) FROM era WHERE EXISTS (SELECT * FROM meta WHERE key = ?) HAVING max(num) IS NOT NULL", metaCopied).Scan(&era)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, inTransaction(ctx, w.conn, func() error {
		if err := errors.Join(newEra(ctx, w.conn, era+1), newNonce(ctx, w.conn)); err != nil {
			return err
		}
		_, err := w.conn.ExecContext(ctx, "DELETE FROM meta WHERE key = ?", metaCopied)
		return err
	})
}

// NodeKey returns the node's private key as it was first kept: text is kept when there is none yet.
func (s *SQLite) NodeKey(text []byte) ([]byte, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.failure(); err != nil {
		return nil, err
	}
	ctx := context.Background()
	var kept []byte
	err := inTransaction(ctx, s.writer.conn, func() error {
		if _, err := s.writer.conn.ExecContext(ctx, "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO NOTHING", metaNodeKey, text); err != nil {
			return err
		}
		return s.writer.conn.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = ?", metaNodeKey).Scan(&kept)
	})
	if err != nil {
		return nil, s.fail(fmt.Errorf("write to %s: %w", s.opened.File, err))
	}
	return kept, nil
}
