package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"time"

	"github.com/google/go-cmp/cmp"
)

// sizeKept is how many bytes of records a room holds.
func sizeKept(t *testing.T, s *subject, room uint64) (size int64) {
	t.Helper()
	if err := s.db.QueryRow("SELECT coalesce(sum(length(record)), 0) FROM message WHERE id BETWEEN ? AND ?", rowID(room, 0), lastRow(room)).Scan(&size); err != nil {
		t.Fatal(err)
	}
	return size
}

func TestRetainAge(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	dir, w := t.TempDir(), newScribe()
	opt := Options{Keep: Keep{Age: 500 * time.Second}, Now: func() time.Time { return now }}
	s := mustOpen(t, dir, opt)
	b := &Batch{Rooms: []Room{{Num: 1}, {Num: 2, Keep: Keep{Set: true, Age: 100 * time.Second}}, {Num: 3, Keep: Keep{Set: true}}, {Num: 4}}}
	for range 800 { // one a second, up to second 800
		for room := range uint64(3) {
			b.Rows = append(b.Rows, w.row(room+1, 50))
		}
	}
	mustAppend(t, s, b)
	check := func(want ...uint64) {
		t.Helper()
		if err := s.Retain(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, want := range want {
			if low, err := s.Low(uint64(i + 1)); low != want || err != nil {
				t.Errorf("at %v: low of room %d: %d, %v; want %d", now.Unix(), i+1, low, err, want)
			}
		}
	}
	check(500, 801, 1, 1) // a row of just that age is kept
	now = now.Add(time.Millisecond)
	check(501, 801, 1, 1)
	now = time.UnixMilli(500_000) // the clock went back: what is gone is gone
	check(501, 801, 1, 1)
	now = time.UnixMilli(1_200_000)
	check(700, 801, 1, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir, opt)
	check(700, 801, 1, 1)
	now = time.UnixMilli(9_000_000)
	check(801, 801, 1, 1)
}

// TestRetainSize: each room comes down to its bound, and no row goes that the bound has room for.
func TestRetainSize(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	bounds := map[uint64]int64{1: 30_000, 2: 5_000, 3: 0, 4: 1}
	dir, w := t.TempDir(), newScribe()
	opt := Options{Keep: Keep{Size: bounds[1]}}
	s := mustOpen(t, dir, opt)
	mustAppend(t, s, &Batch{Rooms: []Room{{Num: 1}, {Num: 2, Keep: Keep{Set: true, Size: bounds[2]}}, {Num: 3, Keep: Keep{Set: true}}, {Num: 4, Keep: Keep{Set: true, Size: 1}}}})
	sizes := map[uint64][]int64{}
	for range 8 {
		b := &Batch{}
		for range rng.IntN(1500) {
			room := 1 + rng.Uint64N(4)
			b.Rows = append(b.Rows, w.row(room, 20+rng.IntN(200)))
			sizes[room] = append(sizes[room], int64(len(b.Rows[len(b.Rows)-1].Record)))
		}
		mustAppend(t, s, b)
		if rng.IntN(2) == 0 { // the sizes of what was there before are not known then
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, dir, opt)
		}
		if err := s.Retain(t.Context()); err != nil {
			t.Fatal(err)
		}
		for room, bound := range bounds {
			low, err := s.Low(room)
			if err != nil {
				t.Fatal(err)
			}
			kept := sizeKept(t, s, room)
			if bound > 0 && (kept > bound || low > 1 && kept+sizes[room][low-2] <= bound) || bound == 0 && low != 1 {
				t.Errorf("room %d keeps %d bytes from %d on, its bound is %d", room, kept, low, bound)
			}
			if s.rooms[room].opened == 0 && s.rooms[room].size != kept {
				t.Errorf("room %d is thought to have %d bytes, has %d", room, s.rooms[room].size, kept)
			}
		}
	}
}

