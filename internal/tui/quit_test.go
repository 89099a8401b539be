package tui

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/client"
)

// Whoever has chosen to wait is told so for as long as it takes, may choose again, and does not end it by choosing the same.
func TestWaitingForWhatIsNotKept(t *testing.T) {
	s := newStage(t, 100, 20)
	s.up()
	s.happen(client.LinkDown{RetryIn: time.Second})
	s.say("one")
	s.press("ctrl+d")
	s.hold()
	s.press("w")
	for range 20 {
		s.now = s.now.Add(time.Second)
		s.do(tick(s.now))
	}
	s.wants("quits once 1 message is kept; Ctrl-C: now")
	s.press("ctrl+d", "w", "ctrl+d", "esc")
	s.say("/quit")
	s.press("ctrl+c")
	if s.m.question != nil || s.c.closed {
		t.Fatalf("question %v, closed %v: waiting was ended", s.m.question, s.c.closed)
	}
	s.press("ctrl+c")
	if !s.c.closed {
		t.Error("Ctrl-C does not end the waiting")
	}
	s.release()
	if diff := cmp.Diff([]string{"quit "}, s.c.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}
