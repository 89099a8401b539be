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
	"chatnode/internal/identity"
	"chatnode/internal/talk"
	"chatnode/internal/wire"
)

func TestAMessageIsPendingUntilItIsKept(t *testing.T) {
	s := newStage(t, 80, 12)
	s.up()
	s.say("hello there")
	s.wants("hello there …")
	s.kept(1)
	s.wants("hello there")
	s.lacks("hello there …")
	if n := strings.Count(s.text(), "hello there"); n != 1 {
		t.Errorf("it stands there %d times", n)
	}
	if diff := cmp.Diff([]client.Draft{{Room: "lobby", Kind: chat.Text, Text: "hello there"}}, s.c.sends); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

// What the node says of a message comes in any order: the ack before the message, behind it, or never.
func TestAckAndMessageInAnyOrder(t *testing.T) {
	for name, order := range map[string][]int{"ack first": {0, 1}, "message first": {1, 0}, "batches apart": {0, -1, 1}} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 80, 12)
			s.up()
			s.say("one")
			s.say("two")
			first, second := s.said("lobby", "carol", "one"), s.said("lobby", "carol", "two")
			first.Own, second.Own = true, true
			events := []client.Event{client.Ack{N: 1, Room: "lobby", Seq: 1, ID: first.ID}, first}
			for _, i := range order {
				if i < 0 {
					s.happen(client.Notice{Text: "meanwhile"})
				} else {
					s.happen(events[i])
				}
			}
			s.happen(client.Ack{N: 2, Room: "lobby", Seq: 2, ID: second.ID}, second)
			text := s.text()
			if strings.Count(text, "one") != 1 || strings.Count(text, "two") != 1 || strings.Contains(text, "…") || strings.Index(text, "one") > strings.Index(text, "two") {
				t.Errorf("the screen:\n%s", text)
			}
			if n := len(s.m.shown.waiting); n != 0 {
				t.Errorf("%d still wait", n)
			}
		})
	}
}

func TestOthersCometAbovePendingOnes(t *testing.T) {
	s := newStage(t, 80, 12)
	s.up()
	s.say("mine")
	s.happen(s.said("lobby", "bob", "bob was first"))
	text := s.text()
	if strings.Index(text, "bob was first") > strings.Index(text, "mine …") {
		t.Errorf("the screen:\n%s", text)
	}
}

func TestARefusedMessageCanBeSentAgain(t *testing.T) {
	s := newStage(t, 80, 12)
	s.up()
	s.say("/resend")
	s.wants("nothing was refused here")
	s.press("ctrl+c")
	s.say("all of it")
	s.c.pending--
	s.happen(client.Refused{N: 1, Code: chat.TooFast, RetryAfter: 3 * time.Second, Room: "lobby", Text: "all of it"})
	s.wants("all of it", "/resend")
	s.happen(s.said("lobby", "bob", "meanwhile"))
	s.say("/resend")
	if len(s.c.sends) != 2 || s.c.sends[1].Text != "all of it" {
		t.Fatalf("sent: %v", s.c.sends)
	}
	s.kept(2)
	if n := strings.Count(strings.Join(s.lines()[:10], "\n"), "all of it"); n != 1 {
		t.Errorf("it stands there %d times:\n%s", n, s.text())
	}
}

func TestAFullOutboxLeavesWhatWasTyped(t *testing.T) {
	s := newStage(t, 80, 12)
	s.up()
	s.c.full = true
	s.say("keep me")
	if got := s.m.input.value(); got != "keep me" {
		t.Errorf("the input holds %q", got)
	}
	s.wants("as many messages wait")
}

func TestACommandThatIsNoneStays(t *testing.T) {
	s := newStage(t, 80, 12)
	s.up()
	s.say("/jion ops")
	s.wants("did you mean /join?")
	if got := s.m.input.value(); got != "/jion ops" || len(s.c.sends) > 0 {
		t.Errorf("the input holds %q, sent %v", got, s.c.sends)
	}
}

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

// While the terminal is not looked at nothing is read, and a rule says where that began.
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

// A node that does not tell is not asked again and again.
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

// Whoever goes down from far back gets to the end without a hole.
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

