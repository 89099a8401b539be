package tui

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/chat"
	"chatnode/internal/client"
)

// full returns a screen of 120×40 whose lobby holds n messages of 100 bytes.
func full(b *testing.B, n int) *stage {
	b.Helper()
	t := &testing.T{}
	s := &stage{T: t, c: newFakeClient(), now: dawn}
	cfg := &Config{Client: s.c, Rooms: []string{"lobby"}, Zone: time.UTC, Now: func() time.Time { return s.now }}
	cfg.complete()
	s.m = newModel(b.Context(), cfg)
	s.m.beat = func() tea.Cmd { return nil }
	s.size(120, 40)
	s.do(tea.FocusMsg{})
	s.happen(client.LinkUp{Title: "plant", Name: "carol", Epoch: 7})
	s.open("lobby", 0)
	for i := range n {
		s.happen(s.next(i))
	}
	return s
}

// next returns a message of 100 bytes, as the next of the lobby. Nothing of it is kept but in the screen.
func (s *stage) next(i int) client.Message {
	return client.Message{
		Room: "lobby", Seq: uint64(i + 1), ID: chat.ID{byte(i >> 16), byte(i >> 8), byte(i), 1}, Epoch: 7, Name: []string{"alice", "bob", "carol"}[i/3%3],
		Kind: chat.Text, Time: s.now.Add(time.Duration(i) * time.Second), Text: fmt.Sprintf("message %8d %082d", i, i),
	}
}

// What a frame costs, with 100,000 messages in the buffer: an update and a view for each batch of the events that come at 500/s, 60 frames a second.
func BenchmarkFrame(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := full(b, n)
			const batch = 500/60 + 1
			took := make([]time.Duration, 0, 1<<16)
			b.ReportAllocs()
			for b.Loop() {
				events := make([]client.Event, batch)
				for i := range events {
					events[i] = s.next(n)
					n++
				}
				begun := time.Now()
				s.m.Update(happened(events))
				_ = s.m.View()
				took = append(took, time.Since(begun))
			}
			percentiles(b, took)
		})
	}
}

// What a key costs until the frame that shows it is ready.
func BenchmarkKeyToFrame(b *testing.B) {
	s := full(b, 100_000)
	took := make([]time.Duration, 0, 1<<16)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		begun := time.Now()
		s.m.Update(tea.KeyPressMsg{Code: 'x', Text: "x"})
		_ = s.m.View()
		took = append(took, time.Since(begun))
		if i%80 == 79 {
			s.m.input.clear()
		}
	}
	percentiles(b, took)
}

func percentiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// What 100,000 messages of 100 bytes take.
func BenchmarkMemory(b *testing.B) {
	const n = 100_000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		s := full(b, n)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "bytes/message")
		runtime.KeepAlive(s)
	}
}
