package settings

import (
	"bytes"
	"net"
	"slices"
	"strings"

	"chatnode/internal/identity"
)

// invitations takes apart what -connect and -invite say. Its errors repeat nothing of a token: what was mistyped may be one nearly. A node has no use for
// an invitation, and passes over one in its environment.
func (o *Options) invitations() error {
	if o.Listen != "" {
		return nil
	}
	named := len(o.Connect) > 0
	for i, where := range o.Connect {
		if !identity.IsLink(where) {
			continue
		}
		link, err := identity.ParseLink(where)
		if err != nil {
			return Usagef("-connect: %v", err)
		}
		if err := o.accept(link); err != nil {
			return err
		}
		o.Connect[i] = link.Address
	}
	if err := o.invite(named); err != nil {
		return err
	}
	if len(o.Rooms) == 0 {
		for _, link := range o.Links {
			if link.Room != "" && !slices.Contains(o.Rooms, link.Room) {
				o.Rooms = append(o.Rooms, link.Room)
			}
		}
	}
	return nil
}

// invite takes -invite. A link says where to connect unless that is named already; a token does not.
func (o *Options) invite(named bool) error {
	switch {
	case o.Invite == "":
		return nil
	case !identity.IsLink(o.Invite):
		token, err := identity.ParseToken(strings.TrimSpace(o.Invite))
		if err != nil {
			return Usagef("-invite: that is neither a link, which begins with chatnode://, nor a token: %v", err)
		}
		if !named {
			return Usagef("-invite TOKEN goes with -connect HOST:PORT; a link says where to by itself")
		}
		return o.show(token)
	}
	link, err := identity.ParseLink(o.Invite)
	switch {
	case err != nil:
		return Usagef("-invite: %v", err)
	case !named:
		o.Connect = []string{link.Address}
	case !slices.ContainsFunc(o.Connect, func(where string) bool { return same(where, link.Address) }):
		return Usagef("-invite is for %s, and -connect names another address: give one of them", link.Address)
	}
	return o.accept(link)
}

// accept takes a link.
func (o *Options) accept(link *identity.Link) error {
	for _, other := range o.Links {
		if other.Address == link.Address && other.Node != link.Node {
			return Usagef("two invitations name two nodes at %s: one of them is false", link.Address)
		}
	}
	o.Links = append(o.Links, link)
	if len(link.Token) == 0 {
		return nil
	}
	return o.show(link.Token)
}

// show takes a token. All nodes that a client connects to are shown the same.
func (o *Options) show(token []byte) error {
	if o.Token != nil && !bytes.Equal(o.Token, token) {
		return Usagef("two invitations have two tokens: give one of them")
	}
	o.Token = token
	return nil
}

// same reports whether an address of -connect is one of a link.
func same(where, address string) bool {
	where, err := normal(where)
	return err == nil && where == address
}

// normal returns an address of -connect in its one spelling, with a port.
func normal(where string) (string, error) {
	if _, _, err := net.SplitHostPort(where); err != nil {
		where = net.JoinHostPort(strings.Trim(where, "[]"), DefaultPort)
	}
	return identity.NormalAddress(where)
}
