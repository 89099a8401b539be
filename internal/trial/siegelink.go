package trial

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"runtime"
	"slices"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/siege"
	"chatnode/internal/wire"
)

// answerKiB is how much of the heap a connection may cost for which pages of the log are being read.
const answerKiB = 2048

// stuckAttacks are those whose connections a node closes when a write has not ended for long.
var stuckAttacks = []attack{
	{name: "never reads", guests: 6, kib: answerKiB, slow: true, run: neverReads},
	{name: "reads a byte a second", guests: 6, kib: answerKiB, slow: true, run: readsBytes},
}

// slowAttacks are those whose connections a node closes when a handshake, or a frame, has not ended in time.
var slowAttacks = []attack{
	{name: "dribbles a frame", guests: 20, slow: true, run: dribblesFrame},
	{name: "says nothing", guests: 40, slow: true, run: saysNothing},
	{name: "dribbles a TLS hello", guests: 30, slow: true, run: dribblesTLS},
	{name: "dribbles its hello", guests: 30, slow: true, run: dribblesHello},
	{name: "fills its windows before its hello", guests: 30, kib: 800, slow: true, run: fillsWindows},
	{name: "another protocol", guests: len(protocols), slow: true, run: otherProtocols},
}

// linkAttacks are on connections and frames.
var linkAttacks = []attack{
	{name: "never grants", guests: 20, kib: answerKiB, run: neverGrants},
	{name: "breaks the rules of frames", guests: len(badFrames), run: breaksFrames},
	{name: "ping flood", guests: 10, run: floods(siege.Frame(siege.FramePing, siege.SYN, 0, 0))},
	{name: "storm of empty frames", guests: 10, run: floods(siege.Frame(siege.FrameData, 0, siege.Chat, 0))},
	{name: "storm of RST", guests: 10, run: floods(siege.Frame(siege.FrameData, siege.RST, siege.Chat, 0))},
	{name: "storm of SYN", guests: 10, run: synStorm},
	{name: "overflows windows", guests: 10, run: overflowsWindows},
	{name: "half-closes and stays", guests: 100, run: halfCloses},
	{name: "reconnects", guests: 8, stale: maxHandshakes, run: reconnects},
	{name: "comes and goes", guests: 8, run: comesAndGoes},
	{name: "all loads at once", guests: 30, stale: maxHandshakes, kib: 256, run: allLoads},
}

// maxHandshakes is how many connections a node shakes hands with at one time.
const maxHandshakes = 256

// bulk is a room of which there is more than sockets hold, bulkRows how many long messages that are.
const (
	bulk     = "bulk"
	bulkRows = 2 * siegeBurst
)

// fill makes the room bulk.
func (f *front) fill() {
	f.Helper()
	c := f.camp(&attack{name: "fill", guests: 2})
	text := slices.Repeat([]byte("x"), chat.MaxText)
	c.each(func(i int) {
		conn := c.enter(i)
		for n := range uint64(bulkRows / 2) {
			c.must(conn.Say(siege.Chat, &wire.Pub{CSeq: n + 1, Room: bulk, Kind: chat.Text, Body: text}))
		}
		for ack := (&wire.Ack{}); ack.CSeq < bulkRows/2; {
			var err error
			ack, err = siege.Await[*wire.Ack](conn, siege.Chat)
			c.must(err)
		}
	})
	c.end()
}

func neverReads(c *camp) {
	c.each(func(i int) {
		conn := c.enter(i)
		c.must(conn.Ignore(bulk))
		c.hold(stuck{conn})
	})
}

func readsBytes(c *camp) {
	c.each(func(i int) {
		conn := c.enter(i)
		c.must(conn.Ignore(bulk))
		c.hold(stuck{conn})
		c.group.Go(func() {
			for range readsMost { // and then, as those who never read, not until it is looked whether the node has closed it
				if _, err := conn.Socket().Read(make([]byte, 1)); err != nil {
					return
				}
				pause(c.ctx, time.Second)
			}
		})
	})
}

// readsMost is for how many seconds a byte is read in each: longer than a node waits for a write.
const readsMost = 60

func dribblesFrame(c *camp) {
	c.each(func(i int) {
		conn := c.enter(i)
		c.hold(conn)
		c.group.Go(func() { _ = conn.Dribble(c.ctx, siege.Chat, siege.MaxFrame) }) // until the node closes it
	})
}

