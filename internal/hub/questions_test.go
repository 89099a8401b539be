package hub

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

func (c *client) ask(question wire.Record) wire.Record {
	c.t.Helper()
	answer, err := c.session.Ask(question)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := wire.Append(nil, answer); err != nil {
		c.t.Errorf("the answer to %T: %v", question, err)
	}
	return answer
}

func wantFailed(t *testing.T, answer wire.Record, want chat.Code) {
	t.Helper()
	if f, ok := answer.(*wire.Failed); !ok || f.Code != want {
		t.Errorf("answer = %v, want failed, %v", answer, want)
	}
}

// TestNamesByPages asks for more people than a page holds, in the order of their folded names.
func TestNamesByPages(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		var want []string
		const n = 2*pageSize + 30
		for i := range n {
			name := fmt.Sprintf("%c%03d", "aB"[i%2], i)
			w.attach(name, "lobby")
			want = append(want, name)
		}
		slices.SortFunc(want, func(a, b string) int { return strings.Compare(chat.Fold(a), chat.Fold(b)) })
		alice := w.clients[0]
		var got []string
		for after, pages := "", 1; ; pages++ {
			a := alice.ask(&wire.Names{Room: "lobby", After: after}).(*wire.NamesAre)
			for _, p := range a.People {
				got = append(got, p.Name)
				after = p.Name
			}
			if a.Total != n {
				t.Errorf("total = %d, want %d", a.Total, n)
			}
			if !a.More {
				if pages != 3 {
					t.Errorf("%d pages, want 3", pages)
				}
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("names (-want +got):\n%s", diff)
		}
		wantFailed(t, alice.ask(&wire.Names{Room: "nowhere"}), chat.NoSuchRoom)
		wantFailed(t, alice.ask(&wire.Names{Room: "@nobody"}), chat.NoSuchUser)
		wantFailed(t, alice.ask(&wire.Hello{}), chat.Unsupported)
	})
}

func TestNamesOfAConversation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice"), w.attach("bob")
		if got := alice.ask(&wire.Names{Room: "@bob"}).(*wire.NamesAre); len(got.People) != 2 {
			t.Errorf("names = %v, want both", got.People)
		}
		bob.leave(false)
		if got := alice.ask(&wire.Names{Room: "@bob"}).(*wire.NamesAre); len(got.People) != 1 || got.People[0].Name != "alice" {
			t.Errorf("names = %v, want who is here", got.People)
		}
		if len(w.hub.directs) != 0 {
			t.Error("a question made a conversation")
		}
	})
}

func TestWhois(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice"), w.attach("bob", "lobby", "attic", "@alice")
		since := time.Now()
		elapse(time.Minute)
		laptop := bob.another("laptop")
		laptop.do(&wire.Join{Room: "lobby"})
		person := wire.Person{ID: bob.key[:], Name: "bob"}
		want := wire.WhoisIs{Person: person, Sessions: 2, Rooms: []string{"attic", "lobby"}, Since: chat.Millis(since)}
		for _, who := range []string{"bob", "BOB", "@bob", bob.key.String()} {
			got := *alice.ask(&wire.Whois{Who: who}).(*wire.WhoisIs)
			if got.Type = 0; !equalWhois(got, want) {
				t.Errorf("whois %s = %+v, want %+v", who, got, want)
			}
		}
		bob.leave(false)
		laptop.leave(false)
		want = wire.WhoisIs{Person: person, Since: chat.Millis(time.Now())}
		elapse(time.Hour)
		got := *alice.ask(&wire.Whois{Who: "bob"}).(*wire.WhoisIs)
		if got.Type = 0; !equalWhois(got, want) {
			t.Errorf("whois of who has left = %+v, want %+v", got, want)
		}
		for _, who := range []string{"", "nobody", keyOf("nobody").String()} {
			wantFailed(t, alice.ask(&wire.Whois{Who: who}), chat.NoSuchUser)
		}
	})
}

func equalWhois(a, b wire.WhoisIs) bool {
	return string(a.Person.ID) == string(b.Person.ID) && a.Person.Name == b.Person.Name && a.Sessions == b.Sessions && slices.Equal(a.Rooms, b.Rooms) && a.Since == b.Since
}

// TestListByPages lists more rooms than a page holds, with topics that fill a record early, and no conversation.
func TestListByPages(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice")
		w.attach("bob")
		var want []string
		for i := range pageSize + 50 {
			name := fmt.Sprintf("room%03d", i)
			want = append(want, name)
			topic := alice.pub(name, fmt.Sprint(i, strings.Repeat("t", chat.MaxTopic-3)))
			topic.Kind = chat.Topic
			alice.do(topic)
		}
		alice.say("@bob", "psst")
		alice.do(&wire.Join{Room: "room003"})
		var got []string
		for after := ""; ; {
			a := alice.ask(&wire.List{After: after}).(*wire.ListIs)
			for _, r := range a.Rooms {
				got = append(got, r.Name)
				after = r.Name
				members := uint64(0)
				if r.Name == "room003" {
					members = 1
				}
				if r.Head != 1 || r.Members != members || len(r.Topic) < chat.MaxTopic-3 {
					t.Errorf("listed %+v", r)
				}
			}
			if !a.More {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("rooms (-want +got):\n%s", diff)
		}
	})
}

func TestAuthors(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice", "lobby"), w.attach("bob")
		bob.say("lobby", "hi")
		asked := make([]uint64, maxAuthors+10)
		asked[3] = alice.view("lobby").rows[0].From
		asked[maxAuthors] = alice.welcome.From // beyond what may be asked at once
		got := alice.ask(&wire.Authors{From: asked}).(*wire.AuthorsAre).Authors
		if len(got) != 1 || string(got[0].ID) != string(bob.key[:]) || got[0].From != bob.welcome.From {
			t.Errorf("authors = %v", got)
		}
	})
}
