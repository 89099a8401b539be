package frame

import (
	"bytes"
	"errors"
	"io"
	"runtime/metrics"
	"slices"
	"testing"
	"time"
)

// FuzzConnRead reads any bytes in any pieces: what passes is what came in,
// the cut makes no difference, and no announcement takes memory.
func FuzzConnRead(f *testing.F) {
	opened := slices.Concat(frameBytes(typeWindow, flagSYN, 1, 0), frameBytes(typeWindow, flagSYN, 3, 1<<20))
	for _, seed := range [][]byte{
		{},
		opened,
		slices.Concat(opened, frameBytes(typeData, 0, 3, 145), frameBytes(typePing, flagSYN, 0, 1)),
		slices.Concat(opened, frameBytes(typeData, 0, 1, 1<<24)[:headerSize+3]),
		slices.Concat(opened, frameBytes(typeWindow, flagRST, 1, 0), bytes.Repeat(frameBytes(typeData, 0, 1, 2), 101)),
		bytes.Repeat(frameBytes(typePing, flagSYN, 0, 0), 6),
		bytes.Repeat(frameBytes(typeWindow, flagSYN, 5, 1<<32-1), 2),
		[]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
	} {
		f.Add(seed, uint64(len(seed)))
	}
	clock := func() time.Time { return time.Unix(1, 0) }
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		for _, policy := range []Policy{NodePolicy(), {}} {
			policy.Now = clock
			whole := parse(policy, [][]byte{in})
			for how, chunks := range cuts(in, seed) {
				if len(in) > 1<<12 && how == "bytes" {
					continue
				}
				if o := parse(policy, chunks); !equalOutcome(o, whole) {
					t.Fatalf("%s gives %+v, whole %+v", how, o, whole)
				}
				checkRead(t, policy, in, chunks, whole.Breach)
			}
		}
	})
}

// equalOutcome leaves out what depends on where a breach cut its chunk.
func equalOutcome(a, b outcome) bool {
	if a.Breach != nil {
		a.News, b.News = news{}, news{}
	}
	return a == b
}

func checkRead(t *testing.T, policy Policy, in []byte, chunks [][]byte, breach error) {
	t.Helper()
	const bound, tries = 1 << 20, 3 // the fuzzer allocates too, now and then, and all of the process is counted
	var c *Conn
	var got []byte
	var err error
	grew := uint64(bound + 1)
	for try := 0; grew > bound && try < tries; try++ {
		c = NewConn(&scriptConn{chunks: slices.Clone(chunks)}, policy)
		c.Stream(1, nil)
		got = make([]byte, 0, len(in))
		buf := make([]byte, 4096)
		before := allocated()
		for err = nil; err == nil; {
			var n int
			n, err = c.Read(buf)
			got = append(got, buf[:n]...)
		}
		grew = allocated() - before
	}
	if grew > bound {
		t.Errorf("reading %d bytes has allocated %d", len(in), grew)
	}
	if breach == nil {
		breach = io.EOF
	}
	if !errors.Is(err, breach) {
		t.Errorf("Read ended with %v, want %v", err, breach)
	}
	if !bytes.HasPrefix(in, got) || breach == io.EOF && len(got) != len(in) {
		t.Errorf("%d of %d bytes have passed, or others", len(got), len(in))
	}
	for i := range c.streams {
		if w := c.streams[i].Window(); w < initialWindow || w > maxWindow {
			t.Errorf("window %d is %d", i, w)
		}
	}
}

func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
