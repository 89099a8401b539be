package talk

import (
	"testing"
	"time"

	"chatnode/internal/command"
	"chatnode/internal/identity"

	"github.com/google/go-cmp/cmp"
)

const testToken = "AAAAAAAAAAAAAAAAAAAAAA"

// testLink is the link of the desk's invitations.
func testLink(address, room string) string {
	return "chatnode://" + address + "/" + room + "?node=" + identity.ID{9}.String() + "&t=" + testToken
}

// An invitation leads to where its node has been met, and no other.
func TestInviteByWhatWasReached(t *testing.T) {
	for met, want := range map[identity.ID]string{{9}: "plant:8080", {8}: "10.0.0.5:8080"} {
		d := &desk{addresses: []string{"10.0.0.5:8080"}}
		a := Asker{Client: d, Timeout: time.Minute, Reached: func(node identity.ID) []string {
			if node != met {
				return nil
			}
			return []string{"localhost:8080", "plant:8080"}
		}}
		got, err := a.Invite(t.Context(), command.InviteQuery{Room: "ops", Uses: 1, For: time.Hour})
		if diff := cmp.Diff(testLink(want, "ops"), got.Link); diff != "" || got.Local || err != nil {
			t.Errorf("local %v, %v, mismatch (-want +got):\n%s", got.Local, err, diff)
		}
	}
}

func TestAddressFor(t *testing.T) {
	for name, c := range map[string]struct {
		reached, named []string
		want           string
		local          bool
	}{
		"reached":        {[]string{"PLANT:08080"}, []string{"10.0.0.5:8080"}, "plant:8080", false},
		"any address":    {[]string{"0.0.0.0:8080"}, []string{"[::]:8080", "10.0.0.5:8080"}, "10.0.0.5:8080", false},
		"link-local":     {nil, []string{"[fe80::1%eth0]:8080", "[2001:db8::5]:8080"}, "[2001:db8::5]:8080", false},
		"names of local": {[]string{"localhost:1", "x.localhost:1", "127.1.2.3:1"}, nil, "127.0.0.1:1", true},
		"nothing":        {nil, nil, nowhere, true},
	} {
		address, local := addressFor(c.reached, c.named)
		if diff := cmp.Diff(c.want, address); diff != "" || local != c.local {
			t.Errorf("%s: local %v, mismatch (-want +got):\n%s", name, local, diff)
		}
	}
}
