package county

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"chatnode/internal/faults"
)

// Watched has people talk on a node that tells how it is doing, one of them be refused, one lose their link, and somebody come to the wrong house: each
// is counted, once.
func Watched(t *testing.T, c *County) {
	node := c.Start(t, "node", "-rate", "0", "-room-rate", "0", "-listen", "127.0.0.1:0", "-metrics", "127.0.0.1:0")
	listening := node.ExpectType("listening")
	proxy, err := faults.NewProxy(listening.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	alice, bob, carol := c.Join(t, listening.Addr, "alice"), c.Join(t, listening.Addr, "bob"), c.Join(t, proxy.Addr(), "carol")
	const said = 10
	for n := range said {
		alice.Say("lobby", fmt.Sprintf("alice %d", n+1))
	}
	for _, p := range []*Program{alice, bob, carol} {
		p.ExpectText(fmt.Sprintf("alice %d", said))
	}
	alice.Command("/archive on")
	for _, p := range []*Program{alice, bob, carol} {
		p.Expect("the act", func(o Object) bool { return o.Kind == "act" })
	}
	bob.Say("lobby", "too late")
	if o := bob.ExpectType("refused"); o.Code != "archived" {
		t.Errorf("bob is refused with %q", o.Code)
	}
	proxy.Reset()
	wrongHouse(t, listening.Addr)
	page := func(path string) string { return ask(t, "http://"+listening.Metrics+path) }
	for _, want := range []string{
		"chatnode_sessions 3", "chatnode_rooms 1", "chatnode_messages_total 11", "chatnode_deliveries_total 33", "chatnode_delivery_lag_seconds_count", `chatnode_refusals_total{code="archived"} 1`,
		`chatnode_connections_dropped_total{stage="session",reason="lost"} 1`, `chatnode_connections_dropped_total{stage="handshake",reason="protocol"} 1`, "chatnode_healthy 1",
	} {
		alice.WaitFor(want, func() bool { return strings.Contains(page("/metrics"), "\n"+want) })
	}
	if got := page("/healthz"); got != "ok\n" {
		t.Errorf("/healthz says %q", got)
	}
	// carol may be on her way back.
	o := alice.Ask("/stats", "stats", "numbers", func(Object) bool { return true })
	if o.Sessions < 2 || o.Sessions > 3 || o.Work == nil || o.Work.Messages != said+1 || o.Work.Deliveries != 3*(said+1) || o.Work.Refused["archived"] != 1 || o.Work.Dropped["lost"] != 1 || o.Work.TurnedAway["protocol"] != 1 {
		t.Errorf("/stats tells %+v, %+v", o, o.Work)
	}
	if text := c.refused(t, 3, "-listen", "127.0.0.1:0", "-metrics", listening.Metrics); !strings.Contains(text, listening.Metrics) || !strings.Contains(text, "another program") {
		t.Errorf("a second node there says %q", text)
	}
	for _, p := range []*Program{alice, bob, carol, node} {
		p.Interrupt()
	}
	if conn, err := net.Dial("tcp", listening.Metrics); err == nil {
		conn.Close()
		t.Error("a node that has stopped tells how it is doing")
	}
}

// wrongHouse takes a node for a server of the web.
func wrongHouse(t *testing.T, addr string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	_, _ = io.Copy(io.Discard, conn)
}

// ask returns what a page says.
func ask(t *testing.T, page string) string {
	t.Helper()
	asker := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := asker.Get(page)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
