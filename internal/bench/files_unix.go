//go:build unix

package bench

import "syscall"

// openFiles returns how many files this process may have open; ok is false where that is not known. The Go runtime has raised the limit as
// far as it may.
func openFiles() (limit uint64, ok bool) {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 0, false
	}
	return uint64(l.Cur), true
}
