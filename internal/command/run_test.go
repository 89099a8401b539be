package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"chatnode/internal/chat"

	"github.com/google/go-cmp/cmp"
)

// deskEnv writes down what is asked of it.
type deskEnv struct {
	room string
	fail error
	did  []string
}

func (e *deskEnv) note(format string, args ...any) error {
	e.did = append(e.did, fmt.Sprintf(format, args...))
	return e.fail
}

func (e *deskEnv) Room() string { return e.room }
func (e *deskEnv) Say(_ context.Context, room string, kind chat.Kind, text string) error {
	return e.note("%v to %s: %q", kind, room, text)
}
func (e *deskEnv) Join(_ context.Context, room string) error  { return e.note("join %s", room) }
func (e *deskEnv) Part(_ context.Context, room string) error  { return e.note("part %s", room) }
func (e *deskEnv) Query(_ context.Context, name string) error { return e.note("query %s", name) }
func (e *deskEnv) Close(_ context.Context, room string) error { return e.note("close %s", room) }
func (e *deskEnv) Reply(_ context.Context, room, text string) error {
	return e.note("reply in %s: %q", room, text)
}
func (e *deskEnv) Mentions(_ context.Context, before uint64) (MentionsAnswer, error) {
	return MentionsAnswer{Name: "carol"}, e.note("mentions %d", before)
}
func (e *deskEnv) Nick(_ context.Context, name string) error { return e.note("nick %s", name) }
func (e *deskEnv) Away(_ context.Context, text string, away bool) error {
	return e.note("away %q %v", text, away)
}
func (e *deskEnv) Topic(_ context.Context, room string) (TopicAnswer, error) {
	return TopicAnswer{Room: room, Topic: "the plan"}, e.note("topic %s", room)
}
func (e *deskEnv) Names(_ context.Context, room string) (NamesAnswer, error) {
	return NamesAnswer{Room: room, People: []Who{{"cn1a", "alice", false}, {"cn1b", "bob", false}}}, e.note("names %s", room)
}
func (e *deskEnv) Whois(_ context.Context, who string) (WhoisAnswer, error) {
	return WhoisAnswer{Who: Who{ID: "cn1b", Name: who}}, e.note("whois %s", who)
}
func (e *deskEnv) List(context.Context) (ListAnswer, error) { return ListAnswer{}, e.note("list") }
func (e *deskEnv) History(_ context.Context, room string, q HistoryQuery) (HistoryAnswer, error) {
	return HistoryAnswer{Room: room, Query: q}, e.note("history %s %+v", room, q)
}
func (e *deskEnv) Search(_ context.Context, q SearchQuery) (SearchAnswer, error) {
	return SearchAnswer{Query: q}, e.note("search %+v", q)
}
func (e *deskEnv) Keep(_ context.Context, room string, change *Keep) (KeepAnswer, error) {
	return KeepAnswer{Room: room}, e.note("keep %s %+v", room, change)
}
func (e *deskEnv) Invite(_ context.Context, q InviteQuery) (InviteAnswer, error) {
	return InviteAnswer{Room: q.Room, Link: "chatnode://x", Uses: q.Uses, Expires: time.Unix(0, 0)}, e.note("invite %+v", q)
}
func (e *deskEnv) Peers(context.Context) (PeersAnswer, error) {
	return PeersAnswer{Space: "00ff"}, e.note("peers")
}
func (e *deskEnv) Stats(context.Context) (StatsAnswer, error) {
	return StatsAnswer{Up: 49 * time.Hour, Sessions: 1, Rooms: 3}, e.note("stats")
}
func (e *deskEnv) Admit(_ context.Context, node string, mode PeerMode) (PeerAnswer, error) {
	return PeerAnswer{Peer: Peer{ID: "cn1b", Title: node}, Mode: mode}, e.note("admit %q: %s", node, mode)
}
func (e *deskEnv) Causal(_ context.Context, room string) (CausalAnswer, error) {
	return CausalAnswer{Room: room}, e.note("causal %s", room)
}
func (e *deskEnv) Release(_ context.Context, name string) (ReleaseAnswer, error) {
	return ReleaseAnswer{Name: name, Owner: Who{ID: "cn1b", Name: name}}, e.note("release %s", name)
}
func (e *deskEnv) Report(_ context.Context, room, text string) error {
	return e.note("report in %s: %q", room, text)
}
func (e *deskEnv) Redact(_ context.Context, room string, id chat.ID) error {
	return e.note("redact %v in %s", id, room)
}
func (e *deskEnv) Ignore(_ context.Context, room, name string, on bool) (IgnoreAnswer, error) {
	return IgnoreAnswer{Who{ID: "cn1b", Name: name}, on}, e.note("ignore %s %v, in %q", name, on, room)
}
func (e *deskEnv) Act(_ context.Context, room string, act chat.ActOf) error {
	return e.note("act in %s: %s", room, act)
}
func (e *deskEnv) Key(_ context.Context, room, name string) (string, error) {
	return "cn1b", e.note("key of %s in %s", name, room)
}
func (e *deskEnv) Message(_ context.Context, room string, seq uint64) (chat.ID, error) {
	return chat.ID{1, byte(seq)}, e.note("message %d of %s", seq, room)
}
func (e *deskEnv) Banned(_ context.Context, room string) (BannedAnswer, error) {
	return BannedAnswer{Room: room}, e.note("banned %s", room)
}
func (e *deskEnv) Pins(_ context.Context, room string) (PinsAnswer, error) {
	return PinsAnswer{Room: room}, e.note("pins %s", room)
}
func (e *deskEnv) Welcome(_ context.Context, room string) (WelcomeAnswer, error) {
	return WelcomeAnswer{Room: room, Text: "hi"}, e.note("welcome %s", room)
}
func (e *deskEnv) Ignored(context.Context) (IgnoredAnswer, error) {
	return IgnoredAnswer{}, e.note("ignored")
}
func (e *deskEnv) Show(a Answer) {
	for _, line := range a.Lines(time.UTC) {
		e.did = append(e.did, "show "+line)
	}
}
func (e *deskEnv) Quit() { e.did = append(e.did, "quit") }

