package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/disk"
)

// nodes are ids of nodes that tests meet.
var plant, lab, mallory = ID{1}, ID{2}, ID{3}

func openKnown(t *testing.T, path string) *Known {
	t.Helper()
	k, err := OpenKnown(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// meets checks a node and fails the test unless it is taken, for the first time or not.
func meets(t *testing.T, k *Known, address string, id ID, first bool) {
	t.Helper()
	if got, err := k.Check(address, id); err != nil || got != first {
		t.Errorf("Check(%q) = %v, %v; want %v", address, got, err, first)
	}
}

// refuses checks a node and returns why it is not taken.
func refuses(t *testing.T, k *Known, address string, id ID) *ChangedError {
	t.Helper()
	_, err := k.Check(address, id)
	var changed *ChangedError
	if !errors.As(err, &changed) {
		t.Fatalf("Check(%q): %v, want a *ChangedError", address, err)
	}
	return changed
}

func TestGrouped(t *testing.T) {
	got := fixedKey(t).ID().Grouped()
	if want := "cn1-ubiig7mf-a4cyfthx-hffqtcee-ptbrfs4i-ewnyssez-63zdttyx-sgszog3u"; got != want {
		t.Errorf("Grouped() = %s, want %s", got, want)
	}
	if id, err := ParseID(got); id != fixedKey(t).ID() || err != nil {
		t.Errorf("ParseID reads %v, %v from it", id, err)
	}
}

// TestKnown holds for a file and for memory alone.
func TestKnown(t *testing.T) {
	for name, path := range map[string]string{"file": filepath.Join(t.TempDir(), "new", "known_nodes"), "memory": ""} {
		t.Run(name, func(t *testing.T) {
			k := openKnown(t, path)
			meets(t, k, "plant:8080", plant, true)
			meets(t, k, "PLANT:08080", plant, false)
			meets(t, k, "10.0.0.5:8080", plant, false) // known elsewhere: it is not new
			meets(t, k, "lab:8080", lab, true)

			want := &ChangedError{Address: "plant:8080", Was: plant, Is: mallory}
			if diff := cmp.Diff(want, refuses(t, k, "plant:8080", mallory)); diff != "" {
				t.Errorf("an unknown node (-want +got):\n%s", diff)
			}
			want = &ChangedError{Address: "lab:8080", Was: lab, Is: plant, Known: []string{"10.0.0.5:8080", "plant:8080"}}
			if diff := cmp.Diff(want, refuses(t, k, "lab:8080", plant)); diff != "" {
				t.Errorf("a node from elsewhere (-want +got):\n%s", diff)
			}
			meets(t, k, "plant:8080", plant, false) // a refusal changes nothing

			if err := k.Trust("plant:8080", mallory); err != nil {
				t.Fatal(err)
			}
			meets(t, k, "plant:8080", mallory, false)
			refuses(t, k, "plant:8080", plant)
			meets(t, k, "10.0.0.5:8080", plant, false) // the other address stays
			if id, ok := k.At("Plant:8080"); id != mallory || !ok {
				t.Errorf("At = %v, %v", id, ok)
			}
			if err := k.Unsaved(); err != nil {
				t.Error(err)
			}
			if path == "" {
				return
			}
			list, err := openKnown(t, path).List()
			wantList := []KnownNode{{plant, []string{"10.0.0.5:8080"}}, {lab, []string{"lab:8080"}}, {mallory, []string{"plant:8080"}}}
			if diff := cmp.Diff(wantList, list); diff != "" || err != nil {
				t.Errorf("%v, list (-want +got):\n%s", err, diff)
			}
			if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
				t.Errorf("the file: %v, %v", info.Mode(), err)
			}
		})
	}
}

func TestKnownIn(t *testing.T) {
	k := openKnown(t, "")
	meets(t, k, "plant:8080", plant, true)
	if list, err := k.List(); err != nil || len(list) != 1 || list[0].ID != plant {
		t.Errorf("memory lists %v, %v", list, err)
	}
	for _, bad := range []string{"", "plant", ":8080", "plant:0", "plant:65536", "plant:http", "pl ant:1", "pl#ant:1", "a\nb:1", "::1", strings.Repeat("a", 254) + ":1", "[::1%a b]:1"} {
		if _, err := k.Check(bad, lab); err == nil {
			t.Errorf("%q is an address", bad)
		}
		if err := errors.Join(k.Trust(bad, lab)); err == nil {
			t.Errorf("%q can be trusted", bad)
		}
	}
	for in, want := range map[string]string{
		"PLANT:8080": "plant:8080", "[2001:DB8:0::5]:080": "[2001:db8::5]:80", "[::ffff:10.0.0.5]:1": "10.0.0.5:1", "[FE80::1%eth0]:1": "[fe80::1%eth0]:1",
		"ZOË.example:1": "zoë.example:1",
	} {
		if got, err := NormalAddress(in); got != want || err != nil {
			t.Errorf("NormalAddress(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

// TestInvitation: an invitation names the node before it is met, and is believed no more than what is known.
func TestInvitation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "known_nodes")
	k := openKnown(t, path)
	if err := k.Pin("plant:8080", plant); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what anybody can write is remembered before the node has shown its key: %v", err)
	}
	if e := refuses(t, k, "plant:8080", mallory); e.Why != NotInvited || e.Was != plant || e.Is != mallory {
		t.Errorf("another node: %+v", e)
	}
	meets(t, k, "plant:8080", plant, false) // nobody has to compare ids
	meets(t, openKnown(t, path), "plant:8080", plant, false)

	var changed *ChangedError
	if err := openKnown(t, path).Pin("plant:8080", mallory); !errors.As(err, &changed) || changed.Why != ByInvitation || changed.Was != plant {
		t.Errorf("an invitation for another node: %v", err)
	}
	if err := k.Pin("nowhere", plant); err == nil {
		t.Error("an address that is none is pinned")
	}
}

// TestChangedNamesTheFolder, so that the command which it prints is about the list that was read.
func TestChangedNamesTheFolder(t *testing.T) {
	k := openKnown(t, filepath.Join(t.TempDir(), "known_nodes"))
	k.Data = "my lab"
	meets(t, k, "plant:8080", plant, true)
	want := "\n    chatnode trust -data \"my lab\" plant:8080 " + mallory.String()
	if err := refuses(t, k, "plant:8080", mallory); !strings.HasSuffix(err.Error(), want) {
		t.Errorf("it ends in another command than %s:\n%v", want, err)
	}
	if err := k.Pin("plant:8080", mallory); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("an invitation's ends in another command than %s:\n%v", want, err)
	}
}

func TestChangedSays(t *testing.T) {
	e := &ChangedError{Address: "plant:8080", Was: plant, Is: mallory}
	for name, c := range map[string]struct {
		change func()
		says   []string
	}{
		"unknown":     {func() {}, []string{"another one than before", "set up anew", "another machine has that address", "somebody is in between"}},
		"known":       {func() { e.Known = []string{"lab:8080"} }, []string{"another one than before", "it is the node at lab:8080"}},
		"invitation":  {func() { e.Known, e.Why = nil, ByInvitation }, []string{"invitation is for another node", "set up anew since you were there"}},
		"not invited": {func() { e.Why = NotInvited }, []string{"not the one that the invitation names", "somebody is in between", "ask for a new invitation"}},
	} {
		e.Known, e.Why = nil, ByMemory
		c.change()
		text := e.Error()
		for _, want := range append(c.says, plant.Grouped(), mallory.Grouped(), "\n    chatnode trust plant:8080 "+mallory.String()) {
			if !strings.Contains(text, want) {
				t.Errorf("%s: it does not say %q:\n%s", name, want, text)
			}
		}
	}
}

// TestKnownFileIsTheUsers: what they wrote stays where it is.
func TestKnownFileIsTheUsers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "known_nodes")
	before := "# at work\r\n" + plant.Grouped() + "  Plant:8080\t10.0.0.5:8080 # the old one\n\n   # empty-handed\n" + lab.String() + "\n"
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	k := openKnown(t, path)
	meets(t, k, "plant:8080", plant, false)
	if text, _ := os.ReadFile(path); string(text) != before {
		t.Errorf("a look changes the file to %q", text)
	}
	meets(t, k, "lab:1", lab, true)
	if err := errors.Join(k.Trust("plant:8080", mallory), k.Trust("10.0.0.5:8080", mallory), k.Trust("lab:1", mallory)); err != nil {
		t.Fatal(err)
	}
	want := "# at work\n" + plant.String() + " # the old one\n\n   # empty-handed\n" + mallory.String() + " plant:8080 10.0.0.5:8080 lab:1\n"
	if text, _ := os.ReadFile(path); string(text) != want {
		t.Errorf("the file is\n%s\nwant\n%s", text, want)
	}
}

