package tui

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/screen"
)

func TestPasteGuard(t *testing.T) {
	tests := map[string]struct {
		text    string
		lines   int
		guarded bool
	}{
		"empty":                  {"", 1, false},
		"word":                   {"word", 1, false},
		"five":                   {"1\n2\n3\n4\n5", 5, false},
		"five and an end":        {"1\n2\n3\n4\n5\n", 5, false},
		"six":                    {"1\n2\n3\n4\n5\n6", 6, true},
		"six, CRLF":              {"1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n", 6, true},
		"six, CR":                {"1\r2\r3\r4\r5\r6", 6, true},
		"newlines alone":         {"\n\n\n\n\n\n\n", 1, false},
		"a message":              {strings.Repeat("x", chat.MaxText), 1, false},
		"more than a message":    {strings.Repeat("x", chat.MaxText+1), 1, true},
		"a message and an end":   {strings.Repeat("x", chat.MaxText) + "\r\n", 1, false},
		"more than can be kept":  {strings.Repeat("x\n", maxPaste), 1 + maxPaste, true},
		"controls that go":       {"a" + strings.Repeat("\x00", chat.MaxText), 1, false},
		"not UTF-8, which grows": {strings.Repeat("x\xff", chat.MaxText/3), 1, true},
	}
	for name, tt := range tests {
		lines, guarded := pasteGuard(tt.text)
		if lines != tt.lines || guarded != tt.guarded {
			t.Errorf("%s: %d lines, guarded %v; want %d, %v", name, lines, guarded, tt.lines, tt.guarded)
		}
		if in := newInput(); !guarded && !in.insert(newPaste(tt.text).text) {
			t.Errorf("%s: not guarded, and can't be put in", name)
		}
	}
}

