package store

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// found are the numbers of the rows, as Room:Seq, that hold a word, on all pages.
func found(t *testing.T, s *subject, words string) (rows []string) {
	t.Helper()
	q := Query{Words: words, Hits: 1000, Bytes: 1 << 30}
	for {
		f, err := s.Search(&q)
		if err != nil || f.Behind > 0 {
			t.Fatalf("%d behind, %v", f.Behind, err)
		}
		for _, hit := range f.Hits {
			rows = append(rows, fmt.Sprintf("%d:%d", hit.Room, hit.Seq))
		}
		if q.Before = f.Next; f.Next == 0 {
			return rows
		}
	}
}

// chatter appends count messages with the word "tea" in them, to rooms 1 to 3 in turn.
func chatter(t testing.TB, s *subject, w *scribe, count int) (rows []string) {
	t.Helper()
	b := &Batch{Rooms: []Room{{Num: 1}, {Num: 2}, {Num: 3}}}
	for i := range count {
		room := uint64(1 + i%3)
		b.Rows = append(b.Rows, w.say(t, room, "carol", fmt.Sprint("tea ", w.heads[room]), int64(1000*(w.heads[1]+w.heads[2]+w.heads[3]))))
		rows = append(rows, fmt.Sprintf("%d:%d", room, w.heads[room]))
	}
	if err := s.Append(b); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(rows)
	return rows
}

// indexes wants each message to be found once, the newest first.
func indexes(t *testing.T, s *subject, want []string) {
	t.Helper()
	s.settle(t)
	if got := found(t, s, "tea"); !slices.Equal(got, want) {
		t.Errorf("%d rows are found, want %d: %.200q, want %.200q", len(got), len(want), got, want)
	}
	var docs int
	if err := s.index.reader().QueryRow("SELECT count(*) FROM doc").Scan(&docs); err != nil || docs != len(want) {
		t.Errorf("the index has %d rows, %v; want %d", docs, err, len(want))
	}
}

// TestIndexDies: wherever the store dies, each row is found once when it has been opened again.
func TestIndexDies(t *testing.T) {
	dir, w := t.TempDir(), newScribe()
	var died []string
	s := mustOpen(t, dir, Options{Moment: func(m string) {
		if m == InIndex && len(died) < 6 {
			died = append(died, crash(t, dir))
		}
	}})
	var want [][]string
	var all []string
	for range 6 {
		all = append(chatter(t, s, w, 50), all...)
		want = append(want, all)
		s.settle(t)
	}
	indexes(t, s, all)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if len(died) != 6 {
		t.Fatalf("it died %d times", len(died))
	}
	for i, dir := range died {
		s := mustOpen(t, dir, Options{})
		indexes(t, s, want[i])
		indexes(t, s, append(chatter(t, s, continued(w, s, t), 3), want[i]...))
	}
	indexes(t, mustOpen(t, dir, Options{}), all)
}

// continued is a scribe that goes on where a store is.
func continued(w *scribe, s *subject, t *testing.T) *scribe {
	t.Helper()
	next := newScribe()
	for _, r := range mustLoad(t, s).Rooms {
		next.heads[r.Num], next.hash[r.Num] = r.Head, r.Hash
	}
	return next
}

