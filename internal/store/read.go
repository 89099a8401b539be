package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"chatnode/internal/chat"
)

// Load returns the state after the last batch.
func (s *SQLite) Load() (State, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.failure(); err != nil {
		return State{}, err
	}
	state, err := loadState(context.Background(), s.writer.conn)
	if err != nil {
		return State{}, fmt.Errorf("load %s: %w", s.opened.File, err)
	}
	return state, nil
}

// loadState reads all that the sequencer needs.
func loadState(ctx context.Context, db querier) (state State, err error) {
	eras, err := loadEras(ctx, db)
	if err != nil {
		return State{}, err
	}
	state.Epoch = eras[len(eras)-1]
	if err := each(ctx, db, "SELECT max(CASE key WHEN 'last_room' THEN value END), max(CASE key WHEN 'last_from' THEN value END) FROM meta "+
		"WHERE key IN ('last_room', 'last_from')", func(scan scan) error { return scan(&state.LastRoom, &state.LastFrom) }); err != nil {
		return State{}, err
	}
	if err := loadRooms(ctx, db, func(e *ends) { state.Rooms = append(state.Rooms, e.RoomState) }); err != nil {
		return State{}, err
	}
	if err := loadOrigins(ctx, db, func(o Origin) { state.Origins = append(state.Origins, o) }); err != nil {
		return State{}, err
	}
	if err := loadPeople(ctx, db, func(p Person) { state.People = append(state.People, p) }); err != nil {
		return State{}, err
	}
	if err := loadInvites(ctx, db, func(i Invite) { state.Invites = append(state.Invites, i) }); err != nil {
		return State{}, err
	}
	if err := loadStandings(ctx, db, func(s Standing) { state.Standings = append(state.Standings, s) }); err != nil {
		return State{}, err
	}
	if err := loadBars(ctx, db, func(b Bar) { state.Bars = append(state.Bars, b) }); err != nil {
		return State{}, err
	}
	return state, loadShared(ctx, db, &state)
}

// loadRooms reads the rooms and the last row of each, in the order of their numbers.
func loadRooms(ctx context.Context, db querier, found func(*ends)) error {
	const query = "SELECT r.num, r.name, r.topic, r.created, r.owner, r.peer1, r.peer2, r.low, r.base, r.base_time, r.keep_set, r.keep_age, r.keep_size, " +
		"r.flags, r.slow, r.welcome, r.pins, r.open, m.id, m.time, m.hash FROM room r LEFT JOIN message m ON m.id = (SELECT max(id) FROM message WHERE id BETWEEN r.num << ?1 AND (r.num << ?1) + ?2) " +
		"ORDER BY r.num"
	return each(ctx, db, query, func(scan scan) error {
		var e ends
		var owner, peer1, peer2, base, pins, hash []byte
		var id, at sql.NullInt64
		var flags, open int64
		err := scan(&e.Num, &e.Name, &e.Topic, &e.Created, &owner, &peer1, &peer2, &e.Low, &base, &e.Time, &e.Keep.Set, &e.Keep.Age, &e.Keep.Size,
			&flags, &e.Rules.Slow, &e.Rules.Welcome, &pins, &open, &id, &at, &hash)
		if err != nil {
			return err
		}
		err = errors.Join(fill(e.Owner[:], owner), fill(e.Peers[0][:], peer1), fill(e.Peers[1][:], peer2), fillWhole(e.base[:], base),
			rulesOf(&e.Rules, flags, open, pins))
		e.Head, e.Hash = e.Low-1, e.base
		if id.Valid {
			_, e.Head = rowAt(id.Int64)
			e.Time = at.Int64
			err = errors.Join(err, fillWhole(e.Hash[:], hash))
		}
		if err == nil && (e.Low == 0 || e.Head+1 < e.Low || e.Num > maxRoom) {
			err = fmt.Errorf("%w (its rows begin at %d and end at %d)", ErrDamaged, e.Low, e.Head)
		}
		if err != nil {
			return fmt.Errorf("room %d: %w", e.Num, err)
		}
		found(&e)
		return nil
	}, seqBits, int64(maxSeq))
}