func TestPasteQuestion(t *testing.T) {
	p := newPaste("one\r\ntwo 小林小林\n\n\tfour\x1b[2J\nfive\nsix\n\n")
	want := &pasteQuestion{text: "one\ntwo 小林小林\n\n\tfour[2J\nfive\nsix", lines: 6, parts: []string{"one\ntwo 小林小林\n\n\tfour[2J\nfive\nsix"}}
	if diff := cmp.Diff(want, p, cmp.AllowUnexported(pasteQuestion{})); diff != "" {
		t.Errorf("question (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"one", "two 小…", "", "    fo…"}, p.preview(7, 4)); diff != "" {
		t.Errorf("preview (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"one", "two 小林小林", "\tfour[2J", "five", "six"}, p.byLine()); diff != "" {
		t.Errorf("by line (-want +got):\n%s", diff)
	}
	if got := p.preview(10, 0); len(got) != 0 {
		t.Errorf("a preview of no lines is %q", got)
	}
	if got := p.preview(0, 100); len(got) != 6 || got[0] != "" {
		t.Errorf("a preview of no width is %q", got)
	}
}

func TestPasteLost(t *testing.T) {
	p := newPaste(strings.Repeat("x\n", maxPaste))
	if !p.lost || !p.tooLong || p.text != "" || len(p.parts) != 0 || len(p.byLine()) != 0 || p.lines <= guardLines {
		t.Errorf("what is too large makes %d lines, %d parts, lost %v", p.lines, len(p.parts), p.lost)
	}
}

func TestPasteInParts(t *testing.T) {
	line := strings.Repeat("x", 999) + "\n"
	tests := map[string]struct {
		text string
		want []int // bytes of each part
	}{
		"one":                    {"hello", []int{5}},
		"as much as can be":      {strings.Repeat("x", chat.MaxText), []int{chat.MaxText}},
		"between lines":          {strings.Repeat(line, 9), []int{8*1000 - 1, 999}},
		"too many lines":         {strings.Repeat("x\n", 100), []int{2*chat.MaxLines - 1, 2*(100-chat.MaxLines) - 1}},
		"a line too long":        {strings.Repeat("x", 2*chat.MaxText+5), []int{chat.MaxText, chat.MaxText, 5}},
		"between words":          {strings.Repeat("12345678 ", 1000), []int{910 * 9, 90 * 9}},
		"between characters":     {strings.Repeat("小", 3000), []int{2730 * 3, 270 * 3}},
		"never within a family":  {"x" + strings.Repeat("👨\u200d👩\u200d👧", 500), []int{1 + 455*18, 45 * 18}},
		"short, long, short":     {"a\n" + strings.Repeat("x", chat.MaxText+1) + "\nb", []int{1, chat.MaxText, 3}},
		"blank lines in between": {"a" + strings.Repeat("\n", 3*chat.MaxLines) + "b", []int{chat.MaxLines, 1}},
		"nothing but blank":      {strings.Repeat(" \n", 1000), nil},
		"empty":                  {"", nil},
	}
	for name, tt := range tests {
		p := newPaste(tt.text)
		var got []int
		for _, part := range p.parts {
			got = append(got, len(part))
			if code := chat.CheckText(chat.Text, part); code != chat.OK {
				t.Errorf("%s: a part is refused: %v", name, code)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: parts (-want +got):\n%s", name, diff)
		}
		if p.tooLong != (len(tt.text) > chat.MaxText || p.lines > chat.MaxLines) && name != "nothing but blank" {
			t.Errorf("%s: too long is %v", name, p.tooLong)
		}
	}
}

// checkPaste holds a paste to what it promises: parts that a message can hold, in order, and nothing lost between them that shows.
func checkPaste(t testing.TB, text string) {
	t.Helper()
	p := newPaste(text)
	for _, parts := range [][]string{p.parts, p.byLine()} {
		rest := p.text
		for _, part := range append(parts, "") {
			if code := chat.CheckText(chat.Text, part); code != chat.OK && part != "" {
				t.Fatalf("%+q has the part %+q, which is refused: %v", text, part, code)
			}
			i := strings.Index(rest, part)
			if part == "" {
				i = len(rest)
			}
			for _, line := range strings.Split(rest[:max(i, 0)], "\n") {
				if chat.CheckText(chat.Text, line) == chat.OK {
					t.Fatalf("%+q loses %+q before %+q", text, line, part)
				}
			}
			if i < 0 {
				t.Fatalf("%+q has the part %+q, which is not its own", text, part)
			}
			rest = rest[i+len(part):]
		}
	}
	if !p.lost && !utf8.ValidString(p.text) || p.tooLong == fits(p.text) && !p.lost {
		t.Fatalf("%+q is %+q, too long: %v", text, p.text, p.tooLong)
	}
	if !p.tooLong && chat.CheckText(chat.Text, p.text) == chat.OK && (len(p.parts) != 1 || p.parts[0] != p.text) {
		t.Fatalf("%+q is cut into %q", text, p.parts)
	}
	for _, line := range p.preview(20, 3) {
		if chat.Width(line) > 20 {
			t.Fatalf("the preview of %+q has %+q", text, line)
		}
	}
}

func TestPasteAttacks(t *testing.T) {
	for _, attack := range screen.Attacks {
		checkPaste(t, attack.Text)
		checkPaste(t, strings.Repeat(attack.Text+"\n", 200))
	}
}

func FuzzPaste(f *testing.F) {
	f.Add("a\r\nb\n\n小林", 300)
	f.Add("👨\u200d👩\u200d👧 x", 1000)
	f.Fuzz(func(t *testing.T, text string, times int) {
		checkPaste(t, strings.Repeat(text, min(max(times, 0), 2*chat.MaxText/(len(text)+1))))
	})
}

func BenchmarkPaste(b *testing.B) {
	text := strings.Repeat("good morning 小林\n", maxPaste/20)
	b.Run(fmt.Sprint(len(text)>>10, " KiB"), func(b *testing.B) {
		for b.Loop() {
			newPaste(text)
		}
	})
}
