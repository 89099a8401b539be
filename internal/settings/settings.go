// Package settings is the one table of what a node and a client can be told: the flags, the environment's variables, the settings file, the help page
// and the README follow it. It decides nothing by itself and starts nothing.
package settings

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
)

// What holds for those that are not given.
const (
	// DefaultPort is the port of an address that says none.
	DefaultPort = "8080"

	defaultRate        = 10   // messages a second of one key
	defaultRoomRate    = 200  // messages a second into one room
	defaultMaxSessions = 4096 // connections at one time
	defaultReserve     = 256 << 20
	defaultTimeout     = 10 * time.Second
	defaultAway        = 15 * time.Minute // without a key
)

// Options are the flags of a node and of a client.
type Options struct {
	Listen      string
	Public      string
	Title       string
	Rate        float64
	RoomRate    float64
	MaxSessions int
	Metrics     string // host:port; empty: none

	Data      string
	Ephemeral bool
	KeepAge   time.Duration // 0: for ever
	KeepSize  int64         // bytes; 0: without end
	KeepFree  int64         // bytes
	Admins    []identity.ID

	InviteOnly bool
	Discover   bool

	Connect   []string // addresses; in place of a link the one that it is for. Of a node: those of others
	Invite    string   // a link or a token, as it was given; Links and Token have what it says
	Links     []*identity.Link
	Token     []byte // one that was given without a link
	Name      string
	Rooms     []string
	Identity  string
	Plain     bool
	AwayAfter time.Duration // 0: the usual; below: never
	Commands  bool
	Follow    bool
	Since     string
	Tail      Tail
	Whole     bool
	Timeout   time.Duration
	Wait      bool

	Insecure bool

	Config  string // the settings file to take in place of the usual one
	JSON    bool
	Log     string
	Verbose bool
	Version bool
}

// Option is one row of the table of flags.
type Option struct {
	Name string
	Arg  string // what its value is called; empty for a switch
	Help string
	bind func(*flag.FlagSet, *Options, string)
}

// Group is the options of one kind of run.
type Group struct {
	Title   string
	Options []Option
}

// Titles of the groups of which a settings file says nothing to the other side.
const (
	forNodes   = "A node"
	forClients = "A client"
)

