package oracle

import "testing"

// randomSeeds is how many histories each property is tried on.
const randomSeeds = 150

var everything = simPlan{steps: 1500, trims: true, rollbacks: true, renewal: true}

// TestCheckPassesSimulations accepts whatever an honest node and its clients live through.
func TestCheckPassesSimulations(t *testing.T) {
	var events, rollbacks int
	for seed := range uint64(randomSeeds) {
		s := newSim(seed)
		log := s.run(everything)
		if err := s.history.Check(log); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		events += len(s.history.events)
		rollbacks += len(s.history.rollbacks)
	}
	if rollbacks < randomSeeds/2 {
		t.Errorf("only %d rollbacks in %d histories", rollbacks, randomSeeds)
	}
	t.Logf("%d events, %d rollbacks", events, rollbacks)
}
