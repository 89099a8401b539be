package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/faults"
	"chatnode/internal/identity"
	"chatnode/internal/oracle"
	"chatnode/internal/store"
	"chatnode/internal/story"
	"chatnode/internal/talk"
	"chatnode/internal/trial"
	"chatnode/internal/typist"
)

// TestMain lets the scripts run the real program as "chatnode", and trials run it under their orders. It keeps tests out of the user's own folders, and
// fails when one leaves a goroutine behind.
func TestMain(m *testing.M) {
	os.Setenv("TZ", "UTC")
	if wrap, moment, ordered := trial.Obey(); ordered {
		wrapStore = func(s nodeStore) nodeStore { return wrap(s) }
		storeMoment = moment
		main()
	}
	testscript.Main(leakChecked{m}, map[string]func(){"chatnode": main})
}

// leakChecked is a test run that ends badly when goroutines are left.
type leakChecked struct{ m *testing.M }

func (l leakChecked) Run() int {
	home, err := os.MkdirTemp("", "chatnode-home-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(home)
	for _, variable := range story.Homes {
		os.Setenv(variable, filepath.Join(home, variable))
	}
	openKnown = func(string) (*identity.Known, string, error) {
		known, err := identity.OpenKnown("")
		return known, "", err
	}
	code := l.m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "goroutines are left:", err)
		return 1
	}
	return code
}

// patience is how long a test waits for what must come. It is no measure of speed.
const patience = 60 * time.Second

// object is any JSON object that chatnode prints.
type object struct {
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
	From   uint64
	Own    bool
	Sealed bool
	People []struct{ Name, ID string }

	RetryAfterMS int64 `json:"retry_after_ms"`
}

