package hub

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// errNoFork says that a proof proves nothing.
var errNoFork = errors.New("a proof whose signatures are wrong")

// Prove takes a proof that a log forks, and reports whether that is news. An invalid one is an error, of whoever sent it; ErrStopped is nobody's. Of a log
// that is not here nothing is noted: whoever sends it has the proof too.
func (h *Hub) Prove(f *wire.Fork) (isNew bool, err error) {
	if h.cfg.Key == nil {
		return false, nil
	}
	a, _, err := f.Entries()
	if err != nil {
		return false, err
	}
	if fault := checkLog(&f.Log); fault != "" {
		return false, fmt.Errorf("%w: %s", wire.ErrMalformed, fault)
	}
	id := f.Log.ID()
	for _, s := range [...]*wire.Signed{&f.A, &f.B} {
		if entry := wire.EntryIDOf(id, s.Entry); !identity.CheckSignature(f.Log.Node, wire.EntryDomain, entry[:], s.Sig) {
			return false, errNoFork
		}
	}
	err = h.call(func() {
		r, l := h.shared(f.Log.Room), h.ledgers[id]
		if r == nil || r.head == 0 || !h.sharing.Shared || a.Seq > maxSeq {
			return
		}
		if l == nil {
			return // anybody can make such logs up
		}
		isNew = h.fork(l, a.Seq, f)
	})
	return isNew, err
}

// Forks returns the proofs of all logs that fork; nothing when the hub has ended.
func (h *Hub) Forks() (all []*wire.Fork) {
	_ = h.call(func() {
		for _, f := range h.forks {
			all = append(all, f)
		}
	})
	slices.SortFunc(all, func(a, b *wire.Fork) int {
		return cmp.Or(bytes.Compare(a.A.Entry, b.A.Entry), bytes.Compare(a.B.Entry, b.B.Entry))
	})
	return all
}

// foundFork makes a proof of an entry, whose signature was checked, and the other one in its place, and has it count.
func (h *Hub) foundFork(o *offering, x *offer) *wire.Fork {
	e, err := h.entryAt(o.ledger, x.Seq)
	if err != nil {
		return nil // the hub ends
	}
	if e.Sig == nil {
		e.Sig = h.sign(e.ID)
	}
	f := &wire.Fork{Log: o.log, A: wire.Signed{Entry: e.Header, Sig: e.Sig}, B: wire.Signed{Entry: x.Signed.Entry, Sig: x.Sig}}
	if bytes.Compare(e.ID[:], x.id[:]) > 0 {
		f.A, f.B = f.B, f.A
	}
	h.fork(o.ledger, x.Seq, f)
	return f
}

// entryAt returns an entry, which is in the batch or in the store.
func (h *Hub) entryAt(l *ledger, seq uint64) (store.Entry, error) {
	for i := range h.batch.Entries {
		if e := &h.batch.Entries[i]; e.Log == l.num && e.Seq == seq {
			return *e, nil
		}
	}
	e, err := h.cfg.Store.EntryAt(l.num, seq)
	if err != nil {
		err = h.fault(fmt.Errorf("read entry %d of log %d: %w", seq, l.num, err))
	}
	return e, err
}

// fork hides a log from entry seq on, as f proves, and reports whether it was not hidden from there before. This node's own goes on as another one.
func (h *Hub) fork(l *ledger, seq uint64, f *wire.Fork) bool {
	if l.isForked(seq) {
		return false
	}
	r, first := l.room, l.forked == 0
	l.forked = seq
	h.forks[l] = f
	h.batch.Forks = append(h.batch.Forks, store.ForkProof{Log: l.num, Proof: wire.Must(nil, f)})
	h.saveLog(l)
	h.hide(l, seq)
	r.unfollow(l)
	if h.isOwn(&l.log) {
		h.renewLogs()
		r.unfollow(l)
	}
	h.dropActs(r, l.id, seq)
	h.queue.putNow(item{do: func() { h.retopic(r) }}) // when the store knows that what is hidden does not count
	if first {                                        // who signs proofs of ever earlier places is not heard each time
		h.tellFork(l)
	}
	return true
}

// tellFork tells everybody in a log's room that it forks.
func (h *Hub) tellFork(l *ledger) {
	r, node := l.room, identity.IDOf(l.log.Node)
	h.cfg.Log.Warn("a node has signed two histories: what it said from there on is hidden", "node", node.String(), "room", l.log.Room, "seq", l.forked)
	text := "the node " + node.String() + " has signed two histories of this room: what it said from there on is hidden, here and on all other nodes"
	h.batch.after = append(h.batch.after, func() {
		for a := range r.members {
			for s := range a.sessions {
				if s.in(r) != nil {
					s.notice(chat.OK, text)
				}
			}
		}
	})
}

// hide marks the rows of a log's entries from seq on.
func (h *Hub) hide(l *ledger, seq uint64) {
	const page = 256 << 10
	hidden := func(e *store.Entry) {
		if !e.Hidden {
			h.batch.Marked = append(h.batch.Marked, store.Redaction{Room: l.room.Num, Seq: e.Row})
		}
	}
	for seq <= l.head {
		list, err := h.cfg.Store.Entries(l.num, seq, l.head, page)
		if errors.Is(err, store.ErrTrimmed) {
			low, err := h.cfg.Store.LogLow(l.num)
			if seq = max(seq+1, low); err == nil {
				continue
			}
		}
		if err != nil { // the others are in the batch, or it ends the hub
			_ = h.fault(fmt.Errorf("read log %d from entry %d: %w", l.num, seq, err))
			break
		}
		for i := range list {
			hidden(&list[i])
		}
		seq += uint64(len(list))
	}
	fresh := map[uint64]bool{}
	for i := range h.batch.Entries {
		if e := &h.batch.Entries[i]; e.Log == l.num && e.Seq >= seq && !e.Hidden {
			hidden(e)
			fresh[e.Row] = true
		}
	}
	for i := range h.batch.Rows {
		if row := &h.batch.Rows[i]; row.Room == l.room.Num && fresh[row.Seq] {
			markRow(row)
		}
	}
}

// markRow has readers be told that a row, which is in the batch, is not to be shown.
func markRow(row *store.Row) {
	if event, err := wire.DecodeEvent(row.Record[wire.HeaderLen:]); err == nil {
		event.Opts.Forked = true
		row.Record = wire.Must(nil, event)
	}
}

// retopic has the topic hold that was set last, of those that are not hidden.
func (h *Hub) retopic(r *room) {
	r.topicAt = h.findTopic(r)
	topic := ""
	if at := r.topicAt; at.log != nil {
		e, err := h.entryAt(at.log, at.seq)
		if err != nil {
			return
		}
		topic = string(e.Body)
	}
	if topic != r.Topic {
		r.Topic = topic
		h.batch.Rooms = append(h.batch.Rooms, r.Room)
		h.batch.after = append(h.batch.after, func() { r.log.setTopic(topic) })
	}
}

// restoreForks fills the tables from what the store held of logs that fork.
func (h *Hub) restoreForks(proofs []store.ForkProof) error {
	for _, p := range proofs {
		l := h.byNum[p.Log]
		if l == nil || len(p.Proof) < wire.HeaderLen {
			return fmt.Errorf("the proof of log %d: %w", p.Log, store.ErrDamaged)
		}
		record, err := wire.Decode(p.Proof[wire.HeaderLen:])
		f, ok := record.(*wire.Fork)
		if err != nil || !ok {
			return fmt.Errorf("the proof of log %d: %w", p.Log, store.ErrDamaged)
		}
		h.forks[l] = f
	}
	return nil
}
