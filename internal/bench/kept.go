package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/store"
)

const (
	// commitDelay is what the last of the cases adds to each commit: about what a laptop's disk takes where this one may be faster.
	commitDelay = time.Millisecond
	// maxProbe is how long the disk is measured by itself before and after each case, unless -duration is shorter.
	maxProbe = time.Second
)

// keptCase is how messages are published when it is counted how many are kept.
type keptCase struct {
	name       string
	publishers int
	inFlight   int
	delay      time.Duration // after each commit
}

var keptCases = []keptCase{
	{"1 publisher, 1 in flight", 1, 1, 0},
	{"8 publishers, 64 in flight each", 8, chat.MaxInFlight, 0},
	{"64 publishers, 64 in flight each", 64, chat.MaxInFlight, 0},
	{"the same, 1 ms added to each commit", 64, chat.MaxInFlight, commitDelay},
}

// measureKept measures each case in turn, and the disk alone between them.
func (cfg *config) measureKept(ctx context.Context, node program, out *figures, p *progress) error {
	p.begin(cfg.runs * len(keptCases))
	probe := min(cfg.duration, maxProbe)
	for run := range cfg.runs {
		before, err := cfg.place.syncs(ctx, probe)
		for _, c := range keptCases {
			if err != nil {
				return fmt.Errorf("bench the disk: %w", err)
			}
			p.step(1, "kept: %s, run %d of %d", c.name, run+1, cfg.runs)
			k, err := cfg.visitKept(ctx, node, c)
			if err != nil {
				return fmt.Errorf("bench kept messages with %s, run %d: %w", c.name, run+1, err)
			}
			after, err := cfg.place.syncs(ctx, probe)
			if err != nil {
				return fmt.Errorf("bench the disk: %w", err)
			}
			k.report(c, (before+after)/2, out)
			before = after
		}
	}
	p.clear()
	return out.print(scenarioKept)
}

// keptVisit is what one visit gave.
type keptVisit struct {
	from, to reading // delivered: acknowledgements
	latency  histogram
	acked    uint64 // all of them
}

// report adds the visit to what is to be printed, beside what the disk can do.
func (k *keptVisit) report(c keptCase, fsyncs float64, out *figures) {
	perSecond := rate(k.to.delivered-k.from.delivered, k.from, k.to)
	server, load := costs(k.from, k.to)
	out.add(c.name, keptRate, perSecond)
	if c.delay == 0 {
		out.add(c.name, fsyncRate, fsyncs)
		out.add(c.name, keptEachFsync, perSecond/fsyncs)
	}
	out.add(c.name, ackMedian, milliseconds(k.latency.quantile(0.5)))
	out.add(c.name, ackTail, milliseconds(k.latency.quantile(0.99)))
	out.add(c.name, serverPerMessage, server)
	out.add(c.name, loadPerMessage, load)
}

// visitKept has a node with an empty store keep as many messages as it can, and then looks whether it has.
func (cfg *config) visitKept(ctx context.Context, node program, c keptCase) (*keptVisit, error) {
	dir, err := cfg.place.folder()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if c.delay > 0 {
		node = node.with("bench", "-serve-node", c.delay.String(), "--")
	}
	k := &keptVisit{}
	err = visitServer(ctx, "the node", node.serving("-data", dir), func(ctx context.Context, server *child, fail context.CancelCauseFunc) error {
		return k.measure(ctx, cfg, c, server, fail)
	})
	if err != nil {
		return nil, err
	}
	return k, k.check(dir)
}

func (k *keptVisit) measure(ctx context.Context, cfg *config, c keptCase, server *child, fail context.CancelCauseFunc) error {
	acks := &ackClock{}
	authors := make([]*author, c.publishers)
	for i := range authors {
		a, err := newAuthor(ctx, server.address, i, cfg, pace{inFlight: c.inFlight, acks: acks}, fail)
		if err != nil {
			return fmt.Errorf("publisher %d: %w", i, err)
		}
		defer a.close()
		authors[i] = a
	}
	look := func() reading {
		r := server.look()
		r.delivered = acks.count.Load()
		return r
	}
	stop := make(chan struct{})
	errs := make([]error, len(authors))
	var working sync.WaitGroup
	for i, a := range authors {
		working.Go(func() { // ends with stop, with ctx, or when the node answers no more
			if errs[i] = a.publishUntil(stop); errs[i] != nil {
				fail(errs[i])
			}
		})
	}
	pause(ctx, cfg.warm())
	acks.latency.Store(&k.latency)
	k.from = look()
	pause(ctx, cfg.duration)
	k.to = look()
	acks.latency.Store(nil)
	close(stop)
	working.Wait()
	for _, a := range authors {
		k.acked += a.sent // each has waited for its last acknowledgement
	}
	return errors.Join(context.Cause(ctx), errors.Join(errs...))
}

// publishUntil publishes as fast as acknowledgements let it, until stop is closed and all is acknowledged.
func (a *author) publishUntil(stop <-chan struct{}) error {
	for {
		select {
		case <-stop:
			return a.settle()
		default:
		}
		if err := a.send(min(a.inFlight, authorBatch), 0); err != nil {
			return err
		}
	}
}

// check holds the store in dir to what was acknowledged. Its node has ended.
func (k *keptVisit) check(dir string) error {
	opened, err := store.Open(dir, store.Options{})
	if err != nil {
		return err
	}
	state, err := opened.Load()
	if err := errors.Join(err, opened.Close()); err != nil {
		return err
	}
	inStore := uint64(0)
	for _, room := range state.Rooms {
		inStore += room.Head
	}
	if inStore != k.acked {
		return &faultError{fmt.Sprintf("%d messages were acknowledged, and %d are in the store", k.acked, inStore)}
	}
	return nil
}
