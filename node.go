package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/disk"
	"chatnode/internal/door"
	"chatnode/internal/frame"
	"chatnode/internal/hub"
	"chatnode/internal/identity"
	"chatnode/internal/profile"
	"chatnode/internal/session"
	"chatnode/internal/settings"
	"chatnode/internal/store"
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
	Store       nodeStore // the node closes it
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
}

// nodeStore is a store that ends with its node.
type nodeStore interface {
	hub.Store
	Close() error
}

// wrapStore puts something between a node and its store, and storeMoment is called at moments of the store's own: tests set them to see a node
// die there.
var (
	wrapStore   = func(s nodeStore) nodeStore { return s }
	storeMoment func(string)
)

// Node is a server: a store, the hub on top of it, and a session for each connection that it accepts.
type Node struct {
	// Static after construction.
	store  nodeStore
	hub    *hub.Hub
	host   *session.Host
	tls    *tls.Config // nil: links are not encrypted
	warden *door.Warden
	public []string // addresses where others reach it
	log    *slog.Logger

	// handshakes has a token for each guest that may shake hands at one time.
	handshakes chan struct{}

	// mu promises that links names exactly the connections that are being served.
	mu    sync.Mutex
	links map[*Link]struct{}
}

// newNode returns a node with the rooms that its store holds.
func newNode(cfg nodeConfig) (*Node, error) {
	rooms, err := hub.New(hub.Config{
		Store: cfg.Store, Log: cfg.Log, Now: time.Now, Rand: rand.Reader,
		Rate: cfg.Rate, RoomRate: cfg.RoomRate, MaxSessions: cfg.MaxSessions,
		InviteOnly: cfg.InviteOnly, Addresses: cfg.Addresses, Reserve: cfg.Reserve, Admin: cfg.Admin,
	})
	if err != nil {
		return nil, err
	}
	n := &Node{
		store: cfg.Store, hub: rooms, warden: door.NewWarden(), public: cfg.Addresses, log: cfg.Log,
		host: &session.Host{
			Hub: rooms, Node: cfg.Key.ID(), Title: cfg.Title, Rate: cfg.Rate, Rand: rand.Reader, Log: cfg.Log, Admin: cfg.Admin,
		},
		handshakes: make(chan struct{}, maxHandshakes),
		links:      map[*Link]struct{}{},
	}
	if !cfg.Insecure {
		n.tls = identity.ServerTLS(cfg.Key)
	}
	return n, nil
}

// Serve accepts and serves clients until ctx ends. Then it tells them goodbye, lets what is under way end for drainLimit at most, and returns nil.
// It returns the store's error when that fails; then everything that was acknowledged is kept, and nothing else was. It closes listener and store.
func (n *Node) Serve(ctx context.Context, listener net.Listener) (err error) {
	defer func() { err = errors.Join(err, n.store.Close()) }() // last of all
	hubCtx, stopHub := context.WithCancel(context.WithoutCancel(ctx))
	defer stopHub()
	connCtx, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	ended := make(chan error, 1) // Run's error
	go func() { ended <- n.hub.Run(hubCtx) }()
	acceptCtx, stopAccepting := context.WithCancel(ctx)
	defer stopAccepting()

	var conns, accepting, tending sync.WaitGroup
	accepting.Go(func() { n.accept(acceptCtx, connCtx, listener, &conns) })
	tending.Go(func() { n.tend(connCtx) })

	select {
	case <-ctx.Done():
		_ = n.hub.Stop() // if it has ended by itself, its own error says why
	case err := <-ended:
		ended <- err
		cut() // nobody will be told anything any more
	}
	stopAccepting()
	_ = listener.Close()
	accepting.Wait() // from here on there are no more connections to wait for
	waitFor(&conns, drainLimit)
	cut()
	conns.Wait()
	tending.Wait()
	stopHub()
	return <-ended
}

// openKept opens the store in dir and takes the node's key out of it, which is made, or read from the file keyFile, the first time.
func openKept(dir, keyFile string, opt store.Options) (_ *store.SQLite, _ *identity.Key, err error) {
	kept, err := store.Open(dir, opt)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, kept.Close())
		}
	}()
	given, err := keyFrom(keyFile)
	if err != nil {
		return nil, nil, err
	}
	text, err := kept.NodeKey(given.Text())
	if err != nil {
		return nil, nil, err
	}
	key, err := identity.ParseKey(text)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("the node's key in %s: %w", kept.Opened().File, err)
	case keyFile != "" && key.ID() != given.ID():
		return nil, nil, fmt.Errorf("the store in %s belongs to node %s, and %s is the key of %s; leave -identity out, or use another -data", dir, key.ID(), keyFile, given.ID())
	}
	return kept, key, nil
}

