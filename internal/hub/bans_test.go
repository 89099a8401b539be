package hub

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// wantOut tries everything that a room could be read by or written to.
func (h *house) wantOut(what string, c *client) {
	h.t.Helper()
	c.wants(c.pub("room", "let me in"), chat.Banned)
	replies := len(c.replies)
	c.do(&wire.Join{Room: "room", Tail: 10}, &wire.Join{Room: "room", Cursor: &wire.Cursor{Epoch: h.hub.Epoch(), Seq: 1}})
	if got := briefReplies(c.replies[replies:]); !cmp.Equal(got, []string{"open room banned", "open room banned"}) {
		h.t.Errorf("%s: joining gets %q", what, got)
	}
	for _, q := range []wire.Record{&wire.History{Room: "room", N: 10}, &wire.Search{Words: "welcome", Room: "room", N: 10}, &wire.Names{Room: "room"}, &wire.Keep{Room: "room"},
		&wire.Banned{Room: "room"}} {
		if f, ok := c.ask(q).(*wire.Failed); !ok || f.Code != chat.Banned {
			h.t.Errorf("%s: %T is answered", what, q)
		}
	}
	if found := c.ask(&wire.Search{Words: "welcome", N: 10}).(*wire.SearchIs); len(found.Events) > 0 {
		h.t.Errorf("%s: a search finds %d rows", what, len(found.Events))
	}
	if is := c.ask(&wire.Whois{Who: h.owner.key.String()}).(*wire.WhoisIs); len(is.Rooms) > 0 {
		h.t.Errorf("%s: a whois tells %q", what, is.Rooms)
	}
	if in, _ := c.in("room"); in {
		h.t.Errorf("%s: is in the room", what)
	}
	if err := c.session.Watch([]string{"room"}); err != nil || len(c.session.watched) > 0 {
		h.t.Errorf("%s: watches the room, %v", what, err)
	}
}

// wantIn wants a client to join, write and read.
func (h *house) wantIn(what string, c *client) {
	h.t.Helper()
	c.do(&wire.Join{Room: "room"})
	if in, _ := c.in("room"); !in {
		h.t.Errorf("%s: is not let in", what)
	}
	c.wants(c.pub("room", "here I am"), chat.OK)
	if found := c.ask(&wire.Search{Words: "welcome", N: 10}).(*wire.SearchIs); len(found.Events) != 1 {
		h.t.Errorf("%s: a search finds %d rows", what, len(found.Events))
	}
}

// TestBanIsOfAKey: no other name, origin, session or connection of it gets around a ban, nor does a restart, and it ends by the clock.
func TestBanIsOfAKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		laptop := h.signer("laptop")
		laptop.secret, laptop.key = h.guest.secret, h.guest.key
		laptop.come("room")
		h.mod.wants(h.mod.act("room", "ban %v 1h spam", h.guest.key), chat.OK)
		for _, c := range []*client{h.guest, laptop} {
			if in, why := c.in("room"); in || why != chat.Banned {
				t.Errorf("in the room %v, closed for %v", in, why)
			}
		}
		h.wantOut("at once", h.guest)
		h.wantOut("on another device", laptop)
		h.guest.do(&wire.Nick{Name: "innocent"})
		h.wantOut("by another name", h.guest)
		h.guest.leave(false)
		h.guest.come()
		h.wantOut("connected again", h.guest)
		laptop.leave(true)
		fresh := h.signer("fresh")
		fresh.secret, fresh.key = h.guest.secret, h.guest.key
		fresh.come()
		h.wantOut("with another origin", fresh)
		h.wantIn("somebody else", h.guest2)
		h.mod.wants(h.mod.act("other", "ban %v 1h", h.guest.key), chat.NoSuchRoom)
		h.guest.wants(h.guest.pub("other", "elsewhere"), chat.OK)
		h.guest.wants(h.guest.pub("@"+h.mod.key.String(), "why?"), chat.OK)

		bans := h.mod.ask(&wire.Banned{Room: "room"}).(*wire.BannedAre)
		since := w0(h.world) // the bubble's clock stands still
		want := []wire.Ban{{Who: wire.Person{ID: h.guest.key[:], Name: "fresh"}, By: wire.Person{ID: h.mod.key[:], Name: "mod"}, Since: since, Until: since + 3_600_000, Text: "spam"}}
		if diff := cmp.Diff(want, bans.Bans); diff != "" || bans.More {
			t.Errorf("bans mismatch (-want +got):\n%s", diff)
		}
		wantFailed(t, h.guest2.ask(&wire.Banned{Room: "room"}), chat.NotAllowed)

		key := h.guest.key
		next := &house{world: restarted(h.world)}
		next.owner, next.guest = next.signer("owner").come("room"), next.signer("guest").come()
		next.guest.key = key
		next.wantOut("after a restart", next.guest)
		next.skip(59 * time.Minute)
		next.wantOut("a minute before the end", next.guest)
		next.skip(time.Minute)
		next.wantIn("at the end", next.guest)
		if bans := next.owner.ask(&wire.Banned{Room: "room"}).(*wire.BannedAre); len(bans.Bans) > 0 {
			t.Errorf("%d bans", len(bans.Bans))
		}
		next.owner.wants(next.owner.act("room", "unban %v", key), chat.BadAct) // has ended
		next.skip(2 * time.Hour)
		if state, err := next.store.Load(); err != nil || len(state.Standings) != 2 {
			t.Errorf("the store has %d standings, want the 2 moderators: %v", len(state.Standings), err)
		}
	})
}

