package bench

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var nan = math.NaN()

func TestSpread(t *testing.T) {
	tests := map[string]struct {
		values []float64
		want   spread
	}{
		"none":         {nil, spread{nan, nan, nan}},
		"one":          {[]float64{7}, spread{7, 7, 7}},
		"odd":          {[]float64{5, 1, 3}, spread{3, 1, 5}},
		"even":         {[]float64{4, 1, 3, 9}, spread{3.5, 1, 9}},
		"one unknown":  {[]float64{4, nan, 3}, spread{nan, nan, nan}},
		"all the same": {[]float64{2, 2, 2}, spread{2, 2, 2}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, spreadOf(test.values), cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("spread mismatch (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRatios(t *testing.T) {
	got := ratios([]float64{8, 9, 1, nan, 5}, []float64{10, 10, 0, 1, nan})
	if diff := cmp.Diff([]float64{0.8, 0.9, nan, nan, nan}, got, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("ratios mismatch (-want +got):\n%s", diff)
	}
}

func TestDifferences(t *testing.T) {
	got := differences([]float64{8, 9, nan, 5}, []float64{10, 1, 1})
	if diff := cmp.Diff([]float64{-2, 8, nan}, got, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("differences mismatch (-want +got):\n%s", diff)
	}
}

func TestHistogram(t *testing.T) {
	if got := new(histogram).quantile(0.5); got != 0 {
		t.Errorf("the median of nothing is %v", got)
	}
	h := &histogram{}
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Microsecond)
	}
	h.add(-5)
	h.add(math.MaxInt64)
	for q, want := range map[float64]time.Duration{0: 0, 0.5: 500 * time.Microsecond, 0.99: 991 * time.Microsecond, 1: math.MaxInt64} {
		got := h.quantile(q)
		if diff := math.Abs(float64(got - want)); diff > float64(want)/(1<<fineBits) {
			t.Errorf("quantile %v: got %v, want %v", q, got, want)
		}
	}
}

func TestBucketsFollowEachOther(t *testing.T) {
	for b := range len(new(histogram).buckets) {
		low := lowest(b)
		if got := bucketOf(low); got != b {
			t.Fatalf("bucket %d begins at %d, which is in bucket %d", b, low, got)
		}
		if b > 0 && bucketOf(low-1) != b-1 {
			t.Fatalf("%d, just before bucket %d, is in bucket %d", low-1, b, bucketOf(low-1))
		}
	}
	if last := len(new(histogram).buckets) - 1; bucketOf(math.MaxUint64) != last {
		t.Errorf("the largest value is in bucket %d, the last is %d", bucketOf(math.MaxUint64), last)
	}
}

func TestCreditsComeBackWithTheSlowest(t *testing.T) {
	const readers = 3
	c := newCredits(readers)
	take := func() bool {
		select {
		case <-c.free:
			return true
		default:
			return false
		}
	}
	for i := range maxCredits {
		if !take() {
			t.Fatalf("only %d credits at the start", i)
		}
	}
	for n := uint64(1); n <= 3*maxCredits; n++ {
		for r := range readers {
			if take() {
				t.Fatalf("a credit came back before reader %d had seen batch %d", r, n)
			}
			c.pass(n)
		}
		if !take() {
			t.Fatalf("no credit came back for batch %d", n)
		}
	}
	for n := uint64(1); n <= maxCredits; n++ { // two readers run ahead as far as they can
		c.pass(3*maxCredits + n)
		c.pass(3*maxCredits + n)
	}
	for n := uint64(1); n <= maxCredits; n++ {
		c.pass(3*maxCredits + n)
		if !take() {
			t.Fatalf("no credit came back for the slowest reader's batch %d", n)
		}
	}
}
