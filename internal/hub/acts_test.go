package hub

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// secrets are the keys of people of tests, by label.
var secrets = map[string]*identity.Key{}

// signer returns a client with a key of its own that can sign, which is not attached yet.
func (w *world) signer(label string) *client {
	w.t.Helper()
	if secrets[label] == nil {
		secret, err := identity.NewKey(rand.Reader)
		if err != nil {
			w.t.Fatal(err)
		}
		secrets[label] = secret
	}
	c := w.newClient(label)
	c.secret = secrets[label]
	c.key = c.secret.ID()
	return c
}

// come attaches the client and goes on behind its last publish, and joins rooms.
func (c *client) come(rooms ...string) *client {
	c.t.Helper()
	c.attach()
	c.cseq = c.welcome.LastCSeq
	for _, room := range rooms {
		c.submit(&wire.Join{Room: room})
	}
	c.w.settle()
	return c
}

// act returns the client's next publish: an act, signed.
func (c *client) act(room, format string, args ...any) *wire.Pub {
	p := c.pub(room, fmt.Sprintf(format, args...))
	p.Kind = chat.Act
	c.sign(p)
	return p
}

func (c *client) sign(p *wire.Pub) {
	act := identity.SignedAct{Node: c.w.hub.node, Epoch: c.w.hub.Epoch(), From: c.welcome.From, CSeq: p.CSeq, Room: chat.SignedRoom(p.Room), Body: p.Body}
	p.Opts.Sig = c.secret.SignAct(&act)
}

// gets submits a publish and returns the code of its answer, and the time after which it can be tried again.
func (c *client) gets(p *wire.Pub) (chat.Code, time.Duration) {
	c.t.Helper()
	before := len(c.answers)
	c.do(p)
	if len(c.answers) != before+1 {
		c.t.Fatalf("%s: %d answers to %q", c.asked, len(c.answers)-before, p.Body)
	}
	switch r := c.answers[before].(type) {
	case *wire.Ack:
		return chat.OK, 0
	case *wire.Refused:
		return r.Code, time.Duration(r.RetryAfterMS) * time.Millisecond
	}
	c.t.Fatalf("%s: the answer to %q is %v", c.asked, p.Body, c.answers[before])
	return 0, 0
}

func (c *client) wants(p *wire.Pub, want chat.Code) {
	c.t.Helper()
	if got, _ := c.gets(p); got != want {
		c.t.Errorf("%s: %q gets %v, want %v", c.asked, p.Body, got, want)
	}
}

// in reports whether the client has the room open, and why it was closed if not.
func (c *client) in(room string) (bool, chat.Code) {
	v := c.views[room]
	if v == nil {
		return false, chat.OK
	}
	return c.open[v.room] == v, v.why
}

// house is a room with somebody of each role in it.
type house struct {
	*world
	admin, owner, mod, mod2, guest, guest2 *client
}

func newHouse(t *testing.T, options ...func(*Config)) *house {
	t.Helper()
	w := newWorld(t, options...)
	h := &house{world: w, admin: w.signer("boss"), owner: w.signer("owner"), mod: w.signer("mod"), mod2: w.signer("mod2"), guest: w.signer("guest"), guest2: w.signer("guest2")}
	h.admin.admin = true
	for _, c := range []*client{h.owner, h.admin, h.mod, h.mod2, h.guest, h.guest2} {
		c.come("room")
	}
	h.owner.wants(h.owner.pub("room", "welcome"), chat.OK)
	h.owner.wants(h.owner.act("room", "op %v", h.mod.key), chat.OK)
	h.owner.wants(h.owner.act("room", "op %v", h.mod2.key), chat.OK)
	return h
}

