package hub

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// keyed gives a hub a key of its own, with which it can share.
func keyed(c *Config) {
	key, err := identity.NewKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	c.Key = key
}

// shared starts a hub that shares its rows.
func shared(t *testing.T, options ...func(*Config)) *world {
	t.Helper()
	w := newWorld(t, append(options, keyed)...)
	if err := w.hub.Share(); err != nil {
		t.Fatal(err)
	}
	w.settle()
	return w
}

// marksOf returns what a client was told of a room: of which rows, and how much of how many logs.
func (c *client) marksOf(title string) (marks []string) {
	for _, m := range c.view(title).marks {
		total := uint64(0)
		for _, g := range m.Heads {
			total += g.Seq
		}
		marks = append(marks, fmt.Sprintf("%d: %d of %d", m.Seq, total, len(m.Heads)))
	}
	return marks
}

func wantMarks(t *testing.T, c *client, title string, want ...string) {
	t.Helper()
	c.w.settle()
	if diff := cmp.Diff(want, c.marksOf(title)); diff != "" {
		t.Errorf("marks of %s that %s has (-want +got):\n%s", title, c.asked, diff)
	}
}

// TestMarks: readers are told what their rows are for other nodes when there are many new ones, or some for long, and each once.
func TestMarks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := shared(t)
		alice, bob := w.attach("alice", "lobby", "attic"), w.attach("bob", "lobby")
		wantMarks(t, alice, "attic", "0: 0 of 0") // of a room in which there is nothing yet
		alice.say("lobby", "one")
		wantMarks(t, bob, "lobby", "0: 0 of 0")
		elapse(markEvery + presenceEvery)
		wantMarks(t, bob, "lobby", "0: 0 of 0", "1: 1 of 1")
		elapse(10 * markEvery) // nothing new
		wantMarks(t, bob, "lobby", "0: 0 of 0", "1: 1 of 1")
		alice.fill("lobby", 2, markRows+100, 10)
		wantMarks(t, bob, "lobby", "0: 0 of 0", "1: 1 of 1", "257: 257 of 1")
		carol := w.attach("carol")
		carol.do(&wire.Join{Room: "lobby", Tail: 3}) // begins behind the mark: it holds for her too
		wantMarks(t, carol, "lobby", "257: 257 of 1")
		elapse(markEvery + presenceEvery)
		wantMarks(t, bob, "lobby", "0: 0 of 0", "1: 1 of 1", "257: 257 of 1", "357: 357 of 1")
		wantMarks(t, carol, "lobby", "257: 257 of 1", "357: 357 of 1")
		wantMarks(t, alice, "attic", "0: 0 of 0")
		bob.do(&wire.Part{Room: "lobby"})
		bob.do(&wire.Join{Room: "lobby"})
		wantMarks(t, bob, "lobby", "0: 0 of 0", "1: 1 of 1", "257: 257 of 1", "357: 357 of 1", "357: 357 of 1")
		for _, c := range []*client{alice, bob, carol} {
			c.leave(true)
		}
		w.settle()
		for name, r := range w.hub.rooms {
			if r.mark != nil || r.log.mark != nil || len(w.hub.marking) > 0 {
				t.Errorf("nobody reads %s, and it has a mark", name)
			}
		}
	})
}

// TestMarksOfASlowReader: whoever is behind is told of a mark with its row, not before.
func TestMarksOfASlowReader(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := shared(t)
		alice, slow := w.attach("alice", "lobby"), w.attach("slow", "lobby")
		slow.stuck, slow.soft, slow.hard = true, 300, 300
		alice.fill("lobby", 1, markRows+50, 20)
		elapse(markEvery + presenceEvery)
		alice.fill("lobby", 1, 10, 20)
		v := slow.view("lobby")
		v.marks = nil
		for v.next <= markRows+50 {
			if len(v.marks) > 0 {
				t.Fatalf("a mark of row %d stands before row %d", v.marks[0].Seq, v.next)
			}
			if !slow.take(slow.soft, slow.hard) {
				t.Fatalf("there is nothing more at row %d", v.next)
			}
		}
		slow.stuck = false
		wantMarks(t, slow, "lobby", "306: 306 of 1")
	})
}

// TestNoMarks: a node without peers has none.
func TestNoMarks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, keyed)
		alice := w.attach("alice", "lobby")
		alice.fill("lobby", 1, 2*markRows, 10)
		elapse(2 * markEvery)
		wantMarks(t, alice, "lobby")
		if len(w.hub.marking) > 0 {
			t.Error("rooms wait for marks")
		}
		alice.leave(true)
		w.hub.Share()
		w.settle()
		elapse(time.Second)
		alice = w.newClient("alice2")
		alice.attach()
		alice.do(&wire.Join{Room: "lobby"})
		wantMarks(t, alice, "lobby", fmt.Sprintf("%d: %[1]d of 1", 2*markRows))
	})
}
