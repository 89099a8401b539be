package chat

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// MaxQuery is the length in bytes of what one search can ask for.
const MaxQuery = 256

// Words returns the words of a text as search compares them: letters and digits alone, without case, accents or forms of compatibility (NFKD of
// UAX 15). A script that writes no spaces gives one word for each character.
func Words(text string) []string {
	if isPlain(text) {
		return plainWords(text)
	}
	var words []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	for _, r := range norm.NFKD.String(strings.ToValidUTF8(text, " ")) { // behind a broken byte norm leaves a letter as it is
		switch {
		case unicode.Is(unicode.Mn, r): // an accent; or a vowel sign that the same word will lack in the query too
		case isSpaceless(r):
			end()
			words = append(words, string(r))
		case unicode.IsLetter(r), unicode.IsDigit(r):
			word.WriteRune(unicode.ToLower(r))
		default:
			end()
		}
	}
	end()
	return words
}

// plainWords is Words of printable ASCII.
func plainWords(text string) (words []string) {
	text = strings.ToLower(text)
	begin := 0
	for i := range len(text) + 1 {
		if i < len(text) && (text[i] >= 'a' && text[i] <= 'z' || text[i] >= '0' && text[i] <= '9') {
			continue
		}
		if i > begin {
			words = append(words, text[begin:i])
		}
		begin = i + 1
	}
	return words
}

// MatchWords reports whether words hold a query: each of its terms, in whatever order, a term being the words of what stands between
// spaces, next to each other, the last of which may be the beginning of a word.
func MatchWords(words []string, query [][]string) bool {
	for _, term := range query {
		found := false
		for i := 0; i+len(term) <= len(words) && !found; i++ {
			found = matchTerm(words[i:], term)
		}
		if !found {
			return false
		}
	}
	return true
}

func matchTerm(words, term []string) bool {
	last := len(term) - 1
	for i := range last {
		if words[i] != term[i] {
			return false
		}
	}
	return strings.HasPrefix(words[last], term[last])
}

// QueryTerms returns the terms of a query: see MatchWords. Terms without a letter or a digit are passed over.
func QueryTerms(query string) (terms [][]string) {
	for _, part := range strings.Fields(query) {
		if words := Words(part); len(words) > 0 {
			terms = append(terms, words)
		}
	}
	return terms
}
