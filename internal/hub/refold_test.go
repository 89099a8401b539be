package hub

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// union is a house whose room is shared with other nodes, which the test plays.
type union struct {
	*house
	count byte
}

func newUnion(t *testing.T) *union {
	t.Helper()
	return &union{house: newHouse(t)}
}

// far makes an act of a log, by somebody, that depends on others and on what its log has below seq.
func (u *union) far(log byte, seq uint64, by *client, deps []actEntry, format string, args ...any) actEntry {
	u.t.Helper()
	act, err := chat.ParseAct(fmt.Sprintf(format, args...))
	if err != nil {
		u.t.Fatal(err)
	}
	u.count++
	a := actEntry{id: wire.EntryID{u.count}, log: wire.LogID{log}, seq: seq, lamport: seq, by: by.key, deed: deed{u.count}, ActOf: act, time: w0(u.world)}
	if act.Who != "" {
		if a.who, err = identity.ParseID(act.Who); err != nil {
			u.t.Fatal(err)
		}
	}
	for _, d := range deps {
		a.deps = append(a.deps, wire.Dep{Log: d.log, Seq: d.seq})
		a.lamport = max(a.lamport, d.lamport+1)
	}
	return a
}

// run does something on the sequencer's goroutine.
func (u *union) run(f func(r *room)) {
	u.t.Helper()
	if err := u.hub.call(func() { f(u.hub.rooms["room"]) }); err != nil {
		u.t.Fatal(err)
	}
	u.settle()
}

// hear has acts of other nodes come.
func (u *union) hear(acts ...actEntry) {
	u.t.Helper()
	u.run(func(r *room) {
		for _, a := range acts {
			a.row = r.head
			u.hub.foldAct(r, a)
		}
	})
}

// wantThere wants a client to be in the room, or to have been put out of it for a reason.
func (u *union) wantThere(what string, c *client, want bool, why chat.Code) {
	u.t.Helper()
	if in, code := c.in("room"); in != want || !in && code != why {
		u.t.Errorf("%s: the %s is in the room: %v, closed for %v", what, c.asked, in, code)
	}
}

// standings returns what the store has of people in the room.
func (u *union) standings() (all []string) {
	u.t.Helper()
	state, err := u.store.Load()
	if err != nil {
		u.t.Fatal(err)
	}
	for _, s := range state.Standings {
		for _, c := range []*client{u.admin, u.owner, u.mod, u.mod2, u.guest, u.guest2} {
			if c.key == s.Key {
				all = append(all, fmt.Sprint(c.asked, " ", s.Stance))
			}
		}
	}
	slices.Sort(all)
	return all
}

func (u *union) wantStandings(what string, want ...string) {
	u.t.Helper()
	if diff := cmp.Diff(want, u.standings()); diff != "" {
		u.t.Errorf("%s: standings mismatch (-want +got):\n%s", what, diff)
	}
}

// TestActsOfOtherNodes: what is done elsewhere holds here, until something that comes later shows that it never counted. What this node's own acts made of
// the room before it was shared stays.
func TestActsOfOtherNodes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := newUnion(t)
		op := u.far(1, 1, u.owner, nil, "op %v", u.guest2.key)
		ban := u.far(2, 1, u.guest2, []actEntry{op}, "ban %v 0s spam", u.guest.key)
		deop := u.far(1, 2, u.owner, nil, "deop %v", u.guest2.key)
		pin := u.far(2, 2, u.guest2, nil, "pin 0000000000000007")
		u.hear(op)
		if got := u.guest2.view("room").terms.Role; got != chat.RoleModerator {
			t.Errorf("made a moderator elsewhere, one is told to be %v", got)
		}
		u.hear(ban, pin)
		u.wantThere("banned elsewhere", u.guest, false, chat.Banned)
		u.wantOut("banned elsewhere", u.guest)
		u.wantStandings("banned elsewhere", "guest 4", "guest2 1", "mod 1", "mod2 1")
		if pins := u.mod.view("room").terms.Pins; len(pins) != 1 {
			t.Errorf("%d pins", len(pins))
		}
		u.hear(deop) // who banned was no moderator any more when they did, for all they could know
		u.wantIn("never banned", u.guest)
		u.wantStandings("never banned", "mod 1", "mod2 1")
		if terms := u.guest2.view("room").terms; terms.Role != chat.RoleNone || len(terms.Pins) > 0 {
			t.Errorf("the terms are %+v", terms)
		}
		u.mod.wants(u.mod.act("room", "slow 1m"), chat.OK) // a moderator whose making no entry tells
		u.hear(u.far(3, 1, u.mod2, nil, "readonly"))
		u.guest2.wants(u.guest2.pub("room", "hello"), chat.OnlyRead)
		u.mod.wants(u.mod.act("room", "writable"), chat.OK)
	})
}

