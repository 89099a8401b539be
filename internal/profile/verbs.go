package profile

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
)

// ErrUsage marks a mistake in the command line.
var ErrUsage = errors.New("usage")

// usageError is a mistake in a sentence for who made it.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }
func (e *usageError) Unwrap() error { return ErrUsage }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// Console is what a verb works with.
type Console struct {
	Out  io.Writer // for what was asked for
	Err  io.Writer // for all else
	Name func() string
	// Standing returns what the environment or the settings file says in place of a flag, or nothing.
	Standing func(flag string) string
	// WithPort completes an address that says no port.
	WithPort func(address string) string
}

// parse reads the flags of a verb, each of which the environment or the settings file can stand in for, and returns what is no flag. Flags may stand before or behind
// that. help says that the verb's page was asked for, and is printed.
func (c *Console) parse(verb, page string, args []string, values map[string]*string) (rest []string, help bool, err error) {
	flags := flag.NewFlagSet(verb, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	for name, value := range values {
		*value = c.Standing(name)
		flags.Func(name, "", func(s string) error {
			if *value = s; s == "" {
				return errors.New("it is empty")
			}
			return nil
		})
	}
	for {
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			_, err = io.WriteString(c.Out, page)
			return nil, true, err
		} else if err != nil {
			return nil, false, usagef("%s: %v", verb, err)
		}
		if args = flags.Args(); len(args) == 0 {
			return rest, false, nil
		}
		rest, args = append(rest, args[0]), args[1:]
	}
}

const idPage = `chatnode id: who am I to a node?

    chatnode id                    the key of the login name
    chatnode id -name carol        the key of another name
    chatnode id -identity FILE     the key in a file

It prints the key's id in groups, for reading aloud, then as one word, for copying, then the file that the key is in. A key that is not there is
made. Whoever has a copy of the file is the same person to every node: docs/operations.md says how to take it to a second machine.

  -name NAME         whose key ($CHATNODE_NAME)
  -identity FILE     a key elsewhere ($CHATNODE_IDENTITY)

Exit codes: 0 done; 1 the key can't be read, or made; 2 usage.
`

// ID is the verb id: it prints the id of a key. Its errors are marked with ErrUsage, or are none of the command line's.
func ID(_ context.Context, args []string, c *Console) error {
	var name, file string
	rest, help, err := c.parse("id", idPage, args, map[string]*string{"name": &name, "identity": &file})
	switch {
	case err != nil || help:
		return err
	case len(rest) > 0:
		return usagef("id: %q is too much; -name NAME says whose", rest[0])
	case name != "" && !chat.ValidName(name):
		return usagef("-name %q: %s", name, chat.NameRule)
	case name == "":
		name = c.Name()
	}
	key, file, err := c.key(name, file)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.Out, "%s\n%s\n%s\n", key.ID().Grouped(), key.ID(), file)
	return err
}

// key returns a key and its file, and says so when it is new.
func (c *Console) key(name, file string) (*identity.Key, string, error) {
	whose, load := file, func() (*identity.Key, error) { return identity.LoadOrMake(file, rand.Reader) }
	if file == "" {
		var err error
		if file, err = keyFile(name); err != nil {
			return nil, "", err
		}
		whose, load = name, func() (*identity.Key, error) { return keyOf(name, rand.Reader) }
	}
	_, err := os.Lstat(file)
	fresh := errors.Is(err, fs.ErrNotExist)
	key, err := load()
	if err != nil {
		return nil, "", err
	}
	if fresh {
		fmt.Fprintf(c.Err, "-- there was no key of %s yet: this one is new\n", whose)
	}
	if full, err := filepath.Abs(file); err == nil {
		file = full
	}
	return key, file, nil
}

const trustPage = `chatnode trust: which nodes do I know?

    chatnode trust                       list them, by the ids of their keys, with their addresses
    chatnode trust HOST:PORT ID          from now on the node at this address is this one

A client remembers who answered at an address, and refuses another node there with exit code 6. When the node was set up anew, or moved, ask whoever
runs it for the id, and say it here. An id may be in groups, as it is read aloud, and in capitals.

  -data DIR          the client's folder, where one was given to it ($CHATNODE_DATA)

Exit codes: 0 done; 1 the list can't be read or written; 2 usage.
`

// Trust is the verb trust: it lists the nodes that are known, or says which one an address has. Its errors are as those of ID.
func Trust(_ context.Context, args []string, c *Console) error {
	var dir string
	rest, help, err := c.parse("trust", trustPage, args, map[string]*string{"data": &dir})
	if err != nil || help {
		return err
	}
	if len(rest) != 0 && len(rest) != 2 {
		return usagef("trust takes an address and an id, or nothing: chatnode trust HOST:PORT ID")
	}
	known, note, err := OpenKnown(dir)
	switch {
	case err != nil:
		return err
	case note != "":
		return errors.New(note)
	case len(rest) == 0:
		return c.list(known)
	}
	address, err := identity.NormalAddress(c.WithPort(rest[0]))
	if err != nil {
		return usagef("%v", err)
	}
	id, err := identity.ParseID(rest[1])
	if err != nil {
		return usagef("%.80q is no node's id, or has a mistake in it: one begins with cn1 and is 59 characters long", rest[1])
	}
	return c.trust(known, address, id)
}

func (c *Console) list(known *identity.Known) error {
	nodes, err := known.List()
	if err != nil {
		return err
	}
	if len(nodes) == 0 {
		fmt.Fprintln(c.Err, "-- no node is known yet")
	}
	var text strings.Builder
	for _, node := range nodes {
		fmt.Fprintln(&text, strings.Join(append([]string{node.ID.Grouped()}, node.Addresses...), " "))
	}
	_, err = io.WriteString(c.Out, text.String())
	return err
}

func (c *Console) trust(known *identity.Known, address string, id identity.ID) error {
	was, met := known.At(address)
	if err := known.Trust(address, id); err != nil {
		return err
	}
	text := fmt.Sprintf("%s is the node %s", address, id.Grouped())
	if met && was != id {
		text += "\nit was " + was.Grouped()
	}
	_, err := fmt.Fprintln(c.Out, text)
	return err
}
