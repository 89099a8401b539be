package hub

import (
	"bytes"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
)

// judge settles which acts count.
func (d *docket) judge() {
	d.prefixes = []state{d.base}
	for _, f := range d.acts {
		f.verdict, f.ready, f.bites = unsettled, false, false
	}
	for waiting := d.acts; len(waiting) > 0; {
		left, moved := d.round(waiting)
		if !moved {
			d.settle(firstOf(left), true)
		}
		waiting = left
	}
	for _, f := range d.acts {
		f.then, f.after = state{}, state{} // which share little with each other
	}
	d.now, d.prefixes = d.after(len(d.acts)), nil
}

// round settles those of the acts that it can, in their order, and returns the others. It reports whether that has changed anything.
func (d *docket) round(waiting []*filed) (left []*filed, moved bool) {
	for _, f := range waiting {
		if f.verdict != unsettled {
			continue
		}
		if !f.ready && !slices.ContainsFunc(left, f.follows) {
			moved = true
			d.prepare(f)
		}
		if f.ready && d.settle(f, false) {
			moved = true
			continue
		}
		left = append(left, f)
	}
	return left, moved
}

// firstOf returns the act of the lowest id among those that are ready, of which there is one: the first of all.
func firstOf(acts []*filed) (first *filed) {
	for _, f := range acts {
		if f.ready && (first == nil || bytes.Compare(f.id[:], first.id[:]) < 0) {
			first = f
		}
	}
	return first
}

// prepare finds out what held in the causal past of an act, which is settled.
func (d *docket) prepare(f *filed) {
	f.ready, f.then = true, d.stateAt(f)
	switch f.Verb {
	case chat.Ban, chat.Mute, chat.Deop:
		f.bites = true
	case chat.Kick:
		f.bites = f.then.rules.Private
	}
}

// stateAt returns what the causal past of an act makes of the room.
func (d *docket) stateAt(f *filed) state {
	switch len(f.direct) {
	case 0:
		return d.base
	case 1:
		return f.direct[0].after
	}
	n := 0 // so many of the first acts are in its past, or don't count
	for n < len(d.acts) && (d.acts[n].verdict == isVoid || d.acts[n].verdict == counts && f.follows(d.acts[n])) {
		n++
	}
	return d.fold(d.after(n), d.acts[n:], f.follows)
}

// fold returns what those of the acts make of s that count, and are among those asked for.
func (d *docket) fold(s state, acts []*filed, among func(*filed) bool) state {
	for _, x := range acts {
		if x.verdict == counts && among(x) {
			s = d.apply(s, &x.actEntry)
		}
	}
	return s
}

// after returns what the first n acts make of the room, which are settled.
func (d *docket) after(n int) state {
	for len(d.prefixes) <= n {
		s, f := d.prefixes[len(d.prefixes)-1], d.acts[len(d.prefixes)-1]
		if f.verdict == counts {
			s = d.apply(s, &f.actEntry)
		}
		d.prefixes = append(d.prefixes, s)
	}
	return d.prefixes[n]
}

// settle finds out whether an act counts that is ready, and reports false if that hangs on others that are not settled. Forced, it takes these not to count.
func (d *docket) settle(f *filed, forced bool) bool {
	may, waits := !f.again && d.permits(&f.then, &f.actEntry, f.who), false
	for _, x := range d.strikes[f.by] {
		switch {
		case !may || x.again || x.verdict == isVoid || x.ready && !x.bites || !d.reaches(x, f):
		case x.verdict == counts:
			may = false
		case x.ready && f.bites && f.who == x.by && d.reaches(f, x) && bytes.Compare(f.id[:], x.id[:]) < 0: // which settles x
		default:
			waits = !forced
		}
	}
	switch {
	case may && waits:
		return false
	case may:
		f.verdict, f.after = counts, d.apply(f.then, &f.actEntry)
	default:
		f.verdict, f.after = isVoid, f.then
	}
	return true
}

// reaches reports whether an act that takes rights would take that of another one, whose author it is done to.
func (d *docket) reaches(x, f *filed) bool {
	switch {
	case f.admin || f.follows(x) || x.follows(f):
		return false
	case x.Verb == chat.Ban || x.Verb == chat.Mute:
		return holds(x.until(), f.time)
	}
	return !d.isOwner(f.by)
}

// permits reports whether the author of an act has the right to it where s holds. whose is who it is done to; of redact, the author of the message.
func (d *docket) permits(s *state, a *actEntry, whose identity.ID) bool {
	role, right := d.role(s, a.by, a.admin), rights[a.Verb]
	switch {
	case right.least == chat.RoleNone || role < right.least || s.rules.Archived && !right.archived:
		return false
	case s.rules.Private && !s.held && !d.isOwner(a.by) && !d.has(s, a.by, store.Member):
		return false
	case role < chat.RoleAdmin && (d.suffers(s, a.by, store.Banned, a.time) || d.suffers(s, a.by, store.Muted, a.time)):
		return false
	}
	return !right.outranks || d.role(s, whose, false) < role
}

// role returns the role of a key where s holds.
func (d *docket) role(s *state, id identity.ID, isAdmin bool) chat.Role {
	switch {
	case isAdmin:
		return chat.RoleAdmin
	case d.isOwner(id):
		return chat.RoleOwner
	case d.has(s, id, store.Moderator):
		return chat.RoleModerator
	}
	return chat.RoleNone
}

