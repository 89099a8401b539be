package talk

import (
	"context"
	"errors"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
)

// maxRedactPages is how many pages of chat.MaxTail messages are looked through for one whose text is to go.
const maxRedactPages = 40

// Redact has the text of a message of a room taken away for good: of the one with that id, which is looked for among the last 20,000. What becomes of it
// is told as of a send. It returns command.ErrNoMessage when id is zero.
func (a Asker) Redact(ctx context.Context, room string, id chat.ID) error {
	if id.IsZero() {
		return command.ErrNoMessage
	}
	q := client.HistoryQuery{N: chat.MaxTail}
	for more, pages := true, 0; more && pages < maxRedactPages; pages++ {
		page, after, err := a.page(ctx, room, q)
		if err != nil {
			return err
		}
		for i := range page {
			if page[i].ID == id {
				_, err := a.Client.Send(ctx, RedactDraft(room, page[i].Seq, id))
				return err
			}
		}
		if more = after && len(page) > 0; more {
			q.Before = page[0].Seq
		}
	}
	return errors.New("that message is too far back, or is not kept any more")
}

// page asks for some messages of a room.
func (a Asker) page(ctx context.Context, room string, q client.HistoryQuery) ([]client.Message, bool, error) {
	ctx, cancel := a.limit(ctx)
	defer cancel()
	return a.Client.History(ctx, room, q)
}

// RedactDraft is the act that takes a message's text away.
func RedactDraft(room string, seq uint64, id chat.ID) client.Draft {
	return client.Draft{Room: room, Kind: chat.Act, Text: chat.ActOf{Verb: chat.Redact, Text: id.String()}.String(), Row: seq}
}
