package mesh

import (
	"fmt"
	"testing"
	"time"
)

// Whatever the shape of the graph, what one node keeps arrives at all, in the order of each log and behind what it depends on.
func TestGraphs(t *testing.T) {
	full := func(n int) (edges [][2]int) {
		for i := range n {
			for j := range i {
				edges = append(edges, [2]int{i, j})
			}
		}
		return edges
	}
	for name, g := range map[string]struct {
		nodes int
		edges [][2]int
		most  float64 // records with entries for each delivery
	}{
		"two":      {2, [][2]int{{1, 0}}, 1.1},
		"line":     {4, [][2]int{{1, 0}, {2, 1}, {3, 2}}, 1.1},
		"ring":     {5, [][2]int{{1, 0}, {2, 1}, {3, 2}, {4, 3}, {0, 4}}, 1.5},
		"star":     {6, [][2]int{{1, 0}, {2, 0}, {3, 0}, {4, 0}, {5, 0}}, 1.1},
		"three":    {3, full(3), 1.5},
		"full":     {8, full(8), 1.5},
		"full, 20": {20, full(20), 3},
	} {
		t.Run(name, func(t *testing.T) {
			run2(t, func(w *world) {
				for i := range g.nodes {
					var connect []int
					for _, e := range g.edges {
						if e[0] == i {
							connect = append(connect, e[1])
						}
					}
					w.add(nil, connect...)
				}
				w.start(w.nodes...)
				w.settle(10 * time.Second)
				messages := 400
				if g.nodes > 10 {
					messages = 200
				}
				for i := range messages {
					w.nodes[i%len(w.nodes)].say("lobby", fmt.Sprint("message ", i))
					w.settle(time.Duration(w.rand.IntN(40)) * time.Millisecond)
				}
				took := w.until(5 * time.Second)
				if n := len(w.nodes[0].order); n != messages {
					t.Errorf("%d entries, want %d", n, messages)
				}
				s := w.stats()
				frames := float64(s.FramesReceived) / float64(s.Taken)
				t.Logf("%.2f data frames for each delivery, %.2f small; the last took %v: %+v", frames, float64(s.SmallSent)/float64(s.Taken), took, s)
				if frames > g.most {
					t.Errorf("%.2f data frames for each delivery, want %.1f at most", frames, g.most)
				}
			})
		})
	}
}

// Two sides of a partition go on, and hold the same when it has healed.
func TestPartition(t *testing.T) {
	run2(t, func(w *world) {
		for i := range 6 {
			var connect []int
			for j := range i {
				connect = append(connect, j)
			}
			w.add(nil, connect...)
		}
		w.start(w.nodes...)
		w.settle(5 * time.Second)
		w.part(map[int]int{3: 1, 4: 1, 5: 1})
		for i := range 3000 {
			w.nodes[i%6].say(fmt.Sprint("room-", i%3), fmt.Sprint("message ", i))
			w.settle(time.Millisecond)
		}
		w.settle(10 * time.Second)
		w.converged(w.nodes[:3]...)
		w.converged(w.nodes[3:]...)
		if w.nodes[0].digest() == w.nodes[3].digest() {
			t.Fatal("the partition let something through")
		}
		before := w.stats()
		w.part(nil)
		took := w.until(2 * time.Minute)
		after := w.stats()
		received, taken := after.Received-before.Received, after.Taken-before.Taken
		t.Logf("healed in %v, %.2f entries received for each taken, %d offers", took, float64(received)/float64(taken), w.nodes[0].offers)
		if float64(received) > 1.25*float64(taken) {
			t.Errorf("%d entries were received to take %d", received, taken)
		}
		for i := range 100 {
			w.nodes[i%6].say("room-0", fmt.Sprint("later ", i))
			w.settle(10 * time.Millisecond)
		}
		w.until(2 * time.Second)
	})
}
