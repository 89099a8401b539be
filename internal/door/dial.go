package door

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"chatnode/internal/chat"
)

// errClosed is what a client is told when the other end closes without a word.
var errClosed = errors.New("the connection was closed during the handshake")

// SaidError is an answer in words, from an end that does not speak as it was spoken to.
type SaidError struct {
	Text string // what a node of chatnode's said, fit for one line; empty: it was something else
}

// Error returns a sentence for the user.
func (e *SaidError) Error() string {
	if e.Text == "" {
		return "what listens there is not chatnode"
	}
	return "the node says: " + e.Text
}

// Dial connects to address, a host and a port, and shakes hands by config. It returns an error that says in plain words why there is no connection: a
// *SaidError when the other end answered in words. The end of ctx ends the attempt.
func Dial(ctx context.Context, address string, config *tls.Config) (*tls.Conn, error) {
	conn, err := connect(ctx, address, tlsHandshake, tlsAlert)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, handshakeError(address, err)
	}
	return secure, nil
}

// DialPlain is Dial without TLS. There is no handshake, so it is the first Read that returns a *SaidError.
func DialPlain(ctx context.Context, address string) (net.Conn, error) {
	return connect(ctx, address, yamuxVersion)
}

// connect returns a connection whose other end is expected to begin with one of some bytes.
func connect(ctx context.Context, address string, expects ...byte) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, dialError(address, err)
	}
	return &hearing{Conn: conn, expects: expects}, nil
}

// hearing is a connection whose other end is expected to begin with one of some bytes. When it begins with another, Read returns a *SaidError.
type hearing struct {
	net.Conn
	expects []byte // nil once the first byte has come; owned by the goroutine that reads
}

func (h *hearing) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	if h.expects == nil || n == 0 {
		return n, err
	}
	if bytes.IndexByte(h.expects, p[0]) < 0 {
		return 0, h.hear(p[:n])
	}
	h.expects = nil
	return n, err
}

// hear reads the rest of what is said and returns it as an error.
func (h *hearing) hear(said []byte) error {
	said = bytes.Clone(said[:min(len(said), maxOpening)])
	_ = h.Conn.SetReadDeadline(time.Now().Add(openingLimit))
	rest := make([]byte, maxOpening-len(said))
	n, _ := io.ReadFull(h.Conn, rest) // what has come is what there is
	text, isNode := strings.CutPrefix(string(append(said, rest[:n]...)), mark)
	if !isNode {
		return &SaidError{}
	}
	line, _, _ := strings.Cut(text, "\n")
	return &SaidError{chat.OneLine(strings.TrimSpace(line))}
}

// NetConn returns the connection beneath.
func (h *hearing) NetConn() net.Conn { return h.Conn }

// dialError says in plain words why an address can't be reached.
func dialError(address string, err error) error {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing listens on %s", address)
	case errors.As(err, &dns):
		return fmt.Errorf("no address is known for %s", address)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s does not answer", address)
	}
	return err
}

// handshakeError says in plain words why there is no TLS connection to address.
func handshakeError(address string, err error) error {
	var said *SaidError
	var alert tls.AlertError
	switch {
	case errors.As(err, &said):
		return fmt.Errorf("%s: %w", address, said)
	case errors.As(err, &alert):
		return fmt.Errorf("%s: the other side breaks the handshake off: %w", address, err)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("%s: %w", address, errClosed)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s does not answer in time", address)
	}
	return fmt.Errorf("%s: %w", address, err)
}
