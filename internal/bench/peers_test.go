package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// placed is a small configuration with a place for stores.
func placed(t *testing.T) *config {
	t.Helper()
	cfg := small(t, "-scenario", "peers", "-dir", t.TempDir(), "-messages", "500")
	var err error
	if cfg.place, err = newPlace(cfg.dir); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestShapes(t *testing.T) {
	for name, tt := range map[string]struct {
		shape func(i, j int) bool
		want  string
	}{"all": {allLinked, "01 02 03 12 13 23"}, "line": {inALine, "01 12 23"}, "star": {aStar, "01 02 03"}} {
		var got []string
		for i := range 4 {
			for j := range i {
				if tt.shape(i, j) != tt.shape(j, i) {
					t.Errorf("%s: %d and %d are linked one way", name, i, j)
				}
			}
			for j := i + 1; j < 4; j++ {
				if tt.shape(i, j) {
					got = append(got, fmt.Sprint(i, "", j))
				}
			}
		}
		if joined := strings.ReplaceAll(strings.Join(got, ","), " ", ""); joined != strings.ReplaceAll(tt.want, " ", ",") {
			t.Errorf("%s: linked are %s, want %s", name, joined, tt.want)
		}
	}
}

// The stores of a peering are in one space, have keys of their own, and know whom they are not to link to.
func TestPeeringsStores(t *testing.T) {
	cfg := placed(t)
	p, err := cfg.newPeering(program{}, 3, inALine)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	for i, n := range p.nodes {
		s, err := store.Open(n.dir, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		state, err := s.Load()
		text, keyErr := s.NodeKey([]byte("none"))
		if err := errors.Join(err, keyErr, s.Close()); err != nil {
			t.Fatal(err)
		}
		key, err := identity.ParseKey(text)
		if err != nil || key.ID() != n.key.ID() || state.Sharing.Space != p.space || state.Sharing.Shared {
			t.Errorf("node %d: key %v, %+v, %v", i, key.ID(), state.Sharing, err)
		}
		if want := []int{1, 0, 1}[i]; len(state.Peers) != want || want > 0 && (state.Peers[0].Node != p.nodes[2-i].key.ID() || state.Peers[0].Mode != wire.AdmitDrop) {
			t.Errorf("node %d knows %+v", i, state.Peers)
		}
	}
}

// A past that is shared is one that a check finds nothing wrong with, and two of them are not the same.
func TestSharedPast(t *testing.T) {
	cfg := placed(t)
	p, err := cfg.newPeering(program{}, 2, allLinked)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	for i, n := range p.nodes {
		if err := p.writeShared(t.Context(), i, 300+i, &progress{}); err != nil {
			t.Fatal(err)
		}
		a, err := store.OpenArchive(t.Context(), n.dir)
		if err != nil {
			t.Fatal(err)
		}
		tally, err := a.Check(t.Context(), func(store.Step) {})
		if err := errors.Join(err, a.Close()); err != nil || tally.Entries != int64(300+i) || tally.Messages != tally.Entries {
			t.Errorf("node %d: %+v, %v", i, tally, err)
		}
	}
	if err := p.same(t.Context()); err == nil || !strings.Contains(err.Error(), "node 0 has 300 entries and node 1 has 301") {
		t.Errorf("two nodes that never met: %v", err)
	}
}

func TestSharedText(t *testing.T) {
	log := `time=x level=INFO msg="shared with other nodes" frames=12 sent=34 taken=5 duplicates=6`
	if s, err := sharedIn("before\n" + log + "\nbehind"); err != nil || s != (shared{12, 34, 5}) {
		t.Errorf("got %+v, %v", s, err)
	}
	for _, log := range []string{"", "killed", `msg="shared with other nodes" frames=x`} {
		if _, err := sharedIn(log); err == nil {
			t.Errorf("%q says nothing, and was taken for something", log)
		}
	}
}

// Nodes that never link, break off or don't even start end the bench, with what they said.
func TestFaultsOfPeersAreFound(t *testing.T) {
	for role, want := range map[string]string{"fails": "no room at the inn", "babbles": `it said "hello"`} {
		cfg := placed(t)
		out := newFigures(cfg, &strings.Builder{})
		err := cfg.countFrames(t.Context(), roleProgram(role), "a case", 2, out)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", role, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cfg := placed(t)
	if err := cfg.weighLinks(ctx, roleProgram("silent"), "a case", newFigures(cfg, &strings.Builder{})); err == nil {
		t.Error("nothing was wrong when it was ended before it began")
	}
}
