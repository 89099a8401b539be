package hub

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// Guest is who asks to be let in: a key that has been proved, what its client said in its hello, and what is known of its connection.
type Guest struct {
	Key          identity.ID
	Origin       store.OriginToken
	Name         string
	FirstUnacked uint64
	Token        []byte     // of an invitation; empty: none
	Card         []byte     // of the key, checked: what others seal to it with; empty: none
	Admin        bool       // the key may everything
	Secure       bool       // what is told to it goes over an encrypted link
	Address      netip.Addr // where it comes from; the zero one has no limits
	Came         time.Time  // when its connection began; of two of one origin the later one stays
	Wake, Wait   func()     // see Session; nil: nothing is called
}

// Attached is what a guest is told in the welcome.
type Attached struct {
	Name     string
	From     uint64
	LastCSeq uint64
	Outcomes []wire.Outcome
	Time     time.Time
}

// Refusal is the reason why a guest is not let in, and after what time it may be (0: never).
type Refusal struct {
	Code  chat.Code
	Retry time.Duration
}

func (r *Refusal) Error() string { return r.Code.Sentence() }

// Attach lets a guest in. A key that was never let in before joins, for good: on a node that takes only whom it knows, by an invitation or as an
// admin's. A session that has the same origin on an earlier connection is told goodbye, and what it has queued is dropped; when its connection is the later one, the
// guest is: a client that has given a connection up and dialled again may have left a hello in the first. It returns a *Refusal, or ErrStopped.
func (h *Hub) Attach(g Guest) (*Session, *Attached, error) {
	var s *Session
	var welcome *Attached
	var err error
	if stopped := h.call(func() { s, welcome, err = h.attach(g) }); stopped != nil {
		return nil, nil, stopped
	}
	return s, welcome, err
}

func (h *Hub) attach(g Guest) (*Session, *Attached, error) {
	now := h.cfg.Now()
	o := h.origins[g.Origin]
	invite, refusal := h.admit(&g, o, now)
	if refusal != nil {
		return nil, nil, refusal
	}
	a := h.account(g.Key)
	if o != nil && o.session != nil {
		h.replace(o.session)
	}
	a.lent = false // the name is the key's own from now on
	wants := a.name
	if o == nil || a.name == "" {
		wants = chat.BaseName(g.Name)
	}
	h.arrive(a, &g, invite, now)
	if wants != a.name {
		h.rename(a, h.free(wants, a))
	}
	if o == nil {
		h.lastFrom++
		o = &origin{Origin: store.Origin{Num: h.lastFrom, Token: g.Origin, Key: g.Key}}
		h.origins[g.Origin] = o
		h.authors[o.Num] = g.Key
		h.name(o)
	}
	s := &Session{hub: h, account: a, origin: o, wake: orNothing(g.Wake), wait: orNothing(g.Wait), since: now, came: g.Came, admin: g.Admin, secure: g.Secure, network: networkOf(g.Address), space: make(chan struct{}, 1)}
	s.ready = s.few[:0]
	o.session = s
	was := a.isAway()
	a.sessions[s] = struct{}{}
	if was != a.isAway() {
		h.changeAll(a)
	}
	h.sessions[s] = struct{}{}
	h.networks[s.network]++
	if a.name != wants {
		s.notice(chat.NameTaken, "the name "+wants+" belongs to somebody else here; you are "+a.name)
	}
	if h.full {
		s.notice(chat.NoSpace, fullText)
	}
	s.nodes = h.where
	return s, &Attached{Name: a.name, From: o.Num, LastCSeq: o.Last, Outcomes: outcomesFrom(o, g.FirstUnacked), Time: now}, nil
}

