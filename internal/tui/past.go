package tui

import (
	"context"
	"errors"
	"fmt"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/scroll"
	"chatnode/internal/talk"
)

const (
	// pageRows is how many messages are fetched at a time, around how many on each side of a message that is jumped to.
	pageRows = 100
	around   = 40
)

// past is a part of a room's log far above what came last, in a pane of its own: from a jump until the user is back at the end.
type past struct {
	pane      *scroll.Pane[row]
	low, high uint64 // seqs of its first and last row
	fromStart bool   // there is nothing older
	toEnd     bool   // there was nothing newer
	fetching  bool
	halted    bool // nothing is asked for until the user moves: the node could not tell
}

// page is older messages of a buffer, newer ones of its past, or those around a message that is jumped to.
type page struct {
	b     *buffer
	to    *past // the past that it is for; nil: the pane
	newer bool
	want  uint64 // the message that is jumped to; 0: none
	epoch uint64 // of the log that it was asked of
	low   uint64 // what the first row was, when older ones were asked for
	rows  []client.Message
	more  bool
	err   error
}

// isFetching reports whether rows above what is looked at have been asked for.
func (b *buffer) isFetching() bool { return b.fetching || b.past != nil && b.past.fetching }

// fetch asks for what is missing where the user looks: older messages at the top, newer ones at the end of a past. It does nothing while it waits.
func (m *model) fetch(b *buffer) tea.Cmd {
	if !b.talks() || m.height == 0 {
		return nil
	}
	if p := b.past; p != nil {
		switch {
		case p.fetching || p.halted:
		case p.pane.AtTop() && !p.fromStart:
			p.fetching = true
			return m.ask(page{b: b, to: p, epoch: b.epoch, low: p.low}, client.HistoryQuery{Before: p.low, N: pageRows})
		case p.pane.AtEnd() && b.last > 0 && p.high >= b.last:
			m.toEnd(b)
		case p.pane.AtEnd() && !p.toEnd:
			p.fetching = true
			return m.ask(page{b: b, to: p, epoch: b.epoch, newer: true}, client.HistoryQuery{Before: p.high + 1 + pageRows, N: pageRows})
		}
		return nil
	}
	if b.fetching || b.halted || b.fromStart || !b.pane.AtTop() || b.low <= 1 || !b.joined && b.kind == bufRoom {
		return nil
	}
	b.fetching = true
	return m.ask(page{b: b, epoch: b.epoch, low: b.low}, client.HistoryQuery{Before: b.low, N: pageRows})
}

// ask asks for a page. While there is no link the question waits for one.
func (m *model) ask(p page, q client.HistoryQuery) tea.Cmd {
	room := p.b.name
	return func() tea.Msg {
		p.rows, p.more, p.err = m.client.History(m.asking, room, q)
		m.reader.Messages(m.asking, p.rows)
		return p
	}
}

// paged takes a page in. One that was asked for before the log was reset, or the buffer emptied, fits nowhere any more.
func (m *model) paged(p page) tea.Cmd {
	switch {
	case p.want > 0:
		return m.landed(p)
	case p.to != nil:
		p.to.fetching = false
	default:
		p.b.fetching = false
	}
	if p.err != nil {
		m.cannotFetch(p)
		return nil
	}
	if p.newer {
		p.to.append(m.rows(p.b, p.rows))
		return nil
	}
	rows := m.rows(p.b, p.rows)
	for i := range rows {
		p.b.quote(&rows[i], rows[:i])
	}
	if p.to != nil {
		p.to.prepend(rows, p.more)
		return nil
	}
	if p.epoch == p.b.epoch && p.low == p.b.low {
		p.b.prepend(rows, p.more)
	}
	return nil
}

// cannotFetch says why there are no further messages. They are asked for again when the user moves.
func (m *model) cannotFetch(p page) {
	if p.to != nil {
		p.to.halted = true
	} else {
		p.b.halted = true
	}
	if errors.Is(p.err, context.Canceled) || errors.Is(p.err, client.ErrClosed) {
		return
	}
	which := "older"
	if p.newer {
		which = "newer"
	}
	m.say("no " + which + " messages: " + talk.FaultOf(p.err).Text)
}

// goOn has what was halted be asked for again.
func (b *buffer) goOn() {
	b.halted = false
	if b.past != nil {
		b.past.halted = false
	}
}

// rows returns messages as rows.
func (m *model) rows(b *buffer, list []client.Message) []row {
	rows := make([]row, len(list))
	for i := range list {
		rows[i] = rowOf(&list[i], m.names())
		rows[i].direct = b.kind == bufDirect
	}
	return rows
}

// prepend puts older rows above all others. Nothing on the screen moves.
func (b *buffer) prepend(rows []row, more bool) {
	b.fromStart = !more || len(rows) == 0
	if len(rows) == 0 {
		return
	}
	b.low = rows[0].seq
	b.countMentions(rows)
	prepend(b.pane, rows)
	b.recount()
}

// countMentions counts, among older rows that have come, those that the user has not read and that speak of them; those that they are not to see are
// not unread.
func (b *buffer) countMentions(rows []row) {
	if b.unread == 0 {
		return
	}
	for i := range rows {
		switch r := &rows[i]; {
		case r.seq <= b.read:
		case r.hidden:
			b.unread = max(0, b.unread-1) // they were counted by their numbers alone
		case r.mention || r.direct && !r.own:
			b.mentions++
		}
	}
}

func (p *past) prepend(rows []row, more bool) {
	p.fromStart = !more || len(rows) == 0
	if len(rows) > 0 {
		p.low = rows[0].seq
		prepend(p.pane, rows)
	}
}