// w0 is the hub's time in milliseconds.
func w0(w *world) int64 { return chat.Millis(w.now()) }

// TestBanOfNetworks: an admin on an open node keeps the networks out too, others of them as well, but moderators; and no row says so.
func TestBanOfNetworks(t *testing.T) {
	for name, tt := range map[string]struct {
		by     string
		closed bool
		barred bool
	}{"an admin": {"admin", false, true}, "the owner": {"owner", false, false}, "an admin of a closed node": {"admin", true, false}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t, func(c *Config) { c.InviteOnly = false })
				h.hub.cfg.InviteOnly = tt.closed // once everybody has joined
				home, elsewhere := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.9")
				move := func(c *client, from netip.Addr) {
					c.leave(false)
					c.address = from
					c.come("room")
				}
				move(h.guest, home)
				move(h.guest2, netip.MustParseAddr("2001:db8::2")) // the same network
				move(h.mod2, home)
				by := map[string]*client{"admin": h.admin, "owner": h.owner}[tt.by]
				by.wants(by.act("room", "ban %v 1h", h.guest.key), chat.OK)
				h.wantOut("the banned one", h.guest)
				if tt.barred {
					h.wantOut("another of the network", h.guest2)
				} else {
					h.wantIn("another of the network", h.guest2)
				}
				h.wantIn("a moderator", h.mod2)
				move(h.guest2, elsewhere)
				h.wantIn("from elsewhere", h.guest2)
				for _, row := range h.rows("room") {
					if bytes.Contains(row.Body, []byte("2001")) {
						t.Errorf("row %q tells", row.Body)
					}
				}
				h.owner.wants(h.owner.act("room", "unban %v", h.guest.key), chat.OK)
				move(h.guest2, home)
				h.wantIn("after the ban", h.guest2)
				h.wantIn("after the ban", h.guest)
				if state, err := h.store.Load(); err != nil || len(state.Bars) > 0 {
					t.Errorf("bars %v, %v", state.Bars, err)
				}
			})
		})
	}
}

// TestBanSparesTheAdminsNetwork: an admin behind the same address as everybody bans a key, and nobody else.
func TestBanSparesTheAdminsNetwork(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		for _, c := range []*client{h.admin, h.guest, h.guest2} {
			c.leave(false)
			c.address = netip.MustParseAddr("192.0.2.1")
			c.come("room")
		}
		h.admin.wants(h.admin.act("room", "ban %v 0s", h.guest.key), chat.OK)
		h.wantOut("the banned one", h.guest)
		h.wantIn("the neighbour", h.guest2)
	})
}

// TestBarsEndWithTheirBan: when a ban is shortened, so is that of the networks, which nothing could lift once it has ended.
func TestBarsEndWithTheirBan(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		for _, c := range []*client{h.guest, h.guest2} {
			c.leave(false)
			c.address = netip.MustParseAddr("192.0.2.9")
			c.come("room")
		}
		h.admin.wants(h.admin.act("room", "ban %v 0s", h.guest.key), chat.OK)
		h.wantOut("another of the network", h.guest2)
		h.owner.wants(h.owner.act("room", "ban %v 1h", h.guest.key), chat.OK)
		h.wantOut("another of the network", h.guest2)
		h.skip(time.Hour)
		h.wantIn("the banned one, at the end", h.guest)
		h.wantIn("another of the network, at the end", h.guest2)
	})
}
