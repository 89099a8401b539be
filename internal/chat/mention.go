package chat

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxMention is the length in bytes that no name with its suffix exceeds.
const maxMention = MaxName*utf8.UTFMax + len(SuffixMark) + suffixLen

// Mentions reports whether a text holds a name as a word of its own: "carol: hi", "@Carol", "carol's", but neither "caroline" nor "carol-ann", which
// is somebody else's name. Words are compared as search does (see Words), and scripts that write no spaces have no ends of words. Somebody
// whose name has a suffix is also mentioned by the name without it, which is what most people type. It takes time and memory in proportion to the text.
func Mentions(text, name string) bool {
	if name == "" || len(name) > maxMention {
		return false
	}
	folded := foldText(text)
	if holdsName(folded, foldText(name)) {
		return true
	}
	base := BaseName(name)
	return base != name && holdsName(folded, foldText(base))
}

// foldText returns text without what Words passes over in words: case, accents and forms of compatibility.
func foldText(text string) string {
	if isASCII(text) {
		return strings.ToLower(text)
	}
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r)) // by way of upper case, as Fold goes
	}, norm.NFKD.String(strings.ToValidUTF8(text, " ")))
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// holdsName reports whether name stands in text with nothing on either side that would make it a part of a longer name. Both are folded.
func holdsName(text, name string) bool {
	if strings.IndexFunc(name, isOfWord) < 0 {
		return false
	}
	first, size := utf8.DecodeRuneInString(name)
	last, _ := utf8.DecodeLastRuneInString(name)
	for from := 0; ; from += size { // at no other place does text hold the first character again
		i := strings.Index(text[from:], name)
		if i < 0 {
			return false
		}
		from += i
		before, after := text[:from], text[from+len(name):]
		near, far := lastTwo(before)
		if parted(first, near, far) {
			if near, far = firstTwo(after); parted(last, near, far) {
				return true
			}
		}
	}
}

func firstTwo(text string) (near, far rune) {
	near, size := utf8.DecodeRuneInString(text)
	far, _ = utf8.DecodeRuneInString(text[size:])
	return near, far
}

func lastTwo(text string) (near, far rune) {
	near, size := utf8.DecodeLastRuneInString(text)
	far, _ = utf8.DecodeLastRuneInString(text[:len(text)-size])
	return near, far
}

// parted reports whether a name ends at its character edge, beside which near stands, and far behind that. Without a character, both are no part
// of a word.
func parted(edge, near, far rune) bool {
	switch {
	case isOfWord(near):
		return !isOfWord(edge) && !joinsWords(edge) || isSpaceless(edge) || isSpaceless(near)
	case joinsWords(near):
		return !isOfWord(far) || isSpaceless(far) // "carol." ends a sentence
	}
	return true
}

// isOfWord reports whether r is a letter, a digit, or a mark that writes a vowel and takes a place.
func isOfWord(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mc, r))
}

// joinsWords reports whether r between letters makes one name of what is on either side.
func joinsWords(r rune) bool { return r == '.' || r == '_' || r == '-' || r == rune(SuffixMark[0]) }

// isSpaceless reports whether r is of a script that writes no spaces between words.
func isSpaceless(r rune) bool {
	return r >= 0xe00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}
