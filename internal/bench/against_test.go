package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chatnode/internal/identity"
)

// askAgainst measures a fake node that runs already, as a user does who answers the question. It returns what was printed, and what the user was told.
func askAgainst(t *testing.T, role, answer string, args ...string) (out, told string, err error) {
	t.Helper()
	c, err := startChild(t.Context(), "the node", roleProgram(role))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	file := filepath.Join(t.TempDir(), "admin.key")
	if _, err := identity.LoadOrMake(file, strings.NewReader(strings.Repeat("x", 64))); err != nil {
		t.Fatal(err)
	}
	known, err := identity.OpenKnown("")
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	err = Main(t.Context(), append([]string{"-against", c.address, "-identity", file, "-n", "20", "-rate", "100", "-duration", "100ms"}, args...), &Console{
		Out: &stdout, Err: &stderr, In: strings.NewReader(answer), Asks: true, WithPort: func(s string) string { return s },
		Known: func(string) (*identity.Known, string, error) { return known, "", nil },
	})
	return stdout.String(), stderr.String(), err
}

func TestAgainst(t *testing.T) {
	t.Parallel()
	out, told, err := askAgainst(t, "node", "y\n", "-publishers", "2", "-runs", "2")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"against  20 clients ", "messages/s", "latency p99 ms", "2 runs"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in the table:\n%s", want, out)
		}
	}
	for _, want := range []string{
		"first time at 127.0.0.1:", "20 clients come over TLS from this machine, with 4 new keys", "20 messages of 100 bytes at most are said", "the messages stay", "go on? [y/N]",
		"the node's CPU and memory can't be seen from here",
	} {
		if !strings.Contains(told, want) {
			t.Errorf("the user is not told %q:\n%s", want, told)
		}
	}
}

func TestAgainstAsksFirst(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{"no": "n\n", "nothing": "\n", "the end": "", "half of it": "yeah", "too much": strings.Repeat("y", 1000)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, _, err := askAgainst(t, "invites nobody", answer) // which would say so
			if err == nil || !strings.Contains(err.Error(), "nothing was done") || out != "" {
				t.Errorf("got %q, %v", out, err)
			}
		})
	}
	out, told, err := askAgainst(t, "node", "", "-yes", "-json")
	if err != nil || strings.Contains(told, "go on?") || !strings.Contains(out, `"scenario":"against"`) {
		t.Errorf("with -yes got %q, told %q, %v", out, told, err)
	}
}

func TestAgainstIsRefused(t *testing.T) {
	t.Parallel()
	for role, want := range map[string]string{
		"knows no admin": "as one of its admins", "invites nobody": "does not invite the clients", "full": "that is a limit of the node's", "denied": "the room was denied",
		"refuse": "was refused: ", "lose": "came after 3", "hang up": "the server closed the connection",
	} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			out, _, err := askAgainst(t, role, "yes\n")
			if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, ErrUsage) || out != "" {
				t.Errorf("got %q, %v, want %q", out, err, want)
			}
		})
	}
}

func TestAgainstAnotherNode(t *testing.T) {
	t.Parallel()
	const other = "cn15gfjoq57owfwm5eyfrabuemlkxazza742jd42r4opldy5wzj3vm6aadw"
	if _, _, err := askAgainst(t, "node", "y\n", "-node", other); err == nil || !strings.Contains(err.Error(), "not "+other) {
		t.Errorf("got %v", err)
	}
	if _, _, err := askAgainst(t, "node", "y\n", "-node", "plant"); !errors.Is(err, ErrUsage) {
		t.Errorf("an id that is none: %v", err)
	}
	c, err := startChild(t.Context(), "the node", roleProgram("node"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.stop()
	file := filepath.Join(t.TempDir(), "known_nodes")
	if err := os.WriteFile(file, []byte(other+" "+c.address+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	known, err := identity.OpenKnown(file)
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "admin.key")
	if _, err := identity.LoadOrMake(key, strings.NewReader(strings.Repeat("x", 64))); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = Main(context.Background(), []string{"-against", c.address, "-identity", key, "-yes"}, &Console{
		Out: &out, Err: &out, WithPort: func(s string) string { return s }, Known: func(string) (*identity.Known, string, error) { return known, "", nil },
	})
	if !errors.As(err, new(*identity.ChangedError)) {
		t.Errorf("another node than before: %v", err)
	}
}
