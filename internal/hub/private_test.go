package hub

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// lodge is a private room, "den": its owner and its member were there when it became one, its invitee came by an invitation after two rows more, and
// its ex-member was put out last. Each row but acts holds the word "tea" and its number.
type lodge struct {
	*world
	owner, member, invitee, former, stranger, admin *client
}

func newLodge(t *testing.T) *lodge {
	t.Helper()
	w := newWorld(t)
	l := &lodge{world: w, owner: w.signer("owner"), member: w.signer("member"), invitee: w.signer("invitee"), former: w.signer("former"),
		stranger: w.signer("stranger"), admin: w.signer("boss")}
	l.admin.admin = true
	for _, c := range []*client{l.owner, l.member, l.former} {
		c.come("den")
	}
	for _, c := range []*client{l.invitee, l.stranger, l.admin} {
		c.come("lobby")
	}
	l.says("tea 1")
	l.owner.wants(l.owner.act("den", "private"), chat.OK) // 2
	l.says("tea 3")
	l.owner.wants(l.owner.act("den", "invite %v", l.invitee.key), chat.OK) // 4
	l.says("tea 5")
	l.invitee.do(&wire.Join{Room: "den", Tail: 100})
	l.owner.wants(l.owner.act("den", "kick %v", l.former.key), chat.OK) // 6
	l.says("tea 7")
	return l
}

func (l *lodge) says(text string) {
	l.t.Helper()
	l.owner.wants(l.owner.pub("den", text), chat.OK)
}

// reads says from which row on somebody reads the den; 0: not at all.
func (l *lodge) reads() map[string]struct {
	*client
	first uint64
} {
	type reader = struct {
		*client
		first uint64
	}
	return map[string]reader{"owner": {l.owner, 1}, "member": {l.member, 1}, "invitee": {l.invitee, 4}, "former": {l.former, 0}, "stranger": {l.stranger, 0}, "admin": {l.admin, 0}}
}

// seqs returns the rows of a room that records show.
func (l *lodge) seqs(raws []wire.Raw) (seqs []uint64) {
	for _, raw := range raws {
		seqs = append(seqs, decodeEvent(l.t, raw).Seq)
	}
	slices.Sort(seqs)
	return seqs
}

// from returns the numbers first to 7, of those in all that are given.
func from(first uint64, all ...uint64) (seqs []uint64) {
	for _, seq := range all {
		if seq >= first && first > 0 {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}

// TestPrivateRoomsAnswerTheirMembers asks every question about a private room, as each kind of person.
func TestPrivateRoomsAnswerTheirMembers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLodge(t)
		l.checkQuestions()
		l.world = restarted(l.world)
		for _, c := range []*client{l.owner, l.member, l.invitee, l.former, l.stranger, l.admin} {
			again := l.signer(c.asked)
			again.admin = c.admin
			*c = *again.come()
		}
		l.owner.do(&wire.Join{Room: "den"}) // so that it can be seen in a whois
		l.checkQuestions()
		if people := l.names(l.owner, "den"); len(people) != 1 {
			t.Errorf("after a restart %v are there", people)
		}
	})
}

func (l *lodge) names(c *client, room string) []wire.Person {
	l.t.Helper()
	is, ok := c.ask(&wire.Names{Room: room}).(*wire.NamesAre)
	if !ok {
		l.t.Fatalf("%s can't ask who is in %s", c.asked, room)
	}
	return is.People
}

