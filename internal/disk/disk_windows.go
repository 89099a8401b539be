package disk

import (
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/windows"
)

// Free returns how many bytes a process like this one can still write to the file system that holds path.
func Free(path string) (int64, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, fmt.Errorf("ask how much room is left at %s: %w", path, err)
	}
	return int64(min(free, math.MaxInt64)), nil
}

// syncDir does nothing: Windows keeps names by itself, and can't flush a folder.
func syncDir(*os.File) error { return nil }
