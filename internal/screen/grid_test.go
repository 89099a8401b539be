package screen

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/color"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
)

// rowsOf returns the lines of a Grid without the empty ones at the end.
func rowsOf(g *Grid) []string {
	lines := g.Lines()
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

func TestGrid(t *testing.T) {
	const abc = "abc\r\ndef\r\nghi\r\njkl" // four rows, the cursor behind the last
	tests := map[string]struct {
		text string // to a terminal of 10 by 4
		want string // its rows, joined by |
		x, y int    // of the cursor
	}{
		"nothing":                    {"", "", 0, 0},
		"lines":                      {"a\r\nb", "a|b", 1, 1},
		"line feeds alone":           {"a\nb\vc\fd", "a| b|  c|   d", 4, 3},
		"scrolls":                    {abc + "\r\nm", "def|ghi|jkl|m", 1, 3},
		"wraps":                      {"0123456789x", "0123456789|x", 1, 1},
		"waits to wrap":              {"0123456789", "0123456789", 9, 0},
		"waits, and returns":         {"0123456789\rx", "x123456789", 1, 0},
		"waits, and moves":           {"0123456789\x1b[Dx", "01234567x9", 9, 0},
		"wraps at the end":           {"\x1b[4;10Hab", "||         a|b", 1, 3},
		"does not wrap":              {"\x1b[?7l0123456789xy", "012345678y", 9, 0},
		"wraps again":                {"\x1b[?7l0123456789\x1b[?7hxy", "012345678x|y", 1, 1},
		"backspace":                  {"ab\b\b\bc", "cb", 1, 0},
		"tabs":                       {"a\tb\tc", "a       bc", 9, 0},
		"tab stops":                  {"\x1b[3g\x1b[5G\x1bH\r\tx", "    x", 5, 0},
		"tab stop cleared":           {"\x1b[9G\x1b[g\r\tx", "         x", 9, 0},
		"tab stops as they were":     {"\x1b[3g\x1b[?5W\tx", "        x", 9, 0},
		"tabs on and back":           {"\x1b[Ia\x1b[Zb", "        b", 9, 0},
		"CUP":                        {"\x1b[3;4Hx\x1b[Hy\x1b[99;99fz", "y||   x|         z", 9, 3},
		"CUU, CUD, CUF, CUB":         {"\x1b[2B\x1b[3Ca\x1b[A\x1b[2Db\x1b[99A\x1b[99Cc\x1b[99B\x1b[99Dd", "         c|  b|   a|d", 1, 3},
		"nothing is once":            {"\x1b[0B\x1b[0Cx", "| x", 2, 1},
		"CHA, HPA, VPA":              {"\x1b[3Ga\x1b[2db\x1b[7`c", "  a|   b  c", 7, 1},
		"HPR, VPR":                   {"\x1b[2aa\x1b[2eb", "  a||   b", 4, 2},
		"CNL, CPL":                   {"abc\x1b[2Ed\x1b[Fe", "abc|e|d", 1, 1},
		"ED below":                   {abc + "\x1b[2;2H\x1b[J", "abc|d", 1, 1},
		"ED above":                   {abc + "\x1b[2;2H\x1b[1J", "|  f|ghi|jkl", 1, 1},
		"ED all":                     {abc + "\x1b[2J", "", 3, 3},
		"ED of what is gone":         {abc + "\x1b[3J", "abc|def|ghi|jkl", 3, 3},
		"EL right":                   {"abc\x1b[2G\x1b[K", "a", 1, 0},
		"EL left":                    {"abc\x1b[2G\x1b[1K", "  c", 1, 0},
		"EL all":                     {"abc\x1b[2G\x1b[2K", "", 1, 0},
		"EL where it waits to wrap":  {"0123456789\x1b[Kx", "012345678x", 9, 0},
		"ECH":                        {"abcdef\x1b[2G\x1b[2X", "a  def", 1, 0},
		"ECH far":                    {"abc\x1b[2G\x1b[99X", "a", 1, 0},
		"ICH":                        {"abcdefghij\x1b[2G\x1b[2@x", "ax bcdefgh", 2, 0},
		"ICH far":                    {"abc\x1b[2G\x1b[99@", "a", 1, 0},
		"DCH":                        {"abcdef\x1b[2G\x1b[2Px", "axef", 2, 0},
		"DCH far":                    {"abcdef\x1b[2G\x1b[99P", "a", 1, 0},
		"IRM":                        {"abc\x1b[1G\x1b[4hxy\x1b[4lz", "xyzbc", 3, 0},
		"IL":                         {abc + "\x1b[2;2H\x1b[L", "abc||def|ghi", 0, 1},
		"DL":                         {abc + "\x1b[2;2H\x1b[2M", "abc|jkl", 0, 1},
		"SU, SD":                     {abc + "\x1b[2S\x1b[T", "|ghi|jkl", 3, 3},
		"SU far":                     {abc + "\x1b[99S", "", 3, 3},
		"region":                     {abc + "\x1b[2;3r\x1b[3;1Hx\r\ny", "abc|xhi|y|jkl", 1, 2},
		"region, and home":           {abc + "\x1b[2;3r", "abc|def|ghi|jkl", 0, 0},
		"region back":                {abc + "\x1b[2;3r\x1b[2;1H\x1bM", "abc||def|jkl", 0, 1},
		"region with IL":             {abc + "\x1b[2;3r\x1b[2;1H\x1b[L", "abc||def|jkl", 0, 1},
		"outside of the region":      {abc + "\x1b[1;2r\x1b[4;1H\x1b[L\nx", "abc|def|ghi|xkl", 1, 3},
		"region bounds the cursor":   {"\x1b[2;3r\x1b[2;1H\x1b[9Aa\x1b[9Bb", "|a| b", 2, 2},
		"region without sense":       {abc + "\x1b[3;2r\r\nm", "def|ghi|jkl|m", 1, 3},
		"region without end":         {abc + "\x1b[2;3r\x1b[r\x1b[4;1H\nm", "def|ghi|jkl|m", 1, 3},
		"IND, NEL, RI":               {"a\x1bDb\x1bEc\x1bMd", "a| d|c", 2, 1},
		"RI at the top":              {abc + "\x1b[H\x1bM", "|abc|def|ghi", 0, 0},
		"REP":                        {"ab\x1b[3bc", "abbbbc", 6, 0},
		"REP over the end":           {"a\x1b[11b", "aaaaaaaaaa|aa", 2, 1},
		"REP of nothing":             {"\x1b[3bx", "x", 1, 0},
		"REP of a cluster":           {"小\x1b[2b", "小小小", 6, 0},
		"DECSC, DECRC":               {"ab\x1b7\x1b[4;4H\x1b8c", "abc", 3, 0},
		"SCOSC, SCORC":               {"ab\x1b[s\x1b[4;4H\x1b[uc", "abc", 3, 0},
		"DECRC of nothing":           {"ab\x1b8c", "cb", 1, 0},
		"DECSC where it waits":       {"0123456789\x1b7\r\x1b8x", "0123456789|x", 1, 1},
		"alternate screen":           {"ab\x1b[?1049hcd", "  cd", 4, 0},
		"alternate screen and back":  {"ab\x1b[?1049hcd\r\n\x1b[?1049le", "abe", 3, 0},
		"alternate screen, emptied":  {"\x1b[?1049hcd\x1b[?1049l\x1b[?1049h", "", 0, 0},
		"alternate screen of 1047":   {"\x1b[?1047hcd\x1b[?1047l\x1b[?1047hx", "  x", 3, 0},
		"alternate screen of 47":     {"\x1b[?47hcd\x1b[?47l\x1b[?47hx", "cdx", 3, 0},
		"alternate screen twice":     {"a\x1b[?1049hb\x1b[?1049hc\x1b[?1049l\x1b[?1049l", "a", 1, 0},
		"RIS":                        {abc + "\x1b[2;3r\x1b[4h\x1b[?7l\x1bcx", "x", 1, 0},
		"DECSTR":                     {abc + "\x1b[2;3r\x1b[?7l\x1b[!p\x1b[4;1H\nm", "def|ghi|jkl|m", 1, 3},
		"wide":                       {"小林x", "小林x", 5, 0},
		"wide wraps":                 {"012345678小", "012345678|小", 2, 1},
		"wide where none wraps":      {"\x1b[?7l012345678小x", "012345678x", 9, 0},
		"wide waits":                 {"01234567小x", "01234567小|x", 1, 1},
		"wide loses its second half": {"小\x1b[2Gx", " x", 2, 0},
		"wide loses its first half":  {"小\x1b[1Gx", "x", 1, 0},
		"wide loses its first half, before another": {"小b\x1b[1Gx", "x b", 1, 0},
		"wide on two halves":                        {"小小\x1b[2G林", " 林", 3, 0},
		"wide is halved by EL":                      {"a小b\x1b[3G\x1b[K", "a", 2, 0},
		"wide is halved by ECH":                     {"小林\x1b[2G\x1b[2X", "", 1, 0},
		"wide is halved by DCH":                     {"小林b\x1b[2G\x1b[P", "  林b"[1:], 1, 0},
		"wide is halved by ICH":                     {"小b\x1b[2G\x1b[@", "   b", 1, 0},
		"wide is pushed out":                        {"abcdefgh小\x1b[1G\x1b[@", " abcdefgh", 0, 0},
		"a mark":                                    {"e\u0301x", "e\u0301x", 2, 0},
		"a mark where it waits":                     {"012345678e\u0301x", "012345678e\u0301|x", 1, 1},
		"a mark after a move":                       {"ab\x1b[2Ge\x1b[3G\u0301", "ae\u0301", 2, 0},
		"a mark after colours":                      {"e\x1b[31m\u0301", "e\u0301", 1, 0},
		"a mark with nothing before":                {"\u0301a", "a", 1, 0},
		"a mark on a wide one":                      {"小\u0301x", "小\u0301x", 3, 0},
		"a mark behind a wide one":                  {"小\x1b[3G\u0301x", "小\u0301x", 3, 0},
		"nothing to be seen":                        {"a\u200bb", "a\u200bb", 2, 0},
		"family":                                    {"👨\u200d👩\u200d👧x", "👨\u200d👩\u200d👧x", 3, 0},
		"flags":                                     {"🇩🇪🇯🇵x", "🇩🇪🇯🇵x", 5, 0},
		"heart grows":                               {"❤\ufe0fx", "❤\ufe0fx", 3, 0},
		"heart grows at the end":                    {"012345678❤\ufe0fx", "012345678|❤\ufe0fx", 3, 1},
		"heart grows, unwrapped":                    {"\x1b[?7l012345678❤\ufe0f", "012345678❤\ufe0f", 9, 0},
		"heart shrinks":                             {"👍\ufe0ex", "👍\ufe0ex", 2, 0},
		"Hangul":                                    {"\u1112\u1161\u11abx", "\u1112\u1161\u11abx", 3, 0},
		"strings show nothing":                      {"\x1b]0;t\x07a\x1b]2;u\x1b\\b\x1bP+q00\x1b\\c", "abc", 3, 0},
		"frame that is not whole":                   {"ab\x1b[?2026hcd\x1b[H", "ab", 2, 0},
		"frame that is whole":                       {"ab\x1b[?2026hcd\x1b[?2026l", "abcd", 4, 0},
	}
	for name, tt := range tests {
		whole, bytewise := NewGrid(10, 4), NewGrid(10, 4)
		_, _ = whole.Write([]byte(tt.text))
		for i := range len(tt.text) {
			_, _ = bytewise.Write([]byte(tt.text[i : i+1]))
		}
		for _, g := range []*Grid{whole, bytewise} {
			x, y, _ := g.Cursor()
			if got := strings.Join(rowsOf(g), "|"); got != tt.want || x != tt.x || y != tt.y {
				t.Errorf("%s: %q with the cursor at %d,%d; want %q, %d,%d", name, got, x, y, tt.want, tt.x, tt.y)
			}
			if unknown := g.Unknown(); len(unknown) > 0 {
				t.Errorf("%s: not known: %q", name, unknown)
			}
		}
	}
}

func TestGridStyles(t *testing.T) {
	tests := map[string]struct {
		sgr  string
		want Style
	}{
		"none":              {"", Style{}},
		"all":               {"\x1b[1;2;3;4;5;7;8;9m", Style{Bold: true, Faint: true, Italic: true, Underline: true, Blink: true, Reverse: true, Conceal: true, Strike: true}},
		"all, and off":      {"\x1b[1;2;3;4;5;7;8;9m\x1b[22;23;24;25;27;28;29m", Style{}},
		"reset":             {"\x1b[1;31;42m\x1b[m", Style{}},
		"reset within":      {"\x1b[1;0;3m", Style{Italic: true}},
		"colours":           {"\x1b[31;42m", Style{Fg: ansi.Red, Bg: ansi.Green}},
		"bright colours":    {"\x1b[91;102m", Style{Fg: ansi.BrightRed, Bg: ansi.BrightGreen}},
		"own colours":       {"\x1b[31;42m\x1b[39;49m", Style{}},
		"of 256":            {"\x1b[38;5;208;48;5;17;1m", Style{Fg: ansi.IndexedColor(208), Bg: ansi.IndexedColor(17), Bold: true}},
		"true":              {"\x1b[38;2;1;2;3;48;2;4;5;6;3m", Style{Fg: color.RGBA{1, 2, 3, 255}, Bg: color.RGBA{4, 5, 6, 255}, Italic: true}},
		"true, with colons": {"\x1b[38:2::1:2:3m\x1b[48:5:9m", Style{Fg: color.RGBA{1, 2, 3, 255}, Bg: ansi.IndexedColor(9)}},
		"wavy line":         {"\x1b[4:3;58;5;1m", Style{Underline: true}},
		"wavy line, and no": {"\x1b[4:3m\x1b[4:0m", Style{}},
		"link":              {"\x1b]8;id=1;http://example.com/a;b\x1b\\", Style{Link: "http://example.com/a;b"}},
		"link, and no":      {"\x1b]8;;http://example.com\x07\x1b]8;;\x07", Style{}},
		"saved":             {"\x1b[31m\x1b7\x1b[m\x1b8", Style{Fg: ansi.Red}},
	}
	for name, tt := range tests {
		g := NewGrid(10, 4)
		fmt.Fprintf(g, "%sx小", tt.sgr)
		for x, text := range []string{"x", "小", ""} {
			if gotText, got := g.Cell(x, 0); got != tt.want || gotText != text {
				t.Errorf("%s: cell %d is %q, %+v; want %q, %+v", name, x, gotText, got, text, tt.want)
			}
		}
		if unknown := g.Unknown(); len(unknown) > 0 {
			t.Errorf("%s: not known: %q", name, unknown)
		}
	}
}

// What is erased, and what scrolls in, has the background of the pen, and nothing else of it.
func TestGridErasesWithBackground(t *testing.T) {
	for _, order := range []string{"\x1b[K", "\x1b[2J", "\x1b[1X", "\x1b[1@", "\x1b[1P\x1b[5G", "\x1b[L", "\x1b[4S"} {
		g := NewGrid(5, 4)
		fmt.Fprintf(g, "\x1b[44;1;4;31m%s", order)
		x, y, _ := g.Cursor()
		if text, style := g.Cell(x, y); text != " " || style != (Style{Bg: ansi.Blue}) {
			t.Errorf("%q leaves %q, %+v", order, text, style)
		}
	}
	g := NewGrid(5, 4)
	for _, at := range [][2]int{{-1, 0}, {0, -1}, {5, 0}, {0, 4}} {
		if text, style := g.Cell(at[0], at[1]); text != "" || style != (Style{}) {
			t.Errorf("cell %v is %q", at, text)
		}
	}
}

func TestGridTells(t *testing.T) {
	g := NewGrid(10, 4)
	fmt.Fprint(g, "\x1b]0;one\x07\x1b]2;two; three\x1b\\\x1b]1;icon\x07\a\a"+
		"\x1b]9;hello; you\x07\x1b]9;4;1;50\x07\x1b]777;notify;carol;hi; there\x1b\\\x1b]52;c;aGk=\x07\x1b[?1049;2004;1004;1h\x1b[?25l")
	if got := []any{g.Title(), g.Bells(), g.Notes(), g.Clipboard(), g.Alt(), g.Pasting(), g.Focusing(), g.Keypad()}; !cmp.Equal(got, []any{
		"two; three", 2, []string{"hello; you", "carol: hi; there"}, "aGk=", true, true, true, true,
	}) {
		t.Errorf("it tells %v", got)
	}
	if _, _, visible := g.Cursor(); visible {
		t.Error("a hidden cursor is seen")
	}
	fmt.Fprint(g, "\x1b[>1u\x1b[2;3r\x1b[4h\x1b[1m\x1b[?1002;1006;7l\x1b[?1002;1006h")
	want := []string{
		"the alternate screen", "arrow keys of an application", "no wrapping", "no cursor", "the mouse", "reports of the focus", "the mouse",
		"brackets around what is pasted", "a scroll region", "insertion", "a style", "flags of the keyboard",
	}
	if diff := cmp.Diff(want, g.Left()); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
	fmt.Fprint(g, "\x1b[<u\x1b[r\x1b[4l\x1b[m\x1b[?1002;1006l\x1b[?1049;2004;1004;1l\x1b[?25;7h")
	if left := g.Left(); len(left) > 0 {
		t.Errorf("after it was put back, %q is left", left)
	}
	if unknown := g.Unknown(); len(unknown) > 0 {
		t.Errorf("not known: %q", unknown)
	}
}

// What a terminal does not know is told, so that a test can fail.
func TestGridUnknown(t *testing.T) {
	g := NewGrid(10, 4)
	fmt.Fprint(g, "\x1b[5z\x1b[?9999h\x1b[3h\x1b#8\x1b(0\x1b]7;x\x07\x1b]777;x\x07\x1bPq\x1b\\\x1b_G\x1b\\\x1b^p\x1b\\\x1bXs\x1b\\\x0e\u009b1m\xff"+
		"\x1b[5J\x1b[5K\x1b[5g\x1b[9n\x1b[?9n\x1b[99t\x1b[77m\x1b[38;9mab")
	want := []string{
		"CSI z [5]", "mode ?9999", "mode 3", "ESC #8", "ESC (0", `OSC 7 "x"`, `OSC 777 "x"`, `DCS q ""`, `APC "G"`, `PM "p"`, `SOS "s"`, "control 0xe", "C1 0x9b", "broken byte 0xff",
		"CSI J [5]", "CSI K [5]", "CSI g [5]", "CSI n [9]", "CSI ?n [9]", "CSI t [99]", "SGR 77", "SGR [38 9]",
	}
	if diff := cmp.Diff(want, g.Unknown()); diff != "" {
		t.Errorf("not known (-want +got):\n%s", diff)
	}
	if rows := rowsOf(g); !cmp.Equal(rows, []string{"ab"}) {
		t.Errorf("it shows %q", rows)
	}
}

func TestGridAnswers(t *testing.T) {
	tests := map[string]struct {
		kind      Kind
		ask, want string
	}{
		"DA1":               {Kind{}, "\x1b[c", "\x1b[?62;22c"},
		"DA2":               {Kind{}, "\x1b[>c", "\x1b[>1;10;0c"},
		"XTVERSION":         {Kind{}, "\x1b[>q", "\x1bP>|grid 1\x1b\\"},
		"status":            {Kind{}, "\x1b[5n", "\x1b[0n"},
		"cursor":            {Kind{}, "\x1b[3;4H\x1b[6n", "\x1b[3;4R"},
		"dark":              {Kind{}, "\x1b]10;?\x07\x1b]11;?\x07\x1b[?996n", "\x1b]10;rgb:ffff/ffff/ffff\x1b\\\x1b]11;rgb:0000/0000/0000\x1b\\\x1b[?997;1n"},
		"light":             {Kind{Light: true}, "\x1b]12;?\x07\x1b]11;?\x07\x1b[?996n", "\x1b]12;rgb:0000/0000/0000\x1b\\\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?997;2n"},
		"frames, clusters":  {Kind{}, "\x1b[?2026$p\x1b[?2027$p", "\x1b[?2026;2$y\x1b[?2027;3$y"},
		"neither":           {Kind{Plain: true}, "\x1b[?2026$p\x1b[?2027$p", "\x1b[?2026;0$y\x1b[?2027;0$y"},
		"in a frame":        {Kind{}, "\x1b[?2026h\x1b[?2026$p", "\x1b[?2026;1$y"},
		"modes":             {Kind{}, "\x1b[?25$p\x1b[?25l\x1b[?25$p\x1b[?9999$p", "\x1b[?25;1$y\x1b[?25;2$y\x1b[?9999;0$y"},
		"alternate screen":  {Kind{}, "\x1b[?1049$p\x1b[?1049h\x1b[?1049$p", "\x1b[?1049;2$y\x1b[?1049;1$y"},
		"size":              {Kind{}, "\x1b[18t", "\x1b[8;4;10t"},
		"capabilities":      {Kind{}, "\x1bP+q524742\x1b\\\x1bP$qm\x1b\\", "\x1bP0+r524742\x1b\\\x1bP0$r\x1b\\"},
		"no kitty":          {Kind{}, "\x1b[>1u\x1b[?u\x1b[<u", ""},
		"colours being set": {Kind{}, "\x1b]11;#000000\x07\x1b]111\x07", ""},
	}
	for name, tt := range tests {
		var heard bytes.Buffer
		g := NewGrid(10, 4)
		g.Answer(&heard, tt.kind)
		fmt.Fprint(g, tt.ask)
		if heard.String() != tt.want {
			t.Errorf("%s: %q, want %q", name, heard.String(), tt.want)
		}
		if unknown := g.Unknown(); len(unknown) > 0 {
			t.Errorf("%s: not known: %q", name, unknown)
		}
	}
	g := NewGrid(10, 4)
	g.Answer(new(bytes.Buffer), Kind{Plain: true})
	if fmt.Fprint(g, "\x1b[?2026ha\x1b[?2027h"); !cmp.Equal(g.Unknown(), []string{"mode ?2026", "mode ?2027"}) || rowsOf(g)[0] != "a" {
		t.Errorf("a plain terminal does not know %q and shows %q", g.Unknown(), rowsOf(g))
	}
}

func TestGridResize(t *testing.T) {
	const abc = "abc\r\ndef\r\nghi\r\njkl"
	tests := map[string]struct {
		text          string
		width, height int
		then, want    string
		x, y          int
	}{
		"the same":                     {abc, 10, 4, "x", "abc|def|ghi|jklx", 4, 3},
		"larger":                       {abc, 20, 6, "\r\nx", "abc|def|ghi|jkl|x", 1, 4},
		"narrower":                     {abc, 2, 4, "", "ab|de|gh|jk", 1, 3},
		"lower, the cursor at its end": {abc, 10, 2, "", "ghi|jkl", 3, 1},
		"lower, the cursor at its top": {abc + "\x1b[H", 10, 2, "", "abc|def", 0, 0},
		"through a wide one":           {"小林", 3, 4, "", "小", 2, 0},
		"to nothing":                   {abc, 0, -1, "", "j", 0, 0},
		"and back":                     {"\x1b[?1049h" + abc + "\x1b[?1049lz", 2, 2, "\x1b[?1049h", "", 1, 0},
		"a region goes":                {abc + "\x1b[2;3r", 10, 5, "\x1b[5;1H\nx", "def|ghi|jkl||x", 1, 4},
		"new tab stops":                {"", 20, 4, "\x1b[9G\tx", "                x", 17, 0},
		"in half a frame":              {"a\x1b[?2026hb", 9, 4, "", "ab", 2, 0},
		"saved place":                  {"\x1b[4;9H\x1b7", 3, 2, "\x1b8x", "|  x", 2, 1},
	}
	for name, tt := range tests {
		g := NewGrid(10, 4)
		fmt.Fprint(g, tt.text)
		g.Resize(tt.width, tt.height)
		fmt.Fprint(g, tt.then)
		x, y, _ := g.Cursor()
		if got := strings.Join(rowsOf(g), "|"); got != tt.want || x != tt.x || y != tt.y {
			t.Errorf("%s: %q with the cursor at %d,%d; want %q, %d,%d", name, got, x, y, tt.want, tt.x, tt.y)
		}
		if width, height := g.Size(); width != max(tt.width, 1) || height != max(tt.height, 1) || len(g.Lines()) != height {
			t.Errorf("%s: %d by %d, %d lines", name, width, height, len(g.Lines()))
		}
	}
}

// A heap of marks takes neither time nor room without bound.
func TestGridHeaps(t *testing.T) {
	g := NewGrid(10, 4)
	for _, a := range Attacks {
		fmt.Fprint(g, a.Text, "\x1b\\\x1bc") // whatever it has begun ends
	}
	fmt.Fprint(g, "e", strings.Repeat("\u0301", 1<<20), "x")
	if text, _ := g.Cell(0, 0); len(text) > maxCluster {
		t.Errorf("a cell has %d bytes", len(text))
	}
	if text, _ := g.Cell(1, 0); text != "x" {
		t.Errorf("behind a heap stands %q", text)
	}
}

func TestGridAtOneTime(t *testing.T) {
	g := NewGrid(10, 4)
	g.Answer(io.Discard, Kind{})
	var group sync.WaitGroup
	for n := range 4 {
		group.Go(func() {
			for i := range 200 {
				fmt.Fprintf(g, "\x1b[%dmx\x1b[6n\r\n", 31+n)
				g.Resize(5+i%7, 2+i%3)
				g.Lines()
				g.SVG("t")
				g.Cursor()
				g.Left()
			}
		})
	}
	group.Wait()
}

func TestSVG(t *testing.T) {
	g := NewGrid(30, 5)
	fmt.Fprint(g, "\x1b[1;31mcarol\x1b[m: <b>&\"' 小林\x01 x  y\r\n\x1b[7m status \x1b[m\r\n\x1b[4;9;38;5;208;48;2;1;2;3mall\x1b[m \x1b[8mhidden\x1b[m\x1b[?25l")
	for _, kind := range []Kind{{}, {Light: true}} {
		g.Answer(io.Discard, kind)
		svg := g.SVG("a <title>")
		if !bytes.Equal(svg, g.SVG("a <title>")) {
			t.Error("two drawings of one screen are not the same")
		}
		var text []string
		for decoder := xml.NewDecoder(bytes.NewReader(svg)); ; {
			token, err := decoder.Token()
			if err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("it is no XML: %v\n%s", err, svg)
			}
			if words, ok := token.(xml.CharData); ok && strings.TrimSpace(string(words)) != "" {
				text = append(text, string(words))
			}
		}
		want := []string{"a <title>", "a <title>", "carol", ": <b>&\"'", "小", "林", "x  y", "status", "all"}
		if diff := cmp.Diff(want, text); diff != "" {
			t.Errorf("its text (-want +got):\n%s", diff)
		}
		for _, part := range []string{`x="14" y="48" textLength="45"`, `font-weight="bold"`, "underline line-through", `fill="#ff8700"`, `fill="#010203"`, `x="140" y="48" textLength="18"`} {
			if !bytes.Contains(svg, []byte(part)) {
				t.Errorf("%s is not in it:\n%s", part, svg)
			}
		}
	}
}

