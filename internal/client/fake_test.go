package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"chatnode/internal/chat"
	"chatnode/internal/frame"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// half is one direction of a stream: a buffer in memory, bounded by a window that grows back when the other side reads.
type half struct {
	mu     sync.Mutex
	more   *sync.Cond
	buf    []byte
	window int
	closed bool
	grown  func()
}

func newHalf(window int) *half {
	h := &half{window: window}
	h.more = sync.NewCond(&h.mu)
	return h
}

func (h *half) Read(p []byte) (int, error) {
	h.mu.Lock()
	for len(h.buf) == 0 && !h.closed {
		h.more.Wait()
	}
	if len(h.buf) == 0 {
		h.mu.Unlock()
		return 0, io.EOF
	}
	n := copy(p, h.buf)
	h.buf = h.buf[n:]
	h.window += n
	grown := h.grown
	h.mu.Unlock()
	if grown != nil {
		grown()
	}
	return n, nil
}

func (h *half) Ready() bool { return true }

func (h *half) Window() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.window
}

func (h *half) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return 0, io.ErrClosedPipe
	}
	if len(p) > h.window {
		return 0, frame.ErrWindow
	}
	h.window -= len(p)
	h.buf = append(h.buf, p...)
	h.more.Broadcast()
	return len(p), nil
}

// close ends the direction; lost bytes at its end never arrive.
func (h *half) close(lost int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.buf = h.buf[:max(0, len(h.buf)-lost)]
	}
	h.closed = true
	h.more.Broadcast()
}

// stream is one side's view of two halves.
type stream struct{ in, out *half }

func (s stream) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s stream) Write(p []byte) (int, error) { return s.out.Write(p) }
func (s stream) Window() int                 { return s.out.Window() }
func (s stream) Ready() bool                 { return s.in.Ready() }
func (s stream) Release()                    {}

// elapse lets time pass that is a bubble's own, so that nobody waits, and what comes of it happen. Outside of a bubble it panics.
func elapse(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// fakeLink is both ends of a link: the client has it as a Link, the test as a peer.
type fakeLink struct {
	controlUp, controlDown, chatUp, chatDown *half
	done                                     chan struct{}
	once, dead                               sync.Once
	node                                     identity.ID // who has proved itself
	why                                      error       // what it died of
	pings                                    chan time.Duration
}

const testWindow = 64 << 10

func newLink(window int) *fakeLink {
	return &fakeLink{controlUp: newHalf(window), controlDown: newHalf(1 << 30), chatUp: newHalf(window), chatDown: newHalf(1 << 30), done: make(chan struct{}), pings: make(chan time.Duration)}
}

func (l *fakeLink) Control() frame.Stream { return stream{l.controlDown, l.controlUp} }
func (l *fakeLink) Chat() frame.Stream    { return stream{l.chatDown, l.chatUp} }
func (l *fakeLink) Done() <-chan struct{} { return l.done }
func (l *fakeLink) Node() identity.ID     { return l.node }
func (l *fakeLink) Err() error            { return l.why }

// Ping waits until the test says how long that took, or the link is dead.
func (l *fakeLink) Ping() (time.Duration, error) {
	select {
	case took := <-l.pings:
		return took, nil
	case <-l.done:
		return 0, io.EOF
	}
}

func (l *fakeLink) Close() error { l.cut(func() int { return 0 }); return nil }

func (l *fakeLink) Notify(grown func()) {
	for _, h := range []*half{l.controlUp, l.chatUp} {
		h.mu.Lock()
		h.grown = grown
		h.mu.Unlock()
	}
}

// cut ends the link; each direction loses as many of its last bytes as lost says.
func (l *fakeLink) cut(lost func() int) {
	l.once.Do(func() {
		for _, h := range []*half{l.controlUp, l.controlDown, l.chatUp, l.chatDown} {
			h.close(lost())
		}
		l.die()
	})
}

// die has the link say that it is gone while its streams can still be read.
func (l *fakeLink) die() { l.dead.Do(func() { close(l.done) }) }

// peer is the node's end of one link, driven by the test.
type peer struct {
	*fakeLink
	t             *testing.T
	control, chat *wire.Reader
}

// receive returns the next record that the client wrote.
func receive[R wire.Record](p *peer, r *wire.Reader) R {
	p.t.Helper()
	item, err := r.Next()
	if err != nil {
		p.t.Fatalf("the client wrote no %T: %v", *new(R), err)
	}
	record, err := wire.Decode(item)
	if err != nil {
		p.t.Fatalf("decode what the client wrote: %v", err)
	}
	got, ok := record.(R)
	if !ok {
		p.t.Fatalf("the client wrote %#v, want a %T", record, *new(R))
	}
	return got
}

func onChat[R wire.Record](p *peer) R    { p.t.Helper(); return receive[R](p, p.chat) }
func onControl[R wire.Record](p *peer) R { p.t.Helper(); return receive[R](p, p.control) }

// say and tell write records to the client, on chat and on control.
func (p *peer) say(records ...wire.Record)  { put(p.chatDown, records) }
func (p *peer) tell(records ...wire.Record) { put(p.controlDown, records) }

func put(h *half, records []wire.Record) {
	for _, r := range records {
		_, _ = h.Write(wire.Must(nil, r)) // the link may be cut
	}
}

var nodeID = identity.ID{1, 2, 3}

const testEpoch = 77

// greet does the handshake up to the hello.
func (p *peer) greet() *wire.Hello {
	p.t.Helper()
	nonce := bytes.Repeat([]byte{9}, nonceLen)
	p.tell(&wire.Challenge{Version: wire.Version, Nonce: nonce})
	h := onControl[*wire.Hello](p)
	if !identity.CheckProof(h.Key, h.Proof, nonce, h.Origin) {
		p.t.Fatalf("the proof does not hold")
	}
	return h
}

// welcome does the handshake.
func (p *peer) welcome(change func(*wire.Welcome)) *wire.Hello {
	p.t.Helper()
	h := p.greet()
	w := &wire.Welcome{Version: wire.Version, Node: nodeID[:], Title: "test", Name: h.Name, From: 5, Epoch: testEpoch, LastCSeq: h.FirstUnacked - 1}
	if change != nil {
		change(w)
	}
	p.tell(w)
	return h
}

// rig is a client with the nodes that it dials.
type rig struct {
	*Client
	t      *testing.T
	ctx    context.Context
	links  chan *peer
	refuse chan error // one failed dial each
	ran    chan error
}

var errDial = errors.New("nobody listens")

func testKey() *identity.Key {
	key, err := identity.NewKey(bytes.NewReader(bytes.Repeat([]byte{7}, 64)))
	if err != nil {
		panic(err)
	}
	return key
}

// start runs a client in the bubble of a test; the test must see to its end.
func start(t *testing.T, change func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, ctx: t.Context(), links: make(chan *peer), refuse: make(chan error, 16), ran: make(chan error, 1)}
	cfg := Config{Name: "carol", Key: testKey(), Dial: r.dial, Backoff: func(int) time.Duration { return time.Second }, Rand: &counter{}}
	if change != nil {
		change(&cfg)
	}
	r.Client = New(cfg)
	go func() { r.ran <- r.Run(t.Context()) }() // ends with Close or the test's context, and is waited for by the bubble
	return r
}

