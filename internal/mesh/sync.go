package mesh

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"chatnode/internal/hub"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

const (
	// maxStrange bounds the logs, and the rooms, that one link has told of and of which there is nothing here, guestStrange those of a node that is not
	// admitted, as anybody can make them up. Of more nothing is noted: when some have come, the next look at all that both have tells of the rest.
	maxStrange   = 1 << 17
	guestStrange = 4096
	// freshLog is how many entries a log has at most that is pushed whole to whom has never heard of it.
	freshLog = 64
	// maxForks bounds the proofs that are kept of logs of which there is nothing here.
	maxForks = 1024
	// digestEvery is the time after which what both have is compared again, in case that a room has become another's to read.
	digestEvery = time.Minute
	// roundEvery is how often the other may have all that is here looked through: who asks sooner waits.
	roundEvery = 10 * time.Second
	// forkEvery is the time between two proofs of one log, each of an earlier place, that are passed on.
	forkEvery = 10 * time.Second
)

// replica is one log, as far as links are concerned. Guarded by Mesh.mu.
type replica struct {
	id   wire.LogID
	log  wire.Log
	head uint64 // what this node has
	end  uint64 // the first entry of which there are two; 0: none is known
	// The proof of that, and whether the hub has taken it.
	fork   *wire.Fork
	hidden bool
	// What others were told last of that, when, and whether they are to be told more.
	proof  *wire.Fork
	proved time.Time
	proves bool
	// source is the link on which new entries come first; those on which they come later are asked to be lazy. Nil: nobody knows yet.
	source *link
	pull   pull
	queued bool // in Mesh.backlog
	// While it is in Mesh.missed: when it is taken for lost, and what head was when that was decided.
	late     time.Time
	leap     bool // it may begin, or go on, behind a gap
	lateHead uint64
}

// closed reports whether nothing more is to be had of the log: what comes after its fork is nobody's.
func (r *replica) closed() bool { return r.end > 0 && r.head >= r.end-1 }

// flow is one log on one link. Guarded by Mesh.mu.
type flow struct {
	replica *replica

	// What the other has.
	claimed uint64 // by its own word
	has     uint64 // the same, or what it was sent
	low     uint64 // the first that it has
	private bool   // the log's room is, there
	refused bool   // what it has of the log is not taken from it

	// What it is sent.
	told   bool   // it was told of the log by Heads
	said   uint64 // up to where, or by Have
	live   bool   // it has had all that there was, so that what is new can be pushed
	lazy   bool   // it has asked not to be sent what is new
	next   uint64 // of what it has asked for, from
	to     uint64 // and to
	queued bool   // in outbox.ready
	known  bool   // in outbox.haves

	// What it is asked.
	want    wire.Want // to be sent, if its Log is set
	wants   bool
	hushed  bool   // it was asked to be lazy
	waiting bool   // entries of it wait for others
	doubted uint64 // an entry that is here otherwise, by what comes behind it, and was asked for
	agreed  uint64 // the same, once it has come and was not otherwise
}

// replicaLocked returns what is known of a log, which need not be here.
func (m *Mesh) replicaLocked(log *wire.Log) *replica {
	id := log.ID()
	r := m.logs[id]
	switch {
	case r == nil:
		r = &replica{id: id, log: *log}
		m.logs[id] = r
	case len(r.log.Node) == 0: // so far only what builds on it was here: see lack
		r.log = *log
	}
	return r
}

// flowLocked returns the flow of a log, which it makes.
func (l *link) flowLocked(r *replica) *flow {
	f := l.flows[r.id]
	if f == nil {
		f = &flow{replica: r, low: 1}
		l.flows[r.id] = f
		if r.head == 0 {
			l.strange++
		}
	}
	return f
}

// mostStrange returns how much of which there is nothing here the other may tell of.
func (l *link) mostStrange() int {
	if l.admitted {
		return maxStrange
	}
	return l.m.most
}

