package chat

import "net/netip"

// Network returns the address that stands for all those which one person may have: an IPv4 address as it is, of an IPv6 address the first half, behind
// which people choose the rest. Limits count by it.
func Network(address netip.Addr) netip.Addr {
	address = address.Unmap().WithZone("")
	if !address.Is6() {
		return address
	}
	network, err := address.Prefix(64)
	if err != nil {
		panic("chat: " + err.Error()) // only for more bits than an address has
	}
	return network.Addr()
}
