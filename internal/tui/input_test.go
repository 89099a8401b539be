package tui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"charm.land/lipgloss/v2"
	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/screen"
)

// checkInput holds an input to what it promises on a screen of width columns and height lines.
func checkInput(t testing.TB, in *input, width, height int) {
	t.Helper()
	text := in.value()
	if !utf8.ValidString(text) || len(text) > chat.MaxText || strings.Count(text, "\n") >= chat.MaxLines || chat.CleanText(chat.Text, text) != text {
		t.Fatalf("the input holds %+q of %d bytes", text, len(text))
	}
	before, at := in.cursor()
	if at < 0 || at > len(text) || before != text[:at] || boundary(text, at) != at {
		t.Fatalf("the cursor stands at %d in %+q", at, text)
	}
	lines := in.lines(width, height)
	if len(lines) < 1 || len(lines) > max(height, 1) {
		t.Fatalf("%d lines on a screen of %d", len(lines), height)
	}
	for _, line := range lines {
		if chat.Width(line) > max(width, 1) || strings.ContainsAny(line, "\n\t\x1b") {
			t.Fatalf("line %+q of %d columns on a screen of %d", line, chat.Width(line), width)
		}
	}
	x, y := in.position(width, height)
	if x < 0 || x >= max(width, 1) || y < 0 || y >= len(lines) {
		t.Fatalf("the cursor is at %d, %d of %d × %d", x, y, width, len(lines))
	}
	if again := in.lines(width, height); !slices.Equal(lines, again) {
		t.Fatalf("drawn twice, %q is %q", lines, again)
	}
	column := 0
	for _, wide := range chat.Characters(lines[y]) {
		if column >= x {
			break
		}
		column += wide
	}
	if column != x && !strings.Contains(text, "\t") { // a mark behind a tab stands on its last space
		t.Fatalf("the cursor is at column %d, within a character of %+q at width %d", x, lines[y], width)
	}
}

func TestInsertMakesSafe(t *testing.T) {
	for text, want := range map[string]string{
		"a\r\nb\rc\nd":           "a\nb\nc\nd",
		"tab\tstays":             "tab\tstays",
		"a\x00b\x1b[2Jc\x7f\x9b": "ab[2Jc\ufffd",
		"\u202eevil":             "evil",
		"a\xffb":                 "a\ufffdb",
		"":                       "",
	} {
		in := newInput()
		if !in.insert(text) || in.value() != want {
			t.Errorf("%+q becomes %+q, want %+q", text, in.value(), want)
		}
	}
	for _, attack := range screen.Attacks {
		in := newInput()
		in.insert(attack.Text)
		checkInput(t, in, 20, 4)
	}
}

// TestInsertInPieces: what would be cleaned as a whole is cleaned when it comes a key at a time, and what is put together by deleting too.
func TestInsertInPieces(t *testing.T) {
	heap := "a" + strings.Repeat("\u0301", 50)
	in := newInput()
	press(t, in, "'"+heap)
	if want := chat.CleanText(chat.Text, heap); in.value() != want {
		t.Errorf("typed: %+q, want %+q", in.value(), want)
	}
	in = inputOf(t, chat.CleanText(chat.Text, heap)+"|bcd")
	want := withCursor(in)
	if press(t, in, "'\u0301"); withCursor(in) != want {
		t.Errorf("one mark too many makes %+q, want %+q", withCursor(in), want)
	}
	in = inputOf(t, chat.CleanText(chat.Text, heap)+"\n|\u0301\u0301")
	if press(t, in, "backspace"); in.value() != chat.CleanText(chat.Text, heap) {
		t.Errorf("two heaps of marks make %+q", in.value())
	}
}