// TestKnownFileDamaged: a line that makes no sense is said to be one, by its number, and nothing is overwritten.
func TestKnownFileDamaged(t *testing.T) {
	good := plant.String() + " plant:8080\n"
	for name, c := range map[string]struct{ text, says string }{
		"a mistyped id":       {good + "# x\n" + lab.String()[:58] + "q lab:8080\n", "line 3: "},
		"no id":               {"plant:8080\n", "line 1: "},
		"half a line":         {good + lab.String()[:20], "line 2: "},
		"no port":             {good + lab.String() + " lab\n", "line 2: "},
		"an address of two":   {good + lab.String() + " PLANT:8080\n", "line 2: plant:8080 stands in line 1 too"},
		"binary":              {good + "\x00\x01\x02\n", "line 2: "},
		"what drives screens": {good + "\x1b[2J\n", "line 2: "},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "known_nodes")
			k := openKnown(t, path)
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, openErr := OpenKnown(path)
			_, checkErr := k.Check("new:1", mallory)
			_, listErr := k.List()
			for what, err := range map[string]error{
				"open": openErr, "check": checkErr, "list": listErr, "pin": k.Pin("new:1", mallory), "trust": k.Trust("new:1", mallory),
			} {
				if err == nil || !strings.Contains(err.Error(), path+", "+c.says) || strings.Contains(err.Error(), "\x1b") {
					t.Errorf("%s: %v, want the file and %q", what, err, c.says)
				}
			}
			if text, _ := os.ReadFile(path); string(text) != c.text {
				t.Errorf("the file is %q now", text)
			}
		})
	}
	if _, err := OpenKnown(t.TempDir()); err == nil {
		t.Error("a folder is opened")
	}
}

