package tui

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/client"
)

// TestIgnored: what somebody says whom the user ignores is one line, rings nowhere and counts nowhere; it is read as ever, and comes back.
func TestIgnored(t *testing.T) {
	s := newStage(t, 110, 30)
	s.up()
	s.open("ops", 0)
	first := s.said("lobby", "bob", "buy this")
	answer := s.said("lobby", "alice", "no")
	answer.Re = first.ID
	s.happen(first, answer)
	s.wants("buy this", "bob: buy this")
	s.say("/ignore bob")
	s.wants("you ignore bob", "1 message of somebody whom you ignore")
	s.lacks("buy this")
	s.happen(s.said("lobby", "bob", "carol: buy that"), s.said("lobby", "bob", "and more"))
	s.happen(s.said("lobby", "alice", "peace"), s.said("ops", "bob", "carol: in ops"))
	s.wants("2 messages of somebody whom you ignore", "peace")
	s.lacks("buy that", "and more", "1!", "#ops           1")
	if got := s.c.read["lobby"]; got != 5 {
		t.Errorf("read up to %d", got)
	}
	s.say("/ignore")
	s.wants("you ignore 1 person:", "bob, the key")
	s.say("/unignore bob")
	s.wants("buy this", "bob: buy this", "carol: buy that", "and more", "peace")
	s.lacks("1 message of somebody", "2 messages of somebody")
	s.press("alt+2")
	s.wants("carol: in ops")
}

// TestIgnoredConversation: one with somebody whom the user ignores does not come up by itself, and can be looked at.
func TestIgnoredConversation(t *testing.T) {
	s := newStage(t, 110, 16)
	s.c.ignored = []client.Person{{ID: keyOf("bob"), Name: "bob"}}
	s.up()
	s.c.rooms["@bob"] = client.RoomState{Peer: client.Person{ID: keyOf("bob"), Name: "bob"}, Read: 1}
	s.past("@bob", 3)
	s.open("@bob", 3)
	s.happen(s.said("@bob", "bob", "psst"))
	s.lacks("@bob", "psst", "while you were away")
	s.say("/query bob")
	s.wants("4 messages of somebody whom you ignore")
	s.say("/unignore bob")
	s.wants("psst", "message 3")
}

// TestIgnoredPages: pages of older messages fold, join in one log with what is there, and are asked for by the log's numbers, however little is to be seen.
func TestIgnoredPages(t *testing.T) {
	s := newStage(t, 80, 14)
	s.c.ignored = []client.Person{{ID: keyOf("bob"), Name: "bob"}}
	for i := range 400 {
		s.said("lobby", []string{"bob", "bob", "alice"}[i%3], fmt.Sprintf("message %d", i+1))
	}
	s.happen(client.LinkUp{Title: "plant", Name: "carol"})
	s.open("lobby", 400)
	for range 200 {
		s.press("pgup")
	}
	s.wants("2 messages of somebody", "message 3")
	s.lacks("message 2")
	b := s.m.shown
	if b.low != 1 || !b.fromStart {
		t.Errorf("the oldest is %d", b.low)
	}
	s.m.reignore() // asks for nothing by itself
	s.say("/unignore bob")
	var seqs []uint64
	for i := b.pane.First(); i < b.pane.End(); i++ {
		if r := b.pane.At(i); r.kind == rowSaid {
			seqs = append(seqs, r.seq)
		}
	}
	if len(seqs) != 400 || !slices.IsSorted(seqs) || len(slices.Compact(seqs)) != 400 {
		t.Errorf("%d messages, from %d to %d", len(seqs), seqs[0], seqs[len(seqs)-1])
	}
}

// TestIgnoredIsNotUnread: of what was not read last time, only what the user is to see counts.
func TestIgnoredIsNotUnread(t *testing.T) {
	s := newStage(t, 110, 14)
	s.c.ignored = []client.Person{{ID: keyOf("bob"), Name: "bob"}}
	for _, name := range []string{"alice", "bob", "alice", "bob", "bob"} {
		s.said("ops", name, "carol: hi")
	}
	s.c.rooms["ops"] = client.RoomState{Read: 1}
	s.up()
	s.open("ops", 5)
	s.wants("#ops          1!")
}

