package tui

import (
	"fmt"
	"image/color"
	"math"
	"regexp"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"

	"chatnode/internal/markup"
)

// backgrounds are what terminals have behind a theme's text: black and white, and the palest of the dark and the darkest of the light ones
// that are in wide use.
var backgrounds = map[bool][]string{true: {"#000000", "#1e1e1e", "#282c34", "#2e3440"}, false: {"#ffffff", "#fdf6e3", "#fafafa", "#eeeeee"}}

// linear returns a colour's three parts as amounts of light (WCAG 2.2, relative luminance).
func linear(c color.Color) (parts [3]float64) {
	r, g, b, _ := c.RGBA()
	for i, v := range []uint32{r, g, b} {
		if x := float64(v) / 0xffff; x <= 0.04045 {
			parts[i] = x / 12.92
		} else {
			parts[i] = math.Pow((x+0.055)/1.055, 2.4)
		}
	}
	return parts
}

func contrast(a, b color.Color) float64 {
	light := func(c color.Color) float64 {
		p := linear(c)
		return 0.2126*p[0] + 0.7152*p[1] + 0.0722*p[2] + 0.05
	}
	return max(light(a), light(b)) / min(light(a), light(b))
}

// apart returns how different two colours look: their distance in CIELAB, of which 2 can just be told.
func apart(a, b color.Color) float64 {
	lab := func(c color.Color) [3]float64 {
		p := linear(c)
		f := func(t float64) float64 {
			if t > 216.0/24389 {
				return math.Cbrt(t)
			}
			return (24389.0/27*t + 16) / 116
		}
		x := f((0.4124*p[0] + 0.3576*p[1] + 0.1805*p[2]) / 0.9505)
		y := f(0.2126*p[0] + 0.7152*p[1] + 0.0722*p[2])
		z := f((0.0193*p[0] + 0.1192*p[1] + 0.9505*p[2]) / 1.089)
		return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
	}
	p, q := lab(a), lab(b)
	return math.Hypot(math.Hypot(p[0]-q[0], p[1]-q[1]), p[2]-q[2])
}

// styles returns the theme's styles by name.
func (t *theme) styles() map[string]lipgloss.Style {
	all := map[string]lipgloss.Style{
		"status": t.status, "statusLost": t.statusLost, "prompt": t.prompt, "popup": t.popup, "popupPicked": t.popupPicked,
		"room": t.room, "roomCurrent": t.roomCurrent, "roomUnread": t.roomUnread, "roomMention": t.roomMention, "person": t.person, "personAway": t.personAway,
		"note": t.note, "mark": t.mark, "day": t.day, "time": t.time, "refused": t.refused,
	}
	for i, style := range t.names {
		all[fmt.Sprint("name ", i)] = style
	}
	return all
}

// TestContrast: every text can be read on every background it stands on.
func TestContrast(t *testing.T) {
	for dark, behind := range backgrounds {
		for name, style := range newTheme(dark, true).styles() {
			back, ink := style.GetBackground(), style.GetForeground()
			against := []color.Color{back}
			if _, none := back.(lipgloss.NoColor); none {
				against = nil
				for _, hex := range behind {
					against = append(against, lipgloss.Color(hex))
				}
			}
			if _, none := ink.(lipgloss.NoColor); none {
				continue // the terminal's own, on its own background
			}
			for _, b := range against {
				if c := contrast(ink, b); c < 4.5 {
					t.Errorf("dark %v: %s has a contrast of %.2f to %v", dark, name, c, b)
				}
			}
		}
		for _, hex := range []string{newTheme(dark, true).palette().code, newTheme(dark, true).palette().link} {
			for _, b := range behind {
				if c := contrast(lipgloss.Color(hex), lipgloss.Color(b)); c < 4.5 {
					t.Errorf("dark %v: %s has a contrast of %.2f to %s", dark, hex, c, b)
				}
			}
		}
	}
}

func TestNamesAreApart(t *testing.T) {
	for dark := range backgrounds {
		names := newTheme(dark, true).names
		if len(names) < 10 {
			t.Errorf("dark %v: %d colours for all names", dark, len(names))
		}
		for i, a := range names {
			for j, b := range names[:i] {
				if d := apart(a.GetForeground(), b.GetForeground()); d < 20 {
					t.Errorf("dark %v: colours %d and %d are %.1f apart", dark, i, j, d)
				}
			}
		}
	}
}

// TestNameStyle: whoever has one name has one colour, however it is written and whatever is behind it; and names spread over all colours.
func TestNameStyle(t *testing.T) {
	dark, light := newTheme(true, true), newTheme(false, true)
	used := map[int]int{}
	for i := range 1200 {
		name := fmt.Sprint("name", i)
		at := dark.nameIndex(name)
		if used[at]++; at != light.nameIndex(name) || at != dark.nameIndex(strings.ToUpper(name)) {
			t.Errorf("%s has several colours", name)
		}
	}
	for at := range len(dark.names) {
		if used[at] < 50 || used[at] > 200 {
			t.Errorf("%d of 1200 names have colour %d", used[at], at)
		}
	}
	if a, b := dark.nameStyle("Zoë").GetForeground(), dark.nameStyle("zoe\u0308").GetForeground(); a != b {
		t.Errorf("one name is %v and %v", a, b)
	}
	if got := dark.nameIndex("carol"); got != 2 {
		t.Errorf("carol has colour %d: names have changed their colours", got)
	}
}

var coloured = regexp.MustCompile(`\x1b\[[0-9;]*\b(3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]`)

// TestMonochrome: without colours there are none, and what they tell is told by other means.
func TestMonochrome(t *testing.T) {
	for _, dark := range []bool{true, false} {
		theme := newTheme(dark, false)
		styles := theme.styles()
		for name, style := range styles {
			if text := style.Render("x"); coloured.MatchString(text) {
				t.Errorf("%s is %q", name, text)
			}
		}
		for _, p := range theme.paints.texts {
			if coloured.MatchString(p.on) {
				t.Errorf("a text begins with %q", p.on)
			}
		}
		for _, pair := range [][2]string{
			{"status", "statusLost"}, {"popup", "popupPicked"}, {"room", "roomCurrent"}, {"room", "roomUnread"}, {"room", "roomMention"},
			{"roomUnread", "roomMention"}, {"roomCurrent", "roomMention"}, {"person", "personAway"}, {"note", "refused"},
		} {
			if styles[pair[0]].Render("x") == styles[pair[1]].Render("x") {
				t.Errorf("%s and %s look alike", pair[0], pair[1])
			}
		}
		for style := range markup.Styles {
			for _, bit := range []markup.Style{markup.Bold, markup.Italic, markup.Strike, markup.Link, markup.Mention} {
				if style&(bit|markup.Heading|markup.Mention) == 0 && theme.paints.texts[style] == theme.paints.texts[style|bit] {
					t.Errorf("style %b looks like %b", style, style|bit)
				}
			}
		}
		if theme.paints.mention == theme.paints.names[0] {
			t.Error("a mention looks like any name")
		}
	}
}

// TestPaint: a paint does to a text what its style does.
func TestPaint(t *testing.T) {
	for name, style := range newTheme(true, true).styles() {
		var b strings.Builder
		paintOf(style).write(&b, "some text")
		if want := style.Render("some text"); b.String() != want {
			t.Errorf("%s: %q, want %q", name, b.String(), want)
		}
	}
}

func BenchmarkNewTheme(b *testing.B) {
	for b.Loop() {
		newTheme(true, true)
	}
}
