package client

import (
	"context"
	"sync"
)

const (
	// maxQueued is how many events wait in order before the chat stream is held back. One record more may still be handled, and one
	// LinkDown added.
	maxQueued = 128
	// outBuffer is the capacity of the channel that Events returns: enough that a consumer which does other things now and then does not
	// stop the reader, and that what is left at the end can mostly be put there.
	outBuffer = 64
	// maxNotices is how many notices wait; the oldest is dropped and counted.
	maxNotices = 64
	// sideEvery is how many ordered events go out before presence, which otherwise waits for a pause, has its turn.
	sideEvery = 64
)

// feed brings events to the one consumer. What is ordered waits in a bounded queue whose producer, the chat reader, asks for room first;
// notices push out older notices; presence is merged. So no producer other than the chat reader ever waits for the consumer, who may
// itself be waiting for an answer on the control stream.
type feed struct {
	// Static after construction.
	out   chan Event    // closed by pump
	ready chan struct{} // capacity 1: there may be something to hand out
	space chan struct{} // capacity 1: there may be room in the queue

	mu       sync.Mutex // guards what follows; never held while anything waits
	queue    []Event
	notices  []Event
	dropped  int // notices
	presence presence
	held     bool // notices wait: the LinkUp ahead of them is on its way
	turn     bool // an ordered event went out since the last notices
	closed   bool
}

func newFeed() *feed {
	return &feed{out: make(chan Event, outBuffer), ready: make(chan struct{}, 1), space: make(chan struct{}, 1)}
}

// poke leaves a token in a channel of capacity 1.
func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// room waits until the queue takes another event. It returns ctx's error when that ends first. It has one caller at a time.
func (f *feed) room(ctx context.Context) error {
	for {
		f.mu.Lock()
		free := len(f.queue) < maxQueued
		f.mu.Unlock()
		if free {
			return ctx.Err()
		}
		select {
		case <-f.space:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// put appends to the queue without waiting: its caller has had room, or holds a bounded number of events.
func (f *feed) put(events ...Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = append(f.queue, events...)
	poke(f.ready)
}

// down appends a LinkDown. When nobody takes events, it replaces the one before it, so that a node that stays away fills nothing.
func (f *feed) down(e LinkDown) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if last := len(f.queue) - 1; last >= maxQueued {
		if _, ok := f.queue[last].(LinkDown); ok {
			f.queue[last] = e
			return
		}
	}
	f.queue = append(f.queue, e)
	poke(f.ready)
}

// notice keeps a notice, and drops the oldest of more than maxNotices.
func (f *feed) notice(e Notice) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.notices) == maxNotices {
		f.notices = append(f.notices[:0], f.notices[1:]...)
		f.dropped++
	}
	f.notices = append(f.notices, e)
	poke(f.ready)
}

// hold keeps notices back, or lets them go.
func (f *feed) hold(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = on
	poke(f.ready)
}

// lost returns how many notices were dropped.
func (f *feed) lost() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dropped
}

// present runs change on the presence state and wakes the pump.
func (f *feed) present(change func(*presence)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.presence)
	poke(f.ready)
}

// close has pump return when it has handed out what is there.
func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	poke(f.ready)
}

// next returns what goes out next: what is ordered, notices in between, and presence in the pauses. served counts the ordered events since the last
// presence. more is false at the end.
func (f *feed) next(served *int) (batch []Event, more bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.notices) > 0 && (!f.held || f.closed) && (f.turn || len(f.queue) == 0) {
		batch, f.notices, f.turn = f.notices, nil, false
		return batch, true
	}
	if (len(f.queue) == 0 || *served >= sideEvery) && !f.closed {
		*served = 0
		if batch = f.presence.take(); len(batch) > 0 {
			return batch, true
		}
	}
	if len(f.queue) > 0 {
		batch = []Event{f.queue[0]}
		f.queue[0] = nil
		f.queue = f.queue[1:]
		*served++
		f.turn = true
		poke(f.space)
		return batch, true
	}
	return nil, !f.closed
}

// pump hands events out until close was called and nothing is left, or until ctx ends; then what fits into out is put there. It closes
// out.
func (f *feed) pump(ctx context.Context) {
	defer close(f.out)
	served := 0
	for {
		batch, more := f.next(&served)
		if !more {
			return
		}
		if len(batch) == 0 {
			select {
			case <-f.ready:
			case <-ctx.Done():
				f.close()
			}
			continue
		}
		for _, e := range batch {
			select {
			case f.out <- e:
				continue
			default:
			}
			select {
			case f.out <- e:
			case <-ctx.Done():
				return
			}
		}
	}
}
