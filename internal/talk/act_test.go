package talk

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
	"chatnode/internal/identity"
)

func actOn(id identity.ID, seq uint64) client.Message {
	return client.Message{Room: "ops", Seq: seq, From: 9, Name: "carol", Kind: chat.Act, Text: chat.ActOf{Verb: chat.Kick, Who: id.String()}.String()}
}

// TestReaderNames: it says to whom acts are done, by what events have told and by asking, which it does once for each; not by what is no act.
func TestReaderNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		r := NewReader(d)
		alice, dave, eve := identity.ID{3}, identity.ID{4}, identity.ID{5}
		r.Events(t.Context(), []client.Event{
			client.Joined{ID: alice, Name: "al"}, client.Renamed{ID: alice, Old: "al", New: "alice"}, client.Present{People: []client.Person{{ID: dave, Name: "dave"}}},
		})
		list := []client.Message{
			actOn(alice, 1), actOn(dave, 2), actOn(bob, 3), actOn(bob, 4), {Kind: chat.Text, Text: "kick " + bob.String()}, {Kind: chat.Act, Text: "promote bob"},
			{Kind: chat.Act, Text: "kick nobody"}, {Kind: chat.Act, Text: "readonly"},
		}
		r.Messages(t.Context(), list)
		var got []string
		for _, m := range list {
			got = append(got, m.Whom)
		}
		if diff := cmp.Diff([]string{"alice", "dave", "bob", "bob", "", "", "", ""}, got); diff != "" {
			t.Errorf("mismatch (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"whois " + bob.String()}, d.asked); diff != "" {
			t.Errorf("asked mismatch (-want +got):\n%s", diff)
		}
		name := func() string {
			one := []client.Event{actOn(eve, 1)}
			r.Events(t.Context(), one)
			return one[0].(client.Message).Whom
		}
		before := time.Now()
		if d.silent = true; name() != "" || time.Since(before) != AuthorWait {
			t.Errorf("a silent node was waited for %v", time.Since(before))
		}
		if name(); time.Since(before) != AuthorWait {
			t.Error("a silent node is asked again")
		}
		d.silent, d.unknown = false, &client.RefusedError{Code: chat.NoSuchUser}
		r.Events(t.Context(), []client.Event{client.LinkUp{}})
		d.asked = nil
		for range 2 {
			if got := name(); got != "" || len(d.asked) != 1 {
				t.Errorf("who is not known is %q, and asked for %d times", got, len(d.asked))
			}
		}
	})
}

// TestKeyAndMessage: a key is found as those who are ignored are, and is known by that name; a message by its number.
func TestKeyAndMessage(t *testing.T) {
	d := &desk{list: []client.Message{{Seq: 4, ID: chat.ID{4}}}}
	a := Asker{Client: d, Timeout: time.Minute, Reader: NewReader(d)}
	if key, err := a.Key(t.Context(), "ops", strings.ToUpper(bob.String())); key != bob.String() || err != nil || d.asked != nil {
		t.Errorf("the key of a key: %q, %v, asked %q", key, err, d.asked)
	}
	if key, err := a.Key(t.Context(), "ops", "bob"); key != bob.String() || err != nil {
		t.Errorf("the key of bob: %q, %v", key, err)
	}
	list := []client.Message{actOn(bob, 1)}
	if a.Reader.Names(t.Context(), list); list[0].Whom != "bob" || len(d.asked) != 1 {
		t.Errorf("bob is %q, asked %q", list[0].Whom, d.asked)
	}
	if id, err := a.MessageAt(t.Context(), "ops", 4); id != (chat.ID{4}) || err != nil {
		t.Errorf("message 4: %v, %v", id, err)
	}
	if _, err := a.MessageAt(t.Context(), "ops", 5); err == nil || err.Error() != "#ops has no message 5, or does not keep it any more" {
		t.Errorf("message 5: %v", err)
	}
	d.unknown, d.list = &client.RefusedError{Code: chat.NoSuchUser}, nil
	if _, err := a.Key(t.Context(), "ops", "eve"); !errors.Is(err, d.unknown) {
		t.Errorf("the key of nobody: %v", err)
	}
	if _, err := a.MessageAt(t.Context(), "ops", 5); err == nil {
		t.Error("an empty room has a message 5")
	}
}

