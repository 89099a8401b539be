package client

import (
	"context"
	"fmt"
	"slices"
	"time"

	"chatnode/internal/chat"
)

// lagEvery is how long a measured lag stands for the next ones, counted from the answer. A node allows a client a ping a second.
const lagEvery = 2 * time.Second

// Look says which rooms are on the user's screen, the most important first, in place of what was said before. With Config.Watch the node is then
// asked for the presence of exactly those of them that are open, no direct conversations, as many as it allows; a room that is newly watched
// begins with a Present. Saying the same again costs nothing.
func (c *Client) Look(rooms []string) {
	rooms = rooms[:min(len(rooms), maxOpen)]
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.looks && slices.Equal(c.look, rooms) {
		return
	}
	n := c.linked
	if n == nil {
		c.looks, c.look = true, slices.Clone(rooms)
		return // each link begins with a watch
	}
	before := n.watchedLocked()
	c.looks, c.look = true, slices.Clone(rooms)
	if !slices.Equal(before, n.watchedLocked()) {
		n.watch = true
		c.poke()
	}
}

// watchedLocked returns the rooms whose presence the node is to be asked for.
func (n *conn) watchedLocked() []string {
	limit := bound(n.limits.Watched, chat.MaxWatched)
	if n.c.looks {
		return n.c.rooms.among(n.c.look, limit)
	}
	return n.c.rooms.names(limit, false)
}

// lag is how long the node took to answer last. Client.mu guards it.
type lag struct {
	took  time.Duration
	err   error
	at    time.Time     // when it was measured; zero: never
	asked chan struct{} // closed when the measuring under way has ended; nil: there is none
}

// Lag returns how long the node takes to answer, on the link that is there now. What was measured in the last 2 s is not measured again, and
// calls at the same time share one measuring. It returns ErrNoLink, wrapped, when there is no link or it is lost before the answer, ErrClosed at the end,
// and ctx's error when that ends first.
func (c *Client) Lag(ctx context.Context) (time.Duration, error) {
	n, asked, err := c.askLag()
	if err != nil {
		return 0, err
	}
	select {
	case <-asked:
	case <-n.over:
		return 0, ErrNoLink
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return n.lag.took, n.lag.err
}

// askLag has the lag of the link measured, unless that has just been done, and returns a channel that is closed when it is known.
func (c *Client) askLag() (n *conn, asked <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = c.linked
	switch {
	case c.stopped || c.quitting && n == nil:
		return nil, nil, ErrClosed
	case n == nil:
		return nil, nil, ErrNoLink
	case n.lag.asked == nil && !n.lag.at.IsZero() && time.Since(n.lag.at) < lagEvery:
		known := make(chan struct{})
		close(known)
		return n, known, nil
	case n.lag.asked == nil:
		n.lag.asked = make(chan struct{})
		poke(n.measure)
	}
	return n, n.lag.asked, nil
}

// measureLag pings the node when somebody wants to know, one ping at a time, until the link is given up, with which a ping ends too.
func (n *conn) measureLag() {
	for {
		select {
		case <-n.over:
			return
		case <-n.measure:
		}
		took, err := n.link.Ping()
		if err != nil {
			took, err = 0, fmt.Errorf("%w: %w", ErrNoLink, err)
		}
		c := n.c
		c.mu.Lock()
		n.lag.took, n.lag.err, n.lag.at = took, err, time.Now()
		close(n.lag.asked)
		n.lag.asked = nil
		c.mu.Unlock()
	}
}
