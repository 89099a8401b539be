package oracle

import "maps"

// sent is one message of one client and what became of it.
type sent struct {
	client   *Client
	n        uint64
	room     string
	text     string
	done     bool   // the client has sent it by now
	after    uint64 // the highest row of the room that stood acknowledged when it was sent
	answered bool
	ack      *event // the first that stands
	refuse   *event
	row      *Row // in the final log
}

// witness is what one client lives through.
type witness struct {
	sent    map[uint64]*sent // by n
	pending int              // sent by now and not answered
	views   map[string]*view // by room

	// Positions in the history behind the last of each, 0 for none.
	resets   map[string]int // by room
	resetAll int
	left     int
}

// checker goes through a history twice: survey notes what was sent and which resets are still to come, play judges. All that it does for one event
// takes the same time, however many there are.
type checker struct {
	report
	log     Log
	clients []witness // as Client.index counts
	rooms   map[string]*room
	byText  map[string]*sent
	order   []*sent // as they were sent

	// The rollbacks: the positions of the first and the last, and by room the row up to which every copy has the log.
	rolledBack  bool
	first, last int
	held        map[string]uint64

	// What the final log can't say, since it let go of it or is of another epoch, is as those who tell of it first have it.
	others    map[place]Row
	othersSeq map[textPlace]uint64
}

type place struct {
	epoch uint64
	room  string
	seq   uint64
}

type textPlace struct {
	epoch uint64
	text  string
}

// Check returns an error for the ways in which the history contradicts itself or the log, nil when there are none. Each is a *Violation.
//
// An acknowledgement or a row that was shown stands, unless it is excused; all that stands has to be true of one log. Under the log's
// epoch that is the log itself, as far as it reaches back; for what retention let go of, and for other epochs, it is enough that those who tell
// of it agree.
//
// It is excused only if an older copy of the store was put back (RolledBack) that may lack the row (RolledBackTo), and its client either
// saw a reset, of that room or of everything, later than the row and than the first rollback, or left before the last rollback and never
// came back. What was on its way may reach the client, and the history, when the copy is already in place, so it does not matter on which
// side of the rollback a row was told. A row that is missing, or has another in its place, and is not excused though a rollback can have
// taken it, breaks C10, and C7 as well if it was shown and another is there. Which rollback a reset was for can't be seen: one for no good
// reason, or for another rollback, excuses too.
//
// An excused row still has to be one that was sent, and to come in order (C2, C3). An excused acknowledgement does not order what is sent
// after it (C5).
//
// What a client was told under another epoch than it speaks in at its end may be gone from the log as well, after a reset; without one that
// breaks C10. A client that never learned of the new epoch is not asked.
func (h *History) Check(log Log) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := &checker{
		log: log, clients: make([]witness, h.clients), rooms: map[string]*room{}, byText: map[string]*sent{},
		others: map[place]Row{}, othersSeq: map[textPlace]uint64{},
	}
	c.rollbacks(h.rollbacks)
	for i := range h.events {
		c.survey(i, &h.events[i])
	}
	c.readLog()
	for i := range h.events {
		c.play(i, &h.events[i])
	}
	c.outcomes()
	c.authorOrder()
	for _, m := range h.measures {
		if m.value > m.bound {
			c.violation(Bounded, nil, "", 0, "%s: %d, and at most %d is allowed", m.what, m.value, m.bound)
		}
	}
	return c.err()
}

// rollbacks notes when older copies were put back, and what all of them hold.
func (c *checker) rollbacks(all []rollback) {
	if len(all) == 0 {
		return
	}
	c.rolledBack = true
	c.first, c.last = all[0].at, all[len(all)-1].at
	c.held = maps.Clone(all[0].heads)
	for _, r := range all[1:] {
		for room := range c.held {
			c.held[room] = min(c.held[room], r.heads[room])
		}
	}
}

// survey notes what has to be known of the whole history before any of it can be judged.
func (c *checker) survey(at int, e *event) {
	w := &c.clients[e.client.index]
	w.left = 0
	switch e.action {
	case invoked:
		c.enter(w, e)
	case reset:
		if e.room == "" {
			w.resetAll = at + 1
			return
		}
		if w.resets == nil {
			w.resets = map[string]int{}
		}
		w.resets[e.room] = at + 1
	case left:
		w.left = at + 1
	}
}

// enter enters a message; the client's own repeats of it are no history of theirs.
func (c *checker) enter(w *witness, e *event) {
	if other := c.byText[e.row.Text]; other != nil {
		c.violation(Misuse, e.client, e.room, 0, "the text %s was sent before, by %s as message %d", brief(e.row.Text), other.client.name, other.n)
		return
	}
	if w.sent == nil {
		w.sent = map[uint64]*sent{}
	}
	if other := w.sent[e.n]; other != nil {
		c.violation(Misuse, e.client, e.room, 0, "message %d is %s and %s", e.n, brief(other.text), brief(e.row.Text))
		return
	}
	s := &sent{client: e.client, n: e.n, room: e.room, text: e.row.Text}
	c.byText[s.text], w.sent[e.n] = s, s
	c.order = append(c.order, s)
}

// play takes the events in the order in which they happened.
func (c *checker) play(at int, e *event) {
	w := &c.clients[e.client.index]
	switch e.action {
	case invoked:
		if s := w.sent[e.n]; s != nil {
			s.done, s.after = true, c.room(s.room).acked
			w.pending++
		}
	case acked, refused:
		c.answer(at, e, w)
	case shown:
		c.follow(e, w)
		c.show(at, e)
	case joined:
		if v := w.views[e.room]; v != nil {
			v.ordered, v.next = false, false
		}
	case gap:
		if v := w.views[e.room]; v != nil {
			v.next = false
		}
	case reset:
		if e.room == "" {
			w.views = nil
		} else {
			delete(w.views, e.room)
		}
	case settled:
		c.settle(e, w)
	}
}

// outcomes checks what each client was told of its messages, and the order in which they are kept.
func (c *checker) outcomes() {
	for _, s := range c.order {
		if s.refuse != nil && s.row != nil {
			c.violation(NeverKept, s.client, s.room, s.row.Seq, "message %d (%s) was refused (%s) and is kept", s.n, brief(s.text), s.refuse.code)
		}
		if s.refuse != nil && s.ack != nil {
			c.violation(NeverKept, s.client, s.room, s.ack.row.Seq, "message %d (%s) was refused (%s) and acknowledged", s.n, brief(s.text), s.refuse.code)
		}
		if s.row != nil && s.row.Seq <= s.after {
			c.violation(RealTime, s.client, s.room, s.row.Seq, "message %d (%s) was sent after row %d had been acknowledged", s.n, brief(s.text), s.after)
		}
	}
}

// authorOrder checks that rows of one client stand in each room as they were sent.
func (c *checker) authorOrder() {
	type reader struct {
		client *Client
		room   string
	}
	last := map[reader]*sent{}
	for _, s := range c.order {
		if s.row == nil {
			continue
		}
		key := reader{s.client, s.room}
		if before := last[key]; before != nil && before.row.Seq > s.row.Seq {
			c.violation(AuthorOrder, s.client, s.room, s.row.Seq, "message %d (%s) stands before message %d (row %d)",
				s.n, brief(s.text), before.n, before.row.Seq)
		}
		last[key] = s
	}
}
