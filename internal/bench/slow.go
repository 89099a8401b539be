package bench

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// One slow client reads slowBytes each slowEvery: about 1 KB a second.
	slowBytes = 100
	slowEvery = 100 * time.Millisecond
)

// slowSides returns the node with slow readers beside its clients, and without.
func (cfg *config) slowSides(node program) [2]*side {
	sides := [2]*side{cfg.nodeSide("slow", node.serving("-ephemeral"), false), cfg.nodeSide("without", node.serving("-ephemeral"), false)}
	sides[0].slow = true
	return sides
}

// sluggards are two clients in the room: one that never reads, and one that reads slowly. Who is thrown out comes back.
type sluggards struct {
	working sync.WaitGroup
	cancel  context.CancelFunc

	// Atomic: how often each was thrown out.
	stalled, slow atomic.Uint64
}

// newSluggards brings both in and returns when they are. What goes wrong with their first way in is the error, with a later one goes to fail.
func newSluggards(ctx context.Context, address string, fail context.CancelCauseFunc) (*sluggards, error) {
	s := &sluggards{}
	ctx, s.cancel = context.WithCancel(ctx)
	for _, one := range []struct {
		name   string
		sit    func(context.Context, net.Conn, *guest)
		thrown *atomic.Uint64
	}{{"stalled", sitStalled, &s.stalled}, {"slow", sitSlow, &s.slow}} {
		conn, g, err := joinSlow(ctx, one.name, address)
		if err != nil {
			s.end()
			return nil, fmt.Errorf("%s client: %w", one.name, err)
		}
		s.working.Go(func() { // ends with ctx
			for {
				stop := context.AfterFunc(ctx, func() { conn.Close() })
				one.sit(ctx, conn, g)
				stop()
				conn.Close()
				if pause(ctx, comesBack); ctx.Err() != nil {
					return
				}
				one.thrown.Add(1)
				var err error
				if conn, g, err = joinSlow(ctx, one.name, address); err != nil {
					if ctx.Err() == nil {
						fail(fmt.Errorf("%s client: come back: %w", one.name, err))
					}
					return
				}
			}
		})
	}
	return s, nil
}

// end sends both home and returns when they have gone.
func (s *sluggards) end() {
	s.cancel()
	s.working.Wait()
}

// joinSlow brings one in, with a receive buffer that is soon full.
func joinSlow(ctx context.Context, name, address string) (net.Conn, *guest, error) {
	c, err := newCaller(address, name, false, 0)
	if err != nil {
		return nil, nil, err
	}
	conn, err := dial(ctx, address)
	if err != nil {
		return nil, nil, err
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	_ = conn.(*net.TCPConn).SetReadBuffer(deafBuffer) // else it costs the node less
	var g *guest
	if err = conn.SetDeadline(time.Now().Add(joinLimit)); err == nil {
		_, g, err = c.enter(conn, true)
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, g, nil
}

// sitStalled never reads, and returns when it has been thrown out: then what it writes comes to nothing.
func sitStalled(ctx context.Context, conn net.Conn, g *guest) {
	for ctx.Err() == nil {
		if _, err := conn.Write(appendFrame(nil, frameWindow, 0, chatID, 0)); err != nil {
			return
		}
		pause(ctx, time.Second)
	}
}

// sitSlow reads slowly, and returns when it has been thrown out.
func sitSlow(ctx context.Context, conn net.Conn, g *guest) {
	buf := make([]byte, slowBytes)
	for ctx.Err() == nil {
		n, err := conn.Read(buf)
		if err != nil || g.feed(buf[:n]) != nil {
			return
		}
		pause(ctx, slowEvery)
	}
}

// besideSlow notes what the server held at most, and how often it threw somebody out who was slow.
func (v *visit) besideSlow(s *sluggards) {
	if held, known := processMemory(v.child.cmd.Process.Pid); known {
		v.set(modeSlow, "peak_memory_mb", float64(held.peak)/(1<<20))
	}
	stalled, slow := uint64(0), uint64(0)
	if s != nil {
		stalled, slow = s.stalled.Load(), s.slow.Load()
	}
	v.set(modeSlow, "thrown_stalled", float64(stalled))
	v.set(modeSlow, "thrown_slow", float64(slow))
}
