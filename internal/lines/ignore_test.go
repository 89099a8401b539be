package lines

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/client"
)

// ofBob is a message by somebody whose origin is number from; bob's is 2.
func ofBob(seq, from uint64, text string) client.Message {
	return client.Message{Room: "lobby", Seq: seq, ID: chat.ID{byte(seq)}, From: from, Name: "bob", Kind: chat.Text, Time: noon, Text: text}
}

// TestIgnored: what somebody says whom the user ignores is not printed, nor is that they come and go; it counts as shown, nothing answers it, and it is told
// how much that was.
func TestIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		r := start(t, d, func(cfg *Config) { cfg.Terminal = true })
		r.told(ofBob(1, 2, "before"))
		r.typed("/ignore bob\n")
		r.told(ofBob(2, 2, "spam"), client.Joined{Room: "lobby", Name: "bob", ID: bob}, client.Gone{Room: "lobby", Name: "bob", ID: bob},
			client.Renamed{Room: "lobby", Old: "bob", New: "bert", ID: bob}, client.Joined{Room: "lobby", Name: "eve"}, ofBob(3, 9, "another bob"), ofBob(4, 2, "more spam"))
		r.typed("/reply you\n")
		r.typed("/ignore\n")
		r.typed("/unignore bob\n")
		r.told(ofBob(5, 2, "after"))
		r.wants("12:00 bob: before\n-- you ignore bob: what they say is kept, and not shown to you; /unignore bob ends that\n--   by any name: the key "+bobID+"\n"+
			"12:00 bob: another bob\n-- you ignore 1 person:\n--   bob, the key "+bobID+"\n--   not printed until now: 2 messages of somebody whom you ignore\n"+
			"-- you don't ignore bob any more\n12:00 bob: after\n", connected+"-- eve has joined #lobby\n")
		if len(d.drafts) != 1 || d.drafts[0].Re != (chat.ID{3}) {
			t.Errorf("sent %+v", d.drafts)
		}
		var shown []string
		for _, what := range d.asked {
			if strings.HasPrefix(what, "shown") || strings.HasPrefix(what, "read") {
				shown = append(shown, what)
			}
		}
		want := strings.Fields("shown-1 read-1 shown-2 read-2 shown-3 read-3 shown-4 read-4 shown-5 read-5")
		for i := range want {
			want[i] = strings.Replace(want[i], "-", " lobby ", 1)
		}
		if diff := cmp.Diff(want, shown); diff != "" {
			t.Errorf("shown mismatch (-want +got):\n%s", diff)
		}
	})
}

// TestIgnoredToPrograms: they get everything, and are told.
func TestIgnoredToPrograms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		r := start(t, d, func(cfg *Config) { cfg.JSON, cfg.Follow = true, true })
		r.json = true
		r.typed("/ignore bob")
		r.typed("/ignore")
		r.told(ofBob(1, 2, "spam"), ofBob(2, 9, "not known whose"))
		r.typed("/history")
		r.typed("/unignore bob")
		r.told(ofBob(3, 2, "ham"))
		out := r.out.String()
		for _, want := range []string{
			`{"type":"ignore","line":1,"name":"bob","author":"` + bobID + `"}`,
			`{"type":"ignored","line":2,"people":[{"name":"bob","author":"` + bobID + `"}]}`,
			`"text":"spam","ignored":true}`, `"text":"not known whose"}`, `b[2J","ignored":true}`, `b[2J","own":true}`,
			`{"type":"unignore","line":4,"name":"bob","author":"` + bobID + `"}`, `"text":"ham"}`,
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%s is not in\n%s", want, out)
			}
		}
	})
}

// TestIgnoreUsage: what is missing, too much or unfit is told, and nothing is asked.
func TestIgnoreUsage(t *testing.T) {
	for line, want := range map[string]string{
		"/ignore bob eve": "eve is too much; usage: /ignore [NAME]", "/ignore @": "NAME is missing; usage: /ignore [NAME]", "/unignore": "NAME is missing; usage: /unignore NAME",
		"/ignore \xff": "\ufffd is not a name; usage: /ignore [NAME]", "/unignore eve": "you don't ignore eve; /ignore lists whom you do",
		"/ignore eve": chat.NoSuchUser.Sentence(),
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk()
			r := start(t, d, func(cfg *Config) { cfg.Terminal = true; cfg.Rooms = nil })
			r.typed(line + "\n")
			pass(time.Second)
			r.wants("", connected+"-- "+want+"\n")
			if len(d.ignored) > 0 {
				t.Errorf("%s: ignored %v", line, d.ignored)
			}
		})
	}
}
