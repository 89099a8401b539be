package lines

import (
	"strings"
	"testing"
	"testing/synctest"

	"chatnode/internal/identity"
)

// TestPeersToPrograms: each answer about nodes is one object, with nothing in it that could drive a terminal.
func TestPeersToPrograms(t *testing.T) {
	link := &identity.Link{Address: "10.0.0.5:8080", Node: identity.ID{9}, Token: make([]byte, identity.TokenLen)}
	for line, want := range map[string]string{
		"/peers": `{"type":"peers","line":1,"space":"00ff","peers":[{"type":"peer","node":"` + bob.String() + `","title":"Barn` + "\ufffd" + `[2J","address":"10.0.0.5:8080","state":"linked",` +
			`"admitted":true,"rtt_us":1500,"behind":3,"ahead":1,"seen":"2000-01-01T12:00:00.000Z","note":"late"},` +
			`{"type":"peer","title":"","address":"10.0.0.6:8080","state":"dialing","behind":0,"ahead":0}]}`,
		"/peers admit barn": `{"type":"peer","line":1,"node":"` + bob.String() + `","title":"Barn","address":"","state":"linked","admitted":true,"behind":0,"ahead":0}`,
		"/peers drop eve":   `{"type":"error","line":1,"code":"no_such_user","text":"nobody of that name is known here (no other node has that title, or more than one has: say its id, which /peers lists)"}`,
		"/invite node":      `{"type":"invite","line":1,"link":"` + link.String() + `","token":"` + testToken + `","uses":1,"expires":"2000-01-01T12:00:00.000Z","for_node":true}`,
		"/history causal": `{"type":"causal","line":1,"room":"lobby","messages":[{"type":"message","room":"lobby","seq":7,"id":"0000000000000000","epoch":"0000000000000000","name":"bob",` +
			`"kind":"text","time":"2000-01-01T12:00:00.000Z","text":"hi"}],"total":9,"digest":"00ff"}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk()
			d.addresses = []string{"10.0.0.5:8080"}
			r := start(t, d, func(cfg *Config) { cfg.JSON = true })
			r.json = true
			r.typed(line)
			if lines := strings.Split(r.out.String(), "\n"); len(lines) < 2 || lines[1] != want {
				t.Errorf("%s prints\n%s\nwant\n%s", line, strings.Join(lines[1:], "\n"), want)
			}
		})
	}
}
