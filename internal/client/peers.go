package client

import (
	"context"
	"fmt"
	"math"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// PeerMode is what another node is to the user's.
type PeerMode uint64

// What another node can be.
const (
	GuestPeer PeerMode = wire.AdmitGuest // it gets what any guest may read
	AdmitPeer PeerMode = wire.AdmitIt    // private rooms and conversations too, and what it says of rights counts
	DropPeer  PeerMode = wire.AdmitDrop  // there is no link to it
)

// Peer is another node, as the user's node knows it.
type Peer struct {
	ID       identity.ID // zero: an address that was never reached
	Title    string
	Address  string
	State    string // linked, dialing, waiting, known, dropped
	Admitted bool
	RTT      time.Duration // 0: not known
	Behind   uint64        // entries that it has and the user's node lacks
	Ahead    uint64        // entries that the user's node has and it lacks
	Seen     time.Time     // when there last was a link; zero: never
	Note     string        // why there is no link, or what it did wrong
}

// Peers is what a node tells of others.
type Peers struct {
	Space string // what its space is told by, see wire.SpaceText
	Peers []Peer
}

// Peers returns the other nodes that the node knows. Errors are as those of Names.
func (c *Client) Peers(ctx context.Context) (Peers, error) {
	r, err := c.ask(ctx, &wire.Peers{})
	if err != nil {
		return Peers{}, err
	}
	is := r.(*wire.PeersAre)
	known := Peers{Space: wire.SpaceText(is.Space)}
	for i := range is.Peers {
		p, err := peerOf(&is.Peers[i])
		if err != nil {
			return Peers{}, err
		}
		known.Peers = append(known.Peers, p)
	}
	return known, nil
}

// Admit says what another node is to the user's, for admins: node is its id as text, or a title that only one has. Errors are as those of Names;
// chat.Denied is for who is no admin, chat.NoSuchUser for a node that is not known, or not by that alone.
func (c *Client) Admit(ctx context.Context, node string, mode PeerMode) (Peer, error) {
	if node == "" || chat.OneLine(node) != node {
		return Peer{}, &RefusedError{Code: chat.NoSuchUser}
	}
	r, err := c.ask(ctx, &wire.Admit{Node: node, Mode: uint64(mode)})
	if err != nil {
		return Peer{}, err
	}
	return peerOf(&r.(*wire.AdmitIs).Peer)
}

// peerOf returns another node as the node tells of it.
func peerOf(p *wire.PeerInfo) (Peer, error) {
	out := Peer{
		Title: p.Title, Address: p.Address, State: p.State, Admitted: p.Admitted, Behind: p.Behind, Ahead: p.Ahead, Note: p.Note,
		RTT: time.Duration(min(p.RTT, math.MaxInt64/1000)) * time.Microsecond,
	}
	switch len(p.Node) {
	case 0:
	case len(out.ID):
		out.ID = identity.ID(p.Node)
	default:
		return Peer{}, fmt.Errorf("%w: a node's id of %d bytes", wire.ErrMalformed, len(p.Node))
	}
	if p.Seen > 0 {
		out.Seen = time.UnixMilli(p.Seen)
	}
	return out, nil
}

// InviteNode asks for an invitation by which another node may come once, with its history, and for so long, at most chat.MaxInvite. Errors are as those of
// Invite; chat.Denied is for who is no admin.
func (c *Client) InviteNode(ctx context.Context, lasts time.Duration) (Invitation, error) {
	if lasts < time.Millisecond || lasts > chat.MaxInvite {
		return Invitation{}, &RefusedError{Code: chat.Unsupported}
	}
	return c.invite(ctx, &wire.Invite{Uses: 1, ForMS: uint64(lasts.Milliseconds()), Node: true})
}

// CausalQuery asks for a page of a room's causal list.
type CausalQuery struct {
	After []byte // CausalPage.Next of the page before; empty: from the first
	Last  bool   // the last page in place of the first
}

// CausalPage is a part of a room's causal list: the order by (lamport, entry id), which is the same on all nodes that have the same of the room.
type CausalPage struct {
	List   []Message // in that order; Seq is the node's own
	Next   []byte    // for CausalQuery.After; empty: these are the last
	Digest []byte    // of all that the node has of the room
	Total  uint64    // length of the whole list
}

// Causal returns a page of a room's causal list; room is as in History, and so are the errors.
func (c *Client) Causal(ctx context.Context, room string, q CausalQuery) (page CausalPage, err error) {
	if code := checkRoom(room); code != chat.OK {
		return CausalPage{}, &RefusedError{Code: code}
	}
	h := reading{client: c, numbers: map[uint64]string{}}
	answer, err := h.ask(ctx, &wire.Causal{Room: room, After: q.After, Last: q.Last})
	if err != nil {
		return CausalPage{}, refine(err, room)
	}
	is := answer.(*wire.CausalIs)
	if page.List, err = h.causal(room, is); err == nil {
		err = c.unsealAll(ctx, page.List, h.events, false)
	}
	page.Next, page.Digest, page.Total = is.Next, is.Digest, is.Total
	return page, err
}

// causal returns the messages of an answer: all of one room, none twice.
func (h *reading) causal(room string, is *wire.CausalIs) ([]Message, error) {
	var list []Message
	met := map[uint64]bool{}
	for _, raw := range is.Events {
		e, err := wire.DecodeEvent(raw)
		if err != nil {
			return nil, err
		}
		if len(h.numbers) == 0 {
			h.numbers[e.Room] = room
		}
		if _, known := h.numbers[e.Room]; !known || e.Seq == 0 || met[e.Seq] {
			return nil, fmt.Errorf("%w: message %d of room number %d", errPage, e.Seq, e.Room)
		}
		met[e.Seq] = true
		list = append(list, h.message(e))
	}
	if uint64(len(list)) > is.Total || len(list) == 0 && len(is.Next) > 0 {
		return nil, fmt.Errorf("%w: %d messages of %d", errPage, len(list), is.Total)
	}
	return list, nil
}
