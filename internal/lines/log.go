package lines

import (
	"context"
	"time"

	"chatnode/internal/client"
	"chatnode/internal/command"
	"chatnode/internal/identity"
)

func (e env) History(ctx context.Context, room string, q command.HistoryQuery) (command.HistoryAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, e.x.cfg.Timeout)
	defer cancel()
	ask := client.HistoryQuery{Before: q.Before, N: q.N}
	if q.Since > 0 {
		ask.Since = time.Now().Add(-q.Since)
	}
	list, more, err := e.client().History(ctx, room, ask)
	return command.HistoryAnswer{Room: room, Query: q, Said: e.said(ctx, list), More: more}, err
}

func (e env) Search(ctx context.Context, q command.SearchQuery) (command.SearchAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, e.x.cfg.Timeout)
	defer cancel()
	found, err := e.client().Search(ctx, client.SearchQuery{Words: q.Words, Room: q.Room, From: q.From, Before: q.Before, N: command.SearchHits})
	return command.SearchAnswer{Query: q, Hits: e.said(ctx, found.Hits), Next: found.Next, Behind: found.Behind}, err
}

func (e env) Keep(ctx context.Context, room string, change *command.Keep) (command.KeepAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, e.x.cfg.Timeout)
	defer cancel()
	var holds client.Keep
	var err error
	if change == nil {
		holds, err = e.client().Keep(ctx, room)
	} else {
		holds, err = e.client().SetKeep(ctx, room, client.Keep(*change))
	}
	return command.KeepAnswer{Room: room, Keep: command.Keep(holds)}, err
}

// said returns messages as answers have them. Only programs are told whose keys the authors are: the node has to be asked for those.
func (e env) said(ctx context.Context, list []client.Message) []command.Said {
	var known map[uint64]identity.ID
	if e.x.cfg.JSON && len(list) > 0 {
		ctx, cancel := context.WithTimeout(ctx, authorWait)
		defer cancel()
		var from []uint64
		for i := range list {
			if !list[i].Own {
				from = append(from, list[i].From)
			}
		}
		known = e.client().Authors(ctx, from)
	}
	all := make([]command.Said, len(list))
	for i, m := range list {
		all[i] = command.Said{
			Room: m.Room, To: m.To, Seq: m.Seq, ID: m.ID, Epoch: m.Epoch, Name: m.Name, Kind: m.Kind, Time: m.Time, Text: m.Text, Re: m.Re, Own: m.Own,
		}
		if id, ok := known[m.From]; ok {
			all[i].Author = id.String()
		}
		if m.Own {
			all[i].Author = e.x.cfg.ID.String()
		}
	}
	return all
}
