package bench

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// measurePeers measures each case of linked nodes in turn, in each run.
func (cfg *config) measurePeers(ctx context.Context, node program, out *figures, p *progress) error {
	heal := fmt.Sprintf("%d messages on each side", cfg.messages)
	cases := []struct {
		name    string
		measure func(ctx context.Context, name string) error
	}{
		{"3 nodes, all linked", func(ctx context.Context, name string) error { return cfg.countFrames(ctx, node, name, 3, out) }},
		{fmt.Sprintf("%d nodes, all linked", manyPeers), func(ctx context.Context, name string) error { return cfg.countFrames(ctx, node, name, manyPeers, out) }},
		{"3 nodes in a line", func(ctx context.Context, _ string) error { return cfg.timeHops(ctx, node, out) }},
		{"through one link", func(ctx context.Context, name string) error { return cfg.fillLink(ctx, node, name, out) }},
		{fmt.Sprintf("%d idle links", manyPeers), func(ctx context.Context, name string) error { return cfg.weighLinks(ctx, node, name, out) }},
		{heal, func(ctx context.Context, name string) error { return cfg.heal(ctx, node, name, out, p) }},
	}
	p.begin(cfg.runs * len(cases))
	for run := range cfg.runs {
		for _, c := range cases {
			p.step(1, "peers: %s, run %d of %d", c.name, run+1, cfg.runs)
			if err := c.measure(ctx, c.name); err != nil {
				return fmt.Errorf("bench linked nodes, %s, run %d: %w", c.name, run+1, err)
			}
		}
	}
	p.clear()
	return out.print(scenarioPeers)
}

// withPeers makes nodes that are to be linked in a shape, has them measured, and ends them. What goes wrong beside measure goes to fail, which ends
// its context; what went wrong first is the error, with what a node said.
func (cfg *config) withPeers(ctx context.Context, node program, count int, shape func(i, j int) bool,
	measure func(ctx context.Context, p *peering, fail context.CancelCauseFunc) error) error {
	p, err := cfg.newPeering(node, count, shape)
	if err != nil {
		return err
	}
	defer p.close()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	if err = measure(ctx, p, fail); err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	for _, n := range p.nodes {
		if n.child != nil {
			err = n.child.explain(err)
		}
	}
	return err
}

// countFrames counts what travels over the links while clients of all nodes speak in turn, and each message reaches every node.
func (cfg *config) countFrames(ctx context.Context, node program, name string, count int, out *figures) error {
	return cfg.withPeers(ctx, node, count, allLinked, func(ctx context.Context, p *peering, fail context.CancelCauseFunc) error {
		if err := p.startAll(ctx); err != nil {
			return err
		}
		all, err := p.everywhere(ctx, fail)
		if err != nil {
			return err
		}
		defer closeAll(all)
		for i := range p.nodes {
			s, err := p.speak(ctx, i, i, fail)
			if err != nil {
				return err
			}
			defer s.close()
			all[0].publishers = append(all[0].publishers, s)
		}
		if err := all[0].inTurn(ctx); err != nil {
			return err
		}
		for _, v := range all {
			v.done = all[0].done
			if err := v.drain(ctx); err != nil {
				return err
			}
		}
		p.stop() // they say what they have sent
		return p.report(name, out)
	})
}

// inTurn has all publishers send at the steady rate, one after the other.
func (v *visit) inTurn(ctx context.Context) error {
	interval := v.interval()
	count := v.perRun() * len(v.publishers) // each as often as one alone would in that time
	began := time.Now()
	for i := range count {
		if pause(ctx, time.Until(began.Add(time.Duration(i)*interval/time.Duration(len(v.publishers))))); ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := v.publishers[i%len(v.publishers)].send(1, v.crowd.stamp()); err != nil {
			return err
		}
	}
	v.done += uint64(count)
	return nil
}

// shared are what a node counts of its links.
type shared struct{ frames, sent, taken float64 }

// sharedText is how a node says that at its end.
var sharedText = regexp.MustCompile(`msg="shared with other nodes" frames=(\d+) sent=(\d+) taken=(\d+)`)

// sharedIn returns what a node said that it has shared.
func sharedIn(log string) (s shared, err error) {
	found := sharedText.FindStringSubmatch(log)
	if found == nil {
		return s, fmt.Errorf("a node did not say what it shared, but %q", log)
	}
	for i, to := range []*float64{&s.frames, &s.sent, &s.taken} {
		if *to, err = strconv.ParseFloat(found[i+1], 64); err != nil {
			return s, err
		}
	}
	return s, nil
}

// report adds what nodes that have ended have sent for each message that reached one of them over a link.
func (p *peering) report(name string, out *figures) error {
	var sum shared
	for i, n := range p.nodes {
		s, err := sharedIn(n.child.log.String())
		if err != nil {
			return fmt.Errorf("node %d: %w", i, err)
		}
		sum.frames, sum.sent, sum.taken = sum.frames+s.frames, sum.sent+s.sent, sum.taken+s.taken
	}
	if sum.taken == 0 {
		return errors.New("the nodes say that they have taken nothing from one another")
	}
	out.add(name, framesEach, sum.frames/sum.taken)
	out.add(name, sentEach, sum.sent/sum.taken)
	return nil
}

