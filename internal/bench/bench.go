// Package bench is the load generator behind `chatnode bench`: it measures a chatnode against a raw floor, both in processes of their own,
// and holds each delivery to its order while it does. It speaks the protocol by hand and is not a client to chat with.
package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"chatnode/internal/chat"
)

// ErrUsage marks a mistake in the command line.
var ErrUsage = errors.New("usage")

// usageError is such a mistake.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }
func (e *usageError) Unwrap() error { return ErrUsage }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// mode is one way of putting load on.
type mode string

const (
	modeSaturate mode = "saturate"
	modePaced    mode = "paced"
	modeIdle     mode = "idle"
)

var allModes = []mode{modeSaturate, modePaced, modeIdle}

// Limits of the flags.
const (
	maxClients    = 100_000
	maxPublishers = 64
	maxRate       = 100_000
	maxRuns       = 1000
	maxDuration   = time.Hour
)

// config is what the flags ask for.
type config struct {
	clients    []int
	payload    int
	rate       float64
	duration   time.Duration
	runs       int
	modes      map[mode]bool
	publishers int
	json       bool
	floor      int // be the floor, with records of this size

	stall time.Duration // stallLimit outside tests
}

const help = `chatnode bench: how many deliveries this machine can do

    chatnode bench                                 100 and 1,000 clients, all modes, 5 pairs of runs: about 3 minutes
    chatnode bench -n 4000 -runs 3 -mode saturate  one question alone
    chatnode bench -json > today.json              one JSON object a row

It starts a node and, in turn with it, a floor: a server that relays bytes of the same size over plain TCP from one log in memory, and does
nothing else. Both are driven by the same load on the same machine, and every message is checked to reach every client once and in
order. A message to one client is a delivery. The last column is chatnode divided by the floor, pair by pair.

  -n LIST            how many clients listen, several numbers with commas between (100,1000)
  -payload BYTES     size of a text, 16 to 8192 (100)
  -publishers N      connections that send while saturated (8)
  -rate N            messages a second while paced (20)
  -duration TIME     of each mode in each run (3s)
  -runs N            pairs of runs (5)
  -mode LIST         saturate, paced, idle; several with commas between (all)
  -json              print JSON

  saturate   publishers send as fast as the slowest client reads
  paced      one publisher sends at -rate; latency is from its write to each client's read
  idle       memory that a connected client costs the server, beyond what it needs empty

CPU is that of the server, in user and system mode; "load" is what the same delivery costs the measuring side, which shares the machine.
CPU and memory are known on Linux alone.

Exit codes: 0 measured; 1 a message was lost, repeated or out of order, or a server failed; 2 usage.
`

// Main runs the verb with the arguments behind its name until it is done or ctx ends. It returns an error that wraps ErrUsage for a mistake in
// args.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	cfg, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err := io.WriteString(stdout, help)
		return err
	case err != nil:
		return err
	case cfg.floor > 0:
		return mainFloor(ctx, cfg.floor, stdout)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	err = cfg.run(ctx, program{path: self}, program{path: self}, stdout, newProgress(stderr))
	if ctx.Err() != nil {
		return errors.New("stopped before the end")
	}
	return err
}

func parse(args []string) (*config, error) {
	cfg := &config{duration: 3 * time.Second, modes: map[mode]bool{}, stall: stallLimit}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	clients := flags.String("n", "100,1000", "")
	modes := flags.String("mode", "all", "")
	flags.IntVar(&cfg.payload, "payload", 100, "")
	flags.IntVar(&cfg.publishers, "publishers", 8, "")
	flags.Float64Var(&cfg.rate, "rate", 20, "")
	flags.IntVar(&cfg.runs, "runs", 5, "")
	flags.BoolVar(&cfg.json, "json", false, "")
	flags.IntVar(&cfg.floor, "serve-floor", 0, "")
	flags.Func("duration", "", func(s string) (err error) {
		cfg.duration, err = chat.ParseDuration(s)
		return err
	})
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil, err
	} else if err != nil {
		return nil, usagef("bench: %v", err)
	}
	if flags.NArg() > 0 {
		return nil, usagef("bench: %q is not a flag; bench -h lists them", flags.Arg(0))
	}
	if err := errors.Join(cfg.setClients(*clients), cfg.setModes(*modes)); err != nil {
		return nil, err
	}
	return cfg, cfg.check()
}

func (cfg *config) setClients(list string) error {
	for _, s := range strings.Split(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 || n > maxClients {
			return usagef("bench: -n %q: numbers of clients from 1 to %d, such as 100,1000", list, maxClients)
		}
		cfg.clients = append(cfg.clients, n)
	}
	return nil
}

func (cfg *config) setModes(list string) error {
	for _, s := range strings.Split(list, ",") {
		m := mode(strings.TrimSpace(s))
		switch {
		case m == "all":
			for _, m := range allModes {
				cfg.modes[m] = true
			}
		case slices.Contains(allModes, m):
			cfg.modes[m] = true
		default:
			return usagef("bench: -mode %q: saturate, paced, idle or all", list)
		}
	}
	return nil
}

// check finds what can't be measured, before anything is started.
func (cfg *config) check() error {
	switch {
	case cfg.payload < stampSize || cfg.payload > chat.MaxText:
		return usagef("bench: -payload: %d to %d bytes", stampSize, chat.MaxText)
	case cfg.publishers < 1 || cfg.publishers > maxPublishers:
		return usagef("bench: -publishers: 1 to %d", maxPublishers)
	case !(cfg.rate > 0 && cfg.rate <= maxRate):
		return usagef("bench: -rate: more than 0 and at most %d messages a second", maxRate)
	case cfg.runs < 1 || cfg.runs > maxRuns:
		return usagef("bench: -runs: 1 to %d", maxRuns)
	case cfg.duration <= 0 || cfg.duration > maxDuration:
		return usagef("bench: -duration: more than 0 and at most %v", maxDuration)
	case cfg.floor != 0 && (cfg.floor < floorTextAt || cfg.floor > maxRecord):
		return usagef("bench: -serve-floor: %d to %d bytes", floorTextAt, maxRecord)
	}
	return nil
}

// checkFiles finds out whether so many connections can be open at one time.
func (cfg *config) checkFiles(limit uint64, known bool) error {
	const besides = 64
	need := uint64(slices.Max(cfg.clients) + cfg.publishers + besides)
	if known && limit < need {
		return fmt.Errorf("%d clients need %d open files, and only %d are allowed; run: ulimit -n %d", slices.Max(cfg.clients), need, limit, need)
	}
	return nil
}

// run measures all that was asked for and prints it, a number of clients at a time.
func (cfg *config) run(ctx context.Context, node, floor program, stdout io.Writer, p *progress) error {
	if err := cfg.checkFiles(openFiles()); err != nil {
		return err
	}
	out := newReport(cfg, stdout)
	defer p.done()
	for _, n := range cfg.clients {
		sides := cfg.sidesOf(n, node, floor)
		var all [2][]values
		for i := range 2 * cfg.runs {
			which := (i + i/2) % 2 // A B B A A B …: what changes with time falls on both alike
			s := sides[which]
			p.say("%d clients, run %d of %d: %s", n, i/2+1, cfg.runs, s.name)
			v, err := cfg.visitSide(ctx, s, n)
			if err != nil {
				return fmt.Errorf("bench %s with %d clients, run %d: %w", s.name, n, i/2+1, err)
			}
			all[which] = append(all[which], v)
		}
		p.done()
		if err := out.print(n, all); err != nil {
			return err
		}
	}
	return nil
}
