package store

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// crash returns a folder that holds what the disk would if the process died now: the caller sees to it that nobody writes.
func crash(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{fileName, fileName + "-wal", fileName + "-journal", indexName, indexName + "-wal"} {
		copyFile(t, filepath.Join(dir, name), filepath.Join(to, name))
	}
	return to
}

// copyFile copies a file if it is there.
func copyFile(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// crashed does the same when no batch is under way.
func (s *subject) crashed(t testing.TB) string {
	t.Helper()
	s.writing.Lock()
	defer s.writing.Unlock()
	return crash(t, s.dir)
}

// TestReopen compares a store that is closed, or dies, and is opened again and again with a plain model of it.
func TestReopen(t *testing.T) {
	for name, total := range map[string]int64{"all kept": 0, "little kept": 5_000} {
		t.Run(name, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			rng := rand.New(rand.NewPCG(seed, 1))
			dir, opt := t.TempDir(), Options{Total: total}
			s := mustOpen(t, dir, opt)
			m := newModel(mustLoad(t, s))
			for range 25 {
				for range rng.IntN(20) {
					mustAppend(t, s, m.batch(rng))
					if rng.IntN(5) == 0 {
						if err := s.Retain(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
				}
				died := rng.IntN(2) == 0
				if died {
					dir = s.crashed(t)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if left, _ := filepath.Glob(filepath.Join(s.dir, "*-*")); len(left) > 0 {
					t.Errorf("left behind by Close: %q", left)
				}
				if s = mustOpen(t, dir, opt); s.Opened() != (Opened{File: filepath.Join(dir, fileName)}) {
					t.Errorf("opened %+v", s.Opened())
				}
				if err := s.Retain(t.Context()); err != nil { // or it would, at any moment
					t.Fatal(err)
				}
				if m.compare(t, s, rng); t.Failed() {
					t.Fatalf("died: %t", died)
				}
			}
		})
	}
}

// TestNothingKept: a room that has lost all its rows still knows where it was, and so do the numbers that are given out.
func TestNothingKept(t *testing.T) {
	dir, w := t.TempDir(), newScribe()
	s := mustOpen(t, dir, Options{})
	w.fill(t, s, 2500, 100)
	mustAppend(t, s, &Batch{Rooms: []Room{{Num: 7, Keep: Keep{Set: true}}, {Num: 1, Name: "lobby", Keep: Keep{Set: true, Size: 1}}},
		Origins: []Origin{{Num: 9, Token: OriginToken{1}, Key: key(1), Retired: true}}})
	if err := s.Retain(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got := mustLoad(t, s)
		if r := got.Rooms[0]; r.Low != 2501 || r.Head != 2500 || r.Hash != w.hash[1] || r.Time != 2_500_000 {
			t.Errorf("room %+v, want an empty one that goes on at 2501", r)
		}
		if hash, err := s.HashAt(1, 2500); hash != w.hash[1] || err != nil {
			t.Errorf("hash at the head: %x, %v", hash, err)
		}
		if seq, err := s.SeqAt(1, 0); seq != 2501 || err != nil {
			t.Errorf("seq of what is kept: %d, %v, want 2501", seq, err)
		}
		if got.LastRoom != 7 || got.LastFrom != 9 || len(got.Origins) != 0 {
			t.Errorf("last room %d and origin %d, want 7 and 9", got.LastRoom, got.LastFrom)
		}
		mustAppend(t, s, &Batch{Rooms: []Room{{Num: 2}}, Origins: []Origin{{Num: 3, Token: OriginToken{2}, Key: key(1), Retired: true}}})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, dir, Options{})
	}
	mustAppend(t, s, &Batch{Rooms: []Room{{Num: 1, Name: "lobby"}}, Rows: []Row{w.row(1, 10)}})
	if page, next, err := s.Page(1, 2501, 2501, 100); string(page) != string(record(1, 2501, 10)) || next != 2502 || err != nil {
		t.Errorf("the next row: %q, %d, %v", page, next, err)
	}
}

// TestNodeKey: the first key stays, through whatever comes.
func TestNodeKey(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, Options{})
	for _, text := range []string{"first", "second", ""} {
		if got, err := s.NodeKey([]byte(text)); string(got) != "first" || err != nil {
			t.Errorf("key %q, %v", got, err)
		}
		dir = s.crashed(t)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.NodeKey([]byte(text)); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		s = mustOpen(t, dir, Options{})
	}
}

// TestRestored: a backup that is put in place has a new epoch, from its first start on and only then; its rows stay as they are.
func TestRestored(t *testing.T) {
	dir, w := t.TempDir(), newScribe()
	s := mustOpen(t, dir, Options{})
	w.fill(t, s, 3, 100)
	first := mustLoad(t, s)
	if _, err := s.writer.conn.ExecContext(context.Background(), "INSERT INTO meta VALUES (?, 1)", metaCopied); err != nil {
		t.Fatal(err)
	}
	dir = s.crashed(t)
	s = mustOpen(t, dir, Options{})
	restored := mustLoad(t, s)
	if !s.Opened().Restored || restored.Epoch == first.Epoch || len(s.eras) != 2 || s.eras[0] != first.Epoch || s.eras[1] != restored.Epoch {
		t.Errorf("opened %+v with epoch %x and eras %x, the copied store has %x", s.Opened(), restored.Epoch, s.eras, first.Epoch)
	}
	if restored.Sharing.Nonce == first.Sharing.Nonce || restored.Sharing.Space != first.Sharing.Space {
		t.Errorf("it shares as %+v, the copied store did as %+v: want other logs in the same space", restored.Sharing, first.Sharing)
	}
	mustAppend(t, s, &Batch{Rows: []Row{w.row(1, 100)}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir, Options{})
	if s.Opened().Restored || mustLoad(t, s).Epoch != restored.Epoch || mustLoad(t, s).Sharing != restored.Sharing {
		t.Errorf("a second start: %+v with epoch %x, want %x", s.Opened(), mustLoad(t, s).Epoch, restored.Epoch)
	}
	var eras []int
	err := each(t.Context(), s.db, "SELECT era FROM message ORDER BY id", func(scan scan) error {
		eras = append(eras, -1)
		return scan(&eras[len(eras)-1])
	})
	if err != nil || len(eras) != 4 || eras[2] != 0 || eras[3] != 1 {
		t.Errorf("eras of the rows: %d, %v; want 0 0 0 1", eras, err)
	}
}
