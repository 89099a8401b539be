package tui

import (
	"strings"

	"chatnode/internal/chat"
	"chatnode/internal/command"
)

// completeLine is what can stand at a place of a line: command.Complete, but in tests.
var completeLine = command.Complete

// popup is what could stand where the cursor is. It opens by itself in a command, but for a text within it, and by Tab anywhere.
type popup struct {
	text       string // the input for which it is
	at         int
	from, to   int // the bytes of text for which a candidate stands
	candidates []command.Candidate
	talk       bool // they are for a word of a text: only Tab asks for them
	chosen     int  // the candidate that stands there now; -1 for none
	top        int  // the first that was on the screen, where there are more than fit
	shut       bool // Esc has closed it, until a line begins anew
}

// popupLine is one candidate as it stands in the popup.
type popupLine struct {
	text     string // filled up to the width of the widest
	help     string // cut to what of the width is left behind text and two columns
	selected bool
}

func (p *popup) isOpen() bool { return len(p.candidates) > 0 }

// close closes the popup and reports whether it was open. It stays closed for as long as the line goes on.
func (p *popup) close() bool {
	open := p.isOpen()
	*p = popup{shut: true}
	return open
}

// isCommand reports whether a line begins a command, and so opens the popup by itself.
func isCommand(line string) bool {
	return strings.HasPrefix(line, "/") && !strings.HasPrefix(line, "//")
}

// suggest opens, updates or closes the popup, after each key and what else changes the text.
func (in *input) suggest(s command.Source) {
	p := &in.pop
	switch {
	case in.seek == nil && p.isOpen() && p.text == in.text && p.at == in.at: // nothing has changed
	case in.seek != nil || !isCommand(in.text):
		*p = popup{}
	case p.shut || in.entry != 0: // what was sent before is complete
		*p = popup{shut: p.shut}
	default:
		if in.ask(s); p.talk {
			*p = popup{}
		}
	}
}

// ask has the popup hold what could stand at the cursor.
func (in *input) ask(s command.Source) {
	c := completeLine(in.text, in.at, s)
	from := boundary(in.text, min(max(c.From, 0), in.at))
	to := boundary(in.text, min(max(c.To, in.at), len(in.text)))
	in.pop = popup{text: in.text, at: in.at, from: from, to: to, candidates: c.Candidates, talk: c.Talk, chosen: -1}
}

// complete is Tab, and backwards Shift-Tab. It puts in as much as all candidates begin with, or the only one; when that is there already,
// it goes round the candidates. What is typed next follows it.
func (in *input) complete(s command.Source, back bool) {
	p := &in.pop
	if in.seek != nil {
		in.accept()
	}
	if p.text != in.text || p.at != in.at || !p.isOpen() {
		in.ask(s)
	}
	n := len(p.candidates)
	switch prefix := commonPrefix(p.candidates); {
	case n == 0:
		return
	case n == 1 && p.chosen < 0:
		in.choose(p.candidates[0].Text)
		*p = popup{}
		return
	case p.chosen < 0 && !back && begins(prefix, in.text[p.from:p.to]):
		in.choose(prefix)
		return
	case back:
		p.chosen = (max(p.chosen, 0) + n - 1) % n
	default:
		p.chosen = (p.chosen + 1) % n
	}
	in.choose(p.candidates[p.chosen].Text)
}

// choose puts text where the candidates stand.
func (in *input) choose(text string) {
	p := &in.pop
	in.typing = false
	if in.edit(p.from, p.to, text) {
		p.text, p.at, p.to = in.text, in.at, in.at
	}
}

// begins reports whether prefix is more than what was typed, and begins with it but for case.
func begins(prefix, typed string) bool {
	return len(prefix) > len(typed) && strings.EqualFold(prefix[:boundary(prefix, len(typed))], typed)
}

// commonPrefix returns the characters with which all candidates begin.
func commonPrefix(candidates []command.Candidate) string {
	if len(candidates) == 0 {
		return ""
	}
	prefix := candidates[0].Text
	for _, c := range candidates[1:] {
		n := 0
		for char := range chat.Characters(prefix) {
			if !strings.HasPrefix(c.Text[n:], char) || boundary(c.Text, n+len(char)) != n+len(char) {
				break
			}
			n += len(char)
		}
		prefix = prefix[:n]
	}
	return prefix
}

// popup returns the popup's lines, at most height, for a screen of width columns: those around the chosen one where there are more; nil when it
// is closed.
func (in *input) popup(width, height int) []popupLine {
	p := &in.pop
	if !p.isOpen() || width <= 0 || height <= 0 {
		return nil
	}
	widest := 0 // of all, so that nothing moves when they scroll
	for _, c := range p.candidates {
		widest = max(widest, min(chat.Width(bare(c)), width))
	}
	chosen := max(p.chosen, 0)
	p.top = min(p.top, chosen, max(len(p.candidates)-height, 0))
	p.top = max(p.top, chosen-height+1)
	shown := p.candidates[p.top:min(p.top+height, len(p.candidates))]
	lines := make([]popupLine, len(shown))
	for i, c := range shown {
		text := chat.Truncate(bare(c), width)
		lines[i] = popupLine{
			text:     text + strings.Repeat(" ", max(widest-chat.Width(text), 0)),
			help:     chat.Truncate(chat.OneLine(c.Help), width-widest-2),
			selected: p.top+i == p.chosen,
		}
	}
	return lines
}

// bare returns a candidate as a screen can show it, without the space behind it.
func bare(c command.Candidate) string { return strings.TrimRight(chat.OneLine(c.Text), " ") }
