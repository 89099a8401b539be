package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// publisher is a connection that sends messages. One goroutine uses it.
type publisher interface {
	// send sends n messages with a stamp, and waits while the server takes no more.
	send(n int, stamp uint64) error
	// settle waits until the server has taken all of them.
	settle() error
	close()
}

// pace is how an author goes about it.
type pace struct {
	inFlight int                                         // messages before they are acknowledged, at most chat.MaxInFlight
	acks     *ackClock                                   // nil: acknowledgements are not timed
	secure   bool                                        // under TLS
	rooms    []string                                    // where it speaks, with names of one length; nil: in the one
	pass     *pass                                       // nil: it is let in without
	dial     func(ctx context.Context) (net.Conn, error) // nil: what is usual
}

// ackClock counts the acknowledgements that authors receive, and times them from when each message was written.
type ackClock struct {
	count   atomic.Uint64
	latency atomic.Pointer[histogram] // nil while they are not to be timed
}

// author publishes to chatnode, no more messages before they are acknowledged than its pace says.
type author struct {
	// Static after its way in.
	pace
	ctx     context.Context
	conn    net.Conn
	guest   *guest
	texts   []*pubText // one for each room, all of one size; it takes them in turn
	fail    context.CancelCauseFunc
	stall   time.Duration // how long it waits for the node
	release func() bool
	reading sync.WaitGroup
	closing atomic.Bool
	moved   chan struct{} // capacity 1, never closed: acked or window has grown

	// Owned by send.
	sent  uint64
	frame []byte

	// Owned by read.
	now time.Time // of the last read, where acknowledgements are timed

	// mu promises that acked and window are those of the same moment, and sentAt that of all messages which are not acknowledged, by their
	// number modulo its length.
	mu     sync.Mutex
	acked  uint64
	window int
	sentAt [chat.MaxInFlight]time.Time
}

// authorBatch is how many messages an author waits to be able to send, so that it does not come near the number of frames
// that a node takes from one client in a second.
const authorBatch = chat.MaxInFlight / 2

func newAuthor(ctx context.Context, address string, number int, cfg *config, how pace, fail context.CancelCauseFunc) (*author, error) {
	g, err := newGuest(publisherName(number), rand.Reader)
	if err != nil {
		return nil, err
	}
	if how.pass != nil {
		g.name, g.key, g.token = how.pass.name, how.pass.key, how.pass.token
	}
	var conn net.Conn
	if how.dial != nil {
		conn, err = how.dial(ctx)
	} else {
		conn, err = dial(ctx, address)
	}
	if err != nil {
		return nil, err
	}
	a := &author{
		pace: how, ctx: ctx, conn: conn, guest: g, texts: textsFor(how.rooms, cfg.payload), fail: fail, stall: cfg.stall,
		moved: make(chan struct{}, 1), window: window, release: context.AfterFunc(ctx, func() { conn.Close() }),
	}
	g.write = func(b []byte) error { _, err := a.conn.Write(b); return err }
	g.acked, g.grown = a.onAck, a.onGrown
	err = conn.SetDeadline(time.Now().Add(joinLimit))
	if err == nil && how.secure {
		a.conn, err = secured(conn, identity.ClientTLS(g.key))
	}
	if err == nil {
		err = bringIn(g, a.conn, g.feed)
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		a.close()
		return nil, fmt.Errorf("join: %w", err)
	}
	a.reading.Go(a.read)
	return a, nil
}

// read takes what the node says until the connection ends.
func (a *author) read() {
	buf := make([]byte, 4<<10)
	for {
		n, err := a.conn.Read(buf)
		if a.acks != nil {
			a.now = time.Now()
		}
		if err == nil {
			err = a.guest.feed(buf[:n])
		}
		if err != nil {
			if !a.closing.Load() {
				a.fail(fmt.Errorf("%s: %w", a.guest.name, ended(err)))
			}
			return
		}
	}
}

func (a *author) onAck(cseq uint64) error {
	a.mu.Lock()
	last := a.acked
	a.acked = cseq
	sent := a.sentAt[cseq%chat.MaxInFlight]
	a.mu.Unlock()
	if cseq != last+1 {
		return &faultError{fmt.Sprintf("message %d was acknowledged after %d", cseq, last)}
	}
	if a.acks != nil {
		a.acks.count.Add(1)
		if latency := a.acks.latency.Load(); latency != nil {
			latency.add(a.now.Sub(sent))
		}
	}
	a.poke()
	return nil
}

func (a *author) onGrown(delta uint32) {
	a.mu.Lock()
	a.window += int(delta)
	a.mu.Unlock()
	a.poke()
}

func (a *author) poke() {
	select {
	case a.moved <- struct{}{}:
	default:
	}
}

func (a *author) send(n int, stamp uint64) error {
	perFrame := max(1, maxFrame/a.texts[0].size)
	for n > 0 {
		want := min(n, authorBatch, perFrame, a.inFlight)
		room, err := a.wait(func() int {
			flying := int(a.sent - a.acked)
			return min(a.inFlight-flying, chat.MaxInFlightB/a.texts[0].size-flying, a.window/a.texts[0].size)
		}, want)
		if err != nil {
			return err
		}
		if err := a.put(min(room, n, perFrame), stamp); err != nil {
			return err
		}
		n -= min(room, n, perFrame)
	}
	return nil
}

