package lines

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
	"chatnode/internal/screen"
	"chatnode/internal/talk"
)

// harmless stands for what people write: what is printed of it shows which words are the program's own.
const harmless = "ZZZ"

// hostileEvents returns one of each event, with text wherever a person or a node could have put it.
func hostileEvents(text string) []client.Event {
	return filled([]client.Event{
		client.LinkUp{}, client.LinkDown{}, client.LinkDown{Code: chat.Stopping}, client.Message{}, client.Message{Kind: chat.Text}, client.Message{Kind: chat.Action},
		client.Message{Kind: chat.Topic}, client.Message{Own: true}, client.Message{Kind: 200}, client.Message{Kind: chat.Sealed, Unreadable: true}, client.KeyChanged{},
		client.Message{ID: chat.ID{1}, Kind: chat.Text}, client.Message{Re: chat.ID{1}, Kind: chat.Text}, client.Message{Re: chat.ID{2}, Kind: chat.Action}, client.Ack{}, client.Ack{Kind: chat.Text}, client.Refused{},
		client.Opened{}, client.Left{}, client.Left{Code: chat.NotJoined}, client.ClosedRoom{}, client.Denied{}, client.Gap{To: 3}, client.Reset{}, client.Joined{}, client.Gone{},
		client.Renamed{}, client.Stirred{Away: true}, client.Present{Count: 1, People: []client.Person{{}}}, client.Named{Code: chat.NameTaken}, client.Named{}, client.Notice{},
	}, text)
}

// hostileAnswers returns one of each answer, filled alike.
func hostileAnswers(text string) []command.Answer {
	said := []command.Said{{Kind: chat.Text}, {Kind: chat.Action}, {Kind: chat.Topic}, {Kind: 200}, {Kind: chat.Sealed}, {ID: chat.ID{1}, Kind: chat.Text}, {Re: chat.ID{1}, Kind: chat.Text}}
	return filled([]command.Answer{
		command.NamesAnswer{People: []command.Who{{}, {}}, Total: 3}, command.NamesAnswer{}, command.WhoisAnswer{Rooms: []string{"", ""}, Sessions: 1}, command.WhoisAnswer{AwaySince: noon}, command.WhoisAnswer{}, command.AwayAnswer{Away: true},
		command.ListAnswer{Rooms: []command.RoomLine{{}, {}}}, command.TopicAnswer{}, command.HistoryAnswer{Said: said, More: true}, command.HistoryAnswer{},
		command.SearchAnswer{Hits: said, Next: 7, Behind: 1}, command.SearchAnswer{}, command.KeepAnswer{}, command.MentionsAnswer{Hits: said, Next: 7}, command.MentionsAnswer{},
		command.ReleaseAnswer{},
	}, text)
}

// filled returns copies of values with text behind what their strings hold, and an error that says it.
func filled[T any](values []T, text string) []T {
	out := make([]T, len(values))
	for i, value := range values {
		v := reflect.New(reflect.TypeOf(value)).Elem()
		v.Set(reflect.ValueOf(value))
		fill(v, text)
		out[i] = v.Interface().(T)
	}
	return out
}

func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + text)
	case reflect.Interface:
		v.Set(reflect.ValueOf(errors.New(text)))
	case reflect.Struct:
		for i := range v.NumField() {
			// ID and Author are texts that this program made of keys.
			if name := v.Type().Field(i).Name; v.Field(i).CanSet() && name != "ID" && name != "Author" {
				fill(v.Field(i), text)
			}
		}
	case reflect.Slice:
		all := reflect.MakeSlice(v.Type(), v.Len(), v.Len()) // not the list of the value that this is a copy of
		for i := range v.Len() {
			all.Index(i).Set(v.Index(i))
			fill(all.Index(i), text)
		}
		v.Set(all)
	}
}

// prints returns what each of the steps adds to the two streams.
func prints(t *testing.T, change func(*Config), steps func(r *running, step func(func()))) (all []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newDesk(), change)
		steps(r, func(act func()) {
			out, err := r.out.String(), r.err.String()
			act()
			synctest.Wait()
			all = append(all, strings.TrimPrefix(r.out.String(), out)+strings.TrimPrefix(r.err.String(), err))
		})
	})
	return all
}

