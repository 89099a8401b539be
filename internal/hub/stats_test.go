package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// countedHub is a hub that does not run: the test is its sequencer, its sessions' writers, and its clock.
type countedHub struct {
	*Hub
	t    *testing.T
	disk *slowStore
	now  time.Time
}

func newCountedHub(t *testing.T, cfg Config) *countedHub {
	t.Helper()
	c := &countedHub{t: t, disk: &slowStore{Memory: store.NewMemory(1 << 20)}, now: time.UnixMilli(1_700_000_000_000)}
	cfg.Store, cfg.Log, cfg.Now, cfg.Rand = c.disk, slog.New(slog.DiscardHandler), func() time.Time { return c.now }, rand.NewChaCha8([32]byte{})
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Hub = h
	return c
}

// comes has somebody come, and join the lobby with all that was said there.
func (c *countedHub) comes(name string) *Session {
	c.t.Helper()
	s, _, err := c.attach(Guest{Key: keyOf(name), Name: name, Origin: store.OriginToken([]byte(name + "----------------")[:16]), Wake: func() {}})
	if err != nil {
		c.t.Fatal(err)
	}
	c.says(s, &wire.Join{Room: "lobby", Tail: chat.MaxTail})
	return s
}

func (c *countedHub) says(s *Session, records ...wire.Record) {
	c.t.Helper()
	for _, r := range records {
		if err := c.sequence([]item{{session: s, record: r, size: recordSize(r)}}); err != nil {
			c.t.Fatal(err)
		}
	}
}

// reads has sessions take all there is.
func (c *countedHub) reads(sessions ...*Session) {
	c.t.Helper()
	for _, s := range sessions {
		for more := true; more; {
			records, _, err := s.TakeChat(nil, 64<<10, 64<<10)
			if err != nil {
				c.t.Fatal(err)
			}
			more = len(records) > 0
		}
	}
}

func text(cseq uint64, body string) *wire.Pub {
	return &wire.Pub{CSeq: cseq, Room: "lobby", Kind: chat.Text, Body: []byte(body)}
}