// TestKnownBounds: the oldest addresses of a node go, and there can be only so many nodes.
func TestKnownBounds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "known_nodes")
	k := openKnown(t, path)
	for i := range maxAddresses + 2 {
		meets(t, k, fmt.Sprintf("plant:%d", i+1), plant, i == 0)
	}
	list, err := openKnown(t, path).List()
	if err != nil || len(list) != 1 || len(list[0].Addresses) != maxAddresses || list[0].Addresses[0] != "plant:3" {
		t.Errorf("list %v, %v", list, err)
	}
	f := knownFile{}
	for i := range maxKnown {
		f.lines = append(f.lines, knownLine{id: ID{9, byte(i), byte(i >> 8)}, addresses: []string{fmt.Sprintf("node-%d:1", i)}})
	}
	if err := os.WriteFile(path, f.text(), 0o600); err != nil {
		t.Fatal(err)
	}
	k = openKnown(t, path)
	meets(t, k, "plant:8080", plant, true)
	if err := k.Unsaved(); !errors.Is(err, errKnownFull) {
		t.Errorf("one too many: %v", err)
	}
	refuses(t, k, "plant:8080", mallory) // it holds all the same
	meets(t, k, "node-5:2", ID{9, 5}, false)
	if err := errors.Join(k.Unsaved(), k.Trust("node-5:3", ID{9, 5})); err != nil {
		t.Errorf("another address of a known one: %v", err)
	}
	if err := k.Trust("plant:8080", lab); !errors.Is(err, errKnownFull) {
		t.Errorf("trust of one too many: %v", err)
	}
	if err := os.WriteFile(path, append(f.text(), lab.String()+" lab:1\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKnown(path); err == nil || !strings.Contains(err.Error(), "line 10001: more than 10000 nodes") {
		t.Errorf("a file of too many: %v", err)
	}
	if err := os.WriteFile(path, make([]byte, maxKnownFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKnown(path); err == nil || !strings.Contains(err.Error(), "no list of nodes") {
		t.Errorf("a giant file: %v", err)
	}
}

// TestKnownThatCantBeWritten: a pin holds as long as the process, and the user can be told why no longer.
func TestKnownThatCantBeWritten(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "blocked")
	for name, prepare := range map[string]func(path string) (undo func()){
		"no folder": func(path string) func() {
			dir := filepath.Dir(path)
			if err := errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600)); err != nil {
				t.Fatal(err)
			}
			return func() { _ = errors.Join(os.Remove(dir), os.Mkdir(dir, 0o700)) }
		},
		"no lock": func(path string) func() {
			lock, err := disk.TryLock(path + ".lock")
			if err != nil {
				t.Fatal(err)
			}
			return func() { _ = lock.Unlock() }
		},
		"no leave": func(path string) func() {
			if os.Geteuid() == 0 || runtime.GOOS == "windows" {
				return nil // root writes everywhere
			}
			if err := os.Chmod(filepath.Dir(path), 0o500); err != nil {
				t.Fatal(err)
			}
			return func() { _ = os.Chmod(filepath.Dir(path), 0o700) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(blocked+name, "state")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "known_nodes")
			k := openKnown(t, path)
			k.wait = 0
			undo := prepare(path)
			if undo == nil {
				t.Skip("this user may write there")
			}
			defer undo()
			if name == "no folder" {
				// What is no folder can't be read either: nothing is taken for known there.
				if _, err := k.Check("plant:8080", plant); err == nil {
					t.Error("a file that can't be read is passed over")
				}
				return
			}
			meets(t, k, "plant:8080", plant, true)
			if k.Unsaved() == nil {
				t.Error("nothing says that it is not kept")
			}
			meets(t, k, "plant:8080", plant, false)
			if e := refuses(t, k, "plant:8080", mallory); e.Was != plant {
				t.Errorf("refused as %+v", e)
			}
			meets(t, k, "plant:2", plant, false)
			if list, err := k.List(); err != nil || len(list) != 1 || len(list[0].Addresses) != 2 {
				t.Errorf("list %v, %v", list, err)
			}
			if k.Trust("plant:8080", lab) == nil {
				t.Error("Trust claims to have written it")
			}
			refuses(t, k, "plant:8080", lab)
			undo()
			meets(t, k, "plant:8080", plant, false) // now it can be kept
			if err := k.Unsaved(); err != nil {
				t.Errorf("still %v", err)
			}
			meets(t, openKnown(t, path), "plant:8080", plant, false)
		})
	}
}

