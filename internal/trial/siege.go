package trial

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/siege"
)

const (
	// siegeRate is how many messages a second a besieged node takes of one key, siegeBurst how many at once, and roomRate how many into a room: more than
	// by default, so that the good ones are not what is waited for.
	siegeRate, siegeBurst, siegeRoomRate = 100, 3 * siegeRate, 2000
	// words is how many messages each good client says beside each attack.
	words = 12
	// perGuest is how many goroutines a connection costs a node at most: two of yamux's, the writer, two readers, and what ends in a moment.
	perGuest = 8
	// What a node may have at the height of an attack above what each of its connections takes, and keep when it is over: the store's readers, eight
	// with up to three goroutines each while they answer, open their files when they are first needed, and what was said stays in memory for a while.
	spareGoroutines, spareFiles = 16 + 8*3, 20
	spareHeap, spareMemory      = 8 << 20, 64 << 20
	// usualKiB is how much of the heap a connection costs that does nothing for which a row says more.
	usualKiB = 48
	// lookEvery is how often a node is asked whether it has come to rest.
	lookEvery = 50 * time.Millisecond
)

// attack is a row of the table: what hostile clients do, and what it may cost a node.
type attack struct {
	name   string
	guests int // how many there are
	links  int // connections of each at its height, 0 for one
	stale  int // connections besides that are over, and that the node may not have seen end
	kib    int // of the heap that each of them may cost, 0 for usualKiB
	slow   bool
	// run is the attack up to its height. The connections that a slow one holds are closed by the node, by and by, while others go on.
	run func(*camp)
}

// front is a node under siege, with good clients inside.
type front struct {
	*crowd
	node  *process
	quiet standing // when only the good ones are there
	slow  []*camp  // those whose connections the node has still to close
	text  strings.Builder
	table *tabwriter.Writer // on text
}

// camp is who carries out one attack.
type camp struct {
	*front
	*attack
	n      int // guests
	ctx    context.Context
	leave  context.CancelFunc // closes all its connections
	target siege.Target
	before standing
	group  sync.WaitGroup // of what goes on behind run

	// mu promises that held are all connections that the node has to close, and counts those made.
	mu   sync.Mutex
	held []holding
	made int
}

// SlowClients, HostileLinks, HostileRecords and HostileTalk lay a node under one attack after the other while good clients talk on it. All that these
// say stays complete and in order, none of them loses its link, and what the node takes meanwhile stays within bounds that are counted from the
// attackers' connections.
func SlowClients(t testing.TB, house House) {
	f := besiege(t, house)
	f.sufferAll(stuckAttacks)
	before := f.look(f.node)
	f.sufferAll(slowAttacks)
	f.rest(before)
	f.outlast()
	f.relief()
}

// HostileLinks is about connections, TLS and frames.
func HostileLinks(t testing.TB, house House) {
	f := besiege(t, house)
	f.sufferAll(doorAttacks)
	f.sufferAll(linkAttacks)
	f.relief()
}

// HostileRecords is about the handshake and records.
func HostileRecords(t testing.TB, house House) {
	f := besiege(t, house)
	f.sufferAll(recordAttacks)
	f.relief()
}

// HostileTalk is about names, rooms and texts.
func HostileTalk(t testing.TB, house House) {
	f := besiege(t, house)
	f.sufferAll(talkAttacks)
	f.relief()
}

