package hub

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"chatnode/internal/chat"
	"chatnode/internal/store"
	"chatnode/internal/wire"
)

// heap returns the bytes of the heap that are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestStuckReadersCostOnlyThemselves sends 300 MB (1 GB with -hub.long; 30 MB under the race detector, which is that much slower) through a
// room in which 100 sessions have stopped reading, each amid a write.
func TestStuckReadersCostOnlyThemselves(t *testing.T) {
	const (
		readers     = 100
		segments    = 4 << 20
		kept        = 8 << 20
		perReader   = 96 << 10 // what it holds amid a write, and its own structures
		slack       = 4 << 20
		hundredth   = 10 << 20
		inFlight    = chat.MaxInFlightB / chat.MaxText / 2
		rowsPerPart = hundredth / chat.MaxText
	)
	parts := 30
	switch {
	case *longFlag:
		parts = 100
	case raceEnabled || testing.Short():
		parts = 3
	}
	bubble(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config) {
			c.Memory, c.Store = segments, &slowStore{Memory: store.NewMemory(kept)}
		})
		good, writer := w.attach("good", "lobby"), w.attach("writer")
		good.forget, writer.forget = true, true
		text := strings.Repeat("x", chat.MaxText)
		write := func(rows int) {
			for rows > 0 {
				for range min(rows, inFlight) {
					writer.cseq++
					writer.submit(&wire.Pub{CSeq: writer.cseq, Room: "lobby", Kind: chat.Text, Body: []byte(text)})
				}
				rows -= min(rows, inFlight)
				w.settle()
			}
		}
		before := heap()
		var stuck []*client
		held := make([][]byte, readers) // what a stuck write has in its hands
		for i := range readers {
			c := w.attach(fmt.Sprint("stuck", i), "lobby")
			c.forget, c.stuck = true, true
			stuck = append(stuck, c)
		}
		write(40)
		for i, c := range stuck {
			var err error
			if held[i], _, err = c.session.TakeChat(nil, 64<<10, 256<<10); err != nil || len(held[i]) == 0 {
				t.Fatalf("TakeChat = %d bytes, %v", len(held[i]), err)
			}
		}
		highest := int64(0)
		for range parts {
			write(rowsPerPart)
			highest = max(highest, heap()-before)
		}
		bound := int64(segments + kept + readers*perReader + slack)
		t.Logf("%d MB went through, %d rows; the heap grew by %.1f MB at most, %.1f MB are allowed", parts*hundredth>>20, writer.cseq, float64(highest)/(1<<20), float64(bound)/(1<<20))
		if highest > bound {
			t.Errorf("the heap grew by %d bytes, want at most %d", highest, bound)
		}
		if w.hub.memory.used > segments {
			t.Errorf("segments hold %d bytes, want at most %d", w.hub.memory.used, segments)
		}
		if got := good.view("lobby").count; got != int(writer.cseq) {
			t.Errorf("the reader that kept up saw %d rows, want %d", got, writer.cseq)
		}
		for i, c := range stuck {
			c.chat(held[i])
			c.stuck = false
		}
		w.settle()
		low, _ := w.store.Low(good.view("lobby").room)
		for _, c := range stuck {
			v := c.view("lobby")
			last := v.opens[len(v.opens)-1]
			if len(v.opens) != 2 || last.Status != wire.StatusGap || last.From != low {
				t.Fatalf("%s: %d Opens, the last %+v; want one gap from %d on", c.asked, len(v.opens), last, low)
			}
			if v.next != writer.cseq+1 || v.hash != good.view("lobby").hash {
				t.Fatalf("%s ends before row %d, want %d", c.asked, v.next, writer.cseq+1)
			}
		}
	})
}

// TestManySubscriptions puts one session into 250 rooms and 250 conversations, all of which talk while it does not read.
func TestManySubscriptions(t *testing.T) {
	const named, directs, rounds = 250, 250, 20
	bubble(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.Memory = 1 << 20 })
		alice := w.attach("alice", "@")
		var rooms []string
		for i := range named {
			rooms = append(rooms, fmt.Sprint("room", i))
			alice.do(&wire.Join{Room: rooms[i]})
		}
		var all []*client
		for i := range directs {
			c := w.newClient(fmt.Sprint("p", i))
			c.attach()
			all = append(all, c)
		}
		alice.stuck = true
		for n := range rounds {
			for i, c := range all {
				c.submit(c.pub("@alice", fmt.Sprint(c.asked, " to alice ", n)))
				if i < len(rooms) {
					c.submit(c.pub(rooms[i], fmt.Sprint(c.asked, " to all ", n)))
				}
			}
			w.settle()
		}
		alice.soft = 4 << 10
		turns := map[uint64]int{} // by room: when it was last heard of
		longest := 0
		for turn := 1; alice.take(alice.soft, alice.hard); turn++ {
			for _, r := range alice.order {
				if e, ok := r.(*wire.Event); ok {
					longest = max(longest, turn-turns[e.Room])
					turns[e.Room] = turn
				}
			}
			alice.order = nil
		}
		if len(alice.open) != named+directs {
			t.Errorf("%d rooms are open, want %d", len(alice.open), named+directs)
		}
		for _, v := range alice.open {
			if v.count != rounds {
				t.Errorf("%s: %d rows, want %d", v.title, v.count, rounds)
			}
		}
		t.Logf("the longest that a room waited was %d writes of %d", longest, len(alice.open))
		w.checkHistory()
	})
}

