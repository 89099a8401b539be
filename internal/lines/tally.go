package lines

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"chatnode/internal/talk"
)

// tally counts what became of the input.
type tally struct {
	mu      sync.Mutex // holding it promises that the counts fit each other
	open    int        // messages handed to the client, by an earlier process too, or lost on the way to it, and not answered
	refused int        // messages refused, here or by the node
	failed  int        // other lines that could not be done
	since   time.Time  // the last sign of progress, or when there began to be something to wait for
}

// sending counts a message that is about to be handed over.
func (t *tally) sending() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == 0 {
		t.since = time.Now()
	}
	t.open++
}

// unsent takes back the last sending: the client would not have the message at all.
func (t *tally) unsent() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open--
	t.refused++
}

// answered counts the answer to a message.
func (t *tally) answered(kept bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open--
	if !kept {
		t.refused++
	}
}

// miss counts a message that was refused here.
func (t *tally) miss() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused++
}

// fail counts a line that was no message and could not be done.
func (t *tally) fail() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed++
}

// progress notes that something went on.
func (t *tally) progress() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.since = time.Now()
}

// waiting returns how many messages are not answered, and since when nothing went on.
func (t *tally) waiting() (open int, since time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open, t.since
}

// verdict returns a talk.ErrNotKept that says what was not kept, or nil.
func (t *tally) verdict() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var parts []string
	for _, p := range []struct {
		n         int
		one, more string
	}{
		{t.refused, "message was refused", "messages were refused"},
		{t.open, "message is not known to be kept", "messages are not known to be kept"},
		{t.failed, "command failed", "commands failed"},
	} {
		switch {
		case p.n == 1:
			parts = append(parts, "1 "+p.one)
		case p.n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.more))
		}
	}
	if parts == nil {
		return nil
	}
	return &talk.EndError{Kind: talk.ErrNotKept, Text: strings.Join(parts, ", ")}
}
