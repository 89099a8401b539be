package hub

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// closed makes a node invite-only.
func closed(c *Config) {
	c.InviteOnly, c.Addresses = true, []string{"10.0.0.7:8080", "192.168.1.5:8080"}
}

// boss attaches an admin.
func (w *world) boss() *client {
	w.t.Helper()
	c := w.newClient("boss")
	c.admin = true
	c.attach()
	return c
}

// invited returns a client that shows a token and is not attached yet.
func (w *world) invited(label string, token []byte) *client {
	c := w.newClient(label)
	c.token = token
	return c
}

// invite asks for an invitation.
func (c *client) invite(uses uint64, life time.Duration) *wire.InviteIs {
	c.t.Helper()
	answer := c.ask(&wire.Invite{Uses: uses, ForMS: uint64(life.Milliseconds())})
	is, ok := answer.(*wire.InviteIs)
	if !ok {
		c.t.Fatalf("asked for an invitation: %+v", answer)
	}
	return is
}

// wantRefused wants a client not to be let in, and returns after what time it may come back.
func wantRefused(t *testing.T, c *client, want chat.Code) time.Duration {
	t.Helper()
	var refusal *Refusal
	if err := c.tryAttach(c.guest()); !errors.As(err, &refusal) || refusal.Code != want {
		t.Errorf("%s attaches: %v, want %v", c.asked, err, want)
		return 0
	}
	return refusal.Retry
}

// restarted is a new hub with what the store of w has.
func restarted(w *world, options ...func(*Config)) *world {
	w.t.Helper()
	w.end()
	next := newWorld(w.t, append(options, func(c *Config) { c.Store = &slowStore{Memory: w.store.Memory} })...)
	next.ahead.Store(w.ahead.Load())
	return next
}

// TestInviteOnly: strangers stay out, members come back, also after a restart, and admins are always let in.
func TestInviteOnly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		open := newWorld(t)
		open.attach("member").leave(true)
		w := restarted(open, closed)
		member, boss := w.attach("member"), w.boss()
		if retry := wantRefused(t, w.newClient("stranger"), chat.NotInvited); retry != 0 {
			t.Errorf("a stranger is to come back after %v, want never", retry)
		}
		wantFailed(t, member.ask(&wire.Invite{Uses: 1, ForMS: 1}), chat.Denied)
		is := boss.invite(1, time.Hour)
		if want := []string{"10.0.0.7:8080", "192.168.1.5:8080"}; !cmp.Equal(want, is.Addresses) || is.Uses != 1 || is.Expires != w.now().Add(time.Hour).UnixMilli() {
			t.Errorf("the invitation is %+v", is)
		}
		carol := w.invited("carol", is.Token)
		carol.attach()
		carol.leave(true)
		w = restarted(w, closed)
		carol = w.attach("carol") // shows no token any more
		w.boss()
		wantRefused(t, w.newClient("stranger"), chat.NotInvited)
		want := store.Person{Key: carol.key, Name: "carol", Since: w.stored("carol").Since, Seen: w.now().UnixMilli(), Inviter: boss.key}
		if got := w.stored("carol"); !cmp.Equal(got, want) || got.Since == 0 {
			t.Errorf("the store has %+v, want %+v", got, want)
		}
		if got := w.stored("stranger"); !got.Key.IsZero() {
			t.Errorf("the store knows a stranger: %+v", got)
		}
	})
}

