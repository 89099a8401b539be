package hub

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

const (
	// retryStopping is what a nack of a stopping node asks a client to wait.
	retryStopping = time.Second
	// retrySpace is what a nack for want of room asks a client to wait, give or take half.
	retrySpace = 1500 * time.Millisecond
)

// batch gathers what one commit makes true, and what is to be done once it has.
type batch struct {
	store.Batch
	records []byte    // of Rows
	rooms   []*room   // those of Rows, each once
	origins []*origin // dirty
	answers []answer
	after   []func()
	ledgers []*ledger // dirty
}

// answer is an encoded record on its way to a session that answers one that it submitted.
type answer struct {
	session  *Session
	from, to int // in texts
	size     int // of the record it answers
}

// person puts what is known of somebody into the batch. Their order counts (see store.Batch); of two in a row of one key the second says it all.
func (b *batch) person(p store.Person) {
	if n := len(b.People); n > 0 && b.People[n-1].Key == p.Key {
		b.People[n-1] = p
		return
	}
	b.People = append(b.People, p)
}

// origin puts an origin into the batch, once.
func (b *batch) origin(o *origin) {
	if !o.dirty {
		o.dirty = true
		b.origins = append(b.origins, o)
	}
}

// sequence takes items in their order, commits what they change, and only then lets anyone see it. An error is the store's, and final.
func (h *Hub) sequence(items []item) error {
	b := &h.batch
	if slices.ContainsFunc(items, item.publishes) {
		if err := h.checkSpace(); err != nil {
			return err
		}
	}
	for i := range items {
		h.do(&items[i])
	}
	for _, o := range b.origins {
		o.dirty, o.kept = false, true
		copied := o.Origin
		copied.Outcomes = slices.Clip(o.recent()) // which settle never overwrites
		b.Origins = append(b.Origins, copied)
	}
	if !b.Empty() {
		if err := h.commit(&b.Batch); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
	}
	h.publish()
	h.shelf.show(h, b.ledgers)
	for _, l := range b.ledgers {
		l.settle()
	}
	for _, f := range b.after {
		f()
	}
	h.note()
	for i := range items {
		if items[i].done != nil {
			close(items[i].done)
		}
	}
	clear(b.Rows)
	clear(h.pairs)
	*b = batch{Batch: store.Batch{Rows: b.Rows[:0]}, records: b.records[:0], rooms: b.rooms[:0], origins: b.origins[:0], answers: b.answers[:0], after: b.after[:0], ledgers: b.ledgers[:0]}
	return nil
}

// do takes one item.
func (h *Hub) do(it *item) {
	if it.do != nil {
		it.do()
		return
	}
	s := it.session
	if s.detached {
		return // its connection has ended, or a newer one has taken its place
	}
	switch r := it.record.(type) {
	case *wire.Pub:
		h.pub(s, r, it.size, it.act)
	case *wire.Join:
		h.join(s, r, it.moved)
	case *wire.Part:
		h.part(s, r.Room)
	case *wire.Nick:
		h.answer(s, requestSize, h.nick(s.account, r.Name))
	}
}

// pub takes a publish: exactly the next one of its origin, any earlier one is answered again. act is what it says, if it is one.
func (h *Hub) pub(s *Session, p *wire.Pub, size int, act *heard) {
	o := s.origin
	expected := o.Last + 1
	switch {
	case p.CSeq < expected && p.CSeq > 0:
		h.answer(s, size, h.outcomeRecord(o.outcome(p.CSeq)))
		return
	case p.CSeq > expected && s.nacked == expected, p.CSeq == 0:
		h.answer(s, size, nil) // sent before the nack was seen
		return
	case p.CSeq > expected:
		s.nacked = expected
		h.answer(s, size, &wire.Nack{Expected: expected, Code: chat.Hole})
		return
	case h.stopping:
		s.nacked = expected
		h.answer(s, size, &wire.Nack{Expected: expected, Code: chat.Stopping, RetryAfterMS: uint64(retryStopping.Milliseconds())})
		return
	case h.full:
		s.nacked = expected
		h.answer(s, size, &wire.Nack{Expected: expected, Code: chat.NoSpace, RetryAfterMS: uint64(h.jitter(retrySpace).Milliseconds())})
		return
	}
	s.nacked = 0
	out := h.decide(s, p, act)
	count(&h.figures.refused, out.Code)
	o.settle(out)
	s.account.wrote = true
	h.batch.origin(o)
	h.answer(s, size, h.outcomeRecord(out))
}