// admit says why a guest who comes with origin o, nil for a new one, can't be let in, or, with nil, that it is, and by which invitation, if any. What
// costs something to have asked comes last.
func (h *Hub) admit(g *Guest, o *origin, now time.Time) (*store.Invite, *Refusal) {
	a := h.accounts[g.Key]
	replaces := o != nil && o.session != nil
	needsName := o == nil || a == nil || a.name == ""
	switch {
	case o != nil && o.Key != g.Key:
		return nil, &Refusal{Code: chat.BadOrigin}
	case replaces && g.Came.Before(o.session.came):
		return nil, &Refusal{Code: chat.Replaced}
	case h.stopping:
		return nil, &Refusal{Code: chat.Stopping, Retry: h.jitter(retryHint)}
	case needsName && !chat.ValidName(chat.BaseName(g.Name)):
		return nil, &Refusal{Code: chat.BadName}
	case h.hasNoPlaceFor(g) && !replaces:
		return nil, &Refusal{Code: chat.Full, Retry: h.jitter(retryFull)}
	case a != nil && len(a.sessions) >= maxSessionsEach && !replaces:
		return nil, &Refusal{Code: chat.TooFast, Retry: retryFull}
	case a != nil && a.joined:
		return nil, nil
	}
	return h.admitNew(g, now)
}

// hasNoPlaceFor reports whether there are too many sessions for another one: in all, or of the network that the guest comes from, which gets a part of
// the places, so that no one network has them all. Admins are let in nevertheless: somebody has to be able to do something about it.
func (h *Hub) hasNoPlaceFor(g *Guest) bool {
	places := h.cfg.MaxSessions
	if places == 0 || g.Admin {
		return false
	}
	network := networkOf(g.Address)
	return len(h.sessions) >= places || network.IsValid() && h.networks[network] >= max(1, places/networkPart)
}

// admitNew is admit for a key that has not joined.
func (h *Hub) admitNew(g *Guest, now time.Time) (*store.Invite, *Refusal) {
	invite := h.invitation(g.Token, false, now)
	switch {
	case h.invitation(g.Token, true, now) != nil: // somebody has mistaken what is for a node for what is for them: whoever asked for it is to see that
		return nil, &Refusal{Code: chat.BadInvite}
	case invite != nil:
		return invite, nil
	case g.Admin:
		return nil, nil
	case h.cfg.InviteOnly && len(g.Token) > 0:
		return nil, &Refusal{Code: chat.BadInvite}
	case h.cfg.InviteOnly:
		return nil, &Refusal{Code: chat.NotInvited}
	}
	if wait := h.arrivals.take(g.Address, now); wait > 0 {
		return nil, &Refusal{Code: chat.TooFast, Retry: wait}
	}
	return nil, nil
}

// arrive notes that a guest is here, and, where that has not been before, that it has joined and used an invitation.
func (h *Hub) arrive(a *account, g *Guest, invite *store.Invite, now time.Time) {
	a.see(now)
	a.trusted = a.trusted || g.Admin
	shows := len(g.Card) > 0 && !bytes.Equal(g.Card, a.card) // a client that shows none takes nothing away: the key's others read on
	if shows {
		a.card = g.Card
	}
	if !a.joined {
		a.joined, a.since = true, a.seen
		if invite != nil {
			a.inviter = invite.Inviter
			h.useInvite(invite)
		}
		h.save(a)
	} else if len(a.sessions) == 0 || shows {
		h.save(a)
	}
}

// replace ends a session whose origin a newer connection of the same key goes on with: its account is not away for a moment.
func (h *Hub) replace(s *Session) {
	h.detach(s)
	s.bye(chat.Replaced, 0, "")
}

// outcomesFrom returns the remembered outcomes from cseq first on, as a welcome tells them.
func outcomesFrom(o *origin, first uint64) []wire.Outcome {
	var out []wire.Outcome
	for _, x := range o.recent() {
		if x.CSeq >= first {
			out = append(out, wire.Outcome{CSeq: x.CSeq, Code: x.Code, Seq: x.Seq, ID: x.ID, Time: x.Time})
		}
	}
	return out
}

