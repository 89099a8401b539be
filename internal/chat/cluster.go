package chat

import "unicode"

// Bounds of what a text may heap on one character. A screen draws all of it in one place, so that without them a few kilobytes could
// cover the lines above and below, or hold a terminal up.
const (
	maxAbove     = 4 // marks that take no place of their own (Mn, Me, conjoining vowels and finals): Hebrew can need as many
	maxMarks     = 8 // all marks, with those that take a place (Mc) and skin tones: Burmese can need six
	maxIgnorable = 2 // characters that nobody sees: a heart on fire has a variation selector and a joiner behind the heart
	maxLeads     = 2 // letters in a row that join to what follows: one of Hangul before the vowel is usual, and screens draw each in a place of its own
	maxJoined    = 7 // zero width joiners in a chain of characters: a kiss has three
)

const joiner = '\u200d'

// cluster bounds what stands on one character of a text. It takes the text's characters in turn. What it drops leaves no trace in it, so
// that a text that was bounded once is never bounded again.
type cluster struct {
	above, marks, ignorable, joined, leads int
	last                                   rune
}

// take reports whether the next character may stay.
func (c *cluster) take(r rune) bool {
	switch classOf(r) {
	case base:
		switch {
		case !isLead(r), !isLead(c.last):
			c.leads = 1
		case c.leads == maxLeads:
			return false
		default:
			c.leads++
		}
		if c.last != joiner {
			c.joined = 0
		}
		c.above, c.marks, c.ignorable = 0, 0, 0
	case ignorable:
		if c.ignorable == maxIgnorable || r == joiner && c.joined == maxJoined {
			return false
		}
		if c.ignorable++; r == joiner {
			c.joined++
		}
	case above:
		if c.above == maxAbove || c.marks == maxMarks {
			return false
		}
		c.above++
		c.marks++
	case beside:
		if c.marks == maxMarks {
			return false
		}
		c.marks++
	}
	c.last = r
	return true
}

// class is what a character does to the one before it.
type class uint8

const (
	base      class = iota // nothing: it stands for itself
	above                  // it is drawn in the same place
	beside                 // it belongs to it, and takes a place
	ignorable              // it changes it, or joins it to the next, and shows as nothing by itself
)

// classOf returns r's class. Most of the world's letters and marks are told without a look into tables.
func classOf(r rune) class {
	switch {
	case r < 0x300:
		if r == '\u00ad' {
			return ignorable
		}
		return base
	case r < 0x370 && r != '\u034f':
		return above
	case r >= 0x370 && r < 0x483, r >= 0x2010 && r < 0x2028, r >= 0x3041 && r < 0x3097, r >= 0x30a0 && r < 0x3100, r >= 0x3400 && r < 0xa000, r >= 0xac00 && r < 0xd7a4, r >= 0x1f300 && r < 0x1f3fb:
		return base
	case isIgnorable(r):
		return ignorable
	case unicode.Is(unicode.Mc, r), r >= 0x1f3fb && r < 0x1f400: // or a skin tone
		return beside
	case unicode.In(r, unicode.Mn, unicode.Me), r >= 0x1160 && r < 0x1200, r >= 0xd7b0 && r < 0xd800: // or a vowel or final of Hangul
		return above
	}
	return base
}

// isLead reports whether r is a letter that is one character with the next: a leading consonant of Hangul, or one of the few of UAX 29's Prepend.
func isLead(r rune) bool {
	switch {
	case r < 0xd4e:
		return false
	case r >= 0x1100 && r < 0x1160, r >= 0xa960 && r < 0xa97d:
		return true
	}
	return r == 0xd4e || r == 0x111c2 || r == 0x111c3 || r == 0x1193f || r == 0x11941 || r == 0x11a3a || r >= 0x11a84 && r < 0x11a8a || r == 0x11d46 || r == 0x11f02
}

// isIgnorable reports whether r shows as nothing by itself.
func isIgnorable(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
