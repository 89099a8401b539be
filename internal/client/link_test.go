package client

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// TestFarewells covers the node's reasons to end a link: which end Run, and when the others are tried again.
func TestFarewells(t *testing.T) {
	tests := map[string]struct {
		bye   wire.Bye
		late  bool // said after the welcome, not in its place
		final bool
		retry time.Duration
	}{
		"replaced":        {bye: wire.Bye{Code: chat.Replaced, RetryAfterMS: 5}, late: true, final: true},
		"bad version":     {bye: wire.Bye{Code: chat.BadVersion}, final: true},
		"bad proof":       {bye: wire.Bye{Code: chat.BadProof, RetryAfterMS: 1}, final: true},
		"denied":          {bye: wire.Bye{Code: chat.Denied}, final: true},
		"bad name":        {bye: wire.Bye{Code: chat.BadName}, final: true},
		"malformed":       {bye: wire.Bye{Code: chat.Malformed}, late: true, final: true},
		"unknown":         {bye: wire.Bye{Code: 999}, final: true},
		"unknown, later":  {bye: wire.Bye{Code: 999, RetryAfterMS: 2000}, retry: 2 * time.Second},
		"full at first":   {bye: wire.Bye{Code: chat.Full, RetryAfterMS: 5000}, final: true},
		"full after that": {bye: wire.Bye{Code: chat.Full, RetryAfterMS: 5000}, late: true, retry: 5 * time.Second},
		"stopping":        {bye: wire.Bye{Code: chat.Stopping, RetryAfterMS: 1300, Text: "back soon"}, late: true, retry: 1300 * time.Millisecond},
		"timeout":         {bye: wire.Bye{Code: chat.Timeout}, late: true, retry: time.Second},
		"a year":          {bye: wire.Bye{Code: chat.Stopping, RetryAfterMS: 1 << 62}, late: true, retry: maxRetry},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, nil)
				p := <-r.links
				if test.late {
					p.welcome(nil)
					event[LinkUp](r)
				} else {
					p.greet()
				}
				p.tell(&test.bye)
				if test.final {
					var refused *RefusedError
					if err := <-r.ran; !errors.As(err, &refused) || refused.Code != test.bye.Code {
						t.Errorf("Run returned %v, want a refusal with %v", err, test.bye.Code)
					}
					if e, open := <-r.Events(); open {
						t.Errorf("got event %#v, want the end", e)
					}
					return
				}
				before := time.Now()
				if e := event[LinkDown](r); e.RetryIn != test.retry || e.Code != test.bye.Code || e.Text != test.bye.Text {
					t.Errorf("LinkDown is %+v, want code %v and retry in %v", e, test.bye.Code, test.retry)
				}
				if told := time.Since(before); told != 0 {
					t.Errorf("told after %v, want at once", told)
				}
				<-r.links
				if waited := time.Since(before); waited != test.retry {
					t.Errorf("dialled after %v, want %v", waited, test.retry)
				}
				r.end()
			})
		})
	}
}

// TestLastWords: the reason is read even when the connection is gone by then.
func TestLastWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		p := r.accept(nil)
		event[LinkUp](r)
		p.die()
		elapse(lastWords / 2)
		p.tell(&wire.Bye{Code: chat.Replaced})
		var refused *RefusedError
		if err := <-r.ran; !errors.As(err, &refused) || refused.Code != chat.Replaced {
			t.Errorf("Run returned %v, want replaced", err)
		}
	})
}

func TestBadOrigin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		defer r.end()
		origins := map[string]bool{}
		before := time.Now()
		for i := range 3 {
			p := <-r.links
			origins[string(p.greet().Origin)] = true
			p.tell(&wire.Bye{Code: chat.BadOrigin})
			if i > 0 {
				event[LinkDown](r)
			}
		}
		<-r.links
		if waited := time.Since(before); len(origins) != 3 || waited != 2*time.Second {
			t.Errorf("%d origins in %v, want 3 in 2s: the first change is free", len(origins), waited)
		}
	})
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts []int
		r := start(t, func(c *Config) {
			c.Backoff = func(n int) time.Duration { attempts = append(attempts, n); return time.Duration(n+1) * time.Second }
		})
		defer r.end()
		for range 3 {
			r.refuse <- errDial
		}
		for i := range 3 {
			if e := event[LinkDown](r); !errors.Is(e.Err, errDial) || e.RetryIn != time.Duration(i+1)*time.Second {
				t.Errorf("LinkDown is %+v", e)
			}
		}
		p := r.accept(nil)
		event[LinkUp](r)
		elapse(healthy - time.Second)
		p.Close()
		event[LinkDown](r) // too early to count as healthy
		p = r.accept(nil)
		event[LinkUp](r)
		elapse(healthy)
		p.Close()
		event[LinkDown](r)
		<-r.links // a handshake that never ends
		before := time.Now()
		if e := event[LinkDown](r); !errors.Is(e.Err, errHandshake) || time.Since(before) != handshakeTime {
			t.Errorf("LinkDown after %v is %+v", time.Since(before), e)
		}
		if diff := cmp.Diff([]int{0, 1, 2, 3, 0, 1}, attempts); diff != "" {
			t.Errorf("attempts mismatch (-want +got):\n%s", diff)
		}
	})
}

// TestHandshakeBreaches: what is wrong before there is a link.
func TestHandshakeBreaches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		for _, record := range []wire.Record{
			&wire.Challenge{Version: wire.Version, Nonce: []byte("short")},
			&wire.Welcome{Version: wire.Version, Node: nodeID[:]},
		} {
			p := <-r.links
			p.tell(record)
			if e := event[LinkDown](r); e.Err == nil || errors.Is(e.Err, errHandshake) {
				t.Errorf("after %T: %+v", record, e)
			}
		}
		r.accept(func(w *wire.Welcome) { w.Node = w.Node[:5] })
		if e := event[LinkDown](r); !errors.Is(e.Err, wire.ErrMalformed) {
			t.Errorf("after a short node id: %+v", e)
		}
		p := <-r.links
		p.node = testKey().ID() // who proved itself is not who says hello
		p.welcome(nil)
		if e := event[LinkDown](r); !errors.Is(e.Err, wire.ErrMalformed) {
			t.Errorf("after another node's id: %+v", e)
		}
		p = <-r.links
		p.why = errDial // the link knows better than its streams what it died of
		p.Close()
		if e := event[LinkDown](r); !errors.Is(e.Err, errDial) {
			t.Errorf("after a link that died of something: %+v", e)
		}
		r.accept(func(w *wire.Welcome) { w.Version = 2 })
		var refused *RefusedError
		if err := <-r.ran; !errors.As(err, &refused) || refused.Code != chat.BadVersion {
			t.Errorf("Run returned %v, want bad_version", err)
		}
	})
}