// Detach ends the session. goodbye says that its client asked for it and has had all answers: its origin is retired. It is safe to call after the
// session was replaced.
func (s *Session) Detach(goodbye bool) error {
	return s.hub.call(func() {
		if s.detached {
			return
		}
		s.hub.detach(s)
		s.hub.depart(s.account)
		if goodbye || s.origin.Last == 0 { // otherwise there is nothing of it to remember
			s.hub.retire(s.origin)
		}
	})
}

// depart notes when the last session of an account has ended.
func (h *Hub) depart(a *account) {
	if len(a.sessions) > 0 {
		return
	}
	a.see(h.cfg.Now())
	was := a.awaySince != 0
	if a.awayText, a.awaySince = "", 0; was != a.isAway() {
		h.changeAll(a)
	}
	if a.released {
		h.unname(a)
	}
	h.save(a)
}

// detach takes a session out of every table.
func (h *Hub) detach(s *Session) {
	s.detached = true
	s.mu.Lock()
	s.closed = true
	s.ready = nil
	s.mu.Unlock()
	for _, sub := range s.subs {
		h.unsubscribe(sub)
	}
	s.subs, s.ending = nil, nil
	s.unwatch()
	delete(h.sessions, s)
	delete(s.account.sessions, s)
	if h.networks[s.network]--; h.networks[s.network] == 0 {
		delete(h.networks, s.network)
	}
	s.origin.session, s.origin.seen = nil, h.cfg.Now()
}

// unsubscribe drops a subscription where it is, and its session from among those who are in the room.
func (h *Hub) unsubscribe(sub *subscription) {
	sub.room.log.finish(sub, dropped, 0)
	h.left(sub)
}

// left counts a subscription as gone from its room.
func (h *Hub) left(sub *subscription) {
	r := sub.room
	r.subs--
	if !r.Direct() {
		sub.session.joined--
		h.leave(r, sub.session.account)
	}
	if r.subs == 0 {
		h.unmark(r)
	}
	h.dropIfUnused(r)
}

// join subscribes a session to a room, anew if it is there already. moved is what its client has seen elsewhere, if it says so.
func (h *Hub) join(s *Session, j *wire.Join, moved *elsewhere) {
	tail := min(j.Tail, chat.MaxTail)
	if j.Room == chat.DirectMark {
		h.joinDirects(s, tail)
		h.answer(s, recordSize(j), nil)
		return
	}
	room, code := h.joinable(s, j.Room)
	st := start{tail: tail, asked: recordSize(j)}
	if code == chat.OK {
		if st.first, code = s.reads(room); code != chat.OK {
			h.dropIfUnused(room)
		}
	}
	if code != chat.OK {
		h.answer(s, recordSize(j), &wire.Open{Name: j.Room, Status: wire.StatusDenied, Code: code})
		return
	}
	if old := s.in(room); old != nil {
		h.unsubscribeAgain(s, old)
	}
	if c := j.Cursor; c != nil {
		st.cursor = &chat.Cursor{Epoch: c.Epoch, Seq: c.Seq, Hash: c.Hash}
	} else if moved != nil {
		st.moved = moved
		moved.enters(h, room, s.account.id)
	}
	h.subscribe(s, room, st)
}

// joinable returns the room that a session asks to join.
func (h *Hub) joinable(s *Session, name string) (*room, chat.Code) {
	if who, direct := strings.CutPrefix(name, chat.DirectMark); direct {
		other := h.person(who)
		if other == nil {
			return nil, chat.NoSuchUser
		}
		return h.directRoom(s.account, other)
	}
	if s.joined >= chat.MaxRooms && (h.rooms[name] == nil || s.in(h.rooms[name]) == nil) {
		return nil, chat.TooManyRooms
	}
	return h.namedRoom(name, s.account)
}

// joinDirects subscribes a session to the conversations of its key, the newest of them, and to those to come.
func (h *Hub) joinDirects(s *Session, tail uint64) {
	s.direct, s.tail = true, tail
	rooms := slices.Clone(s.account.directs)
	slices.SortFunc(rooms, func(a, b *room) int { return int(b.time - a.time) })
	for _, r := range rooms[:min(len(rooms), chat.MaxDirect)] {
		if s.in(r) == nil && r.head > 0 {
			h.subscribe(s, r, start{tail: tail})
		}
	}
}

