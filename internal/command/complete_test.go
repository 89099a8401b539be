package command

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"chatnode/internal/chat"
	"chatnode/internal/screen"

	"github.com/google/go-cmp/cmp"
)

// here is a Source.
type here struct{ people, rooms []string }

func (h here) People() []string { return h.people }
func (h here) Rooms() []string  { return h.rooms }

var team = here{
	people: []string{"carol", "bob", "Carla", "carol~7q2f", "Zoë", "саша", "bobby", "evil\x1b[2J", "a b", "carol"},
	rooms:  []string{"ops", "@bob", "lobby", "opera", "@carol"},
}

// texts returns what a completion puts into the line.
func texts(c Completion) []string {
	var out []string
	for _, candidate := range c.Candidates {
		out = append(out, candidate.Text)
	}
	return out
}

// The cursor stands at the bar.
func TestComplete(t *testing.T) {
	for line, want := range map[string][]string{
		// Commands.
		"/jo|":         {"/join "},
		"/J|":          {"/join "},
		"/m|":          {"/msg ", "/me ", "/mentions ", "/mute "},
		"/me|":         {"/me ", "/mentions "},
		"/channels|":   {"/channels "}, // an alias, as no name begins so
		"/l|":          {"/list "},
		"/ch|":         {"/channels "},
		"/xyz|":        nil,
		"/join|ops":    {"/join "},
		"/he ops|":     nil,
		"//jo|":        nil,
		" /jo|":        nil,
		"/help jo|":    {"join "},
		"/help /jo|":   {"join "},
		"/? wi|":       {"wi "},
		"/help join |": nil,
		// Persons.
		"/whois ca|":       {"carol ", "Carla ", "carol~7q2f "},
		"/whois @ca|":      {"@carol ", "@Carla ", "@carol~7q2f "},
		"/whois carol|":    {"carol ", "carol~7q2f "},
		"/whois BOBB|":     {"bobby "},
		"/whois bob|":      {"bob ", "bobby "},
		"/wi |":            {"carol ", "bob ", "Carla ", "carol~7q2f ", "Zoë ", "саша ", "bobby "},
		"/whois zoe|":      {"Zoë "},
		"/whois cаrl|":     {"Carla "}, // with a Cyrillic а
		"/whois evil|":     nil,
		"/whois a|":        nil,
		"/whois bob ca|":   nil,
		"/whois #op|":      nil,
		"/msg #op|":        {"#ops ", "#opera "},
		"/msg bob @ca|":    {"@carol ", "@Carla ", "@carol~7q2f "},
		"/msg bob |":       nil,
		"/msg bob hi Zo|":  {"Zoë "},
		"/query bo|":       {"bob ", "bobby "},
		"/query bob ca|":   {"carol ", "Carla ", "carol~7q2f "},
		"/nick ca|":        nil,
		"/release bobb|":   {"bobby "},
		"/me hugs bob|":    {"bob ", "bobby "},
		"/reply bobb|":     {"bobby "},
		"/away with bobb|": {"bobby "},
		// Rooms.
		"/join |":        {"#ops ", "#lobby ", "#opera ", "@bob ", "@carol "},
		"/join op|":      {"#ops ", "#opera "},
		"/join #OP|":     {"#ops ", "#opera "},
		"/join #ops|":    {"#ops "},
		"/join bo|":      {"@bob "},
		"/join @bo|":     {"@bob ", "@bobby "},
		"/join ops op|":  nil,
		"/part lob|":     {"#lobby "},
		"/b lob|":        {"#lobby "},
		"/close @ca|":    {"@carol ", "@Carla ", "@carol~7q2f "},
		"/list op|":      nil,
		"/quit |":        nil,
		"/nowhere op|":   nil,
		"/names op| tea": {"#ops ", "#opera "},
		// Grammars.
		"/history |":              {"before ", "since ", "causal "},
		"/history causal op|":     {"#ops ", "#opera "},
		"/peers |":                {"admit ", "guest ", "drop "},
		"/peers d|":               {"drop "},
		"/peers drop |":           nil,
		"/history b|":             {"before "},
		"/history 20 |":           {"before ", "since ", "causal "},
		"/history before |":       nil,
		"/history before 7 |":     {"since ", "causal "},
		"/search |":               nil,
		"/search deploy |":        {"in ", "from "},
		"/search deploy i|":       {"in "},
		"/search deploy in |":     {"#ops ", "#lobby ", "#opera ", "@bob ", "@carol "},
		"/search deploy in op|":   {"#ops ", "#opera "},
		"/search from bo|":        {"bob ", "bobby "},
		"/search x in ops from|":  {"from "},
		"/search x in ops i|":     nil,
		"/search x in ops from |": {"carol ", "bob ", "Carla ", "carol~7q2f ", "Zoë ", "саша ", "bobby "},
		"/search bobb|":           {"bobby "},
		"/invite |":               {"uses ", "for ", "node ", "#ops ", "#lobby ", "#opera "},
		"/invite op|":             {"#ops ", "#opera "},
		"/invite uses |":          nil,
		"/invite @ca|":            {"@carol ", "@Carla ", "@carol~7q2f "},
		"/invite uses @ca|":       nil,
		"/invite uses 3 f|":       {"for "},
		"/keep |":                 {"all ", "default "},
		"/keep d|":                {"default "},
		"/keep 90d |":             nil,
		"/notify |":               {"on ", "all ", "off "},
		"/notify o|":              {"on ", "off "},
		"/topic |":                nil,
		"/topic -|":               {"-delete "},
		"/topic the -|":           nil,
		"/topic ask bobb|":        {"bobby "},
		"/mentions |":             {"before "},
		// Talk.
		"|":             nil,
		"ca|":           {"carol: ", "Carla: ", "carol~7q2f: "},
		"Ca|":           {"carol: ", "Carla: ", "carol~7q2f: "},
		"hi ca|":        {"carol ", "Carla ", "carol~7q2f "},
		"hi |":          nil,
		"@ca|":          {"@carol ", "@Carla ", "@carol~7q2f "},
		"hi @|":         {"@carol ", "@bob ", "@Carla ", "@carol~7q2f ", "@Zoë ", "@саша ", "@bobby "},
		"see #op|":      {"#ops ", "#opera "},
		"#|":            {"#ops ", "#lobby ", "#opera "},
		"hi\nca|":       {"carol ", "Carla ", "carol~7q2f "},
		"a\u3000Zo|":    {"Zoë "},
		"са|":           {"саша: "},
		"nobody|":       nil,
		"...|":          nil,
		"\u200b|":       nil, // a skeleton of nothing is the beginning of everybody
		"\x00|":         nil,
		"\xff|":         nil,
		"bo|b says":     {"bob: ", "bobby: "},
		"ask bo| today": {"bob ", "bobby "},
	} {
		before, after, _ := strings.Cut(line, "|")
		got := Complete(before+after, len(before), team)
		if diff := cmp.Diff(want, texts(got)); diff != "" {
			t.Errorf("%s mismatch (-want +got):\n%s", line, diff)
		}
		checkCompletion(t, before+after, len(before), got)
	}
}

