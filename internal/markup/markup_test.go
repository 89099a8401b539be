package markup

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/screen"
)

// letters are the styles' signs in told.
var letters = map[Style]string{Bold: "b", Italic: "i", Strike: "s", Code: "c", Quote: "q", Heading: "h", Link: "l", Mention: "m"}

// told writes lines down: the text, with each piece that has a style in braces behind the style's letters.
func told(lines []Line) string {
	var all []string
	for _, line := range lines {
		text := ""
		for _, span := range line {
			sign := ""
			for style := Style(1); style != 0; style <<= 1 {
				if span.Style&style != 0 {
					sign += letters[style]
				}
			}
			if sign == "" {
				text += span.Text
			} else {
				text += sign + "{" + span.Text + "}"
			}
		}
		all = append(all, text)
	}
	return strings.Join(all, "\n")
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"":               "",
		"plain":          "plain",
		"a\n\nb\n":       "a\n\nb\n",
		"**b** x":        "b{**b**} x",
		"__b__ x":        "b{__b__} x",
		"*i* x":          "i{*i*} x",
		"an _i_, x":      "an i{_i_}, x",
		"~~no~~ yes":     "s{~~no~~} yes",
		"***both***":     "bi{***both***}",
		"**b *bi* b**":   "b{**b }bi{*bi*}b{ b**}",
		"(*i*)":          "(i{*i*})",
		"*a b c*":        "i{*a b c*}",
		"*a *b*":         "*a i{*b*}",
		"*i* and *i*":    "i{*i*} and i{*i*}",
		"这是**重点**内容":     "这是b{**重点**}内容",
		"**강조**는":        "b{**강조**}는",
		"snake_case_x":   "snake_case_x",
		"_snake_case":    "_snake_case",
		"2*3*4":          "2*3*4",
		"2 * 3 * 4":      "2 * 3 * 4",
		"2**3**4":        "2**3**4",
		"é*a*":           "é*a*",
		"e\u0301*a*":     "e\u0301*a*",
		"*a":             "*a",
		"a*":             "a*",
		"**":             "**",
		"****":           "****",
		"*\u00a0a*":      "*\u00a0a*",
		"~one~ ~~~x~~~":  "~one~ ~~~x~~~",
		`\*a* \_b_`:      `\*a* \_b_`,
		"*over\nlines*":  "*over\nlines*",
		"`c` x":          "c{`c`} x",
		"``a ` b`` x":    "c{``a ` b``} x",
		"`a `` b":        "`a `` b",
		"` `` ` ``":      "c{` `` `} ``",
		"`*c* http://x`": "c{`*c* http://x`}",
		"*a `b*` c":      "*a c{`b*`} c",
		"*a `b` c*":      "i{*a }ic{`b`}i{ c*}",

		"```\n*a*\n\n> b\n```\n*c*": "c{```}\nc{*a*}\n\nc{> b}\nc{```}\ni{*c*}",
		"```go\nx\n``` \ny":         "c{```go}\nc{x}\nc{``` }\ny",
		"```\nno end":               "c{```}\nc{no end}",
		"```\n```x\n```":            "c{```}\nc{```x}\nc{```}",
		"```one``` *x*":             "c{```one```} i{*x*}",
		"  ```\nx\n  ```":           "c{  ```}\nc{x}\nc{  ```}",
		"a ```\nb":                  "a ```\nb",

		"> q **b**": "q{> q }bq{**b**}",
		">> q":      "q{>> q}",
		">":         "q{>}",
		">_<":       ">_<",
		">:(":       ">:(",
		"a > b":     "a > b",
		"# h":       "h{# h}",
		"###### h":  "h{###### h}",
		"#":         "#",
		"#room":     "#room",
		"#1 x":      "#1 x",
		"- *a*\n-b": "- i{*a*}\n-b",

		"see http://x.y/a_b_c.":              "see l{http://x.y/a_b_c}.",
		"HTTPS://x.y?a=b&c#d!":               "l{HTTPS://x.y?a=b&c#d}!",
		"(http://x.y/(z))":                   "(l{http://x.y/(z)})",
		"[words](http://x.y)":                "[words](l{http://x.y})",
		"<http://x.y>":                       "<l{http://x.y}>",
		"**http://x.y**":                     "b{**}bl{http://x.y}b{**}",
		"chatnode://host:8080?token=cn1-_x":  "l{chatnode://host:8080?token=cn1-_x}",
		"ftp://x http://y":                   "l{ftp://x} l{http://y}",
		"见http://x.y/路。好":                    "见l{http://x.y/路}。好",
		"http:// https://. x://y 1http://a":  "http:// https://. x://y 1http://a",
		"javascript://a file:///b":           "javascript://a file:///b",
		"http://http://x":                    "l{http://http://x}",
		"http://a..., http://b?!":            "l{http://a}..., l{http://b}?!",
		"\"http://a\" 'http://b' http://c'd": "\"l{http://a}\" 'l{http://b}' l{http://c'd}",

		"a\tb\tcdef\tg":     "a   b   cdef    g",
		"小\tx\t":            "小  x   ",
		"a\rb\x00\u202ec":   "a\ufffdb\ufffd\ufffdc",
		"*\u0301a* b":       "i{*\u0301a*} b",
		"*a*\u0301 b":       "*a*\u0301 b",
		"`a`\u0301 b":       "c{`a`\u0301} b",
		"\xff*a*":           "\ufffdi{*a*}",
		"e\u0301\u0600*a* ": "e\u0301\u0600*i{a*} ",
	} {
		if got := told(Parse(text)); got != want {
			t.Errorf("Parse(%q) is\n%s\nwant\n%s", text, got, want)
		}
	}
}

