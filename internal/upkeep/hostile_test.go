package upkeep

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/screen"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// printed returns what one message of a store looks like in an export.
func printed(t *testing.T, asText bool, kind chat.Kind, room store.Room, name, body string) string {
	t.Helper()
	var b bytes.Buffer
	out := bufio.NewWriter(&b)
	e := &export{names: map[identity.ID]string{people[0]: name}}
	var manner exporter = newObjects(e, out)
	if asText {
		manner = &timeline{export: e, out: out, zone: time.UTC, day: noon.Format(time.DateOnly)}
	}
	m := store.Message{Event: &wire.Event{Seq: 1, Time: noon.UnixMilli(), Name: name, Kind: kind, Body: []byte(body)}, Room: &store.RoomState{Room: room}}
	if err := manner.message(m); err != nil {
		t.Fatal(err)
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// attacked calls f with one attack at a time, in a body, in a name, and in the name of a room.
func attacked(f func(attack string, kind chat.Kind, room store.Room, name, body string)) {
	lobby, direct := store.Room{Name: "lobby"}, store.Room{Peers: [2]identity.ID{people[0], people[1]}}
	for _, a := range screen.Attacks {
		for _, kind := range []chat.Kind{chat.Text, chat.Action, chat.Topic, 200} {
			f(a.Name, kind, lobby, "bob", a.Text)
			f(a.Name, kind, lobby, a.Text, "hi")
			f(a.Name, kind, direct, a.Text, a.Text)
			f(a.Name, kind, store.Room{Name: a.Text}, "bob", "hi")
		}
	}
}

// TestAttacksOnReaders: an export for people obeys nothing of what is in a store, and each line is the first of its message or indented.
func TestAttacksOnReaders(t *testing.T) {
	attacked(func(attack string, kind chat.Kind, room store.Room, name, body string) {
		begins := "2026-11-22 12:00:00 " + map[bool]string{true: "@", false: "#"}[room.Direct()]
		if name == "bob" && room.Name == "lobby" {
			begins += map[chat.Kind]string{chat.Text: "lobby bob: ", chat.Action: "lobby * bob ", chat.Topic: "lobby -- bob ", 200: "lobby -- bob (kind-200): "}[kind]
		}
		text := printed(t, true, kind, room, name, body)
		lines, found := screen.Read(text)
		if len(found) > 0 || len(lines) == 0 || !strings.HasPrefix(lines[0], begins) {
			t.Errorf("%s: a terminal found %q in %.200q, which should begin with %q", attack, found, text, begins)
			return
		}
		for _, line := range lines[1:] {
			if !strings.HasPrefix(line, "    ") {
				t.Errorf("%s: a line of its own: %.200q", attack, line)
			}
		}
	})
}

// TestAttacksOnPrograms: the same for JSON, and for a program that prints the texts as they are.
func TestAttacksOnPrograms(t *testing.T) {
	attacked(func(attack string, kind chat.Kind, room store.Room, name, body string) {
		line := printed(t, false, kind, room, name, body)
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%s: %v in %.200q", attack, err, line)
		}
		if lines, found := screen.Read(line); len(lines) != 1 || len(found) > 0 {
			t.Errorf("%s: a terminal found %q in %.200q", attack, found, line)
		}
		for field, value := range object {
			text, _ := value.(string)
			if field == "text" {
				text = strings.NewReplacer("\n", "", "\t", "").Replace(text)
			}
			if lines, found := screen.Read(text); len(lines) > 1 || len(found) > 0 {
				t.Errorf("%s: a terminal found %q in %s: %.200q", attack, found, field, text)
			}
		}
	})
}

// TestAttacksOnWhoErrs: a room that is not there is answered with those that are, whatever a store calls them.
func TestAttacksOnWhoErrs(t *testing.T) {
	for _, a := range screen.Attacks {
		e := &export{rooms: []store.RoomState{{Room: store.Room{Name: a.Text}}}}
		_, err := e.choose([]string{"lobby"})
		if lines, found := screen.Read(err.Error()); len(lines) != 1 || len(found) > 0 {
			t.Errorf("%s: a terminal found %q in %.200q", a.Name, found, err)
		}
	}
}

// TestSealedIsExported: what a node can't read is printed as it is kept, in JSON, and said to be there, for people.
func TestSealedIsExported(t *testing.T) {
	body, direct := "\x01\xff\x1b[2J", store.Room{Peers: [2]identity.ID{people[0], people[1]}}
	if text := printed(t, true, chat.Sealed, direct, "bob", body); !strings.HasSuffix(text, " -- bob: sealed message\n") {
		t.Errorf("for people: %q", text)
	}
	object := printed(t, false, chat.Sealed, direct, "bob", body)
	if !strings.Contains(object, `"kind":"sealed"`) || !strings.Contains(object, `"text":"","ciphertext":"Af8bWzJK"`) {
		t.Errorf("in JSON: %s", object)
	}
}
