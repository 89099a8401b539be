package mesh

import (
	"fmt"
	"slices"
	"time"

	"chatnode/internal/wire"
)

// Bounds of the entries of one link that wait for others. What is beyond is let go, and asked for again later: an honest node sends what others wait for
// whatever else it was asked for.
const (
	maxWaiting      = 1024
	maxWaitingBytes = 4 << 20
)

// waiting is the entries of a link that depend on others which are not here yet: of each log one run. Owned by the goroutine that takes records in.
type waiting struct {
	runs    []*held
	entries int
	bytes   int
}

// held is a run that waits, with what each of its entries depends on.
type held struct {
	run
	deps  [][]wire.Dep
	since time.Time // of its first entry
}

// holds reports whether entries of a log wait.
func (w *waiting) holds(f *flow) bool { return w.find(f) != nil }

func (w *waiting) find(f *flow) *held {
	for _, h := range w.runs {
		if h.flow == f {
			return h
		}
	}
	return nil
}

// sizeOf returns the memory that an entry takes, about.
func sizeOf(s *wire.Signed) int { return len(s.Entry) + len(s.Sig) + len(s.Salt) + len(s.Body) + 256 }

// add takes as much of a run as there is room for, and reports how many entries of it that was. What is not next to what waits already is let go.
func (w *waiting) add(r run) (n int, err error) {
	h := w.find(r.flow)
	if h != nil {
		if at := h.last() + 1; r.first > at || r.last() < at {
			return 0, nil
		} else if skip := at - r.first; skip > 0 {
			r.first, r.list = at, r.list[skip:]
		}
	}
	for i := range r.list {
		size := sizeOf(&r.list[i])
		if w.entries >= maxWaiting || w.bytes+size > maxWaitingBytes {
			return n, nil
		}
		e, err := wire.DecodeEntry(r.list[i].Entry)
		if err != nil {
			return n, fmt.Errorf("%w: %w", errLie, err)
		}
		deps := e.Deps
		if e.Opts.Target != nil {
			deps = append(deps, *e.Opts.Target)
		}
		if h == nil {
			h = &held{run: run{flow: r.flow, first: r.first}}
			w.runs = append(w.runs, h)
		}
		h.list, h.deps = append(h.list, r.list[i]), append(h.deps, deps)
		w.entries++
		w.bytes += size
		n++
	}
	return n, nil
}

// cut lets the first n entries of a run go, and the run itself when none is left.
func (w *waiting) cut(h *held, n int) {
	for i := range h.list[:n] {
		w.bytes -= sizeOf(&h.list[i])
	}
	w.entries -= n
	h.first += uint64(n)
	h.since = time.Time{}
	h.list, h.deps = h.list[n:], h.deps[n:]
	if len(h.list) == 0 {
		w.runs = slices.DeleteFunc(w.runs, func(other *held) bool { return other == h })
	}
}

// keep has a run wait, as far as there is room.
func (l *link) keep(r run) error {
	n, err := l.waiting.add(r)
	if err != nil {
		return err
	}
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	f := r.flow
	l.waits, f.waiting = len(l.waiting.runs) > 0, l.waiting.holds(f)
	f.claimed = max(f.claimed, r.last())
	if n < len(r.list) && f.replica.pull.link == l {
		l.m.pulledLocked(f.replica) // the rest is asked for once there may be room
		l.m.laterLocked(f.replica)
	}
	return nil
}

// fits reports whether there is room for all of a run.
func (w *waiting) fits(r run) bool {
	size := 0
	for i := range r.list {
		size += sizeOf(&r.list[i])
	}
	return w.entries+len(r.list) <= maxWaiting && w.bytes+size <= maxWaitingBytes
}

// ready returns how many entries of a run, from its at-th on, have all that they depend on, where heads is what there is of each log. What it lacks of that
// it asks the hub for.
func (l *link) ready(h *held, at int, heads map[wire.LogID]uint64) int {
	for n, deps := range h.deps[at:] {
		for i := range deps {
			if l.headIn(heads, deps[i].Log) < deps[i].Seq {
				return n
			}
		}
	}
	return len(h.deps) - at
}

