package lines

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/identity"
	"chatnode/internal/talk"
)

// runner is one Run.
type runner struct {
	// Static after construction.
	cfg   Config
	out   *output
	sink  sink
	tally *tally
	rooms *rooms
	heard *heard
	begun time.Time
	known *talk.Reader

	// Set by run before any goroutine starts.
	quit     func() // has Client.Quit called, in a goroutine of its own
	hurry    func() // ends that call
	stopExec func()

	// Owned by Run's goroutine.
	up       bool            // there is a link
	ever     bool            // there has been one
	down     client.LinkDown // the last
	read     *reading        // what exec has returned; nil while it runs
	quitting bool            // quit is called
	patience *time.Timer     // ends the grace of an interrupt; nil before one
	lost     bool            // no node could be reached for too long
	pause    *time.Timer     // ends a run of messages that came late
}

func newRunner(cfg Config) *runner {
	now := time.Now()
	r := &runner{cfg: cfg, out: newOutput(cfg.Out, cfg.Err), tally: &tally{since: now, open: cfg.Client.Pending()}, rooms: &rooms{joined: slices.Clone(cfg.Rooms)}, heard: newHeard(), begun: now, known: talk.NewReader(cfg.Client)}
	if cfg.JSON {
		r.sink = newObjects(&r.cfg, r.out)
	} else {
		r.sink = newHuman(&r.cfg, r.out, r.rooms, r.heard)
	}
	return r
}

// run starts the goroutines, handles events until the client has ended, and tells how it went.
func (r *runner) run(ctx context.Context) error {
	// The client outlives ctx by the time of grace.
	clientCtx, stopClient := context.WithCancel(context.WithoutCancel(ctx))
	execCtx, stopExec := context.WithCancel(ctx)
	quitCtx, hurry := context.WithCancel(clientCtx)
	var running sync.WaitGroup
	r.hurry, r.stopExec = hurry, stopExec
	r.quit = func() {
		running.Go(func() {
			if r.cfg.Client.Quit(quitCtx) != nil {
				r.cfg.Client.Close()
			}
		})
	}
	ended, executed, lines := make(chan error, 1), make(chan reading, 1), make(chan line)
	x := newExec(&r.cfg, r.sink, r.tally, r.rooms, r.heard, r.known)
	if left, _ := r.tally.waiting(); left > 0 {
		r.sink.left(left)
	}
	running.Go(func() { ended <- r.cfg.Client.Run(clientCtx) })
	running.Go(func() { executed <- x.run(execCtx, lines) })
	go feed(execCtx, &r.cfg, lines) // not waited for: see the comment of the package

	r.loop(ctx, executed)
	stopExec()
	stopClient()
	running.Wait()
	return r.result(<-ended)
}

// loop handles what happens until the client's events have ended.
func (r *runner) loop(ctx context.Context, executed <-chan reading) {
	events, done, broken := r.cfg.Client.Events(), ctx.Done(), r.out.broken
	timer := time.NewTimer(r.cfg.Timeout)
	defer timer.Stop()
	r.pause = time.NewTimer(lateRest)
	defer r.pause.Stop()
	defer r.sink.rest()
	for {
		select {
		case e, open := <-events:
			if !open {
				return
			}
			r.handle(e)
		case read := <-executed:
			r.read = &read
		case <-done:
			done = nil
			r.interrupt()
		case <-broken:
			broken = nil
			r.interrupt()
		case <-r.pause.C:
			r.sink.rest()
		case <-timer.C:
			timer.Reset(r.expire())
		}
		if r.read != nil && r.ever && (r.read.quit || r.read.err != nil || !r.cfg.Follow) {
			r.leave()
		}
	}
}

// handle keeps account of what the client reports, and has it told.
func (r *runner) handle(event client.Event) {
	if !r.cfg.JSON { // which asks for every author by itself
		one := []client.Event{event}
		r.known.Events(context.Background(), one)
		event = one[0]
	}
	switch e := event.(type) {
	case client.LinkUp:
		r.up, r.ever = true, true
	case client.LinkDown:
		r.linkDown(e)
		return
	case client.Ack:
		r.tally.answered(true)
	case client.Refused:
		r.tally.answered(false)
	case client.Named:
		r.failUnless(e.Code)
	case client.Opened:
		r.rooms.enter(e.Room)
	case client.Left:
		r.failUnless(e.Code)
		r.rooms.leave(e.Room)
	case client.ClosedRoom:
		r.rooms.leave(e.Room)
	case client.Denied:
		r.failUnless(e.Code)
		r.rooms.leave(e.Room)
	case client.Message:
		if !r.cfg.Listens() {
			return
		}
		if !e.At.IsZero() {
			r.pause.Reset(lateRest)
		}
	}
	if m, ok := event.(client.Message); ok && !m.Ignored {
		r.heard.print(func() { r.sink.event(event) }, &m, r.cfg.Client.Name())
	} else {
		r.sink.event(event)
	}
	if gone, ok := event.(client.Redacted); ok {
		r.heard.forget(gone.ID)
	}
	r.shown(event)
	if ack, ok := event.(client.Ack); ok {
		r.kept(ack)
	}
	// Not before it was told: whoever reads the output slowly does not make the node slow.
	r.tally.progress()
}

