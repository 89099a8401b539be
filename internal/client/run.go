package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
)

// errRenewed says that the node's log changed again right after it had changed.
var errRenewed = errors.New("the node's log is another with each link")

// ending is how a link, or an attempt to make one, ended.
type ending struct {
	err     error
	code    chat.Code // the node's reason
	text    string
	retry   time.Duration // the shortest wait, by the node's word
	lasted  time.Duration // since the welcome
	final   bool          // not to be tried again: err says why
	goodbye bool          // the client's own goodbye was said
	renewed bool          // there is a new origin to go on with at once
}

// Run keeps a link to the node until the end: it dials, resumes, and dials again when the link is lost. It returns nil after Quit, Close
// or the end of ctx, a *RefusedError when the node refuses the client for good, and an *identity.ChangedError when it is another node. What is left of
// Events then waits for its consumer, except after Close or the end of ctx. It is called once.
func (c *Client) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	links, finish := context.WithCancel(ctx)
	defer finish()
	if !c.begin(stop, finish) {
		close(c.feed.out)
		return nil
	}
	var pump sync.WaitGroup
	pump.Go(func() { c.feed.pump(ctx) })
	err := c.keepLinked(links)
	c.end(err)
	c.feed.close()
	pump.Wait()
	return err
}

// begin tells Close how to stop Run, and reports false when it was called already.
func (c *Client) begin(stop, finish context.CancelFunc) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return false
	}
	c.stop, c.finish = stop, finish
	c.quitLocked()
	return true
}

// end answers whoever waits for a link.
func (c *Client) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = err
	c.quitting = true
	c.asker.close()
	close(c.over)
}

// keepLinked makes one link after the other.
func (c *Client) keepLinked(ctx context.Context) error {
	if err := c.prepare(); err != nil {
		return err
	}
	attempt, renewed := 0, false
	for ctx.Err() == nil {
		end := c.attempt(ctx)
		switch {
		case ctx.Err() != nil || end.goodbye:
			return nil
		case end.final:
			return end.err
		case end.renewed && !renewed:
			renewed = true
			continue
		case end.renewed:
			end.err = errRenewed
		default:
			renewed = false
		}
		if end.lasted >= healthy {
			attempt = 0
		}
		wait := max(c.cfg.Backoff(attempt), end.retry)
		attempt++
		c.log.Info("no link", "err", end.err, "code", end.code.String(), "retry", wait)
		c.feed.down(LinkDown{Err: end.err, Code: end.code, Text: end.text, RetryIn: wait})
		sleep(ctx, wait)
	}
	return nil
}

// prepare checks what New could not refuse and takes the first origin.
func (c *Client) prepare() error {
	c.showNodes()
	for _, name := range c.cfg.Rooms {
		if code := checkRoom(name); code != chat.OK {
			return &RefusedError{Code: code, Text: name}
		}
	}
	if c.cfg.State != nil {
		return nil // has one
	}
	return c.newOrigin()
}

// newOrigin takes another origin for all sends that are left.
func (c *Client) newOrigin() error {
	c.filing.Lock()
	defer c.filing.Unlock()
	c.mu.Lock()
	list := c.outbox.above(0, false)
	c.mu.Unlock()
	token, err := newToken(c.cfg.Rand)
	if err == nil {
		err = c.cfg.State.renew(token, list, "", 0, home{})
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outbox.newOrigin(token, false)
	return nil
}

// attempt dials once and stays until the link ends.
func (c *Client) attempt(ctx context.Context) ending {
	link, err := c.cfg.Dial(ctx)
	var changed *identity.ChangedError
	switch {
	case errors.As(err, &changed):
		return ending{err: changed, final: true} // the other addresses may be as false
	case err != nil:
		return ending{err: fmt.Errorf("connect: %w", err)}
	}
	return c.serve(ctx, link)
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
