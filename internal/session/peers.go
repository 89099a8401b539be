package session

import (
	"errors"
	"unicode/utf8"

	"chatnode/internal/chat"
	"chatnode/internal/hub"
	"chatnode/internal/wire"
)

// Mesh is what a session knows of the node's links to other nodes. It is used by many goroutines.
type Mesh interface {
	// Peers returns what is known of other nodes.
	Peers() []wire.PeerInfo
	// Admit makes another node, named by its id or by a title that only one of them has, what one of wire.AdmitGuest and so on says, for good, and returns
	// what it is then. A *hub.Refusal says why it can't.
	Admit(who string, mode uint64) (wire.PeerInfo, error)
}

// maxWho is more bytes than any title or key id has, spread out for reading.
const maxWho = 256

// askMesh answers a question about other nodes. Where they are reached, and what was wrong with a link, only admins are told.
func (s *Session) askMesh(question wire.Record) wire.Record {
	mesh := s.host.Mesh
	if mesh == nil {
		return &wire.Failed{Code: chat.Unsupported}
	}
	switch q := question.(type) {
	case *wire.Peers:
		space := s.host.Hub.Sharing().Space
		return &wire.PeersAre{Space: space[:], Peers: tellable(mesh.Peers(), s.hub.IsAdmin())}
	case *wire.Admit:
		return s.admit(mesh, q)
	}
	return &wire.Failed{Code: chat.Unsupported}
}

// admit changes what another node is to this one.
func (s *Session) admit(mesh Mesh, q *wire.Admit) wire.Record {
	switch {
	case !s.hub.IsAdmin():
		return &wire.Failed{Code: chat.Denied}
	case q.Mode > wire.AdmitDrop:
		return &wire.Failed{Code: chat.Unsupported}
	case q.Node == "" || len(q.Node) > maxWho:
		return &wire.Failed{Code: chat.NoSuchUser}
	}
	peer, err := mesh.Admit(q.Node, q.Mode)
	var refusal *hub.Refusal
	switch {
	case errors.As(err, &refusal):
		return &wire.Failed{Code: refusal.Code}
	case err != nil:
		s.log().Error("change what another node is", "node", chat.OneLine(q.Node), "err", err)
		return &wire.Failed{Code: chat.Internal}
	}
	s.log().Info("another node was made something else", "node", chat.OneLine(q.Node), "mode", q.Mode)
	return &wire.AdmitIs{Peer: tellable([]wire.PeerInfo{peer}, true)[0]}
}

// tellable returns what can be told of peers: the first wire.MaxPeers, nothing longer than a record has room for.
func tellable(peers []wire.PeerInfo, isAdmin bool) []wire.PeerInfo {
	told := make([]wire.PeerInfo, 0, min(len(peers), wire.MaxPeers))
	for _, p := range peers[:min(len(peers), wire.MaxPeers)] {
		p.Title, p.State = short(p.Title, chat.MaxTitle), short(p.State, maxState)
		if p.Address, p.Note = short(p.Address, wire.MaxHost), short(p.Note, wire.MaxNote); !isAdmin {
			p.Address, p.Note = "", ""
		}
		told = append(told, p)
	}
	return told
}

// maxState bounds PeerInfo.State, in bytes.
const maxState = 32

// short returns text as it may stand in one line, cut to n bytes.
func short(text string, n int) string {
	text = chat.OneLine(text)
	for len(text) > n {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}