// TestPrivateElsewhere: a room that another node makes private is for those who were there, and no others.
func TestPrivateElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := newUnion(t)
		private := u.far(1, 1, u.owner, nil, "private")
		private.with = []identity.ID{u.guest.key}
		u.hear(private)
		u.wantThere("private", u.guest, true, chat.OK)
		u.wantThere("private", u.mod, true, chat.OK)
		u.wantThere("private", u.guest2, false, chat.Kicked)
		u.wantThere("private", u.admin, false, chat.Kicked)
		u.guest2.wants(u.guest2.pub("room", "hello"), chat.NotMember)
		notices := len(u.guest2.control)
		u.hear(u.far(1, 2, u.owner, nil, "invite %v", u.guest2.key))
		if len(u.guest2.control) != notices+1 {
			t.Errorf("%d notices tell of an invitation", len(u.guest2.control)-notices)
		}
		u.guest2.do(&wire.Join{Room: "room"})
		u.wantThere("invited", u.guest2, true, chat.OK)
		u.hear(u.far(1, 3, u.owner, nil, "kick %v", u.guest2.key))
		u.wantThere("kicked", u.guest2, false, chat.Kicked)
		u.guest2.wants(u.guest2.pub("room", "hello"), chat.NotMember)
		u.hear(u.far(1, 4, u.owner, nil, "open"))
		u.guest2.do(&wire.Join{Room: "room"})
		u.wantThere("open again", u.guest2, true, chat.OK)
	})
}

// TestKickElsewhere: who is kicked elsewhere is put out here, once, and may come back; if the kick counts.
func TestKickElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := newUnion(t)
		u.hear(u.far(1, 1, u.guest2, nil, "kick %v", u.guest.key))
		u.wantThere("kicked by nobody", u.guest, true, chat.OK)
		u.hear(u.far(2, 1, u.mod, nil, "kick %v enough", u.guest.key))
		u.wantThere("kicked", u.guest, false, chat.Kicked)
		u.guest.do(&wire.Join{Room: "room"})
		u.hear(u.far(3, 1, u.owner, nil, "slow 1m")) // has all folded anew
		u.wantThere("kicked long ago", u.guest, true, chat.OK)
	})
}

// TestRefoldsForReasons: forks, admissions and owners change what counts.
func TestRefoldsForReasons(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := newUnion(t)
		slow, ban := u.far(1, 1, u.owner, nil, "slow 1m"), u.far(1, 2, u.owner, nil, "ban %v 0s", u.guest.key)
		u.hear(slow, ban)
		u.wantThere("banned", u.guest, false, chat.Banned)
		u.run(func(r *room) { u.hub.dropActs(r, wire.LogID{1}, 2) })
		u.wantIn("banned by a log that forks there", u.guest)
		if got := u.guest.view("room").terms.SlowMS; got != 60_000 {
			t.Errorf("what stood before the fork is gone: %d ms", got)
		}

		mute := u.far(2, 1, u.admin, nil, "mute %v 0s", u.guest2.key)
		mute.claimed = true
		u.hear(mute)
		u.guest2.wants(u.guest2.pub("room", "hello"), chat.OK)
		u.run(func(*room) { u.hub.revouch(func(log wire.LogID) bool { return log == wire.LogID{2} }) })
		u.guest2.wants(u.guest2.pub("room", "hello"), chat.Muted)
		u.run(func(*room) { u.hub.revouch(func(wire.LogID) bool { return false }) })
		u.wantStandings("an admin of nobody's", "mod 1", "mod2 1")

		u.hear(u.far(3, 1, u.guest, nil, "op %v", u.guest2.key))
		u.wantStandings("made a moderator by a guest", "mod 1", "mod2 1")
		u.run(func(r *room) { u.hub.own(r, u.guest.key) })
		u.wantStandings("made a moderator by the owner", "guest2 1", "mod 1", "mod2 1")
		if is, was := u.guest.view("room").terms.Role, u.owner.view("room").terms.Role; is != chat.RoleOwner || was != chat.RoleNone {
			t.Errorf("the owners of now and of before are told to be %v and %v", is, was)
		}
		u.guest.wants(u.guest.act("room", "deop %v", u.mod.key), chat.OK)
		u.owner.wants(u.owner.act("room", "deop %v", u.mod2.key), chat.NotAllowed)
		if got := u.guest.view("room").terms.SlowMS; got != 0 {
			t.Errorf("what the room's owner of before has done still counts: %d ms", got)
		}
	})
}

