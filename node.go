package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/discover"
	"chatnode/internal/door"
	"chatnode/internal/errand"
	"chatnode/internal/frame"
	"chatnode/internal/hub"
	"chatnode/internal/identity"
	"chatnode/internal/mesh"
	"chatnode/internal/metrics"
	"chatnode/internal/premises"
	"chatnode/internal/session"
	"chatnode/internal/settings"
	"chatnode/internal/wire"
)

// Bounds on guests that have not shown who they are, and on how long a node takes to go.
const (
	handshakeLimit = 5 * time.Second
	crowdedLimit   = 2 * time.Second // in place of it, while more than half of the places for handshakes are taken
	maxHandshakes  = 256             // at one time; beyond it nobody is accepted
	tendEvery      = time.Second
	drainLimit     = 3 * time.Second
	maxAcceptPause = time.Second
	maxReason      = 200 // columns of the log for why a connection ended: a TLS error can quote all of the hello that it is about
)

// nodeConfig is what a Node is made of.
type nodeConfig struct {
	Store       premises.Store // the node closes it
	Key         *identity.Key
	Title       string
	Rate        float64
	RoomRate    float64
	MaxSessions int
	InviteOnly  bool
	Admin       func(identity.ID) bool // may this key do everything here? nil: nobody may
	Reserve     int64                  // bytes on the disk below which nothing is taken
	Insecure    bool                   // links are not encrypted
	Addresses   []string               // where others reach the node, the best first
	Log         *slog.Logger
	Metrics     net.Listener // where it tells how it is doing; nil: nowhere. The node closes it

	// Of a node that encrypts its links: no other has peers.
	Connect  []mesh.Target
	Known    *identity.Known // who is at the addresses in Connect
	Discover bool            // announces itself on the machine's networks, and looks for others there
}

// wrapStore puts something between a node and its store, and storeMoment is called at moments of the store's own: tests set them to see a node
// die there.
var (
	wrapStore   = func(s premises.Store) premises.Store { return s }
	storeMoment func(string)
)

// Node is a server: a store, the hub on top of it, a session for each client that it accepts, and a mesh of links to other nodes.
type Node struct {
	// Static after construction.
	store    premises.Store
	hub      *hub.Hub
	host     *session.Host
	key      *identity.Key
	tls      *tls.Config                                  // nil: links are not encrypted, and there are none to other nodes
	peers    mesh.Config                                  // what mesh is made of
	judge    func(address string, node identity.ID) error // of who answers there
	discover bool
	warden   *door.Warden
	public   []string // addresses where others reach it
	log      *slog.Logger
	numbers  *metrics.Numbers
	metrics  net.Listener // nil: the numbers are not served

	// handshakes has a token for each guest that may shake hands at one time.
	handshakes chan struct{}

	// Set by Serve, before it serves anybody.
	mesh *mesh.Mesh

	// mu promises that links names exactly the connections that are being served, and that none of a client is begun when it is over.
	mu    sync.Mutex
	links map[*Link]struct{}
	over  bool
}

// newNode returns a node with the rooms that its store holds.
func newNode(cfg nodeConfig) (*Node, error) {
	rooms, err := hub.New(hub.Config{
		Store: cfg.Store, Log: cfg.Log, Now: time.Now, Rand: rand.Reader,
		Rate: cfg.Rate, RoomRate: cfg.RoomRate, MaxSessions: cfg.MaxSessions,
		InviteOnly: cfg.InviteOnly, Addresses: cfg.Addresses, Reserve: cfg.Reserve, Admin: cfg.Admin, Key: cfg.Key, Title: cfg.Title,
	})
	if err != nil {
		return nil, err
	}
	numbers := metrics.New(metrics.Config{Hub: rooms, Version: version(), Now: time.Now})
	n := &Node{
		store: cfg.Store, hub: rooms, key: cfg.Key, discover: cfg.Discover, warden: door.NewWarden(), public: cfg.Addresses, log: cfg.Log,
		numbers: numbers, metrics: cfg.Metrics,
		host: &session.Host{
			Hub: rooms, Node: cfg.Key.ID(), Title: cfg.Title, Rate: cfg.Rate, Rand: rand.Reader, Log: cfg.Log, Admin: cfg.Admin, Stats: numbers.Stats,
			Crew: errand.NewCrew(),
		},
		handshakes: make(chan struct{}, maxHandshakes),
		links:      map[*Link]struct{}{},
	}
	if !cfg.Insecure {
		n.tls = identity.ServerTLS(cfg.Key)
		n.judge = premises.Judge(cfg.Connect, cfg.Known, cfg.Log)
		n.peers = mesh.Config{
			Hub: rooms, Key: cfg.Key, Title: cfg.Title, Hosts: premises.Hosts(cfg.Addresses), Connect: cfg.Connect, InviteOnly: cfg.InviteOnly, Log: cfg.Log,
			Dial: n.dialPeer,
		}
	}
	return n, nil
}

