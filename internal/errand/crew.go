package errand

import (
	"runtime"
	"sync"
)

// Crew does the errands of many in turn, first come, first served, with as many goroutines as there are processors. A thousand errands that begin at
// once would cost a goroutine each: its beginning and its end, and a stack that no cache has.
type Crew struct {
	// Static after construction.
	size int

	// mu promises that there are workers, as many as may be, while errands wait. It is held for moments.
	mu          sync.Mutex
	first, last *Errand // of those that wait, linked by behind
	working     int     // goroutines that take errands, at most size; those that have left are not among them
}

// worker is what one goroutine of a crew knows of itself.
type worker struct{ left bool }

// fairShare is how many errands a worker does before the goroutines that are not of the crew have their turn: the sequencer above all, without which there
// is nothing to do (a sixth fewer deliveries to 100 clients without it, and a p99 of 31 ms in place of 24 at 1,000 messages/s to 1,000).
const fairShare = 16

// NewCrew returns a crew that has nothing to do. It needs no end: without errands it has no goroutine.
func NewCrew() *Crew { return &Crew{size: runtime.GOMAXPROCS(0)} }

// put has an errand wait for its turn.
func (c *Crew) put(e *Errand) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first == nil {
		c.first = e
	} else {
		c.last.behind = e
	}
	c.last = e
	c.fillLocked()
}

// fillLocked adds a worker where there is place and need for one.
func (c *Crew) fillLocked() {
	if c.first != nil && c.working < c.size {
		c.working++
		go c.work() // ends when nothing waits any more, or when it has left and its place is taken
	}
}

// take returns the errand whose turn it is. With nil the worker is none any more.
func (c *Crew) take() *Errand {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.first
	if e == nil {
		c.working--
		return nil
	}
	c.first, e.behind = e.behind, nil
	return e
}

// leave gives a worker's place to another.
func (c *Crew) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.working--
	c.fillLocked()
}

// comeBack has a goroutine that has left work on, if there is place.
func (c *Crew) comeBack() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.working == c.size {
		return false
	}
	c.working++
	return true
}

func (c *Crew) work() {
	growStack()
	w := &worker{}
	for n := 1; ; n++ {
		e := c.take()
		if e == nil {
			return
		}
		e.worker = w
		if e.do() {
			c.put(e)
		}
		if w.left {
			if !c.comeBack() {
				return
			}
			w.left = false
		}
		if n%fairShare == 0 {
			runtime.Gosched()
		}
	}
}