// TestPinOutlivesTheFile: whoever can take the file away can't have another node taken for the first.
func TestPinOutlivesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "known_nodes")
	k := openKnown(t, path)
	meets(t, k, "plant:8080", plant, true)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	refuses(t, k, "plant:8080", mallory)
	meets(t, k, "plant:8080", plant, false) // and is written again
	meets(t, openKnown(t, path), "plant:8080", plant, false)
}

// TestTrustIsHeardAtOnce by a process that runs.
func TestTrustIsHeardAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "known_nodes")
	running := openKnown(t, path)
	meets(t, running, "plant:8080", plant, true)
	if err := openKnown(t, path).Trust("plant:8080", lab); err != nil {
		t.Fatal(err)
	}
	refuses(t, running, "plant:8080", plant)
	meets(t, running, "plant:8080", lab, false)
}

// pinVariable has a test process pin nodes in place of its tests: the file's path, and the process's number.
const pinVariable = "CHATNODE_TEST_PINS"

const (
	pinners  = 4
	pinsEach = 12
)

// TestKnownByManyProcesses: processes that pin at once lose nothing, in processes of their own and in goroutines.
func TestKnownByManyProcesses(t *testing.T) {
	if task := os.Getenv(pinVariable); task != "" {
		path, number, _ := strings.Cut(task, "|")
		pinMany(t, path, number)
		return
	}
	path := filepath.Join(t.TempDir(), "known_nodes")
	var all sync.WaitGroup
	for i := range pinners {
		all.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestKnownByManyProcesses$")
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%d", pinVariable, path, i))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("process %d: %v\n%s", i, err, out)
			}
		})
		all.Go(func() { pinMany(t, path, fmt.Sprint(pinners+i)) })
	}
	all.Wait()
	list, err := openKnown(t, path).List()
	addresses := 0
	for _, node := range list {
		addresses += len(node.Addresses)
	}
	if want := 2 * pinners * pinsEach; err != nil || len(list) != want || addresses != want {
		t.Errorf("%d nodes at %d addresses, %v; want %d", len(list), addresses, err, want)
	}
}

func pinMany(t *testing.T, path, number string) {
	k, err := OpenKnown(path)
	if err != nil {
		t.Error(err)
		return
	}
	for i := range pinsEach {
		id := ID{byte(i), number[0]}
		if first, err := k.Check(fmt.Sprintf("node-%s-%d:1", number, i), id); err != nil || !first || k.Unsaved() != nil {
			t.Errorf("pin %d of %s: %v, %v, %v", i, number, first, err, k.Unsaved())
		}
	}
}

// TestTwoMeetAtOnce: of two nodes that answer at one address at the same time, one is taken.
func TestTwoMeetAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "known_nodes")
	ids := []ID{plant, lab, mallory, {4}}
	errs := make([]error, len(ids))
	var all sync.WaitGroup
	start := make(chan struct{})
	for i, id := range ids {
		k := openKnown(t, path)
		all.Go(func() {
			<-start
			_, errs[i] = k.Check("plant:8080", id)
		})
	}
	close(start)
	all.Wait()
	taken := 0
	for i, err := range errs {
		if err == nil {
			taken++
		} else if !errors.As(err, new(*ChangedError)) {
			t.Errorf("node %d: %v", i, err)
		}
	}
	if taken != 1 {
		t.Errorf("%d nodes are taken", taken)
	}
}

func FuzzParseKnown(f *testing.F) {
	f.Add("# x\n" + plant.Grouped() + " plant:8080 # y\n\n" + lab.String() + " [::1]:1 10.0.0.5:2\n")
	f.Add(" \r\n#\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := parseKnown([]byte(text))
		if err != nil {
			return
		}
		again, err := parseKnown(file.text())
		if err != nil {
			t.Fatalf("%q is written as %q: %v", text, file.text(), err)
		}
		if diff := cmp.Diff(file.lines, again.lines, cmp.AllowUnexported(knownLine{})); diff != "" {
			t.Errorf("%q (-first +again):\n%s", text, diff)
		}
	})
}
