package tui

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/markup"
	"chatnode/internal/screen"
	"chatnode/internal/scroll"
)

var update = flag.Bool("update", false, "write the golden rows anew")

// noon is a Monday's.
var noon = time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)

func rowsFor(names ...string) *rowStyle {
	return &rowStyle{theme: newTheme(true, true), zone: time.UTC, names: names}
}

// said returns a message that came some minutes after noon.
func said(minute int, name, text string) row {
	return row{
		kind: rowSaid, seq: uint64(max(minute, 0) + 1), id: chat.ID{1, byte(minute)}, from: 7, name: name, say: chat.Text,
		at: noon.Add(time.Duration(minute) * time.Minute), text: text,
	}
}

// with returns a row that was changed.
func with(r row, change func(r *row)) row {
	change(&r)
	return r
}

// drawn returns the lines of all rows.
func (s *rowStyle) drawn(rows []row, width int) []string {
	var lines []string
	for i := range rows {
		var above *row
		if i > 0 {
			above = &rows[i-1]
		}
		lines = append(lines, s.draw(above, &rows[i], width)...)
	}
	return lines
}

var sgr = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// bared returns lines without their styles.
func bared(lines []string) []string {
	bare := make([]string, len(lines))
	for i, line := range lines {
		bare[i] = sgr.ReplaceAllString(line, "")
	}
	return bare
}

// conversation is a little of everything.
var conversation = []row{
	said(-800, "alice", "good night"),
	said(0, "alice", "good morning, carol! the build of last night is at http://build.example.net/nightly/2026-11-23/index.html, have a look when you can"),
	said(1, "alice", "and **don't** deploy `main` before noon"),
	said(2, "bob", "- first\n- second\n\n> as carol said\n```\nx := a*b*c\n```"),
	with(said(3, "carol", "I'm on it"), func(r *row) { r.own = true }),
	with(said(4, "bob", "carol: 小林さん and Zoë too?"), func(r *row) { r.mention = true }),
	with(said(5, "zoe", "yes"), func(r *row) { r.re, r.quote = chat.ID{9}, "alice: good morning, carol! the build of last night" }),
	with(said(6, "zoe", "no"), func(r *row) { r.re = chat.ID{9} }),
	with(said(7, "zoe", "waves"), func(r *row) { r.say = chat.Action }),
	with(said(8, "zoe", "the build, and what is wrong with it"), func(r *row) { r.say = chat.Topic }),
	with(said(9, "zoe", ""), func(r *row) { r.say = chat.Topic }),
	{kind: rowNote, seq: 10, at: noon.Add(9 * time.Minute), text: "link lost: the connection ended; trying again in 3 s"},
	{kind: rowMark, seq: 10, at: noon.Add(9 * time.Minute), text: "14 messages came while there was no link"},
	said(10, "a-very-long-name~7q2f", "who am I?"),
	said(11, "a-very-long-name", "and I?"),
	with(said(12, "bob", "in another room"), func(r *row) { r.where = "ops" }),
	with(said(13, "carol", "this waits for the node"), func(r *row) { r.own, r.state, r.seq = true, statePending, 14 }),
	with(said(14, "carol", "this is not to be"), func(r *row) { r.own, r.state, r.why, r.seq = true, stateRefused, "the node's disk is nearly full", 14 }),
	{kind: rowPicture, seq: 14, at: noon, text: "█▀▀▀█ ▄ █▀▀▀█"},
}