// mayTellLocked reports whether the other may tell of one more log, of which head is what is here: it is known already, or here, or there are not too many
// that are not. These are counted anew at most once a second.
func (l *link) mayTellLocked(id wire.LogID, head uint64) bool {
	if head > 0 || l.flows[id] != nil || l.strange < l.mostStrange() {
		return true
	}
	if now := l.m.cfg.Now(); now.Sub(l.counted) >= time.Second {
		l.counted, l.strange = now, 0
		for _, f := range l.flows {
			if f.replica.head == 0 {
				l.strange++
			}
		}
	}
	return l.strange < l.mostStrange()
}

// pace has the other wait that begins to tell of all its rooms once more too soon, and reports false when the link ends meanwhile. Each round has
// everything looked through.
func (l *link) pace(rooms int) bool {
	if l.told+rooms > maxStrange { // without end
		l.told, l.round = 0, l.m.cfg.Now()
	}
	if l.told == 0 && !l.round.IsZero() {
		if wait := roundEvery - l.m.cfg.Now().Sub(l.round); wait > 0 && !l.sleep(min(wait, roundEvery)) {
			return false
		}
	}
	l.told += rooms
	return true
}

// digests compares what the other has of each room with what is here.
func (l *link) digests(d *wire.Digests) {
	if !l.pace(len(d.Rooms)) {
		return
	}
	for i := range d.Rooms {
		l.compare(&d.Rooms[i])
	}
	if !d.Last {
		return
	}
	var unheard []string // the other has nothing of them, or nothing that is ours to read
	for _, room := range l.m.cfg.Hub.Digests(l.admitted) {
		if _, heard := l.rooms[room.Room]; !heard {
			unheard = append(unheard, room.Room)
		}
	}
	l.rooms, l.told, l.round = nil, 0, l.m.cfg.Now()
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	l.synced = true
	for _, room := range unheard {
		l.tellLocked(room, true, false)
	}
	l.poke()
}

// compare looks at one room. When both have the same, neither has to say so; else both say what they have.
func (l *link) compare(d *wire.RoomDigest) {
	heads := l.m.cfg.Hub.Heads(d.Room, l.admitted)
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if len(heads) > 0 {
		if l.rooms == nil {
			l.rooms = map[string]struct{}{}
		}
		l.rooms[d.Room] = struct{}{}
	}
	if wire.Digest(heads) != d.Digest {
		l.tellLocked(d.Room, len(heads) > 0, true)
		l.poke()
		return
	}
	for i := range heads {
		r := l.m.replicaLocked(&heads[i].Log)
		r.head = max(r.head, heads[i].Seq)
		f := l.flowLocked(r)
		f.told = true
		f.low, f.private = heads[i].Low, heads[i].Private
		l.hasLocked(f, heads[i].Seq)
	}
}

// hasLocked notes that the other has a log up to seq, by its own word.
func (l *link) hasLocked(f *flow, seq uint64) {
	f.claimed = max(f.claimed, seq)
	l.sentLocked(f, seq)
}

// sentLocked is hasLocked for entries that the other has sent: they need not be asked for before the hub has looked at them.
func (l *link) sentLocked(f *flow, seq uint64) {
	f.has = max(f.has, seq)
	if f.has >= f.replica.head {
		f.live = true
	} else if f.told {
		l.readyLocked(f)
	}
}

// heads notes what the other has of some logs.
func (l *link) heads(h *wire.Heads) error {
	if l.admitted && l.mine(h) { // of others the entries themselves have to show it: anybody can claim that
		if err := l.m.cfg.Hub.RenewLogs(); err != nil {
			return err
		}
		l.restored()
	}
	own := map[wire.LogID]wire.Head{}
	for _, head := range l.m.cfg.Hub.Heads(h.Room, true) {
		own[head.Log.ID()] = head
	}
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	for i := range h.Heads {
		head := &h.Heads[i]
		id := head.Log.ID()
		if !l.mayTellLocked(id, own[id].Seq) {
			continue
		}
		r := l.m.replicaLocked(&head.Log)
		r.head = max(r.head, own[r.id].Seq)
		fresh := l.flows[r.id] == nil && len(h.Heads) == 1 && !h.Ask && head.Low == 1 && head.Seq <= freshLog
		f := l.flowLocked(r)
		f.low, f.private = head.Low, head.Private
		l.hasLocked(f, head.Seq)
		switch mine := own[r.id]; {
		case head.Seq > 0 && head.Seq == mine.Seq && !bytes.Equal(head.ID, mine.ID):
			l.doubtLocked(f, head.Seq)
		case fresh:
			l.m.missLocked(r, graftAfter) // its entries are on their way
		default:
			l.m.planLocked(r, 0)
		}
	}
	if h.Ask {
		l.tellLocked(h.Room, len(own) > 0, false)
	}
	l.poke()
	return nil
}

