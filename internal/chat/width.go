package chat

import "github.com/rivo/uniseg"

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
