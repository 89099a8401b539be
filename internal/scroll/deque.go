package scroll

// deque is a list that grows at both ends in amortised constant time: a ring whose size is a power of two.
type deque[R any] struct {
	ring []R
	head int // index of the first
	n    int
}

// smallest is the size of the smallest ring.
const smallest = 16

func (d *deque[R]) at(i int) *R { return &d.ring[(d.head+i)&(len(d.ring)-1)] }

func (d *deque[R]) append(rows []R) {
	d.fit(d.n + len(rows))
	for i := range rows {
		*d.at(d.n + i) = rows[i]
	}
	d.n += len(rows)
}

func (d *deque[R]) prepend(rows []R) {
	d.fit(d.n + len(rows))
	d.head -= len(rows) // less than 0 wraps around: at masks it
	for i := range rows {
		*d.at(i) = rows[i]
	}
	d.n += len(rows)
}

// trim forgets the first k, of at least k.
func (d *deque[R]) trim(k int) {
	var none R
	for i := range k {
		*d.at(i) = none // for the sake of what it holds
	}
	d.head += k
	d.n -= k
	d.fit(d.n)
}

// remove takes i out and moves those behind it.
func (d *deque[R]) remove(i int) {
	for ; i < d.n-1; i++ {
		*d.at(i) = *d.at(i + 1)
	}
	var none R
	*d.at(i) = none
	d.n--
}

// fit gives the ring a size for n: a larger one when they don't fit, a smaller one when most of it would stand empty.
func (d *deque[R]) fit(n int) {
	size := max(len(d.ring), smallest)
	for size < n {
		size *= 2
	}
	for size > smallest && n <= size/4 {
		size /= 2
	}
	if size == len(d.ring) {
		return
	}
	ring := make([]R, size)
	for i := range d.n {
		ring[i] = *d.at(i)
	}
	d.ring, d.head = ring, 0
}
