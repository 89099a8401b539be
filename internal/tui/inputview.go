package tui

import (
	"sort"
	"strings"

	"chatnode/internal/chat"
)

// tabColumns is what a tab takes on the screen, wherever it stands: as in chat.OneLine.
const tabColumns = 4

// inputRow is one row of the input on the screen: the bytes of the text from from to to.
type inputRow struct{ from, to int }

// layout is the rows of a text at a width, so that they are not found anew for every look.
type layout struct {
	text  string
	width int
	rows  []inputRow
}

// wrap returns the rows in which text stands at width: at least one for each line, cut between words where there is one to cut at, and
// never within a character.
func wrap(text string, width int) []inputRow {
	rows := make([]inputRow, 0, 8)
	for from := 0; ; {
		_, to := lineAt(text, from)
		rows = wrapLine(rows, text, inputRow{from, to}, width)
		if to == len(text) {
			return rows
		}
		from = to + 1
	}
}

// wrapLine appends the rows of one line.
func wrapLine(rows []inputRow, text string, line inputRow, width int) []inputRow {
	now := inputRow{line.from, line.from}
	used := 0                  // columns of now
	words, left := now.from, 0 // where now can be cut, and its columns from there on
	for char, wide := range chat.Characters(text[line.from:line.to]) {
		if wide = columns(char, wide, width); wide > 1 && char != "\t" { // before and behind a wide letter there may be an end
			words, left = now.to, 0
		}
		if used+wide > width && words > now.from && char != " " {
			rows = append(rows, inputRow{now.from, words})
			now.from, used = words, left
		}
		if used+wide > width {
			rows = append(rows, now)
			now.from, used, words, left = now.to, 0, now.to, 0
		}
		now.to += len(char)
		used += wide
		left += wide
		if wide > 1 || char == " " {
			words, left = now.to, 0
		}
	}
	return append(rows, now)
}

// columns returns what a character takes of a row of width columns, where chat.Characters says wide.
func columns(char string, wide, width int) int {
	switch {
	case char == "\t":
		return min(tabColumns, width)
	case wide > width:
		return 1 // a mark stands for it
	}
	return wide
}

// widthOf returns the columns of a part of a row.
func widthOf(text string, width int) (sum int) {
	for char, wide := range chat.Characters(text) {
		sum += columns(char, wide, width)
	}
	return sum
}

// screen returns all rows of the input at width, the one in which the cursor stands, and its column. A cursor behind a full row stands in an empty
// one of its own.
func (in *input) screen(width int) (rows []inputRow, y, x int) {
	width = max(width, 1)
	if in.layout.rows == nil || in.layout.text != in.text || in.layout.width != width {
		in.layout = layout{in.text, width, wrap(in.text, width)}
	}
	rows = in.layout.rows
	y = sort.Search(len(rows), func(i int) bool { return rows[i].from > in.at }) - 1
	x = widthOf(in.text[rows[y].from:in.at], width)
	switch {
	case x < width:
	case in.at == rows[y].to:
		rows = append(rows[:y+1:y+1], append([]inputRow{{in.at, in.at}}, rows[y+1:]...)...)
		y, x = y+1, 0
	default: // before a character that takes no place
		x = width - 1
	}
	return rows, y, x
}

// visible returns the rows that are on the screen, at most height, and the cursor within them. They scroll no further than the cursor asks for.
func (in *input) visible(width, height int) (rows []inputRow, x, y int) {
	height = max(height, 1)
	rows, y, x = in.screen(width)
	in.top = min(in.top, y, max(len(rows)-height, 0))
	in.top = max(in.top, y-height+1)
	return rows[in.top:min(in.top+height, len(rows))], x, y - in.top
}

// lines returns the input as it stands on a screen of width columns: one to max lines, those around the cursor when there are more.
func (in *input) lines(width, max int) []string {
	rows, _, _ := in.visible(width, max)
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = in.draw(r, in.layout.width)
	}
	return lines
}

// position returns where the cursor is within what lines returns.
func (in *input) position(width, max int) (x, y int) {
	_, x, y = in.visible(width, max)
	return x, y
}

// draw returns a row in its style. During a search all but what is searched for is dim.
func (in *input) draw(r inputRow, width int) string {
	text := in.text[r.from:r.to]
	if in.seek == nil || in.seek.query == "" || in.seek.found == 0 {
		return in.textStyle.Render(plain(text, width))
	}
	from := min(max(in.at-r.from, 0), len(text))
	to := boundary(in.text, min(in.at+len(in.seek.query), len(in.text)))
	to = min(max(to-r.from, from), len(text))
	var b strings.Builder
	for i, part := range []string{text[:from], text[from:to], text[to:]} {
		style := in.dimStyle
		if i == 1 {
			style = in.textStyle
		}
		if part != "" {
			b.WriteString(style.Render(plain(part, width)))
		}
	}
	return b.String()
}

// plain returns a part of a row as a terminal of width columns can draw it.
func plain(text string, width int) string {
	if width > 1 && !strings.Contains(text, "\t") {
		return text
	}
	var b strings.Builder
	for char, wide := range chat.Characters(text) {
		switch {
		case char == "\t":
			b.WriteString(strings.Repeat(" ", columns(char, wide, width)))
		case wide > width:
			b.WriteString(chat.Truncate(char, width))
		default:
			b.WriteString(char)
		}
	}
	return b.String()
}

// toRow moves the cursor by rows, and keeps to its column over rows that are shorter. It reports false, and does nothing, where there is none.
func (in *input) toRow(by int) bool {
	width := in.layout.width
	rows, y, x := in.screen(width)
	if in.aim < 0 {
		in.aim = x
	}
	if y += by; y < 0 || y >= len(rows) {
		return false
	}
	at, used := rows[y].from, 0
	for char, wide := range chat.Characters(in.text[at:rows[y].to]) {
		used += columns(char, wide, width)
		end := at + len(char)
		if used > in.aim || end == rows[y].to && y+1 < len(rows) && rows[y+1].from == end {
			break
		}
		at = end
	}
	in.at = at
	return true
}
