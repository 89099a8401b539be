package oracle_test

import (
	"errors"
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/oracle"
)

// lost is a row that the log of story does not have, shown and acknowledged as row 4; replaced is the log with another row 4.
var lost = oracle.Row{Seq: 4, Text: "b2", ID: id(4), Author: "bob", CSeq: 2}

func sayLost(bob *oracle.Client) {
	bob.Invoke(2, "lobby", lost.Text)
	bob.Acked(2, lost.Seq, lost.ID)
}

func replace(alice *oracle.Client, log *oracle.Log) {
	alice.Invoke(4, "lobby", "a4")
	alice.Acked(4, 4, id(5))
	log.Rooms["lobby"] = append(log.Rooms["lobby"], oracle.Row{Seq: 4, Text: "a4", ID: id(5), Author: "alice", CSeq: 4})
}

// Where the store is rolled back, what is gone has to be told: each history is legal, and breaks a rule without one of its steps.
func TestCheckOfRollbacks(t *testing.T) {
	type world struct {
		*oracle.History
		alice, bob *oracle.Client
		log        *oracle.Log
	}
	// A step that breaks nothing when it is left out has no rules.
	type step struct {
		do    func(w world)
		rules []string
	}
	plain := func(do func(w world)) step { return step{do: do} }
	rolledBack := func(rules ...string) step {
		return step{func(w world) { w.RolledBackTo(map[string]uint64{"lobby": 3}) }, rules}
	}
	tests := map[string][]step{
		"acknowledged": {
			plain(func(w world) { sayLost(w.bob) }),
			rolledBack(oracle.Kept),
			{func(w world) { w.bob.Reset("lobby") }, []string{oracle.Visible}},
		},
		"acknowledged, told with all rooms": {
			plain(func(w world) { sayLost(w.bob) }),
			rolledBack(oracle.Kept),
			{func(w world) { w.bob.Reset("") }, []string{oracle.Visible}},
		},
		"acknowledged, forgotten which": {
			plain(func(w world) {
				w.bob.Invoke(2, "lobby", "b2")
				w.bob.Acked(2, 0, chat.ID{})
			}),
			rolledBack(oracle.Kept),
			{func(w world) { w.bob.Reset("") }, []string{oracle.Visible}},
		},
		"acknowledged as two rows": {
			plain(func(w world) { sayLost(w.bob) }),
			rolledBack(oracle.Kept),
			{func(w world) { w.bob.Reset("") }, []string{oracle.Visible}},
			plain(func(w world) {
				replace(w.alice, w.log)
				w.bob.Acked(2, 5, id(6))
				w.log.Rooms["lobby"] = append(w.log.Rooms["lobby"], oracle.Row{Seq: 5, Text: "b2", ID: id(6)})
			}),
		},
		"acknowledged, then refused": {
			plain(func(w world) { sayLost(w.bob) }),
			rolledBack(oracle.Kept, oracle.NeverKept),
			{func(w world) { w.bob.Reset("") }, []string{oracle.Visible, oracle.NeverKept}},
			plain(func(w world) { w.bob.Refused(2, chat.Empty) }),
		},
		"shown": {
			plain(func(w world) {
				w.bob.Invoke(2, "lobby", "b2")
				show(w.alice, 1, 2, 3)
				w.alice.Shown("lobby", lost)
			}),
			rolledBack(oracle.Durable),
			{func(w world) { w.alice.Reset("lobby") }, []string{oracle.Visible}},
		},
		"shown and replaced": {
			plain(func(w world) { sayLost(w.bob) }),
			plain(func(w world) { w.alice.Shown("lobby", lost) }),
			rolledBack(oracle.Kept, oracle.OneText),
			{func(w world) { w.bob.Reset("lobby") }, []string{oracle.Visible}},
			{func(w world) { w.alice.Reset("lobby") }, []string{oracle.Visible, oracle.OneText}},
			plain(func(w world) {
				replace(w.alice, w.log)
				show(w.alice, 3)
				w.alice.Shown("lobby", w.log.Rooms["lobby"][3])
			}),
		},
		"shown late": {
			plain(func(w world) { w.bob.Invoke(2, "lobby", "b2") }),
			rolledBack(oracle.Durable),
			plain(func(w world) { w.alice.Shown("lobby", lost) }),
			{func(w world) { w.alice.Reset("lobby") }, []string{oracle.Visible}},
		},
		"gone before": {
			plain(func(w world) { sayLost(w.bob) }),
			{func(w world) { w.bob.Left() }, []string{oracle.Visible}},
			rolledBack(oracle.Kept),
		},
		"two lost rows of one number, trimmed": {
			plain(func(w world) {
				w.alice.Invoke(4, "lobby", "a4")
				w.bob.Invoke(2, "lobby", "b2")
				w.alice.Shown("lobby", lost)
			}),
			rolledBack(oracle.OneText),
			{func(w world) { w.alice.Reset("lobby") }, []string{oracle.OneText}},
			plain(func(w world) {
				w.bob.Shown("lobby", oracle.Row{Seq: 4, Text: "a4"})
				w.log.Rooms, w.log.Low = nil, map[string]uint64{"lobby": 5}
			}),
		},
		"sent before what took the number of a lost row": {
			plain(func(w world) { sayLost(w.bob) }),
			plain(func(w world) { w.alice.Invoke(4, "lobby", "a4") }),
			rolledBack(oracle.RealTime),
			{func(w world) { w.bob.Reset("lobby") }, []string{oracle.Visible, oracle.RealTime}},
			plain(func(w world) {
				w.alice.Acked(4, 4, id(5))
				w.bob.Acked(2, 5, id(6))
				w.log.Rooms["lobby"] = append(w.log.Rooms["lobby"],
					oracle.Row{Seq: 4, Text: "a4", ID: id(5)}, oracle.Row{Seq: 5, Text: "b2", ID: id(6)})
			}),
		},
		"another epoch": {
			plain(func(w world) {
				w.bob.Epoch(7)
				sayLost(w.bob)
				w.bob.Epoch(0)
			}),
			{func(w world) { w.bob.Reset("") }, []string{oracle.Visible}},
		},
		"shown in another epoch": {
			plain(func(w world) {
				w.bob.Invoke(2, "lobby", "b2")
				w.bob.Epoch(7)
				w.bob.Shown("lobby", lost)
				w.bob.Epoch(0)
			}),
			{func(w world) { w.bob.Reset("lobby") }, []string{oracle.Visible}},
		},
	}
	for name, steps := range tests {
		for without := -1; without < len(steps); without++ {
			if without >= 0 && steps[without].rules == nil {
				continue
			}
			var h oracle.History
			alice, bob := story(&h)
			log := log()
			for i, s := range steps {
				if i != without {
					s.do(world{&h, alice, bob, &log})
				}
			}
			err := h.Check(log)
			if without < 0 {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			for _, rule := range steps[without].rules {
				if !hasRule(err, rule) {
					t.Errorf("%s without step %d: Check found %v, want a violation of %q", name, without, err, rule)
				}
			}
		}
	}
}

// A reset excuses only what came before it, in its room, above what the copy held, and behind the rollback.
func TestCheckOfFalseExcuses(t *testing.T) {
	tests := map[string]struct {
		rule string
		tell func(h *oracle.History, alice, bob *oracle.Client)
	}{
		"another room": {oracle.Visible, func(h *oracle.History, _, bob *oracle.Client) {
			sayLost(bob)
			h.RolledBack()
			bob.Reset("attic")
		}},
		"another client": {oracle.Visible, func(h *oracle.History, alice, bob *oracle.Client) {
			sayLost(bob)
			h.RolledBack()
			alice.Reset("")
		}},
		"a reset before the rollback": {oracle.Visible, func(h *oracle.History, _, bob *oracle.Client) {
			sayLost(bob)
			bob.Reset("")
			h.RolledBack()
		}},
		"a reset before the acknowledgement": {oracle.Visible, func(h *oracle.History, _, bob *oracle.Client) {
			h.RolledBack()
			bob.Reset("")
			sayLost(bob)
		}},
		"a gap": {oracle.Visible, func(h *oracle.History, _, bob *oracle.Client) {
			sayLost(bob)
			h.RolledBack()
			bob.Gap("lobby")
		}},
		"a row that the copy held": {oracle.Kept, func(h *oracle.History, _, bob *oracle.Client) {
			sayLost(bob)
			h.RolledBackTo(map[string]uint64{"lobby": 4})
			bob.Reset("")
		}},
		"a shown row that every copy held": {oracle.Durable, func(h *oracle.History, alice, bob *oracle.Client) {
			bob.Invoke(2, "lobby", "b2")
			alice.Shown("lobby", lost)
			h.RolledBackTo(map[string]uint64{"lobby": 4})
			h.RolledBackTo(map[string]uint64{"lobby": 5})
			alice.Reset("")
		}},
		"gone only after the rollback": {oracle.Visible, func(h *oracle.History, _, bob *oracle.Client) {
			sayLost(bob)
			h.RolledBack()
			bob.Left()
		}},
		"gone and back": {oracle.Visible, func(h *oracle.History, _, bob *oracle.Client) {
			sayLost(bob)
			bob.Left()
			h.RolledBack()
			bob.Joined("attic")
		}},
		"never sent": {oracle.Once, func(h *oracle.History, _, bob *oracle.Client) {
			bob.Shown("lobby", oracle.Row{Seq: 4, Text: "ghost"})
			h.RolledBack()
			bob.Reset("")
		}},
		"out of order": {oracle.Contiguous, func(h *oracle.History, alice, bob *oracle.Client) {
			bob.Invoke(2, "lobby", "b2")
			show(alice, 1, 2)
			alice.Shown("lobby", lost)
			h.RolledBack()
			alice.Reset("")
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var h oracle.History
			alice, bob := story(&h)
			tt.tell(&h, alice, bob)
			if err := h.Check(log()); !hasRule(err, tt.rule) {
				t.Errorf("Check found %v, want a violation of %q", err, tt.rule)
			}
		})
	}
}

// Of several copies only what all of them held is sure to be there.
func TestCheckOfTwoCopies(t *testing.T) {
	for name, heads := range map[string]map[string]uint64{"older": {"lobby": 3}, "without the room": {}, "of which nothing is known": nil} {
		t.Run(name, func(t *testing.T) {
			var h oracle.History
			_, bob := story(&h)
			sayLost(bob)
			h.RolledBackTo(map[string]uint64{"lobby": 4})
			h.RolledBackTo(heads)
			bob.Reset("")
			if err := h.Check(log()); err != nil {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

func TestMeasured(t *testing.T) {
	var h oracle.History
	h.Measured("goroutines", 12, 12)
	if err := h.Check(oracle.Log{}); err != nil {
		t.Errorf("Check of a value at its bound: %v", err)
	}
	h.Measured("bytes of memory", 13, 12)
	err := h.Check(oracle.Log{})
	if want := "C9 bounded: bytes of memory: 13, and at most 12 is allowed"; err == nil || err.Error() != want {
		t.Errorf("Check found %v, want %s", err, want)
	}
}

// Thousands of violations of one rule neither hide another rule's nor grow what is told.
func TestCheckTellsEachRule(t *testing.T) {
	var h oracle.History
	alice, bob := story(&h)
	for range 5000 {
		show(bob, 1)
	}
	alice.Settled("lobby")
	err := h.Check(log())
	for _, rule := range []string{oracle.Contiguous, oracle.Converges} {
		if !hasRule(err, rule) {
			t.Errorf("Check found %v, want a violation of %q", err, rule)
		}
	}
	var many interface{ Unwrap() []error }
	if !errors.As(err, &many) || len(many.Unwrap()) > 20 {
		t.Errorf("Check tells too much: %v", err)
	}
	if again := h.Check(log()); again == nil || again.Error() != err.Error() {
		t.Errorf("Check found %v the second time, and %v the first", again, err)
	}
}
