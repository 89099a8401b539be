//go:build unix

package identity

import "io/fs"

// othersCanRead reports whether the file's mode lets anyone but its owner at it.
func othersCanRead(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }
