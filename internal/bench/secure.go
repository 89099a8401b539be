package bench

import (
	"crypto/tls"
	"fmt"
	"net"
)

// secured shakes hands over conn and returns the connection under TLS, or conn itself where that fails. What bounds conn bounds the handshake.
func secured(conn net.Conn, config *tls.Config) (net.Conn, error) {
	over := tls.Client(conn, config)
	if err := over.Handshake(); err != nil {
		return conn, fmt.Errorf("shake hands under TLS: %w", ended(err))
	}
	return over, nil
}

// linkSides returns the node with its links under TLS and without. Both are read by a goroutine for each client: what TLS has to take apart can't go
// through one buffer of many, and the two are to differ in TLS alone.
func (cfg *config) linkSides(node program) [2]*side {
	sides := [2]*side{cfg.nodeSide("tls", node.servingTLS("-ephemeral"), true), cfg.nodeSide("insecure", node.serving("-ephemeral"), false)}
	for _, s := range sides {
		s.read = readEach
	}
	return sides
}
