// Package session is the node's side of one connection: the handshake, the questions on the control stream, and the two ends of a
// hub.Session, a reader that submits what the client sends and a writer that follows its cursors. It is given its streams, and opens
// nothing. A client that is quiet costs it no goroutine.
package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"chatnode/internal/chat"
	"chatnode/internal/errand"
	"chatnode/internal/frame"
	"chatnode/internal/hub"
	"chatnode/internal/identity"
	"chatnode/internal/seal"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

const (
	nonceLen  = 32
	originLen = len(store.OriginToken{})
	// lingerFor is how long a client that was told goodbye has to close the connection, so that the goodbye reaches it.
	lingerFor = 2 * time.Second
	// questionsEach is how often one client may ask, questionsBurst how many times at once; beyond that it is not read for a while. A
	// question that is answered from the disk counts as diskQuestion of them.
	questionsEach  = 50 * time.Millisecond
	questionsBurst = 200
	diskQuestion   = 4
	// movesEach is how often a client may come to a room from another node, movesBurst to how many at once: what it has missed is looked for on the disk.
	movesEach  = 200 * time.Millisecond
	movesBurst = chat.MaxRooms + chat.MaxDirect
	// maxSubmit is how many records are handed to the hub at a time.
	maxSubmit = 64
	// maxRequest bounds a join, a part or a nick, in bytes: what is in one comes back in its answer. maxMoved bounds a join that says what was seen on another
	// node, which does not.
	maxRequest = 1 << 10
	maxMoved   = maxRequest + wire.MaxMarkHeads*(1+17+9) + wire.MaxMovedIDs*9 + wire.MaxMovedPairs*(1+17+9)
)

// Link is the connection that a session lives on: mux.go's Link outside tests.
type Link interface {
	Control() frame.Stream
	Chat() frame.Stream
	// Notify has grown called, from any goroutine, whenever the send window of a stream has grown.
	Notify(grown func())
	// Hear has ready called, from any goroutine, whenever a stream has become Ready.
	Hear(ready func())
	// Wait has f called by whoever writes a stream, before that write waits for the client, or may have to.
	Wait(f func())
	// Done is closed when the connection has ended.
	Done() <-chan struct{}
	// Close ends the connection at once; reads and writes that wait return an error.
	Close() error
}

// Host is what all sessions of a node share.
type Host struct {
	Hub   *hub.Hub
	Node  identity.ID
	Title string
	Rate  float64 // told to clients: messages a second, 0 for no limit
	Rand  io.Reader
	Log   *slog.Logger
	// Admin reports whether a key may do everything here. It is asked in each handshake, by many goroutines. Nil: nobody may.
	Admin func(identity.ID) bool
	// Crew writes to all clients. Nil: each is written to by a goroutine of its own.
	Crew *errand.Crew
	// Mesh has the node's links to others. Nil: there are none.
	Mesh Mesh
	// Stats returns the node's numbers, Work included; it is called by many goroutines. Nil: nobody counts.
	Stats func() *wire.StatsAre
}

// Caller is what is known of who is at the other end of a link before it has said a word.
type Caller struct {
	Key     identity.ID // that the link's encryption has proved; zero: the link is not encrypted
	Address netip.Addr  // zero: not known
	Came    time.Time   // when the connection was accepted
}

// Session is one client's connection after its handshake.
type Session struct {
	// Static after construction.
	hub     *hub.Session
	host    *Host
	link    Link
	control *wire.Reader
	key     identity.ID
	from    uint64

	// Set by Begin. Each errand has a goroutine while it has something to do, and owns what it works with.
	writing            errand.Errand
	out                writer
	hearing, answering errand.Errand
	said               chatReader
	asked              controlReader

	// Atomic.
	goodbye atomic.Bool            // the client has said goodbye, and has had all answers
	answer  atomic.Pointer[[]byte] // to the one question that the client may have open; nil: to none

	// answered has capacity 1, is never closed, and says that the answer was written.
	answered chan struct{}
}

