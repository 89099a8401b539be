package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/county"
	"chatnode/internal/faults"
	"chatnode/internal/identity"
	"chatnode/internal/oracle"
	"chatnode/internal/premises"
	"chatnode/internal/store"
	"chatnode/internal/story"
	"chatnode/internal/talk"
	"chatnode/internal/trial"
	"chatnode/internal/typist"
	"chatnode/internal/wire"
)

// TestMain lets the scripts run the real program as "chatnode", and trials run it under their orders. It keeps tests out of the user's own folders, and
// fails when one leaves a goroutine behind.
func TestMain(m *testing.M) {
	os.Setenv("TZ", "UTC")
	if wrap, moment, ordered := trial.Obey(); ordered {
		wrapStore = func(s premises.Store) premises.Store { return wrap(s) }
		storeMoment = moment
		main()
	}
	flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))) // unless it is given: most of a story is waiting
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

// land is where tests run the program in their own process.
var land = &county.County{Run: run, Patience: patience}

func TestHundredClientsOneOrder(t *testing.T) {
	const clients = 100
	each := 10
	if raceEnabled() {
		each = 3
	}
	_, addr := land.Node(t)
	var history oracle.History
	all := make([]*county.Program, clients)
	for i := range all {
		all[i] = land.JoinStory(t, &history, addr, fmt.Sprintf("user%d", i))
	}
	var senders sync.WaitGroup
	for _, p := range all {
		senders.Go(func() {
			for n := 1; n <= each; n++ {
				p.Say("lobby", fmt.Sprintf("%s %d", p.Name, n))
			}
		})
	}
	senders.Wait()
	for _, p := range all {
		for range clients * each {
			p.ExpectType("message")
		}
	}
	county.Agree(t, &history, "lobby", clients*each, all...)
}

