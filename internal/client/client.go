package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"unicode/utf8"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/seal"
)

const (
	defaultPending      = 10_000
	defaultPendingBytes = 16 << 20
	// maxWho bounds, in bytes, what is taken for a person's name or key id.
	maxWho = 255
)

// Client is one user's side of one node. Its methods may be called from any goroutine, before Run as well: what is sent then waits.
type Client struct {
	// Static after construction.
	cfg   Config
	log   *slog.Logger
	feed  *feed
	asker *asker
	self  *seal.Self
	over  chan struct{} // closed when no further link will be made
	wake  chan struct{} // capacity 1: the link's writer may have something to do

	// Holding filing promises that cfg.State and outbox have the same origin and the same sends, but for one that is being filed. It is taken
	// before mu, and held while a file is written.
	filing sync.Mutex

	mu       sync.Mutex // guards what follows; never held while anything waits
	outbox   *outbox
	unfiled  []settled // what was answered and is not noted in cfg.State: at most maxUnfiled, or those of one welcome
	rooms    *rooms
	contacts contacts
	space    chan struct{} // closed and made anew whenever an answer may have made room in the outbox
	n        uint64        // sends so far
	wanted   string        // the name to ask a node for that does not know this client
	name     string        // the name granted
	own      []uint64      // this client's numbers as an author, the last few
	from     uint64        // the one of the last welcome
	met      bool          // there was a welcome
	epoch    uint64        // of the last welcome
	home     home          // who that was from
	behind   string        // the title of the node that was left for that one; "": none was, or it has been told
	nodes    []Node        // where else the rooms are; never changed, but replaced
	renewed  bool          // the origin is new since the last link
	direct   bool          // all direct conversations were asked for
	ready    bool          // there is a link, and what it said at the start is settled
	linked   *conn         // that link, or nil
	looks    bool          // Look was called
	look     []string      // what it was called with
	quitting bool
	stopped  bool
	stop     context.CancelFunc // ends Run at once; nil before it
	finish   context.CancelFunc // ends Run when the events that are left are taken
	stats    Stats
	ended    error // what Run returns
	forgets  bool  // cfg.State could not be written, and that was logged
	redacted redactions
	ignored  map[identity.ID]string // by key, names as they were then; never changed, but replaced with filing held
}

