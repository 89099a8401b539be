package talk

import (
	"context"
	"errors"
	"fmt"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/command"
)

// peerModes are what /peers makes of another node.
var peerModes = map[command.PeerMode]client.PeerMode{
	command.AdmitPeer: client.AdmitPeer, command.GuestPeer: client.GuestPeer, command.DropPeer: client.DropPeer,
}

// Peers returns the other nodes that the node knows.
func (a Asker) Peers(ctx context.Context) (command.PeersAnswer, error) {
	ctx, cancel := a.limit(ctx)
	defer cancel()
	known, err := a.Client.Peers(ctx)
	answer := command.PeersAnswer{Space: known.Space}
	for _, p := range known.Peers {
		answer.Peers = append(answer.Peers, peer(p))
	}
	return answer, err
}

// Admit says what the node of that id or title is to the user's node.
func (a Asker) Admit(ctx context.Context, node string, mode command.PeerMode) (command.PeerAnswer, error) {
	ctx, cancel := a.limit(ctx)
	defer cancel()
	is, err := a.Client.Admit(ctx, node, peerModes[mode])
	if refused := (*client.RefusedError)(nil); errors.As(err, &refused) && refused.Code == chat.NoSuchUser {
		err = &client.RefusedError{Code: refused.Code, Text: "no other node has that title, or more than one has: say its id, which /peers lists"}
	}
	return command.PeerAnswer{Peer: peer(is), Mode: mode}, err
}

// Causal returns the end of a room in the order that is the same on all nodes.
func (a Asker) Causal(ctx context.Context, room string) (command.CausalAnswer, error) {
	ctx, cancel := a.limit(ctx)
	defer cancel()
	page, err := a.Client.Causal(ctx, room, client.CausalQuery{Last: true})
	return command.CausalAnswer{Room: room, Said: a.said(ctx, page.List), Total: page.Total, Digest: fmt.Sprintf("%x", page.Digest)}, err
}

func peer(p client.Peer) command.Peer {
	out := command.Peer{
		Title: p.Title, Address: p.Address, State: p.State, Admitted: p.Admitted, RTT: p.RTT, Behind: p.Behind, Ahead: p.Ahead, Seen: p.Seen, Note: p.Note,
	}
	if !p.ID.IsZero() {
		out.ID = p.ID.String()
	}
	return out
}
