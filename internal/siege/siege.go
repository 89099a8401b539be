// Package siege is the other side at its worst: connections to a node that speak yamux and records by hand, frame by frame, and loops of them as a
// load. It keeps no rule of the protocol that its caller does not keep. Only tests import it.
package siege

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// The frames of yamux, version 0 (github.com/hashicorp/yamux, spec.md), and the streams of a link.
const (
	FrameData   = 0
	FrameWindow = 1
	FramePing   = 2
	FrameGoAway = 3

	SYN = 1
	ACK = 2
	FIN = 4
	RST = 8

	Control = 1
	Chat    = 3

	// Window is what either side may send on a new stream before it is granted more, in bytes.
	Window = 256 << 10
	// MaxFrame is the largest body of a data frame that a node takes from a client, in bytes.
	MaxFrame = 16 << 10

	frameHeader = 12
)

// Target is a node, as whoever attacks it gets there.
type Target struct {
	// Raw makes a connection without a byte on it.
	Raw func(context.Context) (net.Conn, error)
	// Secure makes a connection as the owner of a key, on which the next byte is yamux's. Nil where a node takes that on what Raw makes.
	Secure func(context.Context, *identity.Key) (net.Conn, error)
}

// Conn is one connection to a node. One goroutine may use it at a time, Close excepted.
type Conn struct {
	net.Conn
	// Key and Origin are those that Enter uses, Nonce is what the node has challenged them with.
	Key    *identity.Key
	Origin [16]byte
	Nonce  []byte
	// Stingy grants the node no window beyond the first.
	Stingy bool

	stop   func() bool // the connection's end at the end of its context
	in     *bufio.Reader
	got    map[uint32]*bytes.Buffer // by stream: received, and not handed out
	used   map[uint32]uint32        // by stream: received since the last grant
	window map[uint32]int           // by stream: what the node still takes
}

// Link makes a connection as the owner of key, or of a new one where that is nil, and opens its two streams. The end of ctx closes it.
func (t Target) Link(ctx context.Context, key *identity.Key) (*Conn, error) {
	c := &Conn{
		Key: key, got: map[uint32]*bytes.Buffer{Control: {}, Chat: {}}, used: map[uint32]uint32{},
		window: map[uint32]int{Control: Window, Chat: Window},
	}
	if key == nil {
		var err error
		if c.Key, err = identity.NewKey(rand.Reader); err != nil {
			return nil, err
		}
	}
	rand.Read(c.Origin[:])
	conn, err := t.connect(ctx, c.Key)
	if err != nil {
		return nil, err
	}
	c.Conn, c.in = conn, bufio.NewReader(conn)
	c.stop = context.AfterFunc(ctx, func() { c.Socket().Close() })
	if err := c.Put(1, Frame(FrameWindow, SYN, Control, 0), Frame(FrameWindow, SYN, Chat, 0)); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (t Target) connect(ctx context.Context, key *identity.Key) (net.Conn, error) {
	if t.Secure == nil {
		return t.Raw(ctx)
	}
	return t.Secure(ctx, key)
}

// Enter makes a link and shakes hands under that name, with a new key. The end of ctx closes it.
func (t Target) Enter(ctx context.Context, name string) (*Conn, *wire.Welcome, error) {
	c, err := t.Link(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	welcome, err := c.Enter(name)
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	return c, welcome, nil
}

// Socket returns what is beneath TLS.
func (c *Conn) Socket() net.Conn {
	if over, ok := c.Conn.(interface{ NetConn() net.Conn }); ok {
		return over.NetConn()
	}
	return c.Conn
}

// Close ends the connection at once, without a word of TLS.
func (c *Conn) Close() error {
	c.stop()
	return c.Socket().Close()
}

// Frame returns a frame's header. Behind one of data belong as many bytes as length says.
func Frame(kind byte, flags uint16, stream, length uint32) []byte {
	head := []byte{0, kind}
	head = binary.BigEndian.AppendUint16(head, flags)
	head = binary.BigEndian.AppendUint32(head, stream)
	return binary.BigEndian.AppendUint32(head, length)
}

// Record returns an item as a stream carries it: behind its length.
func Record(item []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(item))), item...)
}

// Put writes parts, n times over, as they are. It returns the error with which the connection takes no more.
func (c *Conn) Put(n int, parts ...[]byte) error {
	const atOnce = 64 << 10
	all := bytes.Join(parts, nil)
	for times := max(1, atOnce/len(all)); n > 0; n -= times {
		if _, err := c.Write(bytes.Repeat(all, min(n, times))); err != nil {
			return err
		}
	}
	return nil
}

// Send writes bytes to a stream, in frames that a node takes and when its window does.
func (c *Conn) Send(stream uint32, p []byte) error {
	for len(p) > 0 {
		n := min(len(p), MaxFrame, c.window[stream])
		if n == 0 {
			if err := c.frame(); err != nil {
				return err
			}
			continue
		}
		if err := c.Put(1, Frame(FrameData, 0, stream, uint32(n)), p[:n]); err != nil {
			return err
		}
		c.window[stream] -= n
		p = p[n:]
	}
	return nil
}

