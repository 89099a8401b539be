package hub

import (
	"math"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// keep answers how long a room is kept, and changes that for who may: the key that made the room, and admins. Nobody may in a conversation,
// which is as much the other's.
func (s *Session) keep(q *wire.Keep) wire.Record {
	r, code := s.readable(q.Room)
	switch {
	case code != chat.OK:
		return &wire.Failed{Code: code}
	case q.Mode > wire.KeepBounds:
		return &wire.Failed{Code: chat.Unsupported}
	case q.Mode != wire.KeepAsk && !s.mayKeep(r):
		return &wire.Failed{Code: chat.Denied}
	case r == nil:
		return &wire.KeepIs{}
	case q.Mode != wire.KeepAsk:
		s.setKeep(r, keepOf(q))
	}
	return &wire.KeepIs{Set: r.Keep.Set, AgeMS: uint64(r.Keep.Age.Milliseconds()), Size: uint64(r.Keep.Size)}
}

// keepOf returns what a question wants to be kept. Bounds that no log can reach are cut to what can be counted.
func keepOf(q *wire.Keep) store.Keep {
	if q.Mode == wire.KeepDefault {
		return store.Keep{}
	}
	age := min(q.AgeMS, uint64(math.MaxInt64/time.Millisecond))
	return store.Keep{Set: true, Age: time.Duration(age) * time.Millisecond, Size: int64(min(q.Size, math.MaxInt64))}
}

func (s *Session) mayKeep(r *room) bool {
	if r == nil || r.Direct() {
		return false
	}
	return r.Owner == s.account.id || s.account.isAdmin()
}

// setKeep changes how long a room is kept, and tells the others in it once that is committed. A room that the store does not know yet takes it
// along with its first row.
func (s *Session) setKeep(r *room, k store.Keep) {
	if r.Keep == k {
		return
	}
	r.Keep = k
	b := &s.hub.batch
	if r.kept {
		b.Rooms = append(b.Rooms, r.Room)
	}
	text := s.account.name + " has it that #" + r.Name + " is kept " + chat.FormatKeep(k.Set, k.Age, k.Size)
	b.after = append(b.after, func() {
		for a := range r.members {
			for other := range a.sessions {
				if other != s && other.in(r) != nil {
					other.notice(chat.OK, text)
				}
			}
		}
	})
}
