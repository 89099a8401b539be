package screen

import (
	"bytes"
	"image/color"
	"iter"
	"maps"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"chatnode/internal/chat"
)

// The modes of DEC that mean something here. What is not there at the start is set in Grid.modes: for those two that are, that is that they are reset.
const (
	modeArrows  = 1
	modeNoWrap  = 7 // set: characters are not wrapped
	modeCursor  = 25
	modePaste   = 2004
	modeFocus   = 1004
	modeFrame   = 2026
	modeCluster = 2027
)

// knownModes are the modes that are known, and what it is that a program leaves behind which does not put them back.
var knownModes = map[int]string{
	modeArrows: "arrow keys of an application", modeNoWrap: "no wrapping", 12: "a blinking cursor", modeCursor: "no cursor",
	9: "the mouse", 1000: "the mouse", 1002: "the mouse", 1003: "the mouse", 1005: "the mouse", 1006: "the mouse", 1015: "the mouse",
	modeFocus: "reports of the focus", 1007: "a wheel of arrow keys", 1034: "meta keys", modePaste: "brackets around what is pasted",
	modeFrame: "half a frame", modeCluster: "clusters", 2031: "reports of the colours",
}

// atStart are the modes that are set when a terminal is switched on.
var atStart = map[int]bool{modeNoWrap: true, modeCursor: true}

func keysOf(modes map[int]bool) iter.Seq[int] { return maps.Keys(modes) }

// count returns parameter i, at least 1, as sequences mean it that do something so often.
func count(p ansi.Params, i int) int { return min(max(value(p, i, 1), 1), most) }

// value returns parameter i, or absent.
func value(p ansi.Params, i, absent int) int {
	n, _, _ := p.Param(i, absent)
	return n
}

// csiOrders are the sequences that begin with CSI, by their last byte and what stands around their parameters (ECMA-48; xterm's ctlseqs).
var csiOrders = map[ansi.Cmd]func(*Grid, ansi.Params){
	'@': func(g *Grid, p ansi.Params) { g.insertCells(count(p, 0)); g.wrap = false },
	'A': func(g *Grid, p ansi.Params) { g.up(count(p, 0)) },
	'B': func(g *Grid, p ansi.Params) { g.down(count(p, 0)) },
	'C': func(g *Grid, p ansi.Params) { g.moveTo(g.x+count(p, 0), g.y) },
	'D': func(g *Grid, p ansi.Params) { g.moveTo(g.x-count(p, 0), g.y) },
	'E': func(g *Grid, p ansi.Params) { g.down(count(p, 0)); g.x = 0 },
	'F': func(g *Grid, p ansi.Params) { g.up(count(p, 0)); g.x = 0 },
	'G': func(g *Grid, p ansi.Params) { g.moveTo(count(p, 0)-1, g.y) },
	'H': func(g *Grid, p ansi.Params) { g.moveTo(count(p, 1)-1, count(p, 0)-1) },
	'I': func(g *Grid, p ansi.Params) { g.tab(count(p, 0)) },
	'J': (*Grid).eraseDisplay,
	'K': (*Grid).eraseLine,
	'L': func(g *Grid, p ansi.Params) { g.moveLines(-count(p, 0)) },
	'M': func(g *Grid, p ansi.Params) { g.moveLines(count(p, 0)) },
	'P': func(g *Grid, p ansi.Params) { g.deleteCells(count(p, 0)); g.wrap = false },
	'S': func(g *Grid, p ansi.Params) { g.scroll(g.top, g.end, count(p, 0)) },
	'T': func(g *Grid, p ansi.Params) { g.scroll(g.top, g.end, -count(p, 0)) },
	'X': func(g *Grid, p ansi.Params) { g.erase(g.y, g.x, g.x+count(p, 0)); g.wrap = false },
	'Z': func(g *Grid, p ansi.Params) { g.tab(-count(p, 0)) },
	'`': func(g *Grid, p ansi.Params) { g.moveTo(count(p, 0)-1, g.y) },
	'a': func(g *Grid, p ansi.Params) { g.moveTo(g.x+count(p, 0), g.y) },
	'b': (*Grid).repeat,
	'd': func(g *Grid, p ansi.Params) { g.moveTo(g.x, count(p, 0)-1) },
	'e': func(g *Grid, p ansi.Params) { g.moveTo(g.x, g.y+count(p, 0)) },
	'f': func(g *Grid, p ansi.Params) { g.moveTo(count(p, 1)-1, count(p, 0)-1) },
	'g': (*Grid).clearTabs,
	'h': func(g *Grid, p ansi.Params) { g.setInsert(p, true) },
	'l': func(g *Grid, p ansi.Params) { g.setInsert(p, false) },
	'm': (*Grid).restyle,
	'r': (*Grid).setRegion,
	's': func(g *Grid, _ ansi.Params) { g.save() },
	'u': func(g *Grid, _ ansi.Params) { g.restore() },

	private('?', 'h'): func(g *Grid, p ansi.Params) { g.setModes(p, true) },
	private('?', 'l'): func(g *Grid, p ansi.Params) { g.setModes(p, false) },
	private('?', 'W'): func(g *Grid, _ ansi.Params) { g.tabs = nil; g.setTabs(g.width) },
	private('>', 'm'): func(*Grid, ansi.Params) {}, // modifyOtherKeys: its keys are sent as terminals do that don't know it
	private('>', 'u'): func(g *Grid, p ansi.Params) { g.pushKeys(value(p, 0, 0)) },
	private('<', 'u'): func(g *Grid, p ansi.Params) { g.popKeys(count(p, 0)) },
	private('=', 'u'): func(*Grid, ansi.Params) {},
	between(' ', 'q'): func(*Grid, ansi.Params) {}, // the shape of the cursor
	between('!', 'p'): func(g *Grid, _ ansi.Params) { g.softReset() },

	'c':                                   func(g *Grid, _ ansi.Params) { g.say("\x1b[?62;22c") },
	'n':                                   (*Grid).reportStatus,
	't':                                   (*Grid).windowOrder,
	private('>', 'c'):                     func(g *Grid, _ ansi.Params) { g.say("\x1b[>1;10;0c") },
	private('>', 'q'):                     func(g *Grid, _ ansi.Params) { g.say("\x1bP>|grid 1\x1b\\") },
	private('?', 'n'):                     (*Grid).reportColours,
	private('?', 'u'):                     func(*Grid, ansi.Params) {}, // no answer: it has none of kitty's keys
	ansi.Cmd(ansi.Command('?', '$', 'p')): (*Grid).reportMode,
}

