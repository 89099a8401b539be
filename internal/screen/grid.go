package screen

import (
	"fmt"
	"image/color"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// Style is how a cell looks. Two are equal when they look the same.
type Style struct {
	Fg, Bg color.Color // nil: the terminal's own; ansi.BasicColor, ansi.IndexedColor or color.RGBA
	Link   string      // the address that it leads to (OSC 8)

	Bold, Faint, Italic, Underline, Blink, Reverse, Conceal, Strike bool
}

// Kind is what sort of terminal a Grid is to the programs that ask.
type Kind struct {
	Light bool // its background is white, not black
	Plain bool // it knows neither synchronized output nor how wide a cluster is (the modes 2026 and 2027), as older ones don't
}

// Grid is a terminal of a size that obeys, as modern ones do, all that a full-screen program tells it: the sequences of xterm that are in use,
// characters of two columns, and clusters of characters in one place. It keeps nothing of what has scrolled away, and does not wrap lines anew when its
// size changes. What it does not know is told by Unknown. Its methods may be called at the same time.
type Grid struct {
	// mu promises that what follows is the screen after everything that was written and no part of a sequence or of a character more.
	mu            sync.Mutex
	parser        *ansi.Parser
	broken        []byte // the beginning of a character whose rest has not come yet
	width, height int

	// The screen: the main one or the alternate one.
	main, alt page
	rows      [][]cell // of one of the two, all of the same width
	x, y      int      // the cursor
	wrap      bool     // it stands behind the last column: what comes next begins a line
	pen       Style
	top, end  int // rows of the scroll region, and the first one below
	tabs      []bool
	insert    bool         // characters push others aside (IRM)
	modes     map[int]bool // of DEC, by number: those known that are not as they are at the start
	frozen    *sight       // what is seen while a frame is drawn (mode 2026); nil: what is there

	// What was printed last, which a mark would join, and where, if the cursor has not been moved since.
	printed        string
	joins          bool
	joinX, joinY   int
	title, pasted  string
	bells          int
	notes, unknown []string
	kitty          [2][]int // flags pushed, on the main and on the alternate screen

	// What programs ask for.
	kind    Kind
	replies io.Writer // nil: nobody listens
	said    []byte    // to be written when mu is free
}

// page is what the main and the alternate screen have of their own.
type page struct {
	rows  [][]cell
	saved place
}

// place is what DECSC saves.
type place struct {
	x, y int
	wrap bool
	pen  Style
}

// sight is what stands on a screen.
type sight struct {
	rows    [][]cell
	x, y    int
	visible bool
}

// most is how wide and how high a Grid may be, and how often something may be repeated.
const most = 4096

// maxCluster is how many bytes of a heap of marks a cell takes in; the rest is not shown.
const maxCluster = 256

// NewGrid returns an empty terminal of so many columns and rows, at least one and at most 4096 of each.
func NewGrid(width, height int) *Grid {
	g := &Grid{parser: ansi.NewParser(), width: bound(width), height: bound(height), modes: map[int]bool{}}
	g.parser.SetHandler(ansi.Handler{
		Print:     g.print,
		Execute:   g.execute,
		HandleCsi: g.csi,
		HandleEsc: g.esc,
		HandleDcs: g.dcs,
		HandleOsc: g.osc,
		HandlePm:  func(data []byte) { g.note("PM %.40q", data) },
		HandleApc: func(data []byte) { g.note("APC %.40q", data) },
		HandleSos: func(data []byte) { g.note("SOS %.40q", data) },
	})
	g.reset()
	return g
}

func bound(size int) int { return min(max(size, 1), most) }

// reset is how a terminal is when it is switched on (RIS).
func (g *Grid) reset() {
	g.main, g.alt = page{rows: g.blankRows(g.height, Style{})}, page{rows: g.blankRows(g.height, Style{})}
	g.rows, g.frozen = g.main.rows, nil
	g.x, g.y, g.wrap, g.pen = 0, 0, false, Style{}
	g.top, g.end = 0, g.height
	g.tabs = nil
	g.setTabs(g.width)
	g.insert, g.joins, g.printed = false, false, ""
	clear(g.modes)
	g.title, g.kitty = "", [2][]int{}
}

// Answer has the terminal answer those questions that programs ask it, as a terminal of that kind would, by writing to w. Writes come from Write, and fail
// unheard.
func (g *Grid) Answer(w io.Writer, kind Kind) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.replies, g.kind = w, kind
}

// Write obeys p, which may begin and end anywhere in a character or in a sequence. It never fails.
func (g *Grid) Write(p []byte) (int, error) {
	g.mu.Lock()
	text := append(g.broken, p...)
	for len(text) > 0 && utf8.FullRune(text) {
		r, size := utf8.DecodeRune(text)
		g.take(r, text[:size])
		text = text[size:]
	}
	g.broken = slices.Clone(text)
	said, replies := g.said, g.replies
	g.said = nil
	g.mu.Unlock()
	if len(said) > 0 && replies != nil {
		_, _ = replies.Write(said) // a program that has ended hears no answer
	}
	return len(p), nil
}

// take gives one character to the parser. A control of the set C1 is obeyed in either of its encodings, as some terminals do; none that chatnode prints
// should depend on it.
func (g *Grid) take(r rune, encoded []byte) {
	switch {
	case r == utf8.RuneError && len(encoded) == 1:
		g.note("broken byte %#x", encoded[0])
		if encoded[0] < 0xa0 {
			g.parser.Advance(encoded[0])
		}
		return
	case r >= 0x80 && r < 0xa0:
		g.note("C1 %#x", r)
		g.parser.Advance(byte(r))
		return
	}
	for _, b := range encoded {
		g.parser.Advance(b)
	}
}

