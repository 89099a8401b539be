package frame

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + i>>8)
	}
	return p
}

// wire returns header and body as one frame.
func wire(kind byte, flags uint16, id uint32, body []byte) []byte {
	var h header
	h.encode(kind, flags, id, uint32(len(body)))
	return append(h[:], body...)
}

func TestWriteJoins(t *testing.T) {
	const k = 1 << 10
	for name, tt := range map[string]struct {
		size, maxSend int
		writes        []int
	}{
		"one byte":              {1, 0, []int{13}},
		"small":                 {100, 0, []int{112}},
		"copied":                {8 * k, 0, []int{8*k + 12}},
		"large":                 {8*k + 1, 0, []int{12, 8*k + 1}},
		"as a client may":       {16 * k, 0, []int{12, 16 * k}},
		"cut for a node":        {40 * k, 0, []int{12, 16 * k, 12, 16 * k, 8*k + 12}},
		"as a node may":         {64 * k, 64 * k, []int{12, 64 * k}},
		"a whole window at 64K": {256 * k, 64 * k, []int{12, 64 * k, 12, 64 * k, 12, 64 * k, 12, 64 * k}},
	} {
		body := pattern(tt.size)
		var want []byte
		flags := uint16(flagSYN)
		max := tt.maxSend
		if max == 0 {
			max = 16 * k
		}
		for piece := range slices.Chunk(body, max) {
			want = append(want, wire(typeData, flags, 5, piece)...)
			flags = 0
		}

		raw := &scriptConn{}
		c := NewConn(raw, Policy{MaxSend: tt.maxSend})
		var h header
		h.encode(typeData, flagSYN, 5, uint32(tt.size))
		if n, err := c.Write(h[:]); n != headerSize || err != nil {
			t.Fatalf("%s: header: %d, %v", name, n, err)
		}
		if len(raw.writes) != 0 {
			t.Errorf("%s: a lone header is on the wire", name)
		}
		if n, err := c.Write(body); n != tt.size || err != nil {
			t.Fatalf("%s: body: %d, %v", name, n, err)
		}
		var sizes []int
		for _, w := range raw.writes {
			sizes = append(sizes, len(w))
		}
		if diff := cmp.Diff(tt.writes, sizes); diff != "" {
			t.Errorf("%s: sizes of writes mismatch (-want +got):\n%s", name, diff)
		}
		if !bytes.Equal(bytes.Join(raw.writes, nil), want) {
			t.Errorf("%s: what is on the wire differs", name)
		}
	}
}

// Frames that yamux and the stream's owner write in turn stay whole.
func TestWriteBetweenHeaderAndBody(t *testing.T) {
	raw := &scriptConn{}
	c := NewConn(raw, Policy{})
	chat := c.Stream(3, nil)
	put := func(w io.Writer, p []byte) {
		t.Helper()
		if n, err := w.Write(p); n != len(p) || err != nil {
			t.Fatalf("wrote %d of %d: %v", n, len(p), err)
		}
	}
	held := wire(typeData, 0, 5, []byte("held"))
	update := frameBytes(typeWindow, 2, 3, 0)

	put(c, update)
	put(c, held[:headerSize])
	put(chat, []byte("direct"))
	if err := c.Ping(); err != nil {
		t.Fatal(err)
	}
	put(c, held[headerSize:])
	put(c, frameBytes(typeData, 0, 5, 0))

	want := [][]byte{
		update,
		wire(typeData, 0, 3, []byte("direct")),
		frameBytes(typePing, flagSYN, 0, pingMark),
		held,
		frameBytes(typeData, 0, 5, 0),
	}
	if diff := cmp.Diff(want, raw.writes); diff != "" {
		t.Errorf("writes mismatch (-want +got):\n%s", diff)
	}
}

func TestWriteRefusesNonsense(t *testing.T) {
	header := frameBytes(typeData, 0, 3, 9)[:headerSize]
	for name, tt := range map[string]struct {
		writes [][]byte
		want   error
	}{
		"no header":           {[][]byte{{1, 2, 3}}, errNotFrame},
		"a body cut short":    {[][]byte{frameBytes(typeData, 0, 5, 9)[:headerSize], make([]byte, 8)}, errNotFrame},
		"data beside a Write": {[][]byte{header}, errMixed},
	} {
		raw := &scriptConn{}
		c := NewConn(raw, Policy{})
		c.Stream(3, nil)
		var err error
		for _, w := range tt.writes {
			_, err = c.Write(w)
		}
		if err != tt.want || raw.closed != 1 || len(raw.writes) != 0 {
			t.Errorf("%s: %v, closed %d times, %d writes; want %v, 1, 0", name, err, raw.closed, len(raw.writes), tt.want)
		}
	}
}