// keyFrom returns the key in keyFile, which is made when it is not there, or a new key that no file holds.
func keyFrom(keyFile string) (*identity.Key, error) {
	if keyFile == "" {
		return identity.NewKey(rand.Reader)
	}
	return identity.LoadOrMake(keyFile, rand.Reader)
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

// accept serves each connection in a goroutine of its own, which conns counts. It pauses while too many guests are shaking hands.
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
		conns.Go(func() { n.serve(connCtx, conn) })
	}
}

// serve carries one connection from its first byte to its last. It gives the handshake token back as soon as that is over.
func (n *Node) serve(ctx context.Context, conn net.Conn) {
	log := n.log.With("remote", conn.RemoteAddr().String())
	address := remoteAddr(conn)
	link, s, err := n.greet(ctx, conn, address)
	<-n.handshakes
	if err != nil {
		n.logEnd(log, "handshake", address, link, err)
		return
	}
	defer n.drop(link)
	log.Debug("joined")
	n.logEnd(log, "session", address, link, s.Serve(ctx))
}

// patience returns how long a guest who comes now has for the handshake. Where many stand at the door and say nothing, they are not to keep others
// out for longer than a slow link needs.
func (n *Node) patience() time.Duration {
	if len(n.handshakes) > maxHandshakes/2 {
		return crowdedLimit
	}
	return handshakeLimit
}

// greet makes a link and a session of a connection, within the node's patience. When it fails, the connection is closed.
func (n *Node) greet(ctx context.Context, conn net.Conn, address netip.Addr) (*Link, *session.Session, error) {
	if retry, ok := n.warden.Admit(address, time.Now()); !ok {
		door.TurnAwayAtOnce(conn, fmt.Sprintf("too many connections from your address; try again in %v", max(retry, time.Second).Round(time.Second)))
		return nil, nil, errors.New("too many connections from this address")
	}
	defer n.warden.Release(address)
	ctx, cancel := context.WithTimeout(ctx, n.patience())
	defer cancel()
	secured, err := n.secure(ctx, conn)
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	caller := session.Caller{Address: address}
	if over, ok := secured.(*tls.Conn); ok {
		if caller.Key, err = identity.PeerOf(over.ConnectionState()); err != nil {
			_ = conn.Close()
			return nil, nil, err
		}
	}
	link, err := acceptLink(ctx, secured)
	if err != nil {
		return nil, nil, err
	}
	n.add(link)
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
		over := tls.Server(opened, n.tls)
		return over, over.HandshakeContext(ctx)
	}
	door.TurnAway(conn, guest, n.sentence(guest, conn.LocalAddr()))
	return nil, fmt.Errorf("a guest who speaks another protocol: %v", guest)
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

// logEnd says how a connection ended: in one line, loudly only when somebody broke the rules, and not for each connection of one address.
func (n *Node) logEnd(log *slog.Logger, what string, address netip.Addr, link *Link, err error) {
	var breach *frame.PolicyError
	if link != nil && errors.As(link.Err(), &breach) {
		err = breach
	}
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
		case <-ctx.Done():
			return
		}
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

// openNode opens what a node needs and says on stdout where it listens. It returns a *startError.
func openNode(o *settings.Options, stdout, stderr io.Writer) (*opened, error) {
	log := o.Logger(stderr, slog.LevelInfo)
	listener, err := net.Listen("tcp", settings.WithPort(o.Listen))
	if err != nil {
		return nil, &startError{listenError(o.Listen, err)}
	}
	kept, key, where, err := openStore(o, log)
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
		Store: wrapStore(kept), Key: key, Title: chat.OneLine(title), Rate: o.Rate, RoomRate: o.RoomRate, MaxSessions: o.MaxSessions,
		InviteOnly: o.InviteOnly, Admin: adminOf(o), Addresses: addresses, Reserve: o.KeepFree, Insecure: o.Insecure, Log: log,
	})
	if err == nil {
		err = announce(stdout, o, listener.Addr(), addresses, local, key.ID(), where)
	}
	if err != nil {
		_, _ = kept.Close(), listener.Close() // a store that can't be read can't be closed well either: that says nothing new
		return nil, &startError{err}
	}
	if o.Insecure {
		log.Warn("links are not encrypted: everybody on the way can read and change what is said")
	}
	return &opened{node: node, listener: listener, id: key.ID(), where: where, slog: log}, nil
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

