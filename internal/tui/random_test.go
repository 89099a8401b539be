package tui

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/identity"
	"chatnode/internal/screen"
	"chatnode/internal/wire"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "seed of the random runs; 0 takes new ones")
	runsFlag  = flag.Int("runs", 4, "how many random runs")
	stepsFlag = flag.Int("steps", 400, "how many things happen in each")
)

// Random keys, sizes and events: the screen never panics, its cursor stays within it, no line is wider than it, and no message that the client reported
// is lost, doubled, or out of its order.
func TestRandomKeysAndEvents(t *testing.T) {
	for run := range *runsFlag {
		seed := *seedFlag
		if seed == 0 {
			seed = rand.Uint64()
		}
		t.Run(fmt.Sprint(run), func(t *testing.T) {
			t.Parallel()
			r := &randomRun{stage: newStage(t, 80, 24), rand: rand.New(rand.NewPCG(seed, 1)), cursor: map[string]uint64{}}
			defer func() {
				if p := recover(); p != nil {
					t.Fatalf("seed %d: %v", seed, p)
				}
				if t.Failed() {
					t.Logf("seed %d", seed)
				}
			}()
			r.up()
			r.at("lobby")
			for range *stepsFlag {
				r.step()
				r.check()
				if t.Failed() {
					return
				}
			}
		})
	}
}

// randomRun is a node that does everything, and somebody who presses every key.
type randomRun struct {
	*stage
	rand   *rand.Rand
	cursor map[string]uint64 // by room: what the client has reported
	down   bool
	acked  int
}

// at notes that a room is open, and how far it was reported.
func (r *randomRun) at(room string) { r.cursor[room] = uint64(len(r.c.logs[room])) }

func (r *randomRun) pick(list []string) string { return list[r.rand.IntN(len(list))] }

var randomRooms = []string{"lobby", "ops", "@bob", "@Ünïcode 漢字"}

var randomTexts = []string{
	"hello", "carol: look", "漢字と仮名 " + strings.Repeat("字", 90), "a\nb\nc", "```\ncode\n```", "**bold** `x` https://example.com/" + strings.Repeat("a", 200), "e\u0301\u0302 👨‍👩‍👧‍👦 🏴",
	strings.Repeat("long ", 400), "\x1b[2Jescape", "> quote", "مرحبا", "/me waves", "/join ops", "/part", "/close", "/query bob", "/search hello", "/mentions",
	"/reply yes", "/clear", "/notify all", "/nick x", "/buffer 1", "/whois bob", "/resend", "/topic new", "/help", "/no such", "//slash", "",
}

var randomKeys = []string{
	"enter", "tab", "shift+tab", "esc", "up", "down", "left", "right", "home", "end", "pgup", "pgdown", "backspace", "ctrl+a", "ctrl+e", "ctrl+k", "ctrl+u",
	"ctrl+w", "ctrl+y", "ctrl+t", "ctrl+r", "ctrl+n", "ctrl+p", "ctrl+c", "ctrl+up", "ctrl+down", "alt+1", "alt+2", "alt+3", "alt+0", "alt+a", "alt+n",
	"alt+p", "alt+up", "alt+down", "alt+o", "alt+enter", "f1", "f7", "f8", "alt+b", "alt+f", "alt+d", "ctrl+_", "/", "@", "x", "w", "l", "e", "漢",
}

func (r *randomRun) step() {
	switch r.rand.IntN(16) {
	case 0, 1, 2, 3, 4:
		r.press(r.pick(randomKeys))
	case 5:
		if text := r.pick(randomTexts); r.m.question == nil {
			r.do(tea.PasteMsg{Content: text})
		}
	case 6, 7:
		r.others()
	case 8:
		r.answer()
	case 9:
		r.size(1+r.rand.IntN(140), 1+r.rand.IntN(50))
	case 10:
		r.link()
	case 11:
		r.now = r.now.Add(time.Duration(r.rand.IntN(20*60)) * time.Second)
		r.do(tick(r.now))
	case 12:
		r.do([]tea.Msg{tea.FocusMsg{}, tea.BlurMsg{}, tea.BackgroundColorMsg{}, wentOn{}}[r.rand.IntN(4)])
	case 13:
		r.presence()
	case 14:
		if r.held {
			r.release()
		} else if r.rand.IntN(3) == 0 {
			r.hold()
		}
	case 15:
		r.rare()
	}
	r.c.closed = false
	r.m.quitting = false
	if r.rand.IntN(20) == 0 {
		r.c.broken = []error{nil, nil, errors.New("broken"), &client.RefusedError{Code: chat.TooFast}}[r.rand.IntN(4)]
		r.c.full = r.rand.IntN(4) == 0
	}
}

