package screen

import (
	"slices"
	"strings"
	"testing"
)

// TestAttacksAttack: what the corpus holds does something to a terminal, or claims no more than to deceive.
func TestAttacksAttack(t *testing.T) {
	names := map[string]bool{}
	for _, a := range Attacks {
		if _, found := Read(a.Text); (len(found) == 0) != a.Tame {
			t.Errorf("%s: a terminal found %q", a.Name, found)
		}
		if names[a.Name] {
			t.Errorf("%s is there twice", a.Name)
		}
		names[a.Name] = true
	}
	for _, h := range Halves {
		if _, found := Read(h[0] + h[1]); len(found) == 0 {
			t.Errorf("%q and %q do nothing", h[0], h[1])
		}
	}
}

func TestTerminal(t *testing.T) {
	tests := map[string]struct {
		text  string
		lines []string
		found []string
	}{
		"nothing":            {"", nil, nil},
		"lines":              {"a\nb\n", []string{"a", "b"}, nil},
		"a line without end": {"a\n\nb", []string{"a", "", "b"}, nil},
		"good texts":         {"Zoë 小林 👨\u200d👩\u200d👧 می\u200cخواهم", []string{"Zoë 小林 👨\u200d👩\u200d👧 می\u200cخواهم"}, nil},
		"sequences":          {"\x1b[2J\x1b]52;c;AA\x07\x1bPq\x1b\\\x1bc", nil, []string{"CSI J", "OSC 52", "DCS q", "ESC \\", "ESC c"}},
		"C1":                 {"\u009b2J\x9b2J", nil, []string{"C1 0x9b", "CSI J", "broken byte 0x9b", "CSI J"}},
		"controls":           {"a\r\tb\x7f", []string{"ab"}, []string{"control 0xd", "control 0x9", "control 0x7f"}},
		"formats":            {"\u202e\u2028\U000e0041", []string{"\u202e\u2028\U000e0041"}, []string{"format U+202E", "format U+2028", "format U+E0041"}},
		"marks":              {"e" + strings.Repeat("\u0301", 4) + "x" + strings.Repeat("\u0301", 5), []string{"e" + strings.Repeat("\u0301", 4) + "x" + strings.Repeat("\u0301", 5)}, []string{"a heap of marks"}},
		"half a sequence":    {"a\x1b[3", []string{"a"}, []string{"half a sequence: CsiParamState"}},
		"half a character":   {"a\xe2\x80", []string{"a"}, []string{"half a character 0xe280"}},
	}
	for name, tt := range tests {
		whole, bytewise := New(), New()
		_, _ = whole.Write([]byte(tt.text))
		for i := range len(tt.text) {
			_, _ = bytewise.Write([]byte(tt.text[i : i+1]))
		}
		for _, got := range []*Terminal{whole, bytewise} {
			if !slices.Equal(got.Lines(), tt.lines) || !slices.Equal(got.Found(), tt.found) {
				t.Errorf("%s: lines %q, found %q; want %q, %q", name, got.Lines(), got.Found(), tt.lines, tt.found)
			}
		}
	}
}
