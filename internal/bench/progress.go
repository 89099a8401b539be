package bench

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress is one line on a terminal that says what is being done, and how long the rest will take; on anything else it is silent.
type progress struct {
	out   io.Writer // nil: silent
	shown bool

	// Of the steps that were announced last.
	began      time.Time
	size, done int
	running    int // size of the step that is under way
}

func newProgress(w io.Writer) *progress {
	if file, ok := w.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return &progress{out: w}
		}
	}
	return &progress{}
}

// eraseLine returns to the line's beginning and clears it (ECMA-48, EL).
const eraseLine = "\r\x1b[K"

// begin announces steps whose sizes come to size: how long a step takes is as its size.
func (p *progress) begin(size int) { p.began, p.size, p.done, p.running = time.Now(), size, 0, 0 }

// step shows the next of the steps, and how much time is left as far as those before it tell.
func (p *progress) step(size int, format string, args ...any) {
	p.done += p.running
	p.running = size
	text := fmt.Sprintf(format, args...)
	if left := p.left(time.Since(p.began)); left > 0 {
		text += fmt.Sprintf(", about %v left", left)
	}
	p.say("%s", text)
}

// left returns how much longer it will take when what is done took so long; 0: that is not known.
func (p *progress) left(took time.Duration) time.Duration {
	if p.done == 0 {
		return 0
	}
	return time.Duration(float64(took) / float64(p.done) * float64(p.size-p.done)).Round(time.Second)
}

// say shows what is being done between steps, or in a part of one.
func (p *progress) say(format string, args ...any) {
	if p.out != nil {
		fmt.Fprintf(p.out, eraseLine+format, args...)
		p.shown = true
	}
}

// clear takes the line away.
func (p *progress) clear() {
	if p.shown {
		_, _ = io.WriteString(p.out, eraseLine)
		p.shown = false
	}
}
