package upkeep

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// entryObject is an entry as docs/json.md describes it: nothing in it is one store's own, so that the lists of two nodes can be compared as they are.
type entryObject struct {
	Type    string `json:"type"` // entry
	Room    string `json:"room"`
	Lamport uint64 `json:"lamport"`
	Entry   string `json:"entry"`
	Node    string `json:"node"`
	Log     string `json:"log"`
	LogSeq  uint64 `json:"log_seq"`
	ID      string `json:"id"`
	Name    string `json:"name"`
	Author  string `json:"author"`
	Kind    string `json:"kind"`
	Time    string `json:"time"`
	Text    string `json:"text"`
	Re      string `json:"re,omitempty"`

	Removed    bool   `json:"removed,omitempty"`
	Ciphertext []byte `json:"ciphertext,omitempty"`
}

// printMerged prints the entries of rooms in the order that all nodes have them in.
func (e *export) printMerged(ctx context.Context, c *Console, rooms []store.RoomState, since int64, text bool) error {
	shared, err := e.archive.Shared(ctx)
	if err != nil {
		return err
	}
	if !shared {
		return usagef("export: this store has never been linked to another: there is nothing to merge, export it without -merged")
	}
	slices.SortFunc(rooms, func(a, b store.RoomState) int { return strings.Compare(a.LogName(), b.LogName()) })
	out := bufio.NewWriterSize(c.Out, 64<<10)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	tell := func(m store.Merged) error { return enc.Encode(objectOf(&m)) }
	if text {
		lines := &timeline{export: &export{}, out: out, zone: c.Zone} // without the names that keys go by here
		tell = func(m store.Merged) error { return lines.message(messageOf(&m)) }
	}
	bar := newBar(c)
	if c.Same {
		bar.wide = 0
	}
	err = e.archive.Merged(ctx, rooms, since, bar.step, tell)
	bar.end()
	return errors.Join(err, out.Flush())
}

func objectOf(m *store.Merged) entryObject {
	header := m.Header()
	id := header.IDOf([32]byte(m.Sum))
	object := entryObject{
		Type: "entry", Room: chat.OneLine(keyTitle(&m.Room.Room)), Lamport: m.Lamport, Entry: hex.EncodeToString(m.ID[:]), Node: m.Node.String(), Log: hex.EncodeToString(m.Log[:]),
		LogSeq: m.Seq, ID: id.String(), Name: chat.OneLine(m.Name), Author: identity.ID(m.Author).String(), Kind: m.Kind.String(),
		Time: time.UnixMilli(m.Time).UTC().Format("2006-01-02T15:04:05.000Z"), Text: chat.CleanText(m.Kind, string(m.Body)), Removed: m.Gone,
	}
	switch {
	case m.Gone:
		object.Text = chat.RemovedText
	case m.Kind == chat.Sealed:
		object.Text, object.Ciphertext = "", m.Body
	}
	if len(m.Re) == len(chat.ID{}) {
		object.Re = chat.ID(m.Re).String()
	}
	return object
}

// messageOf returns an entry as a timeline tells it.
func messageOf(m *store.Merged) store.Message {
	event := &wire.Event{Time: m.Time, Name: m.Name, Kind: m.Kind, Body: m.Body}
	if m.Gone {
		event.Opts.Gone = m.Sum
	}
	return store.Message{Event: event, Room: m.Room}
}
