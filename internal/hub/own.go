package hub

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// maxLamport bounds an entry's place in the causal order. What can't be checked may claim far less: see likely.
const maxLamport = wire.MaxCount

// saying is what an entry says of a row that the row does not.
type saying struct {
	author identity.ID
	origin [16]byte // see wire.OriginName
	opts   wire.EntryOpts
	target uint64 // the row whose text an act takes away; 0: none
}

// ownLog returns the log that this node writes in a room, begun if need be.
func (h *Hub) ownLog(r *room) *ledger {
	if r.own == nil {
		log := wire.Log{Node: h.cfg.Key.Public(), Nonce: h.sharing.Nonce, Room: r.LogName()}
		if r.own = h.ledgers[log.ID()]; r.own == nil {
			r.own = h.newLedger(log, r, 1)
		}
		r.unfollow(r.own)
	}
	return r.own
}

// vouchFor gives a session's row its entry, if all rows before it have theirs; else that waits until they do: see Share.
func (h *Hub) vouchFor(s *Session, r *room, row *store.Row, p *wire.Pub, says *wire.EntryOpts) {
	said := &saying{author: s.account.id, origin: h.originName(s.origin, 0, 0), target: p.Opts.Row}
	if says != nil {
		said.opts = *says
	}
	if as := p.Opts.As; as != nil {
		said.opts.As = as
		h.takePair(asked(said.author, said.origin, p.CSeq, as), r, row.Seq)
	}
	if r.entered < row.Seq-1 {
		if r.said == nil {
			r.said = map[uint64]*saying{}
		}
		r.said[row.Seq] = said
		return
	}
	h.vouch(r, row, chat.BodySum(&row.Salt, row.Body), said)
}

// vouch gives a row of this node, which has none yet, its entry: the next one of the node's log in that room. It is not signed before somebody is given it:
// so nothing is that was not committed.
func (h *Hub) vouch(r *room, row *store.Row, sum [sha256.Size]byte, s *saying) {
	l := h.ownLog(r)
	e := &wire.Entry{
		Seq: l.head + 1, Lamport: l.lamport,
		Epoch: row.Epoch, Num: row.Room, Row: row.Seq, From: row.From, CSeq: row.CSeq, Time: row.Time, Name: row.Name, Kind: row.Kind,
		Author: s.author[:], Origin: s.origin[:], Sum: sum[:], Opts: s.opts,
	}
	if !row.Re.IsZero() {
		e.Re = row.Re[:]
	}
	if e.Seq > 1 {
		e.Prev = l.headID[:]
	} else if !r.Direct() && !r.Owner.IsZero() {
		e.Opts.Owner, e.Opts.Made = r.Owner[:], max(0, r.Created)
	}
	if s.target > 0 {
		e.Opts.Target = h.targetOf(r, s.target)
	}
	e.Deps = h.deps(r, l, row.Kind == chat.Act, &e.Lamport)
	e.Lamport = min(e.Lamport+1, maxLamport)
	header := e.Encode()
	id := wire.EntryIDOf(l.id, header)
	h.grow(l, store.Entry{Lamport: e.Lamport, ID: id, Row: row.Seq, Act: row.Kind == chat.Act, Header: header})
	r.entered = row.Seq
	h.noted(r, l, e, id, row.Body)
}

// targetOf names, for all nodes, the row that an act takes the text of; nil for one that is not kept any more.
func (h *Hub) targetOf(r *room, row uint64) *wire.Dep {
	e, err := h.cfg.Store.EntryOf(r.Num, row)
	if errors.Is(err, store.ErrTrimmed) || errors.Is(err, store.ErrNoRow) {
		for i := range h.batch.Entries { // a chunk of rows that are being given entries has both
			if x := &h.batch.Entries[i]; x.Room == r.Num && x.Row == row && !x.Hidden {
				e, err = *x, nil
			}
		}
	}
	if err != nil {
		_ = h.fault(fmt.Errorf("read the entry of row %d of room %d: %w", row, r.Num, err))
		return nil
	}
	return &wire.Dep{Log: h.byNum[e.Log].id, Seq: e.Seq, ID: bytes.Clone(e.ID[:idPrefix])}
}

