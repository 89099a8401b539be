package hub

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// maxNotices is how many lines from the node wait for a client; older ones make room.
const maxNotices = 64

// Session is one connection as the hub sees it. Two goroutines use it beside the sequencer: a reader, which submits what the client sent, and a
// writer, which takes what the client is to be sent. wake is called, from any goroutine and without waiting, whenever there may be
// something to take; wait by the writer, before what it takes has to be read from the store.
//
// What each message takes stands in front, together: of a thousand sessions that are told of it in turn, none is in a cache.
type Session struct {
	// Static after construction.
	hub  *Hub
	wake func()
	wait func()

	// mu promises that these agree with each other.
	mu        sync.Mutex
	ready     []*subscription // subscriptions that may have something to write, each once
	few       [4]*subscription
	answers   []byte // encoded answers to what was submitted
	open      int    // records submitted whose answers have not been taken
	openBytes int
	taken     int // records whose answers are in answers
	takenSize int
	notices   [][]byte
	presence  []wire.Raw
	nodes     []byte // what is to be told of other nodes, encoded; nil: nothing new
	goodbye   []byte
	due       int // records that were in flight when the goodbye was put on its way, and still are: it waits for their answers
	closed    bool

	// Static after construction.
	account *account
	origin  *origin
	since   time.Time
	came    time.Time  // of its guest
	admin   bool       // may what admins may
	secure  bool       // its link is encrypted
	network netip.Addr // that it comes from; see networkOf

	// Owned by Run.
	subs     []*subscription
	ending   []*subscription // of rooms left, the last of each: see ends
	joined   int             // subscriptions to named rooms
	direct   bool            // wants its direct conversations
	tail     uint64
	nacked   uint64 // the cseq that a nack asked for and that has not come since
	watched  []*room
	detached bool

	// space has capacity 1 and is never closed: a hint to the reader that answers were taken.
	space chan struct{}
}

// submitted is where Submit makes items, which the queue copies.
var submitted = sync.Pool{New: func() any { return new([]item) }}

// Submit hands the sequencer records that the client sent, in their order. It waits while the answers to so many are not taken yet that these
// would be more than a client may have in flight: what a client is too fast with stays in its own stream. It returns ErrStopped when the
// hub has ended, and when done is closed.
func (s *Session) Submit(done <-chan struct{}, records ...wire.Record) error {
	for len(records) > 0 {
		n, err := s.admit(done, records)
		if err != nil {
			return err
		}
		scratch := submitted.Get().(*[]item)
		items := slices.Grow((*scratch)[:0], n)[:n]
		for i, r := range records[:n] {
			items[i] = item{session: s, record: r, size: recordSize(r)}
			switch r := r.(type) {
			case *wire.Pub:
				if r.Kind == chat.Act {
					items[i].act = s.hear(r)
				}
			case *wire.Join:
				if r.Moved != nil {
					items[i].moved = newElsewhere(r.Moved)
				}
			}
		}
		err = s.hub.queue.put(items...)
		clear(items)
		*scratch = items
		submitted.Put(scratch)
		if err != nil {
			return err
		}
		records = records[n:]
	}
	return nil
}

// admit counts the records at the front of records as in flight, as many as may be, and returns their number. It waits for the first.
func (s *Session) admit(done <-chan struct{}, records []wire.Record) (n int, err error) {
	for {
		s.mu.Lock()
		for n < len(records) && s.open < chat.MaxInFlight && s.openBytes < chat.MaxInFlightB {
			s.open++
			s.openBytes += recordSize(records[n])
			n++
		}
		s.mu.Unlock()
		if n > 0 {
			return n, nil
		}
		select {
		case <-s.space:
		case <-done:
			return 0, ErrStopped
		case <-s.hub.done:
			return 0, ErrStopped
		}
	}
}

// requestSize is what a Join, a Part or a Nick counts for in flight and in the sequencer's queue, in bytes; a Join with a place on another node counts for
// that too.
const requestSize = 128

// recordSize is what a record counts for there.
func recordSize(r wire.Record) int {
	switch r := r.(type) {
	case *wire.Pub:
		return requestSize + len(r.Body) + len(r.Room) + len(r.Opts.Sig) // all of which waits, of use or not
	case *wire.Join:
		return requestSize + movedSize(r.Moved)
	}
	return requestSize
}

// answered puts encoded answers to n records of size bytes on the session's way.
func (s *Session) answered(records []byte, n, size int) {
	s.mu.Lock()
	s.answers = append(s.answers, records...)
	s.taken += n
	s.takenSize += size
	if len(s.answers) == 0 {
		s.settleLocked()
	}
	s.mu.Unlock()
	s.wake()
}

// settleLocked counts the records whose answers have been taken as no longer in flight.
func (s *Session) settleLocked() {
	s.open -= s.taken
	s.openBytes -= s.takenSize
	s.due = max(0, s.due-s.taken)
	s.taken, s.takenSize = 0, 0
	select {
	case s.space <- struct{}{}:
	default:
	}
}

// settle counts a request of that size as no longer in flight: its subscription has written the answer.
func (s *Session) settle(size int) {
	s.mu.Lock()
	s.open--
	s.openBytes -= size
	s.due = max(0, s.due-1)
	s.mu.Unlock()
	select {
	case s.space <- struct{}{}:
	default:
	}
}