// loadOrigins reads the origins in the order of their numbers.
func loadOrigins(ctx context.Context, db querier, found func(Origin)) error {
	return each(ctx, db, "SELECT num, token, key, last, outcomes FROM origin ORDER BY num", func(scan scan) error {
		var o Origin
		var token, key, outcomes []byte
		if err := scan(&o.Num, &token, &key, &o.Last, &outcomes); err != nil {
			return err
		}
		o.Retired = token == nil
		err := errors.Join(fill(o.Token[:], token), fillWhole(o.Key[:], key))
		if err == nil {
			o.Outcomes, err = parseOutcomes(outcomes, o.Last)
		}
		if err != nil {
			return fmt.Errorf("origin %d: %w", o.Num, err)
		}
		found(o)
		return nil
	})
}

// loadPeople reads who has joined, in the order of their keys.
func loadPeople(ctx context.Context, db querier, found func(Person)) error {
	return each(ctx, db, "SELECT key, name, since, seen, inviter, seal, remote FROM person ORDER BY key", func(scan scan) error {
		var p Person
		var key, inviter []byte
		var name sql.NullString
		if err := scan(&key, &name, &p.Since, &p.Seen, &inviter, &p.Seal, &p.Remote); err != nil {
			return err
		}
		p.Name = name.String
		err := errors.Join(fillWhole(p.Key[:], key), fill(p.Inviter[:], inviter))
		if p.Seal != nil && len(p.Seal) != SealLen {
			err = errors.Join(err, fmt.Errorf("%w (a sealing key of %d bytes)", ErrDamaged, len(p.Seal)))
		}
		if err != nil {
			return fmt.Errorf("person %x: %w", key, err)
		}
		found(p)
		return nil
	})
}

// loadInvites reads the invitations, in the order of their hashes.
func loadInvites(ctx context.Context, db querier, found func(Invite)) error {
	return each(ctx, db, "SELECT hash, room, uses, expires, made, inviter, node FROM invite ORDER BY hash", func(scan scan) error {
		var i Invite
		var hash, inviter []byte
		if err := scan(&hash, &i.Room, &i.Uses, &i.Expires, &i.Made, &inviter, &i.Node); err != nil {
			return err
		}
		if err := errors.Join(fillWhole(i.Hash[:], hash), fillWhole(i.Inviter[:], inviter)); err != nil {
			return fmt.Errorf("invitation %x: %w", hash, err)
		}
		found(i)
		return nil
	})
}

// fill copies a value of fixed size; one that is absent stays zero.
func fill(dst, src []byte) error {
	if src != nil && len(src) != len(dst) {
		return fmt.Errorf("%w (%d bytes where %d belong)", ErrDamaged, len(src), len(dst))
	}
	copy(dst, src)
	return nil
}

// fillWhole copies a value of fixed size that has to be there: of one without bytes the driver makes none.
func fillWhole(dst, src []byte) error {
	if src == nil {
		src = []byte{}
	}
	return fill(dst, src)
}

// ends returns the ends of a room's log, and whether there is such a room.
func (s *SQLite) ends(room uint64) (ends, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ends{}, false, ErrClosed
	}
	if e := s.rooms[room]; e != nil {
		return *e, true, nil
	}
	return ends{}, false, nil
}

// Page returns the records of a room from seq from to seq to, as many whole ones as fit into size bytes but at least one, and the seq
// after the last of them. The bytes are the caller's. It returns ErrTrimmed when from is below the room's low, ErrNoRow when there is no
// such row. Other errors are the disk's.
func (s *SQLite) Page(room, from, to uint64, size int) (records []byte, next uint64, err error) {
	s.asking.RLock()
	defer s.asking.RUnlock()
	e, known, err := s.ends(room)
	switch {
	case err != nil:
		return nil, 0, err
	case !known || from > e.Head || from > to:
		return nil, 0, ErrNoRow
	case from < e.Low:
		return nil, 0, ErrTrimmed
	}
	rows, err := s.db.Query("SELECT id, record FROM message WHERE id BETWEEN ? AND ? ORDER BY id", rowID(room, from), rowID(room, min(to, e.Head)))
	if err != nil {
		return nil, 0, s.readError(room, from, err)
	}
	defer rows.Close()
	var raw sql.RawBytes
	var id int64
	for next = from; rows.Next(); next++ {
		if err := rows.Scan(&id, &raw); err != nil {
			return nil, 0, s.readError(room, from, err)
		}
		if id != rowID(room, next) {
			return nil, 0, s.missing(room, next)
		}
		if next > from && len(records)+len(raw) > size {
			return records, next, nil
		}
		if records == nil {
			records = make([]byte, 0, max(len(raw), min(size, int(min(to, e.Head)-from+1)*(len(raw)+len(raw)/2))))
		}
		records = append(records, raw...)
	}
	if err := rows.Err(); err != nil {
		return nil, 0, s.readError(room, from, err)
	}
	if next == from || next <= min(to, e.Head) {
		return nil, 0, s.missing(room, next)
	}
	return records, next, nil
}

