package lines

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"chatnode/internal/chat"
	"chatnode/internal/command"

	"github.com/google/go-cmp/cmp"
)

func TestParseRequest(t *testing.T) {
	compare := cmp.AllowUnexported(request{})
	for in, want := range map[string]request{
		`{"type":"send","text":"a"}`:                                  {sends: true, text: "a"},
		`{"type":"send","ref":"x1","room":"ops","text":"a\nb"}`:       {sends: true, ref: "x1", room: "ops", text: "a\nb"},
		`{"type":"send","room":"@bob","text":"/quit"}`:                {sends: true, room: "@bob", text: "/quit"},
		`{"type":"send","text":"a","re":"0102030405060708"}`:          {sends: true, text: "a", re: chat.ID{1, 2, 3, 4, 5, 6, 7, 8}},
		" {\"type\" : \"send\", \"text\" : \"\\u00e9\"}\t":            {sends: true, text: "é"},
		`{"type":"command","line":"/topic new"}`:                      {call: command.Call{Name: "topic", Args: []string{"new"}}},
		`{"type":"command","ref":"r","line":"/MSG @bob one\ntwo"}`:    {ref: "r", call: command.Call{Name: "msg", Args: []string{"bob", "one\ntwo"}}},
		`{"type":"send","text":"` + strings.Repeat("x", 8192) + `"}`:  {sends: true, text: strings.Repeat("x", 8192)},
		`{"type":"send","text":"a","ref":null,"room":null,"re":null}`: {sends: true, text: "a"},
	} {
		got, err := parseRequest(in)
		if err != nil {
			t.Errorf("%.80s: %v", in, err)
		} else if diff := cmp.Diff(want, got, compare); diff != "" {
			t.Errorf("%.80s mismatch (-want +got):\n%s", in, diff)
		}
	}
}

func TestParseRequestRefuses(t *testing.T) {
	long := strings.Repeat("x", 8193)
	for in, want := range map[string]struct {
		code, ref string
		sends     bool
	}{
		`hello`:                       {code: "bad_json"},
		`{`:                           {code: "bad_json"},
		`{}`:                          {code: "bad_field"},
		`null`:                        {code: "bad_json"},
		`[]`:                          {code: "bad_json"},
		`"send"`:                      {code: "bad_json"},
		`7`:                           {code: "bad_json"},
		`{"type":"send","text":"a"}}`: {code: "bad_json", sends: true},
		`{"type":"send","text":"a"} {"type":"send"}`:         {code: "bad_json", sends: true},
		`{"type":"send","text":"a",}`:                        {code: "bad_json"},
		`{'type':'send'}`:                                    {code: "bad_json"},
		"{\"type\":\"send\",\"text\":\"a\x00\"}":             {code: "bad_json"},
		"{\"type\":\"send\",\"text\":\"a\xff\"}":             {code: "bad_text"},
		`{"type":null}`:                                      {code: "bad_field"},
		`{"type":7}`:                                         {code: "bad_field"},
		`{"type":"sned","text":"a","ref":"r"}`:               {code: "bad_type", ref: "r"},
		`{"type":"send","ref":"r"}`:                          {code: "bad_field", ref: "r", sends: true},
		`{"type":"send","text":null}`:                        {code: "bad_field", sends: true},
		`{"type":"send","text":7,"ref":"r"}`:                 {code: "bad_field", ref: "r", sends: true},
		`{"type":"send","text":["a"]}`:                       {code: "bad_field", sends: true},
		`{"type":"send","text":"a","ref":7}`:                 {code: "bad_field", sends: true},
		`{"type":"send","text":"a","room":{"a":1}}`:          {code: "bad_field", sends: true},
		`{"type":"send","text":""}`:                          {code: "empty", sends: true},
		`{"type":"send","text":" \n"}`:                       {code: "empty", sends: true},
		`{"type":"send","ref":"r","text":"` + long + `"}`:    {code: "too_long", ref: "r", sends: true},
		`{"type":"send","text":"a","ref":"` + long + `"}`:    {code: "bad_field", sends: true},
		`{"type":"send","text":"a","room":"#ops"}`:           {code: "bad_room", sends: true},
		`{"type":"send","text":"a","room":"Ops"}`:            {code: "bad_room", sends: true},
		`{"type":"send","text":"a","room":""}`:               {code: "bad_room", sends: true},
		`{"type":"send","text":"a","room":"@"}`:              {code: "bad_room", sends: true},
		`{"type":"send","text":"a","room":"@a\nb"}`:          {code: "bad_room", sends: true},
		`{"type":"send","text":"a","re":"12"}`:               {code: "bad_field", sends: true},
		`{"type":"send","text":"a","rom":"ops"}`:             {code: "bad_field", sends: true},
		`{"type":"send","text":"a","line":"/quit"}`:          {code: "bad_field", sends: true},
		`{"type":"command","ref":"r"}`:                       {code: "bad_field", ref: "r"},
		`{"type":"command","line":"/quit","room":"a"}`:       {code: "bad_field"},
		`{"type":"command","line":""}`:                       {code: "unknown_command"},
		`{"type":"command","line":"hello"}`:                  {code: "unknown_command"},
		`{"type":"command","line":"//hello"}`:                {code: "unknown_command"},
		`{"type":"command","line":"/nikc bob"}`:              {code: "unknown_command"},
		`{"type":"command","line":"/nick"}`:                  {code: "bad_usage"},
		strings.Repeat(`{"type":`, 5000):                     {code: "bad_json"},
		`{"type":"command","line":"/join \u0000` + "\x7f\"}": {code: "bad_usage"},
	} {
		q, err := parseRequest(in)
		var wrong *requestError
		if !errors.As(err, &wrong) {
			t.Errorf("%.80s: %v, want an error", in, err)
			continue
		}
		if wrong.code != want.code || q.ref != want.ref || q.sends != want.sends {
			t.Errorf("%.80s: %s (%s), ref %.10q, sends %v, want %+v", in, wrong.code, wrong.text, q.ref, q.sends, want)
		}
	}
}