// TestIndexMadeAgain: an index that does not fit the store, or is none, is made again.
func TestIndexMadeAgain(t *testing.T) {
	dir, w := t.TempDir(), newScribe()
	s := mustOpen(t, dir, Options{})
	first := chatter(t, s, w, 200)
	s.settle(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	earlier := crash(t, dir)
	s = mustOpen(t, dir, Options{})
	all := append(chatter(t, s, w, 100), first...)
	s.settle(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	otherDir := t.TempDir()
	other := mustOpen(t, otherDir, Options{})
	strange := newScribe()
	strange.hash[1] = [8]byte{1}
	mustAppend(t, other, &Batch{Rooms: []Room{{Num: 1}}, Rows: []Row{strange.say(t, 1, "carol", "no word of it", 0)}})
	chatter(t, other, strange, 297) // as many rows in each room, and others
	other.settle(t)
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	index := filepath.Join(dir, indexName)
	good, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	write := func(data []byte) func(*testing.T) {
		return func(t *testing.T) {
			if err := os.WriteFile(index, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, spoil := range map[string]func(t *testing.T){
		"deleted":              func(t *testing.T) { _ = os.Remove(index) },
		"empty":                write(nil),
		"garbage":              write([]byte(strings.Repeat("garbage ", 1000))),
		"half":                 write(good[:len(good)/2]),
		"a few bytes":          write(good[:50]),
		"zeros in the middle":  write(slices.Concat(good[:5000], make([]byte, len(good)-9000), good[len(good)-4000:])),
		"of another store":     func(t *testing.T) { copyFile(t, filepath.Join(otherDir, indexName), index) },
		"of an earlier time":   func(t *testing.T) { copyFile(t, filepath.Join(earlier, indexName), index) },
		"of another version":   func(t *testing.T) { execSQL(t, index, "PRAGMA user_version = 99") },
		"without words":        func(t *testing.T) { execSQL(t, index, "DROP TABLE words") },
		"without numbers":      func(t *testing.T) { execSQL(t, index, "DROP TABLE doc") },
		"a folder":             func(t *testing.T) { _ = os.Remove(index); _ = os.Mkdir(index, 0o700) },
		"garbage and its log":  func(t *testing.T) { write([]byte("x"))(t); _ = os.WriteFile(index+"-wal", []byte("y"), 0o600) },
		"another's log beside": func(t *testing.T) { _ = os.WriteFile(index+"-wal", []byte(strings.Repeat("y", 5000)), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			_ = os.RemoveAll(index)
			write(good)(t)
			spoil(t)
			s := mustOpen(t, dir, Options{})
			indexes(t, s, all)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("of a later time", func(t *testing.T) { // an older copy of the store is put back, and goes on differently
		copyFile(t, index, filepath.Join(earlier, indexName))
		s := mustOpen(t, earlier, Options{})
		indexes(t, s, first)
		next := continued(w, s, t)
		next.hash[1] = [8]byte{7}
		indexes(t, s, append(chatter(t, s, next, 300), first...))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		copyFile(t, index, filepath.Join(earlier, indexName)) // and is longer by now
		indexes(t, mustOpen(t, earlier, Options{}), append(chatterNames(300), first...))
	})
}

// chatterNames are the rows that chatter returns for count more rows after 200.
func chatterNames(count int) (rows []string) {
	heads := []int{67, 67, 66}
	for i := range count {
		heads[i%3]++
		rows = append(rows, fmt.Sprintf("%d:%d", 1+i%3, heads[i%3]))
	}
	slices.Reverse(rows)
	return rows
}

// TestIndexSpoiledWhileOpen: the index is made again when it turns out to be damaged while the store is in use.
func TestIndexSpoiledWhileOpen(t *testing.T) {
	dir, w := t.TempDir(), newScribe()
	s := mustOpen(t, dir, Options{})
	all := chatter(t, s, w, 2000)
	s.settle(t)
	db := openDB(filepath.Join(dir, indexName), "mode=rw")
	if _, err := db.Exec("DROP TABLE words"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if f, err := s.Search(&Query{Words: "tea", Hits: 1, Bytes: 1}); err != nil || len(f.Hits) > 0 {
		t.Errorf("a search in it: %+v, %v", f, err)
	}
	for s.index.behind() == 0 { // until it has been given up
		<-s.indexed
		if _, err := s.Search(&Query{Words: "tea", Hits: 1, Bytes: 1}); err != nil {
			t.Fatal(err)
		}
		if len(s.index.bad) == 0 && s.settled() {
			break
		}
	}
	indexes(t, s, append(chatter(t, s, w, 10), all...))
}

// TestIndexForgets: rows that are let go of leave the index, those that it had not seen too.
func TestIndexForgets(t *testing.T) {
	dir, w := t.TempDir(), newScribe()
	s := mustOpen(t, dir, Options{})
	var all []string
	for range 4 {
		all = append(chatter(t, s, w, unhurried(3000)), all...)
		if rand.IntN(2) == 0 {
			s.settle(t)
		}
	}
	keep := Keep{Set: true, Size: 20_000}
	mustAppend(t, s, &Batch{Rooms: []Room{{Num: 1, Keep: keep}, {Num: 3, Keep: Keep{Set: true, Size: 1}}}})
	for range 2 {
		if err := s.Retain(t.Context()); err != nil {
			t.Fatal(err)
		}
		low, _ := s.Low(1)
		var want []string
		for _, row := range all {
			var room, seq uint64
			if _, err := fmt.Sscanf(row, "%d:%d", &room, &seq); err != nil {
				t.Fatal(err)
			}
			if room == 1 && seq >= low || room == 2 {
				want = append(want, row)
			}
		}
		indexes(t, s, want)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, dir, Options{})
	}
}

// TestIndexNoRoom: an index that has no room on the disk waits, and nothing else does.
func TestIndexNoRoom(t *testing.T) {
	small := mounted(t, "tmpfs", "size=256k")
	dir, w := t.TempDir(), newScribe()
	if err := os.Symlink(filepath.Join(small, indexName), filepath.Join(dir, indexName)); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir, Options{})
	for range 20 {
		chatter(t, s, w, 1000)
	}
	if f, err := s.Search(&Query{Words: "tea", Hits: 1, Bytes: 1}); err != nil {
		t.Errorf("search: %+v, %v", f, err)
	}
	if _, err := s.Free(); err != nil {
		t.Error(err)
	}
}

// TestIndexOrder: rows of many rooms are indexed in the order of time however unevenly they lie, and all of them.
func TestIndexOrder(t *testing.T) {
	s, rng := mustOpen(t, t.TempDir(), Options{}), rand.New(rand.NewPCG(1, 1))
	const rooms, count = 400, 6000
	b, w := &Batch{}, newScribe()
	for room := range rooms {
		b.Rooms = append(b.Rooms, Room{Num: uint64(room + 1)})
	}
	for at := range count {
		b.Rows = append(b.Rows, w.say(t, 1+uint64(float64(rooms)*rng.Float64()*rng.Float64()*rng.Float64()), "carol", "tea", int64(at)))
	}
	var want []string
	for _, row := range slices.Backward(b.Rows) {
		want = append(want, fmt.Sprintf("%d:%d", row.Room, row.Seq))
	}
	mustAppend(t, s, b)
	indexes(t, s, want)
	if len(s.index.late) > rooms {
		t.Errorf("%d rooms are still to be looked at", len(s.index.late))
	}
}
