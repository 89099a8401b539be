// Package hub is the heart of a node: the sequencer that puts everything in one order, the rooms as logs, and the sessions as cursors
// that move along them. It knows no sockets and no streams: a session's owner takes bytes out of it and puts records in.
package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// Bounds of a batch, of what waits for the sequencer and of what it remembers.
const (
	maxBatchItems = 4096
	maxBatchBytes = 1 << 20
	maxQueueBytes = 16 << 20
	maxOrigins    = 100_000 // idle ones beyond it are forgotten, the longest idle first
	maxAccounts   = 100_000 // likewise
	maxRooms      = 100_000 // conversations included; nobody can open another

	// DefaultMemory is how many bytes of segments all rooms hold together, unless Config says otherwise.
	DefaultMemory = 256 << 20
	// presenceEvery is the interval at which changes of presence go out, countEvery that of a crowded room, crowd its number of people.
	presenceEvery = time.Second
	countEvery    = 10 * time.Second
	crowd         = 500
	// roomsEach is how often one key can make a room, roomsBurst how many at once.
	roomsEach  = 6 * time.Minute
	roomsBurst = 10
	// retryHint is what a client of a stopping node waits before it comes back, give or take half.
	retryHint = time.Second
	// retryFull is what a guest of a full node waits, give or take half.
	retryFull = 10 * time.Second
)

// ErrStopped says that the hub does not run any more.
var ErrStopped = errors.New("hub has stopped")

// Store is where the sequencer keeps what it decides. Append may block; when it returns nil, the batch is kept for good, and its error ends the
// hub. The other methods are called from any goroutine, at any time. See store.Memory for each method's contract.
type Store interface {
	Load() (store.State, error)
	Append(*store.Batch) error
	Page(room, from, to uint64, size int) (records []byte, next uint64, err error)
	HashAt(room, seq uint64) (chat.Hash, error)
	Low(room uint64) (uint64, error)
	SeqAt(room uint64, time int64) (uint64, error)
	Search(*store.Query) (store.Found, error)
	Free() (int64, error)

	// Of a store that is shared.
	Rows(room, from, to uint64, size int) ([]store.Row, error)
	Entries(log, from, to uint64, size int) ([]store.Entry, error)
	EntryAt(log, seq uint64) (store.Entry, error)
	EntryOf(room, row uint64) (store.Entry, error)
	LogLow(log uint64) (uint64, error)
	LogAt(log, row uint64) (uint64, error)
	Pair(origin [16]byte, cseq uint64) (store.Pair, bool, error)
	Causal(room, lamport uint64, id wire.EntryID, n int, back bool) ([]store.Entry, error)
	RowsOf(room, from, to uint64) ([]store.Place, error)
}

// Config is what a hub is made of.
type Config struct {
	Store       Store
	Log         *slog.Logger
	Now         func() time.Time
	Rand        io.Reader // salts; never read by two goroutines at once
	Rate        float64   // messages a second of one key, with a burst of three times as many; 0 for no limit
	RoomRate    float64   // messages a second into one room, likewise
	MaxSessions int       // 0 for no limit
	Memory      int64     // bytes of segments
	// Reserve is how many bytes Store.Free has to report for publishes to be taken; 0 for no limit. Names, origins and bounds of rooms are
	// written below it too: they are small, and whoever clears the disk up may need them.
	Reserve int64
	// Admin reports whether a key may do everything, whether or not it is here: nobody below an admin does anything to one. It is
	// asked by many goroutines. Nil: only those are admins who are here as such.
	Admin func(identity.ID) bool
	// InviteOnly closes the node to keys that have not joined, unless they are let in as an admin's or show an invitation.
	InviteOnly bool
	// Addresses are where others reach the node, the best first, each a host and a port: what is told along with an invitation.
	Addresses []string
	// Key is the node's own: it signs what other nodes are given. Nil: there are no other nodes.
	Key *identity.Key
	// Title is what the node calls itself to others.
	Title string
}

