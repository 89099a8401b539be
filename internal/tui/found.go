package tui

import (
	tea "charm.land/bubbletea/v2"

	"chatnode/internal/chat"
	"chatnode/internal/command"
	"chatnode/internal/talk"
)

// search is what a buffer of results shows, oldest first as everywhere, and how it goes on upwards.
type search struct {
	query    command.SearchQuery
	mentions bool   // of the user, in place of the query
	next     uint64 // where older ones begin; 0: there are none
	asking   bool
}

func (s *search) label() string {
	if s.mentions {
		return "mentions"
	}
	return "search: " + chat.Truncate(chat.OneLine(s.query.Words), 20)
}

// found is some results of a search, the newest first.
type found struct {
	b            *buffer
	hits         []command.Said
	next, behind uint64
	err          error
}

// showFound opens a buffer with the results of a search, in place of those of the one before.
func (m *model) showFound(s search, f found) {
	for _, b := range m.buffers {
		if b.kind == bufFound && b.found.mentions == s.mentions {
			m.close(b)
			break
		}
	}
	b := m.add(bufFound, s.query.Words)
	b.fromStart, b.found = true, &s
	m.show(b)
	m.fit()
	m.hits(b, f)
	if b.pane.End() == b.pane.First() {
		b.note("nothing found", m.cfg.Now())
		return
	}
	b.note("↑ and ↓ choose a message, Enter goes there; /close ends this list", m.cfg.Now())
	b.pickNext(-1)
}

// hits puts results above those that are there.
func (m *model) hits(b *buffer, f found) {
	rows, hidden := make([]row, 0, len(f.hits)), 0
	for i := len(f.hits) - 1; i >= 0; i-- {
		h := &f.hits[i]
		if h.Ignored {
			hidden++
			continue
		}
		r := row{
			kind: rowSaid, seq: h.Seq, id: h.ID, name: h.Name, own: h.Own, say: h.Kind, at: h.Time, text: h.Text, re: h.Re, where: h.Room,
			mention: mentions(h.Text, m.names()),
		}
		r.enact(h.Whom)
		rows = append(rows, r)
	}
	if hidden > 0 {
		rows = append(rows, row{kind: rowNote, text: "and " + command.LeftOut(hidden), at: m.cfg.Now()})
	}
	b.pane.Prepend(rows...)
	b.found.next = f.next
	if f.next == 0 && f.behind > 0 {
		m.say("the last " + talk.Count(f.behind, "message", "messages") + " can't be found yet")
	}
}

// foundPage asks for more results when the user is at the oldest of those that are there.
func (m *model) foundPage(b *buffer) tea.Cmd {
	if b.kind != bufFound || b.found.asking || b.found.next == 0 || !b.pane.AtTop() {
		return nil
	}
	b.found.asking = true
	s := *b.found
	return func() tea.Msg {
		if s.mentions {
			a, err := m.asker.Mentions(m.asking, s.next)
			return found{b, a.Hits, a.Next, a.Behind, err}
		}
		s.query.Before = s.next
		a, err := m.asker.Search(m.asking, s.query)
		return found{b, a.Hits, a.Next, a.Behind, err}
	}
}

func (m *model) foundMore(f found) tea.Cmd {
	f.b.found.asking = false
	if f.err != nil {
		f.b.found.next = 0
		m.say("no more results: " + talk.FaultOf(f.err).Text)
		return nil
	}
	m.hits(f.b, f)
	return nil
}

// chooses reports whether a key moves through the results: with nothing typed, the arrows do.
func (m *model) chooses(key string) bool {
	if m.shown.kind != bufFound || !m.input.isEmpty() || key != "up" && key != "down" {
		return false
	}
	m.shown.pickNext(map[string]int{"up": -1, "down": 1}[key])
	return true
}

// goToFound goes to the result that is selected.
func (m *model) goToFound() tea.Cmd {
	b := m.shown
	r := b.pane.At(b.picked)
	if r == nil || r.kind != rowSaid {
		return nil
	}
	if err := m.enter(r.where); err != nil {
		m.say(talk.FaultOf(err).Text)
		return nil
	}
	return m.jump(m.open(r.where), r.seq, r.id)
}
