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
	"chatnode/internal/identity"
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

	// Not for -mode to choose: they are what their scenarios do.
	modeHandshake mode = "handshake"
	modeHostile   mode = "hostile"
	modeSlow      mode = "slow"
)

// allModes are those that -mode chooses from.
var allModes = []mode{modeSaturate, modePaced, modeIdle}

// Limits of the flags.
const (
	maxClients    = 100_000
	maxPublishers = 64
	maxRate       = 100_000
	maxRuns       = 1000
	maxMessages   = 100_000_000
	maxHostile    = 10_000
	maxSlow       = time.Second
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
	scenario   scenario
	messages   int
	hostile    int // connections
	dir        string
	floor      int           // be the floor, with records of this size
	slow       time.Duration // be a node that takes so much longer for each commit
	nodeArgs   []string      // of that node
	against    *target       // whose address is empty: none

	place *place // where stores are measured, while they are

	stall time.Duration // stallLimit outside tests
}

const help = `chatnode bench: how much this machine can do

    chatnode bench                                 deliveries to 100 and 1,000 clients, all modes, 5 pairs of runs: about 3 minutes
    chatnode bench -n 4000 -runs 3 -mode saturate  one question alone
    chatnode bench -scenario hostile               what 1,000 hostile connections do to 100 good clients: about 2 minutes
    chatnode bench -scenario disk                  what keeping messages costs, with a million of them: about 15 minutes
    chatnode bench -scenario join                  9,000 clients join, and come back to a node that was killed: about 8 minutes
    chatnode bench -scenario peers                 what links between nodes cost: about 5 minutes
    chatnode bench -json > today.json              one JSON object a row

What is measured runs in processes of its own on this machine, which the load shares with it, and is held to its order: a message that is
lost, repeated, refused or out of order ends the bench.

  -scenario NAME     what to measure (fanout)

  fanout     messages to many clients; a message to one client is a delivery. A node that keeps nothing and, in turn with it, a floor: a
             server that relays bytes of the same size over plain TCP from one log in memory, and does nothing else. The last column is
             chatnode divided by the floor, pair by pair.
  tls        the same of a node under TLS and of one with -insecure; idle, too
  secure     fanout of a node under TLS and of the floor
  join       clients who join one room of a node with a store, plain and under TLS; then the node is killed and started anew, and all come
             back by themselves: nothing that was acknowledged is lost to any of them
  rooms      one client in 500 rooms beside one in one room; -n clients in rooms of 10, who all talk, beside one room of 10
  slow       messages to many clients beside two more, of whom one never reads and one reads 1 KB/s, and without them
  handshake  clients that connect, shake hands, are welcomed and leave, -n of them at one time, under TLS and with -insecure: how many a
             second, and what each costs the node and the client
  hostile    messages to good clients beside -hostile connections, and alone, under TLS. Of the hostile ones some connect and say nothing,
             some say half a TLS hello, some a byte of it every second, some are let in and never read, some say garbage, some ask for a
             web page. Who is thrown out comes back, at most twice a second. Meanwhile one good newcomer after the other comes: the longest
             that one has waited for a welcome is printed. On loopback a node has no limits for each address: this is worse than what one
             address can do over a network.
  store      fanout of a node that keeps messages on the disk, and of one that does not
  kept       messages that publishers are told are on the disk: one publisher that waits for each, then 8 and 64 that have 64 on their way;
             beside them how often the disk itself can sync in a second, measured before and after. The last case adds 1 ms to each commit.
  size       bytes on the disk for each message, of the database and of the search index, in a store of -messages
  start      from the start of a node's process to its listening, and to its first welcome, with no messages and with -messages; and how
             large the program is
  catchup    rows a second that clients read who missed all of the -messages
  disk       store, kept, size, start and catchup
  peers      linked nodes, under TLS: data frames that travel for each message that reaches a node, while clients of all nodes
             send at -rate, what links learn at their beginning included; delay on one node, one link away and two; messages a
             second through one link; memory for each link; and how long two nodes need that were parted while -messages were
             said on each side, until a client of each has been shown all of it, and the two have the same

A node that runs already, with its operator's consent: clients come over TLS, under new keys that one of its admins invites, and one room
is made for them; messages at a steady rate are timed. What is done is said, and asked for, before. The node's own limits hold.

    chatnode bench -against HOST -identity admin.key -n 100 -rate 20 -duration 10s

  -against HOST      the node, HOST or HOST:PORT
  -identity FILE     the key of an admin of that node
  -node ID           the node's id; without it the node has to be the one that is known there, as for -connect
  -yes               do not ask

  -payload BYTES     size of a text, 16 to 8192 (100)
  -duration TIME     of each mode or case in each run (3s; rooms and slow 5s; hostile and -against 10s)
  -runs N            runs, or pairs of runs; the median is given, with the least and the most (5; -against 1)
  -json              print JSON

  For those with clients that listen, or shake hands:
  -n LIST            how many, several numbers with commas between (100,1000; handshake 8; hostile 100; slow 1000; join 2250,4500,9000;
                     rooms 10000; -against 100)
  -publishers N      connections that send while saturated (8), or in turn -against (1)
  -rate N            messages a second while paced, and for hostile (20)
  -mode LIST         for fanout, tls, secure and store: saturate, paced, idle; several with commas between (all)
  -hostile N         connections beside the good clients (1000)

  saturate   publishers send as fast as the slowest client reads
  paced      one publisher sends at -rate; latency is from its write to each client's read
  idle       memory that a connected client costs the server, beyond what it needs empty

  For those with a store:
  -dir DIR           where to put stores while they are measured, on the disk that is meant (where a node has them without -data)
  -messages N        how many there are for size, start and catchup (1000000), and on each side of peers (100000)

CPU is that of the server, in user and system mode; "load" is what the same costs the measuring side, which shares the machine. CPU and
memory are known on Linux alone.

Exit codes: 0 measured; 1 a message was lost, repeated, refused or out of order, or a server failed; 2 usage; 6 another node than before
answers.
`

