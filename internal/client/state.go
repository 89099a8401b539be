package client

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"chatnode/internal/chat"
	"chatnode/internal/disk"
	"chatnode/internal/identity"
	"chatnode/internal/journal"
)

// The journal is looked at when it is larger than compactAbove, in bytes, and written anew when it is compactTimes what it has to hold.
const (
	compactAbove = 1 << 20
	compactTimes = 4
)

// book is what is used of a *journal.Journal.
type book interface {
	Append(records ...[]byte) error
	Rewrite(records ...[]byte) error
	Size() int64
	Close() error
}

// State is what a client remembers beyond its process: the sends that are not answered, with their origin and numbers, and for each room
// the place behind what was shown, how far it was read and the front end's note on it; and whom the user ignores. Each change is in a file when the method that makes it returns, so a kill loses
// nothing; a power cut may lose the last few, which the node's welcome then brings to light. A State serves one Client, and one
// process at a time: its owner holds a lock. A nil State remembers nothing.
type State struct {
	// Static after OpenState.
	path    string
	damaged bool

	mu      sync.Mutex // guards what follows; held while the file is written
	journal book
	limit   int64 // size of the file at which to look whether writing it anew pays
	memory
}

// OpenState opens the state in the file at path, which is made when it is not there, with an origin from random when it has none. What is
// damaged is left out; Damaged then names a copy. A file that is no state, or that a newer chatnode has written, is an error and stays as
// it is.
func OpenState(path string, random io.Reader) (*State, error) {
	s := &State{path: path, limit: compactAbove, memory: newMemory()}
	j, records, _, err := journal.Open(path, s.putAside)
	if err != nil {
		return nil, err
	}
	s.journal = j
	if err = s.recall(records); err == nil && !s.live {
		var token [16]byte
		if token, err = newToken(random); err == nil {
			err = s.note(originRecord(token, 1, 0))
		}
	}
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return s, nil
}

// recall takes the records in. One that makes no sense is damage, as a wrong checksum is: what was before it counts.
func (s *State) recall(records [][]byte) error {
	for i, r := range records {
		err := s.apply(r)
		switch {
		case err == nil:
			continue
		case errors.Is(err, errNewer):
			return fmt.Errorf("%s: %w", s.path, err)
		case !s.damaged:
			err = s.putAside()
		default:
			err = nil
		}
		if err == nil {
			err = s.journal.Rewrite(records[:i]...)
		}
		return err
	}
	return nil
}

// putAside copies the file to where Damaged says. There is one such copy, the last.
func (s *State) putAside() error {
	s.damaged = true
	all, err := os.ReadFile(s.path)
	if err != nil {
		return err
	}
	return disk.WriteFile(s.Damaged(), all)
}

// Damaged returns the path of a copy of the file as it was found, if some of it could not be read; else "".
func (s *State) Damaged() string {
	if s.damaged {
		return s.path + ".damaged"
	}
	return ""
}

// Close writes what the system holds back and closes the file. The client must have ended.
func (s *State) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.Close()
}

// note writes records down and takes them in: all of them, or none and an error.
func (s *State) note(records ...[]byte) error {
	changes := make([]func(), len(records))
	for i, r := range records {
		var err error
		if changes[i], err = s.decode(r); err != nil {
			return err
		}
	}
	if err := s.journal.Append(records...); err != nil {
		return err
	}
	for _, change := range changes {
		change()
	}
	if s.journal.Size() > s.limit {
		s.compact()
	}
	return nil
}

// compact writes the journal anew if most of it is of no use any more. That it fails is no loss: everything stands in the old file.
func (s *State) compact() {
	records, size := s.records(), int64(0)
	for _, r := range records {
		size += int64(len(r))
	}
	if s.journal.Size() > compactTimes*size {
		_ = s.journal.Rewrite(records...)
	}
	s.limit = max(compactAbove, 2*s.journal.Size())
}

// send writes a send down, which can be written to the node from then on.
func (s *State) send(cseq uint64, d *Draft) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.note(sendRecord(cseq, d))
}

// answered writes down that these sends are answered.
func (s *State) answered(list ...settled) error {
	if s == nil || len(list) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var records [][]byte
	for _, e := range list {
		records = append(records, answeredRecord(e))
	}
	return s.note(records...)
}

