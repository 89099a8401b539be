package tui

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/chat"
)

// bare shows what is on the screen as text that the terminal itself wraps, until Enter is pressed: what is selected there copies clean.
func (m *model) bare() tea.Cmd {
	v := m.shown.view()
	from, to := v.Visible()
	var text strings.Builder
	fmt.Fprintf(&text, "\x1b[2J\x1b[H") // the terminal is its usual self now: an empty screen
	for i := from; i < to; i++ {
		if r := v.At(i); r != nil {
			text.WriteString(m.bareText(r))
		}
	}
	text.WriteString("\n-- Enter goes back --")
	return tea.Exec(&bareView{until: m.until, text: text.String()}, func(error) tea.Msg { return nil })
}

// bareText is a row without anything around it. The lines of a message are indented, but for its first: none can be taken for another's.
func (m *model) bareText(r *row) string {
	if r.kind != rowSaid {
		return "-- " + chat.OneLine(r.text) + "\n"
	}
	lines := strings.Split(r.text, "\n")
	for i := range lines {
		lines[i] = chat.OneLine(lines[i])
	}
	at, name := m.clock(r.at), chat.Shown(r.name)
	switch r.say {
	case chat.Action:
		return at + " * " + name + " " + strings.Join(lines, "\n    ") + "\n"
	case chat.Act:
		return at + " -- " + name + chat.OneLine(deed(r)) + strings.Join(lines, " ") + "\n"
	case chat.Topic:
		return at + " -- " + name + " set the topic: " + strings.Join(lines, " ") + "\n"
	}
	return at + " " + name + ": " + strings.Join(lines, "\n    ") + "\n"
}

// bareView is what has the terminal while it is bare.
type bareView struct {
	until context.Context
	text  string
	in    io.Reader
	out   io.Writer
}

func (b *bareView) SetStdin(r io.Reader)  { b.in = r }
func (b *bareView) SetStdout(w io.Writer) { b.out = w }
func (b *bareView) SetStderr(io.Writer)   {}

// Run prints the text and waits for the end of a line, or until the program is told to end.
func (b *bareView) Run() error {
	if _, err := io.WriteString(b.out, b.text); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { // ends with a line, or with the process that is told to end
		_, err := bufio.NewReader(b.in).ReadString('\n')
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-b.until.Done():
		_, err := io.WriteString(b.out, "\n")
		return err
	}
}
