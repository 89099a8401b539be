package lines

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/identity"
	"chatnode/internal/talk"
)

var (
	meID   = me.String()
	bobID  = bob.String()
	nodeID = identity.ID{9}.String()
)

// jsonUp is the object of the link that every desk begins with.
var jsonUp = `{"type":"link","state":"up","name":"carol","title":"Lab","node":"` + nodeID + `","epoch":"0000000000000007"}` + "\n"

// TestObjects holds the form of every object: the order of the fields and what is left out when it is empty.
func TestObjects(t *testing.T) {
	full := client.Message{
		Room: "@bob", To: "bob", Seq: 5, ID: chat.ID{1}, Cursor: chat.Cursor{Epoch: 7, Seq: 5, Hash: chat.Hash{2}}, Epoch: 7, From: 2, Name: "bob",
		Kind: chat.Action, Time: noon.Add(5 * time.Millisecond), Text: "<a> & \"b\"\n\tc", Re: chat.ID{3}, Sealed: true,
	}
	plain := client.Message{Room: "lobby", Seq: 1 << 60, Epoch: 1 << 63, Name: "carol", Kind: chat.Text, Time: noon, Text: "hi", Own: true}
	for _, c := range []struct {
		e    client.Event
		want string
	}{
		{full, `{"type":"message","room":"@bob","seq":5,"id":"0100000000000000","epoch":"0000000000000007","cursor":"0000000000000007.5.0200000000000000",` +
			`"name":"bob","author":"` + bobID + `","kind":"action","time":"2000-01-01T12:00:00.005Z","text":"<a> & \"b\"\n\tc","re":"0300000000000000","to":"bob","sealed":true}`},
		{plain, `{"type":"message","room":"lobby","seq":1152921504606846976,"id":"0000000000000000","epoch":"8000000000000000","cursor":"0000000000000000.0.0000000000000000",` +
			`"name":"carol","author":"` + meID + `","kind":"text","time":"2000-01-01T12:00:00.000Z","text":"hi","own":true}`},
		{client.Ack{Ref: "3 2 x1", Room: "lobby", Seq: 4, ID: chat.ID{1}, Time: noon, Kind: chat.Text}, `{"type":"ack","ref":"x1","n":2,"line":3,"room":"lobby","seq":4,"id":"0100000000000000","time":"2000-01-01T12:00:00.000Z"}`},
		{client.Refused{Ref: "3 2 ", Room: "ops", Code: chat.RoomRate, RetryAfter: time.Second}, `{"type":"refused","n":2,"line":3,"room":"ops","code":"room_rate","text":"too many new rooms; try again later","retry_after_ms":1000}`},
		{client.Message{Room: "@bob", To: "bob", Seq: 6, From: 2, Name: "bob", Kind: chat.Sealed, Time: noon, Sealed: true, Unreadable: true},
			`{"type":"message","room":"@bob","seq":6,"id":"0000000000000000","epoch":"0000000000000000","cursor":"0000000000000000.0.0000000000000000",` +
				`"name":"bob","author":"` + bobID + `","kind":"sealed","time":"2000-01-01T12:00:00.000Z","text":"","to":"bob","sealed":true,"unreadable":true}`},
		{client.KeyChanged{Name: "bob", Was: bob, Now: identity.ID{9}}, `{"type":"key_changed","name":"bob","was":"` + bobID + `","now":"` + nodeID + `","text":"` +
			talk.ChangedText(client.KeyChanged{Name: "bob", Was: bob, Now: identity.ID{9}}) + `"}`},
		{client.LinkUp{Title: "Lab", Name: "carol", Node: identity.ID{9}, Epoch: 8, Resumed: true}, `{"type":"link","state":"up","name":"carol","title":"Lab","node":"` + nodeID + `","epoch":"0000000000000008","resumed":true}`},
		{client.LinkUp{Title: "Lab", Name: "carol", Node: identity.ID{9}, Epoch: 8, Resumed: true, Moved: true},
			`{"type":"link","state":"up","name":"carol","title":"Lab","node":"` + nodeID + `","epoch":"0000000000000008","resumed":true,"moved":true}`},
		{client.WentOn{From: "Lab\x1b", To: "Hall"}, `{"type":"moved","from":"Lab�","to":"Hall","text":"node Lab� is gone; went on at Hall, nothing was lost"}`},
		{client.WentOn{From: "Lab", To: "Hall", Anew: 2}, `{"type":"moved","from":"Lab","to":"Hall","anew":2,"text":"node Lab is gone; went on at Hall, 2 rooms begin anew there"}`},
		{client.Message{Room: "ops", Seq: 6, From: 2, Name: "bob", Kind: chat.Text, Time: noon, At: noon.Add(-time.Hour), Text: chat.ForkedText, Forked: true},
			`{"type":"message","room":"ops","seq":6,"id":"0000000000000000","epoch":"0000000000000000","cursor":"0000000000000000.0.0000000000000000","name":"bob","author":"` + bobID +
				`","kind":"text","time":"2000-01-01T12:00:00.000Z","text":"(hidden: its node signed two histories)","at":"2000-01-01T11:00:00.000Z","forked":true}`},
		{client.LinkDown{Err: errors.New("reset"), RetryIn: 1500 * time.Millisecond}, `{"type":"link","state":"down","text":"reset","retry_after_ms":1500}`},
		{client.LinkDown{Code: chat.Stopping}, `{"type":"link","state":"down","code":"stopping","text":"the node is stopping","retry_after_ms":0}`},
		{client.Opened{Room: "ops", Topic: "tea", From: 2, Head: 9}, `{"type":"opened","room":"ops","topic":"tea","from":2,"head":9}`},
		{client.Opened{Room: "@bob", Direct: true}, `{"type":"opened","room":"@bob","topic":"","from":0,"head":0,"direct":true}`},
		{client.Left{Room: "ops"}, `{"type":"closed","room":"ops","code":"ok","text":"done"}`},
		{client.ClosedRoom{Room: "ops", Code: chat.Denied}, `{"type":"closed","room":"ops","code":"denied","text":"that is not allowed"}`},
		{client.Denied{Room: "ops", Code: chat.RoomRate}, `{"type":"denied","room":"ops","code":"room_rate","text":"too many new rooms; try again later"}`},
		{client.Gap{Room: "ops", From: 1, To: 120}, `{"type":"gap","room":"ops","from":1,"to":120}`},
		{client.Reset{Room: "ops", Why: "hash"}, `{"type":"reset","room":"ops","why":"hash","text":"#ops begins anew: the node's log differs from what was shown here; messages above may be missing from it, or come again below"}`},
		{client.Reset{Why: "acks"}, `{"type":"reset","why":"acks","text":"all rooms begin anew: the node has forgotten messages that it had acknowledged; messages above may be missing from it, or come again below"}`},
		{client.Joined{Room: "ops", Name: "bob", ID: bob}, `{"type":"joined","room":"ops","name":"bob","author":"` + bobID + `"}`},
		{client.Gone{Room: "ops", Name: "bob", ID: bob}, `{"type":"left","room":"ops","name":"bob","author":"` + bobID + `"}`},
		{client.Renamed{Room: "ops", Old: "bob", New: "bert", ID: bob}, `{"type":"renamed","room":"ops","name":"bert","author":"` + bobID + `","old":"bob"}`},
		{client.Stirred{Room: "ops", Name: "bob", ID: bob, Away: true}, `{"type":"stirred","room":"ops","name":"bob","author":"` + bobID + `","away":true}`},
		{client.Stirred{Room: "ops", Name: "bob", ID: bob}, `{"type":"stirred","room":"ops","name":"bob","author":"` + bobID + `"}`},
		{client.Joined{Room: "ops", Name: "bob", ID: bob, Away: true}, `{"type":"joined","room":"ops","name":"bob","author":"` + bobID + `","away":true}`},
		{client.Present{Room: "ops", Count: 1, People: []client.Person{{ID: bob, Name: "bob", Away: true}}}, `{"type":"present","room":"ops","count":1,"people":[{"name":"bob","author":"` + bobID + `","away":true}]}`},
		{client.Present{Room: "ops", Count: 1, People: []client.Person{{ID: bob, Name: "bob"}}}, `{"type":"present","room":"ops","count":1,"people":[{"name":"bob","author":"` + bobID + `"}]}`},
		{client.Present{Room: "ops", Count: 900}, `{"type":"present","room":"ops","count":900,"people":[]}`},
		{client.Named{Name: "cat"}, `{"type":"named","name":"cat","code":"ok"}`},
		{client.Named{Name: "cat", Code: chat.NameTaken, Suggest: "bob~7q2f"}, `{"type":"named","name":"cat","code":"name_taken","suggest":"bob~7q2f"}`},
		{client.Notice{Code: chat.NameTaken, Text: "hello"}, `{"type":"notice","code":"name_taken","text":"hello"}`},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, newDesk(), func(cfg *Config) { cfg.JSON, cfg.Follow = true, true })
			r.told(c.e)
			r.wants(jsonUp+c.want+"\n", "")
		})
	}
}

