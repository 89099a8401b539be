package command

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
)

// TestActs: what each command makes of what is typed, and what it asks for first.
func TestActs(t *testing.T) {
	key, id := "key of bob in ops", "message 0 of ops"
	for line, want := range map[string][]string{
		"/op bob":                        {key, "act in ops: op cn1b"},
		"/DEOP @bob":                     {key, "act in ops: deop cn1b"},
		"/kick bob":                      {key, "act in ops: kick cn1b"},
		"/kick bob  not\there,  please ": {key, "act in ops: kick cn1b not here,  please"},
		"/ban bob":                       {key, "act in ops: ban cn1b 0s"},
		"/ban bob 7d":                    {key, "act in ops: ban cn1b 7d"},
		"/ban bob for 90m":               {key, "act in ops: ban cn1b 1h30m"},
		"/ban bob 1h10m flood":           {key, "act in ops: ban cn1b 1h10m flood"},
		"/ban bob for 1d for flooding":   {key, "act in ops: ban cn1b 1d for flooding"},
		"/ban bob for flooding 10m":      {key, "act in ops: ban cn1b 0s for flooding 10m"},
		"/mute bob 10s\n\x1b[2Jx\u202e":  {key, "act in ops: mute cn1b 10s [2Jx"},
		"/unban bob":                     {key, "act in ops: unban cn1b"},
		"/unmute bob":                    {key, "act in ops: unmute cn1b"},
		"/mute bob 366d":                 {key, "act in ops: mute cn1b 366d"},
		"/slow 10s":                      {"act in ops: slow 10s"},
		"/slow off":                      {"act in ops: slow 0s"},
		"/readonly":                      {"act in ops: readonly"},
		"/readonly on":                   {"act in ops: readonly"},
		"/readonly off":                  {"act in ops: writable"},
		"/archive":                       {"act in ops: archive"},
		"/archive off":                   {"act in ops: unarchive"},
		"/private":                       {"act in ops: private"},
		"/private off":                   {"act in ops: open"},
		"/pin":                           {id, "act in ops: pin 0100000000000000"},
		"/pin 7":                         {"message 7 of ops", "act in ops: pin 0107000000000000"},
		"/pin 00000000000000ff":          {"act in ops: pin 00000000000000ff"},
		"/unpin":                         {id, "act in ops: unpin 0100000000000000"},
		"/unpin 00000000000000FF":        {"act in ops: unpin 00000000000000ff"},
		"/welcome":                       {"welcome ops", "show the welcome of #ops: hi"},
		"/welcome  be  kind ":            {"act in ops: welcome be  kind"},
		"/welcome -delete":               {"act in ops: welcome"},
		"/banned":                        {"banned ops", "show nobody is banned from #ops"},
		"/pins":                          {"pins ops", "show #ops has no messages pinned"},
	} {
		line = strings.ReplaceAll(line, "\\t", "\t")
		call, err := Parse(line)
		if err != nil {
			t.Errorf("Parse(%q): %v", line, err)
			continue
		}
		env := &deskEnv{room: "ops"}
		if err := Run(t.Context(), call, env); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		if diff := cmp.Diff(want, env.did); diff != "" {
			t.Errorf("%q mismatch (-want +got):\n%s", line, diff)
		}
		for _, did := range env.did {
			if body, ok := strings.CutPrefix(did, "act in ops: "); ok {
				if _, err := chat.ParseAct(body); err != nil {
					t.Errorf("%q makes %q: %v", line, body, err)
				}
			}
		}
		for _, where := range []string{"", "@bob"} {
			nowhere := &deskEnv{room: where}
			err := Run(t.Context(), call, nowhere)
			if where == "" && !errors.Is(err, ErrNoRoom) || where != "" && !isUsage(err, "is for rooms") || nowhere.did != nil {
				t.Errorf("%q in %q: %v, did %q", line, where, err, nowhere.did)
			}
		}
		failing := &deskEnv{room: "ops", fail: errTest}
		if err := Run(t.Context(), call, failing); !errors.Is(err, errTest) || len(failing.did) != 1 {
			t.Errorf("%q, which fails: %v, did %q", line, err, failing.did)
		}
	}
}

var errTest = errors.New("test")

// isUsage reports whether an error says what is wrong with a line.
func isUsage(err error, text string) bool {
	var wrong *Error
	return errors.As(err, &wrong) && wrong.Reason == BadUsage && strings.Contains(wrong.Text, text)
}

