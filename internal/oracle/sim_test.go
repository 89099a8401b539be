package oracle

import (
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"slices"

	"chatnode/internal/chat"
)

// sim is an honest node and its clients, which tell a history: links that break with answers and rows under way, retention, older copies
// put back, restored stores of another epoch.
type sim struct {
	rng     *rand.Rand
	history History
	node    *simNode
	copies  []*simNode
	clients []*simClient
	texts   int
}

// simPlan is what may happen in a sim.
type simPlan struct {
	steps                     int
	trims, rollbacks, renewal bool
}

// simNode is the store of a node.
type simNode struct {
	epoch    uint64
	rooms    []simRoom
	outcomes []map[uint64]simOutcome // by client, then by n
}

type simRoom struct {
	rows []Row    // from 1, whatever is trimmed
	hash []uint64 // behind each of rows
	low  uint64
}

type simOutcome struct {
	seq  uint64
	id   chat.ID
	code chat.Code
}

// simMessage is a message in an outbox.
type simMessage struct {
	n    uint64
	room int
	text string
}

type simClient struct {
	sim     *sim
	story   *Client
	index   int
	online  bool
	gone    bool
	epoch   uint64
	outbox  []simMessage
	sent    uint64 // the last n
	told    uint64 // the last n that was answered
	cursors []simCursor
}

type simCursor struct {
	known bool
	seq   uint64
	hash  uint64
}

var simSeed = maphash.MakeSeed()

func simRoomName(room int) string { return fmt.Sprint("room", room) }

// newSim returns a sim of a few clients and rooms.
func newSim(seed uint64) *sim {
	s := &sim{rng: rand.New(rand.NewPCG(seed, 1))}
	rooms := 1 + s.rng.IntN(3)
	s.node = &simNode{epoch: s.rng.Uint64(), rooms: make([]simRoom, rooms)}
	for i := range 2 + s.rng.IntN(4) {
		c := &simClient{sim: s, story: s.history.Client(fmt.Sprint("client", i)), index: i, cursors: make([]simCursor, rooms)}
		s.clients = append(s.clients, c)
		s.node.outcomes = append(s.node.outcomes, map[uint64]simOutcome{})
	}
	return s
}

// run lets the sim live, and come to rest in the end, and returns its log.
func (s *sim) run(plan simPlan) Log {
	for range plan.steps {
		c := s.clients[s.rng.IntN(len(s.clients))]
		switch roll := s.rng.IntN(1000); {
		case c.gone:
		case !c.online:
			if s.rng.IntN(3) == 0 {
				c.connect()
			}
		case roll < 250:
			c.say()
		case roll < 450:
			c.publish(s.rng.IntN(10) > 0)
		case roll < 900:
			c.read(s.rng.IntN(len(c.cursors)), 1+s.rng.IntN(6))
		case roll < 930:
			c.online = false
		case roll < 945:
			c.join(s.rng.IntN(len(c.cursors)))
		case roll < 965:
			s.copies = append(s.copies, s.node.clone())
		case roll < 975 && plan.trims:
			s.trim()
		case roll < 980 && plan.rollbacks && len(s.copies) > 0:
			s.rollBack()
		case roll < 983 && plan.renewal && len(s.copies) > 0:
			s.renew()
		case roll < 984 && c.index > 1:
			c.online, c.gone = false, true
			c.story.Left()
		}
	}
	s.rest()
	return s.log()
}

func (s *sim) rest() {
	for _, c := range s.clients {
		if c.gone {
			continue
		}
		if !c.online {
			c.connect()
		}
		for len(c.outbox) > 0 {
			c.publish(true)
		}
	}
	for _, c := range s.clients {
		for room := range s.node.rooms {
			if !c.gone {
				c.read(room, 1<<30)
				c.story.Settled(simRoomName(room))
			}
		}
	}
	s.history.Measured("goroutines", 9, 10)
}

func (s *sim) log() Log {
	log := Log{Epoch: s.node.epoch, Rooms: map[string][]Row{}, Low: map[string]uint64{}}
	for room, r := range s.node.rooms {
		log.Rooms[simRoomName(room)] = slices.Clone(r.rows[r.low:])
		log.Low[simRoomName(room)] = r.low + 1
	}
	return log
}

func (s *sim) trim() {
	r := &s.node.rooms[s.rng.IntN(len(s.node.rooms))]
	if kept := uint64(len(r.rows)) - r.low; kept > 0 {
		r.low += 1 + s.rng.Uint64N(min(kept, 10))
	}
}

// rollBack puts an older copy back. What was on its way to clients still comes.
func (s *sim) rollBack() {
	older := s.copies[s.rng.IntN(len(s.copies))]
	if older.epoch != s.node.epoch {
		return
	}
	if s.rng.IntN(4) == 0 {
		s.history.RolledBack()
	} else {
		heads := map[string]uint64{}
		for room, r := range older.rooms {
			heads[simRoomName(room)] = uint64(len(r.rows))
		}
		s.history.RolledBackTo(heads)
	}
	s.replace(older)
}

