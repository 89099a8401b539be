package lines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/identity"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pass lets time go by that is a bubble's own, so that nobody waits, and what comes of it happen. Outside of a bubble it panics.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// noon is when every synctest bubble's messages are written.
var noon = time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC)

var (
	me  = identity.ID{1}
	bob = identity.ID{2}
)

// desk is a client whose node is the test.
type desk struct {
	answers   bool         // every send is kept at once
	noLink    bool         // no link comes by itself
	deaf      bool         // a goodbye is not answered
	addresses []string     // that the node says it has
	work      *client.Work // that the node tells of itself
	cap       int          // sends that wait for an answer before Send blocks; 0: no bound

	events chan client.Event
	over   chan struct{}

	mu      sync.Mutex
	drafts  []client.Draft
	open    int
	asked   []string
	ignored []client.Person
	failure error
	ended   bool
	quits   bool
	room    chan struct{} // closed and made anew by every answer
}

func newDesk() *desk {
	return &desk{events: make(chan client.Event, 4096), over: make(chan struct{}), room: make(chan struct{})}
}

func (d *desk) emit(events ...client.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range events {
		if !d.ended {
			d.events <- e
		}
	}
}

// end is how every fake link ends: events already told stay to be taken.
func (d *desk) end(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.ended {
		d.ended, d.failure = true, err
		close(d.over)
		close(d.events)
	}
}

func (d *desk) Run(ctx context.Context) error {
	if !d.noLink {
		d.emit(up())
	}
	select {
	case <-d.over:
	case <-ctx.Done():
		d.end(nil)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failure
}

func up() client.LinkUp {
	return client.LinkUp{Title: "Lab", Name: "carol", Node: identity.ID{9}, Epoch: 7}
}

func (d *desk) Events() <-chan client.Event { return d.events }

func (d *desk) Send(ctx context.Context, draft client.Draft) (uint64, error) {
	for {
		d.mu.Lock()
		if d.ended || d.quits {
			d.mu.Unlock()
			return 0, client.ErrClosed
		}
		if draft.Room == "@" {
			d.mu.Unlock()
			return 0, &client.RefusedError{Code: chat.BadRoom}
		}
		room := d.room
		if d.cap == 0 || d.open < d.cap {
			d.drafts = append(d.drafts, draft)
			d.open++
			n := len(d.drafts)
			d.mu.Unlock()
			if d.answers {
				d.keep(n)
			}
			return uint64(n), nil
		}
		d.mu.Unlock()
		select {
		case <-room:
		case <-d.over:
			return 0, client.ErrClosed
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// keep acknowledges send number n, and refuse refuses it.
func (d *desk) keep(n int) {
	draft := d.draft(n)
	d.emit(client.Ack{N: uint64(n), Ref: draft.Ref, Room: draft.Room, Seq: uint64(n), ID: chat.ID{byte(n)}, Time: noon, Kind: draft.Kind, Text: draft.Text, Name: "carol"})
	d.settle()
}

func (d *desk) refuse(n int, code chat.Code, after time.Duration) {
	draft := d.draft(n)
	d.emit(client.Refused{N: uint64(n), Ref: draft.Ref, Room: draft.Room, Text: draft.Text, Kind: draft.Kind, Code: code, RetryAfter: after})
	d.settle()
}

func (d *desk) draft(n int) client.Draft {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.drafts[n-1]
}

func (d *desk) settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open--
	close(d.room)
	d.room = make(chan struct{})
}

func (d *desk) texts() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for _, draft := range d.drafts {
		out = append(out, fmt.Sprintf("%s %v %s", draft.Room, draft.Kind, draft.Text))
	}
	return out
}

func (d *desk) Quit(ctx context.Context) error {
	for {
		d.mu.Lock()
		d.quits = true
		open, room, ended := d.open, d.room, d.ended
		d.mu.Unlock()
		switch {
		case open == 0 && !d.deaf:
			d.end(nil)
			return nil
		case ended:
			return &client.PendingError{Count: open, Err: client.ErrClosed}
		}
		select {
		case <-room:
		case <-d.over:
		case <-ctx.Done():
			d.end(nil)
			return &client.PendingError{Count: open, Err: ctx.Err()}
		}
	}
}

func (d *desk) Close() { d.end(nil) }

func (d *desk) ask(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, fmt.Sprintf(format, args...))
}

func (d *desk) Pending() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open
}