func TestGoldenRows(t *testing.T) {
	style := rowsFor("carol")
	style.newAt, style.selected = 5, conversation[7].id
	plain := &rowStyle{theme: newTheme(true, false), zone: time.UTC, names: style.names, newAt: 5, selected: style.selected}
	golden := map[string][]string{}
	for _, width := range []int{40, 80, 120} {
		golden[fmt.Sprintf("rows-%d", width)] = bared(style.drawn(conversation, width))
	}
	for name, s := range map[string]*rowStyle{"colours": style, "monochrome": plain} {
		for _, line := range s.drawn(conversation, 80) {
			golden["rows-80-"+name] = append(golden["rows-80-"+name], strings.ReplaceAll(line, "\x1b", "^"))
		}
	}
	for name, lines := range golden {
		file := filepath.Join("testdata", name+".golden")
		got := strings.Join(lines, "\n") + "\n"
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// kinds are rows of every kind that hold a text wherever somebody else's can be.
func kinds(text string) []row {
	return []row{
		said(0, "bob", text),
		said(1, text, "hello"),
		with(said(2, "bob", text), func(r *row) { r.say = chat.Action }),
		with(said(3, "bob", text), func(r *row) { r.say = chat.Topic }),
		with(said(4, "bob", text), func(r *row) { r.say = 99 }),
		with(said(5, "bob", "yes"), func(r *row) { r.re, r.quote = chat.ID{1}, text }),
		with(said(6, "bob", text), func(r *row) { r.own, r.state = true, statePending }),
		with(said(7, "bob", text), func(r *row) { r.own, r.state, r.why = true, stateRefused, text }),
		with(said(8, "bob", text), func(r *row) { r.where = text }),
		with(said(9, "bob", text), func(r *row) { r.id = chat.ID{5} }),
		{kind: rowNote, at: noon, text: text},
		{kind: rowMark, at: noon, text: text},
		{kind: rowPicture, at: noon, text: text},
	}
}

// scripts are texts that are hard to measure.
var scripts = []string{
	"", " ", "a", "what people say, at some length, about nothing", "小林小林小林小林小林小林小林小林",
	"👨\u200d👩\u200d👧👨\u200d👩\u200d👧👍🏽❤\ufe0f🇩🇪🇯🇵", "e\u0301\u0302e\u0301\u0302e\u0301\u0302",
	"السلام عليكم ورحمة الله", "שָׁלוֹם עֲלֵיכֶם", "नमस्ते दुनिया", "ᄒ\u1161\u11ab글 한글",
	"\tindented\twith\ttabs", "**b** *i* `c` ~~s~~ http://x.y/z root\n> q\n# h\n```\ncode",
	strings.Repeat("x", 350), strings.Repeat("👍", 80), "\u2e3b\u2e3b\u2e3b",
}

// TestRowsFit: whatever a row holds, its lines are as wide as the screen at most, and tell a terminal nothing but styles.
func TestRowsFit(t *testing.T) {
	skipUnderRace(t)
	texts := scripts
	for _, a := range screen.Attacks {
		if len(a.Text) < 600 {
			texts = append(texts, a.Text)
		}
	}
	styles := []*rowStyle{rowsFor("root"), {theme: newTheme(false, false), zone: time.UTC, names: []string{"root"}, newAt: 4, selected: chat.ID{5}}}
	for n, text := range texts {
		rows := kinds(text)
		for width := 1; width <= 300; width++ {
			if width%41 != n%41 && width != wideFrom && width != wideFrom-1 && (width > 12 || n >= len(scripts)) {
				continue // all texts together have all widths
			}
			i := (width + n) % len(styles)
			for _, line := range styles[i].drawn(rows, width) {
				if why := unfit(line, width); why != "" {
					t.Fatalf("%.60q, style %d, width %d: %s", text, i, width, why)
				}
			}
		}
	}
}

func unfit(line string, width int) string {
	bare := sgr.ReplaceAllString(line, "")
	if columns := chat.Width(bare); columns > width {
		return fmt.Sprintf("%q takes %d columns", bare, columns)
	}
	if bare != chat.OneLine(bare) {
		return fmt.Sprintf("%q is not one line", bare)
	}
	if _, found := screen.Read(bare); len(found) > 0 {
		return fmt.Sprintf("a terminal finds %q in %q", found, line)
	}
	if strings.Count(line, "\x1b[m")+strings.Count(line, "\x1b[0m") != len(sgr.FindAllString(line, -1))/2 {
		return fmt.Sprintf("a style goes on behind %q", line)
	}
	return ""
}

// TestHeaps: a text that is all marks, or as long as a text can be, draws in its place.
func TestHeaps(t *testing.T) {
	skipUnderRace(t)
	for _, a := range screen.Attacks {
		if len(a.Text) < 600 {
			continue
		}
		for _, width := range []int{1, 40, 80} {
			for _, line := range rowsFor("root").drawn(kinds(a.Text), width) {
				if why := unfit(line, width); why != "" {
					t.Fatalf("%s, width %d: %s", a.Name, width, why)
				}
			}
		}
	}
}

// TestForgedLines: a line that looks like another's stands where no line of another's begins.
func TestForgedLines(t *testing.T) {
	skipUnderRace(t)
	begins := map[int]*regexp.Regexp{ // what stands before text
		40:  regexp.MustCompile(`^ {6}`),
		80:  regexp.MustCompile(`^ {18} │ `),
		120: regexp.MustCompile(`^ {18} │ `),
	}
	forged := 0
	for _, a := range screen.Attacks {
		if !strings.Contains(a.Text, "\n") {
			continue
		}
		for width, begin := range begins {
			above := said(0, "bob", "hello")
			for _, r := range kinds(a.Text)[:10] {
				lines := bared(rowsFor("root").draw(&above, &r, width))
				if !strings.HasPrefix(lines[0], "12:0") {
					t.Errorf("%s at %d: a row begins with %q", a.Name, width, lines[0])
				}
				for _, line := range lines[1:] {
					forged++
					if !begin.MatchString(line) {
						t.Errorf("%s at %d: a line begins with %q", a.Name, width, line)
					}
				}
			}
		}
	}
	if forged < 100 {
		t.Errorf("%d lines were looked at", forged)
	}
}

// TestNames: where the name is part of the text it is never left out, so that no text can begin as if it were one.
func TestNames(t *testing.T) {
	first, next := said(0, "bob", "hello"), said(4, "bob", "root: hello")
	tests := map[string]struct {
		above *row
		r     row
		width int
		shown bool
	}{
		"goes on":             {&first, next, 80, false},
		"narrow":              {&first, next, 69, true},
		"first":               {nil, next, 80, true},
		"after five minutes":  {&first, said(5, "bob", "x"), 80, true},
		"before":              {&next, first, 80, true},
		"another":             {&first, said(1, "alice", "x"), 80, true},
		"another bob":         {&first, with(next, func(r *row) { r.from = 8 }), 80, true},
		"one's own bob":       {&first, with(next, func(r *row) { r.own = true }), 80, true},
		"pending":             {&first, with(next, func(r *row) { r.state = statePending }), 80, true},
		"refused":             {&first, with(next, func(r *row) { r.state = stateRefused }), 80, true},
		"behind pending":      {ptr(with(first, func(r *row) { r.state = statePending })), next, 80, true},
		"mention":             {&first, with(next, func(r *row) { r.mention = true }), 80, true},
		"answer":              {&first, with(next, func(r *row) { r.re = chat.ID{1} }), 80, true},
		"behind a note":       {&row{kind: rowNote, name: "bob", from: 7, say: chat.Text, at: noon}, next, 80, true},
		"behind an action":    {ptr(with(first, func(r *row) { r.say = chat.Action })), next, 80, true},
		"of many rooms":       {&first, with(next, func(r *row) { r.where = "ops" }), 80, true},
		"behind another room": {ptr(with(first, func(r *row) { r.where = "ops" })), next, 80, true},
		"another day":         {ptr(said(-721, "bob", "x")), with(next, func(r *row) { r.at = noon.Add(-719 * time.Minute) }), 80, true},
	}
	for name, tt := range tests {
		lines := bared(rowsFor().draw(tt.above, &tt.r, tt.width))
		if last := lines[len(lines)-1]; strings.Contains(strings.Join(lines, "\n"), tt.r.name) != tt.shown || len(last) < 6 {
			t.Errorf("%s: %q", name, lines)
		}
	}
}

func ptr(r row) *row { return &r }

// TestRules: a day has its line above its first row, and what is new above the first that is.
func TestRules(t *testing.T) {
	zone := time.FixedZone("", 14*3600) // noon is 02:00 on Tuesday
	note := row{kind: rowNote, seq: 1, at: noon, text: "note"}
	tests := map[string]struct {
		rows  []row
		newAt uint64
		want  []string
	}{
		"first":       {[]row{said(0, "bob", "a"), said(1, "bob", "b")}, 0, []string{"Tuesday, 24 November 2026", "a", "b"}},
		"midnight":    {[]row{said(-121, "bob", "a"), said(-120, "bob", "b")}, 0, []string{"Monday, 23 November 2026", "a", "Tuesday, 24 November 2026", "b"}},
		"a year on":   {[]row{said(0, "bob", "a"), said(365*24*60, "bob", "b")}, 0, []string{"Tuesday, 24 November 2026", "a", "Wednesday, 24 November 2027", "b"}},
		"new":         {[]row{said(0, "bob", "a"), said(1, "bob", "b"), said(2, "bob", "c")}, 1, []string{"Tuesday, 24 November 2026", "a", "── new ──", "b", "c"}},
		"all new":     {[]row{said(1, "bob", "b"), said(2, "bob", "c")}, 1, []string{"Tuesday, 24 November 2026", "── new ──", "b", "c"}},
		"nothing new": {[]row{said(0, "bob", "a")}, 1, []string{"Tuesday, 24 November 2026", "a"}},
		"new behind a note": {[]row{said(0, "bob", "a"), note, said(1, "bob", "b"), with(note, func(r *row) { r.seq = 2 }), said(2, "bob", "c")}, 1,
			[]string{"Tuesday, 24 November 2026", "a", "note", "── new ──", "b", "note", "c"}},
	}
	for name, tt := range tests {
		s := rowsFor()
		s.zone, s.newAt = zone, tt.newAt
		lines := bared(s.drawn(tt.rows, 60))
		if len(lines) != len(tt.want) {
			t.Errorf("%s: %q", name, lines)
			continue
		}
		for i, want := range tt.want {
			if !strings.HasSuffix(strings.TrimRight(lines[i], "─ "), strings.TrimRight(want, "─ ")) {
				t.Errorf("%s: line %d is %q, want %q", name, i, lines[i], want)
			}
		}
	}
}

// TestQuotes: what a message answers is told in one line, for which a long name makes room.
func TestQuotes(t *testing.T) {
	above := said(0, "alice", "x")
	for name, want := range map[string][]string{
		"bob":                      {"12:01 bob: ↪ alice: shall we go to th…", "      yes"},
		"a-name-of-twenty-letters": {"12:01 a-name-of-twenty-letters: ", "      ↪ alice: shall we go to the new", "      yes"},
	} {
		r := with(said(1, name, "yes"), func(r *row) { r.re, r.quote = chat.ID{3}, "alice: shall we go to the new" })
		got := bared(rowsFor().draw(&above, &r, 38))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestMentionsAreOthers: one's own name is not for oneself where one has written it.
func TestMentionsAreOthers(t *testing.T) {
	s, above, r := rowsFor("carol"), said(0, "alice", "x"), said(1, "carol", "I am carol")
	mention := s.theme.paints.texts[markup.Mention].on
	if line := strings.Join(s.draw(&above, &r, 80), ""); !strings.Contains(line, mention) {
		t.Errorf("another's mention is %q", line)
	}
	r.own = true
	if line := strings.Join(s.draw(&above, &r, 80), ""); strings.Contains(line, mention) {
		t.Errorf("one's own mention is %q", line)
	}
}

func TestSelected(t *testing.T) {
	for _, width := range []int{10, 40, 80} {
		for _, colours := range []bool{true, false} {
			s := &rowStyle{theme: newTheme(false, colours), zone: time.UTC, selected: chat.ID{5}}
			above, r := said(0, "bob", "a"), with(said(1, "bob", "hello\nthere"), func(r *row) { r.id = chat.ID{5} })
			for _, line := range bared(s.draw(&above, &r, width)) {
				if strings.Count(line, "▌") != 1 {
					t.Errorf("at %d, colours %v: %q has no bar", width, colours, line)
				}
			}
			above.id, s.selected = chat.ID{}, chat.ID{}
			if lines := s.draw(&above, &above, width); strings.Contains(strings.Join(lines, ""), "▌") {
				t.Errorf("at %d: nothing is selected, but %q", width, lines)
			}
		}
	}
}

// BenchmarkRows draws a screen of rows: 50 of 100 bytes.
func BenchmarkRows(b *testing.B) {
	texts := map[string]string{
		"plain":     "what people say in a chat, mostly, is about as long as this line here: some hundred bytes or a few more",
		"styled":    "what *carol* says in a **chat**, mostly, is about as long as this `line`: http://example.net/and/so/on ok",
		"not ASCII": "was man in einem Gespräch so sagt, *zumeist*, ist ungefähr so lang wie diese Zeile: hundert Bytes, etwa",
	}
	for name, text := range texts {
		for _, width := range []int{60, 100} {
			b.Run(fmt.Sprintf("%s at %d", name, width), func(b *testing.B) {
				s, rows := rowsFor("carol", "carol~7q2f"), make([]row, 50)
				for i := range rows {
					rows[i] = said(i, fmt.Sprint("bob", i%3), text)
				}
				b.ReportAllocs()
				for b.Loop() {
					s.drawn(rows, width)
				}
			})
		}
	}
}

// BenchmarkScreen draws a screen out of 100,000 messages, of which one is new.
func BenchmarkScreen(b *testing.B) {
	s := rowsFor("carol")
	pane := scroll.New(s.draw)
	pane.Resize(100, 50)
	for i := range 100_000 {
		pane.Append(said(i, fmt.Sprint("bob", i%3), "what carol says in a chat, mostly, is about as long as this line here: some hundred bytes or a few more"))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		pane.Append(said(i, "bob", "one more"))
		pane.Lines()
	}
}
