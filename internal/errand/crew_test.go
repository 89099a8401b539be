package errand

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// crewOf returns a crew of that size.
func crewOf(size int) *Crew { return &Crew{size: size} }

// A crew does as many jobs at a time as it has workers, in the order of the pokes; who has more to do waits behind the others.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crew, hold := crewOf(2), make(chan struct{})
		var mu sync.Mutex
		var begun []string
		errands := make([]Errand, 5)
		for i := range errands {
			left := 2 // turns
			errands[i].Start(crew, func() bool {
				mu.Lock()
				begun = append(begun, fmt.Sprint(i))
				mu.Unlock()
				<-hold
				left--
				return left > 0
			})
			synctest.Wait()
		}
		if !slices.Equal(begun, []string{"0", "1"}) {
			t.Errorf("%v have begun, want the first two", begun)
		}
		for range 10 {
			hold <- struct{}{}
			synctest.Wait()
		}
		if want := []string{"0", "1", "2", "3", "4", "0", "1", "2", "3", "4"}; !slices.Equal(begun, want) {
			t.Errorf("the turns were %v, want %v", begun, want)
		}
		if crew.working != 0 || crew.first != nil {
			t.Errorf("%d workers are left", crew.working)
		}
		for i := range errands {
			errands[i].Close()
		}
	})
}

// A job that waits for somebody does not keep others from being done, however many do; and it never makes the crew larger than it is.
func TestLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crew, peer := crewOf(2), make(chan struct{})
		waiting, most, at, turns := make([]Errand, 50), 0, 0, 0
		var mu sync.Mutex
		begin := func() {
			mu.Lock()
			defer mu.Unlock()
			at++
			most = max(most, at)
		}
		end := func() {
			mu.Lock()
			defer mu.Unlock()
			at--
			turns++
		}
		for i := range waiting {
			waiting[i].Start(crew, func() bool {
				waiting[i].Leave()
				waiting[i].Leave() // counts once
				<-peer
				return false
			})
		}
		synctest.Wait()
		busy := make([]Errand, 50)
		for i := range busy {
			left := 3
			busy[i].Start(crew, func() bool {
				begin()
				runtime.Gosched()
				end()
				left--
				return left > 0
			})
		}
		synctest.Wait()
		if turns != 150 {
			t.Errorf("%d of 150 turns were done while others wait", turns)
		}
		close(peer)
		for i := range waiting {
			waiting[i].Poke()
			waiting[i].Close()
			busy[i].Close()
		}
		synctest.Wait()
		if most > crew.size || crew.working != 0 {
			t.Errorf("%d jobs at one time, want at most %d; %d workers are left, want 0", most, crew.size, crew.working)
		}
	})
}

// One that has left is a worker again when it is done and there is place for it, and none when there is not.
func TestComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crew, peer, hold := crewOf(1), make(chan struct{}), make(chan struct{})
		var first, second, third Errand
		done := 0
		first.Start(crew, func() bool { first.Leave(); <-peer; return false })
		synctest.Wait()
		second.Start(crew, func() bool { <-hold; done++; return false })
		third.Start(crew, func() bool { done++; return false })
		synctest.Wait()
		peer <- struct{}{} // the second has the place
		synctest.Wait()
		if crew.working != 1 || done != 0 {
			t.Errorf("%d workers, %d done, want 1 and 0", crew.working, done)
		}
		hold <- struct{}{}
		synctest.Wait()
		first.Poke()
		synctest.Wait()
		peer <- struct{}{} // there is place
		synctest.Wait()
		if crew.working != 0 || done != 2 {
			t.Errorf("%d workers, %d done, want 0 and 2", crew.working, done)
		}
		first.Close()
		second.Close()
		third.Close()
	})
}

// Close waits for an errand that waits for its turn.
func TestCloseWaitsForTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crew, hold, closed, runs := crewOf(1), make(chan struct{}), false, 0
		var before, e Errand
		before.Start(crew, func() bool { <-hold; return false })
		e.Start(crew, func() bool { runs++; return false })
		go func() { e.Close(); closed = true }()
		synctest.Wait()
		if closed || runs != 0 {
			t.Errorf("closed: %v, after %d runs", closed, runs)
		}
		hold <- struct{}{}
		synctest.Wait()
		if !closed || runs != 1 {
			t.Errorf("closed: %v, after %d runs, want 1", closed, runs)
		}
		before.Close()
	})
}
