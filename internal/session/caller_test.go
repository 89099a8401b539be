package session

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/hub"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// proved is a caller whose link has proved its own key.
func proved(id identity.ID) Caller { return Caller{Key: id} }

// refused wants a guest to be told goodbye for a reason, and returns after what time it may come back.
func (g *guest) refused(want chat.Code) (retry time.Duration) {
	g.t.Helper()
	bye := expect[*wire.Bye](g, g.fromControl)
	g.link.Close()
	var refusal *hub.Refusal
	if err := <-g.ended; bye.Code != want || !errors.As(err, &refusal) || refusal.Code != want {
		g.t.Errorf("the goodbye says %v and the handshake ends with %v, want %v", bye.Code, err, want)
	}
	return time.Duration(bye.RetryAfterMS) * time.Millisecond
}

// A key in the hello that is not the one of the link is passed on by somebody between the two.
func TestHelloOfAnotherKey(t *testing.T) {
	h := newHost(t)
	g := arriveAs(t, h, proved)
	g.enter("carol")
	g = arriveAs(t, h, func(id identity.ID) Caller { id[31] ^= 1; return Caller{Key: id} })
	g.hello("mallory", nil)
	g.refused(chat.BadProof)
}

// What the hub decides by comes from the link and the hello: whether it is encrypted, where it comes from, the token, and whose key is an admin's.
func TestWhatTheHubIsTold(t *testing.T) {
	h := newHost(t, func(c *hub.Config) { c.InviteOnly, c.Addresses = true, []string{"10.0.0.7:8080"} })
	var admin, asked identity.ID
	h.Admin = func(id identity.ID) bool { asked = id; return id == admin }
	stranger := arriveAs(t, h, proved)
	stranger.hello("mallory", nil)
	stranger.refused(chat.NotInvited)
	if asked != stranger.key.ID() {
		t.Errorf("asked for the right of %v, want the guest's own key %v", asked, stranger.key.ID())
	}
	plain := arriveAs(t, h, func(id identity.ID) Caller { admin = id; return Caller{} })
	plain.enter("boss")
	ask := &wire.Invite{Room: "ops", Uses: 1, ForMS: 1000_000}
	plain.say(plain.control, ask)
	if failed := expect[*wire.Failed](plain, plain.fromControl); failed.Code != chat.NotSecure {
		t.Errorf("an invitation over a plain link: %v, want not_secure", failed.Code)
	}
	boss := arriveAs(t, h, func(id identity.ID) Caller { admin = id; return proved(id) })
	boss.enter("chief")
	boss.say(boss.control, ask, &wire.Release{Name: "boss"})
	is := expect[*wire.InviteIs](boss, boss.fromControl)
	if len(is.Token) != wire.TokenLen || is.Uses != 1 || len(is.Addresses) != 1 || is.Addresses[0] != "10.0.0.7:8080" {
		t.Errorf("the invitation is %+v", is)
	}
	expect[*wire.ReleaseIs](boss, boss.fromControl)
	for name, token := range map[string][]byte{
		"half": is.Token[:8], "and more": append(bytes.Clone(is.Token), 0), "another": bytes.Repeat([]byte{7}, wire.TokenLen), "a giant one": make([]byte, 60_000),
	} {
		g := arriveAs(t, h, proved)
		g.hello("mallory", func(h *wire.Hello) { h.Token = token })
		if retry := g.refused(chat.BadInvite); retry != 0 {
			t.Errorf("%s: come back after %v, want never", name, retry)
		}
	}
	guest := arriveAs(t, h, proved)
	guest.hello("carol", func(h *wire.Hello) { h.Token = is.Token })
	expect[*wire.Welcome](guest, guest.fromControl)
}

// Keys that join from one address are counted.
func TestAddressCounts(t *testing.T) {
	h := newHost(t)
	far := func(id identity.ID) Caller { return Caller{Key: id, Address: netip.MustParseAddr("192.0.2.9")} }
	for range 32 {
		arriveAs(t, h, far).enter("carol")
	}
	g := arriveAs(t, h, far)
	g.hello("carol", nil)
	if retry := g.refused(chat.TooFast); retry <= 0 || retry > time.Minute {
		t.Errorf("come back after %v, want some seconds", retry)
	}
	arrive(t, h).enter("carol")
}
