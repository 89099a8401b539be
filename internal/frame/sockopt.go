package frame

import (
	"net"
	"time"
)

// How long the kernel waits before it gives a silent peer up. It notices
// a machine that has gone; a process that hangs is noticed by pings.
const (
	keepAliveIdle     = 30 * time.Second
	keepAliveInterval = 10 * time.Second
	keepAliveCount    = 3
	userTimeout       = 30 * time.Second
)

// tuneSocket sets what a chat connection wants of TCP: no delay for small
// frames, and an early end when nobody answers. A socket that refuses an
// option works without it, so errors are not reported.
func tuneSocket(c net.Conn) {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	_ = t.SetNoDelay(true)
	_ = t.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable:   true,
		Idle:     keepAliveIdle,
		Interval: keepAliveInterval,
		Count:    keepAliveCount,
	})
	setUserTimeout(t, userTimeout)
}
