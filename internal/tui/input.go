package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"chatnode/internal/chat"
)

// input is what the user types into: the text, the cursor, a kill buffer, and one draft for each place.
type input struct {
	text      string
	at        int // the cursor, in bytes; always between two of the text's characters
	textStyle lipgloss.Style
	dimStyle  lipgloss.Style
	place     string
	kept      map[string]string
}

func newInput() *input { return &input{kept: map[string]string{}} }

func (in *input) setStyles(text, dim lipgloss.Style) { in.textStyle, in.dimStyle = text, dim }
func (in *input) value() string                      { return in.text }
func (in *input) set(text string)                    { in.text, in.at = text, len(text) }
func (in *input) clear()                             { in.set("") }
func (in *input) isEmpty() bool                      { return in.text == "" }
func (in *input) cursor() (before string, at int)    { return in.text[:in.at], in.at }
func (in *input) replace(from, to int, text string) {
	in.text, in.at = in.text[:from]+text+in.text[to:], from+len(text)
}

func (in *input) insert(text string) bool {
	in.replace(in.at, in.at, text)
	return true
}

func (in *input) handle(k tea.KeyPressMsg) bool {
	switch {
	case k.String() == "backspace" && in.at > 0:
		in.replace(in.at-1, in.at, "")
	case k.Text != "":
		in.insert(k.Text)
	default:
		return false
	}
	return true
}

func (in *input) lines(width, max int) []string {
	lines := strings.Split(in.text, "\n")
	for i, line := range lines {
		lines[i] = chat.Truncate(line, width)
	}
	return lines[len(lines)-min(len(lines), max):]
}

func (in *input) position(width, max int) (x, y int) {
	lines := in.lines(width, max)
	return min(chat.Width(lines[len(lines)-1]), width-1), len(lines) - 1
}

func (in *input) switchTo(place string) {
	in.kept[in.place] = in.text
	in.place = place
	in.set(in.kept[place])
}

func (in *input) forget(place string) { delete(in.kept, place) }
func (in *input) drafts() []string    { return nil }

// fault returns a sentence when the last thing that was typed or put in did not fit, else "".
func (in *input) fault() string { return "" }