func TestMentions(t *testing.T) {
	names := []string{"carol", "carol~7q2f", "Zoë", "小林", "dot."}
	for text, want := range map[string]string{
		"carol":                        "m{carol}",
		"Carol, CAROL! @carol: carol.": "m{Carol}, m{CAROL}! @m{carol}: m{carol}.",
		"carol's":                      "m{carol}'s",
		"carol~7q2f and carol~other":   "m{carol~7q2f} and carol~other",
		"caroline carol-ann x.carol":   "caroline carol-ann x.carol",
		"_carol_ **carol**":            "i{_}im{carol}i{_} b{**}bm{carol}b{**}",
		"`carol` http://carol/carol":   "c{`carol`} l{http://carol/carol}",
		"zoe\u0308 ZOË zoë":            "m{zoe\u0308} m{ZOË} m{zoë}",
		"小林 小林さん":                      "m{小林} 小林さん",
		"dot. dot":                     "m{dot.} dot",
		"> carol":                      "q{> }qm{carol}",
		"...---~~~":                    "...---~~~",
		"bob":                          "bob",
	} {
		if got := told(Parse(text, names...)); got != want {
			t.Errorf("Parse(%q) is\n%s\nwant\n%s", text, got, want)
		}
		if Mentions(text, names...) != strings.Contains(want, "m{") {
			t.Errorf("Mentions(%q) is %v", text, !strings.Contains(want, "m{"))
		}
	}
	if Mentions("", "") || Mentions("a b", "") || Mentions("carol") {
		t.Error("nobody was mentioned")
	}
}

// wrong tells in which way the lines are not those of text.
func wrong(text string, lines []Line) string {
	raw := strings.Split(text, "\n")
	if len(lines) != len(raw) {
		return fmt.Sprintf("%d lines, want %d", len(lines), len(raw))
	}
	for i, line := range lines {
		whole := line.String()
		if want := chat.OneLine(raw[i]); !strings.Contains(raw[i], "\t") && whole != want {
			return fmt.Sprintf("line %d is %q, want %q", i, whole, want)
		}
		if stripped := strings.ReplaceAll(whole, " ", ""); stripped != strings.ReplaceAll(clean(raw[i]), " ", "") || chat.OneLine(stripped) != stripped {
			return fmt.Sprintf("line %d is %q of %q", i, whole, raw[i])
		}
		if _, found := screen.Read(whole); len(found) > 0 {
			return fmt.Sprintf("line %d: a terminal found %q", i, found)
		}
		var chars []string
		for j, span := range line {
			if span.Text == "" || j > 0 && span.Style == line[j-1].Style {
				return fmt.Sprintf("line %d: span %d of %q is none", i, j, line)
			}
			for char := range chat.Clusters(span.Text) {
				chars = append(chars, char)
			}
		}
		if !slices.Equal(chars, clusters(whole)) {
			return fmt.Sprintf("line %d: %q is cut within a character", i, line)
		}
	}
	return ""
}

func clusters(text string) (chars []string) {
	for char := range chat.Clusters(text) {
		chars = append(chars, char)
	}
	return chars
}

func TestAttacks(t *testing.T) {
	for _, a := range screen.Attacks {
		if why := wrong(a.Text, Parse(a.Text, "root")); why != "" {
			t.Errorf("%s: %s", a.Name, why)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, a := range screen.Attacks {
		if len(a.Text) < 1000 {
			f.Add(a.Text, "carol")
		}
	}
	f.Add("**b** *i* _i_ ~~s~~ `c` http://x.y/(z) carol\n> q\n# h\n```\ncode\n```", "carol")
	f.Fuzz(func(t *testing.T, text, name string) {
		if why := wrong(text, Parse(text, name)); why != "" {
			t.Errorf("Parse(%q, %q): %s", text, name, why)
		}
	})
}

// heavy are texts that cost most in parsers that look back.
var heavy = map[string]string{
	"stars": "*", "stars apart": "* ", "stars at words": "*a ", "backticks": "`", "backticks apart": "`a", "brackets": "[", "underscores": "_a_", "tildes": "~~a",
	"schemes": "http://", "schemes apart": "http:// ", "broken schemes": "http://.,", "tabs": "\t", "names": "carol ", "dots": ".", "quotes": "> ", "accents": "e\u0301", "brackets of links": "http://(", "fences": "```\n",
	"paragraphs": "what people say in a chat, *mostly*. ",
}

func text16K(of string) string { return strings.Repeat(of, 16<<10/len(of)) }

func rising() string { // runs of backticks, each of another length
	var b strings.Builder
	for i := 1; b.Len() < 16<<10; i++ {
		b.WriteString(strings.Repeat("`", i) + " ")
	}
	return b.String()
}

func BenchmarkParse(b *testing.B) {
	texts := map[string]string{"backticks rising": rising(), "a line": "what carol says in a chat, *mostly*, is about as long as this line: some hundred bytes, or a little more"}
	for name, of := range heavy {
		texts[name] = text16K(of)
	}
	for name, text := range texts {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Parse(text, "carol", "carol~7q2f")
			}
		})
	}
}

func TestLine(t *testing.T) {
	line := Line{{"a", 0}, {"小", Bold}, {"", 0}, {"e\u0301", Code}}
	if line.String() != "a小e\u0301" || line.Width() != 4 || (Line{}).String() != "" || (Line{}).Width() != 0 {
		t.Errorf("%q in %d columns", line.String(), line.Width())
	}
	if diff := cmp.Diff([]Line{{}}, Parse("")); diff != "" {
		t.Errorf("no text (-want +got):\n%s", diff)
	}
}
