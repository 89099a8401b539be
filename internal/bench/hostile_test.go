package bench

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatnode/internal/identity"
)

func TestHostileGuestsAreThrownOut(t *testing.T) {
	t.Parallel()
	const each = 2 // guests of each grudge
	for role, deafOnes := range map[string]float64{"hasty": 0, "strict": each} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			cfg := small(t, "-scenario", "hostile", "-hostile", strconv.Itoa(each*int(grudges)), "-duration", (hastyLimit + time.Second).String())
			sides := cfg.hostileSides(roleProgram(role))
			v, err := visitAlone(t, cfg, sides[0], 3)
			if err != nil {
				t.Fatal(err)
			}
			// Once for sure, and as often as there is time for it, twice over.
			most := 2 * each * float64(cfg.duration/hastyLimit+1)
			mostAtOnce := 2 * each * float64(cfg.duration/comesBack+1)
			limits := [grudges][2]float64{{each, most}, {each, most}, {each, most}, {deafOnes, deafOnes}, {each, mostAtOnce}, {each, mostAtOnce}}
			sum := 0.0
			for g, key := range thrownOut {
				got := v[measureOf(modeHostile, key)]
				sum += got
				if got < limits[g][0] || got > limits[g][1] {
					t.Errorf("%s: %v, want %v to %v", key, got, limits[g][0], limits[g][1])
				}
			}
			if made := v[measureOf(modeHostile, "hostile_connections")]; made < sum || made > sum+each*float64(grudges) {
				t.Errorf("%v connections were made, and %v thrown out", made, sum)
			}
			if got := v[measureOf(modePaced, "latency_p99_ms")]; !(got > 0) {
				t.Errorf("latency: %v", got)
			}
			if got := v[measureOf(modeHostile, "newcomer_worst_ms")]; !(got > 0) {
				t.Errorf("newcomers: %v", got)
			}
		})
	}
}

func TestGoodClientsAlone(t *testing.T) {
	t.Parallel()
	cfg := small(t, "-scenario", "hostile")
	v, err := visitAlone(t, cfg, cfg.hostileSides(roleProgram("node"))[1], 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range append(thrownOut[:], "hostile_connections") {
		if got := v[measureOf(modeHostile, key)]; got != 0 {
			t.Errorf("%s: %v", key, got)
		}
	}
}

// startSilence listens until the test ends; whoever connects hears nothing.
func startSilence(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}

func TestMobThatDoesNotGetThere(t *testing.T) {
	t.Parallel()
	ctx, fail := context.WithCancelCause(t.Context())
	defer fail(nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close() // nobody is there
	if _, err := newMob(ctx, listener.Addr().String(), 12, fail); err == nil || !strings.Contains(err.Error(), "hostile guest ") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := newMob(ctx, startSilence(t), 12, fail); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a mob whose deaf ones are not welcomed: got %v", err)
	}
}

func TestEndOfContextSendsTheMobHome(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	cfg := small(t, "-scenario", "hostile", "-hostile", "12", "-duration", "1h")
	began := time.Now()
	if err := cfg.run(ctx, roleProgram("node"), program{}, io.Discard, &progress{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > patience {
		t.Errorf("it took %v to end", took)
	}
}

func TestNewcomerWhoIsLeftOutsideCounts(t *testing.T) {
	t.Parallel()
	ctx, fail := context.WithCancelCause(t.Context())
	defer fail(nil)
	v := &visit{child: &child{address: startSilence(t)}}
	end, err := v.newcomers(ctx, fail)
	if err != nil {
		t.Fatal(err)
	}
	const waits = 30 * time.Millisecond
	pause(t.Context(), waits)
	if worst := end(); worst < waits/2 { // it comes a moment after its turn
		t.Errorf("a newcomer has waited for %v, and the worst wait is %v", waits, worst)
	}
	if err := context.Cause(ctx); err != nil {
		t.Error(err)
	}
}

// TestHelloIsWhatANodeTakes has a node take the hello whole, and wait for the rest of half of it.
func TestHelloIsWhatANodeTakes(t *testing.T) {
	t.Parallel()
	hello, err := clientHello()
	if err != nil {
		t.Fatal(err)
	}
	key, err := identity.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	heard := errors.New("the hello was heard")
	for _, n := range []int{len(hello) / 2, len(hello)} {
		client, server := net.Pipe()
		_ = client.SetDeadline(time.Now().Add(patience))
		config := identity.ServerTLS(key)
		config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, heard }
		ended := make(chan error, 1)
		go func() { // ends with the pipe
			ended <- tls.Server(server, config).Handshake()
		}()
		go func() { // ends with the pipe
			_, _ = client.Write(hello[:n])
			if n == len(hello) {
				_, _ = client.Read(make([]byte, 64)) // the alert
			}
			client.Close()
		}()
		if err := <-ended; errors.Is(err, heard) != (n == len(hello)) {
			t.Errorf("%d of %d bytes: %v", n, len(hello), err)
		}
		server.Close()
	}
}
