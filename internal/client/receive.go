package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// nonceLen is the size of a challenge's nonce.
const nonceLen = 32

var errOutOfTurn = errors.New("a record out of turn")

// next returns the stream's next record, nil for one of a type that is not known.
func next(r *wire.Reader) (wire.Record, error) {
	item, err := r.Next()
	if errors.Is(err, wire.ErrTooLarge) {
		return nil, breach{err}
	}
	if err != nil {
		return nil, fmt.Errorf("read from the node: %w", err)
	}
	record, err := wire.Decode(item)
	if err != nil {
		return nil, breach{err}
	}
	return record, nil
}

// readControl reads the control stream: first the handshake, then what comes. It waits for the node alone, never for the consumer of
// events.
func (n *conn) readControl() error {
	r := wire.NewReader(n.link.Control())
	for n.bye == nil {
		record, err := next(r)
		if err != nil {
			return err
		}
		if record == nil {
			continue
		}
		if err := n.told(record); err != nil {
			return breach{err}
		}
	}
	return nil
}

// told handles one record of the control stream.
func (n *conn) told(record wire.Record) error {
	switch r := record.(type) {
	case *wire.Bye:
		n.bye = r
	case *wire.Notice:
		n.c.feed.notice(Notice{Code: r.Code, Text: r.Text})
	case *wire.Challenge:
		return n.challenged(r)
	case *wire.Welcome:
		return n.welcomed(r)
	case *wire.Presence:
		return n.present(r)
	case *wire.Nodes:
		n.nodesAre(r)
	case *wire.Failed, *wire.NamesAre, *wire.WhoisIs, *wire.ListIs, *wire.AuthorsAre, *wire.HistoryIs, *wire.SearchIs, *wire.KeepIs,
		*wire.InviteIs, *wire.ReleaseIs, *wire.AwayIs, *wire.BannedAre, *wire.CausalIs, *wire.PeersAre, *wire.AdmitIs, *wire.StatsAre:
		defer n.c.poke()
		return n.c.asker.settle(r)
	default:
		return fmt.Errorf("%w: %T on control", wire.ErrMalformed, r)
	}
	return nil
}

