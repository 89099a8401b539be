package mesh

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"chatnode/internal/hub"
	"chatnode/internal/wire"
)

const (
	// maxAsking is how many entries one link is asked for at a time: as many as may wait for others. What entries wait for is asked for beyond it.
	maxAsking = maxWaiting
	// minRange is how many entries are asked for at least, if there are as many.
	minRange = 64
	// graftAfter is how long what somebody has may take to come by itself, give or take half.
	graftAfter = 300 * time.Millisecond
	// leapAfter is how long a log is waited for from its beginning, or from where it ends here, when those that were heard of it have it from later on only.
	leapAfter = 2 * time.Second
	// pullLimit is how long a link that was asked may send nothing before another one is.
	pullLimit = 10 * time.Second
)

// pull is what somebody was asked for of one log. Guarded by Mesh.mu.
type pull struct {
	link     *link // nil: nobody is
	from, to uint64
	asked    time.Time // or when some of it last came
}

// planLocked asks for what is missing of a log, if anything is: one link at a time, the one that has it from the earliest entry on first. need is the
// entry that others wait for; 0: there is no hurry.
func (m *Mesh) planLocked(r *replica, need uint64) {
	if r.closed() {
		return
	}
	if r.pull.link != nil {
		if need > r.pull.to {
			m.moreLocked(r, need)
		}
		return
	}
	l := m.providerLocked(r, need)
	if l == nil {
		return
	}
	f := l.flows[r.id]
	if f.low > r.head+1 && !r.leap {
		m.missLocked(r, leapAfter) // somebody else may have what lies between
		return
	}
	from, to := max(r.head+1, f.low), f.claimed
	most := uint64(max(minRange, min(wire.MaxEntries, maxAsking-l.asking)))
	if need > 0 {
		most = min(need-r.head, wire.MaxEntries)
	}
	to = min(to, from+most-1)
	if r.end > 0 {
		to = min(to, r.end-1)
	}
	if to < from {
		return
	}
	l.asking += int(to - from + 1)
	r.pull = pull{link: l, from: from, to: to, asked: m.cfg.Now()}
	l.askLocked(f, from, to)
}

// moreLocked asks who was asked for a log for more of it, up to need, if it has that.
func (m *Mesh) moreLocked(r *replica, need uint64) {
	p := &r.pull
	f := p.link.flows[r.id]
	from, to := p.to+1, min(need, f.claimed, p.to+wire.MaxEntries, r.head+2*wire.MaxEntries) // no more than it remembers
	if f.wants {                                                                             // not written yet: it becomes one question
		from, to = f.want.From, min(to, f.want.From+wire.MaxEntries-1)
	}
	if to <= p.to {
		return
	}
	p.link.asking += int(to - p.to)
	p.to = to
	p.link.askLocked(f, from, to)
}

// askLocked has the other asked for entries, and for those that follow: it is the log's source from now on.
func (l *link) askLocked(f *flow, from, to uint64) {
	if f.replica.source == nil {
		f.replica.source = l
	}
	eager := f.replica.source == l
	if eager {
		f.hushed = false
	}
	f.want, f.wants = wire.Want{Log: f.replica.id, From: from, To: to, Eager: eager}, true
	l.readyLocked(f)
}

// providerLocked returns the link to ask for a log, or nil: then there is none, or all of them have been asked for enough, and it is asked for when that
// has come. Logs of one room come by one link if they can, as they depend on one another.
func (m *Mesh) providerLocked(r *replica, need uint64) *link {
	var best *link
	var rank [sha256.Size]byte
	low, busy := uint64(0), false
	for _, l := range m.order {
		f := l.flows[r.id]
		if f == nil || f.refused || f.waiting || f.claimed <= r.head {
			continue
		}
		if need == 0 && l.asking+minRange > maxAsking {
			busy = true
			continue
		}
		from := max(f.low, r.head+1)
		at := sha256.Sum256(append(l.node[:], r.log.Room...))
		if best == nil || from < low || from == low && bytes.Compare(at[:], rank[:]) < 0 {
			best, low, rank = l, from, at
		}
	}
	if best == nil && busy {
		m.laterLocked(r)
	}
	return best
}

