// Package tui is chatnode on a whole terminal: rooms, messages, people and an input, drawn by Bubble Tea. It is not a client: order, retries and
// resuming are the client's, and what commands mean is package command's.
//
// Everything is owned by one model, which Bubble Tea's loop alone touches. Goroutines of a Run, all started by it:
//
//	Run itself   waits for the others; decides that no node could be reached
//	the program  Bubble Tea: reads keys, calls the model, draws; ended by the model or by Run
//	the client   Client.Run; ended by Quit or Close, waited for
//	the pump     hands the client's events to the program, as many at a time as have come; ended with the client's events, waited for
//	questions    one for each that was asked of the node, by Bubble Tea; ended with the context of the model, not waited for
package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/identity"
	"chatnode/internal/talk"
)

const (
	// defaultTimeout is Config.Timeout when that is zero.
	defaultTimeout = 10 * time.Second
	// grace is how long a Run that is told to end waits for the answers to what was sent.
	grace = 2 * time.Second
	// maxBatch is how many events the model is handed at once: between two batches there is time for a key.
	maxBatch = 512
	// framesPerSecond is how often the screen is drawn at most: a key shows within 8 ms, and what comes faster shares a frame.
	framesPerSecond = 120
	// usualWidth and usualHeight are the size of a terminal that does not tell it.
	usualWidth, usualHeight = 80, 24
	// idleAfter is how long nobody types before a user is away, when Config.Idle is zero.
	idleAfter = 15 * time.Minute
)

// Client is what is used of a *client.Client.
type Client interface {
	talk.Client
	Name() string
	Look(rooms []string)
	Lag(ctx context.Context) (time.Duration, error)
	Prefer(room, note string) error
	Locate(ctx context.Context, room string, id chat.ID, before uint64, progress func(searched int)) (seq uint64, err error)
}

var _ Client = (*client.Client)(nil)

// Config says what a Run shows. Client, In and Out are needed.
type Config struct {
	Client Client
	In     io.Reader // a terminal
	Out    io.Writer // a terminal
	// Environ is the process's environment: TERM, NO_COLOR and the like. Nil: none of them is set.
	Environ []string

	// ID is the user's own key id.
	ID identity.ID
	// Rooms are those that the client joins at first. The first of them is shown.
	Rooms []string
	// Kept says that what is unsent outlives this process.
	Kept bool
	// Insecure says that links are not encrypted, which the screen goes on saying.
	Insecure bool
	// Log holds what would have gone to the terminal were there no screen: notes for the user, which begin with "-- ", and the lines of logs, as of a
	// node in the same process. Nil: there is none.
	Log *Log

	// Timeout ends a Run that reaches no node, and a question that is not answered. 0: 10 s.
	Timeout time.Duration
	// Wait tries for ever to reach a node for the first time.
	Wait bool
	// Idle is how long nobody types before the user is away. 0: 15 minutes; below: never.
	Idle time.Duration

	// Reached returns the addresses at which this client has met a node, for invitations to it. Nil: none.
	Reached func(identity.ID) []string
	// Zone is where times are told in. Nil: time.Local.
	Zone *time.Location
	// Now is the time. Nil: time.Now.
	Now func() time.Time
}

func (c *Config) complete() {
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	if c.Idle == 0 {
		c.Idle = idleAfter
	}
	if c.Zone == nil {
		c.Zone = time.Local
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = NewLog()
	}
}

// Run shows the screen until the user quits, ctx ends or the node does not want this client. It starts the client and has closed it when it returns.
// When ctx ends it gives what was sent 2 s to be answered. It returns nil when everything that was sent is kept, else one of package talk's errors
// or what went wrong here; the terminal is as it was then.
func Run(ctx context.Context, cfg Config) error {
	cfg.complete()
	asking, stopAsking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAsking()
	m := newModel(asking, &cfg)
	m.until = ctx
	program := tea.NewProgram(m, tea.WithInput(cfg.In), tea.WithOutput(cfg.Out), tea.WithEnvironment(cfg.Environ),
		tea.WithoutSignalHandler(), tea.WithWindowSize(usualWidth, usualHeight), tea.WithFPS(framesPerSecond))
	cfg.Log.follow(func() { program.Send(logged{}) })
	defer cfg.Log.follow(nil)

	var running sync.WaitGroup
	ended := make(chan error, 1)
	running.Go(func() { ended <- cfg.Client.Run(asking) })
	running.Go(func() { pump(asking, cfg.Client.Events(), m.reader, program.Send) })
	stop := context.AfterFunc(ctx, func() { program.Send(told{}) })
	defer stop()

	_, err := program.Run()
	cfg.Client.Close()
	go drain(cfg.Client.Events()) // ends with the client's events
	running.Wait()
	return m.result(<-ended, err)
}

// happened is what the client reports, as much of it as has come.
type happened []client.Event

// told says that the program is to end: whoever started it says so.
type told struct{}

// over says that the client has ended: nothing more will happen.
type over struct{}

// pump hands the client's events over, many at a time when they come faster than they are taken. What has to be asked for about them
// is asked here, where it may wait for the node's word.
func pump(ctx context.Context, events <-chan client.Event, reader *talk.Reader, send func(tea.Msg)) {
	for e := range events {
		batch := happened{e}
		for more := true; more && len(batch) < maxBatch; {
			select {
			case e, open := <-events:
				if more = open; open {
					batch = append(batch, e)
				}
			default:
				more = false
			}
		}
		reader.Events(ctx, batch)
		send(batch)
	}
	send(over{})
}

// drain takes events that nobody will see, so that the client can end.
func drain(events <-chan client.Event) {
	for range events {
	}
}

// lost tells what was sent and is not known to be kept, or was refused and not sent again; "" when all is kept.
func (m *model) lost() string {
	var parts []string
	if n := m.client.Pending(); n > 0 {
		part := fmt.Sprintf("%s not known to be kept", talk.Count(uint64(n), "message is", "messages are"))
		if m.cfg.Kept {
			part += ", and tried again at the next start"
		}
		parts = append(parts, part)
	}
	n := uint64(0)
	for _, b := range m.buffers {
		n += uint64(len(b.refused))
	}
	if n > 0 {
		parts = append(parts, talk.Count(n, "message was refused", "messages were refused"))
	}
	return strings.Join(parts, ", ")
}

// result tells how it went: ran is what the client's Run returned, drawn what the program did.
func (m *model) result(ran, drawn error) error {
	lost, and := m.lost(), ""
	if lost != "" {
		and = "; " + lost
	}
	var refused *client.RefusedError
	switch {
	case drawn != nil && !errors.Is(drawn, tea.ErrProgramKilled):
		return fmt.Errorf("draw the screen: %w%s", drawn, and)
	case errors.As(ran, &refused):
		return &talk.EndError{Kind: talk.ErrRefused, Text: "the node refuses this client: " + talk.FaultOf(ran).Text + and}
	case errors.As(ran, new(*identity.ChangedError)):
		return ran // in sentences of its own; what is not kept is tried again when the user has spoken
	case ran != nil && !errors.Is(ran, context.Canceled):
		return &talk.EndError{Kind: ran, Text: "keep a link to the node: " + chat.OneLine(ran.Error()) + and}
	case m.unreached:
		return &talk.EndError{Kind: talk.ErrUnreachable, Text: fmt.Sprintf("no node could be reached within %v%s%s", m.cfg.Timeout, m.link.because(), and)}
	case lost != "":
		return &talk.EndError{Kind: talk.ErrNotKept, Text: lost}
	}
	return nil
}
