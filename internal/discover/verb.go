package discover

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"chatnode/internal/chat"
)

// ErrUsage marks a mistake in the command line.
var ErrUsage = errors.New("usage")

// usageError is a mistake in a sentence for who made it.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }
func (e *usageError) Unwrap() error { return ErrUsage }

const (
	waitUsually = 2 * time.Second
	waitAtMost  = time.Minute
)

const page = `chatnode discover: which nodes are on this network?

    chatnode discover              ask, and print who answers within 2 seconds
    chatnode discover -wait 10s    take more time
    chatnode discover -json        one JSON object for each

Nodes that were started with -discover answer. It prints the title of each, its id, a mark that nodes of one space share, and its addresses, the best first. Anybody
on the network can answer anything: compare the id with what the node printed.

  -wait TIME   how long to wait for answers, at most 1m (2s)
  -json        print JSON

Exit codes: 0 done, also when nobody has answered; 1 nobody could be asked; 2 usage.
`

// object is a node in JSON: docs/json.md is its contract.
type object struct {
	Type      string   `json:"type"` // node
	Title     string   `json:"title"`
	Node      string   `json:"node"`
	Space     string   `json:"space"`
	Addresses []string `json:"addresses"`
}

// Main is the verb discover. Its errors are marked with ErrUsage, or are none of the command line's.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	return run(ctx, args, Look, stdout, stderr)
}

func run(ctx context.Context, args []string, look func(context.Context, time.Duration) ([]Node, error), stdout, stderr io.Writer) error {
	flags, wait := flag.NewFlagSet("discover", flag.ContinueOnError), waitUsually
	flags.SetOutput(io.Discard)
	asJSON := flags.Bool("json", false, "")
	flags.Func("wait", "", func(text string) (err error) {
		if wait, err = chat.ParseDuration(text); err == nil && (wait < time.Millisecond || wait > waitAtMost) {
			err = errors.New("it is more than 0 and at most 1m")
		}
		return err
	})
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		_, err = io.WriteString(stdout, page)
		return err
	case err != nil:
		return &usageError{"discover: " + err.Error()}
	case flags.NArg() > 0:
		return &usageError{fmt.Sprintf("discover: %q is too much", flags.Arg(0))}
	}
	nodes, err := look(ctx, wait)
	switch {
	case err != nil:
		return fmt.Errorf("look for nodes: %w", err)
	case *asJSON:
		return printJSON(stdout, nodes)
	case len(nodes) == 0:
		_, err = fmt.Fprintln(stderr, "no node on this network announces itself: -discover has a node do so")
		return err
	}
	return printTable(stdout, nodes)
}

func printJSON(w io.Writer, nodes []Node) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	for _, n := range nodes {
		if err := out.Encode(object{Type: "node", Title: n.Title, Node: n.ID.String(), Space: n.Space, Addresses: n.Addresses}); err != nil {
			return err
		}
	}
	return nil
}

func printTable(w io.Writer, nodes []Node) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "TITLE\tNODE\tSPACE\tADDRESSES")
	for _, n := range nodes {
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", n.Title, n.ID, n.Space, strings.Join(n.Addresses, ", "))
	}
	return out.Flush()
}
