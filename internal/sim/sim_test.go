package sim

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"chatnode/internal/mesh"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run this seed alone")
	seedsFlag = flag.Int("seeds", defaultSeeds, "how many seeds to run")
	seedLog   = flag.String("seedlog", "", "a file to which each seed that was run is added, with what came of it")
)

func init() {
	flag.IntVar(&LogLines, "loglines", LogLines, "how many lines of the nodes' log a failure shows")
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble runs f with a world of a seed, in a bubble of its own.
func bubble(t *testing.T, seed uint64, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(newWorld(t, seed)) })
}

// planOf returns the plan of a seed.
func planOf(seed uint64) *plan {
	rng := rand.New(rand.NewPCG(seed, 3))
	yes := func(one, in int) bool { return rng.IntN(in) < one }
	p := &plan{
		nodes: 3 + rng.IntN(6), degree: 1 + rng.IntN(3), people: 1 + rng.IntN(2), steps: 60 + rng.IntN(100), faults: yes(4, 5), hidden: yes(1, 2),
		guests: yes(1, 6), acts: yes(2, 3), moves: yes(1, 2), old: yes(1, 2),
	}
	if p.guests {
		p.acts = false // each node has its own word for who owns a room then
	}
	if yes(1, 8) {
		p.nodes += 8
	}
	if yes(1, 3) {
		p.late = 1 + rng.IntN(2)
	}
	if yes(1, 3) {
		p.history = rng.IntN(40)
	}
	return p
}

// TestSeeds runs random plans: people talk and act on nodes whose links and stores break, and when all is mended all have the same.
func TestSeeds(t *testing.T) {
	first := *seedFlag
	n := *seedsFlag
	if first != 0 {
		n = 1
	} else {
		first = uint64(time.Now().UnixNano())
	}
	for i := range uint64(n) {
		seed := first + i
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			began := time.Now()
			p := planOf(seed)
			t.Logf("%+v", *p)
			var healed time.Duration
			var sum mesh.Stats
			bubble(t, seed, func(w *world) {
				healed = w.run(p)
				w.check()
				for _, n := range w.nodes {
					sum = addStats(sum, n.stats())
				}
			})
			line := fmt.Sprintf("%d failed=%v healed=%v took=%v per delivery=%.2f %+v", seed, t.Failed(), healed, time.Since(began).Round(time.Millisecond),
				float64(sum.Received)/float64(max(1, sum.Taken)), *p)
			t.Log(line)
			record(t, line)
		})
	}
}

// record adds a line to the log of seeds.
func record(t *testing.T, line string) {
	if *seedLog == "" {
		return
	}
	f, err := os.OpenFile(*seedLog, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, line); err != nil {
		t.Error(err)
	}
}
