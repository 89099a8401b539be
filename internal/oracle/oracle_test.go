package oracle_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/oracle"
)

func id(b byte) chat.ID { return chat.ID{b} }

// log is a lobby with the rows "a1", "b1", "a2" as 1, 2, 3, which the clients of story sent.
func log() oracle.Log {
	return oracle.Log{Rooms: map[string][]oracle.Row{"lobby": {
		{Seq: 1, Text: "a1", ID: id(1), Author: "alice", CSeq: 1},
		{Seq: 2, Text: "b1", ID: id(2), Author: "bob", CSeq: 1},
		{Seq: 3, Text: "a2", ID: id(3), Author: "alice", CSeq: 2},
	}}}
}

// story is what two clients tell of log, without what they were shown.
func story(h *oracle.History) (alice, bob *oracle.Client) {
	alice, bob = h.Client("alice"), h.Client("bob")
	alice.Invoke(1, "lobby", "a1")
	bob.Invoke(1, "lobby", "b1")
	alice.Acked(1, 1, id(1))
	bob.Acked(1, 2, id(2))
	alice.Invoke(2, "lobby", "a2")
	alice.Acked(2, 3, id(3))
	alice.Invoke(3, "lobby", "a3")
	alice.Refused(3, chat.TooLong)
	return alice, bob
}

// show tells that c was shown rows of the log.
func show(c *oracle.Client, seqs ...int) {
	for _, seq := range seqs {
		c.Shown("lobby", log().Rooms["lobby"][seq-1])
	}
}