// Hub is one node's rooms, people and sessions.
type Hub struct {
	// Static after construction.
	cfg   Config
	node  identity.ID // by its key; zero: it has none
	epoch uint64
	queue queue
	done  chan struct{} // closed when Run has returned

	// Safe for use by many goroutines.
	rates      rates
	numbers    numbers
	shelf      shelf
	signatures signatures
	cards      cards
	figures    figures

	// failed has capacity 1 and is never closed: the first error with which the store could not be read.
	failed chan error

	// Owned by Run.
	rooms    map[string]*room              // by name; direct conversations are in directs alone
	directs  map[[2]identity.ID]*room      // by the sorted keys of the two
	accounts map[identity.ID]*account      // everybody who has joined, was written to, or is on another node
	names    map[string]*account           // by the skeleton of the name
	invites  map[[32]byte]store.Invite     // by hash; some may have expired
	arrivals arrivals                      // of new keys
	reviewed time.Time                     // when people were last looked through
	origins  map[store.OriginToken]*origin // not retired
	authors  map[uint64]identity.ID        // whose a from# is
	sessions map[*Session]struct{}         // attached
	networks map[netip.Addr]int            // how many of them come from each
	where    []byte                        // what clients are told of other nodes, encoded; nil: nothing
	lastRoom uint64
	lastFrom uint64
	stopping bool
	full     bool           // the store has less room than the reserve: publishes are not taken
	salts    [saltPool]byte // random bytes not yet used: salts[saltOff:]
	saltOff  int
	memory   budget
	changed  map[*room]struct{} // those whose presence has changed since the last tick
	sharing  store.Sharing
	ledgers  map[wire.LogID]*ledger
	byNum    map[uint64]*ledger
	byName   map[[16]byte]*origin   // of those in origins, in a store that is shared: see wire.OriginName
	abroad   map[stranger]uint64    // the numbers of origins of other nodes
	epochs   map[uint64]identity.ID // of which other node's store each is, as far as is known
	nodes    map[identity.ID]store.Peer
	forks    map[*ledger]*wire.Fork
	lastLog  uint64
	sharable []*room            // have rows without entries
	froms    map[uint64]*origin // by number, while there are such rooms
	marking  map[*room]int64    // those whose mark is older than their head, since when, in milliseconds

	// Owned by Run: who is on other nodes.
	afar      map[identity.ID]*account
	vouchers  map[identity.ID]identity.ID // of those who wrote on other nodes: the first node that said so
	withdrawn []*account                  // who were until lately
	quotas    map[identity.ID]quota       // what is here by a node's word
	warned    map[identity.ID]struct{}    // nodes that have brought too much, by others' word

	// Owned by Run: rooms that are flooded.
	held   []held      // in the order in which they are due
	linger *time.Timer // until the first of them is

	// Scratch of one sequence, owned by Run.
	batch     batch
	event     wire.Event
	ack       wire.Ack
	texts     []byte // encoded answers
	woken     []*subscription
	published map[uint64]*room
	pairs     map[pairKey]uint64 // those in the batch, and their rows
}

// New returns a hub with the rooms, names and origins that the store holds.
func New(cfg Config) (*Hub, error) {
	state, err := cfg.Store.Load()
	if err != nil {
		return nil, fmt.Errorf("load the store: %w", err)
	}
	if cfg.Memory == 0 {
		cfg.Memory = DefaultMemory
	}
	h := &Hub{
		cfg: cfg, epoch: state.Epoch, done: make(chan struct{}),
		rates:   rates{perKey: cfg.Rate, perRoom: cfg.RoomRate, rooms: map[string]*rate.Limiter{}},
		numbers: numbers{rooms: map[uint64]*room{}}, failed: make(chan error, 1),
		rooms: map[string]*room{}, directs: map[[2]identity.ID]*room{},
		accounts: map[identity.ID]*account{}, names: map[string]*account{}, invites: map[[32]byte]store.Invite{}, arrivals: arrivals{},
		origins: map[store.OriginToken]*origin{}, authors: map[uint64]identity.ID{}, sessions: map[*Session]struct{}{}, networks: map[netip.Addr]int{},
		lastRoom: state.LastRoom, lastFrom: state.LastFrom, saltOff: saltPool,
		changed: map[*room]struct{}{}, published: map[uint64]*room{}, pairs: map[pairKey]uint64{},
		ledgers: map[wire.LogID]*ledger{}, byNum: map[uint64]*ledger{}, byName: map[[16]byte]*origin{}, abroad: map[stranger]uint64{}, epochs: map[uint64]identity.ID{},
		nodes: map[identity.ID]store.Peer{}, forks: map[*ledger]*wire.Fork{},
		shelf:   shelf{logs: map[wire.LogID]*shown{}, rooms: map[string][]*shown{}, grown: map[wire.LogID]struct{}{}},
		marking: map[*room]int64{}, afar: map[identity.ID]*account{}, vouchers: map[identity.ID]identity.ID{},
		quotas: map[identity.ID]quota{}, warned: map[identity.ID]struct{}{},
	}
	if cfg.Key != nil {
		h.node = cfg.Key.ID()
	}
	h.linger = time.NewTimer(lingerFor)
	h.linger.Stop()
	h.queue.init()
	h.memory.limit = cfg.Memory
	h.restore(&state)
	if err := h.restoreLogs(&state); err != nil {
		return nil, fmt.Errorf("load the logs: %w", err)
	}
	h.note()
	return h, nil
}

