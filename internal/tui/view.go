package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"

	"chatnode/internal/chat"
	"chatnode/internal/markup"
	"chatnode/internal/talk"
)

// What the screen is made of, in columns and lines.
const (
	roomsWidth  = 20
	peopleWidth = 18
	roomsFrom   = 72  // columns from which the rooms are shown
	peopleFrom  = 100 // and the people
	minPane     = 3   // lines of messages that the input and the popup leave
	noteIndent  = 8
)

// plan is where everything stands.
type plan struct {
	rooms, people int // widths, 0: not shown
	pane          int // width
	high          int // lines of the pane
	input         int // lines of the input, or of the question in its place
}

func (m *model) plan() plan {
	var l plan
	if m.width >= roomsFrom && !m.hideRooms {
		l.rooms = roomsWidth
	}
	if m.width >= peopleFrom && !m.hidePeople && m.shown.talks() {
		l.people = peopleWidth
	}
	l.pane = max(1, m.width-l.rooms-l.people)
	l.input = len(m.inputLines())
	l.high = max(0, m.height-l.input-max(1, len(m.flashLines())))
	return l
}

// paneSize is how many columns and lines there are for messages.
func (m *model) paneSize() (wide, high int) {
	l := m.plan()
	return l.pane, l.high
}

// fit has what is looked at be as large as there is room for it.
func (m *model) fit() {
	wide, high := m.paneSize()
	b := m.shown
	b.pane.Resize(wide, high)
	if b.past != nil {
		b.past.pane.Resize(wide, high)
	}
}

// maxInput is how many lines the input may grow to.
func (m *model) maxInput() int { return max(1, min(10, m.height/3)) }

// prompt stands before what is typed, which has a third of the width at least.
func (m *model) prompt() string {
	most := m.width * 2 / 3
	if text, on := m.input.searching(); on {
		return chat.Truncate(text, most)
	}
	return chat.Truncate(chat.Truncate(chat.Shown(m.name), 16)+"> ", most)
}

// inputLines is the input with its prompt, or the question that stands in its place.
func (m *model) inputLines() []string {
	if q := m.question; q != nil {
		return m.questionLines(q)
	}
	prompt := m.prompt()
	indent := chat.Width(prompt)
	lines := m.input.lines(max(1, m.width-indent), m.maxInput())
	for i := range lines {
		if i == 0 {
			lines[i] = m.theme.prompt.Render(prompt) + lines[i]
		} else {
			lines[i] = strings.Repeat(" ", indent) + lines[i]
		}
	}
	return lines
}

func (m *model) questionLines(q *question) []string {
	var lines []string
	for _, line := range q.lines {
		lines = append(lines, m.theme.popup.Render(fill(chat.Truncate(chat.OneLine(line), m.width), m.width)))
	}
	for _, line := range wrapWords(q.keys(), m.width) {
		lines = append(lines, m.theme.popupPicked.Render(fill(line, m.width)))
	}
	if most := max(1, m.height-1-minPane); len(lines) > most {
		lines = lines[len(lines)-most:]
	}
	return lines
}

// wrapWords cuts a text into lines at its spaces, and a word that is longer than a line within.
func wrapWords(text string, width int) []string {
	var lines []string
	for _, line := range markup.Wrap(markup.Line{{Text: strings.Join(strings.Fields(text), " ")}}, width) {
		lines = append(lines, line.String())
	}
	return lines
}

// fill makes a text without styles as wide as width.
func fill(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-chat.Width(text)))
}

