package scroll

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// lettered draws a row as its letters, one a line.
func lettered(_, row *string, _ int) []string { return strings.Split(*row, "") }

// filled returns a pane that is 1 wide and high, with a row of letters for each word.
func filled(high int, words string) *Pane[string] {
	p := New(lettered)
	p.Resize(1, high)
	p.Append(strings.Fields(words)...)
	return p
}

func TestView(t *testing.T) {
	tests := map[string]struct {
		words string
		do    func(p *Pane[string])
		want  string // of the 4 lines, "-" for an empty one
		below int
	}{
		"nothing":                    {"", func(*Pane[string]) {}, "----", 0},
		"too few":                    {"a bc", func(*Pane[string]) {}, "-abc", 0},
		"the end":                    {"abc def", func(*Pane[string]) {}, "cdef", 0},
		"follows":                    {"abc def", func(p *Pane[string]) { p.Append("gh", "i") }, "fghi", 0},
		"up":                         {"abc def g", func(p *Pane[string]) { p.Up(1) }, "cdef", 1},
		"up to the top":              {"abc def", func(p *Pane[string]) { p.Up(99) }, "abcd", 0},
		"up by less than nothing":    {"abc def", func(p *Pane[string]) { p.Up(-1) }, "cdef", 0},
		"up with too few":            {"abc", func(p *Pane[string]) { p.Up(1) }, "-abc", 0},
		"down":                       {"abc def g", func(p *Pane[string]) { p.ToTop(); p.Down(2) }, "cdef", 1},
		"down by less than nothing":  {"abc def g", func(p *Pane[string]) { p.ToTop(); p.Down(-2) }, "abcd", 1},
		"down to the end follows":    {"abc def", func(p *Pane[string]) { p.Up(2); p.Down(99); p.Append("g") }, "defg", 0},
		"the top":                    {"abc def", func(p *Pane[string]) { p.ToTop() }, "abcd", 0},
		"the top with too few":       {"abc", func(p *Pane[string]) { p.ToTop(); p.Append("de") }, "bcde", 0},
		"appended below":             {"abc def", func(p *Pane[string]) { p.Up(1); p.Append("g", "h") }, "bcde", 2},
		"prepended above":            {"abc def", func(p *Pane[string]) { p.Up(2); p.Prepend("x", "yz") }, "abcd", 0},
		"prepended where there room": {"abc", func(p *Pane[string]) { p.Prepend("x", "yz") }, "zabc", 0},
		"trimmed above":              {"a b c d e f g", func(p *Pane[string]) { p.Up(1); p.TrimTop(2) }, "cdef", 1},
		"trimmed into":               {"a b c d e f g h", func(p *Pane[string]) { p.ToTop(); p.TrimTop(2) }, "cdef", 2},
		"trimmed to few":             {"a b c d e", func(p *Pane[string]) { p.ToTop(); p.TrimTop(3) }, "--de", 0},
		"trimmed by more than all":   {"a b c d e", func(p *Pane[string]) { p.ToTop(); p.TrimTop(9); p.Append("f") }, "---f", 0},
		"removed above":              {"a b c d e f g", func(p *Pane[string]) { p.Up(1); p.Remove(0) }, "cdef", 1},
		"removed within":             {"a b c d e f g", func(p *Pane[string]) { p.Up(1); p.Remove(4) }, "cdfg", 0},
		"removed at its top":         {"a b c d e f g", func(p *Pane[string]) { p.Up(1); p.Remove(2) }, "bdef", 1},
		"removed first at its top":   {"a b c d e f g", func(p *Pane[string]) { p.ToTop(); p.Remove(0) }, "bcde", 2},
		"removed below":              {"a b c d e f g", func(p *Pane[string]) { p.Up(1); p.Remove(6) }, "cdef", 0},
		"removed twice what is not":  {"a b c d", func(p *Pane[string]) { p.Remove(4); p.Remove(-1) }, "abcd", 0},
		"changed above":              {"ab c d e f g", func(p *Pane[string]) { p.Up(1); *p.At(0) = "xyz"; p.Changed(0) }, "cdef", 1},
		"grown at its top":           {"ab cd e f g", func(p *Pane[string]) { p.Up(1); *p.At(1) = "xyz"; p.Changed(1) }, "yzef", 1},
		"shrunk at its top":          {"ab cdef g h", func(p *Pane[string]) { p.Up(1); *p.At(1) = "x"; p.Changed(1) }, "abxg", 1},
		"shown":                      {"a b c d e f g h i", func(p *Pane[string]) { p.Show(2) }, "bcde", 4},
		"shown what is shown":        {"a b c d e f g h i", func(p *Pane[string]) { p.Show(6) }, "fghi", 0},
		"shown at the end":           {"a b c d e f g h i", func(p *Pane[string]) { p.ToTop(); p.Show(8) }, "fghi", 0},
		"shown a tall one":           {"a bcdefgh i j k l", func(p *Pane[string]) { p.Show(1) }, "bcde", 4},
		"shown a tall one twice":     {"a bcdefgh i j k l", func(p *Pane[string]) { p.Show(1); p.Down(1); p.Show(1) }, "cdef", 4},
		"shown half of it":           {"a b c de f g h", func(p *Pane[string]) { p.Show(3) }, "cdef", 2},
		"shown nothing":              {"a b c d e", func(p *Pane[string]) { p.Show(5); p.Show(-1) }, "bcde", 0},
		"higher":                     {"a b c d e f g", func(p *Pane[string]) { p.Resize(1, 2); p.Up(4); p.Resize(1, 4) }, "bcde", 2},
		"lower":                      {"a b c d e f g", func(p *Pane[string]) { p.Resize(1, 6); p.Up(1); p.Resize(1, 4) }, "abcd", 3},
		"higher than what is below":  {"a b c d e f g", func(p *Pane[string]) { p.Resize(1, 2); p.Up(1); p.Resize(1, 4) }, "defg", 0},
		"cleared":                    {"a b c d e f g", func(p *Pane[string]) { p.Up(1); p.Clear(); p.Append("x") }, "---x", 0},
		"no size":                    {"a b c d e", func(p *Pane[string]) { p.Resize(-5, -5); p.Up(1); p.Down(1); p.Resize(1, 4) }, "bcde", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := filled(4, tt.words)
			tt.do(p)
			got := ""
			for _, line := range p.Lines() {
				got += line + strings.Repeat("-", 1-len(line))
			}
			if got != tt.want || p.Below() != tt.below {
				t.Errorf("the screen shows %s with %d below, want %s with %d", got, p.Below(), tt.want, tt.below)
			}
		})
	}
}

