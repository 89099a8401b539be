package store

import (
	"cmp"
	"container/heap"
	"context"
	"database/sql"
	"fmt"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

const (
	// aheadAll is how many rows all rooms together are read ahead of a timeline, and aheadOne how many a single room is.
	aheadAll = 8192
	aheadOne = 256
)

// Message is a row of a timeline.
type Message struct {
	*wire.Event
	Room *RoomState
	Hash chat.Hash // the room's rolling hash after it
}

// Timeline calls f for each message of the given rooms that was written at since (milliseconds since the Unix epoch) or later, across rooms
// in the order of their times, and in each in the order of its log. A row that is missing or can't be read is passed over; the first one is returned at
// the end, as a *Fault. An error of f's ends it and is returned.
func (a *Archive) Timeline(ctx context.Context, rooms []RoomState, since int64, progress Progress, f func(Message) error) error {
	t, err := a.newTimeline(ctx, rooms, since)
	if err != nil {
		return a.explain(ctx, err)
	}
	defer t.page.Close()
	for done := int64(0); len(t.reels) > 0; done++ {
		if done%progressEvery == 0 {
			progress(Step{Doing: "exporting", Done: done, Total: t.total})
		}
		r := t.reels[0]
		row := &r.rows[0]
		if event, err := decodeEvent(row.record); err != nil {
			t.missed(r.room, row.seq, "it can't be read: "+err.Error())
		} else if err := f(Message{event, r.room, row.hash}); err != nil {
			return err
		}
		if r.rows = r.rows[1:]; len(r.rows) == 0 {
			if err := t.load(ctx, r); err != nil {
				return a.explain(ctx, err)
			}
		}
		if len(r.rows) == 0 {
			heap.Pop(&t.reels)
		} else {
			heap.Fix(&t.reels, 0)
		}
	}
	if t.fault != nil {
		return t.fault
	}
	return nil
}

// timeline merges the logs of rooms.
type timeline struct {
	page  *sql.Stmt
	ahead int // rows of a room that are read at a time
	reels reels
	total int64 // rows to come, about
	fault *Fault
}

// reel is a room's log from somewhere on.
type reel struct {
	room *RoomState
	next uint64 // first seq behind rows
	rows []timedRow
}

type timedRow struct {
	seq    uint64
	time   int64
	hash   chat.Hash
	record []byte
}

// reels is a heap (container/heap) of those that have rows, the one with the earliest first.
type reels []*reel

func (h reels) Len() int { return len(h) }
func (h reels) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[i].rows[0].time, h[j].rows[0].time), cmp.Compare(h[i].room.Num, h[j].room.Num)) < 0
}
func (h reels) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *reels) Push(r any)   { *h = append(*h, r.(*reel)) }
func (h *reels) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func (a *Archive) newTimeline(ctx context.Context, rooms []RoomState, since int64) (_ *timeline, err error) {
	t := &timeline{ahead: max(1, min(aheadOne, aheadAll/max(1, len(rooms))))}
	const page = "SELECT id, time, hash, record FROM message WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"
	if t.page, err = a.conn.PrepareContext(ctx, page); err != nil {
		return nil, err
	}
	for i := range rooms {
		r := &reel{room: &rooms[i]}
		if r.next, err = t.firstAt(ctx, r.room, since); err == nil {
			t.total += int64(r.room.Head + 1 - r.next)
			err = t.load(ctx, r)
		}
		if err != nil {
			t.page.Close()
			return nil, err
		}
		if len(r.rows) > 0 {
			t.reels = append(t.reels, r)
		}
	}
	heap.Init(&t.reels)
	return t, nil
}

// read calls f for the rows of a room from seq on, limit of them at most.
func (t *timeline) read(ctx context.Context, room *RoomState, seq uint64, limit int, f func(timedRow)) error {
	rows, err := t.page.QueryContext(ctx, rowID(room.Num, seq), rowID(room.Num, room.Head), limit)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var row timedRow
		var hash []byte
		if err := rows.Scan(&id, &row.time, &hash, &row.record); err != nil {
			return err
		}
		copy(row.hash[:], hash)
		_, row.seq = rowAt(id)
		f(row)
	}
	return rows.Err()
}

// missed notes a row that can't be told.
func (t *timeline) missed(room *RoomState, seq uint64, why string) {
	t.fault = cmp.Or(t.fault, &Fault{chat.OneLine(fmt.Sprintf("%s, row %d: %s", room.label(), seq, why))})
}

// load reads a reel's next rows; it has none when the room's log has ended.
func (t *timeline) load(ctx context.Context, r *reel) error {
	r.rows = nil // not its memory: messages hold on to it
	if r.next > r.room.Head {
		return nil
	}
	return t.read(ctx, r.room, r.next, t.ahead, func(row timedRow) {
		if row.seq != r.next {
			t.missed(r.room, r.next, "it is missing")
		}
		r.next = row.seq + 1
		r.rows = append(r.rows, row)
	})
}

// firstAt returns the first seq of a room that was written at since or later, Head+1 when there is none.
func (t *timeline) firstAt(ctx context.Context, room *RoomState, since int64) (uint64, error) {
	low, high := room.Low, room.Head+1 // the answer is one of them or between: times never decrease in a room
	for low < high && since > 0 {
		middle := low + (high-low)/2
		found, at := high, int64(0)
		if err := t.read(ctx, room, middle, 1, func(row timedRow) { found, at = row.seq, row.time }); err != nil {
			return 0, err
		}
		if found < high && at < since {
			low = found + 1
		} else {
			high = middle
		}
	}
	return low, nil
}
