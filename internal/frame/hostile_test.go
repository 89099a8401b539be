package frame

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// What one attacker may cost the node while it is connected, everything of
// the attack's own and of the client beside it included. A node without the
// policy passes both within a second.
const (
	goroutineBound = 40
	heapBound      = 16 << 20
)

// hostile is a raw connection to a node, and what a row does with it.
type hostile struct {
	*net.TCPConn
	beat <-chan struct{} // one value for each round trip of the good client
}

// put writes p n times. It stops early when the node has closed.
func (h *hostile) put(n int, p []byte) {
	block := bytes.Repeat(p, max(1, min(n, 4096/max(1, len(p)))))
	for n > 0 {
		out := block[:min(n*len(p), len(block))]
		if _, err := h.Write(out); err != nil {
			return
		}
		n -= len(out) / len(p)
	}
}

// settle is the barrier of the rows that the node bears: it has dealt with
// all before the ping when its answer is here.
func (h *hostile) settle() error {
	h.put(1, frameBytes(typePing, flagSYN, 0, 99))
	for {
		var head header
		if _, err := io.ReadFull(h, head[:]); err != nil {
			return err
		}
		if head.kind() == typePing && head.length() == 99 {
			return nil
		}
		if _, err := io.CopyN(io.Discard, h, int64(head.body())); err != nil {
			return err
		}
	}
}

// dribble sends p one byte for each round trip of the good client.
func (h *hostile) dribble(p []byte) {
	for i := range p {
		select {
		case <-h.beat:
		case <-time.After(patience):
			return // the good client has failed, which its own check tells
		}
		if _, err := h.Write(p[i : i+1]); err != nil {
			return
		}
	}
}

var (
	hostileOpen = slices.Concat(frameBytes(typeWindow, flagSYN, 1, 0), frameBytes(typeWindow, flagSYN, 3, 0))
	hostileFull = frameBytes(typeData, 0, 5, 16<<10)
)

func syns(ids ...uint32) []byte {
	var all []byte
	for _, id := range ids {
		all = append(all, frameBytes(typeWindow, flagSYN, id, 0)...)
	}
	return all
}

func randomBytes(n int) []byte {
	rng := rand.New(rand.NewPCG(3, 3))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(1 + rng.IntN(255))
	}
	return p
}

// borne marks the rows in which nothing is wrong enough to end the
// connection: the attacker leaves when it likes.
const borne = ""

