package hub

import (
	"slices"
	"strings"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// heard is an act as it came: what its session's own goroutine finds out, so that the sequencer does not wait for it.
type heard struct {
	chat.ActOf
	who   identity.ID // zero: it is done to the room
	admin bool        // who is an admin's key
	row   uint64      // the seq of the message that it is done to; that is then found to be who's
	code  chat.Code   // why it can't be one, if not OK

	with []identity.ID // of private, once it is done: who else is a member by it
}

// hear takes an act apart and checks its signature.
func (s *Session) hear(p *wire.Pub) *heard {
	act, err := chat.ParseAct(string(p.Body))
	a := &heard{ActOf: act, row: p.Opts.Row}
	if err == nil && act.Who != "" {
		a.who, err = identity.ParseID(act.Who)
	}
	covers := identity.SignedAct{Node: s.hub.node, Epoch: s.hub.epoch, From: s.origin.Num, CSeq: p.CSeq, Room: chat.SignedRoom(p.Room), Body: p.Body}
	switch {
	case err != nil || act.Who != "" && a.who.String() != act.Who || len(p.Opts.Re) > 0 || (a.row > 0) != (a.Verb == chat.Redact):
		a.code = chat.BadAct
	case !covers.SignedBy(s.account.id, p.Opts.Sig):
		a.code = chat.BadSignature
	case strings.HasPrefix(p.Room, chat.DirectMark) && a.Verb != chat.Redact:
		a.code = chat.NotAllowed
	}
	a.admin = a.code == chat.OK && s.hub.cfg.Admin != nil && s.hub.cfg.Admin(a.who)
	return a
}

// acting is an act that is allowed, while it is done.
type acting struct {
	*heard
	h     *Hub
	by    *Session
	room  *room
	now   int64      // the time of its row
	evict []*Session // that leave the room behind it
}

// effects do what acts say, or return why that can't be done, with nothing changed. An act that would change nothing is none.
var effects = map[chat.Verb]func(*acting) chat.Code{
	chat.Op:        (*acting).op,
	chat.Deop:      (*acting).deop,
	chat.Kick:      (*acting).kick,
	chat.Ban:       (*acting).ban,
	chat.Unban:     (*acting).unban,
	chat.Mute:      (*acting).mute,
	chat.Unmute:    (*acting).unmute,
	chat.Slow:      (*acting).slow,
	chat.ReadOnly:  func(a *acting) chat.Code { return a.turn(&a.room.Rules.ReadOnly, true) },
	chat.Writable:  func(a *acting) chat.Code { return a.turn(&a.room.Rules.ReadOnly, false) },
	chat.Archive:   func(a *acting) chat.Code { return a.turn(&a.room.Rules.Archived, true) },
	chat.Unarchive: func(a *acting) chat.Code { return a.turn(&a.room.Rules.Archived, false) },
	chat.Pin:       (*acting).pin,
	chat.Unpin:     (*acting).unpin,
	chat.Welcome:   (*acting).welcome,
	chat.Redact:    (*acting).redact,
	chat.Private:   (*acting).private,
	chat.Open:      (*acting).open,
	chat.Invite:    (*acting).invite,
}

// decideAct does an act and makes a row of it, or says why it can't be one. It makes no room: there is nothing to moderate in one that is not there.
func (h *Hub) decideAct(s *Session, p *wire.Pub, act *heard) store.Outcome {
	out := store.Outcome{CSeq: p.CSeq, Code: act.code}
	if out.Code != chat.OK {
		return out
	}
	r, code := s.readable(p.Room)
	if before, found := h.offeredBefore(s, r, p, p.Body); found {
		return before
	}
	switch {
	case code != chat.OK:
		out.Code = code
	case r == nil:
		out.Code = chat.NoSuchRoom
	case act.Verb == chat.Redact:
		out.Code = s.findText(r, act)
	case r.docket != nil && len(r.docket.acts) >= maxActs:
		out.Code = chat.TooMany
	}
	if out.Code != chat.OK {
		return out
	}
	if out.Code, out.Time = s.mayAct(r, act); out.Code != chat.OK {
		return out
	}
	x := &acting{heard: act, h: h, by: s, room: r, now: max(r.time, chat.Millis(h.cfg.Now()))}
	if out.Code = effects[act.Verb](x); out.Code != chat.OK {
		return out
	}
	row := h.row(s, r, p, p.Body, chat.ID{}, x.says(p))
	if act.Verb != chat.Redact { // which changes nothing but a row
		r.kept, r.retold = true, true
		h.batch.Rooms = append(h.batch.Rooms, r.Room)
	}
	x.leave()
	out.Seq, out.ID, out.Time = row.Seq, row.ID, row.Time
	return out
}

// says returns what the act's entry says beside its text.
func (a *acting) says(p *wire.Pub) *wire.EntryOpts {
	opts := &wire.EntryOpts{Sig: p.Opts.Sig, Admin: a.by.admin}
	for _, id := range a.with {
		opts.With = append(opts.With, id[:])
	}
	return opts
}

// until returns when what the act says for how long is over.
func (a *acting) until() int64 {
	if a.For == 0 {
		return 0
	}
	return a.now + max(1, a.For.Milliseconds())
}

// stand gives the one it is done to a standing, if the room can remember another.
func (a *acting) stand(what store.Stance) chat.Code {
	if _, found := a.room.standings[standingOf{a.who, what}]; !found && len(a.room.standings) >= maxStandings {
		return chat.TooMany
	}
	a.h.stand(a.room, store.Standing{Key: a.who, Stance: what, Since: a.now, Until: a.until(), By: a.by.account.id, Text: a.Text})
	return chat.OK
}

// unstand takes it, if there is one that holds.
func (a *acting) unstand(what store.Stance) chat.Code {
	if _, found := a.room.standing(a.who, what, chat.Millis(a.h.cfg.Now())); !found {
		return chat.BadAct
	}
	a.h.stand(a.room, store.Standing{Key: a.who, Stance: what, Gone: true})
	return chat.OK
}

func (a *acting) op() chat.Code {
	if a.room.has(a.who, store.Moderator) {
		return chat.BadAct
	}
	if _, code := a.room.gate.first(a.who); code != chat.OK {
		return code
	}
	return a.stand(store.Moderator)
}

// deop puts out whoever comes from a network that is kept out of the room: that does not matter of moderators alone.
func (a *acting) deop() chat.Code {
	code := a.unstand(store.Moderator)
	if target := a.h.accounts[a.who]; code == chat.OK && target != nil {
		a.sendAway(target, func(s *Session) bool { return s.isOut(a.room) })
	}
	return code
}

// kick takes a member's place, whether or not they are there, and in a private room any role. A room that is open now may have members from when it was
// private, who would be that again.
func (a *acting) kick() chat.Code {
	target := a.h.accounts[a.who]
	a.sendAway(target, func(*Session) bool { return true })
	taken := a.room.members[target] > 0 // here or on another node
	if a.room.Rules.Private {
		taken = a.expel() || taken
	} else {
		taken = a.unstand(store.Member) == chat.OK || taken
	}
	if !taken {
		return chat.BadAct
	}
	return chat.OK
}

// ban takes a moderator's role and a member's place too. By an admin, where anybody can come with a new key, it keeps those out as well who come from where the banned one
// is; not from where the admin is.
func (a *acting) ban() chat.Code {
	if code := a.stand(store.Banned); code != chat.OK {
		return code
	}
	for _, b := range a.room.gate.bars() {
		if b.Key == a.who && holds(b.Until, a.now) { // it ends when this ban does, or nothing could lift it
			a.h.bar(a.room, store.Bar{Network: b.Network, Key: b.Key, Until: a.until()})
		}
	}
	a.expel()
	target := a.h.accounts[a.who]
	a.sendAway(target, func(*Session) bool { return true })
	if a.by.admin && !a.h.cfg.InviteOnly {
		a.barNetworks(target)
	}
	return chat.OK
}

func (a *acting) barNetworks(target *account) {
	bars := 0
	for s := range target.sessions {
		if !s.network.IsValid() || s.network == a.by.network || bars == maxBars || a.room.barred >= maxStandings {
			continue
		}
		bars++
		a.h.bar(a.room, store.Bar{Network: s.network, Key: a.who, Until: a.until()})
	}
	if bars == 0 {
		return
	}
	for other := range a.room.members {
		if other != target {
			a.sendAway(other, func(s *Session) bool { return s.isOut(a.room) })
		}
	}
}

func (a *acting) unban() chat.Code {
	if code := a.unstand(store.Banned); code != chat.OK {
		return code
	}
	for _, b := range a.room.gate.bars() {
		if b.Key == a.who {
			a.h.bar(a.room, store.Bar{Network: b.Network, Key: b.Key, Gone: true})
		}
	}
	return chat.OK
}

func (a *acting) mute() chat.Code { return a.stand(store.Muted) }

func (a *acting) unmute() chat.Code { return a.unstand(store.Muted) }

func (a *acting) slow() chat.Code {
	if a.room.Rules.Slow == a.For {
		return chat.BadAct
	}
	if a.room.Rules.Slow = a.For; a.For == 0 {
		a.room.spoke = nil
	}
	return chat.OK
}

// turn changes a rule that holds or does not.
func (a *acting) turn(rule *bool, on bool) chat.Code {
	if *rule == on {
		return chat.BadAct
	}
	*rule = on
	return chat.OK
}

// pin never changes the list in place: batches and readers hold the old one.
func (a *acting) pin() chat.Code {
	id, err := chat.ParseID(a.Text)
	rules := &a.room.Rules
	switch {
	case err != nil || slices.Contains(rules.Pins, id):
		return chat.BadAct
	case len(rules.Pins) >= chat.MaxPins:
		return chat.TooMany
	}
	rules.Pins = append(slices.Clone(rules.Pins), id)
	return chat.OK
}

func (a *acting) unpin() chat.Code {
	id, err := chat.ParseID(a.Text)
	rules := &a.room.Rules
	at := slices.Index(rules.Pins, id)
	if err != nil || at < 0 {
		return chat.BadAct
	}
	rules.Pins = slices.Delete(slices.Clone(rules.Pins), at, at+1)
	return chat.OK
}

func (a *acting) welcome() chat.Code {
	if a.room.Rules.Welcome == a.Text {
		return chat.BadAct
	}
	a.room.Rules.Welcome = a.Text
	return chat.OK
}

// sendAway notes that those sessions of an account leave the room, if they are there, of which it is true.
func (a *acting) sendAway(target *account, which func(*Session) bool) {
	for s := range target.sessions {
		if s.in(a.room) != nil && which(s) {
			a.evict = append(a.evict, s)
		}
	}
}

// leave ends the subscriptions of those who were sent away. The act is the last row that they see.
func (a *acting) leave() {
	code := chat.Banned
	if a.Verb == chat.Kick {
		code = chat.Kicked
	}
	for _, s := range a.evict {
		if sub := s.in(a.room); sub != nil { // else its entry has seen to that
			a.h.end(sub, code)
		}
	}
}

// banned answers who is banned from a room, for its moderators.
func (s *Session) banned(q *wire.Banned) wire.Record {
	r, code := s.readable(q.Room)
	switch {
	case code != chat.OK:
		return &wire.Failed{Code: code}
	case r == nil || r.Direct() || s.role(r) < chat.RoleModerator:
		return &wire.Failed{Code: chat.NotAllowed}
	}
	var bans []store.Standing
	now := chat.Millis(s.hub.cfg.Now())
	for k, x := range r.standings {
		if k.stance == store.Banned && holds(x.Until, now) {
			bans = append(bans, x)
		}
	}
	bans, more := page(bans, func(x store.Standing) string { return string(x.Key[:]) }, string(q.After))
	answer := &wire.BannedAre{More: more}
	for i, size := 0, 0; i < len(bans); i++ {
		const overhead = 2*(2+len(identity.ID{})+4*chat.MaxName) + 64
		if size += len(bans[i].Text) + overhead; size > wire.MaxRecord/2 {
			answer.More = true
			break
		}
		x := &bans[i]
		answer.Bans = append(answer.Bans, wire.Ban{Who: s.hub.named(x.Key), By: s.hub.named(x.By), Since: x.Since, Until: x.Until, Text: x.Text})
	}
	return answer
}

// named returns a key and the name that it goes by, if any.
func (h *Hub) named(id identity.ID) wire.Person {
	if a := h.accounts[id]; a != nil {
		return a.person()
	}
	return wire.Person{ID: id[:]}
}
