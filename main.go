// Chatnode is chat for people who share a network and nothing else: one binary that is a node, a client, or both.
package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"chatnode/internal/bench"
	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/discover"
	"chatnode/internal/disk"
	"chatnode/internal/door"
	"chatnode/internal/identity"
	"chatnode/internal/lines"
	"chatnode/internal/mesh"
	"chatnode/internal/premises"
	"chatnode/internal/profile"
	"chatnode/internal/settings"
	"chatnode/internal/store"
	"chatnode/internal/talk"
	"chatnode/internal/tui"
	"chatnode/internal/upkeep"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitCannotStart = 3
	exitUnreachable = 4
	exitRefused     = 5
	exitChanged     = 6
	exitNotKept     = 7
	exitFault       = 8
)

const (
	defaultPort = settings.DefaultPort
	defaultRoom = "lobby"
	// backlog is how many earlier messages a person sees on joining a room.
	backlog = 50
	// clientTend is how often a client looks whether its link is alive.
	clientTend = time.Second
)

func main() {
	signal.Ignore(syscall.SIGPIPE) // a reader of stdout that goes away is an error like any other
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// startError is a reason why a node can't begin to serve, or a client to keep what it is told to.
type startError struct{ err error }

func (e *startError) Error() string { return e.err.Error() }
func (e *startError) Unwrap() error { return e.err }

// run is chatnode with everything it touches passed in. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	err := dispatch(ctx, args, stdin, stdout, stderr)
	var usage *settings.UsageError
	var start *startError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, flag.ErrHelp):
		printHelp(stdout)
		return exitOK
	case errors.As(err, &usage), errors.Is(err, talk.ErrUsage), errors.Is(err, upkeep.ErrUsage), errors.Is(err, profile.ErrUsage), errors.Is(err, discover.ErrUsage),
		errors.Is(err, bench.ErrUsage):
		fmt.Fprintf(stderr, "chatnode: %s\nchatnode -h shows how it is used\n", clean(err))
		return exitUsage
	}
	fmt.Fprintf(stderr, "chatnode: %s\n", clean(err))
	switch {
	case errors.As(err, new(*identity.ChangedError)):
		return exitChanged
	case errors.As(err, &start), errors.Is(err, upkeep.ErrNotOpened):
		return exitCannotStart
	case errors.Is(err, upkeep.ErrFault):
		return exitFault
	case errors.Is(err, talk.ErrUnreachable):
		return exitUnreachable
	case errors.Is(err, talk.ErrRefused), errors.As(err, new(*mesh.SpaceError)):
		return exitRefused
	case errors.Is(err, talk.ErrNotKept):
		return exitNotKept
	}
	return exitFailure
}

// clean returns an error as lines that can't drive a terminal, whoever's words are in it.
func clean(err error) string {
	said := strings.Split(err.Error(), "\n")
	for i, line := range said {
		said[i] = chat.OneLine(line)
	}
	return strings.Join(said, "\n")
}

// dispatch runs a verb, a node or a client.
func dispatch(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	for _, v := range verbs(stdin) {
		if len(args) > 0 && args[0] == v.name {
			return v.run(ctx, args[1:], stdout, stderr)
		}
	}
	o, err := settings.Parse(args, verbNames())
	switch {
	case err != nil:
		return err
	case o.Version:
		fmt.Fprintln(stdout, version())
		return nil
	case o.Listen != "" && o.Name != "" && isTerminal(stdin) && columns(stdout) > 0:
		return runBoth(ctx, o, deskOf(o, stdin, stdout, stderr))
	case o.Listen != "":
		return runNode(ctx, o, stdout, stderr)
	case len(o.Connect) > 0 || o.Name != "":
		return runClient(ctx, o, nil, deskOf(o, stdin, stdout, stderr))
	}
	printHelp(stderr)
	return settings.Usagef("say -listen to serve, or -connect to join")
}

// verb does one thing and ends.
type verb struct {
	name string
	help string
	run  func(ctx context.Context, args []string, stdout, stderr io.Writer) error
}

