package hub

import (
	"errors"
	"fmt"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

const (
	// notIdle is subscription.idleAt of a subscription that is not on its room's idle list.
	notIdle = -1
	// handOut is the size from which records are written from the room's memory, without a copy.
	handOut = 16 << 10
)

// subscription is a session's cursor in one room. It is on its session's ready list, in its session's writer's hands, or on its room's idle list.
// What each message takes stands in front, together, as in Session.
type subscription struct {
	// Static after construction.
	session *Session
	room    *room

	// Guarded by room.log.mu.
	idleAt int
	ending ending
	over   bool // it has nothing more to write, for good

	// Owned by the session's writer.
	opened bool
	next   uint64 // seq to be written next
	at     place
	rules  *wire.Terms // that were told last, and what was told of its own key
	own    stance
	marked *mark  // that was told last
	looked uint64 // of a client that has more to come which it has seen elsewhere: the last row that was looked at for that

	// Static after construction.
	start start
	title string    // what the room is called to this session
	peer  []byte    // key id of the other, in a direct conversation
	card  []byte    // what is sealed to the other with, as it was when this began
	role  chat.Role // that nobody can take from its key

	// Guarded by room.log.mu.
	end      uint64        // last seq to be written, when it parts
	code     chat.Code     // why it parts; OK: its client asked for it
	follower *subscription // of the same session and room: begins when this one is over
}

// ending says whether and how a subscription ends.
type ending uint8

const (
	goesOn  ending = iota
	parting        // no row above end follows
	parts          // Closed follows the row end
	dropped        // nothing follows
)

// start is where a subscription begins, as the sequencer saw it.
type start struct {
	head   uint64     // the room's last row then
	moved  *elsewhere // in place of a cursor; nil: there is none, or no need of it any more
	cursor *chat.Cursor
	tail   uint64
	first  uint64 // row that its key reads; 0: as many as there are
	hash   chat.Hash
	asked  int // the size of the Join that its Open answers; 0: nobody asked
}

// taken is what a subscription gave its writer.
type taken struct {
	records []byte        // out with records behind it, or the room's own memory
	own     bool          // records is the room's memory, and out was empty
	rows    uint64        // of the room that are behind out
	again   bool          // there may be more: the subscription stays on the ready list
	answers int           // the size of the request of the session that the last of records answers; 0: it answers none
	follows *subscription // is ready now
	need    int           // the next record has this size, which is more than there was room for
}

// take gives what comes next: at most soft bytes in all behind out, or one larger record of at most hard.
func (s *subscription) take(out []byte, soft, hard int) (taken, error) {
	if len(out) > 0 {
		hard = min(hard, soft) // a record larger than soft goes alone
	}
	if !s.opened {
		s.session.wait()
		open, err := s.open()
		if err != nil {
			return taken{}, err
		}
		return s.lead(out, hard, open)
	}
	next := s.next
	got := s.room.log.read(s, soft-len(out), hard-len(out))
	if got.behind || got.late {
		s.session.wait()
	}
	switch {
	case got.behind:
		return s.page(out, soft, hard)
	case got.terms:
		return s.tell(out, hard), nil
	case got.late:
		return s.look(out, hard)
	case got.mark != nil:
		return s.mark(out, hard, got.mark), nil
	case got.need > 0:
		return taken{records: out, again: true, need: got.need}, nil
	case len(got.records) >= handOut && len(out) == 0:
		return taken{records: got.records, own: true, rows: s.next - next, again: !got.idle}, nil
	case len(got.records) > 0:
		return taken{records: append(out, got.records...), rows: s.next - next, again: !got.idle}, nil
	case got.closed:
		longer := wire.Must(out, &wire.Closed{Room: s.room.Num, Name: s.title, Code: got.code})
		if len(longer) > hard {
			return taken{records: out, again: true, need: len(longer) - len(out)}, nil
		}
		end := taken{records: longer, follows: s.room.log.close(s)}
		if got.code == chat.OK {
			end.answers = requestSize
		}
		return end, nil
	}
	return taken{records: out, follows: got.follows}, nil
}

// lead puts a record that goes before the room's rows behind out, if it fits.
func (s *subscription) lead(out []byte, hard int, open *wire.Open) (taken, error) {
	longer := wire.Must(out, open)
	if len(longer) > hard {
		return taken{records: out, again: true, need: len(longer) - len(out)}, nil
	}
	led := taken{records: longer, again: true}
	if !s.opened {
		led.answers = s.start.asked
	}
	s.opened, s.next = true, open.From
	return led, nil
}

// tell puts the terms that hold now behind out, if they fit.
func (s *subscription) tell(out []byte, hard int) taken {
	rules, own := s.rules, s.own
	longer := wire.Must(out, &wire.TermsAre{Room: s.room.Num, Terms: s.room.log.terms(s)})
	if len(longer) > hard {
		s.rules, s.own = rules, own
		return taken{records: out, again: true, need: len(longer) - len(out)}
	}
	return taken{records: longer, again: true}
}

// page gives rows that are no longer in memory. Where the store has let go of them too, a new Open says so.
func (s *subscription) page(out []byte, soft, hard int) (taken, error) {
	records, next, err := s.session.hub.cfg.Store.Page(s.room.Num, s.next, s.limit(), max(soft-len(out), 1))
	switch {
	case errors.Is(err, store.ErrTrimmed):
		open, err := s.gap(s.next)
		if err != nil {
			return taken{}, err
		}
		return s.lead(out, hard, open)
	case err != nil:
		return taken{}, fmt.Errorf("read room %d from %d: %w", s.room.Num, s.next, err)
	case len(out)+len(records) > hard:
		return taken{records: out, again: true, need: len(records)}, nil
	}
	rows := next - s.next
	s.next = next
	s.session.hub.figures.pages.Add(1)
	if len(out) == 0 {
		return taken{records: records, own: true, rows: rows, again: true}, nil
	}
	return taken{records: append(out, records...), rows: rows, again: true}, nil
}

// open decides where the subscription begins: behind its cursor, if that is a place of this log, else tail rows before its head.
func (s *subscription) open() (*wire.Open, error) {
	c := s.start.cursor
	if s.start.moved != nil {
		return s.openMoved()
	}
	if c == nil {
		return s.openTail(&wire.Open{})
	}
	why, known, err := s.check(c)
	switch {
	case err != nil:
		return nil, err
	case why != 0:
		return s.openTail(&wire.Open{Status: wire.StatusReset, Why: why})
	case !known:
		return s.gap(c.Seq + 1)
	}
	return s.openFrom(&wire.Open{From: c.Seq + 1})
}

// check compares a cursor with the log: why it is not one of it, or whether the log still knows that place.
func (s *subscription) check(c *chat.Cursor) (why wire.Why, known bool, err error) {
	switch {
	case c.Epoch != s.session.hub.epoch:
		return wire.WhyEpoch, false, nil
	case c.Seq > s.start.head:
		return wire.WhyAhead, false, nil
	}
	hash, err := s.hashAt(c.Seq)
	switch {
	case errors.Is(err, store.ErrTrimmed):
		return 0, false, nil
	case err != nil:
		return 0, false, err
	case hash != c.Hash:
		return wire.WhyHash, false, nil
	}
	return 0, true, nil
}

// hashAt returns the rolling hash after seq, which is not above the head that the subscription began at.
func (s *subscription) hashAt(seq uint64) (chat.Hash, error) {
	switch seq {
	case s.start.head:
		return s.start.hash, nil
	case 0:
		return chat.Hash{}, nil
	}
	hash, err := s.session.hub.cfg.Store.HashAt(s.room.Num, seq)
	if err != nil && !errors.Is(err, store.ErrTrimmed) {
		err = fmt.Errorf("hash of room %d at %d: %w", s.room.Num, seq, err)
	}
	return hash, err
}

// openTail completes an Open that begins tail rows before the head, or at the first row that is kept.
func (s *subscription) openTail(o *wire.Open) (*wire.Open, error) {
	o.From = s.start.head + 1 - min(s.start.tail, s.start.head)
	return s.openFrom(o)
}

// gap returns the Open of a subscription whose row seq is not kept any more.
func (s *subscription) gap(seq uint64) (*wire.Open, error) {
	return s.openFrom(&wire.Open{Status: wire.StatusGap, From: seq})
}

// openFrom completes an Open that begins at From, or later when that is not kept any more or not for the subscription's key; behind a cursor that is a
// gap.
func (s *subscription) openFrom(o *wire.Open) (*wire.Open, error) {
	for {
		low, err := s.session.hub.cfg.Store.Low(s.room.Num)
		if err != nil {
			return nil, fmt.Errorf("low of room %d: %w", s.room.Num, err)
		}
		low = max(low, s.start.first)
		if o.From < low && (o.Status == wire.StatusOK && s.start.cursor != nil || o.Status == wire.StatusMoved) {
			o.Status = wire.StatusGap
		}
		o.From, o.Low = max(o.From, low), low
		if o.Hash, err = s.hashAt(o.From - 1); !errors.Is(err, store.ErrTrimmed) {
			return s.fill(o), err
		}
	}
}

// fill adds what every Open of the subscription says.
func (s *subscription) fill(o *wire.Open) *wire.Open {
	o.Room, o.Name, o.Peer, o.Card = s.room.Num, s.title, s.peer, s.card
	o.Topic, o.Head = s.room.log.now()
	o.Terms = s.room.log.terms(s)
	return o
}
