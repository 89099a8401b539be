package store

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"database/sql"
	"errors"
	"fmt"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// logBase is a log as the store says it is.
type logBase struct {
	Log
	id   wire.LogID
	room *roomBase
}

func (l *logBase) faultf(seq uint64, format string, args ...any) error {
	return faultf("%s, log %d, entry %d: %s", l.room.label(), l.Num, seq, fmt.Sprintf(format, args...))
}

// sharing looks at what the store is among others.
func (c *checker) sharing(ctx context.Context) error {
	var s Sharing
	err := loadSharing(ctx, c.archive.conn, &s)
	if errors.Is(err, ErrDamaged) {
		return faultf("what the store is among others: %v", err)
	}
	c.shared = s.Shared
	return err
}

// logs looks at the logs that nodes share.
func (c *checker) logs(ctx context.Context) error {
	return each(ctx, c.archive.conn, "SELECT num, key, nonce, room, low, head, head_id, lamport, forked FROM log ORDER BY num", func(scan scan) error {
		var num, nonce, room, low, head, lamport, forked int64
		var key, id []byte
		if err := scan(&num, &key, &nonce, &room, &low, &head, &id, &lamport, &forked); err != nil {
			return err
		}
		r := c.roomOf(uint64(room))
		switch {
		case num < 1 || num > maxRoom || r == nil:
			return faultf("log %d: no log can have that number, or there is no room %d", num, room)
		case len(key) != ed25519.PublicKeySize || len(id) != len(wire.EntryID{}):
			return faultf("log %d: its key or the id of its last entry has a wrong length", num)
		case low < 1 || head < low-1 || head > maxSeq || lamport < 0 || forked < 0:
			return faultf("log %d: it can't have entries %d to %d, lamport %d and fork at %d", num, low, head, lamport, forked)
		}
		l := &logBase{room: r, Log: Log{Num: uint64(num), Key: [32]byte(key), Nonce: uint64(nonce), Room: uint64(room), Low: uint64(low), Head: uint64(head),
			HeadID: wire.EntryID(id), Lamport: uint64(lamport), Forked: uint64(forked)}}
		name := wire.Log{Node: key, Nonce: l.Nonce, Room: r.LogName()}
		l.id = name.ID()
		c.byNum[l.Num], c.byID[l.id] = l, l
		c.tally.Logs++
		return nil
	})
}

// abroad looks at what numbers of origins stand for elsewhere.
func (c *checker) abroad(ctx context.Context) error {
	return each(ctx, c.archive.conn, "SELECT num, name, via FROM abroad", func(scan scan) error {
		var num int64
		var name, via []byte
		if err := scan(&num, &name, &via); err != nil {
			return err
		}
		if num < 1 || num > c.lastFrom || len(name) != len(Abroad{}.Name) || len(via) != len(Abroad{}.Via) {
			return faultf("origin %d, of another node: no origin can have that number, or what it is there has a wrong length", num)
		}
		return nil
	})
}

// peers looks at the nodes that this one knows.
func (c *checker) peers(ctx context.Context) error {
	return each(ctx, c.archive.conn, "SELECT node, key, mode, hosts, expires, seen FROM peer", func(scan scan) error {
		var node, key, hosts []byte
		var mode, expires, seen int64
		if err := scan(&node, &key, &mode, &hosts, &expires, &seen); err != nil {
			return err
		}
		_, err := parseHosts(hosts)
		switch {
		case !isKey(node) || key != nil && (len(key) != ed25519.PublicKeySize || identity.IDOf(key) != identity.ID(node)):
			return faultf("peer %x: it has the key %x, which is none, or another's", node, key)
		case mode < wire.AdmitGuest || mode > wire.AdmitDrop || expires < 0 || seen < 0 || err != nil:
			return faultf("peer %v: what is known of it makes no sense", identity.ID(node))
		}
		return nil
	})
}

// rowEntry returns the entry of a row, nil when it has none: rows have them without a hole, up to those that are still to be given theirs.
func (c *checker) rowEntry(at *place, row *keptRow, event *wire.Event) (*wire.Entry, error) {
	if row.header == nil {
		at.bare = true
		if event.Opts.Forked {
			return nil, at.room.faultf(row.seq, "it is marked as one of a log that forks, and has no entry")
		}
		return nil, nil
	}
	entry, err := wire.DecodeEntry(row.header)
	num, seq := rowAt(row.entry)
	l := c.byNum[num]
	switch {
	case err != nil:
		return nil, at.room.faultf(row.seq, "its entry can't be read: %v", err)
	case at.bare:
		return nil, at.room.faultf(row.seq, "it has an entry, and the row before has none")
	case l == nil || l.room != at.room:
		return nil, at.room.faultf(row.seq, "its entry is of log %d, which is none of the room", num)
	case entry.Kind != event.Kind || !bytes.Equal(entry.Re, event.Opts.Re):
		return nil, at.room.faultf(row.seq, "it says something else than its entry")
	case event.Opts.Forked != l.isForked(seq):
		return nil, at.room.faultf(row.seq, "it is marked as one of a log that forks, and its log does not fork there, or the other way round")
	}
	return entry, nil
}

