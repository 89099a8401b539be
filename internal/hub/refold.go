package hub

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// actOf returns what an entry says as an act: that of a log whose node's word on admins is taken or not, and that row shows. It returns an error for an
// entry that is none.
func actOf(log wire.LogID, id wire.EntryID, e *wire.Entry, body []byte, row uint64, trusted bool) (a actEntry, err error) {
	a = actEntry{
		id: id, log: log, seq: e.Seq, lamport: e.Lamport, deps: e.Deps, row: row, time: e.Time, claimed: e.Opts.Admin, admin: e.Opts.Admin && trusted,
	}
	if e.Kind != chat.Act || len(e.Author) != len(a.by) {
		return a, fmt.Errorf("entry %d of log %x is no act", e.Seq, log)
	}
	copy(a.by[:], e.Author)
	a.deed = deedOf(e.Opts.Sig)
	if a.ActOf, err = chat.ParseAct(string(body)); err != nil {
		return a, err
	}
	if a.Who != "" {
		if a.who, err = identity.ParseID(a.Who); err != nil || a.who.String() != a.Who {
			return a, fmt.Errorf("%s: %.80q is no key: %w", a.Verb, a.Who, err)
		}
	}
	for _, key := range e.Opts.With {
		var id identity.ID
		if copy(id[:], key) != len(id) || len(key) != len(id) {
			return a, fmt.Errorf("%s: %x is no key", a.Verb, key)
		}
		a.with = append(a.with, id)
	}
	return a, nil
}

func deedOf(sig []byte) deed {
	sum := sha256.Sum256(sig)
	return deed(sum[:len(deed{})])
}

// isFolded reports whether an act changes what is true of a room: one that takes a text away changes a row alone.
func (a *actEntry) isFolded(r *room) bool { return !r.Direct() && a.Verb != chat.Redact }

// acts returns the room's docket, which it makes when there is none.
func (r *room) acts() *docket {
	if r.docket == nil {
		r.docket = newDocket(r.Owner, r.isReports())
	}
	return r.docket
}

// noteAct files an act of this node, whose effects the room has already. It comes once its entry has a place in a log.
func (h *Hub) noteAct(r *room, a actEntry) {
	if !a.isFolded(r) {
		return
	}
	d := r.acts()
	d.add(a)
	if d.grounded {
		h.restate(r) // seldom anything: others know less than this node did when it found that the act could be
	}
}

// foldAct takes an act of another node, behind its row: the room is then what it would have been if all acts had come in their order.
func (h *Hub) foldAct(r *room, a actEntry) {
	if !a.isFolded(r) {
		return
	}
	d := r.ground(chat.Millis(h.cfg.Now()))
	f := d.add(a)
	if f == nil {
		return
	}
	h.restate(r)
	if f.verdict != counts {
		return
	}
	switch a.Verb {
	case chat.Kick:
		h.putOut(r, func(s *Session) bool { return s.account.id == a.who })
	case chat.Invite:
		if x := d.get(&d.now, a.who, store.Member); x != nil && x.From == a.row {
			h.tellInvited(r, a.who, a.by)
		}
	}
}

// dropActs takes the acts of a log from entry seq on out: it says two things there.
func (h *Hub) dropActs(r *room, log wire.LogID, seq uint64) {
	if r.docket != nil {
		h.refile(r, func(a *actEntry) bool { return a.log == log && a.seq >= seq })
	}
}

// revouch has the word of nodes on who is an admin count where trusted says so, in every room.
func (h *Hub) revouch(trusted func(wire.LogID) bool) {
	for _, r := range h.rooms {
		if r.docket == nil {
			continue
		}
		if all := r.docket.all(); !slices.ContainsFunc(all, func(a actEntry) bool { return a.admin != (a.claimed && trusted(a.log)) }) {
			continue
		}
		h.refile(r, func(a *actEntry) bool {
			a.admin = a.claimed && trusted(a.log)
			return false
		})
	}
}

// own has a room be the owner's by whose key other nodes say that it was made.
func (h *Hub) own(r *room, owner identity.ID) {
	if r.Direct() || r.isReports() || r.Owner == owner {
		return
	}
	r.ground(chat.Millis(h.cfg.Now()))
	r.Owner = owner
	r.gate.own(owner)
	h.batch.Rooms = append(h.batch.Rooms, r.Room)
	r.kept = true
	r.docket.owner = owner
	h.refile(r, nil)
	for a := range r.members {
		for s := range a.sessions {
			if sub := s.in(r); sub != nil {
				r.log.setRole(sub, s.birthright(r))
			}
		}
	}
	r.retold = true
	h.batch.after = append(h.batch.after, func() { h.retell(r) })
}

