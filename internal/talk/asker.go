package talk

import (
	"context"
	"slices"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
	"chatnode/internal/identity"
)

// AuthorWait is how long an answer or a message waits for the node to tell its authors' keys.
const AuthorWait = 2 * time.Second

// Asker asks a client what commands want to know: it is that part of a command.Env which is the same wherever commands are typed. Each question
// ends after Timeout with context.DeadlineExceeded; a node's refusal is a *client.RefusedError. It holds no state, so its methods may run at the same
// time, as far as the client's may.
type Asker struct {
	Client  Client        // needed
	Timeout time.Duration // of one question; above zero
	ID      identity.ID   // the user's own key id
	Reader  *Reader       // finds out whom the acts among messages are done to; nil: nobody wants to know
	Authors bool          // the messages of answers tell their authors' keys, for which the node has to be asked
	// Reached returns the addresses at which this client has met a node, for invitations to it. Nil: none.
	Reached func(identity.ID) []string
}

func (a Asker) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, a.Timeout)
}

// Topic returns what has arrived of a room's topic; of a room that is not open, what the node's list says.
func (a Asker) Topic(ctx context.Context, room string) (command.TopicAnswer, error) {
	if state, ok := a.Client.Room(room); ok {
		return command.TopicAnswer{Room: room, Topic: state.Topic}, nil
	}
	list, err := a.List(ctx)
	i := slices.IndexFunc(list.Rooms, func(r command.RoomLine) bool { return r.Name == room })
	switch {
	case err != nil:
		return command.TopicAnswer{}, err
	case i < 0:
		return command.TopicAnswer{}, &client.RefusedError{Code: chat.NoSuchRoom}
	}
	return command.TopicAnswer{Room: room, Topic: list.Rooms[i].Topic}, nil
}

// Names returns who is in a room.
func (a Asker) Names(ctx context.Context, room string) (command.NamesAnswer, error) {
	ctx, cancel := a.limit(ctx)
	defer cancel()
	people, total, err := a.Client.Names(ctx, room)
	answer := command.NamesAnswer{Room: room, Total: total}
	for _, p := range people {
		answer.People = append(answer.People, who(p))
	}
	return answer, err
}

// Whois returns what the node tells about a person.
func (a Asker) Whois(ctx context.Context, name string) (command.WhoisAnswer, error) {
	ctx, cancel := a.limit(ctx)
	defer cancel()
	info, err := a.Client.Whois(ctx, name)
	return command.WhoisAnswer{
		Who: who(info.Person), Sessions: info.Sessions, Rooms: info.Rooms, Since: info.Since, AwaySince: info.AwaySince, AwayText: info.AwayText,
		Via: info.Via,
	}, err
}

// Away has others see that the user is away, or is back.
func (a Asker) Away(ctx context.Context, text string, away bool) error {
	ctx, cancel := a.limit(ctx)
	defer cancel()
	return a.Client.Away(ctx, text, away)
}

// List returns the rooms of the node.
func (a Asker) List(ctx context.Context) (command.ListAnswer, error) {
	ctx, cancel := a.limit(ctx)
	defer cancel()
	rooms, err := a.Client.List(ctx)
	var answer command.ListAnswer
	for _, r := range rooms {
		answer.Rooms = append(answer.Rooms, command.RoomLine(r))
	}
	return answer, err
}

// History returns messages of a room.
func (a Asker) History(ctx context.Context, room string, q command.HistoryQuery) (command.HistoryAnswer, error) {
	ctx, cancel := a.limit(ctx)
	defer cancel()
	ask := client.HistoryQuery{Before: q.Before, N: q.N}
	if q.Since > 0 {
		ask.Since = time.Now().Add(-q.Since)
	}
	list, more, err := a.Client.History(ctx, room, ask)
	return command.HistoryAnswer{Room: room, Query: q, Said: a.said(ctx, list), More: more}, err
}

