package door

import "testing"

// TestRush: when many have come, or gone, that is found out once, and not before it is over.
func TestRush(t *testing.T) {
	var r Rush
	for i, step := range []struct {
		links int
		over  bool
	}{
		{0, false}, {50, false}, {50, false}, {500, false}, {1000, false}, {1005, true}, {1005, false}, {1200, false}, {1200, false}, {1300, false}, {1300, true},
		{100, false}, {100, true}, {30, false}, {30, true}, {0, false}, {0, false},
	} {
		if over := r.Over(step.links); over != step.over {
			t.Errorf("step %d, %d links: %v, want %v", i, step.links, over, step.over)
		}
	}
}
