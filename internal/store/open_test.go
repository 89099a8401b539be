package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// files returns what stands in a folder.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			found[path] = "folder"
			return err
		}
		data, err := os.ReadFile(path)
		found[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// refuse opens what is in dir, wants an error that is one sentence about it, and all that was there unchanged, beside a lock at most.
func refuse(t *testing.T, dir string, want error, words ...string) {
	t.Helper()
	before := files(t, dir)
	s, err := Open(dir, Options{})
	if err == nil {
		t.Errorf("%s was opened", dir)
		_ = s.Close()
		return
	}
	if want != nil && !errors.Is(err, want) {
		t.Errorf("error %q, want %q", err, want)
	}
	text := err.Error()
	for _, word := range append(words, dir) {
		if !strings.Contains(text, word) {
			t.Errorf("error %q does not say %q", text, word)
		}
	}
	if strings.Contains(text, "\n") || strings.Count(text, dir) > 2 {
		t.Errorf("error %q is not a plain sentence", text)
	}
	after := files(t, dir)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the folder has changed (-before +after):\n%.2000s", diff)
	}
}

// execSQL runs statements on the database at path, which is another program's.
func execSQL(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenForeign(t *testing.T) {
	const png = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
	for name, data := range map[string]string{
		"text": strings.Repeat("dear diary ", 100), "short text": "x", "picture": png + strings.Repeat("\x00", 4096), "99 zeros": strings.Repeat("\x00", 99),
		"zeros": strings.Repeat("\x00", 8192), "half a header": "SQLite format 3\x00" + strings.Repeat("\x01", 40),
		"a page of a header": "SQLite format 3\x00" + strings.Repeat("\x01", 4080),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, fileName), []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(name, "zeros") { // SQLite says so, once there is a lock
				if err := os.WriteFile(filepath.Join(dir, lockName), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			refuse(t, dir, ErrForeign, fileName)
		})
	}
	for _, mode := range []string{"delete", "wal"} {
		t.Run("another program's database, "+mode, func(t *testing.T) {
			dir := t.TempDir()
			execSQL(t, filepath.Join(dir, fileName), "PRAGMA journal_mode="+mode, "CREATE TABLE meta (key, value)", "PRAGMA user_version = 1")
			refuse(t, dir, ErrForeign, fileName)
		})
	}
	t.Run("folder", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, fileName), 0o700); err != nil {
			t.Fatal(err)
		}
		refuse(t, dir, ErrForeign, fileName)
	})
}

func TestOpenNewer(t *testing.T) {
	for _, name := range []string{"closed", "crashed"} {
		t.Run(name, func(t *testing.T) {
			dir, w := t.TempDir(), newScribe()
			s := mustOpen(t, dir, Options{})
			w.fill(t, s, 10, 100)
			if _, err := s.writer.conn.ExecContext(context.Background(), "PRAGMA user_version = 99"); err != nil {
				t.Fatal(err)
			}
			if name == "crashed" {
				// The version stands in the log alone. What SQLite does with a log of its own is not to be seen in the files' bytes.
				dir = s.crashed(t)
				if _, err := Open(dir, Options{}); !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "99") {
					t.Fatalf("error %v, want ErrNewer", err)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			refuse(t, dir, ErrNewer, "99", fmt.Sprint(len(steps)))
			execSQL(t, filepath.Join(dir, fileName), fmt.Sprint("PRAGMA user_version = ", len(steps)))
			if page, _, err := mustOpen(t, dir, Options{}).Page(1, 1, 10, 1<<20); len(page) != 1000 || err != nil {
				t.Errorf("afterwards: %d bytes, %v", len(page), err)
			}
		})
	}
}

func TestOpenEmptyFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, fileName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s := mustOpen(t, dir, Options{}); !s.Opened().New {
		t.Errorf("opened %+v, want a new store", s.Opened())
	}
}

// TestOpenUnfinished: a store whose first transaction was cut by a loss of power is a new one.
func TestOpenUnfinished(t *testing.T) {
	dir, died := t.TempDir(), ""
	stop := errors.New("the power goes")
	_, err := open(dir, Options{}, []step{func(ctx context.Context, tx *sql.Conn) error {
		if _, err := tx.ExecContext(ctx, "PRAGMA cache_size = 1; PRAGMA cache_spill = 1"); err != nil {
			return err
		}
		if err := create(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "CREATE TABLE large (x); INSERT INTO large SELECT zeroblob(4000) FROM generate_series(1, 500)"); err != nil {
			for range 500 {
				if _, err := tx.ExecContext(ctx, "INSERT INTO large VALUES (zeroblob(4000))"); err != nil {
					return err
				}
			}
		}
		died = crash(t, dir)
		return stop
	}})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	path := filepath.Join(died, fileName)
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Fatalf("nothing was written before the commit: %v", err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(make([]byte, pageSize)); err != nil { // the first page had not come that far
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if s := mustOpen(t, died, Options{}); !s.Opened().New {
		t.Errorf("opened %+v, want a new store", s.Opened())
	}
}

// TestMain's child: see TestOpenTwice.
func TestOpenAsChild(t *testing.T) {
	dir := os.Getenv("CHATNODE_STORE_TEST")
	if dir == "" {
		t.Skip("for TestOpenTwice")
	}
	refuse(t, dir, ErrInUse)
}

func TestOpenTwice(t *testing.T) {
	dir, w := t.TempDir(), newScribe()
	s := mustOpen(t, dir, Options{})
	w.fill(t, s, 3, 100)
	s.settle(t)
	refuse(t, dir, ErrInUse, "another chatnode")
	child := exec.Command(os.Args[0], "-test.run=^TestOpenAsChild$", "-test.v")
	child.Env = append(os.Environ(), "CHATNODE_STORE_TEST="+dir)
	if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS: TestOpenAsChild") {
		t.Errorf("another process: %v\n%s", err, out)
	}
	w.fill(t, s, 3, 100)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := mustLoad(t, mustOpen(t, dir, Options{})); got.Rooms[0].Head != 6 {
		t.Errorf("head %d after the others, want 6", got.Rooms[0].Head)
	}
}

func TestOpenNowhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		s, err := Open(dir, Options{})
		if err == nil {
			t.Fatal(s.Close())
		}
		if text := err.Error(); !strings.Contains(text, file) || strings.Contains(text, "\n") {
			t.Errorf("error %q is not a plain sentence", text)
		}
	}
}

