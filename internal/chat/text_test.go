package chat

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestCheckText(t *testing.T) {
	tests := map[string]struct {
		kind Kind
		text string
		want Code
	}{
		"plain":                  {Text, "hello", OK},
		"longest":                {Text, strings.Repeat("x", MaxText), OK},
		"one byte more":          {Text, strings.Repeat("x", MaxText+1), TooLong},
		"bytes, not runes":       {Text, strings.Repeat("é", MaxText/2+1), TooLong},
		"64 lines":               {Text, strings.Repeat("x\n", MaxLines-1) + "x", OK},
		"65 lines":               {Text, strings.Repeat("x\n", MaxLines) + "x", TooLong},
		"not UTF-8":              {Text, "caf\xe9", BadText},
		"surrogate":              {Text, "\xed\xa0\x80", BadText},
		"empty":                  {Text, "", Empty},
		"blank":                  {Text, " \t\r\n\u2003", Empty},
		"controls alone":         {Text, "\x1b\x07", Empty},
		"direction alone":        {Text, "\u202e\u2069", Empty},
		"zero width alone":       {Text, "\u200b\ufeff\u00ad", Empty},
		"filler alone":           {Action, "\u3164\ufe0f", Empty},
		"one emoji":              {Text, "👩🏽\u200d🚀", OK},
		"unassigned":             {Text, "\U0001fbff", OK},
		"flag":                   {Text, "🏴\U000e0067\U000e0062\U000e007f", OK},
		"empty topic":            {Topic, "", OK},
		"longest topic":          {Topic, strings.Repeat("x", MaxTopic), OK},
		"topic of a byte more":   {Topic, strings.Repeat("x", MaxTopic+1), TooLong},
		"topic that isn't UTF-8": {Topic, "\xff", BadText},
		"skip":                   {Skip, "", OK},
		"skip with a body":       {Skip, strings.Repeat("x", MaxText+1), TooLong},
	}
	for name, tt := range tests {
		if got := CheckText(tt.kind, tt.text); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func TestCleanText(t *testing.T) {
	tests := map[string]struct {
		kind       Kind
		text, want string
	}{
		"plain":             {Text, "héllo 👋 日本", "héllo 👋 日本"},
		"lines and tabs":    {Text, "a\n\tb", "a\n\tb"},
		"line end of DOS":   {Text, "a\r\nb\rc", "a\nbc"},
		"colour":            {Text, "\x1b[31mred\x1b[0m", "[31mred[0m"},
		"window title":      {Text, "\x1b]0;pwned\x07", "]0;pwned"},
		"C1":                {Text, "a\u009b2Jb\u0085c", "a2Jbc"},
		"delete and bell":   {Text, "a\x7f\x07\x00b", "ab"},
		"direction":         {Text, "a\u202eb\u2066c\u200fd\u061ce", "abcde"},
		"separators":        {Text, "a\u2028b\u2029c", "abc"},
		"tags":              {Text, "a\U000e0041\U000e007fb", "ab"},
		"noncharacters":     {Text, "a\ufffe\ufdd0\U0010ffffb", "ab"},
		"annotation":        {Text, "a\ufff9b\ufffac\ufffb", "abc"},
		"joiners stay":      {Text, "👩\u200d🚀 ه\u200cی", "👩\u200d🚀 ه\u200cی"},
		"topic is one line": {Topic, "a\nb\tc\r\nd", "a b c d"},
	}
	for name, tt := range tests {
		if got := CleanText(tt.kind, tt.text); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "",
		"héllo 👋":              "héllo 👋",
		"a\nb":                 `a\nb`,
		"a\tb":                 "a    b",
		"a\r\nb":               "a\ufffd\\nb",
		"\x1b[2J":              "\ufffd[2J",
		"a\xffb":               "a\ufffdb",
		"a\xc3":                "a\ufffd",
		"\u202eevil":           "\ufffdevil",
		"a\u2028b":             "a\ufffdb",
		"a\u009bb":             "a\ufffdb",
		"\U000e0041":           "\ufffd",
		"it was \ufffd before": "it was \ufffd before",
	} {
		if got := OneLine(text); got != want {
			t.Errorf("OneLine(%q) = %q, want %q", text, got, want)
		}
	}
}

// hostile reports whether r may do more on a screen than show itself. It is written from the Unicode categories, apart from unsafe.
func hostile(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control, unicode.Noncharacter_Code_Point) ||
		unicode.Is(unicode.Cf, r) && r >= 0xe0000 // tags
}

func TestEveryRune(t *testing.T) {
	for r := range rune(unicode.MaxRune + 1) {
		if unassigned := r >= 0x40000 && r < 0xe0000 && r&0xffff < 0xfff0; unassigned || !utf8.ValidRune(r) {
			continue
		}
		s := "a" + string(r) + "b"
		line, text, topic := OneLine(s), CleanText(Text, s), CleanText(Topic, s)
		if !hostile(r) {
			if unicode.IsGraphic(r) && (line != s || text != s || topic != s) {
				t.Errorf("%U does not stay: %q, %q, %q", r, line, text, topic)
			}
			continue
		}
		for _, got := range []string{line, text, topic} {
			if strings.ContainsRune(got, r) && (got != text || r != '\n' && r != '\t') {
				t.Errorf("%U is left in %q", r, got)
			}
		}
	}
}

func FuzzOneLine(f *testing.F) {
	f.Add("a\x1b[2J\r\n\u202e\xff")
	f.Fuzz(func(t *testing.T, text string) {
		got := OneLine(text)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, hostile) {
			t.Fatalf("OneLine(%q) = %q", text, got)
		}
		if again := OneLine(got); again != got {
			t.Fatalf("OneLine(%q) = %q, then %q", text, got, again)
		}
	})
}

func FuzzCleanText(f *testing.F) {
	f.Add(uint8(Text), "a\x1b[2J\r\n\u202e")
	f.Add(uint8(Topic), "a\nb")
	f.Fuzz(func(t *testing.T, k uint8, text string) {
		kind := Kind(k)
		got := CleanText(kind, text)
		harmless := func(r rune) bool { return kind != Topic && (r == '\n' || r == '\t') }
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return hostile(r) && !harmless(r) }) {
			t.Fatalf("CleanText(%v, %q) = %q", kind, text, got)
		}
		if again := CleanText(kind, got); again != got {
			t.Fatalf("CleanText(%v, %q) = %q, then %q", kind, text, got, again)
		}
		if CheckText(kind, text) == OK && CheckText(kind, got) != OK {
			t.Fatalf("%q was good, clean as %q it is refused: %v", text, got, CheckText(kind, got))
		}
	})
}
