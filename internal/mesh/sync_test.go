package mesh

import (
	"testing"

	"chatnode/internal/wire"
)

// TestLogNamedLate: a log of which another one's entry was the first to speak is what its head says as soon as that comes. What was offered to the hub
// without would be taken for a lie of whoever sent it.
func TestLogNamedLate(t *testing.T) {
	log := wire.Log{Node: keyOf(1).Public(), Nonce: 7, Room: "ops"}
	m := &Mesh{logs: map[wire.LogID]*replica{log.ID(): {id: log.ID(), log: wire.Log{Room: log.Room}, head: 3}}}
	r := m.replicaLocked(&log)
	if r.log.ID() != log.ID() || r.head != 3 {
		t.Errorf("the log is %+v, with head %d", r.log, r.head)
	}
	if m.replicaLocked(&log) != r || len(m.logs) != 1 {
		t.Error("there are two of it")
	}
}
