package sim

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/pipe"
	"chatnode/internal/wire"
)

const (
	// hearsOut is how long a liar listens to what comes of its lie: longer than an honest node is waited for that was asked for something.
	hearsOut = 20 * time.Second
	// denOf begins the names of rooms in which liars alone write.
	denOf = "den"
	// maxAsked is more than a node has to ask one liar for in one conversation.
	maxAsked = 300
)

// liar is a node that keeps to no rule: a key, and links on which it says what it likes. It has neither hub nor mesh, and nobody admits it.
type liar struct {
	// Static after construction.
	w    *world
	n    int
	key  *identity.Key // of the node
	user *identity.Key // in whose name it writes
	host *host
}

// lie is something that no honest node says.
type lie struct {
	name string
	seen bool // whoever hears it can tell: the link ends, and what was wrong is noted
	tell func(c *conversation)
}

// conversation is one link of a liar to a node.
type conversation struct {
	*liar

	// Owned by its goroutine.
	lie    *lie
	to     *node
	rng    *rand.Rand
	end    *pipe.End
	reader *wire.Reader
	heads  []wire.Head                  // that the node has told of the lobby
	has    map[wire.LogID][]wire.Signed // what the liar gives to whom asks for it, each from its first entry on
	seen   map[wire.LogID][]wire.Signed // what the node has sent
	bye    chat.Code                    // with which the node has ended it; OK: it has not
	same   int                          // so many of the first entries of a log are the same whenever they are signed
	asked  int                          // how often the node has asked for something
	told   bool                         // the lie was told
}

func (w *world) newLiar() *liar {
	n := len(w.liars)
	l := &liar{w: w, n: n, key: keyOf(fmt.Sprint("liar ", n)), user: keyOf(fmt.Sprint("liar's user ", n))}
	l.host = &host{address: fmt.Sprintf("10.9.%d.%d:8080", n/250, 1+n%250), id: l.key.ID()}
	w.liars = append(w.liars, l)
	return l
}

// liesTo has a liar link with a node that is up, and tell it a lie. What comes of it is complete when w.lying is done.
func (l *liar) liesTo(n *node, what *lie) *conversation {
	c := &conversation{
		liar: l, lie: what, to: n, rng: rand.New(rand.NewPCG(l.w.rng.Uint64(), 0)), has: map[wire.LogID][]wire.Signed{}, seen: map[wire.LogID][]wire.Signed{},
	}
	l.w.lying.Go(func() {
		ctx, stop := context.WithTimeout(context.Background(), hearsOut)
		defer stop()
		var err error
		if c.end, err = l.w.net.dial(ctx, l.host, n.address); err != nil {
			return
		}
		defer c.end.Close()
		defer time.AfterFunc(hearsOut, func() { c.end.Close() }).Stop()
		c.reader = wire.NewReader(c.end)
		c.run()
	})
	return c
}

// run shakes hands, hears what there is of the lobby, lies, and listens until the link ends.
func (c *conversation) run() {
	c.say(&wire.Peer{Version: wire.Version, Space: c.w.space[:], Key: c.key.Public(), Nonce: 7, Title: "an honest node", Kept: true})
	c.say(&wire.Digests{Last: true}, &wire.Heads{Room: "lobby", Ask: true})
	for !c.told {
		r := c.hear()
		if r == nil {
			return
		}
		if h, ok := r.(*wire.Heads); ok && h.Room == "lobby" {
			c.heads = append(c.heads, h.Heads...)
			if len(h.Heads) < wire.MaxHeads {
				c.told = true
				c.lie.tell(c)
			}
		}
	}
	for c.hear() != nil {
	}
}

// hear returns the next record, or nil when the link has ended, and gives what it is asked for, if it has that.
func (c *conversation) hear() wire.Record {
	item, err := c.reader.Next()
	if err != nil {
		return nil
	}
	record, err := wire.Decode(item)
	if err != nil {
		c.w.fail("node says %x to a liar: %v", item, err)
		return nil
	}
	switch r := record.(type) {
	case *wire.Bye:
		c.bye = r.Code
		return nil
	case *wire.Want:
		if c.asked++; c.asked == maxAsked {
			c.w.fail("P9: a node asks a liar, who says %s, for ever: for %d to %d of %v", c.lie.name, r.From, r.To, r.Log)
			return nil
		}
		if list := c.has[r.Log]; r.To > 0 && r.From <= uint64(len(list)) {
			c.send(r.Log, r.From, list[r.From-1:min(r.To, uint64(len(list)))])
		}
	case *wire.Entries:
		c.seen[r.Log] = append(c.seen[r.Log], r.List...)
	}
	return record
}

func (c *conversation) say(list ...wire.Record) {
	for _, r := range list {
		c.raw(wire.Must(nil, r))
	}
}

// raw writes as the window lets it, or nothing more when the link has ended.
func (c *conversation) raw(b []byte) {
	for len(b) > 0 {
		n, err := c.end.Write(b[:min(len(b), c.end.Window())])
		if err != nil {
			return
		}
		if b = b[n:]; n == 0 {
			<-time.After(10 * time.Millisecond)
		}
	}
}

// log returns a log of the liar's own that it has not told of yet.
func (c *conversation) log(room string) wire.Log {
	return wire.Log{Node: c.key.Public(), Nonce: c.rng.Uint64(), Room: room}
}

func (c *conversation) den() string { return fmt.Sprint(denOf, c.n) }

