package command

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
)

// TestPeersUsage: what is no question about nodes, and no change of one, is told with the usage, and nothing is done.
func TestPeersUsage(t *testing.T) {
	for _, line := range []string{
		"/peers barn", "/peers admit", "/peers drop  ", "/peers admit \x1b[2J", "/peers guest " + strings.Repeat("x", maxPerson+1), "/history causal a b", "/history causal No!",
		"/history causal @", "/history causal @" + strings.Repeat("x", maxPerson+1),
	} {
		env := &deskEnv{room: "lobby"}
		call, err := Parse(line)
		if err == nil {
			err = Run(t.Context(), call, env)
		}
		var wrong *Error
		if !errors.As(err, &wrong) || wrong.Reason != BadUsage || len(env.did) > 0 || chat.OneLine(wrong.Text) != wrong.Text {
			t.Errorf("%q: %v, did %q", line, err, env.did)
		}
	}
	if err := Run(t.Context(), Call{Name: history, Args: []string{causalWord}}, &deskEnv{}); !errors.Is(err, ErrNoRoom) {
		t.Errorf("the causal list of no room: %v", err)
	}
}

// TestPeersTable: what is known of a node stands there, what is not is left out, and a title that others chose can't break the table.
func TestPeersTable(t *testing.T) {
	seen := time.Date(2026, 3, 1, 10, 17, 0, 0, time.UTC)
	a := PeersAnswer{Space: "00ff", Peers: []Peer{
		{ID: "cn1barn", Title: "Barn", Address: "10.0.0.5:8080", State: "linked", Admitted: true, RTT: 1234 * time.Microsecond, Behind: 3, Ahead: 1, Seen: seen},
		{ID: "cn1shed", Title: "Küche\x1b[2J" + strings.Repeat("x", 99), State: "waiting", Seen: seen, Behind: 7, Note: "nothing listens there"},
		{Address: "10.0.0.9:8080", State: "dialing"},
		{ID: "cn1hut", Title: "Hut", State: "dropped", Seen: seen},
	}}
	want := []string{
		"4 other nodes in the space 00ff:",
		"  Barn                      linked, 1.2ms, 10.0.0.5:8080, 3 to come, 1 to go",
		"    cn1barn, admitted",
		"  " + chat.Truncate("Küche\ufffd[2J"+strings.Repeat("x", 99), maxPeerTitle) + "  waiting, 7 to come, 0 to go, last linked 2026-03-01 10:17",
		"    cn1shed, a guest, nothing listens there",
		"  (no title)                dialing, 10.0.0.9:8080",
		"  Hut                       dropped, last linked 2026-03-01 10:17",
		"    cn1hut",
	}
	if diff := cmp.Diff(want, a.Lines(time.UTC)); diff != "" {
		t.Errorf("mismatch (-want +got):\n%s", diff)
	}
	if got := (PeersAnswer{Space: "00ff"}).Lines(time.UTC); len(got) != 1 || !strings.Contains(got[0], "knows no other") {
		t.Errorf("of nobody: %q", got)
	}
}

func TestShortly(t *testing.T) {
	for d, want := range map[time.Duration]string{
		math.MaxInt64:    "2555555h33m20s",
		time.Microsecond: "1µs", 57 * time.Microsecond: "57µs", 1234 * time.Microsecond: "1.2ms", 12_345 * time.Microsecond: "12ms", 123 * time.Millisecond: "120ms", 1500 * time.Millisecond: "1.5s",
	} {
		if got := shortly(d); got != want {
			t.Errorf("%v is told as %s, want %s", d, got, want)
		}
	}
}

func TestCausalLines(t *testing.T) {
	a := CausalAnswer{Room: "ops", Total: 9, Digest: "0a0b", Said: []Said{{Seq: 4, Name: "bob", Kind: chat.Text, Text: "hi", Time: time.Unix(0, 0)}, {Seq: 2, Name: "eve", Kind: chat.Text, Text: "no", Time: time.Unix(9, 0)}}}
	want := []string{"the last 2 of 9 of #ops, in the order of all nodes (0a0b):", "  1970-01-01 00:00 4 bob: hi", "  1970-01-01 00:00 2 eve: no"}
	if diff := cmp.Diff(want, a.Lines(time.UTC)); diff != "" {
		t.Errorf("mismatch (-want +got):\n%s", diff)
	}
}

// TestInviteNodeLines: a link for a node says what it gives away, and how it is used.
func TestInviteNodeLines(t *testing.T) {
	a := InviteAnswer{Link: "chatnode://x", Uses: 1, Expires: time.Unix(0, 0), Node: true, Local: true}
	got := a.Lines(time.UTC)
	if len(got) != 4 || !strings.Contains(got[0], "private rooms and conversations too") || !strings.Contains(got[1], "this machine alone") || !strings.Contains(got[2], "-listen") || got[3] != a.Link {
		t.Errorf("%q", got)
	}
}

// TestWhoisVia: who is on another node is not called absent, and who is known by one alone is not called here.
func TestWhoisVia(t *testing.T) {
	who, seen := Who{ID: "cn1b", Name: "bob"}, time.Date(2026, 11, 23, 0, 30, 0, 0, time.UTC)
	tests := map[string]struct {
		answer WhoisAnswer
		want   []string
	}{
		"connected there": {WhoisAnswer{Who: who, Sessions: 1, Via: "Barn (cn1n)", Rooms: []string{"lobby"}}, []string{"  connected to another node: Barn (cn1n)", "  in #lobby"}},
		"gone":            {WhoisAnswer{Who: who, Since: seen, Via: "Barn (cn1n)"}, []string{"  not connected, last seen 2026-11-23 00:30 by way of another node: Barn (cn1n)"}},
		"never seen":      {WhoisAnswer{Who: who, Via: "Barn (cn1n)"}, []string{"  not connected, known by way of another node: Barn (cn1n)"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.answer.Lines(time.UTC)[1:]); diff != "" {
				t.Errorf("mismatch (-want +got):\n%s", diff)
			}
		})
	}
}
