package hub

import (
	"net/netip"
	"slices"
	"sync"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// maxStandings bounds what a room remembers of people, and maxBars the networks that are kept out of it for any one of them.
const (
	maxStandings = 4096
	maxBars      = 16
)

// standingOf is what a room has one standing of.
type standingOf struct {
	key    identity.ID
	stance store.Stance
}

// holds reports whether what ends at until, 0 being never, still holds.
func holds(until, now int64) bool { return until == 0 || now < until }

// has reports whether a key has a standing that has no end.
func (r *room) has(id identity.ID, stance store.Stance) bool {
	_, found := r.standings[standingOf{id, stance}]
	return found
}

// standing returns a key's standing, if it has it and that holds now.
func (r *room) standing(id identity.ID, stance store.Stance, now int64) (store.Standing, bool) {
	s, found := r.standings[standingOf{id, stance}]
	return s, found && holds(s.Until, now)
}

// isModerated reports whether anybody could be kept from writing in the room.
func (r *room) isModerated() bool {
	return r.Rules.Private || r.isReports() || len(r.standings) > 0 || r.barred > 0 || r.Rules.ReadOnly || r.Rules.Archived || r.Rules.Slow > 0
}

// soonest returns when a key may write again in a room that is slow.
func (r *room) soonest(id identity.ID, now int64) int64 {
	last, found := r.spoke[id]
	if !found || r.Rules.Slow == 0 {
		return now
	}
	if last > now { // the clock was set back, which makes nobody wait for longer
		last = now
		r.spoke[id] = now
	}
	return last + r.Rules.Slow.Milliseconds()
}

// spoken notes that a key has written, while the room is slow. What has no meaning any more is forgotten.
func (r *room) spoken(id identity.ID, now int64) {
	if r.spoke == nil {
		r.spoke = map[identity.ID]int64{}
	}
	r.spoke[id] = now
	if len(r.spoke) < 2*r.spokeKept+64 {
		return
	}
	for id, last := range r.spoke {
		if last+r.Rules.Slow.Milliseconds() <= now {
			delete(r.spoke, id)
		}
	}
	r.spokeKept = len(r.spoke)
}

// stand has a standing hold from now on, or, with Gone, hold no more.
func (h *Hub) stand(r *room, s store.Standing) {
	s.Room = r.Num
	r.keep(s)
	r.retold = true
	h.batch.Standings = append(h.batch.Standings, s)
}

// keep enters a standing where it is looked up.
func (r *room) keep(s store.Standing) {
	if k := (standingOf{s.Key, s.Stance}); s.Gone {
		delete(r.standings, k)
	} else {
		r.standings[k] = s
	}
	r.gate.set(s)
}

// bar keeps a network out of a room, or, with Gone, does no more.
func (h *Hub) bar(r *room, b store.Bar) {
	b.Room = r.Num
	r.barred = r.gate.bar(b)
	h.batch.Bars = append(h.batch.Bars, b)
}

// expire forgets what does not hold any more.
func (h *Hub) expire(r *room, now int64) {
	for _, s := range r.standings {
		if !holds(s.Until, now) {
			h.stand(r, store.Standing{Key: s.Key, Stance: s.Stance, Gone: true})
		}
	}
	for _, b := range r.gate.bars() {
		if !holds(b.Until, now) {
			h.bar(r, store.Bar{Network: b.Network, Key: b.Key, Gone: true})
		}
	}
}

// restoreStandings fills rooms from what the store held.
func (h *Hub) restoreStandings(state *store.State) {
	for _, s := range state.Standings {
		if r := h.numbers.rooms[s.Room]; r != nil {
			r.keep(s)
		}
	}
	for _, b := range state.Bars {
		if r := h.numbers.rooms[b.Room]; r != nil {
			r.barred = r.gate.bar(b)
		}
	}
	for _, r := range h.rooms {
		r.tellTerms()
	}
}

// gate says who is kept out of a room, and from which row on the others read it.
type gate struct {
	// mu promises that the maps agree with each other.
	mu       sync.RWMutex
	owner    identity.ID           // zero: nobody made it
	banned   map[identity.ID]int64 // until when; 0: without an end
	trusted  map[identity.ID]bool  // moderators, who may come from anywhere
	networks map[netip.Addr]map[identity.ID]int64
	members  map[identity.ID]uint64 // the first row that each reads
	private  bool                   // nobody else reads any
	open     uint64                 // the first row that everybody reads when not
}

// set takes notice of a standing.
func (g *gate) set(s store.Standing) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.banned == nil {
		g.banned, g.trusted, g.members = map[identity.ID]int64{}, map[identity.ID]bool{}, map[identity.ID]uint64{}
	}
	switch {
	case s.Stance == store.Banned && s.Gone:
		delete(g.banned, s.Key)
	case s.Stance == store.Banned:
		g.banned[s.Key] = s.Until
	case s.Stance == store.Moderator && s.Gone:
		delete(g.trusted, s.Key)
	case s.Stance == store.Moderator:
		g.trusted[s.Key] = true
	case s.Stance == store.Member && s.Gone:
		delete(g.members, s.Key)
	case s.Stance == store.Member:
		g.members[s.Key] = s.From
	}
}

