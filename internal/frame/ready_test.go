package frame

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/yamux"

	"chatnode/internal/errand"
)

func data(flags uint16, id uint32, body string) []byte {
	var h header
	h.encode(typeData, flags, id, uint32(len(body)))
	return append(h[:], body...)
}

// readyLink is a node's end with its first stream, and a peer that speaks for itself.
type readyLink struct {
	*Conn
	mux    *yamux.Session
	stream Stream
	told   chan struct{} // capacity 1
	far    net.Conn
}

// openReadyLink has a peer say what is early before its first stream is accepted.
func openReadyLink(t *testing.T, early ...[]byte) *readyLink {
	t.Helper()
	near, far := tcpPair(t)
	l := &readyLink{Conn: NewConn(near, NodePolicy()), told: make(chan struct{}, 1), far: far}
	var err error
	if l.mux, err = yamux.Server(l.Conn, muxConfig()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.mux.Close() })
	l.say(t, append([][]byte{syns(1)}, early...)...)
	s, err := l.mux.AcceptStream()
	if err != nil {
		t.Fatal(err)
	}
	l.stream = l.Stream(s.StreamID(), s)
	l.Hear(func() {
		select {
		case l.told <- struct{}{}:
		default:
		}
	})
	return l
}

func (l *readyLink) say(t *testing.T, chunks ...[]byte) {
	t.Helper()
	for _, chunk := range chunks {
		if _, err := l.far.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
}

// settle returns when yamux has been through all that the peer has said.
func (l *readyLink) settle(t *testing.T) {
	t.Helper()
	l.say(t, frameBytes(typePing, flagSYN, 0, 1))
	for got := make([]byte, headerSize); got[1] != typePing; {
		if _, err := io.ReadFull(l.far, got); err != nil {
			t.Fatal(err)
		}
	}
}

// What a peer says is read by whoever reads only what is ready, and only when told that there may be something; and then the end.
func TestReadsWhatIsReady(t *testing.T) {
	body, fin, rst := data(0, 1, "hello "), frameBytes(typeWindow, flagFIN, 1, 0), frameBytes(typeWindow, flagRST, 1, 0)
	for name, row := range map[string]struct {
		chunks [][]byte
		want   string
		end    error
	}{
		"nothing":                {nil, "", io.EOF},
		"a frame in pieces":      {[][]byte{body[:3], body[3:13], body[13:17], body[17:]}, "hello ", io.EOF},
		"two frames at once":     {[][]byte{slices.Concat(body, data(0, 1, "world"))}, "hello world", io.EOF},
		"FIN behind it":          {[][]byte{body, fin}, "hello ", io.EOF},
		"data behind FIN":        {[][]byte{fin, body}, "", io.EOF},
		"RST":                    {[][]byte{rst}, "", yamux.ErrConnectionReset},
		"after RST":              {[][]byte{rst, body}, "", yamux.ErrConnectionReset},
		"another stream's":       {[][]byte{syns(3), data(0, 3, "not this"), body}, "hello ", io.EOF},
		"a stream nobody opened": {[][]byte{data(0, 5, "lost"), data(0, 9, "lost"), body}, "hello ", io.EOF},
		"FIN twice":              {[][]byte{body, fin, fin}, "hello ", io.EOF},
		"more than the window":   {slices.Repeat([][]byte{frameBytes(typeData, 0, 1, 16<<10)}, initialWindow>>14+1), string(make([]byte, initialWindow)), io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			l := openReadyLink(t)
			l.say(t, row.chunks...)
			_ = l.far.(*net.TCPConn).CloseWrite() // fails when the node has had enough
			var got bytes.Buffer
			for p := make([]byte, 4<<10); ; {
				if !l.stream.Ready() {
					l.wait(t)
					continue
				}
				n, err := l.stream.Read(p)
				got.Write(p[:n])
				if err == nil {
					continue
				}
				if !errors.Is(err, row.end) {
					t.Errorf("the stream ends with %v, want %v", err, row.end)
				}
				break
			}
			if name != "data behind FIN" && name != "more than the window" && got.String() != row.want { // of those two, yamux may show any part
				t.Errorf("read %q, want %q", got.String(), row.want)
			}
		})
	}
}

// wait returns when there may be something to read.
func (l *readyLink) wait(t *testing.T) {
	t.Helper()
	select {
	case <-l.told:
	default:
		select {
		case <-l.told:
		case <-l.mux.CloseChan():
			if !l.stream.Ready() {
				t.Fatal("the connection has ended, and the stream is not ready")
			}
		}
	}
}

// A stream is ready when a whole frame has arrived, not before, and no longer than there are bytes left; its user is told.
func TestReady(t *testing.T) {
	l := openReadyLink(t)
	frame := data(0, 1, "hello")
	l.say(t, frame[:15])
	l.say(t, frame[15:16])
	if l.stream.Ready() {
		t.Error("a stream is ready of which a part of a frame has arrived")
	}
	l.say(t, frame[16:])
	waitFor(t, "a hint", l.told)
	for i, want := range []string{"hel", "lo"} {
		if !l.stream.Ready() {
			t.Fatalf("not ready for part %d", i)
		}
		p := make([]byte, 3)
		if n, err := l.stream.Read(p); err != nil || string(p[:n]) != want {
			t.Errorf("part %d is %q, %v; want %q", i, p[:n], err, want)
		}
	}
	if l.stream.Ready() {
		t.Error("a stream of which all was read is ready")
	}
	l.say(t, frameBytes(typeData, 0, 1, 0), data(0, 3, "stray"), frameBytes(typeWindow, flagFIN, 3, 0))
	l.settle(t)
	if l.stream.Ready() {
		t.Error("an empty frame, or one of a stream that is not open, has made it ready")
	}
	l.say(t, frameBytes(typeWindow, flagFIN, 1, 0))
	waitFor(t, "a hint of the end", l.told)
	if !l.stream.Ready() {
		t.Error("a stream that has ended is not ready")
	}
}

