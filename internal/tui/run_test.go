package tui

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/identity"
	"chatnode/internal/screen"
	"chatnode/internal/talk"
)

// livingClient is a fake client whose events and end come from the test.
type livingClient struct {
	*fakeClient
	events chan client.Event
	ends   chan error // what Run returns

	mu     sync.Mutex // guards what follows
	closes int
}

func newLivingClient() *livingClient {
	return &livingClient{fakeClient: newFakeClient(), events: make(chan client.Event, 64), ends: make(chan error, 2)}
}

func (c *livingClient) Events() <-chan client.Event { return c.events }

func (c *livingClient) Run(context.Context) error {
	defer close(c.events)
	return <-c.ends
}

func (c *livingClient) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closes++; c.closes == 1 {
		c.ends <- nil
	}
}

func (c *livingClient) Quit(context.Context) error { c.Close(); return nil }

// terminal is what a Run draws on, and the keys that it reads.
type terminal struct {
	*screen.Grid
	keys    *io.PipeWriter
	changed chan struct{} // capacity 1: something was drawn
}

func (t *terminal) Write(p []byte) (int, error) {
	n, err := t.Grid.Write(p)
	select {
	case t.changed <- struct{}{}:
	default:
	}
	return n, err
}

// wait waits until text stands on the screen.
func (t *terminal) wait(tb testing.TB, text string) {
	tb.Helper()
	patience := time.After(20 * time.Second)
	for !strings.Contains(strings.Join(t.Lines(), "\n"), text) {
		select {
		case <-t.changed:
		case <-patience:
			tb.Fatalf("%q does not come:\n%s", text, strings.Join(t.Lines(), "\n"))
		}
	}
}

// running starts a Run on a terminal, and returns how to wait for its end.
func running(t *testing.T, ctx context.Context, c *livingClient, change func(*Config)) (*terminal, func() error) {
	t.Helper()
	in, keys := io.Pipe()
	out := &terminal{Grid: screen.NewGrid(80, 24), keys: keys, changed: make(chan struct{}, 1)}
	cfg := Config{Client: c, In: in, Out: out, Environ: []string{"TERM=xterm", "COLUMNS=80", "LINES=24"}, Rooms: []string{"lobby"}, Zone: time.UTC, Kept: true}
	if change != nil {
		change(&cfg)
	}
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, cfg); keys.Close(); in.Close() }()
	return out, func() error {
		t.Helper()
		select {
		case err := <-ended:
			return err
		case <-time.After(30 * time.Second):
			t.Fatal("Run does not return")
			return nil
		}
	}
}

func TestRunTalksAndQuits(t *testing.T) {
	c := newLivingClient()
	term, end := running(t, t.Context(), c, nil)
	c.events <- client.LinkUp{Title: "plant", Name: "carol"}
	c.events <- client.Opened{Room: "lobby", From: 1, Cursor: chat.Cursor{Epoch: 1}}
	c.events <- client.Message{Room: "lobby", Seq: 1, ID: chat.ID{1}, Name: "bob", Kind: chat.Text, Time: dawn, Text: "hello carol"}
	term.wait(t, "hello carol")
	_, _ = io.WriteString(term.keys, "hi bob\r")
	term.wait(t, "hi bob …")
	_, _ = io.WriteString(term.keys, "\x04")
	term.wait(t, "not known to be kept")
	_, _ = io.WriteString(term.keys, "q")
	err := end()
	if !errors.Is(err, talk.ErrNotKept) || !strings.Contains(err.Error(), "1 message is not known to be kept, and tried again at the next start") {
		t.Errorf("Run = %v", err)
	}
	if len(c.sends) != 1 || c.sends[0].Text != "hi bob" {
		t.Errorf("sent %v", c.sends)
	}
}

func TestRunEnds(t *testing.T) {
	changed := &identity.ChangedError{Address: "plant:8080"}
	for name, c := range map[string]struct {
		ran    error
		wants  error
		says   string
		events []client.Event
		change func(*Config)
	}{
		"refused":     {ran: &client.RefusedError{Code: chat.Full}, wants: talk.ErrRefused, says: "the node refuses this client"},
		"changed":     {ran: changed, wants: changed},
		"broken":      {ran: errors.New("a bug"), says: "keep a link to the node: a bug"},
		"unreachable": {events: []client.Event{client.LinkDown{Err: errors.New("nobody\nthere")}}, wants: talk.ErrUnreachable, says: "within 1ns: nobody; there", change: func(c *Config) { c.Timeout = 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			fake := newLivingClient()
			for _, e := range c.events {
				fake.events <- e
			}
			if c.ran != nil {
				fake.ends <- c.ran
			}
			_, end := running(t, t.Context(), fake, c.change)
			err := end()
			if c.wants != nil && !errors.Is(err, c.wants) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Run = %v", err)
			}
		})
	}
}

// Whoever started the program ends it: the user is not asked, and the terminal is left as it was.
func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := newLivingClient()
	term, end := running(t, ctx, c, nil)
	c.events <- client.LinkUp{Title: "plant", Name: "carol"}
	term.wait(t, "plant")
	if !term.Alt() {
		t.Error("it is not on a screen of its own")
	}
	cancel()
	if err := end(); err != nil {
		t.Errorf("Run = %v", err)
	}
	if _, _, visible := term.Cursor(); term.Alt() || term.Pasting() || term.Focusing() || !visible {
		t.Error("the terminal is not as it was")
	}
	if unknown := term.Unknown(); len(unknown) > 0 {
		t.Errorf("the terminal was told %q", unknown)
	}
}

func TestLogKeepsItsLastLines(t *testing.T) {
	l := NewLog()
	for range maxLogged {
		_, _ = io.WriteString(l, "old\n")
	}
	_, _ = io.WriteString(l, "half ")
	_, _ = io.WriteString(l, "a line\n\x1b[2Jhostile\nnot ended")
	_, _ = io.WriteString(l, strings.Repeat("x", 3*maxLogLine)+"\n")
	lines := l.take()
	if len(lines) != maxLogged {
		t.Errorf("%d lines", len(lines))
	}
	if diff := cmp.Diff([]string{"half a line", "\ufffd[2Jhostile"}, lines[len(lines)-3:len(lines)-1]); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if last := lines[len(lines)-1]; len(last) != maxLogLine {
		t.Errorf("the last has %d bytes", len(last))
	}
	if rest := l.take(); rest != nil {
		t.Errorf("and then %q", rest)
	}
}