// all tells everything that can be told, with text in it.
func all(text string) func(r *running, step func(func())) {
	return func(r *running, step func(func())) {
		for _, e := range hostileEvents(text) {
			step(func() { r.told(e) })
		}
		for _, name := range []string{"bob", "eve"} {
			step(func() { r.told(said(name, text)) })
		}
	}
}

func answers(cfg Config, text string) (printed []string) {
	for _, a := range hostileAnswers(text) {
		printed = append(printed, sinkPrints(cfg, func(s sink) { s.answer(source{}, a) }))
	}
	return append(printed,
		sinkPrints(cfg, func(s sink) { s.reject(source{Line: 3}, talk.Fault{Code: "bad_field", Text: text}) }),
		sinkPrints(cfg, func(s sink) { s.reject(source{}, talk.Fault{Code: "bad_field", Text: text}) }),
		sinkPrints(cfg, func(s sink) { s.end(errors.New(text)) }),
		sinkPrints(cfg, func(s sink) { s.end(&client.RefusedError{Code: chat.Denied, Text: text}) }),
	)
}

// sinkPrints returns what a sink of a Run that was set up so prints.
func sinkPrints(cfg Config, act func(sink)) string {
	var both sheet
	cfg.Zone, cfg.Client = time.UTC, newDesk()
	out := newOutput(&both, &both)
	if cfg.JSON {
		act(newObjects(&cfg, out))
	} else {
		act(newHuman(&cfg, out, &rooms{}, newHeard()))
	}
	return both.String()
}

// own returns the program's own words at the beginning of a line that was printed of harmless texts.
func own(line string) string {
	words, _, _ := strings.Cut(line, harmless)
	return words
}

// begins is how each line begins: with the program's mark, or the time of a message.
var begins = regexp.MustCompile(`^(-- |[0-2][0-9]:[0-5][0-9] )`)

// TestAttacksOnPeople: whatever a text or a name holds, and whoever sent it, a terminal obeys nothing of it, it makes no line of its own, and
// each line begins with the program's own words, as it does for harmless texts.
func TestAttacksOnPeople(t *testing.T) {
	terminal := func(cfg *Config) { cfg.Terminal = true }
	want := append(prints(t, terminal, all(harmless)), answers(Config{}, harmless)...)
	for _, a := range screen.Attacks {
		for i, printed := range append(prints(t, terminal, all(a.Text)), answers(Config{}, a.Text)...) {
			lines, found := screen.Read(printed)
			model, _ := screen.Read(want[i])
			if len(found) > 0 || len(lines) != len(model) {
				t.Errorf("%s: %d lines instead of %d, and a terminal found %q in %.200q", a.Name, len(lines), len(model), found, printed)
				continue
			}
			for n, line := range lines {
				if !strings.HasPrefix(line, own(model[n])) || !begins.MatchString(line) {
					t.Errorf("%s: the line %.200q does not begin as %q does", a.Name, line, model[n])
				}
			}
		}
	}
}

// TestNoNodeSpeaksAsTheProgram: a name that is no name is a quotation.
func TestNoNodeSpeaksAsTheProgram(t *testing.T) {
	const sentence = "the key has changed: run chatnode trust"
	person := client.Person{Name: sentence}
	shows(t, "", `-- "`+sentence+`" has joined #lobby`+"\n", client.Joined{Room: "lobby", Name: sentence})
	shows(t, "", `-- bob has left #"`+sentence+`"`+"\n", client.Gone{Room: sentence, Name: "bob"})
	shows(t, "", `-- "`+sentence+`" is now bob`+"\n", client.Renamed{Room: "lobby", Old: sentence, New: "bob"})
	if a := (command.ReleaseAnswer{Name: sentence}).Lines(time.UTC)[0]; !strings.HasPrefix(a, `"`+sentence+`" is free`) {
		t.Errorf("of a released name it says: %s", a)
	}
	shows(t, "", `-- 1 person in #lobby: "`+sentence+`"`+"\n", client.Present{Room: "lobby", Count: 1, People: []client.Person{person}})
	shows(t, `13:00 "root: hi": hello`+"\n", "", said("root: hi", "hello"))
	shows(t, `13:00 "-- root": hello`+"\n", "", said("-- root", "hello"))
}

