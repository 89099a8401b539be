package hub

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

const (
	// reviewEvery is how often people are looked through: for names that nobody uses any more, and for who has been here for long. Of those the
	// store learns when it is seenEvery old that they are, so that after a crash it knows what was true a day before.
	reviewEvery = time.Hour
	seenEvery   = 24*time.Hour - reviewEvery
	// maxSessionsEach is how many sessions one key has at a time.
	maxSessionsEach = 16
	// maxWho is more bytes than any name or key id has, spread out for reading.
	maxWho = 256
	// nicksEach is how often one key can take another name, nicksBurst how many times at once.
	nicksEach  = 10 * time.Second
	nicksBurst = 5
)

// account is a key and what hangs on it.
type account struct {
	// Static after construction.
	id identity.ID

	// Safe for use by many goroutines; nil where there is no limit.
	limit     *rate.Limiter
	roomLimit *rate.Limiter

	// Owned by Run.
	joined      bool   // it was let in once: the store knows it
	name        string // that belongs to it; empty: none does
	fold        string // of name: what it is found and sorted by
	skeleton    string // of name: what it is told from others by
	released    bool   // the name is its own until its last session ends, and not in the store
	lent        bool   // the name is its own while it is abroad and nobody here wants it, and not in the store
	wrote       bool   // something of it was ever answered
	trusted     bool   // it was let in as an admin's
	since, seen int64  // milliseconds, when it joined and when it was last known to be here; 0: not known
	inviter     identity.ID
	card        []byte // what others seal to it with; nil: it has shown none. Never changed in place
	sessions    map[*Session]struct{}
	directs     []*room
	awayText    string        // what it said when it went away
	awaySince   int64         // milliseconds; 0: it is not away, as ever when it has no session
	abroad      *abroad       // what other nodes say of it; nil: it is on none
	awayAbroad  int64         // as awaySince, on all those nodes
	rooms       []*room       // that it is in there, among the members of each
	nickLimit   *rate.Limiter // nil: full
	awayLimit   *rate.Limiter // nil: full
	inviteLimit *rate.Limiter // nil: full
}

// isAdmin reports whether a session of the account was let in as an admin's.
func (a *account) isAdmin() bool {
	for s := range a.sessions {
		if s.admin {
			return true
		}
	}
	return false
}

// see notes that the account is here. A clock that was set back, as some machines' are until the network tells them the time, makes nobody long gone.
func (a *account) see(now time.Time) { a.seen = max(a.seen, chat.Millis(now)) }

// account returns the account of a key, which it makes when there is none.
func (h *Hub) account(id identity.ID) *account {
	a := h.accounts[id]
	if a == nil {
		a = &account{id: id, sessions: map[*Session]struct{}{}}
		if h.cfg.Rate > 0 {
			a.limit = limiter(h.cfg.Rate)
			a.roomLimit = rate.NewLimiter(rate.Every(roomsEach), roomsBurst)
		}
		h.accounts[id] = a
	}
	return a
}

// save has the store know what is true of an account now.
func (h *Hub) save(a *account) {
	p := store.Person{Key: a.id, Name: a.name, Since: a.since, Seen: a.seen, Inviter: a.inviter, Seal: a.card, Remote: !a.joined}
	if a.released || a.lent {
		p.Name = ""
	}
	h.batch.person(p)
}

// restorePeople makes accounts of those whom the store knows. Of two whose names look alike, which they did not when they were given, who was seen
// last keeps it.
func (h *Hub) restorePeople(people []store.Person) {
	slices.SortFunc(people, func(a, b store.Person) int {
		return cmp.Or(cmp.Compare(b.Seen, a.Seen), cmp.Compare(b.Since, a.Since), bytes.Compare(a.Key[:], b.Key[:]))
	})
	for _, p := range people {
		a := h.account(p.Key)
		a.joined, a.since, a.seen, a.inviter, a.card = !p.Remote, p.Since, p.Seen, p.Inviter, p.Seal
		if p.Name == "" {
			continue
		}
		skeleton := skeletonOf(p.Name)
		if other := h.names[skeleton]; other != nil {
			h.cfg.Log.Warn("two names look alike: one goes", "name", p.Name, "key", p.Key.String(), "stays_with", other.id.String())
			h.save(a)
			continue
		}
		a.name, a.fold, a.skeleton = p.Name, chat.Fold(p.Name), skeleton
		h.names[skeleton] = a
	}
}