func TestCheckFindsEachViolation(t *testing.T) {
	tests := map[string]struct {
		rule string
		tell func(alice, bob *oracle.Client, log *oracle.Log)
	}{
		"acknowledged and lost": {oracle.Kept, func(_, bob *oracle.Client, _ *oracle.Log) {
			bob.Invoke(2, "lobby", "b2")
			bob.Acked(2, 4, id(4))
		}},
		"acknowledged as another row": {oracle.Kept, func(_, bob *oracle.Client, log *oracle.Log) {
			bob.Invoke(2, "lobby", "b2")
			bob.Acked(2, 5, id(4))
			log.Rooms["lobby"] = append(log.Rooms["lobby"], oracle.Row{Seq: 4, Text: "b2", ID: id(4)})
		}},
		"acknowledged with another id": {oracle.Kept, func(_, bob *oracle.Client, log *oracle.Log) {
			bob.Invoke(2, "lobby", "b2")
			bob.Acked(2, 4, id(9))
			log.Rooms["lobby"] = append(log.Rooms["lobby"], oracle.Row{Seq: 4, Text: "b2", ID: id(4)})
		}},
		"acknowledged as two rows": {oracle.Kept, func(_, bob *oracle.Client, _ *oracle.Log) { bob.Acked(1, 3, id(2)) }},
		"never sent": {oracle.Once, func(_, _ *oracle.Client, log *oracle.Log) {
			log.Rooms["lobby"] = append(log.Rooms["lobby"], oracle.Row{Seq: 4, Text: "ghost"})
		}},
		"sent elsewhere": {oracle.Once, func(_, bob *oracle.Client, log *oracle.Log) {
			bob.Invoke(2, "attic", "b2")
			log.Rooms["lobby"] = append(log.Rooms["lobby"], oracle.Row{Seq: 4, Text: "b2"})
		}},
		"kept twice": {oracle.Once, func(_, _ *oracle.Client, log *oracle.Log) {
			log.Rooms["lobby"] = append(log.Rooms["lobby"], oracle.Row{Seq: 4, Text: "a2"})
		}},
		"one publish as two rows": {oracle.Once, func(_, bob *oracle.Client, log *oracle.Log) {
			bob.Invoke(2, "lobby", "b2")
			log.Rooms["lobby"] = append(log.Rooms["lobby"], oracle.Row{Seq: 4, Text: "b2", Author: "bob", CSeq: 1})
		}},
		"a hole in the log": {oracle.Contiguous, func(_, bob *oracle.Client, log *oracle.Log) {
			bob.Invoke(2, "lobby", "b2")
			log.Rooms["lobby"] = append(log.Rooms["lobby"], oracle.Row{Seq: 5, Text: "b2"})
		}},
		"shown with a hole":    {oracle.Contiguous, func(_, bob *oracle.Client, _ *oracle.Log) { show(bob, 1, 3) }},
		"shown twice":          {oracle.Contiguous, func(_, bob *oracle.Client, _ *oracle.Log) { show(bob, 1, 2, 2) }},
		"shown in wrong order": {oracle.Contiguous, func(_, bob *oracle.Client, _ *oracle.Log) { show(bob, 2, 1) }},
		"back after a gap": {oracle.Contiguous, func(_, bob *oracle.Client, _ *oracle.Log) {
			show(bob, 1, 2)
			bob.Gap("lobby")
			show(bob, 2)
		}},
		"another epoch without a reset": {oracle.Contiguous, func(_, bob *oracle.Client, _ *oracle.Log) {
			show(bob, 1)
			bob.Epoch(7)
			bob.Shown("lobby", oracle.Row{Seq: 2, Text: "a1"})
		}},
		"shown and not in the log": {oracle.Durable, func(alice, bob *oracle.Client, _ *oracle.Log) {
			alice.Invoke(4, "lobby", "a4")
			bob.Shown("lobby", oracle.Row{Seq: 4, Text: "a4"})
		}},
		"shown from an old epoch and never sent": {oracle.Once, func(_, bob *oracle.Client, _ *oracle.Log) {
			bob.Epoch(7)
			bob.Shown("lobby", oracle.Row{Seq: 1, Text: "ghost"})
		}},
		"shown another text": {oracle.OneText, func(_, bob *oracle.Client, _ *oracle.Log) { bob.Shown("lobby", oracle.Row{Seq: 1, Text: "b1"}) }},
		"shown another id": {oracle.OneText, func(_, bob *oracle.Client, _ *oracle.Log) {
			bob.Shown("lobby", oracle.Row{Seq: 1, Text: "a1", ID: id(9)})
		}},
		"two texts in an old epoch": {oracle.OneText, func(alice, bob *oracle.Client, _ *oracle.Log) {
			alice.Epoch(7)
			bob.Epoch(7)
			alice.Shown("lobby", oracle.Row{Seq: 1, Text: "a1"})
			bob.Shown("lobby", oracle.Row{Seq: 1, Text: "b1"})
		}},
		"a log that begins too late": {oracle.Contiguous, func(_, _ *oracle.Client, log *oracle.Log) {
			log.Rooms["lobby"], log.Low = log.Rooms["lobby"][1:], map[string]uint64{"lobby": 1}
		}},
		"row 0": {oracle.Contiguous, func(_, bob *oracle.Client, _ *oracle.Log) { bob.Shown("lobby", oracle.Row{Text: "a1"}) }},
		"row 0 in the log": {oracle.Contiguous, func(_, _ *oracle.Client, log *oracle.Log) {
			log.Rooms["lobby"] = slices.Insert(log.Rooms["lobby"], 0, oracle.Row{Text: "a3"})
		}},
		"shown before it was sent": {oracle.Once, func(_, bob *oracle.Client, log *oracle.Log) {
			log.Rooms["lobby"] = append(log.Rooms["lobby"], oracle.Row{Seq: 4, Text: "b2"})
			bob.Shown("lobby", oracle.Row{Seq: 4, Text: "b2"})
			bob.Invoke(2, "lobby", "b2")
		}},
		"shown in another room than it was sent to": {oracle.Once, func(_, bob *oracle.Client, _ *oracle.Log) {
			bob.Epoch(7)
			bob.Shown("attic", oracle.Row{Seq: 1, Text: "b1"})
		}},
		"two rows of one message, trimmed": {oracle.Once, func(_, bob *oracle.Client, log *oracle.Log) {
			log.Rooms["lobby"] = log.Rooms["lobby"][2:]
			bob.Shown("lobby", oracle.Row{Seq: 1, Text: "a1"})
			bob.Shown("lobby", oracle.Row{Seq: 2, Text: "a1"})
		}},
		"one row trimmed and one not": {oracle.Once, func(_, bob *oracle.Client, log *oracle.Log) {
			log.Rooms["lobby"] = log.Rooms["lobby"][2:]
			bob.Shown("lobby", oracle.Row{Seq: 1, Text: "a2"})
		}},
		"acknowledged as a trimmed row and another": {oracle.Kept, func(_, bob *oracle.Client, log *oracle.Log) {
			log.Rooms["lobby"] = log.Rooms["lobby"][2:]
			bob.Acked(1, 1, id(2))
		}},
		"acknowledged as two rows of an old epoch": {oracle.Kept, func(_, bob *oracle.Client, _ *oracle.Log) {
			bob.Epoch(7)
			bob.Invoke(2, "lobby", "b2")
			bob.Acked(2, 4, id(4))
			bob.Acked(2, 5, id(4))
		}},
		"acknowledged, forgotten which, and lost": {oracle.Kept, func(_, bob *oracle.Client, _ *oracle.Log) {
			bob.Invoke(2, "lobby", "b2")
			bob.Acked(2, 0, chat.ID{})
		}},
		"an id that only one has, and another": {oracle.OneText, func(alice, bob *oracle.Client, log *oracle.Log) {
			log.Rooms["lobby"] = log.Rooms["lobby"][2:]
			carol := alice
			bob.Shown("lobby", oracle.Row{Seq: 2, Text: "b1"})
			bob.Joined("lobby")
			bob.Shown("lobby", oracle.Row{Seq: 2, Text: "b1", Author: "bob"})
			carol.Shown("lobby", oracle.Row{Seq: 2, Text: "b1", Author: "mallory"})
		}},
		"at rest and behind": {oracle.Converges, func(_, bob *oracle.Client, _ *oracle.Log) {
			show(bob, 1, 2)
			bob.Settled("lobby")
		}},
		"at rest and shown nothing": {oracle.Converges, func(_, bob *oracle.Client, _ *oracle.Log) { bob.Settled("lobby") }},
		"at rest behind a reset": {oracle.Converges, func(_, bob *oracle.Client, _ *oracle.Log) {
			show(bob, 1, 2, 3)
			bob.Reset("lobby")
			bob.Settled("lobby")
		}},
		"at rest in an old epoch": {oracle.Converges, func(_, bob *oracle.Client, _ *oracle.Log) {
			bob.Epoch(7)
			bob.Shown("lobby", oracle.Row{Seq: 3, Text: "a2"})
			bob.Settled("lobby")
		}},
		"at rest without an answer": {oracle.Converges, func(_, bob *oracle.Client, _ *oracle.Log) {
			show(bob, 1, 2, 3)
			bob.Invoke(2, "attic", "b2")
			bob.Settled("lobby")
		}},
		"at rest with two answers to one message and none to another": {oracle.Converges, func(_, bob *oracle.Client, _ *oracle.Log) {
			show(bob, 1, 2, 3)
			bob.Invoke(2, "lobby", "b2")
			bob.Acked(1, 2, id(2))
			bob.Settled("lobby")
		}},
		"author order": {oracle.AuthorOrder, func(_, bob *oracle.Client, log *oracle.Log) {
			bob.Invoke(2, "lobby", "b2")
			bob.Invoke(3, "lobby", "b3")
			log.Rooms["lobby"] = append(log.Rooms["lobby"], oracle.Row{Seq: 4, Text: "b3"}, oracle.Row{Seq: 5, Text: "b2"})
		}},
		"real time": {oracle.RealTime, func(_, bob *oracle.Client, log *oracle.Log) {
			rows := log.Rooms["lobby"]
			bob.Invoke(2, "lobby", "b2")
			for i := range rows {
				rows[i].Seq++
			}
			log.Rooms["lobby"] = slices.Insert(rows, 0, oracle.Row{Seq: 1, Text: "b2"})
		}},
		"refused and kept": {oracle.NeverKept, func(_, bob *oracle.Client, log *oracle.Log) {
			bob.Invoke(2, "lobby", "b2")
			bob.Refused(2, chat.Empty)
			log.Rooms["lobby"] = append(log.Rooms["lobby"], oracle.Row{Seq: 4, Text: "b2"})
		}},
		"refused and acknowledged": {oracle.NeverKept, func(_, bob *oracle.Client, _ *oracle.Log) { bob.Refused(1, chat.Empty) }},
		"a text twice":             {oracle.Misuse, func(_, bob *oracle.Client, _ *oracle.Log) { bob.Invoke(2, "lobby", "a1") }},
		"a number twice":           {oracle.Misuse, func(_, bob *oracle.Client, _ *oracle.Log) { bob.Invoke(1, "lobby", "b2") }},
		"answered and never sent":  {oracle.Misuse, func(_, bob *oracle.Client, _ *oracle.Log) { bob.Acked(9, 1, id(1)) }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var h oracle.History
			alice, bob := story(&h)
			log := log()
			tt.tell(alice, bob, &log)
			err := h.Check(log)
			var v *oracle.Violation
			if !errors.As(err, &v) {
				t.Fatalf("Check found nothing, want a violation of %q", tt.rule)
			}
			if !hasRule(err, tt.rule) {
				t.Errorf("Check found %v, want a violation of %q", err, tt.rule)
			}
		})
	}
}

