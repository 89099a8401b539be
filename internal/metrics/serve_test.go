package metrics

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// street is a listener in memory, at an address of the test's choosing.
type street struct {
	addr   net.Addr
	come   chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newStreet(ip string) *street {
	return &street{addr: &net.TCPAddr{IP: net.ParseIP(ip), Port: 9090}, come: make(chan net.Conn), closed: make(chan struct{})}
}

func (s *street) Accept() (net.Conn, error) {
	select {
	case conn := <-s.come:
		return conn, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *street) Close() error   { s.once.Do(func() { close(s.closed) }); return nil }
func (s *street) Addr() net.Addr { return s.addr }

// dial returns the asker's end of a connection, once it was accepted.
func (s *street) dial() net.Conn {
	near, far := net.Pipe()
	s.come <- far
	return near
}

// serving serves numbers on a street for as long as do runs.
func serving(t *testing.T, r *rooms, at *street, do func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- newNumbers(r).Serve(ctx, at, slog.New(slog.DiscardHandler)) }()
	do()
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
	select {
	case <-at.closed:
	default:
		t.Error("Serve has not closed its listener")
	}
}

// asks sends a request as it is written, and returns the answer's status and text.
func asks(t *testing.T, at *street, request string) (status int, text string) {
	t.Helper()
	conn := at.dial()
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, request) }() // ends with the connection
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body)
}

func get(path, host string, headers ...string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n" + strings.Join(append(headers, ""), "\r\n") + "\r\n"
}

// TestServe: what is asked for, by whom and by which name, decides what is answered.
func TestServe(t *testing.T) {
	const private, public = "127.0.0.1", "192.0.2.7"
	for name, c := range map[string]struct {
		ip, request string
		status      int
		text        string
	}{
		"metrics":                     {private, get("/metrics", "127.0.0.1:9090"), 200, "chatnode_sessions 2\n"},
		"metrics, by name":            {private, get("/metrics", "localhost"), 200, "chatnode_sessions 2\n"},
		"metrics, by IPv6":            {private, get("/metrics", "[::1]:9090"), 200, "chatnode_sessions 2\n"},
		"health":                      {private, get("/healthz", "127.0.0.1:9090"), 200, "ok\n"},
		"profiles":                    {private, get("/debug/pprof/", "127.0.0.1:9090"), 200, "goroutine"},
		"a profile":                   {private, get("/debug/pprof/goroutine?debug=1", "127.0.0.1:9090"), 200, "goroutine profile"},
		"the command line":            {private, get("/debug/pprof/cmdline", "127.0.0.1:9090"), 404, "Unknown profile"},
		"a long profile":              {private, get("/debug/pprof/profile?seconds=600", "127.0.0.1:9090"), 400, "60 at most"},
		"a trace without end":         {private, get("/debug/pprof/trace?seconds=nan", "127.0.0.1:9090"), 400, "60 at most"},
		"a difference without end":    {private, get("/debug/pprof/heap?seconds=1e9", "127.0.0.1:9090"), 400, "60 at most"},
		"something else":              {private, get("/", "127.0.0.1:9090"), 404, ""},
		"a page that leads here":      {private, get("/metrics", "evil.example:9090"), 421, "localhost"},
		"a page that has its own":     {private, get("/metrics", "127.0.0.1.evil.example"), 421, "localhost"},
		"a page of another site":      {private, get("/healthz", "127.0.0.1:9090", "Sec-Fetch-Site: cross-site"), 403, "other sites"},
		"a page of another port":      {private, get("/healthz", "127.0.0.1:9090", "Sec-Fetch-Site: same-site"), 403, "other sites"},
		"a person":                    {private, get("/healthz", "127.0.0.1:9090", "Sec-Fetch-Site: none"), 200, "ok"},
		"a write":                     {private, strings.Replace(get("/metrics", "127.0.0.1:9090"), "GET", "POST", 1), 405, ""},
		"no name":                     {private, "GET /metrics HTTP/1.1\r\n\r\n", 400, ""},
		"a header without end":        {private, get("/metrics", "127.0.0.1:9090", "X: "+strings.Repeat("x", 64<<10)), 431, ""},
		"another protocol":            {private, "NICK carol\r\n\r\n", 400, ""},
		"metrics, for all":            {public, get("/metrics", "node.example:9090"), 200, "chatnode_sessions 2\n"},
		"profiles, for all":           {public, get("/debug/pprof/", "192.0.2.7:9090"), 404, ""},
		"a page, of a node for all":   {public, get("/metrics", "192.0.2.7:9090", "Sec-Fetch-Site: cross-site"), 403, "other sites"},
		"another's word for its name": {public, get("/metrics", "127.0.0.1:9090"), 200, "chatnode_sessions 2\n"},
	} {
		t.Run(name, func(t *testing.T) {
			at := newStreet(c.ip)
			serving(t, busy(), at, func() {
				if status, text := asks(t, at, c.request); status != c.status || !strings.Contains(text, c.text) {
					t.Errorf("%d %q, want %d with %q", status, text, c.status, c.text)
				}
			})
		})
	}
}

// TestHealthz: a node that takes nothing says so, and why, until it does again.
func TestHealthz(t *testing.T) {
	at, r := newStreet("127.0.0.1"), busy()
	serving(t, r, at, func() {
		r.falls(errors.New("the disk is nearly full"))
		if status, text := asks(t, at, get("/healthz", "localhost")); status != 503 || text != "the disk is nearly full\n" {
			t.Errorf("%d %q", status, text)
		}
		r.falls(nil)
		if status, text := asks(t, at, get("/healthz", "localhost")); status != 200 || text != "ok\n" {
			t.Errorf("%d %q", status, text)
		}
	})
}

// TestSlowAskers: who never ends a request is let go of, and as long as all places are taken others wait.
func TestSlowAskers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := newStreet("127.0.0.1")
		serving(t, busy(), at, func() {
			began := time.Now()
			var slow sync.WaitGroup
			for range maxAskers {
				conn := at.dial()
				if _, err := io.WriteString(conn, "GET /metrics HT"); err != nil {
					t.Fatal(err)
				}
				slow.Go(func() {
					_, _ = io.Copy(io.Discard, conn) // until the node lets go of it
					conn.Close()
				})
			}
			status, _ := asks(t, at, get("/healthz", "localhost")) // waits for a place
			if took := time.Since(began); status != 200 || took != headerLimit {
				t.Errorf("%d after %v, want 200 after %v", status, took, headerLimit)
			}
			slow.Wait()
		})
	})
}

// TestServeEnds: a profile that is under way does not keep a node from stopping, nor does who has asked nothing yet.
func TestServeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := newStreet("127.0.0.1")
		var asker sync.WaitGroup
		var began time.Time
		serving(t, busy(), at, func() {
			asker.Go(func() { asks(t, at, get("/debug/pprof/heap?seconds=60", "localhost")) })
			synctest.Wait()
			silent := at.dial()
			t.Cleanup(func() { silent.Close() })
			synctest.Wait()
			began = time.Now()
		})
		asker.Wait()
		if took := time.Since(began); took > 2*partLimit {
			t.Errorf("it took %v to stop", took)
		}
	})
}
