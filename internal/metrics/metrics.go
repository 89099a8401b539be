// Package metrics tells how a node is doing: to whoever runs it over HTTP, as Prometheus scrapes it, and to a person in the answer to /stats. It counts
// nothing but how connections end: the rooms below count, and know nothing of it.
//
// The text format is written here, and held to by the reference implementation in the tests. The client library of Prometheus would bring the
// protocol buffers with it, whose use of reflection has the linker keep every method of the program: 2.2 MB of a binary that is to stay below 20.
package metrics

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"os"
	"runtime/metrics"
	"slices"
	"sync"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/frame"
	"chatnode/internal/hub"
	"chatnode/internal/mesh"
	"chatnode/internal/wire"
)

// Hub is a node's rooms: hub.Hub outside tests.
type Hub interface {
	// Stats returns the numbers of the hub, and never waits long.
	Stats() hub.Stats
	// Health returns nil while the hub takes what is written, else why not.
	Health() error
}

// Mesh is a node's links to others: mesh.Mesh outside tests.
type Mesh interface {
	Stats() mesh.Stats
	// States returns how many other nodes are in each state.
	States() map[string]int
}

// Stage is how far a connection had come when it ended.
type Stage string

// Stages of a connection.
const (
	Handshake Stage = "handshake" // it was not known yet who comes
	Session   Stage = "session"
	Peer      Stage = "peer" // another node
)

// maxEndings bounds the reasons that are told apart; any further one is another.
const (
	maxEndings = wire.MaxCounts
	another    = "other"
)

// Config is what the numbers of a node are made of.
type Config struct {
	Hub     Hub
	Version string           // of the program
	Now     func() time.Time // asked by many goroutines
}

// Numbers are a node's. They are gathered when they are asked for, by any goroutine.
type Numbers struct {
	// Static after construction.
	cfg     Config
	started time.Time

	// mu promises that ended has at most maxEndings reasons of each stage, and another.
	mu    sync.Mutex
	mesh  Mesh // nil: there are no other nodes
	ended map[Stage]map[string]uint64
}

// New returns the numbers of a node that starts now.
func New(cfg Config) *Numbers {
	return &Numbers{cfg: cfg, started: cfg.Now(), ended: map[Stage]map[string]uint64{Handshake: {}, Session: {}, Peer: {}}}
}

// Link says that there is a mesh from now on.
func (n *Numbers) Link(m Mesh) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mesh = m
}

// Ended counts a connection that was turned away, cut or lost. why is a word of a fixed list, such as the name of a chat.Code.
func (n *Numbers) Ended(at Stage, why string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	reasons := n.ended[at]
	if _, known := reasons[why]; !known && len(reasons) >= maxEndings-1 || len(why) > wire.MaxWhat {
		why = another
	}
	reasons[why]++
}

// Word returns the word by which Ended counts an error that a connection ended with; empty for nil.
func Word(err error) string {
	var refusal *hub.Refusal
	switch {
	case err == nil:
		return ""
	case errors.As(err, new(*frame.PolicyError)):
		return "policy"
	case errors.As(err, &refusal):
		return refusal.Code.String()
	case errors.Is(err, wire.ErrMalformed), errors.Is(err, wire.ErrTooLarge):
		return chat.Malformed.String()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return chat.Timeout.String()
	}
	return "lost"
}

// snapshot is all that there is to tell, of about one moment.
type snapshot struct {
	hub     hub.Stats
	linked  bool // there may be other nodes
	mesh    mesh.Stats
	states  map[string]int
	ended   map[Stage]map[string]uint64
	healthy bool
	version string
	started time.Time
	runtime runtimeStats
	process processStats
}

// gather asks everybody.
func (n *Numbers) gather() *snapshot {
	s := &snapshot{
		hub: n.cfg.Hub.Stats(), ended: map[Stage]map[string]uint64{}, healthy: n.cfg.Hub.Health() == nil, version: n.cfg.Version, started: n.started,
		runtime: readRuntime(), process: readProcess(),
	}
	n.mu.Lock()
	links := n.mesh
	for at, reasons := range n.ended {
		s.ended[at] = maps.Clone(reasons)
	}
	n.mu.Unlock()
	if links != nil {
		s.linked, s.mesh, s.states = true, links.Stats(), links.States()
	}
	return s
}

// Stats returns what the node tells its admins; others get it without Work.
func (n *Numbers) Stats() *wire.StatsAre {
	s := n.gather()
	work := wire.NodeStats{
		People: uint64(s.hub.People), Conversations: uint64(s.hub.Conversations), Messages: s.hub.Messages, Deliveries: s.hub.Deliveries,
		DeliveredBytes: s.hub.DeliveredBytes, Lag: times(&s.hub.Lag), Commits: s.hub.Commit.Count(), Commit: times(&s.hub.Commit),
		Memory: s.runtime.system, Segments: uint64(s.hub.SegmentBytes), Waiting: uint64(s.hub.QueueBytes),
		Linked: uint64(s.states[linked]), Sent: s.mesh.Sent, Taken: s.mesh.Taken,
		Refused: counts(byName(s.hub.Refused)), TurnedAway: counts(s.ended[Handshake]), Dropped: counts(s.ended[Session], s.ended[Peer]),
	}
	for _, nodes := range s.states {
		work.Known += uint64(nodes)
	}
	return &wire.StatsAre{
		Up: uint64(n.cfg.Now().Sub(n.started).Milliseconds()), Sessions: uint64(s.hub.Sessions), Rooms: uint64(s.hub.Rooms), Work: []wire.NodeStats{work},
	}
}

// linked is the state of a node to which there is a link.
const linked = "linked"

func times(h *hub.Histogram) wire.Times {
	return wire.Times{Half: uint64(h.Quantile(0.5).Microseconds()), Most: uint64(h.Quantile(0.99).Microseconds())}
}

func byName(codes map[chat.Code]uint64) map[string]uint64 {
	named := map[string]uint64{}
	for code, n := range codes {
		named[code.String()] += n
	}
	return named
}

// counts returns some reasons, the most frequent first: as many as are told.
func counts(lists ...map[string]uint64) []wire.Count {
	sum := map[string]uint64{}
	for _, reasons := range lists {
		for what, n := range reasons {
			sum[what] += n
		}
	}
	all := make([]wire.Count, 0, len(sum))
	for what, n := range sum {
		all = append(all, wire.Count{What: what, N: n})
	}
	slices.SortFunc(all, func(a, b wire.Count) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.What, b.What)) })
	return all[:min(len(all), wire.MaxCounts)]
}

// runtimeStats are the Go runtime's. To read them stops nobody.
type runtimeStats struct {
	goroutines uint64
	objects    uint64 // bytes of objects on the heap
	system     uint64 // bytes of memory that the runtime has from the system and has not given back
	collected  uint64 // cycles of the collector
}

func readRuntime() runtimeStats {
	samples := []metrics.Sample{
		{Name: "/sched/goroutines:goroutines"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(samples)
	return runtimeStats{
		goroutines: samples[0].Value.Uint64(), objects: samples[1].Value.Uint64(), system: samples[2].Value.Uint64() - samples[3].Value.Uint64(),
		collected: samples[4].Value.Uint64(),
	}
}

// processStats are what the system knows of the process. Where nothing is known, known is false.
type processStats struct {
	known    bool
	cpu      time.Duration
	resident uint64 // bytes
	files    uint64 // open
}