func (d *docket) get(s *state, id identity.ID, what store.Stance) *store.Standing {
	slot, found := d.slots[standingOf{id, what}]
	if !found {
		return nil
	}
	return s.standings.get(slot)
}

func (d *docket) has(s *state, id identity.ID, what store.Stance) bool {
	return d.get(s, id, what) != nil
}

func (d *docket) suffers(s *state, id identity.ID, what store.Stance, time int64) bool {
	x := d.get(s, id, what)
	return x != nil && holds(x.Until, time)
}

// apply returns what an act makes of s, as effects do: one that would change nothing changes nothing.
func (d *docket) apply(s state, a *actEntry) state {
	rules := &s.rules
	switch a.Verb {
	case chat.Op:
		if !d.has(&s, a.who, store.Moderator) {
			s = d.give(s, a, a.who, store.Moderator, 0)
		}
	case chat.Deop:
		s = d.take(s, a.who, store.Moderator)
	case chat.Kick:
		if rules.Private {
			s = d.take(s, a.who, store.Moderator)
		}
		s = d.take(s, a.who, store.Member)
	case chat.Ban:
		s = d.give(s, a, a.who, store.Banned, 0)
		if d.has(&s, a.who, store.Banned) { // else it is too much to be remembered
			s = d.take(d.take(s, a.who, store.Moderator), a.who, store.Member)
		}
	case chat.Unban:
		s = d.take(s, a.who, store.Banned)
	case chat.Mute:
		s = d.give(s, a, a.who, store.Muted, 0)
	case chat.Unmute:
		s = d.take(s, a.who, store.Muted)
	case chat.Slow:
		rules.Slow = a.For
	case chat.ReadOnly, chat.Writable:
		rules.ReadOnly = a.Verb == chat.ReadOnly
	case chat.Archive, chat.Unarchive:
		rules.Archived = a.Verb == chat.Archive
	case chat.Welcome:
		rules.Welcome = a.Text
	case chat.Pin, chat.Unpin:
		rules.Pins = repinned(rules.Pins, a.Text, a.Verb == chat.Pin)
	case chat.Private:
		s = d.enclose(s, a)
	case chat.Open:
		if rules.Private && !s.held {
			rules.Private, rules.Open = false, a.row
		}
	case chat.Invite:
		if rules.Private && !d.isOwner(a.who) && !d.has(&s, a.who, store.Member) && !d.suffers(&s, a.who, store.Banned, a.time) {
			s = d.give(s, a, a.who, store.Member, a.row)
		}
	}
	return s
}

// give returns s with a standing that an act gives, if the room can remember another. What has ended by then makes room.
func (d *docket) give(s state, a *actEntry, who identity.ID, what store.Stance, from uint64) state {
	if !d.has(&s, who, what) && s.standing >= maxStandings {
		for _, x := range s.list() {
			if !holds(x.Until, a.time) {
				s = d.take(s, x.Key, x.Stance)
			}
		}
		if s.standing >= maxStandings {
			return s
		}
	}
	return d.put(s, &store.Standing{Key: who, Stance: what, Since: a.time, Until: a.until(), From: from, By: a.by, Text: a.Text})
}

// put returns s with a standing in place of another of its key and stance.
func (d *docket) put(s state, x *store.Standing) state {
	k := standingOf{x.Key, x.Stance}
	slot, known := d.slots[k]
	if !known {
		slot = len(d.slots)
		d.slots[k] = slot
	}
	if s.standings.get(slot) == nil {
		s.standing++
	}
	s.standings = s.standings.with(slot, x)
	return s
}

// take returns s without a standing.
func (d *docket) take(s state, who identity.ID, what store.Stance) state {
	if d.has(&s, who, what) {
		s.standing--
		s.standings = s.standings.with(d.slots[standingOf{who, what}], nil)
	}
	return s
}

// enclose keeps the room for those who were there by the word of the act's node, its moderators and whoever did that. They read what everybody did.
func (d *docket) enclose(s state, a *actEntry) state {
	if s.rules.Private && !s.held || d.public {
		return s
	}
	stay := append([]identity.ID{a.by}, a.with...)
	for _, x := range s.list() {
		if x.Stance == store.Moderator {
			stay = append(stay, x.Key)
		}
	}
	slices.SortFunc(stay, func(x, y identity.ID) int { return bytes.Compare(x[:], y[:]) }) // if not all can be remembered, it is the same ones everywhere
	for _, id := range stay {
		if !d.isOwner(id) && !d.has(&s, id, store.Member) {
			s = d.give(s, a, id, store.Member, max(s.rules.Open, 1))
		}
	}
	s.rules.Private, s.held = true, false
	return s
}

// repinned returns pins with a message or without it. It never changes them in place: states share them.
func repinned(pins []chat.ID, text string, on bool) []chat.ID {
	id, err := chat.ParseID(text)
	at := slices.Index(pins, id)
	switch {
	case err != nil || on == (at >= 0) || on && len(pins) >= chat.MaxPins:
		return pins
	case on:
		return append(slices.Clone(pins), id)
	}
	return slices.Delete(slices.Clone(pins), at, at+1)
}
