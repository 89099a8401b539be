package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"chatnode/internal/chat"
)

const (
	// stallLimit is how long nothing may arrive while something is expected.
	stallLimit = 10 * time.Second
	lookEvery  = 2 * time.Millisecond
	// warmUp is the part of a saturated run that is not counted, at most maxWarmUp.
	warmUp    = 0.25
	maxWarmUp = time.Second
	// maxLate is how many times its duration a paced run takes at most, where the server does not keep up.
	maxLate = 2
	// Memory has settled when it has not changed for as long as a mode lasts, within these bounds: in settledMost a node gives back what a rush has left. It
	// is looked at every settleEvery, and not waited for longer than settleLimit.
	settleEvery  = 50 * time.Millisecond
	settledLeast = 5 * settleEvery
	settledMost  = 50 * settleEvery
	settleLimit  = 10 * time.Second
)

// side is one of the two servers.
type side struct {
	name    string
	program program
	kept    bool                                                    // it has a store, in a folder of its own
	secure  bool                                                    // its links are under TLS
	hostile int                                                     // connections beside its clients
	slow    bool                                                    // there are slow readers beside its clients
	talk    *talk                                                   // of its clients; nil: they listen to publishers
	read    readFunc                                                // how its clients are read
	dial    func(ctx context.Context, number int) (net.Conn, error) // of a client; nil: what is usual
	join    func(r *reader) error
	publish func(ctx context.Context, address string, number int, fail context.CancelCauseFunc) (publisher, error)
}

// with returns the program with more arguments.
func (p program) with(args ...string) program {
	p.args = slices.Concat(p.args, args)
	return p
}

// servingTLS returns the node as it is measured, with more arguments.
func (p program) servingTLS(args ...string) program {
	return p.with("-listen", "127.0.0.1:0", "-json", "-rate", "0", "-room-rate", "0", "-max-sessions", "0").with(args...)
}

// serving is servingTLS without TLS.
func (p program) serving(args ...string) program { return p.servingTLS("-insecure").with(args...) }

// nodeSide returns a node as one of two sides; secure says that its links are under TLS.
func (cfg *config) nodeSide(name string, node program, secure bool) *side {
	return &side{
		name: name, program: node, secure: secure, read: readAll,
		join: func(r *reader) error { return joinNode(r, entry{secure: secure}) },
		publish: func(ctx context.Context, address string, number int, fail context.CancelCauseFunc) (publisher, error) {
			return newAuthor(ctx, address, number, cfg, pace{inFlight: chat.MaxInFlight, secure: secure}, fail)
		},
	}
}

// sidesOf returns chatnode and the floor as they are run with n clients. node and floor start this program; the arguments of each side are added.
func (cfg *config) sidesOf(n int, node, floor program) [2]*side {
	size := eventSize(cfg.payload, n)
	sides := [2]*side{
		cfg.nodeSide("chatnode", node.serving("-ephemeral"), false),
		{
			name: "floor", program: floor.with("bench", "-serve-floor", strconv.Itoa(size)), read: readAll,
			join: func(r *reader) error { return joinFloor(r, cfg.publishers) },
			publish: func(ctx context.Context, address string, number int, _ context.CancelCauseFunc) (publisher, error) {
				return newFeeder(ctx, address, number, cfg.payload, size)
			},
		},
	}
	if cfg.scenario == scenarioSecure {
		sides[0] = cfg.nodeSide("chatnode", node.servingTLS("-ephemeral"), true)
		sides[0].read, sides[1].read = readEach, readEach // see linkSides
	}
	return sides
}

// storeSides returns the node with a store and without one.
func (cfg *config) storeSides(node program) [2]*side {
	sides := [2]*side{cfg.nodeSide("kept", node.serving(), false), cfg.nodeSide("ephemeral", node.serving("-ephemeral"), false)}
	sides[0].kept = true
	return sides
}

// values are the measurements of one visit, by their place in measures; NaN where there is none.
type values []float64

// visit is one server, started, measured and ended.
type visit struct {
	*config
	side   *side
	child  *child
	crowd  *crowd
	values values
	done   uint64 // messages published and delivered to everybody

	publishers []publisher
}

// visitSide measures one server with n clients, in each of the modes.
func (cfg *config) visitSide(ctx context.Context, s *side, n int) (_ values, err error) {
	program := s.program
	if s.kept {
		dir, err := cfg.place.folder()
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		program = program.with("-data", dir)
	}
	v := &visit{config: cfg, side: s, values: make(values, len(measures))}
	for i := range v.values {
		v.values[i] = math.NaN()
	}
	err = visitServer(ctx, s.name, program, func(ctx context.Context, c *child, fail context.CancelCauseFunc) error {
		v.child = c
		return v.measure(ctx, n, fail)
	})
	return v.values, err
}

