package door

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"
)

const patience = 20 * time.Second

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		println("goroutines are left: " + err.Error())
		code = 1
	}
	os.Exit(code)
}

// serve answers each connection by answer until the test ends, and returns where.
func serve(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			answer(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-ended })
	return listener.Addr().String()
}

// said is a connection from which a guest's bytes come, as they please.
type said struct {
	net.Conn
	io.Reader
}

func (s said) Read(p []byte) (int, error)      { return s.Reader.Read(p) }
func (s said) SetReadDeadline(time.Time) error { return nil }

func TestKnock(t *testing.T) {
	long := strings.Repeat("x", 2*maxOpening)
	for name, test := range map[string]struct {
		says string
		want Guest
	}{
		"TLS":             {"\x16\x03\x01\x02\x00\x01\x00", TLS},
		"chatnode, plain": {"\x00\x01\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00", Plain},
		"HTTP":            {"GET /index.html HTTP/1.1\r\nHost: x\r\n\r\n", HTTP},
		"HTTP/2":          {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP},
		"HTTP, long":      {"POST /" + long + " HTTP/1.1\r\n", HTTP},
		"a proxy's guest": {"CONNECT example:443 HTTP/1.1\r\n\r\n", HTTP},
		"IRC":             {"NICK carol\r\nUSER carol 0 * :Carol\r\n", IRC},
		"IRC, modern":     {"CAP LS 302\r\n", IRC},
		"SSH":             {"SSH-2.0-OpenSSH_9.6\r\n", SSH},
		"one word":        {"GET", HTTP},
		"a line end":      {"\n", Stranger},
		"telnet":          {"\xff\xfb\x1f", Stranger},
		"words":           {"hello, is anybody there?\r\n", Stranger},
		"a word like":     {"GETTING\r\n", Stranger},
		"endless":         {long, Stranger},
		"alert":           {"\x15\x03\x03\x00\x02\x02\x28", Stranger},
	} {
		for way, reader := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "by bytes": iotest.OneByteReader, "with the end": iotest.DataErrReader,
		} {
			conn, guest, err := Knock(said{Reader: reader(strings.NewReader(test.says))})
			if guest != test.want || err != nil {
				t.Errorf("%s, %s: %v, %v, want %v", name, way, guest, err, test.want)
			}
			if all, err := io.ReadAll(conn); string(all) != test.says || err != nil {
				t.Errorf("%s, %s: then comes %q, %v", name, way, all, err)
			}
		}
	}
	if _, _, err := Knock(said{Reader: strings.NewReader("")}); !errors.Is(err, io.EOF) {
		t.Errorf("nobody knocks, and the error is %v", err)
	}
}

func FuzzKnock(f *testing.F) {
	for _, first := range []string{"\x16", "\x00", "GET / HTTP/1.1\r\n", "NICK carol\n", "SSH-", "\n", "\xff"} {
		f.Add([]byte(first), true)
	}
	f.Fuzz(func(t *testing.T, says []byte, slowly bool) {
		var reader io.Reader = bytes.NewReader(says)
		if slowly {
			reader = iotest.OneByteReader(reader)
		}
		conn, guest, err := Knock(said{Reader: reader})
		if err != nil {
			if len(says) > 0 {
				t.Fatalf("%q: %v", says, err)
			}
			return
		}
		if all, err := io.ReadAll(conn); !bytes.Equal(all, says) || err != nil {
			t.Fatalf("%q (%v) becomes %q, %v", says, guest, all, err)
		}
		if secret := guest == TLS || guest == Plain; secret != (says[0] == tlsHandshake || says[0] == yamuxVersion) {
			t.Fatalf("%q is taken for %v", says, guest)
		}
	})
}

// turnedAway is a port where everybody is told the same sentence.
func turnedAway(t *testing.T) string {
	t.Helper()
	return serve(t, func(conn net.Conn) {
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, guest, err := Knock(conn)
		if err == nil {
			TurnAway(conn, guest, "this is a test")
		}
	})
}

