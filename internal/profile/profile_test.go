package profile

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/identity"
)

func newKey(t *testing.T) *identity.Key {
	t.Helper()
	key, err := identity.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestKeyOfAName: a name has one key, however it is written, and another name another.
func TestKeyOfAName(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	ids := map[identity.ID]string{}
	for _, name := range []string{"carol", "Carol", "bob", "zoë", "ZOË", "con", "com1.x"} {
		key, err := keyOf(name, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if other, taken := ids[key.ID()]; taken != (name == "Carol" || name == "ZOË") {
			t.Errorf("the key of %s is that of %q", name, other)
		}
		ids[key.ID()] = name
	}
	for _, file := range []string{"carol.key", "zo%c3%ab.key", "%63on.key", "%63om1.x.key"} {
		if info, err := os.Stat(filepath.Join(home, "chatnode", "keys", file)); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestKeyThatCantBeHad(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	file := filepath.Join(home, "chatnode")
	if err := os.WriteFile(file, nil, 0o600); err != nil { // where a folder belongs
		t.Fatal(err)
	}
	if _, err := keyOf("carol", rand.Reader); !errors.Is(err, errNoPlace) {
		t.Errorf("without a folder: %v", err)
	}
	if err := errors.Join(os.Remove(file), os.MkdirAll(filepath.Join(file, "keys"), 0o700)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(file, "keys", "carol.key")
	if err := os.WriteFile(path, []byte("a letter to bob"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keyOf("carol", rand.Reader); err == nil || errors.Is(err, errNoPlace) {
		t.Errorf("with a file that is no key: %v; another key would make another person of carol", err)
	}
	if left, err := os.ReadFile(path); string(left) != "a letter to bob" {
		t.Errorf("the file holds %q, %v", left, err)
	}
}

// TestOneProcessAtATime, for each node and key.
func TestOneProcessAtATime(t *testing.T) {
	dir, carol := t.TempDir(), newKey(t).ID()
	first, err := open(dir, "plant:8080", carol, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(dir, "PLANT:8080", carol, rand.Reader); !errors.Is(err, errInUse) {
		t.Errorf("a second one: %v", err)
	}
	for name, again := range map[string]func() (*Profile, error){
		"another key":  func() (*Profile, error) { return open(dir, "plant:8080", newKey(t).ID(), rand.Reader) },
		"another node": func() (*Profile, error) { return open(dir, "plant:8081", carol, rand.Reader) },
	} {
		other, err := again()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = other.Close()
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	last, err := open(dir, "plant:8080", carol, rand.Reader)
	if err != nil {
		t.Fatalf("behind its end: %v", err)
	}
	_ = last.Close()
}

// TestOpenFails: a profile that can't be opened holds nobody else off.
func TestOpenFails(t *testing.T) {
	dir, id := t.TempDir(), newKey(t).ID()
	p, err := open(dir, "plant:8080", id, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Close()
	files, _ := filepath.Glob(filepath.Join(dir, "plant_8080", "*", "journal"))
	if len(files) != 1 {
		t.Fatalf("the journal is %q", files)
	}
	good, _ := os.ReadFile(files[0])
	for content, want := range map[string]bool{"a letter to bob": false, string(good): true} {
		if err := os.WriteFile(files[0], []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := open(dir, "plant:8080", id, rand.Reader)
		if (err == nil) != want || errors.Is(err, errInUse) {
			t.Errorf("with %.16q: %v", content, err)
		}
		if err == nil {
			_ = p.Close()
		}
	}
	if _, err := open(files[0], "plant:8080", id, rand.Reader); err == nil {
		t.Error("opened below a file")
	}
	if _, err := open(t.TempDir(), "plant:8080", id, bytes.NewReader(nil)); err == nil {
		t.Error("opened without an origin")
	}
}

func TestStateHasAPlaceOfItsOwn(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	p, err := open("", "[::1]:8080", newKey(t).ID(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if files, _ := filepath.Glob(filepath.Join(os.Getenv("XDG_STATE_HOME"), "chatnode", "%5b%3a%3a1%5d_8080", "cn1*", "journal")); len(files) != 1 {
		t.Errorf("the journal is %q", files)
	}
}

func TestFileName(t *testing.T) {
	long := strings.Repeat("host.", 40)
	for in, want := range map[string]string{
		"plant:8080": "plant_8080", "10.0.0.5:8080": "10.0.0.5_8080", "..:1": "%2e._1", "../../etc/passwd:1": "%2e.%2f..%2fetc%2fpasswd_1",
		"a\\b\x00:1": "a%5cb%00_1", "nul.txt": "%6eul.txt", "lpt9": "%6cpt9", "lpt": "lpt", "%2e": "%252e", "": "",
	} {
		if got := fileName(in); got != want {
			t.Errorf("fileName(%q) = %q, want %q", in, got, want)
		}
	}
	if a, b := fileName(long+":1"), fileName(long+":2"); a == b || len(a) > maxFileName || len(b) > maxFileName {
		t.Errorf("long addresses are %q and %q", a, b)
	}
}

// TestGet: what a client has on disk, by what it wants and what can be.
func TestGet(t *testing.T) {
	for name, c := range map[string]struct {
		identity bool
		passing  bool
		data     string // below a new folder
		blocked  string // where there is a file in place of a folder
		keeps    bool
		same     bool // the key is the same the next time
		said     string
		fails    bool
	}{
		"terminal":             {keeps: true, same: true},
		"terminal, identity":   {identity: true, keeps: true, same: true},
		"data":                 {data: "kept", keeps: true, same: true},
		"data, identity":       {data: "kept", identity: true, blocked: "XDG_CONFIG_HOME", keeps: true, same: true},
		"terminal, no state":   {blocked: "XDG_STATE_HOME", same: true, said: "is not kept"},
		"terminal, no key":     {blocked: "XDG_CONFIG_HOME", said: "you have a new key"},
		"data, no folder":      {data: "blocked/kept", fails: true},
		"data, none for a key": {data: "kept", blocked: "XDG_CONFIG_HOME", fails: true},
		"pipe":                 {passing: true, same: true},
		"pipe, identity":       {passing: true, identity: true, blocked: "XDG_CONFIG_HOME", same: true},
		"pipe, no state":       {passing: true, blocked: "XDG_STATE_HOME", same: true},
		"pipe, no key":         {passing: true, blocked: "XDG_CONFIG_HOME", said: "you have a new key"},
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			blocked := filepath.Join(home, "blocked")
			if err := os.WriteFile(blocked, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, place := range []string{"XDG_CONFIG_HOME", "XDG_STATE_HOME"} {
				t.Setenv(place, filepath.Join(home, place))
				if place == c.blocked {
					t.Setenv(place, blocked)
				}
			}
			want := Want{Name: "carol", Address: "Plant:8080", Insists: c.data != "", Passing: c.passing}
			if c.data != "" {
				want.Dir = filepath.Join(home, c.data)
			}
			if c.identity {
				want.KeyFile = filepath.Join(home, "carol.key")
			}
			var ids []string
			for range 2 {
				key, p, notes, err := want.Get(rand.Reader)
				if c.fails {
					if err == nil {
						t.Error("Get returned nil")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if (p != nil) != c.keeps || !strings.Contains(strings.Join(notes, "\n"), c.said) || (len(notes) > 0) != (c.said != "") {
					t.Errorf("profile %v, notes %q", p, notes)
				}
				if p != nil {
					twin, none, notes, err := want.Get(rand.Reader)
					if err != nil || none != nil || twin.ID() != key.ID() || len(notes) != 1 || !strings.Contains(notes[0], "another chatnode") {
						t.Errorf("a second process: %v, %v, %q", none, err, notes)
					}
					_ = p.Close()
				}
				ids = append(ids, key.ID().String())
			}
			if (ids[0] == ids[1]) != c.same {
				t.Errorf("the keys are %q", ids)
			}
			dirs, _ := filepath.Glob(filepath.Join(home, "XDG_STATE_HOME", "chatnode", "plant_8080", ids[0][:idLength]))
			if (len(dirs) == 1) != (c.keeps && c.data == "") {
				t.Errorf("where the system has its place are %q", dirs)
			}
		})
	}
}

// TestDamageIsNoted, with where it can be looked at.
func TestDamageIsNoted(t *testing.T) {
	want := Want{KeyFile: filepath.Join(t.TempDir(), "carol.key"), Dir: t.TempDir(), Address: "plant:8080", Insists: true}
	_, p, _, err := want.Get(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Close()
	files, _ := filepath.Glob(filepath.Join(want.Dir, "*", "*", "journal"))
	all, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	all[len(all)-1] ^= 1
	if err := os.WriteFile(files[0], all, 0o600); err != nil {
		t.Fatal(err)
	}
	_, p, notes, err := want.Get(rand.Reader)
	if err != nil || len(notes) != 1 || !strings.HasSuffix(notes[0], files[0]+".damaged") {
		t.Fatalf("notes %q, %v", notes, err)
	}
	_ = p.Close()
}

// atOnce is how many want the same key at the same time.
const atOnce = 8

// wantVariable has a test process print the id of the key that a pipe gets, in place of its tests.
const wantVariable = "CHATNODE_TEST_WANT"

// TestOneKeyForAllPipes: processes that begin at once with one name, where there is no key yet, are one person.
func TestOneKeyForAllPipes(t *testing.T) {
	want := Want{Name: "carol", Address: "plant:8080", Passing: true}
	if os.Getenv(wantVariable) != "" {
		key, _, notes, err := want.Get(rand.Reader)
		if err != nil || len(notes) > 0 {
			t.Fatal(notes, err)
		}
		fmt.Println(key.ID())
		return
	}
	home := t.TempDir()
	ids := make([]string, atOnce)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestOneKeyForAllPipes$")
			cmd.Env = append(os.Environ(), wantVariable+"=1", "XDG_CONFIG_HOME="+home)
			out, err := cmd.Output()
			if err != nil {
				t.Errorf("process %d: %v\n%s", i, err, out)
			}
			ids[i], _, _ = strings.Cut(string(out), "\n")
		})
	}
	all.Wait()
	t.Setenv("XDG_CONFIG_HOME", home)
	keys := Keys()
	for i, id := range ids {
		if len(keys) != 1 || id != keys[0].String() {
			t.Errorf("process %d has the key %s, and kept are %v", i, id, keys)
		}
	}
	if files, _ := os.ReadDir(filepath.Join(home, "chatnode", "keys")); len(files) != 1 {
		t.Errorf("the folder holds %v", files)
	}
}

// TestKeys: those that prove something, and nothing else.
func TestKeys(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	if ids := Keys(); len(ids) != 0 {
		t.Errorf("without a folder: %v", ids)
	}
	dir := filepath.Join(home, "chatnode", "keys")
	var want []identity.ID
	for _, name := range []string{"alice", "bob"} {
		key, err := keyOf(name, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, key.ID())
	}
	other := newKey(t).Text()
	err := errors.Join(
		os.WriteFile(filepath.Join(dir, "letter.key"), []byte("dear alice"), 0o600),
		os.WriteFile(filepath.Join(dir, "empty.key"), nil, 0o600),
		os.WriteFile(filepath.Join(dir, "other.txt"), other, 0o600),
		os.WriteFile(filepath.Join(dir, ".key-123"), other, 0o600),
		os.WriteFile(filepath.Join(dir, "giant.key"), append(other, make([]byte, maxKeyFile)...), 0o600),
		os.Mkdir(filepath.Join(dir, "folder.key"), 0o700))
	if runtime.GOOS != "windows" {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, "open.key"), other, 0o644), os.Symlink("nowhere", filepath.Join(dir, "link.key")),
			os.Chmod(filepath.Join(dir, "open.key"), 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, Keys()); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	late, err := keyOf("late", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if ids := Keys(); len(ids) != 3 || ids[2] != late.ID() {
		t.Errorf("with one made since: %v", ids)
	}
}