// View draws the screen.
func (m *model) View() tea.View {
	v := tea.View{AltScreen: true, ReportFocus: true, WindowTitle: m.windowTitle()}
	if m.width == 0 || m.height == 0 {
		return v
	}
	l := m.plan()
	lines := m.body(l)
	if flash := m.flashLines(); flash != nil {
		lines = append(lines, flash...)
	} else {
		lines = append(lines, m.statusLine())
	}
	lines = append(lines, m.inputLines()...)
	if len(lines) > m.height {
		lines = lines[len(lines)-m.height:]
	}
	v.Content = strings.Join(lines, "\n")
	if m.question == nil {
		prompt := chat.Width(m.prompt())
		x, y := m.input.position(max(1, m.width-prompt), m.maxInput())
		v.Cursor = tea.NewCursor(min(prompt+x, m.width-1), min(max(0, len(lines)-l.input+y), m.height-1))
		v.Cursor.Blink = false
	}
	return v
}

// body is everything above the status line: rooms, messages and people beside each other, and over them the popup.
func (m *model) body(l plan) []string {
	pane := m.shown.view().Lines()
	rooms, people := m.roomLines(l), m.peopleLines(l)
	lines := make([]string, l.high)
	for y := range lines {
		line := ""
		if y < len(pane) {
			line = pane[y]
		}
		if l.people > 0 {
			line += strings.Repeat(" ", max(0, l.pane-lipgloss.Width(line))) + people[y]
		}
		if l.rooms > 0 {
			line = rooms[y] + line
		}
		lines[y] = line
	}
	popup := m.popupLines(max(0, l.high-minPane))
	copy(lines[len(lines)-len(popup):], popup)
	return lines
}

// popupLines are what can be completed.
func (m *model) popupLines(most int) []string {
	if m.question != nil || most == 0 {
		return nil
	}
	var lines []string
	for _, p := range m.input.popup(m.width, min(8, most)) {
		style := m.theme.popup
		if p.selected {
			style = m.theme.popupPicked
		}
		lines = append(lines, style.Render(fill(chat.Truncate(p.text+"  "+p.help, m.width), m.width)))
	}
	return lines
}

// flashLines is what is shown for a moment in place of the status line, on as many lines as it takes.
func (m *model) flashLines() []string {
	if m.flash == "" {
		return nil
	}
	lines := wrapWords(chat.OneLine(m.flash), max(1, m.width-1))
	lines = lines[:min(len(lines), 4)]
	for i, line := range lines {
		lines[i] = m.theme.status.Render(fill(chat.Truncate(" "+line, m.width), m.width))
	}
	return lines
}

// statusLine says where the user is: node, link, room, what is elsewhere.
func (m *model) statusLine() string {
	style, now := m.theme.status, m.cfg.Now()
	if !m.link.up {
		style = m.theme.statusLost
	}
	var parts []string
	take := func(text string) {
		if text != "" {
			parts = append(parts, text)
		}
	}
	b := m.shown
	take(m.leaving())
	take(b.scrolled())
	if n := m.client.Pending(); n > 0 && !m.link.up && !m.quitting {
		take(talk.Count(uint64(n), "message waits", "messages wait"))
	}
	if m.width < roomsFrom || m.hideRooms {
		take(m.elsewhere())
	}
	title := chat.OneLine(m.title)
	if m.cfg.Insecure {
		title += " NOT ENCRYPTED"
	}
	take(strings.TrimSpace(title + " " + m.link.text(now)))
	where := b.label()
	if b.kind == bufRoom && b.people.count > 0 {
		where += fmt.Sprintf(" (%d)", b.people.count)
	}
	if terms := talk.TermsText(b.terms, now, m.clock); terms != "" && b.joined {
		where += " [" + terms + "]"
	}
	if b.topic != "" {
		where += ": " + chat.OneLine(b.topic)
	}
	take(where)
	return style.Render(fill(chat.Truncate(" "+strings.Join(parts, " │ "), m.width), m.width))
}

// leaving says what the program waits for before it ends.
func (m *model) leaving() string {
	switch n := m.client.Pending(); {
	case !m.quitting:
		return ""
	case n > 0:
		return "quits once " + talk.Count(uint64(n), "message is", "messages are") + " kept; Ctrl-C: now"
	}
	return "saying goodbye"
}