// Handshake lets the client at the other end of link in, or tells it why not, gives it a moment to read that, and returns a *hub.Refusal. A client
// that says a key which is not the caller's is a stranger between the two, and gets nowhere. The end of ctx ends the handshake; link is then of no
// more use. On any error link has been closed.
func (h *Host) Handshake(ctx context.Context, link Link, caller Caller) (*Session, error) {
	stop := context.AfterFunc(ctx, func() { link.Close() })
	s, err := h.handshake(ctx, link, caller)
	if !stop() && err == nil {
		s.leave()
		err = ctx.Err()
	}
	if err != nil {
		link.Close()
		return nil, err
	}
	return s, nil
}

func (h *Host) handshake(ctx context.Context, link Link, caller Caller) (*Session, error) {
	nonce := make([]byte, nonceLen)
	if _, err := io.ReadFull(h.Rand, nonce); err != nil {
		return nil, fmt.Errorf("make a nonce: %w", err)
	}
	if err := write(link.Control(), &wire.Challenge{Version: wire.Version, Nonce: nonce}); err != nil {
		return nil, err
	}
	control := wire.NewReader(link.Control())
	hello, err := readHello(control)
	if err != nil {
		return nil, fmt.Errorf("hello: %w", errors.Join(err, refuse(ctx, link, chat.Malformed, 0)))
	}
	code := checkHello(hello, nonce, caller)
	if code != chat.OK {
		return nil, errors.Join(&hub.Refusal{Code: code}, refuse(ctx, link, code, 0))
	}
	s := &Session{
		host: h, link: link, control: control, answered: make(chan struct{}, 1),
	}
	guest := hub.Guest{
		Key: identity.IDOf(hello.Key), Origin: store.OriginToken(hello.Origin), Name: hello.Name, FirstUnacked: hello.FirstUnacked, Wake: s.poke, Wait: s.writing.Leave,
		Token: hello.Token, Card: hello.Card, Secure: !caller.Key.IsZero(), Address: caller.Address, Came: caller.Came,
	}
	guest.Admin = h.Admin != nil && h.Admin(guest.Key)
	attached, welcome, err := h.Hub.Attach(guest)
	if refusal := (*hub.Refusal)(nil); errors.As(err, &refusal) {
		return nil, errors.Join(err, refuse(ctx, link, refusal.Code, refusal.Retry))
	} else if err != nil {
		return nil, err
	}
	s.hub, s.key, s.from = attached, guest.Key, welcome.From
	if err := write(link.Control(), h.welcome(welcome)); err != nil {
		s.leave()
		return nil, err
	}
	return s, nil
}

func readHello(control *wire.Reader) (*wire.Hello, error) {
	item, err := control.Next()
	if err != nil {
		return nil, err
	}
	record, err := wire.Decode(item)
	if err != nil {
		return nil, err
	}
	hello, ok := record.(*wire.Hello)
	if !ok {
		return nil, fmt.Errorf("%w: the first record is no hello", wire.ErrMalformed)
	}
	return hello, nil
}

func checkHello(hello *wire.Hello, nonce []byte, caller Caller) chat.Code {
	switch {
	case hello.Version != wire.Version:
		return chat.BadVersion
	case len(hello.Origin) != originLen:
		return chat.BadOrigin
	case !identity.CheckProof(hello.Key, hello.Proof, nonce, hello.Origin):
		return chat.BadProof
	case !caller.Key.IsZero() && caller.Key != identity.IDOf(hello.Key):
		return chat.BadProof
	case len(hello.Card) > 0 && !isCardOf(hello.Card, identity.IDOf(hello.Key)):
		return chat.BadProof
	}
	return chat.OK
}

// isCardOf reports whether a card is one of that key: nobody else's is passed on in its name.
func isCardOf(card []byte, key identity.ID) bool {
	peer, err := seal.ReadCard(card)
	return err == nil && peer.ID == key
}

