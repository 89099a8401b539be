package chat

import (
	"iter"

	"github.com/rivo/uniseg"
)

// cut stands for what Truncate leaves out, in one column.
const cut = "…"

// Width returns how many columns of a terminal text takes: two for an East Asian wide character and for an emoji, none for what stands on another
// character. text has no controls: it comes from OneLine.
func Width(text string) int {
	if isPlain(text) {
		return len(text)
	}
	return uniseg.StringWidth(text)
}

// Truncate returns text where it fits into columns, and otherwise as much of its beginning as fits with an ellipsis behind it. It cuts
// between what a reader takes for characters, never within one. text has no controls.
func Truncate(text string, columns int) string {
	if columns <= 0 {
		return ""
	}
	if len(text) <= columns && isPlain(text) {
		return text
	}
	fits, width, state := 0, 0, -1 // fits: bytes that leave a column
	for rest := text; rest != ""; {
		var char string
		var wide int
		char, rest, wide, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if width += wide; width > columns {
			return text[:fits] + cut
		}
		if width < columns {
			fits += len(char)
		}
	}
	return text
}

// Clusters yields what a reader takes for the characters of text (UAX 29), each with the columns that it takes: Width is their sum. text may be
// cut between any two of them, and both parts have the same characters still.
func Clusters(text string) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		for text != "" {
			if plain := plainLen(text); plain > 0 {
				for i := range plain {
					if !yield(text[i:i+1], 1) {
						return
					}
				}
				text = text[plain:]
				continue
			}
			char, rest, wide, _ := uniseg.FirstGraphemeClusterInString(text, -1)
			if !yield(char, wide) {
				return
			}
			text = rest
		}
	}
}

// plainLen returns how many characters of printable ASCII text begins with that are clusters by themselves: the last one before another
// character may bear what follows.
func plainLen(text string) int {
	n := 0
	for n < len(text) && text[n] >= ' ' && text[n] <= '~' {
		n++
	}
	if n > 0 && n < len(text) {
		n--
	}
	return n
}
