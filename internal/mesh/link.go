package mesh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/hub"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

const (
	// handshakeLimit is how long a link may take until both sides have agreed to it.
	handshakeLimit = 10 * time.Second
	// lingerFor is how long a node that was told goodbye has to close the link, so that the goodbye reaches it.
	lingerFor = 2 * time.Second
	// pingEvery is the time between two looks at how far away the other end is.
	pingEvery = 15 * time.Second
	// maxLinks bounds the links of a node, maxGuests those of them to nodes that are not admitted: anybody can be many.
	maxLinks  = 64
	maxGuests = 48
	// maxRead is how many records are read ahead of the one that is taken in.
	maxRead = 2
	// smallEach bounds the records without entries that one link may send in a second: beyond it, it is not read for a while.
	smallEach = 2000
)

// errLie is wrapped by the error of a link whose other end said what can't be true, or made no sense.
var errLie = errors.New("a lie")

// errParted ends a link that is not needed any more.
var errParted = errors.New("not needed any more")

// RefusedError says that the other node does not want the link.
type RefusedError struct {
	Code  chat.Code
	Retry time.Duration // 0: it did not say
}

func (e *RefusedError) Error() string {
	switch e.Code {
	case chat.Denied:
		return "refused: one of the two nodes has dropped the other"
	case chat.Replaced:
		return "another link between the two has taken its place"
	}
	return "refused: " + e.Code.Sentence()
}

// link is one connection to another node.
type link struct {
	// Static after the handshake.
	m        *Mesh
	conn     Link
	reader   *wire.Reader
	node     identity.ID
	dialed   bool // by this node
	target   *target
	key      []byte // the other's public key
	address  string
	via      kind // of the world that the other is reached in
	admitted bool
	since    time.Time
	space    [16]byte
	first    wire.Record // the record that came behind the handshake
	log      *slog.Logger

	wake    chan struct{}    // capacity 1, never closed: a hint to the writer
	grown   chan struct{}    // capacity 1, never closed: a hint that what entries wait for may be here
	records chan wire.Record // capacity maxRead, never closed: from the reader to whoever takes them in
	gone    chan struct{}    // closed when the link is ending

	// Owned by the goroutine that takes records in.
	waiting waiting
	rooms   map[string]struct{} // of which the other has told its digest
	told    int                 // rooms, in the round of digests that is under way
	round   time.Time           // when the last one was over

	// Guarded by m.mu.
	out     outbox
	flows   map[wire.LogID]*flow
	strange int       // of them, at most: logs of which there was nothing here
	counted time.Time // when these were counted
	synced  bool      // the other has told all its digests
	asking  int       // entries that it was asked for and that have not come
	waits   bool      // there are entries that wait
	rtt     time.Duration
	cause   error                 // why it ends; the first counts
	closing *time.Timer           // set with gone: closes the link when the other end has had time to read a goodbye
	passed  map[identity.ID]int64 // until when addresses are good that both have told each other of
	heard   time.Time             // when it last passed addresses on
}

// Serve carries a link until it ends, and closes it: accepted says who has dialled, address where the other is reached. It returns why it ended: a
// *RefusedError when either side does not want it, nil after a goodbye.
//
// greeted, unless it is nil, is called once: when the other side is known and welcome, or before Serve returns.
func (m *Mesh) Serve(ctx context.Context, conn Link, accepted bool, address string, greeted func()) error {
	if greeted == nil {
		greeted = func() {}
	}
	return m.serve(ctx, &link{m: m, conn: conn, dialed: !accepted, address: address, via: kindOf(address)}, greeted)
}