func (h *Host) welcome(a *hub.Attached) *wire.Welcome {
	space := h.Hub.Sharing().Space
	return &wire.Welcome{
		Version: wire.Version, Node: h.Node[:], Title: h.Title, Name: a.Name, From: a.From, Epoch: h.Hub.Epoch(),
		LastCSeq: a.LastCSeq, Outcomes: a.Outcomes, Time: chat.Millis(a.Time), Space: space[:],
		Limits: wire.Limits{
			Text: chat.MaxText, Lines: chat.MaxLines, InFlight: chat.MaxInFlight, InFlightBytes: chat.MaxInFlightB,
			Rooms: chat.MaxRooms, Watched: chat.MaxWatched, Rate: h.Rate,
		},
	}
}

// write writes one record of the handshake, which fits into the window that a stream begins with.
func write(stream frame.Stream, r wire.Record) error {
	_, err := stream.Write(wire.Must(nil, r))
	return err
}

// refuse tells a client why it is not let in, and waits until it has closed the connection, for lingerFor at most.
func refuse(ctx context.Context, link Link, code chat.Code, retry time.Duration) error {
	err := write(link.Control(), &wire.Bye{Code: code, RetryAfterMS: uint64(retry.Milliseconds())})
	if err == nil {
		linger(ctx, link)
	}
	return err
}

func linger(ctx context.Context, link Link) {
	timer := time.NewTimer(lingerFor)
	defer timer.Stop()
	select {
	case <-link.Done():
	case <-timer.C:
	case <-ctx.Done():
	}
}

// poke hints to the writer that there may be something to write.
func (s *Session) poke() { s.writing.Poke() }

// Begin has the session carried from now on, by goroutines that are there while there is something to do. When its connection has ended, the caller
// calls End.
func (s *Session) Begin() {
	s.out = writer{Session: s, control: s.link.Control(), chat: s.link.Chat(), size: maxWrite}
	s.said = chatReader{Session: s, stream: s.link.Chat(), reader: wire.NewReader(s.link.Chat())}
	s.asked = controlReader{Session: s, stream: s.link.Control(), reader: s.control}
	s.link.Notify(s.poke)
	s.link.Hear(s.hear)
	s.link.Wait(s.writing.Leave)
	s.writing.Start(s.host.Crew, s.out.run)
	s.hearing.Start(nil, s.said.run)
	s.answering.Start(nil, s.asked.run)
}

// hear has a stream read that has become ready.
func (s *Session) hear() {
	if s.said.stream.Ready() {
		s.hearing.Poke()
	}
	if s.asked.stream.Ready() {
		s.answering.Poke()
	}
}

// End ends the session of a connection that has ended, and returns when its goroutines have. It returns why that was; nil after a goodbye of either side.
func (s *Session) End() error {
	s.hearing.Poke() // what came before the end is read
	s.answering.Poke()
	s.hearing.Close()
	s.answering.Close()
	s.link.Close()
	s.writing.Close()
	s.leave()
	if s.goodbye.Load() {
		return nil
	}
	return errors.Join(s.asked.err, s.said.err, s.out.err)
}

// log is made when there is something to say, which is seldom.
func (s *Session) log() *slog.Logger { return s.host.Log.With("key", s.key.String(), "from", s.from) }

// leave takes the session out of the hub.
func (s *Session) leave() {
	if err := s.hub.Detach(s.goodbye.Load()); err != nil && !errors.Is(err, hub.ErrStopped) {
		s.log().Error("detach", "err", err)
	}
}

// chatReader submits what the client sends on the chat stream, in its order. Its fields are owned by the errand.
type chatReader struct {
	*Session
	stream frame.Stream
	reader *wire.Reader
	moves  *rate.Limiter // nil: the client has not come from another node yet
	*inbox               // nil while there is nothing to read
	ended  bool
	err    error // why; nil also for an ordinary end
}