// verbs returns all of them, in the order in which help lists them.
func verbs(stdin io.Reader) []verb {
	return []verb{
		{"check", "is everything in a store as it was written?", upkeepVerb(upkeep.Check)},
		{"export", "print the messages of a store", upkeepVerb(upkeep.Export)},
		{"backup", "copy a store, while its node runs", upkeepVerb(upkeep.Backup)},
		{"id", "print who you are to a node", profileVerb(profile.ID)},
		{"trust", "list the nodes that you know, or say which one an address has", profileVerb(profile.Trust)},
		{"discover", "print which nodes are on this network", discover.Main},
		{"init", "write a settings file, with everything commented out", settings.Init},
		{"bench", "measure what this machine can do", benchVerb(stdin)},
	}
}

// verbNames returns the names of the verbs.
func verbNames() string {
	var names []string
	for _, v := range verbs(nil) {
		names = append(names, v.name)
	}
	return strings.Join(names, ", ")
}

// upkeepVerb returns a verb for a store.
func upkeepVerb(do func(context.Context, []string, *upkeep.Console) error) func(context.Context, []string, io.Writer, io.Writer) error {
	return func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
		return do(ctx, args, &upkeep.Console{
			Out: stdout, Err: stderr, Wide: columns(stderr), Same: columns(stdout) > 0, Zone: time.Local, Now: time.Now, Data: usualStore,
		})
	}
}

// profileVerb returns a verb for a user's things.
func profileVerb(do func(context.Context, []string, *profile.Console) error) func(context.Context, []string, io.Writer, io.Writer) error {
	return func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
		standing, err := settings.Standing()
		if err != nil {
			return err
		}
		return do(ctx, args, &profile.Console{Out: stdout, Err: stderr, Name: loginName, Standing: standing, WithPort: settings.WithPort})
	}
}

// usualStore returns the store that is meant when none is named: what the environment or the settings file says, else that of the usual port.
func usualStore() (dir string, chosen bool, err error) {
	standing, err := settings.Standing()
	if err != nil {
		return "", false, err
	}
	if dir := standing("data"); dir != "" {
		return dir, true, nil
	}
	dir, err = disk.DataDir()
	return filepath.Join(dir, defaultPort), false, err
}

// size returns how many columns and lines the terminal has that w is, 0 when it is none.
func size(w io.Writer) (wide, high int) {
	if file, ok := w.(*os.File); ok {
		if wide, high, err := term.GetSize(int(file.Fd())); err == nil {
			return wide, high
		}
	}
	return 0, 0
}

// columns returns how wide the terminal is that w is, 0 when it is none.
func columns(w io.Writer) int { wide, _ := size(w); return wide }

// benchVerb returns the verb bench, which asks at stdin before it does something to a node that others use.
func benchVerb(stdin io.Reader) func(context.Context, []string, io.Writer, io.Writer) error {
	return func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
		return bench.Main(ctx, args, &bench.Console{
			Out: stdout, Err: stderr, In: stdin, Asks: isTerminal(stdin), Node: slowedNode, Known: openKnown, WithPort: settings.WithPort,
		})
	}
}

// slowedNode is the node that the bench runs where commits are to take longer than the disk needs: committed is called after each.
func slowedNode(ctx context.Context, args []string, committed func(), stdout, stderr io.Writer) error {
	o, err := settings.Parse(args, verbNames())
	if err != nil {
		return err
	}
	wrapStore = func(s premises.Store) premises.Store { return slowedStore{s, committed} }
	return runNode(ctx, o, stdout, stderr)
}

// slowedStore is a store whose batches take as much longer as committed does.
type slowedStore struct {
	premises.Store
	committed func()
}

func (s slowedStore) Append(b *store.Batch) error {
	err := s.Store.Append(b)
	if err == nil {
		s.committed()
	}
	return err
}

// desk is where a user sits.
type desk struct {
	in     io.Reader
	out    io.Writer
	err    io.Writer // the screen's log, where there is a screen
	screen *tui.Log  // nil: lines
}

