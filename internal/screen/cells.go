package screen

import (
	"slices"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"chatnode/internal/chat"
)

// cell is one column of a row. A character that takes more of them stands in the first; the others have neither text nor width.
type cell struct {
	text  string
	style Style
	width int
}

// blanks returns a row of spaces.
func blanks(width int, style Style) []cell {
	row := make([]cell, width)
	blank(row, style)
	return row
}

func blank(cells []cell, style Style) {
	for i := range cells {
		cells[i] = cell{" ", style, 1}
	}
}

func (g *Grid) blankRows(n int, style Style) [][]cell {
	rows := make([][]cell, n)
	for y := range rows {
		rows[y] = blanks(g.width, style)
	}
	return rows
}

// erased is the style of what is erased: the background alone stays.
func (g *Grid) erased() Style { return Style{Bg: g.pen.Bg} }

// split sees to it that no character of a row takes columns both before and from x on: one that does is gone.
func split(row []cell, x int) {
	if x <= 0 || x >= len(row) || row[x].width > 0 {
		return
	}
	first := x
	for first > 0 && row[first].width == 0 {
		first--
	}
	end := x
	for end < len(row) && row[end].width == 0 {
		end++
	}
	blank(row[first:end], row[first].style)
}

// erase makes spaces of the columns of a row from x up to end.
func (g *Grid) erase(y, x, end int) {
	row := g.rows[y]
	end = min(end, g.width)
	if x >= end {
		return
	}
	split(row, x)
	split(row, end)
	blank(row[x:end], g.erased())
}

// eraseRows makes spaces of the rows from y up to end.
func (g *Grid) eraseRows(y, end int) {
	for ; y < end; y++ {
		g.erase(y, 0, g.width)
	}
}

// insertCells pushes what stands at the cursor n columns to the right.
func (g *Grid) insertCells(n int) {
	row := g.rows[g.y]
	n = min(n, g.width-g.x)
	split(row, g.x)
	split(row, g.width-n)
	copy(row[g.x+n:], row[g.x:])
	blank(row[g.x:g.x+n], g.erased())
}

// deleteCells pulls what stands n columns behind the cursor to it.
func (g *Grid) deleteCells(n int) {
	row := g.rows[g.y]
	n = min(n, g.width-g.x)
	split(row, g.x)
	split(row, g.x+n)
	copy(row[g.x:], row[g.x+n:])
	blank(row[g.width-n:], g.erased())
}

// scroll moves the rows from top up to end: n > 0 rows up, else down. Blank ones come in.
func (g *Grid) scroll(top, end, n int) {
	rows := g.rows[top:end]
	k := min(max(n, -n), len(rows))
	fresh := g.blankRows(k, g.erased())
	if n > 0 {
		copy(rows, rows[k:])
		copy(rows[len(rows)-k:], fresh)
		return
	}
	copy(rows[k:], rows[:len(rows)-k])
	copy(rows, fresh)
}

// moveTo puts the cursor into a column of a row, as near as the screen allows.
func (g *Grid) moveTo(x, y int) {
	g.x, g.y, g.wrap = min(max(x, 0), g.width-1), min(max(y, 0), g.height-1), false
}

// up and down move the cursor within the scroll region where it stands in it.
func (g *Grid) up(n int) {
	first := 0
	if g.y >= g.top {
		first = g.top
	}
	g.moveTo(g.x, max(g.y-n, first))
}

func (g *Grid) down(n int) {
	last := g.height - 1
	if g.y < g.end {
		last = g.end - 1
	}
	g.moveTo(g.x, min(g.y+n, last))
}

// feed goes to the next row, and scrolls where the region ends.
func (g *Grid) feed() {
	if g.y == g.end-1 {
		g.scroll(g.top, g.end, 1)
		g.wrap = false
		return
	}
	g.down(1)
}

// feedBack goes to the row before, and scrolls where the region begins.
func (g *Grid) feedBack() {
	if g.y == g.top {
		g.scroll(g.top, g.end, -1)
		g.wrap = false
		return
	}
	g.up(1)
}