// stranger compares a row that was taken from another node with its author, and that it has one.
func (c *checker) stranger(room *roomBase, event *wire.Event, entry *wire.Entry) error {
	index, known := c.origins[event.From]
	if !known || !bytes.Equal(c.authors[index].key[:], entry.Author) {
		return room.faultf(event.Seq, "nobody knows its author, origin %d, or it is not that of its entry", event.From)
	}
	return nil
}

// entries follows each log from the first entry that is kept to the last.
func (c *checker) entries(ctx context.Context) error {
	look, err := c.archive.conn.PrepareContext(ctx, "SELECT name, lamport FROM entry WHERE id = ?")
	if err != nil {
		return err
	}
	defer look.Close()
	f := &logFollower{checker: c, look: look}
	const query = "SELECT id, lamport, name, room, row, hidden, same, act, header, sig, salt, body FROM entry ORDER BY id"
	err = each(ctx, c.archive.conn, query, func(scan scan) error {
		var e Entry
		var id, lamport, room, row, same int64
		var name []byte
		if err := scan(&id, &lamport, &name, &room, &row, &e.Hidden, &same, &e.Act, &e.Header, &e.Sig, &e.Salt, &e.Body); err != nil {
			return err
		}
		if e.Log, e.Seq = rowAt(id); id < 0 || lamport < 0 || row < 0 || same < 0 || len(name) != len(e.ID) {
			return faultf("log %d, entry %d: it can't have lamport %d, row %d and id %x", e.Log, e.Seq, lamport, row, name)
		}
		e.Lamport, e.Room, e.Row, e.Same, e.ID = uint64(lamport), uint64(room), uint64(row), uint64(same), wire.EntryID(name)
		if c.tally.Entries%progressEvery == 0 {
			c.progress(Step{Doing: "checking entries", Done: c.tally.Entries})
		}
		c.tally.Entries++
		return f.follow(ctx, &e)
	})
	if err != nil {
		return err
	}
	return f.end()
}

// logFollower follows logs.
type logFollower struct {
	*checker
	look *sql.Stmt // the id and lamport of an entry

	log  *logBase // that it is at
	last Entry    // the one before; Seq 0: none
}

// end holds the log that it was at, and those that have no entries, to what is said of them.
func (f *logFollower) end() error {
	for _, l := range f.byNum {
		if l.Head >= l.Low && !f.ended[l.Num] && l != f.log {
			return l.faultf(l.Low, "it is missing, as all of its log are")
		}
	}
	return f.leave()
}

// leave looks at the end of the log that it was at.
func (f *logFollower) leave() error {
	l := f.log
	if l == nil {
		return nil
	}
	f.ended[l.Num] = true
	if l.Head < l.Low { // what is left are acts
		return nil
	}
	if f.last.Seq != l.Head || f.last.ID != l.HeadID || f.last.Lamport != l.Lamport {
		return l.faultf(l.Head, "its log should end with it, id %x and lamport %d, and ends with entry %d, id %x and lamport %d", l.HeadID, l.Lamport, f.last.Seq, f.last.ID, f.last.Lamport)
	}
	return nil
}

// follow looks at the next entry.
func (f *logFollower) follow(ctx context.Context, e *Entry) error {
	l := f.byNum[e.Log]
	if l == nil {
		return faultf("log %d, entry %d: there is no such log", e.Log, e.Seq)
	}
	if l != f.log {
		if err := f.leave(); err != nil {
			return err
		}
		f.log, f.last = l, Entry{}
	}
	next := max(l.Low, f.last.Seq+1) // what is below Low are acts, and what stands before a leap
	if e.Seq < l.Low {
		next = e.Seq
	}
	if e.Seq != next || e.Seq > l.Head {
		return l.faultf(next, "it is missing; the one that is there is entry %d", e.Seq)
	}
	entry, err := wire.DecodeEntry(e.Header)
	if err == nil {
		err = entry.Check()
	}
	switch {
	case err != nil:
		return l.faultf(e.Seq, "it can't be read: %v", err)
	case entry.Seq != e.Seq || entry.Lamport != e.Lamport || (entry.Kind == chat.Act) != e.Act:
		return l.faultf(e.Seq, "it is entry %d of its log, of lamport %d and kind %v", entry.Seq, entry.Lamport, entry.Kind)
	case wire.EntryIDOf(l.id, e.Header) != e.ID:
		return l.faultf(e.Seq, "its id is not %x", e.ID)
	case !f.isSigned(l, e):
		return l.faultf(e.Seq, "its node's signature does not hold")
	case f.last.Seq+1 == e.Seq && e.Seq > 1 && !bytes.Equal(entry.Prev, f.last.ID[:]):
		return l.faultf(e.Seq, "it does not stand behind the one before it, %x", f.last.ID)
	}
	if err := f.builds(ctx, e, entry); err != nil {
		return err
	}
	f.last = *e
	return f.place(e, entry)
}

// isSigned reports whether the log's node has signed an entry. This node's own it signs when it passes them on.
func (f *logFollower) isSigned(l *logBase, e *Entry) bool {
	if e.Sig == nil {
		return bytes.Equal(f.key, l.Key[:])
	}
	return identity.CheckSignature(l.Key[:], wire.EntryDomain, e.ID[:], e.Sig)
}

