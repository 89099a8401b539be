package mesh

import (
	"crypto/sha256"
	"errors"
	"io"
	"testing"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/identity"
	"chatnode/internal/pipe"
	"chatnode/internal/wire"
)

// stranger is a node that the test plays: its end of a link to a node.
type stranger struct {
	t      *testing.T
	end    *pipe.End
	reader *wire.Reader
	key    *identity.Key
	err    error // of the node's Serve
	done   chan struct{}
}

// stranger dials a node.
func (w *world) stranger(to *node, n uint64) *stranger {
	s := w.silent(to, n)
	s.say(s.peer())
	if r := s.hear(); r == nil {
		w.t.Fatal("the node says nothing")
	} else if _, ok := r.(*wire.Peer); !ok {
		w.t.Fatalf("the node says %T first", r)
	}
	return s
}

// silent dials a node and does not say a word.
func (w *world) silent(to *node, n uint64) *stranger {
	a, b := pipe.New(nil)
	s := &stranger{t: w.t, end: a, reader: wire.NewReader(a), key: keyOf(n), done: make(chan struct{})}
	a.Other, b.Other = to.key.ID(), s.key.ID()
	w.group.Go(func() {
		defer close(s.done)
		s.err = to.mesh.Serve(to.ctx, b, true, "10.0.1.1:8080", nil)
	})
	return s
}

func (s *stranger) peer() *wire.Peer {
	return &wire.Peer{Version: wire.Version, Space: append([]byte{7}, make([]byte, 15)...), Key: s.key.Public(), Title: "stranger"}
}

func (s *stranger) say(list ...wire.Record) {
	for _, r := range list {
		s.raw(wire.Must(nil, r))
	}
}

func (s *stranger) raw(b []byte) {
	for len(b) > 0 {
		n, err := s.end.Write(b[:min(len(b), s.end.Window())])
		if err != nil {
			return
		}
		if b = b[n:]; n == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// hear returns what the node says next, or nil when the link has ended.
func (s *stranger) hear() wire.Record {
	s.t.Helper()
	r, err := next(s.reader)
	if err != nil && !errors.Is(err, io.EOF) {
		s.t.Fatal(err)
	}
	return r
}

// wait returns the next record of a type.
func wait[T wire.Record](s *stranger) T {
	s.t.Helper()
	for {
		r := s.hear()
		if r == nil {
			s.t.Fatalf("the link has ended: %v", s.err)
		}
		if want, ok := r.(T); ok {
			return want
		}
	}
}

// ends fails the test unless the node ends the link, and returns its last goodbye and the error of Serve.
func (s *stranger) ends() (chat.Code, error) {
	s.t.Helper()
	code := chat.OK
	for r := s.hear(); r != nil; r = s.hear() {
		if bye, ok := r.(*wire.Bye); ok {
			code = bye.Code
			s.end.Close()
			break
		}
	}
	<-s.done
	return code, s.err
}

// log returns entries of the stranger's own, without deps.
func (s *stranger) log(room string, n int) (wire.Log, []wire.Signed) {
	log := wire.Log{Node: s.key.Public(), Nonce: 9, Room: room}
	return log, s.sign(log, n, nil)
}

// sign returns the first n entries of a log, which change changes before they are signed.
func (s *stranger) sign(log wire.Log, n int, change func(*wire.Entry)) (list []wire.Signed) {
	b := book{key: s.key}
	p := &page{log: log, low: 1}
	b.grown = map[wire.LogID]bool{}
	for i := range n {
		text := string(rune('a' + i%26))
		e := b.entry(p, text)
		sum := sha256.Sum256([]byte(text))
		e.Sum = sum[:]
		if change != nil {
			change(e)
		}
		signed := b.sign(log.ID(), e, text)
		b.add(p, e, signed)
		list = append(list, signed)
	}
	return list
}

func headOf(log wire.Log, list []wire.Signed) wire.Head {
	id := wire.EntryIDOf(log.ID(), list[len(list)-1].Entry)
	return wire.Head{Log: log, Low: 1, Seq: uint64(len(list)), ID: id[:16]}
}
