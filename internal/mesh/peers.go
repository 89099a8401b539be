package mesh

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/hub"
	"chatnode/internal/identity"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

const (
	// shunFor is how long a node is neither dialled nor listened to after it has lied.
	shunFor = 10 * time.Minute
	// maxPeers bounds the nodes that are known. Of more, those that were linked longest ago are forgotten first, here and in the store.
	maxPeers = 1024
)

// peer is another node that is known. Guarded by Mesh.mu.
type peer struct {
	store.Peer
	saved   bool // the store has it
	link    *link
	reach   reach // how its Hosts are dialled
	record  []byte
	trusted bool // its addresses came from itself, or from a node that is admitted: they are passed on
	shunned time.Time
	note    string
}

// note keeps what the other has said of itself, and what it is to this node from now on.
func (m *Mesh) note(l *link, theirs *wire.Peer) error {
	l.key = theirs.Key
	var record *wire.SignedAddresses
	if len(theirs.Record) > 0 {
		var err error
		if record, err = m.checkRecord(theirs.Record); err != nil || identity.IDOf(record.Key) != l.node {
			return fmt.Errorf("%w: addresses that are not its own", errLie)
		}
	}
	m.mu.Lock()
	p := m.peerLocked(l.node)
	copy(p.Key[:], theirs.Key)
	p.Title = chat.OneLine(theirs.Title)
	p.Seen = chat.Millis(m.cfg.Now())
	if l.admitted {
		p.Mode = wire.AdmitIt
	}
	if record != nil {
		m.recordLocked(p, record, theirs.Record, l.via)
		p.trusted = true
	}
	p.saved = true
	kept := p.Peer
	m.mu.Unlock()
	return m.cfg.Hub.SavePeer(kept)
}

// peerLocked returns what is known of a node, which is known from then on.
func (m *Mesh) peerLocked(id identity.ID) *peer {
	p := m.peers[id]
	if p == nil {
		m.forgetLocked()
		p = &peer{Peer: store.Peer{Node: id}}
		m.peers[id] = p
	}
	return p
}

// forgetLocked makes room for another node, if it has to. One that is left alone for a lie goes only where there are no others.
func (m *Mesh) forgetLocked() {
	if len(m.peers) < maxPeers {
		return
	}
	now := m.cfg.Now()
	older := func(a, b *peer) int {
		return cmp.Or(cmp.Compare(max(a.shunned.Sub(now), 0), max(b.shunned.Sub(now), 0)), cmp.Compare(a.Seen, b.Seen), compareIDs(a.Node, b.Node))
	}
	var oldest *peer
	for _, p := range m.peers {
		if p.link == nil && p.Mode == wire.AdmitGuest && !p.reach.dialing && (oldest == nil || older(p, oldest) < 0) {
			oldest = p
		}
	}
	if oldest == nil {
		return
	}
	delete(m.peers, oldest.Node)
	if oldest.saved {
		m.gone = append(m.gone, store.Peer{Node: oldest.Node, Gone: true})
	}
}

// forget has the store forget those that are forgotten.
func (m *Mesh) forget() {
	m.mu.Lock()
	list := slices.DeleteFunc(m.gone, func(p store.Peer) bool { return m.peers[p.Node] != nil }) // it has come back
	m.gone = nil
	m.mu.Unlock()
	for _, p := range list {
		if err := m.cfg.Hub.SavePeer(p); err != nil {
			return // the hub has stopped
		}
	}
}

// linkedLocked notes that there is a link.
func (m *Mesh) linkedLocked(l *link) {
	p := m.peerLocked(l.node)
	p.link, p.note = l, ""
	p.reach.fails = 0
	if l.target != nil {
		l.target.node, l.target.note = l.node, ""
		l.target.tried = true
		l.target.reach.fails = 0
	}
	m.tellNodesLocked()
	m.poke()
}

// unlinkedLocked notes that a link has ended.
func (m *Mesh) unlinkedLocked(l *link) {
	p := m.peerLocked(l.node)
	if p.link == l {
		p.link = nil
	}
	p.Seen = chat.Millis(m.cfg.Now())
	m.tellNodesLocked()
}

// ended draws the conclusions from how a link has ended, and returns what Serve says of it.
func (m *Mesh) ended(l *link, err error) error {
	id := l.conn.Node()
	if errors.Is(err, errLie) {
		l.log.Warn("a node has lied, and is left alone for a while", "err", err)
		m.mu.Lock()
		m.peerLocked(id).shunned = m.cfg.Now().Add(shunFor)
		m.mu.Unlock()
		m.blame(id, err.Error())
		return err
	}
	m.mu.Lock()
	p := m.peers[id]
	if p != nil && err != nil {
		p.note = shorten(err.Error())
	}
	var saved *store.Peer
	if p != nil && p.saved {
		saved = new(p.Peer)
	}
	m.mu.Unlock()
	if saved != nil {
		if err := m.cfg.Hub.SavePeer(*saved); err != nil && !errors.Is(err, hub.ErrStopped) {
			l.log.Error("keep what is known of a node", "err", err)
		}
	}
	return err
}

