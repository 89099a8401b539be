package command

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
)

// TestStatsLines: ten lines at most, whatever another machine says, and none that could drive a terminal.
func TestStatsLines(t *testing.T) {
	work := Work{
		People: 1, Conversations: 4, Messages: 1500, Deliveries: 18_000, DeliveredBytes: 2_600_000, Lag: Times{900 * time.Microsecond, 4123 * time.Microsecond}, Commits: 700,
		Commit: Times{400 * time.Microsecond, 2 * time.Millisecond}, Memory: 34 << 20, Segments: 900, Waiting: 0, Linked: 1, Known: 2, Sent: 70, Taken: 80,
		Refused: []Count{{"slow", 6}, {"muted", 3}, {"banned", 1}, {"too_long", 1}, {"bad_text", 1}, {"denied", 1}}, TurnedAway: []Count{{"timeout", 2}},
	}
	want := []string{
		"up 3d4h: 12 connections, 1 room",
		"  known: 1 person, 4 conversations",
		"  kept: 1500 messages in 700 commits; 400µs, 99 of 100 within 2ms",
		"  delivered: 18000 messages, 2.5MB; lag 900µs, 99 of 100 within 4.1ms",
		"  memory: 34.0MB, of it 900B for the newest messages; 0B waiting",
		"  refused: 13: 6 slow, 3 muted, 1 banned, 1 too_long, 2 others",
		"  turned away: 2: 2 timeout",
		"  dropped: 0",
		"  other nodes: 1 linked of 2; 70 entries sent, 80 taken",
	}
	up := 3*24*time.Hour + 4*time.Hour + 59*time.Minute
	if diff := cmp.Diff(want, StatsAnswer{up, 12, 1, &work}.Lines(time.UTC)); diff != "" {
		t.Errorf("mismatch (-want +got):\n%s", diff)
	}
	work.Linked, work.Known, work.Sent, work.Taken = 0, 0, 0, 0
	if got := (StatsAnswer{up, 12, 1, &work}).Lines(time.UTC); len(got) != 8 {
		t.Errorf("of a node alone:\n%s", strings.Join(got, "\n"))
	}
	if diff := cmp.Diff([]string{"up 0s: 0 connections, 2 rooms"}, StatsAnswer{Rooms: 2}.Lines(time.UTC)); diff != "" {
		t.Errorf("for everybody (-want +got):\n%s", diff)
	}
	hostile := Work{Memory: math.MaxUint64, Known: math.MaxUint64, Lag: Times{math.MaxInt64, math.MaxInt64}, Dropped: slices.Repeat([]Count{{"\x1b[2J" + strings.Repeat("x", 500), math.MaxUint64}}, 64)}
	for _, line := range (StatsAnswer{math.MaxInt64, math.MaxUint64, math.MaxUint64, &hostile}).Lines(time.UTC) {
		if chat.OneLine(line) != line || len(line) > 300 {
			t.Errorf("a hostile node has the line %q", line)
		}
	}
}