// inbox is what a chatReader needs while it reads. Few of a thousand do at a time.
type inbox struct {
	slab    wire.Slab
	waiting []wire.Record // read, and handed over together with what has come along with it
}

var inboxes = sync.Pool{New: func() any { return &inbox{waiting: make([]wire.Record, 0, maxSubmit)} }}

// run reads until there is nothing more to read for now, or the stream ends or breaks the rules.
func (c *chatReader) run() (more bool) {
	c.inbox = inboxes.Get().(*inbox)
	defer func() {
		inboxes.Put(c.inbox)
		c.inbox = nil
	}()
	for !c.ended {
		buffered := c.reader.Buffered()
		if len(c.waiting) >= maxSubmit || !buffered {
			if c.submit(); c.ended {
				return false
			}
		}
		switch {
		case buffered:
			c.step()
		case c.stream.Ready():
			if err := c.reader.More(); err != nil {
				c.ended, c.err = true, c.broken("chat", err)
			}
		default:
			c.reader.Release()
			return false
		}
	}
	return false
}

// step reads a record, and keeps to the pace that its kind allows.
func (c *chatReader) step() {
	record, err := c.next()
	pace := time.Duration(0)
	switch r := record.(type) {
	case nil: // an error, or a type that this node does not know
	case *wire.Pub:
		pace = c.hub.Delay(r)
	case *wire.Join:
		if r.Moved != nil {
			pace = c.moved()
		}
	case *wire.Part, *wire.Nick:
	default:
		err = fmt.Errorf("%w: %T does not belong there", wire.ErrMalformed, r)
	}
	if err != nil || pace > 0 {
		if c.submit(); c.ended {
			return
		}
	}
	switch {
	case err != nil:
		c.ended, c.err = true, c.broken("chat", err)
	case pace > 0 && !c.sleep(pace):
		c.ended = true
	case record != nil:
		c.waiting = append(c.waiting, record)
	}
}

// moved returns how long a client that comes to a room from another node has to wait.
func (c *chatReader) moved() time.Duration {
	if c.moves == nil {
		c.moves = rate.NewLimiter(rate.Every(movesEach), movesBurst)
	}
	return c.moves.Reserve().Delay()
}

// submit hands over what was read.
func (c *chatReader) submit() {
	if err := c.hub.Submit(c.link.Done(), c.waiting...); err != nil {
		c.ended, c.err = true, err
	}
	clear(c.waiting)
	c.waiting = c.waiting[:0]
}

// next reads one record; a nil one is of a type that this node does not know.
func (c *chatReader) next() (wire.Record, error) {
	item, err := c.reader.Next()
	if err != nil {
		return nil, err
	}
	record, err := c.slab.Decode(item)
	if err == nil && len(item) > maxSize(record) {
		return nil, fmt.Errorf("%w: %T of %d bytes", wire.ErrMalformed, record, len(item))
	}
	return record, err
}

// maxSize returns how many bytes a record of the chat stream may have.
func maxSize(record wire.Record) int {
	switch r := record.(type) {
	case nil, *wire.Pub:
		return wire.MaxRecord
	case *wire.Join:
		if r.Moved != nil && len(r.Room) <= maxRequest/2 {
			return maxMoved
		}
	}
	return maxRequest
}

// broken ends reading: quietly when the connection has ended, with a goodbye when the client broke the rules.
func (s *Session) broken(stream string, err error) error {
	if errors.Is(err, wire.ErrMalformed) || errors.Is(err, wire.ErrTooLarge) {
		s.hub.Bye(chat.Malformed, "")
		return fmt.Errorf("%s: %w", stream, err)
	}
	s.link.Close()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return fmt.Errorf("%s: %w", stream, err)
}

// sleep waits, and reports false when the connection ends before.
func (s *Session) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.link.Done():
		return false
	}
}

