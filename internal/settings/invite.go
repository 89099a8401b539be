package settings

import (
	"bytes"
	"slices"
	"strings"

	"chatnode/internal/identity"
)

// invitations takes apart what -connect and -invite say. Its errors repeat nothing of a token: what was mistyped may be one nearly. A node has no use for
// an invitation but those of other nodes, and passes over one in its environment.
func (o *Options) invitations() error {
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
	if o.Listen != "" {
		return nil
	}
	if err := o.invite(named); err != nil {
		return err
	}
	if o.Insecure && (len(o.Links) > 0 || o.Token != nil) {
		return Usagef("an invitation is of no use with -insecure: everybody on the way could take it, and no node there proves to be the one it names")
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
		for _, link := range o.Links {
			if differ(link.Token, token) {
				return errTokens
			}
		}
		o.Token = token
		return nil
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
		if other.Node == link.Node && differ(other.Token, link.Token) {
			return errTokens
		}
	}
	o.Links = append(o.Links, link)
	return nil
}

var errTokens = Usagef("two invitations have two tokens: give one of them")

// differ reports whether there are two tokens and not one.
func differ(a, b []byte) bool { return len(a) > 0 && len(b) > 0 && !bytes.Equal(a, b) }

// TokenFor returns what the node of this id is to be shown: the token of the link that names it, else the one that was given by itself. It is empty
// when there is none: the token of another node's link is none of its business.
func (o *Options) TokenFor(node identity.ID) []byte {
	for _, link := range o.Links {
		if link.Node == node && len(link.Token) > 0 {
			return link.Token
		}
	}
	return o.Token
}

// same reports whether an address of -connect is one of a link.
func same(where, address string) bool {
	where, err := normal(where)
	return err == nil && where == address
}

// normal returns an address of -connect in its one spelling, with a port.
func normal(where string) (string, error) { return identity.NormalAddress(WithPort(where)) }