// program is a run of chatnode inside the test's process.
type program struct {
	t      *testing.T
	name   string
	in     *io.PipeWriter
	cancel context.CancelFunc
	exit   chan int // capacity 1: what run returned
	stderr lockedBuffer

	// What its user lives through, for the oracle; owned by the goroutine that reads what it prints.
	story *oracle.Client
	sends atomic.Uint64

	// mu promises that objects holds everything printed so far; grown is closed and renewed with each.
	mu      sync.Mutex
	objects []object
	grown   chan struct{}
	next    int // first object that expect has not looked at; owned by the test
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

// start runs chatnode with -json and reads what it prints. It is ended with the test.
func start(t *testing.T, name string, args ...string) *program {
	t.Helper()
	return startStory(t, new(oracle.History), name, args...)
}

// startStory is start for a program whose user's part of a history is told to the oracle.
func startStory(t *testing.T, history *oracle.History, name string, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stdin, in := io.Pipe()
	out, stdout := io.Pipe()
	p := &program{t: t, name: name, in: in, cancel: cancel, exit: make(chan int, 1), grown: make(chan struct{}), story: history.Client(name)}
	var group sync.WaitGroup
	group.Go(func() { p.read(out) })
	group.Go(func() {
		p.exit <- run(ctx, append([]string{"-json"}, args...), stdin, stdout, &p.stderr)
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

func (p *program) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var o object
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			p.t.Errorf("%s printed %q: %v", p.name, lines.Text(), err)
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
func (p *program) tell(o object) {
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

func idOf(o object) chat.ID {
	id, _ := chat.ParseID(o.ID) // none is zero, which the oracle compares too
	return id
}

func rowOf(o object) oracle.Row {
	return oracle.Row{Seq: o.Seq, Text: o.Text, ID: idOf(o), Author: o.Author}
}

// logOf returns a room's log as one who was there from the beginning saw it.
func logOf(p *program, room string) oracle.Log {
	log := oracle.Log{Rooms: map[string][]oracle.Row{}}
	for _, o := range p.messages(room) {
		log.Rooms[room] = append(log.Rooms[room], rowOf(o))
	}
	return log
}

// expect returns the next object that match takes, and fails the test when none comes.
func (p *program) expect(what string, match func(object) bool) object {
	p.t.Helper()
	timeout := time.After(patience)
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
			p.t.Fatalf("%s: no %s in %v; it printed %d objects, the last %+v", p.name, what, patience, len(p.objects), p.last())
		}
	}
}

func (p *program) last() []object {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.objects[max(0, len(p.objects)-5):]
}

func (p *program) expectType(kind string) object {
	p.t.Helper()
	return p.expect(kind, func(o object) bool { return o.Type == kind })
}

func (p *program) expectText(text string) object {
	p.t.Helper()
	return p.expect(fmt.Sprintf("message %q", text), func(o object) bool { return o.Type == "message" && o.Text == text })
}

// messages returns the messages of a room that were printed so far.
func (p *program) messages(room string) (all []object) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.objects {
		if o.Type == "message" && o.Room == room {
			all = append(all, o)
		}
	}
	return all
}

// say sends a message; command types a command.
func (p *program) say(room, text string) {
	p.story.Invoke(p.sends.Add(1), room, text)
	p.write(map[string]any{"type": "send", "room": room, "text": text})
}

func (p *program) command(line string) { p.write(map[string]any{"type": "command", "line": line}) }

func (p *program) write(v any) {
	p.t.Helper()
	line, err := json.Marshal(v)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		p.t.Errorf("%s takes no more input: %v", p.name, err)
	}
}

// interrupt is a SIGINT: it ends the program and returns its exit code.
func (p *program) interrupt() int {
	p.cancel()
	code := <-p.exit
	p.exit <- code
	return code
}

// startNode runs a node and returns it with its address.
func startNode(t *testing.T, args ...string) (*program, string) {
	t.Helper()
	if !slices.Contains(args, "-listen") {
		args = append(args, "-listen", "127.0.0.1:0")
	}
	p := start(t, "node", append([]string{"-rate", "0", "-room-rate", "0"}, args...)...)
	return p, p.expectType("listening").Addr
}

// join runs a client that follows the lobby, and waits until it is there.
func join(t *testing.T, addr, name string, args ...string) *program {
	t.Helper()
	return joinStory(t, new(oracle.History), addr, name, args...)
}

// joinStory is join for a client whose user's part of a history is told to the oracle.
func joinStory(t *testing.T, history *oracle.History, addr, name string, args ...string) *program {
	t.Helper()
	p := startStory(t, history, name, append([]string{"-connect", addr, "-name", name, "-follow"}, args...)...)
	p.expectType("opened")
	p.waitFor("the people present", func() bool { return p.printed("present") })
	return p
}

// agree fails unless the history is true of the log that the first program saw, and all programs have seen all of it.
func agree(t *testing.T, history *oracle.History, room string, want int, all ...*program) {
	t.Helper()
	log := logOf(all[0], room)
	if err := history.Check(log); err != nil {
		t.Error(err)
	}
	for _, p := range all {
		if diff := cmp.Diff(log, logOf(p, room)); diff != "" || len(log.Rooms[room]) != want {
			t.Errorf("%s saw %d messages, %s %d, want %d and the same (-%[1]s +%[3]s):\n%.2000[6]s",
				all[0].name, len(log.Rooms[room]), p.name, len(p.messages(room)), want, diff)
		}
	}
}

func TestHundredClientsOneOrder(t *testing.T) {
	const clients = 100
	each := 10
	if raceEnabled() {
		each = 3
	}
	_, addr := startNode(t)
	var history oracle.History
	all := make([]*program, clients)
	for i := range all {
		all[i] = joinStory(t, &history, addr, fmt.Sprintf("user%d", i))
	}
	var senders sync.WaitGroup
	for _, p := range all {
		senders.Go(func() {
			for n := 1; n <= each; n++ {
				p.say("lobby", fmt.Sprintf("%s %d", p.name, n))
			}
		})
	}
	senders.Wait()
	for _, p := range all {
		for range clients * each {
			p.expectType("message")
		}
	}
	agree(t, &history, "lobby", clients*each, all...)
}

// Every way in which a client can go and come back, while others talk: nobody misses or repeats a message.
func TestDisconnects(t *testing.T) {
	_, addr := startNode(t)
	var history oracle.History
	carol := joinStory(t, &history, addr, "carol")
	proxies := map[string]*faults.Proxy{}
	guests := map[string]*program{}
	for _, name := range []string{"reset", "vanish", "stall"} {
		proxy, err := faults.NewProxy(addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(proxy.Close)
		proxies[name] = proxy
		guests[name] = joinStory(t, &history, proxy.Addr(), name)
	}
	polite := join(t, addr, "polite")

	n := 0
	talk := func(count int) {
		for range count {
			n++
			carol.say("lobby", fmt.Sprintf("carol %d", n))
		}
		carol.expectText(fmt.Sprintf("carol %d", n))
	}
	talk(20)
	proxies["vanish"].Hold(true, true) // no FIN, no RST: the cable is out
	proxies["stall"].Hold(false, true) // it takes nothing, but its own words still come
	guests["reset"].say("lobby", "reset 1")
	proxies["reset"].Reset()
	guests["stall"].say("lobby", "stall 1")
	guests["vanish"].say("lobby", "vanish 1")
	carol.expectText("stall 1")
	talk(200)
	if code := polite.interrupt(); code != exitOK {
		t.Errorf("a polite goodbye ends with exit code %d, want 0", code)
	}
	guests["reset"].expect("lost link", func(o object) bool { return o.Type == "link" && o.State == "down" })
	proxies["vanish"].Reset()
	proxies["vanish"].Resume()
	proxies["stall"].Resume()
	talk(20)

	all := []*program{carol}
	for _, p := range guests {
		all = append(all, p)
	}
	for _, p := range all {
		p.waitFor("all messages", func() bool { return len(p.messages("lobby")) >= n+len(guests) })
	}
	agree(t, &history, "lobby", n+len(guests), all...)
	for _, p := range all {
		for _, kind := range []string{"gap", "reset", "refused"} {
			if p.printed(kind) {
				t.Errorf("%s printed a %s", p.name, kind)
			}
		}
	}
}

// waitFor waits until what was printed satisfies done.
func (p *program) waitFor(what string, done func() bool) {
	p.t.Helper()
	timeout := time.After(patience)
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
			p.t.Fatalf("%s: no %s in %v; the last objects: %+v", p.name, what, patience, p.last())
		}
	}
}

