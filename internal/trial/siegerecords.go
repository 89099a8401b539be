package trial

import (
	"encoding/binary"
	"encoding/hex"
	"slices"

	"chatnode/internal/chat"
	"chatnode/internal/siege"
	"chatnode/internal/wire"
)

// recordAttacks are on the handshake, on records and their encoding, and on what they number.
var recordAttacks = []attack{
	{name: "another version", guests: 4, run: otherVersions},
	{name: "a key that proves nothing", guests: len(weakKeys), run: proves},
	{name: "another's key, origin, hello", guests: 4, run: impersonates},
	{name: "one origin, many times", guests: 40, run: sameOrigin},
	{name: "lengths of records", guests: len(badLengths), links: 3, run: badRecordLengths},
	{name: "CBOR that is none", guests: len(badItems), run: badCBOR},
	{name: "speaks as the node", guests: len(nodesRecords), run: speaksAsNode},
	{name: "records that nobody knows", guests: 4, kib: 512, run: unknownRecords},
	{name: "cseq jumps and rewinds", guests: 4, run: jumps},
	{name: "cursors of nowhere", guests: 4, run: bogusCursors},
}

func otherVersions(c *camp) {
	versions := []uint64{0, 2, 1 << 32, 1<<64 - 1}
	c.each(func(i int) {
		conn := c.link()
		hello := c.hello(conn, "mallory")
		hello.Version = versions[i%len(versions)]
		c.must(conn.Say(siege.Control, hello))
		c.expelled(conn, chat.BadVersion)
	})
}

// hello waits for the challenge and returns an honest answer.
func (c *camp) hello(conn *siege.Conn, name string) *wire.Hello {
	c.Helper()
	hello, err := conn.Hello(name)
	c.must(err)
	return hello
}

// weakKeys are keys for which a signature can be found without a secret, keys that are none, and what is of another length.
var weakKeys = func() (keys [][]byte) {
	for _, digits := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000", "0100000000000000000000000000000000000000000000000000000000000000",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		key, _ := hex.DecodeString(digits)
		signed := slices.Clone(key)
		signed[31] |= 0x80
		keys = append(keys, key, signed)
	}
	return append(keys, slices.Repeat([]byte{0xff}, 32), slices.Repeat([]byte{2}, 32), nil, make([]byte, 31), make([]byte, 33), make([]byte, 1000))
}()

// proves offers keys with the signature that holds for the neutral element, whatever was signed: R the neutral element, S zero.
func proves(c *camp) {
	c.each(func(i int) {
		conn := c.link()
		hello := c.hello(conn, "mallory")
		hello.Key = weakKeys[i%len(weakKeys)]
		hello.Proof = append([]byte{1}, make([]byte, 63)...)
		c.must(conn.Say(siege.Control, hello))
		c.expelled(conn, chat.BadProof)
	})
}

// impersonates says hello with the key of another, with the origin of another, and with a hello that another has said.
func impersonates(c *camp) {
	victim := c.link()
	spoken := c.hello(victim, "victim")
	_, err := victim.Offer(spoken)
	c.must(err)

	offer := func(want chat.Code, change func(conn *siege.Conn, hello *wire.Hello)) {
		conn := c.link()
		hello := c.hello(conn, "victim")
		change(conn, hello)
		c.must(conn.Say(siege.Control, hello))
		c.expelled(conn, want)
	}
	offer(chat.BadProof, func(_ *siege.Conn, hello *wire.Hello) { hello.Key = victim.Key.Public() })
	offer(chat.BadProof, func(_ *siege.Conn, hello *wire.Hello) { *hello = *spoken })
	offer(chat.BadOrigin, func(conn *siege.Conn, hello *wire.Hello) {
		hello.Origin, hello.Proof = victim.Origin[:], conn.Key.Prove(conn.Nonce, victim.Origin[:])
	})
	c.answers(victim)
}

// answers expects the node to go on to answer.
func (c *camp) answers(conn *siege.Conn) {
	c.Helper()
	c.must(conn.Say(siege.Control, &wire.Names{Room: bulk}))
	_, err := siege.Await[*wire.NamesAre](conn, siege.Control)
	c.must(err)
}