// Every way in which a client can go and come back, while others talk: nobody misses or repeats a message.
func TestDisconnects(t *testing.T) {
	_, addr := land.Node(t)
	var history oracle.History
	carol := land.JoinStory(t, &history, addr, "carol")
	proxies := map[string]*faults.Proxy{}
	guests := map[string]*county.Program{}
	for _, name := range []string{"reset", "vanish", "stall"} {
		proxy, err := faults.NewProxy(addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(proxy.Close)
		proxies[name] = proxy
		guests[name] = land.JoinStory(t, &history, proxy.Addr(), name)
	}
	polite := land.Join(t, addr, "polite")

	n := 0
	talk := func(count int) {
		for range count {
			n++
			carol.Say("lobby", fmt.Sprintf("carol %d", n))
		}
		carol.ExpectText(fmt.Sprintf("carol %d", n))
	}
	talk(20)
	proxies["vanish"].Hold(true, true) // no FIN, no RST: the cable is out
	proxies["stall"].Hold(false, true) // it takes nothing, but its own words still come
	guests["reset"].Say("lobby", "reset 1")
	proxies["reset"].Reset()
	guests["stall"].Say("lobby", "stall 1")
	guests["vanish"].Say("lobby", "vanish 1")
	carol.ExpectText("stall 1")
	talk(200)
	if code := polite.Interrupt(); code != exitOK {
		t.Errorf("a polite goodbye ends with exit code %d, want 0", code)
	}
	guests["reset"].Expect("lost link", func(o county.Object) bool { return o.Type == "link" && o.State == "down" })
	proxies["vanish"].Reset()
	proxies["vanish"].Resume()
	proxies["stall"].Resume()
	talk(20)

	all := []*county.Program{carol}
	for _, p := range guests {
		all = append(all, p)
	}
	for _, p := range all {
		p.WaitFor("all messages", func() bool { return len(p.Messages("lobby")) >= n+len(guests) })
	}
	county.Agree(t, &history, "lobby", n+len(guests), all...)
	for _, p := range all {
		for _, kind := range []string{"gap", "reset", "refused"} {
			if p.Printed(kind) {
				t.Errorf("%s printed a %s", p.Name, kind)
			}
		}
	}
}

// A node that goes tells its clients at once, and one that starts again in its place, with an empty memory, is joined with a reset that is shown.
func TestNodeStopsAndStarts(t *testing.T) {
	key := filepath.Join(t.TempDir(), "node.key")
	node, addr := land.Node(t, "-identity", key)
	carol, bob := land.Join(t, addr, "carol"), land.Join(t, addr, "bob")
	carol.Say("lobby", "before")
	carol.ExpectType("ack") // or the next node would be sent it too
	bob.ExpectText("before")
	if code := node.Interrupt(); code != exitOK {
		t.Errorf("the node ends with exit code %d, want 0", code)
	}
	for _, p := range []*county.Program{carol, bob} {
		down := p.Expect("lost link", func(o county.Object) bool { return o.Type == "link" && o.State == "down" })
		if down.Code != "stopping" || down.RetryAfterMS == 0 {
			t.Errorf("%s was told %+v, want stopping with a time to come back", p.Name, down)
		}
	}
	carol.Say("lobby", "meanwhile")
	land.Node(t, "-listen", addr, "-ephemeral", "-identity", key)
	for _, p := range []*county.Program{carol, bob} {
		if reset := p.ExpectType("reset"); reset.Why != "epoch" {
			t.Errorf("%s was told reset %q, want epoch", p.Name, reset.Why)
		}
		if m := p.ExpectText("meanwhile"); m.Seq != 1 {
			t.Errorf("%s sees the first message of the new node as %d", p.Name, m.Seq)
		}
	}
}

func TestNames(t *testing.T) {
	_, addr := land.Node(t)
	first, second := land.Start(t, "first", "-connect", addr, "-name", "carol", "-follow"), (*county.Program)(nil)
	first.ExpectType("opened")
	second = land.Start(t, "second", "-connect", addr, "-name", "Carol", "-follow", "-identity", filepath.Join(t.TempDir(), "another.key"))
	up := second.ExpectType("link")
	if !strings.HasPrefix(up.Name, "Carol~") {
		t.Errorf("the second Carol goes by %q, want Carol~ and a suffix", up.Name)
	}
	second.ExpectType("opened")
	second.Say("lobby", "which one am I?")
	if m := first.ExpectText("which one am I?"); m.Name != up.Name {
		t.Errorf("the second Carol's message is by %q, want %q", m.Name, up.Name)
	}
	second.Command("/nick carol")
	if named := second.ExpectType("named"); named.Code != "name_taken" {
		t.Errorf("/nick to a taken name: %+v, want name_taken", named)
	}
	second.WaitFor("the people present", func() bool { return second.Printed("present") })
	first.Command("/nick caz")
	second.Expect("the first to be called caz", func(o county.Object) bool { return o.Type == "renamed" })
	second.Command("/nick carol")
	if named := second.ExpectType("named"); named.Code != "ok" || named.Name != "carol" {
		t.Errorf("/nick to a name that was given up: %+v, want carol", named)
	}
}

// One key on two devices is one person: no suffix, one presence, both see everything.
func TestOneKeyTwice(t *testing.T) {
	_, addr := land.Node(t)
	bob := land.Join(t, addr, "bob")
	key := filepath.Join(t.TempDir(), "carol.key")
	home := land.Join(t, addr, "carol", "-identity", key)
	bob.Expect("carol to come", func(o county.Object) bool { return o.Type == "joined" && o.Name == "carol" })
	work := land.Join(t, addr, "carol", "-identity", key)
	work.Say("lobby", "from work")
	m := home.ExpectText("from work")
	if m.Name != "carol" || m.Author == "" {
		t.Errorf("the other device's message is %+v", m)
	}
	home.Interrupt()
	work.Say("lobby", "still here")
	bob.ExpectText("still here")
	work.Interrupt()
	bob.Expect("carol to leave", func(o county.Object) bool { return o.Type == "left" && o.Name == "carol" })
	if joins := bob.All(func(o county.Object) bool { return o.Type == "joined" && o.Name == "carol" }); len(joins) != 1 {
		t.Errorf("carol came %d times, want once", len(joins))
	}
}

// A direct message reaches someone who was away when it was sent, and nobody else.
func TestDirectMessageToSomeoneAway(t *testing.T) {
	_, addr := land.Node(t)
	key := filepath.Join(t.TempDir(), "bob.key")
	alice, carol := land.Join(t, addr, "alice"), land.Join(t, addr, "carol")
	bob := land.Join(t, addr, "bob", "-identity", key)
	bob.Interrupt()
	carol.Command("/msg bob psst")
	carol.Command("/msg nobody hello?")
	if r := carol.ExpectType("refused"); r.Code != "no_such_user" {
		t.Errorf("a message to nobody: %+v, want no_such_user", r)
	}
	bob = land.Start(t, "bob", "-connect", addr, "-name", "bob", "-identity", key, "-follow", "-tail", "50")
	if m := bob.ExpectText("psst"); m.Room != "@carol" || m.Name != "carol" {
		t.Errorf("bob reads %+v, want it in @carol by carol", m)
	}
	bob.Command("/msg carol what?")
	if m := carol.ExpectText("what?"); m.Room != "@bob" || m.Seq != 2 {
		t.Errorf("carol reads %+v, want the second message of @bob", m)
	}
	alice.Say("lobby", "quiet here")
	alice.ExpectText("quiet here")
	if got := len(alice.Messages("@bob")) + len(alice.Messages("@carol")); got != 0 {
		t.Errorf("alice read %d direct messages of others", got)
	}
}

// What two people say to each other is nowhere on the node's disk, while it runs and afterwards; a device of theirs that comes later reads it all the same.
func TestSealedOnDisk(t *testing.T) {
	data, key := t.TempDir(), filepath.Join(t.TempDir(), "bob.key")
	node, addr := land.Node(t, "-data", data)
	carol, bob := land.Join(t, addr, "carol"), land.Join(t, addr, "bob", "-identity", key)
	carol.Command("/msg bob plutonium")
	if m := bob.ExpectText("plutonium"); !m.Sealed || m.Room != "@carol" || m.Kind != "text" {
		t.Errorf("bob reads %+v", m)
	}
	bob.Say("@carol", "uranium")
	if m := carol.ExpectText("uranium"); !m.Sealed || m.Name != "bob" {
		t.Errorf("carol reads %+v", m)
	}
	carol.Say("lobby", "aloud")
	bob.ExpectText("aloud")
	phone := land.Start(t, "phone", "-connect", addr, "-name", "bob", "-identity", key, "-follow", "-tail", "50")
	for text, name := range map[string]string{"plutonium": "carol", "uranium": "bob"} {
		phone.WaitFor(text, func() bool {
			for _, m := range phone.Messages("@carol") {
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
	for _, p := range []*county.Program{carol, bob, phone, node} {
		p.Interrupt()
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

func TestWatched(t *testing.T) { county.Watched(t, land) }

// What one author does takes effect in the order in which it was typed, for everybody.
func TestAuthorOrder(t *testing.T) {
	_, addr := land.Node(t)
	bob, carol := land.Join(t, addr, "bob"), land.Join(t, addr, "carol")
	carol.Say("lobby", "hi")
	carol.Command("/topic x")
	carol.Command("/nick caro")
	carol.Say("lobby", "bye")
	type line struct{ Name, Kind, Text string }
	want := []line{{"carol", "text", "hi"}, {"carol", "topic", "x"}, {"caro", "text", "bye"}}
	for _, p := range []*county.Program{bob, carol} {
		p.ExpectText("bye")
		var got []line
		for _, o := range p.Messages("lobby") {
			got = append(got, line{o.Name, o.Kind, o.Text})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s saw (-want +got):\n%s", p.Name, diff)
		}
	}
}

// A client that comes and goes amid traffic sees a piece of the log without a hole, each time.
func TestJoinAndPartAmidTraffic(t *testing.T) {
	_, addr := land.Node(t)
	var history oracle.History
	carol, bob := land.JoinStory(t, &history, addr, "carol"), land.JoinStory(t, &history, addr, "bob")
	const rounds, each = 20, 25
	for n := range rounds {
		for i := range each {
			carol.Say("lobby", fmt.Sprintf("carol %d", n*each+i+1))
		}
		bob.Command("/part lobby")
		bob.Command("/join lobby")
		bob.ExpectType("closed")
		bob.ExpectType("opened")
	}
	carol.Say("lobby", "end")
	carol.ExpectText("end")
	bob.ExpectText("end")
	if err := history.Check(county.LogOf(carol, "lobby")); err != nil {
		t.Error(err)
	}
}

// -since goes on behind the message whose cursor it is given, and says so when that is no place of this node.
func TestSince(t *testing.T) {
	_, addr := land.Node(t)
	carol := land.Join(t, addr, "carol")
	var cursor string
	for n := range 10 {
		carol.Say("lobby", fmt.Sprintf("carol %d", n+1))
		if m := carol.ExpectText(fmt.Sprintf("carol %d", n+1)); n == 3 {
			cursor = m.Cursor
		}
	}
	bob := land.Join(t, addr, "bob", "-since", cursor)
	bob.ExpectText("carol 10")
	if first := bob.Messages("lobby")[0]; first.Text != "carol 5" {
		t.Errorf("behind the fourth message comes %q, want carol 5", first.Text)
	}
	if bob.Printed("gap") || bob.Printed("reset") {
		t.Error("a good cursor gives a gap or a reset")
	}
	_, other := land.Node(t)
	stranger := land.Start(t, "bob", "-connect", other, "-name", "bob", "-follow", "-since", cursor)
	if reset := stranger.ExpectType("reset"); reset.Why != "epoch" {
		t.Errorf("another node's cursor gives reset %q, want epoch", reset.Why)
	}
}

// Nodes that share their rooms; package county tells the stories.
func TestLine(t *testing.T)    { county.Line(t, land) }
func TestRing(t *testing.T)    { county.Ring(t, land) }
func TestStar(t *testing.T)    { county.Star(t, land) }
func TestSpaces(t *testing.T)  { county.Spaces(t, land) }
func TestChanged(t *testing.T) { county.Changed(t, land) }
func TestGuests(t *testing.T)  { county.Guests(t, land) }
func TestFound(t *testing.T)   { county.Found(t, land) }

func TestFailover(t *testing.T) { county.Failover(t, land) }

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
func TestServerIsKilled(t *testing.T)   { t.Parallel(); trial.ServerIsKilled(t, house) }
func TestPeersAreKilled(t *testing.T)   { t.Parallel(); trial.PeersAreKilled(t, house) }
func TestClientsAreKilled(t *testing.T) { t.Parallel(); trial.ClientsAreKilled(t, house) }
func TestServerLetsGo(t *testing.T)     { t.Parallel(); trial.ServerLetsGo(t, house) }
func TestDiskFills(t *testing.T)        { trial.DiskFills(t, house) }
func TestSpaceRunsLow(t *testing.T)     { trial.SpaceRunsLow(t, house) }
func TestShortWrites(t *testing.T)      { trial.ShortWrites(t, house) }
func TestAppendFails(t *testing.T)      { trial.AppendFails(t, house) }
func TestReadFails(t *testing.T)        { trial.ReadFails(t, house) }
func TestOlderCopy(t *testing.T)        { t.Parallel(); trial.OlderCopy(t, house) }
func TestTwoNodesOnCopies(t *testing.T) { t.Parallel(); trial.TwoNodesOnCopies(t, house) }
func TestStoreIsDeleted(t *testing.T)   { t.Parallel(); trial.StoreIsDeleted(t, house) }
func TestFlippedBits(t *testing.T)      { t.Parallel(); trial.FlippedBits(t, house) }
func TestFarBehind(t *testing.T)        { t.Parallel(); trial.FarBehind(t, house) }
func TestResumeIsShown(t *testing.T)    { t.Parallel(); trial.ResumeIsShown(t, house) }

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

// What strangers send on the chat port costs only them: the node forgets them, and a client beside them chats on.
func TestStrangers(t *testing.T) {
	_, addr := land.Node(t, "-insecure")
	carol := land.Join(t, addr, "carol", "-insecure")
	before := runtime.NumGoroutine()
	hello := wire.Must(nil, &wire.Hello{Version: wire.Version, Name: "mallory", Key: make([]byte, 32), Proof: make([]byte, 64), Origin: make([]byte, 16)})
	frames := func(stream byte, body []byte) []byte {
		syn := []byte{0, 1, 0, 1, 0, 0, 0, stream, 0, 0, 0, 0}
		return append(append(syn, 0, 0, 0, 0, 0, 0, 0, stream, 0, 0, byte(len(body)>>8), byte(len(body))), body...)
	}
	strangers := map[string][]byte{
		"HTTP":             []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"SSH":              []byte("SSH-2.0-OpenSSH_9.6\r\n"),
		"TLS":              {0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3},
		"random":           make([]byte, 4096),
		"one stream":       frames(1, nil),
		"forged hello":     append(frames(1, hello), frames(3, nil)...),
		"no hello":         append(frames(1, wire.Must(nil, &wire.Bye{})), frames(3, nil)...),
		"hello of garbage": append(frames(1, []byte{0, 0, 0, 3, 1, 2, 3}), frames(3, nil)...),
		"giant record":     append(frames(1, []byte{0xff, 0xff, 0xff, 0xff}), frames(3, nil)...),
	}
	rand.Read(strangers["random"])
	const each = 8
	var conns []net.Conn
	for name, bytes := range strangers {
		for range each {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			conns = append(conns, conn)
			_, _ = conn.Write(bytes) // the node may have closed already
		}
	}
	for i := range 50 {
		carol.Say("lobby", fmt.Sprintf("carol %d", i+1))
		carol.ExpectText(fmt.Sprintf("carol %d", i+1))
	}
	for _, conn := range conns {
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("a stranger is still connected")
		}
		conn.Close()
	}
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		runtime.Gosched() // they end by themselves, a moment after their sockets
	}
	t.Logf("%d goroutines before, %d behind %d strangers", before, runtime.NumGoroutine(), len(conns))
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines behind the strangers, %d before", after, before)
	}
}

// Whoever takes the port for something else is told what it is and how to join, in one sentence; a client that disagrees about encryption shows it.
func TestGuestsAreTold(t *testing.T) {
	_, secure := land.Node(t)
	_, plain := land.Node(t, "-insecure")
	how := map[string]string{
		secure: "this is a chat node; join it with: chatnode -connect " + secure + " -name YOU",
		plain:  "this is a chat node, and it does not encrypt its links; join it with: chatnode -insecure -connect " + plain + " -name YOU",
	}
	for address, sentence := range how {
		for guest, says := range map[string]string{"HTTP": "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "IRC": "NICK carol\r\n", "SSH": "SSH-2.0-x\r\n", "garbage": "\xff\xff\xff\xff"} {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			_, _ = io.WriteString(conn, says)
			if answer, err := io.ReadAll(conn); !strings.HasSuffix(string(answer), "chatnode: "+sentence+"\r\n") || err != nil {
				t.Errorf("%s is told %q, %v; want %q", guest, answer, err, sentence)
			}
			conn.Close()
		}
	}
	want := plain + ": the node says: " + how[plain]
	if _, err := (&way{places: placesOf([]string{plain}), key: newKey(t)}).dial(t.Context()); err == nil || err.Error() != want {
		t.Errorf("a client that encrypts is told %v, want %s", err, want)
	}
	link, err := (&way{places: placesOf([]string{secure}), key: newKey(t), insecure: true}).dial(t.Context())
	if err == nil { // the node's answer is on its way
		defer link.Close()
		_, _ = io.ReadAll(link.Control()) // ends when it has come
		err = link.Err()
	}
	want = "the node says: this node encrypts its links; join it without -insecure: chatnode -connect " + secure + " -name YOU"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("a client that does not encrypt is told %v, want %s", err, want)
	}
}
