package hub

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// TestArrivals: keys that join are counted for each address, or for what one person has of it, and wait as long as they are told to.
func TestArrivals(t *testing.T) {
	for name, address := range map[string]func(n int) string{
		"IPv4":   func(int) string { return "192.0.2.1" },
		"IPv6":   func(n int) string { return fmt.Sprintf("2001:db8:0:7:%x::1", n) },
		"mapped": func(n int) string { return []string{"::ffff:192.0.2.1", "192.0.2.1"}[n%2] },
		"zoned":  func(n int) string { return fmt.Sprintf("fe80::%x%%eth%d", n, n) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				from := func(address string) *client {
					c := w.newClient(fmt.Sprint("n", len(w.clients)))
					c.address = netip.MustParseAddr(address)
					return c
				}
				for n := range arrivalsBurst {
					from(address(n)).attach()
				}
				late := from(address(arrivalsBurst))
				if retry := wantRefused(t, late, chat.TooFast); retry != arrivalsEach {
					t.Errorf("one more is to come back after %v, want %v", retry, arrivalsEach)
				}
				w.ahead.Add(int64(arrivalsEach - time.Millisecond))
				wantRefused(t, late, chat.TooFast)
				w.ahead.Add(int64(time.Millisecond))
				late.attach()
				late = from(address(arrivalsBurst + 1))
				wantRefused(t, late, chat.TooFast)

				from("192.0.2.7").attach()
				from("2001:db8:0:8::1").attach()
				for range 2 * arrivalsBurst {
					for _, own := range []string{"127.0.0.1", "::1", "127.9.9.9", "::ffff:127.0.0.1"} {
						from(own).attach()
					}
				}
				member := w.clients[0] // known: not counted
				member.leave(false)
				member.attach()
				admin, invited := from(address(1)), from(address(1))
				admin.admin, invited.token = true, member.invite(1, time.Hour).Token
				admin.attach()
				invited.attach()
				wantRefused(t, late, chat.TooFast)
			})
		})
	}
}

// TestArrivalsFromEverywhere: more addresses than are counted share one bound, and those that are at their full number again are forgotten.
func TestArrivalsFromEverywhere(t *testing.T) {
	seen := arrivals{}
	now := time.Now()
	address := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}) }
	n := 0
	for ; n < maxAddresses; n++ {
		if wait := seen.take(address(n), now); wait != 0 {
			t.Fatalf("address %d waits for %v", n, wait)
		}
	}
	for range arrivalsBurst {
		n++
		if wait := seen.take(address(n), now); wait != 0 {
			t.Fatalf("address %d waits for %v", n, wait)
		}
	}
	if wait := seen.take(address(n+1), now); wait != arrivalsEach {
		t.Errorf("one more waits for %v, want %v", wait, arrivalsEach)
	}
	if wait := seen.take(address(0), now); wait != 0 {
		t.Errorf("one that is counted by itself waits for %v", wait)
	}
	if len(seen) > maxAddresses+1 {
		t.Errorf("%d addresses are counted, want %d and what they share", len(seen), maxAddresses)
	}
	now = now.Add(10 * time.Minute)
	if wait := seen.take(address(n+1), now); wait != 0 || len(seen) > 2 {
		t.Errorf("later one waits for %v, and %d addresses are counted", wait, len(seen))
	}
}

// TestSessionsOfOneKey has as many of them as one key may, and one that takes another's place.
func TestSessionsOfOneKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		first := w.attach("carol")
		for n := 1; n < maxSessionsEach; n++ {
			first.another(fmt.Sprint("device ", n))
		}
		more := w.newClient("one more")
		more.key, more.asked = first.key, "carol"
		if retry := wantRefused(t, more, chat.TooFast); retry != retryFull {
			t.Errorf("one more is to come back after %v, want %v", retry, retryFull)
		}
		w.attach("bob")
		first.attach() // its own origin
		first.leave(false)
		more.attach()
	})
}

