package hub

import (
	"container/list"
	"encoding/binary"
	"sort"
	"sync"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// Sizes of a room's segments: a quiet room costs little, a busy one fills large ones.
const (
	minSegment = 2 << 10
	maxSegment = 64 << 10
)

// segment is a run of a room's records. Its bytes are written once and never moved: a slice of them can be handed out and stays true.
type segment struct {
	first uint64 // seq of the first record
	last  uint64 // seq of the last
	buf   []byte
}

// roomLog is what readers see of a room: the published rows, the last of them in memory, and the subscriptions that have seen them all.
type roomLog struct {
	// mu promises that segments hold exactly the records from segments[0].first to head, and that a subscription is in idle if and only if
	// it has nothing to write and is on no ready list. It is held for moments, never while anything waits.
	mu       sync.Mutex
	head     uint64
	topic    string
	rules    *wire.Terms            // what holds for everybody; never changed in place
	own      map[identity.ID]stance // and for some; never changed in place
	mark     *mark                  // nil: there is none
	segments []*segment
	idle     []*subscription
}

// append publishes a record as row seq, which follows head, and returns how much memory was taken for it.
func (l *roomLog) append(seq uint64, record []byte) (taken int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var last *segment
	size := minSegment
	if n := len(l.segments); n > 0 {
		last = l.segments[n-1]
		size = min(2*cap(last.buf), maxSegment)
	}
	if last == nil || cap(last.buf)-len(last.buf) < len(record) {
		last = &segment{first: seq, buf: make([]byte, 0, max(size, len(record)))}
		l.segments = append(l.segments, last)
		taken = cap(last.buf)
	}
	last.buf = append(last.buf, record...)
	last.last = seq
	l.head = seq
	return taken
}

// wake empties the list of idle subscriptions into out.
func (l *roomLog) wake(out []*subscription) []*subscription {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.idle {
		s.idleAt = notIdle
	}
	out = append(out, l.idle...)
	clear(l.idle)
	l.idle = l.idle[:0]
	return out
}

// trim drops the oldest segment and returns how much memory that gave back, and whether any segment is left.
func (l *roomLog) trim() (freed int, left bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.segments) == 0 {
		return 0, false
	}
	freed = cap(l.segments[0].buf)
	l.segments[0] = nil
	l.segments = l.segments[1:]
	return freed, len(l.segments) > 0
}

// drop has memory forget a row and all before it, and returns how much memory that gave back, and whether any segment is left. Whoever is being
// written to from it comes to its end.
func (l *roomLog) drop(seq uint64) (freed int, left bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for n < len(l.segments) && l.segments[n].first <= seq {
		freed += cap(l.segments[n].buf)
		n++
	}
	clear(l.segments[:n])
	l.segments = l.segments[n:]
	return freed, len(l.segments) > 0
}

// place is where in a segment a row begins: a hint, of no use once that segment is gone, and holding none of its memory.
type place struct {
	segment uint64 // its first
	seq     uint64
	off     int
}

// reading is what read found.
type reading struct {
	records []byte // whole records of one segment
	behind  bool   // the row is not in memory
	closed  bool   // the subscription has come to its end
	code    chat.Code
	terms   bool // others hold than the subscription has told
	mark    *mark
	late    bool // there are rows that the subscription has to look at first
	need    int  // the next record has this size, which is more than hard
	idle    bool // that was all: the subscription is idle
	follows *subscription
}

// read returns the records that a subscription has to write next, and moves it behind them: at most soft bytes, or a single one of at most
// hard bytes. A subscription that has nothing more to write becomes idle.
func (l *roomLog) read(s *subscription, soft, hard int) (got reading) {
	l.mu.Lock()
	defer l.mu.Unlock()
	to := l.limitLocked(s)
	if s.ending == dropped {
		s.over = true
		return reading{follows: s.follower}
	}
	if s.rules != l.rules || s.own != l.ownLocked(s) {
		return reading{terms: true}
	}
	if s.owes(to) {
		return reading{late: true}
	}
	if m := l.markedLocked(s); m != nil {
		return reading{mark: m}
	}
	if s.next > to {
		if s.ending == parts {
			return reading{closed: true, code: s.code}
		}
		s.idleAt = len(l.idle)
		l.idle = append(l.idle, s)
		return reading{}
	}
	seg := l.find(s.next)
	if seg == nil {
		return reading{behind: true}
	}
	start := seg.seek(s)
	end, next := len(seg.buf), seg.last+1
	if end-start > soft || seg.last > to {
		end, next = start, s.next
		for end < len(seg.buf) && next <= to {
			n := recordLen(seg.buf[end:])
			if size := end + n - start; size > soft && (end > start || size > hard) {
				if end == start {
					return reading{need: n}
				}
				break
			}
			end += n
			next++
		}
	}
	s.next = next
	s.at = place{seg.first, next, end}
	got = reading{records: seg.buf[start:end:end]}
	if got.idle = next > l.head && s.ending == goesOn && l.markedLocked(s) == nil; got.idle {
		s.idleAt = len(l.idle)
		l.idle = append(l.idle, s)
	}
	return got
}

