package talk

import (
	"context"

	"chatnode/internal/client"
	"chatnode/internal/command"
)

// Stats returns how the node is doing.
func (a Asker) Stats(ctx context.Context) (command.StatsAnswer, error) {
	ctx, cancel := a.limit(ctx)
	defer cancel()
	is, err := a.Client.NodeStats(ctx)
	answer := command.StatsAnswer{Up: is.Up, Sessions: is.Sessions, Rooms: is.Rooms}
	if w := is.Work; w != nil {
		answer.Work = &command.Work{
			People: w.People, Conversations: w.Conversations, Messages: w.Messages, Deliveries: w.Deliveries, DeliveredBytes: w.DeliveredBytes,
			Lag: command.Times(w.Lag), Commits: w.Commits, Commit: command.Times(w.Commit), Memory: w.Memory, Segments: w.Segments, Waiting: w.Waiting,
			Linked: w.Linked, Known: w.Known, Sent: w.Sent, Taken: w.Taken,
			Refused: counts(w.Refused), TurnedAway: counts(w.TurnedAway), Dropped: counts(w.Dropped),
		}
	}
	return answer, err
}

func counts(list []client.Count) []command.Count {
	var counts []command.Count
	for _, c := range list {
		counts = append(counts, command.Count(c))
	}
	return counts
}
