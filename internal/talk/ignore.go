package talk

import (
	"context"
	"errors"
	"fmt"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
	"chatnode/internal/identity"
)

// Ignore has the user ignore the person of that name or key id, or not any more. Who is ignored is looked for among those who are by that name; anybody
// else is asked for of the node and then, by the name alone, among those who spoke last in room, which may be "".
func (a Asker) Ignore(ctx context.Context, room, name string, on bool) (command.IgnoreAnswer, error) {
	ctx, cancel := a.limit(ctx)
	defer cancel()
	find := a.personOf
	if !on {
		find = a.ignoredBy
	}
	person, err := find(ctx, room, name)
	if err == nil {
		err = a.Client.Ignore(person, on)
	}
	return command.IgnoreAnswer{Who: who(person), On: on}, err
}

// Ignored returns whom the user ignores.
func (a Asker) Ignored(context.Context) (command.IgnoredAnswer, error) {
	var answer command.IgnoredAnswer
	for _, p := range a.Client.Ignored() {
		answer.People = append(answer.People, who(p))
	}
	return answer, nil
}

// personOf returns the person of a name or key id: as the node knows them now, else by the key alone, else as they were called in room.
func (a Asker) personOf(ctx context.Context, room, name string) (client.Person, error) {
	info, err := a.Client.Whois(ctx, name)
	if err == nil {
		return info.Person, nil
	}
	if id, notID := identity.ParseID(name); notID == nil {
		return client.Person{ID: id, Name: name}, nil
	}
	var refused *client.RefusedError
	if room == "" || !errors.As(err, &refused) || refused.Code != chat.NoSuchUser {
		return client.Person{}, err
	}
	list, _, _ := a.Client.History(ctx, room, client.HistoryQuery{N: chat.MaxTail}) // who can't be found there is nobody
	for i := len(list) - 1; i >= 0; i-- {
		if m := list[i]; !m.Own && chat.Fold(m.Name) == chat.Fold(name) {
			id, unknown := a.Client.Author(ctx, m.From)
			if unknown != nil {
				return client.Person{}, unknown
			}
			return client.Person{ID: id, Name: m.Name}, nil
		}
	}
	return client.Person{}, err
}

// ignoredBy returns the person who is ignored by that name or key id, or has that name now.
func (a Asker) ignoredBy(ctx context.Context, _, name string) (client.Person, error) {
	ignored := a.Client.Ignored()
	var found []client.Person
	for _, p := range ignored {
		if id, err := identity.ParseID(name); err == nil && p.ID == id {
			return p, nil
		}
		if chat.Fold(p.Name) == chat.Fold(name) {
			found = append(found, p)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return client.Person{}, fmt.Errorf("you ignore %d people who were called %s: /ignore lists their keys, one of which /unignore takes", len(found), chat.Shown(name))
	}
	nobody := fmt.Errorf("you don't ignore %s; /ignore lists whom you do", chat.Shown(name))
	if len(ignored) == 0 {
		return client.Person{}, nobody
	}
	info, err := a.Client.Whois(ctx, name)
	for _, p := range ignored {
		if err == nil && p.ID == info.ID {
			return info.Person, nil
		}
	}
	return client.Person{}, nobody
}

// isAmong reports whether a key is that of one of the people.
func isAmong(people []client.Person, id identity.ID) bool {
	for i := range people {
		if people[i].ID == id {
			return true
		}
	}
	return false
}

// Ignores reports whether the user ignores a key.
func Ignores(c Client, id identity.ID) bool { return isAmong(c.Ignored(), id) }
