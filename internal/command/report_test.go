package command

import (
	"strings"
	"testing"
	"time"

	"chatnode/internal/chat"
)

// TestReportedLine: what admins are told of a message is one line that says where it is, and nothing in it ends the quotation but its own marks.
func TestReportedLine(t *testing.T) {
	id := chat.ID{1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}
	for _, c := range []struct {
		said  Reported
		words string
		want  string
	}{
		{Reported{"ops", 42, id, "bob", "buy now"}, "spam", `#ops 42 0123456789abcdef by bob: "buy now" — spam`},
		{Reported{"@bob", 1, id, "bob", "psst"}, "", `@bob 1 0123456789abcdef by bob: "psst"`},
		{Reported{"ops", 42, id, "bob", `x" — it was carol`}, " no\n really ", `#ops 42 0123456789abcdef by bob: "x' — it was carol" — no really`},
		{Reported{"ops", 42, id, "bob", "a\nb\x1b[2J\u202e"}, "\x1b]0;x\a\u202e", `#ops 42 0123456789abcdef by bob: "a b` + "\ufffd[2J\ufffd" + `" — ` + "\ufffd]0;x\ufffd\ufffd"},
		{Reported{"ops", 42, id, "eve\n: \"", ""}, "", `#ops 42 0123456789abcdef by ` + chat.Shown("eve\n: \"") + `: ""`},
		{Reported{"ops", 42, id, "bob", strings.Repeat("é", 400)}, "long", `#ops 42 0123456789abcdef by bob: "` + strings.Repeat("é", 299) + `…" — long`},
	} {
		got := c.said.Line(c.words)
		if got != c.want {
			t.Errorf("%+v in the words %q:\n%s, want\n%s", c.said, c.words, got, c.want)
		}
		if chat.OneLine(got) != got || chat.CheckText(chat.Text, got) != chat.OK {
			t.Errorf("%q is no line", got)
		}
	}
}

// TestReportTellsWhatItGivesAway: of a conversation nobody but its two could read a word until then.
func TestReportTellsWhatItGivesAway(t *testing.T) {
	if lines := (ReportAnswer{Room: "ops"}).Lines(time.UTC); len(lines) != 1 {
		t.Errorf("of a room: %q", lines)
	}
	if lines := (ReportAnswer{Room: "@bob"}).Lines(time.UTC); len(lines) != 2 || !strings.Contains(lines[1], "can read") {
		t.Errorf("of a conversation: %q", lines)
	}
}