// Serve accepts and serves clients and other nodes, and links to some, until ctx ends. Then it tells them goodbye, lets what is under way end for
// drainLimit at most, and returns nil. It returns the store's error when that fails; then everything that was acknowledged is kept, and nothing else was.
// It returns the mesh's when the node must not go on beside those that it was told to link to. It closes listener and store.
func (n *Node) Serve(ctx context.Context, listener net.Listener) (err error) {
	defer func() { err = errors.Join(err, n.store.Close()) }() // last of all
	hubCtx, stopHub := context.WithCancel(context.WithoutCancel(ctx))
	defer stopHub()
	connCtx, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	ended := make(chan error, 1) // Run's error
	go func() { ended <- n.hub.Run(hubCtx) }()
	if n.tls != nil {
		n.mesh = mesh.New(n.peers) // asks the hub, which has to run
		n.host.Mesh = n.mesh
		n.numbers.Link(n.mesh)
	}
	unwatch := n.watch(context.WithoutCancel(ctx))
	defer unwatch() // it tells that the node is stopping as long as that takes
	meshCtx, part := context.WithCancel(context.WithoutCancel(ctx))
	defer part()
	parted := make(chan error, 1) // the mesh's error
	go func() { parted <- n.link(meshCtx) }()
	acceptCtx, stopAccepting := context.WithCancel(ctx)
	defer stopAccepting()

	var conns, accepting, tending sync.WaitGroup
	accepting.Go(func() { n.accept(acceptCtx, connCtx, listener, &conns) })
	tending.Go(func() { n.tend(connCtx) })

	select {
	case <-ctx.Done():
		_ = n.hub.Stop() // if it has ended by itself, its own error says why
	case err := <-parted:
		parted <- err
		_ = n.hub.Stop()
	case err := <-ended:
		ended <- err
		cut() // nobody will be told anything any more
	}
	stopAccepting()
	_ = listener.Close()
	accepting.Wait() // from here on there are no more connections to wait for
	part()
	err = <-parted // other nodes have been told goodbye too
	waitFor(&conns, drainLimit)
	cut()
	conns.Wait()
	tending.Wait()
	stopHub()
	return errors.Join(err, <-ended)
}

// watch has others see how the node is doing, if they are to, until the function that it returns has been called.
func (n *Node) watch(ctx context.Context) (unwatch func()) {
	if n.metrics == nil {
		return func() {}
	}
	ctx, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		if err := n.numbers.Serve(ctx, n.metrics, n.log); err != nil {
			n.log.Error("the node goes on, and nobody sees how it is doing", "err", err)
		}
	})
	return func() { stop(); watching.Wait() }
}

// link runs the node's mesh until ctx ends, or it must not go on, and has it find others.
func (n *Node) link(ctx context.Context) error {
	if n.mesh == nil {
		<-ctx.Done()
		return nil
	}
	var finding sync.WaitGroup
	defer finding.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if n.discover {
		finding.Go(func() {
			cfg := discover.Config{Self: n.announced, Found: func(f discover.Node) { n.mesh.Found(f.ID, f.Addresses...) }, Log: n.log}
			if err := discover.Run(ctx, cfg); err != nil {
				n.log.Warn("this node does not announce itself, and finds no others", "err", err)
			}
		})
	}
	err := n.mesh.Run(ctx)
	if s := n.mesh.Stats(); s.FramesSent+s.FramesReceived > 0 {
		n.log.Info("shared with other nodes", "frames", s.FramesSent, "sent", s.Sent, "taken", s.Taken, "duplicates", s.Duplicates)
	}
	return premises.Explain(err)
}

