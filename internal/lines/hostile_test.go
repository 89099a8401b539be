package lines

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"unicode"
	"unicode/utf8"

	"chatnode/internal/chat"
	"chatnode/internal/client"
)

// poison is what no reader's terminal should get: a forged line, controls of both sets, bidirectional overrides, separators, broken
// bytes.
const poison = "x\r\n13:00 root: forged\n-- connected to Evil\x1b[2J\x1b]0;t\x07\x9b31m\u009b31m\x7f\x00\u202e\u2066\u200f\u2028\u2029\U000e0041\ufdd0\xff"

// hostile returns one of each event with poison in every text.
func hostile() []client.Event {
	events := []client.Event{
		client.LinkUp{}, client.LinkDown{}, client.Message{}, client.Message{Kind: chat.Action}, client.Message{Kind: chat.Topic}, client.Message{Own: true},
		client.Message{Kind: 200}, client.Ack{}, client.Ack{Room: "elsewhere", Kind: chat.Text}, client.Refused{}, client.Opened{}, client.Left{}, client.ClosedRoom{}, client.Denied{},
		client.Gap{}, client.Reset{}, client.Joined{}, client.Gone{}, client.Renamed{}, client.Present{Count: 1, People: []client.Person{{}}},
		client.Named{Code: chat.NameTaken}, client.Named{}, client.Notice{},
	}
	for i, e := range events {
		v := reflect.New(reflect.TypeOf(e)).Elem()
		v.Set(reflect.ValueOf(e))
		fill(v)
		events[i] = v.Interface().(client.Event)
	}
	return events
}

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(v.String() + poison)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			fill(v.Index(i))
		}
	}
}

// harmless fails when a line holds a rune that moves more than its own place on a screen.
func harmless(t *testing.T, line string) {
	t.Helper()
	if !utf8.ValidString(line) || chat.OneLine(line) != line || strings.ContainsFunc(line, unicode.IsControl) {
		t.Errorf("printed %q", line)
	}
}

func TestHostileTextsToPeople(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newDesk(), func(cfg *Config) { cfg.Terminal = true })
		events := hostile()
		before := strings.Count(r.out.String()+r.err.String(), "\n")
		for _, e := range events {
			out, err := r.out.String(), r.err.String()
			r.told(e)
			added := strings.TrimPrefix(r.out.String(), out) + strings.TrimPrefix(r.err.String(), err)
			for line := range strings.Lines(added) {
				harmless(t, strings.TrimSuffix(line, "\n"))
				if strings.HasPrefix(line, "13:00 root") || strings.HasPrefix(line, "-- connected to Evil") {
					t.Errorf("%T forged %q", e, line)
				}
			}
		}
		if n := strings.Count(r.out.String()+r.err.String(), "\n") - before; n > len(events)+1 {
			t.Errorf("%d events printed %d lines", len(events), n)
		}
	})
}

func TestHostileTextsToPrograms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newDesk(), func(cfg *Config) { cfg.JSON, cfg.Follow = true, true })
		for _, e := range hostile() {
			before := r.out.String()
			r.told(e)
			lines := strings.SplitAfter(strings.TrimPrefix(r.out.String(), before), "\n")
			if len(lines) < 2 || lines[len(lines)-1] != "" {
				t.Fatalf("%T printed %q, want a line", e, lines)
			}
			for _, line := range lines[:len(lines)-1] {
				harmless(t, strings.TrimSuffix(line, "\n"))
				var object map[string]any
				if err := json.Unmarshal([]byte(line), &object); err != nil || object["type"] == nil {
					t.Errorf("%T printed %q: %v", e, line, err)
				}
				for field, v := range object {
					text, _ := v.(string)
					switch field {
					case "ref": // the script's own, given back as it was
					case "text":
						harmless(t, strings.NewReplacer("\n", "", "\t", "").Replace(text))
					default:
						harmless(t, text)
					}
				}
			}
		}
		if r.err.String() != "" {
			t.Errorf("stderr holds %q", r.err.String())
		}
	})
}

func TestHostileInput(t *testing.T) {
	for _, json := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, newDesk(), func(cfg *Config) { cfg.Terminal, cfg.JSON = !json, json })
			for _, line := range strings.Split(poison, "\n") {
				r.typed("/" + line + "\n")
				r.typed("/join " + line + "\n")
				r.typed(`{"type":"send","` + line + `":1}` + "\n")
				r.typed(`{"type":"` + line + `"}` + "\n")
			}
			for line := range strings.Lines(r.out.String() + r.err.String()) {
				harmless(t, strings.TrimSuffix(line, "\n"))
			}
		})
	}
}
