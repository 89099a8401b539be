package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
	"chatnode/internal/identity"
	"chatnode/internal/scroll"
	"chatnode/internal/talk"
)

// What the user is not to see, as they ignore who wrote it, is folded: one row stands for each run of it, and holds it. Nothing is thrown away, so what
// is read, fetched and counted goes by the log as ever, and all of it comes back when the user ignores nobody any more.

// maxFolded is how many messages one row stands for at most.
const maxFolded = 1000

// fold returns rows with those that are hidden folded.
func fold(rows []row) []row {
	out := make([]row, 0, len(rows))
	for i := range rows {
		if r := &rows[i]; !r.hidden {
			out = append(out, *r)
		} else if len(out) == 0 || !out[len(out)-1].take(r) {
			out = append(out, row{kind: rowNote, at: r.at, folded: make([]row, 0, 1)})
			out[len(out)-1].take(r)
		}
	}
	return out
}

// take folds one more row into f, if f is a row that others are folded in and has room.
func (f *row) take(r *row) bool {
	if f.folded == nil || len(f.folded) >= maxFolded {
		return false
	}
	f.folded = append(f.folded, *r)
	f.seq, f.text = r.seq, command.LeftOut(len(f.folded))
	return true
}

// prepend puts rows above all others of a pane, and what is hidden of them with what is hidden there.
func prepend(p *scroll.Pane[row], rows []row) {
	rows = fold(rows)
	if last, first := len(rows)-1, p.At(p.First()); last >= 0 && first != nil && rows[last].folded != nil && first.folded != nil &&
		len(rows[last].folded)+len(first.folded) <= maxFolded {
		first.folded, first.at = append(rows[last].folded, first.folded...), rows[last].at
		first.text = command.LeftOut(len(first.folded))
		p.Changed(p.First())
		rows = rows[:last]
	}
	p.Prepend(rows...)
}

// foldedIn returns how many messages of rows have no row of their own.
func foldedIn(rows []row) (n int) {
	for i := range rows {
		n += rows[i].more()
	}
	return n
}

// size is how many bytes of text a row holds.
func (r *row) size() int {
	n := len(r.text)
	for i := range r.folded {
		n += len(r.folded[i].text)
	}
	return n
}

// more is how many messages a row stands for besides one.
func (r *row) more() int { return max(0, len(r.folded)-1) }

// unfold returns all rows of a pane, in their order.
func unfold(p *scroll.Pane[row]) []row {
	var rows []row
	for i := p.First(); i < p.End(); i++ {
		if r := p.At(i); r.folded != nil {
			rows = append(rows, r.folded...)
		} else {
			rows = append(rows, *r)
		}
	}
	return rows
}

// low is the seq of the first message that a row stands for.
func (r *row) low() uint64 {
	if r.folded != nil {
		return r.folded[0].seq
	}
	return r.seq
}

// refold shows and hides the messages of a pane anew. What was at the top of the view is on the screen again.
func refold(p *scroll.Pane[row], hides func(*row) bool) {
	rows, end, top := unfold(p), p.AtEnd(), uint64(0)
	if from, _ := p.Visible(); p.At(from) != nil {
		top = p.At(from).low()
	}
	said := map[chat.ID]*row{}
	for i := range rows {
		rows[i].hidden = hides(&rows[i])
		said[rows[i].id] = &rows[i]
	}
	for i := range rows {
		if answered := said[rows[i].re]; answered != nil && !rows[i].re.IsZero() {
			rows[i].quote = quoteOf(answered)
		}
	}
	p.Clear()
	p.Append(fold(rows)...)
	p.ToEnd()
	for i := p.First(); !end && i < p.End(); i++ {
		if p.At(i).seq >= top {
			p.Show(i)
			return
		}
	}
}

// authored is whose the origins are that have written what is on the screens.
type authored struct {
	epoch   uint64 // of the log that they were asked of
	authors map[uint64]identity.ID
}

// reignore finds out what of all that is there is to be seen, after the user has begun to ignore somebody, or ended it.
func (m *model) reignore() tea.Cmd {
	seen := map[uint64]bool{}
	for _, p := range m.panes() {
		for _, r := range unfold(p) {
			seen[r.from] = r.from > 0
		}
	}
	from := make([]uint64, 0, len(seen))
	for number, any := range seen {
		if any {
			from = append(from, number)
		}
	}
	epoch := m.link.epoch
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(m.asking, m.cfg.Timeout)
		defer cancel()
		return authored{epoch, m.client.Authors(ctx, from)}
	}
}

// authored shows and hides everything anew. Whose number the node has not told stays as it is.
func (m *model) authored(msg authored) {
	if msg.epoch != m.link.epoch {
		return
	}
	ignored := map[identity.ID]bool{}
	for _, p := range m.client.Ignored() {
		ignored[p.ID] = true
	}
	for _, b := range m.buffers {
		b.pick(none)
	}
	for _, p := range m.panes() {
		refold(p, func(r *row) bool {
			if id, known := msg.authors[r.from]; known && r.kind == rowSaid && !r.own {
				return ignored[id]
			}
			return r.hidden
		})
	}
	for _, b := range m.buffers {
		b.recount()
	}
}

// disown has the numbers of authors mean nobody any more: in another log they are others'.
func (b *buffer) disown() {
	for i := b.pane.First(); i < b.pane.End(); i++ {
		r := b.pane.At(i)
		r.from = 0
		for j := range r.folded {
			r.folded[j].from = 0
		}
	}
}

// recount counts what the rows of a buffer hold.
func (b *buffer) recount() {
	b.folded, b.bytes = 0, 0
	for i := b.pane.First(); i < b.pane.End(); i++ {
		r := b.pane.At(i)
		b.folded += r.more()
		b.bytes += r.size()
	}
}

// panes are all that rows of rooms and conversations are in.
func (m *model) panes() (all []*scroll.Pane[row]) {
	for _, b := range m.buffers {
		if b.talks() {
			all = append(all, b.pane)
		}
		if b.past != nil {
			all = append(all, b.past.pane)
		}
	}
	return all
}

// ignores reports whether a conversation is with somebody whom the user ignores.
func (m *model) ignores(peer client.Person) bool {
	return !peer.ID.IsZero() && talk.Ignores(m.client, peer.ID)
}
