package tui

import (
	"strings"
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// meets opens the conversation with a key, which goes by name now, after head messages.
func (s *stage) meets(name string, peer identity.ID, head uint64) {
	s.Helper()
	room := "@" + name
	s.c.rooms[room] = client.RoomState{Name: room, Direct: true, Peer: client.Person{ID: peer, Name: name}}
	s.happen(client.Opened{Room: room, Status: wire.StatusOK, From: head + 1, Head: head, Direct: true, Cursor: chat.Cursor{Epoch: 7, Seq: head}})
}

// labels are what stands in the list of rooms.
func (s *stage) labels() string {
	var names []string
	for _, b := range s.m.visible() {
		names = append(names, b.label())
	}
	return strings.Join(names, " ")
}

// wantsRow checks the text and the state of the last row of a buffer.
func (s *stage) wantsRow(room, text string, state rowState) {
	s.Helper()
	b := s.m.find(room)
	if b == nil || b.pane.End() == b.pane.First() {
		s.Fatalf("there is nothing in %s", room)
	}
	if r := b.pane.At(b.pane.End() - 1); r.text != text || r.state != state {
		s.Errorf("the last row of %s is %q, in state %d; want %q, in state %d", room, r.text, r.state, text, state)
	}
}

// Somebody whose conversation is open takes another name, and is written to under that one: there is one conversation, in which all of it stands.
func TestOneConversationUnderTwoNames(t *testing.T) {
	for name, ackFirst := range map[string]bool{"the acknowledgement first": true, "the message first": false} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 80, 20)
			s.up()
			s.meets("bob", identity.ID{1}, 0)
			s.happen(s.said("@bob", "bob", "I take another name"))
			s.say("/query rob")
			s.say("hello")
			s.say("again")
			s.typed("a draft")
			m := s.said("@bob", "carol", "hello")
			m.Own = true
			ack := client.Ack{N: 1, Room: "@rob", Seq: m.Seq, ID: m.ID, Text: m.Text}
			if ackFirst {
				s.happen(ack, m)
			} else {
				s.happen(m, ack)
			}
			if got := s.labels(); got != "chatnode #lobby @bob" || s.m.shown.label() != "@bob" || s.m.input.value() != "a draft" {
				t.Fatalf("the list is %q, %s is shown, typed is %q", got, s.m.shown.label(), s.m.input.value())
			}
			if n := len(s.m.shown.waiting); n != 1 {
				t.Errorf("%d messages wait, want 1", n)
			}
			s.wantsRow("@bob", "again", statePending)
			m = s.said("@bob", "carol", "again")
			m.Own = true
			s.happen(client.Ack{N: 2, Room: "@rob", Seq: m.Seq, ID: m.ID, Text: m.Text}, m)
			s.wantsRow("@bob", "again", stateKept)
			if n := s.m.shown.pane.End() - s.m.shown.pane.First(); n != 3 {
				t.Errorf("%d rows, want 3:\n%s", n, s.text())
			}
		})
	}
}

// Who was written to under a name that the node opens as another keeps what waits, what was refused and what is typed.
func TestAConversationThatIsOpenedUnderAnotherName(t *testing.T) {
	s := newStage(t, 80, 20)
	s.up()
	s.meets("bob", identity.ID{1}, 0)
	s.say("/query rob")
	s.say("refused")
	s.say("waits")
	s.happen(client.Refused{N: 1, Room: "@rob", Text: "refused", Code: chat.TooFast})
	s.press("alt+1")
	s.meets("rob", identity.ID{1}, 0) // on the next link
	if got := s.labels(); got != "chatnode #lobby @rob" {
		t.Fatalf("the list is %q", got)
	}
	b := s.m.find("@rob")
	if len(b.waiting) != 1 || len(b.refused) != 1 || b.peer != (identity.ID{1}) {
		t.Errorf("%d wait, %d were refused, with %v", len(b.waiting), len(b.refused), b.peer)
	}
	s.wantsRow("@rob", "waits", statePending)
	s.press("alt+2")
	s.wants("refused", "waits")
}

