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