// announced returns what the node says of itself on its networks.
func (n *Node) announced() discover.Node {
	space := n.hub.Sharing().Space
	return discover.Node{ID: n.key.ID(), Space: wire.SpaceText(space[:]), Title: n.host.Title, Addresses: premises.Hosts(n.public)}
}

// peerLink is a link that the node has dialled, and looks after.
type peerLink struct {
	*Link
	node   *Node
	remote string
}

// Remote returns the address that was dialled, as a number.
func (l peerLink) Remote() string { return l.remote }

// Close ends the link, as Link.Close does.
func (l peerLink) Close() error {
	l.node.drop(l.Link)
	return nil
}

// dialPeer makes a link to another node, within handshakeLimit.
func (n *Node) dialPeer(ctx context.Context, address string) (mesh.Link, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeLimit)
	defer cancel()
	conn, node, err := reach(ctx, address, identity.PeerTLS(n.key), n.judge)
	if err != nil {
		return nil, err
	}
	link, err := openPeerLink(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	link.node = node
	n.add(link)
	return peerLink{link, n, conn.RemoteAddr().String()}, nil
}

// waitFor waits until group is empty, for at most limit.
func waitFor(group *sync.WaitGroup, limit time.Duration) {
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }() // ends with the connections, which the caller ends
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// accept serves each connection, beginning in a goroutine of its own, which conns counts. It pauses while too many guests are shaking hands.
func (n *Node) accept(ctx, connCtx context.Context, listener net.Listener, conns *sync.WaitGroup) {
	pause := time.Duration(0)
	for {
		select {
		case n.handshakes <- struct{}{}:
		case <-ctx.Done():
			return
		}
		conn, err := listener.Accept()
		if err != nil {
			<-n.handshakes
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			pause = min(max(2*pause, 5*time.Millisecond), maxAcceptPause)
			n.log.Warn("accept", "err", err, "again_in", pause)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			}
			continue
		}
		pause = 0
		came := time.Now() // here, where it is in the order in which they dialled
		conns.Go(func() { n.serve(connCtx, conn, came, conns) })
	}
}

// serve lets in who came by a connection, accepted at came. Until it is known who that is, it takes one of the places for guests. It returns when there
// is nothing more to do, or when a session goes on by itself: one that is quiet has no goroutine here. Its end is counted by conns too.
func (n *Node) serve(ctx context.Context, conn net.Conn, came time.Time, conns *sync.WaitGroup) {
	remote, address := conn.RemoteAddr().String(), remoteAddr(conn)
	if retry, ok := n.warden.Admit(address, time.Now()); !ok {
		door.TurnAwayAtOnce(conn, fmt.Sprintf("too many connections from your address; try again in %v", max(retry, time.Second).Round(time.Second)))
		<-n.handshakes
		n.logEnd(remote, metrics.Handshake, address, nil, errCrowd)
		return
	}
	known := sync.OnceFunc(func() { n.warden.Release(address); <-n.handshakes })
	defer known()
	link, s, err := n.greet(ctx, conn, session.Caller{Address: address, Came: came})
	if err != nil {
		known()
		n.logEnd(remote, metrics.Handshake, address, link, err)
		return
	}
	if s == nil {
		defer n.drop(link)
		n.logEnd(remote, metrics.Peer, address, link, n.mesh.Serve(ctx, link, true, remote, known))
		return
	}
	n.log.Debug("joined", "remote", remote)
	s.Begin()
	conns.Add(1)
	link.AfterEnd(func() {
		defer conns.Done()
		defer n.drop(link)
		n.logEnd(remote, metrics.Session, address, link, s.End())
	})
}

// patience returns how long a guest who comes now has for the handshake. Where many stand at the door and say nothing, they are not to keep others
// out for longer than a slow link needs.
func (n *Node) patience() time.Duration {
	if len(n.handshakes) > maxHandshakes/2 {
		return crowdedLimit
	}
	return handshakeLimit
}