// wholeEnv is a deskEnv with a screen.
type wholeEnv struct{ deskEnv }

func (e *wholeEnv) Notify(room, level string) error { return e.note("notify %s %q", room, level) }
func (e *wholeEnv) Resend(room string) error        { return e.note("resend %s", room) }
func (e *wholeEnv) Clear(room string)               { _ = e.note("clear %s", room) }
func (e *wholeEnv) Buffer(which string) error       { return e.note("buffer %s", which) }

var _ Screen = (*wholeEnv)(nil)

func TestRun(t *testing.T) {
	for line, want := range map[string][]string{
		"/redact":                  {"redact 0000000000000000 in lobby"},
		"/redact 0123456789ABCDEF": {"redact 0123456789abcdef in lobby"},
		"/report":                  {`report in lobby: ""`, "show reported to the admins of this node"},
		"/report  it is \x1bspam":  {`report in lobby: "it is \x1bspam"`, "show reported to the admins of this node"},
		"hi":                       {`text to lobby: "hi"`},
		"//hi":                     {`text to lobby: "/hi"`},
		"/me waves":                {`action to lobby: "waves"`},
		"/msg bob hi":              {`text to @bob: "hi"`},
		"/msg #ops hi":             {`text to ops: "hi"`},
		"/topic a b":               {`topic to lobby: "a b"`},
		"/topic -delete":           {`topic to lobby: ""`},
		"/topic":                   {"topic lobby", "show the topic of #lobby: the plan"},
		"/nick carol":              {"nick carol"},
		"/join ops":                {"join ops"},
		"/join @bob":               {"join @bob"},
		"/part":                    {"part lobby"},
		"/part ops":                {"part ops"},
		"/away":                    {`away "" true`, "show you are away until /back"},
		"/away  at lunch ":         {`away "at lunch" true`, "show you are away until /back: at lunch"},
		"/back":                    {`away "" false`, "show you are back"},
		"/reply  yes ":             {`reply in lobby: "yes"`},
		"/query @bob":              {"query bob"},
		"/query bob  hi":           {"query bob", `text to @bob: "hi"`},
		"/close":                   {"close lobby"},
		"/wc @bob":                 {"close @bob"},
		"/mentions":                {"mentions 0", "show nobody has mentioned carol"},
		"/mentions before 7":       {"mentions 7", "show nobody has mentioned carol"},
		"/help clear":              {"show /clear             empty the screen of this room; nothing is deleted (on the full screen)"},
		"/names":                   {"names lobby", "show 2 people in #lobby:", "show   alice bob"},
		"/names ops":               {"names ops", "show 2 people in #ops:", "show   alice bob"},
		"/whois bob":               {"whois bob", "show bob has the key cn1b", "show   not connected"},
		"/ignore":                  {"ignored", "show you ignore nobody"},
		"/block @bob": {`ignore bob true, in "lobby"`,
			"show you ignore bob: what they say is kept, and not shown to you; /unignore bob ends that", "show   by any name: the key cn1b"},
		"/unignore bob": {`ignore bob false, in "lobby"`, "show you don't ignore bob any more"},
		"/list":         {"list", "show there are no rooms yet"},
		"/quit":         {"quit"},
		"/history":      {"history lobby {N:50 Before:0 Since:0s}", "show #lobby has no messages"},
		"/search hi":    {"search {Words:hi Room: From: Before:0}", "show nothing found"},
		"/keep":         {"keep lobby <nil>", "show #lobby is kept as long as the node keeps any room"},
		"/keep 90d":     {"keep lobby &{Set:true Age:2160h0m0s Size:0}", "show #lobby is kept as long as the node keeps any room"},
		"/release @bob": {"release bob", "show bob is free: it was the name of the key cn1b"},
		"/invite": {"invite {Room:lobby Uses:1 For:24h0m0s Node:false}", "show until 1970-01-01 00:00, 1 person may come to #lobby by this link; whoever has the link can use it",
			`show to join by it, quotes and all: chatnode -connect "LINK" -name YOU`, "show chatnode://x"},
		"/stats":                {"stats", "show up 2d1h: 1 connection, 3 rooms"},
		"/peers":                {"peers", "show this node knows no other; its space is 00ff"},
		"/peers admit The barn": {`admit "The barn": admit`, "show The barn is admitted: it gets private rooms and conversations too, and what it says of rights counts here", "show   cn1b"},
		"/nodes Guest cn1b":     {`admit "cn1b": guest`, "show cn1b is a guest: it gets what anybody may read", "show   cn1b"},
		"/links drop barn":      {`admit "barn": drop`, "show barn is dropped: there is no link to it any more; what it has got stays with it", "show   cn1b"},
		"/history causal":       {"causal lobby", "show #lobby has no messages"},
		"/history causal #Ops":  {"causal ops", "show #ops has no messages"},
		"/history causal @bob":  {"causal @bob", "show @bob has no messages"},
		"/invite node for 2h": {"invite {Room: Uses:1 For:2h0m0s Node:true}", "show until 1970-01-01 00:00, 1 person may come here by this link; whoever has the link can use it",
			`show to join by it, quotes and all: chatnode -connect "LINK" -name YOU`, "show chatnode://x"},
		"/help release": {"show /release NAME      take a name from the key that owns it (for the node's admins)"},
		"/help j":       {"show /join ROOM         enter a room, or turn to one that you are in; @NAME turns to one person", "show   the same:        /j"},
	} {
		env := &deskEnv{room: "lobby"}
		call, err := Parse(line)
		if err != nil {
			t.Fatalf("Parse(%q): %v", line, err)
		}
		if err := Run(t.Context(), call, env); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		if diff := cmp.Diff(want, env.did); diff != "" {
			t.Errorf("%q mismatch (-want +got):\n%s", line, diff)
		}
	}
}

