package client

import (
	"math/rand/v2"
	"time"
)

const (
	// firstBackoff and lastBackoff bound the time between two attempts to connect.
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 10 * time.Second
	// healthy is how long a link has to hold for the next loss to count as the first.
	healthy = 30 * time.Second
	// maxRetry bounds the times to wait that a node names.
	maxRetry = 10 * time.Minute
)

// ceiling returns the longest wait after attempt number attempt, counted from 0.
func ceiling(attempt int) time.Duration {
	if attempt >= 7 { // 2^7 × 100 ms is above lastBackoff
		return lastBackoff
	}
	return firstBackoff << max(attempt, 0)
}

// fullJitter spreads the clients of a node that went away over all of the time up to the ceiling (Brooker, "Exponential Backoff and
// Jitter", 2015).
func fullJitter(attempt int) time.Duration { return rand.N(ceiling(attempt)) }

// millis converts a time to wait that a node names, cut to maxRetry.
func millis(ms uint64) time.Duration {
	return time.Duration(min(ms, uint64(maxRetry/time.Millisecond))) * time.Millisecond
}
