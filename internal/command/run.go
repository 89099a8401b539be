package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"chatnode/internal/chat"
)

// Env is what a front end lends to the commands that are typed in it. Its methods are called by whoever calls Run, one at a time.
type Env interface {
	// Room returns where talk goes now: a room's name, chat.DirectMark and a person's name, or "" for nowhere.
	Room() string
	// Say hands a message over for sending; room is as Room returns it. It blocks while too much is waiting.
	Say(ctx context.Context, room string, kind chat.Kind, text string) error
	// Join enters a room, or turns to one that is open already; room may be chat.DirectMark and a name.
	Join(ctx context.Context, room string) error
	// Part leaves a room.
	Part(ctx context.Context, room string) error
	// Query turns to the conversation with the person of that name or key id.
	Query(ctx context.Context, name string) error
	// Close leaves a room, or puts a conversation away until something new is said in it. room is "" where talk goes nowhere.
	Close(ctx context.Context, room string) error
	// Reply says text as the answer to a message of room: the one that is selected, else the last one that somebody else said and that was shown. It
	// returns ErrNoMessage when there is none.
	Reply(ctx context.Context, room, text string) error
	// Report tells the node's admins of a message of room, the one that Reply would answer, in the words of the user: see Reported. It returns
	// ErrNoMessage when there is none.
	Report(ctx context.Context, room, text string) error
	// Redact has the text of a message of room taken away: of the one with that id, or, if it is zero, of the one that is selected. It returns
	// ErrNoMessage when there is none. What the node makes of it is told when it has answered.
	Redact(ctx context.Context, room string, id chat.ID) error
	// Nick asks for another name. What became of it is told when the node has answered.
	Nick(ctx context.Context, name string) error
	// Away has others see that the user is away, with a text for who asks about them, or that they are back, which has none.
	Away(ctx context.Context, text string, away bool) error
	// Topic returns the topic of a room.
	Topic(ctx context.Context, room string) (TopicAnswer, error)
	// Names returns who is in a room.
	Names(ctx context.Context, room string) (NamesAnswer, error)
	// Whois returns what is known about the person of that name or key id.
	Whois(ctx context.Context, who string) (WhoisAnswer, error)
	// List returns the rooms of the node.
	List(ctx context.Context) (ListAnswer, error)
	// History returns messages of a room.
	History(ctx context.Context, room string, q HistoryQuery) (HistoryAnswer, error)
	// Search returns messages by the words in them, at most SearchHits.
	Search(ctx context.Context, q SearchQuery) (SearchAnswer, error)
	// Mentions returns messages with the user's name in them, of those with a number below before; 0: the newest.
	Mentions(ctx context.Context, before uint64) (MentionsAnswer, error)
	// Keep returns how long a room is kept, after changing it unless change is nil.
	Keep(ctx context.Context, room string, change *Keep) (KeepAnswer, error)
	// Invite returns an invitation.
	Invite(ctx context.Context, q InviteQuery) (InviteAnswer, error)
	// Peers returns the other nodes that the node knows.
	Peers(ctx context.Context) (PeersAnswer, error)
	// Stats returns how the node is doing.
	Stats(ctx context.Context) (StatsAnswer, error)
	// Admit says what the node of that id or title is to the user's node.
	Admit(ctx context.Context, node string, mode PeerMode) (PeerAnswer, error)
	// Causal returns the end of a room in the order that is the same on all nodes.
	Causal(ctx context.Context, room string) (CausalAnswer, error)
	// Release takes a name from its owner.
	Release(ctx context.Context, name string) (ReleaseAnswer, error)
	// Ignore has the user ignore the person of that name or key id, or not any more. Who the node doesn't know by the name may have spoken by it in
	// room, which is as Room returns it.
	Ignore(ctx context.Context, room, name string, on bool) (IgnoreAnswer, error)
	// Ignored returns whom the user ignores.
	Ignored(ctx context.Context) (IgnoredAnswer, error)
	// Act hands an act over for sending; room is as Room returns it, and no conversation.
	Act(ctx context.Context, room string, act chat.ActOf) error
	// Key returns the text of the key id of the person of that name or key id, who is looked for as Ignore does.
	Key(ctx context.Context, room, name string) (string, error)
	// Message returns the id of a message of room: that with a number, or with 0 the one that is selected, else the last one that somebody else said and
	// that was shown. It returns ErrNoMessage when there is none.
	Message(ctx context.Context, room string, seq uint64) (chat.ID, error)
	// Banned returns who is banned from a room.
	Banned(ctx context.Context, room string) (BannedAnswer, error)
	// Pins returns the messages that are pinned in a room.
	Pins(ctx context.Context, room string) (PinsAnswer, error)
	// Welcome returns what a room says to those who come in.
	Welcome(ctx context.Context, room string) (WelcomeAnswer, error)
	// Show gives an answer to whoever typed the command.
	Show(Answer)
	// Quit asks the front end to end once everything sent is answered.
	Quit()
}

// Screen is an Env that has the whole screen, with a place for each room. Its methods are called as an Env's are.
type Screen interface {
	// Notify says which messages of a room ring: "on" those that mention the user, or are for them alone; "all" all; "off" none. With "" it tells which do.
	Notify(room, level string) error
	// Resend sends what was refused last in a room once more. It returns ErrNoMessage when nothing was.
	Resend(room string) error
	// Clear empties what is shown of a room.
	Clear(room string)
	// Buffer goes to a room: by its number on the screen, or by its name as Env.Room returns it.
	Buffer(which string) error
}

