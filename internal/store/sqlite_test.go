package store

import (
	"context"
	"math"
	"testing"
	"time"
)

// subject is a SQLite store under test.
type subject struct {
	*SQLite
	indexed chan struct{} // capacity 1: the index has gone on
	erased  chan struct{} // capacity 1: something was erased
}

// mustOpen opens a store that is closed with the test.
func mustOpen(t testing.TB, dir string, opt Options) *subject {
	t.Helper()
	s, err := openSubject(dir, opt, steps)
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

func openSubject(dir string, opt Options, steps []step) (*subject, error) {
	indexed, erased, moment := make(chan struct{}, 1), make(chan struct{}, 1), opt.Moment
	opt.Moment = func(m string) {
		if moment != nil {
			moment(m)
		}
		if hint := map[string]chan struct{}{Indexed: indexed, Erased: erased}[m]; hint != nil {
			select {
			case hint <- struct{}{}:
			default:
			}
		}
	}
	s, err := open(dir, opt, steps)
	return &subject{s, indexed, erased}, err
}

// settled reports whether the index has all rows that are there, and no others.
func (s *subject) settled() bool {
	behind := s.index.behind() != 0
	for _, e := range s.all() {
		if d := s.index.at(e.Num); d.seq > 0 && d.low < e.Low {
			behind = true
		}
	}
	return !behind
}

// settle waits until the index has caught up.
func (s *subject) settle(t *testing.T) {
	t.Helper()
	late := time.After(time.Minute)
	for !s.settled() {
		select {
		case <-s.indexed:
		case <-late:
			t.Fatal("the index does not catch up")
		}
	}
}

// retained is a SQLite store that lets go of what is too much with each batch, as Memory does.
type retained struct{ *subject }

func (r retained) Append(b *Batch) error {
	if err := r.SQLite.Append(b); err != nil {
		return err
	}
	return r.Retain(context.Background())
}

func TestSQLite(t *testing.T) {
	conform(t, func(t *testing.T, limit int64) engine {
		if limit == math.MaxInt64 {
			return mustOpen(t, t.TempDir(), Options{})
		}
		return retained{mustOpen(t, t.TempDir(), Options{Total: limit})}
	})
}