// hasRule reports whether a violation of rule is among those in err.
func hasRule(err error, rule string) bool {
	var v *oracle.Violation
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return slices.ContainsFunc(many.Unwrap(), func(err error) bool { return errors.As(err, &v) && v.Rule == rule })
	}
	return false
}

// A hole in the log is one violation: the rows behind it are still found.
func TestCheckBehindAHole(t *testing.T) {
	var h oracle.History
	_, bob := story(&h)
	bob.Invoke(2, "lobby", "b2")
	bob.Acked(2, 5, id(4))
	log := log()
	log.Rooms["lobby"] = append(log.Rooms["lobby"], oracle.Row{Seq: 5, Text: "b2", ID: id(4)})
	bob.Shown("lobby", log.Rooms["lobby"][3])
	err := h.Check(log)
	if want := "C3 contiguous: lobby row 5: the log has it after row 3"; err == nil || err.Error() != want {
		t.Errorf("Check found %v, want %s", err, want)
	}
}

func TestCheckPassesWhatIsAllowed(t *testing.T) {
	tests := map[string]func(alice, bob *oracle.Client, log *oracle.Log){
		"nothing more":          func(_, _ *oracle.Client, _ *oracle.Log) {},
		"all of it":             func(_, bob *oracle.Client, _ *oracle.Log) { show(bob, 1, 2, 3) },
		"acknowledged again":    func(_, bob *oracle.Client, _ *oracle.Log) { bob.Acked(1, 2, id(2)) },
		"forgotten which":       func(_, bob *oracle.Client, _ *oracle.Log) { bob.Acked(1, 0, chat.ID{}) },
		"sent and not answered": func(_, bob *oracle.Client, _ *oracle.Log) { bob.Invoke(2, "lobby", "b2") },
		"a gap": func(_, bob *oracle.Client, _ *oracle.Log) {
			show(bob, 1)
			bob.Gap("lobby")
			show(bob, 3)
		},
		"joined anew": func(_, bob *oracle.Client, _ *oracle.Log) {
			show(bob, 1, 2)
			bob.Joined("lobby")
			show(bob, 2, 3)
		},
		"another epoch": func(_, bob *oracle.Client, _ *oracle.Log) {
			bob.Epoch(7)
			bob.Shown("lobby", oracle.Row{Seq: 9, Text: "a1"})
			bob.Epoch(0)
			bob.Reset("lobby")
			show(bob, 1)
		},
		"acknowledged in another epoch": func(_, bob *oracle.Client, _ *oracle.Log) {
			bob.Epoch(7)
			bob.Invoke(2, "lobby", "b2")
			bob.Acked(2, 9, id(9))
		},
		"trimmed": func(_, bob *oracle.Client, log *oracle.Log) {
			log.Rooms["lobby"] = log.Rooms["lobby"][2:]
			show(bob, 1, 2, 3)
		},
		"trimmed to nothing": func(_, bob *oracle.Client, log *oracle.Log) {
			log.Rooms, log.Low = nil, map[string]uint64{"lobby": 4}
			show(bob, 1, 2, 3)
		},
		"at rest": func(_, bob *oracle.Client, _ *oracle.Log) {
			show(bob, 1, 2, 3)
			bob.Invoke(2, "attic", "b2")
			bob.Refused(2, chat.Empty)
			bob.Settled("lobby")
			bob.Settled("attic")
		},
		"at rest behind a join": func(_, bob *oracle.Client, _ *oracle.Log) {
			show(bob, 1, 2, 3)
			bob.Joined("lobby")
			bob.Settled("lobby")
		},
		"at rest, and all is trimmed": func(alice, bob *oracle.Client, log *oracle.Log) {
			log.Rooms, log.Low = nil, map[string]uint64{"lobby": 4}
			show(bob, 1, 2)
			bob.Gap("lobby")
			bob.Settled("lobby")
			alice.Settled("lobby")
		},
		"a log that says where it begins": func(_, bob *oracle.Client, log *oracle.Log) {
			log.Rooms["lobby"], log.Low = log.Rooms["lobby"][1:], map[string]uint64{"lobby": 2}
			show(bob, 1, 2, 3)
		},
		"a view that knows less": func(_, bob *oracle.Client, _ *oracle.Log) {
			bob.Shown("lobby", oracle.Row{Seq: 1, Text: "a1"})
		},
	}
	for name, tell := range tests {
		t.Run(name, func(t *testing.T) {
			var h oracle.History
			alice, bob := story(&h)
			log := log()
			tell(alice, bob, &log)
			if err := h.Check(log); err != nil {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

// TestCheckPassesRandomHistory runs clients against a correct log, many at once.
func TestCheckPassesRandomHistory(t *testing.T) {
	const clients, messages = 20, 200
	var h oracle.History
	var mu sync.Mutex
	final := oracle.Log{Epoch: 3, Rooms: map[string][]oracle.Row{}}
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			name := fmt.Sprint("client", i)
			c := h.Client(name)
			c.Epoch(final.Epoch)
			seen := map[string]int{}
			for n := uint64(1); n <= messages; n++ {
				room := fmt.Sprint("room", rng.IntN(3))
				text := fmt.Sprint(name, " ", n)
				c.Invoke(n, room, text)
				if rng.IntN(10) == 0 {
					c.Refused(n, chat.Empty)
					continue
				}
				mu.Lock()
				row := oracle.Row{Seq: uint64(len(final.Rooms[room]) + 1), Text: text, Author: name, CSeq: n, ID: chat.ID{byte(i), byte(n)}}
				final.Rooms[room] = append(final.Rooms[room], row)
				rows := final.Rooms[room]
				mu.Unlock()
				c.Acked(n, row.Seq, row.ID)
				if rng.IntN(20) == 0 {
					c.Gap(room)
					seen[room] = max(seen[room], len(rows)-3)
				}
				for ; seen[room] < len(rows); seen[room]++ {
					c.Shown(room, rows[seen[room]])
				}
			}
		})
	}
	wg.Wait()
	if err := h.Check(final); err != nil {
		t.Errorf("Check: %v", err)
	}
}

func ExampleHistory() {
	var h oracle.History
	carol, bob := h.Client("carol"), h.Client("bob")
	carol.Invoke(1, "lobby", "hello")
	carol.Acked(1, 1, chat.ID{})
	bob.Shown("lobby", oracle.Row{Seq: 2, Text: "hello"})
	fmt.Println(h.Check(oracle.Log{Rooms: map[string][]oracle.Row{"lobby": {{Seq: 1, Text: "hello"}}}}))
	// Output: C6 durable: bob, lobby row 2: shown "hello", which is not in the log
}
