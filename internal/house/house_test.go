// Package house is for tests alone: the rules of the whole house, which no single room can hold.
package house

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/settings"
)

// root is where the house's front is, from here.
const root = "../../"

// floors are the rooms of the house, by the floor they stand on: a room imports rooms of lower floors alone.
var floors = map[string]int{
	"chat": 0, "disk": 0, "errand": 0,
	"wire": 1, "frame": 1, "identity": 1, "store": 1, "command": 1, "journal": 1, "door": 1, "markup": 1, "scroll": 1, "seal": 1,
	"hub": 2, "client": 2,
	"session": 3, "mesh": 3, "talk": 3, "bench": 3, "upkeep": 3, "profile": 3, "settings": 3, "discover": 3,
	"lines": 4, "tui": 4, "premises": 4, "metrics": 4,
}

// forTests are the rooms that only tests import.
var forTests = map[string]bool{"faults": true, "oracle": true, "screen": true, "story": true, "trial": true, "siege": true, "typist": true, "county": true, "house": true, "pipe": true, "sim": true}

// upstairs are imports within floor 1 that are meant: who a row is of, and what it says; whose a sealed text is.
var upstairs = map[string]bool{"store identity": true, "store wire": true, "seal identity": true}

// owners are the rooms that may import a library.
var owners = map[string][]string{
	"github.com/hashicorp/yamux":            {""},
	"golang.org/x/term":                     {""},
	"github.com/fxamacker/cbor/v2":          {"wire"},
	"github.com/rivo/uniseg":                {"chat"},
	"golang.org/x/text/unicode/norm":        {"chat"},
	"golang.org/x/text/secure/bidirule":     {"chat"},
	"golang.org/x/time/rate":                {"hub", "session", "door"},
	"golang.org/x/sys/unix":                 {"frame", "disk"},
	"golang.org/x/sys/windows":              {"disk"},
	"github.com/gofrs/flock":                {"disk"},
	"modernc.org/sqlite":                    {"store"},
	"modernc.org/sqlite/lib":                {"store"},
	"rsc.io/qr":                             {"talk"},
	"github.com/hashicorp/mdns":             {"discover"},
	"github.com/miekg/dns":                  {"discover"}, // the types of mdns
	"charm.land/bubbletea/v2":               {"tui"},
	"charm.land/lipgloss/v2":                {"tui"},
	"github.com/charmbracelet/colorprofile": {"tui"},
	"github.com/charmbracelet/x/ansi":       {"tui"},
}

// The root is the front of the house: everything further lives in the rooms.
func TestRootHoldsNoOtherFiles(t *testing.T) {
	files, err := filepath.Glob(root + "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	if diff := cmp.Diff([]string{"integration_test.go", "main.go", "mux.go", "node.go", "node_test.go"}, files); diff != "" {
		t.Errorf("Go files of the root (-want +got):\n%s", diff)
	}
}

func TestFloors(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "chatnode/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for list := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := list.Decode(&pkg); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		room := strings.TrimPrefix(strings.TrimPrefix(pkg.ImportPath, "chatnode"), "/internal/")
		if forTests[room] {
			continue // that only tests import them is checked below
		}
		floor, known := floors[room]
		if !known && room != "" {
			t.Errorf("room %q stands on no floor", room)
		}
		for _, imported := range pkg.Imports {
			other, ours := strings.CutPrefix(imported, "chatnode/internal/")
			switch {
			case ours && room != "" && floors[other] >= floor && !upstairs[room+" "+other]:
				t.Errorf("%s imports %s, which is not below it", room, other)
			case ours && forTests[other]:
				t.Errorf("%s imports %s, which is for tests", room, other)
			case !ours && strings.Contains(strings.Split(imported, "/")[0], "."):
				if !slices.Contains(owners[imported], room) {
					t.Errorf("%q imports %s, which belongs to %q", room, imported, owners[imported])
				}
			}
		}
	}
}

// The README's table of flags is the one in the code.
func TestReadmeNamesEveryFlag(t *testing.T) {
	readme, err := os.ReadFile(root + "README.md")
	if err != nil {
		t.Fatal(err)
	}
	var inCode []string
	for _, group := range settings.Groups {
		for _, opt := range group.Options {
			inCode = append(inCode, fmt.Sprintf("| `%s` | %s |", strings.TrimSpace("-"+opt.Name+" "+strings.ReplaceAll(opt.Arg, "|", `\|`)), opt.Help))
		}
	}
	inReadme := regexp.MustCompile("(?m)^\\| `-.*$").FindAllString(string(readme), -1)
	if diff := cmp.Diff(inCode, inReadme); diff != "" {
		t.Errorf("flags (-code +README.md):\n%s", diff)
	}
}
