package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// progressEvery is how many rows lie between two reports.
const progressEvery = 4096

// place is how far a room's log has been followed.
type place struct {
	room *roomBase
	next uint64 // seq
	hash chat.Hash
	time int64
	bare bool // a row had no entry
}

// keptRow is a row as it stands in the table, with the entry of it. Its bytes are valid until the next one is read.
type keptRow struct {
	room, seq          uint64
	time, era          int64
	salt, hash, record sql.RawBytes
	entry              int64        // its id
	header, sig        sql.RawBytes // nil: there is none
}

// messages follows each room's log from the first row that is kept to the last.
func (c *checker) messages(ctx context.Context) error {
	total, err := c.total(ctx)
	if err != nil {
		return err
	}
	at := place{}
	rooms := c.all
	query := "SELECT id, time, era, salt, hash, record, 0, NULL, NULL FROM message ORDER BY id"
	if c.tally.Logs > 0 {
		query = fmt.Sprintf("SELECT m.id, m.time, m.era, m.salt, m.hash, m.record, coalesce(e.id, 0), e.header, e.sig FROM message m "+
			"LEFT JOIN entry e ON e.room = m.id >> %d AND e.row = m.id & %d AND e.hidden = 0 ORDER BY m.id", seqBits, maxSeq)
	}
	return each(ctx, c.archive.conn, query, func(scan scan) error {
		var row keptRow
		var id int64
		if err := scan(&id, &row.time, &row.era, &row.salt, &row.hash, &row.record, &row.entry, &row.header, &row.sig); err != nil {
			return err
		}
		row.room, row.seq = rowAt(id)
		for len(rooms) > 0 && (at.room == nil || at.room.Num < row.room) && rooms[0].Num <= row.room {
			at = place{room: &rooms[0], next: rooms[0].low, hash: rooms[0].base, time: rooms[0].time}
			rooms = rooms[1:]
		}
		if id < 0 || at.room == nil || at.room.Num != row.room {
			return faultf("room %d, row %d: there is no such room", row.room, row.seq)
		}
		if c.tally.Messages%progressEvery == 0 {
			c.progress(Step{Doing: "checking", Done: c.tally.Messages, Total: total})
		}
		c.tally.Messages++
		return c.message(&at, &row)
	})
}

// total returns how many rows there ought to be.
func (c *checker) total(ctx context.Context) (rows int64, err error) {
	rooms, err := c.archive.Rooms(ctx)
	for i := range rooms {
		rows += int64(rooms[i].Head + 1 - rooms[i].Low)
	}
	return rows, err
}

// message looks at the next row of a room.
func (c *checker) message(at *place, row *keptRow) error {
	room := at.room
	event, err := decodeEvent(row.record)
	switch {
	case row.seq < room.low:
		return room.faultf(row.seq, "it stands before the first one that is kept, %d", room.low)
	case row.seq+1 == at.next && row.header != nil:
		return room.faultf(row.seq, "it has two entries")
	case row.seq != at.next:
		return room.faultf(at.next, "it is missing; the one that is there is row %d", row.seq)
	case len(row.salt) != len(Row{}.Salt) && len(row.salt) != sumLen || len(row.hash) != len(chat.Hash{}):
		return room.faultf(row.seq, "its salt or its hash has a wrong length")
	case err != nil:
		return room.faultf(row.seq, "its record can't be read: %v", err)
	case event.Room != row.room || event.Seq != row.seq:
		return room.faultf(row.seq, "its record is that of room %d, row %d", event.Room, event.Seq)
	case event.Time != row.time:
		return room.faultf(row.seq, "its time is %d, its record's %d", row.time, event.Time)
	case row.time < at.time:
		return room.faultf(row.seq, "its time is before that of the row before")
	case row.era < 0 || row.era >= int64(len(c.epochs)):
		return room.faultf(row.seq, "there is no epoch number %d", row.era)
	}
	entry, err := c.rowEntry(at, row, event)
	if err == nil {
		err = c.proven(at, row, event, entry)
	}
	if err != nil {
		return err
	}
	at.next, at.time = row.seq+1, row.time
	room.next = at.next
	act := identity.SignedAct{Epoch: c.epochs[row.era], From: event.From, CSeq: event.CSeq}
	if row.sig != nil { // of another node, whose numbers they are
		err = c.stranger(room, event, entry)
		act.Epoch, act.From, act.CSeq = entry.Epoch, entry.From, entry.CSeq
	} else {
		err = c.author(room, event)
	}
	if err != nil || event.Kind != chat.Act {
		return err
	}
	if act.Node = c.tally.Node; row.sig != nil {
		num, _ := rowAt(row.entry)
		act.Node = identity.IDOf(c.byNum[num].Key[:])
	}
	return c.signed(at.room, event, act)
}

// signed compares an act with its author's signature, which stands for it wherever the row goes: for the node that took it or, as there once were, for none.
func (c *checker) signed(room *roomBase, event *wire.Event, act identity.SignedAct) error {
	act.Room, act.Body = room.Name, event.Body
	if room.Direct() {
		act.Room = chat.DirectMark
	}
	if _, err := chat.ParseAct(string(event.Body)); err != nil {
		return room.faultf(event.Seq, "it is meant as an act, and is none: %v", err)
	}
	author := c.authors[c.origins[event.From]].key
	old := act
	old.Node = identity.ID{}
	if !act.SignedBy(author, event.Opts.Sig) && !old.SignedBy(author, event.Opts.Sig) {
		return room.faultf(event.Seq, "its author's signature does not hold")
	}
	return nil
}

