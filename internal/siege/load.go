package siege

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"sync"
	"time"

	"chatnode/internal/wire"
)

const (
	// retryEvery is about how long a place stays empty whose connection the node has not taken.
	retryEvery = 50 * time.Millisecond
	// dribbleEvery is how often one that dribbles sends a byte.
	dribbleEvery = 100 * time.Millisecond
	// lingerEvery is how often one that does not read looks whether it is still there.
	lingerEvery = time.Second
	// littleBuffer is the receive buffer of one that does not read, in bytes.
	littleBuffer = 4 << 10
)

// Silent keeps n connections that say nothing, with a new one for each that the node closes, until ctx ends.
func Silent(ctx context.Context, t Target, n int) {
	keep(ctx, n, func(ctx context.Context, _ int) error {
		conn, err := t.Raw(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { conn.Close() })()
		_, err = conn.Read(make([]byte, 1))
		return err
	})
}

// Stuck keeps n connections that the node has let in, with a new one for each that it closes, until ctx ends: of two, one dribbles a frame, and one
// asks for all of a room again and again and reads nothing of it.
func Stuck(ctx context.Context, t Target, n int, room string) {
	keep(ctx, n, func(ctx context.Context, place int) error {
		c, _, err := t.Enter(ctx, fmt.Sprintf("stuck%d", place))
		if err != nil {
			return err
		}
		defer c.Close()
		if place%2 == 0 {
			return c.Dribble(ctx, Chat, MaxFrame)
		}
		if err := c.Ignore(room); err != nil {
			return err
		}
		return c.Linger(ctx)
	})
}

// Storm makes connections in n places at one time, each as soon as the one before it is over, until ctx ends: some leave at once, some send garbage,
// some open streams or shake hands first.
func Storm(ctx context.Context, t Target, n int) {
	keep(ctx, n, func(ctx context.Context, place int) error {
		for turn := place; ctx.Err() == nil; turn++ {
			if err := t.Visit(ctx, turn); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
}

// Visit makes one connection of a storm, and leaves. It returns an error when the node is not reached.
func (t Target) Visit(ctx context.Context, turn int) error {
	conn, err := t.Raw(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	switch turn % 5 {
	case 0:
	case 1:
		_, _ = conn.Write([]byte("GET / HTTP/1.1\r\n\r\n")) // whether it gets there is all one
	case 2:
		reset(conn)
	case 3:
		_, _ = conn.Write(append(Frame(FrameWindow, SYN, Control, 0), Frame(FrameWindow, SYN, Chat, 0)...))
	case 4:
		if c, err := t.Link(ctx, nil); err == nil { // else it was cut off on the way
			c.Close()
		}
	}
	return nil
}

// reset has the connection end by RST.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // else it ends by FIN
	}
}

// Dribble begins a data frame of size bytes and sends one now and then, until the node closes the connection, ctx ends, or there are no more.
func (c *Conn) Dribble(ctx context.Context, stream uint32, size int) error {
	if err := c.Put(1, Frame(FrameData, 0, stream, uint32(size))); err != nil {
		return err
	}
	ticker := time.NewTicker(dribbleEvery)
	defer ticker.Stop()
	for range size {
		if _, err := c.Write([]byte{0}); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Ignore asks for more of a room than sockets hold, allows the node to send all of it, and reads nothing.
func (c *Conn) Ignore(room string) error {
	const pages = 50
	if tcp, ok := c.Socket().(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(littleBuffer) // it takes longer to fill without
	}
	grant := Frame(FrameWindow, 0, Control, 1<<30)
	if err := c.Put(1, grant, Frame(FrameWindow, 0, Chat, 1<<30)); err != nil {
		return err
	}
	if err := c.Say(Chat, &wire.Join{Room: room, Tail: 500}); err != nil {
		return err
	}
	for range pages {
		if err := c.Say(Control, &wire.History{Room: room, N: 500}); err != nil {
			return err
		}
	}
	return nil
}

// Linger stays without reading until the node has closed the connection, or ctx ends. That it has shows to whoever writes.
func (c *Conn) Linger(ctx context.Context) error {
	ticker := time.NewTicker(lingerEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := c.Put(1, Frame(FrameWindow, 0, Control, 0)); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// keep has one run in n places at a time, again when it returns, until ctx ends and all have returned.
func keep(ctx context.Context, n int, one func(ctx context.Context, place int) error) {
	var group sync.WaitGroup
	for place := range n {
		group.Go(func() {
			for ctx.Err() == nil {
				if err := one(ctx, place); err == nil || errors.Is(err, context.Canceled) {
					continue
				}
				timer := time.NewTimer(retryEvery/2 + mathrand.N(retryEvery))
				select {
				case <-timer.C:
				case <-ctx.Done():
				}
				timer.Stop()
			}
		})
	}
	group.Wait()
}