func (r *rig) dial(ctx context.Context) (Link, error) {
	link := newLink(testWindow)
	p := &peer{fakeLink: link, t: r.t, control: wire.NewReader(link.controlUp), chat: wire.NewReader(link.chatUp)}
	select {
	case err := <-r.refuse:
		return nil, err
	case r.links <- p:
		return link, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// accept returns the next link, welcomed.
func (r *rig) accept(change func(*wire.Welcome)) *peer {
	r.t.Helper()
	p := <-r.links
	p.welcome(change)
	return p
}

// end closes the client and waits for Run.
func (r *rig) end() {
	r.t.Helper()
	r.Close()
	if err := <-r.ran; err != nil {
		r.t.Errorf("Run returned %v, want nil", err)
	}
}

// event returns the next event, which must be an E.
func event[E Event](r *rig) E {
	r.t.Helper()
	select {
	case e := <-r.Events():
		got, ok := e.(E)
		if !ok {
			r.t.Fatalf("got event %#v, want a %T", e, *new(E))
		}
		return got
	case <-time.After(time.Hour):
		r.t.Fatalf("no %T came", *new(E))
	}
	panic("unreachable")
}

// none fails when an event is waiting.
func (r *rig) none() {
	r.t.Helper()
	select {
	case e := <-r.Events():
		r.t.Fatalf("got event %#v, want none", e)
	case <-time.After(time.Millisecond):
	}
}

func (r *rig) send(room, text string) uint64 {
	r.t.Helper()
	n, err := r.Send(r.ctx, Draft{Room: room, Kind: chat.Text, Text: text, Ref: "ref " + text})
	if err != nil {
		r.t.Fatalf("Send(%q): %v", text, err)
	}
	return n
}

// counter is a source of origins that never repeats.
type counter struct{ n byte }

func (c *counter) Read(p []byte) (int, error) {
	c.n++
	for i := range p {
		p[i] = c.n
	}
	return len(p), nil
}

// row makes events of one room that follow each other.
type row struct {
	number, seq uint64
	hash        chat.Hash
}

func (r *row) next(text string) *wire.Event {
	r.seq++
	e := &wire.Event{Room: r.number, Seq: r.seq, From: 9, Name: "dave", Kind: chat.Text, Body: []byte(text), Time: 1000, ID: idOf(r.number, r.seq, text)}
	r.hash = r.hash.Next(e.ID)
	return e
}

func idOf(room, seq uint64, text string) chat.ID {
	h := chat.Header{Room: room, Seq: seq}
	return h.ID(&[16]byte{}, []byte(text))
}

func (r *row) open(name string) *wire.Open {
	return &wire.Open{Room: r.number, Name: name, From: r.seq + 1, Head: r.seq, Low: 1, Hash: r.hash}
}

func randomText(rnd *rand.Rand) string {
	b := make([]byte, 1+rnd.IntN(60))
	for i := range b {
		b[i] = 'a' + byte(rnd.IntN(26))
	}
	return string(b)
}
