package lines

import (
	"strings"
	"testing"
	"testing/synctest"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/talk"

	"github.com/google/go-cmp/cmp"
)

func TestCommands(t *testing.T) {
	terminal := func(cfg *Config) { cfg.Terminal = true }
	piped := func(cfg *Config) { cfg.Commands = true }
	for name, c := range map[string]struct {
		change     func(*Config)
		in         string
		sent, asks []string
		out, err   string
		fails      bool
	}{
		"talk":             {terminal, "hi\n//hi\n/me waves\n", []string{"lobby text hi", "lobby text /hi", "lobby action waves"}, nil, "", "", false},
		"topic":            {terminal, "/topic new\n/topic\n", []string{"lobby topic new"}, nil, "-- the topic of #lobby: tea\n", "", false},
		"topic elsewhere":  {piped, "/join ops\n/topic\n", nil, nil, "-- the topic of #ops: coffee\n", "", false},
		"topic of nothing": {piped, "/join attic\n/topic\n", nil, nil, "", "-- line 2: there is no such room\n", true},
		"join and talk":    {terminal, "/join ops\nhi\n/join lobby\nho\n", []string{"ops text hi", "lobby text ho"}, []string{"join ops"}, "", "", false},
		"join in a pipe":   {piped, "/join ops\nhi\n", []string{"ops text hi"}, nil, "12:00 #ops carol: hi\n", "", false},
		"join that fails":  {terminal, "/join full\nhi\n", []string{"lobby text hi"}, []string{"join full"}, "", "-- too many commands wait for the node\n", false},
		"turn to a person": {terminal, "/join @bob\nhi\n/part\nho\n", []string{"@bob text hi", "lobby text ho"}, nil, "", "", false},
		"part":             {terminal, "/join ops\n/part\nhi\n", []string{"lobby text hi"}, []string{"join ops", "part ops"}, "", "", false},
		"part another":     {terminal, "/join ops\n/part lobby\nhi\n", []string{"ops text hi"}, []string{"join ops", "part lobby"}, "", "", false},
		"part and rejoin":  {terminal, "/part\n/join lobby\nhi\n", []string{"lobby text hi"}, []string{"part lobby", "join lobby"}, "", "", false},
		"part the last":    {terminal, "/part\nhi\n", nil, []string{"part lobby"}, "", "-- you are in no room: /join one first\n", false},
		"part in a pipe":   {piped, "/join ops\n/part\nhi\n/part ops\n", []string{"lobby text hi"}, nil, "12:00 carol: hi\n", "-- line 4: you are not in that room\n", true},
		"nick":             {terminal, "/nick cat\n", nil, []string{"nick cat"}, "", "", false},
		"names":            {terminal, "/names\n", nil, nil, "-- 1 person in #lobby:\n--   \"bob�[2J\"\n", "", false},
		"whois":            {terminal, "/whois eve\n", nil, nil, "", "-- nobody of that name is known here\n", false},
		"whois in a pipe":  {piped, "/whois eve\n", nil, nil, "", "-- line 1: nobody of that name is known here\n", true},
		"history": {terminal, "/history 2\n", nil, []string{"history lobby 2 0 "},
			"-- 2 messages of #lobby:\n--   2000-01-01 12:00 4 bob: a\\nb\ufffd[2J\n--   2000-01-01 12:00 5 bob: a\\nb\ufffd[2J\n--   more: /history 2 before 4\n", "", false},
		"history since":     {terminal, "/join ops\n/history before 7 since 2h\n", nil, []string{"join ops", "history ops 500 7 2h0m0s"}, "", "-- there is no such room (ops)\n", false},
		"history in a pipe": {piped, "/history x\n", nil, nil, "", "-- line 1: x is not a number of messages, 1 to 500; usage: /history [N | before SEQ | since 2h | causal ROOM]\n", true},
		"search": {terminal, "/search hi you in @bob\n", nil, []string{"search {Words:hi you Room:@bob From: Before:0 N:20}"},
			"-- 1 message found, the newest first:\n--   2000-01-01 12:00 @bob 9 bob: a\\nb\ufffd[2J\n--   more: /search hi you in @bob before 7\n--   the last 2 messages can't be found yet\n", "", false},
		"keep":          {terminal, "/keep\n/keep 90d\n/keep 1B\n", nil, []string{"keep lobby", "set keep lobby {Set:true Age:2160h0m0s Size:0}", "set keep lobby {Set:true Age:0s Size:1}"}, "-- #lobby is kept as long as the node keeps any room\n-- #lobby is kept for 90d\n", "-- that is not allowed\n", false},
		"away":          {terminal, "/away at lunch\n/back\n/away now and then\n", nil, []string{`away "at lunch" true`, `away "" false`, `away "now and then" true`}, "-- you are away until /back: at lunch\n-- you are back\n", "-- too much at once; try again in 10 s\n", false},
		"query":         {terminal, "/query bob\nhi\n/query eve  ho \nhm\n", []string{"@bob text hi", "@eve text ho", "@eve text hm"}, nil, "", "", false},
		"close":         {terminal, "/join ops\n/query bob\n/close\nhi\n/wc\nho\n", []string{"ops text hi", "lobby text ho"}, []string{"join ops", "part ops"}, "", "", false},
		"close another": {piped, "/close @bob\n", nil, nil, "", "-- line 1: you are not in that room\n", true},
		"mentions": {terminal, "/mentions before 9\n", nil, []string{"search {Words:carol Room: From: Before:9 N:20}"},
			"-- 1 message with carol, the newest first:\n--   2000-01-01 12:00 #ops 6 bob (re an earlier message): hi Carol\n--   the last 2 messages can't be found yet\n", "", false},
		"on a screen":         {terminal, "/clear\n/notify all\n/buf 2\n/resend\n", nil, nil, "", screenless("clear", "notify", "buffer", "resend"), false},
		"clear in a pipe":     {piped, "/clear\n", nil, nil, "", "-- line 1: /clear needs the full screen, which chatnode has on a terminal without -plain\n", true},
		"nothing to reply to": {terminal, "/reply yes\n", nil, nil, "", "-- there is no message here to do that with\n", false},
		"unknown":             {terminal, "/nikc x\n", nil, nil, "", "-- /nikc is no command (did you mean /nick?); /help lists them, and a text that begins with / is typed as //\n", false},
		"unknown in pipe":     {piped, "/nikc x\n", nil, nil, "", "-- line 1: /nikc is no command (did you mean /nick?); /help lists them, and a text that begins with / is typed as //\n", true},
		"bad usage":           {terminal, "/quit now\n", nil, nil, "", "-- now is too much; usage: /quit\n", false},
		"topic too long":      {terminal, "/topic " + strings.Repeat("x", 391) + "\n", nil, nil, "", "-- " + chat.TooLong.Sentence() + "\n", false},
		"too long":            {terminal, strings.Repeat("x", 8193) + "\n", nil, nil, "", "-- " + chat.TooLong.Sentence() + "\n", false},
		"quit ends input":     {piped, "/quit\nlate\n", nil, nil, "", "", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk()
			d.answers = true
			r := start(t, d, c.change)
			r.typed(c.in)
			r.eof()
			if err := r.result(); !c.fails && err != nil {
				t.Errorf("Run: %v", err)
			} else if c.fails {
				wantsEnd(t, err, talk.ErrNotKept, "1 command failed")
			}
			if diff := cmp.Diff(c.sent, d.texts()); diff != "" {
				t.Errorf("sent mismatch (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.asks, d.asked); diff != "" {
				t.Errorf("asked mismatch (-want +got):\n%s", diff)
			}
			r.wants(c.out, connected+c.err)
			if t.Failed() {
				t.Log(name)
			}
		})
	}
}