// decide makes a row of a publish, or says why it can't be one.
func (h *Hub) decide(s *Session, p *wire.Pub, act *heard) store.Outcome {
	out := store.Outcome{CSeq: p.CSeq}
	switch {
	case p.Kind == chat.Skip:
		return out
	case !isPair(p.Opts.As):
		out.Code = chat.Malformed
		return out
	case p.Kind == chat.Act:
		return h.decideAct(s, p, act)
	}
	if !isKind(p) {
		out.Code = chat.BadKind
		return out
	}
	body, code := chat.CheckBody(p.Kind, p.Body)
	if out.Code = code; code != chat.OK {
		return out
	}
	var re chat.ID
	if len(p.Opts.Re) > 0 && copy(re[:], p.Opts.Re) != len(re) {
		out.Code = chat.Malformed
		return out
	}
	room, code := h.target(s, p.Room)
	if out.Code = code; code != chat.OK {
		return out
	}
	if before, found := h.offeredBefore(s, room, p, body); found {
		return before
	}
	if out.Code, out.Time = s.mayWrite(room, p.Kind); out.Code != chat.OK {
		h.dropIfUnused(room)
		return out
	}
	row := h.row(s, room, p, body, re, nil)
	if p.Kind == chat.Topic {
		room.Topic = string(body)
		h.batch.Rooms = append(h.batch.Rooms, room.Room)
	} else if !room.kept {
		h.batch.Rooms = append(h.batch.Rooms, room.Room)
	}
	room.kept = true
	if room.Rules.Slow > 0 {
		room.spoken(s.account.id, chat.Millis(h.cfg.Now()))
	}
	out.Seq, out.ID, out.Time = row.Seq, row.ID, row.Time
	return out
}

// isPair reports whether a publish can have been offered under such a pair before; nil says that it was not.
func isPair(as *wire.As) bool {
	return as == nil || len(as.Origin) == len(store.Pair{}.Origin) && as.CSeq >= 1 && as.CSeq <= wire.MaxCount
}

// isKind reports whether rows of such a kind can be where a publish asks for one: what is sealed for two is of use in no room.
func isKind(p *wire.Pub) bool {
	return p.Kind >= chat.Text && p.Kind <= chat.Skip || p.Kind == chat.Sealed && strings.HasPrefix(p.Room, chat.DirectMark)
}

// target returns the room that a publish names.
func (h *Hub) target(s *Session, name string) (*room, chat.Code) {
	who, direct := strings.CutPrefix(name, chat.DirectMark)
	if !direct {
		return h.namedRoom(name, s.account)
	}
	other := h.person(who)
	if other == nil {
		return nil, chat.NoSuchUser
	}
	room, code := h.directRoom(s.account, other)
	if code == chat.OK {
		h.openDirect(room, s.account)
		h.openDirect(room, other)
	}
	return room, code
}

// row gives a message of a session its place, and its entry where the store is shared. says is what an act says beside its text; nil for any other message.
func (h *Hub) row(s *Session, r *room, p *wire.Pub, body []byte, re chat.ID, says *wire.EntryOpts) *store.Row {
	var opts wire.Opts
	if !re.IsZero() {
		opts.Re = bytes.Clone(re[:])
	}
	if p.Kind == chat.Act {
		opts.Sig, opts.Row = p.Opts.Sig, p.Opts.Row
	}
	row := h.place(r, &store.Row{
		Header: chat.Header{From: s.origin.Num, CSeq: p.CSeq, Kind: p.Kind, Name: s.account.name, Re: re}, Salt: h.salt(), Body: body,
	}, &opts)
	if h.sharing.Shared {
		h.vouchFor(s, r, row, p, says)
	}
	return row
}

