package hub

import (
	"bytes"
	"maps"
	"slices"
	"sync"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/seal"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// Bounds on who is told to be on other nodes, besides wire.MaxAbroad: so many nodes, so many rooms of one person, and of all of them together. What is
// beyond them is left out.
const (
	maxNodesAbroad = 64
	maxRoomsAbroad = 64
	maxPlaces      = 1 << 16
)

// abroad is what other nodes say of somebody who is there.
type abroad struct {
	name  string
	card  []byte // checked: the key's own
	via   string // the node that says so; of several the one with the lowest key
	away  bool
	rooms []string
	first []firstHand
}

// firstHand is a room that somebody is in by the word of the node where they are, as it gave it itself.
type firstHand struct {
	node identity.ID
	room string
}

// SetAbroad says who is on other nodes now, in place of what was said before; Hops is 1 where the node itself has said so over its own link. They are shown among those who are in rooms here, by names that nobody here
// has to give way for. What is malformed or too much is left out; after Run has ended nothing happens.
func (h *Hub) SetAbroad(nodes []wire.NodePeople) {
	next := h.mergeAbroad(nodes)
	_ = h.call(func() { h.setAbroad(next) })
}

// mergeAbroad makes one list of those of many nodes.
func (h *Hub) mergeAbroad(nodes []wire.NodePeople) map[identity.ID]*abroad {
	h.cards.mu.Lock()
	defer h.cards.mu.Unlock()
	nodes = slices.DeleteFunc(slices.Clone(nodes), func(n wire.NodePeople) bool { return len(n.Node) != len(identity.ID{}) || h.isSelf(n.Node) })
	slices.SortStableFunc(nodes, func(a, b wire.NodePeople) int { return bytes.Compare(a.Node, b.Node) })
	all, places := map[identity.ID]*abroad{}, 0
	for _, n := range nodes[:min(len(nodes), maxNodesAbroad)] {
		via := ViaOf(n.Title, identity.ID(n.Node))
		for _, p := range n.People[:min(len(n.People), wire.MaxAbroad)] {
			if len(p.Key) != len(identity.ID{}) {
				continue
			}
			id := identity.ID(p.Key)
			if all[id] == nil {
				all[id] = &abroad{via: via, away: true}
			}
			if all[id].card == nil && h.cards.check(p.Card, id) {
				all[id].card = p.Card
			}
			places += all[id].add(&n, &p, maxPlaces-places)
		}
	}
	h.cards.keep(all)
	return all
}

// add takes what one more node says of somebody, with at most left more places, and returns how many these were.
func (a *abroad) add(n *wire.NodePeople, p *wire.Abroad, left int) (places int) {
	if base := chat.BaseName(p.Name); a.name == "" && chat.ValidName(base) {
		a.name = base
	}
	a.away = a.away && p.Away
	for _, name := range p.Rooms[:min(len(p.Rooms), maxRoomsAbroad)] {
		if len(a.rooms) < maxRoomsAbroad && places < left && !slices.Contains(a.rooms, name) {
			a.rooms = append(a.rooms, name)
			places++
		}
		if n.Hops == 1 && places < left {
			a.first = append(a.first, firstHand{identity.ID(n.Node), name})
			places++
		}
	}
	return places
}

// isIn reports whether somebody is in a room for certain: here, or on another node that is admitted, by its own word. What others say of a node can't be
// checked, and a guest's word makes nobody a member.
func (h *Hub) isIn(a *account, r *room) bool {
	for s := range a.sessions {
		if s.in(r) != nil {
			return true
		}
	}
	return a.abroad != nil && slices.ContainsFunc(a.abroad.first, func(f firstHand) bool {
		return f.room == r.Name && h.nodes[f.node].Mode == wire.AdmitIt
	})
}

// isSelf reports whether a key id is the node's own: what it says itself comes back to it.
func (h *Hub) isSelf(node []byte) bool {
	return h.cfg.Key != nil && bytes.Equal(h.node[:], node)
}

// ViaOf returns what a node is called where it vouches for somebody: its title, if it has one, and its id.
func ViaOf(title string, node identity.ID) string {
	title = chat.OneLine(title)
	if title == "" || len(title) > chat.MaxTitle {
		return node.String()
	}
	return title + " (" + node.String() + ")"
}

// via returns which other node vouches for somebody who is not here; empty for who comes to this one.
func (h *Hub) via(a *account) string {
	if a.abroad != nil {
		return a.abroad.via
	}
	node, known := h.vouchers[a.id]
	if a.joined || !known {
		return ""
	}
	return ViaOf(h.nodes[node].Title, node)
}

// vouched notes which node the entries came from by which a key is known that writes elsewhere. The first of a key stays its voucher.
func (h *Hub) vouched(x *store.Abroad) {
	if author := h.authors[x.Num]; h.vouchers[author].IsZero() {
		node := identity.IDOf(x.Via[:])
		h.vouchers[author] = node
		h.charge(node, 0, 1)
	}
}

// setAbroad makes true what is said of people abroad.
func (h *Hub) setAbroad(next map[identity.ID]*abroad) {
	for _, a := range h.afar {
		if next[a.id] == nil {
			h.withdraw(a)
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(next), func(a, b identity.ID) int { return bytes.Compare(a[:], b[:]) }) {
		h.placeAbroad(h.account(id), next[id])
	}
}

// placeAbroad takes notice of where somebody is now.
func (h *Hub) placeAbroad(a *account, p *abroad) {
	was := a.isAway()
	h.afar[a.id] = a
	if a.abroad = p; p.away && a.awayAbroad == 0 {
		a.awayAbroad = max(chat.Millis(h.cfg.Now()), 1)
	} else if !p.away {
		a.awayAbroad = 0
	}
	if p.card != nil && len(a.sessions) == 0 {
		a.card = p.card // which nobody but the key can have made
	}
	h.lend(a)
	rooms := h.roomsOf(a, p.rooms)
	for _, r := range a.rooms {
		if !slices.Contains(rooms, r) {
			h.leave(r, a)
		}
	}
	for _, r := range rooms {
		if !slices.Contains(a.rooms, r) {
			h.enter(r, a)
		}
	}
	a.rooms = rooms
	if was != a.isAway() {
		h.changeAll(a)
	}
}

// roomsOf returns those of the rooms that are here and that the key reads: what another node says lets nobody into one.
func (h *Hub) roomsOf(a *account, names []string) (rooms []*room) {
	now := chat.Millis(h.cfg.Now())
	for _, name := range names {
		r := h.rooms[name]
		if r == nil || r.isReports() {
			continue
		}
		_, banned := r.standing(a.id, store.Banned, now)
		if _, code := r.gate.first(a.id); code == chat.OK && !banned {
			rooms = append(rooms, r)
		}
	}
	return rooms
}

// withdraw takes notice that somebody is not on another node any more. The name that they were lent they have until that has been told.
func (h *Hub) withdraw(a *account) {
	was := a.isAway()
	for _, r := range a.rooms {
		h.leave(r, a)
	}
	a.abroad, a.rooms, a.awayAbroad = nil, nil, 0
	delete(h.afar, a.id)
	h.withdrawn = append(h.withdrawn, a)
	if was != a.isAway() {
		h.changeAll(a)
	}
}

// forgetWithdrawn takes back what those had who are not abroad any more: names that were lent, and accounts of which there is nothing else.
func (h *Hub) forgetWithdrawn() {
	for _, a := range h.withdrawn {
		if a.abroad != nil {
			continue // they are back
		}
		if a.lent {
			h.unname(a)
		}
		if !a.joined && !a.wrote && !a.trusted && a.name == "" && len(a.sessions)+len(a.directs) == 0 {
			delete(h.accounts, a.id)
		}
	}
	clear(h.withdrawn)
	h.withdrawn = h.withdrawn[:0]
}

// lend gives somebody abroad a name to be shown by, if they have none here: the one that they have there, with a suffix where anybody has that already. It
// is nobody's: whoever comes here and wants it gets it, and the store knows nothing of it.
func (h *Hub) lend(a *account) {
	if a.name != "" && !a.lent || a.abroad == nil || a.abroad.name == "" {
		return
	}
	name := h.freeIf(a.abroad.name, a, func(*account) bool { return false })
	if a.name == name {
		return
	}
	if a.lent {
		delete(h.names, a.skeleton)
	}
	a.name, a.fold, a.skeleton, a.lent = name, chat.Fold(name), skeletonOf(name), true
	h.names[a.skeleton] = a
	h.changeAll(a)
}

// isAway reports whether the account is shown as away: as it says here, while it is here.
func (a *account) isAway() bool {
	if len(a.sessions) == 0 {
		return a.awayAbroad != 0
	}
	return a.awaySince != 0
}

// isHere reports whether the account is on this node or another one.
func (a *account) isHere() bool { return len(a.sessions) > 0 || a.abroad != nil }

// People returns who is on this node, in the order of their keys, at most wire.MaxAbroad of them, and in which rooms, as a node may know that is admitted
// here or not. Whose node it is, and since when that holds, is for the caller to fill in.
func (h *Hub) People(admitted bool) (is wire.NodePeople) {
	_ = h.call(func() {
		here := map[identity.ID]*account{}
		for s := range h.sessions {
			here[s.account.id] = s.account
		}
		is.Count = uint64(len(here))
		ids := slices.SortedFunc(maps.Keys(here), func(a, b identity.ID) int { return bytes.Compare(a[:], b[:]) })
		for _, id := range ids[:min(len(ids), wire.MaxAbroad)] {
			a := here[id]
			is.People = append(is.People, wire.Abroad{Key: id[:], Name: a.name, Card: a.card, Away: a.isAway(), Rooms: a.roomsFor(admitted)})
		}
	})
	return is
}

// roomsFor returns the names of the rooms that the account's sessions are in, as another node may know them.
func (a *account) roomsFor(admitted bool) (names []string) {
	for s := range a.sessions {
		for _, sub := range s.subs {
			if r := sub.room; !r.Direct() && (admitted || !r.Rules.Private && !r.isReports()) {
				names = append(names, r.Name)
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return names[:min(len(names), maxRoomsAbroad)]
}

// cards remembers which cards of people abroad have been checked, as that costs more than all else that is said of them.
type cards struct {
	mu   sync.Mutex // holding it promises that good is whole
	good map[identity.ID][]byte
}

// check reports whether a card is one of that key.
func (c *cards) check(card []byte, id identity.ID) bool {
	if len(card) != wire.CardLen {
		return false
	}
	if bytes.Equal(c.good[id], card) {
		return true
	}
	peer, err := seal.ReadCard(card)
	return err == nil && peer.ID == id
}

// keep forgets all but those that were good now.
func (c *cards) keep(all map[identity.ID]*abroad) {
	c.good = map[identity.ID][]byte{}
	for id, a := range all {
		if a.card != nil {
			c.good[id] = a.card
		}
	}
}
