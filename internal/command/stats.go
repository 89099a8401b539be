package command

import (
	"fmt"
	"strings"
	"time"

	"chatnode/internal/chat"
)

// StatsAnswer is how a node is doing.
type StatsAnswer struct {
	Up       time.Duration
	Sessions uint64 // clients that are connected
	Rooms    uint64 // with a name
	Work     *Work  // nil: only the node's admins are told
}

// Work is what a node has done since its start, and what it holds now.
type Work struct {
	People, Conversations uint64 // now

	Messages       uint64 // that were kept
	Deliveries     uint64 // of messages to clients
	DeliveredBytes uint64
	Lag            Times // from when the node took a message until it was given to a client's connection
	Commits        uint64
	Commit         Times

	Memory, Segments, Waiting uint64 // bytes, now: of the process, of the newest messages, of what waits to be put in order
	Linked, Known             uint64 // other nodes, now: those with a link, all of them
	Sent, Taken               uint64 // entries, to other nodes and from them

	Refused    []Count // messages that were refused or put off
	TurnedAway []Count // connections that ended before it was known who came
	Dropped    []Count // those of clients and nodes that were cut or lost
}

// Times are how long something took: in half of all cases at most Half, in 99 of 100 at most Most.
type Times struct{ Half, Most time.Duration }

// Count is how often something happened for a reason.
type Count struct {
	What string
	N    uint64
}

// Lines returns at most ten.
func (a StatsAnswer) Lines(*time.Location) []string {
	lines := []string{fmt.Sprintf("up %s: %s, %s", roughly(a.Up), many(a.Sessions, "connection", "connections"), many(a.Rooms, "room", "rooms"))}
	w := a.Work
	if w == nil {
		return lines
	}
	lines = append(lines,
		fmt.Sprintf("  known: %s, %s", many(w.People, "person", "people"), many(w.Conversations, "conversation", "conversations")),
		fmt.Sprintf("  kept: %s in %s; %s", many(w.Messages, "message", "messages"), many(w.Commits, "commit", "commits"), w.Commit.line()),
		fmt.Sprintf("  delivered: %s, %s; lag %s", many(w.Deliveries, "message", "messages"), inBytes(w.DeliveredBytes), w.Lag.line()),
		fmt.Sprintf("  memory: %s, of it %s for the newest messages; %s waiting", inBytes(w.Memory), inBytes(w.Segments), inBytes(w.Waiting)),
		"  refused: "+countLine(w.Refused), "  turned away: "+countLine(w.TurnedAway), "  dropped: "+countLine(w.Dropped))
	if w.Known > 0 || w.Sent+w.Taken > 0 {
		lines = append(lines, fmt.Sprintf("  other nodes: %d linked of %d; %d entries sent, %d taken", w.Linked, w.Known, w.Sent, w.Taken))
	}
	return lines
}

// line returns "0.4ms, 2.9ms at most in 99 of 100".
func (t Times) line() string { return shortly(t.Half) + ", 99 of 100 within " + shortly(t.Most) }

// maxCounted is how many reasons a line names.
const maxCounted = 4

// countLine returns a sum and its largest parts: "9: 6 slow, 2 muted and 1 other".
func countLine(counts []Count) string {
	sum, rest, parts := uint64(0), uint64(0), []string{}
	for i, c := range counts {
		sum += c.N
		if i < maxCounted {
			parts = append(parts, fmt.Sprintf("%d %s", c.N, chat.Truncate(chat.OneLine(c.What), maxPeerTitle)))
		} else {
			rest += c.N
		}
	}
	switch {
	case sum == 0:
		return "0"
	case rest > 0:
		parts = append(parts, fmt.Sprintf("%d others", rest))
	}
	return fmt.Sprintf("%d: %s", sum, strings.Join(parts, ", "))
}

// many is count for a number that another machine tells.
func many(n uint64, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// roughly returns a long time in its two largest units: "3d4h", "12m5s".
func roughly(d time.Duration) string {
	switch {
	case d >= 24*time.Hour:
		d = d.Truncate(time.Hour)
	case d >= time.Hour:
		d = d.Truncate(time.Minute)
	default:
		d = d.Truncate(time.Second)
	}
	return chat.FormatDuration(d)
}

// inBytes returns a number of bytes in the largest unit of which there is one: "1.5MB".
func inBytes(n uint64) string {
	size, unit := float64(n), "B"
	for _, larger := range []string{"KB", "MB", "GB", "TB"} {
		if size < 1024 {
			break
		}
		size, unit = size/1024, larger
	}
	if unit == "B" || size >= 100 {
		return fmt.Sprintf("%.0f%s", size, unit)
	}
	return fmt.Sprintf("%.1f%s", size, unit)
}
