package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// catchUpClients are how many clients read the whole room at one time.
var catchUpClients = []int{1, 8}

// measurePast measures what a long past costs: a store is written with it, once.
func (cfg *config) measurePast(ctx context.Context, node program, out *figures, p *progress) error {
	empty, err := cfg.place.folder()
	if err != nil {
		return err
	}
	full, err := cfg.place.folder()
	if err != nil {
		return err
	}
	err = errors.Join(writePast(ctx, empty, 0, cfg.payload, p), writePast(ctx, full, cfg.messages, cfg.payload, p))
	if err != nil {
		return fmt.Errorf("write a store to measure: %w", err)
	}
	for _, part := range []struct {
		scenario scenario
		measure  func() error
	}{
		{scenarioSize, func() error { return cfg.measureSize(full, out) }},
		{scenarioStart, func() error { return cfg.measureStart(ctx, node, empty, full, out, p) }},
		{scenarioCatchUp, func() error { return cfg.measureCatchUp(ctx, node, full, out, p) }},
	} {
		if !cfg.asks(part.scenario) {
			continue
		}
		if err := part.measure(); err != nil {
			return fmt.Errorf("bench %s: %w", part.scenario, err)
		}
		p.clear()
		if err := out.print(part.scenario); err != nil {
			return err
		}
	}
	return nil
}

// messagesText is a case: a store with so many messages.
func messagesText(n int) string { return fmt.Sprintf("%d messages", n) }

// measureSize asks how large the files of a store are that no process has open.
func (cfg *config) measureSize(dir string, out *figures) error {
	of := messagesText(cfg.messages)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, part := range []struct {
		file string // and what stands beside it while it is open
		what quantity
	}{{"chatnode.db", databaseBytes}, {"search.db", indexBytes}} {
		bytes := int64(0)
		for _, entry := range entries {
			if !strings.HasPrefix(entry.Name(), part.file) {
				continue
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			bytes += info.Size()
		}
		if bytes == 0 {
			return fmt.Errorf("there is no %s in %s", part.file, dir)
		}
		out.add(of, part.what, float64(bytes)/float64(cfg.messages))
	}
	return nil
}

// measureStart times how long it is from the start of a node's process until it has said where it listens, and has welcomed a client.
func (cfg *config) measureStart(ctx context.Context, node program, empty, full string, out *figures, p *progress) error {
	if err := measureBinary(node.path, out); err != nil {
		return err
	}
	p.begin(cfg.runs * 2)
	for run := range cfg.runs {
		for i, dir := range []string{empty, full} {
			of := messagesText(i * cfg.messages)
			p.step(1, "start: %s, run %d of %d", of, run+1, cfg.runs)
			err := visitServer(ctx, "the node", node.serving("-data", dir), func(ctx context.Context, c *child, fail context.CancelCauseFunc) error {
				first, err := newAuthor(ctx, c.address, 0, cfg, pace{inFlight: 1}, fail)
				if err != nil {
					return err
				}
				welcomed := time.Since(c.began)
				first.close()
				out.add(of, listenTime, milliseconds(c.listens))
				out.add(of, serveTime, milliseconds(welcomed))
				return nil
			})
			if err != nil {
				return fmt.Errorf("run %d with %s: %w", run+1, of, err)
			}
		}
	}
	return nil
}

// measureBinary asks how large the program is, and whether it has been stripped.
func measureBinary(path string, out *figures) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	of := "binary"
	if stripped, known := isStripped(path); known && stripped {
		of = "binary, stripped"
	} else if known {
		of = "binary, not stripped"
	}
	out.add(of, binarySize, float64(info.Size())/1e6)
	return nil
}

// measureCatchUp times how long clients need to read a whole room. The node has just been started and has none of it in memory; what of it the
// system still has is as it comes.
func (cfg *config) measureCatchUp(ctx context.Context, node program, dir string, out *figures, p *progress) error {
	s := &side{read: readAll, join: func(r *reader) error { return joinNode(r, entry{past: true}) }}
	p.begin(cfg.runs * len(catchUpClients))
	for run := range cfg.runs {
		for _, n := range catchUpClients {
			of := fmt.Sprintf("%d clients at one time", n)
			if n == 1 {
				of = "1 client"
			}
			p.step(1, "catchup: %s, run %d of %d", of, run+1, cfg.runs)
			err := visitServer(ctx, "the node", node.serving("-data", dir), func(ctx context.Context, c *child, fail context.CancelCauseFunc) error {
				v := &visit{config: cfg, side: s, child: c, done: uint64(cfg.messages)}
				from := c.look()
				var err error
				if v.crowd, err = newCrowd(ctx, s, c.address, n, fail); err != nil {
					return err
				}
				defer v.crowd.close()
				if err := v.drain(ctx); err != nil {
					return err
				}
				to := v.look()
				server, load := costs(from, to)
				out.add(of, rowRate, rate(to.delivered, from, to))
				out.add(of, serverPerRow, server)
				out.add(of, loadPerRow, load)
				return nil
			})
			if err != nil {
				return fmt.Errorf("run %d, %s: %w", run+1, of, err)
			}
		}
	}
	return nil
}
