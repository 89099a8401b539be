package tui

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/client"
)

// A node can't fill the screen with rooms that the user never asked for.
func TestRoomsOfAHostileNode(t *testing.T) {
	s := newStage(t, 80, 20)
	s.up()
	s.say("/join ops")
	for i := range 10 {
		s.happen(client.Denied{Room: fmt.Sprintf("room%d", i), Code: chat.Denied}, client.ClosedRoom{Room: fmt.Sprintf("other%d", i), Code: chat.Denied})
	}
	if got := s.labels(); got != "chatnode #lobby #ops" {
		t.Errorf("the list is %q", got)
	}
	for i := range 2 * maxBuffers {
		room := fmt.Sprintf("r%d", i)
		s.happen(client.Opened{Room: room, From: 1}, client.ClosedRoom{Room: room, Code: chat.Denied})
	}
	if n := len(s.m.buffers); n > maxBuffers || s.m.find("lobby") == nil || s.m.find("ops") == nil {
		t.Errorf("%d buffers, want at most %d, and those of the user among them", n, maxBuffers)
	}
}

// However long texts are, and wherever the user reads, what a buffer holds is bounded; what is let go can be fetched again.
func TestABufferHoldsSoMuchText(t *testing.T) {
	skipUnderRace(t)
	for name, scrolled := range map[string]bool{"at the end": false, "scrolled back": true} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, 80, 20)
			s.up()
			s.say("waits")
			b := s.m.shown
			long := strings.Repeat("x", 1<<16)
			most := 0
			for i := range 3 * maxBytes >> 16 {
				text := long
				if i <= 20 {
					text = "read" // what is read is drawn
				}
				b.add(row{kind: rowSaid, seq: uint64(i + 1), id: chat.ID{byte(i >> 8), byte(i), 1}, text: text, at: s.now})
				if b.last = uint64(i + 1); scrolled && i == 20 {
					b.pane.ToTop()
				}
				if i%32 != 0 {
					continue
				}
				held := 0
				for i := b.pane.First(); i < b.pane.End(); i++ {
					held += len(b.pane.At(i).text)
				}
				most = max(most, held)
			}
			if limit := maxBytes + 2<<20; !scrolled && most > limit || most > 2*maxBytes+1<<22 {
				t.Errorf("%d MiB are held", most>>20)
			}
			if first := b.pane.At(b.pane.First()); b.fromStart || b.low != first.seq || b.row(0).text != "waits" {
				t.Errorf("from the start %v, low %d, the first row is message %d, what waits is %.10q", b.fromStart, b.low, first.seq, b.row(0).text)
			}
		})
	}
}

// However much is logged while nobody takes it, as an editor has the terminal, one call stands for all of it.
func TestALogCallsOnce(t *testing.T) {
	l := NewLog()
	_, _ = io.WriteString(l, "before the screen\n")
	calls, goOn := make(chan struct{}, 100), make(chan struct{})
	l.follow(func() { calls <- struct{}{}; <-goOn })
	<-calls // there was a line already
	for range 50 {
		_, _ = io.WriteString(l, "line\n")
	}
	if n := len(l.take()); n != 51 {
		t.Errorf("%d lines", n)
	}
	_, _ = io.WriteString(l, "after\n")
	<-calls
	close(goOn)
	if n := len(calls); n != 0 {
		t.Errorf("%d more calls", n)
	}
}

// What the node's log says in the same process counts in the list of rooms, and not as messages in the window's title.
func TestTheLogIsNoMessage(t *testing.T) {
	s := newStage(t, 80, 20)
	s.up()
	_, _ = io.WriteString(s.m.cfg.Log, "level=INFO msg=serving\n")
	s.do(logged{})
	if title := s.m.windowTitle(); title != "plant – chatnode" || s.m.status.unread != 1 {
		t.Errorf("the title is %q, %d lines are new", title, s.m.status.unread)
	}
}
