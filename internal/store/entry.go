package store

import (
	"errors"

	"chatnode/internal/wire"
)

var errLater = errors.New("not written yet")

func (s *SQLite) Entries(log, from, to uint64, size int) ([]Entry, error) { return nil, errLater }
func (s *SQLite) EntryAt(log, seq uint64) (Entry, error)                  { return Entry{}, errLater }
func (s *SQLite) EntryOf(room, row uint64) (Entry, error)                 { return Entry{}, errLater }
func (s *SQLite) LogLow(log uint64) (uint64, error)                       { return 0, errLater }
func (s *SQLite) Pair(origin [16]byte, cseq uint64) (Pair, bool, error) {
	return Pair{}, false, errLater
}
func (s *SQLite) Causal(room, lamport uint64, id wire.EntryID, n int, back bool) ([]Entry, error) {
	return nil, errLater
}
func (s *SQLite) RowsOf(room, from, to uint64) ([]Place, error) { return nil, errLater }
