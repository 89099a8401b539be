package talk

import (
	"context"
	"errors"
	"sync"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/identity"
)

// maxNames is how many people's names a Reader knows before it forgets all.
const maxNames = 4096

// Reader finds out what a person has to know of messages and the log tells by keys alone: which are by people whom the user ignores, and what those are
// called to whom acts are done. It sets Message.Ignored and Message.Whom. What it has to ask the node for is waited for, AuthorWait at most for
// all that is handed to it at once; when the node doesn't tell, a message is shown as it is: none is lost, or held up for long. While nobody is ignored
// and nothing moderated it costs nothing. Its methods may be called from any goroutine.
type Reader struct {
	client Client

	mu    sync.Mutex             // guards what follows; not held while the node is asked
	mute  bool                   // this link's node has not told in time, and is not asked again
	names map[identity.ID]string // by key; "" for one that the node doesn't know
}

// NewReader returns a Reader that asks by c.
func NewReader(c Client) *Reader { return &Reader{client: c, names: map[identity.ID]string{}} }

// Events completes the messages among events, in place, and notes the names that the others tell.
func (r *Reader) Events(ctx context.Context, events []client.Event) {
	due := len(r.client.Ignored()) > 0
	for _, e := range events {
		if m, ok := e.(client.Message); ok {
			due = due || m.Kind == chat.Act
		} else {
			r.note(e)
		}
	}
	if !due {
		return
	}
	var list []client.Message
	for _, e := range events {
		if m, ok := e.(client.Message); ok {
			list = append(list, m)
		}
	}
	r.Messages(ctx, list)
	for i := range events {
		if _, ok := events[i].(client.Message); !ok {
			continue
		}
		if list[0].Ignored || list[0].Whom != "" {
			events[i] = list[0]
		}
		list = list[1:]
	}
}

// Messages completes messages, in place.
func (r *Reader) Messages(ctx context.Context, list []client.Message) {
	ctx, cancel := context.WithTimeout(ctx, AuthorWait)
	defer cancel()
	r.ignore(ctx, list)
	r.Names(ctx, list)
}

// ignore marks what the user is not to see. What moderators do is for everybody.
func (r *Reader) ignore(ctx context.Context, list []client.Message) {
	ignored := r.client.Ignored()
	if len(ignored) == 0 || r.isMute() {
		return
	}
	may := func(m *client.Message) bool { return !m.Own && m.Kind != chat.Act }
	var from []uint64
	for i := range list {
		if may(&list[i]) {
			from = append(from, list[i].From)
		}
	}
	if len(from) == 0 {
		return
	}
	authors := r.client.Authors(ctx, from)
	r.waited(ctx)
	for i := range list {
		id, known := authors[list[i].From]
		list[i].Ignored = known && may(&list[i]) && isAmong(ignored, id)
	}
}

// Names sets Whom in those messages that are acts done to somebody, as far as it is known or the node tells it until ctx ends.
func (r *Reader) Names(ctx context.Context, list []client.Message) {
	for i := range list {
		if list[i].Kind != chat.Act {
			continue
		}
		if act, err := chat.ParseAct(list[i].Text); err == nil && act.Who != "" {
			list[i].Whom = r.nameOf(ctx, act.Who)
		}
	}
}

// nameOf returns what the person with a key is called, or nothing.
func (r *Reader) nameOf(ctx context.Context, key string) string {
	id, err := identity.ParseID(key)
	if err != nil {
		return ""
	}
	r.mu.Lock()
	name, known := r.names[id]
	known = known || r.mute
	r.mu.Unlock()
	if known {
		return name
	}
	info, err := r.client.Whois(ctx, key)
	switch {
	case err == nil:
		name = info.Name
	case !errors.As(err, new(*client.RefusedError)):
		r.waited(ctx)
		return ""
	}
	r.call(id, name)
	return name
}

// call notes what somebody is called.
func (r *Reader) call(id identity.ID, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.names) >= maxNames {
		clear(r.names)
	}
	r.names[id] = name
}

// note takes in what an event tells of people and of the link.
func (r *Reader) note(e client.Event) {
	switch e := e.(type) {
	case client.LinkUp:
		r.mu.Lock()
		defer r.mu.Unlock()
		r.mute = false
		clear(r.names) // of whom it did not know it may know more
	case client.Joined:
		r.call(e.ID, e.Name)
	case client.Renamed:
		r.call(e.ID, e.New)
	case client.Present:
		for _, p := range e.People {
			r.call(p.ID, p.Name)
		}
	}
}

func (r *Reader) isMute() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mute
}

// waited has the node be asked no more, if it has let the time pass.
func (r *Reader) waited(ctx context.Context) {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.mute = true
	}
}
