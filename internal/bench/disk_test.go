package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"

	"github.com/google/go-cmp/cmp"
)

// runDisk runs the bench on a fake node and checks that it leaves nothing behind.
func runDisk(t *testing.T, role string, args ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	cfg := small(t, append([]string{"-dir", dir, "-messages", "500", "-duration", "20ms", "-mode", "saturate"}, args...)...)
	if role != "keeps" {
		cfg.stall = 100 * time.Millisecond
	}
	var out strings.Builder
	err := cfg.run(t.Context(), roleProgram(role), program{}, &out, &progress{})
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	return out.String(), err
}

func TestDiskScenarios(t *testing.T) {
	t.Parallel()
	out, err := runDisk(t, "keeps", "-scenario", "disk")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`texts of 100 bytes; 1 runs, 20ms each case; stores in \S+`,
		`kept +1 publisher, 1 in flight +messages/s +[0-9.]+k? \(`,
		` fsyncs/s +[0-9.]+k? \(`,
		` 8 publishers, 64 in flight each +messages/s `,
		` 64 publishers, 64 in flight each +messages/s `,
		` the same, 1 ms added to each commit +messages/s `,
		`\nsize +500 messages +database bytes/message +[0-9]`,
		` search index bytes/message +[0-9]`,
		`\nstart +binary\S* .*size MB +[0-9]`,
		` 0 messages +listening after ms +[0-9]`,
		` 500 messages +listening after ms +[0-9]`,
		`\ncatchup +1 client +rows/s +[0-9]`,
		` 8 clients at one time +rows/s +[0-9]`,
		`\n\ntexts of 100 bytes; 1 pairs of runs.*\n\nN=3 .* kept +ephemeral +kept/ephemeral\nsaturate +deliveries/s +[0-9]`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("nothing like %s in the table:\n%s", want, out)
		}
	}
}

func TestDiskScenariosInJSON(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"size":  {"500 messages database_bytes_per_message", "500 messages index_bytes_per_message"},
		"start": {"binary size_mb", "0 messages listening_ms", "0 messages serving_ms", "500 messages listening_ms", "500 messages serving_ms"},
		"catchup": {"1 client rows_per_s", "1 client server_cpu_us_per_row", "1 client load_cpu_us_per_row",
			"8 clients at one time rows_per_s", "8 clients at one time server_cpu_us_per_row", "8 clients at one time load_cpu_us_per_row"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := runDisk(t, "keeps", "-scenario", name, "-json", "-runs", "2")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for list := json.NewDecoder(strings.NewReader(out)); ; {
				var row struct {
					Type, Scenario, Case, Measure string
					Chatnode                      *jsonSpread
					Runs, Messages                int
				}
				if err := list.Decode(&row); err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				if row.Type != "bench" || row.Scenario != name || row.Runs != 2 || row.Messages != 500 {
					t.Errorf("got %+v", row)
				}
				if c := row.Chatnode; c == nil && !strings.Contains(row.Measure, "cpu") || c != nil && !(c.Min > 0 && c.Min <= c.Median && c.Median <= c.Max) {
					t.Errorf("%s %s: %+v", row.Case, row.Measure, c)
				}
				what, _, _ := strings.Cut(row.Case, ",") // of the binary: whether it is stripped
				got = append(got, what+" "+row.Measure)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("rows mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFaultsOfKeepingAreFound(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ role, scenario, want string }{
		"forgotten":       {"forgets", "kept", "messages were acknowledged, and 0 are in the store"},
		"refused":         {"refuse", "kept", "was refused: "},
		"not taken":       {"nacks", "kept", "was not taken: "},
		"no answer":       {"mute", "kept", "waited for the node to answer pub-0, and nothing comes any more"},
		"hung up on":      {"fails", "start", "no room at the inn"},
		"no welcome":      {"fails", "kept", "bench kept messages with 1 publisher, 1 in flight, run 1: "},
		"rows that lack":  {"breaks off", "catchup", "client 0 has 499 of 500 messages"},
		"fan-out refused": {"refuse", "store", "bench kept with 3 clients, run 1: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := runDisk(t, test.role, "-scenario", test.scenario)
			if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, ErrUsage) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if out != "" {
				t.Errorf("printed in spite of it:\n%s", out)
			}
		})
	}
}

