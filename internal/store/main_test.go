package store

import (
	"testing"

	"go.uber.org/goleak"
)

// unhurried returns n, or less under the race detector, with which all takes ten times as long.
func unhurried(n int) int {
	if raceEnabled {
		return n / 5
	}
	return n
}

func TestMain(m *testing.M) {
	searchTime *= 15
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}
