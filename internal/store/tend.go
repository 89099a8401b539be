package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"chatnode/internal/chat"
)

const (
	// pageSize is what SQLite writes at a time, in bytes.
	pageSize = 4096
	// checkpointAt is about how many bytes the write-ahead log grows by before it is copied into the database.
	checkpointAt = 8 << 20
	// maxLog is how large the write-ahead log's file stays, in bytes: it grows beyond only as long as somebody reads what a long copy begins with.
	maxLog = 64 << 20
	// checkpointPatience is how long batches wait for readers to leave the write-ahead log, so that it can begin anew.
	checkpointPatience = 100 * time.Millisecond
	// retainEvery is how often old rows are let go of.
	retainEvery = time.Minute
	// trimShare is the part of a bound on size, 1/trimShare, by which the rows may pass it for a while.
	trimShare = 16
	// trimAtOnce is how many rows are deleted in one transaction, and trimBytes about how many bytes of them: batches wait that long.
	trimAtOnce = 1000
	trimBytes  = 1 << 20
)

// nudge has the store tended soon.
func (s *SQLite) nudge() {
	select {
	case s.work <- struct{}{}:
	default:
	}
}

// tend copies the write-ahead log into the database when it has grown, and lets go of rows that are not to be kept, until ctx ends.
func (s *SQLite) tend(ctx context.Context) {
	ticker := time.NewTicker(retainEvery)
	defer ticker.Stop()
	for due := true; ; {
		if err := s.tendOnce(ctx, due); err != nil && ctx.Err() == nil {
			s.opt.Log.Error("the store can't go on", "err", s.fail(err))
			return
		}
		due = false
		select {
		case <-s.work:
		case <-ticker.C:
			due = true
		case <-ctx.Done():
			return
		}
	}
}

func (s *SQLite) tendOnce(ctx context.Context, due bool) error {
	if err := s.checkpoint(ctx); err != nil {
		return err
	}
	s.writing.Lock()
	grown := s.grown
	s.writing.Unlock()
	if due || s.opt.Total > 0 && grown >= s.opt.Total/trimShare {
		return s.Retain(ctx)
	}
	return nil
}

// checkpoint copies the write-ahead log, when it has grown, into the database while batches go on, and then, while they wait for a moment, what
// has come in between. By then no new reader needs the log, and when those who are still at it have left, the next batch begins it anew: so it
// stays small however busy the node is. One who stays longer, such as a backup, has it grow until the next time.
func (s *SQLite) checkpoint(ctx context.Context) error {
	s.writing.Lock()
	logged := s.logged
	s.writing.Unlock()
	if logged < checkpointAt {
		return nil
	}
	if _, err := s.keeper.ExecContext(ctx, "PRAGMA wal_checkpoint(passive)"); err != nil {
		return fmt.Errorf("copy the log of %s: %w", s.opened.File, err)
	}
	s.opt.Moment(InCheckpoint)
	s.writing.Lock()
	defer s.writing.Unlock()
	s.logged = 0
	if _, err := s.keeper.ExecContext(ctx, "PRAGMA wal_checkpoint(restart)"); err != nil { // that it gave up is in its row, which is no error
		return fmt.Errorf("copy the log of %s: %w", s.opened.File, err)
	}
	return nil
}

// Retain lets go of the rows that are not to be kept now, the oldest first. It is called by the store itself every minute, and when it has grown. Its
// error is final, as that of Append.
func (s *SQLite) Retain(ctx context.Context) error {
	s.retaining.Lock()
	defer s.retaining.Unlock()
	if err := s.failure(); err != nil {
		return err
	}
	s.writing.Lock()
	s.grown = 0
	s.writing.Unlock()
	if err := s.measure(ctx); err != nil {
		return err
	}
	for _, room := range s.all() {
		keep := room.Keep
		if !keep.Set {
			keep = s.opt.Keep
		}
		if err := s.retainRoom(ctx, room.Num, keep); err != nil {
			return err
		}
	}
	return s.retainTotal(ctx)
}

// each calls f for the ends of each room, which are not f's to keep. No batch becomes known meanwhile.
func (s *SQLite) each(f func(e *ends)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, e := range s.rooms {
		f(e)
	}
}

// all returns the ends of all rooms.
func (s *SQLite) all() (all []ends) {
	s.each(func(e *ends) { all = append(all, *e) })
	return all
}

// takeMoved adds the rooms that have grown or lost rows since it was last called.
func (s *SQLite) takeMoved(to map[uint64]struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for room := range s.moved {
		to[room] = struct{}{}
	}
	clear(s.moved)
}

// measure learns how large the rooms are that have been there before, if a bound on size asks for that, once.
func (s *SQLite) measure(ctx context.Context) error {
	for _, room := range s.all() {
		bound := s.opt.Total > 0 || s.opt.Keep.Size > 0 && !room.Keep.Set || room.Keep.Size > 0
		if !bound || room.opened == 0 {
			continue
		}
		var size int64
		err := s.db.QueryRowContext(ctx, "SELECT coalesce(sum(length(record)), 0) FROM message WHERE id BETWEEN ? AND ?",
			rowID(room.Num, room.Low), rowID(room.Num, room.opened)).Scan(&size)
		if err != nil {
			return fmt.Errorf("measure room %d: %w", room.Num, err)
		}
		s.mu.Lock()
		s.rooms[room.Num].size += size
		s.rooms[room.Num].opened = 0
		s.mu.Unlock()
	}
	return nil
}

