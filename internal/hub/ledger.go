package hub

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// maxLinks is how many of its last entries a log has in memory: what others depend on is mostly new.
const maxLinks = 64

// idPrefix is how much of an EntryID stands in a Dep and in a Head, in bytes.
const idPrefix = 16

// ledger is a log of a room as the sequencer sees it, what is in the batch included.
type ledger struct {
	// Static after construction.
	id   wire.LogID
	log  wire.Log
	num  uint64
	room *room

	// Owned by Run.
	low     uint64 // where it began, or went on, here: what is below can't be checked
	head    uint64
	headID  wire.EntryID
	lamport uint64
	forked  uint64 // the first entry of which there are two; 0: none is known
	links   []link // of the last entries, up to head
	dirty   bool   // it is in the batch
}

// link is what is remembered of an entry: for what depends on it, for what takes its text away, and to tell it from another one in its place.
type link struct {
	id      wire.EntryID
	lamport uint64
	row     uint64 // that shows it, its own or that of another one which says the same; 0: none
}

// dep returns the end of a log as others depend on it.
func (l *ledger) dep() wire.Dep {
	return wire.Dep{Log: l.id, Seq: l.head, ID: bytes.Clone(l.headID[:idPrefix])}
}

// isForked reports whether an entry of the log is one of those that are hidden because there are two of one place.
func (l *ledger) isForked(seq uint64) bool { return l.forked > 0 && seq >= l.forked }

// link returns what is remembered of an entry, in memory or in the store, and false for one that can't be had: not here yet, not kept any more. An error
// is the store's.
func (h *Hub) link(l *ledger, seq uint64) (link, bool, error) {
	switch {
	case seq == 0 || seq > l.head:
		return link{}, false, nil
	case seq > l.head-uint64(len(l.links)):
		return l.links[seq-1-(l.head-uint64(len(l.links)))], true, nil
	}
	e, err := h.cfg.Store.EntryAt(l.num, seq)
	switch {
	case errors.Is(err, store.ErrTrimmed) || errors.Is(err, store.ErrNoRow):
		return link{}, false, nil
	case err != nil:
		return link{}, false, h.fault(fmt.Errorf("read entry %d of log %d: %w", seq, l.num, err))
	}
	return linkOf(&e), true, nil
}

func linkOf(e *store.Entry) link {
	k := link{id: e.ID, lamport: e.Lamport, row: e.Row}
	if e.Hidden {
		k.row = e.Same
	}
	return k
}

// grow puts an entry behind the log's others and into the batch.
func (h *Hub) grow(l *ledger, e store.Entry) {
	e.Log, e.Room, e.Seq = l.num, l.room.Num, l.head+1
	l.head, l.headID, l.lamport = e.Seq, e.ID, e.Lamport
	l.links = append(l.links, linkOf(&e))
	h.batch.Entries = append(h.batch.Entries, e)
	h.touch(l)
}

// touch has readers see, after the commit, how the log is.
func (h *Hub) touch(l *ledger) {
	if !l.dirty {
		l.dirty = true
		h.batch.ledgers = append(h.batch.ledgers, l)
	}
}

// settle notes that the batch is committed: of its links the last are kept.
func (l *ledger) settle() {
	l.dirty = false
	if n := len(l.links) - maxLinks; n > maxLinks {
		l.links = slices.Clone(l.links[n:])
	}
}

// saveLog has the store know the log, or know what has changed of it but its head, which is the store's to move.
func (h *Hub) saveLog(l *ledger) {
	h.batch.Logs = append(h.batch.Logs, store.Log{
		Num: l.num, Key: [32]byte(l.log.Node), Nonce: l.log.Nonce, Room: l.room.Num, Low: l.low, Forked: l.forked,
	})
	h.touch(l)
}

// newLedger begins a log that is not here yet with entry low.
func (h *Hub) newLedger(log wire.Log, r *room, low uint64) *ledger {
	h.lastLog++
	l := h.addLedger(&store.Log{Num: h.lastLog, Key: [32]byte(log.Node), Nonce: log.Nonce, Low: low, Head: low - 1}, r)
	h.saveLog(l)
	return l
}

// addLedger enters a log in the tables.
func (h *Hub) addLedger(s *store.Log, r *room) *ledger {
	log := wire.Log{Node: bytes.Clone(s.Key[:]), Nonce: s.Nonce, Room: r.LogName()}
	l := &ledger{
		id: log.ID(), log: log, num: s.Num, room: r, low: s.Low, head: s.Head, headID: s.HeadID, lamport: s.Lamport, forked: s.Forked,
	}
	h.ledgers[l.id], h.byNum[l.num] = l, l
	r.logs = append(r.logs, l)
	return l
}