func TestWindowIsSpent(t *testing.T) {
	raw := &scriptConn{}
	c := NewConn(raw, Policy{})
	s := c.Stream(1, nil)
	if _, err := s.Write(make([]byte, initialWindow+1)); err != ErrWindow || len(raw.writes) != 0 || c.Err() != nil {
		t.Errorf("too much: %v, %d writes, connection %v; want %v, 0, nil", err, len(raw.writes), c.Err(), ErrWindow)
	}
	if n, err := s.Write(make([]byte, 100_000)); n != 100_000 || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	if got, want := s.Window(), initialWindow-100_000; got != want {
		t.Errorf("Window = %d, want %d", got, want)
	}
	if _, err := s.Write(make([]byte, s.Window())); err != nil {
		t.Fatal(err)
	}
	if got := s.Window(); got != 0 {
		t.Errorf("Window = %d after all of it was used", got)
	}
}

// A peer with a window of 4 MiB grants nothing before 2 MiB are used, so the
// part above what Window reports must not be lost.
func TestLargeWindowIsKept(t *testing.T) {
	raw := &scriptConn{chunks: [][]byte{frameBytes(typeWindow, 2, 1, 4<<20-initialWindow)}}
	c := NewConn(raw, Policy{MaxSend: 64 << 10})
	s := c.Stream(1, nil)
	if _, err := c.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	sent := 0
	for s.Window() > 0 {
		n, err := s.Write(make([]byte, s.Window()))
		if sent += n; err != nil {
			t.Fatal(err)
		}
	}
	if sent != 4<<20 {
		t.Errorf("could send %d bytes, want %d", sent, 4<<20)
	}
}

func TestNotify(t *testing.T) {
	raw := &scriptConn{chunks: [][]byte{
		frameBytes(typeWindow, 0, 1, 10),
		frameBytes(typeWindow, 0, 3, 10), // not registered
		frameBytes(typeData, 0, 1, 10),
		frameBytes(typeWindow, 0, 1, 0),
		append(frameBytes(typeWindow, 0, 1, 10), frameBytes(typeWindow, 0, 1, 10)...),
	}}
	c := NewConn(raw, Policy{})
	s := c.Stream(1, nil)
	var seen []int
	var ready []bool
	c.Notify(func() { seen = append(seen, s.Window()-initialWindow) })
	c.Hear(func() { ready = append(ready, s.Ready()) })
	if _, err := io.ReadAll(c); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]bool{true}, ready); diff != "" {
		t.Errorf("readiness mismatch (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{10, 30}, seen); diff != "" {
		t.Errorf("growth mismatch (-want +got):\n%s", diff)
	}
}

func TestWriteErrorIsFinal(t *testing.T) {
	broken := errors.New("broken")
	raw := &scriptConn{writeErr: broken}
	c := NewConn(raw, Policy{})
	s := c.Stream(1, nil)
	if _, err := s.Write([]byte("x")); !errors.Is(err, broken) {
		t.Errorf("Write = %v, want %v", err, broken)
	}
	raw.writeErr = nil
	if _, err := s.Write([]byte("x")); !errors.Is(err, broken) {
		t.Errorf("the Write after = %v, want %v", err, broken)
	}
	if _, err := c.Write(frameBytes(typePing, 0, 0, 0)); !errors.Is(err, broken) {
		t.Errorf("yamux's Write after = %v, want %v", err, broken)
	}
	if err := c.Ping(); !errors.Is(err, broken) {
		t.Errorf("Ping after = %v, want %v", err, broken)
	}
	if raw.closed != 1 || len(raw.writes) != 0 {
		t.Errorf("closed %d times, %d writes; want 1, 0", raw.closed, len(raw.writes))
	}
}

func TestPingIsBounded(t *testing.T) {
	clock := time.Unix(1000, 0)
	raw := &scriptConn{}
	if err := NewConn(raw, Policy{Now: func() time.Time { return clock }}).Ping(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]time.Time{clock.Add(10 * time.Second), {}}, raw.deadlines); diff != "" {
		t.Errorf("deadlines mismatch (-want +got):\n%s", diff)
	}

	near, far := net.Pipe() // nobody reads
	defer far.Close()
	past := time.Now().Add(-time.Hour)
	c := NewConn(near, Policy{Now: func() time.Time { return past }})
	if err := c.Ping(); !errors.Is(err, os.ErrDeadlineExceeded) || c.Err() != err {
		t.Errorf("Ping = %v, connection %v; want both timed out", err, c.Err())
	}
}

func TestHotPathsDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool drops buffers under the race detector")
	}
	c := NewConn(&countConn{}, Policy{})
	s := c.Stream(1, nil)
	small := make([]byte, 145)
	if n := testing.AllocsPerRun(1000, func() { s.Write(small) }); n != 0 {
		t.Errorf("a small Write allocates %v times", n)
	}
	chunk := bytes.Repeat(frameBytes(typeData, 0, 1, 145), 20)
	in := NewConn(&loopConn{chunk: chunk}, NodePolicy())
	in.in.frames, in.in.stray = meter{}, -1<<30
	buf := make([]byte, len(chunk))
	if n := testing.AllocsPerRun(1000, func() { in.Read(buf) }); n != 0 {
		t.Errorf("a Read allocates %v times", n)
	}
}
