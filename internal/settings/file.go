package settings

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unicode/utf8"

	"chatnode/internal/chat"
	"chatnode/internal/command"
	"chatnode/internal/disk"
	"chatnode/internal/identity"
)

// maxFile is how long a settings file can be, in bytes.
const maxFile = 64 << 10

// notKeys are the flags that are no keys of the file, and why.
var notKeys = map[string]string{
	"config":  "a settings file names no other",
	"listen":  "whether this is a node is said each time: chatnode -listen :8080",
	"invite":  "an invitation is used once: chatnode -invite LINK; or keep the link itself as connect = LINK",
	"since":   "a cursor is for one time: chatnode -since CURSOR",
	"whole":   "it is for one input: chatnode -whole",
	"version": "it only prints something: chatnode -version",
}

// entry is a line of the file that sets something.
type entry struct {
	line       int
	key, value string // a path in value is whole
}

// takeFile sets from the settings file what was neither given nor is for the other side.
func (o *Options) takeFile(flags *flag.FlagSet, given map[string]bool) error {
	entries, err := readFile(o.Config, given["config"])
	if err != nil {
		return err
	}
	said := *o
	for _, e := range entries {
		if e.value == "" || given[e.key] || said.passesOver(e.key) {
			continue
		}
		if err := flags.Set(e.key, e.value); err != nil {
			return Usagef("%s: %v", e.key, e.tell(err))
		}
	}
	return nil
}

// passesOver reports whether what the file says under key is left out: it is for another kind of run, or excludes what was given. A node that is given a
// name has a user, for whom the file goes as for any.
func (o *Options) passesOver(key string) bool {
	leads := func(where string) bool {
		link, err := identity.ParseLink(where)
		return err == nil && link.Room != ""
	}
	excluded := false
	switch key {
	case "connect":
		excluded = identity.IsLink(o.Invite) || o.Listen != ""
	case "room":
		excluded = leads(o.Invite) || slices.ContainsFunc(o.Connect, leads)
	case "data":
		excluded = o.Ephemeral
	case "ephemeral":
		excluded = o.Data != ""
	case "json", "commands":
		excluded = o.Whole
	}
	group, _ := lookUp(key)
	both := o.Listen != "" && o.Name != "" // a node that somebody sits at
	return excluded || group == forClients && o.Listen != "" && !both || group == forNodes && o.Listen == ""
}

// Standing returns what stands in for a flag that a verb takes and that was not given: what the environment says, else the settings file, else nothing.
// The error is a *UsageError.
func Standing() (func(flag string) string, error) {
	path, named := os.LookupEnv(Variable("config"))
	entries, err := readFile(path, named)
	return func(flag string) string {
		if value, set := os.LookupEnv(Variable(flag)); set {
			return value
		}
		if i := slices.IndexFunc(entries, func(e entry) bool { return e.key == flag }); i >= 0 {
			return entries[i].value
		}
		return ""
	}, err
}

// usualFile returns where the settings file belongs.
func usualFile() (string, error) {
	dir, err := disk.ConfigDir()
	return filepath.Join(dir, "config"), err
}

// readFile returns what the file at path sets, if it was named, or else the usual one; an empty name is that of no file. That the usual one is not there,
// or nowhere to be, is no error. Every entry returned can be set.
func readFile(path string, named bool) ([]entry, error) {
	if !named {
		var err error
		if path, err = usualFile(); err != nil {
			return nil, nil
		}
	}
	if path == "" {
		return nil, nil
	}
	info, err := os.Stat(path)
	switch {
	case err != nil && !named:
		return nil, nil // a folder that can't be looked into has nothing of this account's
	case errors.Is(err, os.ErrNotExist):
		return nil, Usagef("there is no settings file %s; chatnode init -config FILE writes one", path)
	case err != nil:
		return nil, Usagef("the settings file can't be read: %v", err)
	case !info.Mode().IsRegular():
		return nil, Usagef("%s can't hold settings: it is not a file of text", path)
	case info.Mode().Perm()&0o022 != 0 && runtime.GOOS != "windows": // where a mode does not say who can write
		return nil, Usagef("others can write the settings file %s, and so say whom you talk to; run: chmod go-w %s", path, path)
	}
	text, err := readText(path)
	if err != nil {
		return nil, Usagef("the settings file can't be read: %v", err)
	}
	entries, err := parseFile(text)
	if err != nil {
		return nil, Usagef("%s, %v", path, err)
	}
	return entries, nil
}

// readText returns what the file at path holds, without the mark that some editors put before UTF-8.
func readText(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return "", err
	case len(text) > maxFile:
		return "", fmt.Errorf("%s is longer than %s", path, chat.FormatSize(maxFile))
	case !utf8.Valid(text):
		return "", fmt.Errorf("%s is not text in UTF-8", path)
	}
	return strings.TrimPrefix(string(text), "\ufeff"), nil
}

// parseFile returns what a file's text sets. Its errors name the line, and repeat nothing that stands behind a =, as that can be an invitation.
func parseFile(text string) ([]entry, error) {
	var entries []entry
	lines := map[string]int{}
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		e := entry{line: n}
		err := e.parse(line)
		again := false
		if err == nil {
			again, err = e.try()
		}
		if before := lines[e.key]; err == nil && before > 0 && !again {
			err = fmt.Errorf("%s is set in line %d already", e.key, before)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		lines[e.key] = n
		entries = append(entries, e)
	}
	return entries, nil
}

