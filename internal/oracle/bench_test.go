package oracle

import (
	"fmt"
	"testing"

	"chatnode/internal/chat"
)

// BenchmarkCheck shows that the time for one event does not grow with the history.
func BenchmarkCheck(b *testing.B) {
	for _, events := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint("events=", events), func(b *testing.B) {
			h, log := long(events)
			for b.Loop() {
				if err := h.Check(log); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(h.events)), "ns/event")
		})
	}
}

// long returns a history of that many events, of clients that all see all, and its log. Half of it is under another epoch, and the store is
// rolled back, and everyone reset, often.
func long(events int) (*History, Log) {
	const clients, resets = 8, 100
	var h History
	all := make([]*Client, clients)
	for i := range all {
		all[i] = h.Client(fmt.Sprint("client", i))
	}
	log := Log{Epoch: 1, Rooms: map[string][]Row{}}
	messages := events / (clients + 2)
	for n := range messages {
		if n == messages/2 {
			for _, c := range all {
				c.Epoch(log.Epoch)
				c.Reset("")
			}
		}
		if n > messages/2 && n%(messages/resets) == 0 {
			h.RolledBack()
			for _, c := range all {
				c.Reset("")
			}
		}
		room, c := fmt.Sprint("room", n%3), all[n%clients]
		row := Row{Seq: uint64(n/3) + 1, Text: fmt.Sprint("text ", n), ID: chat.ID{byte(n), byte(n >> 8)}}
		c.Invoke(uint64(n), room, row.Text)
		c.Acked(uint64(n), row.Seq, row.ID)
		for _, c := range all {
			c.Shown(room, row)
		}
		log.Rooms[room] = append(log.Rooms[room], row)
	}
	return &h, log
}
