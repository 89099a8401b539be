package bench

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// scenario is a question that the bench answers.
type scenario string

const (
	scenarioFanout    scenario = "fanout"
	scenarioTLS       scenario = "tls"
	scenarioSecure    scenario = "secure"
	scenarioHandshake scenario = "handshake"
	scenarioHostile   scenario = "hostile"
	scenarioStore     scenario = "store"
	scenarioKept      scenario = "kept"
	scenarioSize      scenario = "size"
	scenarioStart     scenario = "start"
	scenarioCatchUp   scenario = "catchup"
	// scenarioDisk is all of those that need one.
	scenarioDisk scenario = "disk"
	// scenarioJoin, scenarioRooms and scenarioSlow are about many clients, many rooms, and clients that read slowly.
	scenarioJoin  scenario = "join"
	scenarioRooms scenario = "rooms"
	scenarioSlow  scenario = "slow"
	// scenarioAgainst is what -against does: no scenario to choose.
	scenarioAgainst scenario = "against"
	// scenarioPeers is about nodes that are linked.
	scenarioPeers scenario = "peers"
)

var allScenarios = []scenario{
	scenarioFanout, scenarioTLS, scenarioSecure, scenarioHandshake, scenarioHostile, scenarioJoin, scenarioRooms, scenarioSlow,
	scenarioStore, scenarioKept, scenarioSize, scenarioStart, scenarioCatchUp, scenarioDisk, scenarioPeers,
}

// usualMessages returns how many messages there are in a past, unless flags say so.
func (s scenario) usualMessages() int {
	if s == scenarioPeers {
		return 100_000
	}
	return 1_000_000
}

// usual returns the numbers of clients with which a scenario is measured, and for how long, unless flags say so. Hostile guests who say nothing are
// thrown out after 5 s, so they are watched for longer than that.
func (s scenario) usual() (clients string, d time.Duration) {
	switch s {
	case scenarioHandshake:
		return "8", 3 * time.Second
	case scenarioHostile, scenarioAgainst:
		return "100", 10 * time.Second
	case scenarioJoin:
		return "2250,4500,9000", 3 * time.Second
	case scenarioSlow:
		return "1000", 5 * time.Second
	case scenarioRooms:
		return "10000", 5 * time.Second
	}
	return "100,1000", 3 * time.Second
}

func (cfg *config) setScenario(name string) error {
	cfg.scenario = scenario(name)
	switch cfg.scenario {
	case scenarioHandshake:
		cfg.modes = map[mode]bool{modeHandshake: true}
	case scenarioHostile:
		cfg.modes = map[mode]bool{modePaced: true, modeHostile: true}
		cfg.publishers = 1 // no other would say anything
	case scenarioSlow:
		cfg.modes = map[mode]bool{modePaced: true, modeSaturate: true, modeSlow: true}
	}
	if !slices.Contains(allScenarios, cfg.scenario) {
		var names []string
		for _, s := range allScenarios {
			names = append(names, string(s))
		}
		return usagef("bench: -scenario %q: it is one of %s", name, strings.Join(names, ", "))
	}
	return nil
}

// asks reports whether s, which needs a disk, is to be measured.
func (cfg *config) asks(s scenario) bool { return cfg.scenario == s || cfg.scenario == scenarioDisk }

// run measures all that was asked for and prints it, each part as soon as it is known.
func (cfg *config) run(ctx context.Context, node, floor program, stdout io.Writer, p *progress) error {
	defer p.clear()
	switch cfg.scenario {
	case scenarioFanout, scenarioSecure:
		return cfg.compare(ctx, func(n int) [2]*side { return cfg.sidesOf(n, node, floor) }, stdout, p)
	case scenarioTLS, scenarioHandshake:
		return cfg.compare(ctx, func(int) [2]*side { return cfg.linkSides(node) }, stdout, p)
	case scenarioHostile:
		return cfg.compare(ctx, func(int) [2]*side { return cfg.hostileSides(node) }, stdout, p)
	case scenarioSlow:
		return cfg.compare(ctx, func(int) [2]*side { return cfg.slowSides(node) }, stdout, p)
	case scenarioRooms:
		return cfg.measureRooms(ctx, node, newFigures(cfg, stdout), p)
	}
	return cfg.runDisk(ctx, node, stdout, p)
}

// runDisk is run for what needs a disk.
func (cfg *config) runDisk(ctx context.Context, node program, stdout io.Writer, p *progress) (err error) {
	if cfg.place, err = newPlace(cfg.dir); err != nil {
		return fmt.Errorf("make a folder for the stores that are measured: %w; -dir names another place", err)
	}
	defer func() {
		if e := cfg.place.remove(); err == nil {
			err = e
		}
	}()
	out := newFigures(cfg, stdout)
	switch cfg.scenario {
	case scenarioPeers:
		return cfg.measurePeers(ctx, node, out, p)
	case scenarioJoin:
		return cfg.measureJoin(ctx, node, out, p)
	}
	if cfg.asks(scenarioKept) {
		if err := cfg.measureKept(ctx, node, out, p); err != nil {
			return err
		}
	}
	if cfg.asks(scenarioSize) || cfg.asks(scenarioStart) || cfg.asks(scenarioCatchUp) {
		if err := cfg.measurePast(ctx, node, out, p); err != nil {
			return err
		}
	}
	if cfg.asks(scenarioStore) {
		if err := out.gap(); err != nil {
			return err
		}
		return cfg.compare(ctx, func(int) [2]*side { return cfg.storeSides(node) }, stdout, p)
	}
	return nil
}

// compare measures two sides in turn and prints what came out, a number of clients at a time.
func (cfg *config) compare(ctx context.Context, sidesOf func(clients int) [2]*side, stdout io.Writer, p *progress) error {
	if err := cfg.checkFiles(openFiles()); err != nil {
		return err
	}
	out := newReport(cfg, stdout)
	p.begin(len(cfg.clients) * 2 * cfg.runs)
	for _, n := range cfg.clients {
		sides := sidesOf(n)
		var all [2][]values
		for i := range 2 * cfg.runs {
			which := (i + i/2) % 2 // A B B A A B …: what changes with time falls on both alike
			s := sides[which]
			p.step(1, "%s: %d clients, %s, run %d of %d", cfg.scenario, n, s.name, i/2+1, cfg.runs)
			v, err := cfg.visitSide(ctx, s, n)
			if err != nil {
				return fmt.Errorf("bench %s with %d clients, run %d: %w", s.name, n, i/2+1, err)
			}
			all[which] = append(all[which], v)
		}
		p.clear()
		if err := out.print(n, all); err != nil {
			return err
		}
	}
	return nil
}
