package oracle

// view is where a client is in a room.
type view struct {
	last    Row
	epoch   uint64
	ordered bool // the next row comes after last
	next    bool // and right after it
}

// follow checks that a row comes where it should after what its client was shown before.
func (c *checker) follow(e *event, w *witness) {
	v := w.views[e.room]
	if v == nil {
		if w.views == nil {
			w.views = map[string]*view{}
		}
		v = &view{}
		w.views[e.room] = v
	}
	seq := e.row.Seq
	switch {
	case seq == 0:
		c.violation(Contiguous, e.client, e.room, 0, "shown %s as row 0", brief(e.row.Text))
	case v.ordered && v.epoch != e.epoch:
		c.violation(Contiguous, e.client, e.room, seq, "shown under epoch %x after row %d of epoch %x without a reset", e.epoch, v.last.Seq, v.epoch)
	case v.next && seq != v.last.Seq+1:
		c.violation(Contiguous, e.client, e.room, seq, "shown after row %d", v.last.Seq)
	case v.ordered && seq <= v.last.Seq:
		c.violation(Contiguous, e.client, e.room, seq, "shown after row %d and a gap", v.last.Seq)
	}
	*v = view{last: e.row, epoch: e.epoch, ordered: true, next: true}
}

// show checks a row that a client was shown against the log, or against what others were shown.
func (c *checker) show(at int, e *event) {
	r := c.room(e.room)
	i, there := r.find(e.row.Seq)
	there = there && e.epoch == c.log.Epoch
	if there && alike(r.rows[i], e.row) {
		c.wasSent(e, r.sent[i])
		return
	}
	s := c.byText[e.row.Text]
	c.wasSent(e, s)
	if s == nil || c.excused(at, e, e.room, e.row.Seq) {
		return
	}
	switch {
	case there:
		c.violation(OneText, e.client, e.room, e.row.Seq, "shown as %s, and it is %s", e.row, r.rows[i])
		if c.mayBeLost(e.room, e.row.Seq) {
			c.violation(Visible, e.client, e.room, e.row.Seq, "shown %s, which was rolled back and replaced without a reset", brief(e.row.Text))
		}
	case e.epoch != c.log.Epoch, r.trimmed(e.row.Seq):
		c.agree(at, e, s, e.row, Once)
	case c.mayBeLost(e.room, e.row.Seq):
		c.violation(Visible, e.client, e.room, e.row.Seq, "shown %s, which was rolled back without a reset", brief(e.row.Text))
	default:
		c.violation(Durable, e.client, e.room, e.row.Seq, "shown %s, which is not in the log", brief(e.row.Text))
	}
}

// wasSent checks that what was shown is a message, and was one by then.
func (c *checker) wasSent(e *event, s *sent) {
	switch {
	case s == nil:
		c.violation(Once, e.client, e.room, e.row.Seq, "shown %s, which nobody sent", brief(e.row.Text))
	case s.room != e.room:
		c.violation(Once, e.client, e.room, e.row.Seq, "shown %s, which was sent to %s", brief(e.row.Text), s.room)
	case !s.done:
		c.violation(Once, e.client, e.room, e.row.Seq, "shown %s before it was sent", brief(e.row.Text))
	}
}

// answer notes what a client was told of one of its messages. Being told the same again is fine.
func (c *checker) answer(at int, e *event, w *witness) {
	s := w.sent[e.n]
	if s == nil || !s.done {
		c.violation(Misuse, e.client, "", 0, "message %d was answered and had not been sent", e.n)
		return
	}
	if !s.answered {
		s.answered = true
		w.pending--
	}
	if e.action == refused {
		s.refuse = e
		return
	}
	if c.excused(at, e, s.room, e.row.Seq) {
		return
	}
	if s.ack == nil {
		s.ack = e
	}
	told := Row{Seq: e.row.Seq, Text: s.text, ID: e.row.ID}
	if e.epoch == c.log.Epoch {
		c.ack(at, e, s, told)
	} else {
		c.agree(at, e, s, told, Kept)
	}
}