// TestEveryVerbByEveryRole holds the table of docs/protocol.md: each verb, by each role, to each role, in the room and out of it.
func TestEveryVerbByEveryRole(t *testing.T) {
	const below, self, none = "below", "self", "none"
	least := map[string]struct {
		role chat.Role
		to   string // whom it can be done to
		args string
		set  string // what the owner does before, so that there is something to be done
	}{
		"op": {2, below, "", ""}, "deop": {2, below, "", "op"}, "kick": {1, below, "", ""}, "ban": {1, below, " 1m", ""}, "mute": {1, below, " 1m spam", ""},
		"unban": {1, below, "", "ban"}, "unmute": {1, below, "", "mute"}, "slow": {1, none, "5s", ""}, "readonly": {1, none, "", ""}, "writable": {1, none, "", "readonly"},
		"pin": {1, none, "0123456789abcdef", ""}, "unpin": {1, none, "0123456789abcdef", "pin 0123456789abcdef"}, "welcome": {1, none, "hello", ""},
		"archive": {2, none, "", ""}, "unarchive": {2, none, "", "archive"},
		"private": {2, none, "", ""}, "open": {2, none, "", "private"}, "invite": {1, none, "OUTSIDER", "private"},
		"redact": {9, none, "0123456789abcdef", ""}, // see TestRedact
	}
	if len(least) != len(chat.Verbs()) || len(least) != len(rights) {
		t.Errorf("%d verbs are tried, %d exist, %d have rights", len(least), len(chat.Verbs()), len(rights))
	}
	roles := []string{"guest", "mod", "owner", "admin"}
	for verb, is := range least {
		targets := []string{""}
		if is.to != none {
			targets = []string{"guest2", "mod2", "owner", "admin", self}
		}
		t.Run(verb, func(t *testing.T) {
			for role, by := range roles {
				for _, to := range targets {
					for _, out := range []bool{false, true} {
						bubble(t, func(t *testing.T) {
							h := newHouse(t)
							people := map[string]*client{"guest": h.guest, "mod": h.mod, "owner": h.owner, "admin": h.admin, "guest2": h.guest2, "mod2": h.mod2}
							actor, target, rank := people[by], people[to], map[string]int{"guest2": 0, "mod2": 1, "owner": 2, "admin": 3}[to]
							if to == self {
								target, rank = actor, role
							}
							body := strings.TrimSpace(verb + " " + is.args)
							if verb == "invite" {
								outsider := h.signer("outsider").come()
								body = strings.Replace(body, "OUTSIDER", outsider.key.String(), 1)
							}
							if target != nil {
								body = fmt.Sprintf("%s %v%s", verb, target.key, is.args)
							}
							want := chat.OK
							if role < int(is.role) || is.to == below && rank >= role {
								want = chat.NotAllowed
							}
							if verb == "redact" { // without saying where it is
								want = chat.BadAct
							}
							if set := is.set; set != "" && is.to == none {
								h.owner.wants(h.owner.act("room", "%s", set), chat.OK)
							} else if set != "" && want == chat.OK {
								want = h.set(set, to, target)
							}
							if verb == "op" && want == chat.OK && to == "mod2" {
								want = chat.BadAct // is one
							}
							if out {
								actor.do(&wire.Part{Room: "room"})
							}
							before := len(h.rows("room"))
							got, _ := actor.gets(actor.act("room", "%s", body))
							if got != want {
								t.Errorf("%s by the %s to %q, out of the room %v: %v, want %v", verb, by, to, out, got, want)
							}
							rows := h.rows("room")
							if isRow := len(rows) > before && string(rows[before].Body) == body; isRow != (want == chat.OK) {
								t.Errorf("%s by the %s to %q: it is a row: %v", verb, by, to, isRow)
							}
						})
					}
				}
			}
		})
	}
}

// set does something to whoever an act is about to be taken back from, and returns what that should get: nobody can take back what can't be there.
func (h *house) set(verb, to string, target *client) chat.Code {
	h.t.Helper()
	switch {
	case to == "owner" || to == "admin":
		return chat.BadAct
	case verb == "op" && to == "mod2":
		return chat.OK
	case verb == "op":
		h.owner.wants(h.owner.act("room", "op %v", target.key), chat.OK)
	default:
		h.owner.wants(h.owner.act("room", "%s %v 0s", verb, target.key), chat.OK)
	}
	return chat.OK
}

