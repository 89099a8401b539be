// Package county runs nodes and their users in the process of a test, by the run function of the program itself: it types, reads what is printed, and has
// the oracle judge it. Nodes can be linked with each other over cables, which can be cut and mended. Only tests import it.
package county

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/oracle"
)

// County is where programs run.
type County struct {
	// Run is the program with everything it touches passed in.
	Run func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int
	// Patience is how long is waited for what must come. It is no measure of speed.
	Patience time.Duration
}

// Object is any JSON object that chatnode prints.
type Object struct {
	Type   string
	Addr   string
	State  string
	Room   string
	Seq    uint64
	ID     string
	Epoch  string
	Cursor string
	Name   string
	To     string
	Author string
	Kind   string
	Text   string
	Ref    string
	N      uint64
	Code   string
	Why    string
	Own    bool
	Sealed bool
	People []struct{ Name, ID string }

	Node     string
	Via      string
	Link     string
	Digest   string
	Total    int
	Space    string
	Title    string
	Address  string
	Admitted bool
	Note     string
	Peers    []Object
	Messages []Object
	Rooms    []json.RawMessage // of a person their names, of a node an object each

	Metrics  string
	Sessions uint64
	Work     *struct {
		Messages, Deliveries uint64
		Refused, Dropped     map[string]uint64
		TurnedAway           map[string]uint64 `json:"turned_away"`
	}

	RetryAfterMS int64 `json:"retry_after_ms"`
}

// Program is a run of chatnode inside the test's process.
type Program struct {
	Name   string
	t      *testing.T
	county *County
	in     *io.PipeWriter
	cancel context.CancelFunc
	exit   chan int // capacity 1: what run returned
	stderr lockedBuffer

	// What its user lives through, for the oracle; owned by the goroutine that reads what it prints.
	story *oracle.Client
	also  []*oracle.Client // other histories, which are told what the user says
	sends atomic.Uint64

	// mu promises that objects holds everything printed so far; grown is closed and renewed with each.
	mu      sync.Mutex
	objects []Object
	grown   chan struct{}
	next    int // first object that Expect has not looked at; owned by the test
}

// lockedBuffer is a bytes.Buffer for many goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Start runs chatnode with -json and reads what it prints. It is ended with the test.
func (c *County) Start(t *testing.T, name string, args ...string) *Program {
	t.Helper()
	return c.StartStory(t, new(oracle.History), name, args...)
}

// StartStory is Start for a program whose user's part of a history is told to the oracle.
func (c *County) StartStory(t *testing.T, history *oracle.History, name string, args ...string) *Program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stdin, in := io.Pipe()
	out, stdout := io.Pipe()
	p := &Program{t: t, Name: name, county: c, in: in, cancel: cancel, exit: make(chan int, 1), grown: make(chan struct{}), story: history.Client(name)}
	var group sync.WaitGroup
	group.Go(func() { p.read(out) })
	group.Go(func() {
		p.exit <- c.Run(ctx, append([]string{"-json"}, args...), stdin, stdout, &p.stderr)
		stdout.Close()
		stdin.Close()
	})
	t.Cleanup(func() {
		cancel()
		in.Close()
		group.Wait()
		if t.Failed() {
			t.Logf("%s said on stderr:\n%s", name, p.stderr.String())
		}
	})
	return p
}

func (p *Program) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var o Object
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			p.t.Errorf("%s printed %q: %v", p.Name, lines.Text(), err)
		}
		p.tell(o)
		p.mu.Lock()
		p.objects = append(p.objects, o)
		close(p.grown)
		p.grown = make(chan struct{})
		p.mu.Unlock()
	}
}

// tell adds an object to the user's story.
func (p *Program) tell(o Object) {
	switch o.Type {
	case "ack":
		p.story.Acked(o.N, o.Seq, idOf(o))
	case "refused":
		p.story.Refused(o.N, chat.Internal)
	case "message":
		p.story.Shown(o.Room, rowOf(o))
	case "gap":
		p.story.Gap(o.Room)
	case "reset":
		p.story.Reset(o.Room)
	case "closed":
		p.story.Joined(o.Room)
	}
}

func idOf(o Object) chat.ID {
	id, _ := chat.ParseID(o.ID) // none is zero, which the oracle compares too
	return id
}

func rowOf(o Object) oracle.Row {
	return oracle.Row{Seq: o.Seq, Text: o.Text, ID: idOf(o), Author: o.Author}
}

// LogOf returns a room's log as one who was there from the beginning saw it.
func LogOf(p *Program, room string) oracle.Log {
	log := oracle.Log{Rooms: map[string][]oracle.Row{}}
	for _, o := range p.Messages(room) {
		log.Rooms[room] = append(log.Rooms[room], rowOf(o))
	}
	return log
}