func TestInsertBounds(t *testing.T) {
	full := strings.Repeat("x", chat.MaxText)
	tests := map[string]struct {
		was, text string
		want      bool
	}{
		"as long as can be":    {"", full, true},
		"too long":             {"", full + "x", false},
		"one more":             {full, "x", false},
		"nothing more":         {full, "", true},
		"controls don't count": {full, "\x1b\x00", true},
		"as many lines":        {"", strings.Repeat("\n", chat.MaxLines-1), true},
		"too many lines":       {"", strings.Repeat("\n", chat.MaxLines), false},
		"one line more":        {strings.Repeat("\n", chat.MaxLines-1), "\r", false},
		"CRLF counts once":     {"", strings.Repeat("\r\n", chat.MaxLines-1), true},
		"megabyte":             {"a", strings.Repeat("x", 1<<20), false},
		"megabyte of controls": {"a", strings.Repeat("\x00", 1<<20), false},
		"not UTF-8 grows":      {"", strings.Repeat("x\xff", chat.MaxText/2), false},
	}
	for name, tt := range tests {
		in := inputOf(t, tt.was+"|")
		if got := in.insert(tt.text); got != tt.want || !got && in.value() != tt.was || got == (in.fault() != "") {
			t.Errorf("%s: insert is %v and leaves %d bytes; %q", name, got, len(in.value()), in.fault())
		}
	}
}

func TestSetAndClear(t *testing.T) {
	in := newInput()
	in.set("one\r\ntwo")
	if in.value() != "one\ntwo" || withCursor(in) != "one\ntwo|" || in.isEmpty() {
		t.Errorf("set to %q", withCursor(in))
	}
	in.set(strings.Repeat("x", chat.MaxText+1))
	if in.value() != "one\ntwo" || in.fault() == "" {
		t.Errorf("a text that is too long is set: %d bytes", len(in.value()))
	}
	if in.clear(); !in.isEmpty() || in.at != 0 {
		t.Errorf("cleared, it holds %q", in.value())
	}
	if press(t, in, "ctrl+_"); in.value() != "one\ntwo" {
		t.Errorf("undo brings %q back", in.value())
	}
	in.remember(in.value())
	in.clear()
	if press(t, in, "ctrl+_"); !in.isEmpty() {
		t.Errorf("undo brings back what was sent: %q", in.value())
	}
}

func TestUndoIsBounded(t *testing.T) {
	in := newInput()
	for range 2 * maxUndo {
		in.insert("x")
	}
	if len(in.past) != maxUndo {
		t.Errorf("%d steps can be undone", len(in.past))
	}
	for range maxUndo + 1 {
		press(t, in, "ctrl+_")
	}
	if len(in.value()) != maxUndo {
		t.Errorf("undone, it holds %d bytes", len(in.value()))
	}
}

func TestReplace(t *testing.T) {
	tests := map[string]struct {
		text     string
		from, to int
		with     string
		want     string
	}{
		"word":            {"hi car|", 3, 6, "carol ", "hi carol |"},
		"in between":      {"car there|", 0, 3, "carol:", "carol:| there"},
		"none":            {"ab|", 1, 1, "x", "ax|b"},
		"out of bounds":   {"ab|", -5, 50, "x", "x|"},
		"backwards":       {"abc|", 2, 1, "x", "abx|c"},
		"within a letter": {"é|", 1, 1, "x", "éx|"},
		"within a family": {"👨\u200d👩|", 4, 7, "x", "👨\u200d👩x|"},
		"hostile":         {"a|", 1, 1, "\x1b[2J", "a[2J|"},
	}
	for name, tt := range tests {
		in := inputOf(t, tt.text)
		if in.replace(tt.from, tt.to, tt.with); withCursor(in) != tt.want {
			t.Errorf("%s: %+q, want %+q", name, withCursor(in), tt.want)
		}
	}
}

