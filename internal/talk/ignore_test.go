package talk

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
	"chatnode/internal/identity"

	"github.com/google/go-cmp/cmp"
)

// TestIgnore: a person is found by name, by key, and by a name that only stands in the room any more.
func TestIgnore(t *testing.T) {
	nobody, eve := &client.RefusedError{Code: chat.NoSuchUser}, identity.ID{3}
	robert := client.Message{From: 2, Name: "Robert"}
	for name, c := range map[string]struct {
		room, who string
		off       bool
		desk      desk
		want      string // who was ignored, or what went wrong
	}{
		"by name":                {who: "bob", want: "bob"},
		"by key, known":          {who: bob.String(), want: "bob"},
		"by key, not known":      {who: bob.String(), desk: desk{unknown: nobody}, want: bob.String()},
		"without an answer":      {who: "bob", room: "ops", desk: desk{unknown: context.DeadlineExceeded}, want: "context deadline exceeded"},
		"gone, in no room":       {who: "robert", desk: desk{unknown: nobody}, want: nobody.Error()},
		"gone, spoke here":       {who: "robert", room: "ops", desk: desk{unknown: nobody, list: []client.Message{robert, {From: 9, Name: "eve"}}}, want: "Robert"},
		"gone, spoke not here":   {who: "robert", room: "ops", desk: desk{unknown: nobody, list: []client.Message{{From: 9, Name: "eve"}}}, want: nobody.Error()},
		"gone, the node is mute": {who: "eve", room: "ops", desk: desk{unknown: nobody, list: []client.Message{{From: 9, Name: "eve"}}}, want: nobody.Error()},
		"one's own words":        {who: "robert", room: "ops", desk: desk{unknown: nobody, list: []client.Message{{From: 2, Name: "Robert", Own: true}}}, want: nobody.Error()},
		"off by name":            {who: "BOB", off: true, desk: desk{ignored: []client.Person{{ID: bob, Name: "bob"}}}, want: "bob"},
		"off by key":             {who: bob.String(), off: true, desk: desk{ignored: []client.Person{{ID: bob, Name: "robert"}}}, want: "robert"},
		"off by another name":    {who: "bob", off: true, desk: desk{ignored: []client.Person{{ID: bob, Name: "robert"}}}, want: "bob"},
		"off, who is not":        {who: "bob", off: true, desk: desk{ignored: []client.Person{{ID: eve, Name: "eve"}}}, want: "you don't ignore bob; /ignore lists whom you do"},
		"off, nobody is":         {who: "bob", off: true, want: "you don't ignore bob; /ignore lists whom you do"},
		"off, two are": {who: "bob", off: true, desk: desk{ignored: []client.Person{{ID: bob, Name: "bob"}, {ID: eve, Name: "Bob"}}},
			want: "you ignore 2 people who were called bob: /ignore lists their keys, one of which /unignore takes"},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := c.desk
			answer, err := Asker{Client: &d, Timeout: time.Minute, ID: me}.Ignore(t.Context(), c.room, c.who, !c.off)
			if got := answer.Who.Name; err == nil && (got != c.want || answer.On == c.off) || err != nil && err.Error() != c.want {
				t.Errorf("%s: %+v, %v, want %s", name, answer, err, c.want)
			}
			told := len(d.asked) > 0 && d.asked[len(d.asked)-1] == "ignore "+c.want+" "+map[bool]string{true: "false", false: "true"}[c.off]
			if told != (err == nil) {
				t.Errorf("%s: asked %q", name, d.asked)
			}
		})
	}
}

// TestReaderMarks: messages are marked by their authors' keys. The node is asked only where somebody is ignored, and not again once it has not answered.
func TestReaderMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		g := NewReader(d)
		batch := func() []client.Event {
			return []client.Event{
				client.Message{Seq: 1, From: 2, Name: "bob"}, client.Opened{Room: "ops"}, client.Message{Seq: 2, From: 9, Name: "eve"},
				client.Message{Seq: 3, From: 2, Own: true}, client.Message{Seq: 4, From: 2, Name: "robert"},
			}
		}
		marked := func(events []client.Event) (seqs []uint64) {
			g.Events(t.Context(), events)
			for i, e := range batch() {
				m, ok := events[i].(client.Message)
				if ok && m.Ignored {
					seqs = append(seqs, m.Seq)
				}
				if m.Ignored = false; ok && m != e || !ok && !cmp.Equal(events[i], e) {
					t.Errorf("event %d was %+v and is %+v", i, e, events[i])
				}
			}
			return seqs
		}
		if got := marked(batch()); got != nil || d.asked != nil {
			t.Errorf("nobody is ignored: %v, asked %q", got, d.asked)
		}
		d.ignored = []client.Person{{ID: bob, Name: "bob"}}
		if got := marked(batch()); !cmp.Equal(got, []uint64{1, 4}) {
			t.Errorf("marked %v", got)
		}
		d.silent = true
		before := time.Now()
		if got := marked(batch()); got != nil || time.Since(before) != AuthorWait {
			t.Errorf("marked %v, after %v", got, time.Since(before))
		}
		d.asked = nil
		if got := marked(batch()); got != nil || d.asked != nil {
			t.Errorf("asked once more, %q, and marked %v", d.asked, got)
		}
		d.silent = false
		g.Events(t.Context(), []client.Event{client.LinkUp{}})
		if got := marked(batch()); !cmp.Equal(got, []uint64{1, 4}) {
			t.Errorf("on the next link, marked %v", got)
		}
	})
}

// TestAnswersLeaveOut: a person is not shown what they ignore, and told how much that is; nor does an answer quote it.
func TestAnswersLeaveOut(t *testing.T) {
	d := &desk{ignored: []client.Person{{ID: bob, Name: "bob"}}, list: []client.Message{
		{Seq: 4, ID: chat.ID{4}, From: 2, Name: "bob", Kind: chat.Text, Time: noon, Text: "spam"},
		{Seq: 5, ID: chat.ID{5}, From: 9, Name: "eve", Kind: chat.Text, Time: noon, Text: "what?", Re: chat.ID{4}},
	}}
	a, err := Asker{Client: d, Timeout: time.Minute, ID: me}.History(t.Context(), "ops", command.HistoryQuery{N: 2})
	if err != nil {
		t.Fatal(err)
	}
	a.More = false
	want := []string{"2 messages of #ops:", "  2000-01-01 12:00 5 eve (re an earlier message): what?", "  and 1 message of somebody whom you ignore"}
	if diff := cmp.Diff(want, a.Lines(time.UTC)); diff != "" {
		t.Errorf("mismatch (-want +got):\n%s", diff)
	}
}

var errTest = errors.New("test")

// TestIgnoreFails: what the client can't do is told.
func TestIgnoreFails(t *testing.T) {
	d := &desk{cannot: errTest}
	if _, err := (Asker{Client: d, Timeout: time.Minute}).Ignore(t.Context(), "", "bob", true); !errors.Is(err, errTest) {
		t.Errorf("Ignore: %v", err)
	}
}
