// Package trial puts nodes and their clients through what they have to survive: deaths by kill -9 at any moment, disks that are full, slow
// or broken, files that are torn, older copies of stores, strangers that keep no rule. A node is the real program in a process of its own; clients
// run beside the test, behind connections that break, and tell package oracle all that they live through. Only tests import it.
//
// Each runner is one such story. It fails its test with the seed, what was done when, and what the node said last.
package trial

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chatnode/internal/client"
	"chatnode/internal/identity"
	"chatnode/internal/oracle"
)

// room is where all clients talk.
const room = "lobby"

// House is what a test hands to a runner.
type House struct {
	// Dial returns the way of a client with that key to a node that listens on one of the addresses.
	Dial func(key *identity.Key, addresses []string) func(context.Context) (client.Link, error)
	// Flags are those of the command line.
	Flags *Flags
	// Patience is how long is waited for what must come. It is no measure of speed.
	Patience time.Duration
}

// Flags say how much is tried.
type Flags struct {
	Seed   uint64 // 0: a new one for each trial
	Kills  int    // of one runner
	Flips  int    // damaged stores
	Far    int    // messages that one is away for
	Siege  int    // how many times as many attackers there are
	Strict bool   // what cannot run here is a failure
}

// raceFactor is about how much more memory a program takes under the race detector.
const raceFactor = 8

// raced reports whether the race detector is built in.
func raced() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// Bind defines the flags. Under the race detector, where everything is slow, less is tried. Where CI is set in the environment, nothing may be left out that Linux can do.
func Bind(set *flag.FlagSet) *Flags {
	f, kills, far := &Flags{}, 30, 100_000
	if raced() {
		kills, far = len(ways), 20_000
	}
	set.Uint64Var(&f.Seed, "seed", 0, "seed of a trial; 0: a new one")
	set.IntVar(&f.Kills, "kills", kills, "how often a trial kills")
	set.IntVar(&f.Flips, "flips", 12, "how many damaged stores a node is started on")
	set.IntVar(&f.Far, "far", far, "how many messages a client is away for")
	set.IntVar(&f.Siege, "siege", 1, "how many times as many attackers there are")
	set.BoolVar(&f.Strict, "strict", os.Getenv("CI") != "" && runtime.GOOS == "linux", "a trial that this machine does not allow is a failure")
	return f
}

// trial is one run of one story.
type trial struct {
	testing.TB
	House
	ctx     context.Context // ends the trial
	random  *rand.Rand      // owned by the test's goroutine
	began   time.Time
	home    string   // of all processes
	dir     string   // the node's data
	address string   // where it listens, each time
	flags   []string // that each of its lives has besides
	history *oracle.History

	// mu promises that diary and lives tell of everything that was done so far.
	mu    sync.Mutex
	diary []string
	lives []*process
}

// begin starts a trial. Everything that it starts ends with its test.
func begin(t testing.TB, house House) *trial {
	t.Helper()
	seed := house.Flags.Seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	ctx, cancel := context.WithCancel(context.Background())
	home := t.TempDir()
	tr := &trial{
		TB: t, House: house, ctx: ctx, random: rand.New(rand.NewPCG(seed, 0)), began: time.Now(),
		home: home, dir: filepath.Join(home, "node"), history: new(oracle.History),
	}
	tr.address = tr.freeAddress()
	t.Cleanup(func() {
		cancel()
		tr.endAll()
		if t.Failed() || testing.Verbose() {
			t.Log(tr.account(seed))
		}
	})
	return tr
}

// freeAddress returns an address on loopback that nobody listens on. Its port is below those that systems give to whoever dials: a client that
// dials a node which is down must not meet itself there.
func (tr *trial) freeAddress() string {
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)) // not of the seed: two trials may run at one time
		if listener, err := net.Listen("tcp", address); err == nil {
			listener.Close()
			return address
		}
	}
	tr.Fatal("no port is free")
	return ""
}

// note adds a line to the diary.
func (tr *trial) note(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.diary = append(tr.diary, fmt.Sprintf("%8.3fs %s", time.Since(tr.began).Seconds(), fmt.Sprintf(format, args...)))
}

