// Package mesh links a node with others, so that what is kept on one arrives on all. It carries entries of logs between the hub, which judges and keeps
// them, and links, which it is given or dials through a function: it knows no sockets, no TLS and nothing of what entries say.
//
// One mutex, Mesh.mu, guards all that is shared; it is never held while the hub, a link or a channel may block. A link has three goroutines, all of
// which Serve starts, waits for, and ends by closing the link: one reads records, one takes them in (it offers entries to the hub, and owns those that
// wait for others), one writes. What is to be written is kept as sets and cursors, never as a queue of entries: the writer reads these from the hub when
// the stream has room.
package mesh

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"chatnode/internal/frame"
	"chatnode/internal/hub"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// tickEvery is how often a mesh looks after what has a time limit, and tells who is here.
const tickEvery = time.Second

// Hub is the node's own rooms: hub.Hub outside tests. Its methods are called from many goroutines, and may block.
type Hub interface {
	Share() error
	Sharing() store.Sharing
	Kept() bool
	Adopt(space [16]byte) error
	JoinSpace(space [16]byte) error
	RenewLogs() error

	Digests(admitted bool) []wire.RoomDigest
	Heads(room string, admitted bool) []wire.Head
	HeadOf(log wire.LogID, admitted bool) (wire.Head, bool)
	Entries(log wire.LogID, from, to uint64, size int, admitted bool) (list []wire.Signed, low uint64, err error)
	OfferAll(from hub.Source, runs []hub.Run) ([]hub.Offered, error)
	Prove(f *wire.Fork) (isNew bool, err error)
	Forks() []*wire.Fork
	Grown(wake func())
	TakeGrown() []wire.LogID

	People(admitted bool) wire.NodePeople
	SetAbroad(nodes []wire.NodePeople)
	SavePeer(p store.Peer) error
	SavedPeers() []store.Peer
	NodeInvite(token []byte) bool
	TellNodes(nodes []wire.NodeAt)
}

// Link is an encrypted connection between two nodes: mux.go's Link outside tests. One that was dialled by a name also has Remote() string, the number that
// the name stood for: only who is reached on this machine, wire or site is believed where others are there.
type Link interface {
	// Peer returns the stream between the two nodes.
	Peer() frame.Stream
	// Node returns the id that the other end has proved to be its own.
	Node() identity.ID
	// Notify has grown called, from any goroutine and without waiting, whenever the stream's send window has grown.
	Notify(grown func())
	// Ping returns how long the other end takes to answer. It ends with an error when the link does.
	Ping() (time.Duration, error)
	// Done is closed when the link has ended.
	Done() <-chan struct{}
	// Close ends the link at once; reads and writes that wait return an error.
	Close() error
}

// Target is an address that the operator has named. Its node is admitted.
type Target struct {
	Address string
	Node    identity.ID // who has to answer; zero: whoever does
	Token   []byte      // of an invitation for nodes; empty: none
}

// Config is what a mesh is made of.
type Config struct {
	Hub        Hub
	Key        *identity.Key // the node's own
	Title      string
	Hosts      []string // where others reach the node, host:port with addresses as numbers, the best first; empty: it can't be dialled
	Connect    []Target
	InviteOnly bool // only nodes that are known, admitted, dialled or invited are linked with
	Log        *slog.Logger
	Now        func() time.Time // nil: time.Now
	Rand       *rand.Rand       // for jitter; never used by two goroutines at once. Nil: one that is seeded by chance
	// Dial connects to an address, and judges who answers as far as that can be known from the address. Nil: nobody is dialled.
	Dial func(ctx context.Context, address string) (Link, error)
}

// Stats count what has passed since New, over all links.
type Stats struct {
	FramesSent     uint64 // records with entries
	FramesReceived uint64
	Sent           uint64 // entries
	Received       uint64
	Taken          uint64 // entries that were new
	Duplicates     uint64 // entries that were not
	SmallSent      uint64 // other records
}