func (p *program) printed(kind string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.objects, func(o object) bool { return o.Type == kind })
}

// A node that goes tells its clients at once, and one that starts again in its place, with an empty memory, is joined with a reset that is shown.
func TestNodeStopsAndStarts(t *testing.T) {
	key := filepath.Join(t.TempDir(), "node.key")
	node, addr := startNode(t, "-identity", key)
	carol, bob := join(t, addr, "carol"), join(t, addr, "bob")
	carol.say("lobby", "before")
	carol.expectType("ack") // or the next node would be sent it too
	bob.expectText("before")
	if code := node.interrupt(); code != exitOK {
		t.Errorf("the node ends with exit code %d, want 0", code)
	}
	for _, p := range []*program{carol, bob} {
		down := p.expect("lost link", func(o object) bool { return o.Type == "link" && o.State == "down" })
		if down.Code != "stopping" || down.RetryAfterMS == 0 {
			t.Errorf("%s was told %+v, want stopping with a time to come back", p.name, down)
		}
	}
	carol.say("lobby", "meanwhile")
	startNode(t, "-listen", addr, "-ephemeral", "-identity", key)
	for _, p := range []*program{carol, bob} {
		if reset := p.expectType("reset"); reset.Why != "epoch" {
			t.Errorf("%s was told reset %q, want epoch", p.name, reset.Why)
		}
		if m := p.expectText("meanwhile"); m.Seq != 1 {
			t.Errorf("%s sees the first message of the new node as %d", p.name, m.Seq)
		}
	}
}