// TestMayRedact: an act of another node takes a text away if what it depends on says that it may.
func TestMayRedact(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := newUnion(t)
		op := u.far(1, 1, u.owner, nil, "op %v", u.guest.key)
		deop := u.far(1, 2, u.owner, nil, "deop %v", u.guest.key)
		ban := u.far(1, 3, u.owner, nil, "ban %v 0s", u.mod.key)
		u.hear(op, deop, ban)
		for what, tt := range map[string]struct {
			by, author *client
			deps       []actEntry
			want       bool
		}{
			"their own":                    {u.guest2, u.guest2, nil, true},
			"their own, banned":            {u.mod, u.mod, []actEntry{ban}, true},
			"another's":                    {u.guest2, u.guest, nil, false},
			"as a moderator":               {u.guest, u.guest2, []actEntry{op}, true},
			"as none yet":                  {u.guest, u.guest2, nil, false},
			"as none any more":             {u.guest, u.guest2, []actEntry{deop}, false},
			"the owner's":                  {u.mod2, u.owner, nil, false},
			"a moderator's":                {u.mod2, u.mod, nil, false},
			"a former moderator's":         {u.mod2, u.mod, []actEntry{ban}, true},
			"as a moderator who is banned": {u.mod, u.guest, []actEntry{ban}, false},
			"as a moderator whose ban they don't know":  {u.mod, u.guest2, []actEntry{op}, true},
			"as an admin whose node nobody vouches for": {u.admin, u.guest, []actEntry{ban}, false},
		} {
			u.run(func(r *room) {
				a := u.far(9, 1, tt.by, tt.deps, "redact 0000000000000001")
				if got := u.hub.mayRedact(r, a, tt.author.key); got != tt.want {
					t.Errorf("%s: %v, want %v", what, got, tt.want)
				}
			})
		}
	})
}

// TestFrontier: an act depends on those that count and nobody has built upon, the newest first, and never on its own log's.
func TestFrontier(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := newUnion(t)
		u.run(func(r *room) {
			if deps := r.frontier(wire.LogID{1}); len(deps) > 0 {
				t.Errorf("without acts one depends on %v", deps)
			}
		})
		first := u.far(1, 1, u.owner, nil, "slow 1m")
		second := u.far(2, 5, u.owner, []actEntry{first}, "readonly")
		other := u.far(3, 2, u.owner, nil, "welcome hello")
		u.hear(first, second, other, u.far(4, 9, u.guest, nil, "writable"))
		want := func(own byte, deps ...actEntry) {
			t.Helper()
			u.run(func(r *room) {
				got := r.frontier(wire.LogID{own})
				if len(got) != len(deps) {
					t.Fatalf("of log %d %d deps, want %d: %+v", own, len(got), len(deps), got)
				}
				for i, d := range deps {
					if got[i].Log != d.log || got[i].Seq != d.seq || string(got[i].ID) != string(d.id[:16]) {
						t.Errorf("of log %d dep %d is %+v, want %+v", own, i, got[i], d)
					}
				}
			})
		}
		want(9, second, other)
		want(2, other)
		want(3, second)
		var many []actEntry
		for i := range byte(20) {
			many = append(many, u.far(20+i, 100+uint64(i), u.owner, nil, "slow %ds", i+1))
		}
		u.hear(many...)
		slices.Reverse(many)
		want(9, many[:wire.MaxDeps]...)
	})
}