// Say sends records on a stream.
func (c *Conn) Say(stream uint32, records ...wire.Record) error {
	var all []byte
	for _, r := range records {
		all = wire.Must(all, r)
	}
	return c.Send(stream, all)
}

// Enter shakes hands under that name. It returns a *Refused when the node does not let it in.
func (c *Conn) Enter(name string) (*wire.Welcome, error) {
	hello, err := c.Hello(name)
	if err != nil {
		return nil, err
	}
	return c.Offer(hello)
}

// Hello waits for the node's challenge and returns the answer to it.
func (c *Conn) Hello(name string) (*wire.Hello, error) {
	challenge, err := Await[*wire.Challenge](c, Control)
	if err != nil {
		return nil, err
	}
	c.Nonce = challenge.Nonce
	return &wire.Hello{
		Version: wire.Version, Name: name, Key: c.Key.Public(), Origin: c.Origin[:], FirstUnacked: 1, Proof: c.Key.Prove(c.Nonce, c.Origin[:]),
	}, nil
}

// Offer sends a hello and waits for the welcome. It returns a *Refused when the node does not let it in.
func (c *Conn) Offer(hello *wire.Hello) (*wire.Welcome, error) {
	if err := c.Say(Control, hello); err != nil {
		return nil, err
	}
	return Await[*wire.Welcome](c, Control)
}

// Refused says that the node has said goodbye.
type Refused struct{ Code chat.Code }

// Error returns the node's reason.
func (r *Refused) Error() string { return "the node said goodbye: " + r.Code.String() }

// Await passes over what comes on a stream until a record of type R does. It returns a *Refused when the node says goodbye instead, on whichever
// stream is waited for.
func Await[R wire.Record](c *Conn, stream uint32) (R, error) {
	for {
		record, err := c.Next(stream)
		if err != nil {
			var none R
			return none, err
		}
		if r, ok := record.(R); ok {
			return r, nil
		}
	}
}

// Next returns the next record on a stream, nil for one of a type that is not known, or a *Refused for a goodbye on control.
func (c *Conn) Next(stream uint32) (wire.Record, error) {
	for {
		for _, id := range [...]uint32{Control, stream} {
			item, err := c.take(id)
			if err != nil {
				return nil, err
			}
			if item == nil || id != stream && !isBye(item) {
				continue
			}
			record, err := wire.Decode(item)
			if bye, ok := record.(*wire.Bye); ok {
				return nil, &Refused{bye.Code}
			}
			return record, err
		}
		if err := c.frame(); err != nil {
			return nil, err
		}
	}
}

func isBye(item []byte) bool {
	t, err := wire.Type(item)
	return err == nil && t == wire.TypeBye
}

// take returns the next whole record that was received on a stream, nil when there is none.
func (c *Conn) take(stream uint32) ([]byte, error) {
	got := c.got[stream]
	if got.Len() < wire.HeaderLen {
		return nil, nil
	}
	size := int(binary.BigEndian.Uint32(got.Bytes()))
	switch {
	case size == 0 || size > wire.MaxRecord:
		return nil, wire.ErrTooLarge
	case got.Len() < wire.HeaderLen+size:
		return nil, nil
	}
	got.Next(wire.HeaderLen)
	return got.Next(size), nil
}

// frame reads one frame, answers a ping, and grants what was used.
func (c *Conn) frame() error {
	var head [frameHeader]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return err
	}
	kind, flags := head[1], binary.BigEndian.Uint16(head[2:])
	stream, length := binary.BigEndian.Uint32(head[4:]), binary.BigEndian.Uint32(head[8:])
	got := c.got[stream]
	switch {
	case kind == FrameGoAway, got != nil && flags&(FIN|RST) != 0:
		return io.EOF
	case kind == FramePing && flags&SYN != 0:
		return c.Put(1, Frame(FramePing, ACK, 0, length))
	case kind == FrameWindow:
		c.window[stream] += int(length)
	case kind == FrameData && got == nil:
		return fmt.Errorf("the node uses stream %d", stream)
	case kind == FrameData:
		if _, err := io.CopyN(got, c.in, int64(length)); err != nil {
			return err
		}
		if c.used[stream] += length; c.used[stream] >= Window/2 && !c.Stingy {
			grant := c.used[stream]
			c.used[stream] = 0
			return c.Put(1, Frame(FrameWindow, 0, stream, grant))
		}
	}
	return nil
}

// Ended waits until the node has closed the connection, and returns nil. It passes over all that comes until then; what it answers keeps the node from
// taking it for dead.
func (c *Conn) Ended() error {
	for c.frame() == nil {
		for _, got := range c.got {
			got.Reset()
		}
	}
	return Drain(c.in)
}

// Drain is Ended for a connection without a link.
func Drain(conn io.Reader) error {
	_, err := io.Copy(io.Discard, conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("the node has not closed it: %w", err)
	}
	return nil // the end, or a reset
}

// Farewell waits until the node says goodbye or closes the connection, and returns the code of the goodbye, chat.OK without one.
func (c *Conn) Farewell() (chat.Code, error) {
	for {
		_, err := c.Next(Control)
		var refused *Refused
		switch {
		case err == nil:
		case errors.As(err, &refused):
			return refused.Code, nil
		default:
			return chat.OK, c.Ended()
		}
	}
}