func TestLines(t *testing.T) {
	const family = "👨\u200d👩\u200d👧"
	tests := map[string]struct {
		text          string
		width, height int
		want          []string
		x, y          int
	}{
		"empty":             {"|", 10, 3, []string{""}, 0, 0},
		"one":               {"hello|", 10, 3, []string{"hello"}, 5, 0},
		"between words":     {"hello there|", 8, 3, []string{"hello ", "there"}, 5, 1},
		"within a word":     {"hellothere|", 4, 9, []string{"hell", "othe", "re"}, 2, 2},
		"word and long":     {"ab cdefghij|", 4, 9, []string{"ab ", "cdef", "ghij", ""}, 0, 3},
		"full":              {"hell|", 4, 3, []string{"hell", ""}, 0, 1},
		"full, not there":   {"hel|l", 4, 3, []string{"hell"}, 3, 0},
		"full, then more":   {"hell|\nx", 4, 3, []string{"hell", "", "x"}, 0, 1},
		"cut at a space":    {"hell| o", 4, 3, []string{"hell", " o"}, 0, 1},
		"lines":             {"a\n\n|b", 4, 5, []string{"a", "", "b"}, 0, 2},
		"newline at end":    {"a\n|", 4, 5, []string{"a", ""}, 0, 1},
		"scrolls down":      {"a\nb\nc\nd|", 4, 2, []string{"c", "d"}, 1, 1},
		"scrolls up":        {"|a\nb\nc\nd", 4, 2, []string{"a", "b"}, 0, 0},
		"wide":              {"小林小林|", 5, 5, []string{"小林", "小林"}, 4, 1},
		"wide in a column":  {"小a|", 1, 9, []string{"…", "a", ""}, 0, 2},
		"family":            {"abc" + family + "|d", 4, 5, []string{"abc", family + "d"}, 2, 1},
		"flags":             {"🇩🇪🇯🇵|", 3, 5, []string{"🇩🇪", "🇯🇵"}, 2, 1},
		"marks":             {"e\u0301e\u0301e\u0301|", 2, 5, []string{"e\u0301e\u0301", "e\u0301"}, 1, 1},
		"space in the next": {"ab cd e|", 5, 3, []string{"ab cd", " e"}, 2, 1},
		"behind a wide one": {"小小ab|", 5, 3, []string{"小小", "ab"}, 2, 1},
		"nothing to see":    {"小\u200b|", 2, 3, []string{"小", "\u200b"}, 0, 1},
		"tab":               {"a\tb|", 10, 5, []string{"a    b"}, 6, 0},
		"wider than wide":   {"ष\u093f\u093fa|", 2, 5, []string{"…a", ""}, 0, 1},
		"tab and wrap":      {"abc\td|", 5, 5, []string{"abc", "    d", ""}, 0, 2},
		"tab in two":        {"\td|", 2, 5, []string{"  ", "d"}, 1, 1},
		"Thai":              {"กำกำ|", 20, 5, []string{"กำกำ"}, 4, 0},
		"no width":          {"ab|", 0, 5, []string{"a", "b", ""}, 0, 2},
		"no height":         {"a\nb|", 5, 0, []string{"b"}, 1, 0},
		"less than nothing": {"a\nb|", -5, -1, []string{""}, 0, 0},
	}
	for name, tt := range tests {
		in := inputOf(t, tt.text)
		got := in.lines(tt.width, tt.height)
		x, y := in.position(tt.width, tt.height)
		if diff := cmp.Diff(tt.want, got); diff != "" || x != tt.x || y != tt.y {
			t.Errorf("%s: cursor at %d, %d, want %d, %d; lines (-want +got):\n%s", name, x, y, tt.x, tt.y, diff)
		}
		checkInput(t, in, tt.width, tt.height)
	}
}

// TestWrapKeepsAll: the rows are the text, whole, in order, at every width.
func TestWrapKeepsAll(t *testing.T) {
	for _, text := range []string{"", "\n", "one two  three\n\nfour\n", "小林 says 你好，世界 to 👨\u200d👩\u200d👧 and 🇩🇪🇯🇵", "\t\u0301a\tb", strings.Repeat("e\u0301", 30), "\u0301\u200b\u0301"} {
		for width := 1; width < 20; width++ {
			end := 0
			for i, r := range wrap(text, width) {
				if i > 0 && r.from != end {
					if end++; text[end-1] != '\n' {
						t.Fatalf("%+q at %d: %+q is in no row", text, width, text[end-1:r.from])
					}
				}
				if r.from != end || r.to < r.from || widthOf(text[r.from:r.to], width) > width || strings.Contains(text[r.from:r.to], "\n") {
					t.Fatalf("%+q at %d has the row %v behind %d", text, width, r, end)
				}
				end = r.to
			}
			if end != len(text) {
				t.Fatalf("%+q at %d ends at %d", text, width, end)
			}
		}
	}
}

// TestScrollsNoMoreThanNeeded: the rows on the screen stay where they are while the cursor moves among them.
func TestScrollsNoMoreThanNeeded(t *testing.T) {
	in := inputOf(t, "a\nb\nc\nd\ne|")
	for _, step := range []struct{ key, want string }{{"", "c d e"}, {"up", "c d e"}, {"up", "c d e"}, {"up", "b c d"}, {"down", "b c d"}, {"ctrl+end", "c d e"}, {"backspace", "c d "}, {"backspace", "b c d"}} {
		if step.key != "" {
			press(t, in, step.key)
		}
		if got := strings.Join(in.lines(10, 3), " "); got != step.want {
			t.Errorf("after %s: %q, want %q", step.key, got, step.want)
		}
	}
}

