package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/chat"
)

var errDead = errors.New("the process was killed")

// mortal is a book whose process is killed at one write: before it, behind it or, when torn, in the middle. The link dies with it, and whatever
// the client does afterwards is done by nobody.
type mortal struct {
	book
	path string
	left int // writes until the death; they are counted by the holder of State.mu
	when int // how: dieBefore, dieBehind, dieTorn
	dead bool
	die  func()
}

const (
	dieBefore = iota
	dieBehind
	dieTorn
	ways
)

func (m *mortal) write(do func() error) error {
	if m.dead {
		return errDead
	}
	if m.left--; m.left > 0 {
		return do()
	}
	m.dead = true
	if m.when != dieBefore {
		if err := do(); err != nil {
			return err
		}
	}
	m.die()
	return errDead
}

func (m *mortal) Append(records ...[]byte) error {
	return m.write(func() error {
		err := m.book.Append(records...)
		if m.left == 0 && m.when == dieTorn {
			err = errors.Join(err, os.Truncate(m.path, m.book.Size()-1))
		}
		return err
	})
}

func (m *mortal) Rewrite(records ...[]byte) error {
	return m.write(func() error { return m.book.Rewrite(records...) })
}

// saga is a user whose client is killed again and again, and what they saw.
type saga struct {
	t     *testing.T
	dir   string
	rnd   *rand.Rand // the user's choices
	m     *model
	seen  map[string]uint64 // by room: seq of the last message shown
	reset int               // resets shown
}

func newSaga(t *testing.T, seed uint64) *saga {
	return &saga{
		t: t, dir: t.TempDir(), rnd: rand.New(rand.NewPCG(seed, 5)), seen: map[string]uint64{},
		m: &model{rnd: rand.New(rand.NewPCG(seed, 3)), logs: map[string]*modelLog{}, origins: map[string]*modelOrigin{}, refused: map[string]bool{}, epoch: testEpoch},
	}
}

// life runs a client that is killed at write number left, and has it say texts until then. It returns how many it has said, and whether it lived
// to its end: then it was answered, and said goodbye.
func (g *saga) life(texts []string, left, when int) (said int, lived bool) {
	t := g.t
	s := openState(t, g.dir)
	before := s.next
	var r *rig
	book := &mortal{book: s.journal, path: s.path, left: left, when: when, die: func() {
		r.Close()
		g.m.mu.Lock()
		defer g.m.mu.Unlock()
		if g.m.link != nil {
			g.m.link.cut(func() int { return g.m.rnd.IntN(100) })
			g.m.link = nil
		}
	}}
	s.journal = book
	ready := make(chan struct{})
	r = start(t, func(c *Config) {
		c.State, c.Rooms, c.Tail, c.Backoff = s, []string{"red"}, 50, nil
		dial := c.Dial
		c.Dial = func(ctx context.Context) (Link, error) { <-ready; return dial(ctx) } // nothing is written before r is set
	})
	close(ready)
	stop, shown := make(chan struct{}), make(chan struct{})
	var served sync.WaitGroup
	served.Go(func() { g.m.serve(t, r, stop) })
	go func() {
		defer close(shown)
		g.watch(r, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return book.dead })
	}()
	for _, text := range texts {
		if _, err := r.Send(t.Context(), Draft{Room: "red", Kind: chat.Text, Text: text}); err != nil {
			break
		}
		said++
		if g.rnd.IntN(3) == 0 {
			elapse(time.Millisecond)
		}
	}
	lived = said == len(texts) && r.Quit(t.Context()) == nil
	r.Close()
	<-r.ran
	<-shown
	close(stop)
	served.Wait()
	g.m.readers.Wait()
	s.mu.Lock()
	lived = lived && !book.dead
	s.mu.Unlock()
	if !lived && said < len(texts) {
		// The last one was taken if it is in the file, whatever Send said.
		if after := openState(t, g.dir); after.origin == s.origin && after.next == before+uint64(said)+1 {
			said++
		}
	}
	_ = s.Close()
	return said, lived
}