// TestRetainTotal: all rooms together come down to the bound, the largest ones alone lose rows, and not more than the stated part too many.
func TestRetainTotal(t *testing.T) {
	const total = 100_000
	w := newScribe()
	s := mustOpen(t, t.TempDir(), Options{Total: total})
	b := &Batch{}
	for room := range uint64(50) {
		b.Rooms = append(b.Rooms, Room{Num: room + 1})
		for range 1 + room/5 {
			b.Rows = append(b.Rows, w.row(room+1, 100))
		}
	}
	mustAppend(t, s, b) // 27,500 bytes, the largest room 1,000
	b = &Batch{}
	for range 400 {
		b.Rows = append(b.Rows, w.row(1, 100), w.row(2, 200))
	}
	mustAppend(t, s, b)
	if err := s.Retain(t.Context()); err != nil {
		t.Fatal(err)
	}
	sum := int64(0)
	for room := range uint64(50) {
		sum += sizeKept(t, s, room+1)
		if low, err := s.Low(room + 1); room > 1 && low != 1 || err != nil {
			t.Errorf("room %d is small, and begins at %d, %v", room+1, low, err)
		}
	}
	if sum > total || sum < total-total/trimShare-2*200 {
		t.Errorf("%d bytes are kept, want between %d and %d", sum, total-total/trimShare-2*200, total)
	}
	if one, two := sizeKept(t, s, 1), sizeKept(t, s, 2); max(one-two, two-one) > 200 {
		t.Errorf("the two large rooms keep %d and %d bytes, want as much of each", one, two)
	}
	before := s.rooms[1].Low
	if err := s.Retain(t.Context()); err != nil || s.rooms[1].Low != before {
		t.Errorf("within the bound: rows went again, %v", err)
	}
}

func TestWaterline(t *testing.T) {
	for range 1000 {
		rooms := make([]ends, 1+rand.IntN(8))
		sizes, sum := make([]int64, len(rooms)), int64(0)
		for i := range rooms {
			sizes[i] = rand.Int64N(100)
			rooms[i].size = sizes[i]
			sum += sizes[i]
		}
		total := rand.Int64N(400)
		under := func(level int64) (sum int64) {
			for _, size := range sizes {
				sum += min(size, level)
			}
			return sum
		}
		level := waterline(rooms, total)
		if level < 0 || under(level) > total || sum > total && under(level+1) <= total {
			t.Fatalf("level %d for %d of %d", level, total, sizes)
		}
	}
}

// TestRetainReaders: who reads while rows go gets rows, or is told that they are not kept any more.
func TestRetainReaders(t *testing.T) {
	w := newScribe()
	s := mustOpen(t, t.TempDir(), Options{Total: 50_000})
	w.fill(t, s, 1, 100)
	var readers sync.WaitGroup
	done := make(chan struct{})
	for i := range 4 {
		readers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			for {
				select {
				case <-done:
					return
				default:
				}
				low, _ := s.Low(1)
				seq := low + rng.Uint64N(5)
				page, next, err := s.Page(1, seq, seq+uint64(rng.IntN(500)), 1+rng.IntN(20_000))
				if err != nil && !errors.Is(err, ErrTrimmed) && !errors.Is(err, ErrNoRow) || len(page) != 100*int(max(next, seq)-seq)*min(1, len(page)) {
					t.Errorf("page from %d with low %d: %d bytes up to %d, %v", seq, low, len(page), next, err)
					return
				}
				runtime.Gosched()
				if _, err := s.HashAt(1, seq-1); err != nil && !errors.Is(err, ErrTrimmed) && !errors.Is(err, ErrNoRow) {
					t.Errorf("hash at %d: %v", seq-1, err)
					return
				}
				if got, err := s.SeqAt(1, int64(seq)*1000); err != nil || got < seq && got > low+500 {
					t.Errorf("seq at the time of %d: %d, %v", seq, got, err)
					return
				}
			}
		})
	}
	for range unhurried(300) {
		w.fill(t, s, 50, 100)
		if err := s.Retain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	readers.Wait()
	if low, err := s.Low(1); low < 1_000 || err != nil {
		t.Errorf("low %d, %v: nothing went", low, err)
	}
}

