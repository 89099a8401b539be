package hub

import (
	"bytes"
	"cmp"
	"container/list"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
)

// room is a log and who is there.
type room struct {
	// Static after construction.
	store.Room // Topic, Keep and Rules excepted, which are Run's

	// Safe for use by many goroutines.
	log  roomLog
	gate gate

	// Owned by Run.
	kept     bool // the store knows it
	head     uint64
	hash     chat.Hash
	time     int64
	members  map[*account]int // number of its sessions that joined, and one more while it is there on another node
	subs     int              // subscriptions, those of direct conversations included
	watchers map[*Session]struct{}
	// unpublished counts its rows in the batch.
	unpublished int
	flood       flood
	changed     map[*account]struct{} // came, went or changed their name since the last tick
	written     *list.Element         // in budget.rooms
	counted     int64                 // when the number of a crowd was last told, milliseconds
	mark        *mark                 // that log has; nil: none

	logs    []*ledger          // that nodes write here
	own     *ledger            // of them: this node's; nil: it has written nothing yet, or not under this nonce
	moved   []*ledger          // of the others: those that the node's own next entry can build on
	entered uint64             // rows up to this one have entries; they all do, or none is taken from other nodes
	said    map[uint64]*saying // of rows beyond that
	topicAt *topicAt           // of the topic that holds; nil: not known yet

	docket    *docket                       // of its acts; nil: none has come
	standings map[standingOf]store.Standing // some may have ended
	barred    int                           // networks that gate keeps out
	retold    bool                          // readers are to be told on what terms they are here
	spoke     map[identity.ID]int64         // when each key last wrote, in milliseconds, while the room is slow
	spokeKept int                           // how many of them there were after the last clearing
}

func newRoom(r store.Room) *room {
	if r.Name == chat.Reports {
		r.Owner = identity.ID{} // whoever made a room of that name when it was one like any other
	}
	made := &room{
		Room: r, members: map[*account]int{}, watchers: map[*Session]struct{}{}, changed: map[*account]struct{}{},
		standings: map[standingOf]store.Standing{},
	}
	made.gate.owner = r.Owner
	made.gate.rule(r.Rules)
	return made
}

// addRoom enters a room in the tables.
func (h *Hub) addRoom(r *room) {
	h.numbers.add(r)
	if r.Direct() {
		h.directs[r.Peers] = r
		for _, id := range r.Peers {
			a := h.account(id)
			if !slices.Contains(a.directs, r) {
				a.directs = append(a.directs, r)
			}
		}
		return
	}
	h.rooms[r.Name] = r
}

// namedRoom returns the room of that name, which it makes when there is none and a may.
func (h *Hub) namedRoom(name string, a *account) (*room, chat.Code) {
	if r := h.rooms[name]; r != nil {
		return r, chat.OK
	}
	switch {
	case !chat.ValidRoom(name):
		return nil, chat.BadRoom
	case len(h.rooms)+len(h.directs) >= maxRooms:
		return nil, chat.Full
	case a.roomLimit != nil && !a.roomLimit.AllowN(h.cfg.Now(), 1):
		return nil, chat.RoomRate
	}
	return h.makeRoom(store.Room{Name: name, Owner: a.id}), chat.OK
}

// directRoom returns the conversation of a and b, which it makes when there is none.
func (h *Hub) directRoom(a, b *account) (*room, chat.Code) {
	peers := peers(a, b)
	if r := h.directs[peers]; r != nil {
		return r, chat.OK
	}
	if len(h.rooms)+len(h.directs) >= maxRooms {
		return nil, chat.Full
	}
	return h.makeRoom(store.Room{Peers: peers}), chat.OK
}

// peers returns the sorted keys of two people.
func peers(a, b *account) [2]identity.ID {
	if bytes.Compare(a.id[:], b.id[:]) > 0 {
		a, b = b, a
	}
	return [2]identity.ID{a.id, b.id}
}

func (h *Hub) makeRoom(r store.Room) *room {
	h.lastRoom++
	r.Num, r.Created = h.lastRoom, chat.Millis(h.cfg.Now())
	made := newRoom(r)
	h.addRoom(made)
	return made
}

// dropIfUnused forgets a room that has no rows and nobody in it: as if it had never been.
func (h *Hub) dropIfUnused(r *room) {
	switch {
	case r.head > 0 || r.subs > 0 || r.kept:
		return
	case r.Direct():
		delete(h.directs, r.Peers)
		for _, id := range r.Peers {
			a := h.account(id)
			a.directs = slices.DeleteFunc(a.directs, func(x *room) bool { return x == r })
		}
	default:
		delete(h.rooms, r.Name)
	}
	h.numbers.remove(r)
}

// titleFor returns what the room is called to a: its name, or the other's, or the other's key where that has no name.
func (h *Hub) titleFor(r *room, a *account) (title string, peer *account) {
	if !r.Direct() {
		return r.Name, nil
	}
	other := r.Peers[0]
	if other == a.id {
		other = r.Peers[1]
	}
	peer = h.account(other)
	return chat.DirectMark + cmp.Or(peer.name, other.String()), peer
}

// enter and leave count a session of a among those who are there.
func (h *Hub) enter(r *room, a *account) {
	r.members[a]++
	if r.members[a] == 1 {
		h.change(r, a)
	}
}

func (h *Hub) leave(r *room, a *account) {
	if r.members[a]--; r.members[a] == 0 {
		delete(r.members, a)
		h.change(r, a)
	}
}
