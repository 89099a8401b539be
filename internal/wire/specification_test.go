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
	hexOf := map[string]string{}
	for name, v := range readVectors(t) {
		hexOf[name] = v.Hex
	}
	for _, v := range readEntryVectors(t) {
		hexOf[v.Name] = v.Hex
	}
	shown := 0
	for _, m := range regexp.MustCompile("(?s)`([a-z0-9-]+)`[^\n]*\n+```hex\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		shown++
		if got, want := strings.Join(strings.Fields(m[2]), ""), hexOf[m[1]]; got != want {
			t.Errorf("%s is shown as\n%s\nwant\n%s", m[1], got, want)
		}
	}
	if blocks := strings.Count(string(text), "```hex"); shown != blocks || shown == 0 {
		t.Errorf("%d of %d blocks stand below the name of a vector", shown, blocks)
	}
}

// TestSpecificationSignsAnEntry holds what docs/protocol.md says of the entry that it shows to its vector.
func TestSpecificationSignsAnEntry(t *testing.T) {
	text, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := strings.Join(strings.Fields(string(text)), "")
	for _, v := range readEntryVectors(t) {
		if !strings.Contains(shown, v.Hex) {
			continue
		}
		for what, want := range map[string]string{"nonce": v.Nonce, "log": v.Log, "id": v.ID, "signature": v.Sig, "message": v.Message} {
			if !strings.Contains(shown, want) {
				t.Errorf("the %s of %s, %s, is not shown", what, v.Name, want)
			}
		}
		return
	}
	t.Error("no entry is shown")
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