// deskOf returns a user's desk: the whole terminal, where there is one and nothing speaks against it.
func deskOf(o *settings.Options, stdin io.Reader, stdout, stderr io.Writer) desk {
	plain := o.Plain || o.JSON || o.Whole || o.Commands || os.Getenv("TERM") == "dumb"
	if plain || !isTerminal(stdin) || columns(stdout) == 0 {
		return desk{in: stdin, out: stdout, err: stderr}
	}
	log := tui.NewLog()
	return desk{in: stdin, out: stdout, err: log, screen: log}
}

// runClient talks to a node until the user or the input ends. host is the node in this process that the user belongs to, or nil.
func runClient(ctx context.Context, o *settings.Options, host *opened, d desk) error {
	cfg := lines.Config{
		In: d.in, Out: d.out, Err: d.err, Rooms: o.Rooms, Terminal: isTerminal(d.in) && !o.JSON,
		Commands: o.Commands, Follow: o.Follow, Whole: o.Whole, JSON: o.JSON, Timeout: o.Timeout, Wait: o.Wait,
	}
	if len(cfg.Rooms) == 0 {
		cfg.Rooms = []string{defaultRoom}
	}
	if lines.Draws(os.Getenv) {
		cfg.Screen = func() (int, int) { return size(d.out) }
	}
	conf, mine, err := clientOf(o, host, &cfg, d.err)
	if err != nil {
		return err
	}
	if mine.kept != nil {
		defer mine.kept.Close() // all of it outlives this process already
	}
	cfg.ID, cfg.Reached = mine.key.ID(), mine.reached(o.Connect)
	if d.screen == nil {
		cfg.Client = client.New(*conf)
		return lines.Run(ctx, cfg)
	}
	return tui.Run(ctx, tui.Config{
		Client: client.New(*conf), In: d.in, Out: d.out, Environ: os.Environ(), ID: cfg.ID, Rooms: cfg.Rooms, Kept: mine.kept != nil,
		Insecure: o.Insecure, Log: d.screen, Timeout: o.Timeout, Wait: o.Wait, Idle: o.AwayAfter, Reached: cfg.Reached,
	})
}

// clientOf returns what the client of a run is made of, and what it brings. Notes for the user go to stderr.
func clientOf(o *settings.Options, host *opened, cfg *lines.Config, stderr io.Writer) (*client.Config, *belongings, error) {
	for _, address := range o.Connect {
		if _, err := identity.NormalAddress(settings.WithPort(address)); err != nil {
			return nil, nil, settings.Usagef("-connect: %v", err)
		}
	}
	name := o.Name
	if name == "" {
		name = loginName()
		if !o.JSON {
			fmt.Fprintf(stderr, "-- you are %s; -name chooses another name\n", name)
		}
	}
	since, err := sinceOf(o, cfg)
	if err != nil {
		return nil, nil, err
	}
	mine, err := belongingsOf(o, name, cfg.Terminal, stderr)
	if err != nil {
		return nil, nil, err
	}
	route := &way{places: placesOf(o.Connect), key: mine.key, insecure: o.Insecure}
	route.check = profile.Check(mine.known, func(note string) { fmt.Fprintf(stderr, "-- %s\n", note) })
	if host != nil {
		route.check = host.check
	}
	if o.Insecure {
		fmt.Fprintln(stderr, "-- NOT ENCRYPTED: everybody on the way can read and change what is said")
	}
	conf := &client.Config{
		Name: name, Key: mine.key, Token: o.TokenFor, Dial: route.dial, Fresh: o.Tail.Given, Since: since, Log: o.Logger(stderr, slog.LevelError),
	}
	if mine.kept != nil {
		conf.State = mine.kept.State
	}
	if host == nil && !o.Insecure { // who is at home stays there, and where nobody proves who they are nobody is led
		conf.Nodes = route.places.Tell
	}
	if cfg.Listens() {
		conf.Rooms, conf.Direct, conf.Watch = cfg.Rooms, true, true
	}
	if conf.Tail = o.Tail.N; cfg.Terminal && !o.Tail.Given {
		conf.Tail = backlog
	}
	return conf, mine, nil
}

