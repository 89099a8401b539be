package tui

import (
	"errors"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/identity"
	"chatnode/internal/talk"
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

// What came to one person alone says so where others could read it, and where it can't be read; a name that has changed hands is told where it is used.
func TestSealed(t *testing.T) {
	s := newStage(t, 100, 20)
	s.up()
	s.open("@bob", 0)
	open, unreadable := s.said("@bob", "bob", "from an old client"), s.said("@bob", "bob", "")
	open.Sealed, unreadable.Unreadable, unreadable.Kind = false, true, chat.Sealed
	s.happen(s.said("@bob", "bob", "for your eyes"), open, unreadable)
	s.press("alt+2")
	s.wants("for your eyes", "from an old client (not sealed)", "bob: unreadable message")
	s.lacks("for your eyes (not sealed)", "message (not sealed)")
	s.happen(client.KeyChanged{Name: "bob", Was: identity.ID{1}, Now: identity.ID{2}})
	s.wants("bob is another key now", identity.ID{1}.Grouped()[:20], "To go on with the new one", identity.ID{2}.String()[:20])
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

// While the terminal is not looked at nothing is read, and a rule says where that began.
// A node that does not tell is not asked again and again.
// Whoever goes down from far back gets to the end without a hole.
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

// A notification is a sequence of the terminal's: nothing that somebody wrote ends it early or begins another.
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

// What a moderator does in a room is done there, although they have left it before the node has said whom they mean.
func TestAnActGoesToTheRoomWhereItWasTyped(t *testing.T) {
	s := newStage(t, 80, 16)
	s.up()
	s.open("ops", 0)
	s.press("alt+2")
	ops := s.m.shown
	s.happen(client.Left{Room: "ops"})
	s.do(answered{b: ops, acts: []chat.ActOf{{Verb: chat.Archive}}})
	if len(s.c.sends) != 1 || s.c.sends[0].Room != "ops" {
		t.Errorf("sent %+v", s.c.sends)
	}
}
