// Package errand does a job in a goroutine while there is something to do, and keeps none while there is not: a goroutine that waits costs 4 KiB of
// stack, and a node has thousands of clients who say nothing.
package errand

import (
	"runtime"
	"sync"
)

// Errand is a job that never runs twice at one time. The zero value has none yet.
type Errand struct {
	// Set by Start, never changed after.
	job   func() (more bool)
	crew  *Crew  // nil: the errand has goroutines of its own
	begin func() // run: a goroutine of a function that is there already takes no memory but its stack

	// Owned by the goroutine that does the job.
	worker *worker

	// Guarded by crew.mu.
	behind *Errand // the one that comes next in the crew's queue

	// mu promises that the fields agree with each other. It is never held while the job runs.
	mu    sync.Mutex
	takes bool // pokes: it has been started, and not closed
	state state
	done  chan struct{} // closed when the errand comes to its end; nil while nobody waits for that
}

type state uint8

const (
	idle    state = iota // there is nothing to do
	running              // the job runs, or waits for its turn
	again                // the same, and it was poked meanwhile
)

// Start gives the errand its job, and has it done for the first time: by one of the crew, or, with nil, by a goroutine of its own. The job returns true to
// be called again, behind those of others that the crew has to do. It is called once.
func (e *Errand) Start(crew *Crew, job func() (more bool)) {
	e.mu.Lock()
	e.crew, e.job, e.begin, e.takes = crew, job, e.run, true
	e.mu.Unlock()
	e.Poke()
}

// Poke has the job done once more, from its beginning, soon. It never waits. Before Start, and after Close, it does nothing.
func (e *Errand) Poke() {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case !e.takes:
	case e.state != idle:
		e.state = again
	case e.crew != nil:
		e.state = running
		e.crew.put(e)
	default:
		e.state = running
		go e.begin() // ends when there was no Poke while the job ran; Close waits for it
	}
}

// Leave says that the job is about to wait, for a peer or for the disk: another errand takes its place in the crew. Only the job calls it, as often as it
// likes.
func (e *Errand) Leave() {
	if w := e.worker; w != nil && !w.left {
		w.left = true
		e.crew.leave()
	}
}

func (e *Errand) run() {
	growStack()
	for e.do() {
	}
}

// do calls the job, and reports whether it is to be done again. If it is not, the errand may be with another goroutine by then.
func (e *Errand) do() (again bool) { return e.next(e.job()) }

func (e *Errand) next(more bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if more || e.state == again {
		e.state = running
		return true
	}
	e.state = idle
	if e.done != nil {
		close(e.done)
	}
	return false
}

// Close has no poke be taken any more, and returns when what was to be done has been done. It is called once, and not by the job.
func (e *Errand) Close() {
	e.mu.Lock()
	e.takes = false
	if e.state == idle {
		e.mu.Unlock()
		return
	}
	e.done = make(chan struct{})
	e.mu.Unlock()
	<-e.done
}

// growStack has a new goroutine's stack grow at once to what a write to a socket needs. On the way there it would grow twice, each time full of frames that
// have to be looked through: 0.8 µs of the 1.5 that it takes to begin (BenchmarkPoke).
//
//go:noinline
func growStack() {
	var room [5 << 10]byte
	runtime.KeepAlive(&room)
}