// A name that goes to somebody else takes nothing along: what two people said stands apart.
func TestANameThatGoesToAnother(t *testing.T) {
	s := newStage(t, 100, 20)
	s.up()
	s.meets("rob", identity.ID{2}, 0)
	s.meets("bob", identity.ID{1}, 0)
	s.happen(s.said("@bob", "bob", "from bob"), s.said("@rob", "rob", "from rob"))
	bob, rob := s.m.find("@bob"), s.m.find("@rob")
	s.meets("rob", identity.ID{1}, 1) // the names are swapped
	if got := s.m.find("@rob"); got != bob || rob.name == "@rob" {
		t.Fatalf("@rob is the conversation with %v, the other is %s", got.peer, rob.name)
	}
	s.meets("bob", identity.ID{2}, 1)
	s.happen(client.Message{Room: "@bob", Seq: 2, ID: chat.ID{9}, Epoch: 7, Name: "bob", Kind: chat.Text, Time: s.now, Text: "for rob's friend"})
	if s.m.find("@bob") != rob || bob.peer != (identity.ID{1}) || rob.peer != (identity.ID{2}) {
		t.Error("the conversations are mixed up")
	}
	s.wantsRow("@bob", "for rob's friend", stateKept)
	s.wantsRow("@rob", "from bob", stateKept)
	if got := s.labels(); got != "chatnode #lobby @bob @rob" {
		t.Errorf("the list is %q", got)
	}
	s.meets("rob", identity.ID{3}, 0) // a third
	if got := s.m.find("@rob"); got == bob || got.peer != (identity.ID{3}) {
		t.Error("somebody new has the conversation of another")
	}
}

// What is typed to somebody stays when they take another name.
func TestADraftOutlivesANewName(t *testing.T) {
	s := newStage(t, 80, 20)
	s.up()
	s.meets("bob", identity.ID{1}, 0)
	s.say("/query bob")
	s.typed("half a sen")
	s.meets("rob", identity.ID{1}, 0)
	s.press("alt+1", "alt+2")
	if got := s.m.input.value(); got != "half a sen" {
		t.Errorf("typed is %q", got)
	}
}

// A conversation in which nothing was said is closed without a word, and for good.
func TestClosingAConversationThatNeverWas(t *testing.T) {
	s := newStage(t, 80, 20)
	s.up()
	s.say("/query bob")
	s.say("/close")
	if got := s.labels(); got != "chatnode #lobby" || len(s.m.buffers) != 2 || len(s.c.asked) != 0 {
		t.Errorf("the list is %q, asked was %q", got, s.c.asked)
	}
}

// What was acknowledged and will not come with the log stands where it was said: below it nothing is shown as older than it is.
func TestWhatIsKeptAndDoesNotCome(t *testing.T) {
	for name, e := range map[string]client.Event{
		"gap":   client.Gap{Room: "lobby", From: 1, To: 5},
		"reset": client.Reset{Room: "lobby", Why: "hash"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 80, 20)
			s.up()
			s.say("kept")
			s.happen(client.Ack{N: 1, Room: "lobby", Seq: 1, ID: chat.ID{1}}, e)
			s.happen(client.Message{Room: "lobby", Seq: 6, ID: chat.ID{6}, Epoch: 7, Name: "bob", Kind: chat.Text, Time: s.now, Text: "later"})
			s.wantsRow("lobby", "later", stateKept)
			if n := len(s.m.shown.waiting); n != 0 {
				t.Errorf("%d messages wait", n)
			}
		})
	}
}

// Alt-A does not bring back what was put away.
func TestActivityLeavesWhatIsHidden(t *testing.T) {
	s := newStage(t, 80, 20)
	s.up()
	s.meets("bob", identity.ID{1}, 0)
	s.happen(s.said("@bob", "bob", "hi"))
	s.press("alt+2", "alt+1")
	s.say("/close @bob")
	s.press("alt+a")
	if got := s.labels(); got != "chatnode #lobby" {
		t.Errorf("the list is %q", got)
	}
}
