package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
	"chatnode/internal/talk"
)

// submit is Enter: what is typed is said or done. What can't be stays in the input, with the reason.
func (m *model) submit() tea.Cmd {
	text := m.input.value()
	if strings.TrimSpace(text) == "" {
		if m.shown.kind == bufFound {
			return m.goToFound()
		}
		return nil
	}
	m.input.clear() // before it is done: what is typed in another room is another draft
	cmd, err := m.do(text)
	if err != nil {
		m.input.set(text)
		m.say(faultText(err))
		return cmd
	}
	m.input.remember(text)
	return cmd
}

// faultText is why something can't be done, for the one who typed it.
func faultText(err error) string {
	var wrong *command.Error
	switch {
	case errors.As(err, &wrong):
		return wrong.Text
	case errors.Is(err, command.ErrNoRoom):
		return err.Error()
	}
	return talk.FaultOf(err).Text
}

// do does one line. A command that asks the node is answered later; everything else is done when this returns, in the order in which it was typed.
func (m *model) do(text string) (tea.Cmd, error) {
	call, err := command.Parse(text)
	if err != nil {
		return nil, err
	}
	b := m.shown
	if !call.Asks() {
		e := env{Asker: m.asker, m: m, b: b}
		if err := command.Run(m.asking, call, &e); err != nil {
			return e.cmd, err
		}
		m.answer(b, e.answers)
		return e.cmd, nil
	}
	e := asking{env{Asker: m.asker, b: b, room: b.room()}}
	return func() tea.Msg {
		err := command.Run(m.asking, call, &e)
		return answered{b, e.answers, e.acts, err}
	}, nil
}

// answered is what the node said to a command.
type answered struct {
	b       *buffer
	answers []command.Answer
	acts    []chat.ActOf // that can be sent now
	err     error
}

// answered shows an answer where it was asked for, or where the user is now if that place is closed.
func (m *model) answered(msg answered) tea.Cmd {
	if msg.err != nil {
		m.say(faultText(msg.err))
	}
	room := msg.b.name // an act is for that one, wherever the user is by now
	if !slices.Contains(m.buffers, msg.b) {
		msg.b = m.shown
	}
	m.answer(msg.b, msg.answers)
	for _, act := range msg.acts {
		if err := m.act(room, act); err != nil {
			m.say(faultText(err))
		}
	}
	for _, a := range msg.answers {
		if _, ok := a.(command.IgnoreAnswer); ok {
			return m.reignore()
		}
	}
	return nil
}

// answer shows what a command has asked for, where it was typed.
func (m *model) answer(b *buffer, answers []command.Answer) {
	for _, a := range answers {
		switch a := a.(type) {
		case command.SearchAnswer:
			m.showFound(search{query: a.Query}, found{hits: a.Hits, next: a.Next, behind: a.Behind})
		case command.MentionsAnswer:
			m.showFound(search{mentions: true}, found{hits: a.Hits, next: a.Next, behind: a.Behind})
		case command.InviteAnswer:
			m.notes(b, a)
			m.showQR(b, a)
		default:
			m.notes(b, a)
		}
	}
}

// notes shows an answer as lines.
func (m *model) notes(b *buffer, a command.Answer) {
	for _, line := range a.Lines(m.cfg.Zone) {
		b.note(line, m.cfg.Now())
	}
	m.toEnd(b)
}

// showQR draws the link of an invitation for a camera, where there is room for it.
func (m *model) showQR(b *buffer, a command.InviteAnswer) {
	rows := talk.QR(a.Link)
	wide, high := m.paneSize()
	if len(rows) == 0 || len(rows) > high || chat.Width(rows[0])+noteIndent > wide {
		return
	}
	for _, line := range rows {
		b.add(row{kind: rowPicture, text: line, at: m.cfg.Now()})
	}
}

// room is where talk goes from this buffer, as package command has it: "" for nowhere.
func (b *buffer) room() string {
	if b.talks() {
		return b.name
	}
	return ""
}

// unblocked is a context for sends that are not to wait: what the outbox does not take at once stays in the input.
var unblocked = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// errOutbox says that as much waits to be sent as the client keeps.
var errOutbox = errors.New("as many messages wait for the node as are kept; this one stays here until there is room")

// send hands a message over. It stands in its room at once, marked until it is kept.
func (m *model) send(d client.Draft) error {
	if code := chat.CheckText(d.Kind, d.Text); code != chat.OK {
		return &client.RefusedError{Code: code}
	}
	b := m.find(d.Room)
	if b != nil && !b.peer.IsZero() {
		d.Room = chat.DirectMark + b.peer.String() // whoever has the name by now
	}
	n, err := m.client.Send(unblocked, d)
	switch {
	case errors.Is(err, context.Canceled):
		return errOutbox
	case err != nil:
		return err
	}
	if b == nil && isDirect(d.Room) {
		b = m.open(d.Room)
	}
	if b == nil || d.Kind == chat.Topic || d.Kind == chat.Act || !b.joined && b.kind == bufRoom {
		return nil // nothing of it will come; the acknowledgement is told
	}
	m.unhideFor(b)
	m.toEnd(b)
	b.style.newAt = 0
	r := row{
		kind: rowSaid, name: m.name, own: true, say: d.Kind, at: m.cfg.Now(), text: chat.CleanText(d.Kind, d.Text), re: d.Re, state: statePending,
		direct: b.kind == bufDirect,
	}
	b.quote(&r, nil)
	b.pane.Append(r)
	b.waiting = append(b.waiting, waiting{n: n})
	if b != m.shown {
		m.say(fmt.Sprintf("to %s: %s", b.label(), chat.OneLine(d.Text)))
	}
	return nil
}

// act hands an act over, which is a message. Its row comes when it is done.
func (m *model) act(room string, act chat.ActOf) error {
	return m.send(client.Draft{Room: room, Kind: chat.Act, Text: act.String()})
}

func (m *model) unhideFor(b *buffer) {
	if b.hidden {
		m.unhide(b)
	}
}

// resend sends again what was refused last in a buffer.
func (m *model) resend(b *buffer) error {
	if len(b.refused) == 0 {
		return errors.New("nothing was refused here")
	}
	last := b.refused[len(b.refused)-1]
	if err := m.send(last.draft); err != nil {
		return err
	}
	b.refused = b.refused[:len(b.refused)-1]
	for i := b.pane.End() - 1; i >= b.pane.First(); i-- {
		if r := b.pane.At(i); r.state == stateRefused && r.n == last.n {
			b.pane.Remove(i)
			break
		}
	}
	return nil
}

// enter joins a room, or turns to it.
func (m *model) enter(room string) error {
	if b := m.find(room); b != nil && (b.joined || isDirect(room)) {
		m.show(b)
		return nil
	}
	if !isDirect(room) {
		if err := m.client.Join(room); err != nil {
			return err
		}
	}
	m.show(m.open(room))
	return nil
}

// interrupt ends at the word of whoever started the program: what was sent has a short time to be answered.
func (m *model) interrupt() tea.Cmd {
	return m.goodbye(grace)
}