func saysNothing(c *camp) {
	c.each(func(int) { c.hold(c.raw()) })
	c.arrived()
}

func dribblesTLS(c *camp) {
	c.each(func(int) {
		conn := c.raw(22, 3, 1, 2, 0, 1) // the beginning of a record that holds a ClientHello
		c.hold(conn)
		c.group.Go(func() { c.dribble(conn, make([]byte, 512), 1) })
	})
}

func dribblesHello(c *camp) {
	c.each(func(int) {
		conn := c.link()
		c.hold(conn)
		hello := siege.Record(make([]byte, 512))
		var frames []byte
		for i := range hello {
			frames = append(frames, siege.Frame(siege.FrameData, 0, siege.Control, 1)...)
			frames = append(frames, hello[i])
		}
		c.group.Go(func() { c.dribble(conn, frames, len(frames)/len(hello)) })
	})
}

// dribble sends bytes, a few at a time, until the node closes the connection.
func (c *camp) dribble(conn net.Conn, all []byte, few int) {
	for piece := range slices.Chunk(all, few) {
		if _, err := conn.Write(piece); err != nil || c.ctx.Err() != nil {
			return
		}
		pause(c.ctx, dribbleEvery)
	}
}

// dribbleEvery is how often something of a handshake is sent by who dribbles it.
const dribbleEvery = 100 * time.Millisecond

// fillsWindows has the node take what its streams' windows hold, of somebody who has said who he is in part only.
func fillsWindows(c *camp) {
	c.each(func(int) {
		conn := c.link()
		c.hold(conn)
		c.must(conn.Send(siege.Chat, make([]byte, siege.Window)))
		c.must(conn.Send(siege.Control, siege.Record(make([]byte, wire.MaxRecord))[:wire.MaxRecord]))
	})
}

// protocols are first bytes that others begin with; nil is a client of TLS that knows nothing of chatnode.
var protocols = [][]byte{
	[]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
	[]byte("GET "),
	siege.Frame(siege.FrameWindow, siege.SYN, siege.Control, 0),
	[]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	[]byte("NICK mallory\r\nUSER m 0 * :mallory\r\n"),
	[]byte("SSH-2.0-OpenSSH_9.6\r\n"),
	[]byte("EHLO localhost\r\n"),
	[]byte("\x04\x01\x00\x50\x7f\x00\x00\x01\x00"),
	[]byte("\x03\x00\x00\x13\x0e\xe0\x00\x00"),
	[]byte("\xff\xfb\x01\xff\xfb\x03"),
	[]byte("\n"),
	slices.Repeat([]byte{0xff}, 4096),
	nil,
}

func otherProtocols(c *camp) {
	c.each(func(i int) {
		first := protocols[i%len(protocols)]
		conn := c.raw(first...)
		if first != nil {
			c.hold(conn)
			return
		}
		c.group.Go(func() {
			if err := tls.Client(conn, &tls.Config{ServerName: "localhost"}).HandshakeContext(c.ctx); err == nil {
				c.Errorf("%s: somebody who wants a name in the certificate is content with the node's", c.name)
			}
		})
		c.hold(conn)
	})
}

// neverGrants has readers that leave the node without window for more.
func neverGrants(c *camp) {
	c.each(func(i int) {
		conn := c.enter(i)
		conn.Stingy = true
		c.must(conn.Say(siege.Chat, &wire.Join{Room: bulk, Tail: chat.MaxTail}))
		for range 20 {
			c.must(conn.Say(siege.Control, &wire.History{Room: bulk, N: chat.MaxTail}))
		}
		for range 16 {
			_, err := siege.Await[*wire.Event](conn, siege.Chat)
			c.must(err)
		}
	})
}

// badFrames are those after which a node closes a connection.
var badFrames = [][]byte{
	siege.Frame(siege.FrameData, 0, siege.Chat, 1<<32-1),
	siege.Frame(siege.FrameData, 0, siege.Chat, siege.MaxFrame+1),
	siege.Frame(siege.FrameData, siege.SYN, 5, 1<<31),
	siege.Frame(siege.FrameWindow, siege.SYN, 5, 0),
	siege.Frame(siege.FrameWindow, siege.SYN, 1, 0),
	siege.Frame(siege.FrameWindow, siege.SYN, 0, 0),
	siege.Frame(siege.FrameWindow, siege.SYN, 1<<32-1, 0),
	siege.Frame(4, 0, 0, 0),
	siege.Frame(255, 0xffff, 1<<32-1, 1<<32-1),
	append([]byte{1}, siege.Frame(siege.FrameData, 0, siege.Chat, 0)[1:]...), // of another version
	slices.Repeat([]byte{0xff}, 12),
	slices.Repeat(siege.Frame(siege.FrameWindow, 0, 7, 1), 200), // of a stream that is not open
}

