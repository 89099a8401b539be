package store

import (
	"bytes"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFailed: after the first failure nothing is written any more, reading goes on, and Close works; what was acknowledged is there afterwards.
func TestFailed(t *testing.T) {
	dir, w := t.TempDir(), newScribe()
	s := mustOpen(t, dir, Options{})
	w.fill(t, s, 5, 100)
	before := mustLoad(t, s)
	const trigger = "CREATE TEMP TRIGGER broken BEFORE INSERT ON person BEGIN SELECT raise(ABORT, 'the disk is on fire'); END"
	if _, err := s.writer.conn.ExecContext(t.Context(), trigger); err != nil {
		t.Fatal(err)
	}
	first := s.Append(&Batch{Rows: []Row{w.row(1, 100)}, People: []Person{{Name: "carol", Key: key(1)}}})
	if first == nil || errors.Is(first, ErrOrder) {
		t.Fatalf("error %v", first)
	}
	if _, err := s.writer.conn.ExecContext(t.Context(), "DROP TRIGGER temp.broken"); err != nil {
		t.Fatal(err)
	}
	_, errFree := s.Free()
	_, errLoad := s.Load()
	_, errKey := s.NodeKey([]byte("x"))
	for call, err := range map[string]error{"Append": s.Append(&Batch{}), "Free": errFree, "Load": errLoad, "NodeKey": errKey, "Retain": s.Retain(t.Context())} {
		if !errors.Is(err, first) {
			t.Errorf("%s afterwards: %v, want %v", call, err, first)
		}
	}
	if page, _, err := s.Page(1, 1, 10, 1000); len(page) != 500 || err != nil {
		t.Errorf("a page afterwards: %d bytes, %v", len(page), err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := s.Append(&Batch{}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if diff := cmp.Diff(before, mustLoad(t, mustOpen(t, dir, Options{}))); diff != "" {
		t.Errorf("something of the failed batch stayed (-want +got):\n%s", diff)
	}
}

// TestDiskFull: a batch for which there is no room is not acknowledged; all those before it are there when there is room again.
func TestDiskFull(t *testing.T) {
	dir, w := mounted(t, "tmpfs", "size=3m"), newScribe()
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, filepath.Join(dir, "store"), Options{})
	kept := uint64(0)
	var full error
	for full == nil {
		b := &Batch{Rooms: []Room{{Num: 1, Name: "lobby"}}}
		for range 20 {
			b.Rows = append(b.Rows, w.row(1, 1000))
		}
		if full = s.Append(b); full == nil {
			kept += 20
		}
	}
	if err := s.Append(&Batch{}); err == nil || kept == 0 {
		t.Fatalf("%d rows were kept before %v, then %v", kept, full, err)
	}
	if err := s.Close(); err != nil {
		t.Logf("close: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, filepath.Join(dir, "store"), Options{})
	if head := mustLoad(t, s).Rooms[0].Head; head != kept && head != kept+20 { // of the last batch it can't be known
		t.Errorf("head %d, want %d", head, kept)
	}
	for seq := uint64(1); seq <= kept; seq++ {
		if page, _, err := s.Page(1, seq, seq, 1); !bytes.Equal(page, record(1, seq, 1000)) || err != nil {
			t.Fatalf("row %d: %.20q, %v", seq, page, err)
		}
	}
}

// TestCloseWhileBusy: Close ends a store in the middle of whatever it does, and nothing acknowledged is lost.
func TestCloseWhileBusy(t *testing.T) {
	for round := range 15 {
		dir, w := t.TempDir(), newScribe()
		s := mustOpen(t, dir, Options{Total: 200_000})
		chatter(t, s, w, 300)
		var busy sync.WaitGroup
		begun := make(chan struct{}, 16)
		kept := [4]uint64{}
		loop := func(f func() error) {
			busy.Go(func() {
				for first := true; ; first = false {
					err := f()
					if errors.Is(err, ErrClosed) {
						return
					}
					if err != nil && !errors.Is(err, ErrTrimmed) && !errors.Is(err, ErrNoRow) {
						t.Errorf("%v, want ErrClosed", err)
						return
					}
					if first {
						begun <- struct{}{}
					}
				}
			})
		}
		loop(func() error {
			b := &Batch{}
			for range 30 {
				b.Rows = append(b.Rows, w.say(t, 1, "carol", "tea", int64(w.heads[1])))
			}
			err := s.Append(b)
			if err == nil {
				kept[1] = w.heads[1]
			}
			return err
		})
		loop(func() error { _, _, err := s.Page(1, 1+rand.Uint64N(500), 1000, 64<<10); return err })
		loop(func() error { _, err := s.Search(&Query{Words: "tea", Hits: 50, Bytes: 1 << 20}); return err })
		loop(func() error { _, err := s.SeqAt(1, rand.Int64N(1000)); return err })
		loop(func() error { _, err := s.HashAt(1, rand.Uint64N(1000)); return err })
		loop(func() error { _, err := s.Load(); return err })
		loop(func() error { return s.Retain(t.Context()) })
		for range 7 {
			<-begun
		}
		for range 2 {
			busy.Go(func() {
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
				if left, _ := filepath.Glob(filepath.Join(dir, "*-*")); len(left) > 0 {
					t.Errorf("round %d: left behind by Close: %q", round, left)
				}
			})
		}
		busy.Wait()
		s = mustOpen(t, dir, Options{})
		if head := mustLoad(t, s).Rooms[0].Head; head != kept[1] {
			t.Errorf("head %d, acknowledged %d", head, kept[1])
		}
	}
}

var damages = flag.Int("store.damages", 8, "how often TestDamaged damages each file")

// TestDamaged flips bits of a store's files, or cuts them off. SQLite notices what its own structures contradict, the log's checksums what is torn off
// it; a record's own bytes are covered by nothing that is read on the way to a client, whose hash chain covers the id alone: `chatnode check`, which has
// the salt, finds those. So of each row either the bytes come back as they were, or with the flipped bit in them, or an error.
func TestDamaged(t *testing.T) {
	closed, died := t.TempDir(), ""
	w := newScribe()
	s := mustOpen(t, closed, Options{})
	for range 10 {
		chatter(t, s, w, 60)
		s.settle(t)
	}
	died = s.crashed(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	want := map[uint64][]byte{}
	s = mustOpen(t, closed, Options{})
	for room := uint64(1); room <= 3; room++ {
		page, _, err := s.Page(room, 1, 1000, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		want[room] = page
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	tally := map[string]int{}
	for _, from := range []string{closed, died} {
		for _, name := range []string{fileName, fileName + "-wal", indexName, indexName + "-wal"} {
			count := *damages
			if raceEnabled {
				count = min(count, 2)
			}
			for range count {
				dir := crash(t, from)
				path := filepath.Join(dir, name)
				data, err := os.ReadFile(path)
				if err != nil || len(data) == 0 {
					break
				}
				if rng.IntN(4) == 0 {
					data = data[:rng.IntN(len(data))]
				} else {
					for range 1 + rng.IntN(3) {
						data[rng.IntN(len(data))] ^= 1 << rng.IntN(8)
					}
				}
				if err := os.WriteFile(path, data, 0o600); err != nil {
					t.Fatal(err)
				}
				patience := 20 * time.Second
				if name == fileName { // the index may never be able to read what it is made of
					patience = 100 * time.Millisecond
				}
				outcome := survive(t, dir, want, patience)
				tally[name+": "+outcome]++
				if outcome != "refused" && (name == indexName || name == indexName+"-wal") && outcome != "all there" {
					t.Errorf("damage to the index alone: %s", outcome)
				}
			}
		}
	}
	for outcome, count := range tally {
		t.Logf("%s %d times", outcome, count)
	}
}

// survive uses a store that is damaged in all ways, and says what came of it.
func survive(t *testing.T, dir string, want map[uint64][]byte, patience time.Duration) (outcome string) {
	t.Helper()
	s, err := openSubject(dir, Options{}, steps)
	if err != nil {
		return "refused"
	}
	defer func() {
		if err := s.Close(); err != nil && outcome == "all there" {
			outcome = "an error of Close"
		}
	}()
	outcome = "all there"
	state, err := s.Load()
	if err != nil {
		return "an error of Load"
	}
	if len(state.Rooms) < 3 {
		return "the end of the log is lost"
	}
	for _, r := range state.Rooms {
		page, next, err := s.Page(r.Num, 1, r.Head, 1<<30)
		whole := want[r.Num]
		switch {
		case err != nil:
			outcome = "an error of Page"
		case bytes.Equal(page, whole) && next == r.Head+1:
		case len(page) == len(whole):
			outcome = "a byte of a record differs"
		case bytes.HasPrefix(whole, page):
			outcome = "the end of the log is lost"
		default:
			outcome = "bytes of records differ"
		}
		if _, err := s.SeqAt(r.Num, 5000); err != nil && outcome == "all there" {
			outcome = "an error of SeqAt"
		}
	}
	late := time.After(patience)
	for waiting := true; waiting && !s.settled(); {
		select {
		case <-s.indexed:
		case <-late:
			outcome, waiting = "an index that lags", false
		}
	}
	if _, err := s.Search(&Query{Words: "tea", Hits: 1000, Bytes: 1 << 20}); err != nil && outcome == "all there" {
		outcome = "an error of Search"
	}
	next := newScribe()
	b := &Batch{People: []Person{{Name: "carol", Key: key(1)}}}
	for _, r := range state.Rooms {
		next.heads[r.Num], next.hash[r.Num] = r.Head, r.Hash
		b.Rooms, b.Rows = append(b.Rooms, r.Room), append(b.Rows, next.row(r.Num, 300))
	}
	if err := s.Append(b); err != nil && outcome == "all there" {
		outcome = "an error of Append"
	}
	_ = s.Retain(t.Context())
	return outcome
}
