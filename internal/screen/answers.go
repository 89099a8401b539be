package screen

import (
	"fmt"

	"github.com/charmbracelet/x/ansi"
)

// maxSaid bounds what a Grid has to say at one time, in bytes.
const maxSaid = 64 << 10

// say answers a question, when everything has been obeyed that was written with it.
func (g *Grid) say(format string, args ...any) {
	if len(g.said) < maxSaid {
		g.said = fmt.Appendf(g.said, format, args...)
	}
}

// dcs answers questions for capabilities and settings: it has none.
func (g *Grid) dcs(cmd ansi.Cmd, _ ansi.Params, data []byte) {
	switch named(cmd) {
	case "+q":
		g.say("\x1bP0+r%s\x1b\\", ascii(data))
	case "$q":
		g.say("\x1bP0$r\x1b\\")
	default:
		g.note("DCS %s %.40q", named(cmd), data)
	}
}

// ascii returns the printable part of data, which is to be sent back.
func ascii(data []byte) (text []byte) {
	for _, b := range data {
		if b >= ' ' && b < 0x7f {
			text = append(text, b)
		}
	}
	return text
}

func (g *Grid) reportStatus(p ansi.Params) {
	switch value(p, 0, 0) {
	case 5:
		g.say("\x1b[0n")
	case 6:
		g.say("\x1b[%d;%dR", g.y+1, g.x+1)
	default:
		g.note("CSI n %v", []ansi.Param(p))
	}
}

// reportColours tells whether it is dark or light.
func (g *Grid) reportColours(p ansi.Params) {
	if value(p, 0, 0) != 996 {
		g.note("CSI ?n %v", []ansi.Param(p))
		return
	}
	scheme := 1
	if g.kind.Light {
		scheme = 2
	}
	g.say("\x1b[?997;%dn", scheme)
}

// reportColour tells the colour of text (10), of the background (11) or of the cursor (12).
func (g *Grid) reportColour(which int) {
	colour := "ffff/ffff/ffff"
	if g.kind.Light != (which == 11) {
		colour = "0000/0000/0000"
	}
	g.say("\x1b]%d;rgb:%s\x1b\\", which, colour)
}

// reportMode tells whether a mode is set (DECRPM).
func (g *Grid) reportMode(p ansi.Params) {
	const notRecognised, set, reset, permanentlySet = 0, 1, 2, 3
	mode := value(p, 0, 0)
	state := reset
	switch {
	case mode == 47 || mode == 1047 || mode == 1049:
		if g.onAlt() {
			state = set
		}
	case !g.knows(mode):
		state = notRecognised
	case mode == modeCluster: // it can do no other
		state = permanentlySet
	case g.modes[mode] != atStart[mode]:
		state = set
	}
	g.say("\x1b[?%d;%d$y", mode, state)
}

// windowOrder tells how many columns and rows there are. A window is not moved, and keeps no titles.
func (g *Grid) windowOrder(p ansi.Params) {
	switch value(p, 0, 0) {
	case 18:
		g.say("\x1b[8;%d;%dt", g.height, g.width)
	case 22, 23: // keep the title, and take it back
	default:
		g.note("CSI t %v", []ansi.Param(p))
	}
}
