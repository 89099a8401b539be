package bench

import "testing"

func TestFileSystemOfAPath(t *testing.T) {
	const table = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
29 22 0:25 / /dev/shm rw - tmpfs tmpfs rw
30 22 0:26 / /mnt/a\040b rw master:3 - xfs /dev/sdb rw
31 22 0:27 / /mnt/a rw - btrfs /dev/sdc rw
32 22 0:28 / /mnt/a rw - overlay over rw
broken line
33 22 - ext3
34 22 0:1 / /x rw -
`
	for dir, want := range map[string]string{
		"/": "ext4", "/root/x": "ext4", "/dev/shm": "tmpfs", "/dev/shm/x": "tmpfs", "/dev/shmx": "ext4",
		"/mnt/a b/c": "xfs", "/mnt/a": "overlay", "/mnt/a/b": "overlay", "/x": "ext4",
	} {
		if got := mountedAt([]byte(table), dir); got != want {
			t.Errorf("%s is on %q, want %q", dir, got, want)
		}
	}
	if got := mountedAt(nil, "/"); got != "" {
		t.Errorf("without a table it is %q", got)
	}
	if got := fileSystem(t.TempDir()); got == "" {
		t.Error("the file system of a folder is not known")
	}
}
