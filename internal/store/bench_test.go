package store

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatnode/internal/wire"
)

// manyRows is how many messages the benchmarks of a large store begin with; the expected figures are for a million.
var manyRows = flag.Int("store.rows", 20_000, "messages in the store that benchmarks read")

// vocabulary is what the bodies of benchmarked messages are made of.
var vocabulary = func() (words []string) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 5000 {
		var b strings.Builder
		for range 2 + rng.IntN(9) {
			b.WriteByte(byte('a' + rng.IntN(26)))
		}
		words = append(words, b.String())
	}
	return words
}()

// sentence returns about 100 bytes of words, the first ones of the vocabulary more often than the others.
func sentence(rng *rand.Rand) string {
	var b strings.Builder
	for b.Len() < 100 {
		b.WriteString(vocabulary[int(float64(len(vocabulary))*rng.Float64()*rng.Float64())])
		b.WriteByte(' ')
	}
	return b.String()[:100]
}

// say returns the next row of a room, as the sequencer would make it of body.
func (w *scribe) say(tb testing.TB, room uint64, name, body string, at int64) Row {
	tb.Helper()
	row := w.row(room, 0)
	row.Name, row.Body, row.Time = name, []byte(body), at
	record, err := wire.Append(nil, &wire.Event{Room: row.Room, Seq: row.Seq, From: row.From, CSeq: row.CSeq, Time: row.Time, Name: name,
		Kind: row.Kind, Body: row.Body, ID: row.ID})
	if err != nil {
		tb.Fatal(err)
	}
	row.Record = record
	return row
}

// syncs returns how many times a second the disk at dir makes a page last.
func syncs(b *testing.B, dir string) float64 {
	b.Helper()
	file, err := os.Create(filepath.Join(dir, "syncs"))
	if err != nil {
		b.Fatal(err)
	}
	defer os.Remove(file.Name())
	defer file.Close()
	page := make([]byte, pageSize)
	const count = 200
	start := time.Now()
	for range count {
		if _, err := file.WriteAt(page, 0); err != nil {
			b.Fatal(err)
		}
		if err := file.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	return count / time.Since(start).Seconds()
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint("batch ", size), func(b *testing.B) {
			dir := b.TempDir()
			s, err := Open(dir, Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			w, rng := newScribe(), rand.New(rand.NewPCG(1, 2))
			origin := Origin{Num: 1, Token: OriginToken{1}, Key: key(1)}
			batch := &Batch{Rooms: []Room{{Num: 1, Name: "lobby"}}}
			if err := s.Append(batch); err != nil {
				b.Fatal(err)
			}
			batch.Rooms, batch.Origins, batch.Rows = nil, []Origin{origin}, make([]Row, size)
			bodies := make([]string, 1000)
			for i := range bodies {
				bodies[i] = sentence(rng)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; b.Loop(); n++ {
				b.StopTimer()
				for i := range batch.Rows {
					batch.Rows[i] = w.say(b, 1, "carol", bodies[(n+i)%len(bodies)], 1_700_000_000_000)
				}
				b.StartTimer()
				if err := s.Append(batch); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			b.ReportMetric(syncs(b, dir), "fsync/s")
		})
	}
}

// large makes a store of manyRows messages of 100 bytes in ten rooms, closes it and returns its folder.
func large(b *testing.B) (dir string) {
	b.Helper()
	dir = b.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	w, rng := newScribe(), rand.New(rand.NewPCG(1, 2))
	for room := range uint64(10) {
		if err := s.Append(&Batch{Rooms: []Room{{Num: room + 1, Name: fmt.Sprint("room", room+1)}}}); err != nil {
			b.Fatal(err)
		}
	}
	for at := 0; at < *manyRows; {
		batch := &Batch{}
		for range min(1000, *manyRows-at) {
			batch.Rows = append(batch.Rows, w.say(b, 1+uint64(at%10), "carol", sentence(rng), int64(1_700_000_000_000+at)))
			at++
		}
		if err := s.Append(batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

func sizeOf(b *testing.B, path string) float64 {
	b.Helper()
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return float64(info.Size())
}

// BenchmarkOpen opens a store of manyRows messages, loads it and closes it.
func BenchmarkOpen(b *testing.B) {
	dir := large(b)
	for b.Loop() {
		s, err := Open(dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Load(); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(sizeOf(b, filepath.Join(dir, fileName))/float64(*manyRows), "B/row")
}

// BenchmarkPage reads a room from its beginning to its end, a page of 64 KiB at a time.
func BenchmarkPage(b *testing.B) {
	s := mustOpen(b, large(b), Options{})
	b.ReportAllocs()
	b.ResetTimer()
	rows, from := 0, uint64(1)
	for b.Loop() {
		_, next, err := s.Page(1, from, 1<<40, 64<<10)
		if err != nil {
			b.Fatal(err)
		}
		rows += int(next - from)
		if from = next; int(from) > *manyRows/10 {
			from = 1
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkIndex makes the index of a store of manyRows messages, and then searches in it.
func BenchmarkIndex(b *testing.B) {
	dir := large(b)
	var s *subject
	b.Run("rebuild", func(b *testing.B) {
		for b.Loop() {
			if err := os.RemoveAll(filepath.Join(dir, indexName)); err != nil {
				b.Fatal(err)
			}
			var err error
			if s, err = openSubject(dir, Options{}, steps); err != nil {
				b.Fatal(err)
			}
			for !s.settled() {
				<-s.indexed
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N**manyRows)/b.Elapsed().Seconds(), "rows/s")
		b.ReportMetric(sizeOf(b, filepath.Join(dir, indexName))/float64(*manyRows), "B/row")
	})
	s = mustOpen(b, dir, Options{})
	for !s.settled() {
		<-s.indexed
	}
	for name, words := range map[string]string{"a rare word": vocabulary[4990], "a common word": vocabulary[1], "one letter": "a", "two words": vocabulary[1] + " " + vocabulary[2], "six letters": "a b c d e f"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Search(&Query{Words: words, Hits: 50, Bytes: 64 << 10}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLag appends 5,000 rows a second and tells how far behind the index is at the end of each, at most.
func BenchmarkLag(b *testing.B) {
	s := mustOpen(b, b.TempDir(), Options{})
	w, rng := newScribe(), rand.New(rand.NewPCG(1, 2))
	if err := s.Append(&Batch{Rooms: []Room{{Num: 1}}}); err != nil {
		b.Fatal(err)
	}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	worst := uint64(0)
	for b.Loop() {
		for range 50 {
			batch := &Batch{}
			for range 100 {
				batch.Rows = append(batch.Rows, w.say(b, 1, "carol", sentence(rng), 1_700_000_000_000))
			}
			if err := s.Append(batch); err != nil {
				b.Fatal(err)
			}
			worst = max(worst, s.index.behind())
			<-ticker.C
		}
	}
	b.ReportMetric(float64(worst)/5000, "s-behind")
}
