//go:build unix

package disk

import (
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// Free returns how many bytes a process like this one can still write to the file system that holds path.
func Free(path string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, fmt.Errorf("ask how much room is left at %s: %w", path, err)
	}
	free := uint64(s.Bavail) * uint64(s.Bsize)
	return int64(min(free, math.MaxInt64)), nil
}

func syncDir(f *os.File) error { return f.Sync() }