// Node runs a chatnode with the arguments until ctx ends, and calls committed each time that its store has committed something, before anyone is
// told.
type Node func(ctx context.Context, args []string, committed func(), stdout, stderr io.Writer) error

// Console is what the verb works with.
type Console struct {
	Out, Err io.Writer
	In       io.Reader // who is asked before something is done to a node that others use
	Asks     bool      // there is somebody to ask at In
	Node     Node      // runs in a process of its own where commits are to take longer than the disk needs for them
	// Known returns the nodes that the user knows, of a folder or, without one, where the system has its place for such things; and a note for the user,
	// which may be empty.
	Known func(dir string) (known *identity.Known, note string, err error)
	// WithPort returns an address with the usual port where it has none.
	WithPort func(address string) string
}

// Main runs the verb with the arguments behind its name until it is done or ctx ends. It returns an error that wraps ErrUsage for a mistake in args.
func Main(ctx context.Context, args []string, c *Console) error {
	cfg, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err := io.WriteString(c.Out, help)
		return err
	case err != nil:
		return err
	case cfg.floor > 0:
		return mainFloor(ctx, cfg.floor, c.Out)
	case cfg.slow > 0:
		return c.Node(ctx, cfg.nodeArgs, func() { time.Sleep(cfg.slow) }, c.Out, c.Err)
	}
	if p := newProgress(c.Err); cfg.against.address != "" {
		err = cfg.runAgainst(ctx, c, p)
		p.clear()
	} else {
		var self string
		if self, err = os.Executable(); err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
		err = cfg.run(ctx, program{path: self}, program{path: self}, c.Out, p)
	}
	if ctx.Err() != nil {
		return errors.New("stopped before the end")
	}
	return err
}

func parse(args []string) (*config, error) {
	cfg := &config{modes: map[mode]bool{}, stall: stallLimit, against: &target{}}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	clients := flags.String("n", "", "")
	modes := flags.String("mode", "all", "")
	flags.IntVar(&cfg.payload, "payload", 100, "")
	flags.IntVar(&cfg.publishers, "publishers", 8, "")
	flags.Float64Var(&cfg.rate, "rate", 20, "")
	flags.IntVar(&cfg.runs, "runs", 5, "")
	flags.BoolVar(&cfg.json, "json", false, "")
	flags.StringVar(&cfg.dir, "dir", "", "")
	flags.IntVar(&cfg.messages, "messages", 0, "")
	flags.IntVar(&cfg.hostile, "hostile", 1000, "")
	name := flags.String("scenario", string(scenarioFanout), "")
	flags.StringVar(&cfg.against.address, "against", "", "")
	flags.StringVar(&cfg.against.file, "identity", "", "")
	flags.StringVar(&cfg.against.node, "node", "", "")
	flags.BoolVar(&cfg.against.yes, "yes", false, "")
	flags.IntVar(&cfg.floor, "serve-floor", 0, "")
	flags.DurationVar(&cfg.slow, "serve-node", 0, "")
	flags.Func("duration", "", func(s string) (err error) {
		cfg.duration, err = chat.ParseDuration(s)
		return err
	})
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil, err
	} else if err != nil {
		return nil, usagef("bench: %v", err)
	}
	if cfg.slow > 0 {
		cfg.nodeArgs = flags.Args()
	} else if flags.NArg() > 0 {
		return nil, usagef("bench: %q is not a flag; bench -h lists them", flags.Arg(0))
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if n := cfg.setUsual(scenario(*name), given); !given["n"] {
		*clients = n
	}
	if err := errors.Join(cfg.setClients(*clients), cfg.setModes(*modes), cfg.setScenario(*name)); err != nil {
		return nil, err
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return cfg, cfg.checkAgainst()
}

// setUsual sets what flags have not given, and returns the usual numbers of clients.
func (cfg *config) setUsual(s scenario, given map[string]bool) (clients string) {
	if cfg.against.address != "" && s == scenarioFanout {
		s = scenarioAgainst
	}
	clients, duration := s.usual()
	if !given["duration"] {
		cfg.duration = duration
	}
	if !given["messages"] {
		cfg.messages = s.usualMessages()
	}
	if s == scenarioAgainst && !given["runs"] {
		cfg.runs = 1
	}
	if s == scenarioAgainst && !given["publishers"] {
		cfg.publishers = 1
	}
	return clients
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
	case cfg.messages < 1 || cfg.messages > maxMessages:
		return usagef("bench: -messages: 1 to %d", maxMessages)
	case cfg.hostile < 1 || cfg.hostile > maxHostile:
		return usagef("bench: -hostile: 1 to %d", maxHostile)
	case cfg.slow < 0 || cfg.slow > maxSlow:
		return usagef("bench: -serve-node: more than 0 and at most %v", maxSlow)
	case cfg.floor != 0 && (cfg.floor < floorTextAt || cfg.floor > maxRecord):
		return usagef("bench: -serve-floor: %d to %d bytes", floorTextAt, maxRecord)
	}
	return nil
}

// checkFiles finds out whether so many connections can be open at one time.
func (cfg *config) checkFiles(limit uint64, known bool) error {
	const besides = 64
	clients := slices.Max(cfg.clients)
	if cfg.scenario == scenarioHostile {
		clients += cfg.hostile
	}
	need := uint64(clients + cfg.publishers + besides)
	if known && limit < need {
		return fmt.Errorf("%d clients need %d open files, and only %d are allowed; run: ulimit -n %d", clients, need, limit, need)
	}
	return nil
}
