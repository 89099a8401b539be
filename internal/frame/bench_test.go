package frame

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// countConn takes every write.
type countConn struct {
	net.Conn
	bytes int
}

func (c *countConn) Write(p []byte) (int, error)      { c.bytes += len(p); return len(p), nil }
func (c *countConn) Close() error                     { return nil }
func (c *countConn) SetReadDeadline(time.Time) error  { return nil }
func (c *countConn) SetWriteDeadline(time.Time) error { return nil }

// loopConn gives the same chunk to each Read.
type loopConn struct {
	countConn
	chunk []byte
}

func (l *loopConn) Read(p []byte) (int, error) { return copy(p, l.chunk), nil }

// BenchmarkFrameIn reads chunks of 4 KiB, as yamux does, of chat-sized
// frames; one operation is one frame. The copy is what Read costs without a
// parser.
func BenchmarkFrameIn(b *testing.B) {
	frame := frameBytes(typeData, 0, 1, 145)
	chunk := bytes.Repeat(frame, 4096/len(frame))
	each := len(chunk) / len(frame)
	buf := make([]byte, 4096)
	b.Run("policed", func(b *testing.B) {
		policy := NodePolicy()
		policy.Frames = Rate{Every: time.Nanosecond, Burst: 1 << 40} // the count, without its end
		c := NewConn(&loopConn{chunk: chunk}, policy)
		c.streams[0].open = true
		benchmarkReads(b, c, buf, each)
	})
	b.Run("copy", func(b *testing.B) { benchmarkReads(b, &loopConn{chunk: chunk}, buf, each) })
}

func benchmarkReads(b *testing.B, r io.Reader, buf []byte, each int) {
	b.ReportAllocs()
	for i := 0; i < b.N; i += each {
		if _, err := r.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFrameOut writes direct frames, to nowhere and to a loopback
// socket, where "raw" is the same bytes without a frame around them.
func BenchmarkFrameOut(b *testing.B) {
	for _, size := range []int{145, 4 << 10, 64 << 10} {
		body := make([]byte, size)
		b.Run(fmt.Sprintf("none/%d", size), func(b *testing.B) {
			benchmarkFrames(b, NewConn(&countConn{}, Policy{MaxSend: 64 << 10}), body)
		})
		b.Run(fmt.Sprintf("tcp/%d", size), func(b *testing.B) {
			near := drained(b)
			benchmarkFrames(b, NewConn(near, Policy{MaxSend: 64 << 10}), body)
		})
		b.Run(fmt.Sprintf("raw/%d", size), func(b *testing.B) {
			near := drained(b)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := near.Write(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchmarkFrames(b *testing.B, c *Conn, body []byte) {
	s := c.Stream(1, nil)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		c.streams[0].window.Store(maxWindow)
		if _, err := s.Write(body); err != nil {
			b.Fatal(err)
		}
	}
}

// drained returns a socket whose other end reads all there is.
func drained(b *testing.B) *net.TCPConn {
	near, far := tcpPair(b)
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{far}, make([]byte, 256<<10))
	}()
	b.Cleanup(func() { near.Close(); <-done })
	return near
}
