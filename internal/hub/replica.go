package hub

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

var (
	// ErrKept says that a store has rows, so that it can't become part of another space.
	ErrKept = errors.New("the store has rows of its own space")
	// ErrNoKey says that the hub was made without the node's key, so that nothing of it can be signed for others.
	ErrNoKey = errors.New("the hub has no key to sign with")
)

// movedText is what those are told who are here when the store becomes part of another space.
const movedText = "for a moment: it becomes one of several nodes that have the same rooms"

// Source is the node that entries come from, which is seldom the one that wrote them.
type Source struct {
	Node     identity.ID
	Admitted bool
	// Low is the first entry of the log that anybody has any more, by the word of those who were asked: Offer takes a log from there on if what it has ends
	// below. 0: the log has to go on from what is here.
	Low uint64
}

// Run is entries of one log, the first of which has seq First. Low is as that of Source, which does not count where there is a Run. With Gone, what the first
// of them depends on and is not here is not waited for: it is kept nowhere any more.
type Run struct {
	Log     wire.Log
	Low     uint64
	Private bool // the source says that the room is, which counts where the log goes on at Low: the act that made it so may lie below
	First   uint64
	List    []wire.Signed
	Gone    bool
}

// Offered says what became of entries that were offered.
type Offered struct {
	Head    uint64     // of the log, after it
	Known   int        // how many of them were here already
	Missing []wire.Dep // what the first one that was not taken waits for
	Fault   string     // why the first one that was not taken is a lie; empty: it is none
	Fork    *wire.Fork // the log says two things at one place: this is the proof, kept already; where it is this node's, it goes on under another nonce
	Refused bool       // the room is not the source's to write to, or not here to be made: nothing was taken, and nobody is at fault
	Later   bool       // the disk is nearly full, or the room's own rows are still being given entries: it is to be tried again
	Doubt   uint64     // the first one that was not taken goes on from another entry than the one that is here under this number: the source is to be asked for its own
	Mine    bool       // the log is the one that this node writes now, and there is more of it than here: see RenewLogs
}

// Sharing returns what the store is among others.
func (h *Hub) Sharing() (s store.Sharing) {
	_ = h.call(func() { s = h.sharing }) // of a hub that has stopped the zero one
	return s
}

// Kept reports whether the store ever had rows: only one that had none can Adopt another space.
func (h *Hub) Kept() (kept bool) {
	_ = h.call(func() { kept = h.kept() })
	return kept
}

func (h *Hub) kept() bool {
	for _, r := range h.numbers.rooms { // only Run writes there
		if r.head > 0 {
			return true
		}
	}
	return false
}

// Adopt makes the store part of another space. It returns ErrKept when it has rows, and ErrStopped.
func (h *Hub) Adopt(space [16]byte) (err error) {
	if stopped := h.call(func() {
		if h.sharing.Space != space && h.kept() {
			err = ErrKept
			return
		}
		h.moveTo(space)
	}); stopped != nil {
		return stopped
	}
	return err
}

// JoinSpace makes a store, with the rows that it has, part of another space, as its operator has said that it is to be.
func (h *Hub) JoinSpace(space [16]byte) error {
	return h.call(func() { h.moveTo(space) })
}

// moveTo makes the store part of a space. Who is here was welcomed to another one, by which it would not find its way to the other nodes: it is to come
// back, and goes on where it was.
func (h *Hub) moveTo(space [16]byte) {
	if h.sharing.Space == space {
		return
	}
	h.sharing.Space = space
	h.saveSharing()
	for s := range h.sessions {
		s.bye(chat.Stopping, h.jitter(retryHint), movedText)
	}
}

// RenewLogs has the node write logs under a new nonce from now on: those that it wrote may say something else elsewhere.
func (h *Hub) RenewLogs() error { return h.call(h.renewLogs) }

func (h *Hub) renewLogs() {
	nonce := h.salt()
	h.sharing.Nonce = binary.BigEndian.Uint64(nonce[:])
	h.saveSharing()
	for _, r := range h.numbers.rooms { // only Run writes there
		if old := r.own; old != nil {
			r.own = nil
			r.follow(old)
		}
	}
}

// SavePeer keeps what is known of another node, in place of what was. Whether it is admitted decides whether its word on who is an admin counts, and did. It
// returns ErrStopped.
func (h *Hub) SavePeer(p store.Peer) error {
	return h.call(func() {
		was := h.nodes[p.Node].Mode
		h.batch.Peers = append(h.batch.Peers, p)
		if h.nodes[p.Node] = p; p.Gone {
			delete(h.nodes, p.Node)
		}
		if is := h.nodes[p.Node].Mode; (is == wire.AdmitIt) != (was == wire.AdmitIt) {
			h.revouch(func(id wire.LogID) bool {
				l := h.ledgers[id]
				return l != nil && h.trusts(&l.log)
			})
		}
	})
}

// SavedPeers returns what is kept of other nodes, in the order of their ids; nothing when the hub has ended.
func (h *Hub) SavedPeers() (peers []store.Peer) {
	_ = h.call(func() {
		for _, p := range h.nodes {
			p.Hosts = slices.Clone(p.Hosts)
			peers = append(peers, p)
		}
	})
	slices.SortFunc(peers, func(a, b store.Peer) int { return bytes.Compare(a.Node[:], b.Node[:]) })
	return peers
}

// NodeInvite reports whether a token is that of an invitation for nodes that is good, and uses it up.
func (h *Hub) NodeInvite(token []byte) (good bool) {
	_ = h.call(func() {
		if i := h.invitation(token, true, h.cfg.Now()); i != nil {
			h.useInvite(i)
			good = true
		}
	})
	return good
}
