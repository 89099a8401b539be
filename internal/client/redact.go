package client

import (
	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// removed has a message say that its text was taken away, if it was.
func (m *Message) removed(e *wire.Event) {
	if m.Removed = len(e.Opts.Gone) > 0; m.Removed {
		m.Text = chat.RemovedText
	}
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