// sign returns the first n entries of a log, each as change has changed it, signed by the liar.
func (c *conversation) sign(log wire.Log, n int, change func(*wire.Entry, *wire.Signed)) (list []wire.Signed) {
	id := log.ID()
	var prev, origin [32]byte
	for i := range n {
		text := fmt.Appendf(nil, "lie %d.%d", c.n, i)
		if i >= c.same {
			text = fmt.Appendf(text, " %x", c.rng.Uint64())
		}
		binary.BigEndian.PutUint64(origin[:], log.Nonce)
		e := &wire.Entry{
			Seq: uint64(i + 1), Lamport: uint64(i + 1), Epoch: uint64(100 + c.n), Num: 1, Row: uint64(i + 1), From: 1, CSeq: uint64(i + 1), Time: c.w.began.UnixMilli(), Name: "mallory",
			Kind: chat.Text, Author: idOf(c.user), Origin: origin[:16],
		}
		if i > 0 {
			e.Prev = bytes.Clone(prev[:])
		}
		s := wire.Signed{Salt: bytes.Repeat([]byte{byte(i)}, 16), Body: text}
		if change != nil {
			change(e, &s)
		}
		if e.Sum == nil {
			sum := chat.BodySum((*[16]byte)(s.Salt), s.Body)
			e.Sum = sum[:]
		}
		s.Entry = e.Encode()
		prev = wire.EntryIDOf(id, s.Entry)
		s.Sig = c.key.Sign(wire.EntryDomain, prev[:])
		list = append(list, s)
	}
	return list
}

// give tells of a log, and sends its entries.
func (c *conversation) give(log wire.Log, list []wire.Signed) {
	c.has[log.ID()] = list
	c.say(&wire.Heads{Room: log.Room, Heads: []wire.Head{headOf(log, list)}})
	c.send(log.ID(), 1, list)
}

// send sends entries of a log, the first of which has seq first, in as many records as they need.
func (c *conversation) send(log wire.LogID, first uint64, list []wire.Signed) {
	for len(list) > 0 {
		n, size := 0, 0
		for n < len(list) && (n == 0 || size < 32<<10) {
			size += len(list[n].Entry) + len(list[n].Body) + 128
			n++
		}
		c.say(&wire.Entries{Log: log, First: first, List: list[:n]})
		first, list = first+uint64(n), list[n:]
	}
}

// headOf returns the head of a log of which these are the entries.
func headOf(log wire.Log, list []wire.Signed) wire.Head {
	id := wire.EntryIDOf(log.ID(), list[len(list)-1].Entry)
	return wire.Head{Log: log, Low: 1, Seq: uint64(len(list)), ID: id[:16]}
}

func idOf(k *identity.Key) []byte { id := k.ID(); return id[:] }

// act makes an entry an act of a user.
func (c *conversation) act(e *wire.Entry, s *wire.Signed, by *identity.Key, room, text string) {
	s.Body, e.Kind, e.Author = []byte(text), chat.Act, idOf(by)
	e.Opts.Sig = by.SignAct(&identity.SignedAct{Node: c.key.ID(), Epoch: e.Epoch, From: e.From, CSeq: e.CSeq, Room: chat.SignedRoom(room), Body: s.Body})
}

// checkSeen looks whether a lie that can be seen has ended the link and was noted, and whether one that can't has not (P8).
func (w *world) checkSeen(c *conversation) {
	noted := ""
	for _, p := range c.to.life.hub.SavedPeers() {
		if p.Node == c.key.ID() {
			noted = p.Fault
		}
	}
	if !c.told || c.lie.seen && (c.bye != chat.Malformed || noted == "") {
		w.fail("P8: node %d is told %s: told %v, it ends the link with %v and notes %q", c.to.n, c.lie.name, c.told, c.bye, noted)
	}
}

// checkUnmoved looks whether no liar has changed anything but what is thought of it, of a node that rests (P8).
func (w *world) checkUnmoved(n *node, s *shelf) {
	liars := map[identity.ID]bool{}
	for _, l := range w.liars {
		liars[l.key.ID()], liars[l.user.ID()] = true, true
	}
	for i := range s.state.Standings {
		if st := &s.state.Standings[i]; (liars[st.By] || liars[st.Key]) && !strings.HasPrefix(s.names[st.Room], denOf) {
			w.fail("P8: node %d: in %s, %v is %d by the word of %v", n.n, s.names[st.Room], st.Key, st.Stance, st.By)
		}
	}
	for i := range s.state.Rooms {
		if r := &s.state.Rooms[i]; liars[r.Owner] && !strings.HasPrefix(r.Name, denOf) {
			w.fail("P8: node %d: %s is a liar's", n.n, r.LogName())
		}
	}
	for i := range s.state.Logs {
		l := &s.state.Logs[i]
		if room := s.names[l.Room]; liars[identity.IDOf(l.Key[:])] && (strings.HasPrefix(room, chat.DirectMark) || room == chat.Reports) {
			w.fail("P8: node %d has taken from a liar what is not everybody's, in %s", n.n, room)
		}
	}
	if nonce := n.life.hub.Sharing().Nonce; nonce != n.nonce && !n.lost {
		w.fail("P8: node %d has begun new logs, and its store was never put back", n.n)
	}
	for _, p := range n.life.hub.SavedPeers() {
		i := slices.IndexFunc(w.nodes, func(o *node) bool { return o.key.ID() == p.Node })
		if i >= 0 && p.Fault != "" && !w.nodes[i].raw {
			w.fail("P8: node %d holds the honest node %d for a liar: %s", n.n, i, p.Fault)
		}
	}
}