// seek returns where in the segment the subscription's next row begins.
func (g *segment) seek(s *subscription) (off int) {
	if s.at.segment == g.first && s.at.seq == s.next {
		return s.at.off
	}
	for seq := g.first; seq < s.next; seq++ {
		off += recordLen(g.buf[off:])
	}
	return off
}

// limitLocked returns the last row that the subscription may write now.
func (l *roomLog) limitLocked(s *subscription) uint64 {
	if s.ending == parting || s.ending == parts {
		return min(l.head, s.end)
	}
	return l.head
}

// limit is limitLocked for whoever does not hold mu.
func (l *roomLog) limit(s *subscription) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limitLocked(s)
}

// part lets a subscription write nothing above row end any more, for the reason code.
func (l *roomLog) part(s *subscription, end uint64, code chat.Code) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.ending, s.end, s.code = parting, end, code
}

// finish ends a subscription, after row end if it parts, and reports whether it was idle, so that it has to be queued for its last words.
func (l *roomLog) finish(s *subscription, how ending, end uint64) (wasIdle bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.ending, s.end = how, end
	if s.idleAt == notIdle {
		return false
	}
	last := l.idle[len(l.idle)-1]
	l.idle[s.idleAt], last.idleAt = last, s.idleAt
	l.idle[len(l.idle)-1] = nil
	l.idle = l.idle[:len(l.idle)-1]
	s.idleAt = notIdle
	s.over = how == dropped
	return true
}

// close ends a subscription whose last record is being written, and returns the one that waits for it.
func (l *roomLog) close(s *subscription) (follows *subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.over = true
	return s.follower
}

// follow has a subscription begin when an earlier one of its session is over, and reports false when that is already so.
func (l *roomLog) follow(earlier, later *subscription) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	earlier.follower = later
	return !earlier.over
}

// isOver reports whether a subscription has nothing more to write, for good.
func (l *roomLog) isOver(s *subscription) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.over
}

// setTopic publishes the room's topic.
func (l *roomLog) setTopic(topic string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.topic = topic
}

// setTerms publishes what holds in the room. Rules that are as they were nobody is told again.
func (l *roomLog) setTerms(rules *wire.Terms, own map[identity.ID]stance) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.own = own; !sameRules(l.rules, rules) {
		l.rules = rules
	}
}

// setRole has a subscription's session have a role by birth, and be told of it.
func (l *roomLog) setRole(s *subscription, role chat.Role) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.role != role {
		s.role, s.rules = role, &wire.Terms{} // which nobody was told
	}
}

// ownLocked returns what holds for a subscription's own key.
func (l *roomLog) ownLocked(s *subscription) stance {
	if len(l.own) == 0 {
		return stance{}
	}
	return l.own[s.session.account.id]
}

// terms returns what holds in the room for a subscription, and notes that it is being told.
func (l *roomLog) terms(s *subscription) (t wire.Terms) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.rules, s.own = l.rules, l.ownLocked(s)
	if s.rules != nil {
		t = *s.rules
	}
	t.Role, t.Muted, t.Until = max(s.own.role, s.role), s.own.muted, s.own.until
	return t
}

// now returns the topic and the last row as readers see them.
func (l *roomLog) now() (topic string, head uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.topic, l.head
}

// find returns the segment that holds row seq, which is not above head, or nil.
func (l *roomLog) find(seq uint64) *segment {
	above := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].first > seq })
	if above == 0 {
		return nil
	}
	return l.segments[above-1]
}

// recordLen is the size of the record at the front of b, its length included.
func recordLen(b []byte) int { return wire.HeaderLen + int(binary.BigEndian.Uint32(b)) }

// budget is the memory that all rooms' segments share. When it is used up, the room that was written least recently loses its oldest
// segment. Owned by Run.
type budget struct {
	limit int64
	used  int64
	rooms list.List // of *room, the least recently written first
}

// wrote notes that a room has been written, and took so much more memory.
func (b *budget) wrote(r *room, taken int) {
	b.used += int64(taken)
	if r.written == nil {
		r.written = b.rooms.PushBack(r)
	} else {
		b.rooms.MoveToBack(r.written)
	}
	for b.used > b.limit {
		oldest := b.rooms.Front().Value.(*room)
		b.gave(oldest)(oldest.log.trim())
	}
}

// gave returns what notes that a room has given memory back, and whether it has any left.
func (b *budget) gave(r *room) func(freed int, left bool) {
	return func(freed int, left bool) {
		b.used -= int64(freed)
		if !left && r.written != nil {
			b.rooms.Remove(r.written)
			r.written = nil
		}
	}
}
