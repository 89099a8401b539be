package hub

import (
	"slices"
	"sync"

	"chatnode/internal/wire"
)

// item is one thing for the sequencer to do: a record of a session, or a function.
type item struct {
	session *Session
	record  wire.Record // *wire.Pub, Join, Part or Nick
	size    int
	act     *heard     // that the record is; nil for another
	moved   *elsewhere // of a Join that has a place on another node
	writes  bool       // do may make rows
	do      func()
	done    chan struct{} // closed after the commit of the batch that do was part of
}

// publishes reports whether the item may become a row.
func (it item) publishes() bool {
	_, ok := it.record.(*wire.Pub)
	return ok || it.writes
}

// queue holds what waits for the sequencer, in order. It is bounded in bytes: put waits while it is full. What one session can have in
// it is bounded by Session.Submit.
type queue struct {
	wake chan struct{} // capacity 1: a hint that there is something; never closed

	// mu promises that items, bytes and closed agree, and that somebody who waits in put has been woken while there is room.
	mu     sync.Mutex
	space  sync.Cond
	items  []item // items[:head] are taken, and zero
	head   int
	spare  []item
	bytes  int
	closed bool
}

func (q *queue) init() {
	q.wake = make(chan struct{}, 1)
	q.space.L = &q.mu
}

// put appends items, all of them next to each other. It returns ErrStopped when the queue has been closed.
func (q *queue) put(items ...item) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.bytes >= maxQueueBytes && !q.closed {
		q.space.Wait()
	}
	if q.closed {
		return ErrStopped
	}
	for i := range items {
		q.bytes += items[i].size
	}
	q.addLocked(items...)
	if q.bytes < maxQueueBytes {
		q.space.Signal() // one after the other: of thousands who wait, few find room
	}
	return nil
}

// putNow is put for the sequencer itself, which can't wait for itself, and must bound what it puts. What comes after close is dropped.
func (q *queue) putNow(it item) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.addLocked(it)
	}
}

// addLocked appends items. What has been taken makes room for them before more memory is.
func (q *queue) addLocked(items ...item) {
	if len(q.items)+len(items) > cap(q.items) && q.head >= len(q.items)/2 {
		q.items = slices.Delete(q.items, 0, q.head)
		q.head = 0
	}
	q.items = append(q.items, items...)
	q.hint()
}

func (q *queue) hint() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take returns the first items, at most count of them and about bytes bytes, and whether more may ever come.
func (q *queue) take(count, bytes int) (items []item, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, size, waiting := 0, 0, q.items[q.head:]
	for n < len(waiting) && n < count && size < bytes {
		size += waiting[n].size
		n++
	}
	q.bytes -= size
	q.space.Signal()
	if n == len(q.items) {
		items, q.items, q.spare = q.items, q.spare, nil
		return items, !q.closed
	}
	items = append(q.spare[:0], waiting[:n]...)
	q.spare = nil
	clear(waiting[:n])
	if q.head += n; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return items, true
}

// recycle takes back the memory of items that are done.
func (q *queue) recycle(items []item) {
	if cap(items) > 4*maxBatchItems {
		return
	}
	clear(items)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.spare == nil {
		q.spare = items[:0]
	}
}

// size returns how many bytes wait.
func (q *queue) size() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return int64(q.bytes)
}

// close lets no more in. It is safe to call twice.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.space.Broadcast()
	q.hint()
}
