package upkeep

import (
	"context"
	"flag"
	"fmt"

	"chatnode/internal/store"
)

const backupPage = `chatnode backup: copy a store, while its node runs

    chatnode backup FILE                  of the store of port 8080 in the usual place
    chatnode backup -data DIR FILE        of another store

FILE holds all that a node needs, its private key too: keep it as you would keep a password. It is one moment's state, is checked before it
appears, and is never written over another file. To restore it, on any machine, without a node running:

    mkdir -p DIR && cp FILE DIR/chatnode.db && chatnode -listen :8080 -data DIR

DIR must not hold a store already. Clients then show one reset, and know the node by its key (docs/operations.md).

  -data DIR          the store's folder ($CHATNODE_DATA)

Exit codes: 0 the copy is whole and on the disk; 1 it can't be written; 2 usage; 3 there is no store, or it can't be opened; 8 the store is
damaged, and there is no copy.
`

// Backup is the verb backup: it returns an error that is marked with ErrUsage, ErrNotOpened or ErrFault, or is none of these.
func Backup(ctx context.Context, args []string, c *Console) error {
	o, err := parse(flag.NewFlagSet("backup", flag.ContinueOnError), args)
	switch {
	case err != nil:
		return help(c, err, backupPage)
	case len(o.args) != 1 || o.args[0] == "":
		return usagef("backup: say to which file, and that alone")
	case o.args[0] == "-":
		return usagef("backup: it writes a file, not to standard output")
	}
	path, err := o.source(c, nil)
	if err != nil {
		return err
	}
	a, err := open(ctx, path) // tells a store that can't be opened from a copy that can't be written
	if err != nil {
		return err
	}
	if err := a.Close(); err != nil {
		return err
	}
	bar := newBar(c)
	tally, err := store.Backup(ctx, path, o.args[0], bar.step)
	bar.end()
	if err != nil {
		return fmt.Errorf("there is no backup: %w", judge(ctx, err))
	}
	_, err = fmt.Fprintf(c.Out, "backed up to %s: %s\n", o.args[0], describe(&tally))
	return err
}
