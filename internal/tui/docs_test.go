package tui

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/command"
)

// docs/usage.md has the table of commands and the table of keys.
func TestUsageTellsCommandsAndKeys(t *testing.T) {
	const path = "../../docs/usage.md"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := between(t, between(t, string(page), "commands", commandTable()), "keys", keyTable())
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(page)); diff != "" {
		t.Errorf("docs/usage.md (-code +page); go test ./internal/tui -update writes it:\n%s", diff)
	}
}

// between puts text between the marks of a part of a page.
func between(t *testing.T, page, part, text string) string {
	t.Helper()
	before, rest, begins := strings.Cut(page, "<!-- "+part+" -->\n")
	_, after, ends := strings.Cut(rest, "<!-- end -->")
	if !begins || !ends {
		t.Fatalf("the page has no part %q", part)
	}
	return before + "<!-- " + part + " -->\n" + text + "<!-- end -->" + after
}

func commandTable() string {
	var b strings.Builder
	b.WriteString("| command | |\n|---|---|\n")
	for _, c := range command.All() {
		also := ""
		if len(c.Aliases) > 0 {
			also = " (also `/" + strings.Join(c.Aliases, "`, `/") + "`)"
		}
		if c.Rights != command.Anyone {
			also += map[command.Rights]string{command.Moderator: " (moderators)", command.Owner: " (the room's owner)", command.Admin: " (admins)"}[c.Rights]
		}
		fmt.Fprintf(&b, "| `%s` | %s%s |\n", strings.ReplaceAll(c.Usage(), "|", `\|`), strings.ReplaceAll(c.Help, "|", `\|`), also)
	}
	return b.String()
}

func keyTable() string {
	var b strings.Builder
	titles, keys := Keys()
	for i, title := range titles {
		fmt.Fprintf(&b, "| %s | |\n|---|---|\n", title)
		for _, k := range keys[i] {
			fmt.Fprintf(&b, "| %s | %s |\n", k.Keys, k.Help)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// Every key of the table does something, and none does two things.
func TestEveryKeyIsBound(t *testing.T) {
	seen := map[string]string{}
	for _, g := range table() {
		for _, b := range g.list {
			for key, do := range b.do {
				if do == nil || byKey[key] == nil {
					t.Errorf("%s does nothing", key)
				}
				if other := seen[key]; other != "" {
					t.Errorf("%s is %q and %q", key, other, b.Help)
				}
				seen[key] = b.Help
			}
		}
	}
}
