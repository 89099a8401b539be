package door

import (
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReachable(t *testing.T) {
	for name, test := range map[string]struct {
		addr  net.TCPAddr
		want  []string
		local bool
	}{
		"loopback": {net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, []string{"127.0.0.1:8080"}, true},
		"one":      {net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 81}, []string{"192.0.2.1:81"}, false},
		"IPv6":     {net.TCPAddr{IP: net.IPv6loopback, Port: 8080}, []string{"[::1]:8080"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, local := Reachable(&test.addr)
			if diff := cmp.Diff(test.want, got); diff != "" || local != test.local {
				t.Errorf("mismatch (-want +got):\n%slocal %v, want %v", diff, local, test.local)
			}
		})
	}
	if got, _ := Reachable(&net.TCPAddr{IP: net.IPv4zero, Port: 8080}); len(got) < 1 || len(got) > 3 {
		t.Errorf("an address for all is reached at %q, want one to three", got)
	}
}
