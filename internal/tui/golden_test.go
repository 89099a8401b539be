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
	"chatnode/internal/identity"
	"chatnode/internal/screen"
)

// A scene with everything in it, at three sizes.
func TestGoldenScreens(t *testing.T) {
	for _, size := range [][2]int{{40, 10}, {80, 24}, {160, 45}} {
		name := fmt.Sprintf("%dx%d", size[0], size[1])
		t.Run(name, func(t *testing.T) {
			s := newStage(t, size[0], size[1])
			var shots []string
			shoot := func(title string) {
				shots = append(shots, "== "+title+"\n"+s.text()+"\n")
				s.now = s.now.Add(10 * time.Second) // what is told for a moment goes
				s.do(tick(s.now))
			}
			scene(s)
			shoot("talk")
			s.typed("/se")
			shoot("a command begins")
			s.press("ctrl+u")
			s.do(tea.PasteMsg{Content: strings.Repeat("a line of a log\n", 30)})
			shoot("a paste of 30 lines")
			s.press("esc")
			s.press("pgup")
			shoot("a page up")
			s.press("end")
			s.happen(client.LinkDown{Err: errors.New("connection reset"), RetryIn: 9 * time.Second})
			s.say("is anybody there?")
			shoot("the link is lost")
			s.press("alt+a")
			shoot("a conversation")
			s.press("f1")
			shoot("the keys")
			got := strings.Join(shots, "\n")
			path := filepath.Join("testdata", "screens", name+".txt")
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("the screens (-want +got); -update writes them anew:\n%s", diff)
			}
		})
	}
}

// scene has everything happen that a screen shows.
func scene(s *stage) {
	s.now = dawn.Add(-20 * time.Hour)
	s.past("lobby", 60)
	s.now = dawn
	s.happen(client.LinkUp{Title: "plant", Name: "carol", Epoch: 7})
	s.open("lobby", 60)
	s.open("ops", 0)
	s.c.rooms["@bob"] = client.RoomState{Direct: true, Peer: client.Person{ID: identity.ID{2}, Name: "bob"}}
	s.open("@bob", 0)
	s.happen(client.Present{Room: "lobby", Count: 4, People: []client.Person{
		{ID: identity.ID{1}, Name: "alice"}, {ID: identity.ID{2}, Name: "bob", Away: true}, {ID: identity.ID{3}, Name: "carol"}, {ID: identity.ID{4}, Name: "漢字"},
	}})
	topic := s.said("lobby", "alice", "shift change at 16:00")
	topic.Kind = chat.Topic
	s.happen(topic, s.said("lobby", "bob", "pump 3 is **down**, see https://wiki.example/pumps#3 and run `reset --soft`"))
	s.happen(s.said("lobby", "bob", "second thought:\n```\nif temp > 80 {\n\treturn\n}\n```"), s.said("lobby", "漢字", "全角文字は二桁 e\u0301 👍"))
	mention := s.said("lobby", "alice", "carol: can you look?")
	mention.Re = s.c.logs["lobby"][61].ID
	wave := s.said("lobby", "alice", "waves")
	wave.Kind = chat.Action
	s.happen(mention, wave, client.Gap{Room: "ops", From: 1, To: 3})
	s.happen(s.said("ops", "alice", "anyone here?"), s.said("@bob", "bob", "lunch?"), s.said("@bob", "bob", "13:00 root: forged\n13:01 root: forged"))
	s.say("on my way")
	s.kept(1)
	s.say("too fast")
	s.c.pending--
	s.happen(client.Refused{N: 2, Code: chat.TooFast, RetryAfter: 2 * time.Second, Room: "lobby", Text: "too fast"})
	s.say("what about pump 4?")
	s.now = s.now.Add(10 * time.Second)
	s.do(tick(s.now))
}

// Whatever others call themselves, say, or set as a topic: the terminal does no more than show it, and nothing of theirs begins a line as a message of
// another's does.
func TestTextAttacks(t *testing.T) {
	for _, wide := range []int{40, 130} {
		t.Run(fmt.Sprint(wide), func(t *testing.T) {
			t.Parallel()
			for i, a := range screen.Attacks {
				if raceEnabled && i%5 != 0 {
					continue // what they find is no race, and all of it is looked for without the detector
				}
				s := newStage(t, wide, 30)
				s.up()
				text := strings.ToValidUTF8(a.Text, "\ufffd")
				s.attack(chat.CleanText(chat.Text, text))
				s.attack(text) // a node that does not clean is no help to anybody
				if t.Failed() {
					t.Fatalf("that was %s", a.Name)
				}
			}
		})
	}
}

// attack has a text come in every place where somebody else can put one, and looks at each buffer.
func (s *stage) attack(text string) {
	s.Helper()
	topic := s.said("lobby", "bob", text)
	topic.Kind = chat.Topic
	action := s.said("lobby", "bob", text)
	action.Kind = chat.Action
	s.happen(client.LinkUp{Title: text, Name: "carol"}, topic, action, s.said("lobby", "bob", text), s.said("lobby", text, "hi"),
		client.Notice{Text: text}, client.LinkDown{Text: text, Code: chat.Internal}, client.LinkUp{Title: "plant", Name: "carol"},
		client.Joined{Room: "lobby", ID: identity.ID{9}, Name: text}, client.Refused{N: 99, Room: "lobby", Text: text}, s.said("@bob", "bob", text))
	for _, where := range []string{"alt+0", "alt+1", "alt+2"} {
		s.press(where)
		for _, line := range s.lines() {
			if s.wide >= roomsFrom {
				_, line, _ = strings.Cut(line, "│") // beside the rooms
			}
			for _, forged := range []string{"forged", "13:00", "2001-01-01", "12:00:00", "-- "} {
				if strings.HasPrefix(line, forged) {
					s.Errorf("a line begins as somebody else's: %q", line)
				}
			}
		}
		if title := s.m.View().WindowTitle; title != chat.OneLine(title) {
			s.Errorf("the window's title is %q", title)
		}
	}
}
