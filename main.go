// Chatnode is chat for people who share a network and nothing else: one binary that is a node, a client, or both.
package main

import (
	"context"
	"crypto/rand"
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
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"chatnode/internal/bench"
	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/disk"
	"chatnode/internal/identity"
	"chatnode/internal/lines"
	"chatnode/internal/profile"
	"chatnode/internal/store"
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
	exitNotKept     = 7
	exitFault       = 8
)

const (
	defaultPort = "8080"
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

// options are the flags of a node and of a client.
type options struct {
	listen   string
	public   string
	title    string
	rate     float64
	roomRate float64
	sessions int

	data      string
	ephemeral bool
	keepAge   period
	keepSize  size
	keepFree  size
	admins    list

	connect  list
	name     string
	rooms    list
	identity string
	commands bool
	follow   bool
	since    string
	tail     tail
	whole    bool
	timeout  period
	wait     bool

	json    bool
	log     string
	verbose bool
	version bool
}

// option is one row of the table of flags: the help page, the environment and the README's table follow it.
type option struct {
	name string
	arg  string // what its value is called; empty for a switch
	help string
	bind func(*flag.FlagSet, *options, string)
}

// optionGroups is the table of flags, in the order in which people meet them.
var optionGroups = []struct {
	title   string
	options []option
}{
	{"A node", []option{
		{"listen", "ADDR", "serve on this address, such as :8080; port 0 takes a free one", func(f *flag.FlagSet, o *options, n string) { f.StringVar(&o.listen, n, "", "") }},
		{"public", "HOST:PORT", "the address to tell others, when it is not one of this machine's", func(f *flag.FlagSet, o *options, n string) { f.StringVar(&o.public, n, "", "") }},
		{"title", "TEXT", "what the node calls itself (the host's name)", func(f *flag.FlagSet, o *options, n string) { f.StringVar(&o.title, n, "", "") }},
		{"rate", "N", "messages a second that one person may send, three times as many at once (10); 0: no limit", func(f *flag.FlagSet, o *options, n string) { f.Float64Var(&o.rate, n, defaultRate, "") }},
		{"room-rate", "N", "messages a second that one room takes (200); 0: no limit", func(f *flag.FlagSet, o *options, n string) { f.Float64Var(&o.roomRate, n, defaultRoomRate, "") }},
		{"ephemeral", "", "keep everything in memory: it ends with the node, as it does for port 0 without -data", func(f *flag.FlagSet, o *options, n string) { f.BoolVar(&o.ephemeral, n, false, "") }},
		{"keep-age", "TIME", "let messages go that are older, such as 90d (keep everything)", func(f *flag.FlagSet, o *options, n string) { f.Var(&o.keepAge, n, "") }},
		{"keep-size", "SIZE", "let the oldest of the largest room go when all messages take more, such as 1GB (keep everything)", func(f *flag.FlagSet, o *options, n string) { f.Var(&o.keepSize, n, "") }},
		{"keep-free", "SIZE", "take no messages while less is free on the disk (256MB)", func(f *flag.FlagSet, o *options, n string) {
			o.keepFree = defaultReserve
			f.Var(&o.keepFree, n, "")
		}},
		{"admin", "ID", "the key id of somebody who may do everything here; may be given again", func(f *flag.FlagSet, o *options, n string) { f.Var(&o.admins, n, "") }},
		{"max-sessions", "N", "connections at one time (4096); 0: no limit", func(f *flag.FlagSet, o *options, n string) { f.IntVar(&o.sessions, n, defaultMaxSessions, "") }},
	}},
	{"A client", []option{
		{"connect", "HOST:PORT", "a node to talk to (127.0.0.1:8080); may be given again: the next one is tried when one fails", func(f *flag.FlagSet, o *options, n string) { f.Var(&o.connect, n, "") }},
		{"name", "NAME", "the name to go by (the login name)", func(f *flag.FlagSet, o *options, n string) { f.StringVar(&o.name, n, "", "") }},
		{"room", "ROOM", "a room to join (lobby); may be given again; lines go to the first", func(f *flag.FlagSet, o *options, n string) { f.Var(&o.rooms, n, "") }},
		{"identity", "FILE", "the key to prove oneself or the node with, made when it is not there (with -data or on a terminal one for each name, else a new key each time)", func(f *flag.FlagSet, o *options, n string) { f.StringVar(&o.identity, n, "", "") }},
		{"commands", "", "understand /commands from a pipe too", func(f *flag.FlagSet, o *options, n string) { f.BoolVar(&o.commands, n, false, "") }},
		{"follow", "", "from a pipe: print what others say too, and stay when the input has ended", func(f *flag.FlagSet, o *options, n string) { f.BoolVar(&o.follow, n, false, "") }},
		{"since", "CURSOR", "begin behind this message of the first room: a cursor that -json printed", func(f *flag.FlagSet, o *options, n string) { f.StringVar(&o.since, n, "", "") }},
		{"tail", "N", "earlier messages to begin a room with, at most 500 (50 on a terminal, 0 from a pipe)", func(f *flag.FlagSet, o *options, n string) { f.Var(&o.tail, n, "") }},
		{"whole", "", "take the whole input as one message", func(f *flag.FlagSet, o *options, n string) { f.BoolVar(&o.whole, n, false, "") }},
		{"timeout", "TIME", "give up after so long without progress (10s)", func(f *flag.FlagSet, o *options, n string) {
			o.timeout = period(defaultTimeout)
			f.Var(&o.timeout, n, "")
		}},
		{"wait", "", "wait as long as it takes for the first connection", func(f *flag.FlagSet, o *options, n string) { f.BoolVar(&o.wait, n, false, "") }},
	}},
	{"Both", []option{
		{"data", "DIR", "the folder where a node keeps messages and its key (one of the port), or a client what is unsent and was read (on a terminal: one of the node; from a pipe: nowhere)", func(f *flag.FlagSet, o *options, n string) { f.StringVar(&o.data, n, "", "") }},
		{"json", "", "print JSON objects, one a line; a client reads them too (docs/json.md)", func(f *flag.FlagSet, o *options, n string) { f.BoolVar(&o.json, n, false, "") }},
		{"log", "text|json", "how log lines look on standard error (text)", func(f *flag.FlagSet, o *options, n string) { f.StringVar(&o.log, n, "text", "") }},
		{"v", "", "log more", func(f *flag.FlagSet, o *options, n string) { f.BoolVar(&o.verbose, n, false, "") }},
		{"version", "", "print the version and end", func(f *flag.FlagSet, o *options, n string) { f.BoolVar(&o.version, n, false, "") }},
	}},
}

const defaultTimeout = 10 * time.Second

// list is a flag that may be given again.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// period is a duration flag in chatnode's own spelling.
type period time.Duration

func (p *period) String() string { return time.Duration(*p).String() }
func (p *period) Set(s string) error {
	d, err := chat.ParseDuration(s)
	if err == nil && d <= 0 {
		err = errors.New("must be more than 0")
	}
	*p = period(d)
	return err
}

// size is a number of bytes in chatnode's own spelling.
type size int64

func (s *size) String() string { return strconv.FormatInt(int64(*s), 10) }
func (s *size) Set(text string) error {
	n, err := chat.ParseSize(text)
	*s = size(n)
	return err
}

// tail is a number of messages, or not given.
type tail struct {
	n     int
	given bool
}

func (t *tail) String() string { return strconv.Itoa(t.n) }
func (t *tail) Set(s string) (err error) {
	t.given = true
	if t.n, err = strconv.Atoi(s); err == nil && (t.n < 0 || t.n > chat.MaxTail) {
		err = fmt.Errorf("must be 0 to %d", chat.MaxTail)
	}
	return err
}

// usageError is a mistake in the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// startError is a reason why a node can't begin to serve, or a client to keep what it is told to.
type startError struct{ err error }

func (e *startError) Error() string { return e.err.Error() }
func (e *startError) Unwrap() error { return e.err }

// run is chatnode with everything it touches passed in. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	err := dispatch(ctx, args, stdin, stdout, stderr)
	var usage *usageError
	var start *startError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, flag.ErrHelp):
		printHelp(stdout)
		return exitOK
	case errors.As(err, &usage), errors.Is(err, lines.ErrUsage), errors.Is(err, upkeep.ErrUsage):
		fmt.Fprintf(stderr, "chatnode: %v\nchatnode -h shows how it is used\n", err)
		return exitUsage
	}
	fmt.Fprintf(stderr, "chatnode: %v\n", err)
	switch {
	case errors.As(err, &start), errors.Is(err, upkeep.ErrNotOpened):
		return exitCannotStart
	case errors.Is(err, upkeep.ErrFault):
		return exitFault
	case errors.Is(err, lines.ErrUnreachable):
		return exitUnreachable
	case errors.Is(err, lines.ErrRefused):
		return exitRefused
	case errors.Is(err, lines.ErrNotKept):
		return exitNotKept
	}
	return exitFailure
}

