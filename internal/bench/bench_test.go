package bench

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestUsage(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"unknown flag":        {[]string{"-fast"}, "-fast"},
		"argument":            {[]string{"now"}, `"now" is not a flag`},
		"no clients":          {[]string{"-n", "0"}, "-n"},
		"clients":             {[]string{"-n", "10,many"}, "-n"},
		"empty clients":       {[]string{"-n", ""}, "-n"},
		"mode":                {[]string{"-mode", "fast"}, "-mode"},
		"small payload":       {[]string{"-payload", "15"}, "-payload"},
		"large payload":       {[]string{"-payload", "8193"}, "-payload"},
		"no publishers":       {[]string{"-publishers", "0"}, "-publishers"},
		"many publishers":     {[]string{"-publishers", "65"}, "-publishers"},
		"rate":                {[]string{"-rate", "0"}, "-rate"},
		"no rate":             {[]string{"-rate", "NaN"}, "-rate"},
		"runs":                {[]string{"-runs", "0"}, "-runs"},
		"no duration":         {[]string{"-duration", "0"}, "-duration"},
		"duration":            {[]string{"-duration", "soon"}, "soon"},
		"long duration":       {[]string{"-duration", "2h"}, "-duration"},
		"tiny floor":          {[]string{"-serve-floor", "4"}, "-serve-floor"},
		"scenario":            {[]string{"-scenario", "speed"}, "fanout, tls, secure, handshake, hostile, join, rooms, slow, store, kept, size, start, catchup, disk, peers"},
		"no scenario":         {[]string{"-scenario", ""}, "-scenario"},
		"two scenarios":       {[]string{"-scenario", "kept,size"}, "-scenario"},
		"no messages":         {[]string{"-messages", "0"}, "-messages"},
		"many messages":       {[]string{"-messages", "100000001"}, "-messages"},
		"nobody hostile":      {[]string{"-scenario", "hostile", "-hostile", "0"}, "-hostile"},
		"many hostile":        {[]string{"-scenario", "hostile", "-hostile", "10001"}, "-hostile"},
		"half of against":     {[]string{"-identity", "admin.key"}, "are for -against"},
		"yes to nothing":      {[]string{"-yes"}, "are for -against"},
		"against whom":        {[]string{"-against", "plant", "-scenario", "kept", "-identity", "admin.key"}, "no -scenario"},
		"no consent":          {[]string{"-against", "plant"}, "needs -identity"},
		"many against":        {[]string{"-against", "plant", "-identity", "admin.key", "-n", "1001"}, "at most 1000"},
		"two numbers against": {[]string{"-against", "plant", "-identity", "admin.key", "-n", "10,20"}, "one number"},
		"fast against":        {[]string{"-against", "plant", "-identity", "admin.key", "-rate", "1001"}, "at most 1000"},
		"long against":        {[]string{"-against", "plant", "-identity", "admin.key", "-duration", "11m"}, "at most 10m"},
		"often against":       {[]string{"-against", "plant", "-identity", "admin.key", "-runs", "21"}, "at most 20"},
		"nobody to ask":       {[]string{"-against", "plant:8080", "-identity", "admin.key"}, "needs -yes"},
		"against no address":  {[]string{"-against", "a b:1", "-identity", "admin.key", "-yes"}, "-against"},
		"slow node":           {[]string{"-serve-node", "2s", "--", "-listen", ":0"}, "-serve-node"},
		"hurried node":        {[]string{"-serve-node", "-1ms"}, "-serve-node"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := Main(t.Context(), test.args, &Console{Out: &out, Err: &out, WithPort: func(s string) string { return s }})
			if !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want a usage error with %q", err, test.want)
			}
			if out.Len() > 0 {
				t.Errorf("printed %q", out.String())
			}
		})
	}
}

func TestHelpNamesEveryFlag(t *testing.T) {
	var out strings.Builder
	if err := Main(t.Context(), []string{"-h"}, &Console{Out: &out}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"scenario", "n", "payload", "publishers", "rate", "duration", "runs", "mode", "json", "dir", "messages", "hostile", "against", "identity", "node", "yes"} {
		if !strings.Contains(out.String(), "\n  -"+name+" ") {
			t.Errorf("-h does not explain -%s", name)
		}
	}
	for _, s := range allScenarios {
		if !strings.Contains(out.String(), "\n  "+string(s)+" ") {
			t.Errorf("-h does not explain -scenario %s", s)
		}
	}
	if strings.Contains(out.String(), "-serve-") {
		t.Error("-h shows a flag by which the bench starts its servers")
	}
	for line := range strings.Lines(out.String()) {
		if len([]rune(line)) > 140 {
			t.Errorf("too long for a terminal: %q", line)
		}
	}
}

func TestDefaults(t *testing.T) {
	cfg, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{100, 1000}, cfg.clients); diff != "" {
		t.Errorf("clients mismatch (-want +got):\n%s", diff)
	}
	if cfg.scenario != scenarioFanout || cfg.messages != 1_000_000 || len(cfg.modes) != len(allModes) || cfg.runs != 5 || cfg.payload != 100 {
		t.Errorf("got %+v", cfg)
	}
}

