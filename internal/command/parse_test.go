package command

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"chatnode/internal/chat"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for line, want := range map[string]Call{
		"":                        {Say, []string{""}},
		"hello":                   {Say, []string{"hello"}},
		" /quit":                  {Say, []string{" /quit"}},
		"//quit":                  {Say, []string{"/quit"}},
		"///":                     {Say, []string{"//"}},
		"//":                      {Say, []string{"/"}},
		"two\n/quit":              {Say, []string{"two\n/quit"}},
		"/quit":                   {"quit", nil},
		"/QuiT  ":                 {"quit", nil},
		"/q":                      {"quit", nil},
		"/help":                   {"help", nil},
		"/?":                      {"help", nil},
		"/help nick":              {"help", []string{"nick"}},
		"/nick carol":             {"nick", []string{"carol"}},
		"/nick Zoë":               {"nick", []string{"Zoë"}},
		"/msg bob hi":             {"msg", []string{"bob", "hi"}},
		"/msg @bob  hi  there ":   {"msg", []string{"bob", "hi  there"}},
		"/msg carol~7q2f hi":      {"msg", []string{"carol~7q2f", "hi"}},
		"/msg #Ops hi":            {"msg", []string{"#ops", "hi"}},
		"/msg bob /quit":          {"msg", []string{"bob", "/quit"}},
		"/msg bob one\ntwo":       {"msg", []string{"bob", "one\ntwo"}},
		"/me waves  both hands":   {"me", []string{"waves  both hands"}},
		"/me\twaves":              {"me", []string{"waves"}},
		"/join ops":               {"join", []string{"ops"}},
		"/J #OPS":                 {"join", []string{"ops"}},
		"/join @bob":              {"join", []string{"@bob"}},
		"/part":                   {"part", nil},
		"/leave #ops":             {"part", []string{"ops"}},
		"/names":                  {"names", nil},
		"/who ops":                {"names", []string{"ops"}},
		"/whois bob":              {"whois", []string{"bob"}},
		"/topic":                  {"topic", nil},
		"/t  the plan for today ": {"topic", []string{"the plan for today"}},
		"/list":                   {"list", nil},
		"/r  a  b ":               {"reply", []string{"a  b"}},
		"/query @bob":             {"query", []string{"bob"}},
		"/query bob one\ntwo":     {"query", []string{"bob", "one\ntwo"}},
		"/buf 2":                  {"buffer", []string{"2"}},
		"/close @Bob":             {"close", []string{"@Bob"}},
		"/channels":               {"list", nil},
	} {
		got, err := Parse(line)
		if err != nil {
			t.Errorf("Parse(%q): %v", line, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Parse(%q) mismatch (-want +got):\n%s", line, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for line, want := range map[string]Error{
		"/":                    {UnknownCommand, "alone is no command"},
		"/ quit":               {UnknownCommand, "alone is no command"},
		"/nikc bob":            {UnknownCommand, "did you mean /nick?"},
		"/jion ops":            {UnknownCommand, "did you mean /join?"},
		"/TOPICS":              {UnknownCommand, "did you mean /topic?"},
		"/xyzzy":               {UnknownCommand, "/help lists them"},
		"/usr/bin/env":         {UnknownCommand, "typed as //"},
		"/\x1b[2J":             {UnknownCommand, "�[2J"},
		"/\xff":                {UnknownCommand, "no command"},
		"/nick":                {BadUsage, "NAME is missing; usage: /nick NAME"},
		"/nick two words":      {BadUsage, "words is too much"},
		"/nick root":           {BadUsage, chat.NameRule},
		"/nick a/b":            {BadUsage, chat.NameRule},
		"/msg":                 {BadUsage, "NAME is missing"},
		"/msg @ hi":            {BadUsage, "NAME is missing"},
		"/msg bob":             {BadUsage, "TEXT is missing"},
		"/msg bob \n ":         {BadUsage, "TEXT is missing"},
		"/msg #-x hi":          {BadUsage, chat.RoomRule},
		"/me":                  {BadUsage, "TEXT is missing"},
		"/join":                {BadUsage, "ROOM is missing"},
		"/join a b":            {BadUsage, "b is too much"},
		"/join a,b":            {BadUsage, chat.RoomRule},
		"/join @":              {BadUsage, "ROOM is missing"},
		"/join #":              {BadUsage, chat.RoomRule},
		"/quit now":            {BadUsage, "now is too much; usage: /quit"},
		"/reply":               {BadUsage, "TEXT is missing; usage: /reply TEXT"},
		"/query":               {BadUsage, "NAME is missing"},
		"/buffer":              {BadUsage, "N is missing"},
		"/clear all":           {BadUsage, "all is too much"},
		"/list ops\nmore":      {BadUsage, `ops\nmore is too much`},
		"/whois \xff":          {BadUsage, "is not a name"},
		"/whois " + longWord(): {BadUsage, "…"},
	} {
		got, err := Parse(line)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("Parse(%q) = %v, %v, want an error", line, got, err)
			continue
		}
		if e.Reason != want.Reason || !strings.Contains(e.Error(), want.Text) {
			t.Errorf("Parse(%q): %s: %q, want %s: …%q…", line, e.Reason, e.Text, want.Reason, want.Text)
		}
		if got.Name != "" || got.Args != nil {
			t.Errorf("Parse(%q) returned a call beside its error: %v", line, got)
		}
	}
}

