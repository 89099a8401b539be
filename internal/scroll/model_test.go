package scroll

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// entry is a row of the tests: some letters, wrapped to the width, under a line of its day where the row above is of another.
type entry struct {
	name string
	long int // letters
	day  int
}

func drawEntry(above, e *entry, width int) []string {
	var lines []string
	if above == nil || above.day != e.day {
		lines = append(lines, fmt.Sprintf("day %d of %s", e.day, e.name))
	}
	for left := e.long; left > 0 || left == e.long; left -= width {
		lines = append(lines, fmt.Sprintf("%s, %d to go", e.name, left))
	}
	return lines
}

// model is a pane that draws everything, each time.
type model struct {
	rows          []entry
	first         int
	width, height int
	follow        bool
	row, up, tall int // the view, where it doesn't follow: up lines above the end of row
}

// flat returns all lines there are, the rows that they are of, and where each row ends.
func (m *model) flat() (lines []string, of, ends []int) {
	for i := range m.rows {
		var above *entry
		if i > 0 {
			above = &m.rows[i-1]
		}
		for _, line := range drawEntry(above, &m.rows[i], m.width) {
			lines, of = append(lines, line), append(of, m.first+i)
		}
		ends = append(ends, len(lines))
	}
	return lines, of, ends
}

// top returns the index of the first line that is shown; it is less than 0 where empty ones are above it.
func (m *model) top() int {
	lines, _, ends := m.flat()
	if m.follow {
		return len(lines) - m.height
	}
	return max(0, ends[m.row-m.first]-m.up)
}

func (m *model) set(top int) {
	lines, of, ends := m.flat()
	if m.follow = top+m.height >= len(lines); m.follow {
		return
	}
	m.row = of[top]
	end := ends[m.row-m.first]
	start := 0
	if i := m.row - m.first; i > 0 {
		start = ends[i-1]
	}
	m.up, m.tall = end-top, end-start
}

// settle puts the view in order after a change.
func (m *model) settle() {
	switch {
	case m.follow:
	case len(m.rows) == 0:
		m.follow = true
	case m.row < m.first:
		m.set(0)
	default:
		m.set(m.top())
	}
}

func (m *model) resize(width, height int) {
	if width != m.width && !m.follow {
		m.width = width
		_, of, _ := m.flat()
		tall := 0
		for _, i := range of {
			if i == m.row {
				tall++
			}
		}
		m.up = max(1, (m.up*tall+m.tall-1)/m.tall)
	}
	m.width, m.height = width, height
	m.settle()
}

func (m *model) remove(i int) {
	m.rows = slices.Delete(m.rows, i-m.first, i-m.first+1)
	if m.row >= i {
		m.row--
	}
	m.settle()
}

func (m *model) move(lines int) int {
	all, _, _ := m.flat()
	top := m.top()
	to := min(max(top+lines, 0), len(all)-m.height)
	if top < 0 || to == top {
		return 0
	}
	m.set(to)
	return max(to-top, top-to)
}

func (m *model) show(i int) {
	_, of, ends := m.flat()
	head, end, top := slices.Index(of, i), ends[i-m.first], m.top()
	inside := top <= head && end <= top+m.height
	fills := head <= top && top+m.height <= end
	if m.height > 0 && (inside || fills) {
		return
	}
	m.set(max(0, head-max(0, (m.height-(end-head))/2)))
}

