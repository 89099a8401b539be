//go:build !linux

package frame

import (
	"net"
	"time"
)

// setUserTimeout does nothing: only Linux has the option, and the ticker
// that looks at WriteStalledFor does the same everywhere, a little later.
func setUserTimeout(*net.TCPConn, time.Duration) {}