// laterLocked has a log asked for when others have come, or in a moment.
func (m *Mesh) laterLocked(r *replica) {
	if !r.queued {
		r.queued = true
		m.backlog = append(m.backlog, r)
	}
}

// pulledLocked ends what somebody was asked for.
func (m *Mesh) pulledLocked(r *replica) {
	if l := r.pull.link; l != nil {
		l.asking -= int(r.pull.to - r.pull.from + 1)
	}
	r.pull = pull{}
}

// againLocked asks for what could not be asked for yet.
func (m *Mesh) againLocked() {
	list := m.backlog
	m.backlog = nil
	for _, r := range list {
		r.queued = false
		m.planLocked(r, 0)
	}
}

// missLocked waits for a log to come as far as somebody has it, by its source.
func (m *Mesh) missLocked(r *replica, after time.Duration) {
	if !r.late.IsZero() {
		return
	}
	r.late, r.lateHead = m.cfg.Now().Add(m.jitterLocked(after)), r.head
	m.missed = append(m.missed, r)
	m.poke()
}

// graft asks for what has not come in time, and returns how long to wait for the next that is missed.
func (m *Mesh) graft() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, wait := m.cfg.Now(), tickEvery
	list := m.missed
	m.missed = nil
	for _, r := range list {
		switch {
		case r.late.After(now):
			m.missed = append(m.missed, r)
			wait = min(wait, r.late.Sub(now))
			continue
		case r.pull.link != nil || !m.behindLocked(r):
		case r.head > r.lateHead: // it comes, and is not there yet
			r.late, r.lateHead = now.Add(m.jitterLocked(graftAfter)), r.head
			m.missed = append(m.missed, r)
			wait = min(wait, r.late.Sub(now))
			continue
		default:
			r.source, r.leap = nil, true
			m.planLocked(r, 0)
			r.leap = false
		}
		r.late = time.Time{}
	}
	return max(wait, 0)
}

// behindLocked reports whether somebody has more of a log than this node.
func (m *Mesh) behindLocked(r *replica) bool {
	return slices.ContainsFunc(m.order, func(l *link) bool {
		f := l.flows[r.id]
		return f != nil && f.claimed > r.head
	})
}

// expireLocked asks others for what has not come from who was asked, and looks at what both have once more where that was long ago.
func (m *Mesh) expireLocked(now time.Time) {
	for _, l := range m.order {
		if l.synced && now.Sub(l.out.compared) >= digestEvery {
			l.out.digest = true
			l.poke()
		}
		if l.waits {
			l.retryLocked() // in case that nobody has any more what is waited for
		}
		for _, f := range l.flows {
			if p := &f.replica.pull; p.link == l && now.Sub(p.asked) >= pullLimit {
				f.claimed = min(f.claimed, f.replica.head) // until it says so again
				l.out.late = append(l.out.late, f.replica)
			}
		}
		sortBy(l.out.late, func(r *replica) (key [32]byte) { copy(key[:], r.id[:]); return key })
		for _, r := range l.out.late {
			m.pulledLocked(r)
			if r.source == l {
				r.source = nil
			}
			m.planLocked(r, 0)
		}
		l.out.late = l.out.late[:0]
	}
	m.againLocked()
}

// lostLocked asks others for what the link that has ended was to bring.
func (m *Mesh) lostLocked(l *link) {
	var list []*replica
	for _, f := range l.flows {
		if f.replica.source == l || f.replica.pull.link == l {
			list = append(list, f.replica)
		}
	}
	sortBy(list, func(r *replica) (key [32]byte) { copy(key[:], r.id[:]); return key })
	for _, r := range list {
		if r.source == l {
			r.source = nil
		}
		if r.pull.link == l {
			m.pulledLocked(r)
		}
		m.planLocked(r, 0)
		if r.source == nil {
			m.hushOffLocked(r)
		}
	}
	for id, f := range l.flows {
		if r := f.replica; r.head == 0 && r.fork == nil && !m.behindLocked(r) {
			delete(m.logs, id) // nobody has told of it but who is gone
		}
	}
	m.againLocked()
}