func TestNames(t *testing.T) {
	_, addr := startNode(t)
	first, second := start(t, "first", "-connect", addr, "-name", "carol", "-follow"), (*program)(nil)
	first.expectType("opened")
	second = start(t, "second", "-connect", addr, "-name", "Carol", "-follow", "-identity", filepath.Join(t.TempDir(), "another.key"))
	up := second.expectType("link")
	if !strings.HasPrefix(up.Name, "Carol~") {
		t.Errorf("the second Carol goes by %q, want Carol~ and a suffix", up.Name)
	}
	second.expectType("opened")
	second.say("lobby", "which one am I?")
	if m := first.expectText("which one am I?"); m.Name != up.Name {
		t.Errorf("the second Carol's message is by %q, want %q", m.Name, up.Name)
	}
	second.command("/nick carol")
	if named := second.expectType("named"); named.Code != "name_taken" {
		t.Errorf("/nick to a taken name: %+v, want name_taken", named)
	}
	second.waitFor("the people present", func() bool { return second.printed("present") })
	first.command("/nick caz")
	second.expect("the first to be called caz", func(o object) bool { return o.Type == "renamed" })
	second.command("/nick carol")
	if named := second.expectType("named"); named.Code != "ok" || named.Name != "carol" {
		t.Errorf("/nick to a name that was given up: %+v, want carol", named)
	}
}

// One key on two devices is one person: no suffix, one presence, both see everything.
func TestOneKeyTwice(t *testing.T) {
	_, addr := startNode(t)
	bob := join(t, addr, "bob")
	key := filepath.Join(t.TempDir(), "carol.key")
	home := join(t, addr, "carol", "-identity", key)
	bob.expect("carol to come", func(o object) bool { return o.Type == "joined" && o.Name == "carol" })
	work := join(t, addr, "carol", "-identity", key)
	work.say("lobby", "from work")
	m := home.expectText("from work")
	if m.Name != "carol" || m.Author == "" {
		t.Errorf("the other device's message is %+v", m)
	}
	home.interrupt()
	work.say("lobby", "still here")
	bob.expectText("still here")
	work.interrupt()
	bob.expect("carol to leave", func(o object) bool { return o.Type == "left" && o.Name == "carol" })
	bob.mu.Lock()
	defer bob.mu.Unlock()
	joins := 0
	for _, o := range bob.objects {
		if o.Type == "joined" && o.Name == "carol" {
			joins++
		}
	}
	if joins != 1 {
		t.Errorf("carol came %d times, want once", joins)
	}
}

// A direct message reaches someone who was away when it was sent, and nobody else.
func TestDirectMessageToSomeoneAway(t *testing.T) {
	_, addr := startNode(t)
	key := filepath.Join(t.TempDir(), "bob.key")
	alice, carol := join(t, addr, "alice"), join(t, addr, "carol")
	bob := join(t, addr, "bob", "-identity", key)
	bob.interrupt()
	carol.command("/msg bob psst")
	carol.command("/msg nobody hello?")
	if r := carol.expectType("refused"); r.Code != "no_such_user" {
		t.Errorf("a message to nobody: %+v, want no_such_user", r)
	}
	bob = start(t, "bob", "-connect", addr, "-name", "bob", "-identity", key, "-follow", "-tail", "50")
	if m := bob.expectText("psst"); m.Room != "@carol" || m.Name != "carol" {
		t.Errorf("bob reads %+v, want it in @carol by carol", m)
	}
	bob.command("/msg carol what?")
	if m := carol.expectText("what?"); m.Room != "@bob" || m.Seq != 2 {
		t.Errorf("carol reads %+v, want the second message of @bob", m)
	}
	alice.say("lobby", "quiet here")
	alice.expectText("quiet here")
	if got := len(alice.messages("@bob")) + len(alice.messages("@carol")); got != 0 {
		t.Errorf("alice read %d direct messages of others", got)
	}
}

