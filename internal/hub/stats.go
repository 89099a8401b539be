package hub

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

const (
	// countedCodes is above every chat.Code that is counted.
	countedCodes = 64
	// stuckAfter is how long a commit may take before the store is said not to take anything: a disk that is only slow takes a second or two.
	stuckAfter = 10 * time.Second
)

// Bounds are the upper bounds of a Histogram's buckets, in rising order. What is longer than the last is in one more.
var Bounds = [...]time.Duration{
	100 * time.Microsecond, 200 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond,
	20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second,
	5 * time.Second, 10 * time.Second,
}

// Histogram counts times by how long they were.
type Histogram struct {
	Counts [len(Bounds) + 1]uint64 // of those at most as long as the bound of the same place and longer than the one before
	Sum    time.Duration
}

// Count returns how many times there are.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Quantile returns the time that a share q of all, from 0 to 1, is not above, as near as the buckets tell: as if those of one lay evenly between its bounds.
// It is the last bound for what is longer than that, and 0 when there are no times.
func (h *Histogram) Quantile(q float64) time.Duration {
	all := h.Count()
	if all == 0 {
		return 0
	}
	rank, low := q*float64(all), time.Duration(0)
	for i, bound := range Bounds {
		c := float64(h.Counts[i])
		if c > 0 && rank <= c {
			return low + time.Duration(float64(bound-low)*rank/c)
		}
		rank, low = rank-c, bound
	}
	return low
}

// Stats is what a hub holds, and what it has done since New.
type Stats struct {
	// Now.
	Sessions      int64
	Rooms         int64 // with a name
	Conversations int64
	People        int64 // who have joined, were written to, or are on another node
	SegmentBytes  int64 // memory of the newest messages of all rooms
	QueueBytes    int64 // of what waits for the sequencer

	// Since New.
	Messages       uint64 // rows that were committed: messages, topics and acts
	Deliveries     uint64 // rows that were handed to sessions, to be written to their connections
	DeliveredBytes uint64
	Pages          uint64               // of them, reads of rows from the store for sessions that had fallen behind
	DroppedNotices uint64               // that were not sent, as a session did not take those before them
	Refused        map[chat.Code]uint64 // publishes that were refused or put off
	Goodbyes       map[chat.Code]uint64 // sessions that the node has ended
	Commit         Histogram            // how long the store took for a batch
	// Lag is how long after the node had taken a message it was handed to a session, the commit included, to the millisecond. A session that has many to
	// take counts with the oldest of each write; those that were there before it came don't count.
	Lag Histogram
}

// figures are what Stats are made of. The sequencer and the sessions' writers count without waiting for anybody.
type figures struct {
	sessions, rooms, conversations, people, segments atomic.Int64 // as they were after the last batch

	messages, deliveries, bytes, pages, notices atomic.Uint64
	refused, goodbyes                           [countedCodes]atomic.Uint64
	commit, lag                                 timing

	stopping   atomic.Bool
	committing atomic.Int64 // since when, in nanoseconds since the Unix epoch; 0: nothing is being committed
}

// timing is a Histogram that is being filled.
type timing struct {
	counts [len(Bounds) + 1]atomic.Uint64
	sum    atomic.Int64
}

// add counts a time. A clock that was put back makes none negative.
func (t *timing) add(d time.Duration) {
	d = max(d, 0)
	i := 0
	for i < len(Bounds) && d > Bounds[i] {
		i++
	}
	t.counts[i].Add(1)
	t.sum.Add(int64(d))
}

func (t *timing) histogram() (h Histogram) {
	for i := range t.counts {
		h.Counts[i] = t.counts[i].Load()
	}
	h.Sum = time.Duration(t.sum.Load())
	return h
}

// count counts what happened for a reason.
func count(codes *[countedCodes]atomic.Uint64, code chat.Code) {
	if code > chat.OK && int(code) < len(codes) {
		codes[code].Add(1)
	}
}

func counted(codes *[countedCodes]atomic.Uint64) map[chat.Code]uint64 {
	all := map[chat.Code]uint64{}
	for code := range codes {
		if n := codes[code].Load(); n > 0 {
			all[chat.Code(code)] = n
		}
	}
	return all
}

// Stats returns the numbers of the hub. They are taken one after the other while it goes on, and whoever asks never waits for it, so they are there
// also when the store is stuck.
func (h *Hub) Stats() Stats {
	f := &h.figures
	return Stats{
		Sessions: f.sessions.Load(), Rooms: f.rooms.Load(), Conversations: f.conversations.Load(), People: f.people.Load(), SegmentBytes: f.segments.Load(),
		QueueBytes: h.queue.size(), Messages: f.messages.Load(), Deliveries: f.deliveries.Load(), DeliveredBytes: f.bytes.Load(), Pages: f.pages.Load(),
		DroppedNotices: f.notices.Load(), Refused: counted(&f.refused), Goodbyes: counted(&f.goodbyes), Commit: f.commit.histogram(), Lag: f.lag.histogram(),
	}
}

// Health returns nil while the hub runs and its store takes what is written, else in a sentence why not.
func (h *Hub) Health() error {
	f := &h.figures
	select {
	case <-h.done:
		return errors.New("the node's rooms have ended")
	default:
	}
	if f.stopping.Load() {
		return errors.New("the node is stopping")
	}
	if began := f.committing.Load(); began != 0 {
		if took := h.cfg.Now().Sub(time.Unix(0, began)); took >= stuckAfter {
			return fmt.Errorf("the store has not ended a write for %v", took.Round(time.Second))
		}
	}
	if h.cfg.Reserve <= 0 {
		return nil
	}
	free, err := h.cfg.Store.Free()
	switch {
	case err != nil:
		return fmt.Errorf("the store does not tell how much room it has: %w", err)
	case free < h.cfg.Reserve:
		return errors.New(fullText)
	}
	return nil
}

// commit has the store take a batch, and notes how long that took.
func (h *Hub) commit(b *store.Batch) error {
	f, began := &h.figures, h.cfg.Now()
	f.committing.Store(began.UnixNano())
	defer f.committing.Store(0)
	if err := h.cfg.Store.Append(b); err != nil {
		return err
	}
	f.commit.add(h.cfg.Now().Sub(began))
	f.messages.Add(uint64(len(b.Rows)))
	return nil
}

// note publishes what the sequencer holds after a batch.
func (h *Hub) note() {
	f := &h.figures
	f.sessions.Store(int64(len(h.sessions)))
	f.rooms.Store(int64(len(h.rooms)))
	f.conversations.Store(int64(len(h.directs)))
	f.people.Store(int64(len(h.accounts)))
	f.segments.Store(h.memory.used)
	f.stopping.Store(h.stopping)
}

// delivered counts rows that a subscription has just given its writer, and how long the first of them has waited, if it came after the session.
func (h *Hub) delivered(s *subscription, rows uint64, records []byte) {
	f := &h.figures
	f.deliveries.Add(rows)
	f.bytes.Add(uint64(len(records)))
	if s.next-rows > s.start.head {
		f.lag.add(h.cfg.Now().Sub(time.UnixMilli(wire.EventTime(records))))
	}
}