// refile files a room's acts anew, and has the room be what they then make of it.
func (h *Hub) refile(r *room, drop func(*actEntry) bool) {
	r.ground(chat.Millis(h.cfg.Now())).refile(drop)
	h.restate(r)
}

// ground returns the room's docket, and takes for what held before its first act what they don't explain: that may come from acts that retention took, or
// from such as were done by who was an admin then. Whatever comes later is folded over it, so that nothing is lost for want of an old act.
func (r *room) ground(now int64) *docket {
	d := r.acts()
	if d.grounded {
		return d
	}
	d.grounded = true
	base := state{}
	for k, x := range r.standings {
		if !d.has(&d.now, k.key, k.stance) && holds(x.Until, now) {
			base = d.put(base, &x)
		}
	}
	base.rules = unexplained(r.Rules, d.now.rules)
	base.held = base.rules.Private && r.Owner.IsZero() && !slices.ContainsFunc(base.list(), func(x *store.Standing) bool { return x.Stance == store.Member })
	if base.standing > 0 || !equalRules(&base.rules, &store.Rules{}) {
		d.base = base
		d.refile(nil)
	}
	return d
}

// hold keeps a room private of which an admitted node says that it is, when the act that made it so can't be had any more: nobody reads it until an act says
// who is a member. What is known of the room may be older than that act, so no other one opens it; and who owns it may be somebody who only made one of the
// same name here, so nobody does.
func (h *Hub) hold(r *room) {
	d := r.ground(chat.Millis(h.cfg.Now()))
	if r.Direct() || r.isReports() || d.now.rules.Private {
		return
	}
	d.base.rules.Private, d.base.held = true, true
	h.own(r, identity.ID{})
	h.refile(r, nil)
}

// isHeld reports whether the room is, or was before the first act that is known of it.
func (r *room) isHeld() bool { return r.docket != nil && r.docket.base.held }

// unexplained returns what of the rules is not so by others.
func unexplained(rules, by store.Rules) store.Rules {
	if rules.ReadOnly == by.ReadOnly {
		rules.ReadOnly = false
	}
	if rules.Archived == by.Archived {
		rules.Archived = false
	}
	if rules.Private == by.Private {
		rules.Private = false
	}
	if rules.Open == by.Open {
		rules.Open = 0
	}
	if rules.Slow == by.Slow {
		rules.Slow = 0
	}
	if rules.Welcome == by.Welcome {
		rules.Welcome = ""
	}
	rules.Pins = slices.DeleteFunc(slices.Clone(rules.Pins), func(id chat.ID) bool { return slices.Contains(by.Pins, id) })
	return rules
}

func equalRules(a, b *store.Rules) bool {
	return a.ReadOnly == b.ReadOnly && a.Archived == b.Archived && a.Private == b.Private && a.Open == b.Open && a.Slow == b.Slow && a.Welcome == b.Welcome &&
		slices.Equal(a.Pins, b.Pins)
}

// restate has a room be what its acts make of it, and puts out who may not read there any more.
func (h *Hub) restate(r *room) {
	d, now := r.docket, chat.Millis(h.cfg.Now())
	changed := false
	for _, x := range d.now.list() {
		have, found := r.standings[standingOf{x.Key, x.Stance}]
		have.Room = 0
		if !holds(x.Until, now) || found && have == *x {
			continue
		}
		changed = true
		h.stand(r, *x)
		if x.Stance == store.Banned {
			h.rebar(r, store.Bar{Key: x.Key, Until: x.Until}, now)
		}
	}
	for k := range r.standings {
		if x := d.get(&d.now, k.key, k.stance); x != nil && holds(x.Until, now) {
			continue
		}
		changed = true
		h.stand(r, store.Standing{Key: k.key, Stance: k.stance, Gone: true})
		if k.stance == store.Banned {
			h.rebar(r, store.Bar{Key: k.key, Gone: true}, now)
		}
	}
	if !equalRules(&r.Rules, &d.now.rules) {
		changed = true
		if r.Rules = d.now.rules; r.Rules.Slow == 0 {
			r.spoke = nil
		}
		r.gate.rule(r.Rules)
		r.kept, r.retold = true, true
		h.batch.Rooms = append(h.batch.Rooms, r.Room)
	}
	if !changed {
		return
	}
	h.putOut(r, func(s *Session) bool { return !s.mayRead(r) })
	h.batch.after = append(h.batch.after, func() { h.retell(r) })
}

