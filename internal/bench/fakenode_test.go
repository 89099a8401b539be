package bench

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// fakeNode speaks as much of the protocol as the bench does, over yamux by hand. It holds its clients to it: a proof
// that does not hold, a ping without an answer or an overdrawn window ends the connection. With a store it keeps what is published before it says so,
// and sends that to whoever joins with a cursor.
type fakeNode struct {
	fault string // see deliver and publish
	kept  *fakeStore
	tls   *tls.Config // nil: plain

	mu    sync.Mutex
	rooms map[string]*fakeRoom
	last  uint64 // number of a connection
}

// fakeRoom is a room of a fake node, whose mu guards it.
type fakeRoom struct {
	number  uint64
	seq     uint64
	readers []*fakeConn
	held    []byte // the event that trades places with the next one
}

// room returns a room, which it makes when there is none. mu is held.
func (n *fakeNode) room(name string) *fakeRoom {
	r := n.rooms[name]
	if r == nil {
		r = &fakeRoom{number: uint64(len(n.rooms) + 1)}
		if n.kept != nil {
			r.seq = n.kept.head
		}
		n.rooms[name] = r
	}
	return r
}

// faultAt is the message that a fault befalls, always at the first reader.
const faultAt = 4

func newFakeNode(fault string) *fakeNode {
	return &fakeNode{fault: fault, rooms: map[string]*fakeRoom{}}
}

func (n *fakeNode) serve(ctx context.Context, listener net.Listener) {
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	var conns sync.WaitGroup
	defer conns.Wait()
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		conns.Go(func() {
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			conn, err := n.secure(conn)
			if err != nil {
				return
			}
			n.mu.Lock()
			n.last++
			c := &fakeConn{node: n, conn: conn, window: window, nonce: make([]byte, 32), number: n.last}
			n.mu.Unlock()
			c.granted.L = &c.mu
			c.run()
		})
	}
}

// hastyLimit is how long a guest may take to shake hands with a node that is hasty, or strict.
const hastyLimit = 1500 * time.Millisecond

// secure shakes hands, if that is what the node does, or closes conn.
func (n *fakeNode) secure(conn net.Conn) (net.Conn, error) {
	if n.tls == nil {
		return conn, nil
	}
	over := tls.Server(conn, n.tls)
	if n.fault == "hasty" || n.fault == "strict" {
		conn.SetDeadline(time.Now().Add(hastyLimit))
	}
	if err := over.Handshake(); err != nil {
		conn.Close()
		return nil, err
	}
	return over, conn.SetDeadline(time.Time{})
}

type fakeConn struct {
	node   *fakeNode
	conn   net.Conn
	nonce  []byte
	number uint64
	hello  *wire.Hello

	streams  [2]records
	received int
	acks     []byte // of what the frame that is being taken has brought

	sending sync.Mutex // promises that records do not run into each other

	mu      sync.Mutex
	granted sync.Cond
	window  int
	closed  bool
}

const pingValue = 4711

// fakeToken is that of a fake node's invitations.
var fakeToken = make([]byte, wire.TokenLen)

func (c *fakeConn) run() {
	defer func() {
		c.conn.Close()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.closed = true
		c.granted.Broadcast()
	}()
	var head [frameHeader]byte
	body := make([]byte, maxFrame)
	for {
		if _, err := io.ReadFull(c.conn, head[:]); err != nil {
			return
		}
		flags, id, length := binary.BigEndian.Uint16(head[2:]), binary.BigEndian.Uint32(head[4:]), binary.BigEndian.Uint32(head[8:])
		var err error
		switch head[1] {
		case frameData:
			if length > maxFrame {
				return
			}
			if _, err := io.ReadFull(c.conn, body[:length]); err != nil {
				return
			}
			err = c.data(id, body[:length])
		case frameWindow:
			err = c.grant(flags, id, length)
		case framePing:
			if flags != flagACK || length != pingValue {
				return
			}
			c.send(controlID, wire.Must(nil, c.node.welcome(c)))
		}
		if err != nil {
			return
		}
	}
}

func (c *fakeConn) grant(flags uint16, id, delta uint32) error {
	if flags&flagSYN != 0 {
		c.conn.Write(appendFrame(nil, frameWindow, flagACK, id, 0))
		if id == controlID {
			c.send(controlID, wire.Must(nil, &wire.Challenge{Version: wire.Version, Nonce: c.nonce}))
		}
	}
	if id == chatID {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.window += int(delta)
		c.granted.Broadcast()
	}
	return nil
}

func (c *fakeConn) data(id uint32, body []byte) error {
	if c.received += len(body); c.received > window {
		return errors.New("more than was granted")
	}
	if c.received >= window/2 && c.node.fault != "stingy" {
		c.conn.Write(appendFrame(nil, frameWindow, 0, id, uint32(c.received)))
		c.received = 0
	}
	err := c.streams[id/2].feed(body, func(record []byte) error {
		decoded, err := wire.Decode(record[lengthSize:])
		if err != nil {
			return err
		}
		return c.record(decoded)
	})
	if len(c.acks) == 0 || err != nil {
		return err
	}
	if c.node.kept != nil && c.node.fault != "forgets" {
		if err := c.node.kept.commit(); err != nil {
			return err
		}
	}
	c.send(chatID, c.acks)
	c.acks = c.acks[:0]
	return nil
}