// blame notes what a node did wrong, if it is known, and keeps that of one that is kept: anybody can make strangers up.
func (m *Mesh) blame(id identity.ID, fault string) {
	m.mu.Lock()
	p := m.peers[id]
	if p == nil {
		m.mu.Unlock()
		return
	}
	p.Fault = shorten(m.cfg.Now().UTC().Format(time.DateTime) + " " + fault)
	kept, saved := p.Peer, p.saved
	m.mu.Unlock()
	if !saved {
		return
	}
	if err := m.cfg.Hub.SavePeer(kept); err != nil && !errors.Is(err, hub.ErrStopped) {
		m.cfg.Log.Error("keep what a node did wrong", "node", id.String(), "err", err)
	}
}

// Peers returns what is known of other nodes, at most wire.MaxPeers: those that are linked first, then those that were last.
func (m *Mesh) Peers() []wire.PeerInfo {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.infosLocked()
	slices.SortFunc(list, func(a, b wire.PeerInfo) int {
		return cmp.Or(cmp.Compare(stateOrder[a.State], stateOrder[b.State]), cmp.Compare(b.Seen, a.Seen), cmp.Compare(string(a.Node), string(b.Node)),
			cmp.Compare(a.Address, b.Address))
	})
	return list[:min(len(list), wire.MaxPeers)]
}

// States returns how many other nodes there are in each state that Peers tells of.
func (m *Mesh) States() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	states := map[string]int{}
	for _, info := range m.infosLocked() {
		states[info.State]++
	}
	return states
}

// infosLocked describes all other nodes, and the addresses that were never reached, in no order.
func (m *Mesh) infosLocked() (list []wire.PeerInfo) {
	for _, t := range m.targets {
		if t.node.IsZero() {
			list = append(list, wire.PeerInfo{Address: t.Address, State: t.reach.state(m.cfg.Now()), Admitted: true, Note: t.note})
		}
	}
	for _, p := range m.peers {
		list = append(list, m.infoLocked(p))
	}
	return list
}

var stateOrder = map[string]int{"linked": 0, "dialing": 1, "waiting": 2, "known": 3, "dropped": 4}

// infoLocked describes a node.
func (m *Mesh) infoLocked(p *peer) wire.PeerInfo {
	info := wire.PeerInfo{
		Node: p.Node[:], Title: p.Title, State: p.reach.state(m.cfg.Now()), Admitted: p.Mode == wire.AdmitIt, Seen: p.Seen, Note: cmp.Or(p.Fault, p.note),
	}
	if len(p.Hosts) > 0 {
		info.Address = p.Hosts[0]
	}
	for _, t := range m.targets {
		if t.node == p.Node {
			info.Address, info.State, info.Note = t.Address, t.reach.state(m.cfg.Now()), cmp.Or(p.Fault, t.note, p.note)
		}
	}
	switch l := p.link; {
	case p.Mode == wire.AdmitDrop:
		info.State, info.Note = "dropped", p.Fault
	case l != nil:
		info.State, info.Address, info.RTT = "linked", l.address, uint64(l.rtt.Microseconds())
		info.Note = p.Fault // how links before it have ended matters no more
		info.Seen = chat.Millis(m.cfg.Now())
		for _, f := range l.flows {
			info.Behind += f.claimed - min(f.claimed, f.replica.head)
			if f.told {
				info.Ahead += f.replica.head - min(f.has, f.replica.head)
			}
		}
	}
	return info
}

// Admit makes a node admitted, a guest, or nobody to link with, by wire.AdmitIt and so on. who is its id, or a title that only it has. A link to it ends,
// and begins again under what holds then. It returns a *hub.Refusal with chat.NoSuchUser for nobody, and one with chat.Malformed for another mode.
func (m *Mesh) Admit(who string, mode uint64) (wire.PeerInfo, error) {
	if mode > wire.AdmitDrop {
		return wire.PeerInfo{}, &hub.Refusal{Code: chat.Malformed}
	}
	m.mu.Lock()
	p := m.findLocked(who)
	if p == nil {
		m.mu.Unlock()
		return wire.PeerInfo{}, &hub.Refusal{Code: chat.NoSuchUser}
	}
	changed := p.Mode != mode
	p.Mode, p.saved, p.Fault, p.shunned = mode, true, "", time.Time{}
	if l := p.link; l != nil && changed {
		bye := &wire.Bye{Code: chat.Replaced}
		if mode == wire.AdmitDrop {
			bye.Code = chat.Denied
		}
		m.leaveLocked(l)
		l.endLocked(bye)
	}
	p.reach.retryAt(m.cfg.Now())
	info, kept := m.infoLocked(p), p.Peer
	m.mu.Unlock()
	m.poke()
	return info, m.cfg.Hub.SavePeer(kept)
}

// findLocked returns the node that an operator means, or nil. An id need not be known yet.
func (m *Mesh) findLocked(who string) *peer {
	if id, err := identity.ParseID(who); err == nil {
		if id == m.self {
			return nil
		}
		return m.peerLocked(id)
	}
	var found *peer
	for _, p := range m.peers {
		if p.Title == who && who != "" {
			if found != nil {
				return nil
			}
			found = p
		}
	}
	return found
}

// shorten makes a text one line that fits into a note.
func shorten(text string) string {
	text = chat.OneLine(text)
	if len(text) > wire.MaxNote {
		text = strings.ToValidUTF8(text[:wire.MaxNote], "")
	}
	return text
}
