package lines

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"chatnode/internal/chat"
)

// documented maps each section of the page to the object it describes.
var documented = map[string]any{
	"message": messageObject{}, "redacted": redactedObject{}, "ack": ackObject{}, "refused": refusedObject{}, "key_changed": keyChangedObject{}, "link": linkObject{}, "moved": movedObject{}, "opened": openedObject{}, "closed": roomObject{},
	"denied": roomObject{}, "gap": gapObject{}, "reset": resetObject{}, "joined, left, renamed, stirred": presenceObject{}, "present": presentObject{},
	"named": namedObject{}, "notice": noticeObject{}, "error": errorObject{}, "names": namesObject{}, "whois": whoisObject{}, "away": awayObject{}, "list": listObject{},
	"topic": topicObject{}, "history": historyObject{}, "search": searchObject{}, "mentions": searchObject{}, "keep": keepObject{}, "invite": inviteObject{},
	"release": releaseObject{}, "help": helpObject{}, "ignore, unignore": ignoreObject{}, "ignored": ignoredObject{}, "standing": standingObject{},
	"banned": bannedObject{}, "pins": pinsObject{}, "welcome": welcomeObject{},
	"peers": peersObject{}, "peer": peerObject{}, "stats": statsObject{}, "causal": causalObject{},
}

// notDescribed are fields that the section of an answer has no use for.
var notDescribed = []string{"n of names", "n of whois", "n of away", "n of list", "n of topic", "n of history", "n of search", "n of mentions", "n of keep", "n of help", "n of invite",
	"n of release", "n of ignore, unignore", "n of ignored", "n of banned", "n of pins", "n of welcome", "n of peers", "n of peer", "n of causal", "n of stats", "line of peers", "ref of peers"}

func TestDocumentNamesEveryField(t *testing.T) {
	raw, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, s := range strings.Split(string(raw), "\n### ")[1:] {
		title, body, _ := strings.Cut(s, "\n")
		body, _, _ = strings.Cut(body, "\n## ")
		sections[title] = body
	}
	for title, object := range documented {
		body, ok := sections[title]
		if !ok {
			t.Errorf("the page has no section %q", title)
			continue
		}
		rows := strings.Join(regexp.MustCompile(`(?m)^\|.*$`).FindAllString(body, -1), "\n")
		for field, optional := range fields(reflect.TypeOf(object)) {
			row := regexp.MustCompile("(?m)^\\|[^|]*`" + field + "`[^|]*\\|([^|]*)\\|").FindStringSubmatch(rows)
			nested := strings.Contains(rows, "`"+field+"`")
			switch {
			case slices.Contains(notDescribed, field+" of "+title):
			case row == nil && !nested:
				t.Errorf("section %q does not name the field %s", title, field)
			case row != nil && strings.TrimSpace(row[1]) != "" && optional != strings.Contains(row[1], "optional"):
				t.Errorf("section %q: is %s optional? the object says %v", title, field, optional)
			}
		}
		delete(sections, title)
	}
	for title := range sections {
		if title != "send" && title != "command" {
			t.Errorf("section %q describes no object", title)
		}
	}
	for field := range fields(reflect.TypeOf(requestObject{})) {
		if !strings.Contains(sections["send"]+sections["command"], "| `"+field+"` |") {
			t.Errorf("the input's field %s is not named", field)
		}
	}
	if !strings.Contains(string(raw), "Fields are only ever added") {
		t.Error("the page does not promise that fields are only ever added")
	}
}

// TestEveryObjectIsDocumented fails when object.go gains a type that the test above does not look at.
func TestEveryObjectIsDocumented(t *testing.T) {
	raw, err := os.ReadFile("object.go")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"personObject": true, "roomInfoObject": true, "commandObject": true, "actObject": true, "termsObject": true, "banObject": true, "workObject": true} // parts of others
	for _, object := range documented {
		known[reflect.TypeOf(object).Name()] = true
	}
	for _, m := range regexp.MustCompile(`(?m)^type (\w+) struct`).FindAllStringSubmatch(string(raw), -1) {
		if !known[m[1]] {
			t.Errorf("%s is not in the table of this test", m[1])
		}
	}
}

func TestLimitsOfTheDocument(t *testing.T) {
	raw, _ := os.ReadFile("../../docs/json.md")
	if maxJSON != 53248 || maxRef != 256 || chat.MaxText != 8192 || chat.MaxLines != 64 || !strings.Contains(string(raw), "53,248 bytes") {
		t.Error("the limits in docs/json.md are not those of the code")
	}
}

// fields returns the names of an object's fields, those of objects in it included, and which are optional.
func fields(t reflect.Type) map[string]bool {
	out := map[string]bool{}
	if t.Kind() == reflect.Slice {
		return fields(t.Elem())
	}
	if t.Kind() != reflect.Struct {
		return out
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" {
			out[name] = option == "omitempty"
		}
		for inner, optional := range fields(f.Type) {
			out[inner] = optional
		}
	}
	return out
}