// Expect returns the next object that match takes, and fails the test when none comes.
func (p *Program) Expect(what string, match func(Object) bool) Object {
	p.t.Helper()
	timeout := time.After(p.county.Patience)
	for {
		p.mu.Lock()
		for p.next < len(p.objects) {
			o := p.objects[p.next]
			p.next++
			if match(o) {
				p.mu.Unlock()
				return o
			}
		}
		grown := p.grown
		p.mu.Unlock()
		select {
		case <-grown:
		case <-timeout:
			p.t.Fatalf("%s: no %s in %v; it printed %d objects, the last %+v", p.Name, what, p.county.Patience, len(p.objects), p.last())
		}
	}
}

func (p *Program) last() []Object {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.objects[max(0, len(p.objects)-5):]
}

// ExpectType is Expect for an object of that type.
func (p *Program) ExpectType(kind string) Object {
	p.t.Helper()
	return p.Expect(kind, func(o Object) bool { return o.Type == kind })
}

// ExpectText is Expect for a message with that text.
func (p *Program) ExpectText(text string) Object {
	p.t.Helper()
	return p.Expect(fmt.Sprintf("message %q", text), func(o Object) bool { return o.Type == "message" && o.Text == text })
}

// Messages returns the messages of a room that were printed so far.
func (p *Program) Messages(room string) []Object {
	return p.All(func(o Object) bool { return o.Type == "message" && o.Room == room })
}

// All returns what match takes of all that was printed so far.
func (p *Program) All(match func(Object) bool) (all []Object) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.objects {
		if match(o) {
			all = append(all, o)
		}
	}
	return all
}

// Say sends a message.
func (p *Program) Say(room, text string) {
	n := p.sends.Add(1)
	for _, story := range append(p.also, p.story) {
		story.Invoke(n, room, text)
	}
	p.Write(map[string]any{"type": "send", "room": room, "text": text})
}

// Command types a command.
func (p *Program) Command(line string) { p.Write(map[string]any{"type": "command", "line": line}) }

// Ask types a command again and again, until match takes the answer to it, which is an object of that type.
func (p *Program) Ask(line, kind, what string, match func(Object) bool) Object {
	p.t.Helper()
	for begun := time.Now(); time.Since(begun) < p.county.Patience; {
		p.Command(line)
		if o := p.ExpectType(kind); match(o) {
			return o
		}
	}
	p.t.Fatalf("%s: no %s in %v", p.Name, what, p.county.Patience)
	return Object{}
}

// Write writes a line of JSON to its input.
func (p *Program) Write(v any) {
	p.t.Helper()
	line, err := json.Marshal(v)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		p.t.Errorf("%s takes no more input: %v", p.Name, err)
	}
}

// Interrupt is a SIGINT: it ends the program and returns its exit code.
func (p *Program) Interrupt() int {
	p.cancel()
	code := <-p.exit
	p.exit <- code
	return code
}

// Node runs a node and returns it with its address.
func (c *County) Node(t *testing.T, args ...string) (*Program, string) {
	t.Helper()
	if !slices.Contains(args, "-listen") {
		args = append(args, "-listen", "127.0.0.1:0")
	}
	p := c.Start(t, "node", append([]string{"-rate", "0", "-room-rate", "0"}, args...)...)
	return p, p.ExpectType("listening").Addr
}

// Join runs a client that follows the lobby, and waits until it is there.
func (c *County) Join(t *testing.T, addr, name string, args ...string) *Program {
	t.Helper()
	return c.JoinStory(t, new(oracle.History), addr, name, args...)
}

// JoinStory is Join for a client whose user's part of a history is told to the oracle.
func (c *County) JoinStory(t *testing.T, history *oracle.History, addr, name string, args ...string) *Program {
	t.Helper()
	p := c.StartStory(t, history, name, append([]string{"-connect", addr, "-name", name, "-follow"}, args...)...)
	p.ExpectType("opened")
	p.WaitFor("the people present", func() bool { return p.Printed("present") })
	return p
}

// Agree fails unless the history is true of the log that the first program saw, and all programs have seen all of it.
func Agree(t *testing.T, history *oracle.History, room string, want int, all ...*Program) {
	t.Helper()
	log := LogOf(all[0], room)
	if err := history.Check(log); err != nil {
		t.Error(err)
	}
	for _, p := range all {
		if diff := cmp.Diff(log, LogOf(p, room)); diff != "" || len(log.Rooms[room]) != want {
			t.Errorf("%s saw %d messages, %s %d, want %d and the same (-%[1]s +%[3]s):\n%.2000[6]s",
				all[0].Name, len(log.Rooms[room]), p.Name, len(p.Messages(room)), want, diff)
		}
	}
}

// WaitFor waits until what was printed satisfies done.
func (p *Program) WaitFor(what string, done func() bool) {
	p.t.Helper()
	timeout := time.After(p.county.Patience)
	for {
		p.mu.Lock()
		grown := p.grown
		p.mu.Unlock()
		if done() {
			return
		}
		select {
		case <-grown:
		case <-timeout:
			p.t.Fatalf("%s: no %s in %v; the last objects: %+v", p.Name, what, p.county.Patience, p.last())
		}
	}
}

// Printed reports whether it has printed an object of that type.
func (p *Program) Printed(kind string) bool {
	return len(p.All(func(o Object) bool { return o.Type == kind })) > 0
}