var hostileRows = map[string]struct {
	attack func(*hostile)
	why    string // part of the error that the connection ends with
}{
	"ping flood, not reading": {func(h *hostile) { h.put(2_000_000, frameBytes(typePing, flagSYN, 0, 0)) }, "too many pings"},
	"answers to no ping":      {func(h *hostile) { h.put(50_000, frameBytes(typePing, 2, 0, 0)) }, "too many frames"},
	"SYN flood": {func(h *hostile) {
		for id := uint32(1); id < 2000; id += 2 {
			h.put(1, syns(id))
		}
	}, "too many streams"},
	"SYN with even ids":      {func(h *hostile) { h.put(1, syns(1, 2)) }, "not rising"},
	"SYN with id 0":          {func(h *hostile) { h.put(1, syns(0)) }, "not rising"},
	"SYN twice":              {func(h *hostile) { h.put(1, syns(1, 3, 3)) }, "not rising"},
	"SYN backwards":          {func(h *hostile) { h.put(1, syns(3, 1)) }, "not rising"},
	"SYN on data, too large": {func(h *hostile) { h.put(1, frameBytes(typeData, flagSYN, 1, 1<<20)[:headerSize]) }, "frame too large"},
	"256 KiB announced in 12 bytes": {func(h *hostile) {
		h.put(1, hostileOpen)
		h.put(1, frameBytes(typeData, 0, 1, 256<<10)[:headerSize])
	}, "frame too large"},
	"header without body": {func(h *hostile) {
		h.put(1, hostileOpen)
		h.put(1, frameBytes(typeData, 0, 3, 16<<10)[:headerSize])
	}, "not finished in time"},
	"half a header":   {func(h *hostile) { h.put(1, make([]byte, 6)) }, "not finished in time"},
	"dribbled header": {func(h *hostile) { h.dribble(frameBytes(typePing, 0, 0, 0)[:11]) }, "not finished in time"},
	"dribbled body": {func(h *hostile) {
		h.put(1, hostileOpen)
		h.dribble(frameBytes(typeData, 0, 3, 16<<10))
	}, "not finished in time"},
	"windows granted beyond all bounds": {func(h *hostile) {
		h.put(1, hostileOpen)
		h.put(2000, frameBytes(typeWindow, 0, 3, 1<<32-1))
		h.put(1, wire(typeData, 0, 3, make([]byte, 16<<10)))
		_ = h.settle()
	}, borne},
	"unknown version": {func(h *hostile) { h.put(1, hostileOpen); h.put(1, slices.Repeat([]byte{1}, headerSize)) }, "unknown version"},
	"unknown type":    {func(h *hostile) { h.put(1, hostileOpen); h.put(1, frameBytes(200, 0, 0, 0)) }, "unknown frame type"},
	"storm of empty frames": {func(h *hostile) {
		h.put(1, hostileOpen)
		h.put(2_000_000, frameBytes(typeData, 0, 3, 0))
	}, "too many frames"},
	"storm of tiny grants": {func(h *hostile) {
		h.put(1, hostileOpen)
		h.put(2_000_000, frameBytes(typeWindow, 0, 3, 1))
	}, "too many frames"},
	"frames for streams never opened": {func(h *hostile) {
		h.put(1, hostileOpen)
		h.put(5000, frameBytes(typeData, 0, 7, 10))
	}, "not open"},
	"frames after RST": {func(h *hostile) {
		h.put(1, hostileOpen)
		h.put(1, frameBytes(typeWindow, flagRST, 3, 0))
		h.put(5000, frameBytes(typeData, 0, 3, 10))
	}, "not open"},
	"FIN twice": {func(h *hostile) {
		h.put(1, hostileOpen)
		h.put(2, frameBytes(typeWindow, 4, 3, 0))
	}, net.ErrClosed.Error()}, // yamux's own verdict
	"data after FIN": {func(h *hostile) {
		h.put(1, hostileOpen)
		h.put(1, frameBytes(typeWindow, 4, 3, 0))
		h.put(500, frameBytes(typeData, 0, 3, 10))
		_ = h.settle()
	}, borne},
	"SYN with RST and FIN at once": {func(h *hostile) {
		h.put(1, frameBytes(typeWindow, flagSYN|4|flagRST, 1, 0))
		h.put(1, frameBytes(typeData, flagSYN|4|flagRST, 3, 0))
		h.put(5000, frameBytes(typeData, 4|flagRST, 3, 0))
	}, "not open"},
	"streams that nobody accepts, filled": {func(h *hostile) {
		h.put(1, syns(1, 3, 5, 7))
		h.put(16, hostileFull)
		h.put(16, frameBytes(typeData, 0, 7, 16<<10))
		_ = h.settle()
	}, borne},
	"more than the window": {func(h *hostile) {
		h.put(1, syns(1, 3, 5))
		h.put(17, hostileFull)
	}, net.ErrClosed.Error()}, // yamux's own verdict
	"takes no echo": {func(h *hostile) {
		h.put(1, hostileOpen)
		h.put(16, frameBytes(typeData, 0, 3, 16<<10))
		_ = h.settle()
	}, borne},
	"half-open": {func(h *hostile) {
		h.put(1, hostileOpen)
		h.put(4, frameBytes(typeData, 0, 3, 16<<10))
		_ = h.CloseWrite()
		_, _ = io.Copy(io.Discard, h)
	}, "EOF"},
	"GoAway with an error": {func(h *hostile) { h.put(1, frameBytes(typeGoAway, 0, 0, 1)) }, net.ErrClosed.Error()},
	"HTTP request":         {func(h *hostile) { h.put(1, []byte("GET / HTTP/1.1\r\nHost: localhost:8080\r\n\r\n")) }, "unknown version"},
	"TLS hello":            {func(h *hostile) { h.put(1, append([]byte{22, 3, 1, 2, 0, 1, 0, 1}, make([]byte, 500)...)) }, "unknown version"},
	"random bytes":         {func(h *hostile) { h.put(1, randomBytes(100_000)) }, "unknown version"},
	"silence":              {func(*hostile) {}, borne},
	"silence with streams": {func(h *hostile) { h.put(1, hostileOpen); _ = h.settle() }, borne},
}

