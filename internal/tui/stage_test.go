package tui

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/identity"
	"chatnode/internal/screen"
	"chatnode/internal/wire"
)

// fakeClient is a client whose node is a table of rooms. What the screen asks of it is noted.
type fakeClient struct {
	sends     []client.Draft
	pending   int
	rooms     map[string]client.RoomState
	logs      map[string][]client.Message // by room, from seq 1
	asked     []string                    // joins, parts, nicks and notes, in their order
	looked    []string
	shown     []client.Event
	read      map[string]uint64
	full      bool  // takes no more sends
	room      int   // sends that it takes, unless 0
	broken    error // of questions
	closed    bool
	histories int // questions for history
	away      string
	found     client.Found
	ignored   []client.Person
	bans      []client.Ban
	mute      bool // tells nobody's key
}

func newFakeClient() *fakeClient {
	return &fakeClient{rooms: map[string]client.RoomState{}, logs: map[string][]client.Message{}, read: map[string]uint64{}}
}

func (c *fakeClient) Run(ctx context.Context) error { <-ctx.Done(); return nil }
func (c *fakeClient) Events() <-chan client.Event   { return nil }
func (c *fakeClient) Pending() int                  { return c.pending }
func (c *fakeClient) Shown(e client.Event)          { c.shown = append(c.shown, e) }
func (c *fakeClient) Name() string                  { return "carol" }
func (c *fakeClient) Look(rooms []string)           { c.looked = rooms }
func (c *fakeClient) Close()                        { c.closed = true }

func (c *fakeClient) note(what, room string) error {
	c.asked = append(c.asked, what+" "+room)
	return nil
}

func (c *fakeClient) Join(room string) error         { return c.note("join", room) }
func (c *fakeClient) Part(room string) error         { return c.note("part", room) }
func (c *fakeClient) Nick(name string) error         { return c.note("nick", name) }
func (c *fakeClient) Prefer(room, note string) error { return c.note("prefer "+room, note) }
func (c *fakeClient) Quit(ctx context.Context) error { return c.note("quit", "") }
func (c *fakeClient) Read(room string, seq uint64)   { c.read[room] = seq }
func (c *fakeClient) Lag(context.Context) (time.Duration, error) {
	return 4 * time.Millisecond, c.broken
}

func (c *fakeClient) Send(ctx context.Context, d client.Draft) (uint64, error) {
	if c.full || c.room > 0 && len(c.sends) >= c.room {
		return 0, ctx.Err()
	}
	c.sends = append(c.sends, d)
	c.pending++
	return uint64(len(c.sends)), nil
}

func (c *fakeClient) Room(name string) (client.RoomState, bool) {
	state, ok := c.rooms[name]
	return state, ok
}

// History answers from the table as a node does.
func (c *fakeClient) History(_ context.Context, room string, q client.HistoryQuery) ([]client.Message, bool, error) {
	if c.histories++; c.broken != nil {
		if c.histories > 1000 {
			panic("the node is asked for ever")
		}
		return nil, false, c.broken
	}
	log := c.logs[room]
	end := len(log)
	if q.Before > 0 {
		end = min(end, int(q.Before)-1)
	}
	from := max(0, end-q.N)
	return append([]client.Message(nil), log[from:end]...), from > 0, nil
}

func (c *fakeClient) Locate(_ context.Context, room string, id chat.ID, _ uint64, _ func(int)) (uint64, error) {
	for _, m := range c.logs[room] {
		if m.ID == id {
			return m.Seq, nil
		}
	}
	return 0, errors.New("not found")
}

func (c *fakeClient) Away(_ context.Context, text string, away bool) error {
	c.away = fmt.Sprintf("%v %s", away, text)
	return c.broken
}

func (c *fakeClient) Search(context.Context, client.SearchQuery) (client.Found, error) {
	return c.found, c.broken
}

