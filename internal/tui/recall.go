package tui

import (
	"slices"
	"strings"
	"unicode"

	"chatnode/internal/chat"
)

// Bounds of the history. Beyond them the oldest lines go.
const (
	maxHistory      = 500
	maxHistoryBytes = 1 << 20
	maxSought       = chat.MaxQuery // bytes of what Ctrl-R searches for
)

// history is what was sent, the oldest first. Its lines have numbers that never change: the first ever has 1.
type history struct {
	lines []string
	first int // the number of lines[0]
	bytes int
}

func (h *history) last() int         { return h.first + len(h.lines) - 1 }
func (h *history) line(n int) string { return h.lines[n-h.first] }

// newest returns the line that was sent last.
func (h *history) newest() string {
	if len(h.lines) == 0 {
		return ""
	}
	return h.lines[len(h.lines)-1]
}

func (h *history) add(line string) {
	h.lines = append(h.lines, line)
	h.bytes += len(line)
	for len(h.lines) > maxHistory || h.bytes > maxHistoryBytes {
		h.bytes -= len(h.lines[0])
		h.lines = slices.Delete(h.lines, 0, 1)
		h.first++
	}
}

// remember keeps what was sent, so that ↑ and Ctrl-R bring it back, in every place. What was sent right before is not kept twice.
func (in *input) remember(text string) {
	text = chat.CleanText(chat.Text, safe(text))
	if in.past = nil; strings.TrimSpace(text) != "" && fits(text) && text != in.history.newest() {
		in.history.add(text)
	}
}

// leaveHistory makes what is shown what is being typed.
func (in *input) leaveHistory() { in.entry, in.edits = 0, nil }

// older shows the line that was sent before the one that is shown.
func (in *input) older() {
	switch {
	case in.entry == 0:
		in.show(in.history.last())
	case in.entry > in.history.first:
		in.show(in.entry - 1)
	}
}

// newer shows the line that was sent after the one that is shown; behind the last comes what was being typed.
func (in *input) newer() {
	switch {
	case in.entry == 0:
	case in.entry >= in.history.last():
		in.show(0)
	default:
		in.show(max(in.entry+1, in.history.first))
	}
}

// show shows line n of the history, or what was being typed (0), and keeps what was made of the one that was shown.
func (in *input) show(n int) {
	if n == 0 && in.entry == 0 || n != 0 && n < in.history.first {
		return
	}
	if in.edits == nil {
		in.edits = map[int]step{}
	}
	in.edits[in.entry] = step{in.text, in.at}
	in.entry = n
	if was, ok := in.edits[n]; ok {
		in.put(was)
		return
	}
	line := in.history.line(n)
	in.put(step{line, len(line)})
}

// seek is a search through the history. What is shown during it is what it found.
type seek struct {
	query  string
	found  int  // the line that is shown, by its number; 0 as long as there is none
	failed bool // there is no other
	before step // what stood there
}

// searching returns the prompt to draw in place of the usual one while Ctrl-R searches: one line, which may be wider than the screen.
func (in *input) searching() (prompt string, on bool) {
	switch {
	case in.seek == nil:
		return "", false
	case in.seek.failed:
		return "(failed reverse-i-search)`" + in.seek.query + "': ", true
	}
	return "(reverse-i-search)`" + in.seek.query + "': ", true
}

// search is Ctrl-R: it begins a search, or goes on to an older line; once more with nothing to search for it takes what was searched for last.
func (in *input) search() {
	switch {
	case in.seek == nil:
		in.seek = &seek{before: step{in.text, in.at}}
		in.pop = popup{}
	case in.seek.query == "":
		in.refine(in.sought)
	default:
		in.find(in.seek.found-1, -1)
	}
}

// refine searches for another text. It reports false when that is too long to be searched for.
func (in *input) refine(query string) bool {
	s := in.seek
	query = chat.CleanText(chat.Topic, safe(query)) // one line
	if len(query) > maxSought {
		return false
	}
	from := in.history.last()
	if s.found != 0 && strings.HasPrefix(query, s.query) {
		from = s.found
	}
	if s.query = query; query == "" {
		s.found, s.failed = 0, false
		in.put(s.before)
		return true
	}
	in.find(from, -1)
	return true
}

// find shows the first line from number n on, by steps of by, that holds what is searched for. Where none does, what is shown stays.
func (in *input) find(n, by int) {
	for ; n >= in.history.first && n <= in.history.last(); n += by {
		line := in.history.line(n)
		if i := index(line, in.seek.query); i >= 0 {
			in.seek.found, in.seek.failed = n, false
			in.put(step{line, boundary(line, i)})
			return
		}
	}
	in.seek.failed = true
}

// index returns where line holds query, as close to its end as it does, or -1. Capitals matter where the query has any.
func index(line, query string) int {
	if !strings.ContainsFunc(query, unicode.IsUpper) {
		if lower := strings.ToLower(line); len(lower) == len(line) { // else its bytes are not those of line
			line = lower
		}
	}
	return strings.LastIndex(line, query)
}

// accept ends a search with the line that it found, as if ↑ had brought it.
func (in *input) accept() {
	s, found := in.seek, step{in.text, in.at}
	in.endSearch()
	switch {
	case s.found >= in.history.first:
		in.show(s.found)
		in.put(found)
	case s.found != 0: // the history let go of it meanwhile
		in.set(found.text)
	}
}

// endSearch ends a search and brings back what stood there.
func (in *input) endSearch() {
	if in.seek.query != "" {
		in.sought = in.seek.query
	}
	in.put(in.seek.before)
	in.seek = nil
}

// searchKey handles a key during a search. It reports false for one that is what it always is; where that edits, it has ended the search.
func (in *input) searchKey(key, text string) bool {
	switch key {
	case "ctrl+r":
		in.search()
	case "ctrl+s":
		if in.seek.found != 0 {
			in.find(in.seek.found+1, 1)
		}
	case "backspace", "ctrl+h":
		in.refine(in.seek.query[:prev(in.seek.query, len(in.seek.query))])
	case "ctrl+g", "ctrl+c":
		in.endSearch()
	case "esc", "ctrl+j":
		in.accept()
	default:
		if text == "" && editing[key] != nil {
			in.accept()
		}
		if text == "" {
			return false
		}
		in.refine(in.seek.query + text)
	}
	return true
}
