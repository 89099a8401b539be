package tui

import (
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/chat"
)

// inputAfter returns an input after lines were sent.
func inputAfter(lines ...string) *input {
	in := newInput()
	for _, line := range lines {
		in.remember(line)
	}
	return in
}

func TestHistory(t *testing.T) {
	tests := map[string]struct {
		keys []string
		want string
	}{
		"latest first":              {[]string{"up"}, "three|"},
		"then the one before":       {[]string{"up", "up"}, "two|"},
		"to the first":              {[]string{"up", "up", "up", "up", "up"}, "one|"},
		"and back":                  {[]string{"up", "up", "up", "down"}, "two|"},
		"and behind the last":       {[]string{"up", "up", "down", "down", "down"}, "|"},
		"what was typed comes back": {[]string{"'typ", "left", "up", "up", "down", "down"}, "ty|p"},
		"what was changed stays":    {[]string{"up", "'!", "up", "down"}, "three!|"},
		"and the line is as it was": {[]string{"up", "'!", "up", "down", "ctrl+_"}, "three!|"},
		"down alone":                {[]string{"'typ", "down"}, "typ|"},
		"undo stays on its line":    {[]string{"'typ", "up", "ctrl+_"}, "three|"},
	}
	for name, tt := range tests {
		in := inputAfter("one", "two", "three")
		if press(t, in, tt.keys...); withCursor(in) != tt.want {
			t.Errorf("%s: %q, want %q", name, withCursor(in), tt.want)
		}
	}
}

func TestHistoryOfSeveralLines(t *testing.T) {
	in := inputAfter("zero", "one\ntwo")
	for i, want := range []string{"one\ntwo|", "one|\ntwo", "zero|"} {
		if press(t, in, "up"); withCursor(in) != want {
			t.Errorf("up %d: %q, want %q", i+1, withCursor(in), want)
		}
	}
	in = inputAfter("sent")
	press(t, in, "'a", "alt+enter", "'b")
	for i, want := range []string{"a|\nb", "sent|"} {
		if press(t, in, "up"); withCursor(in) != want {
			t.Errorf("up %d from two lines: %q, want %q", i+1, withCursor(in), want)
		}
	}
	if press(t, in, "down"); withCursor(in) != "a|\nb" {
		t.Errorf("down: %q", withCursor(in))
	}
}

// TestHistoryByRows: a line that the screen wraps is gone through by its rows.
func TestHistoryByRows(t *testing.T) {
	in := inputAfter("sent")
	press(t, in, "'one two three")
	in.lines(5, 10)
	for i, want := range []string{"one two t|hree", "one t|wo three", "o|ne two three", "sent|"} {
		if i == 0 {
			press(t, in, "left", "left", "left", "left")
			continue
		}
		if press(t, in, "up"); withCursor(in) != want {
			t.Errorf("up %d: %q, want %q", i, withCursor(in), want)
		}
	}
}

