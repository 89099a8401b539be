package tui

import (
	"strings"
	"testing"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/chat"
)

// keyCodes are the keys that are called by a name of more than one letter.
var keyCodes = map[string]rune{
	"enter": tea.KeyEnter, "tab": tea.KeyTab, "esc": tea.KeyEscape, "backspace": tea.KeyBackspace, "delete": tea.KeyDelete, "left": tea.KeyLeft, "right": tea.KeyRight,
	"up": tea.KeyUp, "down": tea.KeyDown, "home": tea.KeyHome, "end": tea.KeyEnd, "pgup": tea.KeyPgUp, "space": tea.KeySpace, "f7": tea.KeyF7,
}

// keyNamed returns the key that is called name, such as "ctrl+a".
func keyNamed(t testing.TB, name string) tea.KeyPressMsg {
	t.Helper()
	k, rest := tea.KeyPressMsg{}, name
	for mod, bit := range map[string]tea.KeyMod{"ctrl+": tea.ModCtrl, "alt+": tea.ModAlt, "shift+": tea.ModShift} {
		if strings.Contains(rest, mod) {
			k.Mod |= bit
			rest = strings.Replace(rest, mod, "", 1)
		}
	}
	if code, ok := keyCodes[rest]; ok {
		k.Code = code
	} else {
		k.Code, _ = utf8.DecodeRuneInString(rest)
	}
	if k.Keystroke() != name {
		t.Fatalf("key %q is %q", name, k.Keystroke())
	}
	return k
}

// press presses keys by name; what begins with a quote is typed, a rune at a time.
func press(t testing.TB, in *input, keys ...string) {
	t.Helper()
	for _, name := range keys {
		if text, ok := strings.CutPrefix(name, "'"); ok {
			for _, r := range text {
				if !in.handle(tea.KeyPressMsg{Code: r, Text: string(r)}) {
					t.Fatalf("%q is not typed", r)
				}
			}
		} else if !in.handle(keyNamed(t, name)) {
			t.Fatalf("%s does nothing", name)
		}
	}
}

// inputOf returns an input with the cursor where | stands.
func inputOf(t testing.TB, text string) *input {
	t.Helper()
	before, after, _ := strings.Cut(text, "|")
	in := newInput()
	in.set(before + after)
	in.at = len(before)
	in.past = nil
	in.lines(80, 10)
	return in
}

// withCursor returns the text with | for the cursor.
func withCursor(in *input) string { return in.text[:in.at] + "|" + in.text[in.at:] }

