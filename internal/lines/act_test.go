package lines

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/identity"
)

// done is an act as a message of the lobby.
func done(seq uint64, text string) client.Message {
	return client.Message{Room: "lobby", Seq: seq, ID: chat.ID{byte(seq)}, From: 9, Name: "alice", Kind: chat.Act, Time: noon, Text: text}
}

// TestActs: what moderators type goes out as acts, in its turn; what can't be done is told, and what was refused.
func TestActs(t *testing.T) {
	said := client.Message{Room: "lobby", ID: chat.ID{7}, From: 2, Name: "bob", Kind: chat.Text, Time: noon, Text: "x"}
	for line, want := range map[string]struct{ sent, err string }{
		"/mute bob 10m shouting":  {"mute " + bobID + " 10m shouting", ""},
		"/mute eve 10m":           {"", chat.NoSuchUser.Sentence()},
		"/ban " + bobID:           {"ban " + bobID + " 0s", ""},
		"/op bob":                 {"op " + bobID, ""},
		"/kick bob":               {"kick " + bobID, ""},
		"/kick":                   {"", "NAME is missing; usage: /kick NAME [REASON]"},
		"/slow 10s":               {"slow 10s", ""},
		"/slow soon":              {"", "soon is neither off nor a time from 1s to 6h; usage: /slow TIME | off"},
		"/readonly off":           {"writable", ""},
		"/archive":                {"archive", ""},
		"/pin":                    {"pin 0700000000000000", ""},
		"/pin 6":                  {"", "#lobby has no message 6, or does not keep it any more"},
		"/unpin 00000000000000aa": {"unpin 00000000000000aa", ""},
		"/welcome be kind":        {"welcome be kind", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, newDesk(), func(cfg *Config) { cfg.Terminal = true })
			r.told(said)
			r.typed(line + "\n")
			var sent []string
			if want.sent != "" {
				sent = []string{"lobby act " + want.sent}
			}
			if diff := cmp.Diff(sent, r.desk.texts()); diff != "" {
				t.Errorf("%s: sent mismatch (-want +got):\n%s", line, diff)
			}
			if want.err != "" {
				r.wants("12:00 bob: x\n", connected+"-- "+want.err+"\n")
			}
			if want.sent != "" {
				r.desk.refuse(1, chat.NotAllowed, 0)
				r.wants("12:00 bob: x\n", connected+"-- not done in #lobby: "+chat.NotAllowed.Sentence()+"\n")
			}
		})
	}
}

// TestActsOutOfRooms: there is nothing to moderate in a conversation, and nowhere.
func TestActsOutOfRooms(t *testing.T) {
	for room, want := range map[string]string{"@bob": "-- /mute is for rooms, and this is a conversation; /ignore NAME has you not see what somebody says\n", "": "-- you are in no room: /join one first\n"} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, newDesk(), func(cfg *Config) {
				cfg.Terminal = true
				if cfg.Rooms = nil; room != "" {
					cfg.Rooms = []string{room}
				}
			})
			r.typed("/mute bob\n")
			r.wants("", connected+want)
			if len(r.desk.texts()) > 0 {
				t.Errorf("sent %q", r.desk.texts())
			}
		})
	}
}

// TestActsAreTold: with the names of those that they are done to, as far as they are known; whoever joins is told what goes in the room.
func TestActsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newDesk(), func(cfg *Config) { cfg.Terminal = true })
		eve := identity.ID{5}
		opened := client.Opened{Room: "lobby"}
		opened.Role, opened.Rules = chat.RoleOwner, client.Rules{Slow: time.Minute, Welcome: "be kind\x1b[2J"}
		r.told(opened, opened, client.Present{Room: "lobby", Count: 1, People: []client.Person{{ID: eve, Name: "eve"}}},
			done(1, "mute "+bobID+" 10m spam"), done(2, "kick "+eve.String()), done(3, "op "+identity.ID{6}.String()), done(4, "promote \x1b[2J"), done(5, "readonly"),
			client.Standing{Room: "lobby"}, client.ClosedRoom{Room: "lobby", Code: chat.Kicked})
		r.wants("12:00 -- alice has muted bob for 10m: spam\n12:00 -- alice has put eve out of the room\n12:00 -- alice has made "+
			identity.ID{6}.String()[:11]+"… a moderator\n12:00 -- alice (act): promote �[2J\n12:00 -- alice has made the room read-only\n",
			connected+"-- you are in #lobby\n-- #lobby: slow 1m, you are its owner\n-- #lobby says: be kind�[2J\n-- 1 person in #lobby: eve\n"+
				"-- the node has closed #lobby: you were put out of that room\n")
	})
}

// TestModeratorsObjects are what programs get.
func TestModeratorsObjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newDesk(), func(cfg *Config) { cfg.JSON, cfg.Follow = true, true })
		r.json = true
		terms := client.Terms{Role: chat.RoleModerator, Muted: true, Until: noon.Add(time.Hour), Rules: client.Rules{
			ReadOnly: true, Archived: true, Private: true, Slow: time.Second, Welcome: "a\x1b[2J", Pins: []chat.ID{{1}}}}
		object := `"role":"moderator","muted":true,"until":"2000-01-01T13:00:00.000Z","read_only":true,"archived":true,"private":true,"slow_ms":1000,"welcome":"a�[2J","pins":["0100000000000000"]}`
		r.told(client.Opened{Room: "lobby", Terms: terms}, client.Standing{Room: "lobby", Terms: terms}, client.Standing{Room: "ops"},
			done(1, "mute "+bobID+" 10m spam"), done(2, "promote bob"), done(3, "slow 0s"))
		for _, line := range []string{"/banned", "/pins", "/welcome", "/help mute", "/mute bob 10m"} {
			r.typed(line)
		}
		r.desk.keep(1)
		synctest.Wait()
		out := r.out.String()
		for _, want := range []string{
			`{"type":"opened","room":"lobby","topic":"","from":0,"head":0,` + object, `{"type":"standing","room":"lobby",` + object, `{"type":"standing","room":"ops"}`,
			`"kind":"act","time":"2000-01-01T12:00:00.000Z","text":"mute ` + bobID + ` 10m spam","act":{"verb":"mute","who":"` + bobID + `","for_ms":600000,"reason":"spam"}}`,
			`"text":"promote bob"}`, `"text":"slow 0s","act":{"verb":"slow"}}`,
			`{"type":"banned","line":1,"room":"lobby","bans":[{"name":"bob�[2J","author":"` + bobID + `","by":"","by_author":"` + meID +
				`","since":"2000-01-01T12:00:00.000Z","until":"2000-01-01T13:00:00.000Z","reason":"a�[2J"}]}`,
			`{"type":"pins","line":2,"room":"lobby","messages":[],"missing":[]}`, `{"type":"welcome","line":3,"room":"lobby","text":""}`,
			`"usage":"/mute NAME [for TIME REASON]"`, `"rights":"moderator"}`, `{"type":"ack","line":5,"room":"lobby"`,
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%s is not in\n%s", want, out)
			}
		}
	})
}