// parseShared takes what all nodes call a room apart: that of a room, or the two of a conversation. It reports false for one that no room has.
func parseShared(name string) (room string, peers [2]identity.ID, ok bool) {
	both, direct := strings.CutPrefix(name, chat.DirectMark)
	if !direct {
		return name, peers, chat.MayBeRoom(name)
	}
	one, other, _ := strings.Cut(both, " ")
	var err error
	for i, who := range [...]string{one, other} {
		if peers[i], err = identity.ParseID(who); err != nil || peers[i].IsZero() || peers[i].String() != who {
			return "", peers, false
		}
	}
	return "", peers, bytes.Compare(peers[0][:], peers[1][:]) <= 0
}

// shared returns the room of such a name, nil when there is none.
func (h *Hub) shared(name string) *room {
	room, peers, ok := parseShared(name)
	switch {
	case !ok:
		return nil
	case room != "":
		return h.rooms[room]
	}
	return h.directs[peers]
}

// shelf is what other goroutines see of the logs: what is committed.
type shelf struct {
	// mu promises that logs, rooms and grown agree.
	mu    sync.RWMutex
	logs  map[wire.LogID]*shown
	rooms map[string][]*shown // by the rooms' shared names, in the order of the logs' ids
	grown map[wire.LogID]struct{}
	wake  func()
}

// shown is one log of a shelf.
type shown struct {
	// Static after construction.
	id   wire.LogID
	log  wire.Log
	num  uint64
	room *room

	// Guarded by shelf.mu.
	head   uint64 // of what is shown: of a log that forks, of what stands before that
	headID wire.EntryID
}

// show has the shelf say what is committed of logs, and wakes whoever passes it on.
func (s *shelf) show(h *Hub, ledgers []*ledger) {
	if len(ledgers) == 0 {
		return
	}
	s.mu.Lock()
	for _, l := range ledgers {
		x := s.logs[l.id]
		if x == nil {
			x = &shown{id: l.id, log: l.log, num: l.num, room: l.room}
			s.logs[l.id] = x
			all := s.rooms[l.log.Room]
			at, _ := slices.BinarySearchFunc(all, l.id, func(x *shown, id wire.LogID) int { return bytes.Compare(x.id[:], id[:]) })
			s.rooms[l.log.Room] = slices.Insert(all, at, x)
		}
		x.head, x.headID = l.head, l.headID
		if l.isForked(l.head) {
			x.head, x.headID = l.forked-1, wire.EntryID{}
			if before, found, _ := h.link(l, l.forked-1); found { // its error ends the hub
				x.headID = before.id
			}
		}
		s.grown[l.id] = struct{}{}
	}
	wake := s.wake
	s.mu.Unlock()
	if wake != nil {
		wake()
	}
}

// readable returns the first row of the log's room that a node reads, and false when it reads none. Nodes that are admitted read everything; others
// what a guest would.
func (x *shown) readable(admitted bool) (first uint64, ok bool) {
	switch {
	case admitted:
		return 1, true
	case x.room.Direct() || x.room.isReports():
		return 0, false
	}
	first, code := x.room.gate.first(identity.ID{})
	return first, code == chat.OK
}

// lowOf returns the first entry of a log that a node can have, from row first on: head+1 when there is none. An error is the store's.
func (h *Hub) lowOf(x *shown, head, first uint64) (uint64, error) {
	low, err := h.cfg.Store.LogLow(x.num)
	if err != nil {
		return 0, h.fault(fmt.Errorf("low of log %d: %w", x.num, err))
	}
	low = min(max(low, 1), head+1)
	if first <= 1 {
		return low, nil
	}
	from, err := h.cfg.Store.LogAt(x.num, first)
	if err != nil {
		return 0, h.fault(fmt.Errorf("row %d in log %d: %w", first, x.num, err))
	}
	return min(max(low, from), head+1), nil
}

// headOf returns how much of a log there is for a node; false when that is nothing.
func (h *Hub) headOf(x *shown, admitted bool) (wire.Head, bool) {
	first, ok := x.readable(admitted)
	h.shelf.mu.RLock()
	head := wire.Head{Log: x.log, Seq: x.head, ID: bytes.Clone(x.headID[:idPrefix])}
	h.shelf.mu.RUnlock()
	if !ok || head.Seq == 0 {
		return wire.Head{}, false
	}
	head.Private = x.room.gate.isPrivate()
	var err error
	head.Low, err = h.lowOf(x, head.Seq, first)
	return head, err == nil
}

// find returns a log, nil when it is not here.
func (s *shelf) find(id wire.LogID) *shown {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.logs[id]
}

