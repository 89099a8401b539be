// Package disk holds what chatnode needs of a file system beyond package os: where its files belong, folders and files for their owner's
// eyes alone, locks that die with their process, and how much room is left. It knows nothing of what the files hold.
package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// Modes of everything that chatnode writes: it is its owner's business.
const (
	dirMode  = 0o700
	fileMode = 0o600
)

// ErrLocked says that another process holds a lock.
var ErrLocked = errors.New("another process uses it")

// MakeDir makes a folder and those above it for their owner alone. One that is there stays as it is.
func MakeDir(dir string) error {
	return os.MkdirAll(dir, dirMode) // its errors name the path
}

// Lock is an exclusive lock between processes; the system lets go of it when its process ends, however that ends.
type Lock struct{ file *flock.Flock }

// TryLock takes the lock that the file at path stands for, which is made when it is not there and stays behind. It returns ErrLocked when
// another process, or another Lock of this one, has it.
func TryLock(path string) (*Lock, error) {
	file := flock.New(path, flock.SetPermissions(fileMode))
	held, err := file.TryLock()
	switch {
	case err != nil:
		return nil, err // names the path
	case !held:
		return nil, ErrLocked
	}
	return &Lock{file}, nil
}

// Unlock lets go of the lock. It is safe to call twice.
func (l *Lock) Unlock() error { return l.file.Close() }

// WriteFile puts data into the file at path all at once: whoever opens it, after a crash too, finds what it held before or all of data.
func WriteFile(path string, data []byte) error { return write(path, data, os.Rename) }

// WriteNew is WriteFile for a path where nothing is yet. Where something is, that stays as it is, and the error is fs.ErrExist.
func WriteNew(path string, data []byte) error { return write(path, data, os.Link) }

// write fills a file beside path and has place put it there.
func write(path string, data []byte, place func(from, to string) error) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-*") // with fileMode
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // a rename has left nothing there
	_, err = temp.Write(data)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := place(temp.Name(), path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir makes what was made, renamed and removed in a folder last through a power cut, where the system can do that.
func SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return syncDir(f)
}
