package lines

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/identity"
	"chatnode/internal/talk"
)

const testToken = "AAAAAAAAAAAAAAAAAAAAAA"

// testLink is the link of the desk's invitations.
func testLink(address, room string) string {
	return "chatnode://" + address + "/" + room + "?node=" + identity.ID{9}.String() + "&t=" + testToken
}

func TestInvitation(t *testing.T) {
	const sentence = "-- until 2000-01-01 12:00, 1 person may come to #ops by this link; whoever has the link can use it\n"
	const quotes = `-- to join by it, quotes and all: chatnode -connect "LINK" -name YOU` + "\n"
	const local = "-- it works on this machine alone, as no other address of the node is known: start the node with -public HOST:PORT, or put its address in\n"
	for name, c := range map[string]struct {
		change    func(*Config)
		addresses []string
		line      string
		out, err  string
	}{
		"by the node": {func(*Config) {}, []string{"127.0.0.1:8080", "10.0.0.5:8080", "10.0.0.6:8080"}, "/invite ops", sentence + quotes + testLink("10.0.0.5:8080", "ops") + "\n", ""},
		"by the dial": {func(cfg *Config) {
			cfg.Reached = func(id identity.ID) []string { return []string{"localhost:8080", "plant:8080"} }
		},
			[]string{"10.0.0.5:8080"}, "/invite ops", sentence + quotes + testLink("plant:8080", "ops") + "\n", ""},
		"of another node": {func(cfg *Config) {
			cfg.Reached = func(id identity.ID) []string {
				if id == (identity.ID{9}) {
					return nil
				}
				return []string{"plant:8080"}
			}
		}, []string{"10.0.0.5:8080"}, "/invite ops", sentence + quotes + testLink("10.0.0.5:8080", "ops") + "\n", ""},
		"local":       {func(cfg *Config) { cfg.Reached = func(identity.ID) []string { return []string{"[::1]:99"} } }, nil, "/invite ops", sentence + local + quotes + testLink("127.0.0.1:99", "ops") + "\n", ""},
		"no address":  {func(*Config) {}, nil, "/invite ops", sentence + local + quotes + testLink("127.0.0.1:8080", "ops") + "\n", ""},
		"hostile":     {func(*Config) {}, []string{"\x1b[2J:1", "a/b:1", "a@b:1", "x?node=:1", "plant:0"}, "/invite ops", sentence + local + quotes + testLink("127.0.0.1:8080", "ops") + "\n", ""},
		"refused":     {func(*Config) {}, nil, "/invite full", "", "-- too much at once; try again in 40 s\n"},
		"bad usage":   {func(*Config) {}, nil, "/invite ops uses no", "", "-- no is not a number of people, 1 to 1000; usage: /invite [ROOM uses N for 24h | @NAME ROOM | node]\n"},
		"release":     {func(*Config) {}, nil, "/release bob", "-- \"Bob\ufffd[2J\" is free: it was the name of the key " + bob.String() + "\n", ""},
		"not release": {func(*Config) {}, nil, "/release eve", "", "-- nobody of that name is known here\n"},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk()
			d.addresses = c.addresses
			r := start(t, d, func(cfg *Config) { cfg.Terminal = true; c.change(cfg) })
			r.typed(c.line + "\n")
			r.wants(c.out, connected+c.err)
			if t.Failed() {
				t.Log(name)
			}
		})
	}
}

