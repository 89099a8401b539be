// Package markup reads a little Markdown, as people write it in a chat, and wraps what it styled to the width of a screen. What is shown is what was
// written: the marks stay where they are, in the style of what they mark, so that nothing is hidden and a copy is what was typed. An address is
// shown as it is, never behind other words. It knows no colours.
package markup

import (
	"strings"

	"chatnode/internal/chat"
)

// Style says how a piece of text is meant: any of its bits together.
type Style uint16

// The styles that Parse gives.
const (
	Bold    Style = 1 << iota // **bold**, __bold__
	Italic                    // *italic*, _italic_
	Strike                    // ~~strike~~
	Code                      // `code`, and lines between fences; nothing else is within it
	Quote                     // a line behind "> "
	Heading                   // a line behind "# "
	Link                      // an address
	Mention                   // a name of the reader

	Styles // how many there are together: every Style from Parse is less
)

// Span is a piece of a line in one style.
type Span struct {
	Text  string
	Style Style
}

// Line is a line of text, from left to right. One from Parse has no empty spans, and none ends within what a reader takes for a character.
type Line []Span

// Width returns how many columns of a terminal the line takes.
func (l Line) Width() int {
	columns := 0
	for _, s := range l {
		columns += chat.Width(s.Text)
	}
	return columns
}

// String returns the line's text.
func (l Line) String() string {
	if len(l) == 1 {
		return l[0].Text
	}
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.Text)
	}
	return b.String()
}

// Parse returns the lines of text, one for each, styled. names are those that the reader goes by (see chat.Mentions). Whatever text holds,
// a line holds nothing that a terminal would obey: what chat.OneLine replaces is replaced, and a tab goes to the next of the columns 4, 8, 12, ….
// It takes time linear in len(text).
//
// Marks count where they stand around whole words: snake_case and 2*3*4 are left alone, and so is what a backslash stands before. They begin
// and end on one line, but for fences of ```, which without an end go to the last line.
func Parse(text string, names ...string) []Line {
	p := parser{names: names}
	lines := make([]Line, 0, strings.Count(text, "\n")+1)
	fenced := false
	for line := range strings.SplitSeq(text, "\n") {
		line = clean(line)
		fence := isFence(line, fenced)
		if fenced || fence {
			lines = append(lines, whole(line, Code))
		} else {
			lines = append(lines, p.line(line))
		}
		fenced = fenced != fence
	}
	return lines
}

// tab is how many columns are from one stop to the next.
const tab = 4

// clean returns a line without what may not stand in one.
func clean(line string) string {
	piece, rest, found := strings.Cut(line, "\t")
	if !found {
		return chat.OneLine(line)
	}
	var b strings.Builder
	for column := 0; ; piece, rest, found = strings.Cut(rest, "\t") {
		piece = chat.OneLine(piece)
		b.WriteString(piece)
		if !found {
			return b.String()
		}
		column += chat.Width(piece)
		blank := tab - column%tab
		b.WriteString("    "[:blank])
		column += blank
	}
}

// isFence reports whether a line begins or, where one is open, ends a block of code. More behind the fence than the name of a language makes it code
// within a line.
func isFence(line string, open bool) bool {
	behind, ok := strings.CutPrefix(strings.TrimLeft(line, " "), "```")
	if open {
		return ok && strings.Trim(behind, "` ") == ""
	}
	return ok && !strings.Contains(strings.TrimLeft(behind, "`"), "`")
}

// whole returns a line in one style.
func whole(line string, style Style) Line {
	if line == "" {
		return Line{}
	}
	return Line{{line, style}}
}