// notice puts a line from the node on the session's way. The oldest of too many are dropped.
func (s *Session) notice(code chat.Code, text string) {
	record := wire.Must(nil, &wire.Notice{Code: code, Text: text})
	s.mu.Lock()
	if len(s.notices) == maxNotices {
		s.notices = slices.Delete(s.notices, 0, 1)
		s.hub.figures.notices.Add(1)
	}
	s.notices = append(s.notices, record)
	s.mu.Unlock()
	s.wake()
}

// bye puts the session's last control record on its way, behind the answers to what was submitted before. The first one counts.
func (s *Session) bye(code chat.Code, retry time.Duration, text string) {
	s.mu.Lock()
	if s.goodbye == nil {
		s.goodbye = wire.Must(nil, &wire.Bye{Code: code, RetryAfterMS: uint64(retry.Milliseconds()), Text: text})
		s.due = s.open
		count(&s.hub.figures.goodbyes, code)
	}
	s.mu.Unlock()
	s.wake()
}

// IsAdmin reports whether the session may do what admins may.
func (s *Session) IsAdmin() bool { return s.admin }

// Bye tells the client goodbye for a reason that its connection's owner found.
func (s *Session) Bye(code chat.Code, text string) { s.bye(code, 0, text) }

// queue puts a subscription on the ready list. It must be on none.
func (s *Session) queue(sub *subscription) {
	s.mu.Lock()
	if !s.closed {
		s.ready = append(s.ready, sub)
	}
	s.mu.Unlock()
	s.wake()
}

// Waiting reports whether TakeChat and TakeControl may have something to give, and whether a goodbye is to be said after that: not
// before what was submitted ahead of it has been answered, which Session.wake then tells.
func (s *Session) Waiting() (chat, control, goodbye bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ready)+len(s.answers) > 0, len(s.notices)+len(s.presence)+len(s.nodes) > 0, s.goodbye != nil && (s.closed || s.due == 0)
}

// TakeControl returns the next control records to write, at most limit bytes; nil when there are none or they don't fit.
func (s *Session) TakeControl(limit int) (records []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.notices) > 0 && len(records)+len(s.notices[0]) <= limit {
		records = append(records, s.notices[0]...)
		s.notices = slices.Delete(s.notices, 0, 1)
	}
	if len(s.nodes) > 0 && len(records)+len(s.nodes) <= limit {
		records = append(records, s.nodes...)
		s.nodes = nil
	}
	if n := s.presenceLocked(limit - len(records)); n > 0 {
		records = wire.Must(records, &wire.Presence{Rooms: s.presence[:n]})
		s.presence = slices.Delete(s.presence, 0, n)
	}
	return records
}

// Goodbye returns the last control record, once the session has been told goodbye; nil before.
func (s *Session) Goodbye() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.goodbye
}

// presenceLocked returns how many rooms' presence fits into a record of at most limit bytes.
func (s *Session) presenceLocked(limit int) (n int) {
	const overhead = 16
	limit = min(limit, wire.MaxRecord) - overhead
	for n < len(s.presence) && len(s.presence[n]) <= limit {
		limit -= len(s.presence[n])
		n++
	}
	return n
}

// TakeChat returns the next chat records to write: answers first, then what the ready subscriptions have, in turn. It returns about soft bytes, in
// buf or in memory that must not be changed; a single larger record as long as it is at most hard bytes. With nothing to write it returns an
// empty slice; need is then the size that hard must have for the next record, or 0 when there is none. An error is the store's.
func (s *Session) TakeChat(buf []byte, soft, hard int) (records []byte, need int, err error) {
	soft = min(soft, hard)
	out := buf[:0]
	s.mu.Lock()
	if n := len(s.answers); n > 0 {
		if n > hard {
			s.mu.Unlock()
			return nil, n, nil
		}
		out = append(out, s.answers...)
		s.answers = s.answers[:0]
		s.settleLocked()
	}
	s.mu.Unlock()
	for len(out) < soft {
		sub := s.pop()
		if sub == nil {
			return out, 0, nil
		}
		got, err := sub.take(out, soft, hard)
		if err != nil {
			return nil, 0, s.hub.fault(err)
		}
		if got.answers > 0 {
			s.settle(got.answers)
		}
		if got.rows > 0 {
			s.hub.delivered(sub, got.rows, got.records[len(out):])
		}
		if got.again {
			s.push(sub, got.need > 0)
		}
		if got.follows != nil {
			s.push(got.follows, false)
		}
		out = got.records
		if got.need > 0 && len(out) == 0 {
			return nil, got.need, nil
		}
		if got.own || got.need > 0 {
			break
		}
	}
	return out, 0, nil
}

// pop takes the first subscription off the ready list; nil when there is none.
func (s *Session) pop() *subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ready) == 0 {
		return nil
	}
	sub := s.ready[0]
	s.ready[0] = nil
	s.ready = s.ready[1:]
	if len(s.ready) == 0 {
		s.ready = s.few[:0]
	}
	return sub
}

// push puts a subscription back on the ready list: at its end, or in front where what it has did not fit.
func (s *Session) push(sub *subscription, front bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
	case front:
		s.ready = slices.Insert(s.ready, 0, sub)
	default:
		s.ready = append(s.ready, sub)
	}
}
