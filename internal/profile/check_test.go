package profile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/disk"
	"chatnode/internal/identity"
)

func TestCheck(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	known, _, err := OpenKnown("")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	check := Check(known, func(note string) { told = append(told, note) })
	plant, mallory, lab := newKey(t).ID(), newKey(t).ID(), newKey(t).ID()
	for range 2 {
		if err := check("plant:8080", plant); err != nil {
			t.Error(err)
		}
	}
	if err := known.Pin("lab:8080", lab); err != nil {
		t.Fatal(err)
	}
	if err := check("lab:8080", lab); err != nil {
		t.Errorf("an invited one: %v", err)
	}
	if err := check("plant:8080", mallory); !errors.As(err, new(*identity.ChangedError)) {
		t.Errorf("another node: %v", err)
	}
	if err := check("nowhere", plant); err == nil {
		t.Error("an address that is none is taken")
	}
	want := []string{"first time at plant:8080: the node is " + plant.Grouped() + "; compare that with what the node printed"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// TestCheckTellsOnceWhatIsNotKept: who comes back every ten seconds is not told so every ten seconds.
func TestCheckTellsOnceWhatIsNotKept(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_STATE_HOME", home)
	known, _, err := OpenKnown("")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(home, "chatnode", "known_nodes")
	if err := os.Mkdir(path+".lock", 0o700); err != nil { // where a file belongs
		t.Fatal(err)
	}
	if _, err := disk.TryLock(path + ".lock"); err == nil {
		t.Skip("a folder can be locked here")
	}
	var told []string
	check := Check(known, func(note string) { told = append(told, note) })
	plant := newKey(t).ID()
	for range 3 {
		if err := check("plant:8080", plant); err != nil {
			t.Error(err)
		}
	}
	if len(told) != 2 || !strings.HasPrefix(told[0], "first time") || !strings.Contains(told[1], "until this chatnode ends") {
		t.Errorf("told %q", told)
	}
	if err := check("plant:8080", newKey(t).ID()); !errors.As(err, new(*identity.ChangedError)) {
		t.Errorf("another node: %v", err)
	}
}
