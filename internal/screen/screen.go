// Package screen is for tests alone: what a terminal makes of bytes. A Terminal reads what a program prints as an emulator does (the
// state machine of https://vt100.net/emu/dec_ansi_parser, by charmbracelet/x/ansi), and tells which lines stand on the screen and
// everything in between that a terminal would have obeyed. Attacks are texts that want to be obeyed.
package screen

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/ansi/parser"
)

// maxMarks is how many marks, and as many characters that nobody sees, a character may bear before they count as a heap: marks spill over
// other lines, and what is hidden hides something.
const maxMarks = 4

// Terminal is a terminal that obeys nothing but line feeds, and notes what else it was told.
type Terminal struct {
	parser *ansi.Parser
	broken []byte // the beginning of a character whose rest has not come yet
	lines  []strings.Builder
	found  []string
	marks  int // on the last character
	unseen int // behind it
}

// New returns a terminal with an empty screen.
func New() *Terminal {
	t := &Terminal{parser: ansi.NewParser(), lines: make([]strings.Builder, 1)}
	t.parser.SetHandler(ansi.Handler{
		Print:     t.print,
		Execute:   t.execute,
		HandleCsi: func(cmd ansi.Cmd, _ ansi.Params) { t.note("CSI %c", cmd.Final()) },
		HandleEsc: func(cmd ansi.Cmd) { t.note("ESC %c", cmd.Final()) },
		HandleDcs: func(cmd ansi.Cmd, _ ansi.Params, _ []byte) { t.note("DCS %c", cmd.Final()) },
		HandleOsc: func(cmd int, _ []byte) { t.note("OSC %d", cmd) },
		HandlePm:  func([]byte) { t.note("PM") },
		HandleApc: func([]byte) { t.note("APC") },
		HandleSos: func([]byte) { t.note("SOS") },
	})
	return t
}

func (t *Terminal) note(format string, args ...any) {
	t.found = append(t.found, fmt.Sprintf(format, args...))
}

// Write shows p, which may begin and end anywhere in a character or in a sequence. It never fails.
func (t *Terminal) Write(p []byte) (int, error) {
	text := append(t.broken, p...)
	for len(text) > 0 && utf8.FullRune(text) {
		r, size := utf8.DecodeRune(text)
		t.take(r, text[:size])
		text = text[size:]
	}
	t.broken = append([]byte(nil), text...)
	return len(p), nil
}

// take gives one character to the parser. A control of the set C1 is obeyed in either of its encodings, of one byte and of two.
func (t *Terminal) take(r rune, encoded []byte) {
	switch {
	case r == utf8.RuneError && len(encoded) == 1:
		t.note("broken byte %#x", encoded[0])
		if encoded[0] < 0xa0 {
			t.parser.Advance(encoded[0])
		}
		return
	case r >= 0x80 && r < 0xa0:
		t.note("C1 %#x", r)
		t.parser.Advance(byte(r))
		return
	}
	for _, b := range encoded {
		t.parser.Advance(b)
	}
}

func (t *Terminal) execute(b byte) {
	if b == '\n' {
		t.lines = append(t.lines, strings.Builder{})
		t.marks, t.unseen = 0, 0
		return
	}
	t.note("control %#x", b)
}

func (t *Terminal) print(r rune) {
	switch {
	case unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp, unicode.Noncharacter_Code_Point),
		r >= 0xe0000 && r < 0xe0080, // tags
		r >= 0xfff9 && r < 0xfffc:   // annotations
		t.note("format %U", r)
	case unicode.Is(unicode.Mc, r):
	case unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
		if t.unseen++; t.unseen == maxMarks+1 {
			t.note("a heap of nothing")
		}
	case unicode.In(r, unicode.Mn, unicode.Me):
		if t.marks++; t.marks == maxMarks+1 {
			t.note("a heap of marks")
		}
	default:
		t.marks, t.unseen = 0, 0
	}
	t.lines[len(t.lines)-1].WriteRune(r)
}

// Lines returns the lines on the screen, without a last one that is empty.
func (t *Terminal) Lines() []string {
	all := make([]string, len(t.lines))
	for i := range t.lines {
		all[i] = t.lines[i].String()
	}
	if last := len(all) - 1; all[last] == "" {
		all = all[:last]
	}
	return all
}

// Found returns everything that the terminal was told to do besides showing text and ending lines, in a few words each, and what has begun
// and waits for its end.
func (t *Terminal) Found() []string {
	found := append([]string(nil), t.found...)
	if len(t.broken) > 0 {
		found = append(found, fmt.Sprintf("half a character %#x", t.broken))
	}
	if t.parser.State() != parser.GroundState {
		found = append(found, "half a sequence: "+t.parser.StateName())
	}
	return found
}

// Read returns what a terminal makes of text.
func Read(text string) (lines, found []string) {
	t := New()
	_, _ = t.Write([]byte(text))
	return t.Lines(), t.Found()
}
