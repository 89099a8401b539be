// Package discover has nodes find each other on one network, by multicast DNS (RFC 6762) and DNS-based service discovery (RFC 6763). Whatever it finds is
// hearsay: anybody on the network can say anything, so an address is only where to ask, and the node there has to prove who it is. It opens no link.
package discover

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/mdns"

	"chatnode/internal/identity"
)

const (
	// maxFound is how many nodes one look returns, and maxAddresses how many addresses one node can have.
	maxFound     = 256
	maxAddresses = 4
	// maxInterfaces is on how many networks a node announces itself and looks for others.
	maxInterfaces = 8

	// lookFor is how long a node waits for answers, and lookAgain how long it rests: at first briefly, as others may be starting too.
	lookFor   = time.Second
	lookSoon  = 4 * time.Second
	lookAgain = time.Minute
)

// errNoNetwork says that there is no network to ask.
var errNoNetwork = errors.New("this machine has no network that carries multicast")

// quiet is what the library says: anybody on the network could fill the log.
var quiet = log.New(io.Discard, "", 0)

// Node is what a node says of itself.
type Node struct {
	ID        identity.ID
	Space     string // what it is told by: wire.SpaceText
	Title     string
	Addresses []string // host:port, the best first, at most 4
}

// local reports whether only its own machine reaches the node.
func (n *Node) local() bool {
	return !slices.ContainsFunc(n.Addresses, func(address string) bool {
		at, err := netip.ParseAddrPort(address)
		return err != nil || !at.Addr().IsLoopback()
	})
}

// Config is what Run needs.
type Config struct {
	// Self returns the node as it is now. It is called from many goroutines.
	Self func() Node
	// Found is called by Run's goroutine for each other node of the same space, each time that one is heard of, with the addresses that lie on a network of
	// this machine's own; loopback addresses only if those of Self are.
	Found func(Node)
	Log   *slog.Logger
}

// Run announces a node and looks for others of its space, until ctx ends; then it returns nil, within lookFor. It returns an error when there is no
// network on which it could.
func Run(ctx context.Context, cfg Config) error {
	self := cfg.Self()
	on := interfaces(self.local())
	stop, err := announce(on, cfg.Self)
	if err != nil {
		return err
	}
	defer stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for rest := lookSoon; ; rest = lookAgain {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		nodes, err := look(ctx, on, lookFor)
		if err != nil {
			cfg.Log.Debug("look for nodes", "err", err)
		}
		self = cfg.Self()
		own := networks(on)
		for _, n := range nodes {
			if n.ID == self.ID || n.Space != self.Space {
				continue
			}
			if n.Addresses = near(n.Addresses, own, self.local()); len(n.Addresses) > 0 {
				cfg.Found(n)
			}
		}
		timer.Reset(rest)
	}
}

// Look returns the nodes that answer within wait on the networks of this machine, in the order of their titles and ids. It returns an error when nobody
// could be asked. The end of ctx has it return what it has, within wait.
func Look(ctx context.Context, wait time.Duration) ([]Node, error) {
	return look(ctx, append(interfaces(false), interfaces(true)...), wait)
}

// announce answers questions on some networks until stop is called.
func announce(on []net.Interface, self func() Node) (stop func(), err error) {
	var servers []*mdns.Server
	stop = func() {
		for _, s := range servers {
			_ = s.Shutdown() // it never fails
		}
	}
	err = errNoNetwork
	for i := range on {
		server, failed := mdns.NewServer(&mdns.Config{Zone: zone{self}, Iface: &on[i], Logger: quiet})
		if failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		servers = append(servers, server)
	}
	if len(servers) == 0 {
		return nil, err
	}
	return stop, nil
}

// look asks on some networks at once, by both versions of IP.
func look(ctx context.Context, on []net.Interface, wait time.Duration) ([]Node, error) {
	entries := make(chan *mdns.ServiceEntry, maxFound) // what does not fit is dropped by the library; never closed
	var asking sync.WaitGroup
	failed := make([]error, 2*len(on))
	for i := range failed {
		asking.Go(func() { // ends after wait
			failed[i] = mdns.QueryContext(ctx, &mdns.QueryParam{
				Service: service, Timeout: wait, Interface: &on[i/2], Entries: entries, DisableIPv4: i%2 == 1, DisableIPv6: i%2 == 0, Logger: quiet,
			})
		})
	}
	asking.Wait()
	if !slices.Contains(failed, nil) {
		return nil, errors.Join(append(failed, errNoNetwork)...)
	}
	var found []Node
	for len(entries) > 0 {
		if n, ok := read(<-entries); ok {
			found = add(found, n)
		}
	}
	slices.SortFunc(found, func(a, b Node) int {
		return cmp.Or(strings.Compare(a.Title, b.Title), strings.Compare(a.ID.String(), b.ID.String()))
	})
	return found, nil
}

// add puts a node among those found: one that answers twice is one, with the addresses of both answers.
func add(found []Node, n Node) []Node {
	for i := range found {
		if found[i].ID != n.ID {
			continue
		}
		for _, address := range n.Addresses {
			if !slices.Contains(found[i].Addresses, address) && len(found[i].Addresses) < maxAddresses {
				found[i].Addresses = append(found[i].Addresses, address)
			}
		}
		return found
	}
	return append(found, n)
}

// interfaces returns the networks of this machine that carry multicast, or only the one within it.
func interfaces(local bool) (list []net.Interface) {
	all, _ := net.Interfaces() // without them there is nobody to ask, which is told
	for _, i := range all {
		loopback := i.Flags&net.FlagLoopback != 0
		if i.Flags&net.FlagUp != 0 && loopback == local && (local || i.Flags&net.FlagMulticast != 0) && len(list) < maxInterfaces {
			list = append(list, i)
		}
	}
	return list
}

// networks returns those that some interfaces are on.
func networks(on []net.Interface) (list []netip.Prefix) {
	for i := range on {
		addresses, _ := on[i].Addrs() // one that is gone has none
		for _, a := range addresses {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				list = append(list, prefix.Masked())
			}
		}
	}
	return list
}

// near returns the addresses that lie on a machine's own networks. Whoever is found on a network is reached there: nobody on it can have a node dial
// anything else, nor, unless it can be reached no other way, its own machine.
func near(addresses []string, own []netip.Prefix, local bool) (list []string) {
	for _, address := range addresses {
		at, err := netip.ParseAddrPort(address)
		ip := at.Addr().Unmap()
		if err == nil && ip.IsLoopback() == local && slices.ContainsFunc(own, func(p netip.Prefix) bool { return p.Contains(ip.WithZone("")) }) {
			list = append(list, address)
		}
	}
	return list
}