// headOf returns the last entry of a log that is shown, 0 when there is none.
func (s *shelf) headOf(id wire.LogID) uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if x := s.logs[id]; x != nil {
		return x.head
	}
	return 0
}

// of returns the logs of a room.
func (s *shelf) of(room string) []*shown {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.rooms[room])
}

// Heads returns the logs of a room, named as in wire.Log, that a node may read, in the order of their ids.
func (h *Hub) Heads(room string, admitted bool) (heads []wire.Head) {
	for _, x := range h.shelf.of(room) {
		if head, ok := h.headOf(x, admitted); ok {
			heads = append(heads, head)
		}
	}
	return heads
}

// HeadOf returns how much there is of a log, and false when there is nothing that a node may read.
func (h *Hub) HeadOf(log wire.LogID, admitted bool) (wire.Head, bool) {
	x := h.shelf.find(log)
	if x == nil {
		return wire.Head{}, false
	}
	return h.headOf(x, admitted)
}

// Digests returns what there is of each room that a node may read, in the order of their names: see wire.Digest. Of a log that forks what stands before
// the fork counts.
func (h *Hub) Digests(admitted bool) (all []wire.RoomDigest) {
	s := &h.shelf
	s.mu.RLock()
	defer s.mu.RUnlock()
	for name, logs := range s.rooms {
		if _, ok := logs[0].readable(admitted); !ok {
			continue
		}
		heads := make([]wire.Head, 0, len(logs))
		for _, x := range logs {
			heads = append(heads, wire.Head{Log: x.log, Seq: x.head, ID: x.headID[:idPrefix]})
		}
		if slices.ContainsFunc(heads, func(x wire.Head) bool { return x.Seq > 0 }) {
			all = append(all, wire.RoomDigest{Room: name, Digest: wire.Digest(heads)})
		}
	}
	slices.SortFunc(all, func(a, b wire.RoomDigest) int { return cmp.Compare(a.Room, b.Room) })
	return all
}

// Grown has wake called after each commit by which logs grew, from the sequencer's goroutine, and without waiting: it must not call the hub. There is one
// who is told.
func (h *Hub) Grown(wake func()) {
	h.shelf.mu.Lock()
	defer h.shelf.mu.Unlock()
	h.shelf.wake = wake
}

// TakeGrown returns the logs that have grown since it was last called, this node's own among them.
func (h *Hub) TakeGrown() (logs []wire.LogID) {
	h.shelf.mu.Lock()
	defer h.shelf.mu.Unlock()
	for id := range h.shelf.grown {
		logs = append(logs, id)
	}
	clear(h.shelf.grown)
	return logs
}

// signatures remembers some that were made for entries which several nodes are given: a signature costs more than the rest of an entry.
type signatures struct {
	mu   sync.Mutex // holding it promises that each id has its own signature
	some [1024]struct {
		id  wire.EntryID
		sig []byte
	}
}

// sign returns the node's signature of an entry of its own.
func (h *Hub) sign(id wire.EntryID) []byte {
	s := &h.signatures
	place := &s.some[binary.BigEndian.Uint32(id[:])%uint32(len(s.some))]
	s.mu.Lock()
	sig := place.sig
	known := sig != nil && place.id == id
	s.mu.Unlock()
	if known {
		return sig
	}
	sig = h.cfg.Key.Sign(wire.EntryDomain, id[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	place.id, place.sig = id, sig
	return sig
}

// Entries returns the entries from to to of a log, signed, as many whole ones as fit into size bytes, but at least one, and the first that can be had:
// where that is above from, there are none in the list. Of a log that is not here, or not the node's to read, there are none at all, and low is 0. An
// error is the store's.
func (h *Hub) Entries(log wire.LogID, from, to uint64, size int, admitted bool) (list []wire.Signed, low uint64, err error) {
	x := h.shelf.find(log)
	if x == nil {
		return nil, 0, nil
	}
	head, ok := h.headOf(x, admitted)
	if !ok || from < head.Low || from > min(to, head.Seq) {
		return nil, head.Low, nil
	}
	entries, err := h.cfg.Store.Entries(x.num, from, min(to, head.Seq), size)
	switch {
	case errors.Is(err, store.ErrTrimmed): // meanwhile
		low, err = h.lowOf(x, head.Seq, 0)
		return nil, low, err
	case err != nil:
		return nil, 0, h.fault(fmt.Errorf("read entry %d of log %d: %w", from, x.num, err))
	}
	for i := range entries {
		e := &entries[i]
		if e.Sig == nil {
			e.Sig = h.sign(e.ID)
		}
		list = append(list, wire.Signed{Entry: e.Header, Sig: e.Sig, Salt: e.Salt, Body: e.Body})
	}
	return list, head.Low, nil
}