func (d *desk) Name() string { return "carol" }

func (d *desk) Shown(e client.Event) {
	switch e := e.(type) {
	case client.Message:
		d.ask("shown %s %d", e.Room, e.Seq)
	case client.Gap:
		d.ask("shown gap %s %d", e.Room, e.To)
	}
}

func (d *desk) Read(room string, seq uint64) { d.ask("read %s %d", room, seq) }

func (d *desk) Join(room string) error {
	d.ask("join %s", room)
	if room == "full" {
		return client.ErrFull
	}
	return nil
}
func (d *desk) Part(room string) error { d.ask("part %s", room); return nil }
func (d *desk) Nick(name string) error { d.ask("nick %s", name); return nil }

func (d *desk) Room(name string) (client.RoomState, bool) {
	return client.RoomState{Name: name, Topic: "tea"}, name == "lobby"
}

func (d *desk) Names(ctx context.Context, room string) ([]client.Person, int, error) {
	if room == "silent" {
		<-ctx.Done()
		return nil, 0, ctx.Err()
	}
	return []client.Person{{ID: bob, Name: "bob\x1b[2J"}}, 1, nil
}

func (d *desk) Whois(_ context.Context, who string) (client.Info, error) {
	if who == me.String() {
		return client.Info{Person: client.Person{ID: me, Name: "carol"}}, nil
	}
	if who != "bob" && who != bob.String() {
		return client.Info{}, &client.RefusedError{Code: chat.NoSuchUser}
	}
	return client.Info{Person: client.Person{ID: bob, Name: "bob"}, Sessions: 1, Rooms: []string{"lobby"}, Since: noon}, nil
}

func (d *desk) List(context.Context) ([]client.RoomInfo, error) {
	return []client.RoomInfo{{Name: "lobby", Members: 1, Head: 3, Topic: "tea"}, {Name: "ops", Members: 2, Head: 9, Topic: "coffee"}}, nil
}

func (d *desk) History(_ context.Context, room string, q client.HistoryQuery) ([]client.Message, bool, error) {
	since := ""
	if !q.Since.IsZero() {
		since = time.Since(q.Since).String()
	}
	d.ask("history %s %d %d %s", room, q.N, q.Before, since)
	if room != "lobby" {
		return nil, false, &client.RefusedError{Code: chat.NoSuchRoom, Text: room}
	}
	return logged(room, 4, 5), true, nil
}

func (d *desk) Search(_ context.Context, q client.SearchQuery) (client.Found, error) {
	d.ask("search %+v", q)
	if q.Words == "carol" {
		return client.Found{Hits: append(logged("ops", 8), client.Message{Room: "ops", Seq: 6, From: 2, Name: "bob", Kind: chat.Text, Time: noon, Text: "hi Carol", Re: chat.ID{1}}), Behind: 2}, nil
	}
	return client.Found{Hits: logged("@bob", 9), Next: 7, Behind: 2}, nil
}

// logged returns messages of a room, one's own among them, all of them with more in their texts than a line shows.
func logged(room string, seqs ...uint64) (list []client.Message) {
	for _, seq := range seqs {
		list = append(list, client.Message{Room: room, Seq: seq, Epoch: 7, From: 2, Name: "bob", Kind: chat.Text, Time: noon, Text: "a\nb\x1b[2J", Own: seq == 5})
		if room == "@bob" {
			list[0].To = "bob"
		}
	}
	return list
}

