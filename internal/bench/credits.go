package bench

import "sync/atomic"

const (
	// creditSize is how many messages one credit is for, maxCredits how many are given: publishers are never further ahead of the
	// slowest reader than their product.
	creditSize = 64
	maxCredits = 64
)

// credits closes the loop of a saturated run, in the same way for both sides: a credit comes back when the slowest reader has
// seen as many messages as one is for.
type credits struct {
	free    chan struct{} // capacity maxCredits; never closed
	readers int32
	// passed counts the readers that have seen so many credits' messages, by that number modulo its length. No reader can be further ahead of
	// another than all credits, so two numbers never share an element.
	passed [maxCredits + 1]atomic.Int32
}

func newCredits(readers int) *credits {
	c := &credits{free: make(chan struct{}, maxCredits), readers: int32(readers)}
	for range maxCredits {
		c.free <- struct{}{}
	}
	return c
}

// pass notes that a reader has seen the messages of n credits.
func (c *credits) pass(n uint64) {
	slot := &c.passed[n%uint64(len(c.passed))]
	if slot.Add(1) == c.readers {
		slot.Store(0)
		select {
		case c.free <- struct{}{}:
		default: // more came than was sent; the order says so
		}
	}
}