// shown has the client remember how far it was told, once that is out of this process.
func (r *runner) shown(e client.Event) {
	if !r.out.works() {
		return
	}
	r.cfg.Client.Shown(e)
	if m, ok := e.(client.Message); ok && r.cfg.Terminal {
		r.cfg.Client.Read(m.Room, m.Seq)
	}
}

func (r *runner) linkDown(e client.LinkDown) {
	r.sink.event(e)
	if r.up {
		r.tally.progress() // the time without a link begins
	}
	r.up, r.down = false, e
}

// failUnless counts a command that the node would not do. Somebody at a terminal sees it and does something else.
func (r *runner) failUnless(code chat.Code) {
	if code != chat.OK && !r.cfg.Terminal {
		r.tally.fail()
	}
}

// kept has a message of one's own told for which no Message comes: its room is not listened to.
func (r *runner) kept(e client.Ack) {
	comes := r.cfg.Listens() && (isDirect(e.Room) || r.rooms.has(e.Room))
	if !comes && e.Kind != chat.Skip {
		r.sink.kept(e)
	}
}

// leave has the client say goodbye once all is answered.
func (r *runner) leave() {
	if !r.quitting {
		r.quitting = true
		r.tally.progress()
		r.quit()
	}
}

// interrupt ends the reading of input and gives what was sent a short time to be answered.
func (r *runner) interrupt() {
	r.stopExec()
	r.leave()
	if r.patience == nil {
		r.patience = time.AfterFunc(grace, r.hurry)
	}
}

// expire gives up when there was no progress for too long, and returns when to look again.
func (r *runner) expire() time.Duration {
	open, since := r.tally.waiting()
	if !r.ever {
		since = r.begun
	}
	left := r.cfg.Timeout - time.Since(since)
	forever := r.cfg.Wait && !r.ever || r.cfg.Terminal && r.ever && !r.quitting
	idle := r.up && open == 0 && !r.quitting
	switch {
	case idle, forever:
		return r.cfg.Timeout
	case left > 0:
		return left
	}
	r.lost = !r.up
	r.cfg.Client.Close()
	return r.cfg.Timeout
}

// result tells how it went, once everything has ended and ran is what the client's Run returned.
func (r *runner) result(ran error) error {
	if r.patience != nil {
		r.patience.Stop()
	}
	verdict := r.tally.verdict()
	var refused *client.RefusedError
	switch {
	case errors.As(ran, &refused):
		return &talk.EndError{Kind: talk.ErrRefused, Text: "the node refuses this client: " + talk.FaultOf(ran).Text + and(verdict)}
	case errors.As(ran, new(*identity.ChangedError)):
		return ran // in sentences of its own; what is not kept is tried again when the user has spoken
	case ran != nil && !errors.Is(ran, context.Canceled):
		return &talk.EndError{Kind: ran, Text: "keep a link to the node: " + chat.OneLine(ran.Error()) + and(verdict)}
	case r.lost && !r.ever:
		return &talk.EndError{Kind: talk.ErrUnreachable, Text: fmt.Sprintf("no node could be reached within %v%s", r.cfg.Timeout, r.reason())}
	case r.lost && verdict == nil:
		return &talk.EndError{Kind: talk.ErrUnreachable, Text: fmt.Sprintf("the link was lost and no node could be reached again within %v%s", r.cfg.Timeout, r.reason())}
	case verdict != nil:
		return verdict
	case r.read != nil && r.read.err != nil:
		return r.read.err
	}
	return r.out.failure()
}

// reason says why there is no link, behind a sentence that says that there is none.
func (r *runner) reason() string {
	if r.down.Err == nil && r.down.Code == chat.OK {
		return ""
	}
	text := talk.DownReason(r.down)
	if r.down.Code == chat.TooFast {
		text = talk.Again(text, r.down.RetryIn)
	}
	return ": " + chat.OneLine(text)
}

// and puts a verdict behind another sentence.
func and(verdict error) string {
	if verdict == nil {
		return ""
	}
	return "; " + verdict.Error()
}