// renew restores an older copy as a store of another epoch.
func (s *sim) renew() {
	older := s.copies[s.rng.IntN(len(s.copies))].clone()
	older.epoch = s.rng.Uint64()
	s.replace(older)
}

func (s *sim) replace(older *simNode) {
	for _, c := range s.clients {
		if c.online && s.rng.IntN(2) == 0 {
			c.read(s.rng.IntN(len(c.cursors)), 1+s.rng.IntN(6))
		}
		c.online = false
	}
	s.node = older.clone()
}

func (n *simNode) clone() *simNode {
	c := &simNode{epoch: n.epoch}
	for _, r := range n.rooms {
		c.rooms = append(c.rooms, simRoom{slices.Clone(r.rows), slices.Clone(r.hash), r.low})
	}
	for _, o := range n.outcomes {
		c.outcomes = append(c.outcomes, maps.Clone(o))
	}
	return c
}

func (r *simRoom) hashAt(seq uint64) uint64 {
	if seq == 0 {
		return 0
	}
	return r.hash[seq-1]
}

// say puts a message into the outbox.
func (c *simClient) say() {
	c.sim.texts++
	c.sent++
	m := simMessage{c.sent, c.sim.rng.IntN(len(c.cursors)), fmt.Sprint("text ", c.sim.texts)}
	c.story.Invoke(m.n, simRoomName(m.room), m.text)
	c.outbox = append(c.outbox, m)
}

// publish lets the node take the first message of the outbox; the link may break before the answer has come.
func (c *simClient) publish(answered bool) {
	if len(c.outbox) == 0 {
		return
	}
	s, m := c.sim, c.outbox[0]
	o, again := s.node.outcomes[c.index][m.n]
	if !again && s.rng.IntN(12) == 0 {
		o.code = chat.TooLong
	} else if !again {
		r := &s.node.rooms[m.room]
		o.seq = uint64(len(r.rows)) + 1
		for i := range o.id {
			o.id[i] = byte(s.rng.Uint32())
		}
		r.rows = append(r.rows, Row{Seq: o.seq, Text: m.text, ID: o.id})
		r.hash = append(r.hash, maphash.Comparable(simSeed, [2]any{r.hashAt(o.seq - 1), m.text}))
	}
	s.node.outcomes[c.index][m.n] = o
	if answered {
		c.answer(o, again)
	} else {
		c.online = false
	}
}

// answer tells what became of the first message of the outbox.
func (c *simClient) answer(o simOutcome, again bool) {
	m := c.outbox[0]
	c.outbox, c.told = c.outbox[1:], m.n
	switch {
	case o.code != chat.OK:
		c.story.Refused(m.n, o.code)
	case again && c.sim.rng.IntN(4) == 0:
		c.story.Acked(m.n, 0, chat.ID{}) // the node has forgotten which row it is
	default:
		c.story.Acked(m.n, o.seq, o.id)
	}
}

// connect begins anew where the client was, as far as that is a place of the node's log.
func (c *simClient) connect() {
	s := c.sim
	c.online = true
	_, kept := s.node.outcomes[c.index][c.told]
	changed := c.epoch != s.node.epoch
	if c.epoch = s.node.epoch; changed {
		c.story.Epoch(c.epoch)
	}
	if changed || c.told > 0 && !kept {
		c.story.Reset("")
		clear(c.cursors)
		c.told = 0
	}
	for room := range c.cursors {
		c.resume(room)
	}
}

func (c *simClient) resume(room int) {
	cur, r := &c.cursors[room], &c.sim.node.rooms[room]
	head := uint64(len(r.rows))
	switch {
	case !cur.known:
	case cur.seq > head || r.hashAt(cur.seq) != cur.hash:
		c.story.Reset(simRoomName(room))
	case cur.seq < r.low:
		c.story.Gap(simRoomName(room))
		cur.seq = r.low
		return
	default:
		return
	}
	*cur = simCursor{known: true, seq: max(r.low, head-min(head, 8))}
}

// join gives up the client's place and reads the last rows of a room.
func (c *simClient) join(room int) {
	c.read(room, 1<<30)
	c.story.Joined(simRoomName(room))
	r := &c.sim.node.rooms[room]
	head := uint64(len(r.rows))
	c.cursors[room].seq = max(r.low, head-min(head, c.sim.rng.Uint64N(6)))
	c.read(room, 1<<30)
}

// read shows the next rows of a room.
func (c *simClient) read(room, count int) {
	cur, r := &c.cursors[room], &c.sim.node.rooms[room]
	for ; count > 0 && cur.seq < uint64(len(r.rows)); count-- {
		if cur.seq < r.low {
			c.story.Gap(simRoomName(room))
			cur.seq = r.low
			continue
		}
		c.story.Shown(simRoomName(room), r.rows[cur.seq])
		cur.seq++
	}
	cur.hash = r.hashAt(cur.seq)
}