// TestActsHoldWithinABatch: what was written before an act is kept, what comes behind it is not, though all of it is committed at once.
func TestActsHoldWithinABatch(t *testing.T) {
	for act, want := range map[string]chat.Code{
		"mute %v 1m": chat.Muted, "mute %v 0s": chat.Muted, "ban %v 0s": chat.Banned, "readonly": chat.OnlyRead, "archive": chat.Archived, "slow 10s": chat.OK, "kick %v": chat.OK,
	} {
		t.Run(act, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHouse(t)
				body := act
				if strings.Contains(act, "%v") {
					body = fmt.Sprintf(act, h.guest.key)
				}
				release := h.store.block()
				h.mod.submit(h.mod.pub("room", "the batch before"))
				h.owner.stuck, h.guest.stuck = true, true
				h.settle()
				before, _ := h.store.counts()
				h.guest.submit(h.guest.pub("room", "kept"))
				h.owner.submit(h.owner.act("room", "%s", body))
				h.guest.submit(h.guest.pub("room", "refused"))
				release()
				h.owner.stuck, h.guest.stuck = false, false
				h.settle()
				if after, _ := h.store.counts(); after != before+1 {
					t.Errorf("it took %d batches", after-before)
				}
				wantAnswers := []string{"ack 1=5", "ack 2=7"}
				if want != chat.OK {
					wantAnswers[1] = fmt.Sprint("refused 2 ", want)
				}
				if diff := cmp.Diff(wantAnswers, brief(h.guest.answers)); diff != "" {
					t.Errorf("answers mismatch (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestKick: the act is the last row, the room is closed for the reason, on every device; and whoever comes back is let in.
func TestKick(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		laptop := h.signer("laptop")
		laptop.secret, laptop.key, laptop.asked = h.guest.secret, h.guest.key, h.guest.asked
		laptop.come("room")
		if err := h.guest.session.Watch([]string{"room"}); err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprintf("kick %v enough", h.guest.key)
		h.mod.wants(h.mod.act("room", "%s", body), chat.OK)
		for _, c := range []*client{h.guest, laptop} {
			texts := c.texts("room")
			if in, why := c.in("room"); in || why != chat.Kicked || texts[len(texts)-1] != body {
				t.Errorf("in the room %v, closed for %v, the last row %q", in, why, texts[len(texts)-1])
			}
			if n := c.session.inFlight(); n != 0 {
				t.Errorf("%d records in flight", n)
			}
		}
		h.mod.wants(h.mod.pub("room", "gone"), chat.OK)
		h.mod.wants(h.mod.act("room", "kick %v", h.guest.key), chat.BadAct) // nobody is there
		names := h.mod.ask(&wire.Names{Room: "room"}).(*wire.NamesAre)
		if names.Total != 5 {
			t.Errorf("%d people are in the room, want 5", names.Total)
		}
		h.guest.do(&wire.Join{Room: "room", Cursor: h.guest.cursor("room")})
		if texts := h.guest.texts("room"); texts[len(texts)-1] != "gone" {
			t.Errorf("back, the last row is %q", texts[len(texts)-1])
		}
		h.guest.wants(h.guest.pub("room", "back"), chat.OK)
	})
}

// TestKickCrossesPart: a part that is on its way when its room is closed has an answer of its own.
func TestKickCrossesPart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		release := h.store.block()
		h.mod.submit(h.mod.act("room", "kick %v", h.guest.key))
		h.guest.submit(&wire.Part{Room: "room"}, &wire.Join{Room: "room"}, &wire.Part{Room: "room"})
		release()
		h.settle()
		if in, why := h.guest.in("room"); in || why != chat.OK || h.guest.view("room").closed != 2 || h.guest.session.inFlight() != 0 {
			t.Errorf("in the room %v, closed for %v and %d times, %d in flight", in, why, h.guest.view("room").closed, h.guest.session.inFlight())
		}
		if diff := cmp.Diff([]string{"closed room not_joined"}, briefReplies(h.guest.replies)); diff != "" {
			t.Errorf("replies mismatch (-want +got):\n%s", diff)
		}
	})
}

