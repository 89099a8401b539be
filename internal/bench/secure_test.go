package bench

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// visitAlone measures one side, with a fake node, and returns what came out.
func visitAlone(t *testing.T, cfg *config, s *side, n int) (values, error) {
	t.Helper()
	return cfg.visitSide(t.Context(), s, n)
}

func TestLinksAreMeasured(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	cfg := small(t, "-scenario", "tls")
	if err := cfg.run(t.Context(), roleProgram("node"), program{}, &out, &progress{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"differ in TLS alone", " tls - insecure\n", "\nsaturate  deliveries/s ", "\npaced     messages/s ", "\nidle      memory KB/client "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in the table:\n%s", want, out.String())
		}
	}
}

// TestOnlyOneSideIsSecure has each side meet a node of the other kind.
func TestOnlyOneSideIsSecure(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"tls", "handshake"} {
		cfg := small(t, "-scenario", s, "-mode", "paced")
		sides := cfg.linkSides(roleProgram("node"))
		sides[0].program, sides[1].program = sides[1].program, sides[0].program
		for _, side := range sides {
			if _, err := visitAlone(t, cfg, side, 1); err == nil {
				t.Errorf("%s: %s speaks with a node of the other kind", s, side.name)
			}
		}
	}
}

// TestTheNodeIsSecure, and not the floor, where the one is held against the other.
func TestTheNodeIsSecure(t *testing.T) {
	t.Parallel()
	cfg := small(t, "-scenario", "secure", "-mode", "paced")
	s := cfg.sidesOf(1, roleProgram("node"), roleProgram("floor"))[0]
	s.program = roleProgram("node").serving("-ephemeral")
	if _, err := visitAlone(t, cfg, s, 1); err == nil {
		t.Error("it speaks with a node that does not encrypt")
	}
}

func TestFaultsAreFoundUnderTLS(t *testing.T) {
	t.Parallel()
	for role, want := range map[string]string{
		"lose": "message 5 came after 3: 1 between them lost", "repeat": "message 4 came twice", "swap": "message 5 came after 3",
		"hang up": "the server closed the connection", "refuse": "was refused: ",
	} {
		for _, scenario := range []string{"tls", "hostile"} {
			t.Run(scenario+" "+role, func(t *testing.T) {
				t.Parallel()
				cfg := small(t, "-scenario", scenario, "-mode", "paced", "-hostile", "6")
				err := cfg.run(t.Context(), roleProgram(role), program{}, io.Discard, &progress{})
				if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "bench "+scenario+" with 3 clients, run 1: ") {
					t.Errorf("got %v, want %q", err, want)
				}
			})
		}
	}
}

func TestHandshakesAreMeasured(t *testing.T) {
	t.Parallel()
	cfg := small(t, "-scenario", "handshake")
	for _, s := range cfg.linkSides(roleProgram("node")) {
		v, err := visitAlone(t, cfg, s, 3)
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		keys := []string{"handshakes_per_s", "welcome_p50_ms", "welcome_p99_ms"}
		if _, known := processCPU(0); known {
			keys = append(keys, "node_cpu_us_per_handshake", "client_cpu_us_per_handshake")
		}
		for _, key := range keys {
			if got := v[measureOf(modeHandshake, key)]; !(got > 0) {
				t.Errorf("%s: %s: %v", s.name, key, got)
			}
		}
	}
}

// TestCallersAreNotKeptWaiting calls at a server that takes every connection and says nothing.
func TestCallersAreNotKeptWaiting(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, secure := range []bool{true, false} {
		c, err := newCaller(listener.Addr().String(), "caller", secure, 20*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		var timeout net.Error
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := c.call(ctx); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("with a limit, TLS %v: got %v", secure, err)
		}
		c.limit = 0
		ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := c.call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a limit, TLS %v: got %v", secure, err)
		}
	}
}