// TestHalvesStayApart: what is harmless in one line is so before the next.
func TestHalvesStayApart(t *testing.T) {
	for _, h := range screen.Halves {
		printed := prints(t, func(cfg *Config) { cfg.Terminal = true }, func(r *running, step func(func())) {
			step(func() {
				r.told(said("bob", h[0]), said("eve", h[1]), client.Notice{Text: h[0]}, client.Notice{Text: h[1]})
			})
		})
		if lines, found := screen.Read(printed[0]); len(lines) != 4 || len(found) > 0 {
			t.Errorf("%q: a terminal found %q in %q", h, found, printed)
		}
	}
}

// TestAttacksOnPrograms: the same for JSON, and for a program that prints the texts as they are.
func TestAttacksOnPrograms(t *testing.T) {
	programs := func(cfg *Config) { cfg.JSON, cfg.Follow = true, true }
	want := append(prints(t, programs, all(harmless)), answers(Config{JSON: true}, harmless)...)
	for _, a := range screen.Attacks {
		for i, printed := range append(prints(t, programs, all(a.Text)), answers(Config{JSON: true}, a.Text)...) {
			lines, found := screen.Read(printed)
			if len(found) > 0 || len(lines) != strings.Count(want[i], "\n") || len(lines) == 0 {
				t.Errorf("%s: %d lines, and a terminal found %q in %.200q", a.Name, len(lines), found, printed)
			}
			for _, line := range lines {
				var object map[string]any
				if err := json.Unmarshal([]byte(line), &object); err != nil || object["type"] == nil {
					t.Errorf("%s: printed %.200q: %v", a.Name, line, err)
				}
				tame(t, a.Name, "", object)
			}
		}
	}
}

// tame fails when one of the texts in a value of JSON would be obeyed.
func tame(t *testing.T, attack, field string, value any) {
	t.Helper()
	switch v := value.(type) {
	case map[string]any:
		for name, value := range v {
			tame(t, attack, name, value)
		}
	case []any:
		for _, value := range v {
			tame(t, attack, field, value)
		}
	case string:
		if field == "text" {
			v = strings.NewReplacer("\n", "", "\t", "").Replace(v)
		}
		if lines, found := screen.Read(v); field != "ref" && (len(found) > 0 || len(lines) > 1) { // ref is the script's own, given back as it was
			t.Errorf("%s: a terminal found %q in %s: %.200q", attack, found, field, v)
		}
	}
}

// TestAttacksThatEndIt: the error that a Run returns goes to the terminal as it is.
func TestAttacksThatEndIt(t *testing.T) {
	for _, a := range screen.Attacks {
		for _, err := range []error{&client.RefusedError{Code: chat.Denied, Text: a.Text}, errors.New(a.Text), fmt.Errorf("dial: %w", errors.New(a.Text))} {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk()
				r := start(t, d, nil)
				d.end(err)
				ended := r.result()
				if lines, found := screen.Read(ended.Error()); len(found) > 0 || len(lines) != 1 || !errors.Is(ended, talk.ErrRefused) && !errors.Is(ended, err) {
					t.Errorf("%s: a terminal found %q in %.200q", a.Name, found, ended)
				}
			})
		}
	}
}

// TestAttacksOnOneself: what is typed and refused is told without obeying it.
func TestAttacksOnOneself(t *testing.T) {
	for _, json := range []bool{false, true} {
		for _, a := range screen.Attacks {
			if len(a.Text) > chat.MaxText {
				continue
			}
			printed := prints(t, func(cfg *Config) { cfg.Terminal, cfg.JSON = !json, json }, func(r *running, step func(func())) {
				for line := range strings.Lines(a.Text) {
					line = strings.TrimSuffix(line, "\n")
					step(func() {
						r.typed("/" + line + "\n/join " + line + "\n" + `{"type":"send","` + line + `":1}` + "\n" + `{"type":"` + line + `"}` + "\n")
					})
				}
			})
			if _, found := screen.Read(strings.Join(printed, "")); len(found) > 0 {
				t.Errorf("%s: a terminal found %q in %.300q", a.Name, found, printed)
			}
		}
	}
}