func TestAcknowledgementsComeInOrder(t *testing.T) {
	t.Parallel()
	cfg := small(t)
	cfg.place = &place{dir: t.TempDir()}
	const want = "message 5 was acknowledged after 3"
	if _, err := cfg.visitKept(t.Context(), roleProgram("skips"), keptCases[1]); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestEndOfContextLeavesNoStores(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"kept", "catchup", "store"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			cfg := small(t, "-dir", dir, "-scenario", name, "-messages", "100000000", "-duration", "1h")
			if err := cfg.run(ctx, roleProgram("keeps"), program{}, io.Discard, &progress{}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestPlaceIsWhereNodesKeepTheirs(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	t.Setenv("XDG_DATA_HOME", home)
	p, err := newPlace("")
	if err != nil {
		t.Fatal(err)
	}
	if above := filepath.Dir(p.dir); above != filepath.Join(home, "chatnode") {
		t.Errorf("it is in %s", above)
	}
	if rate, err := p.syncs(t.Context(), 0); err != nil || !(rate > 0) {
		t.Errorf("syncs: %v a second, %v", rate, err)
	}
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.syncs(dead, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("syncs after the end: %v", err)
	}
	if err := p.remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(home, "chatnode")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder above is left: %v", err)
	}
	other := filepath.Join(home, "chatnode", "8080")
	if err := os.MkdirAll(other, 0o700); err != nil {
		t.Fatal(err)
	}
	if p, err = newPlace(""); err != nil {
		t.Fatal(err)
	}
	if err := p.remove(); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(home, "chatnode", "*")); err != nil || !slices.Equal(left, []string{other}) {
		t.Errorf("left: %q, %v", left, err)
	}
	if _, err := newPlace(filepath.Join(home, "nowhere")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a place in a folder that is not there: %v", err)
	}
}

// A past that is made up is one that a node could have left.
func TestPastIsWhole(t *testing.T) {
	t.Parallel()
	const count = pastBatch + 100
	dir := t.TempDir()
	if err := writePast(t.Context(), dir, count, 100, &progress{}); err != nil {
		t.Fatal(err)
	}
	opened, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	state, err := opened.Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(state.Rooms) != 1 || state.Rooms[0].Name != roomName || state.Rooms[0].Head != count || state.Rooms[0].Low != 1 {
		t.Fatalf("rooms: %+v", state.Rooms)
	}
	last := map[uint64]uint64{}
	var hash chat.Hash
	seq, texts := uint64(0), map[string]bool{}
	for seq < count {
		page, next, err := opened.Page(1, seq+1, count, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		var r records
		err = r.feed(page, func(record []byte) error {
			decoded, err := wire.Decode(record[lengthSize:])
			if err != nil {
				return err
			}
			e := decoded.(*wire.Event)
			seq++
			last[e.From]++
			if e.Seq != seq || e.CSeq != last[e.From] || len(e.Body) != 100 || chat.CheckText(chat.Text, string(e.Body)) != chat.OK {
				t.Fatalf("row %d: %+v", seq, e)
			}
			texts[string(e.Body)] = true
			hash = hash.Next(e.ID)
			return nil
		})
		if err != nil || next != seq+1 {
			t.Fatalf("page: %v, next %d after %d", err, next, seq)
		}
		if kept, err := opened.HashAt(1, seq); err != nil || kept != hash { // which all before it have a part in
			t.Fatalf("the hash after row %d is %x, %v, want %x", seq, kept, err, hash)
		}
	}
	if len(texts) < count*9/10 {
		t.Errorf("only %d of %d texts differ", len(texts), count)
	}
	for _, o := range state.Origins {
		if o.Last != last[o.Num] || len(o.Outcomes) != int(min(o.Last, chat.MaxInFlight)) || o.Outcomes[len(o.Outcomes)-1].CSeq != o.Last {
			t.Errorf("origin %d: last %d of %d, %d outcomes", o.Num, o.Last, last[o.Num], len(o.Outcomes))
		}
	}
	if err := awaitIndex(t.Context(), opened, &progress{}); err != nil { // which is opened behind the store
		t.Fatal(err)
	}
	if found, err := opened.Search(&store.Query{Name: publisherName(0), Hits: 1, Bytes: 1}); err != nil || len(found.Hits) != 1 {
		t.Errorf("search: %+v, %v", found, err)
	}
}

func TestSlowedNodeIsSlowed(t *testing.T) {
	var args []string
	node := func(_ context.Context, given []string, committed func(), _, _ io.Writer) error {
		args = given
		began := time.Now()
		committed()
		if took := time.Since(began); took < 3*time.Millisecond {
			t.Errorf("a commit took %v", took)
		}
		return io.EOF
	}
	slowed := program{}.with("bench", "-serve-node", "3ms", "--").serving("-data", "DIR").args
	if err := Main(t.Context(), slowed[1:], &Console{Node: node, Out: io.Discard, Err: io.Discard}); err != io.EOF {
		t.Errorf("got %v, want what the node returned", err)
	}
	if diff := cmp.Diff(program{}.serving("-data", "DIR").args, args); diff != "" {
		t.Errorf("arguments mismatch (-want +got):\n%s", diff)
	}
}

func TestChildrenDoNotInheritTheUsersSettings(t *testing.T) {
	t.Setenv("CHATNODE_DATA", "/somewhere")
	t.Setenv("CHATNODE_KEEP_SIZE", "1KB")
	t.Setenv("CHATNODE_CONFIG", "/somewhere/else")
	got := slices.DeleteFunc(plainEnvironment(), func(v string) bool { return !strings.HasPrefix(v, "CHATNODE_") })
	if diff := cmp.Diff([]string{"CHATNODE_CONFIG="}, got); diff != "" {
		t.Errorf("what is handed on (-want +got):\n%s", diff)
	}
}

func TestFigures(t *testing.T) {
	for name, args := range map[string][]string{"figures": nil, "figures-json": {"-json"}} {
		t.Run(name, func(t *testing.T) {
			cfg, err := parse(append(args, "-scenario", "kept", "-runs", "2"))
			if err != nil {
				t.Fatal(err)
			}
			cfg.place = &place{dir: "/not/there"}
			var out bytes.Buffer
			f := newFigures(cfg, &out)
			for run := range 2 {
				for _, of := range []string{"1 publisher", "8 publishers"} {
					f.add(of, keptRate, 12_340*float64(run+1))
					f.add(of, loadPerMessage, nan)
				}
			}
			if err := f.print(scenarioKept); err != nil {
				t.Fatal(err)
			}
			f.add("100 messages", databaseBytes, 201.4)
			if err := f.print(scenarioSize); err != nil {
				t.Fatal(err)
			}
			text := regexp.MustCompile(`\d+ CPUs`).ReplaceAllString(out.String(), "N CPUs")
			text = regexp.MustCompile(`,"file_system":"[^"]*"| \([a-z0-9]+\)(;)`).ReplaceAllString(text, "$1")
			golden(t, name, text)
		})
	}
}
