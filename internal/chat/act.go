package chat

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of acts.
const (
	MaxReason  = MaxTopic             // bytes of UTF-8 in the text of an act: a reason, or a room's welcome
	MaxPins    = 16                   // messages that a room has pinned
	MaxSlow    = 6 * time.Hour        // that a room may ask between two messages of one person
	MaxPenalty = 366 * 24 * time.Hour // that a ban or a mute may have an end in; without one it holds until it is lifted
)

// maxWho is the length in bytes of the longest id that an act may name: those of this version take 62.
const maxWho = 128

// Verb says what an act does. Verbs are on the wire as they are here, and never change.
type Verb string

// What can be done to a person or a room.
const (
	Op        Verb = "op"
	Deop      Verb = "deop"
	Kick      Verb = "kick"
	Ban       Verb = "ban"
	Unban     Verb = "unban"
	Mute      Verb = "mute"
	Unmute    Verb = "unmute"
	Slow      Verb = "slow"
	ReadOnly  Verb = "readonly"
	Writable  Verb = "writable"
	Pin       Verb = "pin"
	Unpin     Verb = "unpin"
	Welcome   Verb = "welcome"
	Archive   Verb = "archive"
	Unarchive Verb = "unarchive"
	Private   Verb = "private"
	Open      Verb = "open"
	Invite    Verb = "invite"
	Redact    Verb = "redact"
)

// Role is how much somebody may do in a room; more includes less. The numbers are on the wire.
type Role uint8

const (
	RoleNone      Role = 0
	RoleModerator Role = 1 // whom the owner made one
	RoleOwner     Role = 2 // whose key made the room
	RoleAdmin     Role = 3 // of the node
)

var roleNames = map[Role]string{RoleNone: "", RoleModerator: "moderator", RoleOwner: "owner", RoleAdmin: "admin"}

// String returns the role as JSON output spells it; empty for RoleNone.
func (r Role) String() string {
	if s, ok := roleNames[r]; ok {
		return s
	}
	return fmt.Sprintf("role-%d", uint8(r))
}

// form is what follows a verb.
type form struct {
	who  bool          // the id of a key
	max  time.Duration // a duration, up to this one; 0: none
	text textForm
}

// textForm is what the end of an act may be.
type textForm uint8

const (
	noText textForm = iota
	anyText
	messageText // the id of a message
)

var forms = map[Verb]form{
	Op: {who: true}, Deop: {who: true}, Kick: {who: true, text: anyText},
	Ban: {who: true, max: MaxPenalty, text: anyText}, Unban: {who: true},
	Mute: {who: true, max: MaxPenalty, text: anyText}, Unmute: {who: true},
	Slow: {max: MaxSlow}, ReadOnly: {}, Writable: {}, Archive: {}, Unarchive: {}, Private: {}, Open: {},
	Pin: {text: messageText}, Unpin: {text: messageText}, Redact: {text: messageText},
	Welcome: {text: anyText}, Invite: {who: true},
}

// SignedRoom returns what the signature of an act calls a room that has a name, or "@" and one. A conversation has a name for each of its two, which can
// change: all of them are signed as DirectMark. The only act there names a message, which is of one conversation alone.
func SignedRoom(name string) string {
	if strings.HasPrefix(name, DirectMark) {
		return DirectMark
	}
	return name
}

// RemovedText stands in place of a text that was taken away.
const RemovedText = "(message removed)"

// ForkedText stands in place of what a node has vouched for that has signed two histories.
const ForkedText = "(hidden: its node signed two histories)"

// Verbs returns all of them, in no order.
func Verbs() []Verb {
	verbs := make([]Verb, 0, len(forms))
	for v := range forms {
		verbs = append(verbs, v)
	}
	return verbs
}

// ActOf is what the body of a message of kind Act says: one line, "VERB [WHO] [FOR] [TEXT]", in one form alone.
type ActOf struct {
	Verb Verb
	Who  string        // the id of the key that it is done to, for verbs that are done to one; identity knows whether it is one
	For  time.Duration // how long a ban or a mute holds, 0 being without an end; what Slow asks between two messages, 0 being nothing. Whole milliseconds
	Text string        // a reason, a room's welcome, or a message's ID as its String has it; of Welcome, empty takes it away
}

// String returns the act as a body holds it. ParseAct reads it, if it can be.
func (a ActOf) String() string {
	var b strings.Builder
	b.WriteString(string(a.Verb))
	f := forms[a.Verb]
	if f.who {
		b.WriteString(" " + a.Who)
	}
	if f.max > 0 {
		b.WriteString(" " + FormatDuration(a.For)) // "0s" too: else a reason could be taken for it
	}
	if a.Text != "" {
		b.WriteString(" " + a.Text)
	}
	return b.String()
}

// ParseAct reads what ActOf.String writes, and nothing else: what stands in a log has one spelling. It returns an error for a verb that is not
// known, for what is missing, too much or too long, and for a text that is not clean.
func ParseAct(body string) (ActOf, error) {
	verb, rest, _ := strings.Cut(body, " ")
	a := ActOf{Verb: Verb(verb)}
	f, known := forms[a.Verb]
	if !known {
		return ActOf{}, fmt.Errorf("%.40q is not an act", verb)
	}
	if f.who {
		a.Who, rest, _ = strings.Cut(rest, " ")
	}
	if f.max > 0 {
		var length string
		var err error
		length, rest, _ = strings.Cut(rest, " ")
		if a.For, err = ParseDuration(length); err != nil {
			return ActOf{}, err
		}
	}
	a.Text = rest
	if err := a.check(f); err != nil {
		return ActOf{}, err
	}
	if a.String() != body {
		return ActOf{}, fmt.Errorf("an act has one spelling: %.80q, not %.80q", a.String(), body)
	}
	return a, nil
}

// check returns an error for an act that can't be.
func (a *ActOf) check(f form) error {
	switch {
	case f.who && (a.Who == "" || len(a.Who) > maxWho || !isPlain(a.Who)):
		return fmt.Errorf("%s: %.80q is no key", a.Verb, a.Who)
	case a.For > f.max:
		return fmt.Errorf("%s: %s is too long, it can be at most %s", a.Verb, FormatDuration(a.For), FormatDuration(f.max))
	case f.text == noText && a.Text != "":
		return fmt.Errorf("%s: %.80q is too much", a.Verb, a.Text)
	case len(a.Text) > MaxReason:
		return fmt.Errorf("%s: a text holds at most %d bytes", a.Verb, MaxReason)
	case !utf8.ValidString(a.Text) || CleanText(Topic, a.Text) != a.Text || strings.ContainsAny(a.Text, "\n\t") || strings.TrimSpace(a.Text) != a.Text:
		return fmt.Errorf("%s: %.80q is not one clean line", a.Verb, a.Text)
	}
	if f.text == messageText {
		if id, err := ParseID(a.Text); err != nil || id.String() != a.Text {
			return fmt.Errorf("%s: %.80q is not the id of a message", a.Verb, a.Text)
		}
	}
	return nil
}