// TestHostileActs: whatever is not exactly an act, signed by who sends it for this very place, changes nothing and is no row.
func TestHostileActs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		rows := len(h.rows("room"))
		state := func() store.State {
			s, err := h.store.Load()
			if err != nil {
				t.Fatal(err)
			}
			s.Origins, s.People = nil, nil
			return s
		}
		before := state()
		guest, stranger := h.guest.key.String(), keyOf("nobody").String()
		other := "2" // than the last letter of an id
		if strings.HasSuffix(guest, other) {
			other = "3"
		}
		for body, want := range map[string]chat.Code{
			"": chat.BadAct, "kick": chat.BadAct, "kick guest": chat.BadAct, "kick " + strings.ToUpper(guest): chat.BadAct, "kick " + h.guest.key.Grouped(): chat.BadAct,
			"nap " + guest: chat.BadAct, "kick " + guest + " \x1b[2J": chat.BadAct, "kick " + guest + "\nkick": chat.BadAct, "ban " + guest: chat.BadAct, "ban " + guest + " 500d": chat.BadAct,
			"welcome " + strings.Repeat("x", chat.MaxReason+1): chat.BadAct, strings.Repeat("kick ", 5000): chat.BadAct, "kick " + guest[:len(guest)-1] + other: chat.BadAct,
			"mute " + stranger + " 0s": chat.NoSuchUser, "ban " + stranger + " 0s": chat.NoSuchUser, "kick " + stranger: chat.NoSuchUser, "op " + stranger: chat.NoSuchUser,
			"unmute " + stranger: chat.BadAct, "unban " + guest: chat.BadAct, "unmute " + guest: chat.BadAct, "deop " + guest: chat.BadAct, "writable": chat.BadAct, "slow 0s": chat.BadAct,
			"welcome": chat.BadAct, "unpin 0123456789abcdef": chat.BadAct, "unarchive": chat.BadAct, "open": chat.BadAct, "invite " + guest: chat.BadAct, "private " + guest: chat.BadAct, "invite": chat.BadAct, "invite " + stranger: chat.NoSuchUser, "redact 0123456789abcdef": chat.BadAct,
			"kick " + h.owner.key.String(): chat.NotAllowed, "op " + h.mod.key.String(): chat.BadAct, "op " + h.admin.key.String(): chat.NotAllowed,
		} {
			h.owner.wants(h.owner.act("room", "%s", body), want)
		}
		mute := "mute " + guest + " 0s"
		for what, change := range map[string]func(p *wire.Pub){
			"no signature": func(p *wire.Pub) { p.Opts.Sig = nil }, "half of it": func(p *wire.Pub) { p.Opts.Sig = p.Opts.Sig[:64] },
			"a byte more": func(p *wire.Pub) { p.Opts.Sig = append(p.Opts.Sig, 0) }, "a bit turned": func(p *wire.Pub) { p.Opts.Sig[90] ^= 1 },
			"another key": func(p *wire.Pub) { copy(p.Opts.Sig, h.mod.secret.Public()) }, "of no key": func(p *wire.Pub) { clear(p.Opts.Sig) },
			"another's":     func(p *wire.Pub) { h.mod.signFor(h.owner, p) },
			"another body":  func(p *wire.Pub) { p.Body = []byte("mute " + h.guest2.key.String() + " 0s") },
			"another cseq":  func(p *wire.Pub) { p.CSeq++; h.owner.sign(p); p.CSeq-- },
			"another room":  func(p *wire.Pub) { p.Room = "rooms"; h.owner.sign(p); p.Room = "room" },
			"another epoch": func(p *wire.Pub) { h.owner.signAs(p, h.hub.Epoch()+1, h.owner.welcome.From) },
			"another node": func(p *wire.Pub) {
				act := identity.SignedAct{Node: identity.ID{7}, Epoch: h.hub.Epoch(), From: h.owner.welcome.From, CSeq: p.CSeq, Room: p.Room, Body: p.Body}
				p.Opts.Sig = h.owner.secret.SignAct(&act)
			},
			"another from": func(p *wire.Pub) { h.owner.signAs(p, h.hub.Epoch(), h.owner.welcome.From+1) },
		} {
			p := h.owner.act("room", "%s", mute)
			change(p)
			if got, _ := h.owner.gets(p); got != chat.BadSignature {
				t.Errorf("signed with %s: %v", what, got)
			}
		}
		answer := h.owner.act("room", "%s", mute)
		answer.Opts.Re = make([]byte, 8)
		h.owner.wants(answer, chat.BadAct)
		h.owner.wants(h.owner.act("@"+guest, "%s", mute), chat.NotAllowed)
		h.owner.wants(h.owner.act("nowhere", "%s", mute), chat.NoSuchRoom)
		h.owner.wants(h.owner.act("No Room", "%s", mute), chat.NoSuchRoom)
		if after := state(); len(h.rows("room")) != rows || !cmp.Equal(before, after) {
			t.Errorf("%d rows, want %d; state mismatch (-want +got):\n%s", len(h.rows("room")), rows, cmp.Diff(before, after))
		}
		p := h.owner.act("room", "%s", mute)
		h.owner.wants(p, chat.OK)
		h.owner.wants(p, chat.OK) // the same again is answered again
		h.guest.wants(h.guest.pub("room", "x"), chat.Muted)
		stolen := *p // by a guest who saw it
		h.guest.cseq++
		stolen.CSeq = h.guest.cseq
		if got, _ := h.guest.gets(&stolen); got != chat.BadSignature {
			t.Errorf("a replayed act: %v", got)
		}
		if got := h.rows("room"); len(got) != rows+1 || !bytes.Equal(got[rows].Opts.Sig, p.Opts.Sig) {
			t.Errorf("%d rows, want one more than %d, with the signature", len(got), rows)
		}
	})
}