// Groups is the table of flags, in the order in which people meet them.
var Groups = []Group{
	{forNodes, []Option{
		{"listen", "ADDR", "serve on this address, such as :8080; port 0 takes a free one", func(f *flag.FlagSet, o *Options, n string) { f.StringVar(&o.Listen, n, "", "") }},
		{"public", "HOST:PORT", "the address to tell others, when it is not one of this machine's", func(f *flag.FlagSet, o *Options, n string) { f.StringVar(&o.Public, n, "", "") }},
		{"title", "TEXT", "what the node calls itself (the host's name)", func(f *flag.FlagSet, o *Options, n string) { f.StringVar(&o.Title, n, "", "") }},
		{"rate", "N", "messages a second that one person may send, three times as many at once (10); 0: no limit", func(f *flag.FlagSet, o *Options, n string) { f.Float64Var(&o.Rate, n, defaultRate, "") }},
		{"room-rate", "N", "messages a second that one room takes (200); 0: no limit", func(f *flag.FlagSet, o *Options, n string) { f.Float64Var(&o.RoomRate, n, defaultRoomRate, "") }},
		{"ephemeral", "", "keep everything in memory: it ends with the node, as it does for port 0 without -data", func(f *flag.FlagSet, o *Options, n string) { f.BoolVar(&o.Ephemeral, n, false, "") }},
		{"keep-age", "TIME", "let messages go that are older, such as 90d (keep everything)", func(f *flag.FlagSet, o *Options, n string) { f.Var((*period)(&o.KeepAge), n, "") }},
		{"keep-size", "SIZE", "let the oldest of the largest room go when all messages take more, such as 1GB (keep everything)", func(f *flag.FlagSet, o *Options, n string) { f.Var((*size)(&o.KeepSize), n, "") }},
		{"keep-free", "SIZE", "take no messages while less is free on the disk (256MB)", func(f *flag.FlagSet, o *Options, n string) {
			o.KeepFree = defaultReserve
			f.Var((*size)(&o.KeepFree), n, "")
		}},
		{"invite-only", "", "take only whom the node knows, and who is invited by an admin", func(f *flag.FlagSet, o *Options, n string) { f.BoolVar(&o.InviteOnly, n, false, "") }},
		{"admin", "ID", "the key id of somebody who may do everything here; may be given again", func(f *flag.FlagSet, o *Options, n string) { f.Var((*ids)(&o.Admins), n, "") }},
		{"discover", "", "announce the node on its network, and link to nodes of its space that are found there; chatnode discover lists them", func(f *flag.FlagSet, o *Options, n string) { f.BoolVar(&o.Discover, n, false, "") }},
		{"max-sessions", "N", "connections at one time (4096); 0: no limit", func(f *flag.FlagSet, o *Options, n string) { f.IntVar(&o.MaxSessions, n, defaultMaxSessions, "") }},
		{"metrics", "ADDR", "serve metrics, /healthz and profiles over HTTP on this address, such as :9090; without a host to this machine alone", func(f *flag.FlagSet, o *Options, n string) { f.Var((*localAddress)(&o.Metrics), n, "") }},
	}},
	{forClients, []Option{
		{"connect", "HOST:PORT|LINK", "a node to talk to (127.0.0.1:8080), or an invitation to one, in quotes; may be given again: the next one is tried when one fails; with -listen: nodes to link to, all of them", func(f *flag.FlagSet, o *Options, n string) { f.Var((*list)(&o.Connect), n, "") }},
		{"invite", "LINK|TOKEN", "an invitation: a link, or the token of one beside -connect (better as CHATNODE_INVITE: others can see a command line)", func(f *flag.FlagSet, o *Options, n string) { f.StringVar(&o.Invite, n, "", "") }},
		{"name", "NAME", "the name to go by (the login name)", func(f *flag.FlagSet, o *Options, n string) { f.StringVar(&o.Name, n, "", "") }},
		{"room", "ROOM", "a room to join (lobby); may be given again; lines go to the first", func(f *flag.FlagSet, o *Options, n string) { f.Var((*list)(&o.Rooms), n, "") }},
		{"identity", "FILE", "the key to prove oneself or the node with, made when it is not there (a client: one for each name; a node: one in its store)", func(f *flag.FlagSet, o *Options, n string) { f.StringVar(&o.Identity, n, "", "") }},
		{"plain", "", "on a terminal: lines, in place of the whole screen", func(f *flag.FlagSet, o *Options, n string) { f.BoolVar(&o.Plain, n, false, "") }},
		{"away-after", "TIME|never", "be away when nobody has typed for so long (15m)", func(f *flag.FlagSet, o *Options, n string) {
			o.AwayAfter = defaultAway
			f.Func(n, "", func(text string) error {
				if text == "never" {
					o.AwayAfter = -1
					return nil
				}
				return (*period)(&o.AwayAfter).Set(text)
			})
		}},
		{"commands", "", "understand /commands from a pipe too", func(f *flag.FlagSet, o *Options, n string) { f.BoolVar(&o.Commands, n, false, "") }},
		{"follow", "", "from a pipe: print what others say too, and stay when the input has ended", func(f *flag.FlagSet, o *Options, n string) { f.BoolVar(&o.Follow, n, false, "") }},
		{"since", "CURSOR", "begin behind this message of the first room: a cursor that -json printed", func(f *flag.FlagSet, o *Options, n string) { f.StringVar(&o.Since, n, "", "") }},
		{"tail", "N", "earlier messages to begin a room with, at most 500 (50 on a terminal, 0 from a pipe)", func(f *flag.FlagSet, o *Options, n string) { f.Var(&o.Tail, n, "") }},
		{"whole", "", "take the whole input as one message", func(f *flag.FlagSet, o *Options, n string) { f.BoolVar(&o.Whole, n, false, "") }},
		{"timeout", "TIME", "give up after so long without progress (10s)", func(f *flag.FlagSet, o *Options, n string) {
			o.Timeout = defaultTimeout
			f.Var((*period)(&o.Timeout), n, "")
		}},
		{"wait", "", "wait as long as it takes for the first connection", func(f *flag.FlagSet, o *Options, n string) { f.BoolVar(&o.Wait, n, false, "") }},
	}},
	{"Both", []Option{
		{"data", "DIR", "the folder where a node keeps messages and its key (one of the port), or a client what is unsent, what was read and which nodes it knows (on a terminal: one of the node; from a pipe: only the nodes)", func(f *flag.FlagSet, o *Options, n string) { f.StringVar(&o.Data, n, "", "") }},
		{"insecure", "", "do without encryption: for tests on one machine; node and clients have to agree on it", func(f *flag.FlagSet, o *Options, n string) { f.BoolVar(&o.Insecure, n, false, "") }},
		{"config", "FILE", "take this settings file, not the one that chatnode init writes; '' takes none", func(f *flag.FlagSet, o *Options, n string) { f.StringVar(&o.Config, n, "", "") }},
		{"json", "", "print JSON objects, one a line; a client reads them too (docs/json.md)", func(f *flag.FlagSet, o *Options, n string) { f.BoolVar(&o.JSON, n, false, "") }},
		{"log", "text|json", "how log lines look on standard error (text)", func(f *flag.FlagSet, o *Options, n string) { f.StringVar(&o.Log, n, "text", "") }},
		{"v", "", "log more", func(f *flag.FlagSet, o *Options, n string) { f.BoolVar(&o.Verbose, n, false, "") }},
		{"version", "", "print the version and end", func(f *flag.FlagSet, o *Options, n string) { f.BoolVar(&o.Version, n, false, "") }},
	}},
}

// Help returns the table as a help page shows it.
func Help() string {
	var text strings.Builder
	for _, group := range Groups {
		fmt.Fprintf(&text, "\n%s\n", group.Title)
		for _, opt := range group.Options {
			fmt.Fprintf(&text, "  %-19s %s\n", strings.TrimSpace("-"+opt.Name+" "+opt.Arg), opt.Help)
		}
	}
	return text.String()
}

