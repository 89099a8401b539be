package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

func TestUnreadIsCounted(t *testing.T) {
	s := newStage(t, 110, 12)
	s.up()
	s.open("ops", 0)
	s.happen(s.said("ops", "bob", "one"), s.said("ops", "bob", "carol: two"))
	s.wants("2 #ops          2!")
	s.press("alt+a")
	s.lacks("2!")
	s.wants("carol: two")
	if got := s.c.read["ops"]; got != 2 {
		t.Errorf("read up to %d", got)
	}
	s.press("alt+1")
	s.happen(s.said("ops", "alice", "three"))
	s.wants("2 #ops           1")
}

func TestNothingIsReadWhileNobodyLooks(t *testing.T) {
	s := newStage(t, 80, 16)
	s.up()
	s.happen(s.said("lobby", "bob", "seen"))
	s.do(tea.BlurMsg{})
	s.happen(s.said("lobby", "bob", "not seen"))
	if got := s.c.read["lobby"]; got != 1 {
		t.Errorf("read up to %d", got)
	}
	s.wants("new")
	s.do(tea.FocusMsg{})
	if got := s.c.read["lobby"]; got != 2 {
		t.Errorf("read up to %d after looking", got)
	}
	s.wants("new")
}

func TestTheReadMarkerOfTheLastTimeHolds(t *testing.T) {
	s := newStage(t, 80, 16)
	s.past("lobby", 30)
	s.c.rooms["lobby"] = client.RoomState{Read: 28}
	s.happen(client.LinkUp{Title: "plant", Name: "carol"})
	s.open("lobby", 30)
	s.wants("new", "message 30", "message 28", "while you were away: 2 messages in 1 room")
	text := s.text()
	if rule := strings.Index(text, " new "); rule < strings.Index(text, "message 28") || rule > strings.Index(text, "message 29") {
		t.Errorf("the rule stands elsewhere:\n%s", text)
	}
}

func TestPeopleComeAndGo(t *testing.T) {
	s := newStage(t, 120, 16)
	s.up()
	people := []client.Person{{ID: identity.ID{1}, Name: "alice"}, {ID: identity.ID{2}, Name: "bob", Away: true}, {ID: identity.ID{3}, Name: "carol"}}
	s.happen(client.Present{Room: "lobby", Count: 3, People: people})
	s.wants("alice", "bob (away)", "#lobby (3)")
	s.happen(client.Stirred{Room: "lobby", ID: identity.ID{2}, Name: "bob"}, client.Joined{Room: "lobby", ID: identity.ID{4}, Name: "bella"},
		client.Gone{Room: "lobby", ID: identity.ID{1}, Name: "alice"}, client.Renamed{Room: "lobby", ID: identity.ID{3}, Old: "carol", New: "aaron"})
	s.lacks("alice", "(away)")
	text := s.text()
	if a, b, c := strings.Index(text, "aaron"), strings.Index(text, "bella"), strings.Index(text, "bob"); a < 0 || a > b || b > c {
		t.Errorf("not in the order of their names:\n%s", text)
	}
	s.press("f8")
	s.lacks("bella")
	if diff := cmp.Diff([]string{"lobby"}, s.c.looked); diff != "" {
		t.Errorf("watched (-want +got):\n%s", diff)
	}
}

func TestAwayWhenIdle(t *testing.T) {
	s := newStage(t, 80, 16)
	s.up()
	s.now = s.now.Add(14 * time.Minute)
	s.do(tick(s.now))
	if s.c.away != "" {
		t.Errorf("told %q too early", s.c.away)
	}
	s.now = s.now.Add(time.Minute)
	s.do(tick(s.now))
	if s.c.away != "true " {
		t.Errorf("told %q", s.c.away)
	}
	s.press("a")
	if s.c.away != "false " {
		t.Errorf("told %q after a key", s.c.away)
	}
}

func TestRinging(t *testing.T) {
	const bell = "\a"
	for name, c := range map[string]struct {
		set, room, text string
		focused         bool
		rings           bool
	}{
		"talk":               {"", "lobby", "hello all", false, false},
		"a mention":          {"", "lobby", "carol: lunch?", false, true},
		"a mention, looking": {"", "lobby", "carol: lunch?", true, false},
		"a conversation":     {"", "@bob", "lunch?", false, true},
		"all":                {"all", "lobby", "hello all", false, true},
		"off":                {"off", "lobby", "carol: lunch?", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 80, 16)
			s.up()
			if c.set != "" {
				s.say("/notify " + c.set)
			}
			if !c.focused {
				s.do(tea.BlurMsg{})
			}
			s.told = nil
			s.happen(s.said(c.room, "bob", c.text), s.said(c.room, "bob", c.text))
			var rung int
			for _, msg := range s.told {
				if raw, ok := msg.(tea.RawMsg); ok && strings.HasPrefix(fmt.Sprint(raw.Msg), bell) {
					rung++
				}
			}
			if want := map[bool]int{true: 1}[c.rings]; rung != want {
				t.Errorf("it rang %d times, want %d", rung, want)
			}
		})
	}
}

func TestNotificationsAreSafe(t *testing.T) {
	for _, term := range []string{"xterm", "rxvt-unicode-256color", ""} {
		got := notification(term, "bo;b\x1b]0;x\a", "a\x1b\\b\x07c\u009cd;e\nf "+strings.Repeat("long ", 100))
		inner := strings.TrimPrefix(got, "\a\x1b]")
		inner = strings.TrimSuffix(strings.TrimSuffix(inner, "\a"), "\x1b\\")
		if strings.ContainsAny(inner, "\x1b\a\u009c\n") || len(inner) > 500 {
			t.Errorf("%s: %q", term, got)
		}
		if fields := strings.Count(inner, ";"); term == "rxvt-unicode-256color" && fields != 3 || term == "xterm" && fields != 1 {
			t.Errorf("%s: %d fields in %q", term, fields, got)
		}
	}
}

func TestTheWindowTitleCounts(t *testing.T) {
	s := newStage(t, 80, 16)
	s.up()
	if got := s.m.View().WindowTitle; got != "plant – chatnode" {
		t.Errorf("title %q", got)
	}
	s.open("ops", 0)
	s.happen(s.said("ops", "bob", "one"))
	if got := s.m.View().WindowTitle; got != "(1) plant – chatnode" {
		t.Errorf("title %q", got)
	}
	s.happen(s.said("ops", "bob", "carol!"))
	if got := s.m.View().WindowTitle; got != "(1!) plant – chatnode" {
		t.Errorf("title %q", got)
	}
}

func TestTheClientRemembersWhatWasShown(t *testing.T) {
	s := newStage(t, 80, 16)
	s.up()
	s.c.shown = nil
	s.happen(s.said("lobby", "bob", "one"), s.said("ops", "bob", "two"), s.said("lobby", "bob", "three"))
	var got []string
	for _, e := range s.c.shown {
		got = append(got, e.(client.Message).Text)
	}
	if diff := cmp.Diff([]string{"two", "three"}, got); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
}

func TestNothingWasMissedBeforeTheFirstVisit(t *testing.T) {
	s := newStage(t, 80, 16)
	s.past("lobby", 30)
	s.happen(client.LinkUp{Title: "plant", Name: "carol"})
	s.happen(client.Opened{Room: "lobby", Status: wire.StatusOK, From: 21, Head: 30, Cursor: chat.Cursor{Epoch: 7, Seq: 20}})
	s.lacks("while you were away", " new ")
}
