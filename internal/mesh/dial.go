package mesh

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

const (
	// maxDials is how many nodes are dialled at a time.
	maxDials = 4
	// dialLimit is how long one address may take to answer.
	dialLimit = 10 * time.Second
	// firstBackoff and lastBackoff bound the time between two attempts, give or take half.
	firstBackoff = time.Second
	lastBackoff  = time.Minute
	// maxRetry bounds the times to wait that a node names.
	maxRetry = 10 * time.Minute
	// yield is how long the node with the higher id leaves the dialling to the other: of two links at once that one's stays.
	yield = 2 * time.Second
	// deaf is how often in a row a node may not be reached and still count as there.
	deaf = 3
	// forgetAfter is how often in a row a node that never was linked is not reached until it is forgotten.
	forgetAfter = 6
	// fullMesh is how many nodes link each with each; of more, each has the links of four steps either way around the ring of ids.
	fullMesh = 16
	// settled is how long a link has been there before it may be ended as not needed.
	settled = time.Minute
)

// reach is when and how a node, or an address, is dialled. Guarded by Mesh.mu.
type reach struct {
	dialing bool
	fails   int       // in a row
	next    time.Time // not before; zero: never tried
}

// state returns what PeerInfo calls it.
func (r *reach) state(now time.Time) string {
	switch {
	case r.dialing:
		return "dialing"
	case r.fails > 0 && r.next.After(now):
		return "waiting"
	}
	return "known"
}

func (r *reach) retryAt(t time.Time) { r.fails, r.next = 0, t }

// failedLocked counts an attempt that came to nothing.
func (m *Mesh) failedLocked(r *reach, retry time.Duration) {
	r.fails++
	wait := m.jitterLocked(min(firstBackoff<<min(r.fails-1, 10), lastBackoff))
	r.next = m.cfg.Now().Add(max(wait, retry))
}

// target is an operator's own address. Guarded by Mesh.mu.
type target struct {
	Target
	node  identity.ID // who has last answered there
	reach reach
	note  string
	tried bool // an attempt has come to its end
}

// attempt is one node to dial, at one of its addresses after the other.
type attempt struct {
	target    *target // nil for a node that is known otherwise
	node      identity.ID
	reach     *reach
	addresses []string
	over      bool // guarded by Mesh.mu: it does not count any more
}

// due returns whom to dial now, and counts them as being dialled: the operator's own addresses first, then the nodes that were linked last.
func (m *Mesh) due() (list []*attempt) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopping || m.cfg.Dial == nil {
		return nil
	}
	now := m.cfg.Now()
	for _, t := range m.targets {
		p := m.peers[t.node]
		if p != nil && (p.link != nil || p.Mode == wire.AdmitDrop || now.Before(p.shunned)) || t.node == m.self {
			continue
		}
		list = m.dueLocked(list, &attempt{target: t, node: t.Node, reach: &t.reach, addresses: []string{t.Address}}, now)
	}
	for _, p := range m.wantedLocked() {
		list = m.dueLocked(list, &attempt{node: p.Node, reach: &p.reach, addresses: slices.Clone(p.Hosts)}, now)
	}
	return list
}

// dueLocked appends an attempt if it is time for it and there is room.
func (m *Mesh) dueLocked(list []*attempt, a *attempt, now time.Time) []*attempt {
	if a.reach.dialing || a.reach.next.After(now) || m.dials >= maxDials {
		return list
	}
	a.reach.dialing = true
	m.dials++
	return append(list, a)
}

// wantedLocked returns the nodes that are to be linked with and are not, those that were linked last first.
func (m *Mesh) wantedLocked() (list []*peer) {
	now := m.cfg.Now()
	chosen := m.chosenLocked()
	for id, p := range m.peers {
		if !chosen[id] || p.link != nil || p.Mode == wire.AdmitDrop || len(p.Hosts) == 0 || now.Before(p.shunned) || m.targetedLocked(id) {
			continue
		}
		if m.cfg.InviteOnly && !p.trusted && p.Seen == 0 && p.Mode != wire.AdmitIt {
			continue // a guest's word, or the network's, is no invitation
		}
		if p.reach.next.IsZero() && compareIDs(m.self, id) > 0 {
			p.reach.next = now.Add(m.jitterLocked(yield))
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *peer) int {
		if a.Seen != b.Seen {
			return int(max(-1, min(1, b.Seen-a.Seen)))
		}
		return compareIDs(a.Node, b.Node)
	})
	return list
}