// Search returns messages by the words in them.
func (a Asker) Search(ctx context.Context, q command.SearchQuery) (command.SearchAnswer, error) {
	ctx, cancel := a.limit(ctx)
	defer cancel()
	found, err := a.Client.Search(ctx, client.SearchQuery{Words: q.Words, Room: q.Room, From: q.From, Before: q.Before, N: command.SearchHits})
	return command.SearchAnswer{Query: q, Hits: a.said(ctx, found.Hits), Next: found.Next, Behind: found.Behind}, err
}

// maxRounds is how many searches one question for mentions makes: a name may begin many other words.
const maxRounds = 5

// Mentions returns messages of others with the user's name in them, at most command.SearchHits. The name is the one that the node knows the user by,
// which it is asked for.
func (a Asker) Mentions(ctx context.Context, before uint64) (command.MentionsAnswer, error) {
	ctx, cancel := a.limit(ctx)
	defer cancel()
	self, err := a.Client.Whois(ctx, a.ID.String())
	answer := command.MentionsAnswer{Name: self.Name, Next: before}
	var hits []client.Message
	for round := 0; err == nil && round < maxRounds && len(hits) < command.SearchHits && (round == 0 || answer.Next > 0); round++ {
		var found client.Found
		found, err = a.Client.Search(ctx, client.SearchQuery{Words: chat.BaseName(self.Name), Before: answer.Next, N: command.SearchHits - len(hits)})
		for _, m := range found.Hits {
			if !m.Own && m.Name != self.Name && chat.Mentions(m.Text, self.Name) {
				hits = append(hits, m)
			}
		}
		answer.Next, answer.Behind = found.Next, found.Behind
	}
	answer.Hits = a.said(ctx, hits)
	return answer, err
}

// Keep returns how long a room is kept, after changing it unless change is nil.
func (a Asker) Keep(ctx context.Context, room string, change *command.Keep) (command.KeepAnswer, error) {
	ctx, cancel := a.limit(ctx)
	defer cancel()
	var holds client.Keep
	var err error
	if change == nil {
		holds, err = a.Client.Keep(ctx, room)
	} else {
		holds, err = a.Client.SetKeep(ctx, room, client.Keep(*change))
	}
	return command.KeepAnswer{Room: room, Keep: command.Keep(holds)}, err
}

// Release takes a name from its owner.
func (a Asker) Release(ctx context.Context, name string) (command.ReleaseAnswer, error) {
	ctx, cancel := a.limit(ctx)
	defer cancel()
	owner, err := a.Client.Release(ctx, name)
	return command.ReleaseAnswer{Name: owner.Name, Owner: who(owner)}, err
}

// said returns messages as answers have them.
func (a Asker) said(ctx context.Context, list []client.Message) []command.Said {
	if a.Reader != nil {
		a.Reader.Names(ctx, list)
	}
	var known map[uint64]identity.ID
	ignored := a.Client.Ignored()
	if (a.Authors || len(ignored) > 0) && len(list) > 0 {
		ctx, cancel := context.WithTimeout(ctx, AuthorWait)
		defer cancel()
		var from []uint64
		for i := range list {
			if !list[i].Own {
				from = append(from, list[i].From)
			}
		}
		known = a.Client.Authors(ctx, from)
	}
	all := make([]command.Said, len(list))
	for i, m := range list {
		all[i] = command.Said{
			Room: m.Room, To: m.To, Seq: m.Seq, ID: m.ID, Epoch: m.Epoch, Name: m.Name, Kind: m.Kind, Time: m.Time, Text: m.Text, Re: m.Re, Own: m.Own, Whom: m.Whom,
			Sealed: m.Sealed, Unreadable: m.Unreadable, Removed: m.Removed, At: m.At, Forked: m.Forked,
		}
		id, ok := known[m.From]
		if m.Own {
			id, ok = a.ID, true
		}
		if ok {
			all[i].Author, all[i].Ignored = id.String(), !m.Own && m.Kind != chat.Act && isAmong(ignored, id)
		}
	}
	return all
}

func who(p client.Person) command.Who {
	return command.Who{ID: p.ID.String(), Name: p.Name, Away: p.Away}
}
