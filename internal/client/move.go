package client

import (
	"fmt"
	"slices"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// mark is what a node has said in a wire.Mark.
type mark struct {
	epoch, seq uint64
	heads      []wire.Grown
}

// maxPassed bounds the marks of one room that wait for what they cover to be shown. The latest of more is left out: the one after it covers that too.
const maxPassed = 8

// move goes over to another node of the space: what is not answered is offered there, under an origin of its own and with the pair that every node knows it
// by, and each room goes on behind what was shown. When that can't be written down nothing has changed, and the next link finds the same.
func (n *conn) move(w *wire.Welcome) error {
	c, at := n.c, homeOf(w)
	c.mu.Lock()
	c.shownLocked()
	list := c.outbox.above(0, true)
	c.mu.Unlock()
	token, err := newToken(c.cfg.Rand)
	if err == nil {
		err = c.cfg.State.move(token, list, w.Epoch, at)
	}
	if err != nil {
		return fmt.Errorf("go on at another node: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log.Info("another node of the space goes on", "from", c.home.node.String(), "to", at.node.String())
	if c.behind == "" {
		c.behind = c.home.String()
	}
	c.meetLocked(w.Epoch)
	c.home = at
	n.renewed = true
	c.outbox.newOrigin(token, true)
	c.unfiled = nil // they are not among those that are left
	return breach{errMoved}
}

// String returns what a node is called.
func (h home) String() string {
	if h.title == "" {
		return h.node.String()
	}
	return h.title
}

// isLedLocked reports whether the client was led to the link's node by another one, in place of its user.
func (n *conn) isLedLocked() bool {
	id := n.link.Node()
	return !id.IsZero() && id != n.c.home.node && slices.ContainsFunc(n.c.nodes, func(node Node) bool { return node.ID == id })
}

// stayAway has the link's node dialled no more, until it is told of again, if another one has named it and it is of no use: it is of another space, or refuses
// the client. It reports whether that is so.
func (n *conn) stayAway() bool {
	c := n.c
	c.mu.Lock()
	useless := n.isLedLocked() && (n.strange || n.bye != nil && n.upAt.IsZero())
	nodes := slices.DeleteFunc(slices.Clone(c.nodes), func(node Node) bool { return node.ID == n.link.Node() })
	c.mu.Unlock()
	if useless {
		c.setNodes(nodes)
	}
	return useless
}

// nodesAre takes in where else the rooms are. An address that can't be one is left out. A node tells of those that it is linked to: not of itself, and not of
// one that is gone, so what was told of others stays behind it.
func (n *conn) nodesAre(r *wire.Nodes) {
	var nodes []Node
	for _, at := range r.Nodes {
		node := Node{ID: identity.ID(at.Node)}
		for _, host := range at.Hosts {
			if normal, err := identity.NormalAddress(host); err == nil {
				node.Hosts = append(node.Hosts, normal)
			}
		}
		if !node.ID.IsZero() && len(node.Hosts) > 0 {
			nodes = append(nodes, node)
		}
	}
	c := n.c
	c.mu.Lock()
	for _, node := range c.nodes {
		again := slices.ContainsFunc(nodes, func(other Node) bool { return other.ID == node.ID })
		if !again && len(nodes) < wire.MaxAddresses {
			nodes = append(nodes, node)
		}
	}
	c.mu.Unlock()
	c.setNodes(nodes)
}

// setNodes replaces what is known of other nodes.
func (c *Client) setNodes(nodes []Node) {
	c.filing.Lock()
	defer c.filing.Unlock()
	c.mu.Lock()
	same := slices.EqualFunc(c.nodes, nodes, func(a, b Node) bool { return a.ID == b.ID && slices.Equal(a.Hosts, b.Hosts) })
	c.nodes = nodes
	c.mu.Unlock()
	if !same {
		c.complain(c.cfg.State.told(nodes))
		c.showNodes()
	}
}

// showNodes tells whoever dials.
func (c *Client) showNodes() {
	c.mu.Lock()
	nodes := c.nodes
	c.mu.Unlock()
	if c.cfg.Nodes != nil {
		c.cfg.Nodes(nodes)
	}
}

// markLocked takes in what the rows up to one of a room are for other nodes. One that can't be true, or is of no use, is passed over: it is a help, and a
// place without it is only told in more words.
func (c *Client) markLocked(r *wire.Mark) {
	room := c.rooms.byNumber[r.Room]
	if room == nil || c.home.space == "" || r.Seq > room.place.cursor.Seq || room.place.cursor.Epoch != c.epoch || !room.trail.mark(r.Seq, r.Heads) {
		return
	}
	if c.cfg.State != nil && len(room.passed) < maxPassed {
		room.passed = append(room.passed, mark{c.epoch, r.Seq, r.Heads})
	}
}

// inSpace reports whether the node has others beside it, or may have.
func (c *Client) inSpace() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.home.space != ""
}

// passed returns the latest mark of a room that covers nothing behind c, if there is one that was not returned, and forgets those before it.
func (c *Client) passed(name string, at chat.Cursor) *mark {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rooms.shown(name)
	if r == nil {
		return nil
	}
	var last *mark
	for len(r.passed) > 0 && (r.passed[0].epoch != at.Epoch || r.passed[0].seq <= at.Seq) {
		if m := r.passed[0]; m.epoch == at.Epoch {
			last = &m
		}
		r.passed = r.passed[1:]
	}
	return last
}

// WentOn says that the client goes on at another node of the space, and that each of its rooms has been taken up there. It comes behind the LinkUp.
type WentOn struct {
	From, To string // what the nodes are called: their titles, or their ids
	Anew     int    // rooms that could not be gone on with: each has had its Reset, or is Denied
}

func (WentOn) event() {}

// shownLocked settles the sends whose rows the last node has shown, and has not acknowledged any more: offered to the next, they would be shown twice.
func (c *Client) shownLocked() {
	for _, e := range slices.Clone(c.outbox.entries) {
		if e.op == opSend && e.shown != nil {
			_, _ = c.outbox.answer(e.cseq) // it is there, and was written
			c.answeredLocked(e, e.shown, 0)
		}
	}
}

// movedLocked notes that a room which was taken up from another node's has been answered; anew says that it is not gone on with.
func (n *conn) movedLocked(r *room, anew bool) {
	if r.moving && anew {
		n.anew++
	}
	r.moving = false
}

// wentOnLocked tells of a move when all rooms are answered, those among them that a new process asks for.
func (n *conn) wentOnLocked() {
	c := n.c
	asked := func(e *entry) bool { return e.op == opJoin && e.arg != chat.DirectMark }
	if c.behind == "" || slices.ContainsFunc(c.rooms.list, func(r *room) bool { return r.moving }) || slices.ContainsFunc(c.outbox.entries, asked) {
		return
	}
	c.feed.put(WentOn{From: c.behind, To: c.home.String(), Anew: n.anew})
	c.behind = ""
}

// hasShownLocked reports whether a message of a room is among the newest that were shown.
func (c *Client) hasShownLocked(name string, id chat.ID) bool {
	r := c.rooms.find(name)
	return r != nil && r.trail.has(id)
}

// late takes from an event what it answers, when it was written if it came late, and that it is not to be shown.
func (m *Message) late(e *wire.Event) {
	if len(e.Opts.Re) == len(m.Re) {
		m.Re = chat.ID(e.Opts.Re)
	}
	if e.Opts.At != 0 {
		m.At = time.UnixMilli(e.Opts.At)
	}
	if e.Opts.Forked {
		m.Forked, m.Kind, m.Text, m.Re = true, chat.Text, chat.ForkedText, chat.ID{}
	}
}

// goesOn reports whether an Open stands in the middle of a room's events, and tells alone which of those to come were shown on another node: that was ahead of
// this one.
func (r *room) goesOn(o *wire.Open, epoch uint64) bool {
	at := chat.Cursor{Epoch: epoch, Seq: o.From - 1, Hash: o.Hash}
	return o.Status == wire.StatusMoved && r.open && r.place.known && r.place.cursor == at
}

// passLocked takes in which rows to come of a room were shown on another node.
func (c *Client) passLocked(r *room, seen [][2]uint64) error {
	if !r.trail.pass(seen) {
		return fmt.Errorf("%w: %q was seen in %d ranges of rows", wire.ErrMalformed, r.name, len(r.trail.seen))
	}
	c.feed.put(Passed{Room: r.name, Seen: slices.Clone(r.trail.seen)})
	return nil
}