// watch is the user: what comes from a client that lives is shown to them.
func (g *saga) watch(r *rig, dead func() bool) {
	first := map[string]bool{}
	for e := range r.Events() {
		if dead() {
			continue
		}
		switch e := e.(type) {
		case Message:
			last := g.seen[e.Room]
			switch {
			case e.Seq == last && !first[e.Room]: // killed between showing and saying so
			case e.Seq != last+1:
				g.t.Errorf("%s: message %d is shown behind %d", e.Room, e.Seq, last)
			}
			first[e.Room] = true
			g.seen[e.Room] = e.Seq
		case Reset:
			g.reset++
			clear(g.seen)
		case Gap, Denied, ClosedRoom:
			g.t.Errorf("got %#v", e)
		}
		r.Shown(e)
	}
}

func texts(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint("line ", i)
	}
	return out
}

// TestKilledAtEveryWrite: whenever a client is killed, and however often, what its state had taken is kept once and in order, and each message
// is shown, the last one before the death at most twice.
func TestKilledAtEveryWrite(t *testing.T) {
	const lines = 8
	for when := range ways {
		for left, lived := 1, false; !lived; left++ {
			synctest.Test(t, func(t *testing.T) {
				g := newSaga(t, uint64(left))
				all := texts(lines)
				var said int
				said, lived = g.life(all, left, when)
				if !lived {
					if _, ends := g.life(all[said:], 1<<30, when); !ends {
						t.Fatalf("killed at write %d (way %d): the next life does not end", left, when)
					}
				}
				g.check(fmt.Sprintf("killed at write %d (way %d)", left, when), all)
			})
			if left > 1000 {
				t.Fatal("it is killed for ever")
			}
		}
	}
}

// TestKilledAgainAndAgain lets no life last long.
func TestKilledAgainAndAgain(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	for i := range uint64(20) {
		t.Run(fmt.Sprint("seed=", seed+i), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newSaga(t, seed+i)
				rnd := rand.New(rand.NewPCG(seed+i, 4))
				all := texts(100)
				left := all
				for lived := false; !lived; {
					var said int
					said, lived = g.life(left, 1+rnd.IntN(60), rnd.IntN(ways))
					left = left[said:]
				}
				g.check("killed again and again", all)
			})
		})
	}
}

// check compares what was said with what the node has, and that with what was shown.
func (g *saga) check(what string, all []string) {
	g.t.Helper()
	var want []string
	for _, text := range all {
		if !g.m.refused[text] {
			want = append(want, text)
		}
	}
	if !slices.Equal(g.m.kept, want) {
		g.t.Errorf("%s: the node kept %q, want %q", what, g.m.kept, want)
	}
	if g.reset > 0 {
		g.t.Errorf("%s: %d resets were shown", what, g.reset)
	}
}

// TestKilledInAReset: the node's store is replaced, and the client killed at each write from then on. What the new store has is each message once
// and in order; together with the old one it has all; and the reset is shown.
func TestKilledInAReset(t *testing.T) {
	for when := range ways {
		for left, lived := 1, false; !lived; left++ {
			synctest.Test(t, func(t *testing.T) {
				g := newSaga(t, uint64(left))
				what := fmt.Sprintf("killed at write %d (way %d)", left, when)
				all := texts(12)
				first, _ := g.life(all[:6], 25, dieBehind)
				old := g.m.kept
				g.m.logs, g.m.origins, g.m.kept, g.m.epoch = map[string]*modelLog{}, map[string]*modelOrigin{}, nil, testEpoch+1
				rest := all[first:]
				var said int
				said, lived = g.life(rest, left, when)
				if !lived {
					if _, ends := g.life(rest[said:], 1<<30, when); !ends {
						t.Fatalf("%s: the next life does not end", what)
					}
				}
				next := 0
				for _, text := range all {
					kept := next < len(g.m.kept) && g.m.kept[next] == text
					if kept {
						next++
					}
					if !kept && !slices.Contains(old, text) && !g.m.refused[text] {
						t.Errorf("%s: %q is nowhere", what, text)
					}
				}
				if next != len(g.m.kept) {
					t.Errorf("%s: the new store has %q", what, g.m.kept)
				}
				if g.reset == 0 {
					t.Errorf("%s: no reset was shown", what)
				}
			})
			if left > 1000 {
				t.Fatal("it is killed for ever")
			}
		}
	}
}

// TestNothingIsLeftBehind: states write no other files.
func TestNothingIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newSaga(t, 1)
		if _, lived := g.life(texts(3), 1<<30, dieBefore); !lived {
			t.Fatal("it died")
		}
		if files, _ := filepath.Glob(filepath.Join(g.dir, "*")); len(files) != 1 {
			t.Errorf("the folder holds %q", files)
		}
	})
}
