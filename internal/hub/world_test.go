package hub

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/oracle"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// slowStore is a store.Memory whose Append can be held up, delayed or made to fail.
type slowStore struct {
	*store.Memory

	mu      sync.Mutex
	gate    chan struct{} // Append waits until it is closed; nil does not hold it up
	delay   time.Duration
	fail    error
	paging  func() // called before each Page
	appends int
	watch   func(*store.Batch) // called before each Append; nil: nobody looks
	pages   int
	bytes   int                            // of all pages
	broken  func(what string) error        // asked before each read; nil lets all pass
	free    func() (int64, error)          // what Free returns; nil: what the Memory has
	unfit   func(q *store.Query) store.Hit // a hit that no Search should have; nil: none
}

// read fails where broken says so.
func (s *slowStore) read(what string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		return nil
	}
	return s.broken(what)
}

func (s *slowStore) HashAt(room, seq uint64) (chat.Hash, error) {
	if err := s.read("HashAt"); err != nil {
		return chat.Hash{}, err
	}
	return s.Memory.HashAt(room, seq)
}

func (s *slowStore) Low(room uint64) (uint64, error) {
	if err := s.read("Low"); err != nil {
		return 0, err
	}
	return s.Memory.Low(room)
}

func (s *slowStore) SeqAt(room uint64, time int64) (uint64, error) {
	if err := s.read("SeqAt"); err != nil {
		return 0, err
	}
	return s.Memory.SeqAt(room, time)
}

func (s *slowStore) Search(q *store.Query) (store.Found, error) {
	if err := s.read("Search"); err != nil {
		return store.Found{}, err
	}
	found, err := s.Memory.Search(q)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unfit != nil {
		found.Hits = append(found.Hits, s.unfit(q))
	}
	return found, err
}

func (s *slowStore) Free() (int64, error) {
	s.mu.Lock()
	free := s.free
	s.mu.Unlock()
	if free == nil {
		return s.Memory.Free()
	}
	return free()
}

func (s *slowStore) Append(b *store.Batch) error {
	s.mu.Lock()
	s.appends++
	gate, delay, fail := s.gate, s.delay, s.fail
	if s.watch != nil {
		s.watch(b)
	}
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if delay > 0 {
		<-time.After(delay) // of the bubble
	}
	if fail != nil {
		return fail
	}
	return s.Memory.Append(b)
}

func (s *slowStore) Page(room, from, to uint64, size int) ([]byte, uint64, error) {
	s.mu.Lock()
	s.pages++
	paging := s.paging
	s.mu.Unlock()
	if paging != nil {
		paging()
	}
	if err := s.read("Page"); err != nil {
		return nil, 0, err
	}
	records, next, err := s.Memory.Page(room, from, to, size)
	s.set(func() { s.bytes += len(records) })
	return records, next, err
}

// set changes how the store behaves from now on.
func (s *slowStore) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// block holds up every Append until the returned function is called.
func (s *slowStore) block() (release func()) {
	gate := make(chan struct{})
	s.set(func() { s.gate = gate })
	return func() {
		s.set(func() { s.gate = nil })
		close(gate)
	}
}

// batches returns the people, invitations and redactions of what was appended while f ran.
func (s *slowStore) batches(f func()) (all []store.Batch) {
	s.set(func() {
		s.watch = func(b *store.Batch) {
			all = append(all, store.Batch{People: slices.Clone(b.People), Invites: slices.Clone(b.Invites), Redactions: slices.Clone(b.Redactions)})
		}
	})
	f()
	s.set(func() { s.watch = nil })
	return all
}

func (s *slowStore) counts() (appends, pages int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.appends, s.pages
}

// world is a hub that runs, its store, and the clients at it. It lives in a synctest bubble.
type world struct {
	t       *testing.T
	hub     *Hub
	store   *slowStore
	history oracle.History
	clients []*client
	cancel  context.CancelFunc
	ended   chan error // Run's result, once
	failed  error      // what Run is to end with
	ahead   atomic.Int64
}

// newWorld starts a hub. It ends with the test, which fails if Run returns anything but world.failed.
func newWorld(t *testing.T, options ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, store: &slowStore{Memory: store.NewMemory(64 << 20)}, ended: make(chan error, 1)}
	cfg := Config{
		Store: w.store, Log: slog.New(slog.DiscardHandler), Now: w.now, Rand: rand.NewChaCha8([32]byte{1}), Memory: 8 << 20,
	}
	for _, o := range options {
		o(&cfg)
	}
	if s, ok := cfg.Store.(*slowStore); ok {
		w.store = s
	}
	var err error
	if w.hub, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	go func() { w.ended <- w.hub.Run(ctx) }()
	t.Cleanup(func() { w.end() })
	return w
}

// now is the hub's time: that of the bubble, and what was skipped.
func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

// skip lets much time pass at once, and then what the hub does by itself once a second be done. The bubble's own clock would have it do that millions
// of times.
func (w *world) skip(d time.Duration) {
	w.ahead.Add(int64(d - presenceEvery))
	elapse(presenceEvery)
	synctest.Wait()
}

// end stops the hub and waits for it. It may be called twice.
func (w *world) end() {
	w.t.Helper()
	w.cancel()
	if err, first := <-w.ended; first {
		close(w.ended)
		if !errors.Is(err, w.failed) {
			w.t.Errorf("Run = %v, want %v", err, w.failed)
		}
	}
	for _, c := range w.clients {
		c.stopPump()
	}
}

// settle waits until the hub rests and every client that reads has taken all that there is.
func (w *world) settle() {
	w.t.Helper()
	for moved := true; moved; {
		synctest.Wait()
		moved = false
		for _, c := range w.clients {
			if c.session != nil && !c.stuck && c.pump == nil && c.drain() {
				moved = true
			}
		}
	}
}

// rows returns all rows of a room that the store keeps, by the room's name.
func (w *world) rows(name string) []*wire.Event {
	w.t.Helper()
	state, err := w.store.Load()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range state.Rooms {
		if r.Name == name {
			return w.page(r)
		}
	}
	return nil
}

func (w *world) page(r store.RoomState) (rows []*wire.Event) {
	w.t.Helper()
	for next := r.Low; next <= r.Head; {
		records, after, err := w.store.Memory.Page(r.Num, next, r.Head, 1<<20)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, record := range decode(w.t, records) {
			rows = append(rows, record.(*wire.Event))
		}
		next = after
	}
	return rows
}

// checkHistory compares what all clients lived through with what the store has.
func (w *world) checkHistory() {
	w.t.Helper()
	state, err := w.store.Load()
	if err != nil {
		w.t.Fatal(err)
	}
	log := oracle.Log{Rooms: map[string][]oracle.Row{}, Low: map[string]uint64{}}
	for _, r := range state.Rooms {
		name := r.Name
		if r.Direct() {
			name = directName(r.Peers[0], r.Peers[1])
		}
		log.Low[name] = r.Low
		for _, e := range w.page(r) {
			log.Rooms[name] = append(log.Rooms[name], oracleRow(e))
		}
	}
	if err := w.history.Check(log); err != nil {
		w.t.Error(err)
	}
}

// eachInBubble runs a test function in a bubble of its own.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// elapse lets time pass that is a bubble's own, so that nobody waits, and what comes of it happen. Outside of a bubble it panics.
func elapse(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
