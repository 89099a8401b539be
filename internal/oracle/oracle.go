// Package oracle judges what clients lived through: whether the messages they sent, the answers they got and the rows they were shown can
// all be true of one log. It is for tests that break things on purpose; Check takes time linear in the length of the history.
//
// A test gives every message a text of its own, tells each client's Client what it did and saw, in the order in which it did, and at the
// end hands Check the log as the node has it, best after a kill and a restart. The rules, and what a history must tell for them to bite:
//
//	C1 kept          what was acknowledged is in the log, as the row that was told; what was refused never is
//	C2 once          each row of the log, and each that was shown, was sent before; no message is two rows
//	C3 contiguous    the log has no hole, nor has what a client is shown between joins, gaps and resets
//	C4 author order  one client's messages stand in a room in the order in which it sent them
//	C5 real time     what was sent after an acknowledgement stands behind what was acknowledged
//	C6 durable       what was shown is in the log (what was acknowledged and is not breaks C1)
//	C7 one text      no seq of a room names two messages
//	C8 converges     a client at rest was shown the head of the log, and all that it sent is answered: Client.Settled
//	C9 bounded       no number that was measured is above its bound: History.Measured
//	C10 visible      messages that are gone are gone with a reset that their users saw: History.RolledBack, Client.Epoch, Client.Left
//
// Only C10 speaks of a store that lost something. Where an older copy of it is put back, the test has to say so, and then the other rules hold
// for what stands: Check tells what that means.
package oracle

import (
	"maps"
	"sync"

	"chatnode/internal/chat"
)

// Row is a message as a client was shown it, or as the log has it. Author, CSeq and ID are compared only where both sides know them (are
// not zero).
type Row struct {
	Seq    uint64 // from 1
	Text   string
	ID     chat.ID
	Author string // whatever names the author in the test
	CSeq   uint64
}

// Log is the final state of a node: its epoch and the rows of each room that are still kept, in order.
type Log struct {
	Epoch uint64
	Rooms map[string][]Row
	Low   map[string]uint64 // the first seq that is kept, also of rooms of which no row is; 0 where the rows say it
}

// History collects what all clients of a test did and saw. The zero History is empty and ready. It is safe for use by many goroutines.
type History struct {
	// mu promises that the order of events is one in which they can have happened.
	mu        sync.Mutex
	clients   int
	events    []event
	rollbacks []rollback
	measures  []measure
}

// Client is one client's part of a history. A client that reconnects stays one Client; its methods may be called by many goroutines, as long as
// Invoke comes before the message can leave the client, and Acked, Refused and Shown after the record has come.
type Client struct {
	// Static after construction.
	history *History
	name    string
	index   int // among the history's clients

	// Guarded by history.mu.
	epoch uint64
}

type action uint8

const (
	invoked action = iota
	acked
	refused
	shown
	joined
	gap
	reset
	settled
	left
)

type event struct {
	client *Client
	action action
	code   chat.Code
	epoch  uint64
	n      uint64 // of invoked, acked and refused
	room   string // of a reset also empty: all rooms
	row    Row
}

// rollback is an older copy of the store that was put back.
type rollback struct {
	at    int // how many events had been told
	heads map[string]uint64
}

type measure struct {
	what         string
	value, bound int64
}

// Client returns a new part of the history for a client of that name.
func (h *History) Client(name string) *Client {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients++
	return &Client{history: h, name: name, index: h.clients - 1}
}

// RolledBack says that an older copy of the store, of the same epoch, is put back at this moment, while no node runs: rows may be missing
// from now on, and others have their numbers, as far as those who saw them are told. It is RolledBackTo for a copy of which nothing is known.
func (h *History) RolledBack() { h.RolledBackTo(nil) }

// RolledBackTo is RolledBack for a copy that holds each room up to the seq that heads has for it: those rows are not excused. A room that heads does
// not name is not in the copy.
func (h *History) RolledBackTo(heads map[string]uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rollbacks = append(h.rollbacks, rollback{at: len(h.events), heads: maps.Clone(heads)})
}

// Measured says that a thing that has to stay bounded (bytes of memory, goroutines, open files) was found to be value; bound is the most
// that it may be.
func (h *History) Measured(what string, value, bound int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.measures = append(h.measures, measure{what, value, bound})
}

func (c *Client) add(e event) {
	c.history.mu.Lock()
	defer c.history.mu.Unlock()
	e.client, e.epoch = c, c.epoch
	c.history.events = append(c.history.events, e)
}

// Epoch says whose numbers all that follows speaks in: what was acknowledged or shown under another epoch than the final log's need not be
// in it, if the client was told a reset. Tests whose store outlives them need not call it.
func (c *Client) Epoch(epoch uint64) {
	c.history.mu.Lock()
	defer c.history.mu.Unlock()
	c.epoch = epoch
}

// Invoke says that the client is about to send its message n, which is its n-th however often it has to be sent. No two messages
// of a history may have the same text.
func (c *Client) Invoke(n uint64, room, text string) {
	c.add(event{action: invoked, n: n, room: room, row: Row{Text: text}})
}

// Acked says that the client was told that its message n is kept as row seq. With seq 0 the node had forgotten which; id may be zero.
func (c *Client) Acked(n, seq uint64, id chat.ID) {
	c.add(event{action: acked, n: n, row: Row{Seq: seq, ID: id}})
}

// Refused says that the client was told that its message n will never be kept.
func (c *Client) Refused(n uint64, code chat.Code) {
	c.add(event{action: refused, n: n, code: code})
}

// Shown says that the client was shown a row.
func (c *Client) Shown(room string, row Row) {
	c.add(event{action: shown, room: room, row: row})
}

// Joined says that the client began to read a room by its own wish: what it is shown next can be any row.
func (c *Client) Joined(room string) { c.add(event{action: joined, room: room}) }

// Gap says that the client was told that rows are missing: what it is shown next comes later than what it was shown last.
func (c *Client) Gap(room string) { c.add(event{action: gap, room: room}) }

// Reset says that the client was told that its place is not one of this log: what it is shown next can be any row, and what it was shown, or
// was acknowledged there, may be gone. With an empty room that goes for all rooms.
func (c *Client) Reset(room string) { c.add(event{action: reset, room: room}) }

// Settled says that the client is at rest in a room that it reads: the log is final, all faults are over, and whatever was to come has come.
func (c *Client) Settled(room string) { c.add(event{action: settled, room: room}) }

// Left says that the client has gone for good, so that it can't be told what happens to the store from now on. If it does anything later, it had not.
func (c *Client) Left() { c.add(event{action: left}) }
