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

// maxRedacted is how many messages a client remembers that it was told were redacted.
const maxRedacted = 1024

// redactions are the last messages whose texts were taken away while the client looked on: an answer that was on its way then may still have them. It is
// not safe for concurrent use: Client.mu guards it.
type redactions struct {
	known  map[chat.ID]bool
	ids    []chat.ID
	oldest int // in ids, once they are all there
}

// note remembers one.
func (x *redactions) note(id chat.ID) {
	switch {
	case x.known[id]:
		return
	case x.known == nil:
		x.known = map[chat.ID]bool{}
	}
	if x.known[id] = true; len(x.ids) < maxRedacted {
		x.ids = append(x.ids, id)
		return
	}
	delete(x.known, x.ids[x.oldest])
	x.ids[x.oldest] = id
	x.oldest = (x.oldest + 1) % maxRedacted
}

// removed has a message say that its text was taken away, if gone or its event says so, and reports whether it was.
func (m *Message) removed(e *wire.Event, gone bool) bool {
	if m.Removed = len(e.Opts.Gone) > 0 || gone && e.Kind != chat.Act; m.Removed {
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