func (d *desk) Keep(_ context.Context, room string) (client.Keep, error) {
	d.ask("keep %s", room)
	return client.Keep{}, nil
}

func (d *desk) SetKeep(_ context.Context, room string, k client.Keep) (client.Keep, error) {
	d.ask("set keep %s %+v", room, k)
	if k.Size == 1 {
		return client.Keep{}, &client.RefusedError{Code: chat.Denied}
	}
	return k, nil
}

func (d *desk) Away(_ context.Context, text string, away bool) error {
	d.ask("away %q %v", text, away)
	if text == "now and then" {
		return &client.RefusedError{Code: chat.TooFast, RetryAfter: 10 * time.Second}
	}
	return nil
}

func (d *desk) Invite(_ context.Context, room string, uses int, lasts time.Duration) (client.Invitation, error) {
	d.ask("invite %q %d %v", room, uses, lasts)
	if room == "full" {
		return client.Invitation{}, &client.RefusedError{Code: chat.TooFast, RetryAfter: 39500 * time.Millisecond}
	}
	return client.Invitation{Node: identity.ID{9}, Token: make([]byte, identity.TokenLen), Uses: uses, Expires: noon, Addresses: d.addresses}, nil
}

func (d *desk) InviteNode(_ context.Context, lasts time.Duration) (client.Invitation, error) {
	d.ask("invite node %v", lasts)
	return client.Invitation{Node: identity.ID{9}, Token: make([]byte, identity.TokenLen), Uses: 1, Expires: noon, Addresses: d.addresses}, nil
}

func (d *desk) Peers(_ context.Context) (client.Peers, error) {
	d.ask("peers")
	return client.Peers{Space: "00ff", Peers: []client.Peer{
		{ID: bob, Title: "Barn\x1b[2J", Address: "10.0.0.5:8080", State: "linked", Admitted: true, RTT: 1500 * time.Microsecond, Behind: 3, Ahead: 1, Seen: noon, Note: "late"},
		{Address: "10.0.0.6:8080", State: "dialing"},
	}}, nil
}

func (d *desk) NodeStats(_ context.Context) (client.NodeStats, error) {
	d.ask("stats")
	return client.NodeStats{Up: 90 * time.Second, Sessions: 2, Rooms: 1, Work: d.work}, nil
}

func (d *desk) Admit(_ context.Context, node string, mode client.PeerMode) (client.Peer, error) {
	d.ask("admit %s %d", node, mode)
	if node == "eve" {
		return client.Peer{}, &client.RefusedError{Code: chat.NoSuchUser}
	}
	return client.Peer{ID: bob, Title: "Barn", State: "linked", Admitted: mode == client.AdmitPeer}, nil
}

func (d *desk) Causal(_ context.Context, room string, q client.CausalQuery) (client.CausalPage, error) {
	d.ask("causal %s", room)
	return client.CausalPage{List: []client.Message{{Room: room, Seq: 7, Name: "bob", Kind: chat.Text, Time: noon, Text: "hi"}}, Digest: []byte{0, 255}, Total: 9}, nil
}

func (d *desk) Release(_ context.Context, name string) (client.Person, error) {
	d.ask("release %s", name)
	if name != "bob" {
		return client.Person{}, &client.RefusedError{Code: chat.NoSuchUser}
	}
	return client.Person{ID: bob, Name: "Bob\x1b[2J"}, nil
}

func (d *desk) Ignore(who client.Person, on bool) error {
	d.ask("ignore %s %v", who.Name, on)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ignored = nil; on {
		d.ignored = []client.Person{who}
	}
	return nil
}

func (d *desk) Banned(_ context.Context, room string) ([]client.Ban, error) {
	d.ask("banned %s", room)
	if room != "lobby" {
		return nil, &client.RefusedError{Code: chat.NotAllowed}
	}
	return []client.Ban{{Who: client.Person{ID: bob, Name: "bob\x1b[2J"}, By: client.Person{ID: me}, Since: noon, Until: noon.Add(time.Hour), Text: "a\x1b[2J"}}, nil
}

