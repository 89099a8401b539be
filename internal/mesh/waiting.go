package mesh

import (
	"fmt"
	"slices"

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
	deps [][]wire.Dep
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
	if n < len(r.list) && f.replica.pull.link == l {
		l.m.pulledLocked(f.replica) // the rest is asked for once there is room
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
			if n == 0 {
				continue
			}
			runs, of = append(runs, run{flow: h.flow, first: h.first + uint64(at), list: h.list[at : at+n]}), append(of, h)
			next[h], more = at+n, true
			heads[h.flow.replica.id] = max(l.headIn(heads, h.flow.replica.id), h.first+uint64(at+n)-1)
		}
	}
	return runs, of
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