// targetedLocked reports whether a node is dialled by an address of the operator's.
func (m *Mesh) targetedLocked(id identity.ID) bool {
	return slices.ContainsFunc(m.targets, func(t *target) bool { return t.node == id || t.Node == id })
}

// chosenLocked returns the nodes to be linked with: of those that are there as far as is known, and of all, as somebody may have come back.
func (m *Mesh) chosenLocked() map[identity.ID]bool {
	var all, here []identity.ID
	for id, p := range m.peers {
		if p.Mode == wire.AdmitDrop || p.link == nil && len(p.Hosts) == 0 {
			continue
		}
		all = append(all, id)
		if p.link != nil || p.reach.fails < deaf {
			here = append(here, id)
		}
	}
	picked := chosen(m.self, here)
	for id := range chosen(m.self, all) {
		picked[id] = true
	}
	return picked
}

// chosen returns the nodes among others that self is to be linked with. Each side comes to the same if both know the same nodes: all of up to fullMesh,
// itself among them; else the neighbours on the ring of ids that are one step away, and three more distances that grow evenly up to half the ring, either
// way. One step alone keeps the graph connected, the others keep it narrow.
func chosen(self identity.ID, others []identity.ID) map[identity.ID]bool {
	picked := map[identity.ID]bool{}
	ring := append(slices.Clone(others), self)
	slices.SortFunc(ring, compareIDs)
	ring = slices.Compact(ring)
	n := len(ring)
	if n <= fullMesh {
		for _, id := range ring {
			picked[id] = true
		}
		delete(picked, self)
		return picked
	}
	at, _ := slices.BinarySearchFunc(ring, self, compareIDs)
	for _, step := range steps(n) {
		picked[ring[(at+step)%n]] = true
		picked[ring[(at-step+n)%n]] = true
	}
	return picked
}

// steps returns the four distances of a ring of n nodes: 1, and n/2 to the powers of 1/4, 1/2 and 3/4, each at least one more than the one before.
func steps(n int) [4]int {
	fourth := 1
	for (fourth+1)*(fourth+1)*(fourth+1)*(fourth+1) <= n/2 {
		fourth++
	}
	list := [4]int{1, fourth, fourth * fourth, fourth * fourth * fourth}
	for i := 1; i < len(list); i++ {
		list[i] = max(list[i], list[i-1]+1)
	}
	return list
}

// dial tries the addresses of one node, and carries the link that comes of it.
func (m *Mesh) dial(ctx context.Context, a *attempt) {
	err := errors.New("it has no address")
	for _, address := range a.addresses {
		var conn Link
		if conn, err = m.connect(ctx, a, address); err != nil {
			continue
		}
		l := &link{m: m, conn: conn, dialed: true, target: a.target, address: address, via: kindOf(address)}
		if at, ok := conn.(interface{ Remote() string }); ok {
			l.via = kindOf(at.Remote()) // what the operator has named may be a name
		}
		err = m.serve(ctx, l, func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.undialLocked(a)
		})
		m.redial(l, a, err)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.undialLocked(a)
	if ctx.Err() == nil {
		m.unreachedLocked(a, err)
	}
}

// connect dials one address, and sees to it that who was meant answers.
func (m *Mesh) connect(ctx context.Context, a *attempt, address string) (Link, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	conn, err := m.cfg.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	if !a.node.IsZero() && conn.Node() != a.node {
		conn.Close()
		return nil, errors.New("another node answers there")
	}
	return conn, nil
}

// undialLocked ends an attempt; once.
func (m *Mesh) undialLocked(a *attempt) {
	if !a.over {
		a.over = true
		a.reach.dialing = false
		m.dials--
		m.poke()
	}
}

