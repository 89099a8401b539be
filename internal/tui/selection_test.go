package tui

import (
	"testing"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/chat"
	"chatnode/internal/client"
)

// Who selects a message, looks something up in another window and comes back, answers that message and no other.
func TestASelectionOutlivesTheFocus(t *testing.T) {
	s := newStage(t, 80, 20)
	s.up()
	asked := s.said("lobby", "bob", "which valve?")
	s.happen(asked, s.said("lobby", "alice", "lunch?"))
	s.press("alt+up", "alt+up")
	s.do(tea.BlurMsg{})
	s.do(tea.FocusMsg{})
	s.say("/reply the red one")
	if len(s.c.sends) != 1 || s.c.sends[0].Re != asked.ID {
		t.Errorf("sent %+v, want an answer to %v", s.c.sends, asked.ID)
	}
}

// What was selected in a past is gone with it: the same number is another message below.
func TestASelectionGoesWithItsPast(t *testing.T) {
	for name, leave := range map[string]func(s *stage){
		"reset":        func(s *stage) { s.happen(client.Reset{Room: "lobby", Why: "hash"}) },
		"another jump": func(s *stage) { s.run(s.m.jump(s.m.shown, 5000, chat.ID{9})) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 80, 20)
			s.past("lobby", 1000)
			s.happen(client.LinkUp{Title: "plant", Name: "carol", Epoch: 7})
			s.open("lobby", 1000)
			for range 100 {
				s.happen(s.said("lobby", "bob", "now"))
			}
			s.run(s.m.jump(s.m.shown, 300, s.c.logs["lobby"][299].ID))
			if b := s.m.shown; b.past == nil || b.view().At(b.picked) == nil {
				t.Fatalf("the jump selects row %d of %v", b.picked, b.past)
			}
			leave(s)
			if b := s.m.shown; b.picked != none {
				t.Errorf("row %d is still selected", b.picked)
			}
		})
	}
}

// The list of results is where it was when the user comes back to it.
func TestTheChosenResultIsKept(t *testing.T) {
	s := newStage(t, 80, 20)
	s.past("lobby", 3)
	s.up()
	s.c.found = client.Found{Hits: []client.Message{s.c.logs["lobby"][2], s.c.logs["lobby"][1], s.c.logs["lobby"][0]}}
	s.say("/search message")
	s.press("up")
	chosen := s.m.shown.picked
	s.press("alt+1")
	s.say("/buffer search")
	if b := s.m.shown; b.kind != bufFound || b.picked != chosen {
		t.Errorf("row %d of %s is chosen, want %d", b.picked, b.label(), chosen)
	}
}
