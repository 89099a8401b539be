package discover

import (
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/hashicorp/mdns"
	"github.com/miekg/dns"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
)

// What nodes go by in DNS. A node's instance is its id, which fits into a label; what people read of it stands in its TXT record, as id=, space=, title=,
// where all but letters and digits is escaped as in URLs, and one at= for each address.
const (
	service = "_chatnode._tcp"
	domain  = "local."
)

// markLen is how many bytes wire.SpaceText has in hexadecimal.
const markLen = 8

// zone answers questions about one node, as it is when they are asked.
type zone struct{ self func() Node }

// Records implements mdns.Zone.
func (z zone) Records(q dns.Question) []dns.RR {
	self := z.self()
	s, err := serviceOf(&self)
	if err != nil {
		return nil // a node without an address is not found
	}
	return s.Records(q)
}

// serviceOf returns a node as DNS has it.
func serviceOf(n *Node) (*mdns.MDNSService, error) {
	txt := []string{"id=" + n.ID.String(), "space=" + n.Space, "title=" + url.PathEscape(n.Title)}
	var ips []net.IP
	port := 0
	for _, address := range n.Addresses[:min(len(n.Addresses), maxAddresses)] {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			continue
		}
		if port == 0 {
			port = int(at.Port())
		}
		ips, txt = append(ips, net.IP(at.Addr().AsSlice())), append(txt, "at="+address)
	}
	if len(ips) == 0 {
		return nil, errors.New("no address")
	}
	return mdns.NewMDNSService(n.ID.String(), service, domain, n.ID.String()+"."+domain, port, ips, txt)
}

// read returns the node that an answer is about, and false for one that is about something else, or makes no sense. Nothing in it can drive a terminal.
func read(e *mdns.ServiceEntry) (n Node, ok bool) {
	instance, isNode := strings.CutSuffix(e.Name, "."+service+"."+domain)
	id, err := identity.ParseID(instance)
	if !isNode || err != nil {
		return Node{}, false
	}
	n.ID = id
	for _, field := range e.InfoFields {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "id":
			if said, err := identity.ParseID(value); err != nil || said != id {
				return Node{}, false
			}
		case "space":
			if mark, err := hex.DecodeString(value); err != nil || len(mark) != markLen {
				return Node{}, false
			}
			n.Space = strings.ToLower(value)
		case "title":
			n.Title = titleOf(value)
		case "at":
			n.addAddress(value)
		}
	}
	return n, n.Space != "" && len(n.Addresses) > 0
}

// titleOf returns a title as it can be shown; one that could not be a node's is none.
func titleOf(escaped string) string {
	title, err := url.PathUnescape(escaped)
	if err != nil || len(title) > chat.MaxTitle || chat.CheckText(chat.Topic, title) != chat.OK {
		return ""
	}
	return chat.OneLine(title)
}

// addAddress adds an address that is an IP address and a port, in its one spelling.
func (n *Node) addAddress(text string) {
	at, err := netip.ParseAddrPort(text)
	if err != nil || at.Port() == 0 || len(n.Addresses) >= maxAddresses {
		return
	}
	if address := netip.AddrPortFrom(at.Addr().Unmap(), at.Port()).String(); !slices.Contains(n.Addresses, address) {
		n.Addresses = append(n.Addresses, address)
	}
}