// tab goes n tab stops on, or back.
func (g *Grid) tab(n int) {
	x, step := g.x, 1
	if n < 0 {
		step = -1
	}
	for ; n != 0 && x+step >= 0 && x+step < g.width; x += step {
		if g.tabs[x+step] {
			n -= step
		}
	}
	g.moveTo(x, g.y)
}

// print shows a character at the cursor, or on the one before it if it belongs to that.
func (g *Grid) print(r rune) {
	if text := string(r); !g.join(r, text) {
		g.put(text, max(chat.Width(text), 1))
	}
}

// join adds a character to the cluster before the cursor, and reports whether it belongs there.
func (g *Grid) join(r rune, text string) bool {
	plain := r < 0x300 && r != '\u00ad'
	if plain && (!g.joins || g.printed[len(g.printed)-1] < utf8.RuneSelf) {
		return false
	}
	x, y := g.before()
	if x < 0 {
		return chat.Width(text) == 0 // a mark with nothing to stand on is not shown
	}
	head := &g.rows[y][x]
	if len(head.text)+len(text) > maxCluster && chat.Width(text) == 0 {
		return true
	}
	if g.joins {
		cluster, rest, width, _ := uniseg.FirstGraphemeClusterInString(head.text+text, -1)
		if rest == "" {
			g.printed = cluster
			g.resize(x, y, cluster, width)
			return true
		}
	}
	if chat.Width(text) > 0 {
		return false
	}
	head.text += text
	return true
}

// before returns where the character before the cursor begins, or -1.
func (g *Grid) before() (x, y int) {
	if g.joins {
		return g.joinX, g.joinY
	}
	x = g.x - 1
	if g.wrap {
		x = g.x
	}
	for x > 0 && g.rows[g.y][x].width == 0 {
		x--
	}
	return x, g.y
}

// put shows a character or a cluster at the cursor, and moves that behind it.
func (g *Grid) put(text string, width int) {
	width = min(width, g.width)
	if g.wrap || g.x+width > g.width {
		if g.modes[modeNoWrap] {
			return // half a character does not fit
		}
		g.feed()
		g.x, g.wrap = 0, false
	}
	if g.insert {
		g.insertCells(width)
	}
	g.set(g.x, g.y, text, width, g.pen)
	g.printed, g.joins, g.joinX, g.joinY = text, true, g.x, g.y
	g.advance(g.x + width)
}

// set writes cells of a row that are all on the screen.
func (g *Grid) set(x, y int, text string, width int, style Style) {
	row := g.rows[y]
	split(row, x)
	split(row, x+width)
	row[x] = cell{text, style, width}
	for i := 1; i < width; i++ {
		row[x+i] = cell{style: style}
	}
}

// advance puts the cursor behind what was printed.
func (g *Grid) advance(x int) {
	g.x, g.wrap = x, false
	if x >= g.width {
		g.x, g.wrap = g.width-1, !g.modes[modeNoWrap]
	}
}

// resize writes a cluster that has grown by a character in the place of what it was. Where that makes it too wide for its row, it moves to the next.
func (g *Grid) resize(x, y int, text string, width int) {
	row, style := g.rows[y], g.rows[y][x].style
	old := row[x].width
	width = min(max(width, 1), g.width)
	switch {
	case x+width <= g.width:
		for i := width; i < old; i++ {
			row[x+i] = cell{" ", style, 1}
		}
		g.set(x, y, text, width, style)
		if old != width {
			g.advance(x + width)
		}
	case g.modes[modeNoWrap]:
		row[x].text = text
	default:
		blank(row[x:x+old], style)
		pen := g.pen
		g.pen, g.wrap = style, true
		g.put(text, width)
		g.pen = pen
	}
}

// copied returns rows that do not change with these.
func copied(rows [][]cell) [][]cell {
	all := make([][]cell, len(rows))
	for y, row := range rows {
		all[y] = slices.Clone(row)
	}
	return all
}