// missing says why a row that was there a moment ago is not: it was let go of meanwhile, or the store is damaged.
func (s *SQLite) missing(room, seq uint64) error {
	if e, known, err := s.ends(room); err != nil || known && seq < e.Low {
		return errors.Join(err, ErrTrimmed)
	}
	return s.readError(room, seq, ErrDamaged)
}

// readError says where reading failed; after Close, that this is why.
func (s *SQLite) readError(room, seq uint64, err error) error {
	if s.isClosed() {
		return ErrClosed
	}
	return fmt.Errorf("read room %d from row %d: %w", room, seq, err)
}

// HashAt returns a room's rolling hash after seq, which is zero for seq 0, always. It returns ErrTrimmed when that is not known any more, ErrNoRow
// when there is no such row. The hash before the room's low is kept.
func (s *SQLite) HashAt(room, seq uint64) (hash chat.Hash, err error) {
	s.asking.RLock()
	defer s.asking.RUnlock()
	return s.hashAt(room, seq)
}

func (s *SQLite) hashAt(room, seq uint64) (hash chat.Hash, err error) {
	e, known, err := s.ends(room)
	switch {
	case err != nil:
		return chat.Hash{}, err
	case !known || seq > e.Head:
		return chat.Hash{}, ErrNoRow
	case seq == 0:
		return chat.Hash{}, nil
	case seq == e.Head:
		return e.Hash, nil
	case seq+1 == e.Low:
		return e.base, nil
	case seq < e.Low:
		return chat.Hash{}, ErrTrimmed
	}
	var raw []byte
	err = s.db.QueryRow("SELECT hash FROM message WHERE id = ?", rowID(room, seq)).Scan(&raw)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		if err := s.missing(room, seq); !errors.Is(err, ErrTrimmed) {
			return chat.Hash{}, err
		}
		return s.hashAt(room, seq) // its row went meanwhile; if it was the last to go, its hash is kept
	case err != nil:
		return chat.Hash{}, s.readError(room, seq, err)
	}
	if err := fillWhole(hash[:], raw); err != nil {
		return chat.Hash{}, s.readError(room, seq, err)
	}
	return hash, nil
}

// Low returns the first seq of a room that is kept, Head+1 when none is, 1 for a room that is not known.
func (s *SQLite) Low(room uint64) (uint64, error) {
	e, known, err := s.ends(room)
	if err != nil || !known {
		return 1, err
	}
	return e.Low, nil
}

// SeqAt returns the first seq of a room whose row was written at time (milliseconds since the Unix epoch) or later, Head+1 when there is none, and
// ErrNoRow for a room that is not known.
func (s *SQLite) SeqAt(room uint64, time int64) (uint64, error) {
	s.asking.RLock()
	defer s.asking.RUnlock()
	e, known, err := s.ends(room)
	switch {
	case err != nil:
		return 0, err
	case !known:
		return 0, ErrNoRow
	}
	low, high := e.Low, e.Head+1 // the answer is one of them or between: times never decrease in a room
	for low < high {
		middle := low + (high-low)/2
		at, err := s.timeAt(room, middle)
		switch {
		case errors.Is(err, ErrTrimmed):
			low = middle + 1
		case err != nil:
			return 0, err
		case at < time:
			low = middle + 1
		default:
			high = middle
		}
	}
	return low, nil
}

// timeAt returns when a row was written.
func (s *SQLite) timeAt(room, seq uint64) (at int64, err error) {
	err = s.db.QueryRow("SELECT time FROM message WHERE id = ?", rowID(room, seq)).Scan(&at)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, s.missing(room, seq)
	case err != nil:
		return 0, s.readError(room, seq, err)
	}
	return at, nil
}