// sinceOf returns the place from which the first room is read, nil when none was named.
func sinceOf(o *settings.Options, cfg *lines.Config) (*chat.Cursor, error) {
	if o.Since == "" {
		return nil, nil
	}
	cursor, err := chat.ParseCursor(o.Since)
	if err != nil {
		return nil, settings.Usagef("-since: %v", err)
	}
	if !cfg.Listens() {
		return nil, settings.Usagef("-since needs -follow when the input is not a terminal")
	}
	return &cursor, nil
}

// runBoth is a node with a user of its own at the terminal: it serves until they quit.
func runBoth(ctx context.Context, o *settings.Options, d desk) error {
	host, err := openNode(o, d.err, d.err)
	if err != nil {
		return err
	}
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	served := make(chan error, 1)
	go func() { served <- host.serve(serving); leave() }() // waited for below
	user := *o
	user.Listen, user.Connect, user.Links, user.Data, user.Identity = "", []string{host.local()}, nil, "", ""
	err = runClient(ctx, &user, host, d)
	stop()
	return errors.Join(<-served, err)
}

// belongings are what a user brings to a node.
type belongings struct {
	key   *identity.Key
	kept  *profile.Profile // what is kept of the node that is asked for first: nil when nothing is to be, or can't be without -data
	known *identity.Known  // the nodes that they know, and those of their invitations
}

// openKnown opens the nodes that a user knows. Tests that start many nodes in one process set it: there a port soon means another node.
var openKnown = profile.OpenKnown

// belongingsOf returns a user's. What is not kept is told.
func belongingsOf(o *settings.Options, name string, terminal bool, stderr io.Writer) (*belongings, error) {
	want := profile.Want{
		Name: name, KeyFile: o.Identity, Dir: o.Data, Address: settings.WithPort("127.0.0.1"), Insists: o.Data != "", Passing: o.Data == "" && !terminal,
	}
	if len(o.Connect) > 0 {
		want.Address = settings.WithPort(o.Connect[0])
	}
	key, kept, notes, err := want.Get(rand.Reader)
	if err != nil {
		return nil, &startError{err}
	}
	known, note, err := openKnown(o.Data)
	if note != "" {
		notes = append(notes, note)
	}
	for _, note := range notes {
		fmt.Fprintf(stderr, "-- %s\n", note)
	}
	for _, link := range o.Links {
		if err == nil {
			err = known.Pin(link.Address, link.Node)
		}
	}
	if err != nil {
		if kept != nil {
			err = errors.Join(err, kept.Close())
		}
		return nil, &startError{err}
	}
	return &belongings{key, kept, known}, nil
}

// reached returns the addresses, of those that the user connects to, at which a node has been met.
func (b *belongings) reached(addresses []string) func(identity.ID) []string {
	return func(node identity.ID) (met []string) {
		for _, address := range addresses {
			if at, known := b.known.At(settings.WithPort(address)); known && at == node {
				met = append(met, settings.WithPort(address))
			}
		}
		return met
	}
}

// isTerminal reports whether stdin is a terminal.
func isTerminal(stdin io.Reader) bool {
	file, ok := stdin.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// loginName returns the login name made fit to be a person's, or else the host's.
func loginName() string {
	login := os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		login = u.Username[strings.LastIndexByte(u.Username, '\\')+1:]
	}
	host, _ := os.Hostname() // without one there is still "guest"
	return chat.MakeName(login, host)
}

// way is how a client gets to its node.
type way struct {
	places   *client.Places // the first that answers is taken
	key      *identity.Key
	insecure bool
	// check judges the node that answers at an address that the user has named, by its key; nil: every node will do. It is not asked about a link that is
	// not encrypted, nor about a node that has another one's word.
	check func(address string, node identity.ID) error
}

// placesOf returns the places that the user has named; none: this machine.
func placesOf(addresses []string) *client.Places {
	if len(addresses) == 0 {
		addresses = []string{"127.0.0.1"}
	}
	named := make([]string, len(addresses))
	for i, address := range addresses {
		named[i] = settings.WithPort(address)
	}
	return client.NewPlaces(named)
}

