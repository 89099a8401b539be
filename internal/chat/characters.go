package chat

import (
	"iter"

	"github.com/rivo/uniseg"
)

// Characters yields what a reader takes for the characters of text (the extended grapheme clusters of UAX 29), one after the other, each
// with the columns of a terminal that it takes. Put together they are text, and their columns are its Width, but that a newline and a tab take none.
func Characters(text string) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		for text != "" {
			char, columns := text[:1], 1
			if !isPlain(text[:min(2, len(text))]) { // between two letters of ASCII there is always an end
				char, _, columns, _ = uniseg.FirstGraphemeClusterInString(text, -1)
			}
			if !yield(char, columns) {
				return
			}
			text = text[len(char):]
		}
	}
}
