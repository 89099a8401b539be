package client

import (
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// Event is one of the types of this file.
type Event interface{ event() }

// Message is one row of a room's log. A room's messages come in the order of Seq; only behind a Gap or a Reset do they not follow on.
type Message struct {
	Room    string // "@" and To in a direct conversation
	To      string // the other's name in a direct conversation
	Seq     uint64
	ID      chat.ID
	Cursor  chat.Cursor // a place to go on from behind this message
	Epoch   uint64
	From    uint64 // number of the author's origin: see Client.Author
	Name    string // of the author, when it was written
	Kind    chat.Kind
	Time    time.Time
	Text    string
	Re      chat.ID // the message answered, or zero
	Own     bool    // sent by this Client
	Removed bool    // its text was taken away: Text is chat.RemovedText

	// At is when it was written on another node, by that node's clock, if it came from there late; else zero. Time is when this one got it.
	At time.Time
	// Forked says that the node which vouches for it has signed two histories: Kind is chat.Text then, and Text chat.ForkedText.
	Forked bool

	// Ignored says that the user ignores the author. A front end sets it, for the Client asks nobody whose a number is.
	Ignored bool
	// Whom is, of an act, what the person is called that it is done to; a front end sets it where it knows it.
	Whom string

	// Sealed says that only the two of the conversation can read the message; the name is that of the key that has signed it. Unreadable is one that
	// does not open, or is not what the node says it is: Text is empty then, and Kind chat.Sealed.
	Sealed, Unreadable bool
}

// Open reports whether the message came to one person alone and could be read by the node, as one from a client that can't seal.
func (m *Message) Open() bool {
	return !m.Sealed && strings.HasPrefix(m.Room, chat.DirectMark) && (m.Kind == chat.Text || m.Kind == chat.Action)
}

// Ack says that a send is kept.
type Ack struct {
	N    uint64 // what Send returned
	Ref  string
	Room string // as it was sent
	Seq  uint64 // 0 for a chat.Skip, and for what another node has kept and this one has not
	ID   chat.ID
	Time time.Time
	Kind chat.Kind
	Text string
	Name string // the name that the client has

	Sealed bool // nobody but the two of the conversation can read it
	Shown  bool // its Message has come, perhaps on another node: none need be waited for
}

// Refused says that a send will never be kept. Code chat.Internal stands also for a send whose outcome the node can't tell any more.
type Refused struct {
	N          uint64 // what Send returned
	Ref        string
	Code       chat.Code
	RetryAfter time.Duration // when sending it anew may help; 0: never
	Room, Text string
	Kind       chat.Kind
}

// KeyChanged says that a name to which the user has written is another key's now. What is sent to the name is refused, with chat.KeyChanged, until
// the user has written to that key by its id.
type KeyChanged struct {
	Name     string
	Was, Now identity.ID
}

// LinkUp says that a link to the node is there.
type LinkUp struct {
	Title   string // the node's
	Name    string // the name that the node has granted
	Node    identity.ID
	Epoch   uint64
	Moved   bool // it is another node of the space than the last; WentOn follows
	Resumed bool // goes on where the last link ended, of this client or of one that its State remembers; false behind a Reset of everything
}

// LinkDown says that a link was lost or an attempt to make one failed, and when the next will be made. It comes once for each, except
// that of those which nobody takes only the last is kept. There is none for an end that Run returns.
type LinkDown struct {
	Err     error
	Code    chat.Code // the node's reason, or OK when it gave none
	Text    string    // what the node said besides
	RetryIn time.Duration
}

// Opened says that a room is open, for the first time or again. Cursor is the place before the first message to come; it is zero when a Gap
// or a Reset, which has it, follows.
type Opened struct {
	Room       string
	Topic      string
	Status     wire.Status
	From, Head uint64 // seqs of the first message to come and of the last that there was
	Direct     bool
	Cursor     chat.Cursor
	Seen       [][2]uint64 // with wire.StatusMoved: rows to come that were shown on another node, from and to, ascending; no Message comes for them
	Terms
}

// Standing says that the terms of a room have changed: as a rule behind the act that changed them.
type Standing struct {
	Room string
	Terms
}

// Left says that a Part is done. Code is chat.NotJoined when the client was not in the room.
type Left struct {
	Room string
	Code chat.Code
}

// ClosedRoom says that the node has closed a room to this client. Code is chat.Kicked or chat.Banned where that came of an act, which was the room's
// last message.
type ClosedRoom struct {
	Room string
	Code chat.Code
}

// Denied says that a room was not opened.
type Denied struct {
	Room string
	Code chat.Code
}

// Gap says that the messages From to To of a room can't be had any more.
type Gap struct {
	Room     string
	From, To uint64      // From is 0 where another node goes on: some of those up to To were shown, and nobody knows which
	Cursor   chat.Cursor // behind it
}

// Passed says that rows of a room which are to come were shown on another node that was ahead of this one: no Message comes for them. They are all that there
// are, from and to, ascending.
type Passed struct {
	Room string
	Seen [][2]uint64
}

// Why a Reset came, besides the words of wire.Why.
const (
	WhyEpoch = "epoch" // another store
	WhyAcks  = "acks"  // the node has forgotten what it acknowledged, or answers for what was never sent
)

// Reset says that the node's log is not the one that was being read: messages that were shown may be missing from it, and those that
// follow may have been shown before. Room is empty when that goes for all rooms.
type Reset struct {
	Room string
	Why  string // WhyAcks, or one of the words of wire.Why: "epoch", "ahead", "hash"
	// Cursor is the place before the first message of the new log; zero when Room is empty.
	Cursor chat.Cursor
}

// Joined says that a person has come into a room that is watched.
type Joined struct {
	Room, Name string
	ID         identity.ID
	Away       bool
}

// Gone says that a person has left a room that is watched.
type Gone struct {
	Room, Name string
	ID         identity.ID
}

// Renamed says that a person in a room that is watched goes by another name.
type Renamed struct {
	Room, Old, New string
	ID             identity.ID
}

// Stirred says that a person in a room that is watched has gone away, or is back. What they said is a question of Whois.
type Stirred struct {
	Room, Name string
	ID         identity.ID
	Away       bool
}

// Present says who is in a room that is watched, once for each link and whenever the differences were too many. Of a large room it
// holds the count alone.
type Present struct {
	Room   string
	Count  int
	People []Person // in the order of their folded names
}

// Named answers a Nick.
type Named struct {
	Name    string // the name that now holds
	Code    chat.Code
	Suggest string // for chat.NameTaken: one that is free
	// RetryAfter is when asking again may help; 0: never.
	RetryAfter time.Duration
}

// Notice is a line from the node to its user.
type Notice struct {
	Code chat.Code
	Text string
}

func (Message) event()    {}
func (Ack) event()        {}
func (Refused) event()    {}
func (KeyChanged) event() {}
func (LinkUp) event()     {}
func (LinkDown) event()   {}
func (Opened) event()     {}
func (Standing) event()   {}
func (Left) event()       {}
func (ClosedRoom) event() {}
func (Denied) event()     {}
func (Gap) event()        {}
func (Passed) event()     {}
func (Reset) event()      {}
func (Joined) event()     {}
func (Gone) event()       {}
func (Renamed) event()    {}
func (Stirred) event()    {}
func (Present) event()    {}
func (Named) event()      {}
func (Notice) event()     {}
