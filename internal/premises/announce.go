package premises

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"chatnode/internal/identity"
	"chatnode/internal/settings"
)

// Notice is what a node says of itself when it starts.
type Notice struct {
	Addr      net.Addr // that it listens on
	Addresses []string // where others reach it, the best first
	Local     bool     // only this machine does
	Node      identity.ID
	Where     string       // its messages are
	Metrics   net.Listener // where it tells how it is doing; nil: nowhere
}

// Announce says where the node listens, who it is, how others join, and which other nodes it links to.
func Announce(stdout io.Writer, o *settings.Options, n Notice) error {
	if o.JSON {
		metrics := ""
		if n.Metrics != nil {
			metrics = `,"metrics":` + strconv.Quote(n.Metrics.Addr().String())
		}
		_, err := fmt.Fprintf(stdout, `{"type":"listening","addr":%s,"node":%q,"encrypted":%t%s}`+"\n", strconv.Quote(n.Addr.String()), n.Node, !o.Insecure, metrics)
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "chatnode listens on %s\n", strings.Join(n.Addresses, ", "))
	if n.Local {
		fmt.Fprintf(&text, "only this machine can join:\n")
	} else {
		fmt.Fprintf(&text, "to join, on any machine that reaches this one:\n")
	}
	if o.Insecure {
		fmt.Fprintf(&text, "    chatnode -insecure -connect %s -name YOU\n", n.Addresses[0])
		fmt.Fprintf(&text, "NOT ENCRYPTED: everybody on the way can read and change what is said here\n")
	} else {
		fmt.Fprintf(&text, "    chatnode -connect %s -name YOU\n", n.Addresses[0])
		fmt.Fprintf(&text, "this node is %s: clients show that when they first meet it\n", n.Node.Grouped())
	}
	switch {
	case o.InviteOnly:
		fmt.Fprintf(&text, "only those it knows may join, and whom you invite: you are its admin, and /invite makes an invitation\n")
	case !n.Local:
		fmt.Fprintf(&text, "anyone who reaches it may join; -invite-only keeps strangers out\n")
	}
	if n.Where == InMemory {
		fmt.Fprintf(&text, "messages are kept in memory: they end with this node\n")
	} else {
		fmt.Fprintf(&text, "messages are kept in %s\n", n.Where)
	}
	if n.Metrics != nil {
		fmt.Fprintf(&text, "it tells how it is doing on http://%s/metrics, unencrypted, whoever reaches that address\n", n.Metrics.Addr())
	}
	if len(o.Connect) > 0 {
		fmt.Fprintf(&text, "it links to %s as long as it runs; /peers tells how that goes\n", strings.Join(o.Connect, ", "))
	}
	if o.Discover {
		fmt.Fprintf(&text, "it announces itself on this network, and links to nodes of its space that it finds there\n")
	}
	_, err := io.WriteString(stdout, text.String())
	return err
}
