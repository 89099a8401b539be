package client

import (
	"context"
	"math"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// NodeStats is how a node is doing.
type NodeStats struct {
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

// NodeStats returns how the node is doing. Errors are as those of Names; chat.Unsupported is of a node that does not tell.
func (c *Client) NodeStats(ctx context.Context) (NodeStats, error) {
	r, err := c.ask(ctx, &wire.Stats{})
	if err != nil {
		return NodeStats{}, err
	}
	are := r.(*wire.StatsAre)
	stats := NodeStats{Up: time.Duration(min(are.Up, math.MaxInt64/uint64(time.Millisecond))) * time.Millisecond, Sessions: are.Sessions, Rooms: are.Rooms}
	for i := range are.Work { // at most one
		w := &are.Work[i]
		stats.Work = &Work{
			People: w.People, Conversations: w.Conversations, Messages: w.Messages, Deliveries: w.Deliveries, DeliveredBytes: w.DeliveredBytes,
			Lag: timesOf(w.Lag), Commits: w.Commits, Commit: timesOf(w.Commit), Memory: w.Memory, Segments: w.Segments, Waiting: w.Waiting,
			Linked: w.Linked, Known: w.Known, Sent: w.Sent, Taken: w.Taken,
			Refused: countsOf(w.Refused), TurnedAway: countsOf(w.TurnedAway), Dropped: countsOf(w.Dropped),
		}
	}
	return stats, nil
}

func timesOf(t wire.Times) Times { return Times{micros(t.Half), micros(t.Most)} }

func micros(n uint64) time.Duration {
	return time.Duration(min(n, math.MaxInt64/uint64(time.Microsecond))) * time.Microsecond
}

func countsOf(list []wire.Count) []Count {
	var counts []Count
	for _, c := range list {
		counts = append(counts, Count{chat.OneLine(c.What), c.N})
	}
	return counts
}
