// Package command keeps the slash commands: their names and aliases, arguments, help and completion in one table, the parser of a
// typed line, and what each command does to an Env. Every front end shares it, so a command means the same wherever it is typed.
// It is not a front end: it reads no keyboard, prints nothing by itself and knows no network.
package command

import (
	"slices"
	"strings"
)

// Kind says what an argument is, for completion and for the checks of the parser.
type Kind uint8

const (
	Free    Kind = iota // text; may hold spaces and newlines when it is the last argument
	Person              // a person's name or key id
	Room                // a room's name
	Command             // a command's name
)

// Rights says who may use a command. It is the node that decides, when it is asked: here it is told alone.
type Rights uint8

const (
	Anyone    Rights = iota // everybody
	Moderator               // the room's moderators, its owner and the node's admins
	Owner                   // the room's owner, who created it, and the node's admins
	Admin                   // the node's admins
)

var rightsNames = map[Rights]string{Moderator: "moderator", Owner: "owner", Admin: "admin"}

// String returns the role that is needed, as JSON output spells it; empty: none.
func (r Rights) String() string { return rightsNames[r] }

// Arg is one argument of a command.
type Arg struct {
	Name     string // in capitals, as the usage shows it; of a Free one it may be a grammar: words as they are typed and what they stand for
	Kind     Kind
	Optional bool // only the last argument of a command can be
}

// Entry is one command.
type Entry struct {
	Name    string // without the slash, lower case
	Aliases []string
	Args    []Arg
	Help    string // one line, without a full stop
	Rights  Rights
}

// Names of the commands. Say is not typed: a line that is no command is a call of it.
const (
	Say   = ""
	help  = "help"
	nick  = "nick"
	msg   = "msg"
	me    = "me"
	join  = "join"
	part  = "part"
	names = "names"
	whois = "whois"
	topic = "topic"
	list  = "list"
	quit  = "quit"

	history = "history"
	search  = "search"
	keep    = "keep"

	peers   = "peers"
	stats   = "stats"
	invite  = "invite"
	release = "release"
	redact  = "redact"

	op       = "op"
	deop     = "deop"
	kick     = "kick"
	ban      = "ban"
	unban    = "unban"
	banned   = "banned"
	mute     = "mute"
	unmute   = "unmute"
	slow     = "slow"
	readonly = "readonly"
	pin      = "pin"
	unpin    = "unpin"
	pins     = "pins"
	welcome  = "welcome"
	archive  = "archive"
	private  = "private"

	reply    = "reply"
	mentions = "mentions"
	query    = "query"
	shut     = "close"
	away     = "away"
	back     = "back"

	ignore   = "ignore"
	unignore = "unignore"
	report   = "report"

	notify = "notify"
	resend = "resend"
	clean  = "clear"
	buffer = "buffer"
)

