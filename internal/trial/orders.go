package trial

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"chatnode/internal/faults"
)

// ordersVariable is where a process finds its orders.
const ordersVariable = "TRIAL_ORDERS"

// Orders say how a node is to fare. The zero Orders let it live.
type Orders struct {
	// Before and After have it die ahead of its Append of that number, and when that has returned. 0: it does not.
	Before, After uint64 `json:",omitempty"`
	// Moment has it die when its store comes to that moment, for the Times-th time.
	Moment string `json:",omitempty"`
	Times  int64  `json:",omitempty"`
	// Linger is how much later it dies.
	Linger time.Duration `json:",omitempty"`

	// FailAppend and FailKept are the numbers of the first Append that fails with an I/O error, with nothing of it written or with all of it;
	// FailRead that of the first look at what is kept. 0: none.
	FailAppend, FailKept, FailRead uint64 `json:",omitempty"`
	// FileSize is how many bytes a file of it may have. 0: no limit.
	FileSize uint64 `json:",omitempty"`
	// Slow is how much longer each Append takes.
	Slow time.Duration `json:",omitempty"`

	// Reports has it answer each line on its standard input with its standing.
	Reports bool `json:",omitempty"`
}

// Environment is the variable that has a test's binary be chatnode under these orders, where its TestMain calls Obey.
func (o Orders) Environment() string { return ordersVariable + "=" + o.String() }

func (o Orders) String() string {
	text, err := json.Marshal(o)
	if err != nil {
		panic("trial: " + err.Error()) // numbers and a string
	}
	return string(text)
}

// Obey reports whether this process was started by a trial. If so, what it returns is to be put between its node and its store, and into the store's
// moments, and the program is to be run.
func Obey() (wrap func(faults.Backend) faults.Backend, moment func(string), ordered bool) {
	text, ordered := os.LookupEnv(ordersVariable)
	if !ordered {
		return nil, nil, false
	}
	var o Orders
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&o); err != nil {
		panic(fmt.Sprintf("trial: orders %q: %v", text, err))
	}
	if o.FileSize > 0 {
		if err := limitFiles(o.FileSize); err != nil {
			panic(fmt.Sprintf("trial: %v", err))
		}
	}
	if o.Reports {
		go report(os.Stdin, os.Stdout) // until the process ends
	}
	return o.wrap, o.moment(), true
}

// wrap has a store obey.
func (o Orders) wrap(backend faults.Backend) faults.Backend {
	hooks := faults.Hooks{
		Before: func(n uint64) error {
			time.Sleep(o.Slow) // a disk that takes that long
			if n == o.Before {
				o.die()
			}
			return failing(o.FailAppend, n)
		},
		After: func(n uint64) error {
			if n == o.After {
				o.die()
			}
			return failing(o.FailKept, n)
		},
		Read: func(n uint64) error { return failing(o.FailRead, n) },
	}
	return faults.NewStore(backend, hooks)
}

// failing is an I/O error from call number first on.
func failing(first, n uint64) error {
	if first == 0 || n < first {
		return nil
	}
	return syscall.EIO
}

// moment returns what a store is to call at its moments.
func (o Orders) moment() func(string) {
	var met atomic.Int64
	return func(moment string) {
		if moment == o.Moment && met.Add(1) == o.Times {
			o.die()
		}
	}
}

// die ends this process as kill -9 does: now, or a little later while everything goes on.
func (o Orders) die() {
	end := func() {
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		if err != nil {
			panic(fmt.Sprintf("trial: it can't die: %v", err))
		}
		select {} // until it is so
	}
	if o.Linger == 0 {
		end()
	}
	time.AfterFunc(o.Linger, end)
}
