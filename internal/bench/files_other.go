//go:build !unix

package bench

// openFiles knows of no limit.
func openFiles() (limit uint64, ok bool) { return 0, false }
