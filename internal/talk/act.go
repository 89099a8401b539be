package talk

import (
	"context"
	"fmt"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
	"chatnode/internal/identity"
)

// Key returns the text of the key id of the person of that name or key id, who is looked for as Ignore does. A Reader learns what they are called.
func (a Asker) Key(ctx context.Context, room, name string) (string, error) {
	if id, err := identity.ParseID(name); err == nil {
		return id.String(), nil
	}
	ctx, cancel := a.limit(ctx)
	defer cancel()
	person, err := a.personOf(ctx, room, name)
	if err != nil {
		return "", err
	}
	if a.Reader != nil {
		a.Reader.call(person.ID, person.Name)
	}
	return person.ID.String(), nil
}

// MessageAt returns the id of the message of a room that has a number.
func (a Asker) MessageAt(ctx context.Context, room string, seq uint64) (chat.ID, error) {
	ctx, cancel := a.limit(ctx)
	defer cancel()
	list, _, err := a.Client.History(ctx, room, client.HistoryQuery{Before: seq + 1, N: 1})
	switch {
	case err != nil:
		return chat.ID{}, err
	case len(list) == 0 || list[0].Seq != seq:
		return chat.ID{}, fmt.Errorf("%s has no message %d, or does not keep it any more", command.Label(room), seq)
	}
	return list[0].ID, nil
}

// Banned returns who is banned from a room.
func (a Asker) Banned(ctx context.Context, room string) (command.BannedAnswer, error) {
	ctx, cancel := a.limit(ctx)
	defer cancel()
	answer := command.BannedAnswer{Room: room}
	bans, err := a.Client.Banned(ctx, room)
	for _, b := range bans {
		answer.Bans = append(answer.Bans, command.Ban{Who: who(b.Who), By: who(b.By), Since: b.Since, Until: b.Until, Text: b.Text})
	}
	return answer, err
}

// maxPinPages is how many pages of chat.MaxTail messages are searched for what is pinned.
const maxPinPages = 10

// Pins returns the messages that are pinned in a room that is open, as far as they are among the last 5,000.
func (a Asker) Pins(ctx context.Context, room string) (command.PinsAnswer, error) {
	ctx, cancel := a.limit(ctx)
	defer cancel()
	state, ok := a.Client.Room(room)
	if !ok {
		return command.PinsAnswer{}, &client.RefusedError{Code: chat.NotJoined}
	}
	missing := slices.Clone(state.Rules.Pins)
	var found []client.Message
	ask := client.HistoryQuery{N: chat.MaxTail}
	for pages, more := 0, true; more && len(missing) > 0 && pages < maxPinPages; pages++ {
		var list []client.Message
		var err error
		if list, more, err = a.Client.History(ctx, room, ask); err != nil {
			return command.PinsAnswer{}, err
		}
		for i := len(list) - 1; i >= 0; i-- {
			if at := slices.Index(missing, list[i].ID); at >= 0 {
				missing, found = slices.Delete(missing, at, at+1), append(found, list[i])
			}
		}
		if more = more && len(list) > 0; more {
			ask.Before = list[0].Seq
		}
	}
	slices.Reverse(found)
	return command.PinsAnswer{Room: room, Pins: a.said(ctx, found), Missing: missing}, nil
}

// Welcome returns what a room that is open says to those who come in.
func (a Asker) Welcome(_ context.Context, room string) (command.WelcomeAnswer, error) {
	state, ok := a.Client.Room(room)
	if !ok {
		return command.WelcomeAnswer{}, &client.RefusedError{Code: chat.NotJoined}
	}
	return command.WelcomeAnswer{Room: room, Text: state.Rules.Welcome}, nil
}
