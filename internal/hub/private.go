package hub

import (
	"bytes"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// reads returns the first row that a session reads of a room, or why it reads none: not even an admin does in a private one, without being its member.
// Every question about a room comes by here, from any goroutine.
func (s *Session) reads(r *room) (first uint64, code chat.Code) {
	switch {
	case r.Direct():
		return 1, chat.OK
	case s.isOut(r):
		return 0, chat.Banned
	}
	return s.admitted(r)
}

// admitted is reads of a room that has a name, without its bans.
func (s *Session) admitted(r *room) (first uint64, code chat.Code) {
	switch {
	case !r.isReports():
		return r.gate.first(s.account.id)
	case s.admin:
		return 1, chat.OK
	}
	return 0, chat.NotMember
}

// isReports reports whether the room is the one that admins alone read, whatever its rules say. Nobody owns it, or is its member.
func (r *room) isReports() bool { return r.Name == chat.Reports }

// mayRead reports whether a session reads any row of a room.
func (s *Session) mayRead(r *room) bool {
	_, code := s.reads(r)
	return code == chat.OK
}

// first returns the first row that a key reads which is not banned.
func (g *gate) first(id identity.ID) (uint64, chat.Code) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	first, member := g.members[id]
	switch open := max(g.open, 1); {
	case g.owner == id && !id.IsZero():
		return 1, chat.OK
	case member && g.private:
		return first, chat.OK
	case g.private:
		return 0, chat.NotMember
	case member:
		return min(first, open), chat.OK
	default:
		return open, chat.OK
	}
}

// rule takes notice of a room's rules.
func (g *gate) rule(r store.Rules) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.private, g.open = r.Private, r.Open
}

// isPrivate reports whether members alone read the room.
func (g *gate) isPrivate() bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.private
}

// private keeps the room for those who are in it now, its moderators and whoever does that. They read on from where they could: who has read something
// once is not made to forget it.
func (a *acting) private() chat.Code {
	r := a.room
	if r.Rules.Private || r.isReports() {
		return chat.BadAct
	}
	stay := []identity.ID{a.by.account.id}
	for x := range r.members {
		if a.h.isIn(x, r) {
			stay = append(stay, x.id)
		}
	}
	for k := range r.standings {
		if k.stance == store.Moderator {
			stay = append(stay, k.key)
		}
	}
	slices.SortFunc(stay, func(x, y identity.ID) int { return bytes.Compare(x[:], y[:]) })
	stay = slices.DeleteFunc(slices.Compact(stay), func(id identity.ID) bool { return r.isOwner(id) || r.has(id, store.Member) })
	if len(r.standings)+len(stay) > maxStandings || len(stay) > wire.MaxWith {
		return chat.TooMany
	}
	a.with = stay
	for _, id := range stay {
		first, _ := r.gate.first(id)
		a.admit(id, first)
	}
	r.Rules.Private = true
	r.gate.rule(r.Rules)
	return chat.OK
}

// open lets everybody in again, who read from this act on: what was said among members stays theirs.
func (a *acting) open() chat.Code {
	r := a.room
	if !r.Rules.Private {
		return chat.BadAct
	}
	r.Rules.Private, r.Rules.Open = false, r.head+1
	r.gate.rule(r.Rules)
	return chat.OK
}

// invite makes somebody a member of a private room who reads it from this act on, and tells them if they are here.
func (a *acting) invite() chat.Code {
	r := a.room
	_, code := r.gate.first(a.who)
	_, banned := r.standing(a.who, store.Banned, chat.Millis(a.h.cfg.Now()))
	switch {
	case code == chat.OK || banned: // they are in it, or everybody could be; or a ban is to be lifted first
		return chat.BadAct
	case len(r.standings) >= maxStandings:
		return chat.TooMany
	}
	a.admit(a.who, r.head+1)
	a.h.tellInvited(r, a.who, a.by.account.id)
	return chat.OK
}

// admit makes a key a member that reads from row first on.
func (a *acting) admit(id identity.ID, first uint64) {
	a.h.stand(a.room, store.Standing{Key: id, Stance: store.Member, Since: a.now, From: first, By: a.by.account.id})
}

// expel takes from the one it is done to what it is to the room, and reports whether there was anything.
func (a *acting) expel() bool {
	moderator, member := a.unstand(store.Moderator), a.unstand(store.Member)
	return moderator == chat.OK || member == chat.OK
}
