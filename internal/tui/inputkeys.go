package tui

import (
	"strings"
	"unicode"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/chat"
)

// editing is what keys do to the input, as in readline and Emacs.
var editing = map[string]func(in *input){
	"left": (*input).left, "ctrl+b": (*input).left,
	"right": (*input).right, "ctrl+f": (*input).right,
	"ctrl+left": (*input).wordLeft, "alt+b": (*input).wordLeft,
	"ctrl+right": (*input).wordRight, "alt+f": (*input).wordRight,
	"home": (*input).lineStart, "ctrl+a": (*input).lineStart,
	"end": (*input).lineEnd, "ctrl+e": (*input).lineEnd,
	"ctrl+home": func(in *input) { in.at = 0 },
	"ctrl+end":  func(in *input) { in.at = len(in.text) },
	"up":        (*input).up, "down": (*input).down,

	"backspace": (*input).backspace, "ctrl+h": (*input).backspace, "shift+backspace": (*input).backspace,
	"delete": (*input).deleteForward, "ctrl+d": (*input).deleteForward,
	"ctrl+w":        (*input).killSpaced,
	"alt+backspace": (*input).killWordLeft, "ctrl+backspace": (*input).killWordLeft,
	"alt+d": (*input).killWordRight, "alt+delete": (*input).killWordRight, "ctrl+delete": (*input).killWordRight,
	"ctrl+u": (*input).killLineStart,
	"ctrl+k": (*input).killLineEnd,
	"ctrl+y": func(in *input) { in.edit(in.at, in.at, in.killed) },
	"ctrl+t": (*input).transpose,
	"ctrl+_": (*input).undo, "ctrl+/": (*input).undo, "ctrl+shift+-": (*input).undo,

	"alt+enter": (*input).newline, "shift+enter": (*input).newline, "ctrl+j": (*input).newline,
	"ctrl+r": (*input).search,
}

// handle does what a key does to the input, and reports whether it is one that does something: what is typed, and the keys of readline. Enter,
// Tab and what belongs to the program are not among them. During a search Ctrl-C and Ctrl-G bring back what stood there, and Esc ends it
// with what was found; Esc closes a popup.
func (in *input) handle(k tea.KeyPressMsg) bool {
	key, text := k.Keystroke(), k.Text
	if k.Mod&(tea.ModCtrl|tea.ModAlt|tea.ModMeta|tea.ModHyper|tea.ModSuper) != 0 {
		text = ""
	}
	if text != "" {
		key = "" // what is typed never spells the name of a key
	}
	if in.seek != nil && in.searchKey(key, text) || key == "esc" && in.pop.close() {
		return true
	}
	do := editing[key]
	if do == nil && text == "" {
		return false
	}
	in.keys++
	in.refuse = ""
	if key != "up" && key != "down" {
		in.aim = -1
	}
	if text != "" {
		in.typed(text)
		return true
	}
	in.typing = false
	do(in)
	return true
}

// typed puts in what a key types. What is typed in one go, up to a space, is undone in one go.
func (in *input) typed(text string) {
	if strings.TrimSpace(text) == "" {
		in.typing = false
	}
	in.typing = in.edit(in.at, in.at, text)
}

func (in *input) newline()       { in.edit(in.at, in.at, "\n") }
func (in *input) left()          { in.at = prev(in.text, in.at) }
func (in *input) right()         { in.at = next(in.text, in.at) }
func (in *input) lineStart()     { in.at, _ = lineAt(in.text, in.at) }
func (in *input) lineEnd()       { _, in.at = lineAt(in.text, in.at) }
func (in *input) wordLeft()      { in.at = wordStart(in.text, in.at, isWord) }
func (in *input) wordRight()     { in.at = wordEnd(in.text, in.at) }
func (in *input) backspace()     { in.edit(prev(in.text, in.at), in.at, "") }
func (in *input) deleteForward() { in.edit(in.at, next(in.text, in.at), "") }
func (in *input) killSpaced()    { in.kill(wordStart(in.text, in.at, isSpaced), in.at) }
func (in *input) killWordLeft()  { in.kill(wordStart(in.text, in.at, isWord), in.at) }
func (in *input) killWordRight() { in.kill(in.at, wordEnd(in.text, in.at)) }

// up goes up a row, and from the first one to what was sent before.
func (in *input) up() {
	if !in.toRow(-1) {
		in.older()
	}
}

// down goes down a row, and from the last one to what was sent after.
func (in *input) down() {
	if !in.toRow(1) {
		in.newer()
	}
}

// killLineStart kills back to the line's start; there, the newline.
func (in *input) killLineStart() {
	from, _ := lineAt(in.text, in.at)
	if from == in.at {
		from = max(from-1, 0)
	}
	in.kill(from, in.at)
}

// killLineEnd kills to the line's end; there, the newline.
func (in *input) killLineEnd() {
	_, to := lineAt(in.text, in.at)
	if to == in.at {
		to = min(to+1, len(in.text))
	}
	in.kill(in.at, to)
}

// kill takes the bytes from from to to away and keeps them for Ctrl-Y, together with what the key right before has killed.
func (in *input) kill(from, to int) {
	switch gone := in.text[from:to]; {
	case gone == "":
		return
	case in.kills != in.keys-1:
		in.killed = gone
	case from < in.at:
		in.killed = gone + in.killed
	default:
		in.killed += gone
	}
	in.edit(from, to, "")
	in.kills = in.keys
}

// transpose exchanges the characters before and behind the cursor, at a line's end the last two, and moves on.
func (in *input) transpose() {
	from, to := lineAt(in.text, in.at)
	mid := in.at
	if mid == to {
		mid = prev(in.text, mid)
	}
	if mid <= from {
		return
	}
	first, second := in.text[prev(in.text, mid):mid], in.text[mid:next(in.text, mid)]
	in.edit(mid-len(first), mid+len(second), second+first)
}

// wordStart returns where the last word before at begins, or the text. in tells by a character's first rune whether it belongs to a word.
func wordStart(text string, at int, in func(rune) bool) (start int) {
	pos, inside := 0, false
	for char := range chat.Characters(text[:at]) {
		r, _ := utf8.DecodeRuneInString(char)
		if !inside && in(r) {
			start = pos
		}
		inside = in(r)
		pos += len(char)
	}
	return start
}

// wordEnd returns where the first word behind at ends, or the text.
func wordEnd(text string, at int) int {
	inside := false
	for char := range chat.Characters(text[at:]) {
		r, _ := utf8.DecodeRuneInString(char)
		if inside && !isWord(r) {
			break
		}
		inside = isWord(r)
		at += len(char)
	}
	return at
}

// isWord and isSpaced tell what belongs to a word: letters and digits, or all that is not space.
func isWord(r rune) bool   { return unicode.IsLetter(r) || unicode.IsDigit(r) }
func isSpaced(r rune) bool { return !unicode.IsSpace(r) }