// visitServer starts a server, has it measured, and ends it. What goes wrong beside measure goes to fail, which ends its context; what went wrong
// first is the error, with what the server said.
func visitServer(ctx context.Context, name string, p program, measure func(ctx context.Context, c *child, fail context.CancelCauseFunc) error) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	c, err := startChild(ctx, name, p)
	if err != nil {
		return err
	}
	defer c.stop()
	if err := measure(ctx, c, fail); err != nil {
		return c.because(ctx, err)
	}
	return nil
}

func (v *visit) measure(ctx context.Context, n int, fail context.CancelCauseFunc) (err error) {
	if v.modes[modeHandshake] {
		return v.handshakes(ctx, n, fail)
	}
	var empty memory
	var known bool
	if v.modes[modeIdle] {
		empty, known = v.settledMemory(ctx)
	}
	if v.crowd, err = newCrowd(ctx, v.side, v.child.address, n, fail); err != nil {
		return err
	}
	defer v.crowd.close()
	if known {
		held, _ := v.settledMemory(ctx)
		v.set(modeIdle, "rss_kb_per_client", float64(held.resident-empty.resident)/1024/float64(n))
		v.set(modeIdle, "anonymous_kb_per_client", float64(held.anonymous-empty.anonymous)/1024/float64(n))
	}
	for i := range v.config.publishers {
		p, err := v.side.publish(ctx, v.child.address, i, fail)
		if err != nil {
			return fmt.Errorf("publisher %d: %w", i, err)
		}
		defer p.close()
		v.publishers = append(v.publishers, p)
	}
	return v.inModes(ctx, fail)
}

// inModes measures in each of the modes, once everybody is there.
func (v *visit) inModes(ctx context.Context, fail context.CancelCauseFunc) (err error) {
	var slow *sluggards
	if v.side.slow {
		if slow, err = newSluggards(ctx, v.child.address, fail); err != nil {
			return err
		}
		defer slow.end()
	}
	switch {
	case v.side.talk != nil:
		return v.talk(ctx)
	case v.modes[modeHostile]:
		err = v.besideHostile(ctx, fail)
	case v.modes[modePaced]:
		err = v.paced(ctx, v.publishers[:1])
	}
	if err != nil {
		return err
	}
	if v.modes[modeSaturate] {
		if err := v.saturate(ctx); err != nil {
			return err
		}
	}
	if v.modes[modeSlow] {
		v.besideSlow(slow)
	}
	return context.Cause(ctx)
}

// set notes a measurement.
func (v *visit) set(m mode, key string, value float64) { v.values[measureOf(m, key)] = value }

// settledMemory returns what the server holds once that does not change any more.
func (v *visit) settledMemory(ctx context.Context) (m memory, known bool) {
	if m, known = processMemory(v.child.cmd.Process.Pid); !known {
		return m, false
	}
	ticker := time.NewTicker(settleEvery)
	defer ticker.Stop()
	enough := min(max(v.duration, settledLeast), settledMost)
	for same, waited := time.Duration(0), time.Duration(0); same < enough && waited < settleLimit; waited += settleEvery {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return m, true // whoever asked finds out by itself
		}
		now, _ := processMemory(v.child.cmd.Process.Pid)
		if same += settleEvery; now != m {
			m, same = now, 0
		}
	}
	return m, true
}

// reading is what the counters say at one moment.
type reading struct {
	at               time.Time
	delivered, bytes uint64
	server, load     time.Duration
	known            bool // server and load are
}

// look reads the clocks.
func (c *child) look() reading {
	r := reading{at: time.Now()}
	if c.cmd == nil { // it is somebody else's
		r.load, _ = processCPU(0)
		return r
	}
	var known [2]bool
	r.server, known[0] = processCPU(c.cmd.Process.Pid)
	r.load, known[1] = processCPU(0)
	r.known = known[0] && known[1]
	return r
}

func (v *visit) look() reading {
	r := v.child.look()
	r.delivered, r.bytes = v.crowd.delivered.Load(), v.crowd.bytes.Load()
	return r
}

// costs returns the CPU time in microseconds, of the server and of this process, that each of what was delivered between two readings took.
func costs(from, to reading) (server, load float64) {
	n := float64(to.delivered - from.delivered)
	if n == 0 || !from.known || !to.known {
		return math.NaN(), math.NaN()
	}
	each := func(a, b time.Duration) float64 { return float64(b-a) / float64(time.Microsecond) / n }
	return each(from.server, to.server), each(from.load, to.load)
}

// cost notes what each delivery between two readings took.
func (v *visit) cost(m mode, from, to reading) {
	server, load := costs(from, to)
	v.set(m, "server_cpu_us_per_delivery", server)
	v.set(m, "load_cpu_us_per_delivery", load)
}

// interval returns the time between two messages at the steady rate.
func (cfg *config) interval() time.Duration { return time.Duration(float64(time.Second) / cfg.rate) }

