package scroll

// Up moves the view towards the first row and returns by how many lines it could.
func (p *Pane[R]) Up(lines int) (moved int) {
	top, blank := p.start()
	if blank > 0 || lines <= 0 || p.rows.n == 0 {
		return 0
	}
	top, moved = p.up(top, lines)
	if moved > 0 {
		p.anchor(top)
	}
	return moved
}

// Down moves the view towards the end and returns by how many lines it could. At the end it begins to follow.
func (p *Pane[R]) Down(lines int) (moved int) {
	if p.follow || lines <= 0 {
		return 0
	}
	// The view can go down by as many lines as there are below its last one.
	bottom := p.down(p.top, p.height)
	_ = bottom
	top, bottom := p.top, p.down(p.top, p.height)
	for moved < lines {
		if p.ends(bottom) {
			p.follow = true
			return moved
		}
		top, bottom = p.down(top, 1), p.down(bottom, 1)
		moved++
	}
	p.anchor(top)
	p.settle()
	return moved
}

// ToEnd moves the view to the end, where it follows.
func (p *Pane[R]) ToEnd() { p.follow = true }

// ToTop moves the view to the first row.
func (p *Pane[R]) ToTop() {
	if p.rows.n > 0 {
		p.anchor(place{p.first, len(p.lines(p.first))})
		p.settle()
	}
}

// Show brings row i into view: into the middle, unless all of it is to be seen already. It does nothing when there is no such row.
func (p *Pane[R]) Show(i int) {
	if p.At(i) == nil {
		return
	}
	tall := len(p.lines(i))
	top, _ := p.up(place{i, tall}, max(0, (p.height-tall)/2))
	p.anchor(top)
	p.settle()
}

// AtEnd reports whether the last line is in view.
func (p *Pane[R]) AtEnd() bool { return p.follow }

// AtTop reports whether the first line is in view.
func (p *Pane[R]) AtTop() bool {
	top, blank := p.start()
	return blank > 0 || p.rows.n == 0 || top.row == p.first && top.up == len(p.lines(p.first))
}

// Below returns how many rows are below the view, none of whose lines is shown.
func (p *Pane[R]) Below() int {
	_, to := p.Visible()
	return p.End() - to
}

// Visible returns the numbers of the rows of which a line is shown: from the first of them up to, and without, to.
func (p *Pane[R]) Visible() (from, to int) {
	top, blank := p.start()
	left := p.height - blank
	if left <= 0 {
		return top.row, top.row
	}
	for left -= top.up; ; left -= len(p.lines(to)) {
		if to == 0 {
			to = top.row
		}
		if to++; left <= 0 {
			return top.row, to
		}
	}
}

// Row returns the number of the row that line y of the screen shows; ok is false for an empty line, and outside the screen.
func (p *Pane[R]) Row(y int) (i int, ok bool) {
	top, blank := p.start()
	if y < blank || y >= p.height {
		return 0, false
	}
	return p.down(top, y-blank).row, true
}

// start returns the first line that is shown, and how many empty ones are above it.
func (p *Pane[R]) start() (top place, blank int) {
	if !p.follow {
		return p.top, 0
	}
	top, moved := p.up(place{p.End() - 1, 0}, p.height)
	return top, p.height - moved
}

// up returns the line that is n above from, and by how many it is: fewer where the rows begin.
func (p *Pane[R]) up(from place, n int) (to place, moved int) {
	if p.rows.n == 0 {
		return from, 0
	}
	for {
		tall := len(p.lines(from.row))
		if step := tall - from.up; n <= step || from.row == p.first {
			step = min(n, step)
			return place{from.row, from.up + step}, moved + step
		} else {
			moved, n = moved+step, n-step
		}
		from = place{from.row - 1, 0}
	}
}

// down returns the line that is n below from, or the one behind the last.
func (p *Pane[R]) down(from place, n int) place {
	for n >= from.up && from.row < p.End()-1 {
		n -= from.up
		from = place{from.row + 1, len(p.lines(from.row + 1))}
	}
	return place{from.row, max(0, from.up-n)}
}

func (p *Pane[R]) ends(at place) bool { return at.up == 0 }

// anchor has the view begin with top.
func (p *Pane[R]) anchor(top place) {
	p.follow, p.top, p.tall = false, top, len(p.lines(top.row))
}

// settle brings the view in order after a change: what it begins with is a line of its row, and where no line is left below, it follows.
func (p *Pane[R]) settle() {
	if p.follow {
		return
	}
	if p.rows.n == 0 {
		p.follow = true
		return
	}
	if p.top.row < p.first {
		p.top = place{p.first, len(p.lines(p.first))}
	}
	if tall := len(p.lines(p.top.row)); p.top.up > tall {
		p.top, _ = p.up(place{p.top.row, 0}, p.top.up)
	}
	p.anchor(p.top)
	p.follow = p.ends(p.down(p.top, p.height))
}
