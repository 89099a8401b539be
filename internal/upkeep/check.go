package upkeep

import (
	"context"
	"flag"
	"fmt"

	"chatnode/internal/store"
)

const checkPage = `chatnode check: is everything in the store as it was written?

    chatnode check                        the store of port 8080 in the usual place
    chatnode check -data DIR              another store
    chatnode check FILE                   a backup

It reads all that is kept, and holds every message to its number, its id, its author and the hash of its room's log, and what linked nodes
share to their signatures. It prints the first thing that can't be true, or a line that says how much there is. A node may run meanwhile; nothing is changed.

  -data DIR          the store's folder ($CHATNODE_DATA)

Exit codes: 0 all is well; 1 it could not be read to the end; 2 usage; 3 there is no store, or it can't be opened; 8 something can't be true.
`

// Check is the verb check: it returns an error that is marked with ErrUsage, ErrNotOpened or ErrFault, or is none of these.
func Check(ctx context.Context, args []string, c *Console) error {
	o, err := parse(flag.NewFlagSet("check", flag.ContinueOnError), args)
	if err != nil {
		return help(c, err, checkPage)
	}
	a, err := o.open(ctx, c)
	if err != nil {
		return err
	}
	defer a.Close()
	bar := newBar(c)
	tally, err := a.Check(ctx, bar.step)
	bar.end()
	if err != nil {
		return judge(ctx, err)
	}
	_, err = fmt.Fprintf(c.Out, "all is well: %s\n", describe(&tally))
	return err
}

// describe says how much there is.
func describe(t *store.Tally) string {
	text := count(int64(t.Rooms), "room", "rooms")
	if t.Conversations > 0 {
		text += ", " + count(int64(t.Conversations), "conversation", "conversations")
	}
	text += ", " + count(t.Messages, "message", "messages")
	if t.Logs > 0 {
		text += ", " + count(t.Entries, "entry", "entries") + " of " + count(int64(t.Logs), "log", "logs")
	}
	if !t.Node.IsZero() {
		text += ", node " + t.Node.String()
	}
	return text
}
