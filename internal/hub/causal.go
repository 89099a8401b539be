package hub

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// Bounds of a page of the causal list: so many entries are read at a time, and so many looked at for one page, which ends there even if none of them was the
// asker's to read.
const (
	causalStep = 64
	maxCausal  = 20_000
)

// causalPlace is where a row stands in the causal list.
type causalPlace struct {
	lamport uint64
	id      wire.EntryID
	row     uint64
	time    int64        // when it was written, by its own node's clock; 0: as its event says
	copy    *store.Entry // that stands there for the row, which says the same and comes later in this order; nil: it is the row's own
}

// encode returns the place as a client hands it back.
func (p *causalPlace) encode() []byte {
	return append(binary.BigEndian.AppendUint64(nil, p.lamport), p.id[:]...)
}

// parsePlace takes such bytes apart, and reports whether they were ones. None are the place before the first.
func parsePlace(b []byte) (p causalPlace, ok bool) {
	if len(b) == 0 {
		return p, true
	}
	if len(b) != 8+len(p.id) {
		return p, false
	}
	p.lamport = binary.BigEndian.Uint64(b)
	copy(p.id[:], b[8:])
	return p, p.lamport <= math.MaxInt64
}

// causal answers with a page of a room's rows in causal order: from the first on, behind a place, or the last ones.
func (s *Session) causal(q *wire.Causal) (wire.Record, error) {
	after, ok := parsePlace(q.After)
	if !ok {
		return &wire.Failed{Code: chat.Malformed}, nil
	}
	var r *room
	var code chat.Code
	p := causalPage{hub: s.hub, at: after, back: q.Last, left: pageBytes, answer: &wire.CausalIs{}}
	err := s.hub.call(func() {
		if r, code = s.readable(q.Room); r != nil {
			p.num, p.head = r.Num, r.head
			p.first, _ = s.reads(r)
			p.logged = r.head == 0 || s.hub.headsOf(r) != nil
		}
	})
	switch {
	case err != nil:
		return nil, err
	case code != chat.OK:
		return &wire.Failed{Code: code}, nil
	case r == nil || p.head == 0:
		return p.answer, nil
	}
	if p.back {
		p.at = causalPlace{lamport: math.MaxInt64}
	}
	if err := p.read(); err != nil {
		return nil, s.hub.fault(fmt.Errorf("read room %d in causal order: %w", r.Num, err))
	}
	digest := s.hub.digestOf(r)
	p.answer.Digest = digest[:]
	return p.answer, nil
}

// digestOf returns the digest of a room, which is the same on all nodes that have the same of it.
func (h *Hub) digestOf(r *room) [8]byte {
	s := &h.shelf
	s.mu.RLock()
	defer s.mu.RUnlock()
	var heads []wire.Head
	for _, x := range s.rooms[r.LogName()] {
		heads = append(heads, wire.Head{Log: x.log, Seq: x.head, ID: x.headID[:idPrefix]})
	}
	return wire.Digest(heads)
}

// causalPage is a page while it is read.
type causalPage struct {
	hub    *Hub
	num    uint64
	first  uint64 // row that the asker reads
	head   uint64 // the room's last row when it was asked
	logged bool   // all rows have entries; where they don't their own order is the causal one, as nobody else has written there
	back   bool   // from the last row to the first
	at     causalPlace
	left   int // bytes that there is room for
	answer *wire.CausalIs
}

// read reads events until there is room for no more, or the list ends.
func (p *causalPage) read() error {
	low, err := p.hub.cfg.Store.Low(p.num)
	if err != nil {
		return err
	}
	p.first = max(p.first, low)
	p.answer.Total = p.head + 1 - min(p.first, p.head+1)
	for looked := 0; looked < maxCausal; looked += causalStep {
		places, err := p.places()
		if err != nil {
			return err
		}
		for _, at := range places {
			if full, err := p.add(&at); full || err != nil {
				p.end(!p.back)
				return err
			}
			p.at = at
		}
		if len(places) < causalStep {
			p.end(false)
			return nil
		}
	}
	p.end(!p.back)
	return nil
}

