package client

import (
	"context"
	"fmt"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/wire"
)

// maxNodeAddresses is how many addresses of its own a node can have.
const maxNodeAddresses = 64

// Invitation is what lets others in at a node.
type Invitation struct {
	Node      identity.ID // whose it is
	Token     []byte      // a secret of whoever is invited
	Uses      int         // how many keys may come in by it
	Expires   time.Time
	Addresses []string // where the node says that others reach it, the best first; often none
}

// Invite asks for an invitation to a room, or with an empty name to the node alone: for up to uses keys, at most chat.MaxUses, and for so long, at most
// chat.MaxInvite. Errors are as those of History; chat.Denied is for who may not invite here.
func (c *Client) Invite(ctx context.Context, room string, uses int, lasts time.Duration) (Invitation, error) {
	switch {
	case room != "" && !chat.MayBeRoom(room):
		return Invitation{}, &RefusedError{Code: chat.BadRoom}
	case uses < 1 || uses > chat.MaxUses || lasts < time.Millisecond || lasts > chat.MaxInvite:
		return Invitation{}, &RefusedError{Code: chat.Unsupported}
	}
	return c.invite(ctx, &wire.Invite{Room: room, Uses: uint64(uses), ForMS: uint64(lasts.Milliseconds())})
}

func (c *Client) invite(ctx context.Context, ask *wire.Invite) (Invitation, error) {
	res, err := c.put(ctx, ask)
	if err != nil {
		return Invitation{}, refine(err, ask.Room)
	}
	is := res.record.(*wire.InviteIs)
	if len(is.Token) != wire.TokenLen || is.Uses == 0 || is.Uses > chat.MaxUses || len(is.Addresses) > maxNodeAddresses {
		return Invitation{}, fmt.Errorf("%w: an invitation that can't be one", wire.ErrMalformed)
	}
	return Invitation{Node: res.node, Token: is.Token, Uses: int(is.Uses), Expires: time.UnixMilli(is.Expires), Addresses: is.Addresses}, nil
}

// Release takes a name from the key that owns it, and returns whose it was. Errors are as those of Names; chat.Denied is for who is no admin.
func (c *Client) Release(ctx context.Context, name string) (Person, error) {
	if code := checkRoom(chat.DirectMark + name); code != chat.OK {
		return Person{}, &RefusedError{Code: chat.NoSuchUser}
	}
	r, err := c.ask(ctx, &wire.Release{Name: name})
	if err != nil {
		return Person{}, err
	}
	found, err := people([]wire.Person{r.(*wire.ReleaseIs).Owner}, nil)
	if err != nil {
		return Person{}, err
	}
	return found[0], nil
}
