package talk

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"

	"chatnode/internal/client"
	"chatnode/internal/command"
	"chatnode/internal/identity"
)

// nowhere is the address of a node that is known to nobody but itself.
const nowhere = "127.0.0.1:8080"

// Invite has the node make an invitation, and makes a link of it by the address at which others most likely reach the node.
func (a Asker) Invite(ctx context.Context, q command.InviteQuery) (command.InviteAnswer, error) {
	ctx, cancel := a.limit(ctx)
	defer cancel()
	var inv client.Invitation
	var err error
	if q.Node {
		inv, err = a.Client.InviteNode(ctx, q.For)
	} else {
		inv, err = a.Client.Invite(ctx, q.Room, q.Uses, q.For)
	}
	if err != nil {
		return command.InviteAnswer{}, err
	}
	var reached []string
	if a.Reached != nil {
		reached = a.Reached(inv.Node)
	}
	address, local := addressFor(reached, inv.Addresses)
	link := identity.Link{Address: address, Room: q.Room, Node: inv.Node, Token: inv.Token}
	return command.InviteAnswer{
		Room: q.Room, Link: link.String(), Token: identity.TokenText(inv.Token), Uses: inv.Uses, Expires: inv.Expires, Local: local, Node: q.Node,
	}, nil
}

// addressFor returns the address at which others most likely reach a node: one that has worked from another machine, else the first that the node
// itself names. local says that there is none, and that the address is one of this machine's own.
func addressFor(reached, named []string) (address string, local bool) {
	for _, list := range [][]string{reached, named} {
		for _, address := range list {
			if address, err := identity.NormalAddress(address); err == nil && !isLocal(address) {
				return address, false
			}
		}
	}
	for _, address := range slices.Concat(reached, named) {
		if address, err := identity.NormalAddress(address); err == nil {
			_, port, _ := net.SplitHostPort(address)
			return net.JoinHostPort("127.0.0.1", port), true
		}
	}
	return nowhere, true
}

// isLocal reports whether an address leads to whichever machine it is used on.
func isLocal(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host == "localhost" || strings.HasSuffix(host, ".localhost")
	}
	return ip.IsLoopback() || ip.IsUnspecified() || ip.Is6() && ip.IsLinkLocalUnicast()
}
