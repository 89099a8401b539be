package hub

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/oracle"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// client plays a session's reader and writer, and the client behind them: it decodes what it takes, and fails the test when a row is not the
// next one or the rolling hash does not go on.
type client struct {
	w       *world
	t       testing.TB
	key     identity.ID
	secret  *identity.Key // of key, for acts; nil: it is nobody's
	origin  store.OriginToken
	asked   string // the name in its hello
	token   []byte
	admin   bool
	plain   bool // its link is not encrypted
	address netip.Addr
	session *Session
	welcome *Attached
	told    *oracle.Client
	stuck   bool // takes nothing by itself
	soft    int
	hard    int
	forget  bool // keeps no records, only counts
	cseq    uint64
	ended   chan struct{}
	woken   chan struct{}
	pump    *sync.WaitGroup

	views    map[string]*view  // by title
	open     map[uint64]*view  // by number
	next     map[uint64]uint64 // by number: the row after the last that was shown, whatever the room was called
	answers  []wire.Record     // Ack, Refused, Nack
	replies  []wire.Record     // Named; Open and Closed that open and close nothing
	control  []wire.Record
	order    []wire.Record // everything from the chat stream
	buf      []byte
	takeErrs error
	waits    int // times that its writer said that it waits
}

// view is what a client knows of a room.
type view struct {
	title  string
	told   string // what the history calls it
	room   uint64
	next   uint64
	hash   chat.Hash
	rows   []*wire.Event
	count  int
	opens  []*wire.Open
	closed int
	why    chat.Code // it was closed
	terms  wire.Terms
	marks  []*wire.Mark
}

func keyOf(name string) identity.ID { return sha256.Sum256([]byte(name)) }

// newClient returns a client with a key and an origin that follow from its label, which is not attached yet.
func (w *world) newClient(label string) *client {
	sum := sha256.Sum256([]byte("origin of " + label))
	c := &client{
		w: w, t: w.t, key: keyOf(label), asked: label, origin: store.OriginToken(sum[:16]), told: w.history.Client(label),
		soft: 64 << 10, hard: 128 << 10, views: map[string]*view{}, open: map[uint64]*view{}, next: map[uint64]uint64{},
		ended: make(chan struct{}), woken: make(chan struct{}, 1),
	}
	w.clients = append(w.clients, c)
	return c
}

// join returns an attached client of that name that has joined rooms.
func (w *world) attach(name string, rooms ...string) *client {
	w.t.Helper()
	c := w.newClient(name)
	c.attach()
	for _, room := range rooms {
		c.submit(&wire.Join{Room: room})
	}
	w.settle()
	return c
}

// another returns an attached client of the same key.
func (c *client) another(label string) *client {
	c.t.Helper()
	other := c.w.newClient(label)
	other.key, other.asked = c.key, c.asked
	other.attach()
	return other
}

func (c *client) guest() Guest {
	woken := c.woken
	return Guest{Key: c.key, Origin: c.origin, Name: c.asked, Token: c.token, Admin: c.admin, Secure: !c.plain, Address: c.address, Wait: func() { c.waits++ }, Wake: func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	}}
}

// attach connects the client, again if it has been before: what it knew of open rooms is over then.
func (c *client) attach() {
	c.t.Helper()
	if err := c.tryAttach(c.guest()); err != nil {
		c.t.Fatalf("attach %s: %v", c.asked, err)
	}
}

func (c *client) tryAttach(g Guest) error {
	s, welcome, err := c.w.hub.Attach(g)
	if err != nil {
		return err
	}
	c.session, c.welcome = s, welcome
	c.ended = make(chan struct{})
	clear(c.open)
	for _, o := range welcome.Outcomes {
		c.tellOutcome(o)
	}
	return nil
}

func (c *client) tellOutcome(o wire.Outcome) {
	switch {
	case o.Code != chat.OK:
		c.told.Refused(o.CSeq, o.Code)
	case o.Seq > 0:
		c.told.Acked(o.CSeq, o.Seq, o.ID)
	}
}

// leave ends the client's session, politely or not.
func (c *client) leave(goodbye bool) {
	c.t.Helper()
	c.stopPump()
	if err := c.session.Detach(goodbye); err != nil {
		c.t.Fatal(err)
	}
	c.session = nil
}