func (l *lodge) checkQuestions() {
	l.t.Helper()
	for who, r := range l.reads() {
		for what, q := range map[string]wire.Record{
			"history": &wire.History{Room: "den", N: 100}, "since": &wire.History{Room: "den", N: 100, Since: 1}, "before": &wire.History{Room: "den", N: 100, Before: 4},
			"search": &wire.Search{Words: "tea", N: 50}, "search here": &wire.Search{Words: "tea", Room: "den", N: 50}, "search a name": &wire.Search{From: "owner", N: 50},
			"names": &wire.Names{Room: "den"}, "keep": &wire.Keep{Room: "den"}, "banned": &wire.Banned{Room: "den"}, "invite": &wire.Invite{Room: "den", Uses: 1, ForMS: 1000},
			"set keep": &wire.Keep{Room: "den", Mode: wire.KeepDefault},
		} {
			answer := r.ask(q)
			failed, isFailed := answer.(*wire.Failed)
			elsewhere := what == "search" || what == "search a name"
			switch {
			case what == "invite":
				if !isFailed || failed.Code != chat.NotMember {
					l.t.Errorf("the %s asks for a link to a private room and gets %+v", who, answer)
				}
				continue
			case r.first == 0 && !elsewhere:
				if !isFailed || failed.Code != chat.NotMember {
					l.t.Errorf("the %s asks for %s and gets %+v", who, what, answer)
				}
				continue
			}
			switch is := answer.(type) {
			case *wire.HistoryIs:
				want := from(r.first, 1, 2, 3, 4, 5, 6, 7)
				if what == "before" {
					want = from(r.first, 1, 2, 3)
				}
				if got := l.seqs(is.Events); !slices.Equal(got, want) || is.Low != r.first || is.More {
					l.t.Errorf("the %s asks for %s and gets rows %d from %d, more %v, want %d from %d", who, what, got, is.Low, is.More, want, r.first)
				}
			case *wire.SearchIs:
				want := from(r.first, 1, 3, 5, 7)
				if what == "search a name" {
					want = from(r.first, 1, 2, 3, 4, 5, 6, 7)
				}
				if got := l.seqs(is.Events); !slices.Equal(got, want) || (len(is.Rooms) > 0) != (r.first > 0) {
					l.t.Errorf("the %s asks for %s and gets rows %d of %v, want %d", who, what, got, is.Rooms, want)
				}
			}
		}
		list := r.ask(&wire.List{}).(*wire.ListIs)
		if listed := slices.ContainsFunc(list.Rooms, func(r wire.RoomInfo) bool { return r.Name == "den" }); listed != (r.first > 0) {
			l.t.Errorf("the %s sees the den listed: %v", who, listed)
		}
		whois := r.ask(&wire.Whois{Who: "owner"}).(*wire.WhoisIs)
		if seen := slices.Contains(whois.Rooms, "den"); seen != (r.first > 0) {
			l.t.Errorf("the %s sees that the owner is in the den: %v", who, seen)
		}
		l.checkJoin(who, r.client, r.first)
	}
}

// checkJoin has somebody join anew, with every cursor that there can be, and ends where it was: in the room or not.
func (l *lodge) checkJoin(who string, c *client, first uint64) {
	l.t.Helper()
	epoch := l.hub.Epoch()
	for what, j := range map[string]*wire.Join{
		"a long tail": {Room: "den", Tail: chat.MaxTail}, "the beginning": {Room: "den", Cursor: &wire.Cursor{Epoch: epoch}},
		"a wrong hash": {Room: "den", Tail: 100, Cursor: &wire.Cursor{Epoch: epoch, Seq: 2}}, "a cursor ahead": {Room: "den", Tail: 100, Cursor: &wire.Cursor{Epoch: epoch, Seq: 99}},
	} {
		other := c.another(who + " by " + what)
		other.do(j)
		v := other.views["den"]
		switch {
		case first == 0:
			if want := []string{"open den not_member"}; v != nil || !slices.Equal(briefReplies(other.replies), want) {
				l.t.Errorf("the %s joins with %s: %v, want %v", who, what, briefReplies(other.replies), want)
			}
		case v == nil || len(v.rows) == 0 || v.rows[0].Seq != first || v.opens[0].Low != first:
			l.t.Errorf("the %s joins with %s and reads %+v, want to from %d on", who, what, v, first)
		default:
			if gap := v.opens[0].Status == wire.StatusGap; gap != (what == "the beginning" && first > 1) {
				l.t.Errorf("the %s joins with %s and is told of a gap: %v", who, what, gap)
			}
		}
		if first == 0 {
			other.cseq = other.welcome.LastCSeq
			other.wants(other.pub("den", "tea"), chat.NotMember)
			p := other.pub("den", "tea")
			p.Kind = chat.Topic
			other.wants(p, chat.NotMember)
		}
		other.leave(true)
	}
}

