package screen

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/color"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// The measures of a drawn screen, in pixels. A column is 0.6 of the size of the letters, as in most fonts of one width.
const (
	columnWidth = 9
	rowHeight   = 19
	fontSize    = 15
	baseline    = 14 // below the top of a row
	margin      = 14
	bar         = 34 // above the screen, with the title
)

// palette is how a drawn screen looks: its own colours, and the sixteen that programs name by number.
type palette struct {
	frame, bar, title, ground, ink string
	basic                          [16]string
}

var dark = palette{
	"#3a3f4a", "#242830", "#9aa2b1", "#16191f", "#d5d9e0",
	[16]string{"#3a3f4a", "#e06c75", "#8cc570", "#dfb96a", "#66a9e8", "#c283dc", "#5ab8c4", "#c3c8d1", "#6b7280", "#f08d95", "#a8d98f", "#f0d08a", "#8cc4f5", "#d7a2eb", "#7fd0da", "#ffffff"},
}

var light = palette{
	"#c9cdd4", "#eceef1", "#5c6370", "#fcfcfb", "#25282e",
	[16]string{"#25282e", "#b62b36", "#2f7d1f", "#8a6100", "#1c62b0", "#8a2fa8", "#0d7480", "#8b919c", "#5c6370", "#d03f4b", "#3f9430", "#a87800", "#2f7bd0", "#a347c2", "#188a97", "#25282e"},
}

// SVG draws the screen in a frame with a title: text, as it can be selected and read out, with neither scripts nor fonts from elsewhere. The same
// screen is always the same bytes.
func (g *Grid) SVG(title string) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := drawing{palette: dark}
	if g.kind.Light {
		d.palette = light
	}
	seen := g.see()
	width, height := g.width*columnWidth+2*margin, g.height*rowHeight+bar+margin
	d.add(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img">`+"\n", width, height)
	d.add("<title>%s</title>\n", escaped(title))
	d.add(`<rect x=".5" y=".5" width="%d" height="%d" rx="8" fill="%s" stroke="%s"/>`+"\n", width-1, height-1, d.ground, d.frame)
	d.add(`<path d="M1 %d V8.5 a7.5 7.5 0 0 1 7.5 -7.5 H%.1f a7.5 7.5 0 0 1 7.5 7.5 V%[1]d Z" fill="%[3]s"/>`+"\n", bar-8, float64(width)-8.5, d.bar)
	for i := range 3 {
		d.add(`<circle cx="%d" cy="%d" r="5" fill="%s"/>`+"\n", margin+4+18*i, (bar-8)/2, d.frame)
	}
	d.add(`<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace" font-size="%d" xml:space="preserve">`+"\n", fontSize)
	d.add(`<text x="%d" y="%d" text-anchor="middle" font-size="13" fill="%s">%s</text>`+"\n", width/2, (bar-8)/2+4, d.title, escaped(title))
	for y, row := range seen.rows {
		d.row(y, row)
	}
	if seen.visible {
		d.add(`<rect x="%d" y="%d" width="%d" height="%d" fill="%s" fill-opacity=".6"/>`+"\n", left(seen.x), top(seen.y), columnWidth, rowHeight-1, d.ink)
	}
	d.add("</g>\n</svg>\n")
	return d.Bytes()
}

// drawing is an SVG in the making.
type drawing struct {
	bytes.Buffer
	palette
}

func (d *drawing) add(format string, args ...any) { fmt.Fprintf(d, format, args...) }

func left(x int) int { return margin + x*columnWidth }
func top(y int) int  { return bar + y*rowHeight }

// row draws runs of cells that look the same. What may not be as wide in a reader's font as here stands alone, so that it pushes nothing aside.
func (d *drawing) row(y int, row []cell) {
	for x := 0; x < len(row); {
		end := x + 1
		for end < len(row) && row[end].style == row[x].style {
			end++
		}
		d.behind(y, x, end, row[x].style)
		for from := x; from < end; {
			to := from + 1
			for ; to < end && (row[to].width == 0 || steady(row[to]) && steady(row[from])); to++ {
			}
			d.text(y, from, row[from:to])
			from = to
		}
		x = end
	}
}

// steady reports whether a cell's text is one column wide in every font.
func steady(c cell) bool {
	if len(c.text) == 1 {
		return true
	}
	r := []rune(c.text)
	return len(r) == 1 && r[0] >= 0xa0 && r[0] < 0x250 // letters of Latin
}

// behind draws what is behind cells, where that is not the screen's own ground.
func (d *drawing) behind(y, x, end int, style Style) {
	_, ground := d.colours(style)
	if ground != d.ground {
		d.add(`<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n", left(x), top(y), (end-x)*columnWidth, rowHeight, ground)
	}
}

// text draws cells of one style that begin in column x.
func (d *drawing) text(y, x int, cells []cell) {
	var text strings.Builder
	for _, c := range cells {
		text.WriteString(c.text)
	}
	style, columns := cells[0].style, len(cells)
	lined := style.Underline || style.Strike
	words := text.String()
	if !lined {
		words = strings.TrimRight(words, " ")
		columns -= text.Len() - len(words)
		first := len(words) - len(strings.TrimLeft(words, " "))
		words, x, columns = words[first:], x+first, columns-first
	}
	if words == "" || style.Conceal {
		return
	}
	ink, _ := d.colours(style)
	d.add(`<text x="%d" y="%d" textLength="%d" fill="%s"`, left(x), top(y)+baseline, columns*columnWidth, ink)
	for _, look := range []struct {
		on        bool
		attribute string
	}{
		{style.Bold, ` font-weight="bold"`}, {style.Italic, ` font-style="italic"`}, {style.Faint, ` opacity=".65"`},
		{style.Underline && !style.Strike, ` text-decoration="underline"`}, {style.Strike && !style.Underline, ` text-decoration="line-through"`},
		{style.Underline && style.Strike, ` text-decoration="underline line-through"`},
	} {
		if look.on {
			d.add("%s", look.attribute)
		}
	}
	d.add(">%s</text>\n", escaped(words))
}

// colours returns those of text and of what is behind it.
func (d *drawing) colours(style Style) (ink, ground string) {
	ink, ground = d.colour(style.Fg, d.ink), d.colour(style.Bg, d.ground)
	if style.Reverse {
		ink, ground = ground, ink
	}
	return ink, ground
}

func (d *drawing) colour(c color.Color, own string) string {
	switch c := c.(type) {
	case nil:
		return own
	case ansi.BasicColor:
		return d.basic[c%16]
	case ansi.IndexedColor:
		if c < 16 {
			return d.basic[c]
		}
	}
	r, g, b, a := c.RGBA()
	if a == 0 {
		return own
	}
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}

// escaped returns text as XML has it.
func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder takes everything
	return b.String()
}
