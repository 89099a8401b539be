package talk

import (
	"strings"

	"rsc.io/qr"
)

// quiet is the margin around a QR code, in modules. The standard (ISO/IEC 18004) asks for 4, cameras for less; with 2 the code of a usual link is 23 lines
// high and fits on a terminal of 24.
const quiet = 2

// QR returns text as a QR code: lines of blocks, each of which shows two rows of it, all as many columns wide as the first has characters. It returns
// nil for a text that no code can hold. The blocks are what is black. They have to stand on white, whatever the terminal's own colours are: many
// cameras read no other way.
func QR(text string) []string {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return nil
	}
	var lines []string
	for y := -quiet; y < code.Size+quiet; y += 2 {
		var b strings.Builder
		for x := -quiet; x < code.Size+quiet; x++ {
			switch above, below := code.Black(x, y), code.Black(x, y+1); {
			case above && below:
				b.WriteRune('█')
			case above:
				b.WriteRune('▀')
			case below:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		lines = append(lines, b.String())
	}
	return lines
}
