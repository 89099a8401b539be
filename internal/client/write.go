package client

import (
	"context"
	"fmt"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/frame"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// writeAhead is how many bytes are encoded before their stream takes them.
const writeAhead = 32 << 10

// write is the link's one writer. It never waits for a window: what does not fit stays until Notify says that there is room.
func (n *conn) write(ctx context.Context) error {
	var control, chat []byte
	var wait time.Duration
	for {
		control, chat, wait = n.fill(control, chat)
		if n.retiring {
			control, n.retiring = n.retire(control), false
		}
		before := len(control) + len(chat)
		if n.puzzled && n.c.address() {
			n.c.poke()
		}
		var err error
		if control, err = push(n.link.Control(), control); err != nil {
			return fmt.Errorf("write to the node: %w", err)
		}
		if chat, err = push(n.link.Chat(), chat); err != nil {
			return fmt.Errorf("write to the node: %w", err)
		}
		if len(control) == 0 && n.isLeaving() {
			close(n.said)
			return nil
		}
		if len(control)+len(chat) < before {
			continue
		}
		if !n.rest(ctx, wait) {
			return nil
		}
	}
}

// push writes as much of buf as the stream takes now, and returns the rest.
func push(s frame.Stream, buf []byte) ([]byte, error) {
	size := min(len(buf), s.Window())
	if size <= 0 {
		return buf, nil
	}
	if _, err := s.Write(buf[:size]); err != nil {
		return buf, err
	}
	return append(buf[:0], buf[size:]...), nil
}

// rest waits until there may be something to write: at once or, for what is held back, after wait. It reports false at the end.
func (n *conn) rest(ctx context.Context, wait time.Duration) bool {
	var held <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		held = timer.C
	}
	select {
	case <-n.c.wake:
	case <-held:
	case <-ctx.Done():
		return false
	}
	return true
}

func (n *conn) isLeaving() bool {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	return n.leaving
}

// fill encodes what is to be written next, behind what is left, and returns how long the outbox is held back.
func (n *conn) fill(control, chat []byte) (_, _ []byte, wait time.Duration) {
	c := n.c
	c.mu.Lock()
	defer c.mu.Unlock()
	n.puzzled = false
	if n.leaving {
		return control, chat, 0
	}
	if c.ready {
		chat, wait = n.fillChatLocked(chat)
		n.fillControlLocked(len(control) + len(chat))
	}
	if n.asking && !n.retiring {
		if r := c.asker.next(); r != nil {
			n.control = append(n.control, r)
		}
	}
	for _, r := range n.control {
		control = wire.Must(control, r)
	}
	n.control = n.control[:0]
	return control, chat, wait
}

// fillChatLocked encodes rooms that are taken up again, and then the outbox as far as the node takes it.
func (n *conn) fillChatLocked(buf []byte) ([]byte, time.Duration) {
	c := n.c
	for ; len(n.chat) > 0 && len(buf) < writeAhead; n.chat = n.chat[1:] {
		buf = wire.Must(buf, n.chat[0])
	}
	if len(n.chat) > 0 {
		return buf, 0
	}
	if wait := time.Until(n.hold); wait > 0 {
		return buf, wait
	}
	sends, bytes := bound(n.limits.InFlight, chat.MaxInFlight)-len(c.unfiled), bound(n.limits.InFlightBytes, chat.MaxInFlightB)
	for len(buf) < writeAhead {
		e := c.outbox.take(sends, bytes)
		if e == nil {
			break
		}
		buf = wire.Must(buf, c.recordLocked(e))
	}
	e := c.outbox.peek()
	n.puzzled = e != nil && e.puzzles()
	return buf, 0
}

// bound returns a node's limit where it is below this package's own; 0 is none.
func bound(limit uint64, own int) int {
	if limit == 0 || limit > uint64(own) {
		return own
	}
	return int(limit)
}

// recordLocked returns what the node is told of an entry.
func (c *Client) recordLocked(e *entry) wire.Record {
	switch e.op {
	case opJoin:
		if e.arg == chat.DirectMark { // has no answer of its own, and is asked again with every link
			c.direct = true
			c.doneLocked(opJoin, func(arg string) bool { return arg == chat.DirectMark })
			return &wire.Join{Room: chat.DirectMark, Tail: uint64(c.cfg.Tail)}
		}
		r := c.rooms.find(e.arg)
		if r == nil {
			r = c.rooms.recall(e.arg)
		}
		if r != nil {
			return r.join(c.cfg.Tail, c.epoch)
		}
		return &wire.Join{Room: e.arg, Tail: uint64(c.cfg.Tail)}
	case opPart:
		if r := c.rooms.find(e.arg); r != nil {
			return &wire.Part{Room: r.key}
		}
		return &wire.Part{Room: e.arg}
	case opNick:
		return &wire.Nick{Name: e.arg}
	}
	p := c.outbox.pub(e, c.self)
	if p.Kind == chat.Act { // signed for the node that it goes to and the origin that it goes out under, which can change
		act := identity.SignedAct{Node: c.home.node, Epoch: c.epoch, From: c.from, CSeq: p.CSeq, Room: chat.SignedRoom(p.Room), Body: p.Body}
		p.Opts.Sig = c.cfg.Key.SignAct(&act)
	}
	return p
}

// fillControlLocked queues the watch, and says when it is time for the goodbye. unwritten is what the streams have not taken yet.
func (n *conn) fillControlLocked(unwritten int) {
	c := n.c
	if n.watch && c.cfg.Watch {
		names := n.watchedLocked()
		c.feed.present(func(p *presence) { p.watch(names) })
		n.control = append(n.control, &wire.Watch{Rooms: names})
	}
	n.watch = false
	n.retiring = c.quitting && c.outbox.sends == 0 && unwritten == 0
}

// retire says goodbye, at which the node forgets the origin. That the origin is given up is written down first: a client that went on with
// it would take the node for one that has lost its log. When that fails there is no goodbye, just an end. Nothing is sent meanwhile, as the
// client is quitting.
func (n *conn) retire(control []byte) []byte {
	c := n.c
	c.filing.Lock() // or an answer that is just being filed would come behind
	defer c.filing.Unlock()
	err := c.cfg.State.retire()
	c.mu.Lock()
	defer c.mu.Unlock()
	n.leaving = true
	if err != nil {
		c.log.Warn("no goodbye is said", "err", err)
		return control
	}
	c.unfiled = nil // with the origin
	return wire.Must(control, &wire.Bye{Code: chat.OK})
}
