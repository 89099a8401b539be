package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

// reopen opens the journal at path and returns what was found, as texts.
func reopen(t *testing.T, path string) (j *Journal, texts []string, lost int, aside []byte) {
	t.Helper()
	j, records, lost, err := Open(path, func() (err error) { aside, err = os.ReadFile(path); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	for _, r := range records {
		texts = append(texts, string(r))
	}
	return j, texts, lost, aside
}

func append1(t *testing.T, j *Journal, texts ...string) {
	t.Helper()
	var records [][]byte
	for _, s := range texts {
		records = append(records, []byte(s))
	}
	if err := j.Append(records...); err != nil {
		t.Fatal(err)
	}
}

func TestAppendAndReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, texts, _, _ := reopen(t, path)
	if texts != nil {
		t.Errorf("a new journal holds %q", texts)
	}
	append1(t, j, "one", "two")
	append1(t, j)
	append1(t, j, string(make([]byte, MaxRecord)))
	again, texts, lost, _ := reopen(t, path) // as after a kill: the first was not closed
	if len(texts) != 3 || texts[0] != "one" || texts[1] != "two" || len(texts[2]) != MaxRecord || lost != 0 {
		t.Errorf("found %d records, %d bytes lost", len(texts), lost)
	}
	for range 2 {
		if err := again.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if again.Append([]byte("x")) == nil || again.Rewrite() == nil {
		t.Error("a closed journal takes a record")
	}
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
}

func TestRecordsAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, _, _, _ := reopen(t, path)
	append1(t, j, "one")
	for name, r := range map[string][]byte{"empty": {}, "too long": make([]byte, MaxRecord+1)} {
		if err := j.Append([]byte("good"), r); !errors.Is(err, errSize) {
			t.Errorf("Append of one that is %s: %v", name, err)
		}
		if err := j.Rewrite([]byte("good"), r); !errors.Is(err, errSize) {
			t.Errorf("Rewrite with one that is %s: %v", name, err)
		}
	}
	append1(t, j, "two")
	if _, texts, _, _ := reopen(t, path); !slices.Equal(texts, []string{"one", "two"}) {
		t.Errorf("found %q", texts)
	}
}

func TestRewrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, _, _, _ := reopen(t, path)
	append1(t, j, "one", "two", "three")
	before := j.Size()
	if err := j.Rewrite([]byte("2")); err != nil {
		t.Fatal(err)
	}
	append1(t, j, "four")
	if j.Size() >= before {
		t.Errorf("%d bytes, and %d before", j.Size(), before)
	}
	if _, texts, _, _ := reopen(t, path); !slices.Equal(texts, []string{"2", "four"}) {
		t.Errorf("found %q", texts)
	}
	if err := j.Rewrite(); err != nil {
		t.Fatal(err)
	}
	if _, texts, _, _ := reopen(t, path); texts != nil {
		t.Errorf("found %q", texts)
	}
}

// TestFolderIsGone: nothing is kept, and that is said.
func TestFolderIsGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	j, _, _, _ := reopen(t, filepath.Join(dir, "journal"))
	if runtime.GOOS == "windows" {
		_ = j.Close()
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := j.Rewrite([]byte("x")); err == nil {
		t.Error("Rewrite returned nil")
	}
	if err := j.Append([]byte("x")); err == nil {
		t.Error("Append behind it returned nil")
	}
	if _, _, _, err := Open(filepath.Join(dir, "journal"), nil); err == nil {
		t.Error("Open returned nil")
	}
}

func TestForeign(t *testing.T) {
	newer := append([]byte(magic), version+1)
	for name, content := range map[string][]byte{
		"text": []byte("a letter to bob"), "short text": []byte("hi"), "newer": newer, "newer with more": append(newer, 1, 2, 3), "zeros": make([]byte, 100),
	} {
		path := filepath.Join(t.TempDir(), "journal")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := Open(path, nil); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: Open returned %v, want ErrForeign", name, err)
		}
		if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, content) {
			t.Errorf("%s: left %q, %v", name, left, err)
		}
	}
	if _, _, _, err := Open(t.TempDir(), nil); err == nil {
		t.Error("a folder was opened")
	}
	huge := filepath.Join(t.TempDir(), "huge")
	if err := errors.Join(os.WriteFile(huge, head(), 0o600), os.Truncate(huge, MaxFile+1)); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := Open(huge, nil); !errors.Is(err, ErrForeign) {
		t.Errorf("a file above MaxFile: %v", err)
	}
}

func TestFileIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, _, _, _ := reopen(t, path)
	j.size = MaxFile - 20
	if err := j.Append(make([]byte, 20)); !errors.Is(err, errFull) {
		t.Errorf("Append beyond MaxFile: %v", err)
	}
}

