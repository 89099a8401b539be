package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

const (
	// handshakeTime is how long a node may take from the connection to its welcome.
	handshakeTime = 5 * time.Second
	// lastWords is how long the control stream is read after the connection was lost elsewhere: a reason may be waiting in it.
	lastWords = time.Second
	// byeTime is how long the node may take to close after a goodbye, so that closing does not discard it on its way.
	byeTime = 250 * time.Millisecond
)

var (
	errHandshake = fmt.Errorf("no welcome within %v: perhaps that is no chatnode", handshakeTime)
	errLost      = errors.New("the connection was lost")
)

// conn is one link from its opening to its end. Four goroutines work on it: a writer, a reader for each stream, and one that measures how long
// the node takes to answer. serve starts them, closes the link, and waits for them.
type conn struct {
	// Static after construction.
	c       *Client
	link    Link
	fail    context.CancelCauseFunc // ends the link for a breach of the protocol
	lost    chan error              // capacity 1: why a stream ended, the first of them
	welcome chan *wire.Welcome      // capacity 1: from the control reader to the chat reader
	up      chan struct{}           // closed by the control reader at the welcome
	silent  chan struct{}           // closed by the control reader at its end
	said    chan struct{}           // closed by the writer when the goodbye is written
	measure chan struct{}           // capacity 1: somebody wants to know the lag
	over    <-chan struct{}         // closed when the link is given up

	// Owned by the control reader, read when it has ended.
	greeted bool // the hello is queued
	bye     *wire.Bye
	upAt    time.Time // of the welcome

	// Owned by the writer.
	retiring bool // it is time for the goodbye
	puzzled  bool // it is to be found out to whom the next send is sealed

	// Guarded by Client.mu.
	control []wire.Record // to be written
	asking  bool          // there was a welcome: questions may be put, whether or not the link is ready
	chat    []wire.Record // to be written ahead of the outbox: rooms that are taken up again
	limits  wire.Limits
	hold    time.Time // nothing of the outbox is written before
	nacks   int       // since the last answer
	watch   bool      // the open rooms have changed
	leaving bool      // the goodbye is on its way; nothing follows it
	renewed bool      // there is a new origin
	strange bool      // another node has named this one, and it is of another space
	anew    int       // rooms that could not be gone on with from another node's log
	lag     lag
}

// serve works on a link until it ends, and returns how it did.
func (c *Client) serve(ctx context.Context, link Link) ending {
	ctx, fail := context.WithCancelCause(ctx)
	n := &conn{
		c: c, link: link, fail: fail, lost: make(chan error, 1), welcome: make(chan *wire.Welcome, 1),
		up: make(chan struct{}), silent: make(chan struct{}), said: make(chan struct{}),
		measure: make(chan struct{}, 1), over: ctx.Done(),
	}
	link.Notify(c.poke)
	c.feed.hold(true)
	var all sync.WaitGroup
	all.Go(func() { n.loseIf(n.write(ctx)) })
	all.Go(func() { n.loseIf(n.readChat(ctx)) })
	all.Go(func() {
		defer close(n.silent)
		n.loseIf(n.readControl())
	})
	all.Go(n.measureLag)
	err := n.wait(ctx)
	fail(nil)
	_ = link.Close() // the link is given up; nothing is to be learned from this
	all.Wait()
	return n.end(ctx, err)
}

// breach is an error that the node is to blame for: the link ends without further reading.
type breach struct{ error }

// loseIf notes why a goroutine of the link ended.
func (n *conn) loseIf(err error) {
	var b breach
	switch {
	case errors.As(err, &b):
		n.fail(b)
	case err != nil:
		select {
		case n.lost <- err:
		default:
		}
	}
}

// wait returns when the link has ended, and why, as far as the connection tells.
func (n *conn) wait(ctx context.Context) (err error) {
	handshake := time.NewTimer(handshakeTime)
	defer handshake.Stop()
	up, said, done := n.up, n.said, n.link.Done()
	var patience <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return err
		case <-n.silent:
			return err
		case <-patience:
			return err
		case <-handshake.C:
			return errHandshake
		case <-up:
			handshake.Stop()
			up = nil
		case <-said:
			said, patience = nil, time.After(byeTime)
		case <-done:
			done, patience = nil, time.After(lastWords)
		case err = <-n.lost:
			patience = time.After(lastWords)
		}
	}
}

// end sums up a link whose goroutines have ended.
func (n *conn) end(ctx context.Context, err error) ending {
	c := n.c
	var renewed error
	if n.bye != nil && n.bye.Code == chat.BadOrigin {
		renewed = c.newOrigin()
	}
	stays := n.stayAway()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready, c.linked = false, nil
	c.feed.hold(false)
	c.outbox.relink()
	c.rooms.unlink()
	c.contacts.unlink()
	c.asker.unlink()
	c.quitLocked()
	e := ending{err: n.cause(ctx, err), renewed: n.renewed}
	if !n.upAt.IsZero() {
		e.lasted = time.Since(n.upAt)
	}
	select {
	case <-n.said:
		e.goodbye = true
		return e
	default:
	}
	if n.bye == nil {
		return e
	}
	e = c.farewellLocked(e, n.bye, renewed)
	if stays { // the nodes that the user has named may be of another mind
		e.final = false
	}
	return e
}

// cause returns the first of: a breach, what the connection said, and that it is lost.
func (n *conn) cause(ctx context.Context, err error) error {
	var b breach
	if errors.As(context.Cause(ctx), &b) {
		return b.error
	}
	if err == nil {
		select {
		case err = <-n.lost:
		default:
		}
	}
	if why := n.link.Err(); why != nil && !errors.Is(why, io.EOF) && !errors.Is(why, net.ErrClosed) {
		return why // a stream knows only that it has ended
	}
	if err == nil || errors.Is(err, io.EOF) {
		return errLost
	}
	return err
}

// farewellLocked says what follows from the node's goodbye. A node that names no time to come back does not want the client back, except
// for reasons that pass. renewed is what became of the new origin that chat.BadOrigin asks for.
func (c *Client) farewellLocked(e ending, bye *wire.Bye, renewed error) ending {
	refusal := &RefusedError{Code: bye.Code, Text: bye.Text}
	e.err, e.code, e.text, e.retry = refusal, bye.Code, bye.Text, millis(bye.RetryAfterMS)
	if len(c.nodes) > 0 && (bye.Code == chat.Stopping || bye.Code == chat.Goodbye) {
		e.retry = 0 // others have the rooms at once
	}
	switch bye.Code {
	case chat.BadOrigin:
		if renewed != nil {
			e.err, e.final = renewed, true
		}
		e.renewed, c.renewed = true, true
	case chat.Full:
		e.final = c.stats.Links == 0
	case chat.OK, chat.Goodbye, chat.Stopping, chat.NoSpace, chat.Timeout, chat.Internal:
	case chat.Replaced, chat.BadVersion, chat.BadProof, chat.Denied, chat.BadName, chat.NameTaken, chat.NotInvited, chat.BadInvite:
		e.final = true
	default:
		e.final = bye.RetryAfterMS == 0
	}
	return e
}
