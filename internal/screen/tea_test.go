package screen

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"

	"chatnode/internal/chat"
)

var seed = flag.Uint64("screen.seed", 0, "seed of the frames in TestGridShowsFrames; 0: a new one")

// frame is one picture that a program draws.
type frame struct {
	number        int
	width, height int
	cursor        *tea.Cursor
	rows          [][]cell
}

// painter is a program of Bubble Tea that draws the last frame that it was sent.
type painter struct {
	frame
	sized chan<- struct{} // hears that it was told its size, once
}

func (p painter) Init() tea.Cmd { return nil }

func (p painter) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case frame:
		p.frame = msg
	case tea.WindowSizeMsg:
		select {
		case p.sized <- struct{}{}:
		default:
		}
	}
	return p, nil
}

func (p painter) View() tea.View {
	var text strings.Builder
	for y, row := range p.rows {
		if y > 0 {
			text.WriteByte('\n')
		}
		for _, c := range row {
			if c.width > 0 {
				text.WriteString(sgr(c.style) + c.text + "\x1b[m")
			}
		}
	}
	v := tea.NewView(text.String())
	v.AltScreen, v.Cursor, v.WindowTitle = true, p.cursor, fmt.Sprint(p.number)
	return v
}

// sgr returns what sets a style of these tests.
func sgr(s Style) string {
	style := ansi.NewStyle()
	for _, look := range []struct {
		on  bool
		set func(ansi.Style) ansi.Style
	}{
		{s.Bold, ansi.Style.Bold}, {s.Faint, ansi.Style.Faint}, {s.Reverse, func(s ansi.Style) ansi.Style { return s.Reverse(true) }},
		{s.Underline, func(s ansi.Style) ansi.Style { return s.Underline(true) }},
		{s.Fg != nil, func(o ansi.Style) ansi.Style { return o.ForegroundColor(s.Fg) }},
		{s.Bg != nil, func(o ansi.Style) ansi.Style { return o.BackgroundColor(s.Bg) }},
	} {
		if look.on {
			style = look.set(style)
		}
	}
	return style.String()
}

// What a frame may be made of: characters whose width everybody agrees about, and those that only terminals know that cluster them.
var (
	agreed    = []string{" ", " ", "a", "b", "xx", "─", "│", "é", "e\u0301", "小", "林", "👍", "한", "ｱ", "…", "Ω"}
	clustered = append([]string{"👨\u200d👩\u200d👧", "🇩🇪", "❤\ufe0f", "👍🏽"}, agreed...)
	letters   = []string{"a", "b", "c", "d"}
	styles    = []Style{{}, {}, {}, {Bold: true}, {Faint: true}, {Reverse: true}, {Underline: true}, {Fg: ansi.Red}, {Fg: ansi.IndexedColor(208), Bold: true}, {Bg: ansi.IndexedColor(17)}}
)

// artist makes frames.
type artist struct {
	*rand.Rand
	last  frame
	texts []string
}

// next returns a frame that is like the last one here and there, and may be of another size.
func (a *artist) next() frame {
	f := a.last
	f.number++
	if a.IntN(10) == 0 {
		f.width, f.height = 1+a.IntN(60), 1+a.IntN(20)
	}
	f.rows = make([][]cell, f.height)
	shift := a.IntN(5) - 2 // as if it were scrolled
	if a.IntN(2) == 0 {
		shift = 0
	}
	for y := range f.rows {
		if from := y + shift; a.IntN(4) > 0 && f.width == a.last.width && from >= 0 && from < len(a.last.rows) {
			f.rows[y] = a.last.rows[from]
			continue
		}
		f.rows[y] = a.row(f.width)
	}
	f.cursor = nil
	if a.IntN(2) == 0 {
		f.cursor = tea.NewCursor(a.IntN(f.width), a.IntN(f.height))
	}
	a.last = f
	return f
}

// row returns a row of at most so many columns.
func (a *artist) row(width int) []cell {
	g := NewGrid(width, 1)
	text, style := "", Style{}
	texts, most := a.texts, a.IntN(width+1)
	if a.IntN(4) == 0 { // a full row: the cursor waits behind it
		texts, most = letters, width
	}
	for range most {
		if text == "" || a.IntN(3) == 0 {
			text = texts[a.IntN(len(texts))]
		}
		if a.IntN(6) == 0 {
			style = styles[a.IntN(len(styles))]
		}
		if wide := chat.Width(text); g.wrap || g.x+wide > width {
			break
		}
		g.pen = style
		for _, r := range text {
			g.print(r)
		}
	}
	if g.wrap {
		return g.rows[0]
	}
	return g.rows[0][:g.x]
}

