package talk

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/wire"
)

func TestSentence(t *testing.T) {
	few := client.Present{Room: "ops", Count: 2, People: []client.Person{{Name: "bob"}, {Name: "the node says"}}}
	many := client.Present{Room: "ops", Count: 13, People: make([]client.Person, 13)}
	both := fmt.Errorf("connect: %w", errors.Join(errors.New("reset"), errors.New("refused"))) // at two addresses
	for _, c := range []struct {
		e    client.Event
		want string
	}{
		{client.Message{Text: "hi"}, ""},
		{client.Ack{Text: "hi"}, ""},
		{client.LinkUp{Name: "carol"}, ""},
		{client.Gap{Room: "lobby", From: 1, To: 120}, "120 older messages in #lobby are not kept any more"},
		{client.Gap{Room: "@bob", From: 7, To: 7}, "1 older message in @bob is not kept any more"},
		{client.Reset{Room: "lobby", Why: wire.WhyAhead.String()}, "#lobby begins anew: the node's log ends before what was shown here; messages above may be missing from it, or come again below"},
		{client.Reset{Why: "what"}, "all rooms begin anew: what; messages above may be missing from it, or come again below"},
		{client.Refused{Room: "ops", Kind: chat.Act, Text: "kick cn1b", Code: chat.NotAllowed}, "not done in #ops: you may not do that in this room"},
		{client.Opened{Room: "ops", Topic: "tea"}, "you are in #ops: tea"},
		{client.Opened{Room: "ops"}, "you are in #ops"},
		{client.Left{Room: "ops"}, "you have left #ops"},
		{client.Left{Room: "ops", Code: chat.NotJoined}, "#ops: you are not in that room"},
		{client.ClosedRoom{Room: "ops", Code: chat.Denied}, "the node has closed #ops: that is not allowed"},
		{client.Denied{Room: "ops", Code: chat.Denied}, "#ops is not open to you: that is not allowed"},
		{client.Joined{Room: "ops", Name: "a b"}, `"a b" has joined #ops`},
		{client.Joined{Room: "ops", Name: "bob", Away: true}, "bob has joined #ops (away)"},
		{client.Gone{Room: "ops", Name: "bob"}, "bob has left #ops"},
		{client.Renamed{Room: "ops", Old: "bob", New: "bert"}, "bob is now bert"},
		{client.Stirred{Room: "ops", Name: "bob", Away: true}, "bob is away"},
		{client.Stirred{Room: "ops", Name: "a b"}, `"a b" is back`},
		{few, `2 people in #ops: bob "the node says"`},
		{many, "13 people in #ops"},
		{client.Present{Room: "ops", Count: 1}, "1 person in #ops"},
		{client.Named{Name: "cat"}, "you are now cat"},
		{client.Named{Name: "carol", Code: chat.NameTaken, Suggest: "bob~7q2f"}, "you are still carol: that name belongs to somebody else; bob~7q2f is free"},
		{client.Named{Name: "carol", Code: chat.TooFast, RetryAfter: 4100 * time.Millisecond}, "you are still carol: too much at once; try again in 5 s"},
		{client.Notice{Text: "tea"}, "the node says: tea"},
		{client.Refused{Room: "ops", Code: chat.Denied, Text: "hi"}, "not sent to #ops: that is not allowed: hi"},
		{client.Refused{Room: "ops", Code: chat.Denied, Text: "hi", RetryAfter: 1}, "not sent to #ops: that is not allowed; it may be taken in 1 s: hi"},
		{client.LinkDown{}, "the connection ended"},
		{client.LinkDown{Err: both}, "connect: reset; refused"},
		{client.LinkDown{Code: chat.Stopping, Err: both}, "the node is stopping"},
		{client.LinkDown{Code: chat.Stopping, Text: "see you"}, "the node is stopping (see you)"},
	} {
		if got := Sentence(c.e); got != c.want {
			t.Errorf("%+v is told as %q, want %q", c.e, got, c.want)
		}
	}
}

func TestUpText(t *testing.T) {
	again := client.LinkUp{Title: "Lab", Name: "carol", Resumed: true}
	anew := client.LinkUp{Title: "Lab", Name: "carol"}
	for _, c := range []struct {
		e    client.LinkUp
		ever bool
		name string
		want string
	}{
		{again, true, "carol", "back"}, {again, true, "cat", "back as carol"}, {again, false, "", "connected to Lab as carol"},
		{anew, true, "carol", "connected to Lab as carol"}, {anew, false, "", "connected to Lab as carol"},
	} {
		if got := UpText(c.e, c.ever, c.name); got != c.want {
			t.Errorf("%+v, ever %v as %q: %q, want %q", c.e, c.ever, c.name, got, c.want)
		}
	}
}

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0 s", 2100 * time.Millisecond: "3 s", 2 * time.Minute: "120 s", 9*time.Minute + time.Second: "10m", time.Hour: "1h"} {
		if got := Seconds(d); got != want {
			t.Errorf("Seconds(%v) = %q, want %q", d, got, want)
		}
	}
}