// A row keeps its number, whatever comes and goes before it, and numbers are not used twice.
func TestNumbers(t *testing.T) {
	p := filled(2, "a b c")
	p.Prepend("x", "y")
	p.TrimTop(1)
	if *p.At(-1) != "y" || *p.At(2) != "c" || p.First() != -1 || p.End() != 3 || p.At(-2) != nil || p.At(3) != nil {
		t.Errorf("rows %d to %d, %q at -1, %q at 2", p.First(), p.End(), *p.At(-1), *p.At(2))
	}
	p.Clear()
	if p.First() != 3 || p.End() != 3 || p.At(0) != nil {
		t.Errorf("after all is cleared: rows %d to %d", p.First(), p.End())
	}
	p.Append("d")
	if *p.At(3) != "d" {
		t.Errorf("row 3 is %q", *p.At(3))
	}
}

// What draw returns for a row without lines is one empty line: there is nothing that a view could stand on otherwise.
func TestRowWithoutLines(t *testing.T) {
	p := New(func(_, _ *string, _ int) []string { return nil })
	p.Resize(10, 3)
	p.Append("a", "b", "c", "d", "e")
	if p.Up(1); p.Below() != 1 || p.Up(5) != 1 || p.Below() != 2 || len(p.Lines()) != 3 {
		t.Errorf("%d below, lines %q", p.Below(), p.Lines())
	}
}

