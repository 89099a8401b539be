package client

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

var testToken = bytes.Repeat([]byte{7}, wire.TokenLen)

func TestInvite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		got := asked(func() (Invitation, error) { return r.Invite(r.ctx, "ops", 5, 24*time.Hour) })
		ask := onControl[*wire.Invite](p)
		if ask.Room != "ops" || ask.Uses != 5 || ask.ForMS != 86_400_000 {
			t.Errorf("the node is asked %+v", ask)
		}
		p.tell(&wire.InviteIs{Token: testToken, Uses: 5, Expires: 90_000, Addresses: []string{"10.0.0.5:8080"}})
		inv, err := got()
		want := Invitation{Node: nodeID, Token: testToken, Uses: 5, Expires: time.UnixMilli(90_000), Addresses: []string{"10.0.0.5:8080"}}
		if diff := cmp.Diff(want, inv); diff != "" || err != nil {
			t.Errorf("%v, invitation (-want +got):\n%s", err, diff)
		}

		got = asked(func() (Invitation, error) { return r.Invite(r.ctx, "", 1, time.Minute) })
		onControl[*wire.Invite](p)
		p.tell(&wire.Failed{Code: chat.TooFast, RetryAfterMS: 40_000})
		var refused *RefusedError
		if _, err := got(); !errors.As(err, &refused) || refused.Code != chat.TooFast || refused.RetryAfter != 40*time.Second {
			t.Errorf("too fast: %#v", err)
		}

		// Its link is lost: the next node's id is the one that counts.
		got = asked(func() (Invitation, error) { return r.Invite(r.ctx, "", 1, time.Minute) })
		onControl[*wire.Invite](p)
		p.cut(func() int { return 0 })
		p = r.accept(func(w *wire.Welcome) { w.Node = bytes.Repeat([]byte{5}, 32) })
		onControl[*wire.Invite](p)
		p.tell(&wire.InviteIs{Token: testToken, Uses: 1})
		if inv, err := got(); err != nil || inv.Node != identity.ID(bytes.Repeat([]byte{5}, 32)) {
			t.Errorf("from another node: %+v, %v", inv, err)
		}
	})
}

// TestInviteRefusesHere what every node would.
func TestInviteRefusesHere(t *testing.T) {
	c := New(Config{Name: "carol", Key: testKey(), Dial: (&rig{}).dial})
	for name, c := range map[string]struct {
		err  error
		code chat.Code
	}{
		"a conversation": {second(c.Invite(t.Context(), "@bob", 1, time.Hour)), chat.BadRoom},
		"no room's name": {second(c.Invite(t.Context(), "No!", 1, time.Hour)), chat.BadRoom},
		"no uses":        {second(c.Invite(t.Context(), "ops", 0, time.Hour)), chat.Unsupported},
		"many uses":      {second(c.Invite(t.Context(), "ops", chat.MaxUses+1, time.Hour)), chat.Unsupported},
		"no time":        {second(c.Invite(t.Context(), "ops", 1, time.Microsecond)), chat.Unsupported},
		"a long time":    {second(c.Invite(t.Context(), "ops", 1, chat.MaxInvite+1)), chat.Unsupported},
		"no name":        {second(c.Release(t.Context(), "")), chat.NoSuchUser},
		"a long name":    {second(c.Release(t.Context(), strings.Repeat("x", maxWho+1))), chat.NoSuchUser},
		"not UTF-8":      {second(c.Release(t.Context(), "\xff")), chat.NoSuchUser},
	} {
		var refused *RefusedError
		if !errors.As(c.err, &refused) || refused.Code != c.code {
			t.Errorf("%s: %v, want %v", name, c.err, c.code)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestInviteAnswersOfNobody: an answer that can't be one is an error, not an invitation.
func TestInviteAnswersOfNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		for name, answer := range map[string]*wire.InviteIs{
			"no token":    {Uses: 1},
			"short token": {Token: testToken[1:], Uses: 1},
			"no uses":     {Token: testToken},
			"many uses":   {Token: testToken, Uses: 1 << 60},
			"a flood":     {Token: testToken, Uses: 1, Addresses: make([]string, maxNodeAddresses+1)},
		} {
			got := asked(func() (Invitation, error) { return r.Invite(r.ctx, "", 1, time.Hour) })
			onControl[*wire.Invite](p)
			p.tell(answer)
			if inv, err := got(); !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("%s: %+v, %v", name, inv, err)
			}
		}
		got := asked(func() (Invitation, error) { return r.Invite(r.ctx, "", 1, time.Hour) })
		onControl[*wire.Invite](p)
		p.tell(&wire.ReleaseIs{Owner: wire.Person{ID: nodeID[:], Name: "bob"}})
		p = r.accept(nil) // what answers something else ends the link, and the question is asked again
		onControl[*wire.Invite](p)
		p.tell(&wire.InviteIs{Token: testToken, Uses: 1})
		if _, err := got(); err != nil {
			t.Error(err)
		}
	})
}

func TestRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		got := asked(func() (Person, error) { return r.Release(r.ctx, "bob") })
		if ask := onControl[*wire.Release](p); ask.Name != "bob" {
			t.Errorf("the node is asked %+v", ask)
		}
		p.tell(&wire.ReleaseIs{Owner: wire.Person{ID: nodeID[:], Name: "Bob"}})
		if who, err := got(); err != nil || who != (Person{ID: nodeID, Name: "Bob"}) {
			t.Errorf("%+v, %v", who, err)
		}
		got = asked(func() (Person, error) { return r.Release(r.ctx, "bob") })
		onControl[*wire.Release](p)
		p.tell(&wire.ReleaseIs{Owner: wire.Person{ID: nodeID[:5], Name: "Bob"}})
		if _, err := got(); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("half a key: %v", err)
		}
	})
}

// TestTokenInEveryHello: a node that has forgotten the key takes the client back. Another node's token is not asked for.
func TestTokenInEveryHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(c *Config) {
			c.Token = func(node identity.ID) []byte {
				if node == nodeID {
					return testToken
				}
				return nil
			}
		})
		defer r.end()
		for _, want := range [][]byte{testToken, nil, testToken} {
			p := <-r.links
			if want != nil {
				p.node = nodeID
			}
			if h := p.welcome(nil); !bytes.Equal(h.Token, want) {
				t.Errorf("the hello has the token %x, want %x", h.Token, want)
			}
			p.cut(func() int { return 0 })
		}
		<-r.links // one more is made
	})
}

// TestNamedSaysWhen a nick may be asked for again.
func TestNamedSaysWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		p := r.accept(nil)
		event[LinkUp](r)
		if err := r.Nick("bob"); err != nil {
			t.Fatal(err)
		}
		onChat[*wire.Nick](p)
		p.say(&wire.Named{Name: "carol", Code: chat.TooFast, RetryAfterMS: 5000})
		if e := event[Named](r); e.Code != chat.TooFast || e.RetryAfter != 5*time.Second {
			t.Errorf("%+v", e)
		}
	})
}

// TestUninvited is refused for good, whatever the node says about coming back; who came too fast waits for as long as it says.
func TestUninvited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, code := range []chat.Code{chat.NotInvited, chat.BadInvite} {
			r := start(t, nil)
			p := <-r.links
			p.greet()
			p.tell(&wire.Bye{Code: code, RetryAfterMS: 1})
			var refused *RefusedError
			if err := <-r.ran; !errors.As(err, &refused) || refused.Code != code {
				t.Errorf("%v: Run returned %v", code, err)
			}
		}
		r := start(t, nil)
		defer r.end()
		p := <-r.links
		p.greet()
		p.tell(&wire.Bye{Code: chat.TooFast, RetryAfterMS: 40_000})
		if e := event[LinkDown](r); e.Code != chat.TooFast || e.RetryIn != 40*time.Second {
			t.Errorf("%+v", e)
		}
		begun := time.Now()
		r.accept(nil)
		if waited := time.Since(begun); waited != 40*time.Second {
			t.Errorf("it came back after %v", waited)
		}
	})
}

// TestChangedNodeEndsIt at once, before the first welcome and in the middle of a long session, also when other addresses fail otherwise.
func TestChangedNodeEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		changed := &identity.ChangedError{Address: "plant:8080", Was: identity.ID{1}, Is: identity.ID{2}}
		for _, links := range []int{0, 3} {
			for _, dialed := range []error{changed, fmt.Errorf("plant:8080: %w", changed), errors.Join(errDial, fmt.Errorf("x: %w", changed), errDial)} {
				r := start(t, nil)
				for range links {
					r.accept(nil).cut(func() int { return 0 })
				}
				r.refuse <- dialed
				err := <-r.ran
				if err != changed {
					t.Errorf("behind %d links: Run returned %v", links, err)
				}
				select {
				case <-r.links:
					t.Error("it tries again")
				default:
				}
			}
		}
	})
}
