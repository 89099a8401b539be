package tui

import (
	"testing"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/wire"
)

// What a room held before the first visit is shown, and is no news: neither now nor at the next start.
func TestWhatWasSaidBeforeTheFirstVisitIsNoNews(t *testing.T) {
	s := newStage(t, 80, 20)
	s.up()
	s.do(tea.BlurMsg{})
	s.told = nil
	for range 3 {
		s.said("ops", "bob", "carol: an old story")
	}
	s.c.rooms["ops"] = client.RoomState{Name: "ops"}
	s.happen(client.Opened{Room: "ops", Status: wire.StatusOK, From: 2, Head: 3, Cursor: chat.Cursor{Epoch: 7, Seq: 1}})
	s.happen(s.c.logs["ops"][1], s.c.logs["ops"][2])
	ops := s.m.find("ops")
	if ops.unread != 0 || ops.mentions != 0 || len(s.told) != 0 || s.c.read["ops"] != 3 {
		t.Errorf("%d unread, %d mentions, %d rings, read up to %d; want none, read up to 3", ops.unread, ops.mentions, len(s.told), s.c.read["ops"])
	}
	s.happen(s.said("ops", "bob", "carol: news"))
	if ops.unread != 1 || ops.mentions != 1 || s.c.read["ops"] != 3 {
		t.Errorf("%d unread, %d mentions, read up to %d; want 1, 1 and 3", ops.unread, ops.mentions, s.c.read["ops"])
	}
}

// What the user says in another client of theirs is theirs here as well: it is not unread, mentions nobody, and is not what /reply answers.
func TestWhatAnotherClientOfTheUserSays(t *testing.T) {
	s := newStage(t, 80, 20)
	s.up()
	asked := s.said("lobby", "bob", "who is there?")
	s.happen(asked)
	s.do(tea.BlurMsg{})
	s.happen(s.said("lobby", "carol", "carol here"))
	b := s.m.shown
	if r := b.pane.At(b.pane.End() - 1); !r.own || r.mention || b.unread != 0 {
		t.Errorf("own %v, a mention %v, %d unread; want an own message", r.own, r.mention, b.unread)
	}
	s.say("/reply me")
	if len(s.c.sends) != 1 || s.c.sends[0].Re != asked.ID {
		t.Errorf("sent %+v, want an answer to bob", s.c.sends)
	}
}
