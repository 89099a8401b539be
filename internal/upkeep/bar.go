package upkeep

import (
	"fmt"
	"io"
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/store"
)

const (
	// redrawEvery is how often the bar may be drawn.
	redrawEvery = 100 * time.Millisecond
	// barLen is how long it is, in columns.
	barLen = 20
	// eraseLine returns to the line's beginning and clears it (ECMA-48, EL).
	eraseLine = "\r\x1b[K"
)

// bar is one line on a terminal that shows how far something is, drawn again and again, and gone at the end.
type bar struct {
	// Static after construction.
	out  io.Writer
	wide int // 0: nothing is drawn
	now  func() time.Time

	drawn time.Time // zero: never
}

func newBar(c *Console) *bar { return &bar{out: c.Err, wide: c.Wide, now: c.Now} }

// step draws how far it is, if that was not drawn a moment ago.
func (b *bar) step(s store.Step) {
	now := b.now()
	if b.wide == 0 || now.Sub(b.drawn) < redrawEvery {
		return
	}
	b.drawn = now
	line := chat.Truncate(barText(s), b.wide-1)  // one that wraps can't be drawn over
	_, _ = io.WriteString(b.out, eraseLine+line) // a bar that can't be drawn is not missed
}

func barText(s store.Step) string {
	if s.Total <= 0 {
		return s.Doing + " …"
	}
	done := min(s.Done, s.Total) // the total is a guess
	full := int(done * barLen / s.Total)
	of := grouped(done) + " of " + grouped(s.Total)
	if s.Bytes {
		of = fmt.Sprintf("%s of %s MB", grouped(done>>20), grouped(s.Total>>20))
	}
	return fmt.Sprintf("%s  %s%s  %d%%  %s", s.Doing, strings.Repeat("█", full), strings.Repeat("░", barLen-full), done*100/s.Total, of)
}

// end takes the line away.
func (b *bar) end() {
	if !b.drawn.IsZero() {
		_, _ = io.WriteString(b.out, eraseLine)
	}
}

// grouped returns a number with commas between its thousands.
func grouped(n int64) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// count returns a number with its noun.
func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}
