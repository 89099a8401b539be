package tui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/command"
)

// crowd is a source of people and rooms.
type crowd struct{ people, rooms []string }

func (c crowd) People() []string { return c.people }
func (c crowd) Rooms() []string  { return c.rooms }

var here = crowd{people: []string{"carol", "carla", "bob", "zoé", "zoë"}, rooms: []string{"ops", "lunch", "@bob"}}

// inStead has a few candidates for a test, which change no more than it does.
func inStead(t testing.TB, complete func(line string, at int, s command.Source) command.Completion) {
	t.Helper()
	old := completeLine
	t.Cleanup(func() { completeLine = old })
	completeLine = complete
}

// few completes a few commands, the rooms behind /join, and people.
func few(line string, at int, s command.Source) (c command.Completion) {
	c.From, c.To = strings.LastIndexAny(line[:at], " \n")+1, at
	word := line[c.From:at]
	add := func(text string) {
		if len(text) >= len(word) && strings.EqualFold(text[:len(word)], word) {
			c.Candidates = append(c.Candidates, command.Candidate{Text: text, Help: "help of " + text})
		}
	}
	switch {
	case c.From == 0 && strings.HasPrefix(word, "/"):
		for _, name := range []string{"join", "list", "me", "msg", "names", "nick"} {
			add("/" + name + " ")
		}
	case strings.HasPrefix(line, "/join "):
		for _, room := range s.Rooms() {
			add("#" + room + " ")
		}
	default:
		for _, name := range s.People() {
			if c.From == 0 {
				name += ":"
			}
			add(name + " ")
		}
	}
	return c
}

// tab presses keys as the program does: Tab and Shift-Tab complete, and after each key there may be a suggestion.
func tab(t testing.TB, in *input, s crowd, keys ...string) {
	t.Helper()
	for _, key := range keys {
		switch key {
		case "tab", "shift+tab":
			in.complete(s, key == "shift+tab")
		default:
			press(t, in, key)
		}
		in.suggest(s)
	}
}