// TestRetainDies: a store that dies while rows go has lost whole runs of them or none, and goes on with it.
func TestRetainDies(t *testing.T) {
	dir, w := t.TempDir(), newScribe()
	var died []string
	opt := Options{Total: 20_000, Moment: func(m string) {
		if m == InRetention && len(died) < 4 {
			died = append(died, crash(t, dir))
		}
	}}
	s := mustOpen(t, dir, opt)
	b := &Batch{Rooms: []Room{{Num: 1, Name: "lobby"}}}
	for range 5000 {
		b.Rows = append(b.Rows, w.row(1, 100))
	}
	mustAppend(t, s, b)
	if err := s.Retain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	opt.Moment, opt.Total = nil, 0
	for i, dir := range died {
		s := mustOpen(t, dir, opt)
		low := uint64(1 + trimAtOnce*i)
		want := RoomState{Room: Room{Num: 1, Name: "lobby"}, Low: low, Head: 5000, Hash: w.hash[1], Time: 5_000_000}
		if got := mustLoad(t, s).Rooms[0]; !cmp.Equal(got, want) {
			t.Errorf("death %d: %+v, want %+v", i, got, want)
		}
		if hash, err := s.HashAt(1, low-1); err != nil || low > 1 && hash != b.Rows[low-2].Hash {
			t.Errorf("death %d: hash before %d is %x, %v", i, low, hash, err)
		}
		if page, next, err := s.Page(1, low, 5000, 1<<20); next != 5001 || len(page) != 100*int(5001-low) || err != nil {
			t.Errorf("death %d: %d bytes up to %d, %v", i, len(page), next, err)
		}
	}
	if len(died) != 4 {
		t.Errorf("it died %d times, want 4", len(died))
	}
}

// TestLogStaysSmall: however batches come and readers read, the write-ahead log begins anew before it is large; and when somebody has kept it from
// that, afterwards.
func TestLogStaysSmall(t *testing.T) {
	if raceEnabled {
		t.Skip("it looks at sizes")
	}
	for name, tt := range map[string]struct{ batches, rows, size, rooms int }{
		"single rows": {1200, 1, 60_000, 1}, "large batches": {90, 4096, 150, 1}, "large batches of many rooms": {8, 4096, 150, 4096},
	} {
		t.Run(name, func(t *testing.T) {
			dir, w := t.TempDir(), newScribe()
			s := mustOpen(t, dir, Options{})
			log := filepath.Join(dir, fileName+"-wal")
			b := &Batch{}
			for room := range tt.rooms {
				b.Rooms = append(b.Rooms, Room{Num: uint64(room + 1)})
			}
			b.Rows = append(b.Rows, w.row(1, 10))
			mustAppend(t, s, b)
			var reading sync.WaitGroup
			var stop atomic.Bool
			for range readers / 2 {
				reading.Go(func() {
					for !stop.Load() {
						if _, _, err := s.Page(1, 1, 1000, 64<<10); err != nil {
							t.Error(err)
							return
						}
						runtime.Gosched() // or the batches, which wait for the disk, would be last in the queue each time
					}
				})
			}
			largest := int64(0)
			for i := range tt.batches {
				b := &Batch{}
				for j := range tt.rows {
					b.Rows = append(b.Rows, w.row(uint64(1+(i*tt.rows+j)%tt.rooms), tt.size))
				}
				mustAppend(t, s, b)
				if info, err := os.Stat(log); err == nil {
					largest = max(largest, info.Size())
				}
			}
			stop.Store(true)
			reading.Wait()
			t.Logf("at most %d MiB", largest>>20)
			if largest > maxLog {
				t.Errorf("the log took up to %d MiB", largest>>20)
			}
		})
	}
}

// TestLogAfterLongRead: a long read has the log grow; when it is over, the log becomes small again.
func TestLogAfterLongRead(t *testing.T) {
	dir, w := t.TempDir(), newScribe()
	s := mustOpen(t, dir, Options{})
	w.fill(t, s, 10, 100)
	db := openDB(filepath.Join(dir, fileName), "mode=ro")
	defer db.Close()
	tx, err := db.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	count := 0
	read := func() {
		t.Helper()
		if err := tx.QueryRow("SELECT count(*) FROM message").Scan(&count); err != nil || count != 10 {
			t.Fatalf("it sees %d rows, %v", count, err)
		}
	}
	read()
	log := filepath.Join(dir, fileName+"-wal")
	size := func() int64 {
		info, err := os.Stat(log)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	for size() < 2*maxLog {
		w.fill(t, s, 1000, 8000)
	}
	read()
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	s.writing.Lock()
	s.logged = checkpointAt
	s.writing.Unlock()
	if err := s.checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.fill(t, s, 1, 100)
	if size() > maxLog {
		t.Errorf("the log still has %d MiB", size()>>20)
	}
}
