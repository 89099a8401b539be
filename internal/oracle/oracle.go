// Package oracle judges what clients lived through: whether the messages they sent, the answers they got and the rows they were shown can
// all be true of one log. It is for tests that break things on purpose; each check is linear in the length of the history.
//
// A test gives every message a text of its own, tells each client's Client what it did and saw, in the order in which it did, and at the
// end hands Check the log as the node has it.
package oracle

import (
	"sync"

	"chatnode/internal/chat"
)

// Row is a message as a client was shown it, or as the log has it. Author, CSeq and ID are compared only where both sides know them (are
// not zero).
type Row struct {
	Seq    uint64
	Text   string
	ID     chat.ID
	Author string // whatever names the author in the test
	CSeq   uint64
}

// Log is the final state of a node: its epoch and the rows of each room that are still kept, in order.
type Log struct {
	Epoch uint64
	Rooms map[string][]Row
	Low   map[string]uint64 // the first seq that is kept, for rooms of which no row may be; 0 where the rows say it
}

// History collects what all clients of a test did and saw. The zero History is empty and ready. It is safe for use by many goroutines.
type History struct {
	// mu promises that the order of events is one in which they can have happened.
	mu     sync.Mutex
	events []event
}

// Client is one client's part of a history. A client that reconnects stays one Client; its methods may be called by many goroutines, as long as
// Invoke comes before the message can leave the client, and Acked, Refused and Shown after the record has come.
type Client struct {
	history *History
	name    string

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
)

type event struct {
	client *Client
	action action
	epoch  uint64
	n      uint64 // of invoked, acked and refused
	room   string
	row    Row
	code   chat.Code
}

// Client returns a new part of the history for a client of that name.
func (h *History) Client(name string) *Client { return &Client{history: h, name: name} }

func (c *Client) add(e event) {
	c.history.mu.Lock()
	defer c.history.mu.Unlock()
	e.client, e.epoch = c, c.epoch
	c.history.events = append(c.history.events, e)
}

// Epoch says whose numbers all that follows speaks in: what was acknowledged or shown under another epoch than the final log's need not be
// in it. Tests whose store outlives them need not call it.
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

// Reset says that the client was told that its place is not one of this log: what it is shown next can be any row.
func (c *Client) Reset(room string) { c.add(event{action: reset, room: room}) }