// TestPlacesOfOneNetwork: guests of one network have a part of all places, admins come in when there is none.
func TestPlacesOfOneNetwork(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, func(cfg *Config) { cfg.MaxSessions = 8 })
		come := func(name, address string, admin bool) *client {
			c := w.newClient(name)
			c.address, c.admin = netip.MustParseAddr(address), admin
			return c
		}
		wantFull := func(c *client) {
			t.Helper()
			if retry := wantRefused(t, c, chat.Full); retry < retryFull/2 {
				t.Errorf("%s is to come back after %v", c.asked, retry)
			}
		}
		first := come("a1", "2001:db8::1", false)
		first.attach()
		come("a2", "2001:db8::ffff:2", false).attach()
		wantFull(come("a3", "2001:db8::3", false))
		first.attach() // its own origin, whose place it takes
		come("boss", "2001:db8::4", true).attach()
		come("b1", "2001:db8:0:1::1", false).attach()
		for n := range 4 {
			come(fmt.Sprint("local", n), "::1", false).attach()
		}
		wantFull(come("c1", "192.0.2.1", false)) // eight are here
		come("chief", "192.0.2.1", true).attach()
		first.leave(false)
		if len(w.hub.networks) != 4 {
			t.Errorf("%d networks are counted, want 3 and those that have no bound", len(w.hub.networks))
		}
	})
}

// TestNicks: so many at once, and then one each ten seconds. Asking for the name that one has counts for nothing, nor does what can't be a name.
func TestNicks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		carol := w.attach("carol", "lobby")
		w.attach("bob").do(&wire.Nick{Name: "robert"})
		named := func(name string) *wire.Named {
			carol.do(&wire.Nick{Name: name})
			return carol.replies[len(carol.replies)-1].(*wire.Named)
		}
		for n := range nicksBurst - 1 {
			if got := named(fmt.Sprint("c", n)); got.Code != chat.OK {
				t.Fatalf("nick %d: %+v", n, got)
			}
			named(fmt.Sprint("c", n))
			named("no name")
		}
		if got := named("robert"); got.Code != chat.NameTaken {
			t.Errorf("nick to a taken one: %+v", got)
		}
		w.skip(3 * time.Second)
		got := named("caz")
		if got.Code != chat.TooFast || got.Name != "c3" || got.RetryAfterMS != 7000 {
			t.Errorf("one more: %+v, want too_fast and 7 seconds to wait", got)
		}
		if got := named("c3"); got.Code != chat.OK {
			t.Errorf("the name that she has: %+v", got)
		}
		laptop := carol.another("laptop")
		laptop.do(&wire.Nick{Name: "caz"})
		if got := laptop.replies[len(laptop.replies)-1].(*wire.Named); got.Code != chat.TooFast {
			t.Errorf("from another session: %+v, want too_fast", got)
		}
		w.skip(7 * time.Second)
		if got := named("caz"); got.Code != chat.OK {
			t.Errorf("after that time: %+v", got)
		}
	})
}

// TestForget: of too many people those go who never wrote anything, whoever has been away longest first; and never who could not come back, or is
// somebody to others.
func TestForget(t *testing.T) {
	for _, inviteOnly := range []bool{false, true} {
		t.Run(fmt.Sprint("invite-only ", inviteOnly), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, func(c *Config) { c.InviteOnly = inviteOnly })
				boss := w.boss()
				is := boss.invite(chat.MaxUses, 24*time.Hour)
				come := func(label string) *client {
					c := w.invited(label, is.Token)
					c.admin = label == "chief"
					c.attach()
					return c
				}
				come("writer").say("lobby", "I was here")
				come("invited")
				boss.say("@invited", "hi") // has a conversation
				come("guest")
				for _, c := range w.clients[1:] {
					c.leave(true)
				}
				come("chief").leave(true)
				come("silent").leave(true)
				come("host")
				w.settle()
				populate(t, w, maxAccounts)
				w.skip(2 * presenceEvery)
				for label, want := range map[string]bool{"boss": true, "writer": true, "invited": true, "guest": inviteOnly, "silent": inviteOnly, "chief": true, "host": true, "c0": false, "c99999": true} {
					if got := w.stored(label); (got.Key == keyOf(label)) != want {
						t.Errorf("the store has %+v for %s, want somebody: %v", got, label, want)
					}
				}
				wantFailed(t, boss.ask(&wire.Whois{Who: "c0"}), chat.NoSuchUser)
			})
		})
	}
}

