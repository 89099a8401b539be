package tui

import (
	"errors"
	"strings"
	"testing"
	"time"

	"chatnode/internal/client"
)

// Why no node can be reached is told, each reason once, also where it is tried for ever.
func TestWhyThereIsNoLink(t *testing.T) {
	s := newStage(t, 100, 20)
	refused, timeout := errors.New("connection refused"), errors.New("no answer in time")
	for _, err := range []error{refused, refused, refused, timeout, timeout, refused} {
		s.happen(client.LinkDown{Err: err, RetryIn: time.Second})
	}
	s.press("alt+0")
	for text, times := range map[string]int{"no link: connection refused": 2, "no link: no answer in time": 1} {
		if n := strings.Count(s.text(), text); n != times {
			t.Errorf("%q stands there %d times, want %d:\n%s", text, n, times, s.text())
		}
	}
}

// A node on the same machine answers within less than is worth telling, but not in no time.
func TestTheLagIsNeverNothing(t *testing.T) {
	for lag, want := range map[time.Duration]string{
		time.Nanosecond: "100µs", 42 * time.Microsecond: "100µs", 1240 * time.Microsecond: "1.2ms", 12345 * time.Microsecond: "12ms",
	} {
		if got := (&link{up: true, lag: lag}).text(dawn); got != want {
			t.Errorf("%v is told as %q, want %q", lag, got, want)
		}
	}
}
