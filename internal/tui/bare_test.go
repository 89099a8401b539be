package tui

import (
	"context"
	"io"
	"strings"
	"testing"
)

// The bare view ends with Enter, with its terminal, and with the program.
func TestTheBareViewEnds(t *testing.T) {
	until, end := context.WithCancel(t.Context())
	defer end()
	silent, keys := io.Pipe()
	defer keys.Close()
	for name, c := range map[string]struct {
		in    io.Reader
		ended bool
		fails bool
	}{
		"Enter":       {strings.NewReader("\nx"), false, false},
		"no terminal": {strings.NewReader(""), false, true},
		"the program": {silent, true, false},
	} {
		var out strings.Builder
		b := &bareView{until: t.Context(), text: "what is said"}
		if c.ended {
			b.until = until
			end()
		}
		b.SetStdin(c.in)
		b.SetStdout(&out)
		if err := b.Run(); (err != nil) != c.fails || strings.TrimSuffix(out.String(), "\n") != b.text {
			t.Errorf("%s: error %v, printed %q", name, err, out.String())
		}
	}
}