// TestActsAreRestored: after a restart acts that come late are folded among those that came before it.
func TestActsAreRestored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := newUnion(t)
		node := secrets["boss"]
		op := u.far(1, 1, u.owner, nil, "op %v", u.guest2.key)
		ban := u.far(2, 1, u.guest2, []actEntry{op}, "ban %v 0s", u.guest.key)
		gone := u.far(2, 2, u.guest2, nil, "mute %v 0s", u.guest.key)
		acts := []*actEntry{&op, &ban, &gone}
		u.run(func(r *room) {
			for i, a := range acts {
				log := wire.Log{Node: node.Public(), Nonce: uint64(a.log[0]), Room: "room"}
				if a.seq == 1 {
					forked := uint64(0)
					if a.log[0] == 2 {
						forked = 2
					}
					u.hub.batch.Logs = append(u.hub.batch.Logs, store.Log{Num: uint64(a.log[0]), Key: [32]byte(log.Node), Nonce: log.Nonce, Room: r.Num, Low: 1, Forked: forked})
				}
				a.log = log.ID()
				for j := range a.deps {
					a.deps[j] = wire.Dep{Log: op.log, Seq: op.seq, ID: op.id[:16]}
				}
				e := wire.Entry{Seq: a.seq, Prev: make([]byte, 0, 32), Lamport: a.lamport, Deps: a.deps, Row: uint64(i + 1), Time: a.time, Kind: chat.Act, Author: a.by[:],
					Origin: make([]byte, 16), Sum: make([]byte, 32), Re: []byte{}, Epoch: 1, Num: 1, From: 1, CSeq: 1, Name: "x", Opts: wire.EntryOpts{Sig: bytes.Repeat([]byte{byte(i)}, identity.ActSigLen)}}
				if a.seq > 1 {
					e.Prev = ban.id[:]
				}
				header := e.Encode()
				a.id = wire.EntryIDOf(a.log, header)
				u.hub.batch.Entries = append(u.hub.batch.Entries, store.Entry{Log: uint64(log.Nonce), Seq: a.seq, Lamport: a.lamport, ID: a.id, Room: r.Num, Row: r.head,
					Hidden: true, Act: true, Header: header, Sig: make([]byte, 64), Salt: make([]byte, 16), Body: []byte(a.String())})
				a.row = r.head
				if a != &gone {
					u.hub.foldAct(r, *a)
				}
			}
		})
		u.wantStandings("before", "guest 4", "guest2 1", "mod 1", "mod2 1")
		state, err := u.store.Load()
		if err != nil || len(state.Acts) != 3 {
			t.Fatalf("the store has %d acts: %v", len(state.Acts), err)
		}
		next := *u.house
		next.world = restarted(u.world)
		u.house = &next
		u.wantStandings("restarted", "guest 4", "guest2 1", "mod 1", "mod2 1")
		u.run(func(r *room) {
			if n := len(r.docket.acts); n != 2 {
				t.Errorf("%d acts are restored", n)
			}
		})
		deop := u.far(3, 1, u.owner, []actEntry{op}, "deop %v", u.guest2.key)
		u.hear(deop)
		u.wantStandings("never banned", "mod 1", "mod2 1")
	})
}

// TestActOf takes what entries say as acts, and nothing else.
func TestActOf(t *testing.T) {
	who := keyOf("ann").String()
	for body, ok := range map[string]bool{"op " + who: true, "readonly": true, "op ann": false, "": false, "readonly now": false, "op": false, "op " + who + "x": false} {
		e := wire.Entry{Seq: 3, Lamport: 7, Kind: chat.Act, Time: 5, Author: make([]byte, 32), Opts: wire.EntryOpts{Admin: true}}
		a, err := actOf(wire.LogID{1}, wire.EntryID{2}, &e, []byte(body), 9, false)
		if (err == nil) != ok {
			t.Errorf("%q: %v", body, err)
		}
		if ok && (a.admin || !a.claimed || a.seq != 3 || a.row != 9 || a.lamport != 7 || a.time != 5 || a.String() != body) {
			t.Errorf("%q is taken for %+v", body, a)
		}
	}
	for what, e := range map[string]wire.Entry{
		"a text": {Kind: chat.Text, Author: make([]byte, 32)}, "nobody's": {Kind: chat.Act}, "with half a key": {Kind: chat.Act, Author: make([]byte, 32),
			Opts: wire.EntryOpts{With: [][]byte{make([]byte, 31)}}},
	} {
		if _, err := actOf(wire.LogID{}, wire.EntryID{}, &e, []byte("private"), 1, true); err == nil {
			t.Errorf("an entry that is %s is an act", what)
		}
	}
}

// TestExpiredElsewhere: a ban that has ended when it is heard of puts nobody out, and none that comes back does.
func TestExpiredElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		u := newUnion(t)
		ban := u.far(1, 1, u.owner, nil, "ban %v 10m", u.guest.key)
		ban.time -= (11 * time.Minute).Milliseconds()
		u.hear(ban)
		u.wantThere("banned until a minute ago", u.guest, true, chat.OK)
		again := u.far(1, 2, u.owner, nil, "ban %v 10m", u.guest.key)
		u.hear(again)
		u.wantThere("banned", u.guest, false, chat.Banned)
		u.skip(11 * time.Minute)
		u.wantIn("the ban has ended", u.guest)
		u.hear(u.far(2, 1, u.owner, nil, "slow 1s"))
		u.wantThere("refolded", u.guest, true, chat.OK)
	})
}
