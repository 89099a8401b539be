package lines

import (
	"chatnode/internal/chat"
	"chatnode/internal/command"
)

// statsOf returns how a node is doing as an object.
func statsOf(from source, a *command.StatsAnswer) statsObject {
	object := statsObject{Type: "stats", source: from, UpMS: a.Up.Milliseconds(), Sessions: a.Sessions, Rooms: a.Rooms}
	if w := a.Work; w != nil {
		object.Work = &workObject{
			People: w.People, Conversations: w.Conversations, Messages: w.Messages, Deliveries: w.Deliveries, DeliveredBytes: w.DeliveredBytes,
			LagP50US: w.Lag.Half.Microseconds(), LagP99US: w.Lag.Most.Microseconds(),
			Commits: w.Commits, CommitP50US: w.Commit.Half.Microseconds(), CommitP99US: w.Commit.Most.Microseconds(),
			MemoryBytes: w.Memory, SegmentBytes: w.Segments, WaitingBytes: w.Waiting,
			NodesLinked: w.Linked, NodesKnown: w.Known, EntriesSent: w.Sent, EntriesTaken: w.Taken,
			Refused: countsOf(w.Refused), TurnedAway: countsOf(w.TurnedAway), Dropped: countsOf(w.Dropped),
		}
	}
	return object
}

func countsOf(list []command.Count) map[string]uint64 {
	counts := map[string]uint64{}
	for _, c := range list {
		counts[chat.OneLine(c.What)] += c.N
	}
	return counts
}