// own takes notice of whose the room is.
func (g *gate) own(owner identity.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.owner = owner
}

// bar takes notice of a bar, and returns how many networks are kept out.
func (g *gate) bar(b store.Bar) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.networks == nil {
		g.networks = map[netip.Addr]map[identity.ID]int64{}
	}
	if g.networks[b.Network] == nil {
		g.networks[b.Network] = map[identity.ID]int64{}
	}
	g.networks[b.Network][b.Key] = b.Until
	if b.Gone {
		delete(g.networks[b.Network], b.Key)
	}
	if len(g.networks[b.Network]) == 0 {
		delete(g.networks, b.Network)
	}
	return len(g.networks)
}

// bars returns all bars.
func (g *gate) bars() (all []store.Bar) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for network, keys := range g.networks {
		for key, until := range keys {
			all = append(all, store.Bar{Network: network, Key: key, Until: until})
		}
	}
	return all
}

// shuts reports whether a session is kept out: by its key, or by where it comes from, which does not matter of the owner and moderators. Admins never
// are, whatever was done to them before they were that.
func (g *gate) shuts(s *Session, now int64) bool {
	if s.admin {
		return false
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	if until, found := g.banned[s.account.id]; found && holds(until, now) {
		return true
	}
	if g.trusted[s.account.id] || g.owner == s.account.id || !s.network.IsValid() {
		return false
	}
	for _, until := range g.networks[s.network] {
		if holds(until, now) {
			return true
		}
	}
	return false
}

// isOut reports whether the session is kept out of a room.
func (s *Session) isOut(r *room) bool {
	return r != nil && r.gate.shuts(s, chat.Millis(s.hub.cfg.Now()))
}

// stance is what a key is told of its own standing in a room.
type stance struct {
	role  chat.Role
	muted bool
	until int64
}

// tellTerms has readers see what holds in the room now. What has not changed is nothing to tell.
func (r *room) tellTerms() {
	r.retold = false
	rules := &wire.Terms{
		ReadOnly: r.Rules.ReadOnly, Archived: r.Rules.Archived, Private: r.Rules.Private, SlowMS: uint64(r.Rules.Slow.Milliseconds()),
		Welcome: r.Rules.Welcome, Pins: r.Rules.Pins,
	}
	own := map[identity.ID]stance{}
	for k, s := range r.standings {
		o := own[k.key]
		switch k.stance {
		case store.Moderator:
			o.role = chat.RoleModerator
		case store.Muted:
			o.muted, o.until = true, s.Until
		default:
			continue
		}
		own[k.key] = o
	}
	r.log.setTerms(rules, own)
}

// sameRules reports whether two terms say the same of the room; nil says that nothing is set.
func sameRules(a, b *wire.Terms) bool {
	if a == nil {
		a = &wire.Terms{}
	}
	return slices.Equal(a.Pins, b.Pins) && a.ReadOnly == b.ReadOnly && a.Archived == b.Archived && a.Private == b.Private && a.SlowMS == b.SlowMS &&
		a.Welcome == b.Welcome
}
