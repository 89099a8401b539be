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
		"blank Braille":          {Text, "\u2800\u2800", Empty},
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
		"accents bounded":   {Text, "e\u0301\u0302\u0303\u0304\u0305\u0306x\u0301", "e\u0301\u0302\u0303\u0304x\u0301"},
		"enclosing bounded": {Text, "1" + strings.Repeat("\u20dd", 9), "1" + strings.Repeat("\u20dd", maxAbove)},
		"through joiners":   {Text, "e" + strings.Repeat("\u0301\u200d", 9) + "x", "e\u0301\u200d\u0301\u200d\u0301\u0301x"},
		"marks on nothing":  {Text, strings.Repeat("\u0301", 9) + "\n" + strings.Repeat("\u0301", 9), "\u0301\u0301\u0301\u0301\n\u0301\u0301\u0301\u0301"},
		"vowel signs":       {Text, "क" + strings.Repeat("\u093e", 20), "क" + strings.Repeat("\u093e", maxMarks)},
		"Hangul leads":      {Text, strings.Repeat("ᄀ", 1000) + "\u1161", "ᄀᄀ\u1161"},
		"Hangul finals":     {Text, "ᄀ" + strings.Repeat("\u11a8", 20), "ᄀ" + strings.Repeat("\u11a8", maxAbove)},
		"selectors":         {Text, "a" + strings.Repeat("\ufe0f\U000e0100", 9) + "b", "a\ufe0f\U000e0100b"},
		"zero width":        {Text, "a" + strings.Repeat("\u200b", 9) + "b" + strings.Repeat("\u200c", 9) + "c", "a\u200b\u200bb\u200c\u200cc"},
		"soft hyphens":      {Text, "a" + strings.Repeat("\u00ad", 9), "a\u00ad\u00ad"},
		"a chain of faces":  {Text, strings.Repeat("👩\u200d", 10) + "👩", strings.Repeat("👩\u200d", maxJoined) + "👩" + strings.Repeat("👩\u200d", 10-maxJoined-1) + "👩"},
		"with skin tones":   {Text, strings.Repeat("👩🏽\u200d", 10) + "👩", strings.Repeat("👩🏽\u200d", maxJoined) + "👩🏽" + strings.Repeat("👩🏽\u200d", 10-maxJoined-1) + "👩"},
		"skin tones":        {Text, "👩" + strings.Repeat("🏽", 20), "👩" + strings.Repeat("🏽", maxMarks)},
		"not UTF-8":         {Text, "é\xff\xc3", "é\ufffd\ufffd"},
		"topic is one line": {Topic, "a\nb\tc\r\nd", "a b c d"},
	}
	for name, tt := range tests {
		if got := CleanText(tt.kind, tt.text); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// ordinary texts bear more on a character than English does, and pass as they are.
var ordinary = map[string]string{
	"family":           "👨\u200d👩\u200d👧\u200d👦",
	"kiss":             "👩🏽\u200d❤\ufe0f\u200d💋\u200d👨🏽",
	"heart on fire":    "❤\ufe0f\u200d🔥",
	"flags":            "🇩🇪🇯🇵🇺🇦",
	"rainbow flag":     "🏳\ufe0f\u200d🌈",
	"key cap":          "1\ufe0f\u20e3",
	"palette":          "🏻🏼🏽🏾🏿",
	"Persian":          "می\u200cخواهم نمی\u200cدانم",
	"Arabic":           "بِسْمِ ٱللَّهِ ٱلرَّحْمَٰنِ",
	"Hebrew, accented": "בְּרֵאשִׁ֖ית בָּרָ֣א אֱלֹהִ֑ים",
	"Hindi":            "क्षत्रिय र्\u200dक हिन्दी",
	"Malayalam":        "അവന്\u200d ന്\u200dറെ",
	"Sinhala":          "ශ්\u200dරී ලංකා",
	"Tamil":            "தமிழ் ஸ்ரீ",
	"Thai":             "น้ำผึ้งที่นี่",
	"Lao":              "ຫຼິ້ນ",
	"Burmese":          "ကြွေးကြော်သံ",
	"Khmer":            "ស្ត្រី ភ្នំពេញ",
	"Tibetan":          "བསྒྲུབས་ འགྲོ",
	"Hangul, apart":    strings.Repeat("\u1112\u1161\u11ab\u1100\u1173\u11af\u1100\u1161", 9),
	"Vietnamese, NFD":  "Vie\u0323\u0302t Nam",
	"Mongolian":        "ᠮᠣᠩᠭᠣᠯ ᠤᠨ\u180b",
	"phonetics":        "tʰɔ̃̀ːŋ",
	"ideograph":        "葛\U000e0100飾区",
	"mathematics":      "x̂̇ ≠ y⃗",
}

func TestOrdinaryTextsPass(t *testing.T) {
	for name, text := range ordinary {
		if got := CleanText(Text, text); got != text {
			t.Errorf("%s: %+q is cleaned to %+q", name, text, got)
		}
		if got := OneLine(text); got != text {
			t.Errorf("%s: %+q becomes the line %+q", name, text, got)
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
		"\x1b" + strings.Repeat("\u0301", 9) + "\n" + strings.Repeat("\u0301", 9) + "\t" + strings.Repeat("\u0301", 9): "\ufffd\u0301\u0301\u0301\u0301\\n\u0301\u0301\u0301\u0301    \u0301\u0301\u0301\u0301",
		strings.Repeat("é\u0301\u0301\u0301\u0301\u0301", 2):                                                           strings.Repeat("é\u0301\u0301\u0301\u0301", 2),
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

// heaped reports whether more stands on a character of text than a character can bear. It is written from the Unicode categories, apart
// from cluster.
func heaped(text string) bool {
	above, unseen := 0, 0
	for _, r := range text {
		switch {
		case unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
			unseen++
		case unicode.In(r, unicode.Mn, unicode.Me) || r >= 0x1160 && r <= 0x11ff || r >= 0xd7b0 && r <= 0xd7ff:
			above++
		case !unicode.Is(unicode.Mc, r) && (r < 0x1f3fb || r > 0x1f3ff):
			above, unseen = 0, 0
		}
		if above > 4 || unseen > 2 {
			return true
		}
	}
	return false
}

func TestEveryRune(t *testing.T) {
	for r := range rune(unicode.MaxRune + 1) {
		if alone := !unicode.In(r, unicode.M, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) &&
			(r < 0x1160 || r > 0x11ff) && (r < 0xd7b0 || r > 0xd7ff) && (r < 0x1f3fb || r > 0x1f3ff); (classOf(r) == base) != alone {
			t.Errorf("classOf(%U) = %v", r, classOf(r))
		}
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
		if !utf8.ValidString(got) || strings.ContainsFunc(got, hostile) || heaped(got) {
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
	f.Add(uint8(Text), "e"+strings.Repeat("\u0301\u200d", 9))
	f.Add(uint8(Text), strings.Repeat("👩🏽\u200d", 9))
	f.Fuzz(func(t *testing.T, k uint8, text string) {
		kind := Kind(k)
		got := CleanText(kind, text)
		harmless := func(r rune) bool { return kind != Topic && (r == '\n' || r == '\t') }
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return hostile(r) && !harmless(r) }) || heaped(got) {
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

func BenchmarkCleanText(b *testing.B) {
	for name, text := range texts {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				CleanText(Text, text)
			}
		})
	}
}

func BenchmarkCheckBody(b *testing.B) {
	for name, text := range texts {
		body := []byte(text)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				CheckBody(Text, body)
			}
		})
	}
}

// texts are what people say, about 100 bytes each, and what they should not.
var texts = map[string]string{
	"ASCII": strings.Repeat("the pump in hall 7 is down. ", 4)[:100],
	"mixed": "Grüße aus Zürich! 日本語のテキスト and Привет, как дела? हिन्दी 👨\u200d👩\u200d👧 ok",
	"heap":  "e" + strings.Repeat("\u0301", MaxText/2-1),
}

// TestCleaningTakesNoMemory: what is clean is not copied.
func TestCleaningTakesNoMemory(t *testing.T) {
	for _, name := range []string{"ASCII", "mixed"} {
		text := texts[name]
		if n := testing.AllocsPerRun(10, func() { CleanText(Text, text); OneLine(text) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
