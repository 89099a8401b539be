package lines

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"rsc.io/qr"

	"chatnode/internal/command"
	"chatnode/internal/identity"
)

// nowhere is the address of a node that is known to nobody but itself.
const nowhere = "127.0.0.1:8080"

func (e env) Invite(ctx context.Context, q command.InviteQuery) (command.InviteAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, e.x.cfg.Timeout)
	defer cancel()
	inv, err := e.client().Invite(ctx, q.Room, q.Uses, q.For)
	if err != nil {
		return command.InviteAnswer{}, err
	}
	var reached []string
	if e.x.cfg.Reached != nil {
		reached = e.x.cfg.Reached(inv.Node)
	}
	address, local := addressFor(reached, inv.Addresses)
	link := identity.Link{Address: address, Room: q.Room, Node: inv.Node, Token: inv.Token}
	return command.InviteAnswer{
		Room: q.Room, Link: link.String(), Token: identity.TokenText(inv.Token), Uses: inv.Uses, Expires: inv.Expires, Local: local,
	}, nil
}

func (e env) Release(ctx context.Context, name string) (command.ReleaseAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, e.x.cfg.Timeout)
	defer cancel()
	owner, err := e.client().Release(ctx, name)
	return command.ReleaseAnswer{Name: owner.Name, Owner: who(owner)}, err
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
	for _, address := range append(reached, named...) {
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

// invitation prints an invitation for somebody who copies its link, or shows it to a camera.
func (h *human) invitation(a command.InviteAnswer) {
	lines := a.Lines(h.zone)
	for _, line := range lines[:len(lines)-1] {
		h.print("-- " + line)
	}
	h.print(a.Link)
	if h.screen == nil {
		return
	}
	if wide, high := h.screen(); wide > 0 && high > 0 {
		h.out.print(draw(a.Link, wide, high))
	}
}

// quiet is the margin around a QR code, in modules. The standard (ISO/IEC 18004) asks for 4, cameras for less; with 2 the code of a usual link is 23 lines
// high and fits on a terminal of 24.
const quiet = 2

// draw returns text as a QR code of at most so many columns and lines, each of which shows two rows of it, or nothing when it would be larger. Black is on
// white, whatever the terminal's own colours are: many cameras read no other way.
func draw(text string, wide, high int) []byte {
	code, err := qr.Encode(text, qr.L)
	if err != nil || code.Size+2*quiet > wide || (code.Size+2*quiet+1)/2 > high {
		return nil
	}
	var b strings.Builder
	for y := -quiet; y < code.Size+quiet; y += 2 {
		b.WriteString("\x1b[30;47m")
		for x := -quiet; x < code.Size+quiet; x++ {
			switch above, below := code.Black(x, y), code.Black(x, y+1); {
			case above && below:
				b.WriteRune('█')
			case above:
				b.WriteRune('▀')
			case below:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString("\x1b[0m\n")
	}
	return []byte(b.String())
}

// Draws reports whether a terminal with this environment can show blocks in colour: one that speaks UTF-8, as its locale says (POSIX: LC_ALL goes before
// LC_CTYPE before LANG), and is not dumb.
func Draws(variable func(string) string) bool {
	if term := variable("TERM"); term == "" || term == "dumb" {
		return false
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := strings.ToLower(variable(name)); locale != "" {
			return strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
		}
	}
	return false
}