// paced has publishers send at the steady rate, in turn, and times each message on its way to each reader. A server that does not keep up gets fewer.
func (v *visit) paced(ctx context.Context, publishers []publisher) error {
	latency := &histogram{}
	v.crowd.phase.Store(&phase{base: v.done, latency: latency})
	began := v.look()
	interval, count := v.interval(), v.perRun()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := range count {
		if time.Since(began.at) > maxLate*v.duration {
			count = i
			break
		}
		timer.Reset(time.Until(began.at.Add(time.Duration(i) * interval)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := publishers[i%len(publishers)].send(1, v.crowd.stamp()); err != nil {
			return err
		}
	}
	v.done += uint64(count)
	err := v.drain(ctx)
	for _, p := range publishers {
		if err == nil {
			err = p.settle()
		}
	}
	if err != nil {
		return err
	}
	ended := v.look()
	v.set(modePaced, "messages_per_s", float64(count)/max(ended.at.Sub(began.at), interval*time.Duration(count)).Seconds())
	v.set(modePaced, "latency_p50_ms", milliseconds(latency.quantile(0.5)))
	v.set(modePaced, "latency_p99_ms", milliseconds(latency.quantile(0.99)))
	if n := ended.delivered - began.delivered; n > 0 {
		v.set(modePaced, "bytes_per_delivery", float64(ended.bytes-began.bytes)/float64(n))
	}
	v.cost(modePaced, began, ended)
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// saturate has all publishers send as fast as acknowledgements and the slowest reader let them.
func (v *visit) saturate(ctx context.Context) error {
	loop := newCredits(len(v.crowd.readers))
	v.crowd.phase.Store(&phase{base: v.done, credits: loop})
	stop := make(chan struct{})
	var sent atomic.Uint64
	var working sync.WaitGroup
	errs := make([]error, len(v.publishers))
	for i, p := range v.publishers {
		working.Go(func() { // ends with stop, or with ctx
			errs[i] = publishAll(ctx, p, loop, stop, v.crowd.stamp, &sent)
		})
	}
	finished := make(chan struct{})
	go func() { working.Wait(); close(finished) }() // ends with the publishers
	pause(ctx, v.warm())
	began := v.look()
	pause(ctx, v.duration)
	ended := v.look()
	close(stop)
	err := v.await(ctx, "the publishers to end", func() bool {
		select {
		case <-finished:
			return true
		default:
			return false
		}
	})
	if err != nil {
		v.crowd.fail(err) // ends the publishers
		<-finished
		return err
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	v.done += sent.Load()
	if err := v.drain(ctx); err != nil {
		return err
	}
	v.saturated(began, ended)
	return nil
}

func (v *visit) saturated(began, ended reading) {
	seconds := ended.at.Sub(began.at).Seconds()
	n, bytes := float64(ended.delivered-began.delivered), float64(ended.bytes-began.bytes)
	v.set(modeSaturate, "deliveries_per_s", n/seconds)
	v.set(modeSaturate, "bytes_per_s", bytes/seconds)
	if n > 0 {
		v.set(modeSaturate, "bytes_per_delivery", bytes/n)
	}
	v.cost(modeSaturate, began, ended)
}

// warm returns how long a saturated run goes on before it is counted.
func (cfg *config) warm() time.Duration {
	return min(time.Duration(float64(cfg.duration)*warmUp), maxWarmUp)
}

// publishAll sends a credit's messages for each credit that it gets.
func publishAll(ctx context.Context, p publisher, loop *credits, stop <-chan struct{}, stamp func() uint64, sent *atomic.Uint64) error {
	for {
		select {
		case <-stop:
			return p.settle()
		case <-ctx.Done():
			return context.Cause(ctx)
		default:
		}
		select {
		case <-loop.free:
		case <-stop:
			continue
		case <-ctx.Done():
			continue
		}
		if err := p.send(creditSize, stamp()); err != nil {
			return err
		}
		sent.Add(creditSize)
	}
}

// pause waits; the end of ctx ends it early.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// drain waits until every reader has seen every message.
func (v *visit) drain(ctx context.Context) error {
	want := v.done * uint64(len(v.crowd.readers))
	err := v.await(ctx, "the last messages", func() bool { return v.crowd.delivered.Load() >= want })
	if stalled := (*stallError)(nil); errors.As(err, &stalled) {
		last := v.crowd.laggard()
		return &faultError{fmt.Sprintf("client %d has %d of %d messages, and no more come: the rest is lost", last.number, last.shown.Load(), v.done)}
	}
	if got := v.crowd.delivered.Load(); err == nil && got > want {
		return &faultError{fmt.Sprintf("%d messages were sent to %d clients, and %d came", v.done, len(v.crowd.readers), got)}
	}
	return err
}

// stallError says that nothing has come for stallLimit.
type stallError struct{ what string }

func (e *stallError) Error() string {
	return fmt.Sprintf("waited for %s, and nothing comes any more", e.what)
}

// await waits until done, as long as there is progress. It returns a *stallError when there is none.
func (v *visit) await(ctx context.Context, what string, done func() bool) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	seen, since := v.crowd.delivered.Load(), time.Now()
	for !done() {
		select {
		case now := <-ticker.C:
			if n := v.crowd.delivered.Load(); n != seen {
				seen, since = n, now
			} else if now.Sub(since) > v.stall {
				return &stallError{what}
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
