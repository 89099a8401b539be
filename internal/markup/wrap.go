package markup

import "chatnode/internal/chat"

// misfit stands for a character that is wider than the screen.
const misfit = "?"

// Wrap cuts line into lines of at most width columns (less than one counts as one): at spaces, which go where it is cut, or between two wide
// characters, and elsewhere only in a word that is longer than a line; never within what a reader takes for a character. Each piece keeps its
// style. A character that is wider than width becomes a question mark; nothing else is lost. An empty line stays one. It takes time linear in
// line's length.
func Wrap(line Line, width int) []Line {
	width = max(width, 1)
	if line.Width() <= width {
		return []Line{line}
	}
	w := wrapper{line: line, width: width}
	for i, span := range line {
		w.enter(i)
		for char, wide := range chat.Characters(span.Text) {
			if wide > width {
				return Wrap(fitting(line, width), width)
			}
			w.take(char, wide)
		}
	}
	if w.at != w.start || len(w.lines) == 0 {
		w.lines = append(w.lines, w.piece(w.at))
	}
	return w.lines
}

// fitting returns line with each character that is wider than width replaced.
func fitting(line Line, width int) Line {
	var fits Line
	for _, span := range line {
		text := make([]byte, 0, len(span.Text))
		for char, wide := range chat.Characters(span.Text) {
			if wide > width {
				char = misfit
			}
			text = append(text, char...)
		}
		fits = append(fits, Span{string(text), span.Style})
	}
	return fits
}

// place is a place in a line, between two characters.
type place struct{ span, byte int }

// wrapper takes a line's characters in turn and cuts it.
type wrapper struct {
	// Static.
	line  Line
	width int

	lines   []Line // done
	at      place  // behind what was taken
	start   place  // where the piece begins that isn't done
	columns int    // what it takes
	last    string // the character before at, "" at the piece's beginning
	wide    int    // its columns

	// Where the piece can be cut, if it can: it would end at end, and the next begin at next, columns into it.
	can       bool
	end, next place
	nextAt    int
}

// enter goes on with span i, at whose beginning the piece now begins if there is nothing in it.
func (w *wrapper) enter(i int) {
	if w.start == w.at {
		w.start = place{span: i}
	}
	w.at = place{span: i}
}

// take adds a character, and cuts what stands before it when there is no room for it.
func (w *wrapper) take(char string, wide int) {
	here := w.at
	w.at.byte += len(char)
	space := char == " "
	if space && len(w.lines) > 0 && here == w.start { // spaces at which it was cut
		w.start = w.at
		return
	}
	switch {
	case space && w.last != " " && w.last != "":
		w.can, w.end, w.next, w.nextAt = true, here, w.at, w.columns+1
	case space && w.can && w.last == " ":
		w.next, w.nextAt = w.at, w.columns+1
	case wide == 2 && w.wide == 2:
		w.can, w.end, w.next, w.nextAt = true, here, here, w.columns
	}
	for w.columns+wide > w.width {
		switch {
		case space && w.can:
			w.cut(w.end, w.at, 0)
			return
		case space:
			w.cut(here, w.at, 0)
			return
		case w.can:
			w.cut(w.end, w.next, w.columns-w.nextAt)
		default:
			w.cut(here, here, 0)
		}
	}
	w.columns += wide
	w.last, w.wide = char, wide
}

// cut ends the piece at end and begins another at next, which takes some columns already.
func (w *wrapper) cut(end, next place, columns int) {
	w.lines = append(w.lines, w.piece(end))
	w.start, w.columns, w.can = next, columns, false
	if columns == 0 {
		w.last, w.wide = "", 0
	}
}

// piece returns the line from start to end.
func (w *wrapper) piece(end place) Line {
	piece := Line{}
	for i := w.start.span; i <= end.span; i++ {
		span, from, to := w.line[i], 0, len(w.line[i].Text)
		if i == w.start.span {
			from = w.start.byte
		}
		if i == end.span {
			to = end.byte
		}
		if from < to {
			piece = append(piece, Span{span.Text[from:to], span.Style})
		}
	}
	return piece
}
