package session

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"chatnode/internal/errand"
	"chatnode/internal/frame"
	"chatnode/internal/hub"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		println("goroutines are left: " + err.Error())
		code = 1
	}
	os.Exit(code)
}

// pipe is one direction of a stream in memory, with a window that its reader grants.
type pipe struct {
	// mu promises that the fields agree; change is signalled with each.
	mu     sync.Mutex
	change sync.Cond
	buf    []byte
	window int
	grows  bool // reading grants what was read
	closed bool
	grown  func()
	news   func() // something has arrived, or nothing will; never called with mu held
	wait   func() // before a write waits
	full   bool   // a write waits
}

func newPipe() *pipe {
	p := &pipe{window: 256 << 10, grows: true, grown: func() {}, news: func() {}, wait: func() {}}
	p.change.L = &p.mu
	return p
}

func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.buf) == 0 && !p.closed {
		p.change.Wait()
	}
	if len(p.buf) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.buf)
	p.buf = p.buf[n:]
	if p.grows {
		p.window += n
		p.grown()
	}
	return n, nil
}

func (p *pipe) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.tell()
	defer p.mu.Unlock()
	if p.full {
		p.wait()
	}
	for p.full && !p.closed {
		p.change.Wait()
	}
	if p.closed {
		return 0, io.ErrClosedPipe
	}
	if len(b) > p.window {
		return 0, frame.ErrWindow
	}
	p.window -= len(b)
	p.buf = append(p.buf, b...)
	p.change.Broadcast()
	return len(b), nil
}

func (p *pipe) tell() {
	p.mu.Lock()
	news := p.news
	p.mu.Unlock()
	news()
}

// ready reports whether there is something to read, if only the end.
func (p *pipe) ready() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.buf) > 0 || p.closed
}

func (p *pipe) grant(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.window += n
	p.grown()
}

// fill has writes wait, or go on.
func (p *pipe) fill(full bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.full = full
	p.change.Broadcast()
}

func (p *pipe) close() {
	p.mu.Lock()
	defer p.tell()
	defer p.mu.Unlock()
	p.closed = true
	p.change.Broadcast()
}

// end is one side of a stream.
type end struct{ in, out *pipe }

func (e end) Read(p []byte) (int, error)  { return e.in.Read(p) }
func (e end) Write(p []byte) (int, error) { return e.out.write(p) }
func (e end) Ready() bool                 { return e.in.ready() }
func (e end) Release()                    {}
func (e end) Window() int {
	e.out.mu.Lock()
	defer e.out.mu.Unlock()
	return e.out.window
}

// link is the node's side of a connection in memory; its other side is what the test plays.
type link struct {
	control, chat end
	done          chan struct{}
	once          sync.Once
}

func newLink() (node *link, control, chat end) {
	a, b, c, d := newPipe(), newPipe(), newPipe(), newPipe()
	node = &link{control: end{a, b}, chat: end{c, d}, done: make(chan struct{})}
	return node, end{b, a}, end{d, c}
}

func (l *link) Control() frame.Stream { return l.control }
func (l *link) Chat() frame.Stream    { return l.chat }
func (l *link) Done() <-chan struct{} { return l.done }

func (l *link) Notify(grown func()) {
	for _, p := range []*pipe{l.control.out, l.chat.out} {
		p.mu.Lock()
		p.grown = grown
		p.mu.Unlock()
	}
}

func (l *link) Hear(ready func()) {
	for _, p := range []*pipe{l.control.in, l.chat.in} {
		p.mu.Lock()
		p.news = ready
		p.mu.Unlock()
	}
}

func (l *link) Wait(f func()) {
	for _, p := range []*pipe{l.control.out, l.chat.out} {
		p.mu.Lock()
		p.wait = f
		p.mu.Unlock()
	}
}

func (l *link) Close() error {
	l.once.Do(func() {
		for _, p := range []*pipe{l.control.in, l.control.out, l.chat.in, l.chat.out} {
			p.close()
		}
		close(l.done)
	})
	return nil
}

// guest is a client that speaks by hand.
type guest struct {
	t             *testing.T
	link          *link
	control, chat end
	fromControl   *wire.Reader
	fromChat      *wire.Reader
	key           *identity.Key
	origin        []byte
	ended         chan error // what Handshake or Serve returned
}

func newHost(t *testing.T, options ...func(*hub.Config)) *Host {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	cfg := hub.Config{Store: store.NewMemory(64 << 20), Log: log, Now: time.Now, Rand: rand.Reader}
	for _, o := range options {
		o(&cfg)
	}
	h, err := hub.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := h.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return &Host{Hub: h, Title: "plant", Rand: rand.Reader, Log: log, Crew: errand.NewCrew()}
}

// arrive connects a guest over a plain link and runs the node's side of it.
func arrive(t *testing.T, h *Host) *guest {
	t.Helper()
	return arriveAs(t, h, func(identity.ID) Caller { return Caller{} })
}

// arriveAs is arrive of a guest of whom the node knows what caller says of the guest's key.
func arriveAs(t *testing.T, h *Host, caller func(identity.ID) Caller) *guest {
	t.Helper()
	key, err := identity.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	g := &guest{t: t, key: key, origin: make([]byte, originLen), ended: make(chan error, 1)}
	rand.Read(g.origin)
	g.link, g.control, g.chat = newLink()
	g.fromControl, g.fromChat = wire.NewReader(g.control), wire.NewReader(g.chat)
	var node sync.WaitGroup
	node.Go(func() {
		s, err := h.Handshake(t.Context(), g.link, caller(key.ID()))
		if err == nil {
			s.Begin()
			<-g.link.Done()
			err = s.End()
		}
		g.ended <- err
	})
	t.Cleanup(func() { g.link.Close(); node.Wait() })
	return g
}

// hello answers the challenge; change may spoil the answer.
func (g *guest) hello(name string, change func(*wire.Hello)) {
	g.t.Helper()
	c := expect[*wire.Challenge](g, g.fromControl)
	hello := &wire.Hello{
		Version: wire.Version, Name: name, Key: g.key.Public(), Proof: g.key.Prove(c.Nonce, g.origin), Origin: g.origin, FirstUnacked: 1,
	}
	if change != nil {
		change(hello)
	}
	g.say(g.control, hello)
}

// enter is hello and welcome.
func (g *guest) enter(name string) *wire.Welcome {
	g.t.Helper()
	g.hello(name, nil)
	return expect[*wire.Welcome](g, g.fromControl)
}

func (g *guest) say(stream end, records ...wire.Record) {
	g.t.Helper()
	for _, r := range records {
		if _, err := stream.Write(wire.Must(nil, r)); err != nil {
			g.t.Fatalf("write %T: %v", r, err)
		}
	}
}

// expect returns the next record of a stream, which must be of type R.
func expect[R wire.Record](g *guest, from *wire.Reader) R {
	g.t.Helper()
	item, err := from.Next()
	if err != nil {
		g.t.Fatalf("no %T: %v", *new(R), err)
	}
	r, err := wire.Decode(item)
	if err != nil {
		g.t.Fatal(err)
	}
	want, ok := r.(R)
	if !ok {
		g.t.Fatalf("got %#v, want a %T", r, *new(R))
	}
	return want
}
