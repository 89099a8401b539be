package mesh

import (
	"bytes"
	"slices"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

const (
	// peopleEvery is the time after which who is here is told again though nobody has come or gone; peopleLife how long it is believed.
	peopleEvery = 30 * time.Second
	peopleLife  = 90 * time.Second
	// peopleGap is the time between two things said of one node that are taken in and passed on: of what comes sooner the last waits.
	peopleGap = time.Second
	// maxNodes bounds the nodes of whose people is known, maxPeople these.
	maxNodes  = 256
	maxPeople = 8192
	// peopleSize bounds what is told of one node, in bytes.
	peopleSize = 48 << 10
)

// people is who is on which node. Guarded by Mesh.mu.
type people struct {
	nodes   map[identity.ID]*crowd
	own     [2]crowd // as guests and as admitted nodes are told
	changed bool     // since the hub was last told
}

// crowd is the people of one node.
type crowd struct {
	said    wire.NodePeople
	encoded []byte // own only: to see whether it has changed
	until   time.Time
	from    *link

	heard time.Time        // when that was said
	next  *wire.NodePeople // what was said since, and by whom; nil: nothing
	sayer *link
}

func (p *people) init() { p.nodes = map[identity.ID]*crowd{} }

// tellPeople looks once a second who is here, and has all links told if that has changed, or was last told long ago. It tells the hub who is elsewhere.
func (m *Mesh) tellPeople() {
	m.mu.Lock()
	links := len(m.order)
	m.mu.Unlock()
	if links > 0 {
		for i, admitted := range [...]bool{false, true} {
			m.ownPeople(i, m.cfg.Hub.People(admitted))
		}
	}
	m.mu.Lock()
	m.hearLateLocked()
	m.mu.Unlock()
	if list, changed := m.abroad(); changed {
		m.cfg.Hub.SetAbroad(list)
	}
	if list, changed := m.nodes(); changed {
		m.cfg.Hub.TellNodes(list)
	}
}

// ownPeople takes over who is on this node.
func (m *Mesh) ownPeople(i int, here wire.NodePeople) {
	here.Node, here.Title, here.Version, here.Hops = m.self[:], m.cfg.Title, 0, 0
	here.Fit(peopleSize)
	encoded := wire.EncodeRaw(&here)
	m.mu.Lock()
	defer m.mu.Unlock()
	own, now := &m.people.own[i], m.cfg.Now()
	if bytes.Equal(encoded, own.encoded) && now.Before(own.until) {
		return
	}
	here.Version = max(uint64(chat.Millis(now)), own.said.Version+1)
	own.said, own.encoded, own.until = here, encoded, now.Add(peopleEvery)
	for _, l := range m.order {
		if l.admitted == (i == 1) {
			l.crowd(m.self)
		}
	}
}

// crowd has the other told who is on a node.
func (l *link) crowd(id identity.ID) {
	if l.out.people == nil {
		l.out.people = map[identity.ID]struct{}{}
	}
	l.out.people[id] = struct{}{}
	l.poke()
}

// hear takes in who is on other nodes. Of a node that is linked only its own word counts, of others that of nodes that are admitted, which is believed for
// no longer than theirs.
func (m *Mesh) hear(l *link, r *wire.PeerPeople) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range r.Nodes {
		m.hearLocked(l, &r.Nodes[i])
	}
}

// hearLateLocked takes in what was said too soon to be taken in at once.
func (m *Mesh) hearLateLocked() {
	for _, c := range m.people.nodes {
		if l, said := c.sayer, c.next; said != nil && m.links[l.node] == l {
			m.hearLocked(l, said)
		}
	}
}

func (m *Mesh) hearLocked(l *link, said *wire.NodePeople) {
	now, id := m.cfg.Now(), identity.ID(said.Node)
	_, linked := m.links[id]
	known := m.people.nodes[id]
	switch {
	case id == m.self, (linked || !l.admitted) && id != l.node, said.Hops >= wire.MaxHops, said.Version > uint64(chat.Millis(now.Add(clockSkew))):
		return
	case known != nil && said.Version <= known.said.Version && known.from == l:
		return
	case known != nil && said.Version <= known.said.Version && now.Before(known.until):
		return
	case known == nil && len(m.people.nodes) >= maxNodes, m.people.count()+len(said.People) > maxPeople:
		return
	case known != nil && now.Sub(known.heard) < peopleGap && !now.Before(known.heard):
		known.next, known.sayer = said, l
		return
	}
	kept := *said
	kept.Hops++
	if id != l.node {
		kept.Hops = max(kept.Hops, 2) // 1 is a node's own word alone
	}
	kept.Title = chat.OneLine(kept.Title)
	m.people.nodes[id] = &crowd{said: kept, until: now.Add(peopleLife), from: l, heard: now}
	m.people.changed = true
	for _, other := range m.order {
		if other != l && other.node != id && kept.Hops < wire.MaxHops {
			other.crowd(id)
		}
	}
}

// count returns how many people are known of.
func (p *people) count() (n int) {
	for _, c := range p.nodes {
		n += len(c.said.People)
	}
	return n
}

// abroad returns who is on other nodes, without those of which nothing was heard for long, and whether that has changed.
func (m *Mesh) abroad() (list []wire.NodePeople, changed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.cfg.Now()
	for id, c := range m.people.nodes {
		if !now.Before(c.until) {
			delete(m.people.nodes, id)
			m.people.changed = true
		}
	}
	if !m.people.changed {
		return nil, false
	}
	m.people.changed = false
	for _, c := range m.people.nodes {
		list = append(list, c.said)
	}
	sortBy(list, func(n wire.NodePeople) [32]byte { return [32]byte(n.Node) })
	return list, true
}

// sayPeople returns what the other is to be told of the people of one node, or nil. Nothing else waits when it is asked for.
func (l *link) sayPeople() wire.Record {
	said := l.nextPeople()
	if said == nil {
		return nil
	}
	if !l.admitted && identity.ID(said.Node) != l.m.self {
		l.m.hidePrivate(said)
	}
	return &wire.PeerPeople{Nodes: []wire.NodePeople{*said}}
}

// hidePrivate leaves out the rooms that a guest is not to know of: this node may have been told as one that is admitted.
func (m *Mesh) hidePrivate(said *wire.NodePeople) {
	open := map[string]bool{}
	said.People = slices.Clone(said.People)
	for i := range said.People {
		var rooms []string
		for _, room := range said.People[i].Rooms {
			is, known := open[room]
			if !known {
				is = len(m.cfg.Hub.Heads(room, false)) > 0
				open[room] = is
			}
			if is {
				rooms = append(rooms, room)
			}
		}
		said.People[i].Rooms = rooms
	}
}

// nextPeople returns a copy of what the other is to be told next.
func (l *link) nextPeople() *wire.NodePeople {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	for len(l.out.people) > 0 {
		id := l.m.self
		if _, own := l.out.people[id]; !own {
			id = identity.ID{}
			for other := range l.out.people {
				if id.IsZero() || compareIDs(other, id) < 0 {
					id = other
				}
			}
		}
		delete(l.out.people, id)
		if id == l.m.self {
			i := 0
			if l.admitted {
				i = 1
			}
			if own := &l.m.people.own[i]; own.said.Version > 0 {
				said := own.said
				return &said
			}
		} else if c := l.m.people.nodes[id]; c != nil && c.from != l {
			said := c.said
			return &said
		}
	}
	return nil
}