// put sends n messages in one frame.
func (a *author) put(n int, stamp uint64) error {
	a.frame = appendFrame(a.frame[:0], frameData, 0, chatID, 0)
	for range n {
		a.sent++
		a.frame = a.texts[a.sent%uint64(len(a.texts))].append(a.frame, a.sent, stamp)
	}
	size := len(a.frame) - frameHeader
	binary.BigEndian.PutUint32(a.frame[8:], uint32(size))
	var now time.Time
	if a.acks != nil {
		now = time.Now()
	}
	a.mu.Lock()
	a.window -= size
	for cseq := a.sent - uint64(n) + 1; cseq <= a.sent; cseq++ {
		a.sentAt[cseq%chat.MaxInFlight] = now
	}
	a.mu.Unlock()
	if _, err := a.conn.Write(a.frame); err != nil {
		return fmt.Errorf("%s: publish: %w", a.guest.name, err)
	}
	return nil
}

// wait waits until room is at least want and returns it. It calls room while nothing changes, and returns a *stallError when nothing does.
func (a *author) wait(room func() int, want int) (int, error) {
	for {
		a.mu.Lock()
		n := room()
		a.mu.Unlock()
		if n >= want {
			return n, nil
		}
		timer := time.NewTimer(a.stall)
		select {
		case <-a.moved:
			timer.Stop()
		case <-timer.C:
			return 0, &stallError{"the node to answer " + a.guest.name}
		case <-a.ctx.Done():
			timer.Stop()
			return 0, context.Cause(a.ctx)
		}
	}
}

func (a *author) settle() error {
	_, err := a.wait(func() int { return int(a.acked) }, int(a.sent))
	return err
}

func (a *author) close() {
	a.release()
	a.closing.Store(true)
	a.conn.Close()
	a.reading.Wait()
}

// leave says goodbye, so that the node need not remember what was acknowledged, and closes.
func (a *author) leave() {
	a.closing.Store(true)
	if a.conn.SetDeadline(time.Now().Add(byeLimit)) == nil && a.guest.say(controlID, &wire.Bye{}) == nil {
		a.reading.Wait()
	}
	a.close()
}

// pubText is a publish in its encoded form but for its number and its stamp.
type pubText struct {
	head, tail []byte // before and behind the number
	stampAt    int    // in tail
	size       int    // at most, its length included
}

func newPubText(room string, payload int) *pubText {
	text := payloadText(payload)
	record := wire.Must(nil, &wire.Pub{Room: room, Kind: chat.Text, Body: text})
	const number = lengthSize + 2 // behind the array's head and the type, each one byte
	p := &pubText{head: record[lengthSize:number], tail: record[number+1:]}
	p.stampAt = bytes.Index(p.tail, text)
	p.size = len(record) + 8
	return p
}

// textsFor returns one text for each room, or for the one that everything goes through.
func textsFor(rooms []string, payload int) []*pubText {
	if rooms == nil {
		rooms = []string{roomName}
	}
	texts := make([]*pubText, len(rooms))
	for i, room := range rooms {
		texts[i] = newPubText(room, payload)
	}
	return texts
}

// payloadText is a text of n bytes, at least stampSize, the first of which are for a stamp.
func payloadText(n int) []byte {
	const filler = "the quick brown fox jumps over the lazy dog; "
	return append(bytes.Repeat([]byte{'0'}, stampSize), strings.Repeat(filler, n/len(filler)+1)[:n-stampSize]...)
}

// append puts one publish behind dst.
func (p *pubText) append(dst []byte, cseq, stamp uint64) []byte {
	start := len(dst)
	dst = append(append(dst, 0, 0, 0, 0), p.head...)
	dst = appendUint(dst, cseq)
	at := len(dst) + p.stampAt
	dst = append(dst, p.tail...)
	putStamp(dst[at:], stamp)
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-lengthSize))
	return dst
}

// Where the parts of a record of the floor begin: its length, the number of its sender, its own number, the text, and zeros up to its size.
const (
	floorSenderAt = lengthSize
	floorNumberAt = floorSenderAt + 4
	floorTextAt   = floorNumberAt + 8
)

// feeder publishes to the floor, which takes everything and acknowledges nothing.
type feeder struct {
	conn    net.Conn
	release func() bool
	record  []byte
	sent    uint64
	buf     []byte
}

func newFeeder(ctx context.Context, address string, number, payload, size int) (publisher, error) {
	conn, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	f := &feeder{conn: conn, release: context.AfterFunc(ctx, func() { conn.Close() }), record: make([]byte, size)}
	binary.BigEndian.PutUint32(f.record, uint32(size-lengthSize))
	binary.BigEndian.PutUint32(f.record[floorSenderAt:], uint32(number))
	copy(f.record[floorTextAt:], payloadText(payload))
	if _, err := conn.Write([]byte{floorSender}); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *feeder) send(n int, stamp uint64) error {
	f.buf = f.buf[:0]
	putStamp(f.record[floorTextAt:], stamp)
	for range n {
		f.sent++
		binary.BigEndian.PutUint64(f.record[floorNumberAt:], f.sent)
		f.buf = append(f.buf, f.record...)
	}
	if _, err := f.conn.Write(f.buf); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

func (f *feeder) settle() error { return nil }

func (f *feeder) close() {
	f.release()
	f.conn.Close()
}

// joinFloor makes a reader one of the floor's.
func joinFloor(r *reader, senders int) error {
	r.order.last = make([]uint64, senders)
	var stream records
	r.feed = func(chunk []byte) error { return stream.feed(chunk, r.floorRecord) }
	kind := []byte{floorReader}
	if _, err := r.conn.Write(kind); err != nil {
		return err
	}
	_, err := io.ReadFull(r.conn, kind)
	return err
}

func (r *reader) floorRecord(record []byte) error {
	if len(record) < floorTextAt {
		return errRecordSize
	}
	if r.phase.latency != nil {
		r.time(record[floorTextAt:])
	}
	return r.saw(int(binary.BigEndian.Uint32(record[floorSenderAt:])), binary.BigEndian.Uint64(record[floorNumberAt:]))
}