func private(prefix, final byte) ansi.Cmd { return ansi.Cmd(ansi.Command(prefix, 0, final)) }
func between(intermediate, final byte) ansi.Cmd {
	return ansi.Cmd(ansi.Command(0, intermediate, final))
}

func (g *Grid) csi(cmd ansi.Cmd, params ansi.Params) {
	order, known := csiOrders[cmd]
	if !known {
		g.note("CSI %s %v", named(cmd), []ansi.Param(params))
		return
	}
	if cmd != 'm' && cmd != 'b' {
		g.joins = false
	}
	order(g, params)
}

// named returns what tells a sequence from others.
func named(cmd ansi.Cmd) string {
	return strings.ReplaceAll(string([]byte{cmd.Prefix(), cmd.Intermediate(), cmd.Final()}), "\x00", "")
}

// escOrders are the sequences of ESC and one byte, or one more between.
var escOrders = map[ansi.Cmd]func(*Grid){
	'7':  (*Grid).save,
	'8':  (*Grid).restore,
	'D':  (*Grid).feed,
	'E':  func(g *Grid) { g.feed(); g.x = 0 },
	'H':  func(g *Grid) { g.tabs[g.x] = true },
	'M':  (*Grid).feedBack,
	'c':  (*Grid).reset,
	'=':  func(*Grid) {}, // the keypad of an application
	'>':  func(*Grid) {},
	'\\': func(*Grid) {}, // the end of a string

	between('(', 'B'): func(*Grid) {}, // ASCII, which it is
}

func (g *Grid) esc(cmd ansi.Cmd) {
	order, known := escOrders[cmd]
	if !known {
		g.note("ESC %s", named(cmd))
		return
	}
	g.joins = g.joins && cmd == '\\'
	order(g)
}

func (g *Grid) execute(b byte) {
	g.joins = false
	switch b {
	case '\a':
		g.bells++
	case '\b':
		g.moveTo(g.x-1, g.y)
	case '\t':
		g.tab(1)
	case '\n', '\v', '\f':
		g.feed()
	case '\r':
		g.x, g.wrap = 0, false
	case 0:
	default:
		g.note("control %#x", b)
	}
}

func (g *Grid) eraseDisplay(p ansi.Params) {
	g.wrap = false
	switch value(p, 0, 0) {
	case 0:
		g.erase(g.y, g.x, g.width)
		g.eraseRows(g.y+1, g.height)
	case 1:
		g.eraseRows(0, g.y)
		g.erase(g.y, 0, g.x+1)
	case 2:
		g.eraseRows(0, g.height)
	case 3: // what has scrolled away, of which nothing is kept
	default:
		g.note("CSI J %v", []ansi.Param(p))
	}
}

