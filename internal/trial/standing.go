package trial

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// standing is what a process takes at one moment.
type standing struct {
	Type       string `json:"type"`
	Goroutines int    // without the one that reports, the present ones
	Busiest    int    // the most there were since the last report
	Heap       int64  // bytes in use, garbage left out
	Files      int    // open descriptors; 0 where that is not known
	Most       int64  // the most bytes of memory since the last report; 0 where that is not known
}

// standingType is the type of a standing among what a process prints.
const standingType = "standing"

// countEvery is how often goroutines are counted for standing.Busiest.
const countEvery = 2 * time.Millisecond

// report answers each line of in with this process's standing.
func report(in io.Reader, out io.Writer) {
	var busiest atomic.Int64
	go func() { // until the process ends
		for range time.Tick(countEvery) {
			if n := int64(runtime.NumGoroutine()); n > busiest.Load() {
				busiest.Store(n)
			}
		}
	}()
	const own = 2
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}} // marked by the last collection: what has become garbage since is left out
	for lines := bufio.NewScanner(in); lines.Scan(); {
		most := mostMemory()
		debug.FreeOSMemory()
		runtime.GC() // what a first collection has found to be finalized goes with a second one
		metrics.Read(live)
		now := runtime.NumGoroutine()
		text, err := json.Marshal(standing{
			Type: standingType, Goroutines: now - own, Busiest: max(now, int(busiest.Swap(0))) - own,
			Heap: int64(live[0].Value.Uint64()), Files: openFiles(), Most: most,
		})
		if err != nil {
			panic("trial: " + err.Error()) // numbers and a string
		}
		fmt.Fprintf(out, "%s\n", text)
		forgetMemory()
	}
}

// look asks a node for its standing.
func (tr *trial) look(p *process) (now standing) {
	tr.Helper()
	before := len(p.printed(standingType))
	_, err := io.WriteString(p.in, "\n")
	tr.check(err)
	tr.awaits(p, "its standing", func() bool { return len(p.printed(standingType)) > before })
	text, err := json.Marshal(p.printed(standingType)[before])
	tr.check(err)
	tr.check(json.Unmarshal(text, &now))
	return now
}
