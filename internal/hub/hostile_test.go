package hub

import (
	"math/rand/v2"
	"testing"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// TestHostileSubmits: whatever a client submits gets its answer, and the node goes on.
func TestHostileSubmits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		bob, carol := w.signer("bob"), w.signer("carol")
		bob.come("room", "@")
		carol.come("room", "@")
		bob.wants(bob.pub("room", "first"), chat.OK)
		rng := rand.New(rand.NewPCG(6, 6))
		rooms := []string{"room", "@carol", "@", "", "@bob", "@" + carol.key.String(), "other", "\xff", "@\xff", string(make([]byte, 60000))}
		pick := func(all ...string) string { return all[rng.IntN(len(all))] }
		junk := func(n int) []byte {
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			return b
		}
		for range 3000 {
			verb := string(chat.Verbs()[rng.IntN(len(chat.Verbs()))])
			row := carol.key.String()
			if rows := bob.views["room"]; rows != nil && len(rows.rows) > 0 {
				row = rows.rows[rng.IntN(len(rows.rows))].ID.String()
			}
			body := verb
			for range rng.IntN(4) {
				body += " " + pick(carol.key.String(), bob.key.String(), keyOf("nobody").String(), "1h", "0s", "-1h", "9999999h", row, "text", "", "\x00", "1ms")
			}
			p := bob.pub(rooms[rng.IntN(len(rooms))], body)
			if rng.IntN(2) == 0 {
				p.Room = "room"
			}
			p.Kind = chat.Act
			if rng.IntN(4) == 0 {
				p.Kind = chat.Kind(rng.IntN(9))
			}
			if rng.IntN(4) == 0 {
				p.Opts.Re = junk(rng.IntN(2) * 8)
			}
			if rng.IntN(3) == 0 {
				p.Opts.Row = []uint64{1, 2, 1 << 62, ^uint64(0), 3}[rng.IntN(5)]
			}
			if rng.IntN(8) == 0 {
				p.Body = junk(rng.IntN(200))
			}
			if bob.sign(p); rng.IntN(16) == 0 {
				p.Opts.Sig = junk(rng.IntN(200))
			}
			bob.submit(p)
			if rng.IntN(10) == 0 {
				bob.submit(&wire.Join{Room: pick("room", "@carol", "other"), Tail: rng.Uint64(), Cursor: &wire.Cursor{Epoch: w.hub.Epoch(), Seq: rng.Uint64N(50)}})
			}
			if rng.IntN(20) == 0 {
				bob.submit(&wire.Part{Room: pick("room", "@carol", "other", "@")})
			}
			if rng.IntN(100) == 0 {
				carol.do(&wire.Join{Room: "room", Tail: 5})
			}
			w.settle()
		}
		if last := len(bob.answers); last < 3000 {
			t.Errorf("%d answers", last)
		}
	})
}

// TestAllThatWaitsCounts: a client can't have the node keep more for it in the fields that are mostly short.
func TestAllThatWaitsCounts(t *testing.T) {
	long := make([]byte, 60000)
	for what, p := range map[string]*wire.Pub{"body": {Body: long}, "room": {Room: string(long)}, "signature": {Opts: wire.Opts{Sig: long}}} {
		if got := recordSize(p); got < len(long) {
			t.Errorf("a pub with a long %s counts as %d bytes", what, got)
		}
	}
}