// populate has the hub and the store know so many people more, who were last here long ago, one after the other.
func populate(t *testing.T, w *world, n int) {
	t.Helper()
	b := &store.Batch{}
	for i := range n {
		name := fmt.Sprint("c", i)
		b.People = append(b.People, store.Person{Key: keyOf(name), Name: name, Since: 1, Seen: w.now().UnixMilli() + int64(i)})
	}
	err := w.store.Append(b)
	if err := errors.Join(err, w.hub.call(func() { w.hub.restorePeople(b.People) })); err != nil {
		t.Fatal(err)
	}
}

// TestRelease: an admin takes a name from its key. It is that key's until its last session ends, and nobody else's before; a restart brings it to
// nobody.
func TestRelease(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		boss, carol := w.boss(), w.attach("carol")
		laptop := carol.another("laptop")
		wantFailed(t, carol.ask(&wire.Release{Name: "boss"}), chat.Denied)
		wantFailed(t, boss.ask(&wire.Release{Name: "nobody"}), chat.NoSuchUser)
		wantFailed(t, boss.ask(&wire.Release{Name: ""}), chat.NoSuchUser)
		wantReleased := func(name string, whose identity.ID) {
			t.Helper()
			is, ok := boss.ask(&wire.Release{Name: name}).(*wire.ReleaseIs)
			if !ok || identity.ID(is.Owner.ID) != whose || chat.Fold(is.Owner.Name) != chat.Fold(name) {
				t.Errorf("releasing %s: %+v", name, is)
			}
		}
		wantReleased("CAROL", carol.key)
		w.settle()
		if got := carol.notices(); len(got) != 1 || got[0] != chat.OK {
			t.Errorf("carol is told %v, want one line", got)
		}
		wantFailed(t, boss.ask(&wire.Release{Name: "carol"}), chat.NoSuchUser) // nobody owns it now
		carol.do(&wire.Nick{Name: "Carol"})                                    // is no way to own it again
		carol.say("lobby", "still me")
		if got := w.rows("lobby")[0].Name; got != "Carol" {
			t.Errorf("she speaks as %q", got)
		}
		wantName(t, w.asking("other", "carol"), suffixed("carol", "other"))
		laptop.leave(true)
		wantName(t, w.asking("third", "carol"), suffixed("carol", "third"))
		carol.attach() // in place of her own connection: she has not left
		if wantName(t, carol, "Carol"); w.stored("carol").Name != "" {
			t.Errorf("the store has %+v", w.stored("carol"))
		}
		carol.leave(false)
		wantName(t, w.asking("fourth", "carol"), "carol")
		carol.attach()
		wantName(t, carol, suffixed("carol", "carol"))

		wantReleased("carol", keyOf("fourth"))
	})
}

// TestReleaseIsKept: neither a restart in between nor one day more of the session brings the name back.
func TestReleaseIsKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		boss, carol, dave := w.boss(), w.attach("carol"), w.attach("dave")
		dave.leave(true)
		boss.ask(&wire.Release{Name: "carol"})
		boss.ask(&wire.Release{Name: "dave"})
		w.skip(48 * time.Hour)
		if p := w.stored("carol"); p.Name != "" || p.Seen < w.now().Add(-24*time.Hour).UnixMilli() {
			t.Errorf("the store has %+v", p)
		}
		_ = carol
		w = restarted(w)
		wantName(t, w.asking("other", "carol"), "carol")
		wantName(t, w.asking("third", "dave"), "dave")
		wantName(t, w.asking("carol", "carol"), suffixed("carol", "carol"))
	})
}