// TestStatsCount: what a hub tells of itself is what it has done, to the last message.
func TestStatsCount(t *testing.T) {
	h := newCountedHub(t, Config{Memory: 1})
	bob := h.comes("bob")
	h.says(bob, text(1, "one"), text(2, "two"))
	carol := h.comes("carol") // and gets those two, which were there before her
	h.reads(bob, carol)
	h.now = h.now.Add(300 * time.Millisecond)
	h.says(bob, text(3, "three"))
	h.now = h.now.Add(30 * time.Millisecond)
	h.reads(carol)
	h.now = h.now.Add(4 * time.Second)
	h.reads(bob)
	h.says(bob, text(4, strings.Repeat("x", chat.MaxText+1)), text(4, "again: answered as it was"), text(9, "a hole"), text(10, "is told once"))
	h.says(bob, &wire.Pub{CSeq: 5, Room: "No!", Kind: chat.Text, Body: []byte("x")})
	for range maxNotices + 3 {
		carol.notice(chat.OK, "x")
	}
	h.replace(carol)
	carol.bye(chat.Stopping, 0, "") // the second one does not count
	h.says(bob, &wire.Part{Room: "lobby"})

	got := h.Stats()
	if got.DeliveredBytes == 0 || got.Commit.Count() == 0 || got.Pages == 0 {
		t.Errorf("%d bytes, %d commits, %d pages", got.DeliveredBytes, got.Commit.Count(), got.Pages)
	}
	want := Stats{
		Sessions: 1, Rooms: 1, People: 2, Messages: 3, Deliveries: 6, DroppedNotices: 3,
		Refused: map[chat.Code]uint64{chat.TooLong: 1, chat.Hole: 1, chat.BadRoom: 1}, Goodbyes: map[chat.Code]uint64{chat.Replaced: 1},
	}
	want.DeliveredBytes, want.Commit, want.Pages, want.SegmentBytes = got.DeliveredBytes, got.Commit, got.Pages, got.SegmentBytes
	want.Lag.Counts[bucket(t, 50*time.Millisecond)] = 1
	want.Lag.Counts[bucket(t, 5*time.Second)] = 1
	want.Lag.Counts[0] = 1 // bob's own first two, which he read together and at once
	want.Lag.Sum = 30*time.Millisecond + 4030*time.Millisecond
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

func bucket(t *testing.T, bound time.Duration) int {
	t.Helper()
	for i, b := range Bounds {
		if b == bound {
			return i
		}
	}
	t.Fatalf("no bucket ends at %v", bound)
	return 0
}

// TestStatsWhileStuck: numbers and health are told while a commit hangs, and health says that it does.
func TestStatsWhileStuck(t *testing.T) {
	h := newCountedHub(t, Config{})
	bob := h.comes("bob")
	gate, entered := make(chan struct{}), make(chan struct{})
	h.disk.gate, h.disk.watch = gate, func(*store.Batch) { close(entered) }
	done := make(chan struct{})
	go func() { // ends with the gate
		defer close(done)
		h.says(bob, text(1, "one"))
	}()
	<-entered
	if got := h.Stats(); got.Messages != 0 || got.Sessions != 1 {
		t.Errorf("%d messages, %d sessions", got.Messages, got.Sessions)
	}
	began := time.Unix(0, h.figures.committing.Load())
	for after, want := range map[time.Duration]string{stuckAfter - 1: "", stuckAfter: "the store has not ended a write for 10s"} {
		h.cfg.Now = func() time.Time { return began.Add(after) }
		if got := fmt.Sprint(errors.Join(h.Health())); want == "" && got != "<nil>" || want != "" && got != want {
			t.Errorf("after %v: %q, want %q", after, got, want)
		}
	}
	close(gate)
	<-done
	if err := h.Health(); err != nil {
		t.Errorf("when it has ended: %v", err)
	}
}

// TestHealth says why nothing is taken, for each reason that there is.
func TestHealth(t *testing.T) {
	h := newCountedHub(t, Config{Reserve: 1000})
	free, broken := int64(1000), error(nil)
	h.disk.free = func() (int64, error) { return free, broken }
	healthy := func(when, want string) {
		t.Helper()
		switch err := h.Health(); {
		case want == "" && err != nil:
			t.Errorf("%s: %v", when, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", when, err, want)
		}
	}
	healthy("with room", "")
	free = 999
	healthy("without", "nearly full")
	free, broken = 1000, errors.New("gone")
	healthy("with a broken disk", "gone")
	broken = nil
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	healthy("stopping", "stopping")
	cancel()
	<-ended
	healthy("ended", "ended")
}

// TestQuantile reads quantiles out of buckets.
func TestQuantile(t *testing.T) {
	var h Histogram
	if got := h.Quantile(0.99); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	var filled timing
	for range 98 {
		filled.add(time.Millisecond) // within (0.5 ms, 1 ms]
	}
	filled.add(-time.Second) // of a clock that was put back: the first bucket
	filled.add(time.Hour)
	h = filled.histogram()
	for q, want := range map[float64]time.Duration{0: 0, 0.01: 100 * time.Microsecond, 0.5: 750 * time.Microsecond, 0.99: time.Millisecond, 1: Bounds[len(Bounds)-1]} {
		if got := h.Quantile(q); got.Round(10*time.Microsecond) != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if h.Count() != 100 || h.Sum != 98*time.Millisecond+time.Hour {
		t.Errorf("%d times, %v in all", h.Count(), h.Sum)
	}
}

// BenchmarkCount is what counting adds to a delivery, which BenchmarkSequence measures whole: by one writer, and by all at once.
func BenchmarkCount(b *testing.B) {
	h := benchHub(b, 8<<20)
	s := benchSession(b, h, "bob")
	record := wire.Must(nil, &wire.Event{Room: 1, Seq: 70_000, From: 300, CSeq: 400, Time: chat.Millis(time.Now()), Name: "carol", Kind: chat.Text, Body: make([]byte, 100)})
	sub := &subscription{session: s, next: 70_001, start: start{head: 1}}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h.delivered(sub, 1, record)
		}
	})
	b.Run("all", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				h.delivered(sub, 1, record)
			}
		})
	})
}
