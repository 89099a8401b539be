package premises

import (
	"log/slog"
	"net/netip"

	"chatnode/internal/identity"
	"chatnode/internal/mesh"
	"chatnode/internal/profile"
	"chatnode/internal/settings"
)

// Targets returns the other nodes that the flags tell a node to link to. It returns a *settings.UsageError for an address that can't be one.
func Targets(o *settings.Options) (list []mesh.Target, err error) {
	for _, where := range o.Connect {
		address, err := identity.NormalAddress(settings.WithPort(where))
		if err != nil {
			return nil, settings.Usagef("-connect: %v", err)
		}
		t := mesh.Target{Address: address}
		for _, link := range o.Links {
			if link.Address == address {
				t.Node, t.Token = link.Node, link.Token
			}
		}
		list = append(list, t)
	}
	return list, nil
}

// Judge returns what a node asks about who answers at an address. At those that it was told to link to it has to be the node that is known there, or
// nobody is yet: see profile.Check. At all others it is the mesh that knows who has to answer.
func Judge(targets []mesh.Target, known *identity.Known, log *slog.Logger) func(address string, node identity.ID) error {
	named := map[string]bool{}
	for _, t := range targets {
		named[t.Address] = true
	}
	check := profile.Check(known, func(note string) { log.Info(note) })
	return func(address string, node identity.ID) error {
		if !named[address] {
			return nil
		}
		return check(address, node)
	}
}

// Hosts returns the addresses that a node can tell others to reach it at: those with a number in place of a name, as nobody asks DNS for a stranger.
func Hosts(addresses []string) (list []string) {
	for _, address := range addresses {
		if _, err := netip.ParseAddrPort(address); err == nil {
			list = append(list, address)
		}
	}
	return list
}
