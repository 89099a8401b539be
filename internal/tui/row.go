package tui

import (
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/command"
	"chatnode/internal/markup"
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
	seq     uint64 // of a row that has none: that of the message before it
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
	open    bool   // it came to one person alone and was not sealed
	n       uint64 // of a refused one: what Client.Send returned
	where   string // the room, in a list of messages of many; else ""
	astray  bool   // it was shown by another node, and seq is about where it stands in this one's log
	deed    string // of an act: what was done, before what stands in text
	hidden  bool   // the user ignores who wrote it
	folded  []row  // of a note that stands for them: messages that are hidden
}

// rowStyle says what rows are drawn for.
type rowStyle struct {
	theme    *theme
	zone     *time.Location
	names    []string // the reader's own
	selected chat.ID
	newAt    uint64 // a rule stands above the first row with a greater seq, unless 0
}

// Columns of a row. On a wide screen names have a column of their own and a rule at its right; on a narrow one they stand before the text, whose
// further lines are indented. In both, nothing that somebody wrote begins where a time or a name does: a line that looks like somebody else's stands
// under the name of who wrote it.
const (
	wideFrom    = 70
	timeColumns = 6
	nameColumns = 12
	rail        = " │ "
	wideColumns = timeColumns + nameColumns + len(" | ")
	narrowFrom  = 16 // columns of a screen from which there is room for the time
	together    = 5 * time.Minute
)

// Styles of what rows have around a message's text, beyond those of package markup.
const (
	nameStyled markup.Style = markup.Styles << iota
	noteStyled
	refusedStyled
)

// draw returns the lines of r below above, which is nil for the first row. Each is at most width columns wide.
func (s *rowStyle) draw(above, r *row, width int) []string {
	width = max(width, 1)
	var lines []string
	p := &s.theme.paints
	if above == nil || !s.sameDay(above.at, r.at) {
		lines = append(lines, rule(p.day, r.at.In(s.zone).Format("Monday, 2 January 2006"), width))
	}
	if s.newAt > 0 && r.seq > s.newAt && (above == nil || above.seq <= s.newAt) {
		lines = append(lines, rule(p.mark, "new", width))
	}
	switch r.kind {
	case rowMark:
		return append(lines, rule(p.mark, r.text, width))
	case rowPicture:
		return append(lines, picture(p.picture, r.text, width))
	}
	return append(lines, s.body(above, r, width, len(lines) > 0)...)
}

func (s *rowStyle) sameDay(a, b time.Time) bool {
	ay, am, ad := a.In(s.zone).Date()
	by, bm, bd := b.In(s.zone).Date()
	return ad == bd && am == bm && ay == by
}

// rule returns a line across the screen with a text in its middle.
func rule(p paint, text string, width int) string {
	text = chat.OneLine(text)
	left := (width - chat.Width(text) - 2) / 2
	if left < 2 {
		text = chat.Truncate("── "+text+" ──", width)
	} else {
		text = strings.Repeat("─", left) + " " + text + " "
		text += strings.Repeat("─", width-chat.Width(text))
	}
	var b strings.Builder
	p.write(&b, text)
	return b.String()
}

// picture returns a line of one, as far from the left as messages are.
func picture(p paint, text string, width int) string {
	indent := min(timeColumns, max(0, width-narrowFrom))
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", indent))
	p.write(&b, chat.Truncate(chat.OneLine(text), width-indent))
	return b.String()
}

// body returns the lines of a message or of a note. fresh tells that a line stands between it and the row above.
func (s *rowStyle) body(above, r *row, width int, fresh bool) []string {
	first, rest, columns := s.margins(above, r, width, fresh)
	texts := s.message(r, width < wideFrom, columns)
	lines := make([]string, 0, len(texts))
	var b strings.Builder
	for _, text := range texts {
		for _, piece := range markup.Wrap(text, columns) {
			b.Reset()
			b.Grow(len(first) + 2*columns) // mostly enough
			if len(lines) == 0 {
				b.WriteString(first)
			} else {
				b.WriteString(rest)
			}
			for _, span := range piece {
				s.paint(r, span.Style).write(&b, span.Text)
			}
			lines = append(lines, b.String())
		}
	}
	return lines
}

// paint returns the paint of a piece of r's text.
func (s *rowStyle) paint(r *row, style markup.Style) paint {
	p := &s.theme.paints
	switch {
	case style&nameStyled != 0:
		return s.namePaint(r)
	case style&refusedStyled != 0:
		return p.refused
	case style&noteStyled != 0:
		return p.note
	}
	return p.texts[style]
}

func (s *rowStyle) namePaint(r *row) paint {
	p := &s.theme.paints
	switch {
	case r.kind == rowNote:
		return p.note
	case r.mention:
		return p.mention
	case r.own:
		return p.own
	}
	return p.names[s.theme.nameIndex(r.name)]
}

