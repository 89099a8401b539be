package hub

import (
	"cmp"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
)

// suffixStep is how many characters of an id a suffix has, and grows by where two ids end alike.
const suffixStep = 4

// account is a key and what hangs on it.
type account struct {
	// Static after construction.
	id identity.ID

	// Safe for use by many goroutines; nil where there is no limit.
	limit     *rate.Limiter
	roomLimit *rate.Limiter

	// Owned by Run.
	name     string // empty until it has asked for one, or when another key took it over
	fold     string // of name: what it is found and sorted by
	sessions map[*Session]struct{}
	directs  []*room
	seen     time.Time // when the last session ended
	held     time.Time // until then the name waits for the key to come back
}

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

// holds reports whether the account's name can't go to another key now.
func (a *account) holds(now time.Time) bool {
	return len(a.sessions) > 0 || now.Before(a.held)
}

// free returns name if a can have it, else name with as much of the end of a's id as tells it from others.
func (h *Hub) free(name string, a *account) string {
	id := a.id.String()
	for n := 0; ; n += suffixStep {
		if n > 0 {
			name = chat.BaseName(name) + chat.SuffixMark + id[len(id)-n:]
		}
		if owner := h.names[chat.Fold(name)]; owner == nil || owner == a || !owner.holds(h.cfg.Now()) {
			return name
		}
	}
}

// rename gives a the name, which is free; whoever had it before has none then.
func (h *Hub) rename(a *account, name string) {
	if a.name == name {
		return
	}
	h.unname(a)
	fold := chat.Fold(name)
	if old := h.names[fold]; old != nil {
		h.unname(old)
	}
	a.name, a.fold = name, fold
	h.names[fold] = a
	h.batch.person(store.Person{Key: a.id, Name: name, Seen: chat.Millis(h.cfg.Now())})
	for s := range a.sessions {
		for _, sub := range s.subs {
			if sub.room.members[a] > 0 {
				h.change(sub.room, a)
			}
		}
	}
}

// unname gives a's name up, if it has one.
func (h *Hub) unname(a *account) {
	if a.name != "" {
		delete(h.names, a.fold)
		h.batch.person(store.Person{Key: a.id, Seen: chat.Millis(a.seen)})
		a.name, a.fold = "", ""
	}
}

// nameOf returns the name that a key goes by now, empty when it has none.
func (h *Hub) nameOf(id identity.ID) string {
	if a := h.accounts[id]; a != nil {
		return a.name
	}
	return ""
}

// person returns the account that goes by that name or key id, or nil.
func (h *Hub) person(who string) *account {
	if id, err := identity.ParseID(who); err == nil {
		return h.accounts[id]
	}
	return h.names[chat.Fold(who)]
}

// forget drops, once there are too many of them, the origins and accounts that have been idle longest. An origin that returns after that is
// told that the node knows nothing of it, which its client shows.
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
			if len(a.sessions) == 0 && len(a.directs) == 0 {
				away = append(away, a)
			}
		}
		slices.SortFunc(away, func(a, b *account) int { return cmp.Compare(a.seen.UnixMilli(), b.seen.UnixMilli()) })
		for _, a := range away[:len(away)/4] {
			h.unname(a)
			delete(h.accounts, a.id)
		}
	}
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
		o.Outcomes = slices.Grow(slices.Clone(o.recent()), chat.MaxInFlight) // never in place: batches hold the old ones
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
	o.Retired, o.Outcomes = true, nil
	if o.kept {
		h.batch.origin(o)
	} else {
		delete(h.authors, o.Num)
	}
}
