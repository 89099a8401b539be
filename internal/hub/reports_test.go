package hub

import (
	"slices"
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// TestReportsAreTheAdmins asks every question about the room of reports: as who has written to it, as somebody else, and as an admin, before there is one,
// then, and after a restart.
func TestReportsAreTheAdmins(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		reporter, other, admin := w.signer("reporter"), w.signer("other"), w.signer("boss")
		admin.admin = true
		for _, c := range []*client{reporter, other, admin} {
			c.come("lobby")
		}
		checkReportsShut(t, reporter, false)
		if r := w.hub.rooms[chat.Reports]; r != nil {
			t.Errorf("asking has made a room: %+v", r.Room)
		}
		reporter.wants(reporter.pub(chat.Reports, "tea 1"), chat.OK)
		other.wants(other.pub(chat.Reports, "tea 2"), chat.OK)
		for range 2 {
			for _, c := range []*client{reporter, other} {
				checkReportsShut(t, c, true)
			}
			admin.do(&wire.Join{Room: chat.Reports, Tail: 10})
			wantTexts(t, admin, chat.Reports, "tea 1", "tea 2")
			if role := admin.view(chat.Reports).terms.Role; role != chat.RoleAdmin {
				t.Errorf("the admin is a %v", role)
			}
			checkReportsShut(t, other, true) // also while somebody is in it
			for what, q := range map[string]wire.Record{
				"history": &wire.History{Room: chat.Reports, N: 10}, "names": &wire.Names{Room: chat.Reports}, "keep": &wire.Keep{Room: chat.Reports},
				"banned": &wire.Banned{Room: chat.Reports}, "search": &wire.Search{Words: "tea", Room: chat.Reports, N: 10},
			} {
				if failed, isFailed := admin.ask(q).(*wire.Failed); isFailed {
					t.Errorf("an admin asks for %s and gets %v", what, failed.Code)
				}
			}
			if found := admin.ask(&wire.Search{Words: "tea", N: 10}).(*wire.SearchIs); len(found.Events) != 2 {
				t.Errorf("an admin finds %d reports", len(found.Events))
			}
			if !slices.ContainsFunc(admin.ask(&wire.List{}).(*wire.ListIs).Rooms, isReportsInfo) {
				t.Error("an admin does not see the room listed")
			}
			if r := w.hub.rooms[chat.Reports]; !r.Owner.IsZero() {
				t.Errorf("the room is %v's", r.Owner)
			}
			w = restarted(w)
			reporter, other, admin = w.signer("reporter"), w.signer("other"), w.signer("boss")
			admin.admin = true
			for _, c := range []*client{reporter, other, admin} {
				c.come("lobby")
			}
		}
		admin.wants(admin.act(chat.Reports, "private"), chat.BadAct)
		admin.wants(admin.act(chat.Reports, "mute %v 1h", other.key), chat.OK)
		other.wants(other.pub(chat.Reports, "spam"), chat.Muted)
		admin.wants(admin.act(chat.Reports, "op %v", other.key), chat.OK) // of a room that they don't read
		checkReportsShut(t, other, true)
	})
}

func isReportsInfo(r wire.RoomInfo) bool { return r.Name == chat.Reports }

// checkReportsShut has somebody who is no admin try everything: nothing tells them anything, and texts are all that the room takes.
func checkReportsShut(t *testing.T, c *client, made bool) {
	t.Helper()
	for what, q := range map[string]wire.Record{
		"history": &wire.History{Room: chat.Reports, N: 10}, "names": &wire.Names{Room: chat.Reports}, "keep": &wire.Keep{Room: chat.Reports},
		"set keep": &wire.Keep{Room: chat.Reports, Mode: wire.KeepDefault}, "banned": &wire.Banned{Room: chat.Reports},
		"search": &wire.Search{Words: "tea", Room: chat.Reports, N: 10}, "invite": &wire.Invite{Room: chat.Reports, Uses: 1, ForMS: 1000},
	} {
		if failed, isFailed := c.ask(q).(*wire.Failed); !isFailed || failed.Code != chat.NotMember {
			t.Errorf("%s asks for %s and gets %+v", c.asked, what, failed)
		}
	}
	if found := c.ask(&wire.Search{Words: "tea", N: 10}).(*wire.SearchIs); len(found.Events)+len(found.Rooms) > 0 {
		t.Errorf("%s finds %d reports in %v", c.asked, len(found.Events), found.Rooms)
	}
	if slices.ContainsFunc(c.ask(&wire.List{}).(*wire.ListIs).Rooms, isReportsInfo) {
		t.Errorf("%s sees the room listed", c.asked)
	}
	if whois, ok := c.ask(&wire.Whois{Who: "boss"}).(*wire.WhoisIs); !ok || slices.Contains(whois.Rooms, chat.Reports) {
		t.Errorf("%s sees who reads reports: %+v", c.asked, whois)
	}
	before := len(c.control)
	for _, join := range []*wire.Join{{Room: chat.Reports, Tail: 10}, {Room: chat.Reports, Cursor: &wire.Cursor{Epoch: c.w.hub.Epoch()}}} {
		c.replies = nil
		c.do(join)
		if got, want := briefReplies(c.replies), []string{"open reports not_member"}; !slices.Equal(got, want) || c.views[chat.Reports] != nil {
			t.Errorf("%s joins: %v, want %v", c.asked, got, want)
		}
	}
	if err := c.session.Watch([]string{chat.Reports}); err != nil {
		t.Fatal(err)
	}
	c.w.settle()
	if got := c.control[before:]; len(got) > 0 {
		t.Errorf("%s watches the room and is told %+v", c.asked, got)
	}
	for _, kind := range []chat.Kind{chat.Topic, chat.Action} {
		p := c.pub(chat.Reports, "tea")
		p.Kind = kind
		c.wants(p, chat.NotMember)
	}
	if made {
		c.wants(c.act(chat.Reports, "slow 1h"), chat.NotMember)
	}
}

// TestReportsHaveNoOwner: not who wrote there first, not the admin who joined first, and not who made a room of that name before it meant anything.
func TestReportsHaveNoOwner(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		admin, former := w.signer("boss"), w.signer("former")
		admin.admin = true
		admin.come(chat.Reports)
		if r := w.hub.rooms[chat.Reports]; !r.Owner.IsZero() {
			t.Errorf("made by an admin who joins, the room is %v's", r.Owner)
		}
		former.come()
		if err := w.hub.call(func() {
			w.hub.makeRoom(store.Room{Name: chat.Reports, Owner: former.key})
		}); err != nil {
			t.Fatal(err)
		}
		checkReportsShut(t, former, false)
	})
}
