package talk

import (
	"fmt"
	"time"

	"chatnode/internal/client"
)

// WentOnText tells that another node has taken the place of one that is gone, and whether anything was lost by it.
func WentOnText(e client.WentOn) string {
	to := e.To
	if to == e.From {
		to = "another node"
	}
	lost := "nothing was lost"
	if e.Anew > 0 {
		lost = Count(uint64(e.Anew), "room begins", "rooms begin") + " anew there"
	}
	return fmt.Sprintf("node %s is gone; went on at %s, %s", e.From, to, lost)
}

// Late counts messages, one behind the other, that were written on other nodes while these could not be reached.
type Late struct {
	count       uint64
	first, last time.Time
}

// Clear begins anew.
func (l *Late) Clear() { *l = Late{} }

// Add counts one that was written at that time.
func (l *Late) Add(at time.Time) {
	if l.count == 0 || at.Before(l.first) {
		l.first = at
	}
	if l.count == 0 || at.After(l.last) {
		l.last = at
	}
	l.count++
}

// Text says how many there are and from when: "42 messages from the other side, 10:02–10:17". clock spells a time.
func (l *Late) Text(clock func(time.Time) string) string {
	text := Count(l.count, "message", "messages") + " from the other side, " + clock(l.first)
	if to := clock(l.last); to != clock(l.first) {
		text += "–" + to
	}
	return text
}

// When returns the time that a message is shown with: when it was written, if it came late, else when the node got it.
func When(m *client.Message) time.Time {
	if m.At.IsZero() {
		return m.Time
	}
	return m.At
}
