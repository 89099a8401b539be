//go:build linux || darwin

package frame

import "golang.org/x/sys/unix"

// writeNow writes what a socket takes at once, and returns how much that was.
func writeNow(fd uintptr, parts [][]byte) (n int) {
	if len(parts) == 1 {
		n, _ = unix.Write(int(fd), parts[0])
	} else {
		n, _ = unix.Writev(int(fd), parts)
	}
	return n
}