// What a candidate replaces is the word before the cursor, and the space behind it, which the candidate brings.
func TestCompletionReplaces(t *testing.T) {
	for line, want := range map[string]string{
		"/jo|":           "/join |",
		"/jo| ops":       "/join |ops",
		"/JO|in ops":     "/join |in ops",
		"ca|":            "carol: |",
		"ca| hi":         "carol: |hi",
		"ask ca|\nhi":    "ask carol |\nhi",
		"/join #op| ":    "/join #ops |",
		"é @zo| é":       "é @Zoë |é",
		"nobody| hi":     "nobody| hi",
		"/search x i|  ": "/search x in | ",
	} {
		before, after, _ := strings.Cut(line, "|")
		c := Complete(before+after, len(before), team)
		got := line
		if len(c.Candidates) > 0 {
			got = (before + after)[:c.From] + c.Candidates[0].Text + "|" + (before + after)[c.To:]
		} else if c.From != len(before) || c.To != len(before) {
			t.Errorf("%s: nothing replaces %d to %d", line, c.From, c.To)
		}
		if got != want {
			t.Errorf("%s becomes %s, want %s", line, got, want)
		}
	}
}

func TestCompleteExplains(t *testing.T) {
	for line, want := range map[string]Candidate{
		"/jo": {"/join ", byName[join].Help}, "/help jo": {"join ", byName[join].Help}, "/search x i": {"in ", "ROOM"}, "/keep al": {"all ", ""}, "ca": {"carol: ", ""},
	} {
		if got := Complete(line, len(line), team); len(got.Candidates) == 0 || got.Candidates[0] != want {
			t.Errorf("%q: %+v, want %+v", line, got, want)
		}
	}
}

