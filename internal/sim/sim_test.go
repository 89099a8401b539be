package sim

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"chatnode/internal/chat"
	"chatnode/internal/mesh"
)

// How much is run: by default as many seeds as some seconds of a core allow, and no more than defaultSeeds; with -seeds as many as it says, however long
// that takes. They are others each time. A failure prints the seed and the line that repeats it, and -seedlog, or -v, keeps a log of all that were run:
//
//	go test ./internal/sim -run TestSeeds -seed 1795438334640438947 -v
//	go test ./internal/sim -run TestSeeds -seeds 5000 -timeout 0 -seedlog seeds.txt
var (
	seedFlag  = flag.Uint64("seed", 0, "run this seed alone")
	seedsFlag = flag.Int("seeds", 0, "how many seeds to run; 0: as many as a short time allows")
	seedLog   = flag.String("seedlog", "", "a file to which each seed that was run is added, with what came of it")
)

// budget is how long seeds are begun when nobody says how many are to be run.
const budget = 12 * time.Second

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
		guests: yes(1, 6), acts: yes(2, 3), moves: yes(1, 2), old: yes(1, 2), liars: yes(1, 2), trims: yes(1, 4),
	}
	if p.guests {
		p.acts = false // each node has its own word for who owns a room then
	}
	if p.trims {
		p.hidden, p.faults, p.acts = false, false, false // what all neighbours have let go does not come, and what somebody did that is kept nowhere any more, nobody can know of
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
	first, n, limit := *seedFlag, *seedsFlag, time.Duration(math.MaxInt64)
	switch {
	case first != 0:
		n = 1
	case n == 0:
		n, limit = defaultSeeds, budget
	}
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	began := time.Now()
	for i := 0; i < n && time.Since(began) < limit; i++ {
		seed := first + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runSeed(t, seed) })
	}
}

func runSeed(t *testing.T, seed uint64) {
	began, p := time.Now(), planOf(seed)
	t.Logf("%+v", *p)
	var healed time.Duration
	var sum mesh.Stats
	bubble(t, seed, func(w *world) {
		healed = w.run(p)
		w.check()
		sum = w.stats()
	})
	line := fmt.Sprintf("%d failed=%v healed=%v took=%v per delivery=%.2f %+v", seed, t.Failed(), healed, time.Since(began).Round(time.Millisecond), perDelivery(sum), *p)
	t.Log(line)
	record(t, line)
	if t.Failed() {
		t.Logf("again: go test ./internal/sim -run TestSeeds -seed %d -count 20", seed)
	}
}

// perDelivery returns how many entries have come for each that was new.
func perDelivery(s mesh.Stats) float64 { return float64(s.Received) / float64(max(1, s.Taken)) }

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

// TestLies tells each lie to a node among honest ones. It is seen where it can be, and changes nothing (P8, P9).
func TestLies(t *testing.T) {
	for i, l := range lies {
		t.Run(l.name, func(t *testing.T) {
			bubble(t, uint64(i+1), func(w *world) {
				p := &plan{nodes: 3, degree: 1, people: 1, steps: 20, acts: true, hidden: true}
				w.run(p)
				c := w.newLiar().liesTo(pick(w, w.nodes), l)
				w.lying.Wait()
				elapse(time.Second)
				w.checkSeen(c)
				for range 5 {
					w.talk(p)
				}
				w.settle()
				w.check()
			})
		})
	}
	t.Run("two histories to two nodes", func(t *testing.T) {
		bubble(t, 99, func(w *world) {
			p := &plan{nodes: 3, degree: 1, people: 1, steps: 20, hidden: true}
			w.run(p)
			w.tellTwo(w.nodes[0], w.nodes[2], 1)
			w.lying.Wait()
			w.settle()
			w.check()
			for _, n := range w.nodes {
				if got := len(n.life.hub.Forks()); got != 1 {
					t.Errorf("node %d knows of %d forks", n.n, got)
				}
			}
		})
	})
}

// TestFifty has fifty nodes, each of which links with some others, talk for a while, divides them, lets both sides go on, and heals that. It says what a
// delivery costs, which is bounded while nothing is broken (P10), and how long it takes until all have the same (P11).
func TestFifty(t *testing.T) {
	if testing.Short() || isRace {
		t.Skip("it takes some seconds")
	}
	bubble(t, cmp.Or(*seedFlag, 50), func(w *world) {
		p := &plan{nodes: 50, degree: 3, people: 1, hidden: true}
		w.build(p)
		for _, n := range w.nodes {
			n.up()
		}
		elapse(10 * time.Second)
		speak := func(times int) {
			for range times {
				for _, person := range w.people {
					person.say(&message{room: "lobby", kind: chat.Text, text: fmt.Sprint(person.name, " ", person.cseq+1)})
					elapse(time.Duration(w.rng.IntN(20)) * time.Millisecond)
				}
			}
			elapse(3 * time.Second)
		}
		speak(1)
		t.Logf("%.2f entries for each delivery while links are learned", perDelivery(w.stats()))
		before := w.stats()
		speak(4)
		steady := subStats(w.stats(), before)
		t.Logf("%d nodes, %d entries each in steady state: %.2f frames and %.2f entries for each delivery, and %.2f small records", len(w.nodes), steady.Taken/uint64(len(w.nodes)-1),
			float64(steady.FramesReceived)/float64(steady.Taken), perDelivery(steady), float64(steady.SmallSent)/float64(steady.Taken))
		if per := perDelivery(steady); per > 3 {
			t.Errorf("P10: %.2f entries come for each that is new", per)
		}
		before = w.stats()
		w.partition()
		speak(2)
		healed := w.settle()
		t.Logf("all have the same %v after a partition has healed; %.2f entries for each delivery", healed, perDelivery(subStats(w.stats(), before)))
		w.check()
	})
}
