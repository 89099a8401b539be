package command

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
)

func TestParseInvite(t *testing.T) {
	day := 24 * time.Hour
	for text, want := range map[string]InviteQuery{
		"":                     {"", 1, day, false},
		"ops":                  {"ops", 1, day, false},
		"#Ops":                 {"ops", 1, day, false},
		"ops uses 5 for 7d":    {"ops", 5, 7 * day, false},
		"for 90s ops uses 5":   {"ops", 5, 90 * time.Second, false},
		"uses 1000 for 30d":    {"", chat.MaxUses, chat.MaxInvite, false},
		" for \t 1s ":          {"", 1, time.Second, false},
		"#uses uses 2":         {"uses", 2, day, false},
		"node":                 {"", 1, day, true},
		"node for 1h":          {"", 1, time.Hour, true},
		"for 1h node":          {"", 1, time.Hour, true},
		"#node for 1h":         {"node", 1, time.Hour, false},
		"uses 2 küche for 1h":  {"küche", 2, time.Hour, false},
		"uses 5 usesx for 24h": {"usesx", 5, day, false},
	} {
		if q, err := parseInvite(text); q != want || err != nil {
			t.Errorf("%q is %+v, %v; want %+v", text, q, err, want)
		}
	}
	for _, text := range []string{
		"ops lab", "uses", "for", "uses 0", "uses 1001", "uses -1", "uses five", "uses 5 uses 5", "for 0s", "for 999ms", "for 31d", "for ever", "for 1h for 1h",
		"@bob", "No!", "#", "uses for 24h", "ops uses 5 more", "\x1b[2J", "uses 99999999999999999999",
		"node node", "node ops", "ops node", "node uses 5", "uses 5 node", "node for",
	} {
		var wrong *Error
		if q, err := parseInvite(text); !errors.As(err, &wrong) || wrong.Reason != BadUsage || chat.OneLine(wrong.Text) != wrong.Text {
			t.Errorf("%q is %+v, %v; want the usage", text, q, err)
		}
	}
}

// TestInviteToWhereOneIs: to the room, and to no conversation.
func TestInviteToWhereOneIs(t *testing.T) {
	for room, want := range map[string]string{"ops": "ops", "@bob": "", "": ""} {
		env := &deskEnv{room: room}
		if err := Run(t.Context(), Call{Name: invite}, env); err != nil {
			t.Error(err)
		}
		asked := &deskEnv{}
		_ = asked.note("invite %+v", InviteQuery{Room: want, Uses: 1, For: inviteFor})
		if env.did[0] != asked.did[0] {
			t.Errorf("in %q it does %q, want %q", room, env.did[0], asked.did[0])
		}
	}
}

// TestInviteMembers: who is named with an @ is invited into the room by an act, here or there.
func TestInviteMembers(t *testing.T) {
	for text, want := range map[string][]string{
		"@bob": {"key of bob in ops", "act in ops: invite cn1b"}, "@bob #Lab": {"key of bob in lab", "act in lab: invite cn1b"}, "@bob  lab ": {"key of bob in lab", "act in lab: invite cn1b"},
	} {
		env, failing := &deskEnv{room: "ops"}, &deskEnv{room: "ops", fail: errTest}
		if err := Run(t.Context(), Call{Name: invite, Args: []string{text}}, env); err != nil || !cmp.Equal(env.did, want) {
			t.Errorf("%q: %v, did %q, want %q", text, err, env.did, want)
		}
		if err := Run(t.Context(), Call{Name: invite, Args: []string{text}}, failing); !errors.Is(err, errTest) || len(failing.did) != 1 {
			t.Errorf("%q, which fails: %v, did %q", text, err, failing.did)
		}
	}
	for text, room := range map[string]string{"@": "ops", "@ bob": "ops", "@bob lab now": "ops", "@bob No!": "ops", "@bob @eve": "ops", "@bob uses 5": "ops", "@bob": "@eve"} {
		env := &deskEnv{room: room}
		if err := Run(t.Context(), Call{Name: invite, Args: []string{text}}, env); !isUsage(err, "usage: /invite") || len(env.did) > 0 {
			t.Errorf("%q in %s: %v, did %q", text, room, err, env.did)
		}
	}
	if err := Run(t.Context(), Call{Name: invite, Args: []string{"@bob"}}, &deskEnv{}); !errors.Is(err, ErrNoRoom) {
		t.Errorf("in no room: %v", err)
	}
}

func TestLinesOfAnInvitation(t *testing.T) {
	at := time.Date(2026, 11, 22, 15, 4, 5, 0, time.UTC)
	quotes := `to join by it, quotes and all: chatnode -connect "LINK" -name YOU`
	for _, c := range []struct {
		a    InviteAnswer
		want []string
	}{
		{InviteAnswer{Room: "ops", Link: "L", Uses: 5, Expires: at}, []string{"until 2026-11-22 16:04, 5 people may come to #ops by this link; whoever has the link can use it", quotes, "L"}},
		{InviteAnswer{Link: "L", Uses: 1, Expires: at, Local: true}, []string{"until 2026-11-22 16:04, 1 person may come here by this link; whoever has the link can use it",
			"it works on this machine alone, as no other address of the node is known: start the node with -public HOST:PORT, or put its address in", quotes, "L"}},
	} {
		if diff := cmp.Diff(c.want, c.a.Lines(time.FixedZone("CET", 3600))); diff != "" {
			t.Errorf("mismatch (-want +got):\n%s", diff)
		}
	}
}