// deps returns what the next entry of log own depends on: what has come of other logs since the last one, the latest first, and before all that, of an act, the
// acts that no other has seen. What does not fit is for the next. It raises lamport to theirs.
func (h *Hub) deps(r *room, own *ledger, act bool, lamport *uint64) (deps []wire.Dep) {
	if act {
		for _, d := range r.frontier(own.id) {
			if l := h.ledgers[d.Log]; l != nil {
				deps = append(deps, d)
				if k, found, _ := h.link(l, d.Seq); found { // its error ends the hub
					*lamport = max(*lamport, k.lamport)
				}
			}
		}
	}
	slices.SortFunc(r.moved, func(a, b *ledger) int {
		return cmp.Or(cmp.Compare(b.lamport, a.lamport), bytes.Compare(a.id[:], b.id[:]))
	})
	n := 0
	for n < len(r.moved) && len(deps) < wire.MaxDeps {
		if l := r.moved[n]; !slices.ContainsFunc(deps, func(d wire.Dep) bool { return d.Log == l.id && d.Seq == l.head }) {
			deps = append(deps, l.dep())
			*lamport = max(*lamport, l.lamport)
		}
		n++
	}
	r.moved = slices.Delete(r.moved, 0, n)
	return deps
}

// follow notes that another log of the room has grown since the node's own last did, and unfollow that it says nothing to build on.
func (r *room) follow(l *ledger) {
	if l != r.own && l.head > 0 && !l.isForked(l.head) && !slices.Contains(r.moved, l) {
		r.moved = append(r.moved, l)
	}
}

func (r *room) unfollow(l *ledger) {
	r.moved = slices.DeleteFunc(r.moved, func(x *ledger) bool { return x == l })
}

// noted has an entry of this node count: its effects the room has already.
func (h *Hub) noted(r *room, l *ledger, e *wire.Entry, id wire.EntryID, body []byte) {
	switch e.Kind {
	case chat.Act:
		if a, err := actOf(l.id, id, e, body, e.Row, true); err == nil { // it was one when it was done
			h.noteAct(r, a)
		}
	case chat.Topic:
		r.topicAt = &topicAt{e.Lamport, id, l, e.Seq}
	}
}

// topicAt is where in the causal order a topic was set: of all, the last one holds.
type topicAt struct {
	lamport uint64
	id      wire.EntryID
	log     *ledger
	seq     uint64
}

// foldTopic has a topic of another node hold if it was set after the one that does.
func (h *Hub) foldTopic(r *room, at topicAt, body []byte) {
	if r.topicAt == nil {
		r.topicAt = &topicAt{}
		if r.Topic != "" {
			r.topicAt = h.findTopic(r)
		}
	}
	if last := r.topicAt; cmp.Or(cmp.Compare(at.lamport, last.lamport), bytes.Compare(at.id[:], last.id[:])) > 0 {
		r.Topic, r.topicAt = string(body), &at
		h.batch.Rooms = append(h.batch.Rooms, r.Room)
	}
}

// findTopic looks for where the topic was set that holds: that is known from then on.
func (h *Hub) findTopic(r *room) *topicAt {
	const page = 256
	at := topicAt{lamport: math.MaxInt64}
	for {
		list, err := h.cfg.Store.Causal(r.Num, at.lamport, at.id, page, true)
		if err != nil {
			_ = h.fault(fmt.Errorf("look for the topic of room %d: %w", r.Num, err)) // which ends the hub
		}
		if len(list) == 0 {
			return &topicAt{}
		}
		for i := range list {
			at = topicAt{list[i].Lamport, list[i].ID, h.byNum[list[i].Log], list[i].Seq}
			if e, err := wire.DecodeEntry(list[i].Header); err == nil && e.Kind == chat.Topic {
				return &at
			}
		}
	}
}

// pairKey is a pair as stores have it: of an author, so that nobody uses up another's.
type pairKey struct {
	origin [16]byte
	cseq   uint64
}

func pairOf(author identity.ID, origin [16]byte, cseq uint64) pairKey {
	sum := sha256.Sum256(append(append([]byte("chatnode/pair/1"), author[:]...), origin[:]...))
	return pairKey{[16]byte(sum[:16]), cseq}
}

// asked returns the pair that a publish was first offered under.
func asked(author identity.ID, origin [16]byte, cseq uint64, as *wire.As) pairKey {
	if as != nil {
		return pairOf(author, [16]byte(as.Origin), as.CSeq)
	}
	return pairOf(author, origin, cseq)
}

// takePair notes that a row has come under a pair.
func (h *Hub) takePair(k pairKey, r *room, row uint64) {
	p := store.Pair{Origin: k.origin, CSeq: k.cseq, Room: r.Num, Row: row}
	h.batch.Pairs = append(h.batch.Pairs, p)
	h.pairs[k] = row
}

