package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"chatnode/internal/chat"
)

// PeerMode is what another node is to this one.
type PeerMode string

// What another node can be.
const (
	AdmitPeer PeerMode = "admit" // it is as this node itself: private rooms and conversations go to it too
	GuestPeer PeerMode = "guest" // it gets what any guest may read
	DropPeer  PeerMode = "drop"  // there is no link to it any more
)

// causalWord has /history show the order that is the same on all nodes.
const causalWord = "causal"

// maxPeerTitle is how many columns of a node's title a table shows.
const maxPeerTitle = 24

// runPeers lists the other nodes, or says what one of them is: text is [admit|guest|drop WHO].
func runPeers(ctx context.Context, env Env, text string) error {
	if text == "" {
		return show(env)(env.Peers(ctx))
	}
	word, rest := cutWord(text)
	node := strings.TrimSpace(rest)
	switch mode := PeerMode(strings.ToLower(word)); {
	case mode != AdmitPeer && mode != GuestPeer && mode != DropPeer:
		return badUsage(byName[peers], "%s is none of admit, guest and drop", quote(word))
	case node == "":
		return badUsage(byName[peers], "which node is missing: its id, or its title")
	case len(node) > maxPerson || chat.OneLine(node) != node:
		return badUsage(byName[peers], "%s is no node", quote(node))
	default:
		return show(env)(env.Admit(ctx, node, mode))
	}
}

// runCausal shows the end of a room in the order that is the same on all nodes: text is what stands behind the word, a room or nothing.
func runCausal(ctx context.Context, env Env, text string) error {
	words := strings.Fields(text)
	room := ""
	switch {
	case len(words) > 1:
		return historyUsage("%s is too much", quote(words[1]))
	case len(words) == 1 && strings.HasPrefix(words[0], chat.DirectMark):
		if room = words[0]; !fitPerson(strings.TrimPrefix(room, chat.DirectMark)) {
			return historyUsage("%s is not a name", quote(room))
		}
	case len(words) == 1:
		if room = strings.ToLower(strings.TrimPrefix(words[0], "#")); !chat.MayBeRoom(room) {
			return historyUsage("%s is no room's name", quote(words[0]))
		}
	}
	return inRoom(env, room, func(room string) error { return show(env)(env.Causal(ctx, room)) })
}

// Peer is another node, as this one knows it.
type Peer struct {
	ID       string // text of its key id; empty: an address that was never reached
	Title    string
	Address  string
	State    string // linked, dialing, waiting, known, dropped
	Admitted bool
	RTT      time.Duration // 0: not known
	Behind   uint64        // messages and the like that it has and this node lacks
	Ahead    uint64        // those that this node has and it lacks
	Seen     time.Time     // when there last was a link; zero: never
	Note     string        // why there is no link, or what it did wrong
}

// PeersAnswer is the nodes that a node knows.
type PeersAnswer struct {
	Space string // what the space is told by
	Peers []Peer
}

// Lines returns a table with two lines a node.
func (a PeersAnswer) Lines(zone *time.Location) []string {
	if len(a.Peers) == 0 {
		return []string{"this node knows no other; its space is " + a.Space}
	}
	lines := []string{fmt.Sprintf("%s in the space %s:", count(len(a.Peers), "other node", "other nodes"), a.Space)}
	wide := 0
	for i := range a.Peers {
		wide = max(wide, chat.Width(a.Peers[i].label()))
	}
	for i := range a.Peers {
		label := a.Peers[i].label()
		lines = append(lines, "  "+label+strings.Repeat(" ", wide-chat.Width(label))+"  "+a.Peers[i].standing(zone))
		if about := a.Peers[i].about(); about != "" {
			lines = append(lines, "    "+about)
		}
	}
	return lines
}

// label returns what stands for a node in a table.
func (p *Peer) label() string {
	if title := strings.TrimSpace(chat.OneLine(p.Title)); title != "" {
		return chat.Truncate(title, maxPeerTitle)
	}
	return "(no title)"
}

// standing returns how it stands with a node: "linked, 1.2ms, 10.0.0.5:8080, 3 to come, 1 to go".
func (p *Peer) standing(zone *time.Location) string {
	parts := []string{p.State}
	if p.RTT > 0 {
		parts = append(parts, shortly(p.RTT))
	}
	if p.Address != "" {
		parts = append(parts, p.Address)
	}
	if p.State == peerLinked || p.Behind > 0 || p.Ahead > 0 {
		parts = append(parts, fmt.Sprintf("%d to come, %d to go", p.Behind, p.Ahead))
	}
	if p.State != peerLinked && !p.Seen.IsZero() {
		parts = append(parts, "last linked "+p.Seen.In(zone).Format("2006-01-02 15:04"))
	}
	return strings.Join(parts, ", ")
}

// shortly returns a time as far as it matters: "50µs", "1.2ms", "120ms".
func shortly(d time.Duration) string {
	digits := time.Microsecond
	for digits <= d/100 {
		digits *= 10
	}
	return d.Round(digits).String()
}

// States of a node to which there is a link, and of one to which there is to be none.
const (
	peerLinked  = "linked"
	peerDropped = "dropped"
)

// about returns the second line of a node: who it is, what it may have, and what there is to say of it.
func (p *Peer) about() string {
	var parts []string
	if p.ID != "" {
		parts = append(parts, p.ID)
	}
	switch {
	case p.ID == "" || p.State == peerDropped:
	case p.Admitted:
		parts = append(parts, "admitted")
	default:
		parts = append(parts, "a guest")
	}
	if p.Note != "" {
		parts = append(parts, p.Note)
	}
	return strings.Join(parts, ", ")
}

// PeerAnswer is what a node is from now on.
type PeerAnswer struct {
	Peer Peer
	Mode PeerMode
}

// Lines returns it as a sentence, and says what follows from it.
func (a PeerAnswer) Lines(*time.Location) []string {
	label := a.Peer.label()
	switch a.Mode {
	case AdmitPeer:
		return []string{label + " is admitted: it gets private rooms and conversations too, and what it says of rights counts here", "  " + a.Peer.ID}
	case DropPeer:
		return []string{label + " is dropped: there is no link to it any more; what it has got stays with it", "  " + a.Peer.ID}
	}
	return []string{label + " is a guest: it gets what anybody may read", "  " + a.Peer.ID}
}

// CausalAnswer is the end of a room in the order that is the same on all nodes that have the same of it.
type CausalAnswer struct {
	Room   string
	Said   []Said // in that order; Seq is this node's own
	Total  uint64 // messages and the like in the whole list
	Digest string // of all that this node has of the room: nodes with the same have the same
}

// Lines returns one line a message, and what tells two nodes apart.
func (a CausalAnswer) Lines(zone *time.Location) []string {
	if len(a.Said) == 0 {
		return []string{Label(a.Room) + " has no messages"}
	}
	first := fmt.Sprintf("the last %d of %d of %s, in the order of all nodes (%s):", len(a.Said), a.Total, Label(a.Room), a.Digest)
	return append([]string{first}, saidLines(a.Said, zone, false)...)
}
