package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
	"chatnode/internal/talk"
)

// env is what commands work on that are done at once: the model. The questions of command.Env are the Asker's.
type env struct {
	talk.Asker
	m       *model
	b       *buffer // where the command was typed
	room    string
	answers []command.Answer
	acts    []chat.ActOf // of asking: to be sent when the answers are there
	cmd     tea.Cmd
}

// asking is what commands work on that wait for the node's answer, outside of Bubble Tea's loop: it has no hand on the model.
type asking struct{ env }

func (e *asking) Room() string { return e.room }

// Act keeps an act until the loop sends it, and Message finds no message that is selected: those are looked for where the model is at hand.
func (e *asking) Act(_ context.Context, _ string, act chat.ActOf) error {
	e.acts = append(e.acts, act)
	return nil
}

func (e *asking) Message(ctx context.Context, room string, seq uint64) (chat.ID, error) {
	return e.MessageAt(ctx, room, seq)
}

func (e *env) Act(_ context.Context, room string, act chat.ActOf) error { return e.m.act(room, act) }

// Message returns the id of the selected message, or of the last that another has said here; those with numbers are asked for elsewhere.
func (e *env) Message(context.Context, string, uint64) (chat.ID, error) {
	r, err := e.meant()
	if err != nil {
		return chat.ID{}, err
	}
	return r.id, nil
}

// meant returns the row of the selected message, or of the last that another has said here.
func (e *env) meant() (*row, error) {
	r := e.b.view().At(e.b.picked)
	for i := e.b.pane.End() - 1; r == nil && i >= e.b.pane.First(); i-- {
		if said := e.b.pane.At(i); said.kind == rowSaid && !said.own && said.id != (chat.ID{}) && (said.say == chat.Text || said.say == chat.Action) {
			r = said
		}
	}
	if r == nil || r.id == (chat.ID{}) {
		return nil, errors.New("nobody else has said anything here that could be meant; Alt-↑ selects a message")
	}
	return r, nil
}

func (e *env) Show(a command.Answer) { e.answers = append(e.answers, a) }
func (e *env) Room() string          { return e.b.room() }

func (e *env) Say(_ context.Context, room string, kind chat.Kind, text string) error {
	return e.m.send(client.Draft{Room: room, Kind: kind, Text: text})
}

// Reply answers the selected message, or the last that another has said here.
func (e *env) Reply(ctx context.Context, room, text string) error {
	id, err := e.Message(ctx, room, 0)
	if err != nil {
		return err
	}
	return e.m.send(client.Draft{Room: room, Kind: chat.Text, Text: text, Re: id})
}

// Report sends the message that Reply would answer to the admins' room.
func (e *env) Report(_ context.Context, room, text string) error {
	r, err := e.meant()
	if err != nil {
		return err
	}
	said := command.Reported{Room: room, Seq: r.seq, ID: r.id, Name: r.name, Text: r.text}
	return e.m.send(client.Draft{Room: chat.Reports, Kind: chat.Text, Text: said.Line(text)})
}

func (e *env) Join(_ context.Context, room string) error { return e.m.enter(room) }

func (e *env) Query(_ context.Context, name string) error { return e.m.enter(chat.DirectMark + name) }

// Part leaves a room; a conversation can't be left, only closed.
func (e *env) Part(ctx context.Context, room string) error { return e.Close(ctx, room) }

// Close takes a buffer off the list: a room is left, a conversation comes back with its next message.
func (e *env) Close(_ context.Context, room string) error {
	b := e.m.find(room)
	if room == "" {
		b = e.b
	}
	switch {
	case b == nil:
		return &client.RefusedError{Code: chat.NotJoined}
	case b.kind == bufStatus:
		return errors.New("this one stays; /quit ends chatnode")
	case b.kind == bufFound:
		e.m.close(b)
	case b.isUnmet() && b.last == 0 && len(b.waiting) == 0:
		e.m.close(b) // nothing was ever said in it
	case b.kind == bufDirect:
		e.m.hide(b)
		e.m.prefer(b)
	case b.joined || b.closed == chat.OK:
		return e.m.client.Part(b.name)
	default:
		e.m.close(b)
	}
	return nil
}

func (e *env) Nick(_ context.Context, name string) error { return e.m.client.Nick(name) }

func (e *env) Quit() { e.cmd = e.m.quit() }

// Notify sets which messages of a room ring, or tells it.
func (e *env) Notify(_, level string) error {
	if !e.b.talks() {
		return command.ErrNoRoom
	}
	if level != "" {
		e.b.ring = ring(max(0, slices.Index(rings, level)))
		e.m.prefer(e.b)
	}
	e.b.note(fmt.Sprintf("in %s %s (%s)", e.b.label(), ringTexts[e.b.ring], rings[e.b.ring]), e.m.cfg.Now())
	return nil
}

func (e *env) Resend(string) error { return e.m.resend(e.b) }

// Clear empties the screen of a room. What was said stays where it is, and can be scrolled back to.
func (e *env) Clear(string) {
	b := e.b
	tail := b.takeTail()
	b.pane.Clear()
	b.bytes = 0
	b.pane.Append(tail...)
	b.folded = 0
	b.past, b.fetching, b.refused = nil, false, nil
	b.pick(none)
	if b.talks() {
		b.low, b.fromStart, b.halted = b.last+1, false, true
	}
}

// Buffer turns to a buffer by its number or name.
func (e *env) Buffer(which string) error {
	if n, err := strconv.Atoi(which); err == nil && n >= 0 && e.m.number(n) {
		return nil
	}
	wanted := chat.Fold(strings.TrimPrefix(which, "#"))
	for _, begins := range []func(string, string) bool{func(s, t string) bool { return s == t }, strings.HasPrefix, strings.Contains} {
		for _, b := range e.m.visible() {
			name := chat.Fold(b.name)
			if b.kind == bufStatus || b.kind == bufFound {
				name = chat.Fold(b.label())
			}
			if begins(name, wanted) || begins(strings.TrimPrefix(name, chat.DirectMark), wanted) {
				e.m.show(b)
				return nil
			}
		}
	}
	return fmt.Errorf("there is no buffer %s", chat.OneLine(which))
}