// decodeEvent takes a record of a row apart, length and all.
func decodeEvent(record []byte) (*wire.Event, error) {
	if len(record) < wire.HeaderLen || int64(binary.BigEndian.Uint32(record)) != int64(len(record)-wire.HeaderLen) {
		return nil, errors.New("its length is another")
	}
	r, err := wire.Decode(record[wire.HeaderLen:])
	if err != nil {
		return nil, err
	}
	event, ok := r.(*wire.Event)
	if !ok {
		return nil, errors.New("it is no message")
	}
	return event, nil
}

// proven compares what a row says with its id, and the id with the room's hash. What the id is made of stands in the entry of a row that has one.
func (c *checker) proven(at *place, row *keptRow, event *wire.Event, entry *wire.Entry) error {
	header := chat.Header{Epoch: c.epochs[row.era], Room: row.room, Seq: row.seq, From: event.From, CSeq: event.CSeq, Time: event.Time, Kind: event.Kind, Name: event.Name}
	copy(header.Re[:], event.Opts.Re)
	if entry != nil {
		header = entry.Header()
	}
	var sum [sumLen]byte
	if wasRedacted := len(row.salt) == sumLen; !wasRedacted {
		sum = chat.BodySum((*[16]byte)(row.salt), event.Body)
	} else if copy(sum[:], row.salt); len(event.Body) > 0 || !bytes.Equal(event.Opts.Gone, row.salt) {
		return at.room.faultf(row.seq, "its text was taken away, and its record is not what that leaves")
	}
	if entry != nil && !bytes.Equal(entry.Sum, sum[:]) {
		return at.room.faultf(row.seq, "what it says is not what its entry was made of")
	}
	id := header.IDOf(sum)
	if id != event.ID {
		return at.room.faultf(row.seq, "what it says does not fit its id, %v", event.ID)
	}
	if at.hash = at.hash.Next(id); at.hash != chat.Hash(row.hash) {
		return at.room.faultf(row.seq, "the hash of the room's log up to here is %x, the store says %x", at.hash, row.hash)
	}
	return nil
}

// author compares a row with what is known of its origin.
func (c *checker) author(room *roomBase, event *wire.Event) error {
	index, known := c.origins[event.From]
	if !known {
		return room.faultf(event.Seq, "nobody knows its author, origin %d", event.From)
	}
	a := &c.authors[index]
	follows := a.room == room.Num
	switch {
	case event.CSeq == 0 || event.CSeq > a.last:
		return room.faultf(event.Seq, "it is message %d of origin %d, which has sent %d", event.CSeq, a.num, a.last)
	case follows && event.CSeq <= a.cseq:
		return room.faultf(event.Seq, "it is message %d of origin %d, and stands behind its message %d", event.CSeq, a.num, a.cseq)
	case follows && event.CSeq == a.cseq+1 && c.runs[a.run].count < math.MaxUint32:
		c.runs[a.run].count++
	default:
		a.run = len(c.runs)
		c.runs = append(c.runs, run{first: event.CSeq, author: index, count: 1})
	}
	a.room, a.cseq = room.Num, event.CSeq
	if ago := a.last - event.CSeq; ago < uint64(a.count) {
		o := &c.outcomesOf(index)[a.count-1-int(ago)]
		if o.Code != chat.OK || o.Seq != event.Seq || o.ID != event.ID || o.Time != event.Time {
			return room.faultf(event.Seq, "it is message %d of origin %d, which was told something else: %v, row %d, id %v", event.CSeq, a.num, o.Code, o.Seq, o.ID)
		}
		a.found |= 1 << ago
	}
	return nil
}

// once finds a message of an origin that stands in two rooms.
func (c *checker) once(ctx context.Context) error {
	slices.SortFunc(c.runs, func(a, b run) int {
		return cmp.Or(cmp.Compare(a.author, b.author), cmp.Compare(a.first, b.first))
	})
	for i := 1; i < len(c.runs); i++ {
		before, next := c.runs[i-1], c.runs[i]
		if before.author == next.author && next.first-before.first < uint64(before.count) {
			return c.twice(ctx, c.authors[next.author].num, next.first)
		}
	}
	return nil
}

// twice says where the two rows of one message stand.
func (c *checker) twice(ctx context.Context, from, cseq uint64) error {
	var where []uint64 // room, seq
	err := each(ctx, c.archive.conn, "SELECT record FROM message ORDER BY id", func(scan scan) error {
		var record sql.RawBytes
		if err := scan(&record); err != nil {
			return err
		}
		if event, err := decodeEvent(record); err == nil && event.From == from && event.CSeq == cseq {
			where = append(where, event.Room, event.Seq)
		}
		return nil
	})
	if err != nil || len(where) < 4 {
		return errors.Join(err, faultf("origin %d: its message %d stands twice", from, cseq))
	}
	second, _ := slices.BinarySearchFunc(c.all, where[2], func(r roomBase, num uint64) int { return cmp.Compare(r.Num, num) })
	first, _ := slices.BinarySearchFunc(c.all, where[0], func(r roomBase, num uint64) int { return cmp.Compare(r.Num, num) })
	return c.all[second].faultf(where[3], "it is message %d of origin %d, which is already row %d of %s", cseq, from, where[1], c.all[first].label())
}