func (m *Mesh) serve(ctx context.Context, l *link, greeted func()) error {
	defer l.conn.Close()
	select {
	case <-m.loaded:
	case <-ctx.Done():
		greeted()
		return nil
	}
	l.wake, l.grown = make(chan struct{}, 1), make(chan struct{}, 1)
	l.records, l.gone = make(chan wire.Record, maxRead), make(chan struct{})
	l.flows, l.passed = map[wire.LogID]*flow{}, map[identity.ID]int64{}
	l.reader = wire.NewReader(l.conn.Peer())
	l.log = m.cfg.Log.With("node", l.conn.Node().String(), "address", l.address)
	l.conn.Notify(l.poke)
	err := l.begin(ctx)
	greeted()
	if err == nil {
		l.log.Info("linked", "admitted", l.admitted)
		err = l.carry(ctx)
		m.leave(l)
		if err != nil {
			l.log.Info("link ended", "err", err)
		} else {
			l.log.Info("link ended")
		}
	}
	return m.ended(l, err)
}

// begin shakes hands within handshakeLimit.
func (l *link) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeLimit)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.conn.Close() })
	err := l.handshake(ctx)
	if !stop() && err == nil {
		l.m.leave(l)
		err = ctx.Err()
	}
	return err
}

// carry runs the link's goroutines until one of them ends, or ctx does.
func (l *link) carry(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { l.end(byeStopping(), nil) })
	defer stop()
	var group sync.WaitGroup
	for _, part := range [...]func() error{l.read, l.take, l.write} {
		group.Go(func() { l.fail(part()) })
	}
	l.measure()
	l.conn.Close() // ends the reader and the writer
	group.Wait()
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.closing != nil {
		l.closing.Stop()
	}
	return l.cause
}

// measure asks how far away the other end is, now and then, until the link ends.
func (l *link) measure() {
	timer := time.NewTimer(tickEvery)
	defer timer.Stop()
	for {
		select {
		case <-l.conn.Done():
			return
		case <-timer.C:
		}
		if took, err := l.conn.Ping(); err == nil {
			l.m.mu.Lock()
			l.rtt = took
			l.m.mu.Unlock()
		}
		timer.Reset(pingEvery)
	}
}

// linger leaves the other end a moment to read a goodbye.
func (l *link) linger() {
	timer := time.NewTimer(lingerFor)
	defer timer.Stop()
	select {
	case <-l.conn.Done():
	case <-timer.C:
	}
}

// read reads records, and waits while those before are taken in.
func (l *link) read() error {
	second, small := l.m.cfg.Now(), 0
	for {
		record, err := next(l.reader)
		if err != nil {
			return quiet(err)
		}
		if _, data := record.(*wire.Entries); !data {
			now := l.m.cfg.Now()
			if now.Sub(second) >= time.Second || now.Before(second) {
				second, small = now, 0
			}
			if small++; small > smallEach && !l.sleep(time.Second-now.Sub(second)) {
				return nil
			}
		}
		if record == nil {
			continue
		}
		select {
		case l.records <- record:
		case <-l.gone:
			return nil
		}
	}
}

// next reads one record; a nil one is of a type that this node does not know.
func next(r *wire.Reader) (wire.Record, error) {
	item, err := r.Next()
	if err != nil {
		return nil, err
	}
	return wire.Decode(item)
}

// sleep waits, and reports false when the link ends before.
func (l *link) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.gone:
		return false
	}
}

// quiet makes an ordinary end of the connection no error, and what makes no sense a lie.
func quiet(err error) error {
	switch {
	case errors.Is(err, wire.ErrMalformed), errors.Is(err, wire.ErrTooLarge):
		return fmt.Errorf("%w: %w", errLie, err)
	case errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
		return nil
	}
	return err
}

// take takes records in, in their order, until the link ends.
func (l *link) take() error {
	if l.first != nil {
		if err := l.accept(l.first); err != nil {
			return err
		}
	}
	for {
		var err error
		select {
		case record := <-l.records:
			err = l.accept(record)
		case <-l.grown:
			err = l.retry()
		case <-l.gone:
			return nil
		case <-l.conn.Done():
			return l.drain()
		}
		if err != nil {
			return err
		}
	}
}

