package sim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"chatnode/internal/chat"
	"chatnode/internal/hub"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// message is something that a person has offered, and what became of it.
type message struct {
	room string
	kind chat.Kind
	text string
	re   chat.ID
	row  uint64 // of the act redact
	cseq uint64
	as   *wire.As // under which it was first offered to another node
}

// kept is a message that a node has acknowledged.
type kept struct {
	message
	node *node
	seq  uint64
	id   chat.ID
}

// view is what a person has seen of a room on a node.
type view struct {
	num   uint64
	epoch uint64
	next  uint64
	hash  chat.Hash
	rows  []*wire.Event
}

// person is a client: it keeps what is not answered, offers it again, and looks whether what it is shown has an order.
type person struct {
	// Static after construction.
	w   *world
	key *identity.Key

	// Owned by the test's goroutine.
	name    string
	node    *node
	rooms   []string
	origins int // that it has had
	session *hub.Session
	gone    chan struct{} // closed at its end
	pump    sync.WaitGroup

	// mu promises that the fields agree: the pump changes them.
	mu      sync.Mutex
	origin  store.OriginToken
	from    uint64
	cseq    uint64
	outbox  []*message // in the order of their cseq
	kept    []*kept
	refused map[chat.Code]int
	views   map[string]*view
	byNum   map[uint64]*view
	again   bool // offer the outbox again from its beginning
	wake    chan struct{}
	excused bool // its node has put an old store back
}

// newPerson returns a person of a node, who comes when the node is up.
func (w *world) newPerson(n *node, name string, rooms ...string) *person {
	p := &person{
		w: w, key: keyOf("person " + name), name: name, node: n, rooms: rooms, refused: map[chat.Code]int{}, views: map[string]*view{}, wake: make(chan struct{}, 1),
	}
	p.renew()
	n.people = append(n.people, p)
	w.people = append(w.people, p)
	if n.life != nil {
		p.attach()
	}
	return p
}

// renew takes a new origin. What is not answered is numbered from 1.
func (p *person) renew() {
	old := p.origin
	p.origins++
	copy(p.origin[:], fmt.Sprintf("%02d%s", p.origins, p.name))
	p.cseq = 0
	for _, m := range p.outbox {
		if m.as == nil {
			name := wire.OriginName(old)
			m.as = &wire.As{Origin: name[:], CSeq: m.cseq}
		}
		p.cseq++
		m.cseq = p.cseq
	}
}

// attach connects a person with their node, and offers what was not answered.
func (p *person) attach() {
	p.w.t.Helper()
	p.mu.Lock()
	first := p.cseq + 1
	if len(p.outbox) > 0 {
		first = p.outbox[0].cseq
	}
	guest := hub.Guest{Key: p.key.ID(), Origin: p.origin, Name: p.name, FirstUnacked: first, Admin: p.w.isAdmin(p.key.ID()), Secure: true, Wake: p.poke}
	p.mu.Unlock()
	session, welcome, err := p.node.life.hub.Attach(guest)
	if err != nil {
		p.w.t.Fatalf("%s is not let in: %v", p.name, err)
	}
	p.mu.Lock()
	p.from, p.byNum = welcome.From, map[uint64]*view{}
	if welcome.LastCSeq+1 < first {
		if !p.excused {
			p.w.fail("%s: node %d remembers cseq %d, and had answered %d", p.name, p.node.n, welcome.LastCSeq, first-1)
		}
		p.renew()
		p.mu.Unlock()
		_ = session.Detach(true)
		p.attach()
		return
	}
	for i := range welcome.Outcomes {
		o := &welcome.Outcomes[i]
		p.answerLocked(o.CSeq, o.Code, o.Seq, o.ID)
	}
	p.again = len(p.outbox) > 0
	var joins []wire.Record
	for _, r := range p.rooms {
		j := &wire.Join{Room: r, Tail: 50}
		if v := p.views[r]; v != nil && v.epoch == p.node.life.hub.Epoch() {
			j.Cursor = &wire.Cursor{Epoch: v.epoch, Seq: v.next - 1, Hash: v.hash}
		}
		joins = append(joins, j)
	}
	p.mu.Unlock()
	p.session, p.gone = session, make(chan struct{})
	p.pump.Add(1)
	go p.take(session, p.node, p.gone)
	p.submit(joins...)
	p.offer()
}

func (p *person) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// detach ends the session, and waits until nothing more of it is read.
func (p *person) detach() {
	if p.session == nil {
		return
	}
	close(p.gone)
	p.pump.Wait()
	_ = p.session.Detach(false) // of a node that crashes, nobody listens
	p.session = nil
}

// moveTo goes on at another node, with what is not answered.
func (p *person) moveTo(n *node) {
	p.detach()
	p.node.people = slices.DeleteFunc(p.node.people, func(x *person) bool { return x == p })
	p.mu.Lock()
	p.renew()
	p.views = map[string]*view{}
	p.mu.Unlock()
	p.node = n
	n.people = append(n.people, p)
	if n.life != nil {
		p.attach()
	}
}

// submit has the node hear records.
func (p *person) submit(records ...wire.Record) {
	if p.session != nil {
		_ = p.session.Submit(p.gone, records...) // a node that has crashed hears nothing
	}
}

