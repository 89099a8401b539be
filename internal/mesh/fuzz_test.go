package mesh

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/pipe"
	"chatnode/internal/wire"
)

// Whatever comes behind a handshake: the node neither falls nor keeps anything that it should not, and the link ends when it is closed.
func FuzzLink(f *testing.F) {
	s := &stranger{key: keyOf(99)}
	log, list := s.log("lobby", 3)
	head := headOf(log, list)
	for _, records := range [][]wire.Record{
		{&wire.Digests{Last: true}},
		{&wire.Heads{Room: "lobby", Heads: []wire.Head{head}, Ask: true}, &wire.Entries{Log: log.ID(), First: 1, List: list}},
		{&wire.Want{Log: log.ID(), From: 1, To: 9, Eager: true}, &wire.Lazy{Logs: []wire.LogID{log.ID()}}, &wire.Trimmed{Log: log.ID(), Low: 4}},
		{&wire.Heads{Room: "lobby", Heads: []wire.Head{head}}, &wire.Have{Logs: []wire.Grown{{Log: log.ID(), Seq: 9}}}, &wire.Entries{Log: log.ID(), First: 2, List: list[1:]}},
		{&wire.Addresses{List: [][]byte{recordOf(50, 1, "10.0.0.50:8080")}}, &wire.PeerPeople{Nodes: []wire.NodePeople{{Node: make([]byte, 32)}}}, &wire.Bye{}},
		{&wire.Fork{Log: log, A: bare(list[0]), B: bare(list[1])}},
	} {
		var b []byte
		for _, r := range records {
			b = wire.Must(b, r)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 128<<10 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			book := newBook(1, 7)
			m := New(Config{Hub: book, Key: book.key, Log: slog.New(slog.DiscardHandler)})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{}, 2)
			go func() { _ = m.Run(ctx); done <- struct{}{} }()
			a, end := pipe.New(nil)
			a.Other, end.Other = book.key.ID(), keyOf(99).ID()
			go func() { _ = m.Serve(ctx, end, true, "10.0.0.2:1", nil); done <- struct{}{} }()
			peer := (&stranger{key: keyOf(99)}).peer()
			_, _ = a.Write(wire.Must(nil, peer))
			_, _ = a.Write(b)
			time.Sleep(10 * time.Second)
			synctest.Wait()
			a.Close()
			cancel()
			<-done
			<-done
			book.check(t)
		})
	})
}
