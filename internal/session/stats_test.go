package session

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// TestStatsAreTold: everybody sees that the node runs, and admins what it does.
func TestStatsAreTold(t *testing.T) {
	h := newHost(t)
	whole := wire.StatsAre{Up: 7, Sessions: 2, Rooms: 1, Work: []wire.NodeStats{{Messages: 9, Dropped: []wire.Count{{What: "lost", N: 1}}}}}
	h.Stats = func() *wire.StatsAre { copied := whole; return &copied }
	var admin identity.ID
	h.Admin = func(id identity.ID) bool { return id == admin }
	boss := arriveAs(t, h, func(id identity.ID) Caller { admin = id; return Caller{} })
	boss.enter("boss")
	carol := arrive(t, h)
	carol.enter("carol")
	same := []cmp.Option{cmpopts.EquateEmpty(), cmpopts.IgnoreFields(wire.StatsAre{}, "Type")}
	if diff := cmp.Diff(&whole, ask[*wire.StatsAre](boss, &wire.Stats{}), same...); diff != "" {
		t.Errorf("an admin is told (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&wire.StatsAre{Up: 7, Sessions: 2, Rooms: 1}, ask[*wire.StatsAre](carol, &wire.Stats{}), same...); diff != "" {
		t.Errorf("carol is told (-want +got):\n%s", diff)
	}
	lone := arrive(t, newHost(t))
	lone.enter("carol")
	if failed := ask[*wire.Failed](lone, &wire.Stats{}); failed.Code != chat.Unsupported {
		t.Errorf("where nobody counts: %v, want unsupported", failed.Code)
	}
}