// timeHops times messages on their way to a client of the same node, of the next one, and of the one behind that.
func (cfg *config) timeHops(ctx context.Context, node program, out *figures) error {
	return cfg.withPeers(ctx, node, 3, inALine, func(ctx context.Context, p *peering, fail context.CancelCauseFunc) error {
		if err := p.startAll(ctx); err != nil {
			return err
		}
		all, err := p.everywhere(ctx, fail)
		if err != nil {
			return err
		}
		defer closeAll(all)
		s, err := p.speak(ctx, 0, 0, fail)
		if err != nil {
			return err
		}
		defer s.close()
		all[0].publishers = []publisher{s}
		far := [3]*histogram{1: {}, 2: {}}
		for i, v := range all[1:] {
			v.crowd.phase.Store(&phase{latency: far[i+1]})
		}
		if err := all[0].paced(ctx, all[0].publishers); err != nil {
			return err
		}
		out.add("on one node", delayMedian, all[0].values[measureOf(modePaced, "latency_p50_ms")])
		out.add("on one node", delayTail, all[0].values[measureOf(modePaced, "latency_p99_ms")])
		for i, of := range []string{1: "one link away", 2: "two links away"} {
			if i == 0 {
				continue
			}
			all[i].done = all[0].done
			if err := all[i].drain(ctx); err != nil {
				return err
			}
			out.add(of, delayMedian, milliseconds(far[i].quantile(0.5)))
			out.add(of, delayTail, milliseconds(far[i].quantile(0.99)))
		}
		return nil
	})
}

// fillLink has publishers at one node send as fast as a client of the other reads.
func (cfg *config) fillLink(ctx context.Context, node program, name string, out *figures) error {
	return cfg.withPeers(ctx, node, 2, allLinked, func(ctx context.Context, p *peering, fail context.CancelCauseFunc) error {
		if err := p.startAll(ctx); err != nil {
			return err
		}
		v, err := p.listen(ctx, 1, false, fail)
		if err != nil {
			return err
		}
		defer v.crowd.close()
		for i := range cfg.publishers {
			s, err := p.speak(ctx, 0, i, fail)
			if err != nil {
				return fmt.Errorf("publisher %d: %w", i, err)
			}
			defer s.close()
			v.publishers = append(v.publishers, s)
		}
		from := p.nodes[0].child.look()
		if err := v.saturate(ctx); err != nil {
			return err
		}
		to := p.nodes[0].child.look()
		to.delivered = v.done
		sender, _ := costs(from, to)
		out.add(name, keptRate, v.values[measureOf(modeSaturate, "deliveries_per_s")])
		out.add(name, senderEach, sender)
		out.add(name, receiverEach, v.values[measureOf(modeSaturate, "server_cpu_us_per_delivery")])
		return nil
	})
}

// weighLinks asks what a node holds more with links than without.
func (cfg *config) weighLinks(ctx context.Context, node program, name string, out *figures) error {
	return cfg.withPeers(ctx, node, 1+manyPeers, aStar, func(ctx context.Context, p *peering, _ context.CancelCauseFunc) error {
		if err := p.start(ctx, 0); err != nil {
			return err
		}
		v := &visit{config: cfg, child: p.nodes[0].child}
		alone, known := v.settledMemory(ctx)
		for i := range manyPeers {
			if err := p.start(ctx, i+1); err != nil {
				return err
			}
		}
		if err := p.awaitLinks(ctx, 0, manyPeers); err != nil {
			return err
		}
		if linked, _ := v.settledMemory(ctx); known {
			out.add(name, memoryEach, float64(linked.resident-alone.resident)/1024/manyPeers)
			out.add(name, heapEach, float64(linked.anonymous-alone.anonymous)/1024/manyPeers)
		}
		return context.Cause(ctx)
	})
}

// heal times how long two nodes need that have a past each, and no link, until a client of each has been shown both.
func (cfg *config) heal(ctx context.Context, node program, name string, out *figures, pr *progress) error {
	return cfg.withPeers(ctx, node, 2, allLinked, func(ctx context.Context, p *peering, fail context.CancelCauseFunc) error {
		for i := range p.nodes {
			if err := p.writeShared(ctx, i, cfg.messages, pr); err != nil {
				return fmt.Errorf("write a store to measure: %w", err)
			}
		}
		pr.say("linked nodes: healing")
		var all []*visit
		defer func() { closeAll(all) }()
		var began time.Time
		for i := range p.nodes {
			began = time.Now() // of the second one, which links
			if err := p.start(ctx, i); err != nil {
				return err
			}
			v, err := p.listen(ctx, i, true, fail)
			if err != nil {
				return err
			}
			if all = append(all, v); i == 0 {
				v.done = uint64(cfg.messages)
				if err := v.drain(ctx); err != nil {
					return err
				}
			}
		}
		for _, v := range all {
			v.done = 2 * uint64(cfg.messages)
			if err := v.drain(ctx); err != nil {
				return err
			}
		}
		took := time.Since(began)
		out.add(name, healTime, took.Seconds())
		out.add(name, healRate, 2*float64(cfg.messages)/took.Seconds())
		closeAll(all)
		all = nil
		p.stop()
		return p.same(ctx)
	})
}

// same returns an error unless nodes that have ended have the same set.
func (p *peering) same(ctx context.Context) error {
	first, count, err := setOf(ctx, p.nodes[0].dir)
	if err != nil {
		return err
	}
	for i, n := range p.nodes[1:] {
		other, n, err := setOf(ctx, n.dir)
		if err != nil {
			return err
		}
		if other != first {
			return &faultError{fmt.Sprintf("node 0 has %d entries and node %d has %d, and they are not the same", count, i+1, n)}
		}
	}
	return nil
}
