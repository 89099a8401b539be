package tui

import (
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/client"
)

// A text that was taken away is nowhere on the screen any more: not in its place, not in what quotes it, not in a past, and not in what was found.
func TestRedactedTextsGo(t *testing.T) {
	s := newStage(t, 80, 24)
	s.past("lobby", 3)
	s.up()
	secret := s.said("lobby", "bob", "my password is hunter2")
	answer := s.said("lobby", "alice", "oh no")
	answer.Re = secret.ID
	s.happen(secret, answer)
	s.wants("hunter2", "oh no")
	s.c.found = client.Found{Hits: []client.Message{secret}}
	s.say("/search password")
	s.wants("hunter2")
	act := s.said("lobby", "alice", "redact "+secret.ID.String())
	act.Kind = chat.Act
	s.happen(act, client.Redacted{Room: "lobby", Seq: secret.Seq, ID: secret.ID})
	s.lacks("hunter2")
	s.wants(chat.RemovedText)
	s.press("alt+1")
	s.lacks("hunter2")
	s.wants("bob", chat.RemovedText, "oh no")
	for _, b := range s.m.buffers {
		for i := b.pane.First(); i < b.pane.End(); i++ {
			if r := b.pane.At(i); chat.Mentions(r.text, "hunter2") || chat.Mentions(r.quote, "hunter2") {
				t.Errorf("%s still has %q, answering %q", b.label(), r.text, r.quote)
			}
		}
	}
	s.happen(client.Redacted{Room: "lobby", Seq: secret.Seq, ID: secret.ID}, client.Redacted{Room: "nowhere", Seq: 1, ID: chat.ID{99}}) // again, and of what was never shown
	s.wants("oh no")
}

// A text that is folded away, as the user ignores who wrote it, goes all the same, and so do quotes of it: nothing of it comes back with them.
func TestRedactedTextsGoWhereHidden(t *testing.T) {
	s := newStage(t, 80, 24)
	s.up()
	secret := s.said("lobby", "bob", "my password is hunter2")
	answer := s.said("lobby", "bob", "oh no")
	answer.Re = secret.ID
	s.happen(secret, answer)
	s.say("/ignore bob")
	s.wants("2 messages of somebody")
	s.happen(client.Redacted{Room: "lobby", Seq: secret.Seq, ID: secret.ID})
	s.say("/unignore bob")
	s.wants(chat.RemovedText, "oh no")
	s.lacks("hunter2")
}

// /redact takes the selected message, or the one that is named, and says so where there is none.
func TestRedact(t *testing.T) {
	s := newStage(t, 80, 24)
	s.past("lobby", 3)
	s.up()
	asked := s.said("lobby", "bob", "which valve?")
	s.happen(asked, s.said("lobby", "alice", "lunch?"))
	s.say("/redact")
	s.wants("no message here")
	s.m.input.clear()
	s.press("alt+up", "alt+up")
	s.say("/redact")
	old := s.c.logs["lobby"][0]
	s.say("/redact " + old.ID.String())
	s.say("/redact 00000000000000ff")
	s.wants("too far back")
	if len(s.c.sends) != 2 {
		t.Fatalf("sent %+v", s.c.sends)
	}
	for i, want := range []client.Message{asked, old} {
		if d := s.c.sends[i]; d.Kind != chat.Act || d.Text != "redact "+want.ID.String() || d.Row != want.Seq || d.Room != "lobby" || !d.Re.IsZero() {
			t.Errorf("sent %+v, want it to take %v away", d, want.ID)
		}
	}
}