// retainRoom lets go of what one room is not to keep.
func (s *SQLite) retainRoom(ctx context.Context, room uint64, keep Keep) error {
	if keep.Age > 0 {
		edge := chat.Millis(s.opt.Now().Add(-keep.Age))
		if err := s.trim(ctx, room, func(at, _ int64) bool { return at < edge }); err != nil {
			return err
		}
	}
	if keep.Size > 0 {
		return s.trimTo(ctx, room, keep.Size)
	}
	return nil
}

// retainTotal has the largest rooms lose their oldest rows until all of them together are within the bound, and, so that it is seldom needed,
// one part in trimShare of it more.
func (s *SQLite) retainTotal(ctx context.Context) error {
	if s.opt.Total <= 0 {
		return nil
	}
	all := s.all()
	total := int64(0)
	for i := range all {
		total += all[i].size
	}
	if total <= s.opt.Total {
		return nil
	}
	level := waterline(all, s.opt.Total-s.opt.Total/trimShare)
	for i := range all {
		if all[i].size <= level {
			continue
		}
		if err := s.trimTo(ctx, all[i].Num, level); err != nil {
			return err
		}
	}
	return nil
}

// waterline returns the highest bound on the size of each room with which all rooms together are within total.
func waterline(rooms []ends, total int64) int64 {
	slices.SortFunc(rooms, func(a, b ends) int { return cmp.Compare(a.size, b.size) })
	for i := range rooms {
		if share := total / int64(len(rooms)-i); rooms[i].size > share {
			return share
		}
		total -= rooms[i].size
	}
	return math.MaxInt64
}

func (s *SQLite) sizeOf(room uint64) int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.rooms[room].size
}

// trimTo lets go of a room's oldest rows until what is left of it is at most bound.
func (s *SQLite) trimTo(ctx context.Context, room uint64, bound int64) error {
	size := s.sizeOf(room)
	return s.trim(ctx, room, func(_, length int64) bool {
		over := size > bound
		size -= length
		return over
	})
}

// trim lets go of a room's oldest rows as long as goes says so, which is told the time and the length of each.
func (s *SQLite) trim(ctx context.Context, room uint64, goes func(at, length int64) bool) error {
	for {
		cut, more, err := s.findCut(ctx, room, goes)
		if err != nil || cut.rows == 0 {
			return err
		}
		if err := s.cut(room, cut); err != nil {
			return s.fail(fmt.Errorf("let go of old rows in %s: %w", s.opened.File, err))
		}
		if !more {
			return nil
		}
		if err := s.checkpoint(ctx); err != nil { // what is let go of passes through the log too
			return err
		}
	}
}

// cut is a run of a room's oldest rows.
type cut struct {
	low  uint64 // the first seq behind it
	rows int
	size int64     // of their records, as far as it is counted in ends.size
	all  int64     // of all their records
	base chat.Hash // the rolling hash before low
	time int64     // of the row before low
}

// findCut returns the first rows that go, trimAtOnce of them at most, and whether there may be more.
func (s *SQLite) findCut(ctx context.Context, room uint64, goes func(at, length int64) bool) (c cut, more bool, err error) {
	e, _, err := s.ends(room)
	if err != nil {
		return cut{}, false, err
	}
	stop := errors.New("enough")
	err = each(ctx, s.db, "SELECT id, time, length(record), hash FROM message WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?", func(scan scan) error {
		var id, at, length int64
		var hash []byte
		if err := scan(&id, &at, &length, &hash); err != nil {
			return err
		}
		_, seq := rowAt(id)
		if more = c.all >= trimBytes; more || !goes(at, length) {
			return stop
		}
		c.low, c.time, c.rows, c.all = seq+1, at, c.rows+1, c.all+length
		if seq > e.opened {
			c.size += length
		}
		return fillWhole(c.base[:], hash)
	}, rowID(room, e.Low), rowID(room, e.Head), trimAtOnce)
	if errors.Is(err, stop) {
		return c, more, nil
	}
	return c, c.rows == trimAtOnce, err
}

// cut lets go of rows. Readers are told first, so that they never look for a row that they were promised.
func (s *SQLite) cut(room uint64, c cut) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.failure(); err != nil {
		return err
	}
	lows, err := s.lowsBelow(room, c.low)
	if err != nil {
		return err
	}
	s.mu.Lock()
	for num, low := range lows {
		l := *s.logs[num]
		l.Low = max(l.Low, low)
		s.logs[num] = &l
	}
	e := s.rooms[room]
	low := e.Low
	e.Low, e.base = c.low, c.base
	e.size -= c.size
	s.moved[room] = struct{}{}
	s.mu.Unlock()
	s.index.nudge()
	s.logged += 4*pageSize + c.all + int64(c.rows)*rowOverhead // they are overwritten with zeros
	if s.logged >= checkpointAt {
		s.nudge()
	}
	return s.writer.do(func() error {
		if _, err := s.writer.low.Exec(int64(room), int64(c.low), c.base[:], c.time); err != nil {
			return err
		}
		if len(lows) > 0 {
			if err := s.writer.trimEntries(room, low, c.low, lows); err != nil { // before the rows, which have their texts
				return err
			}
		}
		if _, err := s.writer.trim.Exec(rowID(room, low), rowID(room, c.low-1)); err != nil {
			return err
		}
		s.opt.Moment(InRetention)
		return nil
	})
}