// TestRoundRobin has one room with much to tell and many with little: each of these is heard before the first one is done.
func TestRoundRobin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.attach("alice", "loud"), w.attach("bob")
		alice.stuck = true
		bob.fill("loud", 0, 300, 1000)
		for i := range 20 {
			room := fmt.Sprint("quiet", i)
			alice.do(&wire.Join{Room: room})
			bob.say(room, fmt.Sprint("psst ", i))
		}
		for range 2 * (20 + 1) { // an Open, and a row, of each; and two of the loud one
			alice.take(1, 64<<10)
		}
		for i := range 20 {
			if alice.texts(fmt.Sprint("quiet", i)) == nil {
				t.Errorf("quiet%d waits for the loud room", i)
			}
		}
		alice.stuck = false
		w.settle()
		if len(alice.texts("loud")) != 300 {
			t.Errorf("%d rows of the loud room", len(alice.texts("loud")))
		}
	})
}

// TestBudgetTrimsTheQuietest fills rooms one after the other: the least recently written lose their memory, and nothing is lost.
func TestBudgetTrimsTheQuietest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.Memory = 256 << 10 })
		alice := w.attach("alice")
		for i := range 8 {
			alice.fill(fmt.Sprint("room", i), 100*i, 60, 1000)
		}
		inMemory := func(i int) bool { return w.hub.rooms[fmt.Sprint("room", i)].log.find(60) != nil }
		if inMemory(0) || inMemory(1) || !inMemory(7) || !inMemory(6) {
			t.Errorf("in memory: %v %v … %v %v, want the last written alone", inMemory(0), inMemory(1), inMemory(6), inMemory(7))
		}
		alice.fill("room0", 60, 1, 1000)
		for i := 10; i < 13; i++ {
			alice.fill(fmt.Sprint("room", i), 100*i, 60, 1000)
		}
		if w.hub.rooms["room0"].log.find(61) == nil && w.hub.rooms["room6"].log.find(60) != nil {
			t.Error("a room that was written lately lost its memory before one that was not")
		}
		used := int64(0)
		for _, r := range w.hub.rooms {
			for _, seg := range r.log.segments {
				used += int64(cap(seg.buf))
			}
		}
		if used != w.hub.memory.used || used > w.hub.memory.limit {
			t.Errorf("segments hold %d bytes, %d are counted, %d allowed", used, w.hub.memory.used, w.hub.memory.limit)
		}
		_, before := w.store.counts()
		bob := w.attach("bob")
		for i := range 8 {
			bob.do(&wire.Join{Room: fmt.Sprint("room", i), Tail: chat.MaxTail})
		}
		for i := range 8 {
			room := fmt.Sprint("room", i)
			var want []string
			for _, r := range w.rows(room) {
				want = append(want, string(r.Body))
			}
			if !slices.Equal(bob.texts(room), want) {
				t.Errorf("%s: %d rows, want %d", room, len(bob.texts(room)), len(want))
			}
		}
		if _, after := w.store.counts(); after == before {
			t.Error("no page was read")
		}
		w.checkHistory()
	})
}

// TestAppendDuringPage publishes whenever a page is about to be read, with a budget that holds nothing, little and all.
func TestAppendDuringPage(t *testing.T) {
	for _, memory := range []int64{1, 8 << 10, 64 << 10} {
		t.Run(fmt.Sprint("memory ", memory), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t, func(c *Config) { c.Memory = memory })
				alice, bob := w.attach("alice"), w.attach("bob")
				alice.fill("lobby", 0, 200, 500)
				rng := rand.New(rand.NewPCG(1, 1))
				w.store.set(func() {
					w.store.paging = func() { // on the goroutine of bob's writer
						if rng.IntN(3) > 0 || alice.cseq > 400 {
							return
						}
						for range rng.IntN(8) {
							alice.submit(alice.pub("lobby", fmt.Sprint(alice.cseq, strings.Repeat("y", 500))))
						}
						synctest.Wait()
						alice.drain()
					}
				})
				bob.soft = 2 << 10
				bob.do(&wire.Join{Room: "lobby", Tail: chat.MaxTail})
				if got := bob.view("lobby"); got.next != alice.cseq+1 || len(got.opens) != 1 {
					t.Errorf("bob is before row %d after %d Opens, want %d, 1", got.next, len(got.opens), alice.cseq+1)
				}
				w.checkHistory()
			})
		})
	}
}