// others say things in rooms that are open.
func (r *randomRun) others() {
	if r.down {
		return
	}
	var batch []client.Event
	for range 1 + r.rand.IntN(6) {
		room := r.pick(randomRooms)
		if _, open := r.cursor[room]; !open {
			r.open(room, uint64(len(r.c.logs[room])))
			r.at(room)
		}
		m := r.said(room, r.pick([]string{"bob", "alice", "carol", "漢"}), r.pick(randomTexts))
		if all := r.c.logs[room]; len(all) > 1 && r.rand.IntN(4) == 0 {
			m.Re = all[r.rand.IntN(len(all))].ID
		}
		r.cursor[room] = m.Seq
		batch = append(batch, m)
	}
	r.happen(batch...)
}

// answer has the node keep or refuse the oldest send.
func (r *randomRun) answer() {
	if r.down || r.acked >= len(r.c.sends) {
		return
	}
	r.acked++
	d := r.c.sends[r.acked-1]
	if _, open := r.cursor[d.Room]; !open || r.rand.IntN(4) == 0 {
		r.c.pending--
		r.happen(client.Refused{N: uint64(r.acked), Code: chat.TooFast, Room: d.Room, Text: d.Text})
		return
	}
	r.kept(r.acked)
	r.cursor[d.Room] = uint64(len(r.c.logs[d.Room]))
}

// link takes the link away, or brings it back with what was said meanwhile.
func (r *randomRun) link() {
	if !r.down {
		r.down = true
		r.happen(client.LinkDown{Err: errors.New("gone"), RetryIn: time.Second})
		return
	}
	r.down = false
	batch := []client.Event{client.LinkUp{Title: "plant", Name: "carol", Resumed: true}}
	for room, at := range r.cursor {
		for range r.rand.IntN(5) {
			r.said(room, "bob", r.pick(randomTexts))
		}
		log := r.c.logs[room]
		batch = append(batch, client.Opened{Room: room, Status: wire.StatusOK, From: at + 1, Head: uint64(len(log)), Direct: isDirect(room)})
		for _, m := range log[at:] {
			batch = append(batch, m)
		}
		r.at(room)
	}
	r.happen(batch...)
}

func (r *randomRun) presence() {
	who := client.Person{ID: identity.ID{byte(r.rand.IntN(5))}, Name: r.pick([]string{"bob", "alice", "漢字", strings.Repeat("long", 20)})}
	room := r.pick(randomRooms[:2])
	r.happen([]client.Event{
		client.Present{Room: room, Count: 1 + r.rand.IntN(600), People: []client.Person{who}}, client.Joined{Room: room, ID: who.ID, Name: who.Name},
		client.Gone{Room: room, ID: who.ID, Name: who.Name}, client.Renamed{Room: room, ID: who.ID, New: who.Name}, client.Stirred{Room: room, ID: who.ID, Away: true},
	}[r.rand.IntN(5)])
}

// rare is what seldom happens.
func (r *randomRun) rare() {
	r.happen([]client.Event{
		client.Notice{Text: "the disk is full"}, client.Named{Name: "carol", Code: chat.OK}, client.Named{Name: "carol", Code: chat.NameTaken, Suggest: "carol2"},
		client.Denied{Room: "secret", Code: chat.BadRoom}, client.Left{Room: "nowhere", Code: chat.NotJoined},
	}[r.rand.IntN(5)])
}

// check looks at the screen, and for all messages.
func (r *randomRun) check() {
	v := r.m.View()
	lines := strings.Split(v.Content, "\n")
	if len(lines) > r.high {
		r.Errorf("%d lines on a screen of %d", len(lines), r.high)
	}
	g := screen.NewGrid(r.wide+20, max(r.high, len(lines)))
	_, _ = g.Write([]byte(strings.ReplaceAll(v.Content, "\n", "\r\n")))
	for _, line := range g.Lines() {
		if chat.Width(line) > r.wide {
			r.Errorf("a line of %d columns on a screen of %d: %q", chat.Width(line), r.wide, line)
		}
	}
	if unknown := g.Unknown(); len(unknown) > 0 {
		r.Errorf("the screen does more than show text: %q", unknown)
	}
	if c := v.Cursor; c != nil && (c.X < 0 || c.X >= r.wide || c.Y < 0 || c.Y >= r.high) {
		r.Errorf("the cursor is at %d,%d on a screen of %d×%d", c.X, c.Y, r.wide, r.high)
	}
	for room, head := range r.cursor {
		r.complete(room, head)
	}
}

// complete checks that a room's buffer has every message up to head, once, in their order, from its first on.
func (r *randomRun) complete(room string, head uint64) {
	b := r.m.find(room)
	if b == nil {
		r.Errorf("%s has no buffer", room)
		return
	}
	var last uint64
	for i := b.pane.First(); i < b.pane.End(); i++ {
		row := b.pane.At(i)
		if row.id == (chat.ID{}) {
			continue
		}
		if last != 0 && row.seq != last+1 {
			r.Errorf("%s: message %d follows message %d", room, row.seq, last)
			return
		}
		last = row.seq
	}
	if last != head && (last != 0 || !b.halted) {
		r.Errorf("%s ends with message %d, not %d", room, last, head)
	}
	if n := len(b.waiting); n > b.pane.End()-b.pane.First() {
		r.Errorf("%s: %d wait and have no rows", room, n)
	}
}