// person returns the account that goes by that name or key id, or nil. A name that only looks like it is another one: who writes to somebody must not
// reach somebody else.
func (h *Hub) person(who string) *account {
	if len(who) > maxWho {
		return nil // it would take long to find that out
	}
	if id, err := identity.ParseID(who); err == nil {
		return h.accounts[id]
	}
	if a := h.names[skeletonOf(who)]; a != nil && a.fold == chat.Fold(who) {
		return a
	}
	return nil
}

// review releases names that nobody has used for long, and notes who is here.
func (h *Hub) review(now time.Time) {
	h.reviewed = now
	h.arrivals.forget(now)
	for _, r := range h.rooms {
		h.expire(r, chat.Millis(now))
	}
	for _, a := range h.accounts {
		switch {
		case len(a.sessions) > 0 && now.Sub(time.UnixMilli(a.seen)) >= seenEvery:
			a.see(now)
			h.save(a)
		case a.name != "" && !a.lent && a.idle(now):
			h.cfg.Log.Info("a name was not used for long and is free again", "key", a.id.String())
			h.unname(a)
		}
	}
}

// forget drops, once there are too many of them, the origins and accounts that have been idle longest. An origin that returns after that is
// told that the node knows nothing of it, which its client shows. An account goes only where nothing is lost with it but its name.
func (h *Hub) forget() {
	if len(h.origins) > maxOrigins {
		var idle []*origin
		for _, o := range h.origins {
			if o.session == nil {
				idle = append(idle, o)
			}
		}
		slices.SortFunc(idle, func(a, b *origin) int { return a.seen.Compare(b.seen) })
		for _, o := range idle[:len(idle)/4] {
			h.retire(o)
		}
	}
	if len(h.accounts) > maxAccounts {
		var away []*account
		for _, a := range h.accounts {
			if h.forgettable(a) {
				away = append(away, a)
			}
		}
		slices.SortFunc(away, func(a, b *account) int { return cmp.Compare(a.seen, b.seen) })
		for _, a := range away[:len(away)/4] {
			h.unname(a)
			h.batch.person(store.Person{Key: a.id, Gone: true})
			delete(h.accounts, a.id)
		}
	}
}

// forgettable reports whether an account may go: nothing says that its person was ever here, and it could come back as it came.
func (h *Hub) forgettable(a *account) bool {
	invited := h.cfg.InviteOnly && !a.inviter.IsZero()
	return len(a.sessions)+len(a.directs) == 0 && !a.wrote && !a.trusted && !invited && a.abroad == nil
}

// origin is a sequence of publishes of one key.
type origin struct {
	store.Origin
	kept    bool     // the store knows it
	dirty   bool     // it is in the batch
	session *Session // that publishes now, or nil
	seen    time.Time
}

// settle notes what became of the next cseq.
func (o *origin) settle(out store.Outcome) {
	o.Last = out.CSeq
	if len(o.Outcomes) >= 2*chat.MaxInFlight {
		o.Outcomes = append(make([]store.Outcome, 0, 2*chat.MaxInFlight), o.recent()...) // never in place: batches hold the old ones
	}
	o.Outcomes = append(o.Outcomes, out)
}

// recent returns the outcomes that are promised to be remembered.
func (o *origin) recent() []store.Outcome {
	return o.Outcomes[max(0, len(o.Outcomes)-chat.MaxInFlight):]
}

// outcome returns what became of cseq, which is not above Last; when that is forgotten, only that it was kept or refused long ago.
func (o *origin) outcome(cseq uint64) store.Outcome {
	for _, out := range o.recent() {
		if out.CSeq == cseq {
			return out
		}
	}
	return store.Outcome{CSeq: cseq}
}

// retire ends an origin. Its number keeps its meaning if the store has rows of it.
func (h *Hub) retire(o *origin) {
	delete(h.origins, o.Token)
	delete(h.byName, wire.OriginName(o.Token))
	o.Retired, o.Outcomes = true, nil
	if o.kept {
		h.batch.origin(o)
	} else {
		delete(h.authors, o.Num)
	}
}
