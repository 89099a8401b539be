package store

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"math/bits"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// Tally is what a check went through.
type Tally struct {
	Node          identity.ID // zero while the store has had no node
	Rooms         int         // conversations apart
	Conversations int
	Messages      int64
	Logs          int // that nodes share
	Entries       int64
}

// Progress is told now and then how far something is.
type Progress func(Step)

// Step is what is being done, and how much of how much: rows, or bytes. A Total of 0 is not known.
type Step struct {
	Doing       string
	Done, Total int64
	Bytes       bool
}

// Check returns the first thing in the store that can't be true, as a *Fault; any other error means that it could not be read to the end. It
// holds the tables of rooms, origins and people in memory, and at most 16 bytes for each message.
func (a *Archive) Check(ctx context.Context, progress Progress) (Tally, error) {
	c := &checker{archive: a, progress: progress, origins: map[uint64]uint32{}, byNum: map[uint64]*logBase{}, byID: map[wire.LogID]*logBase{}, ended: map[uint64]bool{}}
	for _, part := range []func(context.Context) error{c.eras, c.meta, c.sharing, c.rooms, c.senders, c.people, c.invites, c.standings, c.bars, c.logs, c.abroad, c.peers,
		c.messages, c.once, c.remembered, c.entries, c.pairs, c.forks, c.pages} {
		if err := part(ctx); err != nil {
			return Tally{}, a.explain(ctx, err)
		}
	}
	return c.tally, nil
}

// checker looks through a store, part by part, each of which relies on those before it.
type checker struct {
	archive  *Archive
	progress Progress
	tally    Tally

	epochs   []uint64
	lastRoom int64
	lastFrom int64
	all      []roomBase        // in the order of their numbers
	authors  []author          // in the order of their numbers
	origins  map[uint64]uint32 // index in authors by number
	runs     []run

	key   ed25519.PublicKey // the node's; nil while the store has had none
	byNum map[uint64]*logBase
	byID  map[wire.LogID]*logBase
	ended map[uint64]bool // logs that have been followed to their end

	shared bool // the store has logs in common with others

	outcomes []Outcome // of the origin that was looked up last
	whose    uint32
}

// roomBase is where a room's log begins.
type roomBase struct {
	Room
	low  uint64
	base chat.Hash
	time int64
	next uint64 // behind the last row, once rows have been followed
}

// author is an origin, and how far its messages have been followed.
type author struct {
	num      uint64
	key      identity.ID
	last     uint64
	outcomes []byte // encoded
	count    int    // of outcomes
	found    uint64 // which of the outcomes' rows have been met, the last one in the lowest bit

	room uint64 // that its last message was met in
	cseq uint64
	run  int // in checker.runs
}

// run is a number of messages of one origin that follow one another, in one room.
type run struct {
	first  uint64 // cseq
	author uint32 // in checker.authors
	count  uint32
}

func (c *checker) eras(ctx context.Context) (err error) {
	if c.epochs, err = loadEras(ctx, c.archive.conn); err != nil && resultCode(err) == 0 {
		err = faultf("the table of epochs: %v", err)
	}
	return err
}

func (c *checker) meta(ctx context.Context) error {
	c.lastRoom, c.lastFrom = -1, -1
	err := each(ctx, c.archive.conn, "SELECT key, value FROM meta", func(scan scan) error {
		var key string
		var value any
		if err := scan(&key, &value); err != nil {
			return err
		}
		number, isNumber := value.(int64)
		text, isText := value.([]byte)
		switch key {
		case "last_room":
			c.lastRoom = number
		case "last_from":
			c.lastFrom = number
		case metaNodeKey:
			k, err := identity.ParseKey(text)
			if err != nil || !isText {
				return faultf("the node's key is none")
			}
			c.tally.Node, c.key = k.ID(), k.Public()
			return nil
		case metaCopied:
		default:
			return nil // nobody reads it
		}
		if !isNumber || number < 0 {
			return faultf("%q is %v, which is no number", key, value)
		}
		return nil
	})
	if err == nil && (c.lastRoom < 0 || c.lastFrom < 0) {
		err = faultf("the highest number of a room or an origin is missing")
	}
	return err
}

