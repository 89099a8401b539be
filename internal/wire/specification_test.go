package wire

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"chatnode/internal/chat"
)

// TestSpecificationShowsVectors holds every hexadecimal block of the worked example in docs/protocol.md to a vector.
func TestSpecificationShowsVectors(t *testing.T) {
	text, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	vectors := readVectors(t)
	shown := 0
	for _, m := range regexp.MustCompile("(?s)`([a-z0-9-]+)`[^\n]*\n+```hex\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		shown++
		if got, want := strings.Join(strings.Fields(m[2]), ""), vectors[m[1]].Hex; got != want {
			t.Errorf("%s is shown as\n%s\nwant\n%s", m[1], got, want)
		}
	}
	if blocks := strings.Count(string(text), "```hex"); shown != blocks || shown == 0 {
		t.Errorf("%d of %d blocks stand below the name of a vector", shown, blocks)
	}
}

// TestSpecificationListsCodes holds the table of codes in docs/protocol.md to the numbers in use.
func TestSpecificationListsCodes(t *testing.T) {
	text, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 100 {
		code := chat.Code(n)
		if known := !strings.HasPrefix(code.String(), "code-"); known && !strings.Contains(string(text), fmt.Sprintf("\n| %d | %s | ", n, code)) {
			t.Errorf("code %d, %s, is not in the table", n, code)
		}
	}
}
