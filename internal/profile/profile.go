// Package profile is where a user's things lie on a machine: the key that goes with a name, the nodes that are known, and for each node and key
// the state of a client, which one process at a time may have. It is not the state itself, and asks nobody anything.
package profile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"chatnode/internal/chat"
	"chatnode/internal/client"
	"chatnode/internal/disk"
	"chatnode/internal/identity"
)

var (
	// errInUse says that another process has the state of the same user at the same node.
	errInUse = errors.New("another chatnode of this user is connected to that node from here")
	// errNoPlace says that a key can't be kept where it belongs, and that none is there yet which would be missed.
	errNoPlace = errors.New("no place to keep it")
)

// idLength is how much of a key's id, in characters, stands for it in the name of a folder: 65 bits.
const idLength = 16

// Want is what a client asks for.
type Want struct {
	Name    string // whose key it is, unless KeyFile has it
	KeyFile string
	Dir     string // where to keep states; "": where the system has its place for such things
	Address string // of the node, a host and a port
	Insists bool   // that it is kept; else the client goes without what can't be
	Passing bool   // the client is here for a moment: its key is all that is kept
}

// Get returns the user's key, made from random when there is none, and what they remember of the node: nil when another process has that, when it
// can't be kept, or of who is passing. Notes are sentences for the user about what is not as they may think.
func (w Want) Get(random io.Reader) (key *identity.Key, p *Profile, notes []string, err error) {
	if w.KeyFile != "" {
		key, err = identity.LoadOrMake(w.KeyFile, random)
	} else {
		key, err = keyOf(w.Name, random)
	}
	if errors.Is(err, errNoPlace) && !w.Insists {
		notes = append(notes, fmt.Sprintf("you have a new key, which is kept nowhere: %v", err))
		key, err = identity.NewKey(random)
		return key, nil, notes, err // nobody would find its state again
	} else if err != nil {
		return nil, nil, nil, err
	}
	if w.Passing {
		return key, nil, nil, nil
	}
	p, err = open(w.Dir, w.Address, key.ID(), random)
	switch {
	case errors.Is(err, errInUse):
		return key, nil, []string{fmt.Sprintf("%v: if this one dies, what it has not sent dies with it", err)}, nil
	case err != nil && w.Insists:
		return nil, nil, nil, fmt.Errorf("cannot keep anything in %s: %w", w.Dir, err)
	case err != nil:
		return key, nil, []string{fmt.Sprintf("what is unsent, and what was read, is not kept: %v", err)}, nil
	}
	if path := p.State.Damaged(); path != "" {
		notes = []string{"what was kept here is damaged; the part that can be read is used, and all of it is in " + path}
	}
	return key, p, notes, nil
}

// keyEnding ends the name of a key's file.
const keyEnding = ".key"

// keysDir returns the folder of the keys, which need not be there.
func keysDir() (string, error) {
	dir, err := disk.ConfigDir()
	return filepath.Join(dir, "keys"), err
}

// keyFile returns the file of the key that goes with a name on this machine, the same for names that fold alike.
func keyFile(name string) (string, error) {
	dir, err := keysDir()
	return filepath.Join(dir, fileName(chat.Fold(name))+keyEnding), err
}

// keyOf returns the key that goes with a name, and makes it from random when there is none. It returns an errNoPlace when it can't be kept.
func keyOf(name string, random io.Reader) (*identity.Key, error) {
	path, err := keyFile(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoPlace, err)
	}
	if err := disk.MakeDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoPlace, err)
	}
	key, err := identity.LoadOrMake(path, random)
	if err == nil {
		return key, nil
	}
	if _, missing := os.Lstat(path); errors.Is(missing, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", errNoPlace, err)
	}
	return nil, err
}

// maxKeyFile bounds what is read of something that may be a key, in bytes.
const maxKeyFile = 16 << 10

// Keys returns the ids of all keys that are kept for names here, in the order of their files. What is no key, or one that others can read, is passed
// over: it proves nothing. The folder is read each time, so that a key that was made since is among them.
func Keys() []identity.ID {
	dir, err := keysDir()
	if err != nil {
		return nil
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var ids []identity.ID
	for _, file := range files {
		path := filepath.Join(dir, file.Name())
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxKeyFile || filepath.Ext(path) != keyEnding {
			continue
		}
		if key, err := identity.Load(path); err == nil {
			ids = append(ids, key.ID())
		}
	}
	return ids
}

// OpenKnown returns the nodes that the user knows: of dir when that is given, else of where the system has its place for such things. Where there is
// no such place they are remembered in memory, and the note says so. It returns an error for what can't be read.
func OpenKnown(dir string) (known *identity.Known, note string, err error) {
	chosen := dir
	if dir == "" {
		if dir, err = disk.StateDir(); err == nil {
			err = disk.MakeDir(dir)
		}
	}
	path := filepath.Join(dir, "known_nodes")
	if err != nil {
		note, path = fmt.Sprintf("which nodes you know is not kept: %v", err), ""
	}
	known, err = identity.OpenKnown(path)
	known.Data = chosen
	return known, note, err
}

// Profile is what a client remembers of one node, and the right to be the only process that does.
type Profile struct {
	State *client.State

	lock *disk.Lock
}

// open opens what the user with this key remembers of the node at address. It returns errInUse when another process has it.
func open(dir, address string, id identity.ID, random io.Reader) (*Profile, error) {
	if dir == "" {
		var err error
		if dir, err = disk.StateDir(); err != nil {
			return nil, err
		}
	}
	dir = filepath.Join(dir, fileName(strings.ToLower(address)), id.String()[:idLength])
	if err := disk.MakeDir(dir); err != nil {
		return nil, err
	}
	lock, err := disk.TryLock(filepath.Join(dir, "lock"))
	if errors.Is(err, disk.ErrLocked) {
		return nil, errInUse
	} else if err != nil {
		return nil, err
	}
	state, err := client.OpenState(filepath.Join(dir, "journal"), random)
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return &Profile{State: state, lock: lock}, nil
}

// Close closes the state, once its client has ended, and lets another process have it.
func (p *Profile) Close() error { return errors.Join(p.State.Close(), p.lock.Unlock()) }

// maxFileName bounds the name of a file, in bytes, well below what file systems take.
const maxFileName = 120

// fileName returns the name of a file that stands for s and nothing else: the colon before a port becomes '_', and what is not an ASCII
// letter, a digit, '-', '_' or '.' within is written as in a URL (RFC 3986). A long one ends in a hash in place of the rest. Names that Windows has
// for devices are written differently.
func fileName(s string) string {
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		s = s[:i] + "_" + s[i+1:]
	}
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' && i > 0
		if plain && (i > 0 || !isDevice(s)) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	if b.Len() > maxFileName {
		sum := sha256.Sum256([]byte(s))
		return b.String()[:maxFileName-2*idLength-1] + "-" + hex.EncodeToString(sum[:idLength])
	}
	return b.String()
}

// isDevice reports whether Windows takes s, with whatever ending, for a device.
func isDevice(s string) bool {
	base, _, _ := strings.Cut(strings.ToLower(s), ".")
	switch {
	case base == "con", base == "prn", base == "aux", base == "nul":
		return true
	case len(base) == 4 && (strings.HasPrefix(base, "com") || strings.HasPrefix(base, "lpt")):
		return base[3] >= '0' && base[3] <= '9'
	}
	return false
}