func screenless(names ...string) (text string) {
	for _, name := range names {
		text += "-- /" + name + " needs the full screen, which chatnode has on a terminal without -plain\n"
	}
	return text
}

// TestReply: /reply answers what somebody else said last where the user is, as far as it was printed.
func TestReply(t *testing.T) {
	from := func(n byte, room, name string, kind chat.Kind) client.Message {
		return client.Message{Room: room, ID: chat.ID{n}, Name: name, Kind: kind, Text: "x", Time: noon}
	}
	own := from(9, "lobby", "cat", chat.Text)
	own.Own = true
	for name, c := range map[string]struct {
		told []client.Event
		room string
		want chat.ID
	}{
		"the last":                 {[]client.Event{from(1, "lobby", "bob", chat.Text), from(2, "lobby", "eve", chat.Action)}, "lobby", chat.ID{2}},
		"of this room":             {[]client.Event{from(1, "lobby", "bob", chat.Text), from(2, "ops", "eve", chat.Text)}, "lobby", chat.ID{1}},
		"of a conversation":        {[]client.Event{from(1, "@Bob", "Bob", chat.Text)}, "@bob", chat.ID{1}},
		"not one's own":            {[]client.Event{from(1, "lobby", "bob", chat.Text), own}, "lobby", chat.ID{1}},
		"nor of another terminal":  {[]client.Event{from(1, "lobby", "bob", chat.Text), from(2, "lobby", "carol", chat.Text)}, "lobby", chat.ID{1}},
		"nor a topic":              {[]client.Event{from(1, "lobby", "bob", chat.Text), from(2, "lobby", "bob", chat.Topic)}, "lobby", chat.ID{1}},
		"nor one without id":       {[]client.Event{from(1, "lobby", "bob", chat.Text), from(0, "lobby", "bob", chat.Text)}, "lobby", chat.ID{1}},
		"nor what has come before": {[]client.Event{from(1, "lobby", "bob", chat.Text), from(2, "lobby", "eve", chat.Text), from(1, "lobby", "bob", chat.Text)}, "lobby", chat.ID{2}},
		"nothing":                  {[]client.Event{from(2, "ops", "eve", chat.Text)}, "lobby", chat.ID{}},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, newDesk(), func(cfg *Config) { cfg.Terminal = true; cfg.Rooms = []string{c.room} })
			r.told(c.told...)
			r.typed("/reply  yes \n")
			var want []client.Draft
			if !c.want.IsZero() {
				want = []client.Draft{{Room: c.room, Kind: chat.Text, Text: "yes", Re: c.want, Ref: "1 0 "}}
			}
			if diff := cmp.Diff(want, r.desk.drafts); diff != "" {
				t.Errorf("%s: sent mismatch (-want +got):\n%s", name, diff)
			}
		})
	}
}