// listenError says in plain words why an address can't be served on.
func listenError(address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("cannot listen on %s: another program is using that port; try another one, such as -listen :8081", address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("cannot listen on %s: that port is not for everyone; try one above 1023", address)
	}
	return fmt.Errorf("cannot listen on %s: %w", address, err)
}

// adminOf returns who may do everything on a node: whom the flags name, and whoever has a key of the account that runs it. Those keys are looked up each
// time, as the first of them may be made after the node has started.
func adminOf(o *settings.Options) func(identity.ID) bool {
	return func(id identity.ID) bool { return slices.Contains(o.Admins, id) || slices.Contains(profile.Keys(), id) }
}

// inMemory is where the messages of an ephemeral node are.
const inMemory = "in memory"

// openStore returns the store that the flags ask for, the node's key, and where its messages are: a file, or inMemory.
func openStore(o *settings.Options, log *slog.Logger) (_ nodeStore, _ *identity.Key, where string, err error) {
	dir := o.Data
	_, port, _ := net.SplitHostPort(settings.WithPort(o.Listen)) // it has been listened on
	if o.Ephemeral || dir == "" && port == "0" {
		key, err := ephemeralKey(o, port)
		return store.NewMemory(store.DefaultMemory), key, inMemory, err
	}
	if dir == "" {
		if dir, err = disk.DataDir(); err != nil {
			return nil, nil, "", fmt.Errorf("find the folder for messages: %w; -data DIR names one, -ephemeral does without", err)
		}
		dir = filepath.Join(dir, port)
	}
	opt := store.Options{Keep: store.Keep{Age: o.KeepAge}, Total: o.KeepSize, Log: log, Moment: storeMoment}
	kept, key, err := openKept(dir, o.Identity, opt)
	if err != nil {
		return nil, nil, "", err
	}
	opened := kept.Opened()
	if others := store.Siblings(dir); opened.New && o.Data == "" && len(others) > 0 {
		log.Info("this store is new; others are beside it", "others", strings.Join(others, ", "))
	}
	if opened.Copy != "" {
		log.Info("the store is of a new schema now", "was", opened.From, "copy", opened.Copy)
	}
	if opened.Restored {
		log.Info("the store was restored from a backup: clients will see a reset")
	}
	return kept, key, opened.File, nil
}

// ephemeralKey returns the key of a node that keeps nothing else: one of its port, so that clients find the same node there when it is started again. On
// port 0, or where no file can be, it is a new one.
func ephemeralKey(o *settings.Options, port string) (*identity.Key, error) {
	dir, err := disk.DataDir()
	if o.Identity != "" || port == "0" || err != nil {
		return keyFrom(o.Identity)
	}
	dir = filepath.Join(dir, port)
	file := filepath.Join(dir, "ephemeral.key")
	if disk.MakeDir(dir) != nil {
		return keyFrom("")
	}
	key, err := keyFrom(file)
	if _, missing := os.Lstat(file); err != nil && errors.Is(missing, fs.ErrNotExist) {
		return keyFrom("")
	}
	return key, err
}

// announce says where the node listens, who it is, and how others join.
func announce(stdout io.Writer, o *settings.Options, addr net.Addr, addresses []string, local bool, id identity.ID, where string) error {
	if o.JSON {
		_, err := fmt.Fprintf(stdout, `{"type":"listening","addr":%s,"node":%q,"encrypted":%t}`+"\n", strconv.Quote(addr.String()), id, !o.Insecure)
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "chatnode listens on %s\n", strings.Join(addresses, ", "))
	if local {
		fmt.Fprintf(&text, "only this machine can join:\n")
	} else {
		fmt.Fprintf(&text, "to join, on any machine that reaches this one:\n")
	}
	if o.Insecure {
		fmt.Fprintf(&text, "    chatnode -insecure -connect %s -name YOU\n", addresses[0])
		fmt.Fprintf(&text, "NOT ENCRYPTED: everybody on the way can read and change what is said here\n")
	} else {
		fmt.Fprintf(&text, "    chatnode -connect %s -name YOU\n", addresses[0])
		fmt.Fprintf(&text, "this node is %s: clients show that when they first meet it\n", id.Grouped())
	}
	switch {
	case o.InviteOnly:
		fmt.Fprintf(&text, "only those it knows may join, and whom you invite: you are its admin, and /invite makes an invitation\n")
	case !local:
		fmt.Fprintf(&text, "anyone who reaches it may join; -invite-only keeps strangers out\n")
	}
	if where == inMemory {
		fmt.Fprintf(&text, "messages are kept in memory: they end with this node\n")
	} else {
		fmt.Fprintf(&text, "messages are kept in %s\n", where)
	}
	_, err := io.WriteString(stdout, text.String())
	return err
}
