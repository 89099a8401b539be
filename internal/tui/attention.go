package tui

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"chatnode/internal/chat"
	"chatnode/internal/talk"
)

const (
	// near is how long somebody is taken to be at the screen after a key, where the terminal does not tell.
	near = 30 * time.Second
	// ringEvery is how often the terminal rings at most.
	ringEvery = time.Second
	// rungText is how much of a message a notification shows, in columns.
	rungText = 120
)

// attention is whether there is somebody at the screen.
type attention struct {
	tells   bool // the terminal says whether it has the focus
	focused bool
	typed   time.Time // when a key was pressed last
	rung    time.Time // when the terminal rang last
	away    bool      // the node has been told, as nobody typed
}

func (a *attention) focus(on bool) { a.tells, a.focused = true, on }

// here reports whether somebody looks at the screen.
func (a *attention) here(now time.Time) bool {
	if a.tells {
		return a.focused
	}
	return now.Sub(a.typed) < near
}

// ring is which messages of a buffer ring.
type ring uint8

const (
	ringOn  ring = iota // mentions and conversations
	ringAll             // all
	ringOff             // none
)

// rings are the words for it.
var rings = []string{"on", "all", "off"}

// ringTexts say what they mean.
var ringTexts = []string{"mentions of you ring", "every message rings", "nothing rings"}

// What a note of a room says, besides a word of rings: a conversation was closed.
const noteClosed = "closed"

func hasNote(note, word string) bool { return slices.Contains(strings.Fields(note), word) }

func ringOf(note string) ring {
	for i, word := range rings {
		if hasNote(note, word) {
			return ring(i)
		}
	}
	return ringOn
}

// prefer has the client remember how a room is to be shown.
func (m *model) prefer(b *buffer) {
	var words []string
	if b.ring != ringOn {
		words = append(words, rings[b.ring])
	}
	if b.hidden {
		words = append(words, noteClosed)
	}
	if err := m.client.Prefer(b.name, strings.Join(words, " ")); err != nil {
		m.say("that is not remembered: " + talk.FaultOf(err).Text)
	}
}

// notify rings for a message, unless there is somebody who sees it or it is not to ring.
func (m *model) notify(b *buffer, r *row) tea.Cmd {
	now := m.cfg.Now()
	due := b.ring == ringAll || b.ring == ringOn && (r.mention || r.direct)
	if !due || m.person.here(now) || now.Sub(m.person.rung) < ringEvery {
		return nil
	}
	m.person.rung = now
	where := ""
	if b.kind == bufRoom {
		where = " in " + b.label()
	}
	return tea.Raw(notification(m.variable("TERM"), chat.Shown(r.name)+where, r.text))
}

// notification is what a terminal is told so that it calls its user: the bell, and words in the manner of the terminal. Those that speak of a notification
// as rxvt does (OSC 777) are few; the others know iTerm's (OSC 9), or pass over it.
func notification(term, title, text string) string {
	title, text = plainWords(title), plainWords(text)
	if strings.HasPrefix(term, "rxvt") || strings.HasPrefix(term, "foot") {
		return fmt.Sprintf("\a\x1b]777;notify;%s;%s\x1b\\", title, text)
	}
	return "\a" + ansi.Notify(title+": "+text)
}

// plainWords are words that can stand in a sequence: nothing in them ends it, or parts it.
func plainWords(text string) string {
	return strings.ReplaceAll(chat.Truncate(chat.OneLine(strings.Join(strings.Fields(text), " ")), rungText), ";", ",")
}

// variable returns a variable of the environment.
func (m *model) variable(name string) string {
	value := ""
	for _, entry := range m.cfg.Environ {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}

// typed notes that somebody is there. Who was away as nobody typed is back.
func (m *model) typed() tea.Cmd {
	m.person.typed = m.cfg.Now()
	if !m.person.away {
		return nil
	}
	m.person.away = false
	return m.tellAway(false)
}

// idle has the user be away once nobody has typed for long.
func (m *model) idle(now time.Time) tea.Cmd {
	if m.cfg.Idle < 0 || m.person.away || !m.link.up || now.Sub(m.person.typed) < m.cfg.Idle {
		return nil
	}
	m.person.away = true
	return m.tellAway(true)
}

// tellAway tells the node. That it is not told is no harm.
func (m *model) tellAway(away bool) tea.Cmd {
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(m.asking, m.cfg.Timeout)
		defer cancel()
		_ = m.client.Away(ctx, "", away)
		return nil
	}
}