// dispatch runs a verb, a node or a client.
func dispatch(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	for _, v := range verbs {
		if len(args) > 0 && args[0] == v.name {
			return v.run(ctx, args[1:], stdout, stderr)
		}
	}
	o, err := parseOptions(args)
	switch {
	case err != nil:
		return err
	case o.version:
		fmt.Fprintln(stdout, version())
		return nil
	case o.listen != "" && len(o.connect) > 0:
		return usagef("a node that links to another (-listen with -connect) is not part of this version yet")
	case o.listen != "":
		return runNode(ctx, o, stdout, stderr)
	case len(o.connect) > 0 || o.name != "":
		return runClient(ctx, o, stdin, stdout, stderr)
	}
	printHelp(stderr)
	return usagef("say -listen to serve, or -connect to join")
}

// verb does one thing and ends.
type verb struct {
	name string
	help string
	run  func(ctx context.Context, args []string, stdout, stderr io.Writer) error
}

var verbs = []verb{
	{"check", "is everything in a store as it was written?", upkeepVerb(upkeep.Check)},
	{"export", "print the messages of a store", upkeepVerb(upkeep.Export)},
	{"backup", "copy a store, while its node runs", upkeepVerb(upkeep.Backup)},
	{"bench", "measure what this machine can do", benchVerb},
}