// TestActUsage: what is missing, too much or unfit is told, and nothing is asked or done.
func TestActUsage(t *testing.T) {
	for line, want := range map[string]string{
		"/op":                                   "NAME is missing; usage: /op NAME",
		"/op bob now":                           "now is too much",
		"/deop @":                               "NAME is missing",
		"/kick":                                 "usage: /kick NAME [REASON]",
		"/kick \xff":                            "is not a name",
		"/kick bob " + strings.Repeat("x", 391): "that is too long: it may have 390 bytes",
		"/ban":                                  "usage: /ban NAME [for TIME REASON]",
		"/ban bob 10":                           "10 has no unit: 10m are ten minutes; without a time it has no end",
		"/ban bob for 1.5 x":                    "1.5 has no unit",
		"/ban bob for":                          "for what is missing",
		"/mute bob 0s":                          "0s is not a time from 1s to 366d",
		"/mute bob 10ms":                        "10ms is not a time",
		"/mute bob 367d":                        "367d is not a time",
		"/mute bob 1w " + strings.Repeat("x", 391): "that is too long",
		"/unban":                               "NAME is missing",
		"/unban bob x":                         "x is too much",
		"/unmute bob 10m":                      "10m is too much",
		"/slow":                                "TIME is missing; usage: /slow TIME | off",
		"/slow 7h":                             "7h is neither off nor a time from 1s to 6h",
		"/slow 10":                             "10 is neither off",
		"/slow 0s":                             "0s is neither off",
		"/readonly maybe":                      "maybe is neither on nor off",
		"/archive ops":                         "ops is neither on nor off",
		"/pin last":                            "last is not the number of a message: /history shows them",
		"/pin 0":                               "0 is not the number",
		"/unpin -1":                            "-1 is not the number",
		"/pin 99999999999999999999999":         "is not the number",
		"/pin 0000000000000000":                "is not the number",
		"/pins x":                              "x is too much",
		"/banned bob":                          "bob is too much",
		"/welcome " + strings.Repeat("x", 391): "that is too long",
	} {
		env := &deskEnv{room: "ops"}
		call, err := Parse(line)
		if err == nil {
			err = Run(t.Context(), call, env)
		}
		if !isUsage(err, want) || env.did != nil {
			t.Errorf("%.40q: %v, did %q, want %q", line, err, env.did, want)
		}
	}
}

// TestDeeds: every act is told in words, with the name of whom it is done to, or what is there of their key.
func TestDeeds(t *testing.T) {
	const who = "cn1miaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaacnmbv"
	id := chat.ID{1}.String()
	for body, want := range map[string]string{
		"op " + who: "has made bob a moderator", "deop " + who: "has made bob a moderator no longer", "kick " + who: "has put bob out of the room",
		"kick " + who + " spam": "has put bob out of the room: spam", "ban " + who + " 0s": "has banned bob", "ban " + who + " 7d x y": "has banned bob for 7d: x y",
		"unban " + who: "has lifted the ban of bob", "mute " + who + " 10m spam": "has muted bob for 10m: spam", "unmute " + who: "has unmuted bob",
		"slow 10s": "has everybody wait 10s between two messages", "slow 0s": "has ended the slow mode", "readonly": "has made the room read-only",
		"writable": "has everybody write again", "pin " + id: "has pinned a message", "unpin " + id: "has taken a pin away", "welcome": "took the welcome away",
		"welcome be kind": "has set the welcome: be kind", "archive": "has archived the room", "unarchive": "has opened the room again, which was archived",
		"private": "has made the room private", "open": "has opened the room to everybody", "invite " + who: "has invited bob",
		"redact " + id: "has taken the text of a message away",
	} {
		if got := ToldAct("carol", body, "bob"); got != "-- carol "+want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
		if short := strings.Replace(want, "bob", "cn1miaaaaaa…", 1); Told("carol", chat.Act, body) != "-- carol "+short {
			t.Errorf("%s, nobody known: %q", body, Told("carol", chat.Act, body))
		}
		if a, err := chat.ParseAct(body); err != nil || deeds[a.Verb] == "" {
			t.Errorf("%s: %v", body, err)
		}
	}
	for _, v := range chat.Verbs() {
		if deeds[v] == "" {
			t.Errorf("what %s does is not told", v)
		}
	}
	if got, want := Told("carol", chat.Act, "promote bob"), "-- carol (act): promote bob"; got != want {
		t.Errorf("of a newer chatnode: %q", got)
	}
	if got := ToldAct("carol", "kick "+who, "WHO is: me"); got != `-- carol has put "WHO is: me" out of the room` {
		t.Errorf("a name that is none: %q", got)
	}
}

// TestAnswersOfModerators are what they read.
func TestAnswersOfModerators(t *testing.T) {
	noon := time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC)
	bob, carol := Who{ID: "cn1b", Name: "bob"}, Who{ID: "cn1c"}
	for _, c := range []struct {
		a    Answer
		want []string
	}{
		{BannedAnswer{Room: "ops", Bans: []Ban{{Who: bob, By: carol, Since: noon}, {Who: carol, By: bob, Since: noon, Until: noon.Add(time.Hour), Text: "spam"}}}, []string{
			"2 people are banned from #ops:", "  bob, by cn1c since 2000-01-01 12:00", "  cn1c, by bob since 2000-01-01 12:00 until 2000-01-01 13:00: spam"}},
		{PinsAnswer{Room: "ops", Pins: []Said{{Seq: 4, Name: "bob", Kind: chat.Text, Time: noon, Text: "tea at 4"}}, Missing: []chat.ID{{1}}}, []string{
			"2 messages are pinned in #ops:", "  2000-01-01 12:00 4 bob: tea at 4", "  0100000000000000, which is too far back, or not kept any more"}},
		{WelcomeAnswer{Room: "ops"}, []string{"#ops has no welcome"}},
	} {
		if diff := cmp.Diff(c.want, c.a.Lines(time.UTC)); diff != "" {
			t.Errorf("%T mismatch (-want +got):\n%s", c.a, diff)
		}
	}
	if got := fmt.Sprint(HelpAnswer{[]Entry{*byName[ban], *byName[op], *byName[pins]}}.Lines(nil)); !strings.Contains(got, "(for the room's moderators)") || !strings.Contains(got, "(for the room's owner)") {
		t.Errorf("help says %q", got)
	}
}
