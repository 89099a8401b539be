package hub

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// benchHub returns a hub that is not running: the benchmark is its sequencer.
func benchHub(b *testing.B, memory int64) *Hub {
	h, err := New(Config{Store: store.NewMemory(64 << 20), Now: time.Now, Rand: rand.NewChaCha8([32]byte{}), Memory: memory})
	if err != nil {
		b.Fatal(err)
	}
	return h
}

func benchSession(b *testing.B, h *Hub, name string) *Session {
	s, _, err := h.attach(Guest{Key: keyOf(name), Name: name, Origin: store.OriginToken([]byte(name + "----------------")[:16]), Wake: func() {}})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// sequenceAll takes records as one batch.
func sequenceAll(b *testing.B, h *Hub, s *Session, records ...wire.Record) {
	items := make([]item, len(records))
	for i, r := range records {
		items[i] = item{session: s, record: r, size: recordSize(r)}
	}
	if err := h.sequence(items); err != nil {
		b.Fatal(err)
	}
}

// drainAll takes all that a session has, into buf.
func drainAll(b *testing.B, s *Session, buf []byte) (total int) {
	for {
		records, _, err := s.TakeChat(buf[:0], 64<<10, 64<<10)
		if err != nil {
			b.Fatal(err)
		}
		if len(records) == 0 {
			return total
		}
		total += len(records)
	}
}

// BenchmarkSequence publishes texts of 100 bytes in batches, to subscribers that take all of it.
func BenchmarkSequence(b *testing.B) {
	for _, batch := range []int{1, 64} {
		for _, subscribers := range []int{0, 1, 1000} {
			b.Run(fmt.Sprintf("batch=%d/subscribers=%d", batch, subscribers), func(b *testing.B) {
				h := benchHub(b, 8<<20)
				var readers []*Session
				for i := range subscribers {
					s := benchSession(b, h, fmt.Sprint("r", i))
					sequenceAll(b, h, s, &wire.Join{Room: "lobby"})
					readers = append(readers, s)
				}
				writer := benchSession(b, h, "writer")
				buf, body := make([]byte, 0, 64<<10), []byte(strings.Repeat("x", 100))
				items := make([]item, batch)
				pubs := make([]wire.Pub, batch)
				for i := range items {
					items[i] = item{session: writer, record: &pubs[i], size: 228}
				}
				cseq := uint64(0)
				b.ReportAllocs()
				for b.Loop() {
					for i := range pubs {
						cseq++
						pubs[i] = wire.Pub{CSeq: cseq, Room: "lobby", Kind: chat.Text, Body: body}
					}
					if err := h.sequence(items); err != nil {
						b.Fatal(err)
					}
					drainAll(b, writer, buf)
					for _, s := range readers {
						drainAll(b, s, buf)
					}
				}
				perRow := float64(b.Elapsed().Nanoseconds()) / float64(b.N*batch)
				b.ReportMetric(perRow, "ns/row")
				if subscribers > 0 {
					b.ReportMetric(perRow/float64(subscribers), "ns/delivery")
				}
			})
		}
	}
}

// BenchmarkTakeChat reads 10,000 rows of 100 bytes from the room's memory and from the store.
func BenchmarkTakeChat(b *testing.B) {
	for name, memory := range map[string]int64{"hot": 64 << 20, "page": 1} {
		b.Run(name, func(b *testing.B) {
			const rows = 10_000
			h := benchHub(b, memory)
			writer := benchSession(b, h, "writer")
			for i := range rows {
				sequenceAll(b, h, writer, &wire.Pub{CSeq: uint64(i + 1), Room: "lobby", Kind: chat.Text, Body: []byte(strings.Repeat("x", 100))})
			}
			reader := benchSession(b, h, "reader")
			buf := make([]byte, 0, 64<<10)
			join := &wire.Join{Room: "lobby", Cursor: &wire.Cursor{Epoch: h.Epoch()}}
			b.ReportAllocs()
			total := 0
			for b.Loop() {
				sequenceAll(b, h, reader, join)
				total = drainAll(b, reader, buf)
			}
			b.SetBytes(int64(total))
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
		})
	}
}

// BenchmarkRun publishes through Run, one text after the other, by one session that waits for each answer.
func BenchmarkRun(b *testing.B) {
	h := benchHub(b, 8<<20)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	woken := make(chan struct{}, 1)
	s, _, err := h.Attach(Guest{Key: keyOf("writer"), Name: "writer", Wake: func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	}})
	if err != nil {
		b.Fatal(err)
	}
	buf, body, cseq := make([]byte, 0, 1<<10), []byte(strings.Repeat("x", 100)), uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		cseq++
		if err := s.Submit(nil, &wire.Pub{CSeq: cseq, Room: "lobby", Kind: chat.Text, Body: body}); err != nil {
			b.Fatal(err)
		}
		for drainAll(b, s, buf) == 0 {
			<-woken
		}
	}
}
