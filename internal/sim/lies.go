package sim

import (
	"bytes"
	"fmt"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// lies are all that a liar may say. Those that can be seen are told in a room of the liar's own, as of others that are private nothing is even looked at.
var lies = []*lie{
	{"a bad signature", true, func(c *conversation) {
		list := c.sign(c.log(c.den()), 3, nil)
		list[1].Sig[5] ^= 1
		c.give(c.log(c.den()), list)
	}},
	{"a bad signature behind good ones", true, func(c *conversation) {
		log := c.log(c.den())
		list := c.sign(log, 3, nil)
		list[2].Sig[5] ^= 1
		c.give(log, list)
	}},
	{"another's log", true, func(c *conversation) {
		log := wire.Log{Node: c.someNode().key.Public(), Nonce: c.rng.Uint64(), Room: c.den()}
		c.give(log, c.sign(log, 2, nil))
	}},
	{"a wrong prev", true, func(c *conversation) {
		log := c.log(c.den())
		c.give(log, c.sign(log, 3, func(e *wire.Entry, _ *wire.Signed) {
			if e.Seq == 2 {
				e.Prev = make([]byte, 32)
			}
		}))
	}},
	{"a forged lamport", true, func(c *conversation) {
		log := c.log(c.den())
		c.give(log, c.sign(log, 3, func(e *wire.Entry, _ *wire.Signed) {
			if e.Seq > 1 {
				e.Lamport += 1 << 30
			}
		}))
	}},
	{"another text", true, func(c *conversation) {
		log := c.log(c.den())
		list := c.sign(log, 2, nil)
		list[1].Body = []byte("it never said that")
		c.give(log, list)
	}},
	{"a text that drives terminals", true, func(c *conversation) {
		log := c.log(c.den())
		c.give(log, c.sign(log, 1, func(_ *wire.Entry, s *wire.Signed) { s.Body = []byte("\x1b[2J") }))
	}},
	{"too many deps", true, func(c *conversation) {
		log := c.log(c.den())
		c.give(log, c.sign(log, 1, func(e *wire.Entry, _ *wire.Signed) {
			for i := range wire.MaxDeps + 1 {
				e.Deps = append(e.Deps, wire.Dep{Log: wire.LogID{byte(i)}, Seq: 1, ID: make([]byte, 16)})
			}
		}))
	}},
	{"another's act", true, func(c *conversation) {
		log := c.log(c.den())
		c.give(log, c.sign(log, 1, func(e *wire.Entry, s *wire.Signed) {
			c.act(e, s, c.user, log.Room, "op "+c.user.ID().String())
			e.Author = idOf(c.somebody().key)
		}))
	}},
	{"an act that was signed for another room", true, func(c *conversation) {
		log := c.log(c.den())
		c.give(log, c.sign(log, 1, func(e *wire.Entry, s *wire.Signed) { c.act(e, s, c.user, "lobby", "op "+c.user.ID().String()) }))
	}},
	{"an act that was signed for another node", true, func(c *conversation) {
		log := c.log(c.den())
		c.give(log, c.sign(log, 1, func(e *wire.Entry, s *wire.Signed) {
			c.act(e, s, c.user, log.Room, "op "+c.user.ID().String())
			covers := identity.SignedAct{Node: c.someNode().key.ID(), Epoch: e.Epoch, From: e.From, CSeq: e.CSeq, Room: chat.SignedRoom(log.Room), Body: s.Body}
			e.Opts.Sig = c.user.SignAct(&covers)
		}))
	}},
	{"a fork that is none", true, func(c *conversation) {
		log := c.log(c.den())
		a := bare(c.sign(log, 1, nil)[0])
		c.say(&wire.Fork{Log: log, A: a, B: a})
	}},
	{"a fork of an honest node", true, func(c *conversation) {
		log := wire.Log{Node: c.someNode().key.Public(), Nonce: 1, Room: c.den()}
		a, b := bare(c.sign(log, 1, nil)[0]), bare(c.sign(log, 1, nil)[0])
		if x, y := wire.EntryIDOf(log.ID(), a.Entry), wire.EntryIDOf(log.ID(), b.Entry); bytes.Compare(x[:], y[:]) > 0 {
			a, b = b, a
		}
		c.say(&wire.Fork{Log: log, A: a, B: b})
	}},
	{"entries of a log that nobody was told of", true, func(c *conversation) {
		log := c.log(c.den())
		c.say(&wire.Entries{Log: log.ID(), First: 1, List: c.sign(log, 1, nil)})
	}},
	{"another's addresses", true, func(c *conversation) {
		r := &wire.SignedAddresses{Key: c.someNode().key.Public(), Hosts: []string{c.host.address}, Expires: time.Now().Add(time.Hour).UnixMilli()}
		r.Sig = c.key.Sign(wire.AddressesDomain, r.Text())
		c.say(&wire.Addresses{List: [][]byte{r.Encode()}})
	}},
	{"a second handshake", true, func(c *conversation) {
		c.say(&wire.Peer{Version: wire.Version, Space: c.w.space[:], Key: c.key.Public()})
	}},
	{"no record", true, func(c *conversation) { c.raw([]byte{0, 0, 0, 2, 0xff, 0xff}) }},
	{"a record without an end", true, func(c *conversation) { c.raw([]byte{0xff, 0, 0, 0, 1}) }},

	{"a gap", false, func(c *conversation) {
		log := c.log(c.den())
		list := c.sign(log, 4, nil)
		c.say(&wire.Heads{Room: log.Room, Heads: []wire.Head{headOf(log, list)}}, &wire.Entries{Log: log.ID(), First: 1, List: list[:1]})
		c.say(&wire.Entries{Log: log.ID(), First: 4, List: list[3:]})
	}},
	{"two histories to one node", false, func(c *conversation) {
		log := c.log(c.den())
		c.same = c.rng.IntN(2)
		c.give(log, c.sign(log, 3, nil))
		c.give(log, c.sign(log, 2, nil))
	}},
	{"rights that it does not have", false, func(c *conversation) {
		log := c.log("lobby")
		acts := []string{"op %v", "readonly", "slow 1h", "welcome all is mine"}
		c.give(log, c.sign(log, len(acts), func(e *wire.Entry, s *wire.Signed) {
			text := acts[e.Seq-1]
			if e.Seq == 1 {
				text, e.Opts.Owner, e.Opts.Made = fmt.Sprintf(text, c.user.ID()), idOf(c.user), 1
			}
			e.Opts.Admin = true
			c.act(e, s, c.user, log.Room, text)
		}))
	}},
	{"a ban of everybody", false, func(c *conversation) {
		log := c.log("annex")
		c.give(log, c.sign(log, 3, func(e *wire.Entry, s *wire.Signed) {
			e.Opts.Admin = true
			c.act(e, s, c.user, log.Room, "ban "+c.w.people[int(e.Seq)%len(c.w.people)].key.ID().String()+" 0s")
		}))
	}},
	{"into conversations of others", false, func(c *conversation) {
		a, b := c.w.people[0].key.ID(), c.w.people[len(c.w.people)-1].key.ID()
		if bytes.Compare(a[:], b[:]) > 0 {
			a, b = b, a
		}
		for _, room := range []string{chat.DirectMark + a.String() + " " + b.String(), chat.Reports} {
			log := c.log(room)
			c.give(log, c.sign(log, 2, func(e *wire.Entry, _ *wire.Signed) { e.Author = a[:] }))
		}
	}},
	{"heads that are too high", false, func(c *conversation) {
		for _, h := range c.heads {
			h.Seq, h.ID = h.Seq+1+c.rng.Uint64N(1<<20), make([]byte, 16)
			c.say(&wire.Heads{Room: h.Log.Room, Heads: []wire.Head{h}}, &wire.Have{Logs: []wire.Grown{{Log: h.Log.ID(), Seq: h.Seq + 9}}})
		}
	}},
	{"heads that are others", false, func(c *conversation) {
		for _, h := range c.heads {
			h.ID = make([]byte, 16)
			c.say(&wire.Heads{Room: h.Log.Room, Heads: []wire.Head{h}})
		}
	}},
	{"logs without number", false, func(c *conversation) {
		for range 8 {
			var heads []wire.Head
			for range wire.MaxHeads {
				heads = append(heads, wire.Head{Log: c.log("hall"), Low: 1, Seq: 1 << 30, ID: make([]byte, 16)})
			}
			c.say(&wire.Heads{Room: "hall", Heads: heads})
		}
	}},
	{"rooms without number", false, func(c *conversation) {
		for i := range 8 {
			r := &wire.Digests{Last: true}
			for j := range wire.MaxHeads {
				r.Rooms = append(r.Rooms, wire.RoomDigest{Room: fmt.Sprint("none", i*wire.MaxHeads+j), Digest: [8]byte{1}})
			}
			c.say(r)
		}
	}},
	{"what waits for nothing", false, func(c *conversation) {
		for i := range 5 {
			log := c.log(c.den())
			list := c.sign(log, 256, func(e *wire.Entry, _ *wire.Signed) {
				if e.Lamport++; e.Seq == 1 {
					e.Deps = []wire.Dep{{Log: wire.LogID{byte(i), 1}, Seq: 1, ID: make([]byte, 16)}}
				}
			})
			c.give(log, list)
		}
	}},
	{"wants without end", false, func(c *conversation) {
		for range 200 {
			for _, h := range c.heads[:min(5, len(c.heads))] {
				c.say(&wire.Want{Log: h.Log.ID(), From: 1, To: wire.MaxEntries, Eager: true}, &wire.Want{Log: wire.LogID{byte(h.Seq)}, From: 1, To: 1 << 8})
			}
		}
		<-time.After(hearsOut / 2) // and does not read the answers
	}},
	{"what it was told again", false, func(c *conversation) {
		for _, h := range c.heads[:min(5, len(c.heads))] {
			if list := c.fetch(h); len(list) > 0 {
				c.say(&wire.Heads{Room: h.Log.Room, Heads: []wire.Head{h}})
				c.send(h.Log.ID(), h.Low, list)
				c.send(h.Log.ID(), h.Low, list)
			}
		}
	}},
	{"a log that is others' in another room", true, func(c *conversation) {
		for _, h := range c.heads {
			if list := c.fetch(h); len(list) > 0 && h.Low == 1 {
				log := h.Log
				log.Room = c.den()
				c.give(log, list[:1])
				return
			}
		}
		c.raw([]byte{0xff, 0xff, 0xff, 0xff}) // there is nothing yet
	}},
}

// tellTwo has one log go on otherwise for each of two nodes behind so many entries, which only find out when they meet.
func (w *world) tellTwo(a, b *node, same int) {
	l := w.newLiar()
	log := wire.Log{Node: l.key.Public(), Nonce: uint64(l.n), Room: fmt.Sprint(denOf, l.n)}
	for i, n := range [...]*node{a, b} {
		l.liesTo(n, &lie{"two histories to two nodes", false, func(c *conversation) {
			c.same = same
			c.give(log, c.sign(log, 3+i, nil))
		}})
	}
}

// fetch returns what the node gives of a log.
func (c *conversation) fetch(h wire.Head) []wire.Signed {
	if h.Low > h.Seq {
		return nil
	}
	id := h.Log.ID()
	c.say(&wire.Want{Log: id, From: h.Low, To: min(h.Seq, h.Low+wire.MaxEntries-1)})
	for len(c.seen[id]) == 0 {
		r := c.hear()
		if t, ok := r.(*wire.Trimmed); r == nil || ok && t.Log == id {
			return nil
		}
	}
	return c.seen[id]
}

func bare(s wire.Signed) wire.Signed { s.Salt, s.Body = nil, nil; return s }

func (c *conversation) someNode() *node { return c.w.nodes[c.rng.IntN(len(c.w.nodes))] }

func (c *conversation) somebody() *person { return c.w.people[c.rng.IntN(len(c.w.people))] }
