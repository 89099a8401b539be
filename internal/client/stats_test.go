package client

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// TestStats: how a node is doing is taken as it tells; times that no clock has are cut to what there is.
func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		for name, c := range map[string]struct {
			is   wire.Record
			want NodeStats
			code chat.Code
		}{
			"everybody": {&wire.StatsAre{Up: 1500, Sessions: 2, Rooms: 3}, NodeStats{Up: 1500 * time.Millisecond, Sessions: 2, Rooms: 3}, 0},
			"an admin": {&wire.StatsAre{Work: []wire.NodeStats{{
				People: 1, Conversations: 2, Messages: 3, Deliveries: 4, DeliveredBytes: 5, Lag: wire.Times{Half: 6, Most: math.MaxUint64}, Commits: 8, Commit: wire.Times{Half: 9, Most: 10}, Memory: 11,
				Segments: 12, Waiting: 13, Linked: 14, Known: 15, Sent: 16, Taken: 17,
				Refused: []wire.Count{{What: "slow", N: 18}}, TurnedAway: []wire.Count{{What: "a\x1b[2J", N: 19}}, Dropped: []wire.Count{{What: "lost", N: 20}}}}},
				NodeStats{Work: &Work{
					People: 1, Conversations: 2, Messages: 3, Deliveries: 4, DeliveredBytes: 5, Lag: Times{6 * time.Microsecond, math.MaxInt64 / 1000 * time.Microsecond}, Commits: 8,
					Commit: Times{9 * time.Microsecond, 10 * time.Microsecond}, Memory: 11, Segments: 12, Waiting: 13, Linked: 14, Known: 15, Sent: 16, Taken: 17,
					Refused: []Count{{"slow", 18}}, TurnedAway: []Count{{"a\ufffd[2J", 19}}, Dropped: []Count{{"lost", 20}}}}, 0},
			"an older node": {&wire.Failed{Code: chat.Unsupported}, NodeStats{}, chat.Unsupported},
		} {
			got := asked(func() (NodeStats, error) { return r.NodeStats(r.ctx) })
			onControl[*wire.Stats](p)
			p.tell(c.is)
			is, err := got()
			var refused *RefusedError
			if diff := cmp.Diff(c.want, is); diff != "" || (err != nil) != (c.code != 0) || errors.As(err, &refused) && refused.Code != c.code {
				t.Errorf("%s: %v, stats (-want +got):\n%s", name, err, diff)
			}
		}
	})
}
