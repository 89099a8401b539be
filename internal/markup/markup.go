// Package markup reads a little Markdown, as people write it in a chat, and cuts styled text into lines of a screen. What is shown is what was
// written: marks stay where they are, in the style of what they mark. It knows no colours.
package markup

import (
	"strings"

	"chatnode/internal/chat"
)

// Style says how a piece of text is meant: any of the bits together.
type Style uint16

// Styles.
const (
	Bold Style = 1 << iota
	Italic
	Code
	Strike
	Quote
	Heading
	Link
	Mention
	Dim // left to whoever draws: Parse sets it nowhere
)

// Span is a piece of a line in one style.
type Span struct {
	Text  string
	Style Style
}

// Line is a line of text, from left to right.
type Line []Span

// Parse returns text's lines, styled. names are the reader's own, which are mentions.
func Parse(text string, names ...string) []Line {
	var lines []Line
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, Line{{Text: chat.OneLine(line)}})
	}
	return lines
}

// Wrap cuts a line to width columns.
func Wrap(line Line, width int) []Line {
	width = max(width, 1)
	text := []rune(line.String())
	lines := []Line{}
	for len(text) > width {
		lines = append(lines, Line{{Text: string(text[:width])}})
		text = text[width:]
	}
	return append(lines, Line{{Text: string(text)}})
}

// Width returns how many columns the line takes.
func (l Line) Width() int {
	n := 0
	for _, s := range l {
		n += chat.Width(s.Text)
	}
	return n
}

// String returns the line's text.
func (l Line) String() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.Text)
	}
	return b.String()
}
