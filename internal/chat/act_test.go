package chat

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	somebody = "cn1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	message  = "0123456789abcdef"
)

func TestParseAct(t *testing.T) {
	for body, want := range map[string]ActOf{
		"op " + somebody:                      {Verb: Op, Who: somebody},
		"kick " + somebody:                    {Verb: Kick, Who: somebody},
		"kick " + somebody + " 10m is enough": {Verb: Kick, Who: somebody, Text: "10m is enough"},
		"ban " + somebody + " 0s":             {Verb: Ban, Who: somebody},
		"ban " + somebody + " 0s 10m of spam": {Verb: Ban, Who: somebody, Text: "10m of spam"},
		"mute " + somebody + " 1h30m  spam":   {}, // a second space
		"mute " + somebody + " 1h30m größe ☕": {Verb: Mute, Who: somebody, For: 90 * time.Minute, Text: "größe ☕"},
		"slow 0s":               {Verb: Slow},
		"slow 30s":              {Verb: Slow, For: 30 * time.Second},
		"readonly":              {Verb: ReadOnly},
		"welcome":               {Verb: Welcome},
		"welcome read the pins": {Verb: Welcome, Text: "read the pins"},
		"pin " + message:        {Verb: Pin, Text: message},
		"redact " + message:     {Verb: Redact, Text: message},
		"invite " + somebody:    {Verb: Invite, Who: somebody},

		"": {}, " ": {}, "op": {}, "op ": {}, "OP " + somebody: {}, "op " + somebody + " x": {}, "op " + somebody + " ": {}, " op " + somebody: {}, "nap": {},
		"ban " + somebody: {}, "ban " + somebody + " spam": {}, "ban " + somebody + " 60s": {}, "ban " + somebody + " 1.5h": {}, "ban " + somebody + " 0": {},
		"ban " + somebody + " 1w": {}, "ban " + somebody + " 367d": {}, "ban " + somebody + " -5s": {}, "ban " + somebody + " 999999999999d": {},
		"slow": {}, "slow 7h": {}, "slow 5s please": {}, "readonly now": {}, "readonly ": {}, "welcome ": {}, "welcome a\nb": {}, "welcome a\tb": {}, "welcome \x1b[2J": {},
		"welcome \xff": {}, "welcome \u202eevil": {}, "welcome x ": {}, "welcome  x": {}, "welcome " + strings.Repeat("x", MaxReason+1): {},
		"pin": {}, "pin x": {}, "pin 0123456789ABCDEF": {}, "pin " + message + " x": {}, "pin 0123": {},
		"op " + strings.Repeat("x", maxWho+1): {}, "op größe": {}, "op x\x00": {}, "kick\x00" + somebody: {},
	} {
		got, err := ParseAct(body)
		if (err == nil) != (want != ActOf{}) {
			t.Errorf("ParseAct(%q): %v, want an act: %v", body, err, want != ActOf{})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ParseAct(%q) mismatch (-want +got):\n%s", body, diff)
		}
		if err != nil && (len(err.Error()) > 500 || OneLine(err.Error()) != err.Error()) {
			t.Errorf("ParseAct(%q): the error %q does not fit a line", body, err)
		}
	}
}

// TestActsFitMessages: an act, however long, is a text that any reader takes.
func TestActsFitMessages(t *testing.T) {
	for _, verb := range Verbs() {
		a := ActOf{Verb: verb}
		f := forms[verb]
		if f.who {
			a.Who = somebody
		}
		if a.For = f.max; f.text == messageText {
			a.Text = message
		} else if f.text == anyText {
			a.Text = strings.Repeat("x", MaxReason)
		}
		got, err := ParseAct(a.String())
		if err != nil || got != a || CheckText(Act, a.String()) != OK {
			t.Errorf("%q: %+v, %v", a.String(), got, err)
		}
	}
	if len(Verbs()) != 19 {
		t.Errorf("there are %d verbs", len(Verbs()))
	}
}

func FuzzParseAct(f *testing.F) {
	for _, verb := range Verbs() {
		f.Add(string(verb) + " " + somebody + " 1h10m " + message)
		f.Add(string(verb) + " 5s")
		f.Add(string(verb) + " " + message)
	}
	f.Fuzz(func(t *testing.T, body string) {
		a, err := ParseAct(body)
		if err == nil && (a.String() != body || CleanText(Topic, body) != body || CheckText(Act, body) != OK) {
			t.Errorf("%q became %+v, %q", body, a, a.String())
		}
	})
}