// account tells what happened, for a trial that has failed.
func (tr *trial) account(seed uint64) string {
	const pages, lives = 60, 3
	tr.mu.Lock()
	defer tr.mu.Unlock()
	var text strings.Builder
	fmt.Fprintf(&text, "again with: -args -seed %d\n", seed)
	for _, line := range tr.diary[max(0, len(tr.diary)-pages):] {
		fmt.Fprintln(&text, line)
	}
	for i, p := range tr.lives[max(0, len(tr.lives)-lives):] {
		fmt.Fprintf(&text, "-- the last processes but %d said:\n%s\n", min(len(tr.lives), lives)-1-i, p.Said())
	}
	return text.String()
}

func (tr *trial) endAll() {
	tr.mu.Lock()
	lives := tr.lives
	tr.mu.Unlock()
	for _, p := range lives {
		p.Kill()
	}
}

// check fails the test with an error that is not nil.
func (tr *trial) check(err error) {
	tr.Helper()
	if err != nil {
		tr.Fatal(err)
	}
}

// cannot ends a trial that this machine does not allow.
func (tr *trial) cannot(why error) {
	tr.Helper()
	if tr.Flags.Strict {
		tr.Fatalf("this trial can't be left out here: %v", why)
	}
	tr.Skip(why)
}

// errLate says that something did not come in time.
var errLate = errors.New("it did not come in time")

// up starts the node with these orders, beside those flags that each life of it has, and waits until it listens.
func (tr *trial) up(orders Orders, args ...string) *process {
	tr.Helper()
	p, err := tr.rise(orders, args...)
	tr.check(err)
	return p
}

// rise is up for a node that may die before it listens, or not want to.
func (tr *trial) rise(orders Orders, args ...string) (*process, error) {
	tr.Helper()
	args = append([]string{"-listen", tr.address, "-data", tr.dir, "-json", "-rate", "0", "-room-rate", "0", "-keep-free", "0"}, append(slices.Clone(tr.flags), args...)...)
	p := tr.spawn(orders, args...)
	select {
	case <-p.listening:
		return p, nil
	case <-p.ended:
		return p, fmt.Errorf("the node ended with %d before it listened; it said: %s", p.Code(), p.Said())
	case <-time.After(tr.Patience):
		p.Kill()
		return p, fmt.Errorf("the node does not listen: %w", errLate)
	}
}

// spawn starts the program.
func (tr *trial) spawn(orders Orders, args ...string) *process {
	tr.Helper()
	p, err := start(tr.home, orders, args...)
	tr.check(err)
	tr.mu.Lock()
	tr.lives = append(tr.lives, p)
	tr.mu.Unlock()
	tr.note("chatnode %s, to %s", strings.Join(args, " "), orders)
	return p
}

// over waits for the end of a process and returns its exit code, -1 for a death by a signal. A Go program that panics is a failure always.
func (tr *trial) over(p *process) int {
	tr.Helper()
	select {
	case <-p.ended:
	case <-time.After(tr.Patience):
		p.Kill()
		tr.Fatalf("a process does not end: %v", errLate)
	}
	tr.note("it ended with %d", p.Code())
	tr.calm(p)
	return p.Code()
}

// calm fails the test when a process has panicked, or found a race.
func (tr *trial) calm(p *process) {
	tr.Helper()
	for _, alarm := range []string{"panic:", "fatal error:", "DATA RACE"} {
		if strings.Contains(p.Said(), alarm) {
			tr.Fatalf("the node panicked:\n%s", p.Said())
		}
	}
}

// stop ends a node as its operator would.
func (tr *trial) stop(p *process) {
	tr.Helper()
	p.Interrupt()
	if code := tr.over(p); code != 0 {
		tr.Errorf("the node ends with exit code %d, want 0; it said: %s", code, p.Said())
	}
}

// kill ends a process with SIGKILL.
func (tr *trial) kill(p *process) {
	tr.Helper()
	p.Kill()
	tr.note("killed")
	tr.over(p)
}
