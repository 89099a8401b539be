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
	"chatnode/internal/talk"
)

// exec does what the input says, line after line. Its goroutine owns it.
type exec struct {
	cfg   *Config
	sink  sink
	tally *tally
	rooms *rooms
	heard *heard
	asker talk.Asker

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

func newExec(cfg *Config, sink sink, tally *tally, rooms *rooms, heard *heard, known *talk.Reader) *exec {
	talks := slices.Clone(cfg.Rooms)
	slices.Reverse(talks)
	// Only programs are told whose keys the authors are.
	asker := talk.Asker{Client: cfg.Client, Timeout: cfg.Timeout, ID: cfg.ID, Authors: cfg.JSON, Reached: cfg.Reached}
	if !cfg.JSON {
		asker.Reader = known
	}
	return &exec{cfg: cfg, sink: sink, tally: tally, rooms: rooms, heard: heard, asker: asker, talks: talks}
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
		x.refuse(talk.Fault{Code: chat.TooLong.String(), Text: x.tooLong()})
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
		x.fail(talk.Fault{Code: string(wrong.Reason), Text: wrong.Text})
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
		x.refuse(talk.Fault{Code: wrong.code, Text: wrong.text})
	case errors.As(err, &wrong):
		x.fail(talk.Fault{Code: wrong.code, Text: wrong.text})
	case !q.sends:
		x.call(ctx, q.call)
	case q.room == "" && x.room() == "":
		x.refuse(talk.Fault{Code: "no_room", Text: command.ErrNoRoom.Error()})
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
	err := command.Run(ctx, call, env{x.asker, x})
	var wrong *command.Error
	switch {
	case err == nil, errors.As(err, new(told)):
	case errors.As(err, &wrong):
		x.fail(talk.Fault{Code: string(wrong.Reason), Text: wrong.Text})
	case errors.Is(err, command.ErrNoRoom):
		x.refuse(talk.Fault{Code: "no_room", Text: err.Error()})
	case errors.Is(err, command.ErrNoMessage):
		x.refuse(talk.Fault{Code: "no_message", Text: err.Error()})
	default:
		x.fail(talk.FaultOf(err))
	}
}

// send hands a message to the client. What the client would refuse anyway is refused here, as the limits of a node may change but
// the line's number is known now.
func (x *exec) send(ctx context.Context, d client.Draft) error {
	if code := chat.CheckText(d.Kind, d.Text); code != chat.OK {
		x.refuse(talk.Fault{Code: code.String(), Text: code.Sentence()})
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
	x.sink.reject(x.from, talk.FaultOf(err))
	return told{err}
}

// refuse tells of a message that is not sent. Somebody at a terminal sees it and types it anew.
func (x *exec) refuse(why talk.Fault) {
	if !x.cfg.Terminal {
		x.tally.miss()
	}
	x.sink.reject(x.from, why)
}

// fail tells of any other line that can't be done.
func (x *exec) fail(why talk.Fault) {
	if !x.cfg.Terminal {
		x.tally.fail()
	}
	x.sink.reject(x.from, why)
}

// env is what the commands work on.
type env struct {
	talk.Asker // answers questions, each within Config.Timeout
	x          *exec
}

func (e env) Room() string                              { return e.x.room() }
func (e env) Show(a command.Answer)                     { e.x.sink.answer(e.x.from, a) }
func (e env) Quit()                                     { e.x.quit = true }
func (e env) listens() bool                             { return e.x.cfg.Listens() }
func (e env) Nick(_ context.Context, name string) error { return e.Client.Nick(name) }

func (e env) Say(ctx context.Context, room string, kind chat.Kind, text string) error {
	return e.x.send(ctx, client.Draft{Room: room, Kind: kind, Text: text})
}

// Reply answers the last message that somebody else said in room and that was printed.
func (e env) Reply(ctx context.Context, room, text string) error {
	re, err := e.Message(ctx, room, 0)
	if err != nil {
		return err
	}
	return e.x.send(ctx, client.Draft{Room: room, Kind: chat.Text, Text: text, Re: re})
}

// Report sends the last message that somebody else said in room and that was printed to the admins' room.
func (e env) Report(ctx context.Context, room, text string) error {
	said := e.x.heard.lastIn(room)
	if said.ID.IsZero() {
		return command.ErrNoMessage
	}
	return e.x.send(ctx, client.Draft{Room: chat.Reports, Kind: chat.Text, Text: said.Line(text)})
}

// Act hands an act over as a message, which it is.
func (e env) Act(ctx context.Context, room string, act chat.ActOf) error {
	return e.x.send(ctx, client.Draft{Room: room, Kind: chat.Act, Text: act.String()})
}

// Message returns the id of a message, of the last that somebody else said in room and that was printed where no number is given.
func (e env) Message(ctx context.Context, room string, seq uint64) (chat.ID, error) {
	if seq > 0 {
		return e.MessageAt(ctx, room, seq)
	}
	id := e.x.heard.lastIn(room).ID
	if id.IsZero() {
		return id, command.ErrNoMessage
	}
	return id, nil
}

func (e env) Query(ctx context.Context, name string) error { return e.Join(ctx, chat.DirectMark+name) }

// Close leaves a room, as lines have no other place to put one.
func (e env) Close(ctx context.Context, room string) error {
	if room == "" {
		return command.ErrNoRoom
	}
	return e.Part(ctx, room)
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
	err := e.Client.Join(room)
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
		return e.Client.Part(room)
	case !known:
		return &client.RefusedError{Code: chat.NotJoined}
	}
	return nil // nobody was told of it, and nobody need be
}