// Each attacker meets a real session behind the node's policy, is turned
// away for the right reason, and costs a client beside it nothing.
func TestHostilePeers(t *testing.T) {
	policy := NodePolicy()
	policy.FrameTimeout = 1500 * time.Millisecond // the good client's frames have as long, and the machine may be busy
	for name, row := range hostileRows {
		t.Run(name, func(t *testing.T) {
			node := startTestNode(t, policy)
			before := usageNow()
			good := startGoodClient(t, node.addr)

			raw, err := net.Dial("tcp", node.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			raw.SetDeadline(time.Now().Add(patience))
			me := raw.LocalAddr().String()
			row.attack(&hostile{TCPConn: raw.(*net.TCPConn), beat: good.beat})
			for range 20 { // the good client goes on with the attacker connected
				waitFor(t, "the good client", good.beat)
			}
			if row.why == borne {
				select {
				case e := <-node.ended:
					t.Fatalf("%s was ended by the node: %v", e.remote, e.why)
				default:
				}
				raw.Close()
			}
			end := waitFor(t, "the node to end the connection", node.ended)
			if end.remote != me || !strings.Contains(fmt.Sprint(end.why), row.why) {
				t.Errorf("%s ended with %q, want %s with %q", end.remote, end.why, me, row.why)
			}
			peak, trips := good.stop(t)
			goroutines, heap := peak.goroutines-before.goroutines, peak.heap-before.heap
			t.Logf("%v; at most %d goroutines and %d KiB of heap more; %d echoes in order", end.why, goroutines, heap>>10, trips)
			if goroutines > goroutineBound {
				t.Errorf("%d goroutines more, at most %d allowed", goroutines, goroutineBound)
			}
			if heap > heapBound {
				t.Errorf("%d bytes of heap more, at most %d allowed", heap, heapBound)
			}
		})
	}
}

type usage struct {
	goroutines int
	heap       int64
}

func usageNow() usage {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return usage{runtime.NumGoroutine(), int64(s[0].Value.Uint64())}
}

// goodClient makes round trips until it is stopped, at half of the rate that a node
// bears: whoever waits for them does not make it break the policy.
type goodClient struct {
	beat chan struct{} // one for each round trip, dropped when nobody waits
	halt context.CancelFunc
	done chan struct{} // closed by the client's goroutine, then the rest may be read

	peak  usage
	trips uint64
	err   error
}

func startGoodClient(t *testing.T, addr string) *goodClient {
	t.Helper()
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	link, err := openTestLink(raw)
	if err != nil {
		t.Fatal(err)
	}
	ctx, halt := context.WithCancel(context.Background())
	g := &goodClient{beat: make(chan struct{}), halt: halt, done: make(chan struct{})}
	t.Cleanup(func() { g.halt(); link.Close(); <-g.done })
	go func() {
		defer close(g.done)
		g.run(ctx, link)
	}()
	return g
}

func (g *goodClient) run(ctx context.Context, link *testLink) {
	defer link.Close()
	budget := rate.NewLimiter(rate.Every(2*nodeFrameEvery), nodeFrameBurst/2)
	for budget.Wait(ctx) == nil {
		if g.err = link.ask(g.trips); g.err != nil {
			return
		}
		g.trips++
		now := usageNow()
		g.peak.goroutines = max(g.peak.goroutines, now.goroutines)
		g.peak.heap = max(g.peak.heap, now.heap)
		select {
		case g.beat <- struct{}{}:
		default:
		}
	}
}

func (g *goodClient) stop(t *testing.T) (usage, uint64) {
	t.Helper()
	g.halt()
	waitFor(t, "the good client to stop", g.done)
	if g.err != nil {
		t.Errorf("the good client failed after %d round trips: %v", g.trips, g.err)
	}
	return g.peak, g.trips
}
