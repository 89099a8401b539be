package command

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"chatnode/internal/chat"
)

func TestTableIsSound(t *testing.T) {
	seen := map[string]string{}
	for _, e := range All() {
		for _, name := range append([]string{e.Name}, e.Aliases...) {
			if other, ok := seen[name]; ok {
				t.Errorf("%s is both /%s and /%s", name, other, e.Name)
			}
			seen[name] = e.Name
			if strings.ToLower(name) != name || strings.ContainsFunc(name, unicode.IsSpace) || name == "" {
				t.Errorf("%q of /%s can't be typed", name, e.Name)
			}
			if got, ok := Lookup("/" + strings.ToUpper(name)); !ok || got.Name != e.Name {
				t.Errorf("Lookup(%q) = %q, %v, want %q", name, got.Name, ok, e.Name)
			}
		}
		if e.Help == "" || strings.HasSuffix(e.Help, ".") || strings.Contains(e.Help, "\n") {
			t.Errorf("/%s: help %q is not one line without a full stop", e.Name, e.Help)
		}
		for i, a := range e.Args {
			last := i == len(e.Args)-1
			if a.Optional && !last || a.Kind == Free && !last {
				t.Errorf("/%s: only the last argument can be optional or hold spaces", e.Name)
			}
			if a.Kind != Free && strings.ToUpper(a.Name) != a.Name {
				t.Errorf("/%s: argument %s is not in capitals", e.Name, a.Name)
			}
		}
	}
	for _, name := range []string{"help", "nick", "msg", "me", "join", "part", "names", "whois", "topic", "list", "history", "search", "keep", "invite", "release", "quit",
		"away", "back", "reply", "mentions", "query", "close", "notify", "resend", "clear", "buffer", "ignore", "unignore",
		"op", "deop", "kick", "ban", "unban", "banned", "mute", "unmute", "slow", "readonly", "pin", "unpin", "pins", "welcome", "archive", "private", "redact", "report", "peers", "stats"} {
		if seen[name] != name {
			t.Errorf("there is no /%s", name)
		}
	}
}

func TestAliasesOfIRC(t *testing.T) {
	for alias, want := range map[string]string{
		"j": "join", "leave": "part", "q": "quit", "exit": "quit", "who": "names", "t": "topic", "channels": "list", "r": "reply", "wc": "close", "b": "buffer", "buf": "buffer",
	} {
		if e, ok := Lookup(alias); !ok || e.Name != want {
			t.Errorf("/%s is /%s, want /%s", alias, e.Name, want)
		}
	}
}

func TestAllIsACopy(t *testing.T) {
	All()[0].Name = "mine"
	if !slices.ContainsFunc(All(), func(e Entry) bool { return e.Name == help }) {
		t.Error("the table was changed through All")
	}
}

func TestUsage(t *testing.T) {
	for name, want := range map[string]string{"msg": "/msg NAME TEXT", "part": "/part [ROOM]", "quit": "/quit", "help": "/help [COMMAND]",
		"history": "/history [N | before SEQ | since 2h | causal ROOM]", "search": "/search WORDS [in ROOM] [from NAME]", "keep": "/keep [90d 1GB | all | default]",
		"invite": "/invite [ROOM uses N for 24h | @NAME ROOM | node]", "peers": "/peers [admit WHO | guest WHO | drop WHO]", "release": "/release NAME",
		"query": "/query NAME [TEXT]", "buffer": "/buffer N | ROOM | @NAME", "notify": "/notify [on | all | off]"} {
		e, _ := Lookup(name)
		if got := e.Usage(); got != want {
			t.Errorf("usage of %s is %q, want %q", name, got, want)
		}
	}
}

func TestLabel(t *testing.T) {
	if a, b := Label("ops"), Label(chat.DirectMark+"bob"); a != "#ops" || b != "@bob" {
		t.Errorf("labels are %q and %q", a, b)
	}
}

// TestNamesFillColumns: wide names end a line as soon as they fill it, though each has few letters.
func TestNamesFillColumns(t *testing.T) {
	answer := NamesAnswer{Room: "lobby"}
	for range 12 {
		answer.People = append(answer.People, Who{Name: "山田小林"})
	}
	lines := answer.Lines(time.UTC)
	if len(lines) != 3 || chat.Width(lines[1]) > 80 || strings.Count(lines[1], "山田小林") != 8 {
		t.Errorf("lines of wide names: %q", lines)
	}
}
