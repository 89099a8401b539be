//go:build !linux

package bench

// isStripped says that it is not known: only on Linux it is looked for.
func isStripped(string) (stripped, known bool) { return false, false }