// pairTaken returns the row of a room that came under a pair, and whether one did: in the batch, from other nodes or as something offered to one of them
// before, or from an origin of this node.
func (h *Hub) pairTaken(r *room, author identity.ID, origin [16]byte, cseq uint64) (row uint64, taken bool, err error) {
	k := pairOf(author, origin, cseq)
	if row, taken = h.pairs[k]; taken {
		return row, true, nil
	}
	p, found, err := h.cfg.Store.Pair(k.origin, k.cseq)
	switch {
	case err != nil:
		return 0, false, h.fault(fmt.Errorf("look for a publish by its pair: %w", err))
	case found:
		return p.Row, p.Room == r.Num, nil
	}
	o := h.byName[origin]
	if o == nil || o.Key != author || cseq == 0 || cseq > o.Last {
		return 0, false, nil
	}
	out := o.outcome(cseq)
	if out.Code != chat.OK || out.Seq == 0 || out.Seq > r.head {
		return 0, false, nil
	}
	return out.Seq, h.wrote(r, out.Seq, o.Num, cseq), nil
}

// repeats reports whether a row may be what somebody has said once more under its pair, as far as its text is still known: any node could give one of its
// own entries the pair of somebody else's, so that what they have really said would be hidden. What is sealed is sealed anew each time.
func (h *Hub) repeats(r *room, seq uint64, kind chat.Kind, body []byte) bool {
	if kind == chat.Sealed || h.isGone(r, seq) {
		return true
	}
	for i := range h.batch.Rows {
		if row := &h.batch.Rows[i]; row.Room == r.Num && row.Seq == seq {
			return row.Kind == kind && bytes.Equal(row.Body, body)
		}
	}
	e, err := h.eventAt(r, seq)
	return err != nil || e.Kind == kind && bytes.Equal(e.Body, body)
}

// offeredBefore returns the outcome of a publish of this body that was offered to another node before, if it has a row here already, and whether it has.
func (h *Hub) offeredBefore(s *Session, r *room, p *wire.Pub, body []byte) (out store.Outcome, found bool) {
	as := p.Opts.As
	if as == nil || r == nil || !h.sharing.Shared {
		return store.Outcome{}, false
	}
	out.CSeq = p.CSeq
	seq, found, err := h.pairTaken(r, s.account.id, [16]byte(as.Origin), as.CSeq)
	if err != nil || !found || !h.repeats(r, seq, p.Kind, body) {
		return out, false // a store that fails ends the hub
	}
	out.Seq = seq
	for i := range h.batch.Rows {
		if row := &h.batch.Rows[i]; row.Room == r.Num && row.Seq == seq {
			out.ID, out.Time = row.ID, row.Time
			return out, true
		}
	}
	if e, err := h.eventAt(r, seq); err == nil {
		out.ID, out.Time = e.ID, e.Time
	}
	return out, true
}

// wrote reports whether a row of a room is that publish of an origin of this node: an outcome does not say of which room its row is.
func (h *Hub) wrote(r *room, seq, from, cseq uint64) bool {
	for i := range h.batch.Rows {
		if row := &h.batch.Rows[i]; row.Room == r.Num && row.Seq == seq {
			return row.From == from && row.CSeq == cseq
		}
	}
	e, err := h.eventAt(r, seq)
	return err == nil && e.From == from && e.CSeq == cseq
}

// eventAt returns a committed row of a room as its readers are sent it. Its error is the store's; where that is worth ending for, it has.
func (h *Hub) eventAt(r *room, seq uint64) (*wire.Event, error) {
	record, _, err := h.cfg.Store.Page(r.Num, seq, seq, 1)
	if err != nil {
		return nil, h.fault(fmt.Errorf("read row %d of room %d: %w", seq, r.Num, err))
	}
	return wire.DecodeEvent(record[wire.HeaderLen:])
}

// name has an origin be found by what all nodes call it.
func (h *Hub) name(o *origin) {
	if h.sharing.Shared && !o.Retired {
		h.byName[wire.OriginName(o.Token)] = o
	}
}

// originName returns what all nodes call an origin. One whose token is forgotten takes nothing more: it is called by its number.
func (h *Hub) originName(o *origin, epoch, num uint64) [16]byte {
	if o != nil && !o.Retired {
		return wire.OriginName(o.Token)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "chatnode/origin/retired/1 %016x %d", epoch, num))
	return [16]byte(sum[:16])
}

// isOwn reports whether a log is the one that this node writes now in its room.
func (h *Hub) isOwn(log *wire.Log) bool {
	return log.Nonce == h.sharing.Nonce && h.cfg.Key.Public().Equal(ed25519.PublicKey(log.Node))
}