// sameOrigin has one origin arrive again and again: each time the one before it is told to go. A hello that comes late, over a connection older than
// the one that is there, is sent away in its place.
func sameOrigin(c *camp) {
	conn := c.enter(0)
	for range c.n - 1 {
		late, err := c.target.Link(c.ctx, conn.Key)
		c.must(err)
		next, err := c.target.Link(c.ctx, conn.Key)
		c.must(err)
		late.Origin, next.Origin = conn.Origin, conn.Origin
		_, err = next.Enter("mallory0")
		c.must(err)
		c.expelled(conn, chat.Replaced)
		conn.Close()
		hello, err := late.Hello("mallory0")
		c.must(err)
		c.must(late.Say(siege.Control, hello))
		c.expelled(late, chat.Replaced)
		late.Close()
		conn = next
	}
	c.answers(conn)
}

// badLengths are beginnings of records that no record has.
var badLengths = [][]byte{
	{0xff, 0xff, 0xff, 0xff},
	{0, 1, 0, 1},      // 64 KiB and a byte
	{0, 0x10, 0, 0},   // 1 MiB
	make([]byte, 4),   // none
	make([]byte, 4e4), // none, ten thousand times
}

func badRecordLengths(c *camp) {
	c.each(func(i int) {
		bad := badLengths[i%len(badLengths)]
		send := func(conn *siege.Conn, stream uint32) {
			_ = conn.Send(stream, bad) // it may be cut short
			if len(bad) <= wire.HeaderLen {
				c.expelled(conn, chat.Malformed)
			} else {
				c.must(conn.Ended()) // what the node has not read may cost its goodbye
			}
		}
		send(c.enter(i), siege.Control)
		send(c.enter(i), siege.Chat)
		send(c.link(), siege.Control) // before it has said who it is
	})
}

// badItems are records that are not what they seem to be, or no CBOR.
var badItems = func() [][]byte {
	join := func(room ...byte) []byte { return slices.Concat([]byte{0x84, wire.TypeJoin}, room, []byte{0, 0xf6}) }
	pub := func(options ...byte) []byte {
		return append([]byte{0x86, wire.TypePub, 1, 0x61, 'x', 1, 0x41, 'x'}, options...)
	}
	re := append([]byte{0x48}, make([]byte, 8)...)
	huge := binary.BigEndian.AppendUint64(nil, 1<<64-1)
	var pairs []byte
	for key := range byte(20) {
		pairs = append(pairs, key, 0)
	}
	return [][]byte{
		{1}, {0x80}, {0xa0}, {0xf6}, {0xff}, {0x60}, {0x81, 0x20}, {0x81, 0x60}, {0x82}, {0x9f, wire.TypeJoin, 0x61, 'x', 0xff},
		{0x82, wire.TypePart, 0x7f, 0x61, 'x', 0xff}, // of no definite length
		{0xc1, 0x82, wire.TypePart, 0x61, 'x'},       // tagged
		join(0xc0, 0x61, 'x'),
		append([]byte{0x82, wire.TypePart}, slices.Repeat([]byte{0x81}, 60_000)...),                           // deep, and without an end
		slices.Concat([]byte{0x82, wire.TypePart}, slices.Repeat([]byte{0x81}, 6), []byte{0}),                 // just too deep
		slices.Concat([]byte{0x83, wire.TypePart, 0x61, 'x'}, slices.Repeat([]byte{0x81}, 60_000), []byte{0}), // where nobody looks
		slices.Concat([]byte{0x82, wire.TypePart, 0x7b}, huge),                                                // a text of 16 EiB
		slices.Concat([]byte{0x82, wire.TypePart, 0x9b}, huge),                                                // as many elements
		slices.Concat([]byte{0x9b}, huge), slices.Concat([]byte{0x9a, 0xff, 0xff, 0xff, 0xff}, []byte{1}),     // at the top
		slices.Concat([]byte{0x86, wire.TypePub, 1, 0x61, 'x', 1, 0x5a}, huge[:4]),            // a body of 4 GiB
		slices.Concat([]byte{0x83, wire.TypePart, 0x61, 'x', 0x99, 8, 1}, make([]byte, 2049)), // a list of 2,049
		slices.Concat([]byte{0x83, wire.TypePart, 0x61, 'x', 0xb4}, pairs),                    // a map of 20
		pub(slices.Concat([]byte{0xa2, 1}, re, []byte{1}, re)...),                             // a key twice
		pub(0xa1, 1, 0x41, 0), // an id of one byte
		pub(append([]byte{0xbb}, huge...)...), pub(0xa1), pub(0xbf),
		{0x86, wire.TypePub, 1, 0x61, 'x', 1, 0x61, 'x', 0xa0},                                  // a body that is no bytes
		{0x86, wire.TypePub, 1, 0x61, 'x', 1, 0x81, 1, 0xa0},                                    // nor a list
		{0x86, wire.TypePub, 0x20, 0x61, 'x', 1, 0x41, 'x', 0xa0},                               // a cseq below zero
		{0x86, wire.TypePub, 0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0, 0x61, 'x', 1, 0x41, 'x', 0xa0}, // that is not a number
		{0x86, wire.TypePub, 1, 0x61, 'x', 0x19, 1, 1, 0x41, 'x', 0xa0},                         // a kind of two bytes
		{0x82, wire.TypePart, 0x62, 0xc3, 0x28}, {0x82, wire.TypeNick, 0x61, 0xff},              // no UTF-8
		{0x82, wire.TypePart, 0x61, 'x', 0}, {0x82, wire.TypePart, 0x61, 'x', 0x82, wire.TypePart, 0x61, 'x'}, // with more behind it
		{0x84, wire.TypeJoin, 0x61, 'x', 0, 0x83, 1, 1, 0x41, 0}, {0x84, wire.TypeJoin, 0x61, 'x', 0, 0x82, 1, 1}, // cursors
		slices.Repeat([]byte{0xff}, 1000), slices.Repeat([]byte{0x9f}, wire.MaxRecord),
	}
}()

