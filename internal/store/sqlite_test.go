package store

import (
	"context"
	"math"
	"testing"
)

// retained is a SQLite store that lets go of what is too much with each batch, as Memory does.
type retained struct{ *SQLite }

func (r retained) Append(b *Batch) error {
	if err := r.SQLite.Append(b); err != nil {
		return err
	}
	return r.Retain(context.Background())
}

func TestSQLite(t *testing.T) {
	conform(t, func(t *testing.T, limit int64) engine {
		opt := Options{Total: limit}
		if limit == math.MaxInt64 {
			opt.Total = 0
		}
		s := mustOpen(t, t.TempDir(), opt)
		if limit == math.MaxInt64 {
			return s
		}
		return retained{s}
	})
}

// mustOpen opens a store that is closed with the test.
func mustOpen(t *testing.T, dir string, opt Options) *SQLite {
	t.Helper()
	s, err := Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
