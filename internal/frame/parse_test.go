package frame

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// cuts returns b whole, byte by byte and in random pieces.
func cuts(b []byte, seed uint64) map[string][][]byte {
	rng := rand.New(rand.NewPCG(seed, 0))
	var random [][]byte
	for rest := b; len(rest) > 0; {
		n := 1 + rng.IntN(min(40, len(rest)))
		random = append(random, rest[:n])
		rest = rest[n:]
	}
	return map[string][][]byte{
		"whole":  {b},
		"bytes":  slices.Collect(slices.Chunk(b, 1)),
		"random": random,
	}
}

// outcome is all of a parser that must not depend on how its input was cut.
type outcome struct {
	Begun    uint64
	Mid      bool
	Stray    int
	Window   [maxStreams]int
	Unread   [maxStreams]int64
	Ended    [maxStreams]bool
	News     news
	Breach   error
	Followed [maxStreams]bool
}

func parse(policy Policy, chunks [][]byte) outcome {
	c := NewConn(&scriptConn{}, policy)
	for i := range c.streams {
		c.streams[i].registered.Store(true)
	}
	var o outcome
	for _, chunk := range chunks {
		n, err := c.in.feed(chunk, 0)
		o.News.grown, o.News.ready = o.News.grown || n.grown, o.News.ready || n.ready
		if err != nil {
			o.Breach = err
			break
		}
	}
	o.Begun, o.Mid, o.Stray = c.in.begun, c.in.midFrame(), c.in.stray
	for i := range c.streams {
		o.Window[i] = c.streams[i].Window()
		o.Unread[i], o.Ended[i] = c.streams[i].unread.Load(), c.streams[i].ended.Load()
		o.Followed[i] = c.streams[i].open
	}
	return o
}

var errorsAreSame = cmp.Options{
	cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) }),
	cmp.AllowUnexported(news{}),
}