// drain takes in what was read before the connection ended: a goodbye may be among it.
func (l *link) drain() error {
	for {
		select {
		case record := <-l.records:
			if err := l.accept(record); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// accept takes in one record.
func (l *link) accept(record wire.Record) error {
	switch r := record.(type) {
	case *wire.Digests:
		l.digests(r)
		return nil
	case *wire.Heads:
		return l.heads(r)
	case *wire.Want:
		l.wanted(r)
		return nil
	case *wire.Entries:
		return l.entries(r)
	case *wire.Have:
		l.have(r)
		return nil
	case *wire.Lazy:
		l.lazy(r)
		return nil
	case *wire.Trimmed:
		l.trimmed(r)
		return nil
	case *wire.Fork:
		return l.forked(r)
	case *wire.Addresses:
		return l.addresses(r)
	case *wire.PeerPeople:
		l.m.hear(l, r)
		return nil
	case *wire.Bye:
		return &RefusedError{Code: r.Code, Retry: millis(r.RetryAfterMS)}
	}
	return fmt.Errorf("%w: %T does not belong there", errLie, record)
}

// fail ends the link because one of its goroutines has.
func (l *link) fail(err error) {
	var bye *wire.Bye
	if errors.Is(err, errLie) {
		bye = &wire.Bye{Code: chat.Malformed}
	}
	if errors.Is(err, hub.ErrStopped) {
		err = nil
	}
	l.end(bye, err)
}

// end ends the link, after a goodbye if there is one.
func (l *link) end(bye *wire.Bye, cause error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.cause == nil {
		l.cause = cause
	}
	l.endLocked(bye)
}

func (l *link) endLocked(bye *wire.Bye) {
	select {
	case <-l.gone:
	default:
		l.out.bye = bye
		close(l.gone)
		l.closing = time.AfterFunc(lingerFor, func() { l.conn.Close() }) // whatever its goroutines wait for; carry stops it
	}
	l.poke()
}

// poke hints to the writer that there may be something to write.
func (l *link) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// join makes the link one of the mesh's, unless there is another between the two nodes that stays: of two the one stays that the node with the lower id
// has dialled, and of two of one dialler the newer.
func (m *Mesh) join(l *link) chat.Code {
	m.mu.Lock()
	defer m.mu.Unlock()
	other, double := m.links[l.node]
	switch lower := compareIDs(m.self, l.node) < 0; {
	case m.stopping, l.space != m.space:
		return chat.Stopping
	case double && other.dialed != l.dialed && other.dialed == lower:
		other.out.probe = true // it may be dead, without anybody having noticed
		other.poke()
		return chat.Replaced
	case !double && (len(m.links) >= maxLinks || !l.admitted && m.guestsLocked() >= maxGuests):
		return chat.Full
	case double:
		m.leaveLocked(other)
		other.endLocked(&wire.Bye{Code: chat.Replaced})
	}
	l.since = m.cfg.Now()
	m.links[l.node] = l
	at, _ := slices.BinarySearchFunc(m.order, l.node, func(l *link, id identity.ID) int { return compareIDs(l.node, id) })
	m.order = slices.Insert(m.order, at, l)
	l.out.digest = true
	l.crowd(m.self)
	m.linkedLocked(l)
	return chat.OK
}

// guestsLocked returns how many links are to nodes that are not admitted.
func (m *Mesh) guestsLocked() (n int) {
	for _, l := range m.order {
		if !l.admitted {
			n++
		}
	}
	return n
}

// leave takes the link out of the mesh.
func (m *Mesh) leave(l *link) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leaveLocked(l)
}

func (m *Mesh) leaveLocked(l *link) {
	if m.links[l.node] != l {
		return
	}
	delete(m.links, l.node)
	m.order = slices.DeleteFunc(m.order, func(other *link) bool { return other == l })
	m.lostLocked(l)
	m.unlinkedLocked(l)
	m.poke()
}

func byeStopping() *wire.Bye { return &wire.Bye{Code: chat.Stopping, RetryAfterMS: 1000} }

// millis converts a time to wait that a node names, cut to maxRetry.
func millis(ms uint64) time.Duration {
	return time.Duration(min(ms, uint64(maxRetry/time.Millisecond))) * time.Millisecond
}