// unreachedLocked notes that nobody has answered, or not who was meant.
func (m *Mesh) unreachedLocked(a *attempt, err error) {
	m.failedLocked(a.reach, 0)
	if t := a.target; t != nil {
		first := t.triedLocked()
		if changed := (*identity.ChangedError)(nil); first && errors.As(err, &changed) && m.fatal == nil {
			m.fatal = err
		}
		m.grumbleLocked(t, err)
		m.poke()
		return
	}
	p := m.peers[a.node]
	if p == nil {
		return
	}
	p.note = shorten(err.Error())
	m.cfg.Log.Debug("dial a node", "node", a.node.String(), "err", err)
	if p.Seen == 0 && p.Mode == wire.AdmitGuest && a.reach.fails >= forgetAfter && p.link == nil {
		delete(m.peers, a.node)
	}
}

// redial decides when a link that has ended is dialled again.
func (m *Mesh) redial(l *link, a *attempt, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.undialLocked(a)
	refused, space := (*RefusedError)(nil), (*SpaceError)(nil)
	first := a.target != nil && a.target.triedLocked()
	switch {
	case l.node == m.self || l.conn.Node() == m.self:
		if a.target != nil {
			a.target.node, a.target.note = m.self, "that is this node itself"
		}
		return
	case errors.As(err, &space) && first && m.fatal == nil:
		m.fatal = space
	case errors.As(err, &refused) && refused.Code == chat.Replaced:
		a.reach.retryAt(m.cfg.Now().Add(m.jitterLocked(firstBackoff))) // there is another link, as a rule, while which lasts nobody dials
		if a.target != nil {
			a.target.node = l.conn.Node()
		}
	case errors.As(err, &refused):
		m.failedLocked(a.reach, refused.Retry)
		if a.target == nil {
			m.cfg.Log.Info("a node does not want the link", "node", l.conn.Node().String(), "address", l.address, "code", refused.Code.String())
		}
	case errors.Is(err, errParted):
		a.reach.retryAt(m.cfg.Now().Add(settled))
	default:
		if !l.since.IsZero() && m.cfg.Now().Sub(l.since) > settled/2 {
			a.reach.fails = 0
		}
		m.failedLocked(a.reach, 0)
	}
	if a.target != nil && err != nil {
		m.grumbleLocked(a.target, err)
	}
	m.poke()
}

// triedLocked reports whether this is the first time that an attempt has come to its end. Only then may what is found there end the node: whoever answers
// days later must not be able to.
func (t *target) triedLocked() (first bool) {
	first, t.tried = !t.tried, true
	return first
}

// grumbleLocked notes why there is no link to an operator's own address, and says so once.
func (m *Mesh) grumbleLocked(t *target, err error) {
	level, refused := slog.LevelWarn, (*RefusedError)(nil)
	note := shorten(err.Error())
	switch errors.As(err, &refused); {
	case refused != nil && refused.Code == chat.Replaced:
		return // there is a link
	case note == t.note:
		level = slog.LevelDebug
	case refused != nil && refused.Code == chat.Stopping:
		level = slog.LevelInfo
	}
	t.note = note
	m.cfg.Log.Log(context.Background(), level, "no link to a node", "address", t.Address, "err", err)
}

// Found tells of a node of the same space that is reached at these addresses, by the word of the network that it shares with this one. It may be called
// from any goroutine, again and again.
func (m *Mesh) Found(node identity.ID, addresses ...string) {
	if node == m.self || node.IsZero() || len(addresses) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.peerLocked(node)
	for _, address := range addresses {
		if !slices.Contains(p.Hosts, address) && len(address) <= wire.MaxHost {
			p.Hosts = append([]string{address}, p.Hosts...)
		}
	}
	p.Hosts = p.Hosts[:min(len(p.Hosts), wire.MaxHosts)]
	m.poke()
}

// prune ends links that this node has dialled and that are not needed any more, one at a time.
func (m *Mesh) prune() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.cfg.Now()
	chosen := m.chosenLocked()
	if len(m.order) <= fullMesh/2 {
		return
	}
	for _, l := range m.order {
		if l.dialed && l.target == nil && !chosen[l.node] && now.Sub(l.since) > settled {
			l.cause = errParted
			m.leaveLocked(l)
			l.endLocked(&wire.Bye{Code: chat.Goodbye})
			return
		}
	}
}