// rebar has the bars that stand for somebody's ban last as long as the ban does now.
func (h *Hub) rebar(r *room, ban store.Bar, now int64) {
	for _, b := range r.gate.bars() {
		if b.Key == ban.Key && (ban.Gone || holds(b.Until, now)) {
			ban.Network = b.Network
			h.bar(r, ban)
		}
	}
}

// putOut ends the subscriptions of those in a room of whom it is true. The last row that there is now is the last that they see.
func (h *Hub) putOut(r *room, which func(*Session) bool) {
	var out []*Session
	for a := range r.members {
		for s := range a.sessions {
			if s.in(r) != nil && which(s) {
				out = append(out, s)
			}
		}
	}
	for _, s := range out {
		code := chat.Kicked
		if s.isOut(r) {
			code = chat.Banned
		}
		h.end(s.in(r), code)
	}
}

// retell has readers told what holds in a room, where no row did that.
func (h *Hub) retell(r *room) {
	if !r.retold {
		return
	}
	r.tellTerms()
	h.tell(r)
}

// tellInvited tells somebody who is here of an invitation, once it is committed.
func (h *Hub) tellInvited(r *room, who, by identity.ID) {
	name := by.String()
	if a := h.accounts[by]; a != nil {
		name = cmp.Or(a.name, name)
	}
	text := name + " invites you to #" + r.Name + ", a room for its members: /join " + r.Name
	h.batch.after = append(h.batch.after, func() {
		for s := range h.account(who).sessions {
			s.notice(chat.OK, text)
		}
	})
}

// frontier returns the acts that an act of a log of this node depends on: those that count and are in no other's causal past, and that its log does not
// have already. Of more than wire.MaxDeps those of the highest lamport are taken, the highest first.
func (r *room) frontier(own wire.LogID) (deps []wire.Dep) {
	if r.docket == nil {
		return nil
	}
	d := r.docket
	have := make([]uint32, len(d.byLog))
	note := func(f *filed) {
		for at, n := range f.past {
			have[at] = max(have[at], n)
		}
		have[f.at] = max(have[f.at], f.nth)
	}
	if at, known := d.logs[own]; known {
		note(d.byLog[at][len(d.byLog[at])-1])
	}
	for _, f := range slices.Backward(d.acts) {
		if f.verdict != counts || have[f.at] >= f.nth {
			continue
		}
		note(f)
		deps = append(deps, wire.Dep{Log: f.log, Seq: f.seq, ID: bytes.Clone(f.id[:16])})
		if len(deps) == wire.MaxDeps {
			break
		}
	}
	return deps
}

// mayRedact reports whether an act of another node may take away the text of a message of author's: everybody may that of their own, others by what the
// act's causal past makes of the room. As that text is gone for good, nothing that comes later brings it back.
func (h *Hub) mayRedact(r *room, a actEntry, author identity.ID) bool {
	switch {
	case a.by == author:
		return true
	case r.Direct():
		return false
	}
	d := r.ground(chat.Millis(h.cfg.Now()))
	f := &filed{actEntry: a}
	f.past, f.direct = d.pastOf(&a)
	s := d.fold(d.base, d.acts, f.follows)
	return d.permits(&s, &a, author)
}

// restoreActs files the acts that the store has. They change nothing: what they made of the rooms the store has too.
func (h *Hub) restoreActs(state *store.State) {
	logs := map[uint64]*store.Log{}
	for i := range state.Logs {
		logs[state.Logs[i].Num] = &state.Logs[i]
	}
	trusted := map[identity.ID]bool{} // by id: of a node that never linked with this one the key is not known
	for i := range state.Peers {
		trusted[state.Peers[i].Node] = state.Peers[i].Mode == wire.AdmitIt
	}
	if h.cfg.Key != nil {
		trusted[h.node] = true
	}
	for i := range state.Acts {
		e := &state.Acts[i]
		r, l := h.numbers.rooms[e.Room], logs[e.Log]
		if r == nil || l == nil || l.Forked > 0 && e.Seq >= l.Forked {
			continue
		}
		log := wire.Log{Node: l.Key[:], Nonce: l.Nonce, Room: r.LogName()}
		entry, err := wire.DecodeEntry(e.Header)
		var a actEntry
		if err == nil {
			a, err = actOf(log.ID(), e.ID, entry, e.Body, e.Row, trusted[identity.IDOf(l.Key[:])])
		}
		if err != nil {
			h.cfg.Log.Warn("an act that is kept can't be read", "room", e.Room, "row", e.Row, "err", err)
			continue
		}
		if a.isFolded(r) {
			r.acts().file(a)
		}
	}
	for _, r := range h.rooms {
		if r.docket != nil {
			r.docket.judge()
		}
	}
}
