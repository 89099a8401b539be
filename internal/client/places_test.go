package client

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/identity"
)

// TestPlaces: what was good last comes first, then what the user has named, then what was told; each once.
func TestPlaces(t *testing.T) {
	b, c := identity.ID{0xb}, identity.ID{0xc}
	p := NewPlaces([]string{"10.0.0.1:8080", "plant:8080"})
	wants := func(want ...Place) {
		t.Helper()
		if diff := cmp.Diff(want, p.List()); diff != "" {
			t.Errorf("the places (-want +got):\n%s", diff)
		}
	}
	first, second := Place{Address: "10.0.0.1:8080"}, Place{Address: "plant:8080"}
	wants(first, second)
	p.Tell([]Node{{b, []string{"10.0.0.2:1", "10.0.0.2:1", "plant:8080", "127.0.0.1:2"}}, {c, []string{"10.0.0.2:1", "198.51.100.7:3", "elsewhere.example:3", "198.51.100.7:0", "198.51.100.7"}}})
	atB, atC, far := Place{"10.0.0.2:1", b}, Place{"10.0.0.2:1", c}, Place{"198.51.100.7:3", c}
	wants(first, second, atB, atC, far)
	p.Reached(second)
	wants(second, first, atB, atC, far)
	p.Reached(atC)
	wants(atC, first, second, atB, far)
	p.Tell([]Node{{b, []string{"10.0.0.2:1"}}}) // c is of no use any more
	wants(first, second, atB)
	p.Tell(nil)
	wants(first, second)
}

// TestPlacesNearby: an address of this machine or network is believed of a node there alone, a name of nobody.
func TestPlacesNearby(t *testing.T) {
	all := []string{
		"127.0.0.1:1", "[::1]:1", "0.0.0.0:1", "[::ffff:127.0.0.1]:1", "169.254.0.1:1", "[fe80::1]:1", "10.0.0.1:1", "[fd00::1]:1", "198.51.100.7:1",
	}
	for named, from := range map[string]int{
		"127.0.0.1:8080": 0, "localhost:8080": 0, "[::1]:8080": 0, "169.254.1.1:8080": 4, "192.168.1.5:8080": 6, "plant:8080": 6, "198.51.100.1:8080": 8,
	} {
		p := NewPlaces([]string{named})
		p.Tell([]Node{{identity.ID{1}, slices.Concat([]string{"localhost:1", "plant:1", "[fe80::1%eth0]:1"}, all)}})
		var got []string
		for _, place := range p.List()[1:] {
			got = append(got, place.Address)
		}
		if diff := cmp.Diff(all[from:], got); diff != "" {
			t.Errorf("of %s (-want +got):\n%s", named, diff)
		}
	}
}
