// Package lines is chatnode without a screen: lines of text, or JSON objects, in and out. It reads messages and commands from one
// stream, hands them to a client as fast as that takes them, and prints what happens, one line each. It promises that nothing that
// somebody else typed can look like another line or drive a terminal. It is not a client: order, retries and resuming are the
// client's.
//
// Goroutines of a Run, all started by it:
//
//	Run itself  takes the client's events and prints them; owns the state of the link and decides when to end
//	the client  Client.Run; ended by Quit or Close, waited for
//	exec        does what the lines of the input say; owns the input; ended by the end of the input, by /quit or by its context, waited for
//	quit        waits in Client.Quit; ended with its context, waited for
//	feed        reads the input; ended by the end of the input, or by the first line it reads after Run has returned
//
// feed alone is not waited for, because nothing can interrupt a read of a terminal: while it is blocked it holds the reader and
// nothing else, and whatever it reads after Run has returned is dropped.
package lines

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/identity"
)

const (
	// defaultTimeout is Config.Timeout when that is zero.
	defaultTimeout = 10 * time.Second
	// grace is how long an interrupted Run waits for the answers to what was sent.
	grace = 2 * time.Second
	// authorWait is how long a message waits to be printed until the node has told its author's key.
	authorWait = 2 * time.Second
)

// Client is what is used of a *client.Client.
type Client interface {
	Run(ctx context.Context) error
	Events() <-chan client.Event
	Send(ctx context.Context, d client.Draft) (n uint64, err error)
	Pending() int
	Shown(e client.Event)
	Read(room string, seq uint64)
	Join(room string) error
	Part(room string) error
	Nick(name string) error
	Quit(ctx context.Context) error
	Close()
	Room(name string) (client.RoomState, bool)
	Names(ctx context.Context, room string) (people []client.Person, total int, err error)
	Whois(ctx context.Context, who string) (client.Info, error)
	List(ctx context.Context) ([]client.RoomInfo, error)
	History(ctx context.Context, room string, q client.HistoryQuery) (list []client.Message, more bool, err error)
	Search(ctx context.Context, q client.SearchQuery) (client.Found, error)
	Keep(ctx context.Context, room string) (client.Keep, error)
	SetKeep(ctx context.Context, room string, k client.Keep) (client.Keep, error)
	Invite(ctx context.Context, room string, uses int, lasts time.Duration) (client.Invitation, error)
	Release(ctx context.Context, name string) (client.Person, error)
	Authors(ctx context.Context, from []uint64) map[uint64]identity.ID
	Author(ctx context.Context, from uint64) (identity.ID, error)
}

var _ Client = (*client.Client)(nil)

// Config says what a Run reads and prints. Client, In, Out and Err are needed.
type Config struct {
	Client Client
	In     io.Reader
	Out    io.Writer // messages and answers; in JSON mode everything
	Err    io.Writer // states and errors; nothing in JSON mode

	// ID is the user's own key id, the author of their own messages in JSON.
	ID identity.ID
	// Rooms are those that the client joins at first, or would join if it listened. Lines go to the first until a command says otherwise.
	Rooms []string

	// Terminal says that In is a terminal: commands are understood, a mistake is no failure, and a lost link is tried again for ever.
	Terminal bool
	// Commands has commands understood from a pipe, too.
	Commands bool
	// Follow prints what others say, and goes on when the input has ended.
	Follow bool
	// Whole takes the whole input for one message.
	Whole bool
	// JSON takes and prints JSON objects: docs/json.md.
	JSON bool

	// Timeout ends a Run that makes no progress: before the first welcome always, later unless In is a terminal. 0: 10 s.
	Timeout time.Duration
	// Wait tries for ever to reach a node for the first time.
	Wait bool

	// Reached returns the addresses at which this client has met a node, for invitations to it. Nil: none.
	Reached func(identity.ID) []string
	// Screen returns how many columns and lines the terminal has that Out is, where it can show blocks in colour. Nil or 0: nothing is drawn.
	Screen func() (wide, high int)

	// Zone is where times are told in. Nil: time.Local.
	Zone *time.Location
}

