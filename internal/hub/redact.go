package hub

import (
	"errors"
	"fmt"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// redactable are the kinds of messages whose texts can be taken away. What an act says has changed who may do what, and a topic stands in the room too
// until there is another.
var redactable = []chat.Kind{chat.Text, chat.Action, chat.Sealed}

// findText notes whose the message is that an act takes the text of, or returns why there is none: it is not there, it is another one than the act
// names, it has no text any more, or it is not the session's to read. The row's number comes from the client: so finding it costs one look, however long the room.
func (s *Session) findText(r *room, act *heard) chat.Code {
	h := s.hub
	id, err := chat.ParseID(act.Text)
	if first, _ := s.reads(r); err != nil || act.row < first || act.row > r.head {
		return chat.BadAct
	}
	record, _, err := h.cfg.Store.Page(r.Num, act.row, act.row, 1)
	switch {
	case errors.Is(err, store.ErrTrimmed) || errors.Is(err, store.ErrNoRow):
		return chat.BadAct // or it is not committed yet, and nobody can know its id
	case err != nil:
		_ = h.fault(fmt.Errorf("read row %d of room %d: %w", act.row, r.Num, err)) // which ends the hub
		return chat.Internal
	}
	event, err := wire.DecodeEvent(record[wire.HeaderLen:])
	if err != nil || event.ID != id || len(event.Opts.Gone) > 0 || !slices.Contains(redactable, event.Kind) {
		return chat.BadAct
	}
	if slices.Contains(h.batch.Redactions, store.Redaction{Room: r.Num, Seq: act.row}) {
		return chat.BadAct
	}
	act.who = h.authors[event.From]
	act.admin = h.cfg.Admin != nil && h.cfg.Admin(act.who)
	return chat.OK
}

func (a *acting) redact() chat.Code {
	a.h.batch.Redactions = append(a.h.batch.Redactions, store.Redaction{Room: a.room.Num, Seq: a.row})
	return chat.OK
}

// dropRedacted has no reader find in memory what the batch took away or marked: the store has what is left of it.
func (h *Hub) dropRedacted() {
	for _, all := range [...][]store.Redaction{h.batch.Redactions, h.batch.Marked} {
		for _, x := range all {
			if r := h.numbers.rooms[x.Room]; r != nil { // only Run writes there
				h.memory.gave(r)(r.log.drop(x.Seq))
			}
		}
	}
}
