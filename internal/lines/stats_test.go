package lines

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/client"
)

// TestStatsToPrograms: how the node is doing is one object, without work for who is no admin.
func TestStatsToPrograms(t *testing.T) {
	for want, work := range map[string]*client.Work{
		`{"type":"stats","line":1,"up_ms":90000,"sessions":2,"room_count":1}`: nil,
		`{"type":"stats","line":1,"up_ms":90000,"sessions":2,"room_count":1,"work":{"people":3,"conversations":4,"messages":5,"deliveries":6,"delivered_bytes":7,"lag_p50_us":8,"lag_p99_us":9,` +
			`"commits":10,"commit_p50_us":11,"commit_p99_us":12,"memory_bytes":13,"segment_bytes":14,"waiting_bytes":15,"nodes_linked":16,"nodes_known":17,"entries_sent":18,"entries_taken":19,` +
			`"refused":{"muted":21,"slow":20},"turned_away":{"a\ufffdb":22},"dropped":{}}}`: {
			People: 3, Conversations: 4, Messages: 5, Deliveries: 6, DeliveredBytes: 7, Lag: client.Times{Half: 8 * time.Microsecond, Most: 9 * time.Microsecond},
			Commits: 10, Commit: client.Times{Half: 11 * time.Microsecond, Most: 12 * time.Microsecond}, Memory: 13, Segments: 14, Waiting: 15, Linked: 16, Known: 17, Sent: 18, Taken: 19,
			Refused: []client.Count{{What: "slow", N: 20}, {What: "muted", N: 21}}, TurnedAway: []client.Count{{What: "a\x1bb", N: 22}},
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk()
			d.work = work
			r := start(t, d, func(cfg *Config) { cfg.JSON = true })
			r.json = true
			r.typed("/stats")
			if lines := strings.Split(r.out.String(), "\n"); len(lines) < 2 || strings.ReplaceAll(lines[1], "\ufffd", `\ufffd`) != want {
				t.Errorf("/stats prints\n%s\nwant\n%s", strings.Join(lines[1:], "\n"), want)
			}
		})
	}
}