// controlReader answers the client's questions, one at a time. Its fields are owned by the errand.
type controlReader struct {
	*Session
	stream frame.Stream
	reader *wire.Reader
	limit  *rate.Limiter // nil: nothing was asked yet
	ended  bool
	err    error // why; nil also for an ordinary end
}

// run answers until there is nothing more to answer for now, or the stream ends or breaks the rules.
func (q *controlReader) run() (more bool) {
	for !q.ended {
		switch {
		case q.reader.Buffered():
			q.ended, q.err = q.step()
		case q.stream.Ready():
			if err := q.reader.More(); err != nil {
				q.ended, q.err = true, q.broken("control", err)
			}
		default:
			q.reader.Release()
			return false
		}
	}
	return false
}

func (q *controlReader) step() (ended bool, err error) {
	record, err := nextControl(q.reader)
	if err != nil {
		return true, q.broken("control", err)
	}
	if record == nil {
		return false, nil
	}
	if q.limit == nil {
		q.limit = rate.NewLimiter(rate.Every(questionsEach), questionsBurst)
	}
	if wait := q.limit.ReserveN(time.Now(), cost(record)).Delay(); wait > 0 && !q.sleep(wait) {
		return true, nil
	}
	return q.control1(record)
}

// unknown stands for a question that this node does not know.
type unknown struct{ wire.Record }

// nextControl reads one record; a nil one is of a type that this node does not know and that asks for nothing.
func nextControl(r *wire.Reader) (wire.Record, error) {
	item, err := r.Next()
	if err != nil {
		return nil, err
	}
	record, err := wire.Decode(item)
	if record == nil && err == nil && wire.IsQuestion(item) {
		return unknown{}, nil
	}
	return record, err
}

// cost returns how many questions a record counts as.
func cost(record wire.Record) int {
	switch record.(type) {
	case *wire.History, *wire.Search, *wire.Causal:
		return diskQuestion
	}
	return 1
}

// control1 acts on one control record, and reports whether it was the last.
func (s *Session) control1(record wire.Record) (ended bool, err error) {
	switch r := record.(type) {
	case *wire.Bye:
		s.goodbye.Store(r.Code == chat.OK)
		s.link.Close()
		return true, nil
	case *wire.Watch:
		return false, s.hub.Watch(r.Rooms)
	case unknown:
		return s.reply(&wire.Failed{Code: chat.Unsupported})
	case *wire.Names, *wire.Whois, *wire.List, *wire.Authors, *wire.History, *wire.Search, *wire.Keep, *wire.Invite, *wire.Release, *wire.Away,
		*wire.Banned, *wire.Causal:
		answer, err := s.hub.Ask(r)
		if err != nil {
			return true, err
		}
		return s.reply(answer)
	case *wire.Peers, *wire.Admit:
		return s.reply(s.askMesh(r))
	case *wire.Stats:
		return s.reply(s.stats())
	}
	return true, s.broken("control", fmt.Errorf("%w: %T does not belong there", wire.ErrMalformed, record))
}

// stats answers how the node is doing. What it does for whom, and whom it sends away, only admins are told.
func (s *Session) stats() wire.Record {
	if s.host.Stats == nil {
		return &wire.Failed{Code: chat.Unsupported}
	}
	are := s.host.Stats()
	if !s.hub.IsAdmin() {
		are.Work = nil
	}
	return are
}

// reply hands an answer to the writer and waits until it has been written. It reports ended when the connection has: nobody takes answers to what
// has been read and not done then.
func (s *Session) reply(answer wire.Record) (ended bool, err error) {
	encoded, err := wire.Append(nil, answer)
	if err != nil {
		return true, err
	}
	s.answer.Store(&encoded) // the answer before it was taken
	s.poke()
	select {
	case <-s.answered:
		return false, nil
	case <-s.link.Done():
		return true, nil
	}
}
