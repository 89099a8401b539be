package premises

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/identity"
	"chatnode/internal/mesh"
	"chatnode/internal/settings"
)

func keyOf(t *testing.T, seed byte) identity.ID {
	t.Helper()
	key, err := identity.NewKey(bytes.NewReader(bytes.Repeat([]byte{seed}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return key.ID()
}

// TestTargets: an address gets its port and its one spelling, and from a link whom it names there.
func TestTargets(t *testing.T) {
	link := &identity.Link{Address: "plant:8080", Node: keyOf(t, 1), Token: bytes.Repeat([]byte{1}, identity.TokenLen)}
	got, err := Targets(&settings.Options{Connect: []string{"Barn", "[2001:DB8::1]:9", "plant:8080"}, Links: []*identity.Link{link}})
	want := []mesh.Target{{Address: "barn:8080"}, {Address: "[2001:db8::1]:9"}, {Address: "plant:8080", Node: link.Node, Token: link.Token}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{"a b", "x:0", "x:99999", "\x1b[2J", ""} {
		if _, err := Targets(&settings.Options{Connect: []string{bad}}); !errors.As(err, new(*settings.UsageError)) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestJudge: who answers at an address of the operator's is remembered, and another one there is turned down; elsewhere anybody may answer.
func TestJudge(t *testing.T) {
	known, err := identity.OpenKnown("")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	judge := Judge([]mesh.Target{{Address: "plant:8080"}}, known, slog.New(slog.NewTextHandler(&log, nil)))
	one, other := keyOf(t, 1), keyOf(t, 2)
	for range 2 {
		if err := judge("plant:8080", one); err != nil {
			t.Error(err)
		}
	}
	if n := strings.Count(log.String(), one.Grouped()); n != 1 {
		t.Errorf("the node that was met first is told %d times: %s", n, log.String())
	}
	var changed *identity.ChangedError
	if err := judge("plant:8080", other); !errors.As(err, &changed) || changed.Was != one || changed.Is != other {
		t.Errorf("another one: %v", err)
	}
	for _, id := range []identity.ID{one, other} {
		if err := judge("10.0.0.9:8080", id); err != nil {
			t.Errorf("elsewhere: %v", err)
		}
	}
}

func TestHosts(t *testing.T) {
	if diff := cmp.Diff([]string{"10.0.0.5:8080", "[2001:db8::1]:1"}, Hosts([]string{"plant.example:8080", "10.0.0.5:8080", "[2001:db8::1]:1", "x"})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
