package errand

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A poke while the job runs has it run once more, however many pokes there were; without one its goroutine ends.
func TestPokes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e Errand
		runs, hold := 0, make(chan struct{})
		e.Poke() // has no job yet
		e.Start(nil, func() bool { runs++; <-hold; return false })
		synctest.Wait()
		for range 5 {
			e.Poke()
		}
		hold <- struct{}{}
		hold <- struct{}{}
		synctest.Wait()
		if runs != 2 {
			t.Errorf("the job ran %d times, want 2: once at the start, and once for all pokes", runs)
		}
		e.Poke()
		hold <- struct{}{}
		e.Close()
		if runs != 3 {
			t.Errorf("the job ran %d times, want 3", runs)
		}
		e.Poke()
		synctest.Wait()
		if runs != 3 {
			t.Error("the job ran after Close")
		}
	})
}

// Close waits for the job, and for the run that was asked for before.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e Errand
		runs, hold, closed := 0, make(chan struct{}), false
		e.Start(nil, func() bool { <-hold; runs++; return false })
		synctest.Wait()
		e.Poke()
		go func() { e.Close(); closed = true }()
		synctest.Wait()
		e.Poke() // too late
		hold <- struct{}{}
		synctest.Wait()
		if closed {
			t.Fatal("Close has returned before what was asked for had been done")
		}
		hold <- struct{}{}
		synctest.Wait()
		if !closed || runs != 2 {
			t.Errorf("closed: %v, after %d runs, want 2", closed, runs)
		}
	})
}

// Whatever is poked for is done after that, by one goroutine at a time.
func TestNothingIsMissed(t *testing.T) {
	t.Run("alone", func(t *testing.T) { testNothingIsMissed(t, nil) })
	t.Run("by a crew", func(t *testing.T) { testNothingIsMissed(t, NewCrew()) })
}

func testNothingIsMissed(t *testing.T, crew *Crew) {
	var e Errand
	var asked, at atomic.Int64
	done := int64(0) // the race detector sees a second goroutine
	e.Start(crew, func() bool {
		if at.Add(1) != 1 {
			t.Error("the job runs twice at one time")
		}
		done = asked.Load()
		at.Add(-1)
		return false
	})
	var pokers sync.WaitGroup
	for range 4 {
		pokers.Go(func() {
			for range 5000 {
				asked.Add(1)
				e.Poke()
			}
		})
	}
	pokers.Wait()
	e.Close()
	if done != 20_000 {
		t.Errorf("the job saw %d of 20000", done)
	}
}

// BenchmarkPoke tells what it costs to begin: of a thousand errands that are poked in turn, each job as deep in calls as a write to a socket.
func BenchmarkPoke(b *testing.B) {
	b.Run("alone", func(b *testing.B) { benchmarkPoke(b, nil) })
	b.Run("by a crew", func(b *testing.B) { benchmarkPoke(b, NewCrew()) })
}

func benchmarkPoke(b *testing.B, crew *Crew) {
	const n = 1000
	errands, done := make([]Errand, n), make(chan struct{}, n)
	for i := range errands {
		errands[i].Start(crew, func() bool { deep(12); done <- struct{}{}; return false })
	}
	wait := func() {
		for range errands {
			<-done
		}
	}
	wait()
	b.ReportAllocs()
	for b.Loop() {
		for i := range errands {
			errands[i].Poke()
		}
		wait()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/poke")
	for i := range errands {
		errands[i].Close()
	}
}

//go:noinline
func deep(n int) byte {
	var room [280]byte
	room[n] = 1
	if n == 0 {
		return room[0]
	}
	return deep(n-1) + room[n]
}