func TestParser(t *testing.T) {
	const k = 1 << 10
	opened := slices.Concat(frameBytes(typeWindow, flagSYN, 1, 0), frameBytes(typeWindow, flagSYN, 3, 0))
	plain := [maxStreams]int{256 * k, 256 * k, 256 * k, 256 * k}
	window := func(slot, n int) [maxStreams]int { w := plain; w[slot] = n; return w }
	two := [maxStreams]bool{true, true}
	grown, heard := news{grown: true}, news{ready: true}

	tests := map[string]struct {
		in   []byte
		want outcome
	}{
		"nothing": {nil, outcome{Window: plain}},
		"two streams opened, data, a ping, its answer, goodbye": {
			slices.Concat(opened, frameBytes(typeData, 0, 3, 100), frameBytes(typeData, 0, 1, 0),
				frameBytes(typePing, flagSYN, 0, 1), frameBytes(typePing, 2, 0, 1), frameBytes(typeGoAway, 0, 0, 0)),
			outcome{Begun: 7, Window: plain, Unread: [maxStreams]int64{0, 100}, News: heard, Followed: two},
		},
		"opened by data": {frameBytes(typeData, flagSYN, 1, 5), outcome{
			Begun: 1, Window: plain, Unread: [maxStreams]int64{5}, News: heard, Followed: [maxStreams]bool{true},
		}},
		"grants add up": {
			slices.Concat(opened, frameBytes(typeWindow, 0, 3, 10*k), frameBytes(typeWindow, 0, 3, 5*k)),
			outcome{Begun: 4, Window: window(1, 271*k), News: grown, Followed: two},
		},
		"a grant with the opening": {
			frameBytes(typeWindow, flagSYN, 1, 64*k),
			outcome{Begun: 1, Window: window(0, 320*k), News: grown, Followed: [maxStreams]bool{true}},
		},
		"a grant of nothing is no growth": {
			slices.Concat(opened, frameBytes(typeWindow, 0, 1, 0)),
			outcome{Begun: 3, Window: plain, Followed: two},
		},
		"grants past every bound": {
			slices.Concat(opened, bytes.Repeat(frameBytes(typeWindow, 0, 3, 1<<32-1), 1000)),
			outcome{Begun: 1002, Window: window(1, k*k), News: grown, Followed: two},
		},
		"ends in a header": {slices.Concat(opened, []byte{0, 0, 0}), outcome{Begun: 3, Mid: true, Window: plain, Followed: two}},
		"ends in a body": {
			slices.Concat(opened, frameBytes(typeData, 0, 1, 9)[:20]),
			outcome{Begun: 3, Mid: true, Window: plain, Followed: two},
		},
		"largest frame": {slices.Concat(opened, frameBytes(typeData, 0, 1, 16*k)), outcome{
			Begun: 3, Window: plain, Unread: [maxStreams]int64{16 * k}, News: heard, Followed: two,
		}},
		"data, the end of it, and of the other stream": {
			slices.Concat(opened, frameBytes(typeData, 0, 1, 9), frameBytes(typeData, flagFIN, 1, 2), frameBytes(typeWindow, flagFIN, 3, 0)),
			outcome{Begun: 5, Window: plain, Unread: [maxStreams]int64{11}, Ended: two, News: heard, Followed: two},
		},
		"for streams that are not open": {
			slices.Concat(frameBytes(typeData, 0, 1, 9), frameBytes(typeWindow, 0, 3, 9), frameBytes(typeWindow, flagFIN, 5, 0), frameBytes(typeWindow, flagRST, 7, 0)),
			outcome{Begun: 4, Stray: 4, Window: plain},
		},
		"frame too large": {
			slices.Concat(opened, frameBytes(typeData, 0, 1, 16*k+1)[:headerSize]),
			outcome{Begun: 3, Mid: true, Window: plain, Followed: two, Breach: errFrameSize},
		},
		"frame too large that opens": {
			frameBytes(typeData, flagSYN, 1, 1<<20)[:headerSize],
			outcome{Begun: 1, Mid: true, Window: plain, Breach: errFrameSize},
		},
		"version":        {[]byte("GET / HTTP/1.1\r\n"), outcome{Begun: 1, Window: plain, Breach: errBadVersion}},
		"type":           {frameBytes(4, 0, 0, 0), outcome{Begun: 1, Window: plain, Breach: errBadType}},
		"even id":        {frameBytes(typeWindow, flagSYN, 2, 0), outcome{Begun: 1, Window: plain, Breach: errStreamID}},
		"id 0":           {frameBytes(typeData, flagSYN, 0, 0), outcome{Begun: 1, Window: plain, Breach: errStreamID}},
		"id again":       {slices.Concat(opened, frameBytes(typeWindow, flagSYN, 3, 0)), outcome{Begun: 3, Window: plain, Followed: two, Breach: errStreamID}},
		"id falls":       {slices.Concat(opened, frameBytes(typeWindow, flagSYN, 1, 0)), outcome{Begun: 3, Window: plain, Followed: two, Breach: errStreamID}},
		"id out of line": {frameBytes(typeWindow, flagSYN, 9, 0), outcome{Begun: 1, Window: plain, Breach: errStreamCount}},
		"100 strays are borne": {
			slices.Concat(opened, bytes.Repeat(frameBytes(typeData, 0, 5, 1), 100)),
			outcome{Begun: 102, Stray: 100, Window: plain, Followed: two},
		},
		"101 strays are not": {
			slices.Concat(opened, bytes.Repeat(frameBytes(typeWindow, 0, 8, 1), 101)),
			outcome{Begun: 103, Stray: 101, Window: plain, Followed: two, Breach: errStray},
		},
		"frames after a reset are strays": {
			slices.Concat(opened, frameBytes(typeWindow, flagRST, 3, 0), frameBytes(typeData, 0, 3, 4)),
			outcome{Begun: 4, Stray: 1, Window: plain, Ended: [maxStreams]bool{false, true}, News: heard, Followed: [maxStreams]bool{true}},
		},
		"5 pings": {bytes.Repeat(frameBytes(typePing, flagSYN, 0, 7), 5), outcome{Begun: 5, Window: plain}},
		"6 pings": {bytes.Repeat(frameBytes(typePing, flagSYN, 0, 7), 6), outcome{Begun: 6, Window: plain, Breach: errPingRate}},
		"10,001 empty frames": {
			slices.Concat(opened, bytes.Repeat(frameBytes(typeData, 0, 1, 0), 9_999)),
			outcome{Begun: 10_001, Window: plain, Followed: two, Breach: errFrameRate},
		},
	}
	for name, tt := range tests {
		for how, chunks := range cuts(tt.in, 1) {
			if diff := cmp.Diff(tt.want, parse(NodePolicy(), chunks), errorsAreSame); diff != "" {
				t.Errorf("%s, %s: outcome mismatch (-want +got):\n%s", name, how, diff)
			}
		}
	}
}

