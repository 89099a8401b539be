package hub

import (
	"cmp"
	"slices"
	"strings"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// Sizes of answers: a page of people or rooms, the numbers that one Authors may ask about.
const (
	pageSize   = 200
	maxAuthors = 256
)

// Ask answers a question of the session's client. The answer is what was true at one moment between two messages; pages of history and
// of a search are read while the sequencer goes on. It returns ErrStopped when the hub has ended, and the store's error, which ends the hub.
func (s *Session) Ask(question wire.Record) (answer wire.Record, err error) {
	switch q := question.(type) {
	case *wire.History:
		return s.history(q)
	case *wire.Search:
		return s.search(q)
	case *wire.Causal:
		return s.causal(q)
	}
	err = s.hub.call(func() {
		switch q := question.(type) {
		case *wire.Names:
			answer = s.names(q)
		case *wire.Whois:
			answer = s.whois(q)
		case *wire.List:
			answer = s.list(q)
		case *wire.Authors:
			answer = s.hub.authorsOf(q)
		case *wire.Keep:
			answer = s.keep(q)
		case *wire.Invite:
			answer = s.invite(q)
		case *wire.Release:
			answer = s.release(q)
		case *wire.Away:
			answer = s.away(q)
		case *wire.Banned:
			answer = s.banned(q)
		default:
			answer = &wire.Failed{Code: chat.Unsupported}
		}
	})
	return answer, err
}

// names answers who is in a room.
func (s *Session) names(q *wire.Names) wire.Record {
	var people []*account
	if strings.HasPrefix(q.Room, chat.DirectMark) {
		other := s.hub.person(strings.TrimPrefix(q.Room, chat.DirectMark))
		if other == nil {
			return &wire.Failed{Code: chat.NoSuchUser}
		}
		for _, a := range slices.Compact([]*account{s.account, other}) {
			if a.isHere() {
				people = append(people, a)
			}
		}
	} else {
		r, code := s.readable(q.Room)
		if code != chat.OK {
			return &wire.Failed{Code: code}
		}
		for a := range r.members {
			people = append(people, a)
		}
	}
	total := len(people)
	people, more := page(people, func(a *account) string { return a.fold }, chat.Fold(q.After[:min(len(q.After), maxWho)]))
	answer := &wire.NamesAre{Total: uint64(total), More: more}
	answer.People, answer.Away = persons(people)
	return answer
}

// page returns the first pageSize of all whose key is above after, in the order of their keys, and whether there are more.
func page[T any](all []T, key func(T) string, after string) ([]T, bool) {
	if after != "" {
		all = slices.DeleteFunc(all, func(x T) bool { return key(x) <= after })
	}
	slices.SortFunc(all, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	n := min(len(all), pageSize)
	return all[:n], n < len(all)
}

// whois answers who goes by a name or id. Rooms that the asker is kept out of are not told.
func (s *Session) whois(q *wire.Whois) wire.Record {
	a := s.hub.person(strings.TrimPrefix(q.Who, chat.DirectMark))
	if a == nil {
		return &wire.Failed{Code: chat.NoSuchUser}
	}
	answer := &wire.WhoisIs{Person: a.person(), Sessions: uint64(len(a.sessions)), Since: a.seen, Away: a.awayText, AwaySince: a.awaySince, Card: a.card}
	if len(a.sessions) == 0 {
		answer.Via, answer.AwaySince = s.hub.via(a), a.awayAbroad
	}
	if len(a.sessions) == 0 && a.abroad != nil {
		answer.Sessions, answer.Since = 1, 0 // how many, and since when, the other node does not tell
	}
	var oldest *Session
	for x := range a.sessions {
		if oldest == nil || x.since.Before(oldest.since) {
			oldest = x
			answer.Since = chat.Millis(x.since)
		}
		for _, sub := range x.subs {
			if !sub.room.Direct() && s.mayRead(sub.room) {
				answer.Rooms = append(answer.Rooms, sub.room.Name)
			}
		}
	}
	for _, r := range a.rooms {
		if s.mayRead(r) {
			answer.Rooms = append(answer.Rooms, r.Name)
		}
	}
	slices.Sort(answer.Rooms)
	answer.Rooms = slices.Compact(answer.Rooms)
	answer.Rooms = answer.Rooms[:min(len(answer.Rooms), pageSize)]
	return answer
}

// list answers which rooms there are: of those that not everybody reads, the asker's own.
func (s *Session) list(q *wire.List) wire.Record {
	all := make([]*room, 0, len(s.hub.rooms))
	for _, r := range s.hub.rooms {
		if _, code := s.admitted(r); code == chat.OK {
			all = append(all, r)
		}
	}
	rooms, more := page(all, func(r *room) string { return r.Name }, q.After)
	answer := &wire.ListIs{More: more}
	for i, size := 0, 0; i < len(rooms); i++ {
		r := rooms[i]
		if size += len(r.Topic) + len(r.Name) + 32; size > wire.MaxRecord/2 {
			answer.More = true
			break
		}
		answer.Rooms = append(answer.Rooms, wire.RoomInfo{Name: r.Name, Members: uint64(len(r.members)), Head: r.head, Topic: r.Topic})
	}
	return answer
}

// authorsOf answers whose some numbers are.
func (h *Hub) authorsOf(q *wire.Authors) wire.Record {
	answer := &wire.AuthorsAre{}
	for _, from := range q.From[:min(len(q.From), maxAuthors)] {
		if id, known := h.authors[from]; known {
			answer.Authors = append(answer.Authors, wire.Author{From: from, ID: id[:]})
		}
	}
	return answer
}