// start lets the client read by itself, in a goroutine that ends with its session.
func (c *client) start() {
	c.pump = new(sync.WaitGroup)
	ended := c.ended
	c.pump.Go(func() {
		for {
			c.drain()
			select {
			case <-c.woken:
			case <-ended:
				return
			}
		}
	})
}

func (c *client) stopPump() {
	select {
	case <-c.ended:
	default:
		close(c.ended)
	}
	if c.pump != nil {
		c.pump.Wait()
		c.pump = nil
	}
}

func (c *client) submit(records ...wire.Record) {
	c.t.Helper()
	if err := c.session.Submit(c.ended, records...); err != nil {
		c.t.Fatalf("%s submits: %v", c.asked, err)
	}
}

// pub returns the client's next publish.
func (c *client) pub(room, text string) *wire.Pub {
	c.cseq++
	p := &wire.Pub{CSeq: c.cseq, Room: room, Kind: chat.Text, Body: []byte(text)}
	c.told.Invoke(p.CSeq, c.historyRoom(room), text)
	return p
}

// say publishes a text and waits until everyone has seen it.
func (c *client) say(room, text string) {
	c.t.Helper()
	c.submit(c.pub(room, text))
	c.w.settle()
}

// do submits records and waits until everyone has taken what came of them.
func (c *client) do(records ...wire.Record) {
	c.t.Helper()
	c.submit(records...)
	c.w.settle()
}

// take takes chat records once and reports whether there were any.
func (c *client) take(soft, hard int) bool {
	c.t.Helper()
	records, need, err := c.session.TakeChat(c.buf[:0], soft, hard)
	switch {
	case err != nil:
		c.takeErrs = errors.Join(c.takeErrs, err)
		c.t.Errorf("%s takes: %v", c.asked, err)
		return false
	case len(records) > hard:
		c.t.Errorf("%s got %d bytes, and asked for %d at most", c.asked, len(records), hard)
	case need > 0 && len(records) > 0:
		c.t.Errorf("%s got %d bytes and a need of %d", c.asked, len(records), need)
	case need > 0 && need <= hard:
		c.t.Errorf("%s was told that it needs room for %d bytes, and had %d", c.asked, need, hard)
	case need > 0:
		return c.take(soft, need)
	}
	c.chat(records)
	return len(records) > 0
}

// drain takes all that there is, and reports whether there was anything.
func (c *client) drain() (any bool) {
	c.t.Helper()
	for c.take(c.soft, c.hard) {
		any = true
	}
	for {
		records := c.session.TakeControl(c.hard)
		c.control = append(c.control, decode(c.t, records)...)
		if len(records) == 0 {
			return any
		}
		any = true
	}
}

// chat goes through records of the chat stream.
func (c *client) chat(records []byte) {
	c.t.Helper()
	for len(records) > 0 {
		n := wire.HeaderLen + int(binary.BigEndian.Uint32(records))
		r, err := wire.Decode(records[wire.HeaderLen:n])
		if err != nil {
			c.t.Fatal(err)
		}
		records = records[n:]
		c.record(r)
	}
}

func (c *client) record(r wire.Record) {
	c.t.Helper()
	if !c.forget {
		c.order = append(c.order, r)
	} else if _, answer := r.(*wire.Ack); answer {
		return
	}
	switch r := r.(type) {
	case *wire.Event:
		c.event(r)
	case *wire.Open:
		c.opened(r)
	case *wire.Closed:
		v := c.open[r.Room]
		if r.Room == 0 || v == nil {
			c.replies = append(c.replies, r)
			return
		}
		delete(c.open, r.Room)
		v.closed++
		v.why = r.Code
	case *wire.TermsAre:
		v, open := c.open[r.Room]
		if !open {
			c.t.Fatalf("%s got the terms of room %d, which is not open", c.asked, r.Room)
		}
		v.terms = r.Terms
	case *wire.Mark:
		c.marked(r)
	case *wire.Named:
		c.replies = append(c.replies, r)
	case *wire.Ack:
		c.answers = append(c.answers, r)
		c.tellOutcome(wire.Outcome{CSeq: r.CSeq, Seq: r.Seq, ID: r.ID})
	case *wire.Refused:
		c.answers = append(c.answers, r)
		c.tellOutcome(wire.Outcome{CSeq: r.CSeq, Code: r.Code})
	case *wire.Nack:
		c.answers = append(c.answers, r)
	default:
		c.t.Fatalf("%s got a %T on the chat stream", c.asked, r)
	}
}