func (c *checker) rooms(ctx context.Context) error {
	titles := map[string]uint64{}
	const query = "SELECT num, name, topic, owner, peer1, peer2, low, base, base_time, keep_set, keep_age, keep_size, flags, slow, welcome, pins, open " +
		"FROM room ORDER BY num"
	return each(ctx, c.archive.conn, query, func(scan scan) error {
		var r roomBase
		var num, low, keepSet, flags, open int64
		var owner, peer1, peer2, base, pins []byte
		if err := scan(&num, &r.Name, &r.Topic, &owner, &peer1, &peer2, &low, &base, &r.time, &keepSet, &r.Keep.Age, &r.Keep.Size,
			&flags, &r.Rules.Slow, &r.Rules.Welcome, &pins, &open); err != nil {
			return err
		}
		r.Num, r.low, r.next = uint64(num), uint64(low), uint64(low)
		switch {
		case num < 1 || num > maxRoom || num > c.lastRoom:
			return faultf("room %d: no room can have that number, the last one given is %d", num, c.lastRoom)
		case fill(r.Owner[:], owner) != nil || fill(r.Peers[0][:], peer1) != nil || fill(r.Peers[1][:], peer2) != nil || len(base) != len(r.base):
			return faultf("room %d: a key or a hash has a wrong length", num)
		}
		r.base = chat.Hash(base)
		title := r.Name
		if r.Direct() {
			title = string(peer1) + string(peer2)
		}
		other, taken := titles[title]
		titles[title] = r.Num
		switch {
		case r.Direct() == (r.Name != "") || !r.Direct() && !chat.MayBeRoom(r.Name) || bytes.Compare(peer1, peer2) > 0:
			return faultf("room %d: it is neither a room with a name nor a conversation of two", num)
		case taken:
			return faultf("%s: room %d is the same", r.label(), other)
		case low < 1 || low > maxSeq+1 || low == 1 && (r.base != chat.Hash{} || r.time != 0):
			return faultf("%s: its log can't begin with row %d, hash %x and time %d", r.label(), low, base, r.time)
		case keepSet < 0 || keepSet > 1 || r.Keep.Age < 0 || r.Keep.Size < 0:
			return faultf("%s: what is to be kept of it makes no sense", r.label())
		case rulesOf(&r.Rules, flags, open, pins) != nil || r.Rules.Slow > chat.MaxSlow || !isReason(r.Rules.Welcome):
			return faultf("%s: what its moderators have set makes no sense", r.label())
		case r.Direct() && !r.Rules.none():
			return faultf("%s: a conversation has no moderators", r.label())
		}
		if r.Direct() {
			c.tally.Conversations++
		} else {
			c.tally.Rooms++
		}
		c.all = append(c.all, r)
		return nil
	})
}

// senders looks at the origins.
func (c *checker) senders(ctx context.Context) error {
	tokens := map[OriginToken]bool{}
	return each(ctx, c.archive.conn, "SELECT num, token, key, last, outcomes FROM origin ORDER BY num", func(scan scan) error {
		var num, last int64
		var token, key, outcomes []byte
		if err := scan(&num, &token, &key, &last, &outcomes); err != nil {
			return err
		}
		var t OriginToken
		parsed, err := parseOutcomes(outcomes, uint64(last))
		switch {
		case num < 1 || num > c.lastFrom:
			return faultf("origin %d: no origin can have that number, the last one given is %d", num, c.lastFrom)
		case len(key) != len(identity.ID{}) || fill(t[:], token) != nil:
			return faultf("origin %d: its key or its token has a wrong length", num)
		case token != nil && tokens[t]:
			return faultf("origin %d: another one has the same token", num)
		case last < 0 || err != nil || len(parsed) > chat.MaxInFlight || token == nil && len(parsed) > 0:
			return faultf("origin %d: what became of its last messages can't be read", num)
		}
		if token != nil {
			tokens[t] = true
		}
		c.origins[uint64(num)] = uint32(len(c.authors))
		c.authors = append(c.authors, author{num: uint64(num), key: identity.ID(key), last: uint64(last), outcomes: outcomes, count: len(parsed)})
		return nil
	})
}

// remembered finds outcomes that speak of a row that is not there, and can't have been let go of.
func (c *checker) remembered(context.Context) error {
	highest := uint64(0)
	for i := range c.all {
		highest = max(highest, c.all[i].low)
	}
	for i := range c.authors {
		if bits.OnesCount64(c.authors[i].found) == c.authors[i].count {
			continue
		}
		for _, o := range c.outcomesOf(uint32(i)) {
			met := c.authors[i].found>>(c.authors[i].last-o.CSeq)&1 == 1
			if !met && o.Code == chat.OK && o.Seq > 0 && o.Seq >= highest && !c.told(o.Seq) {
				return faultf("origin %d: its message %d was told to be row %d, which no room has", c.authors[i].num, o.CSeq, o.Seq)
			}
		}
	}
	return nil
}

// told reports whether an outcome may speak of a row with this seq that came by another origin: of a publish that was offered to another node before, and
// whose row came from there.
func (c *checker) told(seq uint64) bool {
	return c.shared && slices.ContainsFunc(c.all, func(r roomBase) bool { return seq < r.next })
}

// outcomesOf returns the remembered outcomes of an origin.
func (c *checker) outcomesOf(index uint32) []Outcome {
	if c.whose != index || c.outcomes == nil {
		a := &c.authors[index]
		c.outcomes, _ = parseOutcomes(a.outcomes, a.last) // has been read before
		c.whose = index
	}
	return c.outcomes
}

// pages has SQLite look through its own file.
func (c *checker) pages(ctx context.Context) error {
	c.progress(Step{Doing: "checking the file"})
	return each(ctx, c.archive.conn, "PRAGMA integrity_check(1)", func(scan scan) error {
		var found string
		if err := scan(&found); err != nil {
			return err
		}
		if found != "ok" {
			return faultf("the file %s is damaged: %s", c.archive.file, chat.OneLine(found))
		}
		return nil
	})
}

func (r *roomBase) faultf(seq uint64, format string, args ...any) error {
	return faultf("%s, row %d: %s", r.label(), seq, fmt.Sprintf(format, args...))
}