// verbNames returns the names of the verbs.
func verbNames() string {
	var names []string
	for _, v := range verbs {
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

// usualStore returns the store that is meant when none is named: what the environment says, else that of the usual port.
func usualStore() (dir string, chosen bool, err error) {
	if dir := os.Getenv(environment("data")); dir != "" {
		return dir, true, nil
	}
	dir, err = disk.DataDir()
	return filepath.Join(dir, defaultPort), false, err
}

// columns returns how wide the terminal is that w is, 0 when it is none.
func columns(w io.Writer) int {
	if file, ok := w.(*os.File); ok {
		if wide, _, err := term.GetSize(int(file.Fd())); err == nil {
			return wide
		}
	}
	return 0
}

func benchVerb(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	err := bench.Main(ctx, args, stdout, stderr)
	if errors.Is(err, bench.ErrUsage) {
		return usagef("%v", err)
	}
	return err
}

// parseOptions reads the flags, and the environment for those that are not given.
func parseOptions(args []string) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("chatnode", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	for _, group := range optionGroups {
		for _, opt := range group.options {
			opt.bind(flags, o, opt.name)
		}
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil, err
	} else if err != nil {
		return nil, usagef("%v", err)
	}
	if flags.NArg() > 0 {
		return nil, usagef("%q is neither a flag nor a verb; the verbs are: %s", flags.Arg(0), verbNames())
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var err error
	flags.VisitAll(func(f *flag.Flag) {
		name := environment(f.Name)
		if value, set := os.LookupEnv(name); set && !given[f.Name] && err == nil {
			if e := f.Value.Set(value); e != nil {
				err = usagef("%s=%q: %v", name, value, e)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return o, o.check()
}

// environment returns the variable that stands in for a flag.
func environment(flag string) string {
	return "CHATNODE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// check finds what makes no sense before anything is started.
func (o *options) check() error {
	for _, room := range o.rooms {
		if !chat.ValidRoom(room) {
			return usagef("-room %q: %s", room, chat.RoomRule)
		}
	}
	switch {
	case o.name != "" && !chat.ValidName(o.name):
		return usagef("-name %q: %s", o.name, chat.NameRule)
	case o.log != "text" && o.log != "json":
		return usagef("-log %q: it is text or json", o.log)
	case o.rate < 0 || o.roomRate < 0 || o.sessions < 0:
		return usagef("-rate, -room-rate and -max-sessions can't be negative; 0 means no limit")
	case o.ephemeral && o.data != "":
		return usagef("-ephemeral keeps nothing, and -data says where to keep it: give one of them")
	case len(o.title) > chat.MaxTitle || chat.CheckText(chat.Topic, o.title) != chat.OK:
		return usagef("-title: at most %d bytes of UTF-8", chat.MaxTitle)
	}
	if _, err := chat.ParseCursor(o.since); o.since != "" && err != nil {
		return usagef("-since: %v", err)
	}
	return nil
}

// logger returns the log on stderr, as the flags ask for it.
func (o *options) logger(stderr io.Writer, quiet slog.Level) *slog.Logger {
	handler := &slog.HandlerOptions{Level: quiet}
	if o.verbose {
		handler.Level = slog.LevelDebug
	}
	if o.log == "json" {
		return slog.New(slog.NewJSONHandler(stderr, handler))
	}
	return slog.New(slog.NewTextHandler(stderr, handler))
}

// withPort completes an address: a host without a port gets chatnode's own.
func withPort(address string) string {
	if _, _, err := net.SplitHostPort(address); err == nil {
		return address
	}
	return net.JoinHostPort(strings.Trim(address, "[]"), defaultPort)
}

// runNode serves until ctx ends.
func runNode(ctx context.Context, o *options, stdout, stderr io.Writer) error {
	log := o.logger(stderr, slog.LevelInfo)
	admins, err := parseIDs(o.admins)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", withPort(o.listen))
	if err != nil {
		return &startError{listenError(o.listen, err)}
	}
	kept, key, where, err := openStore(o, log)
	if err != nil {
		return &startError{errors.Join(err, listener.Close())}
	}
	title := o.title
	if host, err := os.Hostname(); title == "" && err == nil {
		title = host
	}
	node, err := newNode(nodeConfig{
		Store: wrapStore(kept), Key: key, Title: chat.OneLine(title), Rate: o.rate, RoomRate: o.roomRate, MaxSessions: o.sessions,
		Admins: admins, Reserve: int64(o.keepFree), Log: log,
	})
	if err == nil {
		err = announce(stdout, o, listener.Addr(), where)
	}
	if err != nil {
		return errors.Join(&startError{err}, kept.Close(), listener.Close())
	}
	log.Info("serving", "addr", listener.Addr().String(), "node", key.ID().String(), "kept", where)
	err = node.Serve(ctx, listener)
	log.Info("stopped")
	return err
}

// inMemory is where the messages of an ephemeral node are.
const inMemory = "in memory"

// openStore returns the store that the flags ask for, the node's key, and where its messages are: a file, or inMemory.
func openStore(o *options, log *slog.Logger) (_ nodeStore, _ *identity.Key, where string, err error) {
	dir := o.data
	_, port, _ := net.SplitHostPort(withPort(o.listen)) // it has been listened on
	if o.ephemeral || dir == "" && port == "0" {
		key, err := keyFrom(o.identity)
		return store.NewMemory(store.DefaultMemory), key, inMemory, err
	}
	if dir == "" {
		if dir, err = disk.DataDir(); err != nil {
			return nil, nil, "", fmt.Errorf("find the folder for messages: %w; -data DIR names one, -ephemeral does without", err)
		}
		dir = filepath.Join(dir, port)
	}
	opt := store.Options{Keep: store.Keep{Age: time.Duration(o.keepAge)}, Total: int64(o.keepSize), Log: log, Moment: storeMoment}
	kept, key, err := openKept(dir, o.identity, opt)
	if err != nil {
		return nil, nil, "", err
	}
	opened := kept.Opened()
	if others := store.Siblings(dir); opened.New && o.data == "" && len(others) > 0 {
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

// parseIDs reads key ids.
func parseIDs(texts []string) (ids []identity.ID, err error) {
	for _, text := range texts {
		id, err := identity.ParseID(text)
		if err != nil {
			return nil, usagef("-admin %q: that is not a key id: it begins with cn1", text)
		}
		ids = append(ids, id)
	}
	return ids, nil
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

// announce says where the node listens and how others join.
func announce(stdout io.Writer, o *options, addr net.Addr, where string) error {
	addresses, local := reachable(addr)
	if o.public != "" {
		addresses, local = []string{withPort(o.public)}, false
	}
	if o.json {
		_, err := fmt.Fprintf(stdout, `{"type":"listening","addr":%s}`+"\n", strconv.Quote(addr.String()))
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "chatnode listens on %s\n", strings.Join(addresses, ", "))
	if local {
		fmt.Fprintf(&text, "only this machine can join:\n")
	} else {
		fmt.Fprintf(&text, "to join, on any machine that reaches this one:\n")
	}
	fmt.Fprintf(&text, "    chatnode -connect %s -name YOU\n", addresses[0])
	if where == inMemory {
		fmt.Fprintf(&text, "messages are kept in memory: they end with this node\n")
	} else {
		fmt.Fprintf(&text, "messages are kept in %s\n", where)
	}
	_, err := io.WriteString(stdout, text.String())
	return err
}

// runClient talks to a node until the user or the input ends.
func runClient(ctx context.Context, o *options, stdin io.Reader, stdout, stderr io.Writer) error {
	cfg := lines.Config{
		In: stdin, Out: stdout, Err: stderr, Rooms: o.rooms, Terminal: isTerminal(stdin) && !o.json,
		Commands: o.commands, Follow: o.follow, Whole: o.whole, JSON: o.json, Timeout: time.Duration(o.timeout), Wait: o.wait,
	}
	if len(cfg.Rooms) == 0 {
		cfg.Rooms = []string{defaultRoom}
	}
	name := o.name
	if name == "" {
		name = loginName()
		if !o.json {
			fmt.Fprintf(stderr, "-- you are %s; -name chooses another name\n", name)
		}
	}
	key, kept, err := o.belongings(name, cfg.Terminal, stderr)
	if err != nil {
		return err
	}
	cfg.ID = key.ID()
	conf := client.Config{Name: name, Key: key, Dial: dialer(o.connect), Fresh: o.tail.given, Log: o.logger(stderr, slog.LevelError)}
	if kept != nil {
		defer kept.Close() // all of it outlives this process already
		conf.State = kept.State
	}
	if cfg.Listens() {
		conf.Rooms, conf.Direct, conf.Watch = cfg.Rooms, true, true
	}
	if conf.Tail = o.tail.n; cfg.Terminal && !o.tail.given {
		conf.Tail = backlog
	}
	if o.since != "" {
		cursor, err := chat.ParseCursor(o.since)
		if err != nil {
			return usagef("-since: %v", err)
		}
		if !cfg.Listens() {
			return usagef("-since needs -follow when the input is not a terminal")
		}
		conf.Since = &cursor
	}
	cfg.Client = client.New(conf)
	return lines.Run(ctx, cfg)
}

// belongings returns the user's key, and what is kept of the node that is asked for first: nil when nothing is to be, or can't be without -data.
func (o *options) belongings(name string, terminal bool, stderr io.Writer) (*identity.Key, *profile.Profile, error) {
	if o.data == "" && !terminal {
		key, err := keyFrom(o.identity)
		return key, nil, err
	}
	want := profile.Want{Name: name, KeyFile: o.identity, Dir: o.data, Address: withPort("127.0.0.1"), Insists: o.data != ""}
	if len(o.connect) > 0 {
		want.Address = withPort(o.connect[0])
	}
	key, kept, notes, err := want.Get(rand.Reader)
	for _, note := range notes {
		fmt.Fprintf(stderr, "-- %s\n", note)
	}
	if err != nil {
		return nil, nil, &startError{err}
	}
	return key, kept, nil
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

// dialer returns a function that connects to the first of the addresses that answers. The link that it returns looks after itself.
func dialer(addresses []string) func(context.Context) (client.Link, error) {
	if len(addresses) == 0 {
		addresses = []string{"127.0.0.1"}
	}
	return func(ctx context.Context) (client.Link, error) {
		var errs []error
		for _, address := range addresses {
			link, err := dial(ctx, withPort(address))
			if err == nil {
				return link, nil
			}
			errs = append(errs, err)
		}
		return nil, errors.Join(errs...)
	}
}

// dial makes one link, within handshakeLimit.
func dial(ctx context.Context, address string) (*Link, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeLimit)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, dialError(address, err)
	}
	link, err := openLink(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
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

// dialError says in plain words why an address can't be reached.
func dialError(address string, err error) error {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing listens on %s", address)
	case errors.As(err, &dns):
		return fmt.Errorf("no address is known for %s", address)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s does not answer", address)
	}
	return err
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
    echo done | chatnode -connect 192.168.1.5 -name ci -room ops
                                                   send what a program says; ends when it is kept
    chatnode -connect 192.168.1.5 -name bot -json -follow
                                                   for programs: JSON in, JSON out

On a terminal, lines are messages and /help lists the commands.
`)
	text.WriteString("\nVerbs, each with a page of its own: chatnode check -h\n")
	for _, v := range verbs {
		fmt.Fprintf(&text, "  %-19s %s\n", v.name, v.help)
	}
	for _, group := range optionGroups {
		fmt.Fprintf(&text, "\n%s\n", group.title)
		for _, opt := range group.options {
			fmt.Fprintf(&text, "  %-19s %s\n", strings.TrimSpace("-"+opt.name+" "+opt.arg), opt.help)
		}
	}
	text.WriteString(`
A flag can also be set by CHATNODE_ and its name: CHATNODE_ROOM_RATE=50. Times are written 90s, 1h10m, 30d.

Exit codes: 0 done, all that was sent is kept; 1 failure; 2 usage; 3 cannot start; 4 cannot reach a node; 5 refused by
the node; 7 something that was sent was refused, or is not known to be kept; 8 check found a fault.
`)
	_, _ = io.WriteString(w, text.String()) // a help page that can't be printed is not missed
}