// TestGridShowsFrames: what Bubble Tea draws with all its means of saving bytes, on terminals of several kinds, is what it was given to draw.
func TestGridShowsFrames(t *testing.T) {
	const frames = 100
	random := *seed
	if random == 0 {
		random = rand.Uint64()
	}
	for name, kind := range map[string]struct {
		term  string
		kind  Kind
		texts []string
	}{
		"xterm":       {"xterm-256color", Kind{}, clustered},
		"xterm plain": {"xterm-256color", Kind{Plain: true}, agreed},
		"kitty":       {"xterm-kitty", Kind{Light: true}, clustered},
		"linux":       {"linux", Kind{Plain: true}, agreed},
		"vt100":       {"vt100", Kind{Plain: true}, agreed},
		"tmux":        {"tmux-256color", Kind{Plain: true}, agreed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Logf("again with: -args -screen.seed %d", random)
			a := &artist{Rand: rand.New(rand.NewPCG(random, 0)), texts: kind.texts}
			a.last = frame{width: 40, height: 12}
			s := stand(t, kind.term, kind.kind, a.last)
			for !kind.kind.Plain && !s.mode(modeCluster) { // until it has heard that clusters are known
				a.last.number++
				s.program.Send(a.last)
				s.await(a.last.number)
			}
			for range frames {
				f := a.next()
				if width, height := s.Size(); width != f.width || height != f.height {
					s.Resize(f.width, f.height)
					s.program.Send(tea.WindowSizeMsg{Width: f.width, Height: f.height})
				}
				s.program.Send(f)
				s.await(f.number)
				s.compare(f)
			}
		})
	}
}

// stage is a painter with the terminal that it draws on.
type stage struct {
	*Grid
	t       *testing.T
	program *tea.Program
	drawn   chan string // of one title; the last
	trace   []string
}

func stand(t *testing.T, term string, kind Kind, first frame) *stage {
	t.Helper()
	s := &stage{Grid: NewGrid(first.width, first.height), t: t, drawn: make(chan string, 1)}
	heard, answers := io.Pipe() // Bubble Tea reads all the time
	s.Answer(answers, kind)
	sized := make(chan struct{}, 1)
	s.program = tea.NewProgram(painter{first, sized}, tea.WithInput(heard), tea.WithOutput(s), tea.WithWindowSize(first.width, first.height), tea.WithoutSignalHandler(),
		tea.WithEnvironment([]string{"TERM=" + term}), tea.WithColorProfile(colorprofile.TrueColor), tea.WithFPS(120))
	ended := make(chan error)
	go func() { // ends with the program, which the test ends
		_, err := s.program.Run()
		ended <- err
	}()
	<-sized // its first size is on its own way, and could overtake the next
	t.Cleanup(func() {
		s.program.Quit()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		answers.Close()
		if left := s.Left(); len(left) > 0 && !t.Failed() {
			t.Errorf("it leaves %q", left)
		}
		if unknown := s.Unknown(); len(unknown) > 0 {
			t.Errorf("not known: %q", unknown)
		}
	})
	return s
}

// Write shows what the program draws. It draws a frame at a time, and takes its output for a terminal that the system adds carriage returns to.
func (s *stage) Write(p []byte) (int, error) {
	_, err := s.Grid.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n")))
	select {
	case <-s.drawn:
	default:
	}
	s.trace = append(s.trace, string(p))
	s.drawn <- s.Title()
	return len(p), err
}

func (s *stage) await(number int) {
	s.t.Helper()
	timeout := time.After(60 * time.Second)
	for {
		select {
		case title := <-s.drawn:
			if title == fmt.Sprint(number) {
				return
			}
		case <-timeout:
			s.t.Fatalf("frame %d is not drawn: %q", number, s.Lines())
		}
	}
}

// compare fails the test unless the screen is the frame.
func (s *stage) compare(f frame) {
	s.t.Helper()
	_, height := s.Size()
	for y := range height {
		for x := range f.width {
			want := cell{text: " ", width: 1}
			if y < len(f.rows) && x < len(f.rows[y]) {
				want = f.rows[y][x]
			}
			text, style := s.Cell(x, y)
			if text == " " && want.text == " " && !want.style.Reverse && !want.style.Underline { // nobody sees how bold a space is
				style, want.style = Style{Bg: style.Bg}, Style{Bg: want.style.Bg}
			}
			if text != want.text || style != want.style {
				s.t.Fatalf("frame %d, %d by %d, row %d, column %d: %q %+v, want %q %+v\nrow: %q\nit was told %q", f.number, f.width, f.height, y, x, text, style, want.text, want.style,
					s.Lines()[y], s.trace[max(0, len(s.trace)-2):])
			}
		}
	}
	if x, y, visible := s.Cursor(); visible != (f.cursor != nil) || visible && (x != f.cursor.X || y != f.cursor.Y) {
		s.t.Fatalf("frame %d: the cursor is at %d,%d, %v, want %+v", f.number, x, y, visible, f.cursor)
	}
}
