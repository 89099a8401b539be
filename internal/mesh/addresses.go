package mesh

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

const (
	// recordLife is how long a node's own word about its addresses is good, recordEvery how often it is given anew.
	recordLife  = 24 * time.Hour
	recordEvery = 12 * time.Hour
	// clockSkew is how far another node's clock may be ahead.
	clockSkew = 10 * time.Minute
	// addressesEvery is the time between two records of addresses on one link.
	addressesEvery = time.Minute
)

// kind is what part of the world an address is of.
type kind uint8

const (
	nowhere   kind = iota // nobody is to be dialled there by another's word: names, multicast, other services, no address at all
	loopback              // this machine
	linkLocal             // this wire
	private               // this site
	public
)

// kindOf returns the kind of a host:port. Names have none: who gives one could have it lead anywhere. Nor have addresses with a zone, but those that need
// one: the kernel would ignore it, and no prefix has them.
func kindOf(address string) kind {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nowhere
	}
	switch ip := at.Addr().Unmap(); {
	case ip.Zone() != "" && !ip.IsLinkLocalUnicast(), reserved(ip):
		return nowhere
	case ip.IsLoopback():
		return loopback
	case ip.IsLinkLocalUnicast():
		return linkLocal
	case ip.IsPrivate(), shared.Contains(ip):
		return private
	case !ip.IsGlobalUnicast():
		return nowhere
	}
	return public
}

// isService reports whether a port is likely that of something else, such as mail or a shell, which is not to be bothered by another's word.
func isService(port uint16) bool { return port < 1024 && port != 80 && port != 443 }

// shared is the address space that providers share among their customers (RFC 6598): it is as private as private ones.
var shared = netip.MustParsePrefix("100.64.0.0/10")

// unfit are prefixes where no node is. Some of IPv6 stand for addresses of IPv4, which a gateway or the kernel would dial: 6to4, Teredo, NAT64, translated
// and compatible ones. Others answer whoever is in a cloud with its secrets: the metadata services of AWS, Google and most others, Alibaba, and Azure.
var unfit = []netip.Prefix{
	netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("::ffff:0:0:0/96"), netip.MustParsePrefix("::/96"), netip.MustParsePrefix("fec0::/10"),
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("169.254.169.254/32"), netip.MustParsePrefix("fd00:ec2::254/128"), netip.MustParsePrefix("100.100.100.200/32"),
	netip.MustParsePrefix("168.63.129.16/32"),
}

// reserved reports whether an address is one of these. ::1 would be among the compatible ones.
func reserved(ip netip.Addr) bool {
	return !ip.IsLoopback() && slices.ContainsFunc(unfit, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// mayDial reports whether an address that was learned from a node which is itself reached at an address of kind via may be dialled: nobody makes this
// node dial on its own machine, wire or site who is not there too.
func mayDial(address string, via kind) bool {
	if at, err := netip.ParseAddrPort(address); err != nil || isService(at.Port()) {
		return false
	}
	switch kindOf(address) {
	case public:
		return true
	case private:
		return via == private || via == loopback
	case linkLocal, loopback:
		return via == kindOf(address)
	}
	return false
}

// ownRecord returns this node's signed addresses, encoded; nil if it has none.
func (m *Mesh) ownRecord() []byte {
	if len(m.cfg.Hosts) == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ownRecordLocked()
}

func (m *Mesh) ownRecordLocked() []byte {
	now := m.cfg.Now()
	if m.record != nil && now.Sub(m.signed) < recordEvery && !now.Before(m.signed) {
		return m.record
	}
	r := &wire.SignedAddresses{
		Key: m.cfg.Key.Public(), Hosts: m.cfg.Hosts[:min(len(m.cfg.Hosts), wire.MaxHosts)], Expires: chat.Millis(now.Add(recordLife)),
	}
	r.Sig = m.cfg.Key.Sign(wire.AddressesDomain, r.Text())
	m.record, m.signed = r.Encode(), now
	return m.record
}

// checkRecord decodes a node's signed addresses, and returns an error that wraps errLie if it is not what the node has signed, or promises too much.
func (m *Mesh) checkRecord(encoded []byte) (*wire.SignedAddresses, error) {
	r, err := wire.DecodeAddresses(encoded)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errLie, err)
	}
	if !identity.CheckSignature(r.Key, wire.AddressesDomain, r.Text(), r.Sig) {
		return nil, fmt.Errorf("%w: addresses with a wrong signature", errLie)
	}
	if r.Expires > chat.Millis(m.cfg.Now().Add(recordLife+clockSkew)) {
		return nil, fmt.Errorf("%w: addresses that are good for too long", errLie)
	}
	return r, nil
}

