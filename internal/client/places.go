package client

import (
	"net"
	"net/netip"
	"slices"
	"sync"

	"chatnode/internal/identity"
)

// Place is an address where a node may answer.
type Place struct {
	Address string
	Node    identity.ID // that has to prove itself there; zero: the user has named the address, and judges it
}

// Places are where a client can dial: what the user has named, and what nodes tell of others. Its methods may be called from any goroutine.
type Places struct {
	// Static after construction.
	named  []Place
	widest reach // of the addresses that the user has named

	mu   sync.Mutex // guards what follows
	told []Place
	last Place // where a node was reached last; zero: nowhere yet
}

// reach is from how far away an address can mean the same machine.
type reach uint8

const (
	ofMachine reach = iota // loopback
	ofLink                 // link-local: it means another machine on each link
	ofSite                 // private, or a name
	ofWorld
)

// NewPlaces returns the places that the user has named, each an address with its port. Where nodes are that the user has not named, whether on this machine
// or on their network, is believed of nodes there alone: see Tell.
func NewPlaces(named []string) *Places {
	p := &Places{widest: ofWorld}
	for _, address := range named {
		p.named = append(p.named, Place{Address: address})
		p.widest = min(p.widest, reachOf(address))
	}
	return p
}

// Tell replaces what nodes have told, as Config.Nodes does. Names are left out, as whoever has one leads it wherever they like. An address of this machine, or
// of this link or network, is left out unless the user has named one that is as near: no node far away has a client dial what is behind the user's doors.
func (p *Places) Tell(nodes []Node) {
	var told []Place
	for _, node := range nodes {
		for _, host := range node.Hosts {
			place := Place{host, node.ID}
			if isLiteral(host) && reachOf(host) >= p.widest && !slices.Contains(told, place) && !slices.Contains(p.named, Place{Address: host}) {
				told = append(told, place)
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = told
	if !p.last.Node.IsZero() && !slices.Contains(told, p.last) {
		p.last = Place{} // it is of no use, or somewhere else
	}
}

// List returns all of them in the order in which to try them: where a node was reached last, what the user has named, what was told.
func (p *Places) List() []Place {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := slices.Concat([]Place{p.last}, p.named, p.told)
	again := false
	return slices.DeleteFunc(all, func(place Place) bool {
		if place != p.last {
			return false
		}
		drop := again || place == (Place{})
		again = true
		return drop
	})
}

// Reached notes that a node was reached at a place.
func (p *Places) Reached(place Place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = place
}

// isLiteral reports whether an address is one of the network itself: an IP address that means the same wherever it is looked at, and a port.
func isLiteral(address string) bool {
	at, err := netip.ParseAddrPort(address)
	return err == nil && at.Port() != 0 && at.Addr().Zone() == ""
}

// reachOf returns how far an address reaches. A name can be of any network but this machine, for all that can be told without asking.
func reachOf(address string) reach {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	if host == "localhost" || host == "" {
		return ofMachine
	}
	ip, err := netip.ParseAddr(host)
	switch ip = ip.Unmap(); {
	case err != nil:
		return ofSite
	case ip.IsLoopback(), ip.IsUnspecified():
		return ofMachine
	case ip.IsLinkLocalUnicast(), ip.IsMulticast():
		return ofLink
	case ip.IsPrivate():
		return ofSite
	}
	return ofWorld
}
