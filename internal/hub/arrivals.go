package hub

import (
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"chatnode/internal/chat"
)

// Bounds on keys that join: of one address one more each arrivalsEach, arrivalsBurst at once. Addresses beyond maxAddresses share one bound.
const (
	arrivalsEach  = 10 * time.Minute / arrivalsBurst
	arrivalsBurst = 32
	maxAddresses  = 10_000
)

// networkPart is the part of all sessions, one of so many, that guests of one network may have.
const networkPart = 4

// networkOf returns the network that a guest at an address is counted with. It is not valid for those that are not counted: this machine's own, who
// are all behind one address, and whoever comes from nowhere that is known.
func networkOf(from netip.Addr) netip.Addr {
	if from.Unmap().IsLoopback() {
		return netip.Addr{}
	}
	return chat.Network(from)
}

// arrivals counts the keys that joined lately, by where they came from: whoever can make keys without end is not to fill the node with people. It has
// an entry for each network that is not at its full number again.
type arrivals map[netip.Addr]*rate.Limiter

// take counts a key that comes from an address, or returns how long it has to wait. This machine's own have no bound, nor has an unknown one.
func (s arrivals) take(from netip.Addr, now time.Time) (wait time.Duration) {
	network := networkOf(from)
	if !network.IsValid() {
		return 0
	}
	if s[network] == nil && len(s) >= maxAddresses {
		if s.forget(now); len(s) >= maxAddresses {
			network = netip.Addr{}
		}
	}
	l := s[network]
	wait = take(&l, arrivalsEach, arrivalsBurst, now)
	s[network] = l
	return wait
}

// forget drops entries that would not hold anybody back.
func (s arrivals) forget(now time.Time) {
	for network, l := range s {
		if l.TokensAt(now) >= arrivalsBurst {
			delete(s, network)
		}
	}
}
