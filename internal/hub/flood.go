package hub

import (
	"slices"
	"time"
)

const (
	// A room is flooded while each lingerFor brings floodSize deliveries or more, each row to each of its readers. These are told no oftener than that then:
	// they are written to in fewer and larger pieces, for a delay that nobody sees where so much goes by. A store that takes longer than twice that for each
	// batch has the same effect by itself. Where few read, writes cost little, and whoever waits to see one message before the next is not to be slowed down.
	lingerFor = 2 * time.Millisecond
	floodSize = 8192
)

// flood counts what comes to a room.
type flood struct {
	since time.Time // when it began to count
	count int       // deliveries since then
	on    bool      // as of what it counted before
	held  bool      // the room is in Hub.held
}

// add counts deliveries.
func (f *flood) add(count int, now time.Time) {
	if took := now.Sub(f.since); took >= lingerFor {
		f.on = f.count >= floodSize && took < 2*lingerFor
		f.since, f.count = now, 0
	}
	f.count += count
}

// held is a room whose readers are to be told at a time.
type held struct {
	room *room
	due  time.Time
}

// tell has the readers of a room who had seen all of it look again.
func (h *Hub) tell(r *room) {
	h.woken = r.log.wake(h.woken[:0])
	h.queueWoken()
}

// queueWoken queues the subscriptions in woken.
func (h *Hub) queueWoken() {
	for _, sub := range h.woken {
		sub.session.queue(sub)
	}
	clear(h.woken)
}

// dam has the readers of a room told in a moment.
func (h *Hub) dam(r *room, now time.Time) {
	if r.flood.held {
		return
	}
	r.flood.held = true
	h.held = append(h.held, held{r, now.Add(lingerFor)})
	if len(h.held) == 1 {
		h.linger.Reset(lingerFor)
	}
}

// release tells the readers of rooms that have been held for long enough.
func (h *Hub) release(now time.Time) {
	n := 0
	for n < len(h.held) && !now.Before(h.held[n].due) {
		h.held[n].room.flood.held = false
		h.tell(h.held[n].room)
		n++
	}
	if n == 0 {
		return
	}
	if h.held = slices.Delete(h.held, 0, n); len(h.held) > 0 {
		h.linger.Reset(h.held[0].due.Sub(now))
	} else {
		h.linger.Stop()
	}
}

// releaseAll tells the readers of all rooms that are held.
func (h *Hub) releaseAll() { h.release(time.Now().Add(lingerFor)) }