// greet makes a link of a connection and, unless another node has dialled, a session, within the node's patience. When it fails, the connection is closed.
func (n *Node) greet(ctx context.Context, conn net.Conn, caller session.Caller) (*Link, *session.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, n.patience())
	defer cancel()
	secured, err := n.secure(ctx, conn)
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	accept := acceptLink
	over, encrypted := secured.(*tls.Conn)
	if encrypted {
		if caller.Key, err = identity.PeerOf(over.ConnectionState()); err != nil {
			_ = conn.Close()
			return nil, nil, err
		}
	}
	isPeer := encrypted && identity.IsPeer(over.ConnectionState())
	if isPeer {
		accept = acceptPeerLink
	}
	link, err := accept(ctx, secured)
	if err != nil {
		return nil, nil, err
	}
	n.add(link)
	if isPeer {
		link.node = caller.Key
		return link, nil, nil
	}
	s, err := n.host.Handshake(ctx, link, caller)
	if err != nil {
		n.drop(link)
		return link, nil, err
	}
	return link, s, nil
}

// secure returns the connection as links live on it: under TLS, unless this node does without. Whoever wants something else is told, in a sentence, what
// this is.
func (n *Node) secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	opened, guest, err := door.Knock(conn)
	switch {
	case err != nil:
		return nil, err
	case guest == door.Plain && n.tls == nil:
		return opened, nil
	case guest == door.TLS && n.tls != nil:
		over := tls.Server(frame.Gather(opened), n.tls)
		return over, over.HandshakeContext(ctx)
	}
	door.TurnAway(conn, guest, n.sentence(guest, conn.LocalAddr()))
	return nil, fmt.Errorf("%w: %v", errStranger, guest)
}

// sentence says what this is, and how to join, to a guest who took it for something else.
func (n *Node) sentence(guest door.Guest, local net.Addr) string {
	address := local.String()
	if len(n.public) > 0 {
		address = n.public[0]
	}
	switch {
	case guest == door.Plain:
		return "this node encrypts its links; join it without -insecure: chatnode -connect " + address + " -name YOU"
	case n.tls == nil:
		return "this is a chat node, and it does not encrypt its links; join it with: chatnode -insecure -connect " + address + " -name YOU"
	}
	return "this is a chat node; join it with: chatnode -connect " + address + " -name YOU"
}

// Why a guest is turned away before anything is known of them.
var (
	errCrowd    = errors.New("too many connections from this address")
	errStranger = errors.New("a guest who speaks another protocol")
)

// logEnd counts how a connection ended, and says it: in one line, loudly only when somebody broke the rules, and not for each connection of one address.
func (n *Node) logEnd(remote string, at metrics.Stage, address netip.Addr, link *Link, err error) {
	var breach *frame.PolicyError
	if link != nil && errors.As(link.Err(), &breach) {
		err = breach
	}
	if why := wordFor(link, err); why != "" {
		n.numbers.Ended(at, why)
	}
	what, log := string(at), n.log.With("remote", remote)
	switch {
	case err != nil && !n.warden.Reports(address, time.Now()):
	case breach != nil:
		log.Warn(what+" ended", "breach", breach.Reason)
	case err != nil && link != nil:
		log.Info(what+" ended", "err", reason(err), "mux_complaints", link.complaints())
	case err != nil:
		log.Info(what+" ended", "err", reason(err))
	default:
		log.Debug(what + " ended")
	}
}

// wordFor returns the word by which the end of a connection is counted; empty: it was closed by either side.
func wordFor(link *Link, err error) string {
	dead := error(nil)
	if link != nil {
		dead = link.Err() // which no session tells: to it the streams have ended
	}
	switch {
	case errors.Is(dead, errStalled):
		return "stalled"
	case errors.Is(dead, errSilent):
		return "silent"
	case errors.Is(err, errCrowd):
		return "crowd"
	case errors.Is(err, errStranger):
		return "protocol"
	case err == nil && !errors.Is(dead, io.EOF) && !errors.Is(dead, net.ErrClosed):
		return metrics.Word(dead)
	}
	return metrics.Word(err)
}

// reason is why a connection ended, short enough for a line.
func reason(err error) string { return chat.Truncate(chat.OneLine(err.Error()), maxReason) }