// What came before a stream was accepted makes it ready too, and so does the connection's end.
func TestReadyBefore(t *testing.T) {
	l := openReadyLink(t, data(0, 1, "early"))
	l.settle(t)
	if !l.stream.Ready() {
		t.Error("a stream is not ready that had something early")
	}
	if _, err := io.ReadFull(l.stream, make([]byte, 5)); err != nil || l.stream.Ready() {
		t.Errorf("after %v it is ready still: %v", err, l.stream.Ready())
	}
	l.Close()
	if !l.stream.Ready() {
		t.Error("a stream whose connection has ended is not ready")
	}
}

// Two errands that run only while their streams are ready get all that a peer sends, whole and in order, and its end, however it ends.
func TestErrandsMissNothing(t *testing.T) {
	const size = 600 << 10 // beyond a window
	for name, over := range map[string]bool{"tcp": false, "tls": true} {
		for end, finish := range map[string]func(client *yamux.Session, streams []*yamux.Stream, node *testLink){
			"streams closed": func(_ *yamux.Session, streams []*yamux.Stream, _ *testLink) { streams[0].Close(); streams[1].Close() },
			"peer gone":      func(client *yamux.Session, _ []*yamux.Stream, _ *testLink) { client.Close() },
			"closed here":    func(_ *yamux.Session, _ []*yamux.Stream, node *testLink) { node.conn.Close() },
		} {
			t.Run(name+"/"+end, func(t *testing.T) {
				var near, far net.Conn
				if near, far = tcpPair(t); over {
					near, far = secure(t, near, far)
				}
				client, streams := plainClient(t, far, 2)
				node, err := acceptTestLink(near, NodePolicy())
				if err != nil {
					t.Fatal(err)
				}
				defer node.Close()
				readers := [2]*errandReader{{stream: node.control, all: make(chan struct{}), over: make(chan struct{})}, {stream: node.chat, all: make(chan struct{}), over: make(chan struct{})}}
				node.conn.Hear(func() {
					for _, r := range readers {
						if r.stream.Ready() {
							r.Poke()
						}
					}
				})
				var writers sync.WaitGroup
				for i, r := range readers {
					r.want = size
					r.Start(nil, r.read)
					writers.Go(func() { r.sent = sendPieces(streams[i], size, uint64(i)) })
				}
				for i, r := range readers {
					waitFor(t, fmt.Sprintf("stream %d", i), r.all)
				}
				writers.Wait()
				finish(client, streams, node)
				if end != "streams closed" {
					waitFor(t, "the session's end", node.CloseChan())
					readers[0].Poke()
					readers[1].Poke()
				}
				for i, r := range readers {
					waitFor(t, fmt.Sprintf("the end of stream %d", i), r.over)
					r.Close()
					if r.sent != nil || !bytes.Equal(r.got.Bytes(), pattern(size)) {
						t.Errorf("stream %d: %v; %d bytes were read, or others than were sent", i, r.sent, r.got.Len())
					}
				}
			})
		}
	}
}

// errandReader reads a stream as a session does.
type errandReader struct {
	errand.Errand
	stream Stream
	want   int
	all    chan struct{} // closed when want bytes were read
	over   chan struct{} // closed when the stream has ended
	sent   error         // of the writer

	// Owned by the errand.
	got   bytes.Buffer
	ended bool
}

func (r *errandReader) read() (more bool) {
	p := make([]byte, 3000)
	for !r.ended && r.stream.Ready() {
		n, err := r.stream.Read(p)
		r.got.Write(p[:n])
		if n > 0 && r.got.Len() == r.want {
			close(r.all)
		}
		if err != nil {
			r.ended = true
			close(r.over)
		}
	}
	return false
}

func sendPieces(w io.Writer, size int, seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 1))
	for p := pattern(size); len(p) > 0; {
		n := min(1+rng.IntN(12_000), len(p))
		if _, err := w.Write(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// shrinker counts what is asked of yamux's stream, which may have to wait.
type shrinker struct {
	shrunk int
	frame  chan struct{} // closed when it has arrived; nil: none is on its way
}

func (s *shrinker) Read([]byte) (int, error) { return 0, io.EOF }

func (s *shrinker) Shrink() {
	s.shrunk++
	if s.frame != nil {
		<-s.frame
	}
}

// A stream that was read gives back what it holds, once; one that was not is left alone. While a frame is on its way, for which yamux has to wait, the ticker
// does not, and asks for nothing more.
func TestShrink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r shrinker
		conn := NewConn(&scriptConn{}, Policy{})
		stream := conn.Stream(3, &r)
		shrinks := func(want int) {
			t.Helper()
			conn.Shrink()
			if synctest.Wait(); r.shrunk != want {
				t.Errorf("yamux was asked %d times to give back what it holds, want %d", r.shrunk, want)
			}
		}
		read := func() { _, _ = stream.Read(nil) } // io.EOF, which is as good
		shrinks(0)
		read()
		shrinks(1)
		shrinks(1)
		r.frame = make(chan struct{})
		read()
		shrinks(2)
		read()
		shrinks(2)
		close(r.frame)
		synctest.Wait()
		shrinks(3)
		shrinks(3)
	})
}
