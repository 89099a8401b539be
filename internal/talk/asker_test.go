package talk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
	"chatnode/internal/identity"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	me   = identity.ID{1}
	bob  = identity.ID{2}
	noon = time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC)
)

// desk is a client whose node answers from what the test has put there. Whatever else a front end may do with a client is not asked for here.
type desk struct {
	Client
	silent    bool // questions are never answered
	addresses []string
	room      client.RoomState
	rooms     []client.RoomInfo
	list      []client.Message
	pages     [][]client.Message // of a search, in place of list
	asked     []string
	ignored   []client.Person
	unknown   error // of a question for a person
	cannot    error // ignore
}

// ask notes a question, and waits for ever with a silent node.
func (d *desk) ask(ctx context.Context, format string, args ...any) error {
	d.asked = append(d.asked, fmt.Sprintf(format, args...))
	if d.silent {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (d *desk) Room(name string) (client.RoomState, bool) { return d.room, d.room.Name == name }

func (d *desk) Names(ctx context.Context, room string) ([]client.Person, int, error) {
	return []client.Person{{ID: bob, Name: "bob", Away: true}}, 9, d.ask(ctx, "names %s", room)
}

func (d *desk) Whois(ctx context.Context, who string) (client.Info, error) {
	return client.Info{Person: client.Person{ID: bob, Name: "bob"}, Sessions: 2, Rooms: []string{"ops"}, Since: noon, AwaySince: noon, AwayText: "lunch"}, errors.Join(d.ask(ctx, "whois %s", who), d.unknown)
}

func (d *desk) List(ctx context.Context) ([]client.RoomInfo, error) {
	return d.rooms, d.ask(ctx, "list")
}

func (d *desk) History(ctx context.Context, room string, q client.HistoryQuery) ([]client.Message, bool, error) {
	return d.list, true, d.ask(ctx, "history %s %d %d %v", room, q.N, q.Before, !q.Since.IsZero())
}

func (d *desk) Search(ctx context.Context, q client.SearchQuery) (client.Found, error) {
	found := client.Found{Hits: d.list, Next: 7, Behind: 2}
	if len(d.pages) > 0 {
		found = client.Found{Hits: d.pages[0], Next: uint64(len(d.pages) - 1), Behind: 2}
		d.pages = d.pages[1:]
	}
	return found, d.ask(ctx, "search %+v", q)
}

func (d *desk) Keep(ctx context.Context, room string) (client.Keep, error) {
	return client.Keep{Set: true, Size: 1}, d.ask(ctx, "keep %s", room)
}

func (d *desk) SetKeep(ctx context.Context, room string, k client.Keep) (client.Keep, error) {
	return k, d.ask(ctx, "set keep %s %+v", room, k)
}

func (d *desk) Invite(ctx context.Context, room string, uses int, lasts time.Duration) (client.Invitation, error) {
	inv := client.Invitation{Node: identity.ID{9}, Token: make([]byte, identity.TokenLen), Uses: uses, Expires: noon, Addresses: d.addresses}
	return inv, d.ask(ctx, "invite %s %d %v", room, uses, lasts)
}

func (d *desk) InviteNode(ctx context.Context, lasts time.Duration) (client.Invitation, error) {
	inv := client.Invitation{Node: identity.ID{9}, Token: make([]byte, identity.TokenLen), Uses: 1, Expires: noon, Addresses: d.addresses}
	return inv, d.ask(ctx, "invite node %v", lasts)
}

func (d *desk) Peers(ctx context.Context) (client.Peers, error) {
	return client.Peers{Space: "00ff", Peers: []client.Peer{{ID: bob, Title: "Barn", State: "linked", Behind: 3, Seen: noon}, {Address: "x:1", State: "dialing"}}}, d.ask(ctx, "peers")
}

func (d *desk) NodeStats(ctx context.Context) (client.NodeStats, error) {
	return client.NodeStats{Up: time.Hour, Sessions: 2, Rooms: 1, Work: &client.Work{Messages: 3, Lag: client.Times{Half: 1, Most: 2}, Refused: []client.Count{{What: "slow", N: 4}}}}, d.ask(ctx, "stats")
}

func (d *desk) Admit(ctx context.Context, node string, mode client.PeerMode) (client.Peer, error) {
	return client.Peer{ID: bob, Title: "Barn", State: "dropped"}, errors.Join(d.ask(ctx, "admit %s %d", node, mode), d.unknown)
}

func (d *desk) Causal(ctx context.Context, room string, q client.CausalQuery) (client.CausalPage, error) {
	return client.CausalPage{List: d.list, Digest: []byte{0, 255}, Total: 9}, d.ask(ctx, "causal %s %x %v", room, q.After, q.Last)
}

func (d *desk) Release(ctx context.Context, name string) (client.Person, error) {
	return client.Person{ID: bob, Name: "Bob"}, d.ask(ctx, "release %s", name)
}

func (d *desk) Away(ctx context.Context, text string, away bool) error {
	return d.ask(ctx, "away %q %v", text, away)
}

func (d *desk) Ignore(who client.Person, on bool) error {
	d.asked = append(d.asked, fmt.Sprintf("ignore %s %v", who.Name, on))
	return d.cannot
}

func (d *desk) Banned(ctx context.Context, room string) ([]client.Ban, error) {
	return []client.Ban{{Who: client.Person{ID: bob, Name: "bob"}, By: client.Person{ID: me}, Since: noon, Until: noon.Add(time.Hour), Text: "spam"}}, d.ask(ctx, "banned %s", room)
}

func (d *desk) Ignored() []client.Person { return d.ignored }

func (d *desk) Author(ctx context.Context, from uint64) (identity.ID, error) {
	id, known := d.Authors(ctx, []uint64{from})[from]
	if !known {
		return id, &client.RefusedError{Code: chat.NoSuchUser}
	}
	return id, nil
}

func (d *desk) Authors(ctx context.Context, from []uint64) map[uint64]identity.ID {
	if d.ask(ctx, "authors %v", from) != nil {
		return nil
	}
	return map[uint64]identity.ID{2: bob}
}

func TestAsker(t *testing.T) {
	said := command.Said{Room: "lobby", Seq: 4, Epoch: 7, Name: "bob", Kind: chat.Text, Time: noon, Text: "hi", Re: chat.ID{3}}
	type question = func(ctx context.Context, a Asker) (command.Answer, error)
	for name, c := range map[string]struct {
		question question
		asked    string
		want     command.Answer
	}{
		"names": {func(ctx context.Context, a Asker) (command.Answer, error) { return a.Names(ctx, "ops") }, "names ops",
			command.NamesAnswer{Room: "ops", People: []command.Who{{ID: bob.String(), Name: "bob", Away: true}}, Total: 9}},
		"whois": {func(ctx context.Context, a Asker) (command.Answer, error) { return a.Whois(ctx, "bob") }, "whois bob",
			command.WhoisAnswer{Who: command.Who{ID: bob.String(), Name: "bob"}, Sessions: 2, Rooms: []string{"ops"}, Since: noon, AwaySince: noon, AwayText: "lunch"}},
		"away": {func(ctx context.Context, a Asker) (command.Answer, error) { return nil, a.Away(ctx, "lunch", true) }, `away "lunch" true`, nil},
		"list": {func(ctx context.Context, a Asker) (command.Answer, error) { return a.List(ctx) }, "list",
			command.ListAnswer{Rooms: []command.RoomLine{{Name: "ops", Members: 2, Head: 9, Topic: "tea"}}}},
		"topic of a listed room": {func(ctx context.Context, a Asker) (command.Answer, error) { return a.Topic(ctx, "ops") }, "list", command.TopicAnswer{Room: "ops", Topic: "tea"}},
		"history": {func(ctx context.Context, a Asker) (command.Answer, error) {
			return a.History(ctx, "lobby", command.HistoryQuery{N: 2, Before: 9})
		}, "history lobby 2 9 false",
			command.HistoryAnswer{Room: "lobby", Query: command.HistoryQuery{N: 2, Before: 9}, Said: []command.Said{said}, More: true}},
		"search": {func(ctx context.Context, a Asker) (command.Answer, error) {
			return a.Search(ctx, command.SearchQuery{Words: "hi", Room: "lobby", From: "bob", Before: 3})
		}, "search {Words:hi Room:lobby From:bob Before:3 N:20}",
			command.SearchAnswer{Query: command.SearchQuery{Words: "hi", Room: "lobby", From: "bob", Before: 3}, Hits: []command.Said{said}, Next: 7, Behind: 2}},
		"keep": {func(ctx context.Context, a Asker) (command.Answer, error) { return a.Keep(ctx, "ops", nil) }, "keep ops", command.KeepAnswer{Room: "ops", Keep: command.Keep{Set: true, Size: 1}}},
		"set keep": {func(ctx context.Context, a Asker) (command.Answer, error) {
			return a.Keep(ctx, "ops", &command.Keep{Set: true})
		}, "set keep ops {Set:true Age:0s Size:0}",
			command.KeepAnswer{Room: "ops", Keep: command.Keep{Set: true}}},
		"banned": {func(ctx context.Context, a Asker) (command.Answer, error) { return a.Banned(ctx, "ops") }, "banned ops",
			command.BannedAnswer{Room: "ops", Bans: []command.Ban{{Who: command.Who{ID: bob.String(), Name: "bob"}, By: command.Who{ID: me.String()}, Since: noon, Until: noon.Add(time.Hour), Text: "spam"}}}},
		"release": {func(ctx context.Context, a Asker) (command.Answer, error) { return a.Release(ctx, "bob") }, "release bob",
			command.ReleaseAnswer{Name: "Bob", Owner: command.Who{ID: bob.String(), Name: "Bob"}}},
		"invite node": {func(ctx context.Context, a Asker) (command.Answer, error) {
			return a.Invite(ctx, command.InviteQuery{Uses: 1, For: time.Hour, Node: true})
		}, "invite node 1h0m0s",
			command.InviteAnswer{Link: testLink("127.0.0.1:8080", ""), Token: testToken, Uses: 1, Expires: noon, Local: true, Node: true}},
		"peers": {func(ctx context.Context, a Asker) (command.Answer, error) { return a.Peers(ctx) }, "peers",
			command.PeersAnswer{Space: "00ff", Peers: []command.Peer{{ID: bob.String(), Title: "Barn", State: "linked", Behind: 3, Seen: noon}, {Address: "x:1", State: "dialing"}}}},
		"stats": {func(ctx context.Context, a Asker) (command.Answer, error) { return a.Stats(ctx) }, "stats",
			command.StatsAnswer{Up: time.Hour, Sessions: 2, Rooms: 1, Work: &command.Work{Messages: 3, Lag: command.Times{Half: 1, Most: 2}, Refused: []command.Count{{What: "slow", N: 4}}}}},
		"drop": {func(ctx context.Context, a Asker) (command.Answer, error) {
			return a.Admit(ctx, "barn", command.DropPeer)
		}, "admit barn 2",
			command.PeerAnswer{Peer: command.Peer{ID: bob.String(), Title: "Barn", State: "dropped"}, Mode: command.DropPeer}},
		"causal": {func(ctx context.Context, a Asker) (command.Answer, error) { return a.Causal(ctx, "lobby") }, "causal lobby  true",
			command.CausalAnswer{Room: "lobby", Said: []command.Said{said}, Total: 9, Digest: "00ff"}},
		"invite": {func(ctx context.Context, a Asker) (command.Answer, error) {
			return a.Invite(ctx, command.InviteQuery{Room: "ops", Uses: 3, For: time.Hour})
		}, "invite ops 3 1h0m0s",
			command.InviteAnswer{Room: "ops", Link: testLink("127.0.0.1:8080", "ops"), Token: testToken, Uses: 3, Expires: noon, Local: true}},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := &desk{
				rooms: []client.RoomInfo{{Name: "ops", Members: 2, Head: 9, Topic: "tea"}},
				list:  []client.Message{{Room: "lobby", Seq: 4, Epoch: 7, From: 2, Name: "bob", Kind: chat.Text, Time: noon, Text: "hi", Re: chat.ID{3}}},
			}
			a := Asker{Client: d, Timeout: time.Minute, ID: me}
			got, err := c.question(t.Context(), a)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%s: %v, mismatch (-want +got):\n%s", name, err, diff)
			}
			if diff := cmp.Diff([]string{c.asked}, d.asked); diff != "" {
				t.Errorf("%s asked (-want +got):\n%s", name, diff)
			}
			d.silent = true
			begun := time.Now()
			if _, err := c.question(t.Context(), a); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != a.Timeout {
				t.Errorf("%s of a silent node: %v after %v", name, err, time.Since(begun))
			}
		})
	}
}

