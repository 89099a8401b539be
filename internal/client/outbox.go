package client

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/seal"
	"chatnode/internal/wire"
)

const (
	// entryCost is what an entry of the outbox is counted as besides its text.
	entryCost = 64
	// maxOps bounds the joins, parts and nicks that wait for their answers; more are refused with ErrFull.
	maxOps = 1000
)

// op says what an entry of the outbox asks the node for.
type op uint8

const (
	opSend op = iota
	opJoin
	opPart
	opNick
)

// entry is one thing that the user did, in the order in which it was done.
type entry struct {
	op      op
	n       uint64        // opSend: counts the sends of this client
	cseq    uint64        // opSend: counts the sends of this origin
	draft   Draft         // opSend
	first   pair          // opSend: what all nodes know it by, once it has moved from one to another
	filed   bool          // opSend: it stands in the State, if there is one; nothing is written before
	arg     string        // otherwise: the room or the name
	written bool          // on the present link, and not called back by a nack
	shown   *wire.Outcome // its row has been shown, so the node keeps it, and has not said so yet

	// opSend to a person: one of them, once it is known.
	to      *seal.Peer // to whom it is sealed
	refused chat.Code  // why it is not sent: the node gets a Skip in its place
}

// size returns what the entry counts towards bounds in bytes.
func (e *entry) size() int {
	if sealedTo(&e.draft) != "" {
		return entryCost + seal.Len(len(e.draft.Text))
	}
	return entryCost + len(e.draft.Text)
}

// puzzles reports whether it is still to be found out to whom the entry is sealed.
func (e *entry) puzzles() bool {
	return e.op == opSend && e.filed && e.to == nil && e.refused == chat.OK && sealedTo(&e.draft) != ""
}

// outbox is the queue of what the node has not answered yet. Sends are numbered as they come in, and keep their number however often
// they are written, as long as the origin lives. It is not safe for concurrent use: Client.mu guards it.
type outbox struct {
	// Static after construction.
	maxSends, maxBytes int

	origin   [16]byte
	entries  []*entry
	next     int    // entries before it are written
	nextCSeq uint64 // of the next send
	reached  uint64 // highest cseq ever written under this origin
	answered uint64 // highest cseq ever answered under this origin

	sends, bytes        int // not answered
	ops                 int // not answered
	flying, flyingBytes int // sends that are written and not answered
}

func newOutbox(maxSends, maxBytes int) *outbox {
	return &outbox{maxSends: maxSends, maxBytes: maxBytes, nextCSeq: 1}
}

// full reports whether a draft has to wait for answers to earlier ones. One draft is always taken, however long.
func (o *outbox) full(d *Draft) bool {
	return o.sends > 0 && (o.sends >= o.maxSends || o.bytes+entryCost+len(d.Text) > o.maxBytes)
}

// send puts a draft behind what is there. It is not written before its entry is filed.
func (o *outbox) send(n uint64, d Draft) *entry {
	e := &entry{op: opSend, n: n, cseq: o.nextCSeq, draft: d}
	o.nextCSeq++
	o.add(e)
	return e
}

func (o *outbox) add(e *entry) {
	o.sends++
	o.bytes += e.size()
	o.entries = append(o.entries, e)
}

// takeBack takes out the last send, which was not filed.
func (o *outbox) takeBack(last *entry) {
	o.nextCSeq = last.cseq
	o.remove(slices.Index(o.entries, last))
}

// restore takes over what an earlier client has left, and returns how many sends that is. All of it may have been written.
func (o *outbox) restore(m *memory) uint64 {
	o.origin, o.nextCSeq, o.reached, o.answered = m.origin, m.next, m.next-1, m.highest
	n := uint64(0)
	for _, cseq := range slices.Sorted(maps.Keys(m.sends)) {
		n++
		e := &entry{op: opSend, n: n, cseq: cseq, draft: m.sends[cseq], filed: true}
		e.move(m.firsts[cseq])
		o.add(e)
	}
	return n
}

// move has a send that is not answered go to another node, which knows it by first. The row that an act is done to is a number of the node before: it is
// not sent again, for its outcome there is not known.
func (e *entry) move(first pair) {
	if e.first = first; first.cseq > 0 && e.draft.Row > 0 {
		e.refused = chat.Internal
	}
}

// do puts a join, a part or a nick behind what is there. It returns ErrFull when maxOps of them wait.
func (o *outbox) do(op op, arg string) error {
	if o.ops >= maxOps {
		return ErrFull
	}
	o.ops++
	o.entries = append(o.entries, &entry{op: op, arg: arg})
	return nil
}

// peek returns the next entry to write, or nil when there is none.
func (o *outbox) peek() *entry {
	for o.next < len(o.entries) && o.entries[o.next].written {
		o.next++
	}
	if o.next == len(o.entries) {
		return nil
	}
	return o.entries[o.next]
}

// take returns the next entry to write and counts it as written, or nil when there is none or when it has to wait: to be filed, or for
// answers, as at most sends sends of bytes bytes fly, but one always may.
func (o *outbox) take(sends, bytes int) *entry {
	e := o.peek()
	if e == nil || e.puzzles() {
		return nil
	}
	if e.op == opSend {
		if !e.filed || o.flying > 0 && (o.flying >= sends || o.flyingBytes+e.size() > bytes) {
			return nil
		}
		o.flying++
		o.flyingBytes += e.size()
		o.reached = max(o.reached, e.cseq)
	}
	e.written = true
	o.next++
	return e
}

