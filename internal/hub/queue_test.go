package hub

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// TestQueue: what each of many puts comes out in its order, and all of it, while most of them wait for room most of the time.
func TestQueue(t *testing.T) {
	const putters, each, size = 60, 300, maxQueueBytes / 40
	var q queue
	q.init()
	var group sync.WaitGroup
	for range putters {
		s := new(Session)
		group.Go(func() {
			for i := range each {
				two := []item{{session: s, size: size, act: &heard{}}, {session: s, size: i}}
				if err := q.put(two...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	next := map[*Session]int{}
	for got := 0; got < 2*putters*each; {
		<-q.wake
		for {
			if most := q.size(); most > maxQueueBytes+2*size {
				t.Fatalf("%d bytes wait", most)
			}
			items, more := q.take(7, maxQueueBytes)
			if !more {
				t.Fatal("it is closed")
			}
			if len(items) == 0 {
				break
			}
			for _, it := range items {
				if n := next[it.session]; it.act == nil && it.size != n/2 || (it.act == nil) != (n%2 == 1) {
					t.Fatalf("item %d of somebody: %+v", n, it)
				}
				next[it.session]++
			}
			got += len(items)
			q.recycle(items)
		}
	}
	group.Wait()
	q.close()
	if items, more := q.take(1, 1); len(items) > 0 || more {
		t.Errorf("after close: %d items, %v", len(items), more)
	}
}

// TestQueueHasRoomForMany: all who find room come in when there is some, and nobody else does.
func TestQueueHasRoomForMany(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const size, fit = maxQueueBytes / 8, 8
		var q queue
		q.init()
		fill := func(n int) { _ = q.put(slices.Repeat([]item{{size: size}}, n)...) }
		fill(fit)
		var in atomic.Int64
		for range 2 * fit {
			go func() { fill(1); in.Add(1) }() // ends when there was room
		}
		synctest.Wait()
		if in.Load() > 0 {
			t.Errorf("%d come in where there is no room", in.Load())
		}
		for want := int64(fit); want <= 2*fit; want += fit {
			if items, _ := q.take(maxBatchItems, 2*maxQueueBytes); len(items) != fit {
				t.Errorf("%d items wait", len(items))
			}
			if synctest.Wait(); in.Load() != want {
				t.Errorf("%d have come in, want %d", in.Load(), want)
			}
		}
	})
}

// BenchmarkQueueOfWaiters has thousands wait for room.
func BenchmarkQueueOfWaiters(b *testing.B) {
	const putters, size = 5000, 250
	var q queue
	q.init()
	var group sync.WaitGroup
	for range putters {
		group.Go(func() {
			batch := make([]item, 64)
			for i := range batch {
				batch[i].size = size
			}
			for q.put(batch...) == nil {
			}
		})
	}
	b.ReportAllocs()
	for taken := 0; taken < b.N; {
		items, _ := q.take(maxBatchItems, maxBatchBytes)
		taken += len(items)
		q.recycle(items)
		if len(items) == 0 {
			<-q.wake
		}
	}
	b.StopTimer()
	q.close()
	group.Wait()
}
