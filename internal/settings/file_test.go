package settings

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/identity"
)

// TestMain keeps tests away from the settings of whoever runs them.
func TestMain(m *testing.M) {
	home, err := os.MkdirTemp("", "chatnode-settings-")
	if err != nil {
		panic(err)
	}
	os.Setenv("XDG_CONFIG_HOME", home)
	code := m.Run()
	os.RemoveAll(home)
	os.Exit(code)
}

// home gives a test an account of its own, and its settings file a text.
func home(t *testing.T, text string) (file string) {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	file, err := usualFile()
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o700)
	}
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

const both = `
# a file of somebody who has a node and talks
connect = plant:8080
connect = 'lab'
name = "carol"
	room	=	ops
room = lobby
tail = 20
identity = ~/keys/carol.key
wait = true

title = "Plant #3"
rate = 5
keep-age = 90d
keep-size = 1GB
invite-only = true
admin = ` + carol + `
log = json
#title = another
`

func TestFile(t *testing.T) {
	for name, text := range map[string]string{"plain": both, "from Windows": "\ufeff" + strings.ReplaceAll(both, "\n", "\r\n")} {
		t.Run(name, func(t *testing.T) {
			home(t, text)
			t.Setenv("HOME", "/home/carol")
			defaults := Options{Rate: defaultRate, RoomRate: defaultRoomRate, MaxSessions: defaultMaxSessions, KeepFree: defaultReserve, Timeout: defaultTimeout, AwayAfter: defaultAway, Log: "json"}
			client, node := defaults, defaults
			client.Connect, client.Name, client.Rooms, client.Tail, client.Wait = []string{"plant:8080", "lab"}, "carol", []string{"ops", "lobby"}, Tail{20, true}, true
			client.Identity = "/home/carol/keys/carol.key"
			id, err := identity.ParseID(carol)
			if err != nil {
				t.Fatal(err)
			}
			node.Listen, node.Title, node.Rate, node.KeepAge, node.KeepSize, node.InviteOnly, node.Admins = ":0", "Plant #3", 5, 90*24*time.Hour, 1<<30, true, []identity.ID{id}
			for _, c := range []struct {
				args []string
				want Options
			}{{nil, client}, {[]string{"-listen", ":0"}, node}} {
				got, err := Parse(c.args, "")
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(&c.want, got); runtime.GOOS != "windows" && diff != "" {
					t.Errorf("%q (-want +got):\n%s", c.args, diff)
				}
			}
		})
	}
}

// TestFileYields: what is given wins, and with it what the file says gives way that can't go together with it.
func TestFileYields(t *testing.T) {
	abs := filepath.Join(t.TempDir(), "store")
	bare := strings.Replace(link, "ops", "", 1)
	for name, c := range map[string]struct {
		file string
		env  string // KEY=VALUE
		args string
		want func(*Options) bool
	}{
		"to a flag":              {"name = bob", "", "-name carol", func(o *Options) bool { return o.Name == "carol" }},
		"to the environment":     {"name = bob", "NAME=carol", "", func(o *Options) bool { return o.Name == "carol" }},
		"to an empty variable":   {"name = bob", "NAME=", "", func(o *Options) bool { return o.Name == "" }},
		"to a switch turned off": {"wait = true", "", "-wait=false", func(o *Options) bool { return !o.Wait }},
		"to a list, as a whole":  {"room = ops\nroom = lab", "", "-room lobby", func(o *Options) bool { return cmp.Equal(o.Rooms, []string{"lobby"}) }},
		"an address to a link":   {"connect = lab", "", "-invite " + link, func(o *Options) bool { return cmp.Equal(o.Connect, []string{"plant:8080"}) }},
		"no address to a token":  {"connect = lab", "INVITE=" + ones, "", func(o *Options) bool { return cmp.Equal(o.Connect, []string{"lab"}) && o.Token != nil }},
		"rooms to a link's":      {"room = lab", "", "-connect " + link, func(o *Options) bool { return cmp.Equal(o.Rooms, []string{"ops"}) }},
		"rooms to an invitation": {"room = lab", "INVITE=" + link, "", func(o *Options) bool { return cmp.Equal(o.Rooms, []string{"ops"}) }},
		"not to a link's none":   {"room = lab", "", "-connect " + bare, func(o *Options) bool { return cmp.Equal(o.Rooms, []string{"lab"}) }},
		"a link of its own":      {"connect = '" + link + "'", "", "", func(o *Options) bool { return len(o.Links) == 1 && cmp.Equal(o.Rooms, []string{"ops"}) }},
		"data to -ephemeral":     {"data = " + abs, "", "-listen :0 -ephemeral", func(o *Options) bool { return o.Ephemeral && o.Data == "" }},
		"ephemeral to -data":     {"ephemeral = true", "", "-listen :0 -data d", func(o *Options) bool { return !o.Ephemeral && o.Data == "d" }},
		"for a client too":       {"ephemeral = true\ndata = " + abs, "", "-name carol", func(o *Options) bool { return !o.Ephemeral && o.Data == abs }},
		"json to -whole":         {"json = true\ncommands = true", "", "-whole", func(o *Options) bool { return o.Whole && !o.JSON && !o.Commands }},
		"nothing said":           {"name =\nconnect = ''\ntail=\nkeep-age=\nkeep-size=", "", "", func(o *Options) bool { return o.Name == "" && o.Connect == nil && !o.Tail.Given }},
		"all of it to -version":  {"nonsense", "", "-version", func(o *Options) bool { return o.Version }},
		"all of it to none":      {"nonsense", "CONFIG=", "", func(o *Options) bool { return true }},
		"a node with a user": {"connect = lab\nroom = ops\naway-after = never\nname = bob", "", "-listen :0 -name carol", func(o *Options) bool {
			return o.Connect == nil && o.Name == "carol" && len(o.Rooms) == 1 && o.AwayAfter < 0
		}},
		"a node without a peer": {"connect = lab\nname = carol\nidentity = " + abs, "", "-listen :0", func(o *Options) bool { return o.Connect == nil && o.Name == "" && o.Identity == "" }},
	} {
		t.Run(name, func(t *testing.T) {
			home(t, c.file)
			if variable, value, set := strings.Cut(c.env, "="); set {
				t.Setenv("CHATNODE_"+variable, value)
			}
			if o, err := Parse(strings.Fields(c.args), ""); err != nil || !c.want(o) {
				t.Errorf("%+v, %v", o, err)
			}
		})
	}
}

