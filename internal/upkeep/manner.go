package upkeep

import (
	"bufio"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/command"
	"chatnode/internal/identity"
	"chatnode/internal/store"
)

// messageObject is a message as docs/json.md describes it: an export has what a client's output has, without what depends on who reads.
type messageObject struct {
	Type   string `json:"type"` // message
	Room   string `json:"room"`
	Seq    uint64 `json:"seq"`
	ID     string `json:"id"`
	Epoch  string `json:"epoch"`
	Cursor string `json:"cursor"`
	Name   string `json:"name"`
	Author string `json:"author,omitempty"`
	Kind   string `json:"kind"`
	Time   string `json:"time"`
	Text   string `json:"text"`
	Re     string `json:"re,omitempty"`

	Ciphertext []byte `json:"ciphertext,omitempty"` // in base64: what only the two of the conversation can read
}

// objects prints messages as JSON, one a line.
type objects struct {
	*export
	enc     *json.Encoder
	authors map[uint64]string // texts of ids, made once
}

func newObjects(e *export, out *bufio.Writer) *objects {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return &objects{export: e, enc: enc, authors: map[uint64]string{}}
}

func (o *objects) message(m store.Message) error {
	author, known := o.authors[m.From]
	if id, has := o.export.authors[m.From]; !known && has {
		author = id.String()
		o.authors[m.From] = author
	}
	cursor := chat.Cursor{Epoch: o.epoch, Seq: m.Seq, Hash: m.Hash}
	object := messageObject{
		Type: "message", Room: chat.OneLine(keyTitle(&m.Room.Room)), Seq: m.Seq, ID: m.ID.String(), Epoch: fmt.Sprintf("%016x", o.epoch), Cursor: cursor.String(),
		Name: chat.OneLine(m.Name), Author: author, Kind: m.Kind.String(), Time: time.UnixMilli(m.Time).UTC().Format("2006-01-02T15:04:05.000Z"),
		Text: chat.CleanText(m.Kind, string(m.Body)),
	}
	if m.Kind == chat.Sealed {
		object.Text, object.Ciphertext = "", m.Body
	}
	if len(m.Opts.Re) == len(chat.ID{}) {
		object.Re = chat.ID(m.Opts.Re).String()
	}
	return o.enc.Encode(object)
}

// keyTitle is what programs know a room by: its name, or the keys of the two, which stay when names change hands.
func keyTitle(r *store.Room) string {
	if r.Direct() {
		return chat.DirectMark + r.Peers[0].String() + "," + r.Peers[1].String()
	}
	return r.Name
}

// timeline prints messages for people. Each begins with its time; what follows of a text of many lines is indented, so that nothing in a text
// can pass for another message.
type timeline struct {
	*export
	out  *bufio.Writer
	zone *time.Location
	day  string // of the last message
}

func (t *timeline) message(m store.Message) error {
	at := time.UnixMilli(m.Time).In(t.zone)
	if day := at.Format(time.DateOnly); day != t.day {
		t.day = day
		fmt.Fprintf(t.out, "-- %s\n", at.Format("Monday, 2 January 2006 (MST)"))
	}
	first, rest, _ := strings.Cut(string(m.Body), "\n")
	line := command.Told(m.Name, m.Kind, first)
	if m.Kind == chat.Sealed {
		line, rest = "-- "+chat.Shown(m.Name)+": sealed message", ""
	}
	_, err := fmt.Fprintf(t.out, "%s %s %s\n", at.Format(time.DateTime), chat.OneLine(t.title(&m.Room.Room)), chat.OneLine(line))
	for rest != "" {
		first, rest, _ = strings.Cut(rest, "\n")
		_, err = fmt.Fprintf(t.out, "    %s\n", chat.OneLine(first))
	}
	return err
}

// title is what people know a room by.
func (t *timeline) title(r *store.Room) string {
	if !r.Direct() {
		return command.Label(r.Name)
	}
	both := []string{t.nameOf(r.Peers[0]), t.nameOf(r.Peers[1])}
	slices.Sort(both)
	return chat.DirectMark + strings.Join(both, ",")
}

// nameOf returns the name that a key goes by now, or the key.
func (t *timeline) nameOf(id identity.ID) string {
	if name, named := t.names[id]; named {
		return chat.Shown(name)
	}
	return id.String()
}