func TestTurnAway(t *testing.T) {
	address := turnedAway(t)
	for name, test := range map[string]struct{ says, want string }{
		"IRC":     {"NICK carol\r\nUSER carol 0 * :Carol\r\n", "ERROR :chatnode: this is a test\r\n"},
		"SSH":     {"SSH-2.0-OpenSSH_9.6\r\n" + strings.Repeat("k", 10_000), "chatnode: this is a test\r\n"},
		"garbage": {"\xde\xad\xbe\xef" + strings.Repeat("\x00", 10_000), "chatnode: this is a test\r\n"},
	} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(conn, test.says); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := io.ReadAll(conn); string(got) != test.want || err != nil {
			t.Errorf("%s is told %q, %v; want %q", name, got, err, test.want)
		}
		conn.Close()
	}
}

// TestTurnAwayBrowser asks with a real HTTP client.
func TestTurnAwayBrowser(t *testing.T) {
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Post("http://"+turnedAway(t)+"/", "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || string(body) != "chatnode: this is a test\r\n" || answer.StatusCode != http.StatusBadRequest {
		t.Errorf("a browser is told %d, %q, %v", answer.StatusCode, body, err)
	}
}

// TestDialIsAnswered: whatever the other end says in place of a handshake, the error is one plain line.
func TestDialIsAnswered(t *testing.T) {
	for name, test := range map[string]struct{ says, want string }{
		"a node's word":    {"chatnode: this node encrypts its links\r\nmore", "the node says: this node encrypts its links"},
		"a hostile word":   {"chatnode: \x1b]0;owned\x07\u202eyes\r\n", "the node says: \ufffd]0;owned\ufffd\ufffdyes"},
		"an endless word":  {"chatnode: " + strings.Repeat("x", 100_000), "the node says: " + strings.Repeat("x", maxOpening-len(mark))},
		"no line end":      {"chatnode: hm", "the node says: hm"},
		"a web server":     {"HTTP/1.1 400 Bad Request\r\n\r\n", "what listens there is not chatnode"},
		"an SSH server":    {"SSH-2.0-OpenSSH_9.6\r\n", "what listens there is not chatnode"},
		"one odd byte":     {"c", "what listens there is not chatnode"},
		"somebody's TLS 1": {"\x17\x03\x03", "what listens there is not chatnode"},
	} {
		address := serve(t, func(conn net.Conn) {
			_, _ = io.WriteString(conn, test.says)
			_ = conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
		})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, err := Dial(ctx, address, &tls.Config{InsecureSkipVerify: true})
		if want := address + ": " + test.want; err == nil || err.Error() != want {
			t.Errorf("%s: with TLS the error is %v, want %s", name, err, want)
		}
		conn, err := DialPlain(ctx, address)
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.Read(make([]byte, 100))
		if said := (*SaidError)(nil); !errors.As(err, &said) || err.Error() != test.want {
			t.Errorf("%s: without TLS the error is %v, want %s", name, err, test.want)
		}
		conn.Close()
		cancel()
	}
}

func TestDialFails(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := listener.Addr().String()
	listener.Close()
	closes := serve(t, func(net.Conn) {})
	silent := serve(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	for address, want := range map[string]string{
		gone:                            "nothing listens on " + gone,
		closes:                          closes + ": the connection was closed during the handshake",
		silent:                          silent + " does not answer in time",
		"no-such-host.invalid:8080":     "no address is known for no-such-host.invalid:8080",
		"127.0.0.1:http-of-course":      "",
		fmt.Sprintf("127.0.0.1:%d", -1): "",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		conn, err := Dial(ctx, address, &tls.Config{InsecureSkipVerify: true})
		if err == nil || want != "" && err.Error() != want && !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("%s: %v, %v; want %s", address, conn, err, want)
		}
		cancel()
	}
}
