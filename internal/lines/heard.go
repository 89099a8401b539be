package lines

import (
	"sync"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
)

const (
	// maxHeard is how many of the last messages can be quoted by the line of an answer to them.
	maxHeard = 500
	// maxAnswerable is how many rooms' last messages /reply can answer, and /report tell of.
	maxAnswerable = 1000
)

// heard is what was printed of late: what a line can quote, and what /reply answers.
type heard struct {
	// Owned by Run's goroutine.
	quotes map[chat.ID]string // as command.Quote has them, of the last maxHeard messages
	ids    []chat.ID          // of those, in a ring
	oldest int                // in ids, once that is full

	mu   sync.Mutex                  // holding it promises that no message is being printed and noted: who has seen one can answer it
	last map[string]command.Reported // by folded room: what somebody else said there last
}

func newHeard() *heard {
	return &heard{quotes: map[chat.ID]string{}, last: map[string]command.Reported{}}
}

// print has a message printed, by show, and takes it in.
func (h *heard) print(show func(), m *client.Message, self string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	show()
	h.noteLocked(m, self)
}

// noteLocked takes in a message that was printed; self is the user's name, by which other connections of theirs speak.
func (h *heard) noteLocked(m *client.Message, self string) {
	if _, known := h.quotes[m.ID]; m.ID.IsZero() || known {
		return
	}
	if len(h.ids) < maxHeard {
		h.ids = append(h.ids, m.ID)
	} else {
		delete(h.quotes, h.ids[h.oldest])
		h.ids[h.oldest] = m.ID
		h.oldest = (h.oldest + 1) % maxHeard
	}
	h.quotes[m.ID] = command.Quote(m.Name, m.Text)
	if m.Own || m.Name == self || m.Kind != chat.Text && m.Kind != chat.Action {
		return
	}
	if room := chat.Fold(m.Room); len(h.last) < maxAnswerable || !h.last[room].ID.IsZero() {
		h.last[room] = command.Reported{Room: m.Room, Seq: m.Seq, ID: m.ID, Name: m.Name, Text: m.Text}
	}
}

// forget has nothing quote or report a message whose text was taken away.
func (h *heard) forget(id chat.ID) {
	if _, known := h.quotes[id]; known {
		h.quotes[id] = chat.RemovedText
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for room, said := range h.last {
		if said.ID == id {
			said.Text = chat.RemovedText
			h.last[room] = said
		}
	}
}

// quote returns what a line quotes of a message; empty: it was not printed of late.
func (h *heard) quote(id chat.ID) string { return h.quotes[id] }

// lastIn returns the last message that somebody else said in a room; one without an id: none was printed.
func (h *heard) lastIn(room string) command.Reported {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last[chat.Fold(room)]
}
