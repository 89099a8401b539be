package command

import (
	"context"

	"chatnode/internal/chat"
)

// runRedact has the text of a message taken away: of the one that is named by its id, or the one that is selected.
func runRedact(ctx context.Context, env Env, which string) error {
	var id chat.ID
	if which != "" {
		var err error
		if id, err = chat.ParseID(which); err != nil || id.IsZero() {
			return badUsage(byName[redact], "%s is not the id of a message: 16 hexadecimal digits, as -json has them", quote(which))
		}
	}
	return inRoom(env, "", func(room string) error { return env.Redact(ctx, room, id) })
}
