package hub

import (
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// Bounds on what nodes that are not admitted may have this one keep for good, or they could use up what there is for those who come here: so many rooms,
// logs of a room and people by the word of one node. Such nodes can be made up, so that all of them together may not have more than half of anything.
const (
	maxGuestRooms   = 256
	maxGuestLogs    = 16 // a node has one, and another one for each backup that is put back
	maxGuestAuthors = 4096
	// maxLogs bounds the logs of a room as far as they are of such nodes: half of those that a mark can tell of.
	maxLogs = wire.MaxMarkHeads / 2
	// maxWarned bounds the nodes that were named for it.
	maxWarned = 1024
)

// quota is what is here by the word of one node.
type quota struct {
	rooms, authors int
}

// affords reports whether there may be what an entry makes that is not here yet. What an admitted node passes on is its own affair.
func (h *Hub) affords(o *offering, x *offer) bool {
	author := identity.ID(x.Author)
	newAuthor := h.vouchers[author].IsZero() && h.accounts[author] == nil
	if o.from.Admitted || o.room != nil && o.ledger != nil && !newAuthor || h.trusts(&o.log) {
		return true
	}
	q, what := h.quotas[identity.IDOf(o.log.Node)], ""
	switch {
	case o.room == nil && (q.rooms >= maxGuestRooms || len(h.rooms)+len(h.directs) >= maxRooms/2):
		what = "rooms"
	case o.ledger == nil && !o.room.hasPlaceFor(o.log.Node):
		what = "logs of one room"
	case newAuthor && (q.authors >= maxGuestAuthors || len(h.accounts) >= maxAccounts/2):
		what = "people"
	default:
		return true
	}
	if _, named := h.warned[o.from.Node]; !named && len(h.warned) < maxWarned {
		h.warned[o.from.Node] = struct{}{}
		h.cfg.Log.Warn("a node that is not admitted tells of too much: the rest is not taken", "from", o.from.Node.String(), "node", identity.IDOf(o.log.Node).String(),
			"room", o.log.Room, "what", what)
	}
	return false
}

// hasPlaceFor reports whether a room can have one more log, of a node that is not admitted.
func (r *room) hasPlaceFor(node []byte) bool {
	if r == nil {
		return true
	}
	same := 0
	for _, l := range r.logs {
		if string(l.log.Node) == string(node) {
			same++
		}
	}
	return same < maxGuestLogs && len(r.logs) < maxLogs
}

// charge counts a room, or somebody, as there by a node's word.
func (h *Hub) charge(node identity.ID, rooms, authors int) {
	q := h.quotas[node]
	q.rooms += rooms
	q.authors += authors
	h.quotas[node] = q
}

// restoreQuotas counts what was taken before: a room is there by the word of the node that wrote first in it.
func (h *Hub) restoreQuotas(state *store.State) {
	first := map[uint64]*store.Log{}
	for i := range state.Logs {
		if l := &state.Logs[i]; first[l.Room] == nil || l.Num < first[l.Room].Num {
			first[l.Room] = l
		}
	}
	for _, l := range first {
		h.charge(identity.IDOf(l.Key[:]), 1, 0)
	}
}
