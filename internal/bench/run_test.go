package bench

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// small is a run that is over at once.
func small(t *testing.T, args ...string) *config {
	t.Helper()
	cfg, err := parse(append([]string{"-n", "3", "-duration", "100ms", "-rate", "100", "-runs", "1", "-publishers", "2"}, args...))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestBothSidesAreMeasured(t *testing.T) {
	t.Parallel()
	for _, scenario := range []string{"fanout", "secure"} {
		var out strings.Builder
		cfg := small(t, "-scenario", scenario, "-mode", "saturate,paced")
		if err := cfg.run(t.Context(), roleProgram("node"), roleProgram("floor"), &out, &progress{}); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"N=3", "deliveries/s", "latency p99 ms"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in the table:\n%s", scenario, want, out.String())
			}
		}
	}
}

func TestEachSideGivesNumbers(t *testing.T) {
	t.Parallel()
	cfg := small(t)
	for _, s := range cfg.sidesOf(3, roleProgram("node"), roleProgram("floor")) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			v, err := cfg.visitSide(t.Context(), s, 3)
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range []string{"deliveries_per_s", "bytes_per_s", "bytes_per_delivery"} {
				if got := v[measureOf(modeSaturate, key)]; !(got > 0) {
					t.Errorf("%s: %v", key, got)
				}
			}
			if got := v[measureOf(modePaced, "latency_p50_ms")]; !(got > 0) {
				t.Errorf("latency: %v", got)
			}
			if _, known := processCPU(0); known && math.IsNaN(v[measureOf(modePaced, "server_cpu_us_per_delivery")]) {
				t.Error("the server's CPU time is not known")
			}
		})
	}
}

func TestLargeTexts(t *testing.T) {
	t.Parallel()
	cfg := small(t, "-payload", "8192", "-mode", "saturate")
	for _, s := range cfg.sidesOf(3, roleProgram("node"), roleProgram("floor")) {
		if _, err := cfg.visitSide(t.Context(), s, 3); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	}
}

func TestFaultsAreFound(t *testing.T) {
	t.Parallel()
	tests := map[string]string{ // of the fake node, and what is said of it
		"lose":    "message 5 came after 3: 1 between them lost",
		"repeat":  "message 4 came twice",
		"swap":    "message 5 came after 3",
		"hang up": "the server closed the connection",
		"end":     "the node ended stream 3",
		"refuse":  "was refused: ",
		"denied":  "the room was denied: ",
	}
	for role, want := range tests {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			cfg := small(t, "-mode", "paced")
			err := cfg.run(t.Context(), roleProgram(role), roleProgram("floor"), io.Discard, &progress{})
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "bench chatnode with 3 clients, run 1: ") {
				t.Errorf("got %v, want %q", err, want)
			}
			if errors.Is(err, ErrUsage) {
				t.Errorf("%v counts as a mistake in the command line", err)
			}
		})
	}
}

func TestLossOfTheLastMessageIsFound(t *testing.T) {
	t.Parallel()
	cfg := small(t, "-mode", "paced", "-rate", "40") // 4 messages: the one that is lost is the last
	cfg.stall = 100 * time.Millisecond
	sides := cfg.sidesOf(3, roleProgram("lose"), roleProgram("floor"))
	_, err := cfg.visitSide(t.Context(), sides[0], 3)
	if fault := (*faultError)(nil); !errors.As(err, &fault) || !strings.Contains(err.Error(), "has 3 of 4 messages") {
		t.Errorf("got %v, want that a client has 3 of 4 messages", err)
	}
}

func TestServerThatStopsAnsweringIsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		role string
		args []string
	}{
		"no acknowledgement": {"mute", []string{"-mode", "saturate"}},
		"of the last":        {"mute", []string{"-mode", "paced"}},
		"no window":          {"stingy", []string{"-mode", "saturate", "-payload", "4096"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := small(t, test.args...)
			cfg.stall = 100 * time.Millisecond
			_, err := cfg.visitSide(t.Context(), cfg.sidesOf(3, roleProgram(test.role), program{})[0], 3)
			if stalled := (*stallError)(nil); !errors.As(err, &stalled) {
				t.Errorf("got %v, want that nothing comes any more", err)
			}
		})
	}
}

func TestServersThatDoNotStart(t *testing.T) {
	t.Parallel()
	for role, want := range map[string]string{"fails": "no room at the inn", "babbles": `it said "hello"`} {
		t.Run(role, func(t *testing.T) {
			c, err := startChild(t.Context(), "the node", roleProgram(role))
			if err == nil {
				c.stop()
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
	if _, err := startChild(t.Context(), "the node", program{path: "/nowhere/to/be/found"}); err == nil {
		t.Error("a program that is not there was started")
	}
}

func TestEndOfContextEndsTheRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	cfg := small(t, "-duration", "1h")
	began := time.Now()
	err := cfg.run(ctx, roleProgram("node"), roleProgram("floor"), io.Discard, &progress{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > patience {
		t.Errorf("it took %v to end", took)
	}
	if _, err := startChild(ctx, "the node", roleProgram("silent")); err == nil {
		t.Error("a child was started after the end")
	}
}

// TestReadingWithoutEpoll drives a floor in this process the way other systems than Linux do.
func TestReadingWithoutEpoll(t *testing.T) {
	t.Parallel()
	ctx, fail := context.WithCancelCause(t.Context())
	defer fail(nil)
	cfg := small(t)
	floor := startFloor(t, eventSize(cfg.payload, 3))
	s := cfg.sidesOf(3, program{}, program{})[1]
	s.read = readEach
	c, err := newCrowd(ctx, s, floor, 3, fail)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	v := &visit{config: cfg, side: s, crowd: c, values: make(values, len(measures)), child: &child{}}
	if err := publishCounts(ctx, v, floor, 1, 100, 2000); err != nil {
		t.Fatal(err)
	}
	if err := v.drain(ctx); err != nil {
		t.Error(err)
	}
	v.crowd.delivered.Add(1)
	if err := v.drain(ctx); err == nil {
		t.Error("a message too many was not noticed")
	}
}

// publishCounts has each publisher in turn send so many messages.
func publishCounts(ctx context.Context, v *visit, address string, counts ...int) error {
	for number := range v.config.publishers {
		p, err := v.side.publish(ctx, address, number, nil)
		if err != nil {
			return err
		}
		defer p.close()
		for _, n := range counts {
			if err := p.send(n, v.crowd.stamp()); err != nil {
				return err
			}
			v.done += uint64(n)
		}
	}
	return nil
}

// startFloor serves a floor in this process until the test ends.
func startFloor(t *testing.T, size int) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := serveFloor(ctx, listener, size); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); serving.Wait() })
	return listener.Addr().String()
}

func TestFloorOutlivesReadersThatLeave(t *testing.T) {
	t.Parallel()
	cfg := small(t)
	floor := startFloor(t, eventSize(cfg.payload, 3))
	for range 3 {
		conn, err := net.Dial("tcp", floor)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte{floorReader}); err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	s := cfg.sidesOf(3, program{}, program{})[1]
	ctx, fail := context.WithCancelCause(t.Context())
	defer fail(nil)
	c, err := newCrowd(ctx, s, floor, 3, fail)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	v := &visit{config: cfg, side: s, crowd: c, values: make(values, len(measures)), child: &child{}}
	if err := publishCounts(ctx, v, floor, 5000); err != nil {
		t.Fatal(err)
	}
	if err := v.drain(ctx); err != nil {
		t.Error(err)
	}
}