// TestFileRefused: with its path and the line, without a word of what can be a token.
func TestFileRefused(t *testing.T) {
	for text, says := range map[string]string{
		"\n\nchatnode":                       "line 3: a line reads KEY = VALUE, or begins with #",
		"= carol":                            "line 1: a line reads",
		"na me = carol":                      "line 1: a line reads",
		link:                                 "line 1: a line reads",
		ones + " = x":                        "line 1: there is no such key; chatnode -h",
		"[client]":                           "line 1: a line reads",
		"nmae = carol":                       "line 1: there is no key nmae; did you mean name?",
		"-room_rate = 5":                     "there is no key -room_rate; did you mean room-rate?",
		"Name = carol":                       "there is no key Name; did you mean name?",
		"giraffe = 1":                        "there is no key giraffe; chatnode -h lists",
		"abcdefghijklmnopqrstuv = 1":         "there is no such key; chatnode -h lists",
		"listen = :8080":                     "listen is not for a file: whether this is a node is said each time",
		"invite = " + ones:                   "invite is not for a file: an invitation is used once",
		"config = x":                         "config is not for a file",
		"version = true":                     "version is not for a file",
		"since = 1":                          "since is not for a file",
		"whole = true":                       "whole is not for a file",
		"name = a\n#\nname = b":              "line 3: name is set in line 1 already",
		"name =\nname = b":                   "line 2: name is set in line 1 already",
		"wait = yes":                         "wait: it is true or false",
		"wait =":                             "wait: it is true or false",
		"rate = many":                        "rate: it is a number",
		"rate =":                             "rate: it is a number",
		"rate = -1":                          "can't be negative",
		"max-sessions = 1e9":                 "max-sessions: it is a number",
		"tail = many":                        "tail: must be a number from 0 to 500",
		"tail = 501":                         "tail: must be a number from 0 to 500",
		"keep-age = soon":                    "keep-age: is not a duration such as 90s",
		"timeout = 0s":                       "timeout: must be more than 0",
		"keep-size = -1GB":                   "keep-size: is not a size such as 64KB",
		"admin = carol":                      "admin: that is not a key id: one begins with cn1",
		"log = xml":                          "line 1: log: it is text or json",
		"room = UPPER":                       "line 1: room: ",
		"room = #ops":                        "room: a comment has a line of its own; a value with a # in it stands in quotes",
		"name = carol # me":                  "name: a comment has a line of its own",
		"name = carol\t# me":                 "name: a comment has a line of its own",
		`name = "carol" # me`:                "name: the quotes that begin the value have to end the line",
		`name = "`:                           "name: the quotes that begin",
		`name = 'carol"`:                     "name: the quotes that begin",
		"name = a/b":                         "line 1: name: ",
		"title = a\x1b[2Jb":                  "title: the value has characters in it that can't be seen",
		"title = a\rname = b":                "title: the value has characters in it that can't be seen",
		"title = a\x00b":                     "title: the value has characters in it that can't be seen",
		"title = " + strings.Repeat("x", 81): "line 1: title: at most",
		"data = store":                       "data: a path in a file is a whole one, or begins with ~/",
		"identity = ./key":                   "identity: a path in a file is a whole one",
		"data = ~bob/store":                  "data: a path in a file is a whole one",
		"connect = " + ones + "?t=" + ones:   "connect: that is neither a host and a port, such as plant:8080, nor an invitation",
		"connect = plant:http":               "connect: that is neither a host and a port",
		"connect = " + link + "x":            "line 1: connect: an invitation's token has",
		"connect = " + link + "&t=" + ones:   "line 1: connect: the invitation says something",
		"name = " + link:                     "name: an invitation stands behind connect",
		"public = see " + link:               "public: an invitation stands behind connect",
		"log = " + ones:                      "line 1: log: it is text or json",
		"keep-age = " + ones:                 "keep-age: is not a duration",
		"title = caf\xe9":                    "is not text in UTF-8",
		"\xff\xfen\x00a\x00":                 "is not text in UTF-8",
		"#" + strings.Repeat("x", maxFile):   "is longer than 64KB",
		strings.Repeat("room = a\n", maxFile/9) + "x": "line 7282: a line reads",
	} {
		file := home(t, text)
		o, err := Parse([]string{"-name", "carol"}, "")
		var usage *UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), file) {
			t.Errorf("%.80q: %+v, %v; want a usage error with %q", text, o, err, says)
		} else if strings.Contains(err.Error(), ones) {
			t.Errorf("%.80q: the token is in %v", text, err)
		}
		if _, err := Standing(); !errors.As(err, &usage) {
			t.Errorf("%.80q: a verb gets %v", text, err)
		}
	}
}

