package chat

import (
	"unicode"

	"golang.org/x/text/secure/bidirule"
)

// Bounds of a name's marks. Accents and the like, which stand on letters of any script, are decoration, and two are more than any
// language needs in composed form. Marks of a script of their own are how it writes: a Hebrew letter can have a dot, a vowel and an accent, a
// Tibetan one three letters below it and a vowel.
const (
	maxAccents   = 2
	maxNameMarks = 4
)

// together are the sets of scripts that one name may mix, beyond a single one (UTS 39, 5.2, Highly Restrictive): what people write who
// write Japanese, Chinese or Korean.
var together = [][]*unicode.RangeTable{
	{unicode.Latin, unicode.Han, unicode.Hiragana, unicode.Katakana},
	{unicode.Latin, unicode.Han, unicode.Bopomofo},
	{unicode.Latin, unicode.Han, unicode.Hangul},
}

// oneHand reports whether a name could be written by one hand: its letters are of one script, or of scripts that go together; its digits
// are of one system; its marks can be told apart; and it keeps its place in a line that runs the other way (RFC 5893).
//
// The bidi rule is the part of golang.org/x/text/secure/precis that serves here. Its identifier class allows all of ASCII, '@' and '/'
// among it, knows nothing of scripts, and forbids compatibility letters, which Fold takes for what they are compatible with.
func oneHand(name string) bool {
	if isPlain(name) {
		return true
	}
	return oneScript(name) && oneDigits(name) && clearMarks(name) && bidirule.ValidString(name)
}

// oneScript reports whether one script, or one of the sets in together, has all of a name's letters and marks.
func oneScript(name string) bool {
	first := scriptOf(name)
	if first == nil || written(name, []*unicode.RangeTable{first}) {
		return true
	}
	for _, set := range together {
		if written(name, set) {
			return true
		}
	}
	return false
}

// scriptOf returns the script of the first character that has one, nil when none does.
func scriptOf(name string) *unicode.RangeTable {
	for _, r := range name {
		switch {
		case isKana(r):
			return unicode.Katakana
		case !unicode.In(r, unicode.Common, unicode.Inherited):
			for _, script := range unicode.Scripts {
				if unicode.Is(script, r) {
					return script
				}
			}
		}
	}
	return nil
}

// written reports whether scripts have all of a name's characters.
func written(name string, scripts []*unicode.RangeTable) bool {
	for _, r := range name {
		if isKana(r) {
			r = 'ア'
		}
		if !unicode.In(r, unicode.Common, unicode.Inherited) && !unicode.In(r, scripts...) {
			return false
		}
	}
	return true
}

// isKana reports whether r is one of the letters that Hiragana and Katakana share, which Go's tables give to all scripts alike.
func isKana(r rune) bool { return r == 'ー' || r == 'ｰ' || r == 'ﾞ' || r == 'ﾟ' }

// oneDigits reports whether all digits of a name are of one system: those of others look like it, and mean something else.
func oneDigits(name string) bool {
	system := rune(0)
	for _, r := range name {
		if !unicode.IsDigit(r) {
			continue
		}
		if zero := zeroOf(r); system == 0 {
			system = zero
		} else if system != zero {
			return false
		}
	}
	return true
}

// zeroOf returns the zero of a digit's system. Digits stand together from 0 to 9, and systems may stand one behind the other.
func zeroOf(r rune) rune {
	first := r
	for unicode.IsDigit(first - 1) {
		first--
	}
	return r - (r-first)%10
}

// clearMarks reports whether a reader can see all marks of a name: not too many stand on one letter, none twice, and no dot on a letter
// that has one.
func clearMarks(name string) bool {
	var base, last rune
	accents, marks := 0, 0
	for _, r := range name {
		if !unicode.In(r, unicode.Mn, unicode.Mc) {
			base, accents, marks = r, 0, 0
		} else if marks++; unicode.Is(unicode.Inherited, r) {
			accents++
		}
		if accents > maxAccents || marks > maxNameMarks || marks > 1 && r == last || r == '\u0307' && unicode.Is(unicode.Soft_Dotted, base) {
			return false
		}
		last = r
	}
	return true
}