func TestKeys(t *testing.T) {
	const family = "👨\u200d👩\u200d👧"
	tests := map[string]struct {
		text string
		keys []string
		want string
	}{
		"type":                  {"|", []string{"'hello there"}, "hello there|"},
		"type in between":       {"he|o", []string{"'ll"}, "hell|o"},
		"type a mark":           {"e|f", []string{"'\u0301"}, "e\u0301|f"},
		"type a flag":           {"|", []string{"'🇩🇪🇯🇵"}, "🇩🇪🇯🇵|"},
		"half a flag joins":     {"|🇪x", []string{"'🇩"}, "🇩🇪|x"},
		"type the name of keys": {"|", []string{"'up"}, "up|"},

		"left":                    {"abc|", []string{"left", "ctrl+b"}, "a|bc"},
		"left at the start":       {"|abc", []string{"left"}, "|abc"},
		"left over a line":        {"a\n|b", []string{"left"}, "a|\nb"},
		"left over a family":      {"a" + family + "|", []string{"left"}, "a|" + family},
		"left over marks":         {"Zoe\u0308|", []string{"left"}, "Zo|e\u0308"},
		"left over flags":         {"🇩🇪🇯🇵|", []string{"left"}, "🇩🇪|🇯🇵"},
		"right":                   {"|abc", []string{"right", "ctrl+f"}, "ab|c"},
		"right at the end":        {"abc|", []string{"right"}, "abc|"},
		"right over a line":       {"a|\nb", []string{"right"}, "a\n|b"},
		"right over a family":     {"|" + family + "a", []string{"right"}, family + "|a"},
		"right over Hangul":       {"|ᄒ\u1161\u11abx", []string{"right"}, "ᄒ\u1161\u11ab|x"},
		"word left":               {"one two, |", []string{"alt+b"}, "one |two, "},
		"word left twice":         {"one two|", []string{"alt+b", "ctrl+left"}, "|one two"},
		"word left over a line":   {"one\n|two", []string{"alt+b"}, "|one\ntwo"},
		"word left, accents":      {"grüße Zoe\u0308|", []string{"alt+b"}, "grüße |Zoe\u0308"},
		"word left in between":    {"one tw|o", []string{"alt+b"}, "one |two"},
		"word left of none":       {"...|", []string{"alt+b"}, "|..."},
		"word right":              {"|one two", []string{"alt+f"}, "one| two"},
		"word right twice":        {"|one, two.", []string{"alt+f", "ctrl+right"}, "one, two|."},
		"word right of none":      {"|...", []string{"alt+f"}, "...|"},
		"line start":              {"one\ntwo|", []string{"ctrl+a"}, "one\n|two"},
		"line start again":        {"one\n|two", []string{"home"}, "one\n|two"},
		"line end":                {"o|ne\ntwo", []string{"ctrl+e"}, "one|\ntwo"},
		"line end again":          {"one|\ntwo", []string{"end"}, "one|\ntwo"},
		"text start":              {"one\ntw|o", []string{"ctrl+home"}, "|one\ntwo"},
		"text end":                {"o|ne\ntwo", []string{"ctrl+end"}, "one\ntwo|"},
		"up and down":             {"one two\nx\nthree f|our", []string{"up", "up", "down", "down"}, "one two\nx\nthree f|our"},
		"up over a shorter":       {"one two three\nx\nthree f|our", []string{"up", "up"}, "one two| three\nx\nthree four"},
		"up and typed":            {"one\nx\ntwo|", []string{"up", "'y", "up"}, "on|e\nxy\ntwo"},
		"up and moved":            {"one two three\nx\nthree f|our", []string{"up", "left", "up"}, "|one two three\nx\nthree four"},
		"up beside wide ones":     {"小林小林\nab|cd", []string{"up"}, "小|林小林\nabcd"},
		"up within a wide one":    {"小林小林\nabc|d", []string{"up"}, "小|林小林\nabcd"},
		"up beside a tab":         {"\tx\nabcde|", []string{"up"}, "\tx|\nabcde"},
		"up from the first":       {"o|ne\ntwo", []string{"up"}, "o|ne\ntwo"},
		"down from the last":      {"one\nt|wo", []string{"down"}, "one\nt|wo"},
		"backspace":               {"ab|c", []string{"backspace"}, "a|c"},
		"backspace at the start":  {"|c", []string{"backspace"}, "|c"},
		"backspace a line":        {"a\n|c", []string{"ctrl+h"}, "a|c"},
		"backspace a family":      {"a" + family + "|c", []string{"backspace"}, "a|c"},
		"backspace a mark's base": {"Zoe\u0308|", []string{"shift+backspace"}, "Zo|"},
		"backspace a flag":        {"🇩🇪🇯🇵|", []string{"backspace"}, "🇩🇪|"},
		"backspace Thai":          {"กำ|", []string{"backspace"}, "|"},
		"backspace Arabic":        {"سلا\u064b|م", []string{"backspace"}, "سل|م"},
		"delete":                  {"a|bc", []string{"delete"}, "a|c"},
		"delete at the end":       {"abc|", []string{"ctrl+d"}, "abc|"},
		"delete a line":           {"a|\nc", []string{"ctrl+d"}, "a|c"},
		"delete a keycap":         {"a|1\ufe0f\u20e3c", []string{"delete"}, "a|c"},
		"newline":                 {"a|b", []string{"alt+enter"}, "a\n|b"},
		"newlines":                {"a|b", []string{"shift+enter", "ctrl+j"}, "a\n\n|b"},

		"kill to space":            {"see a/b.c |x", []string{"ctrl+w"}, "see |x"},
		"kill a word":              {"see a/b.c |x", []string{"alt+backspace"}, "see a/b.|x"},
		"kill a word, ctrl":        {"see a/b.c |x", []string{"ctrl+backspace"}, "see a/b.|x"},
		"kill a word forward":      {"see| the sea", []string{"alt+d"}, "see| sea"},
		"kill a word forward, too": {"see| the sea", []string{"alt+delete", "ctrl+delete"}, "see|"},
		"kill the line before":     {"one\ntwo thr|ee", []string{"ctrl+u"}, "one\n|ee"},
		"kill the newline before":  {"one\n|ee", []string{"ctrl+u"}, "one|ee"},
		"kill before the start":    {"|ee", []string{"ctrl+u"}, "|ee"},
		"kill the line behind":     {"one| two\nthree", []string{"ctrl+k"}, "one|\nthree"},
		"kill the newline behind":  {"one|\nthree", []string{"ctrl+k"}, "one|three"},
		"kill behind the end":      {"one|", []string{"ctrl+k"}, "one|"},
		"yank":                     {"one two|", []string{"ctrl+w", "ctrl+a", "ctrl+y"}, "two|one "},
		"yank twice":               {"one two|", []string{"ctrl+w", "ctrl+y", "ctrl+y"}, "one twotwo|"},
		"yank nothing":             {"one|", []string{"ctrl+y"}, "one|"},
		"kills add up":             {"one two three|", []string{"ctrl+w", "ctrl+w", "ctrl+y", "ctrl+y"}, "one two threetwo three|"},
		"kills add up, both ways":  {"one two| three", []string{"ctrl+w", "ctrl+k", "ctrl+a", "ctrl+y"}, "two three|one "},
		"kills apart":              {"one two three|", []string{"ctrl+w", "left", "ctrl+w", "ctrl+y"}, "one two| "},
		"kills with typing apart":  {"one two |", []string{"ctrl+w", "'x", "ctrl+w", "ctrl+y"}, "one x|"},
		"a kill of nothing":        {"|one", []string{"ctrl+k", "ctrl+k", "ctrl+y"}, "one|"},

		"transpose":              {"ab|cd", []string{"ctrl+t"}, "acb|d"},
		"transpose at the end":   {"abcd|", []string{"ctrl+t"}, "abdc|"},
		"transpose at the start": {"|abcd", []string{"ctrl+t"}, "|abcd"},
		"transpose one":          {"a|", []string{"ctrl+t"}, "a|"},
		"transpose a family":     {"a" + family + "|", []string{"ctrl+t"}, family + "a|"},
		"transpose in a line":    {"ab\n|cd", []string{"ctrl+t"}, "ab\n|cd"},

		"undo":               {"one |two", []string{"ctrl+k", "ctrl+_"}, "one |two"},
		"undo what is typed": {"|", []string{"'one two", "ctrl+_"}, "one|"},
		"undo twice":         {"|", []string{"'one two", "ctrl+/", "ctrl+/"}, "|"},
		"undo too often":     {"|", []string{"'one", "ctrl+_", "ctrl+_", "ctrl+_"}, "|"},
		"undo a yank":        {"one|", []string{"ctrl+w", "ctrl+y", "ctrl+y", "ctrl+_"}, "one|"},
		"undo behind a move": {"|", []string{"'one", "left", "'x", "ctrl+_"}, "on|e"},
	}
	for name, tt := range tests {
		in := inputOf(t, tt.text)
		press(t, in, tt.keys...)
		if got := withCursor(in); got != tt.want {
			t.Errorf("%s: %+q becomes %+q, want %+q", name, tt.text, got, tt.want)
		}
	}
}

