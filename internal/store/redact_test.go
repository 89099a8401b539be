package store

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// forgotten waits until nothing is to be erased any more.
func (s *subject) forgotten(t *testing.T) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		left := 0
		if err := s.db.QueryRow("SELECT count(*) FROM erasure").Scan(&left); err != nil {
			t.Fatal(err)
		}
		if left == 0 {
			return
		}
		select {
		case <-s.erased:
		case <-late:
			t.Fatalf("%d erasures are not done", left)
		}
	}
}

// standsIn returns the files of a folder in which a word stands, whatever the case.
func standsIn(t *testing.T, dir, word string) (names []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(bytes.ToLower(data), []byte(strings.ToLower(word))); n > 0 {
			names = append(names, fmt.Sprintf("%s (%d times)", filepath.Base(path), n))
		}
	}
	return names
}

// secret is a word that no other text has.
func secret(n int) string { return fmt.Sprintf("zq%08dx", n) }

// confide writes count texts with a secret each into rooms, a few in each batch, so that SQLite has pages to divide.
func confide(t *testing.T, s *subject, w *scribe, rng *rand.Rand, count int) (rows []Redaction) {
	t.Helper()
	b := &Batch{}
	for i := range uint64(20) {
		b.Rooms = append(b.Rooms, Room{Num: i + 1, Name: fmt.Sprint("room", i+1)})
	}
	for i := range count {
		filler := rng.IntN(150)
		if rng.IntN(40) == 0 {
			filler = 6000
		}
		row := w.say(t, 1+rng.Uint64N(20), "carol", secret(i)+" "+strings.Repeat("x ", filler/2), int64(i))
		b.Rows = append(b.Rows, row)
		rows = append(rows, Redaction{row.Room, row.Seq})
		if len(b.Rows) == 20 || i == count-1 {
			mustAppend(t, s, b)
			b = &Batch{}
		}
	}
	s.settle(t)
	return rows
}

// TestRedactionLeavesNothing: nothing of a text stands in any file any more, be the node alive, stopped, or killed as soon as it was done.
func TestRedactionLeavesNothing(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	s, w := mustOpen(t, dir, Options{}), newScribe()
	rows := confide(t, s, w, rng, 3000)
	if stands := standsIn(t, dir, "zq000"); len(stands) < 2 {
		t.Fatalf("the texts stand in %v before; this test would find nothing", stands)
	}
	clean := func(t *testing.T, dir string, numbers []int) {
		t.Helper()
		all := []byte(strings.Join(slices.Collect(maps.Values(files(t, dir))), ""))
		stand := map[string]bool{}
		for _, word := range regexp.MustCompile("zq[0-9]{8}x").FindAll(all, -1) {
			stand[string(word)] = true
		}
		for _, n := range numbers {
			if stand[secret(n)] {
				t.Errorf("text %d stands in %v", n, standsIn(t, dir, secret(n)))
			}
		}
	}
	take := func(numbers []int) {
		b := &Batch{}
		for _, n := range numbers {
			b.Redactions = append(b.Redactions, rows[n])
		}
		mustAppend(t, s, b)
	}
	order := rng.Perm(len(rows))
	live, killed, rest := order[:200], order[200:400], order[400:]
	take(live[:1])
	take(live[1:])
	s.forgotten(t)
	clean(t, dir, live)

	take(killed)
	died := s.crashed(t) // right behind the answer
	s.forgotten(t)
	clean(t, dir, killed)
	again := mustOpen(t, died, Options{})
	again.settle(t)
	again.forgotten(t)
	clean(t, died, append(live, killed...))
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	clean(t, died, append(live, killed...))

	take(rest)
	s.forgotten(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if stands := standsIn(t, dir, "zq000"); stands != nil {
		t.Errorf("when all texts are gone, some stand in %v", stands)
	}
}

// TestRedactionWaitsForReaders: as long as somebody reads the log, it stays; when they have left it goes.
func TestRedactionWaitsForReaders(t *testing.T) {
	dir := t.TempDir()
	s, w := mustOpen(t, dir, Options{}), newScribe()
	rows := confide(t, s, w, rand.New(rand.NewPCG(1, 1)), 10)
	conn, err := s.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "BEGIN; SELECT count(*) FROM message"); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, &Batch{Redactions: rows[:1]})
	if done, err := s.emptyLog(t.Context()); done || err != nil {
		t.Errorf("the log was emptied while it was read: %v, %v", done, err)
	}
	if rows, err := s.erasures(t.Context(), inStore); len(rows) != 1 || err != nil {
		t.Errorf("%d erasures wait, %v", len(rows), err)
	}
	if _, err := conn.ExecContext(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	s.nudgeEraser()
	s.forgotten(t)
	if stands := standsIn(t, dir, secret(0)); stands != nil {
		t.Errorf("the text stands in %v", stands)
	}
}

// TestRedactionOfAnIndexInTheMaking: a row that is taken back while it is being indexed is not found.
func TestRedactionOfAnIndexInTheMaking(t *testing.T) {
	dir := t.TempDir()
	inIt, goOn := make(chan struct{}), make(chan struct{})
	first := true
	s := mustOpen(t, dir, Options{Moment: func(m string) {
		if m == InIndex && first { // in the index's own goroutine
			first = false
			close(inIt)
			<-goOn
		}
	}})
	w := newScribe()
	mustAppend(t, s, &Batch{Rooms: []Room{{Num: 1, Name: "lobby"}}, Rows: []Row{w.say(t, 1, "carol", secret(1), 1), w.say(t, 1, "carol", "lynx", 2)}})
	<-inIt
	mustAppend(t, s, &Batch{Redactions: []Redaction{{1, 1}}})
	close(goOn)
	s.settle(t)
	s.forgotten(t)
	if got := found(t, s, secret(1)); len(got) != 0 {
		t.Errorf("found %v", got)
	}
	if got := found(t, s, "lynx"); len(got) != 1 {
		t.Errorf("the row beside it: %v", got)
	}
	if stands := standsIn(t, dir, secret(1)); stands != nil {
		t.Errorf("the text stands in %v", stands)
	}
}

