package door

// minRush is how many have to come, or go, for a rush.
const minRush = 64

// Rush knows when many have come, or gone, by their number once a second. What their handshakes took the runtime would keep, as much as a third of all that
// clients who say nothing cost. The zero value begins with nobody.
type Rush struct{ last, before int }

// Over reports, once for each rush, that it is over: there are n now, which is about as many as the last time, and a quarter more or less than when a rush
// was over before.
func (r *Rush) Over(n int) bool {
	moved := abs(n - r.last)
	r.last = n
	if 100*moved > n || abs(n-r.before) < max(minRush, r.before/4) {
		return false
	}
	r.before = n
	return true
}

func abs(n int) int { return max(n, -n) }
