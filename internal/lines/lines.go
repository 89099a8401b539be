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
	"io"
	"time"

	"chatnode/internal/identity"
	"chatnode/internal/talk"
)

const (
	// defaultTimeout is Config.Timeout when that is zero.
	defaultTimeout = 10 * time.Second
	// grace is how long an interrupted Run waits for the answers to what was sent.
	grace = 2 * time.Second
	// lateRest is how long nothing comes late until what did is told of.
	lateRest = time.Second
)

// Config says what a Run reads and prints. Client, In, Out and Err are needed.
type Config struct {
	Client talk.Client
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

// Run reads, sends and prints until the input has ended and all of it is answered; with Config.Follow until ctx ends. It starts the
// client and has closed it when it returns. When ctx ends it gives what was sent 2 s to be answered. It returns nil when
// everything that was sent is kept, else a *talk.EndError or what went wrong here. A reader of Out that has gone away ends it
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
		return &talk.EndError{Kind: talk.ErrUsage, Text: "-whole and -json exclude each other: a JSON object has its text whole"}
	case c.Whole && c.Commands:
		return &talk.EndError{Kind: talk.ErrUsage, Text: "-whole and -commands exclude each other: the whole input is one message"}
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.Zone == nil {
		c.Zone = time.Local
	}
	return nil
}