func TestDefaultsOfScenarios(t *testing.T) {
	tests := map[string]struct {
		args     []string
		clients  []int
		duration time.Duration
		modes    map[mode]bool
	}{
		"tls":       {nil, []int{100, 1000}, 3 * time.Second, map[mode]bool{modeSaturate: true, modePaced: true, modeIdle: true}},
		"handshake": {nil, []int{8}, 3 * time.Second, map[mode]bool{modeHandshake: true}},
		"hostile":   {nil, []int{100}, 10 * time.Second, map[mode]bool{modePaced: true, modeHostile: true}},
		"asked for": {
			[]string{"-n", "5,6", "-duration", "1s", "-mode", "idle"}, []int{5, 6}, time.Second, map[mode]bool{modePaced: true, modeHostile: true},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := name
			if test.args != nil {
				s = "hostile"
			}
			cfg, err := parse(append(test.args, "-scenario", s))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.clients, cfg.clients); diff != "" || cfg.duration != test.duration || cfg.hostile != 1000 {
				t.Errorf("for %v, %d hostile; clients mismatch (-want +got):\n%s", cfg.duration, cfg.hostile, diff)
			}
			if diff := cmp.Diff(test.modes, cfg.modes); diff != "" {
				t.Errorf("modes mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOpenFilesAreCounted(t *testing.T) {
	cfg := &config{clients: []int{10, 1000}, publishers: 8}
	if err := cfg.checkFiles(1072, true); err != nil {
		t.Error(err)
	}
	if err := cfg.checkFiles(10, false); err != nil {
		t.Error(err)
	}
	if err := cfg.checkFiles(1071, true); err == nil || !strings.Contains(err.Error(), "ulimit -n 1072") {
		t.Errorf("got %v, want a hint", err)
	}
	hostile := &config{clients: []int{100}, publishers: 1, scenario: scenarioHostile, hostile: 1000}
	if err := hostile.checkFiles(1164, true); err == nil || !strings.Contains(err.Error(), "1100 clients need 1165 ") {
		t.Errorf("with hostile ones got %v, want a hint", err)
	}
}

func TestReport(t *testing.T) {
	for name, args := range map[string][]string{
		"table": nil, "json": {"-json"}, "store": {"-scenario", "store"}, "store-json": {"-scenario", "store", "-json"},
		"secure": {"-scenario", "secure", "-mode", "saturate"}, "secure-json": {"-scenario", "secure", "-mode", "saturate", "-json"},
		"tls": {"-scenario", "tls"}, "tls-json": {"-scenario", "tls", "-json", "-mode", "idle"}, "handshake": {"-scenario", "handshake"},
		"slow": {"-scenario", "slow"}, "slow-json": {"-scenario", "slow", "-json"}, "hostile": {"-scenario", "hostile"}, "hostile-json": {"-scenario", "hostile", "-json"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := parse(append([]string{"-n", "100,1000", "-runs", "3"}, args...))
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			r := newReport(cfg, &out)
			for _, n := range cfg.clients {
				if err := r.print(n, sampleRuns(float64(n))); err != nil {
					t.Fatal(err)
				}
			}
			golden(t, name, regexp.MustCompile(`\d+ CPUs`).ReplaceAllString(out.String(), "N CPUs"))
		})
	}
}

// sampleRuns returns three runs of both sides; what the last measure says is not known.
func sampleRuns(n float64) (all [2][]values) {
	for _, scale := range []float64{1.0, 0.9, 1.05} {
		node := values{20e6, 2.9e9, 144.6, 0.06, 0.04, 20, 0.8, 1.6, 157, 11.2, 9.1, 22.4, nan, 900, 850, 640, 8, 25, 4500, 38, 1955, 134, 132, 130, 0, 269, 290, 120, 1, 0}
		floor := values{25e6, 3.7e9, 147.6, 0.05, 0.04, 20, 0.7, 1.5, 147.6, 9.6, 9.0, 6.5, nan, 3500, 310, 180, 2, 6, 3, 22, 0, 0, 0, 0, 0, 0, 0, 100, 0, 0}
		for i := range node {
			node[i] *= n / 100 * scale
			floor[i] *= n / 100
		}
		all[0], all[1] = append(all[0], node), append(all[1], floor)
	}
	return all
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s mismatch (-want +got):\n%s", file, diff)
	}
}

func TestProgressIsForTerminals(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out)
	p.say("one")
	p.clear()
	if out.Len() > 0 {
		t.Errorf("printed %q to what is no terminal", out.String())
	}
	p = &progress{out: &out}
	p.begin(4)
	p.step(1, "%d clients", 3)
	p.clear()
	p.clear()
	if want := eraseLine + "3 clients" + eraseLine; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	if left := p.left(time.Minute); left != 0 {
		t.Errorf("%v are left, before anything was done", left)
	}
	p.step(3, "%d clients", 9)
	if left := p.left(time.Minute); left != 3*time.Minute {
		t.Errorf("%v are left of 4 steps when the first took a minute", left)
	}
}