// end completes the answer. more says that the list goes on.
func (p *causalPage) end(more bool) {
	if p.back {
		slices.Reverse(p.answer.Events)
	}
	if more {
		p.answer.Next = p.at.encode()
	}
}

// places returns what comes next in the list.
func (p *causalPage) places() (places []causalPlace, err error) {
	if !p.logged {
		return p.rows(), nil
	}
	entries, err := p.hub.cfg.Store.Causal(p.num, p.at.lamport, p.at.id, causalStep, p.back)
	if err != nil {
		return nil, err
	}
	for i := range entries {
		e, err := wire.DecodeEntry(entries[i].Header)
		if err != nil {
			return nil, fmt.Errorf("entry %d of log %d: %w", entries[i].Seq, entries[i].Log, err)
		}
		at := causalPlace{lamport: entries[i].Lamport, id: entries[i].ID, row: entries[i].Row, time: e.Time}
		if entries[i].Hidden {
			at.row, at.copy = entries[i].Same, &entries[i]
		}
		places = append(places, at)
	}
	return places, nil
}

// rows is places of a room whose rows have no entries: each stands where its seq says.
func (p *causalPage) rows() (places []causalPlace) {
	for row := p.at.lamport; len(places) < causalStep; {
		if p.back {
			row = min(row, p.head+1) - 1
		} else {
			row = max(row+1, p.first)
		}
		if row < p.first || row > p.head {
			break
		}
		places = append(places, causalPlace{lamport: row, row: row})
	}
	return places
}

// add puts the event at a place behind the others, if the asker reads it, and reports whether there was no room for it.
func (p *causalPage) add(at *causalPlace) (full bool, err error) {
	if at.row < p.first || at.row > p.head {
		return false, nil
	}
	record, _, err := p.hub.cfg.Store.Page(p.num, at.row, at.row, 1)
	if errors.Is(err, store.ErrTrimmed) {
		return false, nil // meanwhile
	}
	if err != nil {
		return false, err
	}
	event, err := wire.DecodeEvent(record[wire.HeaderLen:])
	if err != nil {
		return false, fmt.Errorf("row %d: %w", at.row, err)
	}
	if event.Opts.At = at.time; at.time == 0 {
		event.Opts.At = event.Time
	}
	if at.copy != nil {
		if err := p.copied(event, at.copy); err != nil {
			return false, err
		}
	}
	raw := wire.Must(nil, event)[wire.HeaderLen:]
	if p.left -= len(raw); p.left < 0 && len(p.answer.Events) > 0 {
		return true, nil
	}
	p.answer.Events = append(p.answer.Events, raw)
	return false, nil
}

// copied has an event say what a copy of it does, as it does on the nodes where that has the row: whatever became of the row itself, as that its log forks,
// and whatever its node made of it.
func (p *causalPage) copied(event *wire.Event, copy *store.Entry) error {
	e, err := p.hub.cfg.Store.EntryAt(copy.Log, copy.Seq)
	switch {
	case errors.Is(err, store.ErrTrimmed):
		return nil // meanwhile
	case err != nil:
		return err
	}
	entry, err := wire.DecodeEntry(e.Header)
	if err != nil {
		return err
	}
	header := entry.Header()
	event.ID, event.CSeq, event.Kind = header.IDOf([sha256.Size]byte(entry.Sum)), entry.CSeq, entry.Kind
	event.Body, event.Opts.Re, event.Opts.Sig, event.Opts.Gone, event.Opts.Forked = e.Body, entry.Re, entry.Opts.Sig, nil, false
	if e.Salt == nil {
		event.Body, event.Opts.Gone = nil, entry.Sum
	}
	return nil
}
