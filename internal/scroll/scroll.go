// Package scroll keeps a list of rows and a view on it that never jumps: whatever comes in at either end, what is being read stays where it is. It
// knows nothing of what a row holds, and draws only what is to be seen.
package scroll

// Pane is a list of rows, oldest first, and the part of it that a screen shows. Rows have stable numbers: appending, prepending and
// trimming don't change those of others. A view at the end follows what is appended; any other stays on the lines that it shows. A pane
// is not safe for concurrent use.
type Pane[R any] struct {
	// Static after construction.
	draw func(above, row *R, width int) []string

	rows          deque[R]
	first         int // the number of the first row
	width, height int

	// The view. Where it doesn't follow the end, at least one line is below it.
	follow bool
	top    place // the first line that is shown, while follow is false
	tall   int   // how many lines the row of top had

	drawn map[int][]string // the lines of some rows, by number: of what was on the screen a moment ago, above all
}

// spare is how many rows' lines are kept besides those that two screens can show at most.
const spare = 16

// New returns an empty pane of one column and no line, whose view is at the end. draw returns the lines of a row as they stand on the screen
// at a width (at least one line), given the row above it, nil for the first. It must not keep the pointers, nor change the pane.
func New[R any](draw func(above, row *R, width int) []string) *Pane[R] {
	return &Pane[R]{draw: draw, width: 1, follow: true, drawn: map[int][]string{}}
}

// Resize gives the screen's part a size in columns and lines; less than one column counts as one, less than no line as none. The row at
// the top of the view stays there, unless the end comes into view.
func (p *Pane[R]) Resize(width, height int) {
	width, height = max(width, 1), max(height, 0)
	if width != p.width {
		p.width = width
		clear(p.drawn)
		if !p.follow { // about as far down in its row as before
			tall := p.lines(p.top.row)
			p.top.up = max(1, (p.top.up*len(tall)+p.tall-1)/p.tall)
		}
	}
	p.height = height
	p.settle()
}

// Append adds rows at the end, in amortised constant time each.
func (p *Pane[R]) Append(rows ...R) {
	p.rows.append(rows)
}

// Prepend adds rows before all others. The first of rows becomes the first of all.
func (p *Pane[R]) Prepend(rows ...R) {
	delete(p.drawn, p.first) // it has another row above it now
	p.rows.prepend(rows)
	p.first -= len(rows)
	p.settle()
}

// TrimTop forgets the n oldest rows, or all when there are fewer. A view on them moves to the oldest that is left.
func (p *Pane[R]) TrimTop(n int) {
	n = min(max(n, 0), p.rows.n)
	if n == 0 {
		return
	}
	for i := range n + 1 { // and the one that has none above it now
		delete(p.drawn, p.first+i)
	}
	p.rows.trim(n)
	p.first += n
	p.settle()
}

// Clear forgets all rows. Numbers go on where they were.
func (p *Pane[R]) Clear() { p.TrimTop(p.rows.n) }

// First returns the number of the first row, and End the one behind the last: they are equal when there is none. First is negative once more was
// prepended than trimmed.
func (p *Pane[R]) First() int { return p.first }

// End returns the number behind the last row: the one that the next appended row gets.
func (p *Pane[R]) End() int { return p.first + p.rows.n }

// At returns row i, or nil when there is none. The row may be changed in place; Changed(i) must be called then. The pointer is good until
// rows are added or taken away.
func (p *Pane[R]) At(i int) *R {
	if i < p.first || i >= p.End() {
		return nil
	}
	return p.rows.at(i - p.first)
}

// Changed tells that row i draws differently now, and so may the row below it. What is shown below both stays where it is.
func (p *Pane[R]) Changed(i int) {
	delete(p.drawn, i)
	delete(p.drawn, i+1)
	p.settle()
}

// Redraw tells that every row may draw differently now: the theme has changed, or what is selected.
func (p *Pane[R]) Redraw() {
	clear(p.drawn)
	p.settle()
}

// Remove takes row i out, if it is there; the rows behind it get the numbers below. It takes time in proportion to their number.
func (p *Pane[R]) Remove(i int) {
	if p.At(i) == nil {
		return
	}
	p.rows.remove(i - p.first)
	clear(p.drawn) // by numbers that are others' now
	if p.top.row >= i {
		p.top.row--
	}
	p.settle()
}

// Lines returns what the screen shows: exactly as many lines as its height, empty ones first where there are too few rows.
func (p *Pane[R]) Lines() []string {
	screen := make([]string, 0, p.height)
	top, blank := p.start()
	for range blank {
		screen = append(screen, "")
	}
	for i := top.row; len(screen) < p.height; i++ {
		lines := p.lines(i)
		if i == top.row {
			lines = lines[len(lines)-top.up:]
		}
		screen = append(screen, lines[:min(len(lines), p.height-len(screen))]...)
	}
	return screen
}

// lines returns row i, which is there, as it stands on the screen.
func (p *Pane[R]) lines(i int) []string {
	if lines, ok := p.drawn[i]; ok {
		return lines
	}
	lines := p.draw(p.At(i-1), p.At(i), p.width)
	if len(lines) == 0 {
		lines = []string{""}
	}
	if len(p.drawn) > spare+2*p.height {
		clear(p.drawn)
	}
	p.drawn[i] = lines
	return lines
}
