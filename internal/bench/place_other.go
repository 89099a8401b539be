//go:build !linux

package bench

// fileSystem is known on Linux alone.
func fileSystem(string) string { return "" }