// An escaped text of the greatest size must fit into a line.
func TestLongestLineOfJSON(t *testing.T) {
	text := strings.Repeat("\\u0041", chat.MaxText)
	in := `{"type":"send","ref":"` + strings.Repeat("\\u0041", maxRef) + `","room":"@` + strings.Repeat("x", 128) + `","re":"0102030405060708","text":"` + text + `"}`
	if len(in) > maxJSON {
		t.Fatalf("the line is %d bytes long, read are %d", len(in), maxJSON)
	}
	if q, err := parseRequest(in); err != nil || len(q.text) != chat.MaxText {
		t.Errorf("a text of %d bytes: %v", len(q.text), err)
	}
}

func FuzzInput(f *testing.F) {
	for _, in := range []string{
		`{"type":"send","ref":"x1","room":"ops","text":"a\nb","re":"0102030405060708"}`, `{"type":"command","line":"/topic new"}`,
		`{"type":"send","text":"\ud800"}`, `{"TYPE":"send","text":"a"}`, `{"type":"send","type":7}`, `{}`, `[`, "null", "\xff", `{"type":"send","text":"a"}x`,
	} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		q, err := parseRequest(in)
		if len(q.ref) > maxRef {
			t.Fatalf("%q: a ref of %d bytes came through", in, len(q.ref))
		}
		if err != nil {
			var wrong *requestError
			if !errors.As(err, &wrong) || wrong.code == "" || !utf8.ValidString(wrong.text) {
				t.Fatalf("%q: error %v", in, err)
			}
			return
		}
		if !json.Valid([]byte(in)) {
			t.Fatalf("%q is not JSON and was taken", in)
		}
		if !q.sends {
			if _, known := command.Lookup(q.call.Name); !known || q.call.Name == command.Say {
				t.Fatalf("%q: a call of %q", in, q.call.Name)
			}
			return
		}
		if code := chat.CheckText(chat.Text, q.text); code != chat.OK || q.room != "" && !validTarget(q.room) {
			t.Fatalf("%q: %v to %q was taken", in, code, q.room)
		}
		again, _ := json.Marshal(map[string]string{"type": "send", "ref": q.ref, "text": q.text})
		if second, err := parseRequest(string(again)); err != nil || second.text != q.text || second.ref != q.ref {
			t.Fatalf("%q became %q and then %+v (%v)", in, again, second, err)
		}
	})
}