func badCBOR(c *camp) {
	c.each(func(i int) {
		conn := c.enter(i)
		c.must(conn.Send(siege.Chat, siege.Record(badItems[i%len(badItems)])))
		got, err := conn.Farewell()
		c.must(err)
		if got != chat.Malformed {
			c.Errorf("%s: the node says goodbye to %.40x for reason %s, want malformed", c.name, badItems[i%len(badItems)], got)
		}
	})
}

// nodesRecords are what only a node says, and what clients say elsewhere or once.
var nodesRecords = []struct {
	stream uint32
	record wire.Record
}{
	{siege.Chat, &wire.Event{Room: 1, Seq: 1, Name: "alice", Kind: chat.Text, Body: []byte("not by alice")}},
	{siege.Chat, &wire.Ack{CSeq: 1, Seq: 1}}, {siege.Chat, &wire.Refused{CSeq: 1}}, {siege.Chat, &wire.Nack{Expected: 1}},
	{siege.Chat, &wire.Open{Room: 1, Name: room}}, {siege.Chat, &wire.Closed{Room: 1, Name: room}}, {siege.Chat, &wire.Named{Name: "alice"}},
	{siege.Chat, &wire.Notice{Text: "the node goes down"}}, {siege.Chat, &wire.Bye{Code: chat.Stopping}}, {siege.Chat, &wire.Hello{}},
	{siege.Chat, &wire.History{Room: bulk, N: 1}},
	{siege.Control, &wire.Challenge{}}, {siege.Control, &wire.Welcome{}}, {siege.Control, &wire.Hello{}},
	{siege.Control, &wire.Notice{Text: "the node goes down"}}, {siege.Control, &wire.Presence{}}, {siege.Control, &wire.Failed{}},
	{siege.Control, &wire.NamesAre{}}, {siege.Control, &wire.WhoisIs{}}, {siege.Control, &wire.ListIs{}}, {siege.Control, &wire.AuthorsAre{}},
	{siege.Control, &wire.HistoryIs{}}, {siege.Control, &wire.SearchIs{}}, {siege.Control, &wire.KeepIs{}}, {siege.Control, &wire.InviteIs{}},
	{siege.Control, &wire.ReleaseIs{}}, {siege.Control, &wire.AwayIs{}},
	{siege.Control, &wire.Pub{CSeq: 1, Room: room, Kind: chat.Text, Body: []byte("on the wrong stream")}}, {siege.Control, &wire.Join{Room: room}},
}