// say offers a message, at once if the node is up.
func (p *person) say(m *message) {
	p.mu.Lock()
	p.cseq++
	m.cseq = p.cseq
	p.outbox = append(p.outbox, m)
	room := len(p.outbox) <= chat.MaxInFlight
	p.mu.Unlock()
	if p.session != nil && room {
		p.submit(p.pub(m))
	}
}

// offer offers all that is not answered.
func (p *person) offer() {
	p.mu.Lock()
	var records []wire.Record
	for i, m := range p.outbox {
		if i < chat.MaxInFlight {
			records = append(records, p.pub(m))
		}
	}
	p.again = false
	p.mu.Unlock()
	if len(records) > 0 {
		p.submit(records...)
	}
}

// pub returns the record of a message. An act is signed for the node, the store and the origin that it goes to.
func (p *person) pub(m *message) *wire.Pub {
	r := &wire.Pub{CSeq: m.cseq, Room: m.room, Kind: m.kind, Body: []byte(m.text), Opts: wire.Opts{As: m.as, Row: m.row}}
	if !m.re.IsZero() {
		r.Opts.Re = m.re[:]
	}
	if m.kind == chat.Act {
		r.Opts.As = nil
		r.Opts.Sig = p.key.SignAct(&identity.SignedAct{
			Node: p.node.key.ID(), Epoch: p.node.life.hub.Epoch(), From: p.from, CSeq: m.cseq, Room: chat.SignedRoom(m.room), Body: []byte(m.text),
		})
	}
	return r
}

// pending returns how much is not answered, and offers it again where that was asked for.
func (p *person) pending() int {
	p.mu.Lock()
	n, again := len(p.outbox), p.again
	p.mu.Unlock()
	if again && p.session != nil {
		p.offer()
	}
	return n
}

// take reads what the node has for a person until the session ends.
func (p *person) take(s *hub.Session, n *node, gone <-chan struct{}) {
	defer p.pump.Done()
	for {
		for {
			records, need, err := s.TakeChat(nil, 64<<10, 1<<20)
			if err != nil || len(records) == 0 && need == 0 {
				break
			}
			p.read(n, records)
		}
		s.TakeControl(1 << 20)
		select {
		case <-p.wake:
		case <-gone:
			return
		}
	}
}

func (p *person) read(n *node, records []byte) {
	reader := wire.NewReader(bytes.NewReader(records))
	for {
		item, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			p.w.fail("%s: node %d: %v", p.name, n.n, err)
			return
		}
		record, err := wire.Decode(item)
		if err != nil {
			p.w.fail("%s: node %d: %v", p.name, n.n, err)
			return
		}
		p.mu.Lock()
		p.readLocked(n, record)
		p.mu.Unlock()
	}
}

func (p *person) readLocked(n *node, record wire.Record) {
	switch r := record.(type) {
	case *wire.Ack:
		p.answerLocked(r.CSeq, chat.OK, r.Seq, r.ID)
	case *wire.Refused:
		p.answerLocked(r.CSeq, r.Code, 0, chat.ID{})
	case *wire.Nack:
		p.again = true
	case *wire.Open:
		p.openLocked(n, r)
	case *wire.Event:
		p.eventLocked(n, r)
	}
}

// answerLocked takes what is answered out of the outbox.
func (p *person) answerLocked(cseq uint64, code chat.Code, seq uint64, id chat.ID) {
	i := slices.IndexFunc(p.outbox, func(m *message) bool { return m.cseq == cseq })
	if i < 0 {
		return
	}
	m := p.outbox[i]
	p.outbox = slices.Delete(p.outbox, i, i+1)
	if code != chat.OK {
		p.refused[code]++
		return
	}
	p.kept = append(p.kept, &kept{*m, p.node, seq, id})
}

// openLocked notes where a room goes on. A room that was seen before goes on from where that was, however often its node has crashed.
func (p *person) openLocked(n *node, r *wire.Open) {
	v := p.views[r.Name]
	if r.Status == wire.StatusDenied {
		return
	}
	if v == nil || v.epoch != n.life.hub.Epoch() {
		v = &view{epoch: n.life.hub.Epoch(), next: r.From}
		p.views[r.Name] = v
	} else if private := r.Status == wire.StatusGap; r.Status != wire.StatusOK && !private && !p.excused {
		p.w.fail("%s: node %d opens %s with status %d, why %d", p.name, n.n, r.Name, r.Status, r.Why)
	} else if r.Status == wire.StatusOK && (r.From != v.next || r.Hash != v.hash) {
		p.w.fail("%s: node %d opens %s at %d, want %d", p.name, n.n, r.Name, r.From, v.next)
	}
	v.num, v.next, v.hash = r.Room, r.From, r.Hash
	p.byNum[r.Room] = v
}

// eventLocked takes a row, which must be the next.
func (p *person) eventLocked(n *node, e *wire.Event) {
	v := p.byNum[e.Room]
	if v == nil || e.Seq != v.next {
		p.w.fail("%s: node %d sends row %d of room %d out of order", p.name, n.n, e.Seq, e.Room)
		return
	}
	v.next++
	v.hash = v.hash.Next(e.ID)
	v.rows = append(v.rows, e)
}
