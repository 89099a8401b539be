package markup

import (
	"fmt"
	"strings"
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/screen"
)

func TestWrap(t *testing.T) {
	tests := map[string]struct {
		text  string
		width int
		want  string
	}{
		"nothing":                     {"", 5, ""},
		"fits":                        {"hello", 5, "hello"},
		"at a space":                  {"hello world", 5, "hello|world"},
		"at the last space":           {"a b c d", 5, "a b c|d"},
		"at many spaces":              {"hello    world", 7, "hello|world"},
		"spaces to the edge":          {"hello   world", 8, "hello|world"},
		"spaces at the end":           {"hello     ", 6, "hello"},
		"spaces that fit stay":        {"hello  ", 9, "hello  "},
		"a word too long":             {"abcdefgh", 3, "abc|def|gh"},
		"a word too long, later":      {"a bcdefgh", 3, "a|bcd|efg|h"},
		"indented":                    {"    abcdefgh", 6, "    ab|cdefgh"},
		"spaces alone":                {"          ", 4, "    "},
		"one column":                  {"ab c", 1, "a|b|c"},
		"no column":                   {"ab", 0, "a|b"},
		"fewer than no column":        {"ab", -7, "a|b"},
		"wide":                        {"小林小林", 4, "小林|小林"},
		"wide, odd":                   {"小林小林", 5, "小林|小林"},
		"wide behind a word":          {"hi 小林小林", 8, "hi 小林|小林"},
		"wide and words":              {"小林 ab小林", 6, "小林|ab小林"},
		"wide in one column":          {"a小b", 1, "a|?|b"},
		"marks stay":                  {"e\u0301e\u0301e\u0301", 2, "e\u0301e\u0301|e\u0301"},
		"families stay":               {"a👨\u200d👩\u200d👧b", 2, "a|👨\u200d👩\u200d👧|b"},
		"flags stay":                  {"🇩🇪🇯🇵🇫🇷", 5, "🇩🇪🇯🇵|🇫🇷"},
		"Arabic":                      {"السلام عليكم ورحمة", 12, "السلام عليكم|ورحمة"},
		"a space that bears a mark":   {"ab \u0301c", 3, "ab \u0301|c"},
		"no-break":                    {"ab\u00a0cd", 3, "ab\u00a0|cd"},
		"style goes on":               {"**a b c**", 5, "b{**a b}|b{c**}"},
		"styles change":               {"ab *cd* `e` f", 6, "ab|i{*cd*}|c{`e`} f"},
		"a space between styles":      {"*ab*  `cd`", 5, "i{*ab*}|c{`cd`}"},
		"spaces in another style":     {"abc `  d`", 4, "abc|c{`}|c{d`}"},
		"a word of two styles":        {"x **ab**cd", 4, "x|**ab|**cd"},
		"an address":                  {"see http://abc.de/f now", 10, "see|l{http://abc}|l{.de/f} now"},
		"spaces of both styles at it": {"*abc  * d", 5, "*abc|* d"},
	}
	for name, tt := range tests {
		var got []string
		for _, line := range Wrap(Parse(tt.text)[0], tt.width) {
			got = append(got, told([]Line{line}))
		}
		if joined := strings.Join(got, "|"); joined != tt.want {
			t.Errorf("%s: %s, want %s", name, joined, tt.want)
		}
	}
}

// TestWrapPieces: spaces at which a line is cut go, of whichever spans they are.
func TestWrapPieces(t *testing.T) {
	line := Line{{"abc ", 0}, {" ", Bold}, {" d", 0}, {"", Code}, {"e f", Bold}}
	if got := told(Wrap(line, 3)); got != "abc\ndb{e}\nb{f}" {
		t.Errorf("the pieces are %q", got)
	}
	if got := told([]Line{line}); got != "abc b{ } dc{}b{e f}" {
		t.Errorf("the line has become %q", got)
	}
}

// lost tells what the pieces have lost of line, or in which way they don't fit.
func lost(line Line, pieces []Line, width int) string {
	type char struct {
		text  string
		style Style
	}
	all := func(l Line) (chars []char) {
		for _, span := range l {
			for text, wide := range chat.Characters(span.Text) {
				if wide > width {
					text = "?"
				}
				chars = append(chars, char{text, span.Style})
			}
		}
		return chars
	}
	left := all(line)
	for i, piece := range pieces {
		if columns := piece.Width(); columns > width {
			return fmt.Sprintf("piece %d, %q, takes %d columns", i, piece, columns)
		}
		for i > 0 && len(left) > 0 && left[0].text == " " {
			left = left[1:] // at which it was cut
		}
		chars := all(piece)
		if len(chars) == 0 && len(pieces) > 1 {
			return fmt.Sprintf("piece %d is empty", i)
		}
		for _, c := range chars {
			if len(left) == 0 || left[0] != c {
				return fmt.Sprintf("piece %d, %q, has %v too much", i, piece, c)
			}
			left = left[1:]
		}
	}
	for _, c := range left {
		if c.text != " " {
			return fmt.Sprintf("%v is left", left)
		}
	}
	return ""
}

func TestWrapAttacks(t *testing.T) {
	for _, a := range screen.Attacks {
		if len(a.Text) > 4000 {
			continue
		}
		for _, line := range Parse(a.Text) {
			for width := 1; width <= 40; width++ {
				if why := lost(line, Wrap(line, width), width); why != "" {
					t.Errorf("%s at %d: %s", a.Name, width, why)
				}
			}
		}
	}
}

func FuzzWrap(f *testing.F) {
	f.Add("**hello** `wide 小林` _world_, http://x.y", 7)
	f.Add("e\u0301 👨\u200d👩\u200d👧 🇩🇪🇯🇵 \u0600a नीना ᄒ\u1161\u11ab", 1)
	f.Add("   a    b   ", 3)
	f.Fuzz(func(t *testing.T, text string, width int) {
		width = min(max(width, 1), 300)
		for _, line := range Parse(text, "carol") {
			if why := lost(line, Wrap(line, width), width); why != "" {
				t.Errorf("Wrap(%q, %d): %s", line, width, why)
			}
		}
	})
}

func BenchmarkWrap(b *testing.B) {
	lines := map[string]Line{
		"a line":    Parse("what carol says in a chat, *mostly*, is about as long as this line: some hundred bytes, or a little more", "carol")[0],
		"not ASCII": Parse("was man in einem Gespräch sagt, *zumeist*, ist ungefähr so lang wie diese Zeile: hundert Bytes, etwas mehr", "carol")[0],
		"16 KiB":    Parse(text16K("*what* people `say` "))[0],
		"heap":      Parse(text16K("e\u0301\u0301\u0301\u0301"))[0],
	}
	for name, line := range lines {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Wrap(line, 60)
			}
		})
	}
}