// table is in the order in which help shows it.
var table = []Entry{
	{help, []string{"h", "?", "commands"}, []Arg{{"COMMAND", Command, true}}, "list the commands, or explain one", Anyone},
	{nick, []string{"n", "name"}, []Arg{{"NAME", Person, false}}, "take another name", Anyone},
	{reply, []string{"r"}, []Arg{{"TEXT", Free, false}}, "answer the message that is selected, else the last one that somebody else said here", Anyone},
	{away, nil, []Arg{{"TEXT", Free, true}}, "have others see that you are away, and why", Anyone},
	{back, nil, nil, "have others see that you are back", Anyone},
	{msg, []string{"m", "dm", "pm", "tell"}, []Arg{{"NAME", Person, false}, {"TEXT", Free, false}}, "say something to one person alone, or to #ROOM", Anyone},
	{query, nil, []Arg{{"NAME", Person, false}, {"TEXT", Free, true}}, "turn to one person alone, and say something to them", Anyone},
	{me, []string{"action"}, []Arg{{"TEXT", Free, false}}, "say what you do: /me waves", Anyone},
	{join, []string{"j"}, []Arg{{"ROOM", Room, false}}, "enter a room, or turn to one that you are in; @NAME turns to one person", Anyone},
	{part, []string{"leave", "p"}, []Arg{{"ROOM", Room, true}}, "leave a room: this one unless another is named", Anyone},
	{shut, []string{"wc"}, []Arg{{"ROOM", Room, true}}, "leave a room, or put a conversation away until something new is said in it", Anyone},
	{names, []string{"who", "users"}, []Arg{{"ROOM", Room, true}}, "list who is in a room", Anyone},
	{whois, []string{"wi"}, []Arg{{"NAME", Person, false}}, "tell a person's key, rooms and since when they are here", Anyone},
	{ignore, []string{"block"}, []Arg{{"NAME", Person, true}}, "not see what somebody says, or list whom you ignore; nobody is told", Anyone},
	{unignore, []string{"unblock"}, []Arg{{"NAME", Person, false}}, "see again what somebody says", Anyone},
	{report, nil, []Arg{{"TEXT", Free, true}}, "show the node's admins the message that is selected, else the last one that somebody else said here, also of a conversation; TEXT says why", Anyone},
	{topic, []string{"t"}, []Arg{{"TEXT | -delete", Free, true}}, "show the room's topic, or set it; -delete takes it away", Anyone},
	{list, []string{"channels", "rooms", "ls"}, nil, "list the rooms of this node", Anyone},
	{history, []string{"hist", "backlog"}, []Arg{{"N | before SEQ | since 2h | causal ROOM", Free, true}}, "show the last messages of the room, or those before them; causal in the order that is the same on all nodes", Anyone},
	{search, []string{"find", "grep"}, []Arg{{"WORDS [in ROOM] [from NAME]", Free, false}}, "find messages by the words in them, the newest first", Anyone},
	{mentions, nil, []Arg{{"before N", Free, true}}, "find messages with your name in them, the newest first", Anyone},
	{keep, nil, []Arg{{"90d 1GB | all | default", Free, true}}, "show how long the room is kept, or change it, if it is yours", Anyone},
	{invite, []string{"inv"}, []Arg{{"ROOM uses N for 24h | @NAME ROOM | node", Free, true}}, "make a link that lets others in, to this room unless another is named: 1 person for 24h; @NAME makes somebody a member of a private room; node lets another node in, with its history", Anyone},
	{peers, []string{"nodes", "links"}, []Arg{{"admit WHO | guest WHO | drop WHO", Free, true}}, "list the other nodes and how far they are behind; an admin says what one of them is: admit shares private rooms and conversations too, drop ends its link", Anyone},
	{stats, []string{"status"}, nil, "tell how the node is doing: to admins what it has done, refused and dropped too", Anyone},
	{pins, nil, nil, "show the messages that are pinned in the room", Anyone},
	{welcome, nil, []Arg{{"TEXT | -delete", Free, true}}, "show what the room says to those who come in; a moderator sets it, and -delete takes it away", Anyone},
	{pin, nil, []Arg{{"N", Free, true}}, "pin the message that is selected, else the last one that somebody else said here, or that of a number", Moderator},
	{unpin, nil, []Arg{{"N", Free, true}}, "take a pin away, of the message that /pin would take", Moderator},
	{mute, []string{"quiet"}, []Arg{{"NAME", Person, false}, {"for TIME REASON", Free, true}}, "have somebody not write in the room: /mute bob 10m shouting", Moderator},
	{unmute, []string{"unquiet"}, []Arg{{"NAME", Person, false}}, "let somebody write again", Moderator},
	{kick, nil, []Arg{{"NAME", Person, false}, {"REASON", Free, true}}, "put somebody out of the room; they can come back", Moderator},
	{ban, nil, []Arg{{"NAME", Person, false}, {"for TIME REASON", Free, true}}, "put somebody out of the room and keep them out, by their key: /ban bob 7d", Moderator},
	{unban, nil, []Arg{{"NAME", Person, false}}, "let somebody come back", Moderator},
	{banned, []string{"bans"}, nil, "list who is banned from the room", Moderator},
	{slow, nil, []Arg{{"TIME | off", Free, false}}, "have everybody wait between two messages: /slow 10s", Moderator},
	{readonly, nil, []Arg{{"on | off", Free, true}}, "have moderators alone write in the room", Moderator},
	{op, []string{"mod"}, []Arg{{"NAME", Person, false}}, "make somebody a moderator of the room", Owner},
	{deop, []string{"unmod"}, []Arg{{"NAME", Person, false}}, "make somebody a moderator no longer", Owner},
	{archive, nil, []Arg{{"on | off", Free, true}}, "have nobody write in the room any more; it can still be read", Owner},
	{private, nil, []Arg{{"on | off", Free, true}}, "keep the room to those who are in it now: nobody else finds or reads it; /invite @NAME lets others in", Owner},
	{release, nil, []Arg{{"NAME", Person, false}}, "take a name from the key that owns it", Admin},
	{redact, nil, []Arg{{"ID", Free, true}}, "take the text of a message away for good: yours, or as a moderator others'; of the selected one without ID", Anyone},
	{notify, nil, []Arg{{"on | all | off", Free, true}}, "tell which messages of this room ring, or change it: on is those with your name in them", Anyone},
	{resend, nil, nil, "send again what was refused here last", Anyone},
	{clean, nil, nil, "empty the screen of this room; nothing is deleted", Anyone},
	{buffer, []string{"buf", "b"}, []Arg{{"N | ROOM | @NAME", Room, false}}, "go to a room by its number, to a room or to a conversation", Anyone},
	{quit, []string{"q", "exit", "bye", "disconnect"}, nil, "say goodbye and end", Anyone},
}

// byName holds every name and alias.
var byName = func() map[string]*Entry {
	m := make(map[string]*Entry)
	for i := range table {
		for _, name := range append([]string{table[i].Name}, table[i].Aliases...) {
			m[name] = &table[i]
		}
	}
	return m
}()

// All returns the commands in the order in which help lists them. The caller owns the slice, not what its elements point to.
func All() []Entry { return slices.Clone(table) }

// Lookup returns the command that goes by name: its name or an alias, in any case, with or without the slash.
func Lookup(name string) (Entry, bool) {
	e, ok := byName[strings.ToLower(strings.TrimPrefix(name, "/"))]
	if !ok {
		return Entry{}, false
	}
	return *e, true
}

// OnScreen reports whether the command needs a front end that is a Screen.
func (e *Entry) OnScreen() bool {
	return slices.Contains([]string{notify, resend, clean, buffer}, e.Name)
}

// Usage returns how the command is written: "/msg NAME TEXT".
func (e *Entry) Usage() string {
	var b strings.Builder
	b.WriteString("/" + e.Name)
	for _, a := range e.Args {
		if a.Optional {
			b.WriteString(" [" + a.Name + "]")
		} else {
			b.WriteString(" " + a.Name)
		}
	}
	return b.String()
}
