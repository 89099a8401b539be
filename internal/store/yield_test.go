package store

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestIndexGivesWay: while rows are committed fast the index rests, for so many times what its work took; else it goes on at once, and at the end of the
// store it does not wait for the end of its rest.
func TestIndexGivesWay(t *testing.T) {
	for name, tt := range map[string]struct {
		rows uint64 // committed in the last second
		want time.Duration
	}{"quiet": {0, 0}, "busy": {indexBusy - 1, 0}, "a flood": {indexBusy, indexRest * time.Second}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := &index{store: &SQLite{}, seen: 7, since: time.Now()}
				x.store.rows.Store(7 + tt.rows)
				<-time.After(time.Second) // of fake time
				began := time.Now()
				if err := x.giveWay(t.Context(), time.Second); err != nil {
					t.Fatal(err)
				}
				if rested := time.Since(began); rested != tt.want {
					t.Errorf("rested for %v, want %v", rested, tt.want)
				}
				x.store.rows.Add(1 << 30)
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				<-time.After(time.Second)
				began = time.Now()
				if err := x.giveWay(ctx, time.Hour); !errors.Is(err, context.Canceled) || time.Since(began) != 0 {
					t.Errorf("at the end: %v after %v", err, time.Since(began))
				}
			})
		})
	}
}

// TestSearchTakesTooLong: a search that is cut off says so, and the index is none the worse for it.
func TestSearchTakesTooLong(t *testing.T) {
	w := newScribe()
	s := mustOpen(t, t.TempDir(), Options{})
	chatter(t, s, w, 100)
	s.settle(t)
	s.index.patience = 1 // a nanosecond
	if _, err := s.Search(&Query{Words: "tea", Hits: 1, Bytes: 1000}); !errors.Is(err, ErrSlow) {
		t.Errorf("error %v, want ErrSlow", err)
	}
	s.index.patience = searchTime
	if got := found(t, s, "tea"); len(got) != 100 || len(s.index.bad) > 0 {
		t.Errorf("%d rows are found afterwards, want 100; the index is suspected %d times", len(got), len(s.index.bad))
	}
}