// TestRedactedRowsAreCounted: what is let go of, and counted, is what is there.
func TestRedactedRowsAreCounted(t *testing.T) {
	s, w := mustOpen(t, t.TempDir(), Options{Total: 1 << 40}), newScribe()
	rows := confide(t, s, w, rand.New(rand.NewPCG(1, 2)), 300)
	mustAppend(t, s, &Batch{Redactions: rows[:100]})
	if err := s.Retain(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, e := range s.all() {
		if size := sizeKept(t, s, e.Num); size != e.size {
			t.Errorf("room %d has %d bytes of records, counted are %d", e.Num, size, e.size)
		}
	}
}

// TestCheckOfRedactions: the chain holds through rows without texts, and what is left of them can't be altered unseen.
func TestCheckOfRedactions(t *testing.T) {
	dir := t.TempDir()
	small(t, dir)
	s := mustOpen(t, dir, Options{})
	var all []Redaction
	for _, e := range s.all() {
		for seq := e.Low; seq <= e.Head; seq += 3 {
			all = append(all, Redaction{e.Num, seq})
		}
	}
	mustAppend(t, s, &Batch{Redactions: all})
	s.settle(t)
	s.forgotten(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tally, err := checkStore(t, dir)
	if err != nil || tally.Messages < int64(len(all)) {
		t.Fatalf("%+v, %v", tally, err)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	if _, err := Backup(t.Context(), dir, copied, still); err != nil {
		t.Fatal(err)
	}
	if after, err := checkStore(t, copied); after != tally || err != nil {
		t.Errorf("a backup: %+v, %v; want %+v", after, err, tally)
	}
	victim := rowID(all[5].Room, all[5].Seq)
	for name, sql := range map[string]string{
		"another hash":      "UPDATE message SET salt = zeroblob(32) WHERE id = %d",
		"its salt is back":  "UPDATE message SET salt = zeroblob(16) WHERE id = %d",
		"of another length": "UPDATE message SET salt = zeroblob(31) WHERE id = %d",
		"another row's":     "UPDATE message SET salt = (SELECT salt FROM message WHERE length(salt) = 32 AND id <> %[1]d) WHERE id = %[1]d",
	} {
		broken := t.TempDir()
		copyFile(t, filepath.Join(dir, fileName), filepath.Join(broken, fileName))
		alter(t, broken, fmt.Sprintf(sql, victim))
		if _, err := checkStore(t, broken); err == nil {
			t.Errorf("%s: nothing was noticed", name)
		}
	}
}

// TestUnused: only what is surely no row is overwritten.
func TestUnused(t *testing.T) {
	page := func(kind byte, rows, start int) []byte {
		p := bytes.Repeat([]byte{0xee}, 4096)
		p[0], p[3], p[4], p[5], p[6] = kind, byte(rows>>8), byte(rows), byte(start>>8), byte(start)
		return p
	}
	for name, test := range map[string]struct {
		page []byte
		want int
	}{
		"rows":               {page(rowPage, 10, 1000), 1000 - 28},
		"no rows":            {page(rowPage, 0, 4096), 4096 - 8},
		"full":               {page(rowPage, 10, 28), 0},
		"overlaps":           {page(rowPage, 10, 27), 0},
		"too many":           {page(rowPage, 65535, 1000), 0},
		"starts outside":     {page(rowPage, 1, 4097), 0},
		"another kind":       {page(0x05, 10, 1000), 0},
		"the head of a file": {append([]byte("SQLite format 3\x00"), page(rowPage, 1, 1000)...), 0},
		"short":              {[]byte{rowPage, 0, 0}, 0},
		"empty":              {nil, 0},
	} {
		if got := len(unused(test.page)); got != test.want {
			t.Errorf("%s: %d bytes, want %d", name, got, test.want)
		}
	}
}

// TestScrubbedStoreIsSound: cleaning changes no row, whatever was written before and comes behind.
func TestScrubbedStoreIsSound(t *testing.T) {
	s, w := mustOpen(t, t.TempDir(), Options{}), newScribe()
	rng := rand.New(rand.NewPCG(3, 3))
	rows := confide(t, s, w, rng, 1000)
	want := map[uint64][]byte{}
	for _, e := range s.all() {
		want[e.Num], _, _ = s.Page(e.Num, 1, e.Head, 1<<30)
	}
	pages, err := leftovers(t.Context(), s.db)
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages have something left, %v", len(pages), err)
	}
	if err := s.scrub(t.Context(), pages); err != nil {
		t.Fatal(err)
	}
	if left, err := leftovers(context.Background(), s.db); len(left) > 0 || err != nil {
		t.Errorf("%d pages still have something, %v", len(left), err)
	}
	for _, e := range s.all() {
		if got, _, err := s.Page(e.Num, 1, e.Head, 1<<30); !bytes.Equal(got, want[e.Num]) || err != nil {
			t.Errorf("room %d has changed, %v", e.Num, err)
		}
	}
	mustAppend(t, s, &Batch{Redactions: slices.Concat(rows[:500])})
	confide(t, s, w, rng, 500)
	var sound string
	if err := s.db.QueryRow("PRAGMA integrity_check").Scan(&sound); sound != "ok" || err != nil {
		t.Errorf("%s, %v", sound, err)
	}
}