// candidatesOf returns what stands in the popup, the chosen one in brackets.
func candidatesOf(in *input) string {
	var all []string
	for _, line := range in.popup(80, 100) {
		text := strings.TrimSpace(line.text)
		if line.selected {
			text = "[" + text + "]"
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

func TestComplete(t *testing.T) {
	inStead(t, few)
	const all = "/join /list /me /msg /names /nick"
	tests := map[string]struct {
		text  string
		keys  []string
		want  string
		popup string
	}{
		"opens by itself":           {"|", []string{"'/"}, "/|", all},
		"narrows":                   {"|", []string{"'/", "'n"}, "/n|", "/names /nick"},
		"widens":                    {"|", []string{"'/", "'n", "backspace"}, "/|", all},
		"closes with no candidate":  {"|", []string{"'/", "'x"}, "/x|", ""},
		"closes with the slash":     {"|", []string{"'/", "backspace"}, "|", ""},
		"stays away from a text":    {"|", []string{"'carol"}, "carol|", ""},
		"stays away from //":        {"|", []string{"'/", "'/"}, "//|", ""},
		"goes on to what follows":   {"|", []string{"'/join", "' "}, "/join |", "#ops #lunch #@bob"},
		"stays for the next":        {"|", []string{"'/join", "' #ops "}, "/join #ops |", "#ops #lunch #@bob"},
		"esc closes it":             {"|", []string{"'/", "esc"}, "/|", ""},
		"esc closes it for long":    {"|", []string{"'/", "esc", "'n"}, "/n|", ""},
		"tab opens it again":        {"|", []string{"'/", "esc", "'n", "tab"}, "/names |", "[/names] /nick"},
		"a new line opens it again": {"|", []string{"'/", "esc", "backspace", "'/"}, "/|", all},

		"the only one":             {"|", []string{"'/j", "tab"}, "/join |", "#ops #lunch #@bob"},
		"the only one of a text":   {"|", []string{"'hi b", "tab"}, "hi bob |", ""},
		"at the beginning":         {"b|", []string{"tab"}, "bob: |", ""},
		"as much as all have":      {"c|", []string{"tab"}, "car|", "carol: carla:"},
		"then the first":           {"c|", []string{"tab", "tab"}, "carol: |", "[carol:] carla:"},
		"then the second":          {"c|", []string{"tab", "tab", "tab"}, "carla: |", "carol: [carla:]"},
		"then the first again":     {"c|", []string{"tab", "tab", "tab", "tab"}, "carol: |", "[carol:] carla:"},
		"backwards":                {"c|", []string{"shift+tab"}, "carla: |", "carol: [carla:]"},
		"back and forth":           {"c|", []string{"tab", "tab", "tab", "shift+tab"}, "carol: |", "[carol:] carla:"},
		"back over the first":      {"c|", []string{"tab", "tab", "shift+tab"}, "carla: |", "carol: [carla:]"},
		"typing goes on":           {"c|", []string{"tab", "tab", "'hi"}, "carol: hi|", ""},
		"typing goes on, narrower": {"|", []string{"'/n", "tab", "'i"}, "/names i|", ""},
		"and again":                {"c|", []string{"tab", "tab", "'b", "tab"}, "carol: bob |", ""},
		"in other case":            {"hi CA|", []string{"tab"}, "hi car|", "carol carla"},
		"in between":               {"hi b| there", []string{"tab"}, "hi bob | there", ""},
		"in a second line":         {"hi\nb|", []string{"tab"}, "hi\nbob |", ""},
		"nothing fits":             {"x|", []string{"tab", "tab", "shift+tab"}, "x|", ""},
		"nothing to go by":         {"|", []string{"tab"}, "carol: |", "[carol:] carla: bob: zoé: zoë:"},
		"letters with accents":     {"hi z|", []string{"tab"}, "hi zo|", "zoé zoë"},
		"undone":                   {"|", []string{"'hi b", "tab", "ctrl+_"}, "hi b|", ""},
		"ends a search":            {"hi b|", []string{"ctrl+r", "tab"}, "hi bob |", ""},
	}
	for name, tt := range tests {
		in := inputOf(t, tt.text)
		tab(t, in, here, tt.keys...)
		if _, on := in.searching(); on {
			t.Errorf("%s: a search goes on", name)
		}
		if withCursor(in) != tt.want || candidatesOf(in) != tt.popup {
			t.Errorf("%s: %q with %q, want %q with %q", name, withCursor(in), candidatesOf(in), tt.want, tt.popup)
		}
	}
}

// TestSuggestNotForHistory: a command that ↑ brought back is complete, and no popup stands between it and the next ↑.
func TestSuggestNotForHistory(t *testing.T) {
	inStead(t, few)
	in := inputAfter("/join #o")
	if tab(t, in, here, "up"); candidatesOf(in) != "" {
		t.Errorf("↑ opens %q", candidatesOf(in))
	}
	if tab(t, in, here, "tab"); in.value() != "/join #ops " {
		t.Errorf("Tab makes it %q", in.value())
	}
	in = inputAfter("/join #ops")
	if tab(t, in, here, "ctrl+r", "'/"); candidatesOf(in) != "" {
		t.Errorf("a search opens %q", candidatesOf(in))
	}
}

// TestPopupGoesWithItsLine: what was sent, cleared, left or composed takes the popup with it.
func TestPopupGoesWithItsLine(t *testing.T) {
	inStead(t, few)
	for name, do := range map[string]func(in *input){
		"clear":  func(in *input) { in.clear() },
		"place":  func(in *input) { in.switchTo("#b") },
		"forget": func(in *input) { in.forget("") },
		"editor": func(in *input) { _ = in.composed(composed{text: "x"}) },
		"search": func(in *input) { in.handle(keyNamed(t, "ctrl+r")) },
	} {
		in := newInput()
		tab(t, in, here, "'/")
		if do(in); candidatesOf(in) != "" {
			t.Errorf("%s leaves %q", name, candidatesOf(in))
		}
		in.suggest(here)
		if candidatesOf(in) != "" {
			t.Errorf("%s opens %q", name, candidatesOf(in))
		}
	}
	in := newInput()
	if tab(t, in, here, "'/", "esc"); in.handle(keyNamed(t, "esc")) {
		t.Error("Esc closes what is closed")
	}
}

func TestPopupLines(t *testing.T) {
	inStead(t, few)
	in := newInput()
	tab(t, in, here, "'/")
	if got, want := in.popup(15, 2), []popupLine{{"/join ", "help o…", false}, {"/list ", "help o…", false}}; !cmp.Equal(got, want, cmp.AllowUnexported(popupLine{})) {
		t.Errorf("popup %v", got)
	}
	if got, want := in.popup(4, 1), []popupLine{{"/jo…", "", false}}; !cmp.Equal(got, want, cmp.AllowUnexported(popupLine{})) {
		t.Errorf("narrow popup %v", got)
	}
	for _, size := range [][2]int{{0, 3}, {-1, 3}, {10, 0}, {10, -1}} {
		if got := in.popup(size[0], size[1]); got != nil {
			t.Errorf("popup of %v: %v", size, got)
		}
	}
	for i, want := range []string{"[/join] /list", "/join [/list]", "/list [/me]", "/me [/msg]", "/msg [/names]", "/names [/nick]", "[/join] /list"} {
		in.complete(here, false)
		var got []string
		for _, line := range in.popup(80, 2) {
			if text := strings.TrimSpace(line.text); line.selected {
				got = append(got, "["+text+"]")
			} else {
				got = append(got, text)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("after %d: %q, want %q", i+1, got, want)
		}
	}
}

// TestCompleteHostile: what others are called can't do more than be called so.
func TestCompleteHostile(t *testing.T) {
	inStead(t, few)
	in := newInput()
	evil := crowd{people: []string{"x\x1b[2J\ny\u202e", "x" + strings.Repeat("\u0301", 100)}}
	tab(t, in, evil, "'x", "tab", "tab")
	for range 3 {
		for _, line := range in.popup(80, 5) {
			if chat.OneLine(line.text) != line.text || chat.OneLine(line.help) != line.help || chat.Width(line.text+"  "+line.help) > 80 {
				t.Errorf("the popup has %+v", line)
			}
		}
		checkInput(t, in, 10, 3)
		tab(t, in, evil, "tab")
	}
}

func TestCompleteBounds(t *testing.T) {
	inStead(t, few)
	in := inputOf(t, strings.Repeat("x", chat.MaxText-2)+" b|")
	if tab(t, in, here, "tab"); len(in.value()) != chat.MaxText || in.fault() == "" {
		t.Errorf("%d bytes; %q", len(in.value()), in.fault())
	}
	tab(t, in, here, "tab", "shift+tab", "tab")
	checkInput(t, in, 10, 3)

	inStead(t, func(string, int, command.Source) command.Completion {
		return command.Completion{From: 0, To: 2, Candidates: []command.Candidate{{Text: "carol "}, {Text: "carla "}}}
	})
	in = inputOf(t, "xy|")
	if tab(t, in, here, "tab"); in.value() != "carol " {
		t.Errorf("candidates that begin with something else make %q", in.value())
	}
	for _, c := range []command.Completion{{From: -5, To: 100}, {From: 3, To: 1}, {From: 1, To: 4}, {From: 100, To: 100}} {
		c.Candidates = []command.Candidate{{Text: "é"}, {Text: "\u0301"}, {Text: ""}}
		completeLine = func(string, int, command.Source) command.Completion { return c }
		in := inputOf(t, "a👨\u200d👩b|c")
		for range 5 {
			tab(t, in, here, "tab")
			checkInput(t, in, 10, 3)
		}
	}
}

// TestCompleteByTable: the whole way, with the commands that there are.
func TestCompleteByTable(t *testing.T) {
	for text, want := range map[string]string{"/jo|": "/join |", "/join #o|": "/join #ops |", "b|": "bob: |", "hi b|": "hi bob |", "//jo|": "//jo|", "/nosuch b|": "/nosuch b|"} {
		in := inputOf(t, text)
		if tab(t, in, here, "tab"); withCursor(in) != want {
			t.Errorf("%q becomes %q, want %q", text, withCursor(in), want)
		}
	}
	in := newInput()
	if tab(t, in, here, "'/jo"); candidatesOf(in) != "/join" {
		t.Errorf("the popup has %q", candidatesOf(in))
	}
}

func TestCommonPrefix(t *testing.T) {
	for want, texts := range map[string][]string{"": {}, "carol ": {"carol "}, "car": {"carol", "carla"}, "zo": {"zoe", "zoe\u0301"}, "z": {"zoe\u0301", "zoe"[:1], "zo"}, "x": {"x🇩🇪", "x🇩🇰"}} {
		var candidates []command.Candidate
		for _, text := range texts {
			candidates = append(candidates, command.Candidate{Text: text})
		}
		if got := commonPrefix(candidates); got != want {
			t.Errorf("%+q all begin with %+q, want %+q", texts, got, want)
		}
	}
}

func TestIsCommand(t *testing.T) {
	for line, want := range map[string]bool{"": false, "/": true, "/x": true, "//": false, "//x": false, " /x": false, "x/": false} {
		if isCommand(line) != want {
			t.Errorf("isCommand(%q) = %v", line, !want)
		}
	}
}

func TestCompleteMany(t *testing.T) {
	inStead(t, few)
	var many crowd
	for i := range 10000 {
		many.people = append(many.people, fmt.Sprintf("carol%d", i))
	}
	in := newInput()
	if tab(t, in, many, "'c", "tab"); in.value() != "carol" || len(in.popup(40, 8)) != 8 {
		t.Errorf("%q, %d lines", in.value(), len(in.popup(40, 8)))
	}
}