// Listens reports whether others' messages are printed. A client for a Config that does not listen is to be made without Rooms,
// Direct and Watch: it sends without being seen in any room.
func (c *Config) Listens() bool { return c.Terminal || c.Follow }

// Errors that Run returns, wrapped in a sentence for the user. An *identity.ChangedError says that the node is another one. Whatever else it returns is
// a runtime error.
var (
	ErrUsage       = errors.New("usage")                   // exit 2: the Config contradicts itself; nothing was started
	ErrUnreachable = errors.New("no node within the time") // exit 4: no welcome, or the link was lost, for Timeout, and nothing sent is in doubt
	ErrRefused     = errors.New("refused by the node")     // exit 5: the node does not want this client
	ErrNotKept     = errors.New("not known to be kept")    // exit 7: a message or command was refused, or was sent and not answered
)

// endError is one of the errors above with its sentence.
type endError struct {
	kind error
	text string
}

func (e *endError) Error() string { return e.text }
func (e *endError) Unwrap() error { return e.kind }

// Run reads, sends and prints until the input has ended and all of it is answered; with Config.Follow until ctx ends. It starts the
// client and has closed it when it returns. When ctx ends it gives what was sent 2 s to be answered. It returns nil when
// everything that was sent is kept, else one of the errors above or what went wrong here. A reader of Out that has gone away ends it
// like the end of ctx; one that takes nothing holds it until it does.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.check(); err != nil {
		return err
	}
	r := newRunner(cfg)
	err := r.run(ctx)
	if err != nil {
		r.sink.end(err)
	}
	return err
}

func (c *Config) check() error {
	switch {
	case c.Whole && c.JSON:
		return &endError{ErrUsage, "-whole and -json exclude each other: a JSON object has its text whole"}
	case c.Whole && c.Commands:
		return &endError{ErrUsage, "-whole and -commands exclude each other: the whole input is one message"}
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.Zone == nil {
		c.Zone = time.Local
	}
	return nil
}

// fault is why something can't be done.
type fault struct {
	code  string        // its name in JSON
	text  string        // the same as a sentence for a person
	retry time.Duration // when trying again may help; 0: never
}

// faultOf returns what an error means for whoever caused it.
func faultOf(err error) fault {
	var refused *client.RefusedError
	switch {
	case errors.As(err, &refused):
		text := refused.Code.Sentence()
		if refused.Text != "" {
			text = fmt.Sprintf("%s (%s)", text, refused.Text)
		}
		return fault{refused.Code.String(), chat.OneLine(again(text, refused.RetryAfter)), refused.RetryAfter}
	case errors.Is(err, context.DeadlineExceeded):
		return fault{code: chat.Timeout.String(), text: "the node did not answer in time"}
	case errors.Is(err, client.ErrFull):
		return fault{code: "busy", text: chat.OneLine(err.Error())}
	case errors.Is(err, client.ErrClosed), errors.Is(err, context.Canceled):
		return fault{code: "closed", text: "chatnode was ending before this was done"}
	}
	// What has several lines elsewhere, as a changed node has, is one here.
	return fault{code: endCode(err), text: chat.OneLine(strings.Join(strings.Fields(err.Error()), " "))}
}

// again says in a refusal's sentence when to try again, if that is known.
func again(text string, after time.Duration) string {
	if after <= 0 {
		return text
	}
	return strings.TrimSuffix(text, "; try again later") + "; try again in " + seconds(after)
}

// endCode returns the name in JSON of an error that is not the node's.
func endCode(err error) string {
	switch {
	case errors.As(err, new(*identity.ChangedError)):
		return "changed"
	case errors.Is(err, ErrUnreachable):
		return "unreachable"
	case errors.Is(err, ErrRefused):
		return "refused"
	case errors.Is(err, ErrNotKept):
		return "not_kept"
	}
	return chat.Internal.String()
}
