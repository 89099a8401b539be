package bench

import (
	"math"
	"math/bits"
	"slices"
	"sync/atomic"
	"time"
)

// spread is the middle of some runs and how far they lie apart. All three are NaN when there was nothing to measure.
type spread struct{ Median, Min, Max float64 }

// spreadOf returns the spread of values; of an even number the median is the mean of the two in the middle. One NaN makes all NaN.
func spreadOf(values []float64) spread {
	if len(values) == 0 || slices.ContainsFunc(values, math.IsNaN) {
		return spread{math.NaN(), math.NaN(), math.NaN()}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return spread{Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Min: sorted[0], Max: sorted[n-1]}
}

// ratios divides pair by pair: what one run of both sides had in common, such as a busy machine, falls out. A pair whose divisor is
// not above zero has no ratio.
func ratios(a, b []float64) []float64 {
	out := make([]float64, min(len(a), len(b)))
	for i := range out {
		out[i] = math.NaN()
		if b[i] > 0 {
			out[i] = a[i] / b[i]
		}
	}
	return out
}

// differences subtracts pair by pair.
func differences(a, b []float64) []float64 {
	out := make([]float64, min(len(a), len(b)))
	for i := range out {
		out[i] = a[i] - b[i]
	}
	return out
}

// fineBits is the number of bits of a value, behind its first, that a histogram keeps: values are true to 1 part in 64.
const fineBits = 6

// histogram counts durations in buckets whose width grows with the value. It is safe for use by many goroutines.
type histogram struct {
	buckets [(64 - fineBits + 1) << fineBits]atomic.Uint64
}

// bucketOf returns the bucket of v: all bits of a small value, the position of the first bit and the fineBits behind it of a larger one.
func bucketOf(v uint64) int {
	shift := max(bits.Len64(v)-fineBits-1, 0)
	return shift<<fineBits + int(v>>shift)
}

// lowest is the smallest value of a bucket.
func lowest(bucket int) uint64 {
	shift := max(bucket>>fineBits-1, 0)
	return uint64(bucket-shift<<fineBits) << shift
}

// add counts d; a negative one counts as zero.
func (h *histogram) add(d time.Duration) { h.buckets[bucketOf(uint64(max(d, 0)))].Add(1) }

// quantile returns the value that the part q of all values does not exceed (nearest rank), to the precision of a bucket; 0 of none.
func (h *histogram) quantile(q float64) time.Duration {
	total := uint64(0)
	for i := range h.buckets {
		total += h.buckets[i].Load()
	}
	rank := max(uint64(math.Ceil(q*float64(total))), 1)
	for i := range h.buckets {
		n := h.buckets[i].Load()
		if n >= rank {
			return time.Duration(lowest(i))
		}
		rank -= n
	}
	return 0
}
