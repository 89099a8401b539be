package premises

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/door"
	"chatnode/internal/identity"
	"chatnode/internal/settings"
)

func TestAnnounce(t *testing.T) {
	loopback, everywhere := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 81}
	const joining = "to join, on any machine that reaches this one:\n"
	const node = "this node is cn1-ubiig7mf-a4cyfthx-hffqtcee-ptbrfs4i-ewnyssez-63zdttyx-sgszog3u: clients show that when they first meet it\n"
	const open = "anyone who reaches it may join; -invite-only keeps strangers out\n"
	const kept = "messages are kept in /data/chatnode.db\n"
	for name, test := range map[string]struct {
		addr    net.Addr
		options settings.Options
		want    string
	}{
		"metrics": {loopback, settings.Options{Metrics: "x"}, "chatnode listens on 127.0.0.1:8080\nonly this machine can join:\n    chatnode -connect 127.0.0.1:8080 -name YOU\n" + node + kept +
			"it tells how it is doing on http://127.0.0.1:8080/metrics, unencrypted, whoever reaches that address\n"},
		"metrics, json": {loopback, settings.Options{JSON: true, Metrics: "x"}, `{"type":"listening","addr":"127.0.0.1:8080","node":"cn1ubiig7mfa4cyfthxhffqtceeptbrfs4iewnyssez63zdttyxsgszog3u","encrypted":true,"metrics":"127.0.0.1:8080"}` + "\n"},
		"loopback":      {loopback, settings.Options{}, "chatnode listens on 127.0.0.1:8080\nonly this machine can join:\n    chatnode -connect 127.0.0.1:8080 -name YOU\n" + node + kept},
		"one":           {everywhere, settings.Options{}, "chatnode listens on 192.0.2.1:81\n" + joining + "    chatnode -connect 192.0.2.1:81 -name YOU\n" + node + open + kept},
		"closed": {everywhere, settings.Options{InviteOnly: true}, "chatnode listens on 192.0.2.1:81\n" + joining + "    chatnode -connect 192.0.2.1:81 -name YOU\n" + node +
			"only those it knows may join, and whom you invite: you are its admin, and /invite makes an invitation\n" + kept},
		"insecure": {everywhere, settings.Options{Insecure: true}, "chatnode listens on 192.0.2.1:81\n" + joining + "    chatnode -insecure -connect 192.0.2.1:81 -name YOU\n" +
			"NOT ENCRYPTED: everybody on the way can read and change what is said here\n" + open + kept},
		"peer": {loopback, settings.Options{Connect: []string{"first:8080", "second"}, Discover: true}, "chatnode listens on 127.0.0.1:8080\nonly this machine can join:\n    chatnode -connect 127.0.0.1:8080 -name YOU\n" + node + kept +
			"it links to first:8080, second as long as it runs; /peers tells how that goes\nit announces itself on this network, and links to nodes of its space that it finds there\n"},
		"json": {loopback, settings.Options{JSON: true}, `{"type":"listening","addr":"127.0.0.1:8080","node":"cn1ubiig7mfa4cyfthxhffqtceeptbrfs4iewnyssez63zdttyxsgszog3u","encrypted":true}` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := identity.NewKey(bytes.NewReader([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31}))
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			addresses, local := door.Reachable(test.addr)
			notice := Notice{Addr: test.addr, Addresses: addresses, Local: local, Node: key.ID(), Where: "/data/chatnode.db"}
			if test.options.Metrics != "" {
				notice.Metrics = addressed{addr: test.addr}
			}
			if err := Announce(&out, &test.options, notice); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Errorf("mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

// addressed is a listener that has an address, and nothing else.
type addressed struct {
	net.Listener
	addr net.Addr
}

func (a addressed) Addr() net.Addr { return a.addr }