// ack checks an acknowledgement under the log's epoch.
func (c *checker) ack(at int, e *event, s *sent, told Row) {
	r, rule := c.room(s.room), Kept
	if c.mayBeLost(s.room, told.Seq) {
		rule = Visible
	}
	if s.row != nil {
		r.acked = max(r.acked, s.row.Seq)
	}
	switch {
	case s.row == nil && r.trimmed(max(1, told.Seq)):
		c.agree(at, e, s, told, Kept)
	case s.row == nil:
		c.violation(rule, s.client, s.room, told.Seq, "message %d (%s) was acknowledged and is not in the log", s.n, brief(s.text))
	case told.Seq != 0 && told.Seq != s.row.Seq:
		c.violation(rule, s.client, s.room, told.Seq, "message %d (%s) was acknowledged as this row and is row %d", s.n, brief(s.text), s.row.Seq)
	case !told.ID.IsZero() && !s.row.ID.IsZero() && told.ID != s.row.ID:
		c.violation(rule, s.client, s.room, told.Seq, "message %d (%s) was acknowledged with id %s and has %s", s.n, brief(s.text), told.ID, s.row.ID)
	}
}

// agree compares a row that the log can't vouch for with what others said of it. twice is the rule for a message that is two rows.
func (c *checker) agree(at int, e *event, s *sent, row Row, twice string) {
	if e.epoch != c.log.Epoch && s.row == nil && !c.room(s.room).trimmed(1) && // gone, and not by retention
		e.client.epoch != e.epoch && c.lastReset(e.client, s.room) <= at {
		c.violation(Visible, e.client, s.room, row.Seq, "told of %s under epoch %x, which the log does not have, without a reset", brief(row.Text), e.epoch)
	}
	if row.Seq == 0 {
		return
	}
	if e.epoch == c.log.Epoch && s.row != nil && s.row.Seq != row.Seq {
		c.violation(twice, e.client, s.room, row.Seq, "%s is row %d too", brief(row.Text), s.row.Seq)
	}
	here, same := place{e.epoch, s.room, row.Seq}, textPlace{e.epoch, row.Text}
	known, seen := c.others[here]
	switch {
	case !seen:
		c.others[here] = row
	case !alike(known, row):
		c.violation(OneText, e.client, s.room, row.Seq, "told of as %s, and it is %s", row, known)
	default:
		if more := fill(known, row); more != known {
			c.others[here] = more
		}
	}
	if seq, seen := c.othersSeq[same]; !seen {
		c.othersSeq[same] = row.Seq
	} else if seq != row.Seq {
		c.violation(twice, e.client, s.room, row.Seq, "%s is row %d too", brief(row.Text), seq)
	}
}

// settle checks that a client at rest has seen all and was told all.
func (c *checker) settle(e *event, w *witness) {
	if w.pending > 0 {
		c.violation(Converges, e.client, e.room, 0, "%d of its messages are not answered", w.pending)
	}
	r, v := c.room(e.room), w.views[e.room]
	head := r.head()
	switch {
	case v == nil && head > 0:
		c.violation(Converges, e.client, e.room, head, "shown nothing, and this is the head of the log")
	case v == nil, head == 0 && r.trimmed(v.last.Seq):
	case v.epoch != c.log.Epoch:
		c.violation(Converges, e.client, e.room, v.last.Seq, "shown last, under epoch %x, and the log has %x", v.epoch, c.log.Epoch)
	case v.last.Seq != head:
		c.violation(Converges, e.client, e.room, v.last.Seq, "shown last, and row %d is the head of the log", head)
	}
}

// mayBeLost reports whether a rollback explains that the log has not got a row.
func (c *checker) mayBeLost(room string, seq uint64) bool {
	return c.rolledBack && (seq == 0 || seq > c.held[room])
}

// excused reports whether a row that a client was told of at a position of the history may be gone: Check says when.
func (c *checker) excused(at int, e *event, room string, seq uint64) bool {
	if !c.mayBeLost(room, seq) {
		return false
	}
	if last := c.lastReset(e.client, room); last > at && last > c.first {
		return true
	}
	gone := c.clients[e.client.index].left
	return gone > 0 && gone <= c.last
}

// lastReset returns the position behind the last reset that a client was told of a room, or of all; 0 for none.
func (c *checker) lastReset(client *Client, room string) int {
	w := &c.clients[client.index]
	return max(w.resetAll, w.resets[room])
}
