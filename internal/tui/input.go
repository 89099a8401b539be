package tui

import (
	"strings"
	"unicode/utf8"

	"charm.land/lipgloss/v2"

	"chatnode/internal/chat"
)

// Bounds of the input. The text itself holds what one message holds: chat.MaxText bytes, chat.MaxLines lines.
const (
	maxRaw  = 8 * chat.MaxText // bytes of a text that is put in, before it is made safe
	maxUndo = 100              // steps that can be undone

	firstWidth = 80 // columns, until it was drawn
)

// input is what the user types into: the text, the cursor, a kill buffer, and one draft for each place. It edits what a reader takes for
// characters, not code points, so that no key leaves half a flag behind or the cursor inside a family. (The text area of bubbles edits and
// wraps by code points.) It is drawn by lines, position and popup, and does nothing by itself.
type input struct {
	// What is typed. text is clean by chat.CleanText and at is always between two of its characters.
	text   string
	at     int    // the cursor, in bytes
	past   []step // what undo goes back to, the latest last
	typing bool   // what is typed joins the latest step
	keys   int    // how many there were: what comes right after what
	kills  int    // the key that killed last, where nothing was changed since
	killed string // what Ctrl-Y brings back
	aim    int    // the column that ↑ and ↓ keep to; -1 when others than they were pressed
	refuse string // why what was typed last is not there, or ""

	// Where it is typed: the place, and what waits in the others.
	place string
	kept  map[string]draft
	order []string // places with a draft, the one that was left longest ago first

	// What was sent before, and how it comes back.
	history history
	entry   int          // the line of the history that is shown, by its number; 0 for what is being typed
	edits   map[int]step // what became of lines that were shown, and of what was being typed, by the same numbers
	seek    *seek        // Ctrl-R; nil when not searching
	sought  string       // what Ctrl-R searched for last

	pop popup

	// How it is drawn.
	textStyle, dimStyle lipgloss.Style
	layout              layout
	top                 int // the first row that was on the screen, where there are more than fit
}

// step is a text and its cursor, as they were.
type step struct {
	text string
	at   int
}

// newInput returns an empty input, in the place "".
func newInput() *input {
	return &input{kills: -1, aim: -1, kept: map[string]draft{}, history: history{first: 1}, layout: layout{width: firstWidth}}
}

// setStyles sets how the text is drawn, and what stands beside what is searched for. It may be called at any time.
func (in *input) setStyles(text, dim lipgloss.Style) { in.textStyle, in.dimStyle = text, dim }

// value returns the text.
func (in *input) value() string { return in.text }

// isEmpty reports whether there is no text.
func (in *input) isEmpty() bool { return in.text == "" }

// cursor returns the text before the cursor, and where the cursor is, in bytes.
func (in *input) cursor() (before string, at int) { return in.text[:in.at], in.at }

// fault returns a sentence that says why what was typed or put in last is not there; "" when it is.
func (in *input) fault() string { return in.refuse }

// set puts text in the place of all there is, made safe as insert does, and the cursor at its end. A text that can't be held is not taken.
func (in *input) set(text string) {
	in.seek = nil
	in.leaveHistory()
	in.edit(0, len(in.text), text)
}

// clear takes all of the text away. Undo brings it back, unless it was sent.
func (in *input) clear() {
	in.set("")
	in.pop = popup{}
	if last := len(in.past) - 1; last >= 0 && in.past[last].text == in.history.newest() {
		in.past = nil
	}
}

// insert puts text in at the cursor, made safe: CRLF and CR become a newline, other controls than newline and tab go, and so does all
// that chat.CleanText takes away. It reports false, and changes nothing, when the whole would be more than one message holds. While Ctrl-R
// searches, the text goes into what is searched for.
func (in *input) insert(text string) bool {
	if in.seek != nil {
		return len(text) <= maxSought && in.refine(in.seek.query+text)
	}
	in.typing = false
	return in.edit(in.at, in.at, text)
}

// replace puts text in the place of the bytes from from to to, and the cursor behind it. Bounds that are none, or that stand within a
// character, move to the next that can be.
func (in *input) replace(from, to int, text string) {
	if in.seek != nil {
		in.accept()
	}
	from = boundary(in.text, min(max(from, 0), len(in.text)))
	to = boundary(in.text, min(max(to, from), len(in.text)))
	in.typing = false
	in.edit(from, to, text)
}

// edit is all that changes the text. It puts text in the place of the bytes from from to to, and reports whether it could be held.
// What is put in is cleaned together with what stands around it, as the node will do: marks are counted by the character that bears them.
func (in *input) edit(from, to int, text string) bool {
	in.kills, in.aim = -1, -1
	in.refuse = ""
	if len(text) > maxRaw {
		in.refuse = chat.TooLong.Sentence()
		return false
	}
	before := chat.CleanText(chat.Text, in.text[:from]+safe(text))
	whole := chat.CleanText(chat.Text, before+in.text[to:])
	if !fits(whole) {
		in.refuse = chat.TooLong.Sentence()
		return false
	}
	if whole != in.text && !in.typing {
		in.mark()
	}
	in.text, in.at = whole, boundary(whole, min(len(before), len(whole)))
	return true
}

// safe returns text as valid UTF-8 whose lines end in newlines.
func safe(text string) string {
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	if strings.Contains(text, "\r") {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	}
	return text
}

// fits reports whether one message can hold text.
func fits(text string) bool {
	code := chat.CheckText(chat.Text, text)
	return code == chat.OK || code == chat.Empty
}

// mark keeps the text as it is for undo.
func (in *input) mark() {
	if len(in.past) == maxUndo {
		in.past = append(in.past[:0], in.past[1:]...)
	}
	in.past = append(in.past, step{in.text, in.at})
}

// undo goes one step back.
func (in *input) undo() {
	if last := len(in.past) - 1; last >= 0 {
		in.text, in.at = in.past[last].text, in.past[last].at
		in.past = in.past[:last]
	}
}

// put shows a text that is clean already, with nothing to undo.
func (in *input) put(s step) {
	in.text, in.at, in.past, in.typing = s.text, s.at, nil, false
	in.kills, in.aim = -1, -1
}

// lineAt returns where the line begins and ends in which at stands: its newlines are outside.
func lineAt(text string, at int) (from, to int) {
	from = strings.LastIndexByte(text[:at], '\n') + 1
	if to = strings.IndexByte(text[at:], '\n'); to < 0 {
		return from, len(text)
	}
	return from, at + to
}

// next returns the end of the character that begins at at.
func next(text string, at int) int {
	for char := range chat.Characters(text[at:]) {
		return at + len(char)
	}
	return at
}

// prev returns where the character begins that ends at at.
func prev(text string, at int) int {
	if at == 0 || text[at-1] == '\n' {
		return max(at-1, 0)
	}
	from, _ := lineAt(text, at)
	for char := range chat.Characters(text[from:at]) {
		if from+len(char) >= at {
			break
		}
		from += len(char)
	}
	return from
}

// boundary returns at, or where the character ends within which at stands.
func boundary(text string, at int) int {
	from, _ := lineAt(text, at)
	if from == at || at == len(text) {
		return at
	}
	for char := range chat.Characters(text[from:]) {
		if from += len(char); from >= at {
			break
		}
	}
	return from
}