func FuzzGrid(f *testing.F) {
	for _, a := range Attacks {
		f.Add([]byte(a.Text), 10, 4)
	}
	f.Add([]byte("\x1b[?1049h\x1b[2;3r小e\u0301\x1b[4h\x1b[99@\x1b[?2026h\x1b[99b\x1b[6n"), 3, 2)
	f.Fuzz(func(t *testing.T, text []byte, width, height int) {
		g := NewGrid(width%200, height%100)
		g.Answer(io.Discard, Kind{})
		for i, half := range [][]byte{text[:len(text)/2], text[len(text)/2:]} {
			_, _ = g.Write(half)
			check(t, g)
			if i == 0 {
				g.Resize(height%200, width%100)
				check(t, g)
			}
		}
		if err := xml.Unmarshal(g.SVG(string(text)), new(any)); err != nil {
			t.Fatal(err)
		}
	})
}

// check fails the test unless the cursor stands on the screen, and each row is full of whole characters.
func check(t *testing.T, g *Grid) {
	t.Helper()
	width, height := g.Size()
	if x, y, _ := g.Cursor(); x < 0 || x >= width || y < 0 || y >= height {
		t.Fatalf("the cursor is at %d,%d of %d by %d", x, y, width, height)
	}
	for _, rows := range [][][]cell{g.main.rows, g.alt.rows, g.see().rows} {
		if len(rows) != height {
			t.Fatalf("%d rows of %d", len(rows), height)
		}
		for y, row := range rows {
			if len(row) != width {
				t.Fatalf("row %d has %d columns of %d", y, len(row), width)
			}
			for x := 0; x < width; {
				first := row[x]
				if first.width < 1 || x+first.width > width || first.text == "" {
					t.Fatalf("row %d, column %d: %+v", y, x, first)
				}
				for x++; x < width && row[x].width == 0; x++ {
					if first.width--; row[x].text != "" {
						t.Fatalf("row %d, column %d: a second half %+v", y, x, row[x])
					}
				}
				if first.width != 1 {
					t.Fatalf("row %d, column %d: a character is cut", y, x)
				}
			}
		}
	}
}