// TestFileInTheWay: the usual file need not be there, a named one has to be, and both have to be files that nobody else writes.
func TestFileInTheWay(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing here")
	}
	file := home(t, "name = bob")
	refused := func(what, says string, args ...string) {
		t.Helper()
		var usage *UsageError
		if o, err := Parse(args, ""); !errors.As(err, &usage) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %+v, %v; want a usage error with %q", what, o, err, says)
		}
	}
	taken := func(what, name string, args ...string) {
		t.Helper()
		if o, err := Parse(args, ""); err != nil || o.Name != name {
			t.Errorf("%s: %+v, %v; want the name %q", what, o, err, name)
		}
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	taken("others can read it", "bob")
	taken("none is named", "", "-config", "")
	for _, mode := range []os.FileMode{0o620, 0o602, 0o666} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		refused(mode.String(), "run: chmod go-w "+file)
		refused(mode.String(), "run: chmod go-w "+file, "-config", file)
	}
	if err := os.Chmod(file, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(file); err != nil { // not so for root
		refused("unreadable", "permission denied")
	}
	refused("a folder", "not a file of text", "-config", filepath.Dir(file))
	refused("a device", "not a file of text", "-config", os.DevNull)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	taken("none", "")
	refused("a named one that is not there", "there is no settings file "+file+"; chatnode init -config FILE", "-config", file)
	t.Setenv("CHATNODE_CONFIG", file)
	refused("a variable's that is not there", "there is no settings file "+file)
	if err := os.WriteFile(file, []byte("name = alice"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken("a variable's", "alice")
	refused("the flag wins", "there is no settings file other", "-config", "other")
	t.Setenv("XDG_CONFIG_HOME", file) // a file where a folder should be
	t.Setenv("CHATNODE_CONFIG", "")
	os.Unsetenv("CHATNODE_CONFIG")
	taken("no place for one", "")
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("HOME", "")
	taken("no home", "")
}

func TestStanding(t *testing.T) {
	home(t, "name = bob\nroom = a\nroom = b")
	t.Setenv("CHATNODE_DATA", "/d")
	t.Setenv("CHATNODE_ROOM", "")
	standing, err := Standing()
	if err != nil {
		t.Fatal(err)
	}
	for flag, want := range map[string]string{"name": "bob", "data": "/d", "room": "", "identity": ""} {
		if got := standing(flag); got != want {
			t.Errorf("%s: %q, want %q", flag, got, want)
		}
	}
}

// TestInit: what it writes says nothing; with every line uncommented it still says what holds without it; and it has every key, with its help.
func TestInit(t *testing.T) {
	file := home(t, "")
	if err := os.RemoveAll(filepath.Dir(file)); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if err := Init(t.Context(), nil, &stdout, &stderr); err != nil || stdout.String() != file+"\n" {
		t.Fatalf("%q, %v; want the path", stdout.String(), err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o600) {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if entries, err := parseFile(string(text)); err != nil || len(entries) > 0 {
		t.Errorf("it sets %v, %v", entries, err)
	}
	want := &Options{}
	want.flags()
	uncommented := regexp.MustCompile("(?m)^#([a-z])").ReplaceAllString(string(text), "$1")
	for _, args := range [][]string{nil, {"-listen", ":0"}} {
		if err := os.WriteFile(file, []byte(uncommented), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Parse(args, "")
		if err != nil {
			t.Fatal(err)
		}
		got.Listen = ""
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("uncommented, %q (-default +got):\n%s", args, diff)
		}
	}
	entries, err := parseFile(uncommented)
	if err != nil {
		t.Fatal(err)
	}
	var inFile, inTable []string
	for _, e := range entries {
		inFile = append(inFile, e.key)
	}
	for _, group := range Groups {
		for _, opt := range group.Options {
			if _, not := notKeys[opt.Name]; !not {
				inTable = append(inTable, opt.Name)
			}
			if _, not := notKeys[opt.Name]; strings.Contains(string(text), opt.Help+"\n#"+opt.Name+" =") == not {
				t.Errorf("-%s and its help: in the file is %t", opt.Name, not)
			}
		}
	}
	if diff := cmp.Diff(inTable, inFile); diff != "" {
		t.Errorf("keys (-table +file):\n%s", diff)
	}
}

func TestInitRefuses(t *testing.T) {
	file := home(t, "name = bob")
	var out bytes.Buffer
	if err := Init(t.Context(), nil, &out, &out); err == nil || !strings.Contains(err.Error(), file+" is there already and stays as it is; move it away first") {
		t.Errorf("a file that is there: %v", err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "name = bob" {
		t.Errorf("now it has %q, %v", text, err)
	}
	if files, err := os.ReadDir(filepath.Dir(file)); err != nil || len(files) != 1 {
		t.Errorf("beside it: %v, %v", files, err)
	}
	for _, args := range [][]string{{"now"}, {"-nonsense"}} {
		var usage *UsageError
		if err := Init(t.Context(), args, &out, &out); !errors.As(err, &usage) {
			t.Errorf("%q: %v", args, err)
		}
	}
	nowhere := filepath.Join(t.TempDir(), "not", "there")
	if err := Init(t.Context(), []string{"-config", nowhere}, &out, &out); err == nil {
		t.Error("a folder that is not there was written to")
	}
	if err := Init(t.Context(), []string{"-h"}, &out, &out); err != nil || !strings.HasSuffix(out.String(), initPage) {
		t.Errorf("-h: %v", err)
	}
	t.Setenv("CHATNODE_CONFIG", filepath.Join(t.TempDir(), "mine"))
	out.Reset()
	if err := Init(t.Context(), nil, &out, &bytes.Buffer{}); err != nil || out.String() != os.Getenv("CHATNODE_CONFIG")+"\n" {
		t.Errorf("a variable's: %q, %v", out.String(), err)
	}
}

// FuzzFile: whatever a file holds, it is refused by a line of its own without a token being repeated, or each value can be set, and means the same when it
// is written down again.
func FuzzFile(f *testing.F) {
	f.Add(both)
	f.Add(Template())
	f.Add(regexp.MustCompile("(?m)^#([a-z])").ReplaceAllString(Template(), "$1"))
	f.Add("connect = " + link + "\nname = '" + ones + "'")
	f.Add("keep-age = " + ones + "\r\nrate = 0x1p-2\n = \n#")
	named := regexp.MustCompile(`^line (\d+): `)
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > maxFile>>6 { // longer ones only take longer
			return
		}
		entries, err := parseFile(text)
		if err != nil {
			line := named.FindStringSubmatch(err.Error())
			if line == nil {
				t.Fatalf("%v names no line", err)
			}
			if n, _ := strconv.Atoi(line[1]); n < 1 || n > strings.Count(text, "\n")+1 {
				t.Errorf("%v: there is no such line", err)
			}
			if strings.Contains(err.Error(), ones) {
				t.Errorf("the token is in %v", err)
			}
			return
		}
		var again strings.Builder
		o := &Options{}
		flags := o.flags()
		for _, e := range entries {
			if err := flags.Set(e.key, e.value); err != nil && e.value != "" {
				t.Errorf("%+v can't be set: %v", e, err)
			}
			fmt.Fprintf(&again, "%s%s = \"%s\"\n", strings.Repeat("\n", e.line-strings.Count(again.String(), "\n")-1), e.key, e.value)
		}
		got, err := parseFile(again.String())
		if diff := cmp.Diff(entries, got, cmp.AllowUnexported(entry{})); err != nil || diff != "" {
			t.Errorf("written again (-first +second), %v:\n%s", err, diff)
		}
	})
}
