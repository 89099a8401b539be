package chat

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CheckText returns the code with which a text of the given kind is refused, or OK. It looks at size and encoding alone.
func CheckText(kind Kind, text string) Code {
	switch {
	case kind == Topic && len(text) > MaxTopic, len(text) > MaxText, strings.Count(text, "\n") >= MaxLines:
		return TooLong
	case !utf8.ValidString(text):
		return BadText
	case kind != Topic && kind != Skip && strings.TrimFunc(text, invisible) == "":
		return Empty
	}
	return OK
}

// invisible reports whether a text of such characters alone would show as nothing.
func invisible(r rune) bool {
	return unicode.IsSpace(r) || unsafe(r) || isIgnorable(r) || r == '\u2800' // Braille without a dot
}

// CleanText returns text without the characters that could drive a reader's terminal or turn its direction: controls other than
// newline and tab, line and paragraph separators, bidirectional controls, tags, noncharacters, and more marks than a character can bear.
// A topic loses its newlines too. A clean text comes back as it is. It takes time linear in len(text).
func CleanText(kind Kind, text string) string {
	if isPlain(text) {
		return text
	}
	var on cluster
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			if on.take(r); kind == Topic {
				return ' '
			}
			return r
		case unsafe(r) || !on.take(r):
			return -1
		}
		return r
	}, text)
}

// CheckBody is CheckText and CleanText of a text as it comes from the wire. What needs no cleaning is returned as it is, and so is what is sealed.
func CheckBody(kind Kind, body []byte) ([]byte, Code) {
	if kind == Sealed {
		return body, CheckSealed(len(body))
	}
	if isPlain(body) && len(body) <= MaxTopic && len(bytes.TrimSpace(body)) > 0 {
		return body, OK
	}
	text := string(body)
	if code := CheckText(kind, text); code != OK {
		return nil, code
	}
	if clean := CleanText(kind, text); clean != text {
		return []byte(clean), OK
	}
	return body, OK
}

// isPlain reports whether text is printable ASCII, as most text is.
func isPlain[T string | []byte](text T) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// OneLine returns text fit for one line of a screen or a log, whatever it holds: a newline becomes the two characters \n, a tab four
// spaces, every other unsafe character and broken byte U+FFFD, and what a character can't bear is left out. A fit text comes back as it is.
func OneLine(text string) string {
	if isPlain(text) {
		return text
	}
	var on cluster
	if !strings.ContainsFunc(text, func(r rune) bool { return r == utf8.RuneError || unsafe(r) || !on.take(r) }) {
		return text
	}
	var b strings.Builder
	on = cluster{}
	for _, r := range text {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
			on.take('n')
		case r == '\t':
			b.WriteString("    ")
			on.take(' ')
		case unsafe(r):
			b.WriteRune(utf8.RuneError)
			on.take(utf8.RuneError)
		case on.take(r):
			b.WriteRune(r)
		}
	}
	return b.String()
}

// unsafe reports whether r may change more on a screen than its own place.
func unsafe(r rune) bool {
	switch {
	case unicode.IsControl(r),
		r >= '\ufff9' && r <= '\ufffb', // annotations, whose text a screen may hide
		r == '\u2028', r == '\u2029',   // line and paragraph separator
		r == '\u200e', r == '\u200f', r == '\u061c', // direction marks
		r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u206f', // embeddings, overrides, isolates, deprecated formats
		r >= 0xe0000 && r <= 0xe007f,                   // tags
		r >= 0xfdd0 && r <= 0xfdef, r&0xfffe == 0xfffe: // noncharacters
		return true
	}
	return false
}
