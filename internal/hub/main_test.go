package hub

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

var (
	seedFlag = flag.Uint64("hub.seed", 0, "seed of the random run; 0 for another one each time")
	longFlag = flag.Bool("hub.long", false, "send 1 GB where less is enough to notice most faults")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
