package hub

import (
	"sync"
	"testing"
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
