package settings

import (
	"errors"
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/identity"
)

const carol = "cn1mpt2mgtxdfh2wd45vpfpr5x7pls4t37byprdsfaltqti4lhgeji52zha"

func TestParse(t *testing.T) {
	t.Setenv("CHATNODE_ROOM_RATE", "50")
	t.Setenv("CHATNODE_NAME", "bob")
	got, err := Parse(strings.Fields("-listen :0 -name carol -keep-age 90d -keep-size 1GB -admin "+carol+" -room ops -room lobby -tail 0"), "check")
	if err != nil {
		t.Fatal(err)
	}
	id, err := identity.ParseID(carol)
	if err != nil {
		t.Fatal(err)
	}
	want := &Options{
		Listen: ":0", Name: "carol", Rate: defaultRate, RoomRate: 50, MaxSessions: defaultMaxSessions, KeepAge: 90 * 24 * time.Hour, KeepSize: 1 << 30,
		KeepFree: defaultReserve, Admins: []identity.ID{id}, Rooms: []string{"ops", "lobby"}, Tail: Tail{Given: true}, Timeout: defaultTimeout, AwayAfter: defaultAway, Log: "text",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for args, says := range map[string]string{
		"-nonsense":                         "nonsense",
		"chekc":                             "the verbs are: check, export",
		"-keep-age 0s":                      "more than 0",
		"-keep-age soon":                    "keep-age",
		"-keep-size -1GB":                   "keep-size",
		"-admin carol":                      "begins with cn1",
		"-tail 501":                         "0 to 500",
		"-tail -1":                          "0 to 500",
		"-room UPPER":                       "-room",
		"-name a/b":                         "-name",
		"-rate -1":                          "negative",
		"-rate nan":                         "negative",
		"-room-rate inf":                    "negative",
		"-ephemeral -data d":                "one of them",
		"-since now":                        "-since",
		"-listen :0 -metrics 9090":          "such as :9090",
		"-listen :0 -metrics 127.0.0.1":     "such as :9090",
		"-listen :0 -metrics :":             "such as :9090",
		"-listen :0 -metrics :99999":        "such as :9090",
		"-listen :0 -metrics :http":         "such as :9090",
		"-metrics :9090":                    "give it -listen",
		"-log xml":                          "text or json",
		"-title " + strings.Repeat("x", 81): "-title",
	} {
		_, err := Parse(strings.Fields(args), "check, export")
		var usage *UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want a usage error with %q", args, err, says)
		}
	}
	if _, err := Parse([]string{"-h"}, ""); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
	t.Setenv("CHATNODE_TAIL", "many")
	if _, err := Parse(nil, ""); err == nil || !strings.Contains(err.Error(), `CHATNODE_TAIL="many"`) {
		t.Errorf("an unfit variable: %v", err)
	}
}

func TestHelpNamesAll(t *testing.T) {
	help := Help()
	for _, g := range Groups {
		for _, o := range g.Options {
			if !strings.Contains(help, "  -"+o.Name+" ") || !strings.Contains(help, o.Help) {
				t.Errorf("-%s is not on the help page", o.Name)
			}
		}
	}
}

// TestMetricsAreLocal: where no host is said, only this machine is meant; elsewhere what was said.
func TestMetricsAreLocal(t *testing.T) {
	for given, want := range map[string]string{
		":9090": "127.0.0.1:9090", ":0": "127.0.0.1:0", "0.0.0.0:9090": "0.0.0.0:9090", "[::]:9090": "[::]:9090", "[::1]:1": "[::1]:1", "localhost:9090": "localhost:9090", "192.0.2.5:80": "192.0.2.5:80",
	} {
		if o, err := Parse([]string{"-listen", ":0", "-metrics", given}, ""); err != nil || o.Metrics != want {
			t.Errorf("-metrics %s: %+v, %v; want %s", given, o, err, want)
		}
		t.Setenv("CHATNODE_METRICS", given)
		if o, err := Parse([]string{"-listen", ":0"}, ""); err != nil || o.Metrics != want {
			t.Errorf("CHATNODE_METRICS=%s: %+v, %v; want %s", given, o, err, want)
		}
	}
	t.Setenv("CHATNODE_METRICS", "")
	if o, err := Parse([]string{"-listen", ":0"}, ""); err != nil || o.Metrics != "" {
		t.Errorf("an empty variable: %+v, %v", o, err)
	}
}
