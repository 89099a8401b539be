package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// logs returns the ids of each room's rows, as a timeline tells them.
func logs(t *testing.T, path string) (all map[uint64][]string) {
	t.Helper()
	a, err := OpenArchive(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	rooms, err := a.Rooms(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all = map[uint64][]string{}
	if err := a.Timeline(t.Context(), rooms, 0, still, func(m Message) error {
		all[m.Event.Room] = append(all[m.Event.Room], m.ID.String())
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// A copy is made while a node writes: it is whole, the beginning of what the store then holds, and has what was there before.
func TestBackupWhileANodeWrites(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	c := newChronicler(t, dir, Options{})
	for n := range uint64(500) {
		c.say(n%5+1, n%7+1)
	}
	c.commit()
	before := logs(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	begun := make(chan struct{})
	group.Go(func() {
		for n := uint64(0); ctx.Err() == nil; n++ {
			if n == 3 {
				close(begun)
			}
			for i := range uint64(20) {
				c.say(i%5+1, i%7+1)
			}
			c.commit()
			if err := c.store.checkpoint(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	})
	<-begun
	tally, err := Backup(t.Context(), dir, to, func(now Step) {
		if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the copy is there while it is %s: %v", now.Doing, err) // and would stay there if the process died
		}
	})
	cancel()
	group.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(to); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the copy: %v, %v", info.Mode(), err)
	}
	if again, err := checkStore(t, to); err != nil || again != tally || tally.Node.IsZero() {
		t.Errorf("a check of the copy: %+v, %v; the backup said %+v", again, err, tally)
	}
	after := logs(t, dir)
	for room, ids := range logs(t, to) {
		if len(ids) < len(before[room]) || len(ids) > len(after[room]) {
			t.Fatalf("room %d: %d rows copied, there were %d before and %d after", room, len(ids), len(before[room]), len(after[room]))
		}
		if diff := cmp.Diff(after[room][:len(ids)], ids); diff != "" {
			t.Errorf("room %d (-store +copy):\n%s", room, diff)
		}
	}
	if left, _ := filepath.Glob(to + "?*"); len(left) > 0 {
		t.Errorf("left beside the copy: %q", left)
	}
}

// The first node on a copy has the rows and the key, and an epoch of its own; the second start is no restoration. A copy of a copy is one too.
func TestBackupIsRestored(t *testing.T) {
	dir, first, to := t.TempDir(), filepath.Join(t.TempDir(), "first"), filepath.Join(t.TempDir(), "copy")
	small(t, dir)
	if _, err := Backup(t.Context(), dir, first, still); err != nil {
		t.Fatal(err)
	}
	if _, err := Backup(t.Context(), first, to, still); err != nil {
		t.Fatal(err)
	}
	want := logs(t, dir)
	before, err := checkStore(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	copyFile(t, to, filepath.Join(home, fileName))
	for i := range 2 {
		s := mustOpen(t, home, Options{})
		if got := s.Opened().Restored; got != (i == 0) || len(s.eras) != 2 {
			t.Errorf("start %d: restored %v, %d epochs", i+1, got, len(s.eras))
		}
		if got := mustLoad(t, s); len(got.People) != 3 || len(got.Invites) != 2 {
			t.Errorf("start %d: %d people and %d invitations, want 3 and 2", i+1, len(got.People), len(got.Invites))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, logs(t, home)); diff != "" {
		t.Errorf("rows (-store +restored):\n%s", diff)
	}
	if after, err := checkStore(t, home); err != nil || after != before {
		t.Errorf("the restored store: %+v, %v; before %+v", after, err, before)
	}
}

// Nothing is written over, and whatever goes wrong leaves nothing behind.
func TestBackupRefuses(t *testing.T) {
	dir := t.TempDir()
	small(t, dir)
	place := t.TempDir()
	there := filepath.Join(place, "there")
	copyFile(t, filepath.Join(dir, fileName), there)
	link := filepath.Join(place, "link")
	if err := os.Symlink(filepath.Join(place, "nowhere"), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{there, link, place} {
		if _, err := Backup(t.Context(), dir, path, still); !errors.Is(err, fs.ErrExist) {
			t.Errorf("onto %s: %v", path, err)
		}
	}
	if _, err := Backup(t.Context(), dir, filepath.Join(place, "no", "copy"), still); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into a folder that is not there: %v", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := Backup(ended, dir, filepath.Join(place, "ended"), still); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
	for _, doing := range []string{"checking", "checking the file"} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := Backup(ctx, dir, filepath.Join(place, "cut"), func(now Step) {
			if now.Doing == doing {
				cancel()
			}
		})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("ended while %s: %v", doing, err)
		}
	}
	if left, err := os.ReadDir(place); err != nil || len(left) != 2 {
		t.Errorf("what is left: %v, %v", left, err)
	}
}

// A file that comes into being while a backup is made is not written over.
func TestBackupOfTwo(t *testing.T) {
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	small(t, dir)
	_, err := Backup(t.Context(), dir, to, func(now Step) {
		if now.Doing == "checking the file" {
			if err := os.WriteFile(to, []byte("the other's"), 0o600); err != nil {
				t.Error(err)
			}
		}
	})
	text, _ := os.ReadFile(to)
	if left, _ := filepath.Glob(to + "?*"); !errors.Is(err, fs.ErrExist) || string(text) != "the other's" || len(left) > 0 {
		t.Errorf("error %v, the file holds %.20q, left are %q", err, text, left)
	}
}

// A copy that ends before the store did when it was begun is not taken for one.
func TestBackupIsCompared(t *testing.T) {
	dir := t.TempDir()
	small(t, dir)
	a, err := OpenArchive(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	rooms, err := a.Rooms(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify(t.Context(), dir, rooms, still); err != nil {
		t.Error(err)
	}
	rooms[2].Head++
	if _, err := verify(t.Context(), dir, rooms, still); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "room room3 ends with row 60, and there were 61") {
		t.Errorf("a copy without the last row: %v", err)
	}
	if _, err := verify(t.Context(), dir, append(rooms[:2], RoomState{Room: Room{Num: 77, Name: "lost"}, Head: 1}), still); !errors.Is(err, ErrDamaged) {
		t.Errorf("a copy without a room: %v", err)
	}
}