func (c *client) signAs(p *wire.Pub, epoch, from uint64) {
	act := identity.SignedAct{Node: c.w.hub.node, Epoch: epoch, From: from, CSeq: p.CSeq, Room: chat.SignedRoom(p.Room), Body: p.Body}
	p.Opts.Sig = c.secret.SignAct(&act)
}

// signFor signs what another is going to send.
func (c *client) signFor(other *client, p *wire.Pub) {
	c.signAs(p, c.w.hub.Epoch(), other.welcome.From)
}

// TestWaiting: what a refusal says about when to try again is true, also when it is asked for a second time.
func TestWaiting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		wants := func(c *client, want chat.Code, retry time.Duration) {
			t.Helper()
			if code, again := c.gets(c.pub("room", "x")); code != want || again != retry {
				t.Errorf("%v, try again in %v; want %v, %v", code, again, want, retry)
			}
		}
		h.mod.wants(h.mod.act("room", "mute %v 10m", h.guest.key), chat.OK)
		h.skip(time.Minute)
		wants(h.guest, chat.Muted, 9*time.Minute)
		h.skip(time.Minute)
		if code, again := h.guest.gets(&wire.Pub{CSeq: h.guest.cseq, Room: "room", Kind: chat.Text, Body: []byte("x")}); code != chat.Muted || again != 8*time.Minute {
			t.Errorf("asked again: %v, try again in %v", code, again)
		}
		h.skip(8 * time.Minute)
		wants(h.guest, chat.OK, 0)
		h.mod.wants(h.mod.act("room", "mute %v 0s", h.guest.key), chat.OK)
		wants(h.guest, chat.Muted, 0)
		h.mod.wants(h.mod.act("room", "unmute %v", h.guest.key), chat.OK)
		h.mod.wants(h.mod.act("room", "slow 30s"), chat.OK)
		wants(h.guest, chat.OK, 0)
		wants(h.guest, chat.TooSoon, 30*time.Second)
		wants(h.guest2, chat.OK, 0)
		wants(h.mod, chat.OK, 0)
		wants(h.mod, chat.OK, 0)
		h.skip(29 * time.Second)
		wants(h.guest, chat.TooSoon, time.Second)
		h.skip(time.Second)
		wants(h.guest, chat.OK, 0)
		h.ahead.Add(-int64(time.Hour)) // a clock that is set back
		wants(h.guest, chat.TooSoon, 30*time.Second)
		h.skip(30 * time.Second)
		wants(h.guest, chat.OK, 0)
	})
}

// TestTermsAreTold: whoever is in a room knows what holds there, from its open on, and is told what changes and nothing else.
func TestTermsAreTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		now := w0(h.world)
		wants := func(c *client, want wire.Terms) {
			t.Helper()
			if diff := cmp.Diff(want, c.view("room").terms); diff != "" {
				t.Errorf("%s is told (-want +got):\n%s", c.asked, diff)
			}
		}
		wants(h.guest, wire.Terms{})
		wants(h.mod, wire.Terms{Role: chat.RoleModerator})
		wants(h.owner, wire.Terms{Role: chat.RoleOwner})
		wants(h.admin, wire.Terms{Role: chat.RoleAdmin})
		pin := h.rows("room")[0].ID
		for _, body := range []string{"slow 30s", "pin " + pin.String(), "welcome read the pins", "readonly", fmt.Sprintf("mute %v 1m", h.guest.key)} {
			h.mod.wants(h.mod.act("room", "%s", body), chat.OK)
		}
		rules := wire.Terms{SlowMS: 30_000, Pins: []chat.ID{pin}, Welcome: "read the pins", ReadOnly: true}
		told := func(role chat.Role, muted bool, until int64) wire.Terms {
			t := rules
			t.Role, t.Muted, t.Until = role, muted, until
			return t
		}
		wants(h.guest, told(0, true, now+60_000))
		wants(h.guest2, rules)
		wants(h.owner, told(chat.RoleOwner, false, 0))
		if n := termsOf(h.guest2); n != 4 {
			t.Errorf("a guest was told %d times, want 4: the mute is not about them", n)
		}
		h.owner.wants(h.owner.act("room", "deop %v", h.mod.key), chat.OK)
		wants(h.mod, rules)
		w := restarted(h.world)
		guest := w.signer("guest").come("room")
		if diff := cmp.Diff(told(0, true, now+60_000), guest.view("room").terms); diff != "" {
			t.Errorf("after a restart (-want +got):\n%s", diff)
		}
	})
}