func TestRunHasEveryCommand(t *testing.T) {
	for _, e := range All() {
		call := Call{Name: e.Name}
		for range e.Args {
			call.Args = append(call.Args, "help")
		}
		if slices.Contains([]string{history, keep, invite, peers, mentions, notify, redact, pin, unpin, readonly, archive, private}, e.Name) {
			call.Args = nil // all that they take has a grammar
		}
		if e.Name == slow {
			call.Args = []string{off}
		}
		env := &wholeEnv{deskEnv{room: "lobby"}}
		if err := Run(t.Context(), call, env); err != nil || len(env.did) == 0 {
			t.Errorf("/%s did %v: %v", e.Name, env.did, err)
		}
	}
	if err := Run(t.Context(), Call{Name: "promote"}, &deskEnv{}); err == nil {
		t.Error("a command that is not in the table ran")
	}
}

// The commands of the full screen do what they are told to with one, and elsewhere say that they need it.
func TestRunOnScreen(t *testing.T) {
	for line, want := range map[string]string{
		"/notify": `notify lobby ""`, "/notify on": `notify lobby "on"`, "/notify  all ": `notify lobby "all"`, "/notify off": `notify lobby "off"`, "/resend": "resend lobby",
		"/clear": "clear lobby", "/buffer 2": "buffer 2", "/b #Ops": "buffer ops", "/buf @bob": "buffer @bob",
	} {
		call, err := Parse(line)
		if err != nil {
			t.Fatalf("Parse(%q): %v", line, err)
		}
		with, without := &wholeEnv{deskEnv{room: "lobby"}}, &deskEnv{room: "lobby"}
		if err := Run(t.Context(), call, with); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		if diff := cmp.Diff([]string{want}, with.did); diff != "" {
			t.Errorf("%q mismatch (-want +got):\n%s", line, diff)
		}
		var wrong *Error
		if err := Run(t.Context(), call, without); !errors.As(err, &wrong) || wrong.Reason != NoScreen || !strings.HasPrefix(wrong.Text, "/"+call.Name+" needs the full screen") || without.did != nil {
			t.Errorf("%q without a screen: %v, did %q", line, err, without.did)
		}
		if entry, _ := Lookup(call.Name); !entry.OnScreen() {
			t.Errorf("help does not say that /%s needs a screen", call.Name)
		}
	}
	for _, e := range All() {
		call := Call{Name: e.Name, Args: []string{"2", "x"}}
		if call.Name == notify {
			call.Args = nil
		}
		var wrong *Error
		if err := Run(t.Context(), call, &deskEnv{room: "lobby"}); (errors.As(err, &wrong) && wrong.Reason == NoScreen) != e.OnScreen() {
			t.Errorf("/%s without a screen: %v", e.Name, err)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	for line, want := range map[string]string{
		"/mentions 7":          "7 is too much; usage: /mentions [before N]",
		"/mentions before":     "before what is missing",
		"/mentions before 0":   "0 is not the number of a page",
		"/mentions before x":   "x is not the number of a page",
		"/mentions before 7 8": "8 is too much",
		"/notify ON":           "ON is none of on, all and off; usage: /notify [on | all | off]",
		"/notify on off":       "on off is none of",
		"/notify \x1b[2J":      "\ufffd[2J is none of",
	} {
		call, err := Parse(line)
		if err != nil {
			t.Fatalf("Parse(%q): %v", line, err)
		}
		env := &wholeEnv{deskEnv{room: "lobby"}}
		var wrong *Error
		if err := Run(t.Context(), call, env); !errors.As(err, &wrong) || wrong.Reason != BadUsage || !strings.Contains(wrong.Text, want) || env.did != nil {
			t.Errorf("%q: %v, did %q, want %s", line, err, env.did, want)
		}
	}
}

func TestRunWithoutRoom(t *testing.T) {
	for _, line := range []string{"hi", "/me waves", "/topic", "/topic new", "/part", "/names", "/reply x", "/notify", "/resend", "/clear"} {
		call, _ := Parse(line)
		env := &wholeEnv{}
		if err := Run(t.Context(), call, env); !errors.Is(err, ErrNoRoom) || env.did != nil {
			t.Errorf("%q did %v: %v, want ErrNoRoom", line, env.did, err)
		}
	}
}

func TestRunFails(t *testing.T) {
	failure := errors.New("no answer")
	for _, line := range []string{"hi", "/me waves", "/msg bob hi", "/topic", "/topic x", "/nick carol", "/join ops", "/part", "/names", "/whois bob", "/list",
		"/reply x", "/away", "/back", "/query bob hi", "/close", "/mentions", "/notify", "/resend", "/buffer 2",
	} {
		call, _ := Parse(line)
		env := &wholeEnv{deskEnv{room: "lobby", fail: failure}}
		if err := Run(t.Context(), call, env); !errors.Is(err, failure) {
			t.Errorf("%q: %v, want %v", line, err, failure)
		}
		if len(env.did) != 1 {
			t.Errorf("%q showed an answer that failed: %v", line, env.did)
		}
	}
	var e *Error
	if err := Run(t.Context(), Call{Name: "help", Args: []string{"nikc"}}, &deskEnv{}); !errors.As(err, &e) || !strings.Contains(e.Text, "/nick") {
		t.Errorf("/help nikc: %v, want a suggestion", err)
	}
}

func TestAnswers(t *testing.T) {
	zone := time.FixedZone("CET", 3600)
	since := time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC)
	many := NamesAnswer{Room: "ops", Total: 300}
	for range 20 {
		many.People = append(many.People, Who{Name: "somebody"})
	}
	for name, c := range map[string]struct {
		answer Answer
		want   []string
	}{
		"nobody": {NamesAnswer{Room: "ops"}, []string{"nobody is in #ops"}},
		"many": {many, []string{
			"300 people in #ops:",
			"  somebody somebody somebody somebody somebody somebody somebody somebody",
			"  somebody somebody somebody somebody somebody somebody somebody somebody",
			"  somebody somebody somebody somebody",
			"  and 280 more",
		}},
		"here": {WhoisAnswer{Who: Who{ID: "cn1b", Name: "bob"}, Sessions: 2, Rooms: []string{"lobby", "ops"}, Since: since}, []string{
			"bob has the key cn1b", "  here since 2026-11-23 00:30, 2 connections", "  in #lobby #ops",
		}},
		"gone": {WhoisAnswer{Who: Who{ID: "cn1b", Name: "bob"}, Since: since}, []string{"bob has the key cn1b", "  not connected, last seen 2026-11-23 00:30"}},
		"away": {WhoisAnswer{Who: Who{ID: "cn1b", Name: "bob"}, Sessions: 1, Since: since, AwaySince: since, AwayText: "lunch"}, []string{
			"bob has the key cn1b", "  here since 2026-11-23 00:30, 1 connection", "  away since 2026-11-23 00:30: lunch",
		}},
		"away without a word": {WhoisAnswer{Who: Who{ID: "cn1b", Name: "bob"}, Sessions: 1, Since: since, AwaySince: since}, []string{
			"bob has the key cn1b", "  here since 2026-11-23 00:30, 1 connection", "  away since 2026-11-23 00:30",
		}},
		"away ones": {NamesAnswer{Room: "lobby", People: []Who{{Name: "alice", Away: true}, {Name: "bob"}}}, []string{"2 people in #lobby:", "  alice (away) bob"}},
		"rooms": {ListAnswer{[]RoomLine{{"lobby", 1, 1, ""}, {"ops", 3, 20, "the plan"}}}, []string{
			"2 rooms:", "  #lobby: 1 person here, 1 message", "  #ops: 3 people here, 20 messages: the plan",
		}},
		"no topic": {TopicAnswer{"lobby", ""}, []string{"#lobby has no topic"}},
	} {
		if diff := cmp.Diff(c.want, c.answer.Lines(zone)); diff != "" {
			t.Errorf("%s mismatch (-want +got):\n%s", name, diff)
		}
	}
	if all := (HelpAnswer{All()}).Lines(zone); len(all) != len(table)+1 {
		t.Errorf("help has %d lines for %d commands", len(all), len(table))
	}
}