// restore fills the tables from what the store held.
func (h *Hub) restore(state *store.State) {
	h.restorePeople(state.People)
	for _, i := range state.Invites {
		h.invites[i.Hash] = i
	}
	for i := range state.Origins {
		o := &origin{Origin: state.Origins[i], kept: true}
		h.authors[o.Num] = o.Key
		if a := h.accounts[o.Key]; a != nil && a.joined && o.Last > 0 {
			a.wrote = true
		}
		if !o.Retired {
			h.origins[o.Token] = o
		}
	}
	for i := range state.Rooms {
		rs := &state.Rooms[i]
		r := newRoom(rs.Room)
		r.kept, r.head, r.hash, r.time = true, rs.Head, rs.Hash, rs.Time
		r.log.head, r.log.topic = rs.Head, rs.Topic
		h.addRoom(r)
	}
	h.restoreStandings(state)
	h.restoreActs(state)
	for i := range state.Abroad {
		h.vouched(&state.Abroad[i])
	}
	h.restoreQuotas(state)
}

// Epoch returns the number of the store that the hub's cursors are of.
func (h *Hub) Epoch() uint64 { return h.epoch }

// Run sequences until ctx ends and everything queued before is done, or until the store fails, whose error it returns: what was not committed
// then was acknowledged to nobody. A store that can't be read has failed too, whoever noticed. It must be called once.
func (h *Hub) Run(ctx context.Context) error {
	defer close(h.done)
	stop := context.AfterFunc(ctx, h.queue.close)
	defer stop()
	defer h.queue.close()
	tick := time.NewTicker(presenceEvery)
	defer tick.Stop()
	defer h.linger.Stop()
	for {
		select {
		case <-tick.C:
			if err := h.tick(); err != nil {
				return err
			}
		case <-h.queue.wake:
		case <-h.linger.C:
			h.release(time.Now())
		case err := <-h.failed:
			return err
		}
		for {
			select {
			case err := <-h.failed:
				return err
			default:
			}
			items, more := h.queue.take(maxBatchItems, maxBatchBytes)
			if len(items) == 0 && more {
				break
			}
			if len(items) == 0 {
				h.releaseAll()
				return nil
			}
			if err := h.sequence(items); err != nil {
				return err
			}
			h.queue.recycle(items)
		}
	}
}

// tick does what is due once a second.
func (h *Hub) tick() error {
	now := h.cfg.Now()
	h.tellPresence()
	h.forgetWithdrawn()
	h.markRooms(now)
	h.forget()
	h.expireInvites(now)
	if now.Sub(h.reviewed) >= reviewEvery {
		h.review(now)
	}
	h.rates.forget()
	if h.full {
		if err := h.checkSpace(); err != nil {
			return err
		}
	}
	return h.sequence(nil) // commits what came of all that
}

// fault returns err, which came from reading the store, and ends the hub unless it is one that the store's contract gives a meaning: a disk that
// can't be read is not asked again.
func (h *Hub) fault(err error) error {
	if err != nil && !errors.Is(err, store.ErrTrimmed) && !errors.Is(err, store.ErrNoRow) && !errors.Is(err, store.ErrClosed) {
		select {
		case h.failed <- err:
		default: // the first error counts
		}
	}
	return err
}

// call runs f on the sequencer's goroutine and waits for it and for the commit of what was sequenced along with it. It returns
// ErrStopped when the hub ends before.
func (h *Hub) call(f func()) error {
	done := make(chan struct{})
	if err := h.queue.put(item{do: f, done: done}); err != nil {
		return err
	}
	return h.await(done)
}

// await waits for the commit of the batch in which an item was that closes done.
func (h *Hub) await(done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-h.done:
		select {
		case <-done:
			return nil
		default:
			return ErrStopped
		}
	}
}

// Stop tells every session goodbye, with a hint when to come back, and takes no more messages: they get a nack. Run goes on, for what is
// being written and asked. It returns ErrStopped when Run has ended.
func (h *Hub) Stop() error {
	return h.call(func() {
		h.stopping = true
		h.releaseAll() // nothing of it is cut off by the goodbyes
		for s := range h.sessions {
			s.bye(chat.Stopping, h.jitter(retryHint), "")
		}
	})
}

// jitter returns a duration between half of d and one and a half.
func (h *Hub) jitter(d time.Duration) time.Duration {
	salt := h.salt()
	return d/2 + d*time.Duration(salt[0])/256
}

const (
	saltSize = 16
	saltPool = 64 * saltSize
)

// salt returns 16 random bytes.
func (h *Hub) salt() (salt [saltSize]byte) {
	if h.saltOff == len(h.salts) {
		if _, err := io.ReadFull(h.cfg.Rand, h.salts[:]); err != nil {
			panic("hub: read random bytes: " + err.Error()) // crypto/rand never fails
		}
		h.saltOff = 0
	}
	h.saltOff += copy(salt[:], h.salts[h.saltOff:])
	return salt
}
