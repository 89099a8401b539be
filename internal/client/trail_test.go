package client

import (
	"fmt"
	"strings"
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// TestTrailIsBounded: of too much the oldest goes that a mark covers, and else the oldest.
func TestTrailIsBounded(t *testing.T) {
	var all trail
	text := func(i int) string { return fmt.Sprint("message ", i) }
	for i := range maxTrail + 10 {
		all.add(uint64(i+1), textID(text(i)))
	}
	if len(all.steps) != maxTrail || all.has(textID(text(9))) || !all.has(textID(text(10))) {
		t.Fatalf("%d messages, from %v on", len(all.steps), all.steps[0])
	}
	all.move(0, nil)
	all.add(1, textID(text(20))) // it has come to the other node, and a mark covers it
	if !all.mark(1, []wire.Grown{logs(1, 1)}) {
		t.Fatal("the mark is not taken")
	}
	all.add(2, textID("new"))
	if len(all.steps) != maxTrail || all.has(textID(text(20))) || !all.has(textID(text(10))) || all.away != maxTrail-1 {
		t.Errorf("%d messages, %d of them elsewhere; want all but the one that is covered", len(all.steps), all.away)
	}
	if m := all.moved(); len(m.IDs) != maxTrail || m.IDs[0] != textID(text(10)) {
		t.Errorf("%d ids", len(m.IDs))
	}
	if many := make([]wire.Grown, wire.MaxMarkHeads+1); all.mark(2, many) || all.mark(2, []wire.Grown{logs(2, maxLog+1)}) || len(all.heads) != 1 {
		t.Errorf("%d logs are taken, as after %v", len(many), all.heads)
	}
	if _, err := wire.Append(nil, &wire.Join{Room: strings.Repeat("x", 64), Moved: &wire.Moved{Heads: make([]wire.Grown, wire.MaxMarkHeads), IDs: make([]chat.ID, maxTrail)}}); err != nil {
		t.Errorf("the longest join: %v", err)
	}
}

// TestReadMovesAlong: as much as was unread is unread in the other log.
func TestReadMovesAlong(t *testing.T) {
	for _, c := range [][4]uint64{{10, 10, 300, 300}, {7, 10, 300, 297}, {7, 10, 3, 0}, {0, 10, 300, 0}, {12, 10, 5, 5}, {7, 10, 4, 1}} {
		if got := translate(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("read to %d of %d is %d of %d, want %d", c[0], c[1], got, c[2], c[3])
		}
	}
	hostile(t, func(t *testing.T, r *rig, p *peer) {
		r.Read("lobby", 1)
		p.Close()
		event[LinkDown](r)
		p, _, _ = r.movesTo(siteB)
		event[LinkUp](r)
		p.say((&row{number: 3, seq: 40}).moved("lobby"))
		event[Opened](r)
		if s, _ := r.Room("lobby"); s.Read != 39 {
			t.Errorf("read to %d, want 39 of 40", s.Read)
		}
	})
}
