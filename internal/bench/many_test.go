package bench

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

// runFake runs the bench on a fake node and returns what it printed.
func runFake(t *testing.T, role string, args ...string) (string, error) {
	t.Helper()
	cfg := small(t, append([]string{"-duration", "50ms"}, args...)...)
	var out strings.Builder
	err := cfg.run(t.Context(), roleProgram(role), program{}, &out, &progress{})
	return out.String(), err
}

func TestManyScenarios(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		want []string
	}{
		"join": {[]string{"-n", "3,6", "-dir", t.TempDir()}, []string{"3 clients ", "6 clients, TLS", "ms/join", "server CPU µs/return", "connections/return"}},
		"rooms": {[]string{"-n", "30"}, []string{
			"1 client in 500 rooms", "1 room of 10, all talking", "3 rooms of 10, all talking", "… of one room's", "bytes/delivery",
		}},
		"slow": {nil, []string{"slow/without", "saturate", "paced", "server memory MB, most", "thrown out: stalled"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := runFake(t, "node", append(test.args, "-scenario", name)...)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in the table:\n%s", want, out)
				}
			}
		})
	}
}

func TestFaultsAmongManyAreFound(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ role, scenario, want string }{
		"lost on joining":       {"lose", "join", "came after 3"},
		"twice on joining":      {"repeat", "join", "message 4 came twice"},
		"not kept":              {"forgets", "join", "bench join with 3 clients, run 1: "},
		"refused on joining":    {"refuse", "join", "was refused: "},
		"denied":                {"denied", "join", "the room was denied: "},
		"dead before all came":  {"dies", "join", "bench join with 3 clients, run 1: "},
		"lost in rooms":         {"lose", "rooms", "came after 3"},
		"refused in rooms":      {"refuse", "rooms", "was refused: "},
		"lost beside slow ones": {"lose", "slow", "bench slow with 3 clients, run 1: "},
		"no node":               {"fails", "rooms", "no room at the inn"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := runFake(t, test.role, "-scenario", test.scenario, "-dir", t.TempDir())
			if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, ErrUsage) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestMessagesThatTalkersLackAreMissed(t *testing.T) {
	t.Parallel()
	ctx, fail := context.WithCancelCause(t.Context())
	defer fail(nil)
	cfg := small(t)
	cfg.stall = 100 * time.Millisecond
	s := &side{talk: newTalk(roomMembers, roomsUpTo(1), cfg.payload)}
	for _, one := range s.talk.speakers {
		one.write = func([]byte) error { return nil } // to nobody
	}
	v := &visit{config: cfg, side: s, child: &child{}, crowd: &crowd{fail: fail}, values: make(values, len(measures))}
	if err := v.talk(ctx); err == nil || !strings.Contains(err.Error(), "80 messages were sent to 10 clients each, and 0 of 800 came") {
		t.Errorf("got %v", err)
	}
}

func TestNobodySpeaksAfterTheTalk(t *testing.T) {
	talk := newTalk(roomMembers, roomsUpTo(1), 100)
	wrote := 0
	one := talk.speakers[3]
	one.write = func(b []byte) error { wrote++; return nil }
	if err := errors.Join(one.say(2), one.say(3)); err != nil {
		t.Fatal(err)
	}
	if said := talk.end(); said != 5 || wrote != 2 {
		t.Errorf("%d were said in %d frames, want 5 in 2", said, wrote)
	}
	if err := one.say(1); err != nil || wrote != 2 {
		t.Errorf("spoke when the talk was over: %v", err)
	}
}

func TestWhoLostTheNodeComesBackToTheirPlace(t *testing.T) {
	t.Parallel()
	out, err := runFake(t, "node", "-scenario", "join", "-n", "4", "-dir", t.TempDir(), "-json")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"case":"4 clients","measure":"joined_s"`, `"case":"4 clients, TLS","measure":"return_ms"`, `"measure":"tries_per_return"`} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}

// TestChildThatEndsIsNotWaitedFor ends a wait before its limit, which is longer than any test.
func TestChildThatEndsIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	c, err := startChild(t.Context(), "the node", roleProgram("node"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.stop()
	c.kill()
	err = c.await(t.Context(), time.Hour, "what does not come", func() uint64 { return 0 }, 1)
	if err == nil || err.Error() != "the node ended by itself" {
		t.Errorf("got %v", err)
	}
	if err := c.await(t.Context(), time.Hour, "what has come", func() uint64 { return 1 }, 1); err != nil {
		t.Error(err)
	}
}

func TestSlowReadersThatAreThrownOutComeBack(t *testing.T) {
	t.Parallel()
	ctx, fail := context.WithCancelCause(t.Context())
	defer fail(nil)
	c, err := startChild(ctx, "the node", roleProgram("strict").serving())
	if err != nil {
		t.Fatal(err)
	}
	defer c.stop()
	s, err := newSluggards(ctx, c.address, fail)
	if err != nil {
		t.Fatal(err)
	}
	defer s.end()
	if err := c.await(ctx, patience, "the stalled one to be thrown out twice", s.stalled.Load, 2); err != nil {
		t.Error(err)
	}
	if n := s.slow.Load(); n > 0 {
		t.Errorf("the other one was thrown out %d times", n)
	}
	c.kill()
	<-ctx.Done() // neither gets in any more
	if err := context.Cause(ctx); !strings.Contains(err.Error(), "client: come back: ") {
		t.Errorf("got %v", err)
	}
}

func TestRatiosToOneRoom(t *testing.T) {
	out := newFigures(&config{}, io.Discard)
	v, alone := make(values, len(measures)), make(values, len(measures))
	at := measureOf(modeSaturate, "deliveries_per_s")
	v[at], alone[at] = 3, 4
	reportRooms(roomsCase{name: "one"}, alone, alone, true, out)
	reportRooms(roomsCase{name: "many"}, v, alone, false, out)
	ratios := map[string]float64{}
	for _, f := range out.list {
		if f.what.key == rateOfOne.key {
			ratios[f.of] = f.values[0]
		}
	}
	if len(ratios) != 1 || math.Abs(ratios["many"]-0.75) > 1e-9 {
		t.Errorf("got %v, want 0.75 of one room's, of many alone", ratios)
	}
}
