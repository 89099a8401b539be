package client

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// maxOpen bounds the rooms that a node may open to a client; a node that opens more is left.
const maxOpen = chat.MaxRooms + chat.MaxDirect

// errHole says that the node's events left out a row without saying so.
var errHole = errors.New("a message is missing in the node's log")

// place is where the client stands in a room's log.
type place struct {
	known  bool
	cursor chat.Cursor
}

// verdict is what an Open means to whoever reads the room.
type verdict struct {
	gapFrom, gapTo uint64 // rows that can't be had, when gapTo > 0
	reset          string // why the log is another, or empty
	moved          bool   // the log is another node's, and goes on with what was shown
}

// open takes the place that the node offers and compares it with what is known. The node's word is not enough for ok: the numbers and
// the hash have to agree.
func (p *place) open(o *wire.Open, epoch uint64) verdict {
	offered := place{known: true, cursor: chat.Cursor{Epoch: epoch, Seq: o.From - 1, Hash: o.Hash}}
	was := *p
	switch {
	case o.Status == wire.StatusReset:
		*p = offered
		if !was.known {
			return verdict{}
		}
		return verdict{reset: o.Why.String()}
	case !was.known:
		*p = offered
		return verdict{}
	case was.cursor.Epoch != epoch && (o.Status == wire.StatusMoved || o.Status == wire.StatusGap):
		*p = offered
		return verdict{moved: true}
	case was.cursor.Epoch != epoch:
		*p = offered
		return verdict{reset: WhyEpoch}
	case offered.cursor.Seq > was.cursor.Seq:
		*p = offered
		return verdict{gapFrom: was.cursor.Seq + 1, gapTo: offered.cursor.Seq}
	case offered.cursor.Seq == was.cursor.Seq && offered.cursor.Hash != was.cursor.Hash:
		*p = offered
		return verdict{reset: wire.WhyHash.String()}
	}
	return verdict{} // what comes again before the place is dropped by step
}

// step moves the place behind a row. It reports false for a row that was seen, and returns errHole when rows before it are missing.
func (p *place) step(seq uint64, id chat.ID) (bool, error) {
	switch {
	case seq <= p.cursor.Seq:
		return false, nil
	case seq > p.cursor.Seq+1:
		return false, errHole
	}
	p.cursor.Seq = seq
	p.cursor.Hash = p.cursor.Hash.Next(id)
	return true, nil
}

// room is one room that is, was asked to be, or was open.
type room struct {
	key    string // as a join with a cursor spells it: the room's name, or "@" and the other's key id
	name   string // as it is shown
	number uint64 // that the node has given it on this link
	topic  string
	terms  Terms
	open   bool
	peer   Person // in a direct conversation
	place  place
	trail  trail
	passed []mark // to be noted in the State with what is shown next: at most maxPassed
	read   uint64 // seq of the last message read
	note   string // the front end's own: see Client.Prefer
	moving bool   // it was taken up from another node's log, and that is not answered

	heard map[voice]uint64 // highest cseq of what was opened
}

func (r *room) direct() bool { return !r.peer.ID.IsZero() }

// isCalled reports whether a user who typed arg meant this room.
func (r *room) isCalled(arg string) bool {
	return arg == r.key || arg == r.name || r.direct() && chat.Fold(arg) == chat.Fold(r.name)
}

// join returns the record that takes the room up where it was left, at the node whose log has this epoch. In a log where nothing was shown there was no
// place. A conversation that nobody had there is not answered, so nobody waits for it.
func (r *room) join(tail int, epoch uint64) *wire.Join {
	j := &wire.Join{Room: r.key, Tail: uint64(tail)}
	switch c := r.place.cursor; {
	case !r.place.known:
	case c.Epoch == epoch || r.trail.isEmpty() && c.Seq > 0:
		j.Cursor = &wire.Cursor{Epoch: c.Epoch, Seq: c.Seq, Hash: c.Hash}
	case !r.trail.isEmpty():
		j.Moved = r.trail.moved()
	default:
		r.place = place{}
	}
	r.moving = j.Moved != nil && !r.direct()
	return j
}

// rooms are the rooms of a client, in the order in which they were opened. It is not safe for concurrent use: Client.mu guards it.
type rooms struct {
	list     []*room
	byNumber map[uint64]*room
	past     map[string]remembered // by key: what an earlier client knew of rooms that were not asked for since
}

func newRooms() *rooms { return &rooms{byNumber: map[uint64]*room{}, past: map[string]remembered{}} }

// find returns the room that goes by name, shown or spelled out, or nil.
func (s *rooms) find(name string) *room {
	for _, r := range s.list {
		if r.isCalled(name) {
			return r
		}
	}
	return nil
}

// shown returns the room of exactly this name, or nil.
func (s *rooms) shown(name string) *room {
	for _, r := range s.list {
		if r.name == name {
			return r
		}
	}
	return nil
}

// since says where a room that is not open yet will be taken up.
func (s *rooms) since(name string, c chat.Cursor) {
	s.list = append(s.list, &room{key: name, name: name, place: place{known: true, cursor: c}, note: s.past[name].note})
	delete(s.past, name)
}