// meet writes down the epoch of a node's log, and whose it is.
func (s *State) meet(epoch uint64, at home) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.met && s.epoch == epoch && s.home == at {
		return nil
	}
	return s.note(epochRecord(epoch), homeRecord(at))
}

// told writes down where else the rooms are.
func (s *State) told(nodes []Node) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.note(nodesRecord(nodes))
}

// renew puts another origin, and these sends counted from 1, in the place of what was, all at once. A reset that is not "" also forgets the
// rooms, whose log is another one of this epoch, up to the notes on them, and is owed to the user until resetShown.
func (s *State) renew(token [16]byte, list []left, reset string, epoch uint64, at home) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.under(token, list)
	if reset != "" {
		next.epoch, next.home, next.met, next.owed, next.why, next.rooms = epoch, at, true, s.owed+1, reset, notes(s.rooms)
		if !at.shares(s.home) {
			next.nodes = nil
		}
	}
	return s.replace(next)
}

// move does so for another node of the space, with whose log the rooms are gone on with.
func (s *State) move(token [16]byte, list []left, epoch uint64, at home) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.under(token, list)
	next.epoch, next.home = epoch, at
	return s.replace(next)
}

// under returns what is remembered, with these sends under another origin.
func (s *State) under(token [16]byte, list []left) memory {
	next := s.memory
	next.origin, next.live, next.next, next.highest, next.sends, next.firsts = token, true, 1, 0, map[uint64]Draft{}, map[uint64]pair{}
	for _, l := range list {
		next.sends[next.next] = l.draft
		if l.first.cseq > 0 {
			next.firsts[next.next] = l.first
		}
		next.next++
	}
	return next
}

// replace has the file hold what next adds up to, and nothing else.
func (s *State) replace(next memory) error {
	if err := s.journal.Rewrite(next.records()...); err != nil {
		return err
	}
	s.memory = next
	return nil
}

// retire writes down that the origin is given up. All its sends are answered.
func (s *State) retire() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.note([]byte{kindRetired})
}

// resetShown writes down that one reset of all rooms was shown.
func (s *State) resetShown() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owed == 0 {
		return nil
	}
	return s.note(owedRecord(s.owed-1, s.why))
}

// shown writes down the place behind what was shown of a room; anew says that its log began anew there. What is shown of a log that was
// reset since is of no use.
func (s *State) shown(key string, c chat.Cursor, anew bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[key]
	switch {
	case s.owed > 0 || r.known && r.cursor == c:
		return nil
	case !anew:
		return s.note(cursorRecord(key, c))
	case r.note != "":
		return s.note(forgetRecord(key), noteRecord(key, r.note), cursorRecord(key, c))
	}
	return s.note(forgetRecord(key), cursorRecord(key, c))
}

// step writes down that a message was shown, and the place behind it, and the mark that covers what was shown before, unless that is nil.
func (s *State) step(key string, c chat.Cursor, id chat.ID, m *mark) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owed > 0 {
		return nil
	}
	records := [][]byte{shownRecord(key, c, id)}
	if m != nil {
		records = append(records, markRecord(key, m.seq, m.heads))
	}
	return s.note(records...)
}

// moved writes down the place in another node's log, and which rows behind it were shown before.
func (s *State) moved(key string, c chat.Cursor, seen [][2]uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owed > 0 {
		return nil
	}
	return s.note(cursorRecord(key, c), seenRecord(key, seen))
}

// passed writes down which rows behind the place were shown on another node.
func (s *State) passed(key string, seen [][2]uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owed > 0 {
		return nil
	}
	return s.note(seenRecord(key, seen))
}

// forget writes down that a room was left.
func (s *State) forget(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.rooms[key]; !known {
		return nil
	}
	return s.note(forgetRecord(key))
}

// read writes down how far a room was read.
func (s *State) read(key string, seq uint64) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owed > 0 {
		return nil
	}
	return s.note(readRecord(key, seq))
}

// pin writes down whose a folded name is.
func (s *State) pin(name string, id identity.ID) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.note(pinRecord(name, id))
}

// prefer writes down a front end's note on a room.
func (s *State) prefer(key, note string) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.note(noteRecord(key, note))
}
