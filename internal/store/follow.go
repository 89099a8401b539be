package store

import (
	"fmt"
)

// follows returns the logs that the batch is about as they are behind it, or an error that wraps ErrOrder unless its rows and entries go on from those that
// are there. logOf returns nil for a log that is not known; what it returns is not changed.
func follows(b *Batch, headOf func(room uint64) (head uint64, known bool), logOf func(num uint64) *Log) (logs map[uint64]*Log, err error) {
	heads := map[uint64]uint64{}
	for _, r := range b.Rooms {
		if r.Num > maxRoom {
			return nil, fmt.Errorf("room %d is beyond what a store can number: %w", r.Num, ErrOrder)
		}
		heads[r.Num] = 0
	}
	endOf := func(room uint64) (head uint64, known bool) {
		head, known = heads[room]
		if head == 0 {
			if stored, is := headOf(room); is {
				head, known = stored, true
			}
		}
		return head, known
	}
	for i := range b.Rows {
		row := &b.Rows[i]
		if head, known := endOf(row.Room); !known || row.Seq != head+1 || row.Seq > maxSeq {
			return nil, fmt.Errorf("room %d, row %d: %w", row.Room, row.Seq, ErrOrder)
		}
		heads[row.Room] = row.Seq
	}
	return followLogs(b, endOf, logOf)
}

// followLogs is the part of follows that is about logs and their entries.
func followLogs(b *Batch, endOf func(room uint64) (head uint64, known bool), logOf func(num uint64) *Log) (logs map[uint64]*Log, err error) {
	if len(b.Logs)+len(b.Entries) == 0 {
		return nil, nil
	}
	logs = map[uint64]*Log{}
	find := func(num uint64) *Log {
		if l := logs[num]; l != nil {
			return l
		}
		l := logOf(num)
		if l != nil {
			own := *l
			l, logs[num] = &own, &own
		}
		return l
	}
	for i := range b.Logs {
		given := &b.Logs[i]
		l := find(given.Num)
		if l == nil {
			l = &Log{}
			logs[given.Num] = l
		} else if l.Key != given.Key || l.Nonce != given.Nonce || l.Room != given.Room {
			return nil, fmt.Errorf("log %d is another one: %w", given.Num, ErrOrder)
		}
		if _, known := endOf(given.Room); !known || given.Num == 0 || given.Num > maxRoom || given.Low > maxSeq || given.Forked > maxSeq {
			return nil, fmt.Errorf("log %d can't be one of room %d: %w", given.Num, given.Room, ErrOrder)
		}
		l.change(given)
	}
	for i := range b.Entries {
		e := &b.Entries[i]
		l := find(e.Log)
		if l == nil || e.Seq != l.Head+1 || e.Seq > maxSeq || e.Room != l.Room || e.Lamport > maxLamport {
			return nil, fmt.Errorf("log %d, entry %d: %w", e.Log, e.Seq, ErrOrder)
		}
		if head, _ := endOf(e.Room); e.Row > head || e.Row == 0 && !e.Hidden || e.Same > head || e.Same > 0 && !e.Hidden {
			return nil, fmt.Errorf("log %d, entry %d is of row %d of %d: %w", e.Log, e.Seq, e.Row, head, ErrOrder)
		}
		l.grow(e)
	}
	return logs, nil
}

// change takes up what a batch says of a log; a zero one is begun.
func (l *Log) change(given *Log) {
	switch {
	case l.Num == 0:
		*l = *given
		l.leap(max(1, given.Low))
	case given.Low > l.Head+1:
		l.leap(given.Low)
	}
	l.Forked = given.Forked
}

// leap has a log go on with another entry than the one that comes next.
func (l *Log) leap(low uint64) {
	l.Low, l.Head, l.HeadID, l.Lamport = low, low-1, [32]byte{}, 0
}

// grow takes up the next entry.
func (l *Log) grow(e *Entry) { l.Head, l.HeadID, l.Lamport = e.Seq, e.ID, e.Lamport }

// isForked reports whether an entry of the log is one of those from which on it says two things.
func (l *Log) isForked(seq uint64) bool { return l.Forked > 0 && seq >= l.Forked }

// size is how many bytes an entry counts with where a page of them is bounded.
func (e *Entry) size() int { return len(e.Header) + len(e.Sig) + len(e.Salt) + len(e.Body) }