// parse takes a line apart.
func (e *entry) parse(line string) error {
	key, value, found := strings.Cut(line, "=")
	if e.key = strings.TrimSpace(key); !found || e.key == "" || strings.Trim(e.key, "abcdefghijklmnopqrstuvwxyz-_ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return errors.New("a line reads KEY = VALUE, or begins with #")
	}
	group, opt := lookUp(e.key)
	if why, not := notKeys[e.key]; not {
		return fmt.Errorf("%s is not for a file: %s", e.key, why)
	} else if group == "" {
		return unknown(e.key)
	}
	var err error
	if e.value, err = unquote(strings.TrimSpace(value)); err == nil && (opt.Arg == "DIR" || opt.Arg == "FILE") {
		e.value, err = wholePath(e.value)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", e.key, err)
	}
	return nil
}

// unknown says that there is no such key, and which one may be meant. A token, which is 22 characters long, is not repeated.
func unknown(key string) error {
	word := strings.ReplaceAll(strings.ToLower(strings.Trim(key, "-")), "_", "-")
	hint := "; chatnode -h lists the flags, which are the keys"
	if near := command.Nearest(word, keys()); near != "" {
		hint = "; did you mean " + near + "?"
	}
	if len(key) > 20 {
		return errors.New("there is no such key" + hint)
	}
	return fmt.Errorf("there is no key %s%s", key, hint)
}

// unquote returns a value without the quotes it stands in. What only looks like a comment, or like quotes, is refused, so that nobody reads a line
// otherwise than it is taken.
func unquote(value string) (string, error) {
	switch {
	case value == "":
		return "", nil
	case value[0] == '"' || value[0] == '\'':
		if len(value) < 2 || value[len(value)-1] != value[0] {
			return "", errors.New("the quotes that begin the value have to end the line")
		}
		value = value[1 : len(value)-1]
	case value[0] == '#' || strings.Contains(value, " #") || strings.Contains(value, "\t#"):
		return "", errors.New("a comment has a line of its own; a value with a # in it stands in quotes")
	}
	if chat.OneLine(value) != value {
		return "", errors.New("the value has characters in it that can't be seen")
	}
	return value, nil
}

// wholePath returns a path that means the same wherever chatnode is started, which is where a shell's ~/ and a relative path in a file differ from those
// of a command line.
func wholePath(path string) (string, error) {
	if rest, ours := strings.CutPrefix(path, "~/"); ours {
		home, err := os.UserHomeDir()
		return filepath.Join(home, rest), err
	}
	if path != "" && !filepath.IsAbs(path) {
		return "", errors.New("a path in a file is a whole one, or begins with ~/")
	}
	return path, nil
}

// try finds what is wrong with a value, as far as it is wrong wherever it is said, and whether its key may be given again.
func (e entry) try() (again bool, err error) {
	o := &Options{}
	f := o.flags().Lookup(e.key)
	switch f.Value.(type) {
	case *list, *ids:
		again = true
	}
	if e.value == "" && f.DefValue == "" {
		return again, nil
	}
	if _, err := normal(e.value); e.key == "connect" && err != nil && !identity.IsLink(e.value) {
		return again, errors.New("connect: that is neither a host and a port, such as plant:8080, nor an invitation")
	}
	if e.key != "connect" && strings.Contains(strings.ToLower(e.value), "chatnode://") {
		return again, fmt.Errorf("%s: an invitation stands behind connect", e.key)
	}
	if err := f.Value.Set(e.value); err != nil {
		return again, e.tell(fmt.Errorf("%s: %w", e.key, expected(f, err)))
	}
	if err = o.check(); err == nil {
		err = o.invitations()
	}
	return again, e.tell(err)
}

// expected returns err as something to mend a value by: what package flag says of switches and numbers is not.
func expected(f *flag.Flag, err error) error {
	switch _, opt := lookUp(f.Name); {
	case opt.Arg == "":
		return errors.New("it is true or false")
	case opt.Arg == "N" && f.Name != "tail":
		return errors.New("it is a number")
	}
	return err
}

// tell returns err as it is told of a file: with the key in place of a flag, and without the value, which can be an invitation.
func (e entry) tell(err error) error {
	if err == nil {
		return nil
	}
	text := strings.ReplaceAll(err.Error(), fmt.Sprintf(" %q", e.value), "")
	return errors.New(strings.Replace(text, "-"+e.key+":", e.key+":", 1))
}

// lookUp returns a row of the table and the title of its group, which is empty for a name that is in none.
func lookUp(name string) (group string, opt Option) {
	for _, group := range Groups {
		for _, opt := range group.Options {
			if opt.Name == name {
				return group.Title, opt
			}
		}
	}
	return "", Option{}
}

// keys returns all keys that a file can have.
func keys() (all []string) {
	for _, group := range Groups {
		for _, opt := range group.Options {
			if notKeys[opt.Name] == "" {
				all = append(all, opt.Name)
			}
		}
	}
	return all
}