func speaksAsNode(c *camp) {
	encoded := make([][]byte, len(nodesRecords)) // encoding marks a record
	for i, r := range nodesRecords {
		encoded[i] = wire.Must(nil, r.record)
	}
	c.each(func(i int) {
		which := i % len(nodesRecords)
		conn := c.enter(i)
		c.must(conn.Send(nodesRecords[which].stream, encoded[which]))
		got, err := conn.Farewell()
		c.must(err)
		if got != chat.Malformed {
			c.Errorf("%s: the node says goodbye to a %T for reason %s, want malformed", c.name, nodesRecords[which].record, got)
		}
	})
}

// unknownRecords sends what a later version may: the node passes over it, and answers what it has to.
func unknownRecords(c *camp) {
	const megabytes, questions = 4, 150
	c.each(func(i int) {
		conn := c.enter(i)
		long := siege.Record(append([]byte{0x82, 0x18, 200, 0x59, 0xff, 0xf0}, make([]byte, 0xfff0)...))
		for range megabytes << 20 / len(long) {
			c.must(conn.Send(siege.Chat, long))
		}
		for range questions {
			c.must(conn.Send(siege.Control, siege.Record([]byte{0x81, 0x18, 126})))
			failed, err := siege.Await[*wire.Failed](conn, siege.Control)
			c.must(err)
			if failed.Code != chat.Unsupported {
				c.Errorf("%s: a question that nobody knows is answered with %s", c.name, failed.Code)
			}
		}
		c.answers(conn)
	})
}

// jumps publishes under numbers that are not the next. One row is kept, once.
func jumps(c *camp) {
	c.each(func(i int) {
		conn := c.enter(i)
		pub := func(cseq uint64) *wire.Pub {
			return &wire.Pub{CSeq: cseq, Room: "jumps" + string(rune('a'+i)), Kind: chat.Text, Body: []byte("once")}
		}
		for _, cseq := range []uint64{1<<64 - 1, 1 << 63, 2, 65, 0, 0, 1 << 32} {
			c.must(conn.Say(siege.Chat, pub(cseq)))
		}
		nack, err := siege.Await[*wire.Nack](conn, siege.Chat)
		c.must(err)
		if nack.Expected != 1 || nack.Code != chat.Hole {
			c.Errorf("%s: the node asks for %d for reason %s, want 1 for a hole", c.name, nack.Expected, nack.Code)
		}
		for range 100 {
			c.must(conn.Say(siege.Chat, pub(1), pub(0)))
		}
		for range 100 {
			ack, err := siege.Await[*wire.Ack](conn, siege.Chat)
			c.must(err)
			if ack.CSeq != 1 || ack.Seq != 1 {
				c.Errorf("%s: publish %d is acknowledged as row %d, want 1 as row 1", c.name, ack.CSeq, ack.Seq)
			}
		}
	})
}

// bogusCursors asks for what is behind places that there are not.
func bogusCursors(c *camp) {
	c.each(func(i int) {
		conn, welcome, err := c.target.Enter(c.ctx, "mallory")
		c.must(err)
		hash := chat.Hash{1, 2, 3}
		for _, test := range []struct {
			cursor wire.Cursor
			why    wire.Why
		}{
			{wire.Cursor{Epoch: welcome.Epoch, Seq: 1<<64 - 1, Hash: hash}, wire.WhyAhead},
			{wire.Cursor{Epoch: welcome.Epoch, Seq: bulkRows + 1}, wire.WhyAhead},
			{wire.Cursor{Epoch: welcome.Epoch + 1, Seq: 1}, wire.WhyEpoch},
			{wire.Cursor{Seq: 1<<64 - 1}, wire.WhyEpoch},
			{wire.Cursor{Epoch: welcome.Epoch, Seq: 1, Hash: hash}, wire.WhyHash},
			{wire.Cursor{Epoch: welcome.Epoch, Seq: bulkRows, Hash: hash}, wire.WhyHash},
		} {
			c.must(conn.Say(siege.Chat, &wire.Join{Room: bulk, Tail: 1<<64 - 1, Cursor: &test.cursor}))
			open, err := siege.Await[*wire.Open](conn, siege.Chat)
			c.must(err)
			if open.Status != wire.StatusReset || open.Why != test.why || open.From > open.Head+1 || open.Head-open.From >= chat.MaxTail {
				c.Errorf("%s: a join at %+v is answered with %+v, want a reset for %v", c.name, test.cursor, *open, test.why)
			}
		}
	})
}
