package frame

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
)

// acceptScript has a peer say chunks, each read by itself, and leave. It returns the connection's end and its first stream.
func acceptScript(t *testing.T, chunks ...[]byte) (*Conn, Stream) {
	t.Helper()
	c := Accept(&scriptConn{chunks: append([][]byte{syns(1)}, chunks...)}, NodePolicy())
	c.Receive()
	box := <-c.half.opened // the ACK of AcceptStream has nowhere to go by now
	return c, c.Stream(box.id, box)
}

func data(flags uint16, id uint32, body string) []byte {
	return wire(typeData, flags, id, []byte(body))
}

// What a peer said before it went is read, however it went, and then the end.
func TestHalfReads(t *testing.T) {
	body := data(0, 1, "hello ")
	for name, row := range map[string]struct {
		chunks [][]byte
		want   string
		end    error
	}{
		"nothing":                {nil, "", io.EOF},
		"a frame in pieces":      {[][]byte{body[:3], body[3:13], body[13:17], body[17:]}, "hello ", io.EOF},
		"two frames at once":     {[][]byte{slices.Concat(body, data(0, 1, "world"))}, "hello world", io.EOF},
		"half a frame":           {[][]byte{body[:15]}, "hel", io.EOF},
		"FIN behind it":          {[][]byte{body, frameBytes(typeWindow, flagFIN, 1, 0)}, "hello ", io.EOF},
		"FIN on it":              {[][]byte{data(flagFIN, 1, "bye")[:13], data(flagFIN, 1, "bye")[13:]}, "bye", io.EOF},
		"RST behind it":          {[][]byte{body, frameBytes(typeWindow, flagRST, 1, 0)}, "hello ", errReset},
		"a body on RST":          {[][]byte{body, data(flagRST, 1, "lost")}, "hello ", errReset},
		"after RST":              {[][]byte{frameBytes(typeWindow, flagRST, 1, 0), body}, "", errReset},
		"another stream's":       {[][]byte{syns(3), data(0, 3, "not this"), body}, "hello ", io.EOF},
		"a stream nobody opened": {[][]byte{data(0, 5, "lost"), data(0, 9, "lost"), body}, "hello ", io.EOF},
		"grant after FIN":        {[][]byte{body, frameBytes(typeWindow, flagFIN, 1, 0), frameBytes(typeWindow, 0, 1, 10)}, "hello ", io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := acceptScript(t, row.chunks...)
			var got bytes.Buffer
			p := make([]byte, 4)
			for {
				if !s.Ready() {
					t.Fatal("Ready is false, and nothing more will come")
				}
				n, err := s.Read(p)
				got.Write(p[:n])
				if err == nil {
					continue
				}
				if err != row.end {
					t.Errorf("the stream ends with %v, want %v", err, row.end)
				}
				break
			}
			if got.String() != row.want {
				t.Errorf("read %q, want %q", got.String(), row.want)
			}
			if c.Err() != io.EOF {
				t.Errorf("the connection has ended with %v, want EOF", c.Err())
			}
		})
	}
}

// A peer that sends without waiting for the reader gets no further than its window, in whole bytes.
func TestHalfWindow(t *testing.T) {
	full := frameBytes(typeData, 0, 1, 16<<10)
	c, _ := acceptScript(t, slices.Repeat([][]byte{full}, initialWindow>>14)...)
	if c.Err() != io.EOF {
		t.Errorf("a window full ended the connection: %v", c.Err())
	}
	c, _ = acceptScript(t, append(slices.Repeat([][]byte{full}, initialWindow>>14), frameBytes(typeData, 0, 1, 1))...)
	if c.Err() != error(errWindow) {
		t.Errorf("a byte more ended it with %v, want %v", c.Err(), errWindow)
	}
}

// A stream is ready when something has arrived, and not before; whoever wants to know is told.
func TestHalfReady(t *testing.T) {
	near, far := tcpPair(t)
	c := Accept(near, NodePolicy())
	told := make(chan struct{}, 100)
	c.Notify(func() { told <- struct{}{} })
	go c.Receive()
	defer func() { c.Close(); <-c.Done() }()
	say := func(p []byte) {
		t.Helper()
		if _, err := far.Write(p); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "a hint", told)
	}
	say(syns(1))
	s, _, err := c.AcceptStream()
	if err != nil {
		t.Fatal(err)
	}
	if s.Ready() {
		t.Error("an empty stream is ready")
	}
	say(data(0, 1, "x"))
	if !s.Ready() {
		t.Error("a stream with a byte is not ready")
	}
	if _, err := s.Read(make([]byte, 8)); err != nil || s.Ready() {
		t.Errorf("after %v it is ready still: %v", err, s.Ready())
	}
	far.Close()
	waitFor(t, "the end", c.Done())
	waitFor(t, "a hint of the end", told)
	if !s.Ready() {
		t.Error("a stream whose connection has ended is not ready")
	}
}

// Each ping is answered with its number; a peer that takes no answers does not get more than a few.
func TestHalfPongs(t *testing.T) {
	near, far := tcpPair(t)
	c := Accept(near, NodePolicy())
	go c.Receive()
	for number := range uint32(3) {
		if _, err := far.Write(frameBytes(typePing, flagSYN, 0, number)); err != nil {
			t.Fatal(err)
		}
	}
	for number := range uint32(3) {
		got := make([]byte, headerSize)
		if _, err := io.ReadFull(far, got); err != nil {
			t.Fatal(err)
		}
		if want := frameBytes(typePing, flagACK, 0, number); !bytes.Equal(got, want) {
			t.Errorf("the answer is %x, want %x", got, want)
		}
	}
	c.Close()
	<-c.Done()

	pipeNear, pipeFar := net.Pipe() // which takes nothing that is not read
	defer pipeFar.Close()
	c = Accept(pipeNear, Policy{MaxStreams: 2})
	go c.Receive()
	for range maxPongs + 1 {
		if _, err := pipeFar.Write(frameBytes(typePing, flagSYN, 0, 0)); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "the end", c.Done())
	if !errors.Is(c.Err(), errPongs) {
		t.Errorf("the connection has ended with %v, want %v", c.Err(), errPongs)
	}
}
