package frame

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// setUserTimeout bounds how long sent data may stay unacknowledged, or the
// peer's receive buffer full, before the kernel drops the connection
// (TCP_USER_TIMEOUT, tcp(7)).
func setUserTimeout(t *net.TCPConn, d time.Duration) {
	rc, err := t.SyscallConn()
	if err != nil {
		return
	}
	_ = rc.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	})
}