// New returns a client that does nothing until Run is called. It panics without a key or a dial function.
func New(cfg Config) *Client {
	if cfg.Key == nil || cfg.Dial == nil {
		panic("client: a Config needs a Key and a Dial")
	}
	if cfg.Backoff == nil {
		cfg.Backoff = fullJitter
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxPending <= 0 {
		cfg.MaxPending = defaultPending
	}
	if cfg.MaxPendingBytes <= 0 {
		cfg.MaxPendingBytes = defaultPendingBytes
	}
	cfg.Tail = min(max(cfg.Tail, 0), chat.MaxTail)
	c := &Client{
		cfg: cfg, log: cfg.Log, feed: newFeed(), asker: newAsker(), self: seal.NewSelf(cfg.Key), contacts: newContacts(), over: make(chan struct{}), wake: make(chan struct{}, 1),
		outbox: newOutbox(cfg.MaxPending, cfg.MaxPendingBytes), rooms: newRooms(), space: make(chan struct{}), wanted: cfg.Name, name: cfg.Name,
	}
	c.restore()
	for i, name := range cfg.Rooms {
		if i == 0 && cfg.Since != nil {
			c.rooms.since(name, *cfg.Since)
		}
		c.outbox.entries = append(c.outbox.entries, &entry{op: opJoin, arg: name})
		c.outbox.ops++
	}
	if cfg.Direct && !c.direct {
		c.outbox.entries = append(c.outbox.entries, &entry{op: opJoin, arg: chat.DirectMark})
		c.outbox.ops++
	}
	c.restoreSends()
	return c
}

// poke has the link's writer look again.
func (c *Client) poke() { poke(c.wake) }

// Events returns the channel on which everything that happens is told. Its consumer must go on reading while Send or Quit waits. A slow
// one holds back the node's chat stream and nothing else. The channel is closed when Run returns.
func (c *Client) Events() <-chan Event { return c.feed.out }

// Send queues a draft and returns its number, counted from 1; those that a State had come first. With a State the draft outlives the
// process once Send has returned. It waits while the outbox is full. It returns a *RefusedError for a draft that no node would take, ErrClosed
// when the client has ended or is ending, ctx's error when that ends first, and another when the State can't be written: the draft is not
// sent then.
func (c *Client) Send(ctx context.Context, d Draft) (n uint64, err error) {
	if code := check(&d); code != chat.OK {
		return 0, &RefusedError{Code: code}
	}
	for {
		n, space, err := c.trySend(d)
		if space == nil {
			return n, err
		}
		select {
		case <-space:
		case <-c.over:
			return 0, ErrClosed
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// trySend queues a draft, or returns a channel that is closed when it may fit. Between its taking a place in the outbox and being filed it
// counts as not answered, and is not written.
func (c *Client) trySend(d Draft) (n uint64, space <-chan struct{}, err error) {
	c.filing.Lock()
	defer c.filing.Unlock()
	e, space, err := c.reserve(d)
	if e == nil {
		return 0, space, err
	}
	err = c.cfg.State.send(e.cseq, &d)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.n--
		c.outbox.takeBack(e)
		c.spaceLocked()
		c.quitLocked()
		return 0, nil, fmt.Errorf("keep the message until it is sent: %w", err)
	}
	e.filed = true
	c.poke()
	return e.n, nil, nil
}

func (c *Client) reserve(d Draft) (e *entry, space <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.quitting || c.stopped {
		return nil, nil, ErrClosed
	}
	if c.outbox.full(&d) {
		return nil, c.space, nil
	}
	c.n++
	return c.outbox.send(c.n, d), nil, nil
}

// check returns the code with which every node would refuse a draft, or OK.
func check(d *Draft) chat.Code {
	switch d.Kind {
	case chat.Text, chat.Action, chat.Topic, chat.Skip:
	case chat.Act:
		if _, err := chat.ParseAct(d.Text); err != nil || !d.Re.IsZero() {
			return chat.BadAct
		}
	default:
		return chat.BadKind
	}
	if code := checkRoom(d.Room); code != chat.OK {
		return code
	}
	if d.Kind == chat.Topic && strings.HasPrefix(d.Room, chat.DirectMark) {
		return chat.BadKind // a topic can't be sealed, and would be the one thing in a conversation that others read
	}
	return chat.CheckText(d.Kind, d.Text)
}

// checkRoom returns the code with which every node would refuse a room's name, or OK. Whether there is such a person is the node's to say.
func checkRoom(name string) chat.Code {
	who, direct := strings.CutPrefix(name, chat.DirectMark)
	switch {
	case direct && who == "":
		return chat.BadRoom
	case direct && (len(who) > maxWho || !utf8.ValidString(who)):
		return chat.NoSuchUser
	case !direct && !chat.MayBeRoom(name):
		return chat.BadRoom
	}
	return chat.OK
}

// Join asks for a room, or with "@" for all direct conversations. Opened or Denied tells the answer. Like Part and Nick it takes effect
// behind what was sent before it and ahead of what is sent later. It returns a *RefusedError for a name that no room can have, ErrFull
// when too many commands wait, ErrClosed at the end.
func (c *Client) Join(room string) error {
	if code := checkRoom(room); code != chat.OK && room != chat.DirectMark {
		return &RefusedError{Code: code}
	}
	return c.do(opJoin, room)
}

// Part leaves a room; Left tells when that is done.
func (c *Client) Part(room string) error {
	if code := checkRoom(room); code != chat.OK {
		return &RefusedError{Code: code}
	}
	return c.do(opPart, room)
}

// Nick asks for another name; Named tells the answer.
func (c *Client) Nick(name string) error {
	if !chat.ValidName(chat.BaseName(name)) {
		return &RefusedError{Code: chat.BadName}
	}
	return c.do(opNick, name)
}

func (c *Client) do(op op, arg string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.quitting || c.stopped {
		return ErrClosed
	}
	defer c.poke()
	return c.outbox.do(op, arg)
}

// Pending returns how many sends are not answered yet.
func (c *Client) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outbox.sends
}

// Name returns the name that the node has granted; before the first welcome the one that will be asked for.
func (c *Client) Name() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.name
}

// Rooms returns the names of the rooms that are open, in the order in which they were opened.
func (c *Client) Rooms() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rooms.names(maxOpen, true)
}

// Room returns what is known of an open room.
func (c *Client) Room(name string) (RoomState, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rooms.find(name)
	if r == nil || !r.open {
		return RoomState{}, false
	}
	return RoomState{Name: r.name, Topic: r.topic, Cursor: r.place.cursor, Read: r.read, Direct: r.direct(), Peer: r.peer, Note: r.note, Terms: r.terms}, true
}

// Stats returns what was counted so far.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Notices = c.feed.lost()
	return s
}

// Quit takes nothing more, waits until all sends are answered, says goodbye and ends Run; without a link and with nothing to wait for it
// ends Run at once. When ctx ends first, or Run ends otherwise, it returns a *PendingError if sends are left.
func (c *Client) Quit(ctx context.Context) error {
	c.mu.Lock()
	c.quitting = true
	c.quitLocked()
	c.mu.Unlock()
	var cause error
	select {
	case <-c.over:
	case <-ctx.Done():
		cause = ctx.Err()
		c.Close()
		<-c.over
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outbox.sends == 0 {
		return nil
	}
	if cause = errors.Join(cause, c.ended); cause == nil {
		cause = ErrClosed
	}
	return &PendingError{Count: c.outbox.sends, Err: cause}
}

// quitLocked sees to it that a client which is quitting ends: by a goodbye when there is a link, else when nothing is left to be answered.
func (c *Client) quitLocked() {
	switch {
	case !c.quitting:
	case c.ready:
		c.poke()
	case c.outbox.sends > 0:
	case c.finish != nil:
		c.finish()
	default:
		c.stopLocked()
	}
}

// Close ends Run at once, without a goodbye. What was sent and not answered is not known to be kept. It does not wait for Run.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopLocked()
}

func (c *Client) stopLocked() {
	switch {
	case c.stop != nil:
		c.stop()
	case !c.stopped: // Run will find nothing to do
		c.asker.close()
		close(c.over)
	}
	c.stopped = true
}