func TestRememberOnceAndSafely(t *testing.T) {
	in := inputAfter("a", "a", "b", "a", "", " \n", "x\r\ny", strings.Repeat("x", chat.MaxText+1), strings.Repeat("\n", chat.MaxLines)+"x", "\x1b[2J\u202e")
	if n := len(in.history.lines); n != 5 {
		t.Errorf("%d lines are kept: %q", n, in.history.lines)
	}
	var got []string
	for range 10 {
		press(t, in, "ctrl+home", "up")
		got = append(got, in.value())
	}
	if want := []string{"[2J", "x\ny", "a", "b", "a"}; strings.Join(got[:5], "|") != strings.Join(want, "|") || got[9] != "a" {
		t.Errorf("up brings %q, want %q", got, want)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	in := newInput()
	for i := range 3 * maxHistory {
		in.remember(fmt.Sprint(i))
	}
	if n := len(in.history.lines); n != maxHistory || in.history.newest() != fmt.Sprint(3*maxHistory-1) {
		t.Errorf("%d lines are kept", n)
	}
	long := strings.Repeat("x", chat.MaxText-8)
	for i := range 300 {
		in.remember(fmt.Sprint(i, long))
	}
	sum := 0
	for _, line := range in.history.lines {
		sum += len(line)
	}
	if sum > maxHistoryBytes || sum < maxHistoryBytes-2*chat.MaxText || sum != in.history.bytes {
		t.Errorf("%d bytes are kept, by its own count %d", sum, in.history.bytes)
	}
}

// TestHistoryMovesOn: what is sent while an earlier line is shown shifts nothing, and neither does what the history lets go of.
func TestHistoryMovesOn(t *testing.T) {
	in := inputAfter("one", "two")
	press(t, in, "'typed", "up", "up")
	in.remember("three")
	if press(t, in, "down"); in.value() != "two" {
		t.Errorf("behind one comes %q", in.value())
	}
	for i := range 2 * maxHistory {
		in.remember(fmt.Sprint(i))
	}
	if press(t, in, "up"); in.value() != "two" {
		t.Errorf("before what is gone is %q", in.value())
	}
	if press(t, in, "down"); in.value() != fmt.Sprint(maxHistory) {
		t.Errorf("behind what is gone is %q", in.value())
	}
	for range maxHistory {
		press(t, in, "down")
	}
	if in.value() != "typed" {
		t.Errorf("behind all is %q", in.value())
	}
}

func TestSearch(t *testing.T) {
	const prompt = "(reverse-i-search)`"
	lines := []string{"good morning", "see you Monday", "lunch?", "good night", "mörgen"}
	tests := map[string]struct {
		keys   []string
		want   string
		prompt string
	}{
		"begins with what is there": {[]string{"'typ", "ctrl+r"}, "typ|", prompt + "': "},
		"finds the latest":          {[]string{"ctrl+r", "'good"}, "|good night", prompt + "good': "},
		"goes on":                   {[]string{"ctrl+r", "'good", "ctrl+r"}, "|good morning", prompt + "good': "},
		"goes back":                 {[]string{"ctrl+r", "'good", "ctrl+r", "ctrl+s"}, "|good night", prompt + "good': "},
		"goes on no further":        {[]string{"ctrl+r", "'good", "ctrl+r", "ctrl+r"}, "|good morning", "(failed reverse-i-search)`good': "},
		"fails":                     {[]string{"ctrl+r", "'goodx"}, "|good night", "(failed reverse-i-search)`goodx': "},
		"finds what is typed next":  {[]string{"ctrl+r", "'goo", "'d mo"}, "|good morning", prompt + "good mo': "},
		"stays where it still fits": {[]string{"ctrl+r", "'good", "ctrl+r", "' "}, "|good morning", prompt + "good ': "},
		"finds it within a line":    {[]string{"ctrl+r", "'you"}, "see |you Monday", prompt + "you': "},
		"takes no notice of case":   {[]string{"ctrl+r", "'mond"}, "see you |Monday", prompt + "mond': "},
		"unless there is a capital": {[]string{"ctrl+r", "'Mor"}, "see you |Monday", "(failed reverse-i-search)`Mor': "},
		"takes a letter back":       {[]string{"ctrl+r", "'goodx", "backspace"}, "|good night", prompt + "good': "},
		"takes all back":            {[]string{"'typ", "ctrl+r", "'l", "backspace", "ctrl+h"}, "typ|", prompt + "': "},
		"takes a mark back":         {[]string{"ctrl+r", "'mo\u0308", "backspace"}, "|mörgen", prompt + "m': "},
		"space":                     {[]string{"ctrl+r", "' you "}, "see| you Monday", prompt + " you ': "},
		"newer than none":           {[]string{"ctrl+r", "ctrl+s"}, "|", prompt + "': "},

		"esc takes it":           {[]string{"'typ", "ctrl+r", "'you", "esc"}, "see |you Monday", ""},
		"ctrl-j takes it":        {[]string{"'typ", "ctrl+r", "'you", "ctrl+j"}, "see |you Monday", ""},
		"what was typed is kept": {[]string{"'typ", "ctrl+r", "'good", "esc", "down", "down"}, "typ|", ""},
		"a key takes it":         {[]string{"ctrl+r", "'you", "ctrl+e", "'!"}, "see you Monday!|", ""},
		"up goes on from it":     {[]string{"ctrl+r", "'you", "up"}, "good morning|", ""},
		"ctrl-g gives it up":     {[]string{"'typ", "left", "ctrl+r", "'you", "ctrl+g"}, "ty|p", ""},
		"ctrl-c gives it up":     {[]string{"'typ", "ctrl+r", "'you", "ctrl+c"}, "typ|", ""},
		"nothing found, taken":   {[]string{"'typ", "ctrl+r", "'zzz", "esc"}, "typ|", ""},
		"again, the same":        {[]string{"ctrl+r", "'you", "ctrl+g", "ctrl+r", "ctrl+r"}, "see |you Monday", prompt + "you': "},
		"again, nothing":         {[]string{"ctrl+r", "ctrl+r"}, "|", prompt + "': "},
	}
	for name, tt := range tests {
		in := inputAfter(lines...)
		press(t, in, tt.keys...)
		prompt, on := in.searching()
		if withCursor(in) != tt.want || prompt != tt.prompt || on != (tt.prompt != "") {
			t.Errorf("%s: %q behind %q, want %q behind %q", name, withCursor(in), prompt, tt.want, tt.prompt)
		}
	}
}

// TestSearchEnds: whatever else happens to the input ends a search, and leaves no prompt behind.
func TestSearchEnds(t *testing.T) {
	for name, do := range map[string]func(in *input){
		"set":     func(in *input) { in.set("other") },
		"clear":   func(in *input) { in.clear() },
		"place":   func(in *input) { in.switchTo("#b") },
		"forget":  func(in *input) { in.forget("") },
		"editor":  func(in *input) { _ = in.composed(composed{text: "other"}) },
		"replace": func(in *input) { in.replace(0, 1, "G") },
	} {
		in := inputAfter("good morning")
		press(t, in, "ctrl+r", "'morn")
		do(in)
		if _, on := in.searching(); on {
			t.Errorf("%s: the search goes on", name)
		}
		checkInput(t, in, 20, 3)
	}
}

func TestSearchTakesPastes(t *testing.T) {
	in := inputAfter("good morning")
	press(t, in, "ctrl+r")
	if !in.insert("good\x1b mo") || in.value() != "good morning" {
		t.Errorf("a paste finds %q", in.value())
	}
	if in.insert(strings.Repeat("x", 1<<20)) || in.insert(strings.Repeat("x", maxSought)) {
		t.Error("too much is searched for")
	}
	if prompt, _ := in.searching(); prompt != "(reverse-i-search)`good mo': " {
		t.Errorf("the prompt is %q", prompt)
	}
	in.insert("\n\x1b[2J\u202e")
	if prompt, _ := in.searching(); prompt != "(failed reverse-i-search)`good mo [2J': " {
		t.Errorf("the prompt is %q", prompt)
	}
}

// TestSearchGoesOn: a key that is none of the input's leaves a search as it is.
func TestSearchGoesOn(t *testing.T) {
	in := inputAfter("good morning")
	press(t, in, "ctrl+r", "'morn")
	if in.handle(keyNamed(t, "pgup")) {
		t.Error("PgUp belongs to the input")
	}
	if _, on := in.searching(); !on || withCursor(in) != "good |morning" {
		t.Errorf("PgUp leaves %q", withCursor(in))
	}
}

// TestSearchByBytes: where a small letter is longer than its capital, the cursor still finds its place; and what is typed is never a key.
func TestSearchByBytes(t *testing.T) {
	in := inputAfter("ȺȺ needle")
	press(t, in, "ctrl+r", "'nee")
	in.handle(tea.KeyPressMsg{Code: tea.KeyEscape, Text: "d"})
	if prompt, _ := in.searching(); withCursor(in) != "ȺȺ |needle" || prompt != "(reverse-i-search)`need': " {
		t.Errorf("%q behind %q", withCursor(in), prompt)
	}
}

// TestSearchOutlivesItsLine: the line that was found may go while it is shown.
func TestSearchOutlivesItsLine(t *testing.T) {
	in := inputAfter("needle")
	press(t, in, "'typ", "ctrl+r", "'need")
	for i := range 2 * maxHistory {
		in.remember(fmt.Sprint(i))
	}
	if press(t, in, "ctrl+r", "esc"); in.value() != "needle" {
		t.Errorf("taken: %q", in.value())
	}
	if press(t, in, "ctrl+_"); in.value() != "typ" {
		t.Errorf("undone: %q", in.value())
	}
}
