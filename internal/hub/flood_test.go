package hub

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"chatnode/internal/chat"
	"chatnode/internal/wire"
)

// burst has a client say n texts in a room at one moment, and all others take what they are told of then.
func (c *client) burst(room string, n int) {
	c.t.Helper()
	for range n {
		c.submit(c.pub(room, fmt.Sprint("text ", c.cseq)))
		if c.cseq%(chat.MaxInFlight/2) == 0 {
			c.w.settle()
		}
	}
	c.w.settle()
}

// wantRows wants the client to have been shown so many rows of a room.
func wantRows(t *testing.T, c *client, room, when string, n int) {
	t.Helper()
	if got := len(c.texts(room)); got != n {
		t.Errorf("%s, %s has %d rows, want %d", when, c.asked, got, n)
	}
}

// floodRows is how many texts are a flood to two.
const floodRows = floodSize / 2

// flooded returns a world in which a writer floods the lobby, and a reader has been shown as much of it as was said before that was noticed.
func flooded(t *testing.T) (w *world, writer, reader *client, said int) {
	w = newWorld(t)
	writer, reader = w.attach("alice", "lobby", "plans"), w.attach("bob", "lobby", "plans")
	writer.burst("lobby", floodRows)
	wantRows(t, reader, "lobby", "in the first moment", floodRows)
	return w, writer, reader, floodRows
}

// TestFlood: while much comes to a room its readers are told of it all at once, a moment later; acknowledgements, other rooms and whoever comes do not wait for
// that. When no more comes, the last of it is not forgotten, and the next is told at once again.
func TestFlood(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, alice, bob, said := flooded(t)
		for range 3 {
			elapse(lingerFor)
			w.settle()
			wantRows(t, bob, "lobby", "a moment later", said)
			alice.burst("lobby", floodRows)
			wantRows(t, bob, "lobby", "in a flood", said)
			said += floodRows
			if len(alice.answers) != said {
				t.Errorf("%d texts of %d are acknowledged", len(alice.answers), said)
			}
		}
		alice.burst("plans", 1)
		wantRows(t, bob, "plans", "in a flood of another room", 1)
		carol := w.attach("carol")
		carol.do(&wire.Join{Room: "lobby", Tail: 5})
		wantRows(t, carol, "lobby", "in a flood that was there before", 5)
		elapse(lingerFor)
		w.settle()
		wantRows(t, bob, "lobby", "after the flood", said)
		elapse(2 * lingerFor)
		alice.burst("lobby", 1)
		wantRows(t, bob, "lobby", "long after the flood", said+1)
		wantRows(t, carol, "lobby", "long after the flood", 6)
		w.checkHistory()
	})
}

// TestFloodIsMany: few deliveries, and many in a long time, are no flood.
func TestFloodIsMany(t *testing.T) {
	for name, test := range map[string]struct {
		count int
		every time.Duration
		on    bool
	}{
		"a flood":          {floodSize, lingerFor, true},
		"a flood in parts": {floodSize / 4, lingerFor / 4, true},
		"too few":          {floodSize - 1, lingerFor, false},
		"too slow":         {floodSize, 2 * lingerFor, false},
		"one now and then": {1, time.Second, false},
		"one at a time":    {1, lingerFor / 8, false},
	} {
		var f flood
		now := time.Unix(0, 0)
		for i := range 40 {
			f.add(test.count, now)
			now = now.Add(test.every)
			if i > 8 && f.on != test.on {
				t.Errorf("%s is a flood: %v, want %v", name, f.on, test.on)
				break
			}
		}
	}
}

// TestFloodsInTurn: of several rooms each is told of when its own time has come.
func TestFloodsInTurn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, alice, bob, lobby := flooded(t)
		elapse(lingerFor / 2)
		alice.burst("plans", floodRows)
		plans := floodRows
		elapse(lingerFor / 2)
		alice.burst("lobby", floodRows)
		elapse(lingerFor / 2)
		alice.burst("plans", floodRows)
		wantRows(t, bob, "lobby", "before its time", lobby)
		wantRows(t, bob, "plans", "before its time", plans)
		elapse(lingerFor / 2)
		w.settle()
		wantRows(t, bob, "lobby", "in its time", lobby+floodRows)
		wantRows(t, bob, "plans", "before its time", plans)
		elapse(lingerFor / 2)
		w.settle()
		wantRows(t, bob, "plans", "in its time", plans+floodRows)
		w.checkHistory()
	})
}

// TestStopInFlood: a goodbye cuts nothing off that was acknowledged before it, and neither does the hub's end.
func TestStopInFlood(t *testing.T) {
	for name, stop := range map[string]func(*world){
		"stop": func(w *world) {
			if err := w.hub.Stop(); err != nil {
				w.t.Error(err)
			}
		},
		"end": func(w *world) { w.end() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w, alice, bob, said := flooded(t)
				carol := w.newClient("carol")
				guest, session := carol.guest(), (*Session)(nil)
				wake := guest.Wake
				guest.Wake = func() {
					if session != nil {
						if chatWaits, _, bye := session.Waiting(); bye && !chatWaits {
							t.Error("a goodbye may be said before the rows ahead of it")
						}
					}
					wake()
				}
				if err := carol.tryAttach(guest); err != nil {
					t.Fatal(err)
				}
				session = carol.session
				carol.do(&wire.Join{Room: "lobby"})
				elapse(lingerFor)
				alice.burst("lobby", floodRows)
				wantRows(t, bob, "lobby", "in a flood", said)
				stop(w)
				synctest.Wait()
				w.settle()
				wantRows(t, bob, "lobby", "in the end", said+floodRows)
				wantRows(t, carol, "lobby", "in the end", floodRows)
			})
		})
	}
}