// TestOpenReadOnly: a folder that can't be written is said to be so.
func TestOpenReadOnly(t *testing.T) {
	dir := t.TempDir()
	if err := mustOpen(t, dir, Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "windows" {
		t.Skip("a folder's mode means nothing here")
	}
	if os.Geteuid() == 0 {
		dir = mounted(t, dir, "bind")
		remount(t, dir)
		refuse(t, dir, nil, "read-only")
		return
	}
	for _, name := range []string{lockName, fileName} {
		if err := os.Chmod(filepath.Join(dir, name), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	refuse(t, dir, fs.ErrPermission)
}

// TestOpenFull: where there is no room, nothing half made is left that could not be opened when there is.
func TestOpenFull(t *testing.T) {
	dir := mounted(t, "tmpfs", "size=128k")
	ballast := filepath.Join(dir, "ballast")
	for size := 128 << 10; size >= 0; size -= 4096 { // with no page free, one, two, …
		fill := os.WriteFile(ballast, make([]byte, size), 0o600) // as much as fits
		s, err := Open(filepath.Join(dir, "store"), Options{})
		if err == nil {
			err = s.Close()
		}
		if err != nil {
			if text := err.Error(); !strings.Contains(text, dir) || strings.Contains(text, "\n") || !strings.Contains(text, "full") && !strings.Contains(text, "no space") && !strings.Contains(text, "disk") {
				t.Errorf("error %q (%v) is not a plain sentence", text, fill)
			}
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
	s := mustOpen(t, filepath.Join(dir, "store"), Options{})
	if err := s.Append(&Batch{Rooms: []Room{{Num: 1}}}); err != nil && resultCode(err) == 0 {
		t.Error(err)
	}
}

func TestOpenOddPaths(t *testing.T) {
	names := []string{"with space", "a#b", "a%20b", "100%", "ünï 長 🦊", "a&b=c;d", "file:x", "a+b"}
	if runtime.GOOS != "windows" {
		names = append(names, "a?mode=ro", `back\slash`, "*[x]", "new\nline", "\xff")
	}
	parent := t.TempDir()
	t.Chdir(parent)
	for _, name := range names {
		for range 2 { // the second finds what the first made, and one names it from here
			s := mustOpen(t, filepath.Join(parent, name), Options{})
			mustAppend(t, s, &Batch{People: []Person{{Name: "carol", Key: key(1)}}})
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		s := mustOpen(t, name, Options{})
		if got := mustLoad(t, s); s.Opened().New || len(got.People) != 1 {
			t.Errorf("%q: opened %+v with %d people", name, s.Opened(), len(got.People))
		}
		if info, err := os.Stat(filepath.Join(parent, name, fileName)); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%q: %v, %v", name, info, err)
		}
	}
	var dirs []string
	for _, name := range names {
		dirs = append(dirs, filepath.Join(parent, name))
	}
	slices.Sort(dirs)
	for _, dir := range dirs {
		want := slices.DeleteFunc(slices.Clone(dirs), func(d string) bool { return d == dir })
		if diff := cmp.Diff(want, Siblings(dir)); diff != "" {
			t.Errorf("siblings of %q mismatch (-want +got):\n%s", dir, diff)
		}
	}
}

// TestModes: all that a store makes is for its owner's eyes alone.
func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing here")
	}
	dir, w := filepath.Join(t.TempDir(), "deep", "below"), newScribe()
	s := mustOpen(t, dir, Options{})
	w.fill(t, s, 3, 100)
	s.settle(t)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v, %v", info.Mode(), err)
	}
	for path := range files(t, dir) {
		if info, err := os.Stat(path); err != nil || info.Mode().IsRegular() && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// TestDurable: whatever writes to a store waits for the disk at each commit, as SQLite has the options that it was opened with.
func TestDurable(t *testing.T) {
	const full = 2 // https://sqlite.org/pragma.html#pragma_synchronous
	s := mustOpen(t, t.TempDir(), Options{})
	for name, db := range map[string]querier{"the writer": s.writer.conn, "the keeper": s.keeper} {
		var synchronous int
		var mode string
		err := errors.Join(
			each(t.Context(), db, "PRAGMA synchronous", func(scan scan) error { return scan(&synchronous) }),
			each(t.Context(), db, "PRAGMA journal_mode", func(scan scan) error { return scan(&mode) }))
		if synchronous != full || mode != "wal" || err != nil {
			t.Errorf("%s has synchronous %d and journal mode %q, %v; want %d and wal", name, synchronous, mode, err, full)
		}
	}
}