// TestKeysOfOthers: the input leaves alone what the program does.
func TestKeysOfOthers(t *testing.T) {
	for _, name := range []string{"enter", "tab", "shift+tab", "esc", "ctrl+c", "ctrl+g", "ctrl+n", "ctrl+p", "alt+left", "alt+right", "alt+up", "alt+down", "alt+1", "alt+a", "alt+n",
		"alt+p", "alt+l", "alt+o", "ctrl+l", "ctrl+x", "ctrl+z", "ctrl+v", "pgup", "f7", "ctrl+s"} {
		in := inputOf(t, "a|b")
		if in.handle(keyNamed(t, name)) || withCursor(in) != "a|b" {
			t.Errorf("the input handles %s: %q", name, withCursor(in))
		}
	}
	in := newInput()
	if in.handle(tea.KeyPressMsg{Code: 'a', Text: "a", Mod: tea.ModAlt}) || !in.isEmpty() {
		t.Errorf("Alt-A types %q", in.value())
	}
	if !in.handle(tea.KeyPressMsg{Code: 'a', Text: "A", Mod: tea.ModShift}) || in.value() != "A" {
		t.Errorf("Shift-A types %q", in.value())
	}
	if in.set(""); !in.handle(tea.KeyPressMsg{Code: tea.KeyExtended, Text: "enter"}) || in.value() != "enter" {
		t.Errorf("a text that is a key's name types %q", in.value())
	}
}

// TestKillsApart: what is put in between two kills keeps them apart, be it by no key.
func TestKillsApart(t *testing.T) {
	in := inputOf(t, "one two|")
	press(t, in, "ctrl+w")
	in.insert("three")
	if press(t, in, "ctrl+w", "ctrl+y", "ctrl+y"); in.value() != "one threethree" {
		t.Errorf("%q", in.value())
	}
}

// TestUpToANarrowRow: the cursor stays on the row to which it goes, though that ends before its column.
func TestUpToANarrowRow(t *testing.T) {
	in := inputOf(t, "ab cdef|g")
	in.lines(5, 9)
	press(t, in, "up")
	if x, y := in.position(5, 9); withCursor(in) != "ab| cdefg" || x != 2 || y != 0 {
		t.Errorf("%q at %d, %d", withCursor(in), x, y)
	}
}

// TestKillsAreBounded: what is killed in a row is no more than what a message holds, so that it can come back.
func TestKillsAreBounded(t *testing.T) {
	in := inputOf(t, strings.Repeat("x", chat.MaxText)+"|")
	press(t, in, "ctrl+w", "ctrl+y")
	if len(in.value()) != chat.MaxText || in.fault() != "" {
		t.Fatalf("%d bytes come back: %s", len(in.value()), in.fault())
	}
	if press(t, in, "ctrl+y"); len(in.value()) != chat.MaxText || in.fault() == "" {
		t.Errorf("twice what fits makes %d bytes", len(in.value()))
	}
	if press(t, in, "left"); in.fault() != "" {
		t.Errorf("after another key there is still: %s", in.fault())
	}
}
