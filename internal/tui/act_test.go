package tui

import (
	"strings"
	"testing"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
)

// done is an act of alice's as the next message of a room.
func (s *stage) done(room, text string) client.Message {
	m := s.said(room, "alice", text)
	m.Kind = chat.Act
	s.c.logs[room][m.Seq-1] = m
	return m
}

// TestActsAreSent: what moderators type goes out as acts; of those that name somebody the node is asked first, without holding up what is typed.
func TestActsAreSent(t *testing.T) {
	s := newStage(t, 110, 20)
	s.up()
	s.happen(s.said("lobby", "bob", "one"), s.said("lobby", "bob", "two"))
	bob := keyOf("bob").String()
	s.hold()
	s.say("/mute bob 10m shouting")
	s.say("meanwhile")
	s.release()
	for _, line := range []string{"/slow 10s", "/pin", "/readonly", "/pin 1"} {
		s.say(line)
	}
	s.press("alt+up", "alt+up")
	s.say("/unpin")
	want := []string{
		"text meanwhile", "act mute " + bob + " 10m shouting", "act slow 10s", "act pin " + s.c.logs["lobby"][1].ID.String(), "act readonly",
		"act pin " + s.c.logs["lobby"][0].ID.String(), "act unpin " + s.c.logs["lobby"][0].ID.String(),
	}
	var sent []string
	for _, d := range s.c.sends {
		sent = append(sent, d.Kind.String()+" "+d.Text)
	}
	if strings.Join(sent, "\n") != strings.Join(want, "\n") {
		t.Errorf("sent\n%s\nwant\n%s", strings.Join(sent, "\n"), strings.Join(want, "\n"))
	}
	if n := len(s.m.shown.waiting); n != 1 {
		t.Errorf("%d rows wait", n)
	}
}

// TestActsThatCanNotBe: what is unfit stays in the input, and what was refused is told in words.
func TestActsThatCanNotBe(t *testing.T) {
	s := newStage(t, 110, 20)
	s.up()
	for line, want := range map[string]string{
		"/mute": "NAME is missing; usage: /mute NAME [for TIME REASON]", "/slow soon": "soon is neither off nor a time", "/readonly x": "neither on nor off",
		"/pin": "nobody else has said anything here", "/pin x": "x is not the number of a message", "/kick bob " + strings.Repeat("x", 400): "that is too long",
	} {
		s.say(line)
		s.wants(want)
		s.press("ctrl+c")
	}
	s.say("/pin 7")
	s.wants("#lobby has no message 7, or does not keep it any more")
	s.press("alt+0")
	s.say("/mute bob")
	s.wants("you are in no room")
	s.open("@bob", 1)
	s.say("/query bob")
	s.say("/mute bob")
	s.wants("/mute is for rooms, and this is a conversation")
	if len(s.c.sends) > 0 {
		t.Errorf("sent %+v", s.c.sends)
	}
	s.press("alt+1")
	s.say("/kick bob")
	s.happen(client.Refused{N: 1, Room: "lobby", Kind: chat.Act, Text: s.c.sends[0].Text, Code: chat.NotAllowed})
	s.wants("not done in #lobby: you may not do that in this room")
	s.lacks("/resend")
	s.c.broken = &client.RefusedError{Code: chat.NoSuchUser}
	s.say("/kick eve")
	s.wants(chat.NoSuchUser.Sentence())
	if len(s.c.sends) != 1 {
		t.Errorf("sent %+v", s.c.sends)
	}
}

// TestActsAreShown: in words and with names, on any screen; they neither ring nor count as unread, and show even though the user ignores who did them.
func TestActsAreShown(t *testing.T) {
	for _, wide := range []int{50, 110} {
		s := newStage(t, wide, 20)
		s.up()
		s.open("ops", 0)
		s.c.ignored = []client.Person{{ID: keyOf("alice"), Name: "alice"}}
		// The key of a stage is told by a name's first letter, and so is the name.
		s.happen(client.Present{Room: "lobby", People: []client.Person{{ID: keyOf("bob"), Name: "bob"}}, Count: 1})
		bob := keyOf("bob").String()
		s.happen(s.done("lobby", "mute "+bob+" 10m spam: carol"), s.done("lobby", "kick "+bob), s.done("lobby", "welcome be kind"), s.done("lobby", "slow 0s"), s.done("lobby", "promote carol"),
			s.done("ops", "readonly"))
		s.wants("alice has muted bob for 10m: spam", "alice has put bob out of the room", "alice has set the welcome: be kind", "alice has ended the slow mode",
			"alice (act): promote carol")
		s.lacks("1!", "#ops           1")
		if got := s.m.bareText(s.m.shown.pane.At(s.m.shown.pane.First())); got != "15:04 -- alice has muted bob for 10m: spam: carol\n" {
			t.Errorf("bare: %q", got)
		}
		s.c.found = client.Found{Hits: []client.Message{s.done("ops", "kick "+bob)}}
		s.say("/search kick")
		s.wants("alice has put bob out")
	}
}

// TestTermsAreShown: what goes for the user stands in the status line and on the list of rooms, and a mute ends by itself.
func TestTermsAreShown(t *testing.T) {
	s := newStage(t, 110, 20)
	s.up()
	opened := client.Opened{Room: "ops", Head: 0, From: 1}
	opened.Role, opened.Rules = chat.RoleModerator, client.Rules{ReadOnly: true, Welcome: "be kind"}
	s.c.rooms["ops"] = client.RoomState{Name: "ops", Terms: opened.Terms}
	s.happen(opened, opened)
	s.press("alt+2")
	s.wants("#ops [read-only, you are a moderator]", "#ops says: be kind", "2 #ops")
	s.lacks("ø")
	if n := strings.Count(s.text(), "be kind"); n != 1 {
		t.Errorf("welcomed %d times", n)
	}
	s.say("/welcome")
	s.wants("the welcome of #ops: be kind")
	s.happen(client.Standing{Room: "ops", Terms: client.Terms{Muted: true, Until: s.now.Add(time.Minute)}})
	s.wants("in #ops you are muted")
	s.now = s.now.Add(30 * time.Second)
	s.do(tick(s.now))
	s.wants("#ops [you are muted until 15:05]", "ø")
	s.now = s.now.Add(time.Minute)
	s.do(tick(s.now))
	s.lacks("muted until", "ø")
	s.happen(client.Standing{Room: "ops", Terms: client.Terms{Rules: client.Rules{Archived: true}}}, client.Standing{Room: "gone"})
	s.wants("#ops [archived]", "ø")
	s.happen(client.ClosedRoom{Room: "ops", Code: chat.Banned})
	s.wants("the node has closed #ops: you are banned from that room")
	s.lacks("[archived]", "ø")
}