// TestRemovalFromAPrivateRoom: the act is the last row that any device of the one who is put out gets, whatever it was doing; then the room is closed, and a
// resume is denied. Who is invited again reads on from there, and is told of the gap.
func TestRemovalFromAPrivateRoom(t *testing.T) {
	for verb, why := range map[string][2]chat.Code{"kick %v": {chat.Kicked, chat.NotMember}, "ban %v 0s": {chat.Banned, chat.Banned}} {
		bubble(t, func(t *testing.T) {
			l := newLodge(t)
			phone, late := l.invitee.another("phone"), l.invitee.another("late")
			phone.do(&wire.Join{Room: "den"})
			cursor := l.invitee.cursor("den")
			release := l.store.block()
			l.owner.submit(l.owner.pub("den", "tea 8")) // holds the batch that the rest comes into
			late.submit(&wire.Join{Room: "den", Cursor: cursor})
			l.owner.submit(l.owner.act("den", verb, l.invitee.key), l.owner.pub("den", "tea 10"))
			late.submit(&wire.Join{Room: "den", Cursor: cursor})
			release()
			l.settle()
			for _, c := range []*client{l.invitee, phone, late} {
				v := c.view("den")
				if in, code := c.in("den"); in || code != why[0] || v.rows[len(v.rows)-1].Seq != 9 {
					t.Errorf("%s is in the room %v, closed for %v, after %v", c.asked, in, code, c.texts("den"))
				}
			}
			if got, want := briefReplies(late.replies), []string{"open den " + why[1].String()}; !slices.Equal(got, want) {
				t.Errorf("a resume gets %v, want %v", got, want)
			}
			before := len(l.invitee.control)
			if err := l.invitee.session.Watch([]string{"den"}); err != nil {
				t.Fatal(err)
			}
			l.invitee.do(&wire.Part{Room: "den"})
			if got := l.invitee.control[before:]; len(got) > 0 {
				t.Errorf("who was put out watches the room and gets %+v", got)
			}
			if verb != "kick %v" {
				l.owner.wants(l.owner.act("den", "invite %v", l.invitee.key), chat.BadAct)
				l.owner.wants(l.owner.act("den", "unban %v", l.invitee.key), chat.OK) // 11
				late.do(&wire.Join{Room: "den", Cursor: cursor})
				if got := briefReplies(late.replies); got[len(got)-1] != "open den not_member" {
					t.Errorf("after the ban it gets %v", got)
				}
			}
			l.owner.wants(l.owner.act("den", "kick %v", l.invitee.key), chat.BadAct)
			l.owner.wants(l.owner.act("den", "op %v", l.invitee.key), chat.NotMember)
			l.owner.wants(l.owner.act("den", "invite %v", l.invitee.key), chat.OK)
			l.owner.wants(l.owner.act("den", "invite %v", l.invitee.key), chat.BadAct)
			head := uint64(len(l.rows("den")))
			late.do(&wire.Join{Room: "den", Cursor: cursor})
			v := late.view("den")
			if open := v.opens[len(v.opens)-1]; open.Status != wire.StatusGap || open.From != head || v.rows[len(v.rows)-1].Seq != head {
				t.Errorf("invited again it reads from %d, status %v, want from %d behind a gap", open.From, open.Status, head)
			}
		})
	}
}

