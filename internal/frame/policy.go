package frame

import "time"

// What a node allows one client. A link that talks as our own client does
// stays a long way below each of these.
const (
	nodeMaxFrame     = 16 << 10
	nodeMaxSend      = 64 << 10
	nodeMaxStray     = 100
	nodeFrameTimeout = 10 * time.Second
	nodePingEvery    = time.Second
	nodePingBurst    = 5
	nodeFrameEvery   = time.Second / 2000
	nodeFrameBurst   = 10_000

	// What two nodes allow each other: whole writes in one frame, and a room's
	// traffic in place of a person's.
	peerMaxFrame     = 64 << 10
	peerFrameTimeout = 30 * time.Second
	peerPingBurst    = 10
	peerFrameEvery   = time.Second / 20_000
	peerFrameBurst   = 100_000

	// defaultMaxSend is the largest data frame that a node accepts, so a
	// zero Policy never sends one that is refused.
	defaultMaxSend = nodeMaxFrame
)

// Policy says what a connection accepts from its peer and how it sends. Each
// limit is off while it is zero; version and type are checked always, since
// nothing after a frame that cannot be understood can be trusted.
type Policy struct {
	MaxFrame     int           // largest body of a data frame, in bytes
	MaxStreams   int           // streams that the peer may open in all, at most 4: ids 1, 3, 5, 7, rising
	NoStreams    bool          // the peer was dialled, and may open none
	MaxStray     int           // data and window frames for streams that are not open; needs MaxStreams
	FrameTimeout time.Duration // from a frame's first byte to its last
	Pings        Rate          // ping requests
	Frames       Rate          // frames of every kind, empty ones included

	MaxSend int              // largest body of a data frame that is sent, in bytes; 0 means 16 KiB
	Now     func() time.Time // nil means time.Now
}

// Rate is a budget: Burst events at once, and one more every Every. A zero
// Every is no limit.
type Rate struct {
	Every time.Duration
	Burst int
}

// NodePolicy is what a node applies to a client that it does not know yet.
func NodePolicy() Policy {
	return Policy{
		MaxFrame:     nodeMaxFrame,
		MaxStreams:   maxStreams,
		MaxStray:     nodeMaxStray,
		FrameTimeout: nodeFrameTimeout,
		Pings:        Rate{Every: nodePingEvery, Burst: nodePingBurst},
		Frames:       Rate{Every: nodeFrameEvery, Burst: nodeFrameBurst},
		MaxSend:      nodeMaxSend,
	}
}

// PeerPolicy is what a node applies to another node, whether that one has dialled or was dialled. MaxStreams or NoStreams is the caller's to set.
func PeerPolicy() Policy {
	return Policy{
		MaxFrame:     peerMaxFrame,
		MaxStray:     nodeMaxStray,
		FrameTimeout: peerFrameTimeout,
		Pings:        Rate{Every: nodePingEvery, Burst: peerPingBurst},
		Frames:       Rate{Every: peerFrameEvery, Burst: peerFrameBurst},
		MaxSend:      peerMaxFrame,
	}
}

// PolicyError is the peer's breach of the Policy, and what Read returns for
// it. The connection is closed by then; the same peer would do it again, so
// whoever sees one does not retry.
type PolicyError struct {
	Reason string // a few plain words, one fixed text for each rule
}

func (e *PolicyError) Error() string { return "peer broke the frame policy: " + e.Reason }

// The rules, each with its own error so that a breach allocates nothing.
var (
	errBadVersion    = &PolicyError{"unknown version"}
	errBadType       = &PolicyError{"unknown frame type"}
	errFrameRate     = &PolicyError{"too many frames"}
	errPingRate      = &PolicyError{"too many pings"}
	errFrameSize     = &PolicyError{"frame too large"}
	errStreamID      = &PolicyError{"stream id even or not rising"}
	errStreamCount   = &PolicyError{"too many streams"}
	errStray         = &PolicyError{"too many frames for streams that are not open"}
	errFrameTimedOut = &PolicyError{"frame not finished in time"}
)

// meter holds one Rate to account by the generic cell rate algorithm (ITU-T
// I.371): due is when the events so far would be paid for at the steady
// rate, and a peer may run ahead of the clock by the burst's worth of time.
type meter struct {
	every, ahead, due time.Duration
}

func newMeter(r Rate) meter {
	return meter{every: r.Every, ahead: r.Every * time.Duration(r.Burst)}
}

// take counts one event at now and reports whether the budget allows it.
func (m *meter) take(now time.Duration) bool {
	if m.every <= 0 {
		return true
	}
	m.due = max(m.due, now) + m.every
	return m.due-now <= m.ahead
}
