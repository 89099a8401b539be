package command

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"chatnode/internal/chat"
)

// inviteFor is how long an invitation is good unless it is said.
const inviteFor = 24 * time.Hour

// InviteQuery is what /invite asks for.
type InviteQuery struct {
	Room string // where it leads; empty: to the node alone
	Uses int    // how many people may come in by it
	For  time.Duration
	Node bool // another node is to come by it, with its history
}

// nodeWord has /invite let a node in, in place of a person.
const nodeWord = "node"

// parseInvite reads [ROOM] [uses N] [for AGE], or node [for AGE]. A room that is called uses, for or node is written with its #.
func parseInvite(text string) (InviteQuery, error) {
	q := InviteQuery{}
	for words := strings.Fields(text); len(words) > 0; {
		word, value, rest, err := cutPair(words, "uses", "for")
		if err != nil {
			return q, inviteUsage("%v", err)
		}
		words = rest
		switch {
		case word == nodeWord:
			if q.Node || q.Room != "" || q.Uses > 0 {
				return q, inviteUsage("%s is too much", quote(word))
			}
			q.Node = true
		case word == "uses" && q.Uses == 0 && !q.Node:
			if q.Uses, err = strconv.Atoi(value); err != nil || q.Uses < 1 || q.Uses > chat.MaxUses {
				return q, inviteUsage("%s is not a number of people, 1 to %d", quote(value), chat.MaxUses)
			}
		case word == "for" && q.For == 0:
			if q.For, err = chat.ParseDuration(value); err != nil || q.For < time.Second || q.For > chat.MaxInvite {
				return q, inviteUsage("%s is not a time such as 90s, 24h or 7d, at most %s", quote(value), chat.FormatDuration(chat.MaxInvite))
			}
		case value == "" && q.Room == "" && !q.Node:
			if q.Room = strings.ToLower(strings.TrimPrefix(word, "#")); !chat.MayBeRoom(q.Room) {
				return q, inviteUsage("%s is no room's name", quote(word))
			}
		default:
			return q, inviteUsage("%s is too much", quote(word))
		}
	}
	if q.Uses == 0 {
		q.Uses = 1
	}
	if q.For == 0 {
		q.For = inviteFor
	}
	return q, nil
}

func inviteUsage(format string, args ...any) error { return badUsage(byName[invite], format, args...) }

// runInvite invites to the room that is named, or to the one where the user is; nobody is invited to a conversation. Who is named with an @ becomes a
// member of it; anybody else comes by a link.
func runInvite(ctx context.Context, env Env, text string) error {
	if name, named := strings.CutPrefix(text, chat.DirectMark); named {
		return admit(ctx, env, name)
	}
	q, err := parseInvite(text)
	if err != nil {
		return err
	}
	if q.Room == "" && !q.Node && !strings.HasPrefix(env.Room(), chat.DirectMark) {
		q.Room = env.Room()
	}
	return show(env)(env.Invite(ctx, q))
}

// admit makes a person a member of a private room: text is NAME [ROOM].
func admit(ctx context.Context, env Env, text string) error {
	words := strings.Fields(text)
	switch {
	case len(words) == 0 || strings.HasPrefix(text, " "):
		return inviteUsage("who is invited is missing behind the @")
	case len(words) > 2:
		return inviteUsage("%s is too much", quote(words[2]))
	}
	room := env.Room()
	if len(words) == 2 {
		if room = strings.ToLower(strings.TrimPrefix(words[1], "#")); !chat.MayBeRoom(room) {
			return inviteUsage("%s is no room's name", quote(words[1]))
		}
	}
	return inRoom(env, room, func(room string) error {
		if strings.HasPrefix(room, chat.DirectMark) {
			return inviteUsage("nobody can be invited to a conversation: name the room")
		}
		who, err := env.Key(ctx, room, words[0])
		if err != nil {
			return err
		}
		return env.Act(ctx, room, chat.ActOf{Verb: chat.Invite, Who: who})
	})
}

// InviteAnswer is an invitation.
type InviteAnswer struct {
	Room    string // where it leads; empty: to the node alone
	Link    string // what is passed on
	Token   string // the part of the link that lets its bearer in
	Uses    int
	Expires time.Time
	Local   bool // the link leads to this machine itself, as no other address of the node is known
	Node    bool // it is for another node
}

// Lines returns who may use the invitation, how often and until when, how, and the link: that is the last, and alone on its line.
func (a InviteAnswer) Lines(zone *time.Location) []string {
	until := a.Expires.In(zone).Format("2006-01-02 15:04")
	if a.Node {
		lines := []string{"until " + until + ", one node may come by this link with its history, and gets everything: private rooms and conversations too"}
		return append(append(lines, a.warning()...), `to link it, quotes and all: chatnode -listen :8080 -connect "LINK"`, a.Link)
	}
	where := "here"
	if a.Room != "" {
		where = "to " + Label(a.Room)
	}
	lines := []string{fmt.Sprintf("until %s, %s may come %s by this link; whoever has the link can use it", until, count(a.Uses, "person", "people"), where)}
	return append(append(lines, a.warning()...), `to join by it, quotes and all: chatnode -connect "LINK" -name YOU`, a.Link)
}

// warning says where a link does not lead.
func (a InviteAnswer) warning() []string {
	if !a.Local {
		return nil
	}
	return []string{"it works on this machine alone, as no other address of the node is known: start the node with -public HOST:PORT, or put its address in"}
}

// ReleaseAnswer is a name that was taken from its owner.
type ReleaseAnswer struct {
	Name  string
	Owner Who // until now
}

// Lines returns it as a sentence.
func (a ReleaseAnswer) Lines(*time.Location) []string {
	return []string{fmt.Sprintf("%s is free: it was the name of the key %s", chat.Shown(a.Name), a.Owner.ID)}
}
