package bench

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

const (
	// pastAuthors have written a past that is made up, and a batch of it has pastBatch rows.
	pastAuthors = 64
	pastBatch   = 1024
	// pastEvery is how far its messages are apart.
	pastEvery = 10 * time.Second
	// indexPoll is how often the search index is asked whether it has caught up, indexStall how long it may stand still.
	indexPoll  = 20 * time.Millisecond
	indexStall = time.Minute
)

// writePast makes a store in dir with a room of count messages, as a node would have left it: its search index has all of them too.
func writePast(ctx context.Context, dir string, count, payload int, p *progress) (err error) {
	opened, err := store.Open(dir, store.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	if count == 0 {
		return nil
	}
	s, err := newScribe(opened)
	if err != nil {
		return err
	}
	return s.writeAll(ctx, count, payload, p)
}

// writeAll writes count messages, and waits until all of them can be found.
func (s *scribe) writeAll(ctx context.Context, count, payload int, p *progress) error {
	began := time.Now().Add(-time.Duration(count) * pastEvery)
	prose := newProse()
	for n := range count {
		author := prose.random.IntN(pastAuthors)
		s.write(author, prose.text(payload), began.Add(time.Duration(n)*pastEvery))
		if (n+1)%pastBatch != 0 && n+1 < count {
			continue
		}
		p.say("writing a store: %d of %d messages", n+1, count)
		if err := s.commit(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return awaitIndex(ctx, s.store, p)
}

// awaitIndex waits until the search index has everything.
func awaitIndex(ctx context.Context, opened *store.SQLite, p *progress) error {
	ticker := time.NewTicker(indexPoll)
	defer ticker.Stop()
	last, since := uint64(0), time.Now()
	for {
		found, err := opened.Search(&store.Query{})
		switch {
		case err != nil:
			return err
		case found.Behind == 0:
			return nil
		case found.Behind != last:
			last, since = found.Behind, time.Now()
		case time.Since(since) > indexStall:
			return &stallError{"the search index"}
		}
		p.say("writing a store: %d messages to index", found.Behind)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// scribe writes the bench's room straight into a store, as the sequencer would: numbers, ids, hashes, outcomes and all.
type scribe struct {
	store   *store.SQLite
	epoch   uint64
	room    store.Room
	head    uint64
	hash    chat.Hash
	origins []store.Origin
	batch   store.Batch

	// Where the store is shared.
	log   *wire.Log
	logID wire.LogID
	prev  wire.EntryID // of the last entry
}

// newScribe returns a scribe for an empty store, with pastAuthors authors who have their names.
func newScribe(opened *store.SQLite) (*scribe, error) {
	state, err := opened.Load()
	if err != nil {
		return nil, err
	}
	s := &scribe{store: opened, epoch: state.Epoch}
	now := chat.Millis(time.Now())
	for i := range pastAuthors {
		o := store.Origin{Num: uint64(i + 1)}
		var key identity.ID
		crand.Read(key[:]) // never fails; nor do the others
		crand.Read(o.Token[:])
		o.Key = key
		s.origins = append(s.origins, o)
		s.batch.People = append(s.batch.People, store.Person{Key: key, Name: publisherName(i), Since: now, Seen: now})
	}
	s.room = store.Room{Num: 1, Name: roomName, Created: now, Owner: s.origins[0].Key}
	s.batch.Rooms = append(s.batch.Rooms, s.room)
	return s, nil
}

// write puts one message into the batch.
func (s *scribe) write(author int, body []byte, at time.Time) {
	o := &s.origins[author]
	o.Last++
	s.head++
	row := store.Row{
		Header: chat.Header{
			Epoch: s.epoch, Room: s.room.Num, Seq: s.head, From: o.Num, CSeq: o.Last, Time: chat.Millis(at), Kind: chat.Text, Name: publisherName(author),
		},
		Body: body,
	}
	crand.Read(row.Salt[:])
	row.ID = row.Header.ID(&row.Salt, body)
	s.hash = s.hash.Next(row.ID)
	row.Hash = s.hash
	row.Record = wire.Must(nil, &wire.Event{
		Room: row.Room, Seq: row.Seq, From: row.From, CSeq: row.CSeq, Time: row.Time, Name: row.Name, Kind: row.Kind, Body: body, ID: row.ID,
	})
	outcome := store.Outcome{CSeq: o.Last, Seq: row.Seq, ID: row.ID, Time: row.Time}
	o.Outcomes = append(o.Outcomes, outcome)
	s.batch.Rows = append(s.batch.Rows, row)
	if s.log != nil {
		s.enter(&row, o)
	}
}

// share has the scribe give each message an entry in a log of the node whose key that is. Nothing has been written before.
func (s *scribe) share(key *identity.Key) error {
	state, err := s.store.Load()
	if err != nil {
		return err
	}
	state.Sharing.Shared = true
	s.log = &wire.Log{Node: key.Public(), Nonce: state.Sharing.Nonce, Room: roomName}
	s.logID = s.log.ID()
	s.batch.Sharing = &state.Sharing
	s.batch.Logs = []store.Log{{Num: 1, Key: [32]byte(key.Public()), Nonce: s.log.Nonce, Room: s.room.Num, Low: 1}}
	return nil
}

// enter puts the entry of a message into the batch.
func (s *scribe) enter(row *store.Row, o *store.Origin) {
	origin, sum := wire.OriginName(o.Token), chat.BodySum(&row.Salt, row.Body)
	e := wire.Entry{
		Seq: row.Seq, Lamport: row.Seq, Epoch: row.Epoch, Num: row.Room, Row: row.Seq, From: row.From, CSeq: row.CSeq, Time: row.Time, Name: row.Name, Kind: row.Kind,
		Author: o.Key[:], Origin: origin[:], Sum: sum[:],
	}
	if row.Seq > 1 {
		e.Prev = s.prev[:]
	} else {
		e.Opts.Owner, e.Opts.Made = s.room.Owner[:], s.room.Created
	}
	header := e.Encode()
	s.prev = wire.EntryIDOf(s.logID, header)
	s.batch.Entries = append(s.batch.Entries, store.Entry{Log: 1, Seq: row.Seq, Lamport: row.Seq, ID: s.prev, Room: row.Room, Row: row.Seq, Header: header})
}

// commit has the store keep the batch.
func (s *scribe) commit() error {
	s.batch.Origins = s.batch.Origins[:0]
	for i := range s.origins {
		o := &s.origins[i]
		o.Outcomes = slices.Clone(o.Outcomes[max(0, len(o.Outcomes)-chat.MaxInFlight):]) // the store may keep those of the last batch
		s.batch.Origins = append(s.batch.Origins, *o)
	}
	if err := s.store.Append(&s.batch); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	s.batch = store.Batch{Rows: s.batch.Rows[:0], Origins: s.batch.Origins[:0], Entries: s.batch.Entries[:0]}
	return nil
}

// prose makes texts up whose words are as often the same as those of people (Zipf's law): a search index of one sentence, over and over, would say
// nothing. They are the same in each run of the bench.
type prose struct {
	random *rand.Rand
	zipf   *rand.Zipf
	words  []string
}

func newProse() *prose {
	const vocabulary = 20_000
	p := &prose{random: rand.New(rand.NewPCG(1, 2))}
	p.zipf = rand.NewZipf(p.random, 1.1, 3, vocabulary-1)
	const consonants, vowels = "bcdfghjklmnprstvwz", "aeiou"
	for i := range vocabulary {
		var word []byte
		for range 1 + p.random.IntN(2) + min(i/50, 1) + min(i/2000, 1) { // syllables: what is said often is short
			word = append(word, consonants[p.random.IntN(len(consonants))], vowels[p.random.IntN(len(vowels))])
		}
		p.words = append(p.words, string(word))
	}
	return p
}

// text returns a text of n bytes.
func (p *prose) text(n int) []byte {
	text := make([]byte, 0, n+16)
	for len(text) < n {
		text = append(append(text, p.words[p.zipf.Uint64()]...), ' ')
	}
	text = text[:n]
	text[n-1] = '.'
	return text
}