func remoteAddr(conn net.Conn) netip.Addr {
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

func (n *Node) add(link *Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links[link] = struct{}{}
	if n.over {
		link.cut()
	}
}

func (n *Node) drop(link *Link) {
	_ = link.Close()
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.links, link)
}

// tend looks after all links with one timer until ctx ends.
func (n *Node) tend(ctx context.Context) {
	ticker := time.NewTicker(tendEvery)
	defer ticker.Stop()
	var links []*Link
	var rush door.Rush
	for {
		select {
		case now := <-ticker.C:
			n.mu.Lock()
			links = links[:0]
			for link := range n.links {
				links = append(links, link)
			}
			n.mu.Unlock()
			for _, link := range links {
				link.tend(now)
			}
			clear(links)
			if rush.Over(len(links)) {
				debug.FreeOSMemory()
			}
		case <-ctx.Done():
			n.cut()
			return
		}
	}
}

// cut ends the links of all clients, and of those who are on their way in.
func (n *Node) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.over = true
	for link := range n.links {
		link.cut()
	}
}

// opened is a node that has all it needs, and does not serve yet.
type opened struct {
	node     *Node
	listener net.Listener
	id       identity.ID
	where    string // its messages are
	slog     *slog.Logger
}

// openNode opens what a node needs and says on stdout where it listens. It returns a *startError, or a *settings.UsageError.
func openNode(o *settings.Options, stdout, stderr io.Writer) (*opened, error) {
	targets, err := premises.Targets(o)
	if err != nil {
		return nil, err
	}
	log := o.Logger(stderr, slog.LevelInfo)
	listener, err := premises.Listen(o.Listen)
	if err != nil {
		return nil, &startError{err}
	}
	place, err := premises.Open(o, storeMoment, log)
	if err != nil {
		return nil, &startError{errors.Join(err, listener.Close())}
	}
	title := o.Title
	if host, err := os.Hostname(); title == "" && err == nil {
		title = host
	}
	addresses, local := door.Reachable(listener.Addr())
	if o.Public != "" {
		addresses, local = []string{settings.WithPort(o.Public)}, false
	}
	node, err := newNode(nodeConfig{
		Store: wrapStore(place.Store), Key: place.Key, Title: chat.OneLine(title), Rate: o.Rate, RoomRate: o.RoomRate, MaxSessions: o.MaxSessions,
		InviteOnly: o.InviteOnly, Admin: premises.Admins(o), Addresses: addresses, Reserve: o.KeepFree, Insecure: o.Insecure, Log: log,
		Connect: targets, Known: place.Known, Discover: o.Discover, Metrics: place.Metrics,
	})
	if err == nil {
		notice := premises.Notice{Addr: listener.Addr(), Addresses: addresses, Local: local, Node: place.Key.ID(), Where: place.Where, Metrics: place.Metrics}
		err = premises.Announce(stdout, o, notice)
	}
	if err != nil {
		_, _ = place.Close(), listener.Close() // a store that can't be read can't be closed well either: that says nothing new
		return nil, &startError{err}
	}
	if o.Insecure {
		log.Warn("links are not encrypted: everybody on the way can read and change what is said")
	}
	return &opened{node: node, listener: listener, id: place.Key.ID(), where: place.Where, slog: log}, nil
}

// serve serves until ctx ends.
func (n *opened) serve(ctx context.Context) error {
	n.slog.Info("serving", "addr", n.listener.Addr().String(), "node", n.id.String(), "kept", n.where)
	err := n.node.Serve(ctx, n.listener)
	n.slog.Info("stopped")
	return err
}

// local returns an address at which the node is reached from its own process.
func (n *opened) local() string {
	addr, ok := n.listener.Addr().(*net.TCPAddr)
	if !ok || !addr.IP.IsUnspecified() {
		return n.listener.Addr().String()
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(addr.Port))
}

// check accepts this node alone.
func (n *opened) check(address string, node identity.ID) error {
	if node != n.id {
		return fmt.Errorf("%s: another node than the one in this process answers", address)
	}
	return nil
}

// runNode serves until ctx ends.
func runNode(ctx context.Context, o *settings.Options, stdout, stderr io.Writer) error {
	n, err := openNode(o, stdout, stderr)
	if err != nil {
		return err
	}
	return n.serve(ctx)
}