// margins returns what stands before the first line of a row and before the others, and how many columns they leave.
func (s *rowStyle) margins(above, r *row, width int, fresh bool) (first, rest string, columns int) {
	bar, blank := " ", strings.Repeat(" ", timeColumns-1)
	p := &s.theme.paints
	if r.id == s.selected && !r.id.IsZero() {
		bar = p.picked.on + "▌" + p.picked.off
	}
	if width < narrowFrom {
		columns = max(width-1, 1)
		if width == 1 {
			return "", "", columns
		}
		return bar, bar, columns
	}
	var b strings.Builder
	p.time.write(&b, r.at.In(s.zone).Format("15:04"))
	b.WriteString(bar)
	rest = blank + bar
	if width < wideFrom {
		return b.String(), rest, width - timeColumns
	}
	name := ""
	if fresh || !follows(above, r) {
		name = nameColumn(r)
	}
	b.WriteString(strings.Repeat(" ", nameColumns-chat.Width(name)))
	if name != "" {
		s.namePaint(r).write(&b, name)
	}
	p.day.write(&b, rail)
	var c strings.Builder
	c.WriteString(rest + strings.Repeat(" ", nameColumns))
	p.day.write(&c, rail)
	return b.String(), c.String(), width - wideColumns
}

// nameColumn returns what stands in the column of names. The mark that tells somebody from an earlier one of that name stays, however long
// the name is.
func nameColumn(r *row) string {
	switch {
	case r.kind == rowNote:
		return "--"
	case r.say == chat.Action:
		return "*"
	case r.say != chat.Text:
		return "—"
	}
	name := chat.Shown(r.name)
	if base := chat.BaseName(name); base != name && chat.Width(name) > nameColumns {
		suffix := name[len(base):]
		if left := nameColumns - chat.Width(suffix); left > 2 {
			return chat.Truncate(base, left) + suffix
		}
	}
	return chat.Truncate(name, nameColumns)
}

// follows reports whether r's author goes on talking, so that the name need not stand there again. It does wherever there is more to tell than a time
// and a text.
func follows(above, r *row) bool {
	plain := func(r *row) bool {
		return r.kind == rowSaid && r.say == chat.Text && r.state == stateKept && r.where == ""
	}
	since := r.at.Sub(above.at)
	same := r.name == above.name && r.from == above.from && r.own == above.own
	return plain(above) && plain(r) && same && !r.mention && r.re.IsZero() && since >= 0 && since < together
}

// message returns the lines of a row's text, not yet wrapped, with what stands before it and behind it. narrow tells that the name is among that.
func (s *rowStyle) message(r *row, narrow bool, columns int) []markup.Line {
	head := s.head(r, narrow)
	var lines []markup.Line
	switch {
	case r.kind == rowNote:
		for line := range strings.SplitSeq(r.text, "\n") {
			lines = append(lines, markup.Line{{Text: chat.OneLine(line), Style: noteStyled}})
		}
	case r.own:
		lines = markup.Parse(r.text)
	default:
		lines = markup.Parse(r.text, s.names...)
	}
	if !r.re.IsZero() {
		lines = append(quoteLines(r, columns-head.Width(), columns), lines...)
	}
	lines[0] = append(head, lines[0]...)
	if r.open {
		last := len(lines) - 1
		lines[last] = append(lines[last], markup.Span{Text: command.Unsealed, Style: noteStyled})
	}
	switch r.state {
	case statePending:
		last := len(lines) - 1
		lines[last] = append(lines[last], markup.Span{Text: " …", Style: noteStyled})
	case stateRefused:
		lines = append(lines, markup.Line{{Text: "! not sent: " + chat.OneLine(r.why) + "; /resend sends it again", Style: refusedStyled}})
	}
	return lines
}

// quoteLines returns the lines that tell what r answers, one but for a name that fills the first, on which are left columns of all.
func quoteLines(r *row, left, all int) []markup.Line {
	quote := r.quote
	if quote == "" {
		quote = "an earlier message"
	}
	line := func(columns int) markup.Line {
		return markup.Line{{Text: chat.Truncate("↪ "+chat.OneLine(quote), columns), Style: noteStyled}}
	}
	if left < min(narrowFrom, all) {
		return []markup.Line{{}, line(all)}
	}
	return []markup.Line{line(left)}
}

// head returns what stands before a row's text on its first line.
func (s *rowStyle) head(r *row, narrow bool) markup.Line {
	var head markup.Line
	add := func(text string, style markup.Style) { head = append(head, markup.Span{Text: text, Style: style}) }
	if r.where != "" {
		add(command.Label(r.where), noteStyled)
		add(" ", 0)
	}
	name := chat.Shown(r.name)
	switch {
	case r.kind == rowNote && narrow:
		add("-- ", noteStyled)
	case r.kind == rowNote:
	case r.say == chat.Text && narrow:
		add(name, nameStyled)
		add(": ", 0)
	case r.say == chat.Text:
	case r.say == chat.Action:
		if narrow {
			add("* ", nameStyled)
		}
		add(name, nameStyled)
		add(" ", 0)
	default:
		if narrow {
			add("— ", noteStyled)
		}
		add(name, nameStyled)
		add(deed(r), noteStyled)
	}
	return head
}

// enact has the row of an act say it in words. whom is what the person is called that it was done to, if that is known.
func (r *row) enact(whom string) {
	if r.say != chat.Act {
		return
	}
	if act, err := chat.ParseAct(r.text); err == nil { // else it is of a newer chatnode
		r.deed, r.text = command.Deed(act, whom), command.ActText(act)
	}
}

// deed says what a row of a kind of its own has done, before its text.
func deed(r *row) string {
	switch {
	case r.deed != "":
		return r.deed
	case r.say == chat.Topic && r.text == "":
		return " took the topic away"
	case r.say == chat.Topic:
		return " set the topic: "
	case r.say == chat.Sealed:
		return ": " + command.Unreadable
	}
	return " (" + r.say.String() + "): "
}