// TestTokens: whatever is not exactly the token of an invitation that is good lets nobody in, and uses nothing up.
func TestTokens(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, closed)
		boss := w.boss()
		is, other := boss.invite(2, time.Hour), boss.invite(1, 2*time.Hour)
		for i := range 8 * wire.TokenLen {
			guess := bytes.Clone(is.Token)
			guess[i/8] ^= 1 << (i % 8)
			wantRefused(t, w.invited("guesser", guess), chat.BadInvite)
		}
		hash := sha256.Sum256(is.Token)
		for name, token := range map[string][]byte{
			"a byte less": is.Token[1:], "a byte more": append(bytes.Clone(is.Token), 0), "its hash": hash[:], "half of it": hash[:16], "one zero": {0}, "nothing but zeros": make([]byte, wire.TokenLen),
			"two": append(bytes.Clone(is.Token), other.Token...), "a giant one": make([]byte, 60_000),
		} {
			guesser := w.invited(name, token)
			guesser.asked = "guesser"
			if retry := wantRefused(t, guesser, chat.BadInvite); retry != 0 {
				t.Errorf("%s: to come back after %v, want never", name, retry)
			}
		}
		unfit := w.invited("carol", is.Token)
		unfit.asked = "no name"
		wantRefused(t, unfit, chat.BadName)
		state, err := w.store.Load()
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range state.Invites {
			if i.Hash == hash && i.Uses != 2 || bytes.Contains(i.Hash[:], is.Token) {
				t.Errorf("the store has %+v", i)
			}
		}

		carol := w.invited("carol", is.Token)
		carol.attach()
		laptop := carol.another("laptop") // the key is known already: nothing is used up
		laptop.leave(true)
		laptop.token = is.Token
		laptop.attach()
		w.invited("bob", is.Token).attach()
		if retry := wantRefused(t, w.invited("dave", is.Token), chat.BadInvite); retry != 0 {
			t.Errorf("after its last use: to come back after %v", retry)
		}
		carol.leave(true)
		carol.attach() // it came by it once

		w = restarted(w, closed)
		wantRefused(t, w.invited("dave", is.Token), chat.BadInvite)
		w.skip(2*time.Hour - presenceEvery - 2*time.Millisecond)
		late := w.invited("late", other.Token)
		late.attach()
		w.boss()
	})
}

// TestTokenExpires: from its last moment on an invitation is good for nobody, and the store forgets it.
func TestTokenExpires(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, closed)
		is := w.boss().invite(9, time.Hour)
		w.ahead.Add(int64(time.Hour - time.Millisecond)) // no tick has swept it
		w.invited("carol", is.Token).attach()
		w.ahead.Add(int64(time.Millisecond))
		wantRefused(t, w.invited("dave", is.Token), chat.BadInvite)
		w.skip(2 * presenceEvery)
		if state, err := w.store.Load(); err != nil || len(state.Invites) != 0 {
			t.Errorf("the store has %+v, %v", state.Invites, err)
		}
	})
}

// TestLastUse: two keys show a token that is good for one more, at once.
func TestLastUse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, closed)
		boss := w.boss()
		is := boss.invite(1, time.Hour)
		release := w.store.block()
		boss.submit(boss.pub("lobby", "what comes behind it is one batch"))
		synctest.Wait()
		var group sync.WaitGroup
		errs := make([]error, 2)
		for i := range errs {
			c := w.invited(fmt.Sprint("racer ", i), is.Token)
			c.asked = "carol"
			group.Go(func() { errs[i] = c.tryAttach(c.guest()) })
		}
		synctest.Wait()
		release()
		group.Wait()
		var refusal *Refusal
		if (errs[0] == nil) == (errs[1] == nil) || !errors.As(errors.Join(errs...), &refusal) || refusal.Code != chat.BadInvite {
			t.Errorf("two at once: %v; want one to be let in", errs)
		}
	})
}

// TestTokenIsUsedWithItsPerson: what one commit keeps is both or neither.
func TestTokenIsUsedWithItsPerson(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, closed)
		is := w.boss().invite(1, time.Hour)
		w.settle()
		before := w.store.batches(func() { w.invited("carol", is.Token).attach() })
		if len(before) != 1 || len(before[0].People) != 1 || len(before[0].Invites) != 1 || before[0].Invites[0].Uses != 0 {
			t.Errorf("joining was written as %+v, want one batch with the person and the invitation", before)
		}
	})
}

// TestTokenOnAnOpenNode: it is not needed and not asked for, but who invited whom is noted.
func TestTokenOnAnOpenNode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice")
		is := alice.invite(1, time.Hour)
		w.invited("bob", is.Token).attach()
		w.invited("carol", is.Token).attach() // it is used up
		w.invited("dave", []byte("half")).attach()
		if bob, carol := w.stored("bob").Inviter, w.stored("carol").Inviter; bob != alice.key || !carol.IsZero() {
			t.Errorf("bob was invited by %v, carol by %v", bob, carol)
		}
	})
}

