// Package upkeep is what whoever runs a node does with its store: check it, export it, back it up. It only reads what a node writes, and works
// beside one that is running.
package upkeep

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"chatnode/internal/store"
)

var (
	// ErrUsage marks a mistake in the command line.
	ErrUsage = errors.New("usage")
	// ErrNotOpened marks a store that is not there or can't be opened.
	ErrNotOpened = errors.New("not opened")
	// ErrFault marks a store in which something can't be true.
	ErrFault = errors.New("fault")
)

// marked is an error whose sentence does not say what it is marked as.
type marked struct {
	error
	mark error
}

func (m *marked) Unwrap() []error { return []error{m.error, m.mark} }

func usagef(format string, args ...any) error { return &marked{fmt.Errorf(format, args...), ErrUsage} }

// Console is what a verb works with.
type Console struct {
	Out  io.Writer // for what was asked for
	Err  io.Writer // for all else
	Wide int       // columns of the terminal that Err is; 0: it is none, and nothing is drawn
	Same bool      // Out is a terminal too: what is drawn would stand between what is printed
	Zone *time.Location
	Now  func() time.Time
	// Data returns the store that is meant when none is named, and whether somebody chose it.
	Data func() (dir string, chosen bool, err error)
}

// order is a command line taken apart.
type order struct {
	data string   // of -data
	args []string // that are no flags
}

// parse reads the flags of a verb, which may stand before or behind its other arguments. It returns flag.ErrHelp when help is asked for.
func parse(flags *flag.FlagSet, args []string) (*order, error) {
	o := &order{}
	flags.SetOutput(io.Discard)
	flags.Func("data", "", func(s string) error {
		if o.data = s; s == "" {
			return errors.New("it names no folder")
		}
		return nil
	})
	for {
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, err
		} else if err != nil {
			return nil, usagef("%s: %w", flags.Name(), err)
		}
		if args = flags.Args(); len(args) == 0 {
			return o, nil
		}
		o.args, args = append(o.args, args[0]), args[1:]
	}
}

// help prints a verb's page where that was asked for.
func help(c *Console, err error, page string) error {
	if errors.Is(err, flag.ErrHelp) {
		_, err = io.WriteString(c.Out, page)
	}
	return err
}

// source returns where the store is that a command line is about, and says so when nobody has named it and there are others.
func (o *order) source(c *Console, named []string) (string, error) {
	if o.data != "" {
		named = append(named, o.data)
	}
	if len(named) > 1 {
		return "", usagef("one store at a time: %s", strings.Join(named, ", "))
	}
	if len(named) == 1 {
		return named[0], nil
	}
	dir, chosen, err := c.Data()
	if err != nil {
		return "", &marked{fmt.Errorf("find the store: %w; -data DIR names it", err), ErrNotOpened}
	}
	if others := store.Siblings(dir); len(others) > 0 && !chosen {
		fmt.Fprintf(c.Err, "-- this is about %s; -data names another: %s\n", dir, strings.Join(others, ", "))
	}
	return dir, nil
}

// open opens the store that a command line is about.
func (o *order) open(ctx context.Context, c *Console) (*store.Archive, error) {
	path, err := o.source(c, o.args)
	if err != nil {
		return nil, err
	}
	return open(ctx, path)
}

// open opens a store.
func open(ctx context.Context, path string) (*store.Archive, error) {
	a, err := store.OpenArchive(ctx, path)
	if err != nil && !errors.Is(err, store.ErrDamaged) && ctx.Err() == nil {
		err = &marked{err, ErrNotOpened}
	}
	return a, judge(ctx, err)
}

// judge says what an error means for a person.
func judge(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errors.New("stopped before the end")
	case errors.Is(err, store.ErrDamaged):
		return &marked{fmt.Errorf("the store is damaged: %w", err), ErrFault}
	}
	return err
}