// mine reports whether the other has, by its own word, entries of the log that this node writes now which are not here: then the store was put back to an
// earlier state, and to wait for the proof would be to write a fork. A log that was begun since the node started is in no copy of its store: of that only
// entries count, which nobody else can have signed, or anybody could have this node begin new logs for ever.
func (l *link) mine(h *wire.Heads) bool {
	nonce := l.m.cfg.Hub.Sharing().Nonce
	if nonce != l.m.nonce {
		return false
	}
	for i := range h.Heads {
		head := &h.Heads[i]
		if head.Log.Nonce != nonce || !bytes.Equal(head.Log.Node, l.m.cfg.Key.Public()) || head.Seq == 0 {
			continue
		}
		own, _ := l.m.cfg.Hub.HeadOf(head.Log.ID(), true)
		if own.Seq < head.Seq || own.Seq == head.Seq && !bytes.Equal(own.ID, head.ID) {
			return true
		}
	}
	return false
}

// tellLocked has the other told what is here of a room, if there is anything here, and asks it to say its own with ask.
func (l *link) tellLocked(room string, here, ask bool) {
	was, there := l.out.tells[room]
	if !there {
		if !here && len(l.out.tells) >= l.mostStrange() {
			return
		}
		l.out.tellOrder = append(l.out.tellOrder, room)
	}
	if l.out.tells == nil {
		l.out.tells = map[string]bool{}
	}
	l.out.tells[room] = was || ask
}