// pinned is a desk whose room has a log of n messages, by pages.
type pinned struct {
	desk
	n     int
	pages int
}

func (p *pinned) History(_ context.Context, _ string, q client.HistoryQuery) (list []client.Message, more bool, err error) {
	p.pages++
	end := p.n
	if q.Before > 0 {
		end = int(q.Before) - 1
	}
	for seq := max(1, end-q.N+1); seq <= end; seq++ {
		list = append(list, client.Message{Room: "ops", Seq: uint64(seq), ID: pinAt(seq)})
	}
	return list, end > q.N, nil
}

func pinAt(seq int) chat.ID { return chat.ID{1, byte(seq >> 8), byte(seq)} }

// TestPins: they are found in the log, as far as it is looked at, and in its order; the others are told by their ids.
func TestPins(t *testing.T) {
	for name, c := range map[string]struct {
		pins    []chat.ID
		n       int
		found   []uint64
		missing []chat.ID
		pages   int
	}{
		"none":           {nil, 10, nil, nil, 0},
		"on the first":   {[]chat.ID{pinAt(9), pinAt(2)}, 10, []uint64{2, 9}, nil, 1},
		"on two pages":   {[]chat.ID{pinAt(900), pinAt(2)}, 1000, []uint64{2, 900}, nil, 2},
		"not there":      {[]chat.ID{pinAt(9), {7}}, 10, []uint64{9}, []chat.ID{{7}}, 1},
		"too far back":   {[]chat.ID{pinAt(1)}, 20_000, nil, []chat.ID{pinAt(1)}, maxPinPages},
		"in an old room": {[]chat.ID{pinAt(1)}, 0, nil, []chat.ID{pinAt(1)}, 1},
	} {
		p := &pinned{n: c.n}
		p.room = client.RoomState{Name: "ops", Terms: client.Terms{Rules: client.Rules{Pins: slices.Clone(c.pins), Welcome: "be kind"}}}
		a := Asker{Client: p, Timeout: time.Minute}
		answer, err := a.Pins(t.Context(), "ops")
		var found []uint64
		for _, m := range answer.Pins {
			found = append(found, m.Seq)
		}
		if err != nil || !slices.Equal(found, c.found) || !slices.Equal(answer.Missing, c.missing) || p.pages != c.pages || !slices.Equal(p.room.Rules.Pins, c.pins) {
			t.Errorf("%s: %v, %v, missing %v, %d pages", name, err, found, answer.Missing, p.pages)
		}
		if w, err := a.Welcome(t.Context(), "ops"); err != nil || w != (command.WelcomeAnswer{Room: "ops", Text: "be kind"}) {
			t.Errorf("%s: welcome %+v, %v", name, w, err)
		}
		for _, err := range []error{second(a.Pins(t.Context(), "lobby")), second(a.Welcome(t.Context(), "lobby"))} {
			if FaultOf(err).Code != chat.NotJoined.String() {
				t.Errorf("%s: of a room that is not open: %v", name, err)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestTermsText: what is special about a room, and no more.
func TestTermsText(t *testing.T) {
	clock := func(t time.Time) string { return t.Format("15:04") }
	for want, terms := range map[string]client.Terms{
		"":                                   {},
		"read-only":                          {Rules: client.Rules{ReadOnly: true}},
		"archived, private":                  {Rules: client.Rules{ReadOnly: true, Archived: true, Private: true}},
		"slow 10s, 2 pinned":                 {Role: chat.RoleAdmin, Rules: client.Rules{Slow: 10 * time.Second, Pins: make([]chat.ID, 2)}},
		"you are muted":                      {Muted: true},
		"you are muted until 12:01":          {Muted: true, Until: noon.Add(time.Minute)},
		"you are its owner":                  {Role: chat.RoleOwner, Muted: true, Until: noon},
		"you are muted, you are a moderator": {Role: chat.RoleModerator, Muted: true},
	} {
		if got := TermsText(terms, noon, clock); got != want {
			t.Errorf("%+v: %q, want %q", terms, got, want)
		}
	}
}