func TestConversations(t *testing.T) {
	s := newStage(t, 110, 16)
	s.up()
	s.say("/query bob")
	s.wants("@bob")
	s.say("hi bob")
	if d := s.c.sends[0]; d.Room != "@bob" {
		t.Errorf("sent to %q", d.Room)
	}
	s.c.rooms["@bob"] = client.RoomState{Direct: true, Peer: client.Person{ID: identity.ID{1}, Name: "bob"}}
	s.open("@bob", 0)
	s.kept(1)
	s.wants("hi bob")
	s.say("/close")
	s.lacks("@bob")
	s.happen(s.said("@bob", "bob", "hello carol"))
	s.wants("@bob")
	s.wants("1!")
	s.press("alt+a")
	s.wants("hello carol", "hi bob")
}

func TestRoomsAreJoinedAndLeft(t *testing.T) {
	s := newStage(t, 110, 16)
	s.up()
	s.say("/join ops")
	s.open("ops", 0)
	s.wants(">2 #ops")
	s.press("alt+1")
	if got := s.m.input.value(); got != "" {
		t.Errorf("the command stays where it was typed: %q", got)
	}
	s.press("alt+2")
	s.say("/part")
	s.happen(client.Left{Room: "ops"})
	s.lacks("#ops")
	s.wants(">1 #lobby")
	s.say("/join #secret")
	s.happen(client.Denied{Room: "secret", Code: chat.BadRoom})
	s.wants("#secret is not open to you")
	if diff := cmp.Diff([]string{"join ops", "part ops", "join secret"}, s.c.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestPasteIsGuarded(t *testing.T) {
	s := newStage(t, 80, 20)
	s.up()
	s.do(tea.PasteMsg{Content: "one\ntwo"})
	if got := s.m.input.value(); got != "one\ntwo" {
		t.Errorf("the input holds %q", got)
	}
	s.press("ctrl+c")
	long := strings.TrimSuffix(strings.Repeat("line of a log\n", 30), "\n")
	for key, want := range map[string][]string{"enter": {long}, "l": strings.Split(long, "\n"), "esc": nil} {
		s.c.sends = nil
		s.do(tea.PasteMsg{Content: long})
		s.wants("30 lines pasted", "Enter sends it as one message", "Esc drops it")
		s.typed("x") // whatever is typed blindly answers nothing
		s.wants("30 lines pasted")
		s.press(key)
		s.lacks("30 lines pasted")
		var got []string
		for _, d := range s.c.sends {
			got = append(got, d.Text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s sent (-want +got):\n%s", key, diff)
		}
	}
	s.do(tea.PasteMsg{Content: long})
	s.press("e")
	if got := s.m.input.value(); got != long {
		t.Errorf("the input holds %q", got)
	}
}

func TestQuittingAsksForWhatIsNotKept(t *testing.T) {
	s := newStage(t, 80, 20)
	s.up()
	s.typed("unfinished")
	s.press("ctrl+c")
	if !s.m.input.isEmpty() {
		t.Error("Ctrl-C left what was typed")
	}
	s.press("up")
	if got := s.m.input.value(); got != "unfinished" {
		t.Errorf("what Ctrl-C took back is %q", got)
	}
	s.press("ctrl+c", "ctrl+c")
	if diff := cmp.Diff([]string{"quit "}, s.c.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}

	s = newStage(t, 80, 20)
	s.up()
	s.happen(client.LinkDown{RetryIn: time.Second})
	s.say("one")
	s.say("two")
	s.press("ctrl+d")
	s.wants("2 messages are not known to be kept", "q quits now: they go out at the next start")
	s.press("esc")
	if s.c.closed || len(s.c.asked) > 0 {
		t.Error("it quits after Esc")
	}
	s.press("ctrl+d", "q")
	if !s.c.closed {
		t.Error("it does not quit")
	}
}

func TestCtrlCTwiceIsSlow(t *testing.T) {
	s := newStage(t, 80, 20)
	s.up()
	s.press("ctrl+c")
	s.now = s.now.Add(3 * time.Second)
	s.press("ctrl+c")
	if len(s.c.asked) > 0 {
		t.Error("it quits three seconds later")
	}
	s.press("a", "backspace", "ctrl+c")
	if len(s.c.asked) > 0 {
		t.Error("it quits although something was typed in between")
	}
}

func TestDraftsStayWithTheirRoom(t *testing.T) {
	s := newStage(t, 110, 16)
	s.up()
	s.open("ops", 0)
	s.typed("for the lobby")
	s.press("ctrl+n")
	s.lacks("for the lobby")
	s.typed("for ops")
	s.happen(client.LinkDown{RetryIn: time.Second})
	s.size(60, 12)
	s.press("alt+1")
	s.wants("for the lobby")
	s.press("alt+2")
	s.wants("for ops")
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

// A notification is a sequence of the terminal's: nothing that somebody wrote ends it early or begins another.
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

// A popup that comes up at every name would be noise: in a text, only Tab asks for it.
func TestThePopupIsQuietInText(t *testing.T) {
	s := newStage(t, 80, 16)
	s.up()
	s.happen(s.said("lobby", "bob", "hello"))
	s.typed("/me nods at b")
	if lines := s.m.popupLines(8); len(lines) > 0 {
		t.Errorf("the popup is open: %q", lines)
	}
	s.press("tab")
	s.wants("/me nods at bob")
	s.press("ctrl+u")
	s.typed("/j")
	s.wants("/join  enter a room")
}

// Of a paste that the outbox takes in part the rest is asked about again, whatever is typed already: nothing is lost, nothing goes twice.
func TestWhatIsLeftOfAPasteIsAskedAboutAgain(t *testing.T) {
	s := newStage(t, 80, 20)
	s.up()
	s.typed("a draft")
	s.do(tea.PasteMsg{Content: "1\n2\n3\n4\n5\n6\n7"})
	s.c.room = 3
	s.press("l")
	s.wants("4 messages were not sent", "4 lines pasted")
	s.c.room = 0
	s.press("l")
	var got []string
	for _, d := range s.c.sends {
		got = append(got, d.Text)
	}
	if diff := cmp.Diff([]string{"1", "2", "3", "4", "5", "6", "7"}, got); diff != "" || s.m.question != nil {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if got := s.m.input.value(); got != "a draft" {
		t.Errorf("the input holds %q", got)
	}
}

// An answer that comes late is shown, and takes nobody away from where they are.
func TestLateAnswers(t *testing.T) {
	s := newStage(t, 80, 20)
	s.past("lobby", 2)
	s.up()
	answer := s.said("lobby", "bob", "as I said")
	answer.Re = chat.ID{99}
	s.happen(answer)
	s.say("/join ops")
	s.open("ops", 0)
	s.press("alt+1")
	s.hold()
	s.press("alt+o")
	s.press("alt+2")
	s.release()
	if got := s.m.shown.label(); got != "#ops" {
		t.Errorf("the jump leads from #ops to %s", got)
	}
	s.hold()
	s.say("/names")
	s.say("/part")
	s.happen(client.Left{Room: "ops"})
	s.release()
	s.wants("nobody is in #ops")
}

// Whoever comes for the first time was not away.
func TestNothingWasMissedBeforeTheFirstVisit(t *testing.T) {
	s := newStage(t, 80, 16)
	s.past("lobby", 30)
	s.happen(client.LinkUp{Title: "plant", Name: "carol"})
	s.happen(client.Opened{Room: "lobby", Status: wire.StatusOK, From: 21, Head: 30, Cursor: chat.Cursor{Epoch: 7, Seq: 20}})
	s.lacks("while you were away", " new ")
}

// A conversation is with a key: what is typed in it goes there, whoever has the name by then.
func TestAConversationIsSentToItsKey(t *testing.T) {
	s := newStage(t, 80, 16)
	s.up()
	peer := identity.ID{7}
	s.c.rooms["@bob"] = client.RoomState{Direct: true, Peer: client.Person{ID: peer, Name: "bob"}}
	s.open("@bob", 0)
	s.happen(s.said("@bob", "bob", "hi"))
	s.say("/query bob")
	s.say("hello")
	if want := "@" + peer.String(); s.c.sends[0].Room != want {
		t.Errorf("sent to %q, want %q", s.c.sends[0].Room, want)
	}
	s.wants("hello …")
}

func TestWhatWasRefusedIsToldAtTheEnd(t *testing.T) {
	s := newStage(t, 80, 16)
	s.up()
	s.say("all of it")
	s.c.pending--
	s.happen(client.Refused{N: 1, Code: chat.TooFast, Room: "lobby", Text: "all of it"})
	if err := s.m.result(nil, nil); !errors.Is(err, talk.ErrNotKept) || err.Error() != "1 message was refused" {
		t.Errorf("the end is %v", err)
	}
	s.say("/resend")
	s.kept(2)
	if err := s.m.result(nil, nil); err != nil {
		t.Errorf("the end is %v", err)
	}
}
