package metrics

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.uber.org/goleak"

	"chatnode/internal/chat"
	"chatnode/internal/frame"
	"chatnode/internal/hub"
	"chatnode/internal/mesh"
	"chatnode/internal/wire"
)

var update = flag.Bool("update", false, "write the table of docs/operations.md anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rooms is a hub that says what a test has it say.
type rooms struct {
	stats hub.Stats

	mu  sync.Mutex // guards ill
	ill error
}

func (r *rooms) Stats() hub.Stats { return r.stats }

func (r *rooms) Health() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ill
}

func (r *rooms) falls(ill error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ill = ill
}

type links struct{}

func (links) Stats() mesh.Stats      { return mesh.Stats{Sent: 70, Taken: 80, Duplicates: 3} }
func (links) States() map[string]int { return map[string]int{"linked": 1, "known": 2} }

// busy returns a hub that has done something of everything.
func busy() *rooms {
	r := &rooms{stats: hub.Stats{
		Sessions: 2, Rooms: 3, Conversations: 4, People: 5, SegmentBytes: 6, QueueBytes: 7, Messages: 8, Deliveries: 9, DeliveredBytes: 1 << 53, Pages: 11, DroppedNotices: 12,
		Refused: map[chat.Code]uint64{chat.Muted: 13, chat.TooSoon: 14}, Goodbyes: map[chat.Code]uint64{chat.Replaced: 15},
	}}
	r.stats.Lag.Counts[0], r.stats.Lag.Counts[len(hub.Bounds)], r.stats.Lag.Sum = 3, 1, 90*time.Second
	r.stats.Commit.Counts[3], r.stats.Commit.Sum = 10, 8*time.Millisecond
	return r
}

func newNumbers(r *rooms) *Numbers {
	n := New(Config{Hub: r, Version: `v1 "x" \ of` + "\n\xff", Now: func() time.Time { return time.UnixMilli(1_700_000_000_500) }})
	n.Link(links{})
	n.Ended(Handshake, "not_invited")
	n.Ended(Handshake, "not_invited")
	n.Ended(Session, "stalled")
	n.Ended(Peer, "lost")
	return n
}