func (c *fakeClient) Names(context.Context, string) ([]client.Person, int, error) {
	return nil, 0, c.broken
}
func (c *fakeClient) Whois(_ context.Context, who string) (client.Info, error) {
	return client.Info{Person: client.Person{ID: keyOf(who), Name: who}}, c.broken
}
func (c *fakeClient) List(context.Context) ([]client.RoomInfo, error) { return nil, c.broken }
func (c *fakeClient) Keep(context.Context, string) (client.Keep, error) {
	return client.Keep{}, c.broken
}
func (c *fakeClient) SetKeep(context.Context, string, client.Keep) (client.Keep, error) {
	return client.Keep{}, c.broken
}
func (c *fakeClient) Invite(context.Context, string, int, time.Duration) (client.Invitation, error) {
	return client.Invitation{}, c.broken
}
func (c *fakeClient) InviteNode(context.Context, time.Duration) (client.Invitation, error) {
	return client.Invitation{}, c.broken
}
func (c *fakeClient) NodeStats(context.Context) (client.NodeStats, error) {
	return client.NodeStats{}, c.broken
}
func (c *fakeClient) Peers(context.Context) (client.Peers, error) { return client.Peers{}, c.broken }
func (c *fakeClient) Admit(context.Context, string, client.PeerMode) (client.Peer, error) {
	return client.Peer{}, c.broken
}
func (c *fakeClient) Causal(context.Context, string, client.CausalQuery) (client.CausalPage, error) {
	return client.CausalPage{}, c.broken
}
func (c *fakeClient) Release(context.Context, string) (client.Person, error) {
	return client.Person{}, c.broken
}
func (c *fakeClient) Banned(context.Context, string) ([]client.Ban, error) { return c.bans, c.broken }
func (c *fakeClient) Ignored() []client.Person                             { return c.ignored }
func (c *fakeClient) Ignore(who client.Person, on bool) error {
	c.ignored = slices.DeleteFunc(slices.Clone(c.ignored), func(p client.Person) bool { return p.ID == who.ID })
	if on {
		c.ignored = append(c.ignored, who)
	}
	return c.broken
}

// keyOf is the key of somebody, and originOf the number of what they write by.
func keyOf(name string) identity.ID    { return authorOf(originOf(name)) }
func originOf(name string) uint64      { return uint64((name + "?")[0]) }
func authorOf(from uint64) identity.ID { return identity.ID{byte(from)} }

func (c *fakeClient) Authors(_ context.Context, from []uint64) map[uint64]identity.ID {
	known := map[uint64]identity.ID{}
	for _, number := range from {
		if !c.mute && number > 0 {
			known[number] = authorOf(number)
		}
	}
	return known
}
func (c *fakeClient) Author(context.Context, uint64) (identity.ID, error) {
	return identity.ID{}, c.broken
}

// stage is a screen without a terminal: what is typed and what happens go into the model, and what it draws into a grid.
type stage struct {
	*testing.T
	m    *model
	c    *fakeClient
	now  time.Time
	wide int
	high int
	held bool // what the model asks for is not answered, until release
	due  []tea.Cmd
	told []tea.Msg // what went to Bubble Tea itself
}

// dawn is when all stages begin: a Monday.
var dawn = time.Date(2026, time.November, 23, 15, 4, 0, 0, time.UTC)

func newStage(t *testing.T, wide, high int) *stage {
	t.Helper()
	s := &stage{T: t, c: newFakeClient(), now: dawn}
	cfg := &Config{Client: s.c, Rooms: []string{"lobby"}, Zone: time.UTC, Now: func() time.Time { return s.now }, Kept: true, Environ: []string{"TERM=xterm"}}
	cfg.complete()
	s.m = newModel(t.Context(), cfg)
	s.m.beat = func() tea.Cmd { return nil }
	s.size(wide, high)
	s.do(tea.FocusMsg{})
	return s
}

// size gives the terminal another size.
func (s *stage) size(wide, high int) {
	s.wide, s.high = wide, high
	s.do(tea.WindowSizeMsg{Width: wide, Height: high})
}

// do hands the model a message, and then the answers to what it asked for.
func (s *stage) do(msg tea.Msg) {
	s.Helper()
	_, cmd := s.m.Update(msg)
	s.run(cmd)
}

// run does what the model asks for, or keeps it for release.
func (s *stage) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	if s.held {
		s.due = append(s.due, cmd)
		return
	}
	switch msg := cmd().(type) {
	case nil:
	case tea.BatchMsg:
		for _, cmd := range msg {
			s.run(cmd)
		}
	default:
		if from := reflect.TypeOf(msg).PkgPath(); strings.HasSuffix(from, "tui") {
			s.do(msg)
		} else {
			s.told = append(s.told, msg)
		}
	}
}

// hold keeps what the model asks for, and release does it.
func (s *stage) hold() { s.held = true }
func (s *stage) release() {
	s.held = false
	due := s.due
	s.due = nil
	for _, cmd := range due {
		s.run(cmd)
	}
}

// happen has the client report events, in one batch.
func (s *stage) happen(events ...client.Event) {
	s.Helper()
	s.m.reader.Events(s.Context(), events)
	s.do(happened(events))
}

// up brings a link up, and opens the lobby after head messages.
func (s *stage) up() {
	s.Helper()
	s.happen(client.LinkUp{Title: "plant", Name: "carol", Epoch: 7})
	s.open("lobby", 0)
}

