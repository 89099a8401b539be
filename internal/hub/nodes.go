package hub

import (
	"bytes"
	"net"

	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// maxHost is the longest host and port that clients are told, in bytes: the longest name that can be looked up, and a port.
const maxHost = 253 + 1 + 5

// TellNodes says where else the rooms are, in place of what was said before: every client is told, at once and when it comes. The first
// wire.MaxAddresses nodes count, and of each the first wire.MaxHosts hosts; what is malformed is left out. After Run has ended nothing happens.
func (h *Hub) TellNodes(nodes []wire.NodeAt) {
	record := wire.Must(nil, &wire.Nodes{Nodes: tellable(nodes)})
	_ = h.call(func() {
		if bytes.Equal(h.where, record) || h.where == nil && len(nodes) == 0 {
			return
		}
		h.where = record
		for s := range h.sessions {
			s.tellNodes(record)
		}
	})
}

// tellable returns what can be told of nodes.
func tellable(nodes []wire.NodeAt) (told []wire.NodeAt) {
	for _, n := range nodes {
		if len(told) == wire.MaxAddresses {
			break
		}
		at := wire.NodeAt{Node: n.Node}
		for _, host := range n.Hosts {
			if _, _, err := net.SplitHostPort(host); err == nil && len(host) <= maxHost && len(at.Hosts) < wire.MaxHosts {
				at.Hosts = append(at.Hosts, host)
			}
		}
		if len(n.Node) == len(identity.ID{}) && len(at.Hosts) > 0 {
			told = append(told, at)
		}
	}
	return told
}

// tellNodes puts what is to be told of other nodes on the session's way, in place of what has not been sent yet.
func (s *Session) tellNodes(record []byte) {
	s.mu.Lock()
	s.nodes = record
	s.mu.Unlock()
	s.wake()
}