// dial makes a link to the first of the places that answers. The link looks after itself.
func (w *way) dial(ctx context.Context) (client.Link, error) {
	var errs []error
	for _, place := range w.places.List() {
		link, err := w.dialOne(ctx, place)
		if err == nil {
			w.places.Reached(place)
			return link, nil
		}
		errs = append(errs, err)
		if changed := (*identity.ChangedError)(nil); errors.As(err, &changed) {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// dialOne makes one link, within handshakeLimit.
func (w *way) dialOne(ctx context.Context, place client.Place) (*Link, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeLimit)
	defer cancel()
	address := place.Address
	conn, node, err := w.connect(ctx, place)
	if err != nil {
		return nil, err
	}
	link, err := openLink(ctx, conn)
	if said := (*door.SaidError)(nil); errors.As(err, &said) {
		err = said
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	link.node = node
	go func() { // ends with the link, which the client closes
		ticker := time.NewTicker(clientTend)
		defer ticker.Stop()
		for {
			select {
			case now := <-ticker.C:
				link.tend(now)
			case <-link.Done():
				return
			}
		}
	}()
	return link, nil
}

// connect returns a connection to the node at a place, and that node's id, which has passed the check, or is the one that was told.
func (w *way) connect(ctx context.Context, place client.Place) (net.Conn, identity.ID, error) {
	if w.insecure && !place.Node.IsZero() {
		return nil, identity.ID{}, fmt.Errorf("%s: a node that was told of can't prove itself without encryption", place.Address)
	}
	if w.insecure {
		conn, err := door.DialPlain(ctx, place.Address)
		return conn, identity.ID{}, err
	}
	check := w.check
	if !place.Node.IsZero() {
		check = func(_ string, node identity.ID) error {
			if node != place.Node {
				return fmt.Errorf("%s: another node answers than was told: %v, not %v", place.Address, node, place.Node)
			}
			return nil
		}
	}
	return reach(ctx, place.Address, identity.ClientTLS(w.key), check)
}

// reach returns an encrypted connection to the node at address, and that node's id, which has passed the check, if there is one.
func reach(ctx context.Context, address string, config *tls.Config, check func(string, identity.ID) error) (net.Conn, identity.ID, error) {
	conn, err := door.Dial(ctx, address, config)
	if err != nil {
		return nil, identity.ID{}, err
	}
	node, err := identity.PeerOf(conn.ConnectionState())
	if err == nil && check != nil {
		err = check(address, node)
	}
	if err != nil {
		return nil, identity.ID{}, errors.Join(err, conn.NetConn().Close())
	}
	return conn, node, nil
}

// version returns what this binary was built from.
func version() string {
	v := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = info.Main.Version
	}
	return "chatnode " + v
}

// printHelp prints how chatnode is used.
func printHelp(w io.Writer) {
	var text strings.Builder
	text.WriteString(`chatnode: chat for people who share a network and nothing else

    chatnode -listen :8080                         be a node
    chatnode -connect 192.168.1.5:8080 -name carol talk on one
    chatnode -listen :8080 -name carol             both at once, on a terminal
    chatnode -listen :8080 -connect first:8080     be a node that shares its rooms with another
    echo done | chatnode -connect 192.168.1.5 -name ci -room ops
                                                   send what a program says; ends when it is kept
    chatnode -connect 192.168.1.5 -name bot -json -follow
                                                   for programs: JSON in, JSON out

On a terminal it takes the whole screen: F1 lists the keys, /help the commands. -plain does without.
`)
	text.WriteString("\nVerbs, each with a page of its own: chatnode check -h\n")
	for _, v := range verbs(nil) {
		fmt.Fprintf(&text, "  %-19s %s\n", v.name, v.help)
	}
	text.WriteString(settings.Help())
	text.WriteString(`
A flag can also be set by CHATNODE_ and its name: CHATNODE_ROOM_RATE=50, or by a line in the settings file, which
chatnode init writes: room-rate = 50. Times are written 90s, 1h10m, 30d.

Exit codes: 0 done, all that was sent is kept; 1 failure; 2 usage; 3 cannot start; 4 cannot reach a node; 5 refused by
the node; 6 another node than before answers; 7 something that was sent was refused, or is not known to be kept;
8 check found a fault.
`)
	_, _ = io.WriteString(w, text.String()) // a help page that can't be printed is not missed
}
