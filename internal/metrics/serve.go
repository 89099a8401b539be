package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// Bounds on who asks over HTTP.
const (
	maxHeader   = 8 << 10
	maxAskers   = 32 // connections at one time; further ones wait in the system's queue
	headerLimit = 5 * time.Second
	idleLimit   = 2 * time.Minute // above the minute after which many scrape again
	writeLimit  = 10 * time.Second
	// longestProfile is how long one can ask a node to watch itself, in seconds: that costs it something.
	longestProfile = 60
	// partLimit is how long Serve waits for answers that are under way when it is to end.
	partLimit = time.Second
)

// Serve serves /metrics and /healthz over HTTP on listener until ctx ends, and, if only this machine reaches it, profiles below /debug/pprof/. It closes
// listener. It returns an error when it can't go on before that.
func (n *Numbers) Serve(ctx context.Context, listener net.Listener, log *slog.Logger) error {
	under, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	server := &http.Server{
		Handler: n.handler(isLoopback(listener.Addr().String())), ReadHeaderTimeout: headerLimit, ReadTimeout: headerLimit, WriteTimeout: writeLimit, IdleTimeout: idleLimit,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), BaseContext: func(net.Listener) context.Context { return under },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(bounded(listener, maxAskers)) }() // ends with the server; waited for below
	select {
	case err := <-ended:
		return fmt.Errorf("serve metrics: %w", err)
	case <-ctx.Done():
	}
	cut() // profiles end at once
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), partLimit)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		_ = server.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}

// handler returns what answers. A listener of this machine alone has profiles too, and believes nobody who calls it by a name from outside.
func (n *Numbers) handler(private bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_ = n.gather().write(w) // an error is the asker's
	})
	mux.HandleFunc("GET /healthz", n.healthz)
	if private {
		mux.HandleFunc("GET /debug/pprof/", brief(pprof.Index))
		mux.HandleFunc("GET /debug/pprof/profile", brief(pprof.Profile))
		mux.HandleFunc("GET /debug/pprof/trace", brief(pprof.Trace))
	}
	return guard(private, mux)
}

// healthz answers 200 while the node takes messages, else 503, and why.
func (n *Numbers) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	said := "ok"
	if err := n.cfg.Hub.Health(); err != nil {
		said = err.Error()
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = io.WriteString(w, said+"\n") // an error is the asker's
}

// brief lets no profile be longer than longestProfile. What is no number is a length of pprof's own choice, half a minute at most.
func brief(profile http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if seconds, err := strconv.ParseFloat(r.FormValue("seconds"), 64); err == nil && !(seconds <= longestProfile) {
			http.Error(w, fmt.Sprintf("seconds can be %d at most", longestProfile), http.StatusBadRequest)
			return
		}
		profile(w, r)
	}
}

// guard keeps pages of the web out, which a browser on this machine shows: those that ask in the browser's name, and those whose name was made to lead here
// (DNS rebinding).
func guard(private bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		site := r.Header.Get("Sec-Fetch-Site")
		switch {
		case site != "" && site != "none" && site != "same-origin":
			http.Error(w, "this is not for other sites", http.StatusForbidden)
		case private && !isLoopback(r.Host):
			http.Error(w, "call this by localhost, or by the address that it listens on", http.StatusMisdirectedRequest)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// isLoopback reports whether a host, with a port or without, is this machine for itself alone.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// bounded returns a listener that has at most n connections open at one time.
func bounded(l net.Listener, n int) net.Listener {
	return &boundedListener{Listener: l, places: make(chan struct{}, n), closed: make(chan struct{})}
}

type boundedListener struct {
	net.Listener
	places chan struct{} // a token for each open connection; never closed
	closed chan struct{}
	once   sync.Once
}

// Accept waits for a place, and then for a connection.
func (l *boundedListener) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &boundedConn{Conn: conn, leave: sync.OnceFunc(func() { <-l.places })}, nil
}

// Close ends whoever waits in Accept, too. It is safe to call twice.
func (l *boundedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type boundedConn struct {
	net.Conn
	leave func()
}

func (c *boundedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