func (c *fakeConn) record(r wire.Record) error {
	n := c.node
	switch r := r.(type) {
	case *wire.Hello:
		if n.fault == "full" && len(r.Token) > 0 {
			c.send(controlID, wire.Must(nil, &wire.Bye{Code: chat.Full}))
			return io.EOF
		}
		if c.hello = r; !identity.CheckProof(r.Key, r.Proof, c.nonce, r.Origin) {
			return errors.New("bad proof")
		}
		c.conn.Write(appendFrame(nil, framePing, flagSYN, 0, pingValue))
	case *wire.History, *wire.Invite:
		c.answer(r)
	case *wire.Bye:
		return io.EOF
	case *wire.Join:
		if n.fault == "denied" {
			c.send(chatID, wire.Must(nil, &wire.Open{Name: r.Room, Status: wire.StatusDenied, Code: chat.RoomRate}))
			return nil
		}
		if n.fault == "dies" {
			os.Exit(3)
		}
		if r.Cursor != nil {
			return n.kept.sendAll(c, r.Room, r.Cursor)
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		room := n.room(r.Room)
		room.readers = append(room.readers, c)
		c.send(chatID, wire.Must(nil, &wire.Open{Room: room.number, Name: r.Room, From: room.seq + 1, Head: room.seq}))
		if n.fault == "strict" && (strings.HasPrefix(c.hello.Name, "deaf") || c.hello.Name == "stalled") {
			c.conn.Close()
		}
	case *wire.Pub:
		if n.fault == "refuse" {
			c.send(chatID, wire.Must(nil, &wire.Refused{CSeq: r.CSeq, Code: chat.TooLong}))
			return nil
		}
		n.publish(c.number, r)
		if n.kept != nil && n.fault != "forgets" {
			n.kept.keep(r.Body)
		}
		switch {
		case n.fault == "nacks":
			c.send(chatID, wire.Must(nil, &wire.Nack{Expected: r.CSeq, Code: chat.Stopping}))
		case n.fault == "skips" && r.CSeq == faultAt:
			return nil
		}
		if n.fault != "mute" {
			c.acks = wire.Must(c.acks, &wire.Ack{CSeq: r.CSeq, Seq: 1})
		} else if r.CSeq > chat.MaxInFlight {
			return errors.New("too many in flight")
		}
	}
	return nil
}

// answer answers an admin, as which everybody counts unless that is the fault.
func (c *fakeConn) answer(question wire.Record) {
	var answer wire.Record = &wire.Failed{Code: chat.Denied}
	switch q := question.(type) {
	case *wire.History:
		if q.Room == chat.Reports && c.node.fault != "knows no admin" {
			answer = &wire.Failed{Code: chat.NoSuchRoom}
		}
	case *wire.Invite:
		if c.node.fault != "invites nobody" {
			answer = &wire.InviteIs{Token: fakeToken, Uses: q.Uses}
		}
	}
	c.send(controlID, wire.Must(nil, answer))
}

func (n *fakeNode) publish(from uint64, p *wire.Pub) {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.room(p.Room)
	r.seq++
	event := wire.Must(nil, &wire.Event{Room: r.number, Seq: r.seq, From: from, CSeq: p.CSeq, Name: "ann", Kind: p.Kind, Body: p.Body})
	for i, c := range r.readers {
		switch {
		case !c.keepsUp(len(event)):
		case i == 0:
			n.deliver(r, c, event)
		default:
			c.send(chatID, event)
		}
	}
}

// deliver gives the first reader an event, with the fault if its time has come.
func (n *fakeNode) deliver(r *fakeRoom, c *fakeConn, event []byte) {
	if r.seq != faultAt {
		c.send(chatID, append(event, r.held...))
		r.held = nil
		return
	}
	switch n.fault {
	case "lose":
	case "repeat":
		c.send(chatID, append(slices.Clone(event), event...))
	case "swap":
		r.held = event
	case "end":
		c.conn.Write(appendFrame(nil, frameWindow, 4, chatID, 0))
	case "hang up":
		c.conn.Close()
	default:
		c.send(chatID, event)
	}
}

// keepsUp reports whether so much can be sent without waiting for somebody who is slow on purpose: what can't is not sent, as the others would wait too.
func (c *fakeConn) keepsUp(size int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hello.Name != "stalled" && c.hello.Name != "slow" || c.window >= size
}

// send writes bytes to a stream in small frames, as far as the client's window lets it.
func (c *fakeConn) send(id uint32, b []byte) {
	c.sending.Lock()
	defer c.sending.Unlock()
	for piece := range slices.Chunk(b, 100) {
		if id == chatID {
			c.mu.Lock()
			for c.window < len(piece) && !c.closed {
				c.granted.Wait()
			}
			c.window -= len(piece)
			c.mu.Unlock()
		}
		c.conn.Write(append(appendFrame(nil, frameData, 0, id, uint32(len(piece))), piece...))
	}
}
