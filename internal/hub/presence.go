package hub

import (
	"cmp"
	"maps"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// Watch says which of the rooms that the session has joined are on its user's screen; it replaces what was said before. Their presence is
// told at once, and its changes every second.
func (s *Session) Watch(rooms []string) error {
	return s.hub.call(func() {
		if s.detached {
			return
		}
		s.unwatch()
		for _, name := range rooms[:min(len(rooms), chat.MaxWatched)] {
			if r := s.hub.rooms[name]; r != nil && s.in(r) != nil && !slices.Contains(s.watched, r) {
				s.watched = append(s.watched, r)
				r.watchers[s] = struct{}{}
			}
		}
		s.resnapshot(map[*room]wire.Raw{})
	})
}

// unwatch ends what Watch began.
func (s *Session) unwatch() {
	for _, r := range s.watched {
		delete(r.watchers, s)
	}
	s.watched = nil
}

// unwatchRoom ends it for one room.
func (s *Session) unwatchRoom(r *room) {
	delete(r.watchers, s)
	s.watched = slices.DeleteFunc(s.watched, func(w *room) bool { return w == r })
}

// resnapshot puts the whole presence of all that is watched on the session's way, in place of what has not been sent yet. cache holds
// the encoded snapshots of this moment.
func (s *Session) resnapshot(cache map[*room]wire.Raw) {
	var all []wire.Raw
	for _, r := range s.watched {
		if cache[r] == nil {
			cache[r] = wire.EncodeRaw(r.snapshot())
		}
		all = append(all, cache[r])
	}
	s.mu.Lock()
	s.presence = all
	s.mu.Unlock()
	s.wake()
}

// snapshot returns who is in the room; of a crowd, or of people with names too long for a record, only the number.
func (r *room) snapshot() *wire.RoomPresence {
	const overhead = 51 // of a person beside the name, and of a record for each
	p := &wire.RoomPresence{Room: r.Name, Count: uint64(len(r.members)), Snapshot: true}
	if len(r.members) <= crowd {
		size := 0
		for a := range r.members {
			size += len(a.name) + overhead
		}
		if size <= wire.MaxRecord-1024 {
			here := slices.SortedFunc(maps.Keys(r.members), func(a, b *account) int { return cmp.Compare(a.name, b.name) })
			p.Here, p.Away = persons(here)
		}
	}
	return p
}

func (a *account) person() wire.Person { return wire.Person{ID: a.id[:], Name: a.name} }

// persons returns accounts as a record has them, and the places of those who are away.
func persons(all []*account) (people []wire.Person, away []uint64) {
	for i, a := range all {
		people = append(people, a.person())
		if a.isAway() {
			away = append(away, uint64(i))
		}
	}
	return people, away
}

// difference returns what has changed since the last tick; nil when that need not be told.
func (h *Hub) difference(r *room) *wire.RoomPresence {
	if len(r.members) > crowd {
		now := chat.Millis(h.cfg.Now())
		if now-r.counted < countEvery.Milliseconds() {
			return nil
		}
		r.counted = now
		return r.snapshot()
	}
	if len(r.members)+len(r.changed) > crowd/2 {
		return r.snapshot() // much has changed, or it has just stopped being a crowd
	}
	var here, gone []*account
	for a := range r.changed {
		if r.members[a] > 0 {
			here = append(here, a)
		} else {
			gone = append(gone, a)
		}
	}
	p := &wire.RoomPresence{Room: r.Name, Count: uint64(len(r.members))}
	p.Here, p.Away = persons(here)
	p.Gone, _ = persons(gone)
	return p
}

// change notes that an account came to a room, left it, changed its name, went away or came back.
func (h *Hub) change(r *room, a *account) {
	r.changed[a] = struct{}{}
	h.changed[r] = struct{}{}
}

// changeAll does so in all rooms that the account is in.
func (h *Hub) changeAll(a *account) {
	for s := range a.sessions {
		for _, sub := range s.subs {
			if sub.room.members[a] > 0 {
				h.change(sub.room, a)
			}
		}
	}
	for _, r := range a.rooms {
		h.change(r, a)
	}
}

// tellPresence sends every session that watches rooms what has changed in them since the last time. A session that has not taken the last
// one yet gets a snapshot instead: presence is the first thing to be dropped.
func (h *Hub) tellPresence() {
	told := map[*Session][]wire.Raw{}
	for r := range h.changed {
		p := h.difference(r)
		if p == nil {
			continue
		}
		if len(r.watchers) > 0 {
			raw := wire.EncodeRaw(p)
			for s := range r.watchers {
				told[s] = append(told[s], raw)
			}
		}
		clear(r.changed)
		delete(h.changed, r)
	}
	snapshots := map[*room]wire.Raw{}
	for s, rooms := range told {
		s.mu.Lock()
		busy := len(s.presence) > 0
		if !busy {
			s.presence = rooms
		}
		s.mu.Unlock()
		if busy {
			s.resnapshot(snapshots)
		} else {
			s.wake()
		}
	}
}