// challenged answers the node's first record with the hello.
func (n *conn) challenged(r *wire.Challenge) error {
	if n.greeted {
		return errOutOfTurn
	}
	if len(r.Nonce) != nonceLen {
		return fmt.Errorf("%w: a nonce of %d bytes", wire.ErrMalformed, len(r.Nonce))
	}
	n.greeted = true
	c := n.c
	var token []byte
	if c.cfg.Token != nil {
		token = c.cfg.Token(n.link.Node())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	origin := c.outbox.origin[:]
	n.control = append(n.control, &wire.Hello{
		Version: wire.Version, Name: c.wanted, Key: c.cfg.Key.Public(), Proof: c.cfg.Key.Prove(r.Nonce, origin),
		Origin: append([]byte(nil), origin...), FirstUnacked: c.outbox.firstUnanswered(), Token: token, Card: c.self.Card(),
	})
	c.poke()
	return nil
}

// welcomed passes the welcome on to the chat reader, which settles it in its turn.
func (n *conn) welcomed(w *wire.Welcome) error {
	switch {
	case !n.greeted || !n.upAt.IsZero():
		return errOutOfTurn
	case len(w.Node) != len(identity.ID{}):
		return fmt.Errorf("%w: a node id of %d bytes", wire.ErrMalformed, len(w.Node))
	case !n.link.Node().IsZero() && n.link.Node() != identity.ID(w.Node):
		return fmt.Errorf("%w: the node says that it is %v, and has the key of %v", wire.ErrMalformed, identity.ID(w.Node), n.link.Node())
	case w.Version != wire.Version:
		n.bye = &wire.Bye{Code: chat.BadVersion}
		return nil
	}
	n.upAt = time.Now()
	close(n.up)
	c := n.c
	c.asker.meet(w.Epoch, identity.ID(w.Node)) // first: whoever hears of the link can ask
	c.asker.keep(w.From, c.cfg.Key.ID())
	n.welcome <- w
	c.mu.Lock()
	defer c.mu.Unlock()
	n.asking = true // at once: the chat reader may have to wait for a consumer that waits for an answer
	c.poke()
	return nil
}

// present merges presence into what the consumer will be told.
func (n *conn) present(r *wire.Presence) (err error) {
	for _, raw := range r.Rooms {
		rp, err := wire.DecodeRoomPresence(raw)
		if err != nil {
			return err
		}
		n.c.feed.present(func(p *presence) { err = p.merge(&rp) })
		if err != nil {
			return err
		}
	}
	return nil
}

// readChat settles the welcome and then reads the chat stream. It takes a record in when the consumer of events has room for what follows
// from it, so a slow one holds back this stream alone.
func (n *conn) readChat(ctx context.Context) error {
	var w *wire.Welcome
	select {
	case w = <-n.welcome:
	case <-ctx.Done():
		return nil
	}
	if n.c.feed.room(ctx) != nil {
		return nil
	}
	if err := n.settle(w); err != nil {
		return err
	}
	n.c.poke()
	defer n.c.fileAnswers(1)
	r := wire.NewReader(n.link.Chat())
	for {
		record, err := next(r)
		if err != nil {
			return err
		}
		if n.c.feed.room(ctx) != nil {
			return nil
		}
		if err := n.handle(record); err != nil {
			return breach{err}
		}
		if r.Buffered() {
			n.c.fileAnswers(maxUnfiled)
		} else {
			n.c.fileAnswers(1)
		}
	}
}

// handle takes one record of the chat stream in.
func (n *conn) handle(record wire.Record) error {
	c := n.c
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r := record.(type) {
	case nil:
		return nil
	case *wire.Event:
		return c.eventLocked(r)
	case *wire.Ack:
		return n.answerLocked(&wire.Outcome{CSeq: r.CSeq, Seq: r.Seq, ID: r.ID, Time: r.Time}, 0)
	case *wire.Refused:
		if r.Code == chat.OK {
			r.Code = chat.Internal // a refusal without a reason is a refusal
		}
		return n.answerLocked(&wire.Outcome{CSeq: r.CSeq, Code: r.Code}, millis(r.RetryAfterMS))
	case *wire.Nack:
		return n.nackLocked(r)
	case *wire.Open:
		return n.openLocked(r)
	case *wire.Closed:
		return n.closedLocked(r)
	case *wire.Named:
		c.namedLocked(r)
		return nil
	case *wire.TermsAre:
		return c.termsLocked(r)
	case *wire.Mark:
		c.markLocked(r)
		return nil
	}
	return fmt.Errorf("%w: %T on chat", wire.ErrMalformed, record)
}

// eventLocked shows a message, once and in its turn.
func (c *Client) eventLocked(r *wire.Event) error {
	room := c.rooms.byNumber[r.Room]
	if room == nil {
		return fmt.Errorf("a message of room number %d, which is not open", r.Room)
	}
	fresh, err := room.place.step(r.Seq, r.ID)
	if err != nil {
		return fmt.Errorf("%w: %s goes from %d to %d", err, room.name, room.place.cursor.Seq, r.Seq)
	}
	if !fresh {
		c.stats.Duplicates++
		return nil
	}
	known := room.trail.knows(r.Seq, r.ID)
	if c.home.space != "" {
		room.trail.add(r.Seq, r.ID)
	}
	if known { // on another node
		c.stats.Duplicates++
		return nil
	}
	if r.From == c.from {
		c.outbox.show(&wire.Outcome{CSeq: r.CSeq, Seq: r.Seq, ID: r.ID, Time: r.Time})
	}
	m := Message{
		Room: room.name, Seq: r.Seq, ID: r.ID, Cursor: room.place.cursor, Epoch: room.place.cursor.Epoch, From: r.From, Name: r.Name,
		Kind: r.Kind, Time: time.UnixMilli(r.Time), Text: string(r.Body), Own: c.isOwnLocked(r.From),
	}
	if room.direct() {
		m.To = room.peer.Name
	}
	m.late(r)
	switch removed := m.removed(r, c.redacted.known[r.ID]) || m.Forked; {
	case removed: // and nothing is left to be opened
	case r.Kind == chat.Topic:
		room.topic = m.Text
	case r.Kind == chat.Sealed:
		c.unsealLocked(&m, room, r)
	}
	c.feed.put(m)
	if redacted, ok := redactedBy(r); ok && !m.Forked {
		redacted.Room = room.name
		c.redacted.note(redacted.ID)
		c.feed.put(redacted)
	}
	return nil
}

// termsLocked takes the terms that hold in a room now.
func (c *Client) termsLocked(r *wire.TermsAre) error {
	room := c.rooms.byNumber[r.Room]
	if room == nil {
		return fmt.Errorf("the terms of room number %d, which is not open", r.Room)
	}
	room.terms = termsOf(&r.Terms)
	c.feed.put(Standing{Room: room.name, Terms: room.terms})
	return nil
}

// answerLocked takes a send that is answered out of the outbox.
func (n *conn) answerLocked(o *wire.Outcome, retry time.Duration) error {
	c := n.c
	e, err := c.outbox.answer(o.CSeq)
	if e == nil {
		return err
	}
	n.nacks = 0
	c.asker.fill(false)
	c.answeredLocked(e, o, retry)
	return nil
}

// doneLocked takes a join, part or nick that is answered out of the outbox, and reports whether there was one.
func (c *Client) doneLocked(op op, matches func(arg string) bool) bool {
	c.spaceLocked()
	return c.outbox.done(op, matches)
}

// spaceLocked lets whoever waits for the outbox look again.
func (c *Client) spaceLocked() {
	close(c.space)
	c.space = make(chan struct{})
}

// answeredLocked tells what became of a send. A nil outcome is one that the node can't tell any more; so is a row without a number,
// except that a Skip leaves none, and that a send which has moved may have its row on another node. Neither is taken for kept.
func (c *Client) answeredLocked(e *entry, o *wire.Outcome, retry time.Duration) {
	c.spaceLocked()
	c.poke()
	done := settled{cseq: e.cseq}
	if c.cfg.State != nil {
		defer func() { c.unfiled = append(c.unfiled, done) }()
	}
	d := &e.draft
	switch {
	case o != nil && o.Code == chat.OK && o.Seq == 0 && e.refused != chat.OK:
		o = &wire.Outcome{Code: e.refused} // the client's own: the node has kept nothing
		if e.refused == chat.KeyChanged {
			if id, known := c.idLocked(sealedTo(d)); known {
				c.feed.put(c.contacts.changes(sealedTo(d), id)...)
			}
		}
	case o == nil || o.Code == chat.OK && o.Seq == 0 && d.Kind != chat.Skip && e.first.cseq == 0:
		o = &wire.Outcome{Code: chat.Internal}
	}
	if o.Code != chat.OK {
		c.feed.put(Refused{N: e.n, Ref: d.Ref, Code: o.Code, RetryAfter: retry, Room: d.Room, Text: d.Text, Kind: d.Kind})
		return
	}
	if r := c.rooms.find(d.Room); r != nil && e.first.cseq > 0 {
		done.copied = true
		r.trail.copied(e.first)
	}
	c.feed.put(Ack{
		N: e.n, Ref: d.Ref, Room: d.Room, Seq: o.Seq, ID: o.ID, Time: time.UnixMilli(o.Time), Kind: d.Kind, Text: d.Text, Name: c.name, Sealed: sealedTo(d) != "",
		Shown: c.hasShownLocked(d.Room, o.ID),
	})
}

// nackLocked goes back to what the node expects. A node that goes on like that without an answer in between is given more and more time.
func (n *conn) nackLocked(r *wire.Nack) error {
	if err := n.c.outbox.goBack(r.Expected); err != nil {
		return err
	}
	wait := millis(r.RetryAfterMS)
	if n.nacks > 0 {
		wait = max(wait, ceiling(n.nacks-1))
	}
	n.nacks++
	if r.Code == chat.NoSpace {
		n.c.asker.fill(true)
		n.c.spaceLocked()
	}
	if until := time.Now().Add(wait); until.After(n.hold) {
		n.hold = until
	}
	n.c.poke()
	return nil
}

// openLocked opens a room, or takes it up anew.
func (n *conn) openLocked(r *wire.Open) error {
	c := n.c
	n.watch = true
	c.poke()
	if r.Status == wire.StatusDenied {
		c.doneLocked(opJoin, func(arg string) bool { return arg == r.Name })
		if room := c.rooms.find(r.Name); room != nil {
			c.rooms.drop(room)
			n.movedLocked(room, true)
		}
		c.feed.put(Denied{Room: r.Name, Code: r.Code})
		n.wentOnLocked()
		return nil
	}
	if room := c.rooms.byNumber[r.Room]; room != nil && room.name == r.Name && room.goesOn(r, c.epoch) {
		return c.passLocked(room, r.Seen)
	}
	room, err := c.rooms.bind(r)
	if err != nil {
		return err
	}
	was := room.place.cursor.Seq
	c.doneLocked(opJoin, room.isCalled)
	if room.direct() {
		c.contacts.meet(room.peer.ID, room.peer.Name, r.Card)
		c.feed.put(c.contacts.changes(room.peer.Name, room.peer.ID)...)
	}
	v := room.place.open(r, c.epoch)
	opened, cursor := Opened{Room: room.name, Topic: r.Topic, Status: r.Status, From: r.From, Head: r.Head, Direct: room.direct(), Terms: room.terms}, room.place.cursor
	switch {
	case v.moved:
		room.trail.move(cursor.Seq, r.Seen)
		room.passed, room.read = nil, translate(room.read, was, cursor.Seq)
		opened.Status, opened.Cursor, opened.Seen = wire.StatusMoved, cursor, slices.Clone(r.Seen)
		c.feed.put(opened)
		if r.Status == wire.StatusGap { // of which nobody knows how much of it was shown
			c.feed.put(Gap{Room: room.name, To: max(r.Low, 1) - 1, Cursor: cursor})
		}
	case v.reset != "":
		room.read, room.heard, room.trail, room.passed = 0, nil, trail{}, nil
		c.feed.put(opened, Reset{Room: room.name, Why: v.reset, Cursor: cursor})
	case v.gapTo > 0:
		c.feed.put(opened, Gap{Room: room.name, From: v.gapFrom, To: v.gapTo, Cursor: cursor})
	default:
		opened.Cursor = cursor
		c.feed.put(opened)
	}
	n.movedLocked(room, v.reset != "")
	n.wentOnLocked()
	return nil
}

// closedLocked forgets a room.
func (n *conn) closedLocked(r *wire.Closed) error {
	c := n.c
	room := c.rooms.byNumber[r.Room]
	if r.Room == 0 {
		room = c.rooms.find(r.Name)
	}
	if room == nil && r.Room != 0 {
		return fmt.Errorf("the end of room number %d, which is not open", r.Room)
	}
	name, isCalled := r.Name, func(arg string) bool { return arg == r.Name }
	if room != nil {
		name, isCalled = room.name, room.isCalled
		c.rooms.drop(room)
		n.movedLocked(room, true)
	}
	n.watch = true
	c.poke()
	asked := r.Code == chat.OK || r.Code == chat.NotJoined // otherwise a part that is under way has an answer of its own
	parted := asked && c.doneLocked(opPart, isCalled)
	if parted || r.Code == chat.OK {
		c.feed.put(Left{Room: name, Code: r.Code})
	} else {
		c.feed.put(ClosedRoom{Room: name, Code: r.Code})
	}
	n.wentOnLocked()
	return nil
}

// namedLocked takes the name that holds.
func (c *Client) namedLocked(r *wire.Named) {
	c.doneLocked(opNick, func(string) bool { return true })
	c.name = r.Name
	if r.Code == chat.OK {
		c.wanted = chat.BaseName(r.Name)
	}
	c.feed.put(Named{Name: r.Name, Code: r.Code, Suggest: r.Suggest, RetryAfter: millis(r.RetryAfterMS)})
}
