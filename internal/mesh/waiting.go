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

// ready returns how many of the first entries of a run have all that they depend on. It notes in heads what it has asked the hub for.
func (l *link) ready(h *held, heads map[wire.LogID]uint64) int {
	for n, deps := range h.deps {
		for i := range deps {
			id := deps[i].Log
			seq, known := heads[id]
			if !known {
				head, _ := l.m.cfg.Hub.HeadOf(id, true)
				seq = head.Seq
				if l.m.hasForked(id) {
					seq = wire.MaxCount // what stands behind a fork counts as here
				}
				heads[id] = seq
			}
			if seq < deps[i].Seq {
				return n
			}
		}
	}
	return len(h.deps)
}

// retry offers what waited for others that are here now, as long as any of it is taken.
func (l *link) retry() error {
	for took := true; took; {
		took = false
		heads := map[wire.LogID]uint64{}
		for _, h := range slices.Clone(l.waiting.runs) {
			n := l.ready(h, heads)
			if n == 0 {
				continue
			}
			some, err := l.again(h, n)
			if err != nil {
				return err
			}
			took = took || some
			clear(heads)
		}
	}
	return nil
}

// again offers the first n entries of a run that waited, and reports whether any was taken.
func (l *link) again(h *held, n int) (took bool, err error) {
	r := run{flow: h.flow, first: h.first, list: h.list[:n]}
	l.m.mu.Lock()
	h.flow.waiting = n < len(h.list)
	l.m.mu.Unlock()
	rest, took, err := l.offer(r)
	if err != nil {
		return false, err
	}
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	f := h.flow
	if n -= len(rest.list); f.refused || f.replica.closed() {
		n = len(h.list)
	}
	l.waiting.cut(h, n)
	l.waits, f.waiting = len(l.waiting.runs) > 0, l.waiting.holds(f)
	if !f.waiting {
		l.m.planLocked(f.replica, 0)
	}
	return took, nil
}