// append puts newer rows below. The view stays where it is, and goes on when the user does.
func (p *past) append(rows []row) {
	held := p.pane.Up(1) // who is not at the end does not follow it
	p.toEnd = true
	var news []row
	for i := range rows {
		if rows[i].seq == p.high+1 {
			p.high++
			p.toEnd = false
			news = append(news, rows[i])
		}
	}
	p.pane.Append(fold(news)...)
	p.pane.Down(held)
}

// toEnd goes back to what came last.
func (m *model) toEnd(b *buffer) {
	b.past = nil
	b.pick(none)
	b.pane.ToEnd()
}

// jump goes to a message of a room, with what stands around it.
func (m *model) jump(b *buffer, seq uint64, id chat.ID) tea.Cmd {
	m.show(b)
	for i := b.pane.First(); i < b.pane.End(); i++ {
		if r := b.pane.At(i); r.kind == rowSaid && r.seq == seq && r.id == id {
			b.past = nil
			b.pick(i)
			b.pane.Show(i)
			return nil
		}
	}
	m.say("looking for that message…")
	return m.ask(page{b: b, want: seq, epoch: b.epoch}, client.HistoryQuery{Before: seq + around, N: 2 * around})
}

// landed shows the messages around one that was jumped to.
func (m *model) landed(p page) tea.Cmd {
	if p.err != nil || len(p.rows) == 0 {
		text := "it is not kept any more"
		if p.err != nil {
			text = talk.FaultOf(p.err).Text
		}
		m.say("that message can't be shown: " + text)
		return nil
	}
	p.b.pick(none) // of what was looked at until now
	rows := m.rows(p.b, p.rows)
	if last := rows[len(rows)-1].seq; p.b.low > 0 && last+1 >= p.b.low && !p.b.fetching && !p.b.severed {
		for len(rows) > 0 && rows[len(rows)-1].seq >= p.b.low {
			rows = rows[:len(rows)-1]
		}
		p.b.past = nil
		p.b.prepend(rows, p.more) // what is missing between there and here is nothing
	} else {
		p.b.past = &past{low: rows[0].seq, high: last, fromStart: !p.more, pane: scroll.New(p.b.style.draw)}
		p.b.past.pane.Append(fold(rows)...)
	}
	m.fit()
	m.flash = ""
	v := p.b.view()
	for i := v.First(); i < v.End(); i++ {
		r := v.At(i)
		if r.kind == rowSaid && r.seq == p.want {
			p.b.pick(i)
			v.Show(i)
			return nil
		}
		if r.folded != nil && r.low() <= p.want && p.want <= r.seq {
			v.Show(i)
			m.say("that message is of somebody whom you ignore")
			return nil
		}
	}
	v.ToTop()
	m.say("that message is not kept any more; this is what stands near its place")
	return nil
}

// located is where the message stands that another one answers.
type located struct {
	b   *buffer
	id  chat.ID
	seq uint64
	err error
}

// origin goes to the message that the selected one answers, or the last that answers any.
func (m *model) origin() tea.Cmd {
	b := m.shown
	r := b.answering()
	if r == nil {
		m.say("no message here answers another; Alt-↑ selects one")
		return nil
	}
	if i := b.find(r.re); i != none {
		return m.jump(b, b.pane.At(i).seq, r.re)
	}
	m.say("looking for the message that was answered…")
	room, id, before := b.name, r.re, r.seq
	if r.astray {
		before = 0
	}
	return func() tea.Msg {
		seq, err := m.client.Locate(m.asking, room, id, before, nil)
		return located{b: b, id: id, seq: seq, err: err}
	}
}

// answering returns the selected row if it answers another, else the last on the screen that does.
func (b *buffer) answering() *row {
	v := b.view()
	if r := v.At(b.picked); r != nil {
		if r.re != (chat.ID{}) {
			return r
		}
		return nil
	}
	from, to := v.Visible()
	for i := to - 1; i >= from; i-- {
		if r := v.At(i); r != nil && r.re != (chat.ID{}) {
			return r
		}
	}
	return nil
}

// located goes to where the message stands, unless the user has turned elsewhere meanwhile.
func (m *model) located(msg located) tea.Cmd {
	if m.shown != msg.b {
		return nil
	}
	if msg.err != nil {
		m.say("the message that was answered can't be found: " + talk.FaultOf(msg.err).Text)
		return nil
	}
	return m.jump(msg.b, msg.seq, msg.id)
}

// pick selects a row of what is looked at, or none.
func (b *buffer) pick(i int) {
	b.picked = i
	var id chat.ID
	if r := b.view().At(i); r != nil {
		id = r.id
	}
	if b.style.selected != id {
		b.style.selected = id
		b.redrawn()
	}
}

// pickNext moves the selection over messages: up for n < 0. Without one it begins with the last that is on the screen.
func (b *buffer) pickNext(n int) {
	v := b.view()
	from, to := v.Visible()
	i := b.picked + n
	if v.At(b.picked) == nil {
		i = to - 1
		n = -1
	}
	for ; v.At(i) != nil; i += n {
		if r := v.At(i); r.kind == rowSaid && r.id != (chat.ID{}) {
			b.pick(i)
			v.Show(i)
			return
		}
	}
	if n < 0 && from == v.First() {
		v.ToTop()
	}
	if n > 0 {
		b.pick(none)
	}
}

// scrolled says where in the log the user is, for the status line: how much is below, and whether something is being fetched.
func (b *buffer) scrolled() string {
	switch below := b.view().Below(); {
	case b.isFetching() && b.view().AtTop():
		return "fetching older messages…"
	case b.past != nil:
		return "in the past; End goes to the newest"
	case below > 0:
		return fmt.Sprintf("%d below; End", below)
	}
	return ""
}