// Wherever the cursor is said to be, and whoever is there.
func TestCompleteOfAnything(t *testing.T) {
	for _, line := range []string{"", "é", "/", "/ ", "/\xff", "ca", "\xe2\x82", "/join \xc3\xa9", strings.Repeat("x", 9000), "@" + strings.Repeat("é", 9000)} {
		for _, at := range []int{-1 << 60, -1, 0, 1, 2, 7, 8, len(line), len(line) + 1, 1 << 60} {
			checkCompletion(t, line, at, Complete(line, at, team))
			checkCompletion(t, line, at, Complete(line, at, nil))
		}
	}
	if got := Complete("caé", 3, team); got.From != 0 || got.To != 2 || len(got.Candidates) != 3 {
		t.Errorf("inside of a character it returns %+v, want what is before it completed", got)
	}
	if got := Complete("/", 1, nil); len(got.Candidates) != len(table) {
		t.Errorf("a slash has %d candidates, there are %d commands", len(got.Candidates), len(table))
	}
	var all here
	for _, a := range screen.Attacks {
		all.people, all.rooms = append(all.people, a.Text, "x"+a.Text), append(all.rooms, a.Text, "x"+a.Text, "@x"+a.Text)
	}
	for _, line := range []string{"x", "@", "#", "/join ", "/msg ", "/search a in ", "/search a from "} {
		checkCompletion(t, line, len(line), Complete(line, len(line), all))
	}
}

func TestCompleteIsBounded(t *testing.T) {
	all := here{}
	for i := range 1000 {
		all.people, all.rooms = append(all.people, fmt.Sprint("p", i)), append(all.rooms, fmt.Sprint("r", i))
	}
	for _, line := range []string{"p", "/msg ", "/join ", "#"} {
		if got := texts(Complete(line, len(line), all)); len(got) != maxCandidates || !strings.Contains(got[99], "99") {
			t.Errorf("%q has %d candidates, the last %q", line, len(got), got[len(got)-1])
		}
	}
	if got := texts(Complete("p999", 4, all)); len(got) != 1 || got[0] != "p999: " {
		t.Errorf("the last of them is not found: %q", got)
	}
}

// checkCompletion checks what holds of every completion.
func checkCompletion(t *testing.T, line string, at int, c Completion) {
	t.Helper()
	if c.From < 0 || c.From > c.To || c.To > len(line) || len(c.Candidates) > maxCandidates {
		t.Fatalf("%q at %d: %d candidates replace %d to %d", line, at, len(c.Candidates), c.From, c.To)
	}
	if len(c.Candidates) == 0 && c.From != c.To {
		t.Fatalf("%q at %d: nothing replaces %d to %d", line, at, c.From, c.To)
	}
	seen := map[string]bool{}
	for _, candidate := range c.Candidates {
		if after := line[:c.From] + candidate.Text + line[c.To:]; utf8.ValidString(line) && !utf8.ValidString(after) {
			t.Fatalf("%q at %d becomes %q", line, at, after)
		}
		if chat.OneLine(candidate.Text) != candidate.Text || chat.OneLine(candidate.Help) != candidate.Help || strings.ContainsFunc(candidate.Text, unicode.IsControl) {
			t.Fatalf("%q at %d: the candidate %q could drive a terminal", line, at, candidate)
		}
		if seen[candidate.Text] || !strings.HasSuffix(candidate.Text, " ") {
			t.Fatalf("%q at %d: the candidate %q is there twice, or ends at once", line, at, candidate)
		}
		seen[candidate.Text] = true
	}
}

func FuzzComplete(f *testing.F) {
	for _, line := range []string{"", "/", "/jo", "/msg bo", "/search a in o", "ca", "é @c", "\xff\xfe", "/\u3000x", "/help /", "hi\n#op"} {
		f.Add(line, len(line), "carol", "ops")
	}
	f.Fuzz(func(t *testing.T, line string, at int, person, room string) {
		s := here{append([]string{person}, team.people...), append([]string{room}, team.rooms...)}
		c := Complete(line, at, s)
		checkCompletion(t, line, at, c)
		// Whoever takes a command's name has typed it.
		if at := len(line); strings.HasPrefix(line, "/") && !strings.ContainsFunc(line, unicode.IsSpace) {
			for _, candidate := range Complete(line, at, s).Candidates {
				if _, known := Lookup(strings.TrimSpace(candidate.Text)); !known {
					t.Fatalf("%q: the candidate %q is no command", line, candidate.Text)
				}
			}
		}
	})
}

func BenchmarkComplete(b *testing.B) {
	all := here{}
	for i := range 500 {
		all.people, all.rooms = append(all.people, fmt.Sprint("person", i)), append(all.rooms, fmt.Sprint("room", i))
	}
	for _, line := range []string{"/", "person49", "/join room49", "nobody"} {
		b.Run(line, func(b *testing.B) {
			for b.Loop() {
				Complete(line, len(line), all)
			}
		})
	}
}

// A word of a text may be a name, and most are none: who asks for it is told so.
func TestCompleteTellsTalk(t *testing.T) {
	for line, want := range map[string]bool{"hi ca": true, "ca": true, "/me hi ca": true, "/msg bob ca": true, "/msg ca": false, "/jo": false, "/join o": false, "/search x fr": false} {
		if c := Complete(line, len(line), team); c.Talk != want {
			t.Errorf("%q: talk %v with %v", line, c.Talk, c.Candidates)
		}
	}
}