// answer takes the send with this cseq out. It returns nil for one that was answered before, and an error for one that was never
// written: no node can know its outcome.
func (o *outbox) answer(cseq uint64) (*entry, error) {
	if cseq == 0 || cseq > o.reached {
		return nil, fmt.Errorf("an answer to message %d, which was not sent", cseq)
	}
	o.answered = max(o.answered, cseq)
	for i, e := range o.entries {
		if e.op == opSend && e.cseq > cseq {
			break
		}
		if e.op == opSend && e.cseq == cseq {
			o.remove(i)
			return e, nil
		}
	}
	return nil, nil
}

// show notes that the row of the send with this cseq was shown, if it is not answered yet.
func (o *outbox) show(out *wire.Outcome) {
	for _, e := range o.entries {
		if e.op == opSend && e.cseq == out.CSeq {
			e.shown = out
			return
		}
	}
}

// done takes out the first written entry of kind op whose argument matches, and reports whether there was one.
func (o *outbox) done(op op, matches func(arg string) bool) bool {
	for i, e := range o.entries {
		if e.op == op && e.written && matches(e.arg) {
			o.remove(i)
			return true
		}
	}
	return false
}

// remove takes entry i out. Answers come for the first entries, so those before it move, not those behind.
func (o *outbox) remove(i int) {
	e := o.entries[i]
	if e.op == opSend {
		o.sends--
		o.bytes -= e.size()
		if e.written {
			o.flying--
			o.flyingBytes -= e.size()
		}
	} else {
		o.ops--
	}
	copy(o.entries[1:i+1], o.entries[:i])
	o.entries[0] = nil
	o.entries = o.entries[1:]
	if i < o.next {
		o.next--
	}
}

// goBack has every send from cseq expected on written again. It returns an error for a cseq that was answered already or never written.
func (o *outbox) goBack(expected uint64) error {
	if expected <= o.answered || expected > o.reached {
		return fmt.Errorf("the node asks for message %d; %d were answered and %d sent", expected, o.answered, o.reached)
	}
	first := len(o.entries)
	for i, e := range o.entries {
		if e.op == opSend && e.cseq >= expected && e.written {
			e.written = false
			o.flying--
			o.flyingBytes -= e.size()
			first = min(first, i)
		}
	}
	o.next = min(o.next, first)
	return nil
}

// relink has everything written again, on a new link.
func (o *outbox) relink() {
	for _, e := range o.entries {
		e.written = false
	}
	o.next, o.flying, o.flyingBytes = 0, 0, 0
}

// firstUnanswered returns the lowest cseq without an answer.
func (o *outbox) firstUnanswered() uint64 {
	for _, e := range o.entries {
		if e.op == opSend {
			return e.cseq
		}
	}
	return o.nextCSeq
}

// upTo returns the sends up to cseq.
func (o *outbox) upTo(cseq uint64) []*entry {
	var out []*entry
	for _, e := range o.entries {
		if e.op == opSend && e.cseq > cseq {
			break
		}
		if e.op == opSend {
			out = append(out, e)
		}
	}
	return out
}

// left is a send that goes on under another origin.
type left struct {
	draft Draft
	first pair
}

// above returns the sends behind cseq. If they move to another node, each keeps the pair that it was first offered under.
func (o *outbox) above(cseq uint64, moves bool) []left {
	var out []left
	for _, e := range o.entries {
		if e.op == opSend && e.cseq > cseq {
			out = append(out, left{e.draft, o.firstOf(e, moves)})
		}
	}
	return out
}

func (o *outbox) firstOf(e *entry, moves bool) pair {
	if moves && e.first.cseq == 0 {
		return pair{wire.OriginName(o.origin), e.cseq}
	}
	return e.first
}

// newToken takes a token for an origin from random.
func newToken(random io.Reader) (token [16]byte, err error) {
	if _, err := io.ReadFull(random, token[:]); err != nil {
		return token, fmt.Errorf("make an origin: %w", err)
	}
	return token, nil
}

// newOrigin numbers what is left from 1, under another origin, and of another node if it moves.
func (o *outbox) newOrigin(token [16]byte, moves bool) {
	o.nextCSeq, o.reached, o.answered = 1, 0, 0
	for _, e := range o.entries {
		if e.op == opSend {
			e.move(o.firstOf(e, moves))
			e.shown = nil
			e.cseq = o.nextCSeq
			o.nextCSeq++
		}
	}
	o.origin = token
	o.relink()
}

// pub returns the send as the node is told of it, under the number it has now: what is for a person sealed to their key and sent to it, whatever name they have.
func (o *outbox) pub(e *entry, self *seal.Self) *wire.Pub {
	p := &wire.Pub{CSeq: e.cseq, Room: e.draft.Room, Kind: e.draft.Kind, Body: []byte(e.draft.Text)}
	switch {
	case e.refused != chat.OK:
		return &wire.Pub{CSeq: e.cseq, Room: e.draft.Room, Kind: chat.Skip}
	case e.to != nil:
		mark := seal.Mark{Origin: seal.OriginOf(o.origin), CSeq: e.cseq, Re: e.draft.Re}
		p.Room, p.Kind = chat.DirectMark+e.to.ID.String(), chat.Sealed
		p.Body = self.Seal(e.to, mark, seal.Text{Kind: e.draft.Kind, Body: e.draft.Text})
	}
	if e.draft.Re != (chat.ID{}) {
		p.Opts.Re = e.draft.Re[:]
	}
	if e.first.cseq > 0 {
		p.Opts.As = &wire.As{Origin: e.first.origin[:], CSeq: e.first.cseq}
	}
	p.Opts.Row = e.draft.Row
	return p
}
