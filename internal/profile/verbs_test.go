package profile

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"chatnode/internal/identity"
)

// shell runs verbs as carol, with a home of her own.
type shell struct {
	t         *testing.T
	variables map[string]string
}

func newShell(t *testing.T) *shell {
	for _, variable := range []string{"XDG_CONFIG_HOME", "XDG_STATE_HOME"} {
		t.Setenv(variable, filepath.Join(t.TempDir(), variable))
	}
	return &shell{t, map[string]string{}}
}

func (s *shell) run(verb func(context.Context, []string, *Console) error, args ...string) (out, told string, err error) {
	var stdout, stderr bytes.Buffer
	err = verb(s.t.Context(), args, &Console{
		Out: &stdout, Err: &stderr, Name: func() string { return "carol" }, Standing: func(flag string) string { return s.variables[flag] },
		WithPort: func(a string) string {
			if strings.Contains(a, ":") {
				return a
			}
			return a + ":8080"
		},
	})
	return stdout.String(), stderr.String(), err
}

// does runs a verb that must work.
func (s *shell) does(verb func(context.Context, []string, *Console) error, args ...string) (out, told string) {
	s.t.Helper()
	out, told, err := s.run(verb, args...)
	if err != nil {
		s.t.Fatalf("%q: %v", args, err)
	}
	return out, told
}

func TestIDPrints(t *testing.T) {
	s := newShell(t)
	out, told := s.does(ID)
	lines := strings.Split(out, "\n")
	id, err := identity.ParseID(lines[0])
	if len(lines) != 4 || err != nil || lines[0] != id.Grouped() || lines[1] != id.String() || !strings.Contains(told, "new") {
		t.Errorf("it prints %q and tells %q", out, told)
	}
	if key, err := identity.Load(lines[2]); err != nil || key.ID() != id || filepath.Base(lines[2]) != "carol.key" {
		t.Errorf("the key in %s: %v", lines[2], err)
	}
	for _, args := range [][]string{nil, {"-name", "carol"}, {"-name", "Carol"}, {"-identity", lines[2]}} {
		if again, told := s.does(ID, args...); again != out || told != "" {
			t.Errorf("%q prints %q and tells %q", args, again, told)
		}
	}
	if other, told := s.does(ID, "-name", "bob"); other == out || !strings.Contains(told, "no key of bob") {
		t.Errorf("bob is %q, told %q", other, told)
	}
	s.variables["name"] = "bob"
	if bob, _ := s.does(ID); !strings.Contains(bob, "bob.key") {
		t.Errorf("with bob in the environment: %q", bob)
	}
	t.Chdir(t.TempDir())
	if out, told = s.does(ID, "-identity", "x.key"); !filepath.IsAbs(strings.Split(out, "\n")[2]) || !strings.Contains(told, "no key of x.key") {
		t.Errorf("a file here: %q, told %q", out, told)
	}
}

func TestVerbsRefuse(t *testing.T) {
	s := newShell(t)
	id := newKey(t).ID()
	for args, says := range map[string]string{
		"id more":                      "too much",
		"id -nonsense":                 "nonsense",
		"id -name a/b":                 "-name",
		"id -name":                     "needs an argument",
		"id -identity=":                "empty",
		"trust plant:8080":             "chatnode trust HOST:PORT ID",
		"trust plant:8080 x y":         "chatnode trust HOST:PORT ID",
		"trust plant:0 " + id.String(): "port",
		"trust :1 " + id.String():      "host and a port",
		"trust plant:8080 cn1":         "59 characters",
		"trust plant:8080 " + id.String()[:58] + "1": "59 characters",
		"trust -name carol":                          "name",
	} {
		verb, words := ID, strings.Fields(args)
		if words[0] == "trust" {
			verb = Trust
		}
		out, _, err := s.run(verb, words[1:]...)
		if !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), says) || out != "" {
			t.Errorf("%s: prints %q, %v; want a usage error with %q", args, out, err, says)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(os.Getenv("XDG_STATE_HOME"), "chatnode", "*")); len(left) > 0 {
		t.Errorf("a mistake leaves %q behind", left)
	}
	for page, verb := range map[string]func(context.Context, []string, *Console) error{"chatnode id:": ID, "chatnode trust:": Trust} {
		if out, _ := s.does(verb, "-h"); !strings.HasPrefix(out, page) {
			t.Errorf("-h prints %q", out)
		}
	}
	if runtime.GOOS == "windows" {
		return
	}
	open := filepath.Join(t.TempDir(), "open.key")
	if err := errors.Join(os.WriteFile(open, newKey(t).Text(), 0o600), os.Chmod(open, 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.run(ID, "-identity", open); err == nil || errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read: %v", err)
	}
}

