package frame

import "time"

// parser follows the frames of one direction over chunks that are cut
// anywhere. It looks at headers alone and keeps no body, so what a peer
// announces costs it no memory.
type parser struct {
	// Static after construction.
	policy  Policy
	streams *[maxStreams]stream

	// Owned by the goroutine that reads.
	head   header
	have   int     // bytes of head that have arrived
	body   uint32  // bytes of the current frame's body still to come
	to     *stream // what the current frame is for; nil: for none that yamux has
	begun  uint64  // frames whose first byte has arrived
	lastID uint32  // highest stream id that the peer has opened
	stray  int
	pings  meter
	frames meter
}

func newParser(policy Policy, streams *[maxStreams]stream) parser {
	return parser{
		policy:  policy,
		streams: streams,
		pings:   newMeter(policy.Pings),
		frames:  newMeter(policy.Frames),
	}
}

// midFrame reports whether a frame has begun and is not whole yet.
func (p *parser) midFrame() bool { return p.have > 0 || p.body > 0 }

// news is of the registered streams, for whoever uses them.
type news struct {
	grown bool // a window
	ready bool // there is something to read, if only an end
}

// feed takes the next chunk, received at now. The first breach is the end of the
// parser's use.
func (p *parser) feed(chunk []byte, now time.Duration) (n news, breach error) {
	for len(chunk) > 0 {
		if p.body > 0 {
			size := min(uint64(p.body), uint64(len(chunk)))
			p.body -= uint32(size)
			chunk = chunk[size:]
		} else {
			if p.have == 0 {
				p.begun++
			}
			size := copy(p.head[p.have:], chunk)
			p.have += size
			chunk = chunk[size:]
			if p.have < headerSize {
				break
			}
			p.have = 0
			p.body = p.head.body()
			if err := p.frame(now); err != nil {
				return n, err
			}
		}
		if p.body == 0 && p.to != nil {
			p.to.arrive(&p.head, &n)
		}
	}
	return n, nil
}

// frame judges the header that has just become whole, and finds out whom it is
// for.
func (p *parser) frame(now time.Duration) error {
	h := &p.head
	p.to = nil
	switch {
	case h.version() != version:
		return errBadVersion
	case h.kind() > typeGoAway:
		return errBadType
	case !p.frames.take(now):
		return errFrameRate
	case h.kind() == typeGoAway:
		return nil
	case h.kind() == typePing:
		if h.flags()&flagSYN != 0 && !p.pings.take(now) {
			return errPingRate
		}
		return nil
	case p.policy.MaxFrame > 0 && uint64(h.body()) > uint64(p.policy.MaxFrame):
		return errFrameSize
	}
	return p.stream(h)
}

// stream keeps account of which streams the peer has opened and reset.
func (p *parser) stream(h *header) error {
	if p.policy.NoStreams && h.flags()&flagSYN != 0 {
		return errStreamCount
	}
	s := find(p.streams, h.id())
	if p.policy.MaxStreams == 0 {
		p.to = s
		return nil
	}
	if h.flags()&flagSYN != 0 {
		switch {
		case h.id()%2 == 0 || h.id() <= p.lastID:
			return errStreamID
		case s == nil || h.id() > uint32(2*p.policy.MaxStreams):
			return errStreamCount
		}
		p.lastID = h.id()
		s.open = true
	}
	if s == nil || !s.open {
		if p.stray++; p.policy.MaxStray > 0 && p.stray > p.policy.MaxStray {
			return errStray
		}
		return nil
	}
	p.to = s
	if h.flags()&flagRST != 0 {
		s.open = false
	}
	return nil
}
