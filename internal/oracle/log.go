package oracle

import (
	"maps"
	"slices"
)

// room is what the final log has of a room.
type room struct {
	rows  []Row
	sent  []*sent        // the messages that the rows are, nil for a row that is none
	holes map[uint64]int // where each seq is in rows, of a log that is not contiguous; nil for one that is
	low   uint64         // the first seq that is kept, 0 where nothing was let go of
	acked uint64         // the highest row that stands acknowledged so far
}

// room returns what the log has of a room, which may be nothing.
func (c *checker) room(name string) *room {
	r := c.rooms[name]
	if r == nil {
		r = &room{rows: c.log.Rooms[name], low: c.log.Low[name]}
		if r.low == 0 && len(r.rows) > 0 {
			r.low = r.rows[0].Seq
		}
		c.rooms[name] = r
	}
	return r
}

// find returns where a row is in rows.
func (r *room) find(seq uint64) (int, bool) {
	if r.holes != nil {
		i, ok := r.holes[seq]
		return i, ok
	}
	if len(r.rows) == 0 || seq < r.rows[0].Seq || seq-r.rows[0].Seq >= uint64(len(r.rows)) {
		return 0, false
	}
	return int(seq - r.rows[0].Seq), true
}

// trimmed reports whether the log has let go of a row.
func (r *room) trimmed(seq uint64) bool { return seq < r.low }

// head returns the seq of the last row that is kept, 0 when none is.
func (r *room) head() uint64 {
	if len(r.rows) == 0 {
		return 0
	}
	return r.rows[len(r.rows)-1].Seq
}

// readLog binds the rows of the final log to the messages that they are.
func (c *checker) readLog() {
	type publish struct {
		author string
		cseq   uint64
	}
	published := map[publish]uint64{}
	for _, name := range slices.Sorted(maps.Keys(c.log.Rooms)) { // sorted, so that a failure reads the same each time
		r := c.room(name)
		r.sent = make([]*sent, len(r.rows))
		c.readNumbers(name, r)
		for i := range r.rows {
			row := &r.rows[i]
			r.sent[i] = c.bind(name, row)
			if row.CSeq == 0 {
				continue
			}
			p := publish{row.Author, row.CSeq}
			if seq, twice := published[p]; twice {
				c.violation(Once, nil, name, row.Seq, "%s's publish %d is row %d too", row.Author, row.CSeq, seq)
			}
			published[p] = row.Seq
		}
	}
}

// readNumbers checks that the rows of a room follow each other.
func (c *checker) readNumbers(name string, r *room) {
	whole := true
	for i, row := range r.rows {
		switch {
		case row.Seq == 0:
			c.violation(Contiguous, nil, name, 0, "the log has %s as row 0", brief(row.Text))
		case i == 0 && row.Seq > r.low:
			c.violation(Contiguous, nil, name, row.Seq, "the log begins with it and is to begin with row %d", r.low)
		case i > 0 && row.Seq != r.rows[i-1].Seq+1:
			c.violation(Contiguous, nil, name, row.Seq, "the log has it after row %d", r.rows[i-1].Seq)
			whole = false
		}
	}
	if whole {
		return
	}
	r.holes = make(map[uint64]int, len(r.rows))
	for i, row := range r.rows {
		r.holes[row.Seq] = i
	}
}

// bind returns the message that a row of the log is, nil when it can't be any.
func (c *checker) bind(room string, row *Row) *sent {
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
	return s
}

// alike reports whether two accounts of a row can be of the same one.
func alike(a, b Row) bool {
	return a.Seq == b.Seq && a.Text == b.Text &&
		(a.ID == b.ID || a.ID.IsZero() || b.ID.IsZero()) &&
		(a.Author == b.Author || a.Author == "" || b.Author == "") &&
		(a.CSeq == b.CSeq || a.CSeq == 0 || b.CSeq == 0)
}

// fill returns a with what only b knows. They are alike.
func fill(a, b Row) Row {
	if a.ID.IsZero() {
		a.ID = b.ID
	}
	if a.Author == "" {
		a.Author = b.Author
	}
	if a.CSeq == 0 {
		a.CSeq = b.CSeq
	}
	return a
}
