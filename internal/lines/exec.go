package lines

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
)

// exec does what the input says, line after line. Its goroutine owns it.
type exec struct {
	cfg   *Config
	sink  sink
	tally *tally
	rooms *rooms

	talks []string // rooms and conversations in the order in which lines went to them: they go to the last. Only lines change it,
	// never the node: what was typed for one room must not be read in another because the node has closed the first in between.
	from source // of the line being done
	sent int    // sends so far, refused ones included
	quit bool   // a command has said so
}

// reading is how an exec ended.
type reading struct {
	quit bool  // a command said so
	err  error // why the input could not be read to its end
}

func newExec(cfg *Config, sink sink, tally *tally, rooms *rooms) *exec {
	talks := slices.Clone(cfg.Rooms)
	slices.Reverse(talks)
	return &exec{cfg: cfg, sink: sink, tally: tally, rooms: rooms, talks: talks}
}

// room returns where lines go.
func (x *exec) room() string {
	if len(x.talks) == 0 {
		return ""
	}
	return x.talks[len(x.talks)-1]
}

// run does lines until they end, a command says quit, or ctx ends.
func (x *exec) run(ctx context.Context, lines <-chan line) reading {
	for !x.quit {
		select {
		case <-ctx.Done():
			return reading{}
		case l := <-lines:
			switch {
			case errors.Is(l.err, io.EOF):
				return reading{}
			case l.err != nil:
				return reading{err: fmt.Errorf("read input: %w", l.err)}
			}
			x.from = source{Line: l.n}
			x.line(ctx, l)
		}
	}
	return reading{quit: true}
}

func (x *exec) line(ctx context.Context, l line) {
	switch {
	case l.tooLong:
		x.refuse(fault{code: chat.TooLong.String(), text: x.tooLong()})
	case strings.TrimSpace(l.text) == "":
	case x.cfg.JSON:
		x.json(ctx, l.text)
	case x.cfg.Terminal && !x.cfg.Whole || x.cfg.Commands:
		x.typed(ctx, l.text)
	default:
		x.call(ctx, command.Call{Name: command.Say, Args: []string{l.text}})
	}
}

func (x *exec) tooLong() string {
	if x.cfg.JSON {
		return fmt.Sprintf("a line of JSON holds at most %d bytes", maxJSON)
	}
	return chat.TooLong.Sentence()
}

// typed does a line in which commands are understood.
func (x *exec) typed(ctx context.Context, text string) {
	call, err := command.Parse(text)
	var wrong *command.Error
	if errors.As(err, &wrong) {
		x.fail(fault{code: string(wrong.Reason), text: wrong.Text})
		return
	}
	x.call(ctx, call)
}

func (x *exec) json(ctx context.Context, text string) {
	q, err := parseRequest(text)
	x.from.Ref = q.ref
	if q.sends {
		x.sent++
		x.from.N = x.sent
	}
	var wrong *requestError
	switch {
	case errors.As(err, &wrong) && q.sends:
		x.refuse(fault{code: wrong.code, text: wrong.text})
	case errors.As(err, &wrong):
		x.fail(fault{code: wrong.code, text: wrong.text})
	case !q.sends:
		x.call(ctx, q.call)
	case q.room == "" && x.room() == "":
		x.refuse(fault{code: "no_room", text: command.ErrNoRoom.Error()})
	default:
		if q.room == "" {
			q.room = x.room()
		}
		// A failure is told and counted by send.
		_ = x.send(ctx, client.Draft{Room: q.room, Kind: chat.Text, Text: q.text, Re: q.re})
	}
}

// told is an error that has been told and counted already.
type told struct{ error }

// call runs a command, or says a text.
func (x *exec) call(ctx context.Context, call command.Call) {
	err := command.Run(ctx, call, env{x})
	var wrong *command.Error
	switch {
	case err == nil, errors.As(err, new(told)):
	case errors.As(err, &wrong):
		x.fail(fault{code: string(wrong.Reason), text: wrong.Text})
	case errors.Is(err, command.ErrNoRoom):
		x.refuse(fault{code: "no_room", text: err.Error()})
	default:
		x.fail(faultOf(err))
	}
}

