//go:build !linux

package bench

// readAll is how all connections are read on this system.
var readAll readFunc = readEach
