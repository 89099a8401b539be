package tui

import (
	"context"
	"fmt"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
	"chatnode/internal/scroll"
	"chatnode/internal/talk"
)

// Redact takes the text of the selected message away.
func (e *env) Redact(_ context.Context, room string, _ chat.ID) error {
	r := e.b.view().At(e.b.picked)
	if r == nil || r.kind != rowSaid || r.id == (chat.ID{}) {
		return command.ErrNoMessage
	}
	if r.astray {
		return fmt.Errorf("another node has shown that message: /redact %s looks for it on this one", r.id)
	}
	return e.m.send(talk.RedactDraft(room, r.seq, r.id))
}

// Redact takes the text of a message away that is named by its id, which has to be looked for.
func (e *asking) Redact(ctx context.Context, room string, id chat.ID) error {
	return e.Asker.Redact(ctx, room, id)
}

// redacted drops a text from everything that is shown or can be scrolled to: from its message, from the quotes of it, and from what searches have found.
func (m *model) redacted(e *client.Redacted) {
	for _, b := range m.buffers {
		redact(b.pane, e.ID)
		if b.past != nil {
			redact(b.past.pane, e.ID)
		}
	}
}

// redact does it for one pane.
func redact(p *scroll.Pane[row], id chat.ID) {
	for i := p.First(); i < p.End(); i++ {
		if p.At(i).redact(id) {
			p.Changed(i)
		}
	}
}

// redact does it for one row and those that are folded in it, and reports whether anything is different.
func (r *row) redact(id chat.ID) (changed bool) {
	switch {
	case r.kind == rowSaid && r.id == id && r.say != chat.Act:
		r.text, r.mention, changed = chat.RemovedText, false, true
	case r.re == id:
		r.quote, changed = chat.RemovedText, true
	}
	for i := range r.folded {
		changed = r.folded[i].redact(id) || changed
	}
	return changed
}
