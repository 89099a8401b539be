package mesh

import (
	"fmt"
	"slices"
	"time"

	"chatnode/internal/hub"
	"chatnode/internal/wire"
)

// retryLater is the time after which entries are offered again that the hub can't take now, as when its disk is nearly full.
const retryLater = 5 * time.Second

// run is entries of one log, one behind the other.
type run struct {
	flow  *flow
	first uint64
	list  []wire.Signed
	gone  bool // what its first entry lacks is kept nowhere any more
}

func (r *run) last() uint64 { return r.first + uint64(len(r.list)) - 1 }

// entries takes entries in: to the hub, or, where entries of the same log wait, behind these.
func (l *link) entries(e *wire.Entries) error {
	l.m.mu.Lock()
	l.m.stats.FramesReceived++
	l.m.stats.Received += uint64(len(e.List))
	f := l.flows[e.Log]
	told := f != nil && len(f.replica.log.Node) > 0 // else only what depends on it
	if told {
		l.arrivedLocked(f, e)
	}
	l.m.mu.Unlock()
	if !told {
		return fmt.Errorf("%w: entries of a log that it has not told of", errLie)
	}
	r := run{flow: f, first: e.First, list: e.List}
	if l.waiting.holds(f) {
		return l.keep(r)
	}
	if len(l.waiting.runs) > 0 && l.waiting.fits(r) {
		if err := l.keep(r); err != nil {
			return err
		}
		return l.retry() // together with what has waited for it
	}
	rests, _, err := l.offer([]run{r})
	if err != nil {
		return err
	}
	if len(rests[0].list) > 0 {
		if err := l.keep(rests[0]); err != nil {
			return err
		}
	}
	return l.retry()
}

// arrivedLocked notes that the other has what it has sent, and that it is not silent.
func (l *link) arrivedLocked(f *flow, e *wire.Entries) {
	l.sentLocked(f, e.First+uint64(len(e.List))-1)
	if p := &f.replica.pull; p.link == l && e.First <= p.to {
		p.asked = l.m.cfg.Now()
	}
}

// offer offers runs to the hub, in their order and in one commit, and returns what of each waits for other entries, which are asked for, and whether any was
// taken.
func (l *link) offer(runs []run) (rests []run, took bool, err error) {
	got, err := l.offerOnce(runs)
	if err == nil && slices.ContainsFunc(got, func(o hub.Offered) bool { return o.Mine }) {
		l.restored()
		if err = l.m.cfg.Hub.RenewLogs(); err == nil {
			got, err = l.offerOnce(runs)
		}
	}
	if err != nil {
		return nil, false, err
	}
	rests = make([]run, len(runs))
	for i := range runs {
		o, r := &got[i], runs[i]
		if o.Fault != "" {
			return nil, false, fmt.Errorf("%w: an entry of %s: %s", errLie, r.flow.replica.log.Room, o.Fault)
		}
		if o.Fork != nil {
			l.proven(o.Fork)
		}
		took = l.offered(r, o) || took
		if err := l.doubt(r.flow, o, r.first, r.last()); err != nil {
			return nil, false, err
		}
		if at := max(o.Head+1, r.first); len(o.Missing) > 0 && at <= r.last() {
			l.lack(o.Missing, r.flow.replica.log.Room)
			rests[i] = run{flow: r.flow, first: at, list: r.list[at-r.first:]}
		}
	}
	return rests, took, nil
}

// offerOnce offers runs to the hub, each from where on anybody has its log.
func (l *link) offerOnce(runs []run) ([]hub.Offered, error) {
	list := make([]hub.Run, len(runs))
	l.m.mu.Lock()
	for i, r := range runs {
		list[i] = hub.Run{Log: r.flow.replica.log, First: r.first, List: r.list, Gone: r.gone}
		if low := l.m.lowLocked(r.flow.replica); low > 0 && r.first == low {
			list[i].Low, list[i].Private = low, r.flow.private
		}
	}
	l.m.mu.Unlock()
	return l.m.cfg.Hub.OfferAll(hub.Source{Node: l.node, Admitted: l.admitted}, list)
}

// restored says that the node's store was put back to an earlier state.
func (l *link) restored() {
	l.log.Warn("others have more of this node's own log than it has itself, as after a restored backup: new logs begin")
}

// offered notes what became of entries, and reports whether any of them was new. What came from another link before makes this one lazy.
func (l *link) offered(r run, o *hub.Offered) (took bool) {
	m := l.m
	m.mu.Lock()
	defer m.mu.Unlock()
	f, rep := r.flow, r.flow.replica
	done := int(min(max(o.Head+1, r.first)-r.first, uint64(len(r.list))))
	taken := max(done-o.Known, 0)
	m.stats.Taken += uint64(taken)
	m.stats.Duplicates += uint64(o.Known)
	rep.head = max(rep.head, o.Head)
	f.claimed = max(f.claimed, r.last())
	f.refused = f.refused || o.Refused
	switch {
	case o.Later:
		m.pulledLocked(rep)
		m.missLocked(rep, retryLater)
	case taken > 0:
		if rep.source == nil || string(rep.log.Node) == string(l.key) {
			l.sourceLocked(f)
		}
	case o.Known > 0 && rep.pull.link != l:
		l.duplicateLocked(f)
	}
	if p := &rep.pull; p.link == l && r.last() >= p.to && len(o.Missing) == 0 {
		m.pulledLocked(rep)
		m.againLocked()
	}
	switch behind := len(o.Missing) == 0 && !o.Later && f.claimed > rep.head && rep.pull.link == nil; {
	case behind && r.first > o.Head+1: // what stands before it was let go: it is not asked for as fast as it comes
		m.laterLocked(rep)
	case behind:
		m.planLocked(rep, 0)
	}
	return taken > 0
}

// lack asks for what entries of the other depend on. Who has an entry has that too.
func (l *link) lack(deps []wire.Dep, room string) {
	heads := make([]wire.Head, len(deps))
	for i := range deps {
		heads[i], _ = l.m.cfg.Hub.HeadOf(deps[i].Log, true)
	}
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	for i := range deps {
		d := &deps[i]
		if !l.mayTellLocked(d.Log, heads[i].Seq) {
			continue
		}
		r := l.m.logs[d.Log]
		if r == nil {
			r = &replica{id: d.Log, log: wire.Log{Room: room}} // the other tells the rest before its first entry
			l.m.logs[d.Log] = r
		}
		r.head = max(r.head, heads[i].Seq)
		if r.head >= d.Seq {
			continue
		}
		f := l.flowLocked(r)
		f.claimed, f.has = max(f.claimed, d.Seq), max(f.has, d.Seq)
		l.m.planLocked(r, d.Seq)
	}
}

// sourceLocked makes the link the one on which a log comes first.
func (l *link) sourceLocked(f *flow) {
	r := f.replica
	if old := r.source; old != nil && old != l {
		old.hushLocked(old.flows[r.id])
	}
	r.source = l
	f.hushed = false
}

// duplicateLocked makes the link lazy for a log of which another one brings all sooner. The log's own node is never asked to be, for nobody can be sooner
// for long.
func (l *link) duplicateLocked(f *flow) {
	switch r := f.replica; {
	case r.source == nil || string(r.log.Node) == string(l.key):
		l.sourceLocked(f)
	case r.source != l:
		l.hushLocked(f)
	}
}

// hushLocked asks the other to be lazy for a log.
func (l *link) hushLocked(f *flow) {
	if f == nil || f.hushed {
		return
	}
	f.hushed = true
	l.out.hushes = append(l.out.hushes, f.replica.id)
	l.poke()
}