// besiege starts a node and the good clients.
func besiege(t testing.TB, house House) *front {
	t.Helper()
	tr := begin(t, house)
	node := tr.up(Orders{Reports: true}, "-v", "-rate", fmt.Sprint(siegeRate), "-room-rate", fmt.Sprint(siegeRoomRate))
	f := &front{crowd: tr.gather("alice", "bob", "carol", "dave", "erin"), node: node}
	f.table = tabwriter.NewWriter(&f.text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(f.table, "attack\tconnections\tgoroutines\tbound\theap KiB\tbound\tdescriptors\tbound\tmemory KiB\tbound"+
		"\tleft: goroutines\theap KiB\tdescriptors")
	t.Cleanup(func() {
		f.table.Flush()
		t.Logf("what attacks cost the node, above what it had\n%s", f.text.String())
	})
	f.talk(words)
	f.talkers.Wait()
	f.converge()
	f.fill()
	f.quiet = f.look(node)
	return f
}

// relief ends the siege, and asks the oracle.
func (f *front) relief() {
	f.Helper()
	f.settle()
	f.trial.stop(f.node)
	log, err := readLog(f.dir)
	f.check(err)
	for name := range log.Rooms {
		if name != room {
			delete(log.Rooms, name) // what attackers say elsewhere is told to nobody
		}
	}
	if err := f.history.Check(log); err != nil {
		f.Errorf("the oracle says:\n%v", err)
	}
}

func (f *front) sufferAll(attacks []attack) {
	f.Helper()
	for i := range attacks {
		f.suffer(&attacks[i])
	}
}

// suffer goes through one attack.
func (f *front) suffer(a *attack) {
	f.Helper()
	c := f.camp(a)
	c.before = f.look(f.node)
	f.talk(words)
	c.aside(func() { a.run(c) })
	height := f.look(f.node)
	f.talkers.Wait()
	f.converge()
	f.unharmed(a.name)
	if a.slow {
		f.slow = append(f.slow, c)
		c.tell(height, nil)
		return
	}
	c.end()
	after := f.rest(c.before)
	c.tell(height, &after)
}

// outlast waits until the node has closed all that hold on to it, and has those look.
func (f *front) outlast() {
	f.Helper()
	after := f.rest(f.quiet)
	for _, c := range f.slow {
		c.aside(func() {
			for _, conn := range c.held {
				c.must(conn.Ended())
			}
		})
		c.end()
	}
	fmt.Fprintf(f.table, "in the end\t\t\t\t\t\t\t\t\t\t%+d\t%+d\t%+d\n", after.Goroutines-f.quiet.Goroutines,
		(after.Heap-f.quiet.Heap)>>10, after.Files-f.quiet.Files)
}

// unharmed fails the test if a good client has lost its link, or was shown or told anything.
func (f *front) unharmed(during string) {
	f.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.members {
		if m.downs+len(m.resets)+len(m.gaps)+len(m.notices) > 0 {
			f.Fatalf("%s: %s lost %d links and was shown resets %v, gaps %v and notices %v", during, m.name, m.downs, m.resets, m.gaps, m.notices)
		}
	}
}

// rest waits until the node has come to rest where it was.
func (f *front) rest(before standing) standing {
	f.Helper()
	for began := time.Now(); ; pause(f.ctx, lookEvery) {
		now := f.look(f.node)
		if now.Goroutines <= before.Goroutines && now.Files <= before.Files+spareFiles && now.Heap <= before.Heap+spareHeap {
			return now
		}
		if time.Since(began) > f.Patience {
			f.Fatalf("the node does not come to rest: it was %+v and is %+v", before, now)
		}
	}
}

// tell puts a row into the table, and its bounds before the oracle.
func (c *camp) tell(height standing, after *standing) {
	all := c.n*max(1, c.links) + c.stale
	bound := standing{
		Goroutines: all*perGuest + spareGoroutines, Files: all + spareFiles,
		Heap: int64((all-c.stale)*cmp.Or(c.kib, usualKiB)+c.stale*usualKiB)<<10 + spareHeap,
	}
	if bound.Most = bound.Heap + spareMemory; raced() {
		bound.Most *= raceFactor
	}
	cost := standing{
		Goroutines: height.Busiest - c.before.Goroutines, Files: height.Files - c.before.Files, Heap: height.Heap - c.before.Heap,
	}
	if height.Most > 0 {
		cost.Most = height.Most - c.before.Most
	}
	for _, m := range []struct {
		what        string
		cost, bound int64
	}{
		{"goroutines", int64(cost.Goroutines), int64(bound.Goroutines)},
		{"bytes of heap", cost.Heap, bound.Heap},
		{"descriptors", int64(cost.Files), int64(bound.Files)},
		{"bytes of memory", cost.Most, bound.Most},
	} {
		c.history.Measured(fmt.Sprintf("%s: %s, above those of before", c.name, m.what), m.cost, m.bound)
	}
	fmt.Fprintf(c.table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d", c.name, all, cost.Goroutines, bound.Goroutines, cost.Heap>>10, bound.Heap>>10,
		cost.Files, bound.Files, cost.Most>>10, bound.Most>>10)
	if after == nil {
		fmt.Fprint(c.table, "\tlater\t\t\n")
		return
	}
	fmt.Fprintf(c.table, "\t%+d\t%+d\t%+d\n", after.Goroutines-c.before.Goroutines, (after.Heap-c.before.Heap)>>10, after.Files-c.before.Files)
}

// camp returns who carries out an attack.
func (f *front) camp(a *attack) *camp {
	c := &camp{front: f, attack: a, n: a.guests * f.Flags.Siege}
	c.ctx, c.leave = context.WithCancel(f.ctx)
	c.target.Raw = c.connect
	c.target.Secure = func(ctx context.Context, key *identity.Key) (net.Conn, error) {
		conn, err := c.connect(ctx)
		if err != nil {
			return nil, err
		}
		return tls.Client(conn, identity.ClientTLS(key)), nil // the handshake is at the first byte
	}
	return c
}

// connect makes a bare connection to the node, from one of many addresses of this machine. It has an end even if nothing happens on it.
func (c *camp) connect(ctx context.Context) (net.Conn, error) {
	const addresses = 100
	var dialer net.Dialer
	if runtime.GOOS == "linux" { // elsewhere there is but one
		c.mu.Lock()
		c.made++
		dialer.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+c.made%addresses))}
		c.mu.Unlock()
	}
	conn, err := dialer.DialContext(ctx, "tcp", c.address)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(c.Patience))
}