// An open room's topic is known without a question, and one that nobody knows of has none.
func TestAskerTopic(t *testing.T) {
	d := &desk{room: client.RoomState{Name: "lobby", Topic: "tea"}}
	a := Asker{Client: d, Timeout: time.Minute}
	if got, err := a.Topic(t.Context(), "lobby"); err != nil || got.Topic != "tea" || d.asked != nil {
		t.Errorf("%+v, %v, asked %q", got, err, d.asked)
	}
	var refused *client.RefusedError
	if got, err := a.Topic(t.Context(), "ops"); !errors.As(err, &refused) || refused.Code != chat.NoSuchRoom {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAskerAuthors(t *testing.T) {
	d := &desk{list: []client.Message{{From: 2}, {From: 5, Own: true}, {From: 6}}}
	for _, authors := range []bool{true, false} {
		d.asked = nil
		got, err := Asker{Client: d, Timeout: time.Minute, ID: me, Authors: authors}.Search(t.Context(), command.SearchQuery{})
		if err != nil || len(got.Hits) != 3 {
			t.Fatalf("%+v, %v", got, err)
		}
		want := []string{"", me.String(), ""}
		if authors {
			want[0] = bob.String()
		}
		if diff := cmp.Diff(want, []string{got.Hits[0].Author, got.Hits[1].Author, got.Hits[2].Author}); diff != "" {
			t.Errorf("authors %v: mismatch (-want +got):\n%s", authors, diff)
		}
		if asked := d.asked[len(d.asked)-1] == "authors [2 6]"; asked != authors {
			t.Errorf("authors %v: asked %q", authors, d.asked)
		}
	}
}

// TestMentions: of what a search finds, only what holds the user's name counts, and it goes on until there is enough of that.
func TestMentions(t *testing.T) {
	by := func(name, text string) client.Message {
		return client.Message{Room: "ops", From: 2, Name: name, Kind: chat.Text, Text: text}
	}
	own := by("somebody", "bob is me")
	own.Own = true
	many := func(text string) (list []client.Message) {
		for range command.SearchHits {
			list = append(list, by("carol", text))
		}
		return list
	}
	for name, c := range map[string]struct {
		pages  [][]client.Message
		before uint64
		hits   []string
		next   uint64
		asked  int
	}{
		"one page":      {[][]client.Message{{by("carol", "hi Bob"), by("carol", "bobsleigh"), by("bob", "I am bob"), own, by("eve", "bob?")}}, 9, []string{"hi Bob", "bob?"}, 0, 1},
		"nothing":       {[][]client.Message{nil}, 0, nil, 0, 1},
		"two pages":     {[][]client.Message{{by("carol", "bobs")}, {by("carol", "bob")}}, 0, []string{"bob"}, 0, 2},
		"empty between": {[][]client.Message{nil, {by("carol", "bob")}}, 0, []string{"bob"}, 0, 2},
		"enough":        {[][]client.Message{many("bob"), many("bob")}, 0, slices.Repeat([]string{"bob"}, command.SearchHits), 1, 1},
		"too many":      {slices.Repeat([][]client.Message{many("bobby")}, 9), 0, nil, 9 - maxRounds, maxRounds},
	} {
		d := &desk{pages: c.pages}
		got, err := Asker{Client: d, Timeout: time.Minute, ID: me, Authors: true}.Mentions(t.Context(), c.before)
		var hits []string
		for _, s := range got.Hits {
			if hits = append(hits, s.Text); s.Author != bob.String() {
				t.Errorf("%s: the author of %q is %q", name, s.Text, s.Author)
			}
		}
		if diff := cmp.Diff(c.hits, hits); diff != "" || err != nil || got.Name != "bob" || got.Next != c.next || got.Behind != 2 {
			t.Errorf("%s: %v, of %q, next %d, behind %d, mismatch (-want +got):\n%s", name, err, got.Name, got.Next, got.Behind, diff)
		}
		searches := slices.DeleteFunc(d.asked, func(s string) bool { return !strings.HasPrefix(s, "search") })
		if len(searches) != c.asked || searches[0] != fmt.Sprintf("search {Words:bob Room: From: Before:%d N:20}", c.before) {
			t.Errorf("%s: asked %q", name, searches)
		}
	}
}

func TestMentionsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{silent: true}
		begun := time.Now()
		if _, err := (Asker{Client: d, Timeout: time.Minute, ID: me}).Mentions(t.Context(), 0); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Minute {
			t.Errorf("of a silent node: %v after %v", err, time.Since(begun))
		}
		if want := []string{"whois " + me.String()}; !slices.Equal(d.asked, want) {
			t.Errorf("asked %q, want %q", d.asked, want)
		}
	})
}

// TestAdmitNobody: a title that two nodes have is not somebody's name, and what to say in its place is told.
func TestAdmitNobody(t *testing.T) {
	a := Asker{Client: &desk{unknown: &client.RefusedError{Code: chat.NoSuchUser}}}
	_, err := a.Admit(t.Context(), "Barn", command.DropPeer)
	if got := FaultOf(err); got.Code != "no_such_user" || !strings.Contains(got.Text, "say its id") {
		t.Errorf("%+v", got)
	}
}
