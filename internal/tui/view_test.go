package tui

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
)

// What is said for a moment is said in full, on however narrow a screen: a key's id is longer than many are wide.
func TestWordsAreWrapped(t *testing.T) {
	id := "cn1-" + strings.Repeat("abcdefgh-", 8)
	for name, c := range map[string]struct {
		text  string
		width int
		want  []string
	}{
		"empty":            {"", 5, []string{""}},
		"fits":             {"a b", 5, []string{"a b"}},
		"at spaces":        {"one two  three", 8, []string{"one two", "three"}},
		"a long word":      {"message", 5, []string{"messa", "ge"}},
		"between":          {"a message b", 5, []string{"a", "messa", "ge b"}},
		"no column":        {"ab", 0, []string{"a", "b"}},
		"wide characters":  {"日本語", 4, []string{"日本", "語"}},
		"as wide as it is": {id, 40, []string{id[:40], id[40:]}},
	} {
		got := wrapWords(c.text, c.width)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		for _, line := range got {
			if chat.Width(line) > max(1, c.width) {
				t.Errorf("%s: %q is wider than %d", name, line, c.width)
			}
		}
	}
}