func served(t *testing.T, n *Numbers) string {
	t.Helper()
	var text strings.Builder
	if err := n.gather().write(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// TestFormat: Prometheus's own parser takes what is served, and its linter finds nothing that another would call otherwise.
func TestFormat(t *testing.T) {
	for name, n := range map[string]*Numbers{"busy": newNumbers(busy()), "idle": New(Config{Hub: &rooms{}, Now: time.Now})} {
		problems, err := promlint.New(strings.NewReader(served(t, n))).Lint()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s: %s", name, p.Metric, p.Text)
		}
	}
	if problems, err := promlint.New(strings.NewReader("# TYPE chatnodeCount counter\nchatnodeCount 1\n")).Lint(); err != nil || len(problems) == 0 {
		t.Errorf("the linter finds nothing anywhere: %v", err)
	}
}

// TestNumbers: each number is where it belongs.
func TestNumbers(t *testing.T) {
	got := served(t, newNumbers(busy()))
	for _, want := range []string{
		`chatnode_build_info{version="v1 \"x\" \\ of\n` + "\ufffd" + `"} 1`,
		"chatnode_healthy 1", "chatnode_sessions 2", "chatnode_rooms 3", "chatnode_conversations 4", "chatnode_people 5", "chatnode_segments_bytes 6", "chatnode_queue_bytes 7",
		"chatnode_messages_total 8", "chatnode_deliveries_total 9", "chatnode_delivered_bytes_total 9.007199254740992e+15", "chatnode_catch_up_reads_total 11", "chatnode_notices_dropped_total 12",
		`chatnode_refusals_total{code="muted"} 13`, `chatnode_refusals_total{code="slow"} 14`, `chatnode_goodbyes_total{code="replaced"} 15`,
		`chatnode_connections_dropped_total{stage="handshake",reason="not_invited"} 2`, `chatnode_connections_dropped_total{stage="session",reason="stalled"} 1`,
		`chatnode_connections_dropped_total{stage="peer",reason="lost"} 1`,
		`chatnode_peers{state="linked"} 1`, `chatnode_peers{state="known"} 2`, "chatnode_entries_sent_total 70", "chatnode_entries_taken_total 80", "chatnode_entries_duplicate_total 3",
		`chatnode_delivery_lag_seconds_bucket{le="0.0001"} 3`, `chatnode_delivery_lag_seconds_bucket{le="10"} 3`, `chatnode_delivery_lag_seconds_bucket{le="+Inf"} 4`,
		"chatnode_delivery_lag_seconds_sum 90", "chatnode_delivery_lag_seconds_count 4", `chatnode_commit_seconds_bucket{le="0.0005"} 0`, `chatnode_commit_seconds_bucket{le="0.001"} 10`,
		"process_start_time_seconds 1.7000000005e+09",
	} {
		if !strings.Contains(got, "\n"+want+"\n") {
			t.Errorf("%s is not in\n%s", want, got)
			return
		}
	}
	r := busy()
	r.falls(errors.New("x"))
	if ill := served(t, newNumbers(r)); !strings.Contains(ill, "\nchatnode_healthy 0\n") {
		t.Error("what takes nothing is healthy")
	}
}

// TestStats: a person is told the same.
func TestStats(t *testing.T) {
	got := newNumbers(busy()).Stats()
	if w := got.Work[0]; w.Memory == 0 {
		t.Error("the process has no memory")
	}
	want := &wire.StatsAre{Sessions: 2, Rooms: 3, Work: []wire.NodeStats{{
		People: 5, Conversations: 4, Messages: 8, Deliveries: 9, DeliveredBytes: 1 << 53, Lag: wire.Times{Half: 66, Most: 10_000_000}, Commits: 10, Commit: wire.Times{Half: 750, Most: 995},
		Segments: 6, Waiting: 7, Linked: 1, Known: 3, Sent: 70, Taken: 80,
		Refused:    []wire.Count{{What: "slow", N: 14}, {What: "muted", N: 13}},
		TurnedAway: []wire.Count{{What: "not_invited", N: 2}}, Dropped: []wire.Count{{What: "lost", N: 1}, {What: "stalled", N: 1}},
	}}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(wire.NodeStats{}, "Memory")); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

// TestEndingsAreBounded: whatever ends connections, there are only so many words for it, and all fit into an answer.
func TestEndingsAreBounded(t *testing.T) {
	n := New(Config{Hub: &rooms{}, Now: time.Now})
	for i := range 500 {
		n.Ended(Session, fmt.Sprint("word ", i))
		n.Ended(Peer, fmt.Sprint("peer ", i))
	}
	n.Ended(Session, strings.Repeat("long", 100))
	reasons := n.gather().ended[Session]
	if len(reasons) > maxEndings || reasons[another] != 500-(maxEndings-1)+1 {
		t.Errorf("%d reasons, %d others", len(reasons), reasons[another])
	}
	if _, err := wire.Decode(wire.Must(nil, n.Stats())[wire.HeaderLen:]); err != nil {
		t.Errorf("the answer to /stats: %v", err)
	}
}

// TestWord: errors that a stranger can cause have words of a fixed list.
func TestWord(t *testing.T) {
	for want, err := range map[string]error{
		"": nil, "policy": fmt.Errorf("x: %w", &frame.PolicyError{Reason: "too many pings"}), "full": errors.Join(errors.New("x"), &hub.Refusal{Code: chat.Full}),
		"malformed": fmt.Errorf("chat: %w", wire.ErrTooLarge), "timeout": fmt.Errorf("x: %w", os.ErrDeadlineExceeded), "lost": errors.New("whatever the other side had it say"),
	} {
		if got := Word(err); got != want {
			t.Errorf("%v is counted as %q, want %q", err, got, want)
		}
	}
}

// TestOperationsListsMetrics: docs/operations.md has the table of what is served, and all of it is.
func TestOperationsListsMetrics(t *testing.T) {
	const path, begin, end = "../../docs/operations.md", "<!-- metrics -->\n", "<!-- end -->"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(page), begin)
	_, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		t.Fatal("the page has no part for metrics")
	}
	rows, names := "| metric | kind | labels | |\n|---|---|---|---|\n", map[string]bool{}
	for _, m := range table {
		quoted := make([]string, len(m.labels))
		for i, l := range m.labels {
			quoted[i] = "`" + l + "`"
		}
		rows += fmt.Sprintf("| `%s` | %s | %s | %s |\n", m.name, m.kind, strings.Join(quoted, ", "), m.help)
		names[m.name] = true
	}
	want := before + begin + rows + end + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(page)); diff != "" {
		t.Errorf("%s (-code +page); go test ./internal/metrics -update writes it:\n%s", path, diff)
	}
	found := map[string]bool{}
	for _, line := range strings.Split(served(t, newNumbers(busy())), "\n") {
		if name := strings.FieldsFunc(line+" ", func(r rune) bool { return r == ' ' || r == '{' }); len(name) > 0 && name[0] != "#" {
			found[strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name[0], "_bucket"), "_sum"), "_count")] = true
		}
	}
	if !readProcess().known {
		maps.DeleteFunc(names, func(name string, _ bool) bool {
			return strings.HasPrefix(name, "process_") && name != "process_start_time_seconds"
		})
	}
	if diff := cmp.Diff(names, found); diff != "" {
		t.Errorf("names (-table +served):\n%s", diff)
	}
}