// longWord ends a sentence's limit in the middle of a character.
func longWord() string { return "x" + strings.Repeat("é", 100) }

func TestUnknownIsNotSuggestedFarAway(t *testing.T) {
	for _, line := range []string{"/x", "/zz", "/giraffe", "/" + strings.Repeat("quit", 1000)} {
		if _, err := Parse(line); err == nil || strings.Contains(err.Error(), "did you mean") {
			t.Errorf("Parse(%.20q): %v, want no suggestion", line, err)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"nick", "nick", 0}, {"nikc", "nick", 1}, {"nck", "nick", 1}, {"niick", "nick", 1}, {"mick", "nick", 1}, {"join", "quit", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := distance(c.b, c.a); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range []string{"", "/", "//", "/join #ops", "/msg bob hi", "/msg @bob a\nb", "/\xff", "/nick \x00", "/topic -delete", "/jion x", "/whois \x1b\xff" + longWord()} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		call, err := Parse(line)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Text == "" {
				t.Fatalf("%q: %v is not an *Error with a sentence", line, err)
			}
			if chat.OneLine(e.Text) != e.Text || !utf8.ValidString(e.Text) {
				t.Fatalf("%q: the sentence %q could drive a terminal", line, e.Text)
			}
			return
		}
		if call.Name == Say {
			if strings.HasPrefix(line, "/") && !strings.HasPrefix(line, "//") {
				t.Fatalf("%q became text", line)
			}
			if strings.TrimPrefix(line, "/") != call.Args[0] {
				t.Fatalf("%q became the text %q", line, call.Args[0])
			}
			return
		}
		entry, ok := Lookup(call.Name)
		if !ok || entry.Name != call.Name {
			t.Fatalf("%q: %q is not in the table", line, call.Name)
		}
		// What was understood means the same when it is typed as it was understood.
		again := "/" + call.Name
		for i, a := range call.Args {
			if a == "" || i >= len(entry.Args) {
				t.Fatalf("%q: argument %d of /%s is %q", line, i, call.Name, a)
			}
			again += " " + a
		}
		if second, err := Parse(again); err != nil || !cmp.Equal(call, second) {
			t.Fatalf("%q means %v, but %q means %v (%v)", line, call, again, second, err)
		}
	})
}

// TestOlderRoomsAreAskedFor: a room that was made when names could mix scripts is still within reach.
func TestOlderRoomsAreAskedFor(t *testing.T) {
	if call, err := Parse("/join #Ops-Лаб"); err != nil || call.Name != "join" {
		t.Errorf("/join: %+v, %v", call, err)
	}
	if q, err := parseSearch("tea in ops-лаб"); err != nil || q.Room != "ops-лаб" {
		t.Errorf("/search: %+v, %v", q, err)
	}
	if _, err := Parse("/join a\u202eb"); err == nil {
		t.Error("/join takes what can't be a room's name")
	}
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"x":                     "x",
		strings.Repeat("a", 40): strings.Repeat("a", 40),
		strings.Repeat("a", 41): strings.Repeat("a", 39) + "…",
		strings.Repeat("小", 99): strings.Repeat("小", 19) + "…",
		"\x1b[2J\n":             "\ufffd[2J\\n",
	} {
		if got := quote(text); got != want {
			t.Errorf("quote(%q) = %q, want %q", text, got, want)
		}
	}
}