// recall has a room that an earlier client knew taken up where that was, and returns it; nil when none did.
func (s *rooms) recall(key string) *room {
	was, known := s.past[key]
	if !known || len(s.list) >= maxOpen {
		return nil
	}
	delete(s.past, key)
	r := &room{key: key, name: key, place: place{known: was.known, cursor: was.cursor}, trail: was.trail.clone(), read: was.read, note: was.note}
	s.list = append(s.list, r)
	return r
}

// recallDirect does so for the conversations, the last chat.MaxDirect of those that were spoken in. They are asked for with each link,
// as if they were open.
func (s *rooms) recallDirect() {
	var keys []string
	for key := range s.past {
		if who, direct := strings.CutPrefix(key, chat.DirectMark); direct {
			if _, err := identity.ParseID(who); err == nil && s.past[key].known {
				keys = append(keys, key)
			}
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Compare(s.past[a].used, s.past[b].used) })
	for _, key := range keys[max(0, len(keys)-chat.MaxDirect):] {
		r := s.recall(key)
		r.peer.ID, _ = identity.ParseID(key[len(chat.DirectMark):]) // it was parsed above
	}
}

// bind finds or makes the room that the node opens and gives it the number that events will carry.
func (s *rooms) bind(o *wire.Open) (*room, error) {
	if o.From == 0 {
		return nil, fmt.Errorf("%w: %q opens from message 0", wire.ErrMalformed, o.Name)
	}
	key, peer := o.Name, Person{}
	if len(o.Peer) > 0 {
		if len(o.Peer) != len(peer.ID) || len(o.Name) < 2 || o.Name[:1] != chat.DirectMark {
			return nil, fmt.Errorf("%w: a direct conversation called %q", wire.ErrMalformed, o.Name)
		}
		peer = Person{ID: identity.ID(o.Peer), Name: o.Name[1:]}
		key = chat.DirectMark + peer.ID.String()
	} else if !chat.MayBeRoom(o.Name) {
		return nil, fmt.Errorf("%w: a room called %q", wire.ErrMalformed, o.Name)
	}
	r := s.find(key)
	if r == nil {
		r = s.recall(key)
	}
	if r == nil {
		if len(s.list) >= maxOpen {
			return nil, fmt.Errorf("the node opens more than %d rooms", maxOpen)
		}
		r = &room{key: key}
		s.list = append(s.list, r)
	}
	if other := s.byNumber[o.Room]; other != nil && other != r {
		return nil, fmt.Errorf("%q and %q have one number", other.name, o.Name)
	}
	delete(s.byNumber, r.number)
	s.byNumber[o.Room] = r
	r.number, r.name, r.topic, r.peer, r.open, r.terms = o.Room, o.Name, o.Topic, peer, true, termsOf(&o.Terms)
	return r, nil
}

// termsOf returns terms as the node tells them. What no node of this version could tell is cut to what can be shown.
func termsOf(t *wire.Terms) Terms {
	const longest = chat.MaxSlow
	terms := Terms{Role: t.Role, Muted: t.Muted, Rules: Rules{
		ReadOnly: t.ReadOnly, Archived: t.Archived, Private: t.Private, Slow: time.Duration(min(t.SlowMS, uint64(longest.Milliseconds()))) * time.Millisecond,
		Welcome: t.Welcome, Pins: slices.Clone(t.Pins[:min(len(t.Pins), chat.MaxPins)]),
	}}
	if t.Muted && t.Until != 0 {
		terms.Until = time.UnixMilli(t.Until)
	}
	return terms
}

// drop forgets a room.
func (s *rooms) drop(r *room) {
	for i := range s.list {
		if s.list[i] == r {
			s.list = append(s.list[:i:i], s.list[i+1:]...)
			break
		}
	}
	if s.byNumber[r.number] == r {
		delete(s.byNumber, r.number)
	}
}

// unlink forgets what held on the last link alone.
func (s *rooms) unlink() {
	clear(s.byNumber)
	for _, r := range s.list {
		r.moving = false
	}
}

// reset forgets every place; direct conversations are forgotten too when all of them will be asked for. Notes stay.
func (s *rooms) reset(direct bool) {
	var kept []*room
	s.past = notes(s.past)
	for _, r := range s.list {
		r.place, r.trail, r.passed, r.read, r.heard = place{}, trail{}, nil, 0, nil
		if !direct || !r.direct() {
			kept = append(kept, r)
		} else if r.note != "" {
			s.past[r.key] = remembered{note: r.note}
		}
	}
	s.list = kept
}

// names returns the names of the open rooms, at most limit of them, with direct conversations or without.
func (s *rooms) names(limit int, direct bool) []string {
	out := []string{}
	for _, r := range s.list {
		if r.open && len(out) < limit && (direct || !r.direct()) {
			out = append(out, r.name)
		}
	}
	return out
}

// among returns those of names that are of open rooms, each once and at most limit of them, without direct conversations.
func (s *rooms) among(names []string, limit int) []string {
	out := []string{}
	for _, name := range names {
		if r := s.shown(name); r != nil && r.open && !r.direct() && len(out) < limit && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