// recordLocked takes over what a node says of its addresses, as far as they may be dialled by whom has learned them by way of via.
func (m *Mesh) recordLocked(p *peer, r *wire.SignedAddresses, encoded []byte, via kind) {
	if r.Expires <= p.Expires && p.record != nil {
		return
	}
	var hosts []string
	for _, host := range r.Hosts {
		if mayDial(host, via) {
			hosts = append(hosts, strings.Clone(host))
		}
	}
	if len(hosts) > 0 || len(p.Hosts) == 0 || r.Expires > p.Expires {
		p.Hosts = hosts
	}
	p.Expires, p.record = r.Expires, slices.Clone(encoded)
	copy(p.Key[:], r.Key)
}

// addresses takes in where other nodes are reached. Of those that have expired nothing is kept.
func (l *link) addresses(a *wire.Addresses) error {
	m := l.m
	now := m.cfg.Now()
	m.mu.Lock()
	early := !l.heard.IsZero() && now.Sub(l.heard) < addressesEvery/2
	if !early {
		l.heard = now
	}
	m.mu.Unlock()
	if early {
		return nil // more than is agreed on is not looked at
	}
	for _, encoded := range a.List {
		r, err := m.checkRecord(encoded)
		if err != nil {
			return err
		}
		id := identity.IDOf(r.Key)
		if id == m.self || r.Expires <= chat.Millis(now) {
			continue
		}
		m.mu.Lock()
		p := m.peerLocked(id)
		m.recordLocked(p, r, encoded, l.via)
		p.trusted = p.trusted || l.admitted
		l.passed[id] = max(l.passed[id], r.Expires)
		m.mu.Unlock()
	}
	m.poke()
	return nil
}

// tellAddresses passes on to each link, once a minute, where nodes are reached that this one was linked with, or was told of by one that is admitted.
func (m *Mesh) tellAddresses() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.cfg.Now()
	var list []*peer
	for _, p := range m.peers {
		if p.record != nil && p.Expires <= chat.Millis(now) && p.link == nil {
			p.record = nil
			if p.Seen == 0 {
				delete(m.peers, p.Node)
			}
		}
		if p.record != nil && p.trusted && p.Mode != wire.AdmitDrop && p.reach.fails < deaf {
			list = append(list, p)
		}
	}
	sortBy(list, func(p *peer) [32]byte { return p.Node })
	for _, l := range m.order {
		if now.Sub(l.out.passed) < addressesEvery && !l.out.passed.IsZero() {
			continue
		}
		m.passLocked(l, list, now)
	}
}

// passLocked has one link told of the addresses that it was not told of yet, this node's own among them once they are new.
func (m *Mesh) passLocked(l *link, list []*peer, now time.Time) {
	var pass [][]byte
	if own := len(m.cfg.Hosts) > 0 && m.ownRecordLocked() != nil; own && l.passed[m.self] != chat.Millis(m.signed) {
		if l.passed[m.self] != 0 {
			pass = append(pass, m.record) // the first was in the handshake
		}
		l.passed[m.self] = chat.Millis(m.signed)
	}
	for _, p := range list {
		if p.Node == l.node || l.passed[p.Node] >= p.Expires {
			continue
		}
		if len(pass) == wire.MaxAddresses {
			break
		}
		pass = append(pass, p.record)
		l.passed[p.Node] = p.Expires
	}
	for id := range l.passed {
		if m.peers[id] == nil && id != m.self {
			delete(l.passed, id)
		}
	}
	if len(pass) > 0 {
		l.out.addresses, l.out.passed = pass, now
		l.poke()
	}
}

// tellNodesLocked has the hub tell its clients where else they can go: the nodes that are linked, in the order of their round trips.
func (m *Mesh) tellNodesLocked() { m.nodesChanged = true }

// nodes returns what clients are told of other nodes, and whether it has changed since it was last asked for.
func (m *Mesh) nodes() (list []wire.NodeAt, changed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.nodesChanged {
		return nil, false
	}
	m.nodesChanged = false
	for _, l := range m.order {
		if p := m.peers[l.node]; p != nil && len(p.Hosts) > 0 && len(list) < wire.MaxAddresses {
			list = append(list, wire.NodeAt{Node: l.node[:], Hosts: slices.Clone(p.Hosts)})
		}
	}
	return list, true
}