// ErrNoMessage is returned for what needs a message of the room while there is none to take for it.
var ErrNoMessage = errors.New("there is no message here to do that with")

// ErrNoRoom is returned for what needs a room while there is none to take for it.
var ErrNoRoom = errors.New("you are in no room: /join one first")

// deleteTopic is the text that stands for no topic, after irssi's and WeeChat's spelling.
const deleteTopic = "-delete"

// Run does what call says. It returns what Env's methods return, or ErrNoRoom.
func Run(ctx context.Context, call Call, env Env) error {
	first := ""
	if len(call.Args) > 0 {
		first = call.Args[0]
	}
	switch call.Name {
	case Say:
		return say(ctx, env, chat.Text, first)
	case me:
		return say(ctx, env, chat.Action, first)
	case msg:
		return message(ctx, env, first, call.Args[1])
	case topic:
		return talkAbout(ctx, env, call.Args)
	case nick:
		return env.Nick(ctx, first)
	case away:
		return show(env)(AwayAnswer{Away: true, Text: first}, env.Away(ctx, first, true))
	case back:
		return show(env)(AwayAnswer{}, env.Away(ctx, "", false))
	case join:
		return env.Join(ctx, first)
	case part:
		return inRoom(env, first, func(room string) error { return env.Part(ctx, room) })
	case query:
		return turnTo(ctx, env, call.Args)
	case shut:
		return env.Close(ctx, cmp.Or(first, env.Room()))
	case reply:
		return inRoom(env, "", func(room string) error { return env.Reply(ctx, room, first) })
	case names:
		return inRoom(env, first, func(room string) error { return show(env)(env.Names(ctx, room)) })
	case whois:
		return show(env)(env.Whois(ctx, first))
	case list:
		return show(env)(env.List(ctx))
	case history, search, mentions, keep:
		return runLog(ctx, call, env, first)
	case peers:
		return runPeers(ctx, env, first)
	case stats:
		return show(env)(env.Stats(ctx))
	case invite:
		return runInvite(ctx, env, first)
	case op, deop, kick, ban, unban, banned, mute, unmute, slow, readonly, pin, unpin, pins, welcome, archive, private:
		return runAct(ctx, call, env, first)
	case ignore, unignore:
		return runIgnore(ctx, call, env, first)
	case report:
		return runReport(ctx, env, first)
	case release:
		return show(env)(env.Release(ctx, first))
	case redact:
		return runRedact(ctx, env, first)
	case notify, resend, clean, buffer:
		return runOnScreen(call, env, first)
	case help:
		return explain(env, first)
	case quit:
		env.Quit()
		return nil
	}
	return fmt.Errorf("/%s is not built yet", call.Name)
}

func say(ctx context.Context, env Env, kind chat.Kind, text string) error {
	return inRoom(env, "", func(room string) error { return env.Say(ctx, room, kind, text) })
}

// inRoom calls do with room, or with the current one when room is empty.
func inRoom(env Env, room string, do func(room string) error) error {
	if room == "" {
		room = env.Room()
	}
	if room == "" {
		return ErrNoRoom
	}
	return do(room)
}

func message(ctx context.Context, env Env, to, text string) error {
	room, isRoom := strings.CutPrefix(to, "#")
	if !isRoom {
		room = chat.DirectMark + to
	}
	return env.Say(ctx, room, chat.Text, text)
}

// turnTo turns to a person, and says something where there is something to say.
func turnTo(ctx context.Context, env Env, args []string) error {
	if err := env.Query(ctx, args[0]); err != nil || len(args) == 1 {
		return err
	}
	return message(ctx, env, args[0], args[1])
}

// runOnScreen does the commands that need a Screen.
func runOnScreen(call Call, env Env, first string) error {
	screen, ok := env.(Screen)
	if !ok {
		return &Error{NoScreen, "/" + call.Name + " needs the full screen, which chatnode has on a terminal without -plain"}
	}
	switch call.Name {
	case notify:
		if !slices.Contains([]string{"", "on", "all", "off"}, first) {
			return badUsage(byName[notify], "%s is none of on, all and off", quote(first))
		}
		return inRoom(env, "", func(room string) error { return screen.Notify(room, first) })
	case resend:
		return inRoom(env, "", screen.Resend)
	case buffer:
		return screen.Buffer(first)
	}
	return inRoom(env, "", func(room string) error {
		screen.Clear(room)
		return nil
	})
}

func talkAbout(ctx context.Context, env Env, args []string) error {
	return inRoom(env, "", func(room string) error {
		switch {
		case len(args) == 0:
			return show(env)(env.Topic(ctx, room))
		case args[0] == deleteTopic:
			return env.Say(ctx, room, chat.Topic, "")
		}
		return env.Say(ctx, room, chat.Topic, args[0])
	})
}

func explain(env Env, name string) error {
	if name == "" {
		env.Show(HelpAnswer{All()})
		return nil
	}
	entry, ok := Lookup(name)
	if !ok {
		return unknown(strings.TrimPrefix(name, "/"))
	}
	env.Show(HelpAnswer{[]Entry{entry}})
	return nil
}

// show returns a function that takes what an Env's question returned and shows it unless it failed.
func show(env Env) func(Answer, error) error {
	return func(a Answer, err error) error {
		if err == nil {
			env.Show(a)
		}
		return err
	}
}