// grew passes on that the hub has more of a log.
func (m *Mesh) grew(id wire.LogID) {
	all, _ := m.cfg.Hub.HeadOf(id, true)
	open, isOpen := m.cfg.Hub.HeadOf(id, false)
	if all.Seq == 0 {
		return
	}
	m.hide(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.replicaLocked(&all.Log)
	r.head = max(r.head, all.Seq)
	for _, l := range m.order {
		if l.waits {
			l.retryLocked()
		}
		if l.admitted || isOpen {
			low := open.Low
			if l.admitted {
				low = all.Low
			}
			l.grewLocked(r, low)
		}
	}
	m.planLocked(r, 0)
}

// grewLocked passes on to one link that there is more of a log, the first entry of which it may read is low.
func (l *link) grewLocked(r *replica, low uint64) {
	f := l.flows[r.id]
	if f == nil {
		f = l.flowLocked(r)
		f.live = low == 1 && r.head <= freshLog && l.synced
	}
	if r.pull.link != nil && r.pull.link != l && f.has < r.head {
		f.live = false // what comes late is not pushed on: others ask for it themselves, and perhaps somebody else
	}
	switch {
	case f.has >= r.head:
		f.live = true
	case !f.told, f.live && !f.lazy:
		l.readyLocked(f)
	default:
		l.announceLocked(f)
	}
}

// noteFork remembers that a log forks, and has all links told, once. Of logs of which there is nothing here so many are remembered and no more: anybody
// can make them up. taken says that the hub hides what it has of the log already.
func (m *Mesh) noteFork(f *wire.Fork, taken bool) (isNew bool) {
	a, _, err := f.Entries()
	if err != nil {
		return false // the hub has checked it
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	id := f.Log.ID()
	if r := m.logs[id]; !taken && (r == nil || r.head == 0) && len(m.forks)+len(m.proving) >= maxForks {
		return false
	}
	r := m.replicaLocked(&f.Log)
	if r.end > 0 && a.Seq >= r.end {
		return false
	}
	r.end, r.fork, r.hidden = a.Seq, f, taken
	m.proveLocked(r)
	return true
}

// proveLocked has all links told that a log forks, where it has not been long since they were told of a later place: then in a while.
func (m *Mesh) proveLocked(r *replica) {
	now := m.cfg.Now()
	if r.proof != nil && now.Sub(r.proved) < forkEvery {
		if !r.proves {
			m.proving = append(m.proving, r)
		}
		r.proves = true
		return
	}
	if at := slices.Index(m.forks, r.proof); at >= 0 {
		m.forks[at] = nil // the new one says more
	}
	r.proof, r.proved, r.proves = r.fork, now, false
	m.forks = append(m.forks, r.fork)
	for _, l := range m.order {
		l.poke()
	}
}

// proveLateLocked has links told what they were not told yet of logs that fork.
func (m *Mesh) proveLateLocked() {
	list := m.proving
	m.proving = nil
	for _, r := range list {
		r.proves = false
		m.proveLocked(r)
	}
}

// hide has the hub take a proof that came before anything of its log.
func (m *Mesh) hide(id wire.LogID) {
	m.mu.Lock()
	var f *wire.Fork
	if r := m.logs[id]; r != nil && r.fork != nil && !r.hidden {
		f, r.hidden = r.fork, true
	}
	m.mu.Unlock()
	if f != nil {
		_, _ = m.cfg.Hub.Prove(f) // it was checked when it came
	}
}

// hasForked reports whether a log is known to fork.
func (m *Mesh) hasForked(id wire.LogID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.logs[id]
	return r != nil && r.end > 0
}

// forked takes a proof in, and passes it on the first time.
func (l *link) forked(f *wire.Fork) error {
	isNew, err := l.m.cfg.Hub.Prove(f)
	switch {
	case err != nil && isStopped(err):
		return err
	case err != nil:
		return fmt.Errorf("%w: a fork that is none: %w", errLie, err)
	case isNew:
		l.proven(f)
	default:
		l.m.noteFork(f, false)
	}
	return nil
}

// proven tells everybody that a log forks.
func (l *link) proven(f *wire.Fork) {
	id := identity.IDOf(f.Log.Node)
	l.log.Warn("a node has signed two histories: what it says from there on is hidden", "forked", id.String(), "room", f.Log.Room)
	if id != l.m.self { // else its store was put back to an earlier state
		l.m.blame(id, "signed two histories")
	}
	l.m.noteFork(f, true)
}

// doubtLocked asks the other for an entry that is here otherwise: the two prove that the log's node has signed two histories.
func (l *link) doubtLocked(f *flow, seq uint64) {
	f.doubted = seq
	f.want, f.wants = wire.Want{Log: f.replica.id, From: seq, To: seq}, true
	l.readyLocked(f)
}

// doubt looks for the place where a log that says two things begins to: o says what came of entries from first to last of it.
func (l *link) doubt(f *flow, o *hub.Offered, first, last uint64) error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if f.doubted > 0 && first <= f.doubted && f.doubted <= last {
		if o.Fork == nil && o.Known > 0 {
			f.agreed = f.doubted
			f.claimed = max(f.claimed, f.agreed+1)
			l.m.planLocked(f.replica, 0)
		}
		f.doubted = 0
	}
	switch {
	case o.Fork != nil:
		a, b, err := o.Fork.Entries()
		if err == nil && a.Seq > 1 && !bytes.Equal(a.Prev, b.Prev) {
			l.doubtLocked(f, a.Seq-1)
		}
	case o.Doubt == 0:
	case o.Doubt == f.agreed:
		return fmt.Errorf("%w: entry %d of %s does not follow the one before it", errLie, o.Doubt+1, f.replica.log.Room)
	default:
		if f.replica.pull.link == l {
			l.m.pulledLocked(f.replica)
		}
		f.claimed = min(f.claimed, f.replica.head)
		l.doubtLocked(f, o.Doubt)
	}
	return nil
}

// sortBy sorts a list by an id.
func sortBy[T any](list []T, id func(T) [32]byte) {
	slices.SortFunc(list, func(a, b T) int { x, y := id(a), id(b); return bytes.Compare(x[:], y[:]) })
}