func TestTrustLists(t *testing.T) {
	s := newShell(t)
	if out, told := s.does(Trust); out != "" || !strings.Contains(told, "no node is known") {
		t.Errorf("at first: %q, told %q", out, told)
	}
	plant, lab := newKey(t).ID(), newKey(t).ID()
	if out, _ := s.does(Trust, "Plant", plant.String()); out != "plant:8080 is the node "+plant.Grouped()+"\n" {
		t.Errorf("trust prints %q", out)
	}
	s.does(Trust, "10.0.0.5:1", strings.ToUpper(plant.Grouped()))
	if out, _ := s.does(Trust); out != plant.Grouped()+" plant:8080 10.0.0.5:1\n" {
		t.Errorf("the list is %q", out)
	}
	if out, _ := s.does(Trust, "plant:8080", lab.String()); out != "plant:8080 is the node "+lab.Grouped()+"\nit was "+plant.Grouped()+"\n" {
		t.Errorf("another in its place: %q", out)
	}
	if out, _ := s.does(Trust); out != plant.Grouped()+" 10.0.0.5:1\n"+lab.Grouped()+" plant:8080\n" {
		t.Errorf("the list is %q", out)
	}
	if out, told := s.does(Trust, "-data", filepath.Join(t.TempDir(), "other")); out != "" || told == "" {
		t.Errorf("elsewhere: %q, told %q", out, told)
	}
	known, note, err := OpenKnown("")
	if id, ok := known.At("plant:8080"); err != nil || note != "" || !ok || id != lab {
		t.Errorf("a client knows %v, %q, %v", id, note, err)
	}
	path := filepath.Join(os.Getenv("XDG_STATE_HOME"), "chatnode", "known_nodes")
	if err := os.WriteFile(path, []byte("a letter to bob\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{nil, {"plant:8080", plant.String()}} {
		if _, _, err := s.run(Trust, args...); err == nil || errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), path+", line 1") {
			t.Errorf("%q with a damaged file: %v", args, err)
		}
	}
}

// TestKnownWithoutAPlace: they are remembered, and the user is told for how long.
func TestKnownWithoutAPlace(t *testing.T) {
	s := newShell(t)
	blocked := filepath.Join(t.TempDir(), "blocked")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_STATE_HOME", blocked)
	known, note, err := OpenKnown("")
	if err != nil || !strings.Contains(note, "not kept") {
		t.Fatalf("note %q, %v", note, err)
	}
	if first, err := known.Check("plant:8080", newKey(t).ID()); !first || err != nil {
		t.Errorf("Check: %v, %v", first, err)
	}
	if _, err := known.Check("plant:8080", newKey(t).ID()); !errors.As(err, new(*identity.ChangedError)) {
		t.Errorf("another node: %v", err)
	}
	if _, _, err := s.run(Trust); err == nil || errors.Is(err, ErrUsage) {
		t.Errorf("chatnode trust: %v", err)
	}
	if _, _, err := OpenKnown(filepath.Join(blocked, "below")); err == nil {
		t.Error("a folder that can't be is opened")
	}
}