// hushOffLocked has one of those that were asked to be lazy push a log again, as who pushed it has gone: its own node, or who is known to have most.
func (m *Mesh) hushOffLocked(r *replica) {
	var best *link
	for _, l := range m.order {
		f := l.flows[r.id]
		if f == nil || !f.hushed {
			continue
		}
		if best == nil || f.claimed > best.flows[r.id].claimed {
			best = l
		}
	}
	if best == nil {
		return
	}
	f := best.flows[r.id]
	r.source, f.hushed = best, false
	f.want, f.wants = wire.Want{Log: r.id, From: r.head + 1, Eager: true}, true
	best.readyLocked(f)
}

// wanted notes what the other asks for. Of one log it has one question open: a new one goes on from the last, or replaces it.
func (l *link) wanted(w *wire.Want) {
	head, ok := l.m.cfg.Hub.HeadOf(w.Log, l.admitted)
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if !ok {
		l.goneLocked(w)
		return
	}
	r := l.m.replicaLocked(&head.Log)
	r.head = max(r.head, head.Seq)
	f := l.flowLocked(r)
	if w.From > 0 {
		f.has = max(f.has, w.From-1)
	}
	if w.Eager {
		f.lazy = false
		f.live = f.live || f.has >= r.head
	}
	switch {
	case w.To == 0:
		if f.has < r.head {
			l.announceLocked(f)
		}
	case f.next > 0 && w.From == f.to+1:
		f.to = w.To
	default:
		f.next, f.to = w.From, w.To
	}
	if f.next > 0 && f.to-f.next >= 2*wire.MaxEntries {
		f.to = f.next + 2*wire.MaxEntries - 1
	}
	l.readyLocked(f)
	l.poke()
}

// goneLocked answers who wants what is not here, or not theirs to read.
func (l *link) goneLocked(w *wire.Want) {
	if w.To == 0 || len(l.out.nothing) >= maxNothing {
		return
	}
	l.out.nothing = append(l.out.nothing, wire.Trimmed{Log: w.Log, Low: w.To + 1})
	l.poke()
}

// have notes how far logs have grown at the other. What is pushed by another link has some time to come.
func (l *link) have(h *wire.Have) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	for _, g := range h.Logs {
		f := l.flows[g.Log]
		if f == nil {
			continue // it was never told of: nothing could be asked
		}
		l.hasLocked(f, g.Seq)
		if r := f.replica; f.claimed > r.head {
			if r.source == nil || r.source == l { // who else would push it
				l.m.planLocked(r, 0)
			} else {
				l.m.missLocked(r, graftAfter)
			}
		}
	}
}

// lazy stops pushing logs that the other gets sooner by another link.
func (l *link) lazy(z *wire.Lazy) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	for _, id := range z.Logs {
		if f := l.flows[id]; f != nil {
			f.lazy = true
			if f.has < f.replica.head {
				l.announceLocked(f)
			}
		}
	}
}

// trimmed notes from where on the other has a log.
func (l *link) trimmed(t *wire.Trimmed) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	f := l.flows[t.Log]
	if f == nil {
		return
	}
	r := f.replica
	if t.Low <= f.low {
		f.claimed = min(f.claimed, r.head) // it says the same again: it has nothing
	}
	f.low, f.private = max(f.low, t.Low), f.private || t.Private
	if f.claimed < f.low {
		f.claimed = min(f.claimed, r.head)
	}
	if r.pull.link == l {
		l.m.pulledLocked(r)
	}
	l.m.planLocked(r, 0)
	l.m.againLocked()
}

// lowLocked returns the first entry of a log that any link has, or 0 where one has what this node lacks next.
func (m *Mesh) lowLocked(r *replica) uint64 {
	low := uint64(0)
	for _, l := range m.order {
		f := l.flows[r.id]
		if f == nil || f.refused || f.claimed <= r.head {
			continue
		}
		if f.low <= r.head+1 {
			return 0
		}
		if low == 0 || f.low < low {
			low = f.low
		}
	}
	return low
}

func isStopped(err error) bool { return errors.Is(err, hub.ErrStopped) }