// What two people say to each other is nowhere on the node's disk, while it runs and afterwards; a device of theirs that comes later reads it all the same.
func TestSealedOnDisk(t *testing.T) {
	data, key := t.TempDir(), filepath.Join(t.TempDir(), "bob.key")
	node, addr := startNode(t, "-data", data)
	carol, bob := join(t, addr, "carol"), join(t, addr, "bob", "-identity", key)
	carol.command("/msg bob plutonium")
	if m := bob.expectText("plutonium"); !m.Sealed || m.Room != "@carol" || m.Kind != "text" {
		t.Errorf("bob reads %+v", m)
	}
	bob.say("@carol", "uranium")
	if m := carol.expectText("uranium"); !m.Sealed || m.Name != "bob" {
		t.Errorf("carol reads %+v", m)
	}
	carol.say("lobby", "aloud")
	bob.expectText("aloud")
	phone := start(t, "phone", "-connect", addr, "-name", "bob", "-identity", key, "-follow", "-tail", "50")
	for text, name := range map[string]string{"plutonium": "carol", "uranium": "bob"} {
		phone.waitFor(text, func() bool {
			for _, m := range phone.messages("@carol") {
				if m.Text == text {
					return m.Sealed && m.Name == name && m.Author != ""
				}
			}
			return false
		})
	}
	search := func() {
		t.Helper()
		heard := false
		for file, content := range filesOf(t, data) {
			heard = heard || bytes.Contains(content, []byte("aloud"))
			for _, word := range []string{"plutonium", "uranium"} {
				if bytes.Contains(content, []byte(word)) {
					t.Errorf("%s has %q in it", file, word)
				}
			}
		}
		if !heard {
			t.Error("what was said in the lobby is nowhere: the search finds nothing")
		}
	}
	search()
	for _, p := range []*program{carol, bob, phone, node} {
		p.interrupt()
	}
	search()
}

