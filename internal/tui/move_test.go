package tui

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/wire"
)

// moves has the client go on at another node, which has so many rows that were shown.
func (s *stage) moves(from uint64, seen ...[2]uint64) {
	s.Helper()
	s.happen(client.LinkDown{Err: errors.New("connection reset"), RetryIn: time.Second}, client.LinkUp{Title: "hall", Name: "carol", Epoch: 8, Resumed: true, Moved: true},
		client.Opened{Room: "lobby", Status: wire.StatusMoved, From: from, Head: from + 3, Seen: seen, Cursor: chat.Cursor{Epoch: 8, Seq: from - 1}},
		client.WentOn{From: "plant", To: "hall"})
}

// there returns a message as the other node tells it.
func (s *stage) there(seq uint64, name, text string) client.Message {
	m := s.said("lobby", name, text)
	m.Seq, m.Epoch, m.Cursor = seq, 8, chat.Cursor{Epoch: 8, Seq: seq}
	return m
}

// late returns one that was written so many minutes ago.
func (s *stage) late(seq uint64, minutes int, text string) client.Message {
	m := s.there(seq, "alice", text)
	m.At = s.now.Add(-time.Duration(minutes) * time.Minute)
	return m
}

// TestGoldenMove draws what a user sees when their node dies, and when what was written elsewhere comes.
func TestGoldenMove(t *testing.T) {
	s := newStage(t, 80, 24)
	s.up()
	s.happen(s.said("lobby", "bob", "is it getting dark?"), s.said("lobby", "alice", "here too"))
	s.say("mine")
	s.moves(3)
	s.happen(s.late(3, 62, "the pump is down"), s.late(4, 47, "and up again"), s.late(5, 55, "was that all?"))
	forked := s.there(6, "eve", chat.ForkedText)
	forked.Forked = true
	s.happen(s.there(7, "bob", "back"), forked, s.late(8, 9, "once more"))
	got := s.text() + "\n"
	path := filepath.Join("testdata", "screens", "moved.txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the screen (-want +got); -update writes it anew:\n%s", diff)
	}
}

// TestOneLineTellsOfAMove, and it says where it went on.
func TestOneLineTellsOfAMove(t *testing.T) {
	s := newStage(t, 100, 30)
	s.up()
	s.happen(s.said("lobby", "bob", "hi"))
	s.moves(2)
	s.wants("node plant is gone; went on at hall, nothing was lost", "hall")
	status := s.m.status.pane
	count := 0
	for i := status.First(); i < status.End(); i++ {
		if text := status.At(i).text; strings.Contains(text, "hall") || strings.Contains(text, "back") {
			count++
		}
	}
	if count != 1 {
		t.Errorf("%d lines tell of it", count)
	}
}

// TestWhatWaitsWhenANodeDies: what the node had kept stands where it was sent, and once; what it had not is there until it is answered, even by a row that
// was shown before.
func TestWhatWaitsWhenANodeDies(t *testing.T) {
	s := newStage(t, 100, 30)
	s.up()
	s.say("kept before it died")
	s.say("shown, and not acknowledged")
	s.say("not heard of")
	kept, shown := s.said("lobby", "carol", "kept before it died"), s.said("lobby", "carol", "shown, and not acknowledged")
	s.happen(shown, client.Ack{N: 1, Room: "lobby", Seq: 9, ID: kept.ID})
	s.moves(4, [2]uint64{5, 5})
	b := s.m.find("lobby")
	if len(b.waiting) != 2 {
		t.Fatalf("%d messages wait, want 2", len(b.waiting))
	}
	s.happen(client.Ack{N: 2, Room: "lobby", Seq: 5, ID: shown.ID, Shown: true})
	kept.Seq, kept.Epoch = 6, 8
	s.happen(kept, s.there(7, "carol", "not heard of"), client.Ack{N: 3, Room: "lobby", Seq: 7})
	if len(b.waiting) != 0 || len(b.stayed) != 0 || b.last != 7 {
		t.Errorf("%d messages wait, %d stay, the last is %d", len(b.waiting), len(b.stayed), b.last)
	}
	for _, text := range []string{"kept before it died", "shown, and not acknowledged", "not heard of"} {
		if n := strings.Count(s.text(), text); n != 1 {
			t.Errorf("%q stands there %d times:\n%s", text, n, s.text())
		}
	}
}