// TestInviteQuestion: what can't be an invitation is refused, and why.
func TestInviteQuestion(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice")
		month := uint64(chat.MaxInvite.Milliseconds())
		for name, tt := range map[string]struct {
			ask  wire.Invite
			want chat.Code
		}{
			"no uses":       {wire.Invite{ForMS: 1}, chat.Unsupported},
			"too many":      {wire.Invite{Uses: chat.MaxUses + 1, ForMS: 1}, chat.Unsupported},
			"giant uses":    {wire.Invite{Uses: 1 << 63, ForMS: 1}, chat.Unsupported},
			"no time":       {wire.Invite{Uses: 1}, chat.Unsupported},
			"too long":      {wire.Invite{Uses: 1, ForMS: month + 1}, chat.Unsupported},
			"giant time":    {wire.Invite{Uses: 1, ForMS: 1<<64 - 1}, chat.Unsupported},
			"a bad room":    {wire.Invite{Uses: 1, ForMS: 1, Room: "../etc"}, chat.BadRoom},
			"conversations": {wire.Invite{Uses: 1, ForMS: 1, Room: "@bob"}, chat.BadRoom},
		} {
			if failed, ok := alice.ask(&tt.ask).(*wire.Failed); !ok || failed.Code != tt.want {
				t.Errorf("%s: %+v, want %v", name, failed, tt.want)
			}
		}
		plain := w.newClient("plain")
		plain.plain = true
		plain.attach()
		wantFailed(t, plain.ask(&wire.Invite{Uses: 1, ForMS: 1}), chat.NotSecure)
		a := alice.ask(&wire.Invite{Uses: chat.MaxUses, ForMS: month, Room: "not-there-yet"}).(*wire.InviteIs)
		b := alice.ask(&wire.Invite{Uses: 1, ForMS: 1}).(*wire.InviteIs)
		if bytes.Equal(a.Token, b.Token) || len(a.Token) != wire.TokenLen {
			t.Errorf("tokens %x and %x", a.Token, b.Token)
		}
		if state, err := w.store.Load(); err != nil || len(state.Invites) != 2 {
			t.Errorf("the store has %d invitations, %v; want 2", len(state.Invites), err)
		}
	})
}

// TestInvitesAreBounded: in a minute, of one key, and of all; each refusal says when there is room.
func TestInvitesAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.attach("alice")
		ask := &wire.Invite{Uses: 1, ForMS: uint64(time.Hour.Milliseconds())}
		wantLater := func(c *client, code chat.Code, want time.Duration) {
			t.Helper()
			failed, ok := c.ask(ask).(*wire.Failed)
			if !ok || failed.Code != code || time.Duration(failed.RetryAfterMS)*time.Millisecond != want {
				t.Fatalf("asked for one more: %+v, want %v and %v to wait", failed, code, want)
			}
			w.skip(want - presenceEvery)
			if _, ok := c.ask(ask).(*wire.Failed); !ok {
				t.Fatal("it could be had earlier")
			}
			w.skip(presenceEvery)
		}
		made := time.Duration(0)
		for range invitesBurst {
			alice.invite(1, time.Hour)
		}
		wantLater(alice, chat.TooFast, invitesEach)
		made += invitesEach
		alice.invite(1, time.Hour)
		wantLater(w.fill(alice), chat.TooFast, time.Hour-made)
		alice.invite(1, time.Hour)

		w = newWorld(t)
		for n := 0; n < maxInvites/maxInvitesEach; n++ {
			w.fill(w.attach(fmt.Sprint("p", n)))
		}
		w.boss().invite(1, 2*time.Hour) // admins always can
		last := w.attach("last")
		wantLater(last, chat.Full, time.Hour)
		last.invite(1, time.Hour)
	})
}

// fill has the hub hold as many invitations of a client's key as it may, which end in an hour from the first.
func (w *world) fill(c *client) *client {
	w.t.Helper()
	if err := w.hub.call(func() {
		own := 0
		for _, i := range w.hub.invites {
			if i.Inviter == c.key {
				own++
			}
		}
		for ; own < maxInvitesEach; own++ {
			i := store.Invite{Hash: [32]byte(keyOf(fmt.Sprint(c.asked, own))), Uses: 1, Made: w.now().UnixMilli(), Expires: w.now().Add(time.Hour).UnixMilli(), Inviter: c.key}
			w.hub.putInvite(i)
		}
	}); err != nil {
		w.t.Fatal(err)
	}
	return c
}
