package door

import (
	"fmt"
	"net"
	"slices"
)

// Reachable returns the addresses under which others can reach a listener, the one of the default route first; at most three. For
// a listener on a loopback address it returns that one, and local is true.
func Reachable(listener net.Addr) (addresses []string, local bool) {
	tcp, ok := listener.(*net.TCPAddr)
	if !ok {
		return []string{listener.String()}, false
	}
	if !tcp.IP.IsUnspecified() {
		return []string{tcp.String()}, tcp.IP.IsLoopback()
	}
	var ips []net.IP
	if ip := defaultRouteIP(); ip != nil {
		ips = append(ips, ip)
	}
	all, _ := net.InterfaceAddrs() // without them the loopback address is still true
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && !slices.ContainsFunc(ips, n.IP.Equal) {
			ips = append(ips, n.IP)
		}
	}
	if len(ips) == 0 {
		return []string{fmt.Sprintf("127.0.0.1:%d", tcp.Port)}, true
	}
	const shown = 3
	for _, ip := range ips[:min(len(ips), shown)] {
		addresses = append(addresses, (&net.TCPAddr{IP: ip, Port: tcp.Port}).String())
	}
	return addresses, false
}

// defaultRouteIP returns the address from which this machine would talk to the rest of the world. Nothing is sent: a UDP socket is only told where it
// would send to, an address kept for documentation (RFC 5737).
func defaultRouteIP() net.IP {
	conn, err := net.Dial("udp", "192.0.2.1:9")
	if err != nil {
		return nil
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).IP
}
