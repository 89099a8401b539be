package hub

import (
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

const (
	// suffixStep is how many characters of an id a suffix has, and grows by where two ids end alike.
	suffixStep = 4
	// nameIdle is how long a name stays with a key that is not here.
	nameIdle = 180 * 24 * time.Hour
)

// idle reports whether the account has been away for so long that its name can go.
func (a *account) idle(now time.Time) bool {
	return len(a.sessions) == 0 && now.Sub(time.UnixMilli(a.seen)) >= nameIdle
}

// skeletonOf returns what a name is told from others by: what it looks like, and its suffix as it is, in which each character counts.
func skeletonOf(name string) string {
	base, suffix, _ := strings.Cut(name, chat.SuffixMark)
	return chat.Skeleton(base) + chat.SuffixMark + suffix
}

// free returns name if a can have it, else name with as much of the end of a's id as tells it from others.
func (h *Hub) free(name string, a *account) string {
	now := h.cfg.Now()
	return h.freeIf(name, a, func(owner *account) bool { return owner.lent || owner.idle(now) })
}

// freeIf is free where a name can be taken from an owner who yields it.
func (h *Hub) freeIf(name string, a *account, yields func(owner *account) bool) string {
	id := a.id.String()
	for n := 0; ; n += suffixStep {
		if n > 0 {
			name = chat.BaseName(name) + chat.SuffixMark + id[len(id)-n:]
		}
		if owner := h.names[skeletonOf(name)]; owner == nil || owner == a || yields(owner) {
			return name
		}
	}
}

// rename gives a the name, which is free, in place of the one that it has; whoever had it before has none then. A name that was released stays so,
// however it is written.
func (h *Hub) rename(a *account, name string) {
	if a.name == name && !a.lent {
		return
	}
	skeleton := skeletonOf(name)
	old := h.names[skeleton]
	if old != nil && old != a {
		h.unname(old)
	}
	if a.skeleton != skeleton {
		delete(h.names, a.skeleton)
		a.released = false
	}
	a.name, a.fold, a.skeleton, a.lent = name, chat.Fold(name), skeleton, false
	h.names[skeleton] = a
	h.save(a)
	h.changeAll(a)
	if old != nil {
		h.lend(old)
	}
}

// unname gives a's name up, if it has one.
func (h *Hub) unname(a *account) {
	if a.name == "" {
		return
	}
	lent := a.lent
	delete(h.names, a.skeleton)
	a.name, a.fold, a.skeleton, a.released, a.lent = "", "", "", false, false
	if !lent {
		h.save(a)
	}
}

// nick gives a key another name, if it can have it.
func (h *Hub) nick(a *account, name string) *wire.Named {
	base := chat.BaseName(name) // with the key's own suffix it is what a refusal suggests
	switch {
	case !chat.ValidName(base) || name != base && name != chat.Suffixed(base, a.id.String()):
		return &wire.Named{Name: a.name, Code: chat.BadName}
	case name == a.name:
		return &wire.Named{Name: name}
	}
	if wait := take(&a.nickLimit, nicksEach, nicksBurst, h.cfg.Now()); wait > 0 {
		return &wire.Named{Name: a.name, Code: chat.TooFast, RetryAfterMS: millis(wait)}
	}
	if free := h.free(name, a); free != name {
		return &wire.Named{Name: a.name, Code: chat.NameTaken, Suggest: free}
	}
	h.rename(a, name)
	return &wire.Named{Name: name}
}

// release takes a name from the key that owns it, for admins. Who goes by it does until their last session ends, and nobody else can have it before;
// the store has it free at once.
func (s *Session) release(q *wire.Release) wire.Record {
	h := s.hub
	if !s.account.isAdmin() {
		return &wire.Failed{Code: chat.Denied}
	}
	owner := h.person(q.Name)
	if owner == nil || owner.name == "" || owner.released || owner.lent {
		return &wire.Failed{Code: chat.NoSuchUser}
	}
	answer := &wire.ReleaseIs{Owner: owner.person()}
	h.cfg.Log.Info("a name was released", "key", owner.id.String(), "by", s.account.id.String())
	if len(owner.sessions) == 0 {
		h.unname(owner)
		return answer
	}
	owner.released = true
	h.save(owner)
	text := s.account.name + " has released the name " + owner.name + ": it is yours until you leave"
	h.batch.after = append(h.batch.after, func() {
		for other := range owner.sessions {
			other.notice(chat.OK, text)
		}
	})
	return answer
}
