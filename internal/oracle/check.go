package oracle

import (
	"errors"
	"fmt"

	"chatnode/internal/chat"
)

// Rules that Check knows.
const (
	Misuse      = "misuse"              // the test itself is wrong: a text twice, an answer to what was never sent
	Kept        = "C1 kept"             // what was acknowledged is in the log, as the row that was told
	Once        = "C2 once"             // each row of the log is a message that was sent, and no message is two rows
	Contiguous  = "C3 contiguous"       // what a client is shown between joins, gaps and resets is a piece of the log
	AuthorOrder = "C4 author order"     // one client's messages stand in a room in the order in which it sent them
	RealTime    = "C5 real time"        // what was sent after an acknowledgement stands behind what was acknowledged
	OneText     = "C7 one text"         // no seq of a room names two messages
	NeverKept   = "C1 refused for good" // what was refused is not in the log, and was never acknowledged
)

// maxViolations is how many violations Check tells at most.
const maxViolations = 20

// Violation is one way in which a history can't be true.
type Violation struct {
	Rule   string // one of the rules above
	Client string // empty where the log alone is wrong
	Room   string
	Seq    uint64 // 0 where there is none
	What   string
}

func (v *Violation) Error() string {
	where := v.Room
	if v.Seq != 0 {
		where += fmt.Sprintf(" row %d", v.Seq)
	}
	if v.Client != "" {
		where = v.Client + ", " + where
	}
	return fmt.Sprintf("%s: %s: %s", v.Rule, where, v.What)
}

// sent is one message of one client and what became of it.
type sent struct {
	client *Client
	n      uint64
	room   string
	text   string
	after  map[uint64]uint64 // by epoch: the highest row of the room that was acknowledged before it was sent
	ack    *event
	refuse *event
	row    *Row // in the final log
}

type place struct {
	epoch uint64
	room  string
	seq   uint64
}

type reader struct {
	client *Client
	room   string
}

// view is where a client is in a room.
type view struct {
	last    Row
	epoch   uint64
	ordered bool // the next row comes after last
	next    bool // and right after it
}

type checker struct {
	log    Log
	byText map[string]*sent
	byN    map[*Client]map[uint64]*sent
	order  []*sent
	rows   map[place]Row                // every row that anyone has seen
	high   map[string]map[uint64]uint64 // by room and epoch: the highest row acknowledged so far
	views  map[reader]*view
	found  []error
}

// Check returns an error for the ways in which the history contradicts itself or the log, nil when there are none. Each is a *Violation.
func (h *History) Check(log Log) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := &checker{
		log: log, byText: map[string]*sent{}, byN: map[*Client]map[uint64]*sent{}, rows: map[place]Row{},
		high: map[string]map[uint64]uint64{}, views: map[reader]*view{},
	}
	for i := range h.events {
		if e := &h.events[i]; e.action == invoked {
			c.invoke(e)
		}
	}
	c.readLog()
	for i := range h.events {
		c.event(&h.events[i])
	}
	c.outcomes()
	c.authorOrder()
	if len(c.found) > maxViolations {
		c.found = append(c.found[:maxViolations], fmt.Errorf("and %d more", len(c.found)-maxViolations))
	}
	return errors.Join(c.found...)
}

func (c *checker) violation(rule string, client *Client, room string, seq uint64, what string, args ...any) {
	v := &Violation{Rule: rule, Room: room, Seq: seq, What: fmt.Sprintf(what, args...)}
	if client != nil {
		v.Client = client.name
	}
	c.found = append(c.found, v)
}

// invoke enters a message; the client's own repeats of it are no history of theirs.
func (c *checker) invoke(e *event) {
	if other := c.byText[e.row.Text]; other != nil {
		c.violation(Misuse, e.client, e.room, 0, "the text %s was sent before, by %s as message %d", brief(e.row.Text), other.client.name, other.n)
		return
	}
	if c.byN[e.client] == nil {
		c.byN[e.client] = map[uint64]*sent{}
	}
	if other := c.byN[e.client][e.n]; other != nil {
		c.violation(Misuse, e.client, e.room, 0, "message %d is %s and %s", e.n, brief(other.text), brief(e.row.Text))
		return
	}
	s := &sent{client: e.client, n: e.n, room: e.room, text: e.row.Text}
	c.byText[s.text], c.byN[e.client][e.n] = s, s
	c.order = append(c.order, s)
}