func TestInvitationToPrograms(t *testing.T) {
	for line, want := range map[string]string{
		"/invite ops uses 5": `{"type":"invite","line":1,"room":"ops","link":"` + testLink("10.0.0.5:8080", "ops") + `","token":"` + testToken + `","uses":5,"expires":"2000-01-01T12:00:00.000Z"}`,
		"/invite full":       `{"type":"error","line":1,"code":"too_fast","text":"too much at once; try again in 40 s","retry_after_ms":39500}`,
		"/release bob":       `{"type":"release","line":1,"name":"Bob` + "\ufffd" + `[2J","author":"` + bob.String() + `"}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk()
			d.addresses = []string{"10.0.0.5:8080"}
			r := start(t, d, func(cfg *Config) { cfg.JSON = true; cfg.Screen = func() (int, int) { return 200, 200 } })
			r.json = true
			r.typed(line)
			if lines := strings.Split(r.out.String(), "\n"); len(lines) < 2 || lines[1] != want {
				t.Errorf("%s prints\n%s\nwant\n%s", line, strings.Join(lines[1:], "\n"), want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newDesk(), func(cfg *Config) { cfg.JSON = true })
		r.told(client.Named{Name: "carol", Code: chat.TooFast, RetryAfter: 5 * time.Second})
		if want := `{"type":"named","name":"carol","code":"too_fast","retry_after_ms":5000}`; !strings.Contains(r.out.String(), want) {
			t.Errorf("prints %s, want %s", r.out.String(), want)
		}
	})
	shows(t, "", "-- you are still carol: too much at once; try again in 5 s\n", client.Named{Name: "carol", Code: chat.TooFast, RetryAfter: 5 * time.Second})
}

// TestDrawn: the code stands as it is, black on white, or not at all.
func TestDrawn(t *testing.T) {
	link := testLink("192.168.1.5:8080", "ops")
	code := talk.QR(link)
	wide, high := utf8.RuneCountInString(code[0]), len(code)
	if wide > 80 || high > 24 {
		t.Errorf("a usual link is %d columns wide and %d lines high: too much for a usual terminal", wide, high)
	}
	want := "\x1b[30;47m" + strings.Join(code, "\x1b[0m\n\x1b[30;47m") + "\x1b[0m\n"
	if diff := cmp.Diff(want, string(draw(link, wide, high))); diff != "" {
		t.Errorf("mismatch (-want +got):\n%s", diff)
	}
	for _, size := range [][2]int{{wide - 1, 99}, {wide, high - 1}, {0, 0}} {
		if got := draw(link, size[0], size[1]); got != nil {
			t.Errorf("on %d by %d it draws %q", size[0], size[1], got)
		}
	}
	if got := draw(strings.Repeat("x", 5000), 1000, 1000); got != nil {
		t.Error("it draws what no code can hold")
	}
}

func TestDrawnBelowTheLink(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {40, 24}, {80, 20}, {0, 0}} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk()
			d.addresses = []string{"10.0.0.5:8080"}
			r := start(t, d, func(cfg *Config) { cfg.Terminal = true; cfg.Screen = func() (int, int) { return size[0], size[1] } })
			r.typed("/invite ops\n")
			_, below, _ := strings.Cut(r.out.String(), testLink("10.0.0.5:8080", "ops")+"\n")
			if want := string(draw(testLink("10.0.0.5:8080", "ops"), 80, 24)); (size == [2]int{80, 24}) != (below == want) || want == "" {
				t.Errorf("on %v it draws %q", size, below)
			}
		})
	}
}

func TestDraws(t *testing.T) {
	for name, c := range map[string]struct {
		variables map[string]string
		want      bool
	}{
		"usual":          {map[string]string{"TERM": "xterm", "LANG": "de_DE.UTF-8"}, true},
		"spelt plainly":  {map[string]string{"TERM": "xterm", "LANG": "C.utf8"}, true},
		"dumb":           {map[string]string{"TERM": "dumb", "LANG": "de_DE.UTF-8"}, false},
		"no terminal":    {map[string]string{"LANG": "de_DE.UTF-8"}, false},
		"no locale":      {map[string]string{"TERM": "xterm"}, false},
		"Latin 1":        {map[string]string{"TERM": "xterm", "LANG": "de_DE.ISO-8859-1"}, false},
		"all goes first": {map[string]string{"TERM": "xterm", "LC_ALL": "C", "LC_CTYPE": "C.UTF-8", "LANG": "C.UTF-8"}, false},
		"then ctype":     {map[string]string{"TERM": "xterm", "LC_CTYPE": "C.UTF-8", "LANG": "C"}, true},
		"empty is none":  {map[string]string{"TERM": "xterm", "LC_ALL": "", "LANG": "C.UTF-8"}, true},
	} {
		if got := Draws(func(name string) string { return c.variables[name] }); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestChangedNode ends a run with the error as it is.
func TestChangedNode(t *testing.T) {
	changed := &identity.ChangedError{Address: "plant:8080", Was: identity.ID{1}, Is: identity.ID{2}}
	for _, json := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, newDesk(), func(cfg *Config) { cfg.JSON, cfg.Terminal = json, true })
			r.desk.end(changed)
			if err := r.result(); !errors.Is(err, changed) || err.Error() != changed.Error() {
				t.Errorf("Run returned %v", err)
			}
			said := strings.Contains(r.out.String(), `{"type":"error","code":"changed","text":"the node at plant:8080 is another one than before. before: cn1-`)
			if said != json {
				t.Errorf("it prints %q", r.out.String())
			}
		})
	}
}

// TestTooFastAtFirst: who gives up is told when it is of use to come back.
func TestTooFastAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk()
		d.noLink = true
		r := start(t, d, nil)
		r.told(client.LinkDown{Code: chat.TooFast, RetryIn: 40 * time.Second})
		r.wants("", "-- no link yet: too much at once; try again later; trying again in 40 s\n")
		pass(defaultTimeout)
		wantsEnd(t, r.result(), talk.ErrUnreachable, "within 10s: too much at once; try again in 40 s")
	})
}