// sample writes a journal of some records and returns its bytes and the end of each record.
func sample(t testing.TB, rnd *rand.Rand) (all []byte, texts []string, ends []int) {
	ends = []int{fileHead}
	all = head()
	for i := range 6 {
		r := fmt.Appendf(nil, "%d ", i)
		for range rnd.IntN(30) {
			r = append(r, byte(rnd.UintN(256)))
		}
		var err error
		if all, err = encode(all, [][]byte{r}); err != nil {
			t.Fatal(err)
		}
		texts, ends = append(texts, string(r)), append(ends, len(all))
	}
	return all, texts, ends
}

// TestTruncatedAnywhere: of a file that was cut at any byte the whole records are found, in silence, and it can be gone on with.
func TestTruncatedAnywhere(t *testing.T) {
	all, texts, ends := sample(t, rand.New(rand.NewPCG(1, 2)))
	path := filepath.Join(t.TempDir(), "journal")
	for cut := range len(all) + 1 {
		if err := os.WriteFile(path, all[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		whole := 0
		for whole < len(texts) && ends[whole+1] <= cut {
			whole++
		}
		j, got, lost, _ := reopen(t, path)
		if !slices.Equal(got, texts[:whole]) || lost != 0 {
			t.Fatalf("cut at %d: found %q, %d bytes lost; want %q", cut, got, lost, texts[:whole])
		}
		append1(t, j, "next")
		_ = j.Close() // the file is read again
		j, got, lost, _ = reopen(t, path)
		if !slices.Equal(got, append(slices.Clone(texts[:whole]), "next")) || lost != 0 {
			t.Fatalf("cut at %d and gone on with: found %q, %d bytes lost", cut, got, lost)
		}
		_ = j.Close()
	}
}

// TestFlippedAnywhere: of a file with one wrong bit the records before it are found, and the loss is told unless it is that of the head.
func TestFlippedAnywhere(t *testing.T) {
	all, texts, ends := sample(t, rand.New(rand.NewPCG(3, 4)))
	path := filepath.Join(t.TempDir(), "journal")
	for at := range len(all) {
		for bit := range 8 {
			damaged := slices.Clone(all)
			damaged[at] ^= 1 << bit
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			if at < fileHead {
				if _, _, _, err := Open(path, nil); !errors.Is(err, ErrForeign) {
					t.Fatalf("bit %d of byte %d: %v", bit, at, err)
				}
				continue
			}
			before := 0
			for ends[before+1] <= at {
				before++
			}
			j, got, lost, aside := reopen(t, path)
			if !slices.Equal(got, texts[:before]) || lost != len(all)-ends[before] || !bytes.Equal(aside, damaged) {
				t.Fatalf("bit %d of byte %d: found %q, %d bytes lost, %d put aside", bit, at, got, lost, len(aside))
			}
			if j.Size() != int64(ends[before]) {
				t.Fatalf("bit %d of byte %d: %d bytes are left, want %d", bit, at, j.Size(), ends[before])
			}
			_ = j.Close()
		}
	}
}

// TestNoWhereToPutAside: damage that can't be put aside stays where it is.
func TestNoWhereToPutAside(t *testing.T) {
	all, _, _ := sample(t, rand.New(rand.NewPCG(5, 6)))
	all[len(all)-1] ^= 1
	path := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(path, all, 0o600); err != nil {
		t.Fatal(err)
	}
	full := errors.New("full")
	if _, _, _, err := Open(path, func() error { return full }); !errors.Is(err, full) {
		t.Errorf("Open returned %v", err)
	}
	if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, all) {
		t.Errorf("the file has changed: %v", err)
	}
}

// FuzzParse: whatever a file holds, what is found in it is what encode would have written there.
func FuzzParse(f *testing.F) {
	all, _, _ := sample(f, rand.New(rand.NewPCG(7, 8)))
	f.Add(all)
	f.Add(all[:len(all)-3])
	f.Add(head()[:4])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, all []byte) {
		records, end, torn, err := parse(all)
		if err != nil {
			if records != nil {
				t.Fatalf("%v, and %d records", err, len(records))
			}
			return
		}
		if end == 0 {
			if !torn || len(all) >= fileHead {
				t.Fatalf("%d bytes without a head", len(all))
			}
			return
		}
		again, err := encode(head(), records)
		if err != nil || !bytes.Equal(again, all[:end]) {
			t.Fatalf("the %d records found are not what the file holds up to %d: %v", len(records), end, err)
		}
		if torn && len(all)-end >= entryHead+MaxRecord {
			t.Fatalf("%d bytes are taken for a record cut short", len(all)-end)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	j, _, _, err := Open(filepath.Join(b.TempDir(), "journal"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	record := make([]byte, 150)
	for b.Loop() {
		if err := j.Append(record); err != nil {
			b.Fatal(err)
		}
		if j.Size() > 64<<20 {
			j.size = int64(fileHead)
		}
	}
}