// readLog binds the rows of the final log to the messages that they are.
func (c *checker) readLog() {
	pairs := map[Row]uint64{} // only Author and CSeq are set
	for room, rows := range c.log.Rooms {
		for i := range rows {
			row := &rows[i]
			if i > 0 && row.Seq != rows[i-1].Seq+1 {
				c.violation(Contiguous, nil, room, row.Seq, "the log has it after row %d", rows[i-1].Seq)
			}
			c.rows[place{c.log.Epoch, room, row.Seq}] = *row
			s := c.byText[row.Text]
			switch {
			case s == nil:
				c.violation(Once, nil, room, row.Seq, "nobody sent %s", brief(row.Text))
			case s.room != room:
				c.violation(Once, s.client, room, row.Seq, "%s was sent to %s", brief(row.Text), s.room)
			case s.row != nil:
				c.violation(Once, s.client, room, row.Seq, "%s is row %d too", brief(row.Text), s.row.Seq)
			default:
				s.row = row
			}
			if row.CSeq == 0 {
				continue
			}
			pair := Row{Author: row.Author, CSeq: row.CSeq}
			if seq, twice := pairs[pair]; twice {
				c.violation(Once, nil, room, row.Seq, "%s's publish %d is row %d too", row.Author, row.CSeq, seq)
			}
			pairs[pair] = row.Seq
		}
	}
}

// event takes the events in the order in which they happened.
func (c *checker) event(e *event) {
	switch e.action {
	case invoked:
		if s := c.byN[e.client][e.n]; s != nil {
			s.after = map[uint64]uint64{}
			for epoch, seq := range c.high[e.room] {
				s.after[epoch] = seq
			}
		}
	case acked, refused:
		c.answer(e)
	case shown:
		c.show(e)
	case joined, reset:
		delete(c.views, reader{e.client, e.room})
	case gap:
		if v := c.views[reader{e.client, e.room}]; v != nil {
			v.next = false
		}
	}
}

// answer notes what a client was told of one of its messages. Being told the same again is fine.
func (c *checker) answer(e *event) {
	s := c.byN[e.client][e.n]
	switch {
	case s == nil || s.after == nil:
		c.violation(Misuse, e.client, "", 0, "message %d was answered and had not been sent", e.n)
	case e.action == refused:
		s.refuse = e
	case s.ack == nil || s.ack.epoch != e.epoch:
		s.ack = e
		if c.high[s.room] == nil {
			c.high[s.room] = map[uint64]uint64{}
		}
		c.high[s.room][e.epoch] = max(c.high[s.room][e.epoch], e.row.Seq)
	case s.ack.row.Seq != e.row.Seq && s.ack.row.Seq != 0 && e.row.Seq != 0:
		c.violation(Kept, e.client, s.room, e.row.Seq, "message %d (%s) was acknowledged as row %d before", e.n, brief(s.text), s.ack.row.Seq)
	}
}

// show checks one row that a client was shown against what it was shown before and what others know.
func (c *checker) show(e *event) {
	key := reader{e.client, e.room}
	v := c.views[key]
	if v == nil {
		v = &view{}
		c.views[key] = v
	}
	row := e.row
	switch {
	case v.ordered && v.epoch != e.epoch:
		c.violation(Contiguous, e.client, e.room, row.Seq, "shown under epoch %x after row %d of epoch %x without a reset", e.epoch, v.last.Seq, v.epoch)
	case v.next && row.Seq != v.last.Seq+1:
		c.violation(Contiguous, e.client, e.room, row.Seq, "shown after row %d", v.last.Seq)
	case v.ordered && row.Seq <= v.last.Seq:
		c.violation(Contiguous, e.client, e.room, row.Seq, "shown after row %d and a gap", v.last.Seq)
	}
	*v = view{last: row, epoch: e.epoch, ordered: true, next: true}

	at := place{e.epoch, e.room, row.Seq}
	known, seen := c.rows[at]
	switch {
	case seen && !alike(known, row):
		c.violation(OneText, e.client, e.room, row.Seq, "shown as %s, and it is %s", row, known)
	case seen:
	case e.epoch == c.log.Epoch && !c.trimmed(e.room, row.Seq):
		c.violation(Contiguous, e.client, e.room, row.Seq, "shown %s, which is not in the log", brief(row.Text))
	default:
		c.rows[at] = row
		if c.byText[row.Text] == nil {
			c.violation(Once, e.client, e.room, row.Seq, "shown %s, which nobody sent", brief(row.Text))
		}
	}
}

