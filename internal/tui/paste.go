package tui

import (
	"strings"

	"chatnode/internal/chat"
)

// Bounds of what is pasted.
const (
	guardLines = 5         // lines that go into the input without a question
	maxPaste   = 256 << 10 // bytes that a paste may hold
)

// pasteQuestion is a paste that waits for an answer: into the input, as one message, line by line, or not at all.
type pasteQuestion struct {
	text    string   // made safe as by input.insert, without newlines at its end; "" when lost
	lines   int      // how many there are
	parts   []string // the messages that hold it, cut at the ends of lines where that can be: one, unless tooLong
	tooLong bool     // one message can't hold it, nor the input
	lost    bool     // it is larger than maxPaste: nothing of it is kept
}

// pasteGuard returns how many lines a paste has, and whether a question stands before it: it has more than guardLines, or is more than
// one message holds.
func pasteGuard(text string) (lines int, guarded bool) {
	if len(text) > maxPaste {
		return 1 + strings.Count(text, "\n"), true
	}
	text = pasted(text)
	lines = 1 + strings.Count(text, "\n")
	return lines, lines > guardLines || !fits(text)
}

// newPaste returns the question about a text that was pasted.
func newPaste(text string) *pasteQuestion {
	p := &pasteQuestion{}
	if p.lines, _ = pasteGuard(text); len(text) > maxPaste {
		p.tooLong, p.lost = true, true
		return p
	}
	p.text = pasted(text)
	p.parts = inParts(p.text, chat.MaxLines)
	p.tooLong = !fits(p.text)
	return p
}

// pasted returns a paste as it goes into a message: safe, and without newlines at its end.
func pasted(text string) string {
	return strings.TrimRight(chat.CleanText(chat.Text, safe(text)), "\n")
}

// byLine returns the messages that the paste makes when each line is one. Lines that show nothing are left out.
func (p *pasteQuestion) byLine() []string { return inParts(p.text, 1) }

// preview returns the first lines of the paste, at most max, each cut to width.
func (p *pasteQuestion) preview(width, max int) []string {
	lines := strings.SplitN(p.text, "\n", max+1)
	lines = lines[:min(len(lines), max)]
	for i, line := range lines {
		lines[i] = chat.Truncate(chat.OneLine(line), width)
	}
	return lines
}

// inParts cuts a text into messages of at most maxLines lines. It cuts between lines; a line that no message can hold is cut between
// words, and otherwise between characters. What would show nothing is left out.
func inParts(text string, maxLines int) (parts []string) {
	begin, end, lines := 0, 0, 0 // of the message that grows: all but its last newline
	add := func() {
		if part := text[begin:end]; chat.CheckText(chat.Text, part) == chat.OK {
			parts = append(parts, part)
		}
		lines = 0
	}
	for from := 0; from <= len(text); {
		_, to := lineAt(text, from)
		if lines > 0 && (lines == maxLines || to-begin > chat.MaxText) {
			add()
		}
		if lines == 0 {
			begin = from
		}
		for to-begin > chat.MaxText { // one line that is too long by itself
			end = cutAt(text, begin, begin+chat.MaxText)
			add()
			begin = end
		}
		end = to
		lines++
		from = to + 1
	}
	add()
	return parts
}

// cutAt returns where to cut a line that begins at from so that what stands before is no longer than to: behind its last space, or between
// two characters.
func cutAt(text string, from, to int) int {
	if i := strings.LastIndexByte(text[from:to], ' '); i > 0 {
		return from + i + 1
	}
	at := from
	for char := range chat.Characters(text[from:]) {
		if at+len(char) > to {
			break
		}
		at += len(char)
	}
	return max(at, from+1)
}
