package faults

import (
	"sync/atomic"

	"chatnode/internal/chat"
	"chatnode/internal/hub"
	"chatnode/internal/store"
)

// Backend is a node's store.
type Backend interface {
	hub.Store
	Close() error
}

// Hooks are what happens on the way into a store and out of it. Each is told the number of its call, from 1. Those that are nil do nothing; one that
// takes its time is a slow disk.
type Hooks struct {
	// Before is called ahead of each Append; its error is Append's, and then nothing is written.
	Before func(n uint64) error
	// After is called behind each Append that succeeded; its error is Append's, although the batch is kept.
	After func(n uint64) error
	// Read is called ahead of each page, hash and search; its error is theirs.
	Read func(n uint64) error
}

// Store is a store that fails as its hooks say. Load is not among what fails: a node that can't load its store never begins.
type Store struct {
	Backend
	hooks   Hooks
	appends atomic.Uint64
	reads   atomic.Uint64
}

// NewStore returns a store that passes everything on to backend, hooks permitting.
func NewStore(backend Backend, hooks Hooks) *Store { return &Store{Backend: backend, hooks: hooks} }

func call(hook func(uint64) error, count *atomic.Uint64) error {
	n := count.Add(1)
	if hook == nil {
		return nil
	}
	return hook(n)
}

// Append is the backend's, between Before and After.
func (s *Store) Append(b *store.Batch) error {
	if err := call(s.hooks.Before, &s.appends); err != nil {
		return err
	}
	if err := s.Backend.Append(b); err != nil || s.hooks.After == nil {
		return err
	}
	return s.hooks.After(s.appends.Load()) // one goroutine appends
}

// Page is the backend's, behind Read.
func (s *Store) Page(room, from, to uint64, size int) (records []byte, next uint64, err error) {
	if err := call(s.hooks.Read, &s.reads); err != nil {
		return nil, 0, err
	}
	return s.Backend.Page(room, from, to, size)
}

// HashAt is the backend's, behind Read.
func (s *Store) HashAt(room, seq uint64) (chat.Hash, error) {
	if err := call(s.hooks.Read, &s.reads); err != nil {
		return chat.Hash{}, err
	}
	return s.Backend.HashAt(room, seq)
}

// Search is the backend's, behind Read.
func (s *Store) Search(q *store.Query) (store.Found, error) {
	if err := call(s.hooks.Read, &s.reads); err != nil {
		return store.Found{}, err
	}
	return s.Backend.Search(q)
}