// However many rows there are, only those on the screen are drawn, and not again for the next screen.
func TestDrawsWhatIsShown(t *testing.T) {
	drawn := 0
	p := New(func(_, _ *int, _ int) []string { drawn++; return []string{"a", "b"} })
	p.Resize(80, 50)
	rows := make([]int, 100_000)
	steps := []struct {
		what string
		do   func()
		most int
	}{
		{"append", func() { p.Append(rows...) }, 0},
		{"draw", func() { p.Lines() }, 25},
		{"draw again", func() { p.Lines() }, 0},
		{"follow", func() { p.Append(1); p.Lines() }, 1},
		{"page up", func() { p.Up(50); p.Lines() }, 26},
		{"prepend", func() { p.Prepend(rows...); p.Lines() }, 0},
		{"change", func() { p.Changed(p.End() - 40); p.Lines() }, 2},
		{"resize", func() { p.Resize(40, 20); p.Lines() }, 14},
		{"top", func() { p.ToTop(); p.Lines() }, 11},
		{"show", func() { p.Show(0); p.Lines() }, 14},
		{"remove the last", func() { p.Remove(p.End() - 1); p.Lines() }, 14},
		{"end", func() { p.ToEnd(); p.Lines(); p.Below() }, 11},
		{"trim", func() { p.TrimTop(150_000); p.Lines() }, 0},
	}
	for _, step := range steps {
		drawn = 0
		if step.do(); drawn > step.most {
			t.Errorf("%s: %d rows were drawn, want at most %d", step.what, drawn, step.most)
		}
	}
	for range 100_000 / 10 { // pages of all there is
		p.Up(20)
		p.Lines()
	}
	if limit := spare + 2*20 + 1; len(p.drawn) > limit {
		t.Errorf("the lines of %d rows are kept, want at most %d", len(p.drawn), limit)
	}
}

// Rows that are gone are not held on to, nor is the room that they took.
func TestForgets(t *testing.T) {
	p := New(func(_, _ *[]byte, _ int) []string { return []string{""} })
	for range 1000 {
		p.Append(make([]byte, 1<<16))
	}
	p.Remove(999)
	p.TrimTop(990)
	held := 0
	for _, row := range p.rows.ring {
		if row != nil {
			held++
		}
	}
	if held != 9 || len(p.rows.ring) > 64 {
		t.Errorf("%d rows are held in a ring of %d, want 9", held, len(p.rows.ring))
	}
}

func benchPane(b *testing.B, n int) *Pane[string] {
	b.Helper()
	p := New(func(_, row *string, width int) []string { return []string{*row, (*row)[:len(*row)/2]} })
	p.Resize(80, 50)
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf("a row of the list, as long as what people say: %d", i)
	}
	p.Append(rows...)
	return p
}

func BenchmarkLines(b *testing.B) {
	for name, forget := range map[string]bool{"unchanged": false, "redrawn": true} {
		b.Run(name, func(b *testing.B) {
			p := benchPane(b, 100_000)
			b.ReportAllocs()
			for b.Loop() {
				if forget {
					p.Redraw()
				}
				p.Lines()
			}
		})
	}
}

// BenchmarkFollow appends a row to 100,000 and draws the screen that follows.
func BenchmarkFollow(b *testing.B) {
	p := benchPane(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		p.Append("one more")
		p.TrimTop(1)
		p.Lines()
	}
}

func BenchmarkAppend(b *testing.B) {
	p := benchPane(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		p.Append("one more")
	}
}

func BenchmarkPrepend(b *testing.B) {
	p, page := benchPane(b, 100_000), make([]string, 100)
	p.Up(10)
	b.ReportAllocs()
	for b.Loop() {
		p.Prepend(page...)
	}
}

// BenchmarkMemory tells what 100,000 rows take besides what they hold.
func BenchmarkMemory(b *testing.B) {
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		p := New(lettered)
		for range 100_000 {
			p.Append("a row")
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(p)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/100_000, "B/row")
}