// differs tells in which way the pane is not as the model has it.
func (m *model) differs(p *Pane[entry]) string {
	all, of, _ := m.flat()
	top := m.top()
	var want []string
	var rows []int
	for y := range m.height {
		if i := top + y; i < 0 {
			want, rows = append(want, ""), append(rows, -1<<30)
		} else {
			want, rows = append(want, all[i]), append(rows, of[i])
		}
	}
	if got := p.Lines(); !slices.Equal(got, want) {
		return fmt.Sprintf("lines are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for y := -1; y <= m.height; y++ {
		i, ok := p.Row(y)
		if wanted := y >= 0 && y < m.height && rows[y] > -1<<30; ok != wanted || ok && i != rows[y] {
			return fmt.Sprintf("line %d is of row %d, %v; want %v", y, i, ok, rows)
		}
	}
	seen := slices.DeleteFunc(slices.Compact(rows), func(i int) bool { return i == -1<<30 })
	if from, to := p.Visible(); len(seen) != to-from || len(seen) > 0 && seen[0] != from {
		return fmt.Sprintf("rows %d to %d are visible, want %v", from, to, seen)
	}
	end := m.first + len(m.rows)
	if below := p.Below(); len(seen) > 0 && below != end-1-seen[len(seen)-1] {
		return fmt.Sprintf("%d rows are below, of %d, with %v visible", below, end, seen)
	}
	if p.AtEnd() != (top+m.height >= len(all)) || p.AtTop() != (top <= 0) || p.First() != m.first || p.End() != end {
		return fmt.Sprintf("at the end %v, at the top %v, first %d, end %d; %d of %d lines are above", p.AtEnd(), p.AtTop(), p.First(), p.End(), top, len(all))
	}
	return ""
}

// held fails where a line that was shown before and still is has another place: what is read must not move. What stands above a row comes and
// goes with the row before.
func held(before, after []string) string {
	place := map[string]int{}
	for y, line := range before {
		place[line] = y
	}
	for y, line := range after {
		if was, ok := place[line]; ok && was != y && line != "" && !strings.HasPrefix(line, "day") {
			return fmt.Sprintf("%q went from line %d to %d", line, was, y)
		}
	}
	last := len(before) - 1
	if last >= 0 && before[last] != "" && before[last] != after[last] && !strings.HasPrefix(before[last], "day") {
		return fmt.Sprintf("the last line was %q and is %q", before[last], after[last])
	}
	return ""
}

func TestModel(t *testing.T) {
	seed := rand.Uint64()
	if s := os.Getenv("SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	for run := range uint64(40) {
		w := &walk{Rand: rand.New(rand.NewPCG(seed, run)), p: New(drawEntry), m: &model{follow: true, width: 1}}
		if why := w.steps(100); why != "" {
			t.Fatalf("SEED=%d, run %d, after %q: %s", seed, run, w.log, why)
		}
	}
}

// walk does random things to a pane and to a model.
type walk struct {
	*rand.Rand
	p          *Pane[entry]
	m          *model
	rows, days int // made so far
	log        []string
}

// moves are what a walk does, the frequent ones more than once. They do nothing where any is the number of no row.
var moves = []func(w *walk, any int) (what, wrong string){
	(*walk).append, (*walk).append, (*walk).prepend, (*walk).prepend, (*walk).trim, (*walk).resize, (*walk).change, (*walk).remove,
	(*walk).up, (*walk).up, (*walk).down, (*walk).down, (*walk).show, (*walk).jump,
}

// steps takes some and tells when pane and model part.
func (w *walk) steps(n int) string {
	for range n {
		any := w.m.first
		if len(w.m.rows) > 0 {
			any += w.IntN(len(w.m.rows))
		}
		what, wrong := moves[w.IntN(len(moves))](w, any)
		w.log = append(w.log, what)
		if wrong == "" {
			wrong = w.m.differs(w.p)
		}
		if wrong == "" {
			wrong = there(w.p, w.IntN(10))
		}
		if wrong != "" {
			return wrong
		}
	}
	return ""
}

// some makes rows.
func (w *walk) some() (all []entry) {
	for range w.IntN(1 + w.IntN(9)) {
		if w.rows++; w.IntN(4) == 0 {
			w.days++
		}
		all = append(all, entry{fmt.Sprintf("row %d", w.rows), w.IntN(1 + w.IntN(60)), w.days})
	}
	return all
}

func (w *walk) append(int) (what, wrong string) {
	more, before, end := w.some(), w.p.Lines(), w.p.AtEnd()
	w.p.Append(more...)
	w.m.rows = append(w.m.rows, more...)
	if !end {
		wrong = held(before, w.p.Lines())
	}
	return fmt.Sprintf("append %d", len(more)), wrong
}

func (w *walk) prepend(int) (what, wrong string) {
	more, before := w.some(), w.p.Lines()
	w.p.Prepend(more...)
	w.m.rows, w.m.first = append(slices.Clone(more), w.m.rows...), w.m.first-len(more)
	w.m.settle()
	return fmt.Sprintf("prepend %d", len(more)), held(before, w.p.Lines())
}

func (w *walk) trim(int) (what, wrong string) {
	n := w.IntN(1+w.IntN(20)) - 1
	what = fmt.Sprintf("trim %d", n)
	if w.IntN(20) == 0 {
		what, n = "clear", len(w.m.rows)
		w.p.Clear()
	} else {
		w.p.TrimTop(n)
	}
	n = min(max(0, n), len(w.m.rows))
	w.m.rows, w.m.first = w.m.rows[n:], w.m.first+n
	w.m.settle()
	return what, ""
}

func (w *walk) resize(int) (what, wrong string) {
	width, height := 1+w.IntN(30), w.IntN(12)
	from, to := w.p.Visible()
	row, held := w.m.row, !w.p.AtEnd() && from < to
	w.p.Resize(width, height)
	w.m.resize(width, height)
	if from, to := w.p.Visible(); held && height > 0 && (row < from || row >= to) {
		wrong = fmt.Sprintf("row %d went out of view, which is from %d to %d", row, from, to)
	}
	return fmt.Sprintf("resize to %d, %d", width, height), wrong
}

func (w *walk) change(any int) (what, wrong string) {
	if len(w.m.rows) > 0 {
		long := w.IntN(60)
		w.p.At(any).long, w.m.rows[any-w.m.first].long = long, long
		w.p.Changed(any)
		w.m.settle()
	}
	return fmt.Sprintf("change %d", any), ""
}

func (w *walk) remove(any int) (what, wrong string) {
	w.p.Remove(any)
	if len(w.m.rows) > 0 {
		w.m.remove(any)
	}
	return fmt.Sprintf("remove %d", any), ""
}

func (w *walk) up(int) (what, wrong string) {
	n := w.IntN(20) - 1
	if got, want := w.p.Up(n), w.m.move(-max(0, n)); got != want {
		wrong = fmt.Sprintf("it moved by %d, want %d", got, want)
	}
	return fmt.Sprintf("up %d", n), wrong
}

func (w *walk) down(int) (what, wrong string) {
	n := w.IntN(20) - 1
	if got, want := w.p.Down(n), w.m.move(max(0, n)); got != want {
		wrong = fmt.Sprintf("it moved by %d, want %d", got, want)
	}
	return fmt.Sprintf("down %d", n), wrong
}

func (w *walk) show(any int) (what, wrong string) {
	w.p.Show(any)
	if len(w.m.rows) > 0 {
		w.m.show(any)
	}
	return fmt.Sprintf("show %d", any), ""
}

func (w *walk) jump(int) (what, wrong string) {
	switch w.IntN(4) {
	case 0:
		w.p.ToEnd()
		w.m.follow = true
		return "to the end", ""
	case 1:
		if w.p.ToTop(); len(w.m.rows) > 0 {
			w.m.set(0)
		}
		return "to the top", ""
	}
	w.p.Redraw()
	return "redraw", ""
}

// there goes up and down again, which must change nothing.
func there(p *Pane[entry], lines int) string {
	before := p.Lines()
	if up, down := p.Up(lines), 0; up > 0 {
		if down = p.Down(up); down != up {
			return fmt.Sprintf("up by %d, down by %d", up, down)
		}
	}
	if after := p.Lines(); !slices.Equal(before, after) {
		return fmt.Sprintf("up and down again\n%s\nwere\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
	return ""
}
