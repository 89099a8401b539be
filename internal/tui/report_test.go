package tui

import (
	"testing"

	"chatnode/internal/chat"
)

// /report sends the selected message to the admins' room, else the last that another has said here, and says so where there is none.
func TestReport(t *testing.T) {
	s := newStage(t, 100, 24)
	s.up()
	s.say("/report")
	s.wants("nobody else has said anything here")
	s.lacks("reported to the admins")
	s.m.input.clear()
	first := s.said("lobby", "bob", "buy\nnow \"")
	last := s.said("lobby", "alice", "lunch?")
	s.happen(first, last)
	s.say("/report")
	s.wants("reported to the admins of this node")
	s.press("alt+up", "alt+up")
	s.say("/report spam")
	s.say("/query bob")
	s.happen(s.said("@bob", "bob", "psst"))
	s.say("/report he whispers")
	s.wants("they, and whoever runs it")
	want := []string{
		"#lobby 2 " + last.ID.String() + ` by alice: "lunch?"`,
		"#lobby 1 " + first.ID.String() + ` by bob: "buy now '" — spam`,
		"@bob 1 ",
	}
	if len(s.c.sends) != len(want) {
		t.Fatalf("sent %+v", s.c.sends)
	}
	for i, d := range s.c.sends {
		if got := d.Text[:min(len(d.Text), len(want[i]))]; got != want[i] || d.Room != chat.Reports || d.Kind != chat.Text || !d.Re.IsZero() || d.Row != 0 {
			t.Errorf("sent %+v, want %q", d, want[i])
		}
	}
}