// A client checks its node for sanity alone.
func TestZeroPolicy(t *testing.T) {
	in := slices.Concat(
		frameBytes(typeWindow, 2, 1, 0), frameBytes(typeData, 0, 1, 64<<10),
		bytes.Repeat(frameBytes(typePing, flagSYN, 0, 0), 20_000),
		bytes.Repeat(frameBytes(typeWindow, 0, 44, 1), 200),
	)
	if o := parse(Policy{}, [][]byte{in}); o.Breach != nil {
		t.Errorf("a zero policy has refused: %v", o.Breach)
	}
	for _, bad := range [][]byte{frameBytes(9, 0, 0, 0), []byte("SSH-2.0-OpenSSH")} {
		if o := parse(Policy{}, [][]byte{bad}); o.Breach == nil {
			t.Errorf("a zero policy has let %q pass", bad)
		}
	}
}

func TestMaxStreams(t *testing.T) {
	policy := NodePolicy()
	policy.MaxStreams = 2
	for id, want := range map[uint32]error{1: nil, 3: nil, 5: errStreamCount, 7: errStreamCount} {
		if o := parse(policy, [][]byte{frameBytes(typeWindow, flagSYN, id, 0)}); o.Breach != want {
			t.Errorf("opening stream %d = %v, want %v", id, o.Breach, want)
		}
	}
}

// TestNoStreams: who was dialled opens no stream, and answers those of the dialer.
func TestNoStreams(t *testing.T) {
	policy := PeerPolicy()
	policy.NoStreams = true
	for name, tt := range map[string]struct {
		in   []byte
		want error
	}{
		"accepts": {slices.Concat(frameBytes(typeWindow, 2, 1, 0), frameBytes(typeData, 0, 5, 64<<10)), nil},
		"opens":   {frameBytes(typeWindow, flagSYN, 2, 0), errStreamCount},
		"odd":     {frameBytes(typeData, flagSYN, 1, 1), errStreamCount},
		"large":   {frameBytes(typeData, 0, 5, 64<<10+1), errFrameSize},
		"pings":   {bytes.Repeat(frameBytes(typePing, flagSYN, 0, 7), peerPingBurst+1), errPingRate},
	} {
		if o := parse(policy, [][]byte{tt.in}); o.Breach != tt.want {
			t.Errorf("%s: %v, want %v", name, o.Breach, tt.want)
		}
	}
}

func TestMeter(t *testing.T) {
	m := newMeter(Rate{Every: time.Second, Burst: 3})
	steps := []struct {
		at   time.Duration
		want bool
	}{
		{0, true}, {0, true}, {0, true}, {time.Second, true}, {time.Second, false},
	}
	for i, s := range steps {
		if got := m.take(s.at); got != s.want {
			t.Errorf("event %d at %v allowed = %v, want %v", i, s.at, got, s.want)
		}
	}
	m = newMeter(Rate{Every: time.Second, Burst: 3})
	for at := range 1000 {
		if !m.take(time.Duration(at) * time.Second) {
			t.Fatalf("the steady rate is refused after %d s", at)
		}
	}
	quiet := 2000 * time.Second
	for i, want := range []bool{true, true, true, false} {
		if got := m.take(quiet); got != want {
			t.Errorf("event %d after a long silence allowed = %v, want %v", i, got, want)
		}
	}
}
