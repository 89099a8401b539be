package chat

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWidth(t *testing.T) {
	for text, want := range map[string]int{
		"":                          0,
		"carol":                     5,
		"Zoë":                       3,
		"Zoe\u0308":                 3,
		"小林":                        4,
		"ｃ":                         2,
		"ｱ":                         1,
		"민수":                        4,
		"ᄒ\u1161\u11ab":             2,
		"नीना":                      4,
		"שָׁלוֹם":                   4,
		"👍":                         2,
		"👍🏽":                        2,
		"👨\u200d👩\u200d👧\u200d👦":    2,
		"❤\ufe0f":                   2,
		"🇩🇪🇯🇵":                      4,
		"1\ufe0f\u20e3":             1, // as terminals draw it, whatever Unicode asks for
		"a\u200bb":                  2,
		"x…":                        2,
		"q\u0301\u0302\u0303\u0304": 1,
	} {
		if got := Width(text); got != want {
			t.Errorf("Width(%+q) = %d, want %d", text, got, want)
		}
	}
}

func TestTruncate(t *testing.T) {
	tests := map[string]struct {
		text    string
		columns int
		want    string
	}{
		"fits":              {"carol", 5, "carol"},
		"fits with marks":   {"Zoe\u0308", 3, "Zoe\u0308"},
		"one too long":      {"carol", 4, "car…"},
		"one column":        {"carol", 1, "…"},
		"none":              {"carol", 0, ""},
		"fewer than none":   {"carol", -1, ""},
		"empty":             {"", 3, ""},
		"wide":              {"小林小林", 5, "小林…"},
		"wide, odd":         {"小林小林", 4, "小…"},
		"wide in a column":  {"小", 1, "…"},
		"wide in two":       {"小", 2, "小"},
		"family stays":      {"ab👨\u200d👩\u200d👧", 4, "ab👨\u200d👩\u200d👧"},
		"family goes":       {"ab👨\u200d👩\u200d👧c", 4, "ab…"},
		"marks stay on it":  {"e\u0301e\u0301e\u0301", 2, "e\u0301…"},
		"flag is not split": {"🇩🇪🇯🇵", 3, "🇩🇪…"},
		"megabyte":          {strings.Repeat("é", 1<<20), 3, "éé…"},
		"not UTF-8":         {"\xff\xff\xff", 2, "\xff…"},
	}
	for name, tt := range tests {
		if got := Truncate(tt.text, tt.columns); got != tt.want {
			t.Errorf("%s: Truncate(%q, %d) = %q, want %q", name, tt.text, tt.columns, got, tt.want)
		}
	}
}

func FuzzTruncate(f *testing.F) {
	f.Add("ab👨\u200d👩\u200d👧小e\u0301", 4)
	f.Fuzz(func(t *testing.T, text string, columns int) {
		text = OneLine(text)
		got := Truncate(text, columns)
		switch {
		case !utf8.ValidString(got) || Width(got) > max(columns, 0):
			t.Fatalf("Truncate(%q, %d) = %q of %d columns", text, columns, got, Width(got))
		case got != text && columns > 0 && Width(text) <= columns:
			t.Fatalf("Truncate(%q, %d) = %q though all of it fits", text, columns, got)
		case got != text && columns > 0 && !strings.HasPrefix(text, strings.TrimSuffix(got, cut)):
			t.Fatalf("Truncate(%q, %d) = %q", text, columns, got)
		}
	})
}

func TestClusters(t *testing.T) {
	tests := map[string][]string{
		"":                              nil,
		"ab":                            {"a", "b"},
		"Zoe\u0308!":                    {"Z", "o", "e\u0308", "!"},
		"小a林":                           {"小", "a", "林"},
		"1\ufe0f\u20e3x":                {"1\ufe0f\u20e3", "x"},
		"a👨\u200d👩\u200d👧b":             {"a", "👨\u200d👩\u200d👧", "b"},
		"🇩🇪🇯🇵🇫":                         {"🇩🇪", "🇯🇵", "🇫"},
		"\u0301a":                       {"\u0301", "a"},
		"\u0600a":                       {"\u0600a"},
		"\r\na":                         {"\r\n", "a"},
		"\xffa\xff":                     {"\xff", "a", "\xff"},
		strings.Repeat("e\u0301", 1000): slices.Repeat([]string{"e\u0301"}, 1000),
	}
	for text, want := range tests {
		var got []string
		columns := 0
		for char, wide := range Clusters(text) {
			got = append(got, char)
			columns += wide
		}
		if !slices.Equal(got, want) || columns != Width(text) {
			t.Errorf("Clusters(%.60q) = %.60q in %d columns, want %.60q in %d", text, got, columns, want, Width(text))
		}
	}
	for char := range Clusters("ab") { // may be left
		if char == "a" {
			break
		}
	}
}