// send hands a message to the client. What the client would refuse anyway is refused here, as the limits of a node may change but
// the line's number is known now.
func (x *exec) send(ctx context.Context, d client.Draft) error {
	if code := chat.CheckText(d.Kind, d.Text); code != chat.OK {
		x.refuse(fault{code: code.String(), text: code.Sentence()})
		return told{errors.New(code.String())}
	}
	d.Ref = x.from.mark()
	x.tally.sending()
	_, err := x.cfg.Client.Send(ctx, d)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, client.ErrClosed), ctx.Err() != nil:
		// Read and not sent: it stays among those that are not known to be kept.
		return told{err}
	}
	x.tally.unsent()
	x.sink.reject(x.from, faultOf(err))
	return told{err}
}

// refuse tells of a message that is not sent. Somebody at a terminal sees it and types it anew.
func (x *exec) refuse(why fault) {
	if !x.cfg.Terminal {
		x.tally.miss()
	}
	x.sink.reject(x.from, why)
}

// fail tells of any other line that can't be done.
func (x *exec) fail(why fault) {
	if !x.cfg.Terminal {
		x.tally.fail()
	}
	x.sink.reject(x.from, why)
}

// env is what the commands work on. Questions are given Config.Timeout.
type env struct{ x *exec }

func (e env) Room() string                              { return e.x.room() }
func (e env) Show(a command.Answer)                     { e.x.sink.answer(e.x.from, a) }
func (e env) Quit()                                     { e.x.quit = true }
func (e env) client() Client                            { return e.x.cfg.Client }
func (e env) listens() bool                             { return e.x.cfg.Listens() }
func (e env) Nick(_ context.Context, name string) error { return e.client().Nick(name) }

func (e env) Say(ctx context.Context, room string, kind chat.Kind, text string) error {
	return e.x.send(ctx, client.Draft{Room: room, Kind: kind, Text: text})
}

// Join enters a room, if others' messages are printed at all; else it only has lines go there.
func (e env) Join(_ context.Context, room string) error {
	x := e.x
	asked := slices.Contains(x.talks, room) && x.rooms.has(room)
	before := x.talks
	x.talks = append(without(x.talks, room), room)
	if asked || isDirect(room) || !e.listens() {
		return nil
	}
	x.rooms.enter(room)
	err := e.client().Join(room)
	if err != nil {
		x.rooms.leave(room)
		x.talks = before
	}
	return err
}

func (e env) Part(_ context.Context, room string) error {
	x := e.x
	known := slices.Contains(x.talks, room)
	x.talks = without(x.talks, room)
	switch {
	case !isDirect(room) && e.listens():
		return e.client().Part(room)
	case !known:
		return &client.RefusedError{Code: chat.NotJoined}
	}
	return nil // nobody was told of it, and nobody need be
}

func (e env) Topic(ctx context.Context, room string) (command.TopicAnswer, error) {
	if state, ok := e.client().Room(room); ok {
		return command.TopicAnswer{Room: room, Topic: state.Topic}, nil
	}
	list, err := e.List(ctx)
	i := slices.IndexFunc(list.Rooms, func(r command.RoomLine) bool { return r.Name == room })
	switch {
	case err != nil:
		return command.TopicAnswer{}, err
	case i < 0:
		return command.TopicAnswer{}, &client.RefusedError{Code: chat.NoSuchRoom}
	}
	return command.TopicAnswer{Room: room, Topic: list.Rooms[i].Topic}, nil
}

func (e env) Names(ctx context.Context, room string) (command.NamesAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, e.x.cfg.Timeout)
	defer cancel()
	people, total, err := e.client().Names(ctx, room)
	answer := command.NamesAnswer{Room: room, Total: total}
	for _, p := range people {
		answer.People = append(answer.People, who(p))
	}
	return answer, err
}

func (e env) Whois(ctx context.Context, name string) (command.WhoisAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, e.x.cfg.Timeout)
	defer cancel()
	info, err := e.client().Whois(ctx, name)
	return command.WhoisAnswer{Who: who(info.Person), Sessions: info.Sessions, Rooms: info.Rooms, Since: info.Since}, err
}

func (e env) List(ctx context.Context) (command.ListAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, e.x.cfg.Timeout)
	defer cancel()
	rooms, err := e.client().List(ctx)
	var answer command.ListAnswer
	for _, r := range rooms {
		answer.Rooms = append(answer.Rooms, command.RoomLine(r))
	}
	return answer, err
}

func who(p client.Person) command.Who { return command.Who{ID: p.ID.String(), Name: p.Name} }