// Mesh is a node's links, and what it knows of other nodes.
type Mesh struct {
	// Static after construction.
	cfg  Config
	self identity.ID
	most int           // guestStrange, except in tests
	wake chan struct{} // capacity 1, never closed: a hint to Run

	loaded chan struct{} // closed when Run knows what the hub has kept
	nonce  uint64        // of this node's own logs, then; static from there on

	// mu promises that the fields agree, and those of links, flows, logs and peers with them. It is held for moments only.
	mu           sync.Mutex
	rand         *rand.Rand
	links        map[identity.ID]*link // joined
	order        []*link               // the same, in the order of their ids: with the same seed the same happens
	logs         map[wire.LogID]*replica
	backlog      []*replica   // that are behind, and nobody is asked for yet
	missed       []*replica   // that are behind what somebody has, and wait for it to come
	forks        []*wire.Fork // nil: another one of the same log follows, which says more
	proving      []*replica   // that fork earlier than links were told, and of which they are to be told later
	peers        map[identity.ID]*peer
	gone         []store.Peer // that the store is to forget
	targets      []*target
	dials        int   // under way
	fatal        error // with which Run ends
	record       []byte
	signed       time.Time // when record was
	people       people
	stats        Stats
	stopping     bool
	nodesChanged bool     // since clients were last told
	space        [16]byte // that links are of
}

// New returns a mesh. Nothing happens before Run, for which the hub has to run too.
func New(cfg Config) *Mesh {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		var seed [16]byte
		_, _ = crand.Read(seed[:]) // never fails
		cfg.Rand = rand.New(rand.NewPCG(binary.BigEndian.Uint64(seed[:]), binary.BigEndian.Uint64(seed[8:])))
	}
	m := &Mesh{
		most: guestStrange,
		cfg:  cfg, self: cfg.Key.ID(), rand: cfg.Rand, wake: make(chan struct{}, 1), loaded: make(chan struct{}),
		links: map[identity.ID]*link{}, logs: map[wire.LogID]*replica{}, peers: map[identity.ID]*peer{},
	}
	m.people.init()
	for _, t := range cfg.Connect {
		m.targets = append(m.targets, &target{Target: t})
	}
	return m
}

// Run dials, and passes on what the hub takes, until ctx ends; it is called once. At its end all links have been told goodbye, those that it has dialled
// have ended, and it returns nil. When the first attempt at one of the operator's own addresses finds a node of another space, or another key than before,
// it returns a *SpaceError, or an error of Dial that wraps *identity.ChangedError.
func (m *Mesh) Run(ctx context.Context) error {
	var dials sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer dials.Wait()
	defer cancel() // ends the dials, and the links that came of them
	defer m.stop()
	m.cfg.Hub.Grown(m.poke)
	m.load()
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	late := time.NewTimer(tickEvery)
	defer late.Stop()
	m.tick()
	for {
		grown := m.cfg.Hub.TakeGrown()
		slices.SortFunc(grown, func(a, b wire.LogID) int { return bytes.Compare(a[:], b[:]) })
		for _, id := range grown {
			m.grew(id)
		}
		late.Reset(m.graft())
		for _, a := range m.due() {
			dials.Go(func() { m.dial(ctx, a) })
		}
		if err := m.failed(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			m.tick()
		case <-m.wake:
		case <-late.C:
		}
	}
}

// load takes over what the hub has kept of other nodes; once.
func (m *Mesh) load() {
	peers, forks := m.cfg.Hub.SavedPeers(), m.cfg.Hub.Forks()
	m.nonce = m.cfg.Hub.Sharing().Nonce
	for _, f := range forks {
		m.noteFork(f, true)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range peers {
		if p.Node != m.self {
			m.peers[p.Node] = &peer{Peer: p, saved: true}
		}
	}
	close(m.loaded)
}

// poke hints to Run that there is something to do.
func (m *Mesh) poke() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// failed returns the error with which Run has to end.
func (m *Mesh) failed() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fatal
}

// tick looks after what has a time limit.
func (m *Mesh) tick() {
	m.tellPeople()
	m.tellAddresses()
	m.prune()
	m.forget()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expireLocked(m.cfg.Now())
	m.proveLateLocked()
}

// stop tells all links goodbye, and takes no more.
func (m *Mesh) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopping = true
	for _, l := range m.order {
		l.endLocked(byeStopping())
	}
}

// Stats returns what has passed so far.
func (m *Mesh) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stats
}

// jitterLocked spreads d by half of it, either way.
func (m *Mesh) jitterLocked(d time.Duration) time.Duration {
	return d/2 + time.Duration(m.rand.Int64N(int64(d)))
}

func compareIDs(a, b identity.ID) int { return bytes.Compare(a[:], b[:]) }