// place puts a row behind the others of a room: the next seq, its time, its id unless it has one, and the bytes that every reader will be sent.
func (h *Hub) place(r *room, given *store.Row, opts *wire.Opts) *store.Row {
	r.time = max(r.time, chat.Millis(h.cfg.Now()))
	r.head++
	b := &h.batch
	b.Rows = append(b.Rows, *given)
	row := &b.Rows[len(b.Rows)-1]
	row.Epoch, row.Room, row.Seq, row.Time = h.epoch, r.Num, r.head, r.time
	if row.ID.IsZero() {
		row.ID = row.Header.ID(&row.Salt, row.Body)
	}
	r.hash = r.hash.Next(row.ID)
	row.Hash = r.hash
	event := &h.event
	*event = wire.Event{
		Room: r.Num, Seq: row.Seq, From: row.From, CSeq: row.CSeq, Time: row.Time, Name: row.Name, Kind: row.Kind, Body: row.Body, ID: row.ID, Opts: *opts,
	}
	from := len(b.records)
	b.records = wire.Must(b.records, event)
	row.Record = b.records[from:len(b.records):len(b.records)]
	if r.unpublished == 0 {
		b.rooms = append(b.rooms, r)
	}
	r.unpublished++
	return row
}

// outcomeRecord returns the record that tells a client of an outcome, until the next call.
func (h *Hub) outcomeRecord(out store.Outcome) wire.Record {
	if out.Code != chat.OK {
		retry := uint64(0)
		switch {
		case out.Code == chat.RoomRate:
			retry = uint64(roomsEach.Milliseconds())
		case out.Time > 0: // from when on it can be tried again
			retry = uint64(max(1, out.Time-chat.Millis(h.cfg.Now())))
		}
		return &wire.Refused{CSeq: out.CSeq, Code: out.Code, RetryAfterMS: retry}
	}
	h.ack = wire.Ack{CSeq: out.CSeq, Seq: out.Seq, ID: out.ID, Time: out.Time}
	return &h.ack
}

// answer notes what a session is told once the batch is committed, in answer to a record of that size. A nil one tells it nothing.
func (h *Hub) answer(s *Session, size int, r wire.Record) {
	a := answer{session: s, size: size, from: len(h.texts)}
	if r != nil {
		h.texts = wire.Must(h.texts, r)
	}
	if nack, ok := r.(*wire.Nack); ok {
		count(&h.figures.refused, nack.Code)
	}
	a.to = len(h.texts)
	h.batch.answers = append(h.batch.answers, a)
}

// publish lets the committed rows and answers be seen, in this order: whoever reads that a message is kept can find it in its room.
func (h *Hub) publish() {
	b := &h.batch
	now := time.Now() // no clock that somebody sets
	for _, r := range b.rooms {
		r.flood.add(r.unpublished*r.subs, now)
		r.unpublished = 0
	}
	h.dropRedacted()
	byNum := h.published
	for _, r := range b.rooms {
		byNum[r.Num] = r
	}
	for i := range b.Rows {
		row := &b.Rows[i]
		r := byNum[row.Room]
		h.memory.wrote(r, r.log.append(row.Seq, row.Record))
	}
	clear(byNum)
	for _, l := range b.ledgers {
		h.remark(l.room)
	}
	for _, r := range b.rooms {
		r.log.setTopic(r.Topic)
		if r.retold {
			r.tellTerms()
		}
		if r.flood.on {
			h.dam(r, now)
		} else {
			h.tell(r)
		}
	}
	h.release(now)
	for i := 0; i < len(b.answers); {
		s, last := b.answers[i].session, i
		size := 0
		for ; last < len(b.answers) && b.answers[last].session == s; last++ {
			size += b.answers[last].size
		}
		s.answered(h.texts[b.answers[i].from:b.answers[last-1].to], last-i, size)
		i = last
	}
	h.texts = h.texts[:0]
}
