package hub

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

const (
	// pageBytes bounds the events of one answer, so that the next question does not wait long behind it on a slow link.
	pageBytes = 48 << 10
	// pageStep is how many rows are read from the store at a time where they fit.
	pageStep = 32
)

// numbers finds rooms by number for whoever is not the sequencer.
type numbers struct {
	mu    sync.RWMutex // holding it promises that rooms is whole
	rooms map[uint64]*room
}

func (n *numbers) add(r *room) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rooms[r.Num] = r
}

func (n *numbers) remove(r *room) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.rooms, r.Num)
}

// readable returns the room of that number if a session may read its row seq, else nil: rooms with a name are everybody's who is not kept out, conversations
// their two keys'.
func (n *numbers) readable(num, seq uint64, s *Session) *room {
	n.mu.RLock()
	defer n.mu.RUnlock()
	r := n.rooms[num]
	if r == nil || r.Direct() && !slices.Contains(r.Peers[:], s.account.id) {
		return nil
	}
	if first, code := s.reads(r); code != chat.OK || seq < first {
		return nil
	}
	return r
}

// readable returns the room that a question names; nil and chat.OK for a conversation that has not begun. A conversation is always one of
// the asker's own, whatever the name. It is the sequencer's to call.
func (s *Session) readable(name string) (*room, chat.Code) {
	who, direct := strings.CutPrefix(name, chat.DirectMark)
	if !direct {
		r := s.hub.rooms[name]
		switch {
		case r == nil && name == chat.Reports && !s.admin:
			return nil, chat.NotMember // whether or not anything was ever reported
		case r == nil:
			return nil, chat.NoSuchRoom
		}
		if _, code := s.reads(r); code != chat.OK {
			return nil, code
		}
		return r, chat.OK
	}
	other := s.hub.person(who)
	if other == nil {
		return nil, chat.NoSuchUser
	}
	return s.hub.directs[peers(s.account, other)], chat.OK
}

// history answers with the newest rows of those that are asked for, up to the last that was there when the asker was seen to be allowed to read them.
func (s *Session) history(q *wire.History) (wire.Record, error) {
	var r *room
	var code chat.Code
	var first, head uint64
	err := s.hub.call(func() {
		if r, code = s.readable(q.Room); r != nil {
			head = r.head
			first, _ = s.reads(r)
		}
	})
	if err != nil {
		return nil, err
	}
	if code != chat.OK {
		return &wire.Failed{Code: code}, nil
	}
	if head == 0 {
		return &wire.HistoryIs{Low: 1}, nil
	}
	answer, err := s.hub.historyPage(r.Num, first, head, q)
	if err != nil {
		return nil, s.hub.fault(fmt.Errorf("read the history of room %d: %w", r.Num, err))
	}
	return answer, nil
}

func (h *Hub) historyPage(num, first, head uint64, q *wire.History) (*wire.HistoryIs, error) {
	p := backwards{store: h.cfg.Store, num: num, bottom: first, first: head + 1, left: pageBytes}
	if q.Before > 0 {
		p.first = min(p.first, q.Before)
	}
	if err := p.raise(); err != nil {
		return nil, err
	}
	if q.Since > 0 {
		since, err := h.cfg.Store.SeqAt(num, q.Since)
		if err != nil {
			return nil, err
		}
		p.bottom = max(p.bottom, since)
	}
	n := min(q.N, chat.MaxTail, p.first-min(p.first, p.bottom))
	if err := p.read(p.first - n); err != nil {
		return nil, err
	}
	answer := &wire.HistoryIs{Low: max(p.low, first)}
	for _, block := range slices.Backward(p.blocks) {
		answer.Events = cut(answer.Events, block)
	}
	answer.More = len(answer.Events) > 0 && p.first > p.bottom
	return answer, nil
}

// backwards reads a room's rows from the last to the first.
type backwards struct {
	store  Store
	num    uint64
	low    uint64   // first row that is kept
	bottom uint64   // first row that is of interest
	first  uint64   // first row that was read
	blocks [][]byte // records in runs, the last rows' first
	left   int      // bytes that there is room for
}

