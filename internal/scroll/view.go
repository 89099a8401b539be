package scroll

// Up moves the view towards the first row, by as many lines as there are up to the number that is asked for, and returns how many.
func (p *Pane[R]) Up(lines int) (moved int) {
	top, blank := p.start()
	if blank > 0 || lines <= 0 {
		return 0
	}
	if top, moved = p.up(top, lines); moved > 0 {
		p.anchor(top)
	}
	return moved
}

// Down moves the view towards the end, as Up does the other way. A view that comes to the end follows from there on.
func (p *Pane[R]) Down(lines int) (moved int) {
	if p.follow || lines <= 0 {
		return 0
	}
	below, _ := p.down(p.top, p.height)
	below, moved = p.down(below, lines)
	top, _ := p.down(p.top, moved)
	p.anchor(top)
	p.follow = below.up == 0
	return moved
}

// ToEnd moves the view to the end, which it follows.
func (p *Pane[R]) ToEnd() { p.follow = true }

// ToTop moves the view to the first row.
func (p *Pane[R]) ToTop() {
	if p.rows.n > 0 {
		p.anchor(place{p.first, len(p.lines(p.first))})
		p.settle()
	}
}

// Show brings row i into view: into the middle, unless all of it is there already, or as much as there can be. It does nothing when there is no
// such row.
func (p *Pane[R]) Show(i int) {
	if p.At(i) == nil || p.shows(i) {
		return
	}
	tall := len(p.lines(i))
	top, _ := p.up(place{i, tall}, max(0, (p.height-tall)/2))
	p.anchor(top)
	p.settle()
}

// shows reports whether all of row i is in view, or nothing else is.
func (p *Pane[R]) shows(i int) bool {
	top, blank := p.start()
	if p.height == blank {
		return false
	}
	bottom, _ := p.down(top, p.height-blank-1)
	head, tail := place{i, len(p.lines(i))}, place{i, 1}
	return !head.above(top) && !bottom.above(tail) || !top.above(head) && !tail.above(bottom)
}

// AtEnd reports whether the last line is in view. Such a view follows what is appended.
func (p *Pane[R]) AtEnd() bool { return p.follow }

// AtTop reports whether there is no line above the view.
func (p *Pane[R]) AtTop() bool {
	top, _ := p.start()
	return p.rows.n == 0 || top.row == p.first && top.up == len(p.lines(p.first))
}

// Below returns how many rows are wholly below the view: while it stays where it is, those that have come since are among them.
func (p *Pane[R]) Below() int {
	_, to := p.Visible()
	return p.End() - to
}

// Visible returns the numbers of the rows of which a line is shown: from the first of them up to, and without, to.
func (p *Pane[R]) Visible() (from, to int) {
	top, blank := p.start()
	switch {
	case p.follow && p.height == blank:
		return p.End(), p.End()
	case p.follow:
		return top.row, p.End()
	case p.height == 0:
		return top.row, top.row
	}
	bottom, _ := p.down(top, p.height-1)
	return top.row, bottom.row + 1
}

// Row returns the number of the row of which line y of the screen is. It is not ok where the line is an empty one above the first row, or outside
// the screen.
func (p *Pane[R]) Row(y int) (i int, ok bool) {
	top, blank := p.start()
	if y < blank || y >= p.height {
		return 0, false
	}
	at, _ := p.down(top, y-blank)
	return at.row, true
}

// start returns the first line that is shown, and how many empty ones are above it.
func (p *Pane[R]) start() (top place, blank int) {
	if !p.follow {
		return p.top, 0
	}
	top, shown := p.up(p.end(), p.height)
	return top, p.height - shown
}

// anchor has the view begin with top and stay there.
func (p *Pane[R]) anchor(top place) {
	p.follow, p.top, p.tall = false, top, len(p.lines(top.row))
}

// settle brings the view in order after a change. A row that has lost lines above those that are shown gives way to the ones before it, so that
// what is below stays where it is; and where no line is left below the view, it follows.
func (p *Pane[R]) settle() {
	switch {
	case p.follow:
		return
	case p.rows.n == 0:
		p.follow = true
		return
	case p.top.row < p.first:
		p.top = place{p.first, len(p.lines(p.first))}
	case p.top.up > len(p.lines(p.top.row)):
		p.top, _ = p.up(place{p.top.row, 0}, p.top.up)
	}
	p.anchor(p.top)
	below, _ := p.down(p.top, p.height)
	p.follow = below.up == 0
}

// place is a line: the one that is up lines above the end of a row, 1 for its last. It is measured from there, because what comes and goes with
// the rows above, such as the line of a day, stands at a row's beginning. Behind the last line of all is 0 above the end of its row.
type place struct {
	row, up int
}

func (a place) above(b place) bool { return a.row < b.row || a.row == b.row && a.up > b.up }

// end returns the place behind the last line.
func (p *Pane[R]) end() place { return place{p.End() - 1, 0} }

// up returns the place n lines above from, or the first line, and how many lines above it is. It draws the rows in between.
func (p *Pane[R]) up(from place, n int) (to place, moved int) {
	if p.rows.n == 0 || n == 0 {
		return from, 0
	}
	for {
		step := min(n-moved, len(p.lines(from.row))-from.up)
		from.up += step
		if moved += step; moved == n || from.row == p.first {
			return from, moved
		}
		from = place{from.row - 1, 0}
	}
}

// down returns the place n lines below from, or the end, and how many lines below it is.
func (p *Pane[R]) down(from place, n int) (to place, moved int) {
	for {
		step := min(n-moved, from.up)
		from.up -= step
		if moved += step; from.up > 0 || from == p.end() {
			return from, moved
		}
		from = place{from.row + 1, len(p.lines(from.row + 1))}
	}
}
