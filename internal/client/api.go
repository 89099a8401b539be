// Package client is the user's side of one node: an outbox of what was typed, a cursor in each room, and one link that is made again
// whenever it is lost. Each message is sent until it is answered and shown once, in the order of the room's log; where that is not
// possible a Gap, a Reset or a Refused says so. It is not a user interface and opens no connection by itself: it dials through a
// function that it is given.
package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/frame"
	"chatnode/internal/identity"
)

// Link is an open connection to a node. The client reads and writes each stream from one goroutine, and calls Close once or more.
type Link interface {
	// Control returns the stream of the handshake, of questions and of presence.
	Control() frame.Stream
	// Chat returns the stream of what is ordered.
	Chat() frame.Stream
	// Notify has grown called, from any goroutine, whenever the send window of a stream has grown. It must not block.
	Notify(grown func())
	// Done is closed when the connection has ended, for whatever reason.
	Done() <-chan struct{}
	// Err returns why the connection has ended, as far as it knows; nil while it lives.
	Err() error
	// Node returns the id of the node that has proved itself at the other end; zero when none has, as without encryption.
	Node() identity.ID
	// Ping returns how long the other end takes to answer. It returns an error when the connection ends before it has.
	Ping() (time.Duration, error)
	// Close ends the connection; reads and writes that wait return an error.
	Close() error
}

// Config is what a Client is made of. Name, Key and Dial are needed; the zero value of everything else is sensible.
type Config struct {
	// Name is the name to ask for.
	Name string
	// Key is the user's key.
	Key *identity.Key
	// Token returns the token of an invitation that the node is shown on each link, wire.TokenLen bytes, or nothing. It is told which node has proved
	// itself there; zero: none has. Nil: no node is shown any.
	Token func(node identity.ID) []byte
	// Dial makes one attempt to connect, over all addresses in turn, and returns when ctx ends. An *identity.ChangedError among what it returns ends
	// the client.
	Dial func(ctx context.Context) (Link, error)
	// Nodes is told, before the first Dial and whenever that changes, which other nodes have the same rooms: where Dial can go too, if the one that answers
	// there proves to be Node.ID. It must not wait. Nil: the client stays with the node that Dial finds by itself.
	Nodes func(nodes []Node)
	// Rooms are joined at the first welcome, in this order.
	Rooms []string
	// Tail is the number of messages asked for from before a join that has no cursor, at most chat.MaxTail.
	Tail int
	// Since is where Rooms[0] is taken up, in place of Tail.
	Since *chat.Cursor
	// Fresh has rooms begin with Tail even where State knows a place to go on from.
	Fresh bool
	// Direct asks for the user's direct conversations.
	Direct bool
	// Watch asks for the presence of the rooms that are open: of those that Client.Look names, or, until that is called, of those that were
	// opened first. They are at most chat.MaxWatched.
	Watch bool
	// Backoff returns how long to wait after failed attempt number attempt, which counts from 0 and starts again after a link that held
	// for 30 s. Nil: anything up to 100 ms, doubling to 10 s ("full jitter").
	Backoff func(attempt int) time.Duration
	// State is what was remembered of the node by an earlier client of the same Key, and is kept up to date. It is closed by its owner, once
	// Run has returned. Nil: nothing is remembered beyond the Client.
	State *State
	// Rand is where origins come from. Nil: crypto/rand.Reader.
	Rand io.Reader
	// Log receives a line for each link. Nil: nothing is logged.
	Log *slog.Logger
	// MaxPending and MaxPendingBytes bound the sends that are not yet answered. 0: 10,000 and 16 MiB.
	MaxPending, MaxPendingBytes int
}

var (
	// ErrClosed says that the client has ended or is ending: it takes nothing more.
	ErrClosed = errors.New("the client is closed")
	// ErrNoLink says that there is no link to the node now, or that it was lost meanwhile.
	ErrNoLink = errors.New("there is no link to the node")
	// ErrNotFound says that a message is not among those that were looked through.
	ErrNotFound = errors.New("that message can't be found")
	// ErrFull says that as many joins, parts and nicks wait for their answers as the client keeps.
	ErrFull = errors.New("too many commands wait for the node")
)

