package command

import (
	"strings"
	"testing"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/screen"

	"github.com/google/go-cmp/cmp"
)

func TestTold(t *testing.T) {
	for _, c := range []struct {
		kind         chat.Kind
		text         string
		told, answer string
	}{
		{chat.Text, "yes", "carol: yes", `carol (re bob "are you there"): yes`},
		{chat.Action, "waves", "* carol waves", `* carol (re bob "are you there") waves`},
		{chat.Topic, "tea", "-- carol set the topic: tea", `-- carol (re bob "are you there") set the topic: tea`},
		{chat.Topic, "", "-- carol took the topic away", `-- carol (re bob "are you there") took the topic away`},
		{9, "?", "-- carol (kind-9): ?", `-- carol (re bob "are you there") (kind-9): ?`},
	} {
		if got := Told("carol", c.kind, c.text); got != c.told {
			t.Errorf("%q, want %q", got, c.told)
		}
		if got := ToldAnswer("carol", c.kind, c.text, Quote("bob", "are you there")); got != c.answer {
			t.Errorf("%q, want %q", got, c.answer)
		}
	}
	if got := ToldAnswer("carol", chat.Text, "yes", ""); got != "carol (re an earlier message): yes" {
		t.Errorf("without the other message: %q", got)
	}
}

// TestQuoteOfMessages: a quotation is short, one line, and can't end before its end, so that nobody speaks for somebody else by being quoted.
func TestQuoteOfMessages(t *testing.T) {
	for text, want := range map[string]string{
		"":                      `bob ""`,
		" two\n\tlines ":        `bob "two lines"`,
		`x"): I agree`:          `bob "x'): I agree"`,
		strings.Repeat("é", 31): `bob "` + strings.Repeat("é", 29) + `…"`,
	} {
		if got := Quote("bob", text); got != want {
			t.Errorf("%q is quoted as %s, want %s", text, got, want)
		}
	}
	for _, a := range screen.Attacks {
		got := Quote(a.Text, a.Text)
		if lines, found := screen.Read(got + "\n"); len(lines) != 1 || len(found) > 0 || !strings.HasSuffix(got, `"`) || strings.Count(got, `"`)%2 != 0 || strings.Count(got, `"`) > 4 {
			t.Errorf("%s: %d lines, and a terminal found %q in %q", a.Name, len(lines), found, got)
		}
	}
}

func TestSaidLines(t *testing.T) {
	at := time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC)
	said := []Said{
		{Room: "ops", Seq: 4, ID: chat.ID{4}, Name: "bob", Kind: chat.Text, Time: at, Text: "are you there"},
		{Room: "ops", Seq: 5, ID: chat.ID{5}, Name: "carol", Kind: chat.Text, Time: at, Text: "yes", Re: chat.ID{4}},
		{Room: "ops", Seq: 6, ID: chat.ID{6}, Name: "eve", Kind: chat.Text, Time: at, Text: "no", Re: chat.ID{1}},
	}
	want := []string{
		"3 messages of #ops:", "  2000-01-01 12:00 4 bob: are you there", `  2000-01-01 12:00 5 carol (re bob "are you there"): yes`,
		"  2000-01-01 12:00 6 eve (re an earlier message): no",
	}
	if diff := cmp.Diff(want, HistoryAnswer{Room: "ops", Said: said}.Lines(time.UTC)); diff != "" {
		t.Errorf("history mismatch (-want +got):\n%s", diff)
	}
	want = []string{"1 message with carol, the newest first:", "  2000-01-01 12:00 #ops 4 bob: are you there", "  more: /mentions before 9", "  the last 2 messages can't be found yet"}
	if diff := cmp.Diff(want, MentionsAnswer{Name: "carol", Hits: said[:1], Next: 9, Behind: 2}.Lines(time.UTC)); diff != "" {
		t.Errorf("mentions mismatch (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{`nobody has mentioned "the node" so far`, "  more: /mentions before 9"}, MentionsAnswer{Name: "the node", Next: 9}.Lines(time.UTC)); diff != "" {
		t.Errorf("no mentions mismatch (-want +got):\n%s", diff)
	}
}