// termsOf counts the records of terms that a client has got.
func termsOf(c *client) (n int) {
	for _, r := range c.order {
		if _, ok := r.(*wire.TermsAre); ok {
			n++
		}
	}
	return n
}

// TestBoundsOfActs: a room pins so many messages and remembers so many people, and no more.
func TestBoundsOfActs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		for i := range chat.MaxPins {
			h.owner.wants(h.owner.act("room", "pin %016x", i), chat.OK)
		}
		h.owner.wants(h.owner.act("room", "pin ffffffffffffffff"), chat.TooMany)
		h.owner.wants(h.owner.act("room", "pin %016x", 3), chat.BadAct)
		h.owner.wants(h.owner.act("room", "unpin %016x", 3), chat.OK)
		h.owner.wants(h.owner.act("room", "pin ffffffffffffffff"), chat.OK)
		if err := h.hub.call(func() {
			r := h.hub.rooms["room"]
			for i := len(r.standings); i < maxStandings; i++ {
				r.keep(store.Standing{Key: keyOf(fmt.Sprint(i)), Stance: store.Muted})
			}
		}); err != nil {
			t.Fatal(err)
		}
		for _, act := range []string{"mute", "ban"} {
			h.owner.wants(h.owner.act("room", "%s %v 0s", act, h.guest.key), chat.TooMany)
		}
		if in, _ := h.guest.in("room"); !in {
			t.Error("a ban that was refused put somebody out")
		}
		h.owner.wants(h.owner.act("room", "unmute %v", keyOf("10")), chat.OK)
		h.owner.wants(h.owner.act("room", "mute %v 0s", h.guest.key), chat.OK)
		h.owner.wants(h.owner.act("room", "mute %v 1m", h.guest.key), chat.OK) // the second one takes no place
	})
}

// TestOwnersAnswerToAdmins: what an admin does to an owner holds, and no moderator takes it back.
func TestOwnersAnswerToAdmins(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHouse(t)
		h.admin.wants(h.admin.act("room", "mute %v 0s", h.owner.key), chat.OK)
		h.owner.wants(h.owner.pub("room", "x"), chat.Muted)
		h.owner.wants(h.owner.act("room", "unmute %v", h.owner.key), chat.NotAllowed)
		h.mod.wants(h.mod.act("room", "unmute %v", h.owner.key), chat.NotAllowed)
		h.owner.wants(h.owner.act("room", "slow 5s"), chat.Muted)
		h.admin.wants(h.admin.act("room", "ban %v 0s", h.owner.key), chat.OK)
		if in, why := h.owner.in("room"); in || why != chat.Banned {
			t.Errorf("the owner is in the room %v, closed for %v", in, why)
		}
		h.owner.wants(h.owner.act("room", "unban %v", h.owner.key), chat.Banned)
		h.mod.wants(h.mod.act("room", "unban %v", h.owner.key), chat.NotAllowed)
		h.admin.wants(h.admin.act("room", "unban %v", h.owner.key), chat.OK)
		h.admin.wants(h.admin.act("room", "unmute %v", h.owner.key), chat.OK)
		h.owner.do(&wire.Join{Room: "room"})
		h.owner.wants(h.owner.pub("room", "back"), chat.OK)
	})
}

// TestAdminsAreSafe: nobody below does anything to an admin who is not here, nor does what was done to them before hold.
func TestAdminsAreSafe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var boss identity.ID
		h := newHouse(t, func(c *Config) { c.Admin = func(id identity.ID) bool { return id == boss && !id.IsZero() } })
		h.admin.leave(false)
		h.owner.wants(h.owner.act("room", "ban %v 0s", h.admin.key), chat.OK) // the node does not know that yet
		boss = h.admin.key
		h.owner.wants(h.owner.act("room", "mute %v 0s", h.admin.key), chat.NotAllowed)
		h.admin.come()
		h.wantIn("an admin", h.admin)
		h.admin.wants(h.admin.act("room", "archive"), chat.OK)
		h.admin.wants(h.admin.pub("room", "x"), chat.Archived)
		h.admin.wants(h.admin.act("room", "ban %v 0s", h.guest.key), chat.Archived)
		if is, ok := h.guest.ask(&wire.History{Room: "room", N: 50}).(*wire.HistoryIs); !ok || len(is.Events) == 0 {
			t.Error("what is archived can't be read")
		}
		h.admin.wants(h.admin.act("room", "unarchive"), chat.OK)
		h.admin.wants(h.admin.act("room", "kick %v", h.owner.key), chat.OK)
	})
}