// marked takes a mark, which is never of a row that was not shown yet.
func (c *client) marked(r *wire.Mark) {
	c.t.Helper()
	v, open := c.open[r.Room]
	switch {
	case !open:
		c.t.Fatalf("%s got a mark of room %d, which is not open", c.asked, r.Room)
	case r.Seq >= v.next:
		c.t.Fatalf("%s got a mark of row %d of %s before row %d", c.asked, r.Seq, v.title, v.next)
	}
	v.marks = append(v.marks, r)
}

func (c *client) opened(r *wire.Open) {
	if r.Status == wire.StatusDenied {
		c.replies = append(c.replies, r)
		return
	}
	v := c.views[r.Name]
	if v == nil || v.room != r.Room {
		v = &view{title: r.Name, told: r.Name}
		if len(r.Peer) > 0 {
			v.told = directName(c.key, identity.ID(r.Peer))
		}
		c.views[r.Name] = v
	}
	c.open[r.Room] = v
	switch next := c.next[r.Room]; {
	case r.Status == wire.StatusOK && r.From != next, r.From < next:
		c.told.Joined(v.told) // it asked for a tail, or said an old cursor
	case r.Status == wire.StatusGap:
		c.told.Gap(v.told)
	case r.Status == wire.StatusReset:
		c.told.Reset(v.told)
	}
	v.room, v.next, v.hash = r.Room, r.From, r.Hash
	v.opens = append(v.opens, r)
	v.terms = r.Terms
}

func (c *client) event(r *wire.Event) {
	c.t.Helper()
	v, open := c.open[r.Room]
	if !open {
		c.t.Fatalf("%s got row %d of room %d, which is not open", c.asked, r.Seq, r.Room)
	}
	if r.Seq != v.next {
		c.t.Fatalf("%s got row %d of %s, want %d", c.asked, r.Seq, v.title, v.next)
	}
	v.next++
	c.next[r.Room] = v.next
	v.hash = v.hash.Next(r.ID)
	v.count++
	if c.forget {
		return
	}
	v.rows = append(v.rows, r)
	c.told.Shown(v.told, oracleRow(r))
}

// view returns what the client knows of a room.
func (c *client) view(title string) *view {
	c.t.Helper()
	v := c.views[title]
	if v == nil {
		c.t.Fatalf("%s has never had %q open", c.asked, title)
	}
	return v
}

// texts returns what the client was shown of a room.
func (c *client) texts(title string) (texts []string) {
	if v := c.views[title]; v != nil {
		for _, r := range v.rows {
			texts = append(texts, string(r.Body))
		}
	}
	return texts
}

// cursor returns where the client is in a room.
func (c *client) cursor(title string) *wire.Cursor {
	v := c.view(title)
	return &wire.Cursor{Epoch: c.w.hub.Epoch(), Seq: v.next - 1, Hash: v.hash}
}

// historyRoom returns what a room that the client calls title is called in the history. Conversations are told apart by labels there.
func (c *client) historyRoom(title string) string {
	if len(title) > 1 && title[:1] == chat.DirectMark {
		if id, err := identity.ParseID(title[1:]); err == nil {
			return directName(c.key, id)
		}
		return directName(c.key, keyOf(chat.Fold(chat.BaseName(title[1:]))))
	}
	return title
}

// directName returns what the conversation of two keys is called in the history.
func directName(a, b identity.ID) string {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	return fmt.Sprintf("@%x+%x", a[:4], b[:4])
}

func oracleRow(e *wire.Event) oracle.Row {
	return oracle.Row{Seq: e.Seq, Text: string(e.Body), ID: e.ID, Author: fmt.Sprint(e.From), CSeq: e.CSeq}
}

// decode takes records apart.
func decode(t testing.TB, records []byte) (all []wire.Record) {
	t.Helper()
	r := wire.NewReader(bytes.NewReader(records))
	for {
		item, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		record, err := wire.Decode(item)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, record)
	}
}