func (g *Grid) eraseLine(p ansi.Params) {
	g.wrap = false
	switch value(p, 0, 0) {
	case 0:
		g.erase(g.y, g.x, g.width)
	case 1:
		g.erase(g.y, 0, g.x+1)
	case 2:
		g.erase(g.y, 0, g.width)
	default:
		g.note("CSI K %v", []ansi.Param(p))
	}
}

// moveLines inserts (n < 0) or deletes lines at the cursor's, within the scroll region.
func (g *Grid) moveLines(n int) {
	if g.y >= g.top && g.y < g.end {
		g.scroll(g.y, g.end, n)
		g.moveTo(0, g.y)
	}
}

// repeat prints once more, so often, what was printed last.
func (g *Grid) repeat(p ansi.Params) {
	for range min(count(p, 0), g.width*g.height) {
		if g.printed != "" {
			g.put(g.printed, max(chat.Width(g.printed), 1))
		}
	}
}

func (g *Grid) clearTabs(p ansi.Params) {
	switch value(p, 0, 0) {
	case 0:
		g.tabs[g.x] = false
	case 3:
		clear(g.tabs)
	default:
		g.note("CSI g %v", []ansi.Param(p))
	}
}

func (g *Grid) setInsert(p ansi.Params, on bool) {
	for i := range p {
		if value(p, i, 0) != 4 {
			g.note("mode %d", value(p, i, 0))
			continue
		}
		g.insert = on
	}
}

func (g *Grid) setRegion(p ansi.Params) {
	top, end := count(p, 0)-1, min(max(value(p, 1, 0), 0), g.height)
	if end == 0 {
		end = g.height
	}
	if top < end-1 {
		g.top, g.end = top, end
		g.moveTo(0, 0)
	}
}

// page returns the screen that is shown.
func (g *Grid) page() *page {
	if g.onAlt() {
		return &g.alt
	}
	return &g.main
}

func (g *Grid) save() { g.page().saved = place{g.x, g.y, g.wrap, g.pen} }

func (g *Grid) restore() {
	saved := g.page().saved
	g.moveTo(saved.x, saved.y)
	g.wrap, g.pen = saved.wrap, saved.pen
}

func (g *Grid) softReset() {
	g.insert, g.pen, g.top, g.end = false, Style{}, 0, g.height
	delete(g.modes, modeArrows)
	delete(g.modes, modeCursor)
	delete(g.modes, modeNoWrap)
}

func (g *Grid) setModes(p ansi.Params, on bool) {
	for i := range p {
		switch mode := value(p, i, 0); {
		case mode == 47 || mode == 1047 || mode == 1049:
			g.switchScreen(mode, on)
		case mode == 1048 && on:
			g.save()
		case mode == 1048:
			g.restore()
		case !g.knows(mode):
			g.note("mode ?%d", mode)
		default:
			g.setMode(mode, on)
		}
	}
}

// knows reports whether this kind of terminal has a mode.
func (g *Grid) knows(mode int) bool {
	return knownModes[mode] != "" && !(g.kind.Plain && (mode == modeFrame || mode == modeCluster))
}

func (g *Grid) setMode(mode int, on bool) {
	delete(g.modes, mode)
	if on != atStart[mode] {
		g.modes[mode] = true
	}
	switch {
	case mode == modeNoWrap && !on:
		g.wrap = false
	case mode == modeFrame && on && g.frozen == nil:
		g.frozen = &sight{copied(g.rows), g.x, g.y, !g.modes[modeCursor]}
	case mode == modeFrame && !on:
		g.frozen = nil
	}
}

// switchScreen shows the alternate screen or the main one, in one of the three ways that xterm has had.
func (g *Grid) switchScreen(mode int, alt bool) {
	if alt == g.onAlt() {
		return
	}
	switch {
	case !alt:
		if mode == 1047 {
			g.eraseRows(0, g.height)
		}
		g.rows = g.main.rows
		if mode == 1049 {
			g.restore()
		}
	default:
		if mode == 1049 {
			g.save()
		}
		g.rows = g.alt.rows
		if mode == 1049 {
			g.eraseRows(0, g.height)
		}
	}
}

// maxKeys bounds the flags that are pushed.
const maxKeys = 32

