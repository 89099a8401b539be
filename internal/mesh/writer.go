package mesh

import (
	"slices"
	"time"

	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

const (
	// maxWrite is how many bytes are gathered for one write, give or take a record.
	maxWrite = 64 << 10
	// maxData is how many bytes of entries are asked of the hub for one record.
	maxData = 32 << 10
	// haveMin and haveMax bound the time in which what logs have grown by is gathered.
	haveMin = 50 * time.Millisecond
	haveMax = 100 * time.Millisecond
	// maxNothing bounds the answers that there is nothing; more questions than that are not answered.
	maxNothing = 1024
)

// outbox is what one link has to write: sets and cursors, so that it grows with the number of rooms and logs and not with time. Guarded by Mesh.mu.
type outbox struct {
	bye       *wire.Bye
	probe     bool // anything, to see whether the link still lives
	digest    bool // of all rooms
	digests   []wire.RoomDigest
	compared  time.Time       // when digests were last begun
	tells     map[string]bool // rooms to tell of, true where the other is asked for its own
	tellOrder []string
	heads     []wire.Heads // of one room, not written yet
	proven    int          // how many of Mesh.forks were written
	nothing   []wire.Trimmed
	hushes    []wire.LogID
	haves     []*flow
	haveAt    time.Time // when haves is due
	ready     []*flow   // that have something to write, in turn
	addresses [][]byte
	people    map[identity.ID]struct{} // of these nodes
	passed    time.Time                // when addresses were last passed on
	late      []*replica               // scratch of expireLocked
}

// readyLocked puts a flow in the line of those that have something to write.
func (l *link) readyLocked(f *flow) {
	if !f.queued {
		f.queued = true
		l.out.ready = append(l.out.ready, f)
	}
	l.poke()
}

// announceLocked has the other told that a log has grown, in a moment.
func (l *link) announceLocked(f *flow) {
	if f.known {
		return
	}
	f.known = true
	l.out.haves = append(l.out.haves, f)
	if l.out.haveAt.IsZero() {
		l.out.haveAt = l.m.cfg.Now().Add(haveMin + time.Duration(l.m.rand.Int64N(int64(haveMax-haveMin))))
		l.poke()
	}
}

// write writes what there is to say until the link ends.
func (l *link) write() error {
	var buf []byte
	timer := time.NewTimer(haveMax)
	defer timer.Stop()
	for {
		var err error
		if buf, err = l.gather(buf[:0]); err != nil {
			return err
		}
		if len(buf) > 0 {
			if err := l.send(buf); err != nil {
				return quiet(err)
			}
			if cap(buf) > 4*maxWrite {
				buf = nil
			}
			continue
		}
		select {
		case <-l.gone:
			return l.goodbye()
		default:
		}
		l.m.mu.Lock()
		due := l.out.haveAt
		l.m.mu.Unlock()
		if !due.IsZero() {
			timer.Reset(max(due.Sub(l.m.cfg.Now()), 0))
		}
		select {
		case <-l.wake:
		case <-timer.C:
		case <-l.conn.Done():
			return nil
		}
	}
}

// goodbye says the last record, if there is one to say, and leaves the rest to whoever closes the link.
func (l *link) goodbye() error {
	l.m.mu.Lock()
	bye := l.out.bye
	l.m.mu.Unlock()
	if bye == nil {
		return l.conn.Close()
	}
	encoded := wire.Must(nil, bye)
	if len(encoded) > l.conn.Peer().Window() {
		return l.conn.Close() // it does not read
	}
	_, err := l.conn.Peer().Write(encoded)
	return quiet(err)
}

// send writes b, as the stream's window lets it.
func (l *link) send(b []byte) error {
	stream := l.conn.Peer()
	for len(b) > 0 {
		n := min(len(b), stream.Window())
		if n == 0 {
			select {
			case <-l.wake: // nothing is lost: what it hints at is looked at before the next wait
			case <-l.gone:
				return nil
			case <-l.conn.Done():
				return nil
			}
			continue
		}
		if _, err := stream.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// gather encodes what is to be said next behind buf, up to about maxWrite bytes. What people do comes last, and only when there is nothing else.
func (l *link) gather(buf []byte) ([]byte, error) {
	for len(buf) < maxWrite {
		select {
		case <-l.gone:
			return buf, nil // all that counts now is the goodbye
		default:
		}
		record, err := l.say()
		if err != nil {
			return buf, err
		}
		if record == nil && len(buf) == 0 {
			record = l.sayPeople()
		}
		if record == nil {
			return buf, nil
		}
		if buf, err = l.append(buf, record); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// append encodes a record, and counts it.
func (l *link) append(buf []byte, record wire.Record) ([]byte, error) {
	l.m.mu.Lock()
	data, _ := record.(*wire.Entries)
	if data != nil {
		l.m.stats.FramesSent++
		l.m.stats.Sent += uint64(len(data.List))
	} else {
		l.m.stats.SmallSent++
	}
	l.m.mu.Unlock()
	return wire.Append(buf, record)
}

// say returns what is to be said next, or nil.
func (l *link) say() (wire.Record, error) {
	if r := l.saySmall(); r != nil {
		return r, nil
	}
	if r := l.sayHeads(); r != nil {
		return r, nil
	}
	for {
		l.m.mu.Lock()
		if len(l.out.ready) == 0 {
			l.m.mu.Unlock()
			return nil, nil
		}
		f := l.out.ready[0]
		l.out.ready = slices.Delete(l.out.ready, 0, 1)
		f.queued = false
		l.m.mu.Unlock()
		r, err := l.sayFlow(f)
		if r != nil || err != nil {
			return r, err
		}
	}
}

// saySmall returns what is small and goes first.
func (l *link) saySmall() wire.Record {
	m := l.m
	m.mu.Lock()
	defer m.mu.Unlock()
	for l.out.proven < len(m.forks) && m.forks[l.out.proven] == nil {
		l.out.proven++
	}
	switch {
	case l.out.probe:
		l.out.probe = false
		return &wire.Have{}
	case l.out.proven < len(m.forks):
		l.out.proven++
		f := *m.forks[l.out.proven-1] // to be encoded is to be written to, and other links have it too
		return &f
	case len(l.out.hushes) > 0:
		n := min(len(l.out.hushes), wire.MaxGrown)
		r := &wire.Lazy{Logs: l.out.hushes[:n]}
		l.out.hushes = l.out.hushes[n:]
		return r
	case len(l.out.nothing) > 0:
		r := l.out.nothing[0]
		l.out.nothing = l.out.nothing[1:]
		return &r
	case !l.out.haveAt.IsZero() && !m.cfg.Now().Before(l.out.haveAt):
		if r := l.sayHaveLocked(); r != nil {
			return r
		}
	}
	if len(l.out.addresses) > 0 {
		r := &wire.Addresses{List: l.out.addresses}
		l.out.addresses = nil
		return r
	}
	return nil
}

// sayHaveLocked returns how far logs have grown that the other is not known to have.
func (l *link) sayHaveLocked() wire.Record {
	have := &wire.Have{}
	for len(l.out.haves) > 0 && len(have.Logs) < wire.MaxGrown {
		f := l.out.haves[0]
		l.out.haves = l.out.haves[1:]
		f.known = false
		if f.has < f.replica.head && f.told {
			f.said = max(f.said, f.replica.head)
			have.Logs = append(have.Logs, wire.Grown{Log: f.replica.id, Seq: f.replica.head})
		}
	}
	if len(l.out.haves) == 0 {
		l.out.haves, l.out.haveAt = nil, time.Time{}
	}
	if len(have.Logs) == 0 {
		return nil
	}
	return have
}

// sayHeads returns what is next of the digests of all rooms, and of the heads of rooms of which they differ.
func (l *link) sayHeads() wire.Record {
	l.m.mu.Lock()
	begin := l.out.digest
	l.out.digest = false
	l.m.mu.Unlock()
	if begin {
		l.out.digests = l.m.cfg.Hub.Digests(l.admitted)
		n := min(len(l.out.digests), wire.MaxHeads)
		return l.sayDigests(n)
	}
	if len(l.out.digests) > 0 {
		return l.sayDigests(min(len(l.out.digests), wire.MaxHeads))
	}
	if len(l.out.heads) == 0 {
		l.nextHeads()
	}
	if len(l.out.heads) == 0 {
		return nil
	}
	r := l.out.heads[0]
	l.out.heads = l.out.heads[1:]
	return &r
}

// sayDigests returns the next n digests.
func (l *link) sayDigests(n int) wire.Record {
	r := &wire.Digests{Rooms: l.out.digests[:n], Last: n == len(l.out.digests)}
	if l.out.digests = l.out.digests[n:]; len(l.out.digests) == 0 {
		l.out.digests = nil
	}
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	l.out.compared = l.m.cfg.Now()
	return r
}

// nextHeads takes what there is of the next room that is to be told of.
func (l *link) nextHeads() {
	l.m.mu.Lock()
	if len(l.out.tellOrder) == 0 {
		l.out.tellOrder = nil
		l.m.mu.Unlock()
		return
	}
	room := l.out.tellOrder[0]
	ask := l.out.tells[room]
	l.out.tellOrder = l.out.tellOrder[1:]
	delete(l.out.tells, room)
	l.m.mu.Unlock()
	list := l.m.cfg.Hub.Heads(room, l.admitted)
	l.m.mu.Lock()
	for i := range list {
		r := l.m.replicaLocked(&list[i].Log)
		r.head = max(r.head, list[i].Seq)
		f := l.flowLocked(r)
		f.told, f.said = true, max(f.said, list[i].Seq)
	}
	l.m.mu.Unlock()
	for len(list) > wire.MaxHeads {
		l.out.heads = append(l.out.heads, wire.Heads{Room: room, Heads: list[:wire.MaxHeads]})
		list = list[wire.MaxHeads:]
	}
	l.out.heads = append(l.out.heads, wire.Heads{Room: room, Heads: list, Ask: ask})
}

// sayFlow returns what is to be said next of one log, and puts it back in the line if there is more.
func (l *link) sayFlow(f *flow) (wire.Record, error) {
	if r, done := l.sayOfFlow(f); done {
		return r, nil
	}
	from, to := l.cursor(f)
	if from > to {
		return nil, nil
	}
	list, low, err := l.m.cfg.Hub.Entries(f.replica.id, from, to, maxData, l.admitted)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return l.empty(f, from, low), nil
	}
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	last := from + uint64(len(list)) - 1
	f.has = max(f.has, last)
	if f.next > 0 && last >= f.next {
		if f.next = last + 1; f.next > f.to {
			f.next, f.to = 0, 0
			f.live = f.live || f.has >= f.said // else it asks for the rest of what it knows of, as fast as it likes
		}
	}
	l.readyLocked(f) // there may be more
	return &wire.Entries{Log: f.replica.id, First: from, List: list}, nil
}

// empty is for a log that has nothing to be sent from a cursor on: it is told from where on it has.
func (l *link) empty(f *flow, from, low uint64) wire.Record {
	head, _ := l.m.cfg.Hub.HeadOf(f.replica.id, l.admitted)
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if low <= from {
		low = max(f.to, from) + 1
	}
	f.next, f.to, f.live = 0, 0, false
	return &wire.Trimmed{Log: f.replica.id, Low: low, Private: head.Private}
}

// sayOfFlow returns what is to be said of a log before any of its entries, and reports whether there is that.
func (l *link) sayOfFlow(f *flow) (wire.Record, bool) {
	l.m.mu.Lock()
	told, wants := f.told, f.wants
	f.wants = false
	want := f.want
	l.m.mu.Unlock()
	if wants {
		l.m.mu.Lock()
		l.readyLocked(f)
		l.m.mu.Unlock()
		return &want, true
	}
	if told {
		return nil, false
	}
	head, ok := l.m.cfg.Hub.HeadOf(f.replica.id, l.admitted)
	if !ok {
		return nil, true // it is not here, or not theirs to read
	}
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	f.told, f.said = true, max(f.said, head.Seq)
	l.readyLocked(f)
	return &wire.Heads{Room: head.Log.Room, Heads: []wire.Head{head}}, true
}

// cursor returns which entries of a log are to be sent next: those that were asked for, else those that are pushed. There are none when from is above to.
func (l *link) cursor(f *flow) (from, to uint64) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	switch head := f.replica.head; {
	case f.next > 0 && f.next <= head:
		return f.next, min(f.to, head)
	case f.live && !f.lazy:
		return f.has + 1, head
	case f.has < head:
		l.announceLocked(f)
	}
	return 1, 0
}