// raise takes notice of rows that are not kept any more.
func (p *backwards) raise() (err error) {
	p.low, err = p.store.Low(p.num)
	p.bottom = max(p.bottom, p.low)
	return err
}

// read reads the rows before first, down to row to, as many as there is room for: in steps that are halved while they don't fit, so that no more
// than a few times as much is read as is answered. It leaves out what goes meanwhile.
func (p *backwards) read(to uint64) error {
	for step := uint64(pageStep); step > 0 && p.first > max(to, p.bottom); {
		n := min(step, p.first-max(to, p.bottom))
		records, next, err := p.store.Page(p.num, p.first-n, p.first-1, p.left)
		switch {
		case errors.Is(err, store.ErrTrimmed):
			if err := p.raise(); err != nil {
				return err
			}
			if p.low <= p.first-n {
				return fmt.Errorf("row %d is said to be gone, and %d to be kept", p.first-n, p.low)
			}
		case err != nil:
			return err
		case next < p.first || len(records) > p.left && len(p.blocks) > 0:
			step = n / 2
		default:
			p.blocks = append(p.blocks, records)
			p.left -= len(records)
			p.first -= n
		}
	}
	return nil
}

// cut appends the events in records, each without its length.
func cut(events []wire.Raw, records []byte) []wire.Raw {
	for len(records) > 0 {
		n := recordLen(records)
		events = append(events, wire.Raw(records[wire.HeaderLen:n:n]))
		records = records[n:]
	}
	return events
}

// search answers with the newest rows that have the words.
func (s *Session) search(q *wire.Search) (wire.Record, error) {
	if len(q.Words) > chat.MaxQuery || len(q.From) > chat.MaxQuery || len(chat.QueryTerms(q.Words)) == 0 && q.From == "" {
		return &wire.Failed{Code: chat.BadQuery}, nil
	}
	query := store.Query{
		Words: q.Words, Name: q.From, Before: q.Before, Hits: int(min(q.N, chat.MaxHits)), Bytes: pageBytes,
		Allowed: func(num, seq uint64) bool { return s.hub.numbers.readable(num, seq, s) != nil },
	}
	if q.Room != "" {
		var r *room
		var code chat.Code
		if err := s.hub.call(func() { r, code = s.readable(q.Room) }); err != nil {
			return nil, err
		}
		if code != chat.OK {
			return &wire.Failed{Code: code}, nil
		}
		if r == nil {
			return &wire.SearchIs{}, nil
		}
		query.Room = r.Num
	}
	if query.Hits == 0 {
		return &wire.SearchIs{}, nil
	}
	found, err := s.hub.cfg.Store.Search(&query)
	if errors.Is(err, store.ErrSlow) {
		return &wire.Failed{Code: chat.Timeout}, nil
	}
	if err != nil {
		return nil, s.hub.fault(fmt.Errorf("search: %w", err))
	}
	return s.found(&found)
}

// found returns the answer that shows what a search has found. That the asker may read it is looked at once more: nothing but
// this stands between a fault in an index and somebody else's conversation.
func (s *Session) found(found *store.Found) (wire.Record, error) {
	answer := &wire.SearchIs{Next: found.Next, Behind: found.Behind}
	rooms := map[uint64]*room{}
	for _, hit := range found.Hits {
		if r := s.hub.numbers.readable(hit.Room, hit.Seq, s); r != nil {
			rooms[hit.Room] = r
			answer.Events = append(answer.Events, wire.Raw(hit.Record[wire.HeaderLen:]))
		}
	}
	if len(rooms) == 0 {
		return answer, nil
	}
	err := s.hub.call(func() {
		for num, r := range rooms {
			title, _ := s.hub.titleFor(r, s.account)
			answer.Rooms = append(answer.Rooms, wire.RoomName{Room: num, Name: title})
		}
	})
	slices.SortFunc(answer.Rooms, func(a, b wire.RoomName) int { return cmp.Compare(a.Room, b.Room) })
	return answer, err
}