func (g *Grid) keys() *[]int {
	if g.onAlt() {
		return &g.kitty[1]
	}
	return &g.kitty[0]
}

func (g *Grid) pushKeys(flags int) {
	if keys := g.keys(); len(*keys) < maxKeys {
		*keys = append(*keys, flags)
	}
}

func (g *Grid) popKeys(n int) {
	keys := g.keys()
	*keys = (*keys)[:max(0, len(*keys)-n)]
}

// looks are what the parameters of SGR that stand for themselves make of a style.
var looks = map[int]func(*Style){
	1: func(s *Style) { s.Bold = true }, 2: func(s *Style) { s.Faint = true }, 3: func(s *Style) { s.Italic = true },
	5: func(s *Style) { s.Blink = true }, 6: func(s *Style) { s.Blink = true }, 7: func(s *Style) { s.Reverse = true },
	8: func(s *Style) { s.Conceal = true }, 9: func(s *Style) { s.Strike = true }, 21: func(s *Style) { s.Underline = true },
	22: func(s *Style) { s.Bold, s.Faint = false, false }, 23: func(s *Style) { s.Italic = false }, 24: func(s *Style) { s.Underline = false },
	25: func(s *Style) { s.Blink = false }, 27: func(s *Style) { s.Reverse = false }, 28: func(s *Style) { s.Conceal = false },
	29: func(s *Style) { s.Strike = false }, 39: func(s *Style) { s.Fg = nil }, 49: func(s *Style) { s.Bg = nil }, 59: func(*Style) {},
}

// restyle changes the pen (SGR).
func (g *Grid) restyle(p ansi.Params) {
	if len(p) == 0 {
		p = ansi.Params{0}
	}
	for i := 0; i < len(p); i++ {
		n := value(p, i, 0)
		look, known := looks[n]
		switch {
		case n == 0:
			g.pen = Style{Link: g.pen.Link}
		case n == 4:
			g.pen.Underline = true
			if p[i].HasMore() && i+1 < len(p) { // its shape
				i++
				g.pen.Underline = value(p, i, 1) != 0
			}
		case n == 38 || n == 48 || n == 58:
			used := g.recolour(n, p[i:])
			if used == 0 {
				g.note("SGR %v", []ansi.Param(p))
				return
			}
			i += used - 1
		case known:
			look(&g.pen)
		case n >= 30 && n < 38:
			g.pen.Fg = ansi.BasicColor(n - 30)
		case n >= 40 && n < 48:
			g.pen.Bg = ansi.BasicColor(n - 40)
		case n >= 90 && n < 98:
			g.pen.Fg = ansi.BasicColor(n - 90 + 8)
		case n >= 100 && n < 108:
			g.pen.Bg = ansi.BasicColor(n - 100 + 8)
		default:
			g.note("SGR %d", n)
		}
	}
}

// recolour takes a colour of the pen, and returns how many parameters it takes: none if they are no colour.
func (g *Grid) recolour(of int, p ansi.Params) int {
	var c color.Color
	used := ansi.ReadStyleColor(p, &c)
	switch {
	case used == 0:
	case of == 38:
		g.pen.Fg = c
	case of == 48:
		g.pen.Bg = c
	}
	return used
}

// osc obeys a string: titles, links, notifications, the clipboard, questions for colours.
func (g *Grid) osc(cmd int, data []byte) {
	_, rest, _ := bytes.Cut(data, []byte(";"))
	text := strings.ToValidUTF8(string(rest), "\ufffd")
	switch cmd {
	case 0, 2:
		g.title = text
	case 1: // the name of an icon
	case 8:
		_, g.pen.Link, _ = strings.Cut(text, ";")
	case 9:
		if strings.HasPrefix(text, "4;") { // ConEmu's bar of progress
			return
		}
		g.notify(text)
	case 777:
		kind, message, _ := strings.Cut(text, ";")
		if kind != "notify" {
			g.note("OSC 777 %.40q", text)
			return
		}
		title, body, _ := strings.Cut(message, ";")
		g.notify(title + ": " + body)
	case 10, 11, 12:
		if text == "?" {
			g.reportColour(cmd)
		}
	case 52:
		_, g.pasted, _ = strings.Cut(text, ";")
	case 22, 110, 111, 112: // the shape of the pointer; colours as they were
	default:
		g.note("OSC %d %.40q", cmd, text)
	}
}

// maxNotes bounds the notifications that are kept.
const maxNotes = 10_000

func (g *Grid) notify(text string) {
	if len(g.notes) < maxNotes {
		g.notes = append(g.notes, text)
	}
}