func (d *desk) Ignored() []client.Person {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ignored
}

func (d *desk) Authors(_ context.Context, from []uint64) map[uint64]identity.ID {
	d.ask("authors %v", from)
	return map[uint64]identity.ID{2: bob}
}

func (d *desk) Author(ctx context.Context, from uint64) (identity.ID, error) {
	d.ask("author %d", from)
	switch from {
	case 2:
		return bob, nil
	case 3:
		<-ctx.Done()
		return identity.ID{}, ctx.Err()
	}
	return identity.ID{}, errors.New("not known")
}

// sheet is paper that can be read while it is written.
type sheet struct {
	mu   sync.Mutex
	text bytes.Buffer
	fail error
	full chan struct{} // while it is not nil and open, writes wait
}

func (s *sheet) Write(p []byte) (int, error) {
	if s.full != nil {
		<-s.full
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return 0, s.fail
	}
	return s.text.Write(p)
}

func (s *sheet) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// running is a Run that a test drives. It lives in a synctest bubble.
type running struct {
	t        *testing.T
	desk     *desk
	out, err sheet
	in       *io.PipeWriter
	stop     context.CancelFunc
	ended    chan error
	json     bool // what is typed goes in as objects
}

// start runs lines in room lobby with an input that typed writes and eof ends.
func start(t *testing.T, d *desk, change func(*Config)) *running {
	t.Helper()
	in, w := io.Pipe()
	r := &running{t: t, desk: d, in: w, ended: make(chan error, 1)}
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	cfg := Config{Client: d, In: in, Out: &r.out, Err: &r.err, ID: me, Rooms: []string{"lobby"}, Zone: time.UTC}
	if change != nil {
		change(&cfg)
	}
	go func() { r.ended <- Run(ctx, cfg) }()
	t.Cleanup(func() {
		stop()
		_ = w.Close()
		pass(grace)
	})
	synctest.Wait()
	return r
}

func (r *running) typed(text string) {
	r.t.Helper()
	if r.json {
		kind, field := "send", "text"
		if strings.HasPrefix(text, "/") {
			kind, field = "command", "line"
		}
		text = fmt.Sprintf("{%q:%q,%q:%q}\n", "type", kind, field, strings.TrimSpace(text))
	}
	go func() { _, _ = io.WriteString(r.in, text) }()
	synctest.Wait()
}

func (r *running) eof() { _ = r.in.Close(); synctest.Wait() }

func (r *running) told(events ...client.Event) { r.desk.emit(events...); synctest.Wait() }

// result returns what Run returned, and fails when it has not.
func (r *running) result() error {
	r.t.Helper()
	synctest.Wait()
	select {
	case err := <-r.ended:
		return err
	default:
		r.t.Fatalf("Run goes on; it printed %q and %q", r.out.String(), r.err.String())
		return nil
	}
}

// goesOn fails when Run has returned.
func (r *running) goesOn() {
	r.t.Helper()
	synctest.Wait()
	select {
	case err := <-r.ended:
		r.t.Fatalf("Run returned %v; it printed %q and %q", err, r.out.String(), r.err.String())
	default:
	}
}

// wants fails unless the two streams hold exactly these lines.
func (r *running) wants(out, err string) {
	r.t.Helper()
	synctest.Wait()
	if got := r.out.String(); got != out {
		r.t.Errorf("stdout is\n%swant\n%s", got, out)
	}
	if got := r.err.String(); got != err {
		r.t.Errorf("stderr is\n%swant\n%s", got, err)
	}
}

// wantsEnd fails unless err is kind and its sentence has all parts.
func wantsEnd(t *testing.T, err, kind error, parts ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("Run returned %v, want %v", err, kind)
		return
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("Run's error is %q, want %q in it", err, p)
		}
	}
}