// openDirect subscribes every session of a that wants its direct conversations to one that begins.
func (h *Hub) openDirect(r *room, a *account) {
	for s := range a.sessions {
		if s.direct && s.in(r) == nil {
			h.subscribe(s, r, start{})
		}
	}
}

// subscribe makes a cursor that begins at the room's head as it is now, and sets it going once that has been published.
func (h *Hub) subscribe(s *Session, r *room, st start) {
	st.head, st.hash = r.head, r.hash
	title, peer := h.titleFor(r, s.account)
	sub := &subscription{session: s, room: r, title: title, start: st, idleAt: notIdle}
	if peer != nil {
		sub.peer, sub.card = peer.id[:], peer.card
	} else {
		sub.role = s.birthright(r)
		s.joined++
		h.enter(r, s.account)
	}
	r.subs++
	s.subs = append(s.subs, sub)
	earlier := s.ends(r)
	h.batch.after = append(h.batch.after, func() {
		if r.mark == nil {
			h.remark(r)
		}
		if earlier == nil || !r.log.follow(earlier, sub) {
			s.queue(sub)
		}
	})
}

// ended keeps a subscription that has been told to end until it has.
func (s *Session) ended(sub *subscription) {
	s.ending = slices.DeleteFunc(s.ending, func(x *subscription) bool { return x.room.log.isOver(x) })
	s.ending = append(s.ending, sub)
}

// ends returns the session's last subscription to a room that has been told to end and may have something to write still, and forgets it: the
// next one of that room follows it.
func (s *Session) ends(r *room) (last *subscription) {
	s.ending = slices.DeleteFunc(s.ending, func(x *subscription) bool {
		if x.room == r {
			last = x
		}
		return x.room == r
	})
	return last
}

// unsubscribeAgain drops a subscription that is about to be replaced, so that nobody sees its session leave and come back.
func (h *Hub) unsubscribeAgain(s *Session, old *subscription) {
	old.room.log.finish(old, dropped, 0)
	s.subs = slices.DeleteFunc(s.subs, func(x *subscription) bool { return x == old })
	s.ended(old)
	old.room.subs--
	if !old.room.Direct() {
		s.joined--
		old.room.members[s.account]--
	}
}

// part ends a subscription after the rows that the room has now.
func (h *Hub) part(s *Session, name string) {
	var sub *subscription
	if who, direct := strings.CutPrefix(name, chat.DirectMark); !direct {
		if r := h.rooms[name]; r != nil {
			sub = s.in(r)
		}
	} else if other := h.person(who); other != nil {
		sub = s.in(h.directs[peers(s.account, other)])
	}
	if sub == nil {
		h.answer(s, requestSize, &wire.Closed{Name: name, Code: chat.NotJoined})
		return
	}
	h.end(sub, chat.OK)
}

// end ends a subscription behind the rows that its room has now; with OK its client has asked for that.
func (h *Hub) end(sub *subscription, code chat.Code) {
	s, end := sub.session, sub.room.head
	s.subs = slices.DeleteFunc(s.subs, func(x *subscription) bool { return x == sub })
	s.ended(sub)
	s.unwatchRoom(sub.room)
	sub.room.log.part(sub, end, code)
	h.batch.after = append(h.batch.after, func() {
		if sub.room.log.finish(sub, parts, end) {
			s.queue(sub)
		}
	})
	h.left(sub)
}

// in returns the session's subscription to a room, nil when there is none.
func (s *Session) in(r *room) *subscription {
	for _, sub := range s.subs {
		if sub.room == r {
			return sub
		}
	}
	return nil
}

func orNothing(f func()) func() {
	if f == nil {
		return func() {}
	}
	return f
}
