package lines

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"chatnode/internal/chat"
	"chatnode/internal/command"
)

// maxRef is the length in bytes of the mark that a line of JSON can bear.
const maxRef = 256

// request is what a line of JSON asks for: a send, or a command.
type request struct {
	ref   string
	sends bool // it is of type send, even when it is wrong
	room  string
	text  string
	re    chat.ID
	call  command.Call
}

// requestError says what is wrong with a line of JSON: a code in the vocabulary of JSON output, and a sentence.
type requestError struct{ code, text string }

func (e *requestError) Error() string { return e.text }

// requestObject is a line of JSON as it comes. Pointers tell what is missing from what is empty.
type requestObject struct {
	Type *string `json:"type"`
	Ref  *string `json:"ref"`
	Room *string `json:"room"`
	Text *string `json:"text"`
	Re   *string `json:"re"`
	Line *string `json:"line"`
}

// parseRequest reads one line of JSON. Beside an error it returns as much of the request as tells whose it is: type and ref.
func parseRequest(text string) (request, error) {
	if !utf8.ValidString(text) {
		return request{}, &requestError{chat.BadText.String(), chat.BadText.Sentence()}
	}
	o, decodeErr := decodeRequest(text)
	q := request{sends: o.Type != nil && *o.Type == "send"}
	if o.Ref != nil && len(*o.Ref) <= maxRef {
		q.ref = *o.Ref
	}
	switch {
	case decodeErr != nil:
		return q, decodeErr
	case o.Ref != nil && len(*o.Ref) > maxRef:
		return q, &requestError{"bad_field", fmt.Sprintf("ref holds at most %d bytes", maxRef)}
	case o.Type == nil:
		return q, missing("type")
	case q.sends:
		return q, q.send(&o)
	case *o.Type == "command":
		return q, q.command(&o)
	}
	return q, &requestError{"bad_type", fmt.Sprintf("type %.40q is not known: send and command are", *o.Type)}
}

// decodeRequest takes the one object that text must be. What it understood before an error it returns too.
func decodeRequest(text string) (requestObject, error) {
	var o requestObject
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	err := dec.Decode(&o)
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return o, &requestError{"bad_field", fmt.Sprintf("%s must be a string, not %s", wrongType.Field, wrongType.Value)}
	case errors.As(err, &wrongType):
		return o, &requestError{"bad_json", "a line must be a JSON object, not " + wrongType.Value}
	case err != nil && strings.HasPrefix(err.Error(), unknownField):
		// A misspelt field must not be passed over: what it should have said would be guessed.
		return o, &requestError{"bad_field", fmt.Sprintf("field %.40s is not known", strings.TrimPrefix(err.Error(), unknownField))}
	case err != nil:
		return o, &requestError{"bad_json", "the line is not JSON: " + strings.TrimPrefix(err.Error(), "json: ")}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return o, &requestError{"bad_json", "something stands behind the JSON object"}
	}
	if bytes.Equal(bytes.TrimSpace([]byte(text)), []byte("null")) {
		return o, &requestError{"bad_json", "a line must be a JSON object, not null"}
	}
	return o, nil
}

// unknownField begins encoding/json's error for a field that is not in the struct; it has no type of its own.
const unknownField = "json: unknown field "

func missing(field string) error { return &requestError{"bad_field", field + " is missing"} }

func (q *request) send(o *requestObject) error {
	switch {
	case o.Line != nil:
		return &requestError{"bad_field", "line belongs to a command"}
	case o.Text == nil:
		return missing("text")
	}
	if code := chat.CheckText(chat.Text, *o.Text); code != chat.OK {
		return &requestError{code.String(), code.Sentence()}
	}
	q.text = *o.Text
	if o.Room != nil {
		if q.room = *o.Room; !validTarget(q.room) {
			return &requestError{chat.BadRoom.String(), chat.BadRoom.Sentence()}
		}
	}
	if o.Re != nil {
		id, err := chat.ParseID(*o.Re)
		if err != nil {
			return &requestError{"bad_field", "re is not a message id: 16 hexadecimal digits"}
		}
		q.re = id
	}
	return nil
}

// validTarget reports whether room can be sent to: a room's name, or "@" and what may be somebody's name or key id.
func validTarget(room string) bool {
	const maxPerson = 128
	person, direct := strings.CutPrefix(room, chat.DirectMark)
	return !direct && chat.MayBeRoom(room) || direct && person != "" && len(person) <= maxPerson && chat.OneLine(person) == person
}

func (q *request) command(o *requestObject) error {
	switch {
	case o.Line == nil:
		return missing("line")
	case o.Room != nil || o.Text != nil || o.Re != nil:
		return &requestError{"bad_field", "room, text and re belong to a send"}
	}
	call, err := command.Parse(*o.Line)
	var wrong *command.Error
	if errors.As(err, &wrong) {
		return &requestError{string(wrong.Reason), wrong.Text}
	}
	if call.Name == command.Say {
		return &requestError{string(command.UnknownCommand), "a command begins with one /; text is for send"}
	}
	q.call = call
	return nil
}
