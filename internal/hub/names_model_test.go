package hub

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// register is who owns which name, as plainly as it can be said.
type register struct {
	people map[string]*owner // by label
}

type owner struct {
	name     string
	here     int  // sessions
	released bool // the name goes with the last of them
	seen     time.Time
}

// idle reports whether the owner has been away for so long that the name is anybody's; when it goes is the hub's to say.
func (o *owner) idle(now time.Time) bool { return o.here == 0 && now.Sub(o.seen) >= nameIdle }

// find returns whose a name is that looks like this one, nil when it is nobody's.
func (r *register) find(name string, now time.Time) *owner {
	for _, o := range r.people {
		if o.name != "" && chat.Skeleton(o.name) == chat.Skeleton(name) && !o.idle(now) {
			return o
		}
	}
	return nil
}

// give lets somebody have a name, or as much of it as they can.
func (r *register) give(label, name string, now time.Time) {
	o := r.people[label]
	if other := r.find(name, now); other != nil && other != o {
		name = suffixed(name, label)
	}
	for _, other := range r.people { // who has it and was away for too long
		if other != o && other.name != "" && chat.Skeleton(other.name) == chat.Skeleton(name) {
			other.name = ""
		}
	}
	o.released = o.released && chat.Skeleton(o.name) == chat.Skeleton(name)
	o.name = name
}

// leave ends one session of somebody.
func (r *register) leave(label string, now time.Time) {
	o := r.people[label]
	if o.here--; o.here == 0 {
		o.seen = now
		if o.released {
			o.name, o.released = "", false
		}
	}
}

// TestNamesOfARandomRun has keys come, go, rename, be released, and the hub be restarted, and compares who is called what with a plain model.
func TestNamesOfARandomRun(t *testing.T) {
	seeds, steps := []uint64{*seedFlag}, 600
	if *seedFlag == 0 {
		seeds = []uint64{rand.Uint64(), rand.Uint64(), rand.Uint64(), rand.Uint64()}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Logf("go test ./internal/hub -run TestNamesOfARandomRun -hub.seed %d", seed)
			bubble(t, func(t *testing.T) { randomNames(t, rand.New(rand.NewPCG(seed, 1)), steps) })
		})
	}
}

// crew is the people of a random run: each has a key, and some sessions.
type crew struct {
	t    *testing.T
	w    *world
	r    *register
	rng  *rand.Rand
	here map[string][]*client
	n    int // clients ever
}

var crewLabels = []string{"one", "two", "three", "four", "five"}

func randomNames(t *testing.T, rng *rand.Rand, steps int) {
	c := &crew{t: t, w: newWorld(t), r: &register{people: map[string]*owner{}}, rng: rng, here: map[string][]*client{}}
	for _, label := range crewLabels {
		c.r.people[label] = &owner{}
	}
	for range steps {
		label := crewLabels[rng.IntN(len(crewLabels))]
		switch p := rng.IntN(100); {
		case p < 35:
			c.come(label)
		case p < 65:
			c.goAway(label)
		case p < 80:
			c.nick(label)
		case p < 90:
			c.release(label)
		case p < 95:
			c.w.skip(time.Duration(rng.Int64N(int64(nameIdle) * 2 / 3)))
		default:
			c.restart()
		}
		if c.compare(); t.Failed() {
			return
		}
	}
}

// wish returns a name that somebody may ask for.
func (c *crew) wish() string { return []string{"carol", "Carol", "bob", "BOB", "dave"}[c.rng.IntN(5)] }

func (c *crew) come(label string) {
	if len(c.here[label]) == maxSessionsEach {
		return // see TestSessionsOfOneKey
	}
	c.n++
	client := c.w.newClient(fmt.Sprint(label, " ", c.n))
	client.key, client.asked, client.admin = keyOf(label), c.wish(), true
	c.r.give(label, client.asked, c.w.now())
	c.r.people[label].here++
	client.attach()
	c.here[label] = append(c.here[label], client)
	if got, want := client.welcome.Name, c.r.people[label].name; got != want {
		c.t.Errorf("%s is welcomed as %q, want %q", label, got, want)
	}
}

func (c *crew) goAway(label string) {
	if sessions := c.here[label]; len(sessions) > 0 {
		sessions[0].leave(c.rng.IntN(2) == 0)
		c.here[label] = sessions[1:]
		c.r.leave(label, c.w.now())
	}
}

func (c *crew) nick(label string) {
	if len(c.here[label]) == 0 {
		return
	}
	c.w.skip(nicksEach + presenceEvery)
	client, name, now := c.here[label][0], c.wish(), c.w.now()
	want := chat.NameTaken
	if other := c.r.find(name, now); other == nil || other == c.r.people[label] {
		want = chat.OK
		c.r.give(label, name, now)
	}
	client.do(&wire.Nick{Name: name})
	if got := client.replies[len(client.replies)-1].(*wire.Named); got.Code != want || got.Name != c.r.people[label].name {
		c.t.Errorf("%s asks for %q and is told %+v, want %v", label, name, got, want)
	}
}

// release has somebody, as an admin, release a name: that of label, or one that may be nobody's.
func (c *crew) release(label string) {
	admin := ""
	for _, l := range crewLabels {
		if len(c.here[l]) > 0 {
			admin = l
		}
	}
	name := c.r.people[label].name
	if admin == "" || name == "" || c.r.people[label].idle(c.w.now()) {
		return
	}
	o := c.r.people[label]
	answer := c.here[admin][0].ask(&wire.Release{Name: name})
	if o.released {
		wantFailed(c.t, answer, chat.NoSuchUser)
		return
	}
	if is, ok := answer.(*wire.ReleaseIs); !ok || identity.ID(is.Owner.ID) != keyOf(label) || is.Owner.Name != name {
		c.t.Errorf("releasing %q of %s: %+v", name, label, answer)
	}
	if o.released = o.here > 0; !o.released {
		o.name = ""
	}
}

// restart ends the hub as a crash would, and begins another with its store.
func (c *crew) restart() {
	c.w.end()
	now := c.w.now()
	next := newWorld(c.t, func(cfg *Config) { cfg.Store = &slowStore{Memory: c.w.store.Memory} })
	next.ahead.Store(c.w.ahead.Load())
	for label, o := range c.r.people {
		if o.here > 0 {
			o.seen = time.UnixMilli(c.w.stored(label).Seen)
			if age := now.Sub(o.seen); age > 24*time.Hour {
				c.t.Errorf("the store has seen %s %v ago, who is here", label, age)
			}
		}
		if o.released {
			o.name, o.released = "", false
		}
		o.here, c.here[label] = 0, nil
	}
	c.w = next
}

// compare holds who is called what, and what the store has of it, to the model.
func (c *crew) compare() {
	c.w.settle()
	now := c.w.now()
	taken := map[string]string{}
	for _, label := range crewLabels {
		o, stored := c.r.people[label], c.w.stored(label)
		name := o.name
		if o.idle(now) {
			continue
		}
		if o.released {
			name = ""
		}
		if stored.Name != name {
			c.t.Errorf("the store has %q for %s, want %q", stored.Name, label, name)
		}
		if name != "" {
			if other, twice := taken[chat.Skeleton(name)]; twice {
				c.t.Errorf("%s and %s have one name", other, label)
			}
			taken[chat.Skeleton(name)] = label
		}
	}
}
