package hub

import (
	"errors"

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

// Source is the node that entries come from, which is seldom the one that wrote them.
type Source struct {
	Node     identity.ID
	Admitted bool
	// Low is the first entry of the log that anybody has any more, by the word of those who were asked: Offer takes a log from there on if what it has ends
	// below. 0: the log has to go on from what is here.
	Low uint64
}

// Offered says what became of entries that were offered.
type Offered struct {
	Head    uint64     // of the log, after it
	Known   int        // how many of them were here already
	Missing []wire.Dep // what the first one that was not taken waits for
	Fault   string     // why the first one that was not taken is a lie; empty: it is none
	Fork    *wire.Fork // the log says two things at one place: this is the proof, already kept
	Refused bool       // the room is not the source's to write to, or not here to be made: nothing was taken, and nobody is at fault
	Full    bool       // the disk is nearly full: it is to be tried again later
	Mine    bool       // the log is the one that this node writes now, and there is more of it than here: see RenewLogs
}

// Share begins to give the store's rows entries, so that other nodes can have them, and returns when that is decided: it goes on behind. It may be called
// again at any time. It returns ErrNoKey, or ErrStopped.
func (h *Hub) Share() error { return nil }

// Sharing returns what the store is among others.
func (h *Hub) Sharing() store.Sharing { return store.Sharing{} }

// Kept reports whether the store ever had rows: only one that had none can Adopt another space.
func (h *Hub) Kept() bool { return false }

// Adopt makes the store part of another space. It returns ErrKept when it has rows, and ErrStopped.
func (h *Hub) Adopt(space [16]byte) error { return nil }

// Join makes a store with rows part of another space, as its operator has said that it is to be, by an invitation.
func (h *Hub) Join(space [16]byte) error { return nil }

// RenewLogs has the node write logs under a new nonce from now on: those that it wrote may say something else elsewhere.
func (h *Hub) RenewLogs() error { return nil }

// Digests returns what there is of each room that a node may read, in the order of their names: see wire.Digests. Of a log that forks what stands before
// the fork counts.
func (h *Hub) Digests(admitted bool) []wire.RoomDigest { return nil }

// Heads returns the logs of a room, named as in wire.Log, that a node may read, in the order of their ids.
func (h *Hub) Heads(room string, admitted bool) []wire.Head { return nil }

// HeadOf returns how much there is of a log, and false when there is nothing that a node may read.
func (h *Hub) HeadOf(log wire.LogID, admitted bool) (wire.Head, bool) { return wire.Head{}, false }

// Entries returns the entries from to to of a log, signed, as many whole ones as fit into size bytes, but at least one, and the first that can be had:
// where that is above from, there are none in the list. Of a log that is not here, or not the node's to read, there are none at all, and low is 0. An
// error is the store's.
func (h *Hub) Entries(log wire.LogID, from, to uint64, size int, admitted bool) (list []wire.Signed, low uint64, err error) {
	return nil, 0, nil
}

// Offer takes entries of a log, the first of which has seq first, as far as they are true and what they depend on is here, and says how far that was. It
// verifies on the caller's goroutine, and returns after the commit. Its error is ErrStopped.
func (h *Hub) Offer(from Source, log wire.Log, first uint64, list []wire.Signed) (Offered, error) {
	return Offered{}, nil
}

// Prove takes a proof that a log forks, and reports whether that is news. An invalid one is an error, of whoever sent it; ErrStopped is nobody's.
func (h *Hub) Prove(f *wire.Fork) (isNew bool, err error) { return false, nil }

// Forks returns the proofs of all logs that fork.
func (h *Hub) Forks() []*wire.Fork { return nil }

// Grown has wake called after each commit by which logs grew, from the sequencer's goroutine, and without waiting: it must not call the hub. There is one
// who is told.
func (h *Hub) Grown(wake func()) {}

// TakeGrown returns the logs that have grown since it was last called, this node's own among them.
func (h *Hub) TakeGrown() []wire.LogID { return nil }

// SavePeer keeps what is known of another node, in place of what was.
func (h *Hub) SavePeer(p store.Peer) error { return nil }

// SavedPeers returns what is kept of other nodes, in the order of their ids.
func (h *Hub) SavedPeers() []store.Peer { return nil }

// NodeInvite reports whether a token is that of an invitation for nodes that is good, and uses it up.
func (h *Hub) NodeInvite(token []byte) bool { return false }