// UsageError is a mistake in the command line, in the environment or in the settings file.
type UsageError struct{ text string }

// Error returns a sentence for who made it.
func (e *UsageError) Error() string { return e.text }

// Usagef returns a *UsageError.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// Parse reads the flags in args, for those that are not given the environment, and then the settings file. It returns flag.ErrHelp when help was asked
// for, else a *UsageError. What is not a flag may have been meant as one of the verbs.
func Parse(args []string, verbs string) (*Options, error) {
	o := &Options{}
	flags := o.flags()
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil, err
	} else if err != nil {
		return nil, Usagef("%v", err)
	}
	if flags.NArg() > 0 && identity.IsLink(flags.Arg(0)) {
		return nil, Usagef(`an invitation stands behind -connect, in quotes: chatnode -connect "LINK"`)
	}
	if flags.NArg() > 0 {
		return nil, Usagef("%q is neither a flag nor a verb; the verbs are: %s", flags.Arg(0), verbs)
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var err error
	flags.VisitAll(func(f *flag.Flag) {
		name := Variable(f.Name)
		if value, set := os.LookupEnv(name); set && !given[f.Name] && err == nil {
			given[f.Name] = true
			if e := f.Value.Set(value); e != nil {
				err = Usagef("%s=%q: %v", name, value, e)
			}
		}
	})
	if err == nil && !o.Version {
		err = o.takeFile(flags, given)
	}
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	return o, o.invitations()
}

// flags returns the table's flags, which set o. What holds for those that are not given is set already.
func (o *Options) flags() *flag.FlagSet {
	flags := flag.NewFlagSet("chatnode", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	for _, group := range Groups {
		for _, opt := range group.Options {
			opt.bind(flags, o, opt.Name)
		}
	}
	return flags
}

// WithPort completes an address: a host without a port gets chatnode's own.
func WithPort(address string) string {
	if _, _, err := net.SplitHostPort(address); err == nil {
		return address
	}
	return net.JoinHostPort(strings.Trim(address, "[]"), DefaultPort)
}

// Variable returns the variable of the environment that stands in for a flag.
func Variable(flag string) string {
	return "CHATNODE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// check finds what makes no sense before anything is started.
func (o *Options) check() error {
	for _, room := range o.Rooms {
		if !chat.MayBeRoom(room) {
			return Usagef("-room %q: %s", room, chat.RoomRule)
		}
	}
	switch {
	case o.Name != "" && !chat.ValidName(o.Name):
		return Usagef("-name %q: %s", o.Name, chat.NameRule)
	case o.Log != "text" && o.Log != "json":
		return Usagef("-log %q: it is text or json", o.Log)
	case !(o.Rate >= 0 && o.RoomRate >= 0) || math.IsInf(o.Rate+o.RoomRate, 1) || o.MaxSessions < 0: // what is no number is not above 0 either
		return Usagef("-rate, -room-rate and -max-sessions are numbers that can't be negative; 0 means no limit")
	case o.Ephemeral && o.Data != "":
		return Usagef("-ephemeral keeps nothing, and -data says where to keep it: give one of them")
	case o.Listen != "" && o.Insecure && (len(o.Connect) > 0 || o.Discover):
		return Usagef("-insecure is not for nodes that link: each has to prove which one it is, and what they share is everybody's")
	case o.Discover && o.Listen == "":
		return Usagef("-discover is for a node: give it -listen; chatnode discover lists the nodes that are found")
	case o.Metrics != "" && o.Listen == "":
		return Usagef("-metrics is for a node: give it -listen")
	case len(o.Title) > chat.MaxTitle || chat.CheckText(chat.Topic, o.Title) != chat.OK:
		return Usagef("-title: at most %d bytes of UTF-8", chat.MaxTitle)
	}
	if _, err := chat.ParseCursor(o.Since); o.Since != "" && err != nil {
		return Usagef("-since: %v", err)
	}
	return nil
}

// Logger returns a log on stderr as the flags ask for it: of what is as grave as quiet, or with -v of everything.
func (o *Options) Logger(stderr io.Writer, quiet slog.Level) *slog.Logger {
	handler := &slog.HandlerOptions{Level: quiet, ReplaceAttr: clean}
	if o.Verbose {
		handler.Level = slog.LevelDebug
	}
	if o.Log == "json" {
		return slog.New(slog.NewJSONHandler(stderr, handler))
	}
	return slog.New(slog.NewTextHandler(stderr, handler))
}

// clean takes out of what is logged whatever could drive the terminal of who reads it: slog quotes most of that in text, and little of it in JSON.
func clean(_ []string, a slog.Attr) slog.Attr {
	switch value := a.Value.Any().(type) {
	case string:
		a.Value = slog.StringValue(chat.OneLine(value))
	case error:
		a.Value = slog.StringValue(chat.OneLine(value.Error()))
	}
	return a
}
