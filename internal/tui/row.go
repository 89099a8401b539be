package tui

import (
	"time"

	"chatnode/internal/chat"
)

// rowKind says what a row of a room's log is.
type rowKind uint8

const (
	rowSaid    rowKind = iota // a message
	rowNote                   // a line of the program: a lost link, the answer of a command, a gap
	rowMark                   // a rule across the screen with a text in it
	rowPicture                // a line of a picture, black on white
)

// rowState says what has become of a message of one's own.
type rowState uint8

const (
	stateKept    rowState = iota // on the node's disk
	statePending                 // not yet known to be
	stateRefused                 // why says so
)

// row is one row of a room's log.
type row struct {
	kind    rowKind
	seq     uint64
	id      chat.ID
	from    uint64
	name    string
	own     bool
	mention bool
	say     chat.Kind
	at      time.Time
	text    string
	re      chat.ID // the message that this one answers
	quote   string  // "bob: earlier words", once known
	state   rowState
	why     string
	direct  bool
	n       uint64 // of a refused one: what Client.Send returned
	where   string // the room, in a list of messages of many; else ""
}

// rowStyle says what rows are drawn for.
type rowStyle struct {
	theme    *theme
	zone     *time.Location
	names    []string // the reader's own
	selected chat.ID
	newAt    uint64 // a rule stands above the first row with a greater seq, unless 0
	clock    bool
}

// draw returns the lines of r below above, which is nil for the first row.
func (s *rowStyle) draw(above, r *row, width int) []string {
	return []string{chat.Truncate(r.at.In(s.zone).Format("15:04 ")+chat.Shown(r.name)+": "+chat.OneLine(r.text), width)}
}
