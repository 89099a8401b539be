package chat

import (
	"slices"
	"strings"
	"testing"
)

func TestCharacters(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "",
		"carol":                             "c a r o l",
		"Zoe\u0308!":                        "Z o e\u0308 !",
		"ab👨\u200d👩\u200d👧c":                "a b 👨\u200d👩\u200d👧 c",
		"🇩🇪🇯🇵🇩":                             "🇩🇪 🇯🇵 🇩",
		"👍🏽1\ufe0f\u20e3":                   "👍🏽 1\ufe0f\u20e3",
		"小林":                                "小 林",
		"ᄒ\u1161\u11abᄀ":                    "ᄒ\u1161\u11ab ᄀ",
		"กำ":                                "กำ",
		"a\nb\t\u0301":                      "a \n b \t \u0301",
		"a\xffb":                            "a \xff b",
		"की":                                "की",
		strings.Repeat("e\u0301", 3) + "\r": "e\u0301 e\u0301 e\u0301 \r",
	} {
		var got []string
		columns := 0
		for char, wide := range Characters(text) {
			got = append(got, char)
			columns += wide
		}
		if !slices.Equal(got, slices.DeleteFunc(strings.Split(want, " "), func(s string) bool { return s == "" })) {
			t.Errorf("%+q has the characters %+q", text, got)
		}
		if !strings.ContainsAny(text, "\n\t\r") && columns != Width(text) {
			t.Errorf("%+q has %d columns, its characters %d", text, Width(text), columns)
		}
	}
}

func TestCharactersEnd(t *testing.T) {
	for char := range Characters("abc") {
		if char != "a" {
			t.Fatalf("after the end comes %q", char)
		}
		break
	}
}

func FuzzCharacters(f *testing.F) {
	f.Add("ab👨\u200d👩\u200d👧小e\u0301")
	f.Add("🇩🇪🇯\u200d🇵")
	f.Fuzz(func(t *testing.T, text string) {
		text = OneLine(text)
		var all strings.Builder
		columns := 0
		for char, wide := range Characters(text) {
			all.WriteString(char)
			columns += wide
		}
		if all.String() != text || columns != Width(text) {
			t.Fatalf("%+q: %+q of %d columns, not %d", text, all.String(), columns, Width(text))
		}
	})
}

func BenchmarkCharacters(b *testing.B) {
	for name, text := range map[string]string{"plain": strings.Repeat("good morning ", 600), "CJK": strings.Repeat("小林", 1300)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				for range Characters(text) {
				}
			}
		})
	}
}