func TestStyles(t *testing.T) {
	in := inputOf(t, "hello|")
	in.setStyles(lipgloss.NewStyle().Bold(true), lipgloss.NewStyle().Faint(true))
	if got := in.lines(10, 1)[0]; got != lipgloss.NewStyle().Bold(true).Render("hello") || got == "hello" {
		t.Errorf("drawn as %q", got)
	}
	in.remember("good morning")
	press(t, in, "ctrl+r", "'morn")
	want := lipgloss.NewStyle().Faint(true).Render("good ") + lipgloss.NewStyle().Bold(true).Render("morn") + lipgloss.NewStyle().Faint(true).Render("ing")
	if got := in.lines(20, 1)[0]; got != want {
		t.Errorf("what is searched for is drawn as %q, want %q", got, want)
	}
}

func TestDrafts(t *testing.T) {
	in := newInput()
	in.switchTo("#a")
	press(t, in, "'one", "left")
	in.switchTo("#b")
	if !in.isEmpty() || len(in.past) != 0 {
		t.Fatalf("#b begins with %q", in.value())
	}
	press(t, in, "'two")
	if in.switchTo("#a"); withCursor(in) != "on|e" {
		t.Errorf("#a holds %q", withCursor(in))
	}
	in.switchTo("#a")
	if diff := cmp.Diff([]string{"#a", "#b"}, in.drafts()); diff != "" {
		t.Errorf("drafts (-want +got):\n%s", diff)
	}
	in.forget("#b")
	in.forget("#b")
	in.forget("#never")
	if in.switchTo("#b"); !in.isEmpty() {
		t.Errorf("#b was forgotten and holds %q", in.value())
	}
	in.switchTo("#a")
	in.forget("#a")
	if in.switchTo("#b"); len(in.drafts()) != 0 {
		t.Errorf("there are drafts of %q", in.drafts())
	}
}

// TestDraftsKeepWhatWasTyped: whatever is going on in a place, leaving it and coming back loses nothing that was typed.
func TestDraftsKeepWhatWasTyped(t *testing.T) {
	in := newInput()
	in.remember("sent")
	press(t, in, "'typed", "up")
	in.switchTo("#b")
	if diff := cmp.Diff([]string{""}, in.drafts()); diff != "" {
		t.Errorf("drafts (-want +got):\n%s", diff)
	}
	if in.switchTo(""); in.value() != "sent" {
		t.Errorf("came back to %q", in.value())
	}
	if press(t, in, "down"); in.value() != "typed" {
		t.Errorf("behind the history is %q", in.value())
	}
	press(t, in, "ctrl+u")
	if got := in.drafts(); len(got) != 0 {
		t.Errorf("after it is gone there are drafts of %q", got)
	}
	in.remember("again")
	press(t, in, "ctrl+y", "up", "ctrl+u")
	in.switchTo("#b")
	in.switchTo("")
	if press(t, in, "down"); in.value() != "typed" {
		t.Errorf("behind what was emptied is %q", in.value())
	}
	press(t, in, "ctrl+r", "'se")
	in.switchTo("#b")
	if in.switchTo(""); in.value() != "typed" {
		t.Errorf("a search leaves %q", in.value())
	}
}

func TestDraftsAreBounded(t *testing.T) {
	in := newInput()
	for i := range maxDrafts + 10 {
		in.switchTo(fmt.Sprintf("#%d", i))
		press(t, in, "'x")
	}
	in.switchTo("#last")
	if got := in.drafts(); len(got) != maxDrafts || slices.Contains(got, "#9") || !slices.Contains(got, "#10") {
		t.Errorf("%d drafts are kept", len(got))
	}
	for i := range 1000 {
		in.switchTo(fmt.Sprintf("#empty%d", i))
	}
	if got := len(in.kept) + len(in.order); got != 2*maxDrafts {
		t.Errorf("empty places are kept: %d", got)
	}
}
