package tui

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/wire"
)

func TestPagingUpNeverJumps(t *testing.T) {
	s := newStage(t, 80, 20)
	s.past("lobby", 1000)
	s.happen(client.LinkUp{Title: "plant", Name: "carol"})
	s.open("lobby", 1000)
	s.wants("message 1000")
	s.hold()
	for range 200 {
		before := s.lines()[:18]
		s.press("pgup")
		after := s.lines()[:18]
		if strings.Join(before, "\n") == strings.Join(after, "\n") && !s.m.shown.fromStart {
			s.wants("fetching older")
		}
		s.release()
		if got := s.lines()[:18]; !cmp.Equal(got[1:], after[1:]) { // the first may have been that of the day, which stands further up now
			t.Fatalf("the screen moved when older messages came (-before +after):\n%s", cmp.Diff(after, got))
		}
		s.hold()
	}
	s.release()
	s.wants("message 1", "message 2")
	if s.m.shown.pane.First()-s.m.shown.pane.End() != -1000 {
		t.Errorf("%d rows", s.m.shown.pane.End()-s.m.shown.pane.First())
	}
	s.happen(s.said("lobby", "bob", "the newest"))
	s.lacks("the newest")
	s.wants(" below; End")
	s.press("end")
	s.wants("the newest")
}

func TestWhatCanNotBeFetchedIsSaid(t *testing.T) {
	s := newStage(t, 80, 20)
	s.past("lobby", 10)
	s.c.broken = &client.RefusedError{Code: chat.TooFast}
	s.happen(client.LinkUp{Title: "plant", Name: "carol"})
	s.open("lobby", 10)
	s.wants("no older messages: ")
	s.c.broken = nil
	s.press("pgup") // the node may tell now
	s.wants("message 1", "message 10")
}

func TestWhatCanNotBeFetchedIsNotAskedForAtOnce(t *testing.T) {
	s := newStage(t, 80, 20)
	s.past("lobby", 1000)
	s.happen(client.LinkUp{Title: "plant", Name: "carol", Epoch: 7})
	s.open("lobby", 1000)
	s.run(s.m.jump(s.m.shown, 300, s.c.logs["lobby"][299].ID))
	for name, fault := range map[string]error{"refused": &client.RefusedError{Code: chat.TooFast}, "closed": client.ErrClosed} {
		s.c.broken, s.c.histories = fault, 0
		for range 10 {
			s.press("pgdown") // down to the end of what was fetched, where the next are asked for
		}
		if s.c.histories == 0 || s.c.histories > 10 {
			t.Errorf("%s: asked %d times, want at most once for each key", name, s.c.histories)
		}
	}
	s.wants("no newer messages: ")
	s.c.broken = nil
	s.press("pgdown", "pgdown")
	s.wants("message 350")
}

func TestLinkLostAndBack(t *testing.T) {
	s := newStage(t, 80, 16)
	s.up()
	s.happen(client.LinkDown{Err: errors.New("reset"), RetryIn: 8 * time.Second})
	s.wants("trying again in 8 s")
	s.now = s.now.Add(3 * time.Second)
	s.do(tick(s.now))
	s.wants("trying again in 5 s")
	s.say("typed meanwhile")
	s.wants("typed meanwhile …", "1 message waits")
	s.now = s.now.Add(13 * time.Minute)
	missed := []client.Message{s.said("lobby", "bob", "missed one"), s.said("lobby", "bob", "missed two")}
	s.happen(client.LinkUp{Title: "plant", Name: "carol", Resumed: true},
		client.Opened{Room: "lobby", Status: wire.StatusOK, From: 1, Head: 2}, missed[0], missed[1])
	s.wants("2 messages while there was no link, 15:04–15:17", "missed one")
	s.kept(1)
	text := s.text()
	if strings.Index(text, "missed two") > strings.Index(text, "typed meanwhile") {
		t.Errorf("the screen:\n%s", text)
	}
	s.lacks("waits", "trying")
}

func TestGapAndResetAreDrawn(t *testing.T) {
	s := newStage(t, 100, 16)
	s.up()
	s.happen(s.said("lobby", "bob", "before"))
	s.happen(client.Gap{Room: "lobby", From: 2, To: 9})
	s.wants("8 older messages in #lobby are not kept any more")
	s.happen(client.Reset{Room: "lobby", Why: client.WhyEpoch})
	s.wants("#lobby begins anew", "before")
	m := s.said("lobby", "bob", "after")
	m.Seq = 1
	s.happen(m)
	s.wants("after")
}

func TestSearchAndJump(t *testing.T) {
	s := newStage(t, 90, 20)
	s.past("lobby", 2000)
	s.happen(client.LinkUp{Title: "plant", Name: "carol"})
	s.open("lobby", 2000)
	s.c.found = client.Found{Hits: []client.Message{s.c.logs["lobby"][499], s.c.logs["lobby"][99]}}
	s.say("/search message")
	s.wants("search: message", "message 500", "message 100", "Enter goes there")
	s.press("up", "enter")
	s.wants("message 100", "message 99", "message 101", "in the past")
	for range 10 {
		s.press("pgdown")
	}
	s.wants("message 2") // it went on, page by page
	s.lacks("message 100\n")
	s.press("end")
	s.wants("message 2000")
	s.lacks("in the past")
}

func TestThePastLeadsToTheEnd(t *testing.T) {
	s := newStage(t, 80, 20)
	s.past("lobby", 700)
	s.happen(client.LinkUp{Title: "plant", Name: "carol"})
	s.open("lobby", 700)
	s.do(func() tea.Msg { return nil })
	s.run(s.m.jump(s.m.shown, 200, s.c.logs["lobby"][199].ID))
	s.wants("message 200", "in the past")
	seen := map[int]bool{}
	for range 100 {
		for _, line := range s.lines() {
			var n int
			if i := strings.Index(line, "message "); i >= 0 {
				if _, err := fmt.Sscanf(line[i:], "message %d", &n); err == nil {
					seen[n] = true
				}
			}
		}
		s.press("pgdown")
	}
	for n := 200; n <= 700; n++ {
		if !seen[n] {
			t.Fatalf("message %d was never on the screen", n)
		}
	}
	s.lacks("in the past")
}

func TestReplyQuotesAndLeadsBack(t *testing.T) {
	s := newStage(t, 90, 24)
	s.up()
	s.happen(s.said("lobby", "bob", "what about lunch?"), s.said("lobby", "alice", "hm"))
	s.press("alt+up", "alt+up")
	s.say("/reply at noon")
	if d := s.c.sends[0]; d.Re != s.c.logs["lobby"][0].ID || d.Text != "at noon" {
		t.Errorf("sent %+v", d)
	}
	s.wants("bob: what about lunch?", "at noon …")
	s.kept(1)
	if n := strings.Count(s.text(), "what about lunch?"); n != 2 {
		t.Errorf("quoted %d times:\n%s", n-1, s.text())
	}
	s.press("alt+o")
	if r := s.m.shown.pane.At(s.m.shown.picked); r == nil || r.text != "what about lunch?" {
		t.Errorf("selected: %+v", r)
	}
}