// maxUnknown bounds what is remembered of what is not known.
const maxUnknown = 1000

func (g *Grid) note(format string, args ...any) {
	if len(g.unknown) < maxUnknown {
		g.unknown = append(g.unknown, fmt.Sprintf(format, args...))
	}
}

// Resize gives the terminal another size, as if its window were drawn larger or smaller. What no longer fits is cut off at the right; at the top as
// long as the cursor would be lost, otherwise at the bottom.
func (g *Grid) Resize(width, height int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	width, height = bound(width), bound(height)
	onAlt := g.onAlt()
	over := max(0, g.y-height+1)
	for _, p := range []*page{&g.main, &g.alt} {
		p.rows = g.fitted(p.rows[min(over, len(p.rows)-1):], width, height)
		p.saved.x, p.saved.y, p.saved.wrap = min(p.saved.x, width-1), min(p.saved.y, height-1), false
	}
	g.rows = g.main.rows
	if onAlt {
		g.rows = g.alt.rows
	}
	g.setTabs(width)
	g.width, g.height, g.top, g.end = width, height, 0, height
	g.moveTo(g.x, g.y-over)
	g.joins, g.frozen = false, nil
}

// fitted returns rows cut or padded to a size.
func (g *Grid) fitted(rows [][]cell, width, height int) [][]cell {
	all := make([][]cell, height)
	for y := range all {
		all[y] = blanks(width, Style{})
		if y < len(rows) {
			if width < len(rows[y]) {
				split(rows[y], width)
			}
			copy(all[y], rows[y])
		}
	}
	return all
}

// setTabs gives a new size its tab stops: every eighth column where there was none before.
func (g *Grid) setTabs(width int) {
	for x := len(g.tabs); x < width; x++ {
		g.tabs = append(g.tabs, x > 0 && x%8 == 0)
	}
	g.tabs = g.tabs[:width]
}

// see returns what a person sees: the last whole frame while another is drawn.
func (g *Grid) see() sight {
	if g.frozen != nil {
		return *g.frozen
	}
	return sight{g.rows, g.x, g.y, !g.modes[modeCursor]}
}

// Size returns how many columns and rows there are.
func (g *Grid) Size() (width, height int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.width, g.height
}

// Lines returns the text of each row, without the spaces at its end.
func (g *Grid) Lines() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	rows := g.see().rows
	lines := make([]string, len(rows))
	for y, row := range rows {
		var line strings.Builder
		for _, c := range row {
			line.WriteString(c.text)
		}
		lines[y] = strings.TrimRight(line.String(), " ")
	}
	return lines
}

// Cell returns what stands in a column of a row, counted from 0, and how: a space where nothing does, and nothing where the character in a column before
// takes this one too, and outside the screen.
func (g *Grid) Cell(x, y int) (text string, style Style) {
	g.mu.Lock()
	defer g.mu.Unlock()
	rows := g.see().rows
	if y < 0 || y >= len(rows) || x < 0 || x >= len(rows[y]) {
		return "", Style{}
	}
	return rows[y][x].text, rows[y][x].style
}

// Cursor returns where the cursor stands, counted from 0, and whether it is shown.
func (g *Grid) Cursor() (x, y int, visible bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.see()
	return s.x, s.y, s.visible
}

// Title returns the title of the window.
func (g *Grid) Title() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.title
}

// Bells returns how often the bell rang.
func (g *Grid) Bells() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.bells
}

// Notes returns the notifications that were asked for (OSC 9, and OSC 777 as "title: body").
func (g *Grid) Notes() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.notes)
}

// Clipboard returns what was put there (OSC 52), in base64 as it came.
func (g *Grid) Clipboard() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pasted
}

// Alt reports whether the alternate screen is shown.
func (g *Grid) Alt() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.onAlt()
}

func (g *Grid) onAlt() bool { return &g.rows[0] == &g.alt.rows[0] }

// Pasting reports whether what is pasted is to be put into brackets.
func (g *Grid) Pasting() bool { return g.mode(modePaste) }

// Focusing reports whether the program wants to know when its window gains and loses the focus.
func (g *Grid) Focusing() bool { return g.mode(modeFocus) }

// Keypad reports whether the arrow keys are to be sent as those of an application (DECCKM).
func (g *Grid) Keypad() bool { return g.mode(modeArrows) }

func (g *Grid) mode(number int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.modes[number]
}

// Unknown returns what the terminal was told that it does not know, in a few words each, in the order in which it came.
func (g *Grid) Unknown() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.unknown)
}

// Left returns what is not as it was at the start, in a few words each: a program that ends leaves nothing.
func (g *Grid) Left() (left []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.onAlt() {
		left = append(left, "the alternate screen")
	}
	for _, mode := range slices.Sorted(keysOf(g.modes)) {
		left = append(left, knownModes[mode])
	}
	if g.top != 0 || g.end != g.height {
		left = append(left, "a scroll region")
	}
	if g.insert {
		left = append(left, "insertion")
	}
	if g.pen != (Style{}) {
		left = append(left, "a style")
	}
	if len(g.kitty[0])+len(g.kitty[1]) > 0 {
		left = append(left, "flags of the keyboard")
	}
	return left
}
