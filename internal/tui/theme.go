package tui

import (
	"hash/fnv"
	"strings"

	"charm.land/lipgloss/v2"

	"chatnode/internal/chat"
	"chatnode/internal/markup"
)

// theme is how everything looks. Without colours, bold, underlined and reversed text and marks in the text carry all that colours tell. It
// doesn't change once it is made.
type theme struct {
	dark, colours bool

	status, statusLost             lipgloss.Style // the status line; and while there is no link
	prompt                         lipgloss.Style
	popup, popupPicked             lipgloss.Style // what is offered above the input; and what Enter would take
	roomCurrent, room              lipgloss.Style // the list of rooms
	roomUnread, roomMention        lipgloss.Style
	person, personAway             lipgloss.Style // the list of people; names have nameStyle besides
	note, mark, day, time, refused lipgloss.Style // lines of a room's log

	names []lipgloss.Style

	// For rows, of which many are drawn for each screen.
	paints struct {
		note, mark, day, time, refused, own, mention, picked, picture paint

		names []paint
		texts [markup.Styles]paint
	}
}

// palette are the colours for one kind of background.
type palette struct {
	names                  []string // well apart from each other, none too close to the background
	dim, code, link, alert string
	accent, onAccent       string // what is for the user: a background, and the text on it
	bar, onBar             string // the status line and the popup
	picked                 string // a background among them
}

// The names' colours have one lightness in OKLCH for every other hue, 12 hues 30° apart, and a contrast of 4.5 (WCAG 2, 1.4.3) to the
// backgrounds that terminals have: up to #2e3440 for the dark ones, down to #eeeeee for the light ones.
var (
	onDark = palette{
		names: []string{
			"#ffaba2", "#f98924", "#f4ba00", "#a6b706", "#72e17e", "#03c6a7", "#03ddf0", "#14b8ff", "#a9c3fe", "#b495ff", "#fc9aff", "#fb78ae",
		},
		dim: "#9da5b1", code: "#e0b878", link: "#7cc4ff", alert: "#ff8f88",
		accent: "#f4ba00", onAccent: "#1c1c1c", bar: "#3a4150", onBar: "#e8eaee", picked: "#59657d",
	}
	onLight = palette{
		names: []string{
			"#920030", "#a43f00", "#694402", "#6e6500", "#2f5a01", "#027653", "#005958", "#006e8b", "#004c93", "#5c4ebe", "#6d228c", "#a12e7b",
		},
		dim: "#5a616b", code: "#7a4a00", link: "#0b5394", alert: "#b3261e",
		accent: "#ffd24d", onAccent: "#1c1c1c", bar: "#d5dae3", onBar: "#1c1c1c", picked: "#b4bed0",
	}
)

// newTheme returns the theme for a dark or a light background, with colours or without.
func newTheme(dark, colours bool) *theme {
	t := &theme{dark: dark, colours: colours}
	if colours {
		t.colourful()
	} else {
		t.monochrome()
	}
	t.paints.note, t.paints.mark, t.paints.day = paintOf(t.note), paintOf(t.mark), paintOf(t.day)
	t.paints.time, t.paints.refused = paintOf(t.time), paintOf(t.refused)
	for _, style := range t.names {
		t.paints.names = append(t.paints.names, paintOf(style))
	}
	return t
}

// palette returns the colours for the theme's background.
func (t *theme) palette() *palette {
	if t.dark {
		return &onDark
	}
	return &onLight
}

func (t *theme) colourful() {
	p, plain := t.palette(), lipgloss.NewStyle()
	ink := func(hex string) lipgloss.Style { return plain.Foreground(lipgloss.Color(hex)) }
	on := func(back, hex string) lipgloss.Style { return ink(hex).Background(lipgloss.Color(back)) }
	for _, hex := range p.names {
		t.names = append(t.names, ink(hex))
	}
	t.status, t.statusLost = on(p.bar, p.onBar), on(p.accent, p.onAccent).Bold(true)
	t.popup, t.popupPicked = on(p.bar, p.onBar), on(p.picked, p.onBar).Bold(true)
	t.prompt, t.person, t.personAway = ink(p.dim), plain, ink(p.dim)
	t.room, t.roomCurrent = ink(p.dim), on(p.bar, p.onBar).Bold(true)
	t.roomUnread, t.roomMention = plain.Bold(true), on(p.accent, p.onAccent).Bold(true)
	t.note, t.mark, t.day, t.time = ink(p.dim), ink(p.link), ink(p.dim), ink(p.dim)
	t.refused = ink(p.alert)
	t.paints.own, t.paints.mention = paintOf(ink(p.dim)), paintOf(on(p.accent, p.onAccent).Bold(true))
	t.paints.picked = paintOf(ink(p.link).Bold(true))
	t.paints.picture = paintOf(on("#ffffff", "#000000"))
	t.texts(ink(p.code), ink(p.dim), ink(p.link), on(p.accent, p.onAccent))
}

func (t *theme) monochrome() {
	plain := lipgloss.NewStyle()
	bold, reversed := plain.Bold(true), plain.Reverse(true)
	t.names = []lipgloss.Style{plain}
	t.status, t.statusLost = reversed, reversed.Bold(true)
	t.popup, t.popupPicked = reversed, bold.Underline(true)
	t.prompt, t.person, t.personAway = plain, plain, plain.Faint(true)
	t.room, t.roomCurrent = plain, reversed
	t.roomUnread, t.roomMention = bold, bold.Underline(true)
	t.note, t.mark, t.day, t.time = plain.Faint(true), bold, plain.Faint(true), plain
	t.refused = bold
	t.paints.own, t.paints.mention = paintOf(plain), paintOf(reversed.Bold(true))
	t.paints.picked = paintOf(bold)
	t.paints.picture = paintOf(plain)
	if t.dark {
		t.paints.picture = paintOf(reversed)
	}
	t.texts(plain, plain, plain, reversed)
}

// texts sets the paints of a message's text, for all styles that can come together.
func (t *theme) texts(code, quote, link, mention lipgloss.Style) {
	for s := range markup.Styles {
		style := lipgloss.NewStyle()
		for _, is := range []struct {
			part markup.Style
			look lipgloss.Style
		}{{markup.Mention, mention}, {markup.Link, link.Underline(true)}, {markup.Code, code}, {markup.Quote, quote}} {
			if s&is.part != 0 {
				style = style.Inherit(is.look) // what comes first stays
			}
		}
		style = style.Bold(s&(markup.Bold|markup.Heading|markup.Mention) != 0)
		t.paints.texts[s] = paintOf(style.Italic(s&markup.Italic != 0).Strikethrough(s&markup.Strike != 0))
	}
}

// nameStyle returns the style of a person's name: the same name has the same colour everywhere.
func (t *theme) nameStyle(name string) lipgloss.Style { return t.names[t.nameIndex(name)] }

func (t *theme) nameIndex(name string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(chat.Fold(name)))
	return int(h.Sum32() % uint32(len(t.names)))
}

// paint is a style as what a terminal is told before a text and after it. Drawing with it costs nothing but that.
type paint struct{ on, off string }

// paintOf returns what style does to a text.
func paintOf(style lipgloss.Style) paint {
	on, off, _ := strings.Cut(style.Render("x"), "x")
	return paint{on, off}
}

// write adds text to b in this paint.
func (p paint) write(b *strings.Builder, text string) {
	b.WriteString(p.on)
	b.WriteString(text)
	b.WriteString(p.off)
}
