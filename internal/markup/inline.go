package markup

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"chatnode/internal/chat"
)

// parser finds what is styled within lines, one after the other.
type parser struct {
	names  []string // the reader's
	text   string   // the line
	styles []Style  // of its bytes
}

// line returns a line of text, styled.
func (p *parser) line(text string) Line {
	block := blockStyle(text)
	if !strings.ContainsAny(text, "*_~`:") && len(p.names) == 0 {
		return whole(text, block)
	}
	p.text = text
	p.styles = append(p.styles[:0], make([]Style, len(text))...)
	p.code()
	p.links()
	p.emphasis()
	p.mentions()
	return p.spans(block)
}

// blockStyle returns the style that a line has by its beginning: some marks and a space.
func blockStyle(text string) Style {
	text = strings.TrimLeft(text, " ")
	if text == "" {
		return 0
	}
	n := runLen(text)
	spaced := n == len(text) || text[n] == ' '
	switch {
	case text[0] == '>' && spaced:
		return Quote
	case text[0] == '#' && spaced && n <= 6 && n < len(text):
		return Heading
	}
	return 0
}

func (p *parser) style(from, to int, style Style) {
	for i := from; i < to; i++ {
		p.styles[i] |= style
	}
}

// code finds what stands between two runs of as many backticks.
func (p *parser) code() {
	type run struct{ at, long, next int } // next: index of the next run as long
	var runs []run
	for i := strings.IndexByte(p.text, '`'); i >= 0 && i < len(p.text); {
		if long := runLen(p.text[i:]); p.text[i] == '`' {
			runs = append(runs, run{i, long, 0})
			i += long
		} else {
			i++
		}
	}
	latest := map[int]int{}
	for i := range slices.Backward(runs) {
		runs[i].next, latest[runs[i].long] = latest[runs[i].long], i
	}
	for i := 0; i < len(runs); i++ {
		if next := runs[i].next; next > 0 {
			p.style(runs[i].at, runs[next].at+runs[next].long, Code)
			i = next
		}
	}
}

// runLen returns how often text's first byte stands at its beginning.
func runLen(text string) int {
	n := 1
	for n < len(text) && text[n] == text[0] {
		n++
	}
	return n
}

// schemes are what an address may begin with.
var schemes = []string{"http", "https", "ftp", "chatnode"}

const (
	endsLink = " <>\"`\u00a0\u3000。，、；：！？（）「」『』" // what no address holds
	offLink  = ".,;:!?'*_~)]}…"                  // what doesn't belong to it at its end
)

// links finds addresses.
func (p *parser) links() {
	for at := 0; ; {
		colon := strings.Index(p.text[at:], "://")
		if colon < 0 {
			return
		}
		colon += at
		from := colon
		for from > at && isASCIILetter(p.text[from-1]) {
			from--
		}
		at = colon + len("://")
		if !slices.Contains(schemes, strings.ToLower(p.text[from:colon])) || p.styles[colon] != 0 || from > 0 && isWordByte(p.text[from-1]) {
			continue
		}
		if long := linkLen(p.text[at:]); long > 0 {
			at += long
			p.style(from, at, Link)
		}
	}
}

// linkLen returns how much of text, which stands behind a scheme, is of the address. A bracket at its end is where it has its other half in it.
func linkLen(text string) int {
	if end := strings.IndexAny(text, endsLink); end >= 0 {
		text = text[:end]
	}
	open := map[byte]int{} // how many of each closing bracket are missing
	for _, pair := range []string{"()", "[]", "{}"} {
		open[pair[1]] = strings.Count(text, pair[:1]) - strings.Count(text, pair[1:])
	}
	for text != "" {
		last, size := utf8.DecodeLastRuneInString(text)
		if !strings.ContainsRune(offLink, last) {
			break
		}
		if missing, bracket := open[byte(last)]; bracket && size == 1 {
			if missing >= 0 {
				break
			}
			open[byte(last)]++
		}
		text = text[:len(text)-size]
	}
	return len(text)
}

// marks are the runs of characters that style what stands between two of them.
var marks = map[string]Style{"*": Italic, "_": Italic, "**": Bold, "__": Bold, "***": Bold | Italic, "___": Bold | Italic, "~~": Strike}

// emphasis finds what stands between marks outside code and addresses. The last mark that can begin something is the one that does.
func (p *parser) emphasis() {
	begun := map[string]int{}
	for at := 0; at < len(p.text); {
		c := p.text[at]
		if c != '*' && c != '_' && c != '~' {
			at++
			continue
		}
		from := at
		at += runLen(p.text[from:])
		mark := p.text[from:at]
		style := marks[mark]
		if style == 0 || p.styles[from]&(Code|Link) != 0 || from > 0 && p.text[from-1] == '\\' {
			continue
		}
		before, _ := utf8.DecodeLastRuneInString(p.text[:from])
		after, _ := utf8.DecodeRuneInString(p.text[at:])
		start, open := begun[mark]
		switch {
		case open && from > 0 && !unicode.IsSpace(before) && !isWord(after):
			p.style(start, at, style)
			delete(begun, mark)
		case at < len(p.text) && !unicode.IsSpace(after) && (from == 0 || !isWord(before)):
			begun[mark] = from
		}
	}
}

// isWord reports whether r belongs to a word, so that a mark at its side is none. Where words stand without spaces between them, every letter may
// have one.
func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= 0 && isWordByte(byte(r))
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)) &&
		!unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

func isASCIILetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isWordByte(c byte) bool    { return isASCIILetter(c) || c >= '0' && c <= '9' }

// inName are the characters of names besides letters, digits and marks. They may also stand beside a name.
const inName = "._-" + chat.SuffixMark

// mentions finds the words that mention the reader, outside code and addresses.
func (p *parser) mentions() {
	if !p.mentioned(p.text) {
		return
	}
	for at := 0; at < len(p.text); {
		from := at
		size := 0
		for ; at < len(p.text); at += size {
			var r rune
			r, size = utf8.DecodeRuneInString(p.text[at:])
			if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && !strings.ContainsRune(inName, r) {
				break
			}
		}
		word := strings.TrimLeft(p.text[from:at], inName)
		from = at - len(word)
		if word != "" && p.styles[from]&(Code|Link) == 0 && p.mentioned(word) {
			if bare := strings.TrimRight(word, inName); p.mentioned(bare) {
				word = bare
			}
			p.style(from, from+len(word), Mention)
		}
		at += size
	}
}

// mentioned reports whether text mentions the reader. Most words are told at a glance: ASCII doesn't grow when it is folded.
func (p *parser) mentioned(text string) bool {
	return slices.ContainsFunc(p.names, func(name string) bool {
		short := len(text) < len(chat.BaseName(name)) && !strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf })
		return !short && chat.Mentions(text, name)
	})
}

// spans returns the line in pieces of one style. A character has the style of its first byte: what is put on a mark doesn't part from it.
func (p *parser) spans(block Style) Line {
	line := Line{}
	from, at := 0, 0
	for char := range chat.Characters(p.text) {
		if p.styles[at] != p.styles[from] {
			line = append(line, Span{p.text[from:at], block | p.styles[from]})
			from = at
		}
		at += len(char)
	}
	if from < len(p.text) {
		line = append(line, Span{p.text[from:], block | p.styles[from]})
	}
	return line
}