func TestJSONInput(t *testing.T) {
	names := `{"type":"names","line":1,"room":"lobby","total":1,"people":[{"name":"bob` + "�" + `[2J","author":"` + bobID + `"}]}`
	message := func(n, room, text, to string) string {
		return `{"type":"message","room":"` + room + `","seq":` + n + `,"id":"0` + n + `00000000000000","epoch":"0000000000000007","name":"carol","author":"` + meID + `","kind":"text","time":"2000-01-01T12:00:00.000Z","text":"` + text + `",` + to + `"own":true}`
	}
	ack := func(n, source, room string) string {
		return `{"type":"ack",` + source + `,"room":"` + room + `","seq":` + n + `,"id":"0` + n + `00000000000000","time":"2000-01-01T12:00:00.000Z"}`
	}
	said := func(room, seq, author, end string) string {
		return `{"type":"message","room":"` + room + `","seq":` + seq + `,"id":"0000000000000000","epoch":"0000000000000007","name":"bob","author":"` + author +
			`","kind":"text","time":"2000-01-01T12:00:00.000Z","text":"a\nb[2J"` + end + `}`
	}
	for in, want := range map[string]struct {
		out    []string
		failed string
	}{
		`{"type":"send","ref":"x1","text":"a"}`:    {[]string{ack("1", `"ref":"x1","n":1,"line":1`, "lobby"), message("1", "lobby", "a", "")}, ""},
		`{"type":"send","room":"@bob","text":"a"}`: {[]string{ack("1", `"n":1,"line":1`, "@bob"), message("1", "@bob", "a", `"to":"bob",`)}, ""},
		"\n" + `{"type":"send","text":7,"ref":"y"}` + "\nx\n" + `{"type":"send","text":"b"}`: {[]string{
			`{"type":"error","ref":"y","n":1,"line":2,"code":"bad_field","text":"text must be a string, not number"}`,
			`{"type":"error","line":3,"code":"bad_json","text":"the line is not JSON: invalid character 'x' looking for beginning of value"}`,
			ack("1", `"n":2,"line":4`, "lobby"), message("1", "lobby", "b", ""),
			`{"type":"error","code":"not_kept","text":"1 message was refused, 1 command failed"}`,
		}, "1 message was refused, 1 command failed"},
		`{"type":"send","text":"` + strings.Repeat(" ", maxJSON) + `"}`: {[]string{
			`{"type":"error","line":1,"code":"too_long","text":"a line of JSON holds at most 53248 bytes"}`,
			`{"type":"error","code":"not_kept","text":"1 message was refused"}`,
		}, "1 message was refused"},
		`{"type":"command","ref":"z","line":"/msg #ops hi"}`: {[]string{ack("1", `"ref":"z","line":1`, "ops"), message("1", "ops", "hi", "")}, ""},
		`{"type":"command","line":"/nikc bob"}`: {[]string{
			`{"type":"error","line":1,"code":"unknown_command","text":"/nikc is no command (did you mean /nick?); /help lists them, and a text that begins with / is typed as //"}`,
			`{"type":"error","code":"not_kept","text":"1 command failed"}`,
		}, "1 command failed"},
		`{"type":"command","line":"/whois eve"}`: {[]string{
			`{"type":"error","line":1,"code":"no_such_user","text":"nobody of that name is known here"}`,
			`{"type":"error","code":"not_kept","text":"1 command failed"}`,
		}, "1 command failed"},
		`{"type":"command","line":"/names"}`:     {[]string{names}, ""},
		`{"type":"command","line":"/whois bob"}`: {[]string{`{"type":"whois","line":1,"name":"bob","author":"` + bobID + `","sessions":1,"rooms":["lobby"],"since":"2000-01-01T12:00:00.000Z"}`}, ""},
		`{"type":"command","line":"/list"}`: {[]string{
			`{"type":"list","line":1,"rooms":[{"room":"lobby","members":1,"head":3,"topic":"tea"},{"room":"ops","members":2,"head":9,"topic":"coffee"}]}`}, ""},
		`{"type":"command","ref":"t","line":"/topic"}`: {[]string{`{"type":"topic","ref":"t","line":1,"room":"lobby","topic":"tea"}`}, ""},
		`{"type":"command","ref":"h","line":"/history 2"}`: {[]string{
			`{"type":"history","ref":"h","line":1,"room":"lobby","messages":[` + said("lobby", "4", bobID, "") + `,` + said("lobby", "5", meID, `,"own":true`) + `],"before":4}`}, ""},
		`{"type":"command","line":"/search hi"}`: {[]string{
			`{"type":"search","line":1,"messages":[` + said("@bob", "9", bobID, `,"to":"bob"`) + `],"before":7,"behind":2}`}, ""},
		`{"type":"command","ref":"m","line":"/mentions"}`: {[]string{
			`{"type":"mentions","ref":"m","line":1,"messages":[{"type":"message","room":"ops","seq":6,"id":"0000000000000000","epoch":"0000000000000000","name":"bob","author":"` + bobID +
				`","kind":"text","time":"2000-01-01T12:00:00.000Z","text":"hi Carol","re":"0100000000000000"}],"behind":2}`}, ""},
		`{"type":"command","ref":"a","line":"/away at lunch"}`: {[]string{`{"type":"away","ref":"a","line":1,"away":true,"text":"at lunch"}`}, ""},
		`{"type":"command","line":"/back"}`:                    {[]string{`{"type":"away","line":1,"away":false}`}, ""},
		`{"type":"command","line":"/clear"}`: {[]string{
			`{"type":"error","line":1,"code":"no_screen","text":"/clear needs the full screen, which chatnode has on a terminal without -plain"}`,
			`{"type":"error","code":"not_kept","text":"1 command failed"}`,
		}, "1 command failed"},
		`{"type":"command","line":"/reply yes"}`: {[]string{
			`{"type":"error","line":1,"code":"no_message","text":"there is no message here to do that with"}`,
			`{"type":"error","code":"not_kept","text":"1 message was refused"}`,
		}, "1 message was refused"},
		`{"type":"command","line":"/help clear"}`: {[]string{
			`{"type":"help","line":1,"commands":[{"name":"clear","aliases":[],"usage":"/clear","text":"empty the screen of this room; nothing is deleted","screen":true}]}`}, ""},
		`{"type":"command","line":"/keep"}`:         {[]string{`{"type":"keep","line":1,"room":"lobby"}`}, ""},
		`{"type":"command","line":"/keep 1s 64KB"}`: {[]string{`{"type":"keep","line":1,"room":"lobby","set":true,"age_ms":1000,"size":65536}`}, ""},
		`{"type":"command","line":"/help q"}`: {[]string{
			`{"type":"help","line":1,"commands":[{"name":"quit","aliases":["q","exit","bye","disconnect"],"usage":"/quit","text":"say goodbye and end"}]}`}, ""},
		`{"type":"command","line":"/quit"}` + "\n" + `{"type":"send","text":"late"}`: {nil, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk()
			d.answers = true
			r := start(t, d, func(cfg *Config) { cfg.JSON = true })
			r.typed(in + "\n")
			r.eof()
			if err := r.result(); want.failed == "" && err != nil {
				t.Errorf("%.80s: Run: %v", in, err)
			} else if want.failed != "" {
				wantsEnd(t, err, talk.ErrNotKept, want.failed)
			}
			out := jsonUp
			for _, line := range want.out {
				out += line + "\n"
			}
			r.wants(out, "")
		})
	}
}

func TestJSONWithoutARoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newDesk(), func(cfg *Config) { cfg.JSON, cfg.Rooms = true, nil })
		r.typed(`{"type":"send","text":"a"}` + "\n")
		r.wants(jsonUp+`{"type":"error","n":1,"line":1,"code":"no_room","text":"you are in no room: /join one first"}`+"\n", "")
	})
}

// Authors are asked for, but a node that does not tell them holds no message back twice.
func TestAuthors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		r := start(t, d, func(cfg *Config) { cfg.JSON, cfg.Follow = true, true })
		from := func(n uint64) client.Message { return client.Message{Room: "lobby", From: n, Text: "x", Time: noon} }
		r.told(from(4), from(2), from(3), from(2), up(), from(2))
		if got := strings.Count(r.out.String(), `"type":"message"`); got != 2 {
			t.Errorf("%d messages before the node was waited for, want 2", got)
		}
		pass(talk.AuthorWait)
		if got := strings.Count(r.out.String(), bobID); got != 2 || strings.Count(r.out.String(), `"type":"message"`) != 5 {
			t.Errorf("%d authors were told, want 2:\n%s", got, r.out.String())
		}
	})
}

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		`"plain é"`: `"plain é"`, "\u009b": `\u009b`, "\x7f": `\u007f`, "\u202e": `\u202e`, "\U000e0041": `\udb40\udc41`, `\n`: `\n`,
	} {
		if got := escape(in); got != want {
			t.Errorf("escape(%q) = %q, want %q", in, got, want)
		}
	}
}