// open opens a room whose log has head messages, none of which is shown.
func (s *stage) open(room string, head uint64) {
	s.Helper()
	state := s.c.rooms[room]
	state.Name, state.Direct = room, isDirect(room)
	s.c.rooms[room] = state
	s.happen(client.Opened{Room: room, Status: wire.StatusOK, From: head + 1, Head: head, Direct: isDirect(room), Cursor: chat.Cursor{Epoch: 7, Seq: head}})
}

// said returns a message as the next of a room's log, which it joins.
func (s *stage) said(room, name, text string) client.Message {
	seq := uint64(len(s.c.logs[room])) + 1
	m := client.Message{
		Room: room, Seq: seq, ID: chat.ID{byte(seq >> 16), byte(seq >> 8), byte(seq), room[0], 1}, Epoch: 7, From: originOf(name), Name: name, Kind: chat.Text, Time: s.now, Text: text,
		Cursor: chat.Cursor{Epoch: 7, Seq: seq}, Sealed: isDirect(room),
	}
	s.c.logs[room] = append(s.c.logs[room], m)
	return m
}

// past fills a room's log with n messages that are not shown.
func (s *stage) past(room string, n int) {
	for i := range n {
		s.said(room, "bob", fmt.Sprintf("message %d", i+1))
	}
}

// kept has the node keep send n, the oldest if 0: the ack, and the message.
func (s *stage) kept(n int) {
	s.Helper()
	d := s.c.sends[n-1]
	m := s.said(d.Room, "carol", d.Text)
	m.Own, m.Kind, m.Re = true, d.Kind, d.Re
	s.c.pending--
	s.happen(client.Ack{N: uint64(n), Room: d.Room, Seq: m.Seq, ID: m.ID, Time: m.Time, Kind: d.Kind, Text: d.Text, Name: "carol"}, m)
}

// press presses keys, as Bubble Tea names them.
func (s *stage) press(keys ...string) {
	s.Helper()
	for _, k := range keys {
		s.do(keyPress(k))
	}
}

// typed types a text.
func (s *stage) typed(text string) {
	s.Helper()
	for _, r := range text {
		s.do(tea.KeyPressMsg{Code: r, Text: string(r)})
	}
}

// say types a line and ends it.
func (s *stage) say(text string) { s.Helper(); s.typed(text); s.press("enter") }

// named are keys that no character stands for.
var named = map[string]rune{
	"enter": tea.KeyEnter, "tab": tea.KeyTab, "esc": tea.KeyEscape, "backspace": tea.KeyBackspace, "delete": tea.KeyDelete, "up": tea.KeyUp, "down": tea.KeyDown,
	"left": tea.KeyLeft, "right": tea.KeyRight, "home": tea.KeyHome, "end": tea.KeyEnd, "pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "space": tea.KeySpace,
	"f1": tea.KeyF1, "f7": tea.KeyF7, "f8": tea.KeyF8,
}

// keyPress returns the key of that name.
func keyPress(name string) tea.KeyPressMsg {
	var k tea.KeyPressMsg
	for {
		switch {
		case strings.HasPrefix(name, "ctrl+"):
			k.Mod |= tea.ModCtrl
		case strings.HasPrefix(name, "alt+"):
			k.Mod |= tea.ModAlt
		case strings.HasPrefix(name, "shift+"):
			k.Mod |= tea.ModShift
		default:
			k.Code = named[name]
			if k.Code == 0 {
				k.Code = []rune(name)[0]
				if k.Mod == 0 {
					k.Text = name
				}
			}
			return k
		}
		name = name[strings.IndexByte(name, '+')+1:]
	}
}

// grid draws the screen into a terminal.
func (s *stage) grid() *screen.Grid {
	s.Helper()
	g := screen.NewGrid(s.wide, s.high)
	v := s.m.View()
	_, _ = g.Write([]byte(strings.ReplaceAll(v.Content, "\n", "\r\n")))
	if unknown := g.Unknown(); len(unknown) > 0 {
		s.Errorf("the screen does more than show text: %q", unknown)
	}
	return g
}

// lines are what stands on the screen.
func (s *stage) lines() []string { s.Helper(); return s.grid().Lines() }

// text is the screen in one.
func (s *stage) text() string { s.Helper(); return strings.Join(s.lines(), "\n") }

// wants checks that all these texts stand on the screen.
func (s *stage) wants(texts ...string) {
	s.Helper()
	have := s.text()
	for _, text := range texts {
		if !strings.Contains(have, text) {
			s.Errorf("%q is not on the screen:\n%s", text, have)
		}
	}
}

// lacks checks that none of these texts stands on the screen.
func (s *stage) lacks(texts ...string) {
	s.Helper()
	have := s.text()
	for _, text := range texts {
		if strings.Contains(have, text) {
			s.Errorf("%q is on the screen:\n%s", text, have)
		}
	}
}
