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
	job   func()
	begin func() // run: a goroutine of a function that is there already takes no memory but its stack

	// mu promises that the fields agree with each other. It is never held while the job runs.
	mu    sync.Mutex
	takes bool // pokes: it has been started, and not closed
	state state
	done  chan struct{} // closed by the goroutine when it ends; nil while nobody waits for that
}

type state uint8

const (
	idle    state = iota // there is no goroutine
	running              // the job runs
	again                // the job runs, and was poked meanwhile
)

// Start gives the errand its job, and has it done for the first time. It is called once.
func (e *Errand) Start(job func()) {
	e.mu.Lock()
	e.job, e.begin, e.takes = job, e.run, true
	e.mu.Unlock()
	e.Poke()
}

// Poke has the job done once more, from its beginning, soon. It never waits. Before Start, and after Close, it does nothing.
func (e *Errand) Poke() {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case !e.takes:
	case e.state == idle:
		e.state = running
		go e.begin() // ends when there was no Poke while the job ran; Close waits for it
	default:
		e.state = again
	}
}

func (e *Errand) run() {
	growStack()
	for more := true; more; more = e.next() {
		e.job()
	}
}

// growStack has a new goroutine's stack grow at once to what a write to a socket needs. On the way there it would grow twice, each time full of frames that
// have to be looked through: 0.8 µs of the 1.5 that it takes to begin (BenchmarkPoke), for each message that a client is sent by itself.
//
//go:noinline
func growStack() {
	var room [5 << 10]byte
	runtime.KeepAlive(&room)
}

// next reports whether the job is to be done again.
func (e *Errand) next() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state--; e.state == running {
		return true
	}
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