// RefusedError is a refusal of one draft or question or, when Run returns it, of the client. Trying again will not change it, unless RetryAfter says so.
type RefusedError struct {
	Code       chat.Code
	Text       string        // what the node said besides, often empty
	RetryAfter time.Duration // of a question: when asking again may help; 0: never
}

func (e *RefusedError) Error() string {
	if e.Text != "" {
		return fmt.Sprintf("refused: %s (%s)", e.Code.Sentence(), e.Text)
	}
	return "refused: " + e.Code.Sentence()
}

// PendingError is what Quit returns when it ends before all sends are answered.
type PendingError struct {
	Count int   // sends that are not known to be kept
	Err   error // why Quit did not wait for them
}

func (e *PendingError) Error() string {
	return fmt.Sprintf("%d messages are not known to be kept: %v", e.Count, e.Err)
}

// Unwrap returns e.Err.
func (e *PendingError) Unwrap() error { return e.Err }

// Draft is a message to be sent.
type Draft struct {
	Room string // a room's name, or "@" and the name or the key id of a person
	Kind chat.Kind
	Text string
	Re   chat.ID // the message answered, or zero
	Row  uint64  // of the act redact: the seq of the message whose text it takes away; else 0. Locate finds it
	Ref  string  // the caller's own mark, given back in Ack and Refused and never sent
}

// Node is a node and where it is reached.
type Node struct {
	ID    identity.ID
	Hosts []string // host:port, the best first; at most wire.MaxHosts
}

// Person is a key and the name it goes by.
type Person struct {
	ID   identity.ID
	Name string
	Away bool // as far as what tells of the person tells that: a list or an answer of the node that is about who is here
}

// Info is what a node tells about a person.
type Info struct {
	Person
	Sessions int       // connected now
	Rooms    []string  // that both are in
	Since    time.Time // when the oldest of Sessions connected; else when last seen

	Via string // the other node that vouches for them, its title and id; empty: they come to this one

	AwayText  string    // what they said when they went away; often empty
	AwaySince time.Time // zero unless they are away
}

// RoomInfo is a room in a node's list.
type RoomInfo struct {
	Name    string
	Members int
	Head    uint64 // seq of its last message
	Topic   string
}

// RoomState is what the client knows of a room that is open.
type RoomState struct {
	Name   string
	Topic  string
	Cursor chat.Cursor // the last message handed to Events
	Read   uint64      // seq of the last message that Client.Read was called for
	Direct bool
	Peer   Person // the other, in a direct conversation
	Note   string // the last that Client.Prefer was called with
	Terms         // as the node told them last
}

// Role is how much somebody may do in a room.
type Role = chat.Role

// Rules are what a room's moderators have set.
type Rules struct {
	ReadOnly bool          // only its owner, its moderators and admins write
	Archived bool          // nobody writes
	Private  bool          // it is for its members
	Slow     time.Duration // that has to lie between two messages of one person; 0: nothing
	Welcome  string        // for whoever joins; empty: nothing. As others wrote it: to be cleaned before it is shown
	Pins     []chat.ID     // the oldest first, at most chat.MaxPins
}

// Terms are what holds in a room for everybody, and for this user.
type Terms struct {
	Role  Role
	Rules Rules
	Muted bool
	Until time.Time // when Muted ends, which nothing else tells; zero: it has no end
}

// Ban is somebody who is banned from a room.
type Ban struct {
	Who, By Person // a name is empty where nobody goes by it any more
	Since   time.Time
	Until   time.Time // zero: it has no end
	Text    string    // the reason that was given, often empty
}

// Stats counts what happened since New.
type Stats struct {
	Links      int // that reached a welcome
	Duplicates int // events that were dropped because they had been seen
	Notices    int // notices that were dropped because nobody took them
	Unreadable int // sealed messages that came and could not be opened
}