// TestUnreadMovesAlong: what was unread is unread in the other log, below the rule, and no more than that.
func TestUnreadMovesAlong(t *testing.T) {
	s := newStage(t, 100, 30)
	s.up()
	s.happen(s.said("lobby", "bob", "read"))
	s.do(tea.BlurMsg{})
	s.happen(s.said("lobby", "bob", "unread"), s.said("lobby", "bob", "unread too"))
	b := s.m.find("lobby")
	state := s.c.rooms["lobby"]
	state.Read = 98 // as the client translates it
	s.c.rooms["lobby"] = state
	s.moves(101)
	s.happen(s.there(101, "bob", "of the other node"))
	if b.unread != 3 || b.read != 98 || b.style.newAt != 98 {
		t.Errorf("%d unread behind %d, the rule behind %d", b.unread, b.read, b.style.newAt)
	}
	lines := s.text()
	if rule, read, unread := strings.Index(lines, " new "), strings.Index(lines, "read"), strings.Index(lines, "unread"); rule < read || rule > unread {
		t.Errorf("the rule stands elsewhere:\n%s", lines)
	}
	s.do(tea.FocusMsg{})
	s.press("end")
	if s.c.read["lobby"] != 101 || b.unread != 0 {
		t.Errorf("read to %d, %d unread", s.c.read["lobby"], b.unread)
	}
}

// TestNothingIsAskedForByNumbersOfAnotherLog: neither what is above, nor an act on a row.
func TestNothingIsAskedForByNumbersOfAnotherLog(t *testing.T) {
	s := newStage(t, 100, 30)
	s.past("lobby", 40)
	s.happen(client.LinkUp{Title: "plant", Name: "carol", Epoch: 7})
	s.open("lobby", 40)
	s.happen(s.said("lobby", "bob", "hi"))
	s.press("end")
	asked := s.c.histories
	s.moves(5)
	s.press("pgup", "pgup", "pgup")
	if s.c.histories != asked {
		t.Errorf("older messages are asked for by numbers of the first node")
	}
	s.press("end", "alt+up")
	s.say("/redact")
	if len(s.c.sends) != 0 {
		t.Errorf("sent %+v", s.c.sends)
	}
	s.wants("another node has shown that message")
	s.happen(s.there(5, "bob", "of this node"))
	s.press("esc", "ctrl+u", "alt+up") // the line that was refused stands there still
	s.say("/redact")
	if len(s.c.sends) != 1 || s.c.sends[0].Row != 5 {
		t.Errorf("sent %+v\n%s", s.c.sends, s.text())
	}
}

// TestLateHeadings: a run has one, which counts along; ignored people are not counted, and each room has its own.
func TestLateHeadings(t *testing.T) {
	s := newStage(t, 100, 40)
	s.up()
	s.open("ops", 0)
	for i := range 42 {
		s.happen(s.late(uint64(i+1), 62-i, fmt.Sprint("late ", i)))
		ops := s.late(uint64(i+1), 5, "in ops")
		ops.Room = "ops"
		s.happen(ops)
	}
	hidden := s.late(43, 10, "unseen")
	hidden.Ignored = true
	s.happen(hidden)
	heads := func(room string) (texts []string) {
		b := s.m.find(room)
		for i := b.pane.First(); i < b.pane.End(); i++ {
			if r := b.pane.At(i); r.kind == rowMark && strings.Contains(r.text, "other side") {
				texts = append(texts, r.text)
			}
		}
		return texts
	}
	if diff := cmp.Diff([]string{"42 messages from the other side, 14:02–14:43"}, heads("lobby")); diff != "" {
		t.Errorf("the headings (-want +got):\n%s", diff)
	}
	s.happen(s.there(44, "bob", "now"), s.late(45, 1, "later"))
	if diff := cmp.Diff([]string{"42 messages from the other side, 14:02–14:43", "1 message from the other side, 15:03"}, heads("lobby")); diff != "" {
		t.Errorf("the headings (-want +got):\n%s", diff)
	}
	if got := heads("ops"); len(got) != 1 || got[0] != "42 messages from the other side, 14:59" {
		t.Errorf("in another room: %q", got)
	}
	s.happen(client.Reset{Room: "lobby", Why: "hash"}, s.late(1, 1, "of the new log"))
	if got := heads("lobby"); len(got) != 3 {
		t.Errorf("behind a reset: %q", got)
	}
}