// builds compares an entry's lamport with those of the entries that it builds on, as far as they are kept.
func (f *logFollower) builds(ctx context.Context, e *Entry, entry *wire.Entry) error {
	highest, all := uint64(0), e.Seq == 1 || f.last.Seq+1 == e.Seq
	if f.last.Seq+1 == e.Seq {
		highest = f.last.Lamport
	}
	for i := range entry.Deps {
		dep := &entry.Deps[i]
		l := f.byID[dep.Log]
		if l == nil || dep.Seq < l.Low || l.isForked(dep.Seq) {
			all = false
			continue
		}
		var name []byte
		var lamport uint64
		err := f.look.QueryRowContext(ctx, rowID(l.Num, dep.Seq)).Scan(&name, &lamport)
		if errors.Is(err, sql.ErrNoRows) || err == nil && !bytes.HasPrefix(name, dep.ID) {
			return f.log.faultf(e.Seq, "it builds on entry %d of log %d, %x, which is not there", dep.Seq, l.Num, dep.ID)
		} else if err != nil {
			return err
		}
		highest = max(highest, lamport)
	}
	if want := min(highest+1, wire.MaxCount); e.Lamport < want || all && e.Lamport != want {
		return f.log.faultf(e.Seq, "its lamport is %d, and it builds on one of %d", e.Lamport, highest)
	}
	return nil
}

// place compares an entry with its row, or what it has in place of one.
func (f *logFollower) place(e *Entry, entry *wire.Entry) error {
	l := f.log
	room := l.room
	switch {
	case e.Room != l.Room || e.Row >= room.next || e.Same >= room.next:
		return l.faultf(e.Seq, "it is of room %d, row %d, like row %d: there is none", e.Room, e.Row, e.Same)
	case !e.Hidden && (e.Row < room.low || e.Same > 0 || e.Salt != nil || e.Body != nil):
		return l.faultf(e.Seq, "row %d is not kept any more, or has its text alone", e.Row)
	case e.Seq < l.Low && e.Hidden && !e.Act && e.Row < room.low:
		return l.faultf(e.Seq, "its row is not kept any more, and it is no act")
	case e.Salt == nil && e.Body != nil || e.Salt != nil && len(e.Salt) != len(Row{}.Salt):
		return l.faultf(e.Seq, "its salt has a wrong length")
	case e.Salt != nil:
		if sum := chat.BodySum((*[16]byte)(e.Salt), e.Body); !bytes.Equal(sum[:], entry.Sum) {
			return l.faultf(e.Seq, "what it says is not what it was made of")
		}
	}
	return nil
}

// pairs looks at what came under which pair.
func (c *checker) pairs(ctx context.Context) error {
	return each(ctx, c.archive.conn, "SELECT origin, room, row FROM pair", func(scan scan) error {
		var origin []byte
		var room, row int64
		if err := scan(&origin, &room, &row); err != nil {
			return err
		}
		r := c.roomOf(uint64(room))
		if len(origin) != len(Pair{}.Origin) || r == nil || row < int64(r.low) || row >= int64(r.next) {
			return faultf("the pair of %x is said to be room %d, row %d, which is not there", origin, room, row)
		}
		return nil
	})
}

// forks looks at the proofs against logs that fork.
func (c *checker) forks(ctx context.Context) error {
	proven := map[uint64]bool{}
	err := each(ctx, c.archive.conn, "SELECT log, proof FROM fork", func(scan scan) error {
		var num int64
		var proof []byte
		if err := scan(&num, &proof); err != nil {
			return err
		}
		l := c.byNum[uint64(num)]
		if l == nil {
			return faultf("log %d: it is said to fork, and there is none", num)
		}
		proven[l.Num] = true
		if err := l.proves(proof); err != nil {
			return l.faultf(l.Forked, "the proof that it is said twice does not hold: %v", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for num, l := range c.byNum {
		if l.Forked > 0 && !proven[num] {
			return l.faultf(l.Forked, "it is taken to be said twice, and there is no proof")
		}
	}
	return nil
}

// proves returns an error unless a proof shows that the log forks where it is said to.
func (l *logBase) proves(proof []byte) error {
	if len(proof) < wire.HeaderLen {
		return wire.ErrMalformed
	}
	r, err := wire.Decode(proof[wire.HeaderLen:])
	if err != nil {
		return err
	}
	f, ok := r.(*wire.Fork)
	if !ok || f.Log.ID() != l.id {
		return errors.New("it is of something else")
	}
	a, _, err := f.Entries()
	if err != nil {
		return err
	}
	if a.Seq != l.Forked {
		return fmt.Errorf("it is of entry %d", a.Seq)
	}
	for _, s := range []*wire.Signed{&f.A, &f.B} {
		if id := wire.EntryIDOf(l.id, s.Entry); !identity.CheckSignature(l.Key[:], wire.EntryDomain, id[:], s.Sig) {
			return errors.New("it is not signed")
		}
	}
	return nil
}
