//go:build !unix

package identity

import "io/fs"

// othersCanRead is false where a mode does not say who can read a file.
func othersCanRead(fs.FileInfo) bool { return false }
