package command

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"chatnode/internal/chat"
)

// toPerson are the commands that are acts done to a person.
var toPerson = map[string]chat.Verb{
	op: chat.Op, deop: chat.Deop, kick: chat.Kick, ban: chat.Ban, unban: chat.Unban, mute: chat.Mute, unmute: chat.Unmute,
}

// switches are acts that are turned on and off.
var switches = map[string][2]chat.Verb{
	readonly: {chat.ReadOnly, chat.Writable}, archive: {chat.Archive, chat.Unarchive}, private: {chat.Private, chat.Open},
}

// off is what turns something off, and on what turns it on again.
const (
	on  = "on"
	off = "off"
)

// runAct does the commands by which a room is moderated. There is nothing to moderate in a conversation.
func runAct(ctx context.Context, call Call, env Env, first string) error {
	return inRoom(env, "", func(room string) error {
		if strings.HasPrefix(room, chat.DirectMark) {
			return &Error{BadUsage, fmt.Sprintf("/%s is for rooms, and this is a conversation; /ignore NAME has you not see what somebody says", call.Name)}
		}
		switch call.Name {
		case banned:
			return show(env)(env.Banned(ctx, room))
		case pins:
			return show(env)(env.Pins(ctx, room))
		case welcome:
			if first == "" {
				return show(env)(env.Welcome(ctx, room))
			}
		}
		act, err := actOf(call)
		if err != nil {
			return err
		}
		if err := point(ctx, env, room, call, &act); err != nil {
			return err
		}
		return env.Act(ctx, room, act)
	})
}

// actOf returns the act that a command means, as far as the line tells it.
func actOf(call Call) (act chat.ActOf, err error) {
	rest := ""
	if len(call.Args) > 0 {
		rest = call.Args[len(call.Args)-1]
	}
	if verb, ok := toPerson[call.Name]; ok {
		act.Verb = verb
		if rest = ""; len(call.Args) > 1 {
			rest = call.Args[1]
		}
	}
	switch call.Name {
	case ban, mute:
		act.For, rest, err = parsePenalty(call.Name, rest)
	case slow:
		act.Verb = chat.Slow
		act.For, err = parseSlow(rest)
		rest = ""
	case readonly, archive, private:
		act.Verb, err = parseSwitch(call.Name, rest)
		rest = ""
	case pin, unpin:
		act.Verb = map[string]chat.Verb{pin: chat.Pin, unpin: chat.Unpin}[call.Name]
		return act, nil
	case welcome:
		if act.Verb = chat.Welcome; rest == deleteTopic {
			rest = ""
		}
	}
	if err != nil {
		return act, err
	}
	act.Text = strings.TrimSpace(chat.CleanText(chat.Topic, rest))
	if len(act.Text) > chat.MaxReason {
		return act, badUsage(byName[call.Name], "that is too long: it may have %d bytes", chat.MaxReason)
	}
	return act, nil
}

// point has an act say whom or which message it is about.
func point(ctx context.Context, env Env, room string, call Call, act *chat.ActOf) (err error) {
	switch act.Verb {
	case chat.Pin, chat.Unpin:
		var id chat.ID
		if id, err = parseMessage(ctx, env, room, call); err == nil {
			act.Text = id.String()
		}
	default:
		if _, ok := toPerson[call.Name]; ok {
			act.Who, err = env.Key(ctx, room, call.Args[0])
		}
	}
	return err
}

// parsePenalty reads [[for] TIME] [REASON]. A number without a unit is refused: whoever means ten minutes must not mute for ever.
func parsePenalty(name, text string) (time.Duration, string, error) {
	word, rest := cutWord(text)
	if word == "for" {
		word, rest = cutWord(strings.TrimSpace(rest))
		if word == "" {
			return 0, "", badUsage(byName[name], "for what is missing")
		}
	}
	d, err := chat.ParseDuration(word)
	switch {
	case word != "" && strings.Trim(word, "0123456789.") == "":
		return 0, "", badUsage(byName[name], "%s has no unit: 10m are ten minutes; without a time it has no end", quote(word))
	case err != nil:
		return 0, text, nil // "for shouting" is a reason
	case d < time.Second || d > chat.MaxPenalty:
		return 0, "", badUsage(byName[name], "%s is not a time from 1s to %s; without one it has no end", quote(word), chat.FormatDuration(chat.MaxPenalty))
	}
	return d.Truncate(time.Millisecond), rest, nil
}

func parseSlow(text string) (time.Duration, error) {
	if text == off {
		return 0, nil
	}
	d, err := chat.ParseDuration(text)
	if err != nil || d < time.Second || d > chat.MaxSlow {
		return 0, badUsage(byName[slow], "%s is neither off nor a time from 1s to %s", quote(text), chat.FormatDuration(chat.MaxSlow))
	}
	return d.Truncate(time.Millisecond), nil
}

func parseSwitch(name, text string) (chat.Verb, error) {
	switch text {
	case "", on:
		return switches[name][0], nil
	case off:
		return switches[name][1], nil
	}
	return "", badUsage(byName[name], "%s is neither on nor off", quote(text))
}

// parseMessage finds the message that a command is about: the one of that number or id, or the one that is selected.
func parseMessage(ctx context.Context, env Env, room string, call Call) (chat.ID, error) {
	if len(call.Args) == 0 {
		return env.Message(ctx, room, 0)
	}
	if id, err := chat.ParseID(call.Args[0]); err == nil && !id.IsZero() {
		return id, nil
	}
	seq, err := strconv.ParseUint(call.Args[0], 10, 64)
	if err != nil || seq == 0 {
		return chat.ID{}, badUsage(byName[call.Name], "%s is not the number of a message: /history shows them", quote(call.Args[0]))
	}
	return env.Message(ctx, room, seq)
}

// Deed returns what an act has done, behind the name of who did it: " has muted bob for 10m". whom is what the person is called that it is done to; empty:
// that is not known, and the key stands there. What the act says besides, Act.Text, is not in it, unless it ends in ": ".
func Deed(act chat.ActOf, whom string) string {
	who := Who{ID: act.Who, Name: whom}.short()
	deed := deeds[act.Verb]
	switch {
	case act.Verb == chat.Slow && act.For == 0:
		deed = "has ended the slow mode"
	case act.Verb == chat.Slow:
		deed += " " + chat.FormatDuration(act.For) + " between two messages"
	case act.Verb == chat.Welcome && act.Text == "":
		deed = "took the welcome away"
	}
	text := " " + strings.Replace(deed, "WHO", who, 1)
	if act.For > 0 && act.Who != "" {
		text += " for " + chat.FormatDuration(act.For)
	}
	if ActText(act) != "" {
		text += ": "
	}
	return text
}

// ActText returns what a person reads behind an act's Deed: a reason or a welcome, not the id of a message.
func ActText(act chat.ActOf) string {
	switch act.Verb {
	case chat.Pin, chat.Unpin, chat.Redact:
		return ""
	}
	return act.Text
}

// short returns what stands for a person in a sentence: the name, or as much of the key as can be told apart.
func (w Who) short() string {
	if w.Name != "" {
		return chat.Shown(w.Name)
	}
	return chat.Truncate(chat.Shown(w.ID), shortID)
}

// shortID is how many columns of a key id stand for a person without a name.
const shortID = 12

// deeds are what acts do, with WHO for a person's name.
var deeds = map[chat.Verb]string{
	chat.Op: "has made WHO a moderator", chat.Deop: "has made WHO a moderator no longer", chat.Kick: "has put WHO out of the room",
	chat.Ban: "has banned WHO", chat.Unban: "has lifted the ban of WHO", chat.Mute: "has muted WHO", chat.Unmute: "has unmuted WHO",
	chat.Slow: "has everybody wait", chat.ReadOnly: "has made the room read-only", chat.Writable: "has everybody write again",
	chat.Pin: "has pinned a message", chat.Unpin: "has taken a pin away", chat.Welcome: "has set the welcome",
	chat.Archive: "has archived the room", chat.Unarchive: "has opened the room again, which was archived",
	chat.Private: "has made the room private", chat.Open: "has opened the room to everybody", chat.Invite: "has invited WHO",
	chat.Redact: "has taken the text of a message away",
}

// ToldAct is Told for an act that is done to somebody who is called whom, or about whom no more than the key is known.
func ToldAct(name, body, whom string) string {
	act, err := chat.ParseAct(body)
	if err != nil { // of a newer chatnode
		return fmt.Sprintf("-- %s (%s): %s", chat.Shown(name), chat.Act, body)
	}
	return "-- " + chat.Shown(name) + Deed(act, whom) + ActText(act)
}

// Ban is one ban of a room.
type Ban struct {
	Who   Who
	By    Who
	Since time.Time
	Until time.Time // zero: without an end
	Text  string    // the reason, often empty
}

// BannedAnswer is who is banned from a room.
type BannedAnswer struct {
	Room string
	Bans []Ban
}

// Lines returns one line a ban.
func (a BannedAnswer) Lines(zone *time.Location) []string {
	if len(a.Bans) == 0 {
		return []string{"nobody is banned from " + Label(a.Room)}
	}
	lines := []string{fmt.Sprintf("%s banned from %s:", count(len(a.Bans), "person is", "people are"), Label(a.Room))}
	for _, b := range a.Bans {
		line := fmt.Sprintf("  %s, by %s since %s", b.Who.short(), b.By.short(), b.Since.In(zone).Format("2006-01-02 15:04"))
		if !b.Until.IsZero() {
			line += " until " + b.Until.In(zone).Format("2006-01-02 15:04")
		}
		if b.Text != "" {
			line += ": " + b.Text
		}
		lines = append(lines, line)
	}
	return lines
}

// PinsAnswer is the messages that a room has pinned.
type PinsAnswer struct {
	Room    string
	Pins    []Said    // in the order of their Seq
	Missing []chat.ID // those that are too far back to be found, or not kept any more
}

// Lines returns one line a message.
func (a PinsAnswer) Lines(zone *time.Location) []string {
	n := len(a.Pins) + len(a.Missing)
	if n == 0 {
		return []string{Label(a.Room) + " has no messages pinned"}
	}
	lines := append([]string{fmt.Sprintf("%s pinned in %s:", count(n, "message is", "messages are"), Label(a.Room))}, saidLines(a.Pins, zone, false)...)
	for _, id := range a.Missing {
		lines = append(lines, fmt.Sprintf("  %s, which is too far back, or not kept any more", id))
	}
	return lines
}

// WelcomeAnswer is what a room says to those who come in.
type WelcomeAnswer struct {
	Room string
	Text string // empty: nothing
}

// Lines returns it in a sentence.
func (a WelcomeAnswer) Lines(*time.Location) []string {
	if a.Text == "" {
		return []string{Label(a.Room) + " has no welcome"}
	}
	return []string{fmt.Sprintf("the welcome of %s: %s", Label(a.Room), a.Text)}
}
