package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/yamux"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/faults"
	"chatnode/internal/frame"
	"chatnode/internal/identity"
	"chatnode/internal/oracle"
	"chatnode/internal/premises"
	"chatnode/internal/store"
)

var cutSeed = flag.Uint64("cut.seed", 0, "seed of the sample of offsets in TestCutAtEveryByte; 0: a new one")

func newKey(t *testing.T) *identity.Key {
	t.Helper()
	key, err := identity.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// town is a node without a listener: its connections are handed to it.
type town struct {
	*Node
	t     *testing.T
	ctx   context.Context
	conns sync.WaitGroup
}

// newTown runs a node's hub until end is called.
func newTown(t *testing.T, insecure bool) (tw *town, end func()) {
	t.Helper()
	return newTownOf(t, insecure, newKey(t), store.NewMemory(1<<20))
}

// newTownOf does so with the node's key and a store.
func newTownOf(t *testing.T, insecure bool, key *identity.Key, rooms premises.Store) (tw *town, end func()) {
	t.Helper()
	n, err := newNode(nodeConfig{Store: rooms, Key: key, Title: "town", Insecure: insecure, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	tw = &town{Node: n, t: t, ctx: ctx}
	var group sync.WaitGroup
	hubCtx, stopHub := context.WithCancel(context.Background())
	group.Go(func() {
		if err := n.hub.Run(hubCtx); err != nil {
			t.Error(err)
		}
	})
	return tw, func() {
		cancel()
		tw.conns.Wait()
		stopHub()
		group.Wait()
	}
}

// keptTown is a town whose node keeps what is said in dir, until the test ends. The context gives up before long.
func keptTown(t *testing.T) (ctx context.Context, tw *town, dir string) {
	t.Helper()
	dir = t.TempDir()
	kept, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	key := newKey(t)
	if _, err := kept.NodeKey(key.Text()); err != nil {
		t.Fatal(err)
	}
	tw, end := newTownOf(t, false, key, kept)
	t.Cleanup(end)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx, tw, dir
}

// comes has somebody come and stay, in a goroutine that group counts, and returns once they are in a room.
func (tw *town) comes(ctx context.Context, group *sync.WaitGroup, name string) *client.Client {
	tw.t.Helper()
	c := tw.client(name, faults.Never, faults.Never, new(traffic))
	group.Go(func() { _ = c.Run(ctx) })
	await[client.Opened](tw.t, c)
	return c
}

// dial returns the client's end of a connection to the node that breaks after so many bytes up or down.
func (tw *town) dial(up, down int64) (near, far net.Conn) {
	near, far = faults.Pipe(up, down)
	tw.handshakes <- struct{}{}
	tw.conns.Go(func() { tw.serve(tw.ctx, far, time.Now(), &tw.conns) })
	return near, far
}

// traffic is what a client's connections have carried.
type traffic struct {
	near, far net.Conn // of its first connection
	dials     int
}

// client returns a client of the cut test, whose first connection breaks.
func (tw *town) client(name string, up, down int64, seen *traffic) *client.Client {
	key := newKey(tw.t)
	dial := func(ctx context.Context) (client.Link, error) {
		if seen.dials++; seen.dials > 1 {
			up, down = faults.Never, faults.Never
		}
		near, far := tw.dial(up, down)
		if seen.dials == 1 {
			seen.near, seen.far = near, far
		}
		if tw.tls != nil {
			over := tls.Client(near, identity.ClientTLS(key))
			if err := over.HandshakeContext(ctx); err != nil {
				return nil, errors.Join(err, near.Close())
			}
			near = over
		}
		link, err := openLink(ctx, near)
		if err != nil {
			return nil, err
		}
		return link, nil
	}
	return client.New(client.Config{
		Name: name, Key: key, Dial: dial, Rooms: []string{"lobby"}, Tail: chat.MaxTail,
		Backoff: func(int) time.Duration { return 0 },
	})
}

// TestAwayOverLinks: a client that is away says so again when its link was lost, and has been back when it says that. Its pings stay far below what a
// node allows.
func TestAwayOverLinks(t *testing.T) {
	tw, end := newTown(t, true)
	defer end()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var seen traffic
	alice, carol := tw.client("alice", faults.Never, faults.Never, new(traffic)), tw.client("carol", faults.Never, faults.Never, &seen)
	var group sync.WaitGroup
	for _, c := range []*client.Client{alice, carol} {
		group.Go(func() { _ = c.Run(ctx) })
	}
	group.Go(func() {
		for range alice.Events() {
		}
	})
	linked := func() {
		for e := range carol.Events() {
			if _, up := e.(client.LinkUp); up {
				return
			}
		}
	}
	sees := func(when, text string, away bool) {
		t.Helper()
		if info, err := alice.Whois(ctx, "carol"); err != nil || info.Away != away || info.AwayText != text || info.AwaySince.IsZero() == away {
			t.Errorf("%s: alice is told %+v, %v", when, info, err)
		}
	}
	linked()
	wantDone := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	wantDone(carol.Away(ctx, "lunch", true))
	sees("gone away", "lunch", true)
	seen.near.Close()
	linked()
	_, err := carol.List(ctx) // behind what is said again
	wantDone(err)
	sees("on the next link", "lunch", true)
	for range 100 {
		lag, err := carol.Lag(ctx)
		if wantDone(err); lag <= 0 {
			t.Errorf("the node answers in %v", lag)
		}
	}
	wantDone(carol.Away(ctx, "", false))
	sees("back", "", false)
	if links := carol.Stats().Links; links != 2 {
		t.Errorf("%d links, want 2", links)
	}
	carol.Close()
	alice.Close()
	for range carol.Events() {
	}
	group.Wait()
}

// TestActsOverLinks: what a client signs a node takes, others see, and check finds to be true in the store.
func TestActsOverLinks(t *testing.T) {
	ctx, tw, dir := keptTown(t)
	var group sync.WaitGroup
	defer group.Wait()
	join := func(name string) *client.Client { return tw.comes(ctx, &group, name) }
	owner := join("alice") // makes the room
	defer owner.Close()
	guest := join("carol")
	defer guest.Close()
	info, err := owner.Whois(ctx, "carol")
	if err != nil {
		t.Fatal(err)
	}
	act := chat.ActOf{Verb: chat.Ban, Who: info.ID.String(), Text: "spam"}
	if _, err := owner.Send(ctx, client.Draft{Room: "lobby", Kind: chat.Act, Text: act.String()}); err != nil {
		t.Fatal(err)
	}
	if m := await[client.Message](t, guest); m.Kind != chat.Act || m.Text != act.String() {
		t.Errorf("the guest reads %+v", m)
	}
	if closed := await[client.ClosedRoom](t, guest); closed.Code != chat.Banned {
		t.Errorf("the room is closed for %v", closed.Code)
	}
	if _, err := guest.Send(ctx, client.Draft{Room: "lobby", Kind: chat.Text, Text: "why?"}); err != nil {
		t.Fatal(err)
	}
	if refused := await[client.Refused](t, guest); refused.Code != chat.Banned {
		t.Errorf("the guest is refused for %v", refused.Code)
	}
	if bans, err := owner.Banned(ctx, "lobby"); err != nil || len(bans) != 1 || bans[0].Who.Name != "carol" || bans[0].By.Name != "alice" || bans[0].Text != "spam" {
		t.Errorf("bans %+v, %v", bans, err)
	}
	checkArchive(t, dir, 1)
}

// checkArchive has check look at the store in dir, which is to hold so many messages.
func checkArchive(t *testing.T, dir string, messages int64) {
	t.Helper()
	archive, err := store.OpenArchive(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	if tally, err := archive.Check(t.Context(), func(store.Step) {}); err != nil || int64(tally.Messages) != messages {
		t.Errorf("check: %+v, %v", tally, err)
	}
}

// await returns the next event of a kind, and passes over others.
func await[E client.Event](t *testing.T, c *client.Client) (found E) {
	t.Helper()
	for e := range c.Events() {
		if found, ok := e.(E); ok {
			return found
		}
	}
	t.Fatalf("no %T came", found)
	return found
}

// The script of the cut test: carol sends these; the one to nobody is refused.
const (
	cutMessages = 20
	cutRefused  = 7
)

// cutRun lets carol, whose connection breaks, and bob, whose does not, talk once, and returns what is wrong with what they lived through.
func cutRun(t *testing.T, insecure bool, up, down int64) (*traffic, error) {
	t.Helper()
	tw, end := newTown(t, insecure)
	defer end()
	var history oracle.History
	var seen traffic
	carol, bob := tw.client("carol", up, down, &seen), tw.client("bob", faults.Never, faults.Never, new(traffic))
	stories := map[*client.Client]*oracle.Client{carol: history.Client("carol"), bob: history.Client("bob")}
	log := oracle.Log{Rooms: map[string][]oracle.Row{}}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	var group sync.WaitGroup
	all := make(chan struct{}) // closed when bob has seen all of carol's messages
	for c, story := range stories {
		group.Go(func() {
			if err := c.Run(ctx); err != nil {
				t.Errorf("run: %v", err)
			}
		})
		group.Go(func() {
			shown := 0
			for e := range c.Events() {
				tellStory(story, e)
				m, isMessage := e.(client.Message)
				if !isMessage {
					continue
				}
				if shown++; c == bob {
					log.Rooms[m.Room] = append(log.Rooms[m.Room], rowOfMessage(m))
					if shown == cutMessages-1 {
						close(all)
					}
				}
			}
		})
	}
	for n := range uint64(cutMessages) {
		room := "lobby"
		if n == cutRefused {
			room = "@nobody"
		}
		text := fmt.Sprintf("message %d", n+1)
		stories[carol].Invoke(n+1, room, text)
		if _, err := carol.Send(ctx, client.Draft{Room: room, Kind: chat.Text, Text: text}); err != nil {
			t.Errorf("send: %v", err)
		}
		if n == cutMessages/2 {
			if err := carol.Nick("caro"); err != nil {
				t.Errorf("nick: %v", err)
			}
		}
	}
	err := carol.Quit(ctx)
	select {
	case <-all:
	case <-ctx.Done():
		err = errors.Join(err, errors.New("bob has not seen all messages"))
	}
	bob.Close()
	group.Wait()
	if carol.Name() != "caro" {
		err = errors.Join(err, fmt.Errorf("carol goes by %q in the end", carol.Name()))
	}
	return &seen, errors.Join(err, history.Check(log))
}

func tellStory(story *oracle.Client, e client.Event) {
	switch e := e.(type) {
	case client.Ack:
		story.Acked(e.N, e.Seq, e.ID)
	case client.Refused:
		story.Refused(e.N, e.Code)
	case client.Message:
		story.Shown(e.Room, rowOfMessage(e))
	case client.Gap:
		story.Gap(e.Room)
	case client.Reset:
		story.Reset(e.Room)
	}
}

func rowOfMessage(m client.Message) oracle.Row {
	return oracle.Row{Seq: m.Seq, Text: m.Text, ID: m.ID, Author: fmt.Sprint(m.From)}
}

// A connection may break behind any byte, in either direction: nothing is lost, repeated or reordered, and no refusal is taken for kept.
func TestCutAtEveryByte(t *testing.T) { cutEverywhere(t, true, 3000) }

// Under TLS a cut loses a whole record, or the handshake. Each run costs two of these, so this tries fewer.
func TestCutUnderTLS(t *testing.T) { cutEverywhere(t, false, 300) }

func cutEverywhere(t *testing.T, insecure bool, most int64) {
	whole, err := cutRun(t, insecure, faults.Never, faults.Never)
	if err != nil {
		t.Fatal(err)
	}
	seed := *cutSeed
	if seed == 0 {
		seed = mathrand.Uint64()
	}
	for name, total := range map[string]int64{"up": faults.Sent(whole.near), "down": faults.Sent(whole.far)} {
		t.Run(name, func(t *testing.T) {
			offsets := offsetsOf(total, most, seed)
			t.Logf("%d of %d offsets, seed %d", len(offsets), total, seed)
			work := make(chan int64)
			var group sync.WaitGroup
			for range runtime.GOMAXPROCS(0) {
				group.Go(func() {
					for offset := range work {
						up, down := offset, int64(faults.Never)
						if name == "down" {
							up, down = down, up
						}
						if _, err := cutRun(t, insecure, up, down); err != nil {
							t.Errorf("cut behind byte %d: %v", offset, err)
						}
					}
				})
			}
			for _, offset := range offsets {
				if t.Failed() {
					break
				}
				work <- offset
			}
			close(work)
			group.Wait()
		})
	}
}

// offsetsOf returns every offset below total, or a seeded sample of most of them; a small one where everything is slow.
func offsetsOf(total, most int64, seed uint64) (offsets []int64) {
	if raceEnabled() || testing.Short() {
		most = min(most, 150)
	}
	random := mathrand.New(mathrand.NewPCG(seed, 0))
	for offset := range total {
		if total <= most || random.Int64N(total) < most {
			offsets = append(offsets, offset)
		}
	}
	return offsets
}

// raceEnabled reports whether the race detector is built in.
func raceEnabled() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// pairOfConns returns the two ends of a TCP connection on loopback.
func pairOfConns(t *testing.T) (a, b net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if a, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// pairOfLinks returns a link's two sides.
func pairOfLinks(t *testing.T) (dialer, node *Link) {
	t.Helper()
	a, b := pairOfConns(t)
	accepted := make(chan *Link, 1)
	go func() { // ends with the handshake, which is waited for below
		link, err := acceptLink(t.Context(), b)
		if err != nil {
			t.Error(err)
		}
		accepted <- link
	}()
	dialer, err := openLink(t.Context(), a)
	node = <-accepted
	if err != nil || node == nil {
		t.Fatal("no link: ", err)
	}
	t.Cleanup(func() { dialer.Close(); node.Close() })
	return dialer, node
}

func TestLinkCarriesBothStreamsBothWays(t *testing.T) {
	dialer, node := pairOfLinks(t)
	for _, ends := range [][2]interface {
		io.Reader
		io.Writer
	}{{dialer.Control(), node.Control()}, {node.Control(), dialer.Control()}, {dialer.Chat(), node.Chat()}, {node.Chat(), dialer.Chat()}} {
		sent, got := make([]byte, 100<<10), make([]byte, 100<<10)
		rand.Read(sent)
		if _, err := ends[0].Write(sent); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(ends[1], got); err != nil || !bytes.Equal(sent, got) {
			t.Errorf("100 KiB did not come through as they were: %v", err)
		}
	}
	var closers sync.WaitGroup
	for range 8 {
		closers.Go(func() { dialer.Close() })
	}
	closers.Wait()
	<-dialer.Done()
	<-node.Done()
	if _, err := node.Chat().Write([]byte("x")); err == nil {
		t.Error("a link whose other side has closed takes a write")
	}
}

// TestPeerLink: a link between nodes has a third stream, on which a whole write of 64 KiB is one frame, both ways; a client's has none, and a node that
// was dialled as one does not wait for a stream that will not come.
func TestPeerLink(t *testing.T) {
	a, b := pairOfConns(t)
	accepted := make(chan *Link, 1)
	go func() { // ends with the handshake, which is waited for below
		link, err := acceptPeerLink(t.Context(), b)
		if err != nil {
			t.Error(err)
		}
		accepted <- link
	}()
	dialer, err := openPeerLink(t.Context(), a)
	node := <-accepted
	if err != nil || node == nil {
		t.Fatal("no link: ", err)
	}
	defer node.Close()
	defer dialer.Close()
	for _, ends := range [][2]frame.Stream{{dialer.Peer(), node.Peer()}, {node.Peer(), dialer.Peer()}} {
		sent, got := make([]byte, 64<<10), make([]byte, 64<<10)
		rand.Read(sent)
		if _, err := ends[0].Write(sent); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(ends[1], got); err != nil || !bytes.Equal(sent, got) {
			t.Errorf("64 KiB did not come through as they were: %v", err)
		}
	}
	if plain, _ := pairOfLinks(t); plain.Peer() != nil {
		t.Error("a client's link has a peer stream")
	}
	far, near := pairOfConns(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	go func() { // ends with its connection
		if client, err := openLink(t.Context(), far); err == nil {
			<-client.Done()
			client.Close()
		}
	}()
	if link, err := acceptPeerLink(ctx, near); err == nil {
		link.Close()
		t.Error("a client's two streams are a peer's link")
	}
}

// A silent peer is pinged and, if it does not even answer that, given up.
func TestLinkTend(t *testing.T) {
	dialer, node := pairOfLinks(t)
	now := time.Now()
	heard := node.conn.LastRead()
	node.tend(now.Add(pingAfter + time.Second))
	for node.conn.LastRead().Equal(heard) { // the answer comes by itself
		runtime.Gosched()
	}
	if err := node.Err(); err != nil {
		t.Fatalf("a pinged link is dead: %v", err)
	}
	node.tend(time.Now().Add(silentLimit))
	<-node.Done()
	if err := node.Err(); !errors.Is(err, errSilent) {
		t.Errorf("a silent link ends with %v, want %v", err, errSilent)
	}
	<-dialer.Done()
}

// A ping is answered by yamux at the other end, and ends with the link when that is all it can wait for.
func TestLinkPing(t *testing.T) {
	dialer, node := pairOfLinks(t)
	if took, err := dialer.Ping(); took <= 0 || err != nil {
		t.Errorf("a ping takes %v, %v", took, err)
	}
	far, mute := pairOfConns(t)
	defer mute.Close()
	done := make(chan error, 1)
	lonely := &Link{conn: frame.NewConn(far, frame.Policy{}), probing: make(chan struct{}, 1)}
	var err error
	if lonely.session, err = yamux.Client(lonely.conn, lonely.muxConfig()); err != nil {
		t.Fatal(err)
	}
	go func() { _, err := lonely.Ping(); done <- err }() // ends with Close below
	if _, err := io.ReadFull(mute, make([]byte, 12)); err != nil {
		t.Fatalf("no ping was sent: %v", err)
	}
	lonely.Close()
	if err := <-done; err == nil {
		t.Error("a ping that nobody answered came back")
	}
	node.Close()
	<-dialer.Done()
	if _, err := dialer.Ping(); err == nil {
		t.Error("a dead link answers a ping")
	}
}

// A handshake ends with its context, however the other side behaves.
func TestLinkHandshakeEnds(t *testing.T) {
	for name, bytes := range map[string][]byte{
		"silence":      nil,
		"half a frame": {0, 1, 0, 1, 0, 0},
		"one stream":   {0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0},
		"HTTP":         []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pairOfConns(t)
			defer a.Close()
			if _, err := a.Write(bytes); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if link, err := acceptLink(ctx, b); err == nil {
				link.Close()
				t.Error("that is no handshake")
			}
		})
	}
}

// A hello that a TLS error quotes does not fill the log.
func TestLogOfAGiantHello(t *testing.T) {
	tw, end := newTown(t, false)
	var log bytes.Buffer
	tw.log = slog.New(slog.NewTextHandler(&log, nil))
	near, _ := tw.dial(faults.Never, faults.Never)
	config := identity.ClientTLS(newKey(t))
	config.NextProtos = slices.Repeat([]string{strings.Repeat("\xff", 250)}, 200)
	if err := tls.Client(near, config).Handshake(); err == nil {
		t.Error("whoever speaks another protocol is let in")
	}
	tw.conns.Wait()
	near.Close()
	end()
	if !strings.Contains(log.String(), "unsupported application protocols") || log.Len() > 1000 {
		t.Errorf("the log has %d bytes: %.300q", log.Len(), &log)
	}
}

// Who stands at a crowded door has less time.
func TestPatience(t *testing.T) {
	tw, end := newTown(t, true)
	defer end()
	for n := range maxHandshakes {
		want := handshakeLimit
		if n > maxHandshakes/2 {
			want = crowdedLimit
		}
		if got := tw.patience(); got != want {
			t.Fatalf("with %d at the door there are %v for a handshake, want %v", n, got, want)
		}
		tw.handshakes <- struct{}{}
	}
}

// TestToldPlaces: the node that was told has to be the one that answers, and the user's judge of nodes hears nothing of either; a false one does not end the
// way to the others.
func TestToldPlaces(t *testing.T) {
	_, addr := land.Node(t)
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	named := dead.Addr().String()
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	judged := 0
	w := &way{places: placesOf([]string{named}), key: newKey(t), check: func(string, identity.ID) error { judged++; return nil }}
	w.places.Tell([]client.Node{{ID: identity.ID{1}, Hosts: []string{addr}}})
	if _, err := w.dial(t.Context()); err == nil || !strings.Contains(err.Error(), "another node answers than was told") || errors.As(err, new(*identity.ChangedError)) {
		t.Errorf("a node with another key: %v", err)
	}
	link, err := (&way{places: placesOf([]string{addr}), key: newKey(t)}).dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	node := link.Node()
	link.Close()
	w.places.Tell([]client.Node{{ID: identity.ID{1}, Hosts: []string{addr}}, {ID: node, Hosts: []string{addr}}})
	if link, err = w.dial(t.Context()); err != nil || link.Node() != node {
		t.Fatalf("the told node: %v", err)
	}
	link.Close()
	if _, _, err := (&way{insecure: true}).connect(t.Context(), client.Place{Address: addr, Node: node}); err == nil || !strings.Contains(err.Error(), "can't prove itself") {
		t.Errorf("a told node without encryption: %v", err)
	}
	if last := w.places.List()[0]; last.Node != node || judged != 0 {
		t.Errorf("%v is tried first now, and %d nodes were judged", last, judged)
	}
}
