package tui

import (
	"context"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/talk"
)

// question stands where the input does until one of its keys is pressed.
type question struct {
	lines   []string // what it shows above its answers
	answers []choice
}

// choice is one answer to a question.
type choice struct {
	key  string // as Bubble Tea names it
	name string // as it is shown
	help string
	do   func() tea.Cmd
}

// keys is the line of a question that says which answers there are.
func (q *question) keys() string {
	text := ""
	for i, c := range q.answers {
		if i > 0 {
			text += " · "
		}
		text += c.name + " " + c.help
	}
	return text
}

// choose takes a key while a question stands: one of its answers, or Ctrl-C for Esc. All others are passed over: what is typed blindly must not
// answer it.
func (m *model) choose(k tea.KeyPressMsg) tea.Cmd {
	key := k.String()
	if key == "ctrl+c" {
		key = "esc"
	}
	for _, c := range m.question.answers {
		if key == c.key {
			m.question = nil
			return c.do()
		}
	}
	return nil
}

// paste takes in what was pasted. More than a few lines are not put into the input: there is a question first.
func (m *model) paste(text string) tea.Cmd {
	if m.question != nil {
		return nil
	}
	cmd := m.typed()
	if _, guarded := pasteGuard(text); !guarded && m.input.insert(text) {
		m.input.suggest(m)
		return cmd
	}
	m.askPaste(newPaste(text))
	return cmd
}

// askPaste asks what is to become of a paste of many lines.
func (m *model) askPaste(p *pasteQuestion) {
	if p.lost {
		m.say("that is more than can be pasted; nothing of it was taken")
		return
	}
	b := m.shown
	q := &question{lines: append([]string{fmt.Sprintf("%s pasted:", talk.Count(uint64(p.lines), "line", "lines"))}, p.preview(max(1, m.width-2), 4)...)}
	one := choice{"enter", "Enter", "sends it as one message", func() tea.Cmd { return m.sendAll(b, p.parts) }}
	if p.tooLong {
		one.help = fmt.Sprintf("sends it as %d messages: one can't hold it", len(p.parts))
	}
	if b.talks() {
		q.answers = append(q.answers, one)
	}
	if !p.tooLong {
		q.answers = append(q.answers, choice{"e", "e", "edits it first", func() tea.Cmd {
			if !m.input.insert(p.text) {
				m.say("it does not fit behind what is typed already")
			}
			return nil
		}})
	}
	if b.talks() {
		q.answers = append(q.answers, choice{"l", "l", "sends each line by itself", func() tea.Cmd { return m.sendAll(b, p.byLine()) }})
	}
	q.answers = append(q.answers, choice{"esc", "Esc", "drops it", func() tea.Cmd { return nil }})
	m.question = q
}

// sendAll says texts in a room, one after the other. When one can't be sent there is the same question again, about what is left.
func (m *model) sendAll(b *buffer, texts []string) tea.Cmd {
	for i, text := range texts {
		if chat.CheckText(chat.Text, text) == chat.Empty {
			continue
		}
		if err := m.send(client.Draft{Room: b.name, Kind: chat.Text, Text: text}); err != nil {
			m.say(fmt.Sprintf("%s not sent: %s", talk.Count(uint64(len(texts)-i), "message was", "messages were"), faultText(err)))
			m.askPaste(newPaste(strings.Join(texts[i:], "\n")))
			return nil
		}
	}
	return nil
}

// quit ends the program, after a question when something that was sent is not known to be kept.
func (m *model) quit() tea.Cmd {
	n := m.client.Pending()
	if n == 0 {
		return m.goodbye(grace)
	}
	wait := func() tea.Cmd { return m.goodbye(0) }
	if m.quitting {
		wait = func() tea.Cmd { return nil } // it does
	}
	later := "quits now: they go out at the next start"
	if !m.cfg.Kept {
		later = "quits now: they are lost"
	}
	m.question = &question{
		lines: []string{talk.Count(uint64(n), "message is", "messages are") + " not known to be kept"},
		answers: []choice{
			{"w", "w", "waits for them", wait},
			{"q", "q", later, func() tea.Cmd { m.client.Close(); return nil }},
			{"esc", "Esc", "stays", func() tea.Cmd { return nil }},
		},
	}
	return nil
}

// goodbye has the client end once all is answered, or after limit when that is not 0. What ends the program is the end of the client's events.
func (m *model) goodbye(limit time.Duration) tea.Cmd {
	if m.quitting {
		m.client.Close()
		return nil
	}
	m.quitting, m.flash = true, "" // the status says so
	return func() tea.Msg {
		ctx, cancel := m.asking, context.CancelFunc(func() {})
		if limit > 0 {
			ctx, cancel = context.WithTimeout(ctx, limit)
		}
		defer cancel()
		if m.client.Quit(ctx) != nil {
			m.client.Close()
		}
		return nil
	}
}

// clearOrQuit is Ctrl-C: it takes back what is typed, and pressed again within two seconds it quits.
func (m *model) clearOrQuit() tea.Cmd {
	const again = 2 * time.Second
	now := m.cfg.Now()
	switch {
	case m.quitting:
		m.client.Close()
		return nil
	case !m.cleared.IsZero() && now.Sub(m.cleared) < again:
		m.cleared = time.Time{}
		return m.quit()
	}
	m.cleared = now
	if !m.input.isEmpty() {
		m.input.remember(m.input.value())
		m.input.clear()
	}
	m.say("Ctrl-C again quits")
	return nil
}

// composed takes what an editor has left.
func (m *model) composed(msg composed) tea.Cmd {
	if err := m.input.composed(msg); err != nil {
		m.say(chat.OneLine(err.Error()))
	}
	return nil
}