// TestReport: /report tells the admins' room what somebody else said last where the user is, as it stands there now.
func TestReport(t *testing.T) {
	said := func(room, text string) client.Message {
		return client.Message{Room: room, Seq: 42, ID: chat.ID{1}, Name: "bob", Kind: chat.Text, Text: text, Time: noon}
	}
	for name, c := range map[string]struct {
		told []client.Event
		room string
		want []string
	}{
		"the last":             {[]client.Event{said("lobby", "buy\x1b[2J now")}, "lobby", []string{`reports text #lobby 42 0100000000000000 by bob: "buy` + "\ufffd" + `[2J now" — spam`}},
		"of a conversation":    {[]client.Event{said("@bob", "psst")}, "@bob", []string{`reports text @bob 42 0100000000000000 by bob: "psst" — spam`}},
		"not what was removed": {[]client.Event{said("lobby", "secret"), client.Redacted{Room: "lobby", Seq: 42, ID: chat.ID{1}}}, "lobby", []string{`reports text #lobby 42 0100000000000000 by bob: "(message removed)" — spam`}},
		"of another room":      {[]client.Event{said("ops", "buy now")}, "lobby", nil},
		"nothing":              {nil, "lobby", nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, newDesk(), func(cfg *Config) { cfg.Terminal = true; cfg.Rooms = []string{c.room} })
			r.told(c.told...)
			r.typed("/report  spam \n")
			if diff := cmp.Diff(c.want, r.desk.texts()); diff != "" {
				t.Errorf("%s: sent mismatch (-want +got):\n%s", name, diff)
			}
		})
	}
}

// What was typed for one room is not read in another because the first was closed or denied in between; joining it again asks again.
func TestClosedRoomKeepsItsLines(t *testing.T) {
	for _, e := range []client.Event{client.ClosedRoom{Room: "ops", Code: chat.Denied}, client.Denied{Room: "ops", Code: chat.RoomRate}} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk()
			r := start(t, d, func(cfg *Config) { cfg.Terminal = true })
			r.typed("/join ops\n")
			r.told(e)
			r.typed("for ops alone\n")
			r.typed("/join ops\n")
			if diff := cmp.Diff([]string{"ops text for ops alone"}, d.texts()); diff != "" {
				t.Errorf("%T: sent mismatch (-want +got):\n%s", e, diff)
			}
			if diff := cmp.Diff([]string{"join ops", "join ops"}, d.asked); diff != "" {
				t.Errorf("%T: asked mismatch (-want +got):\n%s", e, diff)
			}
		})
	}
}

func TestQuestionWithoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newDesk(), func(cfg *Config) { cfg.Terminal = true })
		r.typed("/names silent\nhi\n")
		r.wants("", connected)
		pass(defaultTimeout)
		r.wants("", connected+"-- the node did not answer in time\n")
		if n := len(r.desk.texts()); n != 1 {
			t.Errorf("%d sent behind it, want 1", n)
		}
		r.typed("/names silent\n")
		r.stop()
		pass(grace)
		wantsEnd(t, r.result(), talk.ErrNotKept, "1 message is not known to be kept")
	})
}

// A command that the node would not do fails a pipe, and is one's own affair at a terminal.
func TestRefusedCommands(t *testing.T) {
	for _, e := range []client.Event{client.Named{Name: "carol", Code: chat.NameTaken}, client.Denied{Room: "ops", Code: chat.RoomRate}, client.Left{Room: "ops", Code: chat.NotJoined}} {
		for _, terminal := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, newDesk(), func(cfg *Config) { cfg.Terminal = terminal })
				r.told(e)
				r.eof()
				if err := r.result(); terminal && err != nil {
					t.Errorf("%T: Run: %v", e, err)
				} else if !terminal {
					wantsEnd(t, err, talk.ErrNotKept, "1 command failed")
				}
			})
		}
	}
}

// A message that the client would not have at all is refused, not in doubt.
func TestClientRefusesADraft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newDesk(), func(cfg *Config) { cfg.Rooms = []string{"@"} })
		r.typed("hi\n")
		r.eof()
		wantsEnd(t, r.result(), talk.ErrNotKept, "1 message was refused")
		r.wants("", connected+"-- line 1: "+chat.BadRoom.Sentence()+"\n")
	})
}
