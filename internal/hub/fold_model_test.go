package hub

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
)

// model is the rule, word for word.
func (x *tale) model() told {
	order, pasts := make([]int, len(x.acts)), x.pasts
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		a, b := x.acts[i], x.acts[j]
		if a.lamport != b.lamport {
			return int(a.lamport) - int(b.lamport)
		}
		return bytes.Compare(a.id[:], b.id[:])
	})
	does := map[int]bool{} // which acts count; not in it: not known yet
	done := map[deed]bool{}
	for _, i := range order {
		if deed := x.acts[i].deed; !x.able[i] || done[deed] { // nobody waits for what can't be, or was done before
			does[i] = false
		} else {
			done[deed] = true
		}
	}
	foldOf := func(past map[int]bool) *plain {
		p := newPlain()
		for _, i := range order {
			if does[i] && (past == nil || past[i]) {
				p.do(x.acts[i])
			}
		}
		return p
	}
	known := func(i int) bool {
		for j := range pasts[i] {
			if _, found := does[j]; !found {
				return false
			}
		}
		return true
	}
	takes := func(v, a int) bool { // v would take a's right
		x, y := x.acts[v], x.acts[a]
		if x.who != y.by || pasts[v][a] || pasts[a][v] || y.admin {
			return false
		}
		switch x.Verb {
		case chat.Ban, chat.Mute:
			return x.For == 0 || y.time < x.time+x.For.Milliseconds()
		case chat.Deop:
			return y.by != party("owner")
		case chat.Kick:
			return y.by != party("owner") && (!known(v) || foldOf(pasts[v]).private)
		}
		return false
	}
	for len(does) < len(order) {
		moved := false
		lowest := -1
		for _, i := range order {
			if _, found := does[i]; found || !known(i) {
				continue
			}
			if lowest < 0 || bytes.Compare(x.acts[i].id[:], x.acts[lowest].id[:]) < 0 {
				lowest = i
			}
			right, waits := foldOf(pasts[i]).permits(x.acts[i]), false
			for v := range order {
				if !right || !takes(v, i) {
					continue
				}
				counts, found := does[v]
				switch {
				case found && counts:
					right = false
				case !found && !(known(v) && takes(i, v) && bytes.Compare(x.acts[i].id[:], x.acts[v].id[:]) < 0):
					waits = true
				}
			}
			if !right || !waits {
				does[i], moved = right, true
			}
		}
		if !moved { // they all wait for each other
			right := foldOf(pasts[lowest]).permits(x.acts[lowest])
			for v := range order {
				right = right && !(does[v] && takes(v, lowest))
			}
			does[lowest] = right
		}
	}
	all := foldOf(nil).told()
	for _, i := range order {
		if does[i] {
			all.Counts = append(all.Counts, name(x.acts[i]))
		}
	}
	return all
}

// plain is a room as plainly as can be.
type plain struct {
	moderator, member, muted, banned map[identity.ID]*store.Standing
	private, archived, readonly      bool
	open                             uint64
	slow                             time.Duration
	welcome                          string
	pins                             []string
}

func newPlain() *plain {
	return &plain{moderator: map[identity.ID]*store.Standing{}, member: map[identity.ID]*store.Standing{}, muted: map[identity.ID]*store.Standing{},
		banned: map[identity.ID]*store.Standing{}}
}

func (p *plain) rank(id identity.ID, admin bool) int {
	switch {
	case admin:
		return 3
	case id == party("owner"):
		return 2
	case p.moderator[id] != nil:
		return 1
	}
	return 0
}

func lastsAt(s *store.Standing, now int64) bool { return s != nil && (s.Until == 0 || now < s.Until) }

func (p *plain) permits(a *actEntry) bool {
	rank := p.rank(a.by, a.admin)
	if rank < 3 && (lastsAt(p.banned[a.by], a.time) || lastsAt(p.muted[a.by], a.time)) {
		return false
	}
	if p.private && a.by != party("owner") && p.member[a.by] == nil || p.archived && a.Verb != chat.Unarchive {
		return false
	}
	switch a.Verb {
	case chat.Op, chat.Deop:
		return rank >= 2 && p.rank(a.who, false) < rank
	case chat.Archive, chat.Unarchive, chat.Private, chat.Open:
		return rank >= 2
	case chat.Kick, chat.Ban, chat.Unban, chat.Mute, chat.Unmute:
		return rank >= 1 && p.rank(a.who, false) < rank
	}
	return rank >= 1
}

func (p *plain) do(a *actEntry) {
	s := &store.Standing{Key: a.who, Since: a.time, By: a.by}
	if a.For > 0 {
		s.Until = a.time + a.For.Milliseconds()
	}
	switch a.Verb {
	case chat.Op:
		if p.moderator[a.who] == nil {
			p.moderator[a.who] = s
		}
	case chat.Deop:
		delete(p.moderator, a.who)
	case chat.Kick:
		if p.private {
			delete(p.moderator, a.who)
		}
		delete(p.member, a.who)
	case chat.Ban:
		p.banned[a.who] = s
		delete(p.moderator, a.who)
		delete(p.member, a.who)
	case chat.Unban:
		delete(p.banned, a.who)
	case chat.Mute:
		p.muted[a.who] = s
	case chat.Unmute:
		delete(p.muted, a.who)
	case chat.Private:
		if p.private {
			return
		}
		p.private = true
		for _, id := range append(slices.Collect(maps.Keys(p.moderator)), append([]identity.ID{a.by}, a.with...)...) {
			if id != party("owner") && p.member[id] == nil {
				p.member[id] = &store.Standing{Since: a.time, By: a.by, From: max(1, p.open)}
			}
		}
	case chat.Open:
		if p.private {
			p.private, p.open = false, a.row
		}
	case chat.Invite:
		if p.private && a.who != party("owner") && p.member[a.who] == nil && !lastsAt(p.banned[a.who], a.time) {
			s.From = a.row
			p.member[a.who] = s
		}
	case chat.Archive, chat.Unarchive:
		p.archived = a.Verb == chat.Archive
	case chat.ReadOnly, chat.Writable:
		p.readonly = a.Verb == chat.ReadOnly
	case chat.Slow:
		p.slow = a.For
	case chat.Welcome:
		p.welcome = a.Text
	case chat.Pin:
		if !slices.Contains(p.pins, a.Text) && len(p.pins) < 16 {
			p.pins = append(p.pins, a.Text)
		}
	case chat.Unpin:
		p.pins = slices.DeleteFunc(p.pins, func(s string) bool { return s == a.Text })
	}
}

func (p *plain) told() told {
	all := told{Rules: store.Rules{ReadOnly: p.readonly, Archived: p.archived, Private: p.private, Open: p.open, Slow: p.slow, Welcome: p.welcome}, Standings: map[string]string{}}
	for _, pin := range p.pins {
		id, err := chat.ParseID(pin)
		if err != nil {
			panic(err)
		}
		all.Rules.Pins = append(all.Rules.Pins, id)
	}
	for i, m := range []map[identity.ID]*store.Standing{p.moderator, p.member, p.muted, p.banned} {
		for id, s := range m {
			all.Standings[fmt.Sprintf("%s %d", bytes.TrimRight(id[:], "\x00"), i+1)] = fmt.Sprint(s.Since, s.Until, s.From, string(bytes.TrimRight(s.By[:], "\x00")))
		}
	}
	return all
}
