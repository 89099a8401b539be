package settings

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"chatnode/internal/disk"
)

const initPage = `chatnode init: write a settings file

    chatnode init                  where chatnode looks for it
    chatnode init -config FILE     elsewhere; chatnode -config FILE takes it

It holds every setting with its default, each commented out, for its owner's eyes alone (0600). A file that is there is left as it is. The file's path
is printed.

  -config FILE       another place ($CHATNODE_CONFIG)

Exit codes: 0 done; 1 the file is there, or can't be written; 2 usage.
`

// Init is the verb init: it writes the settings file with every setting commented out. Of the command line's mistakes it returns a *UsageError.
func Init(_ context.Context, args []string, stdout, stderr io.Writer) error {
	path := os.Getenv(Variable("config"))
	flags := flag.NewFlagSet("init", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&path, "config", path, "")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		_, err = io.WriteString(stdout, initPage)
		return err
	} else if err != nil {
		return Usagef("init: %v", err)
	}
	if flags.NArg() > 0 {
		return Usagef("init: %q is too much; -config FILE says where", flags.Arg(0))
	}
	path, err := fileToWrite(path)
	if err != nil {
		return err
	}
	if err := disk.WriteNew(path, []byte(Template())); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already and stays as it is; move it away first, or name another one: chatnode init -config FILE", path)
	} else if err != nil {
		return fmt.Errorf("write the settings file: %w", err)
	}
	fmt.Fprintln(stderr, "-- a settings file with everything commented out; take the # away from what you want to set")
	_, err = fmt.Fprintln(stdout, path)
	return err
}

// fileToWrite returns the whole path of a settings file, named or the usual one, whose folder is made.
func fileToWrite(named string) (string, error) {
	if named != "" {
		return filepath.Abs(named)
	}
	path, err := usualFile()
	if err == nil {
		err = disk.MakeDir(filepath.Dir(path))
	}
	if err != nil {
		return "", fmt.Errorf("find the folder for settings: %w; -config FILE names another place", err)
	}
	return path, nil
}

// preamble begins a settings file.
const preamble = `# Settings of chatnode. Each is here with its default; take the # away from its line to change it.
#
# The keys are the names of flags, and chatnode -h lists them. What is said on the command line wins over CHATNODE_ROOM_RATE and its like in the
# environment, and those over this file. A node passes over what is for a client, and a client what is for a node.
#
# A comment has a line of its own. A value with a # in it stands in quotes. What may be given again is given again in another line. Nothing behind
# the = means what holds without the line. Paths are whole ones, or begin with ~/. Times are written 90s, 1h10m, 30d, sizes 64KB, 1GB.
`

// Template returns a settings file with every key, its help and its default, all of it commented out.
func Template() string {
	var text strings.Builder
	text.WriteString(preamble)
	flags := (&Options{}).flags()
	for _, group := range Groups {
		fmt.Fprintf(&text, "\n\n# %s\n", group.Title)
		for _, opt := range group.Options {
			if notKeys[opt.Name] == "" {
				line := fmt.Sprintf("#%s = %s", opt.Name, flags.Lookup(opt.Name).DefValue)
				fmt.Fprintf(&text, "\n# %s\n%s\n", strings.TrimPrefix(opt.Arg+": "+opt.Help, ": "), strings.TrimSpace(line))
			}
		}
	}
	return text.String()
}