// TestOpenedAgain: what was said among members stays theirs, also of those who have come since it was opened, and when it is closed again.
func TestOpenedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLodge(t)
		l.invitee.wants(l.invitee.act("den", "open"), chat.NotAllowed)
		l.admin.wants(l.admin.act("den", "open"), chat.NotMember)
		l.owner.wants(l.owner.act("den", "open"), chat.OK) // 8
		l.owner.wants(l.owner.act("den", "open"), chat.BadAct)
		l.owner.wants(l.owner.act("den", "invite %v", l.stranger.key), chat.BadAct)
		check := func(firsts map[*client]uint64) {
			t.Helper()
			for c, first := range firsts {
				is, ok := c.ask(&wire.History{Room: "den", N: 100}).(*wire.HistoryIs)
				if !ok && first > 0 || ok && is.Low != first {
					t.Errorf("%s reads from %+v, want %d", c.asked, is, first)
				}
			}
		}
		check(map[*client]uint64{l.owner: 1, l.member: 1, l.invitee: 4, l.former: 8, l.stranger: 8, l.admin: 8})
		l.stranger.do(&wire.Join{Room: "den", Tail: 100})
		wantTexts(t, l.stranger, "den", "open")
		l.member.do(&wire.Part{Room: "den"})
		l.owner.wants(l.owner.act("den", "private"), chat.OK)
		check(map[*client]uint64{l.owner: 1, l.member: 1, l.invitee: 4, l.former: 0, l.stranger: 8, l.admin: 0})
	})
}

// TestInvitedAreTold: every device that is there, and who is somebody's guest is named.
func TestInvitedAreTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLodge(t)
		phone := l.stranger.another("phone")
		l.member.wants(l.member.act("den", "invite %v", l.stranger.key), chat.NotAllowed)
		l.owner.wants(l.owner.act("den", "op %v", l.member.key), chat.OK)
		l.member.wants(l.member.act("den", "invite %v", l.stranger.key), chat.OK)
		want := []wire.Record{&wire.Notice{Type: wire.TypeNotice, Text: "member invites you to #den, a room for its members: /join den"}}
		for _, c := range []*client{l.stranger, phone} {
			if diff := cmp.Diff(want, c.control); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		}
		l.owner.wants(l.owner.act("den", "kick %v", l.member.key), chat.OK)
		l.owner.wants(l.owner.act("den", "invite %v", l.member.key), chat.OK)
		l.member.do(&wire.Join{Room: "den"})
		if role := l.member.view("den").terms.Role; role != chat.RoleNone {
			t.Errorf("who was put out and invited again is a %v", role)
		}
	})
}

// TestPrivateTakesEverybodyOrNobody: a room that can't remember all who are in it stays as it is.
func TestPrivateTakesEverybodyOrNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.settle()
		if err := h.hub.call(func() {
			r := h.hub.rooms["room"]
			for i := len(r.standings); i < maxStandings-2; i++ {
				h.hub.stand(r, store.Standing{Key: keyOf(fmt.Sprint("guest ", i)), Stance: store.Muted, By: h.owner.key})
			}
		}); err != nil {
			t.Fatal(err)
		}
		h.owner.wants(h.owner.act("room", "private"), chat.TooMany)
		h.signer("outsider").come("room") // it is still everybody's
		if r := h.hub.rooms["room"]; r.Rules.Private || strings.Contains(fmt.Sprint(h.rows("room")[len(h.rows("room"))-1].Body), "private") {
			t.Error("it is private nevertheless")
		}
	})
}

// TestRedactReadsNothing: of a row that somebody can't read they take no text, whatever their role, and learn nothing: not even whether they know its id.
func TestRedactReadsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLodge(t)
		l.owner.wants(l.owner.act("den", "op %v", l.invitee.key), chat.OK)
		rows := l.rows("den")
		l.invitee.wants(l.invitee.redact("den", rows[2]), chat.BadAct)
		l.member.wants(l.member.pub("den", "low"), chat.OK)
		l.invitee.wants(l.invitee.redact("den", l.owner.last("den")), chat.OK)
		for _, c := range []*client{l.former, l.stranger, l.admin} {
			l.wantsNotMember(c, rows[2])
		}
	})
}

func (l *lodge) wantsNotMember(c *client, row *wire.Event) {
	l.t.Helper()
	c.wants(c.redact("den", row), chat.NotMember)
	other := *row
	other.ID[0]++
	c.wants(c.redact("den", &other), chat.NotMember)
	c.wants(c.act("den", "readonly"), chat.NotMember)
}
