package frame

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/hashicorp/yamux"
)

// A plain yamux client on the other end sees direct frames, frames of yamux
// and pings in order and whole, over TCP and TLS.
func TestInterop(t *testing.T) {
	frames := 200_000
	if raceEnabled {
		frames = 100_000
	}
	t.Run("tcp", func(t *testing.T) {
		near, far := tcpPair(t)
		testInterop(t, near, far, frames)
	})
	t.Run("tls", func(t *testing.T) {
		near, far := tcpPair(t)
		server, client := secure(t, near, far)
		testInterop(t, server, client, frames/10)
	})
}

// secure shakes hands.
func secure(t *testing.T, near, far net.Conn) (server, client *tls.Conn) {
	t.Helper()
	config := tlsConfig(t)
	server, client = tls.Server(near, config), tls.Client(far, config)
	shaken := make(chan error, 1)
	go func() { shaken <- server.Handshake() }()
	if err := errors.Join(client.Handshake(), <-shaken); err != nil {
		t.Fatal(err)
	}
	return server, client
}

// plainClient is yamux without frame beneath it, with n streams opened.
func plainClient(t *testing.T, raw net.Conn, n int) (*yamux.Session, []*yamux.Stream) {
	t.Helper()
	client, err := yamux.Client(raw, muxConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	streams := make([]*yamux.Stream, n)
	for i := range streams {
		if streams[i], err = client.OpenStream(); err != nil {
			t.Fatal(err)
		}
	}
	return client, streams
}

func testInterop(t *testing.T, near, far net.Conn, frames int) {
	client, streams := plainClient(t, far, 3)
	node, err := acceptTestLink(near, NodePolicy())
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	bulk, err := node.AcceptStream()
	if err != nil {
		t.Fatal(err)
	}

	const bulkSize = 3 << 20
	jobs := map[string]func() error{
		"direct frames":      func() error { return sendNumbered(node, frames) },
		"their reader":       func() error { return readNumbered(streams[1], frames) },
		"yamux writes":       func() error { return sendPattern(bulk, bulkSize) },
		"their reader too":   func() error { return readPattern(streams[2], bulkSize) },
		"pings of the node":  func() error { return repeat(100, node.conn.Ping) },
		"pings of the peer":  func() error { return repeat(5, func() error { _, err := client.Ping(); return err }) },
		"writes of the peer": func() error { return sendPattern(streams[0], 2<<20) },
		"the node's reader":  func() error { return readPattern(node.control, 2<<20) },
	}
	done := make(chan error, len(jobs))
	for name, job := range jobs {
		go func() {
			err := job()
			if err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
			done <- err
		}()
	}
	for range jobs {
		if err := waitFor(t, "a job", done); err != nil {
			t.Error(err)
			client.Close() // releases the others
		}
	}
}

func repeat(n int, f func() error) error {
	for range n {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// sendNumbered sends records of many sizes: a length, a number that rises by
// one, and padding that follows from the number.
func sendNumbered(l *testLink, n int) error {
	rng := rand.New(rand.NewPCG(7, 7))
	buf := make([]byte, 40<<10)
	for i := range n {
		size := 8 + rng.IntN(200)
		if i%5000 == 0 {
			size = 40 << 10
		}
		rec := buf[:size]
		binary.BigEndian.PutUint32(rec, uint32(size))
		binary.BigEndian.PutUint32(rec[4:], uint32(i))
		for k := 8; k < size; k++ {
			rec[k] = byte(i + k)
		}
		if err := l.send(rec); err != nil {
			return err
		}
	}
	return nil
}

func readNumbered(r io.Reader, n int) error {
	buf := make([]byte, 40<<10)
	for i := range n {
		if _, err := io.ReadFull(r, buf[:8]); err != nil {
			return err
		}
		size, number := binary.BigEndian.Uint32(buf), binary.BigEndian.Uint32(buf[4:])
		if int(number) != i || size < 8 || int(size) > len(buf) {
			return fmt.Errorf("record %d has number %d and size %d", i, number, size)
		}
		if _, err := io.ReadFull(r, buf[8:size]); err != nil {
			return err
		}
		for k := 8; k < int(size); k++ {
			if buf[k] != byte(i+k) {
				return fmt.Errorf("record %d differs at byte %d", i, k)
			}
		}
	}
	return nil
}

func sendPattern(w io.Writer, size int) error {
	p := pattern(size)
	for len(p) > 0 {
		n := min(len(p), 10_000)
		if _, err := w.Write(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

func readPattern(r io.Reader, size int) error {
	got := make([]byte, size)
	if _, err := io.ReadFull(r, got); err != nil {
		return err
	}
	for i, want := range pattern(size) {
		if got[i] != want {
			return fmt.Errorf("byte %d is %d, want %d", i, got[i], want)
		}
	}
	return nil
}

// A peer that does not read stops the writer at its window, and reading
// wakes the writer up.
func TestWindowBlocks(t *testing.T) {
	near, far := tcpPair(t)
	client, streams := plainClient(t, far, 2)
	chat := streams[1]
	node, err := acceptTestLink(near, NodePolicy())
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()

	sent := 0
	for node.chat.Window() > 0 {
		n, err := node.chat.Write(make([]byte, min(1000, node.chat.Window())))
		if err != nil {
			t.Fatal(err)
		}
		sent += n
	}
	if sent != initialWindow {
		t.Errorf("%d bytes fit in the window, want %d", sent, initialWindow)
	}
	if _, err := node.chat.Write([]byte("x")); err != ErrWindow {
		t.Errorf("a Write past the window = %v, want %v", err, ErrWindow)
	}
	// What the peer sent before this answer, it sent before it read anything.
	if _, err := client.Ping(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-node.grown:
		t.Error("the window has grown although nothing was read")
	default:
	}
	if _, err := io.ReadFull(chat, make([]byte, sent)); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the window to grow", node.grown)
	if node.chat.Window() < initialWindow/2 {
		t.Errorf("Window = %d after all was read", node.chat.Window())
	}
	if _, err := node.chat.Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(chat, make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

// tlsConfig serves both ends; neither checks the other, which is for identity
// to do.
func tlsConfig(t *testing.T) *tls.Config {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(nil, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		Certificates:       []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}},
		InsecureSkipVerify: true,
		MinVersion:         tls.VersionTLS13,
	}
}
