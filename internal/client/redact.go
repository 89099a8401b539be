package client

import (
	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// Redacted says that the text of a message was taken away, which may have been shown before: whoever has it is to drop it. It comes behind the act, a
// Message, that did it.
type Redacted struct {
	Room string
	Seq  uint64
	ID   chat.ID
}

func (Redacted) event() {}

// removed has a message say that its text was taken away, and reports whether it was.
func (m *Message) removed(e *wire.Event) bool {
	if m.Removed = len(e.Opts.Gone) > 0; m.Removed {
		m.Text = chat.RemovedText
		if m.Kind == chat.Sealed {
			m.Kind, m.Sealed = chat.Text, true
		}
	}
	return m.Removed
}

// redactedBy returns what an event takes the text of, if it is an act that does, but for the room.
func redactedBy(e *wire.Event) (r Redacted, ok bool) {
	if e.Kind != chat.Act || e.Opts.Row == 0 {
		return r, false
	}
	act, err := chat.ParseAct(string(e.Body))
	if err != nil || act.Verb != chat.Redact {
		return r, false
	}
	id, err := chat.ParseID(act.Text)
	return Redacted{Seq: e.Opts.Row, ID: id}, err == nil
}