// end closes all of the camp's connections, and waits for what goes on behind its run.
func (c *camp) end() {
	c.leave()
	c.group.Wait()
}

// aside runs f in a goroutine that must may end, and waits for it.
func (c *camp) aside(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// each runs f for each of the camp's connections at one time, and waits for all.
func (c *camp) each(f func(i int)) {
	var group sync.WaitGroup
	for i := range c.n {
		group.Go(func() { f(i) })
	}
	group.Wait()
}

// must fails the test with an error that is not nil, and ends the goroutine: the attack is over, others are not.
func (c *camp) must(err error) {
	c.Helper()
	if err != nil {
		c.Errorf("%s: %v", c.name, err)
		runtime.Goexit()
	}
}

// holding is a connection that the node has to close.
type holding interface{ Ended() error }

// hold has the end of a slow attack look whether the node has closed the connection.
func (c *camp) hold(conn holding) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = append(c.held, conn)
}

// stuck is a connection that is not read. That the node has closed it shows to whoever writes.
type stuck struct{ *siege.Conn }

// Ended is what it is for others.
func (s stuck) Ended() error {
	_ = s.Put(1, siege.Frame(siege.FrameWindow, 0, siege.Control, 0)) // the kernel answers for who is gone
	return s.Conn.Ended()
}

// bare is a connection on which no link is.
type bare struct{ net.Conn }

// Ended is what it is for a siege.Conn.
func (b bare) Ended() error { return siege.Drain(b) }

// raw makes a bare connection with a few first bytes on it.
func (c *camp) raw(first ...byte) bare {
	c.Helper()
	conn, err := c.target.Raw(c.ctx)
	c.must(err)
	context.AfterFunc(c.ctx, func() { conn.Close() })
	_, err = conn.Write(first)
	c.must(err)
	return bare{conn}
}

// link makes a link.
func (c *camp) link() *siege.Conn {
	c.Helper()
	conn, err := c.target.Link(c.ctx, nil)
	c.must(err)
	return conn
}

// enter makes a link of somebody whom the node lets in.
func (c *camp) enter(i int) *siege.Conn {
	c.Helper()
	conn, _, err := c.target.Enter(c.ctx, fmt.Sprintf("mallory%d", i))
	c.must(err)
	return conn
}

// put writes what the node may cut short.
func (c *camp) put(conn *siege.Conn, n int, parts ...[]byte) { _ = conn.Put(n, parts...) }

// expelled expects the node to say goodbye for that reason.
func (c *camp) expelled(conn *siege.Conn, want chat.Code) {
	c.Helper()
	got, err := conn.Farewell()
	c.must(err)
	if got != want {
		c.Errorf("%s: the node says goodbye for reason %s, want %s", c.name, got, want)
	}
}

// arrived waits until the node has taken all of the camp's connections.
func (c *camp) arrived() {
	for began := time.Now(); ; pause(c.ctx, lookEvery) {
		switch now := c.look(c.node); {
		case now.Files == 0 || now.Files >= c.before.Files+c.n:
			return
		case time.Since(began) > c.Patience:
			c.must(fmt.Errorf("%d descriptors, with %d connections: %w", now.Files, c.n, errLate))
		}
	}
}