func breaksFrames(c *camp) {
	c.each(func(i int) {
		conn := c.enter(i)
		c.put(conn, 1, badFrames[i%len(badFrames)])
		c.must(conn.Ended())
	})
}

// floods returns an attack that sends a frame more often than a node allows.
func floods(frame []byte) func(*camp) {
	const times = 100_000
	return func(c *camp) {
		c.each(func(i int) {
			conn := c.enter(i)
			c.put(conn, times, frame)
			c.must(conn.Ended())
		})
	}
}

func synStorm(c *camp) {
	c.each(func(i int) {
		conn := c.enter(i)
		for id := uint32(5); id < 4000; id += 2 {
			c.put(conn, 1, siege.Frame(siege.FrameWindow, siege.SYN, id, 0))
		}
		c.must(conn.Ended())
	})
}

// overflowsWindows grants the node more than can be counted. It is served as before.
func overflowsWindows(c *camp) {
	c.each(func(i int) {
		conn := c.enter(i)
		for _, stream := range []uint32{siege.Control, siege.Chat} {
			c.must(conn.Put(1000, siege.Frame(siege.FrameWindow, 0, stream, 1<<32-1)))
		}
		c.must(conn.Say(siege.Chat, &wire.Join{Room: bulk, Tail: chat.MaxTail}))
		for range chat.MaxTail {
			_, err := siege.Await[*wire.Event](conn, siege.Chat)
			c.must(err)
		}
	})
}

// halfCloses ends one of its streams in one direction, and goes on to be there.
func halfCloses(c *camp) {
	c.each(func(i int) {
		conn := c.enter(i)
		stream := uint32(siege.Control)
		if i%2 == 0 {
			stream = siege.Chat
		}
		c.must(conn.Put(1, siege.Frame(siege.FrameWindow, siege.FIN, stream, 0)))
		c.must(conn.Ended())
	})
}

// reconnects makes thousands of connections that end as soon as they are there.
func reconnects(c *camp) {
	const visits = 2000
	turns := make(chan int)
	for range c.n {
		c.group.Go(func() {
			for turn := range turns {
				if err := c.target.Visit(c.ctx, turn); err != nil {
					c.Errorf("%s: %v", c.name, err)
				}
			}
		})
	}
	for turn := range visits {
		turns <- turn
	}
	close(turns)
	c.group.Wait()
}

// comesAndGoes has people shake hands, each under a key of his own, and leave: with a word, without one, or with everything asked and nothing heard.
func comesAndGoes(c *camp) {
	const each = 40
	c.each(func(i int) {
		for turn := range each {
			conn, _, err := c.target.Enter(c.ctx, fmt.Sprintf("guest%d.%d", i, turn))
			c.must(err)
			switch turn % 3 {
			case 0:
				c.must(conn.Say(siege.Control, &wire.Bye{}))
				c.must(conn.Ended())
			case 1:
				c.must(conn.Say(siege.Chat, &wire.Join{Room: bulk, Tail: chat.MaxTail}, &wire.Join{Room: chat.DirectMark}))
			}
			conn.Close()
		}
	})
}

// allLoads is what is laid beside good clients to measure them.
func allLoads(c *camp) {
	for _, load := range []func(context.Context, siege.Target, int){
		siege.Silent, siege.Storm,
		func(ctx context.Context, t siege.Target, n int) { siege.Stuck(ctx, t, n, bulk) },
	} {
		c.group.Go(func() { load(c.ctx, c.target, c.n/3) })
	}
	for began, most := time.Now(), 0; ; pause(c.ctx, lookEvery) {
		c.mu.Lock()
		most = c.made
		c.mu.Unlock()
		if most > 20*c.n {
			break
		}
		if time.Since(began) > c.Patience {
			c.Errorf("%s: %d connections in %v", c.name, most, c.Patience)
			runtime.Goexit()
		}
	}
}
