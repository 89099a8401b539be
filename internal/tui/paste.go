package tui

import "strings"

// guardLines is the most lines that a paste puts into the input without a question.
const guardLines = 5

// pasteGuard returns how many lines a paste holds, and whether a question comes before it is put in or sent.
func pasteGuard(text string) (lines int, guarded bool) {
	lines = strings.Count(text, "\n") + 1
	return lines, lines > guardLines
}

// pasteQuestion is a paste that waits for an answer.
type pasteQuestion struct {
	text    string   // made safe
	lines   int      // how many it holds
	tooLong bool     // one message can't hold it
	parts   []string // the messages it makes; one unless tooLong
	lost    bool     // more than a paste may hold: nothing of it was kept
}

func newPaste(text string) *pasteQuestion {
	lines, _ := pasteGuard(text)
	return &pasteQuestion{text: text, lines: lines, parts: []string{text}}
}

// preview returns the first lines of the paste, at most max, cut to width.
func (p *pasteQuestion) preview(width, max int) []string { return nil }

// byLine returns the messages that the paste makes sent line by line.
func (p *pasteQuestion) byLine() []string { return strings.Split(p.text, "\n") }