// TestIgnoredIsNotFound: nor is it in a list of results, and nobody is taken to it by a key; what answers it leads to its line.
func TestIgnoredIsNotFound(t *testing.T) {
	s := newStage(t, 110, 16)
	s.c.ignored = []client.Person{{ID: keyOf("bob"), Name: "bob"}}
	s.up()
	hit := s.said("lobby", "bob", "carol: psst")
	answer := s.said("lobby", "alice", "what?")
	answer.Re = hit.ID
	s.happen(hit, answer)
	s.wants("1 message of somebody", "↪ an earlier message")
	s.press("alt+p")
	s.wants("no further mention of you here")
	s.press("alt+up", "alt+o")
	s.wants("that message is of somebody whom you ignore")
	s.lacks("psst")
	s.c.found = client.Found{Hits: []client.Message{hit}}
	s.say("/search psst")
	s.wants("and 1 message of somebody whom you ignore")
	s.lacks("carol: psst")
	s.press("alt+1")
	s.say("/reply me?")
	if len(s.c.sends) != 1 || s.c.sends[0].Re != answer.ID {
		t.Errorf("sent %+v", s.c.sends)
	}
}

// TestIgnoredByAMuteNode: while the node does not tell whose a message is, it is shown.
func TestIgnoredByAMuteNode(t *testing.T) {
	s := newStage(t, 110, 16)
	s.c.ignored, s.c.mute = []client.Person{{ID: keyOf("bob"), Name: "bob"}}, true
	s.up()
	s.happen(s.said("lobby", "bob", "who am I?"))
	s.wants("who am I?")
}

// TestIgnoredInAnotherLog: after a reset the numbers of authors are others', and nothing of the old log changes by them.
func TestIgnoredInAnotherLog(t *testing.T) {
	s := newStage(t, 110, 16)
	s.up()
	s.happen(s.said("lobby", "bob", "said before"))
	s.happen(client.Reset{Why: "epoch"})
	s.say("/ignore bob")
	s.wants("said before")
}

// TestFoldIsBounded: a row stands for so many messages at most, and a buffer holds what it may, folded or not.
func TestFoldIsBounded(t *testing.T) {
	s := newStage(t, 80, 12)
	s.up()
	b := s.m.shown
	b.pane.Clear()
	rows := make([]row, 0, 512)
	total := 0
	for total < maxRows+maxRows/4 {
		rows = rows[:0]
		for range cap(rows) {
			total++
			rows = append(rows, row{kind: rowSaid, seq: uint64(total), id: chat.ID{1}, at: s.now, hidden: true})
		}
		b.add(rows...)
		b.last = uint64(total)
		if held := len(b.waiting) + b.pane.End() - b.pane.First() + b.folded; held > maxRows {
			t.Fatalf("%d messages are held", held)
		}
	}
	held := 0
	for i := b.pane.First(); i < b.pane.End(); i++ {
		if n := len(b.pane.At(i).folded); n > maxFolded {
			t.Fatalf("a row stands for %d", n)
		}
		held += 1 + b.pane.At(i).more()
	}
	if want := b.pane.End() - b.pane.First() + b.folded; held != want || b.low != uint64(total-held+1) {
		t.Errorf("%d are held, %d counted; the oldest is %d of %d", held, want, b.low, total)
	}
}

// TestIgnoreIsCompleted: who is ignored can be named though nothing of theirs is to be seen.
func TestIgnoreIsCompleted(t *testing.T) {
	s := newStage(t, 80, 12)
	s.up()
	s.c.ignored = []client.Person{{ID: keyOf("zoe"), Name: "zoe"}}
	s.typed("/unignore z")
	s.press("tab")
	if got := s.m.input.value(); strings.TrimSpace(got) != "/unignore zoe" {
		t.Errorf("completed to %q", got)
	}
}