// elsewhere says what is unread where the list of rooms is not to be seen.
func (m *model) elsewhere() string {
	text := ""
	for i, b := range m.visible() {
		if b != m.shown && b.unread > 0 && len(text) < 24 {
			text += fmt.Sprintf(" %d:%s", i, count(b))
		}
	}
	return strings.TrimSpace(text)
}

// count is how much is unread in a buffer: with a mark when some of it is for the user.
func count(b *buffer) string {
	n := fmt.Sprint(b.unread)
	if b.unread > 999 {
		n = "999+"
	}
	if b.mentions > 0 {
		return n + "!"
	}
	return n
}

// windowTitle names the window: how much there is for the user comes first, where tabs are narrow.
func (m *model) windowTitle() string {
	unread, mentions := m.due()
	title := "chatnode"
	if m.title != "" {
		title = chat.OneLine(m.title) + " – chatnode"
	}
	switch {
	case mentions > 0:
		return fmt.Sprintf("(%d!) %s", mentions, title)
	case unread > 0:
		return fmt.Sprintf("(%d) %s", unread, title)
	}
	return title
}

// roomLines is the list of rooms. It moves so that the one that is shown can be seen.
func (m *model) roomLines(l plan) []string {
	if l.rooms == 0 {
		return nil
	}
	all := m.visible()
	at := 0
	for i, b := range all {
		if b == m.shown {
			at = i
		}
	}
	first := max(0, min(at-l.high/2, len(all)-l.high))
	lines := make([]string, l.high)
	for y := range lines {
		text, style := "", m.theme.room
		if i := first + y; i < len(all) {
			text, style = m.roomLine(i, all[i], l.rooms-1), m.roomStyle(all[i])
		}
		lines[y] = style.Render(fill(text, l.rooms-1)) + m.theme.mark.Render("│")
	}
	return lines
}

func (m *model) roomLine(i int, b *buffer, width int) string {
	counts := ""
	if b.unread > 0 {
		counts = " " + count(b)
	}
	switch {
	case !b.talks() || b.kind != bufRoom:
	case !b.joined:
		counts += " –"
	case b.terms.Rules.Archived || b.terms.Rules.ReadOnly && b.terms.Role == chat.RoleNone || talk.IsMuted(b.terms, m.cfg.Now()):
		counts += " ø" // nothing can be said there
	}
	mark := " "
	if b == m.shown {
		mark = ">"
	}
	name := chat.Truncate(fmt.Sprintf("%s%d %s", mark, i, b.label()), width-chat.Width(counts))
	return fill(name, width-chat.Width(counts)) + counts
}

func (m *model) roomStyle(b *buffer) lipgloss.Style {
	switch {
	case b == m.shown:
		return m.theme.roomCurrent
	case b.mentions > 0:
		return m.theme.roomMention
	case b.unread > 0:
		return m.theme.roomUnread
	}
	return m.theme.room
}

// peopleLines is who is here.
func (m *model) peopleLines(l plan) []string {
	if l.people == 0 {
		return nil
	}
	lines := make([]string, l.high)
	rule := m.theme.mark.Render("│")
	list, width := m.shown.people.list, l.people-1
	for y := range lines {
		text, style := "", m.theme.person
		switch rest := m.shown.people.count - y; {
		case y == l.high-1 && rest > 1, y == len(list) && rest > 0:
			text = fmt.Sprintf(" and %d more", rest)
		case y < len(list):
			who := list[y]
			text, style = " "+chat.Truncate(chat.Shown(who.Name), width-1), m.theme.nameStyle(who.Name)
			if who.Away {
				text, style = " "+chat.Truncate(chat.Shown(who.Name), width-8)+" (away)", m.theme.personAway
			}
		}
		lines[y] = rule + style.Render(fill(text, width))
	}
	return lines
}

// hasColours reports whether a terminal shows colours: those that do not get bold, underlined and reversed text in their place.
func hasColours(p colorprofile.Profile) bool { return p >= colorprofile.ANSI }
