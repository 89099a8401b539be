package store

import (
	"testing"

	"golang.org/x/sys/unix"
)

// mounted returns a folder with what is mounted there: a small file system in memory, source tmpfs, or with the option bind the folder source once
// more. It skips the test where that is not allowed.
func mounted(t *testing.T, source, option string) string {
	t.Helper()
	dir := t.TempDir()
	kind, flags := "tmpfs", uintptr(0)
	if option == "bind" {
		kind, option, flags = "", "", unix.MS_BIND
	}
	if err := unix.Mount(source, dir, kind, flags, option); err != nil {
		t.Skipf("can't mount: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// remount makes a folder that is mounted read-only.
func remount(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		t.Skipf("can't mount: %v", err)
	}
}