// filesOf returns the files in a folder and below it, with what is in them.
func filesOf(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			files[path], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// What one author does takes effect in the order in which it was typed, for everybody.
func TestAuthorOrder(t *testing.T) {
	_, addr := startNode(t)
	bob, carol := join(t, addr, "bob"), join(t, addr, "carol")
	carol.say("lobby", "hi")
	carol.command("/topic x")
	carol.command("/nick caro")
	carol.say("lobby", "bye")
	type line struct{ Name, Kind, Text string }
	want := []line{{"carol", "text", "hi"}, {"carol", "topic", "x"}, {"caro", "text", "bye"}}
	for _, p := range []*program{bob, carol} {
		p.expectText("bye")
		var got []line
		for _, o := range p.messages("lobby") {
			got = append(got, line{o.Name, o.Kind, o.Text})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s saw (-want +got):\n%s", p.name, diff)
		}
	}
}

// A client that comes and goes amid traffic sees a piece of the log without a hole, each time.
func TestJoinAndPartAmidTraffic(t *testing.T) {
	_, addr := startNode(t)
	var history oracle.History
	carol, bob := joinStory(t, &history, addr, "carol"), joinStory(t, &history, addr, "bob")
	const rounds, each = 20, 25
	for n := range rounds {
		for i := range each {
			carol.say("lobby", fmt.Sprintf("carol %d", n*each+i+1))
		}
		bob.command("/part lobby")
		bob.command("/join lobby")
		bob.expectType("closed")
		bob.expectType("opened")
	}
	carol.say("lobby", "end")
	carol.expectText("end")
	bob.expectText("end")
	if err := history.Check(logOf(carol, "lobby")); err != nil {
		t.Error(err)
	}
}

// -since goes on behind the message whose cursor it is given, and says so when that is no place of this node.
func TestSince(t *testing.T) {
	_, addr := startNode(t)
	carol := join(t, addr, "carol")
	var cursor string
	for n := range 10 {
		carol.say("lobby", fmt.Sprintf("carol %d", n+1))
		if m := carol.expectText(fmt.Sprintf("carol %d", n+1)); n == 3 {
			cursor = m.Cursor
		}
	}
	bob := join(t, addr, "bob", "-since", cursor)
	bob.expectText("carol 10")
	if first := bob.messages("lobby")[0]; first.Text != "carol 5" {
		t.Errorf("behind the fourth message comes %q, want carol 5", first.Text)
	}
	if bob.printed("gap") || bob.printed("reset") {
		t.Error("a good cursor gives a gap or a reset")
	}
	_, other := startNode(t)
	stranger := start(t, "bob", "-connect", other, "-name", "bob", "-follow", "-since", cursor)
	if reset := stranger.expectType("reset"); reset.Why != "epoch" {
		t.Errorf("another node's cursor gives reset %q, want epoch", reset.Why)
	}
}

// The stories of the command line: real processes, real signals.
func TestScripts(t *testing.T) { testscript.Run(t, story.Params("testdata/script", patience)) }

// house is what trials need. go test . -run TestServerIsKilled -args -kills 300 has one last longer.
var house = trial.House{
	Dial: func(key *identity.Key, addresses []string) func(context.Context) (client.Link, error) {
		return (&way{places: placesOf(addresses), key: key}).dial
	},
	Flags: trial.Bind(flag.CommandLine), Patience: patience,
}

// What a node survives, and how; package trial tells the stories.
func TestServerIsKilled(t *testing.T)   { trial.ServerIsKilled(t, house) }
func TestClientsAreKilled(t *testing.T) { trial.ClientsAreKilled(t, house) }
func TestServerLetsGo(t *testing.T)     { trial.ServerLetsGo(t, house) }
func TestDiskFills(t *testing.T)        { trial.DiskFills(t, house) }
func TestSpaceRunsLow(t *testing.T)     { trial.SpaceRunsLow(t, house) }
func TestShortWrites(t *testing.T)      { trial.ShortWrites(t, house) }
func TestAppendFails(t *testing.T)      { trial.AppendFails(t, house) }
func TestReadFails(t *testing.T)        { trial.ReadFails(t, house) }
func TestOlderCopy(t *testing.T)        { trial.OlderCopy(t, house) }
func TestTwoNodesOnCopies(t *testing.T) { trial.TwoNodesOnCopies(t, house) }
func TestStoreIsDeleted(t *testing.T)   { trial.StoreIsDeleted(t, house) }
func TestFlippedBits(t *testing.T)      { trial.FlippedBits(t, house) }
func TestFarBehind(t *testing.T)        { trial.FarBehind(t, house) }
func TestResumeIsShown(t *testing.T)    { trial.ResumeIsShown(t, house) }

// What strangers may do to a node; those of one siege wait a lot.
func TestSlowClients(t *testing.T)    { t.Parallel(); trial.SlowClients(t, house) }
func TestHostileLinks(t *testing.T)   { t.Parallel(); trial.HostileLinks(t, house) }
func TestHostileRecords(t *testing.T) { t.Parallel(); trial.HostileRecords(t, house) }
func TestHostileTalk(t *testing.T)    { t.Parallel(); trial.HostileTalk(t, house) }

// People at real terminals.
var home = typist.Home{Env: []string{trial.Orders{}.Environment()}}

func TestJoinAndTalk(t *testing.T)         { t.Parallel(); typist.JoinAndTalk(t, home) }
func TestDirectFromAway(t *testing.T)      { t.Parallel(); typist.DirectFromAway(t, home) }
func TestSmallScreen(t *testing.T)         { t.Parallel(); typist.Small(t, home) }
func TestPasteOfLines(t *testing.T)        { t.Parallel(); typist.PasteOfLines(t, home) }
func TestLinkLostWhileTyping(t *testing.T) { t.Parallel(); typist.LinkLostWhileTyping(t, home) }
func TestPageUp(t *testing.T)              { t.Parallel(); typist.PageUp(t, home) }
func TestSearchAndJump(t *testing.T)       { t.Parallel(); typist.SearchAndJump(t, home) }
func TestKilledWithUnsent(t *testing.T)    { t.Parallel(); typist.KilledWithUnsent(t, home) }
func TestSuspended(t *testing.T)           { t.Parallel(); typist.Suspended(t, home) }
func TestTwoOfOneKey(t *testing.T)         { t.Parallel(); typist.TwoOfOneKey(t, home) }
func TestNodeAndUser(t *testing.T)         { t.Parallel(); typist.NodeAndUser(t, home) }
func TestPicture(t *testing.T)             { t.Parallel(); typist.Picture(t, home, *pictureFlag) }

// .ci/picture draws docs/screen.svg with it.
var pictureFlag = flag.String("picture", "", "a file that TestPicture draws a screen into")

func BenchmarkKeyToScreen(b *testing.B)     { typist.KeyToScreen(b, home, false) }
func BenchmarkKeyToBusyScreen(b *testing.B) { typist.KeyToScreen(b, home, true) }
func BenchmarkFirstScreen(b *testing.B)     { typist.FirstScreen(b, home) }

// TestPrivateRoomOverLinks: a room is made private, somebody comes too late, is invited, reads from there on, and is put out; what the node keeps of that
// is sound.
func TestPrivateRoomOverLinks(t *testing.T) {
	ctx, tw, dir := keptTown(t)
	var group sync.WaitGroup
	defer group.Wait()
	alice, carol := tw.client("alice", faults.Never, faults.Never, new(traffic)), tw.client("carol", faults.Never, faults.Never, new(traffic))
	defer alice.Close()
	defer carol.Close()
	say := func(kind chat.Kind, text string) {
		t.Helper()
		if _, err := alice.Send(ctx, client.Draft{Room: "lobby", Kind: kind, Text: text}); err != nil {
			t.Fatal(err)
		}
		await[client.Ack](t, alice)
	}
	group.Go(func() { _ = alice.Run(ctx) })
	await[client.Opened](t, alice)
	say(chat.Text, "secret one")
	say(chat.Act, "private")
	say(chat.Text, "secret two")
	group.Go(func() { _ = carol.Run(ctx) })
	if denied := await[client.Denied](t, carol); denied.Room != "lobby" || denied.Code != chat.NotMember {
		t.Errorf("carol comes too late and gets %+v", denied)
	}
	var refused *client.RefusedError
	if _, _, err := carol.History(ctx, "lobby", client.HistoryQuery{N: 10}); !errors.As(err, &refused) || refused.Code != chat.NotMember {
		t.Errorf("carol asks for the history: %v", err)
	}
	if rooms, err := carol.List(ctx); err != nil || len(rooms) != 0 {
		t.Errorf("carol sees %+v, %v", rooms, err)
	}
	info, err := alice.Whois(ctx, "carol")
	if err != nil {
		t.Fatal(err)
	}
	say(chat.Act, "invite "+info.ID.String())
	if notice, want := await[client.Notice](t, carol), "alice invites you to #lobby, a room for its members: /join lobby"; notice.Text != want {
		t.Errorf("carol is told %q, want %q", notice.Text, want)
	}
	if err := carol.Join("lobby"); err != nil {
		t.Fatal(err)
	}
	if opened := await[client.Opened](t, carol); opened.From != 4 || !opened.Rules.Private {
		t.Errorf("carol comes in at %+v", opened)
	}
	say(chat.Text, "secret three")
	list, more, err := carol.History(ctx, "lobby", client.HistoryQuery{N: 10})
	var texts []string
	for _, m := range list {
		texts = append(texts, m.Text)
	}
	if want := []string{"invite " + info.ID.String(), "secret three"}; !slices.Equal(texts, want) || more || err != nil {
		t.Errorf("carol reads %q, more %v, %v; want %q", texts, more, err, want)
	}
	say(chat.Act, "kick "+info.ID.String())
	if closed := await[client.ClosedRoom](t, carol); closed.Code != chat.Kicked {
		t.Errorf("the room is closed for %v", closed.Code)
	}
	if err := carol.Join("lobby"); err != nil {
		t.Fatal(err)
	}
	if denied := await[client.Denied](t, carol); denied.Code != chat.NotMember {
		t.Errorf("carol comes back and gets %+v", denied)
	}
	archive, err := store.OpenArchive(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	if tally, err := archive.Check(ctx, func(store.Step) {}); err != nil || tally.Messages != 6 {
		t.Errorf("check: %+v, %v", tally, err)
	}
}

// TestRedactionInAConversationIsSound: check finds a store in order in which one of two has taken their own text away, whatever the conversation is called to them.
func TestRedactionInAConversationIsSound(t *testing.T) {
	ctx, tw, dir := keptTown(t)
	var group sync.WaitGroup
	defer group.Wait()
	join := func(name string) *client.Client { return tw.comes(ctx, &group, name) }
	alice, carol := join("alice"), join("carol")
	defer alice.Close()
	defer carol.Close()
	if _, err := alice.Send(ctx, client.Draft{Room: "@carol", Kind: chat.Text, Text: "secret"}); err != nil {
		t.Fatal(err)
	}
	said := await[client.Ack](t, alice)
	if _, err := alice.Send(ctx, talk.RedactDraft("@carol", said.Seq, said.ID)); err != nil {
		t.Fatal(err)
	}
	await[client.Ack](t, alice)
	checkArchive(t, dir, 2)
}