// trimmed reports whether the final log has let go of a row.
func (c *checker) trimmed(room string, seq uint64) bool {
	rows := c.log.Rooms[room]
	return seq < c.log.Low[room] || len(rows) > 0 && seq < rows[0].Seq
}

// outcomes checks what each client was told of its messages.
func (c *checker) outcomes() {
	for _, s := range c.order {
		if s.refuse != nil && s.row != nil {
			c.violation(NeverKept, s.client, s.room, s.row.Seq, "message %d (%s) was refused (%s) and is kept", s.n, brief(s.text), s.refuse.code)
		}
		if s.refuse != nil && s.ack != nil {
			c.violation(NeverKept, s.client, s.room, s.ack.row.Seq, "message %d (%s) was refused (%s) and acknowledged", s.n, brief(s.text), s.refuse.code)
		}
		if low := s.after[c.log.Epoch]; s.row != nil && s.row.Seq <= low {
			c.violation(RealTime, s.client, s.room, s.row.Seq, "message %d (%s) was sent after row %d had been acknowledged", s.n, brief(s.text), low)
		}
		if s.ack == nil || s.ack.epoch != c.log.Epoch || c.trimmed(s.room, s.ack.row.Seq) {
			continue
		}
		told := s.ack.row
		switch {
		case s.row == nil:
			c.violation(Kept, s.client, s.room, told.Seq, "message %d (%s) was acknowledged and is not in the log", s.n, brief(s.text))
		case told.Seq != 0 && told.Seq != s.row.Seq:
			c.violation(Kept, s.client, s.room, told.Seq, "message %d (%s) was acknowledged as this row and is row %d", s.n, brief(s.text), s.row.Seq)
		case !told.ID.IsZero() && !s.row.ID.IsZero() && told.ID != s.row.ID:
			c.violation(Kept, s.client, s.room, told.Seq, "message %d (%s) was acknowledged with id %s and has %s", s.n, brief(s.text), told.ID, s.row.ID)
		}
	}
}

// authorOrder checks that rows of one client stand in each room as they were sent.
func (c *checker) authorOrder() {
	last := map[reader]*sent{}
	for _, s := range c.order {
		if s.row == nil {
			continue
		}
		key := reader{s.client, s.room}
		if before := last[key]; before != nil && before.row.Seq > s.row.Seq {
			c.violation(AuthorOrder, s.client, s.room, s.row.Seq, "message %d (%s) stands before message %d (row %d)", s.n, brief(s.text), before.n, before.row.Seq)
		}
		last[key] = s
	}
}

// alike reports whether two accounts of a row can be of the same one.
func alike(a, b Row) bool {
	return a.Seq == b.Seq && a.Text == b.Text &&
		(a.ID == b.ID || a.ID.IsZero() || b.ID.IsZero()) &&
		(a.Author == b.Author || a.Author == "" || b.Author == "") &&
		(a.CSeq == b.CSeq || a.CSeq == 0 || b.CSeq == 0)
}

// brief quotes a text, or the beginning of a long one.
func brief(text string) string {
	const most = 60
	if len(text) > most {
		return fmt.Sprintf("%q…", text[:most])
	}
	return fmt.Sprintf("%q", text)
}

func (r Row) String() string {
	s := brief(r.Text)
	if r.ID != (chat.ID{}) {
		s += " id " + r.ID.String()
	}
	if r.Author != "" {
		s += " of " + r.Author
	}
	if r.CSeq != 0 {
		s += fmt.Sprintf(" publish %d", r.CSeq)
	}
	return s
}