func (l *link) headIn(heads map[wire.LogID]uint64, id wire.LogID) uint64 {
	seq, known := heads[id]
	if !known {
		head, _ := l.m.cfg.Hub.HeadOf(id, true)
		seq = head.Seq
		if l.m.hasForked(id) {
			seq = wire.MaxCount // what stands behind a fork counts as here
		}
		heads[id] = seq
	}
	return seq
}

// retryLocked has what waits looked at again.
func (l *link) retryLocked() {
	select {
	case l.grown <- struct{}{}:
	default:
	}
}

// retry offers what waited for others that are here now, as long as any of it is taken.
func (l *link) retry() error {
	for {
		runs, of := l.inOrder()
		if len(runs) == 0 {
			return nil
		}
		rests, took, err := l.offer(runs)
		if err != nil {
			return err
		}
		l.settle(runs, of, rests)
		if !took {
			return nil
		}
	}
}

// inOrder returns what can be offered of all that waits, in an order in which nothing comes before what it depends on, and which runs that is of.
func (l *link) inOrder() (runs []run, of []*held) {
	heads := map[wire.LogID]uint64{}
	next := map[*held]int{}
	for more := true; more; {
		more = false
		for _, h := range l.waiting.runs {
			at := next[h]
			n := l.ready(h, at, heads)
			gone := n == 0 && at == 0 && (l.leaps(h, heads) || l.forgotten(h, heads))
			if gone {
				n = 1
			}
			if n == 0 {
				continue
			}
			runs, of = append(runs, run{flow: h.flow, first: h.first + uint64(at), list: h.list[at : at+n], gone: gone}), append(of, h)
			next[h], more = at+n, true
			heads[h.flow.replica.id] = max(l.headIn(heads, h.flow.replica.id), h.first+uint64(at+n)-1)
		}
	}
	return runs, of
}

// leaps reports whether a run begins where all who have its log do, behind a gap: what its first entry depends on may be kept nowhere any more.
func (l *link) leaps(h *held, heads map[wire.LogID]uint64) bool {
	if h.first <= l.headIn(heads, h.flow.replica.id)+1 {
		return false
	}
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	return l.m.lowLocked(h.flow.replica) == h.first
}

// forgotten reports whether the first entry of a run is the next of its log, and what it lacks has been let go by all who are linked: then nobody will ever
// send that. It is waited for a while, in case that somebody has it who has not said so yet.
func (l *link) forgotten(h *held, heads map[wire.LogID]uint64) bool {
	now := l.m.cfg.Now()
	if h.since.IsZero() {
		h.since = now
	}
	if now.Sub(h.since) < leapAfter || h.first > l.headIn(heads, h.flow.replica.id)+1 {
		return false
	}
	for _, d := range h.deps[0] {
		if l.headIn(heads, d.Log) < d.Seq && !l.m.nobodyHas(d.Log, d.Seq) {
			return false
		}
	}
	return true
}

// nobodyHas reports whether somebody who is linked says that an entry was let go, and nobody says to have it.
func (m *Mesh) nobodyHas(id wire.LogID, seq uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	gone := false
	for _, l := range m.order {
		f := l.flows[id]
		switch {
		case f == nil || f.refused:
		case f.low > seq:
			gone = true
		case f.claimed >= seq:
			return false
		}
	}
	return gone
}

// settle lets what was offered of held runs go, and keeps what still waits.
func (l *link) settle(runs []run, of []*held, rests []run) {
	m := l.m
	m.mu.Lock()
	defer m.mu.Unlock()
	stuck := map[*held]bool{} // what stands behind what still waits waits too
	for i, h := range of {
		f, n := h.flow, len(runs[i].list)-len(rests[i].list)
		switch {
		case f.refused || f.replica.closed():
			n = len(h.list)
		case stuck[h]:
			continue
		}
		l.waiting.cut(h, n)
		stuck[h] = len(rests[i].list) > 0
	}
	l.waits = len(l.waiting.runs) > 0
	for _, h := range of {
		if f := h.flow; f.waiting && !l.waiting.holds(f) {
			f.waiting = false
			m.planLocked(f.replica, 0)
		}
	}
}
